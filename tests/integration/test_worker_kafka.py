"""Workers on a real Kafka: a fleet that changes while two of them run, a topic that is made anew under its old name.

Needs Java and Maven (the broker comes from ``tools/kafka``), or ``GONGCHE_TEST_KAFKA=host:port``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import numpy as np
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from registry.terminals import Terminal
from registry.vehicles import Vehicle
from rules.live.process import Worker
from runtime.settings import Settings
from telemetry.log import codec
from telemetry.log.base import POSITIONS, Record, partitions_of
from telemetry.log.kafka.reader import KafkaLogReader
from telemetry.log.kafka.writer import KafkaLogWriter
from tests.integration.outbox import due_rows
from tests.integration.worker_world import TRUNCATE_RESULTS, Fix, World, drive, place, some_day, stand

H = 3600
OUT = [(0.0, 0.0), (4000.0, 0.0), (0.0, 0.0)]
PATIENCE_S = 60.0


class Brokered(World):
    """A world whose positions go over Kafka."""

    def __init__(self, pool: asyncpg.Pool, dsn: str, folder: Path, settings: Settings) -> None:
        super().__init__(pool, folder, some_day(), dsn)
        self.settings = settings
        self.kafka = KafkaLogWriter(settings)
        self.sent = 0

    async def report(self, terminal: int, fixes: Iterable[Fix], size: int = 1_000) -> None:
        """Fixes of a terminal, ``size`` to a record."""
        rows = list(fixes)
        (partition,) = partitions_of(np.array([terminal]), self.kafka.partitions).tolist()
        for start in range(0, len(rows), size):
            payload = codec.encode(self.batch(rows[start : start + size], terminal=terminal))
            await self.kafka.append([Record(POSITIONS, partition, payload, codec.HEADERS)])
        self.sent += len(rows)

    async def settled(self) -> None:
        """Everything sent is stored, and no changed fact waits."""
        deadline = time.monotonic() + PATIENCE_S
        while (
            await self.pool.fetchval("SELECT count(*) FROM positions") < self.sent
            or await due_rows(self.pool)
            or await self.pool.fetchval("SELECT count(*) FROM recomputations")
        ):  # fmt: skip
            assert time.monotonic() < deadline, "it did not happen in time"
            await asyncio.sleep(0.05)
        await self.judge_all()

    @asynccontextmanager
    async def running(self, count: int) -> AsyncIterator[list[Worker]]:
        """So many workers of one group, each with partitions."""
        readers = [KafkaLogReader(self.settings) for _ in range(count)]
        workers = [Worker(self.pool, reader) for reader in readers]
        stop = asyncio.Event()
        tasks = []
        for reader, worker in zip(readers, workers, strict=True):
            await reader.start()
            tasks.append(asyncio.create_task(worker.run(stop)))
        yield workers
        stop.set()
        await asyncio.gather(*tasks)
        for reader in readers:
            await reader.close()


@pytest.fixture
async def world(pool: asyncpg.Pool, db_url: str, tmp_path: Path, kafka: Settings) -> AsyncIterator[Brokered]:
    made = Brokered(pool, db_url, tmp_path, kafka)
    await made.kafka.start()
    await made.build(2)
    await made.apply(*(Terminal(id=f"1380000{k:04}") for k in range(3, 20)))
    yield made
    await made.kafka.close()
    await made.close()


async def test_two_workers_follow_a_fleet_that_changes_under_their_hands(world: Brokered) -> None:
    partition = partitions_of(np.arange(20), world.kafka.partitions)
    fresh = [next(k for k in range(3, 20) if partition[k] == p) for p in range(world.kafka.partitions)]
    other = next(k for k in range(3, 20) if partition[k] != partition[1] and k not in fresh)
    async with world.running(2) as workers:
        for k in (1, 2):
            await world.report(k, stand(7 * H, 8 * H, every=60))
        for terminal in fresh:
            await world.apply(Vehicle(id=f"N{terminal}", plate=f"苏F8{terminal:04}", organisation="O1"))
            await world.report(terminal, [*stand(8 * H, 8.1 * H), *drive(8.1 * H, *OUT)])  # before the office
            await world.apply(
                Terminal(id=f"1380000{terminal:04}", vehicle=f"N{terminal}", valid_from=world.time(-86_400))
            )
            await world.report(
                terminal, [*stand(9 * H, 10 * H, every=60), *drive(10 * H, *OUT), *stand(10.4 * H, 11 * H)]
            )
        await world.settled()
        # V1 gets a terminal of another partition, and an order after that.
        await world.report(1, [*drive(8.1 * H, *OUT), *stand(8.5 * H, 12 * H, every=60)])
        await world.report(other, [*stand(12 * H, 13 * H), *drive(13 * H, *OUT), *stand(13.4 * H, 14 * H)])
        await world.apply(Terminal(id=f"1380000{other:04}", vehicle="V1", valid_from=world.time(12 * H)))
        await world.order("P1", 14 * H, 15 * H, destinations=[place(0, 60_000)])
        await world.report(
            other, [*stand(14 * H, 14.4 * H), *drive(14.4 * H, *OUT), *stand(14.8 * H, 16 * H, every=60)]
        )
        await world.settled()
        told = await world.told()
        assert {worker.counts.records > 0 for worker in workers} == {True}
    assert {row[1] for row in told} == {"V1", *(f"N{k}" for k in fresh)}
    assert len(told) == 2 * len(fresh) + 3

    await world.pool.execute(TRUNCATE_RESULTS)
    async with world.running(1):
        await world.settled()
    assert told == await world.told()


@pytest.mark.parametrize("meanwhile", [0, 1], ids=["stopped", "running"])
async def test_offsets_of_a_topic_say_nothing_of_one_that_is_made_under_its_name(
    world: Brokered, meanwhile: int
) -> None:
    """Whether a worker runs while the topic is made anew, or none."""
    day = [(float(t), 0.0, 0.0, 0) for t in range(0, 7200, 60)]
    async with world.running(1):
        await world.report(1, day[:40], size=10)
        await world.settled()
    async with world.running(meanwhile):
        await asyncio.sleep(meanwhile)  # time: the worker, where one runs, should be waiting for records
        topic = world.settings.kafka_topic_prefix + POSITIONS
        admin = AIOKafkaAdminClient(bootstrap_servers=world.settings.kafka_bootstrap)
        await admin.start()
        await admin.delete_topics([topic])
        while topic in await admin.list_topics():  # noqa: ASYNC110 - the broker is asked
            await asyncio.sleep(0.05)
        await admin.create_topics([NewTopic(topic, world.kafka.partitions, 1)])
        await admin.close()
        await world.kafka.close()
        world.kafka = KafkaLogWriter(world.settings)
        await world.kafka.start()
        # More records than the old topic had, so no offset is beyond its end.
        await world.report(1, day[40:], size=10)
        if meanwhile:
            await world.settled()
    async with world.running(1):
        await world.settled()
    assert await world.pool.fetchval("SELECT count(*) FROM positions") == len(day)
    assert await world.pool.fetchval("SELECT count(DISTINCT topic) FROM log_offsets") == 2


async def test_offsets_kept_under_the_former_name_of_a_log_go_on_counting(world: Brokered) -> None:
    reader = KafkaLogReader(world.settings)
    now, former = await reader.identity(), await reader.former_identity()
    assert now.startswith(f"{former}:")
    async with world.running(1) as (worker,):
        await world.report(1, stand(0, 600))
        await world.settled()
        assert worker.counts.records == 1
    await world.pool.execute("UPDATE log_offsets SET topic = $1", f"{POSITIONS}@{former}")
    async with world.running(2) as workers:
        await world.report(1, stand(600, 1200))
        await world.settled()
        assert sum(worker.counts.records for worker in workers) == 1  # the first is not read again
        assert sum(worker.counts.failures for worker in workers) == 0
    topics = [r["topic"] for r in await world.pool.fetch("SELECT DISTINCT topic FROM log_offsets")]
    assert topics == [f"{POSITIONS}@{now}"]
