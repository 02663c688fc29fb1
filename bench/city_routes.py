"""What a real navigation engine takes for a route: Valhalla on the roads of the demo, asked and kept as the judge does it."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import time
from pathlib import Path

import httpx
import numpy as np

from bench.database import fresh_database
from bench.processes import cpu_seconds, descendants, free_port
from bench.report import heading, table
from rules.navigation import CachedNavigator, Places, own_engine
from rules.navigation.valhalla import Valhalla
from runtime.errors import UnavailableError
from runtime.postgres import connect
from simulation.city.pbf import write_pbf
from simulation.city.roads import RoadNetwork, build_network

ROUTES = 1_000
#: As many as the judge looks at in one turn.
_AT_ONCE = 500


def run(options: argparse.Namespace) -> None:
    """Print what a route costs the engine and the judge."""
    heading(f"Navigation: {ROUTES:,} distinct routes there and back, asked of Valhalla and kept")
    with fresh_database() as (base, dsn):
        try:
            own_engine.install(base, lambda _: None)
        except UnavailableError as error:
            print(f"not measured: {error.message}")
            return
        network = build_network(7, size=40)
        write_pbf(network, base / "city.osm.pbf")
        own_engine.prepare(base, base / "city.osm.pbf", lambda _: None)
        found, wall, engine, judge = _measured(base, dsn, _wanted(network))
    each = [f"{1000 * value / ROUTES:.2f}" for value in (wall, engine, judge)]
    table(["routes found", "ms a route", "engine CPU ms", "judge CPU ms"], [[f"{found:,}", *each]])


def _wanted(network: RoadNetwork) -> list[Places]:
    """Ways from one place to another and back."""
    rng = np.random.default_rng(5)
    pairs: dict[tuple[int, int], None] = {}
    while len(pairs) < ROUTES:
        start, end = rng.integers(0, len(network.nodes), 2).tolist()
        if start != end:
            pairs[start, end] = None
    places = np.rint(network.frame.to_degrees(network.nodes) * 1e6).astype(int).tolist()
    return [(tuple(places[a]), tuple(places[b]), tuple(places[a])) for a, b in pairs]


def _measured(base: Path, dsn: str, wanted: list[Places]) -> tuple[int, float, float, float]:
    port = free_port()
    command = own_engine.service_command(base, port)
    if command is None:
        raise SystemExit("the engine is not installed")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/status")
        return asyncio.run(_fetch(f"http://127.0.0.1:{port}", dsn, wanted, process.pid))
    finally:
        process.terminate()
        process.wait(20)


def _wait(address: str) -> None:
    for _ in range(400):
        try:
            if httpx.get(address, timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit("the engine does not answer")


async def _fetch(url: str, dsn: str, wanted: list[Places], engine: int) -> tuple[int, float, float, float]:
    conn = await connect(dsn)
    navigator = CachedNavigator(Valhalla(url))
    begin, own, theirs = time.perf_counter(), time.process_time(), cpu_seconds(descendants(engine))
    for start in range(0, len(wanted), _AT_ONCE):
        await navigator.fetch(conn, wanted[start : start + _AT_ONCE])
    wall, spent = time.perf_counter() - begin, time.process_time() - own
    used = cpu_seconds(descendants(engine)) - theirs
    routes = await navigator.routes(conn, wanted)
    await navigator.close()
    await conn.close()
    return sum(r is not None and r.distance_m is not None for r in routes), wall, used, spent
