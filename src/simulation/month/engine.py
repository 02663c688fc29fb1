"""A navigation engine (Valhalla) on the roads of a scenario, for as long as it is needed."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from rules.navigation import own_engine
from runtime.errors import UnavailableError
from simulation.city.pbf import write_pbf
from simulation.city.roads import RoadNetwork

#: How long it may take to start.
_START_S = 30.0


@contextmanager
def engine_on(network: RoadNetwork, folder: Path, say: Callable[[str], None]) -> Iterator[str]:
    """Its address, on loopback. The engine and its tiles are put into ``folder``. Raises UnavailableError."""
    own_engine.install(folder, say)
    source = folder / "city.osm.pbf"
    write_pbf(network, source)
    own_engine.prepare(folder, source, say)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = own_engine.service_command(folder, port)
    if command is None:
        raise UnavailableError("导航引擎没有路网 / the navigation engine has no roads")
    address = f"http://127.0.0.1:{port}"
    # The command is our own: a path below ``folder`` and a port.
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:  # noqa: S603
        try:
            _await(address, running)
            yield address
        finally:
            running.terminate()


def _await(address: str, running: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and running.poll() is None:
        try:
            if httpx.get(f"{address}/status", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise UnavailableError("导航引擎未能启动 / the navigation engine does not answer")
