"""What the addresses of message channels take and answer, as models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from api.answers import Next
from api.bodies import Body
from api.http import MAX_ID, PLAIN_PATTERN

OwnKind = Literal["email", "webhook"]
UnitKind = Literal["wecom", "dingtalk", "feishu", "webhook"]
AnyKind = Literal["email", "webhook", "wecom", "dingtalk", "feishu"]
#: Hours and minutes of the day in China.
CLOCK_PATTERN = r"^([01]\d|2[0-3]):[0-5]\d$"
Clock = Annotated[str, StringConstraints(pattern=CLOCK_PATTERN)]
Address = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2_000, pattern=PLAIN_PATTERN),
    Field(description="e-mail address, or the https address of a webhook or bot; shown never again"),
]
Unit = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID, pattern=PLAIN_PATTERN)]


class QuietHours(Body):
    """Messages wait from `from` to `to` (may go over midnight; time in China), but for urgent ones. Both null: at any time."""

    begin: Clock | None = Field(None, alias="from")
    end: Clock | None = Field(None, alias="to")


class OwnChannelBody(Body):
    """A channel of the caller. A webhook is signed by Standard Webhooks; its secret is in the answer."""

    kind: OwnKind
    address: Address


class UnitChannelBody(Body):
    """The group of a unit. `about`: `unit` = what the unit has to do; `office` = what the vehicle office has to do with this unit
    and those below it. `secret`: of the bot's signature (加签), where it has one."""

    organisation: Unit
    about: Literal["unit", "office"] = "unit"
    kind: UnitKind
    address: Address
    secret: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~]+$")] | None = None


class ChannelCode(Body):
    """The code that came to the address."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PLAIN_PATTERN)]


class ChannelSwitch(Body):
    """Whether messages go there. What waits for a channel that is switched off is forgotten."""

    enabled: bool


class ChannelShown(BaseModel):
    """A channel. `address` is masked. Before `confirmed_at` nothing but the code goes there. `last_error`: why it does not work."""

    id: str
    kind: AnyKind
    address: str
    organisation: str | None
    about: Literal["unit", "office"] | None
    enabled: bool
    confirmed_at: datetime | None
    created_at: datetime
    failing_since: datetime | None
    last_error: str | None
    waiting: int
    dead: int


class ChannelMade(ChannelShown):
    """`secret`: of a webhook, shown this once."""

    secret: str | None


class ChannelList(BaseModel):
    """Channels."""

    items: list[ChannelShown]


class OwnMessageSettings(BaseModel):
    """Where the caller's messages go, and when not."""

    quiet_from: str | None
    quiet_to: str | None
    items: list[ChannelShown]


class Letter(BaseModel):
    """A message on its way. `case` and `number` are null for a code."""

    id: int
    channel: str
    kind: AnyKind
    address: str
    case: str | None
    number: str | None
    state: Literal["waiting", "sent", "dead"]
    attempts: int
    last_error: str | None
    created_at: datetime
    ended_at: datetime | None


class Letters(BaseModel):
    """A page, newest first."""

    items: list[Letter]
    next: Next


class Failure(Letter):
    """A dead letter of somebody."""

    person: str


class Failures(BaseModel):
    """A page, newest first."""

    items: list[Failure]
    next: Next


BODIES = (QuietHours, OwnChannelBody, UnitChannelBody, ChannelCode, ChannelSwitch)
