"""Transfer (调拨) and disposal (处置): states, steps, who may take them, as ONE table; and what a thread comes to. Pure.

Every decision is another person's: who asked does not release, who released does not accept, none of them approves. A right that is used by
delegation counts as an act of both persons.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from registry.refusals import PlacedError
from registry.values import Day, Identifier, Name, Text
from runtime.errors import DeclinedError


class ActKind(StrEnum):
    """What becomes of the vehicle."""

    TRANSFER = "transfer"
    DISPOSAL = "disposal"


class ActState(StrEnum):
    """Where an act is."""

    ASKED = "asked"
    RELEASED = "released"
    ACCEPTED = "accepted"
    APPROVED = "approved"
    DONE = "done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ActStep(StrEnum):
    """What happens: the kinds of event."""

    ASK = "ask"
    RELEASE = "release"
    ACCEPT = "accept"
    APPROVE = "approve"
    HAND_OVER = "hand-over"
    COMPLETE = "complete"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


class Side(StrEnum):
    """Whose step it is: of the unit that has the vehicle, of the one that receives it, of who is above both."""

    FROM = "from"
    TO = "to"
    BOTH = "both"


KIND_NAMES: Final[Mapping[ActKind, str]] = {ActKind.TRANSFER: "调拨", ActKind.DISPOSAL: "处置"}
MODE_NAMES: Final = {"scrap": "报废", "auction": "拍卖", "buy_back": "厂家回收", "other": "其他"}
STATE_NAMES: Final[Mapping[ActState, str]] = {
    ActState.ASKED: "待本单位同意", ActState.RELEASED: "本单位已同意", ActState.ACCEPTED: "接收单位已同意，待批准", ActState.APPROVED: "已批准，待办理",
    ActState.DONE: "已办结", ActState.REFUSED: "不同意", ActState.WITHDRAWN: "已撤回",
}  # fmt: skip
STEP_NAMES: Final[Mapping[ActStep, str]] = {
    ActStep.ASK: "申请", ActStep.RELEASE: "本单位同意", ActStep.ACCEPT: "接收单位同意", ActStep.APPROVE: "批准", ActStep.HAND_OVER: "交接", ActStep.COMPLETE: "注销办结",
    ActStep.REFUSE: "不同意", ActStep.WITHDRAW: "撤回",
}  # fmt: skip
KEEP: Final = "registry:write"
AGREE: Final = "vehicles:agree"
APPROVE: Final = "vehicles:approve"
Why = Annotated[Text, StringConstraints(min_length=5, max_length=200, strip_whitespace=True)]


# --- what people write


class TransferNew(BaseModel):
    """Ask that a vehicle goes to another unit (调拨)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    vehicle: Identifier
    to: Identifier = Field(description="the receiving unit")
    reason: Why


class DisposalNew(BaseModel):
    """Ask that a vehicle is disposed of (处置). `assessed_fen`: what it was assessed at."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    vehicle: Identifier
    mode: Literal["scrap", "auction", "buy_back", "other"]
    reason: Why
    assessed_fen: int | None = Field(None, ge=0, le=10**12, strict=True, description="评估价，分")
    assessment: Text = Field("", description="评估报告")


class ActCommand(BaseModel):
    """A step; `version` is that which the caller saw."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: int = Field(ge=1, strict=True)


class ActApprove(ActCommand):
    """`effective_on`: of a transfer the first day on which it may be handed over; left out: today."""

    paper_no: Name = Field(description="批准文号")
    effective_on: Day | None = None


class ActHandOver(ActCommand):
    """The receiving unit has it. `odometer_m`: as read when it was handed over."""

    odometer_m: int = Field(ge=0, le=10**10, strict=True)
    note: Text = ""


class ActComplete(ActCommand):
    """The vehicle is gone. `proceeds_fen`: what it brought, with the number of the receipt (非税票据)."""

    deregistration: Name = Field(description="注销证明编号")
    deregistered_on: Day
    proceeds_fen: int = Field(0, ge=0, le=10**12, strict=True, description="处置收入，分")
    receipt: Text = Field("", description="非税票据号")
    buyer: Text = ""

    @model_validator(mode="after")
    def _receipted(self) -> ActComplete:
        if self.proceeds_fen and not self.receipt:
            raise PlacedError(
                "有处置收入的，请填写非税票据号 · give the number of the receipt for the proceeds", "receipt"
            )
        return self


class ActReason(ActCommand):
    """Why not."""

    reason: Why


#: The steps that are taken, and what is sent for each.
COMMANDS: Final[Mapping[ActStep, type[ActCommand]]] = {
    ActStep.RELEASE: ActCommand, ActStep.ACCEPT: ActCommand, ActStep.APPROVE: ActApprove, ActStep.HAND_OVER: ActHandOver,
    ActStep.COMPLETE: ActComplete, ActStep.REFUSE: ActReason, ActStep.WITHDRAW: ActReason,
}  # fmt: skip


# --- the table


@dataclass(frozen=True, slots=True)
class ActRow:
    """One line: in ``state`` of ``kind`` the ``side`` takes ``step`` with ``permission`` and comes to ``target``. ``decides``: a person, who has done
    nothing on this act before."""

    kind: ActKind
    state: ActState
    step: ActStep
    target: ActState
    permission: str
    side: Side
    decides: bool = False


