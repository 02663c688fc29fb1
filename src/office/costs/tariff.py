"""The tariff engine: what a trip costs by a tariff, to the 分. The only place in which a price is computed. Pure.

``base(product) + bands of km + steps of time + steps of waiting + overnight + driver out of area``, each rounded to the 分 (half up);
times the holiday factor, less the discount, rounded as the tariff says; then what is passed through, as it was paid.
Nothing is guessed: what the tariff needs and nobody has said is refused (``UnpricedError``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from office.costs.kinds import KIND_NAMES, CostKind
from office.costs.terms import (
    Area,
    DistanceTerms,
    Mode,
    ProductTerms,
    StepTerms,
    TariffLine,
    TariffTerms,
    VehicleClassTerms,
)


class UnpricedError(ValueError):
    """A trip cannot be priced: a Chinese, then an English sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class TripFacts:
    """What a price depends on. ``distance_m`` by the km basis of the tariff; ``days``: of the calendar in China, that the trip touches;
    ``count``: how many times a product with the unit "given" is taken. ``holiday``: whether it falls on one, None = nobody has
    published that. ``product``: None = as the tariff says. ``passed``: costs on the way, in 分."""

    vehicle_class: str
    area: Area
    distance_m: int | None
    duration_s: int
    days: int = 1
    waiting_s: int = 0
    overnights: int = 0
    days_outside: int = 0
    count: int | None = None
    holiday: bool | None = False
    product: str | None = None
    passed: Mapping[CostKind, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Charge:
    """A line of a price. ``quantity``: of ``unit`` (m, steps, nights, days, permille), None = it has none."""

    code: str
    name: str
    amount_fen: int
    quantity: int | None = None
    unit: str = ""

    def body(self) -> dict[str, Any]:
        """As it is stored and shown."""
        return {"code": self.code, "name": self.name, "amount_fen": self.amount_fen, "quantity": self.quantity, "unit": self.unit}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Price:
    """What a trip costs. ``total_fen`` is the sum of ``charges``. ``priced_m``: the distance that was priced, with what waiting adds."""

    product: str
    product_name: str
    vehicle_class: str
    priced_m: int
    charges: tuple[Charge, ...]

    @property
    def total_fen(self) -> int:
        return sum(charge.amount_fen for charge in self.charges)


def class_of(tariff: TariffTerms, vehicle: str, category: str) -> VehicleClassTerms:
    """The class of a vehicle: the first that names it, its category, or takes all."""
    for each in tariff.classes:
        if vehicle in each.vehicles or category in each.categories:
            return each
        if not each.vehicles and not each.categories:
            return each
    raise UnpricedError(
        f"车辆 {vehicle} 没有车型 · no class of vehicle"
    )  # no tariff that was let in comes here


def price(tariff: TariffTerms, facts: TripFacts) -> Price:
    """What a trip costs. Raises UnpricedError."""
    line = _line_of(tariff, facts)
    product = _product_of(line, facts)
    times = _times(product, facts)
    found: list[Charge] = []
    if product.base_fen:
        found.append(Charge("base", f"基价（{product.name}）", product.base_fen * times, times, "times"))
    metres = _metres(tariff, product, facts)
    for steps, seconds, code, name in (
        (product.time, facts.duration_s, "time", "计时"),
        (product.waiting, facts.waiting_s, "waiting", "等候"),
    ):
        if steps is None:
            continue
        count = _steps(steps, seconds, times)
        metres += count * steps.km_per_step * 1000
        if steps.fen_per_step and count:
            found.append(Charge(code, name, _capped(steps, count), count, "steps"))
    if product.distance is not None:
        amount = _distance(product.distance, metres, times)
        if amount:
            found.append(Charge("distance", "里程", amount, metres, "m"))
    if line.overnight_fen and facts.overnights:
        amount = line.overnight_fen * facts.overnights
        found.append(Charge("overnight", "过夜", amount, facts.overnights, "nights"))
    if line.driver_out_fen and facts.days_outside:
        amount = line.driver_out_fen * facts.days_outside
        found.append(Charge("driver_out", "驾驶员外出补助", amount, facts.days_outside, "days"))
    found += _adjusted(tariff, facts, sum(charge.amount_fen for charge in found))
    found += [
        Charge(f"passed_{kind}", f"{KIND_NAMES[kind]}（代付）", facts.passed[kind])
        for kind in tariff.pass_through
        if facts.passed.get(kind)
    ]
    return Price(product.code, product.name, facts.vehicle_class, metres, tuple(found))


def _line_of(tariff: TariffTerms, facts: TripFacts) -> TariffLine:
    for line in tariff.lines:
        if line.vehicle_class == facts.vehicle_class and (not line.areas or facts.area in line.areas):
            return line
    raise UnpricedError(
        f"计价标准没有车型 {facts.vehicle_class}，请改用已有的车型 · the tariff has no class {facts.vehicle_class}; name one that it has"
    )


def _product_of(line: TariffLine, facts: TripFacts) -> ProductTerms:
    products = {product.code: product for product in line.products}
    if facts.product is not None:
        if facts.product not in products:
            raise UnpricedError(
                f"计价标准没有产品 {facts.product}，可用：{'、'.join(products)} · the tariff has no product {facts.product}"
            )
        return products[facts.product]
    by_time = [
        product
        for product in line.products
        if product.from_min is not None and product.from_min * 60 <= facts.duration_s
    ]
    if by_time:
        return max(by_time, key=lambda product: product.from_min or 0)
    if line.default_product is None:
        raise UnpricedError("没有适用的产品，请指定 · no product fits; name one")
    return products[line.default_product]


def _times(product: ProductTerms, facts: TripFacts) -> int:
    if product.unit == "once":
        return 1
    if facts.count is not None:
        return facts.count
    if product.unit == "days":
        return facts.days
    raise UnpricedError(
        f"产品“{product.name}”须写明数量（台班、天数），请填写 count · say how many times: count"
    )


def _metres(tariff: TariffTerms, product: ProductTerms, facts: TripFacts) -> int:
    if product.distance is None:
        return 0
    if product.fixed_km is not None:
        return product.fixed_km * 1000
    if facts.distance_m is None:
        raise UnpricedError(
            "没有可用的里程，请核对里程表和轨迹，或填写里程并写明理由 · the distance is not known; enter it with the reason"
        )
    return _rounded(facts.distance_m, tariff.km.unit_m, tariff.km.mode)


def _steps(steps: StepTerms, seconds: int, times: int) -> int:
    over = max(0, seconds - steps.free_min * 60 * times)
    whole, rest = divmod(over, steps.step_min * 60)
    return whole + (1 if rest and steps.partial == "up" else 0)


def _capped(steps: StepTerms, count: int) -> int:
    if steps.cap_min is None or steps.cap_fen is None:
        return count * steps.fen_per_step
    whole, rest = divmod(count, steps.cap_min // steps.step_min)
    full = min(steps.cap_fen, (steps.cap_min // steps.step_min) * steps.fen_per_step)
    return whole * full + min(steps.cap_fen, rest * steps.fen_per_step)


def _distance(terms: DistanceTerms, metres: int, times: int) -> int:
    """``times``: as many days have as many times the km of each band."""
    metres = max(0, metres - terms.included_km * 1000 * times)
    amount, begin = 0, 0
    for band in terms.bands:
        end = None if band.to_km is None else band.to_km * 1000 * times
        inside = metres if end is None else min(metres, end)
        last = end is None or metres <= end
        counted = metres if band.counts == "all" else inside - begin
        if terms.method == "sum" or last:
            amount += band.flat_fen * times + _rounded_ratio(band.fen_per_km * counted, 1000)
        if last:
            return amount
        begin = end if end is not None else begin
    return amount


def _adjusted(tariff: TariffTerms, facts: TripFacts, subtotal: int) -> list[Charge]:
    found = []
    if tariff.holiday_permille != 1000:
        if facts.holiday is None:
            raise UnpricedError(
                "这一天的放假安排尚未公布，不能确定是否按节假日计价，请在公布后结算，或在日历中登记"
                " · nobody has published whether that day is a holiday; settle later, or enter the day"
            )
        if facts.holiday:
            more = _rounded_ratio(subtotal * (tariff.holiday_permille - 1000), 1000)
            found.append(Charge("holiday", "节假日加价", more, tariff.holiday_permille, "permille"))
            subtotal += more
    if tariff.discount_permille:
        less = _rounded_ratio(subtotal * tariff.discount_permille, 1000)
        found.append(Charge("discount", "优惠", -less, tariff.discount_permille, "permille"))
        subtotal -= less
    rounded = _rounded(subtotal, tariff.rounding.unit_fen, tariff.rounding.mode)
    if rounded != subtotal:
        found.append(Charge("rounding", "尾差", rounded - subtotal))
    return found


def _rounded(value: int, unit: int, mode: Mode) -> int:
    """A value that is not negative, to whole ``unit``s."""
    add: Final = {"half_up": unit // 2, "up": unit - 1, "down": 0}[mode]
    return (value + add) // unit * unit


def _rounded_ratio(value: int, by: int) -> int:
    """``value / by``, not negative, half up."""
    return (2 * value + by) // (2 * by)
