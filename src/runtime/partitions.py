"""Partitions of a table by ranges of a column: how one is made and dropped while others work. Which there should be, the
owner of the table decides (``telemetry.archive.partitions``: days of positions; ``rules.alerts.months``: months of judgements).

Every partitioned table ``T`` has a partition ``T_default`` for what no other is for. A new partition is attached against it:
PostgreSQL reads all of it, under a lock that shuts out everybody. So it must stay small, and whoever makes a partition waits at
most ``LOCK_TIMEOUT`` for that lock: as long as he waits, all others wait behind him.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from runtime.connection import Connection, affected

LOCK_TIMEOUT: Final = "2s"


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A table that is partitioned by ranges of ``column``. ``lock``: number of the advisory lock that is held by whoever
    makes or drops one of its partitions."""

    table: str
    column: str
    lock: int

    @property
    def default(self) -> str:
        """The partition of rows that no other is for."""
        return f"{self.table}_default"


async def partitions_of(conn: Connection, table: str) -> list[str]:
    """Names of the partitions of ``table``, sorted."""
    # Read from the catalogue itself: to_regclass may still say what was true before we waited for an advisory lock.
    rows = await conn.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = $1::text::regclass ORDER BY 1",
        table,
    )
    return [r["relname"] for r in rows]


async def attach(
    conn: Connection,
    of: Partitioned,
    name: str,
    start: date | datetime,
    end: date | datetime,
    most_moved: int | None = None,
) -> bool:
    """The partition ``name`` of [``start``, ``end``) is there (True); its rows in the default partition move to it. Or it has
    to wait (False): more than ``most_moved`` rows (None = any number) would move.

    ``start`` and ``end`` are of the type of the column. Several processes may do it at once. Raises
    asyncpg.LockNotAvailableError when somebody holds the default partition for longer than LOCK_TIMEOUT.
    """
    inside = f"{of.column} >= $1 AND {of.column} < $2"
    async with conn.transaction():
        # One after another, before any other lock: processes that make the same partition cannot deadlock.
        await conn.execute("SELECT pg_advisory_xact_lock($1)", of.lock)
        if name in await partitions_of(conn, of.table):
            return True
        if most_moved is not None:  # counted before anybody has to wait for us
            waiting = await conn.fetchval(
                f"SELECT count(*) FROM (SELECT FROM {of.default} WHERE {inside} LIMIT $3) few",  # noqa: S608 - our own names
                start,
                end,
                most_moved + 1,
            )
            if waiting > most_moved:
                return False
        await conn.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        await conn.execute(f"LOCK TABLE {of.default} IN ACCESS EXCLUSIVE MODE")
        await conn.execute(
            f"CREATE TABLE {name} (LIKE {of.table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)"
        )
        await conn.execute(
            f"WITH moved AS (DELETE FROM {of.default} WHERE {inside} RETURNING *)"  # noqa: S608 - our own names
            f" INSERT INTO {name} SELECT * FROM moved",
            start,
            end,
        )
        # ATTACH, not CREATE ... PARTITION OF: it leaves the other partitions writable meanwhile.
        await conn.execute(
            f"ALTER TABLE {of.table} ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
        )
    return True


async def drop(conn: Connection, of: Partitioned, name: str) -> bool:
    """Drop the partition ``name``; whether it was there. Several processes may do it at once: one of them drops it.

    Raises asyncpg.LockNotAvailableError when readers hold the table for longer than LOCK_TIMEOUT (try again later).
    """
    async with conn.transaction():
        # Without a timeout: nobody waits behind us here, and whoever holds this lock waits for a table no longer than
        # LOCK_TIMEOUT. Several droppers in a row, or one large partition, can take longer than that: it is no failure.
        await conn.execute("SELECT pg_advisory_xact_lock($1)", of.lock)
        if name not in await partitions_of(conn, of.table):
            return False
        await conn.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        await conn.execute(f"DROP TABLE IF EXISTS {name}")
    return True


async def delete_older(
    conn: Connection, table: str, column: str, before: date | datetime, *, at_once: int, times: int
) -> int:
    """Delete rows of ``table`` (one that is not partitioned) whose ``column`` is before ``before``, ``at_once`` in a statement
    and at most ``times`` of them; how many were deleted. The rest is for the next time."""
    deleted = 0
    for _ in range(times):
        done = await conn.execute(
            f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table}"  # noqa: S608 - our own names
            f" WHERE {column} < $1 LIMIT $2))",
            before,
            at_once,
        )
        count = affected(done)
        deleted += count
        if count < at_once:
            break
    return deleted


async def bytes_of(conn: Connection, tables: Iterable[str]) -> dict[str, int]:
    """What each table takes on disk, with its indexes and all its partitions. Space of deleted rows is used again, not given
    back."""
    rows = await conn.fetch(
        # The tree of a table without partitions has no rows.
        "SELECT n.name, COALESCE((SELECT sum(pg_total_relation_size(t.relid)) FROM pg_partition_tree(n.name::regclass) t),"
        " pg_total_relation_size(n.name::regclass))::bigint AS size FROM unnest($1::text[]) AS n (name)",
        list(tables),
    )
    return {r["name"]: r["size"] for r in rows}
