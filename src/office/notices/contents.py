"""What people write of a notice, and what is frozen of it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from office.identity.subject import Role
from registry.refusals import PlacedError
from registry.values import Day, Identifier, Name, Text, readable

PUBLISH: Final = "notices:publish"
#: Who reads what is for his units: everybody who works with vehicles.
READS: Final = ("registry:read", "trips:apply", "trips:drive", PUBLISH)


class NoticeKind(StrEnum):
    """A text, or a publication that the program makes of its records."""

    NOTICE = "notice"
    DISPOSALS = "disposals"
    RENTALS = "rentals"


KIND_NAMES: Final[Mapping[NoticeKind, str]] = {
    NoticeKind.NOTICE: "通知", NoticeKind.DISPOSALS: "车辆处置公示", NoticeKind.RENTALS: "社会车辆租赁公示",
}  # fmt: skip
#: The columns of a publication, with their shares of the width of a page.
COLUMNS: Final[Mapping[NoticeKind, tuple[tuple[str, float], ...]]] = {
    NoticeKind.NOTICE: (),
    NoticeKind.DISPOSALS: (("单位", 2), ("号牌", 1.1), ("处置方式", 1), ("原因", 2), ("办结日期", 1.1), ("收入（元）", 1)),
    NoticeKind.RENTALS: (("单位", 2), ("报备号", 1.8), ("起", 1.2), ("止", 1.2), ("供应商", 1.8), ("号牌", 1.1), ("金额（元）", 1)),
}  # fmt: skip


def _written(value: str) -> str:
    readable(value.replace("\n", " "))
    return value


_Body = Annotated[str, StringConstraints(max_length=10_000, strip_whitespace=True), AfterValidator(_written)]


class _Addressed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    organisation: Identifier = Field(description="who publishes")
    units: list[Identifier] = Field(
        default_factory=list,
        max_length=1000,
        description="for these units and those below them; empty: below who publishes",
    )
    roles: list[Role] = Field(
        default_factory=list,
        max_length=len(Role),
        description="for people with one of these roles; empty: for all",
    )
    title: Name
    valid_to: Day | None = Field(None, description="the last day on which it holds")
    pinned: bool = False
    receipt: bool = Field(False, description="需回执")


class NoticeNew(_Addressed):
    """A notice."""

    body: Annotated[_Body, StringConstraints(min_length=1)]


class PublicationNew(_Addressed):
    """A publication: its rows are made of the records of the days from `first` to `last`, and nobody types them."""

    kind: Literal["disposals", "rentals"]
    first: Day
    last: Day
    body: _Body = Field(
        "", description="what stands above the rows: the term and the telephone for objections, say"
    )

    @model_validator(mode="after")
    def _ordered(self) -> PublicationNew:
        if self.last < self.first:
            raise PlacedError("截止日早于起始日，请核对 · the last day is before the first", "last")
        return self


class NoticeWithdrawal(BaseModel):
    """Why a notice does not hold any more."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    reason: Annotated[Text, StringConstraints(min_length=5, max_length=200)]


class NoticeReading(BaseModel):
    """You have read it. `organisation`: for which of your units; `confirm`: you confirm it (回执)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    organisation: Identifier
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A row of a publication, of one vehicle."""

    vehicle: str
    cells: tuple[str, ...]


def frozen_sha256(
    number: str, kind: NoticeKind, title: str, body: str, valid_to: date | None, rows: Sequence[PublishedRow]
) -> bytes:
    """SHA-256 of all that a reader is shown, as canonical JSON."""
    said: dict[str, Any] = {
        "number": number, "kind": kind, "title": title, "body": body, "valid_to": None if valid_to is None else valid_to.isoformat(),
        "columns": [name for name, _ in COLUMNS[kind]], "rows": [[row.vehicle, *row.cells] for row in rows],
    }  # fmt: skip
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()
