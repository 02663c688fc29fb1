"""Documents are made beside the event loop, a few at a time, and answered with their hash."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import Query, Request
from fastapi.responses import Response

from api.errors import Problem, unavailable
from api.places import take_place
from office.documents.typesetting import Typesetter, typesetter
from runtime.errors import ConfigurationError

#: Documents that are made at the same time, how long one waits for its turn, and how long it may take, in seconds.
AT_ONCE: Final = 2
WAIT_S: Final = 10.0
LIMIT_S: Final = 30.0
PDF: Final = "application/pdf"
#: The policy of a PDF that is shown: a browser opens none in a sandbox.
FRAMED: Final = "frame-ancestors 'self'"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SVG: Final = "image/svg+xml"
#: Of an operation that answers with a file.
REFUSED: Final = {"description": "请求头不能读 · a header that cannot be read"}
BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
#: How a caller asks for a PDF.
Inline = Annotated[
    bool,
    Query(
        description="在页面中显示，而不是下载 / to be shown in a page of ours instead of saved; of a PDF alone"
    ),
]
_logger = logging.getLogger("gongche.api")


async def made(turns: asyncio.Semaphore, prepare: Callable[[], Awaitable[Callable[[], bytes]]]) -> bytes:
    """What the function that ``prepare`` returns makes, in a thread. ``turns``: of the application, AT_ONCE of them. ``prepare`` reads what is needed; who waits for his turn
    has read nothing yet, and holds nothing. Raises Problem 503 when there is too much of it, or it takes too long."""
    await take_place(turns, WAIT_S, "文书生成繁忙，请稍后重试 · too many documents at once; try again")
    try:
        running = asyncio.ensure_future(asyncio.to_thread(await prepare()))
    except BaseException:
        turns.release()
        raise
    # A thread cannot be ended: its place is free when it is done, not when its caller has gone.
    running.add_done_callback(lambda ended: _ended(turns, ended))
    try:
        async with asyncio.timeout(LIMIT_S):
            return await asyncio.shield(running)
    except TimeoutError:
        raise unavailable("文书生成超时，请稍后重试 · the document took too long; try again") from None


def _ended(turns: asyncio.Semaphore, running: asyncio.Future[bytes]) -> None:
    turns.release()
    if not running.cancelled():
        running.exception()  # whoever asked may have gone: then nobody else looks at it


async def setter_of(request: Request) -> Typesetter:
    """What sets documents here, with the fonts of the office. Raises Problem 503 while its folder cannot be used."""
    try:
        return await asyncio.to_thread(typesetter, request.app.state.settings.document_fonts)
    except ConfigurationError as error:
        # Where the folder is stands in the log, for those who can mend it.
        _logger.exception("%s (%s)", error, error.hint)
        raise unavailable(
            "文书字体目录不可用，请告知系统管理员 · the folder of fonts cannot be used; tell the administrator"
        ) from None


def document(body: bytes, media_type: str, name: str, *, inline: bool = False) -> Response:
    """An answer that is a file: a browser runs nothing of it. ``inline``: a PDF that our own pages show in a frame; no other site
    may, and its type is the one that is named, whatever its bytes look like."""
    shown = inline and media_type == PDF
    policy = FRAMED if shown else "default-src 'none'; sandbox"
    kind = "inline" if shown or media_type == SVG else "attachment"
    return Response(
        body,
        media_type=media_type,
        headers={
            "Content-Disposition": f"{kind}; filename*=UTF-8''{quote(name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": policy,
            "Cache-Control": "private, no-cache",
            "ETag": f'"{hashlib.sha256(body).hexdigest()}"',
        },
    )


def not_yet(why: str) -> Problem:
    """409: the case is not where this document makes sense. ``why``: Chinese, then English."""
    return Problem(409, "no-such-document-yet", why)
