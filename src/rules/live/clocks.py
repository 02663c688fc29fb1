"""Watches the clocks of terminals: a live report whose device time is always the same time behind (or ahead of) its
receipt comes from a clock that is wrong by a constant, such as one that writes UTC as GMT+8 (28,800 s).

Only plain live reports (0x0200) are looked at: batches and blind-zone uploads are late by nature. A store of old reports
that is sent again as live ones is told apart by its pace: its lag shrinks while it is sent. So lags are taken window by
window, the smallest of each (delays only add), and they must agree over enough windows, different device times and seconds.
Pure; what is found is written by ``telemetry.archive.clocks``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import AnyInts, Bools, Ints
from runtime.units import US_PER_S
from telemetry.archive.clock_lags import known_constant_s
from telemetry.positions import PositionBatch, Source
from telemetry.quality import Quality

#: A clock that is less than this beside the receipt is right: networks delay, and the contract allows as much ahead.
WRONG_US: Final = 10 * 60 * US_PER_S
WINDOWS: Final = 3


@dataclass(frozen=True, slots=True)
class _Proof:
    """What a window needs, and within what the smallest lags of the windows agree."""

    reports: int
    window_us: int
    agree_us: int


#: Any constant; and those that clocks are known for, where less is enough, because a store that is sent again does not stay
#: there (``telemetry.archive.clock_lags``).
_ANY: Final = _Proof(4, 180 * US_PER_S, 30 * US_PER_S)
_KNOWN: Final = _Proof(3, 20 * US_PER_S, 4 * US_PER_S)
#: Terminals watched at once, the newest of them: memory is bounded.
MOST_WATCHED: Final = 100_000


@dataclass(slots=True)
class _Watch:
    """A terminal whose live reports lag. ``lags``: the smallest of each window that is full, with when it began."""

    lags: list[tuple[int, int]] = field(default_factory=list)
    since_us: int = 0
    reports: int = 0
    device_us: int = 0
    smallest_us: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """``wrong``: (terminal, time of receipt since when, lag in us; below 0 = ahead). ``right``: (terminal, time of receipt) of
    clocks that were in doubt and are right again."""

    wrong: Sequence[tuple[int, int, int]]
    right: Sequence[tuple[int, int]]


class ClockWatch:
    """What is remembered of lagging terminals between transactions; all of it may be lost, it is gathered anew."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watch] = {}

    def take(
        self,
        batch: PositionBatch,
        quality: NDArray[np.int16],
        new: Bools,
        doubted: Mapping[int, int],
    ) -> Found:
        """Look at the ``new`` rows of ``batch`` (masks of shape (n,)), whose device times are corrected by what is known.
        ``doubted``: terminals in doubt -> the lag found (us)."""
        live = new & (batch.source == Source.LIVE) & ((quality & Quality.TIME_UNREADABLE) == 0)
        lag = batch.received_us - batch.device_us
        off = live & ((lag >= WRONG_US) | (lag <= -WRONG_US))
        if not np.count_nonzero(off) and not self._watched and not doubted:
            return Found((), ())
        wrong: list[tuple[int, int, int]] = []
        right = self._right(batch, live & ~off, doubted)
        off &= ~_as_known(batch.terminal, lag, doubted)
        fine_again = {no for no, _ in right}
        for no, steps in _steps(batch, lag, off).items():
            found = self._lagging(no, steps)
            if found is None or no in fine_again:
                continue
            known = doubted.get(no)
            if known is None or abs(known - found[1]) > _ANY.agree_us:
                wrong.append((no, *found))
        return Found(wrong, right)

    def _right(self, batch: PositionBatch, fine: Bools, doubted: Mapping[int, int]) -> list[tuple[int, int]]:
        """Whoever sends a live report in time has a clock that is right: what was gathered about it is forgotten."""
        asked = np.fromiter({*self._watched, *doubted}, np.int32)
        rows = np.flatnonzero(fine & np.isin(batch.terminal, asked))
        ended = []
        for no in np.unique(batch.terminal[rows]).tolist():
            self._watched.pop(no, None)
            if no in doubted:
                ended.append((no, int(batch.received_us[rows[batch.terminal[rows] == no]].min())))
        return ended

    def _lagging(self, no: int, steps: Sequence[_Step]) -> tuple[int, int] | None:
        """Take lagging reports of one terminal, in order of receipt; (since, lag) when they are enough."""
        watch = self._watched.pop(no, None) or _Watch()
        self._watched[no] = watch  # the newest is last
        if len(self._watched) > MOST_WATCHED:
            del self._watched[next(iter(self._watched))]
        found = None
        for step in steps:
            found = _take(watch, *step) or found
        return found


#: Reports of one terminal received at one moment: that moment, their first and last device time, how many different ones
#: there are, the smallest lag. All times in us.
_Step = tuple[int, int, int, int, int]


def _take(
    watch: _Watch, received_us: int, first_us: int, last_us: int, times: int, lag_us: int
) -> tuple[int, int] | None:
    if not watch.reports:
        watch.since_us, watch.smallest_us = received_us, lag_us
    watch.smallest_us = min(watch.smallest_us, lag_us)
    watch.reports += times - (first_us == watch.device_us)  # the same report again says nothing
    watch.device_us = last_us
    proof = _KNOWN if known_constant_s(watch.smallest_us / US_PER_S) is not None else _ANY
    if watch.reports < proof.reports or received_us - watch.since_us < proof.window_us:
        return None
    watch.lags = [*watch.lags, (watch.since_us, watch.smallest_us)][-WINDOWS:]
    watch.reports = 0
    if len(watch.lags) < WINDOWS:
        return None
    least = min(lag for _, lag in watch.lags)
    if max(lag for _, lag in watch.lags) - least > proof.agree_us:
        return None
    return watch.lags[0][0], least


def _steps(batch: PositionBatch, lag: Ints, mask: Bools) -> dict[int, list[_Step]]:
    """Terminal -> its steps in order of receipt, of the rows of ``mask``. By columns: after an outage all may lag."""
    rows = np.flatnonzero(mask)
    if not len(rows):
        return {}
    rows = rows[np.lexsort((batch.device_us[rows], batch.received_us[rows], batch.terminal[rows]))]
    terminal, received, device = batch.terminal[rows], batch.received_us[rows], batch.device_us[rows]
    begins = np.r_[True, (np.diff(terminal) != 0) | (np.diff(received) != 0)]
    starts = np.flatnonzero(begins)
    fresh = begins | np.r_[True, np.diff(device) != 0]
    columns = (
        received[starts], device[starts], device[np.r_[starts[1:], len(rows)] - 1],
        np.add.reduceat(fresh.astype(np.int64), starts), np.minimum.reduceat(lag[rows], starts),
    )  # fmt: skip
    found: dict[int, list[_Step]] = {}
    for no, *step in zip(terminal[starts].tolist(), *(column.tolist() for column in columns), strict=True):
        found.setdefault(no, []).append((step[0], step[1], step[2], step[3], step[4]))
    return found


def _as_known(terminal: AnyInts, lag: Ints, doubted: Mapping[int, int]) -> Bools:
    """Where a terminal in doubt lags by about what was found (or by more: delays add). Shape (n,)."""
    if not doubted:
        return np.zeros(len(terminal), np.bool_)
    names = np.array(sorted(doubted), np.int64)
    known = np.array([doubted[no] for no in names.tolist()], np.int64)
    place = np.searchsorted(names, terminal).clip(max=len(names) - 1)
    more = lag - known[place]
    same: Bools = (names[place] == terminal) & (more >= -_ANY.agree_us) & (more <= WRONG_US)
    return same
