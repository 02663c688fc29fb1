"""/v1/driver-leaves: leave (请假) of drivers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.auth.access import require
from api.auth.scoped import scoped, written
from api.bodies import body_of, read_model
from api.cases.common import ItemId, actor_of
from api.drivers.common import Id
from api.drivers.schemas import LeaveDecided, LeavePage, LeaveView
from api.errors import known
from api.http import (
    DEFAULT_PAGE,
    Cursor,
    Limit,
    json_response,
    next_moment,
    read_moment,
    refuse_controls,
)
from office.dispatch.vehicles import taken_within
from office.drivers import leaves
from office.drivers.leave import LeaveAction, LeaveNew, LeaveRejection, LeaveState, LeaveStep
from office.drivers.leaves import DECIDE, DRIVE, KEEP
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["drivers"])
NO_LEAVE: Final = "没有这份请假单 · no such leave"
#: With any of these somebody reaches leave of his units, or his own; what he may do with it is asked step by step.
ANY: Final = (KEEP, DECIDE, DRIVE)
_BODIES: Final[dict[LeaveAction, type[LeaveStep] | type[LeaveRejection]]] = {
    LeaveAction.APPROVE: LeaveStep, LeaveAction.REJECT: LeaveRejection, LeaveAction.CANCEL: LeaveStep,
}  # fmt: skip
_NEEDS: Final = {LeaveAction.APPROVE: (DECIDE,), LeaveAction.REJECT: (DECIDE,), LeaveAction.CANCEL: ANY}
_SAID: Final = {
    LeaveAction.APPROVE: (
        "批准请假 / grant leave",
        "By another person than who asked for it, and never the driver himself. He is not sent while he is away; `dispatches` are those that have him then and need another driver.",
    ),
    LeaveAction.REJECT: ("不批准 / do not grant it", "With the reason."),
    LeaveAction.CANCEL: (
        "取消、销假 / cancel it, or end it",
        "By the driver, who keeps drivers, or who decides. Granted leave that has begun ends now.",
    ),
}
BODIES: Final[tuple[type[BaseModel], ...]] = (LeaveNew, LeaveStep, LeaveRejection)


@router.get("/driver-leaves", summary="请假单 / leave, what begins last first", response_model=LeavePage, dependencies=[require(*ANY)])  # fmt: skip
async def list_leaves(
    request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE, state: LeaveState | None = None, organisation: Id = None, driver: Id = None
) -> Response:  # fmt: skip
    """Of your units (`registry:write`, `drivers:decide`); drivers see their own. `organisation`: with the units below it."""
    refuse_controls(organisation, driver)
    after = read_moment("driver-leaves", cursor)
    async with scoped(request, *ANY, read_only=True) as connection:
        found = await leaves.list_leaves(
            connection, actor_of(request), state=state, organisation=organisation, driver=driver, limit=limit, after=after
        )  # fmt: skip
    following = next_moment("driver-leaves", found, limit, "from")
    return json_response({"items": found, "next": following})


@router.post(
    "/driver-leaves", summary="请假 / ask for leave", status_code=201, response_model=LeaveView, dependencies=[require(KEEP, DRIVE)],
    openapi_extra=body_of(LeaveNew), responses={404: {"description": "没有这名驾驶员，或不在您的范围内 · no such driver, or not yours"}},
)  # fmt: skip
async def ask(request: Request) -> Response:
    """By the driver himself, or by who keeps drivers for him. It keeps nobody from being sent until it is granted."""
    given, actor = await read_model(request, LeaveNew), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        return await leaves.show(connection, actor, await leaves.ask(connection, actor, given))

    return json_response(await written(request, ANY, work), 201)


@router.get("/driver-leaves/{id}", summary="一份请假单 / one leave", response_model=LeaveView, dependencies=[require(*ANY)])  # fmt: skip
async def get_leave(request: Request, id: ItemId) -> Response:
    """With its thread: who asked, who decided, why."""
    leave = known(NO_LEAVE, id)
    async with scoped(request, *ANY, read_only=True) as connection:
        return json_response(await leaves.show(connection, actor_of(request), leave))


def _path_of(what: LeaveAction) -> Callable[..., Awaitable[Response]]:
    model = _BODIES[what]

    async def take(request: Request, id: ItemId) -> Response:
        given, actor, leave = await read_model(request, model), actor_of(request), known(NO_LEAVE, id)

        async def work(connection: Connection) -> dict[str, Any]:
            await leaves.step(connection, actor, leave, what, given)
            found = await leaves.show(connection, actor, leave)
            taken = []
            if found["state"] == LeaveState.APPROVED:
                taken = await taken_within(connection, (), [found["driver"]], found["from"], found["to"])
            return found | {"dispatches": [each.number for each in taken]}

        return json_response(await written(request, ANY, work))

    take.__doc__ = _SAID[what][1]
    return take


for _what in _BODIES:
    router.post(
        f"/driver-leaves/{{id}}:{_what}", summary=_SAID[_what][0], response_model=LeaveDecided, dependencies=[require(*_NEEDS[_what])],
        openapi_extra=body_of(_BODIES[_what]), name=f"{_what}_leave",
        responses={409: {"description": "已有新的办理，或不能再办 · it has moved on, or this is not possible"}},
    )(_path_of(_what))  # fmt: skip
