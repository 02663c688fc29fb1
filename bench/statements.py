"""How long the statements of a month take: ``POST /v1/statements`` of 161 platforms, one after the other. Asked: < 60 s for all.

The API runs in this process, over an embedded PostgreSQL on the disk. Each platform has five units and ``TRIPS`` confirmed trips, a tenth of them pooled,
with odometer and track; all are priced by the tariff, frozen, written as lines, and their requests settled. ``--vehicles N``: so many trips a platform.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import httpx
from tests.integration.cost_site import Asked, Trip, drive
from tests.integration.test_costs import TARIFF

from api.app import create_app
from bench.database import fresh_database
from bench.report import heading, table
from office.identity.subject import PERMISSIONS
from office.identity.tokens import SCOPES, create_token
from runtime.postgres import connect, create_pool
from runtime.settings import Settings
from runtime.units import CHINA

PLATFORMS: Final = 161
TRIPS: Final = 250
_UNITS: Final = 5
_POOLED: Final = 10  # every so many-th trip carries two requests
_FIRST: Final = datetime(2026, 3, 2, 8, tzinfo=CHINA)
_MOST_S: Final = 60


def _trips(platform: int, count: int) -> Iterator[Trip]:
    for k in range(count):
        name = f"{platform}-{k}"
        riders = [Asked(f"r{name}", f"u{platform}-{k % _UNITS}", 1 + k % 4, f"科目{k % 3}")]
        if k % _POOLED == 0:
            riders.append(Asked(f"s{name}", f"u{platform}-{(k + 1) % _UNITS}", 2))
        metres = 5_000 + 137 * k % 90_000
        yield Trip(
            f"t{name}", _FIRST + timedelta(minutes=150 * k % 40_000), 2, metres, metres + metres // 30, riders=riders, vehicle=f"c{platform}", pool=f"p{platform}"
        )  # fmt: skip


async def _fill(connection: asyncpg.Connection, count: int) -> None:
    await connection.execute("INSERT INTO organisations (id, name) VALUES ('city', '市')")
    platforms = list(range(PLATFORMS))
    await connection.executemany("INSERT INTO organisations (id, name, parent) VALUES ($1, $1, 'city')", [(f"p{n}",) for n in platforms])  # fmt: skip
    units = [(f"u{n}-{k}",) for n in platforms for k in range(_UNITS)]
    await connection.executemany("INSERT INTO organisations (id, name, parent) VALUES ($1, $1, 'city')", units)  # fmt: skip
    await connection.executemany("INSERT INTO vehicles (id, plate, organisation) VALUES ($1, $2, $3)", [(f"c{n}", f"苏F{n:05}", f"p{n}") for n in platforms])  # fmt: skip
    await connection.executemany(
        "INSERT INTO tariffs VALUES ($1, 1, $2, 'user:x', 'x', now(), '2026-01-01', 'x', now())",
        [(f"p{n}", TARIFF) for n in platforms],
    )
    for platform in platforms:
        async with connection.transaction():
            await drive(connection, list(_trips(platform, count)))
    await connection.execute("ANALYZE")


async def _measured(dsn: str, count: int) -> dict[str, Any]:
    connection = await connect(dsn)
    try:
        await _fill(connection, count)
        token = await create_token(connection, "bench", SCOPES)
        await connection.execute("UPDATE api_tokens SET scopes = $1 WHERE id = $2", list(PERMISSIONS), token.id)  # fmt: skip
        pool = await create_pool(dsn, max_size=4)
        transport = httpx.ASGITransport(create_app(Settings(database_url=dsn), pool, position_sink=None))
        headers = {"Authorization": f"Bearer {token.secret}"}
        slowest = 0.0
        async with httpx.AsyncClient(
            transport=transport, base_url="http://bench", headers=headers, timeout=600
        ) as client:
            began = time.perf_counter()
            for number in range(PLATFORMS):
                one = time.perf_counter()
                answer = await client.post(
                    "/v1/statements", json={"platform": f"p{number}", "period": "202603"}
                )
                if answer.status_code != 200 or answer.json()["left_out_count"]:
                    raise SystemExit(answer.text)
                slowest = max(slowest, time.perf_counter() - one)
            took = time.perf_counter() - began
        await pool.close()
        sums = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM cost_statements) AS statements, (SELECT count(*) FROM cost_statement_lines) AS lines,"
            " (SELECT sum(total_fen) FROM cost_statements) = (SELECT sum((body ->> 'total_fen')::bigint) FROM trip_prices) AS whole,"
            " (SELECT count(*) FROM trip_requests WHERE state <> 'settled') AS unsettled"
        )
        return dict(sums) | {"s": took, "slowest_s": slowest}
    finally:
        await connection.close()


def run(options: argparse.Namespace) -> None:
    """Print the figures."""
    count = options.vehicles or TRIPS
    heading(f"Statements of a month: {PLATFORMS} platforms of {count} trips")
    with fresh_database() as (_, dsn):
        found = asyncio.run(_measured(dsn, count))
    if not found["whole"] or found["unsettled"]:
        raise SystemExit(f"the sums differ: {found}")
    rows = [
        ["all statements", f"{found['s']:.1f} s", f"< {_MOST_S} s"],
        ["the slowest platform", f"{found['slowest_s']:.2f} s", ""],
        ["statements", f"{found['statements']:,}", ""],
        ["lines", f"{found['lines']:,}", ""],
        ["lines a second", f"{found['lines'] / found['s']:,.0f}", ""],
    ]
    table(["", "measured", "asked"], rows)
