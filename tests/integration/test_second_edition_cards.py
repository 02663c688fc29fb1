"""The second edition of the rules on cards, fuel and violations: what the gatherers read of a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import asyncpg
import numpy as np
import pytest

from registry.changes import note_order_times
from registry.facts.violations import drivers_at
from registry.order_cover import NOT_SHOWN
from registry.orders import read_orders, save_track_times
from registry.parameter_values import load_parameters
from registry.parameters import resolve
from registry.records import KINDS, apply
from rules import evidence as frozen
from rules.judge.context import Gatherer
from rules.judge.subjects.cards import Cards
from rules.judge.subjects.driver_months import DriverMonths
from rules.judge.subjects.fills import Transactions
from rules.judge.subjects.violations import Violations
from rules.live.store.due import spread
from runtime.units import to_us
from telemetry.archive.store import Archive, days_of
from telemetry.positions import OPTIONAL, PositionBatch
from tests.integration.fuel_world import DAY, HOUR, MIN, FuelWorld, S, china
from tests.words import means

NOW = china("2026-04-01 06:00")
KM = 1_000_000


@pytest.fixture
async def world(pool: asyncpg.Pool) -> FuelWorld:
    made = FuelWorld(pool, NOW)
    await made.build()
    await made.vehicle("V1", "苏F00001")
    for driver in ("D1", "D2"):
        await made.driver(driver)
    await made.card("C1", ("苏F00001", china("2025-01-01"), None))
    return made


async def outcomes(world: FuelWorld, rule: str) -> dict[str, tuple[str, str]]:
    return {
        s: (r["outcome"], r["reason_code"]) for (of, s), r in (await world.stored()).items() if of == rule
    }


async def positions(world: FuelWorld, rows: list[dict[str, int]]) -> None:
    """Fixes of V1's terminal: columns of a PositionBatch, one row each."""
    number = await world.pool.fetchval(
        "INSERT INTO terminals (phone) VALUES ('13800000001') ON CONFLICT (phone) DO UPDATE SET phone = EXCLUDED.phone"
        " RETURNING no"
    )
    await world.sql(
        "INSERT INTO terminal_bindings SELECT $1::integer, no, $2::timestamptz FROM vehicles WHERE id = 'V1' ON CONFLICT DO NOTHING",
        number, world.time(china("2025-01-01")),
    )  # fmt: skip
    names = sorted({name for row in rows for name in row})
    columns: dict[str, Any] = {name: np.array([row.get(name, 0) for row in rows]) for name in names}
    columns["present"] = np.array(
        [sum(1 << k for k, name in enumerate(OPTIONAL) if name in row) for row in rows], np.uint8
    )
    batch = PositionBatch.build(
        len(rows), terminal=number, received_us=columns["device_us"] + S, status=2, **columns
    )
    archive = Archive(now_us=lambda: world.now_us)
    async with world.pool.acquire() as conn:
        await archive.ensure_partitions(conn, days_of(batch))
        async with conn.transaction():
            await archive.store(conn, batch)


# --- parameters inherit


async def test_a_unit_inherits_what_is_set_above_and_a_new_unit_above_is_a_change(world: FuelWorld) -> None:
    await world.sql("INSERT INTO organisations (id, name) VALUES ('city', '市'), ('other', '邻市')")
    await world.sql("INSERT INTO organisations (id, name, parent) VALUES ('district', '区', 'city')")
    await world.sql("UPDATE organisations SET parent = 'district' WHERE id = 'O1'")
    await world.sql(
        "INSERT INTO rule_parameters (rule, name, organisation, value, effective_from) VALUES"
        " ('card_binding', 'grace_days', 'city', 30, '2026-01-01'), ('card_binding', 'grace_days', 'other', 0, '2026-01-01')"
    )

    async def grace(unit: str) -> int:
        async with world.pool.acquire() as conn:
            rows = await load_parameters(conn)
        return resolve("card_binding", unit, NOW, rows)["grace_days"]

    assert [await grace(u) for u in ("city", "district", "O1", "other")] == [30, 30, 30, 0]
    await world.card("C2", ("苏F00001", china("2026-01-01"), NOW - 9 * DAY))
    cards = Cards()
    assert await world.work(cards) == []
    await world.sql("UPDATE organisations SET parent = 'other' WHERE id = 'district'")
    assert await grace("O1") == 0
    (raised,) = await world.work(cards)  # the move itself is what is read of
    assert (raised.rule, raised.status, raised.parameters["grace_days"]) == ("card_binding", "suspected", 0)
    await world.sql(
        "INSERT INTO rule_parameters (rule, name, organisation, value, effective_from)"
        " VALUES ('card_binding', 'grace_days', 'O1', 20, '2026-01-01')"
    )
    assert [a.status for a in await world.work(cards)] == ["withdrawn"]


