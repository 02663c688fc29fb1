"""Following the log of one machine at its end (``LogTail``)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.errors import UnavailableError
from telemetry.log.base import POSITIONS, Opened, StoredRecord
from telemetry.log.sqlite import EmbeddedLogReader


class EmbeddedTail:
    """The log on this machine."""

    def __init__(self, path: Path, partitions: int = 1) -> None:
        self._path, self._partitions = path, partitions
        self._reader: EmbeddedLogReader | None = None
        self._file: tuple[int, int] | None = None

    async def open(self) -> Opened:
        """See LogTail.open. A log that is not there is not made: its writer does that."""
        self._file = self._there()
        # It may have to wait for a lock of the file.
        self._reader = await asyncio.to_thread(EmbeddedLogReader, self._path, POSITIONS, self._partitions)
        await self._reader.poll(1, 0)  # it is told which partitions it has
        return Opened(await self._reader.identity(), await self._reader.end_offsets())

    async def seek(self, places: Mapping[int, int]) -> None:
        """See LogTail.seek."""
        for partition, offset in places.items():
            await self._opened().seek(partition, offset)

    async def read(self, max_bytes: int) -> Sequence[StoredRecord]:
        """See LogTail.read."""
        await self.check()
        return (await self._opened().poll(max_bytes, 0)).records

    async def check(self) -> None:
        """See LogTail.check. SQLite goes on reading a file that was deleted: so the name is looked at."""
        if self._there() != self._file:
            raise UnavailableError(f"the embedded log {self._path} was made anew", hint="it is opened again")

    async def close(self) -> None:
        """See LogTail.close."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    def _opened(self) -> EmbeddedLogReader:
        if self._reader is None:
            raise UnavailableError("the embedded log is not open")
        return self._reader

    def _there(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise UnavailableError(f"the embedded log {self._path} is not there: {error.strerror}") from error
        return found.st_dev, found.st_ino
