"""The past is computed again in slices, and live positions do not wait for it; what comes of it is what came of all at once."""

from __future__ import annotations

from typing import Any

import asyncpg
import numpy as np
import pytest

from registry.orders import DispatchOrder
from registry.parameter_values import Threshold, put_threshold
from rules.live import recompute
from rules.live.process import Worker
from tests.integration.worker_world import TRUNCATE_RESULTS, Fix, World, drive, place, some_day, stand

H = 3600
DAY = 24 * H
VEHICLES, DAYS = 120, 30
RESULTS = TRUNCATE_RESULTS


class Killed(Exception):
    """Raised where the worker dies."""


def outing(start_s: float, east: float) -> list[Fix]:
    """In the yard, out to so many metres east and back with 100 s between two fixes, and in the yard."""
    out = [(start_s + 100 * k, east * min(k, 10 - k) / 5, 0.0, 430) for k in range(11)]
    return [
        *stand(start_s - 900, start_s, every=300),
        *out,
        *stand(start_s + 1100, start_s + 2000, every=300),
    ]


async def month(world: World) -> None:
    """Every vehicle drives out once a day, on some days under an order."""
    await world.build(VEHICLES)
    fixes: list[Fix] = []
    terminals: list[int] = []
    orders: list[DispatchOrder] = []
    for day in range(1 - DAYS, 1):
        for k in range(1, VEHICLES + 1):
            start = day * DAY + 8 * H + 37 * (k % 11)
            its = outing(start, 1_500 + 1_000 * (k % 4))
            fixes += its
            terminals += [k] * len(its)
            if (day + k) % 5 == 0:
                orders.append(
                    DispatchOrder.model_validate(
                        {
                            "id": f"P{k}_{-day}", "organisation": "O1", "vehicle": f"V{k}", "status": "returned",
                            "destinations": [place(20_000 if k % 2 else 3_000, 0)], "planned_departure": world.time(start),
                            "planned_return": world.time(start + 1_000), "actual_departure": world.time(start),
                            "actual_return": world.time(start + 1_050),
                        }
                    )
                )  # fmt: skip
    await world.apply(*orders)
    batch = world.batch(fixes, terminal=terminals)
    await world.send_in(batch, np.argsort(batch.device_us, kind="stable").tolist(), 4_000)
    await world.work()


async def put(world: World, rule: str, name: str, value: int, since_s: float) -> None:
    row = Threshold(rule=rule, name=name, value=value, effective_from=world.time(since_s), source="test")
    async with world.pool.acquire() as conn, conn.transaction():
        await put_threshold(conn, row)


async def left(world: World) -> int:
    return int(await world.pool.fetchval("SELECT count(*) FROM recomputations"))


async def raised(world: World, vehicle: str) -> list[dict[str, Any]]:
    """Alerts of the drive of today."""
    today = world.time(DAY)
    return [
        a for a in await world.alerts()
        if a["rule"] == "location" and a["vehicle"] == vehicle and a["occurred_from"] >= today.isoformat()
    ]  # fmt: skip


@pytest.fixture
async def world(pool: asyncpg.Pool, db_url: str, tmp_path: Any) -> Any:
    made = World(pool, tmp_path, some_day(), db_url)
    yield made
    await made.close()


async def test_live_positions_do_not_wait_for_the_past_and_nothing_differs_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """120 vehicles, 30 days; a worker that dies twice in the middle."""
    monkeypatch.setattr(recompute, "ROWS_A_SLICE", 3_000)
    monkeypatch.setattr(recompute, "SLICE_S", 60.0)  # by positions alone, however busy the machine is
    await month(world)
    before = await world.told()
    await put(world, "track", "gap_s", 60, -(DAYS + 1) * DAY)
    await put(world, "location", "min_displacement_m", 2_000, -(DAYS + 1) * DAY)
    died = {"slices": 0}

    def checkpoint(step: str) -> None:
        if step == "slice":
            died["slices"] += 1
            if died["slices"] in (5, 11):
                raise Killed

    async def turn(worker: Worker) -> Worker:
        try:
            await worker.turn()
            return worker
        except Killed:
            return world.worker(checkpoint)

    worker = world.worker(checkpoint)
    for _ in range(6):
        worker = await turn(worker)
    assert await left(world) > VEHICLES - 10

    # V7, which is computed again just now, and V119, which has not begun, leave the yard.
    path = [*stand(DAY + 9 * H, DAY + 9 * H + 60), *drive(DAY + 9 * H + 60, (0.0, 0.0), (4_000.0, 0.0))]
    outside = next(k for k, fix in enumerate(path) if fix[1] > 2_500)
    for k, part in enumerate(np.array_split(np.arange(outside + 1), 4)):
        assert await raised(world, "V7") == await raised(world, "V119") == []
        its = [path[i] for i in part]
        await world.send(world.batch(its, terminal=7), world.batch(its, terminal=119))
        worker = await turn(worker)
        if k == 1:  # beside it: what is late, for one that is passed already and for one that has not begun
            late = outing(-20 * DAY + 15 * H, 5_000)
            await world.send(world.batch(late, terminal=3), world.batch(late, terminal=110))
            await world.order(
                "L1", -20 * DAY + 15 * H, -20 * DAY + 15.5 * H, vehicle="V111", destinations=[place(9_000, 0)]
            )
    turns = 0
    while not (await raised(world, "V7") and await raised(world, "V119")):
        worker = await turn(worker)
        turns += 1
        assert turns <= 3
    assert await left(world) > VEHICLES // 2
    waits = await world.pool.fetch(
        "SELECT begun IS NULL AS fresh FROM recomputations WHERE vehicle_no IN (7, 119)"
    )
    assert len(waits) == 2, "both were judged live while their past was open"
    while await left(world):
        rest = [path[outside + 1 :][i] for i in range(3)]
        await world.send(world.batch(rest, terminal=7))  # the same again and again: duplicates
        worker = await turn(worker)
    assert died["slices"] > 20
    await world.send(
        world.batch(path[outside + 1 :], terminal=7), world.batch(path[outside + 1 :], terminal=119)
    )
    await world.work(worker)

    found, told = await world.everything(), await world.told()
    assert {row[0] for row in told} == {"location", "destination"}
    assert len({str(row) for row in told} ^ {str(row) for row in before}) > 1_000

    # A worker that knew all of it from the beginning, in one go.
    await world.pool.execute(RESULTS)
    await world.work()
    again = await world.everything()
    for name in ("positions", "states", "days", "results"):
        assert found[name] == again[name], name
    assert told == await world.told()