async def test_what_a_unit_above_sets_concerns_the_vehicles_of_the_live_workers_below(
    world: FuelWorld,
) -> None:
    await world.sql("INSERT INTO organisations (id, name) VALUES ('city', '市'), ('other', '邻市')")
    await world.sql("UPDATE organisations SET parent = 'city' WHERE id = 'O1'")
    await world.sql("INSERT INTO vehicles (id, plate, organisation) VALUES ('V9', '苏F00099', 'other')")

    async def due() -> set[tuple[str, str]]:
        async with world.pool.acquire() as conn:
            await spread(conn)
            rows = await conn.fetch(
                "DELETE FROM live_due d USING vehicles v WHERE v.no = d.vehicle_no RETURNING d.subject, v.id, d.kind"
            )
        return {(r["subject"], r["id"]) for r in rows if r["kind"] == "parameter"}

    await due()
    await world.sql(
        "INSERT INTO rule_parameters (rule, name, organisation, value, effective_from)"
        " VALUES ('track', 'gap_s', 'city', 60, '2026-01-01')"
    )
    assert await due() == {("track.gap_s", "V1")}
    await world.sql("UPDATE organisations SET parent = 'other' WHERE id = 'O1'")
    assert await due() == {("track.gap_s", "V1")}
    await world.sql("UPDATE organisations SET name = '局' WHERE id = 'O1'")
    assert await due() == set()


# --- cards


async def test_master_cards_and_rented_vehicles(world: FuelWorld) -> None:
    cards = Cards()
    await world.card("M1")
    await world.sql("UPDATE fuel_cards SET kind = 'master' WHERE id = 'M1'")
    assert await world.work(cards) == []
    assert (await outcomes(world, "card_binding"))["unbound:M1"] == ("normal", "master")
    await world.fill("f1", "M1", NOW - DAY, 20_000, product="车用尿素")
    assert await world.work(cards) == []
    await world.fill("f2", "M1", NOW - DAY, 40_000)
    (raised,) = await world.work(cards)
    assert (raised.status, raised.reason_code) == ("suspected", "not_bound")
    await world.fill("r2", "M1", NOW - DAY + MIN, 40_000, kind="reversal")
    assert [a.withdrawal_reason for a in await world.work(cards)] == [means("card_binding", "master")]

    await world.vehicle("R1", "苏F00009", registered=date(2026, 3, 1), disposed=date(2026, 3, 11))
    await world.sql("UPDATE vehicles SET ownership = 'rented', report = '报备1号' WHERE id = 'R1'")
    await world.card(
        "C2", ("苏F00009", china("2026-03-01"), china("2026-03-11")), ("苏F00001", china("2026-03-11"), None)
    )
    assert await world.work(cards) == []
    await world.sql("DELETE FROM card_bindings WHERE card = 'C2' AND plate = '苏F00001'")
    await world.sql("UPDATE card_bindings SET valid_to = NULL WHERE card = 'C2' AND plate = '苏F00009'")
    (late,) = await world.work(cards)
    assert (late.reason_code, late.severity) == ("report_ended", "medium")


async def test_fills_after_an_order_that_nobody_closed(world: FuelWorld) -> None:
    cards = Cards()
    end = china("2026-03-02 12:00")
    await world.order("P1", "V1", china("2026-03-02 08:00"), end, status="departed")
    await world.fill("t1", "C1", end + 2 * HOUR, station="二站")  # still covered
    await world.fill("t2", "C1", end + 2 * HOUR + S)
    assert await world.work(cards) == []
    await world.fill("t3", "C1", end + 9 * HOUR)
    (raised,) = await world.work(cards)
    assert (raised.order, raised.measures["fills"].value) == ("P1", 2)
    assert "没有返回记录" in raised.summary
    # Its return is entered at last: everything was on the way.
    await world.order("P1", "V1", china("2026-03-02 08:00"), end + 10 * HOUR)
    assert [a.status for a in await world.work(cards)] == ["withdrawn"]


# --- card_use


