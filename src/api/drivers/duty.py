"""/v1/drivers/{id}/duty, /v1/driver-duty: when drivers work; their rosters (排班)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped, written
from api.bodies import body_of, read_model
from api.cases.common import actor_of
from api.drivers.common import (
    DRIVE,
    NO_DRIVER,
    READ,
    WRITE,
    DriverId,
    Id,
    QueryDay,
    span_of,
    unit_for,
)
from api.drivers.schemas import DriverDuty, DriverDutyPage, RosterImported
from api.errors import Problem, known
from api.http import (
    DEFAULT_PAGE,
    Cursor,
    Limit,
    json_response,
    make_cursor,
    media_type,
    read_body,
    read_cursor,
    refuse_controls,
)
from api.registry.importing import XLSX
from office.drivers.leaves import own_driver
from office.drivers.roster_files import MAX_ROWS, OWN_ROSTER, import_roster
from office.supervision.actors import Actor
from registry import duty
from registry.drivers import list_drivers
from registry.duty import MOST_DAYS, RosterDays, RosterWeek
from registry.organisations import units_below
from registry.shifts import Roster, Shift
from registry.vehicle_papers import today_of
from runtime.connection import Connection
from runtime.units import midnight

router = APIRouter(prefix="/v1", tags=["drivers"])
#: Entries of a roster that are shown with it.
_ENTRIES: Final = 50
_MOST_BYTES: Final = 4 << 20
#: Days of a range of all drivers: a month on one page of a duty list.
_MOST_RANGE: Final = 31
#: A time away, from and to.
Span = tuple[datetime, datetime]
_TYPES: Final = frozenset({"text/csv", "application/csv", "text/plain", XLSX, "application/vnd.ms-excel", "application/octet-stream"})  # fmt: skip


def _shown(shift: Shift) -> dict[str, str]:
    since, until = shift
    last = until - 1440 if until > 1440 else until
    return {"from": f"{since // 60:02d}:{since % 60:02d}", "to": f"{last // 60:02d}:{last % 60:02d}"}


def _range(day: date | None, first: date | None, last: date | None) -> tuple[date, date] | None:
    """The range of days that is asked for; None: one day. Raises Problem 422."""
    if first is None and last is None:
        return None
    if first is None or last is None or day is not None:
        raise Problem(422, "invalid-parameter", "from 与 to 须同时填写，且不与 day 同填 · give `from` and `to` together, and no `day` beside them")  # fmt: skip
    span_of(first, last, _MOST_RANGE)
    return first, last


def _days(roster: Roster, leaves: Sequence[Span], first: date, last: date) -> list[dict[str, Any]]:
    """Each day of a driver, with what of his ``leaves`` lies in it."""
    found = []
    for k in range((last - first).days + 1):
        day = first + timedelta(days=k)
        shifts, source = roster.shifts(day)
        since, until = midnight(day), midnight(day + timedelta(days=1))
        away = [{"from": begins, "to": ends} for begins, ends in leaves if begins < until and ends > since]
        known = None if shifts is None else [_shown(shift) for shift in shifts]
        found.append({"day": day, "shifts": known, "source": source, "leave": away})
    return found


async def _duty(connection: Connection, driver: str, first: date, last: date) -> dict[str, Any]:
    roster = (await duty.rosters_of(connection, [driver], first, last)).get(driver, Roster())
    entries = []
    for entry in await duty.entries_of(connection, driver, _ENTRIES):
        shifts = entry["shifts"]
        if shifts is not None:
            week = shifts if entry["kind"] == "week" else [shifts]
            shifts = [[_shown((since, until)) for since, until in day] for day in week]
        entries.append(dict(entry) | {"shifts": shifts})
    away = await duty.leaves_within(connection, [driver], midnight(first), midnight(last + timedelta(days=1)))
    days = _days(roster, [(begins, ends) for _, begins, ends in away], first, last)
    return {"driver": driver, "days": days, "entries": entries}


@router.get(
    "/drivers/{id}/duty", summary="排班 / when a driver works", response_model=DriverDuty, dependencies=[require(READ, DRIVE)]
)  # fmt: skip
async def get_duty(request: Request, id: DriverId, first: Annotated[QueryDay, Query(alias="from")], last: Annotated[QueryDay, Query(alias="to", description="included")]) -> Response:  # fmt: skip
    """Of the days `from` to `to`, 93 at most. `shifts` null: nobody has said, and he is not judged by a roster. Drivers see their own."""
    driver, actor = known(NO_DRIVER, id), actor_of(request)
    span_of(first, last, MOST_DAYS)
    async with scoped(request, READ, DRIVE, read_only=True) as connection:
        await unit_for(connection, actor, driver, READ)
        return json_response(await _duty(connection, driver, first, last))


@router.get(
    "/driver-duty", summary="当日当班 / who works on a day", response_model=DriverDutyPage, dependencies=[require(READ)]
)  # fmt: skip
async def list_duty(
    request: Request,
    day: Annotated[QueryDay | None, Query(description="today, unless said otherwise")] = None,
    first: Annotated[
        QueryDay | None, Query(alias="from", description="with `to`, instead of `day`: each day of a range")
    ] = None,
    last: Annotated[
        QueryDay | None, Query(alias="to", description=f"included; {_MOST_RANGE} days at most")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    organisation: Id = None,
) -> Response:
    """All drivers of your units, by id. `organisation`: with the units below it."""
    refuse_controls(organisation)
    ranged = _range(day, first, last)
    place = read_cursor("driver-duty", cursor, str)
    async with scoped(request, READ, read_only=True) as connection:
        begin, end = ranged or (day or await today_of(connection),) * 2
        units = None if organisation is None else await units_below(connection, [organisation])
        people = await list_drivers(connection, units, limit, None if place is None else place[0])
        ids = [id for id, _, _ in people]
        rosters = await duty.rosters_of(connection, ids, begin, end)
        away: dict[str, list[Span]] = defaultdict(list)
        for driver, begins, ends in await duty.leaves_within(
            connection, ids, midnight(begin), midnight(end + timedelta(days=1))
        ):
            away[driver].append((begins, ends))
    items = []
    for id, name, unit in people:
        days = _days(rosters.get(id, Roster()), away[id], begin, end)
        kept = {field: days[0][field] for field in ("shifts", "source", "leave")}
        items.append(
            {
                "driver": id,
                "name": name,
                "organisation": unit,
                **kept,
                "days": None if ranged is None else days,
            }
        )
    following = make_cursor("driver-duty", ids[-1]) if len(people) == limit else None
    return json_response({"items": items, "next": following})


async def _own(connection: Connection, actor: Actor, driver: str) -> None:
    if await own_driver(connection, actor) == driver:
        raise Problem(403, "own-roster", OWN_ROSTER)


@router.post(
    "/drivers/{id}/roster-weeks", summary="排班：每周 / what the week of a driver looks like", status_code=201, response_model=DriverDuty,
    dependencies=[require(WRITE)], openapi_extra=body_of(RosterWeek),
)  # fmt: skip
async def enter_week(request: Request, id: DriverId) -> Response:
    """From a day on, until a later entry begins. It is never changed: enter another one. Who has a roster is sent only while he is on duty; the answer is the first week of it."""
    given, actor, driver = await read_model(request, RosterWeek), actor_of(request), known(NO_DRIVER, id)

    async def work(connection: Connection) -> dict[str, Any]:
        unit = await unit_for(connection, actor, driver, WRITE)
        await _own(connection, actor, driver)
        await duty.enter_week(connection, unit, driver, given, actor.person, actor.subject.name)
        return await _duty(connection, driver, given.valid_from, given.valid_from + timedelta(days=6))

    return json_response(await written(request, WRITE, work), 201)


@router.post(
    "/drivers/{id}/roster-days", summary="排班：单日 / days that are otherwise", status_code=201, response_model=DriverDuty, dependencies=[require(WRITE)],
    openapi_extra=body_of(RosterDays),
)  # fmt: skip
async def enter_days(request: Request, id: DriverId) -> Response:
    """调班、加班、值班: over the week. Days that are so already are not entered again. The answer is the days from the first to the last of them, 93 at most."""
    given, actor, driver = await read_model(request, RosterDays), actor_of(request), known(NO_DRIVER, id)
    first, last = min(each.day for each in given.days), max(each.day for each in given.days)

    async def work(connection: Connection) -> dict[str, Any]:
        unit = await unit_for(connection, actor, driver, WRITE)
        await _own(connection, actor, driver)
        await duty.enter_days(connection, unit, driver, given, actor.person, actor.subject.name)
        return await _duty(connection, driver, first, min(last, first + timedelta(days=MOST_DAYS - 1)))

    return json_response(await written(request, WRITE, work), 201)


@router.post(
    "/driver-rosters:import", summary="导入排班表 / take a file of rosters", response_model=RosterImported, dependencies=[require(WRITE)],
    openapi_extra={"requestBody": {"required": True, "content": {
        "text/csv": {"schema": {"type": "string"}}, XLSX: {"schema": {"type": "string", "format": "binary"}},
    }}},
    description=f"CSV (UTF-8, GBK) or XLSX of at most {MAX_ROWS} rows, one a driver and day. Columns: 驾驶员编号, 日期, 班次 (08:00-12:00 14:00-17:30; 休 = off; 同周 = as"
    " the week). Good rows are entered, each bad row is told with its number; the same file again adds nothing.",
)  # fmt: skip
async def take_file(request: Request) -> Response:
    content_type, charset = media_type(request)
    if content_type not in _TYPES:
        raise Problem(415, "content-type", f"内容类型应为下列之一 · send one of: {', '.join(sorted(_TYPES))}")
    data, actor = await read_body(request, _MOST_BYTES), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        own = await own_driver(connection, actor)
        return await import_roster(connection, actor.person, actor.subject.name, data, charset, own)

    return json_response(await written(request, WRITE, work))
