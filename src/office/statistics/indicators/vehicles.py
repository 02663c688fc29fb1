"""What one vehicle has driven, filled and cost in a period: the one place where it is counted, for the indicators, for 单车核算 and for what is published. Pure.

What cannot be told has no value and says why; it is never 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Final, Literal

from office.statistics.indicators.facts import CostFact, DispatchFact, Facts
from runtime.units import CHINA

#: What a consumption needs: so many fills, and so far driven.
LEAST_FILLS: Final = 3
LEAST_M: Final = 300_000
#: Kinds of cost that are no running cost of a vehicle: shown apart, and wages.
NOT_RUNNING: Final = frozenset({"depreciation", "overtime"})
#: What is filled: litres and kilowatt-hours are never added up.
Energy = Literal["fuel", "charging"]


@dataclass(frozen=True, slots=True)
class Driven:
    """The odometer of a vehicle over a period, in m, and the days in China of its first departure and of its last return. ``ordered_m``: within dispatches;
    ``dispatches``: the numbers of that with the first reading and that with the last."""

    first_m: int
    last_m: int
    ordered_m: int
    first: date
    last: date
    dispatches: tuple[str, str] = ("", "")

    @property
    def metres(self) -> int:
        return self.last_m - self.first_m


@dataclass(frozen=True, slots=True)
class Unread:
    """The odometer does not say how far it was driven, ``why`` in Chinese."""

    why: str


@dataclass(frozen=True, slots=True)
class Consumption:
    """What was filled: ``fills`` times, ``quantity`` ml or Wh, for ``fen``. ``outside``: fills of the period that are not among them, being before its first departure or
    after its last return. ``entries``: their lines of the ledger. ``value``: litres or kWh in 100 km; None: it cannot be told, ``why`` says so."""

    fills: int
    quantity: int
    fen: int
    outside: int
    without_quantity: int
    value: Fraction | None
    why: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()


def driven_by_vehicle(facts: Facts) -> dict[str, Driven | Unread]:
    """Of each vehicle that departed in the period and is back. A vehicle with none is not in it."""
    by_vehicle: dict[str, list[DispatchFact]] = defaultdict(list)
    for dispatch in facts.dispatches:
        if dispatch.back is not None and within(facts, dispatch.left):
            by_vehicle[dispatch.vehicle].append(dispatch)
    return {vehicle: _driven(dispatches) for vehicle, dispatches in by_vehicle.items()}


def _driven(dispatches: Sequence[DispatchFact]) -> Driven | Unread:
    read = [d for d in dispatches if d.odometer_out_m is not None and d.odometer_in_m is not None]
    if len(read) < len(dispatches):
        return Unread(
            f"{len(dispatches)} 张派车单中 {len(dispatches) - len(read)} 张没有完整的里程表读数，里程不详"
        )
    read.sort(key=lambda d: d.left or d.planned[0])
    pairs = [(d.odometer_out_m or 0, d.odometer_in_m or 0) for d in read]
    flat = [reading for pair in pairs for reading in pair]
    if flat != sorted(flat):
        return Unread("里程表读数前后倒退，里程不详")
    first, last = read[0].left, max(d.back for d in read if d.back is not None)
    return Driven(
        flat[0],
        flat[-1],
        sum(back - out for out, back in pairs),
        (first or last).astimezone(CHINA).date(),
        last.astimezone(CHINA).date(),
        (read[0].number, read[-1].number),
    )


def within(facts: Facts, moment: datetime | None) -> bool:
    """Whether it is in the period."""
    return moment is not None and facts.within[0] <= moment < facts.within[1]


def fills_by_vehicle(facts: Facts, energy: Energy) -> dict[str, list[CostFact]]:
    """The lines of the ledger that paid for fills, also some after the period: a trip may end there."""
    found: dict[str, list[CostFact]] = defaultdict(list)
    for cost in facts.costs:
        if cost.kind == energy and cost.fen > 0:
            found[cost.vehicle].append(cost)
    return found


def consumption(facts: Facts, fills: Iterable[CostFact], driven: Driven | Unread | None) -> Consumption:
    """Of the fills of one vehicle: those from its first departure to its last return count; where it is not known how far it was driven, those of the period."""
    first, last = (facts.within[0].astimezone(CHINA).date(), facts.within[1].astimezone(CHINA).date())
    of_period = [fill for fill in fills if first <= fill.on < last]
    if isinstance(driven, Driven):
        counted = [fill for fill in fills if driven.first <= fill.on <= driven.last]
        outside = sum(not driven.first <= fill.on <= driven.last for fill in of_period)
    else:
        counted, outside = of_period, 0
    quantity = sum(fill.quantity or 0 for fill in counted)
    without = sum(fill.quantity is None for fill in counted)
    why = [driven.why if isinstance(driven, Unread) else "本期没有已归队的派车单，里程不详"]
    if isinstance(driven, Driven):
        why = [f"里程不足 {LEAST_M // 1000} 公里"] if driven.metres < LEAST_M else []
    if len(counted) < LEAST_FILLS:
        why.append(f"加注不足 {LEAST_FILLS} 次")
    if without:
        why.append(f"{without} 次加注没有数量")
    value = None
    if not why and isinstance(driven, Driven):
        # ml a metre -> litres in 100 km; Wh the same.
        value = Fraction(100 * quantity, driven.metres)
    return Consumption(
        len(counted),
        quantity,
        sum(fill.fen for fill in counted),
        outside,
        without,
        value,
        tuple(why),
        tuple(fill.entry for fill in counted),
    )


def running_costs(facts: Facts) -> Mapping[str, Mapping[str, int]]:
    """Of each vehicle what the unit bore, booked in the period, by kind, in 分; without depreciation and wages."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for cost in facts.costs:
        if cost.booked and cost.kind not in NOT_RUNNING:
            found[cost.vehicle][cost.kind] += cost.fen
    return found
