"""Several workers share a fleet that changes under their hands: what they judge is what one worker judges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest

from registry.changes import FleetChanges, drop_changes, fleet_changes, newest_commit
from registry.fences import Fence
from registry.parameter_values import Threshold, put_threshold
from registry.terminals import Terminal
from registry.vehicles import Vehicle
from rules.alerts.model import OffsetConflictError
from rules.live.process import Worker
from rules.live.store.offsets import claim_offsets, lock_offsets, offsets, save_offsets
from runtime.postgres import create_pool
from telemetry.log import codec
from telemetry.log.base import POSITIONS, Record, partitions_of
from telemetry.log.sqlite import EmbeddedLogWriter
from tests.integration.outbox import due_rows, forget_changes
from tests.integration.worker_world import (
    TRUNCATE_RESULTS,
    YARD,
    Fix,
    Member,
    World,
    drive,
    place,
    some_day,
    stand,
)

H = 3600
OUT = [(0.0, 0.0), (4000.0, 0.0), (0.0, 0.0)]
#: A terminal of each of two partitions.
OF = partitions_of(np.arange(40), 2)
RESULTS = TRUNCATE_RESULTS


class Together(World):
    """A world whose log has two partitions; ``workers`` are those that are alive."""

    def __init__(self, pool: asyncpg.Pool, folder: Path, day: int, dsn: str | None = None) -> None:
        super().__init__(pool, folder / "unused", day, dsn)
        self.path = folder / "two.sqlite"
        self.two = EmbeddedLogWriter(self.path, 2)
        self.workers: list[Worker] = []

    def join(
        self,
        *partitions: int,
        pool: asyncpg.Pool | None = None,
        checkpoint: Callable[[str], None] | None = None,
    ) -> Worker:
        reader = Member(self.path, POSITIONS)
        reader.mine = frozenset(partitions)
        self.readers.append(reader)
        worker = Worker(pool or self.pool, reader, checkpoint=checkpoint)
        self.workers.append(worker)
        return worker

    async def drive(self, terminal: int, fixes: Iterable[Fix]) -> None:
        payload = codec.encode(self.batch(list(fixes), terminal=terminal))
        await self.two.append([Record(POSITIONS, int(OF[terminal]), payload, codec.HEADERS)])

    async def turns(self, count: int = 6) -> None:
        for _ in range(count):
            for worker in self.workers:
                await worker.turn()
        await self.judge_all()

    async def bind(self, terminal: int, vehicle: str | None, since_s: float) -> None:
        await self.apply(Terminal(id=phone(terminal), vehicle=vehicle, valid_from=self.time(since_s)))

    async def close(self) -> None:
        await self.two.close()
        await super().close()


class During:
    """A checkpoint at which, once ``armed``, something else happens to its end while the transaction is open."""

    def __init__(self, step: str, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.step, self.what, self.armed = step, what, False

    def __call__(self, step: str) -> None:
        if step == self.step and self.armed:
            self.armed = False
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, self.what()).result()


def phone(terminal: int) -> str:
    """Of the terminal with this registry number, where terminals are made in this order."""
    return f"1380000{terminal:04}"


@pytest.fixture
async def world(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> AsyncIterator[Together]:
    made = Together(pool, tmp_path, some_day(), db_url)
    await made.build(2)
    await made.apply(*(Terminal(id=phone(k)) for k in range(3, 30)))
    yield made
    await made.close()


def terminals(partition: int, count: int) -> list[int]:
    """So many terminals of a partition that are in no vehicle yet."""
    found = [k for k in range(3, 30) if OF[k] == partition]
    return found[:count]


async def test_what_is_registered_while_two_workers_run_is_judged_as_one_worker_judges_it(
    world: Together, db_url: str
) -> None:
    world.join(0)
    world.join(1)
    await world.turns(2)
    # New vehicles, each with a terminal of either partition. Some terminals were on the road before the office knew them.
    new = {f"N{k}": terminal for k, terminal in enumerate([*terminals(0, 2), *terminals(1, 2)])}
    early = list(new.values())[::2]
    for terminal in early:
        await world.drive(terminal, [*stand(8 * H, 8.1 * H), *drive(8.1 * H, *OUT), *stand(8.5 * H, 9 * H)])
    await world.turns(3)
    for vehicle, terminal in new.items():
        await world.apply(Vehicle(id=vehicle, plate=f"苏F9{terminal:04}", organisation="O1"))
        await world.turns(1)
        await world.bind(terminal, vehicle, -86_400)
    await world.turns(3)
    for terminal in new.values():
        await world.drive(
            terminal, [*stand(10 * H, 10.1 * H), *drive(10.1 * H, *OUT), *stand(10.5 * H, 11 * H)]
        )
    await world.turns(3)
    # A fence and orders for them, made afterwards: N0 may go out, N2 said to go elsewhere.
    wide = {
        "type": "Polygon",
        "coordinates": [[[120.8, 31.9], [121.1, 31.9], [121.1, 32.1], [120.8, 32.1], [120.8, 31.9]]],
    }
    await world.apply(
        Fence(id="F2", name="大院", organisation="O1", datum="wgs84", geometry=wide, vehicles=["N0"],
              valid_from=world.time(-86_400))
    )  # fmt: skip
    await world.order("P1", 9.5 * H, 10.7 * H, vehicle="N1", destinations=[place(4000, 0)])
    await world.order("P2", 9.5 * H, 10.7 * H, vehicle="N2", destinations=[place(0, 60_000)])
    await world.turns(4)
    # Each of two vehicles gets a terminal of the other worker; rows of it are there before the office says so.
    for vehicle, old, new_one in ((f"V{k}", k, terminals(1 - int(OF[k]), 6)[3 + k]) for k in (1, 2)):
        await world.drive(
            old, [*stand(8 * H, 8.1 * H), *drive(8.1 * H, *OUT), *stand(8.5 * H, 12 * H, every=60)]
        )
        await world.drive(
            new_one, [*stand(13 * H, 13.1 * H), *drive(13.1 * H, *OUT), *stand(13.5 * H, 14 * H)]
        )
        await world.turns(3)
        await world.bind(new_one, vehicle, 12 * H)
        await world.turns(2)
        await world.order(f"Q{vehicle}", 14.5 * H, 15.5 * H, vehicle=vehicle, destinations=[place(0, 60_000)])
        await world.drive(
            new_one, [*stand(14 * H, 15 * H), *drive(15 * H, *OUT), *stand(15.4 * H, 17 * H, every=60)]
        )
        await world.turns(2)
        # rows of the old one, late, at the worker that does not own the vehicle any more
        await world.drive(old, drive(9 * H + 7, *OUT))
    await world.turns(6)
    told = await world.told()
    assert await due_rows(world.pool) == 0
    results = (await world.everything())["results"]

    await world.pool.execute(RESULTS)
    if world.of_destinations is not None:
        await world.of_destinations.close()
    alone = Together(world.pool, world.path.parent, world.day, db_url)
    alone.join(0, 1)
    await alone.turns(12)
    assert told == await alone.told()
    assert len(told) == 10
    assert {row[1] for row in told} == {"V1", "V2", "N2", "N3"}
    assert results == (await alone.everything())["results"]
    await alone.close()


async def test_a_threshold_reaches_every_worker(world: Together) -> None:
    one, other = 1, next(k for k in (2, *terminals(1 - int(OF[1]), 1)) if OF[k] != OF[1])
    await world.bind(other, "V2", -86_400)
    world.join(0)
    world.join(1)
    await world.turns(2)
    morning = [*stand(8 * H, 8.1 * H), *drive(8.1 * H, *OUT), *stand(8.5 * H, 9 * H)]
    await world.drive(one, morning)
    await world.turns(3)
    assert [a["vehicle"] for a in await world.alerts()] == ["V1"]
    async with world.pool.acquire() as conn, conn.transaction():
        await put_threshold(
            conn,
            Threshold(rule="location", name="min_displacement_m", value=5_000, source="test",
                      effective_from=world.time(-86_400)),
        )  # fmt: skip
    await world.turns(4)
    await world.drive(other, morning)
    await world.turns(3)
    assert await world.alerts() == []
    assert await due_rows(world.pool) == 0


async def test_positions_in_hand_while_another_worker_judges_their_vehicle_are_told_to_it(
    world: Together, db_url: str
) -> None:
    """The rows of a terminal are in one worker's open transaction, without a vehicle, while the office says which vehicle
    it sat in, and the vehicle's owner looks for its rows and finds none."""
    owner, other = int(OF[1]), 1 - int(OF[1])
    spare = terminals(other, 1)[0]

    async def meanwhile() -> None:
        office = Together(await create_pool(db_url), world.path.parent, world.day)
        # For the morning only: V1's newest terminal, and so its owner, stay.
        await office.bind(spare, "V1", 7 * H)
        await office.bind(1, "V1", 9 * H)
        office.join(owner)
        await office.turns(4)
        assert await due_rows(office.pool) == 0
        assert await office.alerts() == []
        await office.close()
        await office.pool.close()

    during = During("tracks", meanwhile)
    late = world.join(other, checkpoint=during)
    await world.turns(2)
    during.armed = True
    await world.drive(spare, [*stand(8 * H, 8.1 * H), *drive(8.1 * H, *OUT), *stand(8.5 * H, 9 * H)])
    await late.turn()
    assert not during.armed
    world.join(owner)
    await world.turns(4)
    assert [(a["vehicle"], a["occurred_from"][11:13]) for a in await world.alerts()] == [("V1", "08")]


