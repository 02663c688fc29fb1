"""A topic whose segment on disk is damaged: what no client can read is passed over and said, nothing else is; what was only the
line's fault is read again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tools.kafka.broker import Cluster

from runtime.settings import Settings
from telemetry.log.base import POSITIONS, Record, StoredRecord
from telemetry.log.kafka import broken
from telemetry.log.kafka.reader import KafkaLogReader
from telemetry.log.kafka.writer import KafkaLogWriter
from tests.integration.log_contract import assigned

WORDS = [b"record %d of a partition, and something to find it by" % k for k in range(6)]


async def written(cluster: Cluster, kafka: Settings) -> Path:
    """Six records in partition 0, each a batch of its own, two in partition 1; the segment of partition 0."""
    writer = KafkaLogWriter(kafka)
    await writer.start()
    for word in WORDS:
        await writer.append([Record(POSITIONS, 0, word)])
    for word in (b"other 0", b"other 1"):
        await writer.append([Record(POSITIONS, 1, word)])
    await writer.close()
    (segment,) = cluster.folder.glob(f"**/{kafka.kafka_topic_prefix}{POSITIONS}-0/*.log")
    return segment


def change(segment: Path, word: bytes) -> None:
    """Another bit in the middle of ``word``, or the same one back."""
    with segment.open("r+b") as file:
        at = file.read().index(word[:9]) + 20
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


async def read(reader: KafkaLogReader, count: int) -> list[StoredRecord]:
    found: list[StoredRecord] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += (await reader.poll(1 << 20, 0.5)).records
    return found


async def test_a_batch_that_nobody_can_read_is_passed_over(own_cluster: Cluster, kafka: Settings) -> None:
    segment = await written(own_cluster, kafka)
    change(segment, WORDS[2])
    change(segment, WORDS[3])
    reader = KafkaLogReader(kafka)
    await reader.start()
    await assigned(reader)
    found = await read(reader, 8)
    mine = [record for record in found if record.partition == 0]
    assert [record.offset for record in mine] == list(range(6))
    assert [bool(record.unreadable) for record in mine] == [False, False, True, True, False, False]
    assert [record.payload for record in mine if not record.unreadable] == [WORDS[k] for k in (0, 1, 4, 5)]
    assert "checksum" in mine[2].unreadable
    assert b"record 2" in mine[2].payload  # the bytes as the broker has them
    assert sorted(record.payload for record in found if record.partition == 1) == [b"other 0", b"other 1"]
    # It goes on with what comes, and from any place.
    await reader.seek(0, 3)
    again = [record for record in await read(reader, 3) if record.partition == 0]
    assert [(record.offset, bool(record.unreadable)) for record in again] == [
        (3, True),
        (4, False),
        (5, False),
    ]
    await reader.close()


async def test_what_the_line_has_spoiled_is_read_again(
    own_cluster: Cluster, kafka: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are broken when they come the first time, and good afterwards: nothing is passed over, nothing is missing."""
    segment = await written(own_cluster, kafka)
    change(segment, WORDS[2])
    look, looked = broken._look, 0

    async def only_once(*place: object) -> object:
        nonlocal looked
        found = await look(*place)  # type: ignore[arg-type]  # handed on as it came
        if found is not None:
            looked += 1
            change(segment, WORDS[2])
        return found

    monkeypatch.setattr(broken, "_look", only_once)
    reader = KafkaLogReader(kafka)
    await reader.start()
    await assigned(reader)
    found: list[StoredRecord] = []
    async with asyncio.timeout(90):
        while len({record.offset for record in found if record.partition == 0}) < 6:
            try:
                poll = await reader.poll(1 << 20, 0.5)
            except Exception:  # the caller begins where it was
                found.clear()
                await assigned(reader)
                continue
            found += poll.records
    assert looked == 1
    assert not [record for record in found if record.unreadable]
    assert [record.payload for record in found if record.partition == 0] == WORDS
    await reader.close()
