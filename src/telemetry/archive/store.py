"""The history of positions: idempotent storing, and reading tracks. All SQL of the table ``positions``.

Identity of a position: (terminal, device time, fingerprint of the payload); of equal ones the first wins.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime import pgcopy
from runtime.arrays import AnyInts, Bools, Ints
from runtime.connection import Connection
from runtime.units import from_us
from telemetry.archive.newest import Watermarks
from telemetry.archive.partitions import Partitions, clock_us, days_of
from telemetry.positions import OPTIONAL, PositionBatch, fingerprint
from telemetry.quality import Quality, assess

# Unknown terminals are looked up in the newest partitions first: a car that is driving is there.
_RECENT_US = 3 * 86_400 * 1_000_000
_FAR_PAST_US = pgcopy.MIN_TIME_US

_COLUMNS = (
    "terminal_no", "device_time", "fingerprint", "received_at", "lat_e6", "lon_e6", "altitude_m", "speed_dkmh",
    "direction_deg", "alarm", "status", "quality", "source", *OPTIONAL, "items",
)  # fmt: skip

_FIELDS: tuple[tuple[str, pgcopy.Kind], ...] = (
    ("terminal", "int4"), ("device_us", "timestamptz"), ("fingerprint", "int8"), ("received_us", "timestamptz"),
    ("lat_e6", "int4"), ("lon_e6", "int4"), ("altitude_m", "int2"), ("speed_dkmh", "int4"), ("direction_deg", "int4"),
    ("alarm", "int4"), ("status", "int4"), ("quality", "int2"), ("source", "int2"), ("odometer_dkm", "int8"),
    ("fuel_dl", "int4"), ("recorder_speed_dkmh", "int4"), ("radio", "int2"), ("satellites", "int2"),
    ("present", "int2"),
)  # fmt: skip
_PRESENT = " | ".join(f"((p.{name} IS NOT NULL)::integer << {bit})" for bit, name in enumerate(OPTIONAL))
#: Every field of fixed width and not null, so that numpy reads the rows as they come.
_SELECTED = (
    "p.terminal_no, p.device_time, p.fingerprint, p.received_at, p.lat_e6, p.lon_e6, p.altitude_m, p.speed_dkmh,"
    " p.direction_deg, p.alarm, p.status, p.quality, p.source, COALESCE(p.odometer_dkm, 0), COALESCE(p.fuel_dl, 0),"
    " COALESCE(p.recorder_speed_dkmh, 0), COALESCE(p.radio, 0::smallint), COALESCE(p.satellites, 0::smallint),"
    f" ({_PRESENT})::smallint"
)


def _sql_time(microseconds: str) -> str:
    """SQL of the timestamptz of a bigint of microseconds since 1970. Exact: seconds and the rest are
    multiplied apart, each within the 53 bits of the float that interval multiplication goes through."""
    return (
        f"(timestamptz 'epoch' + ({microseconds} / 1000000) * interval '1 second'"
        f" + ({microseconds} % 1000000) * interval '1 microsecond')"
    )


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


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Stored positions as columns, ordered by (device time, fingerprint, terminal). ``batch`` has every
    column but ``items`` (empty); ``quality`` int16 and ``fingerprint`` int64 of shape (n,). ``next`` is what
    to pass as ``after`` for the rows after these, None when there are none."""

    batch: PositionBatch
    quality: NDArray[np.int16]
    fingerprint: Ints
    next: tuple[int, int, int] | None = None

    def __len__(self) -> int:
        return len(self.batch)


__all__ = ["Archive", "StoreResult", "Track", "days_of"]


