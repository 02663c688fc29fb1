"""A step of a dispatch, by somebody: rights, state, version, and everything that follows, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from office.dispatch import vehicles
from office.dispatch.asking import SEES, desk_of, hats
from office.dispatch.asking import allowed as allowed_of_request
from office.dispatch.asking import seen as seen_request
from office.dispatch.contents import (
    DispatchChange,
    DispatchDepart,
    DispatchJoin,
    DispatchReassign,
    DispatchReturn,
    Measured,
)
from office.dispatch.dispatch import Act, Dispatch, refusal
from office.dispatch.drivers import refuse_unable
from office.dispatch.opening import note_return, refuse_decider, trip_body
from office.dispatch.papers import Desk, add_to_dispatch, add_to_request, settle_request
from office.dispatch.shown import reached
from office.dispatch.terms import accept_by
from office.dispatch.threads import (
    MAX_EVENTS,
    DispatchThread,
    RequestThread,
    hold_dispatch,
    read_dispatch,
    read_request,
)
from office.requests.contents import Command, plain
from office.requests.table import APPROVE, OVER, Paper, TripAction, TripState, Who, row_of
from office.requests.words import NotAllowedError, Refusal, StaleError, StepRefusedError
from office.supervision.actors import Actor
from registry.refusals import AHEAD
from runtime.connection import Connection
from runtime.errors import InvalidError, NotThereError
from runtime.units import CHINA

#: Steps that somebody could take for ever.
_AT_WILL: Final = frozenset(
    {
        TripAction.NOTE,
        TripAction.CHANGE,
        TripAction.REASSIGN,
        TripAction.ASK_REASSIGN,
        TripAction.SUSPEND,
        TripAction.JOIN,
    }
)


def no_such_dispatch(id: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(
        f"没有这份派车单，或不在您的范围内 · no such dispatch, or it is not yours to see: {id}"
    )


async def sees_dispatch(connection: Connection, actor: Actor, dispatch: Dispatch) -> bool:
    """Whether ``actor`` sees a dispatch that is within reach: he drives it, it is for his request, or he sees all of one of its units."""
    if actor.person in dispatch.driver_users | dispatch.not_own:
        return True
    units = [dispatch.organisation, dispatch.pool, *dispatch.trip["request_units"]]
    return bool(await hats(connection, actor, units, *SEES))


async def seen(connection: Connection, actor: Actor, id: str) -> DispatchThread:
    """A dispatch. Raises NotThereError for one that is not the caller's to see."""
    thread = await read_dispatch(connection, id)
    if thread is None or not await sees_dispatch(connection, actor, thread.paper):
        raise no_such_dispatch(id)
    return thread


async def step(
    connection: Connection, actor: Actor, id: str, what: TripAction, command: Command
) -> DispatchThread:
    """Take a step; the dispatch after it. In the caller's transaction, which is begun again when others got in its way.

    Raises NotThereError, NotAllowedError, StepRefusedError, StaleError, ConflictError, InvalidError; then nothing was written."""
    joining: RequestThread | None = None
    if isinstance(command, DispatchJoin):
        # Requests first, in the order of their ids, then the dispatch.
        joining = await seen_request(connection, actor, command.request.id)
    held = await hold_dispatch(connection, id)
    if held is None or not await sees_dispatch(connection, actor, held[0].paper):
        raise no_such_dispatch(id)
    thread, requests = held
    dispatch = thread.paper
    if isinstance(command, Measured) and _is_here(thread, actor, what, command):
        return thread
    if command.version != dispatch.version:
        raise StaleError(Paper.DISPATCH, dispatch.version, dispatch.state)
    if what in _AT_WILL and dispatch.version >= MAX_EVENTS:
        raise InvalidError("", "本单的办理记录过多，只能继续办结 · too many entries: bring it to its end")
    desk = await desk_of(connection, actor)
    late = isinstance(command, DispatchChange) and await _is_late(desk, dispatch, command)
    persons = await allowed(desk, actor, dispatch, TripAction.CHANGE_LATE if late else what)
    if isinstance(command, DispatchJoin) and joining is not None:
        return await _join(desk, actor, thread, joining.id, command, persons)
    body = await _body(desk, actor, thread, what, command)
    if what is TripAction.REASSIGN:
        refuse_decider([request.paper for request in requests], body.get("driver_user"))
    if late:
        what = TripAction.CHANGE_LATE
    thread = await add_to_dispatch(desk, thread, what, persons, body)
    await _follow(desk, thread, requests, what)
    return thread


