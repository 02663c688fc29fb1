"""GET /v1/live/vehicles and GET /v1/live/roster: the live map. The frames: docs/live-map.md."""

from __future__ import annotations

import asyncio
import json
import math
import time
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from prometheus_client import Counter, Gauge
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope, Send

from api.auth.access import require
from api.auth.audited import noted, stated_purpose
from api.auth.scoped import scoped
from api.errors import Problem
from api.http import PLAIN, json_response
from api.live.frames import Kind, frame
from api.live.groups import Group, Window
from api.live.hub import PERMISSION, Hub
from api.live.hub import Scope as LiveScope
from api.streams import EndedError, Stream
from runtime.postgres import DATABASE_ERRORS

#: The map asks by itself, so neither that nor its staying open is a use of the session.
router = APIRouter(prefix="/v1/live", tags=["live"], dependencies=[require(PERMISSION, counts_as_use=False)])

#: Streams at a time: of one subject, and of the process.
MOST_OF_ONE: Final = 8
MOST: Final = 200
#: At the longest between two looks whether the reader has gone or the process stops.
_LOOK_S: Final = 1.0

OPEN: Final = Gauge("gongche_api_live_streams", "Streams of the live map that are open")
ENDED: Final = Counter(
    "gongche_api_live_streams_ended_total", "Streams of the live map that have ended", ["reason"]
)


class LiveRoster(BaseModel):
    """The vehicles of the live map. The number at which a vehicle stands in these lists, from 0, is its index in the frames."""

    epoch: int = Field(description="a frame with another one needs this list anew", ge=0, lt=2**48)
    ids: list[str]
    plates: list[str]
    organisations: list[str]


