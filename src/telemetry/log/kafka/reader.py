"""Reading the log on Apache Kafka: a member of a consumer group that commits nothing there.

Kafka says which partitions are ours; the caller says where to start, for the offsets live in PostgreSQL with the results.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka import errors as kafka

from runtime.errors import ConfigurationError, GongcheError, UnavailableError
from runtime.settings import Settings
from telemetry.log.base import POSITIONS, Poll, StoredRecord
from telemetry.log.kafka.broken import examine, of_the_bytes, records_in
from telemetry.log.kafka.connection import (
    CLOSE_S,
    MAX_BATCH_BYTES,
    REQUEST_TIMEOUT_S,
    cluster_id,
    connection,
    ensure_topics,
    explain,
    group_name,
    unavailable,
)
from telemetry.log.kafka.topic import topic_id

_logger = logging.getLogger(__name__)

_REBALANCE_S: Final = 30.0
#: A rebalance waits so long for the caller to finish what it has in hand. It must end before _REBALANCE_S.
_HOLD_S: Final = 20.0
_SLICE_S: Final = 0.1
_JOIN_SLICES: Final = 10
#: Records that come so soon were fetched before; then the broker is asked once more, and answers at once or has nothing.
_AT_ONCE_S: Final = 0.001
_MORE_S: Final = 0.01
_FETCH_BYTES: Final = 16 << 20
_TIMESTAMP: Final = attrgetter("timestamp")
#: A partition that has more, as the broker says, and gives nothing for so long is looked at.
_STALLED_S: Final = 15.0


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Hands rebalances of ``consumer`` to ``reader``, as long as it is the reader's consumer."""

    def __init__(self, reader: KafkaLogReader, consumer: AIOKafkaConsumer) -> None:
        self._reader, self._consumer = reader, consumer

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """A rebalance begins; it goes on when this returns."""
        await self._reader._on_revoked(self._consumer)

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """A rebalance has ended."""
        self._reader._on_assigned(self._consumer, assigned)


