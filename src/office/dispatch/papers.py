"""An event of a request or a dispatch with all that follows from it: the row, the version of the order, the other paper, the messages.
In the transaction of whoever acts; the papers are held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from office.dispatch.dispatch import WRITES_ORDER, Dispatch
from office.dispatch.dispatch import advance as advance_dispatch
from office.dispatch.dispatch import begin as begin_dispatch
from office.dispatch.orders import write_order
from office.dispatch.series_rows import told_of_another
from office.dispatch.terms import end_of, next_look_at_dispatch, next_look_at_request
from office.dispatch.threads import (
    Clocks,
    DispatchThread,
    Entry,
    RequestThread,
    entry_of,
    link,
    read_dispatch,
    store,
    write_row,
)
from office.requests.messages import tell
from office.requests.request import Event, Request
from office.requests.request import advance as advance_request
from office.requests.request import begin as begin_request
from office.requests.table import OVER, Paper, TripAction, TripState
from office.supervision.actors import Actor
from runtime.connection import Connection

#: (step, who or which unit, where or what he may do there).
Told = tuple[TripAction, str, str]


@dataclass(frozen=True, slots=True)
class Desk:
    """A transaction in which papers are worked on. ``actor`` None = the program by itself. ``told``: of steps on many requests, who was told of which step already: nobody
    is told twice; None = each is told of."""

    connection: Connection
    clocks: Clocks
    now: datetime
    actor: Actor | None = None
    told: set[Told] | None = None

    def entry(self, event: Event) -> Entry:
        return Entry(event) if self.actor is None or not event.persons else entry_of(self.actor, event)


# --- requests


async def begin_with(desk: Desk, id: str, persons: frozenset[str], body: Mapping[str, Any]) -> RequestThread:
    """A new request; its first event."""
    event = Event(1, TripAction.DRAFT, desk.now, persons, body)
    request, entry = begin_request(event), desk.entry(event)
    await write_row(desk.connection, Paper.REQUEST, id, request_row(desk, request, None), new=True)
    await store(desk.connection, Paper.REQUEST, id, entry)
    return RequestThread(id, request, (entry,), {"paper_due": None})


async def add_to_request(
    desk: Desk, thread: RequestThread, step: TripAction, persons: frozenset[str], body: Mapping[str, Any]
) -> RequestThread:
    """One more event of a request, and its messages."""
    event = Event(thread.paper.version + 1, step, desk.now, persons, body)
    after, entry = advance_request(thread.paper, event), desk.entry(event)
    await store(desk.connection, Paper.REQUEST, thread.id, entry)
    due = thread.row["paper_due"]
    if step is TripAction.SUBMIT and after.kind == "backfill":
        returned = datetime.fromisoformat(after.contents["driven"]["returned"])
        due = end_of(desk.clocks.calendar, returned, _terms(desk, after)["backfill_wd"])
    values = request_row(desk, after, due)
    await write_row(desk.connection, Paper.REQUEST, thread.id, values, new=False)
    await _tell_of_request(desk, thread.id, after, step)
    return replace(
        thread, paper=after, entries=(*thread.entries, entry), row={**thread.row, "paper_due": due}
    )


def _terms(desk: Desk, request: Request) -> dict[str, int]:
    return desk.clocks.terms(request.organisation, request.begun_at)


def request_row(desk: Desk, request: Request, paper_due: datetime | None) -> dict[str, Any]:
    """The columns of ``trip_requests`` that follow from the thread and the clock. ``paper_due``: until when the paper of a vehicle that
    drove first must be there; it follows from the return."""
    contents, deciders = request.contents, request.deciders
    look = next_look_at_request(request, desk.clocks.calendar, _terms(desk, request), paper_due, desk.now)
    return {
        "organisation": request.organisation,
        "pool": request.pool,
        "units": sorted({request.organisation, request.pool, *request.units}),
        "number": request.number,
        "kind": request.kind,
        "state": str(request.state),
        "version": request.version,
        "category": contents["category"],
        "purpose": contents["purpose"],
        "passengers": contents["passengers"],
        "applicant_name": contents["applicant_name"],
        "persons": sorted(request.own),
        "deciders": None if deciders is None else sorted(deciders),
        "approver_name": request.approver,
        "planned_departure": datetime.fromisoformat(contents["planned_departure"]),
        "planned_return": datetime.fromisoformat(contents["planned_return"]),
        "created_at": request.begun_at,
        "submitted_at": request.submitted_at,
        "approved_at": request.approved_at,
        "paper_due": paper_due,
        "paper_late": request.paper_late,
        "against": request.against,
        "rating": request.rating,
        "look_at": look,
    }


async def set_paper_due(desk: Desk, thread: RequestThread, returned: datetime) -> None:
    """A vehicle that drove first has returned: its paper must be there in time."""
    if thread.paper.kind != "emergency":
        return
    due = end_of(desk.clocks.calendar, returned, _terms(desk, thread.paper)["backfill_wd"])
    await write_row(
        desk.connection, Paper.REQUEST, thread.id, request_row(desk, thread.paper, due), new=False
    )


async def _tell_of_request(desk: Desk, id: str, request: Request, step: TripAction) -> None:
    if step is TripAction.ESCALATE and await told_of_another(desk.connection, id):
        return
    unit, pool = request.organisation, request.pool
    own = [(key, unit) for key in sorted(request.own)]
    persons: list[tuple[str, str]] = []
    units: list[tuple[str, str]] = []
    if step in (TripAction.SUBMIT, TripAction.ENDORSE, TripAction.ESCALATE):
        deciders = request.deciders or frozenset()
        persons = [(key, unit) for key in sorted(deciders)]
        units = [] if deciders else [(unit, "trips:approve")]
        if step is TripAction.ESCALATE:
            units.append((unit, "trips:enter"))
    elif step in (TripAction.QUEUE, TripAction.DISPUTE):
        units = [(pool, "trips:dispatch")]
    elif step is TripAction.PAPER_LATE:
        persons, units = own, [(unit, "trips:enter")]
    elif step in (
        TripAction.APPROVE, TripAction.REJECT, TripAction.EXPIRE, TripAction.NO_VEHICLE, TripAction.RELEASE, TripAction.FINISH, TripAction.NO_SHOW, TripAction.ANSWER, TripAction.ASSIGN,
    ):  # fmt: skip
        persons = own
    elif step is TripAction.CANCEL:
        units = [(pool, "trips:dispatch")]
    if desk.told is not None:
        persons = [each for each in persons if (step, *each) not in desk.told]
        units = [each for each in units if (step, *each) not in desk.told]
        desk.told.update((step, *each) for each in (*persons, *units))
    await tell(
        desk.connection, Paper.REQUEST, id, number=request.number, step=step, state=request.state, at=desk.now,
        to_persons=persons, to_units=units,
    )  # fmt: skip


# --- dispatches


async def open_dispatch(
    desk: Desk, id: str, step: TripAction, persons: frozenset[str], body: Mapping[str, Any]
) -> DispatchThread:
    """A new dispatch, linked to its requests, with the first version of its order."""
    event = Event(1, step, desk.now, persons, body)
    dispatch, entry = begin_dispatch(event), desk.entry(event)
    await write_row(desk.connection, Paper.DISPATCH, id, dispatch_row(desk, dispatch), new=True)
    await store(desk.connection, Paper.DISPATCH, id, entry)
    await link(desk.connection, id, dispatch.requests)
    await _write_order(desk, id, dispatch)
    await _tell_of_dispatch(desk, id, dispatch, step)
    return DispatchThread(id, dispatch, (entry,), {"order_due": False})


async def add_to_dispatch(
    desk: Desk, thread: DispatchThread, step: TripAction, persons: frozenset[str], body: Mapping[str, Any]
) -> DispatchThread:
    """One more event of a dispatch, the version of its order, and its messages."""
    event = Event(thread.paper.version + 1, step, desk.now, persons, body)
    after, entry = advance_dispatch(thread.paper, event), desk.entry(event)
    await store(desk.connection, Paper.DISPATCH, thread.id, entry)
    values = dispatch_row(desk, after)
    await write_row(desk.connection, Paper.DISPATCH, thread.id, values, new=False)
    if step is TripAction.JOIN:
        await link(desk.connection, thread.id, after.requests)
    if step in WRITES_ORDER:
        await _write_order(desk, thread.id, after)
    await _tell_of_dispatch(desk, thread.id, after, step)
    return replace(thread, paper=after, entries=(*thread.entries, entry))


async def _write_order(desk: Desk, id: str, dispatch: Dispatch) -> None:
    due = not await write_order(desk.connection, id, dispatch)
    await desk.connection.execute("UPDATE trip_dispatches SET order_due = $2 WHERE id = $1 AND order_due <> $2", id, due)  # fmt: skip


def dispatch_row(desk: Desk, dispatch: Dispatch) -> dict[str, Any]:
    """The columns of ``trip_dispatches`` that follow from the thread and the clock."""
    terms = desk.clocks.terms(dispatch.organisation, dispatch.begun_at)
    overdue_h = desk.clocks.overdue_h(dispatch.organisation, dispatch.planned_departure)
    return {
        "organisation": dispatch.organisation,
        "pool": dispatch.pool,
        "units": sorted({dispatch.organisation, dispatch.pool, *dispatch.units}),
        "number": dispatch.number,
        "kind": dispatch.kind,
        "state": str(dispatch.state),
        "version": dispatch.version,
        "vehicle": dispatch.vehicle,
        "vehicle_no": dispatch.vehicle_no,
        "plate": dispatch.plate,
        "driver": dispatch.driver,
        "driver_name": dispatch.driver_name,
        "driver_phone": dispatch.driver_phone,
        "driver_user": dispatch.driver_user,
        "planned_departure": dispatch.planned_departure,
        "planned_return": dispatch.planned_return,
        "extended_return": dispatch.extended_return,
        "actual_departure": dispatch.actual_departure,
        "actual_return": dispatch.actual_return,
        "odometer_out_m": dispatch.odometer_out_m,
        "odometer_in_m": dispatch.odometer_in_m,
        "proposed_departure": dispatch.proposed_departure,
        "proposed_return": dispatch.proposed_return,
        "overdue_at": dispatch.overdue_at,
        "listed": dispatch.listed,
        "late_change": dispatch.late_change is not None,
        "holds": dispatch.holds,
        "created_at": dispatch.begun_at,
        "look_at": next_look_at_dispatch(dispatch, terms, overdue_h, desk.now),
    }


async def _tell_of_dispatch(desk: Desk, id: str, dispatch: Dispatch, step: TripAction) -> None:
    driver = [(f"user:{dispatch.driver_user}", dispatch.organisation)] if dispatch.driver_user else []
    office = [(dispatch.pool, "trips:dispatch")]
    persons: Iterable[tuple[str, str]] = ()
    units: list[tuple[str, str]] = []
    if step in (
        TripAction.ASSIGN,
        TripAction.EMERGENCY,
        TripAction.REASSIGN,
        TripAction.CANCEL,
        TripAction.NO_SHOW,
        TripAction.JOIN,
        TripAction.KEEP,
        TripAction.PROPOSE_DEPARTURE,
    ):
        persons = driver
    elif step in (TripAction.OVERDUE, TripAction.PROPOSE_RETURN):
        persons, units = driver, office
    elif step in (TripAction.UNANSWERED, TripAction.ASK_REASSIGN, TripAction.LIST):
        units = office
    elif step is TripAction.CHANGE_LATE:
        units = [(unit, "trips:approve") for unit in dispatch.trip["request_units"]]
    await tell(
        desk.connection, Paper.DISPATCH, id, number=dispatch.number, step=step, state=dispatch.state, at=desk.now,
        to_persons=persons, to_units=units,
    )  # fmt: skip


# --- what a dispatch means for its requests


async def settle_request(desk: Desk, thread: RequestThread) -> RequestThread:
    """What becomes of a request whose dispatches may all be over: it is to be confirmed, was not used, or waits again."""
    request = thread.paper
    if request.state is not TripState.ASSIGNED:
        return thread
    states = []
    for id in request.dispatches:
        other = await read_dispatch(desk.connection, id)
        if other is None:  # hidden from who acts: the clock looks
            await desk.connection.execute("UPDATE trip_requests SET look_at = $2 WHERE id = $1", thread.id, desk.now)  # fmt: skip
            return thread
        if other.paper.state not in OVER:
            return thread
        if thread.id in other.paper.requests:
            states.append(other.paper.state)
    if TripState.RETURNED in states:
        return await add_to_request(desk, thread, TripAction.FINISH, frozenset(), {})
    if TripState.NO_SHOW in states:
        return await add_to_request(desk, thread, TripAction.NO_SHOW, frozenset(), {})
    if request.driven:  # an emergency for which nobody drove in the end
        return await add_to_request(desk, thread, TripAction.NO_SHOW, frozenset(), {})
    return await add_to_request(desk, thread, TripAction.RELEASE, frozenset(), {})
