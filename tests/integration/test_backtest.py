"""Backtests on a real PostgreSQL: every rule flipped by a parameter in both directions, exactly at its limit; nothing
set changes nothing; nothing is written; tracks replayed as the worker judged them."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import shapely

from registry.fences import FenceVersion
from registry.snapshot.timelines import FOREVER
from rules.backtest.judged import NO_ROUTE
from rules.backtest.model import Kind, Question, Row
from rules.backtest.run import Backtest
from rules.judge.subjects.cards import Cards
from rules.judge.subjects.driver_months import DriverMonths
from rules.judge.subjects.fills import Transactions
from rules.judge.subjects.violations import Violations
from rules.tracks.kernel import RESOLUTION_MM
from runtime.units import CHINA, from_us
from telemetry import geo
from tests.integration import test_judge_driver_months as months
from tests.integration.fuel_world import DAY, FuelWorld, china
from tests.integration.navigation_server import engine_server, straight_osrm
from tests.integration.test_judge_orders import CLINIC, DETOUR, HALL, Office, order, trip
from tests.integration.test_judge_transactions import AT, StationWorld, parked
from tests.integration.test_judge_vehicle_days import Court, weekend
from tests.integration.test_judge_violations import OffenceWorld
from tests.integration.worker_world import LAT0, LON0, S, World, drive, place, some_day, stand
from tests.waiting import PATIENCE_S, until

MARCH = (china("2026-03-01"), china("2026-04-01"))


async def look(
    pool: asyncpg.Pool,
    rule: str,
    period: tuple[int, int],
    values: Mapping[str, int] | None = None,
    *,
    now_us: int,
    organisation: str | None = None,
) -> dict[str, Row]:
    """The rows of a backtest by subject; no subject comes twice."""
    question = Question(rule, *period, values or {}, organisation)
    async with pool.acquire() as conn, Backtest.open(conn, question, now_us=lambda: now_us) as backtest:
        rows = [row async for part in backtest.rows() for row in part]
        assert backtest.progress.done == backtest.progress.total
    assert len({row.subject for row in rows}) == len(rows)
    return {row.subject: row for row in rows}


async def kinds(
    pool: asyncpg.Pool,
    rule: str,
    period: tuple[int, int],
    values: Mapping[str, int] | None = None,
    *,
    now_us: int,
) -> dict[str, str]:
    """What would become of each subject."""
    return {s: r.kind.value for s, r in (await look(pool, rule, period, values, now_us=now_us)).items()}


async def content(pool: asyncpg.Pool) -> dict[str, str]:
    """A digest of every row of every table, and of every sequence."""
    tables = await pool.fetch(
        "SELECT c.oid::regclass::text AS name FROM pg_class c WHERE c.relkind IN ('r', 'S')"
        " AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    found = {}
    for table in tables:
        rows = await pool.fetch(f"SELECT ROW(x.*)::text AS x FROM {table['name']} x ORDER BY 1")  # noqa: S608 - from the catalogue
        found[table["name"]] = hashlib.sha256("\n".join(r["x"] for r in rows).encode()).hexdigest()
    return found


def value(row: Row, name: str, side: str = "then") -> int:
    found = row.then if side == "then" else row.now
    assert found is not None
    number = found.measures[name].value
    assert isinstance(number, int)
    return number


# ---- mileage ----


@pytest.fixture
async def office(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    world = World(pool, tmp_path, some_day())
    await world.build()
    async with engine_server(straight_osrm) as server:
        made = Office(world, server, db_url)
        made.stretch = 0.96
        await order(made, "P1", 8)
        await order(made, "P2", 10)
        await world.send(world.batch(trip(8 * 3600, HALL, DETOUR)))
        await world.send(world.batch(trip(10 * 3600, HALL)))
        await made.settle()
        assert await made.outcomes() == [("order:P1", "suspected"), ("order:P2", "normal")]
        yield made
        await made.judge.close()
        await made.navigator.close()
    await world.close()


def day_of(world: World) -> tuple[int, int]:
    return world.day, world.day + DAY


async def ask(office: Office, values: Mapping[str, int] | None = None) -> dict[str, str]:
    pool = office.world.pool
    return await kinds(pool, "mileage", day_of(office.world), values, now_us=office.clock.us)


async def test_mileage_at_the_very_ratio(office: Office) -> None:
    assert await ask(office) == {"order:P1": "unchanged", "order:P2": "unchanged"}
    rows = await look(office.world.pool, "mileage", day_of(office.world), now_us=office.clock.us)
    driven = {
        r["order_id"]: r["mileage_mm"]
        for r in await office.world.pool.fetch("SELECT order_id, mileage_mm FROM order_results")
    }
    for id, kind in (("P1", "withdrawn"), ("P2", "raised")):
        navigation = value(rows[f"order:{id}"], "navigation_m")
        limit = driven[id] // navigation  # the greatest ratio in 1/1000 that it reaches
        found = [(await ask(office, {"ratio_permille": limit + k}))[f"order:{id}"] for k in (0, 1)]
        # At its very ratio what is driven around the destination may be all that is over it: another severity.
        stays = {"unchanged", "changed"}
        assert (
            (found[0] in stays, found[1]) == (True, kind)
            if kind == "withdrawn"
            else found == [kind, "unchanged"]
        )
    low = await look(
        office.world.pool, "mileage", day_of(office.world), {"short_trip_m": 8000}, now_us=office.clock.us
    )
    assert low["order:P1"].kind is Kind.CHANGED  # the severity alone
    assert low["order:P1"].now is not None
    assert (low["order:P1"].now.severity, low["order:P1"].then.severity) == ("medium", "low")


async def test_an_order_without_a_frozen_route_is_told_and_nobody_is_asked(office: Office) -> None:
    await order(office, "P3", 12, destinations=[place(*CLINIC)])
    await office.world.send(office.world.batch(trip(12 * 3600, CLINIC)))
    office.down = True
    await office.settle()
    office.down = False
    asked = len(office.server.requests)
    rows = await look(office.world.pool, "mileage", day_of(office.world), now_us=office.clock.us)
    assert {s: r.kind.value for s, r in rows.items()} == {
        "order:P1": "unchanged",
        "order:P2": "unchanged",
        "order:P3": "waiting",
    }
    assert (rows["order:P3"].then.outcome, rows["order:P3"].then.reason) == ("undetermined", NO_ROUTE)
    assert rows["order:P3"].now is None
    assert len(office.server.requests) == asked
    await office.world.pool.execute("TRUNCATE navigation_routes")
    assert set((await ask(office)).values()) == {"waiting"}


async def test_it_cannot_write_and_holds_nobody_up(office: Office, pool: asyncpg.Pool, db_url: str) -> None:
    before = await content(pool)
    for rule in ("mileage", "location", "destination", "off_hours", "card_binding"):
        await kinds(pool, rule, day_of(office.world), now_us=office.clock.us)
    assert await content(pool) == before
    question = Question("mileage", *day_of(office.world), {"ratio_permille": 1000})
    async with pool.acquire() as conn:
        pid = conn.get_server_pid()
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with Backtest.open(conn, question):
                await conn.execute("DELETE FROM alerts")
        async with Backtest.open(conn, question, now_us=office.clock) as backtest:
            locks = await pool.fetch("SELECT locktype, mode FROM pg_locks WHERE pid = $1", pid)
            assert {lock["mode"] for lock in locks if lock["locktype"] == "relation"} <= {"AccessShareLock"}
            assert "advisory" not in {lock["locktype"] for lock in locks}
            # The worker and the judge go on meanwhile, and the backtest sees nothing of it.
            await order(office, "P4", 14)
            await office.world.send(office.world.batch(trip(14 * 3600, HALL, DETOUR)))
            await office.settle()
            assert ("order:P4", "suspected") in await office.outcomes()
            seen = [row.subject async for part in backtest.rows() for row in part]
    assert seen == ["order:P1", "order:P2"]


async def test_values_of_organisations_and_of_times_are_all_overridden(office: Office) -> None:
    pool, period, now = office.world.pool, day_of(office.world), office.clock.us
    await pool.execute(
        "INSERT INTO rule_parameters (rule, name, organisation, value, effective_from, source)"
        " VALUES ('mileage', 'ratio_permille', 'O1', 3000, '2020-01-01Z', 'x')"
    )
    await office.settle()
    assert (await ask(office))["order:P1"] == "unchanged"
    assert (await ask(office, {"ratio_permille": 1500}))["order:P1"] == "raised"
    only = await look(pool, "mileage", period, {"ratio_permille": 1500}, now_us=now, organisation="O1")
    assert only["order:P1"].kind is Kind.RAISED
    assert await look(pool, "mileage", period, {"ratio_permille": 1500}, now_us=now, organisation="O2") == {}


# ---- location and destination ----


@pytest.fixture
async def world(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> AsyncIterator[World]:
    made = World(pool, tmp_path, some_day(), db_url)
    await made.build(4)
    yield made
    await made.close()


def outing(start_s: float, east: float) -> list[Any]:
    """Out of the yard to so many metres east, back, and in the yard."""
    out = drive(start_s, (0, 0), (east, 0), (0, 0), every=5)
    return [*stand(start_s - 900, start_s), *out, *stand(out[-1][0] + 30, out[-1][0] + 900)]


def displacement_m(fixes: list[Any]) -> int:
    """The greatest limit that an outing reaches: its farthest fix beyond the fence."""
    lat, lon = geo.from_local_plane(LAT0, LON0, [f[1] for f in fixes], [f[2] for f in fixes])
    e6 = [(round(float(a) * 1e6), round(float(b) * 1e6)) for a, b in zip(lat, lon, strict=True)]
    out = [p for p in e6 if p[1] > 120_901_000]
    far = max(out, key=lambda p: p[1])
    return (geo.distance_mm_scalar(far[0], 120_901_000, *far) + RESOLUTION_MM) // 1000


async def test_location_at_the_very_metre(world: World) -> None:
    near, far = outing(8 * 3600, 250), outing(10 * 3600, 3000)
    await world.send(world.batch(near + far))
    late = drive(23.9 * 3600, (0, 0), (4000, 0), every=10)  # over midnight
    await world.send(
        world.batch([*stand(20 * 3600, 23.9 * 3600), *late, *stand(24.5 * 3600, 26 * 3600, 4000)], terminal=2)
    )
    out = drive(9 * 3600, (0, 0), (9000, 0), every=10)  # not over yet
    await world.send(world.batch(out, terminal=3))
    await world.work()
    alerts = [a for a in await world.alerts() if a["rule"] == "location"]
    assert len(alerts) == 3
    period, now = day_of(world), world.day + 2 * DAY

    async def found(limit: int | None) -> dict[str, list[str]]:
        values = {} if limit is None else {"min_displacement_m": limit}
        rows = await look(world.pool, "location", period, values, now_us=now)
        told: dict[str, list[str]] = {}
        for row in rows.values():
            told.setdefault(row.vehicle or "", []).append(row.kind.value)
        return told

    same = {"V1": ["unchanged"], "V2": ["unchanged"], "V3": ["unchanged"]}
    assert await found(None) == same
    assert await found(200) == same
    limit = displacement_m(near)
    assert 100 < limit < 200
    assert sorted((await found(limit))["V1"]) == ["raised", "unchanged"]
    assert (await found(limit + 1))["V1"] == ["unchanged"]
    limit = displacement_m(far)
    assert (await found(limit))["V1"] == ["unchanged"]
    assert (await found(limit + 1))["V1"] == ["withdrawn"]
    assert (await found(9000))["V3"] == ["withdrawn"]
    # A day later: the outing over midnight belongs to the day on which it began.
    assert await look(world.pool, "location", (period[1], period[1] + DAY), now_us=now) == {}


async def test_location_with_another_fence(world: World) -> None:
    """As if it had always been the fence of its vehicle: wider, and nobody left it; narrower, and who stood in the yard was out."""
    await world.send(world.batch(outing(8 * 3600, 3000)))
    await world.send(world.batch(outing(8 * 3600, 3000), terminal=2))
    await world.work()
    assert len([a for a in await world.alerts() if a["rule"] == "location"]) == 2
    period, now = day_of(world), world.day + 2 * DAY

    async def found(west_e6: int, east_e6: int, vehicles: set[str]) -> dict[str, list[str]]:
        box = shapely.box(west_e6 / 1e6, 31.9, east_e6 / 1e6, 32.1)
        fence = FenceVersion("F9", 0, "x", "O1", frozenset(vehicles), shapely.to_wkb(box), 0, FOREVER)
        question = Question("location", *period, {}, "O1", fence)
        async with (
            world.pool.acquire() as conn,
            Backtest.open(conn, question, now_us=lambda: now) as backtest,
        ):
            rows = [row async for part in backtest.rows() for row in part]
        told: dict[str, list[str]] = {}
        for row in rows:
            told.setdefault(row.vehicle or "", []).append(row.kind.value)
        return told

    wide, before = (120_000_000, 122_000_000), await content(world.pool)
    assert await found(*wide, {"V1"}) == {"V1": ["withdrawn"], "V2": ["unchanged"]}
    assert await found(*wide, {"V1", "V2"}) == {"V1": ["withdrawn"], "V2": ["withdrawn"]}
    far = await found(125_000_000, 126_000_000, {"V2"})
    assert far["V1"] == ["unchanged"]
    assert set(far["V2"]) <= {"changed", "raised"}
    assert await content(world.pool) == before


async def test_location_sees_an_order_begin_later_and_a_car_parked_shorter(world: World) -> None:
    first, second = drive(8 * 3600, (0, 0), (2000, 0)), drive(8.5 * 3600, (2000, 0), (0, 0))
    pause = stand(first[-1][0] + 30, 8.5 * 3600, 2000)
    await world.send(
        world.batch([*stand(7 * 3600, 8 * 3600), *first, *pause, *second, *stand(9 * 3600, 10 * 3600)])
    )
    out = drive(8 * 3600, (0, 0), (3000, 0), (0, 0))
    await world.send(world.batch([*stand(7 * 3600, 8 * 3600), *out, *stand(9 * 3600, 10 * 3600)], terminal=2))
    await world.order("P1", 8 * 3600 + 1500, 9 * 3600, vehicle="V2")
    await world.work()
    period, now = day_of(world), world.day + 2 * DAY
    rows = await look(world.pool, "location", period, now_us=now)
    assert [(r.vehicle, r.kind.value) for r in rows.values()] == [("V1", "unchanged"), ("V2", "unchanged")]
    # Ten minutes parked are enough: the way back is an episode of its own.
    rows = await look(world.pool, "location", period, {"episode_idle_min": 10}, now_us=now)
    assert sorted(r.kind.value for r in rows.values() if r.vehicle == "V1") == ["changed", "raised"]
    # Orders cover from half an hour before: the whole drive is covered.
    rows = await look(world.pool, "location", period, {"early_start_min": 30}, now_us=now)
    assert [r.kind.value for r in rows.values() if r.vehicle == "V2"] == ["withdrawn"]


async def test_location_starts_from_the_night_before(world: World) -> None:
    """A car that is out over midnight: the states of that night are of the parameters that held."""
    out = drive(23 * 3600, (0, 0), (150, 0), every=5)
    first_out = next(t for t, east, *_ in out if east > 95) - 23 * 3600
    night = stand(out[-1][0] + 5, 24 * 3600, 150, every=300) + stand(
        24 * 3600 + 300, 31 * 3600, 150, every=300
    )
    more = drive(31 * 3600, (150, 0), (2000, 0), (0, 0), every=5)
    await world.send(
        world.batch([*stand(22 * 3600, 23 * 3600), *out, *night, *more, *stand(33 * 3600, 34 * 3600)])
    )
    await world.work()
    second, now = (world.day + DAY, world.day + 2 * DAY), world.day + 3 * DAY
    rows = await look(world.pool, "location", second, now_us=now)
    assert [r.kind.value for r in rows.values()] == ["unchanged"]
    # Not parked for a whole day: it is one run that began the evening before, whichever day is asked for.
    for since in (world.day, second[0]):
        rows = await look(world.pool, "location", (since, second[1]), {"episode_idle_min": 1440}, now_us=now)
        (row,) = rows.values()
        assert (row.kind, row.from_us) == (Kind.CHANGED, world.day + round((23 * 3600 + first_out) * S))
        assert value(row, "fixes") > value(row, "fixes", "now")
        assert value(row, "distance_m") == value(row, "distance_m", "now")


async def test_destination_at_the_very_metre(world: World) -> None:
    await world.order("P1", 8 * 3600, 8.4 * 3600, destinations=[place(4900, 0), {"name": "市区"}])
    await world.order("P2", 10 * 3600, 10.4 * 3600, destinations=[place(7000, 0)])
    await world.order("P3", 12 * 3600, 12.5 * 3600, destinations=[place(7000, 0)], vehicle="V2")
    for hour in (8, 10):
        await world.send(world.batch(outing(hour * 3600, 4000)))
    await world.work()
    assert [a["order"] for a in await world.alerts() if a["rule"] == "destination"] == ["P2"]
    period, now = day_of(world), world.day + 2 * DAY
    rows = await look(world.pool, "destination", period, now_us=now)
    settled = await world.pool.fetch("SELECT subject FROM evaluations WHERE rule = 'destination' ORDER BY 1")
    assert [s for s in sorted(rows) if rows[s].kind is Kind.UNCHANGED] == [r["subject"] for r in settled]
    near, far = value(rows["order:P1:0"], "nearest_m"), value(rows["order:P2:0"], "nearest_m")

    async def at(radius: int) -> dict[str, str]:
        return await kinds(world.pool, "destination", period, {"radius_m": radius}, now_us=now)

    assert (await at(near))["order:P1:0"] == "unchanged"
    assert (await at(near - 1))["order:P1:0"] == "raised"
    assert (await at(far - 1))["order:P2:0"] == "unchanged"
    assert (await at(far))["order:P2:0"] == "withdrawn"
    assert (await at(1))["order:P1:1"] == "unchanged"  # no coordinates stay none


# ---- fuel, violations ----


async def test_card_use_at_the_very_metre(pool: asyncpg.Pool) -> None:
    station = StationWorld(pool, china("2026-03-20 12:00"))
    await station.build()
    await station.drive(parked(300))
    await station.fill_at("T1")
    await station.drive(parked(150), at=AT + DAY)
    await station.fill_at("T2", AT + DAY)
    await station.work(Transactions())
    now = station.now_us
    rows = await look(pool, "card_use", MARCH, now_us=now)
    assert {s: (r.kind.value, r.then.outcome) for s, r in rows.items()} == {
        "transaction:T1": ("unchanged", "suspected"),
        "transaction:T2": ("unchanged", "normal"),
    }
    out, in_ = value(rows["transaction:T1"], "nearest_m"), value(rows["transaction:T2"], "nearest_m")
    for radius, expected in (
        (out - 1, ["unchanged", "unchanged"]), (out, ["withdrawn", "unchanged"]), (in_, ["unchanged", "unchanged"]),
        (in_ - 1, ["unchanged", "raised"]),
    ):  # fmt: skip
        found = await kinds(pool, "card_use", MARCH, {"station_radius_m": radius}, now_us=now)
        assert [found["transaction:T1"], found["transaction:T2"]] == expected
    assert list(await look(pool, "card_use", (AT, AT + DAY), now_us=now)) == ["transaction:T1"]


async def test_card_binding_and_its_days_of_grace(pool: asyncpg.Pool) -> None:
    now = china("2026-03-20 12:00")
    fuel = FuelWorld(pool, now)
    await fuel.build()
    await fuel.vehicle("V1", "苏F00001")
    await fuel.card("C1", ("苏F00001", now - 9 * DAY, now - 3 * DAY))
    await fuel.work(Cards())
    subject = "unbound:C1"
    assert (await kinds(pool, "card_binding", MARCH, now_us=now))[subject] == "unchanged"
    assert (await kinds(pool, "card_binding", MARCH, {"grace_days": 2}, now_us=now))[subject] != "withdrawn"
    assert (await kinds(pool, "card_binding", MARCH, {"grace_days": 3}, now_us=now))[subject] == "withdrawn"
    # What happened before or after the period is not told.
    early = await kinds(pool, "card_binding", (china("2026-03-01"), china("2026-03-10")), now_us=now)
    assert subject not in early
    await fuel.parameter("card_binding", "grace_days", 3)
    await fuel.work(Cards())
    assert subject not in await kinds(pool, "card_binding", MARCH, now_us=now) or (
        (await kinds(pool, "card_binding", MARCH, now_us=now))[subject] == "unchanged"
    )
    assert (await kinds(pool, "card_binding", MARCH, {"grace_days": 2}, now_us=now))[subject] == "raised"


async def test_refuel_frequency(pool: asyncpg.Pool) -> None:
    now = china("2026-03-20 12:00")
    fuel = FuelWorld(pool, now)
    await fuel.build()
    await fuel.vehicle("V1", "苏F00001")
    await fuel.card("C1", ("苏F00001", now - 60 * DAY, None))
    await fuel.order("P1", "V1", china("2026-03-01 08:00"), china("2026-03-01 12:00"))
    await fuel.fill("t1", "C1", china("2026-03-02 10:00"))
    await fuel.fill("t2", "C1", china("2026-03-02 10:11"))
    await fuel.work(Cards())
    subject = "card:C1:after:P1"

    async def at(**values: int) -> str:
        return (await kinds(pool, "refuel_frequency", MARCH, values, now_us=now))[subject]

    assert (await at(), await at(min_fills=2), await at(min_fills=3)) == (
        "unchanged",
        "unchanged",
        "withdrawn",
    )
    assert (await at(merge_min=10), await at(merge_min=11)) == ("unchanged", "withdrawn")
    await fuel.parameter("refuel_frequency", "min_fills", 3)
    await fuel.work(Cards())
    assert (await at(), await at(min_fills=2)) == ("unchanged", "raised")


async def test_traffic_violations_by_number_month_and_driver(pool: asyncpg.Pool) -> None:
    now = china("2026-03-20 12:00")
    offences = OffenceWorld(pool, now)
    await offences.build()
    await offences.violation("W1", "2026-02-27 10:00", driver="D1")
    await offences.violation("W2", "2026-03-02 10:00", driver="D1")
    await offences.violation("W3", "2026-03-05 10:00", plate="苏F00002", driver="D2")
    await offences.work(Violations())
    v1, v2 = "vehicle:V1:2026-03", "vehicle:V2:2026-03"

    async def at(**values: int) -> dict[str, str]:
        return await kinds(pool, "traffic_violations", MARCH, values, now_us=now)

    assert await at() == {v1: "unchanged", v2: "unchanged"}
    assert await at(min_violations=3) == {v1: "withdrawn", v2: "unchanged"}
    assert await at(min_violations=1) == {v1: "unchanged", v2: "raised"}
    assert (await at(natural_month=1))[v1] == "withdrawn"
    by_driver = await at(by_driver=1)
    assert (by_driver[v1], by_driver["driver:D1:2026-03"]) == ("withdrawn", "raised")


async def test_fuel_consumption_at_the_very_ratio(pool: asyncpg.Pool) -> None:
    fuel = FuelWorld(pool, months.NOW)
    await fuel.build()
    await fuel.driver("D1")
    await fuel.vehicle("V1", "苏F00001")
    await fuel.card("C1", ("苏F00001", china("2025-01-01"), None))
    await fuel.parameter("fuel_consumption", "tank_default_l", 0)  # the limit is that of what was bought
    await months.four_months(fuel)
    await fuel.work(DriverMonths())

    async def at(**values: int) -> str:
        rows = await kinds(pool, "fuel_consumption", MARCH, values, now_us=months.NOW)
        return rows[months.SUBJECT]

    assert (await at(), await at(ratio_permille=1150)) == ("unchanged", "unchanged")
    assert await at(ratio_permille=1151) == "withdrawn"
    assert await at(min_km=1001) == "withdrawn"  # undetermined is no suspicion
    await fuel.parameter("fuel_consumption", "ratio_permille", 1200)
    await fuel.work(DriverMonths())
    assert (await at(), await at(ratio_permille=1150), await at(ratio_permille=1151)) == (
        "unchanged",
        "raised",
        "unchanged",
    )
    half = (china("2026-03-01"), china("2026-03-20"))  # the month has not ended in it
    assert await kinds(pool, "fuel_consumption", half, now_us=months.NOW) == {}


# ---- days of vehicles ----


@pytest.fixture
async def court(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Court]:
    made = Court(pool, tmp_path)
    yield made
    await made.close()


async def test_off_hours_at_the_very_metre_and_minute(court: Court) -> None:
    await court.build(1, fence=False)
    await court.calendar()
    out = drive(23 * 3600, (0, 0), (6000, 0))
    await court.send(court.batch(stand(20 * 3600, 23 * 3600, every=600) + out))
    await court.send(court.batch(stand(30 * 3600, 31 * 3600, 6000, every=600)))
    await court.work()
    await court.judge(court.key())
    now, period = court.day + 31 * 3600 * S, day_of(court)
    (row,) = (await look(court.pool, "off_hours", period, now_us=now)).values()
    assert (row.kind, row.then.outcome, row.vehicle) == (Kind.UNCHANGED, "suspected", "V1")
    limit = value(row, "distance_m")

    async def at(**values: int) -> str:
        (kind,) = (await kinds(court.pool, "off_hours", period, values, now_us=now)).values()
        return kind

    assert (await at(min_distance_m=limit), await at(min_distance_m=limit + 1)) == ("unchanged", "withdrawn")
    await court.pool.execute(
        "INSERT INTO rule_parameters (rule, name, value, effective_from, source)"
        " VALUES ('off_hours', 'min_distance_m', $1, '2020-01-01Z', 'x')",
        limit + 1,
    )
    await court.judge(court.key())
    assert (await at(), await at(min_distance_m=limit)) == ("unchanged", "raised")
    assert await at(min_distance_m=0, night_from_min=23 * 60 + 59) != "withdrawn"
    # The day is told of when it begins in the period.
    assert await kinds(court.pool, "off_hours", (period[0] + 1, period[1]), now_us=now) == {}


async def test_terminal_silent_at_the_very_metre(court: Court) -> None:
    await weekend(court)
    keys = [court.key(k) for k in (1, 2, 3, 4)]
    await court.judge(*keys)
    await court.pool.execute("UPDATE log_offsets SET known_until = now()")
    now, period, subject = court.day + round(30.5 * 3600) * S, day_of(court), f"vehicle:{court.told_of(1)}"
    rows = await look(court.pool, "terminal_silent", period, now_us=now)
    assert {r.kind for r in rows.values()} == {Kind.UNCHANGED}
    assert rows[subject].then.suspected
    limit = value(rows[subject], "displacement_m")

    async def at(**values: int) -> str:
        return (await kinds(court.pool, "terminal_silent", period, values, now_us=now))[subject]

    assert await at(min_displacement_m=limit) == "unchanged"
    assert await at(min_displacement_m=limit + 1) == "withdrawn"
    assert await at(min_peers=3) == "withdrawn"
    await court.pool.execute(
        "INSERT INTO rule_parameters (rule, name, value, effective_from, source)"
        " VALUES ('terminal_silent', 'min_displacement_m', $1, '2020-01-01Z', 'x')",
        limit + 1,
    )
    await court.judge(*keys)
    assert (await at(), await at(min_displacement_m=limit)) == ("unchanged", "raised")


# ---- the command ----


def command(dsn: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gongche", "backtest", *words],
        env={**os.environ, "GONGCHE_DATABASE_URL": dsn},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def china_date(us: int) -> str:
    return from_us(us).astimezone(CHINA).date().isoformat()


async def test_the_command_tells_and_writes_columns(office: Office, db_url: str, tmp_path: Path) -> None:
    day, target = china_date(office.world.day), tmp_path / "out.csv"
    words = ("--rule", "mileage", "--from", day, "--to", day)
    done = command(db_url, *words, "--set", "ratio=1.03", "--csv", str(target))
    assert done.returncode == 0, done.stderr
    assert "新增疑似 / raised: 1" in done.stdout
    assert "撤销 / withdrawn: 0" in done.stdout
    assert "苏F12341  order:P2" in done.stdout
    assert "ratio_permille = 1030 [1/1000]" in done.stdout
    assert "positions" in done.stderr
    with target.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["subject"]: row for row in csv.DictReader(file)}
    assert [(s, r["kind"]) for s, r in sorted(rows.items())] == [
        ("order:P1", "unchanged"),
        ("order:P2", "raised"),
    ]
    assert (rows["order:P2"]["now_outcome"], rows["order:P2"]["then_outcome"]) == ("normal", "suspected")
    assert rows["order:P2"]["now_ratio_permille"] == rows["order:P2"]["then_ratio_permille"] != ""
    assert [name for name in os.listdir(tmp_path) if name.startswith("out")] == ["out.csv"]
    again = command(db_url, *words, "--set", "ratio_permille=1030", "--csv", str(tmp_path / "twice.csv"))
    assert again.stdout.replace("twice.csv", "out.csv") == done.stdout
    assert (tmp_path / "twice.csv").read_bytes() == target.read_bytes()
    same = command(db_url, *words)
    assert "不变 / unchanged: 2" in same.stdout


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--rule", "speeding"), 2, ("speeding", "traffic_violations")),
        (("--set", "ration=1.3"), 2, ("ration", "ratio_permille = 1500 [1/1000]", "short_trip_m = 2000 [m]")),
        (("--set", "ratio=0.5"), 2, ("1000..100000", "ratio_permille = 1500")),
        (("--set", "ratio=1.23456"), 2, ("1.23456",)),
        (("--set", "ratio"), 2, ("NAME=VALUE",)),
        (("--set", "ratio=1.3", "--set", "ratio_permille=1400"), 2, ("ratio_permille", "twice")),
        (("--from", "2026-03-02", "--to", "2026-03-01"), 2, ("2026-03-02", "2026-03-01")),
        (("--from", "yesterday"), 2, ("yesterday", "2026-03-01")),
        (("--organisation", "nobody"), 2, ("nobody",)),
        ((), 0, ("没有可判的对象 / nothing to judge",)),
    ],
)
def test_what_makes_no_sense_is_said(db_url: str, words: tuple[str, ...], status: int, said: Any) -> None:
    given = ("--rule", "mileage", "--from", "2026-03-01", "--to", "2026-03-31", *words)
    done = command(db_url, *given)
    assert done.returncode == status, done.stderr
    for part in said:
        assert part in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_written(db_url: str, tmp_path: Path) -> None:
    words = ("--rule", "mileage", "--from", "2026-03-01", "--to", "2026-03-01")
    done = command(db_url, *words, "--csv", str(tmp_path / "there" / "is" / "none.csv"))
    assert done.returncode == 70
    assert "none.csv" in done.stderr
    assert "Traceback" not in done.stderr


async def test_interrupted_it_leaves_nothing(office: Office, db_url: str, tmp_path: Path) -> None:
    day, target = china_date(office.world.day), tmp_path / "out.csv"
    async with office.world.pool.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE dispatch_orders")  # it waits, in the middle
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gongche", "backtest", "--rule", "mileage", "--from", day, "--to", day, "--csv", str(target),
            env={**os.environ, "GONGCHE_DATABASE_URL": db_url}, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

        async def it_waits() -> (
            bool
        ):  # over another connection: a transaction sees pg_stat_activity as it was at first
            return bool(
                await office.world.pool.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock')"
                )
            )

        await until(it_waits, "the command waits for the lock")
        running.send_signal(signal.SIGINT)
        _, told = await asyncio.wait_for(running.communicate(), PATIENCE_S)
    assert running.returncode == 130
    assert "interrupted" in told.decode()
    assert "Traceback" not in told.decode()
    assert [name for name in os.listdir(tmp_path) if name.startswith("out")] == []
