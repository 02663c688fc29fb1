"""The rules, in the order in which they are shown, and what judges frozen evidence of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rules.checks import destination, location
from rules.checks.base import Evaluation
from rules.evidence import EvidenceError


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. ``evaluate`` judges frozen evidence."""

    code: str
    name: str  # Chinese
    version: int
    evaluate: Callable[[dict[str, Any]], Evaluation]


RULES: tuple[Rule, ...] = (
    Rule(location.RULE, "定位异常", location.VERSION, location.evaluate),
    Rule(destination.RULE, "目的地异常", destination.VERSION, destination.evaluate),
)

_BY_CODE = {rule.code: rule for rule in RULES}


def evaluate(evidence: dict[str, Any]) -> Evaluation:
    """Judge frozen evidence by the rule that it names. Raises EvidenceError when there is no such rule."""
    rule = _BY_CODE.get(str(evidence.get("rule")))
    if rule is None:
        raise EvidenceError(f"no rule {evidence.get('rule')!r}")
    return rule.evaluate(evidence)
