"""Recomputation beside live positions: in slices, each a transaction of its own between two of the worker's.

A slice takes the vehicles that are next, reads a bounded number of their stored positions, and keeps how far it came
(``recomputations``); whoever owns the vehicles goes on from there, also another worker. Only the slice that has a vehicle's
newest stored position replaces its state, alerts and results.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import numpy as np

from rules.alerts.feed import publish_feed
from rules.alerts.publish import publish
from rules.live import metrics, recompute
from rules.live.counts import Turn
from rules.live.episodes import Facts
from rules.live.held import hold
from rules.live.memory import Memory
from rules.live.ownership import Ownership
from rules.live.store import recomputations
from rules.live.store.offsets import lock_offsets
from rules.live.transaction import Place
from runtime.connection import Connection
from telemetry.archive.store import Archive
from telemetry.positions import PositionBatch

_logger = logging.getLogger(__name__)

#: How often it is said, and shown, how much is left.
SAY_EVERY_S = 30.0
COUNT_EVERY_S = 5.0


async def next_vehicles(conn: Connection, memory: Memory, owners: Ownership) -> list[int]:
    """The vehicles that the next slice takes."""
    own = owners.vehicles(memory.snapshot)
    return await recomputations.next_vehicles(conn, own, recompute.VEHICLES_AT_ONCE)


async def run_slice(
    conn: Connection, archive: Archive, memory: Memory, owners: Ownership, place: Place, *,
    now_us: int, known_us: int, done: Callable[[str], None], only: Sequence[int] | None = None, longest: bool = False,
) -> Turn | None:  # fmt: skip
    """The next slice, in the transaction of ``conn``, of the own vehicles (those in ``only`` if given; ``longest``: of those that
    have waited longest); None = there is
    nothing to do. Raises OffsetConflictError when another worker has the partitions, or one of the vehicles, by now."""
    await lock_offsets(conn, place.log, place.expected, place.claim)
    await hold(conn, memory, owners, now_us)
    own = owners.vehicles(memory.snapshot) if only is None else sorted(owners.own(memory.snapshot, only))
    jobs = await recomputations.take(conn, own, recompute.VEHICLES_AT_ONCE, longest=longest)
    if not jobs:
        return None
    started = time.perf_counter()
    turn = Turn()
    await memory.tracker.load(conn, np.array([job.vehicle for job in jobs], np.int64))
    facts = Facts(conn, archive, memory.tracker, memory.results, now_us, known_us)
    await recompute.begin(facts, jobs)
    all_taken, rows = await recompute.go_on(facts, jobs, recompute.ROWS_A_SLICE)
    ended = recompute.endable(jobs) if all_taken else []
    turn.judgements += await recompute.end(facts, ended)
    numbers = [job.vehicle for job in ended]
    await memory.tracker.save(conn, np.array(numbers, np.int64))
    await memory.results.save(conn, now_us)
    await recomputations.drop(conn, numbers)
    await recomputations.save(conn, [job for job in jobs if job.vehicle not in set(numbers)])
    turn.alerts = await publish(conn, turn.judgements)
    judged = [job.vehicle for job in jobs]
    memory.lose(await owners.confirm(conn, memory.snapshot, PositionBatch.empty(), judged))
    await publish_feed(conn, turn.alerts)
    done("slice")
    turn.recomputed["slice"] = len(ended)
    metrics.SLICE_ROWS.inc(rows)
    metrics.SLICE_SECONDS.observe(time.perf_counter() - started)
    return turn


class Progress:
    """Says how much is left, in a gauge and now and then in the log."""

    def __init__(self) -> None:
        self._counted_at = self._said_at = -SAY_EVERY_S
        self._left = 0

    async def show(self, conn: Connection, memory: Memory, owners: Ownership, *, working: bool) -> None:
        """After a slice (``working``), or when there was nothing to do."""
        now = time.perf_counter()
        if working and now - self._counted_at < COUNT_EVERY_S:
            return
        if not working and not self._left:
            return
        was, self._left = self._left, 0
        if working:
            self._left = await recomputations.count(conn, owners.vehicles(memory.snapshot))
        self._counted_at = now
        metrics.RECOMPUTING.set(self._left)
        if was and not self._left:
            _logger.info("no vehicle has to be computed again any more")
        elif self._left and now - self._said_at >= SAY_EVERY_S:
            self._said_at = now
            _logger.info("%d vehicles are computed again, beside live positions", self._left)
