"""Which vehicles this worker owns when there are several workers.

A vehicle belongs to the worker that has the partition of its newest terminal, so the state of one vehicle is never
kept by two workers, also when its terminal was exchanged.

Every worker follows the whole registry, whoever owns what: only so does it know of a terminal in one of its partitions
that now sits in a vehicle, and of a vehicle that is its own from now on. What changed *while* a transaction ran is looked
at once more before it ends (``confirm``), and from then on nobody commits a change until the commit. So at every
commit the worker that writes a vehicle's results is its owner, and no row is stored for a vehicle without a word to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import numpy as np

from registry.changes import fleet_changes, hold_changes, newest_commit
from registry.snapshot.fleet import FleetSnapshot
from rules.alerts.model import FactChange, OffsetConflictError
from rules.live.store.due import due_waiting, take_due, tell_owners
from rules.live.vehicle_states import Fixes
from runtime.arrays import AnyArray, Bools, Ints
from runtime.connection import Connection
from runtime.units import from_us
from telemetry.log.base import partitions_of
from telemetry.positions import PositionBatch

#: Fact changes taken in one transaction.
FACTS_AT_ONCE: Final = 2_000


class Ownership:
    """``assigned``: the partitions of this worker. ``seen``: the number of the newest commit that the snapshot has."""

    def __init__(self) -> None:
        self.assigned: set[int] = set()
        self.seen = 0
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

    def owns(self, terminal: int | None, partition: int) -> bool:
        """Whether positions of ``terminal`` (None = not known) that were in ``partition`` are this worker's to store."""
        if terminal is not None:
            partition = int(partitions_of(np.array([terminal]), self._partitions)[0])
        return (partition if partition < self._partitions else 0) in self.assigned

    def own(self, snapshot: FleetSnapshot, vehicles: Iterable[int]) -> set[int]:
        """Those of ``vehicles`` that are owned."""
        known = np.array(sorted(snapshot.vehicles.keys() & set(vehicles)), np.int64)
        return set(known.tolist() if self.everything else known[self._mine(snapshot, known)].tolist())

    async def waiting(self, conn: Connection, snapshot: FleetSnapshot) -> bool:
        """Whether the registry has changed, or something waits to be done for an own vehicle."""
        if await newest_commit(conn) > self.seen:
            changed = await fleet_changes(conn, self.seen)
            if changed.any:
                return True
            self.seen = changed.newest
        return await due_waiting(conn) and await due_waiting(conn, self.vehicles(snapshot))

    async def take_facts(
        self, conn: Connection, snapshot: FleetSnapshot, only: Collection[int] | None = None
    ) -> tuple[list[FactChange], set[int]]:
        """(fact changes of the own vehicles, of those in ``only`` if given, locked for this transaction; vehicles that are not
        own any more). The snapshot has followed the registry, and has all that the changes speak of."""
        lost = await self._follow(conn, snapshot)
        wanted = self.vehicles(snapshot) if only is None else sorted(self.own(snapshot, only))
        changes = await take_due(conn, wanted, FACTS_AT_ONCE)
        if changes:
            lost |= await self._follow(conn, snapshot)  # what was committed in between
            own = self.own(snapshot, {c.vehicle_no for c in changes})
            changes = [c for c in changes if c.vehicle_no in own]  # the others are left to their owner
        return changes, lost

    async def hand_over(self, conn: Connection, snapshot: FleetSnapshot, fixes: Fixes) -> Fixes:
        """The fixes of own vehicles. Those of others (rows of a terminal that was replaced) are stored by now: their
        owner is told to look at them."""
        if self.everything or not len(fixes):
            return fixes
        own = self._mine(snapshot, fixes.vehicle)
        if not own.all():
            await _tell(conn, fixes.vehicle[~own], fixes.t_us[~own])
        return fixes.take(own)

    async def confirm(
        self, conn: Connection, snapshot: FleetSnapshot, stored: PositionBatch, judged: Iterable[int]
    ) -> set[int]:
        """The last look at the registry; until the commit it stays as it is. ``stored``: new rows of this transaction;
        ``judged``: vehicles whose results it writes. Returns the vehicles that are not own any more.

        Raises OffsetConflictError when one of ``judged`` is another worker's by now.
        """
        if self.everything:  # nobody else judges, and what changed is taken next
            return set()
        await hold_changes(conn)
        if await newest_commit(conn) <= self.seen:
            return set()
        before = snapshot.vehicles_at(stored.terminal, stored.device_us)
        lost = await self._follow(conn, snapshot)
        if moved := sorted(lost.intersection(judged)):
            raise OffsetConflictError(f"vehicles {moved[:10]} became another worker's meanwhile")
        # Whoever owns these vehicles may have looked for their rows before this commit.
        after = snapshot.vehicles_at(stored.terminal, stored.device_us)
        rows = np.flatnonzero((after != before) & (after > 0))
        await _tell(conn, after[rows], stored.device_us[rows])
        return lost

    async def _follow(self, conn: Connection, snapshot: FleetSnapshot) -> set[int]:
        """Bring the snapshot up to date; the vehicles that were own and are not any more."""
        changed = await fleet_changes(conn, self.seen)
        self.seen = changed.newest
        if not changed.any:
            return set()
        before = self.own(snapshot, changed.vehicles)
        await snapshot.refresh(conn, changed.vehicles)
        self.forget()
        return before - self.own(snapshot, before)

    def _mine(self, snapshot: FleetSnapshot, vehicles: Ints) -> Bools:
        """Whether each vehicle is owned. One that never had a terminal belongs to partition 0."""
        if self._of_vehicle is None:
            known, terminals = snapshot.newest_terminals()
            self._of_vehicle = np.zeros(max([0, *snapshot.vehicles, *known.tolist()]) + 1, np.int64)
            self._of_vehicle[known] = partitions_of(terminals, self._partitions)
        return np.isin(self._of_vehicle[vehicles], np.array(sorted(self.assigned), np.int64))


async def _tell(conn: Connection, vehicles: AnyArray, times_us: AnyArray) -> None:
    """Tell the owners of ``vehicles`` of rows stored at ``times_us``."""
    rows = zip(vehicles.tolist(), times_us.tolist(), strict=True)
    await tell_owners(conn, [(no, from_us(t)) for no, t in rows])