class Archive:
    """Stores batches of positions, each position once.

    It remembers, per terminal, the newest device time stored and the fingerprints of that second
    (``Watermarks``), so that the usual row, newer than all before, needs no look-up. What it remembers
    includes what the current transaction stored: after a rollback call ``forget()``, and
    ``forget(terminals)`` when other workers may have stored for them. At any time a terminal has one writer
    (partition by terminal); should there be two all the same, the primary key refuses the second: ``store``
    raises asyncpg.UniqueViolationError, and after rollback and ``forget()`` the same batch is stored
    correctly.
    """

    def __init__(self, *, retention_days: int = 400, now_us: Callable[[], int] = clock_us) -> None:
        self._marks = Watermarks()
        self._partitions = Partitions(retention_days, now_us)

    def forget(self, terminals: Iterable[int] | None = None) -> None:
        """Forget what is remembered of ``terminals`` (None = of all); it is read again when they are next
        seen."""
        self._marks.forget(None if terminals is None else np.fromiter(terminals, np.int32))

    async def ensure_partitions(self, conn: Connection, days: Iterable[int] = ()) -> None:
        """Make the day partitions that rows of ``days`` (UTC days since 1970) should go to, and those of the
        next days; *before* the transaction that stores the rows (RuntimeError inside one). See
        ``Partitions.ensure``."""
        await self._partitions.ensure(conn, days)

    async def drop_expired(self, conn: Connection) -> list[str]:
        """Drop the partitions older than the retention; their names. See ``Partitions.drop_expired``."""
        return await self._partitions.drop_expired(conn)

    async def tidy_odd_dates(self, conn: Connection) -> None:
        """Rows of dates that no day partition is for: those whose day has got one now move there, those received longer
        ago than the retention are deleted. See ``Partitions.delete_odd`` and ``move_waiting``."""
        await self._partitions.delete_odd(conn)
        await self._partitions.move_waiting(conn)

    async def odd_bytes(self, conn: Connection) -> dict[str, int]:
        """Disk space of each partition of such rows. See ``Partitions.odd_bytes``."""
        return await self._partitions.odd_bytes(conn)

    async def holds_any(self, conn: Connection) -> bool:
        """Whether there is any position at all."""
        return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM positions)"))

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
        await self._learn(conn, self._marks.unknown(terminals))
        slots = self._marks.slots(terminals)[owner]
        usable = (quality & (Quality.TIME_AHEAD | Quality.TIME_UNREADABLE)) == 0
        before = self._marks.before(slots, device, prints)
        there = np.zeros(len(batch), bool)
        asked = np.flatnonzero(self._marks.uncertain(slots, device))
        if asked.size:
            there[asked[await self._stored(conn, batch.terminal[asked], device[asked], prints[asked])]] = True
        repeated, order = self._marks.repeated(slots, device, prints)
        new = ~there & ~repeated
        rows = order[new[order]]
        if rows.size:
            await _copy_in(conn, batch, device, prints, quality, rows)
            self._marks.advance(slots[rows], device[rows], prints[rows], usable[rows])
        return StoreResult(new, new & usable & before, prints, quality, len(batch) - rows.size)

    async def track(
        self,
        conn: Connection,
        terminal_spans: Sequence[tuple[int, int, int]],
        *,
        limit: int | None = None,
        after: tuple[int, int, int] | None = None,
        ordered: bool = True,
    ) -> Track:
        """Positions of (terminal_no, from_us, to_us) spans (half open), ordered by device time and
        fingerprint; at most ``limit`` of them, those ``after`` the ``next`` of the page before. Spans of one
        terminal that overlap would give rows twice: they must not. Not ``ordered``: in any order, usually span after
        span, for whoever sorts himself (half of PostgreSQL's work); with a ``limit`` it makes no difference."""
        low = _FAR_PAST_US if after is None else after[0]
        spans = [(t, max(a, low), min(b, pgcopy.MAX_TIME_US)) for t, a, b in terminal_spans]
        spans = [span for span in spans if span[1] < span[2]]
        if not spans:
            return _track({}, None)
        # The outer bounds again, as constants: partitions outside of them are not even opened.
        bounds = f"p.device_time >= {_literal(min(s[1] for s in spans))}"
        bounds += f" AND p.device_time < {_literal(max(s[2] for s in spans))}"
        if after is not None:
            place = f"({_literal(after[0])}, {int(after[1])}, {int(after[2])})"
            bounds += f" AND (p.device_time, p.fingerprint, p.terminal_no) > {place}"
        values = ", ".join(f"({int(t)}, {_literal(a)}, {_literal(b)})" for t, a, b in spans)
        query = (
            f"SELECT {_SELECTED} FROM (VALUES {values}) AS s (no, since, until)"  # noqa: S608 - numbers only
            " CROSS JOIN LATERAL (SELECT * FROM positions p WHERE p.terminal_no = s.no"
            f" AND p.device_time >= s.since AND p.device_time < s.until AND {bounds}) p"
        )
        if ordered or limit is not None:
            query += " ORDER BY p.device_time, p.fingerprint, p.terminal_no"
        return _track(
            await _copy_out(conn, query if limit is None else f"{query} LIMIT {int(limit) + 1}"), limit
        )

    async def last_positions(
        self, conn: Connection, terminals: Sequence[int], *, valid_only: bool = True
    ) -> Track:
        """The newest stored position of each of ``terminals`` that has one (``valid_only``: the newest valid
        fix)."""
        wanted = "p.quality = 0" if valid_only else f"(p.quality & {int(Quality.TIME_AHEAD)}) = 0"
        missing = sorted({int(t) for t in terminals})
        found: list[dict[str, AnyInts]] = []
        for since in (await _recent(conn), _FAR_PAST_US):
            if missing:
                query = (
                    f"SELECT {_SELECTED} FROM unnest('{{{','.join(map(str, missing))}}}'::integer[]) AS t (no)"  # noqa: S608 - numbers only
                    " CROSS JOIN LATERAL (SELECT * FROM positions p WHERE p.terminal_no = t.no AND"
                    f" p.device_time >= {_literal(since)} AND {wanted} ORDER BY p.device_time DESC, p.fingerprint DESC"
                    " LIMIT 1) p ORDER BY p.device_time, p.fingerprint, p.terminal_no"
                )
                found.append(await _copy_out(conn, query))
                missing = sorted(set(missing) - set(found[-1]["terminal"].tolist()))
        if not found:
            return _track({}, None)
        columns = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        order = np.lexsort((columns["terminal"], columns["fingerprint"], columns["device_us"]))
        return _track({name: values[order] for name, values in columns.items()}, None)

    async def edges(
        self,
        conn: Connection,
        terminal_spans: Sequence[tuple[int, int, int]],
        count: int,
        *,
        newest: bool = False,
    ) -> Track:
        """The first ``count`` valid fixes (``newest``: the last) of each (terminal_no, from_us, to_us) span, half open,
        in the order of ``track``. One probe of the key a span and partition, however much lies in between."""
        spans = [(t, max(a, _FAR_PAST_US), min(b, pgcopy.MAX_TIME_US)) for t, a, b in terminal_spans]
        spans = [span for span in spans if span[1] < span[2]]
        if not spans:
            return _track({}, None)
        bounds = f"p.device_time >= {_literal(min(s[1] for s in spans))}"
        bounds += f" AND p.device_time < {_literal(max(s[2] for s in spans))}"
        values = ", ".join(f"({int(t)}, {_literal(a)}, {_literal(b)})" for t, a, b in spans)
        turn = " DESC" if newest else ""
        query = (
            f"SELECT {_SELECTED} FROM (VALUES {values}) AS s (no, since, until)"  # noqa: S608 - numbers only
            " CROSS JOIN LATERAL (SELECT * FROM positions p WHERE p.terminal_no = s.no AND p.quality = 0"
            f" AND p.device_time >= s.since AND p.device_time < s.until AND {bounds}"
            f" ORDER BY p.device_time{turn}, p.fingerprint{turn} LIMIT {int(count)}) p"
            " ORDER BY p.device_time, p.fingerprint, p.terminal_no"
        )
        return _track(await _copy_out(conn, query), None)

    async def _learn(self, conn: Connection, terminals: AnyInts) -> None:
        """Read the watermarks of terminals seen for the first time: two queries for all of them, at most."""
        if not terminals.size:
            return
        missing = terminals.tolist()
        for since in (await _recent(conn), _FAR_PAST_US):
            if missing:
                rows = await conn.fetch(_WATERMARKS, missing, from_us(since), self._marks.MOST_REMEMBERED + 1)
                # Found by a recent ordinary position. Others may have older ones: look everywhere.
                if since != _FAR_PAST_US:
                    rows = [r for r in rows if r["watermark"] is not None]
                self._marks.learn([(r["no"], r["watermark"], r["prints"] or [], r["top"]) for r in rows])
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
        return np.array([r["i"] - 1 for r in rows], np.int64)


