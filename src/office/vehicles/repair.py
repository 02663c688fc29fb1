"""The thread of a maintenance: what it comes to, and who may take its next step. Pure.

Who approves has neither reported nor quoted nor chosen; who accepts has not entered the bill. A right that is used by delegation counts as an
act of both persons, so it helps nobody around this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from office.vehicles.contents import yuan
from office.vehicles.steps import (
    IN_SHOP,
    STATE_NAMES,
    STEP_NAMES,
    BrokenThreadError,
    RepairAction,
    RepairState,
    row_of,
)
from runtime.errors import DeclinedError, InvalidError

#: Pictures that an acceptance needs: before and after.
PICTURES: Final = 2


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a thread. ``persons``: whose act it is (``user:7``), also of whom the right was delegated by."""

    version: int
    step: RepairAction
    at: datetime
    persons: frozenset[str]
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What a thread comes to. ``quotes``: shop -> 分, in the order in which they came. ``own``: who reported, quoted, chose or asked for more.
    ``chosen_fen``: what the chosen shop asks; ``approved_fen``: what was approved. ``asked_fen``: what all of it would cost, while that waits for approval.
    ``finishers``: who entered the bill."""

    state: RepairState
    version: int
    vehicle: str
    number: str
    fault: str
    odometer_m: int
    reported_at: datetime
    own: frozenset[str]
    quotes: Mapping[str, int] = field(default_factory=dict)
    shop: str | None = None
    chosen_fen: int | None = None
    approved_fen: int | None = None
    asked_fen: int | None = None
    total_fen: int | None = None
    invoice: str | None = None
    finishers: frozenset[str] = frozenset()
    pictures: int = 0
    files: int = 0
    approved_at: datetime | None = None
    in_at: datetime | None = None
    out_at: datetime | None = None
    accepted_at: datetime | None = None

    @property
    def in_shop(self) -> bool:
        """It cannot be sent."""
        return self.state in IN_SHOP


class Refusal(StrEnum):
    """The codes; ``SAID`` has their sentences."""

    NOT_NOW = "not-now"
    NO_PERSON = "no-person"
    OWN_REPAIR = "own-repair"
    OWN_BILL = "own-bill"
    NOT_QUOTED = "not-quoted"
    NO_PICTURES = "no-pictures"


SAID: Final[dict[Refusal, str]] = {
    Refusal.NOT_NOW: "现在的状态不能这样办理，请重新打开后再办 · not possible in the present state; open it again",
    Refusal.NO_PERSON: "此步骤须由本人登录办理，程序不能代办 · a person must take this step, not a program; log in yourself",
    Refusal.OWN_REPAIR: "您（或委托您的人）报修、登记报价或送审了本单，不能审批，请由其他审批人办理 · you, or who delegated the right, reported it, quoted or chose: another person must decide",
    Refusal.OWN_BILL: "您（或委托您的人）登记了完工账单，验收须由另一人办理 · you, or who delegated the right, entered the bill: another person must accept it",
    Refusal.NOT_QUOTED: "还没有报价，请先登记 · no quote yet: enter one",
    Refusal.NO_PICTURES: f"验收须有至少 {PICTURES} 张照片（维修前后、旧件），请先上传 · at least {PICTURES} pictures are needed: upload them first",
}  # fmt: skip
_ABOUT_WHO: Final = frozenset({Refusal.NO_PERSON, Refusal.OWN_REPAIR, Refusal.OWN_BILL})


class StepRefusedError(DeclinedError):
    """Not by this person (403), or not now (409)."""

    def __init__(self, refusal: Refusal, paper: Maintenance) -> None:
        text = (
            SAID[refusal]
            if refusal in _ABOUT_WHO
            else f"{SAID[refusal]}（{STATE_NAMES[paper.state]} {paper.state}）"
        )
        super().__init__(str(refusal), text, more={"version": paper.version, "state": paper.state})
        self.status = 403 if refusal in _ABOUT_WHO else 409


class StaleError(DeclinedError):
    """The caller saw another version."""

    def __init__(self, paper: Maintenance) -> None:
        super().__init__(
            "stale-version",
            f"维修单已有新的办理，现为第 {paper.version} 版（{STATE_NAMES[paper.state]}），请重新打开后再办"
            f" · it has moved on: it is at version {paper.version} ({paper.state}); read it again",
            more={"version": paper.version, "state": paper.state},
        )


#: Guard -> (whether it lets pass, what is said when it does not).
_GUARDS: Final[Mapping[str, tuple[Callable[[Maintenance, frozenset[str]], bool], Refusal]]] = {
    "quoted": (lambda paper, persons: bool(paper.quotes), Refusal.NOT_QUOTED),
    "not-own": (lambda paper, persons: paper.own.isdisjoint(persons), Refusal.OWN_REPAIR),
    "not-finisher": (lambda paper, persons: paper.finishers.isdisjoint(persons), Refusal.OWN_BILL),
    "pictured": (lambda paper, persons: paper.pictures >= PICTURES, Refusal.NO_PICTURES),
}  # fmt: skip


def refusal(
    paper: Maintenance, step: RepairAction, persons: frozenset[str], *, human: bool
) -> Refusal | None:
    """Why ``persons`` may not take ``step`` now; None: they may. Whether they have the permission is asked before."""
    row = row_of(paper.state, step)
    if row is None:
        return Refusal.NOT_NOW
    if row.human and not human:
        return Refusal.NO_PERSON
    return next((said for guard in row.guards for passes, said in [_GUARDS[guard]] if not passes(paper, persons)), None)  # fmt: skip


def check_choice(paper: Maintenance, shop: str, reason: str | None, one_quote_fen: int) -> None:
    """Raises InvalidError unless the quote of ``shop`` may be chosen: there is another one to compare it with, but for small sums
    (up to ``one_quote_fen``), and who takes a dearer one says why."""
    if shop not in paper.quotes:
        raise InvalidError(
            "/shop", f"没有 {shop} 的报价，请先登记或改选 · no quote of {shop}: enter it, or choose another"
        )
    asked = paper.quotes[shop]
    if len(paper.quotes) < 2 and asked > one_quote_fen:
        raise InvalidError(
            "/shop",
            f"金额 {yuan(asked)} 元超过 {yuan(one_quote_fen)} 元，须有至少两家维修厂的报价，现有 {len(paper.quotes)} 家，请再登记一家"
            f" · above {yuan(one_quote_fen)} two shops have to quote; enter another quote",
        )
    cheapest = min(paper.quotes.values())
    if asked > cheapest and reason is None:
        raise InvalidError(
            "/reason",
            f"所选报价 {yuan(asked)} 元高于最低报价 {yuan(cheapest)} 元，请写明原因 · not the cheapest quote ({yuan(cheapest)}): say why",
        )


def begin(event: Event) -> Maintenance:
    """The maintenance that a first event makes."""
    if event.step is not RepairAction.REPORT or event.version != 1:
        raise BrokenThreadError(f"a maintenance begins with a report, not with {event.step} {event.version}")
    body = event.body
    return Maintenance(
        RepairState.REPORTED, 1, body["vehicle"], body["number"], body["fault"], body["odometer_m"], event.at, event.persons
    )  # fmt: skip


def advance(paper: Maintenance, event: Event) -> Maintenance:
    """The maintenance after one more event. Raises BrokenThreadError for one that is not possible in its state."""
    row = row_of(paper.state, event.step)
    if row is None or event.version != paper.version + 1 or not event.persons:
        raise BrokenThreadError(f"{event.step} {event.version} after {paper.state} {paper.version}")
    changed: dict[str, Any] = {"state": row.target or paper.state, "version": event.version}
    if event.step in _EFFECTS:
        changed |= _EFFECTS[event.step](paper, event, event.body)
    return replace(paper, **changed)


def _chosen(paper: Maintenance, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "shop": body["shop"],
        "chosen_fen": paper.quotes[body["shop"]],
        "own": paper.own | event.persons,
    }


def _finished(paper: Maintenance, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "total_fen": body["bill"]["total_fen"],
        "invoice": body.get("invoice"),
        "finishers": paper.finishers | event.persons,
        "out_at": datetime.fromisoformat(body["at"]),
    }


def _attached(paper: Maintenance, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    picture = str(body["media_type"]).startswith("image/")
    return {"files": paper.files + 1, "pictures": paper.pictures + int(picture)}


_EFFECTS: Final[Mapping[RepairAction, Callable[[Maintenance, Event, Mapping[str, Any]], dict[str, Any]]]] = {
    RepairAction.QUOTE: lambda paper, event, body: {
        "quotes": {**paper.quotes, body["shop"]: body["bill"]["total_fen"]},
        "own": paper.own | event.persons,
    },
    RepairAction.SUBMIT: _chosen,
    RepairAction.APPROVE: lambda paper, event, body: {
        "approved_fen": paper.chosen_fen,
        "approved_at": event.at,
    },
    RepairAction.START: lambda paper, event, body: {"in_at": datetime.fromisoformat(body["at"])},
    RepairAction.ASK_MORE: lambda paper, event, body: {
        "asked_fen": body["total_fen"],
        "own": paper.own | event.persons,
    },
    RepairAction.GRANT: lambda paper, event, body: {"approved_fen": paper.asked_fen, "asked_fen": None},
    RepairAction.DENY: lambda paper, event, body: {"asked_fen": None},
    RepairAction.FINISH: _finished,
    RepairAction.REDO: lambda paper, event, body: {"total_fen": None, "invoice": None, "out_at": None},
    RepairAction.ACCEPT: lambda paper, event, body: {"accepted_at": event.at},
    RepairAction.ATTACH: _attached,
}


def fold(events: Sequence[Event]) -> Maintenance:
    """The maintenance of a thread, oldest event first. Raises BrokenThreadError."""
    if not events:
        raise BrokenThreadError("an empty thread")
    paper = begin(events[0])
    for event in events[1:]:
        paper = advance(paper, event)
    return paper


def sentence(number: str, step: str, state: str) -> str:
    """A step in words: all that leaves the program about a maintenance."""
    return f"维修单 {number}：{STEP_NAMES[RepairAction(step)]}，现为{STATE_NAMES[RepairState(state)]}"
