"""Results of orders (table ``order_results``): mileage and nearest distances, running or settled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from runtime.connection import Connection, sql_time
from runtime.units import from_us, to_us

State = Literal["running", "settled"]


@dataclass(frozen=True, slots=True)
class OrderResults:
    """Rows of ``order_results`` as columns of one length. Lengths in mm and m, times in microseconds since 1970 UTC;
    ``odometer_m`` and the times None = there is none. ``destinations``: JSON of [{index, name, nearest_m | null}].
    ``carried``: ``rules.tracks.order_legs.OrderProgress.pack``."""

    order_id: Sequence[str]
    order_version: Sequence[int]
    vehicle_no: Sequence[int]
    state: Sequence[State]
    mileage_mm: Sequence[int]
    bridged_mm: Sequence[int]
    odometer_m: Sequence[int | None]
    fixes: Sequence[int]
    first_fix_us: Sequence[int | None]
    last_fix_us: Sequence[int | None]
    destinations: Sequence[str]
    returned_us: Sequence[int | None]
    carried: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class CarriedResult:
    """What streaming goes on from."""

    order_version: int
    vehicle_no: int
    state: State
    carried: bytes


async def load_results(conn: Connection, order_ids: Sequence[str]) -> dict[str, CarriedResult]:
    """What is stored of ``order_ids``, by id."""
    rows = await conn.fetch(
        "SELECT order_id, order_version, vehicle_no, state, carried FROM order_results WHERE order_id = ANY($1::text[])",
        list(order_ids),
    )
    return {
        r["order_id"]: CarriedResult(r["order_version"], r["vehicle_no"], r["state"], r["carried"])
        for r in rows
    }


async def save_results(conn: Connection, results: OrderResults, computed_us: int) -> None:
    """Write ``results`` (distinct orders, sorted by id: rows are locked in one order) in one statement."""
    if not results.order_id:
        return
    await conn.execute(
        _SAVE,
        results.order_id,
        results.order_version,
        results.vehicle_no,
        results.state,
        results.mileage_mm,
        results.bridged_mm,
        results.odometer_m,
        results.fixes,
        results.first_fix_us,  # times as numbers: turned into Python's they cost more than all else of a result
        results.last_fix_us,
        results.destinations,  # as text: a list in a list would be a dimension of the array
        results.returned_us,
        results.carried,
        from_us(computed_us),
    )


_SAVE: Final = f"""
INSERT INTO order_results (order_id, order_version, vehicle_no, state, mileage_mm, bridged_mm, odometer_m,
       fixes, first_fix_at, last_fix_at, destinations, returned_at, carried, computed_at)
