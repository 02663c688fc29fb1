"""The threads of requests and dispatches in the database, and the rows that say where they stand. All SQL that writes them.

Rows are locked before their threads are read: of two who act at once the second sees what the first did. Always first requests, then
dispatches, each in the order of their ids: two transactions wait for each other, never both.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from office.dispatch.dispatch import Dispatch
from office.dispatch.dispatch import fold as fold_dispatch
from office.requests.request import Event, Request
from office.requests.request import fold as fold_request
from office.requests.table import Paper, TripAction
from office.supervision.actors import Actor
from registry import parameters
from registry.calendar import load_calendar
from registry.parameter_values import load_parameters
from registry.parameters import ParameterRow
from registry.working_days import Calendar
from registry.writing import MeanwhileError
from runtime.connection import Connection
from runtime.units import CHINA, to_us

#: From so many events on a paper takes no more notes, edits, changes. It can still be brought to its end.
MAX_EVENTS: Final = 500
_TABLES: Final = {
    Paper.REQUEST: ("trip_requests", "trip_request_events"),
    Paper.DISPATCH: ("trip_dispatches", "trip_dispatch_events"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it is stored. ``actor``: which of its persons did it, '' = the program."""

    event: Event
    actor_name: str = "系统 / the program"
    actor: str = ""
    address: str = ""
    device: str = ""


def entry_of(actor: Actor, event: Event) -> Entry:
    """An event as the act of ``actor``."""
    return Entry(event, actor.subject.name, actor.person, actor.address[:100], actor.device[:300])


@dataclass(frozen=True, slots=True)
class RequestThread:
    """A request with its thread, oldest entry first, and its stored row."""

    id: str
    paper: Request
    entries: tuple[Entry, ...]
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DispatchThread:
    """A dispatch with its thread, oldest entry first, and its stored row."""

    id: str
    paper: Dispatch
    entries: tuple[Entry, ...]
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Clocks:
    """What terms are counted by."""

    calendar: Calendar
    rows: tuple[ParameterRow, ...]

    def terms(self, organisation: str, at: datetime) -> dict[str, int]:
        """The parameters of trips of a unit."""
        return parameters.resolve(parameters.TRIPS, organisation, to_us(at), self.rows)

    def overdue_h(self, organisation: str, at: datetime) -> int:
        """So long after its planned return an order covers (``order.overdue_cover_h``); then it is overdue."""
        return parameters.resolve(parameters.ORDER, organisation, to_us(at), self.rows)["overdue_cover_h"]


async def load_clocks(connection: Connection) -> Clocks:
    """The calendar and the parameters as they are now."""
    return Clocks(await load_calendar(connection), await load_parameters(connection))


def new_id(paper: Paper, now: datetime) -> str:
    """An id that nobody can guess; that of a dispatch is the id of its order: PC-20260302-0123456789AB."""
    token = secrets.token_hex(6).upper()
    return f"{'YC' if paper is Paper.REQUEST else 'PC'}-{now.astimezone(CHINA):%Y%m%d}-{token}"


async def now_of(connection: Connection) -> datetime:
    """The database's clock: all processes have the same."""
    moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return moment


async def _rows(
    connection: Connection, paper: Paper, id: str, *, lock: bool, skip_locked: bool
) -> tuple[Any, tuple[Entry, ...]] | None:
    table, events = _TABLES[paper]
    suffix = " FOR UPDATE SKIP LOCKED" if skip_locked else " FOR UPDATE" if lock else ""
    row = await connection.fetchrow(f"SELECT * FROM {table} WHERE id = $1{suffix}", id)  # noqa: S608 - constants
    if row is None:
        return None
    rows = await connection.fetch(f"SELECT * FROM {events} WHERE paper = $1 ORDER BY version", id)  # noqa: S608 - constants
    return row, tuple(map(_entry, rows))


def _entry(row: Any) -> Entry:
    event = Event(row["version"], TripAction(row["step"]), row["at"], frozenset(row["persons"]), row["body"])
    return Entry(event, row["actor_name"], row["actor"], row["address"], row["device"])


async def read_request(
    connection: Connection, id: str, *, lock: bool = False, skip_locked: bool = False
) -> RequestThread | None:
    """The request ``id``; None: there is none within reach (or another transaction has it, with ``skip_locked``)."""
    found = await _rows(connection, Paper.REQUEST, id, lock=lock, skip_locked=skip_locked)
    if found is None:
        return None
    row, entries = found
    return RequestThread(id, fold_request([entry.event for entry in entries]), entries, dict(row))


