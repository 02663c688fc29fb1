"""A tariff (计价标准) as data, for one platform: for each class of vehicle and area its products. Pure.

Everything in which two tariffs differ is data: bands of km, steps of time, what is counted and how it is rounded. What leaves a
vehicle, an area, a distance or a duration without a price is refused when the tariff is entered, with a sentence that says what is lacking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from office.costs.kinds import ON_THE_WAY, CostKind
from registry.refusals import PlacedError
from registry.values import Identifier, Name, Text

Area = Literal["near", "city", "province", "outside"]
AREA_NAMES: Final[dict[Area, str]] = {
    "near": "保障半径内",
    "city": "市内",
    "province": "市外省内",
    "outside": "省外",
}
AREAS: Final = tuple(AREA_NAMES)
TermCode = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,31}$")]
#: Prices, in 分: at most 100,000 yuan each.
Fen = Annotated[int, Field(ge=0, le=10_000_000, strict=True)]
Mode = Literal["half_up", "up", "down"]


class _Terms(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class RoundingTerms(_Terms):
    """How the sum is rounded: to whole ``unit_fen``."""

    unit_fen: Literal[1, 10, 100] = 1
    mode: Mode = "half_up"


class KmTerms(_Terms):
    """How the distance is rounded before it is priced: to whole ``unit_m``."""

    unit_m: Literal[1, 100, 1000] = 1
    mode: Mode = "half_up"


class BandTerms(_Terms):
    """A band of distance, up to and with ``to_km``; null: without end. In it ``flat_fen``, and ``fen_per_km`` for the km beyond its
    beginning (``counts``: band) or for all (all)."""

    to_km: int | None = Field(None, ge=1, le=100_000, strict=True)
    flat_fen: Fen = 0
    fen_per_km: Fen = 0
    counts: Literal["band", "all"] = "band"


class DistanceTerms(_Terms):
    """What km cost. ``included_km`` are paid by the base. ``sum``: each band counts for the km in it; ``last``: only the band in which the
    trip ends."""

    included_km: int = Field(0, ge=0, le=100_000, strict=True)
    method: Literal["sum", "last"] = "sum"
    bands: list[BandTerms] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _without_gap(self) -> DistanceTerms:
        ends = [band.to_km for band in self.bands]
        if ends[-1] is not None:
            raise PlacedError(
                f"超过 {ends[-1]} 公里没有价格，请让最后一段不设上限（to_km 为空） · no price beyond {ends[-1]} km: leave to_km of the last band empty",
                "bands",
            )
        known = [end for end in ends[:-1] if end is not None]
        if len(known) < len(ends) - 1 or known != sorted(set(known)):
            raise PlacedError("里程段须依次递增，只有最后一段不设上限 · bands must ascend, and only the last is without end", "bands")  # fmt: skip
        if self.method == "sum" and any(band.counts == "all" for band in self.bands):
            raise PlacedError(
                "按段累计时 counts 只能为 band；全程按一个单价的请用 method=last · with method sum each band counts its own km", "bands"
            )  # fmt: skip
        return self


class StepTerms(_Terms):
    """What time costs beyond ``free_min``: each ``step_min`` costs ``fen_per_step``, or counts as ``km_per_step`` more km. ``partial``: a
    step that has begun counts (up) or not (down). At most ``cap_fen`` for each ``cap_min``."""

    free_min: int = Field(0, ge=0, le=100_000, strict=True)
    step_min: int = Field(ge=1, le=1_440, strict=True)
    partial: Literal["up", "down"] = "up"
    fen_per_step: Fen = 0
    km_per_step: int = Field(0, ge=0, le=1_000, strict=True)
    cap_min: int | None = Field(None, ge=1, le=1_440, strict=True)
    cap_fen: Fen | None = None

    @model_validator(mode="after")
    def _one_price(self) -> StepTerms:
        if bool(self.fen_per_step) == bool(self.km_per_step):
            raise PlacedError(
                "每一计时单位须写明金额或折合公里，二者取一 · a step costs money or counts as km, one of the two", "fen_per_step"
            )  # fmt: skip
        if (self.cap_min is None) != (self.cap_fen is None) or (
            self.cap_min is not None and self.km_per_step
        ):
            raise PlacedError(
                "封顶须同时写明时长和金额，且只用于金额 · a cap has a time and a sum, and is of money",
                "cap_min",
            )
        if self.cap_min is not None and self.cap_min % self.step_min:
            raise PlacedError("封顶时长须是计时单位的整数倍 · the time of a cap must be whole steps", "cap_min")  # fmt: skip
        return self


class ProductTerms(_Terms):
    """A product (按公里、按时、按次、半日、全日、多日). ``base_fen`` once, for each day of the calendar that the trip touches (days), or as many times
    as is said of the trip (given): included km and free time with it. ``fixed_km``: so many km are priced whatever was driven. ``from_min``: taken
    by itself for trips of so long and longer."""

    code: TermCode
    name: Name
    unit: Literal["once", "days", "given"] = "once"
    base_fen: Fen = 0
    fixed_km: int | None = Field(None, ge=1, le=10_000, strict=True)
    distance: DistanceTerms | None = None
    time: StepTerms | None = None
    waiting: StepTerms | None = None
    from_min: int | None = Field(None, ge=0, le=100_000, strict=True)

    @model_validator(mode="after")
    def _has_a_price(self) -> ProductTerms:
        if not self.base_fen and self.distance is None and self.time is None:
            raise PlacedError(
                f"产品“{self.name}”没有任何价格，请填写基价、里程或时间单价 · product {self.code} has no price: a base, a distance or a time",
                "base_fen",
            )
        for name in ("time", "waiting"):
            steps: StepTerms | None = getattr(self, name)
            if steps is not None and steps.km_per_step and self.distance is None:
                raise PlacedError(
                    "折合公里须有里程单价 · what counts as km needs a price of km", name, "km_per_step"
                )
        if self.fixed_km is not None and self.distance is None:
            raise PlacedError("固定里程须有里程单价 · a fixed distance needs a price of km", "fixed_km")
        return self


class VehicleClassTerms(_Terms):
    """A class of vehicles (车型). The first that names the vehicle, or its category in the register, counts; one without both takes all."""

    code: TermCode
    name: Name
    vehicles: list[Identifier] = Field(default_factory=list, max_length=1_000)
    categories: list[Text] = Field(default_factory=list, max_length=50)


class TariffLine(_Terms):
    """The products of a class of vehicles in some areas; no areas: in all. ``overnight_fen`` each night, ``driver_out_fen`` each day of the driver
    outside of the city. ``default_product``: where neither the trip nor its duration says which."""

    vehicle_class: TermCode
    areas: list[Area] = Field(default_factory=list, max_length=4)
    products: list[ProductTerms] = Field(max_length=20)
    default_product: TermCode | None = None
    overnight_fen: Fen = 0
    driver_out_fen: Fen = 0

    @model_validator(mode="after")
    def _says_which_product(self) -> TariffLine:
        if not self.products:
            raise PlacedError(
                f"车型 {self.vehicle_class} 没有产品，请至少填写一个（按公里、按次、半日、全日……） · no product: enter at least one", "products"
            )  # fmt: skip
        codes = [product.code for product in self.products]
        if twice := _twice(codes):
            raise PlacedError(f"产品 {twice} 写了两次，请留一个 · product {twice} stands there twice", "products")  # fmt: skip
        if self.default_product is not None and self.default_product not in codes:
            raise PlacedError(
                f"默认产品 {self.default_product} 不在产品之列，请改正 · the default product is none of the products", "default_product"
            )  # fmt: skip
        starts = [product.from_min for product in self.products if product.from_min is not None]
        if len(starts) != len(set(starts)):
            raise PlacedError(
                "两个产品从同一时长起，分不清用哪个 · two products begin at the same duration", "products"
            )
        if self.default_product is None and 0 not in starts:
            raise PlacedError(
                "没有写明一般用哪个产品：请填写 default_product，或让一个产品从 0 分钟起（from_min=0）"
                " · nothing says which product is taken: give default_product, or one from_min 0",
                "default_product",
            )
        return self


class TariffTerms(_Terms):
    """A tariff. ``km_basis``: from base to base (the whole drive), or from pick-up to drop-off. ``holiday_permille``: 1500 = 150 % on
    ``holiday``s: days off of a festival (festival), or every day off (rest). ``pass_through``: costs on the way that are passed on as they were."""

    name: Name
    source: Text = ""
    km_basis: Literal["base_to_base", "pickup_to_dropoff"] = "base_to_base"
    km: KmTerms = KmTerms()
    rounding: RoundingTerms = RoundingTerms()
    holiday_permille: int = Field(1000, ge=1000, le=5000, strict=True)
    holiday: Literal["festival", "rest"] = "festival"
    discount_permille: int = Field(0, ge=0, le=999, strict=True)
    pass_through: list[CostKind] = Field(default_factory=list, max_length=10)
    classes: list[VehicleClassTerms] = Field(min_length=1, max_length=30)
    lines: list[TariffLine] = Field(max_length=120)

    @model_validator(mode="after")
    def _without_gap(self) -> TariffTerms:
        if wrong := sorted(set(self.pass_through) - ON_THE_WAY):
            raise PlacedError(
                f"{wrong[0]} 不是途中费用，不能转付 · {wrong[0]} is no cost on the way", "pass_through"
            )
        codes = [each.code for each in self.classes]
        if twice := _twice(codes):
            raise PlacedError(f"车型 {twice} 写了两次 · class {twice} stands there twice", "classes")
        if any(not each.vehicles and not each.categories for each in self.classes[:-1]):
            raise PlacedError(
                "不限车辆的车型须排在最后，否则其后的车型用不到 · the class of all vehicles must be the last", "classes"
            )  # fmt: skip
        last = self.classes[-1]
        if last.vehicles or last.categories:
            raise PlacedError(
                "有的车辆没有车型：请让最后一个车型不限车辆和类别 · some vehicles have no class: let the last one take all", "classes"
            )  # fmt: skip
        for number, line in enumerate(self.lines):
            if line.vehicle_class not in codes:
                raise PlacedError(
                    f"没有车型 {line.vehicle_class}，请先在 classes 中写明 · no such class", "lines", number, "vehicle_class"
                )  # fmt: skip
        for code in codes:
            own = [line for line in self.lines if line.vehicle_class == code]
            for area in AREAS:
                found = sum(not line.areas or area in line.areas for line in own)
                if found != 1:
                    what = "没有价格，请补上" if not found else "有两种价格，请留一种"
                    raise PlacedError(
                        f"车型 {code} 在“{AREA_NAMES[area]}”{what} · class {code} has {found or 'no'} prices in area {area}", "lines"
                    )  # fmt: skip
        return self


def _twice(codes: Sequence[str]) -> str | None:
    return next((code for number, code in enumerate(codes) if code in codes[:number]), None)
