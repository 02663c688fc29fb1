"""The history of positions, reading: tracks, newest positions, ends of spans. Writing is in ``store``.

Days that are kept as files (``cold``) are read with the table: nobody who reads has to know where a day is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runtime import pgcopy
from runtime.arrays import AnyInts, Ints
from runtime.connection import Connection
from runtime.units import from_us
from telemetry.archive.clocks import EVER, PLAIN, Clocks, Piece, derive, read_clocks
from telemetry.archive.cold import reading
from telemetry.archive.cold.joining import (
    after_place,
    edges_with_cold,
    in_track_order,
    joined,
    taken,
    wanted_fixes,
    with_cold,
)
from telemetry.archive.cold.reading import Span
from telemetry.archive.cold.rows import first_of_each
from telemetry.archive.columns import FIELDS, SELECTED
from telemetry.positions import PositionBatch
from telemetry.quality import MAX_AHEAD_US, Quality, too_old

_RECENT_US: Final = 3 * 86_400 * 1_000_000
#: Columns that are others by what is known of the terminal.
_DERIVED: Final = ("device_us", "lat_e6", "lon_e6", "odometer_dkm", "fuel_dl", "present")
#: Before every device time that is stored.
FAR_PAST_US: Final = pgcopy.MIN_TIME_US


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


class PositionReader:
    """Reads what is stored. It holds nothing: every method asks the database of ``conn``. Times are those that result from what
    is known of the terminals' clocks (``clocks``), and so is the order; positions of a clock in doubt are no valid fixes.

    ``max_age_us``: positions that were older at their receipt are no valid fixes (TOO_OLD); None = whatever their age. The rules
    set it: a clock that was set back to 2007 accuses nobody."""

    max_age_us: int | None = None

    async def holds_any(self, conn: Connection) -> bool:
        """Whether there is any position at all."""
        return bool(
            await conn.fetchval(
                "SELECT EXISTS (SELECT FROM positions) OR EXISTS (SELECT FROM cold_terminals)"
            )
        )

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
        span, for a caller who sorts anyway (it halves PostgreSQL's work); with a ``limit`` it makes no difference."""
        low = FAR_PAST_US if after is None else after[0]
        spans = [(t, max(a, low), min(b, pgcopy.MAX_TIME_US)) for t, a, b in terminal_spans]
        spans = [span for span in spans if span[1] < span[2]]
        if not spans:
            return _track({}, None)
        clocks = await read_clocks(conn, [span[0] for span in spans])
        if clocks:
            return self._aged(await _track_by_clocks(conn, spans, clocks, limit, after))
        # The outer bounds again, as constants: partitions outside of them are not even opened.
        bounds = f"p.device_time >= {_literal(min(s[1] for s in spans))}"
        bounds += f" AND p.device_time < {_literal(max(s[2] for s in spans))}"
        if after is not None:
            place = f"({_literal(after[0])}, {int(after[1])}, {int(after[2])})"
            bounds += f" AND (p.device_time, p.fingerprint, p.terminal_no) > {place}"
        values = ", ".join(f"({int(t)}, {_literal(a)}, {_literal(b)})" for t, a, b in spans)
        query = (
            f"SELECT {SELECTED} FROM (VALUES {values}) AS s (no, since, until)"  # noqa: S608 - numbers only
            " CROSS JOIN LATERAL (SELECT * FROM positions p WHERE p.terminal_no = s.no"
            f" AND p.device_time >= s.since AND p.device_time < s.until AND {bounds}) p"
        )
        if ordered or limit is not None:
            query += " ORDER BY p.device_time, p.fingerprint, p.terminal_no"
        hot = await _copy_out(conn, query if limit is None else f"{query} LIMIT {int(limit) + 1}")
        return self._aged(_track(await with_cold(conn, hot, spans, limit, after), limit))

    async def last_positions(
        self, conn: Connection, terminals: Sequence[int], *, valid_only: bool = True
    ) -> Track:
        """The newest stored position of each of ``terminals`` that has one (``valid_only``: the newest valid
        fix)."""
        wanted = "p.quality = 0" if valid_only else f"(p.quality & {int(Quality.TIME_AHEAD)}) = 0"
        missing = sorted({int(t) for t in terminals})
        found: list[dict[str, AnyInts]] = []
        if clocks := await read_clocks(conn, missing):
            spans = [(no, FAR_PAST_US, pgcopy.MAX_TIME_US) for no in clocks]
            found.append(await _edges_by_clocks(conn, spans, clocks, 1, newest=True, valid_only=valid_only))
            found[0] = _last_each(found[0])
            missing = [no for no in missing if no not in clocks]
        for since in (await recent_us(conn), FAR_PAST_US):
            if missing and since == FAR_PAST_US:
                ever = [Span(no, FAR_PAST_US, pgcopy.MAX_TIME_US) for no in missing]
                old = await reading.edges_of(conn, ever, 1, wanted_fixes(valid_only, None), newest=True)
                found += [dict(rows.columns) for rows in old]
            if missing:
                query = (
                    f"SELECT {SELECTED} FROM unnest('{{{','.join(map(str, missing))}}}'::integer[]) AS t (no)"  # noqa: S608 - numbers only
                    " CROSS JOIN LATERAL (SELECT * FROM positions p WHERE p.terminal_no = t.no AND"
                    f" p.device_time >= {_literal(since)} AND {wanted} ORDER BY p.device_time DESC, p.fingerprint DESC"
                    " LIMIT 1) p ORDER BY p.device_time, p.fingerprint, p.terminal_no"
                )
                found.append(await _copy_out(conn, query))
                missing = sorted(set(missing) - set(found[-1]["terminal"].tolist()))
        if not found:
            return _track({}, None)
        columns = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        # What is in the table may be older than what is in files.
        return _track(in_track_order(_last_each(in_track_order(columns))), None)

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
        spans = [(t, max(a, FAR_PAST_US), min(b, pgcopy.MAX_TIME_US)) for t, a, b in terminal_spans]
        spans = [span for span in spans if span[1] < span[2]]
        if not spans:
            return _track({}, None)
        if clocks := await read_clocks(conn, [span[0] for span in spans]):
            found = await _edges_by_clocks(
                conn, spans, clocks, count, newest=newest, max_age_us=self.max_age_us
            )
            return _track(found, None)
        bounds = f"p.device_time >= {_literal(min(s[1] for s in spans))}"
        bounds += f" AND p.device_time < {_literal(max(s[2] for s in spans))}"
        values = ", ".join(f"({int(t)}, {_literal(a)}, {_literal(b)})" for t, a, b in spans)
        turn = " DESC" if newest else ""
        query = (
            f"SELECT {SELECTED} FROM (VALUES {values}) AS s (no, since, until)"  # noqa: S608 - numbers only
            " CROSS JOIN LATERAL (SELECT * FROM positions p WHERE p.terminal_no = s.no AND p.quality = 0"
            f" AND p.device_time >= s.since AND p.device_time < s.until AND {bounds}{_young(self.max_age_us)}"
            f" ORDER BY p.device_time{turn}, p.fingerprint{turn} LIMIT {int(count)}) p"
            " ORDER BY p.device_time, p.fingerprint, p.terminal_no"
        )
        plain = [Span(*span) for span in spans]
        wanted = wanted_fixes(True, self.max_age_us)
        return _track(
            await edges_with_cold(conn, await _copy_out(conn, query), plain, count, wanted, newest=newest),
            None,
        )

    async def count(
        self, conn: Connection, terminal_spans: Sequence[tuple[int, int, int]], most: int
    ) -> list[int]:
        """How many positions each (terminal_no, from_us, to_us) span has, half open, by the times that were received; ``most``
        for that many or more. Of a day that moves to files at this moment some may be counted twice."""
        if not terminal_spans:
            return []
        bounds = f"p.device_time >= {_literal(max(FAR_PAST_US, min(s[1] for s in terminal_spans)))}"
        values = ", ".join(
            f"({k}, {int(t)}, {_literal(max(a, FAR_PAST_US))}, {_literal(min(b, pgcopy.MAX_TIME_US))})"
            for k, (t, a, b) in enumerate(terminal_spans)
        )
        rows = await conn.fetch(
            f"SELECT (SELECT count(*) FROM (SELECT FROM positions p WHERE p.terminal_no = s.no"  # noqa: S608 - numbers only
            f" AND p.device_time >= s.since AND p.device_time < s.until AND {bounds} LIMIT {int(most)}) f) AS found"
            f" FROM (VALUES {values}) AS s (k, no, since, until) ORDER BY s.k"
        )
        ranges = [Span(t, max(a, FAR_PAST_US), min(b, pgcopy.MAX_TIME_US)) for t, a, b in terminal_spans]
        cold = await reading.rows_in(conn, ranges)
        return [
            min(row["found"] + len(reading.inside(cold, span)), most)
            for row, span in zip(rows, ranges, strict=True)
        ]

    async def holds_received(self, conn: Connection, span: Span, prints: Sequence[int]) -> bool:
        """Whether one of the positions in ``span`` has one of these fingerprints."""
        if await conn.fetchval(
            "SELECT EXISTS (SELECT FROM positions p WHERE p.terminal_no = $1 AND p.device_time >= $2 AND p.device_time < $3"
            " AND p.received_at >= $5 AND p.received_at < $6 AND p.fingerprint = ANY($4::bigint[]))",
            span.terminal,
            from_us(max(span.from_us, FAR_PAST_US)),
            from_us(min(span.to_us, pgcopy.MAX_TIME_US)),
            prints,
            from_us(max(span.received_from, FAR_PAST_US)),
            from_us(min(span.received_to, pgcopy.MAX_TIME_US)),
        ):
            return True
        cold = await reading.rows_in(conn, [span])
        return bool(np.isin(cold.columns["fingerprint"], np.array(prints, np.int64)).any())

    def _aged(self, track: Track) -> Track:
        if self.max_age_us is None or not len(track):
            return track
        old = too_old(track.batch, self.max_age_us)
        return replace(track, quality=track.quality | np.where(old, np.int16(Quality.TOO_OLD), np.int16(0)))


