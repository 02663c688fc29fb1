"""The demo's roads as a map for the routing engine, built once for each seed."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from rules.navigation.own_engine import DEMO, Say, install, prepare, service_source
from simulation.city.pbf import write_pbf
from simulation.city.roads import build_network


def prepare_demo(data_dir: Path, seed: int, say: Say) -> None:
    """Have the engine and tiles of the roads of the demo with ``seed``; both are kept, and built again only when the
    roads are others. Raises what ``install`` and ``prepare`` raise, and OSError."""
    network = build_network(seed)
    told = hashlib.sha256(network.nodes.tobytes())
    told.update(repr([sorted(roads.items()) for roads in network.edges]).encode())
    name = f"demo-{seed}-{told.hexdigest()[:16]}.osm.pbf"
    engine = install(data_dir, say)
    if service_source(data_dir, name=DEMO) == name:
        return
    say(f"生成演示路网 / building tiles of the demo's roads (seed {seed})")
    with tempfile.TemporaryDirectory(prefix=".roads-", dir=engine.parent) as folder:
        write_pbf(network, Path(folder) / name)
        prepare(data_dir, Path(folder) / name, say, name=DEMO)
