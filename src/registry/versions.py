"""Fences and dispatch orders: records kept in versions. A new content is a new version; the same content is
none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from registry.changes import note_vehicles, vehicles_of
from registry.model import DispatchOrder, Fence
from registry.outcome import Outcome
from registry.parameters import parameter
from registry.places import geometry_wkb
from runtime.connection import Connection

#: An order covers its vehicle from a little before it departs. Results are taken up again from the earliest
#: time that any organisation may have set for that.
BEFORE_ORDER: Final = timedelta(minutes=parameter("location", "early_start_min").maximum)

_PLACE_KEYS = ("name", "lat", "lon", "datum")
_ORDER_COLUMNS = (
    "organisation", "vehicle", "driver", "task_type", "purpose", "status", "origin", "destinations", "return_point",
    "planned_departure", "planned_return", "extended_return", "actual_departure", "actual_return",
)  # fmt: skip


async def apply_fences(connection: Connection, records: Sequence[Fence]) -> list[Outcome]:
    """Write fences whose references were checked, at most one record an id. See ``repository.apply``."""
    now = await connection.fetchval("SELECT clock_timestamp()")
    current = {
        row["id"]: row
        for row in await connection.fetch(
            "SELECT DISTINCT ON (id) id, version, name, organisation, vehicles, original, datum, valid_from, valid_to"
            " FROM fences WHERE id = ANY($1) ORDER BY id, version DESC",
            [r.id for r in records],
        )
    }
    outcomes: list[Outcome] = []
    concerned: list[tuple[str, list[str], str, datetime]] = []
    inserts = []
    for record in records:
        old = current.get(record.id)
        if old is not None and _same_fence(record, old):
            outcomes.append("unchanged")
            continue
        start = record.valid_from or now
        if record.valid_to is not None and record.valid_to <= start:
            start = record.valid_to  # given without a start and already over: it never holds
        outcomes.append("updated" if old else "created")
        inserts.append(
            (record.id, old["version"] + 1 if old else 1, record.name, record.organisation, record.vehicles,
             record.geometry, record.datum, geometry_wkb(record.geometry, record.datum), start, record.valid_to)
        )  # fmt: skip
        concerned.append((record.id, record.vehicles, record.organisation, start))
        if old is not None:
            concerned += await end_versions(connection, record.id, start)
    await connection.executemany(
        "INSERT INTO fences (id, version, name, organisation, vehicles, original, datum, geometry, valid_from, valid_to)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        inserts,
    )
    await _note_fences(connection, concerned)
    return outcomes


def _same_fence(record: Fence, old: Any) -> bool:
    return (
        record.name == old["name"]
        and record.organisation == old["organisation"]
        and record.vehicles == list(old["vehicles"])
        and record.geometry == old["original"]
        and record.datum == old["datum"]
        and record.valid_to == old["valid_to"]
        and record.valid_from in (None, old["valid_from"])
    )


async def end_versions(
    connection: Connection, fence: str, at: datetime
) -> list[tuple[str, list[str], str, datetime]]:
    """No stored version of ``fence`` holds from ``at`` on. Returns what that concerns: (id, vehicles,
    organisation, from).

    A version that was to begin later keeps its row with an empty time.
    """
    rows = await connection.fetch(
        "UPDATE fences SET valid_to = greatest(valid_from, $2) WHERE id = $1 AND (valid_to IS NULL OR valid_to > $2)"
        " AND valid_to IS DISTINCT FROM greatest(valid_from, $2) RETURNING vehicles, organisation",
        fence, at,
    )  # fmt: skip
    return [(fence, list(row["vehicles"]), row["organisation"], at) for row in rows]


async def withdraw_fence(connection: Connection, fence: str, at: datetime | None) -> bool | None:
    """End the fence at ``at`` (default: now). True = ended, False = it had ended before, None = no such
    fence.
    """
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM fences WHERE id = $1)", fence):
        return None
    concerned = await end_versions(
        connection, fence, at or await connection.fetchval("SELECT clock_timestamp()")
    )
    await _note_fences(connection, concerned)
    return bool(concerned)


async def _note_fences(
    connection: Connection, concerned: Sequence[tuple[str, list[str], str, datetime]]
) -> None:
    """A fence with a list concerns the list; one without, every vehicle of the organisation."""
    whole = await vehicles_of(
        connection, [organisation for _, listed, organisation, _ in concerned if not listed]
    )
    await note_vehicles(
        connection,
        "fence",
        [
            (fence, vehicle, since)
            for fence, listed, organisation, since in concerned
            for vehicle in (listed or whole[organisation])
        ],
    )


async def apply_orders(connection: Connection, records: Sequence[DispatchOrder]) -> list[Outcome]:
    """Write orders whose references were checked, at most one record an id. See ``repository.apply``."""
    current = {
        row["id"]: row
        for row in await connection.fetch(
            f"SELECT DISTINCT ON (id) id, version, {', '.join(_ORDER_COLUMNS)} FROM dispatch_orders"  # noqa: S608 - constant names
            " WHERE id = ANY($1) ORDER BY id, version DESC",
            [r.id for r in records],
        )
    }
    outcomes: list[Outcome] = []
    inserts = []
    changes: list[tuple[str, str, datetime]] = []
    for record in records:
        old = current.get(record.id)
        if old is not None and _order_content(record) == _stored_content(old):
            outcomes.append("unchanged")
            continue
        outcomes.append("updated" if old else "created")
        values = [getattr(record, name) for name in _ORDER_COLUMNS]
        values[6] = record.origin.stored() if record.origin else None
        values[7] = [place.stored() for place in record.destinations]
        values[8] = record.return_point.stored() if record.return_point else None
        inserts.append((record.id, old["version"] + 1 if old else 1, *values))
        since = _begins(record.planned_departure, record.actual_departure)
        if old is not None:
            since = min(since, _begins(old["planned_departure"], old["actual_departure"]))
            changes.append((record.id, old["vehicle"], since))
        changes.append((record.id, record.vehicle, since))
    places = ", ".join(f"${n}" for n in range(1, len(_ORDER_COLUMNS) + 3))
    await connection.executemany(
        f"INSERT INTO dispatch_orders (id, version, {', '.join(_ORDER_COLUMNS)}) VALUES ({places})",  # noqa: S608 - constant names
        inserts,
    )
    await note_vehicles(connection, "order", changes)
    return outcomes


def _begins(planned: datetime, actual: datetime | None) -> datetime:
    first = min(planned, actual) if actual is not None else planned
    return first - BEFORE_ORDER


def _order_content(record: DispatchOrder) -> list[Any]:
    content: list[Any] = [getattr(record, name) for name in _ORDER_COLUMNS]
    content[6] = record.origin.original() if record.origin else None
    content[7] = [place.original() for place in record.destinations]
    content[8] = record.return_point.original() if record.return_point else None
    return content


def _stored_content(row: Any) -> list[Any]:
    content = [row[name] for name in _ORDER_COLUMNS]
    content[6], content[8] = _original(content[6]), _original(content[8])
    content[7] = [_original(place) for place in content[7]]
    return content


def _original(place: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if place is None else {key: place.get(key) for key in _PLACE_KEYS}
