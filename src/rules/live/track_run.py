"""The kernels over stored tracks of some vehicles side by side, together with the results of some of their orders."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from registry.orders import OrderRow
from rules.live.vehicle_states import Tracker, order_key
from rules.tracks.advance import Advanced, advance
from rules.tracks.order_legs import OrderProgress
from rules.tracks.state import TrackStates
from runtime.arrays import Ints
from telemetry.archive.read import Track


def places_of(order: OrderRow) -> list[tuple[int, int]]:
    """The destinations of an order that have coordinates: latitude and longitude in 1e-6 degree."""
    return [(p.lat_e6, p.lon_e6) for p in order.destinations if p.lat_e6 is not None and p.lon_e6 is not None]


class TrackRun:
    """``vehicles``: their numbers, sorted; vehicle k has slot k of ``states``, which is advanced. The facts are those of the
    tracker's snapshot, whose orders of the times in question are loaded."""

    def __init__(self, tracker: Tracker, vehicles: Ints, states: TrackStates) -> None:
        self.vehicles, self.states = vehicles, states
        self._tracker, self._orders = tracker, tracker.snapshot.orders
        self._progress = OrderProgress()
        self._slot_of_row = np.full(max(1, len(self._orders.orders)), -1, np.int64)
        self._slot_of_leg: dict[tuple[int, int], int] = {}

    def add(self, row: int, carried: bytes | None = None) -> None:
        """Also compute the order at ``row``, from what is ``carried`` of it on. Does nothing when it is computed already."""
        if self._slot_of_row[row] < 0:
            order = self._orders.orders[row]
            places = places_of(order)
            if carried is not None and not OrderProgress.readable(carried, len(places)):
                carried = None
            slot = self._progress.add(places, carried)
            owner = int(np.searchsorted(self.vehicles, order.vehicle_no))
            self._slot_of_row[row] = self._slot_of_leg[owner, order_key(order.id)] = slot

    def take(self, track: Track) -> Advanced:
        """Advance the states by a piece of the vehicles' tracks; nothing of it may be older than what they have."""
        fixes = self._tracker.fixes_of(track)
        slots = np.minimum(np.searchsorted(self.vehicles, fixes.vehicle), len(self.vehicles) - 1)
        mine = self.vehicles[slots] == fixes.vehicle
        fixes, slots = fixes.take(mine), slots[mine]
        context = self._tracker.context(fixes)
        matrix = self._tracker.matrix(fixes, context)
        every = np.arange(len(self.vehicles))
        before = self.states.copy(every)
        done = advance(self.states, slots, matrix)
        self._progress.take(slots, fixes.t_us, done, before, every, self._leg)
        return done

    def rows(self) -> list[int]:
        """Rows of the orders that are computed."""
        return [int(row) for row in np.flatnonzero(self._slot_of_row >= 0)]

    def pack(self, rows: Iterable[int]) -> list[bytes]:
        """What is to be carried of the orders at ``rows``."""
        return self._progress.pack(self._slot_of_row[np.array(list(rows), np.int64)])

    def fixes(self, rows: Iterable[int]) -> list[int]:
        """How many fixes the orders at ``rows`` have so far."""
        found: list[int] = self._progress.fixes(self._slot_of_row[np.array(list(rows), np.int64)]).tolist()
        return found

    def _leg(self, owner: int, key: int) -> int:
        return self._slot_of_leg.get((owner, key), -1)
