"""季度单车油耗: a row for each vehicle and what it is filled with, beside the same type, the same quarter of the year before and the quarter before. Pure.

Every vehicle is listed, also one of which nothing can be said: then the figure is None and the notes say why. What is filled and what is driven are those of
``vehicles``, as in the indicators; more is asked of a figure that is published of one vehicle: the ledger must not have less than the fuel cards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Final

from office.statistics.indicators.facts import CostFact, Facts
from office.statistics.indicators.vehicles import (
    Consumption,
    Driven,
    Energy,
    Unread,
    consumption,
    driven_by_vehicle,
    fills_by_vehicle,
)

#: Vehicles of a type of which a mean is told.
LEAST_OF_TYPE: Final = 3
#: By how much the cards may have more than the ledger: rounding, and fills about midnight.
_CARDS_MORE: Final = Fraction(2, 100)
ENERGY_NAMES: Final[Mapping[str, str]] = {
    "petrol": "汽油", "diesel": "柴油", "electric": "纯电动", "hybrid": "混合动力", "gas": "燃气",
}  # fmt: skip
_FILLED: Final[Mapping[Energy, str]] = {"fuel": "加油", "charging": "充电"}
_ENERGIES: Final[tuple[Energy, ...]] = ("fuel", "charging")
#: What a vehicle is filled with by the register; what the ledger has besides is listed and noted.
_EXPECTED: Final[Mapping[str, tuple[Energy, ...]]] = {
    "petrol": ("fuel",), "diesel": ("fuel",), "gas": ("fuel",), "electric": ("charging",), "hybrid": ("fuel",),
}  # fmt: skip
#: Printed with the table.
DEFINITIONS: Final[tuple[str, ...]] = (
    "行驶公里：本季度第一次出车至最后一次归队（派车单）的里程表读数之差，包括其间没有派车单的行驶；读数不全或倒退的为不详。",
    "加注次数、加注量、金额：费用台账中单位承担的燃油（升）或充电（千瓦时），发生日在上述首尾两日之间（含）的；里程不详的，为本季度内的。",
    "百公里油耗（电耗）：100 × 加注量 ÷ 行驶公里；加注不少于 3 次、都有数量，且里程不少于 300 公里，台账不少于油卡交易的才计算，否则为不可判。",
    "同型均值：本表中车型、排量、能源相同且可判的车，加注量之和 ÷ 公里之和（含本车）；不足 3 辆的为不可判。",
    "同比、环比：与上年同一季度、上一季度相比的增减，两期都可判才计算；以往各期按现有记录以同样方法计算。",
)


@dataclass(frozen=True, slots=True)
class DescribedVehicle:
    """A vehicle as the register has it. ``model`` "", ``displacement_ml`` None: not entered."""

    id: str
    organisation: str
    plate: str
    energy: str
    model: str
    displacement_ml: int | None


@dataclass(frozen=True, slots=True)
class CardFill:
    """A fill by a fuel card that was bound to the vehicle. ``quantity``: ml, Wh."""

    vehicle: str
    energy: Energy
    on: date
    quantity: int


@dataclass(frozen=True, slots=True)
class FuelRow:
    """``driven`` None: the vehicle did not depart. ``mean``: litres or kWh in 100 km of its type; ``on_year``, ``on_quarter``: %. None: cannot be told."""

    vehicle: DescribedVehicle
    energy: Energy
    driven: Driven | None
    used: Consumption
    mean: Fraction | None
    on_year: Fraction | None
    on_quarter: Fraction | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Quarter:
    """What of each vehicle is known of a quarter."""

    driven: Mapping[str, Driven | Unread]
    fills: Mapping[Energy, Mapping[str, Sequence[CostFact]]]
    facts: Facts
    cards: Mapping[tuple[str, Energy], Sequence[CardFill]]

    def used(self, vehicle: DescribedVehicle, energy: Energy) -> Consumption:
        driven = self.driven.get(vehicle.id)
        found = consumption(self.facts, self.fills[energy].get(vehicle.id, ()), driven)
        why = [*found.why]
        if vehicle.energy == "gas" and energy == "fuel":
            why.append("燃气按立方米或公斤计量，不折算为升")
        if (more := self._more_by_card(vehicle.id, energy, driven, found.quantity)) is not None:
            why.append(more)
        if len(why) == len(found.why):
            return found
        return replace(found, value=None, why=tuple(why))

    def _more_by_card(
        self, vehicle: str, energy: Energy, driven: Driven | Unread | None, booked: int
    ) -> str | None:
        """What is said when the cards filled more than the ledger has."""
        span = (driven.first, driven.last) if isinstance(driven, Driven) else (date.min, date.max)
        paid = [fill for fill in self.cards.get((vehicle, energy), ()) if span[0] <= fill.on <= span[1]]
        by_card = sum(fill.quantity for fill in paid)
        if by_card <= booked * (1 + _CARDS_MORE):
            return None
        unit = "升" if energy == "fuel" else "千瓦时"
        return f"油卡交易 {len(paid)} 次 {by_card / 1000:.2f} {unit}，多于台账，台账不全"


def _quarter(facts: Facts, cards: Sequence[CardFill]) -> _Quarter:
    by_vehicle: dict[tuple[str, Energy], list[CardFill]] = defaultdict(list)
    for fill in cards:
        by_vehicle[fill.vehicle, fill.energy].append(fill)
    fills = {energy: fills_by_vehicle(facts, energy) for energy in _ENERGIES}
    return _Quarter(driven_by_vehicle(facts), fills, facts, by_vehicle)


def fuel_rows(
    vehicles: Sequence[DescribedVehicle],
    quarter: tuple[Facts, Sequence[CardFill]],
    year_before: tuple[Facts, Sequence[CardFill]],
    quarter_before: tuple[Facts, Sequence[CardFill]],
) -> list[FuelRow]:
    """The rows of ``vehicles`` in their order, fuel before electricity. The facts of three quarters."""
    now, year, before = (_quarter(*each) for each in (quarter, year_before, quarter_before))
    wanted = [
        (vehicle, energy, now.used(vehicle, energy))
        for vehicle in vehicles
        for energy in _ENERGIES
        if energy in _EXPECTED[vehicle.energy] or _was_filled(now, vehicle.id, energy)
    ]
    types = _types(wanted, now)
    found = []
    for vehicle, energy, used in wanted:
        driven, kind = now.driven.get(vehicle.id), _type_of(vehicle, energy)
        alike = types.get(kind, (0, 0, 0))
        mean = Fraction(100 * alike[1], alike[2]) if alike[0] >= LEAST_OF_TYPE else None
        found.append(
            FuelRow(
                vehicle,
                energy,
                driven if isinstance(driven, Driven) else None,
                used,
                mean,
                _change(used, year.used(vehicle, energy)),
                _change(used, before.used(vehicle, energy)),
                _notes(vehicle, energy, used),
            )
        )
    return found


def _was_filled(quarter: _Quarter, vehicle: str, energy: Energy) -> bool:
    found = consumption(quarter.facts, quarter.fills[energy].get(vehicle, ()), quarter.driven.get(vehicle))
    return bool(found.fills or found.outside or quarter.cards.get((vehicle, energy)))


_Type = tuple[str, int | None, str, Energy]


def _type_of(vehicle: DescribedVehicle, energy: Energy) -> _Type:
    return (vehicle.model.strip(), vehicle.displacement_ml, vehicle.energy, energy)


def _types(
    wanted: Sequence[tuple[DescribedVehicle, Energy, Consumption]], quarter: _Quarter
) -> dict[_Type, tuple[int, int, int]]:
    """Of each type how many vehicles can be judged, what they filled together, and how many m they drove. No type without a model."""
    found: dict[_Type, tuple[int, int, int]] = {}
    for vehicle, energy, used in wanted:
        driven, kind = quarter.driven.get(vehicle.id), _type_of(vehicle, energy)
        if used.value is None or not isinstance(driven, Driven) or not kind[0]:
            continue
        count, quantity, metres = found.get(kind, (0, 0, 0))
        found[kind] = (count + 1, quantity + used.quantity, metres + driven.metres)
    return found


def _change(now: Consumption, then: Consumption) -> Fraction | None:
    """By how much it has changed, in %."""
    if now.value is None or not then.value:
        return None
    return 100 * (now.value - then.value) / then.value


def _notes(vehicle: DescribedVehicle, energy: Energy, used: Consumption) -> tuple[str, ...]:
    notes = [*used.why]
    if used.outside:
        notes.append(f"另有 {used.outside} 次{_FILLED[energy]}在首次出车前或末次归队后，未计入")
    if energy not in _EXPECTED[vehicle.energy] and vehicle.energy != "hybrid":
        notes.append(f"登记为{ENERGY_NAMES[vehicle.energy]}，台账有{_FILLED[energy]}，待核对")
    if vehicle.energy == "hybrid" and used.value is not None:
        notes.append("油、电都按全部里程计算")
    if not vehicle.model:
        notes.append("车型未登记")
    return tuple(notes)
