"""Who is told of a step of a case, and what somebody is told (of trips, too: ``office.requests.messages``): everybody with the permission in the responsible unit. A message has the number, the state and a link,
never a name or a place: it may be passed on by ways that others read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from office.identity.scope import FEW_UNITS, in_order
from office.requests import messages as trips
from office.supervision.actors import Actor, reach_of
from office.supervision.cases import now_of
from office.supervision.states import STATE_NAMES, STEP_NAMES, Case, Event, State, Step
from runtime.connection import Connection, affected

#: Step -> the permissions whose holders are told.
_TOLD: Final[Mapping[Step, tuple[str, ...]]] = {
    Step.SUBMIT: ("cases:issue",),
    Step.RETURN: ("cases:draft",),
    Step.ISSUE: ("cases:reply",),
    Step.REFUSE: ("cases:issue",),
    Step.ASK_EXTENSION: ("cases:issue",),
    Step.GRANT: ("cases:reply",),
    Step.DENY: ("cases:reply",),
    Step.REPLY: ("cases:sign",),
    Step.SIGN_REPLY: ("cases:close",),
    Step.CLOSE: ("cases:reply",),
    Step.REDO: ("cases:reply",),
    Step.REOPEN: ("cases:reply",),
    Step.RECTIFIED: ("cases:close",),
    Step.ACCEPT_RECTIFICATION: ("cases:reply",),
    Step.RETURN_RECTIFICATION: ("cases:reply",),
    Step.CANCEL: ("cases:reply",),
    Step.REMIND: ("cases:reply",),
    Step.ANNOUNCE: ("cases:reply", "cases:issue"),
    Step.ALERT_WITHDRAWN: ("cases:issue",),
    Step.ALERT_CHANGED: ("cases:issue",),
}
#: Units that help hear when a case begins and when it is called off.
_HELPERS_TOLD: Final = frozenset({Step.ISSUE, Step.CANCEL})
PERMISSIONS: Final = (*sorted({each for told in _TOLD.values() for each in told}), *trips.PERMISSIONS)


async def tell(connection: Connection, id: str, before: Case, after: Case, event: Event) -> None:
    """Write the messages of a step, in its transaction. A unit hears nothing of what was never issued."""
    for permission in _TOLD.get(event.step, ()):
        if permission in ("cases:reply", "cases:sign") and after.number is None:
            continue
        units = [after.organisation]
        if before.organisation != after.organisation and before.number is not None:
            units.append(before.organisation)  # it has the case no more
        if event.step in _HELPERS_TOLD and permission == "cases:reply" and after.helpers:
            # Those of them that the transaction may write for.
            units += await connection.fetchval("SELECT assessed_units($1)", list(after.helpers))
        await connection.executemany(
            "INSERT INTO messages (organisation, permission, case_id, number, step, state, at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            [
                (unit, permission, id, after.number, event.step, after.state, event.at)
                for unit in dict.fromkeys(units)
            ],
        )


async def list_messages(
    connection: Connection, actor: Actor, *, unread: bool, limit: int, before: int | None
) -> list[dict[str, Any]]:
    """Messages for the caller, newest first, ``before`` the id of the last one of the page before."""
    arguments: list[Any] = [actor.person, before, limit]
    mine = await _mine(connection, actor, arguments)
    if mine is None:
        return []
    many = any(isinstance(units, list) and len(units) > FEW_UNITS for units in arguments)
    async with in_order(connection, many):
        rows = await connection.fetch(
            "SELECT m.id, m.number, m.step, m.state, m.case_id, m.trip, m.at, r.at AS read_at FROM messages m"  # noqa: S608 - constants
            " LEFT JOIN message_reads r ON r.message_id = m.id AND r.person = $1"
            f" WHERE {mine} AND ($2::bigint IS NULL OR m.id < $2)"
            f"{' AND r.at IS NULL' if unread else ''} ORDER BY m.id DESC LIMIT $3",
            *arguments,
        )
    return [_shown(row) for row in rows]


async def _mine(connection: Connection, actor: Actor, arguments: list[Any]) -> str | None:
    """SQL: which messages ``m`` are for the caller, with its values added to ``arguments``; None: none."""
    ways = []
    if actor.human:
        arguments.append(actor.subject.id)
        ways.append(f"m.person = ${len(arguments)}")
    for permission in PERMISSIONS:
        if actor.subject.may(permission):
            units = await reach_of(connection, actor.subject, permission)
            arguments += [permission, units]
            at = len(arguments)
            ways.append(
                f"m.permission = ${at - 1} AND (${at}::text[] IS NULL OR m.organisation = ANY(${at}::text[]))"
            )
    return f"({' OR '.join(f'({way})' for way in ways)})" if ways else None


def sentence(number: str | None, step: str, state: str) -> str:
    """A step in words: all that leaves the program about a case."""
    return f"督办单 {number or '（未编号）'}：{STEP_NAMES[Step(step)]}，现为{STATE_NAMES[State(state)]}"


def _shown(row: Any) -> dict[str, Any]:
    trip = row["trip"]
    return {
        "id": row["id"],
        "text": sentence(row["number"], row["step"], row["state"])
        if trip is None
        else trips.sentence(trip, row["number"], row["step"], row["state"]),
        "number": row["number"],
        "step": row["step"],
        "state": row["state"],
        "link": f"/v1/{trip or 'cases/' + row['case_id']}",
        "at": row["at"],
        "read_at": row["read_at"],
    }


async def mark_read(connection: Connection, actor: Actor, up_to: int) -> int:
    """The caller has read every message for him up to ``up_to``; how many of them were new. One statement, however many wait."""
    arguments: list[Any] = [actor.person, up_to, await now_of(connection)]
    mine = await _mine(connection, actor, arguments)
    if mine is None:
        return 0
    done = await connection.execute(
        "INSERT INTO message_reads (message_id, person, at) SELECT m.id, $1::text, $3::timestamptz FROM messages m"  # noqa: S608 - constants
        f" WHERE {mine} AND m.id <= $2 AND NOT EXISTS (SELECT FROM message_reads r WHERE r.message_id = m.id AND r.person = $1)"
        " ON CONFLICT DO NOTHING",
        *arguments,
    )
    return affected(done)
