"""card_binding 油卡绑定异常: 单位办理的油卡绑定非公务用车.

Two kinds of subjects. A *binding* of a card to a plate: at every moment of it the plate must be that of a registered
official vehicle (from the start of ``registered_on`` to the start of ``disposed_on``, natural days of Asia/Shanghai);
a vehicle disposed of may keep its card for ``grace_days``. And a card that is *not bound*: active, and bound to nothing
for longer than ``grace_days``.

``as_of_us`` is the last moment up to now at which anything could change, so that judging again later gives the same
bytes. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import EvidenceError
from rules.wording import moment, span
from runtime.units import US_PER_DAY, from_us, midnight_us

RULE = "card_binding"
VERSION = 1

REASONS: Final[Mapping[str, str]] = {
    "official": "绑定期间一直是公务用车 · an official vehicle for the whole binding",
    "not_official": "绑定的车牌不是登记的公务用车 · the plate is not that of a registered official vehicle",
    "disposed": "绑定的公务用车已处置 · the official vehicle was disposed of",
    "closed_undated": "油卡已停用但没有停用日期 · the card is out of use, the day is not known",
    "not_bound": "油卡未绑定车辆 · the card is bound to no vehicle",
    "bound": "油卡已绑定车辆 · the card is bound to a vehicle",
    "not_bound_yet": "油卡未绑定车辆未超过宽限 · not bound, within the days of grace",
    "inactive": "油卡已停用 · the card is out of use",
    "gone": "该绑定记录已删除或更改 · the binding was deleted or changed",
}

_FOREVER: Final = 2**63 - 1


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


def change_points(evidence: Mapping[str, Any]) -> list[int]:
    """Moments at which the judgement of a binding can change by time alone, sorted."""
    grace = evidence["parameters"]["grace_days"] * US_PER_DAY
    points = [
        evidence["binding"]["from_us"],
        evidence["binding"]["to_us"],
        day_us(evidence["card"]["closed_on"]),
    ]
    for vehicle in evidence["vehicles"]:
        ended = day_us(vehicle["disposed_on"])
        points += [day_us(vehicle["registered_on"]), ended, None if ended is None else ended + grace]
    return sorted({p for p in points if p is not None})


def wrong_spans(evidence: Mapping[str, Any]) -> list[tuple[int, int, str]]:
    """[from, to) of the binding in which the plate was no official vehicle, and why; to = 2**63 - 1: no end known."""
    binding, grace = evidence["binding"], evidence["parameters"]["grace_days"] * US_PER_DAY
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


def evaluate(evidence: dict[str, Any]) -> Evaluation:
    """Judge a binding, or a card that may be bound to nothing, on its evidence.

    Evidence: rule, rule_version, subject, card {id, organisation, status, opened_on, closed_on}, binding {plate,
    from_us, to_us | null} or null, vehicles [{id, organisation, registered_on, disposed_on}] under the plate now,
    as_of_us, parameters {grace_days}; without binding also ``unbound_since_us`` (null = it is bound). Days are ISO
    dates. Raises EvidenceError for evidence of another rule or version.
    """
    if evidence.get("rule") != RULE or evidence.get("rule_version") != VERSION:
        raise EvidenceError(f"not evidence of {RULE} {VERSION}")
    return _unbound(evidence) if evidence["binding"] is None else _binding(evidence)


def _binding(evidence: dict[str, Any]) -> Evaluation:
    binding, card, as_of = evidence["binding"], evidence["card"], evidence["as_of_us"]
    spans = [s for s in wrong_spans(evidence) if s[0] <= as_of]
    name = f"油卡 {card['id']} 绑定车牌 {binding['plate']}（{span(binding['from_us'], binding['to_us'])}）"
    if not spans:
        return _made(
            evidence, Outcome.NORMAL, "official", {}, binding["from_us"], binding["to_us"],
            f"正常：{name}，该车一直是公务用车。",
        )  # fmt: skip
    open_end = card["status"] != "active" and card["closed_on"] is None and binding["to_us"] is None
    if open_end and all(start > binding["from_us"] for start, _, _ in spans):
        return _made(
            evidence, Outcome.UNDETERMINED, "closed_undated", {}, binding["from_us"], None,
            f"不可判：{name}：油卡已停用但没有停用日期。",
        )  # fmt: skip
    reason = "not_official" if any(why == "not_official" for _, _, why in spans) else "disposed"
    last = spans[-1][1]
    until = last if last <= as_of else None
    measures: dict[str, Any] = {"spans": measure(len(spans), "1")}
    if until is not None:
        measures["wrong_s"] = measure(sum(b - a for a, b, _ in spans) // 1_000_000, "s")
    words = "期间该车牌不是登记的公务用车"
    if reason == "disposed":
        words = f"该车已于 {_disposed(evidence['vehicles'], spans[0][0])} 处置"
    return _made(
        evidence, Outcome.SUSPECTED, reason, measures, spans[0][0], until,
        f"疑似油卡绑定异常：{name}，{words}，{'；'.join(_words(a, b, as_of) for a, b, _ in spans)}。",
    )  # fmt: skip


def _words(start: int, end: int, as_of: int) -> str:
    return f"异常时段 {span(start, end if end <= as_of else None)}"


def _disposed(vehicles: Sequence[Mapping[str, Any]], before_us: int) -> str:
    days: list[str] = [v["disposed_on"] for v in vehicles if v["disposed_on"] is not None]
    return max(d for d in days if (day_us(d) or 0) <= before_us)


def _unbound(evidence: dict[str, Any]) -> Evaluation:
    card, since, as_of = evidence["card"], evidence["unbound_since_us"], evidence["as_of_us"]
    grace = evidence["parameters"]["grace_days"]
    if card["status"] != "active":
        return _made(
            evidence, Outcome.NORMAL, "inactive", {}, as_of, None, f"正常：油卡 {card['id']} 已停用。"
        )
    if since is None:
        return _made(
            evidence, Outcome.NORMAL, "bound", {}, as_of, None, f"正常：油卡 {card['id']} 已绑定车辆。"
        )
    name = f"油卡 {card['id']} 自 {moment(since)} 起未绑定任何车辆"
    if as_of - since <= grace * US_PER_DAY:
        return _made(
            evidence, Outcome.NORMAL, "not_bound_yet", {}, since, None, f"正常：{name}，未超过宽限。"
        )
    return _made(
        evidence, Outcome.SUSPECTED, "not_bound", {}, since, None,
        f"疑似油卡绑定异常：{name}，超过 {grace} 天宽限。" if grace else f"疑似油卡绑定异常：{name}。",
    )  # fmt: skip


def _made(
    evidence: Mapping[str, Any], outcome: Outcome, reason: str, measures: Mapping[str, Any],
    from_us_: int, to_us_: int | None, summary: str,
) -> Evaluation:  # fmt: skip
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, evidence["parameters"], from_us_, to_us_,
        summary,
    )  # fmt: skip
