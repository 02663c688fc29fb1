"""The life of a supervision order (督办单): states, steps, who may take them, as ONE table. Pure.

The state is never stored as such: it is what the thread of events comes to (``fold``). Who decides must be another person
than who asked: nobody issues what he drafted, signs the reply that he wrote, or judges for the office in a case in which
he acted for the unit. A right that is used by delegation counts as an act of both, so it helps nobody around this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from office.supervision.words import Refusal
from runtime.units import CHINA


class State(StrEnum):
    """Where a case is."""

    DRAFT = "draft"  # 拟稿
    SUBMITTED = "submitted"  # 待签发
    ISSUED = "issued"  # 已下达
    REFUSED = "refused"  # 退件待审
    WORKING = "working"  # 办理中
    EXTENSION_ASKED = "extension_asked"  # 延期待批
    REPLIED = "replied"  # 待核销
    CALLING_BACK = "calling_back"  # 回访
    REDO = "redo"  # 退回重办
    CLOSED = "closed"  # 已核销
    CANCELLED = "cancelled"  # 撤销


STATE_NAMES: Final[Mapping[State, str]] = {
    State.DRAFT: "拟稿",
    State.SUBMITTED: "待签发",
    State.ISSUED: "已下达",
    State.REFUSED: "退件待审",
    State.WORKING: "办理中",
    State.EXTENSION_ASKED: "延期待批",
    State.REPLIED: "待核销",
    State.CALLING_BACK: "回访",
    State.REDO: "退回重办",
    State.CLOSED: "已核销",
    State.CANCELLED: "撤销",
}
#: States in which a case is over; in all others it is open.
OVER: Final = frozenset({State.CLOSED, State.CANCELLED})
#: States before the issue: the unit does not see the case, and it has no number.
INNER: Final = frozenset({State.DRAFT, State.SUBMITTED})
#: The unit has to act, and its clock runs.
WITH_UNIT: Final = frozenset({State.ISSUED, State.WORKING, State.EXTENSION_ASKED, State.REDO})


class Step(StrEnum):
    """What happens to a case: the kinds of event of its thread."""

    DRAFT = "draft"  # 拟稿
    EDIT = "edit"  # 修改
    SUBMIT = "submit"  # 送签
    RETURN = "return"  # 退回修改
    ISSUE = "issue"  # 签发
    SIGN = "sign"  # 签收
    REFUSE = "refuse"  # 退件
    REPLY = "reply"  # 拟写回复
    SIGN_REPLY = "sign-reply"  # 签批回复
    ASK_EXTENSION = "ask-extension"  # 申请延期
    GRANT = "grant"  # 同意（延期；退件即改派）
    DENY = "deny"  # 不同意
    CLOSE = "close"  # 核销
    REDO = "redo"  # 退回重办
    RECHECK = "recheck"  # 交回访
    CALLED_BACK = "called-back"  # 回访结果
    REOPEN = "reopen"  # 重新办理
    RECTIFIED = "rectified"  # 报送整改
    ACCEPT_RECTIFICATION = "accept-rectification"  # 整改验收
    RETURN_RECTIFICATION = "return-rectification"  # 整改退回
    CANCEL = "cancel"  # 撤销
    REMIND = "remind"  # 催办
    NOTE = "note"  # 备注
    ATTACH = "attach"  # 附件
    STANDS = "stands"  # 维持结论
    ALERT_WITHDRAWN = "alert-withdrawn"  # 预警已撤销，建议撤销督办；已核销的，建议重新办理
    ALERT_CHANGED = "alert-changed"  # 核销后预警有变；或撤销后又成立
    ANNOUNCE = "announce"  # 列入通报


STEP_NAMES: Final[Mapping[Step, str]] = {
    Step.DRAFT: "拟稿",
    Step.EDIT: "修改",
    Step.SUBMIT: "送签",
    Step.RETURN: "退回修改",
    Step.ISSUE: "签发",
    Step.SIGN: "签收",
    Step.REFUSE: "退件",
    Step.REPLY: "拟写回复",
    Step.SIGN_REPLY: "签批回复",
    Step.ASK_EXTENSION: "申请延期",
    Step.GRANT: "同意",
    Step.DENY: "不同意",
    Step.CLOSE: "核销",
    Step.REDO: "退回重办",
    Step.RECHECK: "交回访",
    Step.CALLED_BACK: "回访结果",
    Step.REOPEN: "重新办理",
    Step.RECTIFIED: "报送整改",
    Step.ACCEPT_RECTIFICATION: "整改验收",
    Step.RETURN_RECTIFICATION: "整改退回",
    Step.CANCEL: "撤销",
    Step.REMIND: "催办",
    Step.NOTE: "备注",
    Step.ATTACH: "附件",
    Step.STANDS: "维持结论",
    Step.ALERT_WITHDRAWN: "预警已撤销",
    Step.ALERT_CHANGED: "预警有变",
    Step.ANNOUNCE: "列入通报",
}

#: Permissions of the office, and of the unit.
OFFICE: Final = ("cases:draft", "cases:issue", "cases:close")
_UNIT: Final = ("cases:reply", "cases:sign")
#: Steps that the program takes by itself.
BY_CLOCK: Final = frozenset({Step.ALERT_WITHDRAWN, Step.ALERT_CHANGED, Step.ANNOUNCE, Step.REMIND})
#: Who has acted so in a case has acted for the unit, or for the office. Notes and files are of no side.
_OF_UNIT: Final = frozenset(
    {Step.SIGN, Step.REFUSE, Step.REPLY, Step.SIGN_REPLY, Step.ASK_EXTENSION, Step.RECTIFIED}
)
_OF_OFFICE: Final = frozenset(
    {
        Step.DRAFT, Step.EDIT, Step.SUBMIT, Step.RETURN, Step.ISSUE, Step.GRANT, Step.DENY, Step.CLOSE, Step.REDO, Step.RECHECK,
        Step.CALLED_BACK, Step.REOPEN, Step.CANCEL, Step.REMIND, Step.ACCEPT_RECTIFICATION, Step.RETURN_RECTIFICATION,
        Step.STANDS,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a thread. ``persons``: whose act it is (``user:7``), also of whom the right was delegated by; empty: the
    program's. ``body``: as ``commands`` has it."""

    version: int
    step: Step
    at: datetime
    persons: frozenset[str] = frozenset()
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def day(self) -> date:
        """The day in China."""
        return self.at.astimezone(CHINA).date()


