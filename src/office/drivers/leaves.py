"""A step of a leave, by somebody: rights, state, version, and everything that follows, in one transaction. All SQL that writes ``driver_leaves`` and its thread."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from office.drivers import messages
from office.drivers.leave import (
    AHEAD,
    BACK,
    KIND_NAMES,
    STATE_NAMES,
    STEP_NAMES,
    LeaveAction,
    LeaveKind,
    LeaveNew,
    LeaveRejection,
    LeaveState,
    LeaveStep,
    after,
)
from office.identity.users import driver_of
from office.supervision.actors import Actor, persons_for, reach_of
from office.supervision.problems import NotAllowedError
from registry.drivers import hold_driver
from registry.organisations import units_above, units_below
from runtime.connection import Connection
from runtime.errors import DeclinedError, InvalidError, NotThereError
from runtime.units import CHINA

KEEP: Final = "registry:write"
DRIVE: Final = "trips:drive"
DECIDE: Final = messages.DECIDE
#: With one of these somebody sees the leave of a unit; with DRIVE his own.
SEES: Final = (KEEP, DECIDE)


class OwnLeaveError(DeclinedError):
    """Somebody would decide on leave that he asked for, or that is his."""

    status = 403


def no_such_leave(id: str) -> NotThereError:
    """Also for one that is not the caller's to see."""
    return NotThereError(f"没有这份请假单，或不在您的范围内 · no such leave, or it is not yours to see: {id}")


async def own_driver(connection: Connection, actor: Actor) -> str | None:
    """The driver who ``actor`` is; None: he is none."""
    if not actor.human:
        return None
    return await driver_of(connection, actor.subject.id)


async def ask(connection: Connection, actor: Actor, given: LeaveNew) -> str:
    """请假, by the driver himself or by who keeps the drivers of his unit; the id. Raises NotThereError, NotAllowedError, InvalidError, DeclinedError."""
    own = await own_driver(connection, actor)
    driver = given.driver or own
    if driver is None:
        raise InvalidError("/driver", "您的账号未登记为驾驶员：请写明驾驶员编号，或请单位先登记驾驶员账号 · you are no driver: name one")  # fmt: skip
    unit = await connection.fetchval("SELECT organisation FROM drivers WHERE id = $1", driver)
    if unit is None:
        raise NotThereError(f"没有这名驾驶员，或不在您的范围内 · no such driver, or not yours: {driver}")
    persons = (await persons_for(connection, actor, unit, KEEP, *([DRIVE] if driver == own else [])))[0]
    now = await _now(connection)
    if given.since < now - BACK or given.until > now + AHEAD:
        raise InvalidError("/from", f"请假须在 {(now - BACK).astimezone(CHINA).date()} 至 {(now + AHEAD).astimezone(CHINA).date()} 之间，请核对 · too long ago, or too far ahead")  # fmt: skip
    await hold_driver(connection, driver)
    there = await connection.fetchrow(
        "SELECT id, since, until FROM driver_leaves WHERE driver = $1 AND state IN ('asked', 'approved', 'ended') AND since < $3 AND until > $2 LIMIT 1",
        driver, given.since, given.until,
    )  # fmt: skip
    if there is not None:
        span = f"{there['since'].astimezone(CHINA):%m-%d %H:%M} 至 {there['until'].astimezone(CHINA):%m-%d %H:%M}"
        raise DeclinedError(
            "leave-overlaps",
            f"与请假单 {there['id']}（{span}）重叠，请改时间，或先取消那一份 · overlaps leave {there['id']} ({span}): another time, or cancel that one",
            pointer="/from",
            more={"leave": there["id"]},
        )
    id = f"QJ-{secrets.token_hex(8).upper()}"
    await connection.execute(
        "INSERT INTO driver_leaves (id, organisation, driver, kind, since, until, state, version) VALUES ($1, $2, $3, $4, $5, $6, 'asked', 1)",
        id, unit, driver, given.kind, given.since, given.until,
    )  # fmt: skip
    body = {"kind": given.kind, "from": given.since.isoformat(), "to": given.until.isoformat()}
    await _store(connection, id, 1, LeaveAction.ASK, now, actor, persons, body | ({"reason": given.reason} if given.reason else {}))  # fmt: skip
    await messages.tell(connection, id, unit, LeaveAction.ASK, LeaveState.ASKED, now, to_units=[DECIDE])
    return id


async def step(
    connection: Connection, actor: Actor, id: str, what: LeaveAction, command: LeaveStep | LeaveRejection
) -> None:
    """Take a step. Raises NotThereError, NotAllowedError, OwnLeaveError, DeclinedError."""
    row = await connection.fetchrow("SELECT * FROM driver_leaves WHERE id = $1 FOR UPDATE", id)
    if row is None or not await _sees(connection, actor, row):
        raise no_such_leave(id)
    state = LeaveState(row["state"])
    if command.version != row["version"]:
        raise DeclinedError(
            "stale-version",
            f"请假单已有新的办理，现为第 {row['version']} 版（{STATE_NAMES[state]}），请重新打开后再办 · it has moved on: read it again",
            more={"version": row["version"], "state": state},
        )
    persons = await _allowed(connection, actor, row, what)
    await hold_driver(connection, row["driver"])
    now = await _now(connection)
    target = after(state, what, row["since"], row["until"], now)
    if target is None:
        raise DeclinedError(
            "not-now",
            f"请假单现为{STATE_NAMES[state]}，不能{STEP_NAMES[what]} · it is {state} now: this is not possible",
            more={"version": row["version"], "state": state},
        )
    until = now if target is LeaveState.ENDED else row["until"]
    await connection.execute(
        "UPDATE driver_leaves SET state = $2, version = version + 1, until = $3 WHERE id = $1",
        id,
        target,
        until,
    )
    body = {"reason": command.reason} if command.reason else {}
    if target is LeaveState.ENDED:
        body["to"] = now.isoformat()
    await _store(connection, id, row["version"] + 1, what, now, actor, persons, body)
    told = await _concerned(connection, id, row["driver"])
    # Who sends drivers must know that one is away now, or is not any more.
    units = ["trips:dispatch"] if LeaveState.APPROVED in (state, target) else []
    await messages.tell(connection, id, row["organisation"], what, target, now, told - persons, units)


