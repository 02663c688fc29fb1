"""Clocks of terminals that are wrong by a constant: what is known of them, and positions read by it.

A *piece* says of a terminal's positions received in [from, to): add ``shift_us`` to their device time (the office's
correction), and whether they are no evidence (a doubt). What was received stays as it is in the table; everybody who reads
positions gets the time that results. The SQL that reads ``clock_corrections`` and all of ``clock_doubts`` are here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from runtime.apart import read_apart
from runtime.arrays import Bools, Ints
from runtime.connection import Connection
from runtime.errors import text_of
from runtime.faults import of_one_fact
from runtime.units import US_PER_S, from_us, to_us
from telemetry.positions import PositionBatch
from telemetry.quality import MAX_AHEAD_US, Quality
from telemetry.terminals import notices

_logger = logging.getLogger(__name__)

#: Before and after every time of receipt.
EVER: Final = (-(1 << 62), 1 << 62)


@dataclass(frozen=True, slots=True)
class Piece:
    """See the module. Times of receipt, microseconds since 1970 UTC, half open. ``said``: the office has said what the clock is,
    also that it is right (a shift of 0)."""

    from_us: int
    to_us: int
    shift_us: int
    doubted: bool
    said: bool = field(default=False, compare=False)

    @property
    def plain(self) -> bool:
        """Whether its positions are as they were received."""
        return not self.shift_us and not self.doubted


PLAIN: Final = Piece(*EVER, 0, False)
#: What is known, by terminal number: the pieces of all times, in order. A terminal that is not there has PLAIN only.
Clocks = Mapping[int, Sequence[Piece]]


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
        "SELECT * FROM (SELECT terminal_no, valid_from, valid_to AS until, shift_s, false AS doubted FROM clock_corrections"  # noqa: S608 - constants
        " UNION ALL SELECT terminal_no, received_from, received_to, 0, true FROM clock_doubts) AS known"
        f"{where}",
        *values,
    )
    found: dict[int, list[tuple[int, int, int, bool]]] = {}
    for no, since, until, shift_s, doubted in rows:
        end = EVER[1] if until is None else to_us(until)
        found.setdefault(no, []).append((to_us(since), end, shift_s * US_PER_S, doubted))
    return {no: pieces_of(given) for no, given in found.items()}


def pieces_of(given: Sequence[tuple[int, int, int, bool]]) -> list[Piece]:
    """The pieces of all times of (from, to, shift in us, whether it is a doubt). Of several corrections that hold the one
    that begins last does; a doubt holds beside it: it was found after the correction, for the time that resulted."""
    edges = sorted({EVER[0], EVER[1], *(edge for since, until, _, _ in given for edge in (since, until))})
    pieces: list[Piece] = []
    for a, b in pairwise(edges):
        here = [one for one in given if one[0] <= a < one[1]]
        shift = max((one for one in here if not one[3]), key=lambda one: one[0], default=(0, 0, 0, False))[2]
        piece = Piece(a, b, shift, any(one[3] for one in here), any(not one[3] for one in here))
        if pieces and replace(pieces[-1], from_us=a, to_us=b) == piece and pieces[-1].said == piece.said:
            piece = replace(piece, from_us=pieces.pop().from_us)
        pieces.append(piece)
    return pieces


def derive(
    batch: PositionBatch, quality: NDArray[np.int16], clocks: Clocks
) -> tuple[PositionBatch, NDArray[np.int16]]:
    """``batch`` and its ``quality`` (int16, shape (n,)) as they are by ``clocks``: the device times corrected, positions in
    doubt marked CLOCK_WRONG. The same objects where nothing is to be done."""
    names = np.array(sorted(clocks), np.int64)
    place = np.searchsorted(names, batch.terminal).clip(max=max(len(names) - 1, 0))
    rows = np.flatnonzero(names[place] == batch.terminal) if len(names) else np.zeros(0, np.int64)
    if not len(rows):
        return batch, quality
    shift, doubted = _found(clocks, names, place[rows], batch.received_us[rows])
    readable = (quality[rows] & Quality.TIME_UNREADABLE) == 0  # a time that could not be read stays so
    device, quality = batch.device_us.copy(), quality.copy()
    device[rows] += np.where(readable, shift, 0)
    ahead = np.where(device > batch.received_us + MAX_AHEAD_US, np.int16(Quality.TIME_AHEAD), np.int16(0))
    moved = rows[readable & (shift != 0)]
    quality[moved] = (quality[moved] & ~np.int16(Quality.TIME_AHEAD)) | ahead[moved]
    quality[rows[doubted]] |= np.int16(Quality.CLOCK_WRONG)
    return replace(batch, device_us=device), quality


def _found(clocks: Clocks, names: Ints, place: Ints, received: Ints) -> tuple[Ints, Bools]:
    """Of rows of the terminals ``names[place]``: their shift in us, and whether they are in doubt. By columns: a city may have
    thousands of such terminals, each with few pieces."""
    pieces = [[piece for piece in clocks[no] if not piece.plain] for no in names.tolist()]
    shift, doubted = np.zeros(len(place), np.int64), np.zeros(len(place), np.bool_)
    for k in range(max(map(len, pieces))):
        mine = [given[k] if k < len(given) else Piece(0, 0, 0, False) for given in pieces]
        since, until, by = (
            np.array(values, np.int64)[place]
            for values in zip(*((one.from_us, one.to_us, one.shift_us) for one in mine), strict=True)
        )
        inside = (received >= since) & (received < until)
        shift = np.where(inside, by, shift)
        doubted |= inside & np.array([one.doubted for one in mine])[place]
    return shift, doubted


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
    moment = await conn.fetchval(
        "WITH live AS MATERIALIZED (SELECT received_at, received_at - device_time AS lag FROM positions"  # noqa: S608 - constants
        " WHERE terminal_no = $1 AND source = 0 AND device_time >= $2::timestamptz - make_interval(secs => $4)"
        " AND device_time > timestamptz 'epoch' AND received_at >= $2),"
        f" last AS (SELECT max(received_at) AS at FROM live WHERE {against})"
        " SELECT min(received_at) FROM live, last WHERE last.at IS NULL OR received_at > last.at",
        terminal,
        from_us(back_us),
        float(lag_s + tolerance_s if lead else lag_s - tolerance_s),
        float(max(lag_s, 0) + 86_400),
    )
    return None if moment is None else to_us(moment)
