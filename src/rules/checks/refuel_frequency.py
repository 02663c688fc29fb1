"""refuel_frequency 加油频率异常: 同一张油卡，在绑定的公务车本次派单结束后与下次派单前，发生加油两次及以上.

The stretch judged lies between the end of a run of orders of the bound vehicle (orders that overlap or touch are one
run) and the departure of the next order, cut where the card was bound to something else. Both ends belong to the orders:
a fill at the very moment of return or departure is none between them. Without a next order the stretch is open.

Payments at one station, each within ``merge_min`` of another of them (以内), are one fill and happened at the first
payment, whatever came in between. Reversals and what they take back, top-ups and fees are no fills. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import EvidenceError
from rules.wording import moment

RULE = "refuel_frequency"
VERSION = 1

REASONS: Final[Mapping[str, str]] = {
    "often": "两次派单之间加油次数达到限值 · fills between two orders reach the limit",
    "few": "两次派单之间加油次数未达到限值 · fewer fills between two orders than the limit",
    "gone": "派车单、绑定或加油记录已更改，该时段不再有加油 · orders, binding or transactions changed: there are no"
    " fills in this stretch any more",
}

_MIN_US: Final = 60 * 1_000_000


def escaped(name: str) -> str:
    """An id within a subject: without colon, so that the parts of a subject can be told apart."""
    return name.replace(":", "%3A")


def subject(card: str, order: str, bound: str | None = None) -> str:
    """Name of the subject: the stretch of a card after an order. ``bound`` tells a second stretch after the same order
    from the first, where the card was bound to something else in between: when this binding began."""
    plain = f"card:{escaped(card)}:after:{escaped(order)}"
    return plain if bound is None else f"{plain}:bound:{bound}"


def counts(transaction: Mapping[str, Any]) -> bool:
    """Whether a transaction is a fill that was not taken back."""
    return transaction["kind"] == "fill" and transaction["reversed_by"] is None


def groups(transactions: Sequence[Mapping[str, Any]], merge_min: int) -> list[list[Mapping[str, Any]]]:
    """Fills as groups of payments, each by (time, id), the groups by their first payment."""
    fills = sorted((t for t in transactions if counts(t)), key=lambda t: (t["at_us"], t["id"]))
    of: list[int] = []  # by fill: its group
    for k, fill in enumerate(fills):
        joined = set()
        for j in range(k - 1, -1, -1):
            if fill["at_us"] - fills[j]["at_us"] > merge_min * _MIN_US:
                break
            if _same_station(fill, fills[j]):
                joined.add(of[j])
        mine = min(joined, default=k)
        if len(joined) > 1:
            of = [mine if g in joined else g for g in of]
        of.append(mine)
    found: dict[int, list[Mapping[str, Any]]] = {}
    for fill, group in zip(fills, of, strict=True):
        found.setdefault(group, []).append(fill)
    return sorted(found.values(), key=lambda g: (g[0]["at_us"], g[0]["id"]))


def _same_station(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """By station where both are matched to one, else by the name as written; two without a name are taken for one."""
    if a["station"] is not None and b["station"] is not None:
        return bool(a["station"] == b["station"])
    return bool(a["station_name"].strip() == b["station_name"].strip())


def within(evidence: Mapping[str, Any], at_us: int) -> bool:
    """Whether a time lies in the stretch."""
    binding, following = evidence["binding"], evidence["next_order"]
    return bool(
        evidence["order"]["to_us"] < at_us
        and binding["from_us"] <= at_us
        and (binding["to_us"] is None or at_us < binding["to_us"])
        and (following is None or at_us < following["departed_us"])
    )


def explain(evidence: Mapping[str, Any]) -> dict[str, str]:
    """Transaction -> counted, merged (into the group's first payment), reversed, not_a_fill, outside."""
    why = {
        t["id"]: "reversed" if t["kind"] == "fill" else "not_a_fill"
        for t in evidence["transactions"]
        if not counts(t)
    }
    for group in groups(evidence["transactions"], evidence["parameters"]["merge_min"]):
        inside = within(evidence, group[0]["at_us"])
        for place, payment in enumerate(group):
            why[payment["id"]] = ("merged" if place else "counted") if inside else "outside"
    return why


def evaluate(evidence: dict[str, Any]) -> Evaluation:
    """Judge the fills of a card between two orders on their evidence.

    Evidence: rule, rule_version, subject, card {id, organisation}, vehicle {no, id, plate}, binding {plate, from_us,
    to_us | null}, order {id, version, driver, from_us, to_us: its return}, next_order {id, version, driver, departed_us}
    or null, parameters {min_fills, merge_min}, transactions [{id, at_us, kind, product, energy, quantity, amount_fen,
    station, station_name, reversed_by}]: those of the stretch, and every payment that may be one fill with one of it. ``why`` of
    a transaction is for people. Raises EvidenceError for evidence of another rule or version.
    """
    if evidence.get("rule") != RULE or evidence.get("rule_version") != VERSION:
        raise EvidenceError(f"not evidence of {RULE} {VERSION}")
    used = evidence["parameters"]
    found = [
        g for g in groups(evidence["transactions"], used["merge_min"]) if within(evidence, g[0]["at_us"])
    ]
    often = len(found) >= used["min_fills"]
    payments = [p for g in found for p in g]
    measures: dict[str, Any] = {
        "fills": measure(len(found), "1"),
        "payments": measure(len(payments), "1"),
    }
    for energy, unit in (("fuel", "ml"), ("electric", "Wh")):
        if any(p["energy"] == energy for p in payments):
            taken = sum(p["quantity"] or 0 for p in payments if p["energy"] == energy)
            measures[f"{energy}_quantity"] = measure(taken, unit)
    if any(p["amount_fen"] is not None for p in payments):
        measures["amount_fen"] = measure(sum(p["amount_fen"] or 0 for p in payments), "fen")
    ended = evidence["order"]["to_us"]
    first = found[0][0]["at_us"] if found else ended
    last = max((p["at_us"] for p in payments), default=ended)
    reason = "often" if often else "few"
    return Evaluation(
        RULE, VERSION, evidence["subject"], Outcome.SUSPECTED if often else Outcome.NORMAL, reason, measures, used,
        first, last, _summary(evidence, often, found),
    )  # fmt: skip


def _summary(evidence: Mapping[str, Any], often: bool, found: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    order, following = evidence["order"], evidence["next_order"]
    until = (
        "尚无下次派单"
        if following is None
        else f"下次派车单 {following['id']} {moment(following['departed_us'])} 出车"
    )
    where = (
        f"油卡 {evidence['card']['id']}（{evidence['vehicle']['plate']}）在派车单 {order['id']}"
        f" {moment(order['to_us'])} 返回后（{until}）加油 {len(found)} 次"
    )
    if not often:
        return f"正常：{where}，不足 {evidence['parameters']['min_fills']} 次。"
    fills = "；".join(
        f"{moment(g[0]['at_us'])} {g[0]['station_name'] or g[0]['station'] or '网点不明'} {_amount(g)}"
        for g in found[:10]
    )
    more = f"等 {len(found)} 次" if len(found) > 10 else ""
    return f"疑似加油频率异常：{where}：{fills}{more}。"


def _amount(group: Sequence[Mapping[str, Any]]) -> str:
    quantities = [p["quantity"] for p in group if p["quantity"] is not None]
    if not quantities:
        return "数量不明"
    unit = "千瓦时" if group[0]["energy"] == "electric" else "升"
    hundredths = (sum(quantities) + 5) // 10
    parts = f"（{len(group)} 笔）" if len(group) > 1 else ""
    return f"{hundredths // 100:,}.{hundredths % 100:02} {unit}{parts}"