async def test_the_clerk_s_minute_holds_for_fills_at_both_ends_of_an_order(world: FuelWorld) -> None:
    """Back at 12:10 by the track, 12:00 on paper; the next one left at 13:50, 14:00 on paper. Fills between paper and track
    belong to the orders, also when the track is looked up after the fills."""
    at, gatherer = china, Cards()
    await world.order("P1", "V1", at("2026-03-02 08:00"), at("2026-03-02 12:00"))
    await world.order("P2", "V1", at("2026-03-02 14:00"), at("2026-03-02 18:00"))
    for name, when in (("T1", "12:05"), ("T2", "12:30"), ("T3", "13:55")):
        await world.fill(name, "C1", at(f"2026-03-02 {when}"))
    await world.work(gatherer)
    subject = ("refuel_frequency", "card:C1:after:P1")
    assert (await world.stored())[subject]["outcome"] == "suspected"
    async with world.pool.acquire() as conn, conn.transaction():
        rows = await read_orders(conn, "WHERE o.is_current")
        shown = {"P1": (NOT_SHOWN, at("2026-03-02 12:10")), "P2": (at("2026-03-02 13:50"), NOT_SHOWN)}
        await save_track_times(
            conn, [replace(o, left_us=shown[o.id][0], back_us=shown[o.id][1]) for o in rows]
        )
        await note_order_times(conn, list(shown))
    (gone,) = await world.work(gatherer)
    assert gone.status == "withdrawn"
    stored = (await world.stored())[subject]
    assert (stored["outcome"], stored["measures"]["fills"]["value"]) == ("normal", 1)
    # A third fill between them: then the difference is shown.
    await world.fill("T4", "C1", at("2026-03-02 13:00"))
    (raised,) = await world.work(gatherer)
    assert "12:10 返回（登记 03-02 12:00，按轨迹）" in raised.summary.replace("2026-", "")


async def test_booked_and_reversed_rows_are_shown(world: FuelWorld) -> None:
    fills = Transactions()
    at = china("2026-03-18 09:00")
    await world.sql("UPDATE vehicles SET registered_on = '2025-01-01'")
    await world.sql("INSERT INTO fuel_stations (id, name) VALUES ('S1', '一站')")
    await world.fill("alone", "C1", at, 30_000, kind="reversal", amount=-22_000)
    assert await world.work(fills) == []
    found = await outcomes(world, "card_use")
    assert found["transaction:alone"] == ("undetermined", "reversal_unmatched")
    # The fill that it takes back comes with a later statement.
    await world.fill("late", "C1", at - HOUR, 30_000, amount=22_000)
    await world.work(fills)
    assert (await outcomes(world, "card_use"))["transaction:alone"] == ("normal", "no_fill")
    await world.sql("DELETE FROM fuel_transactions WHERE id = 'late'")
    await world.work(fills)
    assert (await outcomes(world, "card_use"))["transaction:alone"] == ("undetermined", "reversal_unmatched")


async def test_a_statement_of_bookings_is_written_as_such(world: FuelWorld) -> None:
    model = KINDS["fuel-transactions"].model
    given = {
        "id": "T1",
        "card": "C1",
        "at": "2026-03-18T09:00:00+08:00",
        "kind": "fill",
        "quantity": "-30.5",
        "posted": True,
    }
    async with world.pool.acquire() as conn, conn.transaction():
        assert await apply(conn, [model.model_validate(given)]) == ["created"]
    row = await world.pool.fetchrow("SELECT kind, quantity, posted FROM fuel_transactions")
    assert tuple(row) == ("reversal", 30_500, True)


# --- fuel_consumption


async def four_months(world: FuelWorld, march: int) -> None:
    """D1 drives V1 1,000 km and takes 100 l a month; ``march`` ml in March."""
    for month in ("2025-12", "2026-01", "2026-02", "2026-03"):
        start = china(f"{month}-05 08:00")
        await world.order(f"P{month}", "V1", start, start + 8 * HOUR, driver="D1")
        await world.result(f"P{month}", 1000 * KM)
        quantity = march if month == "2026-03" else 100_000
        await world.fill(f"a{month}", "C1", start + HOUR, quantity - 50_000)
        await world.fill(f"b{month}", "C1", start + 9 * HOUR, 50_000)
        await world.fill(f"u{month}", "C1", start + 9 * HOUR, 90_000, product="车用尿素")