async def _allowed(connection: Connection, actor: Actor, row: Mapping[str, Any], what: LeaveAction) -> frozenset[str]:  # fmt: skip
    """Whose act ``what`` would be. Who asked for it, and whose leave it is, does not decide."""
    unit = row["organisation"]
    if what is LeaveAction.CANCEL:
        mine = await own_driver(connection, actor) == row["driver"]
        return (await persons_for(connection, actor, unit, *SEES, *([DRIVE] if mine else [])))[0]
    ways = actor.subject.hats([DECIDE], await units_above(connection, unit))
    if not ways:
        raise NotAllowedError(unit, [DECIDE])
    if not actor.human:
        raise OwnLeaveError(
            "no-person", "请假须由本人登录审批，程序不能代办 · a person must decide, not a program"
        )
    own = await _concerned(connection, row["id"], row["driver"])
    for persons in ways:
        if persons.isdisjoint(own):
            return persons
    raise OwnLeaveError("own-leave", "本人的请假，或您（或委托您的人）代为提出的请假，须由另一人审批 · another person decides on leave that is yours, or that you asked for")  # fmt: skip


async def _concerned(connection: Connection, id: str, driver: str) -> frozenset[str]:
    """Who asked for a leave, and the driver himself, as users' keys."""
    row = await connection.fetchrow(
        "SELECT persons, user_of_driver($2) AS driver FROM driver_leave_events WHERE paper = $1 AND version = 1",
        id,
        driver,
    )
    return frozenset(row["persons"]) | ({f"user:{row['driver']}"} if row["driver"] is not None else set())


async def _sees(connection: Connection, actor: Actor, row: Mapping[str, Any]) -> bool:
    units = await reach_of(connection, actor.subject, *SEES)
    return units is None or row["organisation"] in units or row["driver"] == await own_driver(connection, actor)  # fmt: skip


async def _store(
    connection: Connection, id: str, version: int, what: LeaveAction, at: datetime, actor: Actor, persons: frozenset[str], body: Mapping[str, Any]
) -> None:  # fmt: skip
    await connection.execute(
        "INSERT INTO driver_leave_events (paper, version, step, at, actor, persons, actor_name, address, device, body)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id, version, what, at, actor.person, sorted(persons), actor.subject.name, actor.address, actor.device, dict(body),
    )  # fmt: skip


async def _now(connection: Connection) -> datetime:
    found: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return found


# --- read

_SHOWN: Final = (
    "l.id, l.organisation, l.driver, d.name AS driver_name, l.kind, l.since, l.until, l.state, l.version"
)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(row)
    found["from"], found["to"] = found.pop("since"), found.pop("until")
    return found | {
        "kind_name": KIND_NAMES[LeaveKind(row["kind"])],
        "state_name": STATE_NAMES[LeaveState(row["state"])],
    }


async def show(connection: Connection, actor: Actor, id: str) -> dict[str, Any]:
    """A leave with its thread. Raises NotThereError."""
    row = await connection.fetchrow(f"SELECT {_SHOWN} FROM driver_leaves l JOIN drivers d ON d.id = l.driver WHERE l.id = $1", id)  # noqa: S608 - constants  # fmt: skip
    if row is None or not await _sees(connection, actor, row):
        raise no_such_leave(id)
    events = await connection.fetch(
        "SELECT version, step, at, actor_name AS by, body FROM driver_leave_events WHERE paper = $1 ORDER BY version", id
    )  # fmt: skip
    thread = [dict(event) | {"name": STEP_NAMES[LeaveAction(event["step"])]} for event in events]
    return _shown(row) | {"thread": thread}


async def list_leaves(
    connection: Connection, actor: Actor, *, state: LeaveState | None, organisation: str | None, driver: str | None, limit: int,
    after: tuple[datetime, str] | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Leave within reach, that which begins last first; of who only drives his own."""
    arguments: list[Any] = [limit]
    conditions = []

    def condition(text: str, *values: Any) -> None:
        places = [f"${len(arguments) + k}" for k in range(1, len(values) + 1)]
        arguments.extend(values)
        conditions.append(text.format(*places))

    units = await reach_of(connection, actor.subject, *SEES)
    if units is not None:
        condition("(l.organisation = ANY ({}::text[]) OR l.driver = {})", units, await own_driver(connection, actor))  # fmt: skip
    if state is not None:
        condition("l.state = {}", state)
    if organisation is not None:
        condition("l.organisation = ANY ({}::text[])", sorted(await units_below(connection, [organisation])))
    if driver is not None:
        condition("l.driver = {}", driver)
    if after is not None:
        condition("(l.since < {0} OR (l.since = {0} AND l.id > {1}))", *after)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows: Sequence[Any] = await connection.fetch(
        f"SELECT {_SHOWN} FROM driver_leaves l JOIN drivers d ON d.id = l.driver{where} ORDER BY l.since DESC, l.id LIMIT $1",  # noqa: S608 - constants
        *arguments,
    )
    return [_shown(row) for row in rows]
