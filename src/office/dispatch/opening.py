"""What the first event of a dispatch says of its requests, and the paper that comes after the drive (补单, 紧急用车)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from office.dispatch import vehicles
from office.dispatch.dispatch import Dispatch
from office.dispatch.orders import short_name
from office.dispatch.papers import (
    Desk,
    add_to_dispatch,
    add_to_request,
    open_dispatch,
    set_paper_due,
    settle_request,
)
from office.dispatch.threads import (
    DispatchThread,
    RequestThread,
    new_id,
    read_dispatch,
    read_request,
    take_number,
)
from office.requests.contents import PURPOSE_NAMES, Driven, Purpose
from office.requests.request import Request
from office.requests.table import OVER, Paper, TripAction, TripState
from registry.drivers import drivers_of
from registry.vehicles import vehicles_by_id
from runtime.connection import Connection
from runtime.errors import InvalidError

_MOST_PURPOSE: Final = 200


def trip_of(requests: Sequence[Request], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the order says of the requests that it carries: where it goes, in their order, what for, who asked and who approved."""
    places: list[Any] = []
    purposes, applicants, approvers = [], [], []
    for request in requests:
        contents = request.contents
        # Of several the later ones are picked up on the way.
        if places and request is not requests[0]:
            places.append(contents["origin"])
        places += contents["stops"]
        purposes.append(f"{PURPOSE_NAMES[Purpose(contents['purpose'])]}：{contents['reason']}")
        applicants.append(contents["applicant_name"])
        if request.approver:
            approvers.append(request.approver)
    first = requests[0].contents
    more = list((before or {}).get("added", ()))
    return {
        "task_type": "emergency" if any(request.kind == "emergency" for request in requests) else "official",
        "purpose": " ".join("；".join(dict.fromkeys(purposes)).split())[:_MOST_PURPOSE],
        "origin": first.get("origin"),
        "destinations": [*places, *more][:50],
        "added": more,
        "return_point": first.get("return_point") or first.get("origin"),
        # Of several requests nobody designated the way of all of them together; a stop that was added later is not on it.
        "route": list(first.get("route", ())) if len(requests) == 1 and not more else [],
        "applicant": short_name("、".join(dict.fromkeys(applicants))),
        # Several requests have several approvers: one of them stands in the order, for each of them has approved his part.
        "approver": short_name(approvers[-1]) if len(approvers) == len(requests) else None,
        "request_units": sorted({request.organisation for request in requests}),
    }  # fmt: skip


def refuse_decider(requests: Sequence[Request], driver_user: str | None) -> None:
    """Who decided on a request does not drive for it. Raises InvalidError."""
    for request in requests:
        if driver_user is not None and f"user:{driver_user}" in request.decided:
            raise InvalidError(
                "/driver",
                f"该驾驶员审批过申请 {request.number}，不能驾驶本次用车，请另选一名 · this driver decided on request {request.number} and cannot drive for it",
            )


async def trip_body(connection: Connection, ids: Sequence[str], dispatch: Dispatch) -> dict[str, Any]:
    """The part of an event that says anew what the order says, for those of the requests that are still carried."""
    requests = []
    for id in ids:
        thread = await read_request(connection, id)
        if thread is None:
            raise InvalidError(
                "/requests", f"没有申请 {id}，或不在您的范围内 · no such request, or it is not yours: {id}"
            )
        requests.append(thread.paper)
    return {
        "requests": list(ids),
        "trip": trip_of(requests, dispatch.trip),
        "not_own": sorted(frozenset().union(*(request.own for request in requests))),
        "units": sorted(frozenset().union(*({request.organisation, request.pool} for request in requests))),
    }  # fmt: skip


def link_body(made: DispatchThread, sent: vehicles.Sent) -> dict[str, Any]:
    body = {"dispatch": made.id, "number": made.paper.number, "unit": made.paper.organisation}
    return body | ({"driver_user": sent.driver_user} if sent.driver_user else {})


