"""What these operations read and answer, as models for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal

from pydantic import BaseModel

from api.answers import Hash, Next, page_of
from office.identity.subject import Role
from office.notices.contents import (
    NoticeKind,
    NoticeNew,
    NoticeReading,
    NoticeWithdrawal,
    Plates,
    PublicationAnswer,
    PublicationNew,
    PublicationObjection,
)

#: The bodies that these operations read by hand.
BODIES: Final[tuple[type[BaseModel], ...]] = (
    NoticeNew, PublicationNew, NoticeWithdrawal, NoticeReading, PublicationObjection, PublicationAnswer,
)  # fmt: skip


class NoticeRow(BaseModel):
    """A notice as it is listed. `sha256`: of all that it says, as it was published; `read_at`, `confirmed_at`: by you. `rows`: of a publication; `edition`: 2 and more
    correct the one before, `replaces`."""

    id: str
    number: str
    organisation: str
    roles: list[Role]
    kind: NoticeKind
    kind_name: str
    title: str
    valid_to: date | None
    pinned: bool
    receipt: bool
    rows: int
    sha256: Hash
    edition: int
    replaces: str | None
    published_at: datetime
    published_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdraw_reason: str | None
    read_at: datetime | None
    confirmed_at: datetime | None


NoticePage: Final = page_of(NoticeRow)


class PublicationTerms(BaseModel):
    """What is frozen with the rows. `phone`: for questions and objections; `excluded`: secret vehicles (涉密) that are left out. Of fuel alone: `plates`, `excluded`,
    `definitions` (what each figure is, exactly), `as_of` (by the records as they were then)."""

    first: date
    last: date
    phone: str
    plates: Plates | None = None
    excluded: int | None = None
    definitions: list[str] = []
    as_of: datetime | None = None


class NoticeView(NoticeRow):
    """A notice. `columns`, `table`: of a publication, `numbers`: which rows those are; rows of a vehicle that has become secret since are left out, `rows` counts them
    still. `replaced_by`: the publication that corrects it. `object_until`: the last day for objections; null: it takes none, or a day of the term is not published yet."""

    body: str
    columns: list[str]
    table: list[list[str]]
    numbers: list[int]
    terms: PublicationTerms | None
    replaced_by: str | None
    object_until: date | None


class PublicationPreview(BaseModel):
    """What would be published. `vehicles`: of each row, for `remarks`."""

    columns: list[str]
    table: list[list[str]]
    vehicles: list[str]
    terms: PublicationTerms


class PublicationRow(BaseModel):
    """A row with what it was computed from, as it was frozen: dispatches with the first and the last reading of the odometer, lines of the ledger (`/v1/cost-entries/{id}`).
    `outside`: fills that do not count. Empty lists: of publications without figures."""

    no: int
    vehicle: str
    cells: list[str]
    dispatches: list[str]
    entries: list[str]
    outside: int


class PublicationObjectionRow(BaseModel):
    """An objection with its answer. `row`: null = to the whole. Who raised it is not told; `mine`: you did."""

    id: str
    notice: str
    number: str
    row: int | None
    organisation: str
    reason: str
    raised_at: datetime
    mine: bool
    state: Literal["open", "upheld", "rejected"]
    answer: str | None
    answered_by: str | None
    answered_at: datetime | None


PublicationObjectionPage: Final = page_of(PublicationObjectionRow)


class NoticeReceipt(BaseModel):
    """Somebody has read it, for that unit."""

    organisation: str
    person: str
    name: str
    read_at: datetime
    confirmed_at: datetime | None


class NoticeReceipts(BaseModel):
    """A page: the first reader first. `missing`: units for which nobody has confirmed (of a notice without receipts: read) it; with the first page alone."""

    items: list[NoticeReceipt]
    missing: list[str]
    next: Next
