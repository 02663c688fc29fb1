"""What the operations on reconciliations answer, as models for the OpenAPI description."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel

from api.answers import page_of
from office.costs.reconciling.mapping import VoucherMapping
from office.costs.reconciling.outcome import MatchStep, Outcome
from office.costs.reconciling.rows import Side


class VoucherMappingView(BaseModel):
    """A version of a unit's mapping."""

    organisation: str
    version: int
    mapping: VoucherMapping
    made_by: str
    made_at: datetime


class VoucherMappings(BaseModel):
    """The versions of a unit, newest first; `used`: what a run of it would take (of the unit, of one above it, or the built-in one)."""

    items: list[VoucherMappingView]
    used: VoucherMapping
    used_of: str | None
    used_version: int | None


class LeftOut(BaseModel):
    """Rows of the file, and those that were not compared: totals, the closing of a period, other periods, other costs and accounts."""

    read: int
    totals: int
    closings: int
    other_periods: int
    other_costs: int


class ReconciliationCounts(BaseModel):
    """What the run found: lines of each side by outcome."""

    rows: LeftOut
    finance: dict[str, int]
    platform: dict[str, int]


class ReconciliationRow(BaseModel):
    """A run. The hashes are of the file, of what the platform expected to be booked, and of all lines: the same input gives the same result."""

    id: str
    organisation: str
    since: str
    until: str
    made_at: datetime
    made_by: str
    source: str
    file_sha256: str
    file_bytes: int
    items_sha256: str
    result_sha256: str
    counts: ReconciliationCounts


class StandingCount(BaseModel):
    """Lines of a side that are so now, after what people have done."""

    side: Side
    outcome: Outcome
    name: str
    lines: int
    amount_fen: int
    amount: str


class ReconciliationAct(BaseModel):
    """What somebody matched by hand, or released."""

    version: int
    step: Literal["match", "release"]
    at: datetime
    by: str
    body: dict[str, Any]


class ReconciliationView(ReconciliationRow):
    """A run with its parameters and acts. `version`: how many acts there are; send it with the next one."""

    parameters: dict[str, Any]
    standing: list[StandingCount]
    version: int
    acts: list[ReconciliationAct]


class ReconciliationLine(BaseModel):
    """A line of either side. `outcome`: as the run found it; `standing`: as it is now. `peers`: what it is matched with; of an undecided one what it may
    belong to. `flaws`: all that is wrong with the match, the gravest first. `more`: what else its side says. Of costs of secret vehicles number, day and
    vendor are not kept."""

    no: int
    side: Side
    organisation: str
    item: str | None
    outcome: Outcome
    standing: Outcome
    standing_name: str
    flaws: list[Outcome]
    step: MatchStep | None
    step_name: str | None
    peers: list[int]
    act: int | None
    amount_fen: int
    amount: str
    period: str
    day: date | None
    number: str
    counterpart: str
    budget_classes: list[str]
    more: dict[str, Any]


ReconciliationRowPage: Final = page_of(ReconciliationRow)
ReconciliationLinePage: Final = page_of(ReconciliationLine)
