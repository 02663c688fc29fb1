"""Group commit: whatever comes and whenever the log fails, replies leave once, in order, after what they reply to is
stored, and the memory that was counted is given back to the byte."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry.gateway import batcher
from telemetry.gateway.batcher import Batcher
from telemetry.log.codec import decode
from telemetry.log.sqlite import EmbeddedLogWriter
from telemetry.positions import PositionBatch
from tests.examples import examples

_ROWS_PER_APPEND = 100


class _Disk:
    """The file of the log, seen by somebody else who may lock it (appends wait) or break it (appends are refused)."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._read = 0
        self._locked = self._broken = False
        self.rows: list[int] = []  # latitudes, in the order of the log
        self.records: list[int] = []  # rows in each

    def lock(self) -> None:
        if not self._locked:
            self._connection.execute("BEGIN IMMEDIATE")
            self._locked = True

    def unlock(self) -> None:
        if self._locked:
            self._connection.execute("COMMIT")
            self._locked = False

    def break_it(self) -> None:
        if not self._broken:
            self._connection.execute("ALTER TABLE records RENAME TO away")
            self._broken = True

    def mend(self) -> None:
        if self._broken:
            self._connection.execute("ALTER TABLE away RENAME TO records")
            self._broken = False

    def look(self) -> None:
        """Read what is new in the log."""
        query = f'SELECT "offset", payload FROM {"away" if self._broken else "records"} WHERE "offset" > ? ORDER BY 1'  # noqa: S608 - our own names
        for offset, payload in self._connection.execute(query, (self._read,)):
            self._read = offset
            rows = decode(payload).lat_e6.tolist()
            self.records.append(len(rows))
            self.rows += rows

    def close(self) -> None:
        self._connection.close()


class _Receipt:
    def __init__(self, rows: range, disk: _Disk, released: list[range]) -> None:
        self._rows, self._disk, self._released = rows, disk, released

    def release(self) -> None:
        self._disk.look()
        assert set(self._disk.rows).issuperset(self._rows), "a reply before its positions are stored"
        self._released.append(self._rows)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 90)),
        st.tuples(st.just("closed"), st.just(1_600)),
        st.tuples(st.just("wait"), st.integers(0, 8)),
        st.tuples(st.sampled_from(("lock", "unlock", "break", "mend")), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=_STEPS)
def test_replies_and_memory(steps: list[tuple[str, int]]) -> None:
    most, batcher._ROWS_PER_APPEND = batcher._ROWS_PER_APPEND, _ROWS_PER_APPEND
    try:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_run(Path(folder) / "log.sqlite", steps))
    finally:
        batcher._ROWS_PER_APPEND = most


async def _run(path: Path, steps: list[tuple[str, int]]) -> None:
    log = EmbeddedLogWriter(path, partitions=2)
    disk = _Disk(path)
    released: list[range] = []
    added: list[range] = []
    made = Batcher(log, on_space=lambda: None)
    rows = 0
    for step, size in steps:
        match step:
            case "add":
                span = range(rows, rows + size)
                rows += size
                lat = np.arange(span.start, span.stop)
                batch = PositionBatch.build(
                    size, terminal=lat % 7 + 1, received_us=1, device_us=1, lat_e6=lat
                )
                before = made.held_bytes
                made.add(batch, _Receipt(span, disk, released))
                assert made.held_bytes - before > size * 84, "at least its columns"
                added.append(span)
            case "closed":
                made.retain(size)
            case "wait":
                await asyncio.sleep(size / 1000)  # time: a step of the plan like the others
            case "lock":
                disk.lock()
            case "unlock":
                disk.unlock()
            case "break":
                disk.break_it()
            case "mend":
                disk.mend()
        assert made.held_bytes >= 0
        assert (made.held_bytes == 0) <= (len(released) == len(added))
    disk.mend()
    disk.unlock()
    assert await made.drain(10) == 0
    await log.close()
    disk.look()
    disk.close()
    assert released == added
    assert sorted(disk.rows) == list(range(rows)), "stored once each: a refused append left nothing behind"
    assert max(disk.records, default=0) <= _ROWS_PER_APPEND, "more in one append than is allowed"
    assert made.held_bytes == 0
