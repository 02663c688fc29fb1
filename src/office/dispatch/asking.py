"""A request and its steps, by somebody: rights, state, version, and everything that follows, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from office.dispatch import opening
from office.dispatch.papers import Desk, Told, add_to_dispatch, add_to_request, begin_with
from office.dispatch.terms import confirmed_at
from office.dispatch.threads import (
    MAX_EVENTS,
    DispatchThread,
    RequestThread,
    load_clocks,
    new_id,
    now_of,
    read_dispatch,
    read_request,
    take_number,
)
from office.requests.contents import Command, RequestContents, RequestEdit, china_days, plain
from office.requests.request import Act, Request, refusal
from office.requests.rule_tables import known_logins, valid_table
from office.requests.rules import Asked, chain_of, day_type, first_match, level_without_anybody
from office.requests.table import (
    APPLY,
    BEFORE,
    DISPATCH,
    OUT,
    OVER,
    Paper,
    TripAction,
    TripState,
    Who,
    row_of,
)
from office.requests.words import ABOUT_WHO, NotAllowedError, Refusal, StaleError, StepRefusedError
from office.supervision.actors import Actor
from registry.organisations import names_of, organisation_exists, units_above
from registry.places import stored_places
from runtime.connection import Connection
from runtime.errors import InvalidError, NotThereError
from runtime.units import CHINA
from telemetry.geo import distance_mm

#: Whoever has one of these in a unit sees all its requests; others their own.
SEES: Final = ("trips:read", "trips:enter", "trips:approve", "trips:dispatch")
#: Steps that somebody could take for ever.
_AT_WILL: Final = frozenset({TripAction.NOTE, TripAction.EDIT, TripAction.DISPUTE})


def no_such_request(id: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(f"没有这份申请，或不在您的范围内 · no such request, or it is not yours to see: {id}")


async def desk_of(connection: Connection, actor: Actor) -> Desk:
    """The desk of somebody who is about to act."""
    return Desk(connection, await load_clocks(connection), await now_of(connection), actor)


async def hats(
    connection: Connection, actor: Actor, units: Sequence[str], *permissions: str
) -> list[frozenset[str]]:
    """``Subject.hats`` in any of ``units``."""
    found: list[frozenset[str]] = []
    for unit in dict.fromkeys(units):
        found += actor.subject.hats(permissions, await units_above(connection, unit))
    return list(dict.fromkeys(found))


async def sees_request(connection: Connection, actor: Actor, request: Request) -> bool:
    """Whether ``actor`` sees a request that is within reach: it is his, or he sees all of its unit or of its pool."""
    if actor.person in request.own | request.drivers:
        return True
    if await hats(connection, actor, [request.organisation], *SEES):
        return True
    return bool(await hats(connection, actor, [request.pool, *request.units], *DISPATCH))


async def seen(connection: Connection, actor: Actor, id: str, *, lock: bool = False) -> RequestThread:
    """A request. Raises NotThereError for one that is not the caller's to see."""
    thread = await read_request(connection, id, lock=lock)
    if thread is None or not await sees_request(connection, actor, thread.paper):
        raise no_such_request(id)
    return thread


# --- written


async def create(connection: Connection, actor: Actor, contents: RequestContents) -> str:
    """A new request, a draft; its id. In the caller's transaction, which is begun again when others got in its way."""
    desk = await desk_of(connection, actor)
    body, persons = await complete(desk, actor, contents)
    return (await begin_with(desk, new_id(Paper.REQUEST, desk.now), persons, body)).id


