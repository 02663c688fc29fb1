"""Violations with the orders under which they happened: who drove. Many keys at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from registry.order_cover import NOT_SHOWN, covers_within
from registry.orders import read_orders
from registry.parameters import ParameterRow
from registry.snapshot.orders import OrderBook
from registry.violations import SELECT, ViolationRow, violations_of_rows
from runtime.connection import Connection
from runtime.units import LATEST_US, from_us


async def drivers_at(
    conn: Connection, wanted: Sequence[tuple[int, int]], parameters: Sequence[ParameterRow]
) -> list[tuple[str, str] | None]:
    """(driver, order) of the order that covered each (vehicle number, time) of ``wanted``; None: no order, or one
    without a driver."""
    if not wanted:
        return []
    nos, times = (np.array(column, np.int64) for column in zip(*wanted, strict=True))
    found = await read_orders(
        conn,
        f"WHERE o.is_current AND v.no = ANY($1::integer[]) AND {covers_within('o', '$2::timestamptz', '$3::timestamptz')}",
        sorted(set(nos.tolist())),
        from_us(int(times.min())),
        from_us(int(times.max())),
        places=False,
    )
    # To the second, as it is written: the clerk's minute is no time in which anybody drove.
    on_paper = [replace(order, left_us=NOT_SHOWN, back_us=NOT_SHOWN) for order in found]
    book = OrderBook()
    book.replace(nos.tolist(), on_paper, parameters)
    covering = [None if row < 0 else book.orders[row] for row in book.at(nos, times).tolist()]
    return [None if o is None or o.driver is None else (o.driver, o.id) for o in covering]


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
