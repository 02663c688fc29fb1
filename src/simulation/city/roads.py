"""A road-like network around a city centre, shortest paths on it, and how a car drives along one.

Everything is seeded: the same seed gives the same city. Work is in a local plane: ``x`` metres east
and ``y`` metres north of the centre, float64; ``Frame`` converts to and from WGS-84 degrees.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from runtime.arrays import Floats, Ints

Generator = np.random.Generator

_A = 6_378_137.0  # WGS-84
_E2 = 6.694_379_990_141e-3

#: Speed classes, km/h.
LOCAL, COLLECTOR, ARTERIAL, RING = 40.0, 50.0, 60.0, 80.0

_ACCELERATION = 1.6  # m/s2
_BRAKING = 2.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A local plane: east/north metres about a centre, by the ellipsoid's radii there (good to 1e-4 in 20 km)."""

    lat: float
    lon: float

    def _scales(self) -> tuple[float, float]:
        sine = math.sin(math.radians(self.lat))
        w = 1.0 - _E2 * sine * sine
        north = math.radians(1.0) * _A * (1.0 - _E2) / w**1.5
        east = math.radians(1.0) * _A / math.sqrt(w) * math.cos(math.radians(self.lat))
        return east, north

    def to_degrees(self, xy: Floats) -> Floats:
        """(..., 2) metres east, north -> (..., 2) degrees latitude, longitude."""
        east, north = self._scales()
        return np.stack([self.lat + xy[..., 1] / north, self.lon + xy[..., 0] / east], axis=-1)

    def to_metres(self, lat_lon: Floats) -> Floats:
        """(..., 2) degrees latitude, longitude -> (..., 2) metres east, north."""
        east, north = self._scales()
        return np.stack([(lat_lon[..., 1] - self.lon) * east, (lat_lon[..., 0] - self.lat) * north], axis=-1)


#: Centre of Nantong, degrees WGS-84.
NANTONG = Frame(31.98, 120.89)


class RoadNetwork:
    """Undirected roads: ``nodes`` (n, 2) float64 metres; ``edges[i]`` lists (neighbour, metres, km/h) of node i."""

    def __init__(self, frame: Frame, nodes: Floats, edges: list[dict[int, tuple[float, float]]]) -> None:
        self.frame = frame
        self.nodes = nodes
        self.edges = edges
        self._trees: dict[int, tuple[list[float], list[int]]] = {}
        self._lengths: dict[int, list[float]] = {}

    def nearest(self, xy: Floats) -> int:
        """The node nearest to a point, shape (2,)."""
        return int(np.argmin(((self.nodes - xy) ** 2).sum(axis=1)))

    def _tree(self, source: int) -> tuple[list[float], list[int]]:
        """Dijkstra from ``source`` by travel time: (seconds, predecessor) of each node; kept for the next call."""
        known = self._trees.get(source)
        if known is not None:
            return known
        cost, before = self._spread(source, lambda length, speed: length * 3.6 / speed)
        if len(self._trees) > 512:
            self._trees.clear()
        self._trees[source] = cost, before
        return cost, before

    def _spread(self, source: int, weigh: Callable[[float, float], float]) -> tuple[list[float], list[int]]:
        """Dijkstra; ``weigh``: cost of a road from its metres and km/h."""
        cost = [math.inf] * len(self.nodes)
        before = [-1] * len(self.nodes)
        cost[source] = 0.0
        heap = [(0.0, source)]
        while heap:
            so_far, node = heapq.heappop(heap)
            if so_far > cost[node]:
                continue
            for other, (length, speed) in self.edges[node].items():
                through = so_far + weigh(length, speed)
                if through < cost[other]:
                    cost[other], before[other] = through, node
                    heapq.heappush(heap, (through, other))
        return cost, before

    def route(self, start: int, end: int) -> list[int]:
        """The quickest way from ``start`` to ``end``, both included. The network is connected, so there is one."""
        _cost, before = self._tree(start)
        path = [end]
        while path[-1] != start:
            path.append(before[path[-1]])
        path.reverse()
        return path

    def length(self, stops: Sequence[int]) -> float:
        """Metres of the quickest way through ``stops``."""
        return sum(
            self.edges[a][b][0] for start, end in pairwise(stops) for a, b in pairwise(self.route(start, end))
        )

    def shortest_m(self, stops: Sequence[int]) -> float:
        """Metres of the shortest way through ``stops``, however slow."""
        return sum(
            self._lengths[end][start] if end in self._lengths else self._distances(start)[end]
            for start, end in pairwise(stops)
        )

    def _distances(self, source: int) -> list[float]:
        """Dijkstra from ``source`` by length: metres to each node; kept for the next call."""
        if source not in self._lengths:
            if len(self._lengths) > 512:
                self._lengths.clear()
            self._lengths[source] = self._spread(source, lambda length, _speed: length)[0]
        return self._lengths[source]

    def travel_s(self, start: int, end: int) -> float:
        """Seconds of free driving between two nodes."""
        return self._tree(start)[0][end]


