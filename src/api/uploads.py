"""Files that people hand in as the body of a request, and how one that is kept is given out again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Query, Request
from fastapi.responses import Response

from api.documents.rendering import BINARY, FRAMED, PDF
from api.errors import Problem
from api.http import PLAIN, read_body
from api.places import take_place
from office.supervision.papers import MAX_BYTES, Paper, read_paper

FileName = Annotated[
    str, Query(min_length=1, max_length=200, json_schema_extra=PLAIN, description="file name")
]
#: ``openapi_extra`` of an upload.
UPLOAD: Final = {"requestBody": {"required": True, "content": {"application/octet-stream": BINARY}}}
#: Files that are looked at and stored at the same time: each is in memory twice.
_running = asyncio.Semaphore(4)


@asynccontextmanager
async def uploaded(request: Request, name: str) -> AsyncIterator[tuple[Paper, bytes]]:
    """The file in the body as it is kept, and its bytes as they came; within, it has one of a few places. Raises Problem for a name that is none,
    PaperError for a file that is not taken."""
    if not name.isprintable() or "/" in name or "\\" in name or not name.strip():
        raise Problem(422, "invalid-parameter", "文件名无效 · not a file name")
    data = await read_body(request, MAX_BYTES)
    await take_place(_running, 5, "上传过多，请稍后重试 · too many uploads; try again")
    try:
        yield await asyncio.to_thread(read_paper, data, name.strip()), data
    finally:
        _running.release()


def as_file(name: str, media_type: str, sha256: str, body: bytes, *, inline: bool) -> Response:
    """A stored file, to be saved. ``inline``: a PDF that our own pages show in a frame."""
    shown = inline and media_type == PDF
    return Response(
        body,
        media_type=media_type,
        headers={
            "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": FRAMED if shown else "sandbox; default-src 'none'",
            "ETag": f'"{sha256}"',
        },
    )
