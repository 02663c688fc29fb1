"""Batches of a topic that no client can read: a checksum that does not fit, an unknown compression, a damaged length.

aiokafka asks for such a batch for ever, and goes past records that it has not handed over when one of another batch fails. So when
something could not be read, the partition is looked at here: by a request of our own, over a new connection, batch by batch. Only
what comes twice with the same bytes is broken in the log; everything else was the line.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaClient, TopicPartition
from aiokafka import errors as kafka
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.memory_records import MemoryRecords

from runtime.errors import GongcheError, UnavailableError
from runtime.settings import Settings
from telemetry.log.kafka.connection import MAX_BATCH_BYTES, REQUEST_TIMEOUT_S, connection

#: Between the two looks.
AGAIN_S: Final = 0.5
#: base offset (int64) and length (int32) of a batch; its length counts from there.
_HEAD: Final = struct.Struct(">qi")
#: A batch of version 2 (https://kafka.apache.org/documentation/#recordbatch): its magic byte, and how far its last offset is.
_MAGIC_AT: Final = 16
_DELTA: Final = struct.Struct(">i")
_DELTA_AT: Final = 23
_SHORTEST: Final = 14
#: More records than this are in no batch.
_MOST_RECORDS: Final = 1_000_000
#: Answers of a broker that cannot read its own log.
_OF_THE_LOG: Final = (kafka.CorruptRecordException, kafka.UnknownError)


#: What aiokafka says of bytes that it cannot read.
_UNREAD: Final = (kafka.CorruptRecordException, kafka.UnsupportedCodecError, kafka.RecordTooLargeError)


def of_the_bytes(error: Exception) -> bool:
    """Whether ``error`` is of bytes that came: aiokafka's own words for them, or what a codec raises. Outages are Kafka errors."""
    if isinstance(error, kafka.KafkaError):
        return isinstance(error, _UNREAD)
    return not isinstance(error, (kafka.ConsumerStoppedError, GongcheError, TimeoutError, MemoryError))


@dataclass(frozen=True, slots=True)
class Broken:
    """What cannot be read: the offsets [``first``, ``following``) of a partition, ``payload``: the bytes of their batch as the
    broker has them (empty where it gives none). ``before``: the batches before it that came with it; a client that fails on one
    batch hands over none of them (see ``records_in``)."""

    first: int
    following: int
    error: str
    payload: bytes
    before: bytes = b""


async def examine(settings: Settings, topic: str, partition: int, offset: int) -> Broken | None:
    """What cannot be read at ``offset`` or after it, before anything else that can; None = all can that is there by now.
    Raises UnavailableError while the broker does not answer."""
    first = await _look(settings, topic, partition, offset)
    if first is None:
        return None
    await asyncio.sleep(AGAIN_S)
    again = await _look(settings, topic, partition, offset)
    return again if again == first else None


async def _look(settings: Settings, topic: str, partition: int, offset: int) -> Broken | None:
    client = AIOKafkaClient(**connection(settings), request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000))
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            await client.bootstrap()
            await client.set_topics([topic])
            error, end, data = await _fetch(client, topic, partition, offset)
            if error in _OF_THE_LOG:
                following = await _readable_after(client, topic, partition, offset, end)
                return None if following is None else Broken(offset, following, error.__name__, b"")
        if error is not kafka.NoError:
            raise error()
    except (kafka.KafkaError, TimeoutError, OSError) as why:
        raise UnavailableError(f"{topic}/{partition} cannot be looked at: {why!r}") from why
    finally:
        await client.close()
    return first_broken(data, offset, end)


async def _fetch(client: Any, topic: str, partition: int, offset: int) -> tuple[Any, int, bytes]:
    """(type of the error, the end of the partition, bytes of its batches from ``offset`` on)."""
    node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
    if node is None or node < 0:
        raise kafka.LeaderNotAvailableError(topic, partition)
    wanted = [(topic, [(partition, offset, MAX_BATCH_BYTES)])]
    answer = await client.send(node, FetchRequest(200, 1, MAX_BATCH_BYTES, 1, wanted, rack_id=""))
    for _topic, parts in answer.topics:
        for _partition, code, end, *rest in parts:
            return kafka.for_code(code), end, bytes(rest[-1] or b"")
    raise kafka.KafkaError("an answer without the partition")


