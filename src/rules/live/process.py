"""The worker: from the log to judged results, every step of a batch in one PostgreSQL transaction (``transaction``), and
between two of them a slice of what has to be computed again (``slices``).

Whatever fails, the transaction is rolled back, everything in memory is dropped, and the log is read again
from the offsets that were committed. So a batch seen twice changes nothing, and a crash at any step loses
nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import asyncpg

from registry.changes import newest_commit, unread
from registry.snapshot.fleet import FleetSnapshot
from rules.alerts.model import OffsetConflictError
from rules.judge import queue
from rules.live import metrics
from rules.live.counts import Counts, add, add_found
from rules.live.housekeeping import Housekeeping
from rules.live.lag import Backlog
from rules.live.late import RENEW_US
from rules.live.memory import Memory
from rules.live.ownership import Ownership
from rules.live.settle import SILENT_AT_ONCE, anyone_waiting
from rules.live.slices import Progress, run_slice
from rules.live.store.due import READER, spread
from rules.live.store.offsets import (
    claim_offsets,
    offsets,
    other_logs,
    rename_log,
    save_rejected,
)
from rules.live.store.recomputations import Urgency, anything_waits, note
from rules.live.store.states import outdated_states
from rules.live.transaction import STEPS, Place, Transaction
from rules.tracks.state import STATE_DTYPE, STATE_VERSION
from runtime.database_says import takes_no_writes
from runtime.errors import UnavailableError
from runtime.postgres import DATABASE_ERRORS, renew_read_only
from runtime.settings import Settings
from runtime.units import US_PER_S
from telemetry.archive.store import Archive, days_of
from telemetry.log import codec
from telemetry.log.base import POSITIONS, LogReader, Poll, StoredRecord
from telemetry.positions import PositionBatch

_logger = logging.getLogger(__name__)

#: A position takes some fifteen bytes in the log and many times that while it is stored and judged.
POLL_BYTES: Final = 1 << 20
POLL_S: Final = 0.2
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
    inside the transaction (tests raise there)."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        reader: LogReader,
        settings: Settings | None = None,
        *,
        now_us: Callable[[], int] = clock_us,
        checkpoint: Callable[[str], None] | None = None,
    ) -> None:
        self._pool = pool
        self._reader = reader
        retention = settings.retention_days if settings is not None else 400
        self._archive = Archive(retention_days=retention, now_us=now_us)
        judgements = settings.evaluations_retention_days if settings is not None else 400
        self._housekeeping = Housekeeping(pool, self._archive, reader, now_us, retention, judgements)
        self._now_us = now_us
        self._checkpoint = checkpoint or (lambda _step: None)
        self._memory: Memory | None = None
        self._clock_us = self._known_us = 0
        self._owners = Ownership()
        self._log = ""  # names the log that the offsets belong to
        self._log_at = 0.0
        self._claim = uuid.uuid4().hex  # names this worker at its partitions
        self._backlog = Backlog(now_us)
        metrics.LAG_SECONDS.set_function(self._backlog.seconds)
        self._recomputing = False  # whether there was a slice in the last turn
        self._progress = Progress()
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
                why = takes_no_writes(error)
                self._trouble = (
                    why or f"what came last could not be processed ({type(error).__name__}), see the log"
                )
                metrics.TRANSACTIONS.labels("failed").inc()
                _logger.warning("transaction failed, trying again in %.1f s: %s", wait_s, why or error)
                self.reset()
                await renew_read_only(self._pool, error)
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
        return 0 if self._memory is None else self._memory.rows

    def reset(self) -> None:
        """Drop everything in memory; the next turn reads what was committed."""
        self._memory = None
        self._clock_us = self._known_us = 0
        self._owners.forget()
        self._archive.forget()

    async def turn(self) -> int:
        """One poll and its transaction, and a slice of what has to be computed again; how many records were processed. After
        an exception call ``reset``."""
        memory = self._memory or await self._load()
        poll = await self._reader.poll(POLL_BYTES, 0 if self._recomputing else POLL_S)
        if poll.lost:
            metrics.RECORDS_LOST.inc(poll.lost)
        if poll.assigned or poll.revoked:
            await self._reassign(poll)
            return 0
        started = time.perf_counter()
        self._backlog.polled(poll.records)
        await self._spread_changes()
        clock = await self._clock_strikes(memory, idle=not poll.records)
        if poll.records or clock or await self._owners.waiting(self._pool, memory.snapshot):
            await self._live(memory, poll.records, clock, started)
        await self._slice(memory)
        await self._between_turns(started)
        return len(poll.records)

    async def _live(
        self, memory: Memory, records: Sequence[StoredRecord], clock: bool, started: float
    ) -> None:
        """The transaction over ``records``."""
        batch, rejected = self._decode(records)
        async with self._pool.acquire() as conn:
            await self._archive.ensure_partitions(conn, days_of(batch))
            async with conn.transaction():
                await save_rejected(conn, rejected, self._now_us())
                self._step_at = time.perf_counter()
                transaction = Transaction(
                    conn, self._archive, memory, self._owners,
                    now_us=self._now_us(), known_us=self._known_us, clock=clock, done=self._done,
                )  # fmt: skip
                turn = await transaction.run(self._place(records), batch)
        self._backlog.committed(records)
        if turn.silent >= SILENT_AT_ONCE:  # there may be more
            self._clock_us = 0
        add(self.counts, len(records), len(rejected), len(batch), turn)
        if len(batch):
            waited_us = self._now_us() - int(batch.received_us.min())
            metrics.DELAY_SECONDS.observe(max(0.0, waited_us / US_PER_S))
        metrics.TRANSACTION_SECONDS.observe(time.perf_counter() - started)

    async def _slice(self, memory: Memory) -> None:
        """A slice of what has to be computed again, if anything has."""
        turn = None
        async with self._pool.acquire() as conn:
            if await anything_waits(conn):
                async with conn.transaction():
                    turn = await run_slice(
                        conn, self._archive, memory, self._owners, self._place(()),
                        now_us=self._now_us(), known_us=self._known_us, done=self._done,
                    )  # fmt: skip
            self._recomputing = turn is not None
            await self._progress.show(conn, memory, self._owners, working=self._recomputing)
        if turn is not None:
            self.counts.slices += 1
            add_found(turn)

    def _place(self, records: Sequence[StoredRecord]) -> Place:
        following = {record.partition: record.offset + 1 for record in records}
        expected = {p: self._backlog.offsets.get(p, 0) for p in self._owners.assigned | following.keys()}
        return Place(self._log, self._claim, expected, following)

    # ---- outside the transaction ----

    async def _load(self) -> Memory:
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
                self._owners.seen = await newest_commit(conn)
                memory = Memory(await FleetSnapshot.load(conn))
                outdated = await outdated_states(conn, STATE_DTYPE, STATE_VERSION)
                self._backlog.load(await offsets(conn, self._log))
                others = await other_logs(conn, self._log)
            await note(conn, Urgency.NO_STATE, {no: us - RENEW_US for no, us in outdated.items()}, anew=True)
            if not self._backlog.offsets and others:
                _logger.warning(
                    "a log that is new to this database, read from its beginning; before: %s", others
                )
        self._memory, self._held_at_load = memory, memory.rows
        for partition in self._owners.assigned:
            await self._reader.seek(partition, self._backlog.offsets.get(partition, 0))
        return memory

    async def _spread_changes(self) -> None:
        """Say of what changed which vehicles it concerns, for their owners."""
        if await unread(self._pool, READER):
            async with self._pool.acquire() as conn:
                await spread(conn)

    async def _reassign(self, poll: Poll) -> None:
        """Partitions came or went. Another worker may have written since: everything in memory is dropped. The reader
        says it once, so it is kept before anything can fail."""
        self._owners.assign(poll.assigned, poll.revoked)
        self.reset()
        await self._load()

    async def _clock_strikes(self, memory: Memory, idle: bool) -> bool:
        """Whether it is time to look for orders that the clock settles, and there may be one. Also finds out until
        when everything received is processed."""
        now = self._now_us()
        behind = self._known_us < self._clock_us
        if not self._owners.assigned:
            return False
        if abs(now - self._clock_us) < CLOCK_US and not (idle and behind):
            return False
        await self.lag()
        self._clock_us = now
        self._known_us = self._backlog.known_us(now)
        await queue.save_known(self._pool, self._log, self._owners.assigned, self._known_us)
        return await anyone_waiting(self._pool, memory.snapshot, self._known_us)

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

    def _done(self, step: str) -> None:
        now = time.perf_counter()
        if step in STEPS:
            metrics.STEP_SECONDS.labels(step).observe(now - self._step_at)
        self._step_at = now
        self._checkpoint(step)
