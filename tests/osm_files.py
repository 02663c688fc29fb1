"""Small OpenStreetMap files, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import osmium
from osmium.osm import mutable

#: Where the files of these tests are.
LON, LAT = 120.89, 31.98


@dataclass(slots=True)
class OsmFile:
    """What is written, in degrees about ``middle``."""

    middle: tuple[float, float] = (LON, LAT)
    generator: str = "a test"
    date: str = "2026-03-02T00:00:00Z"
    nodes: list[tuple[float, float, dict[str, str]]] = field(default_factory=list)
    ways: list[tuple[list[int], dict[str, str]]] = field(default_factory=list)
    relations: list[tuple[list[tuple[str, int, str]], dict[str, str]]] = field(default_factory=list)

    def node(self, x: float, y: float, **tags: str) -> int:
        self.nodes.append((self.middle[0] + x, self.middle[1] + y, tags))
        return len(self.nodes)

    def way(self, *corners: tuple[float, float], **tags: str) -> int:
        self.ways.append(([self.node(x, y) for x, y in corners], tags))
        return len(self.ways)

    def ring(self, *corners: tuple[float, float], **tags: str) -> int:
        numbers = [self.node(x, y) for x, y in corners]
        self.ways.append(([*numbers, numbers[0]], tags))
        return len(self.ways)

    def square(self, x: float, y: float, half: float, **tags: str) -> int:
        corners = ((x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half))
        return self.ring(*corners, **tags)

    def relation(self, *members: tuple[int, str], **tags: str) -> None:
        self.relations.append(([("w", way, role) for way, role in members], tags))

    def write(self, path: Path, spoil: bytes = b"") -> Path:
        """``spoil``: bytes of the texts that become others, which are no UTF-8."""
        header = osmium.io.Header()
        header.set("generator", self.generator)
        header.set("osmosis_replication_timestamp", self.date)
        # Uncompressed, so that a byte can be changed.
        file = osmium.io.File(str(path), "pbf,pbf_compression=none" if spoil else "pbf")
        with osmium.SimpleWriter(file, header=header, overwrite=True) as writer:
            for number, (lon, lat, tags) in enumerate(self.nodes, 1):
                writer.add_node(mutable.Node(id=number, version=1, location=(lon, lat), tags=tags))
            for number, (nodes, tags) in enumerate(self.ways, 1):
                writer.add_way(mutable.Way(id=number, version=1, nodes=nodes, tags=tags))
            for number, (members, tags) in enumerate(self.relations, 1):
                writer.add_relation(mutable.Relation(id=number, version=1, members=members, tags=tags))
        if spoil:
            body = path.read_bytes()
            assert spoil in body
            path.write_bytes(body.replace(spoil, b"\xff" * len(spoil)))
        return path


def town(lon: float = LON, lat: float = LAT) -> OsmFile:
    """A bit of everything that the base map has."""
    made = OsmFile((lon, lat))
    # One street in two pieces, as OpenStreetMap cuts it at a bridge.
    made.way((-0.02, 0), (0, 0), highway="primary", name="人民路", **{"name:en": "Renmin Road"}, ref="G15;S1")
    made.way((0, 0), (0.02, 0), highway="primary", name="人民路", **{"name:en": "Renmin Road"}, ref="G15;S1")
    made.way((0, 0), (0.01, -0.01), highway="primary_link")
    made.way((0, -0.01), (0, 0.01), highway="residential", name="<b>小巷</b>\u202e")
    made.way((0.003, 0.001), (0.004, 0.002), highway="footway")
    made.way((-0.3, 0.2), (0.3, 0.2), highway="motorway", ref="G40", tunnel="yes")
    made.way((-0.01, 0.004), (0.02, 0.004), railway="rail")
    made.way((-0.02, 0.006), (0.02, 0.006), waterway="river", name="通吕运河")
    lake, island = made.square(0.008, 0.012, 0.004), made.square(0.008, 0.012, 0.001)
    made.relation((lake, "outer"), (island, "inner"), type="multipolygon", natural="water", name="明湖")
    made.square(-0.008, -0.006, 0.002, leisure="park", name="公园")
    made.square(0.006, -0.004, 0.0002, building="yes", amenity="school")
    made.square(0.007, -0.004, 0.0002, building="no")
    made.node(0.001, 0.001, place="city", name="南通市", population="7700000", **{"name:en": "Nantong"})
    made.node(0.002, 0.002, place="village", name="小村")
    made.node(0.003, 0.003, place="village")
    edge, coast = made.way((-0.03, -0.02), (-0.03, 0.02)), made.way((-0.03, 0.02), (0.03, 0.02))
    made.relation(
        (edge, "outer"), (coast, "outer"), type="boundary", boundary="administrative", admin_level="5"
    )
    made.relation((edge, "outer"), type="boundary", boundary="administrative", admin_level="6")
    made.relation((coast, "outer"), type="boundary", boundary="administrative", admin_level="2")
    return made
