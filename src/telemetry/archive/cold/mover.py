"""Moves whole days of positions from their partitions to files, and late rows of such days after them.

A day is in its partition until one transaction drops that and makes its files cold; before, the files were written, synced, read back
and compared with every value of every row. Killed at any point, it is either all in the table or all in the files. What is written
to the partition meanwhile is noted by a trigger: then the move begins again.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
import numpy as np

from runtime.connection import Connection
from runtime.errors import GongcheError, UnavailableError
from runtime.partitions import LOCK_TIMEOUT, partitions_of
from runtime.units import US_PER_DAY
from telemetry.archive.cold import catalogue, layout, metrics
from telemetry.archive.cold.catalogue import ColdFile
from telemetry.archive.cold.folder import Folder
from telemetry.archive.cold.whole import pages_of
from telemetry.archive.pages import merged, regrouped, stored_pages
from telemetry.archive.partitions import POSITIONS, clock_us, day_of_partition

_logger = logging.getLogger(__name__)

#: Rows of a file: its footer stays small enough to be read for one vehicle.
FILE_ROWS: Final = 16 * layout.GROUP_ROWS
#: A file with fewer rows is put together with late rows of its day: there are never many of them.
SMALL_ROWS: Final = 4 * layout.GROUP_ROWS
#: Rows that are read from the database at once: what bounds the memory.
PAGE_ROWS: Final = 65_536
#: Number of the advisory lock of whoever moves: one at a time.
LOCK: Final = 0x676F6E67_636F6C64  # "gongcold"

#: Called with (day, rows of it so far).
Tell = Callable[[int, int], None]


class DifferentError(GongcheError):
    """What was read back from a file is not what was written to it."""

    exit_code = 74


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of a day (since 1970). ``touched``: somebody wrote to it meanwhile, it stays where it is until the next turn."""

    day: int
    rows: int
    bytes: int
    touched: bool = False


@dataclass(slots=True)
class _Written:
    """A file that is written but not cold yet. ``digests``: of each row group, by the rows that came from the database."""

    name: str
    writer: layout.Writer
    terminals: set[int]


