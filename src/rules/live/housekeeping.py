"""Once an hour, between two turns of a worker: what nobody needs any more is dropped.

Each part is tried on its own, again ten minutes later where it failed: an export that holds a day for long keeps nobody
from deleting old records, and nothing here makes a worker drop what it has in memory. Several workers may do it at once.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol, runtime_checkable

import asyncpg

from registry.changes import drop_changes
from registry.orders import count_open
from rules.alerts.months import drop_months, make_months
from rules.faults import is_fault
from rules.live import metrics
from rules.live.late import LATE_LIMIT_US
from rules.live.store.offsets import drop_rejected
from rules.live.store.quarantine import drop_expired
from rules.live.store.states import drop_day_states
from rules.navigation.cache import drop_unused
from runtime.connection import Connection
from runtime.errors import UnavailableError
from runtime.partitions import bytes_of
from runtime.postgres import DATABASE_ERRORS
from runtime.units import US_PER_DAY, US_PER_S
from telemetry.archive.store import Archive
from telemetry.log.base import LogReader

_logger = logging.getLogger(__name__)

#: A part of housekeeping: over a connection, at a time in microseconds since 1970.
Upkeep = Callable[[Any, int], Awaitable[object]]
EVERY_US: Final = 3600 * US_PER_S
#: A part that failed is tried again after so long, and a worker that has started begins after so long.
AGAIN_US: Final = 600 * US_PER_S
#: Orders become overdue by the clock: they are counted so often.
ORDERS_EVERY_US: Final = 300 * US_PER_S
DAY_STATES_US: Final = LATE_LIMIT_US + 31 * US_PER_DAY
#: What is processed stays in the embedded log for so long, for a look back.
KEEP_LOG_US: Final = US_PER_DAY
#: Refused frames are for people to look at; nobody says when they have.
KEEP_REJECTS_US: Final = 7 * US_PER_DAY
#: Records that could not be read are kept for so long.
KEEP_REJECTED_US: Final = 90 * US_PER_DAY
#: Tables that grow with time, whose size is shown (docs/operations.md, "What grows"); with the partition for what no other
#: is for, which must stay small.
GROWING: Final = (
    "positions", "evaluations", "evaluations_default", "evidence", "evidence_default", "evidence_of_alerts", "alerts",
    "alert_versions", "alert_feed", "dispatch_orders", "order_results", "order_track_times", "fuel_transactions", "violations",
    "navigation_routes", "rejected_records", "quarantine", "vehicle_day_states", "judge_due", "changes", "change_commits",
    "live_due", "recomputations", "audit", "audit_default", "cases", "case_events", "case_attachments", "messages",
    "terminal_reports", "terminal_media",
    "trip_requests", "trip_request_events", "trip_dispatches", "trip_dispatch_events",
)  # fmt: skip


@runtime_checkable
class Trimming(Protocol):
    """A log on this machine, whose processed records somebody has to delete (Kafka does it by itself)."""

    async def trim(self, before: Mapping[int, int], older_than_us: int, others_than_us: int = 0) -> int: ...


class Housekeeping:
    """``archive``: the worker's own, which remembers what partitions there are. ``now_us`` is the clock. ``keep_days`` and
    ``keep_judgements_days``: how long positions and judgements are kept. ``upkeep``: parts for tables of other rooms, by name."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        archive: Archive,
        reader: LogReader,
        now_us: Callable[[], int],
        keep_days: int = 400,
        keep_judgements_days: int = 400,
        upkeep: Mapping[str, Upkeep] | None = None,
    ) -> None:
        self._pool, self._archive, self._reader, self._now_us = pool, archive, reader, now_us
        self._keep_days, self._keep_judgements_days = keep_days, keep_judgements_days
        self._parts: dict[str, Upkeep] = {
            "odd_dates_size": self._measure,
            "table_sizes": self._measure_tables,
            "orders": self._count_orders,
            "positions": self._drop_days,
            "judgement_months": self._make_months,
            "judgements": self._drop_judgements,
            "navigation_routes": self._drop_routes,
            "odd_dates": self._tidy_odd_dates,
            "day_states": self._drop_day_states,
            "rejected_records": self._drop_rejected,
            "quarantine": self._drop_set_aside,
            "changes": self._drop_changes,
            **(upkeep or {}),
        }
        self._due_us = dict.fromkeys([*self._parts, "log"], now_us() + AGAIN_US)
        # A gauge that is not there for an hour would hide its growth.
        for part in ("odd_dates_size", "table_sizes", "orders"):
            self._due_us[part] = now_us()
        for part in self._due_us:
            metrics.HOUSEKEEPING_FAILURES.labels(part)

    async def turn(self, offsets: Mapping[int, int]) -> None:
        """Do what is due. ``offsets``: the next offset to process of each partition of the log, as committed."""
        now = self._now_us()
        for part, due_us in self._due_us.items():
            if due_us > now:
                continue
            try:
                if part == "log":
                    await self._trim(offsets, now)
                else:
                    async with self._pool.acquire() as conn:
                        await self._parts[part](conn, now)
                self._due_us[part] = now + (ORDERS_EVERY_US if part == "orders" else EVERY_US)
            except Exception as error:
                # Not even a fault of the program in here is worth the positions that wait: it is shown, and tried again.
                if not (is_fault(error) or isinstance(error, (UnavailableError, *DATABASE_ERRORS))):
                    raise
                self._due_us[part] = now + AGAIN_US
                metrics.HOUSEKEEPING_FAILURES.labels(part).inc()
                _logger.warning(
                    "%s: what is old could not be dropped, trying again in %d minutes: %s: %s",
                    part, AGAIN_US // (60 * US_PER_S), type(error).__name__, error, exc_info=is_fault(error),
                )  # fmt: skip

    async def _drop_days(self, conn: Connection, now_us: int) -> None:
        await self._archive.drop_expired(conn)

    async def _tidy_odd_dates(self, conn: Connection, now_us: int) -> None:
        await self._archive.tidy_odd_dates(conn)

    async def _measure(self, conn: Connection, now_us: int) -> None:
        for partition, size in (await self._archive.odd_bytes(conn)).items():
            metrics.ODD_DATES_BYTES.labels(partition).set(size)

    async def _measure_tables(self, conn: Connection, now_us: int) -> None:
        for table, size in (await bytes_of(conn, GROWING)).items():
            metrics.TABLE_BYTES.labels(table).set(size)

    async def _count_orders(self, conn: Connection, now_us: int) -> None:
        overdue, waiting = await count_open(conn)
        metrics.ORDERS.labels("overdue").set(overdue)
        metrics.ORDERS.labels("backfill_waits").set(waiting)

    async def _make_months(self, conn: Connection, now_us: int) -> None:
        await make_months(conn, now_us, self._keep_judgements_days)

    async def _drop_judgements(self, conn: Connection, now_us: int) -> None:
        await drop_months(conn, now_us, self._keep_judgements_days)

    async def _drop_routes(self, conn: Connection, now_us: int) -> None:
        await drop_unused(conn, now_us - self._keep_days * US_PER_DAY)

    async def _drop_day_states(self, conn: Connection, now_us: int) -> None:
        await drop_day_states(conn, (now_us - DAY_STATES_US) // US_PER_DAY)

    async def _drop_rejected(self, conn: Connection, now_us: int) -> None:
        await drop_rejected(conn, now_us - KEEP_REJECTED_US)

    async def _drop_set_aside(self, conn: Connection, now_us: int) -> None:
        # As long as positions are kept: what was set aside are positions.
        gone = await drop_expired(conn, now_us - self._keep_days * US_PER_DAY)
        if gone.entries:
            metrics.EXPIRED.inc(gone.rows)
            _logger.error(
                "%d parts of records with %d positions were in the quarantine until the end of the retention: deleted",
                gone.entries, gone.rows,
            )  # fmt: skip

    async def _drop_changes(self, conn: Connection, now_us: int) -> None:
        await drop_changes(conn)

    async def _trim(self, offsets: Mapping[int, int], now_us: int) -> None:
        if offsets and isinstance(self._reader, Trimming):
            await self._reader.trim(offsets, now_us - KEEP_LOG_US, now_us - KEEP_REJECTS_US)
