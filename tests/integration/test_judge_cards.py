"""Gatherer cards: bindings, cards bound to nothing and fills between orders, on a real database."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from rules import evidence as frozen
from rules.checks import card_binding, refuel_frequency
from rules.judge.subjects.cards import Cards
from tests import words
from tests.integration.fuel_world import DAY, HOUR, MIN, FuelWorld, china
from tests.words import means

NOW = china("2026-03-20 12:00")
GATHERER = Cards()


@pytest.fixture
async def world(pool: asyncpg.Pool) -> FuelWorld:
    made = FuelWorld(pool, NOW)
    await made.build()
    return made


def said(alerts: list[Any]) -> list[tuple[str, str, str]]:
    return [(a.rule, a.status, a.severity) for a in alerts]


async def test_the_life_of_a_binding_to_a_private_car(world: FuelWorld) -> None:
    await world.card("C1", ("苏F00001", NOW - 9 * DAY, None))
    (raised,) = await world.work(GATHERER)
    subject = card_binding.subject("C1", NOW - 9 * DAY)
    assert said([raised]) == [("card_binding", "suspected", "high")]
    assert (raised.vehicle, raised.plate, raised.organisation) == (None, "苏F00001", "O1")
    assert raised.occurred_to is None
    body = await world.evidence("card_binding", subject)
    assert words.said(card_binding.evaluate(frozen.parse(body))) == raised.summary
    assert await world.work(GATHERER) == []

    world.now_us += 3 * DAY  # time alone changes nothing
    assert await world.judge(GATHERER, ["C1"]) == []

    await world.vehicle("V1", "苏F00001")
    (gone,) = await world.work(GATHERER)
    assert (gone.status, gone.withdrawal_reason) == ("withdrawn", means("card_binding", "official"))
    await world.sql("UPDATE vehicles SET disposed_on = $1", date(2026, 3, 18))
    (again,) = await world.work(GATHERER)
    assert said([again]) == [("card_binding", "suspected", "medium")]
    assert (again.vehicle, again.version) == ("V1", 3)
    await world.sql("UPDATE card_bindings SET valid_to = $1", world.time(china("2026-03-18")))
    closed = await world.work(GATHERER)  # the very moment of the disposal; but now it is bound to nothing
    assert sorted((a.status, a.plate) for a in closed) == [("suspected", ""), ("withdrawn", "苏F00001")]


async def test_a_plate_that_goes_to_another_vehicle(world: FuelWorld) -> None:
    await world.vehicle("V1", "苏F00001")
    await world.card("C1", ("苏F00001", NOW - 9 * DAY, None))
    assert await world.work(GATHERER) == []
    await world.sql("UPDATE vehicles SET plate = '苏F00002'")
    await plates_told(world, NOW - 2 * DAY)
    assert said(await world.work(GATHERER)) == [("card_binding", "suspected", "medium")]
    stored = await world.stored()
    assert {r["reason_code"] for (rule, _), r in stored.items() if rule == "card_binding"} == {
        "plate_changed"
    }
    await world.sql("UPDATE vehicles SET plate = '苏F00001'")
    assert said(await world.work(GATHERER)) == [("card_binding", "withdrawn", "medium")]
    # The plate of a vehicle that never had it accuses as before.
    await world.sql("UPDATE card_bindings SET plate = '苏F99999'")
    assert ("card_binding", "suspected", "high") in said(await world.work(GATHERER))


async def plates_told(world: FuelWorld, at: int) -> None:
    """The register was told at ``at`` (the database's clock is not that of the world)."""
    await world.sql(
        "UPDATE vehicle_plates SET valid_to = $1, valid_from = '-infinity' WHERE valid_to IS NOT NULL",
        world.time(at),
    )
    await world.sql("UPDATE vehicle_plates SET valid_from = $1 WHERE valid_to IS NULL", world.time(at))


async def test_a_binding_of_before_stays_official_when_the_vehicle_gets_another_plate(
    world: FuelWorld,
) -> None:
    """The card was bound anew with the plate: nobody is accused, of the old binding neither."""
    await world.vehicle("V1", "苏F00001", registered=date(2024, 1, 1))
    told = NOW - 2 * DAY
    await world.card("C1", ("苏F00001", NOW - 300 * DAY, told), ("苏FD00001", told, None))
    await world.sql("UPDATE vehicles SET plate = '苏FD00001'")
    await plates_told(world, told)
    assert await world.work(GATHERER) == []
    outcomes = {r["outcome"] for (rule, _), r in (await world.stored()).items() if rule == "card_binding"}
    assert outcomes == {"normal"}
    # Bound to the old plate to this day: found in the night after the day on which the register was told.
    await world.sql("DELETE FROM card_bindings WHERE plate = '苏FD00001'")
    await world.sql("UPDATE card_bindings SET valid_to = NULL")
    assert said(await world.work(GATHERER)) == [("card_binding", "suspected", "medium")]
    assert "C1" in await world.by_clock(GATHERER, told)


async def test_a_binding_that_is_deleted_or_moved(world: FuelWorld) -> None:
    await world.card("C:1", ("苏F00001", NOW - 9 * DAY, NOW - 2 * DAY))
    raised = await world.work(GATHERER)
    assert sorted(said(raised)) == [
        ("card_binding", "suspected", "high"),
        ("card_binding", "suspected", "medium"),
    ]
    await world.sql("UPDATE card_bindings SET valid_from = $1", world.time(NOW - 8 * DAY))
    moved = await world.work(GATHERER)
    assert sorted(a.status for a in moved) == ["suspected", "withdrawn"]
    await world.sql("DELETE FROM card_bindings")
    assert "withdrawn" in {a.status for a in await world.work(GATHERER)}
    rows = await world.pool.fetch("SELECT subject FROM alerts WHERE status = 'suspected'")
    assert [r["subject"] for r in rows] == ["unbound:C:1"]


async def test_bound_to_nothing(world: FuelWorld) -> None:
    await world.parameter("card_binding", "grace_days", 3)
    await world.vehicle("V1", "苏F00001")
    await world.card("C1", ("苏F00001", NOW - 9 * DAY, NOW - 3 * DAY))
    assert await world.work(GATHERER) == []
    assert ("card_binding", "unbound:C1") not in await world.stored()  # nothing to say about it yet
    world.now_us = NOW + DAY
    assert await world.by_clock(GATHERER, NOW) == {"C1": china("2026-03-21 02:00")}
    (raised,) = await world.judge(GATHERER, ["C1"])
    assert said([raised]) == [("card_binding", "suspected", "medium")]
    await world.sql("INSERT INTO card_bindings VALUES ('C1', '苏F00001', $1)", world.time(NOW))
    (gone,) = await world.work(GATHERER)
    assert gone.withdrawal_reason == means("card_binding", "bound")
    await world.sql("UPDATE card_bindings SET valid_to = $1 WHERE valid_to IS NULL", world.time(NOW + HOUR))
    world.now_us = NOW + 9 * DAY
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.sql("UPDATE fuel_cards SET status = 'closed', closed_on = '2026-03-21'")
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]


