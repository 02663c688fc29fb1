"""/v1/trip-requests: requests for a vehicle (申请单): lists, one with its thread, drafts, and one path for each step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.bodies import IdempotencyKey, body_of, read_model
from api.cases.common import ItemId, actor_of
from api.errors import Problem, known
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    QueryTime,
    json_response,
    next_moment,
    read_moment,
    refuse_controls,
)
from api.trips.common import READS, database, write
from api.trips.schemas import (
    BackfillCounts,
    Candidates,
    TripCounts,
    TripRequestPage,
    TripRequestView,
    TripStepTaken,
)
from office.dispatch import asking, listing, suggesting
from office.dispatch.threads import RequestThread
from office.identity.once import once
from office.requests.contents import COMMANDS, Command, RequestContents
from office.requests.table import STATE_NAMES, STEP_NAMES, TABLE, Paper, TripAction, TripState
from registry.spelling import normal_plate

router = APIRouter(prefix="/v1", tags=["trips"])
NO_REQUEST: Final = "没有这份申请 · no such request"
Id = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]


@router.get(
    "/trip-requests", summary="用车申请列表 / requests, newest first", response_model=TripRequestPage,
    dependencies=[require(*READS)],
)  # fmt: skip
async def list_requests(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    state: TripState | None = None,
    organisation: Id = None,
    kind: Literal["normal", "emergency", "backfill"] | None = None,
    mine: Annotated[bool, Query(description="only one's own")] = False,
    to_decide: Annotated[bool, Query(description="待我审批: only those that wait for the caller")] = False,
    late: Annotated[bool, Query(description="逾期补单: whose paper was not there in time")] = False,
    planned_from: Annotated[QueryTime | None, Query(description="planned departure at or after")] = None,
    planned_to: Annotated[QueryTime | None, Query(description="planned departure before")] = None,
    series: Annotated[
        str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN, description="of this series")
    ] = None,
) -> Response:
    """What the caller may see: his own, and all of a unit with `trips:read`, `trips:enter`, `trips:approve` or `trips:dispatch` there. `organisation`: with the
    units below it."""
    refuse_controls(organisation, series)
    after = read_moment("trip-requests", cursor)
    asked = listing.RequestFilter(
        state, organisation, kind, mine, to_decide, late, planned_from, planned_to, series
    )  # fmt: skip
    async with database(request) as connection:
        found = await listing.list_requests(connection, actor_of(request), asked, limit, after)
    following = next_moment("trip-requests", found, limit, "created_at")
    return json_response({"items": found, "next": following})


@router.get(
    "/trip-requests/counts", summary="待办计数 / what waits", response_model=TripCounts, dependencies=[require(*READS)]
)  # fmt: skip
async def counts(request: Request) -> Response:
    """Each number is that of the list with the same filter, 1,000 at most."""
    async with database(request) as connection:
        return json_response(await listing.counts(connection, actor_of(request)))


@router.get(
    "/trip-requests/backfills", summary="补单率 / papers after the drive, by unit and approver", response_model=BackfillCounts,
    dependencies=[require("trips:read")],
)  # fmt: skip
async def backfills(
    request: Request,
    since: Annotated[QueryTime, Query(alias="from")],
    until: Annotated[QueryTime, Query(alias="to")],
    organisation: Id = None,
) -> Response:
    """Of requests begun within [from, to): how many came after the drive, late, rejected, and how many alerts they withdrew."""
    refuse_controls(organisation)
    if until <= since:
        raise Problem(422, "invalid-parameter", "to 须晚于 from · must be after from")
    async with database(request) as connection:
        found = await listing.backfills(connection, actor_of(request), organisation, since, until)
    return json_response({"items": found})


@router.post(
    "/trip-requests", summary="填写申请 / a new request, a draft", status_code=201, response_model=TripRequestView,
    dependencies=[require("trips:apply", "trips:enter")], openapi_extra=body_of(RequestContents),
)  # fmt: skip
async def create(request: Request, key: IdempotencyKey = None) -> Response:
    """A draft; `:submit` hands it in. For somebody else (`applicant`, `applicant_name`) with `trips:enter`."""
    contents, actor = await read_model(request, RequestContents), actor_of(request)

    async def work(connection: Any) -> dict[str, Any]:
        asked = contents.model_dump_json()
        id = await once(
            connection, "trip-requests", key, asked, lambda: asking.create(connection, actor, contents)
        )
        return await listing.show_request(connection, actor, id)

    return json_response(await write(request, work), 201)


@router.get(
    "/trip-requests/{id}",
    summary="一份申请 / one request",
    response_model=TripRequestView,
    dependencies=[require(*READS)],
)
async def get_request(request: Request, id: ItemId) -> Response:
    """With its chain, its dispatches, its thread, and what the caller may do now."""
    async with database(request) as connection:
        return json_response(await listing.show_request(connection, actor_of(request), known(NO_REQUEST, id)))


@router.get(
    "/trip-requests/{id}/candidates", summary="可派车辆，按费用排序 / vehicles for a request, the best first", response_model=Candidates,
    dependencies=[require("trips:dispatch")],
)  # fmt: skip
async def candidates(
    request: Request,
    id: ItemId,
    plate: Annotated[str | None, Query(max_length=16, json_schema_extra=PLAIN)] = None,
) -> Response:
    """The best five with what each costs, term by term, and the next three with what is in their way. `plate`: a part of it; then up to 50 of each, with their ranks among all."""
    refuse_controls(plate)
    part = normal_plate(plate) if plate else None
    async with request.app.state.plan_turns, database(request) as connection:
        found = await suggesting.candidates(
            connection, actor_of(request), known(NO_REQUEST, id), part or None, request.app.state.travel_times
        )
    return json_response(found)


def _add(what: TripAction, model: type[Command]) -> None:
    rows = [row for row in TABLE if row.paper is Paper.REQUEST and row.step is what and row.permissions]
    permissions = list(dict.fromkeys(each for row in rows for each in row.permissions))
    states = "、".join(f"{STATE_NAMES[s]} {s}" for s in TripState if any(s in row.sources for row in rows))
    effect = "；".join(row.effect for row in rows if row.effect)
    router.add_api_route(
        f"/trip-requests/{{id}}:{what}", _endpoint(what, model), methods=["POST"], response_model=TripStepTaken,
        summary=f"{STEP_NAMES[what]} / {what}", dependencies=[require(*permissions)], openapi_extra=body_of(model),
        description=f"From: {states}. Permission: {' or '.join(permissions)}. {effect} `version` is that which you saw: 409 with the present"
        " `version` and `state` when the request has moved on.",
    )  # fmt: skip


def taken(id: str, paper: Any) -> dict[str, Any]:
    """Where a paper is now."""
    return {
        "id": id,
        "version": paper.version,
        "state": paper.state,
        "state_name": STATE_NAMES[paper.state],
        "number": paper.number,
    }


def _endpoint(what: TripAction, model: type[Command]) -> Callable[..., Awaitable[Response]]:
    async def take(request: Request, id: ItemId) -> Response:
        command, actor, request_id = (
            await read_model(request, model),
            actor_of(request),
            known(NO_REQUEST, id),
        )
        thread: RequestThread = await write(
            request, lambda connection: asking.step(connection, actor, request_id, what, command)
        )
        return json_response(taken(request_id, thread.paper))

    return take


for _what, _model in COMMANDS.items():
    _add(_what, _model)