SELECT u.id, u.version, u.no, u.state, u.mileage, u.bridged, u.odometer, u.fixes, {sql_time("u.first")}, {sql_time("u.last")},
       u.destinations::jsonb, {sql_time("u.returned")}, u.carried, $14::timestamptz
  FROM unnest($1::text[], $2::integer[], $3::integer[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::integer[],
       $9::bigint[], $10::bigint[], $11::text[], $12::bigint[], $13::bytea[])
       AS u (id, version, no, state, mileage, bridged, odometer, fixes, first, last, destinations, returned, carried)
    ON CONFLICT (order_id) DO UPDATE SET order_version = EXCLUDED.order_version,
       vehicle_no = EXCLUDED.vehicle_no, state = EXCLUDED.state, mileage_mm = EXCLUDED.mileage_mm,
       bridged_mm = EXCLUDED.bridged_mm, odometer_m = EXCLUDED.odometer_m, fixes = EXCLUDED.fixes,
       first_fix_at = EXCLUDED.first_fix_at, last_fix_at = EXCLUDED.last_fix_at,
       destinations = EXCLUDED.destinations, returned_at = EXCLUDED.returned_at, carried = EXCLUDED.carried,
       computed_at = EXCLUDED.computed_at
"""  # noqa: S608 - our own constants


async def delete_results(conn: Connection, gone: Collection[tuple[str, int]]) -> None:
    """Forget the results of (order, vehicle number): the order was cancelled or went to another vehicle."""
    if gone:
        pairs = sorted(gone)
        await conn.execute(
            "DELETE FROM order_results r USING unnest($1::text[], $2::integer[]) AS g (id, no)"
            " WHERE r.order_id = g.id AND r.vehicle_no = g.no",
            [order for order, _ in pairs],
            [no for _, no in pairs],
        )


async def unsettled_orders(
    conn: Connection, until_us: int, vehicle_nos: Sequence[int] | None, limit: int
) -> list[tuple[str, int, int]]:
    """(order, vehicle number, actual return in us) of returned orders that are not settled and returned at
    ``until_us`` or before, of ``vehicle_nos`` (None = of every vehicle), the oldest first."""
    rows = await conn.fetch(
        "SELECT order_id, vehicle_no, returned_at FROM order_results WHERE state = 'running' AND returned_at <= $1"
        " AND ($2::integer[] IS NULL OR vehicle_no = ANY($2)) ORDER BY returned_at, order_id LIMIT $3",
        from_us(until_us),
        None if vehicle_nos is None else list(vehicle_nos),
        limit,
    )
    return [(r["order_id"], r["vehicle_no"], to_us(r["returned_at"])) for r in rows]


async def order_result(conn: Connection, order_id: str) -> dict[str, Any] | None:
    """The result of an order for readers, or None: order, order_version, vehicle, state, mileage_m, bridged_m,
    odometer_m, fixes, first_fix_at, last_fix_at, destinations, computed_at. Metres are rounded down, distances to
    destinations up."""
    rows = await conn.fetch(
        'SELECT r.order_id AS "order", r.order_version, v.id AS vehicle, r.state, r.mileage_mm / 1000 AS mileage_m,'
        " r.bridged_mm / 1000 AS bridged_m, r.odometer_m, r.fixes, r.first_fix_at, r.last_fix_at, r.destinations,"
        " r.computed_at FROM (SELECT $1::text AS id UNION SELECT id FROM dispatch_orders WHERE part_of = $1) k"
        " JOIN order_results r ON r.order_id = k.id JOIN vehicles v ON v.no = r.vehicle_no"
        " ORDER BY r.first_fix_at NULLS LAST, r.order_id",
        order_id,
    )
    if not rows:
        return None
    legs = [dict(row) | {"order": order_id} for row in rows]
    return legs[0] if len(legs) == 1 else _of_legs(legs)


def _of_legs(legs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The result of an order that several vehicles served, of those of its stretches, by time. ``legs`` has each."""
    odometers = [leg["odometer_m"] for leg in legs]
    known = [leg for leg in legs if leg["first_fix_at"] is not None]
    return {
        "order": legs[0]["order"],
        "order_version": legs[0]["order_version"],
        "vehicle": legs[0]["vehicle"],
        "state": "settled" if all(leg["state"] == "settled" for leg in legs) else "running",
        "mileage_m": sum(leg["mileage_m"] for leg in legs),
        "bridged_m": sum(leg["bridged_m"] for leg in legs),
        "odometer_m": None if None in odometers else sum(odometers),
        "fixes": sum(leg["fixes"] for leg in legs),
        "first_fix_at": min((leg["first_fix_at"] for leg in known), default=None),
        "last_fix_at": max((leg["last_fix_at"] for leg in known), default=None),
        "destinations": [
            _nearest(found) for found in zip(*(leg["destinations"] for leg in legs), strict=False)
        ],
        "computed_at": max(leg["computed_at"] for leg in legs),
        "legs": list(legs),
    }


def _nearest(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    known = [one["nearest_m"] for one in found if one["nearest_m"] is not None]
    return found[0] | {"nearest_m": min(known, default=None)}
