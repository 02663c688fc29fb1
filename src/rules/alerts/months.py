"""Months of judgements and their evidence: partitions are made ahead, and dropped when they ended longer ago than judgements
are kept.

Months are natural months in UTC. A judgement is in the month in which it was made, its evidence too; evidence that an alert
rests on is in ``evidence_of_alerts``, which has no month (``KEPT``) and is never dropped. What was there when months came
(migration 0014) is one partition ``evaluations_before_YYYYMM``, which ends where that month begins. Dates that no month is for,
and months that were not made in time, go to the default partition.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, date, datetime, time
from typing import Final

from runtime.connection import Connection
from runtime.partitions import Partitioned, attach, delete_older, drop, partitions_of
from runtime.units import US_PER_DAY, from_us

_logger = logging.getLogger(__name__)

#: The month of evidence that is kept for ever. asyncpg writes it as 'infinity'.
KEPT: Final = date.max
#: So many months after this one have their partition already: workers may be away for so long.
AHEAD_MONTHS: Final = 2
#: Old rows of default partitions are deleted so many at a time, and so many times.
DELETED_AT_ONCE: Final = 10_000
DELETED_TIMES: Final = 20

_LOCK: Final = 0x676F6E67_6D6F6E73  # "gongmons"
# In this order: a judgement goes before its evidence.
_TABLES: Final = (Partitioned("evaluations", "evaluated_at", _LOCK), Partitioned("evidence", "month", _LOCK))
_NAME: Final = re.compile(r"^[a-z]+_(before_)?([0-9]{4})([0-9]{2})$")


def month_of(us: int) -> date:
    """The first day of the month (UTC) of a time in microseconds since 1970 UTC."""
    return from_us(us).astimezone(UTC).date().replace(day=1)


async def make_months(conn: Connection, now_us: int, keep_days: int) -> list[str]:
    """Make the partitions of this month and the next AHEAD_MONTHS, and of each month within the last ``keep_days`` that has
    rows in the default partition; the names of the new ones.

    Several workers may do it at once. Raises asyncpg.LockNotAvailableError as ``runtime.partitions.attach`` does, and
    RuntimeError in a transaction, whose locks would be held for too long.
    """
    if conn.is_in_transaction():
        raise RuntimeError("partitions are made outside of transactions")
    this, month = month_of(now_us), month_of(now_us - keep_days * US_PER_DAY)
    last = this
    for _ in range(AHEAD_MONTHS):
        last = _after(last)
    made = []
    for of in _TABLES:
        there = await partitions_of(conn, of.table)
        begins = max((end for end in map(_before, there) if end is not None), default=month)
        wanted = max(month, begins)
        while wanted <= last:
            name, span = f"{of.table}_{wanted:%Y%m}", (_start(of, wanted), _start(of, _after(wanted)))
            if name not in there and (wanted >= this or await _waits(conn, of, *span)):
                await attach(conn, of, name, *span)
                made.append(name)
            wanted = _after(wanted)
    return made


async def drop_months(conn: Connection, now_us: int, keep_days: int) -> list[str]:
    """Drop the months that ended more than ``keep_days`` ago; the names dropped. Rows of such months in the default partition
    are deleted, at most DELETED_TIMES * DELETED_AT_ONCE of each table.

    Several workers may do it at once. Raises asyncpg.LockNotAvailableError as ``runtime.partitions.drop`` does.
    """
    limit = month_of(now_us - keep_days * US_PER_DAY)
    dropped = []
    for of in _TABLES:
        for name in await partitions_of(conn, of.table):
            end = _end(name)
            if end is not None and end <= limit and await drop(conn, of, name):
                dropped.append(name)
                _logger.info("partition %s is older than judgements are kept: dropped", name)
        deleted = await delete_older(
            conn, of.default, of.column, _start(of, limit), at_once=DELETED_AT_ONCE, times=DELETED_TIMES
        )
        if deleted:
            _logger.info("%d rows of %s are older than judgements are kept: deleted", deleted, of.default)
    return dropped


async def _waits(conn: Connection, of: Partitioned, start: date, end: date) -> bool:
    """Whether the default partition has rows in [start, end)."""
    return bool(
        await conn.fetchval(
            f"SELECT EXISTS (SELECT FROM {of.default} WHERE {of.column} >= $1 AND {of.column} < $2)",  # noqa: S608 - our own names
            start,
            end,
        )
    )


def _start(of: Partitioned, month: date) -> date:
    """The beginning of ``month`` as a value of the column: a date, or a moment."""
    return datetime.combine(month, time(), UTC) if of.column == "evaluated_at" else month


def _after(month: date) -> date:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _before(name: str) -> date | None:
    """Where the partition of all months before ends; None = it is none of these."""
    found = _NAME.match(name)
    return date(int(found[2]), int(found[3]), 1) if found and found[1] else None


def _end(name: str) -> date | None:
    """Where a partition of a month, or of all months before one, ends; None = it is neither."""
    found = _NAME.match(name)
    if found is None:
        return None
    named = date(int(found[2]), int(found[3]), 1)
    return named if found[1] else _after(named)
