"""Quotas, transfers and disposals of vehicles in the denial matrix: what of them is a unit's, and a call of each operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final

import asyncpg
import httpx

from office.vehicles.act_steps import COMMANDS, ActStep, permissions_of

#: Tables of quotas and acts, and a column that names a row.
OWNED: Final = {
    "quotas": "organisation", "vehicle_quota_places": "vehicle", "vehicle_acts": "id", "vehicle_act_events": "act", "vehicle_act_numbers": "organisation",
}  # fmt: skip
_REASON: Final = {"reason": "说明理由五字"}
_STEPS: Final[dict[ActStep, dict[str, Any]]] = {
    ActStep.APPROVE: {"paper_no": "x"}, ActStep.HAND_OVER: {"odometer_m": 1},
    ActStep.COMPLETE: {"deregistration": "x", "deregistered_on": "2020-01-01"}, ActStep.REFUSE: _REASON, ActStep.WITHDRAW: _REASON,
}  # fmt: skip
_NUMBERS: Final = count(1)


async def fill(pool: asyncpg.Pool, unit: str) -> None:
    """A quota of the unit, and the place of its vehicle."""
    await pool.execute(
        "INSERT INTO quotas (organisation, quota_class, vehicles, valid_from, approved_by, paper_no, note, entered_by, entered_by_name)"
        " VALUES ($1, 'other', 1, '2026-01-01', 'x', $2, '', 'user:x', 'x')",
        unit, f"编-{unit}",
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO vehicle_quota_places (vehicle, quota_class, tier, approved_by, paper_no, note, entered_by, entered_by_name)"
        " VALUES ($1, 'other', 'base', 'x', $2, '', 'user:x', 'x')",
        f"car-{unit}", f"类-{unit}",
    )  # fmt: skip
    body = {
        "kind": "disposal",
        "vehicle": f"car-{unit}",
        "organisation": unit,
        "number": f"处-{unit}",
        "plate": f"张三{unit}",
        "mode": "scrap",
    }
    await pool.execute(
        "INSERT INTO vehicle_acts (id, kind, organisation, units, vehicle, vehicle_no, plate, number, state, version, mode, open, asked_at)"
        " SELECT $1, 'disposal', $2, ARRAY[$2], v.id, v.no, $3, $4, 'asked', 1, 'scrap', true, now() FROM vehicles v WHERE v.id = $5",
        f"act-{unit}", unit, f"张三{unit}", f"处-{unit}", f"car-{unit}",
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO vehicle_act_events (act, version, step, at, actor, persons, actor_name, body) VALUES ($1, 1, 'ask', now(), 'user:x', '{user:x}', 'x', $2)",
        f"act-{unit}", body,
    )  # fmt: skip
    await pool.execute("INSERT INTO vehicle_act_numbers VALUES ($1, 'disposal', 2026, 1)", unit)


Call = Callable[[httpx.AsyncClient, str, Any], Awaitable[httpx.Response]]


def _put(path: str, body: dict[str, Any]) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.put(
            f"/v1/{path.format(unit=unit)}", json=body | {"approved_by": "x", "paper_no": f"{next(_NUMBERS)}"}
        )

    return call


def _post(path: str, body: dict[str, Any]) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.post(f"/v1/{path}", json={"vehicle": f"car-{unit}"} | body)

    return call


def _step(step: ActStep) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
        version = await world.pool.fetchval("SELECT version FROM vehicle_acts WHERE id = $1", f"act-{unit}")
        return await client.post(
            f"/v1/vehicle-acts/act-{unit}:{step}", json={"version": version} | _STEPS.get(step, {})
        )

    return call


def lines(case: Any, get: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``: its own."""
    read, decide = ("registry:read",), ("quotas:write",)
    acts = ("registry:read", "vehicles:agree", "vehicles:approve")
    found = {
        ("GET", "/v1/quotas"): case(get("/v1/quotas"), read, foreign=None),
        ("GET", "/v1/quotas/{organisation}/{quota_class}"): case(get("/v1/quotas/{unit}/other"), read),
        ("PUT", "/v1/quotas/{organisation}/{quota_class}"): case(
            _put("quotas/{unit}/other", {"vehicles": 1, "valid_from": "2026-01-02"}), decide
        ),
        ("GET", "/v1/quota-vehicles"): case(get("/v1/quota-vehicles"), read, foreign=None),
        ("GET", "/v1/quota-workbook"): case(get("/v1/quota-workbook"), read, foreign=None),
        ("GET", "/v1/vehicles/{id}/quota-place"): case(get("/v1/vehicles/car-{unit}/quota-place"), read),
        ("PUT", "/v1/vehicles/{id}/quota-place"): case(
            _put("vehicles/car-{unit}/quota-place", {"quota_class": "other"}), decide
        ),
        ("GET", "/v1/vehicle-acts"): case(get("/v1/vehicle-acts"), acts, foreign=None),
        ("GET", "/v1/vehicle-acts/{id}"): case(get("/v1/vehicle-acts/act-{unit}"), acts),
        # One is open already.
        ("POST", "/v1/vehicle-transfers"): case(
            _post("vehicle-transfers", _REASON | {"to": "a"}), ("registry:write",), own=frozenset({201, 409})
        ),
        ("POST", "/v1/vehicle-disposals"): case(
            _post("vehicle-disposals", _REASON | {"mode": "scrap"}),
            ("registry:write",),
            own=frozenset({201, 409}),
        ),
    }
    for step in COMMANDS:
        # Of a token the state, or that it is no person, is refused.
        found["POST", f"/v1/vehicle-acts/{{id}}:{step}"] = case(
            _step(step), permissions_of(step), own=frozenset({200, 403, 409, 422})
        )
    return found
