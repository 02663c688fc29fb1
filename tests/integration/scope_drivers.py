"""Rosters and leave of drivers in the denial matrix: what of them is a unit's, and a call of each operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import asyncpg
import httpx

#: Tables of drivers, and a column that names a row.
OWNED: Final = {"driver_rosters": "driver", "driver_leaves": "id", "driver_leave_events": "paper"}
_HOURS: Final = count(1)
_TODAY: Final = datetime.now(UTC).date().isoformat()
_DAYS: Final = {"from": _TODAY, "to": _TODAY}


async def fill(pool: asyncpg.Pool, unit: str) -> None:
    """A roster and a leave of the unit's driver."""
    driver, leave = f"driver-{unit}", f"leave-{unit}"
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO driver_rosters (organisation, driver, kind, first_day, shifts, note, entered_by, entered_by_name)"
            " VALUES ($1, $2, 'day', '2020-01-01', '[[480, 1050]]', $3, 'user:x', 'x')",
            unit, driver, f"张三{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO driver_leaves VALUES ($1, $2, $3, 'sick', '2020-01-01', '2020-01-02', 'asked', 1)",
            leave, unit, driver,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO driver_leave_events VALUES ($1, 1, 'ask', now(), 'user:x', '{user:x}', $2, '', '', '{}')",
            leave, f"张三{unit}",
        )  # fmt: skip


Call = Callable[[httpx.AsyncClient, str, Any], Awaitable[httpx.Response]]


def _send(path: str, body: Callable[[str], Any]) -> Call:
    async def call(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
        return await client.post(f"/v1/{path.format(unit=unit)}", json=body(unit))

    return call


def _same(body: Any) -> Callable[[str], Any]:
    return lambda unit: body


async def _file(client: httpx.AsyncClient, unit: str, _world: Any) -> httpx.Response:
    text = f"驾驶员编号,日期,班次\ndriver-{unit},{_TODAY},08:00-17:30\n"
    answer = await client.post("/v1/driver-rosters:import", content=text, headers={"Content-Type": "text/csv; charset=utf-8"})  # fmt: skip
    refused = answer.status_code == 200 and answer.json()["refused"]
    return httpx.Response(404, json=answer.json()) if refused else answer


def _leave(unit: str) -> dict[str, Any]:
    begin = datetime.now(UTC) + timedelta(hours=24 * next(_HOURS) % 9_000)
    return {"driver": f"driver-{unit}", "kind": "rest", "from": begin.isoformat(), "to": (begin + timedelta(hours=1)).isoformat()}  # fmt: skip


def lines(case: Any, get: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``: its own."""
    read, keep, drive, decide = "registry:read", "registry:write", "trips:drive", "drivers:decide"
    some = (keep, decide, drive)
    # Who drives sees and does what is his own; and a state, or that a token is no person, is refused.
    own = frozenset({200, 201, 403, 404, 409})
    found = {
        ("GET", "/v1/drivers/{id}/duty"): case(get("/v1/drivers/driver-{unit}/duty", **_DAYS), (read, drive), own=own),
        ("GET", "/v1/drivers/{id}/driving"): case(get("/v1/drivers/driver-{unit}/driving", **_DAYS), (read, drive), own=own),
        ("GET", "/v1/drivers/{id}/overtime"): case(get("/v1/drivers/driver-{unit}/overtime", **_DAYS), (read, drive), own=own),
        ("GET", "/v1/driver-duty"): case(get("/v1/driver-duty", day=_TODAY), (read,), foreign=None),
        ("POST", "/v1/drivers/{id}/roster-weeks"): case(
            _send("drivers/driver-{unit}/roster-weeks", lambda unit: {"valid_from": _TODAY, "days": [[]] * 7}), (keep,)
        ),
        ("POST", "/v1/drivers/{id}/roster-days"): case(
            _send("drivers/driver-{unit}/roster-days", lambda unit: {"days": [{"day": _TODAY, "shifts": []}]}), (keep,)
        ),
        ("POST", "/v1/driver-rosters:import"): case(_file, (keep,)),
        ("GET", "/v1/driver-leaves"): case(get("/v1/driver-leaves"), some, foreign=None),
        ("POST", "/v1/driver-leaves"): case(_send("driver-leaves", _leave), (keep, drive), own=own),
        ("GET", "/v1/driver-leaves/{id}"): case(get("/v1/driver-leaves/leave-{unit}"), some, own=own),
    }  # fmt: skip
    for step, needs in (("approve", (decide,)), ("reject", (decide,)), ("cancel", some)):
        body = {"version": 1, "reason": "说明理由五字"}
        call = _send(f"driver-leaves/leave-{{unit}}:{step}", _same(body))
        found["POST", f"/v1/driver-leaves/{{id}}:{step}"] = case(call, needs, own=own)
    return found
