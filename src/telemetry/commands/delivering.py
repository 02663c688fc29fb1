"""Commands as gateways see them: taken, reported, looked after. As the owner of the tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runtime.connection import Connection
from telemetry.commands.kinds import KINDS
from telemetry.commands.steps import CommandFailure, CommandStep
from telemetry.commands.thread import Happened, append
from telemetry.terminals import presence

#: Commands that one look takes, and one turn of ``tend``.
MOST_TAKEN: Final = 200
#: How often ``tend`` has to be called, in seconds.
TEND_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Taken:
    """A command that is this gateway's to send, in its attempt ``attempt``. ``left_s``: seconds until it expires."""

    no: int
    terminal: int
    kind: str
    fields: dict[str, Any]
    attempt: int
    left_s: float


async def take(
    connection: Connection, gateway: str, permitted: Collection[str], most: int = MOST_TAKEN
) -> list[Taken]:
    """Commands for terminals that ``gateway`` holds: of each terminal the oldest, while none is under way to it. In the caller's
    transaction, and sent only when that is committed: a command of which the row does not say "sent" never was. Those that must
    not be sent any more fail: ``permitted`` are the kinds that the settings permit."""
    rows = await connection.fetch(
        "SELECT c.no, c.terminal_no, c.kind, c.fields, c.attempt,"
        " EXTRACT(EPOCH FROM c.expires_at - clock_timestamp())::double precision AS left_s,"
        " EXISTS (SELECT FROM terminal_bindings b JOIN vehicles v ON v.no = b.vehicle_no WHERE b.terminal_no = c.terminal_no"
        "  AND v.id = c.vehicle AND b.valid_from <= clock_timestamp() AND (b.valid_to IS NULL OR b.valid_to > clock_timestamp())) AS sits"
        " FROM terminal_commands c JOIN terminal_presence p ON p.terminal_no = c.terminal_no AND p.gateway = $1::uuid"
        " WHERE c.state = 'queued' AND c.expires_at > clock_timestamp()"
        " AND NOT EXISTS (SELECT FROM terminal_commands s WHERE s.terminal_no = c.terminal_no AND s.state = 'sent')"
        " AND NOT EXISTS (SELECT FROM terminal_commands e WHERE e.terminal_no = c.terminal_no AND e.state = 'queued' AND e.no < c.no"
        "  AND e.expires_at > clock_timestamp())"
        " ORDER BY c.no LIMIT $2 FOR UPDATE OF c SKIP LOCKED",
        gateway, most,
    )  # fmt: skip
    if not rows:
        return []
    steps = [_first_step(row, gateway, permitted) for row in rows]
    results = await append(connection, steps)
    return [
        Taken(row["no"], row["terminal_no"], row["kind"], row["fields"], row["attempt"] + 1, row["left_s"])
        for row, step, done in zip(rows, steps, results, strict=True)
        if done.counted and step.step is CommandStep.SENT
    ]


def _first_step(row: Any, gateway: str, permitted: Collection[str]) -> Happened:
    no = row["no"]
    if not row["sits"]:
        return Happened(no, CommandStep.FAILED, failure=CommandFailure.TERMINAL_MOVED)
    if row["kind"] not in permitted:
        return Happened(no, CommandStep.FAILED, failure=CommandFailure.SWITCHED_OFF)
    return Happened(no, CommandStep.SENT, gateway)


async def under_way(connection: Connection, gateway: str) -> dict[int, int]:
    """Number -> attempt of the commands that ``gateway`` has under way, as the database knows it."""
    return dict(
        await connection.fetch(
            "SELECT no, attempt FROM terminal_commands WHERE gateway = $1::uuid AND state IN ('sent', 'delivered') AND ended_at IS NULL",
            gateway,
        )
    )  # fmt: skip


async def tend(connection: Connection, most: int = 1_000) -> bool:
    """Look after what no gateway can: commands of gateways that are gone, and those whose time is over. Whether there is more. In
    the caller's transaction; any process may do it, several at once."""
    await presence.forget_the_dead(connection)
    lost = await connection.fetch(
        "SELECT no, attempt, gateway::text FROM terminal_commands c WHERE state IN ('sent', 'delivered') AND ended_at IS NULL"
        " AND NOT EXISTS (SELECT FROM terminal_gateways g WHERE g.id = c.gateway) ORDER BY no LIMIT $1 FOR UPDATE OF c SKIP LOCKED",
        most,
    )
    ended = await connection.fetch(
        "SELECT no FROM terminal_commands WHERE state IN ('proposed', 'queued') AND expires_at <= clock_timestamp()"
        " ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED",
        most,
    )
    steps: Sequence[Happened] = [
        *(Happened(row["no"], CommandStep.LOST, row["gateway"], row["attempt"]) for row in lost),
        *(Happened(row["no"], CommandStep.EXPIRED) for row in ended),
    ]
    if steps:
        await append(connection, steps)
    return len(lost) == most or len(ended) == most


async def keep(pool: Any) -> bool:
    """``tend`` in a transaction of its own."""
    async with pool.acquire() as connection, connection.transaction():
        return await tend(connection)


async def oldest_waiting_s(connection: Connection) -> float:
    """For how many seconds the oldest command has waited whose terminal is connected; 0 = none."""
    waited = await connection.fetchval(
        "SELECT EXTRACT(EPOCH FROM clock_timestamp() - min(greatest(c.asked_at, p.since)))::double precision FROM terminal_commands c"
        " JOIN terminal_presence p ON p.terminal_no = c.terminal_no WHERE c.state = 'queued'"
        " AND NOT EXISTS (SELECT FROM terminal_commands s WHERE s.terminal_no = c.terminal_no AND s.state = 'sent')"
    )
    return max(0.0, waited or 0.0)


def permitted(*, control: bool, cut: bool) -> frozenset[str]:
    """The kinds that may be sent. ``control``: dangerous ones are switched on; ``cut``: it is known how the terminals are told to cut."""
    return frozenset(
        code for code, kind in KINDS.items() if (control or not kind.dangerous) and (cut or code != "cut")
    )