def build_network(
    seed: int, frame: Frame = NANTONG, *, size: int = 37, spacing_m: float = 550.0
) -> RoadNetwork:
    """A city of ``size`` x ``size`` crossings about ``spacing_m`` apart.

    Crossings are jittered, a few streets are missing, every fifth street is an arterial, two diagonals
    lead through the centre, and ring roads run around it. Unreachable crossings are left out.
    """
    rng = np.random.default_rng([seed, 1])
    half = (size - 1) / 2
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), axis=-1).reshape(-1, 2)
    nodes = (grid - half) * spacing_m + rng.normal(0.0, 0.12 * spacing_m, (size * size, 2))
    edges: list[dict[int, tuple[float, float]]] = [{} for _ in range(size * size)]

    def connect(a: int, b: int, speed: float) -> None:
        length = float(np.hypot(*(nodes[a] - nodes[b])))
        if a != b and (b not in edges[a] or edges[a][b][1] < speed):
            edges[a][b] = edges[b][a] = (length, speed)

    for i in range(size):
        for j in range(size):
            for a, b, street in ((i + 1, j, j), (i, j + 1, i)):
                if a >= size or b >= size:
                    continue
                arterial = street % 5 == 0
                if arterial or rng.random() > 0.08:
                    connect(i * size + j, a * size + b, ARTERIAL if arterial else LOCAL)
    for k in range(size - 1):  # two diagonals through the centre
        connect(k * size + k, (k + 1) * size + k + 1, COLLECTOR)
        connect(k * size + size - 1 - k, (k + 1) * size + size - 2 - k, COLLECTOR)
    for share in (0.45, 0.8):  # ring roads: crossings near a circle, joined in order of bearing
        radius = share * half * spacing_m
        turns = np.linspace(0.0, 2 * math.pi, max(12, int(2 * math.pi * radius / spacing_m)), endpoint=False)
        around = [
            int(np.argmin(((nodes - radius * np.array([math.cos(t), math.sin(t)])) ** 2).sum(axis=1)))
            for t in turns
        ]
        for a, b in zip(around, around[1:] + around[:1], strict=True):
            connect(a, b, RING)
    return _largest_part(RoadNetwork(frame, nodes, edges))


def _largest_part(network: RoadNetwork) -> RoadNetwork:
    """The network without the crossings that cannot be reached from the rest."""
    n = len(network.nodes)
    part = [-1] * n
    sizes: list[int] = []
    for start in range(n):
        if part[start] >= 0:
            continue
        part[start], stack, count = len(sizes), [start], 0
        while stack:
            node = stack.pop()
            count += 1
            for other in network.edges[node]:
                if part[other] < 0:
                    part[other] = len(sizes)
                    stack.append(other)
        sizes.append(count)
    best = sizes.index(max(sizes))
    kept = [i for i in range(n) if part[i] == best]
    number = {old: new for new, old in enumerate(kept)}
    edges = [{number[o]: way for o, way in network.edges[i].items()} for i in kept]
    return RoadNetwork(network.frame, network.nodes[kept], edges)


@dataclass(frozen=True, slots=True, eq=False)
class Drive:
    """One second steps of a movement. ``xy`` (n, 2) metres, ``speed`` (n,) m/s; the first row is the start."""

    xy: Floats
    speed: Floats

    def __len__(self) -> int:
        return len(self.speed)


