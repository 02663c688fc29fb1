"""The kinds of field that records are made of: times, days, names, plates, exact quantities and money.

Validators raise ValueError with a Chinese, then an English sentence; ``refusals.explain`` adds where.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from registry.damaged import damaged, unprintable
from registry.decimals import scaled
from registry.spelling import ROUNDED, normal_code, normal_plate
from telemetry.terminals.phones import stored_phone

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


def parse_day(value: object) -> date:
    """A day like 2026-03-02. Raises ValueError (also for days outside 1900 to 2100: their midnight in China has no time
    that the rules could name)."""
    if isinstance(value, str) and _DATE.fullmatch(value := value.strip()):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise ValueError("没有这一天 · no such day") from None
    elif isinstance(value, date) and not isinstance(value, datetime):
        day = value
    else:
        raise ValueError("应为日期，如 2026-03-02 · must be a date like 2026-03-02")
    if not 1900 <= day.year <= 2100:
        raise ValueError(
            "日期应在 1900 至 2100 年之间，未知则留空 · between 1900 and 2100; leave unknown days empty"
        )
    return day


def readable(value: str) -> str:
    """A text as it was given. Raises ValueError for characters that cannot be printed and for a text that was damaged."""
    if (message := unprintable(value) or damaged(value)) is not None:
        raise ValueError(message)
    return value


def readable_name(value: str) -> str:
    """``readable`` for what is a name: it has no marks in place of characters either."""
    if (message := unprintable(value) or damaged(value, name=True)) is not None:
        raise ValueError(message)
    return value


def _identifier(value: str) -> str:
    readable_name(value)
    if value in ("合计", "总计", "小计", "共计"):
        raise ValueError("合计行不是记录，请删去 · a row of sums is no record; remove it")
    if ROUNDED.fullmatch(value):
        raise ValueError(
            "编号已被 Excel 改为科学记数并丢失位数，请把该列设为文本后重新导出"
            " · Excel has rounded this id; make the column text and export again"
        )
    if any(c.isspace() or c in "/\\?#%" for c in value) or value in (".", ".."):
        raise ValueError("编号不得含空格、/、\\、?、#、% · an id has no spaces and none of / \\ ? # %")
    return value


def _phone(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{1,20}", value, re.ASCII):
        raise ValueError(
            "终端手机号应为 1 至 20 位数字（少数终端含 A 至 F）· a terminal's id is its phone number, 1 to 20 digits"
            " (of a few terminals also A to F)"
        )
    return stored_phone(value)


Time = Annotated[datetime, BeforeValidator(parse_time)]
Day = Annotated[date, BeforeValidator(parse_day)]
Text = Annotated[str, StringConstraints(max_length=200), AfterValidator(readable)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(readable_name)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_identifier)]
#: The number of a card or a transaction, which statements name: read here as it is read there.
Code = Annotated[
    str,
    BeforeValidator(
        lambda v: normal_code(v) if isinstance(v, str) and len(v) <= 128 and v.isprintable() else v
    ),
    StringConstraints(min_length=1, max_length=64),
    AfterValidator(_identifier),
]
Phone = Annotated[str, StringConstraints(min_length=1, max_length=32), AfterValidator(_phone)]
Plate = Annotated[
    str,
    BeforeValidator(lambda v: normal_plate(v) if isinstance(v, str) and len(v) <= 64 else v),
    StringConstraints(min_length=1, max_length=16),
    AfterValidator(readable_name),
]


#: Every quantity and every sum of money is smaller: 10^12 millilitres, watt-hours, fen.
_LARGEST: Final = 10**12


def _decimal(digits: int, minimum: int) -> object:
    def read(value: object) -> int:
        number = scaled(value, digits)
        if number < minimum:
            raise ValueError("不得为负 · must not be negative")
        if abs(number) >= _LARGEST:
            raise ValueError("数值过大 · the number is too large")
        return number

    return BeforeValidator(read)


def _shown(digits: int) -> WithJsonSchema:
    form = {"type": "string", "pattern": rf"^-?\d+(\.\d{{1,{digits}}})?$"}
    return WithJsonSchema({"anyOf": [form, {"type": "number"}]})


#: Given in litres or kWh, kept in millilitres or watt-hours.
Quantity = Annotated[int, _decimal(3, 0), _shown(3)]
#: Given in yuan, kept in fen; ``Money`` may be negative.
Money = Annotated[int, _decimal(2, -_LARGEST), _shown(2)]
Fine = Annotated[int, _decimal(2, 0), _shown(2)]
#: Given in yuan per litre or kWh, kept in 1/10000 yuan.
UnitPrice = Annotated[int, _decimal(4, 0), _shown(4)]


class Record(BaseModel):
    """Base of all records: unknown fields are refused, texts are stripped, numbers are finite."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, allow_inf_nan=False, frozen=True)

    id: Identifier = Field(description="the office's own number of the record")


#: What became of a record that was written.
WriteResult = Literal["created", "updated", "unchanged"]
