"""The worker: from the log to judged results, every step of a batch in one PostgreSQL transaction (``transaction``), and
between two of them a slice of what has to be computed again (``slices``).

Whatever fails, the transaction is rolled back, everything in memory is dropped, and the log is read again
from the offsets that were committed. So a batch seen twice changes nothing, and a crash at any step loses
nothing. What fails for a fault of the program is found and set aside (``isolation``): no record stops its partition, no
vehicle the others.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import asyncpg
import numpy as np

from registry.changes import newest_commit, unread
from registry.snapshot.fleet import FleetSnapshot
from rules.alerts.model import OffsetConflictError
from rules.faults import is_fault
from rules.live import metrics
from rules.live.counts import Counts, add, add_found
from rules.live.faults import Faults
from rules.live.housekeeping import Housekeeping, Upkeep
from rules.live.isolation import Isolation
from rules.live.lag import Backlog
from rules.live.late import LATE_LIMIT_US, RENEW_US
from rules.live.memory import Memory
from rules.live.ownership import FACTS_AT_ONCE, Ownership
from rules.live.pieces import How, Piece, decode_each, decode_together, named
from rules.live.retry import Retry
from rules.live.settle import SILENT_AT_ONCE, anyone_waiting, waiting_vehicles
from rules.live.slices import Progress, next_vehicles, run_slice
from rules.live.steps import Steps
from rules.live.store import quarantine, recomputations
from rules.live.store.due import READER, due_vehicles, spread
from rules.live.store.offsets import (
    claim_offsets,
    offsets,
    other_logs,
    rename_log,
    save_known,
    save_rejected,
)
from rules.live.store.recomputations import Urgency, anything_waits, note
from rules.live.store.states import outdated_states
from rules.live.transaction import Place, Transaction
from rules.tracks.state import STATE_DTYPE, STATE_VERSION
from runtime.database_says import takes_no_writes
from runtime.errors import UnavailableError, text_of
from runtime.postgres import DATABASE_ERRORS, begin_with, only_read, renew_read_only
from runtime.settings import Settings
from runtime.units import US_PER_S, earliest
from telemetry.archive.store import Archive, days_of
from telemetry.log.base import POSITIONS, LogReader, Poll, StoredRecord
from telemetry.positions import PositionBatch

_logger = logging.getLogger(__name__)

#: A position takes some fifteen bytes in the log and many times that while it is stored and judged.
POLL_BYTES: Final = 1 << 20
POLL_S: Final = 0.2
#: The same for a worker that runs: so often one without positions looks what else there is to do.
IDLE_POLL_S: Final = 0.5
#: A turn begins so long after the last one at the earliest, so that it has something to do: what a turn costs beside its
#: positions (a transaction, some fifteen statements) is a hundred positions' worth. Who is alone is judged at once all the same.
TURN_EVERY_S: Final = 0.1
#: After so many positions the next turn begins at once: there may be more, and the cost of a turn is shared by many.
FULL_TURN: Final = 5_000
#: How often returned orders of silent terminals are looked for, by the clock.
CLOCK_US: Final = 10 * US_PER_S
LAG_EVERY_S: Final = 1.0
#: Of so many slices one is for the vehicles that have waited longest.
LONGEST_EVERY: Final = 8
#: How often it is asked whether this is still the same log.
SAME_LOG_EVERY_S: Final = 30.0
#: Rows of orders and fences that may be added in memory (superseded ones stay there) before it is loaded afresh.
HELD_ROWS: Final = 200_000


def clock_us() -> int:
    """Now, microseconds since 1970 UTC."""
    return time.time_ns() // 1000


class Worker:
    """Member of the group of workers. ``checkpoint``: see ``Steps``; ``upkeep``: see ``Housekeeping``."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        reader: LogReader,
        settings: Settings | None = None,
        *,
        now_us: Callable[[], int] = clock_us,
        checkpoint: Callable[[str], None] | None = None,
        upkeep: Mapping[str, Upkeep] | None = None,
    ) -> None:
        self._pool = pool
        self._reader = reader
        retention = settings.retention_days if settings is not None else 400
        self._archive = Archive(retention_days=retention, now_us=now_us)
        judgements = settings.evaluations_retention_days if settings is not None else 400
        self._housekeeping = Housekeeping(pool, self._archive, reader, now_us, retention, judgements, upkeep)
        self._now_us = now_us
        self._steps = Steps(checkpoint)
        self._memory: Memory | None = None
        self._clock_us = self._known_us = 0
        self._owners = Ownership()
        self._log = ""  # names the log that the offsets belong to
        self._log_at = 0.0
        self._claim = uuid.uuid4().hex  # names this worker at its partitions
        self._backlog = Backlog(now_us)
        metrics.LAG_SECONDS.set_function(self._backlog.seconds)
        self._poll_s = POLL_S
        self._polled_at = 0.0  # when the last turn had its records, of perf_counter
        self._recomputing = False  # whether there was a slice in the last turn
        self._progress = Progress()
        self._isolation = Isolation(self)
        self._retry = Retry(pool, self._owners, self._isolation)
        self._faults = Faults()
        self._held_at_load = 0
        self._trouble: str | None = None
        self._lag_at = -LAG_EVERY_S
        self.counts = Counts()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set. What depends on the log or the database is tried again, without end, at
        most every 10 s. What a fault of the program concerns is set aside; one that concerns everything ends the worker."""
        wait_s, self._poll_s = 0.2, IDLE_POLL_S
        while not stop.is_set():
            try:
                rows = self.counts.rows
                await self.turn(isolate=True)
                wait_s, self._trouble = 0.2, None
                await self._gather(stop, self.counts.rows - rows)
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

    async def _gather(self, stop: asyncio.Event, rows: int) -> None:
        """After a turn of ``rows`` positions: let more come together. Not after one of many, nor beside the past."""
        left_s = TURN_EVERY_S - (time.perf_counter() - self._polled_at)
        if rows and rows < FULL_TURN and left_s > 0 and not self._recomputing:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), left_s)

    def trouble(self) -> str | None:
        """Why the last turn of ``run`` failed, for readiness; None when it did not."""
        return self._trouble

    def kept(self) -> str | None:
        """What is set aside or put off for a fault of the program, for people; None when nothing is."""
        parts, vehicles = self._retry.kept
        if not parts and not vehicles:
            return None
        return f"quarantine: {parts} parts of records set aside, {vehicles} vehicles put off (gongche quarantine list)"

    def held(self) -> int:
        """Rows of orders and fences in memory, superseded ones among them; 0 before the first turn."""
        return 0 if self._memory is None else self._memory.rows

    def reset(self) -> None:
        """Drop everything in memory; the next turn reads what was committed."""
        self._memory = None
        self._clock_us = self._known_us = 0
        self._owners.forget()
        self._archive.forget()

    async def turn(self, *, isolate: bool = False) -> int:
        """One poll and its transaction, and a slice of what has to be computed again; how many records were processed. After
        an exception call ``reset``. ``isolate``: whether what fails for a fault of the program is set aside, and the rest is
        done; else the fault is raised."""
        memory = self._memory or await self._load()
        poll = await self._reader.poll(POLL_BYTES, 0 if self._recomputing else self._poll_s)
        if poll.lost:
            metrics.RECORDS_LOST.inc(poll.lost)
        if poll.assigned or poll.revoked:
            await self._reassign(poll)
            return 0
        started = self._polled_at = time.perf_counter()
        self._backlog.polled(poll.records)
        await self._faults.beside("changes", self._spread_changes(), None, isolate=isolate)
        clock = await self._faults.beside(
            "clock", self._clock_is_due(memory, not poll.records), False, isolate=isolate
        )
        if poll.records or clock or await self._anything_waits(memory):
            await self._live(named(poll.records, self._log), clock, isolate)
            metrics.TRANSACTION_SECONDS.observe(time.perf_counter() - started)
        await self._slice(isolate)
        await self._between_turns(started, isolate)
        return len(poll.records)

    async def _anything_waits(self, memory: Memory) -> bool:
        """Whether there is something to do without positions."""
        async with self._pool.acquire() as conn:
            found = await self._owners.waiting(conn, memory.snapshot)
            only_read(conn)
        return found

    async def _live(self, records: Sequence[StoredRecord], clock: bool, isolate: bool) -> None:
        """Store and judge the positions of ``records``."""
        error: Exception | None = None
        try:
            piece = decode_together(records)
            if not (isolate and self._isolation.suspects(piece.batch)):
                await self.commit(replace(piece, how=How(clock=clock)))
                return
        except Exception as fault:
            if not (isolate and is_fault(fault)):
                raise
            error = fault
            self._faults.note("records", fault)
        await self._isolation.run(decode_each(records), error, clock=clock)

    async def commit(self, piece: Piece) -> None:
        """One transaction over ``piece`` (for ``isolation``)."""
        self._steps.prepare()
        memory, batch = self._memory or await self._load(), piece.batch
        async with self._pool.acquire() as conn:
            await self._archive.ensure_partitions(conn, days_of(batch))
            with begin_with(conn, ""):
                async with conn.transaction():
                    await save_rejected(conn, piece.rejected, self._now_us())
                    if piece.tried is not None and piece.last:
                        await quarantine.settle(conn, piece.tried, piece.aside, self._now_us())
                    else:
                        await quarantine.add(conn, piece.aside, self._now_us())
                    self._steps.begin()
                    transaction = Transaction(
                    conn, self._archive, memory, self._owners, piece.how,
                    now_us=self._now_us(), known_us=self._known_us, done=self._steps.done,
                )  # fmt: skip
                    turn = await transaction.run(self._place(piece.records), batch)
        self._backlog.committed(piece.records)
        if turn.silent >= SILENT_AT_ONCE:  # there may be more
            self._clock_us = 0
        add(self.counts, piece, turn)
        if len(batch) and piece.tried is None:
            waited_us = self._now_us() - int(batch.received_us.min())
            metrics.DELAY_SECONDS.observe(max(0.0, waited_us / US_PER_S))

    @property
    def stage(self) -> str:
        """The step at which the last transaction failed (for ``isolation``)."""
        return self._steps.failed_at

    def drop(self, *, whole: bool) -> None:
        """Forget the states, and the registry as well if ``whole`` (for ``isolation``)."""
        if whole or self._memory is None:
            self.reset()
            return
        self._memory.forget_states()
        self._archive.forget()

    async def due(self) -> Mapping[int, int]:
        """Vehicles of which something is due besides positions, each with the time of now (for ``isolation``)."""
        memory, now = self._memory or await self._load(), self._now_us()
        async with self._pool.acquire() as conn:
            vehicles = {*await due_vehicles(conn, FACTS_AT_ONCE)}
            vehicles |= await waiting_vehicles(conn, memory.snapshot, self._known_us)
        return dict.fromkeys(sorted(self._owners.own(memory.snapshot, vehicles)), now)

    def since(self, batch: PositionBatch) -> Mapping[int, int]:
        """Vehicles that ``batch`` is of -> its first device time of each, as far as tracks are computed again (for
        ``isolation``)."""
        if self._memory is None:
            return {}
        vehicles = self._memory.snapshot.vehicles_at(batch.terminal, batch.device_us)
        now = self._now_us()
        times = np.clip(batch.device_us, now - LATE_LIMIT_US, now)
        return earliest((no, t) for no, t in zip(vehicles.tolist(), times.tolist(), strict=True) if no > 0)

    async def _slice(self, isolate: bool) -> None:
        """A slice of what has to be computed again, if anything has. A vehicle on which it fails is put off."""
        try:
            await self._run_slice(None)
            return
        except Exception as error:
            if not (isolate and is_fault(error)):
                raise
            self._faults.note("slice", error)
        self.reset()
        memory = await self._load()
        async with self._pool.acquire() as conn:
            vehicles = await next_vehicles(conn, memory, self._owners)
        for no in vehicles:
            try:
                await self._run_slice([no])
            except Exception as error:
                if not is_fault(error) or isinstance(error, MemoryError):
                    raise
                self.drop(whole=False)
                _logger.error("vehicle %d cannot be computed again: put off", no, exc_info=error)
                async with self._pool.acquire() as conn:
                    await recomputations.put_off(conn, {no: self._now_us()}, text_of(error), anew=False)

    async def _run_slice(self, only: Sequence[int] | None) -> None:
        memory, turn = self._memory or await self._load(), None
        async with self._pool.acquire() as conn:
            if await anything_waits(conn):
                async with conn.transaction():
                    turn = await run_slice(
                        conn, self._archive, memory, self._owners, self._place(()),
                        now_us=self._now_us(), known_us=self._known_us, done=self._steps.done, only=only,
                        longest=self.counts.slices % LONGEST_EVERY == LONGEST_EVERY - 1,
                    )  # fmt: skip
            else:
                only_read(conn)
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
        async with self._pool.acquire() as conn:
            if await unread(conn, READER):
                await spread(conn)
            else:
                only_read(conn)

    async def _reassign(self, poll: Poll) -> None:
        """Partitions came or went. Another worker may have written since: everything in memory is dropped. The reader
        says it once, so it is kept before anything can fail."""
        self._owners.assign(poll.assigned, poll.revoked)
        self.reset()
        await self._load()

    async def _clock_is_due(self, memory: Memory, idle: bool) -> bool:
        """Whether it is time to look for orders that the clock settles, and there may be one. Also finds out until
        when everything received is processed. ``idle``: no records came."""
        now = self._now_us()
        behind = self._known_us < self._clock_us
        if not self._owners.assigned:
            return False
        if abs(now - self._clock_us) < CLOCK_US and not (idle and behind):
            return False
        await self.lag()
        self._clock_us = now
        self._known_us = self._backlog.known_us(now)
        await save_known(self._pool, self._log, self._owners.assigned, self._known_us)
        return await anyone_waiting(self._pool, memory.snapshot, self._known_us)

    async def _between_turns(self, started: float, isolate: bool) -> None:
        if started - self._lag_at >= LAG_EVERY_S:
            self._lag_at = started
            await self.lag()
            if self._memory is not None:
                metrics.show_unreadable(self._memory.snapshot.unreadable)
        await self._faults.beside("retry", self._retry.turn(), False, isolate=isolate)
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
