"""Violations with the orders under which they happened: who drove. Many keys at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from registry.order_cover import covers_within
from registry.orders import OrderRow, read_orders
from registry.parameters import ORDER, ParameterRow, resolve
from registry.violations import SELECT, ViolationRow, violations_of_rows
from runtime.connection import Connection
from runtime.units import LATEST_US, US_PER_S, from_us


async def drivers_at(
    conn: Connection, wanted: Sequence[tuple[int, int]], parameters: Sequence[ParameterRow]
) -> list[tuple[str, str] | None]:
    """(driver, order) of the order on which each (vehicle number, time) of ``wanted`` was out: from its actual departure to
    its actual return, both included; of several the one that departed last. None: no order, one without a driver, or the moment
    belongs to two drivers (``who_drove``).

    Where nobody has entered the departure of an order that has left, the planned one counts. An order without a return
    ends some hours after its planned (extended) return."""
    if not wanted:
        return []
    found = await read_orders(
        conn,
        f"WHERE o.is_current AND v.no = ANY($1::integer[]) AND o.status IN ('departed', 'returned')"
        f" AND {covers_within('o', '$2::timestamptz', '$3::timestamptz')}",
        sorted({no for no, _ in wanted}),
        from_us(min(us for _, us in wanted)),
        from_us(max(us for _, us in wanted)),
        places=False,
    )
    out: dict[int, list[tuple[int, int, OrderRow]]] = defaultdict(list)
    for order in found:
        out[order.vehicle_no].append((*_driven(order, parameters), order))
    return [who_drove(out[no], us) for no, us in wanted]


def who_drove(driven: Sequence[tuple[int, int, OrderRow]], us: int) -> tuple[str, str] | None:
    """(driver, order) at a time, of the orders of one vehicle with [from, to] in which each was out; see ``drivers_at``. Nobody at
    the very moment at which one driver came back and the next one departed: the time does not say which of them."""
    held = [(since, until, order) for since, until, order in driven if since <= us <= until]
    if not held:
        return None
    since, _, last = max(held, key=lambda h: (h[0], h[2].id))
    if since == us and any(until == us and order.driver != last.driver for _, until, order in held):
        return None
    return None if last.driver is None else (last.driver, last.id)


def _driven(order: OrderRow, parameters: Sequence[ParameterRow]) -> tuple[int, int]:
    """[from, to] in which the vehicle was out on an order."""
    since = order.planned_departure_us if order.actual_departure_us is None else order.actual_departure_us
    since = max(since, order.leg_from_us or since)
    ended = [at for at in (order.actual_return_us, order.leg_to_us) if at is not None]
    if ended:
        return since, min(ended)
    used = resolve(ORDER, order.organisation, order.planned_departure_us, parameters)
    planned = max(order.planned_return_us, order.extended_return_us or 0)
    hours = 0 if order.status == "returned" else used["overdue_cover_h"]
    return since, planned + hours * 3600 * US_PER_S


async def plates_driven(conn: Connection, wanted: Collection[tuple[str, int, int]]) -> dict[str, set[str]]:
    """By driver: the plates of the vehicles of the driver's orders that may cover a time in (driver, from, to) of
    ``wanted``."""
    found: dict[str, set[str]] = defaultdict(set)
    if wanted:
        spans = sorted(wanted)
        rows = await conn.fetch(
            "SELECT DISTINCT o.driver, v.plate FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[])"  # noqa: S608 - constant texts
            " AS k (driver, since, until) JOIN dispatch_orders o ON o.is_current AND o.driver = k.driver"
            f" AND {covers_within('o', 'k.since', 'k.until')}"
            " JOIN vehicles v ON v.id = o.vehicle",
            [driver for driver, _, _ in spans],
            [from_us(max(a, 0)) for _, a, _ in spans],
            [from_us(min(b, LATEST_US)) for _, _, b in spans],
        )
        for row in rows:
            found[row["driver"]].add(row["plate"])
    return found


async def touched_by_orders(conn: Connection, orders: Collection[str]) -> list[tuple[ViolationRow, str]]:
    """(violation without a driver, driver) that any version of ``orders`` may have to do with: the driver of it, or of
    another order of the vehicle at that time."""
    rows = await conn.fetch(
        f"SELECT DISTINCT v.*, d.driver AS whose FROM dispatch_orders o JOIN vehicles c ON c.id = o.vehicle"  # noqa: S608 - fixed texts
        f" JOIN ({SELECT}) v ON v.plate = c.plate AND v.driver IS NULL AND {covers_within('o', 'v.at', 'v.at')}"
        " JOIN dispatch_orders d ON d.vehicle = o.vehicle AND d.driver IS NOT NULL"
        f" AND {covers_within('d', 'v.at', 'v.at')} WHERE o.id = ANY($1::text[])",
        sorted(orders),
    )
    return [(v, r["whose"]) for r in rows for v in violations_of_rows([r])]
