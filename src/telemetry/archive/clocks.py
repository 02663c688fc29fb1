"""What is known of terminals that are wrong by a rule (clock, datum, units of items), and positions read by it.

A *piece* says of a terminal's positions received in [from, to): add ``shift_us`` to their device time, take their coordinates for
those of ``datum``, their odometer and fuel for so many metres and millilitres a unit (corrections of the office, or of the table of
dialects); and whether they are no evidence (a doubt about the clock). What was received stays as it is in the table; everybody who
reads positions gets what results. The SQL that reads ``clock_corrections`` and all of ``clock_doubts`` are here.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from runtime.apart import read_apart
from runtime.arrays import AnyArray, Bools, Ints
from runtime.connection import Connection
from runtime.errors import text_of
from runtime.faults import of_one_fact
from runtime.units import US_PER_S, from_us, to_us
from telemetry.archive.cold import reading
from telemetry.archive.put_right import BY_THE_STANDARD, DATUMS, put_right
from telemetry.geo import Datum
from telemetry.positions import PositionBatch, Source
from telemetry.quality import MAX_AHEAD_US, Quality
from telemetry.terminals import notices

_logger = logging.getLogger(__name__)

#: Before and after every time of receipt.
EVER: Final = (-(1 << 62), 1 << 62)


@dataclass(frozen=True, slots=True)
class Piece:
    """See the module. Times of receipt, microseconds since 1970 UTC, half open. ``said``: something says what the clock is, also
    that it is right (a shift of 0). ``ids``: the corrections that hold, in order."""

    from_us: int
    to_us: int
    shift_us: int
    doubted: bool
    said: bool = field(default=False, compare=False)
    datum: Datum = Datum.WGS84
    odometer_unit_m: int = BY_THE_STANDARD
    fuel_unit_ml: int = BY_THE_STANDARD
    ids: tuple[str, ...] = field(default=(), compare=False)

    @property
    def plain(self) -> bool:
        """Whether its positions are as they were received."""
        return not self.shift_us and not self.doubted and self.as_sent

    @property
    def as_sent(self) -> bool:
        """Whether all but the time is as it was received."""
        return (
            self.datum is Datum.WGS84
            and self.odometer_unit_m == BY_THE_STANDARD
            and self.fuel_unit_ml == BY_THE_STANDARD
        )


PLAIN: Final = Piece(*EVER, 0, False)
#: What is known, by terminal number: the pieces of all times, in order. A terminal that is not there has PLAIN only.
Clocks = Mapping[int, Sequence[Piece]]


@dataclass(frozen=True, slots=True)
class Stated:
    """What one row says of positions received in [from, to), us: a correction, with None where it says nothing of that, or a
    doubt. ``office``: the word of a person, before that of the table of dialects."""

    from_us: int
    to_us: int
    shift_us: int | None = None
    doubt: bool = False
    datum: Datum | None = None
    odometer_unit_m: int | None = None
    fuel_unit_ml: int | None = None
    id: str = ""
    office: bool = True

    def of(self, aspect: str) -> Any:
        """What it says of an aspect, None: nothing."""
        return None if self.doubt else getattr(self, aspect)


#: What a correction may speak of, and what holds where none does.
_ASPECTS: Final[Mapping[str, Any]] = {
    "shift_us": 0, "datum": Datum.WGS84, "odometer_unit_m": BY_THE_STANDARD, "fuel_unit_ml": BY_THE_STANDARD,
}  # fmt: skip


async def read_clocks(
    conn: Connection, terminals: Sequence[int] | None = None, *, since_us: int | None = None
) -> dict[int, list[Piece]]:
    """What is known of the clocks of ``terminals`` (None = of all). ``since_us``: only what matters for positions received from
    then on: what is over would be read in every turn, and there is ever more of it. A terminal of which it cannot be read is in
    doubt: its positions are no evidence."""
    try:
        return await _read(conn, terminals, since_us)
    except Exception as error:
        if not of_one_fact(error):
            raise
        _logger.debug("the clocks of terminals are read one by one", exc_info=True)
    found, failed = await _read_apart(conn, terminals, since_us)
    return found | {no: [Piece(*EVER, 0, True)] for no in failed}


async def unreadable_clocks(conn: Connection) -> dict[str, str]:
    """The terminals (phone) of which it cannot be read what is known of their clocks, each with why."""
    try:
        await _read(conn, None, None)
    except Exception as error:
        if not of_one_fact(error):
            raise
    else:
        return {}
    _, failed = await _read_apart(conn, None, None)
    rows = await conn.fetch("SELECT no, phone FROM terminals WHERE no = ANY($1::integer[])", sorted(failed))
    phones = {row["no"]: row["phone"] for row in rows}
    return {phones.get(no, f"({no})"): text_of(error) for no, error in failed.items()}


async def _read_apart(
    conn: Connection, terminals: Sequence[int] | None, since_us: int | None
) -> tuple[dict[int, list[Piece]], dict[int, Exception]]:
    """Terminal by terminal: what is known, and the faults."""
    rows = await conn.fetch(
        "SELECT terminal_no FROM clock_corrections WHERE $1::integer[] IS NULL OR terminal_no = ANY($1)"
        " UNION SELECT terminal_no FROM clock_doubts WHERE $1::integer[] IS NULL OR terminal_no = ANY($1) ORDER BY 1",
        None if terminals is None else sorted(set(terminals)),
    )

    async def read(numbers: Sequence[int]) -> Iterable[tuple[int, list[Piece]]]:
        return (await _read(conn, numbers, since_us)).items()

    found, failed = await read_apart(conn, [row["terminal_no"] for row in rows], read)
    return dict(found), dict(failed)


async def _read(
    conn: Connection, terminals: Sequence[int] | None, since_us: int | None
) -> dict[int, list[Piece]]:
    conditions: list[str] = []
    values: list[Any] = []
    if terminals is not None:
        values.append(sorted(set(terminals)))
        conditions.append(f"terminal_no = ANY(${len(values)}::integer[])")
    if since_us is not None:
        values.append(from_us(since_us))
        conditions.append(f"COALESCE(until, 'infinity') > ${len(values)}::timestamptz")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = await conn.fetch(
        "SELECT * FROM (SELECT terminal_no, valid_from, valid_to AS until, shift_s, false AS doubted, datum, odometer_unit_m,"  # noqa: S608 - constants
        " fuel_unit_ml, id, source = 'office' FROM clock_corrections UNION ALL SELECT terminal_no, received_from, received_to,"
        " NULL, true, NULL, NULL, NULL, '', true FROM clock_doubts) AS known"
        f"{where}",
        *values,
    )
    found: dict[int, list[Stated]] = {}
    for no, since, until, shift_s, doubted, datum, *rest in rows:
        stated = Stated(
            to_us(since), EVER[1] if until is None else to_us(until),
            None if shift_s is None else shift_s * US_PER_S, doubted, None if datum is None else Datum(datum), *rest,
        )  # fmt: skip
        found.setdefault(no, []).append(stated)
    return {no: pieces_of(given) for no, given in found.items()}


def pieces_of(given: Sequence[Stated]) -> list[Piece]:
    """The pieces of all times. Of several corrections that hold and speak of the same, the office's does, of these the one that
    begins last; a doubt holds beside them: it was found after the correction, for the time that resulted."""
    if len(given) == 1:
        return _alone(given[0])
    begins: dict[int, list[int]] = defaultdict(list)
    ends: dict[int, int] = defaultdict(int)  # how many doubts end then
    for k, one in enumerate(given):
        if one.from_us < one.to_us:
            begins[one.from_us].append(k)
            ends[one.to_us] += one.doubt
    edges = sorted({EVER[0], EVER[1], *begins, *(one.to_us for one in given)})
    pieces: list[Piece] = []
    # By aspect a heap of what holds, its first the one that counts: there may be thousands of a terminal.
    held: dict[str, list[tuple[bool, int, int]]] = {aspect: [] for aspect in _ASPECTS}
    doubts = 0
    for a, b in pairwise(edges):
        doubts -= ends[a]
        for k in begins[a]:
            doubts += given[k].doubt
            for aspect, heap in held.items():
                if given[k].of(aspect) is not None:
                    heappush(heap, (not given[k].office, -given[k].from_us, k))
        for heap in held.values():
            while heap and given[heap[0][2]].to_us <= a:
                heappop(heap)
        holds = {aspect: given[heap[0][2]] for aspect, heap in held.items() if heap}
        piece = Piece(
            a, b, doubted=doubts > 0, said="shift_us" in holds,
            ids=tuple(sorted({one.id for one in holds.values()})),
            **{aspect: holds[aspect].of(aspect) if aspect in holds else plain for aspect, plain in _ASPECTS.items()},
        )  # fmt: skip
        if pieces and _same(pieces[-1], piece):
            piece = replace(piece, from_us=pieces.pop().from_us)
        pieces.append(piece)
    return pieces


def _alone(one: Stated) -> list[Piece]:
    """The pieces where nothing else is stated: the usual case, of which there may be thousands in a batch."""
    if one.from_us >= one.to_us:
        return [PLAIN]
    holds = (
        Piece(one.from_us, one.to_us, 0, True)
        if one.doubt
        else Piece(
            one.from_us,
            one.to_us,
            one.shift_us or 0,
            False,
            one.shift_us is not None,
            one.datum or Datum.WGS84,
            BY_THE_STANDARD if one.odometer_unit_m is None else one.odometer_unit_m,
            BY_THE_STANDARD if one.fuel_unit_ml is None else one.fuel_unit_ml,
            (one.id,),
        )
    )
    before, after = Piece(EVER[0], one.from_us, 0, False), Piece(one.to_us, EVER[1], 0, False)
    return [piece for piece in (before, holds, after) if piece.from_us < piece.to_us]


def _same(one: Piece, other: Piece) -> bool:
    """Whether two pieces say the same, and by the same corrections."""
    moved = replace(one, from_us=other.from_us, to_us=other.to_us)
    return moved == other and (one.said, one.ids) == (other.said, other.ids)


def derive(
    batch: PositionBatch, quality: NDArray[np.int16], clocks: Clocks
) -> tuple[PositionBatch, NDArray[np.int16]]:
    """``batch`` and its ``quality`` (int16, shape (n,)) as they are by ``clocks``: device times, coordinates, odometer and fuel
    corrected, positions in doubt marked CLOCK_WRONG. The same objects where nothing is to be done."""
    names = np.array(sorted(clocks), np.int64)
    place = np.searchsorted(names, batch.terminal).clip(max=max(len(names) - 1, 0))
    rows = np.flatnonzero(names[place] == batch.terminal) if len(names) else np.zeros(0, np.int64)
    if not len(rows):
        return batch, quality
    known = _found(clocks, names, place[rows], batch.received_us[rows])
    shift = known.shift_us
    readable = (quality[rows] & Quality.TIME_UNREADABLE) == 0  # a time that could not be read stays so
    device, quality = batch.device_us.copy(), quality.copy()
    device[rows] += np.where(readable, shift, 0)
    ahead = np.where(device > batch.received_us + MAX_AHEAD_US, np.int16(Quality.TIME_AHEAD), np.int16(0))
    moved = rows[readable & (shift != 0)]
    quality[moved] = (quality[moved] & ~np.int16(Quality.TIME_AHEAD)) | ahead[moved]
    quality[rows[known.doubted]] |= np.int16(Quality.CLOCK_WRONG)
    batch = replace(batch, device_us=device)
    if known.other is not None:
        batch = put_right(batch, rows, *known.other)
    return batch, quality


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What is known of each of some rows; shape (n,). ``other``: datum (index of DATUMS), metres and millilitres a unit; None: all
    as the standard says."""

    shift_us: Ints
    doubted: Bools
    other: tuple[Ints, Ints, Ints] | None


