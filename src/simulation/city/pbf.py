"""A generated road network as an OpenStreetMap file (PBF), so that a routing engine knows the roads the demo's vehicles
drive on. Format: wiki.openstreetmap.org/wiki/PBF_Format, written by libosmium."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import osmium
from osmium.osm import mutable

from simulation.city.roads import ARTERIAL, COLLECTOR, LOCAL, RING, RoadNetwork

#: The class of a road by its speed, km/h.
ROAD_CLASSES = {LOCAL: "residential", COLLECTOR: "tertiary", ARTERIAL: "primary", RING: "trunk"}
#: What the file says it is from, where nobody says otherwise: a generated network has no date of survey.
_SURVEYED = datetime(2026, 1, 1, tzinfo=UTC)


def header(surveyed: datetime = _SURVEYED) -> osmium.io.Header:
    """The header of a file of ours: who wrote it, and the date of its data."""
    told = osmium.io.Header()
    told.set("generator", "gongche")
    told.set("osmosis_replication_timestamp", f"{surveyed.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    return told


def write_pbf(network: RoadNetwork, path: Path, surveyed: datetime = _SURVEYED) -> None:
    """Write ``network`` to ``path`` (name ends in ``.osm.pbf``; an older file is replaced). Node i has the number i + 1;
    each road is a way of its own, open both ways, with its speed as ``maxspeed``. ``surveyed``: date of the data."""
    degrees = network.frame.to_degrees(network.nodes).tolist()
    with osmium.SimpleWriter(str(path), header=header(surveyed), overwrite=True) as writer:
        for number, (lat, lon) in enumerate(degrees, 1):
            writer.add_node(mutable.Node(id=number, version=1, location=(lon, lat)))
        number = 0
        for start, roads in enumerate(network.edges):
            for end, (_length, speed) in sorted(roads.items()):
                if start < end:
                    number += 1
                    tags = {"highway": ROAD_CLASSES.get(speed, "unclassified"), "maxspeed": f"{speed:.0f}"}
                    writer.add_way(mutable.Way(id=number, version=1, nodes=[start + 1, end + 1], tags=tags))
