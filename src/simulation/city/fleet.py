"""What a simulated fleet is made of: organisations with yards, vehicles, orders, and where each vehicle truly was.

``Timeline`` collects parking and driving second by second; ``Timeline.samples`` turns that into what a terminal
would report. Times are whole seconds since 1970 UTC (device clocks have no fractions), ``xy`` metres of the
city's plane (``roads.Frame``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import Bools, Floats, Ints
from simulation.city.facts import Facts
from simulation.city.roads import Drive, Frame, Generator, gnss_noise
from simulation.expectations import ExpectedAlert

STATUS_ACC = 1 << 0
STATUS_POSITIONED = 1 << 1
STATUS_RECEIVERS = 1 << 18 | 1 << 19  # GPS and BeiDou in use

#: Seconds between reports while driving (the default) and while parked. Both stay below the rules' gap_s (120).
DRIVING_INTERVAL_S = 10
PARKED_INTERVAL_S = 60


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Reports of one vehicle, ascending in time. All shapes (n,)."""

    time_s: Ints  # since 1970 UTC
    lat_e6: NDArray[np.int32]
    lon_e6: NDArray[np.int32]
    altitude_m: NDArray[np.int16]
    speed_dkmh: NDArray[np.uint16]
    direction_deg: NDArray[np.uint16]
    status: NDArray[np.uint32]
    odometer_dkm: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.time_s)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A unit and its yard. ``fence``: (k, 2) corners in metres, closed; ``gate``: node of the road network;
    ``slot``: middle of the parking places, metres."""

    id: str
    name: str
    gate: int
    centre: tuple[float, float]
    fence: Floats
    datum: str = "wgs84"


@dataclass(frozen=True, slots=True)
class Place:
    """A destination. ``xy`` None = a place without coordinates (市区)."""

    name: str
    xy: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Order:
    """A dispatch order in one of its states; times in seconds since 1970 UTC."""

    id: str
    organisation: str
    vehicle: str
    driver: str
    task_type: str
    purpose: str
    destinations: tuple[Place, ...]
    planned_departure: int
    planned_return: int
    status: str = "approved"
    extended_return: int | None = None
    actual_departure: int | None = None
    actual_return: int | None = None
    cancelled_at: int | None = None
    origin: Place | None = None
    return_point: Place | None = None
    applicant: str | None = None
    approver: str | None = None

    def becomes(self, status: str, **changes: Any) -> Order:
        """The same order in its next state."""
        return replace(self, status=status, **changes)


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """What the office enters, and when (device clock; None = before the day begins)."""

    at_s: int | None
    order: Order


@dataclass(frozen=True, slots=True)
class Trap:
    """Something that looks like misuse and is none: no alert may stand in the end."""

    kind: str
    vehicle: str
    from_us: int
    to_us: int


@dataclass(slots=True)
class Vehicle:
    """One vehicle of the plan with its driver, terminal and day. ``offline``: [from, to) seconds without network."""

    id: str
    plate: str
    organisation: str
    driver: str
    driver_name: str
    phone: str
    version: int  # 2013 or 2019
    samples: Samples
    offline: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """A seeded day of a fleet: what to register, what to drive, and what must come out."""

    seed: int
    run: str
    frame: Frame
    start_s: int
    end_s: int
    organisations: list[Organisation]
    vehicles: list[Vehicle]
    updates: list[OrderUpdate]
    expected: list[ExpectedAlert]
    traps: list[Trap]
    notes: list[str] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)

    @property
    def positions(self) -> int:
        """How many positions the whole plan has."""
        return sum(len(v.samples) for v in self.vehicles)


@dataclass(frozen=True, slots=True)
class _Stretch:
    start_s: int
    xy: Floats  # (n, 2), one row a second; one row = parked
    speed: Floats
    until_s: int
    moving: bool


class Timeline:
    """Where one vehicle is, second by second, from ``start_s`` on; it begins parked at ``xy``."""

    def __init__(self, start_s: int, xy: tuple[float, float]) -> None:
        self.now = start_s
        self.at = np.array(xy, np.float64)
        self._stretches: list[_Stretch] = []
        self.jumps: list[tuple[int, int, tuple[float, float]]] = []  # from, to, false place (metres)
        self.no_fix: list[tuple[int, int]] = []
        self.rough: list[tuple[int, int, float]] = []  # from, to, extra noise (sigma, metres)
        self.silent: list[tuple[int, int]] = []  # without power: it reports nothing, then or later

    def park(self, until_s: int) -> None:
        """Stand until a time; nothing if it is past."""
        if until_s > self.now:
            self._stretches.append(_Stretch(self.now, self.at[None, :], np.zeros(1), until_s, False))
            self.now = until_s

    def move(self, way: Drive) -> None:
        """Drive ``way``, which begins where the vehicle is."""
        if len(way) > 1:
            self._stretches.append(_Stretch(self.now, way.xy, way.speed, self.now + len(way) - 1, True))
            self.now += len(way) - 1
            self.at = way.xy[-1].copy()

    def truth(self, from_s: int, to_s: int) -> Floats:
        """True places in [from_s, to_s], one row a second of driving and one for each parking, shape (n, 2)."""
        parts = [np.zeros((0, 2))]
        for s in self._stretches:
            if s.until_s < from_s or s.start_s > to_s:
                continue
            low, high = max(from_s - s.start_s, 0), to_s - s.start_s + 1
            parts.append(s.xy[low:high] if s.moving else s.xy)
        return np.concatenate(parts)

    def driven(self) -> tuple[Ints, Floats]:
        """Every second of driving: when it began, shape (n,), and the metres it went, shape (n,)."""
        moving = [s for s in self._stretches if s.moving]
        times = [np.arange(s.start_s, s.start_s + len(s.xy) - 1, dtype=np.int64) for s in moving]
        steps = [np.hypot(*np.diff(s.xy, axis=0).T) for s in moving]
        return np.concatenate([np.zeros(0, np.int64), *times]), np.concatenate([np.zeros(0), *steps])

    def samples(self, frame: Frame, rng: Generator, driving_interval_s: int = DRIVING_INTERVAL_S) -> Samples:
        """What the terminal reports: every ``driving_interval_s`` while driving, every ``PARKED_INTERVAL_S`` while
        standing, with receiver noise, false jumps, and times without a fix; nothing while it is silent."""
        times: list[Ints] = []
        places: list[Floats] = []
        speeds: list[Floats] = []
        due = self._stretches[0].start_s if self._stretches else 0
        for s in self._stretches:
            if s.moving:
                t = np.arange(s.start_s, s.until_s, driving_interval_s, dtype=np.int64)
                places.append(s.xy[t - s.start_s])
                speeds.append(s.speed[t - s.start_s])
            else:
                t = np.arange(max(due, s.start_s), s.until_s, PARKED_INTERVAL_S, dtype=np.int64)
                places.append(np.repeat(s.xy, len(t), axis=0))
                speeds.append(np.zeros(len(t)))
            times.append(t)
            if s.moving:
                due = s.until_s
            elif len(t):
                due = int(t[-1]) + PARKED_INTERVAL_S
        time, xy, speed = np.concatenate(times), np.concatenate(places), np.concatenate(speeds)
        return self._report(frame, rng, time, xy, speed)

    def _report(self, frame: Frame, rng: Generator, time: Ints, xy: Floats, speed: Floats) -> Samples:
        n = len(time)
        step = np.diff(xy, axis=0, prepend=xy[:1])
        odometer = np.cumsum(np.hypot(step[:, 0], step[:, 1])) / 100.0 + float(rng.integers(50_000, 900_000))
        heading = np.degrees(np.arctan2(step[:, 0], step[:, 1])) % 360.0
        still = np.hypot(step[:, 0], step[:, 1]) < 1.0
        heading = _hold(heading, ~still)
        seen = xy + gnss_noise(time, rng, sigma_m=4.0)
        for start, end, sigma in self.rough:
            rows = (time >= start) & (time < end)
            seen[rows] += gnss_noise(time[rows], rng, sigma_m=sigma, memory_s=300.0)
        for start, end, place in self.jumps:
            rows = (time >= start) & (time < end)
            seen[rows] = np.array(place) + rng.normal(0.0, 30.0, (int(rows.sum()), 2))
        degrees = np.rint(frame.to_degrees(seen) * 1e6).astype(np.int32)
        status = np.full(n, STATUS_POSITIONED | STATUS_RECEIVERS, np.uint32)
        status[speed > 0] |= STATUS_ACC
        for start, end in self.no_fix:
            rows = (time >= start) & (time < end)
            status[rows] &= ~np.uint32(STATUS_POSITIONED | STATUS_RECEIVERS)
            degrees[rows] = 0
        reported = np.where(speed > 0, np.maximum(speed * 3.6 + rng.normal(0.0, 0.4, n), 0.0), 0.0)
        heard = np.ones(n, np.bool_)
        for start, end in self.silent:
            heard &= (time < start) | (time >= end)
        return Samples(
            time[heard],
            degrees[heard, 0],
            degrees[heard, 1],
            np.full(int(heard.sum()), 6, np.int16),
            np.rint(reported[heard] * 10).astype(np.uint16),
            (np.rint(heading[heard]).astype(np.int64) % 360).astype(np.uint16),
            status[heard],
            np.floor(odometer[heard]).astype(np.uint32),
        )


def _hold(values: Floats, known: Bools) -> Floats:
    """``values`` with those not ``known`` replaced by the last known one (0 before the first). Shape (n,)."""
    index = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    return np.where(index >= 0, values[np.maximum(index, 0)], 0.0)


def distance_to_path(point: tuple[float, float], path: Floats) -> float:
    """Least distance in metres from a point to a polyline, shape (n, 2), n >= 1."""
    a, b = path[:-1] - point, path[1:] - point
    if len(a) == 0:
        return math.dist(point, path[0])
    d = b - a
    length2 = (d * d).sum(axis=1)
    along = np.clip(-(a * d).sum(axis=1) / np.where(length2 > 0, length2, 1.0), 0.0, 1.0)
    nearest = a + along[:, None] * d
    return float(np.sqrt((nearest * nearest).sum(axis=1).min()))
