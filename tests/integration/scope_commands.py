"""Commands of the units of ``scope_world``, and how the denial matrix asks for them."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

import asyncpg
import httpx

#: Table -> the column that names a record; ``test_scope`` looks at each.
OWNED: Final = {
    "terminal_commands": "key", "terminal_command_events": "reason", "reminders": "key", "vehicle_seals": "reason", "terminal_areas": "fence",
    "fences_sent_down": "fence",
}  # fmt: skip
_KEYS: Final = count()
_REASON: Final = {"reason": "核实无误，同意"}


async def fill(pool: asyncpg.Pool, unit: str) -> None:
    """A command of a unit that waits."""
    async with pool.acquire() as connection, connection.transaction():
        no = await connection.fetchval(
            "INSERT INTO terminal_commands (organisation, vehicle, terminal_no, kind, fields, reason, asked_by, asked_by_name, persons, key,"
            " expires_at, state, events) SELECT $1, v.id, b.terminal_no, 'text', $2, $3, 'user:filled', $3, '{user:filled}', $4, '2100-01-01',"
            " 'queued', 1 FROM vehicles v JOIN terminal_bindings b ON b.vehicle_no = v.no WHERE v.organisation = $1 RETURNING no",
            unit, {"text": f"car-{unit}"}, f"clerk-{unit}", f"filled-{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO terminal_command_events (command, number, step, reason) VALUES ($1, 1, 'asked', $2)",
            no,
            f"clerk-{unit}",
        )
        await connection.execute(
            "INSERT INTO reminders (key, condition, organisation, vehicle, vehicle_no, about, command) SELECT $2, 'speed', $1, v.id, v.no,"
            " now(), $3 FROM vehicles v WHERE v.organisation = $1",
            unit, f"filled-{unit}", no,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO vehicle_seals (organisation, vehicle, sealed_from, sealed_to, reason)"
            " SELECT $1, v.id, '2026-01-01', '2026-01-02', $2 FROM vehicles v WHERE v.organisation = $1",
            unit, f"clerk-{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO fences_sent_down (organisation, fence) SELECT $1, $2", unit, f"fence-{unit}"
        )
        await connection.execute(
            "INSERT INTO terminal_areas (terminal_no, fence, organisation, vehicle, area_id) SELECT b.terminal_no, $2, $1, v.id, 1"
            " FROM vehicles v JOIN terminal_bindings b ON b.vehicle_no = v.no WHERE v.organisation = $1",
            unit, f"fence-{unit}",
        )  # fmt: skip


async def _no(world: Any, unit: str) -> int:
    no: int = await world.pool.fetchval("SELECT no FROM terminal_commands WHERE key = $1", f"filled-{unit}")
    return no


async def _ask(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
    body = {"kind": "text", "text": "请按时返回", "reason": "出车超时提醒", "key": f"k{next(_KEYS)}"}
    answer = await client.post(f"/v1/vehicles/car-{unit}/commands", json=body)
    await world.pool.execute(
        "UPDATE terminal_commands SET state = 'cancelled', ended_at = now() WHERE asked_by <> 'user:filled'"
    )
    return answer


async def _get(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
    return await client.get(f"/v1/commands/{await _no(world, unit)}")


def _stepped(word: str, state: str) -> Any:
    async def call(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
        no = await _no(world, unit)
        await world.pool.execute(
            "UPDATE terminal_commands SET state = $2, ended_at = NULL WHERE no = $1", no, state
        )
        return await client.post(f"/v1/commands/{no}:{word}", json=_REASON)

    return call


def _post(path: str, body: dict[str, Any] | None = None) -> Any:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.post(path.format(unit=unit), json=body)

    return call


async def _sealed(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
    await world.pool.execute(
        "UPDATE vehicle_seals SET sealed_to = sealed_from WHERE sealed_to IS NULL OR sealed_to > now()"
    )
    return await client.post(f"/v1/vehicles/car-{unit}:seal", json={"reason": "节假日封存"})


async def _lifted(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
    await world.pool.execute(
        "UPDATE vehicle_seals SET sealed_to = '2100-01-01' WHERE reason = $1", f"clerk-{unit}"
    )
    return await client.post(f"/v1/vehicles/car-{unit}:unseal")


def lines(case: Any, get: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``: its own."""
    reads, sends, controls = ("commands:read",), ("commands:send",), ("commands:control",)
    configures, registers = ("commands:configure",), ("registry:write",)
    return {
        ("POST", "/v1/vehicles/{id}/commands"): case(_ask, sends),
        ("GET", "/v1/commands"): case(get("/v1/commands"), reads, foreign=None),
        ("GET", "/v1/commands/{no}"): case(_get, reads),
        ("POST", "/v1/commands/{no}:cancel"): case(_stepped("cancel", "queued"), sends),
        # Tokens ask here: two people decide on what acts on a vehicle.
        ("POST", "/v1/commands/{no}:approve"): case(
            _stepped("approve", "proposed"), controls, own=frozenset({403})
        ),
        ("GET", "/v1/fences/{id}/terminals"): case(get("/v1/fences/fence-{unit}/terminals"), reads),
        ("POST", "/v1/fences/{id}:send-down"): case(_post("/v1/fences/fence-{unit}:send-down"), configures),
        ("POST", "/v1/fences/{id}:recall"): case(_post("/v1/fences/fence-{unit}:recall"), configures),
        ("POST", "/v1/organisations/{id}:send-fences-down"): case(
            _post("/v1/organisations/{unit}:send-fences-down"), configures
        ),
        ("POST", "/v1/organisations/{id}:recall-fences"): case(
            _post("/v1/organisations/{unit}:recall-fences"), configures
        ),
        ("GET", "/v1/vehicles/{id}/seals"): case(get("/v1/vehicles/car-{unit}/seals"), ("registry:read",)),
        ("POST", "/v1/vehicles/{id}:seal"): case(_sealed, registers),
        ("POST", "/v1/vehicles/{id}:unseal"): case(_lifted, registers),
    }