@dataclass(frozen=True, slots=True)
class Case:
    """What a thread comes to. ``organisation``: the responsible unit. ``drafters``: who wrote, changed or submitted the
    draft; ``reply_by``: who wrote the reply that is not signed yet; ``of_unit``, ``of_office``: who acted on which side.
    ``ticks``: the events that set or stop clocks. ``extension``: whether one was asked for in this round. ``measures_due``: until when
    the measures of the finding are due; ``undecided``: alerts that were withdrawn, or changed, after the case was closed, while nobody has
    said what follows; ``rectified``: the day of the report of them that was not returned;
    ``rectification_accepted``: the office has looked at it."""

    state: State
    version: int
    organisation: str
    contents: Mapping[str, Any]
    number: str | None = None
    drafters: frozenset[str] = frozenset()
    reply_by: frozenset[str] = frozenset()
    reply_open: bool = False
    repliers: frozenset[str] = frozenset()
    of_unit: frozenset[str] = frozenset()
    of_office: frozenset[str] = frozenset()
    extension: bool = False
    asked_until: date | None = None
    reminders: int = 0
    announced: bool = False
    withdrawn_alerts: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    finding: str | None = None
    measures_due: date | None = None
    rectified: date | None = None
    rectification_accepted: bool = False
    ticks: tuple[Event, ...] = ()

    @property
    def open(self) -> bool:
        return self.state not in OVER

    @property
    def helpers(self) -> tuple[str, ...]:
        """The units that help (协办单位)."""
        return tuple(self.contents.get("helpers", ()))

    @property
    def proposal(self) -> str | None:
        """What the program proposes because of its alerts. A person decides."""
        if self.open:
            return "cancel" if self.withdrawn_alerts else None
        return "reopen" if self.undecided else None

    def last(self, *steps: Step) -> Event | None:
        """The newest event of ``steps`` among ``ticks``."""
        return next((tick for tick in reversed(self.ticks) if tick.step in steps), None)


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody who is about to take a step. ``human``: a person, not a program. ``today``: in China. The last days on which
    a step is possible, None = not known or no limit: then nothing is refused for it."""

    persons: frozenset[str]
    human: bool
    today: date
    refuse_by: date | None = None
    ask_by: date | None = None
    reopen_by: date | None = None
    body: Mapping[str, Any] = field(default_factory=dict)


Guard = Callable[[Case, Act], bool]


def _not_drafter(case: Case, act: Act) -> bool:
    return case.drafters.isdisjoint(act.persons)


def _not_replier(case: Case, act: Act) -> bool:
    return case.reply_by.isdisjoint(act.persons)


def _not_of_unit(case: Case, act: Act) -> bool:
    return case.of_unit.isdisjoint(act.persons)


def _not_of_office(case: Case, act: Act) -> bool:
    return case.of_office.isdisjoint(act.persons)


#: Guard -> (whether it lets pass, what is said when it does not).
_GUARDS: Final[Mapping[str, tuple[Guard, Refusal]]] = {
    "not-drafter": (_not_drafter, Refusal.OWN_DRAFT),
    "not-replier": (_not_replier, Refusal.OWN_REPLY),
    "not-of-unit": (_not_of_unit, Refusal.OWN_UNIT),
    "not-of-office": (_not_of_office, Refusal.OWN_OFFICE),
    "reply-written": (lambda case, act: case.reply_open, Refusal.NO_REPLY),
    "extension-once": (lambda case, act: not case.extension, Refusal.SECOND_EXTENSION),
    "in-time-to-refuse": (lambda case, act: act.refuse_by is None or act.today <= act.refuse_by, Refusal.TOO_LATE_TO_REFUSE),
    "in-time-to-ask": (lambda case, act: act.ask_by is None or act.today <= act.ask_by, Refusal.TOO_LATE_TO_ASK),
    "rectification-due": (lambda case, act: case.measures_due is not None and case.rectified is None, Refusal.NOTHING_TO_RECTIFY),
    "rectification-reported": (lambda case, act: case.rectified is not None and not case.rectification_accepted, Refusal.NOT_RECTIFIED),
    # No year is a reason to keep a finding whose alert has fallen.
    "within-a-year": (lambda case, act: act.reopen_by is None or act.today <= act.reopen_by or bool(case.undecided), Refusal.TOO_LATE_TO_REOPEN),
    "undecided": (lambda case, act: bool(case.undecided), Refusal.NOTHING_TO_DECIDE),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``target`` None: the state stays. ``permissions``: one of them is needed, in the responsible
    unit; none: only the program takes this step. ``human``: a program may not, whatever its rights."""

    step: Step
    sources: frozenset[State]
    target: State | None
    permissions: tuple[str, ...]
    guards: tuple[str, ...] = ()
    human: bool = True


