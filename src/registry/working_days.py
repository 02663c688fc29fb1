"""Working days of China, with 调休 (weekend days that are worked and the days off for them). Pure.

Source: the yearly notice of the State Council (国务院办公厅关于某年部分节假日安排的通知, published in October to December
of the year before) as the package ``chinesecalendar`` has it; over it the office's own word on single days (table
``calendar_days``). What nobody has published is unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from importlib.metadata import version
from typing import Final

import chinese_calendar
from chinese_calendar.constants import holidays as _NAMED

_PACKAGE: Final = f"chinesecalendar {version('chinesecalendar')}"
_FIRST, _LAST = min(_NAMED).year, max(_NAMED).year
#: The notice of a year may change the last week of the year before (2018-12-29 was worked and 2018-12-31 was off by the
#: notice of 2019): from then on the last year that is published is not known yet.
_UNSURE_FROM: Final = date(_LAST, 12, 25)


class Calendar:
    """Which days are working days. ``overrides``: day -> (working day?, name or reason), the office's own word;
    ``unreadable``: day (ISO 8601) -> why, where that word cannot be read: such a day is not known."""

    __slots__ = ("_overrides", "_told", "unreadable")

    def __init__(
        self,
        overrides: Mapping[date, tuple[bool, str]] | None = None,
        unreadable: Mapping[str, str] | None = None,
    ) -> None:
        self._overrides, self.unreadable = dict(overrides or {}), dict(unreadable or {})
        self._told: dict[date, bool | None] = {
            day: own[0] for day, own in self._overrides.items()
        }  # and what was asked for before

    def workday(self, day: date) -> bool | None:
        """Whether ``day`` is worked; None = not published yet, or not known."""
        try:
            return self._told[day]
        except KeyError:
            found = self._told[day] = _worked(day) if self._known(day) else None
            return found

    def _known(self, day: date) -> bool:
        return _published(day) and day.isoformat() not in self.unreadable

    def name(self, day: date) -> str:
        """What the day is: the name of the festival or the office's reason, Chinese; else 工作日 or 周末; '' when it is
        not known."""
        own = self._overrides.get(day)
        if own is not None and own[1]:
            return own[1]
        if own is not None:
            return "工作日" if own[0] else "休息日"
        if not self._known(day):
            return ""
        if _worked(day):
            return "工作日" if day.weekday() < 5 else "调休上班"
        festival = chinese_calendar.get_holiday_detail(day)[1]
        return _FESTIVALS.get(str(festival), "节假日") if festival else "周末"

    def source(self, day: date) -> str:
        """Who says so: ``calendar_days``, the package with its version, or '' when nobody does."""
        if day in self._overrides:
            return "calendar_days"
        return _PACKAGE if self._known(day) else ""

    def unpublished(self, today: date) -> list[int]:
        """Years in use with days that are not known: this year's, from December on also the next; sorted. For a
        warning: the package needs an update, or the office enters the days of the notice."""
        return sorted({day.year for day in self._unknown(today)})

    def unknown_from(self, today: date) -> date | None:
        """The first day of those that is not known; None when all are."""
        return min(self._unknown(today), default=None)

    def unknown(self, today: date) -> list[date]:
        """All of them, in order."""
        return sorted(self._unknown(today))

    def _unknown(self, today: date) -> list[date]:
        years = [today.year, today.year + 1] if today.month == 12 else [today.year]
        return [day for year in years for day in _days(year, today) if self.workday(day) is None]


@lru_cache(maxsize=4096)  # the judge asks for every day of a year in each of its turns
def _worked(day: date) -> bool:
    """What the package says of a day that it knows."""
    return bool(chinese_calendar.is_workday(day))


def _published(day: date) -> bool:
    return _FIRST <= day.year <= _LAST and day < _UNSURE_FROM


def _days(year: int, today: date) -> list[date]:
    """The days of a year; of this year until the end of next month, so that an open last week alone warns only when it
    is near."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    if year == today.year:
        last = min(last, today + timedelta(days=31))
    return [first + timedelta(days=k) for k in range((last - first).days + 1)]


_FESTIVALS: Final = {
    "New Year's Day": "元旦",
    "Spring Festival": "春节",
    "Tomb-sweeping Day": "清明节",
    "Labour Day": "劳动节",
    "Dragon Boat Festival": "端午节",
    "National Day": "国庆节",
    "Mid-autumn Festival": "中秋节",
    "Anti-Fascist 70th Day": "抗战胜利纪念日",
}