def _young(max_age_us: int | None, shift: str = "") -> str:
    """SQL: that a row of positions ``p`` is not TOO_OLD."""
    if max_age_us is None:
        return ""
    return f" AND p.received_at - (p.device_time{shift}) <= interval '{max_age_us // 1_000_000} seconds'"


# --- terminals whose clock is known to be wrong, alone or among others ------------------------------------------------


_PieceOfSpan = tuple[int, int, int, Piece]


def _pieces(spans: Sequence[tuple[int, int, int]], clocks: Clocks, *, doubted: bool) -> list[_PieceOfSpan]:
    """Of each span (terminal, device times as they were received, from and to) its pieces. Where it is not ``doubted``, without
    those in doubt."""
    pieces = [
        (no, max(a - piece.shift_us, FAR_PAST_US), min(b - piece.shift_us, pgcopy.MAX_TIME_US), piece)
        for no, a, b in spans
        for piece in clocks.get(no, (PLAIN,))
        if doubted or not piece.doubted
    ]
    return [piece for piece in pieces if piece[1] < piece[2]]


def _spans_of(pieces: Sequence[_PieceOfSpan]) -> list[Span]:
    return [Span(no, a, b, piece.from_us, piece.to_us, piece.shift_us) for no, a, b, piece in pieces]


