"""Reservations in series (系列预约): asked for at once, decided on at once; each trip is a request of its own afterwards.

There is no approval of a series: approving it approves its requests, each with its own chain, guards and thread, as many as the caller names in one call.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from office.dispatch import asking
from office.dispatch.assigning import assign
from office.dispatch.contents import Carried, DispatchNew
from office.dispatch.papers import Desk, Told, begin_with
from office.dispatch.series_rows import clashing, members_of, read_series, store_series
from office.dispatch.threads import DispatchThread, RequestThread, new_id
from office.requests.contents import Command, TripReason, TripStep
from office.requests.request import Request
from office.requests.series import (
    Occurrence,
    SeriesMember,
    TripSeriesAssign,
    TripSeriesNew,
    occurrences,
    rule_of,
)
from office.requests.table import OPEN_REQUEST, STATE_NAMES, Paper, TripAction, TripState
from office.supervision.actors import Actor
from runtime.connection import Connection
from runtime.errors import InvalidError, NotThereError

#: What may be done to many at once, and whether it needs a reason. STOP is no step: it withdraws what has no vehicle, and cancels what has one.
STOP: Final = "stop"


def no_such_series(id: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(f"没有这个系列，或不在您的范围内 · no such series, or it is not yours to see: {id}")


async def create(connection: Connection, actor: Actor, given: TripSeriesNew) -> str:
    """A new series with its requests, handed in if so wished: all of them, or nothing; its id. In the caller's transaction. Raises InvalidError with the day that it is about,
    NotAllowedError."""
    desk = await asking.desk_of(connection, actor)
    trips, skipped = occurrences(given, desk.clocks.calendar)
    body, persons = await _completed(desk, actor, given)
    ids = []
    for trip in trips:
        times = {"planned_departure": trip.departure.isoformat(), "planned_return": trip.back.isoformat()}
        ids.append((await begin_with(desk, new_id(Paper.REQUEST, desk.now), persons, body | times)).id)
    id = f"XL-{secrets.token_hex(8).upper()}"
    units = {given.first.organisation, body["pool"]}
    await store_series(connection, id, given.first.organisation, units, rule_of(given, skipped), (actor.person, actor.subject.name), ids)  # fmt: skip
    if given.hand_in:
        told: set[Told] = set()
        for request, trip in zip(ids, trips, strict=True):
            try:
                await asking.step(connection, actor, request, TripAction.SUBMIT, TripStep(version=1), told)  # fmt: skip
            except InvalidError as error:
                raise InvalidError(f"/first{error.pointer}" if error.pointer else "", f"{trip.day}：{error}") from error  # fmt: skip
    return id


async def _completed(desk: Desk, actor: Actor, given: TripSeriesNew) -> tuple[dict[str, Any], frozenset[str]]:
    try:
        return await asking.complete(desk, actor, given.first)
    except InvalidError as error:
        raise InvalidError(f"/first{error.pointer}", str(error)) from error


async def preview(connection: Connection, actor: Actor, given: TripSeriesNew) -> dict[str, Any]:
    """The trips that a series would have, what of the applicant's they meet, and the days that are left out. Nothing is written."""
    desk = await asking.desk_of(connection, actor)
    trips, skipped = occurrences(given, desk.clocks.calendar)
    body, _ = await _completed(desk, actor, given)
    met = await _met(connection, body, [(trip.departure, trip.back) for trip in trips])
    return {
        "trips": [_trip(no, trip, met[no]) for no, trip in enumerate(trips, 1)],
        "skipped": [{"day": each.day, "why": each.why} for each in skipped],
    }


def _trip(no: int, trip: Occurrence, met: list[dict[str, Any]]) -> dict[str, Any]:
    return {"no": no, "planned_departure": trip.departure, "planned_return": trip.back, "clashes": met}


