"""Results of orders (mileage, nearest distances): streamed with each batch, and computed from the stored track.

While a trip runs, each batch moves the values in memory (``stream``); settlement and recomputation compute them
anew from the stored track (``from_track``), by the same kernel in the same context, so that both give the same
numbers when nothing came late. What changed is written once at the end of the transaction (``save``); after a
rollback the whole object is dropped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson

from registry.changes import LOOK_BACK_US
from registry.orders import OrderRow
from registry.snapshot.fleet import FleetSnapshot
from rules.live.store.results import OrderResults, delete_results, load_results, save_results
from rules.live.store.states import load_day_states
from rules.live.track_run import TrackRun, places_of
from rules.live.vehicle_states import Context, Fixes, Tracker, order_key
from rules.tracks.advance import Advanced
from rules.tracks.order_legs import LEG_FIELDS, OrderProgress
from rules.tracks.state import STATE_DTYPE, STATE_VERSION, TrackStates
from runtime.arrays import Ints
from runtime.connection import Connection
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, china_day
from telemetry.archive.store import Archive

#: An order that is out for longer is computed from the track of so many days before its end, or its vehicle's newest
#: position.
REACH_US: Final = LOOK_BACK_US
ROWS_AT_ONCE: Final = 100_000
#: Tracks computed side by side.
VEHICLES_AT_ONCE: Final = 200


class TripResults:
    """See the module docstring. Bound to one snapshot and one tracker."""

    def __init__(self, snapshot: FleetSnapshot, tracker: Tracker) -> None:
        self._snapshot, self._tracker = snapshot, tracker
        self._progress = OrderProgress()
        self._slot_of_row = np.full(64, -1, np.int64)
        self._slot_of_key: dict[int, int] = {}
        self._rows: list[int] = []  # by slot: the row of the order
        self._keys: list[int] = []
        self._settled: set[int] = set()  # slots that are judged and got no fix since
        self._changed: set[int] = set()  # slots to be written at the end of this transaction
        self._fresh: set[int] = set()  # slots computed from the stored track in this transaction

    async def stream(
        self,
        conn: Connection,
        archive: Archive,
        fixes: Fixes,
        context: Context,
        done: Advanced,
        before: TrackStates,
        vehicles: Ints,
        waiting: Collection[int],
    ) -> None:
        """Take the fixes of a batch after ``advance``: ``before`` are the states of ``vehicles`` (sorted, those of
        the fixes) before it. Of those that are ``waiting`` to be computed again nothing is computed from the track now."""
        if not len(fixes):
            return
        covered = np.unique(context.order[done.valid & (context.order >= 0)])
        missing = covered[self._slots(covered) < 0].tolist()
        legs = before.field("leg")
        for k in np.flatnonzero(legs > 0).tolist():
            missing += self._unknown_leg(int(vehicles[k]), int(legs[k]))
        of_before = done.fixes.t <= before.field("t")[np.searchsorted(vehicles, done.fixes.slot)]
        for k in np.flatnonzero(of_before & (done.fixes.order != 0)).tolist():
            missing += self._unknown_leg(int(done.fixes.slot[k]), int(done.fixes.order[k]))
        stale = await self._load(conn, sorted(set(missing)), before, vehicles)
        moved, ended = self._progress.take(fixes.vehicle, fixes.t_us, done, before, vehicles, self._leg)
        self._settled.difference_update(moved)
        self._changed.update(moved, ended)
        await self.from_tracks(conn, archive, {no: rows for no, rows in stale.items() if no not in waiting})

    async def from_track(self, conn: Connection, archive: Archive, vehicle: int, rows: Sequence[int]) -> None:
        """``from_tracks`` of one vehicle."""
        await self.from_tracks(conn, archive, {vehicle: rows})

    async def from_tracks(
        self, conn: Connection, archive: Archive, wanted: Mapping[int, Sequence[int]]
    ) -> None:
        """Compute orders (vehicle, whose state is in memory -> rows of its orders) from the stored tracks up to each
        vehicle's newest position. The kernel runs from the start of the day on which the first of them began, so that a
        fix is judged by the fix before it as it was while streaming; over many vehicles side by side, which changes
        nothing of the numbers."""
        vehicles = sorted(vehicle for vehicle, rows in wanted.items() if rows)
        for start in range(0, len(vehicles), VEHICLES_AT_ONCE):
            part = vehicles[start : start + VEHICLES_AT_ONCE]
            await self._from_tracks(conn, archive, {no: wanted[no] for no in part})

    async def _from_tracks(
        self, conn: Connection, archive: Archive, wanted: Mapping[int, Sequence[int]]
    ) -> None:
        orders, snapshot = self._snapshot.orders, self._snapshot
        vehicles = np.array(sorted(wanted), np.int64)
        marks = self._tracker.states.field("t", vehicles).tolist()
        since = [
            max(0, min(begun(orders.rows[row], mark) for row in wanted[no]))
            for no, mark in zip(vehicles.tolist(), marks, strict=True)
        ]
        moving = [no for no, at, mark in zip(vehicles.tolist(), since, marks, strict=True) if at <= mark]
        await snapshot.load_orders(conn, moving, min(since))
        days = np.array([china_day(at) for at in since], np.int64)
        states = TrackStates(len(vehicles))
        found, found_days, packed = await load_day_states(conn, vehicles, days, STATE_DTYPE, STATE_VERSION)
        states.unpack(found, packed)
        days[found] = found_days
        run = TrackRun(self._tracker, vehicles, states)
        rows = [row for no in vehicles.tolist() for row in wanted[no]]
        for row in rows:
            run.add(row)
        keys = np.array([order_key(orders.orders[row].id) for row in rows], np.int64)
        until = np.array(
            [max(int(orders.rows["cover_to"][row]) for row in wanted[no]) for no in vehicles.tolist()]
        )
        spans = [
            span
            for no, day, at, mark in zip(vehicles.tolist(), days.tolist(), since, marks, strict=True)
            if at <= mark
            for span in snapshot.terminals_of(no, day * US_PER_DAY - CHINA_OFFSET_US, mark + 1)
        ]
        place = None
        while spans:
            track = await archive.track(conn, spans, limit=ROWS_AT_ONCE, after=place)
            run.take(track)
            place = track.next
            behind = ~np.isin(states.field("leg"), keys) & (states.field("t") > until)
            if place is None or behind.all():  # an order of long ago needs no track of today
                break
        for row, carried in zip(rows, run.pack(rows), strict=True):
            self.put(row, carried)

    def put(self, row: int, carried: bytes | None) -> None:
        """The order at ``row`` as it was computed from the stored track in this transaction: what ``TrackRun`` carries of
        it, None = it has no fix."""
        order = self._snapshot.orders.orders[row]
        if carried is not None and not OrderProgress.readable(carried, len(places_of(order))):
            raise ValueError(f"what is carried of order {order.id} is not of its version")
        slot = self._place(row, carried)
        self._changed.add(slot)
        self._fresh.add(slot)

    def settle(self, row: int) -> None:
        """The order at ``row``, computed from the track in this transaction, is judged."""
        self._settled.add(int(self._slot_of_row[row]))

    def settled(self, row: int) -> bool:
        """Whether the order at ``row`` is judged and got no fix since, as far as is known here."""
        return row < len(self._slot_of_row) and int(self._slot_of_row[row]) in self._settled

    def fresh(self, row: int) -> bool:
        """Whether this transaction has computed the order at ``row`` from the stored track."""
        return row < len(self._slot_of_row) and int(self._slot_of_row[row]) in self._fresh

    def affected(self, vehicle: int, since_us: int) -> list[int]:
        """Rows of the orders of a vehicle whose covered time touches [since, its newest position]."""
        watermark = int(self._tracker.states.field("t", np.array([vehicle]))[0])
        rows = self._snapshot.orders.rows
        return [row for row in self.from_time(vehicle, since_us) if int(rows["cover_from"][row]) <= watermark]

    def from_time(self, vehicle: int, since_us: int) -> list[int]:
        """Rows of the orders of a vehicle whose covered time does not end before ``since_us``; none that cover nothing."""
        orders = self._snapshot.orders
        return [
            row
            for row in orders.rows_of(vehicle)
            if int(orders.rows["cover_to"][row]) >= since_us  # NO_TIME: it covers nothing
        ]

    async def save(self, conn: Connection, computed_us: int) -> None:
        """Write what this transaction changed, in one statement, and begin the next. An order without a fix that
        is not returned has no result."""
        orders, states = self._snapshot.orders, self._tracker.states
        found = [(orders.orders[self._rows[slot]], slot) for slot in self._changed]
        found.sort(key=lambda pair: pair[0].id)
        self._changed.clear()
        self._fresh.clear()
        if not found:
            return
        slots = np.array([slot for _, slot in found], np.int64)
        has_fixes = self._progress.fixes(slots) > 0
        keep = [
            has or _returned_us(order) is not None
            for has, (order, _) in zip(has_fixes.tolist(), found, strict=True)
        ]
        without = [
            (order.id, order.vehicle_no) for (order, _), kept in zip(found, keep, strict=True) if not kept
        ]
        kept = [order for (order, _), wanted in zip(found, keep, strict=True) if wanted]
        slots = slots[np.array(keep)]
        vehicle = np.array([order.vehicle_no for order in kept], np.int64)
        running = states.field("leg", vehicle) == np.array(
            [self._keys[slot] for slot in slots.tolist()], np.int64
        )
        totals = self._progress.totals(
            slots, {name: states.field(name, vehicle) for name in LEG_FIELDS}, running
        )
        results = OrderResults(
            order_id=[order.id for order in kept],
            order_version=[order.version for order in kept],
            vehicle_no=vehicle.tolist(),
            state=["settled" if slot in self._settled else "running" for slot in slots.tolist()],
            mileage_mm=totals.mileage_mm.tolist(),
            bridged_mm=totals.bridged_mm.tolist(),
            odometer_m=[None if m < 0 else m for m in totals.odometer_m.tolist()],
            fixes=totals.fixes.tolist(),
            first_fix_us=[us or None for us in totals.first_us.tolist()],
            last_fix_us=[us or None for us in totals.last_us.tolist()],
            destinations=list(map(_destinations, kept, self._progress.nearest_m(slots))),
            returned_us=list(map(_returned_us, kept)),
            carried=self._progress.pack(slots),
        )
        await save_results(conn, results, computed_us)
        await delete_results(conn, without)

    # ---- slots ----

    def _slots(self, rows: Ints) -> Ints:
        """The slot of the order at each of ``rows`` (-1 = no order); -1 = not kept. Shape (n,)."""
        count = len(self._snapshot.orders.orders)
        if count > len(self._slot_of_row):
            more = np.full(max(count, 2 * len(self._slot_of_row)), -1, np.int64)
            more[: len(self._slot_of_row)] = self._slot_of_row
            self._slot_of_row = more
        found: Ints = np.where(rows >= 0, self._slot_of_row[rows], -1)
        return found

    def _place(self, row: int, carried: bytes | None) -> int:
        """Keep the order at ``row`` with the values ``carried``; its slot, the one it had where that fits."""
        self._slots(np.zeros(0, np.int64))
        order = self._snapshot.orders.orders[row]
        key, places = order_key(order.id), places_of(order)
        slot = self._slot_of_key.get(key, -1)
        for known in (self._changed, self._settled, self._fresh):
            known.discard(slot)
        if slot >= 0 and self._progress.fits(slot, places):
            self._progress.put(slot, places, carried)
            self._rows[slot] = row
        else:
            slot = self._progress.add(places, carried)
            self._rows.append(row)
            self._keys.append(key)
        self._slot_of_row[row] = self._slot_of_key[key] = slot
        return slot

    def _leg(self, vehicle: int, key: int) -> int:
        """The slot of a vehicle's order by its number; -1 = not kept, or by now another vehicle's."""
        slot = self._slot_of_key.get(key, -1)
        if slot >= 0 and self._snapshot.orders.orders[self._rows[slot]].vehicle_no != vehicle:
            return -1
        return slot

    def _unknown_leg(self, vehicle: int, key: int) -> list[int]:
        """The row of a vehicle's order by its number, when it is not kept yet."""
        if key in self._slot_of_key:
            return []
        orders = self._snapshot.orders
        return [row for row in orders.rows_of(vehicle) if order_key(orders.orders[row].id) == key]

    async def _load(
        self, conn: Connection, rows: Iterable[int], before: TrackStates, vehicles: Ints
    ) -> dict[int, list[int]]:
        """Have the orders at ``rows`` in memory as they were before the batch. Returns those (by vehicle) of which
        that is not known, to be computed from the track."""
        orders, stale = self._snapshot.orders, defaultdict(list)
        wanted = list(rows)
        if not wanted:
            return {}
        stored = await load_results(conn, [orders.orders[row].id for row in wanted])
        for row in wanted:
            order = orders.orders[row]
            found = stored.get(order.id)
            if found is None:
                newest = int(before.field("t")[np.searchsorted(vehicles, order.vehicle_no)])
                known = newest < int(orders.rows["cover_from"][row])  # it has just begun
                self._place(row, None)
            else:
                known = (
                    found.order_version == order.version
                    and found.vehicle_no == order.vehicle_no
                    and OrderProgress.readable(found.carried, len(places_of(order)))
                )
                slot = self._place(row, found.carried if known else None)
                if known and found.state == "settled":
                    self._settled.add(slot)
            if not known:
                stale[order.vehicle_no].append(row)
        return dict(stale)


def begun(window: Any, mark: int) -> int:
    """From when on the track of an order counts; ``window``: its row, ``mark``: its vehicle's newest position."""
    return max(int(window["cover_from"]), min(int(window["cover_to"]), mark) - REACH_US)


def _destinations(order: OrderRow, nearest: Sequence[int | None]) -> str:
    """JSON of the destinations of the order, without a distance where they have no coordinates."""
    left = iter(nearest)
    return orjson.dumps(
        [
            {
                "index": k,
                "name": p.name,
                "nearest_m": None if p.lat_e6 is None or p.lon_e6 is None else next(left),
            }
            for k, p in enumerate(order.destinations)
        ]
    ).decode()


def _returned_us(order: OrderRow) -> int | None:
    return order.actual_return_us if order.status == "returned" else None
