"""The thread of a case in the database, and the row that says where it stands. All SQL that writes ``cases`` and ``case_events``.

The row of the case is locked before its thread is read: of two who act at once the second sees what the first did.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from office.supervision.deadlines import Deadlines, deadlines, next_look
from office.supervision.states import OVER, WITH_UNIT, Case, Event, State, Step, begin, fold
from registry import parameters
from registry.calendar import load_calendar
from registry.parameter_values import load_parameters
from registry.parameters import ParameterRow
from registry.working_days import Calendar
from runtime.connection import Connection
from runtime.units import CHINA, to_us

#: From so many events on a case takes no more of those that people may repeat at will. It can still be brought to its end.
MAX_EVENTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it is stored, with what only people read of it. ``actor``: which of the event's persons did it."""

    event: Event
    actor_name: str
    actor: str = ""
    address: str = ""
    device: str = ""
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Thread:
    """A case with its thread, oldest entry first. ``row``: the stored row of ``cases``."""

    id: str
    case: Case
    entries: tuple[Entry, ...]
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Clocks:
    """What terms are counted by."""

    calendar: Calendar
    rows: tuple[ParameterRow, ...]

    def terms(self, case: Case) -> dict[str, int]:
        """The parameters that held for the unit when the case was issued: a later change moves no running term."""
        issued = case.last(Step.ISSUE) or case.ticks[0]
        return parameters.resolve(parameters.SUPERVISION, case.organisation, to_us(issued.at), self.rows)

    def deadlines(self, case: Case, today: date) -> Deadlines:
        return deadlines(case, self.calendar, self.terms(case), today)


def new_id() -> str:
    """An id that nobody can guess."""
    return secrets.token_hex(8)


def china_today(now: datetime) -> date:
    """The day in China."""
    return now.astimezone(CHINA).date()


async def now_of(connection: Connection) -> datetime:
    """The database's clock: all processes have the same."""
    moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return moment


async def today_of(connection: Connection) -> date:
    """The day in China, by the database's clock."""
    return china_today(await now_of(connection))


async def load_clocks(connection: Connection) -> Clocks:
    """The calendar and the parameters as they are now."""
    return Clocks(await load_calendar(connection), await load_parameters(connection))


async def read_thread(
    connection: Connection, id: str, *, lock: bool = False, skip_locked: bool = False
) -> Thread | None:
    """The case ``id``; None: there is none (or, with ``skip_locked``, another transaction has it). ``lock``: held until the
    end of the transaction."""
    suffix = " FOR UPDATE SKIP LOCKED" if skip_locked else " FOR UPDATE" if lock else ""
    row = await connection.fetchrow(f"SELECT * FROM cases WHERE id = $1{suffix}", id)  # noqa: S608 - constants
    if row is None:
        return None
    rows = await connection.fetch("SELECT * FROM case_events WHERE case_id = $1 ORDER BY version", id)
    entries = tuple(map(_entry, rows))
    return Thread(id, fold([entry.event for entry in entries]), entries, dict(row))


def _entry(row: Any) -> Entry:
    event = Event(row["version"], Step(row["step"]), row["at"], frozenset(row["persons"]), row["body"])
    return Entry(event, row["actor_name"], row["actor"], row["address"], row["device"], row["internal"])


async def begin_case(connection: Connection, entry: Entry, clocks: Clocks) -> str:
    """Store a new case whose first event is ``entry``; its id."""
    id, case = new_id(), begin(entry.event)
    await connection.execute(
        "INSERT INTO cases (id, organisation, state, version, source, level, title, created_at)"
        " VALUES ($1, $2, $3, 1, $4, $5, $6, $7)",
        id, case.organisation, case.state, case.contents["source"], case.contents["level"], case.contents["title"],
        entry.event.at,
    )  # fmt: skip
    await append(connection, id, case, entry, clocks)
    return id


async def append(connection: Connection, id: str, case: Case, entry: Entry, clocks: Clocks) -> None:
    """Store one more event; ``case``: with it. The caller holds the row."""
    event = entry.event
    await connection.execute(
        "INSERT INTO case_events (case_id, version, step, at, persons, actor_name, address, device, internal, body, actor)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        id, event.version, event.step, event.at, sorted(event.persons), entry.actor_name, entry.address, entry.device,
        entry.internal, dict(event.body), entry.actor,
    )  # fmt: skip
    await project(connection, id, case, clocks, china_today(event.at))


async def project(connection: Connection, id: str, case: Case, clocks: Clocks, today: date) -> None:
    """Write where ``case`` stands into its row."""
    values = projection(case, clocks, today)
    names = list(values)
    await connection.execute(
        f"UPDATE cases SET {', '.join(f'{name} = ${k}' for k, name in enumerate(names, 2))} WHERE id = $1",  # noqa: S608 - constants
        id,
        *values.values(),
    )


