"""What a backtest is asked and what it answers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from registry.fences import FenceVersion
from rules.alerts.current import StandingAlert
from rules.alerts.model import Measure, StoredEvaluation
from rules.wording.standard import STANDARD


@dataclass(frozen=True, slots=True)
class Question:
    """Subjects of ``rule`` in [from, to), microseconds since 1970 UTC, judged as if ``values`` (parameters of the rule by
    name) had always held: for everyone, or for ``organisation``, whose subjects alone are judged then. ``fence``: as if it had
    always been the fence of this id of its unit; then the vehicles that it names are judged as well."""

    rule: str
    from_us: int
    to_us: int
    values: Mapping[str, int] = field(default_factory=dict)
    organisation: str | None = None
    fence: FenceVersion | None = None

    @property
    def proposes(self) -> bool:
        """Whether anything is to be other than it is."""
        return bool(self.values) or self.fence is not None


class Kind(StrEnum):
    """What would become of a subject."""

    RAISED = "raised"  # not suspected now, suspected then
    WITHDRAWN = "withdrawn"  # suspected now, not then
    CHANGED = "changed"  # something else differs: the outcome, the reason, the numbers, the severity
    UNCHANGED = "unchanged"
    WAITING = "waiting"  # cannot be judged: a route, a trip or a track is missing


@dataclass(frozen=True, slots=True)
class Side:
    """A judgement: outcome, the code of its reason (None: not known), its numbers; ``severity`` only where it is suspected.
    ``words``: the reason in Chinese, '' = as it is in ``reason`` (what is waited for); not compared."""

    outcome: str
    reason: str | None
    measures: Mapping[str, Measure] = field(default_factory=dict)
    severity: str | None = None
    words: str = field(default="", compare=False)

    @property
    def told(self) -> str:
        """The reason for people."""
        return self.words or self.reason or ""

    @property
    def suspected(self) -> bool:
        return self.outcome == "suspected"


@dataclass(frozen=True, slots=True)
class Row:
    """A subject, now (None: not judged so far) and then. ``plate`` is '' and the others None where it has none or that is
    not known; times in microseconds since 1970 UTC, ``to_us`` None also where it is not over."""

    kind: Kind
    subject: str
    now: Side | None
    then: Side
    organisation: str | None = None
    vehicle: str | None = None
    plate: str = ""
    driver: str | None = None
    order: str | None = None
    from_us: int | None = None
    to_us: int | None = None

    @property
    def place(self) -> tuple[int, str]:
        """Order in lists: by time, then subject."""
        return self.from_us or 0, self.subject


def kind_of(now: Side | None, then: Side) -> Kind:
    """What changes from ``now`` to ``then``, which could be judged."""
    was = now is not None and now.suspected
    if then.suspected != was:
        return Kind.RAISED if then.suspected else Kind.WITHDRAWN
    if now is not None and now.reason is None:  # of before there were codes
        now = replace(now, reason=then.reason)
    return Kind.UNCHANGED if now == then else Kind.CHANGED


def stored_side(evaluation: StoredEvaluation | None, alert: StandingAlert | None) -> Side | None:
    """What is said of a subject now."""
    if evaluation is None:
        return None
    severity = alert.severity if alert is not None and evaluation.outcome == "suspected" else None
    words = evaluation.words or ""
    if evaluation.reason is not None:
        words = STANDARD.reason(
            evaluation.rule, evaluation.rule_version, evaluation.reason, evaluation.named
        ).zh
    return Side(evaluation.outcome, evaluation.reason, dict(evaluation.measures), severity, words)


@dataclass(slots=True)
class Totals:
    """Counts of a backtest and its first rows. ``steps``: (outcome now, outcome then) -> subjects; the outcome now is
    ``none`` where the subject was not judged, the outcome then ``waiting`` where it cannot be. ``reasons``: why those
    wait."""

    keep: int = 20
    kinds: Counter[Kind] = field(default_factory=Counter)
    steps: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    first: dict[Kind, list[Row]] = field(default_factory=dict)

    @property
    def subjects(self) -> int:
        return sum(self.kinds.values())

    def add(self, rows: Iterable[Row]) -> None:
        """Count ``rows``; of the raised, withdrawn and changed ones the first ``keep`` by time are kept."""
        for row in rows:
            waits = row.kind is Kind.WAITING
            self.kinds[row.kind] += 1
            self.steps[
                "none" if row.now is None else row.now.outcome, "waiting" if waits else row.then.outcome
            ] += 1
            if waits:
                self.reasons[row.then.told] += 1
            elif row.kind is not Kind.UNCHANGED:
                self.first.setdefault(row.kind, []).append(row)
        for kind, kept in self.first.items():
            self.first[kind] = sorted(kept, key=lambda row: row.place)[: self.keep]
