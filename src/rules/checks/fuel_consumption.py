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
from typing import Final, NotRequired, TypedDict

from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import require
from runtime.units import china_day, midnight_us

RULE = "fuel_consumption"
VERSION = 2

_EPOCH: Final = date(1970, 1, 1)
#: What quantities are measured in.
_UNITS: Final = {"fuel": "ml", "electric": "Wh"}


class Driver(TypedDict):
    """The driver."""

    id: str
    name: str
    organisation: str


class Order(TypedDict):
    """A trip. ``first_us``, ``last_us``: of its fixes, None = it has none."""

    id: str
    version: int
    vehicle: str
    departed_us: int
    returned_us: int
    mileage_mm: int
    bridged_mm: int
    fixes: int
    first_us: int | None
    last_us: int | None


class Fill(TypedDict):
    """A fill; ``quantity`` in ml or Wh, ``why`` it is this driver's, or why it is left out. Those that are left out have
    no vehicle and no order."""

    id: str
    at_us: int
    card: str
    plate: str
    quantity: int | None
    vehicle: NotRequired[str]
    order: NotRequired[str]
    why: str


class Month(TypedDict):
    """A natural month of the driver."""

    month: str
    orders: list[Order]
    fills: list[Fill]
    left_out: list[Fill]


class Evidence(TypedDict):
    """What a driver's month is judged on. ``months``: the month itself, those of the baseline, the same of last year."""

    rule: str
    rule_version: int
    subject: str
    month: str
    driver: Driver
    energy: str
    parameters: dict[str, int]
    months: list[Month]


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


def side(months: Sequence[Month], used: Mapping[str, int]) -> Side:
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


def unseen_mm(order: Order, used: Mapping[str, int]) -> int:
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
    if order["first_us"] is not None and order["last_us"] is not None:
        first, last = (
            max(order["first_us"], order["departed_us"]),
            min(order["last_us"], order["returned_us"]),
        )
        seen = max(0, last - first)
    return speed * (lasted - seen) // 3600 if 1000 * seen < least * lasted else 0


def fires(quantity: int, mileage_mm: int, base: int, base_mm: int, ratio_permille: int) -> bool:
    """Whether quantity / mileage is ``ratio_permille`` of base / base_mm or more (以上)."""
    return quantity * base_mm * 1000 >= ratio_permille * base * mileage_mm


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge a driver's month on its evidence. Raises EvidenceError for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    used, month, unit = evidence["parameters"], evidence["month"], _UNITS[evidence["energy"]]
    by_month = {m["month"]: m for m in evidence["months"]}
    before = [by_month[shifted(month, -k)] for k in range(used["baseline_months"], 0, -1)]
    now, base = side([by_month[month]], used), side(before, used)
    # A month whose fills nobody recorded would make the baseline low: both kilometres and fuel make a month.
    singles = [side([m], used) for m in before]
    with_data = sum(1 for s in singles if s.mileage_mm and s.fills)
    outcome, reason = _decide(now, base, with_data, used)
    measures = {
        "current_quantity": measure(now.quantity, unit),
        "current_mileage_m": measure(now.mileage_mm // 1000, "m"),
        "current_fills": measure(now.fills, "1"),
        "baseline_quantity": measure(base.quantity, unit),
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
            measures[f"{name}_consumption"] = measure(_consumption(sums), f"{unit}/100 km")
    if base.quantity and now.mileage_mm:
        # Rounded down: what fires shows the limit or more.
        ratio_found = 1000 * now.quantity * base.mileage_mm // (base.quantity * now.mileage_mm)
        measures["ratio_permille"] = measure(ratio_found, "1/1000")
    first, end = month_span(month)
    driver = evidence["driver"]
    told = {
        "driver": driver["id"],
        "driver_name": driver["name"],
        "month": month,
        "energy": evidence["energy"],
    }
    return Evaluation(RULE, VERSION, evidence["subject"], outcome, reason, measures, used, first, end, told)


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
