"""The outcomes of a reconciliation, and how lines and items that belong together are judged. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Literal

from office.costs.reconciling.voucher import VoucherLine


class Outcome(StrEnum):
    """What became of a line of either side. ``undecided`` is none of the six: several matches are possible, and a person says which."""

    MATCHED = "matched"
    PLATFORM_ONLY = "platform_only"
    FINANCE_ONLY = "finance_only"
    AMOUNT = "amount"
    PERIOD = "period"
    SUBJECT = "subject"
    UNDECIDED = "undecided"


OUTCOME_NAMES: Final[Mapping[Outcome, str]] = {
    Outcome.MATCHED: "一致", Outcome.PLATFORM_ONLY: "平台有财务无", Outcome.FINANCE_ONLY: "财务有平台无", Outcome.AMOUNT: "金额不符",
    Outcome.PERIOD: "期间不符", Outcome.SUBJECT: "科目不符", Outcome.UNDECIDED: "待人工核对",
}  # fmt: skip


class MatchStep(StrEnum):
    """By what a match was found."""

    NUMBER = "number"
    COUNTERPART = "counterpart"
    SUM = "sum"
    REVERSAL = "reversal"
    MANUAL = "manual"


STEP_NAMES: Final[Mapping[MatchStep, str]] = {
    MatchStep.NUMBER: "编号", MatchStep.COUNTERPART: "往来单位和金额", MatchStep.SUM: "多笔合计", MatchStep.REVERSAL: "同方冲销", MatchStep.MANUAL: "人工",
}  # fmt: skip
ItemKind = Literal["statement", "entry"]


@dataclass(frozen=True, slots=True)
class Item:
    """What the platform expects to be booked: a statement, or a line of the ledger. ``references``: numbers by which a voucher may name it.
    ``counterparts``: names of who is paid. ``until``: the last period in which it may be booked. ``due``: that it is not booked is told.
    ``reverses``: id of the line that this one takes back."""

    kind: ItemKind
    id: str
    organisation: str
    number: str
    references: tuple[str, ...]
    counterparts: tuple[str, ...]
    amount_fen: int
    period: str
    until: str
    day: date
    classes: frozenset[str]
    due: bool
    reverses: str | None = None

    def within(self, period: str) -> bool:
        """Whether it may be booked in ``period``."""
        return self.period <= period <= self.until


def judged(lines: Sequence[VoucherLine], items: Sequence[Item]) -> tuple[Outcome, ...]:
    """What is wrong with a group, the gravest first; MATCHED alone: nothing. Of a group of one side alone: that its sum is zero."""
    if sum(line.amount_fen for line in lines) != sum(item.amount_fen for item in items):
        if not items:
            return (Outcome.FINANCE_ONLY,)
        return (Outcome.AMOUNT,) if lines else (Outcome.PLATFORM_ONLY,)
    if not lines or not items:
        return (Outcome.MATCHED,)
    found = []
    if not _served([line.budget_class for line in lines], items, lambda item, code: code in item.classes):
        found.append(Outcome.SUBJECT)
    if not _served([line.period for line in lines], items, Item.within):
        found.append(Outcome.PERIOD)
    return tuple(found) or (Outcome.MATCHED,)


def _served(said: Sequence[str], items: Sequence[Item], fits: Callable[[Item, str], bool]) -> bool:
    """Whether each line fits an item, and each item a line."""
    return all(any(fits(item, text) for item in items) for text in said) and all(
        any(fits(item, text) for text in said) for item in items
    )