async def complete(
    desk: Desk, actor: Actor, contents: RequestContents, before: Request | None = None
) -> tuple[dict[str, Any], frozenset[str]]:
    """What the event of a draft keeps, and whose act it is: who asked, who assigns, how far it goes."""
    connection, unit = desk.connection, contents.organisation
    if not await organisation_exists(connection, unit):
        raise InvalidError("/organisation", f"单位 {unit} 未登记，或不在您的范围内 · no such unit, or it is not yours: {unit}")  # fmt: skip
    others = contents.applicant is not None and f"user:{contents.applicant}" != actor.person
    for_others = others or contents.applicant_name is not None or not actor.human
    permissions = ("trips:enter",) if for_others else APPLY
    found = await hats(connection, actor, [unit], *permissions)
    emergency = before is not None and before.kind == "emergency"
    if not found:
        raise NotAllowedError(unit, permissions)
    body = plain(contents)
    logins = [login for login in (contents.applicant, contents.user_account) if login is not None]
    known = await known_logins(connection, logins)
    for name in ("applicant", "user_account"):
        login = getattr(contents, name)
        if login is not None and login not in known:
            raise InvalidError(
                f"/{name}", f"没有用户 {login}（或已停用），请核对登录名 · no such user: {login}"
            )
    if contents.applicant is not None:
        body["applicant_name"] = known[contents.applicant]
    elif emergency and before is not None and contents.applicant_name is None:
        body["applicant_name"] = before.contents["applicant_name"]
    elif contents.applicant_name is None and not actor.human:
        raise InvalidError(
            "/applicant_name", "程序代录的申请须写明申请人 · a program must name the applicant"
        )
    elif contents.applicant_name is None:
        body["applicant"], body["applicant_name"] = actor.subject.id, actor.subject.name
    table = await valid_table(connection, unit)
    body["pool"] = (table.table.pool if table is not None else None) or unit
    body["scope_asked"] = body.get("scope", "city")
    body["scope"] = await scope_of(desk, contents)
    if contents.driven is not None:
        body |= await opening.driven_part(connection, contents.driven, desk.now)
    if emergency and before is not None:
        # The vehicle is on its way already: which one, and since when, is not asked again.
        kept = {name: before.contents[name] for name in ("dispatch", "vehicle_unit", "driver_user", "ordered_by") if name in before.contents}  # fmt: skip
        body |= kept | {"kind": "emergency", "complete": True}
    return body, found[0]


async def scope_of(desk: Desk, contents: RequestContents) -> str:
    """How far a trip goes: near when no point is further from where it begins than ``trips.near_m``, else as it was said."""
    points = stored_places(
        [contents.origin, *contents.stops, *([contents.return_point] if contents.return_point else [])]
    )
    at = np.array([(p["wgs84"]["lat_e6"], p["wgs84"]["lon_e6"]) for p in points], np.int64)
    far_m = (
        int(distance_mm(np.full(len(at), at[0, 0]), np.full(len(at), at[0, 1]), at[:, 0], at[:, 1]).max())
        // 1000
    )
    near_m = desk.clocks.terms(contents.organisation, desk.now)["near_m"]
    if contents.scope in ("near", "city"):
        return "near" if far_m <= near_m else "city"
    return contents.scope


async def step(
    connection: Connection, actor: Actor, id: str, what: TripAction, command: Command, told: set[Told] | None = None
) -> RequestThread:  # fmt: skip
    """Take a step; the request after it. In the caller's transaction. ``told``: as of ``Desk``.

    Raises NotThereError, NotAllowedError, StepRefusedError, StaleError, InvalidError; then nothing was written."""
    thread = await seen(connection, actor, id, lock=True)
    request = thread.paper
    if command.version != request.version:
        raise StaleError(Paper.REQUEST, request.version, request.state)
    if what in _AT_WILL and request.version >= MAX_EVENTS:
        raise InvalidError("", "本单的办理记录过多，只能继续办结 · too many entries: bring it to its end")
    desk = replace(await desk_of(connection, actor), told=told)
    what, persons = await allowed(desk, actor, request, what)
    body = await _body(desk, actor, thread, what, command)
    thread = await add_to_request(desk, thread, what, persons, body)
    return await _follow(desk, thread, what)


def asked_step(request: Request, what: TripAction) -> TripAction:
    """``approve`` on a level that is not the last one is ENDORSE."""
    if (
        what is TripAction.APPROVE
        and request.state is TripState.PENDING
        and request.level < len(request.chain) - 1
    ):
        return TripAction.ENDORSE
    return what


def units_for(request: Request, permissions: Sequence[str]) -> list[str]:
    """The units in which one of ``permissions`` lets take a step: of the dispatchers that of the pool."""
    if tuple(permissions) == DISPATCH:
        return [request.pool]
    if "trips:dispatch" in permissions:
        return [request.organisation, request.pool]
    return [request.organisation]


async def allowed(
    desk: Desk, actor: Actor, request: Request, what: TripAction
) -> tuple[TripAction, frozenset[str]]:
    """The step, and whose act it would be. Raises what keeps ``actor`` from it."""
    step_, found = await _tried(desk, actor, request, what)
    if isinstance(found, Refusal):
        raise StepRefusedError(found, request.version, request.state)
    if found is None:
        row = row_of(Paper.REQUEST, request.state, step_)
        raise NotAllowedError(request.organisation, () if row is None else row.permissions)
    return step_, found


