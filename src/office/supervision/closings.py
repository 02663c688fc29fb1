"""What closed cases have to say for the assessment of their units: findings, lateness, rectification. Folded from the threads.

A sheet is the same for whoever reads it: threads come by functions of the database (migrations/0037_assessment.sql) that also have those of
secret vehicles, but nothing in them that names a vehicle, a person or a place. A case is known by its number here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any, Final

from office.supervision.cases import Clocks
from office.supervision.states import Case, Event, State, Step, advance, begin
from registry.working_days import Calendar
from runtime.connection import Connection
from runtime.units import midnight

#: Units whose threads are read at once.
_AT_ONCE: Final = 200
#: Cases that are folded before others have their turn.
_IN_A_ROW: Final = 50
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Closing:
    """The close of a case that stands. ``version``: of its event; ``day``: in China. ``rules``: (rule, severity) of its alerts
    as they were when it was drafted. ``replies``, ``late_replies``: replies with a known term, and those
    signed after it; ``signings``, ``late_signings``: the same of 签收; ``returned``: how often it was 退回重办. ``measures_due``,
    ``undecided``: an alert of it was withdrawn, or changed, since, and nobody has said what follows. ``rectified``: days; ``rectified`` only when the office has accepted it; ``late_wd``: working days from one to the other."""

    number: str
    organisation: str
    version: int
    day: date
    finding: str
    source: str
    rules: tuple[tuple[str, str], ...]
    replies: int
    late_replies: int
    signings: int
    late_signings: int
    returned: int
    measures_due: date | None
    rectified: date | None
    late_wd: int
    undecided: bool = False


def closing_of(events: Sequence[Event], clocks: Clocks) -> Closing | None:
    """What a thread comes to; None: it is not closed."""
    case = begin(events[0])
    replies = late_replies = signings = late_signings = returned = 0
    closed: Event | None = None
    for event in events[1:]:
        if event.step is Step.SIGN:
            found = clocks.deadlines(case, event.day)
            if found.sign is not None and found.sign.day is not None:
                signings += 1
                late_signings += found.sign_late
        elif event.step is Step.SIGN_REPLY:
            due = clocks.deadlines(case, event.day).due
            if due is not None and due.day is not None:  # an undetermined term is held against nobody
                replies += 1
                late_replies += event.day > due.day
        elif event.step is Step.REDO:
            returned += 1
        elif event.step is Step.CLOSE:
            closed = event
        case = advance(case, event)
    if case.state is not State.CLOSED or closed is None or case.finding is None:
        return None
    rectified = case.rectified if case.rectification_accepted else None
    return Closing(
        case.number or "", case.organisation, closed.version, closed.day, case.finding, case.contents["source"],
        _rules(case), replies, late_replies, signings, late_signings, returned, case.measures_due, rectified,
        0 if rectified is None or case.measures_due is None else worked_between(clocks.calendar, case.measures_due, rectified),
        bool(case.undecided),
    )  # fmt: skip


def _rules(case: Case) -> tuple[tuple[str, str], ...]:
    figures: Iterable[Any] = case.contents.get("figures", ())
    return tuple(dict.fromkeys((each["rule"], each["severity"]) for each in figures))


def worked_between(calendar: Calendar, day: date, until: date) -> int:
    """Working days after ``day`` up to and with ``until``; days of which nobody has published it count for the unit: as off."""
    found, at = 0, day
    while at < until:
        at += _DAY
        found += calendar.workday(at) is True
    return found


async def closings_between(
    connection: Connection, units: Collection[str], since: date, until: date, clocks: Clocks
) -> list[Closing]:
    """The closings that stand of cases of ``units`` whose last close was on a day of [since, until] (China), by day and number."""
    found: list[Closing] = []
    every = sorted(units)
    for first in range(0, len(every), _AT_ONCE):
        rows = await connection.fetch(
            "SELECT number, version, step, at, persons, body FROM assessed_threads($1, $2, $3)",
            every[first : first + _AT_ONCE], midnight(since), midnight(until + _DAY),
        )  # fmt: skip
        for number, (_, thread) in enumerate(groupby(rows, key=lambda row: row["number"])):
            if number % _IN_A_ROW == 0:
                await asyncio.sleep(0)  # folding takes the processor: others are served meanwhile
            made = closing_of([_event(row) for row in thread], clocks)
            if made is not None and since <= made.day <= until:
                found.append(made)
    return sorted(found, key=lambda one: (one.day, one.number))


def _event(row: Any) -> Event:
    return Event(row["version"], Step(row["step"]), row["at"], frozenset(row["persons"]), row["body"])


async def units_changed(connection: Connection, since: dict[str, datetime]) -> frozenset[str]:
    """Those of the units of ``since`` of which a case was closed, reopened or its rectification accepted after the time given."""
    found = await connection.fetchval("SELECT assessed_changes($1, $2)", list(since), list(since.values()))
    return frozenset(found)


async def ids_of(connection: Connection, numbers: Collection[str]) -> dict[str, str]:
    """Number -> id of those cases that the caller's transaction sees."""
    rows = await connection.fetch(
        "SELECT number, id FROM cases WHERE number = ANY($1::text[])", sorted(numbers)
    )
    return {row["number"]: row["id"] for row in rows}


async def closers_of(connection: Connection, unit: str, number: str, version: int) -> frozenset[str]:
    """Who took the step ``version`` of a closed case of ``unit``; nobody where there is none."""
    rows = await connection.fetch(
        "SELECT persons FROM assessed_threads(ARRAY[$1], NULL, NULL, $2) WHERE version = $3",
        unit, number, version,
    )  # fmt: skip
    return frozenset(person for row in rows for person in row["persons"])