async def test_a_vehicle_that_went_to_another_worker_meanwhile_is_not_written(
    world: Together, db_url: str
) -> None:
    spare = terminals(1 - int(OF[1]), 1)[0]

    async def exchange() -> None:
        office = Together(await create_pool(db_url), world.path.parent, world.day)
        await office.bind(spare, "V1", 12 * H)
        await office.close()
        await office.pool.close()

    during = During("settle", exchange)
    worker = world.join(int(OF[1]), checkpoint=during)
    await world.turns(2)
    during.armed = True
    await world.drive(1, [*stand(8 * H, 8.1 * H), *drive(8.1 * H, *OUT), *stand(8.5 * H, 9 * H)])
    with pytest.raises(OffsetConflictError, match="another worker"):
        await worker.turn()
    assert await world.pool.fetchval("SELECT count(*) FROM positions") == 0
    worker.reset()
    world.join(1 - int(OF[1]))
    await world.turns(5)
    assert [a["vehicle"] for a in await world.alerts()] == ["V1"]


async def test_a_stalled_worker_is_refused_without_a_record_in_hand(world: Together) -> None:
    stalled = world.join(0, 1)
    morning = [*stand(8 * H, 8.1 * H), *drive(8.1 * H, *OUT), *stand(8.5 * H, 9 * H)]
    await world.drive(1, morning)
    await world.turns(4)
    assert len(await world.alerts()) == 1
    # Its partitions went to another, which judges a changed fact; no offset has moved.
    world.workers = []
    world.join(0, 1)
    await world.order("P1", 7.9 * H, 8.6 * H, destinations=[place(4000, 0)])
    await world.turns(3)
    assert await world.alerts() == []
    await world.apply(Fence(id="F1", name="院", organisation="O1", datum="wgs84", geometry=YARD,
                            valid_from=world.time(-10 * 86_400)))  # fmt: skip
    with pytest.raises(OffsetConflictError):
        await stalled.turn()


