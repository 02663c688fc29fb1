"""Following the log on Apache Kafka at its end: a consumer without a group, which reads every partition.

Each API has one of its own, so all of them show the same, and the group of the workers does not know of them.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka

from runtime.errors import GongcheError, UnavailableError
from runtime.settings import Settings
from telemetry.log.base import POSITIONS, Opened, StoredRecord
from telemetry.log.kafka.connection import (
    CLOSE_S,
    MAX_BATCH_BYTES,
    REQUEST_TIMEOUT_S,
    cluster_id,
    connection,
    ensure_topics,
    unavailable,
)
from telemetry.log.kafka.topic import topic_id

_logger = logging.getLogger(__name__)

#: A broker that has not answered for so long is away. It answers every _WAIT_MS, also when there is nothing.
SILENT_S: Final = 5.0
_WAIT_MS: Final = 500
_AT_ONCE_MS: Final = 50
_TIMESTAMP: Final = attrgetter("timestamp")


class KafkaTail:
    """See LogTail."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = settings.kafka_topic_prefix + POSITIONS
        self._consumer: AIOKafkaConsumer | None = None
        self._identity = ""
        self._places: list[TopicPartition] = []
        self._answered, self._answered_at = 0, 0.0

    async def open(self) -> Opened:
        """See LogTail.open. Makes the topics that are missing, as every reader does."""
        try:
            count = (await ensure_topics(self._settings))[POSITIONS]
            self._identity = await self._named()
            consumer = AIOKafkaConsumer(
                **connection(self._settings),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                isolation_level="read_committed",
                request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000),
                fetch_max_wait_ms=_WAIT_MS,
                max_partition_fetch_bytes=MAX_BATCH_BYTES,
            )
            self._consumer = consumer
            async with asyncio.timeout(self._settings.kafka_timeout_s):
                await consumer.start()
                self._places = [TopicPartition(self._name, partition) for partition in range(count)]
                consumer.assign(self._places)
                ends = await consumer.end_offsets(self._places)
        except (kafka.KafkaError, GongcheError, TimeoutError) as error:
            raise await unavailable(self._settings, error) from error
        self._answered, self._answered_at = 0, asyncio.get_running_loop().time()
        return Opened(self._identity, {place.partition: offset for place, offset in ends.items()})

    async def seek(self, places: Mapping[int, int]) -> None:
        """See LogTail.seek. Where retention has deleted more than was asked for, at the oldest record there is."""
        consumer = self._opened()
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                first = await consumer.beginning_offsets(self._places)
        except (kafka.KafkaError, TimeoutError) as error:
            raise await unavailable(self._settings, error) from error
        for place in self._places:
            consumer.seek(place, max(places.get(place.partition, 0), first[place]))

    async def read(self, max_bytes: int) -> Sequence[StoredRecord]:
        """See LogTail.read. A record that cannot be read costs what its partition holds now."""
        consumer = self._opened()
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                found = await consumer.getmany(timeout_ms=_AT_ONCE_MS)
        except Exception as error:
            # What cannot be read for good is gone past by opening again at the end.
            raise await unavailable(self._settings, error) from error
        self._listen(consumer, bool(found))
        return [
            _stored(record)
            # By the time of appending, each partition's own order kept.
            for record in heapq.merge(*found.values(), key=_TIMESTAMP)
        ]

    async def check(self) -> None:
        """See LogTail.check."""
        consumer = self._opened()
        try:
            async with asyncio.timeout(2 * REQUEST_TIMEOUT_S):
                same = await self._named() == self._identity
        except (kafka.KafkaError, GongcheError, TimeoutError) as error:
            raise await unavailable(self._settings, error) from error
        if not same or len(consumer.partitions_for_topic(self._name) or self._places) != len(self._places):
            raise UnavailableError(f"the topic {self._name} was made anew, or has more partitions now")

    async def close(self) -> None:
        """See LogTail.close."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(TimeoutError, kafka.KafkaError):
                async with asyncio.timeout(CLOSE_S):
                    await consumer.stop()

    def _listen(self, consumer: AIOKafkaConsumer, came: bool) -> None:
        """aiokafka asks again for ever without a word; after SILENT_S without any answer we say it."""
        now = asyncio.get_running_loop().time()
        answered = max((consumer.last_poll_timestamp(place) or 0 for place in self._places), default=0)
        if came or answered != self._answered:
            self._answered, self._answered_at = answered, now
        elif now - self._answered_at > SILENT_S:
            raise UnavailableError(f"no broker of Kafka has answered for {SILENT_S:.0f} s")

    async def _named(self) -> str:
        former = f"kafka:{await cluster_id(self._settings)}:{self._name}"
        found = await topic_id(self._settings, self._name)
        return f"{former}:{found}" if found else former

    def _opened(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise UnavailableError("the Kafka log is not open")
        return self._consumer


def _stored(record: Any) -> StoredRecord:
    return StoredRecord(
        POSITIONS, record.partition, record.offset, record.value or b"", {}, record.timestamp * 1000
    )
