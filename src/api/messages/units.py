"""/v1/unit-channels: the group bots and webhooks of units, set by who keeps a unit's records."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.auth.access import require
from api.auth.scoped import out_of_scope, scoped, subject_of
from api.bodies import body_of, read_model
from api.errors import Problem, not_found
from api.http import (
    DEFAULT_PAGE,
    MAX_ID,
    PLAIN,
    Cursor,
    Limit,
    json_response,
    read_cursor,
    refuse_controls,
)
from api.messages.common import (
    NO_CHANNEL,
    NO_LETTER,
    ChannelId,
    LetterId,
    LetterState,
    channel_body,
    channel_of,
    confirmed,
    letters_body,
    made,
    refusals,
    rules_of,
    wrong_code,
)
from api.messages.schemas import (
    ChannelCode,
    ChannelList,
    ChannelMade,
    ChannelShown,
    ChannelSwitch,
    Letters,
    UnitChannelBody,
)
from office.identity.scope import units_reached
from office.messages import channels, letters
from office.messages.channels import Owner
from registry.organisations import organisation_exists
from registry.refusals import Flaw, RefusedError
from runtime.connection import Connection

WRITE = "registry:write"
#: Who sees what the office has to do.
OFFICE = "cases:draft"
router = APIRouter(prefix="/v1/unit-channels", tags=["message channels"], dependencies=[require(WRITE)])


async def _office_units(connection: Connection, request: Request) -> frozenset[str] | None:
    """The units in which the caller sees what the office has to do; None = all."""
    return await units_reached(connection, subject_of(request), OFFICE)


async def _channel(
    connection: Connection, request: Request, id: str, *, lock: bool = False
) -> dict[str, Any]:
    """A channel of a unit that the caller keeps. Raises Problem 404: also for one of the office, of which a unit knows nothing."""
    found = await channel_of(connection, id, None, lock=lock)
    office = await _office_units(connection, request)
    if found["about"] == "office" and office is not None and found["organisation"] not in office:
        raise not_found(NO_CHANNEL, id)
    return found


@router.get("", summary="单位消息通道 / the channels of units", response_model=ChannelList)
async def listed(
    request: Request,
    organisation: Annotated[str | None, Query(max_length=MAX_ID, json_schema_extra=PLAIN)] = None,
) -> Response:
    """Of your units. Addresses are masked: that of a bot is its password."""
    refuse_controls(organisation)
    async with scoped(request, WRITE, read_only=True) as connection:
        found = await channels.of_units(connection, organisation)
        office = await _office_units(connection, request)
    found = [
        one for one in found if one["about"] == "unit" or office is None or one["organisation"] in office
    ]
    return json_response({"items": [channel_body(one) for one in found]})


@router.post(
    "",
    summary="添加单位消息通道 / a new channel of a unit; a code is sent to it",
    response_model=ChannelMade,
    status_code=201,
    openapi_extra=body_of(UnitChannelBody),
    responses={
        429: {"description": "确认码过多 · too many codes"},
        409: {"description": "通道过多 · too many channels"},
    },
)
async def add(request: Request) -> Response:
    """Nothing else goes there until the code, which the bot shows in its group, came back (`/confirm`). At most 5 of a unit."""
    given = await read_model(request, UnitChannelBody)
    address = channels.check_address(given.kind, given.address, rules_of(request, personal=False))
    subject = subject_of(request)
    if given.secret is not None and given.kind not in ("dingtalk", "feishu"):
        raise RefusedError(
            [Flaw(("secret",), "此类通道没有加签密钥，请留空 · such a channel has no secret; leave it out")]
        )
    with refusals():
        async with scoped(request, WRITE) as connection:
            units = await units_reached(connection, subject, WRITE)
            office = await _office_units(connection, request)
            if units is not None and given.organisation not in units:
                raise out_of_scope()
            if not await organisation_exists(connection, given.organisation):
                raise RefusedError([Flaw(("organisation",), "单位未登记 · there is no such unit")])
            if given.about == "office" and office is not None and given.organisation not in office:
                raise Problem(
                    403,
                    "missing-scope",
                    "管理处的消息通道须由公车管理处设置 · what the office has to do is sent where the vehicle office says:"
                    " cases:draft in this unit is lacking",
                )
            owner = Owner(organisation=given.organisation, about=given.about)
            shown = await made(connection, request, subject.key, owner, given.kind, address, given.secret)
    return json_response(shown, 201)


@router.post(
    "/{id}/confirm",
    summary="确认单位消息通道 / the code came back: use the channel",
    response_model=ChannelShown,
    openapi_extra=body_of(ChannelCode),
)
async def confirm(request: Request, id: ChannelId) -> Response:
    """A code is valid for 30 minutes and may be tried 5 times."""
    given = await read_model(request, ChannelCode)
    async with scoped(request, WRITE) as connection:
        found = await _channel(connection, request, id, lock=True)
        done = await confirmed(connection, found, given.code)
        shown = channel_body(await channels.by_number(connection, found["no"]))
    if not done:
        raise wrong_code()
    return json_response(shown)


@router.post(
    "/{id}/code",
    summary="重新发送确认码 / have another code sent",
    status_code=204,
    response_class=Response,
    responses={429: {"description": "确认码过多 · too many codes"}},
)
async def another_code(request: Request, id: ChannelId) -> Response:
    """At most 5 codes an hour. The code before is void."""
    with refusals():
        async with scoped(request, WRITE) as connection:
            found = await _channel(connection, request, id, lock=True)
            if found["confirmed_at"] is None:
                await channels.send_code(
                    connection, request.app.state.desk.sealer, subject_of(request).key, found["no"]
                )
    return Response(status_code=204)


@router.put(
    "/{id}",
    summary="启用或停用单位消息通道 / switch a channel on or off",
    response_model=ChannelShown,
    openapi_extra=body_of(ChannelSwitch),
)
async def switch(request: Request, id: ChannelId) -> Response:
    given = await read_model(request, ChannelSwitch)
    async with scoped(request, WRITE) as connection:
        found = await _channel(connection, request, id, lock=True)
        await channels.enable(connection, found["no"], given.enabled)
        return json_response(channel_body(await channels.by_number(connection, found["no"])))


@router.delete(
    "/{id}", summary="删除单位消息通道 / delete a channel", status_code=204, response_class=Response
)
async def remove(request: Request, id: ChannelId) -> Response:
    async with scoped(request, WRITE) as connection:
        found = await _channel(connection, request, id)
        await channels.remove(connection, found["no"])
    return Response(status_code=204)


@router.get(
    "/{id}/letters",
    summary="单位消息发送记录 / what became of its messages",
    response_model=Letters,
)
async def letters_of(
    request: Request,
    id: ChannelId,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    state: LetterState = None,
) -> Response:
    """Newest first. What ended is kept for GONGCHE_MESSAGE_RETENTION_DAYS."""
    place = read_cursor("letters", cursor, int)
    async with scoped(request, WRITE, read_only=True) as connection:
        numbers = [(await _channel(connection, request, id))["no"]]
        found = await letters.of_channels(connection, numbers, state, limit, place[0] if place else None)
    return json_response(letters_body(found, limit))


@router.post(
    "/{id}/letters/{letter}/resend",
    summary="重新发送 / send a dead letter again",
    status_code=204,
    response_class=Response,
)
async def resend(request: Request, id: ChannelId, letter: LetterId) -> Response:
    async with scoped(request, WRITE) as connection:
        numbers = [(await _channel(connection, request, id))["no"]]
        if not await letters.send_again(connection, letter, numbers):
            raise not_found(NO_LETTER, str(letter))
    return Response(status_code=204)
