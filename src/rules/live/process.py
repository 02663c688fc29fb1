"""The worker: from the log to judged results, every step of a batch in one PostgreSQL transaction.

A transaction, in numbered steps (``STEPS``; a test breaks each of them):

1. ``offsets``: all partitions of this worker are held; a second worker on one of them is refused here.
2. ``positions``: new rows are stored, rows that are there already are counted as duplicates.
3. ``facts``: the snapshot follows the registry, changed orders, fences, bindings of own vehicles are taken.
4. ``tracks``: the kernels take the rows that are newer than their vehicle's state.
5. ``episodes``: what opened or closed is judged.
6. ``recompute``: vehicles with late rows or changed facts start again from a day's start.
7. ``settle``: orders whose return the track has passed, or the clock, are judged.
8. ``publish``: states, results of orders, evaluations, alerts, consumed facts, the feed.

Whatever fails, the transaction is rolled back, everything in memory is dropped, and the log is read again
from the offsets that were committed. So a batch seen twice changes nothing, and a crash at any step loses
nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import asyncpg
import numpy as np

from registry.changes import newest_change
from registry.snapshot.fleet import FleetSnapshot
from rules.alerts.feed import publish_feed
from rules.alerts.model import OffsetConflictError
from rules.alerts.publish import publish
from rules.checks import destination, location
from rules.checks.location import Episode, episode_of_event
from rules.judge import queue
from rules.live import metrics
from rules.live.counts import Counts, Turn, add
from rules.live.episodes import Facts, publish_events
from rules.live.housekeeping import Housekeeping
from rules.live.lag import Backlog
from rules.live.late import changed_since, have_orders, split
from rules.live.order_results import TripResults
from rules.live.ownership import Ownership
from rules.live.recompute import recompute, save_day_starts
from rules.live.settle import SILENT_AT_ONCE, anyone_waiting, due, note_orders, settle, silent
from rules.live.store.offsets import (
    claim_offsets,
    delete_fact_changes,
    lock_offsets,
    offsets,
    other_logs,
    rename_log,
    save_offsets,
    save_rejected,
)
from rules.live.store.states import outdated_states
from rules.live.vehicle_states import Tracker
from rules.tracks.advance import advance
from rules.tracks.state import STATE_DTYPE, STATE_VERSION
from rules.wording.standard import STANDARD, Wording
from runtime.connection import Connection
from runtime.errors import UnavailableError
from runtime.postgres import DATABASE_ERRORS
from runtime.settings import Settings
from runtime.units import US_PER_DAY, US_PER_S
from telemetry.archive.store import Archive, days_of
from telemetry.log import codec
from telemetry.log.base import POSITIONS, LogReader, Poll, StoredRecord
from telemetry.positions import PositionBatch

_logger = logging.getLogger(__name__)

STEPS: Final = ("offsets", "positions", "facts", "tracks", "episodes", "recompute", "settle", "publish")

#: A position takes some fifteen bytes in the log and many times that while it is stored and judged.
POLL_BYTES: Final = 1 << 20
POLL_S: Final = 0.2
#: After a change of the kernels, states are made anew from the tracks of so many days.
RENEW_US: Final = 7 * US_PER_DAY
RENEWED_AT_ONCE: Final = 200
#: How often returned orders of silent terminals are looked for, by the clock.
CLOCK_US: Final = 10 * US_PER_S
LAG_EVERY_S: Final = 1.0
#: How often it is asked whether this is still the same log.
SAME_LOG_EVERY_S: Final = 30.0
#: Rows of orders and fences that may be added in memory (superseded ones stay there) before it is loaded afresh.
HELD_ROWS: Final = 200_000


def clock_us() -> int:
    """Now, microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Worker:
    """Member of the group of workers. ``checkpoint`` is called with the name of each step when it is done,
    inside the transaction (tests raise there). ``wording``: the sentences of alerts."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        reader: LogReader,
        settings: Settings | None = None,
        *,
        now_us: Callable[[], int] = clock_us,
        checkpoint: Callable[[str], None] | None = None,
        wording: Wording = STANDARD,
    ) -> None:
        self._pool = pool
        self._reader = reader
        retention = settings.retention_days if settings is not None else 400
        self._archive = Archive(retention_days=retention, now_us=now_us)
        self._housekeeping = Housekeeping(pool, self._archive, reader, now_us)
        self._now_us = now_us
        self._wording = wording
        self._checkpoint = checkpoint or (lambda _step: None)
        self._snapshot: FleetSnapshot | None = None
        self._tracker: Tracker | None = None
        self._results: TripResults | None = None
        self._clock_us = self._known_us = 0
        self._owners = Ownership()
        self._log = ""  # names the log that the offsets belong to
        self._log_at = 0.0
        self._claim = uuid.uuid4().hex  # names this worker at its partitions
        self._backlog = Backlog(now_us)
        metrics.LAG_SECONDS.set_function(self._backlog.seconds)
        self._outdated: dict[int, int] = {}
        self._held_at_load = 0
        self._step_at = 0.0
        self._trouble: str | None = None
        self._lag_at = -LAG_EVERY_S
        self.counts = Counts()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set. What depends on the log or the database is tried again, without end, at
        most every 10 s; every other error is a fault of the program and ends the worker."""
        wait_s = 0.2
        while not stop.is_set():
            try:
                await self.turn()
                wait_s, self._trouble = 0.2, None
            except (
                UnavailableError,
                OffsetConflictError,
                *DATABASE_ERRORS,
            ) as error:
                self.counts.failures += 1
                self._trouble = f"what came last could not be processed ({type(error).__name__}), see the log"
                metrics.TRANSACTIONS.labels("failed").inc()
                _logger.warning("transaction failed, trying again in %.1f s: %s", wait_s, error)
                self.reset()
                if self._log and not isinstance(error, UnavailableError):  # the log may well answer
                    with suppress(UnavailableError, OSError):
                        await self.lag()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait_s)
                wait_s = min(2 * wait_s, 10.0)

    def trouble(self) -> str | None:
        """Why the last turn of ``run`` failed, for readiness; None when it did not."""
        return self._trouble

    def held(self) -> int:
        """Rows of orders and fences in memory, superseded ones among them; 0 before the first turn."""
        snapshot = self._snapshot
        return 0 if snapshot is None else len(snapshot.orders.orders) + len(snapshot.fences.areas)

    def reset(self) -> None:
        """Drop everything in memory; the next turn reads what was committed."""
        self._snapshot = self._tracker = self._results = None
        self._clock_us = self._known_us = 0
        self._owners.forget()
        self._archive.forget()

    async def turn(self) -> int:
        """One poll and its transaction; how many records it processed. After an exception call ``reset``."""
        if self._tracker is None:
            await self._load()
        poll = await self._reader.poll(POLL_BYTES, POLL_S)
        if poll.lost:
            metrics.RECORDS_LOST.inc(poll.lost)
        if poll.assigned or poll.revoked:
            await self._reassign(poll)
            return 0
        started = time.perf_counter()
        self._backlog.polled(poll.records)
        clock = await self._clock_strikes(idle=not poll.records)
        if not (poll.records or clock or await self._facts_wait()):
            await self._between_turns(started)
            return 0
        batch, rejected = self._decode(poll.records)
        async with self._pool.acquire() as conn:
            await self._archive.ensure_partitions(conn, days_of(batch))
            async with conn.transaction():
                await save_rejected(conn, rejected, self._now_us())
                turn = await self._transaction(conn, poll.records, batch, clock)
        for vehicle in turn.renewed:
            del self._outdated[vehicle]
        self._backlog.committed(poll.records)
        if turn.silent >= SILENT_AT_ONCE:  # there may be more
            self._clock_us = 0
        add(self.counts, len(poll.records), len(rejected), len(batch), turn)
        if len(batch):
            waited_us = self._now_us() - int(batch.received_us.min())
            metrics.DELAY_SECONDS.observe(max(0.0, waited_us / US_PER_S))
        metrics.TRANSACTION_SECONDS.observe(time.perf_counter() - started)
        await self._between_turns(started)
        return len(poll.records)

    # ---- outside the transaction ----

    async def _load(self) -> None:
        """Read everything anew and say where every assigned partition begins. Whatever it fails at, the next turn
        does all of it again."""
        self._owners.count(len(await self._reader.end_offsets()))
        self._log, self._log_at = f"{POSITIONS}@{await self._reader.identity()}", time.perf_counter()
        former = f"{POSITIONS}@{await self._reader.former_identity()}"
        async with self._pool.acquire() as conn:
            async with conn.transaction():
                renamed = await rename_log(conn, former, self._log)
            if renamed:
                _logger.info(
                    "the offsets of %s are kept under its name since this version, %s", former, self._log
                )
            await claim_offsets(conn, self._log, self._owners.assigned, self._claim)
            async with conn.transaction(isolation="repeatable_read", readonly=True):
                self._owners.seen = await newest_change(conn)
                self._snapshot = await FleetSnapshot.load(conn)
                self._outdated = await outdated_states(conn, STATE_DTYPE, STATE_VERSION)
                self._backlog.load(await offsets(conn, self._log))
                others = await other_logs(conn, self._log)
            self._forget_states()
            if not self._backlog.offsets and others:
                _logger.warning(
                    "a log that is new to this database, read from its beginning; before: %s", others
                )
        self._held_at_load = self.held()
        for partition in self._owners.assigned:
            await self._reader.seek(partition, self._backlog.offsets.get(partition, 0))

    def _forget_states(self) -> None:
        if self._snapshot is not None:
            self._tracker = Tracker(self._snapshot)
            self._results = TripResults(self._snapshot, self._tracker)

    async def _facts_wait(self) -> bool:
        """Whether there is something to do without a record."""
        snapshot = self._snapshot
        if snapshot is None:
            return False
        return bool(self._owners.own(snapshot, self._outdated)) or await self._owners.waiting(
            self._pool, snapshot
        )

    async def _reassign(self, poll: Poll) -> None:
        """Partitions came or went. Another worker may have written since: everything in memory is dropped. The reader
        says it once, so it is kept before anything can fail."""
        self._owners.assign(poll.assigned, poll.revoked)
        self.reset()
        await self._load()

    async def _clock_strikes(self, idle: bool) -> bool:
        """Whether it is time to look for orders that the clock settles, and there may be one. Also finds out until
        when everything received is processed."""
        now = self._now_us()
        behind = self._known_us < self._clock_us
        if self._snapshot is None or not self._owners.assigned:
            return False
        if abs(now - self._clock_us) < CLOCK_US and not (idle and behind):
            return False
        await self.lag()
        self._clock_us = now
        self._known_us = self._backlog.known_us(now)
        await queue.save_known(self._pool, self._log, self._owners.assigned, self._known_us)
        return await anyone_waiting(self._pool, self._snapshot, self._known_us)

    def _decode(
        self, records: Sequence[StoredRecord]
    ) -> tuple[PositionBatch, list[tuple[StoredRecord, str]]]:
        batch, refused = codec.decode_all([record.payload for record in records])
        rejected = []
        for k, error in refused:
            # It is kept apart with the reason; nothing else of the batch is lost.
            # Named by its log: a new log gives the same offsets to other records.
            record = records[k]
            rejected.append((replace(record, topic=self._log), str(error)))
            _logger.error("record %s/%d@%d: %s", record.topic, record.partition, record.offset, error)
        return batch, rejected

    async def _between_turns(self, started: float) -> None:
        if started - self._lag_at >= LAG_EVERY_S:
            self._lag_at = started
            await self.lag()
        await self._housekeeping.turn(self._backlog.offsets)
        if started - self._log_at >= SAME_LOG_EVERY_S:
            self._log_at = started
            if self._log != f"{POSITIONS}@{await self._reader.identity()}":
                _logger.error("%s was made anew: the new one is read from its beginning", self._log)
                self.reset()
        metrics.HELD_ROWS.set(self.held())
        if self.held() - self._held_at_load > HELD_ROWS:
            _logger.info("%d rows of orders and fences in memory: loading afresh", self.held())
            metrics.RELOADS.inc()
            self.reset()

    async def lag(self) -> int:
        """Records of the assigned partitions that are not processed yet; also sets the gauges."""
        behind = self._backlog.measure(await self._reader.end_offsets(), self._owners.assigned)
        metrics.LAG_RECORDS.set(behind)
        return behind

    # ---- the transaction ----

    def _done(self, step: str) -> None:
        now = time.perf_counter()
        metrics.STEP_SECONDS.labels(step).observe(now - self._step_at)
        self._step_at = now
        self._checkpoint(step)

    def _without(self, lost: Collection[int]) -> tuple[Tracker, TripResults]:
        """What is kept in memory of vehicles, without those that are another worker's now: when they come back, theirs
        is not the newest state any more."""
        if self._tracker is not None and self._tracker.holds(lost):
            self._forget_states()
        if self._tracker is None or self._results is None:
            raise RuntimeError("turn() loads before it works")
        return self._tracker, self._results

    async def _transaction(
        self, conn: Connection, records: Sequence[StoredRecord], batch: PositionBatch, clock: bool
    ) -> Turn:
        snapshot = self._snapshot
        if snapshot is None:
            raise RuntimeError("turn() loads before it works")
        turn = Turn()
        self._step_at = time.perf_counter()
        following = {record.partition: record.offset + 1 for record in records}
        expected = {p: self._backlog.offsets.get(p, 0) for p in self._owners.assigned | following.keys()}
        await lock_offsets(conn, self._log, expected, self._claim)
        await save_offsets(conn, self._log, following)
        self._done("offsets")

        result = await self._archive.store(conn, batch)
        turn.stored, turn.duplicates = int(result.new.sum()), result.duplicates
        self._done("positions")

        changes, lost = await self._owners.take_facts(conn, snapshot)
        tracker, results = self._without(lost)
        facts = Facts(conn, self._archive, tracker, results, self._now_us(), self._known_us)
        self._done("facts")

        fixes = tracker.fixes(batch, result.fingerprint, result.quality, result.new)
        fixes = await self._owners.hand_over(conn, snapshot, fixes)
        # A few vehicles of an older state version at a time; the rows of the others wait in the archive.
        mine = sorted(self._owners.own(snapshot, self._outdated))[:RENEWED_AT_ONCE]
        renewed = {no: self._outdated[no] for no in mine}
        fixes = fixes.take(~np.isin(fixes.vehicle, np.array(sorted(self._outdated), np.int64)))
        touched = np.unique(fixes.vehicle)
        changes = [c for c in changes if c.vehicle_no not in self._outdated or c.vehicle_no in renewed]
        changed = np.array(sorted({c.vehicle_no for c in changes}), np.int64)
        await tracker.load(conn, np.union1d(touched, changed))
        watermarks = tracker.states.field("t", touched).copy()
        await have_orders(conn, snapshot, fixes, touched, watermarks)
        again = await changed_since(conn, self._archive, tracker, changes)
        again |= {no: watermark - RENEW_US for no, watermark in renewed.items()}
        live = split(tracker, fixes, again, turn)
        moved = np.unique(live.vehicle)
        context, before = tracker.context(live), tracker.states.copy(moved)
        matrix = tracker.matrix(live, context)
        advanced = advance(tracker.states, live.vehicle, matrix)
        turn.judged["taken"] += int(advanced.counted.sum())
        turn.judged["jump"] += int((advanced.counted & ~advanced.valid).sum())
        turn.judged["same_time"] += len(live) - int(advanced.counted.sum())
        for vehicle in advanced.disturbed:
            again.setdefault(vehicle, int(tracker.states.field("t", np.array([vehicle]))[0]))
            turn.recomputed["same_time"] += 1
        await save_day_starts(conn, [(d.slot, d.day, d.state) for d in advanced.day_starts])
        await results.stream(conn, self._archive, live, context, matrix, advanced, before, moved)
        self._done("tracks")

        found: dict[int, list[Episode]] = defaultdict(list)
        for event in advanced.events:
            if event.slot not in again:
                found[event.slot].append(episode_of_event(event))
        with metrics.rule_seconds(location.RULE):
            turn.judgements += await publish_events(facts, found)
        self._done("episodes")

        anew = await recompute(facts, again, renewed)
        ready, withdrawn = await note_orders(facts, changes)
        turn.judgements += withdrawn + anew
        self._done("recompute")

        steady = ~np.isin(touched, np.array(sorted(again), np.int64))
        rows = due(snapshot.orders, touched[steady], watermarks[steady], tracker.states)
        if clock:
            skipped = again.keys() | self._outdated.keys()
            overdue = await silent(facts, self._owners.vehicles(snapshot), skipped)
            turn.silent = len(overdue)
            ready += overdue
        rows += sorted(set(ready).difference(rows))
        with metrics.rule_seconds(destination.RULE):
            turn.judgements += await settle(facts, rows)
        self._done("settle")

        await tracker.save(conn, np.union1d(touched, np.array(sorted(again), np.int64)))
        await results.save(conn, facts.now_us)
        turn.alerts = await publish(conn, turn.judgements, self._wording)
        await delete_fact_changes(conn, [c.seq for c in changes])
        settled = {snapshot.orders.orders[row].vehicle_no for row in rows}
        judged = settled.union(touched.tolist(), again)
        lost = await self._owners.confirm(conn, snapshot, batch.take(np.flatnonzero(result.new)), judged)
        self._without(lost)
        await publish_feed(conn, turn.alerts)
        self._done("publish")
        turn.renewed = renewed
        return turn
