"""Day partitions of the table ``positions``.

Which days get one: those from ``PAST_DAYS`` (or the retention, if shorter) before today to ``FUTURE_DAYS``
after it, in UTC. Whatever else a terminal says about the date goes to one of two others (``ODD``): dates before
2020 (clocks that were never set) to ``positions_before_2020``, the rest to ``positions_default``. However wrong
a clock, there are never more than ``PAST_DAYS + FUTURE_DAYS + 1`` partitions within reach of it.

A new day is attached against ``positions_default``, which PostgreSQL reads for it from end to end under a lock
that shuts out everybody; so that one must stay small. Rows in ``ODD`` have no date to count the retention from:
they go when they were *received* longer ago.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final

import asyncpg
import numpy as np

from runtime.connection import Connection
from runtime.partitions import Partitioned, attach, bytes_of, delete_older, drop, partitions_of
from runtime.units import US_PER_DAY, from_us
from telemetry.positions import PositionBatch

_logger = logging.getLogger(__name__)

PAST_DAYS: Final = 400
FUTURE_DAYS: Final = 2
#: Partitions of dates that no day partition is for.
ODD: Final = ("positions_before_2020", "positions_default")
#: Rows that wait in the default partition are moved to a new one before a batch is stored; for a day with more of them
#: storing does not wait, ``move_waiting`` does it.
MOST_MOVED: Final = 100_000
#: Old rows in ``ODD`` are deleted so many at a time, and so many times: a few seconds, once an hour.
DELETED_AT_ONCE: Final = 10_000
DELETED_TIMES: Final = 20

#: The table, and the lock of whoever makes or drops one of its partitions.
POSITIONS: Final = Partitioned("positions", "device_time", 0x676F6E67_64617973)  # "gongdays"
_OF_DAY: Final = re.compile(r"^positions_[0-9]{8}$")
_RETRY_US: Final = 600 * 1_000_000
_DAY_ZERO = date(1970, 1, 1)
#: The first day that can have a partition (migration 0009). The clock of a server may be wrong too.
_FIRST_DAY: Final = (date(2020, 1, 1) - _DAY_ZERO).days


async def hold_days(conn: Connection) -> None:
    """Keep every day where it is until the transaction ends: the first statement of one that reads positions in one snapshot. A
    partition that goes is gone at once also for a snapshot that was taken before."""
    await conn.execute(f"LOCK TABLE ONLY {POSITIONS.table} IN ACCESS SHARE MODE")


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

    async def ensure(self, conn: Connection, days: Iterable[int] = ()) -> None:
        """Make the partitions of ``days`` (UTC days since 1970) and of today and tomorrow that are missing.

        Rows of such a day that are in the default partition already move to the new one. A day that cannot
        get its partition now (somebody reads or writes the default one for longer than 2 s, or more than
        ``MOST_MOVED`` rows would move) stays in the default partition, which is correct, only slower, and is tried
        again ten minutes later; so do the other days of a call in which somebody held it. Several workers may do this at once. Raises RuntimeError inside a transaction: making
        partitions takes locks that must not be held while a batch is stored.
        """
        now = self._now_us()
        today = now // US_PER_DAY
        reach = self._reach(today)
        wanted = {d for d in (today, today + 1, *days) if d in reach}
        missing = {d for d in wanted - self._there if self._postponed.get(d, now) <= now}
        if not missing:
            return
        if conn.is_in_transaction():
            raise RuntimeError("partitions are made before the transaction, not in it")
        held = False
        # Today's first. Each needs the same lock: who holds it for long must not be waited for once a day of a terminal's.
        for day in sorted(missing, key=lambda day: (abs(day - today), day)):
            try:
                made = not held and await self._make(conn, day, MOST_MOVED)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                held, made = True, False
            if made:
                self._there.add(day)
                self._postponed.pop(day, None)
            else:
                self._postponed[day] = now + _RETRY_US

    def first_kept(self) -> int:
        """The first day (UTC, since 1970) that the retention keeps."""
        return self._now_us() // US_PER_DAY - self._retention_days

    async def drop_expired(self, conn: Connection) -> list[str]:
        """Drop the day partitions that ended more than the retention ago, oldest first; the names dropped.

        Rows of other partitions are left alone. Several workers may do this at once: each day is dropped by one.
        Raises asyncpg.LockNotAvailableError when readers hold the table for longer than 2 s (try again later): so many
        seconds all others wait behind us, so we do not go on to the next day.
        """
        last = self.first_kept() - 1
        dropped = []
        for name in await partitions_of(conn, POSITIONS.table):
            if not _OF_DAY.match(name) or name > _name(last):
                continue
            if await drop(conn, POSITIONS, name):
                dropped.append(name)
                _logger.info("partition %s is older than the retention: dropped", name)
            self._there = {d for d in self._there if _name(d) != name}
        return dropped

    async def delete_odd(self, conn: Connection) -> int:
        """Delete rows of ``ODD`` that were received longer ago than the retention; how many. A few seconds' worth at
        most: the rest is for the next time."""
        limit = from_us(self._now_us() - self._retention_days * US_PER_DAY)
        deleted = 0
        for name in ODD:
            deleted += await delete_older(
                conn, name, "received_at", limit, at_once=DELETED_AT_ONCE, times=DELETED_TIMES
            )
        if deleted:
            _logger.info("%d positions of odd dates were received before the retention: deleted", deleted)
        return deleted

    async def move_waiting(self, conn: Connection) -> list[str]:
        """Make the partitions of all days within reach that have rows in the default one, however many; their names.

        Raises asyncpg.LockNotAvailableError as ``drop_expired`` does. Whoever needs the default partition meanwhile
        waits, the longer the more rows move; that is why ``ensure`` leaves it to us.
        """
        reach = self._reach(self._now_us() // US_PER_DAY)
        rows = await conn.fetch(
            "SELECT (device_time AT TIME ZONE 'UTC')::date AS day, count(*) FROM positions_default"
            " WHERE device_time >= $1 AND device_time < $2 GROUP BY 1 ORDER BY 1",
            from_us(reach.start * US_PER_DAY),
            from_us(reach.stop * US_PER_DAY),
        )
        made = []
        for row in rows:
            day = (row["day"] - _DAY_ZERO).days
            _logger.info("%d positions move to their partition %s", row["count"], _name(day))
            await self._make(conn, day, None)
            self._there.add(day)
            self._postponed.pop(day, None)
            made.append(_name(day))
        return made

    async def odd_bytes(self, conn: Connection) -> dict[str, int]:
        """What the partitions of ``ODD`` take on disk, indexes included. Space of deleted rows is used again, not given
        back."""
        return await bytes_of(conn, ODD)

    def _reach(self, today: int) -> range:
        """The days that may have a partition."""
        return range(max(_FIRST_DAY, today - min(PAST_DAYS, self._retention_days)), today + FUTURE_DAYS + 1)

    async def _make(self, conn: Connection, day: int, most_moved: int | None) -> bool:
        """The partition of ``day`` is there (True), or has to wait (False): more than ``most_moved`` rows would move."""
        name = _name(day)
        start = datetime.combine(_date(day), datetime.min.time(), UTC)
        return await attach(conn, POSITIONS, name, start, start + timedelta(days=1), most_moved)


def day_of_partition(name: str) -> int | None:
    """The UTC day (since 1970) that the partition ``name`` is of; None: it is of no day."""
    if not _OF_DAY.match(name):
        return None
    return (datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC).date() - _DAY_ZERO).days


def _date(day: int) -> date:
    return _DAY_ZERO + timedelta(days=day)


def _name(day: int) -> str:
    return f"positions_{_date(day):%Y%m%d}"
