"""Lists of maintenance, one as it is shown, and what the file of a vehicle says of it: what is read of ``maintenances``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from office.supervision.actors import Actor
from office.vehicles.repair_threads import Entry, read_repair
from office.vehicles.repairs import possible
from office.vehicles.steps import STATE_NAMES, STEP_NAMES, RepairState
from registry.organisations import units_below
from runtime.connection import Connection

_LISTED: Final = (
    "m.id, m.organisation, m.vehicle, m.number, m.state, m.version, m.fault, m.shop, m.approved_fen, m.total_fen, m.odometer_m, m.invoice, m.in_shop,"
    " m.reported_at, m.in_at, m.out_at, m.accepted_at"
)


async def list_repairs(
    connection: Connection, *, state: RepairState | None = None, organisation: str | None = None, vehicle: str | None = None,
    open: bool = False, limit: int, after: tuple[datetime, str] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Maintenances within reach, the newest report first."""
    arguments: list[Any] = [limit]
    conditions = []
    if state is not None:
        arguments.append(state)
        conditions.append(f"m.state = ${len(arguments)}")
    if open:
        conditions.append("m.state <> ALL ('{accepted,cancelled}')")
    if organisation is not None:
        arguments.append(sorted(await units_below(connection, [organisation])))
        conditions.append(f"m.organisation = ANY (${len(arguments)}::text[])")
    if vehicle is not None:
        arguments.append(vehicle)
        conditions.append(f"m.vehicle = ${len(arguments)}")
    if after is not None:
        arguments += after
        conditions.append(f"(m.reported_at, m.id) < (${len(arguments) - 1}, ${len(arguments)})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await connection.fetch(
        f"SELECT {_LISTED} FROM maintenances m{where} ORDER BY m.reported_at DESC, m.id DESC LIMIT $1",  # noqa: S608 - constants
        *arguments,
    )
    return [dict(row) | {"state_name": STATE_NAMES[RepairState(row["state"])]} for row in rows]


async def show_repair(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """A maintenance with its thread, and what the caller may do now. Raises NotThereError."""
    thread = await read_repair(connection, id)
    rows = await connection.fetchrow(f"SELECT {_LISTED} FROM maintenances m WHERE m.id = $1", id)  # noqa: S608 - constants
    paper = thread.paper
    return dict(rows) | {
        "state_name": STATE_NAMES[paper.state],
        "quotes": [{"shop": shop, "total_fen": fen} for shop, fen in paper.quotes.items()],
        "asked_fen": paper.asked_fen,
        "pictures": paper.pictures,
        "may": [
            {"step": what, "name": STEP_NAMES[what], "refused": refused}
            for what, refused in await possible(connection, actor, thread)
        ],
        "thread": [shown(entry) for entry in thread.entries],
    }


def shown(entry: Entry) -> dict[str, Any]:
    """An event as people see it."""
    event = entry.event
    return {
        "version": event.version,
        "step": event.step,
        "name": STEP_NAMES[event.step],
        "at": event.at,
        "by": entry.actor_name,
        "actor": entry.actor,
        "persons": sorted(event.persons),
        "body": dict(event.body),
    }


async def count_repairs(connection: Connection, vehicle: str) -> int:
    """How many maintenances a vehicle has had."""
    found: int = await connection.fetchval("SELECT count(*) FROM maintenances WHERE vehicle = $1", vehicle)
    return found


async def bills_of(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The bill of each of ``ids`` that was finished, as it was entered last: {parts, labour, total_fen}."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (paper) paper, body FROM maintenance_events WHERE paper = ANY ($1::text[]) AND step = 'finish'"
        " ORDER BY paper, version DESC",
        list(ids),
    )
    return {row["paper"]: row["body"]["bill"] for row in rows}
