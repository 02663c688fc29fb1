"""What people found about alerts, beside what a backtest says: how precise a rule is as the office itself judged it, and what
other parameters would have lost or spared. Pure; the findings come from outside, with their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rules.backtest.model import Kind, Row


@dataclass(frozen=True, slots=True)
class Label:
    """A finding about the alert of ``subject``, of a unit and a month (``2026-03``)."""

    subject: str
    organisation: str
    month: str
    finding: str


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings there are, in the order in which they are shown: code -> Chinese and English. ``right``: those that say
    that the alert was right; ``open``: those that say nothing of it; the others say that it was wrong."""

    words: Mapping[str, str]
    right: frozenset[str]
    open: frozenset[str]

    def precision(self, counts: Mapping[str, int]) -> tuple[int, int]:
        """(right ones, all of which something is said)."""
        said = {code: n for code, n in counts.items() if code not in self.open}
        return sum(n for code, n in said.items() if code in self.right), sum(said.values())


@dataclass(slots=True)
class Against:
    """Counts findings against the kinds of a backtest's rows."""

    findings: Findings
    labels: Sequence[Label]
    kinds: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    _of: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._of = {label.subject: label.finding for label in self.labels}

    def add(self, rows: Iterable[Row]) -> None:
        """Count the rows whose subjects have a finding."""
        for row in rows:
            if (finding := self._of.get(row.subject)) is not None:
                self.kinds[row.kind, finding] += 1

    def lines(self) -> Iterator[str]:
        """For people; nothing where nothing was found."""
        if not self.labels:
            return
        yield "管理处的结论 / as the office itself judged"
        groups: dict[tuple[str, str], Counter[str]] = {}
        for label in self.labels:
            groups.setdefault((label.month, label.organisation), Counter())[label.finding] += 1
        total = Counter[str](label.finding for label in self.labels)
        for (month, unit), counts in sorted(groups.items()):
            yield f"  {month}  {unit}: {self._told(counts)}"
        yield f"  合计 / all: {self._told(total)}"
        lost = {code: self.kinds[Kind.WITHDRAWN, code] for code in self.findings.words}
        if any(lost.values()):
            right, said = self.findings.precision(lost)
            yield (
                f"  将撤销的预警中 / of those that would be withdrawn: {self._counts(lost)}；"
                f"漏掉属实 / right ones lost {right}，免去误报 / wrong ones spared {said - right}"
            )

    def _told(self, counts: Mapping[str, int]) -> str:
        right, said = self.findings.precision(counts)
        share = "-" if not said else f"{100 * right / said:.0f}%"
        return f"{self._counts(counts)}；准确率 / precision {right}/{said} = {share}"

    def _counts(self, counts: Mapping[str, int]) -> str:
        return "，".join(
            f"{words} {counts[code]}" for code, words in self.findings.words.items() if counts.get(code)
        )
