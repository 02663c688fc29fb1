"""fuel_consumption 油耗异常: 同一驾驶员一个月内每百公里油耗与前三个月油耗相比，高出15%以上.

One driver, one natural month (Asia/Shanghai), one kind of energy. The baseline is pooled: all fuel over all kilometres
of the months before. A trip counts in the month of its return, a fill in the month of its time; how a fill came to the
driver is a fact of the evidence (``why``).

Fuel bought is not fuel burnt. What the tanks held at the ends of the month and of the baseline is taken in the driver's
favour where it is not known: every vehicle's tank was empty when the month began and full when it ended, and full when the
baseline began. The excess must remain, else it is undetermined. Where the terminal sends the level (item 0x02) it is settled
by that. A battery is a tank likewise.

The baseline is of the same class of vehicle, or of the very vehicle where the register names no class: each class that was
driven in the month is judged for itself, and one that was not driven before is undetermined.

What is missing on one side decides nothing: trips without a track, or with too little of one, have kilometres that
nobody knows (at most ``gap_speed_kmh`` while they were not seen), fills without a quantity have an unknown one. Where
that alone could turn the result, it is undetermined. Pure.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NotRequired, TypedDict

from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import require
from rules.evidence_parts import Driver
from runtime.units import china_day, midnight_us

RULE = "fuel_consumption"
VERSION = 2

_EPOCH: Final = date(1970, 1, 1)
#: What quantities are measured in.
_UNITS: Final = {"fuel": "ml", "electric": "Wh"}


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


class Vehicle(TypedDict):
    """A vehicle that was driven or filled. ``group``: vehicles of one class have the same; ``capacity``: of its tank or
    battery, ml or Wh, None = not known; ``levels``: what was in it at the start of the baseline, the start of the month and
    its end, None = not known."""

    id: str
    group: str
    capacity: int | None
    levels: list[int | None]


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
    vehicles: NotRequired[list[Vehicle]]


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
    that were driven; ``used``: those that were driven or filled."""

    quantity: int
    mileage_mm: int
    fills: int
    missing_mm: int
    unknown_fills: int
    left_out: int
    vehicles: frozenset[str]
    used: frozenset[str]


def side(months: Sequence[Month], used: Mapping[str, int], vehicles: Container[str] | None = None) -> Side:
    """Sums of months of evidence; ``used``: the parameters; ``vehicles``: only of these."""
    orders = [o for m in months for o in m["orders"] if vehicles is None or o["vehicle"] in vehicles]
    fills = [f for m in months for f in m["fills"] if vehicles is None or f.get("vehicle") in vehicles]
    driven = frozenset(o["vehicle"] for o in orders if o["mileage_mm"])
    return Side(
        sum(f["quantity"] or 0 for f in fills),
        sum(o["mileage_mm"] for o in orders),
        sum(1 for f in fills if f["quantity"]),
        sum(unseen_mm(o, used) for o in orders),
        sum(1 for f in fills if f["quantity"] is None),
        sum(len(m["left_out"]) for m in months),
        driven,
        driven | {f["vehicle"] for f in fills if "vehicle" in f},
    )


@dataclass(frozen=True, slots=True)
class Burnt:
    """What a side burnt, ml or Wh: ``told``, what was bought and what the levels that are known at both ends say; and the
    ``bound`` that is best for the driver."""

    told: int
    bound: int


def burnt(
    sums: Side, tanks: Mapping[str, Vehicle], capacity: int, ends: tuple[int, int], least: bool
) -> Burnt:
    """What a side burnt. ``capacity``: of a vehicle of which it is not known; ``ends``: which levels are those of its start
    and its end; ``least``: the bound is the least that it can be, else the most."""
    told = bound = sums.quantity
    for id in sums.used:
        tank = tanks.get(id)
        holds = capacity if tank is None or tank["capacity"] is None else tank["capacity"]
        start, end = (None if tank is None else tank["levels"][k] for k in ends)
        if start is not None and end is not None:
            told += start - end
        bound += (0 if least else holds) if start is None else start
        bound -= (holds if least else 0) if end is None else end
    return Burnt(max(told, 0), max(bound, 0))


