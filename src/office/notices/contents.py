"""What people write of a notice, and what is frozen of it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
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
    FUEL = "fuel"


KIND_NAMES: Final[Mapping[NoticeKind, str]] = {
    NoticeKind.NOTICE: "通知", NoticeKind.DISPOSALS: "车辆处置公示", NoticeKind.RENTALS: "社会车辆租赁公示",
    NoticeKind.FUEL: "单车油耗公示",
}  # fmt: skip
#: How a plate is published: as it is, or without its middle.
Plates = Literal["full", "masked"]
#: Working days within which somebody may object to a publication (公示期).
OBJECTION_WD: Final = 5
#: A cell of which nothing can be told.
UNKNOWN: Final = "不详"
NOT_JUDGED: Final = "不可判"
_LEAST_REASON: Final = 5
_LEAST_PHONE: Final = 3
_SHORTEST_MASKED: Final = 6
#: The columns of a publication, with their shares of the width of a page.
COLUMNS: Final[Mapping[NoticeKind, tuple[tuple[str, float], ...]]] = {
    NoticeKind.NOTICE: (),
    NoticeKind.DISPOSALS: (("单位", 2), ("号牌", 1.1), ("处置方式", 1), ("原因", 2), ("办结日期", 1.1), ("收入（元）", 1)),
    NoticeKind.RENTALS: (("单位", 2), ("报备号", 1.8), ("起", 1.2), ("止", 1.2), ("供应商", 1.8), ("号牌", 1.1), ("金额（元）", 1)),
    NoticeKind.FUEL: (
        ("序号", 0.7), ("单位", 1.8), ("号牌", 1.5), ("车型", 1.8), ("排量（升）", 0.9), ("燃料", 0.9), ("期初里程（公里）", 1.3), ("期末里程（公里）", 1.3),
        ("行驶公里", 1.2), ("加注次数", 0.8), ("加注量（升；电：千瓦时）", 1.3), ("金额（元）", 1.4), ("百公里油耗（升；电：千瓦时）", 1.2), ("同型均值", 1),
        ("同比（%）", 1), ("环比（%）", 1), ("说明", 3),
    ),
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


class PublicationRemark(BaseModel):
    """What stands beside the figures of a vehicle, in the words of who publishes."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    vehicle: Identifier
    text: Annotated[Text, StringConstraints(min_length=2)]


class PublicationNew(_Addressed):
    """A publication: its rows are made of the records of the days from `first` to `last`, and nobody types them. `fuel`: the days are those of a quarter that is over."""

    kind: Literal["disposals", "rentals", "fuel"]
    first: Day
    last: Day
    body: _Body = Field("", description="what stands above the rows")
    phone: Annotated[Text, StringConstraints(max_length=40)] = Field(
        "", description="公示期间的联系电话；油耗公示必填"
    )
    plates: Plates | None = Field(
        None, description="油耗公示的号牌：`masked`（隐去中间，默认）或 `full`（全部）"
    )
    remarks: list[PublicationRemark] = Field(
        default_factory=list, max_length=1000, description="油耗公示：个别车辆的说明"
    )
    replaces: Identifier | None = Field(
        None, description="`id` of the publication that this one corrects: it is withdrawn in the same act"
    )
    reason: Text = Field("", description="why it is corrected; with `replaces`")

    @model_validator(mode="after")
    def _ordered(self) -> PublicationNew:
        if self.last < self.first:
            raise PlacedError("截止日早于起始日，请核对 · the last day is before the first", "last")
        if (self.replaces is None) != (len(self.reason) < _LEAST_REASON):
            raise PlacedError(
                f"更正公示须写明更正哪一份（replaces）和理由（reason，至少 {_LEAST_REASON} 个字） · a correction says what it replaces and why", "reason"
            )  # fmt: skip
        if self.kind == "fuel":
            self._is_of_a_quarter()
        elif self.plates is not None or self.remarks:
            field = "remarks" if self.remarks else "plates"
            raise PlacedError("号牌方式和车辆说明只用于油耗公示，请删去 · of publications of fuel alone: leave it out", field)  # fmt: skip
        return self

    def _is_of_a_quarter(self) -> None:
        if self.first.day != 1 or self.first.month % 3 != 1 or self.last != quarter_end(self.first):
            raise PlacedError(
                "油耗公示以季度为期：请填季度的第一天和最后一天 · the first and the last day of a quarter", "last"
            )  # fmt: skip
        if len(self.phone) < _LEAST_PHONE:
            raise PlacedError("请填写公示期间的联系电话 · say whom to telephone", "phone")
        named = [remark.vehicle for remark in self.remarks]
        if len(set(named)) < len(named):
            raise PlacedError("同一辆车的说明请合成一条 · one remark for a vehicle", "remarks")


def quarter_end(first: date) -> date:
    """The last day of the quarter that begins on ``first``."""
    return _months_later(first, 3) - timedelta(days=1)


def quarters_before(first: date) -> tuple[date, date]:
    """The first days of the same quarter of the year before, and of the quarter before."""
    return first.replace(year=first.year - 1), _months_later(first, -3)


def _months_later(first: date, months: int) -> date:
    count = first.year * 12 + first.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def shown_plate(plate: str, policy: Plates) -> str:
    """As it is published: masked, two characters at each end are left."""
    return plate if policy == "full" or len(plate) < _SHORTEST_MASKED else f"{plate[:2]}***{plate[-2:]}"


class NoticeWithdrawal(BaseModel):
    """Why a notice does not hold any more."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    reason: Annotated[Text, StringConstraints(min_length=5, max_length=200)]


class NoticeReading(BaseModel):
    """You have read it. `organisation`: for which of your units; `confirm`: you confirm it (回执)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    organisation: Identifier
    confirm: bool = False


_Said = Annotated[
    str, StringConstraints(min_length=5, max_length=1000, strip_whitespace=True), AfterValidator(_written)
]


class PublicationObjection(BaseModel):
    """An objection (异议) to a publication. `row`: to that row of it (`numbers`); left out: to the whole. `organisation`: for which of your units."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    organisation: Identifier
    row: int | None = Field(None, ge=1, le=1_000_000, strict=True)
    reason: _Said


class PublicationAnswer(BaseModel):
    """The answer to it, which is published with it. Upheld: a correction follows as a publication that `replaces` this one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    upheld: bool = Field(strict=True)
    reason: _Said


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A row of a publication, of one vehicle. ``basis``: what it was computed from, frozen with it and not published."""

    vehicle: str
    cells: tuple[str, ...]
    basis: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edition:
    """What is frozen of a publication besides its rows. ``terms``: days, telephone, policy of plates, secret vehicles that are left out, definitions."""

    terms: Mapping[str, Any] = field(default_factory=dict)
    number: int = 1
    replaces: str | None = None


def frozen_sha256(
    number: str, kind: NoticeKind, title: str, body: str, valid_to: date | None, rows: Sequence[PublishedRow], edition: Edition
) -> bytes:  # fmt: skip
    """SHA-256 of all that a reader is shown, and of what it was computed from, as canonical JSON."""
    said: dict[str, Any] = {
        "number": number, "kind": kind, "title": title, "body": body, "valid_to": None if valid_to is None else valid_to.isoformat(),
        "columns": [name for name, _ in COLUMNS[kind]], "rows": [[row.vehicle, *row.cells] for row in rows],
    }  # fmt: skip
    if edition.terms:
        said |= {"terms": dict(edition.terms), "edition": edition.number, "replaces": edition.replaces, "basis": [dict(row.basis) for row in rows]}  # fmt: skip
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()
