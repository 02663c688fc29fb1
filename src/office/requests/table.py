"""Requests (申请单) and dispatches (派车单): states, steps, who may take them, as ONE table. Pure.

One request leads to one or several dispatches, one dispatch may carry several requests. Each of the two papers has a thread of its
own; its state is what the thread comes to. Of the states of the table a request has those of the need (asked, approved, waiting,
confirmed), a dispatch those of the drive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Paper(StrEnum):
    """Of which of the two a line of the table is."""

    REQUEST = "request"  # 申请单
    DISPATCH = "dispatch"  # 派车单


class TripState(StrEnum):
    """Where a request or a dispatch is."""

    DRAFT = "draft"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    WAITING = "waiting"
    NO_VEHICLE = "no_vehicle"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    REASSIGNING = "reassigning"
    DEPARTED = "departed"
    CHANGED = "changed"
    SUSPENDED = "suspended"
    RETURNED = "returned"
    NO_SHOW = "no_show"
    OVERDUE = "overdue"
    TO_CONFIRM = "to_confirm"
    DISPUTED = "disputed"
    CONFIRMED = "confirmed"
    SETTLED = "settled"
    CANCELLED = "cancelled"


STATE_NAMES: Final[Mapping[TripState, str]] = {
    TripState.DRAFT: "草稿", TripState.PENDING: "待审批", TripState.APPROVED: "已批准", TripState.REJECTED: "已驳回",
    TripState.WITHDRAWN: "已撤回", TripState.EXPIRED: "已过期", TripState.WAITING: "待派车", TripState.NO_VEHICLE: "无车",
    TripState.ASSIGNED: "已派车", TripState.ACCEPTED: "已接单", TripState.REASSIGNING: "改派", TripState.DEPARTED: "已出车",
    TripState.CHANGED: "变更", TripState.SUSPENDED: "中止", TripState.RETURNED: "已归队", TripState.NO_SHOW: "未用车",
    TripState.OVERDUE: "逾期未归", TripState.TO_CONFIRM: "待确认", TripState.DISPUTED: "异议", TripState.CONFIRMED: "已确认",
    TripState.SETTLED: "已结算", TripState.CANCELLED: "已取消",
}  # fmt: skip


class TripAction(StrEnum):
    """What happens: the kinds of event of the two threads."""

    DRAFT = "draft"
    EDIT = "edit"
    SUBMIT = "submit"
    ENDORSE = "endorse"
    APPROVE = "approve"
    REJECT = "reject"
    ESCALATE = "escalate"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    QUEUE = "queue"
    NO_VEHICLE = "no-vehicle"
    ASSIGN = "assign"
    REGULARISE = "regularise"
    RELEASE = "release"
    FINISH = "finish"
    NO_SHOW = "no-show"
    CANCEL = "cancel"
    CONFIRM = "confirm"
    DISPUTE = "dispute"
    ANSWER = "answer"
    CONFIRM_SILENT = "confirm-silent"
    SETTLE = "settle"
    PAPER_LATE = "paper-late"
    NOTE = "note"
    EMERGENCY = "emergency"
    BACKFILL = "backfill"
    JOIN = "join"
    LEAVE = "leave"
    ACCEPT = "accept"
    UNANSWERED = "unanswered"
    ASK_REASSIGN = "ask-reassign"
    KEEP = "keep"
    REASSIGN = "reassign"
    PAPER = "paper"
    DEPART = "depart"
    PROPOSE_DEPARTURE = "propose-departure"
    CHANGE = "change"
    CHANGE_LATE = "change-late"
    APPROVE_CHANGE = "approve-change"
    REJECT_CHANGE = "reject-change"
    SUSPEND = "suspend"
    RESUME = "resume"
    RETURN = "return"
    PROPOSE_RETURN = "propose-return"
    OVERDUE = "overdue"
    LIST = "list"


STEP_NAMES: Final[Mapping[TripAction, str]] = {
    TripAction.DRAFT: "填写申请", TripAction.EDIT: "修改", TripAction.SUBMIT: "提交", TripAction.ENDORSE: "同意（转下一级）", TripAction.APPROVE: "批准",
    TripAction.REJECT: "驳回", TripAction.ESCALATE: "审批超时，转代理审批人", TripAction.WITHDRAW: "撤回", TripAction.EXPIRE: "过期", TripAction.QUEUE: "转入待派车",
    TripAction.NO_VEHICLE: "登记无车", TripAction.ASSIGN: "派车", TripAction.REGULARISE: "补办手续", TripAction.RELEASE: "退回待派车", TripAction.FINISH: "用车结束",
    TripAction.NO_SHOW: "未用车", TripAction.CANCEL: "取消", TripAction.CONFIRM: "确认并评价", TripAction.DISPUTE: "提出异议", TripAction.ANSWER: "答复异议",
    TripAction.CONFIRM_SILENT: "默认确认", TripAction.SETTLE: "结算", TripAction.PAPER_LATE: "逾期补单", TripAction.NOTE: "备注",
    TripAction.EMERGENCY: "紧急派车", TripAction.BACKFILL: "补单", TripAction.JOIN: "加入合乘", TripAction.LEAVE: "退出合乘", TripAction.ACCEPT: "接单",
    TripAction.UNANSWERED: "未及时接单，退回调度", TripAction.ASK_REASSIGN: "申请改派", TripAction.KEEP: "维持原派", TripAction.REASSIGN: "改派",
    TripAction.PAPER: "补齐手续", TripAction.DEPART: "出车",
    TripAction.PROPOSE_DEPARTURE: "轨迹显示已出车", TripAction.CHANGE: "变更行程", TripAction.CHANGE_LATE: "事后变更（待审批）",
    TripAction.APPROVE_CHANGE: "批准事后变更", TripAction.REJECT_CHANGE: "不同意事后变更", TripAction.SUSPEND: "中止", TripAction.RESUME: "续行",
    TripAction.RETURN: "归队", TripAction.PROPOSE_RETURN: "轨迹显示已归队", TripAction.OVERDUE: "逾期未归", TripAction.LIST: "列入督办清单",
}  # fmt: skip

#: Steps of the program, without anybody.
BY_PROGRAM: Final = frozenset(
    {
        TripAction.ESCALATE, TripAction.EXPIRE, TripAction.REGULARISE, TripAction.RELEASE, TripAction.FINISH, TripAction.NO_SHOW, TripAction.CONFIRM_SILENT, TripAction.SETTLE,
        TripAction.PAPER_LATE, TripAction.UNANSWERED, TripAction.PROPOSE_DEPARTURE, TripAction.PROPOSE_RETURN, TripAction.OVERDUE, TripAction.LIST, TripAction.BACKFILL,
        TripAction.PAPER, TripAction.LEAVE,
    }
)  # fmt: skip


class Who(StrEnum):
    """Whom a line lets, besides the permission in the unit."""

    ANY = "any"  # whoever has the permission
    OWN = "own"  # whose request it is, or who enters for others (代录)
    DRIVER = "driver"  # of the dispatch; a dispatcher does it for him


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``target`` None: the state stays. ``permissions``: one of them is needed; none: only the program takes
    this step. ``human``: a program with these permissions may not. ``effect``: what follows, in words."""

    paper: Paper
    step: TripAction
    sources: frozenset[TripState]
    target: TripState | None
    permissions: tuple[str, ...]
    who: Who
    guards: tuple[str, ...]
    effect: str


