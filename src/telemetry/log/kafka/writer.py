"""Appending to the log on Apache Kafka: an idempotent producer with acks=all. (Reading: ``kafka_reader``.)

One Kafka record for each ``Record``, sent to the partition that the caller chose; the records of one append and
partition travel as one batch. Nothing is confirmed before every in-sync replica has it. Whatever goes wrong, the
producer is thrown away with all that it still held: its sequence numbers may have a hole, and a dead broker must not
make it hoard what the caller will append again anyway.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka

from runtime.errors import BatchTooLargeError, ConfigurationError, UnavailableError
from runtime.settings import Settings
from telemetry.log.base import POSITIONS, Record
from telemetry.log.codec import MAX_RECORD_BYTES
from telemetry.log.kafka.connection import (
    CLOSE_S,
    MAX_BATCH_BYTES,
    REQUEST_TIMEOUT_S,
    connection,
    ensure_topics,
    explain,
    unavailable,
)

_logger = logging.getLogger(__name__)

_MAX_HEADER_BYTES: Final = 32 << 10
#: Bytes that go out together, and how many such flights: a request of all of them stays below the 100 MiB at which
#: brokers cut the connection (socket.request.max.bytes).
_FLIGHT_BYTES: Final = 8 << 20
_FLIGHTS: Final = 8


class KafkaLogWriter:
    """See LogWriter. ``start`` it first."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigurationError when the settings cannot work."""
        connection(settings)
        self._settings = settings
        self._counts: dict[str, int] = {}
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._flights = asyncio.Semaphore(_FLIGHTS)
        self._retired: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def partitions(self) -> int:
        """See LogWriter.partitions: as the broker says, read whenever we connect."""
        if not self._counts:
            raise RuntimeError("start() was not called")
        return self._counts[POSITIONS]

    async def start(self) -> None:
        """Connect, create missing topics. Raises ConfigurationError or UnavailableError that say what to do."""
        try:
            async with asyncio.timeout(self._settings.kafka_timeout_s):
                await self._connected()
        except (kafka.KafkaError, TimeoutError) as error:
            raise await explain(self._settings, error) from error

    async def append(self, records: Sequence[Record]) -> None:
        """See LogWriter.append. Raises UnavailableError also for what an operator must set right at the brokers."""
        for record in records:
            size = len(record.payload)
            headers = sum(len(name) + len(value) for name, value in record.headers.items())
            if size > MAX_RECORD_BYTES or headers > _MAX_HEADER_BYTES:
                raise BatchTooLargeError(
                    f"a record of {size} bytes and {headers} of headers, at most {MAX_RECORD_BYTES}"
                )
        if not records:
            return
        producer = None
        try:
            async with asyncio.timeout(self._settings.kafka_timeout_s):
                producer = await self._connected()
                await self._send(producer, records)
        except Exception as error:
            if producer is not None:
                self._retire(producer, error)
            if not isinstance(error, (kafka.KafkaError, ConfigurationError, TimeoutError)):
                raise
            raise await unavailable(self._settings, error) from error

    async def close(self) -> None:
        """Give what is under way a few seconds, then disconnect."""
        self._closed = True
        if self._producer is not None:
            with suppress(TimeoutError, kafka.KafkaError):
                await asyncio.wait_for(self._producer.flush(), CLOSE_S)
            if self._producer is not None:
                self._retire(self._producer)
        if self._retired:
            await asyncio.wait(self._retired)

    async def _connected(self) -> AIOKafkaProducer:
        if self._closed:
            raise UnavailableError("the Kafka log is closed")
        if self._producer is not None:
            return self._producer
        async with self._connecting:
            if self._producer is not None:
                return self._producer
            self._counts = await ensure_topics(self._settings)
            producer = AIOKafkaProducer(
                **connection(self._settings),
                acks="all",
                enable_idempotence=True,
                compression_type=None,  # payloads are compressed already
                linger_ms=0,  # the callers have batched already
                max_batch_size=MAX_BATCH_BYTES,
                max_request_size=MAX_BATCH_BYTES,
                request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000),
            )
            try:
                await producer.start()
                for topic in self._counts:
                    await producer.partitions_for(self._settings.kafka_topic_prefix + topic)
            except BaseException:
                self._retire(producer)
                raise
            self._producer = producer
            return producer

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
        flight: list[tuple[Any, str, int]] = []
        size = 0
        for batch, topic, partition in self._batches(producer, records):
            if flight and size + batch.size() > _FLIGHT_BYTES:
                await self._fly(producer, flight)
                flight, size = [], 0
            flight.append((batch, topic, partition))
            size += batch.size()
        await self._fly(producer, flight)

    def _batches(
        self, producer: AIOKafkaProducer, records: Sequence[Record]
    ) -> Iterator[tuple[Any, str, int]]:
        """Kafka batches of ``records``, in their order for each partition."""
        parts: dict[tuple[str, int], list[Record]] = {}
        for record in records:
            if not 0 <= record.partition < self._counts.get(record.topic, 0):
                # As many as there were when the caller divided the records, but we have connected again since.
                raise UnavailableError(
                    f"{record.topic} has no partition {record.partition}, but {self._counts.get(record.topic, 0)} in all",
                    hint="was the topic deleted and made anew?",
                )
            parts.setdefault((record.topic, record.partition), []).append(record)
        now_ms = time.time_ns() // 1_000_000
        for (topic, partition), group in parts.items():
            name = self._settings.kafka_topic_prefix + topic
            batch = producer.create_batch()
            for record in group:
                fields = {
                    "timestamp": now_ms,
                    "key": None,
                    "value": record.payload,
                    "headers": [(key, value.encode()) for key, value in record.headers.items()],
                }
                if batch.append(**fields) is None:  # full; an empty one takes any record
                    yield batch, name, partition
                    batch = producer.create_batch()
                    batch.append(**fields)
            batch.close()
            yield batch, name, partition

    async def _fly(self, producer: AIOKafkaProducer, flight: list[tuple[Any, str, int]]) -> None:
        async with self._flights:
            waiting: set[asyncio.Future[Any]] = set()
            for batch, topic, partition in flight:
                future = await _queued(producer, batch, topic, partition)
                future.add_done_callback(_seen)
                waiting.add(future)
            # Not gather: if we are cancelled, the batches go on; cancelling them would break the producer.
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
            for future in done:
                future.result()

    def _retire(self, producer: AIOKafkaProducer, why: BaseException | None = None) -> None:
        if self._producer is producer:
            self._producer = None
        task = asyncio.create_task(_abandon(producer, why), name="kafka-producer-end")
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)