_US = "(extract(epoch FROM {}) * 1000000)::bigint"  # extract gives a numeric: exact
_WATERMARKS = f"""
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
       AND p.device_time = {_sql_time("k.us")} AND p.device_time BETWEEN $4 AND $5 LIMIT 1) found
"""  # noqa: S608 - our own constants


async def _recent(conn: Connection) -> int:
    now: int = await conn.fetchval("SELECT (extract(epoch FROM now()) * 1000000)::bigint")
    return now - _RECENT_US


def _literal(us: int) -> str:
    return f"'{from_us(int(us)).isoformat()}'::timestamptz"


async def _copy_in(
    conn: Connection, batch: PositionBatch, device: AnyInts, prints: AnyInts, quality: AnyInts, rows: AnyInts
) -> None:
    """Append ``rows`` of ``batch``."""
    part = batch.take(rows)
    column = pgcopy.Column
    columns = [
        column("int4", part.terminal),
        column("timestamptz", device[rows]),
        column("int8", prints[rows]),
        column("timestamptz", part.received_us),
        column("int4", part.lat_e6),
        column("int4", part.lon_e6),
        column("int2", part.altitude_m),
        column("int4", part.speed_dkmh),
        column("int4", part.direction_deg),
        column("int4", part.alarm.view(np.int32)),  # 32 bits, as a signed number
        column("int4", part.status.view(np.int32)),
        column("int2", quality[rows]),
        column("int2", part.source),
        column("int8", part.odometer_dkm, part.has("odometer_dkm")),
        column("int4", part.fuel_dl, part.has("fuel_dl")),
        column("int4", part.recorder_speed_dkmh, part.has("recorder_speed_dkmh")),
        column("int2", part.radio, part.has("radio")),
        column("int2", part.satellites, part.has("satellites")),
        column("bytes", part.items_data, np.diff(part.items_offsets) > 0, part.items_offsets),
    ]
    await conn.copy_to_table(
        "positions", source=io.BytesIO(pgcopy.encode(columns)), columns=_COLUMNS, format="binary"
    )


async def _copy_out(conn: Connection, query: str) -> dict[str, AnyInts]:
    parts: list[bytes] = []

    async def take(data: bytes) -> None:  # a file would be written by another thread, piece by piece
        parts.append(bytes(data))

    await conn.copy_from_query(query, output=take, format="binary")
    return pgcopy.decode_fixed(b"".join(parts), _FIELDS)


def _track(columns: dict[str, AnyInts], limit: int | None) -> Track:
    if not columns:
        return Track(PositionBatch.empty(), np.zeros(0, np.int16), np.zeros(0, np.int64))
    following: tuple[int, int, int] | None = None
    n = len(columns["terminal"])
    if limit is not None and n > limit:
        n = limit
        columns = {name: values[:n] for name, values in columns.items()}
        if n:
            following = (
                int(columns["device_us"][-1]),
                int(columns["fingerprint"][-1]),
                int(columns["terminal"][-1]),
            )
    prints, quality = columns.pop("fingerprint"), columns.pop("quality")
    return Track(PositionBatch.build(n, **columns), quality, prints, following)
