"""Which few of many amounts have a given sum: meet in the middle, bounded, and nothing is claimed that may be chance. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Final

import numpy as np

#: Amounts of one sum, at least and at most; amounts among which is looked.
LEAST: Final = 2
MOST: Final = 6
POOL: Final = 24
#: Sums that are shown where several are possible.
SHOWN: Final = 20
#: So many sums that are equal by chance may be expected where one is believed.
CHANCE: Final = 0.01
#: A sum in the middle of all possible ones is about so much likelier than the mean of them.
_PEAK: Final = 3


@dataclass(frozen=True, slots=True)
class Search:
    """``found``: places of the amounts of each sum, SHOWN of them at most. ``sure``: there is one, and it is hardly by chance."""

    found: tuple[tuple[int, ...], ...]
    sure: bool


def search(target: int, amounts: Sequence[int]) -> Search:
    """Sums of LEAST to MOST of ``amounts`` (at most POOL, none zero, all of the sign of ``target``) that are ``target``."""
    count = len(amounts)
    if count < LEAST:
        return Search((), sure=False)
    half = count // 2
    (left, left_sizes), (right, right_sizes) = _sums(amounts[:half]), _sums(amounts[half:])
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    first = np.searchsorted(ordered, target - left, "left")
    last = np.searchsorted(ordered, target - left, "right")
    found: list[tuple[int, ...]] = []
    for place in np.flatnonzero(last > first):
        for other in order[first[place] : last[place]]:
            if LEAST <= left_sizes[place] + right_sizes[other] <= MOST:
                beyond = _subsets(count - half)[int(other)]
                found.append((*_subsets(half)[int(place)], *(half + k for k in beyond)))
                if len(found) == SHOWN:
                    return Search(tuple(found), sure=False)
    return Search(tuple(found), sure=len(found) == 1 and expected(amounts) <= CHANCE)


def expected(amounts: Sequence[int]) -> float:
    """How many of the sums of ``amounts`` are a given one by chance, about: round amounts make few different sums."""
    ordered = sorted(map(abs, amounts))
    tried = sum(math.comb(len(ordered), k) for k in range(LEAST, MOST + 1))
    span = sum(ordered[-MOST:])
    return _PEAK * tried / (span // math.gcd(*ordered) + 1)


@lru_cache(maxsize=POOL)
def _subsets(count: int) -> tuple[tuple[int, ...], ...]:
    return tuple(each for size in range(min(count, MOST) + 1) for each in combinations(range(count), size))


@lru_cache(maxsize=POOL)
def _members(count: int) -> tuple[np.ndarray, np.ndarray]:
    subsets = _subsets(count)
    marks = np.zeros((len(subsets), count), dtype=np.int64)
    for row, subset in enumerate(subsets):
        marks[row, list(subset)] = 1
    return marks, marks.sum(axis=1)


def _sums(amounts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    marks, sizes = _members(len(amounts))
    return marks @ np.asarray(amounts, dtype=np.int64), sizes