def _row(
    step: Step, sources: Iterable[State], target: State | None, permission: str | tuple[str, ...], *guards: str, human: bool = True
) -> Row:  # fmt: skip
    permissions = (permission,) if isinstance(permission, str) else permission
    return Row(step, frozenset(sources), target, permissions, guards, human)


_S = State
_ISSUED_AND_OPEN: Final = frozenset(State) - INNER - OVER
TABLE: Final[tuple[Row, ...]] = (
    _row(Step.EDIT, {_S.DRAFT}, None, "cases:draft", human=False),
    _row(Step.SUBMIT, {_S.DRAFT}, _S.SUBMITTED, "cases:draft"),
    _row(Step.CANCEL, {_S.DRAFT}, _S.CANCELLED, ("cases:draft", "cases:issue")),
    _row(Step.RETURN, {_S.SUBMITTED}, _S.DRAFT, "cases:issue"),
    _row(Step.ISSUE, {_S.SUBMITTED}, _S.ISSUED, "cases:issue", "not-drafter"),
    _row(Step.CANCEL, {_S.SUBMITTED, *_ISSUED_AND_OPEN}, _S.CANCELLED, "cases:issue", "not-of-unit"),
    _row(Step.SIGN, {_S.ISSUED}, _S.WORKING, "cases:reply", "not-of-office"),
    _row(Step.REFUSE, {_S.ISSUED}, _S.REFUSED, "cases:reply", "not-of-office", "in-time-to-refuse"),
    _row(Step.GRANT, {_S.REFUSED}, _S.ISSUED, "cases:issue", "not-of-unit"),
    _row(Step.DENY, {_S.REFUSED}, _S.ISSUED, "cases:issue", "not-of-unit"),
    _row(Step.REPLY, {_S.WORKING, _S.REDO}, None, "cases:reply", "not-of-office"),
    _row(Step.SIGN_REPLY, {_S.WORKING, _S.REDO}, _S.REPLIED, "cases:sign", "reply-written", "not-replier", "not-of-office"),
    _row(Step.ASK_EXTENSION, {_S.WORKING}, _S.EXTENSION_ASKED, "cases:reply", "not-of-office", "extension-once", "in-time-to-ask"),
    _row(Step.GRANT, {_S.EXTENSION_ASKED}, _S.WORKING, "cases:issue", "not-of-unit"),
    _row(Step.DENY, {_S.EXTENSION_ASKED}, _S.WORKING, "cases:issue", "not-of-unit"),
    _row(Step.CLOSE, {_S.REPLIED}, _S.CLOSED, "cases:close", "not-of-unit"),
    _row(Step.REDO, {_S.REPLIED}, _S.REDO, "cases:close", "not-of-unit"),
    _row(Step.RECHECK, {_S.REPLIED}, _S.CALLING_BACK, "cases:close", "not-of-unit"),
    _row(Step.CALLED_BACK, {_S.CALLING_BACK}, _S.REPLIED, "cases:close", "not-of-unit"),
    _row(Step.REOPEN, {_S.CLOSED}, _S.WORKING, "cases:issue", "not-of-unit", "within-a-year"),
    _row(Step.STANDS, {_S.CLOSED}, None, "cases:issue", "not-of-unit", "undecided"),
    _row(Step.RECTIFIED, {_S.CLOSED}, None, "cases:reply", "not-of-office", "rectification-due"),
    _row(Step.ACCEPT_RECTIFICATION, {_S.CLOSED}, None, "cases:close", "not-of-unit", "rectification-reported"),
    _row(Step.RETURN_RECTIFICATION, {_S.CLOSED}, None, "cases:close", "not-of-unit", "rectification-reported"),
    _row(Step.REMIND, WITH_UNIT, None, ("cases:draft", "cases:issue", "cases:close"), "not-of-unit"),
    _row(Step.NOTE, frozenset(State), None, (*OFFICE, *_UNIT), human=False),
    _row(Step.ATTACH, frozenset(State) - OVER, None, (*OFFICE, *_UNIT), human=False),
    _row(Step.ALERT_WITHDRAWN, frozenset(State) - {_S.CANCELLED}, None, ()),
    _row(Step.ALERT_CHANGED, frozenset(State) - {_S.CANCELLED}, None, ()),
    _row(Step.ANNOUNCE, WITH_UNIT, None, ()),
)  # fmt: skip


