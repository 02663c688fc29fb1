"""A new dispatch: assigned to requests (派车), or as an emergency (先用车后补单)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from office.dispatch import vehicles
from office.dispatch.asking import allowed, seen
from office.dispatch.contents import DispatchEmergency, DispatchNew
from office.dispatch.drivers import refuse_unable
from office.dispatch.opening import first_body, link_body, refuse_decider, time_of
from office.dispatch.papers import Desk, add_to_dispatch, add_to_request, begin_with, open_dispatch
from office.dispatch.threads import DispatchThread, RequestThread, new_id
from office.requests.contents import Purpose, plain
from office.requests.request import Request
from office.requests.table import DISPATCH, Paper, TripAction, TripState
from office.requests.words import NotAllowedError, Refusal, StaleError, StepRefusedError
from office.supervision.actors import Actor
from registry.organisations import units_above
from registry.refusals import AHEAD
from runtime.errors import InvalidError
from runtime.units import CHINA

#: How long an emergency is planned for, when nobody says.
_EMERGENCY: Final = timedelta(hours=4)
#: A dispatch begins so long before its requests, and ends so long after them, at most.
BEYOND: Final = timedelta(hours=2)
#: An emergency that departed longer ago is a 补单.
_SINCE: Final = timedelta(hours=24)


async def assign(desk: Desk, actor: Actor, given: DispatchNew) -> DispatchThread:
    """派车. Raises NotThereError, NotAllowedError, StaleError, StepRefusedError, InvalidError, ConflictError."""
    threads: list[RequestThread] = []
    versions = {each.id: each.version for each in given.requests}
    for id in sorted(versions):
        thread = await seen(desk.connection, actor, id, lock=True)
        if thread.paper.version != versions[id]:
            raise StaleError(Paper.REQUEST, thread.paper.version, thread.paper.state)
        threads.append(thread)
    persons: frozenset[str] = frozenset()
    for thread in threads:
        _, persons = await allowed(desk, actor, thread.paper, TripAction.ASSIGN)
    by_id = {thread.id: thread for thread in threads}
    ordered = [by_id[each.id] for each in given.requests]
    _refuse_unwilling(ordered)
    requests = [thread.paper for thread in ordered]
    since = given.planned_departure or min(time_of(r.contents["planned_departure"]) for r in requests)
    until = given.planned_return or max(time_of(r.contents["planned_return"]) for r in requests)
    if until <= since:
        raise InvalidError(
            "/planned_return", "计划返回须晚于计划出发 · the return must be after the departure"
        )
    if until <= desk.now:
        raise InvalidError(
            "/planned_return", "计划返回时间已过，不能再派车 · the planned return is in the past"
        )
    _refuse_beyond(requests, since, until)
    sent = await vehicles.fit(desk.connection, given.vehicle, given.driver, since, until)
    refuse_decider(requests, sent.driver_user)
    await vehicles.hold(desk.connection, sent.vehicle.no, sent.driver)
    await vehicles.refuse_taken(desk.connection, sent.vehicle, sent.driver, sent.driver_name, since, until)
    await refuse_unable(desk.connection, sent, since, until)
    body = await first_body(desk, sent, ordered, since, until, "normal")
    body["chosen"] = {"way": "manual"} if given.suggestion is None else {"way": "suggested"} | given.suggestion.model_dump(exclude_none=True)  # fmt: skip
    if given.note is not None:
        body["note"] = given.note
    made = await open_dispatch(desk, new_id(Paper.DISPATCH, desk.now), TripAction.ASSIGN, persons, body)
    for thread in ordered:
        await add_to_request(desk, thread, TripAction.ASSIGN, persons, link_body(made, sent))
    return made


def _refuse_beyond(requests: Sequence[Request], since: datetime, until: datetime) -> None:
    """What was approved is what is driven, and the way to it: a dispatch is no longer than its requests by more than BEYOND."""
    first = min(time_of(request.contents["planned_departure"]) for request in requests)
    last = max(time_of(request.contents["planned_return"]) for request in requests)
    for name, at, beyond in (
        ("planned_departure", since, since < first - BEYOND),
        ("planned_return", until, until > last + BEYOND),
    ):
        if beyond:
            raise InvalidError(
                f"/{name}",
                f"派车时间超出申请时间 2 小时以上（{at.astimezone(CHINA):%m-%d %H:%M}），请改时间，或请申请人重新申请"
                " · more than two hours beyond what was approved: another time, or another request",
            )


def _refuse_unwilling(threads: Sequence[RequestThread]) -> None:
    if len(threads) < 2:
        return
    for thread in threads:
        if not thread.paper.contents.get("pool_consent"):
            raise InvalidError(
                "/requests",
                f"申请 {thread.paper.number} 未同意合乘，请单独派车 · request {thread.paper.number} does not agree to be pooled; send it a vehicle of its own",
            )


async def emergency(desk: Desk, actor: Actor, given: DispatchEmergency) -> DispatchThread:
    """紧急派车: the vehicle now, the paper within ``trips.backfill_wd`` working days after its return. By a dispatcher of the vehicle's unit, or by the
    driver himself."""
    connection = desk.connection
    if not await connection.fetchval("SELECT unit_is_known($1)", given.organisation):
        raise InvalidError("/organisation", f"单位 {given.organisation} 未登记，请核对 · no such unit: {given.organisation}")  # fmt: skip
    since = given.departed or desk.now
    if since > desk.now + AHEAD:
        raise InvalidError(
            "/departed",
            "出车时间在将来，请改正；尚未出车的不填 · the departure is still to come; leave it out",
        )
    if since < desk.now - _SINCE:
        raise InvalidError(
            "/departed", "出车已超过 24 小时，请填补单 · it left more than a day ago: enter a backfill"
        )
    until = given.planned_return or since + _EMERGENCY
    if until <= max(since, desk.now):
        raise InvalidError("/planned_return", "预计返回须晚于现在；已归队的请填补单 · the return must be to come; when it is back, enter a backfill")  # fmt: skip
    sent = await vehicles.fit(connection, given.vehicle, given.driver, since, until)
    above = await units_above(connection, sent.vehicle.organisation)
    ways = actor.subject.hats(DISPATCH, above)
    if not ways and sent.driver_user is not None and f"user:{sent.driver_user}" == actor.person:
        ways = actor.subject.hats(("trips:drive",), above)
    if not ways:
        raise NotAllowedError(sent.vehicle.organisation, (*DISPATCH, "trips:drive"))
    if not actor.human:
        raise StepRefusedError(Refusal.NO_PERSON, 0, TripState.DRAFT)
    await vehicles.hold(connection, sent.vehicle.no, sent.driver)
    await vehicles.refuse_taken(connection, sent.vehicle, sent.driver, sent.driver_name, since, until)
    await refuse_unable(connection, sent, since, until, called=True)
    id, dispatch = new_id(Paper.REQUEST, desk.now), new_id(Paper.DISPATCH, desk.now)
    contents = plain(given) | {
        "kind": "emergency",
        "pool": sent.vehicle.organisation,
        "purpose": Purpose.URGENT,
        "applicant_name": given.ordered_by,
        "stops": [given.destination.original()],
        "scope": "city",
        "planned_departure": since.isoformat(),
        "planned_return": until.isoformat(),
        "dispatch": dispatch,
        "vehicle_unit": sent.vehicle.organisation,
    }
    if sent.driver_user is not None:
        contents["driver_user"] = sent.driver_user
    request = await begin_with(desk, id, ways[0], contents)
    body = await first_body(desk, sent, [request], since, until, "emergency")
    body["reason"] = given.reason
    made = await open_dispatch(desk, dispatch, TripAction.EMERGENCY, ways[0], body)
    if given.departed is not None:
        said = {"at": since.isoformat(), "without_odometer": "紧急出车，事后补录 · emergency"}
        made = await add_to_dispatch(desk, made, TripAction.DEPART, ways[0], said)
    return made
