"""From the topic of reports to tables and files, each report once: rows, files' rows and the offset are one transaction.

It lives in the process of a worker, beside the worker, and neither waits for the other. Whatever fails for the log or the database
is tried again; a report on which the program fails, or that cannot be read, is set aside and stops nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from runtime.errors import SchemaError, UnavailableError, text_of
from runtime.faults import is_fault, of_one_fact
from runtime.postgres import DATABASE_ERRORS, renew_read_only
from runtime.settings import Settings
from runtime.units import US_PER_DAY, US_PER_S, from_us
from telemetry.jt808.rejection import Rejection
from telemetry.log.base import REPORTS, LogReader, StoredRecord
from telemetry.reports import files, metrics, store
from telemetry.reports.reading import Reading, read
from telemetry.reports.record import Report, decode
from telemetry.reports.store import OffsetTakenError, Place, Quota

_logger = logging.getLogger(__name__)

POLL_BYTES: Final = 4 << 20
_POLL_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0
#: Bodies longer than this are read by a thread, so that positions in the same process go on.
_LONG: Final = 4096
_REBIND_S: Final = 1.0
_UPKEEP_S: Final = 600.0
_MEASURE_S: Final = 15.0
#: A file without a row is a rest of a transaction that was rolled back, once it is so old.
_ORPHAN_S: Final = 86_400.0
#: What is processed stays in the embedded log for so long, for a look back.
_KEEP_LOG_US: Final = US_PER_DAY


@runtime_checkable
class _Trimming(Protocol):
    async def trim(self, before: dict[int, int], older_than_us: int, others_than_us: int = 0) -> int: ...


class ReportKeeper:
    """See the module. ``checkpoint`` is called with the name of each step (tests end it there)."""

    def __init__(
        self,
        pool: Any,
        reader: LogReader,
        settings: Settings,
        *,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        checkpoint: Callable[[str], None] = lambda _step: None,
    ) -> None:
        self._pool, self._reader, self._now_us, self._checkpoint = pool, reader, now_us, checkpoint
        self._folder: Path = files.folder_of(settings)
        self._quota = Quota(settings.media_quota_mb << 20, settings.media_terminal_quota_mb << 20)
        self._keep_files_us = settings.media_retention_days * US_PER_DAY
        self._keep_us = settings.retention_days * US_PER_DAY
        self._claim = uuid.uuid4().hex
        self._topic = ""
        self._next: dict[int, int] = {}
        self._assigned: frozenset[int] = frozenset()
        self._stale = False  # whether our places must be read anew
        self._due = dict.fromkeys(("rebind", "upkeep", "measure"), 0.0)
        self.trouble: str | None = None
        self._turned = time.monotonic()
        metrics.TURN_SECONDS.set_function(lambda: time.monotonic() - self._turned)
        metrics.MEDIA_QUOTA.set(self._quota.whole)

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``. Nothing that fails here ends it."""
        pause = 0.2
        while not stop.is_set():
            try:
                await self.turn()
                pause, self.trouble, self._turned = 0.2, None, time.monotonic()
                continue
            except (UnavailableError, OffsetTakenError, OSError, *DATABASE_ERRORS) as error:
                self.trouble = f"reports of terminals are not stored now: {text_of(error)}"
                with suppress(*DATABASE_ERRORS):
                    await renew_read_only(self._pool, error)
                _logger.warning("%s; trying again in %.1f s", self.trouble, pause)
            except Exception as error:
                if not is_fault(error):
                    raise
                metrics.FAULTS.inc()
                self.trouble = f"a fault of the program: {text_of(error)}"
                _logger.error(
                    "程序故障，请报告 / a fault of the program on reports of terminals", exc_info=error
                )
            self._stale = True
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def turn(self) -> int:
        """Take what there is, once; how many records."""
        if self._stale:
            await self._load()
        poll = await self._reader.poll(POLL_BYTES, _POLL_S)
        if poll.assigned or poll.revoked:
            self._assigned = (self._assigned - poll.revoked) | poll.assigned
            self._stale = True
            await self._load()
            return 0
        if poll.records:
            await self._store(poll.records)
        await self._beside()
        return len(poll.records)

    async def _load(self) -> None:
        """Take our partitions, and read on from where they were left."""
        self._topic = f"{REPORTS}@{await self._reader.identity()}"
        async with self._pool.acquire() as conn:
            self._next = await store.claim(conn, self._topic, sorted(self._assigned), self._claim)
        for partition, offset in self._next.items():
            await self._reader.seek(partition, offset)
        self._stale = False

    # --- storing

    async def _store(self, records: Sequence[StoredRecord]) -> None:
        taken = [(record, *_decoded(record)) for record in records]
        try:
            counts = await self._commit(taken, apart=False)
        except Exception as error:
            if not of_one_fact(error) or isinstance(error, OSError):
                raise
            metrics.FAULTS.inc()
            _logger.error(
                "程序故障，请报告 / a fault of the program on reports, each is tried alone", exc_info=error
            )
            counts = await self._commit(taken, apart=True)
        for outcome, count in counts.items():
            metrics.SETTLED.labels(outcome).inc(count)
        metrics.READ.inc(sum(counts.values()))
        self._checkpoint("counted")

    async def _commit(
        self, taken: Sequence[tuple[StoredRecord, list[Report], str]], *, apart: bool
    ) -> dict[str, int]:
        """One transaction over ``taken``; what became of how many. ``apart``: each in a savepoint, what fails is set aside."""
        counts: dict[str, int] = {}
        broken = 0
        following = dict(self._next)
        for record, _, _ in taken:
            following[record.partition] = record.offset + 1
        moved = {p: (self._next[p], offset) for p, offset in following.items() if offset != self._next[p]}
        async with self._pool.acquire() as conn, conn.transaction():
            await store.move(conn, self._topic, self._claim, moved)
            for record, reports, flaw in taken:
                place = Place(self._topic, record.partition, record.offset)
                if flaw:
                    broken += 1
                    await store.set_aside(conn, place, "record", flaw, record.payload, None)
                for number, report in enumerate(reports):
                    at = Place(self._topic, record.partition, record.offset, number)
                    outcome = await (self._alone if apart else self._one)(conn, at, report)
                    counts[outcome] = counts.get(outcome, 0) + 1
                    self._checkpoint("row")
            self._checkpoint("before_commit")
        self._next = following
        metrics.RECORDS_ASIDE.inc(broken)
        self._checkpoint("committed")
        return counts

    async def _one(self, conn: Any, place: Place, report: Report) -> str:
        found: Reading | Rejection
        if len(report.body) > _LONG:
            found = await asyncio.to_thread(read, report)
        else:
            found = read(report)
        if isinstance(found, Rejection):
            await store.set_aside(
                conn, place, "rejected", f"{found.reason}: {found.detail}", report.body, report
            )
            return "rejected"
        return str(await store.keep(conn, report, found, self._quota, self._write))

    async def _write(self, sha256: str, data: bytes) -> None:
        await asyncio.to_thread(files.write, self._folder, sha256, data)

    async def _alone(self, conn: Any, place: Place, report: Report) -> str:
        try:
            async with conn.transaction():
                return await self._one(conn, place, report)
        except Exception as error:
            if not of_one_fact(error) or isinstance(error, OSError):
                raise
            _logger.error(
                "a report of terminal %d (%#06x) is set aside",
                report.terminal,
                report.message,
                exc_info=error,
            )
            await store.set_aside(conn, place, "fault", text_of(error), report.body, report)
            return "fault"

    # --- beside

    async def _beside(self) -> None:
        """What is due besides: each part on its own."""
        now = time.monotonic()
        for name, every_s, part in (
            ("rebind", _REBIND_S, self._rebind),
            ("measure", _MEASURE_S, self._measure),
            ("upkeep", _UPKEEP_S, self._upkeep),
        ):
            if now < self._due[name] or not self._assigned:
                continue
            self._due[name] = now + every_s
            try:
                await part()
            except Exception as error:
                if not is_fault(error):
                    raise
                metrics.FAULTS.inc()
                _logger.error("%s of reports failed", name, exc_info=error)

    async def _rebind(self) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            await store.rebind(conn)

    async def _behind(self) -> int:
        """Records that are not processed yet."""
        ends = await self._reader.end_offsets()
        return sum(max(0, ends.get(p, 0) - self._next.get(p, 0)) for p in self._assigned)

    async def _measure(self) -> None:
        metrics.LAG.set(await self._behind())
        async with self._pool.acquire() as conn:
            size, count = await store.usage(conn)
        metrics.MEDIA_BYTES.set(size)
        metrics.MEDIA_FILES.set(count)

    async def _upkeep(self) -> None:
        """Retention, files that no row has, the log on this machine."""
        now = self._now_us()
        async with self._pool.acquire() as conn:
            while True:
                async with conn.transaction():
                    gone = await store.drop_files(conn, from_us(now - self._keep_files_us))
                for each in gone:
                    files.remove(self._folder, each)
                if not gone:
                    break
            while await store.drop_old(conn, from_us(now - self._keep_us)):
                pass
            # A database that was restored has no rows yet of files that are there.
            old = (
                []
                if await self._behind()
                else await asyncio.to_thread(
                    lambda: list(files.older_than(self._folder, now / US_PER_S - _ORPHAN_S))
                )
            )
            for first in range(0, len(old), 1_000):
                for each in await store.unreferenced(conn, set(old[first : first + 1_000])):
                    files.remove(self._folder, each)
        if self._next and isinstance(self._reader, _Trimming):
            await self._reader.trim(dict(self._next), now - _KEEP_LOG_US)


def _decoded(record: StoredRecord) -> tuple[list[Report], str]:
    """The reports of a record, and what is wrong with it ('' = nothing)."""
    if record.unreadable:
        return [], record.unreadable
    try:
        return decode(record.payload), ""
    except SchemaError as error:
        return [], text_of(error)
