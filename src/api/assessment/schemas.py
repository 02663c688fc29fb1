"""What these operations take and answer, as models for the OpenAPI description. Points are texts with two decimals."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.answers import page_of
from office.assessment.table import Code, Fact, ScoreTable
from office.supervision.contents import Finding, Reason
from registry.values import Day, Name

#: ``-2.50``
Shown = Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]{2}$", description="points, two decimals")]
Judged = Literal["judged", "not judged: no data"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableDraft(_Body):
    """评分表草稿. `revision`: of the draft that you saw, 0 = there was none."""

    revision: int = Field(ge=0, le=1_000_000, strict=True)
    table: ScoreTable


class TablePublish(_Body):
    """发布: the draft as you saw it, from a day of its year on."""

    revision: int = Field(ge=1, le=1_000_000, strict=True)
    valid_from: Day


class SheetClose(_Body):
    """关闭考核表: exactly the content that you saw."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="`digest` of the sheet as you saw it")]


class DisputeRaise(_Body):
    """异议: which line, and why."""

    number: Name = Field(description="督办编号 of the line")
    version: int = Field(ge=1, le=1_000_000, strict=True)
    item: Code
    fact: Fact
    reason: Reason


class DisputeDecide(_Body):
    """决定: whether the line is taken away."""

    upheld: bool = Field(strict=True)
    reason: Reason


BODIES: Final[tuple[type[BaseModel], ...]] = (
    TableDraft,
    TablePublish,
    SheetClose,
    DisputeRaise,
    DisputeDecide,
)


class TableVersion(BaseModel):
    """A version of a scoring table. `valid_from` null: a draft."""

    organisation: str
    year: int
    version: int
    revision: int
    state: Literal["draft", "published"]
    valid_from: date | None
    drafted_at: datetime
    published_at: datetime | None


class TableWithContent(TableVersion):
    """A version with its content."""

    table: ScoreTable


class TableVersions(BaseModel):
    """The versions of a unit's table of a year; the draft only for who may draft. `shipped`: the table that comes with the program."""

    items: list[TableWithContent]
    shipped: ScoreTable


class TableNamed(BaseModel):
    """Which version of which unit's table. Version 0: the one that comes with the program; nobody has published one."""

    organisation: str
    year: int
    version: int
    valid_from: date


class SheetItem(BaseModel):
    """An item of the table. Numbers are null where nothing is known: that is not zero."""

    code: str
    name: str
    maximum: Shown
    state: Judged
    points: Shown | None
    deducted: Shown | None
    given_back: Shown | None


class SheetLine(BaseModel):
    """What one case cost in one item. `full` = `points` x `count`; `deducted`: what the maximum of the item left of it;
    `net` = `deducted` - `given_back`."""

    case: str | None = Field(description="its id; null where you do not see the case")
    version: int = Field(description="of the close of the case: a case that is closed anew makes other lines")
    item: str
    fact: Fact
    number: str = Field(description="督办编号")
    day: date
    finding: Finding
    rule: str | None
    severity: str | None
    points: Shown
    count: int
    full: Shown
    deducted: Shown
    capped: bool
    given_back: Shown
    given_back_percent: int | None
    given_back_why: str | None
    measures_due: date | None
    rectified: date | None
    objection_upheld: bool
    net: Shown
    table_version: int


class SheetCorrection(BaseModel):
    """冲正: what a line of a closed sheet comes to now. `amount` = `booked` - `now`, added to the score."""

    of: str
    case: str | None
    version: int
    item: str
    fact: Fact
    number: str
    booked: Shown
    now: Shown
    amount: Shown
    why: str


class Indicator(BaseModel):
    """A number with its definition: `count` of `of`. Null where there is nothing to count."""

    code: str
    name: str
    state: Judged
    count: int | None
    of: int | None
    permille: int | None
    definition: str


class UnitScore(BaseModel):
    """A unit below."""

    organisation: str
    score: Shown
    closed: bool


class Below(BaseModel):
    """The units below that have vehicles or lines: how many, and the mean of their scores."""

    units: int
    mean: Shown | None
    lowest: Shown | None
    highest: Shown | None
    scores: list[UnitScore]


class AssessmentSheet(BaseModel):
    """考核评分表. score = 100 - sum of `net` + sum of the corrections' `amount`."""

    organisation: str
    period: str
    tables: list[TableNamed]
    dispute_wd: int
    items: list[SheetItem]
    lines: list[SheetLine]
    corrections: list[SheetCorrection]
    deducted: Shown
    given_back: Shown
    corrected: Shown
    score: Shown
    digest: str
    indicators: list[Indicator]
    below: Below
    closed_at: datetime | None = Field(description="null: open, computed from the cases as they are now")
    closed_by: str | None
    objections_until: date | None = Field(description="last day for objections; null: open, or not known yet")


class Ranked(BaseModel):
    """A unit in its place. `units`: of how many units below it the score is the mean; null: its own score."""

    rank: int
    organisation: str
    score: Shown
    closed: bool
    units: int | None


class Ranking(BaseModel):
    """Units by score, the highest first; equal scores have one rank."""

    period: str
    organisation: str
    of: Literal["units", "children"]
    items: list[Ranked]


class Dispute(BaseModel):
    """An objection, with what was decided."""

    id: str
    organisation: str
    period: str
    number: str
    version: int
    item: str
    fact: Fact
    reason: str
    raised_by: str
    raised_at: datetime
    state: Literal["open", "upheld", "rejected"]
    decision: str | None
    decided_by: str | None
    decided_at: datetime | None


TableVersionPage: Final = page_of(TableVersion)
DisputePage: Final = page_of(Dispute)