async def _readable_after(client: Any, topic: str, partition: int, offset: int, end: int) -> int | None:
    """The first offset after ``offset`` from which the broker reads its log again; None = from none: that passes by itself, or
    the office's people see to the broker."""
    low, step = offset, 1  # not readable
    if end <= offset:
        end = offset + _MOST_RECORDS
    while True:
        high = min(low + step, end)
        error, _, _ = await _fetch(client, topic, partition, high)
        if error is kafka.NoError:
            break
        if error not in _OF_THE_LOG or high >= end:
            return None
        low, step = high, 2 * step
    while high - low > 1:
        middle = (low + high) // 2
        error, _, _ = await _fetch(client, topic, partition, middle)
        low, high = (low, middle) if error is kafka.NoError else (middle, high)
    return high


def first_broken(data: bytes, offset: int, end: int) -> Broken | None:
    """The first batch in ``data`` (from ``offset`` on, as a broker sends it; the last one may be cut off) that cannot be read.
    ``end``: the offset after the partition's last record."""
    for start, stop in _batches(data):
        base = int(_HEAD.unpack_from(data, start)[0])
        if start and stop > len(data):
            return None  # cut off: it is asked for next
        # The first one comes whole, however long it is.
        error = _unreadable(data[start:stop]) if stop <= len(data) else "its length is not true"
        if error:
            following = _following(data, start, stop, max(base, offset), end)
            payload = data[start : min(stop, len(data))]
            return Broken(max(base, offset), following, error, payload, data[:start])
    return None


def records_in(batches: bytes, offset: int) -> Iterator[Any]:
    """The records of batches that can be read, from ``offset`` on, as aiokafka gives them (offset, timestamp in ms, value,
    headers)."""
    found = MemoryRecords(batches)
    while (batch := found.next_batch()) is not None:
        if not getattr(batch, "is_control_batch", False):
            yield from (record for record in batch if record.offset >= offset)


def _batches(data: bytes) -> Iterator[tuple[int, int]]:
    """[start, stop) of each batch; the last one may stop behind the end, or not at all where its length is damaged."""
    start = 0
    while start + _HEAD.size <= len(data):
        length = int(_HEAD.unpack_from(data, start)[1])
        stop = start + _HEAD.size + length
        if length < _SHORTEST:
            stop = len(data) + 1
        yield start, stop
        start = stop


def _unreadable(batch: bytes) -> str:
    """Why the one batch cannot be read; '' = it can."""
    try:
        found = MemoryRecords(batch).next_batch()
        if found is None:
            return "no batch"
        if not found.validate_crc():
            return "the checksum does not fit"
        if not getattr(found, "is_control_batch", False):
            for _record in found:
                pass
    except Exception as error:  # every codec has errors of its own
        return f"{type(error).__name__}: {error}"[:300]
    return ""


def _following(data: bytes, start: int, stop: int, first: int, end: int) -> int:
    """Where to go on after the broken batch: what is nearest of what it says itself and what comes after it says, for no record
    that can be read may be passed over."""
    candidates = []
    if len(data) - start > _DELTA_AT + _DELTA.size and data[start + _MAGIC_AT] >= 2:
        base = int(_HEAD.unpack_from(data, start)[0])
        delta = int(_DELTA.unpack_from(data, start + _DELTA_AT)[0])
        if 0 <= delta < _MOST_RECORDS:
            candidates.append(base + delta + 1)
    if stop + _HEAD.size <= len(data):
        candidates.append(int(_HEAD.unpack_from(data, stop)[0]))
    return min((one for one in candidates if first < one <= end), default=first + 1)
