"""How long an alert takes while the past of a city is computed again.

Thirty days of 29,000 vehicles are stored, then a parameter of ``location`` is set from thirty days ago on, and the worker
computes them again in slices. Meanwhile 5,000 of the vehicles report once a second, and others drive out of their yards as in
``bench.latency``.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from bench.database import Fleet
from bench.latency import ALERT_P99_S, RATE, Driver, drive, register
from bench.processes import Generator, build, scrape
from bench.report import heading, spread, table
from bench.system import System, behind_s, system
from runtime.postgres import connect
from runtime.units import US_PER_DAY, US_PER_S
from telemetry.archive.store import Archive, days_of
from telemetry.positions import PositionBatch

VEHICLES: Final = 29_000
DAYS: Final = 30
#: Stored positions of a vehicle and day, an hour apart.
A_DAY: Final = 10
_DRIVERS: Final = 200
_DRIVE_S: Final = 20.0
_LEFT: Final = "gongche_worker_recomputing_vehicles"
_PATIENCE_S: Final = 180.0


async def _history(dsn: str) -> int:
    """Thirty days of every vehicle, ending a day ago; how many positions."""
    connection = await connect(dsn)
    archive, now = Archive(), time.time_ns() // 1000
    vehicle = np.arange(VEHICLES)
    rows = 0
    for day in range(DAYS):
        for k in range(A_DAY):
            at = now - (DAYS + 1 - day) * US_PER_DAY + k * 3600 * US_PER_S
            batch = PositionBatch.build(
                VEHICLES, terminal=vehicle + 1, received_us=at, device_us=at, lat_e6=31_000_000 + k * 1000,
                lon_e6=120_000_000 + vehicle * 10, speed_dkmh=456, status=3,
            )  # fmt: skip
            await archive.ensure_partitions(connection, days_of(batch))
            async with connection.transaction():
                await archive.store(connection, batch)
            rows += VEHICLES
    await connection.execute("ANALYZE positions")
    await connection.close()
    return rows


async def _change(dsn: str) -> None:
    connection = await connect(dsn)
    await connection.execute(
        "INSERT INTO rule_parameters (rule, name, organisation, value, effective_from)"
        " VALUES ('location', 'min_displacement_m', NULL, 220, $1)",
        datetime.now(UTC) - timedelta(days=DAYS),
    )
    await connection.close()


def _left(made: System) -> float:
    return scrape(made.worker_ports[0]).get(_LEFT, 0.0)


def _one() -> tuple[int, list[float], tuple[float, float]]:
    """Positions that are stored, seconds from the opening fix to the feed of each alert, vehicles that were still to be
    computed when the first drove out and after the last."""
    tokens: list[str] = []
    stored = 0

    def prepare(dsn: str) -> None:
        nonlocal stored
        tokens.append(asyncio.run(register(dsn, _DRIVERS)))
        stored = asyncio.run(_history(dsn))

    fleet = Fleet(VEHICLES, fences=100, ordered=2, outside=0)
    with system(fleet, prepare=prepare, judge=True, api=True) as made:
        seconds = _PATIENCE_S + _DRIVE_S
        generator = Generator(
            made.port, terminals=RATE, window=1, seconds=seconds, rate=RATE, core=None, known=True, step=1,
            back=behind_s(),
        )  # fmt: skip

        async def work() -> tuple[list[float], tuple[float, float]]:
            drivers = [Driver(k) for k in range(_DRIVERS)]
            for driver in drivers:
                await driver.connect(made.port)
            await _change(made.dsn)
            deadline = time.monotonic() + _PATIENCE_S
            while not (before := await asyncio.to_thread(_left, made)):
                if time.monotonic() > deadline:
                    raise SystemExit(f"nothing is computed again; {made.words()}")
                await asyncio.sleep(0.5)
            try:
                times = await drive(made, drivers, tokens[0], _DRIVE_S)
            finally:
                for driver in drivers:
                    driver.close()
            return times, (before, await asyncio.to_thread(_left, made))

        try:
            return stored, *asyncio.run(work())
        finally:
            generator.process.kill()
            generator.process.wait()


def run(options: argparse.Namespace) -> None:
    """Print percentiles of the times to the feed. Raises SystemExit when the recomputation ended before the last alert."""
    build()
    heading(f"Alerts at {RATE:,} positions/s while {DAYS} days of {VEHICLES:,} vehicles are computed again")
    times: list[list[float]] = []
    for _ in range(options.runs):
        stored, found, (before, after) = _one()
        print(
            f"{stored:,} positions stored; {before:,.0f} vehicles to compute at the first drive, {after:,.0f} after the last"
        )
        if not after:
            raise SystemExit("the recomputation ended too early: nothing was measured beside it")
        times.append(found)
    print(f"{options.runs} runs, {sum(map(len, times))} alerts\n")
    each = [spread([float(np.percentile(t, p)) for t in times], 3) for p in (50, 99)]
    table(
        ["seconds", "p50", "p99", "p99 asked"],
        [["position to alert in the feed", *each, f"< {ALERT_P99_S:g}"]],
    )
