"""What a reader of the embedded log does while nothing comes."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from telemetry.log.base import POSITIONS, Record, StoredRecord
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from tests.waiting import PATIENCE_S

_RECORD = Record(POSITIONS, 0, b"x", {})


class _Counting(EmbeddedLogReader):
    """Counts its looks at the records."""

    looks = 0

    def _read(self, max_bytes: int) -> list[StoredRecord]:
        self.looks += 1
        return super()._read(max_bytes)


@pytest.mark.parametrize(
    ("written_s_ago", "much"),
    [(5.0, False), (0.0, True), (None, True)],  # just written: it may not be synced; None: that is not known
)
async def test_an_idle_reader_looks_at_the_records_only_after_somebody_wrote(
    tmp_path: Path, written_s_ago: float | None, much: bool
) -> None:
    path = tmp_path / "log" / "log.sqlite"
    writer, reader = EmbeddedLogWriter(path), _Counting(path, POSITIONS)
    await reader.poll(1 << 20, 0)  # it is told its partitions
    await reader.seek(0, 0)
    reader.looks = 0
    if written_s_ago is None:
        reader._written_to = str(tmp_path / "nothing")
    else:
        at = time.time() - written_s_ago
        os.utime(reader._written_to, (at, at))
    assert (await reader.poll(1 << 20, 0.5)).records == []
    assert reader.looks > 2 if much else reader.looks == 2  # at the beginning and at the end
    waits = asyncio.create_task(reader.poll(1 << 20, PATIENCE_S / 2))
    await writer.append([_RECORD])
    found = await waits
    assert [record.payload for record in found.records] == [b"x"]
    await writer.close()
    await reader.close()
