"""/v1/driver-score-tables, /v1/drivers/{id}/facts: what facts cost, and facts that no other record says."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.assessment.joining import ItemId, Unit
from api.auth.access import require
from api.auth.scoped import scoped, subject_of, written
from api.bodies import body_of, read_model
from api.cases.common import actor_of
from api.drivers.common import DRIVE, NO_DRIVER, DriverId, QueryDay, span_of, unit_for
from api.drivers.sheet_schemas import DriverFacts, DriverFactShown, DriverTables, DriverTableVersion
from api.errors import known
from api.http import json_response
from office.assessment import driver_records
from office.assessment.deciding import no_such_unit
from office.assessment.driver_records import DECIDE, KEEP, DriverFactNew, DriverFactVoid
from office.assessment.driver_table import DEFAULT, DriverTableNew
from office.drivers.leaves import own_driver
from office.supervision.cases import today_of
from registry.organisations import organisation_exists
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["drivers"])
READ: Final = "assessments:read"
#: Who sees what was entered about drivers of a unit.
SEES: Final = (READ, DECIDE, KEEP)
_SHIPPED: Final = DEFAULT.model_dump(mode="json")
#: Days of a question.
_MOST_DAYS: Final = 366


@router.get(
    "/driver-score-tables/{organisation}", summary="驾驶员评分表 / tables of points", response_model=DriverTables, dependencies=[require(READ, DECIDE)]
)  # fmt: skip
async def get_tables(request: Request, organisation: Unit) -> Response:
    """The unit's own versions; a unit without one has that of the nearest unit above it."""
    async with scoped(request, READ, DECIDE, read_only=True) as connection:
        if not await organisation_exists(connection, organisation):
            raise no_such_unit(organisation)
        found = await driver_records.versions(connection, organisation)
    return json_response({"items": found, "shipped": _SHIPPED})


@router.post(
    "/driver-score-tables/{organisation}", summary="另存评分表 / a new version", status_code=201, response_model=DriverTableVersion,
    dependencies=[require(DECIDE)], openapi_extra=body_of(DriverTableNew),
)  # fmt: skip
async def publish(request: Request, organisation: Unit) -> Response:
    """From the first day of a quarter that is still to come: what was driven is not priced afterwards. Versions never change."""
    given, subject = await read_model(request, DriverTableNew), subject_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        if not await organisation_exists(connection, organisation):
            raise no_such_unit(organisation)
        return await driver_records.publish(connection, subject, organisation, given, await today_of(connection))  # fmt: skip

    return json_response(await written(request, DECIDE, work), 201)


@router.get(
    "/drivers/{id}/facts", summary="考核事实 / facts that were entered", response_model=DriverFacts, dependencies=[require(*SEES, DRIVE)]
)  # fmt: skip
async def list_facts(
    request: Request,
    id: DriverId,
    first: Annotated[QueryDay, Query(alias="from")],
    last: Annotated[QueryDay, Query(alias="to", description="included")],
) -> Response:
    """Of the days `from` to `to`, a year at most; void ones too. Drivers see their own."""
    driver, actor = known(NO_DRIVER, id), actor_of(request)
    span_of(first, last, _MOST_DAYS)
    async with scoped(request, *SEES, DRIVE, read_only=True) as connection:
        await unit_for(connection, actor, driver, *SEES)
        return json_response({"items": await driver_records.facts_of(connection, driver, first, last)})


@router.post(
    "/drivers/{id}/facts", summary="登记考核事实 / enter a fact", status_code=201, response_model=DriverFactShown, dependencies=[require(KEEP)],
    openapi_extra=body_of(DriverFactNew), responses={409: {"description": "已登记 · it is entered already"}},
)  # fmt: skip
async def enter_fact(request: Request, id: DriverId) -> Response:
    """有责事故、投诉属实、未做出车前检查、车容不洁、私自绕行属实: with the number of what says so. It never changes: declare a wrong one void."""
    given, actor, driver = await read_model(request, DriverFactNew), actor_of(request), known(NO_DRIVER, id)

    async def work(connection: Connection) -> dict[str, Any]:
        unit, own = await unit_for(connection, actor, driver, KEEP), await own_driver(connection, actor)
        today = await today_of(connection)
        return await driver_records.enter_fact(connection, actor.subject, unit, driver, given, today, own)

    return json_response(await written(request, KEEP, work), 201)


@router.post(
    "/driver-facts/{id}:void", summary="作废 / declare a fact void", response_model=DriverFactShown, dependencies=[require(KEEP)],
    openapi_extra=body_of(DriverFactVoid), responses={409: {"description": "已作废 · it is void already"}},
)  # fmt: skip
async def void_fact(request: Request, id: ItemId) -> Response:
    """It counts in no sheet that is issued afterwards."""
    given, subject = await read_model(request, DriverFactVoid), subject_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        return await driver_records.void_fact(connection, subject, id, given.reason)

    return json_response(await written(request, KEEP, work))
