"""/v1/quotas, /v1/quota-vehicles, /v1/vehicles/{id}/quota-place: what units may have, what they have, and which vehicles are above the standard."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped, written
from api.bodies import body_of, read_model
from api.cases.common import actor_of
from api.errors import known, not_found
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    json_response,
    make_cursor,
    read_cursor,
    refuse_controls,
)
from api.quotas.schemas import QuotaPlaces, QuotaUnitPage, QuotaVehiclePage, QuotaView
from api.vehicles.common import NO_VEHICLE, READ, VehicleId, unit_of_vehicle
from registry import quotas
from registry.organisations import organisation_exists, units_below
from registry.quotas import LineStanding, QuotaNew, QuotaPlaceNew, StandardFilter
from registry.standards import CLASS_NAMES, QuotaClass, Standing
from registry.vehicle_papers import today_of
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["quotas"])
WRITE: Final = "quotas:write"
NO_UNIT: Final = "没有这个单位 · no such unit"
UnitId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
Below = Annotated[
    str | None,
    Query(max_length=MAX_ID, json_schema_extra=PLAIN, description="with the units below it"),
]


async def units_of(connection: Connection, organisation: str | None) -> Collection[str] | None:
    """The unit and those below it; None: all that are reached."""
    return None if organisation is None else await units_below(connection, [organisation])


@router.get(
    "/quotas", summary="编制清单 / quotas of units", response_model=QuotaUnitPage, dependencies=[require(READ)]
)  # fmt: skip
async def list_quotas(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    organisation: Below = None,
    standing: Annotated[
        LineStanding | None,
        Query(description="only units with such a line: `over` 超编, `unset` 未核定"),
    ] = None,
) -> Response:
    """As it stands today. A secret vehicle is counted for those who may see it, and for nobody else."""
    refuse_controls(organisation)
    place = read_cursor("quotas", cursor, str)
    async with scoped(request, READ, read_only=True) as connection:
        found = await quotas.quota_units(
            connection, await today_of(connection), place[0] if place else "", limit,
            units=await units_of(connection, organisation), standing=standing,
        )  # fmt: skip
    following = make_cursor("quotas", found[-1]["organisation"]) if len(found) == limit else None
    return json_response({"items": found, "next": following})


@router.get(
    "/quotas/{organisation}/{quota_class}", summary="一项编制 / one quota", response_model=QuotaView, dependencies=[require(READ)]
)  # fmt: skip
async def get_quota(request: Request, organisation: UnitId, quota_class: QuotaClass) -> Response:
    """With everything that was ever entered of it: who approved how many, by which paper, from when."""
    async with scoped(request, READ, read_only=True) as connection:
        return json_response(await _quota(connection, known(NO_UNIT, organisation), quota_class))


async def _quota(connection: Connection, unit: str, quota_class: QuotaClass) -> dict[str, Any]:
    found = await quotas.quota_units(connection, await today_of(connection), "", 1, units=[unit])
    entries = await quotas.quota_history(connection, unit, quota_class)
    if not found and not entries and not await organisation_exists(connection, unit):
        raise not_found(NO_UNIT, unit)
    lines = found[0]["lines"] if found else []
    line = next((each for each in lines if each["quota_class"] == quota_class), None)
    return {
        "organisation": unit, "quota_class": quota_class, "quota_class_name": CLASS_NAMES[quota_class], "line": line, "entries": entries,
    }  # fmt: skip


@router.put(
    "/quotas/{organisation}/{quota_class}", summary="核定编制 / set a quota", response_model=QuotaView, dependencies=[require(WRITE)],
    openapi_extra=body_of(QuotaNew),
)  # fmt: skip
async def put_quota(request: Request, organisation: UnitId, quota_class: QuotaClass) -> Response:
    """From `valid_from` on; what was entered before stays to be read. The same again adds nothing."""
    given, actor, unit = await read_model(request, QuotaNew), actor_of(request), known(NO_UNIT, organisation)

    async def work(connection: Connection) -> dict[str, Any]:
        if not await organisation_exists(connection, unit):
            raise not_found(NO_UNIT, unit)
        await quotas.enter_quota(connection, unit, quota_class, given, actor.person, actor.subject.name)
        return await _quota(connection, unit, quota_class)

    return json_response(await written(request, WRITE, work))


@router.get(
    "/quota-vehicles", summary="车辆的编制类别和配备标准 / vehicles by the standard of their class", response_model=QuotaVehiclePage,
    dependencies=[require(READ)],
)  # fmt: skip
async def list_vehicles(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    organisation: Below = None,
    quota_class: QuotaClass | None = None,
    unplaced: Annotated[bool, Query(description="only those whose category names no class")] = False,
    standing: Annotated[
        Standing | None, Query(description="`above` 超标准; `unknown`: something is not registered")
    ] = None,
) -> Response:
    """The vehicles that `GET /v1/quotas` counts, each by the standard of the day on which it was bought."""
    refuse_controls(organisation)
    place = read_cursor("quota-vehicles", cursor, str)
    async with scoped(request, READ, read_only=True) as connection:
        asked = StandardFilter(await units_of(connection, organisation), quota_class, unplaced, standing)
        found = await quotas.quota_vehicles(
            connection, await today_of(connection), asked, place[0] if place else "", limit
        )
    following = make_cursor("quota-vehicles", found[-1]["vehicle"]) if len(found) == limit else None
    return json_response({"items": found, "next": following})


@router.get(
    "/vehicles/{id}/quota-place", summary="车辆的编制类别 / of which class a vehicle is", response_model=QuotaPlaces, dependencies=[require(READ)]
)  # fmt: skip
async def get_place(request: Request, id: VehicleId) -> Response:
    """What was entered of it, the one that counts first. Nothing: its category counts, by the usual names of the classes."""
    vehicle = known(NO_VEHICLE, id)
    async with scoped(request, READ, read_only=True) as connection:
        await unit_of_vehicle(connection, vehicle)
        return json_response({"items": await quotas.place_history(connection, vehicle)})


@router.put(
    "/vehicles/{id}/quota-place", summary="核定车辆的编制类别 / place a vehicle in a class", response_model=QuotaPlaces,
    dependencies=[require(WRITE)], openapi_extra=body_of(QuotaPlaceNew),
)  # fmt: skip
async def put_place(request: Request, id: VehicleId) -> Response:
    """`tier`: by which sentence of the standard it was allowed, with the paper that says so. The same again adds nothing."""
    given, vehicle, actor = await read_model(request, QuotaPlaceNew), known(NO_VEHICLE, id), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        await unit_of_vehicle(connection, vehicle)
        await quotas.place_vehicle(connection, vehicle, given, actor.person, actor.subject.name)
        return {"items": await quotas.place_history(connection, vehicle)}

    return json_response(await written(request, WRITE, work))
