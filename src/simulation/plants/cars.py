"""A vehicle of the scenario: where it truly was, piece by piece, and what its terminal makes of it, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from runtime.arrays import Bools, Ints
from runtime.units import US_PER_S
from simulation.city.fleet import STATUS_ACC, STATUS_POSITIONED, STATUS_RECEIVERS, Samples, Timeline
from simulation.city.roads import Drive, Generator, drive
from simulation.plants.day import Day, Room
from simulation.plants.geometry import Point, to_e6
from telemetry.positions import PositionBatch, Source

#: A parked terminal that sleeps reports so often; well below the shortest silence of a rule (120 min).
IDLE_S = 1800
#: One that is awake, parked.
AWAKE_S = 60
#: Reports that could not be sent come so long after the network is back.
UPLOAD_S = 40
#: Bit 8 of the alarm word: main power lost.
POWER_LOSS = 1 << 8
_FIXED = STATUS_POSITIONED | STATUS_RECEIVERS
_COLUMNS = ("time_s", "lat_e6", "lon_e6", "speed_dkmh", "direction_deg", "status", "odometer_dkm")


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Reports of one activity, ascending. Columns of shape (n,); ``odometer_dkm``: since the piece began."""

    time_s: Ints
    lat_e6: Ints
    lon_e6: Ints
    speed_dkmh: Ints
    direction_deg: Ints
    status: Ints
    odometer_dkm: Ints


@dataclass(slots=True, eq=False)
class Car:
    """One vehicle while it is planned. Spans are [from, to) in seconds.

    ``exact``: its receiver has no noise (plants at a limit). ``odometer``: its terminal has one. ``awake``: reports every AWAKE_S there while parked.
    ``silent``: no report at all. ``offline``: reports come later, from the terminal's memory. ``unplugged``: its
    reports say that main power is lost. ``ahead``: its clock is so many seconds ahead there. ``terminals``: (phone,
    from, to) that sat in it.
    """

    id: str
    plate: str
    organisation: str
    driver: str
    room: Room
    terminals: list[tuple[str, int, int]]
    from_s: int
    to_s: int
    exact: bool = False
    odometer: bool = True
    pieces: list[Piece] = field(default_factory=list)
    awake: list[tuple[int, int]] = field(default_factory=list)
    silent: list[tuple[int, int]] = field(default_factory=list)
    offline: list[tuple[int, int]] = field(default_factory=list)
    unplugged: list[tuple[int, int]] = field(default_factory=list)
    ahead: list[tuple[int, int, int]] = field(default_factory=list)
    days: set[int] = field(default_factory=set)  # days of the month that are taken


def _within(time_s: Ints, spans: Sequence[tuple[int, ...]]) -> Bools:
    inside = np.zeros(len(time_s), np.bool_)
    for span in spans:
        inside |= (time_s >= span[0]) & (time_s < span[1])
    return inside


def piece_of(samples: Samples) -> Piece:
    """What a ``Timeline`` gives, as a piece."""
    columns = {name: getattr(samples, name).astype(np.int64) for name in _COLUMNS}
    columns["odometer_dkm"] -= columns["odometer_dkm"][0]
    return Piece(**columns)


def with_report_at(piece: Piece, time_s: int) -> Piece:
    """The piece with a report at ``time_s`` exactly, where the vehicle is then standing."""
    k = int(np.searchsorted(piece.time_s, time_s))
    if piece.time_s[k] == time_s:
        return piece
    columns = {name: np.insert(getattr(piece, name), k, getattr(piece, name)[k]) for name in _COLUMNS}
    columns["time_s"][k] = time_s
    return Piece(**columns)


def one_report(car: Car, time_s: int, off_m: tuple[float, float]) -> Piece:
    """One report of the parked vehicle that is so many metres (east, north) off."""
    place = np.array(car.room.slot, np.float64) + np.array(off_m)
    degrees = np.rint(car.room.network.frame.to_degrees(place[None, :]) * 1e6).astype(np.int64)
    zero = np.zeros(1, np.int64)
    return Piece(zero + time_s, degrees[:, 0], degrees[:, 1], zero, zero, zero + _FIXED, zero)


class Errand(Day):
    """A stretch of a vehicle's day on the roads. Ways between two crossings are driven once and then known: a month of
    a fleet goes the same ways again and again."""

    def __init__(self, car: Car, start_s: int, rng: Generator, prefix: str, known: dict[Any, Drive]) -> None:
        super().__init__(car.room, Timeline(start_s, car.room.slot), rng, car.id, prefix)
        self.driver = car.driver
        self._known = known

    def to(self, start: int, end: int) -> None:
        """From one crossing to another."""
        network = self.room.network
        key = (start, end, int(self.rng.integers(3)))
        if key not in self._known:
            route = network.route(start, end)
            limits = [network.edges[a][b][1] for a, b in pairwise(route)]
            self._known[key] = drive(network.nodes[route], np.array(limits, np.float64), self.rng)
        self.timeline.move(self._known[key])