def _request(
    step: TripAction, sources: Iterable[TripState], target: TripState | None, permissions: tuple[str, ...], *guards: str, who: Who = Who.ANY, effect: str = ""
) -> Row:  # fmt: skip
    return Row(Paper.REQUEST, step, frozenset(sources), target, permissions, who, guards, effect)


def _dispatch(
    step: TripAction, sources: Iterable[TripState], target: TripState | None, permissions: tuple[str, ...], *guards: str, who: Who = Who.ANY, effect: str = ""
) -> Row:  # fmt: skip
    return Row(Paper.DISPATCH, step, frozenset(sources), target, permissions, who, guards, effect)


_S = TripState
APPLY: Final = ("trips:apply", "trips:enter")
APPROVE: Final = ("trips:approve",)
DISPATCH: Final = ("trips:dispatch",)
DRIVE: Final = ("trips:drive", "trips:dispatch")
#: Whoever takes part may leave a note.
ALL: Final = ("trips:apply", "trips:enter", "trips:approve", "trips:dispatch", "trips:drive")
#: Before 已派车: nobody drives for it yet.
OPEN_REQUEST: Final = frozenset({_S.PENDING, _S.APPROVED, _S.WAITING, _S.NO_VEHICLE})
#: A dispatch that has its vehicle and has not departed.
BEFORE: Final = frozenset({_S.ASSIGNED, _S.ACCEPTED, _S.REASSIGNING})
#: It is out.
OUT: Final = frozenset({_S.DEPARTED, _S.CHANGED, _S.SUSPENDED, _S.OVERDUE})
#: It has its vehicle and its driver: nobody else gets them in its time.
HOLDS: Final = BEFORE | OUT
#: A dispatch that is over.
OVER: Final = frozenset({_S.RETURNED, _S.NO_SHOW, _S.CANCELLED})
STATES: Final[Mapping[Paper, frozenset[TripState]]] = {
    Paper.REQUEST: frozenset(
        {
            _S.DRAFT, _S.PENDING, _S.APPROVED, _S.REJECTED, _S.WITHDRAWN, _S.EXPIRED, _S.WAITING, _S.NO_VEHICLE, _S.ASSIGNED,
            _S.NO_SHOW, _S.TO_CONFIRM, _S.DISPUTED, _S.CONFIRMED, _S.SETTLED, _S.CANCELLED,
        }
    ),
    Paper.DISPATCH: HOLDS | OVER,
}  # fmt: skip

