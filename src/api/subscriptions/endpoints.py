"""/v1/subscriptions: named places in the feed, kept by the server for their owner."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from api.alerts.waiting import Wait, page_response, wait_for_part, wants_cloud_events
from api.auth.access import require
from api.auth.scoped import scoped
from api.bodies import body_of, read_model
from api.errors import Problem, not_found
from api.http import DEFAULT_PAGE, Cursor, Limit, json_response, make_cursor, read_cursor
from api.subscriptions.schemas import (
    NAME_PATTERN,
    CommitBody,
    Entries,
    Place,
    SeekBody,
    SubscriptionBody,
    Subscriptions,
    SubscriptionShown,
    SubscriptionWithLag,
)
from office.subscriptions import store, webhooks
from office.subscriptions.events import BATCH
from office.subscriptions.reach import Wanted, filter_for
from office.subscriptions.store import Owner, Subscription
from rules.alerts.feed import feed_end, first_place_since, read_feed_for
from rules.alerts.model import FeedFilter

MANAGE = "subscriptions:manage"
READ = "alerts:read"
router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])
manages, reads = [require(MANAGE)], [require(READ)]

Name = Annotated[str, Path(pattern=NAME_PATTERN, description="chosen by its owner; others do not see it")]
#: Entries that a subscription is behind are counted up to so many.
_MOST_COUNTED = 1_000


async def own(connection: Any, request: Request, name: str, *, lock: bool = False) -> Subscription:
    """The caller's subscription ``name``. Raises Problem 404: also where somebody else has one of that name."""
    found = await store.find(connection, Owner.of(request.state.subject), name, lock=lock)
    if found is None:
        raise not_found("没有这个订阅，请先 PUT · no such subscription; PUT it first", name)
    return found


