"""Shifts (班次) of drivers: what a roster comes to, and whether somebody is on duty for a trip. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final

from runtime.units import CHINA

#: From and to in minutes of the day in China; to is later than from, and beyond 24:00 where the shift ends on the next day.
Shift = tuple[int, int]
DAY_MIN: Final = 24 * 60
#: Who drives for longer need not be on duty all the time, but when he leaves, in seconds.
LONG_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Roster:
    """What is known of a driver. ``weeks``: (from which day on, seven lists of shifts or None), by day; ``days``: single days."""

    weeks: list[tuple[date, Sequence[Sequence[Shift]] | None]] = field(default_factory=list)
    days: dict[date, Sequence[Shift] | None] = field(default_factory=dict)

    def shifts(self, day: date) -> tuple[Sequence[Shift] | None, str | None]:
        """The shifts that begin on ``day`` and what says so (``day``, ``week``); (None, None): it is not known."""
        own = self.days.get(day)
        if own is not None:
            return own, "day"
        week = next((week for since, week in reversed(self.weeks) if since <= day), None)
        return (None, None) if week is None else (week[day.weekday()], "week")

    def spans(self, first: date, last: date) -> tuple[tuple[int, int], ...] | None:
        """When he is on duty on the days ``first`` to ``last``: seconds since 1970, without those that touch apart. A day that is not known is whole; None: none is
        known."""
        if all(self.shifts(first + timedelta(days=k))[0] is None for k in range((last - first).days + 1)):
            return None
        found: list[tuple[int, int]] = []
        # The night shift of the day before ends on the first one.
        for k in range(-1, (last - first).days + 1):
            day = first + timedelta(days=k)
            shifts, _ = self.shifts(day)
            begin = midnight_s(day)
            for since, until in ((0, DAY_MIN),) if shifts is None else shifts:
                found.append((begin + 60 * since, begin + 60 * until))
        return merged(found)


def midnight_s(day: date) -> int:
    """When a day begins in China, in seconds since 1970."""
    return int(datetime.combine(day, time(), CHINA).timestamp())


def merged(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans in order, those that overlap or touch as one."""
    found: list[tuple[int, int]] = []
    for since, until in sorted(spans):
        if found and since <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], until)
        else:
            found.append((since, until))
    return tuple(found)


def on_duty(duty: Sequence[tuple[int, int]] | None, since_s: int, until_s: int) -> bool:
    """Whether a driver works for a trip within [since, until): all of it, or, of one that is longer than a day, when it begins. ``duty`` None: it is not known, and
    nothing is in the way."""
    if duty is None:
        return True
    long = until_s - since_s > LONG_S
    return any(begin <= since_s and (until_s <= end or (long and since_s < end)) for begin, end in duty)
