"""What the addresses of channels share."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from fastapi import Path, Query, Request

from api.errors import Problem, not_found
from api.http import MAX_ID, make_cursor
from api.identity.refusals import as_problems
from office.messages import channels
from office.messages.channels import Owner, Rules, TooManyCodesError
from office.posting.addresses import Policy
from office.posting.signatures import SECRET_BYTES, shown
from runtime.connection import Connection

ChannelId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
LetterId = Annotated[int, Path(ge=1, le=2**53)]
LetterState = Annotated[
    Literal["waiting", "sent", "dead"] | None,
    Query(description="dead: given up; send it again, or mend the channel"),
]
NO_CHANNEL = "没有这个通道 · no such channel"
NO_LETTER = "没有这条未送达的消息，或已过保存期限 · no such dead letter, or not kept any more"


def rules_of(request: Request, *, personal: bool) -> Rules:
    """What addresses must be. What a person sets for himself (``personal``) is a public address: else everybody who may sign in
    could have the server ask what is in the networks of the office."""
    settings = request.app.state.settings
    return Rules(
        Policy(loopback=settings.webhook_loopback) if personal else Policy.configured(settings),
        settings.smtp_host is not None,
        settings.message_mail_domains,
        frozenset(settings.message_bot_hosts),
    )


@contextmanager
def refusals() -> Iterator[None]:
    """Around work on channels: its refusals become problems."""
    try:
        with as_problems():
            yield
    except TooManyCodesError as error:
        raise Problem(
            429,
            "too-many-codes",
            f"确认码发送过多，请 {-(-error.wait_s // 60)} 分钟后再试 · too many codes were sent; again in {error.wait_s} s",
            headers={"Retry-After": str(error.wait_s)},
        ) from None


async def made(
    connection: Connection,
    request: Request,
    by: str,
    owner: Owner,
    kind: str,
    address: str,
    secret: str | None,
) -> dict[str, Any]:
    """A new channel as it is shown once."""
    if kind == "webhook":
        secret = shown(secrets.token_bytes(SECRET_BYTES))
    number = await channels.add(connection, request.app.state.desk.sealer, by, owner, kind, address, secret)
    found = await channels.by_number(connection, number)
    return channel_body(found) | {"secret": secret if kind == "webhook" else None}


def channel_body(row: dict[str, Any]) -> dict[str, Any]:
    """A channel as it is shown."""
    return {
        "id": row["id"].hex,
        "kind": row["kind"],
        "address": row["shown"],
        "organisation": row["organisation"],
        "about": row["about"],
        "enabled": row["enabled"],
        "confirmed_at": row["confirmed_at"],
        "created_at": row["created_at"],
        "failing_since": row["failing_since"],
        "last_error": row["last_error"],
        "waiting": row["waiting"],
        "dead": row["dead"],
    }


def letters_body(found: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    """A page of messages."""
    following = make_cursor("letters", found[-1]["id"]) if len(found) == limit else None
    return {"items": [one | {"channel": one["channel"].hex} for one in found], "next": following}


async def channel_of(
    connection: Connection, id: str, person: str | None, *, lock: bool = False
) -> dict[str, Any]:
    """The channel of ``person``, or (None) of a unit that is reached. Raises Problem 404."""
    found = await channels.find(connection, id, person=person, lock=lock) if id.isprintable() else None
    if found is None:
        raise not_found(NO_CHANNEL, id)
    return found


async def confirmed(connection: Connection, channel: dict[str, Any], code: str) -> bool:
    """Whether the channel is confirmed now. A channel that was confirmed before stays so."""
    return channel["confirmed_at"] is not None or await channels.confirm(connection, channel["no"], code)


def wrong_code() -> Problem:
    """422 for a code that is not right, was tried too often, or has ended: all answered alike."""
    message = "确认码不正确或已失效，请核对；也可重新发送 · the code is wrong or has ended; check it, or have another one sent"
    return Problem(422, "wrong-code", message, errors=[{"pointer": "/code", "message": message}])
