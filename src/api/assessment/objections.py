"""/v1/assessment-disputes: objections (异议) and what the office decided."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.assessment.joining import ItemId
from api.assessment.schemas import Dispute, DisputeDecide, DisputePage
from api.auth.access import require
from api.auth.scoped import scoped, subject_of, written
from api.bodies import body_of, read_model
from api.http import (
    DEFAULT_PAGE,
    Cursor,
    Limit,
    json_response,
    next_moment,
    read_moment,
)
from office.assessment import disputes
from office.assessment.deciding import DECIDE, READ
from office.supervision.closings import closers_of
from runtime.connection import Connection

router = APIRouter(prefix="/v1/assessment-disputes", tags=["assessments"])


@router.get(
    "",
    summary="异议列表 / objections, newest first",
    response_model=DisputePage,
    dependencies=[require(READ)],
)
async def list_disputes(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    state: Annotated[Literal["open", "decided"] | None, Query()] = None,
) -> Response:
    """Of the caller's units."""
    after = read_moment("assessment-disputes", cursor)
    open_only = None if state is None else state == "open"
    async with scoped(request, READ, read_only=True) as connection:
        found = await disputes.list_disputes(connection, open_only=open_only, limit=limit, after=after)
    following = next_moment("assessment-disputes", found, limit, "raised_at")
    return json_response({"items": found, "next": following})


@router.get("/{id}", summary="一项异议 / one objection", response_model=Dispute, dependencies=[require(READ)])
async def get_dispute(request: Request, id: ItemId) -> Response:
    """With what was decided."""
    async with scoped(request, READ, read_only=True) as connection:
        return json_response(await disputes.read_dispute(connection, id))


@router.post(
    "/{id}:decide", summary="决定异议 / decide on an objection", response_model=Dispute, dependencies=[require(DECIDE)],
    openapi_extra=body_of(DisputeDecide),
)  # fmt: skip
async def decide(request: Request, id: ItemId) -> Response:
    """By the office of a unit above, by another person than who closed the case. Upheld: the line costs nothing any more; where
    its sheet is closed, that is a correction in the next one. Of two who decide the second is told (409)."""
    body, subject = await read_model(request, DisputeDecide), subject_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        about = await disputes.about(connection, id)
        closers = frozenset() if about is None else await closers_of(connection, *about)
        return await disputes.decide(
            connection, subject, id, upheld=body.upheld, reason=body.reason, closers=closers
        )

    return json_response(await written(request, DECIDE, work))
