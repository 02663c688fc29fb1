"""tank 加油超箱容: more was filled than the tank holds, or than it burnt since the last fill plus the tank.

One fill of an official vehicle (payments at one station within ``merge_min`` are one fill, as in ``refuel_frequency``). It is suspected where it
is more than the tank holds; or where it and the fill before it, whichever of its cards paid, are together more than the tank holds and the
vehicle burnt in between: what was filled last was in the tank, so no more than that can have found room. Both with ``tolerance_permille`` on
top of the tank, for the filler neck and the meter.

What is burnt is taken high, in the driver's favour: the longer of the kilometres by odometer and by track, at ``burn_l_100km``, and
``idle_ml_h`` for the time that the engine ran at rest. A way that nobody saw accuses nobody: without an odometer, a silence in which it may
have driven gives undetermined. A tank that the register does not know, or that is smaller than ``min_tank_l`` (a slip of units),
gives undetermined; so does a time of payment that is only that of the booking, where the time decides. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypedDict

from rules.checks import refuel_frequency
from rules.checks.base import Evaluation, Outcome, measure
from rules.checks.refuel_frequency import Transaction, escaped
from rules.evidence import require
from rules.evidence_parts import Card, Vehicle

RULE = "tank"
VERSION = 1

_ML_PER_L: Final = 1000
_S_PER_H: Final = 3600


class Tanked(Vehicle):
    """The vehicle that the card was bound to. ``tank_ml`` None = the register does not know it."""

    tank_ml: int | None


class Driven(TypedDict):
    """What is known of the time between two fills. ``odometer_m`` None: the terminal reports none, or it went backwards; ``track_m``: by the
    track, ``idle_s``: at rest with the engine on, or without a word of it; ``unseen_s``: of silences in which it may have driven."""

    from_us: int
    to_us: int
    odometer_m: int | None
    track_m: int
    idle_s: int
    unseen_s: int


class Evidence(TypedDict):
    """What a fill is judged on. ``transaction``: its first payment; ``transactions``: its payments and those of the fill before it.
    ``driven`` None: nothing is known, or it was not needed."""

    rule: str
    rule_version: int
    subject: str
    transaction: str
    vehicle: Tanked
    card: Card
    parameters: dict[str, int]
    transactions: list[Transaction]
    driven: Driven | None


def subject(transaction: str) -> str:
    """Name of the subject: a fill, by its first payment."""
    return f"tank:{escaped(transaction)}"


def fills(transactions: Sequence[Transaction], used: Mapping[str, int]) -> list[list[Transaction]]:
    """Fills of fuel as groups of payments, in order of time."""
    fuel = [t for t in transactions if t["energy"] == "fuel"]
    return refuel_frequency.groups(fuel, {"merge_min": used["merge_min"], "count_charging": 0})


def excess_ml(evidence: Evidence) -> int | None:
    """By how much the fill and the one before it exceed the tank: so much must have been burnt in between; None: there is none before it, or
    something of them is not known."""
    before, now = _both(evidence)
    tank = _holds(evidence)
    if tank is None or not before or any(p["quantity"] is None for p in (*before, *now)):
        return None
    return _sum(before) + _sum(now) - tank


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge a fill on its evidence. Parameters: those of the rule. Raises EvidenceError for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    used, driven = evidence["parameters"], evidence["driven"]
    before, now = _both(evidence)
    outcome, reason = _concluded(evidence)
    measures: dict[str, Any] = {"quantity": measure(_sum(now), "ml")}
    if evidence["vehicle"]["tank_ml"] is not None:
        measures["tank"] = measure(evidence["vehicle"]["tank_ml"], "ml")
    if before and reason != "over_tank":
        measures["before"] = measure(_sum(before), "ml")
    if driven is not None and reason != "over_tank":
        measures["distance_m"] = measure(_metres(driven), "m")
        measures["burnt"] = measure(burnt_ml(driven, used), "ml")
    told = {
        "card": evidence["card"]["id"], "plate": evidence["vehicle"]["plate"], "station": now[0]["station_name"] or now[0]["station"] or "",
        "at_us": now[0]["at_us"], "before_us": before[0]["at_us"] if before else None, "payments": len(now),
    }  # fmt: skip
    since, until = now[0]["at_us"], max(p["at_us"] for p in now)
    return Evaluation(RULE, VERSION, evidence["subject"], outcome, reason, measures, used, since, until, told)


def severity(made: Evaluation) -> Literal["medium", "high"]:
    """High where one fill alone is more than the tank: nothing has to be known of the way."""
    return "high" if made.reason == "over_tank" else "medium"


def burnt_ml(driven: Driven, used: Mapping[str, int]) -> int:
    """What was burnt between the fills at most, ml."""
    return (
        _metres(driven) * used["burn_l_100km"] * _ML_PER_L // 100_000
        + driven["idle_s"] * used["idle_ml_h"] // _S_PER_H
    )


def _metres(driven: Driven) -> int:
    return max(driven["odometer_m"] or 0, driven["track_m"])


def _concluded(evidence: Evidence) -> tuple[Outcome, str]:
    before, now = _both(evidence)
    tank, driven = _holds(evidence), evidence["driven"]
    if tank is None:
        return Outcome.UNDETERMINED, "tank_unknown"
    if any(p["quantity"] is None for p in now):
        return Outcome.UNDETERMINED, "no_quantity"
    if _sum(now) > tank:
        return Outcome.SUSPECTED, "over_tank"
    excess = excess_ml(evidence)
    if excess is None or excess <= 0:
        return Outcome.NORMAL, "fits"
    if any(p.get("posted") for p in (*before, *now)):
        return Outcome.UNDETERMINED, "posting_time"
    if driven is None:
        return Outcome.UNDETERMINED, "no_track"
    if excess <= burnt_ml(driven, evidence["parameters"]):
        return Outcome.NORMAL, "burnt"
    if driven["odometer_m"] is None and driven["unseen_s"]:
        return Outcome.UNDETERMINED, "gaps"
    return Outcome.SUSPECTED, "over_burnt"


def _both(evidence: Evidence) -> tuple[list[Transaction], list[Transaction]]:
    """(The payments of the fill before, those of the fill). Raises ValueError where the evidence does not have its fill."""
    found = fills(evidence["transactions"], evidence["parameters"])
    for place, group in enumerate(found):
        if group[0]["id"] == evidence["transaction"]:
            return (found[place - 1] if place else []), group
    raise ValueError(f"{evidence['subject']}: no such fill")


def _holds(evidence: Evidence) -> int | None:
    """What the tank holds with the tolerance, ml; None where that is not known."""
    used, tank = evidence["parameters"], evidence["vehicle"]["tank_ml"]
    if tank is None or tank < used["min_tank_l"] * _ML_PER_L:
        return None
    return tank * (1000 + used["tolerance_permille"]) // 1000


def _sum(payments: Sequence[Transaction]) -> int:
    return sum(p["quantity"] or 0 for p in payments)