async def _queued(producer: AIOKafkaProducer, batch: Any, topic: str, partition: int) -> asyncio.Future[Any]:
    """Put ``batch`` in its queue, however long that takes: how long an append may take is ``append``'s to say.

    aiokafka (0.14) counts the time spent waiting behind other batches twice and more, so it gives up within seconds where many
    appends wait for a slow broker. A batch that it refused so was not queued, and none of an idempotent producer's expires.
    """
    while True:
        try:
            found: asyncio.Future[Any] = await producer.send_batch(batch, topic, partition=partition)
        except kafka.KafkaTimeoutError:
            continue
        return found


def _seen(future: asyncio.Future[Any]) -> None:
    """Fetch the exception, so that asyncio does not complain of batches whose append has failed already."""
    if not future.cancelled():
        future.exception()


async def _abandon(producer: AIOKafkaProducer, why: BaseException | None = None) -> None:
    """Stop ``producer`` without waiting for what it holds; whoever waits for that gets an error, which says ``why``.

    ``stop`` alone waits until everything is delivered, which an idempotent producer tries without end. aiokafka has no
    public way to give up, hence the two private names (the version is pinned).
    """
    told = "" if why is None else f"another append failed: {type(why).__name__} {why}"[:300].rstrip()
    producer._message_accumulator.fail_all(kafka.ProducerClosed(told))
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    stopping = asyncio.create_task(producer.stop())
    await asyncio.wait({stopping}, timeout=CLOSE_S)
    if not stopping.done():
        stopping.cancel()
    outcome = (await asyncio.gather(stopping, return_exceptions=True))[0]
    if isinstance(outcome, BaseException):
        # A request that was under way comes home to a batch that was failed; the connections are still open.
        _logger.debug("a Kafka producer ended with %r", outcome)
        await producer.client.close()
