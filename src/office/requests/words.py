"""Why a step of a request or a dispatch is refused, in words: what is wrong and what to do; and the refusals as errors."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from office.requests.table import STATE_NAMES, Paper, TripState
from runtime.errors import DeclinedError


class Refusal(StrEnum):
    """The codes; ``SAID`` has their sentences."""

    NOT_NOW = "not-now"
    NO_PERSON = "no-person"
    NOT_YOURS = "not-yours"
    NOT_DECIDER = "not-decider"
    OWN_REQUEST = "own-request"
    DECIDED_BEFORE = "decided-before"
    TOO_EARLY_NO_VEHICLE = "too-early-no-vehicle"
    DEPARTED = "departed"
    TOO_LATE_TO_OBJECT = "too-late-to-object"
    TOO_LATE_TO_ACCEPT = "too-late-to-accept"
    NO_CHANGE = "no-change"
    CHANGE_WAITS = "change-waits"
    OWN_CHANGE = "own-change"
    NOT_LEFT = "not-left"


#: Chinese, then English.
SAID: Final[dict[Refusal, str]] = {
    Refusal.NOT_NOW: "现在的状态不能这样办理，请重新打开后再办 · not possible in the present state; open it again",
    Refusal.NO_PERSON: "此步骤须由本人登录办理，程序不能代办 · a person must take this step, not a program; log in yourself",
    Refusal.NOT_YOURS: (
        "这不是您的单子：申请由申请人或单位代录人员办理，出车由本单驾驶员或调度员登记 · it is not yours: the applicant, or who enters for the"
        " unit; the driver of this dispatch, or a dispatcher"
    ),
    Refusal.NOT_DECIDER: "现在轮到的不是您审批，请等上一级办完，或由审批表中的人员办理 · it is not your turn to decide; see the approval table",
    Refusal.OWN_REQUEST: (
        "您（或委托您的人）是本单的申请人、用车人或驾驶员，不能审批，请由其他审批人办理 · you, or who delegated the right, asked for this trip or"
        " drive it, and cannot approve it; another approver must"
    ),
    Refusal.DECIDED_BEFORE: "您（或委托您的人）已在前一级审批过本单，下一级须由另一人审批 · you have decided on a level of this request already; another person must decide on the next",
    Refusal.TOO_EARLY_NO_VEHICLE: "进入待派车不久，请先找车；等候时间满后方可登记无车 · it has not waited long enough; look for a vehicle first",
    Refusal.DEPARTED: "车辆已出车，不能取消；请登记归队 · the vehicle has departed; enter the return instead",
    Refusal.TOO_LATE_TO_OBJECT: "异议期已满，请与调度员联系 · the time to object is over; speak with the dispatcher",
    Refusal.TOO_LATE_TO_ACCEPT: "已过接单时限，本单退回调度，请与调度员联系 · too late to accept; it goes back to the dispatcher",
    Refusal.NO_CHANGE: "没有待批准的事后变更 · no late change waits for approval",
    Refusal.CHANGE_WAITS: "已有一项事后变更待批准，请先办完 · a late change waits already; have it decided first",
    Refusal.OWN_CHANGE: "提出变更的人不能自己批准，请由其他审批人办理 · who entered the change cannot approve it",
    Refusal.NOT_LEFT: "尚未出车 · it has not left yet",
}
#: Refusals that are about who asks; the others are about when.
ABOUT_WHO: Final = frozenset(
    {
        Refusal.NO_PERSON, Refusal.NOT_YOURS, Refusal.NOT_DECIDER, Refusal.OWN_REQUEST, Refusal.DECIDED_BEFORE, Refusal.OWN_CHANGE,
    }
)  # fmt: skip
PAPER_NAMES: Final = {Paper.REQUEST: ("申请单", "the request"), Paper.DISPATCH: ("派车单", "the dispatch")}


class NotAllowedError(DeclinedError):
    """The caller has not the right in this unit."""

    status = 403

    def __init__(self, unit: str, permissions: Iterable[str]) -> None:
        needed = " / ".join(permissions)
        super().__init__(
            "missing-permission",
            f"您在单位 {unit} 没有权限 {needed}，请由有权限的人员办理 · you lack {needed} in unit {unit}; ask somebody who has it",
        )


class StepRefusedError(DeclinedError):
    """Not by this person (403), or not now (409)."""

    def __init__(self, refusal: Refusal, version: int, state: TripState) -> None:
        text = SAID[refusal] if refusal in ABOUT_WHO else f"{SAID[refusal]}（{STATE_NAMES[state]} {state}）"
        super().__init__(str(refusal), text, more={"version": version, "state": state})
        self.refusal = refusal
        self.status = 403 if refusal in ABOUT_WHO else 409


class StaleError(DeclinedError):
    """The caller saw another version."""

    def __init__(self, paper: Paper, version: int, state: TripState) -> None:
        chinese, english = PAPER_NAMES[paper]
        super().__init__(
            "stale-version",
            f"{chinese}已有新的办理，现为第 {version} 版（{STATE_NAMES[state]}），请重新打开后再办"
            f" · {english} has moved on: it is at version {version} ({state}); read it again",
            more={"version": version, "state": state},
        )


class ConflictError(DeclinedError):
    """A vehicle or a driver has another dispatch at the time."""

    def __init__(self, what: str, other: str | None, span: str = "") -> None:
        named = f"派车单 {other}{span}" if other else "其他派车单"
        super().__init__(
            "dispatch-conflict",
            f"{what} 在这段时间已有{named}，请改派其他车辆、驾驶员或调整时间 · the vehicle or the driver has another dispatch then;"
            " take another one, or another time",
            more={"conflict": other},
        )
