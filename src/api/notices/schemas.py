"""What these operations read and answer, as models for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from pydantic import BaseModel

from api.answers import Hash, Next, page_of
from office.identity.subject import Role
from office.notices.contents import NoticeKind, NoticeNew, NoticeReading, NoticeWithdrawal, PublicationNew

#: The bodies that these operations read by hand.
BODIES: Final[tuple[type[BaseModel], ...]] = (NoticeNew, PublicationNew, NoticeWithdrawal, NoticeReading)


class NoticeRow(BaseModel):
    """A notice as it is listed. `sha256`: of all that it says, as it was published; `read_at`, `confirmed_at`: by you. `rows`: of a publication."""

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
    published_at: datetime
    published_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdraw_reason: str | None
    read_at: datetime | None
    confirmed_at: datetime | None


NoticePage: Final = page_of(NoticeRow)


class NoticeView(NoticeRow):
    """A notice. `columns`, `table`: of a publication; rows of a vehicle that has become secret since are left out, `rows` counts them still."""

    body: str
    columns: list[str]
    table: list[list[str]]


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
