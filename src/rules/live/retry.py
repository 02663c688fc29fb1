"""Between two turns of a worker: what somebody has asked for (`gongche quarantine retry`) is tried again, and what is set aside
is counted for the metrics.

The attempt goes the way of every position: the same transaction, in the worker that has the terminal's partition. In the last of
its transactions what was stored leaves the quarantine, so each position is in one of the two at any time.
"""

from __future__ import annotations

import logging
import time
from typing import Final

import asyncpg

from registry.unreadable import CLOCK_CORRECTION
from rules.live import metrics
from rules.live.isolation import Isolation
from rules.live.ownership import Ownership
from rules.live.pieces import LOG_STAGE, decode_each
from rules.live.store import quarantine, recomputations
from telemetry.archive.clocks import unreadable_clocks
from telemetry.log.base import StoredRecord

_logger = logging.getLogger(__name__)

ASKED_EVERY_S: Final = 1.0
COUNTED_EVERY_S: Final = 10.0
#: Entries looked at for one that is ours.
ENTRIES_AT_ONCE: Final = 1_000


class Retry:
    """One for the life of a worker."""

    def __init__(self, pool: asyncpg.Pool, owners: Ownership, isolation: Isolation) -> None:
        self._pool, self._owners, self._isolation = pool, owners, isolation
        self._asked_at, self._counted_at = -ASKED_EVERY_S, -COUNTED_EVERY_S
        self._clocks_at = -COUNTED_EVERY_S
        self._told: tuple[int, int] = (0, 0)

    async def turn(self) -> bool:
        """Try one entry that somebody asked for; whether there was one. Raises what ``Isolation.again`` raises."""
        now = time.perf_counter()
        if now - self._counted_at >= COUNTED_EVERY_S:
            self._counted_at = now
            await self.count()
        if now - self._asked_at < ASKED_EVERY_S:
            return False
        self._asked_at = now
        async with self._pool.acquire() as conn:
            asked = await quarantine.asked(conn, ENTRIES_AT_ONCE)
            mine = next((id for id, terminal, at in asked if self._owners.owns(terminal, at)), None)
            found = None if mine is None else await quarantine.entry(conn, mine)
        if found is None:
            return False
        entry, payload = found
        # The bytes of a record that the log could not read are no better for being looked at once more.
        damaged = entry.error if entry.stage == LOG_STAGE else ""
        record = StoredRecord(entry.topic, entry.partition, entry.offset, payload, {}, 0, damaged)
        await self._isolation.again(entry, decode_each([record]))
        _logger.info("entry %d of the quarantine was tried again", entry.id)
        self._asked_at = self._counted_at = -COUNTED_EVERY_S  # the next one at once
        return True

    async def count(self) -> None:
        """Set the gauges."""
        now = time.perf_counter()
        async with self._pool.acquire() as conn:
            totals, vehicles = await quarantine.totals(conn), await recomputations.count_failed(conn)
            if (
                now - self._clocks_at >= COUNTED_EVERY_S
            ):  # all clocks are read: not after each entry that is tried again
                self._clocks_at = now
                metrics.UNREADABLE_FACTS.labels(CLOCK_CORRECTION).set(len(await unreadable_clocks(conn)))
        metrics.QUARANTINE_ENTRIES.set(totals.entries)
        metrics.QUARANTINE_ROWS.set(totals.rows)
        metrics.PUT_OFF.set(vehicles)
        told = (totals.entries, vehicles)
        if told != self._told and any(told):
            _logger.warning(
                "in the quarantine: %d parts of records, %d positions; vehicles put off: %d (gongche quarantine list)",
                totals.entries, totals.rows, vehicles,
            )  # fmt: skip
        self._told = told

    @property
    def kept(self) -> tuple[int, int]:
        """(Parts of records that are set aside, vehicles that are put off), as last counted."""
        return self._told