def _shown(one: Subscription) -> dict[str, Any]:
    wanted = one.wanted
    return {
        "name": one.name,
        "organisations": wanted.organisations,
        "rules": wanted.rules,
        "severities": wanted.severities,
        "statuses": wanted.statuses,
        "envelope": "cloudevents" if one.cloud_events else "plain",
        "cursor": make_cursor("feed", one.committed),
        "sequence": one.committed,
        "committed_at": one.committed_at,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def _place(place: int) -> Response:
    cursor = make_cursor("feed", place)
    return json_response({"cursor": cursor, "sequence": place}, headers={"Gongche-Cursor": cursor})


@router.get(
    "",
    summary="我的订阅 / the subscriptions of the caller",
    response_model=Subscriptions,
    dependencies=manages,
)
async def list_subscriptions(request: Request) -> Response:
    """By name. At most 50."""
    async with scoped(request, MANAGE) as connection:
        found = await store.all_of(connection, Owner.of(request.state.subject))
    return json_response({"items": [_shown(one) for one in found]})


@router.put(
    "/{name}",
    summary="新建或修改订阅 / make or change a subscription",
    response_model=SubscriptionShown,
    responses={201: {"model": SubscriptionShown}},
    openapi_extra=body_of(SubscriptionBody),
    dependencies=manages,
)
async def put_subscription(request: Request, name: Name) -> Response:
    """The filters take effect at once, also for what was not read yet; the place stays where it is."""
    body = await read_model(request, SubscriptionBody)
    wanted = Wanted(*(_tuple(v) for v in (body.organisations, body.rules, body.severities, body.statuses)))
    owner = Owner.of(request.state.subject)
    async with scoped(request, MANAGE) as connection:
        try:
            made, is_new = await store.put(
                connection, owner, name, wanted, body.envelope == "cloudevents", body.begin == "now"
            )
        except store.TooManyError:
            raise Problem(
                409,
                "too-many-subscriptions",
                f"最多 {store.MOST_OF_ONE} 个订阅，请先删除不用的 · at most {store.MOST_OF_ONE}; delete one that is not used first",
            ) from None
    return json_response(_shown(made), 201 if is_new else 200)


def _tuple(values: list[Any] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


@router.get(
    "/{name}",
    summary="一个订阅及其滞后 / a subscription and how far it is behind",
    response_model=SubscriptionWithLag,
    dependencies=manages,
)
async def get_subscription(request: Request, name: Name) -> Response:
    """`lag` counts what is for this subscription and was not confirmed."""
    async with scoped(request, MANAGE) as connection:
        found = await own(connection, request, name)
        asked = await filter_for(connection, request.state.subject, READ, found.wanted)
        lag = await _lag(connection, found.committed, asked)
    return json_response(_shown(found) | {"lag": lag})


async def _lag(connection: Any, place: int, asked: FeedFilter) -> dict[str, Any]:
    part = await read_feed_for(connection, place, _MOST_COUNTED, asked)
    oldest = part.entries[0].created_at if part.entries else None
    return {"entries": len(part.entries), "more": part.more, "oldest_at": oldest}


@router.delete(
    "/{name}",
    status_code=204,
    summary="删除订阅 / delete a subscription",
    response_class=Response,
    dependencies=manages,
)
async def delete_subscription(request: Request, name: Name) -> Response:
    """With its webhook and its deliveries. The alerts themselves stay in the feed."""
    async with scoped(request, MANAGE) as connection:
        if not await store.remove(connection, Owner.of(request.state.subject), name):
            raise not_found("没有这个订阅 · no such subscription", name)
    return Response(status_code=204)


@router.get(
    "/{name}/entries",
    summary="读取订阅 / what the subscription has not confirmed",
    response_model=Entries,
    responses={200: {"content": {BATCH: {"schema": {"type": "array", "items": {"type": "object"}}}}}},
    dependencies=reads,
)
async def entries(
    request: Request, name: Name, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE, wait: Wait = 0
) -> Response:
    """From the confirmed place on; with `cursor` (the `next` of a page before) further on, without confirming. Reading moves
    nothing: confirm with `commit` when the items are safe. Two readers of one subscription read the same."""
    place = read_cursor("feed", cursor, int)
    async with scoped(request, READ, read_only=True) as connection:
        found = await own(connection, request, name)
    began = found.committed if place is None else place[0]
    part = await wait_for_part(request, began, limit, found.wanted, wait, READ)
    as_events = found.cloud_events or wants_cloud_events(request, None)
    return page_response(request, part, as_events, began)


@router.post(
    "/{name}/commit",
    summary="确认已安全保存 / everything up to a cursor is safe",
    response_model=Place,
    responses={409: {"description": "游标已被移动 · another reader has moved the place"}},
    openapi_extra=body_of(CommitBody),
    dependencies=manages,
)
async def commit(request: Request, name: Name) -> Response:
    """Only forwards, and only from where the page was read: else 409 with the present place in `Gongche-Cursor`; read on from
    there. Confirming the same twice does no harm."""
    body = await read_model(request, CommitBody)
    place, expected = _read_place(body.cursor, "cursor"), _read_place(body.expected, "expected")
    async with scoped(request, MANAGE) as connection:
        found = await own(connection, request, name, lock=True)
        if place == found.committed:
            return _place(place)
        if expected != found.committed or place < found.committed:
            present = make_cursor("feed", found.committed)
            raise Problem(
                409,
                "place-moved",
                f"订阅的位置已是 {present}，请从该处继续读取 · the subscription stands at {present}; read on from there",
                errors=[{"pointer": "/expected", "message": present}],
                headers={"Gongche-Cursor": present},
            )
        await _refuse_future(connection, place)
        await store.move(connection, found.no, place)
    return _place(place)


def _read_place(text: str, field: str) -> int:
    try:
        found = read_cursor("feed", text, int)
    except Problem:
        found = None
    if found is None:
        message = "游标无效，请使用返回的 cursor 或 next · not a cursor of the feed"
        raise Problem(422, "invalid-data", message, errors=[{"pointer": f"/{field}", "message": message}])
    return int(found[0])


async def _refuse_future(connection: Any, place: int) -> None:
    if place and place > await feed_end(connection):
        message = "该位置尚未产生 · the feed has not come that far"
        raise Problem(422, "invalid-data", message, errors=[{"pointer": "/cursor", "message": message}])


@router.post(
    "/{name}/seek",
    summary="移动到某一时间或序号 / go on from a time or a place",
    response_model=Place,
    openapi_extra=body_of(SeekBody),
    dependencies=manages,
)
async def seek(request: Request, name: Name) -> Response:
    """Backwards to read again, forwards to leave out. Takes exactly one of `time`, `sequence`, `cursor`."""
    body = await read_model(request, SeekBody)
    if sum(value is not None for value in (body.time, body.sequence, body.cursor)) != 1:
        message = "须给出 time、sequence、cursor 之一 · exactly one of time, sequence, cursor"
        raise Problem(422, "invalid-data", message, errors=[{"pointer": "", "message": message}])
    async with scoped(request, MANAGE) as connection:
        found = await own(connection, request, name, lock=True)
        if body.time is not None:
            place = await first_place_since(connection, body.time)
        else:
            place = _read_place(body.cursor, "cursor") if body.cursor is not None else body.sequence or 0
            await _refuse_future(connection, place)
        await store.move(connection, found.no, place)
        if body.webhook:
            await webhooks.go_back(connection, found.no, place)
    return _place(place)
