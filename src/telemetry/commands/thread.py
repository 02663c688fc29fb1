"""``append``: the one way to add to the threads of commands, and to what they come to. Everything that happens after a command was
asked, by people, gateways and the clock, is written here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runtime.connection import Connection
from telemetry.commands.steps import CommandFailure, CommandState, CommandStep, Standing, advance

#: Gateways listen for it: something may be sent now.
CHANNEL: Final = "terminal_commands"
#: Bytes of an answer that are kept.
MOST_RAW: Final = 65_536


@dataclass(frozen=True, slots=True)
class Happened:
    """One step of the command ``no``. ``gateway`` and ``attempt``: whose word it is; it counts only while that gateway has the
    command under way in that attempt (None = whoever). ``actor``: who did it, None = the program. ``raw``: the message of the terminal
    as it came; ``detail``: what it says."""

    no: int
    step: CommandStep
    gateway: str | None = None
    attempt: int | None = None
    failure: CommandFailure | None = None
    actor: str | None = None
    actor_name: str | None = None
    reason: str | None = None
    detail: Mapping[str, Any] | None = None
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """``standing``: what the command comes to, None = there is none. ``counted``: the step was written; else it could not happen any
    more (it is known already, or too late) and nothing was changed."""

    standing: Standing | None
    counted: bool


async def append(connection: Connection, steps: Sequence[Happened]) -> list[Written]:
    """Write ``steps`` in their order, in the caller's transaction. The same step twice counts once. Several processes may do so
    at once."""
    rows = await connection.fetch(
        "SELECT no, kind, state, attempt, gateway::text, failure, ended_at IS NOT NULL AS ended, events FROM terminal_commands"
        " WHERE no = ANY($1::bigint[]) ORDER BY no FOR UPDATE",
        sorted({one.no for one in steps}),
    )
    standing = {
        row["no"]: Standing(
            row["kind"], CommandState(row["state"]), row["attempt"], row["gateway"],
            None if row["failure"] is None else CommandFailure(row["failure"]), row["ended"],
        )
        for row in rows
    }  # fmt: skip
    counts = {row["no"]: row["events"] for row in rows}
    results: list[Written] = []
    written: list[tuple[Happened, int]] = []
    for one in steps:
        now = standing.get(one.no)
        mine = now is not None and (one.step is CommandStep.SENT or _is_of(now, one))
        after = advance(now, one.step, gateway=one.gateway, failure=one.failure) if now and mine else None
        results.append(Written(after or now, after is not None))
        if after is not None:
            standing[one.no] = after
            counts[one.no] += 1
            written.append((one, counts[one.no]))
    await _write(connection, written, standing, counts)
    return results


def _is_of(now: Standing, one: Happened) -> bool:
    """Whether the step is about the attempt that is under way."""
    return one.attempt is None or (one.gateway, one.attempt) == (now.gateway, now.attempt)


async def _write(
    connection: Connection, written: Sequence[tuple[Happened, int]], standing: Mapping[int, Standing], counts: Mapping[int, int]
) -> None:  # fmt: skip
    if not written:
        return
    await connection.execute(
        "INSERT INTO terminal_command_events (command, number, step, actor, actor_name, reason, detail, raw)"
        " SELECT no, number, step, actor, name, reason, detail::jsonb, raw FROM unnest($1::bigint[], $2::integer[], $3::text[],"
        " $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[]) AS u (no, number, step, actor, name, reason, detail, raw)",
        [one.no for one, _ in written],
        [number for _, number in written],
        [one.step for one, _ in written],
        [one.actor for one, _ in written],
        [one.actor_name for one, _ in written],
        [one.reason if one.failure is None else one.failure for one, _ in written],
        [None if one.detail is None else json.dumps(one.detail, ensure_ascii=False) for one, _ in written],
        [one.raw for one, _ in written],
    )
    nos = sorted({one.no for one, _ in written})
    await connection.execute(
        "UPDATE terminal_commands c SET state = u.state, events = u.events, failure = u.failure, attempt = u.attempt,"
        " gateway = u.gateway::uuid, ended_at = CASE WHEN u.ended THEN clock_timestamp() END"
        " FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::integer[], $6::text[], $7::boolean[])"
        " AS u (no, state, events, failure, attempt, gateway, ended) WHERE c.no = u.no",
        nos,
        [standing[no].state for no in nos],
        [counts[no] for no in nos],
        [standing[no].failure for no in nos],
        [standing[no].attempt for no in nos],
        [standing[no].gateway for no in nos],
        [standing[no].ended for no in nos],
    )
    if any(standing[no].state is CommandState.QUEUED for no in nos):
        await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
