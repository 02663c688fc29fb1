"""fuel_consumption 油耗异常: 同一驾驶员一个月内每百公里油耗与前三个月油耗相比，高出15%以上.

One driver, one natural month (Asia/Shanghai), one kind of energy. The baseline is pooled: all fuel over all kilometres
of the months before. A trip counts in the month of its return, a fill in the month of its time; how a fill came to the
driver is a fact of the evidence (``why``).

What is missing on one side decides nothing: trips without a track, or with too little of one, have kilometres that
nobody knows (at most ``gap_speed_kmh`` while they were not seen), fills without a quantity have an unknown one. Where
that alone could turn the result, it is undetermined. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import EvidenceError
from rules.wording import kilometres
from runtime.units import china_day, midnight_us

RULE = "fuel_consumption"
VERSION = 1

REASONS: Final[Mapping[str, str]] = {
    "higher": "百公里油耗比前期高出规定比例以上 · consumption is higher than before by the limit or more",
    "within": "百公里油耗未高出规定比例 · consumption is not higher by the limit",
    "baseline_months": "前期月份的数据不足 · too few months with data before",
    "mileage": "行驶里程不足 · too few kilometres",
    "fills": "加油次数不足 · too few fills",
    "no_track": "有行程没有轨迹或轨迹不全，里程不明 · trips without a track or a whole one: their kilometres are unknown",
    "no_quantity": "有加油记录没有数量 · fills without a quantity",
    "nothing": "本月不再有该驾驶员的行程和加油 · the driver has no trips and fills in this month any more",
}

_EPOCH: Final = date(1970, 1, 1)
_UNITS: Final = {
    "fuel": ("升", "ml", "百公里油耗", "加油"),
    "electric": ("千瓦时", "Wh", "百公里电耗", "充电"),
}


def subject(driver: str, month: str, energy: str) -> str:
    """Name of the subject: a driver's month (``2026-03``), ``fuel`` or ``electric``."""
    return f"driver:{driver}:{month}:{energy}"


def month_of(us: int) -> str:
    """Natural month in Asia/Shanghai of a time, ``2026-03``."""
    return date.fromordinal(china_day(us) + _EPOCH.toordinal()).strftime("%Y-%m")


def shifted(month: str, months: int) -> str:
    """The month so many months later."""
    index = int(month[:4]) * 12 + int(month[5:]) - 1 + months
    return f"{index // 12:04}-{index % 12 + 1:02}"


def month_span(month: str) -> tuple[int, int]:
    """[from, to) of a natural month, microseconds since 1970 UTC."""
    return _first_us(month), _first_us(shifted(month, 1))


def _first_us(month: str) -> int:
    return midnight_us(date(int(month[:4]), int(month[5:]), 1))


@dataclass(frozen=True, slots=True)
class Side:
    """Sums of some months. ``missing_mm``: what was not seen of the trips may have come to at most; ``vehicles``: those
    that were driven."""

    quantity: int
    mileage_mm: int
    fills: int
    missing_mm: int
    unknown_fills: int
    left_out: int
    vehicles: frozenset[str]


def side(months: Sequence[Mapping[str, Any]], used: Mapping[str, int]) -> Side:
    """Sums of months of evidence; ``used``: the parameters."""
    orders = [o for m in months for o in m["orders"]]
    fills = [f for m in months for f in m["fills"]]
    return Side(
        sum(f["quantity"] or 0 for f in fills),
        sum(o["mileage_mm"] for o in orders),
        sum(1 for f in fills if f["quantity"]),
        sum(unseen_mm(o, used) for o in orders),
        sum(1 for f in fills if f["quantity"] is None),
        sum(len(m["left_out"]) for m in months),
        frozenset(o["vehicle"] for o in orders if o["mileage_mm"]),
    )


def unseen_mm(order: Mapping[str, Any], used: Mapping[str, int]) -> int:
    """How far a trip (an order of the evidence) may have gone, at most, beyond what was measured; 0 where its track is
    as good as whole."""
    speed: int = used["gap_speed_kmh"]
    lasted: int = order["returned_us"] - order["departed_us"]
    most = speed * lasted // 3600  # 1 km/h = 1 mm / 3600 us
    if not order["fixes"] and not order["mileage_mm"]:
        return most
    least = used.get("min_coverage_permille")
    if least is None:  # frozen before there was the parameter
        return 0
    # Straight lines over gaps undercut the road; where they are most of the way (as in ``mileage``) nobody knows it.
    if 2 * order["bridged_mm"] > order["mileage_mm"]:
        return max(0, most - int(order["mileage_mm"]))
    seen = 0
    if order["first_us"] is not None:
        first, last = (
            max(order["first_us"], order["departed_us"]),
            min(order["last_us"], order["returned_us"]),
        )
        seen = max(0, last - first)
    return speed * (lasted - seen) // 3600 if 1000 * seen < least * lasted else 0


def fires(quantity: int, mileage_mm: int, base: int, base_mm: int, ratio_permille: int) -> bool:
    """Whether quantity / mileage is ``ratio_permille`` of base / base_mm or more (以上)."""
    return quantity * base_mm * 1000 >= ratio_permille * base * mileage_mm


