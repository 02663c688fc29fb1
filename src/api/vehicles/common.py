"""What these operations share: who reaches what, and uploads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import Path, Query, Request
from fastapi.responses import Response

from api.documents.rendering import FRAMED, PDF
from api.errors import Problem, not_found
from api.http import MAX_ID, PLAIN, read_body
from api.places import take_place
from office.supervision.papers import MAX_BYTES, read_paper
from office.vehicles.documents import Upload
from runtime.connection import Connection

VehicleId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
NO_VEHICLE: Final = "没有这辆车 · no such vehicle"
NO_DRIVER: Final = "没有这名驾驶员 · no such driver"
READ: Final = "registry:read"
WRITE: Final = "registry:write"
FileName = Annotated[
    str, Query(min_length=1, max_length=200, json_schema_extra=PLAIN, description="file name")
]
BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
#: ``openapi_extra`` of an upload.
UPLOAD: Final = {"requestBody": {"required": True, "content": {"application/octet-stream": BINARY}}}
#: Files that are looked at and stored at the same time: each is in memory twice.
_running = asyncio.Semaphore(4)


async def unit_of_vehicle(connection: Connection, vehicle: str) -> str:
    """The unit of a vehicle within reach. Raises Problem 404."""
    unit: str | None = await connection.fetchval("SELECT organisation FROM vehicles WHERE id = $1", vehicle)
    if unit is None:
        raise not_found(NO_VEHICLE, vehicle)
    return unit


async def unit_of_driver(connection: Connection, driver: str) -> str:
    """The unit of a driver within reach. Raises Problem 404."""
    unit: str | None = await connection.fetchval("SELECT organisation FROM drivers WHERE id = $1", driver)
    if unit is None:
        raise not_found(NO_DRIVER, driver)
    return unit


async def uploaded(
    request: Request, name: str, store: Callable[[Upload], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """What ``store`` answers for the file in the body. Raises Problem for a name that is none, PaperError for a file that is not taken."""
    if not name.isprintable() or "/" in name or "\\" in name or not name.strip():
        raise Problem(422, "invalid-parameter", "文件名无效 · not a file name")
    data = await read_body(request, MAX_BYTES)
    await take_place(_running, 5, "上传过多，请稍后重试 · too many uploads; try again")
    try:
        paper = await asyncio.to_thread(read_paper, data, name.strip())
        return await store(Upload(name.strip(), paper.media_type, paper.body, data))
    finally:
        _running.release()


def as_file(found: dict[str, Any], *, inline: bool) -> Response:
    """A stored file, to be saved. ``inline``: a PDF that our own pages show in a frame."""
    shown = inline and found["media_type"] == PDF
    return Response(
        found["body"],
        media_type=found["media_type"],
        headers={
            "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(found['name'], safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": FRAMED if shown else "sandbox; default-src 'none'",
            "ETag": f'"{found["sha256"]}"',
        },
    )