async def test_tanks_of_the_register_and_levels_of_the_terminal(world: FuelWorld) -> None:
    months: Gatherer = DriverMonths()
    subject = "driver:D1:2026-03:fuel"
    await four_months(world, 130_000)
    assert await world.work(months) == []
    assert (await outcomes(world, "fuel_consumption"))[subject] == ("undetermined", "tank")
    # (130 - 1) / 1000 >= 1.15 * (300 + 1) / 3000
    await world.sql("UPDATE vehicles SET tank_ml = 1000")
    assert [a.driver for a in await world.work(months)] == ["D1"]
    body = frozen.parse(await world.evidence("fuel_consumption", subject))
    assert body["vehicles"] == [
        {"id": "V1", "group": "轿车|petrol", "capacity": 1000, "levels": [None, None, None]}
    ]
    assert {f["why"] for f in body["months"][-1]["left_out"]} == {"goods"}
    # Item 0x02 in the day before each end: what was bought in March is in the tank still.
    await world.sql("UPDATE vehicles SET tank_ml = 80000")
    edges = [china(f"{month}-01") for month in ("2025-12", "2026-03", "2026-04")]
    level = {edges[0]: 400, edges[1]: 400, edges[2]: 600}
    rows = [
        {"device_us": us - HOUR, "lat_e6": 32_000_000, "lon_e6": 120_900_000, "fuel_dl": level[us]}
        for us in edges
    ]
    await positions(world, rows)
    assert [a.withdrawal_reason for a in await world.work(months)] == [means("fuel_consumption", "within")]
    # Another driver took the vehicle too: its tank says nothing about this one.
    await world.order("X", "V1", china("2026-03-20 08:00"), china("2026-03-20 09:00"), driver="D2")
    await world.result("X", KM)
    await world.work(months)
    assert (await outcomes(world, "fuel_consumption"))[subject] == ("undetermined", "tank")


# --- traffic_violations


async def test_a_driver_has_what_happened_between_departure_and_return(world: FuelWorld) -> None:
    leave, back = china("2026-03-02 08:00"), china("2026-03-02 12:00")
    await world.order("P1", "V1", leave, back, driver="D1")  # planned seven minutes earlier
    await world.order(
        "P2", "V1", china("2026-03-03 08:00"), china("2026-03-03 12:00"), driver="D2", status="departed"
    )
    await world.order(
        "P3", "V1", china("2026-03-04 08:00"), china("2026-03-04 12:00"), driver="D2", status="approved"
    )
    # The next driver takes over at the very minute of the return.
    await world.order("P4", "V1", china("2026-03-05 08:00"), china("2026-03-05 10:00"), driver="D1")
    await world.order("P5", "V1", china("2026-03-05 10:00"), china("2026-03-05 12:00"), driver="D2")
    change = china("2026-03-05 10:00")
    no = await world.pool.fetchval("SELECT no FROM vehicles WHERE id = 'V1'")
    cover = china("2026-03-03 14:00")
    asked = {
        leave - S: None, leave: ("D1", "P1"), back: ("D1", "P1"), back + S: None, cover: ("D2", "P2"), cover + S: None,
        china("2026-03-04 09:00"): None, change - S: ("D1", "P4"), change: None, change + S: ("D2", "P5"),
    }  # fmt: skip
    async with world.pool.acquire() as conn:
        assert await drivers_at(conn, [(no, us) for us in asked], ()) == list(asked.values())


async def test_parking_and_twins_are_in_the_evidence(world: FuelWorld) -> None:
    def record(id: str, at: str, **more: Any) -> Any:
        return KINDS["violations"].model.model_validate(
            {"id": id, "plate": "苏F00001", "at": at, "act": "超速"} | more
        )

    spot = {"lat": 32.0, "lon": 120.9, "datum": "gcj02"}
    rows = [
        record("W1", "2026-03-02T10:00:00+08:00", code="1352", **spot),
        record("W2", "2026-03-02T10:04:00+08:00", code="1352", **spot),
        record("W3", "2026-03-05T10:00:00+08:00", act="", code="10391"),
    ]
    async with world.pool.acquire() as conn, conn.transaction():
        assert await apply(conn, rows) == ["created"] * 3
    stored = await world.pool.fetchrow("SELECT lat, lat_e6, code FROM violations WHERE id = 'W1'")
    assert stored["lat"] == 32.0
    assert stored["lat_e6"] != 32_000_000  # the datum is gcj02
    violations = Violations()
    assert await world.work(violations) == []
    assert (await outcomes(world, "traffic_violations"))["vehicle:V1:2026-03"] == ("normal", "few")
    when = datetime.fromisoformat("2026-03-09T10:00:00+08:00")
    await world.sql("INSERT INTO violations (id, plate, at, act) VALUES ('W4', '苏F00001', $1, '超速')", when)
    (raised,) = await world.work(violations)
    body = frozen.parse(await world.evidence("traffic_violations", "vehicle:V1:2026-03"))
    assert [row["why"].split(" · ")[0] for row in body["violations"]] == [
        "计入", "同一行为，已按另一记录计入", "停车类违法，不是行驶过程中", "计入",
    ]  # fmt: skip
    assert raised.occurred_to is not None
    assert to_us(raised.occurred_to) == to_us(when)
