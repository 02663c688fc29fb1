"""What was set aside (table ``quarantine``): positions, or whole records, that a fault of the program kept from being stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from runtime.connection import Connection
from runtime.metrics import program_version
from runtime.units import from_us


@dataclass(frozen=True, slots=True, eq=False)
class SetAside:
    """Something to be set aside. ``topic`` names the log, ``offset`` the record that it came in. ``terminal`` and ``rows``:
    None where the record could not be decoded. ``payload``: bytes of a record of the log, with these positions alone."""

    topic: str
    partition: int
    offset: int
    terminal: int | None
    rows: int | None
    stage: str
    error: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table without its payload. ``phone``: the terminal's, None where it is not known."""

    id: int
    topic: str
    partition: int
    offset: int
    terminal: int | None
    phone: str | None
    rows: int | None
    stage: str
    error: str
    payload_bytes: int
    program: str
    set_aside_at: datetime
    attempts: int
    tried_at: datetime
    asked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Totals:
    """How much is set aside: entries, and the positions in them that are known."""

    entries: int
    rows: int


async def add(conn: Connection, aside: Sequence[SetAside], at_us: int, *, attempts: int = 1) -> None:
    """Put ``aside`` down, in the transaction that moves the offset past them."""
    if aside:
        await conn.executemany(
            'INSERT INTO quarantine (topic, partition, "offset", terminal_no, rows, stage, error, payload, program,'
            " set_aside_at, attempts, tried_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10)",
            [
                (
                    one.topic, one.partition, one.offset, one.terminal, one.rows, one.stage, one.error, one.payload,
                    program_version(), from_us(at_us), attempts,
                )
                for one in aside
            ],
        )  # fmt: skip


_ENTRY: Final = (
    'SELECT q.id, q.topic, q.partition, q."offset", q.terminal_no AS terminal, t.phone, q.rows, q.stage, q.error,'
    " octet_length(q.payload) AS payload_bytes, q.program, q.set_aside_at, q.attempts, q.tried_at, q.asked_at"
    " FROM quarantine q LEFT JOIN terminals t ON t.no = q.terminal_no"
)


async def entries(conn: Connection, limit: int, after: int = 0) -> list[Entry]:
    """At most ``limit`` of what is set aside, by id, from the first one after the id ``after``."""
    rows = await conn.fetch(f"{_ENTRY} WHERE q.id > $1 ORDER BY q.id LIMIT $2", after, limit)
    return [Entry(**row) for row in rows]


async def entry(conn: Connection, id: int) -> tuple[Entry, bytes] | None:
    """One of them with its payload; None = it is not there (any more)."""
    row = await conn.fetchrow(f"{_ENTRY} WHERE q.id = $1", id)
    if row is None:
        return None
    payload: bytes = await conn.fetchval("SELECT payload FROM quarantine WHERE id = $1", id)
    return Entry(**row), payload


async def ask(conn: Connection, ids: Sequence[int] | None) -> list[int]:
    """Ask for another attempt at ``ids`` (None = all there are); the ids that are there."""
    rows = await conn.fetch(
        "UPDATE quarantine SET asked_at = now() WHERE $1::bigint[] IS NULL OR id = ANY($1) RETURNING id",
        None if ids is None else list(ids),
    )
    return sorted(row["id"] for row in rows)


async def asked(conn: Connection, limit: int) -> list[tuple[int, int | None, int]]:
    """(id, terminal, partition) of what waits for another attempt, the first asked for first."""
    rows = await conn.fetch(
        "SELECT id, terminal_no, partition FROM quarantine WHERE asked_at IS NOT NULL ORDER BY asked_at, id LIMIT $1",
        limit,
    )
    return [(row["id"], row["terminal_no"], row["partition"]) for row in rows]


async def settle(conn: Connection, tried: Entry, left: Sequence[SetAside], at_us: int) -> None:
    """After another attempt at ``tried``, in its last transaction: only what is ``left`` of it stays, the first part under its
    id."""
    if not left:
        await conn.execute("DELETE FROM quarantine WHERE id = $1", tried.id)
        return
    first, *others = left
    await conn.execute(
        "UPDATE quarantine SET terminal_no = $2, rows = $3, stage = $4, error = $5, payload = $6, program = $7,"
        " attempts = attempts + 1, tried_at = $8, asked_at = NULL WHERE id = $1",
        tried.id, first.terminal, first.rows, first.stage, first.error, first.payload, program_version(), from_us(at_us),
    )  # fmt: skip
    await add(conn, others, at_us, attempts=tried.attempts + 1)


async def totals(conn: Connection) -> Totals:
    """How much is set aside."""
    row = await conn.fetchrow(
        "SELECT count(*) AS entries, COALESCE(sum(rows), 0)::bigint AS rows FROM quarantine"
    )
    return Totals(row["entries"], row["rows"])


async def count(conn: Connection, most: int) -> int:
    """How many entries there are; of more than ``most``, one more than that."""
    return int(
        await conn.fetchval("SELECT count(*) FROM (SELECT FROM quarantine ORDER BY id LIMIT $1) f", most + 1)
    )


async def drop_expired(conn: Connection, before_us: int) -> Totals:
    """Delete what was set aside before ``before_us``: had it been stored, it would be gone by now. How much that was."""
    rows: list[Any] = await conn.fetch(
        "DELETE FROM quarantine WHERE set_aside_at < $1 RETURNING rows", from_us(before_us)
    )
    return Totals(len(rows), sum(row["rows"] or 0 for row in rows))


async def rename(conn: Connection, former: str, topic: str) -> None:
    """The log that was called ``former`` is called ``topic`` from now on."""
    await conn.execute("UPDATE quarantine SET topic = $2 WHERE topic = $1", former, topic)
