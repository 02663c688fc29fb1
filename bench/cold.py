"""The cold tier: bytes a position, how fast days move, and a vehicle's month anywhere in 400 days of a prefecture."""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.database import fresh_database
from bench.report import heading, spread, table
from runtime.arrays import AnyInts
from runtime.postgres import connect
from runtime.units import US_PER_DAY, US_PER_S
from simulation.month.build import build_world
from telemetry.archive.cold import catalogue, layout, reading
from telemetry.archive.cold.catalogue import ColdFile
from telemetry.archive.cold.folder import Folder
from telemetry.archive.cold.mover import FILE_ROWS, Mover
from telemetry.archive.cold.rows import TYPES, Rows
from telemetry.archive.read import PositionReader
from telemetry.archive.store import Archive
from telemetry.positions import OPTIONAL, PositionBatch, fingerprint
from telemetry.quality import assess

#: Points of people in Beijing, 2008 (GeoLife); not part of the project.
SAMPLE: Final = Path(os.environ.get("GONGCHE_BENCH_SAMPLE", "/work/shared/data/geolife_small.csv"))
#: Vehicles of the volume, and reports of each a day: two hours of driving, one every ten seconds.
VEHICLES, A_DAY, DAYS = 29_000, 720, 400
#: Files that are really written: the vehicles of one file, on so many days. Of the others the catalogue says that they are there.
WRITTEN_DAYS: Final = 40
MONTH_DAYS: Final = 31
ASKED: Final = 200


def rows_of(batch: PositionBatch) -> Rows:
    """The rows that storing ``batch`` gives."""
    columns: dict[str, Any] = batch.columns() | {"fingerprint": fingerprint(batch), "quality": assess(batch)}
    typed = {name: columns[name].astype(kind, casting="unsafe") for name, kind in TYPES.items()}
    sizes = np.diff(batch.items_offsets).astype(np.int32)
    return Rows(typed, np.where(sizes > 0, sizes, -1), batch.items_data).in_order()


def written(rows: Rows, sink: Any) -> layout.Writer:
    writer = layout.Writer(sink)
    for at in range(0, len(rows), layout.GROUP_ROWS):
        writer.write(rows.take(np.arange(at, min(len(rows), at + layout.GROUP_ROWS))))
    writer.close()
    return writer


def _bytes_a_position(rows: Rows, *, by_day: bool = True) -> float:
    """By files of a day each, as they are kept; or all of them in one."""
    total, days = 0, rows.columns["device_us"] // US_PER_DAY * by_day
    for day in np.unique(days).tolist():
        sink = BytesIO()
        written(rows.take(days == day), sink)
        total += sink.tell()
    return total / len(rows)


def sample() -> PositionBatch:
    """The points as a terminal would report them: speed and direction from point to point, received 0.3 to 2.5 s later, with an
    odometer."""
    with SAMPLE.open() as file:
        points = list(csv.DictReader(file, delimiter=";"))
    second = np.array([int(datetime.fromisoformat(p["t"]).timestamp()) for p in points])
    lat = np.array([round(float(p["Y"]) * 1e6) for p in points])
    lon = np.array([round(float(p["X"]) * 1e6) for p in points])
    terminal = np.array([int(p["tracker"]) for p in points])
    return _reports(terminal, second, lat, lon, np.random.default_rng(1))


def _reports(
    terminal: AnyInts, second: AnyInts, lat: AnyInts, lon: AnyInts, rng: np.random.Generator
) -> PositionBatch:
    n = len(terminal)
    north, east = np.diff(lat, prepend=lat[0]) * 0.111, np.diff(lon, prepend=lon[0]) * 0.085
    metres = np.where(np.diff(terminal, prepend=terminal[0]) == 0, np.hypot(north, east), 0)
    seconds = np.maximum(1, np.abs(np.diff(second, prepend=second[0] - 1)))
    device = second * US_PER_S
    present = (
        1 << OPTIONAL.index("odometer_dkm") | 1 << OPTIONAL.index("satellites") | 1 << OPTIONAL.index("radio")
    )
    return PositionBatch.build(
        n, terminal=terminal, device_us=device, received_us=device + rng.integers(300_000, 2_500_000, n), lat_e6=lat, lon_e6=lon,
        altitude_m=20, speed_dkmh=np.clip(metres / seconds * 36, 0, 1_600), status=3,
        direction_deg=np.degrees(np.arctan2(east, north)) % 360, odometer_dkm=100_000 + np.cumsum(np.minimum(metres, 1_000)) // 100,
        satellites=rng.integers(8, 14, n), radio=rng.integers(18, 24, n), present=present,
    )  # fmt: skip


