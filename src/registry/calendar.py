"""Calendar days (日历日), the office's own word on single days: the record, written and read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from registry.pages import Filter, Listing
from registry.unreadable import CALENDAR_DAY, Unreadable
from registry.upsert import TEXT, Column, PlainTable, upsert
from registry.values import Record, Text, WriteResult, parse_day
from registry.working_days import Calendar
from runtime.apart import read_apart
from runtime.connection import Connection
from runtime.errors import text_of
from runtime.faults import of_one_fact


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


HEADERS: Final = {"日期": "id", "day": "id", "工作日": "workday", "名称": "name", "来源": "source"}
_TABLE: Final = PlainTable(
    "calendar_days",
    {"workday": Column("boolean"), "name": TEXT, "source": TEXT},
    key="day",
    key_type="date",
    key_field="day",
)
LISTING: Final = Listing(
    f"SELECT t.day::text AS id, t.day, {_TABLE.fields()}, t.updated_at FROM calendar_days t",  # noqa: S608 - constant names
    {"from": Filter("t.day >= {}::text::date", "day"), "to": Filter("t.day < {}::text::date", "day")},
    key="t.day::text",
)


async def write(connection: Connection, records: Sequence[CalendarDay]) -> list[WriteResult]:
    """Write calendar days."""
    return await upsert(connection, _TABLE, records)


async def forget_day(connection: Connection, day: date) -> bool:
    """Take back the office's word on a day; whether there was one."""
    return (
        await connection.fetchval("DELETE FROM calendar_days WHERE day = $1 RETURNING true", day) is not None
    )


async def load_calendar(connection: Connection) -> Calendar:
    """The published calendar with every row of ``calendar_days`` over it. A day whose row cannot be read is not known: what the
    office has said of it may be the opposite of what was published."""
    try:
        return Calendar(_days(await connection.fetch(_DAYS)))
    except Exception as error:
        if not of_one_fact(error):
            raise

    async def read(places: Sequence[str]) -> list[tuple[date, tuple[bool, str]]]:
        rows = await connection.fetch(f"{_DAYS} WHERE ctid = ANY($1::text[]::tid[])", places)
        return list(_days(rows).items())

    # A day that is none of the calendar (infinity) is nobody's, and is not asked for.
    named = await connection.fetch("SELECT ctid::text AS place, day::text FROM calendar_days ORDER BY day")
    days = {row["place"]: row["day"] for row in named}
    found, failed = await read_apart(connection, list(days), read)
    return Calendar(dict(found), {days[place]: text_of(error) for place, error in failed})


_DAYS: Final = "SELECT day, workday, name FROM calendar_days"


def _days(rows: Sequence[Any]) -> dict[date, tuple[bool, str]]:
    return {r["day"]: (r["workday"], r["name"]) for r in rows}


def unreadable_days(calendar: Calendar) -> list[Unreadable]:
    """The rows of ``calendar_days`` that cannot be read."""
    return [Unreadable(CALENDAR_DAY, day, why) for day, why in sorted(calendar.unreadable.items())]
