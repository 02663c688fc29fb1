"""/v1/cases/{id}/attachments: files at a case."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.auth.access import require
from api.cases.common import ItemId, actor_of, database, write
from api.cases.endpoints import NO_CASE
from api.cases.schemas import CaseAttachmentWritten
from api.documents.rendering import BINARY, Inline
from api.errors import known
from api.http import json_response
from api.uploads import UPLOAD, FileName, as_file, uploaded
from office.supervision.attachments import attach, read_file
from office.supervision.papers import ENDINGS

router = APIRouter(prefix="/v1", tags=["cases"])


@router.post(
    "/cases/{id}/attachments", summary="上传附件 / attach a file", status_code=201, response_model=CaseAttachmentWritten,
    dependencies=[require("cases:draft", "cases:issue", "cases:close", "cases:reply", "cases:sign")],
    openapi_extra=UPLOAD,
)  # fmt: skip
async def upload(request: Request, id: ItemId, name: FileName) -> Response:
    """The body is the file itself: PDF, JPEG, PNG, DOCX, XLSX or plain text, at most 20 MiB, whatever content type is named.
    Its type is found by its content and the name must fit. EXIF and other remarks are removed from pictures: `sha256` is of
    what is kept. Fits every version of the case."""
    case, actor = known(NO_CASE, id), actor_of(request)
    async with uploaded(request, name) as (paper, data):

        async def work(connection: Any) -> dict[str, Any]:
            return await attach(connection, actor, case, name.strip(), paper, data)

        return json_response(await write(request, work), 201)


@router.get(
    "/cases/{id}/attachments/{attachment}", summary="下载附件 / a file of a case", response_class=Response,
    dependencies=[require("cases:read")], responses={200: {"content": dict.fromkeys(ENDINGS, BINARY)}},
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
    return as_file(found.name, found.media_type, found.sha256, found.body, inline=inline)