def _found(clocks: Clocks, names: Ints, place: Ints, received: Ints) -> _Known:
    """Of rows of the terminals ``names[place]``. By columns: a city may have thousands of such terminals, each with few
    pieces."""
    first, last = int(received.min()), int(received.max())
    pieces = [
        [piece for piece in clocks[no] if not piece.plain and piece.from_us <= last and piece.to_us > first]
        for no in names.tolist()
    ]
    shift, doubted = np.zeros(len(place), np.int64), np.zeros(len(place), np.bool_)
    other = None
    if not all(piece.as_sent for mine in pieces for piece in mine):
        standard = np.full(len(place), BY_THE_STANDARD, np.int64)
        other = np.zeros(len(place), np.int64), standard, standard.copy()
    nothing = Piece(0, 0, 0, False)
    for k in range(max(map(len, pieces))):
        mine = [given[k] if k < len(given) else nothing for given in pieces]

        def column(values: Iterable[Any]) -> AnyArray:
            return np.array(list(values), np.int64)[place]

        inside = (received >= column(one.from_us for one in mine)) & (
            received < column(one.to_us for one in mine)
        )
        shift = np.where(inside, column(one.shift_us for one in mine), shift)
        doubted |= inside & (column(one.doubted for one in mine) != 0)
        if other is not None:
            other = (
                np.where(inside, column(DATUMS.index(one.datum) for one in mine), other[0]),
                np.where(inside, column(one.odometer_unit_m for one in mine), other[1]),
                np.where(inside, column(one.fuel_unit_ml for one in mine), other[2]),
            )
    return _Known(shift, doubted, other)


