"""Quotas in the denial matrix: what of them is a unit's, and a call of each operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final

import asyncpg
import httpx

#: Tables of quotas, and a column that names a row.
OWNED: Final = {"quotas": "organisation", "vehicle_quota_places": "vehicle"}
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


Call = Callable[[httpx.AsyncClient, str, Any], Awaitable[httpx.Response]]


def _put(path: str, body: dict[str, Any]) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.put(
            f"/v1/{path.format(unit=unit)}", json=body | {"approved_by": "x", "paper_no": f"{next(_NUMBERS)}"}
        )

    return call


def lines(case: Any, get: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``: its own."""
    read, decide = ("registry:read",), ("quotas:write",)
    return {
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
    }