async def test_whoever_takes_over_waits_for_the_transaction_of_the_one_before(pool: asyncpg.Pool) -> None:
    events: list[str] = []

    async def before() -> None:
        async with pool.acquire() as conn, conn.transaction():
            await lock_offsets(conn, "t", {0: 0, 1: 0}, "before")
            ready.set()
            await asyncio.sleep(0.2)  # time: the other one should be waiting for the transaction
            await save_offsets(conn, "t", {1: 7})
            events.append("written")

    async def after() -> None:
        await ready.wait()
        async with pool.acquire() as conn:
            await claim_offsets(conn, "t", [1], "after")
            events.append(f"claimed at {(await offsets(conn, 't'))[1]}")

    ready = asyncio.Event()
    async with pool.acquire() as conn:
        await claim_offsets(conn, "t", [0, 1], "before")
    await asyncio.gather(before(), after())
    assert events == ["written", "claimed at 7"]
    async with pool.acquire() as conn, conn.transaction():
        await lock_offsets(conn, "t", {0: 0}, "before")
        await lock_offsets(conn, "t", {1: 7}, "after")
        with pytest.raises(OffsetConflictError, match=r"\[1\]"):
            await lock_offsets(conn, "t", {0: 0, 1: 7}, "before")


async def test_a_worker_far_behind_the_registry_reads_all_of_it(world: Together) -> None:
    await forget_changes(world.pool)
    await forget_changes(world.pool, "live")
    async with world.pool.acquire() as conn:
        seen = await newest_commit(conn)
        assert await fleet_changes(conn, seen) == FleetChanges(False, (), seen)
        await world.order("P1", 8 * H, 9 * H, vehicle="V2")
        changed = await fleet_changes(conn, seen)
        assert changed.vehicles == [await conn.fetchval("SELECT no FROM vehicles WHERE id = 'V2'")]
        await drop_changes(conn)
        assert await fleet_changes(conn, seen) == changed
        await conn.execute("UPDATE change_commits SET noted_at = now() - interval '2 days'")
        await drop_changes(conn)  # nobody has read it
        assert await fleet_changes(conn, seen) == changed
        await world.order("P2", 8 * H, 9 * H, vehicle="V1")
        for reader in ("judge", "live"):
            await forget_changes(world.pool, reader)
        newest = await newest_commit(conn)
        await drop_changes(conn)
        assert await conn.fetchval("SELECT count(*) FROM change_commits") == 2
        assert await conn.fetchval("SELECT count(DISTINCT commit_id) FROM changes") == 2
        assert await fleet_changes(conn, newest) == FleetChanges(False, (), newest)
        assert (await fleet_changes(conn, changed.newest)).vehicles == [1]
        assert len((await fleet_changes(conn, seen)).vehicles) == 2
