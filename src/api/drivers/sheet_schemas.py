"""What operations on sheets of drivers answer, as models for the OpenAPI description. Points are texts with two decimals."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from api.answers import page_of
from api.assessment.schemas import Judged, Shown
from office.assessment.driver_table import DriverFact, DriverScoreTable


class DriverTableNamed(BaseModel):
    """Which table. Version 0: the one that is shipped."""

    organisation: str | None
    version: int


class DriverSheetItem(BaseModel):
    """An item, and what its lines cost."""

    code: str
    name: str
    maximum: Shown
    state: Judged
    deducted: Shown


class DriverSheetLine(BaseModel):
    """What one fact costs. `line` names it in an objection; `source`: the id of the record; `deducted`: what the maximum of its item left of `points`."""

    line: str
    item: str
    fact: DriverFact
    fact_name: str
    source: str
    number: str
    day: date
    what: str
    points: Shown
    deducted: Shown
    capped: bool


class DriverUndetermined(BaseModel):
    """What could not be determined, and costs nothing."""

    fact: DriverFact
    fact_name: str
    count: int
    why: str


class DriverObjection(BaseModel):
    """An objection, with what was decided."""

    id: str
    driver: str
    period: str
    line: str
    reason: str
    raised_by: str
    raised_at: datetime
    state: Literal["open", "upheld", "rejected"]
    decision: str | None
    decided_by: str | None
    decided_at: datetime | None


class DriverSheet(BaseModel):
    """季度考核表. `score` = 100 - the lines' `deducted` + `added`, at most 100; `score_now`: after objections that were upheld."""

    driver: str
    name: str
    organisation: str
    period: str
    table: DriverTableNamed
    objection_wd: int
    items: list[DriverSheetItem]
    lines: list[DriverSheetLine]
    undetermined: list[DriverUndetermined]
    deducted: Shown
    added: Shown
    added_reason: str
    score: Shown
    digest: str
    without_secret: bool | None = Field(
        description="true: who computed or issued it sees no secret vehicles, so trips with such, if there are any, are left out; null: issued before this was kept"
    )
    issued_by: str | None
    issued_at: datetime | None = Field(description="null: not issued, computed from what is known now")
    objections: list[DriverObjection]
    objections_until: date | None = Field(
        description="last day for objections; null: not issued, or not known yet"
    )
    score_now: Shown


class DriverSheetRow(BaseModel):
    """An issued sheet."""

    driver: str
    period: str
    organisation: str
    name: str
    score: Shown
    issued_by: str
    issued_at: datetime
    open_objections: int


class DriverTableVersion(BaseModel):
    """A version of a unit's table."""

    organisation: str
    version: int
    valid_from: date
    table: DriverScoreTable
    made_by: str
    made_at: datetime


class DriverTables(BaseModel):
    """The unit's own versions, the newest first; `shipped`: what holds where neither it nor a unit above it has one."""

    items: list[DriverTableVersion]
    shipped: DriverScoreTable


class DriverFactShown(BaseModel):
    """A fact that somebody entered."""

    id: str
    organisation: str
    driver: str
    kind: DriverFact
    kind_name: str
    day: date
    reference: str
    note: str
    entered_at: datetime
    entered_by: str
    voided_at: datetime | None
    voided_by: str | None
    void_reason: str | None


class DriverFacts(BaseModel):
    """By day."""

    items: list[DriverFactShown]


DriverSheetPage: Final = page_of(DriverSheetRow)
