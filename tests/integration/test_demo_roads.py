"""The demo's orders against a real Valhalla on the demo's roads: whatever way it chooses, what is planted for mileage is at
or above 1.5 times its mileage, and everything else is below."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from rules.navigation import Places, own_engine
from rules.navigation.engines import route
from rules.navigation.valhalla import Valhalla
from runtime.errors import UnavailableError
from simulation.city.bodies import order_body
from simulation.city.demo_map import prepare_demo
from simulation.city.fleet import STATUS_POSITIONED, Plan
from simulation.demo.plan import build_plan
from telemetry.geo import Datum, to_wgs84
from tests.integration.navigation_server import answers
from tests.ports import free_port
from tests.waiting import wait_until

END = 1_795_312_800  # 2026-11-22 02:00 UTC


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("demo-roads")
    try:
        own_engine.install(data_dir, lambda _: None)
    except UnavailableError as error:
        pytest.skip(f"no Valhalla: {error.message}; GONGCHE_CACHE_DIR may hold the wheel")
    return data_dir


@contextmanager
def served(folder: Path) -> Iterator[str]:
    port = free_port()
    command = own_engine.service_command(folder, port, name=own_engine.DEMO)
    assert command is not None
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            wait_until(lambda: answers(url), "the engine serves")
            yield url
        finally:
            running.terminate()


def places_of(plan: Plan, body: dict[str, object]) -> Places | None:
    """Where the order leads as the registry takes it, in 1e-6 degree; None where a place has no coordinates."""
    places = [body.get("origin"), *body["destinations"], body.get("return_point", body.get("origin"))]  # type: ignore[misc]  # JSON
    if any(p is None or "lat" not in p for p in places):
        return None
    found = []
    for place in places:
        lat, lon = to_wgs84(Datum(place["datum"]), np.array([place["lat"]]), np.array([place["lon"]]))
        found.append((round(float(lat[0]) * 1e6), round(float(lon[0]) * 1e6)))
    return tuple(found)


def driven_m(plan: Plan, vehicle_id: str, start: int, end: int) -> float:
    s = next(v for v in plan.vehicles if v.id == vehicle_id).samples
    during = (s.time_s >= start) & (s.time_s <= end) & ((s.status & STATUS_POSITIONED) != 0)
    xy = plan.frame.to_metres(np.stack([s.lat_e6, s.lon_e6], axis=-1)[during] / 1e6)
    return float(np.hypot(*np.diff(xy, axis=0).T)[s.speed_dkmh[during][:-1] > 0].sum())


@pytest.mark.parametrize("seed", [1, 5, 9])
def test_only_what_is_planted_is_1_5_times_what_the_engine_says(folder: Path, seed: int) -> None:
    plan = build_plan(seed, 40, END - 86_400, END, run="t")
    prepare_demo(folder, seed, lambda _: None)
    planted = {e.order for e in plan.expected if e.rule == "mileage"}
    orders = {u.order.id: u.order for u in plan.updates}
    ratios: dict[str, float] = {}

    async def ask(url: str) -> None:
        engine = Valhalla(url)
        for order in orders.values():
            places = places_of(plan, order_body(plan, order))
            if order.actual_return is None or places is None:
                continue
            answer = await route(engine, places)
            assert answer.distance_m, answer.problem
            driven = driven_m(plan, order.vehicle, order.planned_departure - 600, order.actual_return)
            ratios[order.id] = driven / answer.distance_m
        await engine.close()

    with served(folder) as url:
        asyncio.run(ask(url))
    assert len(ratios) > 40
    assert planted
    for order_id, ratio in ratios.items():
        assert (ratio >= 1.55) if order_id in planted else (ratio <= 1.48), (order_id, ratio)


def test_tiles_are_built_once_for_the_roads_of_a_seed(folder: Path) -> None:
    said: list[str] = []
    prepare_demo(folder, 3, said.append)
    assert any("the map is ready" in line for line in said)
    assert not own_engine.service_source(folder)  # never taken for a real map
    link = folder / "navigation" / own_engine.DEMO
    tiles, before = link.resolve(), len(said)
    prepare_demo(folder, 3, said.append)
    assert (link.resolve(), len(said)) == (tiles, before)
    prepare_demo(folder, 4, said.append)
    assert link.resolve() != tiles
