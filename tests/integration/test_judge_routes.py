"""Gatherer routes, with a real worker and a real database: the route that an order designates, what was driven, and what is changed afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg

from rules.alerts.feed import evidence_of
from rules.catalogue import verify
from rules.judge.process import Judge
from rules.judge.subjects.routes import Routes
from rules.navigation import NoNavigator
from tests.integration.test_reminders import Clock
from tests.integration.worker_world import S, World, drive, place, some_day, stand

H = 3600
WAY = [place(0, 0, "院"), place(0, 12_000, "区政府")]
#: Five kilometres aside on the way, ten minutes there; home by the same road, when nobody looks any more.
ASIDE = [
    *drive(9 * H, (0, 0), (0, 5000), (5000, 5000)),
    *stand(9 * H + 850, 9 * H + 1500, 5000, 5000),
    *drive(9 * H + 1500, (5000, 5000), (0, 5000), (0, 12_000)),
    *stand(10 * H, 12 * H, 0, 12_000, every=60),
    *drive(12 * H, (0, 12_000), (0, 0)),
    *stand(12 * H + 1100, 20 * H, every=600),
]
ALONG = [
    *drive(9 * H, (0, 0), (0, 12_000)),
    *stand(9 * H + 1020, 12 * H, 0, 12_000, every=60),
    *drive(12 * H, (0, 12_000), (6000, 6000), (0, 0)),
    *stand(12 * H + 1500, 20 * H, every=600),
]


async def test_routes(pool: asyncpg.Pool, tmp_path: Path, db_url: str) -> None:
    world = World(pool, tmp_path, some_day())
    await world.build(4)
    clock = Clock(world.day + 30 * H * S)
    judge = Judge(db_url, [Routes()], NoNavigator(), now_us=clock)

    async def judged() -> dict[str, tuple[str, str]]:
        while await judge.turn():
            pass
        rows = await pool.fetch(
            "SELECT DISTINCT ON (subject) subject, outcome, reason_code FROM evaluations WHERE rule = 'route' ORDER BY subject, id DESC"
        )
        return {row["subject"].removeprefix("order:"): (row["outcome"], row["reason_code"]) for row in rows}

    async def order(id: str, vehicle: str, **more: Any) -> None:
        await world.order(id, 9 * H, 13 * H, vehicle=vehicle, **more)

    await order("R1", "V1", route=WAY)
    await order("R2", "V2", route=WAY)
    await order("R3", "V3")  # the same way, and no route
    await order("R4", "V4", route=WAY, exchanges=[{"vehicle": "V2", "since": world.time(12.5 * H)}])
    for terminal, track in ((1, ASIDE), (2, ALONG), (3, ASIDE), (4, ALONG)):
        await world.send(world.batch(track, terminal=terminal))
    await world.work(world.worker(now_us=clock))
    first = {
        "R1": ("suspected", "left"),
        "R2": ("normal", "followed"),
        "R4": ("undetermined", "several_vehicles"),
    }
    assert await judged() == first
    (alert,) = [a for a in await world.alerts() if a["rule"] == "route"]
    assert (alert["vehicle"], alert["order"], alert["severity"]) == ("V1", "R1", "medium")
    assert 8_800 <= alert["measures"]["off_route_m"]["value"] <= 9_200
    async with pool.acquire() as conn:
        kept = await evidence_of(conn, alert["id"])
    assert kept is not None
    assert kept.body is not None
    assert verify(kept.body, outcome="suspected", measures=alert["measures"]) == []

    # A limit of the unit, and back; nothing else is judged for it.
    await pool.execute(
        "INSERT INTO rule_parameters (rule, name, organisation, value, effective_from) VALUES ('route', 'off_route_m', 'O1', 20000, $1)",
        world.time(-86_400),
    )
    assert (await judged())["R1"] == ("normal", "followed")
    await pool.execute("DELETE FROM rule_parameters WHERE rule = 'route'")
    assert await judged() == first

    # The road was closed, and the driver himself says so afterwards: that is nobody's approval.
    around = [WAY[0], place(0, 5000), place(5000, 5000), place(0, 5000), WAY[1]]
    await order("R1", "V1", route=around, approver=None, applicant="张三")
    await world.work(world.worker(now_us=clock))
    assert await judged() == first
    # An approver answers for it.
    await order("R1", "V1", route=around)
    await world.work(world.worker(now_us=clock))
    assert (await judged())["R1"] == ("normal", "followed")
    (gone,) = [a for a in await world.alerts("withdrawn") if a["rule"] == "route"]
    assert (gone["id"], gone["withdrawn_by"]) == (alert["id"], "backfill")

    # Designated once more, and then no more.
    await order("R1", "V1", route=WAY)
    await world.work(world.worker(now_us=clock))
    assert await judged() == first
    await order("R1", "V1")
    await world.work(world.worker(now_us=clock))
    assert (await judged())["R1"] == ("normal", "route_removed")
    await judge.close()
    await world.close()
