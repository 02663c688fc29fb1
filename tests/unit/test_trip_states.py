"""The table of requests and dispatches: whatever people try, in whatever order, with whatever rights, no thread comes to an illegal state,
nobody approves his own trip, and nothing waits for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office.dispatch import dispatch as trip
from office.dispatch.dispatch import FIRST, Dispatch
from office.dispatch.terms import next_look_at_dispatch, next_look_at_request
from office.identity.subject import ROLE_PERMISSIONS, Role
from office.requests import request as asked
from office.requests.request import Act, Event, Request
from office.requests.table import (
    BY_PROGRAM,
    HOLDS,
    OVER,
    STATE_NAMES,
    STATES,
    STEP_NAMES,
    TABLE,
    BrokenThreadError,
    Paper,
    TripAction,
    TripState,
    row_of,
    steps_of,
)
from office.requests.words import SAID, Refusal
from registry.parameters import RULES, TRIPS
from registry.working_days import Calendar

S = TripState
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
TERMS = {p.name: p.default for p in RULES[TRIPS]}
#: What may come after what, written down again by hand from the office's own table (office practice), not from ``TABLE``.
REQUEST_FOLLOWS = {
    S.DRAFT: {S.PENDING},
    S.PENDING: {S.APPROVED, S.REJECTED, S.WITHDRAWN, S.EXPIRED},
    S.APPROVED: {S.WAITING, S.ASSIGNED, S.WITHDRAWN, S.EXPIRED},
    S.WAITING: {S.NO_VEHICLE, S.ASSIGNED, S.WITHDRAWN, S.EXPIRED},
    S.NO_VEHICLE: {S.WAITING, S.WITHDRAWN, S.EXPIRED},
    S.ASSIGNED: {S.WAITING, S.TO_CONFIRM, S.NO_SHOW, S.CANCELLED},
    S.TO_CONFIRM: {S.CONFIRMED, S.DISPUTED},
    S.DISPUTED: {S.CONFIRMED, S.TO_CONFIRM},
    S.CONFIRMED: {S.SETTLED},
    **{state: set() for state in (S.REJECTED, S.WITHDRAWN, S.EXPIRED, S.NO_SHOW, S.CANCELLED, S.SETTLED)},
}
_OUT = {S.CHANGED, S.RETURNED, S.OVERDUE, S.SUSPENDED}
DISPATCH_FOLLOWS = {
    S.ASSIGNED: {S.ACCEPTED, S.REASSIGNING, S.ASSIGNED, S.DEPARTED, S.NO_SHOW, S.CANCELLED, S.OVERDUE},
    S.ACCEPTED: {S.REASSIGNING, S.ASSIGNED, S.DEPARTED, S.NO_SHOW, S.CANCELLED, S.OVERDUE},
    S.REASSIGNING: {S.ASSIGNED, S.NO_SHOW, S.CANCELLED, S.OVERDUE},
    S.DEPARTED: _OUT,
    S.CHANGED: _OUT,
    S.SUSPENDED: {S.DEPARTED, S.CHANGED, S.RETURNED, S.OVERDUE},
    S.OVERDUE: {S.CHANGED, S.SUSPENDED, S.RETURNED},
    **{state: set() for state in OVER},
}
#: Which roles take a step, by hand from the table of actors. What is left out only the program does.
_ASKS = {Role.APPLICANT, Role.UNIT_ADMINISTRATOR, Role.UNIT_HEAD, Role.APPROVER, Role.DISPATCHER}
_DECIDES = {Role.APPROVER, Role.UNIT_HEAD}
_SENDS = {Role.DISPATCHER}
_DRIVES = {Role.DRIVER, Role.DISPATCHER}
_ALL = _ASKS | _DRIVES
ROLES: dict[tuple[Paper, TripAction], set[Role]] = {
    **{(Paper.REQUEST, s): _ASKS for s in (TripAction.EDIT, TripAction.SUBMIT, TripAction.WITHDRAW, TripAction.CANCEL, TripAction.CONFIRM, TripAction.DISPUTE)},
    **{(Paper.REQUEST, s): _DECIDES for s in (TripAction.ENDORSE, TripAction.APPROVE, TripAction.REJECT)},
    **{(Paper.REQUEST, s): _SENDS for s in (TripAction.NO_VEHICLE, TripAction.ASSIGN, TripAction.ANSWER)},
    **{(Paper.DISPATCH, s): _SENDS for s in (TripAction.JOIN, TripAction.KEEP, TripAction.REASSIGN, TripAction.CANCEL, TripAction.CHANGE, TripAction.CHANGE_LATE)},
    **{(Paper.DISPATCH, s): {Role.DRIVER} for s in (TripAction.ACCEPT, TripAction.ASK_REASSIGN)},
    **{(Paper.DISPATCH, s): _DRIVES for s in (TripAction.DEPART, TripAction.SUSPEND, TripAction.RESUME, TripAction.RETURN)},
    **{(Paper.DISPATCH, s): _DECIDES for s in (TripAction.APPROVE_CHANGE, TripAction.REJECT_CHANGE)},
    (Paper.REQUEST, TripAction.NOTE): _ALL, (Paper.DISPATCH, TripAction.NOTE): _ALL,
}  # fmt: skip


def test_the_table_is_that_of_the_office() -> None:
    assert len(TripState) == 22  # the 21 of the table, and 16a
    for paper, follows in ((Paper.REQUEST, REQUEST_FOLLOWS), (Paper.DISPATCH, DISPATCH_FOLLOWS)):
        assert follows.keys() == STATES[paper]
        for state in TripState:
            rows = [
                row for row in TABLE if row.paper is paper and state in row.sources and row.target is not None
            ]
            assert {row.target for row in rows} == follows.get(state, set()), (paper, state)
        for state, step in ((state, step) for state in TripState for step in TripAction):
            assert sum(state in row.sources for row in TABLE if row.paper is paper and row.step is step) <= 1
    assert STATES[Paper.REQUEST] | STATES[Paper.DISPATCH] == set(TripState)
    assert (set(STATE_NAMES), set(STEP_NAMES), set(SAID)) == (set(TripState), set(TripAction), set(Refusal))
    for row in TABLE:
        assert (row.permissions == ()) <= (row.step in BY_PROGRAM or row.step is TripAction.QUEUE), row.step


def test_every_step_is_for_the_roles_of_the_table_of_actors() -> None:
    for row in TABLE:
        may = {
            role
            for role, permissions in ROLE_PERMISSIONS.items()
            if not permissions.isdisjoint(row.permissions)
        }
        wanted = ROLES.get((row.paper, row.step), set())
        if row.step is TripAction.QUEUE and TripState.NO_VEHICLE in row.sources:
            wanted = _SENDS
        assert may == wanted, (row.paper, row.step)
    # The unit answers "is it official?", the platform "which car?".
    for role, permissions in ROLE_PERMISSIONS.items():
        assert not {"trips:approve", "trips:dispatch"} <= permissions, role


DRAFT: dict[str, Any] = {
    "organisation": "jsj", "pool": "pool", "kind": "normal", "applicant": "a", "applicant_name": "甲", "category": "other",
    "purpose": "meeting", "passengers": 1, "reason": "开会", "planned_departure": (NOW + timedelta(hours=5)).isoformat(),
    "planned_return": (NOW + timedelta(hours=8)).isoformat(), "stops": [], "scope": "city",
}  # fmt: skip
PEOPLE = ("a", "b", "c", "d", "e")
LEVEL = {"position": "x", "name": "x", "users": [], "timeout_min": 60, "substitutes": []}


def chain_of(levels: list[list[str]]) -> list[dict[str, Any]]:
    return [LEVEL | {"users": users, "substitutes": ["e"]} for users in levels]


def request_body(
    request: Request, step: TripAction, chain: list[dict[str, Any]], kind: str
) -> dict[str, Any]:
    made = f"PC-{len(request.dispatches)}"
    bodies: dict[TripAction, dict[str, Any]] = {
        TripAction.EDIT: DRAFT | {"kind": kind}, TripAction.SUBMIT: {"number": "1", "chain": chain}, TripAction.APPROVE: {"approver": "x"},
        TripAction.EXPIRE: {"against": "approver"}, TripAction.ASSIGN: {"dispatch": made, "unit": "p", "driver_user": "d"},
        TripAction.REGULARISE: {"dispatch": made, "unit": "p"}, TripAction.CONFIRM: {"rating": 4},
    }  # fmt: skip
    return bodies.get(step, {})


levels_ = st.lists(st.lists(st.sampled_from(PEOPLE), max_size=3, unique=True), min_size=1, max_size=3)
kinds = st.sampled_from(("normal", "emergency", "backfill"))
#: Who, with whose right, and which step: the k-th of those that the state knows, or any.
tries = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from(PEOPLE),
        st.integers(0, 99) | st.sampled_from(list(TripAction)),
    ),
    max_size=40,
)


def step_of(paper: Paper, state: TripState, tried: int | TripAction) -> TripAction:
    known = steps_of(paper, state)
    return tried if isinstance(tried, TripAction) else known[tried % len(known)]


@given(levels_, kinds, tries)
def test_no_way_of_a_request_leads_anywhere_else(
    levels: list[list[str]], kind: str, tried: list[tuple[str, str, int | TripAction]]
) -> None:
    """Each try is by somebody, perhaps with a right that was delegated by another one."""
    chain = chain_of(levels)
    first = Event(1, TripAction.DRAFT, NOW, frozenset({"user:a"}), DRAFT | {"kind": kind})
    thread, request = [first], asked.begin(first)
    for number, (name, by, chosen) in enumerate(tried):
        step = step_of(Paper.REQUEST, request.state, chosen)
        at, row = NOW + timedelta(hours=number), row_of(Paper.REQUEST, request.state, step)
        persons = (
            frozenset()
            if row is not None and not row.permissions
            else frozenset({f"user:{name}", f"user:{by}"})
        )
        event = Event(request.version + 1, step, at, persons, request_body(request, step, chain, kind))
        if row is None:
            with pytest.raises(BrokenThreadError):
                asked.advance(request, event)
            continue
        why = asked.refusal(request, step, Act(persons, True, at, for_others=True))
        if why is not None:
            continue
        before, request = request, asked.advance(request, event)
        assert request.state is before.state or request.state in REQUEST_FOLLOWS[before.state]
        if step in (TripAction.ENDORSE, TripAction.APPROVE, TripAction.REJECT):
            assert (before.own | before.drivers).isdisjoint(persons)
            assert step is TripAction.REJECT or before.decided.isdisjoint(persons)
            level = before.chain[before.level]
            assert not level.users or persons & (
                level.users | (level.substitutes if before.escalated else frozenset())
            )
        if step is TripAction.APPROVE:
            decided = [e for e in thread if e.step is TripAction.ENDORSE and e.version > submitted(thread)]
            assert len(decided) == len(chain) - 1  # n of n
        thread.append(event)
        assert asked.fold(thread) == request
        # Nothing waits for ever: what only people can end has an end of its own, or waits for nobody.
        look = next_look_at_request(request, Calendar(), TERMS, at if request.driven else None, at)
        if (
            request.state in (S.PENDING, S.APPROVED, S.WAITING, S.NO_VEHICLE, S.TO_CONFIRM)
            and not request.paper_late
        ):
            assert look is not None, request.state


def submitted(thread: list[Event]) -> int:
    return max(e.version for e in thread if e.step is TripAction.SUBMIT)


def first_event(step: TripAction) -> Event:
    body = {
        "organisation": "p", "pool": "p", "number": "1", "kind": "normal", "vehicle": "v", "vehicle_no": 1, "plate": "x", "driver": "dr",
        "driver_user": "d", "requests": ["r"], "units": ["jsj"], "not_own": ["user:a"], "trip": {"request_units": ["jsj"]},
        "planned_departure": DRAFT["planned_departure"], "planned_return": DRAFT["planned_return"],
        "actual_departure": DRAFT["planned_departure"], "actual_return": DRAFT["planned_return"],
    }  # fmt: skip
    return Event(1, step, NOW, frozenset() if step is TripAction.BACKFILL else frozenset({"user:b"}), body)


DISPATCH_BODIES: dict[TripAction, dict[str, Any]] = {
    TripAction.JOIN: {"trip": {}}, TripAction.LEAVE: {"trip": {}}, TripAction.PAPER: {"trip": {}}, TripAction.CHANGE: {"trip": {}}, TripAction.CHANGE_LATE: {"stops": []},
    TripAction.APPROVE_CHANGE: {"trip": {}}, TripAction.DEPART: {"at": "2026-03-02T06:00:00+00:00"}, TripAction.RETURN: {"at": "2026-03-02T09:00:00+00:00"},
    TripAction.PROPOSE_DEPARTURE: {"at": "2026-03-02T06:00:00+00:00"}, TripAction.PROPOSE_RETURN: {"at": "2026-03-02T09:00:00+00:00"},
    TripAction.REASSIGN: {"vehicle": "w", "vehicle_no": 2, "plate": "y", "organisation": "q", "driver_user": "e"},
}  # fmt: skip


@given(st.sampled_from(list(FIRST)), tries)
def test_no_way_of_a_dispatch_leads_anywhere_else(
    begun: TripAction, tried: list[tuple[str, str, int | TripAction]]
) -> None:
    first = first_event(begun)
    thread, dispatch = [first], trip.begin(first)
    for number, (name, by, chosen) in enumerate(tried):
        step = step_of(Paper.DISPATCH, dispatch.state, chosen)
        at, row = NOW + timedelta(hours=number), row_of(Paper.DISPATCH, dispatch.state, step)
        persons = (
            frozenset()
            if row is not None and not row.permissions
            else frozenset({f"user:{name}", f"user:{by}"})
        )
        event = Event(dispatch.version + 1, step, at, persons, DISPATCH_BODIES.get(step, {}))
        if row is None:
            with pytest.raises(BrokenThreadError):
                trip.advance(dispatch, event)
            continue
        if trip.refusal(dispatch, step, trip.Act(persons, True, at)) is not None:
            continue
        before, dispatch = dispatch, trip.advance(dispatch, event)
        assert dispatch.state is before.state or dispatch.state in DISPATCH_FOLLOWS[before.state]
        if step in (
            TripAction.ACCEPT,
            TripAction.DEPART,
            TripAction.RETURN,
            TripAction.SUSPEND,
            TripAction.ASK_REASSIGN,
        ):
            assert f"user:{before.driver_user}" in persons  # nobody else here may do it for him
        if step in (TripAction.APPROVE_CHANGE, TripAction.REJECT_CHANGE):
            assert (before.driver_users | before.not_own | before.late_by).isdisjoint(persons)
        thread.append(event)
        assert trip.fold(thread) == dispatch
        ends_by_itself(dispatch, at)


def ends_by_itself(dispatch: Dispatch, now: datetime) -> None:
    """A vehicle that is taken is looked at again, until it is listed and somebody only has to say yes to its return."""
    look = next_look_at_dispatch(dispatch, TERMS, 2, now)
    waits = dispatch.state is S.OVERDUE and dispatch.listed and dispatch.proposed_return is not None
    assert (look is None) == (dispatch.state not in HOLDS or waits)


def test_a_program_takes_no_step_of_a_person() -> None:
    request = asked.begin(Event(1, TripAction.DRAFT, NOW, frozenset({"user:a"}), DRAFT))
    act = Act(frozenset({"token:t"}), False, NOW, for_others=True)
    assert asked.refusal(request, TripAction.SUBMIT, act) is Refusal.NO_PERSON
    assert asked.refusal(request, TripAction.SUBMIT, replace(act, human=True)) is None
