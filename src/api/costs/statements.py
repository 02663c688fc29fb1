"""/v1/statements: what units pay to platforms for a month (结算单); /v1/trip-costs: what each trip costs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from api.auth.access import require
from api.bodies import body_of, read_model
from api.cases.common import actor_of
from api.costs.common import Id, ItemId, database, sources, write
from api.costs.schemas import StatementLinePage, StatementPage, StatementsDrawn, StatementView, TripCost
from api.errors import Problem, known
from api.http import DEFAULT_PAGE, Cursor, Limit, json_response, make_cursor, read_cursor, refuse_controls
from office.costs import prices, statements
from office.costs.drawing import draw
from office.costs.entry import PERIOD_PATTERN, Period
from office.costs.statement import (  # fmt: skip
    READ,
    SETTLE,
    STATEMENT_STATES,
    STATEMENT_STEPS,
    TABLE,
    StatementState,
    StatementStep,
)
from office.costs.trip import TripFactsEntry
from registry.values import Identifier
from runtime.connection import Connection

router = APIRouter(prefix="/v1", tags=["costs"])
NO_STATEMENT: Final = "没有这份结算单 · no such statement"
NO_TRIP: Final = "没有这张派车单 · no such dispatch"


class StatementOrder(BaseModel):
    """Which statements are to be drawn. ``organisation``: of this unit only."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    platform: Identifier
    period: Period = Field(description="月份 yyyymm，须已结束")
    organisation: Identifier | None = None


@router.get(
    "/statements", summary="结算单列表 / statements, the newest month first", response_model=StatementPage, dependencies=[require(READ)]
)  # fmt: skip
async def list_statements(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    organisation: Id = None,
    platform: Id = None,
    period: Annotated[str | None, Query(pattern=PERIOD_PATTERN, description="月份 yyyymm")] = None,
    state: StatementState | None = None,
) -> Response:
    """Of your units, as the one that used the vehicles or as the platform. `organisation`: with the units below it."""
    refuse_controls(organisation, platform)
    place = read_cursor("statements", cursor, str, str)
    after = None if place is None else (str(place[0]), str(place[1]))
    asked = statements.StatementFilter(organisation, platform, period, state)
    async with database(request, READ) as connection:
        found = await statements.list_statements(connection, actor_of(request), asked, limit, after)
    following = None
    if len(found) == limit:
        following = make_cursor("statements", found[-1]["period"], found[-1]["id"])
    return json_response({"items": found, "next": following})


@router.post(
    "/statements", summary="出具结算单 / draw the statements of a month", response_model=StatementsDrawn,
    dependencies=[require(SETTLE)], openapi_extra=body_of(StatementOrder),
)  # fmt: skip
async def draw_statements(request: Request) -> Response:
    """One for each unit with confirmed requests whose trips returned before the month's end (midnight in China); the requests become settled, prices are frozen.
    All or nothing. A unit that has its statement gets no second one; `left_out`: what has no price yet, with the reason, comes into a later statement."""
    given, actor = await read_model(request, StatementOrder), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        return await draw(
            connection, actor, sources(connection), given.platform, given.period, given.organisation
        )

    return json_response(await write(request, work))


@router.get(
    "/trip-costs/{id}", summary="一次用车的费用 / what a trip costs", response_model=TripCost, dependencies=[require(READ)]
)  # fmt: skip
async def get_trip(request: Request, id: ItemId) -> Response:
    """`id`: a dispatch that has returned. Odometer and track are both shown, and which of them counts."""
    async with database(request, READ) as connection:
        return json_response(await prices.show_trip(connection, sources(connection), known(NO_TRIP, id)))


@router.put(
    "/trip-costs/{id}", summary="填写结算要素 / say what no record says of a trip", response_model=TripCost,
    dependencies=[require(SETTLE)], openapi_extra=body_of(TripFactsEntry),
)  # fmt: skip
async def set_trip(request: Request, id: ItemId) -> Response:
    """How long it waited, nights, a product, a distance with the reason; instead of what was said before. Not once a statement has it (409)."""
    given, actor, dispatch = await read_model(request, TripFactsEntry), actor_of(request), known(NO_TRIP, id)

    async def work(connection: Connection) -> dict[str, Any]:
        return await prices.set_facts(connection, actor, sources(connection), dispatch, given)

    return json_response(await write(request, work))


@router.get(
    "/statements/{id}", summary="一份结算单 / one statement", response_model=StatementView, dependencies=[require(READ)]
)  # fmt: skip
async def get_statement(request: Request, id: ItemId) -> Response:
    """With its totals, the sum in words, its thread, and what the caller may do now."""
    async with database(request, READ) as connection:
        return json_response(await statements.show(connection, actor_of(request), known(NO_STATEMENT, id)))


@router.get(
    "/statements/{id}/lines", summary="结算单明细 / lines of a statement", response_model=StatementLinePage, dependencies=[require(READ)]
)  # fmt: skip
async def get_lines(
    request: Request, id: ItemId, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE
) -> Response:
    """In their order. Lines of secret vehicles are left out for who is not cleared; `lines` of the statement counts them."""
    place = read_cursor("statement-lines", cursor, int)
    if place is not None and not 0 <= place[0] < 2**62:
        raise Problem(
            400, "bad-cursor", "cursor 无效，请从第一页重新开始 · not a cursor of ours; begin again"
        )
    async with database(request, READ) as connection:
        found = await statements.list_lines(
            connection, known(NO_STATEMENT, id), limit, None if place is None else place[0]
        )
    following = make_cursor("statement-lines", found[-1]["no"]) if len(found) == limit else None
    return json_response({"items": found, "next": following})


def _add(what: StatementStep, model: type[statements.StatementCommand]) -> None:
    line = next(line for line in TABLE if line.step is what)
    states = "、".join(f"{STATEMENT_STATES[s]} {s}" for s in StatementState if s in line.sources)
    side = "unit that used the vehicles" if line.side == "unit" else "platform"
    router.add_api_route(
        f"/statements/{{id}}:{what}", _endpoint(what, model), methods=["POST"], response_model=StatementView,
        summary=f"{STATEMENT_STEPS[what]} / {what}", dependencies=[require(line.permission)], openapi_extra=body_of(model),
        description=f"From: {states}. Permission: {line.permission} in the {side}. `version` is that which you saw: 409 when the statement has moved on.",
    )  # fmt: skip


def _endpoint(
    what: StatementStep, model: type[statements.StatementCommand]
) -> Callable[..., Awaitable[Response]]:
    async def take(request: Request, id: ItemId) -> Response:
        command, actor, statement = (
            await read_model(request, model),
            actor_of(request),
            known(NO_STATEMENT, id),
        )

        async def work(connection: Connection) -> dict[str, Any]:
            return await statements.step(connection, actor, sources(connection), statement, what, command)

        return json_response(await write(request, work))

    return take


for _what, _model in statements.STEP_BODIES.items():
    _add(_what, _model)
