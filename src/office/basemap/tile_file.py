"""All tiles of a base map in one file: MBTiles 1.3 (github.com/mapbox/mbtiles-spec), which is SQLite, so that other programs read it
as well. A new one is written beside the one in use and takes its place in the end, whole or not at all.

Maps lie in ``<data_dir>/basemap``: ``map.mbtiles`` the map in use, ``demo.mbtiles`` that of the demo's city, which is never taken for
a real one."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from office.basemap.classes import FIRST_ZOOM, LAST_ZOOM, LAYERS

#: The map of the office, and that of the demo's city.
MAP: Final = "map"
DEMO: Final = "demo"
#: What our own file says of itself besides what MBTiles asks for: without it a file is not taken for one of ours.
VERSION: Final = "gongche_version"
_MAP_DATE, _SOURCE = "gongche_map_date", "gongche_source"


def path_of(data_dir: Path, name: str = MAP) -> Path:
    """Where the map ``name`` lies once it is prepared."""
    return data_dir / "basemap" / f"{name}.mbtiles"


@dataclass(frozen=True, slots=True)
class About:
    """What a map says of itself. ``version``: of its contents, 16 digits; ``bounds``: west, south, east, north in degrees;
    ``map_date``: of the data, RFC 3339, "" = not known; ``source``: the name of the file that it was made from."""

    version: str
    bounds: tuple[float, float, float, float]
    attribution: str
    map_date: str
    source: str
    first_zoom: int = FIRST_ZOOM
    last_zoom: int = LAST_ZOOM


class TileWriter:
    """Tiles into a new file at ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        # Nobody reads it before it is finished, and what is left of an interrupted one is thrown away.
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        self._db.executescript(
            "CREATE TABLE metadata (name TEXT, value TEXT);"
            "CREATE TABLE tiles (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB);"
        )
        self._db.execute("BEGIN")
        self._told = hashlib.sha256()
        self.tiles = 0

    def add(self, zoom: int, x: int, y: int, body: bytes) -> None:
        """A tile, compressed by gzip; y counts from the north."""
        self._db.execute("INSERT INTO tiles VALUES (?, ?, ?, ?)", (zoom, x, (1 << zoom) - 1 - y, body))
        self._told.update(f"{zoom}/{x}/{y}/{len(body)}:".encode() + body)
        self.tiles += 1

    def finish(
        self, bounds: tuple[float, float, float, float], attribution: str, map_date: str, source: str
    ) -> About:
        """Write what the map says of itself, and have all of it on the disk."""
        west, south, east, north = (round(value, 6) for value in bounds)
        told = ((west, south, east, north), attribution, map_date, source)
        self._told.update(json.dumps(told).encode())
        about = About(self._told.hexdigest()[:16], *told)
        layers: list[dict[str, Any]] = [{"id": name, "fields": {}} for name in LAYERS]
        values = {
            "name": "gongche", "format": "pbf", "type": "baselayer", "minzoom": str(FIRST_ZOOM), "maxzoom": str(LAST_ZOOM),
            "bounds": ",".join(map(str, about.bounds)), "attribution": attribution,
            "json": json.dumps({"vector_layers": layers}), VERSION: about.version, _MAP_DATE: map_date, _SOURCE: source,
        }  # fmt: skip
        self._db.executemany("INSERT INTO metadata VALUES (?, ?)", values.items())
        self._db.execute("CREATE UNIQUE INDEX tile_index ON tiles (zoom_level, tile_column, tile_row)")
        self._db.execute("COMMIT")
        self._db.close()
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
        return about

    def close(self) -> None:
        """Give up, or nothing after ``finish``."""
        self._db.close()


class TileFile:
    """A map that is read, by any thread. It stays the one that it was when its file is replaced."""

    def __init__(self, path: Path) -> None:
        """Raises sqlite3.Error for what is no such file, ValueError for one that is not ours."""
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        self._db = sqlite3.connect(uri, uri=True, check_same_thread=False)
        self._lock = threading.Lock()
        try:
            self.about = _about(dict(self._db.execute("SELECT name, value FROM metadata LIMIT 100")))
        except BaseException:
            self._db.close()
            raise

    def tile(self, zoom: int, x: int, y: int) -> bytes | None:
        """A tile as it was written (gzip); None: nothing is drawn there. Raises sqlite3.Error for a damaged file."""
        place = (zoom, x, (1 << zoom) - 1 - y)
        with self._lock:
            row = self._db.execute(
                "SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?", place
            ).fetchone()
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _about(values: dict[str, Any]) -> About:
    try:
        west, south, east, north = (float(part) for part in values["bounds"].split(","))
        return About(
            str(values[VERSION]), (west, south, east, north), str(values["attribution"]), str(values[_MAP_DATE]),
            str(values[_SOURCE]), int(values["minzoom"]), int(values["maxzoom"]),
        )  # fmt: skip
    except (KeyError, AttributeError) as error:
        raise ValueError(f"the map does not say {error}") from None