# --- doubts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Doubt:
    """A clock found wrong. Time of receipt, microseconds since 1970 UTC; ``lag_s`` below 0: ahead."""

    terminal: int
    from_us: int
    lag_s: int


async def open_lags(conn: Connection) -> dict[int, int]:
    """The lag (s) of each terminal whose doubt goes on."""
    return dict(await conn.fetch("SELECT terminal_no, lag_s FROM clock_doubts WHERE received_to IS NULL"))


async def open_doubts(conn: Connection, doubts: Sequence[Doubt]) -> None:
    """Note them; one that goes on of the same terminal ends where the new one begins."""
    await close_doubts(conn, [(doubt.terminal, doubt.from_us) for doubt in doubts])
    await conn.execute(
        "INSERT INTO clock_doubts (terminal_no, received_from, lag_s)"
        " SELECT * FROM unnest($1::integer[], $2::timestamptz[], $3::bigint[])"
        " ON CONFLICT (terminal_no, received_from) DO UPDATE SET lag_s = excluded.lag_s, received_to = NULL",
        [d.terminal for d in doubts],
        [from_us(d.from_us) for d in doubts],
        [d.lag_s for d in doubts],
    )


async def close_doubts(conn: Connection, ends: Sequence[tuple[int, int]]) -> None:
    """End the doubts of (terminal, time of receipt in us) that go on."""
    await conn.execute(
        "UPDATE clock_doubts d SET received_to = GREATEST(e.at, d.received_from + interval '1 microsecond')"
        " FROM unnest($1::integer[], $2::timestamptz[]) AS e (no, at)"
        " WHERE d.terminal_no = e.no AND d.received_to IS NULL",
        [no for no, _ in ends],
        [from_us(us) for _, us in ends],
    )


