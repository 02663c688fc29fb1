"""Gatherer nights, with a real worker and a real database: over night outside the yard, and the facts that excuse it."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from registry.seals import seal
from rules.alerts.feed import evidence_of
from rules.catalogue import verify
from rules.judge.process import Judge
from rules.judge.subjects.nights import Nights
from rules.navigation import NoNavigator
from tests.integration.test_reminders import Clock
from tests.integration.worker_world import S, World, drive, some_day, stand

H = 3600
#: Where they stand: 5 km to the east, until seven in the morning.
FAR = 5000
NIGHT = [
    *drive(19 * H, (0, 0), (FAR, 0)),
    *stand(19.5 * H, 31 * H, FAR, 0, every=900),
    *drive(31 * H, (FAR, 0), (0, 0)),
    *stand(32 * H, 40 * H, every=900),
]


async def test_nights(pool: asyncpg.Pool, tmp_path: Path, db_url: str) -> None:
    world = World(pool, tmp_path, some_day())
    await world.build(5)
    clock = Clock(world.day + 41 * H * S)
    judge = Judge(db_url, [Nights()], NoNavigator(), now_us=clock)

    async def judged() -> dict[str, tuple[str, str]]:
        """The newest judgement of each vehicle's night."""
        while await judge.turn():
            pass
        rows = await pool.fetch(
            "SELECT DISTINCT ON (subject) subject, outcome, reason_code FROM evaluations WHERE rule = 'parking'"
            " AND subject LIKE $1 ORDER BY subject, id DESC", f"%{world.date(0)}",
        )  # fmt: skip
        return {row["subject"].split(":")[1]: (row["outcome"], row["reason_code"]) for row in rows}

    async def repaired(number: str, state: str) -> None:
        await pool.execute(
            "INSERT INTO maintenances (id, organisation, vehicle, number, state, version, fault, odometer_m, in_shop, reported_at, in_at)"
            " VALUES ($1, 'O1', 'V3', $1, $2, 1, '异响', 0, true, $3, $3)",
            number, state, world.time(12 * H),
        )  # fmt: skip

    await world.order("O-2", 18 * H, 33 * H, vehicle="V2")
    await repaired("W1", "working")
    async with pool.acquire() as conn, conn.transaction():
        assert await seal(conn, "V4", world.time(20 * H), world.time(30 * H), "集中封存")
    for terminal in range(1, 5):
        await world.send(world.batch(NIGHT, terminal=terminal))
    await world.send(world.batch(stand(18 * H, 40 * H, every=900), terminal=5))
    await world.work(world.worker(now_us=clock))
    first = {
        "V1": ("suspected", "outside"), "V2": ("normal", "ordered"), "V3": ("normal", "excused"), "V4": ("normal", "excused"),
        "V5": ("normal", "inside"),
    }  # fmt: skip
    assert await judged() == first
    (alert,) = [a for a in await world.alerts() if a["rule"] == "parking"]
    assert (alert["vehicle"], alert["severity"]) == ("V1", "medium")
    assert (alert["measures"]["stood_s"]["value"], alert["measures"]["beyond_m"]["value"] // 100) == (
        6 * H,
        49,
    )
    async with pool.acquire() as conn:
        kept = await evidence_of(conn, alert["id"])
    assert kept is not None
    assert verify(kept.body, outcome="suspected", measures=alert["measures"]) == []

    # The maintenance was cancelled, the order over night was cut short; V1's was entered afterwards, and approved.
    await pool.execute("UPDATE maintenances SET state = 'cancelled', in_shop = false WHERE id = 'W1'")
    await world.order("O-2", 18 * H, 20 * H, vehicle="V2")
    await world.order("E-1", 18 * H, 33 * H, vehicle="V1", task_type="emergency", applicant="值班员")
    await world.work(world.worker(now_us=clock))
    assert await judged() == first | {
        "V1": ("normal", "ordered"),
        "V2": ("suspected", "outside"),
        "V3": ("suspected", "outside"),
    }
    (gone,) = [a for a in await world.alerts("withdrawn") if a["rule"] == "parking"]
    assert (gone["vehicle"], gone["withdrawn_by"]) == ("V1", "backfill")

    # The unit's area was larger than drawn.
    wide = {
        "type": "Polygon",
        "coordinates": [[[120.8, 31.9], [121.0, 31.9], [121.0, 32.1], [120.8, 32.1], [120.8, 31.9]]],
    }
    await world.fence(wide, -10 * 86_400)
    await world.work(world.worker(now_us=clock))
    assert await judged() == dict.fromkeys(first, ("normal", "inside"))
    await judge.close()
    await world.close()
