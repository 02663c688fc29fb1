"""The approval table of a unit (审批规则表): which chain a request goes through. Pure.

Rows are tried in their order; the first one that fits counts. A table without a row that fits everything at its end cannot be made valid:
no request may be without somebody who decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from office.requests.contents import Category, Purpose, Scope
from registry.refusals import PlacedError
from registry.values import Identifier, Name
from registry.working_days import Calendar
from runtime.units import CHINA

MAX_ROWS: Final = 100
MAX_POSITIONS: Final = 20
MAX_USERS: Final = 50
Login = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
Code = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,31}$")]
DayType = Literal["workday", "rest", "unknown"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class ApprovalPosition(_Model):
    """Who decides on a level (科室负责人、办公室、分管领导、主要负责人). ``users``: their logins; none = whoever may approve in the unit."""

    code: Code
    name: Name
    users: list[Login] = Field(default_factory=list, max_length=MAX_USERS)


class ApprovalRow(_Model):
    """A row. What is left out fits everything. ``chain``: one to three positions, one after the other."""

    name: Name
    categories: list[Category] = Field(default_factory=list, max_length=10)
    purposes: list[Purpose] = Field(default_factory=list, max_length=20)
    scopes: list[Scope] = Field(default_factory=list, max_length=4)
    day_types: list[DayType] = Field(
        default_factory=list,
        max_length=3,
        description="of the departure; unknown: nobody has published it yet",
    )
    min_hours: int | None = Field(
        None, ge=1, le=2_400, strict=True, description="planned duration at least so long"
    )
    applicants: list[Login] = Field(
        default_factory=list, max_length=MAX_USERS, description="申请人（如主要负责人）: their own requests"
    )
    chain: list[Code] = Field(min_length=1, max_length=3)
    lead_min: int = Field(
        0, ge=0, le=60 * 24 * 30, strict=True, description="提前量, minutes before the departure"
    )
    timeout_min: int = Field(
        120, ge=5, le=60 * 24 * 14, strict=True, description="then the substitute decides as well"
    )
    substitute: Code | None = Field(None, description="代理审批: a position")

    @property
    def catch_all(self) -> bool:
        """Whether it fits every request."""
        return not (
            self.categories or self.purposes or self.scopes or self.day_types or self.applicants or self.min_hours
        )  # fmt: skip


class ApprovalTable(_Model):
    """审批规则表. ``pool``: the unit whose dispatchers assign the vehicles (公务用车平台); left out: the unit itself."""

    pool: Identifier | None = None
    positions: list[ApprovalPosition] = Field(min_length=1, max_length=MAX_POSITIONS)
    rows: list[ApprovalRow] = Field(min_length=1, max_length=MAX_ROWS)

    @model_validator(mode="after")
    def _hangs_together(self) -> ApprovalTable:
        known = [position.code for position in self.positions]
        if len(set(known)) < len(known):
            raise PlacedError("岗位代码重复 · a position is given twice", "positions")
        for number, row in enumerate(self.rows):
            for name in (*row.chain, *([row.substitute] if row.substitute else [])):
                if name not in known:
                    raise PlacedError(
                        f"没有岗位 {name}，请先在 positions 中列出 · no such position: {name}", "rows", number
                    )
            if len(set(row.chain)) < len(row.chain):
                raise PlacedError(
                    "同一岗位在一条审批链中只能出现一次 · a position is twice in a chain",
                    "rows",
                    number,
                    "chain",
                )
        return self

    def missing(self) -> str | None:
        """Why it cannot be made valid; None: it can."""
        if not self.rows[-1].catch_all:
            return (
                "最后一行须是兜底规则（不带任何条件），否则有的申请没有人审批，请补上后再启用"
                " · the last row must fit every request (no condition): add it first"
            )
        for number, row in enumerate(self.rows[:-1], 1):
            if row.catch_all:
                return (
                    f"第 {number} 行没有任何条件，其后的各行永远用不到，请移到最后 · row {number} fits everything, so those after it"
                    " never count: move it to the end"
                )
        return None


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request the table looks at. ``applicant``: login; None = he has none."""

    category: str
    purpose: str
    scope: str
    day_type: DayType
    duration: timedelta
    applicant: str | None


def day_type(calendar: Calendar, at: datetime) -> DayType:
    """Of the day in China: unknown = nobody has published it."""
    worked = calendar.workday(at.astimezone(CHINA).date())
    return "unknown" if worked is None else "workday" if worked else "rest"


def first_match(table: ApprovalTable, asked: Asked) -> tuple[int, ApprovalRow]:
    """(number, row) of the first row that fits. Raises LookupError for a table that was never valid."""
    for number, row in enumerate(table.rows, 1):
        if _fits(row, asked):
            return number, row
    raise LookupError("no row fits")


def _fits(row: ApprovalRow, asked: Asked) -> bool:
    return (
        (not row.categories or asked.category in row.categories)
        and (not row.purposes or asked.purpose in row.purposes)
        and (not row.scopes or asked.scope in row.scopes)
        and (not row.day_types or asked.day_type in row.day_types)
        and (not row.applicants or asked.applicant in row.applicants)
        and (row.min_hours is None or asked.duration >= timedelta(hours=row.min_hours))
    )


def chain_of(table: ApprovalTable, row: ApprovalRow) -> list[dict[str, Any]]:
    """The levels of a row, as the event of a submission has them."""
    positions: Mapping[str, ApprovalPosition] = {position.code: position for position in table.positions}
    substitutes = positions[row.substitute].users if row.substitute else []
    return [
        {
            "position": code,
            "name": positions[code].name,
            "users": positions[code].users,
            "timeout_min": row.timeout_min,
            "substitutes": substitutes,
        }
        for code in row.chain
    ]


def level_without_anybody(chain: Sequence[Mapping[str, Any]], excluded: frozenset[str]) -> str | None:
    """The name of a level of which all who may decide, substitutes as well, are among ``excluded`` (``user:7``); None: there is none."""
    for level in chain:
        if level["users"] and {f"user:{id}" for id in (*level["users"], *level["substitutes"])} <= excluded:
            return str(level["name"])
    return None


def add_working_days(calendar: Calendar, day: date, count: int) -> date:
    """The ``count``-th working day after ``day``. What nobody has published counts as worked from Monday to Friday: of a term that must
    end, and holds somebody to nothing but a form."""
    at = day
    while count > 0:
        at += timedelta(days=1)
        worked = calendar.workday(at)
        count -= at.weekday() < 5 if worked is None else worked
    return at
