"""refuel_frequency 加油频率异常: 同一张油卡，在绑定的公务车本次派单结束后与下次派单前，发生加油两次及以上.

The stretch judged lies between the end of a run of orders of the bound vehicle (orders that overlap or touch are one
run) and the departure of the next order, cut where the card was bound to something else. Both ends belong to the orders:
a fill at the very moment of return or departure is none between them. An order without a return ends at its planned
(extended) return and some hours more (``returned`` false). Without a next order the stretch is open.

Payments at one station, each within ``merge_min`` of another of them (以内), are one fill and happened at the first
payment, whatever came in between. Reversals and what they take back, top-ups, fees and goods that are no fuel are no
fills; charging is one only with ``count_charging``: electric vehicles stand at the charger between orders. A payment of
which only the booking is known (``posted``) may have been made before the return: it accuses nobody. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NotRequired, TypedDict

from registry.goods import is_goods
from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import require
from rules.evidence_parts import Binding, Card

RULE = "refuel_frequency"
VERSION = 2

_MIN_US: Final = 60 * 1_000_000


class Vehicle(TypedDict):
    """The official vehicle that the card was bound to."""

    no: int
    id: str
    plate: str


class Order(TypedDict):
    """The order after whose return (``to_us``) the stretch begins; ``returned``: false = it has none, and ``to_us`` is until
    when it covers its vehicle; ``paper_us``: the return on paper, where the track shows one a little later, which is used."""

    id: str
    version: int
    driver: str | None
    from_us: int
    to_us: int
    returned: NotRequired[bool]
    paper_us: NotRequired[int]


class NextOrder(TypedDict):
    """The order with whose departure the stretch ends."""

    id: str
    version: int
    driver: str | None
    departed_us: int


class Transaction(TypedDict):
    """A transaction of the card. ``quantity`` in ml or Wh; ``posted``: its time is that of the booking, or the start of a
    day; ``why`` (see ``explain``) is for people."""

    id: str
    at_us: int
    kind: str
    product: str
    energy: str
    quantity: int | None
    amount_fen: int | None
    station: str | None
    station_name: str
    reversed_by: str | None
    posted: NotRequired[bool]
    why: NotRequired[str]


class Evidence(TypedDict):
    """What a stretch between two orders is judged on. ``transactions``: those of the stretch, and every payment that may
    be one fill with one of it."""

    rule: str
    rule_version: int
    subject: str
    card: Card
    vehicle: Vehicle
    binding: Binding
    order: Order
    next_order: NextOrder | None
    parameters: dict[str, int]
    transactions: list[Transaction]


def escaped(name: str) -> str:
    """An id within a subject: without colon, so that the parts of a subject can be told apart."""
    return name.replace(":", "%3A")


def subject(card: str, order: str, bound: str | None = None) -> str:
    """Name of the subject: the stretch of a card after an order. ``bound`` tells a second stretch after the same order
    from the first, where the card was bound to something else in between: when this binding began."""
    plain = f"card:{escaped(card)}:after:{escaped(order)}"
    return plain if bound is None else f"{plain}:bound:{bound}"


def not_counted(transaction: Transaction, used: Mapping[str, int]) -> str | None:
    """Why a transaction is no fill that counts; None: it is one. ``used``: the parameters."""
    if transaction["kind"] != "fill":
        return "not_a_fill"
    if transaction["reversed_by"] is not None:
        return "reversed"
    if is_goods(transaction["product"]):
        return "goods"
    if transaction["energy"] == "electric" and not used["count_charging"]:
        return "charging"
    return None


def groups(transactions: Sequence[Transaction], used: Mapping[str, int]) -> list[list[Transaction]]:
    """Fills as groups of payments, each by (time, id), the groups by their first payment. ``used``: the parameters."""
    merge_us = used["merge_min"] * _MIN_US
    fills = [t for t in transactions if not_counted(t, used) is None]
    fills.sort(key=lambda t: (t["at_us"], t["id"]))
    of: list[int] = []  # by fill: its group
    # The last fill of each station as it is written: earlier ones of it that are near enough are of its group already.
    last: dict[tuple[str | None, str], int] = {}
    for k, fill in enumerate(fills):
        last = {name: j for name, j in last.items() if fill["at_us"] - fills[j]["at_us"] <= merge_us}
        joined = {of[j] for j in last.values() if _same_station(fill, fills[j])}
        last[fill["station"], fill["station_name"].strip()] = k
        mine = min(joined, default=k)
        if len(joined) > 1:
            of = [mine if g in joined else g for g in of]
        of.append(mine)
    found: dict[int, list[Transaction]] = {}
    for fill, group in zip(fills, of, strict=True):
        found.setdefault(group, []).append(fill)
    return sorted(found.values(), key=lambda g: (g[0]["at_us"], g[0]["id"]))


def _same_station(a: Transaction, b: Transaction) -> bool:
    """By station where both are matched to one, else by the name as written; two without a name are taken for one."""
    if a["station"] is not None and b["station"] is not None:
        return bool(a["station"] == b["station"])
    return bool(a["station_name"].strip() == b["station_name"].strip())


def within(evidence: Evidence, at_us: int) -> bool:
    """Whether a time lies in the stretch."""
    binding, following = evidence["binding"], evidence["next_order"]
    return bool(
        evidence["order"]["to_us"] < at_us
        and binding["from_us"] <= at_us
        and (binding["to_us"] is None or at_us < binding["to_us"])
        and (following is None or at_us < following["departed_us"])
    )


def explain(evidence: Evidence) -> dict[str, str]:
    """Transaction -> counted, merged (into the group's first payment), outside, or why it is no fill: reversed, goods,
    charging, not_a_fill."""
    used = evidence["parameters"]
    why = {t["id"]: left for t in evidence["transactions"] if (left := not_counted(t, used)) is not None}
    for group in groups(evidence["transactions"], used):
        inside = within(evidence, group[0]["at_us"])
        for place, payment in enumerate(group):
            why[payment["id"]] = ("merged" if place else "counted") if inside else "outside"
    return why


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge the fills of a card between two orders on their evidence. Parameters: min_fills, merge_min,
    count_charging. Raises EvidenceError for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    used = evidence["parameters"]
    found = [g for g in groups(evidence["transactions"], used) if within(evidence, g[0]["at_us"])]
    timed = sum(not any(p.get("posted") for p in g) for g in found)
    outcome, reason = Outcome.NORMAL, "few"
    if timed >= used["min_fills"]:
        outcome, reason = Outcome.SUSPECTED, "often"
    elif len(found) >= used["min_fills"]:
        outcome, reason = Outcome.UNDETERMINED, "posting_time"
    payments = [p for g in found for p in g]
    measures: dict[str, Any] = {
        "fills": measure(len(found), "1"),
        "payments": measure(len(payments), "1"),
    }
    if timed < len(found):
        measures["without_time"] = measure(len(found) - timed, "1")
    for energy, unit in (("fuel", "ml"), ("electric", "Wh")):
        if any(p["energy"] == energy for p in payments):
            taken = sum(p["quantity"] or 0 for p in payments if p["energy"] == energy)
            measures[f"{energy}_quantity"] = measure(taken, unit)
    if any(p["amount_fen"] is not None for p in payments):
        measures["amount_fen"] = measure(sum(p["amount_fen"] or 0 for p in payments), "fen")
    ended = evidence["order"]["to_us"]
    first = found[0][0]["at_us"] if found else ended
    last = max((p["at_us"] for p in payments), default=ended)
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, used, first, last, _told(evidence, found),
    )  # fmt: skip


def _told(evidence: Evidence, found: Sequence[Sequence[Transaction]]) -> dict[str, Any]:
    order, following = evidence["order"], evidence["next_order"]
    return {
        "card": evidence["card"]["id"], "plate": evidence["vehicle"]["plate"], "order": order["id"],
        "returned_us": order["to_us"], "returned": order.get("returned", True), "paper_us": order.get("paper_us"), "next_order": None if following is None else following["id"],
        "departs_us": None if following is None else following["departed_us"],
        "fills": [_fill(group) for group in found[:10]],
    }  # fmt: skip


def _fill(group: Sequence[Transaction]) -> dict[str, Any]:
    quantities = [p["quantity"] for p in group if p["quantity"] is not None]
    return {
        "at_us": group[0]["at_us"], "station": group[0]["station_name"] or group[0]["station"],
        "energy": group[0]["energy"], "quantity": sum(quantities) if quantities else None, "payments": len(group),
    }  # fmt: skip
