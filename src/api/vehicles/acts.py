"""/v1/vehicle-acts, /v1/vehicle-transfers, /v1/vehicle-disposals: vehicles go to another unit (调拨), or come to their end (处置)."""

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
from api.vehicles.act_schemas import VehicleActPage, VehicleActView
from api.vehicles.common import READ, WRITE
from office.vehicles import acts
from office.vehicles.act_steps import (
    AGREE,
    APPROVE,
    COMMANDS,
    STATE_NAMES,
    STEP_NAMES,
    TABLE,
    ActCommand,
    ActKind,
    ActState,
    ActStep,
    DisposalNew,
    TransferNew,
    permissions_of,
)
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["vehicles"])
NO_ACT: Final = "没有这张调拨、处置单 · no such act"
#: With any of these somebody reaches what is of his units; what he may do with it is asked step by step.
ANY: Final = (READ, WRITE, AGREE, APPROVE)
READS: Final = (READ, AGREE, APPROVE)
Id = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]


@router.get(
    "/vehicle-acts", summary="调拨、处置清单 / transfers and disposals, the newest first", response_model=VehicleActPage, dependencies=[require(*READS)]
)  # fmt: skip
async def list_acts(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    kind: ActKind | None = None,
    state: ActState | None = None,
    organisation: Id = None,
    vehicle: Id = None,
    open: Annotated[bool, Query(description="neither done, refused nor withdrawn")] = False,
) -> Response:
    """`organisation`: from it or to it, with the units below it. The receiving unit sees a transfer when the other has agreed."""
    refuse_controls(organisation, vehicle)
    after = read_moment("vehicle-acts", cursor)
    async with scoped(request, *READS, read_only=True) as connection:
        found = await acts.list_acts(
            connection, kind=kind, state=state, organisation=organisation, vehicle=vehicle, open=open, limit=limit, after=after
        )  # fmt: skip
    following = next_moment("vehicle-acts", found, limit, "asked_at")
    return json_response({"items": found, "next": following})


@router.get(
    "/vehicle-acts/{id}", summary="一张调拨、处置单 / one transfer or disposal", response_model=VehicleActView, dependencies=[require(*READS)]
)  # fmt: skip
async def get_act(request: Request, id: ItemId) -> Response:
    """With its thread, and what the caller may do now."""
    act = known(NO_ACT, id)
    async with scoped(request, *READS, read_only=True) as connection:
        return json_response(await acts.show_act(connection, actor_of(request), act))


async def _asked(request: Request, model: type[TransferNew] | type[DisposalNew]) -> Response:
    given, actor = await read_model(request, model), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        made = await acts.ask(connection, actor, given)
        return await acts.show_act(connection, actor, made.id)

    return json_response(await written(request, WRITE, work), 201)


@router.post(
    "/vehicle-transfers", summary="申请调拨 / ask that a vehicle goes to another unit", status_code=201, response_model=VehicleActView,
    dependencies=[require(WRITE)], openapi_extra=body_of(TransferNew), responses={409: {"description": "已有办理中的 · one is open already"}},
)  # fmt: skip
async def transfer(request: Request) -> Response:
    """The unit's head agrees, then the receiving unit's, then the office approves with its paper and the first day; the receiving unit takes it over. Until
    then, and for all that was before, the vehicle is whose it was."""
    return await _asked(request, TransferNew)


@router.post(
    "/vehicle-disposals", summary="申请处置 / ask that a vehicle is disposed of", status_code=201, response_model=VehicleActView,
    dependencies=[require(WRITE)], openapi_extra=body_of(DisposalNew), responses={409: {"description": "已有办理中的 · one is open already"}},
)  # fmt: skip
async def dispose(request: Request) -> Response:
    """The unit's head agrees, the office approves, and the unit completes it with the paper of the deregistration: from the next day on it is no official
    vehicle, its terminal is free, and fuel cards that are still bound to its plate are named."""
    return await _asked(request, DisposalNew)


def _add(what: ActStep, model: type[ActCommand]) -> None:
    permissions = permissions_of(what)
    states = "、".join(
        f"{STATE_NAMES[s]} {s}" for s in ActState if any((row.state, row.step) == (s, what) for row in TABLE)
    )
    router.add_api_route(
        f"/vehicle-acts/{{id}}:{what}", _endpoint(what, model), methods=["POST"], response_model=VehicleActView,
        summary=f"{STEP_NAMES[what]} / {what}", dependencies=[require(*permissions)], openapi_extra=body_of(model),
        description=f"From: {states}. Permission: {' or '.join(permissions)}. `version` is that which you saw: 409 with the present `version` and `state`"
        " when it has moved on.",
        responses={409: {"description": "现在的状态不能这样办理，或已有新版本 · not in its state of now, or it has moved on"}},
    )  # fmt: skip


def _endpoint(what: ActStep, model: type[ActCommand]) -> Callable[..., Awaitable[Response]]:
    async def take(request: Request, id: ItemId) -> Response:
        command, actor, act = await read_model(request, model), actor_of(request), known(NO_ACT, id)

        async def work(connection: Connection) -> dict[str, Any]:
            await acts.step(connection, actor, act, what, command)
            return await acts.show_act(connection, actor, act)

        return json_response(await written(request, ANY, work))

    return take


for _what, _model in COMMANDS.items():
    _add(_what, _model)
