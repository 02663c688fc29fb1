"""Which gateway process holds which terminal: all SQL of ``terminal_gateways`` and ``terminal_presence``.

A gateway says every few seconds that it lives; who is late is taken for gone. So a process that was killed holds nothing for longer
than ``LEASE_S``. The times are those of the database's clock: gateways on several machines need no common one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from runtime.connection import Connection

#: A gateway that has said nothing for so long is gone; it says so again every ``RENEW_S``.
LEASE_S: Final = 10.0
RENEW_S: Final = 2.5
#: Rows of one statement.
_TOGETHER: Final = 5_000


async def renew(connection: Connection, gateway: str, host: str) -> bool:
    """``gateway`` lives; whether it is new to the database: the first time, or because others took it for gone. Then nothing is
    known of what it holds."""
    return bool(
        await connection.fetchval(
            "INSERT INTO terminal_gateways AS g (id, host, alive_until) VALUES ($1::uuid, $2, clock_timestamp() + $3 * interval '1 s')"
            " ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until RETURNING g.xmax = 0",
            gateway, host, LEASE_S,
        )
    )  # fmt: skip


async def leave(connection: Connection, gateway: str) -> None:
    """``gateway`` ends, and holds nothing any more."""
    await connection.execute("DELETE FROM terminal_gateways WHERE id = $1::uuid", gateway)


async def note(
    connection: Connection, gateway: str, here: Mapping[int, float], gone: Collection[int]
) -> None:
    """``here``: terminals that ``gateway`` holds, and how many seconds ago each logged in; ``gone``: those that it holds no more. Of
    two gateways the one where a terminal logged in later has it."""
    for start in range(0, len(gone), _TOGETHER):
        await connection.execute(
            "DELETE FROM terminal_presence WHERE gateway = $1::uuid AND terminal_no = ANY($2::integer[])",
            gateway, sorted(gone)[start : start + _TOGETHER],
        )  # fmt: skip
    rows = sorted(here.items())
    for start in range(0, len(rows), _TOGETHER):
        part = rows[start : start + _TOGETHER]
        await connection.execute(
            "INSERT INTO terminal_presence AS p (terminal_no, gateway, since)"
            " SELECT no, $1::uuid, clock_timestamp() - age * interval '1 s' FROM unnest($2::integer[], $3::double precision[]) AS u (no, age)"
            " ON CONFLICT (terminal_no) DO UPDATE SET gateway = excluded.gateway, since = excluded.since"
            " WHERE p.since <= excluded.since OR p.gateway = excluded.gateway",
            gateway, [no for no, _ in part], [age for _, age in part],
        )  # fmt: skip


async def held_elsewhere(connection: Connection, gateway: str, terminals: Collection[int]) -> list[int]:
    """Those of ``terminals`` that another gateway holds."""
    rows = await connection.fetch(
        "SELECT terminal_no FROM terminal_presence WHERE terminal_no = ANY($2::integer[]) AND gateway <> $1::uuid",
        gateway,
        sorted(terminals),
    )
    return [row["terminal_no"] for row in rows]


async def forget_the_dead(connection: Connection) -> None:
    """Remove the gateways that are late, with what they held."""
    await connection.execute("DELETE FROM terminal_gateways WHERE alive_until < clock_timestamp()")
