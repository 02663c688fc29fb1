"""Which vehicles this worker owns when there are several workers.

A vehicle belongs to the worker that has the partition of its newest terminal, so the state of one vehicle is never
kept by two workers, also when its terminal was exchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules import store
from rules.fleet.changes import note_vehicles
from rules.fleet.snapshot import FleetSnapshot
from rules.store import FactChange
from rules.tracking import Fixes
from telemetry.log.base import partitions_of
from telemetry.units import from_us

Ints = NDArray[np.int64]

#: Fact changes taken in one transaction.
FACTS_AT_ONCE: Final = 2_000


class Ownership:
    """``assigned``: the partitions of this worker."""

    def __init__(self) -> None:
        self.assigned: set[int] = set()
        self._partitions = 1
        self._of_vehicle: Ints | None = None

    def assign(self, assigned: Iterable[int], revoked: Iterable[int]) -> None:
        """Partitions came and went."""
        self.assigned = (self.assigned - set(revoked)) | set(assigned)
        self.forget()

    def count(self, partitions: int) -> None:
        """The topic has ``partitions`` of them."""
        self._partitions = max(1, partitions)
        self.forget()

    def forget(self) -> None:
        """The bindings of the snapshot have changed."""
        self._of_vehicle = None

    @property
    def everything(self) -> bool:
        """Whether this worker has every partition."""
        return len(self.assigned) >= self._partitions

    def vehicles(self, snapshot: FleetSnapshot) -> list[int] | None:
        """The numbers of the own vehicles; None = all there are."""
        if self.everything:
            return None
        known = np.array(sorted(snapshot.vehicles), np.int64)
        own: list[int] = known[self._mine(snapshot, known)].tolist()
        return own

    async def take_facts(self, conn: Any, snapshot: FleetSnapshot) -> list[FactChange]:
        """Fact changes of the own vehicles, locked for this transaction; the snapshot is refreshed for them."""
        changes = await store.take_fact_changes(conn, self.vehicles(snapshot), FACTS_AT_ONCE)
        if changes:
            await snapshot.refresh(conn, {c.vehicle_no for c in changes})
            self.forget()
        return changes

    async def hand_over(self, conn: Any, snapshot: FleetSnapshot, fixes: Fixes) -> Fixes:
        """The fixes of own vehicles. Those of others (rows of a terminal that was replaced) are stored by now: their
        owner is told to look at them."""
        if self.everything or not len(fixes):
            return fixes
        own = self._mine(snapshot, fixes.vehicle)
        if not own.all():
            told = fixes.take(~own)
            rows = zip(told.vehicle.tolist(), told.t_us.tolist(), strict=True)
            await note_vehicles(
                conn, "binding", [("handed over", snapshot.vehicles[no].id, from_us(t)) for no, t in rows]
            )
        return fixes.take(own)

    def _mine(self, snapshot: FleetSnapshot, vehicles: Ints) -> NDArray[np.bool_]:
        """Whether each vehicle is owned. One that never had a terminal belongs to partition 0."""
        if self._of_vehicle is None:
            known, terminals = snapshot.newest_terminals()
            self._of_vehicle = np.zeros(max([0, *snapshot.vehicles]) + 1, np.int64)
            self._of_vehicle[known] = partitions_of(terminals, self._partitions)
        return np.isin(self._of_vehicle[vehicles], np.array(sorted(self.assigned), np.int64))
