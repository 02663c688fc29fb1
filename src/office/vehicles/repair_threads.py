"""The threads of maintenance in the database, and the rows that say where they stand. All SQL that writes them. The row is locked before the
thread is read: of two who act at once the second sees what the first did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from office.supervision.actors import Actor
from office.vehicles.repair import Event, Maintenance, fold
from office.vehicles.steps import RepairAction
from runtime.connection import Connection
from runtime.errors import NotThereError
from runtime.units import CHINA


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as it is stored. ``actor``: which of its persons did it."""

    event: Event
    actor: str
    actor_name: str


@dataclass(frozen=True, slots=True)
class RepairThread:
    """A maintenance with its thread, oldest entry first. ``unit``: that of its vehicle."""

    id: str
    unit: str
    paper: Maintenance
    entries: tuple[Entry, ...]


def no_such_repair(id: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(
        f"没有这张维修单，或不在您的范围内 · no such maintenance, or it is not yours to see: {id}"
    )


async def read_repair(connection: Connection, id: str, *, lock: bool = False) -> RepairThread:
    """Raises NotThereError."""
    row = await connection.fetchrow(
        f"SELECT organisation FROM maintenances WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608 - constants
        id,
    )
    if row is None:
        raise no_such_repair(id)
    rows = await connection.fetch("SELECT * FROM maintenance_events WHERE paper = $1 ORDER BY version", id)
    entries = tuple(
        Entry(
            Event(r["version"], RepairAction(r["step"]), r["at"], frozenset(r["persons"]), r["body"]),
            r["actor"],
            r["actor_name"],
        )
        for r in rows
    )
    return RepairThread(id, row["organisation"], fold([entry.event for entry in entries]), entries)


async def now_of(connection: Connection) -> datetime:
    """The database's clock."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now


async def take_number(connection: Connection, unit: str, at: datetime) -> str:
    """The next number of a unit in a year. Its row stays locked to the end of the transaction, so none is lost or given twice."""
    year = at.astimezone(CHINA).year
    last = await connection.fetchval(
        "INSERT INTO maintenance_numbers (organisation, year, last) VALUES ($1, $2, 1)"
        " ON CONFLICT (organisation, year) DO UPDATE SET last = maintenance_numbers.last + 1 RETURNING last",
        unit,
        year,
    )
    return f"修〔{year}〕{unit}-{last:06d}号"


async def store(connection: Connection, id: str, actor: Actor, event: Event) -> None:
    """Add an event to a thread; the caller holds its row."""
    await connection.execute(
        "INSERT INTO maintenance_events (paper, version, step, at, actor, persons, actor_name, address, device, body)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id, event.version, event.step, event.at, actor.person, sorted(event.persons), actor.subject.name,
        actor.address[:100], actor.device[:300], dict(event.body),
    )  # fmt: skip


def _values(paper: Maintenance) -> dict[str, Any]:
    return {
        "state": paper.state,
        "version": paper.version,
        "shop": paper.shop,
        "approved_fen": paper.approved_fen,
        "total_fen": paper.total_fen,
        "invoice": paper.invoice,
        "in_shop": paper.in_shop,
        "in_at": paper.in_at,
        "out_at": paper.out_at,
        "accepted_at": paper.accepted_at,
    }


async def open_row(connection: Connection, id: str, unit: str, paper: Maintenance) -> None:
    """The row of a new maintenance."""
    values = {
        "organisation": unit,
        "vehicle": paper.vehicle,
        "number": paper.number,
        "fault": paper.fault,
        "odometer_m": paper.odometer_m,
        "reported_at": paper.reported_at,
        **_values(paper),
    }
    marks = ", ".join(f"${k}" for k in range(2, len(values) + 2))
    await connection.execute(
        f"INSERT INTO maintenances (id, {', '.join(values)}) VALUES ($1, {marks})",  # noqa: S608 - constants
        id,
        *values.values(),
    )


async def write_row(connection: Connection, id: str, paper: Maintenance) -> None:
    """Write where a maintenance stands into its row."""
    values = _values(paper)
    sets = ", ".join(f"{name} = ${k}" for k, name in enumerate(values, 2))
    await connection.execute(f"UPDATE maintenances SET {sets} WHERE id = $1", id, *values.values())  # noqa: S608 - constants
