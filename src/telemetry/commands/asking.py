"""Commands as people ask for them, approve, cancel and read them: in transactions that reach what their subject reaches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from runtime.connection import Connection
from telemetry.commands.kinds import KINDS
from telemetry.commands.steps import CommandState, CommandStep, begun
from telemetry.commands.thread import CHANNEL, Happened, append

#: Commands that wait for one terminal, at most: what nobody can read any more when the car is back after a month.
MOST_WAITING: Final = 50

_SHOWN: Final = (
    "c.no, c.organisation, c.vehicle, t.phone AS terminal, c.kind, c.fields, c.reason, c.asked_by, c.asked_by_name, c.key, c.asked_at,"
    " c.expires_at, c.state, c.failure, c.attempt, c.ended_at, c.persons"
)
_FROM: Final = "FROM terminal_commands c LEFT JOIN terminals t ON t.no = c.terminal_no"


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts. ``persons``: whose act it is, the actor and by whom his right was delegated."""

    key: str
    name: str
    persons: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks. ``terminal``: a phone number without leading zeros, None = the one that sits in the vehicle.
    ``life``: how long it waits for the terminal."""

    vehicle: str
    kind: str
    fields: Mapping[str, Any]
    reason: str
    key: str
    life: timedelta
    terminal: str | None = None


class NoVehicleError(Exception):
    """There is no such vehicle, or not for the caller."""


class NoTerminalError(Exception):
    """No enabled terminal sits in the vehicle now, or not the one that was named."""


class WhichTerminalError(Exception):
    """Several terminals sit in the vehicle. ``phones``: theirs."""

    def __init__(self, phones: Sequence[str]) -> None:
        super().__init__(", ".join(phones))
        self.phones = list(phones)


class TooManyError(Exception):
    """``MOST_WAITING`` commands wait for this terminal."""


class OtherCommandError(Exception):
    """The key of the caller stands for another command of his. ``no``: its number."""

    def __init__(self, no: int) -> None:
        super().__init__(str(no))
        self.no = no


async def ask(connection: Connection, asked: Asked, who: Who) -> tuple[dict[str, Any], bool]:
    """The command, and whether it is new: the same key again is the same command. Raises the errors above."""
    old = await _of_key(connection, asked, who)
    if old is not None:
        return old, False
    unit = await connection.fetchval("SELECT organisation FROM vehicles WHERE id = $1", asked.vehicle)
    if unit is None:
        raise NoVehicleError(asked.vehicle)
    terminal = await _terminal(connection, asked)
    waiting = await connection.fetchval(
        "SELECT count(*) FROM terminal_commands WHERE terminal_no = $1 AND state IN ('proposed', 'queued')", terminal
    )  # fmt: skip
    if waiting >= MOST_WAITING:
        raise TooManyError
    state = begun(asked.kind).state
    no = await connection.fetchval(
        "INSERT INTO terminal_commands (organisation, vehicle, terminal_no, kind, fields, reason, asked_by, asked_by_name, persons, key,"
        " expires_at, state, events) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp() + $11::interval, $12, 1)"
        " ON CONFLICT (asked_by, key) DO NOTHING RETURNING no",
        unit, asked.vehicle, terminal, asked.kind, dict(asked.fields), asked.reason, who.key, who.name, sorted(who.persons), asked.key,
        asked.life, state,
    )  # fmt: skip
    if no is None:  # the same request, twice at the same moment
        old = await _of_key(connection, asked, who)
        if old is None:
            raise NoVehicleError(asked.vehicle)
        return old, False
    await connection.execute(
        "INSERT INTO terminal_command_events (command, number, step, actor, actor_name, reason) VALUES ($1, 1, $2, $3, $4, $5)",
        no, CommandStep.ASKED, who.key, who.name, asked.reason,
    )  # fmt: skip
    if state is CommandState.QUEUED:
        await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
    made = await find(connection, no)
    assert made is not None  # noqa: S101 - this transaction has written it
    return made, True


async def _of_key(connection: Connection, asked: Asked, who: Who) -> dict[str, Any] | None:
    row = await connection.fetchrow(
        f"SELECT {_SHOWN} {_FROM} WHERE c.asked_by = $1 AND c.key = $2",
        who.key,
        asked.key,
    )
    if row is None:
        return None
    same = (row["vehicle"], row["kind"], row["fields"], row["reason"]) == (
        asked.vehicle, asked.kind, dict(asked.fields), asked.reason,
    )  # fmt: skip
    if not same or asked.terminal not in (None, row["terminal"]):
        raise OtherCommandError(row["no"])
    return dict(row)


async def _terminal(connection: Connection, asked: Asked) -> int:
    rows = await connection.fetch(
        "SELECT t.no, t.phone FROM terminal_bindings b JOIN vehicles v ON v.no = b.vehicle_no JOIN terminals t ON t.no = b.terminal_no"
        " WHERE v.id = $1 AND b.valid_from <= clock_timestamp() AND (b.valid_to IS NULL OR b.valid_to > clock_timestamp())"
        " AND t.enabled AND ($2::text IS NULL OR t.phone = $2) ORDER BY t.no",
        asked.vehicle, asked.terminal,
    )  # fmt: skip
    if not rows:
        raise NoTerminalError(asked.vehicle)
    if len(rows) > 1:
        raise WhichTerminalError([row["phone"] for row in rows])
    return int(rows[0]["no"])


async def find(connection: Connection, no: int) -> dict[str, Any] | None:
    """A command as it stands."""
    row = await connection.fetchrow(f"SELECT {_SHOWN} {_FROM} WHERE c.no = $1", no)
    return None if row is None else dict(row)


async def thread_of(connection: Connection, no: int) -> list[dict[str, Any]]:
    """What has happened to it: {number, step, at, actor_name, reason, detail}, the first first."""
    rows = await connection.fetch(
        "SELECT number, step, at, actor_name, reason, detail FROM terminal_command_events WHERE command = $1 ORDER BY number", no
    )  # fmt: skip
    return [dict(row) for row in rows]


async def page(
    connection: Connection,
    *,
    vehicle: str | None = None,
    organisation: str | None = None,
    kind: str | None = None,
    states: Collection[CommandState] = (),
    before: int | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Commands, the newest first; ``before``: only those with a lower number."""
    conditions, values = ["true"], list[Any]()
    for condition, value in (
        ("c.vehicle = {}", vehicle),
        ("c.organisation = {}", organisation),
        ("c.kind = {}", kind),
        ("c.state = ANY ({}::text[])", [str(state) for state in states] or None),
        ("c.no < {}", before),
    ):
        if value is not None:
            values.append(value)
            conditions.append(condition.format(f"${len(values)}"))
    rows = await connection.fetch(
        f"SELECT {_SHOWN} {_FROM} WHERE {' AND '.join(conditions)} ORDER BY c.no DESC LIMIT {int(limit)}",
        *values,
    )
    return [dict(row) for row in rows]


async def approve(connection: Connection, no: int, who: Who, reason: str) -> bool:
    """A second person agrees; False: it does not wait for that any more. Whether it is a second person is for the caller to know
    (``persons`` of ``find``)."""
    return await _step(connection, no, CommandStep.APPROVED, who, reason)


async def cancel(connection: Connection, no: int, who: Who, reason: str) -> bool:
    """It is not to be sent; False: it is too late for that."""
    return await _step(connection, no, CommandStep.CANCELLED, who, reason)


async def _step(connection: Connection, no: int, step: CommandStep, who: Who, reason: str) -> bool:
    (done,) = await append(
        connection, [Happened(no, step, actor=who.key, actor_name=who.name, reason=reason)]
    )
    return done.counted


def needs_two(command: Mapping[str, Any]) -> bool:
    """Whether a command is one of those that two people decide on."""
    return KINDS[command["kind"]].dangerous
