"""The exchange of the units of ``scope_world``, and how the denial matrix asks for it. Tokens ask there: what only a registered peer
may do is refused to them (403, ``not-a-peer``); ``test_exchange`` does it as peers."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

import asyncpg
import httpx

_NUMBERS: Final = count(1)
#: Table -> the column that names a record; ``test_scope`` looks at each.
OWNED: Final = {
    "exchange_peers": "name", "exchange_states": "peer", "exchange_queue": "id", "exchange_sent": "id", "exchange_records": "id",
    "exchange_arrivals": "peer",
}  # fmt: skip


async def fill(pool: asyncpg.Pool, unit: str) -> None:
    """One of each for a unit."""
    peer = f"peer-{unit}"
    async with pool.acquire() as connection, connection.transaction():
        for sql, *values in (
            ("exchange_peers (name, direction, organisation, client_id) VALUES ($1, 'below', $2, $1)", peer, unit),
            ("exchange_states (peer) VALUES ($1)", peer),
            ("exchange_queue (peer, kind, id, urgency, ticket) VALUES ($1, 'vehicle', $2, 2, 1)", peer, f"car-{unit}"),
            ("exchange_sent (peer, kind, origin, id, version, sha256) VALUES ($1, 'vehicle', '', $2, 1, 'x')", peer, f"car-{unit}"),
            ("exchange_records (origin, kind, id, peer, organisation, unit, version, sha256, payload, happened_at)"
             " VALUES ($1, 'driver', $2, $1, $3, $3, 1, 'x', '{}', now())", peer, f"record-{unit}", unit),
            ("exchange_arrivals (peer, kind) VALUES ($1, 'driver')", peer),
            ("exchange_notices (id, organisation, title, body, published_by) VALUES ($1, $2, 't', 'x', 'x')", f"notice.{unit}", unit),
        ):  # fmt: skip
            await connection.execute(f"INSERT INTO {sql}", *values)


async def _record(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
    number = await world.pool.fetchval("SELECT no FROM exchange_records WHERE id = $1", f"record-{unit}")
    return await client.get(f"/v1/exchange/records/{number}")


async def _hand_in(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    return await client.post("/v1/exchange/records", json={"source": f"peer-{unit}", "records": []})


async def _publish(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    body = {"id": f"new{next(_NUMBERS)}.{unit}", "organisation": unit, "title": "t", "body": "x"}
    return await client.post("/v1/exchange/notices", json=body)


def exchange_lines(case: Any, get: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``: its own."""
    read, peer, none = ("exchange:read",), ("exchange:peer",), frozenset({403})
    at = "/v1/exchange"
    return {
        ("POST", f"{at}/records"): case(_hand_in, peer, own=none, foreign=none),
        ("GET", f"{at}/down"): case(get(f"{at}/down"), peer, own=none, foreign=none),
        ("GET", f"{at}/records"): case(get(f"{at}/records", kind="driver"), read, foreign=None),
        ("GET", f"{at}/counts"): case(get(f"{at}/counts"), read, foreign=None),
        ("GET", f"{at}/records/{{no}}"): case(_record, read),
        ("GET", f"{at}/peers"): case(get(f"{at}/peers"), read, foreign=None),
        ("GET", f"{at}/peers/{{name}}"): case(get(f"{at}/peers/peer-{{unit}}"), read),
        ("GET", f"{at}/peers/{{name}}/refusals"): case(get(f"{at}/peers/peer-{{unit}}/refusals"), read),
        ("POST", f"{at}/notices"): case(_publish, ("cases:issue",)),
        ("GET", f"{at}/notices"): case(get(f"{at}/notices"), read, foreign=None),
    }
