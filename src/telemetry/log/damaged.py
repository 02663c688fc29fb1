"""Reading what can be read of an embedded log whose file is damaged, record by record.

SQLite says "malformed" of a page that it cannot follow, and a record whose bytes have changed without that shows it by its
checksum. The pages of the index and of the table may be damaged each for itself: offsets come from the index where it can be
read, else all are tried one by one.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from telemetry.log.base import StoredRecord

#: The name of the checksum among the headers as they are stored.
CHECKSUM: Final = "crc32"
#: Offsets tried at once.
_TRIED: Final = 2_000


def is_damage(error: sqlite3.Error) -> bool:
    """Whether ``error`` speaks of the bytes of the file, and not of a lock, a full disk or one that does not answer."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or isinstance(error, sqlite3.DataError)


def checksum(payload: bytes) -> str:
    """Of the bytes of a record: CRC-32, hexadecimal."""
    return f"{zlib.crc32(payload):08x}"


def stored(
    topic: str, partition: int, offset: int, payload: Any, headers: Any, appended_us: Any
) -> StoredRecord:
    """The record of a row, which may be anything in a damaged file."""
    try:
        found = orjson.loads(headers)
        if not isinstance(found, dict) or not isinstance(payload, bytes) or not isinstance(appended_us, int):
            raise ValueError("columns of another type")
    except (ValueError, TypeError) as error:
        return unreadable(topic, partition, offset, f"{type(error).__name__}: {error}", payload)
    expected = found.pop(CHECKSUM, None)  # none: written by an earlier version
    if expected is not None and expected != checksum(payload):
        return unreadable(topic, partition, offset, "the checksum does not fit", payload)
    return StoredRecord(topic, partition, offset, payload, found, appended_us)


def unreadable(topic: str, partition: int, offset: int, why: str, payload: Any = b"") -> StoredRecord:
    """The record at ``offset``, which cannot be read."""
    bytes_ = payload if isinstance(payload, bytes) else b""
    return StoredRecord(topic, partition, offset, bytes_, {}, 0, why[:300])


def read_each(
    connection: sqlite3.Connection, topic: str, next_: Mapping[int, int], budget: int
) -> list[StoredRecord]:
    """From the places ``next_`` (partition -> offset) on, in the order of offsets, about ``budget`` bytes. Raises sqlite3.Error
    where not even the end of the log can be read."""
    found: list[StoredRecord] = []
    for offset, partition in _offsets(connection, topic, next_):
        record = _record(connection, topic, partition, offset, next_)
        if record is None:
            continue
        found.append(record)
        budget -= len(record.payload) or 1
        if budget <= 0:
            break
    return found


def end_of(connection: sqlite3.Connection) -> int:
    """The offset after the last record of any topic."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'records'").fetchone()
    return int(row[0]) + 1 if row else 0


def _offsets(
    connection: sqlite3.Connection, topic: str, next_: Mapping[int, int]
) -> Iterator[tuple[int, int | None]]:
    """(offset, partition), the first _TRIED of them; None = it is not known whose it is."""
    try:
        rows: list[tuple[int, int | None]] = []
        for partition, offset in next_.items():
            rows += connection.execute(
                'SELECT "offset", "partition" FROM records INDEXED BY records_read'
                ' WHERE topic = ? AND "partition" = ? AND "offset" >= ? ORDER BY "offset" LIMIT ?',
                (topic, partition, offset, _TRIED),
            ).fetchall()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        first = min(next_.values(), default=0)
        rows = [(offset, None) for offset in range(first, min(end_of(connection), first + _TRIED))]
    yield from sorted(rows, key=lambda row: row[0])[:_TRIED]


def _record(
    connection: sqlite3.Connection, topic: str, partition: int | None, offset: int, next_: Mapping[int, int]
) -> StoredRecord | None:
    """The record at ``offset``; None = there is none of ours that was not read yet."""
    row: tuple[Any, ...] | None = None
    why = "the index has it and the table has not"
    for _attempt in range(2):
        try:
            row = connection.execute(
                'SELECT topic, "partition", payload, headers, appended_us FROM records WHERE "offset" = ?',
                (offset,),
            ).fetchone()
            break
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            why = f"{type(error).__name__}: {error}"
    else:
        # Whose it is may not be known: then it is told once, by the first partition.
        place = min(next_) if partition is None else partition
        return unreadable(topic, place, offset, why) if next_[place] <= offset else None
    if row is None:
        return None if partition is None else unreadable(topic, partition, offset, why)
    if row[0] != topic or row[1] not in next_ or offset < next_[row[1]]:
        return None if partition is None else unreadable(topic, partition, offset, "another record is there")
    return stored(topic, row[1], offset, *row[2:])
