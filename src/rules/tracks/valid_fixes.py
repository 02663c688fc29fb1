"""Valid fixes of many tracks at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rules.evidence import VALID_COLUMN, acc_of, term_of
from rules.tracks.advance import advance, row_matrix
from rules.tracks.cleaning import believable
from rules.tracks.state import TrackStates
from runtime.arrays import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """Rows of a track, ascending, int64: the valid fixes (``good``; also those that still wait at its end, where they can be
    true), and those of them from which on it is cleaned as the
    whole (``clean``)."""

    good: Ints
    clean: Ints


def cleaned(tracks: Sequence[Mapping[str, Ints]], max_kmh: Sequence[int]) -> list[Cleaned]:
    """The valid fixes of each track (columns of ``evidence.TRACK_COLUMNS``, in the order of (time, fingerprint)) from its
    first row on, which is one. ``max_kmh``: of each."""
    lengths = [len(track["t_us"]) for track in tracks]
    if not sum(lengths):
        return [Cleaned(np.zeros(0, np.int64), np.zeros(0, np.int64)) for _ in tracks]

    def column(name: str) -> Ints:
        return np.concatenate([track[name] for track in tracks])

    rows = row_matrix(
        sum(lengths), t=column("t_us"), fp=column("fingerprint"), lat=column("lat_e6"), lon=column("lon_e6"),
        speed=column("speed_dkmh"), odo=column("odometer_dkm") + 1, acc=np.concatenate([acc_of(track) for track in tracks]),
        term=np.concatenate([term_of(track) for track in tracks]), max_kmh=np.repeat(np.array(max_kmh, np.int64), lengths),
    )  # fmt: skip
    states, slots = TrackStates(len(tracks)), np.repeat(np.arange(len(tracks)), lengths)
    done = advance(states, slots, rows)
    good = done.valid.copy()
    for slot in np.unique(slots[done.waits]).tolist():
        if believable(states.tip[:, slot].tolist(), max_kmh[slot]):
            good |= done.waits & (slots == slot)
    edges = np.cumsum(lengths)[:-1]
    parts = zip(np.split(good, edges), np.split(done.clean, edges), strict=True)
    return [Cleaned(np.flatnonzero(good), np.flatnonzero(clean)) for good, clean in parts]


def valid_rows(tracks: Sequence[Mapping[str, Ints]], max_kmh: Sequence[int]) -> list[Ints]:
    """Rows of each track that are valid fixes (``cleaned``)."""
    return [found.good for found in cleaned(tracks, max_kmh)]


def has_jumps(track: Mapping[str, Ints], good: Ints) -> bool:
    """Whether some time of a track has no valid fix."""
    return len(good) < len(np.unique(track["t_us"]))


def cut_before(track: Mapping[str, Ints], found: Cleaned, from_us: int) -> tuple[dict[str, Ints], Ints]:
    """The track from the last clean row before ``from_us`` on: of its rows those
    are valid that were, also when they are cleaned from its first row on. (track, valid rows)."""
    t = track["t_us"]
    before = found.clean[t[found.clean] < from_us]
    first = int(before[-1]) if len(before) else int(np.searchsorted(t, from_us))
    return {name: column[first:] for name, column in track.items()}, found.good[found.good >= first] - first


def valid_fixes_of(tracks: Sequence[Mapping[str, Ints]], max_kmh: Sequence[int]) -> list[Ints]:
    """Rows of each track (TRACK_COLUMNS, quality 0) that are valid fixes, in time order: int64 indices. Those that still wait
    for what follows, but can be true, count: they may tell for the driver. ``max_kmh``: of each."""
    unknown = [k for k, track in enumerate(tracks) if VALID_COLUMN not in track]
    rows = iter(valid_rows([tracks[k] for k in unknown], [max_kmh[k] for k in unknown]))
    found = [np.flatnonzero(track[VALID_COLUMN]) if VALID_COLUMN in track else next(rows) for track in tracks]
    return [
        rows[np.argsort(track["t_us"][rows], kind="stable")]
        for track, rows in zip(tracks, found, strict=True)
    ]


def valid_fixes(track: Mapping[str, Ints], max_speed_kmh: int) -> Ints:
    """``valid_fixes_of`` one track."""
    return valid_fixes_of([track], [max_speed_kmh])[0]
