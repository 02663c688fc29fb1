"""/v1/session/message-channels, quiet hours, letters: where my own messages go."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.bodies import body_of
from api.errors import Problem, not_found
from api.http import DEFAULT_PAGE, Cursor, Limit, json_response, read_cursor
from api.identity.schemas import read_body
from api.identity.session import settled
from api.messages.common import (
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
    ChannelMade,
    ChannelShown,
    ChannelSwitch,
    Letters,
    OwnChannelBody,
    OwnMessageSettings,
    QuietHours,
)
from office.messages import channels, letters
from office.messages.channels import Owner
from runtime.connection import Connection

router = APIRouter(prefix="/v1/session", tags=["message channels"])


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _minute(clock: str) -> int:
    return 60 * int(clock[:2]) + int(clock[3:])


async def _state(connection: Connection, person: str) -> dict[str, Any]:
    hours = await channels.quiet_hours(connection, person)
    found = await channels.of_person(connection, person)
    return {
        "quiet_from": None if hours is None else _clock(hours[0]),
        "quiet_to": None if hours is None else _clock(hours[1]),
        "items": [channel_body(one) for one in found],
    }


@router.get(
    "/message-channels",
    summary="我的消息通道 / where my messages go, and when not",
    response_model=OwnMessageSettings,
)
async def listed(request: Request) -> Response:
    session = await settled(request)
    async with request.app.state.desk.connection() as connection:
        return json_response(await _state(connection, session.subject.id))


@router.put(
    "/quiet-hours",
    summary="免打扰时段 / when messages wait",
    response_model=OwnMessageSettings,
    openapi_extra=body_of(QuietHours),
)
async def quiet(request: Request) -> Response:
    """What waits comes together when they end. Urgent messages (紧急) come at any time."""
    session = await settled(request)
    given = await read_body(request, QuietHours)
    if (given.begin is None) != (given.end is None) or (given.begin is not None and given.begin == given.end):
        message = "起止时间须同时填写且不同，或同时为空 · give both, not the same; or neither"
        raise Problem(422, "invalid-data", message, errors=[{"pointer": "/to", "message": message}])
    hours = None if given.begin is None or given.end is None else (_minute(given.begin), _minute(given.end))
    async with request.app.state.desk.transaction() as connection:
        await channels.set_quiet_hours(connection, session.subject.id, hours)
        return json_response(await _state(connection, session.subject.id))


@router.post(
    "/message-channels",
    summary="添加消息通道 / a new channel; a code is sent to it",
    response_model=ChannelMade,
    status_code=201,
    openapi_extra=body_of(OwnChannelBody),
)
async def add(request: Request) -> Response:
    """Nothing else goes there until the code came back (`/confirm`)."""
    session = await settled(request)
    given = await read_body(request, OwnChannelBody)
    address = channels.check_address(given.kind, given.address, rules_of(request, personal=True))
    person = session.subject.id
    with refusals():
        async with request.app.state.desk.transaction() as connection:
            shown = await made(
                connection, request, session.subject.key, Owner(person=person), given.kind, address, None
            )
    return json_response(shown, 201)


@router.post(
    "/message-channels/{id}/confirm",
    summary="确认消息通道 / the code came back: use the channel",
    response_model=ChannelShown,
    openapi_extra=body_of(ChannelCode),
)
async def confirm(request: Request, id: ChannelId) -> Response:
    """A code is valid for 30 minutes and may be tried 5 times."""
    session = await settled(request)
    given = await read_body(request, ChannelCode)
    async with request.app.state.desk.transaction() as connection:
        found = await channel_of(connection, id, session.subject.id, lock=True)
        done = await confirmed(connection, found, given.code)
        shown = channel_body(await channels.by_number(connection, found["no"]))
    if not done:
        raise wrong_code()
    return json_response(shown)


@router.post(
    "/message-channels/{id}/code",
    summary="重新发送确认码 / have another code sent",
    status_code=204,
    response_class=Response,
)
async def another_code(request: Request, id: ChannelId) -> Response:
    """At most 5 codes an hour. The code before is void."""
    session = await settled(request)
    with refusals():
        async with request.app.state.desk.transaction() as connection:
            found = await channel_of(connection, id, session.subject.id, lock=True)
            if found["confirmed_at"] is None:
                await channels.send_code(
                    connection, request.app.state.desk.sealer, session.subject.key, found["no"]
                )
    return Response(status_code=204)


@router.put(
    "/message-channels/{id}",
    summary="启用或停用消息通道 / switch a channel on or off",
    response_model=ChannelShown,
    openapi_extra=body_of(ChannelSwitch),
)
async def switch(request: Request, id: ChannelId) -> Response:
    session = await settled(request)
    given = await read_body(request, ChannelSwitch)
    async with request.app.state.desk.transaction() as connection:
        found = await channel_of(connection, id, session.subject.id, lock=True)
        await channels.enable(connection, found["no"], given.enabled)
        return json_response(channel_body(await channels.by_number(connection, found["no"])))


@router.delete(
    "/message-channels/{id}",
    summary="删除消息通道 / delete a channel",
    status_code=204,
    response_class=Response,
)
async def remove(request: Request, id: ChannelId) -> Response:
    session = await settled(request)
    async with request.app.state.desk.transaction() as connection:
        found = await channel_of(connection, id, session.subject.id)
        await channels.remove(connection, found["no"])
    return Response(status_code=204)


@router.get(
    "/message-letters",
    summary="我的消息发送记录 / what became of messages to my channels",
    response_model=Letters,
)
async def letters_of(
    request: Request, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE, state: LetterState = None
) -> Response:
    """Newest first. What ended is kept for GONGCHE_MESSAGE_RETENTION_DAYS."""
    place = read_cursor("letters", cursor, int)
    session = await settled(request)
    async with request.app.state.desk.connection() as connection:
        numbers = [one["no"] for one in await channels.of_person(connection, session.subject.id)]
        found = await letters.of_channels(connection, numbers, state, limit, place[0] if place else None)
    return json_response(letters_body(found, limit))


@router.post(
    "/message-letters/{letter}/resend",
    summary="重新发送 / send a dead letter again",
    status_code=204,
    response_class=Response,
)
async def resend(request: Request, letter: LetterId) -> Response:
    session = await settled(request)
    async with request.app.state.desk.transaction() as connection:
        numbers = [one["no"] for one in await channels.of_person(connection, session.subject.id)]
        if not await letters.send_again(connection, letter, numbers):
            raise not_found(NO_LETTER, str(letter))
    return Response(status_code=204)
