"""Periods of the assessment: a year (``2026``) or a quarter of it (``2026Q3``). Two series: each closes and corrects its own. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

FIRST_YEAR: Final = 2020
LAST_YEAR: Final = 2099
#: As text.
PATTERN: Final = r"^20[2-9][0-9](Q[1-4])?$"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """``quarter`` 0: the whole year."""

    year: int
    quarter: int = 0

    def __str__(self) -> str:
        return f"{self.year}Q{self.quarter}" if self.quarter else str(self.year)

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, 3 * self.quarter - 2 if self.quarter else 1, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return self.following.first - timedelta(days=1)

    @property
    def following(self) -> Period:
        """The next one of the series."""
        if self.quarter in (0, 4):
            return Period(self.year + 1, 1 if self.quarter else 0)
        return Period(self.year, self.quarter + 1)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def same_series(self, other: Period) -> bool:
        """Both are years, or both are quarters."""
        return bool(self.quarter) == bool(other.quarter)


def parse(text: str) -> Period:
    """``2026`` or ``2026Q3``. Raises ValueError."""
    year, _, quarter = text.partition("Q")
    return Period(int(year), int(quarter) if quarter else 0)


def last_over(today: date) -> Period:
    """The last quarter that is over on ``today``."""
    quarter = (today.month - 1) // 3
    return Period(today.year, quarter) if quarter else Period(today.year - 1, 4)
