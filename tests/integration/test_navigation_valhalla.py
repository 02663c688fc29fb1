"""A real Valhalla on the roads of the demo: installed, fed, served, asked, and judged by."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import asyncpg
import httpx
import numpy as np
import osmium
import pytest

from rules.navigation import CachedNavigator, Places, own_engine
from rules.navigation.engines import route
from rules.navigation.own_engine import map_date_of
from rules.navigation.polyline import decode
from rules.navigation.valhalla import Valhalla
from runtime.errors import ConfigurationError, GongcheError, UnavailableError
from simulation.city.pbf import write_pbf
from simulation.city.roads import RoadNetwork, build_network
from tests.integration.navigation_server import answers
from tests.integration.test_up import Up
from tests.ports import free_port
from tests.waiting import PATIENCE_S, wait_until


@pytest.fixture(scope="module")
def network() -> RoadNetwork:
    return build_network(7, size=15)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, network: RoadNetwork) -> Path:
    """A data directory with the engine and the network's tiles."""
    data_dir = tmp_path_factory.mktemp("navigation")
    try:
        own_engine.install(data_dir, lambda _: None)
    except UnavailableError as error:
        pytest.skip(f"no Valhalla: {error.message}; GONGCHE_CACHE_DIR may hold the wheel")
    source = data_dir / "city.osm.pbf"
    write_pbf(network, source)
    own_engine.prepare(data_dir, source, lambda _: None)
    return data_dir


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The engine, running."""
    port = free_port()
    command = own_engine.service_command(folder, port)
    assert command is not None
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(address), "the engine serves")
        yield address
        running.terminate()
        assert running.wait(PATIENCE_S) == 0


def place_of(network: RoadNetwork, node: int) -> tuple[int, int]:
    lat, lon = network.frame.to_degrees(network.nodes[node])
    return round(float(lat) * 1e6), round(float(lon) * 1e6)


def length_of(network: RoadNetwork, path: list[int]) -> float:
    return sum(network.edges[a][b][0] for a, b in pairwise(path))


async def test_the_mileage_is_that_of_the_roads_the_demo_drives_on(url: str, network: RoadNetwork) -> None:
    engine = Valhalla(url)
    rng = np.random.default_rng(3)
    for start, end in rng.integers(0, len(network.nodes), (25, 2)).tolist():
        if start == end:
            continue
        there = (place_of(network, start), place_of(network, end))
        answer = await route(engine, (*there, there[0]))
        assert answer.distance_m is not None, answer.problem
        ours = length_of(network, network.route(start, end)) + length_of(network, network.route(end, start))
        straight = 2 * float(np.hypot(*(network.nodes[start] - network.nodes[end])))
        # Never shorter than the air; about our quickest way (its costs of turns are its own).
        assert straight * 0.999 - 5 <= answer.distance_m <= 1.35 * ours + 5
        assert len(decode(answer.shape)) >= 3
    await engine.close()


async def test_one_road_is_as_long_as_it_is(url: str, network: RoadNetwork) -> None:
    engine = Valhalla(url)
    checked = 0
    for start, roads in enumerate(network.edges):
        for end, (length, speed) in roads.items():
            if network.route(start, end) == [start, end] and speed >= 60 and checked < 20:
                answer = await route(engine, (place_of(network, start), place_of(network, end)))
                assert answer.distance_m is not None
                assert abs(answer.distance_m - length) <= 2 + length / 1000
                checked += 1
    assert checked == 20
    await engine.close()


async def test_several_places_are_the_sum_of_their_legs(url: str, network: RoadNetwork) -> None:
    engine = Valhalla(url)
    nodes = [0, 40, 17, 90, 3, 60, 0] * 5  # 35 places: two requests
    places: Places = tuple(place_of(network, n) for n in nodes)
    whole = await route(engine, places)
    legs = [await route(engine, pair) for pair in pairwise(places)]
    assert whole.distance_m is not None
    assert abs(whole.distance_m - sum(leg.distance_m or 0 for leg in legs)) <= 2
    await engine.close()


async def test_a_place_off_the_map_is_no_way(url: str, network: RoadNetwork) -> None:
    engine = Valhalla(url)
    answer = await route(engine, (place_of(network, 0), (39_900_000, 116_400_000)))
    assert answer.distance_m is None
    assert "171" in answer.problem
    await engine.close()


async def test_the_routes_are_kept_with_the_date_of_the_map(
    url: str, network: RoadNetwork, folder: Path, pool: asyncpg.Pool
) -> None:
    date = own_engine.service_map_date(folder)
    assert date == "2026-01-01T00:00:00Z" == map_date_of(folder / "city.osm.pbf")
    navigator = CachedNavigator(Valhalla(url, date))
    wanted = [(place_of(network, 1), place_of(network, 50)), (place_of(network, 2), place_of(network, 3))]
    async with pool.acquire() as conn:
        await navigator.fetch(conn, wanted)
        found = await navigator.routes(conn, wanted)
    assert all(
        r is not None and r.distance_m and r.map_date.startswith(date) and "3.9.1" in r.map_date
        for r in found
    )
    await navigator.close()


def test_the_engine_listens_on_loopback_only(url: str) -> None:
    port = int(url.rsplit(":", 1)[1])
    addresses = {
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    }
    assert f"0100007F:{port:04X}" in addresses
    assert f"00000000:{port:04X}" not in addresses


def test_installing_and_preparing_again_changes_nothing_that_runs(folder: Path, network: RoadNetwork) -> None:
    engine = own_engine.install(folder, lambda _: pytest.fail("nothing is to be said"))
    stamp = (engine / "valhalla/bin/valhalla_service").stat().st_mtime_ns
    before = (folder / "navigation" / "graph").resolve()
    said: list[str] = []
    source = folder / "again.osm.pbf"
    write_pbf(network, source)
    after = own_engine.prepare(folder, source, said.append, "2026-06-01")
    assert (engine / "valhalla/bin/valhalla_service").stat().st_mtime_ns == stamp
    assert after == (folder / "navigation" / "graph").resolve() != before
    assert before.exists()  # a service that runs still reads it
    assert own_engine.service_map_date(folder) == "2026-06-01"
    assert any("map" in line for line in said)
    # A build that fails leaves the map in use alone, and nothing behind.
    (folder / "junk.osm.pbf").write_bytes(b"no map")
    with pytest.raises(ConfigurationError):
        own_engine.prepare(folder, folder / "junk.osm.pbf", said.append)
    with osmium.SimpleWriter(str(folder / "empty.osm.pbf")) as empty:
        assert empty is not None
    with pytest.raises(GongcheError):
        own_engine.prepare(folder, folder / "empty.osm.pbf", said.append)
    assert (folder / "navigation" / "graph").resolve() == after
    assert not list((folder / "navigation").glob("*.partial"))


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "pyvalhalla-3.9.1-cp312-abi3-manylinux_2_28_x86_64.whl"
    wheel.write_bytes(b"PK")
    with pytest.raises(ConfigurationError, match="is not the wheel"):
        own_engine.install(tmp_path, lambda _: None, wheel)
    assert own_engine.service_command(tmp_path, 1) is None


def test_offline_is_said_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONGCHE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    with pytest.raises(UnavailableError) as failed:
        own_engine.install(tmp_path, lambda _: None)
    assert "--wheel" in failed.value.hint
    assert not list((tmp_path / "cache").glob("*.whl"))


def test_the_file_holds_the_network(tmp_path: Path, network: RoadNetwork) -> None:
    path = tmp_path / "net.osm.pbf"
    write_pbf(network, path)
    first = path.read_bytes()
    write_pbf(network, path)
    assert path.read_bytes() == first
    nodes, roads = {}, {}
    for thing in osmium.FileProcessor(str(path)):
        if isinstance(thing, osmium.osm.Node):
            nodes[thing.id - 1] = (thing.location.lat, thing.location.lon)
        else:
            assert isinstance(thing, osmium.osm.Way)
            a, b = (n.ref - 1 for n in thing.nodes)
            roads[a, b] = float(thing.tags["maxspeed"])
    assert roads == {(a, b): s for a, e in enumerate(network.edges) for b, (_, s) in e.items() if a < b}
    found = np.array([nodes[k] for k in range(len(network.nodes))])
    assert np.abs(found - network.frame.to_degrees(network.nodes)).max() < 1e-7


def test_up_runs_the_engine_beside_the_rest_and_takes_it_along(folder: Path) -> None:
    up = Up(folder)
    try:
        url = str(up.ready()["navigation"])
        assert httpx.get(f"{url}/status").json()["version"] == own_engine.VERSION
        os.kill(up.process.pid, signal.SIGKILL)
        up.process.wait(PATIENCE_S)

        def gone() -> bool:
            try:
                httpx.get(f"{url}/status", timeout=1)
            except httpx.TransportError:
                return True
            return False

        wait_until(gone, "the engine ends with `up`")
    finally:
        up.kill()
