"""/v1/cases: supervision orders (督办单): lists, one with its thread, drafts, and one path for each step."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BeforeValidator, WithJsonSchema

from api.auth.access import require
from api.bodies import IdempotencyKey, body_of, read_model
from api.cases.common import ItemId, actor_of, database, write
from api.cases.places import cursor_of, read_place
from api.cases.schemas import CaseCounts, CasePage, CaseView, Proposals, Sampled, StepTaken
from api.errors import Problem, known
from api.http import (
    DAY_PATTERN,
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    QueryTime,
    json_response,
    refuse_controls,
)
from office.identity.once import once
from office.supervision import commanding, listing, sampling
from office.supervision.contents import COMMANDS, CaseCommand, CaseContents, Finding, Source
from office.supervision.deadlines import Colour
from office.supervision.states import STATE_NAMES, STEP_NAMES, TABLE, Case, State, Step
from registry.values import parse_day

router = APIRouter(prefix="/v1", tags=["cases"])
NO_CASE: Final = "没有这份督办单 · no such case"

Id = Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)]
QueryDay = Annotated[
    date,
    BeforeValidator(parse_day),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DAY_PATTERN}),
]


def _filter(
    organisation: str | None, vehicle: str | None = None, alert: str | None = None, **others: Any
) -> listing.CaseFilter:
    refuse_controls(organisation, vehicle, alert)
    since, until = others.get("due_from"), others.get("due_to")
    if since is not None and until is not None and until < since:
        raise Problem(422, "invalid-parameter", "due_to 不得早于 due_from · not before due_from")
    first, last = others.get("created_from"), others.get("created_to")
    if first is not None and last is not None and last <= first:
        raise Problem(422, "invalid-parameter", "created_to 须晚于 created_from · must be after created_from")
    return listing.CaseFilter(organisation=organisation, vehicle=vehicle, alert=alert, **others)


@router.get(
    "/cases", summary="督办单列表 / cases, newest first", response_model=CasePage, dependencies=[require("cases:read")]
)  # fmt: skip
async def list_cases(
    request: Request,
    order: Annotated[
        listing.By, Query(description="drafted, end of the unit's term, or number; what has none comes last")
    ] = "created",
    direction: Literal["desc", "asc"] = "desc",
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    state: State | None = None,
    colour: Annotated[Colour | None, Query(description="how near the end of the unit's term is")] = None,
    source: Source | None = None,
    organisation: Id = None,
    vehicle: Id = None,
    alert: Id = None,
    due_from: QueryDay | None = None,
    due_to: QueryDay | None = None,
    finding: Finding | None = None,
    created_from: Annotated[QueryTime | None, Query(description="drafted at or after")] = None,
    created_to: Annotated[QueryTime | None, Query(description="drafted before")] = None,
    proposal: Annotated[
        Literal["cancel", "reopen"] | None,
        Query(
            description="an alert was withdrawn or changed, and nobody has decided; the office is told, others find none"
        ),
    ] = None,
) -> Response:
    """What the caller may see: of its own units, before the issue only those of the office; and those in which its units help, from
    the issue on. `organisation`: with the units below it. `next` is null on the last page; a cursor belongs to its order."""
    asked = _filter(
        organisation,
        vehicle,
        alert,
        state=state,
        colour=colour,
        source=source,
        finding=finding,
        proposal=proposal,
        due_from=due_from,
        due_to=due_to,
        created_from=created_from,
        created_to=created_to,
    )
    wanted = listing.Order(order, direction == "asc")
    after = read_place(wanted, cursor)
    async with database(request) as connection:
        found, following = await listing.list_cases(
            connection, actor_of(request), asked, limit=limit, order=wanted, after=after
        )
    return json_response({"items": found, "next": following and cursor_of(wanted, following)})


@router.get(
    "/cases/counts", summary="督办单计数 / numbers by state and colour", response_model=CaseCounts, dependencies=[require("cases:read")]
)  # fmt: skip
async def counts(request: Request, organisation: Id = None, source: Source | None = None) -> Response:
    """Of the cases that the caller may see."""
    asked = _filter(organisation, source=source)
    async with database(request) as connection:
        return json_response(await listing.count_cases(connection, actor_of(request), asked))


@router.get(
    "/cases/proposals", summary="建议合并立单 / alerts that make one case", response_model=Proposals, dependencies=[require("cases:draft")]
)  # fmt: skip
async def proposals(
    request: Request,
    since: Annotated[QueryDay, Query(alias="from")],
    until: Annotated[QueryDay, Query(alias="to", description="included")],
    organisation: Id = None,
) -> Response:
    """Suspected alerts that are in no open case and have no finding, bundled by vehicle and day; at most 200 bundles."""
    refuse_controls(organisation)
    if until < since:
        raise Problem(422, "invalid-parameter", "to 不得早于 from · not before from")
    async with database(request) as connection:
        found = await sampling.proposals(connection, actor_of(request), organisation, since, until)
    return json_response({"items": found})


@router.post(
    "/cases", summary="拟稿 / draft a case", status_code=201, response_model=CaseView, dependencies=[require("cases:draft")],
    openapi_extra=body_of(CaseContents),
)  # fmt: skip
async def draft(request: Request, key: IdempotencyKey = None) -> Response:
    """From alerts (one or many of a unit) the facts are filled in with their numbers, which stay beside the edited text. An
    alert is in one open case only: 409 names it."""
    contents, actor = await read_model(request, CaseContents), actor_of(request)

    async def work(connection: Any) -> dict[str, Any]:
        asked = contents.model_dump_json()
        id = await once(
            connection, "cases", key, asked, lambda: commanding.draft(connection, actor, contents)
        )
        return await listing.show_case(connection, actor, id)

    return json_response(await write(request, work), 201)


@router.post(
    "/cases:spot-check", summary="抽查 / draft cases for a random sample", status_code=201, response_model=Sampled,
    dependencies=[require("cases:draft")], openapi_extra=body_of(sampling.SpotCheck),
)  # fmt: skip
async def spot_check(request: Request) -> Response:
    """Of vehicles, or returned orders, without alerts. The same seed draws the same."""
    asked, actor = await read_model(request, sampling.SpotCheck), actor_of(request)
    seed = asked.seed or secrets.token_hex(8)
    answer = await write(request, lambda connection: sampling.spot_check(connection, actor, asked, seed))
    return json_response(answer, 201)


@router.get(
    "/cases/{id}",
    summary="一份督办单 / one case",
    response_model=CaseView,
    dependencies=[require("cases:read")],
)
async def get_case(request: Request, id: ItemId) -> Response:
    """With its thread, its terms, its files, and what the caller may do now."""
    async with database(request) as connection:
        return json_response(await listing.show_case(connection, actor_of(request), known(NO_CASE, id)))


def _add(what: Step, model: type[CaseCommand]) -> None:
    rows = [row for row in TABLE if row.step is what]
    permissions = list(dict.fromkeys(each for row in rows for each in row.permissions))
    states = "、".join(f"{STATE_NAMES[s]} {s}" for s in State if any(s in row.sources for row in rows))
    router.add_api_route(
        f"/cases/{{id}}:{what}", _endpoint(what, model), methods=["POST"], response_model=StepTaken,
        summary=f"{STEP_NAMES[what]} / {what}", dependencies=[require(*permissions)], openapi_extra=body_of(model),
        description=f"From: {states}. Permission: {' or '.join(permissions)}, in the unit of the case. `version` is that which"
        " you saw: 409 with the present `version` and `state` when the case has moved on.",
    )  # fmt: skip


def _endpoint(what: Step, model: type[CaseCommand]) -> Callable[..., Awaitable[Response]]:
    async def take(request: Request, id: ItemId) -> Response:
        command, actor, case_id = await read_model(request, model), actor_of(request), known(NO_CASE, id)
        case: Case = await write(
            request, lambda connection: commanding.step(connection, actor, case_id, what, command)
        )
        name = STATE_NAMES[case.state]
        return json_response(
            {
                "id": case_id,
                "version": case.version,
                "state": case.state,
                "state_name": name,
                "number": case.number,
            }
        )

    return take


for _what, _model in COMMANDS.items():
    _add(_what, _model)
