"""Bodies and answers of /v1/backtests."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, field_validator

from api.answers import MeasureValue, Outcome, page_of
from api.http import DAY_PATTERN
from registry.fences import Fence
from registry.values import Identifier, parse_day
from rules.backtest.jobs import MOST_DAYS

State = Literal["queued", "running", "done", "failed", "interrupted", "cancelled"]
Kind = Literal["raised", "withdrawn", "changed"]


def _day(value: str) -> str:
    return parse_day(value).isoformat()


Day = Annotated[
    str, AfterValidator(_day), WithJsonSchema({"type": "string", "format": "date", "pattern": DAY_PATTERN})
]


class BacktestBody(BaseModel):
    """What is to be tried over the days `from` to `to` (the last one included, at most 92). `parameters`: values of parameters of
    `rule`, in their units, as if they had always held; without any, those in force. `organisation`: only the subjects of this unit,
    and only its values; null = everyone, for who reaches everywhere. Or `fence`: as if it had always been the fence of its id; the
    rule is `location` then, and its unit that of the fence. `examples`: so many of each kind are kept."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    rule: Annotated[str, Field(max_length=64)]
    parameters: Annotated[dict[str, int], Field(max_length=50)] = Field(default_factory=dict)
    organisation: Identifier | None = None
    fence: Fence | None = None
    from_: Day = Field(alias="from")
    to: Day
    examples: Annotated[int, Field(ge=0, le=200)] = 20

    @field_validator("to")
    @classmethod
    def _is_a_period(cls, value: str, info: object) -> str:
        first = getattr(info, "data", {}).get("from_")
        if first is not None:
            days = (date.fromisoformat(value) - date.fromisoformat(first)).days + 1
            if days < 1:
                raise ValueError("结束日早于起始日 · must not be before `from`")
            if days > MOST_DAYS:
                raise ValueError(f"最多 {MOST_DAYS} 天 · at most {MOST_DAYS} days")
        return value


class ProposedFence(BaseModel):
    """The fence that is tried."""

    id: str
    name: str
    organisation: str
    vehicles: list[str]


class BacktestShown(BaseModel):
    """A backtest. `ahead`: how many come before it, while it waits. `percent`: how far it is. `pending`: changed facts that nobody had judged when it began: what
    differs may be theirs. `problem`: why there is no result. `interrupted`: the process that ran it is gone; start it again."""

    no: int
    state: State
    rule: str
    organisation: str | None
    parameters: dict[str, int]
    fence: ProposedFence | None
    from_: date = Field(alias="from")
    to: date
    examples: int
    asked_by: str
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    ahead: int | None
    cancelling: bool
    percent: Annotated[int, Field(ge=0, le=100)]
    pending: int | None
    problem: str | None


class KindCounts(BaseModel):
    """How many subjects: `raised` suspected then and not now, `withdrawn` the other way round, `changed` differs otherwise,
    `unchanged`, `waiting` cannot be judged."""

    raised: int
    withdrawn: int
    changed: int
    unchanged: int
    waiting: int


class UnitCounts(BaseModel):
    """The counts of a unit; null: subjects that were never suspected, of which the unit is not told. `findings`: of the subjects of a
    kind that the office found something about in a closed case, how many by finding (docs/supervision.md)."""

    organisation: str | None
    name: str | None
    counts: KindCounts
    findings: dict[str, dict[str, int]]


class BacktestSide(BaseModel):
    """A judgement, as it is or as it would be."""

    outcome: Outcome
    reason_code: str | None
    reason: str
    severity: Literal["low", "medium", "high"] | None
    measures: dict[str, MeasureValue]


class BacktestExample(BaseModel):
    """A subject. `was`: as it is published; null: not judged so far."""

    kind: Kind
    organisation: str | None
    subject: str
    vehicle: str | None
    plate: str | None
    driver: str | None
    order: str | None
    alert: str | None
    finding: str | None
    occurred_from: datetime | None
    occurred_to: datetime | None
    was: BacktestSide | None
    becomes: BacktestSide


class BacktestWithResult(BacktestShown):
    """A backtest and its result within your units, null until it is done. The examples need `alerts:read` as well. What is of secret
    vehicles is neither counted nor shown to who may not know of them."""

    counts: KindCounts | None
    units: list[UnitCounts] | None
    result_examples: list[BacktestExample] | None


BacktestPage = page_of(BacktestShown)
BODIES = (BacktestBody,)
