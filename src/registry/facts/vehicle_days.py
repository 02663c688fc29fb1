"""What the rules on natural days of vehicles read of the registry: vehicles with terminals, and what covered them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from registry.order_cover import covers_within
from registry.orders import read_orders
from registry.parameters import ParameterRow
from registry.snapshot.orders import OrderBook
from registry.vehicles import SELECT, VehicleInfo, read_vehicles
from runtime.connection import Connection
from runtime.units import from_us, midnight


@dataclass(frozen=True, slots=True)
class Cover:
    """An order and the time that it covers, [from, to), microseconds since 1970 UTC. ``backfill``: it was entered afterwards,
    and counts."""

    id: str
    version: int
    task_type: str
    from_us: int
    to_us: int
    backfill: bool = False


async def vehicles_bound(conn: Connection, from_us_: int, to_us_: int) -> list[VehicleInfo]:
    """Vehicles with a terminal at any time in [from, to), by id."""
    return await read_vehicles(
        conn,
        "WHERE EXISTS (SELECT FROM terminal_bindings b WHERE b.vehicle_no = v.no AND b.valid_from < $2"
        " AND (b.valid_to IS NULL OR b.valid_to > $1)) ORDER BY id",
        from_us(from_us_),
        from_us(to_us_),
    )


async def units_of(
    conn: Connection, organisations: Iterable[str], day: date, most: int
) -> dict[str | None, list[VehicleInfo]]:
    """The official vehicles of each of ``organisations`` that had a terminal on a day, the first ``most`` by number;
    under None those of the whole register."""
    there = (
        "(registered_on IS NULL OR registered_on <= $1) AND (disposed_on IS NULL OR $1 < disposed_on) AND EXISTS"
        " (SELECT FROM terminal_bindings b WHERE b.vehicle_no = v.no AND b.valid_from < $3"
        " AND (b.valid_to IS NULL OR b.valid_to > $2)) ORDER BY no LIMIT $4"
    )
    begin = midnight(day)
    bounds = (day, begin, begin + timedelta(days=1), most)
    rows = await conn.fetch(
        "SELECT v.* FROM unnest($5::text[]) AS o (id) CROSS JOIN LATERAL"  # noqa: S608 - our own constants
        f" ({SELECT} WHERE organisation = o.id AND {there}) v",
        *bounds,
        sorted(set(organisations)),
    )
    units: dict[str | None, list[VehicleInfo]] = defaultdict(list)
    for row in rows:
        units[row["organisation"]].append(VehicleInfo(*row))
    units[None] = await read_vehicles(conn, f"WHERE {there}", *bounds)
    return units


async def covers_of(
    conn: Connection,
    vehicles: Sequence[VehicleInfo],
    from_us_: int,
    to_us_: int,
    parameters: Sequence[ParameterRow],
) -> dict[int, list[Cover]]:
    """The current orders of ``vehicles`` that cover any time in [from, to), by vehicle number; each list by start and
    id. What an order covers: registry.order_cover."""
    nos = [vehicle.no for vehicle in vehicles]
    found = await read_orders(
        conn,
        "WHERE o.is_current AND v.no = ANY($1::integer[])"
        f" AND {covers_within('o', '$2::timestamptz', '$3::timestamptz')}",
        nos,
        from_us(from_us_),
        from_us(to_us_),
        places=False,
    )
    book = OrderBook()
    book.replace(nos, found, parameters)
    covers: dict[int, list[Cover]] = defaultdict(list)
    for no in book.vehicles():
        for row in book.rows_of(no):
            order = book.orders[row]
            start, end = int(book.rows["cover_from"][row]), int(book.rows["cover_to"][row])
            if start < end and start < to_us_ and end > from_us_:
                covers[no].append(
                    Cover(order.order, order.version, order.task_type, start, end, order.backfill)
                )
    return covers
