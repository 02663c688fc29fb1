"""card_binding 油卡绑定异常: 单位办理的油卡绑定非公务用车.

Two kinds of subjects. A *binding* of a card to a plate: at every moment of it the plate must be that of a registered
official vehicle (from the start of ``registered_on`` to the start of ``disposed_on``, natural days of Asia/Shanghai);
a vehicle disposed of may keep its card for ``grace_days``. A rented vehicle that was reported (报备) is official for the
dates of its report, which are those of the register. And a card that is *not bound*: active, and bound to nothing for longer
than ``grace_days``. A master card (主卡) that cannot fill needs no vehicle; one that fills is a card like any other.

``as_of_us`` is the last moment up to now at which anything could change, so that judging again later gives the same
bytes. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NotRequired, TypedDict

from rules import evidence_parts as parts
from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import require
from rules.evidence_parts import Binding
from runtime.units import US_PER_DAY, from_us, midnight_us

RULE = "card_binding"
VERSION = 2

_FOREVER: Final = 2**63 - 1


class Card(parts.Card):
    """A fuel card. Days are ISO dates. ``kind``: vehicle, or master."""

    status: str
    opened_on: str | None
    closed_on: str | None
    kind: NotRequired[str]


class Vehicle(TypedDict):
    """A vehicle that has the plate now. Days are ISO dates. ``ownership``: owned, or rented: then the days are those of its
    report. ``replated``: it had the plate before it got another one, and the days are those of the plate."""

    id: str
    organisation: str
    registered_on: str | None
    disposed_on: str | None
    ownership: NotRequired[str]
    replated: NotRequired[bool]


class Evidence(TypedDict):
    """What a binding, or (``binding`` None) a card that may be bound to nothing, is judged on. ``unbound_since_us``: only
    without a binding; None = it is bound. ``filled``: of a master card, whether it has filled since then."""

    rule: str
    rule_version: int
    subject: str
    card: Card
    binding: Binding | None
    vehicles: list[Vehicle]
    parameters: dict[str, int]
    unbound_since_us: NotRequired[int | None]
    filled: NotRequired[bool]
    as_of_us: int


def stamp(us: int) -> str:
    """``20260302T131400Z``, UTC; with microseconds only where there are some."""
    at = from_us(us)
    return at.strftime("%Y%m%dT%H%M%S") + (f".{at.microsecond:06}Z" if at.microsecond else "Z")


def subject(card: str, valid_from_us: int | None) -> str:
    """Name of the subject: a binding of a card by its beginning, or (None) a card that is not bound."""
    return f"unbound:{card}" if valid_from_us is None else f"binding:{card}:{stamp(valid_from_us)}"


def day_us(day: str | None) -> int | None:
    """Start of a natural day (ISO) in Asia/Shanghai."""
    if day is None:
        return None
    return midnight_us(date.fromisoformat(day))


def change_points(card: Card, binding: Binding, vehicles: Sequence[Vehicle], grace_days: int) -> list[int]:
    """Moments at which the judgement of a binding can change by time alone, sorted."""
    grace = grace_days * US_PER_DAY
    points = [
        binding["from_us"],
        binding["to_us"],
        day_us(card["closed_on"]),
    ]
    for vehicle in vehicles:
        ended = day_us(vehicle["disposed_on"])
        points += [day_us(vehicle["registered_on"]), ended, None if ended is None else ended + grace]
    return sorted({p for p in points if p is not None})


def wrong_spans(evidence: Evidence, binding: Binding) -> list[tuple[int, int, str]]:
    """[from, to) of the binding in which the plate was no official vehicle, and why; to = 2**63 - 1: no end known."""
    grace = evidence["parameters"]["grace_days"] * US_PER_DAY
    start = binding["from_us"]
    closed = day_us(evidence["card"]["closed_on"]) if evidence["card"]["status"] != "active" else None
    end = min(_FOREVER if t is None else t for t in (binding["to_us"], closed))
    official, allowed = [], []
    for vehicle in evidence["vehicles"]:
        first, last = day_us(vehicle["registered_on"]), day_us(vehicle["disposed_on"])
        since = -_FOREVER if first is None else first
        official.append((since, _FOREVER if last is None else last))
        allowed.append((since, _FOREVER if last is None else last + grace))
    spans, at = [], start
    for since, until in [*sorted(allowed), (_FOREVER, _FOREVER)]:
        if at < min(since, end):
            # Disposed of: it was official at some time of this very binding, before.
            before = any(max(a, start) < min(b, at) for a, b in official)
            spans.append((at, min(since, end), "disposed" if before else "not_official"))
        at = max(at, until)
    return spans


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge a binding, or a card that may be bound to nothing, on its evidence. Parameters: grace_days. Raises
    EvidenceError for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    binding = evidence["binding"]
    return _unbound(evidence) if binding is None else _binding(evidence, binding)


def _binding(evidence: Evidence, binding: Binding) -> Evaluation:
    card, as_of = evidence["card"], evidence["as_of_us"]
    spans = [s for s in wrong_spans(evidence, binding) if s[0] <= as_of]
    told: dict[str, Any] = {
        "card": card["id"], "plate": binding["plate"], "bound_from_us": binding["from_us"], "bound_to_us": binding["to_us"],
    }  # fmt: skip
    if not spans:
        return _made(evidence, Outcome.NORMAL, "official", {}, binding["from_us"], binding["to_us"], told)
    open_end = card["status"] != "active" and card["closed_on"] is None and binding["to_us"] is None
    if open_end and all(start > binding["from_us"] for start, _, _ in spans):
        return _made(evidence, Outcome.UNDETERMINED, "closed_undated", {}, binding["from_us"], None, told)
    reason = "not_official" if any(why == "not_official" for _, _, why in spans) else "disposed"
    last = spans[-1][1]
    until = last if last <= as_of else None
    measures: dict[str, Any] = {"spans": measure(len(spans), "1")}
    if until is not None:
        measures["wrong_s"] = measure(sum(b - a for a, b, _ in spans) // 1_000_000, "s")
    told["spans"] = [(a, b if b <= as_of else None) for a, b, _ in spans]
    if reason == "disposed":
        ended = _disposed(evidence["vehicles"], spans[0][0])
        told["disposed_on"] = ended["disposed_on"]
        if ended.get("ownership") == "rented":
            reason = "report_ended"
        if ended.get("replated"):
            reason = "plate_changed"
    return _made(evidence, Outcome.SUSPECTED, reason, measures, spans[0][0], until, told)


def _disposed(vehicles: Sequence[Vehicle], before_us: int) -> Vehicle:
    """The vehicle that was disposed of last before a time."""
    ended = [v for v in vehicles if (us := day_us(v["disposed_on"])) is not None and us <= before_us]
    return max(ended, key=lambda v: (v["disposed_on"] or "", v["id"]))


def _unbound(evidence: Evidence) -> Evaluation:
    card, since, as_of = evidence["card"], evidence["unbound_since_us"], evidence["as_of_us"]
    grace = evidence["parameters"]["grace_days"]
    told = {"card": card["id"], "since_us": since}
    if card["status"] != "active":
        return _made(evidence, Outcome.NORMAL, "inactive", {}, as_of, None, told)
    if since is None:
        return _made(evidence, Outcome.NORMAL, "bound", {}, as_of, None, told)
    if card.get("kind") == "master" and not evidence.get("filled"):
        return _made(evidence, Outcome.NORMAL, "master", {}, since, None, told)
    if as_of - since <= grace * US_PER_DAY:
        return _made(evidence, Outcome.NORMAL, "not_bound_yet", {}, since, None, told)
    return _made(evidence, Outcome.SUSPECTED, "not_bound", {}, since, None, told)


def _made(
    evidence: Evidence, outcome: Outcome, reason: str, measures: Mapping[str, Any], from_us_: int, to_us_: int | None,
    told: Mapping[str, Any],
) -> Evaluation:  # fmt: skip
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, evidence["parameters"], from_us_, to_us_, told,
    )  # fmt: skip