def drive(points: Floats, limits_kmh: Floats, rng: Generator, *, lights: float = 0.2) -> Drive:
    """Drive along a polyline, starting and ending at rest.

    ``points`` (n, 2) metres; ``limits_kmh`` (n - 1,) of each piece. The car accelerates and brakes evenly,
    slows for bends, and waits 5-35 s at an inner point with probability ``lights``.
    """
    pieces = np.diff(points, axis=0)
    lengths = np.hypot(pieces[:, 0], pieces[:, 1])
    keep = lengths > 0.5
    points = np.concatenate([points[:1], points[1:][keep]])
    lengths, limits, pieces = lengths[keep], limits_kmh[keep] / 3.6, pieces[keep]
    if len(lengths) == 0:
        return Drive(points[:1].copy(), np.zeros(1))
    ends = np.cumsum(lengths)
    heading = np.arctan2(pieces[:, 0], pieces[:, 1])
    turn = np.abs((np.diff(heading) + math.pi) % (2 * math.pi) - math.pi)
    # What the car may do at the end of each piece: 90 degrees at 18 km/h, straight on at full speed.
    corner = np.where(turn < 0.2, limits[1:], np.maximum(5.0, 14.0 - 6.0 * turn))
    allowed = np.append(np.minimum(corner, np.minimum(limits[:-1], limits[1:])), 0.0)
    waits = np.where(rng.random(len(allowed)) < lights, rng.integers(5, 36, len(allowed)), 0)
    waits[-1] = 0
    allowed[waits > 0] = 0.0
    for k in range(len(allowed) - 2, -1, -1):  # slow down early enough for the next point as well
        allowed[k] = min(allowed[k], math.sqrt(allowed[k + 1] ** 2 + 2 * _BRAKING * float(lengths[k + 1])))
    distance, speeds = _step(ends, limits, allowed, waits)
    along = np.array(distance)
    marks = np.concatenate([[0.0], ends])
    xy = np.stack([np.interp(along, marks, points[:, 0]), np.interp(along, marks, points[:, 1])], axis=-1)
    return Drive(xy, np.array(speeds))


def _step(ends: Floats, limits: Floats, allowed: Floats, waits: Ints) -> tuple[list[float], list[float]]:
    """Metres along and m/s, second by second."""
    end, limit, may, wait = ends.tolist(), limits.tolist(), allowed.tolist(), waits.tolist()
    distance, speed, piece = 0.0, 0.0, 0
    distances, speeds = [0.0], [0.0]
    while piece < len(end):
        left = end[piece] - distance
        # Fastest speed from which the coming second still leaves room to brake to what the point allows.
        safe = math.sqrt(may[piece] ** 2 + _BRAKING * (_BRAKING + 2 * max(left, 0.0))) - _BRAKING
        speed = max(min(speed + _ACCELERATION, limit[piece], safe), 0.8)
        distance += speed
        if distance >= end[piece]:
            if may[piece] == 0.0:
                distance, speed = end[piece], 0.0
                distances.extend([distance] * (wait[piece] + 1))
                speeds.extend([0.0] * (wait[piece] + 1))
                piece += 1
                continue
            while piece < len(end) - 1 and distance >= end[piece] and may[piece] > 0.0:
                piece += 1
        distances.append(distance)
        speeds.append(speed)
    return distances, speeds


def gnss_noise(times_s: Ints, rng: Generator, *, sigma_m: float, memory_s: float = 60.0) -> Floats:
    """Receiver error, shape (n, 2) metres: a slowly wandering part (``sigma_m``, correlated over ``memory_s``) and a
    quick one (a fifth of it). Times ascend."""
    n = len(times_s)
    if n == 0:
        return np.zeros((0, 2))
    keep = np.exp(-np.diff(times_s, prepend=times_s[0]) / memory_s)
    fresh = rng.normal(0.0, sigma_m, (n, 2)) * np.sqrt(1.0 - keep**2)[:, None]
    fresh[0] = rng.normal(0.0, sigma_m, 2)
    wander = np.empty((n, 2))
    x, y = 0.0, 0.0
    for i, (k, dx, dy) in enumerate(
        zip(keep.tolist(), fresh[:, 0].tolist(), fresh[:, 1].tolist(), strict=True)
    ):
        x, y = k * x + dx, k * y + dy
        wander[i, 0], wander[i, 1] = x, y
    return wander + rng.normal(0.0, sigma_m / 5, (n, 2))