async def read_dispatch(
    connection: Connection, id: str, *, lock: bool = False, skip_locked: bool = False
) -> DispatchThread | None:
    """The dispatch ``id``; see ``read_request``."""
    found = await _rows(connection, Paper.DISPATCH, id, lock=lock, skip_locked=skip_locked)
    if found is None:
        return None
    row, entries = found
    return DispatchThread(id, fold_dispatch([entry.event for entry in entries]), entries, dict(row))


async def requests_of(connection: Connection, dispatch: str) -> list[str]:
    """The requests that a dispatch carries or carried, by id."""
    rows = await connection.fetch(
        "SELECT request_id FROM trip_links WHERE dispatch_id = $1 ORDER BY request_id", dispatch
    )
    return [row["request_id"] for row in rows]


async def dispatches_of(connection: Connection, request: str) -> list[str]:
    """The dispatches that carry or carried a request, by id."""
    rows = await connection.fetch(
        "SELECT dispatch_id FROM trip_links WHERE request_id = $1 ORDER BY dispatch_id", request
    )
    return [row["dispatch_id"] for row in rows]


async def hold_dispatch(
    connection: Connection, id: str, *, skip_locked: bool = False
) -> tuple[DispatchThread, list[RequestThread]] | None:
    """A dispatch and those of its requests that are within reach, locked. None: there is none, or another transaction has one of them (``skip_locked``). Raises
    MeanwhileError where another request has joined meanwhile."""
    ids = await requests_of(connection, id)
    requests = []
    for request in ids:
        thread = await read_request(connection, request, lock=True, skip_locked=skip_locked)
        if thread is not None:
            requests.append(thread)
        elif skip_locked:
            return None
    dispatch = await read_dispatch(connection, id, lock=True, skip_locked=skip_locked)
    if dispatch is None:
        return None
    if await requests_of(connection, id) != ids:
        raise MeanwhileError()
    return dispatch, requests


async def store(connection: Connection, paper: Paper, id: str, entry: Entry) -> None:
    """Add an event to a thread; the caller holds its row."""
    event = entry.event
    await connection.execute(
        f"INSERT INTO {_TABLES[paper][1]} (paper, version, step, at, actor, persons, actor_name, address, device, body)"  # noqa: S608 - constants
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id, event.version, event.step, event.at, entry.actor, sorted(event.persons), entry.actor_name, entry.address,
        entry.device, dict(event.body),
    )  # fmt: skip


async def write_row(
    connection: Connection, paper: Paper, id: str, values: Mapping[str, Any], *, new: bool
) -> None:
    """Write where a paper stands into its row."""
    table, names = _TABLES[paper][0], list(values)
    if new:
        listed = ", ".join(["id", *names])
        marks = ", ".join(f"${k}" for k in range(1, len(names) + 2))
        await connection.execute(f"INSERT INTO {table} ({listed}) VALUES ({marks})", id, *values.values())  # noqa: S608 - constants
        return
    sets = ", ".join(f"{name} = ${k}" for k, name in enumerate(names, 2))
    await connection.execute(f"UPDATE {table} SET {sets} WHERE id = $1", id, *values.values())  # noqa: S608 - constants


async def take_number(connection: Connection, paper: Paper, organisation: str, at: datetime) -> str:
    """The next number of a unit in a year. Its row stays locked to the end of the transaction, so none is lost or given twice."""
    year = at.astimezone(CHINA).year
    last = await connection.fetchval(
        "INSERT INTO trip_numbers (paper, organisation, year, last) VALUES ($1, $2, $3, 1)"
        " ON CONFLICT (paper, organisation, year) DO UPDATE SET last = trip_numbers.last + 1 RETURNING last",
        paper, organisation, year,
    )  # fmt: skip
    return f"{'申' if paper is Paper.REQUEST else '派'}〔{year}〕{organisation}-{last:06d}号"


async def link(connection: Connection, dispatch: str, requests: Sequence[str]) -> None:
    """A dispatch carries ``requests``."""
    await connection.executemany(
        "INSERT INTO trip_links (dispatch_id, request_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [(dispatch, request) for request in sorted(requests)],
    )