class FrameStream(Stream):
    """The answer: runs as long as the stream does. It is counted already (``Hub.comes``)."""

    media_type = "application/octet-stream"

    def __init__(self, request: Request, window: Window | None, seconds: float | None) -> None:
        recheck_s = request.app.state.settings.live_recheck_s
        super().__init__(request, PERMISSION, recheck_s, seconds, open_now=OPEN, ended=ENDED)
        self._window = window
        self._hub: Hub = request.app.state.live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.leaves(self._request.state.subject.key)

    def last(self, reason: str) -> bytes:
        body = json.dumps({"reason": reason}).encode()
        return frame(Kind.END, 0, now_ms=time.time_ns() // 1_000_000, epoch=0, body=body)

    async def run(self, send: Send, gone: asyncio.Task[None]) -> None:
        while not gone.done():
            try:
                scope, group = await self._hub.join(self._request, self._window)
            except DATABASE_ERRORS:
                raise EndedError("unavailable") from None
            try:
                await self._follow(send, gone, scope, group)
            finally:
                self._hub.leave(group)

    async def _follow(self, send: Send, gone: asyncio.Task[None], scope: LiveScope, group: Group) -> None:
        """Send the frames of ``group`` until the reader has gone, or sees other units than ``scope`` does."""
        bell, loop = self._hub.bell, asyncio.get_running_loop()
        seq: int | None = None
        while not gone.done() and await self._may_stay(scope):
            seen = bell.count
            frames, seq = group.since(seq), group.seq
            if frames:
                # A reader who takes his time meanwhile falls behind, and gets a snapshot then: nothing is kept for him.
                await self.say(send, b"".join(frames))
            await self.wait(bell, seen, gone, loop.time() + _LOOK_S)

    async def _may_stay(self, scope: LiveScope) -> bool:
        """Whether the subject still sees what ``scope`` does, whose roster is looked at. Raises EndedError as ``check`` does."""
        if not await self.check():
            return True
        if not self._hub.holds(self._request, scope):
            return False
        await self.allowed(scope.look(self._request, self._recheck_s))
        return True


def read_window(text: str | None) -> Window | None:
    """The window that "west,south,east,north" (degrees) says. Raises Problem 422."""
    if text is None:
        return None
    try:
        degrees = [float(part) for part in text.split(",")]
        if len(degrees) != 4 or not all(map(math.isfinite, degrees)):
            raise ValueError("four numbers")
        west, south, east, north = (round(degree * 1e6) for degree in degrees)
        if not (-180_000_000 <= west < east <= 180_000_000 and -90_000_000 <= south < north <= 90_000_000):
            raise ValueError("order")
    except ValueError:
        raise Problem(
            422,
            "invalid-parameter",
            "window 须为 西,南,东,北（度），且西小于东、南小于北 · window is west,south,east,north in degrees, west below east and"
            " south below north",
            errors=[{"pointer": "/query/window", "message": "窗口无效 · no window"}],
        ) from None
    return Window(west, south, east, north)


@router.get(
    "/vehicles",
    summary="实时位置 / where all vehicles are now, as a stream",
    dependencies=[stated_purpose(PERMISSION)],
    response_class=Response,
    responses={
        200: {
            "description": "帧的序列 · frames, one after the other",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        429: {"description": "连接过多 · too many streams"},
    },
)
async def vehicles(
    request: Request,
    window: Annotated[
        str | None,
        Query(
            max_length=100,
            json_schema_extra=PLAIN,
            description="west,south,east,north in degrees WGS-84: only vehicles in it, each fix of them",
            examples=["120.85,31.95,120.95,32.05"],
        ),
    ] = None,
    seconds: Annotated[float | None, Query(ge=0, le=86_400, description="end after so long")] = None,
) -> Response:
    """A snapshot, then what has changed each second, in frames of little-endian columns; docs/live-map.md describes them.
    `GET /v1/live/roster` says which vehicle has which index.

    Every frame has a header of 48 bytes: magic `GCLV`, uint8 version (1), uint8 kind (1 snapshot, 2 delta, 3 heartbeat, 4 end),
    uint16 flags (1 the body is deflated (zlib), 2 stale), uint32 seq, uint32 vehicles in the roster, uint32 full rows, uint32 changed
    rows, uint32 step (1e-6 degree), uint32 bytes of the body, float64 server time (ms since 1970), float64 epoch of the roster.

    The body has the full rows as columns: uint32 index, int32 lon and int32 lat (in steps), uint32 fix time (s), uint8 speed (km/h),
    uint8 direction (2 degrees), uint8 flags. Then, where there are changed rows: one bit for each vehicle of the roster, lowest
    first, and of those that are set the columns lon, lat (differences) and age (server time in whole seconds less fix time),
    each int16 as all low bytes and then all high bytes, speed and direction (differences modulo 256), flags.

    `seq` has no gaps; after a snapshot what was known before counts no more. `stale` says that the log cannot be read to its end:
    the positions are as old as their fix times say. A frame of the kind end says why the stream ends (JSON); come again.
    """
    seen = read_window(window)
    hub: Hub = request.app.state.live
    who = request.state.subject.key
    if hub.streams[who] >= MOST_OF_ONE or hub.streams.total() >= MOST:
        raise Problem(
            429,
            "too-many-streams",
            "打开的实时地图过多，请关闭不用的页面后重试 · too many live maps are open; close those that are not used, then try again",
            headers={"Retry-After": "10"},
        )
    hub.comes(who)  # now: others may ask while it is noted
    try:
        async with scoped(request, PERMISSION) as connection:
            detail = None if window is None else {"window": window}
            await noted(request, connection, PERMISSION, "live-positions", detail=detail)
        return FrameStream(request, seen, seconds)
    except BaseException:
        hub.leaves(who)
        raise


@router.get("/roster", summary="实时地图的车辆表 / the vehicles of the live map", response_model=LiveRoster)
async def roster(request: Request) -> Response:
    """Which vehicle has which index in the frames of `GET /v1/live/vehicles`, for what the caller sees. Read it again when a frame has
    another epoch; the order is that of the ids. Secret vehicles that the caller must not know are not in it."""
    sight = await request.app.state.live.sight(request)
    found = sight.roster
    return json_response(
        {
            "epoch": sight.epoch,
            "ids": found.ids,
            "plates": found.plates,
            "organisations": found.organisations,
        }
    )
