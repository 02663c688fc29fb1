"""The log on one machine: SQLite in WAL mode, every commit synced to disk before it is confirmed.

Several processes may append and read at once (gateway, API, worker). A reader sees only what has been committed, that
is synced: SQLite makes a commit visible after the sync. A torn last write is SQLite's ordinary recovery.

Measured choice: files of our own were a little cheaper per megabyte, but with LZ4 a position takes some 15 bytes and
the difference vanishes, while crash recovery, several writers, and space reuse come from a library that is tested for
exactly that.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from pathlib import Path
from queue import SimpleQueue
from typing import Final, TypeVar

import orjson

from runtime.errors import BatchTooLargeError, ConfigurationError, UnavailableError
from runtime.private_files import private_folder
from telemetry.log.base import POSITIONS, REPORTS, Poll, Record, StoredRecord
from telemetry.log.codec import MAX_RECORD_BYTES
from telemetry.log.damaged import CHECKSUM, COLUMNS, checksum, end_of, is_damage, read_each, stored

T = TypeVar("T")
_logger = logging.getLogger(__name__)

_FORMAT = 1
_TRIMMED_AT_ONCE: Final = 200
_OFFSET: Final = itemgetter(0)
#: Topics that somebody processes: he alone says what of them may go.
_PROCESSED: Final = (POSITIONS, REPORTS)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS log_settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    "offset" INTEGER PRIMARY KEY AUTOINCREMENT,  -- AUTOINCREMENT: never given twice, also after a trim
    topic TEXT NOT NULL, "partition" INTEGER NOT NULL,
    appended_us INTEGER NOT NULL, headers BLOB NOT NULL, payload BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS records_read ON records (topic, "partition", "offset");
"""


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA page_size=16384")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "PRAGMA synchronous=FULL"
        )  # durable before it confirms; EXTRA matters only without WAL
        connection.execute("PRAGMA wal_autocheckpoint=1024")  # pages, 16 MiB
        connection.execute("PRAGMA journal_size_limit=67108864")
    except sqlite3.Error as error:
        raise UnavailableError(
            f"the embedded log {path} cannot be opened: {error}", hint="see its folder"
        ) from error
    return connection


def _open(path: Path, partitions: int) -> tuple[sqlite3.Connection, int]:
    """Open or create the log; the number of partitions is fixed when it is created."""
    private_folder(path.parent)
    connection = _connect(path)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _FORMAT):
            raise ConfigurationError(
                f"the embedded log {path} has format {version}", hint="it needs a newer gongche"
            )
        connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute("INSERT OR IGNORE INTO log_settings VALUES ('partitions', ?)", (str(partitions),))
        connection.execute("INSERT OR IGNORE INTO log_settings VALUES ('identity', ?)", (str(uuid.uuid4()),))
        (stored,) = connection.execute("SELECT value FROM log_settings WHERE name = 'partitions'").fetchone()
        connection.execute(f"PRAGMA user_version={_FORMAT}")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.close()
        raise UnavailableError(
            f"the embedded log {path} is not usable: {error}", hint="disk full, or damaged?"
        ) from error
    return connection, int(stored)