def evaluate(evidence: dict[str, Any]) -> Evaluation:
    """Judge a driver's month on its evidence.

    Evidence: rule, rule_version, subject, driver {id, name, organisation}, month, energy, parameters, ``months``:
    the month itself, those of the baseline and the same of last year, each {month, orders: [{id, version, vehicle,
    departed_us, returned_us, mileage_mm, bridged_mm, fixes, first_us, last_us (of its fixes, null)}], fills: [{id, at_us, card, plate, vehicle, quantity,
    order, why}], left_out: [{id, at_us, card, plate, quantity, why}]}. Quantities in ml or Wh. Raises EvidenceError
    for evidence of another rule or version.
    """
    if evidence.get("rule") != RULE or evidence.get("rule_version") != VERSION:
        raise EvidenceError(f"not evidence of {RULE} {VERSION}")
    used, month = evidence["parameters"], evidence["month"]
    by_month = {m["month"]: m for m in evidence["months"]}
    before = [by_month[shifted(month, -k)] for k in range(used["baseline_months"], 0, -1)]
    ratio = used["ratio_permille"]
    now, base = side([by_month[month]], used), side(before, used)
    # A month whose fills nobody recorded would make the baseline low: both kilometres and fuel make a month.
    singles = [side([m], used) for m in before]
    with_data = sum(1 for s in singles if s.mileage_mm and s.fills)
    outcome, reason = _decide(now, base, with_data, used)
    measures = {
        "current_quantity": measure(now.quantity, _UNITS[evidence["energy"]][1]),
        "current_mileage_m": measure(now.mileage_mm // 1000, "m"),
        "current_fills": measure(now.fills, "1"),
        "baseline_quantity": measure(base.quantity, _UNITS[evidence["energy"]][1]),
        "baseline_mileage_m": measure(base.mileage_mm // 1000, "m"),
        "baseline_fills": measure(base.fills, "1"),
        "baseline_months": measure(with_data, "month"),
        "left_out_fills": measure(now.left_out + base.left_out, "1"),
        "vehicles_not_driven_before": measure(len(now.vehicles - base.vehicles), "1"),
    }
    sides = [("current", now), ("baseline", base)]
    last_year = by_month.get(shifted(month, -12))
    if last_year is not None:
        sides.append(("last_year", side([last_year], used)))
    for name, sums in sides:
        if sums.mileage_mm and sums.fills:
            unit = f"{_UNITS[evidence['energy']][1]}/100 km"
            measures[f"{name}_consumption"] = measure(_consumption(sums), unit)
    if base.quantity and now.mileage_mm:
        # Rounded down: what fires shows the limit or more.
        ratio_found = 1000 * now.quantity * base.mileage_mm // (base.quantity * now.mileage_mm)
        measures["ratio_permille"] = measure(ratio_found, "1/1000")
    first, end = month_span(month)
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, used, first, end,
        _summary(evidence, outcome, reason, now, base, ratio),
    )  # fmt: skip


def _decide(now: Side, base: Side, with_data: int, used: Mapping[str, int]) -> tuple[Outcome, str]:
    if with_data < used["baseline_months"]:
        return Outcome.UNDETERMINED, "baseline_months"
    if min(now.mileage_mm, base.mileage_mm) < used["min_km"] * 1_000_000:
        return Outcome.UNDETERMINED, "mileage"
    if min(now.fills, base.fills) < used["min_fills"]:
        return Outcome.UNDETERMINED, "fills"
    ratio = used["ratio_permille"]
    if fires(now.quantity, now.mileage_mm, base.quantity, base.mileage_mm, ratio):
        if base.unknown_fills:
            return Outcome.UNDETERMINED, "no_quantity"
        if not fires(now.quantity, now.mileage_mm + now.missing_mm, base.quantity, base.mileage_mm, ratio):
            return Outcome.UNDETERMINED, "no_track"
        return Outcome.SUSPECTED, "higher"
    if now.unknown_fills:
        return Outcome.UNDETERMINED, "no_quantity"
    if fires(now.quantity, now.mileage_mm, base.quantity, base.mileage_mm + base.missing_mm, ratio):
        return Outcome.UNDETERMINED, "no_track"
    return Outcome.NORMAL, "within"


def _consumption(sums: Side) -> int:
    """ml (Wh) per 100 km, half up."""
    return (2 * sums.quantity * 100_000_000 + sums.mileage_mm) // (2 * sums.mileage_mm)


def _hundredths(thousandths: int) -> str:
    value = (thousandths + 5) // 10
    return f"{value // 100:,}.{value % 100:02}"


def _summary(
    evidence: Mapping[str, Any], outcome: Outcome, reason: str, now: Side, base: Side, ratio: int
) -> str:
    unit, _, name, filling = _UNITS[evidence["energy"]]
    driver, month = evidence["driver"], evidence["month"]
    who = f"驾驶员{driver['name']}（{driver['id']}）{int(month[:4])}年{int(month[5:])}月"
    if outcome is Outcome.UNDETERMINED:
        return f"不可判：{who}{name}：{REASONS[reason].split(' · ')[0]}。"
    months = evidence["parameters"]["baseline_months"]
    higher = 1000 * now.quantity * base.mileage_mm // (base.quantity * now.mileage_mm) - 1000
    text = (
        f"{who}{name} {_hundredths(_consumption(now))} {unit}（{filling} {now.fills} 次"
        f" {_hundredths(now.quantity)} {unit}，行驶 {kilometres(now.mileage_mm // 1000)}），"
        f"前 {months} 个月为 {_hundredths(_consumption(base))} {unit}"
    )
    if outcome is Outcome.NORMAL:
        return f"正常：{text}，未达到高出 {(ratio - 1000) // 10}.{(ratio - 1000) % 10}% 的限值。"
    others = len(now.vehicles - base.vehicles)
    note = f"；本月驾驶了前期未驾驶的车辆 {others} 辆" if others else ""
    return f"疑似{'油' if evidence['energy'] == 'fuel' else '电'}耗异常：{text}，高出 {higher // 10}.{higher % 10}%{note}。"
