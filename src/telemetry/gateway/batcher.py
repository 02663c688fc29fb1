"""Group commit: everything decoded while one append is on its way forms the next one.

At most one append is in flight. When it is durable the replies of its receipts leave. A log that does not take records
is tried again with growing pauses and nothing is confirmed meanwhile: terminals hear nothing and send again, which is
the protocol's own back-pressure.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import orjson

from runtime.errors import UnavailableError
from telemetry.gateway import metrics
from telemetry.jt808.ids import label
from telemetry.log.base import HEADER_SCHEMA, REJECTS, LogWriter, Record, partitions_of
from telemetry.log.base import POSITIONS as POSITIONS_TOPIC
from telemetry.log.codec import HEADERS, MAX_RECORD_BYTES, table, write
from telemetry.positions import PositionBatch
from telemetry.reports.record import Report, records_of

logger = logging.getLogger(__name__)

#: Rows of one record; a larger append is several records of one transaction.
_ROWS_PER_RECORD = 50_000
#: Rows of one append. After an outage everything that waits would else be joined at once: as much memory again.
_ROWS_PER_APPEND = 50_000
#: Bytes of reports of one append, for the same reason.
_REPORT_BYTES_PER_APPEND = 8 << 20
#: Refused frames kept per append; the rest are counted only, so a flood of junk cannot fill the log.
_REJECTS_PER_APPEND = 500
_REJECT_HEADERS = {HEADER_SCHEMA: "gongche.rejects/1"}
#: What counts in the memory budget (measured): a position with its columns and its share of the reply's; what each
#: ``add`` costs beside them, some thirty arrays (with a dead log and few terminals that is nearly everything); and a
#: connection that was closed while receipts that wait still hold it.
ROW_BYTES = 200
ADD_BYTES = 8_000
CLOSED_BYTES = 1_600
_NO_ROWS: Final = PositionBatch.concat([])


class Receipt(Protocol):
    """What must happen when the positions that came with it are durable."""

    def release(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RejectNote:
    """A refused frame, as it goes to the rejects topic."""

    at_us: int
    peer: str
    phone: str
    reason: str
    detail: str
    raw: bytes

    def line(self) -> bytes:
        return orjson.dumps(
            {
                "at_us": self.at_us,
                "peer": self.peer,
                "phone": self.phone,
                "reason": self.reason,
                "detail": self.detail,
                "raw": self.raw.hex(),
            }
        )


class Batcher:
    """Collects positions and rejects; appends them; releases receipts."""

    def __init__(self, log: LogWriter, *, on_space: Callable[[], None]) -> None:
        """``on_space`` is called after each append, when memory was given back."""
        self._log = log
        self._on_space = on_space
        self._batches: list[PositionBatch] = []
        self._receipts: list[Receipt] = []
        self._reports: list[Report | None] = []  # beside each batch: what came with its receipt
        self._rejects: list[RejectNote] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._appending_since: float | None = None  # of perf_counter
        self.held_bytes = 0
        self._added = self._released = 0  # receipts so far
        self._retained: deque[tuple[int, int]] = deque()  # (receipts added by then, bytes)
        #: Ends with ``drain``. If it ends before, by an exception, nothing is appended or replied to any more: the owner of
        #: this object has to watch it.
        self.task = asyncio.create_task(self._run(), name="batcher")

    @property
    def busy(self) -> bool:
        """Whether something waits for the log."""
        return self._appending_since is not None or bool(self._batches)

    @property
    def waiting_s(self) -> float:
        """For how long the append that is under way has been tried; 0 = none is."""
        return 0.0 if self._appending_since is None else time.perf_counter() - self._appending_since

    def add(self, batch: PositionBatch, receipt: Receipt) -> None:
        """Positions whose replies wait in ``receipt``. ``batch`` may be empty (a reply alone)."""
        self._add(batch, receipt, None)
        metrics.POSITIONS.inc(len(batch))

    def report(self, report: Report, receipt: Receipt) -> None:
        """A message that is no position, whose reply waits in ``receipt``."""
        self._add(_NO_ROWS, receipt, report)
        metrics.REPORTS.labels(label(report.message)).inc()

    def _add(self, batch: PositionBatch, receipt: Receipt, report: Report | None) -> None:
        self._batches.append(batch)
        self._receipts.append(receipt)
        self._reports.append(report)
        self._added += 1
        self.held_bytes += _cost(batch, report)
        self._wake.set()

    def retain(self, size: int) -> None:
        """``size`` bytes more are held until every receipt added so far is released."""
        if self._added == self._released:
            return
        self.held_bytes += size
        if self._retained and self._retained[-1][0] == self._added:
            size += self._retained.pop()[1]
        self._retained.append((self._added, size))

    def reject(self, note: RejectNote, count: int = 1) -> None:
        """Keep a refused frame for the rejects topic (bounded) and count it: ``count`` things in it were refused."""
        metrics.REJECTS.labels(note.reason).inc(count)
        if len(self._rejects) < _REJECTS_PER_APPEND:
            self._rejects.append(note)
            self._wake.set()
        else:
            metrics.REJECTS_UNRECORDED.inc(count)

    async def drain(self, timeout_s: float) -> int:
        """Append what is held, at most for ``timeout_s``. Returns how many positions were given up (never replied to),
        also when the ``task`` has failed."""
        self._stopping = True
        self._wake.set()
        done, _ = await asyncio.wait([self.task], timeout=timeout_s)
        if not done:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        return sum(map(len, self._batches))

    async def _run(self) -> None:
        while True:
            if not self._batches and not self._rejects:
                if self._stopping:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            count = self._next()
            batches, self._batches = self._batches[:count], self._batches[count:]
            receipts, self._receipts = self._receipts[:count], self._receipts[count:]
            beside, self._reports = self._reports[:count], self._reports[count:]
            rejects, self._rejects = self._rejects, []
            held = sum(map(_cost, batches, beside))
            reports = [one for one in beside if one is not None]
            batch = PositionBatch.concat(batches)
            batches.clear()  # their rows are in batch now
            self._appending_since = time.perf_counter()
            try:
                await self._append(batch, rejects, reports)
            except BaseException:
                self._batches = [batch, *self._batches]  # given up by drain, which counts it
                raise
            self._appending_since = None
            metrics.CONFIRMED.inc(len(batch))
            metrics.REPORTS_CONFIRMED.inc(len(reports))
            metrics.APPEND_ROWS.observe(len(batch))
            for receipt in receipts:
                receipt.release()
            self._released += len(receipts)
            while self._retained and self._retained[0][0] <= self._released:
                held += self._retained.popleft()[1]
            self.held_bytes -= held
            self._on_space()

    def _next(self) -> int:
        """How many of the batches that wait form the next append."""
        rows = size = 0
        for count, (batch, report) in enumerate(zip(self._batches, self._reports, strict=True)):
            rows += len(batch)
            if report is not None:
                size += report.cost
            if count and (rows > _ROWS_PER_APPEND or size > _REPORT_BYTES_PER_APPEND):
                return count
        return len(self._batches)

    def _records(self, batch: PositionBatch) -> list[Record]:
        if not len(batch):
            return []
        count = self._log.partitions
        if count == 1:
            return _split(0, table(batch))
        partition = partitions_of(batch.terminal, count)
        order = np.argsort(partition, kind="stable")
        rows = table(batch.take(order))
        numbers, starts = np.unique(partition[order], return_index=True)
        ends = [*starts[1:].tolist(), len(batch)]
        records: list[Record] = []
        for number, start, end in zip(numbers.tolist(), starts.tolist(), ends, strict=True):
            records += _split(number, rows.slice(start, end - start))
        return records

    async def _append(
        self, batch: PositionBatch, rejects: Sequence[RejectNote], reports: Sequence[Report]
    ) -> None:
        pause = 0.05
        records, divided = self._records(batch), self._log.partitions
        refused = b"\n".join(note.line() for note in rejects)
        others = [Record(REJECTS, 0, refused, _REJECT_HEADERS)] if rejects else []
        if reports:
            others += records_of(reports)
        while True:
            if self._log.partitions != divided:  # the topic was made anew while we were cut off from it
                records, divided = self._records(batch), self._log.partitions
            begin = time.perf_counter()
            try:
                await self._log.append([*records, *others])
            except UnavailableError as error:
                metrics.APPEND_FAILURES.inc()
                logger.warning(
                    "log append failed, nothing confirmed, trying again in %.2f s: %s", pause, error
                )
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                continue
            metrics.APPEND_SECONDS.observe(time.perf_counter() - begin)
            return


def _cost(batch: PositionBatch, report: Report | None) -> int:
    cost = ADD_BYTES + len(batch) * ROW_BYTES + int(batch.items_data.size)
    return cost if report is None else cost + report.cost


def _split(partition: int, rows: Any) -> list[Record]:
    """Records of ``rows`` (of ``codec.table``): halves of halves, until each is within what the log takes."""
    n = rows.num_rows
    if n <= _ROWS_PER_RECORD:
        payload = write(rows)
        if len(payload) <= MAX_RECORD_BYTES or n == 1:
            return [Record(POSITIONS_TOPIC, partition, payload, HEADERS)]
    return _split(partition, rows.slice(0, n // 2)) + _split(partition, rows.slice(n // 2))
