"""What subscriptions and webhooks take and answer, as models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, WithJsonSchema

from api.alerts.waiting import MOST_VALUES, RuleName
from api.answers import AlertBody, Next
from api.bodies import Body
from api.http import MAX_CURSOR, MAX_ID, PLAIN_PATTERN, TIME_PATTERN
from registry.values import parse_time

#: The name of a subscription: lower case letters, digits, - and _.
NAME_PATTERN = "^[a-z0-9][a-z0-9_-]{0,62}$"

Unit = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID, pattern=PLAIN_PATTERN)]
Severity = Literal["low", "medium", "high"]
Status = Literal["suspected", "withdrawn"]
PlaceText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CURSOR)]


class SubscriptionBody(Body):
    """What a subscription is to get; null = all. Units with those below them."""

    organisations: list[Unit] | None = Field(None, min_length=1, max_length=MOST_VALUES)
    rules: list[RuleName] | None = Field(None, min_length=1, max_length=MOST_VALUES)
    severities: list[Severity] | None = Field(None, min_length=1, max_length=3)
    statuses: list[Status] | None = Field(
        None,
        min_length=1,
        max_length=2,
        description="without `withdrawn` a reader never hears that an alert was wrong",
    )
    envelope: Literal["plain", "cloudevents"] = "plain"
    begin: Literal["first", "now"] = Field(
        "first",
        description="where a new one begins: with the first entry of the feed, or with what comes from now on",
    )


class Lag(BaseModel):
    """How far a subscription is behind."""

    entries: int = Field(description="entries for it that were not confirmed; counted up to 1,000")
    more: bool = Field(description="there are, or may be, more than were counted")
    oldest_at: datetime | None = Field(description="when the first of them was written")


class SubscriptionShown(BaseModel):
    """A subscription. `cursor`: up to where its reader has confirmed."""

    name: str
    organisations: list[str] | None
    rules: list[str] | None
    severities: list[str] | None
    statuses: list[str] | None
    envelope: Literal["plain", "cloudevents"]
    cursor: str
    sequence: int
    committed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class SubscriptionWithLag(SubscriptionShown):
    """The same, and how far it is behind."""

    lag: Lag


class Subscriptions(BaseModel):
    """The subscriptions of the caller."""

    items: list[SubscriptionShown]


class Entries(BaseModel):
    """A page behind the place of the subscription. `cursor`: where it begins, `next`: what to confirm when the items are safe."""

    items: list[AlertBody | dict[str, Any]]
    cursor: str
    next: str


class CommitBody(Body):
    """`cursor`: up to there everything is safe. `expected`: the `cursor` of the page that was read, so that nobody who read
    beside it is overrun."""

    cursor: PlaceText
    expected: PlaceText


def _time(value: object) -> object:
    return parse_time(value) if isinstance(value, str) else value


Moment = Annotated[
    datetime,
    BeforeValidator(_time),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": TIME_PATTERN}),
]


class SeekBody(Body):
    """Exactly one of `time` (go on with the first entry that was written then or later), `sequence` and `cursor` (go on behind
    it). `webhook`: what lies behind is delivered again as well."""

    time: Moment | None = None
    sequence: int | None = Field(None, ge=0, le=2**53)
    cursor: PlaceText | None = None
    webhook: bool = False


class Place(BaseModel):
    """Where the subscription stands now."""

    cursor: str
    sequence: int


class WebhookBody(Body):
    """Where the entries of the subscription are sent. `enabled: true` lets one that was disabled go on."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[!-~]+$")] = Field(
        json_schema_extra={"example": "https://inspection.example.cn/gongche"}
    )
    enabled: bool = True


class WebhookShown(BaseModel):
    """A webhook. `failing_since`: since then no delivery has succeeded."""

    url: str
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    waiting: int = Field(description="deliveries on their way")
    dead: int = Field(description="deliveries that were given up")
    sequence: int = Field(description="up to this place of the feed its deliveries have been made")
    secrets: int = Field(description="how many secrets sign now: 2 while one takes the other's place")


class WebhookCreated(WebhookShown):
    """The same. `secret` is shown once, when the webhook is made: deliveries are signed with it."""

    secret: str | None = None


class RotateBody(Body):
    """`keep_old_s`: so many seconds deliveries carry the signature of the old secret as well."""

    keep_old_s: int = Field(86_400, ge=0, le=30 * 86_400)


class NewSecret(BaseModel):
    """The new secret, shown once."""

    secret: str
    old_expires_at: datetime | None


class Attempt(BaseModel):
    """One attempt to deliver. `answer`: the first 500 characters of what came back."""

    at: datetime
    took_ms: int
    status: int | None
    error: str | None
    answer: str | None


class DeliveryShown(BaseModel):
    """An entry on its way to a webhook."""

    id: int
    sequence: int
    alert: str
    version: int
    state: Literal["waiting", "delivered", "dead", "withheld"]
    attempts: int
    due_at: datetime | None
    last_error: str | None
    created_at: datetime
    ended_at: datetime | None


class DeliveryWithAttempts(DeliveryShown):
    """The same with the last attempts, newest first."""

    tried: list[Attempt]


class Deliveries(BaseModel):
    """A page of deliveries, newest first."""

    items: list[DeliveryShown]
    next: Next


class TestResult(BaseModel):
    """What came of a test delivery."""

    delivered: bool
    attempt: Attempt
