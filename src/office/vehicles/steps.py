"""Maintenance (维修): states, steps, who may take them, as ONE table. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class RepairState(StrEnum):
    """Where a maintenance is."""

    REPORTED = "reported"
    PENDING = "pending"
    APPROVED = "approved"
    IN_SHOP = "in_shop"
    MORE = "more"
    DONE = "done"
    ACCEPTED = "accepted"
    CANCELLED = "cancelled"


STATE_NAMES: Final[Mapping[RepairState, str]] = {
    RepairState.REPORTED: "已报修，待报价", RepairState.PENDING: "待审批", RepairState.APPROVED: "已批准，待进厂", RepairState.IN_SHOP: "维修中",
    RepairState.MORE: "追加费用待审批", RepairState.DONE: "已完工，待验收", RepairState.ACCEPTED: "已验收", RepairState.CANCELLED: "已取消",
}  # fmt: skip


class RepairAction(StrEnum):
    """What happens: the kinds of event."""

    REPORT = "report"
    QUOTE = "quote"
    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    START = "start"
    ASK_MORE = "ask-more"
    GRANT = "grant"
    DENY = "deny"
    FINISH = "finish"
    REDO = "redo"
    ACCEPT = "accept"
    CANCEL = "cancel"
    ATTACH = "attach"
    NOTE = "note"


STEP_NAMES: Final[Mapping[RepairAction, str]] = {
    RepairAction.REPORT: "报修", RepairAction.QUOTE: "登记报价", RepairAction.SUBMIT: "选定报价，送审", RepairAction.APPROVE: "批准",
    RepairAction.REJECT: "驳回", RepairAction.START: "进厂", RepairAction.ASK_MORE: "申请追加费用", RepairAction.GRANT: "同意追加",
    RepairAction.DENY: "不同意追加", RepairAction.FINISH: "完工", RepairAction.REDO: "返修", RepairAction.ACCEPT: "验收",
    RepairAction.CANCEL: "取消", RepairAction.ATTACH: "上传附件", RepairAction.NOTE: "备注",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``target`` None: the state stays. ``human``: a program with one of ``permissions`` may not. ``guards``: of
    ``office.vehicles.repair``. ``effect``: what follows, in words."""

    step: RepairAction
    sources: frozenset[RepairState]
    target: RepairState | None
    permissions: tuple[str, ...]
    guards: tuple[str, ...]
    human: bool
    effect: str


def _row(
    step: RepairAction, sources: Iterable[RepairState], target: RepairState | None, permissions: tuple[str, ...], *guards: str,
    human: bool = False, effect: str = "",
) -> Row:  # fmt: skip
    return Row(step, frozenset(sources), target, permissions, guards, human, effect)


_S = RepairState
KEEP: Final = ("registry:write",)
APPROVE: Final = ("maintenance:approve",)
BOTH: Final = (*KEEP, *APPROVE)
#: It stands in the shop, or was not accepted yet: it cannot be sent.
IN_SHOP: Final = frozenset({_S.IN_SHOP, _S.MORE, _S.DONE})
OPEN: Final = frozenset(_S) - {_S.ACCEPTED, _S.CANCELLED}

TABLE: Final[tuple[Row, ...]] = (
    _row(RepairAction.QUOTE, {_S.REPORTED}, None, KEEP, effect="同一家厂再报的代替前一次"),
    _row(RepairAction.SUBMIT, {_S.REPORTED}, _S.PENDING, KEEP, "quoted", effect="通知审批人"),
    _row(RepairAction.APPROVE, {_S.PENDING}, _S.APPROVED, APPROVE, "not-own", human=True, effect="通知经办人"),
    _row(RepairAction.REJECT, {_S.PENDING}, _S.REPORTED, APPROVE, "not-own", human=True, effect="通知经办人"),
    _row(RepairAction.START, {_S.APPROVED}, _S.IN_SHOP, KEEP, effect="车辆不能派出"),
    _row(RepairAction.ASK_MORE, {_S.IN_SHOP}, _S.MORE, KEEP, effect="通知审批人"),
    _row(RepairAction.GRANT, {_S.MORE}, _S.IN_SHOP, APPROVE, "not-own", human=True, effect="通知经办人"),
    _row(RepairAction.DENY, {_S.MORE}, _S.IN_SHOP, APPROVE, "not-own", human=True, effect="通知经办人"),
    _row(RepairAction.FINISH, {_S.IN_SHOP}, _S.DONE, KEEP, effect="金额不得超过批准数"),
    _row(RepairAction.REDO, {_S.DONE}, _S.IN_SHOP, BOTH, "not-finisher", human=True),
    _row(RepairAction.ACCEPT, {_S.DONE}, _S.ACCEPTED, BOTH, "not-finisher", "pictured", human=True, effect="车辆可以派出"),
    _row(RepairAction.CANCEL, OPEN - {_S.DONE}, _S.CANCELLED, KEEP),
    _row(RepairAction.ATTACH, OPEN, None, BOTH),
    _row(RepairAction.NOTE, OPEN, None, BOTH),
)  # fmt: skip


def row_of(state: RepairState, step: RepairAction) -> Row | None:
    """The line for a step in a state; None: it is not possible there."""
    return next((row for row in TABLE if row.step is step and state in row.sources), None)


def steps_of(state: RepairState) -> list[RepairAction]:
    """The steps that the table knows in a state, in its order."""
    return [row.step for row in TABLE if state in row.sources]


class BrokenThreadError(ValueError):
    """A thread that no sequence of steps gives."""
