"""What every check returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """正常, 疑似, 不可判 (evidence is missing)."""

    NORMAL = "normal"
    SUSPECTED = "suspected"
    UNDETERMINED = "undetermined"


Measures = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One judgement of one subject.

    ``reason`` is a short code of the rule; ``rules.wording`` has its sentence. ``measures``: {name: {"value": integer,
    "unit": unit}}. ``parameters``: the values used. ``from_us``/``to_us``: when it happened (to_us None: not over yet).
    ``told``: what the sentence of the judgement needs besides: the plate, the order, the station. ``named``: what the
    sentence of the reason names.
    """

    rule: str
    rule_version: int
    subject: str
    outcome: Outcome
    reason: str
    measures: Measures
    parameters: Mapping[str, int]
    from_us: int
    to_us: int | None
    told: Mapping[str, Any]
    named: Mapping[str, str] = field(default_factory=dict)


def measure(value: int, unit: str) -> dict[str, Any]:
    """One measure."""
    return {"value": value, "unit": unit}
