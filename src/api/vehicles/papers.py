"""/v1/vehicle-papers, /v1/vehicles/{id}/papers and /v1/drivers/{id}/licences: inspection, insurance, licences, with the days on which they hold."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, WithJsonSchema

from api.auth.access import require
from api.auth.scoped import scoped, written
from api.bodies import body_of, read_model
from api.cases.common import ItemId, actor_of
from api.errors import Problem, known, not_found
from api.http import (
    DAY_PATTERN,
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    bad_cursor,
    json_response,
    make_cursor,
    read_cursor,
    refuse_controls,
)
from api.uploads import UPLOAD, FileName
from api.vehicles.common import (
    NO_DRIVER,
    NO_VEHICLE,
    READ,
    WRITE,
    VehicleId,
    kept,
    unit_of_driver,
    unit_of_vehicle,
)
from api.vehicles.schemas import (
    VehicleDocument,
    VehiclePaperPage,
    VehiclePapers,
    VehiclePaperView,
)
from office.vehicles.documents import DocumentKind, Owner, Upload, documents_of, keep
from registry import vehicle_papers
from registry.organisations import units_below
from registry.values import parse_day
from registry.vehicle_papers import (
    DriverLicenceNew,
    PaperFilter,
    VehiclePaperKind,
    VehiclePaperNew,
    VehiclePaperVoid,
    read_paper,
)
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["vehicles"])
NO_PAPER: Final = "没有这份证照 · no such paper"
Id = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]
PaperDay = Annotated[
    date,
    BeforeValidator(parse_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DAY_PATTERN}),
]


@router.get(
    "/vehicle-papers", summary="证照到期清单 / papers, the one that ends first first", response_model=VehiclePaperPage, dependencies=[require(READ)]
)  # fmt: skip
async def list_papers(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    kind: VehiclePaperKind | None = None,
    organisation: Id = None,
    vehicle: Id = None,
    driver: Id = None,
    ends_from: PaperDay | None = None,
    ends_before: PaperDay | None = None,
    last: Annotated[
        bool, Query(description="only the last of each kind: those that nobody has renewed")
    ] = False,
    void: Annotated[bool, Query(description="void ones, too")] = False,
) -> Response:
    """`organisation`: with the units below it. Those that end soon, and were not renewed: `ends_from` today, `ends_before` the day after the last, `last=true`."""
    refuse_controls(organisation, vehicle, driver)
    if ends_from is not None and ends_before is not None and ends_before <= ends_from:
        raise Problem(422, "invalid-parameter", "ends_before 须晚于 ends_from · must be after ends_from")
    place = read_cursor("vehicle-papers", cursor, int, str)
    if place is not None and not 1 <= place[0] <= date.max.toordinal():
        raise bad_cursor()
    after = None if place is None else (date.fromordinal(place[0]), place[1])
    async with scoped(request, READ, read_only=True) as connection:
        units = None if organisation is None else await units_below(connection, [organisation])
        asked = PaperFilter(kind, units, vehicle, driver, ends_from, ends_before, last, void)
        found = await vehicle_papers.list_papers(connection, asked, limit, after)
    following = None
    if len(found) == limit:
        ends = found[-1]["valid_to"] or date.max
        following = make_cursor("vehicle-papers", ends.toordinal(), found[-1]["id"])
    return json_response({"items": found, "next": following})


@router.get(
    "/vehicle-papers/{id}", summary="一份证照 / one paper", response_model=VehiclePaperView, dependencies=[require(READ)]
)  # fmt: skip
async def get_paper(request: Request, id: ItemId) -> Response:
    """With its files."""
    async with scoped(request, READ, read_only=True) as connection:
        return json_response(await _view(connection, known(NO_PAPER, id)))


async def _view(connection: Connection, id: str) -> dict[str, Any]:
    found = await read_paper(connection, id)
    if found is None:
        raise not_found(NO_PAPER, id)
    return found | {"documents": await documents_of(connection, paper=id)}


@router.post(
    "/vehicle-papers/{id}:void", summary="作废 / declare a paper void", response_model=VehiclePaperView, dependencies=[require(WRITE)],
    openapi_extra=body_of(VehiclePaperVoid), responses={409: {"description": "已作废 · it is void already"}},
)  # fmt: skip
async def void(request: Request, id: ItemId) -> Response:
    """It was never right: nothing rests on it any more. It stays in the file, with who said so and why."""
    given, actor, paper = await read_model(request, VehiclePaperVoid), actor_of(request), known(NO_PAPER, id)

    async def work(connection: Connection) -> dict[str, Any]:
        done = await vehicle_papers.declare_void(
            connection, paper, given.reason, actor.person, actor.subject.name
        )
        found = await _view(connection, paper)
        if not done:
            raise Problem(409, "conflict", "该证照已作废 · this paper is void already")
        return found

    return json_response(await written(request, WRITE, work))


@router.post(
    "/vehicle-papers/{id}/documents", summary="上传证照扫描件 / attach a file to a paper", status_code=201, response_model=VehicleDocument,
    dependencies=[require(WRITE)], openapi_extra=UPLOAD,
)  # fmt: skip
async def attach(request: Request, id: ItemId, name: FileName) -> Response:
    """The body is the file itself: PDF, JPEG, PNG, DOCX, XLSX or plain text, at most 20 MiB. `sha256` is of what is kept: of pictures nothing but what draws."""
    actor, paper = actor_of(request), known(NO_PAPER, id)

    async def store(file: Upload) -> dict[str, Any]:
        async def work(connection: Connection) -> dict[str, Any]:
            found = await read_paper(connection, paper)
            if found is None:
                raise not_found(NO_PAPER, paper)
            owner = Owner(found["organisation"], found["vehicle"], found["driver"], paper)
            return await keep(connection, actor, owner, DocumentKind.PAPER, file)

        return await written(request, WRITE, work)

    return json_response(await kept(request, name, store), 201)


@router.get(
    "/vehicles/{id}/papers", summary="车辆的年检和保险 / inspections and insurances of a vehicle", response_model=VehiclePapers,
    dependencies=[require(READ)],
)  # fmt: skip
async def papers_of_vehicle(request: Request, id: VehicleId) -> Response:
    """All of them, the one that holds longest first; at most 200."""
    vehicle = known(NO_VEHICLE, id)
    async with scoped(request, READ, read_only=True) as connection:
        await unit_of_vehicle(connection, vehicle)
        return json_response({"items": await vehicle_papers.papers_of(connection, vehicle=vehicle)})


@router.post(
    "/vehicles/{id}/papers", summary="登记年检、保险 / enter an inspection or an insurance", status_code=201, response_model=VehiclePaperView,
    dependencies=[require(WRITE)], openapi_extra=body_of(VehiclePaperNew),
    responses={409: {"description": "已登记 · it is entered already"}},
)  # fmt: skip
async def enter_paper(request: Request, id: VehicleId) -> Response:
    """It is never changed: declare a wrong one void, and enter another. Once an inspection or a compulsory insurance is entered, the vehicle is sent only on
    days on which one holds; people are told 30, 7 and 1 days before it ends."""
    given, vehicle = await read_model(request, VehiclePaperNew), known(NO_VEHICLE, id)
    return json_response(await _enter(request, given, vehicle=vehicle), 201)


async def _enter(
    request: Request, given: VehiclePaperNew | DriverLicenceNew, *, vehicle: str | None = None, driver: str | None = None
) -> dict[str, Any]:  # fmt: skip
    actor = actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        if vehicle is not None:
            unit = await unit_of_vehicle(connection, vehicle)
        else:
            unit = await unit_of_driver(connection, driver or "")
        made = await vehicle_papers.enter(
            connection, unit, vehicle=vehicle, driver=driver, given=given, actor=actor.person, actor_name=actor.subject.name
        )  # fmt: skip
        return await _view(connection, made)

    return await written(request, WRITE, work)


@router.get(
    "/drivers/{id}/licences", summary="驾驶证 / licences of a driver", response_model=VehiclePapers, dependencies=[require(READ)]
)  # fmt: skip
async def licences_of_driver(request: Request, id: VehicleId) -> Response:
    """All of them, the one that holds longest first."""
    driver = known(NO_DRIVER, id)
    async with scoped(request, READ, read_only=True) as connection:
        await unit_of_driver(connection, driver)
        return json_response({"items": await vehicle_papers.papers_of(connection, driver=driver)})


@router.post(
    "/drivers/{id}/licences", summary="登记驾驶证 / enter a licence of a driver", status_code=201, response_model=VehiclePaperView,
    dependencies=[require(WRITE)], openapi_extra=body_of(DriverLicenceNew),
    responses={409: {"description": "已登记 · it is entered already"}},
)  # fmt: skip
async def enter_licence(request: Request, id: VehicleId) -> Response:
    """Once one is entered, the driver is sent only on days on which one holds, and with vehicles that its classes let him drive (`body` of the particulars)."""
    given, driver = await read_model(request, DriverLicenceNew), known(NO_DRIVER, id)
    return json_response(await _enter(request, given, driver=driver), 201)
