"""One terminal whose device times lie on thousands of days: a bounded number of partitions, and all others go on."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.units import US_PER_DAY
from telemetry.archive.partitions import FUTURE_DAYS, PAST_DAYS, Partitions, clock_us
from tests.calls import counted
from tests.integration.worker_world import World, stand

DAYS = 20_000


async def test_twenty_thousand_days_of_one_terminal(world: World) -> None:
    day = np.arange(DAYS, dtype=np.int64)
    odd = world.batch(
        [(float(k), 0, 0, 0) for k in range(DAYS)], device_us=world.day + (day - DAYS + 300) * US_PER_DAY
    )
    for start in range(0, DAYS, 1_000):
        await world.send(odd.take(np.random.default_rng(start).permutation(DAYS)[start : start + 1_000]))
    await world.send(world.batch(stand(0, 600), terminal=2))
    await world.work()
    stored = await world.pool.fetchval("SELECT count(*) FROM positions WHERE terminal_no = 2")
    assert stored == 20
    everything = await world.pool.fetchval(
        "SELECT count(DISTINCT device_time) FROM positions WHERE terminal_no = 1"
    )
    assert everything > DAYS / 2
    partitions = await world.pool.fetchval(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'positions'::regclass"
    )
    assert partitions <= PAST_DAYS + FUTURE_DAYS + 1 + 2
    waiting = await world.pool.fetchval(
        "SELECT (SELECT count(*) FROM changes) + (SELECT count(*) FROM recomputations) + (SELECT count(*) FROM live_due)"
    )
    assert waiting <= 3 * PAST_DAYS


async def test_who_reads_the_default_partition_for_long_is_waited_for_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal sends positions of forty days while somebody reads a long track: not forty waits, one after the other."""
    partitions, tried = Partitions(400), counted(monkeypatch, Partitions, "_make")
    today = clock_us() // US_PER_DAY
    async with world.pool.acquire() as reader, world.pool.acquire() as worker:
        async with reader.transaction():
            await reader.execute("LOCK TABLE positions_default IN ACCESS SHARE MODE")
            await partitions.ensure(worker, range(today - 60, today - 20))
            assert tried.count <= 3  # today's and tomorrow's may be there already
        later = Partitions(400)
        await later.ensure(worker, range(today - 60, today - 20))
    assert tried.count >= 40
