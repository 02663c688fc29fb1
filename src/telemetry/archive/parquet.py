"""Export of the position history: one UTC day of the table ``positions`` to one Parquet file and its manifest.

The file is whole or not there: rows are written to a hidden file beside it, which is read back, hashed, synced and
only then renamed; the manifest follows. So a manifest says: this file, with this SHA-256, holds the whole day as it
was in one snapshot of the database. Rows are in the order of the primary key (terminal, device time, fingerprint), so
row groups can be skipped by terminal.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import asyncpg
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from runtime.arrays import AnyArray
from runtime.errors import ConfigurationError, GongcheError, UnavailableError
from runtime.metrics import program_version
from telemetry.archive.cold.catalogue import files_of, number_of
from telemetry.archive.cold.rows import Rows
from telemetry.archive.cold.whole import chains, pages_of, seen_pages
from telemetry.archive.pages import day_span, merged, regrouped, stored_pages
from telemetry.archive.partitions import hold_days
from telemetry.arrow import arrow_type
from telemetry.positions import ADDED, ITEMS_UNIT, OPTIONAL, REPORTED, Column

FORMAT: Final = "gongche.positions.parquet/1"
#: Rows of one row group, and of one page read from the database: what bounds the memory of an export (some 60 MB).
GROUP_ROWS: Final = 65_536

#: Called after each row group with (rows so far, number of the last terminal, highest number of a terminal).
Progress = Callable[[int, int, int], None]

_TIME = pa.timestamp("us", tz="UTC")
#: Times are times in the file, not numbers: what their column says instead of ``unit``.
_TIME_UNITS = {
    "device_us": "by the terminal; 1970-01-01 = unreadable",
    "received_us": "when the server read it",
}


def _field(column: Column) -> Any:
    if column.name in _TIME_UNITS:
        return pa.field(column.sql_name, _TIME, False, metadata={"unit": _TIME_UNITS[column.name]})
    return pa.field(column.name, arrow_type(column.name), column.optional, metadata={"unit": column.unit})


_BY_NAME = {column.name: column for column in (*REPORTED, *ADDED)}
_KEY_NAMES = ("terminal", "device_us", "received_us", "fingerprint")
_PHONE = pa.field(
    "phone",
    pa.dictionary(pa.int32(), pa.string()),
    True,
    metadata={"unit": "of the terminal, without leading zeros"},
)
_KEY_FIELDS = [_field(_BY_NAME[name]) for name in _KEY_NAMES]

#: The columns of the file, each with its ``unit`` in the field's metadata: what identifies a row, what every terminal
#: says, what the server thinks of it, what some terminals say.
SCHEMA: Final = pa.schema(
    [
        _KEY_FIELDS[0],
        _PHONE,
        *_KEY_FIELDS[1:],
        *(_field(column) for column in REPORTED if not column.optional and column.name not in _KEY_NAMES),
        _field(_BY_NAME["quality"]),
        *(_field(column) for column in REPORTED if column.optional),
        pa.field("items", pa.binary(), True, metadata={"unit": ITEMS_UNIT}),
    ],
    metadata={"format": FORMAT},
)
#: Where the file's name of a column is not the batch's.
_BATCH_NAMES = {_BY_NAME[name].sql_name: name for name in _TIME_UNITS}


class ExportRefusedError(GongcheError):
    """There is nothing to export, or what is there already must not be replaced."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was exported. ``day`` is a UTC day (ISO 8601), ``bytes`` and ``sha256`` (hex) are those of ``file``,
    which lies in the same folder; ``terminals`` is how many different ones have rows; ``exported_at`` is when the
    snapshot was taken (RFC 3339)."""

    format: str
    day: str
    file: str
    rows: int
    terminals: int
    bytes: int
    sha256: str
    exported_at: str
    program: str


def names_of(day: date) -> tuple[str, str]:
    """Names of the file and of the manifest of ``day``."""
    return f"positions-{day.isoformat()}.parquet", f"positions-{day.isoformat()}.json"


async def export_day(
    conn: asyncpg.Connection,
    day: date,
    folder: Path,
    *,
    progress: Progress = lambda _rows, _terminal, _last: None,
    group_rows: int = GROUP_ROWS,
    force: bool = False,
) -> Manifest:
    """Write the positions whose device time lies in the UTC day ``day`` into ``folder``.

    An export that is there is replaced, but not by one with fewer rows, unless ``force``: after the retention has
    dropped a day, the file is all there is of it. Raises ExportRefusedError for that and for a day without rows,
    ConfigurationError for a folder that cannot be used, UnavailableError for a disk that is full or a database that
    fails. Whatever is raised, the file that was there is there; at worst its manifest is missing: export again.
    """
    file, manifest = (folder / name for name in names_of(day))
    scratch = folder / f".{file.name}.part"
    with _locked(folder) as locked:
        before = _rows_of(file)
        try:
            made = await _write(conn, day, scratch, file.name, group_rows, progress)
            if made.rows < before and not force:
                raise ExportRefusedError(
                    f"the export of {day} that is there has {before} rows, the database only {made.rows}",
                    hint="the day may have been dropped by retention; --force replaces the file all the same",
                )
            # In this order a manifest never describes another file than the one that is there.
            manifest.unlink(missing_ok=True)
            os.fsync(locked)
            scratch.replace(file)
            with _new_file(scratch) as written:
                written.write(orjson.dumps(asdict(made), option=orjson.OPT_INDENT_2) + b"\n")
            scratch.replace(manifest)
            os.fsync(locked)
        except (
            ConnectionError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as error:
            raise UnavailableError(f"the database failed during the export of {day}: {error}") from error
        except OSError as error:
            raise UnavailableError(
                f"writing the export of {day} to {folder}: {error.strerror or error}",
                hint="is the disk full?",
            ) from error
        finally:
            scratch.unlink(missing_ok=True)
    return made


def read_manifest(path: Path) -> Manifest:
    """The manifest in ``path``. Raises ConfigurationError when it is none of this format."""
    try:
        found = Manifest(**orjson.loads(path.read_bytes()))
    except (OSError, TypeError, orjson.JSONDecodeError) as error:
        raise ConfigurationError(f"{path} is no manifest of an export: {error}") from error
    if found.format != FORMAT:
        raise ConfigurationError(f"{path} is a manifest of {found.format!r}, this program knows {FORMAT}")
    return found


def sha256_of(path: Path) -> str:
    """SHA-256 of the file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _write(
    conn: asyncpg.Connection, day: date, scratch: Path, name: str, group_rows: int, progress: Progress
) -> Manifest:
    rows, terminals, last = 0, 0, -1
    # One snapshot for all pages: a batch that is stored meanwhile is in the file as a whole or not at all.
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        await hold_days(conn)
        taken = await conn.fetchval("SELECT now()")
        phones = {r["no"]: r["phone"] for r in await conn.fetch("SELECT no, phone FROM terminals")}
        highest = max(phones, default=0)
        with _new_file(scratch) as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
            async for page in await _pages(conn, day, group_rows):
                writer.write_table(_table(page, phones), row_group_size=group_rows)
                there = np.unique(page.columns["terminal"])
                rows += len(page)
                terminals += len(there) - int(there[0] == last)
                last = int(there[-1])
                progress(rows, last, highest)
    if not rows:
        raise ExportRefusedError(f"没有定位 / no positions on {day} (UTC)")
    return _described(scratch, day, name, rows, terminals, taken)


