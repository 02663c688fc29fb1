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
    """A rule. ``evaluate`` judges frozen evidence; None = not built yet."""

    code: str
    name: str  # Chinese
    version: int
    evaluate: Callable[[dict[str, Any]], Evaluation] | None


RULES: tuple[Rule, ...] = (
    Rule(location.RULE, "定位异常", location.VERSION, location.evaluate),
    Rule(destination.RULE, "目的地异常", destination.VERSION, destination.evaluate),
    Rule("mileage", "里程数异常", 0, None),
    Rule("fuel_consumption", "油耗异常", 0, None),
    Rule("card_binding", "油卡绑定异常", 0, None),
    Rule("card_use", "油卡使用异常", 0, None),
    Rule("refuel_frequency", "加油频率异常", 0, None),
    Rule("traffic_violations", "违章异常", 0, None),
)

_BY_CODE = {rule.code: rule for rule in RULES}


def evaluate(evidence: dict[str, Any]) -> Evaluation:
    """Judge frozen evidence by the rule that it names. Raises EvidenceError when no such rule is built."""
    rule = _BY_CODE.get(str(evidence.get("rule")))
    if rule is None or rule.evaluate is None:
        raise EvidenceError(f"no rule {evidence.get('rule')!r}")
    return rule.evaluate(evidence)