class Mover:
    """``place``: the folder or URL of new files. ``hot_days``: so many whole days before today stay in the table. ``checkpoint`` is
    called with the name of each step (tests kill the process there)."""

    def __init__(
        self,
        place: str,
        hot_days: int,
        *,
        now_us: Callable[[], int] = clock_us,
        checkpoint: Callable[[str], None] = lambda _: None,
        file_rows: int = FILE_ROWS,
    ) -> None:
        self._folder = Folder(place)
        self._hot_days, self._now_us, self._checkpoint = hot_days, now_us, checkpoint
        self._file_rows = file_rows

    async def due(self, conn: Connection) -> list[int]:
        """The days (since 1970) that have a partition and are older than what stays in the table, oldest first."""
        first_hot = self._now_us() // US_PER_DAY - self._hot_days
        days = (day_of_partition(name) for name in await partitions_of(conn, POSITIONS.table))
        return sorted(day for day in days if day is not None and day < first_hot)

    async def move(self, conn: Connection, tell: Tell = lambda _day, _rows: None) -> AsyncIterator[Moved]:
        """Move every day that is due, oldest first; each is done when it is told. Nothing where somebody else moves.

        Raises UnavailableError (disk full, a store or database that does not answer) and DifferentError, and at the end
        ColdDamagedError; the day is where it was."""
        async with _alone(conn) as alone:
            if not alone:
                return
            await self._clean(conn)
            self._folder.prepare()
            damaged: layout.ColdDamagedError | None = None
            for day in await self.due(conn):
                try:
                    yield await self._move(conn, day, tell)
                except layout.ColdDamagedError as error:
                    # Late rows of a day whose file cannot be read stay in the table; other days need not wait for them.
                    _logger.error("%s: %s", catalogue.day_of(day), error.message)
                    damaged = error
            if damaged is not None:
                raise damaged

    async def _clean(self, conn: Connection) -> None:
        """Remove what moves that were killed have begun. Nobody else writes: we hold the lock."""
        await remove_left(conn, writing=True)

    async def _move(self, conn: Connection, day: int, tell: Tell) -> Moved:
        partition = POSITIONS.table + f"_{catalogue.day_of(day):%Y%m%d}"
        try:
            await catalogue.watch(conn, partition, day)
            self._checkpoint("watched")
            old = [
                file for file in await catalogue.files_of(conn, day, day) if file.rows < SMALL_ROWS
            ]  # together with what came late
            written = [each async for each in self._write(conn, day, partition, old, tell)]
            self._checkpoint("written")
            files = [await asyncio.to_thread(self._compare, each, day) for each in written]
            self._checkpoint("compared")
            terminals = sorted(set().union(*(each.terminals for each in written)))
            if not await self._drop(conn, day, partition, old, files, terminals):
                metrics.FAILURES.labels(metrics.TOUCHED).inc()
                _logger.info("%s was written to while it was moved: it is moved in the next turn", partition)
                await self._clean(conn)
                return Moved(day, 0, 0, touched=True)
        except Exception as error:
            metrics.FAILURES.labels(_why(error)).inc()
            raise
        self._checkpoint("dropped")
        moved = Moved(day, sum(file.rows for file in files), sum(file.bytes for file in files))
        metrics.MOVED.inc(moved.rows)
        _logger.info(
            "%s is in cold storage: %d positions, %d bytes in %d files",
            catalogue.day_of(day), moved.rows, moved.bytes, len(files),
        )  # fmt: skip
        return moved

    async def _write(
        self, conn: Connection, day: int, partition: str, old: Sequence[ColdFile], tell: Tell
    ) -> AsyncIterator[_Written]:
        """The rows of the partition and of ``old`` files, as new files."""
        # What was stored first wins: that is in the files.
        streams = [*(pages_of([file]) for file in old), stored_pages(conn, PAGE_ROWS, table=partition)]
        groups = regrouped(merged(streams), layout.GROUP_ROWS)
        group = await anext(groups, None)
        rows = 0
        while group is not None:
            name = f"positions-{catalogue.day_of(day):%Y%m%d}-{uuid.uuid4().hex[:12]}.parquet"
            await catalogue.begin(conn, name, self._folder.place, day)
            self._checkpoint("begun")
            with self._folder.create(name) as sink:
                writer, terminals = layout.Writer(sink), set[int]()
                while group is not None and writer.rows < self._file_rows:
                    await asyncio.to_thread(writer.write, group)
                    terminals.update(np.unique(group.columns["terminal"]).tolist())
                    rows += len(group)
                    tell(day, rows)
                    group = await anext(groups, None)
                writer.close()
                self._checkpoint("filled")
            yield _Written(name, writer, terminals)

    def _compare(self, written: _Written, day: int) -> ColdFile:
        """Read the file back; every row must be what came from the database."""
        writer = written.writer
        size, sha256 = self._folder.sha256(written.name)
        with self._folder.open(written.name) as source:
            footer, data = layout.footer_of(source, size)
            metadata = layout.parse_footer(data)
            read = [
                rows.digest() for rows in layout.read_groups(source, metadata, range(metadata.num_row_groups))
            ]
        if read != writer.digests:
            raise DifferentError(
                f"{written.name} reads otherwise than it was written",
                hint="磁盘或内存可能有故障；数据库中的定位未删除 · are disk and memory sound? nothing was dropped from PostgreSQL",
            )
        return ColdFile(
            written.name, self._folder.place, day, layout.LAYOUT, writer.rows, size, sha256, footer.sha256,
            writer.firsts[0], writer.last, np.array(writer.firsts, np.int64),
        )  # fmt: skip

    async def _drop(
        self,
        conn: Connection,
        day: int,
        partition: str,
        old: Sequence[ColdFile],
        files: Sequence[ColdFile],
        terminals: Sequence[int],
    ) -> bool:
        """The one step: the files are read, the partition and the old files are not; False: it was written to meanwhile, and
        nothing has happened. Raises asyncpg.LockNotAvailableError when readers hold the table for longer than two seconds."""
        async with _undone_if_false(conn) as step:
            # As whoever makes or drops a partition: first this lock, then the table, then the partition.
            await conn.execute("SELECT pg_advisory_xact_lock($1)", POSITIONS.lock)
            await catalogue.note_terminals(conn, day, terminals)
            await catalogue.make_cold(conn, files)
            await catalogue.discard(conn, [file.file for file in old])
            await conn.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            await conn.execute(f"LOCK TABLE ONLY {POSITIONS.table} IN ACCESS EXCLUSIVE MODE")
            # Everybody who has written to it has committed, and nobody else can.
            if await catalogue.touched(conn, day):
                return False
            await conn.execute(f"DROP TABLE {partition}")
            self._checkpoint("dropping")
            step.done = True
        return True


async def remove_left(conn: Connection, *, writing: bool = False) -> int:
    """Remove files that nobody reads any more; how many. ``writing``: only by who holds the lock. Raises UnavailableError."""
    left = await catalogue.left(conn, writing=writing)
    for folder, file in left:
        await asyncio.to_thread(Folder(folder).remove, file)
        await catalogue.forget(conn, file)
    return len(left)


@dataclass(slots=True)
class _Step:
    done: bool = False


class _NotDoneError(Exception):
    """Rolls a transaction back; goes no further."""


@asynccontextmanager
async def _undone_if_false(conn: Connection) -> AsyncIterator[_Step]:
    """A transaction that is rolled back where its step was not done."""
    step = _Step()
    try:
        async with conn.transaction():
            yield step
            if not step.done:
                raise _NotDoneError
    except _NotDoneError:
        pass


@asynccontextmanager
async def _alone(conn: Connection) -> AsyncIterator[bool]:
    """Whether we are the only one who moves; as long as the context lasts."""
    alone = bool(await conn.fetchval("SELECT pg_try_advisory_lock($1)", LOCK))
    try:
        yield alone
    finally:
        if alone:
            await conn.execute("SELECT pg_advisory_unlock($1)", LOCK)


def _why(error: Exception) -> str:
    if isinstance(error, DifferentError | layout.ColdDamagedError):
        return metrics.DIFFERENT
    if isinstance(error, UnavailableError | OSError | asyncpg.PostgresError | asyncpg.InterfaceError):
        return metrics.STORE
    return metrics.FAULT