async def test_the_night_finds_what_time_alone_changes(world: FuelWorld) -> None:
    await world.vehicle("V1", "苏F00001", disposed=date(2026, 3, 22))
    await world.vehicle("V2", "苏F00002")
    await world.card("C1", ("苏F00001", NOW - 9 * DAY, None))
    await world.card("C2", ("苏F00002", NOW - 9 * DAY, NOW), ("苏F99999", NOW + 2 * DAY, None))
    await world.card("C3", ("苏F00002", NOW - 9 * DAY, None))
    world.now_us = NOW - MIN
    assert await world.work(GATHERER) == []
    raised, since = [], world.now_us
    for _ in range(6):
        world.now_us += DAY
        keys = await world.by_clock(GATHERER, since)
        since = world.now_us
        raised += [(a.summary[:20], a.status, a.plate) for a in await world.judge(GATHERER, sorted(keys))]
        assert "C3" not in keys
    assert [r[1:] for r in raised] == [
        ("suspected", ""), ("suspected", "苏F00001"), ("withdrawn", ""), ("suspected", "苏F99999"),
    ]  # fmt: skip
    world.now_us = china("2026-03-27 01:59")
    assert await world.by_clock(GATHERER, china("2026-03-26 02:00")) == {}


async def orders(world: FuelWorld) -> None:
    """P1 on 1 March 08:00 to 12:00, P2 on 3 March from 08:00; one card."""
    await world.vehicle("V1", "苏F00001")
    await world.card("C1", ("苏F00001", china("2026-01-01"), None))
    await world.order("P1", "V1", china("2026-03-01 08:00"), china("2026-03-01 12:00"))
    await world.order("P2", "V1", china("2026-03-03 08:00"), china("2026-03-03 12:00"))


