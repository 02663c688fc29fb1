"""/v1/dispatches: dispatches (派车单): lists, one with its thread, new ones, and one path for each step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.bodies import body_of, read_model
from api.cases.common import ItemId, actor_of
from api.errors import Problem, known
from api.http import (
    DEFAULT_PAGE,
    Cursor,
    Limit,
    QueryTime,
    json_response,
    next_moment,
    read_moment,
    refuse_controls,
)
from api.trips.common import READS, database, write
from api.trips.requests import Id, taken
from api.trips.schemas import DispatchPlan, PoolPlan, TripDispatchPage, TripDispatchView, TripStepTaken
from office.dispatch import assigning, listing, pooling, sending, suggesting
from office.dispatch.asking import desk_of
from office.dispatch.contents import COMMANDS, DispatchEmergency, DispatchNew, DispatchSuggest
from office.dispatch.threads import DispatchThread
from office.requests.contents import Command
from office.requests.table import STATE_NAMES, STEP_NAMES, TABLE, Paper, TripAction, TripState

router = APIRouter(prefix="/v1", tags=["trips"])
NO_DISPATCH: Final = "没有这份派车单 · no such dispatch"


@router.get(
    "/dispatches", summary="派车单列表 / dispatches, the latest departure first", response_model=TripDispatchPage,
    dependencies=[require(*READS)],
)  # fmt: skip
async def list_dispatches(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    state: TripState | None = None,
    organisation: Id = None,
    vehicle: Id = None,
    driver: Id = None,
    mine: Annotated[bool, Query(description="only those that the caller drives")] = False,
    open: Annotated[bool, Query(description="whose vehicle is taken: assigned, out")] = False,
    listed: Annotated[bool, Query(description="督办清单: overdue for long")] = False,
    proposed: Annotated[bool, Query(description="the track shows what nobody has confirmed")] = False,
    late_change: Annotated[bool, Query(description="a change after the fact waits for an approver")] = False,
    planned_from: Annotated[QueryTime | None, Query(description="still on its way then, by plan")] = None,
    planned_to: Annotated[QueryTime | None, Query(description="planned departure before")] = None,
) -> Response:
    """What the caller may see: those that he drives, those of his requests, and all of a unit with `trips:read`, `trips:enter`, `trips:approve` or `trips:dispatch`."""
    refuse_controls(organisation, vehicle, driver)
    if planned_from is not None and planned_to is not None and planned_to <= planned_from:
        raise Problem(422, "invalid-parameter", "planned_to 须晚于 planned_from · must be after planned_from")
    after = read_moment("dispatches", cursor)
    asked = listing.DispatchFilter(
        state, organisation, vehicle, driver, mine, open, listed, proposed, late_change, planned_from, planned_to
    )  # fmt: skip
    async with database(request) as connection:
        found = await listing.list_dispatches(connection, actor_of(request), asked, limit, after)
    following = next_moment("dispatches", found, limit, "planned_departure")
    return json_response({"items": found, "next": following})


@router.post(
    "/dispatches", summary="派车 / assign a vehicle", status_code=201, response_model=TripDispatchView,
    dependencies=[require("trips:dispatch")], openapi_extra=body_of(DispatchNew),
)  # fmt: skip
async def assign(request: Request) -> Response:
    """To one request, or to several that agree to be pooled. 409 names the dispatch that has the vehicle or the driver then."""
    given, actor = await read_model(request, DispatchNew), actor_of(request)

    async def work(connection: Any) -> dict[str, Any]:
        made = await assigning.assign(await desk_of(connection, actor), actor, given)
        return await listing.show_dispatch(connection, actor, made.id)

    return json_response(await write(request, work), 201)


@router.post(
    "/dispatches:suggest", summary="批量派车建议 / a plan for several requests", response_model=DispatchPlan,
    dependencies=[require("trips:dispatch")], openapi_extra=body_of(DispatchSuggest),
)  # fmt: skip
async def suggest(request: Request) -> Response:
    """Which vehicle for which request, emergencies first, at the least cost together. Nothing is written: assign each with `POST /v1/dispatches`."""
    given = await read_model(request, DispatchSuggest)
    async with request.app.state.plan_turns, database(request) as connection:
        return json_response(
            await suggesting.suggest(
                connection, actor_of(request), given.requests, request.app.state.travel_times
            )
        )


@router.post(
    "/dispatches:pool", summary="合乘建议 / which requests could share a vehicle", response_model=PoolPlan,
    dependencies=[require("trips:dispatch")], openapi_extra=body_of(DispatchSuggest),
)  # fmt: skip
async def pool(request: Request) -> Response:
    """Pairs of the requests that agree to be pooled, with the way, the detour of each and what is saved, and the vehicle that suits both best. Nothing is written: send `assignment` to
    `POST /v1/dispatches`."""
    given = await read_model(request, DispatchSuggest)
    async with request.app.state.plan_turns, database(request) as connection:
        return json_response(
            await pooling.suggest_pools(
                connection, actor_of(request), given.requests, request.app.state.travel_times
            )
        )


@router.post(
    "/dispatches:emergency", summary="紧急派车 / a vehicle first, the paper after", status_code=201, response_model=TripDispatchView,
    dependencies=[require("trips:dispatch", "trips:drive")], openapi_extra=body_of(DispatchEmergency),
)  # fmt: skip
async def emergency(request: Request) -> Response:
    """The order counts at once, as an emergency. Its request is a draft that has to be completed and approved within `trips.backfill_wd` working days after the
    return."""
    given, actor = await read_model(request, DispatchEmergency), actor_of(request)

    async def work(connection: Any) -> dict[str, Any]:
        made = await assigning.emergency(await desk_of(connection, actor), actor, given)
        return await listing.show_dispatch(connection, actor, made.id)

    return json_response(await write(request, work), 201)


@router.get(
    "/dispatches/{id}",
    summary="一份派车单 / one dispatch",
    response_model=TripDispatchView,
    dependencies=[require(*READS)],
)
async def get_dispatch(request: Request, id: ItemId) -> Response:
    """With its requests, its thread, and what the caller may do now."""
    async with database(request) as connection:
        return json_response(
            await listing.show_dispatch(connection, actor_of(request), known(NO_DISPATCH, id))
        )


def _add(what: TripAction, model: type[Command]) -> None:
    rows = [row for row in TABLE if row.paper is Paper.DISPATCH and row.step is what and row.permissions]
    permissions = list(dict.fromkeys(each for row in rows for each in row.permissions))
    states = "、".join(f"{STATE_NAMES[s]} {s}" for s in TripState if any(s in row.sources for row in rows))
    effect = "；".join(row.effect for row in rows if row.effect)
    router.add_api_route(
        f"/dispatches/{{id}}:{what}", _endpoint(what, model), methods=["POST"], response_model=TripStepTaken,
        summary=f"{STEP_NAMES[what]} / {what}", dependencies=[require(*permissions)], openapi_extra=body_of(model),
        description=f"From: {states}. Permission: {' or '.join(permissions)}. {effect} `version` is that which you saw: 409 with the present"
        " `version` and `state` when the dispatch has moved on.",
    )  # fmt: skip


def _endpoint(what: TripAction, model: type[Command]) -> Callable[..., Awaitable[Response]]:
    async def take(request: Request, id: ItemId) -> Response:
        command, actor, dispatch_id = (
            await read_model(request, model),
            actor_of(request),
            known(NO_DISPATCH, id),
        )
        thread: DispatchThread = await write(
            request, lambda connection: sending.step(connection, actor, dispatch_id, what, command)
        )
        return json_response(taken(dispatch_id, thread.paper))

    return take


for _what, _model in COMMANDS.items():
    _add(_what, _model)
