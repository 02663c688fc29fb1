"""The embedded log against a model, with writers that are killed and writes that are torn by a power cut.

What was confirmed is there: once, in order, under dense offsets that are never given again. What was not confirmed is
there whole or not at all, one append after the other.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import struct
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from telemetry.log.base import POSITIONS, REJECTS, StoredRecord
from telemetry.log.sqlite import EmbeddedLogReader
from tests.integration.log_child import ChildWriter, Item

PARTITIONS = 2
FAR_FUTURE_US = 4_000_000_000 * 1_000_000
_WAL_HEADER, _FRAME_HEADER = 32, 24

places = st.sampled_from([(POSITIONS, 0), (POSITIONS, 1), (REJECTS, 0)])
# A page is 16 KiB: records within a page, over some, over many.
sizes = st.sampled_from([0, 1, 100, 5_000, 40_000])
appends = st.lists(st.tuples(places, sizes), min_size=1, max_size=4)
delays = st.sampled_from([0.0, 0.0005, 0.002, 0.005, 0.05])


class Wal(NamedTuple):
    """Where the confirmed part of a write-ahead log ends, and of which generation it is (its salts)."""

    salts: bytes
    end: int


def read_wal(path: Path) -> Wal:
    """The frames of the present generation, up to its last commit (https://sqlite.org/fileformat2.html#walformat)."""
    wal = path.with_name(path.name + "-wal")
    data = wal.read_bytes() if wal.exists() else b""
    if len(data) < _WAL_HEADER:
        return Wal(b"", 0)
    (page,) = struct.unpack_from(">I", data, 8)
    salts, end = data[16:24], 0
    at = _WAL_HEADER
    while at + _FRAME_HEADER + page <= len(data) and data[at + 8 : at + 16] == salts:
        (pages_after_commit,) = struct.unpack_from(">I", data, at + 4)
        at += _FRAME_HEADER + page
        if pages_after_commit:
            end = at
    return Wal(salts, end)


def tear(wal: bytes, first: int, how: str, chance: random.Random) -> bytes:
    """``wal`` after a power cut: what was not synced, from ``first`` on, came to the disk as it liked."""
    first = min(first, len(wal))
    at = chance.randint(first, len(wal))
    if how == "cut":
        return wal[:at]
    if how == "zeros":
        return wal[:at] + bytes(len(wal) - at)
    if how == "garbage":
        return wal[:at] + chance.randbytes(len(wal) - at)
    if how == "flip" and at < len(wal):
        return wal[:at] + bytes([wal[at] ^ 0x40]) + wal[at + 1 :]
    return wal + chance.randbytes(5_000)


class LogModel(RuleBasedStateMachine):
    """``self.present``: what is in the log, by offset. ``self.next``: the offset of the next record."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="gongche-log-"))
        self.serial = count()
        self.generation = count()
        self.path = self.folder / "log0"
        self.loop = asyncio.new_event_loop()
        self.present: dict[int, Item] = {}
        self.next = 1
        self.at = dict.fromkeys(range(PARTITIONS), 0)
        self.began_us = time.time_ns() // 1000

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.writer = ChildWriter(self.path, PARTITIONS)
        self.open_reader()
        self.identity = self.run(self.reader.identity())

    def open_reader(self) -> None:
        self.reader = EmbeddedLogReader(self.path, POSITIONS, PARTITIONS)
        assert self.run(self.reader.poll(1, 0)).assigned == {0, 1}
        for partition, offset in self.at.items():
            self.run(self.reader.seek(partition, offset))

    def items(self, wanted: Sequence[tuple[tuple[str, int], int]]) -> list[Item]:
        return [(topic, p, b"%d:" % next(self.serial) + b"x" * size) for (topic, p), size in wanted]

    def confirmed(self, batch: Sequence[Item]) -> None:
        for item in batch:
            self.present[self.next] = item
            self.next += 1

    def waiting(self, partition: int) -> list[tuple[int, bytes]]:
        return [
            (offset, payload)
            for offset, (topic, p, payload) in sorted(self.present.items())
            if (topic, p) == (POSITIONS, partition) and offset >= self.at[partition]
        ]

    # ---- what a writer and a reader do ----

    @rule(wanted=appends)
    def append(self, wanted: Any) -> None:
        batch = self.items(wanted)
        self.writer.append([batch])
        self.confirmed(batch)

    @rule(wanted=st.lists(appends, min_size=2, max_size=5))
    def append_overlapping(self, wanted: Any) -> None:
        batches = [self.items(one) for one in wanted]
        self.writer.append(batches)
        for batch in batches:  # they are queued in their order
            self.confirmed(batch)

    @rule(times=st.integers(1, 3))
    def append_until_the_file_is_written_back(self, times: int) -> None:
        for _ in range(times):
            batch = self.items([((POSITIONS, 0), 6_000_000)])
            self.writer.append([batch])
            self.confirmed(batch)

    @rule(max_bytes=st.sampled_from([1, 300, 50_000, 1 << 24]))
    def poll(self, max_bytes: int) -> None:
        expected = {p: self.waiting(p) for p in range(PARTITIONS)}
        records: Sequence[StoredRecord] = self.run(self.reader.poll(max_bytes, 0)).records
        assert bool(records) == any(expected.values())
        assert sum(len(r.payload) for r in records[:-1]) < max_bytes
        for partition in range(PARTITIONS):
            found = [(r.offset, r.payload) for r in records if r.partition == partition]
            assert found == expected[partition][: len(found)]
            if found:
                self.at[partition] = found[-1][0] + 1
        if sum(len(r.payload) for r in records) < max_bytes:
            assert len(records) == sum(map(len, expected.values()))
        for record in records:
            assert record.topic == POSITIONS
            assert self.began_us <= record.appended_us <= time.time_ns() // 1000

    @rule(partition=st.integers(0, PARTITIONS - 1), back=st.integers(0, 40))
    def seek(self, partition: int, back: int) -> None:
        self.at[partition] = max(0, self.next - back)
        self.run(self.reader.seek(partition, self.at[partition]))

    @rule(back=st.integers(0, 30), old=st.booleans(), others_old=st.booleans())
    def trim(self, back: int, old: bool, others_old: bool) -> None:
        before = {0: max(0, self.next - back), 1: max(0, self.next - 2 * back)}
        ages = [FAR_FUTURE_US if is_old else self.began_us for is_old in (old, others_old)]
        gone = {
            offset
            for offset, (topic, partition, _) in self.present.items()
            if (others_old if topic == REJECTS else old and offset < before[partition])
        }
        assert self.run(self.reader.trim(before, *ages)) == len(gone)
        for offset in gone:
            del self.present[offset]

    @rule()
    def reopen_reader(self) -> None:
        self.run(self.reader.close())
        self.open_reader()

    @rule()
    def reopen_writer(self) -> None:
        self.writer.close()
        self.writer = ChildWriter(self.path, PARTITIONS)

    @rule()
    def reopen_everything(self) -> None:
        self.writer.close()  # the last to close writes the log back into the file
        self.run(self.reader.close())
        self.writer = ChildWriter(self.path, PARTITIONS)
        self.open_reader()

    # ---- what befalls them ----

    @rule(wanted=st.lists(appends, max_size=6), delay=delays)
    def kill_the_writer(self, wanted: Any, delay: float) -> None:
        batches = [self.items(one) for one in wanted]
        done = self.writer.append_and_kill(batches, delay)
        self.writer = ChildWriter(self.path, PARTITIONS)
        self.take_survivors(batches, done)

    @rule(
        wanted=appends,
        delay=delays,
        how=st.sampled_from(["cut", "zeros", "garbage", "flip", "longer"]),
        seed=st.integers(0, 2**32),
    )
    def cut_the_power(self, wanted: Any, delay: float, how: str, seed: int) -> None:
        batch = self.items(wanted)
        before, file_before = read_wal(self.path), self.path.read_bytes()
        done = self.writer.append_and_kill([batch], delay)
        after, file_after = read_wal(self.path), self.path.read_bytes()
        first = before.end if before.salts == after.salts else 0
        if (
            done or file_before != file_after
        ):  # confirmed, or being written back: what is committed was synced before
            first = after.end
        torn = self.folder / f"log{next(self.generation) + 1}"
        wal = self.path.with_name(self.path.name + "-wal").read_bytes()
        torn.write_bytes(file_after)
        torn.with_name(torn.name + "-wal").write_bytes(tear(wal, first, how, random.Random(seed)))
        self.run(self.reader.close())
        for old in self.folder.glob(f"{self.path.name}*"):
            old.unlink()
        self.path = torn
        self.writer = ChildWriter(self.path, PARTITIONS)
        self.open_reader()
        self.take_survivors([batch], done)
        self.check_everything()

    def take_survivors(self, batches: Sequence[Sequence[Item]], done: set[int]) -> None:
        """Whatever came after the last record that is known: whole appends, in their order, all the confirmed ones."""
        found = sorted(
            (r.offset, (r.topic, r.partition, r.payload)) for r in self.read_all() if r.offset >= self.next
        )
        assert [offset for offset, _ in found] == list(range(self.next, self.next + len(found)))
        items = [item for _, item in found]
        whole = 0
        for number, batch in enumerate(batches):
            if items[whole : whole + len(batch)] != batch:
                break
            whole += len(batch)
            done = done - {number}
        assert whole == len(items), "a part of an append"
        assert not done, "confirmed and gone"
        self.confirmed(items)

    def read_all(self) -> list[StoredRecord]:
        found: list[StoredRecord] = []
        for topic in (POSITIONS, REJECTS):
            reader = EmbeddedLogReader(self.path, topic, PARTITIONS)
            for partition in self.run(reader.poll(1, 0)).assigned:
                self.run(reader.seek(partition, 0))
            while records := self.run(reader.poll(1 << 24, 0)).records:
                found += records
            self.run(reader.close())
        return found

    def check_everything(self) -> None:
        assert {r.offset: (r.topic, r.partition, r.payload) for r in self.read_all()} == self.present

    @invariant()
    def it_is_the_same_log_and_knows_its_end(self) -> None:
        if not hasattr(self, "identity"):
            return
        assert self.run(self.reader.identity()) == self.identity
        ends = dict.fromkeys(range(PARTITIONS), 0)
        for offset, (topic, partition, _) in self.present.items():
            if topic == POSITIONS:
                ends[partition] = max(ends[partition], offset + 1)
        assert self.run(self.reader.end_offsets()) == ends

    def teardown(self) -> None:
        try:
            if hasattr(self, "identity"):
                self.check_everything()
                self.writer.close()
                self.run(self.reader.close())
        finally:
            self.loop.close()
            shutil.rmtree(self.folder, ignore_errors=True)


LogModel.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # when a process dies is no longer the same when it shrinks
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLogModel = LogModel.TestCase