async def _tried(
    desk: Desk, actor: Actor, request: Request, what: TripAction
) -> tuple[TripAction, frozenset[str] | Refusal | None]:
    """(step, whose act it would be, or why not; None: the permission is lacking)."""
    what = asked_step(request, what)
    row = row_of(Paper.REQUEST, request.state, what)
    if row is None or not row.permissions:
        return what, Refusal.NOT_NOW
    units = units_for(request, row.permissions)
    ways = await hats(desk.connection, actor, units, *row.permissions)
    entering = set(await hats(desk.connection, actor, units, "trips:enter")) if row.who is Who.OWN else set()
    if not ways and row.who is Who.OWN and actor.person in request.own:
        ways = [
            frozenset({actor.person})
        ]  # whose request it is brings it to its end, whatever role he has now
    if not ways:
        return what, None
    terms = desk.clocks.terms(request.organisation, request.begun_at)
    departed = request.state is TripState.ASSIGNED and await _departed(desk.connection, request)
    why: Refusal | None = None
    for persons in ways:
        act = Act(
            persons, actor.human, desk.now,
            for_others=persons in entering,
            no_car_min=terms["no_car_min"],
            object_by=confirmed_at(request, desk.clocks.calendar, terms),
            departed=departed,
        )  # fmt: skip
        refused = refusal(request, what, act)
        if refused is None:
            return what, persons
        why = why or refused
    return what, why


async def _departed(connection: Connection, request: Request) -> bool:
    rows = await connection.fetch(
        "SELECT state FROM trip_dispatches WHERE id = ANY($1::text[])", list(request.dispatches)
    )
    return any(TripState(row["state"]) in OUT or row["state"] == TripState.RETURNED for row in rows)


async def possible(desk: Desk, actor: Actor, request: Request) -> list[tuple[TripAction, Refusal | None]]:
    """The steps that people take for which ``actor`` has the permission in this state, each with what keeps him from it."""
    found: list[tuple[TripAction, Refusal | None]] = []
    for what in TripAction:
        row = row_of(Paper.REQUEST, request.state, what)
        if row is None or not row.permissions or what in (TripAction.ENDORSE, TripAction.ASSIGN):
            continue
        _, way = await _tried(desk, actor, request, what)
        if way is None or way is Refusal.NOT_YOURS:
            continue
        found.append((what, way if isinstance(way, Refusal) else None))
    return found


async def _body(
    desk: Desk, actor: Actor, thread: RequestThread, what: TripAction, command: Command
) -> dict[str, Any]:
    if isinstance(command, RequestEdit):
        if command.contents.kind == "backfill" and thread.paper.kind != "backfill":
            raise InvalidError("/contents/kind", "申请不能改为补单，请另填补单 · a request does not become a backfill; enter one")  # fmt: skip
        body, _ = await complete(desk, actor, command.contents, thread.paper)
        return body
    body = plain(command)
    if what is TripAction.SUBMIT:
        return body | await _submission(desk, thread.paper)
    if what is TripAction.APPROVE:
        return body | {"approver": actor.subject.name}
    return body


