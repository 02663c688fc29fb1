"""/v1/cases/{id}/attachments: files at a case."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.cases.common import ItemId, actor_of, database, write
from api.cases.endpoints import NO_CASE
from api.cases.schemas import CaseAttachmentWritten
from api.documents.rendering import FRAMED, PDF, Inline
from api.errors import Problem, known
from api.http import PLAIN, json_response, read_body
from api.places import take_place
from office.supervision.attachments import attach, read_file
from office.supervision.papers import ENDINGS, MAX_BYTES, read_paper

router = APIRouter(prefix="/v1", tags=["cases"])
#: Files that are looked at and stored at the same time: each is in memory twice.
_AT_ONCE: Final = 4
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_running = asyncio.Semaphore(_AT_ONCE)


@router.post(
    "/cases/{id}/attachments", summary="上传附件 / attach a file", status_code=201, response_model=CaseAttachmentWritten,
    dependencies=[require("cases:draft", "cases:issue", "cases:close", "cases:reply", "cases:sign")],
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}},
)  # fmt: skip
async def upload(
    request: Request,
    id: ItemId,
    name: Annotated[
        str, Query(min_length=1, max_length=200, json_schema_extra=PLAIN, description="file name")
    ],
) -> Response:
    """The body is the file itself: PDF, JPEG, PNG, DOCX, XLSX or plain text, at most 20 MiB, whatever content type is named.
    Its type is found by its content and the name must fit. EXIF and other remarks are removed from pictures: `sha256` is of
    what is kept. Fits every version of the case."""
    if not name.isprintable() or "/" in name or "\\" in name or not name.strip():
        raise Problem(422, "invalid-parameter", "文件名无效 · not a file name")
    case, actor, data = known(NO_CASE, id), actor_of(request), await read_body(request, MAX_BYTES)
    await take_place(_running, 5, "上传过多，请稍后重试 · too many uploads; try again")
    try:
        paper = await asyncio.to_thread(read_paper, data, name.strip())

        async def work(connection: Any) -> dict[str, Any]:
            return await attach(connection, actor, case, name.strip(), paper, data)

        return json_response(await write(request, work), 201)
    finally:
        _running.release()


@router.get(
    "/cases/{id}/attachments/{attachment}", summary="下载附件 / a file of a case", response_class=Response,
    dependencies=[require("cases:read")], responses={200: {"content": dict.fromkeys(ENDINGS, _BINARY)}},
)  # fmt: skip
async def download(request: Request, id: ItemId, attachment: ItemId, inline: Inline = False) -> Response:
    """The file, to be saved. ``inline`` is for a PDF alone, as the server found it by its content: the browser's own viewer, which keeps
    apart what such a file brings along, shows it in a frame of ours. Everything else a browser does not open within our pages.
    """
    async with database(request) as connection:
        found = await read_file(
            connection,
            actor_of(request),
            known(NO_CASE, id),
            known("没有这个附件 · no such attachment", attachment),
        )
    shown = inline and found.media_type == PDF
    return Response(
        found.body,
        media_type=found.media_type,
        headers={
            "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(found.name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": FRAMED if shown else "sandbox; default-src 'none'",
            "ETag": f'"{found.sha256}"',
        },
    )