def row_of(state: State, step: Step) -> Row | None:
    """The line for a step in a state; None: it is not possible there."""
    return next((row for row in TABLE if row.step is step and state in row.sources), None)


def refusal(case: Case, step: Step, act: Act) -> Refusal | None:
    """Why ``act`` may not take ``step`` now; None: it may. Whether somebody has the permission in the unit is asked before."""
    row = row_of(case.state, step)
    if row is None:
        return Refusal.NOT_NOW
    if row.human and not act.human:
        return Refusal.NO_PERSON
    return next((said for guard in row.guards for passes, said in [_GUARDS[guard]] if not passes(case, act)), None)  # fmt: skip


class BrokenThreadError(ValueError):
    """A thread that no sequence of steps gives."""


def begin(event: Event) -> Case:
    """The case that a first event, a draft, makes."""
    if event.step is not Step.DRAFT or event.version != 1:
        raise BrokenThreadError(f"a thread begins with a draft, not with {event.step} {event.version}")
    return Case(
        state=State.DRAFT,
        version=1,
        organisation=event.body["organisation"],
        contents=event.body,
        drafters=event.persons,
        of_office=event.persons,
        ticks=(event,),
    )


def advance(case: Case, event: Event) -> Case:
    """The case after one more event. Raises BrokenThreadError for one that is not possible in its state."""
    step, body = event.step, event.body
    row = row_of(case.state, step)
    if row is None or event.version != case.version + 1:
        raise BrokenThreadError(f"{step} {event.version} after {case.state} {case.version}")
    if not event.persons and step not in BY_CLOCK:
        raise BrokenThreadError(f"{step} {event.version} is nobody's act")
    changed: dict[str, Any] = {"state": row.target or case.state, "version": event.version}
    if step in _OF_UNIT:
        changed["of_unit"] = case.of_unit | event.persons
    elif step in _OF_OFFICE and event.persons:
        changed["of_office"] = case.of_office | event.persons
    changed |= _EFFECTS[step](case, event, body) if step in _EFFECTS else {}
    if row.target is not None:
        changed["ticks"] = (*case.ticks, event)
    return replace(case, **changed)


