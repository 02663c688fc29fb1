"""How much a bot takes: a token bucket for each, kept in the database. All SQL of ``message_budgets``.

A process that was killed, a second one, a second channel with the same bot: together they send no more than one would.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

from runtime.connection import Connection

#: A bucket that nobody took from for so long is full: its row is not needed.
_FULL_AFTER: Final = timedelta(hours=1)


def key_of(address: str) -> bytes:
    """What the bucket of a bot is found by. The address has more than a hundred random bits: its hash tells nothing."""
    return hashlib.sha256(address.encode()).digest()


def left(tokens: float, passed_s: float, per_min: float, burst: float) -> float:
    """How many there are after ``passed_s`` seconds. A clock that was set back takes none away."""
    return min(burst, tokens + max(0.0, passed_s) * per_min / 60)


def wait_s(tokens: float, per_min: float) -> float:
    """Seconds until there is a whole one; 0 = now."""
    return 0.0 if tokens >= 1 else (1 - tokens) * 60 / per_min


async def take(connection: Connection, key: bytes, per_min: float, burst: float) -> float:
    """Take one; seconds to wait when there is none, and then none is taken. In a transaction of the caller."""
    row = await connection.fetchrow(
        "INSERT INTO message_budgets AS b (key, tokens, at) VALUES ($1, $2, clock_timestamp())"
        " ON CONFLICT (key) DO UPDATE SET key = b.key RETURNING tokens, at, clock_timestamp() AS now",
        key,
        burst,
    )
    now: datetime = row["now"]
    tokens = left(row["tokens"], (now - row["at"]).total_seconds(), per_min, burst)
    pause = wait_s(tokens, per_min)
    if pause == 0:
        await connection.execute(
            "UPDATE message_budgets SET tokens = $2, at = GREATEST(at, $3) WHERE key = $1",
            key,
            tokens - 1,
            now,
        )
    return pause


async def be_silent(connection: Connection, key: bytes, seconds: float) -> None:
    """The bot said that it was too much: nothing for ``seconds``, from any channel."""
    await connection.execute(
        "UPDATE message_budgets SET tokens = 0, at = GREATEST(at, clock_timestamp() + make_interval(secs => $2)) WHERE key = $1",
        key,
        seconds,
    )


async def clean(connection: Connection) -> None:
    """Forget the buckets that are full."""
    await connection.execute(
        "DELETE FROM message_budgets WHERE at < clock_timestamp() - $1::interval", _FULL_AFTER
    )
