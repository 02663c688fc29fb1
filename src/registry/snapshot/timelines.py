"""Which value holds for a key at a time: intervals per key, looked up for many (key, time) pairs at once.
Pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from runtime.arrays import AnyInts

if TYPE_CHECKING:
    from _typeshed import SupportsRichComparison

_T = TypeVar("_T")
_V = TypeVar("_V")
_R = TypeVar("_R", bound="SupportsRichComparison")

#: No end, or no value.
FOREVER: Final = np.iinfo(np.int64).max
NONE: Final = -1


class Timelines:
    """Intervals [start, end) of values, of which those of one key do not overlap.

    Looking up n pairs is a binary search in columns: a few vector operations over n, whatever the number of
    keys.
    """

    def __init__(self) -> None:
        self._key = np.zeros(0, np.int64)  # sorted by (key, start)
        self._start = np.zeros(0, np.int64)
        self._end = np.zeros(0, np.int64)
        self._value = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._key)

    def columns(self) -> tuple[AnyInts, AnyInts, AnyInts, AnyInts]:
        """(key, start, end, value) of all intervals, sorted by (key, start). Read only."""
        return self._key, self._start, self._end, self._value

    def replace(self, keys: Iterable[int], rows: Sequence[tuple[int, int, int, int]]) -> None:
        """Drop everything of ``keys`` and add ``rows`` of (key, start, end, value), whose keys are among
        ``keys`` or have nothing yet."""
        keep = ~np.isin(self._key, np.fromiter(keys, np.int64))
        new = np.array(rows, np.int64).reshape(-1, 4)
        new = new[np.lexsort((new[:, 1], new[:, 0]))]
        key = self._key[keep]
        # New rows go where their key is, or would be: the old order of the rest is right already.
        at = np.searchsorted(key, new[:, 0], "right")
        for column, name in enumerate(("_key", "_start", "_end", "_value")):
            setattr(self, name, np.insert(getattr(self, name)[keep], at, new[:, column]))

    def at(self, keys: AnyInts, times: AnyInts) -> AnyInts:
        """The value that holds for each (key, time), or NONE. Shape (n,), int64."""
        keys = np.asarray(keys, np.int64)
        if not len(self._key) or not len(keys):
            return np.full(len(keys), NONE, np.int64)
        first = np.searchsorted(self._key, keys, "left")
        low, high = first.copy(), np.searchsorted(self._key, keys, "right")
        for _ in range(int((high - low).max()).bit_length()):  # low: how many starts are <= time
            middle = (low + high) >> 1
            below = (low < high) & (self._start[np.minimum(middle, len(self._key) - 1)] <= times)
            low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
        found = np.maximum(low - 1, 0)
        return np.where((low > first) & (times < self._end[found]), self._value[found], NONE)

    def rows_of(self, key: int) -> list[tuple[int, int, int]]:
        """(start, end, value) of a key, by start."""
        span = slice(*np.searchsorted(self._key, [key, key + 1]))
        return list(
            zip(self._start[span].tolist(), self._end[span].tolist(), self._value[span].tolist(), strict=True)
        )

    def keys_with(self, values: Iterable[int]) -> list[int]:
        """The keys that ever have one of ``values``."""
        found: list[int] = np.unique(self._key[np.isin(self._value, np.fromiter(values, np.int64))]).tolist()
        return found


def flatten(
    intervals: Sequence[tuple[int, int, _T]], choose: Callable[[list[_T]], _V | None]
) -> list[tuple[int, int, _V]]:
    """Intervals that may overlap, as ones that do not: at every time what ``choose`` makes of those that hold
    then (in the order given; None = nothing). Empty intervals hold never; neighbours of one value are
    joined."""
    flat: list[tuple[int, int, _V]] = []
    held: list[
        int
    ] = []  # in the order given; kept from edge to edge, for there may be thousands of intervals
    for start, end, begun, over in _stretches(intervals):
        for k in over:
            del held[bisect_left(held, k)]
        for k in begun:
            insort(held, k)
        value = choose([intervals[k][2] for k in held])
        if value is not None:
            _append(flat, start, end, value)
    return flat


def highest(intervals: Sequence[tuple[int, int, _R, _V]]) -> list[tuple[int, int, _V]]:
    """Of intervals (start, end, rank, value) that may overlap, at every time the value of the one with the greatest rank (no two
    are equal). As ``flatten``, for any number of them at a time."""
    flat: list[tuple[int, int, _V]] = []
    by_rank = sorted(range(len(intervals)), key=lambda k: intervals[k][2], reverse=True)
    place = {k: n for n, k in enumerate(by_rank)}
    held: list[int] = []  # a heap of places; what is over leaves it when it comes to the top
    for start, end, begun, _ in _stretches([(a, b, None) for a, b, _, _ in intervals]):
        for k in begun:
            heappush(held, place[k])
        while held and intervals[by_rank[held[0]]][1] <= start:
            heappop(held)
        if held:
            _append(flat, start, end, intervals[by_rank[held[0]]][3])
    return flat


def _stretches(
    intervals: Sequence[tuple[int, int, object]],
) -> Iterator[tuple[int, int, list[int], list[int]]]:
    """(start, end, which intervals begin, which end at its start) of the times between two neighbouring edges."""
    begins: dict[int, list[int]] = defaultdict(list)
    ends: dict[int, list[int]] = defaultdict(list)
    for k, (start, end, _) in enumerate(intervals):
        if start < end:
            begins[start].append(k)
            ends[end].append(k)
    for start, end in pairwise(sorted({*begins, *ends})):
        yield start, end, begins.get(start, []), ends.get(start, [])


def _append(flat: list[tuple[int, int, _V]], start: int, end: int, value: _V) -> None:
    if flat and flat[-1][1] == start and flat[-1][2] == value:
        flat[-1] = (flat[-1][0], end, value)
    else:
        flat.append((start, end, value))


def overlaps(key: AnyInts, start: AnyInts, end: AnyInts) -> Timelines:
    """When several of the intervals [start, end) of one key hold, whose value is then 1. Columns of shape (n,), any order."""
    found = Timelines()
    order = np.lexsort((start, key))
    key, start, end = np.asarray(key)[order], np.asarray(start)[order], np.asarray(end)[order]
    next_ = (key[1:] == key[:-1]) & (start[1:] < end[:-1])
    rows = []
    for one in np.unique(key[1:][next_]).tolist():
        span = slice(*np.searchsorted(key, [one, one + 1]))
        held = list(
            zip(start[span].tolist(), end[span].tolist(), [1] * (span.stop - span.start), strict=True)
        )
        rows += [(one, a, b, 1) for a, b, _ in flatten(held, lambda values: 1 if len(values) > 1 else None)]
    found.replace((), rows)
    return found
