"""What the settlement of costs asks of trips: which requests are confirmed, what was driven for them, and the step by which they become settled.

The money is not known here (``office.costs``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from office.requests.table import Paper, TripAction, TripState, row_of
from registry.places import Place, stored_places
from runtime.connection import Connection
from telemetry.geo import distance_mm_scalar

#: A request in one of these took no part in the trip of its dispatch.
_NOT_CARRIED: Final = [str(state) for state in (TripState.CANCELLED, TripState.NO_SHOW, TripState.WITHDRAWN, TripState.REJECTED, TripState.EXPIRED)]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A request that is to be settled, with the dispatches that were driven for it."""

    request: str
    organisation: str
    dispatches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """A request that a dispatch carried. ``route_m``: from its origin over its stops back, in straight lines; only asked for where a
    dispatch carries several, else 0."""

    request: str
    organisation: str
    number: str
    passengers: int
    scope: str
    user: str
    destination: str
    budget_item: str
    route_m: int


@dataclass(frozen=True, slots=True)
class Driven:
    """A dispatch that has returned. ``odometer_m``: the difference of its readings, None = there are not two. ``facts``: category, waits, track_mm,
    charges, as ``driven_facts`` of the database says. ``carried``: its requests, the first one first."""

    dispatch: str
    number: str
    pool: str
    units: tuple[str, ...]
    vehicle: str
    plate: str
    departed: datetime
    returned: datetime
    odometer_m: int | None
    facts: Mapping[str, Any]
    carried: tuple[Carried, ...]


async def confirmed(connection: Connection, pool: str, organisation: str | None, until: datetime) -> list[Confirmed]:  # fmt: skip
    """Requests of a pool (and a unit) that are confirmed and whose dispatches all returned before ``until``, by unit and id."""
    rows = await connection.fetch(
        "SELECT r.id, r.organisation, array_agg(d.id ORDER BY d.id) AS dispatches FROM trip_requests r"
        " JOIN trip_links l ON l.request_id = r.id JOIN trip_dispatches d ON d.id = l.dispatch_id AND d.state = 'returned'"
        " WHERE r.pool = $1 AND r.state = 'confirmed' AND ($2::text IS NULL OR r.organisation = $2)"
        " GROUP BY r.id, r.organisation HAVING max(d.actual_return) < $3 ORDER BY r.organisation, r.id",
        pool,
        organisation,
        until,
    )
    return [Confirmed(row["id"], row["organisation"], tuple(row["dispatches"])) for row in rows]


async def driven(connection: Connection, dispatches: Collection[str]) -> dict[str, Driven]:
    """Those of ``dispatches`` that have returned, with all that they carried, also for units that the caller does not settle now."""
    ids = sorted(dispatches)
    rows = await connection.fetch(
        "SELECT id, number, pool, units, vehicle, plate, COALESCE(actual_departure, planned_departure) AS departed, actual_return,"
        " odometer_in_m - odometer_out_m AS odometer_m FROM trip_dispatches WHERE id = ANY($1::text[]) AND state = 'returned'",
        ids,
    )
    facts = {
        row["id"]: dict(row) for row in await connection.fetch("SELECT * FROM driven_facts($1::text[])", ids)
    }
    carried = await _carried(connection, ids)
    return {
        row["id"]: Driven(
            row["id"],
            row["number"],
            row["pool"],
            tuple(row["units"]),
            row["vehicle"],
            row["plate"],
            row["departed"],
            row["actual_return"],
            row["odometer_m"],
            facts[row["id"]],
            tuple(carried[row["id"]]),
        )
        for row in rows
        if carried[row["id"]]
    }


async def _carried(connection: Connection, dispatches: Sequence[str]) -> dict[str, list[Carried]]:
    rows = await connection.fetch(
        "SELECT l.dispatch_id, r.id, r.organisation, r.number, r.passengers, e.body,"
        " count(*) OVER (PARTITION BY l.dispatch_id) AS riders FROM trip_links l JOIN trip_requests r ON r.id = l.request_id"
        " CROSS JOIN LATERAL (SELECT body FROM trip_request_events e WHERE e.paper = r.id AND e.step IN ('draft', 'edit')"
        "  ORDER BY version DESC LIMIT 1) e"
        " WHERE l.dispatch_id = ANY($1::text[]) AND r.state <> ALL($2::text[]) ORDER BY l.dispatch_id, r.created_at, r.id",
        dispatches,
        _NOT_CARRIED,
    )
    found: dict[str, list[Carried]] = defaultdict(list)
    for row in rows:
        body = row["body"]
        found[row["dispatch_id"]].append(
            Carried(
                row["id"],
                row["organisation"],
                row["number"] or row["id"],
                row["passengers"],
                body.get("scope", "city"),
                body.get("user") or body["applicant_name"],
                " → ".join(stop.get("name", "") for stop in body.get("stops", ())),
                body.get("budget_item", ""),
                _route_m(body) if row["riders"] > 1 else 0,
            )
        )
    return found


def _route_m(contents: Mapping[str, Any]) -> int:
    """From the origin over the stops to the return point, in straight lines; places without coordinates are left out."""
    named = [contents.get("origin"), *contents.get("stops", ()), contents.get("return_point") or contents.get("origin")]  # fmt: skip
    places = [Place.model_validate(place) for place in named if place]
    points = [place["wgs84"] for place in stored_places(places) if place["wgs84"] is not None]
    far = sum(
        distance_mm_scalar(a["lat_e6"], a["lon_e6"], b["lat_e6"], b["lon_e6"]) for a, b in pairwise(points)
    )
    return far // 1000


async def settle(connection: Connection, requests: Collection[str], statement: str) -> frozenset[str]:
    """The step confirmed -> settled of many requests at once, in the caller's transaction; those that took it. One that has moved on
    meanwhile is left alone."""
    row = row_of(Paper.REQUEST, TripState.CONFIRMED, TripAction.SETTLE)
    if row is None or row.target is None:
        raise AssertionError("the table has no settlement")
    held = await connection.fetch(
        "SELECT id, version FROM trip_requests WHERE id = ANY($1::text[]) AND state = 'confirmed' ORDER BY id FOR UPDATE",
        sorted(requests),
    )
    ids, versions = [each["id"] for each in held], [each["version"] + 1 for each in held]
    await connection.execute(
        "INSERT INTO trip_request_events (paper, version, step, at, actor, persons, actor_name, body)"
        " SELECT n.id, n.version, $3::text, clock_timestamp(), '', '{}'::text[], '系统 / the program', $4::jsonb"
        " FROM unnest($1::text[], $2::integer[]) AS n (id, version)",
        ids, versions, str(TripAction.SETTLE), {"statement": statement},
    )  # fmt: skip
    await connection.execute(
        "UPDATE trip_requests r SET state = $3, version = n.version, look_at = NULL"
        " FROM unnest($1::text[], $2::integer[]) AS n (id, version) WHERE r.id = n.id",
        ids, versions, str(row.target),
    )  # fmt: skip
    return frozenset(ids)
