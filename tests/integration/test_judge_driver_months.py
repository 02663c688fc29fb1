"""Gatherer driver_months: who the kilometres and the fuel belong to, waiting, corrections, on a real database."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from rules import evidence as frozen
from rules.checks import fuel_consumption
from rules.judge.subjects.driver_months import REACH_US, DriverMonths
from tests.integration.fuel_world import DAY, HOUR, MIN, FuelWorld, china
from tests.words import means, said

KM = 1_000_000
NOW = china("2026-04-01 06:00")
MARCH = "D1|2026-03|fuel"
SUBJECT = "driver:D1:2026-03:fuel"
GATHERER = DriverMonths()
MONTHS = ("2025-12", "2026-01", "2026-02", "2026-03")


@pytest.fixture
async def world(pool: asyncpg.Pool) -> FuelWorld:
    made = FuelWorld(pool, NOW)
    await made.build()
    for driver in ("D1", "D2"):
        await made.driver(driver)
    await made.vehicle("V1", "苏F00001")
    await made.card("C1", ("苏F00001", china("2025-01-01"), None))
    # Limits are those of what was bought; the tank has a test of its own.
    await made.parameter("fuel_consumption", "tank_default_l", 0)
    return made


async def four_months(world: FuelWorld, march: int = 115_000, km: int = 1000) -> None:
    """D1 drives V1 1,000 km a month; 100 l each month, ``march`` ml in March."""
    for month in MONTHS:
        start = china(f"{month}-05 08:00")
        await world.order(f"P{month}", "V1", start, start + 8 * HOUR, driver="D1")
        await world.result(f"P{month}", km * KM)
        quantity = march if month == "2026-03" else 100_000
        await world.fill(f"a{month}", "C1", start + HOUR, quantity // 2)  # during the trip
        await world.fill(f"b{month}", "C1", start + 9 * HOUR, quantity - quantity // 2)  # after it


async def test_the_month_is_judged_six_hours_after_its_end(world: FuelWorld) -> None:
    await four_months(world)
    assert MARCH in await world.changes(GATHERER)  # facts of months that are over
    assert await world.by_clock(GATHERER, china("2026-04-01 05:59")) == {MARCH: NOW}
    world.now_us = NOW - MIN
    assert await world.by_clock(GATHERER, china("2026-03-20")) == {}
    world.now_us = NOW + DAY
    assert await world.by_clock(GATHERER, NOW) == {}
    (raised,) = await world.judge(GATHERER, [MARCH, "D1|2026-03|electric", "nobody|2026-03|fuel"])
    assert (raised.driver, raised.vehicle, raised.organisation, raised.severity) == (
        "D1",
        "V1",
        "O1",
        "medium",
    )
    assert raised.measures["ratio_permille"].value == 1150
    assert raised.occurred_from.isoformat() == "2026-03-01T00:00:00+08:00"
    body = frozen.parse(await world.evidence("fuel_consumption", SUBJECT))
    assert said(fuel_consumption.evaluate(body)) == raised.summary
    march = body["months"][-1]
    assert [(f["id"], f["why"], f["order"]) for f in march["fills"]] == [
        ("a2026-03", "during", "P2026-03"),
        ("b2026-03", "after", "P2026-03"),
    ]
    assert await world.judge(GATHERER, [MARCH]) == []


async def test_a_millilitre_less_is_normal_and_corrections_follow(world: FuelWorld) -> None:
    await four_months(world, 114_999)
    assert await world.work(GATHERER) == []
    assert (await world.stored())["fuel_consumption", SUBJECT]["outcome"] == "normal"
    await world.sql("UPDATE fuel_transactions SET quantity = quantity + 1 WHERE id = 'b2026-03'")
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.result("P2026-01", 999 * KM)  # the baseline was higher than thought
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    await world.result("P2026-01", 1001 * KM)
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.sql("UPDATE vehicles SET energy = 'electric'")
    gone = [a for a in await world.work(GATHERER) if a.driver == "D1"]
    assert [a.withdrawal_reason for a in gone] == [means("fuel_consumption", "nothing")]
    await world.sql("UPDATE vehicles SET energy = 'hybrid'")
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.parameter("fuel_consumption", "ratio_permille", 1200, china("2026-03-01"))
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM fuel_transactions WHERE id = 'b2026-03'",
        "UPDATE fuel_transactions SET at = at + interval '40 days' WHERE id = 'b2026-03'",
        "UPDATE fuel_transactions SET kind = 'top_up' WHERE id = 'b2026-03'",
        "UPDATE fuel_transactions SET card = 'C2' WHERE id = 'b2026-03'",
        "UPDATE card_bindings SET valid_to = '2026-03-01Z' WHERE card = 'C1'",
        "UPDATE card_bindings SET plate = '苏F99999' WHERE card = 'C1'",
        "UPDATE vehicles SET plate = '苏F00002'",
        "INSERT INTO fuel_transactions (id, card, at, kind, reverses) VALUES ('r', 'C1', '2026-03-05 12:00+08', 'reversal', 'b2026-03')",
    ],
)
async def test_any_fact_that_takes_the_fuel_away_withdraws(world: FuelWorld, change: str) -> None:
    await world.card("C2")
    await four_months(world)
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.sql(change)
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]


async def test_orders_that_change_hands(world: FuelWorld) -> None:
    await four_months(world)
    await world.work(GATHERER)
    start = china("2026-03-05 08:00")
    await world.order("P2026-03", "V1", start, start + 8 * HOUR, driver="D2")
    await world.result("P2026-03", 1000 * KM)
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    assert (await world.stored())["fuel_consumption", "driver:D2:2026-03:fuel"][
        "reason_code"
    ] == "baseline_months"
    await world.order("P2026-03", "V1", start, start + 8 * HOUR, driver="D1")
    await world.result("P2026-03", 1000 * KM)
    assert [(a.driver, a.status) for a in await world.work(GATHERER)] == [("D1", "suspected")]
    await world.order("P2026-03", "V1", start, start + 8 * HOUR, driver="D1", status="cancelled")
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]


async def test_a_terminal_that_died_on_the_way_accuses_nobody(world: FuelWorld) -> None:
    await four_months(world)
    start = china("2026-03-05 08:00")
    await world.result("P2026-03", 600 * KM, seen=(start, start + 4 * HOUR))
    assert await world.work(GATHERER) == []
    assert (await world.stored())["fuel_consumption", SUBJECT]["reason_code"] == "no_track"
    await world.result("P2026-03", 1000 * KM)  # the rest came late
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    trip = frozen.parse(await world.evidence("fuel_consumption", SUBJECT))["months"][-1]["orders"][0]
    assert (trip["first_us"], trip["last_us"]) == (start, start + 8 * HOUR)
    await world.result("P2026-03", 1000 * KM, seen=(start, start + 7 * HOUR))
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]


async def test_a_late_trip_of_another_driver_takes_the_fill_after_it(world: FuelWorld) -> None:
    await four_months(world)
    await world.work(GATHERER)
    start = china("2026-03-05 16:20")  # between D1's return at 16:00 and the fill at 17:00
    await world.order("late", "V1", start, start + 20 * MIN, driver="D2")
    await world.result("late", 5 * KM)
    assert [(a.driver, a.status) for a in await world.work(GATHERER)] == [("D1", "withdrawn")]


async def test_a_trip_that_is_not_settled_is_waited_for(world: FuelWorld) -> None:
    await four_months(world)
    await world.result("P2026-02", 1000 * KM, state="running")
    await world.changes(GATHERER)
    assert await world.judge(GATHERER, [MARCH]) == []
    assert "order P2026-02 is not settled" in world.later[MARCH].why
    assert world.later[MARCH].due_us == NOW + DAY
    assert ("fuel_consumption", SUBJECT) not in await world.stored()
    await world.result("P2026-02", 1000 * KM)
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    # a new version whose result is still that of the old one
    start = china("2026-02-05 08:00")
    await world.order("P2026-02", "V1", start, start + 8 * HOUR, driver="D1")
    assert await world.work(GATHERER) == []
    assert MARCH in world.later
    # a trip that should be over, and is not returned
    await world.result("P2026-02", 1000 * KM)
    await world.order(
        "open", "V1", china("2026-03-28 08:00"), china("2026-03-28 18:00"), driver="D1", status="departed"
    )
    assert await world.work(GATHERER) == []  # nothing is said while it is waited for
    assert "order open is not returned" in world.later[MARCH].why
    world.now_us = china("2026-04-07 18:00")
    (again,) = await world.judge(GATHERER, [MARCH])  # judged on what is there: another version of the order
    assert (again.status, again.version) == ("suspected", 2)
    assert world.later == {}


async def test_fills_that_are_nobodys_are_left_out_and_counted(world: FuelWorld) -> None:
    await four_months(world)
    start = china("2026-03-10 08:00")
    await world.order("nobody", "V1", start, start + HOUR)
    await world.fill("n1", "C1", start + 30 * MIN, 500_000)
    await world.fill("n2", "C1", start + 2 * HOUR, 500_000)
    await world.fill("zero", "C1", china("2026-03-05 09:30"), 0)
    await world.order("last", "V1", china("2025-11-29 08:00"), china("2025-11-29 09:00"), driver="D2")
    (raised,) = [a for a in await world.work(GATHERER) if a.driver == "D1"]
    assert raised.measures["left_out_fills"].value == 2
    assert raised.measures["ratio_permille"].value == 1150
    body = frozen.parse(await world.evidence("fuel_consumption", SUBJECT))
    assert [(f["id"], f["why"]) for f in body["months"][-1]["left_out"]] == [
        ("n1", "no_driver"),
        ("n2", "no_driver"),
    ]


async def test_a_month_ends_at_midnight_in_shanghai(world: FuelWorld) -> None:
    await four_months(world, march=0)
    await world.order("night", "V1", china("2026-02-28 22:00"), china("2026-03-01 00:00"), driver="D1")
    await world.result("night", 700 * KM)
    await world.fill("late", "C1", china("2026-02-28 23:59"), 7_000)
    await world.fill("early", "C1", china("2026-03-01 00:00"), 9_000)
    await world.work(GATHERER)
    measures = (await world.stored())["fuel_consumption", SUBJECT]["measures"]
    assert measures["current_mileage_m"]["value"] == 1_700_000  # the trip counts where it came back
    assert measures["current_quantity"]["value"] == 9_000
    assert measures["baseline_quantity"]["value"] == 307_000


Facts = tuple[dict[str, Any], list[Any], list[Any]]


async def scramble(world: FuelWorld, chance: random.Random) -> None:
    await world.vehicle("V2", "苏F00002", energy="electric")
    await world.vehicle("V3", "苏F00003", energy="hybrid")
    await world.card(
        "C2", ("苏F00002", china("2025-01-01"), china("2026-02-15")), ("苏F00003", china("2026-02-15"), None)
    )
    await world.card("C3", ("苏F00003", china("2025-01-01"), china("2026-03-01 12:00")))
    await world.driver("D3")
    first = china("2025-11-20")
    for k in range(50):
        status = chance.choice(["returned"] * 8 + ["cancelled"])
        start = first + chance.randrange(0, 130 * 24 * 4) * 15 * MIN
        await world.order(
            f"R{k}", f"V{chance.randint(1, 3)}", start, start + chance.randint(1, 300) * 15 * MIN,
            driver=chance.choice(["D1", "D2", "D3", None]), status=status,
        )  # fmt: skip
        if status == "returned":
            await world.result(f"R{k}", chance.randint(0, 400) * KM)
    for k in range(70):
        await world.fill(
            f"f{k}", f"C{chance.randint(1, 3)}", first + chance.randrange(0, 131 * 24 * 4) * 15 * MIN,
            chance.randint(1000, 60_000), energy=chance.choice(["fuel", "electric"]), amount=chance.randint(1, 9),
            kind=chance.choice(["fill"] * 6 + ["reversal", "top_up"]),
        )  # fmt: skip


async def facts_of(world: FuelWorld) -> tuple[list[Any], list[Any], list[Any], dict[str, Any]]:
    """Trips, transactions, bindings and vehicles, as they stand."""
    trips = await world.pool.fetch(
        "SELECT o.*, r.mileage_mm FROM current_dispatch_orders o LEFT JOIN order_results r ON r.order_id = o.id"
        " WHERE status = 'returned'"
    )
    vehicles = {r["id"]: r for r in await world.pool.fetch("SELECT * FROM vehicles")}
    return (
        trips,
        await world.pool.fetch("SELECT * FROM fuel_transactions"),
        await world.pool.fetch("SELECT * FROM card_bindings"),
        vehicles,
    )


async def naive(world: FuelWorld) -> dict[tuple[str, str, str], list[int]]:
    """(driver, month, energy) -> [ml or Wh, mm], fact by fact."""
    trips, transactions, bindings, vehicles = await facts_of(world)
    kinds = {"petrol": ["fuel"], "electric": ["electric"], "hybrid": ["fuel", "electric"]}
    month: Callable[[Any], str] = lambda t: fuel_consumption.month_of(int(t.timestamp()) * 1_000_000)  # noqa: E731
    sums: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for t in trips:
        for energy in kinds[vehicles[t["vehicle"]]["energy"]]:
            if t["driver"]:
                sums[t["driver"], month(t["actual_return"]), energy][1] += t["mileage_mm"]
    gone = set()
    for r in sorted((t for t in transactions if t["kind"] == "reversal"), key=lambda t: (t["at"], t["id"])):
        fitting = [
            f for f in transactions
            if f["kind"] == "fill" and f["card"] == r["card"] and f["id"] not in gone and f["at"] <= r["at"]
            and (r["at"] - f["at"]).total_seconds() <= 86_400
            and f["amount_fen"] == r["amount_fen"] and f["quantity"] == r["quantity"]
        ]  # fmt: skip
        if fitting:
            gone.add(max(fitting, key=lambda f: (f["at"], f["id"]))["id"])
    for f in transactions:
        plates = [
            b["plate"]
            for b in bindings
            if b["card"] == f["card"]
            and b["valid_from"] <= f["at"]
            and (b["valid_to"] is None or f["at"] < b["valid_to"])
        ]
        held = [
            v["id"] for v in vehicles.values() if v["plate"] in plates and f["energy"] in kinds[v["energy"]]
        ]
        if f["kind"] != "fill" or f["id"] in gone or not held:
            continue
        spans = [
            ((t["actual_departure"] or t["planned_departure"]), t["actual_return"], t["id"], t["driver"])
            for t in trips
            if t["vehicle"] == held[0]
        ]
        inside = [(a, i, d) for a, b, i, d in spans if a <= f["at"] <= b]
        before = [
            (b, a, i, d)
            for a, b, i, d in spans
            if b < f["at"] and (f["at"] - b).total_seconds() <= REACH_US / 1e6
        ]
        driver = (
            max(inside, key=lambda x: x[:2])[-1]
            if inside
            else max(before, key=lambda x: x[:3])[-1]
            if before
            else None
        )
        if driver:
            sums[driver, month(f["at"]), f["energy"]][0] += f["quantity"]
    return sums


@pytest.mark.parametrize("seed", [1, 2])
async def test_sums_agree_with_a_naive_count_and_changes_are_followed(world: FuelWorld, seed: int) -> None:
    chance = random.Random(seed)
    await world.parameter("fuel_consumption", "min_km", 1)
    await world.parameter("fuel_consumption", "min_fills", 1)
    await scramble(world, chance)
    keys = await world.changes(GATHERER)
    everything = await world.everything(GATHERER)
    assert set(everything) <= set(keys)
    chance.shuffle(everything)
    for start in range(0, len(everything), 5):  # however they are cut
        await world.judge(GATHERER, everything[start : start + 5])
    assert await world.judge(GATHERER, keys) == []
    for step in range(12):
        await compare(world)
        await change(world, chance, step)
        await world.work(GATHERER)
        before = await world.stored()
        assert await world.judge(GATHERER, await world.everything(GATHERER)) == [], step
        assert await world.stored() == before, step


async def compare(world: FuelWorld) -> None:
    sums = await naive(world)
    seen = 0
    for (_, subject), row in (await world.stored()).items():
        _, driver, month, energy = subject.split(":")
        quantity, mileage = sums.get((driver, month, energy), (0, 0))
        if (quantity or mileage) and row["measures"]:
            # Of several classes of vehicles the one that is told, and all together.
            which = "all" if "classes" in row["measures"] else "current"
            assert row["measures"][f"{which}_quantity"]["value"] == quantity, subject
            assert row["measures"][f"{which}_mileage_m"]["value"] == mileage // 1000, subject
            seen += 1
    ended = {k for k, v in sums.items() if any(v) and fuel_consumption.month_span(k[1])[1] <= NOW}
    assert seen >= len(ended) > 10


async def change(world: FuelWorld, chance: random.Random, step: int) -> None:
    pick = f"ORDER BY md5(id || '{step}') LIMIT 1"
    at = china("2025-11-20") + chance.randrange(0, 130 * 24 * 4) * 15 * MIN
    what = chance.randrange(7)
    if what == 0:
        await world.fill(f"n{step}", f"C{chance.randint(1, 3)}", at, 20_000)
    elif what == 1:
        await world.sql(f"DELETE FROM fuel_transactions WHERE id = (SELECT id FROM fuel_transactions {pick})")  # noqa: S608
    elif what == 2:
        await world.sql(
            f"UPDATE fuel_transactions SET card = $1, at = $2 WHERE id = (SELECT id FROM fuel_transactions {pick})",  # noqa: S608
            f"C{chance.randint(1, 3)}",
            world.time(at),
        )
    elif what in (3, 4):
        order = f"R{chance.randint(0, 55)}"
        status = chance.choice(["returned", "returned", "cancelled"])
        await world.order(order, f"V{chance.randint(1, 3)}", at, at + chance.randint(1, 300) * 15 * MIN,
                          driver=chance.choice(["D1", "D2", "D3", None]), status=status)  # fmt: skip
        if status == "returned":
            await world.result(order, chance.randint(0, 400) * KM)
    elif what == 5:
        await world.sql(
            "UPDATE card_bindings SET plate = $1 WHERE card = $2",
            f"苏F0000{chance.randint(1, 3)}",
            f"C{chance.choice([1, 3])}",
        )
    else:
        await world.sql(
            "UPDATE vehicles SET energy = $1 WHERE id = 'V3'", chance.choice(["hybrid", "petrol", "electric"])
        )
