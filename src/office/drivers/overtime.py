"""What drivers worked beyond their rosters (加班): minutes by kind of day, for who enters it in the ledger. Pure.

A trip counts where its driver has a roster for the day and was out at a time that is in no shift of it. Where nobody has said when he works, nothing is known, and that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from registry.shifts import Roster, merged, midnight_s
from registry.working_days import Calendar
from runtime.units import CHINA

#: Kinds of day: a working day, a day off, one of a festival (which of these is paid how, the unit decides), one that nobody has published yet.
DayKind = Literal["workday", "rest", "festival", "unknown"]
#: Days off that are no festival.
_NO_FESTIVAL: Final = frozenset({"周末", "休息日"})


@dataclass(frozen=True, slots=True)
class Overtime:
    """Of one trip on one day. ``minutes`` None: nobody has said when he works on that day. ``since``, ``until``: what of the trip lies on the day."""

    dispatch: str
    day: date
    kind: DayKind
    since: datetime
    until: datetime
    minutes: int | None


def kind_of(calendar: Calendar, day: date) -> DayKind:
    """What a day is."""
    worked = calendar.workday(day)
    if worked is None:
        return "unknown"
    return "workday" if worked else "rest" if calendar.name(day) in _NO_FESTIVAL else "festival"


def overtime(trips: Sequence[tuple[str, datetime, datetime]], roster: Roster, calendar: Calendar) -> list[Overtime]:  # fmt: skip
    """Of ``trips`` (number, departed, returned), day by day in China; a time that lies in several trips counts with the first."""
    found: list[Overtime] = []
    counted: list[tuple[int, int]] = []
    for number, departed, returned in sorted(trips, key=lambda trip: (trip[1], trip[0])):
        day = departed.astimezone(CHINA).date()
        while midnight_s(day) < returned.timestamp():
            begin, end = midnight_s(day), midnight_s(day + timedelta(days=1))
            since, until = max(int(departed.timestamp()), begin), min(int(returned.timestamp()), end)
            minutes = None
            # The night shift of the day before counts as well; whole days where that is not known.
            duty = roster.spans(day, day)
            if duty is not None:
                minutes = _outside(since, until, merged([*duty, *counted])) // 60
            if minutes is None or minutes:
                span = datetime.fromtimestamp(since, CHINA), datetime.fromtimestamp(until, CHINA)
                found.append(Overtime(number, day, kind_of(calendar, day), *span, minutes))
            counted.append((since, until))
            day += timedelta(days=1)
    return found


def _outside(since: int, until: int, spans: Sequence[tuple[int, int]]) -> int:
    """How much of [since, until) lies in none of ``spans``, which do not overlap, in seconds."""
    inside = sum(max(min(until, end) - max(since, begin), 0) for begin, end in spans)
    return until - since - inside
