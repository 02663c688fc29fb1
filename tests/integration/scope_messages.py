"""Message channels of the units of ``scope_world``, and how the denial matrix asks for them."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg
import httpx

#: Table -> the column that names a record; ``test_scope`` looks at each.
OWNED: Final = {
    "message_channels": "id", "message_addresses": "channel_no", "message_lanes": "channel_no", "message_outbox": "channel_no",
}  # fmt: skip
#: What belongs to whoever set it.
OF_SUBJECTS: Final = {"message_quiet_hours", "message_code_counts"}
_KEEPS: Final = ("registry:write",)
Call = Callable[[httpx.AsyncClient, str, Any], Awaitable[httpx.Response]]


def channel(unit: str) -> str:
    """The id of the unit's channel."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"channel of {unit}").hex


async def fill(pool: asyncpg.Pool, unit: str) -> None:
    """A channel of a unit, which is confirmed, with a dead letter about the unit's message."""
    no = await pool.fetchval(
        "INSERT INTO message_channels (id, organisation, about, kind, shown, made_by, confirmed_at)"
        " VALUES ($1, $2, 'unit', 'wecom', 'https://qyapi.weixin.qq.com/…', 'user:x', now()) RETURNING no",
        uuid.UUID(channel(unit)),
        unit,
    )
    await pool.execute("INSERT INTO message_addresses (channel_no, address) VALUES ($1, 'x')", no)
    await pool.execute("INSERT INTO message_lanes (channel_no) VALUES ($1)", no)
    await pool.execute(
        "INSERT INTO message_outbox (channel_no, message_id, state, ended_at)"
        " SELECT $1, min(id), 'dead', now() FROM messages WHERE organisation = $2",
        no,
        unit,
    )


def _on(method: str, path: str = "", body: dict[str, Any] | None = None) -> Call:
    """An operation on the unit's channel, which is as it was afterwards."""

    async def call(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
        letter = await world.pool.fetchval(
            "SELECT o.no FROM message_outbox o JOIN message_channels c ON c.no = o.channel_no WHERE c.id = $1",
            uuid.UUID(channel(unit)),
        )
        address = f"/v1/unit-channels/{channel(unit)}{path.format(letter=letter)}"
        answer = await client.request(method, address, json=body)
        if answer.status_code == 204:
            await world.pool.execute("DELETE FROM message_channels WHERE id = $1", uuid.UUID(channel(unit)))
            await fill(world.pool, unit)
        return answer

    return call


async def _add(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
    body = {"organisation": unit, "kind": "webhook", "address": "https://receiver.example.cn/x"}
    answer = await client.post("/v1/unit-channels", json=body)
    await world.pool.execute("DELETE FROM message_channels WHERE kind = 'webhook'")
    return answer


def lines(case: Any, get: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``: its own."""
    base = "/v1/unit-channels"
    one = f"{base}/{{id}}"
    return {
        ("GET", base): case(get(base), _KEEPS, foreign=None),
        ("POST", base): case(_add, _KEEPS),
        ("POST", f"{one}/confirm"): case(_on("POST", "/confirm", {"code": "x"}), _KEEPS),
        ("POST", f"{one}/code"): case(_on("POST", "/code"), _KEEPS),
        ("PUT", one): case(_on("PUT", "", {"enabled": True}), _KEEPS),
        ("DELETE", one): case(_on("DELETE"), _KEEPS),
        ("GET", f"{one}/letters"): case(_on("GET", "/letters"), _KEEPS),
        ("POST", f"{one}/letters/{{letter}}/resend"): case(_on("POST", "/letters/{letter}/resend"), _KEEPS),
    }