async def test_two_fills_between_two_orders_and_a_late_order_in_between(world: FuelWorld) -> None:
    await orders(world)
    await world.fill("t1", "C1", china("2026-03-01 13:00"))
    assert await world.work(GATHERER) == []
    stored = await world.stored()
    assert stored["refuel_frequency", "card:C1:after:P1"]["outcome"] == "normal"
    await world.fill("t2", "C1", china("2026-03-02 13:00"))
    (raised,) = await world.work(GATHERER)
    assert (raised.order, raised.vehicle, raised.driver) == ("P1", "V1", None)
    body = frozen.parse(await world.evidence("refuel_frequency", "card:C1:after:P1"))
    assert (body["order"]["id"], body["next_order"]["id"]) == ("P1", "P2")
    assert {t["id"]: t["why"] for t in body["transactions"]} == {"t1": "counted", "t2": "counted"}
    assert words.said(refuel_frequency.evaluate(body)) == raised.summary

    await world.order("P9", "V1", china("2026-03-02 08:00"), china("2026-03-02 12:00"))  # 补单
    (gone,) = await world.work(GATHERER)
    assert (gone.status, gone.withdrawal_reason) == ("withdrawn", means("refuel_frequency", "few"))
    await world.fill("t3", "C1", china("2026-03-02 20:00"))
    (second,) = await world.work(GATHERER)
    assert (second.order, second.status) == ("P9", "suspected")
    await world.order("P9", "V1", china("2026-03-02 08:00"), china("2026-03-02 12:00"), status="cancelled")
    alerts = await world.work(GATHERER)
    assert sorted((a.order, a.status) for a in alerts) == [("P1", "suspected"), ("P9", "withdrawn")]
    assert next(a for a in alerts if a.order == "P1").measures["fills"].value == 3


async def test_the_stretch_after_the_last_order_is_open(world: FuelWorld) -> None:
    await orders(world)
    await world.fill("t1", "C1", china("2026-03-03 12:30"))
    await world.fill("t2", "C1", china("2026-03-05 12:30"))
    (raised,) = await world.work(GATHERER)
    assert "尚无下次派单" in raised.summary
    # an order that is not returned ends two hours after its plan; one that is only planned ends the stretch when it departs
    await world.order("P3", "V1", china("2026-03-04 08:00"), china("2026-03-04 12:00"), status="departed")
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    await world.order("P3", "V1", china("2026-03-06 08:00"), china("2026-03-06 12:00"), status="approved")
    (again,) = await world.work(GATHERER)
    assert "下次派车单 P3 2026-03-06 07:53 出车" in again.summary


async def test_transactions_that_are_taken_back_moved_or_deleted(world: FuelWorld) -> None:
    await orders(world)
    await world.card("C2", ("苏F00001", china("2026-01-01"), None))
    await world.fill("t1", "C1", china("2026-03-01 13:00"), amount=30_000)
    await world.fill("t2", "C1", china("2026-03-02 13:00"), amount=31_000)
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.fill("r", "C1", china("2026-03-02 13:05"), None, kind="reversal", amount=-31_000)
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    await world.sql("DELETE FROM fuel_transactions WHERE id = 'r'")
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.sql("UPDATE fuel_transactions SET card = 'C2' WHERE id = 't2'")
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]
    await world.sql("UPDATE fuel_transactions SET card = 'C2' WHERE id = 't1'")
    (other,) = await world.work(GATHERER)
    assert "油卡 C2" in other.summary
    await world.sql("DELETE FROM fuel_transactions")
    (gone,) = await world.work(GATHERER)
    assert gone.withdrawal_reason == means("refuel_frequency", "gone")


