"""An OSM file (``.osm.pbf``, or another form that libosmium reads) as features, put down by squares of the map.

The file may be larger than the memory: features go to a file of squares (``Spool``), and are cut square by square. In
memory stay the places of the nodes, 16 bytes each, and the names.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import osmium
import shapely
from osmium.filter import KeyFilter, TagFilter
from osmium.geom import WKBFactory

from office.basemap import classes
from office.basemap.classes import COASTLINE, LAST_ZOOM, SEA, Drawn
from office.basemap.sea import coast_of, sea_in, squares_of
from office.basemap.vector_tile import EXTENT, Shapes, Tags
from runtime.arrays import Floats, Ints

Say = Callable[[str], None]
#: Sides of the whole world, in units of the last zoom's tiles: all shapes are in these, x to the east, y to the south.
WORLD: Final = EXTENT << LAST_ZOOM
#: Features are put down by the tiles of this zoom. What is seen from farther away is few, and is kept together as well.
SQUARE_ZOOM: Final = 8
OVERVIEW: Final = -1
_SQUARE: Final = WORLD >> SQUARE_ZOOM
#: More than a tile shows of what lies beside it, at any zoom.
_ROOM: Final = _SQUARE // 32
#: What spans more squares than this is no thing of a map (the largest lakes have nine).
_MOST_SQUARES: Final = 1_024
_AT_ONCE: Final = 20_000
_TOLD_S: Final = 1.0
#: Mercator ends here.
_MOST_LAT: Final = 85.051_128_779_8


@dataclass(frozen=True, slots=True)
class Features:
    """Of n features: ``shapes`` in units of the last zoom, ``layers`` (``classes.LAYERS``), ``zooms`` the first one of each,
    ``tags`` their places in the list of tags. All of shape (n,)."""

    shapes: Shapes
    layers: Ints
    zooms: Ints
    tags: Ints

    def take(self, which: Any) -> Features:
        return Features(self.shapes[which], self.layers[which], self.zooms[which], self.tags[which])


class Spool:
    """Features by square, in a file of its own."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        # It is thrown away in the end, and never read after a crash.
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;"
        )
        self._db.execute(
            "CREATE TABLE features (square INTEGER, layer INTEGER, zoom INTEGER, tags INTEGER, wkb BLOB)"
        )
        self._db.execute("BEGIN")
        #: What features say, each once.
        self.tags: list[Tags] = []
        self._number: dict[Tags, int] = {}
        self.bounds = (math.inf, math.inf, -math.inf, -math.inf)
        self.roads = 0

    def number(self, tags: Tags) -> int:
        """The place of ``tags`` in the list."""
        found = self._number.get(tags)
        if found is None:
            found = self._number[tags] = len(self.tags)
            self.tags.append(tags)
        return found

    def add(self, features: Features) -> None:
        """Put features down."""
        bounds = shapely.bounds(features.shapes)
        sized = np.isfinite(bounds).all(axis=1)
        low = ((bounds[:, :2] - _ROOM) // _SQUARE).clip(0, 2**SQUARE_ZOOM - 1)
        high = ((bounds[:, 2:] + _ROOM) // _SQUARE).clip(0, 2**SQUARE_ZOOM - 1)
        low, high = np.nan_to_num(low).astype(np.int64), np.nan_to_num(high).astype(np.int64)
        spans = (high - low + 1).prod(axis=1)
        kept = sized & (spans <= _MOST_SQUARES)
        if not kept.any():
            return
        rows = features.take(kept)
        west, south, east, north = bounds[kept].T
        self.bounds = (
            min(self.bounds[0], float(west.min())), min(self.bounds[1], float(south.min())),
            max(self.bounds[2], float(east.max())), max(self.bounds[3], float(north.max())),
        )  # fmt: skip
        self.roads += int((rows.layers == classes.ROAD).sum())
        bodies = shapely.to_wkb(rows.shapes)
        columns = [c.tolist() for c in (rows.layers, rows.zooms, rows.tags, low[kept], high[kept])]
        self._db.executemany("INSERT INTO features VALUES (?, ?, ?, ?, ?)", self._rows(bodies, columns))

    @staticmethod
    def _rows(bodies: Any, columns: list[list[Any]]) -> Iterator[tuple[Any, ...]]:
        for body, layer, zoom, tags, (x0, y0), (x1, y1) in zip(bodies, *columns, strict=True):
            for x in range(x0, x1 + 1):
                for y in range(y0, y1 + 1):
                    yield (x << SQUARE_ZOOM) + y, layer, zoom, tags, body
            if zoom < SQUARE_ZOOM:
                yield OVERVIEW, layer, zoom, tags, body

    def seal(self) -> list[int]:
        """End of adding; the squares that have something, those of the overview first."""
        self._db.execute("COMMIT")
        self._db.execute("CREATE INDEX by_square ON features (square)")
        return [row[0] for row in self._db.execute("SELECT DISTINCT square FROM features ORDER BY square")]

    def read(self, square: int) -> Features:
        """What lies in a square, in the order in which it was added."""
        rows = self._db.execute(
            "SELECT wkb, layer, zoom, tags FROM features WHERE square = ? ORDER BY rowid", (square,)
        ).fetchall()
        numbers = np.array([row[1:] for row in rows], np.int64).reshape(-1, 3)
        shapes = shapely.from_wkb(np.array([row[0] for row in rows], object))
        return Features(shapes, numbers[:, 0], numbers[:, 1], numbers[:, 2])

    def close(self) -> None:
        self._db.close()


def to_units(points: Floats) -> Floats:
    """(n, 2) degrees longitude, latitude -> (n, 2) units of the last zoom, x to the east, y to the south."""
    x = (points[:, 0] + 180) / 360
    lat = np.radians(np.clip(points[:, 1], -_MOST_LAT, _MOST_LAT))
    y = 0.5 - np.log(np.tan(np.pi / 4 + lat / 2)) / (2 * np.pi)
    return np.column_stack((x, y)) * WORLD


def to_degrees(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of a place in units of the last zoom."""
    lat = math.degrees(2 * math.atan(math.exp((0.5 - y / WORLD) * 2 * math.pi)) - math.pi / 2)
    return x / WORLD * 360 - 180, lat


class Reading:
    """One reading of a file into a spool."""

    def __init__(self, spool: Spool, say: Say) -> None:
        self._spool, self._say = spool, say
        self._factory = WKBFactory()
        self._waiting: list[tuple[str, Drawn, bool]] = []
        self._began = self._told = time.monotonic()
        self.read = 0
        self._coast: list[Any] = []
        #: Things whose nodes are not in the file, areas that enclose none, tags that cannot be read.
        self.broken = 0

    def run(self, source: Path) -> None:
        """Raises RuntimeError (libosmium) for a file that is none, or ends too early."""
        borders = _borders(source)
        wanted = KeyFilter(*classes.KEYS)
        reader = osmium.FileProcessor(str(source)).with_areas(wanted).with_filter(wanted)
        things: Iterator[Any] = iter(reader.handler_for_filtered(_Untagged(self, borders)))
        for thing in things:
            try:
                self._take(thing, borders)
            except UnicodeDecodeError:
                self.broken += 1  # a tag that is no UTF-8
        self._flush()
        self._sea()

    def _take(self, thing: Any, borders: dict[int, int]) -> None:
        if thing.is_way():
            self.way(thing, borders)
        elif thing.is_node():
            self._add(classes.place(thing.tags), self._factory.create_point, thing)
        elif thing.is_area():
            self._add(classes.area(thing.tags), self._factory.create_multipolygon, thing, area=True)

    def way(self, way: Any, borders: dict[int, int]) -> None:
        """A way as a line, and as a border where it is one. ``borders``: the level by the id of a way."""
        self._add(classes.line(way.tags), self._factory.create_linestring, way)
        if (level := borders.get(way.id)) is not None:
            self._add(classes.border(level), self._factory.create_linestring, way)

    def _add(
        self, drawn: Drawn | None, create: Callable[[Any], str], thing: Any, *, area: bool = False
    ) -> None:
        if drawn is None:
            return
        try:
            self._waiting.append((create(thing), drawn, area))
        except (RuntimeError, ValueError):
            self.broken += 1  # a node is not in the file, or there is only one
            return
        if len(self._waiting) >= _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        shapes = shapely.from_wkb(np.array([body for body, _, _ in self._waiting], object))
        shapes = shapely.transform(shapes, to_units)
        drawn = [one for _, one, _ in self._waiting]
        layers = np.array([one.layer for one in drawn], np.int64)
        zooms = np.array([one.zoom for one in drawn], np.int64)
        areas = np.flatnonzero([is_area for _, _, is_area in self._waiting])
        sizes = shapely.area(shapes[areas])
        zooms[areas] = [
            classes.first_zoom(drawn[k].zoom, size)
            for k, size in zip(areas.tolist(), sizes.tolist(), strict=True)
        ]
        self._coast += [shapes[k] for k, one in enumerate(drawn) if one is COASTLINE]
        tags = np.array([self._spool.number(one.tags) for one in drawn], np.int64)
        self._spool.add(Features(shapes, layers, zooms, tags))
        labels = [(k, found) for k in areas.tolist() if (found := classes.label(drawn[k])) is not None]
        if labels:
            of = np.array([k for k, _ in labels])
            self._spool.add(
                Features(
                    shapely.centroid(shapes[of]),
                    np.full(len(of), classes.LABEL),
                    np.minimum(zooms[of] + 2, LAST_ZOOM),  # when there is room for it
                    np.array([self._spool.number(found.tags) for _, found in labels], np.int64),
                )
            )
        self.read += len(self._waiting)
        self._waiting.clear()
        now = time.monotonic()
        if now - self._told >= _TOLD_S:
            self._told = now
            self._say(f"  {now - self._began:6.0f} s  读取 / reading: {self.read:,}")

    def _sea(self) -> None:
        """The sea in every square that the coast touches, as far as the file has anything."""
        if not self._coast:
            return
        coast = coast_of(np.array(self._coast, object), self._spool.bounds)
        found = [sea_in(coast, rect) for rect in squares_of(coast, _SQUARE, self._spool.bounds)]
        shapes = np.array([water for water in found if not water.is_empty], object)
        if len(shapes):
            one = np.ones(len(shapes), np.int64)
            self._spool.add(
                Features(shapes, SEA.layer * one, SEA.zoom * one, self._spool.number(SEA.tags) * one)
            )


class _Untagged(osmium.SimpleHandler):
    """Ways that are nothing but a border; most of these have no tags of their own."""

    def __init__(self, reading: Reading, borders: dict[int, int]) -> None:
        super().__init__()
        self._reading, self._borders = reading, borders

    def way(self, way: Any) -> None:
        if way.id in self._borders:
            self._reading.way(way, self._borders)


def _borders(source: Path) -> dict[int, int]:
    """The ways that are borders: id -> the highest level of the units that they bound (the lowest number). Those of countries,
    and of what is no level of ours, are left out."""
    found: dict[int, int] = {}
    reader = osmium.FileProcessor(str(source), osmium.osm.RELATION)
    relations: Iterator[Any] = iter(reader.with_filter(TagFilter(("boundary", "administrative"))))
    for relation in relations:
        try:
            said = relation.tags.get("admin_level", "")
        except UnicodeDecodeError:
            continue
        level = int(said) if said.isascii() and said.isdecimal() and len(said) < 3 else 0
        for member in relation.members:
            if member.type == "w" and level:
                found[member.ref] = min(level, found.get(member.ref, level))
    return {way: level for way, level in found.items() if level in classes.BORDERS}
