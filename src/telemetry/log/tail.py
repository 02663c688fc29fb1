"""Following the log at its end, beside the workers: no member of their group, no offset of theirs is touched.

Who follows it may miss what a damaged place holds, or what was deleted before it was read: he shows what is newest, and loses
nothing by that. Everything else reads by ``LogReader``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from runtime.errors import UnavailableError
from runtime.settings import Settings
from telemetry.log.base import POSITIONS, StoredRecord
from telemetry.log.sqlite import EmbeddedLogReader


@dataclass(frozen=True, slots=True)
class Opened:
    """``identity`` names the log (see LogReader.identity); ``ends``: the offset after the last record of each partition."""

    identity: str
    ends: Mapping[int, int]


class LogTail(Protocol):
    """Every method raises UnavailableError when the log cannot be read; then ``close`` it and ``open`` it again."""

    async def open(self) -> Opened:
        """Connect to the log that is there now."""

    async def seek(self, places: Mapping[int, int]) -> None:
        """The next ``read`` begins at these offsets; say one of every partition."""

    async def read(self, max_bytes: int) -> Sequence[StoredRecord]:
        """What is there, at most about ``max_bytes`` of it; none = that was all."""

    async def check(self) -> None:
        """Raises UnavailableError when the log is another one than was opened, or has other partitions."""

    async def close(self) -> None:
        """Disconnect; nothing happens when it is not open."""


class EmbeddedTail:
    """The log on this machine."""

    def __init__(self, path: Path, partitions: int = 1) -> None:
        self._path, self._partitions = path, partitions
        self._reader: EmbeddedLogReader | None = None
        self._file: tuple[int, int] | None = None

    async def open(self) -> Opened:
        """See LogTail.open. A log that is not there is not made: its writer does that."""
        self._file = self._there()
        self._reader = EmbeddedLogReader(self._path, POSITIONS, self._partitions)
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


def open_tail(settings: Settings) -> LogTail:
    """The end of the log that ``settings`` name; ``open`` it first."""
    if settings.kafka_bootstrap:
        from telemetry.log.kafka.tail import KafkaTail

        return KafkaTail(settings)
    return EmbeddedTail(settings.data_dir / "log" / "log.sqlite", settings.log_partitions)
