"""What closed cases have to say for the assessment of their units: findings, lateness, rectification. Read from the threads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from office.supervision.cases import Clocks
from office.supervision.states import Case, Event, State, Step, advance, begin
from registry.working_days import Calendar
from runtime.connection import Connection
from runtime.units import CHINA

#: Steps after which a closed case may cost a unit something else than before.
CHANGING: Final = (Step.CLOSE, Step.REOPEN, Step.ACCEPT_RECTIFICATION)
#: Events that are read at once.
_AT_ONCE: Final = 2_000
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Closing:
    """The close of a case that stands. ``version``: of its event; ``day``: in China. ``rules``: (rule, severity) of its alerts
    as they were when it was drafted. ``closers``: who closed it. ``replies``, ``late_replies``: replies with a known term, and those
    signed after it; ``signings``, ``late_signings``: the same of 签收; ``returned``: how often it was 退回重办. ``measures_due``,
    ``rectified``: days; ``rectified`` only when the office has accepted it; ``late_wd``: working days from one to the other."""

    case: str
    number: str
    organisation: str
    version: int
    day: date
    finding: str
    source: str
    rules: tuple[tuple[str, str], ...]
    closers: frozenset[str]
    replies: int
    late_replies: int
    signings: int
    late_signings: int
    returned: int
    measures_due: date | None
    rectified: date | None
    late_wd: int


def closing_of(id: str, events: Sequence[Event], clocks: Clocks) -> Closing | None:
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
        id, case.number or "", case.organisation, closed.version, closed.day, case.finding, case.contents["source"],
        _rules(case), closed.persons, replies, late_replies, signings, late_signings, returned, case.measures_due, rectified,
        0 if rectified is None or case.measures_due is None else worked_between(clocks.calendar, case.measures_due, rectified),
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
    """The closings that stand of cases of ``units`` whose last close was on a day of [since, until] (China), by day and case."""
    rows = await connection.fetch(
        "SELECT c.id FROM cases c WHERE c.state = 'closed' AND c.organisation = ANY($1::text[]) AND c.id IN"
        " (SELECT e.case_id FROM case_events e WHERE e.step = 'close' AND e.step IN ('close', 'reopen', 'accept-rectification') AND e.at >= $2 AND e.at < $3) ORDER BY c.id",
        sorted(units), _midnight(since), _midnight(until + _DAY),
    )  # fmt: skip
    ids = [row["id"] for row in rows]
    found: list[Closing] = []
    for first in range(0, len(ids), _AT_ONCE):
        threads = await _threads(connection, ids[first : first + _AT_ONCE])
        made = (closing_of(id, events, clocks) for id, events in threads.items())
        found += [one for one in made if one is not None and since <= one.day <= until]
    return sorted(found, key=lambda one: (one.day, one.number, one.case))


async def _threads(connection: Connection, ids: Sequence[str]) -> dict[str, list[Event]]:
    rows = await connection.fetch(
        "SELECT case_id, version, step, at, persons, body FROM case_events WHERE case_id = ANY($1::text[])"
        " ORDER BY case_id, version",
        ids,
    )
    threads: dict[str, list[Event]] = {}
    for row in rows:
        event = Event(row["version"], Step(row["step"]), row["at"], frozenset(row["persons"]), row["body"])
        threads.setdefault(row["case_id"], []).append(event)
    return threads


async def units_changed(connection: Connection, since: dict[str, datetime]) -> frozenset[str]:
    """Those of the units of ``since`` of which a case was closed, reopened or its rectification accepted after the time given."""
    rows = await connection.fetch(
        "SELECT DISTINCT u.unit FROM unnest($1::text[], $2::timestamptz[]) AS u (unit, since)"
        " JOIN case_events e ON e.step = ANY($3::text[]) AND e.at >= u.since"
        " JOIN cases c ON c.id = e.case_id AND c.organisation = u.unit",
        list(since), list(since.values()), [str(step) for step in CHANGING],
    )  # fmt: skip
    return frozenset(row["unit"] for row in rows)


async def closers_of(connection: Connection, case: str, version: int) -> frozenset[str]:
    """Who took the step ``version`` of a case; nobody where there is none."""
    persons = await connection.fetchval(
        "SELECT persons FROM case_events WHERE case_id = $1 AND version = $2", case, version
    )
    return frozenset(persons or ())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), CHINA)
