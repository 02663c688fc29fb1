"""The rules, in the order in which they are shown, and what judges frozen evidence of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rules.checks import (
    card_binding,
    card_use,
    destination,
    fuel_consumption,
    location,
    mileage,
    off_hours,
    refuel_frequency,
    terminal_silent,
    traffic_violations,
)
from rules.checks.base import Evaluation
from rules.evidence import EvidenceError, canonical, digests, parse


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. ``evaluate`` judges frozen evidence; ``reasons`` says what each reason that it can give means, and those of
    withdrawals (Chinese, then English)."""

    code: str
    name: str  # Chinese
    version: int
    evaluate: Callable[[dict[str, Any]], Evaluation]
    reasons: Mapping[str, str]


def _rule(check: Any, name: str) -> Rule:
    return Rule(check.RULE, name, check.VERSION, check.evaluate, check.REASONS)


#: docs/rules/README.md says how to add one.
RULES: tuple[Rule, ...] = (
    _rule(location, "定位异常"),
    _rule(destination, "目的地异常"),
    _rule(mileage, "里程数异常"),
    _rule(fuel_consumption, "油耗异常"),
    _rule(card_binding, "油卡绑定异常"),
    _rule(card_use, "油卡使用异常"),
    _rule(refuel_frequency, "加油频率异常"),
    _rule(traffic_violations, "违章异常"),
    _rule(terminal_silent, "终端失联"),
    _rule(off_hours, "非工作时间用车"),
)

_BY_CODE = {rule.code: rule for rule in RULES}


def evaluate(evidence: dict[str, Any]) -> Evaluation:
    """Judge frozen evidence by the rule that it names. Raises EvidenceError when there is no such rule."""
    rule = _BY_CODE.get(str(evidence.get("rule")))
    if rule is None:
        raise EvidenceError(f"no rule {evidence.get('rule')!r}")
    return rule.evaluate(evidence)


def verify(
    body: bytes,
    *,
    outcome: str,
    measures: Mapping[str, Mapping[str, Any]],
    sha256: str | None = None,
    sm3: str | None = None,
) -> list[str]:
    """Whether frozen evidence still gives what was stored: what differs, in words; empty = it holds.

    ``body``: the evidence, byte for byte. ``outcome`` and ``measures`` ({name: {value, unit}}): of the evaluation, or of
    the alert, that rests on it. ``sha256``, ``sm3``: its hashes, hex (None = not compared).
    """
    wrong = []
    for name, said, found in zip(("SHA-256", "SM3"), (sha256, sm3), digests(body), strict=True):
        if said is not None and said != found.hex():
            wrong.append(f"{name} 不符 · the {name} is {found.hex()}, not {said}")
    try:
        evidence = parse(body)
        if canonical(evidence) != body:
            wrong.append("证据不是规范形式 · the evidence is not in its canonical form")
        made = evaluate(evidence)
    except (EvidenceError, KeyError, TypeError, ValueError, IndexError) as error:
        return [*wrong, f"证据不可判 · the evidence cannot be judged: {error!r}"]
    if made.outcome.value != outcome:
        wrong.append(f"结论不符 · the outcome is {made.outcome.value}, not {outcome}")
    for name in sorted(made.measures.keys() | measures.keys()):
        is_, said_ = made.measures.get(name), measures.get(name)
        if is_ is None or said_ is None or dict(is_) != dict(said_):
            wrong.append(f"{name} 不符 · {name} is {is_}, not {said_}")
    return wrong
