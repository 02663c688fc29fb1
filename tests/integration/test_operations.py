"""The figures of the last day on a real PostgreSQL: written by the processes themselves, read over HTTP."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from api.app import create_app
from office.identity.tokens import create_token
from runtime.operations import figures
from runtime.operations.sampler import Sampler, drop_old, sampled
from runtime.settings import Settings
from runtime.units import from_us
from tests.integration.scope_world import client_of
from tests.waiting import until


@pytest.fixture
async def operator(pool: asyncpg.Pool, db_url: str) -> AsyncIterator[httpx.AsyncClient]:
    made = await create_token(pool, "operator", ["ops:read"])
    app = create_app(Settings(database_url=db_url), pool, position_sink=None)
    async with client_of(app, made.secret) as client:
        yield client


def moment(seconds: float) -> str:
    return from_us(round(seconds * 1e6)).isoformat().replace("+00:00", "Z")


async def insert(pool: asyncpg.Pool, at_s: float, process: str, instance: str = "h:1", **values: Any) -> None:
    row = {"seconds": 10.0, "started": at_s - 1000} | values
    names = [name for name in row if name != "started"]
    await pool.execute(
        f"INSERT INTO process_samples (at, process, instance, version, started_at{''.join(f', {n}' for n in names)})"  # noqa: S608 - of the test
        f" VALUES (to_timestamp($1), $2, $3, '1', to_timestamp($4){''.join(f', ${k}' for k in range(5, 5 + len(names)))})",
        at_s, process, instance, row["started"], *(row[name] for name in names),
    )  # fmt: skip


async def test_a_process_notes_its_own_figures_and_says_when_it_leaves(
    pool: asyncpg.Pool, db_url: str, operator: httpx.AsyncClient
) -> None:
    async with sampled("api", 8000, db_url):
        await until(lambda: pool.fetchval("SELECT count(*) > 0 FROM process_samples"), "the first sample")
        state = (await operator.get("/v1/operations/state")).json()
        (mine,) = state["processes"]
        assert (mine["process"], mine["state"]) == ("api", "running")
        assert mine["instance"].endswith(":8000")
        assert mine["memory_bytes"] > 1e6
        assert 0 <= mine["age_s"] < 60
        assert state["versions"] == [mine["version"]]
        assert state["grafana"] is None
        down = {alarm["process"] for alarm in state["alarms"] if alarm["name"] == "GongcheDown"}
        assert down == {"gateway", "worker", "judge", "deliver"}
    (mine,) = (await operator.get("/v1/operations/state")).json()["processes"]
    assert mine["state"] == "stopped"


async def test_what_was_not_written_during_an_outage_is_written_after_it(pool: asyncpg.Pool) -> None:
    registry, now = CollectorRegistry(), time.monotonic()
    clock = {"s": now - 100}
    counted = Counter("gongche_gateway_positions_total", "x", registry=registry)
    sampler = Sampler("gateway", "h:1", registry=registry, clock=lambda: clock["s"])
    for _ in range(5):
        clock["s"] += 10
        counted.inc(7)
        sampler.take()
    async with pool.acquire() as connection:
        await sampler.write(connection)
        clock["s"] += 10
        counted.inc(7)
        sampler.take()
        await connection.execute("SELECT pg_sleep(0.01)")  # two samples of one moment are one
        await sampler.write(connection)
    assert await pool.fetchval("SELECT count(DISTINCT started_at) FROM process_samples") == 1
    rows = await pool.fetch(
        "SELECT seconds, decoded, extract(epoch FROM now() - at)::float8 AS age FROM process_samples ORDER BY at"
    )
    assert [(row["seconds"], row["decoded"]) for row in rows] == [(10, 7)] * 6
    # By the clock of the database, whatever that of the process says.
    ages = [row["age"] for row in rows]
    assert [round(a - b) for a, b in itertools.pairwise(ages)][:4] == [10] * 4
    assert abs(ages[-1]) < 5


async def test_the_series_has_gaps_where_nothing_is_known(
    pool: asyncpg.Pool, operator: httpx.AsyncClient
) -> None:
    end = int(time.time()) // 60 * 60 - 60
    bounds = len(next(spread.bounds for spread in figures.SPREADS if spread.name == "reply"))
    fast = [0, 10, *[0] * (bounds - 1)]
    for k in range(6):  # the minute before the end
        await insert(
            pool, end - 50 + 10 * k, "gateway", decoded=100.0, connections=5.0, reply=fast, rejects={"crc": 5}
        )
    await insert(pool, end - 100, "gateway", decoded=50.0, connections=9.0)
    # Killed and started again at once: its first sample counts from 0.
    await insert(pool, end - 3, "gateway", "h:2", seconds=4.0, started=end - 7, decoded=40.0, connections=1.0)
    asked = {"from": moment(end - 180), "to": moment(end), "step": "60"}
    found = (await operator.get("/v1/operations/series", params=asked)).json()
    assert (found["points"], found["step"]) == (3, 60)
    one, two = found["processes"]
    assert one["columns"]["decoded"] == [None, 5, 10]
    assert one["columns"]["connections"] == [None, 9, 5]
    assert one["columns"]["reply_p50"] == [None, None, 0.0015]
    assert one["rejects"] == {"crc": [None, 0, 0.5]}
    assert "lag_seconds" not in one["columns"]
    assert two["columns"]["decoded"] == [None, None, 10]
    assert len(two["starts"]) == 1
    assert found["total"]["columns"]["decoded"] == [None, 5, 20]
    assert found["total"]["columns"]["connections"] == [None, 9, 6]
    assert {each["name"] for each in found["figures"]} >= set(found["total"]["columns"])


async def test_what_is_asked_wrongly_is_told(operator: httpx.AsyncClient) -> None:
    path = "/v1/operations/series"
    for asked in ({"step": "7"}, {"step": "10"}, {"step": "x"}, {"from": "yesterday"}, {"step": "99999"}):
        answer = await operator.get(path, params=asked)
        assert answer.status_code == 422, (asked, answer.text)
    assert "120" in (await operator.get(path, params={"step": "10"})).json()["detail"]
    far = {"from": "1970-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    assert (await operator.get(path, params=far)).json()["processes"] == []
    turned = {"from": "2100-01-01T00:00:00Z", "to": "1970-01-01T00:00:00Z"}
    assert (await operator.get(path, params=turned)).json()["points"] == 0


async def test_what_is_older_than_a_day_is_deleted(pool: asyncpg.Pool) -> None:
    now = time.time()
    for age in (10, figures.KEPT_S - 60, figures.KEPT_S + 60, 10**7):
        await insert(pool, now - age, "api")
    async with pool.acquire() as connection:
        await drop_old(connection, round(now * 1e6))
    assert await pool.fetchval("SELECT count(*) FROM process_samples") == 2


async def test_an_alarm_is_told(pool: asyncpg.Pool, operator: httpx.AsyncClient) -> None:
    now = int(time.time()) // 10 * 10
    rows = [(now - 10 * k, "worker", "h:2", "1", 10.0, 90.0) for k in range(60)]
    await pool.executemany(
        "INSERT INTO process_samples (at, process, instance, version, started_at, seconds, lag_seconds)"
        " VALUES (to_timestamp($1), $2, $3, $4, now(), $5, $6)",
        rows,
    )
    state = (await operator.get("/v1/operations/state")).json()
    (alarm,) = [alarm for alarm in state["alarms"] if alarm["name"] == "GongcheLag"]
    assert (alarm["process"], alarm["instance"], alarm["value"], alarm["severity"]) == (
        "worker",
        "h:2",
        90,
        "critical",
    )
    assert alarm["runbook"] == "docs/operations.md#workers-lag"
    assert "GongcheLag" in state["checked"]


async def test_neither_an_outage_nor_a_fault_stops_a_process() -> None:
    async with sampled("api", 0, "postgresql://nobody@127.0.0.1:1/none"):
        await asyncio.sleep(1)  # time: the first sample has been tried by then
