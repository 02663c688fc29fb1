"""Tries that are counted while somebody comes in: they wait for each other in one order, or PostgreSQL ends one of them."""

from __future__ import annotations

import asyncio
from functools import partial

import asyncpg
import pytest

from office.identity.lockout import charge, forgive, keys_of
from runtime.postgres import connect
from tests.waiting import until


def login_whose_key_is(*, first: bool) -> str:
    """A login whose key sorts before (``first``) or after the key of the address."""
    for n in range(1000):
        user, address = keys_of(f"u{n}", "10.0.0.1")
        if (user < address) is first:
            return f"u{n}"
    raise AssertionError


async def so_many_wait(db: asyncpg.Pool, n: int) -> bool:
    waiting: int = await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return waiting == n


@pytest.mark.parametrize("first", [True, False])
async def test_a_try_and_a_success_at_the_same_moment_both_end(
    pool: asyncpg.Pool, db_url: str, first: bool
) -> None:
    keys = keys_of(login_whose_key_is(first=first), "10.0.0.1")
    a, b, holder = [await connect(db_url) for _ in range(3)]

    async def come_in() -> None:
        async with b.transaction():
            await forgive(b, keys)

    try:
        await charge(a, keys)
        async with holder.transaction():  # both begin, and stand at the first row
            await holder.execute("SELECT FROM login_failures FOR UPDATE")
            work = []
            for n, step in enumerate((charge(a, keys), come_in()), 1):
                work.append(asyncio.ensure_future(step))
                await until(partial(so_many_wait, pool, n), f"{n} wait")
        await asyncio.gather(*work)
    finally:
        for connection in (a, b, holder):
            await connection.close()
    left = {row["key"]: row["failures"] for row in await pool.fetch("SELECT * FROM login_failures")}
    _, address = keys
    assert left == {address: 1}  # two tries, one of which was right
