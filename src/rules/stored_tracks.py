"""Stored tracks of many vehicles at once, and their valid fixes.

Where a track is cut, its first row has no fix before it to be compared with: a jump there would count and throw out the
true fixes after it. So a track with jumps, or one that accuses, is taken from the last fix before it on that was valid at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

import numpy as np

from rules.evidence import ACC_COLUMN, TERM_COLUMN, TRACK_COLUMNS, VALID_COLUMN
from rules.live.store.states import load_day_states
from rules.tracks.state import STATE_DTYPE, STATE_VERSION, TrackStates
from rules.tracks.valid_fixes import cleaned, cut_before, has_jumps, valid_rows
from runtime.arrays import Ints
from runtime.connection import Connection
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, china_day
from telemetry.archive.read import Track
from telemetry.archive.store import Archive
from telemetry.positions import acc_column

#: A stretch of a vehicle, or of a terminal: (number, from, to), half open, microseconds since 1970 UTC.
Want = tuple[int, int, int]
#: The stretches of terminals that each of some stretches of vehicles consists of.
SpansOf = Callable[[Sequence[Want]], Awaitable[Sequence[Sequence[Want]]]]
T = TypeVar("T")
#: What is made of track number k, given as columns, and its valid rows.
Judge = Callable[[int, dict[str, Ints], Ints], T]
#: A track as columns, its valid rows, and what was made of it.
Judged = tuple[dict[str, Ints], Ints, T]

#: Without any state of the vehicle (the first day, or one whose states are not kept any more) fixes before a track are
#: looked for so far back.
BEFORE_TRACK_US: Final = US_PER_DAY
#: Tracks that are read from the day before in memory at once.
LONGER_AT_ONCE: Final = 31


async def judged_tracks(
    conn: Connection, archive: Archive, wants: Sequence[Want], max_kmh: Sequence[int], spans_of: SpansOf,
    judge: Judge[T], accuses: Callable[[T], bool],
) -> list[Judged[T]]:  # fmt: skip
    """The track of each of ``wants`` (of vehicles), its valid rows and what ``judge`` makes of them; ``max_kmh``: of each.
    One of which that accuses anybody, and one with jumps, begins with the last valid fix before it, where there is one,
    and is judged so."""
    tracks = await tracks_in(archive, conn, await spans_of(wants))
    found: dict[int, Judged[T]] = {}
    for k, (track, good) in enumerate(zip(tracks, valid_rows(tracks, max_kmh), strict=True)):
        if not has_jumps(track, good):
            _mark(track, good)
            made = judge(k, track, good)
            if not accuses(made):
                found[k] = track, good, made
    doubtful = [k for k in range(len(wants)) if k not in found]
    for start in range(0, len(doubtful), LONGER_AT_ONCE):
        part = doubtful[start : start + LONGER_AT_ONCE]
        since = await _known_since(conn, [wants[k] for k in part])
        longer = [(wants[k][0], us, wants[k][2]) for k, us in zip(part, since, strict=True)]
        tracks = await tracks_in(archive, conn, await spans_of(longer))
        valid = cleaned(tracks, [max_kmh[k] for k in part])
        for k, track, rows in zip(part, tracks, valid, strict=True):
            track, good = cut_before(track, rows, wants[k][1])
            _mark(track, good)
            found[k] = track, good, judge(k, track, good)
    return [found[k] for k in range(len(wants))]


def _mark(track: dict[str, Ints], good: Ints) -> None:
    """Evidence that is a part of ``track`` knows by this column which of its fixes are valid."""
    track[VALID_COLUMN] = np.zeros(len(track["t_us"]), np.int64)
    track[VALID_COLUMN][good] = 1


async def _known_since(conn: Connection, wants: Sequence[Want]) -> list[int]:
    """From when on each vehicle's fixes are to be cleaned so that what is valid is what the worker took for valid: the last
    valid fix before the day of the stretch."""
    days = np.array([china_day(since) for _, since, _ in wants], np.int64)
    found, found_days, packed = await load_day_states(
        conn, np.array([no for no, _, _ in wants], np.int64), days, STATE_DTYPE, STATE_VERSION
    )
    states = TrackStates(len(wants))
    states.unpack(found, packed)
    starts = [max(since - BEFORE_TRACK_US, 0) for _, since, _ in wants]
    for k, day in zip(found.tolist(), found_days.tolist(), strict=True):
        starts[k] = int(states.field("prev_t")[k]) or day * US_PER_DAY - CHINA_OFFSET_US
    return [min(us, since) for us, (_, since, _) in zip(starts, wants, strict=True)]


async def tracks_in(
    archive: Archive, conn: Connection, spans: Sequence[Sequence[Want]]
) -> list[dict[str, Ints]]:
    """For each list of (terminal number, from, to) the usable stored fixes (quality 0): columns of
    ``evidence.TRACK_COLUMNS``, int64, by (time, fingerprint). Stretches may overlap: one query reads them all, what belongs
    to several lists is read once."""
    merged: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for pieces in spans:
        for terminal, start, end in pieces:
            merged[terminal].append((start, end))
    asked = [(no, a, b) for no, parts in sorted(merged.items()) for a, b in _union(parts)]
    return _cut(await archive.track(conn, asked), spans)


def _union(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of one terminal without overlap: a row is read once."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(parts):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _cut(track: Track, spans: Sequence[Sequence[Want]]) -> list[dict[str, Ints]]:
    """The rows of each list of (terminal, from, to) in a track that holds them all."""
    batch = track.batch
    usable = np.flatnonzero(track.quality == 0)
    by_terminal = usable[np.argsort(batch.terminal[usable], kind="stable")]  # keeps (time, fingerprint)
    terminal_of = batch.terminal.astype(np.int64)
    terminal = terminal_of[by_terminal]
    t = batch.device_us[by_terminal]
    found = []
    for pieces in spans:
        parts = []
        for no, start, end in pieces:
            low, high = np.searchsorted(terminal, [no, no + 1])
            a, b = np.searchsorted(t[low:high], [start, end])
            parts.append(by_terminal[low + a : low + b])
        rows = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        if len(parts) > 1:
            rows = rows[np.lexsort((track.fingerprint[rows], batch.device_us[rows]))]
        columns = fix_columns(track, rows)
        terms = shared_terms(pieces, terminal_of[rows], columns["t_us"])
        if terms.any():
            columns[TERM_COLUMN] = terms
        found.append(columns)
    return found


def shared_terms(pieces: Sequence[Want], terminal: Ints, t_us: Ints) -> Ints:
    """Column ``term`` of fixes of a vehicle: ``terminal`` (n,) at the times at which several terminals sat in it, by ``pieces``
    (terminal, from, to), else 0."""
    if len({no for no, _, _ in pieces}) < 2:
        return np.zeros(len(t_us), np.int64)
    sat = np.zeros(len(t_us), np.int64)
    for _, start, end in pieces:
        sat += (t_us >= start) & (t_us < end)
    return np.where(sat > 1, terminal, 0)


def fix_columns(track: Track, rows: Ints) -> dict[str, Ints]:
    """``rows`` of a stored track as columns of ``evidence.TRACK_COLUMNS`` and ``acc``, int64; an odometer that is absent is
    -1."""
    batch = track.batch
    columns = {
        "t_us": batch.device_us[rows],
        "fingerprint": track.fingerprint[rows],
        "lat_e6": batch.lat_e6[rows],
        "lon_e6": batch.lon_e6[rows],
        "speed_dkmh": batch.speed_dkmh[rows],
        "direction_deg": batch.direction_deg[rows],
        "odometer_dkm": np.where(
            batch.known("odometer_dkm")[rows], batch.odometer_dkm[rows].astype(np.int64), -1
        ),
    }
    return {name: columns[name].astype(np.int64) for name in TRACK_COLUMNS} | {
        ACC_COLUMN: acc_column(batch, rows)
    }