def _edited(case: Case, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "contents": body,
        "organisation": body["organisation"],
        "drafters": case.drafters | event.persons,
    }


def _granted(case: Case, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    if case.state is State.REFUSED:
        # Another unit, with nothing of what the first one did.
        return {"organisation": body["organisation"], "extension": False}
    return {}


def _replied(case: Case, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    # Who wrote any part of what will be signed is its author, whoever wrote last.
    by = event.persons | (case.reply_by if case.reply_open else frozenset())
    return {"reply_by": by, "reply_open": True, "repliers": case.repliers | event.persons}


def _alert_moved(case: Case, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    """An alert was withdrawn, or changed. What a closed case has found of it waits for somebody's word."""
    alert = body["alert"]
    withdrawn = tuple(each for each in case.withdrawn_alerts if each != alert)
    changed: dict[str, Any] = {
        "withdrawn_alerts": (*withdrawn, alert) if event.step is Step.ALERT_WITHDRAWN else withdrawn
    }
    if not case.open:
        changed["undecided"] = tuple(dict.fromkeys((*case.undecided, alert)))
    return changed


#: What a reopened case has not any more.
_UNSAID: Final[dict[str, Any]] = (
    dict.fromkeys(("finding", "measures_due", "rectified"))
    | dict.fromkeys(("extension", "announced", "rectification_accepted"), False)
    | {"undecided": ()}
)
_EFFECTS: Final[Mapping[Step, Callable[[Case, Event, Mapping[str, Any]], dict[str, Any]]]] = {
    Step.EDIT: _edited,
    Step.SUBMIT: lambda case, event, body: {"drafters": case.drafters | event.persons},
    Step.ISSUE: lambda case, event, body: {"number": body["number"]},
    Step.GRANT: _granted,
    Step.REPLY: _replied,
    Step.SIGN_REPLY: lambda case, event, body: {"reply_open": False},
    Step.ASK_EXTENSION: lambda case, event, body: {
        "extension": True,
        "asked_until": date.fromisoformat(body["due_on"]),
    },
    Step.CLOSE: lambda case, event, body: {
        "finding": body["finding"],
        "measures_due": date.fromisoformat(body["measures_due"]) if body.get("measures_due") else None,
    },
    Step.REOPEN: lambda case, event, body: _UNSAID,
    Step.RECTIFIED: lambda case, event, body: {"rectified": event.day},
    Step.ACCEPT_RECTIFICATION: lambda case, event, body: {"rectification_accepted": True},
    Step.RETURN_RECTIFICATION: lambda case, event, body: {"rectified": None},
    Step.REMIND: lambda case, event, body: {"reminders": case.reminders + 1},
    Step.ANNOUNCE: lambda case, event, body: {"announced": True},
    Step.STANDS: lambda case, event, body: {"undecided": ()},
    Step.ALERT_WITHDRAWN: _alert_moved,
    Step.ALERT_CHANGED: _alert_moved,
}


def fold(events: Sequence[Event]) -> Case:
    """The case of a thread, oldest event first. Raises BrokenThreadError."""
    if not events:
        raise BrokenThreadError("an empty thread")
    case = begin(events[0])
    for event in events[1:]:
        case = advance(case, event)
    return case


def steps_of(state: State) -> list[Step]:
    """The steps that the table knows in a state, by the program or by people, in the order of the table."""
    return list(dict.fromkeys(row.step for row in TABLE if state in row.sources))
