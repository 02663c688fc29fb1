"""The words of every version of every rule, found by (rule, version)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.wording import (
    card_binding,
    card_use,
    destination,
    fuel_consumption,
    idle_rental,
    location,
    mileage,
    notes,
    off_hours,
    parking,
    refuel_frequency,
    route,
    sealed,
    tank,
    terminal_silent,
    traffic_violations,
)
from rules.wording.texts import RuleWording, Said, Text
from rules.wording.v1 import WORDINGS as VERSION_1

#: The sentences of reasons that any rule may have.
COMMON: Final[Mapping[str, Text]] = {
    "track_not_kept": Text(
        "发生时间过早，当时的定位数据已超过保存期限，无法判断",
        "too old: the positions of that time are not kept any more",
    ),
}


class Wording:
    """Sentences by (rule, version). The same judgement always gives the same sentence; a superseded version keeps its own
    entry, so that what it found is told in its words."""

    def __init__(self, rules: Mapping[tuple[str, int], RuleWording]) -> None:
        self._rules = dict(rules)

    def rules(self) -> Mapping[tuple[str, int], RuleWording]:
        """The words of each (rule, version)."""
        return self._rules

    def reason(self, rule: str, version: int, code: str, named: Mapping[str, str] | None = None) -> Text:
        """The sentence of a reason code; ``named``: what it names. A code without a sentence is told as it is: a reason is
        never lost for want of words."""
        words = self._rules.get((rule, version))
        if words is None:
            return Text(code, code)
        if named and code in words.named:
            template = words.named[code]
            return Text(template.zh.format_map(named), template.en.format_map(named))
        return words.reasons.get(code, COMMON.get(code, Text(code, code)))

    def summary(self, said: Said) -> Text:
        """The sentence of a judgement with its numbers. Raises LookupError when this program has no words for the rule in
        that version."""
        words = self._rules.get((said.rule, said.rule_version))
        if words is None:
            raise LookupError(f"no words for {said.rule} {said.rule_version}")
        found, more = words.summary(said), notes.told(said.told.get("notes", ()))
        return Text(found.zh + more.zh, found.en + more.en)


#: What this program says.
STANDARD: Final = Wording(
    {
        **{(rule, 1): words for rule, words in VERSION_1.items()},
        ("location", 2): location.WORDING,
        ("destination", 2): destination.WORDING,
        ("mileage", 2): mileage.WORDING,
        ("fuel_consumption", 2): fuel_consumption.WORDING,
        ("card_binding", 2): card_binding.WORDING,
        ("card_use", 2): card_use.WORDING,
        ("refuel_frequency", 2): refuel_frequency.WORDING,
        ("traffic_violations", 2): traffic_violations.WORDING,
        ("terminal_silent", 2): terminal_silent.WORDING,
        ("off_hours", 2): off_hours.WORDING,
        ("sealed", 1): sealed.WORDING,
        ("tank", 1): tank.WORDING,
        ("parking", 1): parking.WORDING,
        ("route", 1): route.WORDING,
        ("idle_rental", 1): idle_rental.WORDING,
    }
)
