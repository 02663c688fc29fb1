"""Terminals whose late positions never end: they wait for each other, the others do not wait for them."""

from __future__ import annotations

import random
from typing import Any

import asyncpg
import numpy as np
import pytest

from rules.live import recompute
from rules.live.store import recomputations
from rules.live.store.recomputations import Recomputation, Urgency
from runtime.units import to_us
from tests.integration.worker_world import TRUNCATE_RESULTS, S, World, drive, some_day, stand

H, DAY = 3600, 86_400
NOISY = (1, 2, 3)


@pytest.fixture
async def world(pool: asyncpg.Pool, db_url: str, tmp_path: Any) -> Any:
    made = World(pool, tmp_path, some_day(), db_url)
    yield made
    await made.close()


async def noise(world: World, rng: random.Random) -> None:
    """400 positions of each of the noisy terminals, in no order, somewhere within a day."""
    for terminal in NOISY:
        fixes = [
            (round(rng.uniform(0, DAY - 60)), rng.uniform(-3e3, 3e3), rng.uniform(-3e3, 3e3), 300)
            for _ in range(400)
        ]
        await world.send(world.batch(fixes, terminal=terminal))


async def test_others_do_not_wait_for_terminals_that_never_stop_sending_late_positions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recompute, "ROWS_A_SLICE", 1_500)
    await world.build(5)
    worker, rng = world.worker(), random.Random(1)
    read: list[int] = []
    go_on = recompute.go_on

    async def watched(*args: Any) -> tuple[bool, int]:
        done = await go_on(*args)
        read.append(done[1])
        return done

    monkeypatch.setattr(recompute, "go_on", watched)
    for _ in range(8):
        await noise(world, rng)
        await worker.turn()
    ahead = [*stand(8 * H, 8 * H + 60), *drive(8 * H + 60, (0.0, 0.0), (6_000.0, 0.0))]
    await world.send(world.batch(ahead[10:], terminal=4))
    await worker.turn()
    await world.send(world.batch(ahead[:10], terminal=4))  # late, of a terminal that is not noisy
    turns = 0
    while True:
        await noise(world, rng)
        await worker.turn()
        turns += 1
        state = await world.pool.fetchval("SELECT count(*) FROM recomputations WHERE vehicle_no = 4")
        if not state:
            break
        assert turns < 5, "it waits for the noisy ones"
    assert max(read) <= 1_500 + recompute.AT_ONCE, "a transaction took more than a slice"
    for _ in range(12):
        await noise(world, rng)
        await worker.turn()
    assert worker.counts.slices > 8
    again = await world.pool.fetchval(
        "SELECT count(*) FROM recomputations WHERE again_from IS NOT NULL OR rest_until IS NOT NULL"
    )
    assert again, "none of them was under way when more came"
    await world.work(worker)
    found, told = await world.everything(), await world.told()

    await world.pool.execute(TRUNCATE_RESULTS)
    await world.work()
    once = await world.everything()
    for name in ("positions", "states", "days", "results"):
        assert found[name] == once[name], name
    assert told == await world.told()


async def test_what_is_under_way_goes_on_and_is_done_once_more(world: World) -> None:
    await world.build(2)
    async with world.pool.acquire() as conn, conn.transaction():
        await recomputations.note(conn, Urgency.FACT, {1: world.day})
        [job] = await recomputations.take(conn, None, 10)
        job.begun_us, job.reached_us = world.day, world.day + 5 * H * S
        await recomputations.save(conn, [job])
        await recomputations.note(conn, Urgency.FACT, {1: world.day + 3 * H * S}, late=True)
        await recomputations.note(conn, Urgency.FACT, {1: world.day - 3 * H * S}, late=True)
        await recomputations.note(conn, Urgency.FACT, {1: world.day + 6 * H * S}, late=True)
        waits = (await recomputations.waiting(conn, [1]))[1]
        assert (waits.from_us, waits.reached_us) == (world.day - 3 * H * S, world.day + 5 * H * S)
        row = await conn.fetchrow("SELECT begun IS NULL AS fresh, from_time FROM recomputations")
        assert (row["fresh"], to_us(row["from_time"])) == (False, world.day)
        await recomputations.drop(conn, [1])
        row = await conn.fetchrow(
            "SELECT begun, from_time, again_from, rest_until > now() - '1 s'::interval AS rests FROM recomputations"
        )
        assert (row["begun"], row["again_from"], row["rests"]) == (None, None, True)
        assert to_us(row["from_time"]) == world.day - 3 * H * S
        await recomputations.drop(conn, [1])
        assert await recomputations.count(conn, None) == 0
        # A fact that changed is another thing: what is under way rests on the old one.
        await recomputations.note(conn, Urgency.FACT, {2: world.day})
        await recomputations.save(conn, [Recomputation(2, world.day, False, world.day, world.day + S)])
        await recomputations.note(conn, Urgency.FACT, {2: world.day})
        assert await conn.fetchval("SELECT begun IS NULL FROM recomputations WHERE vehicle_no = 2")


async def test_who_had_many_slices_lets_others_go_first_but_all_have_their_turn(world: World) -> None:
    await world.build(5)
    async with world.pool.acquire() as conn, conn.transaction():
        await recomputations.note(conn, Urgency.PARAMETER, {5: world.day})
        await recomputations.note(conn, Urgency.FACT, dict.fromkeys((1, 2, 3), world.day))
        first = await recomputations.take(conn, None, 3)
        assert [job.vehicle for job in first] == [1, 2, 3]
        for job in first:
            job.begun_us = job.reached_us = world.day
        await recomputations.note(conn, Urgency.FACT, {4: world.day})
        for _ in range(16):
            assert [job.vehicle for job in await recomputations.take(conn, None, 3)] == [1, 2, 3]
            await recomputations.save(conn, first)
        assert [job.vehicle for job in await recomputations.take(conn, None, 3)] == [4]
        assert [job.vehicle for job in await recomputations.take(conn, None, 1, longest=True)] == [5]
        await recomputations.drop(conn, [1, 2, 3, 4])
        await recomputations.note(conn, Urgency.FACT, {1: world.day})
        assert [job.vehicle for job in await recomputations.take(conn, None, 9)] == [1]
        assert [job.vehicle for job in await recomputations.take(conn, None, 9, longest=True)] == [5]


async def test_positions_are_counted_up_to_a_number(world: World) -> None:
    await world.build(2)
    batch = world.batch([(60 * k, 0, 0, 0) for k in range(100)], terminal=1)
    await world.send(batch)
    await world.work()
    archive = world.worker()._archive
    spans = [
        (1, world.day, world.day + 3600 * S), (2, world.day, world.day + DAY * S), (1, 0, world.day + DAY * S),
        (1, world.day + 60 * S, world.day + 61 * S), (1, world.day, world.day),
    ]  # fmt: skip
    async with world.pool.acquire() as conn:
        assert await archive.count(conn, spans, 80) == [60, 0, 80, 1, 0]
        assert await archive.count(conn, [], 80) == []
    assert len(np.unique(batch.device_us)) == 100
