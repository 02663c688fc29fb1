"""Costs, tariffs and statements in the denial matrix: what of them is a unit's, and a call of each operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg
import httpx

from office.costs.statement import TABLE, StatementStep
from office.costs.statements import STEP_BODIES

_REASON: Final = {"reason": "说明理由五字"}
#: Of a token that has the right, that it is no person, or the state, is refused.
_NO_PERSON: Final = frozenset({403, 409})
TARIFF: Final = {
    "name": "x",
    "classes": [{"code": "car", "name": "轿车"}],
    "lines": [
        {
            "vehicle_class": "car",
            "default_product": "km",
            "products": [{"code": "km", "name": "按公里", "distance": {"bands": [{"fen_per_km": 200}]}}],
        }
    ],
}
_PRICE: Final = {
    "product": "km", "product_name": "按公里", "vehicle_class": "car", "priced_m": 10_000, "settlement_m": 10_000, "km_source": "odometer_alone",
    "odometer_m": 10_000, "track_m": None, "charges": [], "total_fen": 2000,
}  # fmt: skip
_LINE: Final = {
    "on": "2026-01-05", "request_number": "x", "user": "x", "destination": "x", "duration_s": 1, "vehicle_class": "car", "product_name": "x",
    "settlement_m": 1, "km_source": "odometer_alone", "odometer_m": 1, "track_m": None, "charges": [], "trip_total_fen": 2000, "riders": 1,
}  # fmt: skip
_COUNTS: Final = {
    "rows": dict.fromkeys(("read", "totals", "closings", "other_periods", "other_costs"), 0),
    "finance": {},
    "platform": {},
}
_VOUCHER: Final = {
    "row": 1, "period": "202601", "day": "2026-01-05", "number": "1", "line": "", "account": "", "budget_classes": [], "counterpart": "", "attachment": "",
    "debit_fen": 100, "credit_fen": 0,
}  # fmt: skip

#: Tables of costs, and a column that names a row.
OWNED = {
    "cost_entries": "id", "cost_entry_versions": "entry", "trip_cost_facts": "dispatch_id", "trip_prices": "dispatch_id", "cost_statements": "id",
    "cost_statement_events": "statement", "cost_statement_lines": "dispatch_id", "cost_claims": "dispatch_id", "reconciliations": "id",
    "reconciliation_lines": "reconciliation", "reconciliation_acts": "reconciliation",
}  # fmt: skip


def _entry(unit: str) -> dict[str, Any]:
    return {
        "organisation": unit, "vehicle": f"car-{unit}", "kind": "depreciation", "occurred_on": "2026-01-05", "amount_fen": 100, "note": f"张三{unit}",
    }  # fmt: skip


async def fill_costs(pool: asyncpg.Pool, unit: str) -> None:
    """A cost, a tariff, a trip with a price, a statement of the unit; after ``fill_trips``."""
    entry, statement, trip, request = f"cost-{unit}", f"statement-{unit}", f"trip-{unit}", f"request-{unit}"
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO cost_entries (id, organisation, kind, vehicle, occurred_on, period, amount_fen, payer, source, version, created_at)"
            " VALUES ($1, $2, 'depreciation', $3, '2026-01-05', '202601', 100, 'unit', 'entered', 1, now())",
            entry, unit, f"car-{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO cost_entry_versions (entry, version, step, at, actor, actor_name, body) VALUES ($1, 1, 'enter', now(), 'user:x', $2, '{}')",
            entry, f"张三{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO tariffs (organisation, version, body, made_by, made_by_name, made_at, valid_from, activated_by_name, activated_at)"
            " VALUES ($1, 1, $2, 'user:x', $3, now(), '2026-01-01', 'x', now())",
            unit, TARIFF, f"张三{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO trip_cost_facts VALUES ($1, 1, ARRAY[$2], $3, '{}', 'user:x', 'x', now())",
            trip,
            unit,
            f"car-{unit}",
        )
        await connection.execute(
            "INSERT INTO trip_prices VALUES ($1, 1, ARRAY[$2], $3, $2, 1, $4, now())",
            trip, unit, f"car-{unit}", _PRICE | {"shares": {request: 2000}},
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO cost_statements (id, number, organisation, platform, units, period, take, state, version, total_fen, lines, by_cost_centre,"
            " tariff_versions, object_by, made_by, drawn_at) VALUES ($1, $1, $2, $2, ARRAY[$2], '202601', 1, 'to_confirm', 1, 2000, 1, $3, '{1}',"
            " now() + interval '9 days', '{user:x}', now())", statement, unit, {"": 2000},
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO cost_statement_events (statement, version, step, at, actor, persons, actor_name, body)"
            " VALUES ($1, 1, 'draw', now(), 'user:x', '{user:x}', $2, '{}')",
            statement, f"张三{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO cost_statement_lines (statement, organisation, platform, units, kind, dispatch_id, request_id, vehicle, price_version,"
            " amount_fen, cost_centre, body, made_at) VALUES ($1, $2, $2, ARRAY[$2], 'trip', $3, $4, $5, 1, 2000, '', $6, now())",
            statement, unit, trip, request, f"car-{unit}", _LINE | {"number": trip, "plate": f"张三{unit}"},
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO cost_claims VALUES ($1, $2, $3, $3, ARRAY[$3], $4, 1)",
            trip,
            request,
            unit,
            statement,
        )
        await connection.execute(
            "INSERT INTO voucher_mappings VALUES ($1, 1, '{}', 'user:x', $2, now())", unit, f"张三{unit}"
        )
        await connection.execute(
            "INSERT INTO reconciliations (id, organisation, since, until, made_at, made_by, made_by_name, source, file_sha256, file_bytes, items_sha256,"
            " result_sha256, parameters, counts) VALUES ($1, $2, '202601', '202601', now(), 'user:x', $3, 'a.xml', '00', 1, '00', '00', $4, $5)",
            f"run-{unit}", unit, f"张三{unit}", {"mapping": {}}, _COUNTS,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO reconciliation_lines (reconciliation, no, side, organisation, outcome, flaws, peers, amount_fen, body, standing)"
            " VALUES ($1, 1, 'finance', $2, 'finance_only', '{}', '{}', 100, $3, 'finance_only')",
            f"run-{unit}", unit, _VOUCHER | {"text": f"张三{unit}"},
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO reconciliation_acts (reconciliation, version, step, at, actor, persons, actor_name, body)"
            " VALUES ($1, 1, 'release', now(), 'user:x', '{user:x}', $2, $3)",
            f"run-{unit}", f"张三{unit}", {"lines": [1], "reason": "x"},
        )  # fmt: skip


Call = Callable[[httpx.AsyncClient, str, Any], Awaitable[httpx.Response]]


def _send(method: str, path: str, body: Callable[[str], Any]) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.request(method, f"/v1/{path.format(unit=unit)}", json=body(unit))

    return call


async def _tariffs(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    return await client.get("/v1/tariffs", params={"organisation": unit})


async def _mappings(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    return await client.get("/v1/voucher-mappings", params={"organisation": unit})


async def _vehicle_costs(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    return await client.get("/v1/vehicle-costs", params={"organisation": unit, "period": "202601"})


async def _indicators(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    return await client.get("/v1/indicators", params={"organisation": unit, "period": "202601"})


async def _reconciled(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    return await client.post(
        "/v1/reconciliations", params={"organisation": unit, "since": "202601", "until": "202601"},
        content="凭证日期,凭证号,摘要,借方金额\n2026-01-05,1,油,1.00\n".encode(), headers={"Content-Type": "text/csv"},
    )  # fmt: skip


async def _changed(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
    version = await world.pool.fetchval("SELECT version FROM cost_entries WHERE id = $1", f"cost-{unit}")
    body = _REASON | {"version": version, "contents": _entry(unit)}
    return await client.post(f"/v1/cost-entries/cost-{unit}:correct", json=body)


async def _reversed(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    # Of one that was made for it: what was reversed cannot be corrected any more. Who may not write has none, and is refused.
    made = await client.post("/v1/cost-entries", json=_entry(unit))
    id = made.json().get("id", f"cost-{unit}")
    return await client.post(f"/v1/cost-entries/{id}:reverse", json=_REASON | {"version": 1})


def _step(step: StatementStep) -> Call:
    bodies: dict[StatementStep, dict[str, Any]] = {
        StatementStep.CORRECT: _REASON | {"line": 1},
        StatementStep.PAY: {"reference": "x"},
        **dict.fromkeys((StatementStep.OBJECT, StatementStep.ANSWER, StatementStep.VOID), _REASON),
    }

    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.post(
            f"/v1/statements/statement-{unit}:{step}", json=bodies.get(step, {}) | {"version": 1}
        )

    return call


def lines(case: Any, get: Any, file: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``, ``file``: its own."""
    read, enter, tariffs, settle = ("costs:read",), ("costs:write",), ("costs:tariffs",), ("costs:settle",)
    either, alike = (*read, *tariffs), frozenset({200})
    quote = {"duration_min": 60, "tariff": TARIFF}
    found = {
        ("GET", "/v1/cost-entries"): case(get("/v1/cost-entries"), read, foreign=None),
        ("POST", "/v1/cost-entries"): case(_send("POST", "cost-entries", _entry), enter),
        ("POST", "/v1/cost-entries:import"): case(
            file("/v1/cost-entries:import", "费用种类,发生日,金额,单位编号,车辆编号", "折旧,2026-01-06,5.00,{unit},car-{unit}"), enter
        ),
        ("GET", "/v1/cost-entries/{id}"): case(get("/v1/cost-entries/cost-{unit}"), read),
        ("POST", "/v1/cost-entries/{id}:correct"): case(_changed, enter),
        ("POST", "/v1/cost-entries/{id}:reverse"): case(_reversed, enter),
        # Of a unit above, or of none that is seen, the list is empty.
        ("GET", "/v1/tariffs"): case(_tariffs, either, foreign=alike),
        ("POST", "/v1/tariffs"): case(_send("POST", "tariffs", lambda unit: {"organisation": unit, "tariff": TARIFF}), tariffs),
        ("POST", "/v1/tariffs/{id}/versions/{version}:activate"): case(
            _send("POST", "tariffs/{unit}/versions/1:activate", lambda unit: {"valid_from": "2031-01-01"}), tariffs, own=frozenset({409})
        ),
        # The tariff is given: nothing is told but what it comes to.
        ("POST", "/v1/tariffs/{id}:quote"): case(_send("POST", "tariffs/{unit}:quote", lambda unit: quote), either, foreign=alike),
        # Drivers see their own.
        ("GET", "/v1/drivers/{id}/costs"): case(get("/v1/drivers/driver-{unit}/costs"), (*read, "trips:drive"), own=frozenset({200, 404})),
        ("GET", "/v1/statements"): case(get("/v1/statements"), read, foreign=None),
        ("POST", "/v1/statements"): case(_send("POST", "statements", lambda unit: {"platform": unit, "period": "202601"}), settle),
        # It has not returned.
        ("GET", "/v1/trip-costs/{id}"): case(get("/v1/trip-costs/trip-{unit}"), read, own=frozenset({404})),
        ("PUT", "/v1/trip-costs/{id}"): case(_send("PUT", "trip-costs/trip-{unit}", lambda unit: {}), settle, own=frozenset({404})),
        ("GET", "/v1/statements/{id}"): case(get("/v1/statements/statement-{unit}"), read),
        ("GET", "/v1/statements/{id}/lines"): case(get("/v1/statements/statement-{unit}/lines"), read),
        ("GET", "/v1/statements/{id}/document"): case(get("/v1/statements/statement-{unit}/document?format=xlsx"), read),
    }  # fmt: skip
    reconcile = ("costs:reconcile",)
    found |= {
        ("GET", "/v1/voucher-mappings"): case(_mappings, read, foreign=alike),
        ("PUT", "/v1/voucher-mappings/{id}"): case(_send("PUT", "voucher-mappings/{unit}", lambda unit: {}), reconcile),
        ("GET", "/v1/indicators"): case(_indicators, read),
        ("GET", "/v1/vehicle-costs"): case(_vehicle_costs, read),
        ("GET", "/v1/reconciliations"): case(get("/v1/reconciliations"), read, foreign=None),
        ("POST", "/v1/reconciliations"): case(_reconciled, reconcile),
        ("GET", "/v1/reconciliations/{id}"): case(get("/v1/reconciliations/run-{unit}"), read),
        ("GET", "/v1/reconciliations/{id}/lines"): case(get("/v1/reconciliations/run-{unit}/lines"), read),
        ("GET", "/v1/reconciliations/{id}/document"): case(get("/v1/reconciliations/run-{unit}/document"), read),
        ("POST", "/v1/reconciliations/{id}:match"): case(
            _send("POST", "reconciliations/run-{unit}:match", lambda unit: _REASON | {"version": 1, "lines": [1, 2]}), reconcile, own=_NO_PERSON
        ),
        ("POST", "/v1/reconciliations/{id}:release"): case(
            _send("POST", "reconciliations/run-{unit}:release", lambda unit: _REASON | {"version": 1, "line": 1}), reconcile, own=_NO_PERSON
        ),
    }  # fmt: skip
    for step in STEP_BODIES:
        needs = next(line.permission for line in TABLE if line.step is step)
        found["POST", f"/v1/statements/{{id}}:{step}"] = case(_step(step), (needs,), own=_NO_PERSON)
    return found
