"""Real tracks over TCP, through gateway, log and worker into PostgreSQL: counts add up exactly, and the mileage agrees
with a second, plain implementation over another library's geodesics."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import asyncpg
import numpy as np
import pytest
from prometheus_client import REGISTRY
from pyproj import Geod

from rules.live.process import Worker
from rules.tracks.mileage import window_mileage
from rules.tracks.valid_fixes import valid_rows
from simulation.gps_files.replay import ReplayOptions, ReplayResult, replay
from telemetry.archive.read import Track
from telemetry.archive.store import Archive
from telemetry.gateway.limits import Limits
from telemetry.gateway.tcp import Gateway
from telemetry.log.base import POSITIONS
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.terminals.directory import TerminalDirectory

GEOLIFE = Path(__file__).parents[3] / "shared" / "data" / "geolife_small.csv"
GEOD = Geod(ellps="WGS84")
EVER = (0, 4_000_000_000_000_000)


def metres(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Geodesic distance (Karney) of two places in 1e-6 degree."""
    return float(GEOD.inv(lon_a / 1e6, lat_a / 1e6, lon_b / 1e6, lat_b / 1e6)[2])


def set_aside(track: Track) -> set[int]:
    """Rows of a track that cleaning leaves out: after a silence that ended elsewhere it takes four fixes over a minute until
    the new place is believed, and of those between only the first few are kept."""
    b, by_time = track.batch, np.lexsort((track.fingerprint, track.batch.device_us))
    usable = by_time[track.quality[by_time] == 0]
    columns = {
        "t_us": b.device_us, "fingerprint": track.fingerprint, "lat_e6": b.lat_e6, "lon_e6": b.lon_e6,
        "speed_dkmh": b.speed_dkmh, "direction_deg": b.direction_deg, "odometer_dkm": np.full(len(b), -1),
    }  # fmt: skip
    (good,) = valid_rows([{name: values[usable].astype(np.int64) for name, values in columns.items()}], [200])
    same_time = usable[1:][np.diff(b.device_us[usable]) == 0]
    return set(usable.tolist()) - set(usable[good].tolist()) - set(same_time.tolist())


def plain_mileage(track: Track, left_out: set[int]) -> tuple[float, float]:
    """The documented rule (rules.tracks.kernel, "Mileage"), fix after fix: (by the rule, sum over all valid fixes)."""
    b = track.batch
    total = tail = everything = 0.0
    anchor: tuple[int, int, int] | None = None
    before: tuple[int, int, int] | None = None
    for i in np.lexsort((track.fingerprint, b.device_us)):
        t, lat, lon = int(b.device_us[i]), int(b.lat_e6[i]), int(b.lon_e6[i])
        speed, direction = int(b.speed_dkmh[i]), int(b.direction_deg[i])
        if track.quality[i] or (before and t == before[0]) or int(i) in left_out:
            continue
        if before is None or anchor is None:
            before, anchor = (t, lat, lon), (lat, lon, direction)
            continue
        step = metres(before[1], before[2], lat, lon)
        seconds = max((t - before[0]) / 1e6, 1.0)
        if (
            step / seconds * 3.6 > 200
        ):  # it was carried there, or the fixes before were wrong: nothing was driven
            total, tail = total + tail, 0.0
            before, anchor = (t, lat, lon), (lat, lon, direction)
            continue
        everything += step
        gap = t - before[0] > 120_000_000
        away = metres(anchor[0], anchor[1], lat, lon)
        turn = abs(direction - anchor[2]) % 360
        moving = speed >= 50
        if away >= 80 or (moving and min(turn, 360 - turn) >= 30 and away >= 30):
            total += tail + step if gap else away
            anchor, tail = (lat, lon, direction), 0.0
        elif moving:
            tail = away
        before = (t, lat, lon)
    return total + tail, everything


async def through(pool: asyncpg.Pool, folder: Path, file: Path) -> tuple[ReplayResult, Worker]:
    """Send ``file`` as terminals would, and process everything."""
    directory = TerminalDirectory(pool, True)
    await directory.load()
    log = EmbeddedLogWriter(folder / "log.sqlite")
    gateway = Gateway(directory, log, Limits())
    worker = Worker(pool, EmbeddedLogReader(folder / "log.sqlite", POSITIONS))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        result = await replay(
            ReplayOptions(files=[file], host="127.0.0.1", port=gateway.listen("127.0.0.1", 0))
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                while worker.counts.rows < result.confirmed:  # noqa: ASYNC110 - the worker tells nobody
                    await asyncio.sleep(0.05)
    finally:
        stop.set()
        await running
        await gateway.drain(5)
        await log.close()
    return result, worker


def rejected() -> float:
    return sum(
        s.value
        for m in REGISTRY.collect()
        if m.name == "gongche_gateway_rejects"
        for s in m.samples
        if s.name.endswith("_total")
    )


@pytest.mark.skipif(not GEOLIFE.exists(), reason="the GeoLife sample is not part of the project")
async def test_the_beijing_sample(pool: asyncpg.Pool, tmp_path: Path) -> None:
    before = rejected()
    result, worker = await through(pool, tmp_path, GEOLIFE)
    assert (result.rows, result.rejected, result.unsendable, result.not_sent, result.refused) == (
        5_908,
        {},
        0,
        0,
        0,
    )
    assert result.sent == result.confirmed == 5_908
    assert rejected() == before
    counts = worker.counts
    assert counts.rows == 5_908 == counts.stored + counts.duplicates
    assert counts.stored == await pool.fetchval("SELECT count(*) FROM positions")
    #
    again, second = await through(pool, tmp_path, GEOLIFE)
    assert again.confirmed == 5_908
    assert (second.counts.stored, second.counts.duplicates) == (0, 5_908)
    assert counts.stored == await pool.fetchval("SELECT count(*) FROM positions")

    terminals = [r["no"] for r in await pool.fetch("SELECT no FROM terminals ORDER BY no")]
    assert len(terminals) == 3
    async with pool.acquire() as connection:
        for number in terminals:
            track = await Archive().track(connection, [(number, *EVER)])
            good = np.flatnonzero(track.quality == 0)
            b = track.batch.take(good)
            ours = window_mileage(
                np.zeros(len(b), np.int64), 1, b.device_us, track.fingerprint[good], b.lat_e6.astype(np.int64),
                b.lon_e6.astype(np.int64), b.speed_dkmh.astype(np.int64), b.direction_deg.astype(np.int64),
                np.full(len(b), -1, np.int64),
            )  # fmt: skip
            left_out = set_aside(track)
            assert len(left_out) < 0.05 * len(track)
            by_rule, over_all = plain_mileage(track, left_out)
            print(
                f"terminal {number}: {len(track)} fixes, {ours.metres[0]} m; plain {by_rule:.1f} m; all {over_all:.1f} m"
            )
            assert abs(int(ours.metres[0]) - by_rule) <= 1 + by_rule * 1e-6
            # The sum over all fixes counts drift and noise too (fixes every 2 s, much of it on foot): never less than
            # ours but for the rounding of corners, and never a fifth more.
            assert 0.8 * over_all < ours.metres[0] < over_all + 1
