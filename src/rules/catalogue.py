"""The rules, in the order in which they are shown, and what judges frozen evidence of each of their versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from rules.checks import (
    card_binding,
    card_use,
    destination,
    fuel_consumption,
    idle_rental,
    location,
    mileage,
    off_hours,
    parking,
    refuel_frequency,
    route,
    sealed,
    tank,
    terminal_silent,
    traffic_violations,
    v1,
)
from rules.checks.base import Evaluation
from rules.evidence import EvidenceError, UnknownVersionError, canonical, digests, parse


class Check(Protocol):
    """A module of ``rules.checks``: one version of a rule. ``evaluate`` takes the ``Evidence`` of that module."""

    @property
    def RULE(self) -> str: ...

    @property
    def VERSION(self) -> int: ...

    @property
    def evaluate(self) -> Callable[[Any], Evaluation]: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. ``version``: the one that judges now. ``evaluate``: what judges frozen evidence, by version: a version that
    was superseded stays, because its evidence does. ``same_substance``: where evidence holds more than the current version
    tells, whether two evidences that give the same numbers and times tell the same facts; None: the same bytes."""

    code: str
    name: str  # Chinese
    version: int
    evaluate: Mapping[int, Callable[[Any], Evaluation]]
    same_substance: Callable[[Any, Any], bool] | None = None


def rule(
    name: str, current: Check, *superseded: Check, same_substance: Callable[[Any, Any], bool] | None = None
) -> Rule:
    """A rule with its current check and those that it had before. Raises ValueError when they are not of one rule, or two
    of them are of one version, or one is newer than the current one."""
    by_version = {check.VERSION: check.evaluate for check in (*superseded, current)}
    codes = {check.RULE for check in (*superseded, current)}
    if len(codes) != 1 or len(by_version) != 1 + len(superseded) or max(by_version) != current.VERSION:
        raise ValueError(f"not versions of one rule: {sorted(codes)} {sorted(by_version)}")
    return Rule(current.RULE, name, current.VERSION, by_version, same_substance)


class Catalogue:
    """Rules by (code, version)."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._by_code = {rule.code: rule for rule in rules}

    def evaluate(self, evidence: Mapping[str, Any]) -> Evaluation:
        """Judge frozen evidence by the very version of the rule that it names. Raises EvidenceError when there is no such
        rule, UnknownVersionError when this program does not have that version of it."""
        code, version = evidence.get("rule"), evidence.get("rule_version")
        rule = self._by_code.get(str(code))
        if rule is None:
            raise EvidenceError(f"no rule {code!r}")
        evaluate = rule.evaluate.get(version) if isinstance(version, int) else None
        if evaluate is None:
            known = ", ".join(map(str, sorted(rule.evaluate)))
            raise UnknownVersionError(f"{rule.code} {version}; known: {known}")
        return evaluate(evidence)

    def same_substance(self, one: bytes, other: bytes) -> bool:
        """Whether two frozen evidences of one subject, which give the same numbers and times, tell the same facts to the
        current version of their rule."""
        if one == other:
            return True
        first, second = parse(one), parse(other)
        rule = self._by_code.get(str(first.get("rule")))
        if rule is None or rule.same_substance is None:
            return False
        named = {(e.get("rule"), e.get("rule_version")) for e in (first, second)}
        return named == {(rule.code, rule.version)} and rule.same_substance(first, second)

    def verify(
        self,
        body: bytes,
        *,
        outcome: str,
        measures: Mapping[str, Mapping[str, Any]],
        sha256: str | None = None,
        sm3: str | None = None,
    ) -> list[str]:
        """Whether frozen evidence still gives what was stored: what differs, in words; empty = it holds.

        ``body``: the evidence, byte for byte. ``outcome`` and ``measures`` ({name: {value, unit}}): of the evaluation, or
        of the alert, that rests on it. ``sha256``, ``sm3``: its hashes, hex (None = not compared). Raises
        UnknownVersionError when the hashes hold, but this program cannot judge evidence of that version.
        """
        wrong = []
        for name, said, found in zip(("SHA-256", "SM3"), (sha256, sm3), digests(body), strict=True):
            if said is not None and said != found.hex():
                wrong.append(f"{name} 不符 · the {name} is {found.hex()}, not {said}")
        try:
            evidence = parse(body)
            if canonical(evidence) != body:
                wrong.append("证据不是规范形式 · the evidence is not in its canonical form")
            made = self.evaluate(evidence)
        except UnknownVersionError as error:
            if not wrong:
                raise
            return [*wrong, f"未知版本，无法重判 · unknown version, cannot be judged again: {error}"]
        except (EvidenceError, KeyError, TypeError, ValueError, IndexError) as error:
            return [*wrong, f"证据不可判 · the evidence cannot be judged: {error!r}"]
        if made.outcome.value != outcome:
            wrong.append(f"结论不符 · the outcome is {made.outcome.value}, not {outcome}")
        for name in sorted(made.measures.keys() | measures.keys()):
            is_, said_ = made.measures.get(name), measures.get(name)
            if is_ is None or said_ is None or dict(is_) != dict(said_):
                wrong.append(f"{name} 不符 · {name} is {is_}, not {said_}")
        return wrong


#: docs/rules/README.md says how to add one, and how to give one a new version.
RULES: Final[tuple[Rule, ...]] = (
    rule("定位异常", location, v1.location, same_substance=location.same_substance),
    rule("目的地异常", destination, v1.destination),
    rule("里程数异常", mileage, v1.mileage),
    rule("油耗异常", fuel_consumption, v1.fuel_consumption),
    rule("油卡绑定异常", card_binding, v1.card_binding),
    rule("油卡使用异常", card_use, v1.card_use),
    rule("加油频率异常", refuel_frequency, v1.refuel_frequency),
    rule("违章异常", traffic_violations, v1.traffic_violations),
    rule("终端失联", terminal_silent, v1.terminal_silent),
    rule("非工作时间用车", off_hours, v1.off_hours),
    rule("封存车辆移动", sealed),
    rule("加油超箱容", tank),
    rule("停放异常", parking),
    rule("行驶路线异常", route),
    rule("租赁期间自有车辆闲置", idle_rental),
)

#: Code -> Chinese name, in the same order.
RULE_NAMES: Final[Mapping[str, str]] = {rule.code: rule.name for rule in RULES}
CATALOGUE: Final = Catalogue(RULES)
evaluate, verify = CATALOGUE.evaluate, CATALOGUE.verify
