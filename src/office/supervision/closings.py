"""What closed cases have to say for the assessment of their units: findings, lateness, rectification. Read from the threads.

A sheet is the same for whoever reads it: threads come by functions of the database (migrations/0037_assessment.sql,
0047_counts_and_closings.sql) that also have those of secret vehicles, but nothing in them that names a vehicle, a person or a place. A
case is known by its number here.

A ranking reads all closings of a period at once, tens of thousands. So a thread is one row here, and of its events only those are
looked at from which an assessment follows. That this comes to what the state machine and the clocks say of each event in turn is
proven by a property test (tests/unit/test_closings.py).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from office.supervision.cases import Clocks
from office.supervision.deadlines import after, unit_term
from office.supervision.states import BY_CLOCK, TABLE, BrokenThreadError, Event, State, Step, last_of
from registry import parameters
from registry.working_days import Calendar
from runtime.connection import Connection
from runtime.units import midnight, to_us

#: Cases that are looked at before others have their turn.
_IN_A_ROW: Final = 500
_DAY: Final = timedelta(days=1)
#: (state, step) -> (state after it, whether the state changes), as texts: enums are slow as keys.
_MOVES: Final = {
    (str(source), str(row.step)): (str(row.target or source), row.target is not None)
    for row in TABLE
    for source in row.sources
}
_STEPS: Final = {str(step): step for step in Step}
_NOBODYS: Final = frozenset(map(str, BY_CLOCK))


@dataclass(frozen=True, slots=True)
class Closing:
    """The close of a case that stands. ``version``: of its event; ``day``: in China. ``rules``: (rule, severity) of its alerts
    as they were when it was drafted. ``replies``, ``late_replies``: replies with a known term, and those
    signed after it; ``signings``, ``late_signings``: the same of 签收; ``returned``: how often it was 退回重办. ``measures_due``,
    ``rectified``: days; ``rectified`` only when the office has accepted it; ``late_wd``: working days from one to the other.
    ``undecided``: an alert of it was withdrawn, or changed, since, and nobody has said what follows."""

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


@dataclass(frozen=True, slots=True)
class Record:
    """A thread as ``assessed_closings`` gives it: event by event. ``nobody``: whether it is nobody's act; ``bodies``: what was said,
    None where nothing follows from it."""

    number: str
    versions: Sequence[int]
    steps: Sequence[str]
    times: Sequence[datetime]
    nobody: Sequence[bool]
    bodies: Sequence[Mapping[str, Any] | None]


class _Terms:
    """``Clocks.terms`` of many cases: between two dates on which a parameter changes a unit has the same."""

    def __init__(self, clocks: Clocks) -> None:
        self._rows = [row for row in clocks.rows if row.rule == parameters.SUPERVISION]
        self._edges = sorted({row.effective_us for row in self._rows})
        self._known: dict[tuple[str, int], dict[str, int]] = {}

    def of(self, organisation: str, issued: datetime) -> dict[str, int]:
        at_us = to_us(issued)
        key = organisation, bisect_right(self._edges, at_us)
        found = self._known.get(key)
        if found is None:
            found = parameters.resolve(parameters.SUPERVISION, organisation, at_us, self._rows)
            self._known[key] = found
        return found


class Reader:
    """Makes closings of threads, by the calendar and the parameters as they are now."""

    def __init__(self, clocks: Clocks) -> None:
        self._calendar, self._terms = clocks.calendar, _Terms(clocks)

    def closing(self, record: Record) -> Closing | None:
        """What a thread comes to; None: it is not closed. Raises BrokenThreadError."""
        moving, state = _walked(tuple(record.steps))
        _refuse_broken(record)
        if state != State.CLOSED:
            return None
        ticks: list[Event] = []
        contents: Mapping[str, Any] = {}
        organisation = finding = ""
        replies = late_replies = signings = late_signings = returned = closed = 0
        measures_due: date | None = None
        rectified: date | None = None
        accepted = refused = over = undecided = False
        for k in moving:
            step, body = record.steps[k], record.bodies[k] or {}
            event = Event(k + 1, _STEPS[step], record.times[k], body=body)
            if step in ("draft", "edit"):
                contents, organisation = body, body["organisation"]
            elif step == "refuse":
                refused = True
            elif step in ("grant", "deny"):
                if refused and step == "grant":
                    organisation = body["organisation"]
                refused = False
            elif step == "sign":
                issued = _issue(ticks)
                handed = last_of(ticks, Step.ISSUE, Step.GRANT, Step.DENY) or issued
                term = self._terms.of(organisation, issued.at)["sign_wd"]
                sign = after(self._calendar, handed.day, term).day
                if sign is not None:
                    signings += 1
                    late_signings += event.day > sign
            elif step == "sign-reply":
                terms = self._terms.of(organisation, _issue(ticks).at)
                due = unit_term(ticks, contents, self._calendar, terms)[1].day
                if due is not None:  # an undetermined term is held against nobody
                    replies += 1
                    late_replies += event.day > due
            elif step == "redo":
                returned += 1
            elif step == "close":
                closed, finding = k, body["finding"]
                measures_due = date.fromisoformat(body["measures_due"]) if body.get("measures_due") else None
                over = True
            elif step in ("alert-withdrawn", "alert-changed"):
                undecided = over
            elif step == "stands":
                undecided = False
            elif step == "reopen":
                over = undecided = False
                finding, measures_due, rectified, accepted = "", None, None, False
            elif step in ("rectified", "return-rectification"):
                rectified = event.day if step == "rectified" else None
            elif step == "accept-rectification":
                accepted = True
            if step not in _STAYING:
                ticks.append(event)
        if not accepted:
            rectified = None
        return Closing(
            record.number, organisation, closed + 1, Event(1, Step.CLOSE, record.times[closed]).day, finding, contents["source"],
            tuple(dict.fromkeys((rule, severity) for rule, severity in contents.get("figures") or ())),
            replies, late_replies, signings, late_signings, returned, measures_due, rectified,
            0 if rectified is None or measures_due is None else worked_between(self._calendar, measures_due, rectified),
            undecided,
        )  # fmt: skip


#: Steps that are looked at though they do not change the state.
_STAYING: Final = frozenset(
    {
        "edit", "rectified", "accept-rectification", "return-rectification", "alert-withdrawn", "alert-changed", "stands",
    }
)  # fmt: skip


def _issue(ticks: Sequence[Event]) -> Event:
    found = last_of(ticks, Step.ISSUE)
    if found is None:
        raise BrokenThreadError("a case that was never issued went to its unit")
    return found


@lru_cache(maxsize=10_000)
def _walked(steps: tuple[str, ...]) -> tuple[tuple[int, ...], str]:
    """The places of the steps that say something here, and the last state. Raises BrokenThreadError."""
    if not steps or steps[0] != Step.DRAFT:
        raise BrokenThreadError("a thread begins with a draft")
    state, places = str(State.DRAFT), [0]
    for k, step in enumerate(steps[1:], 1):
        move = _MOVES.get((state, step))
        if move is None:
            raise BrokenThreadError(f"{step} {k + 1} after {state} {k}")
        state, changes = move
        if changes or step in _STAYING:
            places.append(k)
    return tuple(places), state


def _refuse_broken(record: Record) -> None:
    if list(record.versions) != list(range(1, len(record.steps) + 1)):
        raise BrokenThreadError(f"{record.number}: an event is missing")
    if True in record.nobody[1:]:
        for step, nobody in zip(record.steps[1:], record.nobody[1:], strict=True):
            if nobody and step not in _NOBODYS:
                raise BrokenThreadError(f"{record.number}: {step} is nobody's act")


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
    rows = await connection.fetch(
        "SELECT * FROM assessed_closings($1, $2, $3)",
        sorted(set(units)),
        midnight(since),
        midnight(until + _DAY),
    )
    reader = Reader(clocks)
    for number, row in enumerate(rows):
        if number % _IN_A_ROW == 0:
            await asyncio.sleep(0)  # this takes the processor: others are served meanwhile
        made = reader.closing(Record(*row))
        if made is not None and since <= made.day <= until:
            found.append(made)
    return sorted(found, key=lambda one: (one.day, one.number))


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
