"""A short version of ``python -m tests.faults.commands``; and the API, falling between every two steps of a request."""

from __future__ import annotations

import asyncpg

from telemetry.commands import asking
from telemetry.commands.asking import Asked, Who
from telemetry.commands.kinds import KINDS
from tests.faults.commands import FALLS, Fall, FallingPool, KilledError, sweep
from tests.integration.command_site import office


async def test_nothing_is_sent_twice_that_must_not_be_and_nothing_is_lost(
    pool: asyncpg.Pool, db_url: str
) -> None:
    async with office(pool, db_url) as site:
        count, wrong = await sweep(site, db_url, ["lock", "text"], 17, FALLS[:2])
        assert wrong == []
        assert count >= 4


async def test_a_request_that_falls_anywhere_is_asked_again(pool: asyncpg.Pool, db_url: str) -> None:
    """By the same key: there is one command in the end, whatever was lost."""
    who = Who("user:li", "li", frozenset({"user:li"}))
    async with office(pool, db_url):
        for after in (False, True):
            for at in range(20):
                asked = Asked("car-1", "text", {"text": "x"}, "a reason", f"{at}-{after}", KINDS["text"].life)
                fall = Fall(at, after, kill=True)
                try:
                    async with FallingPool(pool, fall).acquire() as connection, connection.transaction():
                        await asking.ask(connection, asked, who)
                except KilledError:
                    pass
                async with pool.acquire() as connection, connection.transaction():
                    made, _ = await asking.ask(connection, asked, who)
                    events = await asking.thread_of(connection, made["no"])
                assert [event["step"] for event in events] == ["asked"]
                assert (
                    await pool.fetchval("SELECT count(*) FROM terminal_commands WHERE key = $1", asked.key)
                    == 1
                )
                if not fall.fell:
                    break
            assert not fall.fell
