"""The whole way on this machine: terminals, gateway, embedded log, worker, embedded PostgreSQL, generator included.

A position counts when it is stored *and* judged: the clock stops when the worker has committed the last one. Every
vehicle has a fence, every second one an order, so the worker's rules all run.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg

from bench.database import fresh_database, make_fleet
from bench.processes import build, cpu_seconds, descendants, free_port, gongche, load, running
from bench.report import heading, spread, table

TERMINALS = 1000
#: (in flight, positions in a 0x0704 or 0)
SHAPES = ((1, 0), (8, 0), (1, 10))


def _count(dsn: str) -> int:
    async def ask() -> int:
        connection = await asyncpg.connect(dsn)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM positions"))
        finally:
            await connection.close()

    return asyncio.run(ask())


def _postmaster(base: Path) -> int:
    return int((base / "postgres" / "postmaster.pid").read_text().split()[0])


def run(runs: int, seconds: float) -> None:
    """Print positions per second stored and judged, and CPU microseconds per position by process."""
    build()
    heading("Whole way: positions per second stored and judged, everything and the generator on this machine")
    rows = []
    for window, batch in SHAPES:
        rates: list[float] = []
        micros: dict[str, list[float]] = {"gateway": [], "worker": [], "PostgreSQL": []}
        for _ in range(runs):
            rate, cost = _one(window, batch, max(seconds, 5.0))
            rates.append(rate)
            for name, value in cost.items():
                micros[name].append(value)
        shape = f"{window} in flight" + (f", 0x0704 of {batch}" if batch else "")
        rows.append([shape, spread(rates), *(spread(v, 1) for v in micros.values())])
    print(f"{TERMINALS} terminals, a fresh database each of {runs} runs, median (min-max)\n")
    table(
        ["reports", "positions/s", "gateway us/position", "worker us/position", "PostgreSQL us/position"],
        rows,
    )


def _one(window: int, batch: int, seconds: float) -> tuple[float, dict[str, float]]:
    with fresh_database() as (base, dsn):
        make_fleet(dsn, TERMINALS)
        port, worker_port = free_port(), free_port()
        environment = {
            "GONGCHE_DATA_DIR": str(base),
            "GONGCHE_DATABASE_URL": dsn,
            "GONGCHE_TCP_HOST": "127.0.0.1",
            "GONGCHE_TCP_PORT": str(port),
            "GONGCHE_GATEWAY_METRICS_PORT": "0",
            "GONGCHE_WORKER_METRICS_PORT": str(worker_port),
        }
        with (
            running(
                gongche("gateway"), core=None, port=port, environment=environment, log=base / "gateway.log"
            ) as gateway,
            running(
                gongche("worker"),
                core=None,
                port=worker_port,
                environment=environment,
                log=base / "worker.log",
            ) as worker,
        ):
            groups = {"gateway": [gateway.pid], "worker": [worker.pid]}
            postmaster = _postmaster(base)
            before = {name: cpu_seconds(pids) for name, pids in groups.items()}
            before["PostgreSQL"] = cpu_seconds(descendants(postmaster))
            begin = time.perf_counter()
            result = load(port, terminals=TERMINALS, window=window, seconds=seconds, batch=batch, core=None)
            expected = result.acked * (batch or 1)
            while (stored := _count(dsn)) < expected:
                time.sleep(0.1)
                if time.perf_counter() - begin > seconds * 20 + 60:
                    raise SystemExit(f"{stored} of {expected} stored; see {base}")
            elapsed = time.perf_counter() - begin
            if stored != expected:
                raise SystemExit(f"{expected} replied to, {stored} stored")
            after = {name: cpu_seconds(pids) for name, pids in groups.items()}
            after["PostgreSQL"] = cpu_seconds(descendants(postmaster))
    return stored / elapsed, {name: (after[name] - before[name]) / stored * 1e6 for name in after}
