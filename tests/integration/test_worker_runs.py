"""The worker as a process lives: latency, a dead database, terminals that move, several workers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import numpy as np

from registry.terminals import Terminal
from rules.live.process import Worker
from runtime.errors import UnavailableError
from telemetry.log import codec
from telemetry.log.base import POSITIONS, Poll, Record, partitions_of
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.positions import PositionBatch
from tests.integration.worker_world import Member, World, drive, some_day, stand
from tests.waiting import PATIENCE_S, until

H = 3600
OUT = [(0.0, 0.0), (4000.0, 0.0), (0.0, 0.0)]


async def test_location_is_raised_and_run_stops(world: World) -> None:
    """How soon it is raised is measured by ``bench.latency``."""
    stop = asyncio.Event()
    worker = world.worker()
    running = asyncio.create_task(worker.run(stop))
    fixes = [*stand(0, 600), *drive(600, *OUT)]
    first_out = next(k for k, f in enumerate(fixes) if f[1] > 700)
    await world.send(world.batch(fixes[: first_out - 3]))

    async def stored() -> bool:
        return worker.counts.stored == first_out - 3

    async def raised() -> bool:
        return len(await world.alerts()) == 1

    await until(stored, "everything before the fence is stored")
    assert await world.alerts() == []
    await world.send(world.batch(fixes[first_out - 3 : first_out + 1]))
    await until(raised, "the alert is raised")
    stop.set()
    await asyncio.wait_for(running, PATIENCE_S)


async def test_a_database_that_dies_loses_nothing_and_counts_nothing_twice(world: World) -> None:
    stop = asyncio.Event()
    kills: list[asyncio.Task[None]] = []

    async def kill() -> None:
        await world.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def checkpoint(step: str) -> None:
        if step == "offsets" and len(kills) < 3:  # the connection dies somewhere in this transaction
            kills.append(asyncio.create_task(kill()))

    worker = world.worker(checkpoint)
    running = asyncio.create_task(worker.run(stop))
    fixes = [*stand(0, 600), *drive(600, *OUT), *stand(1400, 3000)]
    parts = np.array_split(np.arange(len(fixes)), 12)
    for part in parts:
        await world.send(world.batch([fixes[i] for i in part]))
        await asyncio.sleep(0)  # the worker works meanwhile

    async def done() -> bool:
        return worker.counts.records == len(parts)

    await until(done, "everything is worked off")
    stop.set()
    await asyncio.wait_for(running, PATIENCE_S)
    await asyncio.gather(*kills, return_exceptions=True)
    assert worker.counts.failures > 0
    assert worker.counts.stored == len(fixes) == await world.pool.fetchval("SELECT count(*) FROM positions")
    (alert,) = await world.alerts()
    assert alert["version"] in (1, 2)
    assert alert["occurred_to"] is not None


async def test_positions_that_came_before_the_binding_are_judged_when_it_comes(world: World) -> None:
    await world.apply(Terminal(id="13900000001"))  # registry number 4, in no vehicle yet
    await world.send(world.batch([*stand(0, 600), *drive(600, *OUT), *stand(1400, 3000)], terminal=4))
    worker = await world.work()
    assert await world.alerts() == []
    await world.apply(Terminal(id="13800000003", vehicle=None, valid_from=world.time(-86_400)))
    await world.apply(Terminal(id="13900000001", vehicle="V3", valid_from=world.time(-86_400)))
    await world.work(worker)
    assert [a["vehicle"] for a in await world.alerts()] == ["V3"]
    # and taken out again, from before the drive
    await world.apply(Terminal(id="13900000001", vehicle=None, valid_from=world.time(-86_400)))
    await world.work(worker)
    assert [a["status"] for a in await world.alerts(None)] == ["withdrawn"]


async def test_a_late_stay_in_the_yard_splits_an_episode_and_the_first_keeps_its_alert(world: World) -> None:
    fixes = [*stand(0, 600), *drive(600, (0, 0), (3000, 0))]
    t = fixes[-1][0] + 30
    home = drive(t, (3000, 0), (0, 0), (3000, 0))
    end = drive(home[-1][0] + 30, (3000, 0), (0, 0))
    await world.send(world.batch([*fixes, *end, *stand(end[-1][0] + 30, end[-1][0] + 600)]))
    worker = await world.work()
    (whole,) = await world.alerts()
    await world.send(world.batch(home))
    await world.work(worker)
    first, second = await world.alerts()
    assert first["id"] == whole["id"]
    assert (first["version"], second["version"]) == (2, 1)
    assert first["occurred_to"] < second["occurred_from"]
    assert worker.counts.late > 0


async def test_two_workers_share_the_fleet_and_an_exchanged_terminal_is_handed_over(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    world = World(pool, tmp_path, some_day())
    await world.build(6)
    path = tmp_path / "two.sqlite"
    writer = EmbeddedLogWriter(path, 2)
    partition = partitions_of(np.arange(1, 8), 2)
    assert set(partition.tolist()) == {0, 1}
    # V1's terminal 1 is replaced at noon by terminal 7, which is in the other partition
    await world.apply(Terminal(id="13900000007"))
    other = next(k for k in range(2, 8) if partition[k - 1] != partition[0])
    phone = "13900000007" if other == 7 else f"1380000{other:04}"
    await world.apply(Terminal(id=phone, vehicle=None, valid_from=world.time(-29 * 86_400)))
    await world.apply(Terminal(id="13800000001", vehicle=None, valid_from=world.time(12 * H)))
    await world.apply(Terminal(id=phone, vehicle="V1", valid_from=world.time(12 * H)))

    async def send(batch: PositionBatch, terminal: int) -> None:
        await writer.append(
            [Record(POSITIONS, int(partition[terminal - 1]), codec.encode(batch), codec.HEADERS)]
        )

    workers = []
    for k in range(2):
        reader = Member(path, POSITIONS)
        reader.mine = frozenset({k})
        world.readers.append(reader)
        workers.append(Worker(pool, reader))
    morning = [*stand(8 * H, 8.1 * H), *drive(8.1 * H, *OUT), *stand(8.5 * H, 9 * H)]
    noon = [*stand(13 * H, 13.1 * H), *drive(13.1 * H, *OUT), *stand(13.5 * H, 14 * H)]
    await send(world.batch(noon, terminal=other), other)
    for _ in range(3):
        for worker in workers:
            await worker.turn()
    await send(world.batch(morning, terminal=1), 1)  # late, at the worker that no longer owns V1
    for _ in range(4):
        for worker in workers:
            await worker.turn()
    assert [(a["vehicle"], a["occurred_from"][11:13]) for a in await world.alerts()] == [
        ("V1", "08"),
        ("V1", "13"),
    ]
    assert await pool.fetchval("SELECT count(*) FROM fact_changes") == 0
    await writer.close()
    await world.close()


async def test_offsets_of_a_lost_log_do_not_hide_the_records_of_a_new_one(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    world = World(pool, tmp_path, some_day())
    await world.build(1)
    trips = [(t, 0.0, 0.0, 0) for t in range(0, 3600, 30)]
    for part in np.array_split(np.arange(len(trips)), 6):
        await world.send(world.batch([trips[k] for k in part]))
    await world.work()
    assert await pool.fetchval("SELECT count(*) FROM positions") == 120
    await world.close()
    # The log's folder was lost. In the new one offsets begin at 1 again, below what the database remembers.
    again = World(pool, tmp_path / "new", world.day)
    await again.send(again.batch([(t, 0.0, 0.0, 0) for t in range(3600, 7200, 30)]))
    await again.work()
    assert await pool.fetchval("SELECT count(*) FROM positions") == 240
    await again.close()


class Stumbling(EmbeddedLogReader):
    """A log that answers no question about its ends right after it has given partitions away."""

    failures = 1

    async def poll(self, max_bytes: int, timeout_s: float) -> Poll:
        polled = await super().poll(max_bytes, timeout_s)
        self._given = bool(polled.assigned)
        return polled

    async def end_offsets(self) -> Mapping[int, int]:
        if getattr(self, "_given", False) and self.failures:
            self.failures -= 1
            raise UnavailableError("the broker is being restarted")
        return await super().end_offsets()


async def test_an_assignment_survives_a_log_that_does_not_answer_at_that_moment(world: World) -> None:
    reader = Stumbling(world.folder / "log.sqlite", POSITIONS)
    world.readers.append(reader)
    worker = Worker(world.pool, reader)
    await world.send(world.batch([*stand(0, 600), *drive(600, *OUT)]))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))

    async def judged() -> bool:
        return len(await world.alerts()) == 1

    await until(judged, "the alert is raised")
    stop.set()
    await asyncio.wait_for(running, PATIENCE_S)
    assert (reader.failures, worker.counts.failures) == (0, 1)
    assert await worker.lag() == 0