async def first_body(
    desk: Desk, sent: vehicles.Sent, threads: Sequence[RequestThread], since: datetime, until: datetime, kind: str
) -> dict[str, Any]:  # fmt: skip
    requests = [thread.paper for thread in threads]
    units = frozenset().union(*({request.organisation, request.pool} for request in requests))
    return sent.body() | {
        "kind": kind,
        "pool": requests[0].pool,
        "number": await take_number(desk.connection, Paper.DISPATCH, sent.vehicle.organisation, desk.now),
        "requests": [thread.id for thread in threads],
        "units": sorted(units),
        "not_own": sorted(frozenset().union(*(request.own for request in requests))),
        "trip": trip_of(requests),
        "planned_departure": since.isoformat(),
        "planned_return": until.isoformat(),
    }


def time_of(value: str) -> datetime:
    return datetime.fromisoformat(value)


async def driven_part(connection: Connection, driven: Driven, now: datetime) -> dict[str, Any]:
    """What a 补单 keeps of the vehicle that was driven. Raises InvalidError."""
    if driven.returned is not None and driven.returned > now:
        raise InvalidError(
            "/driven/returned",
            "归队时间在将来：补单只用于已归队的用车 · a backfill is for a vehicle that is back already",
        )
    vehicle = (await vehicles_by_id(connection, [driven.vehicle])).get(driven.vehicle)
    driver = {} if driven.driver is None else await drivers_of(connection, [driven.driver])
    if vehicle is None and not await connection.fetchval("SELECT vehicle_is_known($1)", driven.vehicle):
        raise InvalidError(
            "/driven/vehicle", f"车辆 {driven.vehicle} 未登记，请核对 · no such vehicle: {driven.vehicle}"
        )
    if driven.driver is not None and not driver and vehicle is not None:
        raise InvalidError(
            "/driven/driver", f"驾驶员 {driven.driver} 未登记，请核对 · no such driver: {driven.driver}"
        )
    user = await connection.fetchval("SELECT user_of_driver($1)", driven.driver or "")
    return {"driver_user": user} if user else {}


async def regularise(desk: Desk, thread: RequestThread) -> RequestThread:
    """The approval of a request whose vehicle drove first. Of an emergency the order gets its approver; a backfill gets its dispatch. Where the
    vehicle is not within reach of who approves, the clock does it."""
    request = thread.paper
    if request.kind == "emergency":
        return await _paper(desk, thread)
    driven = request.contents["driven"]
    vehicle = (await vehicles_by_id(desk.connection, [driven["vehicle"]])).get(driven["vehicle"])
    if vehicle is None or not await desk.connection.fetchval(
        "SELECT unit_is_reached($1)", vehicle.organisation
    ):
        return thread
    driver = driven.get("driver")
    if driver is not None and not await drivers_of(desk.connection, [driver]):
        return thread
    since, until = time_of(driven["departed"]), time_of(driven["returned"])
    sent = await vehicles.fit(desk.connection, vehicle.id, driven.get("driver"), since, until, driven=True)
    body = await first_body(desk, sent, [thread], since, until, "backfill")
    body |= {"actual_departure": since.isoformat(), "actual_return": until.isoformat()}
    made = await open_dispatch(desk, new_id(Paper.DISPATCH, desk.now), TripAction.BACKFILL, frozenset(), body)
    thread = await add_to_request(desk, thread, TripAction.REGULARISE, frozenset(), link_body(made, sent))
    return await settle_request(desk, thread)


async def _paper(desk: Desk, thread: RequestThread) -> RequestThread:
    request = thread.paper
    dispatch = await read_dispatch(desk.connection, request.dispatches[0], lock=True)
    if dispatch is None:
        return thread
    body = await trip_body(desk.connection, dispatch.paper.requests, dispatch.paper)
    if dispatch.paper.state in OVER and dispatch.paper.state is not TripState.RETURNED:
        body["trip"] = dict(dispatch.paper.trip) | {"approver": body["trip"]["approver"]}
    await add_to_dispatch(desk, dispatch, TripAction.PAPER, frozenset(), body)
    said = {"dispatch": dispatch.id, "number": dispatch.paper.number, "unit": dispatch.paper.organisation}
    thread = await add_to_request(desk, thread, TripAction.REGULARISE, frozenset(), said)
    return await settle_request(desk, thread)


async def note_return(desk: Desk, threads: Sequence[RequestThread], returned: datetime) -> None:
    """Vehicles that drove first are back: until when their papers are due."""
    for thread in threads:
        if thread.paper.state in (TripState.DRAFT, TripState.PENDING, TripState.REJECTED):
            await set_paper_due(desk, thread, returned)
