"""Where assessment meets supervision: closings are read there and counted here; and what every operation here needs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Annotated

from fastapi import Path, Request

from api.auth.scoped import subject_of
from api.http import MAX_ID, PLAIN_PATTERN
from office.assessment.deciding import READ
from office.assessment.periods import FIRST_YEAR, LAST_YEAR, PATTERN
from office.assessment.sheets import Sources
from office.identity.scope import units_reached
from office.supervision import cases
from office.supervision.cases import Clocks, china_today
from office.supervision.closings import Closing, closings_between, units_changed
from office.supervision.deadlines import after
from registry.organisations import units_below
from runtime.connection import Connection

PeriodText = Annotated[str, Path(pattern=PATTERN, description="a year (2026) or a quarter of it (2026Q3)")]
Year = Annotated[int, Path(ge=FIRST_YEAR, le=LAST_YEAR)]
Unit = Annotated[str, Path(min_length=1, max_length=MAX_ID, pattern=PLAIN_PATTERN)]
ItemId = Annotated[str, Path(min_length=1, max_length=MAX_ID, pattern=PLAIN_PATTERN)]


async def sources(connection: Connection) -> tuple[Sources, Clocks]:
    """How closings are read in this transaction, by the calendar and the parameters as they are now."""
    clocks = await cases.load_clocks(connection)

    async def between(units: Collection[str], since: date, until: date) -> Sequence[Closing]:
        return await closings_between(connection, units, since, until, clocks)

    async def changed(since: dict[str, datetime]) -> frozenset[str]:
        return await units_changed(connection, since)

    return Sources(between, changed), clocks


def objections_until(clocks: Clocks, closed_at: datetime, dispute_wd: int) -> date | None:
    """The last day for objections to a sheet that was closed then; None: a day of the term is not published yet."""
    return after(clocks.calendar, china_today(closed_at), dispute_wd).day


async def below(connection: Connection, request: Request, unit: str) -> frozenset[str]:
    """The units below ``unit`` that the caller sees, without itself."""
    found = await units_below(connection, [unit]) - {unit}
    reached = await units_reached(connection, subject_of(request), READ)
    return found if reached is None else found & reached