async def delete_doubts(conn: Connection, spans: Sequence[tuple[int, datetime, datetime | None]]) -> None:
    """The office has said what the clocks of terminals were in [from, to): doubts of that time are over, and the notices. A
    doubt that began before stays up to there."""
    numbers, since, until = ([span[k] for span in spans] for k in range(3))
    given = "FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) AS e (no, since, until)"
    inside = "d.terminal_no = e.no AND d.received_from < COALESCE(e.until, 'infinity')"
    for statement in (
        f"DELETE FROM clock_doubts d USING {given.removeprefix('FROM ')} WHERE {inside} AND d.received_from >= e.since",  # noqa: S608 - constants
        f"UPDATE clock_doubts d SET received_to = e.since {given} WHERE {inside} AND d.received_from < e.since"  # noqa: S608 - constants
        " AND COALESCE(d.received_to, 'infinity') > e.since",
    ):
        await conn.execute(statement, numbers, since, until)
    await notices.settle(conn, [no for no, _, _ in spans], "clock_wrong")


async def wrong_since(
    conn: Connection, terminal: int, lag_s: int, tolerance_s: int, back_us: int
) -> int | None:
    """Since when, by receipt (us), live reports stored of a terminal have shown this lag and none that speaks against it:
    no smaller one; of a clock that is ahead no larger one. Looks back to the receipt ``back_us``. None: not stored yet."""
    lead = lag_s < 0
    against = "lag > make_interval(secs => $3)" if lead else "lag < make_interval(secs => $3)"
    since = from_us(back_us) - timedelta(seconds=max(lag_s, 0) + 86_400)
    limit_s = lag_s + tolerance_s if lead else lag_s - tolerance_s
    old = await reading.rows_in(conn, [reading.Span(terminal, max(to_us(since), 1), EVER[1], back_us)])
    received, lags = (old.columns["received_us"], old.columns["received_us"] - old.columns["device_us"])
    live = old.columns["source"] == Source.LIVE
    speaks = live & ((lags > limit_s * US_PER_S) if lead else (lags < limit_s * US_PER_S))
    last_us = int(received[speaks].max()) if speaks.any() else None
    row = await conn.fetchrow(
        "WITH live AS MATERIALIZED (SELECT received_at, received_at - device_time AS lag FROM positions"  # noqa: S608 - constants
        " WHERE terminal_no = $1 AND source = 0 AND device_time >= $4 AND device_time > timestamptz 'epoch' AND received_at >= $2),"
        f" last AS (SELECT GREATEST(max(received_at), $5::timestamptz) AS at FROM live WHERE {against})"
        " SELECT (SELECT at FROM last), (SELECT min(received_at) FROM live, last WHERE last.at IS NULL OR received_at > last.at)",
        terminal,
        from_us(back_us),
        float(limit_s),
        since,
        None if last_us is None else from_us(last_us),
    )
    last, first = row
    found = [] if first is None else [to_us(first)]
    later = received[live & (received > (EVER[0] if last is None else to_us(last)))]
    return min([*found, *later.tolist()], default=None)
