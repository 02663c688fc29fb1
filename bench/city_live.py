"""What ``location`` adds to a live position where every one of 29,000 vehicles has a fence of its own.

The worker's calculation (context, row matrix, kernel) over the same positions with the fences and without any, in turn; beside it a bare
``shapely.contains_xy`` of the same points and fences.
"""

from __future__ import annotations

import argparse
import asyncio
import time

import numpy as np
import shapely

from bench import city_data
from bench.database import fresh_database
from bench.report import heading, spread, table
from registry.snapshot.fleet import FleetSnapshot
from rules.live.vehicle_states import Fixes, Tracker
from rules.tracks.advance import advance
from runtime.postgres import connect
from runtime.units import US_PER_S

VEHICLES = 29_000
TARGET_US = 1.0
#: Every vehicle reports so often in one run; positions of one batch.
_ROUNDS = 8
_BATCHES = (10_000, 58_000)
#: Vehicles that are outside of their fence without an order.
_OUT = (0.0, 0.01, 0.1)


def run(options: argparse.Namespace) -> None:
    """Print CPU microseconds a position."""
    vehicles = options.vehicles or VEHICLES
    heading(f"location, live: {vehicles:,} vehicles with a fence each")
    with fresh_database() as (_base, dsn):
        city = city_data.plan(vehicles, 0, city_data.day_before())
        fenced, free = asyncio.run(_snapshots(dsn, city))
    rows = []
    for size in _BATCHES:
        for share in _OUT:
            adds, bare, whole = [], [], []
            for turn in range(max(2, options.runs)):
                batches = _fixes(city, size, share, turn)
                n = sum(map(len, batches))
                costs = [1e6 * _worker(snapshot, batches) / n for snapshot in (free, fenced)]
                adds.append(costs[1] - costs[0])
                whole.append(costs[1])
                bare.append(1e6 * _bare(fenced, batches) / n)
            rows.append([
                f"{size:,}", f"{share:.0%}", spread(bare, 2), spread(adds, 2), f"< {TARGET_US:.0f}", spread(whole, 2),
            ])  # fmt: skip
    table(
        ["positions a batch", "outside", "bare contains_xy us", "location adds us", "asked", "all of the calculation us"],
        rows,
    )  # fmt: skip


async def _snapshots(dsn: str, city: city_data.City) -> tuple[FleetSnapshot, FleetSnapshot]:
    """The registry with its fences, and without any."""
    conn = await connect(dsn)
    await city_data.register(conn, city, 0)
    fenced = await FleetSnapshot.load(conn)
    await conn.execute("TRUNCATE fences")
    free = await FleetSnapshot.load(conn)
    await conn.close()
    return fenced, free


def _fixes(city: city_data.City, size: int, share: float, seed: int) -> list[Fixes]:
    """Reports in the order of time: a ``share`` of the vehicles drives somewhere, the others are in their yards."""
    rng = np.random.default_rng(seed)
    n = city.vehicles
    out = rng.random(n) < share
    parts = []
    for k in range(_ROUNDS):
        moved = rng.normal(0, 8, (n, 2)) + np.where(out[:, None], 3000 + 150 * k, 0)
        lat, lon = np.rint(city_data.degrees(city.home + moved).T * 1e6).astype(np.int64)
        t = city.day_us + (k * 10 * n + np.arange(n) * 10) // n * US_PER_S
        zero = np.zeros(n, np.int64)
        speed = np.where(out, 400, 0)
        parts.append(Fixes(np.arange(1, n + 1), t, zero + k, lat, lon, speed, zero, zero - 1, zero + 2, zero))
    whole = Fixes(*(np.concatenate([getattr(p, name) for p in parts]) for name in Fixes.__slots__))
    return [whole.take(np.arange(a, min(a + size, len(whole)))) for a in range(0, len(whole), size)]


def _worker(snapshot: FleetSnapshot, batches: list[Fixes]) -> float:
    """CPU seconds of the worker's calculation."""
    tracker = Tracker(snapshot)
    tracker.states.grow(1 + max(int(b.vehicle.max()) for b in batches))
    tracker.matrix(batches[0], tracker.context(batches[0]))  # what is built once is built
    begin = time.process_time()
    for fixes in batches:
        advance(tracker.states, fixes.vehicle, tracker.matrix(fixes, tracker.context(fixes)))
    return time.process_time() - begin


def _bare(snapshot: FleetSnapshot, batches: list[Fixes]) -> float:
    """CPU seconds of the test of points in polygons alone."""
    geometries = snapshot.fences.geometries
    asked = [
        (geometries[snapshot.fences_at(b.vehicle, b.t_us)], b.lon_e6 / 1e6, b.lat_e6 / 1e6) for b in batches
    ]
    begin = time.process_time()
    for fences, lon, lat in asked:
        shapely.contains_xy(fences, lon, lat)
    return time.process_time() - begin
