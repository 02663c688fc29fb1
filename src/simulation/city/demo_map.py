"""The demo's city as a map: its roads for the routing engine, its picture for the console. Each is built once for a seed."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from office.basemap.prepare import prepare as prepare_base_map
from office.basemap.prepare import source_of
from office.basemap.tile_file import DEMO as DEMO_PICTURE
from office.basemap.tile_file import path_of
from rules.navigation.own_engine import DEMO, Say, install, prepare, service_source
from simulation.city.pbf import write_pbf
from simulation.city.roads import RoadNetwork, build_network
from simulation.city.scenery import CREDIT, DRAWING, write_scenery


def prepare_demo(data_dir: Path, seed: int, say: Say) -> None:
    """Have the engine and tiles of the roads of the demo with ``seed``; both are kept, and built again only when the
    roads are others. Raises what ``install`` and ``prepare`` raise, and OSError."""
    network = build_network(seed)
    name = f"demo-{seed}-{_digest(network)}.osm.pbf"
    engine = install(data_dir, say)
    if service_source(data_dir, name=DEMO) == name:
        return
    say(f"生成演示路网 / building tiles of the demo's roads (seed {seed})")
    with tempfile.TemporaryDirectory(prefix=".roads-", dir=engine.parent) as folder:
        write_pbf(network, Path(folder) / name)
        prepare(data_dir, Path(folder) / name, say, name=DEMO)


def prepare_demo_base_map(data_dir: Path, seed: int, say: Say) -> None:
    """Have the base map of the demo's city with ``seed``; built again only when the city is another one. Raises GongcheError and
    OSError."""
    network = build_network(seed)
    name = f"city-{seed}-{DRAWING}-{_digest(network)}.osm.pbf"
    if source_of(path_of(data_dir, DEMO_PICTURE)) == name:
        return
    say(f"生成演示底图 / drawing the demo's city (seed {seed})")
    data_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".city-", dir=data_dir) as folder:
        write_scenery(network, seed, Path(folder) / name)
        prepare_base_map(data_dir, Path(folder) / name, say, name=DEMO_PICTURE, attribution=CREDIT)


def _digest(network: RoadNetwork) -> str:
    told = hashlib.sha256(network.nodes.tobytes())
    told.update(repr([sorted(roads.items()) for roads in network.edges]).encode())
    return told.hexdigest()[:16]