def driven(day: int, terminals: AnyInts, rng: np.random.Generator) -> PositionBatch:
    """A day of ``terminals``: each drives about for two hours."""
    n = len(terminals) * A_DAY
    shape = (len(terminals), A_DAY)
    turn = np.cumsum(rng.normal(0, 0.25, shape), axis=1) + rng.random((len(terminals), 1)) * 6
    step = np.clip(np.cumsum(rng.normal(0, 8, shape), axis=1) + 90, 0, 250)  # metres in ten seconds
    lat = 32_000_000 + np.cumsum(np.cos(turn) * step / 0.111, axis=1)
    lon = 120_900_000 + np.cumsum(np.sin(turn) * step / 0.094, axis=1)
    begin = rng.integers(0, 80_000, len(terminals))[:, None] // 10 * 10
    second = day * 86_400 + np.minimum(begin + np.arange(A_DAY) * 8, 86_399)
    return _reports(np.repeat(terminals, A_DAY), second.reshape(n), lat.reshape(n).astype(np.int64), lon.reshape(n).astype(np.int64), rng)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Volume:
    first_day: int
    terminals: AnyInts  # of the files that are there
    files: list[Path]
    bytes: int


async def _volume(dsn: str, folder: Path) -> _Volume:
    """400 days of 29,000 vehicles in the catalogue, of which the files of some vehicles and days are there."""
    connection = await connect(dsn)
    today = int(time.time()) // 86_400
    first_day, per_file = today - DAYS, FILE_ROWS // A_DAY
    rng, place = np.random.default_rng(2), Folder(str(folder))
    place.prepare()
    files: list[ColdFile] = []
    terminals = np.arange(10 * per_file + 1, 11 * per_file + 1)
    template: ColdFile | None = None
    for day in range(first_day, first_day + WRITTEN_DAYS):
        name = f"positions-{day}.parquet"
        with place.create(name) as sink:
            writer = written(rows_of(driven(day, terminals, rng)), sink)
        size, sha256 = place.sha256(name)
        with place.open(name) as source:
            footer = layout.footer_of(source, size)[0]
        template = ColdFile(
            name, str(folder), day, layout.LAYOUT, writer.rows, size, sha256, footer.sha256, writer.firsts[0], writer.last,
            np.array(writer.firsts),
        )  # fmt: skip
        files.append(template)
    assert template is not None
    there = {(file.day, file.first_terminal) for file in files}
    files += [
        _elsewhere(template, day, first, min(first + per_file - 1, VEHICLES))
        for day in range(first_day, first_day + DAYS)
        for first in range(1, VEHICLES, per_file)
        if (day, first) not in there
    ]
    async with connection.transaction():
        await connection.executemany(
            "INSERT INTO cold_files (file, folder, day) VALUES ($1, $2, $3)",
            [(file.file, file.folder, catalogue.day_of(file.day)) for file in files],
        )
        await catalogue.make_cold(connection, files)
        for day in (first_day, first_day + DAYS - 1):
            await catalogue.note_terminals(connection, day, range(1, VEHICLES + 1))
    await connection.execute("ANALYZE")
    # What stays in the table has its partitions, which are looked at too.
    await Archive().ensure_partitions(connection, range(today - 62, today + 1))
    await connection.close()
    paths = [folder / file.file for file in files[:WRITTEN_DAYS]]
    return _Volume(first_day, terminals, paths, sum(file.bytes for file in files[:WRITTEN_DAYS]))


def _elsewhere(like: ColdFile, day: int, first: int, last: int) -> ColdFile:
    moved = like.group_firsts - like.first_terminal + first
    return ColdFile(
        f"elsewhere-{day}-{first}", like.folder, day, like.layout, like.rows, like.bytes, like.sha256, like.footer_sha256, first, last,
        moved,
    )  # fmt: skip


