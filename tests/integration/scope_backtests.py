"""Backtests of the units of ``scope_world``, and how the denial matrix asks for them; the figures of the processes, which are nobody's."""

from __future__ import annotations

from typing import Any, Final

import asyncpg
import httpx

#: Table -> the column that names a record; ``test_scope`` looks at each.
OWNED: Final = {
    "backtests": "asked_by_name", "backtest_counts": "organisation", "backtest_examples": "subject",
}  # fmt: skip
#: What a fence of a test looks like.
SQUARE: Final = [[120.88, 31.97], [120.90, 31.97], [120.90, 31.99], [120.88, 31.99], [120.88, 31.97]]


async def fill(pool: asyncpg.Pool, unit: str) -> None:
    """One that is done, with one example, for a unit."""
    side = {
        "outcome": "suspected",
        "reason_code": "x",
        "reason": f"car-{unit}",
        "severity": "low",
        "measures": {},
    }
    async with pool.acquire() as connection, connection.transaction():
        no = await connection.fetchval(
            "INSERT INTO backtests (organisation, rule, from_day, to_day, examples, state, asked_by, asked_by_name, ended_at)"
            " VALUES ($1, 'destination', '2026-03-01', '2026-03-31', 5, 'done', 'user:filled', $2, clock_timestamp()) RETURNING no",
            unit, f"clerk-{unit}",
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO backtest_counts VALUES ($1, $2, NULL, 'raised', '', 1)", no, unit
        )
        await connection.execute(
            "INSERT INTO backtest_examples (backtest, kind, place, organisation, subject, vehicle, becomes) VALUES ($1, 'raised', 0, $2, $3, $4, $5)",
            no, unit, f"order:order-{unit}:0", f"car-{unit}", side,
        )  # fmt: skip


def body(unit: str | None, **more: Any) -> dict[str, Any]:
    """What is asked for a unit."""
    asked = {"rule": "traffic_violations", "organisation": unit, "from": "2026-03-01", "to": "2026-03-31"}
    return asked | {"parameters": {"min_violations": 1}} | more


async def _no(world: Any, unit: str) -> int:
    no: int = await world.pool.fetchval("SELECT no FROM backtests WHERE asked_by_name = $1", f"clerk-{unit}")
    return no


async def _ask(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
    await world.pool.execute("DELETE FROM backtests WHERE asked_by <> 'user:filled'")
    answer = await client.post("/v1/backtests", json=body(unit))
    await world.pool.execute("DELETE FROM backtests WHERE asked_by <> 'user:filled'")
    return answer


async def _get(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
    return await client.get(f"/v1/backtests/{await _no(world, unit)}")


def _stepped(word: str, state: str) -> Any:
    async def call(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
        no = await _no(world, unit)
        await world.pool.execute("UPDATE backtests SET state = $2 WHERE no = $1", no, state)
        answer = await client.post(f"/v1/backtests/{no}/{word}")
        await world.pool.execute("UPDATE backtests SET state = 'done' WHERE no = $1", no)
        return answer

    return call


def lines(case: Any, get: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``: its own."""
    may, operates = ("registry:write",), ("ops:read",)
    return {
        ("POST", "/v1/backtests"): case(_ask, may, own=frozenset({202})),
        ("GET", "/v1/backtests"): case(get("/v1/backtests"), may, foreign=None),
        ("GET", "/v1/backtests/{no}"): case(_get, may),
        ("POST", "/v1/backtests/{no}/cancel"): case(_stepped("cancel", "queued"), may),
        ("POST", "/v1/backtests/{no}/restart"): case(_stepped("restart", "interrupted"), may),
        ("GET", "/v1/operations/series"): case(get("/v1/operations/series"), operates, common=True),
        ("GET", "/v1/operations/state"): case(get("/v1/operations/state"), operates, common=True),
    }
