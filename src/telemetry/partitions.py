"""Day partitions of the table ``positions``.

Which days get one: those from ``PAST_DAYS`` (or the retention, if shorter) before today to ``FUTURE_DAYS``
after it, in UTC. Whatever else a terminal says about the date goes to ``positions_default``: however wrong
its clock, there are never more than ``PAST_DAYS + FUTURE_DAYS + 1`` partitions within reach of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import asyncpg
import numpy as np

from telemetry.positions import PositionBatch
from telemetry.units import US_PER_DAY

_logger = logging.getLogger(__name__)

PAST_DAYS: Final = 400
FUTURE_DAYS: Final = 2
#: Rows that wait in the default partition are moved to a new one; a day with more of them stays there.
MOST_MOVED: Final = 1_000_000

_LOCK: Final = 0x676F6E67_64617973  # "gongdays"
_RETRY_US: Final = 600 * 1_000_000
_DAY_ZERO = date(1970, 1, 1)


def clock_us() -> int:
    """Now, microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def days_of(batch: PositionBatch) -> list[int]:
    """The UTC days (since 1970) of the device times of ``batch``, distinct, sorted."""
    days: list[int] = np.unique(batch.device_us // US_PER_DAY).tolist()
    return days


class Partitions:
    """Makes and drops day partitions. One object per process; ``now_us`` is the clock."""

    def __init__(self, retention_days: int, now_us: Callable[[], int] = clock_us) -> None:
        self._retention_days = retention_days
        self._now_us = now_us
        self._there: set[int] = set()
        self._postponed: dict[int, int] = {}

    async def ensure(self, conn: Any, days: Iterable[int] = ()) -> None:
        """Make the partitions of ``days`` (UTC days since 1970) and of today and tomorrow that are missing.

        Rows of such a day that are in the default partition already move to the new one. A day that cannot
        get its partition now (somebody reads or writes the default one for longer than 2 s, or too many rows
        would move) stays in the default partition, which is correct, only slower, and is tried again ten
        minutes later. Several workers may do this at once. Raises RuntimeError inside a transaction: making
        partitions takes locks that must not be held while a batch is stored.
        """
        now = self._now_us()
        today = now // US_PER_DAY
        oldest = today - min(PAST_DAYS, self._retention_days)
        wanted = {today, today + 1, *(d for d in days if oldest <= d <= today + FUTURE_DAYS)}
        missing = {d for d in wanted - self._there if self._postponed.get(d, now) <= now}
        if not missing:
            return
        if conn.is_in_transaction():
            raise RuntimeError("partitions are made before the transaction, not in it")
        for day in sorted(missing):
            try:
                made = await self._make(conn, day)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                made = False
            if made:
                self._there.add(day)
                self._postponed.pop(day, None)
            else:
                self._postponed[day] = now + _RETRY_US

    async def drop_expired(self, conn: Any) -> list[str]:
        """Drop the day partitions that ended more than the retention ago, oldest first; the names dropped.

        Rows of the default partition are left alone. Several workers may do this at once: each day is dropped by one.
        Raises asyncpg.LockNotAvailableError when readers hold the table for longer than 2 s (try again later): so many
        seconds all others wait behind us, so we do not go on to the next day.
        """
        last = self._now_us() // US_PER_DAY - self._retention_days - 1
        names = await conn.fetch(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'positions'::regclass AND c.relname ~ '^positions_[0-9]{8}$' ORDER BY 1"
        )
        dropped = []
        for name in [r["relname"] for r in names if r["relname"] <= _name(last)]:
            async with conn.transaction():
                await conn.execute("SET LOCAL lock_timeout = '2s'")
                await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
                there = await conn.fetchval("SELECT to_regclass($1) IS NOT NULL", name)
                await conn.execute(f"DROP TABLE IF EXISTS {name}")
            if there:
                dropped.append(name)
                _logger.info("partition %s is older than the retention: dropped", name)
            self._there = {d for d in self._there if _name(d) != name}
        return dropped

    async def _make(self, conn: Any, day: int) -> bool:
        """The partition of ``day`` is there (True), or has to wait (False)."""
        name = _name(day)
        start = datetime.combine(_date(day), datetime.min.time(), UTC)
        bounds = f"FROM ('{start.isoformat()}') TO ('{(start + timedelta(days=1)).isoformat()}')"
        async with conn.transaction():
            # One after another, before any other lock: workers that make the same day cannot deadlock.
            await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if await conn.fetchval("SELECT to_regclass($1) IS NOT NULL", name):
                return True
            await conn.execute("SET LOCAL lock_timeout = '2s'")
            await conn.execute("LOCK TABLE positions_default IN ACCESS EXCLUSIVE MODE")
            span = (start, start + timedelta(days=1), MOST_MOVED + 1)
            waiting = await conn.fetchval(
                "SELECT count(*) FROM (SELECT FROM positions_default"
                " WHERE device_time >= $1 AND device_time < $2 LIMIT $3) few",
                *span,
            )
            if waiting > MOST_MOVED:
                return False
            await conn.execute(
                f"CREATE TABLE {name} (LIKE positions INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)"
            )
            if waiting:
                await conn.execute(
                    "WITH moved AS (DELETE FROM positions_default WHERE device_time >= $1 AND device_time < $2"  # noqa: S608 - our own name
                    f" RETURNING *) INSERT INTO {name} SELECT * FROM moved",
                    *span[:2],
                )
            # ATTACH, not CREATE ... PARTITION OF: it leaves the other partitions writable meanwhile.
            await conn.execute(f"ALTER TABLE positions ATTACH PARTITION {name} FOR VALUES {bounds}")
        return True


def _date(day: int) -> date:
    return _DAY_ZERO + timedelta(days=day)


def _name(day: int) -> str:
    return f"positions_{_date(day):%Y%m%d}"
