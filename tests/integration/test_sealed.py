"""sealed, with a real worker, a real judge and a real database: live, by late facts, and at the end of the seal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import pytest

from registry.seals import lift, seal
from rules.alerts.feed import evidence_of
from rules.catalogue import verify
from rules.judge import queue
from rules.judge.process import Judge
from rules.judge.subjects.seals import Seals, key_of
from rules.navigation import NoNavigator
from runtime.units import to_us
from tests.integration.test_reminders import Clock, live
from tests.integration.worker_world import S, World, drive, some_day, stand

H = 3600


@pytest.fixture
async def world(pool: asyncpg.Pool, tmp_path: Path) -> Any:
    made = World(pool, tmp_path, some_day())
    await made.build(4)
    yield made
    await made.close()


async def seal_at(world: World, vehicle: str, since_h: float, until_h: float | None = None) -> None:
    async with world.pool.acquire() as conn, conn.transaction():
        until = None if until_h is None else world.time(until_h * H)
        assert await seal(conn, vehicle, world.time(since_h * H), until, "国庆封存")


async def sealed_alerts(world: World, status: str | None = "suspected") -> list[dict[str, Any]]:
    return [alert for alert in await world.alerts(status) if alert["rule"] == "sealed"]


async def outcomes(world: World) -> dict[str, tuple[str, str]]:
    """The newest judgement of each vehicle's seal."""
    rows = await world.pool.fetch(
        "SELECT DISTINCT ON (subject) subject, outcome, reason_code FROM evaluations WHERE rule = 'sealed' ORDER BY subject, id DESC"
    )
    return {row["subject"].split(":")[1]: (row["outcome"], row["reason_code"]) for row in rows}


async def test_a_sealed_vehicle_that_moves(world: World, db_url: str) -> None:
    """V1 drives away; V2 is shuffled in the yard; V3 goes to the repair shop; V4 is sealed afterwards."""
    clock = Clock(world.day)
    worker = world.worker(now_us=clock)
    judge = Judge(db_url, [Seals()], NoNavigator(), now_us=clock)

    async def judged() -> None:
        while await judge.turn():
            pass

    for vehicle in ("V1", "V2", "V3"):
        await seal_at(world, vehicle, 6)
    await world.order("R1", 8 * H, 9 * H, vehicle="V3", task_type="repair")
    for terminal in range(1, 5):
        clock.us = world.day + round(7.9 * H) * S
        await world.send(world.batch(stand(5 * H, 7.9 * H, every=300), terminal=terminal))
    await world.work(worker)
    assert await sealed_alerts(world) == []
    await judged()
    assert await outcomes(world) == dict.fromkeys(("V1", "V2", "V3"), ("normal", "stood"))

    # Live: the alert is there with the batch that shows 200 m, before the judge has had a turn.
    out = drive(8 * H, (0, 0), (6000, 0))
    await live(world, worker, clock, out[:3], together=1)
    (alert,) = await sealed_alerts(world)
    assert (alert["vehicle"], alert["severity"]) == ("V1", "high")
    assert alert["measures"]["away_m"]["value"] >= 200
    await live(world, worker, clock, out[3:])
    for terminal, fixes in ((2, drive(8 * H, (0, 0), (90, 0), (0, 0))), (3, out), (4, out)):
        clock.us = world.day + round((out[-1][0] + 5) * S)
        await world.send(world.batch(fixes, terminal=terminal))
    await world.work(worker)
    assert [a["vehicle"] for a in await sealed_alerts(world)] == ["V1"]
    assert (await sealed_alerts(world))[0] == alert
    async with world.pool.acquire() as conn:
        kept = await evidence_of(conn, alert["id"])
    assert kept is not None
    assert verify(kept.body, outcome="suspected", measures=alert["measures"]) == []

    # The judge, who looks through the whole seal, finds the same, to the byte.
    async with world.pool.acquire() as conn, conn.transaction():
        await queue.put_due(conn, "seals", {key_of("V1", to_us(world.time(6 * H))): clock.us})
    await judged()
    assert (await outcomes(world))["V1"] == ("suspected", "moved")
    assert (await sealed_alerts(world))[0] == alert

    # Sealed afterwards, from before it drove: the judge finds it.
    await seal_at(world, "V4", 6)
    await judged()
    assert [a["vehicle"] for a in await sealed_alerts(world)] == ["V1", "V4"]

    # The seal of V1 is lifted ten minutes after it left, V4 gets an order afterwards that somebody approved: both are withdrawn.
    clock.us = world.day + 10 * H * S
    async with world.pool.acquire() as conn, conn.transaction():
        assert await lift(conn, "V2")
        await conn.execute(
            "UPDATE vehicle_seals SET sealed_to = $1 WHERE vehicle = 'V1'", world.time(8 * H + 600)
        )
    await world.order("E1", 7.9 * H, 9 * H, vehicle="V4", task_type="emergency", applicant="值班员")
    await world.work(worker)
    await judged()
    assert await sealed_alerts(world) == []
    assert sorted((a["vehicle"], a["reason_code"], a["withdrawn_by"]) for a in await sealed_alerts(world, "withdrawn")) == [
        ("V1", "stood", None), ("V4", "allowed_order", "backfill"),
    ]  # fmt: skip
    clock.us = world.day + 40 * H * S
    await judged()
    assert await outcomes(world) == {
        "V1": ("normal", "stood"), "V2": ("normal", "stood"), "V3": ("normal", "stood"), "V4": ("normal", "allowed_order"),
    }  # fmt: skip
    await judge.close()
