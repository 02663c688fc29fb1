"""The embedded log: the promises that every implementation keeps (``log_contract``), its own, and the record codec."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import ConfigurationError, SchemaError, UnavailableError
from telemetry.log.base import POSITIONS, Record, StoredRecord, partitions_of
from telemetry.log.codec import HEADERS, decode, decode_all, encode, table, write
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.positions import OPTIONAL, SPEC, PositionBatch, fingerprint
from tests.integration.log_contract import PARTITIONS, LogContract


async def read_all(path: Path, topic: str = POSITIONS, partitions: int = 1) -> list[StoredRecord]:
    reader = EmbeddedLogReader(path, topic, partitions)
    assigned = (await reader.poll(1, 0)).assigned
    for partition in assigned:
        await reader.seek(partition, 0)
    found: list[StoredRecord] = []
    while records := (await reader.poll(1 << 20, 0)).records:
        found += records
    await reader.close()
    return found


class EmbeddedLog:
    """The embedded log, for the tests that every implementation passes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def writer(self) -> EmbeddedLogWriter:
        return EmbeddedLogWriter(self._path, PARTITIONS)

    def reader(self, topic: str = POSITIONS) -> EmbeddedLogReader:
        return EmbeddedLogReader(self._path, topic, PARTITIONS)


class TestEmbedded(LogContract):
    @pytest.fixture
    def log(self, tmp_path: Path) -> EmbeddedLog:
        return EmbeddedLog(tmp_path / "log")


async def test_another_file_is_another_log(tmp_path: Path) -> None:
    one, other = (
        EmbeddedLogReader(tmp_path / "one", POSITIONS),
        EmbeddedLogReader(tmp_path / "other", POSITIONS),
    )
    assert await one.identity() != await other.identity()
    await one.close()
    await other.close()


async def test_offsets_are_never_given_twice_after_a_trim(tmp_path: Path) -> None:
    writer, reader = EmbeddedLogWriter(tmp_path / "log"), EmbeddedLogReader(tmp_path / "log", POSITIONS)
    await writer.append([Record(POSITIONS, 0, b"a"), Record(POSITIONS, 0, b"b")])
    before = await reader.end_offsets()
    assert await reader.trim(before, older_than_us=0) == 0
    assert await reader.trim(before, older_than_us=time.time_ns() // 1000 + 1) == 2
    await writer.append([Record(POSITIONS, 0, b"c")])
    await writer.close()
    await reader.close()
    (record,) = await read_all(tmp_path / "log")
    assert record.offset >= before[0]


async def test_no_partition_waits_behind_another_s_backlog(tmp_path: Path) -> None:
    writer, reader = EmbeddedLogWriter(tmp_path / "log", 3), EmbeddedLogReader(tmp_path / "log", POSITIONS, 3)
    for partition in (await reader.poll(1, 0)).assigned:
        await reader.seek(partition, 0)
    for k in range(20):
        await writer.append([Record(POSITIONS, 0, b"much" * 1000), Record(POSITIONS, 1 + k % 2, b"little")])
    found: list[StoredRecord] = []
    while records := (await reader.poll(5000, 0)).records:
        assert len(records) <= 4
        found += records
    assert [record.offset for record in found] == list(range(1, 41)), "in the order of appending"
    await reader.seek(2, 20)  # one that was taken over from somebody far behind
    assert {record.partition for record in (await reader.poll(1 << 20, 0)).records} == {2}
    await writer.close()
    await reader.close()


async def test_bad_files_are_clear_errors(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no log at all, but long enough to look like a file" * 100)
    with pytest.raises(UnavailableError, match="text"):
        EmbeddedLogWriter(tmp_path / "text")
    newer = sqlite3.connect(tmp_path / "newer")
    newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(ConfigurationError, match="format 99"):
        EmbeddedLogReader(tmp_path / "newer", POSITIONS)


def _append_until_killed(path: Path, confirmed: Path) -> None:
    async def work() -> None:
        writer = EmbeddedLogWriter(path)
        with confirmed.open("ab", buffering=0) as out:
            for k in range(1_000_000):
                await writer.append([Record(POSITIONS, 0, b"%d" % k)])
                out.write(b"%d\n" % k)

    asyncio.run(work())


def test_kill_9_loses_nothing_that_was_confirmed_and_a_torn_write_is_recovered(tmp_path: Path) -> None:
    for round_ in range(3):
        path, confirmed = tmp_path / f"log{round_}", tmp_path / f"confirmed{round_}"
        process = multiprocessing.get_context("spawn").Process(
            target=_append_until_killed, args=(path, confirmed)
        )
        process.start()
        while not confirmed.exists() or confirmed.stat().st_size < 200:
            time.sleep(0.01)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        wal = path.with_name(path.name + "-wal")
        if wal.exists():
            with wal.open("ab") as torn:  # the start of a frame that was never finished
                torn.write(b"\x37\x7f\x06\x82" + os.urandom(5_000))
        last = int(confirmed.read_text().split()[-1])
        found = [int(r.payload) for r in asyncio.run(read_all(path))]
        assert found[: last + 1] == list(range(last + 1))
        assert len(found) <= last + 2  # at most the one that was under way
        asyncio.run(_append_one(path, b"after"))
        assert asyncio.run(read_all(path))[-1].payload == b"after"


async def _append_one(path: Path, payload: bytes) -> None:
    writer = EmbeddedLogWriter(path)
    await writer.append([Record(POSITIONS, 0, payload)])
    await writer.close()


# --- record codec ---------------------------------------------------------------------------------------------------


@st.composite
def batches(draw: st.DrawFn) -> PositionBatch:
    n = draw(st.integers(1, 20))
    columns = {}
    for name, (dtype, _unit) in SPEC.items():
        info = np.iinfo(dtype)
        low, high = (0, 253_402_300_799_999_999) if name == "received_us" else (int(info.min), int(info.max))
        values = draw(st.lists(st.integers(low, high), min_size=n, max_size=n))
        columns[name] = np.array(values, dtype)
    columns["present"] &= np.uint8((1 << len(OPTIONAL)) - 1)
    for k, name in enumerate(OPTIONAL):
        columns[name] = np.where(columns["present"] & (1 << k), columns[name], 0)
    pieces = draw(st.lists(st.binary(max_size=6), min_size=n, max_size=n))
    offsets = np.zeros(n + 1, np.int32)
    np.cumsum([len(p) for p in pieces], out=offsets[1:])
    data = np.frombuffer(b"".join(pieces), np.uint8)
    return PositionBatch.build(n, items_offsets=offsets, items_data=data, **columns)


@settings(deadline=None, max_examples=60)
@given(batches())
def test_a_record_is_the_batch(batch: PositionBatch) -> None:
    assert decode(encode(batch)).equals(batch)
    assert (fingerprint(decode(encode(batch))) == fingerprint(batch)).all()


@settings(deadline=None, max_examples=60)
@given(batches(), st.data())
def test_a_slice_is_a_record_of_its_own(batch: PositionBatch, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(batch)))
    stop = data.draw(st.integers(start, len(batch)))
    payload = write(table(batch).slice(start, stop - start))
    assert decode(payload).equals(batch.take(np.arange(start, stop)))


def test_only_its_own_rows_are_in_a_slice() -> None:
    n = 10_000
    noise = np.random.default_rng(1).integers(0, 256, 8 * n, np.uint8)
    whole = PositionBatch.build(
        n, lat_e6=np.arange(n), items_offsets=np.arange(0, 8 * n + 1, 8, dtype=np.int32), items_data=noise
    )
    assert len(write(table(whole).slice(5_000, 10))) < 5_000 < 8 * n < len(encode(whole))


_REFUSED = [
    b"", b"{}", HEADERS["gongche-schema"].encode(), encode(PositionBatch.build(2, received_us=[1, -1])),
    encode(PositionBatch.build(3))[:-40],
]  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(batches(), st.sampled_from(_REFUSED)), max_size=6))
def test_many_records_at_once_are_what_each_is(parts: list[PositionBatch | bytes]) -> None:
    payloads = [part if isinstance(part, bytes) else encode(part) for part in parts]
    whole, refused = decode_all(payloads)
    assert whole.equals(PositionBatch.concat([part for part in parts if isinstance(part, PositionBatch)]))
    assert [k for k, _ in refused] == [k for k, part in enumerate(parts) if isinstance(part, bytes)]
    for k, error in refused:
        with pytest.raises(SchemaError) as alone:
            decode(payloads[k])
        assert str(alone.value) == str(error)