async def test_a_parameter_changes_what_was_judged(world: FuelWorld) -> None:
    await orders(world)
    await world.fill("t1", "C1", china("2026-03-01 13:00"))
    await world.fill("t2", "C1", china("2026-03-01 13:11"))
    assert [a.status for a in await world.work(GATHERER)] == ["suspected"]
    await world.parameter("refuel_frequency", "merge_min", 11)
    assert [a.status for a in await world.work(GATHERER)] == ["withdrawn"]


async def test_plates_that_two_vehicles_had(world: FuelWorld) -> None:
    """The plate went from V1, disposed of, to V2: fills belong to the orders of the vehicle of their day."""
    await world.vehicle("V1", "苏F00001", disposed=date(2026, 3, 2))
    await world.vehicle("V2", "苏F00001", registered=date(2026, 3, 2))
    await world.card("C1", ("苏F00001", china("2026-01-01"), None))
    await world.order("P1", "V1", china("2026-03-01 08:00"), china("2026-03-01 12:00"))
    await world.order("P2", "V2", china("2026-03-02 08:00"), china("2026-03-02 12:00"))
    for k, at in enumerate(("2026-03-01 13:00", "2026-03-02 01:00", "2026-03-02 13:00", "2026-03-02 15:00")):
        await world.fill(f"t{k}", "C1", china(at))
    (raised,) = await world.work(GATHERER)
    assert (raised.order, raised.vehicle) == ("P2", "V2")
    stored = await world.stored()
    assert stored["refuel_frequency", "card:C1:after:P1"]["measures"]["fills"]["value"] == 1


T0 = china("2026-02-01")


def naive(trips: list[Any], bindings: list[Any], fills: list[Any]) -> dict[str, int]:
    """Fills by subject, minute by minute. Trips (id, plate, from, to | None, status), bindings (plate, from, to), fills
    (id, minute, station)."""
    parts: list[list[Any]] = []
    for fill in sorted(fills, key=lambda f: (f[1], f[0])):
        near = [p for p in parts if any(fill[1] - q[1] <= 10 and fill[2] == q[2] for q in p)]
        for p in near:
            parts.remove(p)
        parts.append([*(q for p in near for q in p), fill])
    segments: list[list[Any]] = []
    for plate, since, until in bindings:
        if segments and segments[-1][0] == plate and segments[-1][2] == since:
            segments[-1][2] = until
        else:
            segments.append([plate, since, until])
    found: dict[str, int] = defaultdict(int)
    for part in parts:
        at = min(q[1] for q in part)
        mine = next((s for s in segments if s[1] <= at < s[2]), None)
        if mine is None:
            continue
        own = [
            (t[0], t[2], t[3] + 120 if t[4] != "returned" else t[3])  # without a return: two hours more
            for t in trips
            if t[1] == mine[0] and t[4] != "cancelled"
        ]
        minute = at
        while minute >= 0 and not any(a <= minute <= b for _, a, b in own):
            minute -= 1
        if minute in (at, -1):
            continue
        after = max((b, a, i) for i, a, b in own if a <= minute <= b)
        first = next(s for s in segments if s[0] == mine[0] and s[2] > after[0])
        bound = None if first is mine else card_binding.stamp(T0 + mine[1] * MIN)
        found[f"{after[2]}|{bound}"] += 1
    return found


async def scramble(
    world: FuelWorld, chance: random.Random, cards: int
) -> dict[str, tuple[list[Any], list[Any], list[Any]]]:
    made = {}
    for c in range(cards):
        plates = [f"苏F{c:03}A", f"苏F{c:03}B"]
        trips = []
        for plate in plates:
            await world.vehicle(f"V{plate}", plate)
            for k in range(chance.randint(0, 5)):
                start = chance.randint(0, 500)
                status = chance.choices(["returned", "departed", "cancelled"], [12, 1, 2])[0]
                trips.append((f"P{c}-{plate[-1]}{k}", plate, start, start + chance.randint(1, 90), status))
        cuts = sorted(chance.sample(range(1, 700), chance.randint(0, 4)))
        edges = [0, *cuts, 800]
        bindings = [(chance.choice(plates), a, b) for a, b in pairwise(edges) if chance.random() < 0.9]
        fills = [
            (f"t{c}-{k}", chance.randint(0, 700), chance.choice(["一站", "二站"]))
            for k in range(chance.randint(0, 12))
        ]
        await world.card(f"C{c}", *((p, T0 + a * MIN, T0 + b * MIN) for p, a, b in bindings))
        for i, plate, a, b, status in trips:
            await world.order(i, f"V{plate}", T0 + a * MIN, T0 + b * MIN, status=status)
        for i, minute, station in fills:
            await world.fill(i, f"C{c}", T0 + minute * MIN, station=station)
        made[f"C{c}"] = (trips, bindings, fills)
    return made


