"""Which value holds for a key at a time: intervals per key, looked up for many (key, time) pairs at once.
Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final, TypeVar

import numpy as np

from runtime.arrays import AnyInts

_T = TypeVar("_T")
_V = TypeVar("_V")

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
    edges = sorted({edge for start, end, _ in intervals if start < end for edge in (start, end)})
    flat: list[tuple[int, int, _V]] = []
    for start, end in pairwise(edges):
        value = choose([v for a, b, v in intervals if a <= start and end <= b])
        if value is None:
            continue
        if flat and flat[-1][1] == start and flat[-1][2] == value:
            flat[-1] = (flat[-1][0], end, value)
        else:
            flat.append((start, end, value))
    return flat


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