def _values(given: Sequence[_PieceOfSpan]) -> tuple[str, str]:
    """SQL of pieces of spans: the rows of s (no, since, until, received_since, received_until, shift), and the condition that a
    row of positions ``p`` is in one."""
    pieces = given or [(0, 0, 1, PLAIN)]
    rows = ", ".join(
        f"({int(no)}, {_literal(a)}, {_literal(b)}, {_received(piece.from_us)}, {_received(piece.to_us)},"
        f" interval '{piece.shift_us // 1_000_000} seconds')"
        for no, a, b, piece in pieces
    )
    return f"(VALUES {rows}) AS s (no, since, until, received_since, received_until, shift)", (
        "p.terminal_no = s.no AND p.device_time >= s.since AND p.device_time < s.until"
        " AND p.received_at >= s.received_since AND p.received_at < s.received_until"
        f" AND p.device_time >= {_literal(min(piece[1] for piece in pieces))}"
        f" AND p.device_time < {_literal(max(piece[2] for piece in pieces))}"
    )


async def _track_by_clocks(
    conn: Connection,
    spans: Sequence[tuple[int, int, int]],
    clocks: Clocks,
    limit: int | None,
    after: tuple[int, int, int] | None,
) -> Track:
    pieces = _pieces(spans, clocks, doubted=True)
    values, condition = _values(pieces)
    if after is not None:
        place = f"({_literal(after[0])}, {int(after[1])}, {int(after[2])})"
        condition += f" AND (p.device_time + s.shift, p.fingerprint, p.terminal_no) > {place}"
    query = (
        f"SELECT {SELECTED} FROM {values} CROSS JOIN LATERAL (SELECT * FROM positions p WHERE {condition}) p"  # noqa: S608 - numbers only
        " ORDER BY p.device_time + s.shift, p.fingerprint, p.terminal_no"
    )
    query = query if limit is None else f"{query} LIMIT {int(limit) + 1}"
    hot = await _copy_out(conn, query)
    # Terminals may be shifted by different times: which day comes first is not known before.
    cold = await reading.rows_in(conn, _spans_of(pieces))
    if not len(cold):
        return _track(_derived(hot, clocks), limit)
    both = joined([cold.columns, hot])
    both = _derived(taken(both, first_of_each(both, by_terminal=False)), clocks)
    both = in_track_order(both)
    return _track(both if after is None else taken(both, np.flatnonzero(after_place(both, after))), limit)


