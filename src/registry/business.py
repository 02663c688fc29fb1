"""Records of fuel cards, stations, transactions, violations and calendar days, validated. See ``model``."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from registry.fields import (
    Code,
    Day,
    Fine,
    Identifier,
    Money,
    Name,
    Plate,
    Quantity,
    Record,
    Text,
    Time,
    UnitPrice,
    parse_day,
)
from registry.places import DatumName, read_geometry
from registry.refusals import NO_DATUM, PlacedError


class CardBinding(BaseModel):
    """A card is bound to a plate from ``valid_from`` to ``valid_to`` (excluded; null: still)."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)

    plate: Plate
    valid_from: Time
    valid_to: Time | None = None

    @field_validator("valid_to")
    @classmethod
    def _ends_after_start(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("valid_from")
        if value is not None and start is not None and value <= start:
            raise ValueError("失效时间不晚于生效时间 · valid_to must be after valid_from")
        return value


class FuelCard(Record):
    """A fuel or charging card (油卡). ``plate`` and ``valid_from`` say: from then on it is bound to that
    plate (null: to none). Or give ``bindings``, its whole history, which replaces the stored one: the way to
    correct a binding.
    """

    id: Code = Field(description="卡号, as the statements have it")
    organisation: Identifier
    issuer: Text = Field("", description="发卡单位")
    status: Literal["active", "lost", "closed"] = "active"
    opened_on: Day | None = None
    closed_on: Day | None = None
    plate: Plate | None = None
    valid_from: Time | None = Field(None, validate_default=True)
    bindings: list[CardBinding] | None = Field(None, max_length=1_000)

    @property
    def binds(self) -> bool:
        """Whether the record says anything about what the card is bound to."""
        return self.valid_from is not None or self.bindings is not None

    @field_validator("closed_on")
    @classmethod
    def _after_opening(cls, value: date | None, info: ValidationInfo) -> date | None:
        first = info.data.get("opened_on")
        if value is not None and first is not None and value < first:
            raise ValueError("销卡日期早于开卡日期 · closed before it was opened")
        return value

    @field_validator("valid_from")
    @classmethod
    def _with_plate(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        if value is None and info.data.get("plate") is not None:
            raise ValueError("绑定车牌须写明起始时间 · a plate needs valid_from, the time since when")
        return value

    @field_validator("bindings")
    @classmethod
    def _never_two(cls, value: list[CardBinding] | None, info: ValidationInfo) -> list[CardBinding] | None:
        if value is None:
            return None
        if info.data.get("valid_from") is not None:
            raise ValueError("bindings 与 valid_from 只能给一个 · give either bindings or valid_from")
        by_time = sorted(range(len(value)), key=lambda i: value[i].valid_from)
        for before, after in pairwise(by_time):
            one, two = value[before], value[after]
            if one.valid_to is None or one.valid_to > two.valid_from:
                message = f"油卡同时绑定 {one.plate} 与 {two.plate} · bound to two plates at once"
                raise PlacedError(message, after)
        return [value[i] for i in by_time]


class FuelStation(Record):
    """A filling or charging station (加油站、充电站). Its place: ``geometry``, or ``lat`` and ``lon``, in
    ``datum``; without, what was bought there cannot be judged by place.
    """

    name: Name
    aliases: list[Name] = Field(
        default_factory=list, max_length=100, description="as statements write it (网点)"
    )
    lat: float | None = Field(None, ge=-90, le=90, strict=True, description="degrees, in `datum`")
    lon: float | None = Field(None, ge=-180, le=180, strict=True, validate_default=True)
    geometry: dict[str, Any] | None = Field(
        None, description="GeoJSON Point, Polygon or MultiPolygon, longitude first, in `datum`"
    )
    datum: DatumName | None = Field(None, validate_default=True)

    @property
    def place(self) -> dict[str, Any] | None:
        """The GeoJSON geometry, made of ``lat`` and ``lon`` if they were given."""
        if self.geometry is None and self.lat is not None and self.lon is not None:
            return {"type": "Point", "coordinates": [self.lon, self.lat]}
        return self.geometry

    @field_validator("aliases")
    @classmethod
    def _a_set(cls, value: list[str]) -> list[str]:
        return sorted(set(value))

    @field_validator("lon")
    @classmethod
    def _both(cls, value: float | None, info: ValidationInfo) -> float | None:
        if "lat" in info.data and (value is None) != (info.data["lat"] is None):
            raise ValueError("经纬度须同时给出 · latitude and longitude come together")
        return value

    @field_validator("geometry")
    @classmethod
    def _valid_geometry(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        if value is not None and info.data.get("lat") is not None:
            raise ValueError("经纬度与 geometry 只能给一个 · give either lat and lon or a geometry")
        return None if value is None else read_geometry(value, points=True)

    @field_validator("datum")
    @classmethod
    def _says_where(cls, value: str | None, info: ValidationInfo) -> str | None:
        placed = any(info.data.get(name) is not None for name in ("lat", "lon", "geometry"))
        if placed and value is None:
            raise ValueError(NO_DATUM)
        if value is not None and not placed and {"lat", "lon", "geometry"} <= info.data.keys():
            raise ValueError("有坐标系而无坐标 · a datum, but no coordinates")
        return value


class FuelTransaction(Record):
    """A line of a card's statement. Decimal numbers as text or JSON numbers, read exactly: ``quantity`` in
    litres (kWh if ``energy`` is electric), money in yuan. Without ``station``, the one that bears
    ``station_name`` is taken, if there is one.
    """

    id: Code = Field(description="the statement's own number of the transaction, or the office's")
    card: Code
    at: Time
    kind: Literal["fill", "top_up", "reversal", "fee", "other"]
    product: Text = ""
    energy: Literal["fuel", "electric"] = "fuel"
    quantity: Quantity | None = None
    unit_price: UnitPrice | None = None
    amount: Money | None = None
    balance: Money | None = None
    station: Identifier | None = None
    station_name: Text = Field("", description="网点 as written")
    reverses: Code | None = Field(None, description="id of the transaction that a reversal takes back")
    source: Text = ""


class Violation(Record):
    """A traffic violation (违章). ``appealed`` means with success; it and ``revoked`` do not count."""

    plate: Plate
    at: Time
    place: Text = ""
    act: Text = Field("", description="违法行为")
    fine: Fine | None = Field(None, description="yuan")
    points: int | None = Field(None, ge=0, le=100, description="记分")
    status: Literal["open", "handled", "revoked", "appealed"] = "open"
    driver: Identifier | None = None
    source: Text = ""


def _iso_day(value: str) -> str:
    return parse_day(value).isoformat()


class CalendarDay(Record):
    """The office's own word on one day, over the published calendar. The day is its ``id``."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=10), AfterValidator(_iso_day)] = Field(
        description="the day, such as 2026-10-01"
    )
    workday: bool
    name: Text = ""
    source: Text = ""

    @property
    def day(self) -> date:
        """The day as a date."""
        return date.fromisoformat(self.id)

    @model_validator(mode="before")
    @classmethod
    def _day_is_id(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "day" not in value:
            return value
        rest = {name: given for name, given in value.items() if name != "day"}
        if rest.setdefault("id", value["day"]) != value["day"]:
            raise ValueError("day 与编号不同 · day differs from the id")
        return rest
