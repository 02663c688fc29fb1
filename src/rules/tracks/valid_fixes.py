"""Valid fixes of many tracks at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rules.tracks.advance import advance, row_matrix
from rules.tracks.state import TrackStates
from runtime.arrays import Ints


def valid_rows(tracks: Sequence[Mapping[str, Ints]], max_kmh: Sequence[int]) -> list[Ints]:
    """Rows of each track (columns of ``evidence.TRACK_COLUMNS``, in the order of (time, fingerprint)) that are valid fixes
    from its first row on, which is one: int64 indices, ascending. ``max_kmh``: of each track."""
    lengths = [len(track["t_us"]) for track in tracks]
    if not sum(lengths):
        return [np.zeros(0, np.int64) for _ in tracks]

    def column(name: str) -> Ints:
        return np.concatenate([track[name] for track in tracks])

    rows = row_matrix(
        sum(lengths), t=column("t_us"), fp=column("fingerprint"), lat=column("lat_e6"), lon=column("lon_e6"),
        max_kmh=np.repeat(np.array(max_kmh, np.int64), lengths),
    )  # fmt: skip
    done = advance(TrackStates(len(tracks)), np.repeat(np.arange(len(tracks)), lengths), rows)
    return [np.flatnonzero(part) for part in np.split(done.valid, np.cumsum(lengths)[:-1])]


def has_jumps(track: Mapping[str, Ints], good: Ints) -> bool:
    """Whether some time of a track has no valid fix."""
    return len(good) < len(np.unique(track["t_us"]))


def cut_before(track: Mapping[str, Ints], good: Ints, from_us: int) -> tuple[dict[str, Ints], Ints]:
    """The track from the last valid fix before ``from_us`` on, without what lies between: of its rows those from then on
    are valid that were, also when they are cleaned from its first row on. (track, valid rows)."""
    t = track["t_us"]
    before = good[t[good] < from_us]
    rows = np.concatenate((before[-1:], np.arange(np.searchsorted(t, from_us), len(t))))
    return {name: column[rows] for name, column in track.items()}, np.flatnonzero(np.isin(rows, good))
