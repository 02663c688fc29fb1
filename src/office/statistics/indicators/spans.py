"""Spans of time: what they come to together, and how much of them is within office hours (08:00 to 18:00 of working days in China). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from registry.working_days import Calendar
from runtime.units import CHINA, midnight

Span = tuple[datetime, datetime]
OPENS: Final = timedelta(hours=8)
CLOSES: Final = timedelta(hours=18)
OFFICE_S: Final = int((CLOSES - OPENS).total_seconds())
_DAY: Final = timedelta(days=1)


class UnknownDayError(ValueError):
    """It is not published yet whether ``day`` is worked."""

    def __init__(self, day: date) -> None:
        super().__init__(f"{day} 是否工作日尚未公布 · whether {day} is a working day is not published yet")
        self.day = day


def clipped(span: Span, within: Span) -> Span | None:
    """The part of ``span`` that is ``within``; None: nothing of it is."""
    begin, end = max(span[0], within[0]), min(span[1], within[1])
    return (begin, end) if begin < end else None


def union(spans: Iterable[Span]) -> list[Span]:
    """``spans`` in order, those that touch or overlap as one."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def seconds(spans: Iterable[Span]) -> int:
    """How long they are together, in whole seconds."""
    return int(sum((end - begin).total_seconds() for begin, end in spans))


def days_of(span: Span) -> Sequence[date]:
    """The days in China that it touches."""
    first, last = (
        span[0].astimezone(CHINA).date(),
        (span[1] - timedelta(microseconds=1)).astimezone(CHINA).date(),
    )
    return [first + timedelta(days=k) for k in range((last - first).days + 1)]


def office_seconds(span: Span, calendar: Calendar) -> int:
    """How much of ``span`` is office hours, in seconds. Raises UnknownDayError."""
    found = 0
    for day in days_of(span):
        worked = calendar.workday(day)
        if worked is None:
            raise UnknownDayError(day)
        if worked:
            start = midnight(day)
            part = clipped(span, (start + OPENS, start + CLOSES))
            found += 0 if part is None else seconds([part])
    return found