def _is_here(thread: DispatchThread, actor: Actor, what: TripAction, command: Measured) -> bool:
    """Whether what a device sends is in the thread already: its first answer was lost on the way."""
    return command.entry is not None and any(
        entry.event.step is what
        and entry.actor == actor.person
        and entry.event.body.get("entry") == command.entry
        for entry in thread.entries
    )


def units_for(dispatch: Dispatch, permissions: Sequence[str]) -> list[str]:
    """The units in which one of ``permissions`` lets take a step: to approve, that of who asked; else those of vehicle and dispatchers."""
    asked = list(dispatch.trip["request_units"])
    if tuple(permissions) == APPROVE:
        return asked
    own = [dispatch.pool, dispatch.organisation]
    return [*own, *asked] if "trips:apply" in permissions else own


async def allowed(desk: Desk, actor: Actor, dispatch: Dispatch, what: TripAction) -> frozenset[str]:
    """Whose act ``what`` would be. Raises what keeps ``actor`` from it."""
    found = await _tried(desk, actor, dispatch, what)
    if isinstance(found, Refusal):
        raise StepRefusedError(found, dispatch.version, dispatch.state)
    if found is None:
        row = row_of(Paper.DISPATCH, dispatch.state, what)
        raise NotAllowedError(dispatch.organisation, () if row is None else row.permissions)
    return found


async def _tried(
    desk: Desk, actor: Actor, dispatch: Dispatch, what: TripAction
) -> frozenset[str] | Refusal | None:
    row = row_of(Paper.DISPATCH, dispatch.state, what)
    if row is None or not row.permissions:
        return Refusal.NOT_NOW
    units = units_for(dispatch, row.permissions)
    ways = await hats(desk.connection, actor, units, *row.permissions)
    if not ways:
        return None
    sending = (
        set(await hats(desk.connection, actor, units, "trips:dispatch")) if row.who is Who.DRIVER else set()
    )
    if "trips:dispatch" not in row.permissions:
        sending = set()  # what only the driver himself says
    terms = desk.clocks.terms(dispatch.organisation, dispatch.begun_at)
    until = accept_by(dispatch, terms)
    why: Refusal | None = None
    for persons in ways:
        act = Act(persons, actor.human, desk.now, for_others=persons in sending, accept_by=until)
        refused = refusal(dispatch, what, act)
        if refused is None:
            return persons
        why = why or refused
    return why


async def possible(desk: Desk, actor: Actor, dispatch: Dispatch) -> list[tuple[TripAction, Refusal | None]]:
    """The steps that people take for which ``actor`` has the permission in this state, each with what keeps him from it."""
    found: list[tuple[TripAction, Refusal | None]] = []
    for what in TripAction:
        row = row_of(Paper.DISPATCH, dispatch.state, what)
        if (
            row is None
            or not row.permissions
            or (what is TripAction.CHANGE_LATE and dispatch.state is not TripState.RETURNED)
        ):
            continue
        way = await _tried(desk, actor, dispatch, what)
        if way is None or way in (Refusal.NOT_YOURS, Refusal.NO_CHANGE):
            continue
        if what is TripAction.CHANGE_LATE:
            what = TripAction.CHANGE
        found.append((what, way if isinstance(way, Refusal) else None))
    return found


async def _body(
    desk: Desk, actor: Actor, thread: DispatchThread, what: TripAction, command: Command
) -> dict[str, Any]:
    """What the event keeps: what was sent, and what follows from it."""
    dispatch, body = thread.paper, plain(command)
    if isinstance(command, DispatchReassign):
        return body | await _reassignment(desk, thread, command)
    if isinstance(command, DispatchDepart):
        body["at"] = (await _departure(desk, dispatch, command)).isoformat()
    elif isinstance(command, DispatchReturn):
        at = _return(desk, actor, dispatch, command)
        body["at"] = at.isoformat()
        if dispatch.actual_departure is None:
            body["departed"] = (dispatch.proposed_departure or dispatch.planned_departure).isoformat()
    elif isinstance(command, DispatchChange):
        body |= await _change(desk, thread, command)
    elif what is TripAction.APPROVE_CHANGE and dispatch.late_change is not None:
        trip = dict(dispatch.trip)
        added = list(dispatch.late_change["stops"])
        trip["destinations"] = [*trip["destinations"], *added][:50]
        trip["added"] = [*trip.get("added", ()), *added]
        if added or dispatch.late_change.get("route"):  # else the way there was not designated
            trip["route"] = list(dispatch.late_change.get("route", ()))
        body["trip"] = trip | {"approver": actor.subject.name[:200]}
    return body


