"""Corrections of terminals (终端更正: clock, datum, units of odometer and fuel), dated by receipt: the record, written and read.

What a terminal sent is never changed: whoever reads positions adds ``shift_s`` to the device time, and takes coordinates and items
for what they are (``telemetry.archive.clocks``). A trigger notes the vehicles, and they are judged again. The first thing that could
be corrected was the clock, which the table and the path in the API are called after.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from registry.pages import Filter, Listing
from registry.places import DatumName
from registry.refusals import Flaw, RefusedError
from registry.upsert import TEXT, Column, PlainTable, upsert
from registry.values import Phone, Record, Text, Time, WriteResult
from runtime.connection import Connection
from telemetry.archive.clocks import delete_doubts
from telemetry.archive.put_right import BY_THE_STANDARD
from telemetry.terminals import notices

#: A clock is not more than a hundred years beside the truth.
MOST_S: Final = 3_155_760_000
#: Metres or millilitres that a unit of an item may stand for.
MOST_UNIT: Final = 100_000
_NUMBER: Final = re.compile(r"[+-]?\d{1,10}", re.ASCII)
#: What a correction may speak of.
ASPECTS: Final = ("shift_s", "datum", "odometer_unit_m", "fuel_unit_ml")


def _number(value: Any) -> Any:
    """A cell of a file is text; an empty one says nothing."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return int(text) if _NUMBER.fullmatch(text) else value if text else None


def _datum(value: Any) -> Any:
    """A cell of a file: as people write it, and an empty one says nothing."""
    if not isinstance(value, str):
        return value
    return value.strip().lower().replace("-", "").replace(" ", "") or None


