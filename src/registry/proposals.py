"""Corrections of terminals that the program proposes, and a person accepts as they are: a clock that is wrong by a constant, coordinates
that are GCJ-02. The proposal stands in the notice of the terminal; accepting writes the correction (``clock_corrections``)."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from registry.clock_corrections import ClockCorrection
from registry.records import apply
from runtime.connection import Connection
from runtime.units import CHINA, US_PER_S
from telemetry.archive.clock_lags import proposed_shift_s
from telemetry.archive.clocks import read_clocks
from telemetry.terminals import notices

#: Notices that propose a correction.
ProposalKind = Literal["clock_wrong", "datum_wrong"]
PROPOSING: Final[tuple[ProposalKind, ...]] = ("clock_wrong", "datum_wrong")


async def accept(connection: Connection, phone: str, kind: ProposalKind) -> ClockCorrection | None:
    """Enter the correction that is proposed for the terminal with that phone number, in the caller's transaction; None: none is. Raises
    RefusedError where another correction of the office begins at that very time."""
    no = await connection.fetchval("SELECT no FROM terminals WHERE phone = $1", phone)
    if no is None:
        return None
    made = await (_clock if kind == "clock_wrong" else _datum)(connection, no, phone)
    if made is not None:
        await apply(connection, [made])
    return made


async def _clock(connection: Connection, no: int, phone: str) -> ClockCorrection | None:
    """By the doubt itself, not by what was written of it: a clock may have become another since."""
    doubt = await connection.fetchrow(
        "SELECT received_from, lag_s FROM clock_doubts WHERE terminal_no = $1 AND received_to IS NULL"
        " ORDER BY received_from DESC LIMIT 1",
        no,
    )
    if doubt is None:
        return None
    pieces = (await read_clocks(connection, [no])).get(no, ())
    shift_s = pieces[-1].shift_us // US_PER_S if pieces else 0
    return ClockCorrection(
        id=_id(phone, doubt["received_from"]),
        terminal=phone,
        valid_from=doubt["received_from"],
        shift_s=proposed_shift_s(doubt["lag_s"], shift_s),
        note="按系统建议 · as proposed",
    )


async def _datum(connection: Connection, no: int, phone: str) -> ClockCorrection | None:
    detail = (await notices.details(connection, [no], "datum_wrong")).get(no)
    if detail is None:
        return None
    proposed = detail["proposed"]
    since = datetime.fromisoformat(proposed["valid_from"])
    return ClockCorrection(
        id=_id(phone, since), terminal=phone, valid_from=since, datum=proposed["datum"], note="按系统建议 · as proposed",
    )  # fmt: skip


def _id(phone: str, since: datetime) -> str:
    return f"{phone}@{since.astimezone(CHINA).isoformat()}"
