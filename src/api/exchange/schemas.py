"""Bodies and answers of /v1/exchange."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from api.answers import page_of
from api.bodies import Body
from api.http import PLAIN_PATTERN
from office.exchange.incoming import MOST_RECORDS
from office.exchange.kinds import NAME_PATTERN

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Count = Annotated[int, Field(ge=0, le=2**53)]


class Stands(Body):
    """What the sender says of a kind: confirmed by the receiver, and waiting."""

    confirmed: Count
    waiting: Count


class ExchangeBatch(Body):
    """Records of an instance below, each `{kind, origin, id, version, organisation, payload}`; each is answered by itself, in order.
    `payload` null: the record was taken back. `source`: how the sender is called here. No record: it only says how it stands."""

    source: Name
    records: Annotated[list[dict[str, Any]], Field(max_length=MOST_RECORDS)]
    stands: Annotated[dict[str, Stands], Field(max_length=20)] = Field(default_factory=dict)


class RecordResult(BaseModel):
    """What became of a record. `known`: a unit that the receiver keeps itself. `version`: the one that the receiver has."""

    outcome: Literal["stored", "unchanged", "known", "refused"]
    code: str | None
    detail: str
    version: int | None


class BatchResult(BaseModel):
    """Everything that is not refused is durable."""

    results: list[RecordResult]


class RecordSent(BaseModel):
    """A record as instances exchange it."""

    kind: str
    origin: str
    id: str
    version: int
    organisation: str
    payload: dict[str, Any] | None


class DownPage(BaseModel):
    """What comes down. Keep `cursor` together with the records, and ask again with it; at once when there is `more`."""

    records: list[RecordSent]
    cursor: str
    more: bool


class ReceivedRecord(BaseModel):
    """A record of another instance. `organisation`: the unit of this instance under which it is kept; `unit`: as its origin
    names it; `payload` null: its origin took it back."""

    no: int
    origin: str
    kind: str
    id: str
    peer: str
    organisation: str
    unit: str
    version: int
    status: str | None
    payload: dict[str, Any] | None
    happened_at: datetime
    first_at: datetime
    received_at: datetime


class RecordCount(BaseModel):
    """Records of an origin and kind in a status."""

    origin: str
    kind: str
    status: str | None
    records: int
    last_received_at: datetime


class RecordCounts(BaseModel):
    """All of them."""

    items: list[RecordCount]


class PeerShown(BaseModel):
    """Another instance that we exchange with. `error`: in words, null while all is well."""

    name: str
    direction: Literal["above", "below"]
    organisation: str
    enabled: bool
    units: list[str]
    kinds: list[str]
    error: str | None


class Peers(BaseModel):
    """All that are seen, by name."""

    items: list[PeerShown]


class Outgoing(BaseModel):
    """What goes to a peer above. `waiting`: not confirmed yet; `refused`: dead letters."""

    kind: str
    sent: int
    confirmed: int
    waiting: int
    refused: int
    oldest_waiting_at: datetime | None
    oldest_waiting_s: int
    last_confirmed_at: datetime | None


class Arrival(BaseModel):
    """What came from a peer. `kept`: records that are here, without those that were taken back; `missing`: records that the peer says
    were confirmed and that are not here (a gap)."""

    kind: str
    stored: int
    unchanged: int
    refused: int
    last_refusal: str | None
    last_at: datetime
    said_confirmed: int | None
    said_waiting: int | None
    said_at: datetime | None
    kept: int
    missing: int | None


class PeerState(PeerShown):
    """A peer and how it stands. `snapshot`: what kind the first copy of everything is at; null = it is done."""

    snapshot: str | None
    last_ok_at: datetime | None
    last_error_at: datetime | None
    retry_at: datetime | None
    pulled_at: datetime | None
    outgoing: list[Outgoing]
    arrived: list[Arrival]


class Refusal(BaseModel):
    """A dead letter: a record that the peer refuses. It is tried again when it changes, and by `gongche exchange resend`."""

    kind: str
    origin: str
    id: str
    refused_id: str | None
    code: str
    detail: str
    version: int | None
    refused_at: datetime
    noted_at: datetime


class NoticeBody(Body):
    """A notice to `organisation` and all units below it. `id`: chosen by the sender; the same one again is the same notice."""

    id: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9._:-]{1,64}$")]
    organisation: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PLAIN_PATTERN)]
    title: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PLAIN_PATTERN)]
    body: Annotated[
        str,
        StringConstraints(
            min_length=1,
            max_length=10_000,
            pattern=r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$",
        ),
    ]


class NoticeShown(BaseModel):
    """A notice."""

    id: str
    organisation: str
    title: str
    body: str
    published_by: str
    published_at: datetime


ReceivedPage = page_of(ReceivedRecord)
RefusalPage = page_of(Refusal)
NoticePage = page_of(NoticeShown)
BODIES = (ExchangeBatch, NoticeBody)
