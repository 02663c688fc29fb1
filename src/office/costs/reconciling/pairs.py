"""Lines and items of one unit, counterpart and amount: who belongs to whom, and where nobody can tell. Pure.

Within a period equal numbers of both are matched in the order of their days: they are alike in everything that is compared. Unequal numbers are
for a person. Over periods only one and one are matched that are near each other and near no other.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, order=True)
class Dated:
    """Something at a day (its ordinal) in a period. ``place``: which one."""

    day: int
    place: int
    period: str


@dataclass(slots=True)
class Paired:
    """``pairs``: (line, item). ``doubts``: lines and items of which nobody can tell who belongs to whom. ``rest``: near nothing."""

    pairs: list[tuple[int, int]] = field(default_factory=list)
    doubts: list[tuple[list[int], list[int]]] = field(default_factory=list)


def paired(lines: Sequence[Dated], items: Sequence[Dated], days: int) -> Paired:
    """Who belongs to whom; who is in neither list of the answer has nothing near it."""
    found = Paired()
    left_lines: list[Dated] = []
    left_items: list[Dated] = []
    unclear_lines: list[Dated] = []
    unclear_items: list[Dated] = []
    line_by, item_by = _by_period(lines), _by_period(items)
    for period in sorted(line_by.keys() | item_by.keys()):
        own_lines, own_items = sorted(line_by.get(period, ())), sorted(item_by.get(period, ()))
        if len(own_lines) == len(own_items):
            found.pairs += [(line.place, item.place) for line, item in zip(own_lines, own_items, strict=True)]
        elif own_lines and own_items:
            unclear_lines += own_lines
            unclear_items += own_items
        else:
            left_lines += own_lines
            left_items += own_items
    _over_periods(found, left_lines, left_items, unclear_lines, unclear_items, days)
    return found


def _by_period(dated: Iterable[Dated]) -> dict[str, list[Dated]]:
    found: dict[str, list[Dated]] = defaultdict(list)
    for each in dated:
        found[each.period].append(each)
    return found


def _over_periods(
    found: Paired, left_lines: list[Dated], left_items: list[Dated], unclear_lines: list[Dated], unclear_items: list[Dated], days: int
) -> None:  # fmt: skip
    lines, items = sorted(left_lines + unclear_lines), sorted(left_items + unclear_items)
    free_lines, free_items = set(left_lines), set(left_items)
    line_days, item_days = [line.day for line in lines], [item.day for item in items]
    doubtful_lines, doubtful_items = set(unclear_lines), set(unclear_items)
    for line in sorted(free_lines):
        near = _near(items, item_days, line.day, days)
        if not near:
            continue
        item = near[0]
        if len(near) == 1 and item in free_items and len(_near(lines, line_days, item.day, days)) == 1:
            found.pairs.append((line.place, item.place))
            free_items.discard(item)
        else:
            doubtful_lines.add(line)
    doubtful_items |= {item for item in free_items if _near(lines, line_days, item.day, days)}
    if doubtful_lines or doubtful_items:
        found.doubts.append(
            (sorted(line.place for line in doubtful_lines), sorted(item.place for item in doubtful_items))
        )


def _near(ordered: list[Dated], its_days: list[int], day: int, days: int) -> list[Dated]:
    """The first two of those within ``days`` of ``day``: more need not be known."""
    first = bisect_left(its_days, day - days)
    return ordered[first : min(first + 2, bisect_right(its_days, day + days))]


class Union:
    """Which of many belong together."""

    def __init__(self) -> None:
        self._above: dict[tuple[str, int], tuple[str, int]] = {}

    def root(self, one: tuple[str, int]) -> tuple[str, int]:
        """What all that belong together have in common."""
        path = []
        while (above := self._above.setdefault(one, one)) != one:
            path.append(one)
            one = above
        for each in path:
            self._above[each] = one
        return one

    def join(self, one: tuple[str, int], other: tuple[str, int]) -> None:
        """From now on they belong together."""
        first, second = sorted((self.root(one), self.root(other)))
        self._above[second] = first

    def groups(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """(lines, items) of each group; names are ("line" or "item", place)."""
        found: dict[tuple[str, int], tuple[list[int], list[int]]] = {}
        for one in sorted(self._above):
            lines, items = found.setdefault(self.root(one), ([], []))
            (lines if one[0] == "line" else items).append(one[1])
        return [(tuple(lines), tuple(items)) for lines, items in found.values()]
