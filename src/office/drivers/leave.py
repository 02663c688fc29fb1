"""Leave (请假) of a driver: states, steps, what people write. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from registry.refusals import PlacedError
from registry.values import Identifier, Text, Time

#: How long ago leave may have begun that is asked for now, how far ahead it may end, how long it may be.
BACK: Final = timedelta(days=31)
AHEAD: Final = timedelta(days=400)
LONGEST: Final = timedelta(days=366)


class LeaveKind(StrEnum):
    """Why a driver is away."""

    SICK = "sick"  # 病假
    PERSONAL = "personal"  # 事假
    ANNUAL = "annual"  # 年假
    REST = "rest"  # 公休、调休
    DUTY = "duty"  # 值班、学习等公务
    OTHER = "other"  # 其他


class LeaveState(StrEnum):
    """What a leave comes to."""

    ASKED = "asked"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    ENDED = "ended"  # he was back earlier


class LeaveAction(StrEnum):
    """What may be done with it."""

    ASK = "ask"
    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"


KIND_NAMES: Final[Mapping[LeaveKind, str]] = {
    LeaveKind.SICK: "病假", LeaveKind.PERSONAL: "事假", LeaveKind.ANNUAL: "年假", LeaveKind.REST: "公休", LeaveKind.DUTY: "值班", LeaveKind.OTHER: "其他",
}  # fmt: skip
STATE_NAMES: Final[Mapping[LeaveState, str]] = {
    LeaveState.ASKED: "待审批", LeaveState.APPROVED: "已批准", LeaveState.REJECTED: "未批准", LeaveState.CANCELLED: "已取消", LeaveState.ENDED: "已销假",
}  # fmt: skip
STEP_NAMES: Final[Mapping[LeaveAction, str]] = {
    LeaveAction.ASK: "请假", LeaveAction.APPROVE: "批准", LeaveAction.REJECT: "不批准", LeaveAction.CANCEL: "取消、销假",
}  # fmt: skip
Said = Annotated[Text, StringConstraints(min_length=5, max_length=200, strip_whitespace=True)]


class LeaveNew(BaseModel):
    """Leave that is asked for. `driver` null: your own. `reason` is for who decides, and for nobody else."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    driver: Identifier | None = None
    kind: LeaveKind
    since: Time = Field(alias="from")
    until: Time = Field(alias="to")
    reason: Text = ""

    @model_validator(mode="after")
    def _ordered(self) -> LeaveNew:
        if self.until <= self.since:
            raise PlacedError("结束时间须晚于开始时间 · the end must be after the beginning", "to")
        if self.until - self.since > LONGEST:
            raise PlacedError("一次请假至多一年，更长的请分次办理 · a year at most; ask for more than one leave", "to")  # fmt: skip
        return self


class LeaveStep(BaseModel):
    """A step of a leave. `version`: that you saw."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: int = Field(ge=1, strict=True)
    reason: Text = ""


class LeaveRejection(BaseModel):
    """Why it is not granted."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: int = Field(ge=1, strict=True)
    reason: Said


def after(
    state: LeaveState, step: LeaveAction, since: datetime, until: datetime, now: datetime
) -> LeaveState | None:
    """The state after a step at ``now``; None: it is not possible. Granted leave that has begun is ended by being cancelled: what was is not undone."""
    if state is LeaveState.ASKED:
        return {
            LeaveAction.APPROVE: LeaveState.APPROVED,
            LeaveAction.REJECT: LeaveState.REJECTED,
            LeaveAction.CANCEL: LeaveState.CANCELLED,
        }.get(step)
    if state is LeaveState.APPROVED and step is LeaveAction.CANCEL and now < until:
        return LeaveState.CANCELLED if now <= since else LeaveState.ENDED
    return None
