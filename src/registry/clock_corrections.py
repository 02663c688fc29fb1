"""Corrections of terminals' clocks (终端时钟更正), dated by receipt: the record, written and read.

What a terminal sent is never changed: whoever reads positions adds ``shift_s`` to the device time
(``telemetry.archive.clocks``). A trigger notes the vehicles, and they are judged again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from registry.pages import Filter, Listing
from registry.refusals import Flaw, RefusedError
from registry.upsert import TEXT, Column, PlainTable, upsert
from registry.values import Phone, Record, Text, Time, WriteResult
from runtime.connection import Connection
from telemetry.archive.clocks import delete_doubts

#: A clock is not more than a hundred years beside the truth.
MOST_S: Final = 3_155_760_000
_SECONDS: Final = re.compile(r"[+-]?\d{1,10}", re.ASCII)


def _seconds(value: Any) -> Any:
    """A cell of a file is text."""
    return int(value) if isinstance(value, str) and _SECONDS.fullmatch(value.strip()) else value


class ClockCorrection(Record):
    """What is to be added to the device time of positions that were *received* in [valid_from, valid_to). A terminal that
    writes UTC as GMT+8 is 28,800 s behind: `shift_s` 28800. 0: the clock was right after all."""

    terminal: Phone = Field(description="phone number of the terminal")
    valid_from: Time = Field(description="positions received from then on (the server's time)")
    valid_to: Time | None = Field(None, description="until the clock was mended; null: it still is wrong")
    shift_s: Annotated[int, BeforeValidator(_seconds)] = Field(
        ge=-MOST_S, le=MOST_S, description="seconds to add"
    )
    note: Text = ""

    @field_validator("valid_to")
    @classmethod
    def _ends_later(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        since = info.data.get("valid_from")
        if value is not None and since is not None and value <= since:
            raise ValueError("结束不晚于开始 · it ends before it begins")
        return value


class _Row(Record):
    """As it is stored."""

    terminal_no: int
    valid_from: datetime
    valid_to: datetime | None
    shift_s: int
    note: str


HEADERS: Final = {
    "更正编号": "id", "终端手机号": "terminal", "起始时间": "valid_from", "终止时间": "valid_to", "更正秒数": "shift_s",
    "备注": "note",
}  # fmt: skip
_TIME: Final = Column("timestamptz")
_TABLE: Final = PlainTable(
    "clock_corrections",
    {
        "terminal_no": Column("integer", shown=False), "valid_from": _TIME, "valid_to": _TIME, "shift_s": Column("bigint"),
        "note": TEXT,
    },
)  # fmt: skip
LISTING: Final = Listing(
    f"SELECT t.id, p.phone AS terminal, {_TABLE.fields()}, t.updated_at FROM clock_corrections t"  # noqa: S608 - constant names
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
        " WHERE p.phone = ANY($1) AND c.id <> ALL($2)",
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
            note=r.note,
        )
        for r in records
    ]  # fmt: skip
    results = await upsert(connection, _TABLE, stored)
    changed = [row for row, result in zip(stored, results, strict=True) if result != "unchanged"]
    await delete_doubts(connection, [(row.terminal_no, row.valid_from, row.valid_to) for row in changed])
    return results


async def take_back(connection: Connection, id: str) -> bool:
    """Delete a correction; whether there was one."""
    found = await connection.fetchval("DELETE FROM clock_corrections WHERE id = $1 RETURNING true", id)
    return found is not None
