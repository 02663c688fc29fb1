"""What the log of a machine holds, whichever it is: the embedded one or Kafka. Nothing of the product reads it here but
the codec of a record."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime.arrays import Ints
from telemetry.log.base import POSITIONS
from telemetry.log.codec import decode
from tests.faults.plan import STEP_S, Plan
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class Logged:
    """Every position in the log, columns of shape (n,): terminal (from 0), row of the plan, when its record was appended
    in microseconds, offset of the record."""

    terminal: Ints
    row: Ints
    at_us: Ints
    offset: Ints


class Log:
    """``path``: of the embedded log; ``bootstrap``: of Kafka, None = it is the embedded one."""

    def __init__(self, path: Path, bootstrap: str | None) -> None:
        self._path, self._bootstrap = path, bootstrap

    async def ends(self) -> dict[int, int]:
        """For each partition with records the offset after the last one."""
        if self._bootstrap is not None:
            consumer, parts = await self._consumer()
            try:
                ends = await consumer.end_offsets(parts)
                return {part.partition: end for part, end in ends.items() if end}
            finally:
                await consumer.stop()
        rows = self._query('SELECT "partition", max("offset") + 1, 0 FROM records WHERE topic = ? GROUP BY 1')
        return {int(partition): int(end) for partition, end, _ in rows}

    async def rows(self, plan: Plan) -> Logged:
        """All positions."""
        found: list[tuple[Ints, Ints, Ints, Ints]] = []

        def take(payload: bytes, appended_us: int, offset: int) -> None:
            batch = decode(payload)
            row = (batch.device_us // 1_000_000 - plan.start_s) // STEP_S
            at, of = (np.full(len(row), value, np.int64) for value in (appended_us, offset))
            found.append((batch.terminal.astype(np.int64) - 1, row, at, of))

        if self._bootstrap is None:
            for offset, appended_us, payload in self._query(
                'SELECT "offset", appended_us, payload FROM records WHERE topic = ? ORDER BY 1'
            ):
                take(payload, appended_us, offset)
        else:
            consumer, parts = await self._consumer()
            try:
                ends = await consumer.end_offsets(parts)
                await consumer.seek_to_beginning(*parts)
                while any([await consumer.position(part) < end for part, end in ends.items()]):
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        for record in records:
                            take(record.value, record.timestamp * 1000, record.offset)
            finally:
                await consumer.stop()
        empty = np.zeros(0, np.int64)
        columns = zip(*found, strict=True) if found else ((),) * 4
        return Logged(*(np.concatenate([empty, *parts]) for parts in columns))

    async def _consumer(self) -> tuple[AIOKafkaConsumer, list[TopicPartition]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        await consumer.start()

        async def known() -> bool:
            """A broker that has just come back knows no topics for a while; a log without partitions would pass for an empty one."""
            await consumer._client.force_metadata_update()
            return bool(consumer.partitions_for_topic(POSITIONS))

        await until(known, "Kafka knows the topic of positions")
        parts = [TopicPartition(POSITIONS, k) for k in sorted(consumer.partitions_for_topic(POSITIONS))]
        consumer.assign(parts)
        return consumer, parts

    def _query(self, query: str) -> list[tuple[int, int, bytes]]:
        if not self._path.exists():
            return []
        with sqlite3.connect(self._path, timeout=10) as connection:
            rows = connection.execute(query, (POSITIONS,)).fetchall()
        connection.close()
        return rows
