"""The demo's city as an OpenStreetMap file to look at: its roads with names, and around them what a city has. All of it is invented,
and the same for a seed. Vehicles drive on the roads of ``roads.build_network``, which are not changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import osmium
from osmium.osm import mutable

from runtime.arrays import Floats
from simulation.city.pbf import ROAD_CLASSES, header
from simulation.city.roads import ARTERIAL, COLLECTOR, RING, Generator, RoadNetwork

#: A new number has every demo draw its city again.
DRAWING: Final = 1
CREDIT: Final = "模拟城市，并非实地 / a simulated city"
#: As ``build_network`` has it: so far apart are crossings, so many there are.
_SPACING_M: Final = 550.0
_SIZE: Final = 37
_HALF: Final = (_SIZE - 1) / 2
_CITY: Final = "模拟市"
#: Each in a corner, east and north of the middle.
_DISTRICTS: Final = {"东城区": (1, -1), "西城区": (-1, 1), "南湖区": (-1, -1), "北港区": (1, 1)}
_TOWNS: Final = ("柳林镇", "青石镇", "白沙镇", "长桥镇", "云溪镇", "新河镇", "竹园镇", "平川镇")
_WORDS: Final = (
    "和平", "文化", "新华", "光明", "友谊", "胜利", "青年", "朝阳", "学院", "花园", "迎宾", "滨河", "科技", "创业", "团结", "幸福", "春晖",
    "金桥", "银杏", "桃园", "梅岭", "兰亭", "竹溪", "菊香", "松柏", "枫林", "玉带", "明珠", "锦绣", "望江", "听涛", "观海", "凤凰", "麒麟",
    "白鹭", "青云", "紫薇",
)  # fmt: skip
#: Blocks, by how near the middle they are, in blocks: built up, some of it, fields.
_BUILT, _SETTLED = 8.0, 13.0

Tags = dict[str, str]


class _Drawing:
    """Things with numbers, into a file. Nodes first, as the format asks for."""

    def __init__(self, network: RoadNetwork) -> None:
        self._network = network
        self._places: list[Floats] = [network.nodes]
        self._nodes = len(network.nodes)
        self._named: list[tuple[Floats, Tags]] = []
        self._ways: list[tuple[list[int], Tags]] = []
        self._borders: list[tuple[list[int], Tags]] = []

    def road(self, ends: Sequence[int], tags: Tags) -> None:
        self._ways.append(([end + 1 for end in ends], tags))

    def ring(self, corners: Floats, tags: Tags) -> int:
        """A closed way of ``corners`` (n, 2) metres; its number."""
        first = self._nodes + 1
        self._places.append(corners)
        self._nodes += len(corners)
        self._ways.append(([*range(first, self._nodes + 1), first], tags))
        return len(self._ways)

    def border(self, ways: list[int], tags: Tags) -> None:
        self._borders.append((ways, tags))

    def place(self, at: Iterable[float], kind: str, name: str) -> None:
        self._named.append((np.array(list(at), float), {"place": kind, "name": name}))

    def write(self, path: Path) -> None:
        frame = self._network.frame
        degrees = frame.to_degrees(np.concatenate(self._places)).tolist()
        named = [(frame.to_degrees(at).tolist(), tags) for at, tags in self._named]
        with osmium.SimpleWriter(str(path), header=header(), overwrite=True) as writer:
            for number, (lat, lon) in enumerate(degrees, 1):
                writer.add_node(mutable.Node(id=number, version=1, location=(lon, lat)))
            for number, ((lat, lon), tags) in enumerate(named, len(degrees) + 1):
                writer.add_node(mutable.Node(id=number, version=1, location=(lon, lat), tags=tags))
            for number, (nodes, tags) in enumerate(self._ways, 1):
                writer.add_way(mutable.Way(id=number, version=1, nodes=nodes, tags=tags))
            for number, (ways, tags) in enumerate(self._borders, 1):
                members = [("w", way, "outer") for way in ways]
                writer.add_relation(mutable.Relation(id=number, version=1, members=members, tags=tags))


def write_scenery(network: RoadNetwork, seed: int, path: Path) -> None:
    """Write the city of ``seed`` around ``network`` to ``path`` (name ends in ``.osm.pbf``)."""
    rng = np.random.default_rng([seed, 7])
    drawing = _Drawing(network)
    _roads(drawing, network)
    _river(drawing, rng)
    _blocks(drawing, rng)
    _places(drawing)
    drawing.write(path)


def _roads(drawing: _Drawing, network: RoadNetwork) -> None:
    for start, roads in enumerate(network.edges):
        for end, (_length, speed) in sorted(roads.items()):
            if start < end:
                name, reference = _name(network.nodes[start], network.nodes[end], speed)
                tags = {
                    "highway": ROAD_CLASSES.get(speed, "unclassified"),
                    "maxspeed": f"{speed:.0f}",
                    "name": name,
                }
                drawing.road((start, end), tags | ({"ref": reference} if reference else {}))


def _name(start: Floats, end: Floats, speed: float) -> tuple[str, str]:
    """The name of a road and its number: streets by their row, ring roads by how far out they are."""
    across, along = np.abs(end - start)
    x, y = (start + end) / 2
    if speed == RING:
        inner = np.hypot(x, y) < 0.62 * _HALF * _SPACING_M
        return ("内环路", "G901") if inner else ("外环路", "G902")
    if speed == COLLECTOR:
        return ("飞虹路", "") if x * y > 0 else ("彩云路", "")
    row = int(np.clip(round((y if across > along else x) / _SPACING_M + _HALF), 0, _SIZE - 1))
    name = _WORDS[row] + ("路" if across > along else "大街" if speed == ARTERIAL else "街")
    return name, f"S{300 + row if across > along else 200 + row}" if speed == ARTERIAL else ""


def _river(drawing: _Drawing, rng: Generator) -> None:
    """From one end of the map to the other, and a lake beside it."""
    reach = (_HALF + 4) * _SPACING_M
    x = np.linspace(-reach, reach, 120)
    phase = rng.uniform(0, 6, 2)
    middle = -4.5 * _SPACING_M + 700 * np.sin(x / 3100 + phase[0]) + 300 * np.sin(x / 1300 + phase[1])
    width = 70 + 25 * np.sin(x / 2000 + phase[1])
    banks = np.concatenate([np.column_stack((x, middle + width)), np.column_stack((x, middle - width))[::-1]])
    drawing.ring(banks, {"natural": "water", "water": "river", "name": "玉带河"})
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    size = 620 + 110 * np.sin(3 * turn + phase[0]) + 60 * np.sin(5 * turn + phase[1])
    lake = np.column_stack(
        (7.5 * _SPACING_M + size * 1.5 * np.cos(turn), 6.5 * _SPACING_M + size * np.sin(turn))
    )
    drawing.ring(lake, {"natural": "water", "water": "lake", "name": "明湖"})
    shore = np.column_stack(
        (7.5 * _SPACING_M + size * 2.0 * np.cos(turn), 6.5 * _SPACING_M + size * 1.5 * np.sin(turn))
    )
    drawing.ring(shore, {"leisure": "park", "name": "明湖公园"})


def _blocks(drawing: _Drawing, rng: Generator) -> None:
    """What stands between the streets."""
    for i in range(_SIZE - 1):
        for j in range(_SIZE - 1):
            middle = (np.array((i, j)) + 0.5 - _HALF) * _SPACING_M
            far = float(np.hypot(*(middle / _SPACING_M)))
            chance = rng.random()
            wet = (
                abs(middle[1] + 4.5 * _SPACING_M) < 1_100
                or float(np.hypot(*(middle / _SPACING_M - (7.5, 6.5)))) < 3
            )
            if wet:
                continue
            if far > _SETTLED:
                kind = {"landuse": "forest"} if chance < 0.12 else {"landuse": "farmland"}
                drawing.ring(_square(middle, 235), kind)
            elif chance < 0.07:
                drawing.ring(
                    _square(middle, 190),
                    {"leisure": "park", "name": _WORDS[(i + 2 * j) % len(_WORDS)] + "公园"},
                )
            elif chance < 0.12:
                drawing.ring(
                    _square(middle, 190),
                    {"amenity": "school", "name": _WORDS[(2 * i + j) % len(_WORDS)] + "中学"},
                )
                drawing.ring(_square(middle, 45), {"building": "school"})
            elif far > _BUILT and chance < 0.35:
                drawing.ring(_square(middle, 200), {"landuse": "industrial"})
                for side in (-95, 95):
                    drawing.ring(_square(middle + np.array((side, 0)), 70), {"building": "industrial"})
            else:
                drawing.ring(_square(middle, 210), {"landuse": "commercial" if far < 2.5 else "residential"})
                _houses(drawing, rng, middle, 4 if far < _BUILT else 2)


def _houses(drawing: _Drawing, rng: Generator, middle: Floats, rows: int) -> None:
    gap = 340 / rows
    for row in range(rows):
        for column in range(rows):
            if rng.random() < 0.15:
                continue
            at = middle + np.array((column + 0.5, row + 0.5)) * gap - 170
            long, deep = rng.uniform(0.25, 0.38) * gap, rng.uniform(0.14, 0.22) * gap
            corners = np.array(((-long, -deep), (long, -deep), (long, deep), (-long, deep)))
            drawing.ring(at + corners, {"building": "yes"})


def _square(middle: Floats, half: float) -> Floats:
    return middle + half * np.array(((-1, -1), (1, -1), (1, 1), (-1, 1)), float)


def _places(drawing: _Drawing) -> None:
    far = (_HALF + 2) * _SPACING_M
    drawing.place((0, 0), "city", _CITY)
    for name, (x, y) in _DISTRICTS.items():
        drawing.place((0.4 * far * x, 0.45 * far * y), "district", name)
    for k, name in enumerate(_TOWNS):
        angle = (k + 0.5) * np.pi / 4
        drawing.place((0.8 * far * np.cos(angle), 0.8 * far * np.sin(angle)), "town", name)
    corners = far * np.array(((-1, -1), (1, -1), (1, 1), (-1, 1)), float)
    drawing.border(
        [drawing.ring(corners, {})],
        {"type": "boundary", "boundary": "administrative", "admin_level": "5", "name": _CITY},
    )
    middle = np.array((0.5, 0.5)) * _SPACING_M  # between two streets
    for name, (x, y) in _DISTRICTS.items():
        corner = far * np.array((x, y))
        ring = drawing.ring(np.array((middle, (corner[0], middle[1]), corner, (middle[0], corner[1]))), {})
        drawing.border(
            [ring], {"type": "boundary", "boundary": "administrative", "admin_level": "6", "name": name}
        )
