"""Settlement of returned orders: their results are final, and the judge takes it from there.

An order is settled when its vehicle's track has passed its return or, however silent the terminal is,
``settle_after_h`` after its return by the clock: then on what is there. An order that was entered after that time
(补单) is settled as soon as it is known. Whenever a fact that its track rests on changes, it is computed and settled again.
The clock is that of ``Facts.known_us``: it stands still while there is a backlog of unprocessed positions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np

from registry.parameters import ORDER, parameter, resolve
from registry.snapshot.fleet import FleetSnapshot
from registry.snapshot.orders import NO_TIME, STATUS, OrderBook
from rules.alerts.model import FactChange
from rules.live import paper
from rules.live.episodes import Facts
from rules.live.store import recomputations
from rules.live.store.results import delete_results, unsettled_orders
from rules.tracks.state import TrackStates
from runtime.arrays import AnyArray, Ints
from runtime.connection import Connection
from runtime.units import US_PER_S, earliest

_RETURNED = STATUS.index("returned")
_HOUR_US: Final = 3600 * US_PER_S

#: Orders looked at, and settled, by the clock in one transaction.
WAITING_AT_ONCE: Final = 10_000
SILENT_AT_ONCE: Final = 200


def due(book: OrderBook, vehicles: Ints, before: Ints, states: TrackStates) -> list[int]:
    """Rows of returned orders whose return a vehicle's watermark has just passed.

    ``vehicles``: distinct numbers; ``before``: their watermarks before the batch (int64, same shape).
    """
    rows = book.rows
    if not len(rows) or not len(vehicles):
        return []
    top = max(int(vehicles.max()), int(rows["vehicle_no"].max())) + 1
    since = np.full(top, np.iinfo(np.int64).max, np.int64)
    until = np.full(top, np.iinfo(np.int64).min, np.int64)
    since[vehicles], until[vehicles] = before, states.field("t", vehicles)
    no, over = rows["vehicle_no"], _over(rows)
    hit = (
        (rows["status"] == _RETURNED)
        & (rows["actual_return"] != NO_TIME)
        & (over > since[no])
        & (over <= until[no])
    )
    return [row for row in np.flatnonzero(hit).tolist() if book.row_of(book.orders[row].id) == row]


def _covers_nothing(book: OrderBook, row: int) -> bool:
    """Whether an order is cancelled and never covered anything."""
    return book.orders[row].status == "cancelled" and int(book.rows["cover_to"][row]) == NO_TIME


def _over(rows: AnyArray) -> Ints:
    """When orders that are returned are over, int64, us: at the end of what they cover, which may be some minutes after the
    return on paper (``registry.order_cover``)."""
    found: Ints = np.where(rows["cover_to"] == NO_TIME, rows["actual_return"], rows["cover_to"])
    return found


async def settle(facts: Facts, rows: Sequence[int]) -> None:
    """The results of the orders at ``rows``, computed from the stored track, are settled."""
    missing: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        if not facts.results.fresh(row):
            missing[facts.tracker.snapshot.orders.orders[row].vehicle_no].append(row)
    await facts.results.from_tracks(facts.conn, facts.archive, missing)
    for row in rows:
        facts.results.settle(row)


async def anyone_waiting(conn: Connection, snapshot: FleetSnapshot, known_us: int) -> bool:
    """Whether any order, of whichever vehicle, may have to be settled by the clock."""
    return bool(await unsettled_orders(conn, _clock_limit_us(snapshot, known_us), None, 1))


async def waiting_vehicles(conn: Connection, snapshot: FleetSnapshot, known_us: int) -> set[int]:
    """The vehicles of the orders that may have to be settled by the clock, WAITING_AT_ONCE orders at most."""
    found = await unsettled_orders(conn, _clock_limit_us(snapshot, known_us), None, WAITING_AT_ONCE)
    return {no for _, no, _ in found}


def _clock_limit_us(snapshot: FleetSnapshot, known_us: int) -> int:
    """Returns at or before this time may be due by the clock, whatever the organisation."""
    hours = [row.value for row in snapshot.parameters if (row.rule, row.name) == (ORDER, "settle_after_h")]
    return known_us - min([parameter(ORDER, "settle_after_h").default, *hours]) * _HOUR_US


def _ended(facts: Facts, row: int, watermark_us: int) -> bool:
    """Whether the order at ``row``, if it is returned, can be settled: its track has passed its end, or its time is up."""
    book = facts.tracker.snapshot.orders
    order = book.orders[row]
    if order.status != "returned" or order.actual_return_us is None:
        return False
    if int(_over(book.rows[row])) <= watermark_us:
        return True
    parameters = facts.tracker.snapshot.parameters
    wait_h = resolve(ORDER, order.organisation, order.planned_departure_us, parameters)["settle_after_h"]
    return facts.known_us >= order.actual_return_us + wait_h * _HOUR_US


async def silent(facts: Facts, vehicles: Sequence[int] | None, skip: Collection[int]) -> list[int]:
    """Rows of orders that the clock settles, of ``vehicles`` (None = all) but those in ``skip`` and those that wait to be
    computed again; at most SILENT_AT_ONCE, those that returned first. The states of their vehicles are loaded."""
    tracker, book = facts.tracker, facts.tracker.snapshot.orders
    limit_us = _clock_limit_us(tracker.snapshot, facts.known_us)
    unsettled = await unsettled_orders(facts.conn, limit_us, vehicles, WAITING_AT_ONCE)
    skipped = {*skip, *await recomputations.waiting(facts.conn, {no for _, no, _ in unsettled})}
    unsettled = [order for order in unsettled if order[1] not in skipped]
    await tracker.load(facts.conn, np.unique(np.array([no for _, no, _ in unsettled], np.int64)))
    unknown = [order for order in unsettled if book.row_of(order[0]) is None][:SILENT_AT_ONCE]
    if unknown:
        await tracker.snapshot.load_orders(
            facts.conn, {no for _, no, _ in unknown}, min(returned_us for _, _, returned_us in unknown)
        )
    ready = []
    for order_id, no, _ in unsettled:
        row = book.row_of(order_id)
        # One whose newest version came after this snapshot is left until its change is taken.
        if row is not None and book.orders[row].vehicle_no == no:
            watermark = int(tracker.states.field("t", np.array([no]))[0])
            if _ended(facts, row, watermark):
                ready.append(row)
        if len(ready) == SILENT_AT_ONCE:
            break
    return ready


async def note_orders(facts: Facts, changes: Sequence[FactChange], waiting: Mapping[int, int]) -> list[int]:
    """After ``recompute``: a returned order that changed has a result, so that the clock finds it; one that is
    cancelled or gone to another vehicle has none. Returns the rows of those that can be settled now. ``waiting``: vehicles
    that wait to be computed again, from when on: what they are computed for is left to that.
    """
    book, gone, rows = facts.tracker.snapshot.orders, [], []
    changed = earliest(((c.subject, c.vehicle_no), c.from_us) for c in changes if c.kind == "order")
    unknown = {no: since for (order_id, no), since in changed.items() if book.row_of(order_id) is None}
    if unknown:
        await facts.tracker.snapshot.load_orders(facts.conn, unknown, min(unknown.values()))
    for order_id, no in changed:
        row = book.row_of(order_id)
        if row is None or book.orders[row].vehicle_no != no or _covers_nothing(book, row):
            gone.append((order_id, no))
            continue
        later = no in waiting and row in facts.results.affected(no, waiting[no])
        if book.orders[row].status == "returned" and not later:
            rows.append(row)
    missing: dict[int, list[int]] = defaultdict(list)
    rows = await paper.known(facts, rows)
    for row in rows:
        if not facts.results.fresh(row):
            missing[book.orders[row].vehicle_no].append(row)
    await facts.results.from_tracks(facts.conn, facts.archive, missing)
    await delete_results(facts.conn, gone)
    marks = facts.tracker.states.field("t")
    return sorted(
        {
            row
            for row in rows
            if book.orders[row].vehicle_no not in waiting
            and not facts.results.settled(row)
            and _ended(facts, row, int(marks[book.orders[row].vehicle_no]))
        }
    )


async def settle_again(facts: Facts, changed: Mapping[int, tuple[int, int]]) -> None:
    """After facts of vehicles changed (number -> from when on, its newest position): their orders that ended since then and
    that can be settled are settled again."""
    book = facts.tracker.snapshot.orders
    rows = []
    for vehicle, (from_us, watermark_us) in changed.items():
        for row in book.rows_of(vehicle):
            returned_us = book.orders[row].actual_return_us
            if (
                returned_us is not None
                and from_us <= max(returned_us, int(_over(book.rows[row])))
                and _ended(facts, row, watermark_us)
            ):
                rows.append(row)
    await settle(facts, rows)
