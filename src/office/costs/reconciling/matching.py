"""Which lines of vouchers and which items of the platform belong together. Pure, and the same for the same input.

In this order: the number of an item stands in the line; unit, counterpart and amount are the same and the days near; a line is the sum of few
items, or an item that of few lines. Where several matches are possible none is made: a person says which. What is left has no other side.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from office.costs.reconciling.mapping import VoucherMapping
from office.costs.reconciling.outcome import Item, MatchStep, Outcome, judged
from office.costs.reconciling.pairs import Dated, Paired, Union, paired
from office.costs.reconciling.sums import LEAST, POOL, search
from office.costs.reconciling.voucher import VoucherLine
from registry.spelling import name_key

#: Searches for sums in one run: a bound of work, not of time, so that the same input has the same result.
MOST_SEARCHES: Final = 20_000
#: Among more that are near no sum is looked for, whatever their period.
_MOST_NEAR: Final = 500
#: Rows that are named as candidates.
MOST_CANDIDATES: Final = 12
#: Pairs of texts that are looked at for one amount.
_MOST_TEXTS: Final = 10_000
_BRACKETS: Final = re.compile(r"[〔〕\[\]()【】{}号]")
_TOKEN: Final = re.compile(r"[0-9a-z][0-9a-z-]{5,63}")
_STATEMENT: Final = re.compile(r"结20[0-9]{4}-")
_TAKE: Final = re.compile(r"-[0-9]{2}")
#: What has no two digits names nothing.
_HAS_NUMBER: Final = re.compile(r"[0-9０-９]{2}")
#: Eight digits that are a day are no number of an invoice.
_DAY: Final = re.compile(r"20[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])")
#: Shorter names stand in too many texts.
_SHORTEST_NAME: Final = 4
_LONGEST_NUMBER: Final = 160


@dataclass(frozen=True, slots=True)
class Matched:
    """What was found. ``lines``, ``items``: places in what was given; ``step`` None: nothing is matched. ``candidates_*``: of an undecided one."""

    lines: tuple[int, ...]
    items: tuple[int, ...]
    outcome: Outcome
    flaws: tuple[Outcome, ...] = ()
    step: MatchStep | None = None
    candidate_lines: tuple[int, ...] = ()
    candidate_items: tuple[int, ...] = ()


def reference_key(text: str) -> str:
    """A number as it is compared: without spaces, brackets and 号."""
    return _BRACKETS.sub("", name_key(text))


def counted_accounts(lines: Sequence[VoucherLine], mapping: VoucherMapping) -> list[str]:
    """What the accounts of lines that count begin with; none: every line counts."""
    if mapping.accounts:
        return list(mapping.accounts)
    ours = mapping.ours
    firsts = {line.account[:1] for line in lines if line.budget_class in ours}
    return ["5"] if "5" in firsts else ["7"] if "7" in firsts else []


def reconcile(
    lines: Sequence[VoucherLine], items: Sequence[Item], mapping: VoucherMapping
) -> tuple[list[Matched], int]:
    """What was found, each line of ours and each item that is due in it once, and how many lines are none of ours."""
    work = _Matching(lines, items, mapping)
    work.by_number()
    work.reversals()
    work.by_counterpart(work.ours)
    work.by_name_in_text()
    work.by_counterpart(work.others)
    work.by_sums()
    return work.finished()


class _Matching:
    def __init__(self, lines: Sequence[VoucherLine], items: Sequence[Item], mapping: VoucherMapping) -> None:
        self.lines, self.items, self._mapping = lines, items, mapping
        accounts, ours = tuple(counted_accounts(lines, mapping)), mapping.ours
        counted = [
            k for k, line in enumerate(lines) if line.amount_fen and line.account.startswith(accounts or "")
        ]
        self.ours = [k for k in counted if lines[k].budget_class in ours]
        self.others = [k for k in counted if lines[k].budget_class not in ours]
        self._free_lines, self._free_items = set(counted), set(range(len(items)))
        self._found: list[Matched] = []
        self._alias: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        for item in items:
            names = [name_key(name) for name in item.counterparts]
            for name in names[1:]:
                self._alias.setdefault(name, names[0])
        self._payees = [self._payee(item.counterparts[0]) if item.counterparts else "" for item in items]
        self._paid = [self._payee(line.counterpart) for line in lines]

    def _payee(self, name: str) -> str:
        if (key := self._keys.get(name)) is None:
            key = self._keys[name] = name_key(name)
        return self._alias.get(key, key)

    def _match(self, lines: Iterable[int], items: Iterable[int], step: MatchStep) -> None:
        lines, items = tuple(sorted(lines)), tuple(sorted(items))
        self._free_lines.difference_update(lines)
        self._free_items.difference_update(items)
        flaws = judged([self.lines[k] for k in lines], [self.items[k] for k in items])
        self._found.append(Matched(lines, items, flaws[0], flaws, step))

    def _doubt(self, lines: Collection[int], items: Collection[int]) -> None:
        """These are for a person."""
        few_lines, few_items = tuple(sorted(lines)[:MOST_CANDIDATES]), tuple(sorted(items)[:MOST_CANDIDATES])
        for k in sorted(set(lines) & self._free_lines):
            self._found.append(Matched((k,), (), Outcome.UNDECIDED, candidate_items=few_items))
        for k in sorted(set(items) & self._free_items):
            self._found.append(Matched((), (k,), Outcome.UNDECIDED, candidate_lines=few_lines))
        self._free_lines.difference_update(lines)
        self._free_items.difference_update(items)

    # --- the number stands in the line

    def by_number(self) -> None:
        """Lines that name items, with these items and all lines that name them as well."""
        index: dict[tuple[str, str], list[int]] = defaultdict(list)
        ids = {item.id: k for k, item in enumerate(self.items)}
        for k, item in enumerate(self.items):
            for reference in {reference_key(reference) for reference in item.references}:
                index[item.organisation, reference].append(k)
        union, named = Union(), set[int]()
        for k in sorted(self._free_lines):
            line = self.lines[k]
            text = f"{line.summary} {line.attachment}"
            for number in _numbers(text, index, line.organisation):
                for place in index[line.organisation, number]:
                    union.join(("line", k), ("item", place))
                    named.add(place)
        for k, item in enumerate(self.items):
            # What took it back belongs to it.
            other = None if item.reverses is None else ids.get(item.reverses)
            if other is not None and not named.isdisjoint((k, other)):
                union.join(("item", k), ("item", other))
        for lines, items in union.groups():
            self._match(lines, items, MatchStep.NUMBER)

    # --- one side takes back itself

    def reversals(self) -> None:
        """What one side has booked and taken back again is nothing."""
        groups: dict[tuple[str, ...], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for k in self.ours:
            if k in self._free_lines:
                line = self.lines[k]
                key = (line.organisation, self._paid[k], line.budget_class, str(abs(line.amount_fen)))
                groups[key][line.amount_fen < 0].append(k)
        for booked, back in groups.values():
            if not back or not booked:
                continue
            if len(booked) == len(back):
                self._match(booked + back, (), MatchStep.REVERSAL)
            elif len(booked) > len(back) and len({self.lines[k].period for k in booked}) == 1:
                # They are alike: it does not matter which of them was taken back.
                self._match(sorted(booked, key=self._when)[: len(back)] + back, (), MatchStep.REVERSAL)
            else:
                self._doubt(booked + back, ())
        ids = {item.id: k for k, item in enumerate(self.items)}
        for k, item in enumerate(self.items):
            other = None if item.reverses is None else ids.get(item.reverses)
            if other is not None and {k, other} <= self._free_items:
                self._match((), (k, other), MatchStep.REVERSAL)

    def _when(self, k: int) -> tuple[int, int]:
        return self.lines[k].day.toordinal(), k

    # --- unit, counterpart, amount

    def by_counterpart(self, lines: Sequence[int]) -> None:
        """Lines and items of one unit, counterpart and amount."""
        groups: dict[tuple[str, str, int], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for k in self._free(lines):
            if self._paid[k]:
                groups[self.lines[k].organisation, self._paid[k], self.lines[k].amount_fen][0].append(k)
        for k in sorted(self._free_items):
            item = self.items[k]
            key = (item.organisation, self._payees[k], item.amount_fen)
            if key in groups:
                groups[key][1].append(k)
        for own, items in groups.values():
            if items:
                self._take(paired(self._dated_lines(own), self._dated_items(items), self._mapping.days))

    def by_name_in_text(self) -> None:
        """Lines without a counterpart, the text of which names who was paid."""
        by_amount: dict[tuple[str, int], list[int]] = defaultdict(list)
        for k in sorted(self._free_items):
            if len(self._payees[k]) >= _SHORTEST_NAME:
                by_amount[self.items[k].organisation, self.items[k].amount_fen].append(k)
        lines_by: dict[tuple[str, int], list[int]] = defaultdict(list)
        for k in self._free(self.ours):
            if not self._paid[k]:
                lines_by[self.lines[k].organisation, self.lines[k].amount_fen].append(k)
        for key, lines in lines_by.items():
            items = by_amount.get(key, [])
            if len(lines) * len(items) > _MOST_TEXTS:
                self._doubt(lines, items)
                continue
            names = {
                item: [
                    key for key in map(name_key, self.items[item].counterparts) if len(key) >= _SHORTEST_NAME
                ]
                for item in items
            }
            union = Union()
            for k in lines:
                text = name_key(self.lines[k].summary)
                for item in items:
                    if any(name in text for name in names[item]):
                        union.join(("line", k), ("item", item))
            for own, its in union.groups():
                if len({self._payees[item] for item in its}) > 1:
                    self._doubt(own, its)  # a text names several: they are not alike
                    continue
                self._take(paired(self._dated_lines(own), self._dated_items(its), self._mapping.days))

    def _take(self, found: Paired) -> None:
        for line, item in found.pairs:
            self._match((line,), (item,), MatchStep.COUNTERPART)
        for lines, items in found.doubts:
            self._doubt(lines, items)

    def _dated_lines(self, places: Iterable[int]) -> list[Dated]:
        return [Dated(self.lines[k].day.toordinal(), k, self.lines[k].period) for k in places]

    def _dated_items(self, places: Iterable[int]) -> list[Dated]:
        return [Dated(self.items[k].day.toordinal(), k, self.items[k].period) for k in places]

    def _free(self, lines: Sequence[int]) -> Iterator[int]:
        return (k for k in lines if k in self._free_lines)

    # --- sums

    def by_sums(self) -> None:
        """A line that is the sum of few items of its unit and counterpart; then an item that is that of few lines."""
        by: dict[tuple[str, str], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for k in self._free(self.ours):
            if self._paid[k]:
                by[self.lines[k].organisation, self._paid[k]][0].append(k)
        for k in sorted(self._free_items):
            key = (self.items[k].organisation, self._payees[k])
            if key in by:
                by[key][1].append(k)
        left = MOST_SEARCHES
        for lines, items in by.values():
            if not items:
                continue
            of_lines = [(k, self._dated_lines([k])[0], self.lines[k].amount_fen) for k in lines]
            of_items = [(k, self._dated_items([k])[0], self.items[k].amount_fen) for k in items]
            left = self._sums_of(of_lines, of_items, left, whole_is_line=True)
            of_lines = [each for each in of_lines if each[0] in self._free_lines]
            of_items = [each for each in of_items if each[0] in self._free_items]
            left = self._sums_of(of_items, of_lines, left, whole_is_line=False)

    def _sums_of(
        self, wholes: Sequence[tuple[int, Dated, int]], parts: Sequence[tuple[int, Dated, int]], left: int, *, whole_is_line: bool
    ) -> int:  # fmt: skip
        """Match each of ``wholes`` with the ``parts`` that it is the sum of. What is left of the bound."""
        sure: list[tuple[int, tuple[int, ...]]] = []
        unsure: list[tuple[int, tuple[int, ...]]] = []
        parts = sorted(parts, key=lambda part: part[1])
        days, most = [part[1].day for part in parts], self._mapping.days
        for place, dated, amount in wholes:
            first, last = bisect_left(days, dated.day - most), bisect_right(days, dated.day + most)
            if left <= 0 or last - first > _MOST_NEAR:
                continue
            near = [part for part in parts[first:last] if part[2] * amount > 0]
            # What is booked in the same period counts before what is only near.
            for pool in ([part for part in near if part[1].period == dated.period], near):
                if not LEAST <= len(pool) <= POOL or left <= 0:
                    continue
                left -= 1
                result = search(amount, [part[2] for part in pool])
                if result.found:
                    members = sorted({pool[k][0] for found in result.found for k in found})
                    (sure if result.sure else unsure).append((place, tuple(members)))
                    break
        claimed = Counter(member for _, members in sure + unsure for member in members)
        for place, found in sure:
            if any(claimed[member] > 1 for member in found):
                unsure.append((place, found))
            elif whole_is_line:
                self._match((place,), found, MatchStep.SUM)
            else:
                self._match(found, (place,), MatchStep.SUM)
        for place, found in unsure:
            if whole_is_line:
                self._doubt((place,), found)
            else:
                self._doubt(found, (place,))
        return left

    # --- what is left

    def finished(self) -> tuple[list[Matched], int]:
        """All that was found, and how many lines are none of ours."""
        lines = [Matched((k,), (), Outcome.FINANCE_ONLY) for k in self._free(self.ours)]
        items = [
            Matched((), (k,), Outcome.PLATFORM_ONLY) for k in sorted(self._free_items) if self.items[k].due
        ]
        found = [*self._found, *lines, *items]
        return found, len(self.lines) - len({k for each in found for k in each.lines})


def _numbers(text: str, index: dict[tuple[str, str], list[int]], unit: str) -> set[str]:
    """The numbers in ``text`` that are references of items of ``unit``."""
    found: set[str] = set()
    if not _HAS_NUMBER.search(text):
        return found
    text = reference_key(text)
    for match in _TOKEN.finditer(text):
        for token in {match[0], *match[0].split("-")}:
            if (unit, token) in index and not _DAY.fullmatch(token):
                found.add(token)
    for match in _STATEMENT.finditer(text):
        known = ""
        for end in _TAKE.finditer(text, match.end(), match.start() + _LONGEST_NUMBER):
            if (unit, text[match.start() : end.end()]) in index:
                known = text[match.start() : end.end()]
        if known:
            found.add(known)
    return found
