"""/v1/subscriptions/{name}/webhook: where a subscription is delivered, and what became of its deliveries."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import scoped
from api.bodies import body_of, read_model
from api.errors import Problem, not_found
from api.http import DEFAULT_PAGE, Cursor, Limit, json_response, make_cursor, read_cursor
from api.identity.refusals import as_problems
from api.subscriptions.endpoints import MANAGE, Name, own
from api.subscriptions.schemas import (
    Deliveries,
    DeliveryShown,
    DeliveryWithAttempts,
    NewSecret,
    RotateBody,
    TestResult,
    WebhookBody,
    WebhookCreated,
    WebhookShown,
)
from office.posting.addresses import Policy, TargetRefusedError, target_of
from office.subscriptions import keys, webhooks
from office.subscriptions.webhooks import Delivery, Tried, Webhook

router = APIRouter(
    prefix="/v1/subscriptions/{name}/webhook", tags=["webhooks"], dependencies=[require(MANAGE)]
)

DeliveryId = Annotated[int, Path(ge=1, le=2**53)]
#: Whoever asks for a test delivery waits so long beyond the time of the receiver.
_TEST_MORE_S: Final = 5.0
_LOOK_S: Final = 0.1


async def _shown(connection: Any, webhook: Webhook) -> dict[str, Any]:
    counted = await webhooks.counts(connection, webhook.subscription_no)
    return {
        "url": webhook.url,
        "enabled": webhook.disabled_at is None,
        "disabled_at": webhook.disabled_at,
        "disabled_reason": webhook.disabled_reason,
        "failing_since": webhook.failing_since,
        "waiting": counted.waiting,
        "dead": counted.dead,
        "sequence": webhook.filled,
        "secrets": counted.secrets,
    }


async def _own(connection: Any, request: Request, name: str) -> Webhook:
    """The webhook of the caller's subscription. Raises Problem 404."""
    subscription = await own(connection, request, name)
    found = await webhooks.find(connection, subscription.no)
    if found is None:
        raise not_found("此订阅没有 webhook，请先 PUT · the subscription has no webhook; PUT it first", name)
    return found


@router.put(
    "",
    summary="设置 webhook / set the webhook of a subscription",
    response_model=WebhookShown,
    responses={201: {"model": WebhookCreated}},
    openapi_extra=body_of(WebhookBody),
)
async def put_webhook(request: Request, name: Name) -> Response:
    """A new one delivers what lies behind the place of the subscription, and its secret is shown this once. The address is
    looked at now and, with the addresses of its name, before every delivery."""
    body = await read_model(request, WebhookBody)
    try:
        target_of(body.url, Policy.configured(request.app.state.settings))
    except TargetRefusedError as error:
        flaw = {"pointer": "/url", "message": str(error)}
        raise Problem(422, "target-refused", str(error), errors=[flaw]) from None
    async with scoped(request, MANAGE) as connection:
        subscription = await own(connection, request, name, lock=True)
        webhook, is_new = await webhooks.put(
            connection, subscription.no, body.url, body.enabled, subscription.committed
        )
        more: dict[str, Any] = {}
        if is_new:
            with as_problems():
                more["secret"], _ = await keys.rotate(
                    connection, request.app.state.desk.sealer, subscription.no, 0
                )
        shown = await _shown(connection, webhook)
    return json_response(shown | more, 201 if is_new else 200)


@router.get("", summary="webhook 状态 / the webhook of a subscription", response_model=WebhookShown)
async def get_webhook(request: Request, name: Name) -> Response:
    """Never with its secret."""
    async with scoped(request, MANAGE) as connection:
        return json_response(await _shown(connection, await _own(connection, request, name)))


@router.delete("", status_code=204, summary="删除 webhook / delete the webhook", response_class=Response)
async def delete_webhook(request: Request, name: Name) -> Response:
    """With its secrets and deliveries; the subscription stays."""
    async with scoped(request, MANAGE) as connection:
        await webhooks.remove(connection, (await _own(connection, request, name)).subscription_no)
    return Response(status_code=204)


