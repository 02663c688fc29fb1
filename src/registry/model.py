"""The records of the vehicle office, validated: what PUT bodies and import rows become before anything is
written. ``business`` has those of fuel, violations and the calendar.

Every record has the office's own ``id``. Times carry an offset and are kept in UTC. Coordinates carry their
datum. Validators raise ValueError with a Chinese, then an English sentence; ``refusals.explain`` adds
where.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from registry.business import CalendarDay, FuelCard, FuelStation, FuelTransaction, Violation
from registry.fields import Day, Identifier, Name, Phone, Plate, Record, Text, Time, parse_time
from registry.places import DatumName, Place, read_geometry
from registry.spelling import normal_plate

__all__ = [
    "KINDS",
    "DispatchOrder",
    "Driver",
    "Fence",
    "Organisation",
    "Phone",
    "Record",
    "Terminal",
    "Time",
    "Vehicle",
    "normal_plate",
    "parse_time",
]


class Organisation(Record):
    """A unit (单位)."""

    name: Name
    parent: Identifier | None = Field(None, description="id of the unit above")


class Vehicle(Record):
    """An official vehicle (公务用车)."""

    plate: Plate = Field(description="stored without dot and spaces: 苏F12345")
    organisation: Identifier
    category: Text = ""
    energy: Literal["petrol", "diesel", "electric", "hybrid", "gas"] = "petrol"
    registered_on: Day | None = None
    disposed_on: Day | None = Field(None, description="处置: no official vehicle from this day on")

    @field_validator("disposed_on")
    @classmethod
    def _after_registration(cls, value: date | None, info: ValidationInfo) -> date | None:
        first = info.data.get("registered_on")
        if value is not None and first is not None and value < first:
            raise ValueError("处置日期早于登记日期 · disposed of before it was registered")
        return value


class Terminal(Record):
    """A BeiDou terminal. ``vehicle`` and ``valid_from`` say: from then on it sits in that vehicle (null: in
    none).

    Texts that are not given stay as they are (a terminal names its own maker, model and device when it registers).
    """

    id: Phone = Field(description="phone number of the terminal; leading zeros do not count")
    manufacturer: Text | None = None
    model: Text | None = None
    device_id: Text | None = Field(
        None,
        description="终端编号 (终端ID), as the terminal sends it when it registers. Where it is given, another device with"
        " this phone number is refused; an empty text takes it back",
    )
    enabled: bool = True
    vehicle: Identifier | None = None
    valid_from: Time | None = Field(None, validate_default=True)

    @property
    def binds(self) -> bool:
        """Whether the record says anything about the vehicle."""
        return self.valid_from is not None

    @field_validator("valid_from")
    @classmethod
    def _with_vehicle(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        if value is None and info.data.get("vehicle") is not None:
            raise ValueError("绑定车辆须写明起始时间 · a vehicle needs valid_from, the time since when")
        return value


class Driver(Record):
    """A driver (驾驶员)."""

    name: Name
    organisation: Identifier
    phone: Text = ""


class Fence(Record):
    """An electronic fence (电子围栏, 定点停放). The newest PUT holds from ``valid_from`` (default: now)
    on.
    """

    name: Name
    organisation: Identifier
    vehicles: list[Identifier] = Field(
        default_factory=list,
        max_length=5_000,
        description="empty: all vehicles of the organisation without a fence",
    )
    datum: DatumName
    geometry: dict[str, Any] = Field(
        description="GeoJSON Polygon or MultiPolygon, longitude first, in `datum`"
    )
    valid_from: Time | None = None
    valid_to: Time | None = None

    @field_validator("vehicles")
    @classmethod
    def _a_set(cls, value: list[str]) -> list[str]:
        return sorted(set(value))

    @field_validator("geometry")
    @classmethod
    def _valid_geometry(cls, value: dict[str, Any]) -> dict[str, Any]:
        return read_geometry(value)

    @field_validator("valid_to")
    @classmethod
    def _ends_after_start(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("valid_from")
        if value is not None and start is not None and value <= start:
            raise ValueError("失效时间不晚于生效时间 · valid_to must be after valid_from")
        return value


class DispatchOrder(Record):
    """A dispatch order (派车单). Every PUT with other content is a new version; the newest one holds."""

    organisation: Identifier
    vehicle: Identifier
    driver: Identifier | None = None
    task_type: Literal["official", "repair", "inspection", "car_wash", "emergency"] = "official"
    purpose: Text = ""
    status: Literal["approved", "departed", "returned", "cancelled"] = "approved"
    origin: Place | None = None
    destinations: list[Place] = Field(default_factory=list, max_length=50)
    return_point: Place | None = None
    planned_departure: Time
    planned_return: Time
    extended_return: Time | None = Field(None, description="延长用车")
    actual_departure: Time | None = None
    actual_return: Time | None = Field(None, validate_default=True)

    @field_validator("planned_return")
    @classmethod
    def _returns_after_departure(cls, value: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("planned_departure")
        if start is not None and value <= start:
            raise ValueError("计划返回不晚于计划出车：派车单先结束后开始 · the order ends before it starts")
        return value

    @field_validator("extended_return")
    @classmethod
    def _extends(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        planned = info.data.get("planned_return")
        if value is not None and planned is not None and value < planned:
            raise ValueError("延长后的返回早于计划返回 · the extension ends before the planned return")
        return value

    @field_validator("actual_return")
    @classmethod
    def _really_returned(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        status = info.data.get("status")
        if value is None:
            if status == "returned":
                raise ValueError("已返回的派车单须有实际返回时间 · a returned order needs actual_return")
            return None
        if status in ("approved", "departed"):
            raise ValueError(
                "有实际返回时间，状态应为 returned · with actual_return the status is `returned`"
            )
        start = info.data.get("actual_departure") or info.data.get("planned_departure")
        if start is not None and value <= start:
            raise ValueError("实际返回不晚于出车：派车单先结束后开始 · the order ends before it starts")
        return value


#: What the registry knows, by the name it has in URLs.
KINDS: Final[dict[str, type[Record]]] = {
    "organisations": Organisation,
    "vehicles": Vehicle,
    "terminals": Terminal,
    "drivers": Driver,
    "fences": Fence,
    "dispatch-orders": DispatchOrder,
    "fuel-cards": FuelCard,
    "fuel-stations": FuelStation,
    "fuel-transactions": FuelTransaction,
    "violations": Violation,
    "calendar-days": CalendarDay,
}