class KafkaLogReader:
    """See LogReader. ``start`` it first; one caller at a time.

    A rebalance takes all partitions and gives some back. While the caller works on records that ``poll`` gave it, a
    rebalance waits for its next ``poll`` (at most 20 s): in the ordinary case no two readers work on one partition.
    In every other case (a reader that was stalled longer) the offsets in PostgreSQL decide.
    """

    def __init__(self, settings: Settings, topic: str = POSITIONS, *, hold_s: float = _HOLD_S) -> None:
        """A rebalance waits at most ``hold_s`` for the caller. Raises ConfigurationError."""
        connection(settings)
        self._settings = settings
        self._topic = topic
        self._name = settings.kafka_topic_prefix + topic
        self._hold_s = hold_s
        self._consumer: AIOKafkaConsumer | None = None
        self._count = 0  # partitions when we connected
        self._owned: frozenset[int] = frozenset()  # as the caller knows it
        self._lost = False  # what the caller owns was taken away and it does not know yet
        self._fresh: frozenset[int] = frozenset()  # assigned and the caller does not know yet
        self._readable: set[int] = set()  # owned, and the caller said where to start
        self._next: dict[
            int, int
        ] = {}  # of those: the offset after what is in the buffer, or was taken from it
        self._since: dict[int, float] = {}  # since when there has been more of them that does not come
        # Partition -> (offset asked for, first one there), of what was deleted unread and is counted.
        self._deleted: dict[int, tuple[int, int]] = {}
        self._deleted_records = 0  # and not told yet
        self._generation = 0
        self._buffer: deque[StoredRecord] = deque()
        self._silent_s = 0.0  # waited in poll without an answer of any broker
        self._answered = 0
        self._polling = False
        self._connecting = asyncio.Lock()
        self._back = asyncio.Event()  # set while the caller is in poll, or gone
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """See LogReader.start: creates missing topics and joins the group. Says when permission is missing."""
        try:
            async with asyncio.timeout(self._settings.kafka_timeout_s):
                consumer = await self._connected()
                # A group that we may not join says so at once; one that is busy lets us in later.
                for _ in range(_JOIN_SLICES):
                    if not self._fresh:
                        await self._fetch(consumer, _SLICE_S)
        except (kafka.KafkaError, TimeoutError) as error:
            self._drop()
            raise await explain(self._settings, error) from error

    async def poll(self, max_bytes: int, timeout_s: float) -> Poll:
        """See LogReader.poll. Raises UnavailableError when the group or the records cannot be reached."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        self._polling = True
        self._back.set()
        try:
            while True:
                if self._lost:
                    self._lost, revoked, self._owned = False, self._owned, frozenset()
                    return Poll(revoked=revoked)
                if self._fresh:
                    self._owned, self._fresh = self._fresh, frozenset()
                    return Poll(assigned=self._owned)
                if self._buffer:
                    return Poll(records=self._take(max_bytes), lost=self._untold())
                consumer, begun = await self._connected(), loop.time()
                await self._fetch(consumer, max(0.0, min(deadline - begun, _SLICE_S)))
                if self._lay_ready(loop.time() - begun, max_bytes):
                    await self._fetch(consumer, _MORE_S)
                if loop.time() >= deadline and not (self._lost or self._fresh or self._buffer):
                    return Poll(records=[], lost=self._untold())
        except (kafka.KafkaError, kafka.ConsumerStoppedError, GongcheError, TimeoutError) as error:
            self._drop()
            raise await unavailable(self._settings, error) from error
        finally:
            self._polling = False
            if not self._closed:
                self._back.clear()

    async def seek(self, partition: int, offset: int) -> None:
        """See LogReader.seek. Nothing happens when the partition is no longer ours; the next poll says so."""
        if self._consumer is None or self._lost or partition not in self._owned:
            return
        with suppress(kafka.IllegalStateError):
            self._consumer.seek(TopicPartition(self._name, partition), offset)
            self._readable.add(partition)
            self._next[partition] = offset
            self._since.pop(partition, None)
            self._buffer = deque(record for record in self._buffer if record.partition != partition)

    async def identity(self) -> str:
        """See LogReader.identity: the cluster, the topic, and the id that this topic of that name has."""
        former = await self.former_identity()
        found = await topic_id(self._settings, self._name)
        return f"{former}:{found}" if found else former

    async def former_identity(self) -> str:
        """See LogReader.former_identity: without the topic's id."""
        return f"kafka:{await cluster_id(self._settings)}:{self._name}"

    async def end_offsets(self) -> Mapping[int, int]:
        """See LogReader.end_offsets. Raises UnavailableError."""
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                consumer = await self._connected()
                partitions = consumer.partitions_for_topic(self._name) or range(self._count)
                ends = await consumer.end_offsets([TopicPartition(self._name, p) for p in sorted(partitions)])
        except (kafka.KafkaError, ConfigurationError, TimeoutError) as error:
            raise await unavailable(self._settings, error) from error
        found = {tp.partition: offset for tp, offset in ends.items()}
        now = asyncio.get_running_loop().time()
        for partition in self._readable:
            if found.get(partition, 0) > self._next[partition]:
                self._since.setdefault(partition, now)
            else:
                self._since.pop(partition, None)
        return found

    async def close(self) -> None:
        """Leave the group (the others get the partitions at once) and disconnect."""
        self._closed = True
        self._drop()
        if self._ending:
            await asyncio.wait(self._ending)

    async def _on_revoked(self, consumer: AIOKafkaConsumer) -> None:
        if consumer is not self._consumer:
            return
        self._forget()
        if self._owned and not self._polling:
            try:
                await asyncio.wait_for(self._back.wait(), self._hold_s)
            except TimeoutError:
                _logger.warning("a rebalance goes on while records of %s are still in work", self._name)

    def _on_assigned(self, consumer: AIOKafkaConsumer, assigned: Any) -> None:
        if consumer is self._consumer:
            self._fresh = frozenset(tp.partition for tp in assigned)

    def _forget(self) -> None:
        self._generation += 1
        self._lost = self._lost or bool(self._owned)
        self._fresh = frozenset()
        self._readable.clear()
        self._since.clear()
        self._buffer.clear()

    def _lay_ready(self, waited_s: float, max_bytes: int) -> bool:
        """Whether what was just fetched had been there for a while. The client asks for no more of a partition before that
        is taken, so what came while the caller was at work is still at the broker: turns would be small and late."""
        return (
            bool(self._buffer)
            and waited_s < _AT_ONCE_S
            and sum(len(record.payload) for record in self._buffer) < max_bytes
        )

    def _take(self, max_bytes: int) -> list[StoredRecord]:
        taken = []
        while self._buffer:
            record = self._buffer.popleft()
            taken.append(record)
            max_bytes -= len(record.payload)
            if not self._buffer or max_bytes < len(self._buffer[0].payload):
                break
        return taken

    def _untold(self) -> int:
        lost, self._deleted_records = self._deleted_records, 0
        return lost

    async def _connected(self) -> AIOKafkaConsumer:
        if self._closed:
            raise UnavailableError("the Kafka log is closed")
        async with self._connecting:
            if self._consumer is None:
                self._count = (await ensure_topics(self._settings))[self._topic]
                self._consumer = await self._join()
            return self._consumer

    async def _join(self) -> AIOKafkaConsumer:
        session_ms = int(self._settings.kafka_session_timeout_s * 1000)
        consumer = AIOKafkaConsumer(
            **connection(self._settings),
            group_id=group_name(self._settings, self._topic),
            enable_auto_commit=False,
            auto_offset_reset="none",  # the caller says where to start
            isolation_level="read_committed",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(2000, session_ms // 5),
            rebalance_timeout_ms=int(_REBALANCE_S * 1000),
            max_poll_interval_ms=300_000,
            # Joining a group is answered when all have joined.
            request_timeout_ms=int((_REBALANCE_S + REQUEST_TIMEOUT_S) * 1000),
            fetch_max_wait_ms=200,
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=MAX_BATCH_BYTES,
        )
        try:
            await consumer.start()
        except BaseException:
            self._end(consumer)
            raise
        self._consumer = consumer  # before the listener can be called
        self._silent_s = 0.0
        consumer.subscribe([self._name], listener=_Listener(self, consumer))
        return consumer

    async def _fetch(self, consumer: AIOKafkaConsumer, timeout_s: float) -> None:
        """Move what has arrived into the buffer; wait at most ``timeout_s``. Raises KafkaTimeoutError after silence."""
        generation = self._generation
        try:
            # getmany waits without end while a rebalance is under way.
            found = await asyncio.wait_for(
                consumer.getmany(timeout_ms=int(timeout_s * 1000)), timeout_s + _SLICE_S
            )
        except TimeoutError:
            self._listen(timeout_s, None, self._settings.kafka_timeout_s + _REBALANCE_S)
            return
        except kafka.NoOffsetForPartitionError:
            await asyncio.sleep(_SLICE_S / 2)  # assigned, and not yet sought by the caller
            return
        except kafka.OffsetOutOfRangeError as error:
            await self._out_of_range(consumer, error.args[0], generation)
            return
        except Exception as error:
            if not of_the_bytes(error):
                raise
            if not await self._pass_over(consumer, sorted(self._readable), generation):
                raise kafka.KafkaError(f"records could not be read: {error!r}") from error
            return
        if generation != self._generation:
            return  # they belong to an assignment that has ended
        ours = [records for tp, records in found.items() if tp.partition in self._readable]
        # By the time of appending, each partition's own order kept: none waits behind another's backlog.
        for record in heapq.merge(*ours, key=_TIMESTAMP):
            self._buffer.append(self._stored(record.partition, record))
        for records in ours:
            self._next[records[-1].partition] = records[-1].offset + 1
            self._since.pop(records[-1].partition, None)
        if self._since:
            await self._look_at_stalled(consumer, generation)
        if self._readable and not self._buffer:
            places = [TopicPartition(self._name, partition) for partition in self._readable]
            answered = max(consumer.last_poll_timestamp(place) or 0 for place in places)
            self._listen(timeout_s, answered, self._settings.kafka_timeout_s)
        else:
            self._silent_s = 0.0

    async def _look_at_stalled(self, consumer: AIOKafkaConsumer, generation: int) -> None:
        """A broker that cannot read a place of its own log answers so, and aiokafka asks again for ever without a word."""
        now = asyncio.get_running_loop().time()
        stalled = sorted(p for p, since in self._since.items() if now - since >= _STALLED_S)
        for partition in stalled:
            self._since[partition] = now  # the next look is as long after this one
        await self._pass_over(consumer, stalled, generation)

    async def _pass_over(
        self, consumer: AIOKafkaConsumer, partitions: Sequence[int], generation: int
    ) -> bool:
        """Whether one of ``partitions`` has at its place what cannot be read for good: it is taken as such, after
        what comes before it, and the partition goes on after it. Others go on where they were: the client went past what it did not
        hand over."""
        found = False
        for partition in partitions:
            broken = await examine(self._settings, self._name, partition, self._next[partition])
            if generation != self._generation:
                return True
            if broken is not None:
                found = True
                why = f"{broken.error} (offsets {broken.first} to {broken.following - 1})"
                _logger.error("%s/%d: a damaged record is passed over: %s", self._name, partition, why)
                at_us = time.time_ns() // 1000
                for record in records_in(broken.before, self._next[partition]):
                    self._buffer.append(self._stored(partition, record))
                self._buffer.append(
                    StoredRecord(self._topic, partition, broken.following - 1, broken.payload, {}, at_us, why)
                )
                self._next[partition] = broken.following
        for partition in partitions:
            with suppress(kafka.IllegalStateError):
                consumer.seek(TopicPartition(self._name, partition), self._next[partition])
        return found

    def _listen(self, waited_s: float, answered: int | None, limit_s: float) -> None:
        """aiokafka retries for ever without a word; after ``limit_s`` of waiting without any answer we say it."""
        if answered is not None and answered != self._answered:
            self._answered, self._silent_s = answered, 0.0
        self._silent_s += waited_s
        if self._silent_s > limit_s:
            raise kafka.KafkaTimeoutError(f"no broker has answered for {limit_s:.0f} s")

    def _stored(self, partition: int, record: Any) -> StoredRecord:
        headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
        return StoredRecord(
            self._topic,
            partition,
            record.offset,
            record.value or b"",
            headers,
            record.timestamp * 1000,
        )

    async def _out_of_range(
        self, consumer: AIOKafkaConsumer, asked: Mapping[TopicPartition, int], generation: int
    ) -> None:
        """The log no longer has, or never had, the offset: go on at its oldest record, and say what that means."""
        first = await asyncio.wait_for(consumer.beginning_offsets(list(asked)), REQUEST_TIMEOUT_S)
        for tp, offset in asked.items():
            if generation != self._generation or tp.partition not in self._readable:
                continue
            if offset < first[tp]:
                # A partition that is asked again before anything of it was processed loses only what went since.
                before, there = self._deleted.get(tp.partition, (-1, 0))
                self._deleted_records += first[tp] - (max(offset, there) if before == offset else offset)
                self._deleted[tp.partition] = (offset, first[tp])
                _logger.error(
                    "%s/%d: records %d to %d were deleted by retention before they were processed",
                    self._name, tp.partition, offset, first[tp] - 1,
                )  # fmt: skip
            elif offset > first[tp]:
                _logger.error(
                    "%s/%d: offset %d is beyond the end of the log (was the topic made anew?); reading all of it"
                    " again, which changes nothing that is stored",
                    self._name, tp.partition, offset,
                )  # fmt: skip
            consumer.seek(tp, first[tp])
            self._next[tp.partition] = first[tp]

    def _drop(self) -> None:
        self._forget()
        self._back.set()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            self._end(consumer)

    def _end(self, consumer: AIOKafkaConsumer) -> None:
        task = asyncio.create_task(_leave(consumer), name="kafka-consumer-end")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def _leave(consumer: AIOKafkaConsumer) -> None:
    """Stop ``consumer``, which leaves the group; give up when the broker does not answer."""
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait({stopping}, timeout=CLOSE_S)
    if not stopping.done():
        stopping.cancel()
    outcome = (await asyncio.gather(stopping, return_exceptions=True))[0]
    if isinstance(outcome, BaseException):
        # The rest of what stop would have done (private names, for want of public ones; the version is pinned).
        _logger.debug("a Kafka consumer ended with %r", outcome)
        if consumer._fetcher is not None:
            await consumer._fetcher.close()
        await consumer._client.close()