@settings(deadline=None, max_examples=60)
@given(st.lists(batches(), min_size=1, max_size=3), st.data())
def test_concat_and_take_agree(parts: list[PositionBatch], data: st.DataObject) -> None:
    whole = PositionBatch.concat(parts)
    order = np.array(data.draw(st.permutations(range(len(whole)))))
    assert whole.take(order).take(np.argsort(order)).equals(whole)
    assert (fingerprint(whole.take(order)) == fingerprint(whole)[order]).all()
    assert fingerprint(whole).tolist() == [h for p in parts for h in fingerprint(p).tolist()]


@settings(deadline=None, max_examples=100)
@given(batches(), st.data())
def test_foreign_bytes_are_a_schema_error_and_nothing_else(batch: PositionBatch, data: st.DataObject) -> None:
    good = encode(batch)
    at = data.draw(st.integers(0, len(good) - 1))
    broken = data.draw(
        st.sampled_from([good[:at], good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :], b"", b"{}", HEADERS["gongche-schema"].encode()])
    )  # fmt: skip
    with contextlib.suppress(SchemaError):
        decode(broken)


@pytest.mark.parametrize(
    "moment", [-1, 253_402_300_800_000_000, np.iinfo(np.int64).max, np.iinfo(np.int64).min]
)
def test_a_time_of_receipt_that_no_server_has_is_a_schema_error(moment: int) -> None:
    with pytest.raises(SchemaError, match="received_us"):
        decode(encode(PositionBatch.build(3, received_us=[0, moment, 5])))


def test_partitions_cover_all_and_stay_put() -> None:
    terminals = np.arange(1, 10_001)
    partition = partitions_of(terminals, 12)
    assert np.bincount(partition, minlength=12).min() > 700
    assert partitions_of(np.array([1, 2, 29_000]), 12).tolist() == [7, 2, 11]