async def _met(
    connection: Connection, contents: Mapping[str, Any], spans: Sequence[tuple[Any, Any]], but: Sequence[str] = ()
) -> dict[int, list[dict[str, Any]]]:  # fmt: skip
    """Of each span, counted from 1, what else its applicant has asked for."""
    keys = [f"user:{contents['applicant']}"] if contents.get("applicant") else []
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in await clashing(
        connection, contents["organisation"], contents["applicant_name"], keys, spans, but
    ):
        found[row["k"]].append({name: row[name] for name in ("id", "number", "state", "planned_departure", "planned_return")} | {"state_name": STATE_NAMES[TripState(row["state"])]})  # fmt: skip
    return found


async def show(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """A series with its requests as they are now, and what else their applicant has at the time. Raises NotThereError."""
    found = await read_series(connection, id)
    if found is None or not found[1]:
        raise no_such_series(id)
    series, rows = found
    thread = await _seen(connection, actor, id, rows[0]["id"])
    spans = [(row["planned_departure"], row["planned_return"]) for row in rows]
    met = await _met(connection, thread.paper.contents, spans, [row["id"] for row in rows])
    rule = dict(series["rule"])
    return {
        "id": id, "organisation": series["organisation"], "created_at": series["created_at"], "created_by": series["created_by"],
        "rhythm": rule["rhythm"], "every": rule["every"], "weekdays": rule["weekdays"], "until": rule["until"], "holidays": rule["holidays"],
        "skipped": rule["skipped"],
        "members": [
            {
                "no": row["no"], "id": row["id"], "number": row["number"], "state": row["state"], "state_name": STATE_NAMES[TripState(row["state"])],
                "version": row["version"], "planned_departure": row["planned_departure"], "planned_return": row["planned_return"],
                # What is over meets nothing.
                "clashes": met[k] if row["state"] in {*OPEN_REQUEST, TripState.DRAFT, TripState.ASSIGNED} else [],
            }
            for k, row in enumerate(rows, 1)
        ],
    }  # fmt: skip


async def _seen(connection: Connection, actor: Actor, id: str, first: str) -> RequestThread:
    try:
        return await asking.seen(connection, actor, first)
    except NotThereError:
        raise no_such_series(id) from None


async def refuse_strangers(
    connection: Connection, actor: Actor, id: str, members: Sequence[SeriesMember]
) -> None:
    """Raises NotThereError for a series that is not the caller's to see, InvalidError for requests of another one."""
    own = await members_of(connection, id)
    if not own:
        raise no_such_series(id)
    await _seen(connection, actor, id, own[0])
    for number, member in enumerate(members):
        if member.id not in own:
            raise InvalidError(f"/members/{number}/id", f"{member.id} 不是本系列的申请，请核对 · it is no request of this series: {member.id}")  # fmt: skip


async def step(
    connection: Connection, actor: Actor, member: SeriesMember, what: str, words: str | None, told: set[Told]
) -> RequestThread:
    """One of the requests of a series. ``what``: submit, approve, reject or STOP; ``words``: note or reason; ``told``: as of ``Desk``. Raises as ``asking.step``."""
    action = await _stopped_by(connection, actor, member) if what == STOP else TripAction(what)
    command: Command
    if action in (TripAction.SUBMIT, TripAction.APPROVE):
        command = TripStep(version=member.version, note=words)
    else:
        command = TripReason(version=member.version, reason=words or "")
    return await asking.step(connection, actor, member.id, action, command, told)


async def _stopped_by(connection: Connection, actor: Actor, member: SeriesMember) -> TripAction:
    paper: Request = (await asking.seen(connection, actor, member.id)).paper
    return TripAction.CANCEL if paper.state is TripState.ASSIGNED else TripAction.WITHDRAW


async def send(
    connection: Connection, actor: Actor, member: SeriesMember, given: TripSeriesAssign, told: set[Told]
) -> DispatchThread:
    """The vehicle and the driver for one of the requests. Raises as ``assigning.assign``: a conflict names the dispatch that has them then."""
    desk = replace(await asking.desk_of(connection, actor), told=told)
    wanted = DispatchNew(
        requests=[Carried(id=member.id, version=member.version)], vehicle=given.vehicle, driver=given.driver, note=given.note
    )  # fmt: skip
    return await assign(desk, actor, wanted)
