"""Requests and dispatches in the denial matrix: what of them is a unit's, and a call of each operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final

import asyncpg
import httpx

from office.dispatch.contents import COMMANDS as DISPATCH_STEPS
from office.requests.contents import COMMANDS as REQUEST_STEPS
from office.requests.table import TABLE, Paper, TripAction

_NUMBERS: Final = count()
#: Everything but a note is a person's to do: of a token that has the right the state, or that it is no person, is refused.
_NO_PERSON: Final = frozenset({403, 409})
_PLACE: Final = {"name": "x", "lat": 31.98, "lon": 120.89, "datum": "wgs84"}
_REASON: Final = {"reason": "说明理由五字"}
_TIMES: Final = {
    "planned_departure": "2030-03-02T09:00:00+08:00",
    "planned_return": "2030-03-02T12:00:00+08:00",
}
_TABLE: Final = {"positions": [{"code": "x", "name": "x"}], "rows": [{"name": "x", "chain": ["x"]}]}
_RULE: Final = {
    "rhythm": "daily", "every": 1, "weekdays": [], "until": "2030-03-04", "holidays": "keep", "skipped": [],
}  # fmt: skip
_BODIES: Final[dict[TripAction, dict[str, Any]]] = {
    TripAction.NOTE: {"text": "x"}, TripAction.DEPART: {"odometer_m": 1}, TripAction.RETURN: {"odometer_m": 1}, TripAction.REASSIGN: _REASON | {"driver": "x"},
    TripAction.CHANGE: _REASON | {"stops": [_PLACE]}, TripAction.JOIN: {"request": {"id": "x", "version": 1}},
    **dict.fromkeys((TripAction.REJECT, TripAction.WITHDRAW, TripAction.NO_VEHICLE, TripAction.CANCEL, TripAction.DISPUTE, TripAction.ANSWER, TripAction.ASK_REASSIGN, TripAction.KEEP,
                     TripAction.REJECT_CHANGE, TripAction.SUSPEND), _REASON),
}  # fmt: skip


def _contents(unit: str) -> dict[str, Any]:
    return _TIMES | {
        "organisation": unit, "purpose": "meeting", "reason": "参加全市工作会议", "passengers": 1, "origin": _PLACE, "stops": [_PLACE],
        "applicant_name": f"张三{unit}",
    }  # fmt: skip


#: Tables of trips, and a column that names a row.
OWNED = {
    "driver_accounts": "driver", "trip_requests": "id", "trip_dispatches": "id", "trip_links": "dispatch_id",
    "trip_numbers": "organisation", "trip_request_events": "paper", "trip_dispatch_events": "paper",
    "trip_series": "id", "trip_series_members": "series",
}  # fmt: skip


async def _approval_tables(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    return await client.get("/v1/approval-tables", params={"organisation": unit})


async def fill_trips(pool: asyncpg.Pool, unit: str) -> None:
    """A request and a dispatch of the unit, a valid approval table, a driver with an account."""
    request, dispatch = f"request-{unit}", f"trip-{unit}"
    first = _contents(unit) | {"pool": unit, "kind": "normal", "category": "other", "scope": "city"}
    no, plate = await pool.fetchrow("SELECT no, plate FROM vehicles WHERE id = $1", f"car-{unit}")
    opened = _TIMES | {
        "organisation": unit, "pool": unit, "number": f"派-{unit}", "kind": "normal", "vehicle": f"car-{unit}", "vehicle_no": no, "plate": plate,
        "requests": [request], "units": [unit], "trip": {"request_units": [unit], "destinations": [], "task_type": "official", "purpose": ""},
    }  # fmt: skip
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO trip_requests (id, organisation, pool, units, kind, state, version, category, purpose, passengers, applicant_name,"
            " persons, planned_departure, planned_return, created_at) VALUES ($1, $2, $2, ARRAY[$2], 'normal', 'draft', 1, 'other', 'meeting', 1,"
            " $3, '{user:x}', '2030-03-02T01:00:00Z', '2030-03-02T04:00:00Z', now())", request, unit, f"张三{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO trip_dispatches (id, organisation, pool, units, number, kind, state, version, vehicle, vehicle_no, plate,"
            " planned_departure, planned_return, holds, created_at) VALUES ($1, $2, $2, ARRAY[$2], $3, 'normal', 'assigned', 1, $4, $5, $6,"
            " '2030-03-02T01:00:00Z', '2030-03-02T04:00:00Z', true, now())", dispatch, unit, f"派-{unit}", f"car-{unit}", no, plate,
        )  # fmt: skip
        await connection.execute("INSERT INTO trip_links VALUES ($1, $2)", dispatch, request)
        for table, paper, step, body in (
            ("trip_request_events", request, "draft", first),
            ("trip_dispatch_events", dispatch, "assign", opened),
        ):
            await connection.execute(
                f"INSERT INTO {table} (paper, version, step, at, actor, persons, actor_name, body) VALUES ($1, 1, $2, now(), 'user:x', '{{user:x}}', 'x', $3)",  # noqa: S608 - constants
                paper, step, body,
            )  # fmt: skip
        await connection.execute(
            "INSERT INTO trip_series (id, organisation, units, rule, created_by, created_by_name) VALUES ($1, $2, ARRAY[$2], $3, 'user:x', $4)",
            f"series-{unit}", unit, _RULE, f"张三{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO trip_series_members VALUES ($1, 1, $2)", f"series-{unit}", request
        )
        await connection.execute("INSERT INTO trip_numbers VALUES ('dispatch', $1, 2030, 1)", unit)
        await connection.execute(
            "INSERT INTO approval_tables VALUES ($1, 1, $2, 'user:x', $3, now(), now(), NULL)",
            unit,
            _TABLE,
            f"张三{unit}",
        )
        await connection.execute(
            "INSERT INTO users (id, name, created_by) VALUES ($1, 'x', 'test')", f"drives-{unit}"
        )
        await connection.execute(
            "INSERT INTO driver_accounts (driver, user_id, set_by) VALUES ($1, $2, 'user:x')",
            f"driver-{unit}",
            f"drives-{unit}",
        )
        await connection.execute(
            "INSERT INTO messages (organisation, permission, trip, number, step, state, at) VALUES ($1, 'trips:dispatch', $2, $3, 'assign', 'assigned', now())",
            unit, f"dispatches/{dispatch}", f"派-{unit}",
        )  # fmt: skip


Call = Callable[[httpx.AsyncClient, str, Any], Awaitable[httpx.Response]]


def _send(method: str, path: str, body: Callable[[str], Any]) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.request(method, f"/v1/{path.format(unit=unit)}", json=body(unit))

    return call


def _step(path: tuple[str, str], table: str, step: TripAction) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
        id = f"{path[1]}-{unit}"
        version = await world.pool.fetchval(f"SELECT version FROM {table} WHERE id = $1", id)  # noqa: S608 - constants
        more = {"contents": _contents(unit)} if step is TripAction.EDIT else {}
        return await client.post(
            f"/v1/{path[0]}/{id}:{step}", json=_BODIES.get(step, {}) | more | {"version": version}
        )

    return call


async def _account(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
    answer = await client.delete(f"/v1/drivers/driver-{unit}/account")
    await world.pool.execute(
        "INSERT INTO driver_accounts (driver, user_id, set_by) VALUES ($1, $2, 'user:x') ON CONFLICT DO NOTHING", f"driver-{unit}", f"drives-{unit}"
    )  # fmt: skip
    return answer


def _series(unit: str) -> dict[str, Any]:
    return {
        "first": _contents(unit),
        "rhythm": "daily",
        "until": "2030-03-04",
        "holidays": "keep",
        "hand_in": False,
    }


def _of_series(more: dict[str, Any]) -> Callable[[str], Any]:
    return lambda unit: {"members": [{"id": f"request-{unit}", "version": 1}]} | more


def _emergency(unit: str) -> dict[str, Any]:
    return _REASON | {
        "organisation": unit,
        "vehicle": f"car-{unit}",
        "ordered_by": "x",
        "destination": {"name": "x"},
    }


def lines(case: Any, get: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``: its own."""
    reads = ("trips:read", "trips:apply", "trips:enter", "trips:approve", "trips:dispatch", "trips:drive")
    rules, send = ("trips:rules",), ("trips:dispatch",)
    # A token is nobody's applicant and no driver: with these rights it sees all of its units, or nothing.
    some, alike = frozenset({200, 404}), frozenset({200})
    span = {"from": "2026-01-01T00:00:00+08:00", "to": "2031-01-01T00:00:00+08:00"}
    found = {
        ("GET", "/v1/trip-requests"): case(get("/v1/trip-requests"), reads, foreign=alike),
        ("GET", "/v1/trip-requests/counts"): case(get("/v1/trip-requests/counts"), reads, foreign=frozenset({200})),
        ("GET", "/v1/trip-requests/places"): case(get("/v1/trip-requests/places", search="x"), reads, foreign=alike),
        ("GET", "/v1/trip-requests/backfills"): case(get("/v1/trip-requests/backfills", **span), ("trips:read",), foreign=alike),
        ("POST", "/v1/trip-requests"): case(_send("POST", "trip-requests", _contents), ("trips:apply", "trips:enter"), own=frozenset({201, 403})),
        ("GET", "/v1/trip-requests/{id}"): case(get("/v1/trip-requests/request-{unit}"), reads, own=some),
        ("GET", "/v1/trip-requests/{id}/candidates"): case(get("/v1/trip-requests/request-{unit}/candidates"), send),
        ("GET", "/v1/dispatches"): case(get("/v1/dispatches"), reads, foreign=alike),
        ("GET", "/v1/dispatches/{id}"): case(get("/v1/dispatches/trip-{unit}"), reads, own=some),
        ("POST", "/v1/dispatches"): case(
            _send("POST", "dispatches", lambda unit: {"requests": [{"id": f"request-{unit}", "version": 1}], "vehicle": f"car-{unit}"}), send, own=_NO_PERSON
        ),
        ("POST", "/v1/dispatches:suggest"): case(_send("POST", "dispatches:suggest", lambda unit: {"requests": [f"request-{unit}"]}), send, own=frozenset({200, 409})),
        ("POST", "/v1/dispatches:pool"): case(_send("POST", "dispatches:pool", lambda unit: {"requests": [f"request-{unit}"]}), send, own=frozenset({200, 409})),
        # 422: where another operation has sealed the vehicle before.
        ("POST", "/v1/dispatches:emergency"): case(_send("POST", "dispatches:emergency", _emergency), ("trips:dispatch", "trips:drive"), own=_NO_PERSON | {422}),
        ("GET", "/v1/approval-tables"): case(
            _approval_tables, (*reads, *rules), foreign=frozenset({200, 403, 404})
        ),
        ("POST", "/v1/approval-tables"): case(_send("POST", "approval-tables", lambda unit: {"organisation": unit, "table": _TABLE}), rules),
        ("POST", "/v1/approval-tables/{id}/versions/{version}:activate"): case(
            _send("POST", "approval-tables/{unit}/versions/1:activate", lambda unit: None), rules, own=frozenset({409})
        ),
        ("GET", "/v1/drivers/{id}/account"): case(get("/v1/drivers/driver-{unit}/account"), ("trips:rules", "trips:dispatch")),
        ("PUT", "/v1/drivers/{id}/account"): case(_send("PUT", "drivers/driver-{unit}/account", lambda unit: {"user": f"drives-{unit}"}), rules),
        ("DELETE", "/v1/drivers/{id}/account"): case(_account, rules),
    }  # fmt: skip
    ask = ("trips:apply", "trips:enter")
    found |= {
        ("POST", "/v1/trip-series:preview"): case(_send("POST", "trip-series:preview", _series), ask, own=frozenset({200, 403})),
        ("POST", "/v1/trip-series"): case(_send("POST", "trip-series", _series), ask, own=frozenset({201, 403})),
        ("GET", "/v1/trip-series/{id}"): case(get("/v1/trip-series/series-{unit}"), reads, own=some),
        ("POST", "/v1/trip-series/{id}:assign"): case(_send("POST", "trip-series/series-{unit}:assign", _of_series({"vehicle": "x"})), send),
        **{
            ("POST", f"/v1/trip-series/{{id}}:{what}"): case(_send("POST", f"trip-series/series-{{unit}}:{what}", _of_series(more)), needs, own=some)
            for what, more, needs in (
                ("submit", {}, ask), ("stop", _REASON, ask), ("approve", {}, ("trips:approve",)), ("reject", _REASON, ("trips:approve",)),
            )
        },
    }  # fmt: skip
    for paper, steps, path, table in (
        (Paper.REQUEST, REQUEST_STEPS, ("trip-requests", "request"), "trip_requests"),
        (Paper.DISPATCH, DISPATCH_STEPS, ("dispatches", "trip"), "trip_dispatches"),
    ):
        for step in steps:
            rows = [row for row in TABLE if row.paper is paper and row.step is step]
            needs = tuple(dict.fromkeys(each for row in rows for each in row.permissions))
            # Who only asks or drives sees nothing of it, for a token has asked for nothing.
            own = frozenset({200, 404}) if step is TripAction.NOTE else frozenset({*_NO_PERSON, 404, 422})
            found["POST", f"/v1/{path[0]}/{{id}}:{step}"] = case(_step(path, table, step), needs, own=own)
    return found