TABLE: Final[tuple[Row, ...]] = (
    _request(TripAction.EDIT, {_S.DRAFT}, None, APPLY, who=Who.OWN),
    _request(TripAction.SUBMIT, {_S.DRAFT}, _S.PENDING, APPLY, who=Who.OWN, effect="取号；通知第一级审批人"),
    _request(TripAction.ENDORSE, {_S.PENDING}, None, APPROVE, "decider", "not-own", "not-twice", "not-last", effect="通知下一级审批人"),
    _request(TripAction.APPROVE, {_S.PENDING}, _S.APPROVED, APPROVE, "decider", "not-own", "not-twice", "last", effect="进入待派车"),
    _request(TripAction.REJECT, {_S.PENDING}, _S.REJECTED, APPROVE, "decider", "not-own", effect="通知申请人"),
    _request(TripAction.ESCALATE, {_S.PENDING}, None, (), effect="代理审批人也可以审批；通知代理审批人和单位车管员。从不自动批准"),
    _request(TripAction.WITHDRAW, OPEN_REQUEST, _S.WITHDRAWN, APPLY, who=Who.OWN),
    _request(TripAction.EXPIRE, OPEN_REQUEST, _S.EXPIRED, (), "not-driven", effect="未审批的记在审批人名下，已批准的记在调度名下，都不记在申请人名下"),
    _request(TripAction.QUEUE, {_S.APPROVED}, _S.WAITING, (), "not-driven", effect="通知调度员"),
    _request(TripAction.QUEUE, {_S.NO_VEHICLE}, _S.WAITING, DISPATCH),
    _request(TripAction.NO_VEHICLE, {_S.WAITING}, _S.NO_VEHICLE, DISPATCH, "waited", effect="通知申请人：改时间、合乘、社会化车辆、公共交通"),
    _request(TripAction.ASSIGN, {_S.WAITING}, _S.ASSIGNED, DISPATCH, effect="通知申请人：车牌、驾驶员、电话"),
    _request(TripAction.ASSIGN, {_S.ASSIGNED}, None, DISPATCH, effect="同一申请再派一辆车"),
    _request(TripAction.REGULARISE, {_S.APPROVED}, _S.ASSIGNED, (), "driven", effect="派车单写入审批人"),
    _request(TripAction.RELEASE, {_S.ASSIGNED}, _S.WAITING, (), effect="派车单已取消，重新待派车"),
    _request(TripAction.FINISH, {_S.ASSIGNED}, _S.TO_CONFIRM, (), effect="请申请人确认"),
    _request(TripAction.NO_SHOW, {_S.ASSIGNED}, _S.NO_SHOW, (), effect="计入未用车"),
    _request(TripAction.CANCEL, {_S.ASSIGNED}, _S.CANCELLED, APPLY, "not-departed", who=Who.OWN, effect="没有其他申请的派车单一并取消"),
    _request(TripAction.CONFIRM, {_S.TO_CONFIRM, _S.DISPUTED}, _S.CONFIRMED, APPLY, who=Who.OWN, effect="进入结算"),
    _request(TripAction.DISPUTE, {_S.TO_CONFIRM}, _S.DISPUTED, APPLY, "in-time-to-object", who=Who.OWN, effect="通知调度员"),
    _request(TripAction.ANSWER, {_S.DISPUTED}, _S.TO_CONFIRM, DISPATCH, effect="确认期重新计算"),
    _request(TripAction.CONFIRM_SILENT, {_S.TO_CONFIRM}, _S.CONFIRMED, (), effect="标明默认确认"),
    _request(TripAction.SETTLE, {_S.CONFIRMED}, _S.SETTLED, (), effect="冻结"),
    _request(TripAction.PAPER_LATE, {_S.DRAFT, _S.PENDING, _S.REJECTED}, None, (), "driven", effect="列入逾期补单清单"),
    _request(TripAction.NOTE, STATES[Paper.REQUEST], None, ALL),
    _dispatch(TripAction.JOIN, {_S.ASSIGNED, _S.ACCEPTED}, None, DISPATCH, effect="合乘"),
    _dispatch(TripAction.LEAVE, BEFORE, None, (), effect="合乘的一份申请已取消"),
    _dispatch(TripAction.ACCEPT, {_S.ASSIGNED}, _S.ACCEPTED, ("trips:drive",), "in-time-to-accept", who=Who.DRIVER),
    _dispatch(TripAction.UNANSWERED, {_S.ASSIGNED}, _S.REASSIGNING, (), effect="通知调度员"),
    _dispatch(TripAction.ASK_REASSIGN, {_S.ASSIGNED, _S.ACCEPTED}, _S.REASSIGNING, ("trips:drive",), who=Who.DRIVER, effect="通知调度员"),
    _dispatch(TripAction.KEEP, {_S.REASSIGNING}, _S.ASSIGNED, DISPATCH),
    _dispatch(TripAction.REASSIGN, BEFORE, _S.ASSIGNED, DISPATCH, effect="派车单新版本，自改派起生效"),
    _dispatch(TripAction.PAPER, STATES[Paper.DISPATCH], None, (), effect="派车单新版本，写入审批人"),
    _dispatch(TripAction.DEPART, {_S.ASSIGNED, _S.ACCEPTED}, _S.DEPARTED, DRIVE, who=Who.DRIVER, effect="派车单新版本 departed"),
    _dispatch(TripAction.PROPOSE_DEPARTURE, BEFORE, None, (), effect="请驾驶员确认；不再按未用车取消"),
    _dispatch(TripAction.NO_SHOW, BEFORE, _S.NO_SHOW, (), effect="派车单新版本 cancelled，释放车辆"),
    _dispatch(TripAction.CANCEL, BEFORE, _S.CANCELLED, DISPATCH, effect="派车单新版本 cancelled，释放车辆"),
    _dispatch(TripAction.CHANGE, OUT, _S.CHANGED, DISPATCH, effect="派车单新版本，自录入起生效"),
    _dispatch(TripAction.CHANGE_LATE, OUT | {_S.RETURNED}, None, DISPATCH, "no-change-waits", effect="已到过的地点：作为补单，等审批人批准"),
    _dispatch(TripAction.APPROVE_CHANGE, OUT | {_S.RETURNED}, None, APPROVE, "change-waits", "not-own", "not-changer", effect="派车单新版本，写入审批人"),
    _dispatch(TripAction.REJECT_CHANGE, OUT | {_S.RETURNED}, None, APPROVE, "change-waits", "not-own", "not-changer"),
    _dispatch(TripAction.SUSPEND, {_S.DEPARTED, _S.CHANGED, _S.OVERDUE}, _S.SUSPENDED, DRIVE, who=Who.DRIVER),
    _dispatch(TripAction.RESUME, {_S.SUSPENDED}, _S.DEPARTED, DRIVE, who=Who.DRIVER),
    _dispatch(TripAction.RETURN, OUT, _S.RETURNED, DRIVE, who=Who.DRIVER, effect="派车单新版本 returned；请申请人确认"),
    _dispatch(TripAction.PROPOSE_RETURN, OUT, None, (), effect="请驾驶员、调度员确认"),
    _dispatch(TripAction.OVERDUE, HOLDS - {_S.OVERDUE}, _S.OVERDUE, (), "has-left", effect="通知驾驶员、单位；超期后的行驶由规则判定"),
    _dispatch(TripAction.LIST, {_S.OVERDUE}, None, (), effect="列入督办清单"),
    _dispatch(TripAction.NOTE, STATES[Paper.DISPATCH], None, ALL),
)  # fmt: skip


def row_of(paper: Paper, state: TripState, step: TripAction) -> Row | None:
    """The line for a step of a paper in a state; None: it is not possible there."""
    return next(
        (row for row in TABLE if row.paper is paper and row.step is step and state in row.sources), None
    )


def steps_of(paper: Paper, state: TripState) -> list[TripAction]:
    """The steps that the table knows of a paper in a state, in the order of the table."""
    return list(dict.fromkeys(row.step for row in TABLE if row.paper is paper and state in row.sources))


class BrokenThreadError(ValueError):
    """A thread that no sequence of steps gives."""
