"""A sentence in two languages, what it is made of, and how times and numbers are written. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rules.checks.base import Evaluation
from runtime.units import CHINA, from_us


class Text(NamedTuple):
    """A sentence in Chinese and the same in English."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Said:
    """What the sentence of a judgement is made of. ``measures``: values by name; ``told``: what the check names besides (plate,
    order, station ...; see each ``summary``); ``named``: what the sentence of the reason names; times in microseconds since 1970 UTC, ``to_us`` None = not over."""

    rule: str
    rule_version: int
    outcome: str
    reason: str
    measures: Mapping[str, Any]
    parameters: Mapping[str, int]
    told: Mapping[str, Any]
    from_us: int
    to_us: int | None
    named: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, made: Evaluation) -> Said:
        """What an evaluation says."""
        measures = {name: m["value"] for name, m in made.measures.items()}
        return cls(
            made.rule, made.rule_version, made.outcome.value, made.reason, measures, made.parameters, made.told,
            made.from_us, made.to_us, made.named,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleWording:
    """The words of one version of a rule. ``reasons``: the sentence of each reason code, also of those that only withdraw.
    ``named``: the sentence of a reason where the judgement names something, such as orders; ``{orders}`` in it stands for
    that. ``summary``: the sentence of a judgement, with its numbers."""

    reasons: Mapping[str, Text]
    summary: Callable[[Said], Text]
    named: Mapping[str, Text] = field(default_factory=dict)


def moment(us: int) -> str:
    """``2026-03-02 21:14`` in Asia/Shanghai, the same in both languages."""
    return from_us(us).astimezone(CHINA).strftime("%Y-%m-%d %H:%M")


def span(start_us: int, end_us: int | None) -> Text:
    """``2026-03-02 21:14 至 22:40``; the second day is named only when it is another one."""
    if end_us is None:
        return Text(f"{moment(start_us)} 起", f"from {moment(start_us)} on")
    start, end = moment(start_us), moment(end_us)
    until = end[11:] if end[:10] == start[:10] else end
    return Text(f"{start} 至 {until}", f"{start} to {until}")


def metres(value: int) -> Text:
    """``3,412 米``."""
    return Text(f"{value:,} 米", f"{value:,} m")


def kilometres(value_m: int) -> Text:
    """``12.6 公里`` of a number of metres, half up, in integers."""
    tenths = (value_m + 50) // 100
    number = f"{tenths // 10:,}.{tenths % 10}"
    return Text(f"{number} 公里", f"{number} km")


def hundredths(thousandths: int) -> str:
    """``45.20`` of 45200 (ml as litres, Wh as kWh), half up."""
    value = (thousandths + 5) // 10
    return f"{value // 100:,}.{value % 100:02}"


def energy_unit(energy: str) -> Text:
    """What a quantity of this kind of energy is told in."""
    return Text("千瓦时", "kWh") if energy == "electric" else Text("升", "l")