def straight(
    car: Car, start_s: int, way: Sequence[tuple[tuple[float, float] | None, float]], *, every_s: int = 10
) -> tuple[Piece, list[tuple[int, Point]]]:
    """A movement in straight lines without receiver noise, from the parking place. ``way``: (point of the plane, m/s),
    or (None, seconds to stand). Gives the piece, and (time, place as reported) at the start and after each step."""
    frame = car.room.network.frame
    at = np.array(car.room.slot, np.float64)
    time, marks = start_s, [(start_s, at, 0.0)]
    for target, value in way:
        if target is None:
            time += int(value)
            marks.append((time, at, 0.0))
            continue
        goal = np.array(target, np.float64)
        time += max(1, int(np.ceil(np.hypot(*(goal - at)) / value)))
        at = goal
        marks.append((time, at, value))
    knots = np.array([m[0] for m in marks], np.int64)
    places = np.array([m[1] for m in marks])
    t = np.unique(np.concatenate([np.arange(start_s, time, every_s), knots]))
    x, y = (np.interp(t, knots, places[:, k]) for k in (0, 1))
    step = np.searchsorted(knots, t, side="right").clip(1, len(knots) - 1)
    speed = np.array([m[2] for m in marks])[step] * 36.0
    d = np.diff(places, axis=0, prepend=places[:1])[step]
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    degrees = np.rint(frame.to_degrees(np.stack([x, y], axis=-1)) * 1e6).astype(np.int64)
    piece = Piece(
        t, degrees[:, 0], degrees[:, 1], np.rint(speed).astype(np.int64),
        np.rint(np.degrees(np.arctan2(d[:, 0], d[:, 1])) % 360.0).astype(np.int64) % 360,
        np.where(speed > 0, _FIXED | STATUS_ACC, _FIXED), np.floor(along / 100.0).astype(np.int64),
    )  # fmt: skip
    return piece, [(when, to_e6(frame, place)) for when, place, _ in marks]


def reports_of(car: Car, index: dict[str, int], rng: Generator) -> PositionBatch:
    """Everything that the car's terminals report, ascending in device time. ``index``: phone to terminal index."""
    pieces = sorted(car.pieces, key=lambda p: int(p.time_s[0]))
    for one, two in pairwise(pieces):
        if one.time_s[-1] >= two.time_s[0]:
            raise AssertionError(f"{car.id}: activities overlap at {int(two.time_s[0])}")
    ends = np.array([int(p.time_s[-1]) for p in pieces], np.int64)
    base = 300_000 + np.concatenate(
        [[0], np.cumsum([int(p.odometer_dkm[-1]) for p in pieces], dtype=np.int64)]
    )
    parked = _parked(car, pieces, rng)
    parked_odometer = base[np.searchsorted(ends, parked["time_s"], side="right")]
    columns = {
        name: np.concatenate(
            [parked[name], *(getattr(p, name) for p in pieces)]
            if name != "odometer_dkm"
            else [parked_odometer, *(p.odometer_dkm + b for p, b in zip(pieces, base[:-1], strict=True))]
        )
        for name in _COLUMNS
    }
    order = np.argsort(columns["time_s"], kind="stable")
    columns = {name: values[order] for name, values in columns.items()}
    time = columns["time_s"]
    keep = ~_within(time, car.silent)
    terminal = np.full(len(time), -1, np.int64)
    for phone, start, end in car.terminals:
        terminal[(time >= start) & (time < end)] = index[phone]
    keep &= terminal >= 0
    columns, terminal, time = {n: v[keep] for n, v in columns.items()}, terminal[keep], time[keep]
    offline = _within(time, car.offline)
    received = time + 1 + rng.integers(0, 3, len(time))
    for start, end in car.offline:
        rows = (time >= start) & (time < end)
        received[rows] = end + UPLOAD_S + np.arange(int(rows.sum())) // 50
    device = time.copy()
    for start, end, seconds in car.ahead:
        device[(time >= start) & (time < end)] += seconds
    return PositionBatch.build(
        len(time), terminal=terminal, received_us=received * US_PER_S, device_us=device * US_PER_S,
        lat_e6=columns["lat_e6"], lon_e6=columns["lon_e6"], altitude_m=6, speed_dkmh=columns["speed_dkmh"],
        direction_deg=columns["direction_deg"], status=columns["status"],
        alarm=np.where(_within(time, car.unplugged), POWER_LOSS, 0),
        source=np.where(offline, Source.BLIND_ZONE, Source.LIVE), odometer_dkm=columns["odometer_dkm"] * car.odometer, present=int(car.odometer),
    )  # fmt: skip


def _parked(car: Car, pieces: Sequence[Piece], rng: Generator) -> dict[str, Ints]:
    """Reports between the pieces, from the parking place."""
    phase = int(rng.integers(0, IDLE_S))
    parts = [np.arange(car.from_s + phase, car.to_s, IDLE_S, dtype=np.int64)]
    parts += [np.arange(start, end, AWAKE_S, dtype=np.int64) for start, end in car.awake]
    time = np.unique(np.concatenate(parts))
    spans = [(int(p.time_s[0]) - 1, int(p.time_s[-1]) + 2) for p in pieces]
    time = time[~_within(time, spans) & (time >= car.from_s) & (time < car.to_s)]
    n = len(time)
    xy = np.tile(np.array(car.room.slot, np.float64), (n, 1))
    if not car.exact:
        xy += rng.normal(0.0, 3.0, (n, 2))
    degrees = np.rint(car.room.network.frame.to_degrees(xy) * 1e6).astype(np.int64)
    zero = np.zeros(n, np.int64)
    return {
        "time_s": time, "lat_e6": degrees[:, 0], "lon_e6": degrees[:, 1], "speed_dkmh": zero, "direction_deg": zero,
        "status": np.full(n, _FIXED, np.int64), "odometer_dkm": zero,
    }  # fmt: skip
