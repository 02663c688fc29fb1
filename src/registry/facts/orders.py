"""What the rules on whole orders read: orders with their results, and what covered a vehicle's time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from registry.facts.order_notes import waiting_of_orders
from registry.order_cover import Note, covers_after
from registry.orders import OrderRow, read_orders
from registry.parameters import ParameterRow
from registry.snapshot.orders import OrderBook
from runtime.connection import Connection
from runtime.units import from_us, in_us


@dataclass(frozen=True, slots=True)
class OrderResultRow:
    """A row of ``order_results``. ``first_us``, ``last_us``: the first and last valid fix, microseconds since 1970."""

    settled: bool
    order_version: int
    vehicle_no: int
    mileage_mm: int
    bridged_mm: int
    odometer_m: int | None
    fixes: int
    first_us: int | None
    last_us: int | None
    computed_us: int


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """The version of an order that counts, its vehicle as the register has it now, and its result (None = none yet).

    ``legs``: where the order is more than one stretch (several vehicles one after the other), those of its stretches, by time,
    each without legs of its own; then ``order`` is the whole: from the departure of the first to the return of the last, with
    the vehicle of the first, and ``result`` is None. ``waits``: a backfill of it that nobody approved."""

    order: OrderRow
    plate: str
    organisation: str  # of the vehicle
    result: OrderResultRow | None
    legs: tuple[OrderFacts, ...] = ()
    waits: Note | None = None

    def stretches(self) -> tuple[OrderFacts, ...]:
        """The legs; of an order that is one stretch, the order."""
        return self.legs or (self,)


async def orders_with_results(
    conn: Connection, ids: Sequence[str], *, routes: bool = False
) -> dict[str, OrderFacts]:
    """Those of ``ids`` (of whole orders) that there are and count. ``routes``: see ``read_orders``."""
    found = await read_orders(
        conn,
        "WHERE o.is_current AND (o.id = ANY($1::text[]) OR o.part_of = ANY($1::text[]))"
        " AND (o.part_of IS NULL OR o.status <> 'cancelled' OR o.cancelled_at IS NOT NULL)",
        list(ids),
        routes=routes,
    )
    orders = {order.id: order for order in found}
    vehicles = {
        r["no"]: (r["plate"], r["organisation"])
        for r in await conn.fetch(
            "SELECT no, plate, organisation FROM vehicles WHERE no = ANY($1::integer[])",
            sorted({order.vehicle_no for order in orders.values()}),
        )
    }
    results = {
        order_id: OrderResultRow(*in_us(values))
        for order_id, *values in await conn.fetch(
            "SELECT order_id, state = 'settled', order_version, vehicle_no, mileage_mm, bridged_mm, odometer_m, fixes, first_fix_at,"
            " last_fix_at, computed_at FROM order_results WHERE order_id = ANY($1::text[])",
            list(orders),
        )
    }
    waits = await waiting_of_orders(conn, ids)
    whole: dict[str, list[OrderFacts]] = defaultdict(list)
    for order in orders.values():
        facts = OrderFacts(
            order, *vehicles[order.vehicle_no], results.get(order.id), waits=waits.get(order.order)
        )
        whole[order.order].append(facts)
    return {order_id: _whole(legs) for order_id, legs in whole.items()}


def _whole(legs: list[OrderFacts]) -> OrderFacts:
    if len(legs) == 1:
        return legs[0]
    legs.sort(key=lambda leg: (leg.order.leg_from_us or 0, leg.order.id))
    first, last = legs[0], legs[-1].order
    order = replace(
        last, id=last.order, part_of=None, vehicle=first.order.vehicle, vehicle_no=first.order.vehicle_no,
        actual_departure_us=first.order.actual_departure_us, left_us=first.order.left_us, leg_from_us=first.order.leg_from_us,
        backfill=any(leg.order.backfill for leg in legs),
    )  # fmt: skip
    return OrderFacts(order, first.plate, first.organisation, None, tuple(legs), first.waits)


async def order_books(
    conn: Connection, since_us: dict[int, int], parameters: Sequence[ParameterRow]
) -> dict[int, OrderBook]:
    """For each vehicle number a book of its orders that ended at ``since_us`` or later (or are still out)."""
    nos = sorted(since_us)
    orders: dict[int, list[OrderRow]] = defaultdict(list)
    for order in await read_orders(
        conn,
        "JOIN unnest($1::integer[], $2::timestamptz[]) AS k (no, since) ON k.no = v.no"
        f" WHERE o.is_current AND {covers_after('o', 'k.since')}",
        nos,
        [from_us(max(0, since_us[no])) for no in nos],
    ):
        orders[order.vehicle_no].append(order)
    books = {}
    for no in nos:
        books[no] = OrderBook()
        books[no].replace([no], orders[no], parameters)
    return books


async def settled_orders(conn: Connection, from_us_: int, to_us_: int | None) -> list[str]:
    """Orders with a settled result whose planned departure is in [from, to) (None = no end), sorted."""
    rows = await conn.fetch(
        "SELECT DISTINCT COALESCE(o.part_of, o.id) AS id FROM dispatch_orders o JOIN order_results r ON r.order_id = o.id AND r.state = 'settled'"
        " WHERE o.is_current AND o.planned_departure >= $1 AND ($2::timestamptz IS NULL OR o.planned_departure < $2)"
        " ORDER BY 1",
        from_us(max(0, from_us_)),
        None if to_us_ is None else from_us(to_us_),
    )
    return [row["id"] for row in rows]


async def orders_with_routes(conn: Connection, ids: Sequence[str]) -> list[str]:
    """Those of ``ids`` (of whole orders) that designate a route in the version that counts, sorted."""
    rows = await conn.fetch(
        "SELECT DISTINCT COALESCE(o.part_of, o.id) AS id FROM dispatch_orders o WHERE o.is_current AND o.route <> '[]'::jsonb"
        " AND (o.id = ANY($1::text[]) OR o.part_of = ANY($1::text[])) ORDER BY 1",
        list(ids),
    )
    return [row["id"] for row in rows]
