"""The demo fleet against the real API, gateway, log and PostgreSQL: all of it registered, all of it delivered."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import numpy as np
import pytest
import uvicorn

from api.app import create_app
from office.identity.tokens import create_token
from runtime.errors import ConfigurationError, UnavailableError
from runtime.settings import load_settings
from simulation.demo.office import Office, RefusedError
from simulation.demo.simulate import SimulateOptions, simulate
from simulation.plants.catalogue import BY_NAME
from simulation.plants.paper import TRAPS, VIOLATIONS
from simulation.terminal.habits import NO_HABITS, Habits
from telemetry.positions import Source
from tests.integration.test_replay import gateway, stored


@asynccontextmanager
async def api(pool: asyncpg.Pool, folder: Path) -> AsyncIterator[tuple[str, str]]:
    """Base URL and a token that may write the registry."""
    async with pool.acquire() as connection:
        token = await create_token(connection, "fleet", ["registry:write", "registry:read"])
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(load_settings(data_dir=folder), pool, position_sink=None)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", token.secret
    finally:
        server.should_exit = True
        await serving
        listener.close()


async def test_a_day_of_the_fleet_is_registered_and_delivered_exactly(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    log = tmp_path / "log.sqlite"
    lines: list[str] = []
    async with api(pool, tmp_path) as (base, token), gateway(pool, log, auto=False) as port:
        options = SimulateOptions(
            "127.0.0.1",
            port,
            base,
            token,
            vehicles=9,
            seed=3,
            speed=20_000,
            duration_h=24,
            run="r1",
            stall_s=15,
        )
        result = await simulate(options, lines.append)
        finished = time.time()
    assert result.complete, result.stats
    assert result.planned == result.sent == result.confirmed > 10_000
    assert (result.refused, result.abandoned) == (0, 0)
    assert {e.kind for e in result.expected} <= {*BY_NAME, *VIOLATIONS}
    assert {t.kind for t in result.traps} <= {*BY_NAME, *TRAPS}
    rows = await stored(log)
    assert len(set(zip(rows.terminal.tolist(), rows.device_us.tolist(), strict=True))) == result.planned
    assert finished - 30 < int(rows.device_us.max()) / 1e6 <= finished
    assert (rows.device_us <= rows.received_us).all()
    assert (rows.source == Source.BLIND_ZONE).sum() > 20
    assert np.unique(rows.terminal).size == 9
    assert await pool.fetchval("SELECT count(*) FROM vehicles") == 9 + 2  # two that were disposed of
    bound = await pool.fetch(
        "SELECT v.id FROM terminal_bindings b JOIN vehicles v ON v.no = b.vehicle_no WHERE b.valid_to IS NULL"
    )
    driving = [v for v in result.vehicles if int(v.rpartition("-")[2]) < 9]
    assert sorted(r["id"] for r in bound) == sorted(driving)
    assert len(result.vehicles) == 11
    status = dict(await pool.fetch("SELECT status, count(*) FROM current_dispatch_orders GROUP BY status"))
    assert set(status) == {"returned", "cancelled"}
    assert lines


async def test_a_second_run_continues_beside_the_first(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with (
        api(pool, tmp_path) as (base, token),
        gateway(pool, tmp_path / "log.sqlite", auto=False) as port,
    ):
        made = [
            await simulate(
                SimulateOptions(
                    "127.0.0.1",
                    port,
                    base,
                    token,
                    vehicles=2,
                    speed=1e6,
                    duration_h=3,
                    run=run,
                    habits=habits,
                )
            )
            for run, habits in (("r1", NO_HABITS), ("r2", Habits(messages=True, media=True)))
        ]
    assert all(result.complete for result in made)
    # What the terminals of the second say besides is confirmed or refused, and costs no position.
    assert [result.stats.said > 0 for result in made] == [False, True]
    assert (made[1].stats.unsaid, made[1].stats.said_lost) == (0, 0)
    assert not set(made[0].vehicles) & set(made[1].vehicles)
    assert await pool.fetchval("SELECT count(*) FROM vehicles") == 4 + 4
    assert await pool.fetchval("SELECT count(*) FROM fuel_cards") == 2 * (2 + 5)
    assert await pool.fetchval("SELECT count(*) FROM fuel_stations") == 11
    # The settings hold from the second in which a run began: two runs of one second share them.
    settings = await pool.fetch("SELECT rule, name, count(*) AS n FROM rule_parameters GROUP BY rule, name")
    assert len(settings) == 3
    assert {s["n"] for s in settings} in ({1}, {2})
    assert await pool.fetchval("SELECT count(*) FROM organisations") == 1
    assert await pool.fetchval("SELECT count(*) FROM fences") == 1  # the same again makes no new version


async def test_what_the_office_is_refused_is_said(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with api(pool, tmp_path) as (base, token):
        async with Office(base, token) as office:
            with pytest.raises(RefusedError, match="status 422"):
                await office.put("vehicles", {"id": "v", "plate": "苏F1", "organisation": "nobody"})
        with pytest.raises(RefusedError, match="status 401"):
            await simulate(SimulateOptions("127.0.0.1", 1, base, "gc_wrong", vehicles=1, duration_h=3))
        with pytest.raises(UnavailableError, match="cannot connect"):
            await simulate(
                SimulateOptions("127.0.0.1", 1, base, token, vehicles=1, duration_h=3, stall_s=0.5)
            )


@pytest.mark.parametrize(
    "wrong", [{"speed": 0.5}, {"vehicles": 0}, {"duration_h": 1.0}, {"interval_s": 0}, {"vehicles": 10**6}]
)
async def test_options_that_cannot_work_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        await simulate(SimulateOptions("127.0.0.1", 1, "http://127.0.0.1:1", "t", **wrong))  # type: ignore[arg-type]  # as a table