async def _months(dsn: str, volume: _Volume, *, from_disk: bool) -> tuple[list[float], float]:
    """Milliseconds of each track of a vehicle's month, and those of the processor on average. ``from_disk``: no file is in the memory of the machine, or of the program."""
    connection, reader = await connect(dsn), PositionReader()
    rng, took, processor = np.random.default_rng(3), [], time.process_time()
    for _ in range(ASKED):
        terminal = int(rng.choice(volume.terminals))
        day = volume.first_day + int(rng.integers(0, WRITTEN_DAYS - MONTH_DAYS))
        if from_disk:
            reading._footers.clear()
            for path in volume.files:
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        begin = time.perf_counter()
        track = await reader.track(
            connection, [(terminal, day * US_PER_DAY, (day + MONTH_DAYS) * US_PER_DAY)]
        )
        took.append((time.perf_counter() - begin) * 1000)
        if len(track) != MONTH_DAYS * A_DAY:
            raise RuntimeError(f"{len(track)} positions instead of {MONTH_DAYS * A_DAY}")
    await connection.close()
    return took, (time.process_time() - processor) / ASKED * 1000


async def _moved(dsn: str, folder: Path) -> tuple[float, float, float]:
    """Rows a second from the table to a file; bytes a row in the table with its index, and in the file."""
    connection = await connect(dsn)
    day = int(time.time()) // 86_400 - 30
    batch = driven(day, np.arange(1, 701), np.random.default_rng(4))
    archive = Archive()
    await archive.ensure_partitions(connection, [day])
    async with connection.transaction():
        await archive.store(connection, batch)
    hot = await connection.fetchval(
        f"SELECT pg_total_relation_size('positions_{catalogue.day_of(day):%Y%m%d}')"
    )
    begin = time.perf_counter()
    (moved,) = [each async for each in Mover(str(folder), 20).move(connection)]
    took = time.perf_counter() - begin
    await connection.close()
    return moved.rows / took, hot / moved.rows, moved.bytes / moved.rows


def _sizes() -> Iterator[list[str]]:
    if SAMPLE.exists():
        batch = sample()
        # A few hundred points a day, of three devices: the end of a file would outweigh them.
        size = _bytes_a_position(rows_of(batch), by_day=False)
        yield ["GeoLife, Beijing 2008, in one file", f"{len(batch):,}", f"{size:.2f}"]
    batch = build_world(2, 60).reports
    yield ["labelled month, 60 vehicles", f"{len(batch):,}", f"{_bytes_a_position(rows_of(batch)):.2f}"]
    batch = driven(20_000, np.arange(1, 1_400), np.random.default_rng(2))
    yield ["simulated drives, 1,399 vehicles", f"{len(batch):,}", f"{_bytes_a_position(rows_of(batch)):.2f}"]


def run(options: argparse.Namespace) -> None:
    """Print bytes a position, rows a second moved, and milliseconds of a vehicle's month."""
    heading("Cold tier: bytes a position in files, one a day where nothing else is said")
    table(["positions of", "rows", "bytes a position"], list(_sizes()))
    heading("Cold tier: a day from the table to a file, written, read back, compared, dropped")
    rates, hot, cold = [], 0.0, 0.0
    for _ in range(options.runs):
        with fresh_database() as (_base, dsn), tempfile.TemporaryDirectory(dir=".") as folder:
            rate, hot, cold = asyncio.run(_moved(dsn, Path(folder).resolve()))
            rates.append(rate)
    table(["rows/s", "bytes a row before", "after"], [[spread(rates), f"{hot:.0f}", f"{cold:.2f}"]])
    heading(
        f"Cold tier: track of a vehicle's month ({MONTH_DAYS * A_DAY:,} positions) in {DAYS} days of {VEHICLES:,} vehicles"
    )
    with fresh_database() as (_base, dsn), tempfile.TemporaryDirectory(dir=".") as folder:
        volume = asyncio.run(_volume(dsn, Path(folder).resolve()))
        rows = []
        for name, from_disk in (("files in memory", False), ("nothing in memory", True)):
            took, processor = asyncio.run(_months(dsn, volume, from_disk=from_disk))
            p50, p99 = np.percentile(took, [50, 99])
            rows.append([name, f"{p50:.0f}", f"{p99:.0f}", f"{max(took):.0f}", f"{processor:.0f}"])
        table(["", "p50 ms", "p99 ms", "most ms", "processor ms, reader alone"], rows)
        print(
            f"\n{WRITTEN_DAYS} files of {FILE_ROWS:,} positions ({volume.bytes / 1e6:,.0f} MB) are there, the catalogue names"
            f" {DAYS * -(-VEHICLES // (FILE_ROWS // A_DAY)):,}."
        )
