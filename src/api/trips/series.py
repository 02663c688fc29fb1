"""/v1/trip-series: reservations in series (系列预约): asked for, decided on and sent a vehicle at once; each trip is a request of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.auth.access import require
from api.bodies import IdempotencyKey, body_of, read_model
from api.cases.common import ItemId, actor_of
from api.errors import known, problem_of
from api.http import json_response
from api.trips.common import READS, database, write
from office.dispatch import series
from office.dispatch.papers import Told
from office.identity.once import once
from office.requests.series import (
    SeriesMember,
    TripSeriesApprove,
    TripSeriesAssign,
    TripSeriesNew,
    TripSeriesReason,
)
from office.requests.table import STATE_NAMES, TripState
from office.supervision.actors import Actor
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["trips"])
NO_SERIES: Final = "没有这个系列 · no such series"
BODIES: Final[tuple[type[BaseModel], ...]] = (
    TripSeriesNew,
    TripSeriesApprove,
    TripSeriesReason,
    TripSeriesAssign,
)
_FAULT: Final = 500


class TripClash(BaseModel):
    """Another request of the same applicant that overlaps."""

    id: str
    number: str | None
    state: TripState
    state_name: str
    planned_departure: datetime
    planned_return: datetime


class TripOfSeries(BaseModel):
    """A trip that a series would have."""

    no: int
    planned_departure: datetime
    planned_return: datetime
    clashes: list[TripClash]


class SeriesSkippedDay(BaseModel):
    """A day of the rhythm without a trip, and why: the festival, or that nobody needs it."""

    day: date
    why: str


class TripSeriesPreview(BaseModel):
    """What a series would be."""

    trips: list[TripOfSeries]
    skipped: list[SeriesSkippedDay]


class TripSeriesRequest(TripOfSeries):
    """A request of a series as it is now: `/v1/trip-requests/{id}` has all of it."""

    id: str
    number: str | None
    state: TripState
    state_name: str
    version: int


class TripSeriesView(BaseModel):
    """A series with its requests."""

    id: str
    organisation: str
    created_at: datetime
    created_by: str
    rhythm: Literal["daily", "weekly"]
    every: int
    weekdays: list[int]
    until: date
    holidays: Literal["skip", "keep"]
    skipped: list[SeriesSkippedDay]
    members: list[TripSeriesRequest]


class TripSeriesRefusal(BaseModel):
    """Why a request was left as it was; `type` as in a problem."""

    type: str
    detail: str


class TripSeriesResult(BaseModel):
    """What became of one request. `refused` null: it was done; `dispatch`: of an assignment."""

    id: str
    state: TripState | None
    state_name: str | None
    version: int | None
    dispatch: str | None
    refused: TripSeriesRefusal | None


class TripSeriesResults(BaseModel):
    """In the order in which they were named; `done`: how many were."""

    done: int
    items: list[TripSeriesResult]


@router.post(
    "/trip-series:preview", summary="预览系列预约 / the trips that a series would have", response_model=TripSeriesPreview,
    dependencies=[require("trips:apply", "trips:enter")], openapi_extra=body_of(TripSeriesNew),
)  # fmt: skip
async def preview(request: Request) -> Response:
    """With the days that are left out, and what else the applicant has asked for at the time. Nothing is written."""
    given = await read_model(request, TripSeriesNew)
    async with database(request) as connection:
        return json_response(await series.preview(connection, actor_of(request), given))


@router.post(
    "/trip-series", summary="系列预约 / a series of requests", status_code=201, response_model=TripSeriesView,
    dependencies=[require("trips:apply", "trips:enter")], openapi_extra=body_of(TripSeriesNew),
)  # fmt: skip
async def create(request: Request, key: IdempotencyKey = None) -> Response:
    """All of its requests, or none: what is wrong with one is told with its day. Who decides is told once. `hand_in` false: drafts, to be edited one by one and handed in with
    `:submit`."""
    given, actor = await read_model(request, TripSeriesNew), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        id = await once(connection, "trip-series", key, given.model_dump_json(), lambda: series.create(connection, actor, given))  # fmt: skip
        return await series.show(connection, actor, id)

    return json_response(await write(request, work), 201)


@router.get(
    "/trip-series/{id}", summary="一个系列 / one series", response_model=TripSeriesView, dependencies=[require(*READS)]
)  # fmt: skip
async def get_series(request: Request, id: ItemId) -> Response:
    """Its requests as they are now."""
    async with database(request) as connection:
        return json_response(await series.show(connection, actor_of(request), known(NO_SERIES, id)))


def _add(
    what: str, model: type[TripSeriesApprove] | type[TripSeriesReason], name: str, *permissions: str
) -> None:
    async def take(request: Request, id: ItemId) -> Response:
        given, actor = await read_model(request, model), actor_of(request)
        words = given.reason if isinstance(given, TripSeriesReason) else given.note

        async def one(connection: Connection, member: SeriesMember, told: set[Told]) -> dict[str, Any]:
            thread = await series.step(connection, actor, member, what, words, told)
            return {"state": thread.paper.state, "version": thread.paper.version, "dispatch": None}

        return await _each(request, actor, known(NO_SERIES, id), given.members, one)

    router.add_api_route(
        f"/trip-series/{{id}}:{what}", take, methods=["POST"], response_model=TripSeriesResults, summary=f"系列{name} / {what} of many", dependencies=[require(*permissions)],
        openapi_extra=body_of(model),
        description=f"Each request that is named, by itself, with the `version` that you saw; one that is refused is told with its reason and the others go on. Permission: {' or '.join(permissions)}.",
    )  # fmt: skip


for _what, _model, _name, _permissions in (
    ("submit", TripSeriesApprove, "提交", ("trips:apply", "trips:enter")),
    ("approve", TripSeriesApprove, "批准", ("trips:approve",)),
    ("reject", TripSeriesReason, "驳回", ("trips:approve",)),
    ("stop", TripSeriesReason, "撤回、取消", ("trips:apply", "trips:enter")),
):
    _add(_what, _model, _name, *_permissions)


@router.post(
    "/trip-series/{id}:assign", summary="系列派车 / a vehicle for many of a series", response_model=TripSeriesResults, dependencies=[require("trips:dispatch")],
    openapi_extra=body_of(TripSeriesAssign),
)  # fmt: skip
async def assign(request: Request, id: ItemId) -> Response:
    """A dispatch for each request that is named. Where the vehicle or the driver is taken, off duty or not fit, the request goes on waiting, and `refused` names what is in the
    way."""
    given, actor = await read_model(request, TripSeriesAssign), actor_of(request)

    async def one(connection: Connection, member: SeriesMember, told: set[Told]) -> dict[str, Any]:
        made = await series.send(connection, actor, member, given, told)
        return {"state": TripState.ASSIGNED, "version": member.version + 1, "dispatch": made.id}

    return await _each(request, actor, known(NO_SERIES, id), given.members, one)


async def _each(
    request: Request, actor: Actor, id: str, members: Sequence[SeriesMember],
    one: Callable[[Connection, SeriesMember, set[Told]], Awaitable[dict[str, Any]]],
) -> Response:  # fmt: skip
    """A transaction for each: one that fails takes no other with it. Nobody is told twice."""
    async with database(request) as connection:
        await series.refuse_strangers(connection, actor, id, members)
    items: list[dict[str, Any]] = []
    told: set[Told] = set()
    for member in members:
        found, told = await _tried(request, member, one, told)
        items.append(found)
    return json_response({"done": sum(each["refused"] is None for each in items), "items": items})


async def _tried(
    request: Request, member: SeriesMember, one: Callable[[Connection, SeriesMember, set[Told]], Awaitable[dict[str, Any]]], told: set[Told]
) -> tuple[dict[str, Any], set[Told]]:  # fmt: skip
    """What became of one, and who has been told after it."""
    nothing = {"id": member.id, "state": None, "state_name": None, "version": None, "dispatch": None, "refused": None}  # fmt: skip

    async def work(connection: Connection) -> tuple[dict[str, Any], set[Told]]:
        now = set(told)  # a transaction that is begun again has told nobody
        return await one(connection, member, now), now

    try:
        done, after = await write(request, work)
    except Exception as error:  # a refusal is told, a fault ends it
        problem = problem_of(error)
        if problem.status_code >= _FAULT:
            raise
        why = {"type": f"urn:gongche:problem:{problem.code}", "detail": problem.detail}
        return nothing | {"refused": why}, told
    return nothing | done | {"state_name": STATE_NAMES[TripState(done["state"])]}, after
