"""The list of peers: made by the operator on the machine, read by everybody else."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from office.exchange import capture
from office.exchange.kinds import NAME_PATTERN, UP
from office.exchange.transport import checked_url
from registry.changes import end_reading
from registry.organisations import organisation_exists
from registry.refusals import Flaw, RefusedError
from runtime.connection import Connection, affected

_COLUMNS: Final = "name, direction, organisation, client_id, url, units, kinds, mapping, enabled"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another instance. See exchange_peers of migrations/0039_exchange.sql."""

    name: str
    direction: str
    organisation: str
    client_id: str
    url: str | None
    units: tuple[str, ...]
    kinds: tuple[str, ...]
    mapping: str | None
    enabled: bool


def _peer(row: Any) -> Peer:
    fields = dict(row)
    return Peer(**fields | {"units": tuple(row["units"]), "kinds": tuple(row["kinds"])})


async def own_name(connection: Connection) -> str | None:
    """What this instance calls itself; None = it has no name yet."""
    name: str | None = await connection.fetchval("SELECT exchange_own_name()")
    return name


async def set_own_name(connection: Connection, name: str) -> None:
    """Give this instance its name, once: others keep its records under it. Raises RefusedError."""
    _check_name(name)
    present = await own_name(connection)
    if present not in (None, name):
        raise RefusedError(
            [
                Flaw(
                    ("name",),
                    f"本级名称已是 {present}，不能更改 · this instance is {present} already: others know it by that",
                )
            ],
            conflict=True,
        )
    await connection.execute("INSERT INTO exchange_self (name) VALUES ($1) ON CONFLICT DO NOTHING", name)


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        raise RefusedError(
            [Flaw(("name",), "名称为 1 至 32 个小写字母、数字或 -，以字母开头 · 1 to 32 of a-z, 0-9, -")]
        )


async def all_peers(connection: Connection) -> list[Peer]:
    """By name; those that the caller's transaction sees."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM exchange_peers ORDER BY name")  # noqa: S608 - constant
    return [_peer(row) for row in rows]


async def peers_above(connection: Connection) -> list[Peer]:
    """Those above that are enabled, by name: there is something to do."""
    return [peer for peer in await all_peers(connection) if peer.direction == "above" and peer.enabled]


async def find_peer(connection: Connection, name: str) -> Peer | None:
    """The peer of that name, if the caller's transaction sees it."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM exchange_peers WHERE name = $1", name)  # noqa: S608 - constant
    return None if row is None else _peer(row)


async def peer_of_client(connection: Connection, client: str) -> Peer | None:
    """The peer below that comes in as ``client``, while it is enabled."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM exchange_peers WHERE direction = 'below' AND enabled AND client_id = $1",  # noqa: S608 - constant
        client,
    )
    return None if row is None else _peer(row)


async def add_above(
    connection: Connection,
    name: str,
    url: str,
    client: str,
    sealed: bytes,
    units: Collection[str],
    kinds: Collection[str] = (),
    mapping: str | None = None,
) -> None:
    """A peer that we push to and pull from. In a transaction. Raises RefusedError, TargetError."""
    await _check(connection, name, units)
    if unknown := sorted(set(kinds) - UP.keys()):
        raise RefusedError([Flaw(("kinds",), f"没有这种记录 {unknown[0]} · no such kind; {', '.join(UP)}")])
    roots = list(dict.fromkeys(units))
    await connection.execute(
        "INSERT INTO exchange_peers (name, direction, organisation, client_id, url, units, kinds, mapping)"
        " VALUES ($1, 'above', $2, $3, $4, $5, $6, $7)",
        name, roots[0], client, checked_url(url), roots, [kind for kind in UP if not kinds or kind in kinds], mapping,
    )  # fmt: skip
    await connection.execute("INSERT INTO exchange_secrets (peer, sealed) VALUES ($1, $2)", name, sealed)
    await capture.begin(connection, name)


async def add_below(connection: Connection, name: str, client: str) -> None:
    """A peer that comes to us as our OAuth2 client ``client``. In a transaction. Raises RefusedError."""
    row = await connection.fetchrow("SELECT organisation, scopes FROM clients WHERE id = $1", client)
    if row is None:
        raise RefusedError([Flaw(("client",), f"没有这个客户端 {client} · there is no such client")])
    if row["organisation"] is None or "exchange:peer" not in row["scopes"]:
        raise RefusedError(
            [
                Flaw(
                    ("client",),
                    "客户端须限定单位，并有权限 exchange:peer · the client needs a unit, and the scope exchange:peer",
                )
            ]
        )
    await _check(connection, name, [row["organisation"]])
    await connection.execute(
        "INSERT INTO exchange_peers (name, direction, organisation, client_id) VALUES ($1, 'below', $2, $3)",
        name, row["organisation"], client,
    )  # fmt: skip


async def _check(connection: Connection, name: str, units: Collection[str]) -> None:
    _check_name(name)
    own = await own_name(connection)
    if own is None:
        raise RefusedError(
            [Flaw((), "请先为本级命名：gongche exchange name NAME · give this instance a name first")]
        )
    if own == name or await connection.fetchval(
        "SELECT EXISTS (SELECT FROM exchange_peers WHERE name = $1)", name
    ):
        raise RefusedError([Flaw(("name",), f"名称 {name} 已被使用 · the name is taken")], conflict=True)
    if not units:
        raise RefusedError([Flaw(("units",), "须指定单位 · name a unit")])
    for unit in units:
        if not await organisation_exists(connection, unit):
            raise RefusedError([Flaw(("units",), f"单位未登记 {unit} · there is no such unit")])


async def set_enabled(connection: Connection, name: str, enabled: bool) -> bool:
    """Whether there is such a peer. In a transaction. For one above that is disabled no changes are kept; when it is enabled
    again all records are gone through, and what it has not confirmed is sent."""
    done = await connection.execute("UPDATE exchange_peers SET enabled = $2 WHERE name = $1", name, enabled)
    peer = await find_peer(connection, name)
    if peer is not None and peer.direction == "above":
        if enabled:
            await capture.begin(connection, name)
        else:
            await end_reading(connection, capture.reader_of(name))
    return affected(done) == 1


async def sealed_secret(connection: Connection, name: str) -> bytes | None:
    """The sealed secret of our client at a peer above."""
    sealed: bytes | None = await connection.fetchval(
        "SELECT sealed FROM exchange_secrets WHERE peer = $1", name
    )
    return sealed