async def _reassignment(desk: Desk, thread: DispatchThread, command: DispatchReassign) -> dict[str, Any]:
    dispatch = thread.paper
    vehicle, driver = command.vehicle or dispatch.vehicle, command.driver or dispatch.driver
    if vehicle == dispatch.vehicle and driver == dispatch.driver:
        raise InvalidError(
            "/vehicle",
            "改派的车辆和驾驶员与原派相同，请另选 · the same vehicle and driver as before; choose others",
        )
    since, until = dispatch.planned_departure, dispatch.due
    sent = await vehicles.fit(desk.connection, vehicle, driver, since, until)
    await vehicles.hold(desk.connection, sent.vehicle.no, sent.driver)
    await vehicles.refuse_taken(
        desk.connection, sent.vehicle, sent.driver, sent.driver_name, since, until, thread.id
    )
    await refuse_unable(desk.connection, sent, since, until, called=dispatch.kind == "emergency")
    return sent.body()


def _not_ahead(desk: Desk, at: datetime) -> None:
    if at > desk.now + AHEAD:
        raise InvalidError(
            "/at", "时间在将来，请填写实际时间 · this time is still to come; enter when it was"
        )


async def _departure(desk: Desk, dispatch: Dispatch, command: DispatchDepart) -> datetime:
    at = command.at or desk.now
    _not_ahead(desk, at)
    if at < dispatch.begun_at and dispatch.kind == "normal":
        raise InvalidError(
            "/at",
            "出车时间早于派车时间，请改正；派车前已经用车的，请填补单 · it left before a vehicle was assigned: put it right, or enter a backfill",
        )
    if command.odometer_m is not None and command.without_odometer is None:
        last = await desk.connection.fetchval(
            "SELECT odometer_in_m FROM trip_dispatches WHERE vehicle = $1 AND odometer_in_m IS NOT NULL AND actual_return <= $2"
            " ORDER BY actual_return DESC LIMIT 1",
            dispatch.vehicle,
            at,
        )
        if last is not None and command.odometer_m < last:
            raise InvalidError(
                "/odometer_m",
                f"里程表读数比该车上次归队时（{last / 1000:.1f} 公里）小，请核对；换过表的请在 without_odometer 写明"
                f" · less than at the last return ({last / 1000:.1f} km): check it; say so when the odometer was replaced",
            )
    return at


def _return(desk: Desk, actor: Actor, dispatch: Dispatch, command: DispatchReturn) -> datetime:
    at = command.at or desk.now
    _not_ahead(desk, at)
    left = dispatch.actual_departure or dispatch.proposed_departure or dispatch.planned_departure
    if at <= left:
        raise InvalidError(
            "/at",
            f"归队时间须晚于出车时间（{left.astimezone(CHINA):%m-%d %H:%M}），请改正 · it returned before it departed; put the time right",
        )
    out = dispatch.odometer_out_m
    if command.odometer_m is not None and out is not None and command.odometer_m < out:
        raise InvalidError(
            "/odometer_m",
            f"归队里程小于出车时的 {out / 1000:.1f} 公里，里程表不会倒转，请核对 · less than at the departure ({out / 1000:.1f} km); an odometer does not run backwards",
        )
    mine = dispatch.driver_user is not None and actor.person == f"user:{dispatch.driver_user}"
    if dispatch.state is TripState.OVERDUE and not mine and command.reason is None:
        raise InvalidError(
            "/reason",
            "逾期的归队由调度员登记的，须写明原因 · the return of an overdue vehicle: say why it is late",
        )
    return at


async def _is_late(desk: Desk, dispatch: Dispatch, command: DispatchChange) -> bool:
    """Whether a change is a 补单: the vehicle is back, or has been at one of the new stops already. Then an approver decides."""
    if dispatch.state is not TripState.RETURNED:
        since = dispatch.actual_departure or dispatch.planned_departure
        places = [place.original() for place in command.stops]
        if not places or not await reached(
            desk.connection,
            dispatch.vehicle,
            since,
            desk.now,
            places,
            dispatch.organisation,
            desk.clocks.rows,
        ):
            return False
    if command.extended_return is not None:
        raise InvalidError(
            "/extended_return",
            "已归队或已到过的目的地须经审批，不能同时延长返回，请分开填写 · an approver decides about a stop that was reached already; enter the later return by itself",
        )
    return True


