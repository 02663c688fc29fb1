"""The records that instances exchange: their kinds, their fields as models, their bytes. Pure.

A field that a newer instance adds is left out by an older one and refuses nothing. What is missing or of a wrong type refuses
the record.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from registry.values import parse_day, parse_time

#: The content of one record, in bytes of JSON.
MOST_RECORD_BYTES: Final = 128 << 10
MAX_TEXT: Final = 10_000
MAX_ITEMS: Final = 1_000
#: A version is a whole number that every program can hold.
MAX_VERSION: Final = 2**53 - 1

NAME_PATTERN: Final = "^[a-z][a-z0-9-]{0,31}$"


#: Control characters but line breaks and tabs. Everything else is shown as its origin shows it.
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("含有控制字符 · a control character")
    return value


Id = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_printable)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT), AfterValidator(_printable)]
Short = Annotated[str, StringConstraints(max_length=500), AfterValidator(_printable)]
Time = Annotated[datetime, BeforeValidator(parse_time)]
Day = Annotated[date, BeforeValidator(parse_day)]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]


class Payload(BaseModel):
    """What all records have. ``organisation``: the unit that it belongs to, as its origin names it."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)

    organisation: Id


class Unit(Payload):
    """A unit (单位). ``organisation``: itself."""

    name: Short
    parent: Id | None = None


class Vehicle(Payload):
    """A vehicle (车辆). Of a secret one the id is masked, and there is no plate."""

    plate: Short = ""
    category: Short = ""
    energy: Short = ""
    ownership: Short = "owned"
    tank_ml: Whole | None = None
    battery_wh: Whole | None = None
    registered_on: Day | None = None
    disposed_on: Day | None = None
    secret: bool = False


class Driver(Payload):
    """A driver (驾驶员): name and unit. The phone number stays where it is."""

    name: Short


class Order(Payload):
    """A dispatch order (派车单), its version that counts. Places by their names, without coordinates."""

    order_version: Whole
    vehicle: Id
    driver: Id | None = None
    task_type: Short
    purpose: Text = ""
    status: Short
    origin_place: Text = ""
    destinations: Annotated[list[Text], Field(max_length=MAX_ITEMS)] = Field(default_factory=list)
    planned_departure: Time
    planned_return: Time
    actual_departure: Time | None = None
    actual_return: Time | None = None
    secret: bool = False


class Alert(Payload):
    """An alert (预警), its newest version. The evidence stays where it is; its hash says which it is."""

    alert_version: Whole
    rule: Short
    rule_version: Whole
    status: Short
    severity: Short
    vehicle: Id | None = None
    plate: Short = ""
    driver: Id | None = None
    order: Id | None = None
    occurred_from: Time
    occurred_to: Time | None = None
    detected_at: Time
    summary: Text = ""
    summary_en: Text | None = None
    reason_code: Short | None = None
    withdrawal_reason: Text | None = None
    evidence_hash: Short
    secret: bool = False


class Case(Payload):
    """The state of a supervision order (督办单) that was issued."""

    number: Short
    case_version: Whole
    state: Short
    source: Short
    level: Short
    title: Short
    external_no: Short | None = None
    vehicle: Id | None = None
    finding: Short | None = None
    reminders: Whole = 0
    created_at: Time
    issued_at: Time | None = None
    due_on: Day | None = None
    alerts: Annotated[list[Id], Field(max_length=MAX_ITEMS)] = Field(default_factory=list)
    secret: bool = False


class Assignment(Case):
    """A supervision order of the office above for a unit of ours: what is asked of it."""

    facts: Text = ""
    requirements: Text = ""
    basis: Annotated[list[Text], Field(max_length=MAX_ITEMS)] = Field(default_factory=list)


class Notice(Payload):
    """A notice (通知) of the office above."""

    title: Short
    body: Text
    published_at: Time


class Code(Payload):
    """A code of a table (代码表) of the office above. ``table``: which one."""

    table: Short
    code: Short
    zh: Short
    en: Short
    active: bool = True
    updated_at: Time


@dataclass(frozen=True, slots=True)
class Kind:
    """``urgency``: the lower is sent first: units, for what follows names them; then what somebody waits for. ``status``,
    ``time``: the fields that lists are filtered and sorted by; ``ahead``: whether that time may be still to come."""

    name: str
    label: str
    model: type[Payload]
    urgency: int
    status: str | None = None
    time: str | None = None
    ahead: bool = False


_KINDS: Final = (
    Kind("unit", "单位", Unit, 0),
    Kind("alert", "预警", Alert, 1, "status", "detected_at"),
    Kind("case", "督办", Case, 1, "state", "issued_at"),
    Kind("vehicle", "车辆", Vehicle, 2),
    Kind("driver", "驾驶员", Driver, 3),
    Kind("order", "派车单", Order, 4, "status", "planned_departure", True),
)
#: What goes upwards.
UP: Final[dict[str, Kind]] = {kind.name: kind for kind in _KINDS}
#: What comes from above.
DOWN: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("assignment", "上级督办", Assignment, 1, "state", "issued_at"),
        Kind("notice", "通知", Notice, 1, None, "published_at"),
        Kind("code", "代码", Code, 1, None, "updated_at"),
    )
}
KINDS: Final = UP | DOWN


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a record at its receiver: stored, unchanged, known (a unit that he keeps himself), refused. ``version``: the
    one that he has."""

    outcome: str
    code: str | None = None
    detail: str = ""
    version: int | None = None


def plain_json(payload: Mapping[str, Any]) -> bytes:
    """The bytes that a content is hashed by: sorted keys, times in UTC."""
    return orjson.dumps(
        payload,
        option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_DATETIME,
        default=_plain,
    )


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def normal(kind: Kind, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of ``payload`` that the model knows, as JSON has them. Raises pydantic.ValidationError."""
    read: dict[str, Any] = orjson.loads(plain_json(kind.model.model_validate(dict(payload)).model_dump()))
    return read


def digest(payload: Mapping[str, Any] | None) -> bytes:
    """SHA-256 of a content; None = the record was taken back."""
    return hashlib.sha256(b"" if payload is None else plain_json(payload)).digest()


def time_of(kind: Kind, payload: Mapping[str, Any] | None, otherwise: datetime) -> datetime:
    """When what the record tells of happened; ``otherwise``: now. What has happened is not in the future: by a clock that is wrong, or
    on purpose, a record would else stand above all others for years."""
    value = None if payload is None or kind.time is None else payload.get(kind.time)
    if value is None:
        return otherwise
    return parse_time(value) if kind.ahead else min(parse_time(value), otherwise)
