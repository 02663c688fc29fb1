"""/v1/assessment-tables: scoring tables (评分表) in versions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.assessment.joining import Unit, Year
from api.assessment.schemas import (
    TableDraft,
    TablePublish,
    TableVersionPage,
    TableVersions,
    TableWithContent,
)
from api.auth.access import require
from api.auth.scoped import scoped, subject_of, written
from api.bodies import body_of, read_model
from api.http import DEFAULT_PAGE, Cursor, Limit, json_response, make_cursor, read_cursor
from office.assessment import tables
from office.assessment.deciding import DECIDE, MANAGE, READ, no_such_unit, visible
from office.assessment.table import DEFAULT
from registry.organisations import organisation_exists, units_above
from runtime.connection import Connection

router = APIRouter(prefix="/v1/assessment-tables", tags=["assessments"])
_SHIPPED = DEFAULT.model_dump(mode="json")


@router.get(
    "", summary="评分表 / scoring tables", response_model=TableVersionPage, dependencies=[require(READ)]
)
async def list_tables(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """Published versions of the caller's units and of those above them, by unit, year and version; without their content."""
    place = read_cursor("assessment-tables", cursor, str, int, int)
    after: tuple[str, int, int] | None = None if place is None else (place[0], place[1], place[2])
    async with scoped(request, READ, read_only=True) as connection:
        found = await tables.list_tables(connection, limit=limit, after=after)
    following = None
    if len(found) == limit:
        last = found[-1]
        following = make_cursor("assessment-tables", last["organisation"], last["year"], last["version"])
    return json_response({"items": found, "next": following})


@router.get(
    "/{organisation}/{year:int}", summary="一年的评分表 / the versions of a year", response_model=TableVersions, dependencies=[require(READ)]
)  # fmt: skip
async def get_table(request: Request, organisation: Unit, year: Year) -> Response:
    """Of a unit of the caller or above it. The draft is shown to who may draft there. Nothing published: `items` is empty, and
    `shipped` is what sheets are computed by until then."""
    subject = subject_of(request)
    async with scoped(request, READ, read_only=True) as connection:
        # Row-level security lets the caller see its units and the names of those above them.
        if not await organisation_exists(connection, organisation):
            raise no_such_unit(organisation)
        drafts = bool(subject.hats([MANAGE], await units_above(connection, organisation)))
        found = await tables.versions_at(connection, organisation, year, drafts=drafts)
    return json_response({"items": found, "shipped": _SHIPPED})


@router.put(
    "/{organisation}/{year:int}", summary="写评分表草稿 / write the draft", response_model=TableWithContent, dependencies=[require(MANAGE)],
    openapi_extra=body_of(TableDraft),
)  # fmt: skip
async def put_draft(request: Request, organisation: Unit, year: Year) -> Response:
    """Makes the draft, or replaces it. 409 with the present `revision` when somebody else has changed it. The table is for the
    units below; whoever wrote a part of it cannot publish it."""
    body, subject = await read_model(request, TableDraft), subject_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        await visible(connection, subject, organisation, MANAGE)
        return await tables.put_draft(connection, subject, organisation, year, body.revision, body.table)

    return json_response(await written(request, MANAGE, work))


@router.post(
    "/{organisation}/{year:int}:publish", summary="发布评分表 / publish the draft", response_model=TableWithContent,
    dependencies=[require(DECIDE)], openapi_extra=body_of(TablePublish),
)  # fmt: skip
async def publish(request: Request, organisation: Unit, year: Year) -> Response:
    """By another person than who wrote it. From then on it never changes: a change is a new version from a later day, and never
    for a day of a sheet that is closed (409)."""
    body, subject = await read_model(request, TablePublish), subject_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        await visible(connection, subject, organisation, DECIDE)
        return await tables.publish(connection, subject, organisation, year, body.revision, body.valid_from)

    return json_response(await written(request, DECIDE, work))
