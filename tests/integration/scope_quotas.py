"""Quotas, transfers, disposals, rentals and notices in the denial matrix: what of them is a unit's, and a call of each operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final

import asyncpg
import httpx

from office.dispatch.rental_contents import COMMANDS as RENTAL_COMMANDS
from office.dispatch.rental_contents import TABLE as RENTALS
from office.dispatch.rental_contents import RentalStep
from office.vehicles.act_steps import COMMANDS, ActStep, permissions_of

#: Tables of quotas and acts, and a column that names a row.
OWNED: Final = {
    "quotas": "organisation", "vehicle_quota_places": "vehicle", "vehicle_acts": "id", "vehicle_act_events": "act", "vehicle_act_numbers": "organisation",
    "rental_reports": "id", "rental_proofs": "report", "rental_proof_vehicles": "report", "rental_numbers": "pool",
    "notices": "id", "notice_rows": "notice", "notice_receipts": "notice", "notice_numbers": "organisation",
    "publication_objections": "id", "publication_answers": "objection",
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
    await pool.execute(
        "INSERT INTO rental_reports (id, number, organisation, pool, units, request, state, version, period_from, period_to, passengers, supplier, contract,"
        " vehicle_class, seats, reason, ceiling_fen, reported_at, reported_by, reporters, reported_by_name)"
        " VALUES ($1, $2, $3, $3, ARRAY[$3], $4, 'reported', 1, now(), now() + interval '1 hour', 1, 'x', 'x', 'x', 5, 'x', 1, now(), 'user:x', '{user:x}', $5)",
        f"rental-{unit}", f"租-{unit}", unit, f"request-{unit}", f"张三{unit}",
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO rental_proofs (report, number, asked_at, asked_by, units, looked_at, travel, unknown, sha256)"
        " VALUES ($1, 1, now(), 'user:x', ARRAY[$2], 1, 'x', '[]', sha256(''))",
        f"rental-{unit}", unit,
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO rental_proof_vehicles VALUES ($1, 1, $2, $3, $4, '[]')", f"rental-{unit}", f"car-{unit}", f"张三{unit}", unit
    )  # fmt: skip
    await pool.execute("INSERT INTO rental_numbers VALUES ($1, 2026, 1)", unit)
    await pool.execute(
        "INSERT INTO notices (id, number, organisation, units, roles, kind, title, body, pinned, receipt, columns, rows, sha256, published_at, published_by,"
        " published_by_name) VALUES ($1, $2, $3, ARRAY[$3], '{}', 'disposals', $4, 'x', false, true, '{x,x,x,x,x,x}', 1, sha256(''), now(), 'user:x', 'x')",
        f"told-{unit}", f"告-{unit}", unit, f"张三{unit}",
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO notice_rows VALUES ($1, 1, $2, ARRAY['x', $3, 'x', 'x', 'x', 'x'])", f"told-{unit}", f"car-{unit}", f"张三{unit}"
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO notice_receipts (notice, person, person_name, organisation) VALUES ($1, 'user:x', $2, $3)", f"told-{unit}", f"张三{unit}", unit
    )  # fmt: skip
    await pool.execute("INSERT INTO notice_numbers VALUES ($1, 2026, 1)", unit)
    await pool.execute(
        "INSERT INTO publication_objections (id, notice, row_no, vehicle, organisation, person, person_name, reason) VALUES ($1, $2, 1, $3, $4, 'user:x', 'x', $5)",
        f"objection-{unit}", f"told-{unit}", f"car-{unit}", unit, f"张三{unit}",
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO publication_answers (objection, upheld, reason, answered_by, answered_name) VALUES ($1, true, $2, '{user:x}', 'x')",
        f"objection-{unit}", f"张三{unit}",
    )  # fmt: skip


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


_RENTAL: Final[dict[RentalStep, dict[str, Any]]] = {
    RentalStep.REFUSE: _REASON, RentalStep.WITHDRAW: _REASON, RentalStep.TAKE: {"plate": "苏F77777", "seats": 5, "driver": "x", "insured_fen": 1},
    RentalStep.SETTLE: {"amount_fen": 1, "driven_m": 1, "occurred_on": "2026-01-01", "invoice_no": "1"},
}  # fmt: skip


def _rental(step: RentalStep) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
        version = await world.pool.fetchval(
            "SELECT version FROM rental_reports WHERE id = $1", f"rental-{unit}"
        )
        return await client.post(
            f"/v1/rental-reports/rental-{unit}:{step}", json={"version": version} | _RENTAL.get(step, {})
        )

    return call


async def _report(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    body = {"supplier": "x", "contract": "x", "vehicle_class": "x", "seats": 9, "ceiling_fen": 1} | _REASON
    return await client.post("/v1/rental-reports", json=body | {"request": f"request-{unit}"})


def _notice(path: str, body: dict[str, Any]) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.post(f"/v1/{path.format(unit=unit)}", json={"organisation": unit} | body)

    return call


def _send(path: str, body: dict[str, Any]) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.post(f"/v1/{path.format(unit=unit)}", json=body)

    return call


async def _withdraw(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    return await client.post(f"/v1/notices/told-{unit}:withdraw", json=_REASON)


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
    rentals = ("trips:read", "trips:dispatch", "rentals:approve")
    found["GET", "/v1/rental-reports"] = case(get("/v1/rental-reports"), rentals, foreign=None)
    found["GET", "/v1/rental-reports/{id}"] = case(get("/v1/rental-reports/rental-{unit}"), rentals)
    # The request does not wait.
    found["POST", "/v1/rental-reports"] = case(_report, ("trips:dispatch",), own=frozenset({409}))
    for rental in RENTAL_COMMANDS:
        found["POST", f"/v1/rental-reports/{{id}}:{rental}"] = case(
            _rental(rental), (RENTALS[rental][2],), own=frozenset({200, 403, 409, 422})
        )
    publish, told = ("notices:publish",), ("registry:read", "trips:apply", "trips:drive", "notices:publish")
    days = {"title": "x", "first": "2026-01-01", "last": "2026-01-31"}
    # Of a token it is refused that it is no person.
    people = frozenset({403})
    found |= {
        ("GET", "/v1/notices"): case(get("/v1/notices"), told, foreign=None),
        ("GET", "/v1/notices/{id}"): case(get("/v1/notices/told-{unit}"), told),
        ("GET", "/v1/notices/{id}/receipts"): case(get("/v1/notices/told-{unit}/receipts"), told),
        ("GET", "/v1/notices/{id}/document"): case(get("/v1/notices/told-{unit}/document"), told),
        ("POST", "/v1/notices"): case(_notice("notices", {"title": "x", "body": "x"}), publish, own=people),
        ("POST", "/v1/publications"): case(
            _notice("publications", days | {"kind": "disposals"}), publish, own=people
        ),
        ("POST", "/v1/publications:preview"): case(
            _notice("publications:preview", days | {"kind": "disposals"}), publish
        ),
        ("GET", "/v1/notices/{id}/rows/{no}"): case(
            get("/v1/notices/told-{unit}/rows/1"), ("costs:read", "notices:publish")
        ),
        ("POST", "/v1/notices/{id}:object"): case(
            _notice("notices/told-{unit}:object", _REASON), told, own=people
        ),
        ("GET", "/v1/publication-objections"): case(get("/v1/publication-objections"), told, foreign=None),
        ("POST", "/v1/publication-objections/{id}:answer"): case(
            _send("publication-objections/objection-{unit}:answer", {"upheld": False} | _REASON),
            publish,
            own=people,
        ),
        ("POST", "/v1/notices/{id}:read"): case(_notice("notices/told-{unit}:read", {}), told, own=people),
        ("POST", "/v1/notices/{id}:withdraw"): case(_withdraw, publish, own=frozenset({200, 409})),
    }
    for step in COMMANDS:
        # Of a token the state, or that it is no person, is refused.
        found["POST", f"/v1/vehicle-acts/{{id}}:{step}"] = case(
            _step(step), permissions_of(step), own=frozenset({200, 403, 409, 422})
        )
    return found
