"""The records of the vehicle office, validated: what PUT bodies and import rows become before anything is
written.

Every record has the office's own ``id``. Times carry an offset and are kept in UTC. Coordinates carry their
datum. Validators raise ValueError with a Chinese, then an English sentence; ``refusals.explain`` adds
where.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from rules.fleet.places import DatumName, Place, read_geometry

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def parse_time(value: object) -> datetime:
    """An RFC 3339 time with offset, as UTC. Raises ValueError (also for times outside 1970 to 2100)."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        moment = value
    elif isinstance(value, str) and _TIME.fullmatch(value := value.strip().upper()):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("没有这个时刻 · no such time") from None
    else:
        raise ValueError(
            "应为带时区偏移的时间，如 2026-03-02T08:00:00+08:00 · must be an RFC 3339 time with an offset"
        )
    if not 1970 <= moment.year <= 2100:
        raise ValueError("时间应在 1970 至 2100 年之间 · the time must be between 1970 and 2100")
    return max(moment.astimezone(UTC), datetime(1970, 1, 1, tzinfo=UTC))


def _parse_date(value: object) -> date:
    if isinstance(value, str) and _DATE.fullmatch(value := value.strip()):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("没有这一天 · no such day") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError("应为日期，如 2026-03-02 · must be a date like 2026-03-02")


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("含有不可见字符 · contains characters that cannot be printed")
    return value


def _identifier(value: str) -> str:
    if not value.isprintable() or any(c.isspace() or c in "/\\?#%" for c in value) or value in (".", ".."):
        raise ValueError("编号不得含空格、/、\\、?、#、% · an id has no spaces and none of / \\ ? # %")
    return value


def normal_plate(value: str) -> str:
    """A plate as everyone writes it in the end: full-width letters, spaces and the dot gone, capitals:
    ``苏F12345``.
    """
    text = unicodedata.normalize("NFKC", value)
    return "".join(c for c in text if not c.isspace() and c not in "·•・-.").upper()


def _phone(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,20}", value, re.ASCII):
        raise ValueError(
            "终端手机号应为 1 至 20 位数字 · a terminal's id is its phone number, 1 to 20 digits"
        )
    return value.lstrip("0") or "0"


Time = Annotated[datetime, BeforeValidator(parse_time)]
Day = Annotated[date, BeforeValidator(_parse_date)]
Text = Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_identifier)]
Phone = Annotated[str, StringConstraints(min_length=1, max_length=32), AfterValidator(_phone)]
Plate = Annotated[
    str,
    BeforeValidator(lambda v: normal_plate(v) if isinstance(v, str) and len(v) <= 64 else v),
    StringConstraints(min_length=1, max_length=16),
    AfterValidator(_printable),
]


class Record(BaseModel):
    """Base of all records: unknown fields are refused, texts are stripped, numbers are finite."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, allow_inf_nan=False, frozen=True)

    id: Identifier = Field(description="the office's own number of the record")


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

    Texts that are not given stay as they are (a terminal names its own maker and model when it registers).
    """

    id: Phone = Field(description="phone number of the terminal; leading zeros do not count")
    manufacturer: Text | None = None
    model: Text | None = None
    device_id: Text | None = None
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
}
