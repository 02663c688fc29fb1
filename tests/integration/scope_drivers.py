"""Rosters and leave of drivers in the denial matrix: what of them is a unit's, and a call of each operation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, Final

import asyncpg
import httpx

from office.assessment.driver_sheet import sheet_of
from office.assessment.driver_table import DEFAULT

#: Tables of drivers, and a column that names a row.
OWNED: Final = {
    "driver_rosters": "driver", "driver_leaves": "id", "driver_leave_events": "paper", "driver_facts": "id", "driver_sheets": "driver", "driver_objections": "id",
    "driver_objection_decisions": "objection", "call_back_draws": "id", "call_backs": "id", "call_back_results": "call_back",
}  # fmt: skip
_TABLE: Final = DEFAULT.model_dump(mode="json")
#: As it is frozen; the mark of the unit stands in its name.
_SHEET: Final = sheet_of("x", "x", "2020Q1", {"organisation": None, "version": 0}, DEFAULT, [], [])
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


async def fill_sheets(pool: asyncpg.Pool, unit: str) -> None:
    """A table of points, a fact, an issued sheet with an objection that was decided and one that was not, of the unit's driver."""
    driver, name = f"driver-{unit}", f"张三{unit}"
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO driver_score_tables VALUES ($1, 1, '2020-01-01', $2, '{user:x}', $3, now())", unit, _TABLE, name
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO driver_facts (id, organisation, driver, kind, day, reference, note, entered_by, entered_by_name)"
            " VALUES ($1, $2, $3, 'unclean', $4, $5, 'x', '{user:x}', 'x')",
            f"point-{unit}", unit, driver, date(2020, 1, 2), name,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO driver_sheets VALUES ($1, '2020Q1', $2, 10000, $3, '{user:x}', 'x', now())", driver, unit, _SHEET | {"driver": driver, "name": name}
        )  # fmt: skip
        draw, call = f"draw-{unit}", f"call-{unit}"
        await connection.execute(
            "INSERT INTO call_back_draws VALUES ($1, $2, '202001', $3, 50, 1, 'x', '{user:x}', 'x', now())", draw, unit, name
        )  # fmt: skip
        await connection.execute("INSERT INTO call_backs VALUES ($1, $2, $3, $4, $5, 1)", call, draw, unit, f"request-{unit}", name)  # fmt: skip
        await connection.execute(
            "INSERT INTO call_back_results (call_back, outcome, note, at, persons, actor_name) VALUES ($1, 'not_reached', $2, now(), '{user:x}', 'x')", call, name
        )  # fmt: skip
        for id, line in ((f"objection-{unit}", "x"), (f"open-{unit}", "y")):
            await connection.execute(
                "INSERT INTO driver_objections VALUES ($1, $2, $3, '2020Q1', $4, $5, '{user:x}', 'x', now())", id, unit, driver, line, name
            )  # fmt: skip
        await connection.execute(
            "INSERT INTO driver_objection_decisions VALUES ($1, true, $2, '{user:y}', 'x', now())", f"objection-{unit}", name
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
        ("GET", "/v1/driver-leaves"): case(get("/v1/driver-leaves"), some, foreign=frozenset({200})),
        ("POST", "/v1/driver-leaves"): case(_send("driver-leaves", _leave), (keep, drive), own=own),
        ("GET", "/v1/driver-leaves/{id}"): case(get("/v1/driver-leaves/leave-{unit}"), some, own=own),
    }  # fmt: skip
    assess = ("assessments:read", decide)
    found |= {
        ("GET", "/v1/driver-score-tables/{organisation}"): case(get("/v1/driver-score-tables/{unit}"), assess),
        ("POST", "/v1/driver-score-tables/{organisation}"): case(
            _send("driver-score-tables/{unit}", lambda unit: {"valid_from": "2099-01-01", "table": _TABLE}), (decide,), own=own
        ),
        ("GET", "/v1/drivers/{id}/facts"): case(get("/v1/drivers/driver-{unit}/facts", **{"from": "2020-01-01", "to": "2020-03-31"}), (*assess, keep, drive), own=own),
        ("POST", "/v1/drivers/{id}/facts"): case(
            _send("drivers/driver-{unit}/facts", lambda unit: {"kind": "unclean", "day": "2020-01-03", "reference": f"{next(_HOURS)}", "note": "说明理由五字"}), (keep,), own=own
        ),
        ("POST", "/v1/driver-facts/{id}:void"): case(_send("driver-facts/point-{unit}:void", _same({"reason": "说明理由五字"})), (keep,), own=own),
        ("GET", "/v1/driver-sheets"): case(get("/v1/driver-sheets", period="2020Q1"), assess, foreign=None),
        ("GET", "/v1/drivers/{id}/sheets/{period}"): case(get("/v1/drivers/driver-{unit}/sheets/2020Q1"), (*assess, drive), own=own),
        ("GET", "/v1/drivers/{id}/sheets/{period}/document"): case(get("/v1/drivers/driver-{unit}/sheets/2020Q1/document"), (*assess, drive), own=own),
        ("POST", "/v1/drivers/{id}/sheets/{period}:issue"): case(_send("drivers/driver-{unit}/sheets/2020Q1:issue", _same({"digest": "0" * 64})), (decide,), own=own),
        ("POST", "/v1/drivers/{id}/sheets/{period}/objections"): case(
            _send("drivers/driver-{unit}/sheets/2020Q1/objections", _same({"line": "z", "reason": "说明理由五字"})), (drive,), own=own
        ),
        ("POST", "/v1/driver-objections/{id}:decide"): case(
            _send("driver-objections/open-{unit}:decide", _same({"upheld": False, "reason": "说明理由五字"})), (decide,), own=own
        ),
    }  # fmt: skip
    draft = ("cases:draft",)
    found |= {
        ("GET", "/v1/call-back-draws"): case(get("/v1/call-back-draws"), draft, foreign=None),
        ("POST", "/v1/call-back-draws"): case(
            _send("call-back-draws", lambda unit: {"organisation": unit, "period": "202002", "seed": "x"}), draft, own=own
        ),
        ("GET", "/v1/call-back-draws/{id}/call-backs"): case(get("/v1/call-back-draws/draw-{unit}/call-backs"), draft),
        ("POST", "/v1/call-backs/{id}:record"): case(_send("call-backs/call-{unit}:record", _same({"outcome": "not_reached"})), draft, own=own),
    }  # fmt: skip
    for step, needs in (("approve", (decide,)), ("reject", (decide,)), ("cancel", some)):
        body = {"version": 1, "reason": "说明理由五字"}
        call = _send(f"driver-leaves/leave-{{unit}}:{step}", _same(body))
        found["POST", f"/v1/driver-leaves/{{id}}:{step}"] = case(call, needs, own=own)
    return found