class ClockCorrection(Record):
    """How positions of a terminal that were *received* in [valid_from, valid_to) are to be read. A terminal that writes UTC as GMT+8
    is 28,800 s behind: `shift_s` 28800 (0: the clock was right after all). One that sends GCJ-02 for WGS-84: `datum` gcj02. One that
    counts its odometer in whole kilometres: `odometer_unit_m` 1000. What is not given is as the corrections before say."""

    terminal: Phone = Field(description="phone number of the terminal")
    valid_from: Time = Field(description="positions received from then on (the server's time)")
    valid_to: Time | None = Field(None, description="until the clock was mended; null: it still is wrong")
    shift_s: Annotated[int | None, BeforeValidator(_number)] = Field(
        None, ge=-MOST_S, le=MOST_S, description="seconds to add to its times"
    )
    datum: Annotated[DatumName | None, BeforeValidator(_datum)] = Field(
        None, description="what its coordinates are in; by the standard wgs84"
    )
    odometer_unit_m: Annotated[int | None, BeforeValidator(_number)] = Field(
        None,
        ge=0,
        le=MOST_UNIT,
        description=f"metres of one unit of item 0x01; by the standard {BY_THE_STANDARD}; 0: it is no odometer",
    )
    fuel_unit_ml: Annotated[int | None, BeforeValidator(_number)] = Field(
        None,
        ge=0,
        le=MOST_UNIT,
        description=f"millilitres of one unit of item 0x02; by the standard {BY_THE_STANDARD}; 0: it is no fuel",
    )
    note: Text = ""

    @field_validator("valid_to")
    @classmethod
    def _ends_later(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        since = info.data.get("valid_from")
        if value is not None and since is not None and value <= since:
            raise ValueError("结束不晚于开始 · it ends before it begins")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(getattr(self, aspect) is None for aspect in ASPECTS):
            raise ValueError(
                "须写明时钟、坐标系、里程单位或油量单位 · say something of the clock, the datum or a unit: "
                + ", ".join(ASPECTS)
            )
        return self


class _Row(Record):
    """As it is stored."""

    terminal_no: int
    valid_from: datetime
    valid_to: datetime | None
    shift_s: int | None
    datum: str | None
    odometer_unit_m: int | None
    fuel_unit_ml: int | None
    note: str
    source: str = "office"


HEADERS: Final = {
    "更正编号": "id", "终端手机号": "terminal", "起始时间": "valid_from", "终止时间": "valid_to", "更正秒数": "shift_s",
    "坐标系": "datum", "里程单位（米）": "odometer_unit_m", "油量单位（毫升）": "fuel_unit_ml", "备注": "note",
}  # fmt: skip
_TIME: Final = Column("timestamptz")
_UNIT: Final = Column("integer")
_TABLE: Final = PlainTable(
    "clock_corrections",
    {
        "terminal_no": Column("integer", shown=False), "valid_from": _TIME, "valid_to": _TIME, "shift_s": Column("bigint"),
        "datum": TEXT, "odometer_unit_m": _UNIT, "fuel_unit_ml": _UNIT, "note": TEXT, "source": TEXT,
    },
)  # fmt: skip
LISTING: Final = Listing(
    f"SELECT t.id, p.phone AS terminal, {_TABLE.fields()}, t.dialect, t.updated_at FROM clock_corrections t"  # noqa: S608 - constant names
    " JOIN terminals p ON p.no = t.terminal_no",
    {"terminal": Filter("p.phone = {}")},
)


async def write(connection: Connection, records: Sequence[ClockCorrection]) -> list[WriteResult]:
    """Write corrections. The doubts about what they speak of are over. Raises RefusedError for an unknown terminal, or for two
    corrections of one terminal that begin at the same time."""
    phones = sorted({record.terminal for record in records})
    numbers = dict(await connection.fetch("SELECT phone, no FROM terminals WHERE phone = ANY($1)", phones))
    flaws = [
        Flaw(("terminal",), f"终端 {r.terminal} 未登记 · unknown terminal: {r.terminal}", row)
        for row, r in enumerate(records)
        if r.terminal not in numbers
    ]
    rows = await connection.fetch(
        "SELECT p.phone, c.valid_from, c.id FROM clock_corrections c JOIN terminals p ON p.no = c.terminal_no"
        " WHERE p.phone = ANY($1) AND c.id <> ALL($2) AND c.source = 'office'",
        phones,
        [record.id for record in records],
    )
    seen: dict[tuple[str, datetime], str] = {(phone, since): id for phone, since, id in rows}
    for row, r in enumerate(records):
        other = seen.setdefault((r.terminal, r.valid_from), r.id)
        if other != r.id:
            told = f"与更正 {other} 同时开始 · begins when {other} begins"
            flaws.append(Flaw(("valid_from",), told, row))
    if flaws:
        raise RefusedError(flaws)
    stored = [
        _Row(
            id=r.id, terminal_no=numbers[r.terminal], valid_from=r.valid_from, valid_to=r.valid_to, shift_s=r.shift_s,
            datum=r.datum, odometer_unit_m=r.odometer_unit_m, fuel_unit_ml=r.fuel_unit_ml, note=r.note,
        )
        for r in records
    ]  # fmt: skip
    results = await upsert(connection, _TABLE, stored)
    changed = [row for row, result in zip(stored, results, strict=True) if result != "unchanged"]
    of_clocks = [row for row in changed if row.shift_s is not None]
    if of_clocks:
        await delete_doubts(
            connection, [(row.terminal_no, row.valid_from, row.valid_to) for row in of_clocks]
        )
    await notices.settle(
        connection, [row.terminal_no for row in changed if row.datum is not None], "datum_wrong"
    )
    return results


async def any_correction(connection: Connection) -> bool:
    """Whether there is any correction at all."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM clock_corrections)"))


async def vehicles_corrected(
    connection: Connection, numbers: Sequence[int], ids: Sequence[str]
) -> dict[str, int]:
    """Those of the vehicles with these numbers or ids in which a terminal sat that has a correction: id -> number."""
    rows = await connection.fetch(
        "SELECT v.id, v.no FROM vehicles v WHERE (v.no = ANY($1::integer[]) OR v.id = ANY($2::text[])) AND EXISTS (SELECT FROM"
        " terminal_bindings b JOIN clock_corrections c ON c.terminal_no = b.terminal_no WHERE b.vehicle_no = v.no)",
        numbers,
        ids,
    )
    return dict(rows)


async def take_back(connection: Connection, id: str) -> bool:
    """Delete a correction; whether there was one. Raises RefusedError for one that the table of dialects has made: it would be made
    again."""
    source = await connection.fetchval("SELECT source FROM clock_corrections WHERE id = $1 FOR UPDATE", id)
    if source == "dialect":
        told = "来自厂家方言表，请另登记更正覆盖 · made by the table of dialects; enter a correction that says otherwise"
        raise RefusedError([Flaw(("id",), told, 0)])
    found = await connection.fetchval("DELETE FROM clock_corrections WHERE id = $1 RETURNING true", id)
    return found is not None
