"""Backtest of ``mileage`` over a prefecture's month: 854 vehicles, 30 days, an order and a third a day, routes frozen."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import time

import asyncpg
import numpy as np
import orjson

from bench.database import Fleet, fresh_database, register
from bench.report import heading, spread, table
from rules.alerts.model import measures_json
from rules.backtest.model import Kind, Question, Totals
from rules.backtest.run import Backtest
from rules.judge.day_tracks import day_of
from rules.navigation.cache import PROFILE, route_key
from runtime.postgres import connect
from runtime.units import US_PER_DAY, from_us, midnight_us

VEHICLES, DAYS, ORDERS = 854, 30, 34_500
_PLACES = 400
_ENGINE, _MAP = "valhalla", "2026-01-01"


async def fill(connection: asyncpg.Connection, since_us: int) -> None:
    """Orders from ``since_us`` on, driven 0.9 to 1.7 times their routes, settled; routes between _PLACES places."""
    rng = np.random.default_rng(1)
    lat, lon = (
        (31_900_000 + rng.integers(0, 400_000, _PLACES)).tolist(),
        (120_800_000 + rng.integers(0, 400_000, _PLACES)).tolist(),
    )
    where = [{"name": f"P{k}", "wgs84": {"lat_e6": lat[k], "lon_e6": lon[k]}} for k in range(_PLACES)]
    home, route_m = (lat[0], lon[0]), rng.integers(3_000, 80_000, _PLACES)
    routes = []
    for k in range(1, _PLACES):
        places = (home, (lat[k], lon[k]), home)
        key = route_key(_ENGINE, _MAP, PROFILE, places)
        routes.append(
            (
                key,
                _ENGINE,
                _MAP,
                orjson.loads(orjson.dumps(places)),
                int(route_m[k]),
                3600,
                hashlib.sha256(key).hexdigest() * 10,
                "",
            )
        )
    await connection.copy_records_to_table(
        "navigation_routes", records=routes,
        columns=("key", "engine", "map_date", "places", "distance_m", "duration_s", "shape", "problem"),
    )  # fmt: skip
    numbers = {r["id"]: r["no"] for r in await connection.fetch("SELECT id, no FROM vehicles")}
    begun = since_us + rng.integers(0, DAYS * US_PER_DAY - 7200 * 1_000_000, ORDERS)
    to = rng.integers(1, _PLACES, ORDERS).tolist()
    mm = (route_m[to] * rng.integers(900, 1700, ORDERS)).tolist()
    orders: list[tuple[object, ...]] = []
    results: list[tuple[object, ...]] = []
    for k, start in enumerate(begun.tolist()):
        vehicle, departs, returns = f"v{k % VEHICLES}", from_us(start), from_us(start + 3600 * 1_000_000)
        orders.append(
            (
                f"b{k}",
                1,
                "bench0",
                vehicle,
                "official",
                "returned",
                where[0],
                [where[to[k]]],
                departs,
                returns,
                departs,
                returns,
            )
        )
        results.append(
            (
                f"b{k}",
                1,
                numbers[vehicle],
                "settled",
                mm[k],
                0,
                180,
                departs,
                returns,
                [],
                returns,
                b"",
                returns,
            )
        )
    await connection.copy_records_to_table(
        "dispatch_orders", records=orders,
        columns=("id", "version", "organisation", "vehicle", "task_type", "status", "origin", "destinations",
                 "planned_departure", "planned_return", "actual_departure", "actual_return"),
    )  # fmt: skip
    await connection.copy_records_to_table(
        "order_results", records=results,
        columns=("order_id", "order_version", "vehicle_no", "state", "mileage_mm", "bridged_mm", "fixes", "first_fix_at",
                 "last_fix_at", "destinations", "returned_at", "carried", "computed_at"),
    )  # fmt: skip
    await connection.execute("ANALYZE")


async def publish(connection: asyncpg.Connection, question: Question) -> None:
    """What the judge would have said of all orders with the values in force, without alerts and evidence."""
    async with Backtest.open(connection, question) as backtest:
        rows = [row async for part in backtest.rows() for row in part]
    await connection.copy_records_to_table(
        "evaluations",
        records=[
            (
                "mileage", 1, row.subject, row.then.outcome, row.then.reason, measures_json(row.then.measures),
                {"ratio_permille": 1500}, from_us(question.to_us),
            )
            for row in rows
        ],
        columns=("rule", "rule_version", "subject", "outcome", "reason_code", "measures", "parameters", "evaluated_at"),
    )  # fmt: skip
    await connection.execute("ANALYZE")


async def _look(connection: asyncpg.Connection, question: Question) -> tuple[float, float, Totals, int]:
    wall, cpu, totals = time.perf_counter(), time.process_time(), Totals()
    async with Backtest.open(connection, question) as backtest:
        async for rows in backtest.rows():
            totals.add(rows)
        read = backtest.progress.positions
    return time.perf_counter() - wall, time.process_time() - cpu, totals, read


async def _bench(dsn: str, runs: int) -> tuple[list[tuple[float, float]], Totals, int]:
    connection = await connect(dsn)
    since = midnight_us(day_of(time.time_ns() // 1000)) - (DAYS + 1) * US_PER_DAY
    await register(connection, Fleet(VEHICLES, ordered=0))
    await fill(connection, since)
    await publish(connection, Question("mileage", since, since + DAYS * US_PER_DAY))
    question = Question("mileage", since, since + DAYS * US_PER_DAY, {"ratio_permille": 1300})
    took = []
    for _ in range(runs):
        wall, cpu, totals, read = await _look(connection, question)
        took.append((wall, cpu))
    await connection.close()
    return took, totals, read


def run(options: argparse.Namespace) -> None:
    """Print what one backtest takes."""
    heading(
        f"Backtest of mileage: {VEHICLES} vehicles, {DAYS} days, {ORDERS:,} orders (asked: under a minute)"
    )
    with fresh_database() as (_base, dsn):
        took, totals, read = asyncio.run(_bench(dsn, options.runs))
    walls, cpus = [w for w, _ in took], [c for _, c in took]
    table(
        ["subjects", "raised", "seconds", "CPU seconds", "subjects/s", "positions read"],
        [[f"{totals.subjects:,}", f"{totals.kinds[Kind.RAISED]:,}", spread(walls, 1), spread(cpus, 1), spread([totals.subjects / w for w in walls]), f"{read:,}"]],
    )  # fmt: skip