async def _submission(desk: Desk, request: Request) -> dict[str, Any]:
    """Number and chain. Raises InvalidError for what keeps a request from being decided on, each with what to do."""
    contents, now = request.contents, desk.now
    first = datetime.fromisoformat(contents["planned_departure"])
    last = datetime.fromisoformat(contents["planned_return"])
    if request.kind == "emergency" and not contents.get("complete"):
        raise InvalidError("", "紧急用车的申请内容尚未补齐，请先修改补齐（事由、乘车人、地点）再提交 · fill in the emergency request (edit), then submit it")  # fmt: skip
    if not request.driven and first <= now:
        raise InvalidError(
            "/planned_departure",
            "计划出发时间已过，请改为将来的时间；已经用过车的请填补单 · the departure is in the past: enter a later one, or a backfill",
        )
    days = china_days(first, last, CHINA)
    if not contents.get("basis") and (contents["scope"] in ("province", "outside") or days[0] != days[1]):
        raise InvalidError(
            "/basis",
            "出市或跨夜用车须填写依据（文号、会议通知、出差审批单） · outside of the city, or over night: name what it rests on",
        )
    found = await valid_table(desk.connection, request.organisation)
    if found is None:
        raise InvalidError(
            "/organisation",
            "本单位还没有启用的审批规则表，请单位车管员先在“审批规则”中启用 · the unit has no valid approval table; its administrator must make one",
        )
    asked = Asked(
        contents["category"], contents["purpose"], contents["scope"], day_type(desk.clocks.calendar, first), last - first,
        contents.get("applicant"),
    )  # fmt: skip
    number, row = first_match(found.table, asked)
    if not request.driven and first - now < timedelta(minutes=row.lead_min):
        raise InvalidError(
            "/planned_departure",
            f"按规则“{row.name}”须提前 {row.lead_min} 分钟申请，请改时间；情况紧急的请调度员按紧急用车先派后补"
            f" · {row.lead_min} minutes ahead are needed: another time, or have a dispatcher send a vehicle as an emergency",
        )
    chain = chain_of(found.table, row)
    nobody = level_without_anybody(chain, request.own | request.drivers)
    if nobody is not None:
        raise InvalidError(
            "/organisation",
            f"“{nobody}”这一级除申请人、用车人、驾驶员外无人可审批，请车管员在审批规则表中补上其他人或代理审批 · nobody else may decide on"
            f" the level {nobody}: add somebody, or a substitute, to the approval table",
        )
    return {
        "number": await take_number(desk.connection, Paper.REQUEST, request.organisation, now),
        "chain": chain,
        "rule": {"organisation": found.organisation, "version": found.version, "row": number, "name": row.name},
        "unit_name": (await names_of(desk.connection, [request.organisation])).get(request.organisation, request.organisation),
    }  # fmt: skip


async def _follow(desk: Desk, thread: RequestThread, what: TripAction) -> RequestThread:
    """What a step does besides its event."""
    if what is TripAction.APPROVE:
        return await after_approval(desk, thread)
    if what is TripAction.CANCEL:
        await _give_up(desk, thread)
    return thread


async def after_approval(desk: Desk, thread: RequestThread) -> RequestThread:
    """An approved request goes to the dispatchers; of one whose vehicle drove first the paper is put right."""
    if not thread.paper.driven:
        return await add_to_request(desk, thread, TripAction.QUEUE, frozenset(), {})
    return await opening.regularise(desk, thread)


async def _give_up(desk: Desk, thread: RequestThread) -> None:
    """The dispatches of a request that was cancelled: they go without it, or not at all."""
    silent = replace(desk, actor=None)
    for id in sorted(thread.paper.dispatches):
        dispatch = await read_dispatch(desk.connection, id, lock=True)
        if dispatch is None:
            raise StepRefusedError(Refusal.NOT_YOURS, thread.paper.version, thread.paper.state)
        if dispatch.paper.state in OVER:
            continue
        if dispatch.paper.state not in BEFORE:
            raise StepRefusedError(Refusal.DEPARTED, thread.paper.version, thread.paper.state)
        if not await drop_request(silent, dispatch, thread.id):
            # Others go with it whose requests are not within reach: the clock does it.
            await desk.connection.execute(
                "UPDATE trip_dispatches SET look_at = $2 WHERE id = $1", id, desk.now
            )


async def drop_request(desk: Desk, dispatch: DispatchThread, request: str) -> bool:
    """A dispatch goes without a request that was cancelled, or not at all; False: not all of the others are within reach."""
    left = [each for each in dispatch.paper.requests if each != request]
    if not left:
        body: dict[str, Any] = {"reason": "申请已取消 · the request was cancelled", "request": request}
        await add_to_dispatch(desk, dispatch, TripAction.CANCEL, frozenset(), body)
        return True
    for each in left:
        if await read_request(desk.connection, each) is None:
            return False
    body = await opening.trip_body(desk.connection, left, dispatch.paper)
    await add_to_dispatch(desk, dispatch, TripAction.LEAVE, frozenset(), body | {"left": request})
    return True


def about_who(refused: Refusal | None) -> bool:
    """Whether a refusal is about who asks."""
    return refused in ABOUT_WHO


def shown_level(request: Request) -> Mapping[str, Any] | None:
    """The level that decides now."""
    level = request.running
    return (
        None
        if level is None
        else {"position": level.position, "name": level.name, "number": request.level + 1}
    )
