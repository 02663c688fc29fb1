"""What the rules on natural days of vehicles read of the registry: vehicles, bindings, orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from registry.parameters import ParameterRow
from registry.snapshot.fleet import VehicleInfo
from registry.snapshot.orders import Order, OrderBook
from registry.snapshot.timelines import FOREVER
from runtime.connection import Connection
from runtime.units import CHINA, from_us, to_us

_VEHICLE = "SELECT no, id, plate, organisation, category, energy, registered_on, disposed_on FROM vehicles"


@dataclass(frozen=True, slots=True)
class Cover:
    """An order and the time that it covers, [from, to), microseconds since 1970 UTC; ``to_us`` FOREVER: still out."""

    id: str
    version: int
    task_type: str
    from_us: int
    to_us: int


def official_on(vehicle: VehicleInfo, day: date) -> bool:
    """Whether it is an official vehicle on a day."""
    begun = vehicle.registered_on is None or vehicle.registered_on <= day
    return begun and (vehicle.disposed_on is None or day < vehicle.disposed_on)


async def vehicles_by_id(conn: Connection, ids: Iterable[str]) -> dict[str, VehicleInfo]:
    """Those of ``ids`` that there are."""
    rows = await conn.fetch(f"{_VEHICLE} WHERE id = ANY($1::text[])", sorted(set(ids)))
    return {r["id"]: VehicleInfo(*r) for r in rows}


async def vehicles_bound(conn: Connection, from_us_: int, to_us_: int) -> list[VehicleInfo]:
    """Vehicles with a terminal at any time in [from, to), by id."""
    rows = await conn.fetch(
        f"{_VEHICLE} v WHERE EXISTS (SELECT FROM terminal_bindings b WHERE b.vehicle_no = v.no AND b.valid_from < $2"
        " AND (b.valid_to IS NULL OR b.valid_to > $1)) ORDER BY id",
        from_us(from_us_),
        from_us(to_us_),
    )
    return [VehicleInfo(*r) for r in rows]


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
    begin = datetime.combine(day, time(), CHINA)
    bounds = (day, begin, begin + timedelta(days=1), most)
    rows = await conn.fetch(
        "SELECT v.* FROM unnest($5::text[]) AS o (id) CROSS JOIN LATERAL"  # noqa: S608 - our own constants
        f" ({_VEHICLE} v WHERE organisation = o.id AND {there}) v",
        *bounds,
        sorted(set(organisations)),
    )
    units: dict[str | None, list[VehicleInfo]] = defaultdict(list)
    for row in rows:
        units[row["organisation"]].append(VehicleInfo(*row))
    units[None] = [VehicleInfo(*row) for row in await conn.fetch(f"{_VEHICLE} v WHERE {there}", *bounds)]
    return units


async def covers_of(
    conn: Connection,
    vehicles: Sequence[VehicleInfo],
    from_us_: int,
    to_us_: int,
    parameters: Sequence[ParameterRow],
) -> dict[int, list[Cover]]:
    """The current orders of ``vehicles`` that cover any time in [from, to), by vehicle number; each list by start and
    id. What an order covers: registry.snapshot.orders."""
    numbers = {v.id: v.no for v in vehicles}
    rows = await conn.fetch(
        "SELECT id, version, organisation, vehicle, task_type, status, planned_departure, planned_return,"
        " extended_return, actual_departure, actual_return, entered_at FROM dispatch_orders"
        " WHERE is_current AND vehicle = ANY($1::text[]) AND status <> 'cancelled'"
        # The window may begin up to a day (the most of early_start_min) before the departure.
        " AND planned_departure < $3::timestamptz + interval '1 day' AND (status IN ('approved', 'departed')"
        " OR GREATEST(planned_return, extended_return, actual_return) >= $2)",
        list(numbers),
        from_us(from_us_),
        from_us(to_us_),
    )
    book = OrderBook()
    book.replace(numbers.values(), [_order(r, numbers[r["vehicle"]]) for r in rows], parameters)
    covers: dict[int, list[Cover]] = defaultdict(list)
    for no in book.vehicles():
        for row in book.rows_of(no):
            order = book.orders[row]
            start, end = int(book.rows["cover_from"][row]), int(book.rows["cover_to"][row])
            if start < to_us_ and end > from_us_:
                covers[no].append(Cover(order.id, order.version, order.task_type, start, end))
    return covers


async def order_spans(conn: Connection, ids: Iterable[str]) -> list[tuple[str, int, int]]:
    """(vehicle id, from, to) of the times that any version of the orders touched or touches, at the widest."""
    rows = await conn.fetch(
        "SELECT vehicle, planned_departure - interval '1 day' AS since, CASE WHEN status IN ('approved', 'departed')"
        " THEN NULL ELSE GREATEST(planned_return, extended_return, actual_return) END AS until"
        " FROM dispatch_orders WHERE id = ANY($1::text[])",
        sorted(set(ids)),
    )
    return [
        (r["vehicle"], to_us(r["since"]), FOREVER if r["until"] is None else to_us(r["until"])) for r in rows
    ]


def _order(row: Any, vehicle_no: int) -> Order:
    def optional(name: str) -> int | None:
        return None if row[name] is None else to_us(row[name])

    return Order(
        row["id"], row["version"], row["organisation"], row["vehicle"], vehicle_no, None, row["task_type"], "",
        row["status"], None, (), None, to_us(row["planned_departure"]), to_us(row["planned_return"]),
        optional("extended_return"), optional("actual_departure"), optional("actual_return"), to_us(row["entered_at"]),
    )  # fmt: skip
