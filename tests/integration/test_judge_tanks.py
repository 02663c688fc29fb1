"""Gatherer tanks: fills against the tank and the way in between, on a real database."""

from __future__ import annotations

import asyncpg

from rules import catalogue
from rules.checks import tank
from rules.judge.subjects.tanks import Tanks
from tests.integration.fuel_world import DAY, HOUR
from tests.integration.test_judge_transactions import AT, NOW, StationWorld, parked

GATHERER = Tanks()
RULE = tank.RULE


class TankWorld(StationWorld):
    async def said(self, id: str) -> tuple[str, str] | None:
        """Outcome and reason of the newest judgement of a fill."""
        found = (await self.stored()).get((RULE, tank.subject(id)))
        return None if found is None else (str(found["outcome"]), str(found["reason_code"]))


async def test_the_life_of_a_fill(pool: asyncpg.Pool) -> None:
    world = TankWorld(pool, NOW)
    await world.build()
    await world.sql("UPDATE vehicles SET tank_ml = 60000 WHERE id = 'V1'")
    await world.card("C2", ("苏F00001", AT - 90 * DAY, None))
    await world.drive(parked(0, -26 * HOUR // 1_000_000, 3600, 300))
    await world.fill_at("A", AT - DAY, quantity=50_000)
    await world.fill_at("B", quantity=40_000, card="C2")  # by the other card, without having driven
    (raised,) = await world.work(GATHERER)
    assert (raised.status, raised.severity, raised.vehicle, raised.reason_code) == (
        "suspected",
        "medium",
        "V1",
        "over_burnt",
    )
    assert await world.said("A") == ("normal", "fits")
    assert await world.work(GATHERER) == []
    body = await world.evidence(RULE, tank.subject("B"))
    held = (await world.stored())[RULE, tank.subject("B")]
    assert catalogue.verify(body, outcome=held["outcome"], measures=held["measures"]) == []
    # The register had the wrong tank.
    await world.sql("UPDATE vehicles SET tank_ml = 100000 WHERE id = 'V1'")
    (gone,) = await world.work(GATHERER)
    assert (gone.status, gone.reason_code) == ("withdrawn", "fits")
    # What came late: it was a hundred kilometres away in between; then it was not: the fill before was taken back.
    await world.sql("UPDATE vehicles SET tank_ml = 60000 WHERE id = 'V1'")
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.fill_at("R", AT - DAY + HOUR, kind="reversal", reverses="A", quantity=50_000)
    assert [(a.status, a.reason_code) for a in await world.work(GATHERER)] == [("withdrawn", "fits")]
    # One fill of more than the tank needs no way; an unknown tank accuses nobody; nor does a vehicle that is none.
    await world.fill_at("D", AT + 2 * HOUR, quantity=90_000)
    assert [(a.reason_code, a.severity) for a in await world.work(GATHERER)] == [("over_tank", "high")]
    await world.sql("UPDATE vehicles SET tank_ml = NULL WHERE id = 'V1'")
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    assert await world.said("D") == ("undetermined", "tank_unknown")
    # A payment that joins the one before it: it is no fill of its own any more.
    await world.sql("UPDATE vehicles SET tank_ml = 60000 WHERE id = 'V1'")
    await world.fill_at("C", AT + 2 * HOUR - 60_000_000, quantity=1_000)
    made = await world.work(GATHERER)
    assert [(a.status, a.reason_code) for a in made if a.status == "suspected"] == [
        ("suspected", "over_tank")
    ]
    assert await world.said("D") == ("normal", "gone")
    assert await world.said("C") == ("suspected", "over_tank")
    await world.sql("DELETE FROM fuel_transactions WHERE id IN ('C', 'D')")
    await world.work(GATHERER)
    assert await world.said("C") == ("normal", "gone")
