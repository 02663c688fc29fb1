"""The thread of a dispatch: what it comes to, and who may take its next step. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from office.requests.request import Event
from office.requests.table import (
    BEFORE,
    BY_PROGRAM,
    HOLDS,
    BrokenThreadError,
    Paper,
    TripAction,
    TripState,
    Who,
    row_of,
)
from office.requests.words import Refusal

#: How a dispatch begins.
FIRST: Final = {
    TripAction.ASSIGN: TripState.ASSIGNED,
    TripAction.EMERGENCY: TripState.ASSIGNED,
    TripAction.BACKFILL: TripState.RETURNED,
}


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What a thread comes to. ``trip``: what the order says (places, purpose, applicant, approver, task type), as JSON. ``requests``: those
    that it carries; ``units``: who reaches one of them sees it. ``driver_users``: users who drive or drove it; ``not_own``: users of its requests. ``holds_from``: from when on the newest version of the order
    holds; None = from the beginning. ``late_change``: one that waits for an approver, with ``late_by``: who entered it.
    ``proposed_*``: as the track shows it. ``chosen``: how its first vehicle was found ({way: manual, suggested, auto; rank, first, reason})."""

    state: TripState
    version: int
    organisation: str
    pool: str
    number: str
    kind: str
    vehicle: str
    driver: str | None
    driver_user: str | None
    trip: Mapping[str, Any]
    planned_departure: datetime
    planned_return: datetime
    begun_at: datetime
    requests: tuple[str, ...]
    units: frozenset[str]
    vehicle_no: int
    plate: str
    driver_name: str | None = None
    driver_phone: str | None = None
    extended_return: datetime | None = None
    actual_departure: datetime | None = None
    actual_return: datetime | None = None
    cancelled_at: datetime | None = None
    odometer_out_m: int | None = None
    odometer_in_m: int | None = None
    holds_from: datetime | None = None
    entered_at: datetime | None = None
    assigned_at: datetime | None = None
    overdue_at: datetime | None = None
    listed: bool = False
    unanswered: bool = False
    proposed_departure: datetime | None = None
    proposed_return: datetime | None = None
    late_change: Mapping[str, Any] | None = None
    late_by: frozenset[str] = frozenset()
    driver_users: frozenset[str] = frozenset()
    not_own: frozenset[str] = frozenset()
    changes: int = 0
    order_version: int = field(default=0)
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @property
    def due(self) -> datetime:
        """When it should be back: the extended, else the planned return."""
        return self.extended_return or self.planned_return

    @property
    def holds(self) -> bool:
        """Whether nobody else gets its vehicle and driver."""
        return self.state in HOLDS


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody who is about to take a step. ``for_others``: he may do it for the driver (a dispatcher)."""

    persons: frozenset[str]
    human: bool
    now: datetime
    for_others: bool = False
    accept_by: datetime | None = None


#: Guard -> (whether it lets pass, what is said when it does not).
_GUARDS: Final[Mapping[str, tuple[Callable[[Dispatch, Act], bool], Refusal]]] = {
    "in-time-to-accept": (lambda dispatch, act: act.accept_by is None or act.now < act.accept_by, Refusal.TOO_LATE_TO_ACCEPT),
    "no-change-waits": (lambda dispatch, act: dispatch.late_change is None, Refusal.CHANGE_WAITS),
    "change-waits": (lambda dispatch, act: dispatch.late_change is not None, Refusal.NO_CHANGE),
    "not-own": (lambda dispatch, act: (dispatch.not_own | dispatch.driver_users).isdisjoint(act.persons), Refusal.OWN_REQUEST),
    "not-changer": (lambda dispatch, act: dispatch.late_by.isdisjoint(act.persons), Refusal.OWN_CHANGE),
    "has-left": (
        lambda dispatch, act: dispatch.state not in BEFORE or dispatch.proposed_departure is not None, Refusal.NOT_LEFT
    ),
}  # fmt: skip


def refusal(dispatch: Dispatch, step: TripAction, act: Act) -> Refusal | None:
    """Why ``act`` may not take ``step`` now; None: it may."""
    row = row_of(Paper.DISPATCH, dispatch.state, step)
    if row is None:
        return Refusal.NOT_NOW
    if row.permissions and not act.human and step is not TripAction.NOTE:
        return Refusal.NO_PERSON
    mine = dispatch.driver_user is not None and f"user:{dispatch.driver_user}" in act.persons
    if row.who is Who.DRIVER and not act.for_others and not mine:
        return Refusal.NOT_YOURS
    return next((said for guard in row.guards for passes, said in [_GUARDS[guard]] if not passes(dispatch, act)), None)  # fmt: skip


def begin(event: Event) -> Dispatch:
    """The dispatch that a first event makes."""
    if event.step not in FIRST or event.version != 1:
        raise BrokenThreadError(f"a dispatch does not begin with {event.step} {event.version}")
    body = event.body
    return Dispatch(
        state=FIRST[event.step],
        version=1,
        organisation=body["organisation"],
        pool=body["pool"],
        number=body["number"],
        kind=body["kind"],
        vehicle=body["vehicle"],
        driver=body.get("driver"),
        driver_user=body.get("driver_user"),
        trip=body["trip"],
        planned_departure=_time(body["planned_departure"]),
        planned_return=_time(body["planned_return"]),
        begun_at=event.at,
        requests=tuple(body["requests"]),
        units=frozenset(body["units"]),
        vehicle_no=body["vehicle_no"],
        plate=body["plate"],
        driver_name=body.get("driver_name"),
        driver_phone=body.get("driver_phone"),
        actual_departure=_maybe(body, "actual_departure"),
        actual_return=_maybe(body, "actual_return"),
        entered_at=event.at,
        assigned_at=event.at,
        driver_users=_users(body),
        not_own=frozenset(body.get("not_own", ())),
        order_version=1,
        chosen=body.get("chosen", {}),
    )


def _users(body: Mapping[str, Any]) -> frozenset[str]:
    return frozenset({f"user:{body['driver_user']}"}) if body.get("driver_user") else frozenset()


def _time(value: str) -> datetime:
    return datetime.fromisoformat(value)


def _maybe(body: Mapping[str, Any], name: str) -> datetime | None:
    return _time(body[name]) if body.get(name) else None


#: Steps that make a version of the order.
WRITES_ORDER: Final = frozenset(
    {
        TripAction.ASSIGN, TripAction.EMERGENCY, TripAction.BACKFILL, TripAction.JOIN, TripAction.LEAVE, TripAction.REASSIGN, TripAction.PAPER, TripAction.DEPART, TripAction.NO_SHOW, TripAction.CANCEL,
        TripAction.CHANGE, TripAction.APPROVE_CHANGE, TripAction.RETURN,
    }
)  # fmt: skip


def advance(dispatch: Dispatch, event: Event) -> Dispatch:
    """The dispatch after one more event. Raises BrokenThreadError for one that is not possible in its state."""
    row = row_of(Paper.DISPATCH, dispatch.state, event.step)
    if row is None or event.version != dispatch.version + 1:
        raise BrokenThreadError(f"{event.step} {event.version} after {dispatch.state} {dispatch.version}")
    if not event.persons and event.step not in BY_PROGRAM and event.step is not TripAction.CANCEL:
        raise BrokenThreadError(f"{event.step} {event.version} is nobody's act")
    changed: dict[str, Any] = {"state": row.target or dispatch.state, "version": event.version}
    if event.step in WRITES_ORDER:
        changed |= {"entered_at": event.at, "order_version": dispatch.order_version + 1}
    if event.step in _EFFECTS:
        changed |= _EFFECTS[event.step](dispatch, event, event.body)
    return replace(dispatch, **changed)


def _reassigned(dispatch: Dispatch, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "vehicle": body["vehicle"],
        "vehicle_no": body["vehicle_no"],
        "plate": body["plate"],
        "driver_name": body.get("driver_name"),
        "driver_phone": body.get("driver_phone"),
        "units": dispatch.units | {body["organisation"]},
        "organisation": body["organisation"],
        "driver": body.get("driver"),
        "driver_user": body.get("driver_user"),
        "driver_users": dispatch.driver_users | _users(body),
        "assigned_at": event.at,
        "unanswered": False,
        "proposed_departure": None,
        # What another vehicle drove until now is not covered by being assigned afterwards.
        "holds_from": event.at,
    }


def _new_trip(dispatch: Dispatch, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"trip": body["trip"], "requests": tuple(body.get("requests", dispatch.requests))}
    found["units"] = dispatch.units | frozenset(body.get("units", ()))
    if "not_own" in body:
        found["not_own"] = dispatch.not_own | frozenset(body["not_own"])
    for name in ("planned_departure", "planned_return"):
        if body.get(name):
            found[name] = _time(body[name])
    return found


def _changed(dispatch: Dispatch, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    found = _new_trip(dispatch, event, body) | {
        "changes": dispatch.changes + 1,
        "listed": False,
        "overdue_at": None,
    }
    if body.get("extended_return"):
        found["extended_return"] = _time(body["extended_return"])
    return found | {"holds_from": event.at}


def _late_approved(dispatch: Dispatch, event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    # It changes what was judged, so it holds as the version before does, with its own approver.
    return {
        "trip": body["trip"],
        "late_change": None,
        "late_by": frozenset(),
        "changes": dispatch.changes + 1,
    }


_EFFECTS: Final[Mapping[TripAction, Callable[[Dispatch, Event, Mapping[str, Any]], dict[str, Any]]]] = {
    TripAction.JOIN: _new_trip,
    TripAction.LEAVE: _new_trip,
    TripAction.PAPER: lambda dispatch, event, body: _new_trip(dispatch, event, body) | {"holds_from": None},
    TripAction.UNANSWERED: lambda dispatch, event, body: {"unanswered": True},
    TripAction.KEEP: lambda dispatch, event, body: {"assigned_at": event.at, "unanswered": False},
    TripAction.REASSIGN: _reassigned,
    TripAction.DEPART: lambda dispatch, event, body: {
        "actual_departure": _time(body["at"]),
        "odometer_out_m": body.get("odometer_m"),
    },
    TripAction.PROPOSE_DEPARTURE: lambda dispatch, event, body: {"proposed_departure": _time(body["at"])},
    TripAction.NO_SHOW: lambda dispatch, event, body: {"cancelled_at": event.at},
    TripAction.CANCEL: lambda dispatch, event, body: {"cancelled_at": event.at},
    TripAction.CHANGE: _changed,
    TripAction.CHANGE_LATE: lambda dispatch, event, body: {"late_change": body, "late_by": event.persons},
    TripAction.APPROVE_CHANGE: _late_approved,
    TripAction.REJECT_CHANGE: lambda dispatch, event, body: {"late_change": None, "late_by": frozenset()},
    TripAction.RETURN: lambda dispatch, event, body: {
        "actual_return": _time(body["at"]),
        "odometer_in_m": body.get("odometer_m"),
        # Who was never entered as departed has departed as the track, else the paper, says.
        "actual_departure": dispatch.actual_departure or _maybe(body, "departed"),
    },
    TripAction.PROPOSE_RETURN: lambda dispatch, event, body: {"proposed_return": _time(body["at"])},
    TripAction.OVERDUE: lambda dispatch, event, body: {"overdue_at": event.at},
    TripAction.LIST: lambda dispatch, event, body: {"listed": True},
}


def fold(events: Sequence[Event]) -> Dispatch:
    """The dispatch of a thread, oldest event first. Raises BrokenThreadError."""
    if not events:
        raise BrokenThreadError("an empty thread")
    dispatch = begin(events[0])
    for event in events[1:]:
        dispatch = advance(dispatch, event)
    return dispatch
