"""/v1/notices and /v1/publications: notices to units with receipts, and what is published of the records (公示); frozen, withdrawn, never removed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.audited import noted
from api.auth.scoped import scoped, written
from api.bodies import body_of, read_model
from api.cases.common import ItemId, actor_of
from api.documents.rendering import BINARY, PDF, REFUSED, XLSX, Inline, document, made, setter_of
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
from api.notices.schemas import NoticePage, NoticeReceipts, NoticeView
from office.costs.money import yuan
from office.dispatch.rental_rows import settled_rentals
from office.documents.papers import Letter
from office.documents.sheets import WorkSheet, render_sheets
from office.documents.vehicle import FileTable, VehicleFile, render_vehicle
from office.notices import notices
from office.notices.contents import (
    COLUMNS,
    PUBLISH,
    READS,
    NoticeKind,
    NoticeNew,
    NoticeReading,
    NoticeWithdrawal,
    PublicationNew,
    PublishedRow,
)
from office.vehicles.acts import completed_disposals
from registry.organisations import names_of, units_below
from runtime.connection import Connection
from runtime.units import CHINA, to_us

router = APIRouter(prefix="/v1", tags=["notices"])
NO_NOTICE: Final = "没有这份通知、公示 · no such notice"


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
        return json_response(await notices.show_notice(connection, actor_of(request), notice))


@router.post(
    "/notices", summary="发布通知 / publish a notice", status_code=201, response_model=NoticeView, dependencies=[require(PUBLISH)],
    openapi_extra=body_of(NoticeNew),
)  # fmt: skip
async def publish(request: Request) -> Response:
    """It is frozen as it is, with its hash. A text that names a secret vehicle is refused."""
    given, actor = await read_model(request, NoticeNew), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        return await notices.show_notice(connection, actor, await notices.publish(connection, actor, given))

    return json_response(await written(request, (PUBLISH, *READS), work), 201)


@router.post(
    "/publications", summary="发布公示 / publish records", status_code=201, response_model=NoticeView, dependencies=[require(PUBLISH)],
    openapi_extra=body_of(PublicationNew),
)  # fmt: skip
async def publish_records(request: Request) -> Response:
    """The rows are made of the records: disposals that were completed (处置公示), rentals that were settled (租赁公示), of the units and days that you name.
    Secret vehicles are none of them, whoever publishes."""
    given, actor = await read_model(request, PublicationNew), actor_of(request)

    async def work(connection: Connection) -> dict[str, Any]:
        rows = await _rows(connection, given)
        return await notices.show_notice(
            connection, actor, await notices.publish(connection, actor, given, rows)
        )

    return json_response(await written(request, (PUBLISH, *READS), work), 201)


async def _rows(connection: Connection, given: PublicationNew) -> list[PublishedRow]:
    units = await units_below(connection, given.units or [given.organisation])
    if given.kind == "disposals":
        done = await completed_disposals(connection, units, given.first, given.last)
        names = await names_of(connection, {row["organisation"] for row in done})
        return [
            PublishedRow(
                row["vehicle"],
                (names.get(row["organisation"], row["organisation"]), row["plate"], row["mode_name"], row["reason"], row["done_on"].isoformat(), yuan(row["proceeds_fen"])),
            )
            for row in done
        ]  # fmt: skip
    settled = await settled_rentals(connection, units, given.first, given.last)
    names = await names_of(connection, {row["organisation"] for row in settled})
    return [
        PublishedRow(
            row["vehicle"],
            (names.get(row["organisation"], row["organisation"]), row["number"], row["from"].isoformat(), row["to"].isoformat(), row["supplier"], row["plate"], yuan(row["amount_fen"])),
        )
        for row in settled
    ]  # fmt: skip


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
        return await notices.show_notice(connection, actor, notice)

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
        return await notices.show_notice(connection, actor, notice)

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


@router.get(
    "/notices/{id}/document", summary="通知、公示 PDF、XLSX / a notice as PDF or XLSX", response_class=Response, dependencies=[require(*READS)],
    responses={200: {"content": {PDF: BINARY, XLSX: BINARY}}, 400: REFUSED},
)  # fmt: skip
async def paper(
    request: Request, id: ItemId, format: Literal["pdf", "xlsx"] = "pdf", inline: Inline = False
) -> Response:
    """Made of what is frozen, with its SHA-256 on it."""
    notice, setter = known(NO_NOTICE, id), await setter_of(request)
    issuer, named = request.app.state.settings.document_issuer, list[str]()

    async def prepare() -> Callable[[], bytes]:
        async with scoped(request, *READS) as connection:
            found = await notices.show_notice(connection, actor_of(request), notice)
            units = await names_of(connection, [found["organisation"]])
            await noted(
                request, connection, READS[0], "document", notice, organisation=found["organisation"], detail={"kind": "notice", "format": format}
            )  # fmt: skip
        named.append(found["number"])
        notes = _notes(found)
        if format == "xlsx":
            columns = tuple((name, round(width * 12)) for name, width in COLUMNS[NoticeKind(found["kind"])])
            sheets = [WorkSheet(found["kind_name"], columns, found["table"])] if columns else []
            day = found["published_at"].astimezone(CHINA).date()
            return lambda: render_sheets(found["title"], issuer, day, notes, sheets)
        letter = Letter(issuer, found["number"], found["title"], found["published_at"])
        file = VehicleFile(
            letter,
            units.get(found["organisation"], found["organisation"]),
            found["body"] or found["title"],
            tuple(_facts(found)),
            _tables(found),
        )
        return lambda: render_vehicle(setter, file)

    body = await made(request.app.state.document_turns, prepare)
    return document(body, XLSX if format == "xlsx" else PDF, f"{named[0]}.{format}", inline=inline)


def _facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    published: datetime = found["published_at"]
    facts = [
        ("编号", found["number"]), ("发布", f"{published.astimezone(CHINA):%Y-%m-%d %H:%M} {found['published_by']}"),
        ("有效期至", "长期" if found["valid_to"] is None else found["valid_to"].isoformat()), ("SHA-256", found["sha256"]),
    ]  # fmt: skip
    if found["withdrawn_at"] is not None:
        facts.append(
            (
                "已撤回",
                f"{found['withdrawn_at'].astimezone(CHINA):%Y-%m-%d %H:%M}：{found['withdraw_reason']}",
            )
        )
    if found["kind"] != NoticeKind.NOTICE:
        facts.append(("说明", "涉密车辆不列入公示"))
    return facts


def _notes(found: dict[str, Any]) -> list[str]:
    return [found["body"], *(f"{name}：{value}" for name, value in _facts(found))]


def _tables(found: dict[str, Any]) -> tuple[FileTable, ...]:
    columns = COLUMNS[NoticeKind(found["kind"])]
    if not columns:
        return ()
    return (FileTable(found["kind_name"], columns, tuple(tuple(row) for row in found["table"])),)
