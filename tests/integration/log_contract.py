"""What every implementation of the log promises (``telemetry.log.base``), as tests that run against each of them.

A module of tests subclasses ``LogContract`` and gives it a fixture ``log``: a fresh, empty log of three partitions.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import pytest

from runtime.errors import BatchTooLargeError, UnavailableError
from telemetry.log.base import POSITIONS, REJECTS, LogReader, LogWriter, Record, StoredRecord
from telemetry.log.codec import MAX_RECORD_BYTES

PARTITIONS = 3
PATIENCE_S = 60.0


class LogUnderTest(Protocol):
    """Makes writers and readers of one log; they are started by the tests."""

    def writer(self) -> LogWriter: ...

    def reader(self, topic: str = POSITIONS) -> LogReader: ...


async def assigned(reader: LogReader, offsets: Mapping[int, int] | None = None) -> set[int]:
    """Wait for partitions and seek each to its place in ``offsets`` (default 0); which they are."""
    async with asyncio.timeout(PATIENCE_S):
        while not (poll := await reader.poll(1, 0.1)).assigned:
            assert not poll.records, "records before an assignment"
    for partition in poll.assigned:
        await reader.seek(partition, (offsets or {}).get(partition, 0))
    return set(poll.assigned)


async def take(reader: LogReader, count: int, max_bytes: int = 1 << 20) -> list[StoredRecord]:
    """The next ``count`` records, and an assertion that there is none too many."""
    found: list[StoredRecord] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            found += (await reader.poll(max_bytes, 0.5)).records
    assert len(found) == count
    return found


def payloads(records: Sequence[StoredRecord], partition: int) -> list[bytes]:
    """Payloads of ``partition``, in the order read."""
    return [record.payload for record in records if record.partition == partition]


class LogContract:
    """The promises. ``log`` comes from the subclass."""

    async def test_what_is_confirmed_is_read_back_in_order(self, log: LogUnderTest) -> None:
        writer = log.writer()
        await writer.start()
        assert writer.partitions == PARTITIONS
        batches = [
            [Record(POSITIONS, k % 3, b"%d" % k, {"schema": "b/1", "names": "沪"}), Record(REJECTS, 0, b"r")]
            for k in range(30)
        ]
        await asyncio.gather(*(writer.append(batch) for batch in batches))
        await writer.append([])
        await writer.close()

        reader = log.reader()
        await reader.start()
        assert await assigned(reader) == {0, 1, 2}
        found = await take(reader, 30)
        assert (await reader.poll(1 << 20, 0.1)).records == []
        ends = await reader.end_offsets()
        await reader.close()
        for partition in range(PARTITIONS):
            mine = [record for record in found if record.partition == partition]
            assert [int(record.payload) for record in mine] == list(range(partition, 30, 3))
            assert [record.offset for record in mine] == sorted({record.offset for record in mine})
            assert ends[partition] == mine[-1].offset + 1
        assert {record.topic for record in found} == {POSITIONS}
        assert all(record.headers == {"schema": "b/1", "names": "沪"} for record in found)
        assert max(r.appended_us for r in found) - min(r.appended_us for r in found) < 60_000_000
        assert min(r.appended_us for r in found) > 1_700_000_000_000_000

        rejects = log.reader(REJECTS)
        await rejects.start()
        await assigned(rejects)
        assert {record.payload for record in await take(rejects, 30)} == {b"r"}
        await rejects.close()

    async def test_readers_of_one_log_agree_on_its_identity(self, log: LogUnderTest) -> None:
        one, other = log.reader(), log.reader()
        await one.start()
        await other.start()
        assert await one.identity() == await other.identity() != ""
        await one.close()
        await other.close()

    async def test_reader_starts_where_it_is_told_and_waits_for_more(self, log: LogUnderTest) -> None:
        writer, reader = log.writer(), log.reader()
        await writer.start()
        await reader.start()
        await writer.append([Record(POSITIONS, 1, b"old")])
        await assigned(reader, await reader.end_offsets())
        waiting = asyncio.create_task(reader.poll(1, PATIENCE_S))
        await asyncio.sleep(0.05)  # time: it waits, nothing happens
        assert not waiting.done()
        await writer.append([Record(POSITIONS, 1, b"new")])
        (record,) = (await waiting).records
        assert record.payload == b"new"
        assert (await reader.poll(1, 0.01)).records == []
        # Back, as after a transaction that was rolled back; and once more after more was read than is processed.
        for _ in range(2):
            await reader.seek(1, record.offset)
            await writer.append([Record(POSITIONS, 1, b"newer")])
            assert payloads(await take(reader, 1, max_bytes=1), 1) == [b"new"]
        assert payloads(await take(reader, 2), 1) == [b"newer", b"newer"]
        await reader.close()
        await writer.close()

    async def test_a_poll_brings_about_what_was_asked_for(self, log: LogUnderTest) -> None:
        writer, reader = log.writer(), log.reader()
        await writer.start()
        await reader.start()
        await writer.append([Record(POSITIONS, 0, bytes([k]) * 1000) for k in range(20)])
        await assigned(reader)
        found: list[StoredRecord] = []
        async with asyncio.timeout(PATIENCE_S):
            while len(found) < 20:
                records = (await reader.poll(3_000, 0.5)).records
                assert sum(len(record.payload) for record in records) <= 4_000
                found += records
        assert [record.payload[0] for record in found] == list(range(20))
        assert [len((await reader.poll(1, 0)).records) for _ in range(3)] == [0, 0, 0]
        await reader.seek(0, found[0].offset)
        assert payloads(await take(reader, 1, max_bytes=1), 0) == [bytes(1000)]
        await reader.close()
        await writer.close()

    async def test_records_of_every_size_up_to_the_limit(self, log: LogUnderTest) -> None:
        writer, reader = log.writer(), log.reader()
        await writer.start()
        await reader.start()
        with pytest.raises(BatchTooLargeError):
            await writer.append(
                [Record(POSITIONS, 0, b"a"), Record(POSITIONS, 0, bytes(MAX_RECORD_BYTES + 1))]
            )
        sizes = [0, 1, MAX_RECORD_BYTES, 7, MAX_RECORD_BYTES - 1]
        await writer.append([Record(POSITIONS, 2, bytes(size), {"h": "x" * 1000}) for size in sizes])
        await assigned(reader)
        assert [len(payload) for payload in payloads(await take(reader, len(sizes)), 2)] == sizes
        await reader.close()
        await writer.close()

    async def test_after_close_nothing_is_taken(self, log: LogUnderTest) -> None:
        writer = log.writer()
        await writer.start()
        await writer.close()
        with pytest.raises(UnavailableError):
            await writer.append([Record(POSITIONS, 0, b"late")])
        await writer.close()

    async def test_an_append_that_is_cancelled_leaves_the_log_usable(self, log: LogUnderTest) -> None:
        writer, reader = log.writer(), log.reader()
        await writer.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.001):
                await writer.append([Record(POSITIONS, 0, bytes(1 << 20)) for _ in range(4)])
        await writer.append([Record(POSITIONS, 0, b"after")])
        await writer.close()
        await reader.start()
        await assigned(reader)
        found: list[bytes] = []
        async with asyncio.timeout(PATIENCE_S):
            while b"after" not in found:
                found += [record.payload for record in (await reader.poll(1 << 24, 0.5)).records]
        assert len(found) in (1, 5)
        await reader.close()
