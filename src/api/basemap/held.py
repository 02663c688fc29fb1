"""The base map that is in use, read from its file; a new file is taken without a restart."""

from __future__ import annotations

import gzip
import logging
import os
import sqlite3
import threading
import zlib
from pathlib import Path

from office.basemap.tile_file import About, TileFile

_logger = logging.getLogger("gongche.api")

#: What a damaged file may raise.
DAMAGES = (sqlite3.Error, ValueError, EOFError, zlib.error)


class DamagedMapError(Exception):
    """The file is there and cannot be read."""


class HeldMap:
    """The map at ``path``. All of it may be called by any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: TileFile | None = None
        self._seen: tuple[int, ...] | None = None
        self._said: tuple[int, ...] | None = None

    def about(self) -> About | None:
        """What the map says of itself; None: there is none. Raises DamagedMapError."""
        found = self._current()
        return None if found is None else found.about

    def tile(self, version: str, zoom: int, x: int, y: int, *, packed: bool) -> bytes | None:
        """A tile, as gzip (``packed``) or plain; b"" where nothing is drawn; None: the map in use is another one. Raises DamagedMapError."""
        found = self._current()
        if found is None or found.about.version != version:
            return None
        try:
            body = found.tile(zoom, x, y) or b""
            return body if packed or not body else gzip.decompress(body)
        except DAMAGES as error:
            raise self._damaged(error) from error

    def _current(self) -> TileFile | None:
        with self._lock:
            try:
                stat = self._path.stat()
            except (FileNotFoundError, NotADirectoryError):
                # One that was taken away is not shown any longer. Readers that are at it keep what they have.
                self._file = self._seen = None
                return None
            except OSError as error:
                raise self._damaged(error) from error
            seen = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if self._file is None or seen != self._seen:
                try:
                    self._file, self._seen = TileFile(self._path), seen
                except (*DAMAGES, OSError) as error:
                    self._file = self._seen = None
                    raise self._damaged(error) from error
            return self._file

    def _damaged(self, error: Exception) -> DamagedMapError:
        """Said once for each file: a page asks for many tiles."""
        try:
            stat = os.stat(self._path)
            seen: tuple[int, ...] | None = (stat.st_ino, stat.st_mtime_ns)
        except OSError:
            seen = None
        if seen != self._said or seen is None:
            self._said = seen
            _logger.error("the base map %s cannot be read: %s", self._path, error)
        return DamagedMapError(str(error))