def _described(scratch: Path, day: date, name: str, rows: int, terminals: int, taken: datetime) -> Manifest:
    if pq.read_metadata(scratch).num_rows != rows:  # what was written must be what can be read
        raise UnavailableError(f"the file of {day} cannot be read back", hint="is the disk sound?")
    exported_at = taken.astimezone(UTC).isoformat(timespec="seconds")
    size, digest = scratch.stat().st_size, sha256_of(scratch)
    program = f"gongche {program_version()}"
    return Manifest(FORMAT, day.isoformat(), name, rows, terminals, size, digest, exported_at, program)


async def _pages(conn: asyncpg.Connection, day: date, group_rows: int) -> AsyncIterator[Rows]:
    """The day's rows, ``group_rows`` at a time: those of files and of the table. Of files only what may be seen."""
    number = number_of(day)
    files = await files_of(conn, number, number)
    hot = stored_pages(conn, group_rows, where=day_span(number))
    if not files:
        return hot
    streams = [seen_pages(conn, pages_of(chain)) for chain in chains(files)]
    return regrouped(merged([*streams, hot]), group_rows)


def _table(rows: Rows, phones: dict[int, str]) -> Any:
    """The page as an Arrow table of SCHEMA."""
    page = rows.columns
    arrays: list[Any] = []
    for field in SCHEMA:
        if field.name == "phone":
            arrays.append(_phones(page["terminal"], phones))
        elif field.name == "items":
            arrays.append(_items(rows.sizes, rows.items))
        elif pa.types.is_timestamp(field.type):
            arrays.append(pa.array(page[_BATCH_NAMES[field.name]], pa.int64()).cast(field.type))
        else:
            # The table's 32 signed bits of alarm and status are the terminal's 32 bits.
            values = page[field.name].astype(field.type.to_pandas_dtype())
            missing = None
            if field.name in OPTIONAL:
                missing = (page["present"] & (1 << OPTIONAL.index(field.name))) == 0
            arrays.append(pa.array(values, field.type, mask=missing))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _phones(terminal: AnyArray, phones: dict[int, str]) -> Any:
    there, index = np.unique(terminal, return_inverse=True)
    known = pa.array([phones.get(no) for no in there.tolist()], pa.string())
    return known.take(pa.array(index)).dictionary_encode()


def _items(sizes: AnyArray, data: AnyArray) -> Any:
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(np.maximum(sizes, 0), out=offsets[1:])
    validity = pa.py_buffer(np.packbits(sizes >= 0, bitorder="little").tobytes())
    return pa.Array.from_buffers(
        pa.binary(), len(sizes), [validity, pa.py_buffer(offsets.tobytes()), pa.py_buffer(data.tobytes())]
    )


def _rows_of(file: Path) -> int:
    """Rows of the export that is there, by its own footer (a killed export may have left it without a manifest); 0
    when there is none."""
    if not file.exists():
        return 0
    try:
        return int(pq.read_metadata(file).num_rows)
    except (OSError, pa.ArrowException) as error:
        raise ConfigurationError(
            f"{file} is there and is no Parquet file: {error}", hint="move it away, then export again"
        ) from error


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file, whatever an export that was killed left under the name; on the disk when the context ends."""
    path.unlink(missing_ok=True)
    # Only the owner and the group may read where vehicles were.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Lock ``folder`` (made when missing) against other exports; its descriptor. The lock ends with the process at the
    latest."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigurationError(f"the folder {folder}: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"another export writes to {folder}", hint="wait for it, or give another folder"
            ) from None
        yield held
    finally:
        os.close(held)
