"""/v1/drivers/{id}/driving, /v1/drivers/{id}/overtime: what a driver drove, without a rest and beyond his roster. Proposals: people enter and decide."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped
from api.cases.common import actor_of
from api.drivers.common import DRIVE, NO_DRIVER, READ, DriverId, QueryDay, span_of, unit_for
from api.drivers.schemas import DriverDriving, DriverOvertime
from api.errors import known
from api.http import json_response
from office.dispatch.drives import drives_of, stretches_of
from office.dispatch.threads import load_clocks
from office.drivers.overtime import overtime
from registry.duty import rosters_of
from registry.shifts import Roster
from runtime.units import CHINA, from_us, midnight

router = APIRouter(prefix="/v1", tags=["drivers"])
#: Days of a question.
_MOST_DAYS: Final = 31
First = Annotated[QueryDay, Query(alias="from")]
Last = Annotated[QueryDay, Query(alias="to", description="included")]
_SAID: Final = (
    "轨迹显示连续驾驶超过 4 小时、其间没有 20 分钟停车休息，请向驾驶员核实（道路交通安全法实施条例第六十二条）；不作为违规结论"
    " · the track shows more than four hours without a rest of 20 minutes: ask the driver; this is no finding"
)


@router.get(
    "/drivers/{id}/driving", summary="连续驾驶 / what a driver drove at a stretch", response_model=DriverDriving, dependencies=[require(READ, DRIVE)]
)  # fmt: skip
async def get_driving(request: Request, id: DriverId, first: First, last: Last) -> Response:
    """Of dispatches that left on the days `from` to `to`, 31 at most, and are back. Driving is the time between valid fixes of 5 km/h or more; where the track has gaps, a rest is
    assumed. `notice`: to be asked about. Drivers see their own."""
    driver, actor = known(NO_DRIVER, id), actor_of(request)
    span_of(first, last, _MOST_DAYS)
    since, until = midnight(first), midnight(last + timedelta(days=1))
    async with scoped(request, READ, DRIVE, read_only=True) as connection:
        await unit_for(connection, actor, driver, READ)
        clocks = await load_clocks(connection)
        found = await stretches_of(connection, driver, since, until, clocks.rows)
    days: dict[date, int] = {}
    items: list[dict[str, Any]] = []
    for one in found:
        begin, end = from_us(one.since_s * 1_000_000), from_us(one.until_s * 1_000_000)
        day = begin.astimezone(CHINA).date()
        days[day] = days.get(day, 0) + one.driven_s
        if one.too_long:
            items.append({"from": begin, "to": end, "driven_s": one.driven_s, "dispatches": list(one.dispatches), "notice": _SAID})  # fmt: skip
    return json_response({"driver": driver, "days": [{"day": day, "driven_s": s} for day, s in sorted(days.items())], "too_long": items})  # fmt: skip


@router.get(
    "/drivers/{id}/overtime", summary="加班 / work beyond the roster", response_model=DriverOvertime, dependencies=[require(READ, DRIVE)]
)  # fmt: skip
async def get_overtime(request: Request, id: DriverId, first: First, last: Last) -> Response:
    """Of dispatches that left on the days `from` to `to`, 31 at most, and are back: minutes on each day that lie in no shift of his roster. What is paid is entered in the ledger
    (`overtime`, 驾驶员加班) by who keeps it. Drivers see their own."""
    driver, actor = known(NO_DRIVER, id), actor_of(request)
    span_of(first, last, _MOST_DAYS)
    async with scoped(request, READ, DRIVE, read_only=True) as connection:
        await unit_for(connection, actor, driver, READ)
        clocks = await load_clocks(connection)
        drives = await drives_of(connection, driver, midnight(first), midnight(last + timedelta(days=1)))
        # A trip may last beyond the last day.
        end = max([last, *(drive.returned.astimezone(CHINA).date() for drive in drives)])
        roster = (await rosters_of(connection, [driver], first, end)).get(driver, Roster())
    found = overtime([(drive.number, drive.departed, drive.returned) for drive in drives], roster, clocks.calendar)  # fmt: skip
    sums: dict[str, int] = {}
    for one in found:
        sums[one.kind] = sums.get(one.kind, 0) + (one.minutes or 0)
    rows = [
        {"dispatch": one.dispatch, "day": one.day, "kind": one.kind, "from": one.since, "to": one.until, "minutes": one.minutes} for one in found
    ]  # fmt: skip
    unknown = sum(one.minutes is None for one in found)
    return json_response({"driver": driver, "items": rows, "minutes": sums, "unknown": unknown})
