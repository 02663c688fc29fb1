"""The history of positions, writing: each position is stored once. Reading is in ``read``; both are all SQL of the table.

Identity of a position: (terminal, device time, fingerprint of the payload); of equal ones the first wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime import pgcopy
from runtime.arrays import AnyInts, Bools, Ints
from runtime.connection import Connection, sql_time
from runtime.units import from_us
from telemetry.archive.cold import catalogue
from telemetry.archive.cold.known import newer_of, newest_in_files, stored_in_files
from telemetry.archive.columns import NAMES, copy_stream
from telemetry.archive.newest import NewestPositions
from telemetry.archive.partitions import Partitions, clock_us, days_of
from telemetry.archive.read import FAR_PAST_US, PositionReader, recent_us
from telemetry.positions import PositionBatch, fingerprint
from telemetry.quality import Quality, assess


@dataclass(frozen=True, slots=True, eq=False)
class StoreResult:
    """What ``Archive.store`` did with each row of a batch; arrays of shape (n,) in the order of the batch.

    ``new``: bool, the row was stored; the others (``duplicates`` of them) are there already. ``fingerprint``
    int64, ``quality`` int16 (telemetry.quality). ``late``: bool, new, with a usable device time, and *before*
    what this terminal already had when the batch came, in the order (device time, fingerprint): results that
    rest on that order must be computed again.
    """

    new: Bools
    late: Bools
    fingerprint: Ints
    quality: NDArray[np.int16]
    duplicates: int


__all__ = ["Archive", "StoreResult", "days_of"]


class Archive(PositionReader):
    """Stores batches of positions, each position once; and reads them, as PositionReader does.

    It remembers, per terminal, the newest device time stored and the fingerprints of that second
    (``NewestPositions``), so that the usual row, newer than all before, needs no look-up. What it remembers
    includes what the current transaction stored: after a rollback call ``forget()``, and
    ``forget(terminals)`` when other workers may have stored for them. At any time a terminal has one writer
    (partition by terminal); should there be two all the same, the primary key refuses the second: ``store``
    raises asyncpg.UniqueViolationError, and after rollback and ``forget()`` the same batch is stored
    correctly.
    """

    def __init__(self, *, retention_days: int = 400, now_us: Callable[[], int] = clock_us) -> None:
        self._newest = NewestPositions()
        self._partitions = Partitions(retention_days, now_us)

    def forget(self, terminals: Iterable[int] | None = None) -> None:
        """Forget what is remembered of ``terminals`` (None = of all); it is read again when they are next
        seen."""
        self._newest.forget(None if terminals is None else np.fromiter(terminals, np.int32))

    async def ensure_partitions(self, conn: Connection, days: Iterable[int] = ()) -> None:
        """Make the day partitions that rows of ``days`` (UTC days since 1970) should go to, and those of the
        next days; *before* the transaction that stores the rows (RuntimeError inside one). See
        ``Partitions.ensure``."""
        await self._partitions.ensure(conn, days)

    async def drop_expired(self, conn: Connection) -> list[str]:
        """Drop the partitions older than the retention, and end the files of such days; the names of both. See
        ``Partitions.drop_expired``."""
        files = await catalogue.discard_before(conn, self._partitions.first_kept())
        return [*await self._partitions.drop_expired(conn), *files]

    async def tidy_odd_dates(self, conn: Connection) -> None:
        """Rows of dates that no day partition is for: those whose day has got one now move there, those received longer
        ago than the retention are deleted. See ``Partitions.delete_odd`` and ``move_waiting``."""
        await self._partitions.delete_odd(conn)
        await self._partitions.move_waiting(conn)

    async def odd_bytes(self, conn: Connection) -> dict[str, int]:
        """Disk space of each partition of such rows. See ``Partitions.odd_bytes``."""
        return await self._partitions.odd_bytes(conn)

    async def store(self, conn: Connection, batch: PositionBatch) -> StoreResult:
        """Store the rows of ``batch`` that are not there yet, in the caller's transaction.

        A device time of 0, or one that is no date, is an unreadable time: such rows are stored at 1970-01-01.
        """
        prints, quality = fingerprint(batch), assess(batch)
        device = batch.device_us
        impossible = (device < 0) | (device >= pgcopy.MAX_TIME_US)
        if impossible.any():
            device = np.where(impossible, 0, device)
            quality[impossible] = (quality[impossible] | Quality.TIME_UNREADABLE) & ~Quality.TIME_AHEAD
        if not len(batch):
            return StoreResult(np.zeros(0, bool), np.zeros(0, bool), prints, quality, 0)
        terminals, owner = np.unique(batch.terminal, return_inverse=True)
        await self._learn(conn, self._newest.unknown(terminals))
        slots = self._newest.slots(terminals)[owner]
        usable = (quality & (Quality.TIME_AHEAD | Quality.TIME_UNREADABLE)) == 0
        before = self._newest.before(slots, device, prints)
        there = np.zeros(len(batch), bool)
        asked = np.flatnonzero(self._newest.uncertain(slots, device))
        if asked.size:
            there[asked[await self._stored(conn, batch.terminal[asked], device[asked], prints[asked])]] = True
        repeated, order = self._newest.repeated(slots, device, prints)
        new = ~there & ~repeated
        rows = order[new[order]]
        if rows.size:
            stored = replace(batch, device_us=device).take(rows)
            await conn.copy_to_table(
                "positions",
                source=memoryview(
                    copy_stream(stored, prints[rows], quality[rows])
                ),  # asyncpg reads a file in a thread
                columns=NAMES,
                format="binary",
            )
            self._newest.advance(slots[rows], device[rows], prints[rows], usable[rows])
        return StoreResult(new, new & usable & before, prints, quality, len(batch) - rows.size)

    async def _learn(self, conn: Connection, terminals: AnyInts) -> None:
        """Read the watermarks of terminals seen for the first time: two queries for all of them, at most."""
        if not terminals.size:
            return
        missing = terminals.tolist()
        for since in (await recent_us(conn), FAR_PAST_US):
            if missing:
                cold = await newest_in_files(conn, missing) if since == FAR_PAST_US else {}
                rows = await conn.fetch(_NEWEST, missing, from_us(since), self._newest.MOST_REMEMBERED + 1)
                # Found by a recent ordinary position. Others may have older ones: look everywhere.
                if since != FAR_PAST_US:
                    rows = [r for r in rows if r["watermark"] is not None]
                hot = ((r["no"], r["watermark"], r["prints"] or [], r["top"]) for r in rows)
                self._newest.learn([newer_of(each, cold.get(each[0])) for each in hot])
                missing = sorted(set(missing) - {r["no"] for r in rows})

    async def _stored(
        self, conn: Connection, terminals: AnyInts, device: AnyInts, prints: AnyInts
    ) -> AnyInts:
        """Indices of the given keys that the table already has."""
        rows = await conn.fetch(
            _LOOK_UP,
            terminals.tolist(),
            device.tolist(),
            prints.tolist(),
            from_us(int(device.min())),
            from_us(int(device.max())),
        )
        stored = np.array([r["i"] - 1 for r in rows], np.int64)
        others = np.setdiff1d(np.arange(len(device)), stored)
        if not len(others):
            return stored
        cold = await stored_in_files(conn, terminals[others], device[others], prints[others])
        return np.concatenate([stored, others[cold]])


_US = "(extract(epoch FROM {}) * 1000000)::bigint"  # extract gives a numeric: exact
_NEWEST = f"""
SELECT t.no, {_US.format("w.device_time")} AS watermark, {_US.format("m.device_time")} AS top,
       (SELECT array_agg(f.fingerprint) FROM (SELECT p.fingerprint FROM positions p WHERE p.terminal_no = t.no
        AND p.device_time = w.device_time LIMIT $3) f) AS prints
  FROM unnest($1::integer[]) AS t (no)
  LEFT JOIN LATERAL (SELECT p.device_time FROM positions p WHERE p.terminal_no = t.no AND p.device_time >= $2
       AND p.device_time > timestamptz 'epoch' AND (p.quality & {int(Quality.TIME_AHEAD)}) = 0
       ORDER BY p.device_time DESC LIMIT 1) w ON true
  LEFT JOIN LATERAL (SELECT p.device_time FROM positions p WHERE p.terminal_no = t.no AND p.device_time >= $2
       ORDER BY p.device_time DESC LIMIT 1) m ON true
"""  # noqa: S608 - our own constants
# LATERAL with LIMIT keeps it a probe of the primary key per row, whatever the statistics say.
_LOOK_UP = f"""
SELECT k.i FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS k (no, us, print, i)
 CROSS JOIN LATERAL (SELECT FROM positions p WHERE p.terminal_no = k.no AND p.fingerprint = k.print
       AND p.device_time = {sql_time("k.us")} AND p.device_time BETWEEN $4 AND $5 LIMIT 1) found
"""  # noqa: S608 - our own constants
