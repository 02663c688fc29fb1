"""Columns of the table and rows of files as one: what ``PositionReader`` gives of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from runtime.arrays import AnyInts, Bools
from runtime.connection import Connection
from telemetry.archive.cold import reading
from telemetry.archive.cold.reading import Span
from telemetry.archive.cold.rows import Rows, first_of_each
from telemetry.quality import MAX_AHEAD_US, Quality


async def with_cold(
    conn: Connection,
    hot: dict[str, AnyInts],
    spans: Sequence[tuple[int, int, int]],
    limit: int | None,
    after: tuple[int, int, int] | None,
) -> dict[str, AnyInts]:
    """What the table has of ``spans``, and what files have of them, in the order of a track; at least the first ``limit`` + 1."""

    def further(columns: Mapping[str, AnyInts]) -> AnyInts:
        n = len(columns["terminal"])
        return np.arange(n) if after is None else np.flatnonzero(after_place(columns, after))

    def enough(rows: Rows) -> bool:
        return limit is not None and len(further(rows.columns)) > limit

    cold = await reading.rows_in(
        conn, [Span(*span) for span in spans], enough=enough if limit is not None else None
    )
    if not len(cold):
        return hot
    # Of equal ones the first wins, and that is in the file.
    both = joined([taken(cold.columns, further(cold.columns)), hot])
    return taken(both, first_of_each(both, by_terminal=False))


async def edges_with_cold(
    conn: Connection,
    hot: dict[str, AnyInts],
    spans: Sequence[Span],
    count: int,
    wanted: reading.Wanted,
    *,
    newest: bool,
) -> dict[str, AnyInts]:
    """The first (``newest``: the last) ``count`` rows of each of ``spans``: of those ``hot`` that the table has, and of those that
    files have. In the order of a track."""
    cold = await reading.edges_of(conn, spans, count, wanted, newest=newest)
    if not cold:
        return hot
    rows = Rows.concat([*cold, _as_rows(hot)]).in_order()
    chosen = [reading.first_of(rows.take(reading.inside(rows, span)), count, newest=newest) for span in spans]
    return in_track_order(Rows.concat(chosen).columns)


def wanted_fixes(valid_only: bool, max_age_us: int | None) -> reading.Wanted:
    """As the SQL of ``edges``: valid fixes (or those whose time is not ahead), by the shifted time, not TOO_OLD."""
    ahead = int(Quality.TIME_AHEAD)

    def wanted(rows: Rows, span: Span) -> Bools:
        quality, received = rows.columns["quality"], rows.columns["received_us"]
        device = rows.columns["device_us"] + span.shift_us
        found = (quality & ahead) == 0 if not span.shift_us else device <= received + MAX_AHEAD_US
        if valid_only:
            found = found & ((quality & ~ahead) == 0)
        if max_age_us is not None:
            found = found & (received - device <= max_age_us // 1_000_000 * 1_000_000)
        return np.asarray(found, bool)

    return wanted


def _as_rows(columns: dict[str, AnyInts]) -> Rows:
    n = len(columns["terminal"])
    return Rows(columns, np.full(n, -1, np.int32), np.zeros(0, np.uint8))


def joined(parts: Sequence[Mapping[str, AnyInts]]) -> dict[str, AnyInts]:
    """The rows of all ``parts``, in order."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def taken(columns: Mapping[str, AnyInts], rows: AnyInts) -> dict[str, AnyInts]:
    """The rows at these indices."""
    return {name: values[rows] for name, values in columns.items()}


def in_track_order(columns: Mapping[str, AnyInts]) -> dict[str, AnyInts]:
    """By device time, fingerprint and terminal."""
    return taken(columns, np.lexsort((columns["terminal"], columns["fingerprint"], columns["device_us"])))


def after_place(columns: Mapping[str, AnyInts], place: tuple[int, int, int]) -> Bools:
    """Which rows come after ``place`` in the order of a track."""
    device, prints, terminal = (columns[name] for name in ("device_us", "fingerprint", "terminal"))
    same = device == place[0]
    found: Bools = (device > place[0]) | (
        same & ((prints > place[1]) | ((prints == place[1]) & (terminal > place[2])))
    )
    return found
