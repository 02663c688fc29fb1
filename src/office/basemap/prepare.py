"""From an OSM file to the base map in use."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import numpy as np
import osmium

from office.basemap import reading
from office.basemap.classes import FIRST_ZOOM, LAST_ZOOM
from office.basemap.cutting import Box, cut
from office.basemap.reading import OVERVIEW, SQUARE_ZOOM, WORLD, Reading, Say, Spool
from office.basemap.tile_file import MAP, About, TileFile, TileWriter, path_of
from rules.navigation.own_engine import map_date_of
from runtime.errors import ConfigurationError, GongcheError, UnavailableError

#: What must stand on a map of OpenStreetMap's data (openstreetmap.org/copyright).
OSM_CREDIT: Final = "© OpenStreetMap contributors"
#: Who wrote a file of no real place (``simulation.city.pbf``).
_INVENTED: Final = "gongche"
#: China has about a million; a file that wants more has shapes as large as continents.
_MOST_TILES: Final = 4_000_000
_TOLD_S: Final = 1.0
_AS_IT_WAS: Final = "原有底图未变 / the map before is as it was"

#: West, south, east, north in degrees.
Bounds = tuple[float, float, float, float]


def source_of(path: Path) -> str:
    """The name of the file that the map at ``path`` was made from; "" = there is no map that can be read."""
    with suppress(sqlite3.Error, ValueError, OSError):
        found = TileFile(path)
        found.close()
        return found.about.source
    return ""


def prepare(
    data_dir: Path,
    source: Path,
    say: Say,
    *,
    name: str = MAP,
    map_date: str = "",
    attribution: str | None = None,
    bounds: Bounds | None = None,
) -> About:
    """Make the tiles of an OSM file and put them in the place of those in use under ``name``, whole or not at all. An API that
    runs takes them at once.

    ``map_date``, ``attribution``: where the file does not say, or says something else. ``bounds``: only what lies there.
    Raises ConfigurationError (no such file, no OSM data, damaged, no roads, too large), UnavailableError (another one is at work),
    GongcheError (could not be written). Whatever it raises, the map before is as it was.
    """
    if not source.is_file():
        raise ConfigurationError(f"没有这个文件 / no such file: {source}")
    try:
        map_date = map_date or map_date_of(source)
        credit = _credit(source) if attribution is None else attribution
    except RuntimeError as error:
        raise _unreadable(source, error) from None
    target = path_of(data_dir, name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent):
            for rest in target.parent.glob(f".{name}-*"):
                shutil.rmtree(rest, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as folder:
                made = Path(folder) / "map.mbtiles"
                about = _make(source, made, say, map_date, credit, bounds)
                made.chmod(0o644)  # who prepares may be another user than the API, and streets are no secret
                made.replace(target)
            _kept(target.parent)
    except (sqlite3.Error, OSError) as error:
        raise GongcheError(
            f"底图未能写入 / the base map could not be written: {error}", hint=_AS_IT_WAS
        ) from error
    return about


def _make(source: Path, made: Path, say: Say, map_date: str, credit: str, bounds: Bounds | None) -> About:
    spool, writer = Spool(made.with_name("features.sqlite")), TileWriter(made)
    try:
        reader = Reading(spool, say)
        try:
            reader.run(source)
        except RuntimeError as error:
            raise _unreadable(source, error) from None
        if not spool.roads:
            raise ConfigurationError(
                f"文件中没有道路，不能用作底图 / there are no roads in it: {source}",
                hint=f"请使用含道路的 .osm.pbf，例如某省的 OpenStreetMap 摘录 / take an extract of OpenStreetMap. {_AS_IT_WAS}",
            )
        if reader.broken:
            say(
                f"  略去 {reader.broken} 个节点不全或形状有误的对象 / {reader.broken} things are left out: nodes are missing, or no area is enclosed"
            )
        within = None if bounds is None else _box(bounds)
        _cut_all(spool, writer, within, say)
        if not writer.tiles:
            raise ConfigurationError(
                f"所给范围内没有内容 / nothing lies within these bounds: {source}", hint=_AS_IT_WAS
            )
        return writer.finish(_degrees(spool.bounds, within), credit, map_date, source.name)
    finally:
        spool.close()
        writer.close()


def _cut_all(spool: Spool, writer: TileWriter, within: Box | None, say: Say) -> None:
    squares = spool.seal()
    done = 0
    began = told = time.monotonic()

    def emit(zoom: int, x: int, y: int, body: bytes) -> None:
        nonlocal told
        if writer.tiles >= _MOST_TILES:
            raise ConfigurationError(
                f"范围过大：超过 {_MOST_TILES:,} 个瓦片 / too large: more than {_MOST_TILES:,} tiles",
                hint=f"用 --bounds 西,南,东,北 限定范围 / keep to an area by --bounds W,S,E,N. {_AS_IT_WAS}",
            )
        writer.add(zoom, x, y, body)
        now = time.monotonic()
        if now - told >= _TOLD_S:
            told = now
            say(
                f"  {now - began:6.0f} s  切分 / cutting: {done} / {len(squares)}，{writer.tiles:,} 瓦片 tiles"
            )

    for square in squares:
        features = spool.read(square)
        if square == OVERVIEW:
            west, north, east, south = (int(v) // (WORLD >> FIRST_ZOOM) for v in spool.bounds)
            for x in range(max(west, 0), min(east, 2**FIRST_ZOOM - 1) + 1):
                for y in range(max(north, 0), min(south, 2**FIRST_ZOOM - 1) + 1):
                    cut(features, spool.tags, (FIRST_ZOOM, x, y), SQUARE_ZOOM - 1, emit, within)
        else:
            root = SQUARE_ZOOM, square >> SQUARE_ZOOM, square & ((1 << SQUARE_ZOOM) - 1)
            cut(features, spool.tags, root, LAST_ZOOM, emit, within)
        done += 1


def _box(bounds: Bounds) -> Box:
    corners = reading.to_units(np.array((bounds[:2], bounds[2:]), float))
    (west, south), (east, north) = corners.tolist()
    return west, south, east, north


def _degrees(box: tuple[float, float, float, float], within: Box | None) -> Bounds:
    """``box``: west, north, east, south in units; what of it lies ``within``, in degrees."""
    west, north, east, south = box
    if within is not None:
        west, east = max(west, within[0]), min(east, within[2])
        north, south = max(north, within[3]), min(south, within[1])
    return *reading.to_degrees(west, south), *reading.to_degrees(east, north)


def _credit(source: Path) -> str:
    with osmium.io.Reader(str(source), osmium.osm.osm_entity_bits.NOTHING) as reader:
        return "" if reader.header().get("generator") == _INVENTED else OSM_CREDIT


def _unreadable(source: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"无法作为 OpenStreetMap 文件读取（不是 .osm.pbf，或不完整） / no OpenStreetMap file, or not all of it: {source}: {error}",
        hint=f"请重新下载，并核对文件大小或校验和 / download it again, and compare its size or checksum. {_AS_IT_WAS}",
    )


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One at a time."""
    with (home / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError(
                "另一个 gongche basemap prepare 正在运行 / another `gongche basemap prepare` is at work",
                hint="请等待其完成 / wait until it is done",
            ) from None
        yield


def _kept(folder: Path) -> None:
    """Have the new name on the disk as well."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
