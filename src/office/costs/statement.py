"""Statements (结算单): states and steps as one table, and who may take them. Pure.

A statement is between two: the unit that used the vehicles, and the platform that has them. Who drew or corrected one does not confirm it, also
not with a right that somebody has lent him.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal


class StatementState(StrEnum):
    """Where a statement is."""

    TO_CONFIRM = "to_confirm"
    CONFIRMED = "confirmed"
    PAID = "paid"
    RECEIVED = "received"
    VOID = "void"


STATEMENT_STATES: Final[Mapping[StatementState, str]] = {
    StatementState.TO_CONFIRM: "待确认", StatementState.CONFIRMED: "已确认", StatementState.PAID: "已付款",
    StatementState.RECEIVED: "已收款", StatementState.VOID: "作废",
}  # fmt: skip


class StatementStep(StrEnum):
    """What happens to it."""

    DRAW = "draw"
    OBJECT = "object"
    ANSWER = "answer"
    CORRECT = "correct"
    CONFIRM = "confirm"
    CONFIRM_SILENT = "confirm-silent"
    PAY = "pay"
    RECEIVE = "receive"
    VOID = "void"


STATEMENT_STEPS: Final[Mapping[StatementStep, str]] = {
    StatementStep.DRAW: "出具", StatementStep.OBJECT: "提出异议", StatementStep.ANSWER: "答复异议", StatementStep.CORRECT: "冲正",
    StatementStep.CONFIRM: "确认", StatementStep.CONFIRM_SILENT: "默认确认", StatementStep.PAY: "登记付款", StatementStep.RECEIVE: "登记收款",
    StatementStep.VOID: "作废",
}  # fmt: skip

Side = Literal["unit", "platform"]
READ: Final = "costs:read"
CONFIRM: Final = "costs:confirm"
PAY: Final = "costs:pay"
SETTLE: Final = "costs:settle"
#: Working days for objections, from the day after it was drawn.
OBJECT_WD: Final = 5


class StatementRefusal(StrEnum):
    """Why a step is refused."""

    NOT_NOW = "not-now"
    NO_PERSON = "no-person"
    OWN_STATEMENT = "own-statement"
    TOO_LATE = "too-late-to-object"
    TOO_EARLY = "too-early"
    OBJECTED = "objected"
    NO_OBJECTION = "no-objection"


REFUSAL_SAYS: Final[Mapping[StatementRefusal, str]] = {
    StatementRefusal.NOT_NOW: "结算单现在的状态不能这样办理，请重新打开后再办 · not possible in its present state; open it again",
    StatementRefusal.NO_PERSON: "此步骤须由本人登录办理，程序不能代办 · a person must take this step; log in yourself",
    StatementRefusal.OWN_STATEMENT: (
        "您（或委托您的人）出具或冲正过这份结算单，不能代单位确认，请由其他人员确认 · you drew or corrected it, and cannot confirm it for the unit; another person must"
    ),
    StatementRefusal.TOO_LATE: (
        f"已过异议期（出具后 {OBJECT_WD} 个工作日）；有误的请平台冲正 · the term for objections is over; ask the platform for a correction"
    ),
    StatementRefusal.TOO_EARLY: "异议期未满，只能由单位自己确认 · the term for objections is not over; only the unit confirms",
    StatementRefusal.OBJECTED: "有异议尚未答复，请平台先答复 · an objection waits for its answer",
    StatementRefusal.NO_OBJECTION: "没有待答复的异议 · there is no objection to answer",
}
#: About who asks (403); the others are about when (409).
ABOUT_WHO: Final = frozenset({StatementRefusal.NO_PERSON, StatementRefusal.OWN_STATEMENT})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. ``side``: of which of the two the permission is asked. ``target`` None: the state stays."""

    step: StatementStep
    sources: frozenset[StatementState]
    target: StatementState | None
    permission: str
    side: Side
    guards: tuple[StatementRefusal, ...] = ()


_S = StatementState
_LIVE: Final = frozenset({_S.TO_CONFIRM, _S.CONFIRMED, _S.PAID, _S.RECEIVED})
TABLE: Final[tuple[Line, ...]] = (
    Line(StatementStep.OBJECT, frozenset({_S.TO_CONFIRM}), None, CONFIRM, "unit", (StatementRefusal.TOO_LATE,)),
    Line(StatementStep.ANSWER, frozenset({_S.TO_CONFIRM}), None, SETTLE, "platform", (StatementRefusal.NO_OBJECTION,)),
    Line(StatementStep.CORRECT, _LIVE, None, SETTLE, "platform"),
    Line(StatementStep.CONFIRM, frozenset({_S.TO_CONFIRM}), _S.CONFIRMED, CONFIRM, "unit", (StatementRefusal.OBJECTED, StatementRefusal.OWN_STATEMENT)),
    Line(StatementStep.CONFIRM_SILENT, frozenset({_S.TO_CONFIRM}), _S.CONFIRMED, SETTLE, "platform", (StatementRefusal.OBJECTED, StatementRefusal.TOO_EARLY)),
    Line(StatementStep.PAY, frozenset({_S.CONFIRMED}), _S.PAID, PAY, "unit"),
    Line(StatementStep.RECEIVE, frozenset({_S.PAID}), _S.RECEIVED, SETTLE, "platform"),
    Line(StatementStep.VOID, frozenset({_S.TO_CONFIRM, _S.CONFIRMED}), _S.VOID, SETTLE, "platform"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a statement is. ``objected``: an objection waits for its answer. ``made_by``: who drew or corrected it (``user:7``)."""

    state: StatementState
    version: int
    object_by: datetime
    objected: bool
    made_by: frozenset[str]


def line_of(state: StatementState, step: StatementStep) -> Line | None:
    """The line for a step in a state; None: it is not possible there."""
    return next((line for line in TABLE if line.step is step and state in line.sources), None)


def refusal(standing: Standing, step: StatementStep, persons: frozenset[str], human: bool, now: datetime) -> StatementRefusal | None:  # fmt: skip
    """Why ``persons`` may not take ``step`` now; None: they may. Whether they have the permission is asked before."""
    line = line_of(standing.state, step)
    if line is None:
        return StatementRefusal.NOT_NOW
    if not human:
        return StatementRefusal.NO_PERSON
    broken = {
        StatementRefusal.TOO_LATE: now >= standing.object_by,
        StatementRefusal.TOO_EARLY: now < standing.object_by,
        StatementRefusal.OBJECTED: standing.objected,
        StatementRefusal.NO_OBJECTION: not standing.objected,
        StatementRefusal.OWN_STATEMENT: not standing.made_by.isdisjoint(persons),
    }
    return next((guard for guard in line.guards if broken[guard]), None)
