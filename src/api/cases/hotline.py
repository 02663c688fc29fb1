"""/v1/complaints: complaints of the hotline 12345."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from api.auth.access import require
from api.auth.audited import noted
from api.auth.scoped import scoped
from api.bodies import body_of, read_model
from api.cases.common import ItemId, actor_of, database, write
from api.cases.schemas import CallerShown, ComplaintPage, ComplaintsImported, ComplaintView
from api.errors import Problem, known
from api.http import (
    DEFAULT_PAGE,
    Cursor,
    Limit,
    json_response,
    media_type,
    next_moment,
    read_body,
    read_moment,
)
from office.identity.audit import MOST_PURPOSE
from office.identity.subject import Kind
from office.supervision import complaints
from office.supervision.callers import load_key
from office.supervision.complaint_files import MAX_ROWS, import_complaints
from office.supervision.complaints import Complaint
from office.supervision.contents import Reason

router = APIRouter(prefix="/v1", tags=["complaints"])
_NONE: Final = "没有这件诉求 · no such complaint"
_MOST_BYTES: Final = 4 << 20
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_TYPES: Final = frozenset({"text/csv", "application/csv", "text/plain", _XLSX, "application/vnd.ms-excel", "application/octet-stream"})  # fmt: skip


class CallerReason(BaseModel):
    """Why the caller's data are needed. It is kept with your name."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reason: Reason


@router.post(
    "/complaints", summary="登记诉求 / take a complaint", status_code=201, response_model=ComplaintView,
    dependencies=[require("cases:draft", "complaints:write")], openapi_extra=body_of(Complaint),
)  # fmt: skip
async def take(request: Request) -> Response:
    """By a clerk, or by the hotline's own program with a token of the scope `complaints:write`. A ticket that is there already: 409.
    A plate that does not exist is kept, and near ones are named. Caller's data need a key (docs/supervision.md)."""
    form, actor = await read_model(request, Complaint), actor_of(request)
    key = None if form.caller is None else load_key(request.app.state.settings)
    channel: complaints.Channel = "form" if actor.subject.kind is Kind.USER else "webhook"

    async def work(connection: Any) -> dict[str, Any]:
        id = await complaints.take_in(connection, actor, form, channel, key)
        return await complaints.told(connection, actor, id)

    return json_response(await write(request, work, "cases:draft", "complaints:write"), 201)


@router.post(
    "/complaints:import", summary="批量登记诉求 / take a file of complaints", response_model=ComplaintsImported,
    dependencies=[require("cases:draft")],
    openapi_extra={"requestBody": {"required": True, "content": {
        "text/csv": {"schema": {"type": "string"}}, _XLSX: {"schema": {"type": "string", "format": "binary"}},
    }}},
    description=f"CSV (UTF-8, GBK) or XLSX of at most {MAX_ROWS} rows. Columns: 工单号, 类别, 受理时间, 诉求内容, 车牌号, 地点, 发生时间, 单位,"
    " 来电人, 联系电话. Good rows are written, each bad row is told with its number; a ticket that is there already is counted as"
    " repeated.",
)  # fmt: skip
async def take_file(request: Request) -> Response:
    content_type, charset = media_type(request)
    if content_type not in _TYPES:
        raise Problem(415, "content-type", f"内容类型应为下列之一 · send one of: {', '.join(sorted(_TYPES))}")
    data, actor, settings = (
        await read_body(request, _MOST_BYTES),
        actor_of(request),
        request.app.state.settings,
    )
    async with scoped(request, "cases:draft") as connection:  # a row that is refused takes no other with it
        report = await import_complaints(connection, actor, data, charset, lambda: load_key(settings))
    return json_response(report)


@router.get(
    "/complaints", summary="诉求列表 / complaints, newest first", response_model=ComplaintPage, dependencies=[require("cases:draft")]
)  # fmt: skip
async def list_complaints(request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE) -> Response:
    """Those of your units, without callers."""
    after = read_moment("complaints", cursor)
    async with database(request) as connection:
        found = await complaints.list_complaints(connection, actor_of(request), limit=limit, after=after)
    following = next_moment("complaints", found, limit, "received_at")
    return json_response({"items": found, "next": following})


@router.get(
    "/complaints/{id}", summary="一件诉求 / one complaint", response_model=ComplaintView, dependencies=[require("cases:draft")]
)  # fmt: skip
async def get_complaint(request: Request, id: ItemId) -> Response:
    """With the orders and alerts of the car within two hours of the time that it names, and where its track is."""
    async with database(request) as connection:
        return json_response(await complaints.get_complaint(connection, actor_of(request), known(_NONE, id)))


@router.post(
    "/complaints/{id}:reveal-caller", summary="查看来电人 / who called", response_model=CallerShown,
    dependencies=[require("cases:draft")], openapi_extra=body_of(CallerReason),
)  # fmt: skip
async def reveal(request: Request, id: ItemId) -> Response:
    """Only with a reason, which is kept with your name, the time and your address."""
    why, actor = await read_model(request, CallerReason), actor_of(request)
    settings = request.app.state.settings
    request.state.purpose = why.reason[:MOST_PURPOSE]

    async def work(connection: Any) -> dict[str, Any]:
        complaint = known(_NONE, id)
        caller = await complaints.reveal_caller(
            connection, actor, complaint, why.reason, lambda: load_key(settings)
        )
        await noted(request, connection, "cases:draft", "complaint-callers", complaint)
        return caller

    return json_response(await write(request, work), headers={"Cache-Control": "no-store"})
