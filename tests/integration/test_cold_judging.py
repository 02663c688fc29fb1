"""What is judged from days in files is what is judged from the table: alerts, evidence and mileage to the byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest

from runtime.postgres import create_pool
from runtime.units import US_PER_DAY
from telemetry.archive.cold.mover import Mover
from telemetry.archive.store import Archive
from tests.databases import copy_of
from tests.integration.worker_world import HOUR, Fix, World, drive, place, some_day, stand

H = 3600
TRIP = [(0.0, 0.0), (4000.0, 0.0), (4000.0, 2500.0), (0.0, 0.0)]


def trip(start_s: float) -> list[Fix]:
    """In the yard, out, and in the yard again."""
    out = drive(start_s, *TRIP)
    return [*stand(start_s - 1800, start_s), *out, *stand(out[-1][0] + 30, out[-1][0] + 1800)]


async def story(pool: asyncpg.Pool, dsn: str, folder: Path, *, cold: bool) -> dict[str, Any]:
    """A drive with an order and one without; then, when the days have moved, positions that come late, an order that is changed,
    one that is entered afterwards, and all of it judged again. ``cold``: whether they move."""
    world = World(pool, folder, some_day(), dsn)
    mover = Mover(str(folder / "cold"), 10, now_us=lambda: world.day + 100 * US_PER_DAY)

    async def move() -> int:
        async with pool.acquire() as conn:
            # A worker that has seen the partition stores late rows beside it, until its housekeeping makes it once more.
            await Archive().tidy_odd_dates(conn)
            return sum([day.rows async for day in mover.move(conn)]) if cold else 0

    await world.build(2)
    await world.order("P1", 8 * H, 8.9 * H, destinations=[place(4000, 2500)])
    with_order, without = world.batch(trip(8 * H)), world.batch(trip(12 * H), terminal=2)
    times = (with_order.device_us - world.day) / HOUR
    hidden = (times > 8.05) & (times < 8.2)
    await world.send(with_order.take(~hidden), without, world.batch([(14 * H, 0.0, 0.0, 0)]))
    worker = await world.work()
    first = await world.told()
    rows = await pool.fetchval("SELECT count(*) FROM positions")
    assert await move() == (rows if cold else 0)
    await world.send(with_order.take(np.flatnonzero(hidden)))
    await world.work(worker)
    await move()
    await world.order("P1", 8 * H, 8.5 * H, destinations=[place(4000, 2500)])
    await world.order("P2", 8.5 * H, 8.9 * H, destinations=[place(9000, 2500)])
    await world.work(worker)
    await world.send(with_order)  # all once more
    await world.work(world.worker())  # one that has just started: what it knows, it reads
    found = {
        "first": first,
        "told": await world.told(),
        "evidence": await pool.fetch("SELECT sha256 FROM evidence_of_alerts UNION SELECT sha256 FROM evidence ORDER BY 1"),
    } | {name: rows for name, rows in (await world.everything()).items() if name in ("states", "days", "evaluations", "results")}  # fmt: skip
    hot = await pool.fetchval("SELECT count(*) FROM positions")
    assert hot == (0 if cold else len(with_order) + len(without) + 1)
    await world.close()
    return found


async def test_judgements_are_the_same_to_the_byte(
    postgres_dsn: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = []
    for cold in (False, True):
        async with copy_of(postgres_dsn, template_database) as dsn:
            pool = await create_pool(dsn, max_size=4)
            try:
                told.append(await story(pool, dsn, tmp_path_factory.mktemp("world"), cold=cold))
            finally:
                pool.terminate()
    assert {name for name, value in told[0].items() if not value} <= {"days"}
    assert len(told[0]["results"]) == 2
    for name, value in told[0].items():
        assert told[1][name] == value, name
