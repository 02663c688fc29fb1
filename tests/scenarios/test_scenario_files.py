"""The files of a scenario are what the project's own importers take."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import asyncpg
import numpy as np
import pyarrow.parquet as pq
import pytest

from registry.bulk import import_records, read_rows, validate_rows
from registry.records import KINDS
from runtime.errors import ConfigurationError
from simulation.city.roads import build_network
from simulation.month.build import CITY_SEED, CITY_SIZE, MONTH, build_world
from simulation.month.files import write_world
from simulation.plants.planner import Planner
from simulation.plants.world import World


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(2, 60, ordinary=0.0)


async def test_every_file_is_imported_whole(world: World, tmp_path: Path, pool: asyncpg.Pool) -> None:
    files = write_world(world, tmp_path)
    imported = 0
    for path in files:
        kind = path.stem[3:]
        if kind not in KINDS:
            continue
        rows = read_rows(kind, path.read_bytes(), "csv" if path.suffix == ".csv" else "json")
        async with pool.acquire() as conn:
            report = await import_records(conn, rows, validate_rows(kind, rows))
        assert report.rows == len(rows) > 0
        imported += report.rows
    known = {fact.key for fact in world.facts if fact.kind in KINDS}
    assert imported == len(known) + 1  # one terminal is bound twice
    labels = json.loads((tmp_path / "labels.json").read_text("utf-8"))
    assert len(labels["labels"]) == len(world.labels)
    reports = pq.read_table(tmp_path / "positions.parquet")
    assert reports.num_rows == len(world.reports)
    assert np.array_equal(reports["device_us"].to_numpy(), world.reports.device_us)
    assert reports["odometer_dkm"].null_count == int((~world.reports.has("odometer_dkm")).sum()) > 0


def test_the_same_seed_gives_the_same_month(world: World) -> None:
    again, other = build_world(2, 60, ordinary=0.0), build_world(3, 60, ordinary=0.0)
    assert again.facts == world.facts
    assert again.labels == world.labels
    assert again.reports.equals(world.reports)
    assert not other.reports.equals(world.reports)


def test_a_large_fleet_finds_room() -> None:
    planner = Planner(1, MONTH, build_network(CITY_SEED, size=CITY_SIZE))
    for _ in range(150):  # units of ten: more than the inner city has crossings
        planner.unit()
    assert len({unit.id for unit in planner.organisations}) == 150


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ConfigurationError, match="the plants need"):
        build_world(2, 20)
    with pytest.raises(ConfigurationError, match="2025-02"):
        build_world(2, 60, date(2025, 2, 1))
