"""Gatherer violations: months of vehicles and drivers, on a real database."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import asyncpg
import pytest

from api.alerts.evidence import feature_collection
from rules import evidence as frozen
from rules.checks import traffic_violations as check
from rules.judge.subjects.violations import Violations
from tests.integration.fuel_world import HOUR, FuelWorld, china
from tests.integration.outbox import forget_changes
from tests.words import means, said

NOW = china("2026-03-20 12:00")
GATHERER = Violations()
RULE = check.RULE
FEB, MAR = "2026-02-27 10:00", "2026-03-02 10:00"


class OffenceWorld(FuelWorld):
    async def build(self) -> None:
        await super().build()
        for k in (1, 2):
            await self.vehicle(f"V{k}", f"苏F0000{k}")
            await self.driver(f"D{k}")

    async def violation(self, id: str, when: str, plate: str = "苏F00001", **more: Any) -> None:
        row = {"place": "人民路", "act": "超速", "status": "open", "driver": None} | more
        await self.sql(
            "INSERT INTO violations (id, plate, at, place, act, status, driver) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            id, plate, self.time(china(when)), row["place"], row["act"], row["status"], row["driver"],
        )  # fmt: skip

    async def told(self) -> dict[str, str]:
        rows = await self.pool.fetch("SELECT subject, status FROM alerts ORDER BY subject")
        return {r["subject"]: r["status"] for r in rows}


@pytest.fixture
async def world(pool: asyncpg.Pool) -> OffenceWorld:
    made = OffenceWorld(pool, NOW)
    await made.build()
    return made


async def test_the_life_of_an_alert(world: OffenceWorld) -> None:
    await world.violation("W1", FEB)
    assert await world.work(GATHERER) == []
    assert [(s, r["outcome"]) for (_, s), r in (await world.stored()).items()] == [
        ("vehicle:V1:2026-02", "normal")
    ]
    await world.violation("W2", MAR)
    (raised,) = await world.work(GATHERER)
    assert (raised.status, raised.severity, raised.vehicle, raised.version) == (
        "suspected",
        "medium",
        "V1",
        1,
    )
    assert await world.judge(GATHERER, ["vehicle|V1|2026-03", "vehicle|V1|2026-04"]) == []
    assert ("traffic_violations", "vehicle:V1:2026-04") not in await world.stored()
    await world.violation("W3", "2026-03-05 10:00", status="handled")
    (more,) = await world.work(GATHERER)
    assert (more.version, more.measures["violations"].value) == (2, 3)
    body = await world.evidence(RULE, "vehicle:V1:2026-03")
    assert said(check.evaluate(frozen.parse(body))) == more.summary
    assert len(feature_collection("a", 1, "f", frozen.parse(body))["facts"]["violations"]) == 3

    await world.sql("UPDATE violations SET status = 'revoked' WHERE id = 'W3'")
    (less,) = await world.work(GATHERER)
    assert (less.version, less.measures["violations"].value) == (3, 2)
    rows = frozen.parse(await world.evidence(RULE, "vehicle:V1:2026-03"))["violations"]
    assert [r["why"][:3] for r in rows] == ["计入 ", "计入 ", "已撤销"]
    await world.sql("UPDATE violations SET status = 'appealed' WHERE id = 'W1'")  # it is of February
    assert [a.withdrawal_reason for a in await world.work(GATHERER)] == [means(check.RULE, "few")]
    await world.sql("UPDATE violations SET status = 'open' WHERE id = 'W1'")
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.sql("DELETE FROM violations WHERE id = 'W2'")
    assert [a.withdrawal_reason for a in await world.work(GATHERER)] == [means(check.RULE, "none")]


async def test_a_late_record_reopens_its_month_and_the_next(world: OffenceWorld) -> None:
    await world.violation("W1", "2026-02-03 10:00")
    await world.violation("W2", "2026-03-02 10:00")
    await world.violation("W3", "2026-01-20 10:00", plate="苏F00002")
    assert [a.occurred_from.day for a in await world.work(GATHERER)] == [3]
    await world.violation("W4", "2026-02-25 10:00")
    written = await world.work(GATHERER)
    assert sorted((a.version, a.measures["violations"].value) for a in written) == [(1, 2), (2, 3)]


async def test_a_record_that_goes_elsewhere(world: OffenceWorld) -> None:
    await world.violation("W1", FEB)
    await world.violation("W2", MAR)
    await world.work(GATHERER)
    await world.sql("UPDATE violations SET plate = '苏F00002' WHERE id = 'W2'")
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    await world.sql("UPDATE violations SET plate = '苏F00002' WHERE id = 'W1'")
    assert [(a.status, a.vehicle) for a in await world.work(GATHERER)] == [("suspected", "V2")]
    await world.sql("UPDATE violations SET at = $1 WHERE id = 'W2'", world.time(china("2025-06-02 10:00")))
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    assert (await world.told()) == {"vehicle:V1:2026-03": "withdrawn", "vehicle:V2:2026-03": "withdrawn"}


async def test_the_vehicle_that_had_the_plate_that_day(world: OffenceWorld) -> None:
    await world.violation("W1", FEB)
    await world.violation("W2", MAR)
    await world.work(GATHERER)
    await world.sql("UPDATE vehicles SET disposed_on = $1 WHERE id = 'V1'", date(2026, 3, 2))
    await world.vehicle("V3", "苏F00001", registered=date(2026, 3, 2))
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    await world.violation("W3", MAR.replace("10:00", "11:00"))
    assert [(a.status, a.vehicle) for a in await world.work(GATHERER)] == [("suspected", "V3")]
    await world.sql("UPDATE vehicles SET plate = '苏F00009' WHERE id = 'V3'")
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]


async def test_by_driver(world: OffenceWorld) -> None:
    """D1 is named once; once the order on which the vehicle was out says who drove."""
    await world.violation("W1", FEB, driver="D1")
    await world.violation("W2", MAR, plate="苏F00002")
    await world.violation("W3", MAR)
    await world.violation("W4", MAR, plate="苏A00000", driver="D1")  # no vehicle of ours
    await world.order("P1", "V2", china(MAR) - HOUR, china(MAR) + HOUR, driver="D1")
    assert [a.vehicle for a in await world.work(GATHERER)] == ["V1"]
    await world.parameter(RULE, "by_driver", 1)
    written = await world.work(GATHERER)
    assert sorted((a.status, a.vehicle, a.driver) for a in written) == [
        ("suspected", None, "D1"),
        ("withdrawn", "V1", None),
    ]
    evidence = frozen.parse(await world.evidence(RULE, "driver:D1:2026-03"))
    assert [(r["id"], r["order"], r["belongs"]) for r in evidence["violations"]] == [
        ("W1", None, "counts"), ("W2", "P1", "counts"), ("W4", None, "other_vehicle"),
    ]  # fmt: skip
    # Another driver drove; then the first again, then the order is cancelled, then it ended before.
    await world.order("P1", "V2", china(MAR) - HOUR, china(MAR) + HOUR, driver="D2")
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    assert "driver:D2:2026-03" in {s for _, s in await world.stored()}
    await world.order("P1", "V2", china(MAR) - HOUR, china(MAR) + HOUR, driver="D1")
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.order("P1", "V2", china(MAR) - HOUR, china(MAR) + HOUR, driver="D1", status="cancelled")
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    await world.order("P2", "V2", china(MAR) - 2 * HOUR, china(MAR), driver="D1")  # the very moment
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.order("P2", "V2", china(MAR) - 2 * HOUR, china(MAR) - 1, driver="D1")
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    await world.sql("DELETE FROM rule_parameters")
    assert [(a.status, a.vehicle) for a in await world.work(GATHERER)] == [("suspected", "V1")]


async def test_parameters_hold_from_the_beginning_of_a_month(world: OffenceWorld) -> None:
    await world.violation("W1", FEB)
    await world.violation("W2", MAR)
    await world.work(GATHERER)
    await world.parameter(RULE, "natural_month", 1, china("2026-03-02"))
    assert await world.work(GATHERER) == []
    await world.parameter(RULE, "natural_month", 1, china("2026-03-01"))
    assert [a.withdrawal_reason for a in await world.work(GATHERER)] == [means(check.RULE, "few")]


async def test_the_order_of_arrival_does_not_matter(world: OffenceWorld, pool: asyncpg.Pool) -> None:
    rng = random.Random(11)
    facts = [
        (f"W{k}", f"2026-0{rng.randint(1, 3)}-{rng.randint(1, 28):02} {rng.randint(0, 23):02}:30", f"苏F0000{rng.randint(1, 2)}",
         rng.choice(["open", "open", "revoked"]))
        for k in range(14)
    ]  # fmt: skip

    async def outcome(order: list[Any], step: int) -> dict[str, Any]:
        for table in (
            "alert_feed",
            "alert_versions",
            "alerts",
            "evaluations",
            "evidence",
            "violations",
        ):
            await world.sql(f"DELETE FROM {table}")  # noqa: S608 - fixed names
        await forget_changes(world.pool)
        for k in range(0, len(order), step):
            for id, when, plate, status in order[k : k + step]:
                await world.violation(id, when, plate, status=status)
            await world.work(GATHERER)
        rows = await pool.fetch(
            "SELECT a.subject, v.body - 'version' - 'detected_at' AS body FROM alerts a JOIN alert_versions v"
            " ON v.alert_id = a.id AND v.version = a.version WHERE a.status = 'suspected'"
        )
        return {r["subject"]: r["body"] for r in rows}

    whole = await outcome(facts, 99)
    assert len(whole) >= 3
    for step in (1, 4):
        rng.shuffle(facts)
        assert await outcome(facts, step) == whole
    assert len(await world.everything(GATHERER)) >= len(whole)


async def plates_told(world: OffenceWorld, when: str) -> None:
    """The register was told of all new plates at ``when`` (the database's clock is not that of the world)."""
    await world.sql(
        "UPDATE vehicle_plates SET valid_to = $1, valid_from = '-infinity' WHERE valid_to IS NOT NULL",
        world.time(china(when)),
    )
    await world.sql(
        "UPDATE vehicle_plates p SET valid_from = $1 WHERE valid_to IS NULL AND EXISTS"
        " (SELECT FROM vehicle_plates f WHERE f.vehicle_no = p.vehicle_no AND f.valid_to IS NOT NULL)",
        world.time(china(when)),
    )


async def test_a_plate_that_another_vehicle_had_then_accuses_nobody(world: OffenceWorld) -> None:
    """A plate goes from one vehicle to another: what happened before, and on that day, is not the second one's. Whether the first one had it
    by a slip the register does not say: its alert is withdrawn, as when a slip is corrected."""
    await world.violation("W1", "2026-02-03 10:00")
    await world.violation("W2", "2026-02-05 10:00")
    (raised,) = await world.work(GATHERER)
    assert raised.vehicle == "V1"
    await world.sql("UPDATE vehicles SET plate = '苏F00009' WHERE id = 'V1'")
    await world.sql("UPDATE vehicles SET plate = '苏F00001' WHERE id = 'V2'")
    await plates_told(world, "2026-02-10 15:00")
    await world.work(GATHERER)
    assert await world.told() == {"vehicle:V1:2026-02": "withdrawn"}
    await world.violation("W3", "2026-02-10 09:00")
    await world.violation("W4", "2026-02-10 20:00")
    await world.violation("W5", "2026-02-12 10:00")
    assert await world.work(GATHERER) == []
    await world.violation("W6", "2026-02-13 10:00")
    (other,) = await world.work(GATHERER)
    assert (other.vehicle, other.measures["violations"].value) == ("V2", 2)


async def test_a_plate_that_nobody_else_had_is_the_vehicle_s_before_the_register_was_told(
    world: OffenceWorld,
) -> None:
    """A slip in the register that was corrected, or a change that was told late."""
    await world.violation("W1", "2026-02-03 10:00", plate="苏F00007")
    await world.violation("W2", "2026-02-05 10:00", plate="苏F00007")
    assert await world.work(GATHERER) == []
    await world.sql("UPDATE vehicles SET plate = '苏F00007' WHERE id = 'V1'")
    await plates_told(world, "2026-02-10 15:00")
    (raised,) = await world.work(GATHERER)
    assert (raised.vehicle, raised.measures["violations"].value) == ("V1", 2)