async def _change(desk: Desk, thread: DispatchThread, command: DispatchChange) -> dict[str, Any]:
    dispatch = thread.paper
    trip = dict(dispatch.trip)
    added = [place.original() for place in command.stops]
    trip["destinations"] = [*trip["destinations"], *added]
    trip["added"] = [*trip.get("added", ()), *added]
    if command.route or added:
        trip["route"] = [place.original() for place in command.route]
    if len(trip["destinations"]) > 50:
        raise InvalidError("/stops", "目的地过多，至多 50 个，请另派一单 · too many stops: at most 50")
    if command.extended_return is not None:
        if command.extended_return <= dispatch.due:
            raise InvalidError(
                "/extended_return",
                f"延长后的返回须晚于原定（{dispatch.due.astimezone(CHINA):%m-%d %H:%M}） · must be later than the return that was planned",
            )
        vehicle = await vehicles.fit(
            desk.connection,
            dispatch.vehicle,
            dispatch.driver,
            dispatch.planned_departure,
            command.extended_return,
            out=True,
        )
        await vehicles.hold(desk.connection, dispatch.vehicle_no, dispatch.driver)
        await vehicles.refuse_taken(
            desk.connection, vehicle.vehicle, vehicle.driver, vehicle.driver_name, dispatch.planned_departure,
            command.extended_return, thread.id,
        )  # fmt: skip
        await refuse_unable(
            desk.connection, vehicle, dispatch.planned_departure, command.extended_return, out=True
        )
    return {"trip": trip}


async def _join(
    desk: Desk, actor: Actor, thread: DispatchThread, request: str, command: DispatchJoin, persons: frozenset[str]
) -> DispatchThread:  # fmt: skip
    joining = await read_request(desk.connection, request, lock=True)
    if joining is None or joining.paper.version != command.request.version:
        found = joining.paper if joining is not None else None
        raise StaleError(
            Paper.REQUEST, found.version if found else 0, found.state if found else TripState.DRAFT
        )
    await allowed_of_request(desk, actor, joining.paper, TripAction.ASSIGN)
    dispatch = thread.paper
    refuse_decider([joining.paper], dispatch.driver_user)
    if request in dispatch.requests:
        raise InvalidError("/request", "该申请已在本派车单内 · the request is in this dispatch already")
    ids = [*dispatch.requests, request]
    for id in ids:
        other = await read_request(desk.connection, id)
        if other is not None and not other.paper.contents.get("pool_consent"):
            raise InvalidError(
                "/request",
                f"申请 {other.paper.number} 未同意合乘，请单独派车 · request {other.paper.number} does not agree to be pooled",
            )
    body: dict[str, Any] = plain(command) | await trip_body(desk.connection, ids, dispatch)
    thread = await add_to_dispatch(desk, thread, TripAction.JOIN, persons, body)
    said = {"dispatch": thread.id, "number": dispatch.number, "unit": dispatch.organisation}
    await add_to_request(desk, joining, TripAction.ASSIGN, persons, said)
    return thread


async def _follow(
    desk: Desk, thread: DispatchThread, requests: Sequence[RequestThread], what: TripAction
) -> None:
    """What a step does besides its event: the requests of a dispatch that is over."""
    if what is TripAction.REASSIGN:
        await tell_drivers(desk, thread, requests)
    if thread.paper.state not in OVER or what not in (
        TripAction.RETURN,
        TripAction.CANCEL,
        TripAction.NO_SHOW,
    ):
        return
    carried = [request for request in requests if request.id in thread.paper.requests]
    if thread.paper.actual_return is not None:
        await note_return(desk, carried, thread.paper.actual_return)
    for request in carried:
        await settle_request(desk, request)


async def tell_drivers(desk: Desk, thread: DispatchThread, requests: Sequence[RequestThread]) -> None:
    """A new vehicle or driver: its requests must know, for a driver approves nothing of his own trip, and applicants are told."""
    dispatch = thread.paper
    body: Mapping[str, Any] = {
        "dispatch": thread.id,
        "number": dispatch.number,
        "unit": dispatch.organisation,
    }
    if dispatch.driver_user is not None:
        body = {**body, "driver_user": dispatch.driver_user}
    for request in requests:
        if request.id in dispatch.requests and request.paper.state is TripState.ASSIGNED:
            await add_to_request(desk, request, TripAction.ASSIGN, frozenset(), body)
