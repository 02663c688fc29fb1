"""/v1/notices: notices to units with receipts, and publications as they are read; frozen, withdrawn, never removed."""

from __future__ import annotations

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
    Cursor,
    Limit,
    json_response,
    make_cursor,
    next_moment,
    read_moment,
)
from api.notices.papers import router as papers
from api.notices.publications import router as publications
from api.notices.reading import NO_NOTICE, shown
from api.notices.schemas import NoticePage, NoticeReceipts, NoticeView
from office.notices import notices
from office.notices.contents import (
    PUBLISH,
    READS,
    NoticeKind,
    NoticeNew,
    NoticeReading,
    NoticeWithdrawal,
)
from runtime.connection import Connection
from runtime.units import to_us

router = APIRouter(prefix="/v1", tags=["notices"])


@router.get(
    "/notices", summary="通知和公示 / notices for you, the newest first", response_model=NoticePage, dependencies=[require(*READS)]
)  # fmt: skip
async def list_notices(
    request: Request,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    kind: NoticeKind | None = None,
    current: Annotated[bool, Query(description="neither withdrawn nor ended")] = False,
    unread: bool = False,
) -> Response:
    """Those for your units and your roles, and those that you may publish for."""
    after = read_moment("notices", cursor)
    async with scoped(request, *READS, read_only=True) as connection:
        found = await notices.list_notices(
            connection, actor_of(request), kind=kind, current=current, unread=unread, limit=limit, after=after
        )
    following = next_moment("notices", found, limit, "published_at")
    return json_response({"items": found, "next": following})


@router.get(
    "/notices/{id}", summary="一份通知、公示 / one notice", response_model=NoticeView, dependencies=[require(*READS)]
)  # fmt: skip
async def get_notice(request: Request, id: ItemId) -> Response:
    """That you have read it you say with `:read`."""
    notice = known(NO_NOTICE, id)
    async with scoped(request, *READS, read_only=True) as connection:
        return json_response(await shown(connection, actor_of(request), notice))


@router.post(
    "/notices", summary="发布通知 / publish a notice", status_code=201, response_model=NoticeView, dependencies=[require(PUBLISH)],
    openapi_extra=body_of(NoticeNew),
)  # fmt: skip
async def publish(request: Request) -> Response:
    """It is frozen as it is, with its hash. A text that names a secret vehicle is refused."""
    given, actor = await read_model(request, NoticeNew), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        return await shown(connection, actor, await notices.publish(connection, actor, given))

    return json_response(await written(request, (PUBLISH, *READS), work), 201)


@router.post(
    "/notices/{id}:withdraw", summary="撤回 / withdraw a notice", response_model=NoticeView, dependencies=[require(PUBLISH)],
    openapi_extra=body_of(NoticeWithdrawal), responses={409: {"description": "已撤回 · it is withdrawn already"}},
)  # fmt: skip
async def withdraw(request: Request, id: ItemId) -> Response:
    """It stays to be read, with who withdrew it and why."""
    given, actor, notice = (
        await read_model(request, NoticeWithdrawal),
        actor_of(request),
        known(NO_NOTICE, id),
    )

    async def work(connection: Connection) -> dict[str, Any]:
        await notices.withdraw(connection, actor, notice, given.reason)
        return await shown(connection, actor, notice)

    return json_response(await written(request, (PUBLISH, *READS), work))


@router.post(
    "/notices/{id}:read", summary="已读、回执 / you have read it", response_model=NoticeView, dependencies=[require(*READS)],
    openapi_extra=body_of(NoticeReading),
)  # fmt: skip
async def read(request: Request, id: ItemId) -> Response:
    """The first time counts; `confirm` is the receipt (回执)."""
    given, actor, notice = await read_model(request, NoticeReading), actor_of(request), known(NO_NOTICE, id)

    async def work(connection: Connection) -> dict[str, Any]:
        await notices.note_reading(connection, actor, notice, given)
        return await shown(connection, actor, notice)

    return json_response(await written(request, READS, work))


@router.get(
    "/notices/{id}/receipts", summary="已读和回执 / who has read a notice", response_model=NoticeReceipts, dependencies=[require(*READS)]
)  # fmt: skip
async def receipts(
    request: Request, id: ItemId, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE
) -> Response:
    """Of your units: who, when, and for which unit; and the units of which nobody has."""
    notice, actor = known(NO_NOTICE, id), actor_of(request)
    after = read_moment("notice-receipts", cursor)
    async with scoped(request, *READS, read_only=True) as connection:
        found = await notices.list_receipts(connection, actor, notice, limit=limit, after=after)
        missing = [] if after else await notices.missing_units(connection, actor, notice)
    following = None
    if len(found) == limit:
        following = make_cursor("notice-receipts", to_us(found[-1]["read_at"]), found[-1]["person"])
    return json_response({"items": found, "missing": missing, "next": following})


ROUTERS: Final = (router, publications, papers)