def unseen_mm(order: Order, used: Mapping[str, int]) -> int:
    """How far a trip (an order of the evidence) may have gone, at most, beyond what was measured; 0 where its track is
    as good as whole."""
    speed: int = used["gap_speed_kmh"]
    lasted: int = order["returned_us"] - order["departed_us"]
    most = speed * lasted // 3600  # 1 km/h = 1 mm / 3600 us
    if not order["fixes"] and not order["mileage_mm"]:
        return most
    least = used["min_coverage_permille"]
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


@dataclass(frozen=True, slots=True)
class _Found:
    """What one class of vehicles comes to."""

    outcome: Outcome
    reason: str
    now: Side
    base: Side
    now_burnt: Burnt
    base_burnt: Burnt
    with_data: int

    def ratio_permille(self) -> int | None:
        """How much more was burnt per kilometre, rounded down: what fires shows the limit or more."""
        if not self.base_burnt.told or not self.now.mileage_mm:
            return None
        over = self.base_burnt.told * self.now.mileage_mm
        return 1000 * self.now_burnt.told * self.base.mileage_mm // over


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge a driver's month on its evidence. Raises EvidenceError for evidence of another rule or version."""
    require(evidence, RULE, VERSION)
    used, month, unit = evidence["parameters"], evidence["month"], _UNITS[evidence["energy"]]
    by_month = {m["month"]: m for m in evidence["months"]}
    before = [by_month[shifted(month, -k)] for k in range(used["baseline_months"], 0, -1)]
    groups = _groups(evidence, [*before, by_month[month]])
    driven = side([by_month[month]], used).used
    now_groups = sorted(g for g, ids in groups.items() if ids & driven)
    every = frozenset().union(*groups.values())
    found = [
        _judge_group(evidence, by_month[month], before, ids)
        for ids in ([groups[g] for g in now_groups] or [every])
    ]
    chosen = min(found, key=_first_told)
    now, base = chosen.now, chosen.base
    whole = side([by_month[month], *before], used)
    measures = {
        "current_quantity": measure(now.quantity, unit),
        "current_mileage_m": measure(now.mileage_mm // 1000, "m"),
        "current_fills": measure(now.fills, "1"),
        "current_least": measure(chosen.now_burnt.bound, unit),
        "baseline_quantity": measure(base.quantity, unit),
        "baseline_mileage_m": measure(base.mileage_mm // 1000, "m"),
        "baseline_fills": measure(base.fills, "1"),
        "baseline_most": measure(chosen.base_burnt.bound, unit),
        "baseline_months": measure(chosen.with_data, "month"),
        "left_out_fills": measure(whole.left_out, "1"),
        "vehicles_not_driven_before": measure(len(now.vehicles - base.vehicles), "1"),
    }
    if len(found) > 1:
        measures["classes"] = measure(len(found), "1")
        both = side([by_month[month]], used)
        measures["all_quantity"] = measure(both.quantity, unit)
        measures["all_mileage_m"] = measure(both.mileage_mm // 1000, "m")
    for name, sums, quantity in (
        ("current", now, chosen.now_burnt.told),
        ("baseline", base, chosen.base_burnt.told),
    ):
        if sums.mileage_mm and sums.fills:
            measures[f"{name}_consumption"] = measure(_consumption(quantity, sums), f"{unit}/100 km")
    last_year = by_month.get(shifted(month, -12))
    if last_year is not None and (sums := side([last_year], used)).mileage_mm and sums.fills:
        measures["last_year_consumption"] = measure(_consumption(sums.quantity, sums), f"{unit}/100 km")
    if (ratio := chosen.ratio_permille()) is not None:
        measures["ratio_permille"] = measure(ratio, "1/1000")
    first, end = month_span(month)
    driver = evidence["driver"]
    told = {
        "driver": driver["id"],
        "driver_name": driver["name"],
        "month": month,
        "energy": evidence["energy"],
    }
    return Evaluation(
        RULE, VERSION, evidence["subject"], chosen.outcome, chosen.reason, measures, used, first, end, told
    )


def _groups(evidence: Evidence, months: Sequence[Month]) -> dict[str, frozenset[str]]:
    """The vehicles of each class; one that the evidence does not describe is a class of its own."""
    known = {v["id"]: v["group"] for v in evidence.get("vehicles", ())}
    ids = {o["vehicle"] for m in months for o in m["orders"]}
    ids |= {f["vehicle"] for m in months for f in m["fills"] if "vehicle" in f}
    groups: dict[str, set[str]] = {}
    for id in ids:
        groups.setdefault(known.get(id, f"vehicle:{id}"), set()).add(id)
    return {group: frozenset(its) for group, its in groups.items()}


def _first_told(found: _Found) -> tuple[int, int, int, str]:
    """What is told of several classes: one that accuses before one that cannot be judged before one that is normal."""
    place = (Outcome.SUSPECTED, Outcome.UNDETERMINED, Outcome.NORMAL).index(found.outcome)
    return place, -(found.ratio_permille() or 0), -found.now.mileage_mm, min(found.now.used, default="")


def _judge_group(
    evidence: Evidence, current: Month, before: Sequence[Month], vehicles: frozenset[str]
) -> _Found:
    used = evidence["parameters"]
    tanks = {v["id"]: v for v in evidence.get("vehicles", ())}
    # Litres and kilowatt hours: a thousand of what quantities are measured in.
    default = used["tank_default_l" if evidence["energy"] == "fuel" else "battery_default_kwh"] * 1000
    now, base = side([current], used, vehicles), side(before, used, vehicles)
    now_burnt = burnt(now, tanks, default, (1, 2), least=True)
    base_burnt = burnt(base, tanks, default, (0, 1), least=False)

    def with_data(its: frozenset[str] | None) -> int:
        # A month whose fills nobody recorded would make the baseline low: both kilometres and fuel make a month.
        return sum(1 for s in (side([m], used, its) for m in before) if s.mileage_mm and s.fills)

    mine = with_data(vehicles)
    if mine < used["baseline_months"]:
        changed = with_data(None) >= used["baseline_months"]
        outcome, reason = Outcome.UNDETERMINED, "class_changed" if changed else "baseline_months"
    else:
        outcome, reason = _decide(now, base, now_burnt, base_burnt, used)
    return _Found(outcome, reason, now, base, now_burnt, base_burnt, mine)


def _decide(
    now: Side, base: Side, now_burnt: Burnt, base_burnt: Burnt, used: Mapping[str, int]
) -> tuple[Outcome, str]:
    if min(now.mileage_mm, base.mileage_mm) < used["min_km"] * 1_000_000:
        return Outcome.UNDETERMINED, "mileage"
    if min(now.fills, base.fills) < used["min_fills"]:
        return Outcome.UNDETERMINED, "fills"
    ratio, most_mm = used["ratio_permille"], now.mileage_mm + now.missing_mm
    if fires(now_burnt.told, now.mileage_mm, base_burnt.told, base.mileage_mm, ratio):
        if base.unknown_fills:
            return Outcome.UNDETERMINED, "no_quantity"
        if not fires(now_burnt.told, most_mm, base_burnt.told, base.mileage_mm, ratio):
            return Outcome.UNDETERMINED, "no_track"
        if not fires(now_burnt.bound, most_mm, base_burnt.bound, base.mileage_mm, ratio):
            return Outcome.UNDETERMINED, "tank"
        return Outcome.SUSPECTED, "higher"
    if now.unknown_fills:
        return Outcome.UNDETERMINED, "no_quantity"
    if fires(now_burnt.told, now.mileage_mm, base_burnt.told, base.mileage_mm + base.missing_mm, ratio):
        return Outcome.UNDETERMINED, "no_track"
    return Outcome.NORMAL, "within"


def _consumption(quantity: int, sums: Side) -> int:
    """ml (Wh) per 100 km, half up."""
    return (2 * quantity * 100_000_000 + sums.mileage_mm) // (2 * sums.mileage_mm)
