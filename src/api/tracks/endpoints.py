"""GET /v1/vehicles/{id}/track."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from api.auth.access import require
from api.auth.audited import noted, stated_purpose
from api.auth.scoped import scoped
from api.errors import Problem, known, not_found
from api.http import QueryTime, rfc3339
from api.tracks.formats import WRITERS, TrackWriter, choose
from api.tracks.pages import JumpFinder, Page
from registry.terminals import spans_of_vehicle
from runtime.units import to_us
from telemetry.archive.read import PositionReader, Track

router = APIRouter(tags=["tracks"])
_NONE: Final = "没有这辆车 · no such vehicle"

#: Longest range of one request, and rows fetched at once.
MAX_RANGE: Final = timedelta(days=31)
PAGE_ROWS: Final = 5_000


@router.get(
    "/v1/vehicles/{id}/track",
    summary="车辆轨迹 / what a vehicle drove",
    dependencies=[require("tracks:read"), stated_purpose("tracks:read")],
    response_class=Response,
    responses={
        200: {
            "content": {
                writer.media_type: {"schema": {"type": "object" if "json" in writer.media_type else "string"}}
                for writer in WRITERS
            }
        }
    },
)
async def track(
    request: Request,
    id: Annotated[str, Path(max_length=64)],
    since: Annotated[
        QueryTime,
        Query(alias="from", description="RFC 3339, included", examples=["2026-03-02T00:00:00+08:00"]),
    ],
    until: Annotated[QueryTime, Query(alias="to", description="RFC 3339, excluded; at most 31 days later")],
) -> Response:
    """Every position of the terminals that sat in the vehicle at that time, by device time, in the format
    that `Accept` asks for. Invalid fixes are there too, flagged with why; only valid ones count as
    evidence.
    """
    kind = choose(request.headers.get("accept", ""))
    if kind is None:
        ours = ", ".join(writer.media_type for writer in WRITERS)
        raise Problem(406, "not-acceptable", f"可用格式 · available: {ours}")
    if until <= since:
        raise Problem(422, "invalid-parameter", "to 须晚于 from · to must be after from")
    if until - since > MAX_RANGE:
        raise Problem(422, "range-too-long", "时间范围至多 31 天 · at most 31 days at once")
    known(_NONE, id)
    about = {"vehicle": id, "from": rfc3339(since), "to": rfc3339(until)}
    async with scoped(request, "tracks:read") as connection:
        found = await spans_of_vehicle(connection, id, since, until)
        if found is not None:
            await noted(request, connection, "tracks:read", "track", id, vehicle=id, detail=about)
    if found is None:
        raise not_found(_NONE, id)
    spans = [(number, to_us(start), to_us(end)) for number, _, start, end in found]
    phones = {number: phone for number, phone, _, _ in found}
    # The first page is read before the answer begins, so a database that is down gives a 503 and no torso.
    first = await _fetch(request, spans, None)
    writer = kind()
    name = f"track-{to_us(since) // 1_000_000}-{to_us(until) // 1_000_000}.{writer.extension}"
    return StreamingResponse(
        _stream(request, spans, phones, first, writer, about),
        media_type=writer.media_type,
        headers={"Content-Disposition": f'inline; filename="{name}"', "Vary": "Accept"},
    )


async def _fetch(
    request: Request, spans: list[tuple[int, int, int]], after: tuple[int, int, int] | None
) -> Track:
    """One page, in a transaction of its own. The connection goes back in between: a slow reader holds none."""
    async with scoped(request, "tracks:read", read_only=True) as connection:
        return await PositionReader().track(connection, spans, limit=PAGE_ROWS, after=after)


async def _stream(
    request: Request,
    spans: list[tuple[int, int, int]],
    phones: dict[int, str],
    first: Track,
    writer: TrackWriter,
    about: dict[str, str],
) -> AsyncIterator[bytes]:
    jumps = JumpFinder()

    def write(rows: Track) -> bytes:
        return writer.page(Page(rows, jumps.flags(rows), phones))

    yield writer.begin(about)
    rows = first
    while True:
        if body := await asyncio.to_thread(write, rows):
            yield body
        if rows.next is None:
            break
        rows = await _fetch(request, spans, rows.next)
    yield writer.end()