@router.post(
    "/secret",
    summary="更换签名密钥 / a new secret",
    response_model=NewSecret,
    openapi_extra=body_of(RotateBody),
)
async def rotate_secret(request: Request, name: Name) -> Response:
    """Shown this once. Until `old_expires_at` each delivery carries both signatures, so that the receiver changes in peace."""
    body = await read_model(request, RotateBody)
    async with scoped(request, MANAGE) as connection:
        subscription = await own(connection, request, name, lock=True)
        await _own(connection, request, name)
        with as_problems():
            secret, until = await keys.rotate(
                connection, request.app.state.desk.sealer, subscription.no, body.keep_old_s
            )
    return json_response({"secret": secret, "old_expires_at": until})


@router.post(
    "/test",
    summary="测试推送 / a test delivery",
    response_model=TestResult,
)
async def test_webhook(request: Request, name: Name) -> Response:
    """Sent by the process that delivers (`gongche deliver`), signed like every delivery, of type `cn.gongche.test.v1`. 503 when
    no such process runs."""
    async with scoped(request, MANAGE) as connection:
        number = await webhooks.ask_for_test(
            connection, (await _own(connection, request, name)).subscription_no
        )
    patience_s = request.app.state.settings.webhook_timeout_s + _TEST_MORE_S
    try:
        async with asyncio.timeout(patience_s):
            while True:
                async with scoped(request, MANAGE) as connection:
                    tried = await webhooks.result_of_test(connection, number)
                if tried is not None:
                    return json_response({"delivered": tried.error is None, "attempt": _tried(tried)})
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise Problem(
            503,
            "nobody-delivers",
            "推送进程未运行，请启动 gongche deliver · nobody delivers; start gongche deliver",
            headers={"Retry-After": "10"},
        ) from None


State = Annotated[
    Literal["waiting", "delivered", "dead", "withheld"] | None,
    Query(description="dead: given up after all attempts; withheld: the owner may not see the unit any more"),
]


@router.get("/deliveries", summary="推送记录 / deliveries and dead letters", response_model=Deliveries)
async def list_deliveries(
    request: Request, name: Name, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE, state: State = None
) -> Response:
    """Newest first. What ended is kept for GONGCHE_WEBHOOK_RETENTION_DAYS."""
    place = read_cursor("deliveries", cursor, int)
    async with scoped(request, MANAGE) as connection:
        webhook = await _own(connection, request, name)
        found = await webhooks.list_deliveries(
            connection, webhook.subscription_no, state, limit, None if place is None else place[0]
        )
    following = make_cursor("deliveries", found[-1].no) if len(found) == limit else None
    return json_response({"items": [_delivery(one) for one in found], "next": following})


@router.get(
    "/deliveries/{delivery}",
    summary="一条推送及其尝试 / a delivery with its attempts",
    response_model=DeliveryWithAttempts,
)
async def get_delivery(request: Request, name: Name, delivery: DeliveryId) -> Response:
    """The last 20 attempts, newest first, with what the receiver answered."""
    async with scoped(request, MANAGE) as connection:
        webhook = await _own(connection, request, name)
        found = await webhooks.find_delivery(connection, webhook.subscription_no, delivery)
    if found is None:
        raise _no_delivery(delivery)
    one, tried = found
    return json_response(_delivery(one) | {"tried": [_tried(attempt) for attempt in tried]})


@router.post(
    "/deliveries/{delivery}/resend", summary="重新推送 / send it again", response_model=DeliveryShown
)
async def resend(request: Request, name: Name, delivery: DeliveryId) -> Response:
    """At once, with all its attempts; whatever became of it before."""
    async with scoped(request, MANAGE) as connection:
        webhook = await _own(connection, request, name)
        found = await webhooks.send_again(connection, webhook.subscription_no, delivery)
    if found is None:
        raise _no_delivery(delivery)
    return json_response(_delivery(found))


def _no_delivery(number: int) -> Problem:
    return not_found("没有这条推送，或已过保存期限 · no such delivery, or not kept any more", str(number))


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.no,
        "sequence": one.seq,
        "alert": one.alert_id,
        "version": one.version,
        "state": one.state,
        "attempts": one.attempts,
        "due_at": one.due_at if one.state == "waiting" else None,
        "last_error": one.last_error,
        "created_at": one.created_at,
        "ended_at": one.ended_at,
    }


def _tried(one: Tried) -> dict[str, Any]:
    return {
        "at": one.at,
        "took_ms": one.took_ms,
        "status": one.status,
        "error": one.error,
        "answer": one.answer,
    }