def projection(case: Case, clocks: Clocks, today: date) -> dict[str, Any]:
    """The columns of ``cases`` that follow from the thread, the calendar and the day."""
    found, issued = clocks.deadlines(case, today), case.last(Step.ISSUE)
    due = found.due if case.state not in OVER else None
    return {
        "organisation": case.organisation,
        "number": case.number,
        "state": str(case.state),
        "version": case.version,
        "source": case.contents["source"],
        "level": case.contents["level"],
        "title": case.contents["title"],
        "vehicle": case.contents.get("vehicle"),
        "helpers": list(case.helpers),
        "external_no": case.contents.get("external_no"),
        "finding": case.finding,
        "reminders": case.reminders,
        "announced": case.announced,
        "proposal": case.proposal,
        "issued_at": None if issued is None else issued.at,
        "due_on": None if due is None or found.yellow_from is None else due.day,
        "yellow_from": found.yellow_from,
        "undetermined": case.state in WITH_UNIT and due is not None and due.day is None,
        "look_on": next_look(found, case, today),
    }


async def take_number(connection: Connection, organisation: str, year: int) -> str:
    """The next number of a unit in a year. Its row stays locked to the end of the transaction, so none is lost or given
    twice."""
    last = await connection.fetchval(
        "INSERT INTO case_numbers (organisation, year, last) VALUES ($1, $2, 1)"
        " ON CONFLICT (organisation, year) DO UPDATE SET last = case_numbers.last + 1 RETURNING last",
        organisation,
        year,
    )
    return f"督〔{year}〕{organisation}-{last:04d}号"


async def link(connection: Connection, id: str, contents: Mapping[str, Any]) -> None:
    """Write what a case is about anew; it is open. The alerts were looked at before (``in_open_cases``)."""
    await connection.execute("DELETE FROM case_links WHERE case_id = $1", id)
    pairs = [("alert", ref) for ref in contents.get("alerts", ())]
    pairs += [("order", ref) for ref in contents.get("orders", ())]
    pairs += [("complaint", contents["complaint"])] if "complaint" in contents else []
    await connection.executemany(
        "INSERT INTO case_links (case_id, kind, ref, open) VALUES ($1, $2, $3, true)",
        [(id, kind, ref) for kind, ref in sorted(pairs)],
    )


async def set_links_open(connection: Connection, id: str, state: State) -> None:
    """Links are open as long as their case is."""
    await connection.execute("UPDATE case_links SET open = $2 WHERE case_id = $1", id, state not in OVER)


@dataclass(frozen=True, slots=True)
class LinkedAlert:
    """An alert of a case as it is now. ``newer``: there is a later version than that of the case's end, or of what its thread
    told since."""

    id: str
    version: int
    withdrawn: bool
    newer: bool


async def take_news(connection: Connection, id: str) -> list[LinkedAlert]:
    """The alerts of a case as they are now, by id; what waits to be told of them (``case_alert_news``) is taken away. In this
    order: of what comes between the two statements the line stays."""
    await connection.execute("DELETE FROM case_alert_news WHERE case_id = $1", id)
    rows = await connection.fetch(
        "SELECT a.id, a.version, a.status = 'withdrawn' AS withdrawn, a.version > COALESCE(l.alert_version, a.version) AS newer"
        " FROM case_links l JOIN alerts a ON a.id = l.ref WHERE l.case_id = $1 AND l.kind = 'alert' ORDER BY a.id",
        id,
    )
    return [LinkedAlert(*row) for row in rows]


async def note_alerts(connection: Connection, id: str, case: Case, alerts: Sequence[LinkedAlert]) -> None:
    """The thread of ``case`` tells of ``alerts`` as they are. The label of a withdrawn one counts no more until somebody decides."""
    undecided = set(case.undecided)
    await connection.execute(
        "UPDATE case_links l SET noted = n.withdrawn, doubted = n.doubted,"
        " alert_version = CASE WHEN l.open THEN l.alert_version ELSE n.version END"
        " FROM unnest($2::text[], $3::integer[], $4::boolean[], $5::boolean[]) AS n (ref, version, withdrawn, doubted)"
        " WHERE l.case_id = $1 AND l.kind = 'alert' AND l.ref = n.ref"
        " AND (l.noted, l.doubted, l.alert_version) IS DISTINCT FROM (n.withdrawn, n.doubted, n.version)",
        id,
        [alert.id for alert in alerts],
        [alert.version for alert in alerts],
        [alert.withdrawn for alert in alerts],
        [alert.withdrawn and alert.id in undecided for alert in alerts],
    )


async def end_doubt(connection: Connection, id: str) -> None:
    """Somebody has decided what follows from the withdrawal of the alerts of a case."""
    await connection.execute("UPDATE case_links SET doubted = false WHERE case_id = $1 AND doubted", id)


async def in_open_cases(
    connection: Connection, alerts: Sequence[str], but: str = ""
) -> list[tuple[str, str, str | None]]:
    """(alert, id and number of the open case that it is in), other than case ``but``."""
    rows = await connection.fetch(
        "SELECT l.ref, c.id, c.number FROM case_links l JOIN cases c ON c.id = l.case_id"
        " WHERE l.kind = 'alert' AND l.open AND l.ref = ANY($1::text[]) AND c.id <> $2 ORDER BY l.ref",
        list(alerts),
        but,
    )
    return [(row["ref"], row["id"], row["number"]) for row in rows]
