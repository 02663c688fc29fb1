"""What came out of a scenario against its labels: precision and recall by rule, and every difference by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rules.catalogue import RULES
from runtime.units import US_PER_S, to_us
from simulation.plants.world import NONE, SUSPECTED, Label, World

#: An alert of ``location`` may begin and end so much beside what was planned: reports come every ten seconds, the
#: planned times are those of the gate.
SLACK_US = 180 * US_PER_S


@dataclass(frozen=True, slots=True)
class Outcome:
    """The newest judgement of a subject; ``reason``: its code."""

    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """What is in the database. ``alerts``: bodies of the newest versions with their ``subject``; ``outcomes``: by
    (rule, subject)."""

    alerts: Sequence[Mapping[str, Any]]
    outcomes: Mapping[tuple[str, str], Outcome]


@dataclass(slots=True)
class Score:
    """One rule. ``missed`` and ``wrong``: labels that did not come true; ``false``: alerts that nobody planted."""

    planted: int = 0
    raised: int = 0
    hit: int = 0
    checked: int = 0
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Share of the alerts that were planted; 1 without alerts."""
        return self.hit / self.raised if self.raised else 1.0

    @property
    def recall(self) -> float:
        """Share of the planted ones that were raised; 1 without any."""
        return self.hit / self.planted if self.planted else 1.0

    @property
    def exact(self) -> bool:
        """Nothing missed, nothing false, every labelled outcome as labelled."""
        return not (self.missed or self.false or self.wrong)


async def found_in(pool: Any) -> Found:
    """Read the alerts and the newest judgements of a database."""
    alerts = await pool.fetch(
        "SELECT a.subject, v.body FROM alerts a JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version"
        " ORDER BY a.rule, a.subject"
    )
    rows = await pool.fetch(
        "SELECT DISTINCT ON (rule, subject) rule, subject, outcome, reason_code FROM evaluations ORDER BY rule, subject, id DESC"
    )
    return Found(
        [dict(r["body"]) | {"subject": r["subject"]} for r in alerts],
        {(r["rule"], r["subject"]): Outcome(r["outcome"], r["reason_code"]) for r in rows},
    )


def score(world: World, found: Found) -> dict[str, Score]:
    """The score of each rule, in the order of the rules."""
    scores = {rule.code: Score() for rule in RULES}
    alerts: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for alert in found.alerts:
        if alert["status"] == SUSPECTED:
            alerts[str(alert["rule"])].append(alert)
    for label in world.labels:
        mine = scores[label.rule]
        mine.checked += 1
        if label.outcome == SUSPECTED:
            mine.planted += 1
            answer = _taken(alerts[label.rule], label)
            if answer is None:
                mine.missed.append(f"{_named(label)}: {_seen(found, label)}")
                continue
            mine.hit += 1
            mine.raised += 1
            if label.severity and answer["severity"] != label.severity:
                mine.wrong.append(f"{_named(label)}: severity {answer['severity']}, not {label.severity}")
        if label.subject is not None and label.outcome != NONE:
            made = found.outcomes.get((label.rule, label.subject))
            if (
                made is None
                or made.outcome != label.outcome
                or (label.reason and made.reason != label.reason)
            ):
                mine.wrong.append(f"{_named(label)}: {_seen(found, label)}")
    for rule, left in alerts.items():
        for alert in left:
            scores[rule].raised += 1
            scores[rule].false.append(f"{alert['subject']}: {alert['summary']}")
    return scores


def _taken(alerts: list[Mapping[str, Any]], label: Label) -> Mapping[str, Any] | None:
    """The alert that answers a label, taken out of the list."""
    for k, alert in enumerate(alerts):
        if _answers(alert, label):
            return alerts.pop(k)
    return None


def _answers(alert: Mapping[str, Any], label: Label) -> bool:
    if label.subject is not None:
        return bool(alert["subject"] == label.subject)
    if alert["vehicle"] != label.vehicle:
        return False
    start, end = _us(alert["occurred_from"]), _us(alert["occurred_to"])
    low, high = label.from_s * US_PER_S - SLACK_US, label.to_s * US_PER_S + SLACK_US
    return start is not None and low <= start <= high and (end is None or end <= high)


def _us(value: Any) -> int | None:
    return None if value is None else to_us(datetime.fromisoformat(str(value)))


def _named(label: Label) -> str:
    return f"{label.kind}: {label.outcome} {label.reason} {label.subject or label.vehicle}"


def _seen(found: Found, label: Label) -> str:
    made = found.outcomes.get((label.rule, label.subject or ""))
    return "not judged" if made is None else f"{made.outcome}, {made.reason}"


def table(scores: Mapping[str, Score]) -> str:
    """For people."""
    lines = ["规则 rule             埋设 planted  报出 raised  精确率 precision  召回率 recall  标签 labels"]
    for rule, s in scores.items():
        lines.append(
            f"{rule:20} {s.planted:12} {s.raised:12} {s.precision:16.4f} {s.recall:14.4f} {s.checked:12}"
        )
        lines += [f"  漏报 missed  {text}" for text in s.missed]
        lines += [f"  误报 false   {text}" for text in s.false]
        lines += [f"  不符 differs {text}" for text in s.wrong]
    return "\n".join(lines)
