"""The thread of a request: what it comes to, and who may take its next step. Pure.

Who decides is another person than who asked, than who drives and than who decided on a level before. A right that is used by delegation
counts as an act of both, so it helps nobody around this. Nothing approves by itself: a level that is silent for too long lets the
substitute decide as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from office.requests.table import BY_PROGRAM, BrokenThreadError, Paper, TripAction, TripState, Who, row_of
from office.requests.words import Refusal


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a thread, of either paper. ``persons``: whose act it is (``user:7``), also of whom the right was delegated by; empty:
    the program's."""

    version: int
    step: TripAction
    at: datetime
    persons: frozenset[str] = frozenset()
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a chain of approval. ``users``: who may decide (``user:7``); empty = whoever has the right. ``substitutes``: who
    decides as well once ``timeout_min`` have passed."""

    position: str
    name: str
    users: frozenset[str] = frozenset()
    timeout_min: int = 120
    substitutes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Request:
    """What a thread comes to. ``own``: whose request it is: applicant, who entered it, who uses the vehicle. ``chain``: as it was when it
    was submitted. ``decided``: who decided on the levels before. ``level``: the running one, 0 = the first. ``level_since``: since when it
    runs; ``escalated``: the substitute decides as well. ``drivers``: users who drive it. ``driven``: a vehicle drove for it first, the paper comes after (紧急、补单).
    ``dispatches``: those that carry it, in the order in which they were made; ``units``: those of their vehicles. ``against``: an expired one counts against it.
    ``silent``: confirmed by nobody's objection."""

    state: TripState
    version: int
    organisation: str
    pool: str
    contents: Mapping[str, Any]
    own: frozenset[str]
    begun_at: datetime
    number: str | None = None
    chain: tuple[Level, ...] = ()
    level: int = 0
    level_since: datetime | None = None
    escalated: bool = False
    decided: frozenset[str] = frozenset()
    approver: str | None = None
    approved_at: datetime | None = None
    submitted_at: datetime | None = None
    drivers: frozenset[str] = frozenset()
    queued_at: datetime | None = None
    finished_at: datetime | None = None
    paper_due: datetime | None = None
    paper_late: bool = False
    dispatches: tuple[str, ...] = ()
    units: frozenset[str] = frozenset()
    rating: int | None = None
    silent: bool = False
    against: str | None = None
    no_show: bool = False

    @property
    def kind(self) -> str:
        """normal, emergency (紧急: the vehicle first, paper after) or backfill (补单)."""
        return str(self.contents.get("kind", "normal"))

    @property
    def driven(self) -> bool:
        return self.kind != "normal"

    @property
    def running(self) -> Level | None:
        """The level that decides now."""
        return (
            self.chain[self.level]
            if self.state is TripState.PENDING and self.level < len(self.chain)
            else None
        )

    @property
    def deciders(self) -> frozenset[str] | None:
        """Who may decide now (``user:7``); empty = whoever has the right; None = nothing is to be decided."""
        level = self.running
        if level is None:
            return None
        if not level.users:
            return frozenset()
        return level.users | (level.substitutes if self.escalated else frozenset())


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody who is about to take a step. ``own``: he has a right with which he may do it for others (代录, 调度). ``human``: a person,
    no program."""

    persons: frozenset[str]
    human: bool
    now: datetime
    for_others: bool = False
    no_car_min: int = 30
    object_by: datetime | None = None
    departed: bool = False


def _decides(request: Request, act: Act) -> bool:
    deciders = request.deciders
    return deciders is not None and (not deciders or not deciders.isdisjoint(act.persons))


def _waited(request: Request, act: Act) -> bool:
    since = request.queued_at
    return since is not None and (act.now - since).total_seconds() >= act.no_car_min * 60


#: Guard -> (whether it lets pass, what is said when it does not).
_GUARDS: Final[Mapping[str, tuple[Callable[[Request, Act], bool], Refusal]]] = {
    "decider": (_decides, Refusal.NOT_DECIDER),
    "not-own": (lambda request, act: (request.own | request.drivers).isdisjoint(act.persons), Refusal.OWN_REQUEST),
    "not-twice": (lambda request, act: request.decided.isdisjoint(act.persons), Refusal.DECIDED_BEFORE),
    "last": (lambda request, act: request.level == len(request.chain) - 1, Refusal.NOT_NOW),
    "not-last": (lambda request, act: request.level < len(request.chain) - 1, Refusal.NOT_NOW),
    "waited": (_waited, Refusal.TOO_EARLY_NO_VEHICLE),
    "driven": (lambda request, act: request.driven, Refusal.NOT_NOW),
    "not-driven": (lambda request, act: not request.driven, Refusal.NOT_NOW),
    "not-departed": (lambda request, act: not act.departed, Refusal.DEPARTED),
    "in-time-to-object": (lambda request, act: act.object_by is None or act.now < act.object_by, Refusal.TOO_LATE_TO_OBJECT),
}  # fmt: skip


def refusal(request: Request, step: TripAction, act: Act) -> Refusal | None:
    """Why ``act`` may not take ``step`` now; None: it may. Whether somebody has the permission in the unit is asked before."""
    row = row_of(Paper.REQUEST, request.state, step)
    if row is None:
        return Refusal.NOT_NOW
    if row.permissions and not act.human and step is not TripAction.NOTE:
        return Refusal.NO_PERSON
    if row.who is Who.OWN and not act.for_others and request.own.isdisjoint(act.persons):
        return Refusal.NOT_YOURS
    return next((said for guard in row.guards for passes, said in [_GUARDS[guard]] if not passes(request, act)), None)  # fmt: skip


def begin(event: Event) -> Request:
    """The request that a first event makes."""
    if event.step is not TripAction.DRAFT or event.version != 1:
        raise BrokenThreadError(f"a request begins with a draft, not with {event.step} {event.version}")
    body = event.body
    return Request(
        state=TripState.DRAFT,
        version=1,
        organisation=body["organisation"],
        pool=body["pool"],
        contents=body,
        # Of an emergency the vehicle drives already.
        dispatches=(body["dispatch"],) if body.get("dispatch") else (),
        units=frozenset({body["vehicle_unit"]}) if body.get("vehicle_unit") else frozenset(),
        own=_own(body, event.persons),
        begun_at=event.at,
        drivers=_users(body.get("driver_user")),
    )


def _own(body: Mapping[str, Any], persons: frozenset[str]) -> frozenset[str]:
    """Whose request it is: who wrote it, the applicant, who uses the vehicle."""
    return persons | _users(body.get("applicant")) | _users(body.get("user_account"))


def _users(*ids: str | None) -> frozenset[str]:
    return frozenset(f"user:{id}" for id in ids if id)


def advance(request: Request, event: Event) -> Request:
    """The request after one more event. Raises BrokenThreadError for one that is not possible in its state."""
    row = row_of(Paper.REQUEST, request.state, event.step)
    if row is None or event.version != request.version + 1:
        raise BrokenThreadError(f"{event.step} {event.version} after {request.state} {request.version}")
    if (
        not event.persons
        and event.step not in BY_PROGRAM
        and event.step not in (TripAction.QUEUE, TripAction.ASSIGN)
    ):
        raise BrokenThreadError(f"{event.step} {event.version} is nobody's act")
    changed: dict[str, Any] = {"state": row.target or request.state, "version": event.version}
    if event.step in _EFFECTS:
        changed |= _EFFECTS[event.step](request, event, event.body)
    return replace(request, **changed)


def _edited(request: Request, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "contents": body,
        "organisation": body["organisation"],
        "pool": body["pool"],
        "own": request.own | _own(body, event.persons),
        "drivers": request.drivers | _users(body.get("driver_user")),
    }


def _submitted(request: Request, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "number": body["number"],
        "chain": tuple(map(level_of, body["chain"])),
        "level": 0,
        "level_since": event.at,
        "submitted_at": event.at,
        "own": request.own | event.persons,
    }


def level_of(body: Mapping[str, Any]) -> Level:
    """A level as events have it."""
    return Level(
        body["position"], body["name"], _users(*body["users"]), body["timeout_min"], _users(*body["substitutes"])
    )  # fmt: skip


def _endorsed(request: Request, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "level": request.level + 1,
        "level_since": event.at,
        "escalated": False,
        "decided": request.decided | event.persons,
    }


def _assigned(request: Request, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "dispatches": tuple(dict.fromkeys((*request.dispatches, body["dispatch"]))),
        "drivers": request.drivers | _users(body.get("driver_user")),
        "units": request.units | {body["unit"]},
    }


_EFFECTS: Final[Mapping[TripAction, Callable[[Request, Event, Mapping[str, Any]], dict[str, Any]]]] = {
    TripAction.EDIT: _edited,
    TripAction.SUBMIT: _submitted,
    TripAction.ENDORSE: _endorsed,
    TripAction.APPROVE: lambda request, event, body: {
        "decided": request.decided | event.persons,
        "approver": body["approver"],
        "approved_at": event.at,
    },
    TripAction.ESCALATE: lambda request, event, body: {"escalated": True},
    TripAction.EXPIRE: lambda request, event, body: {"against": body["against"]},
    TripAction.QUEUE: lambda request, event, body: {"queued_at": event.at},
    TripAction.RELEASE: lambda request, event, body: {"queued_at": event.at},
    TripAction.ASSIGN: _assigned,
    TripAction.REGULARISE: _assigned,
    TripAction.FINISH: lambda request, event, body: {"finished_at": event.at},
    TripAction.ANSWER: lambda request, event, body: {"finished_at": event.at},
    TripAction.CONFIRM: lambda request, event, body: {"rating": body.get("rating")},
    TripAction.CONFIRM_SILENT: lambda request, event, body: {"silent": True},
    TripAction.PAPER_LATE: lambda request, event, body: {"paper_late": True},
    TripAction.NO_SHOW: lambda request, event, body: {"no_show": True},
}


def fold(events: Sequence[Event]) -> Request:
    """The request of a thread, oldest event first. Raises BrokenThreadError."""
    if not events:
        raise BrokenThreadError("an empty thread")
    request = begin(events[0])
    for event in events[1:]:
        request = advance(request, event)
    return request
