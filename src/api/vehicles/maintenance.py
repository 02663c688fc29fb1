"""/v1/maintenance: maintenance of vehicles (维修): lists, one with its thread, reports, and one path for each step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped, written
from api.bodies import body_of, read_model
from api.cases.common import ItemId, actor_of
from api.errors import known
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    json_response,
    next_moment,
    read_moment,
    refuse_controls,
)
from api.uploads import UPLOAD, FileName
from api.vehicles.common import WRITE, kept
from api.vehicles.schemas import MaintenancePage, MaintenanceStepTaken, MaintenanceView, VehicleDocument
from office.supervision.actors import Actor
from office.vehicles import repair_listing, repairs
from office.vehicles.contents import COMMANDS, MaintenanceNew, RepairCommand
from office.vehicles.documents import Upload, documents_of, keep_at_repair
from office.vehicles.repair_threads import RepairThread
from office.vehicles.steps import STATE_NAMES, STEP_NAMES, TABLE, RepairAction, RepairState
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["vehicles"])
NO_REPAIR: Final = "没有这张维修单 · no such maintenance"
#: With any of these somebody reaches what is of his units; what he may do with it is asked step by step.
ANY: Final = ("registry:read", "registry:write", "maintenance:approve")
READS: Final = ("registry:read", "maintenance:approve")
Id = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]


async def _view(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    found = await repair_listing.show_repair(connection, actor, id)
    return found | {"documents": await documents_of(connection, maintenance=id)}


@router.get("/maintenance", summary="维修单列表 / maintenance, the newest report first", response_model=MaintenancePage, dependencies=[require(*READS)])  # fmt: skip
async def list_maintenance(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    state: RepairState | None = None,
    organisation: Id = None,
    vehicle: Id = None,
    open: Annotated[bool, Query(description="neither accepted nor cancelled")] = False,
) -> Response:
    """`organisation`: with the units below it. Those that wait for the caller: `state=pending`, `state=more`."""
    refuse_controls(organisation, vehicle)
    after = read_moment("maintenance", cursor)
    async with scoped(request, *READS, read_only=True) as connection:
        found = await repair_listing.list_repairs(
            connection, state=state, organisation=organisation, vehicle=vehicle, open=open, limit=limit, after=after
        )  # fmt: skip
    following = next_moment("maintenance", found, limit, "reported_at")
    return json_response({"items": found, "next": following})


@router.post(
    "/maintenance", summary="报修 / report a vehicle for maintenance", status_code=201, response_model=MaintenanceView, dependencies=[require(WRITE)],
    openapi_extra=body_of(MaintenanceNew),
)  # fmt: skip
async def report(request: Request) -> Response:
    """Takes a number without gaps, `修〔2026〕单位-000001号`."""
    given, actor = await read_model(request, MaintenanceNew), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        made = await repairs.report(connection, actor, given)
        return await _view(connection, actor, made.id)

    return json_response(await written(request, WRITE, work), 201)


@router.get(
    "/maintenance/{id}", summary="一张维修单 / one maintenance", response_model=MaintenanceView, dependencies=[require(*READS)]
)  # fmt: skip
async def get_maintenance(request: Request, id: ItemId) -> Response:
    """With its quotes, its thread, its files, and what the caller may do now."""
    repair = known(NO_REPAIR, id)
    async with scoped(request, *READS, read_only=True) as connection:
        return json_response(await _view(connection, actor_of(request), repair))


@router.post(
    "/maintenance/{id}/documents", summary="上传维修照片、单据 / attach a file to a maintenance", status_code=201, response_model=VehicleDocument,
    dependencies=[require(WRITE, "maintenance:approve")], openapi_extra=UPLOAD,
)  # fmt: skip
async def attach(request: Request, id: ItemId, name: FileName) -> Response:
    """The body is the file itself, as at `POST /v1/vehicle-papers/{id}/documents`. Fits every version; an acceptance needs two pictures."""
    actor, repair = actor_of(request), known(NO_REPAIR, id)

    async def store(file: Upload) -> dict[str, Any]:
        return await written(request, ANY, lambda connection: keep_at_repair(connection, actor, repair, file))

    return json_response(await kept(request, name, store), 201)


def _add(what: RepairAction, model: type[RepairCommand]) -> None:
    rows = [row for row in TABLE if row.step is what]
    permissions = list(dict.fromkeys(each for row in rows for each in row.permissions))
    states = "、".join(f"{STATE_NAMES[s]} {s}" for s in RepairState if any(s in row.sources for row in rows))
    effect = "；".join(row.effect for row in rows if row.effect)
    router.add_api_route(
        f"/maintenance/{{id}}:{what}", _endpoint(what, model), methods=["POST"], response_model=MaintenanceStepTaken,
        summary=f"{STEP_NAMES[what]} / {what}", dependencies=[require(*permissions)], openapi_extra=body_of(model),
        description=f"From: {states}. Permission: {' or '.join(permissions)}. {effect} `version` is that which you saw: 409 with the present"
        " `version` and `state` when it has moved on.",
        responses={409: {"description": "现在的状态不能这样办理，或已有新版本 · not in its state of now, or it has moved on"}},
    )  # fmt: skip


def _endpoint(what: RepairAction, model: type[RepairCommand]) -> Callable[..., Awaitable[Response]]:
    async def take(request: Request, id: ItemId) -> Response:
        command, actor, repair = await read_model(request, model), actor_of(request), known(NO_REPAIR, id)
        thread: RepairThread = await written(
            request, ANY, lambda connection: repairs.step(connection, actor, repair, what, command)
        )
        paper = thread.paper
        return json_response(
            {
                "id": repair,
                "version": paper.version,
                "state": paper.state,
                "state_name": STATE_NAMES[paper.state],
                "number": paper.number,
            }
        )

    return take


for _what, _model in COMMANDS.items():
    _add(_what, _model)