class EmbeddedLogWriter:
    """Appends through one thread. Calls that overlap share a commit (group commit)."""

    def __init__(self, path: Path, partitions: int = 1) -> None:
        """Raises ConfigurationError or UnavailableError when ``path`` cannot be used."""
        self._connection, self.partitions = _open(path, partitions)
        self._queue: SimpleQueue[tuple[Sequence[Record], asyncio.Future[None]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="embedded-log", daemon=True)
        self._thread.start()
        self._closed = False

    async def start(self) -> None:
        """See LogWriter.start. The file was opened when this was made."""

    async def append(self, records: Sequence[Record]) -> None:
        """See LogWriter.append: all of ``records`` in one transaction, synced when this returns."""
        if self._closed:
            raise UnavailableError("the embedded log is closed")
        for record in records:
            if len(record.payload) > MAX_RECORD_BYTES:
                raise BatchTooLargeError(
                    f"a record of {len(record.payload)} bytes, at most {MAX_RECORD_BYTES}"
                )
        if not records:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put((records, done))
        await done

    async def close(self) -> None:
        """Finish what was queued, then close."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        stop = False
        while not stop:
            waiting: list[tuple[Sequence[Record], asyncio.Future[None]]] = []
            item = self._queue.get()
            while True:
                if item is None:
                    stop = True
                    break
                waiting.append(item)
                if self._queue.empty():
                    break
                item = self._queue.get()
            if waiting:
                self._commit(waiting)
        self._connection.close()

    def _commit(self, waiting: list[tuple[Sequence[Record], asyncio.Future[None]]]) -> None:
        failure: Exception | None = None
        now_us = time.time_ns() // 1000
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for records, _done in waiting:
                self._connection.executemany(
                    'INSERT INTO records (topic, "partition", appended_us, headers, payload) VALUES (?, ?, ?, ?, ?)',
                    [(r.topic, r.partition, now_us, _headers(r), r.payload) for r in records],
                )
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            failure = UnavailableError(f"the embedded log does not take records: {error}", hint="disk full?")
            if self._connection.in_transaction:
                try:
                    self._connection.execute("ROLLBACK")
                except sqlite3.Error as second:
                    failure = UnavailableError(f"the embedded log is stuck: {error}; {second}")
        for _records, done in waiting:
            done.get_loop().call_soon_threadsafe(_settle, done, failure)


def _headers(record: Record) -> bytes:
    return orjson.dumps({**record.headers, CHECKSUM: checksum(record.payload)})


def _settle(done: asyncio.Future[None], failure: Exception | None) -> None:
    if done.cancelled():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)


#: What was written so long ago is synced, and can be read.
_SYNCED_NS: Final = 1_000_000_000


class EmbeddedLogReader:
    """Reads one topic. A group has one member here: it gets every partition at the first poll."""

    _IDLE_S = 0.02  # between two looks for new records

    def __init__(self, path: Path, topic: str, partitions: int = 1) -> None:
        """Raises ConfigurationError or UnavailableError when ``path`` cannot be used."""
        self._connection, self.partitions = _open(path, partitions)
        self._written_to = f"{path}-wal"
        self._topic = topic
        self._next: dict[int, int] = {}
        self._assigned = self._told = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedded-log-reader")

    async def start(self) -> None:
        """See LogReader.start. The file was opened when this was made."""

    async def poll(self, max_bytes: int, timeout_s: float) -> Poll:
        """See LogReader.poll. Raises UnavailableError when the file cannot be read."""
        if not self._assigned:
            self._assigned = True
            return Poll(assigned=frozenset(range(self.partitions)))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            before = self._writing()
            records = await loop.run_in_executor(self._thread, self._read, max_bytes)
            if records or loop.time() >= deadline:
                for record in records:
                    self._next[record.partition] = record.offset + 1
                return Poll(records=records)
            while loop.time() < deadline:
                await asyncio.sleep(min(self._IDLE_S, max(0.0, deadline - loop.time())))
                if not self._rests(before):
                    break

    def _writing(self) -> tuple[int, int] | None:
        """What changes when somebody writes: the time and the size of the file that takes what is new. None = not known."""
        try:
            found = os.stat(self._written_to)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _rests(self, before: tuple[int, int] | None) -> bool:
        """Whether nobody has written since ``before``, and not for a while before that. Asked fifty times a second, where a look at
        the records is a thread and a query. What is written is there to be read only when it is synced, a little later, and
        nothing tells when: so just after somebody wrote the records are looked at. Should a sync take longer, the end of the
        poll looks all the same."""
        if before is None or self._writing() != before:
            return False
        return time.time_ns() - before[0] > _SYNCED_NS

    async def seek(self, partition: int, offset: int) -> None:
        """See LogReader.seek."""
        self._next[partition] = offset

    async def identity(self) -> str:
        """See LogReader.identity: given to the file when it is created."""
        return f"embedded:{await self._run(self._identity)}"

    async def former_identity(self) -> str:
        """See LogReader.former_identity: it has not changed."""
        return await self.identity()

    async def end_offsets(self) -> Mapping[int, int]:
        """See LogReader.end_offsets."""
        return await self._run(self._ends)

    async def trim(self, before: Mapping[int, int], older_than_us: int, others_than_us: int = 0) -> int:
        """Delete records below ``before[partition]`` that were appended before ``older_than_us``, and those of every
        other topic that nobody processes and that were appended before ``others_than_us``; returns how many. Space is reused.

        Only what has been processed may be deleted: ``before`` are the committed offsets. Writers get their turn all
        the while. Raises UnavailableError; what was deleted until then is.
        """
        return await self._run(self._trim, before, older_than_us, others_than_us)

    async def close(self) -> None:
        self._thread.shutdown(wait=True)
        self._connection.close()

    async def _run(self, what: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, what, *arguments)
        except sqlite3.Error as error:
            raise UnavailableError(f"the embedded log cannot be used: {error}", hint="disk full?") from error

    def _identity(self) -> str:
        query = "SELECT value FROM log_settings WHERE name = 'identity'"
        return str(self._connection.execute(query).fetchone()[0])

    def _read(self, max_bytes: int) -> list[StoredRecord]:
        """From each partition's place on, in the order of appending: no partition waits behind another's backlog. Where the
        file is damaged, record by record."""
        try:
            try:
                return self._read_together(max_bytes)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                if not self._told:
                    _logger.error("the embedded log is damaged, its records are read one by one: %s", error)
                self._told = True
                return read_each(self._connection, self._topic, self._next, max_bytes)
        except sqlite3.Error as error:
            raise UnavailableError(f"the embedded log cannot be read: {error}") from error

    def _read_together(self, max_bytes: int) -> list[StoredRecord]:
        found: list[StoredRecord] = []
        budget = max_bytes
        waiting: list[sqlite3.Cursor] = []
        try:
            for partition, offset in self._next.items():  # rows are fetched as they are asked for
                waiting.append(
                    self._connection.execute(
                        f'SELECT "offset", "partition", {COLUMNS} FROM records'  # noqa: S608 - constants
                        ' WHERE topic = ? AND "partition" = ? AND "offset" >= ? ORDER BY "offset"',
                        (self._topic, partition, offset),
                    )
                )
            for offset, partition, *values in heapq.merge(*waiting, key=_OFFSET):
                record = stored(self._topic, partition, offset, *values)
                found.append(record)
                budget -= len(record.payload)
                if budget <= 0:
                    break
        except sqlite3.Error as error:
            if not found or not is_damage(error):
                raise  # what was read before it is good, and is read on there next
        finally:  # a statement that is under way would hold its view of the log
            for rows in waiting:
                rows.close()
        return found

    def _ends(self) -> dict[int, int]:
        # One descent of the index each; grouping would walk all of it.
        query = 'SELECT max("offset") + 1 FROM records WHERE topic = ? AND "partition" = ?'
        try:
            return {
                partition: self._connection.execute(query, (self._topic, partition)).fetchone()[0] or 0
                for partition in range(self.partitions)
            }
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return dict.fromkeys(range(self.partitions), end_of(self._connection))

    def _trim(self, before: Mapping[int, int], older_than_us: int, others_than_us: int) -> int:
        deleted = 0
        for partition, offset in before.items():
            where = 'topic = ? AND "partition" = ? AND "offset" < ? AND appended_us < ?'
            deleted += self._delete(where, (self._topic, partition, offset, older_than_us))
        where = "topic NOT IN (?, ?, ?) AND appended_us < ?"
        return deleted + self._delete(where, (self._topic, *_PROCESSED, others_than_us))

    def _delete(self, where: str, values: tuple[object, ...]) -> int:
        """Delete in small transactions: an append must not wait for a whole day's records."""
        deleted = 0
        while True:
            cursor = self._connection.execute(
                f'DELETE FROM records WHERE "offset" IN (SELECT "offset" FROM records WHERE {where}'  # noqa: S608
                f" LIMIT {_TRIMMED_AT_ONCE})",
                values,
            )
            deleted += cursor.rowcount
            if cursor.rowcount < _TRIMMED_AT_ONCE:
                return deleted
