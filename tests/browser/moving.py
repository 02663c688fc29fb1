"""Vehicles that are on their way, for the tests of the maps: terminals in the vehicles of the district, and what they report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from runtime.postgres import connect
from runtime.units import US_PER_DAY, to_us
from telemetry.archive.store import Archive
from telemetry.positions import PositionBatch
from telemetry.quality import assess
from tests.browser.world import NEWEST, VEHICLES, World

US: Final = 1_000_000
#: A browser as if it had no WebGL, as an init script.
NO_WEBGL: Final = (
    "const get = HTMLCanvasElement.prototype.getContext;"
    "HTMLCanvasElement.prototype.getContext = function (kind, ...more) { return /webgl/.test(kind) ? null : get.call(this, kind, ...more) }"
)
#: 南通市崇川区
LON_E6, LAT_E6 = 120_890_000, 31_980_000


async def terminals(world: World) -> dict[str, int]:
    """A terminal in each vehicle; its number by the vehicle's id."""
    connection = await connect(world.dsn)
    try:
        numbers = dict(await connection.fetch("SELECT id, no FROM vehicles"))
        found = {}
        for k, (car, _, _) in enumerate(VEHICLES):
            phone = f"1390000000{k}"
            no = await connection.fetchval("SELECT no FROM terminals WHERE phone = $1", phone)
            if no is None:
                no = await connection.fetchval(
                    "INSERT INTO terminals (phone) VALUES ($1) RETURNING no", phone
                )
                await connection.execute(
                    "INSERT INTO terminal_bindings VALUES ($1, $2, '2020-01-01', NULL)", no, numbers[car]
                )
            found[car] = no
        return found
    finally:
        await connection.close()


def report(world: World, rows: Sequence[dict[str, Any]]) -> None:
    """Reports of now (``ago``: so many seconds before) reach the live map, as if they came from the log."""
    now = time.time_ns() // 1000
    whole = [{"lat_e6": LAT_E6, "lon_e6": LON_E6, "status": 3, "ago": 0} | row for row in rows]
    columns: dict[str, Any] = {
        name: [row.get(name, 0) for row in whole] for name in set().union(*whole) - {"ago"}
    }
    times = np.array([now - row["ago"] * US for row in whole], np.int64)
    batch = PositionBatch.build(len(whole), received_us=np.full(len(whole), now), device_us=times, **columns)

    def take() -> None:
        feed = world.api.app.state.live.feed
        feed.every_s, feed.behind = 0.2, False
        feed.newest.apply(batch, assess(batch))
        feed.bell.ring()

    world.api.loop.call_soon_threadsafe(take)


async def drive(
    world: World, terminal: int, *, hours: float = 0, north_e6: int = 0
) -> list[tuple[int, int, int]]:
    """A drive of the day of NEWEST, from 09:00 on (``hours`` later): 20 minutes, a stop of 10, a gap of 15, 5 more; two fixes have no position.
    Returns [(seconds since 09:00, lon_e6, lat_e6)] of the valid ones."""
    begin = to_us(NEWEST.replace(hour=9, minute=0)) + round(hours * 3600) * US
    seconds = [*range(0, 1200, 10), *range(1200, 1800, 30), *range(2700, 3000, 10)]
    rows = []
    lon, lat = LON_E6, LAT_E6 + north_e6
    for s in seconds:
        stands = 1200 <= s < 1800
        if not stands:
            lon, lat = lon + 1_800, lat + (1_000 if s % 400 < 200 else -600)
        invalid = s in (300, 310)
        speed = 0 if stands else 300 + (s % 700)
        rows.append((s, 0 if invalid else lon, 0 if invalid else lat, 0 if invalid else 3, speed))
    batch = PositionBatch.build(
        len(rows), terminal=[terminal] * len(rows), device_us=[begin + s * US for s, *_ in rows],
        received_us=[begin + (s + 5) * US for s, *_ in rows], lon_e6=[r[1] for r in rows], lat_e6=[r[2] for r in rows],
        status=[r[3] for r in rows], speed_dkmh=[r[4] for r in rows], direction_deg=[60] * len(rows),
    )  # fmt: skip
    connection = await connect(world.dsn)
    try:
        await Archive().ensure_partitions(connection, [begin // US_PER_DAY])
        async with connection.transaction():
            await Archive().store(connection, batch)
    finally:
        await connection.close()
    return [(s, x, y) for s, x, y, status, _ in rows if status]
