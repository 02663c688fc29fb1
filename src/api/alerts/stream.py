"""GET /v1/alerts/stream: the feed as server-sent events (the HTML standard, 9.2)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from prometheus_client import Counter, Gauge
from starlette.types import Receive, Scope, Send

from api.alerts.waiting import (
    Envelope,
    Organisations,
    Rules,
    Severities,
    Statuses,
    bell_of,
    read_part,
    shown,
    wanted_of,
    wants_cloud_events,
)
from api.auth.access import require
from api.auth.scoped import scoped
from api.errors import Problem
from api.http import MAX_CURSOR, Cursor, make_cursor, read_cursor, to_json
from api.streams import EndedError, Stream
from office.subscriptions.reach import Wanted
from rules.alerts.feed import feed_end
from runtime.postgres import DATABASE_ERRORS

#: A browser opens a stream again by itself, so neither that nor its staying open is a use of the session.
router = APIRouter(
    prefix="/v1/alerts", tags=["alerts"], dependencies=[require("alerts:read", counts_as_use=False)]
)

#: Streams at a time: of one subject, and of the process.
MOST_OF_ONE: Final = 5
MOST: Final = 200
#: So often something is sent, so that a proxy in between does not take the stream for dead.
HEARTBEAT_S: Final = 15.0
#: Entries that are read at once: what is held in memory for one reader.
_PAGE: Final = 100
#: How soon a browser comes back after the stream has ended.
_RETRY_MS: Final = 3_000

#: An event, as it is described: ``data`` is an alert, or why the stream ends, as JSON.
_EVENT: Final = {
    "type": "object",
    "properties": {
        "event": {"enum": ["alert", "end"]},
        "id": {"type": "string"},
        "data": {"type": "string"},
        "retry": {"type": "integer"},
    },
}

OPEN: Final = Gauge("gongche_api_streams", "Streams of alerts that are open")
ENDED: Final = Counter("gongche_api_streams_ended_total", "Streams of alerts that have ended", ["reason"])


class EventStream(Stream):
    """The answer: runs as long as the stream does."""

    media_type = "text/event-stream"

    def __init__(
        self, request: Request, after: int, wanted: Wanted, cloud_events: bool, seconds: float | None
    ) -> None:
        recheck_s = request.app.state.settings.stream_recheck_s
        super().__init__(request, "alerts:read", recheck_s, seconds, open_now=OPEN, ended=ENDED)
        self._place, self._wanted, self._cloud_events = after, wanted, cloud_events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        streams = self._request.app.state.streams
        who = self._request.state.subject.key
        streams[who] += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            streams[who] -= 1
            if not streams[who]:
                del streams[who]

    def last(self, reason: str) -> bytes:
        return f'event: end\ndata: {{"reason":"{reason}"}}\n\n'.encode()

    async def run(self, send: Send, gone: asyncio.Task[None]) -> None:
        bell, loop = bell_of(self._request), asyncio.get_running_loop()
        await self.say(send, f"retry: {_RETRY_MS}\nid: {make_cursor('feed', self._place)}\n\n".encode())
        said_at = loop.time()
        while not gone.done():
            await self.check()
            seen = bell.count
            try:
                part = await read_part(self._request, self._place, _PAGE, self._wanted)
            except DATABASE_ERRORS:
                raise EndedError("unavailable") from None
            self._place = part.place
            if part.entries:
                await self.say(send, "".join(map(self._event, part.entries)).encode())
                said_at = loop.time()
            if part.more:
                continue
            look_at = loop.time() + bell.look_s
            while bell.count == seen and not gone.done() and loop.time() < look_at:
                await self.check()
                if loop.time() >= said_at + HEARTBEAT_S:
                    # With the place: a reader of few entries does not begin far behind.
                    await self.say(send, f": heartbeat\nid: {make_cursor('feed', self._place)}\n\n".encode())
                    said_at = loop.time()
                await self.wait(bell, seen, gone, look_at, said_at + HEARTBEAT_S)

    def _event(self, entry: Any) -> str:
        source = self._request.app.state.settings.event_source
        body = to_json(shown(entry, source, self._cloud_events)).decode()
        return f"id: {make_cursor('feed', entry.seq)}\nevent: alert\ndata: {body}\n\n"


@router.get(
    "/stream",
    summary="预警实时推送 / the feed as server-sent events",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {"schema": _EVENT}}},
        429: {"description": "连接过多 · too many streams"},
    },
)
async def stream(
    request: Request,
    cursor: Cursor = None,
    organisation: Organisations = None,
    rule: Rules = None,
    severity: Severities = None,
    status: Statuses = None,
    envelope: Envelope = None,
    seconds: Annotated[float | None, Query(ge=0, le=86_400, description="end after so long")] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=MAX_CURSOR, description="the last `id` that came: go on behind it")
    ] = None,
) -> Response:
    """Events `alert`, each with its cursor as `id`. Goes on behind `Last-Event-ID`, else behind `cursor`, else with what comes
    from now on. The event `end` says why the stream ends; come again with `Last-Event-ID`, nothing is lost.

    A comment comes every 15 s. A reader that takes nothing for 10 s is cut off. A stream does not keep the session of a person
    alive: when nothing else is done in it, it ends as it would without, and the stream with it (`no_longer_allowed`).
    """
    place = read_cursor("feed", last_event_id or cursor, int)
    wanted = wanted_of(organisation, rule, severity, status)
    streams, subject = request.app.state.streams, request.state.subject
    if streams[subject.key] >= MOST_OF_ONE or streams.total() >= MOST:
        raise Problem(
            429,
            "too-many-streams",
            "打开的推送连接过多，请关闭不用的连接后重试 · too many streams are open; close those that are not used, then try again",
            headers={"Retry-After": "10"},
        )
    if place is None:
        async with scoped(request, "alerts:read", read_only=True) as connection:
            place = [await feed_end(connection)]
    return EventStream(request, place[0], wanted, wants_cloud_events(request, envelope), seconds)
