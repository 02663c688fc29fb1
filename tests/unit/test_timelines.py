"""Intervals that overlap, as ones that do not."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np

from registry.snapshot.timelines import flatten, highest

Flat = list[tuple[int, int, object]]


def plainly(intervals: list[tuple[int, int, tuple[int, int]]], best: bool) -> Flat:
    """The definition: at every time all that hold, or the greatest of them."""
    edges = sorted({edge for start, end, _ in intervals if start < end for edge in (start, end)})
    flat: Flat = []
    for start, end in pairwise(edges):
        held = [value for a, b, value in intervals if a <= start and end <= b]
        if not held:
            continue
        value: object = max(held)[1] if best else tuple(held)
        if flat and flat[-1][1] == start and flat[-1][2] == value:
            flat[-1] = (flat[-1][0], end, value)
        else:
            flat.append((start, end, value))
    return flat


def test_any_intervals() -> None:
    rng = random.Random(3)
    for _ in range(2_000):
        intervals = [
            (a := rng.randrange(12), a + rng.randrange(-1, 6), (k * 7919 % 31, rng.randrange(3)))
            for k in range(rng.randrange(9))
        ]
        assert flatten(intervals, lambda held: tuple(held) or None) == plainly(intervals, best=False)
        ranked = [(a, b, rank, value) for a, b, (rank, value) in intervals]
        assert highest(ranked) == plainly(intervals, best=True)


def test_thousands_of_intervals_that_overlap_cost_little() -> None:
    """A file of orders that all cover their vehicle at a time must not hold the worker: work grows with their number, not with its
    square. Counted in comparisons of ranks."""
    compared = 0

    class Rank(int):
        def __lt__(self, other: int) -> bool:
            nonlocal compared
            compared += 1
            return int(self) < int(other)

    count = 20_000
    order = np.random.default_rng(1).permutation(count).tolist()
    found = highest([(k, count + k, Rank(order[k]), k) for k in range(count)])
    assert found[0][0] == 0
    assert found[-1][1] == 2 * count - 1
    assert compared < 20 * count