async def _edges_by_clocks(
    conn: Connection,
    spans: Sequence[tuple[int, int, int]],
    clocks: Clocks,
    count: int,
    *,
    newest: bool,
    valid_only: bool = True,
    max_age_us: int | None = None,
) -> dict[str, AnyInts]:
    """The first (``newest``: the last) ``count`` rows of each piece of each span: the ones wanted and maybe more, between
    which others may lie that are not there."""
    pieces = _pieces(spans, clocks, doubted=not valid_only)
    values, condition = _values(pieces)
    # Of what is shifted it is asked anew whether it is ahead of its receipt.
    ahead, turn = int(Quality.TIME_AHEAD), " DESC" if newest else ""
    wrong = f"(p.quality & {~ahead})" if valid_only else "0"
    condition += (
        f" AND {wrong} = 0 AND CASE WHEN s.shift = interval '0' THEN (p.quality & {ahead}) = 0"
        f" ELSE p.device_time + s.shift <= p.received_at + interval '{MAX_AHEAD_US // 1_000_000} seconds' END"
    )
    condition += _young(max_age_us, " + s.shift")
    query = (
        f"SELECT {SELECTED} FROM {values} CROSS JOIN LATERAL (SELECT * FROM positions p WHERE {condition}"  # noqa: S608 - numbers only
        f" ORDER BY p.device_time{turn}, p.fingerprint{turn} LIMIT {int(count)}) p"
        " ORDER BY p.device_time + s.shift, p.fingerprint, p.terminal_no"
    )
    wanted = wanted_fixes(valid_only, max_age_us)
    both = await edges_with_cold(
        conn, await _copy_out(conn, query), _spans_of(pieces), count, wanted, newest=newest
    )
    return in_track_order(_derived(both, clocks))


def _derived(columns: dict[str, AnyInts], clocks: Clocks) -> dict[str, AnyInts]:
    given = {name: values for name, values in columns.items() if name not in ("fingerprint", "quality")}
    batch = PositionBatch.build(len(columns["terminal"]), **given)
    batch, quality = derive(batch, columns["quality"].astype(np.int16), clocks)
    return columns | {name: getattr(batch, name) for name in _DERIVED} | {"quality": quality}


def _last_each(columns: dict[str, AnyInts]) -> dict[str, AnyInts]:
    """The last row of each terminal, of rows in order."""
    terminal = columns["terminal"]
    _, last = np.unique(terminal[::-1], return_index=True)
    rows = len(terminal) - 1 - last
    return {name: values[rows] for name, values in columns.items()}


def _received(us: int) -> str:
    return (
        "'-infinity'::timestamptz"
        if us == EVER[0]
        else "'infinity'::timestamptz"
        if us == EVER[1]
        else _literal(us)
    )


async def recent_us(conn: Connection) -> int:
    """From this device time on, microseconds since 1970, positions are in the newest partitions: terminals are looked up
    there first, for a car that is driving is there."""
    now: int = await conn.fetchval("SELECT (extract(epoch FROM now()) * 1000000)::bigint")
    return now - _RECENT_US


def _literal(us: int) -> str:
    return f"'{from_us(int(us)).isoformat()}'::timestamptz"


async def _copy_out(conn: Connection, query: str) -> dict[str, AnyInts]:
    parts: list[bytes] = []

    async def take(data: bytes) -> None:  # a file would be written by another thread, piece by piece
        parts.append(bytes(data))

    await conn.copy_from_query(query, output=take, format="binary")
    return pgcopy.decode_fixed(b"".join(parts), FIELDS)


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
