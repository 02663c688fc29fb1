"""A log that is damaged itself: what cannot be read is said to be so, and everything else of it is read."""

from __future__ import annotations

import asyncio
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from aiokafka.record._crc32c import crc as crc32c
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from telemetry.log.base import POSITIONS, Record, StoredRecord
from telemetry.log.kafka.broken import first_broken
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter

SIZE = 40_000  # of a record: it has pages of its own


async def fill(path: Path, count: int, partitions: int = 1) -> list[bytes]:
    """A log of ``count`` records; their payloads."""
    rng = np.random.default_rng(4)
    made = [rng.bytes(SIZE) for _ in range(count)]
    writer = EmbeddedLogWriter(path, partitions)
    for k, payload in enumerate(made):
        await writer.append([Record(POSITIONS, k % partitions, payload, {"a": "b"})])
    await writer.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return made


async def read(path: Path, count: int, partitions: int = 1) -> list[StoredRecord]:
    """``count`` records from the beginning, as a worker reads them."""
    reader = EmbeddedLogReader(path, POSITIONS, partitions)
    try:
        await reader.poll(1, 0)
        for partition in range(partitions):
            await reader.seek(partition, 0)
        found: list[StoredRecord] = []
        async with asyncio.timeout(20):
            while len(found) < count:
                found += (await reader.poll(SIZE * 3, 0.05)).records
        ends = await reader.end_offsets()
        assert max(ends.values()) >= found[-1].offset + 1
        assert not (await reader.poll(SIZE, 0.05)).records
    finally:
        await reader.close()
    return found


async def test_bytes_that_have_changed_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    made = await fill(path, 5)
    data = bytearray(path.read_bytes())
    at = data.index(made[2][1000:1100])
    data[at] ^= 1
    path.write_bytes(data)
    found = await read(path, 5)
    assert [record.unreadable for record in found] == ["", "", "the checksum does not fit", "", ""]
    assert [record.payload for record in found if not record.unreadable] == [made[k] for k in (0, 1, 3, 4)]
    assert found[2].offset == found[1].offset + 1
    assert found[0].headers == {"a": "b"}


async def test_records_of_an_earlier_version_have_no_checksum(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    made = await fill(path, 2)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE records SET headers = ?", (b"{}",))
    assert [record.payload for record in await read(path, 2)] == made


@pytest.mark.parametrize("partitions", [1, 3])
async def test_any_page_of_the_file_may_be_lost(tmp_path: Path, partitions: int) -> None:
    """Every page but the first one and that of the log's name, without which it is no log, is overwritten, one at a time: all
    records are read or said to be unreadable, in order, and what is read is what was written."""
    path = tmp_path / "log.sqlite"
    made = await fill(path, 12, partitions)
    with closing(sqlite3.connect(path)) as connection:
        roots = connection.execute("SELECT rootpage - 1 FROM sqlite_master WHERE tbl_name = 'log_settings'")
        names = {row[0] for row in roots}
    whole = path.read_bytes()
    size = struct.unpack(">H", whole[16:18])[0]
    unreadable = 0
    for page in sorted(set(range(1, len(whole) // size)) - names):
        for filling in (b"\x00", b"\xff"):
            path.write_bytes(whole[: page * size] + filling * size + whole[(page + 1) * size :])
            found = await read(path, 12, partitions)
            for name in ("log.sqlite-wal", "log.sqlite-shm"):
                (tmp_path / name).unlink(missing_ok=True)
            unreadable += sum(bool(record.unreadable) for record in found)
            for record in found:
                assert record.unreadable or record.payload == made[record.offset - 1]
    assert unreadable


# ---- Kafka -----------------------------------------------------------------------------------------------------------


def batch(base: int, count: int, codec: int = 0) -> bytearray:
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 1 << 20)
    for k in range(count):
        builder.append(k, 1_700_000_000_000, b"k", b"value %d" % (base + k), [])
    made = bytearray(builder.build())
    made[:8] = struct.pack(">q", base)  # not in the checksum: brokers set it
    return made


def test_what_can_be_read_is_not_broken() -> None:
    data = bytes(batch(5, 3) + batch(8, 2, codec=1))
    assert first_broken(data, 5, 10) is None
    assert first_broken(data, 6, 10) is None  # from the middle of a batch
    assert first_broken(data[:-7], 5, 10) is None  # the last one is cut off
    assert first_broken(b"", 5, 5) is None


@pytest.mark.parametrize("at", [17, 30, 45, 58, 62, 70])
def test_a_byte_that_has_changed(at: int) -> None:
    bad = batch(8, 2)
    bad[at] ^= 0x10
    found = first_broken(bytes(batch(5, 3) + bad + batch(10, 4)), 5, 14)
    assert found is not None
    assert (found.first, found.following) == (8, 10)
    assert found.payload == bytes(bad)
    assert "checksum" in found.error


def test_a_compression_that_nobody_knows() -> None:
    bad = batch(8, 2)
    bad[22] |= 7
    bad[17:21] = struct.pack(">I", crc32c(bytes(bad[21:])))
    found = first_broken(bytes(bad), 8, 10)
    assert found is not None
    assert (found.first, found.following) == (8, 10)
    assert "odec" in found.error


def test_no_record_that_can_be_read_is_passed_over() -> None:
    """Whatever the damaged batch says of its own length in offsets."""
    bad = batch(8, 2)
    bad[23:27] = struct.pack(">i", 900)
    found = first_broken(bytes(bad + batch(10, 4)), 8, 2_000)
    assert found is not None
    assert found.following == 10
    bad[23:27] = struct.pack(">i", -3)
    found = first_broken(bytes(bad), 8, 10)
    assert found is not None
    assert found.following == 9  # one by one


@pytest.mark.parametrize("length", [-1, 0, 13, 1 << 30])
def test_a_length_that_is_not_true(length: int) -> None:
    bad = batch(8, 2)
    bad[8:12] = struct.pack(">i", length)
    assert (
        first_broken(bytes(batch(5, 3) + bad + batch(10, 4)), 5, 14) is None
    )  # it is looked at when it comes first
    found = first_broken(bytes(bad + batch(10, 4)), 8, 14)
    assert found is not None
    assert (found.first, found.following) == (8, 10)


def test_any_bytes_are_read_or_broken() -> None:
    rng = np.random.default_rng(7)
    for _ in range(3_000):
        data = bytearray(batch(5, 3) + batch(8, 2, codec=int(rng.integers(0, 2))))
        for _ in range(int(rng.integers(1, 5))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        found = first_broken(bytes(data), 5, 10)
        if found is not None:
            assert found.first < found.following
