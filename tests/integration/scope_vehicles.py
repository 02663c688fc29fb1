"""Files of vehicles in the denial matrix: what of them is a unit's, and a call of each operation."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final

import asyncpg
import httpx
import numpy as np

from office.vehicles.contents import COMMANDS
from office.vehicles.steps import TABLE, RepairAction
from tests.png import write

_NUMBERS: Final = count(1)
#: Tables of vehicles' files, and a column that names a row.
OWNED: Final = {
    "vehicle_particulars": "vehicle", "plate_swaps": "vehicle", "vehicle_papers": "id", "vehicle_documents": "id", "maintenances": "id",
    "maintenance_events": "paper", "maintenance_numbers": "organisation",
}  # fmt: skip
_PICTURE: Final = write(np.zeros((2, 2, 3), np.uint8))
_BILL: Final = {"parts": [{"name": "x", "count": 1, "price_fen": 1}], "total_fen": 1}
_REASON: Final = {"reason": "说明理由五字"}
_BODIES: Final[dict[RepairAction, dict[str, Any]]] = {
    RepairAction.QUOTE: {"shop": "甲厂", "bill": _BILL}, RepairAction.SUBMIT: {"shop": "乙厂"}, RepairAction.ASK_MORE: _REASON | {"total_fen": 9},
    RepairAction.FINISH: {"bill": _BILL}, RepairAction.NOTE: {"text": "x"},
    **dict.fromkeys((RepairAction.REJECT, RepairAction.DENY, RepairAction.REDO, RepairAction.CANCEL), _REASON),
}  # fmt: skip
_PAPER: Final = {
    "kind": "commercial",
    "number": "x",
    "valid_from": "2020-01-01",
    "valid_to": "2099-12-31",
}
_LICENCE: Final = {"number": "x", "valid_from": "2020-01-01", "valid_to": None, "classes": ["A1"]}


async def fill(pool: asyncpg.Pool, unit: str) -> None:
    """What a vehicle's file can have, of the unit's vehicle; a licence of its driver."""
    car = f"car-{unit}"
    body = {"vehicle": car, "number": f"修-{unit}", "fault": "异响", "odometer_m": 1}
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO vehicle_particulars (vehicle, vin_note, engine_no, make_model, body, automatic, colour, fund, asset_no, marking, marking_reason)"
            " VALUES ($1, '', $2, '', '', false, '', '', '', '', '')", car, f"engine-{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO plate_swaps (vehicle, plate_before, plate_after, act, reason, actor, actor_name) SELECT id, plate, plate, $2, 'x', 'user:x', 'x'"
            " FROM vehicles WHERE id = $1", car, f"act-{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO vehicle_papers (id, organisation, vehicle, driver, kind, number, issuer, classes, valid_from, valid_to, note, entered_by, entered_by_name)"
            " VALUES ($1, $3, $4, NULL, 'inspection', $1, '', '{}', '2020-01-01', '2099-12-31', '', 'user:x', 'x'),"
            " ($2, $3, NULL, $5, 'licence', $2, '', '{A1}', '2020-01-01', 'infinity', '', 'user:x', 'x')",
            f"paper-{unit}", f"licence-{unit}", unit, car, f"driver-{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO maintenances (id, organisation, vehicle, number, state, version, fault, odometer_m, in_shop, reported_at)"
            " VALUES ($1, $2, $3, $4, 'reported', 1, '异响', 1, false, now())", f"repair-{unit}", unit, car, f"修-{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO maintenance_events (paper, version, step, at, actor, persons, actor_name, address, device, body)"
            " VALUES ($1, 1, 'report', now(), 'user:x', '{user:x}', 'x', '', '', $2)", f"repair-{unit}", body,
        )  # fmt: skip
        await connection.execute("INSERT INTO maintenance_numbers VALUES ($1, 2025, 1)", unit)
        await connection.execute(
            "INSERT INTO vehicle_documents (id, organisation, vehicle, kind, name, media_type, size, sha256, received_sha256, uploaded_by, uploaded_by_name, body)"
            " VALUES ($1, $2, $3, 'other', $4, 'image/png', $5, $6, $6, 'user:x', 'x', $7)",
            f"document-{unit}", unit, car, f"{unit}.png", len(_PICTURE), hashlib.sha256(_PICTURE).digest(), _PICTURE,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO messages (organisation, permission, trip, number, step, state, at) VALUES ($1, 'trips:enter', $2, $2, 'ends-in-7', 'inspection', now())",
            unit, f"vehicle-papers/paper-{unit}",
        )  # fmt: skip


Call = Callable[[httpx.AsyncClient, str, Any], Awaitable[httpx.Response]]


def _send(path: str, body: Callable[[str], Any], method: str = "POST") -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.request(method, f"/v1/{path.format(unit=unit)}", json=body(unit))

    return call


def _upload(path: str) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.post(
            f"/v1/{path.format(unit=unit)}/documents", params={"name": "x.png"}, content=_PICTURE
        )

    return call


def _step(step: RepairAction) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
        version = await world.pool.fetchval("SELECT version FROM maintenances WHERE id = $1", f"repair-{unit}")  # fmt: skip
        return await client.post(
            f"/v1/maintenance/repair-{unit}:{step}", json=_BODIES.get(step, {}) | {"version": version}
        )

    return call


def lines(case: Any, get: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``: its own."""
    read, keep, both = ("registry:read",), ("registry:write",), ("registry:read", "maintenance:approve")
    found = {
        ("GET", "/v1/vehicles/{id}/particulars"): case(get("/v1/vehicles/car-{unit}/particulars"), read),
        ("PUT", "/v1/vehicles/{id}/particulars"): case(
            _send("vehicles/car-{unit}/particulars", lambda unit: {"engine_no": f"engine-{unit}", "colour": f"{next(_NUMBERS)}"}, "PUT"), keep
        ),
        ("GET", "/v1/vehicles/{id}/plates"): case(get("/v1/vehicles/car-{unit}/plates"), read),
        ("POST", "/v1/vehicles/{id}:swap-plates"): case(
            _send("vehicles/car-{unit}:swap-plates", lambda unit: _REASON | {"other": "nobody", "plate": "苏F10001", "other_plate": "苏F10002"}),
            keep, own=frozenset({422}),
        ),
        ("GET", "/v1/vehicle-papers"): case(get("/v1/vehicle-papers"), read, foreign=None),
        ("GET", "/v1/vehicle-papers/{id}"): case(get("/v1/vehicle-papers/paper-{unit}"), read),
        # It can be declared void once.
        ("POST", "/v1/vehicle-papers/{id}:void"): case(
            _send("vehicle-papers/paper-{unit}:void", lambda unit: _REASON), keep, own=frozenset({200, 409})
        ),
        ("POST", "/v1/vehicle-papers/{id}/documents"): case(_upload("vehicle-papers/paper-{unit}"), keep),
        ("GET", "/v1/vehicles/{id}/papers"): case(get("/v1/vehicles/car-{unit}/papers"), read),
        ("POST", "/v1/vehicles/{id}/papers"): case(_send("vehicles/car-{unit}/papers", lambda unit: _PAPER), keep, own=frozenset({201, 409})),
        ("GET", "/v1/drivers/{id}/licences"): case(get("/v1/drivers/driver-{unit}/licences"), read),
        ("POST", "/v1/drivers/{id}/licences"): case(_send("drivers/driver-{unit}/licences", lambda unit: _LICENCE), keep, own=frozenset({201, 409})),
        ("GET", "/v1/vehicles/{id}/documents"): case(get("/v1/vehicles/car-{unit}/documents"), read),
        ("POST", "/v1/vehicles/{id}/documents"): case(_upload("vehicles/car-{unit}"), keep),
        ("GET", "/v1/vehicle-documents/{id}"): case(get("/v1/vehicle-documents/document-{unit}"), read),
        ("GET", "/v1/vehicles/{id}/file"): case(get("/v1/vehicles/car-{unit}/file"), read),
        ("GET", "/v1/maintenance"): case(get("/v1/maintenance"), both, foreign=None),
        ("POST", "/v1/maintenance"): case(_send("maintenance", lambda unit: {"vehicle": f"car-{unit}", "fault": "异响", "odometer_m": 9}), keep),
        ("GET", "/v1/maintenance/{id}"): case(get("/v1/maintenance/repair-{unit}"), both),
        ("POST", "/v1/maintenance/{id}/documents"): case(
            _upload("maintenance/repair-{unit}"), ("registry:write", "maintenance:approve"), own=frozenset({201, 409})
        ),
    }  # fmt: skip
    for step in COMMANDS:
        needs = tuple(dict.fromkeys(each for row in TABLE if row.step is step for each in row.permissions))
        # Of a token the state, or that it is no person, is refused.
        own = frozenset({200, 403, 409, 422})
        found["POST", f"/v1/maintenance/{{id}}:{step}"] = case(_step(step), needs, own=own)
    return found
