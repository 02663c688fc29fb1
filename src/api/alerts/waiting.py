"""Reading the feed for the subject of a request, and waiting for what is not there yet."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator, Field, WithJsonSchema

from api.auth.scoped import scoped
from api.http import MAX_ID, PLAIN, json_response, make_cursor, refuse_controls, to_json
from office.subscriptions.events import BATCH, cloud_event
from office.subscriptions.reach import Wanted, filter_for
from rules.alerts.feed import read_feed_for
from rules.alerts.model import FeedEntry, FeedPart
from rules.catalogue import RULES
from runtime.bell import Bell

#: Longest wait of a reader for news, and how many may wait at once.
MAX_WAIT_S: Final = 30
MAX_WAITING: Final = 200
#: Parts of the feed that one request looks at, at most, for what it wants.
_MOST_PARTS: Final = 20
#: How soon it is noticed that a reader who waits has gone.
_NOTICE_S: Final = 1.0
#: Values of one filter.
MOST_VALUES: Final = 50

CODES: Final = tuple(rule.code for rule in RULES)


def known_rule(code: str) -> str:
    """``code``. Raises ValueError where it is no rule's."""
    if code not in CODES:
        raise ValueError(f"没有这条规则，应为 {'、'.join(CODES)} 之一 · no such rule")
    return code


RuleName = Annotated[str, AfterValidator(known_rule), WithJsonSchema({"type": "string", "enum": list(CODES)})]
Wait = Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="seconds to wait for news, at most")]
Unit = Annotated[str, Field(max_length=MAX_ID, json_schema_extra=PLAIN)]
Organisations = Annotated[
    list[Unit] | None, Query(max_length=MOST_VALUES, description="only these units and those below them")
]
Rules = Annotated[list[RuleName] | None, Query(max_length=MOST_VALUES, description="only these rules")]
Severities = Annotated[list[Literal["low", "medium", "high"]] | None, Query(max_length=3)]
Statuses = Annotated[list[Literal["suspected", "withdrawn"]] | None, Query(max_length=2)]
Envelope = Annotated[
    Literal["plain", "cloudevents"] | None,
    Query(description="cloudevents: each entry as a CloudEvent 1.0; default: what Accept asks for"),
]


def wanted_of(
    organisation: list[str] | None,
    rule: list[str] | None,
    severity: list[Any] | None,
    status: list[Any] | None,
) -> Wanted:
    """The filters of a query. Raises Problem 422 for control characters."""
    refuse_controls(*(organisation or ()))
    return Wanted(*(None if not v else tuple(v) for v in (organisation, rule, severity, status)))


def bell_of(request: Request) -> Bell:
    """What rings for every new entry of the feed."""
    bell: Bell = request.app.state.bell
    return bell


async def read_part(
    request: Request, after: int, limit: int, wanted: Wanted, permission: str = "alerts:read"
) -> FeedPart:
    """What the subject of the request may see now, of what it wants."""
    async with scoped(request, permission, read_only=True) as connection:
        asked = await filter_for(connection, request.state.subject, permission, wanted)
        return await read_feed_for(connection, after, limit, asked)


async def wait_for_part(
    request: Request, after: int, limit: int, wanted: Wanted, wait_s: float, permission: str = "alerts:read"
) -> FeedPart:
    """The same; while there is nothing, and somebody may still come to wait, wait for it up to ``wait_s``."""
    state, bell, loop = request.app.state, bell_of(request), asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    waits, parts = False, 0
    try:
        while True:
            seen = bell.count
            part = await read_part(request, after, limit, wanted, permission)
            after, parts = part.place, parts + 1
            if part.entries or (part.more and parts >= _MOST_PARTS):
                return part
            if part.more:
                continue
            if not waits:
                if not wait_s or state.waiting_readers >= MAX_WAITING:
                    return part
                state.waiting_readers += 1
                waits = True
            look_at = min(deadline, loop.time() + bell.look_s)
            while bell.count == seen and (left := look_at - loop.time()) > 0:
                if state.stopping or await request.is_disconnected():
                    return part
                await bell.wait(seen, min(left, _NOTICE_S))
            if loop.time() >= deadline:
                return part
    finally:
        if waits:
            state.waiting_readers -= 1


def wants_cloud_events(request: Request, envelope: str | None) -> bool:
    """Whether entries are to come as CloudEvents: by the query, else by Accept."""
    if envelope is not None:
        return envelope == "cloudevents"
    return BATCH in request.headers.get("accept", "").lower()


def shown(entry: FeedEntry, source: str, cloud_events: bool) -> dict[str, Any]:
    """An entry as it goes out."""
    return cloud_event(entry, source) if cloud_events else entry.alert.body()


def page_response(request: Request, part: FeedPart, cloud_events: bool, began: int | None = None) -> Response:
    """A page of the feed. A batch of CloudEvents is a bare array: the cursors are in the headers ``Gongche-Next`` and, where
    the page ``began`` at a place of the server, ``Gongche-Cursor``."""
    following = make_cursor("feed", part.place)
    headers = {"Gongche-Next": following, "Vary": "Accept"}
    if began is not None:
        headers["Gongche-Cursor"] = make_cursor("feed", began)
    source = request.app.state.settings.event_source
    items = [shown(entry, source, cloud_events) for entry in part.entries]
    if cloud_events:
        return Response(to_json(items), headers=headers, media_type=BATCH)
    body: dict[str, Any] = {"items": items, "next": following}
    if began is not None:
        body["cursor"] = headers["Gongche-Cursor"]
    return json_response(body, headers=headers)