@pytest.mark.parametrize("seed", [1, 2])
async def test_stretches_agree_with_a_naive_count(world: FuelWorld, seed: int) -> None:
    chance = random.Random(seed)
    made = await scramble(world, chance, 40)
    keys = await world.changes(GATHERER)
    assert set(keys) == set(made)
    chance.shuffle(keys)
    for start in range(0, len(keys), 7):  # however they are cut
        await world.judge(GATHERER, keys[start : start + 7])
    assert await world.judge(GATHERER, sorted(made)) == []
    expected = {
        refuel_frequency.subject(card, order, None if bound == "None" else bound): count
        for card, facts in made.items()
        for (order, bound), count in ((k.split("|"), n) for k, n in naive(*facts).items())
    }
    stored = {
        s: r["measures"]["fills"]["value"]
        for (rule, s), r in (await world.stored()).items()
        if rule == "refuel_frequency"
    }
    assert stored == expected
    assert max(stored.values()) > 2
    rows = await world.pool.fetch(
        "SELECT subject FROM alerts WHERE rule = 'refuel_frequency' AND status = 'suspected'"
    )
    assert {r["subject"] for r in rows} == {s for s, n in expected.items() if n > 1}


@pytest.mark.parametrize("seed", [3, 4])
async def test_following_changes_is_judging_everything_anew(world: FuelWorld, seed: int) -> None:
    """After any change of a fact, judging what ``affected`` names leaves nothing that judging all cards would change."""
    chance = random.Random(seed)
    made = await scramble(world, chance, 8)
    await world.work(GATHERER)
    all_orders = [t for trips, _, _ in made.values() for t in trips]
    for step in range(25):
        card = chance.choice(sorted(made))
        order = chance.choice(all_orders)
        at = T0 + chance.randint(0, 700) * MIN
        what = chance.randrange(8)
        if what == 0:
            await world.fill(f"n{step}", card, at)
        elif what == 1:
            await world.sql("UPDATE fuel_transactions SET card = $2, at = $3 WHERE id = (SELECT id FROM fuel_transactions"
                            " ORDER BY md5(id || $1) LIMIT 1)", str(step), card, world.time(at))  # fmt: skip
        elif what == 2:
            await world.sql("DELETE FROM fuel_transactions WHERE id = (SELECT id FROM fuel_transactions ORDER BY md5(id || $1)"
                            " LIMIT 1)", str(step))  # fmt: skip
        elif what in (3, 4):
            vehicle = f"V{chance.choice(all_orders)[1]}"
            status = chance.choice(["returned", "returned", "approved", "departed", "cancelled"])
            await world.order(order[0], vehicle, at, at + chance.randint(1, 90) * MIN, status=status)
        elif what == 5:
            await world.sql("UPDATE card_bindings SET plate = $2 WHERE (card, valid_from) = (SELECT card, valid_from FROM"
                            " card_bindings ORDER BY md5(card || valid_from::text || $1) LIMIT 1)", str(step), order[1])  # fmt: skip
        elif what == 6:
            await world.sql(
                "UPDATE vehicles SET plate = $2 WHERE id = $1",
                f"V{order[1]}",
                chance.choice([order[1], f"苏F{step}Z"]),
            )
        else:
            await world.fill(f"r{step}", card, at, kind="reversal")
        await world.work(GATHERER)
        before = await world.stored()
        assert await world.judge(GATHERER, sorted(made)) == [], (step, what)
        assert await world.stored() == before, (step, what)
