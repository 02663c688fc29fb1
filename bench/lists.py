"""How long ``GET /v1/alerts`` takes over a million alerts: each filter in each order, for an inspector of all, a city and a unit. Asked:
p99 < 200 ms for any of them.

The API runs in this process, so what is measured is its work and that of the database. One question over a smaller set, in a minute:
``python -m bench lists --runs 1 --alerts 200000 --ask 'order=occurred&severity=high'``.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import numpy as np

from api.app import create_app
from bench.database import Fleet, fresh_database, register
from bench.latency import RATE
from bench.office import READERS, alerts_sql
from bench.report import heading, spread, table
from office.identity.tokens import create_token
from runtime.postgres import connect, create_pool
from runtime.settings import Settings

_FLEET: Final = Fleet(RATE, fences=100, ordered=0, outside=0)
#: Each question is asked so often; the first times the database learns where the pages are.
_ASKED: Final = 10
_WARM: Final = 1
_LIMIT: Final = 200  # as the console does
_MOST_MS: Final = 200
#: So many of the newest alerts each reader has read: a page of what is unread passes over them.
_READ: Final = 4_000
_ORDERS: Final = ("detected", "occurred", "severity")


def _filters(now: datetime) -> list[dict[str, str]]:
    def ago(days: float) -> str:
        return f"{now - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"

    week, month = {"from": ago(60), "to": ago(53)}, {"from": ago(30)}
    return [
        {}, {"rule": "mileage"}, {"status": "withdrawn"}, {"severity": "high"}, {"vehicle": "v107"}, {"plate": "苏F0010"},
        {"organisation": "bench7"}, {"within": "city"}, {"case_state": "none"}, {"finding": "none"}, {"unread": "true"}, week, month,
        {"to": ago(100)}, {"began_from": ago(60), "began_to": ago(53)}, {"rule": "mileage", "severity": "low"} | week,
        {"within": "city", "status": "withdrawn"} | month,
    ]  # fmt: skip


def _questions(asked: str | None, now: datetime) -> list[dict[str, str]]:
    if asked is not None:
        return [dict(httpx.QueryParams(asked))]
    return [
        wanted | {"order": order, "direction": direction}
        for order in _ORDERS
        for direction in ("desc", "asc")
        for wanted in _filters(now)
    ]


async def _fill(dsn: str, alerts: int) -> dict[str, str]:
    """The alerts, and who asks: the secret of each."""
    connection, secrets = await connect(dsn), dict[str, str]()
    await register(connection, _FLEET)
    await connection.execute("SET session_replication_role = replica; SET work_mem = '256MB'")
    await connection.execute(alerts_sql(alerts))
    await connection.execute("RESET session_replication_role")
    for name, unit in READERS.items():
        token = await create_token(
            connection, name, ["alerts:read"], datetime.now(UTC) + timedelta(hours=2), unit
        )
        secrets[name] = token.secret
        await connection.execute(
            "INSERT INTO alert_reads (reader, alert, version) SELECT $1, id, 1 FROM alerts ORDER BY detected_at DESC, id LIMIT $2",
            f"token:{token.id}", _READ,
        )  # fmt: skip
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    return secrets


async def _one(dsn: str, options: argparse.Namespace) -> dict[tuple[str, str], list[float]]:
    secrets, found = await _fill(dsn, options.alerts), dict[tuple[str, str], list[float]]()
    pool = await create_pool(dsn, max_size=4)
    transport = httpx.ASGITransport(create_app(Settings(database_url=dsn), pool, position_sink=None))
    questions = _questions(options.ask, datetime.now(UTC))
    for who, secret in secrets.items():
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://bench", headers=headers) as client:
            for question in questions:
                key = who, "&".join(f"{name}={value}" for name, value in question.items())
                found[key] = [await _timed(client, question) for _ in range(_ASKED + _WARM)][_WARM:]
    await pool.close()
    return found


async def _timed(client: httpx.AsyncClient, question: dict[str, str]) -> float:
    params: dict[str, Any] = question | {"limit": str(_LIMIT)}
    began = time.perf_counter()
    (await client.get("/v1/alerts", params=params)).raise_for_status()
    return (time.perf_counter() - began) * 1e3


def run(options: argparse.Namespace) -> None:
    """Print the slowest questions, and how many are too slow."""
    heading(f"GET /v1/alerts over {options.alerts:,} alerts, pages of {_LIMIT}, nothing beside")
    runs = []
    for _ in range(options.runs):
        with fresh_database() as (_, dsn):
            runs.append(asyncio.run(_one(dsn, options)))
    percentiles = {
        key: [[float(np.percentile(run[key], p)) for run in runs] for p in (50, 99)] for key in runs[0]
    }
    slowest = sorted(percentiles, key=lambda key: -max(percentiles[key][1]))
    slow = sum(max(percentiles[key][1]) >= _MOST_MS for key in slowest)
    print(
        f"{options.runs} runs of {len(slowest)} questions, {_ASKED} times each; p99 at {_MOST_MS} ms or more: {slow}\n"
    )
    table(
        ["the slowest, milliseconds", "who", "p50", "p99"],
        [[ask or "newest", who, *(spread(times, 1) for times in percentiles[who, ask])] for who, ask in slowest[:25]],
    )  # fmt: skip