_K, _S, _A = ActKind, ActState, ActStep
TABLE: Final[tuple[ActRow, ...]] = (
    ActRow(_K.TRANSFER, _S.ASKED, _A.RELEASE, _S.RELEASED, AGREE, Side.FROM, True),
    ActRow(_K.TRANSFER, _S.ASKED, _A.REFUSE, _S.REFUSED, AGREE, Side.FROM, True),
    ActRow(_K.TRANSFER, _S.RELEASED, _A.ACCEPT, _S.ACCEPTED, AGREE, Side.TO, True),
    ActRow(_K.TRANSFER, _S.RELEASED, _A.REFUSE, _S.REFUSED, AGREE, Side.TO, True),
    ActRow(_K.TRANSFER, _S.ACCEPTED, _A.APPROVE, _S.APPROVED, APPROVE, Side.BOTH, True),
    ActRow(_K.TRANSFER, _S.ACCEPTED, _A.REFUSE, _S.REFUSED, APPROVE, Side.BOTH, True),
    ActRow(_K.TRANSFER, _S.APPROVED, _A.HAND_OVER, _S.DONE, KEEP, Side.TO),
    ActRow(_K.DISPOSAL, _S.ASKED, _A.RELEASE, _S.RELEASED, AGREE, Side.FROM, True),
    ActRow(_K.DISPOSAL, _S.ASKED, _A.REFUSE, _S.REFUSED, AGREE, Side.FROM, True),
    ActRow(_K.DISPOSAL, _S.RELEASED, _A.APPROVE, _S.APPROVED, APPROVE, Side.FROM, True),
    ActRow(_K.DISPOSAL, _S.RELEASED, _A.REFUSE, _S.REFUSED, APPROVE, Side.FROM, True),
    ActRow(_K.DISPOSAL, _S.APPROVED, _A.COMPLETE, _S.DONE, KEEP, Side.FROM),
    *(ActRow(kind, state, _A.WITHDRAW, _S.WITHDRAWN, KEEP, Side.FROM) for kind in _K for state in (_S.ASKED, _S.RELEASED, _S.ACCEPTED, _S.APPROVED)
      if kind is _K.TRANSFER or state is not _S.ACCEPTED),
)  # fmt: skip
OPEN: Final = frozenset({_S.ASKED, _S.RELEASED, _S.ACCEPTED, _S.APPROVED})


def row_of(kind: ActKind, state: ActState, step: ActStep) -> ActRow | None:
    """The line for a step; None: it is not possible there."""
    return next((row for row in TABLE if (row.kind, row.state, row.step) == (kind, state, step)), None)


def permissions_of(step: ActStep) -> tuple[str, ...]:
    """What a step needs, in whatever state."""
    return tuple(dict.fromkeys(row.permission for row in TABLE if row.step is step))


# --- the thread


@dataclass(frozen=True, slots=True)
class ActEvent:
    """One entry of a thread. ``persons``: whose act it is, also of whom the right was delegated by."""

    version: int
    step: ActStep
    at: datetime
    persons: frozenset[str]
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Act:
    """What a thread comes to. ``hands``: who has asked or decided."""

    kind: ActKind
    state: ActState
    version: int
    vehicle: str
    organisation: str
    to: str | None
    number: str
    plate: str
    mode: str | None
    asked_at: datetime
    hands: frozenset[str]
    effective_on: date | None = None
    done_at: datetime | None = None

    @property
    def units(self) -> list[str]:
        """Who sees it: the receiving unit from when it has to decide on."""
        told = self.to is not None and (self.state is not ActState.ASKED and self.version > 1)
        return [self.organisation, *([self.to] if told and self.to is not None else [])]


def begin(event: ActEvent) -> Act:
    """The act that was asked for."""
    body = event.body
    return Act(
        ActKind(body["kind"]), ActState.ASKED, 1, body["vehicle"], body["organisation"], body.get("to"), body["number"], body["plate"],
        body.get("mode"), event.at, event.persons,
    )  # fmt: skip


def advance(act: Act, event: ActEvent) -> Act:
    """The act after an event that its table knows. Raises ValueError for another."""
    row = row_of(act.kind, act.state, event.step)
    if row is None or event.version != act.version + 1:
        raise ValueError(f"{act.kind} {act.state}: {event.step} {event.version}")
    after = replace(act, state=row.target, version=event.version)
    if row.decides:
        after = replace(after, hands=act.hands | event.persons)
    if event.step is ActStep.APPROVE and act.kind is ActKind.TRANSFER:
        after = replace(after, effective_on=date.fromisoformat(event.body["effective_on"]))
    if row.target is ActState.DONE:
        after = replace(after, done_at=event.at)
    return after


def fold(events: Sequence[ActEvent]) -> Act:
    """What a thread comes to."""
    act = begin(events[0])
    for event in events[1:]:
        act = advance(act, event)
    return act


class ActRefusedError(DeclinedError):
    """Not by this person (403), or not now (409)."""

    def __init__(self, code: str, message: str, act: Act) -> None:
        super().__init__(code, message, more={"version": act.version, "state": act.state})
        self.status = 403 if code in ("own-act", "no-person") else 409


def refuse_step(act: Act, step: ActStep, hats: Collection[frozenset[str]], *, human: bool) -> frozenset[str]:
    """Whose act ``step`` would be, of the ways in which somebody has the right. Raises ActRefusedError."""
    row = row_of(act.kind, act.state, step)
    if row is None:
        raise ActRefusedError(
            "not-now",
            f"现在的状态（{STATE_NAMES[act.state]}）不能这样办理，请重新打开后再办 · not possible in the present state ({act.state}); open it again",
            act,
        )
    if not row.decides:
        return next(iter(hats))
    if not human:
        raise ActRefusedError(
            "no-person",
            "此步骤须由本人登录办理，程序不能代办 · a person must take this step, not a program",
            act,
        )
    for persons in hats:
        if act.hands.isdisjoint(persons):
            return persons
    raise ActRefusedError(
        "own-act",
        "您（或委托您的人）申请或决定过本单，请由其他人办理 · you, or who delegated the right, asked for this or decided on it: another person must",
        act,
    )
