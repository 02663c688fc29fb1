"""What waits in the outbox of changes and in the lists of its readers, for tests."""

from __future__ import annotations

import asyncpg

from registry.changes import count_unread, read_changes, save_place, take_place, unread
from rules.live.store import due
from runtime.connection import Connection


async def due_rows(pool: asyncpg.Pool) -> int:
    """Rows of ``live_due``, those among them that the outbox still holds for the live workers."""
    async with pool.acquire() as conn:
        while await unread(conn, due.READER):
            await due.spread(conn)
        return int(await conn.fetchval("SELECT count(*) FROM live_due"))


async def forget_changes(pool: asyncpg.Pool, reader: str = "judge") -> list[tuple[str, str]]:
    """(kind, subject) of what ``reader`` has not read; its place is after them now."""
    async with pool.acquire() as conn, conn.transaction():
        place = await take_place(conn, reader)
        assert place is not None
        changes = await read_changes(conn, place, 1_000_000)
        if changes:
            await save_place(conn, reader, changes[-1].place)
        return [(c.kind, c.subject) for c in changes]


async def unread_by_judge(conn: Connection) -> int:
    """How many changes the judge has not read."""
    return await count_unread(conn, "judge")
