"""GET /v1/evaluations: what was judged, with which outcome and why; and what waits."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.alerts.asked import RuleCode
from api.answers import JudgedPage, WaitsPage
from api.auth.access import require
from api.auth.scoped import scoped
from api.errors import Problem
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    QueryTime,
    json_response,
    make_cursor,
    next_moment,
    read_cursor,
    refuse_controls,
)
from rules.alerts.evaluations import EvaluationFilter, list_evaluations, list_waiting
from runtime.units import to_us

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"], dependencies=[require("alerts:read")])


@router.get("", summary="判定记录 / judgements, whatever their outcome", response_model=JudgedPage)
async def evaluations(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    rule: RuleCode | None = None,
    subject: Annotated[
        str | None,
        Query(max_length=300, json_schema_extra=PLAIN, description="as in an evaluation, e.g. `order:PC-17`"),
    ] = None,
    vehicle: Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)] = None,
    outcome: Literal["normal", "suspected", "undetermined"] | None = None,
    since: Annotated[QueryTime | None, Query(alias="from", description="judged at or after")] = None,
    until: Annotated[QueryTime | None, Query(alias="to", description="judged before")] = None,
) -> Response:
    """Why something was raised, or was not: outcome (正常 `normal`, 疑似 `suspected`, 不可判 `undetermined`), reason (Chinese;
    `reason_en` English, `reason_code` for programs), numbers and the parameters used, the newest first. Of one subject the
    newest is the one that holds; older ones are kept, for a year or more (see "What grows" in docs/operations.md).
    """
    if since is not None and until is not None and until <= since:
        raise Problem(422, "invalid-parameter", "to 须晚于 from · to must be after from")
    refuse_controls(subject, vehicle)
    wanted = EvaluationFilter(
        rule,
        subject,
        vehicle,
        outcome,
        None if since is None else to_us(since),
        None if until is None else to_us(until),
    )
    place = read_cursor("evaluations", cursor, int, int)
    async with scoped(request, "alerts:read", read_only=True) as connection:
        found = await list_evaluations(
            connection, wanted, limit=limit, before=(place[0], place[1]) if place else None
        )
    following = next_moment("evaluations", found, limit, "evaluated_at")
    return json_response({"items": found, "next": following})


@router.get(
    "/waiting", summary="等待事实的判定 / what could not be judged yet, and why", response_model=WaitsPage
)
async def waiting(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """What waits for a track, a route, the end of a month: `kind` and `key` of the subject, `waits_for`, and when it is
    looked at again (`due_at`)."""
    place = read_cursor("waiting", cursor, str, str)
    async with scoped(request, "alerts:read", read_only=True) as connection:
        found = await list_waiting(connection, limit=limit, after=(place[0], place[1]) if place else None)
    following = make_cursor("waiting", found[-1]["kind"], found[-1]["key"]) if len(found) == limit else None
    return json_response({"items": found, "next": following})
