"""One step of a track: what the next fix does to a vehicle's state.

``step`` is written once and runs in two ways with the same integers as result: over numpy columns (one
element a vehicle) and over plain Python integers (one vehicle). ``Ops`` hides the difference. Nothing here is
a float except inside the distance formula, which is exact to the bit in both (telemetry.geo).

Cleaning. A fix whose implied speed from the previous valid fix exceeds ``max_speed_kmh`` is a jump: it
changes nothing but the time, and is never the previous fix of another. The time between is at least one
second, since device times have whole seconds.

Mileage. A fix is *kept* when it is KEEP_MM or more from the last kept one (the anchor),
or, while moving, when its direction turned by TURN_DEG or more and it is TURN_KEEP_MM or more away. The
mileage is the sum of the distances between kept fixes plus the tail: the distance of the last moving fix from
the anchor. Drift of a standing vehicle stays near the anchor and adds nothing; the noise of a driving one is
taken in over long chords only. When a fix is kept across a gap longer than ``gap_s``, the straight line from
the previous valid fix is added and also counted as bridged.

Runs and episodes (docs/rules/location.md). A run is a sequence of consecutive valid fixes outside the vehicle's
fence at times that no order covers. It becomes an episode at the first fix, not its first, that is
``min_displacement_m`` or more both from the run's first fix and beyond the fence, and that is real: its speed
says so, or the fix before it was displaced too (one stray fix of a standing vehicle is not a drive). It ends
when a fix is inside, covered, or without a fence, when the vehicle is no official one any more, or when there was no
moving fix for ``episode_idle_min`` and this one is no displacement from the fix before it (silent that long and seen
elsewhere was driven, not parked); after that a new run starts where the vehicle stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np

from rules.tracks.v1.state import FIELDS
from telemetry import geo

MOVING_DKMH = 50  # above this reported speed a vehicle moves (5 km/h)
MOVING_MM = 50_000  # or farther than this from the previous valid fix
KEEP_MM = 80_000
TURN_KEEP_MM = 30_000
TURN_DEG = 30
US_PER_S = 1_000_000

#: Columns of a row, in the order of the row matrix; int64.
ROW_FIELDS: tuple[str, ...] = (
    "t",
    "fp",
    "lat",
    "lon",
    "speed",  # 0.1 km/h
    "dir",  # degree
    "odo",  # 0.1 km plus 1; 0 = absent
    "day",  # natural day of t
    "order",  # number of the order that covers t, 0 = none
    "fenced",  # 1: the vehicle has a fence at t, 0: it has none, -1: it is no official vehicle at t
    "outside",  # 1: the fix is outside of it
    "beyond",  # mm from the fence when outside
    "max_kmh",
    "gap_us",
    "displaced_mm",
    "idle_us",
)


class Event(IntEnum):
    """What a row did to the vehicle's episode."""

    NONE = 0
    OPENED = 1
    ENTERED = 2  # closed: back inside the fence
    ORDER = 3  # closed: an order covers the time
    IDLE = 4  # closed: parked
    NO_FENCE = 5  # closed: the vehicle has no fence any more
    NOT_OFFICIAL = 6  # closed: the vehicle is no official one any more


class VectorOps:
    """numpy columns."""

    where = staticmethod(np.where)
    maximum = staticmethod(np.maximum)
    minimum = staticmethod(np.minimum)
    no = staticmethod(np.logical_not)

    @staticmethod
    def distances(places: Sequence[tuple[Any, Any]], lat: Any, lon: Any) -> list[Any]:
        """Distance in mm from each place to (lat, lon); 0 from a place that is not set (0, 0)."""
        unset = [(a == 0) & (b == 0) for a, b in places]
        lats = np.concatenate([np.where(u, lat, a) for u, (a, _) in zip(unset, places, strict=True)])
        lons = np.concatenate([np.where(u, lon, b) for u, (_, b) in zip(unset, places, strict=True)])
        count = len(places)
        return list(geo.distance_mm(lats, lons, np.tile(lat, count), np.tile(lon, count)).reshape(count, -1))


class ScalarOps:
    """Plain Python integers and booleans."""

    maximum = staticmethod(max)
    minimum = staticmethod(min)

    @staticmethod
    def where(condition: Any, a: Any, b: Any) -> Any:
        return a if condition else b

    @staticmethod
    def no(value: Any) -> Any:
        return not value

    @staticmethod
    def distances(places: Sequence[tuple[Any, Any]], lat: Any, lon: Any) -> list[Any]:
        return [0 if a == 0 and b == 0 else geo.distance_mm_scalar(a, b, lat, lon) for a, b in places]


def _mileage(
    o: Any, s: Any, name: str, fresh: Any, r: Any, distance: Any, gap: Any, d_prev: Any
) -> dict[str, Any]:
    """Mileage fields ``name``_* after a valid fix. ``fresh``: the fix is the first of a new window."""
    w = o.where
    turn = abs(r.dir - getattr(s, name + "_a_dir")) % 360
    turned = o.minimum(turn, 360 - turn) >= TURN_DEG
    moving = r.speed > MOVING_DKMH
    keep = (distance >= KEEP_MM) | (moving & turned & (distance >= TURN_KEEP_MM))
    bridge = keep & gap
    tail = getattr(s, name + "_tail_mm")
    added = w(keep, w(bridge, tail + d_prev, distance), 0)
    anchor = keep | fresh
    return {
        name + "_a_lat": w(anchor, r.lat, getattr(s, name + "_a_lat")),
        name + "_a_lon": w(anchor, r.lon, getattr(s, name + "_a_lon")),
        name + "_a_dir": w(anchor, r.dir, getattr(s, name + "_a_dir")),
        name + "_sum_mm": w(fresh, 0, getattr(s, name + "_sum_mm") + added),
        name + "_tail_mm": w(anchor, 0, w(moving, distance, tail)),
        name + "_bridged_mm": w(fresh, 0, getattr(s, name + "_bridged_mm") + w(bridge, d_prev, 0)),
    }


def step(o: Any, s: Any, r: Any) -> dict[str, Any]:
    """The new half after row ``r`` (namespace of ROW_FIELDS) on half ``s`` (namespace of FIELDS).

    ``o``: VectorOps for columns of shape (n,), ScalarOps for Python integers. Returns the fields by name.
    """
    w = o.where
    d_prev, d_day, d_leg, d_run = o.distances(
        (
            (s.prev_lat, s.prev_lon),
            (s.day_a_lat, s.day_a_lon),
            (s.leg_a_lat, s.leg_a_lon),
            (s.run_lat, s.run_lon),
        ),
        r.lat,
        r.lon,
    )
    known = s.prev_t != 0
    dt = o.maximum(r.t - s.prev_t, US_PER_S)
    # 1 km/h = 1e6 mm / 3600e6 us, so mm * 3600 > km/h * us compares speeds in integers.
    ok = o.no(known & (d_prev * 3600 > r.max_kmh * dt))
    gap = known & (dt > r.gap_us)
    moving = (r.speed > MOVING_DKMH) | (known & (d_prev > MOVING_MM))

    out = (r.fenced > 0) & (r.outside != 0) & (r.order == 0)
    running = s.run_t != 0
    here = d_prev < o.maximum(r.displaced_mm, MOVING_MM)
    idle = running & out & here & (r.t - o.maximum(s.moved_t, s.run_t) >= r.idle_us)
    start = out & (o.no(running) | idle)
    go_on = out & o.no(start)
    away = go_on & (d_run >= r.displaced_mm)
    was_open = s.open_t != 0
    real = (r.speed > MOVING_DKMH) | (s.run_away != 0)
    opens = away & o.no(was_open) & (r.beyond >= r.displaced_mm) & real
    closes = was_open & (o.no(out) | idle)
    unfenced = w(r.fenced < 0, int(Event.NOT_OFFICIAL), int(Event.NO_FENCE))
    ended = w(r.order != 0, int(Event.ORDER), w(r.fenced <= 0, unfenced, int(Event.ENTERED)))
    event = w(closes, w(idle, int(Event.IDLE), ended), w(opens, int(Event.OPENED), int(Event.NONE)))

    run_t = w(start, r.t, w(go_on, s.run_t, 0))
    leg = w(r.order != 0, r.order, -run_t)
    new_leg = (leg != s.leg) & (leg != 0)
    new_day = r.day != s.day
    has_odo = r.odo != 0
    odo_first = w(new_leg, 0, s.odo_first)

    after = {
        "event": event,
        "prev_t": r.t,
        "prev_lat": r.lat,
        "prev_lon": r.lon,
        "moved_t": w(moving, r.t, s.moved_t),
        "day": r.day,
        **_mileage(o, s, "day", new_day, r, w(new_day, 0, d_day), gap, d_prev),
        "leg": leg,
        **_mileage(o, s, "leg", new_leg | (leg == 0), r, w(new_leg, 0, d_leg), gap, d_prev),
        "leg_t": w(new_leg, r.t, w(leg == 0, 0, s.leg_t)),
        "odo_first": w(leg == 0, 0, w((odo_first == 0) & has_odo, r.odo, odo_first)),
        "odo_last": w(leg == 0, 0, w(has_odo, r.odo, w(new_leg, 0, s.odo_last))),
        "run_t": run_t,
        "run_lat": w(start, r.lat, w(go_on, s.run_lat, 0)),
        "run_lon": w(start, r.lon, w(go_on, s.run_lon, 0)),
        "run_n": w(start, 1, w(go_on, s.run_n + 1, 0)),
        "run_last_t": w(out, r.t, 0),
        "run_far": w(start, r.beyond, w(go_on, o.maximum(s.run_far, r.beyond), 0)),
        "run_away": w(away, 1, 0),
        "open_t": w(opens, r.t, w(go_on, s.open_t, 0)),
    }
    # A jump changes nothing but the time.
    result = {name: w(ok, value, 0 if name == "event" else getattr(s, name)) for name, value in after.items()}
    result["t"], result["fp"] = r.t, r.fp
    return result


def namespace(names: Sequence[str], values: Any) -> SimpleNamespace:
    """``values`` (one a name, in order) under their names."""
    return SimpleNamespace(**dict(zip(names, values, strict=True)))


def step_vehicle(half: Sequence[int], row: Sequence[int]) -> list[int]:
    """``step`` of one vehicle over plain integers; ``half`` in the order of FIELDS, ``row`` of ROW_FIELDS."""
    result = step(ScalarOps, namespace(FIELDS, half), namespace(ROW_FIELDS, row))
    return [int(result[name]) for name in FIELDS]


def step_vehicles(halves: Any, rows: Any) -> Any:
    """``step`` of many vehicles: int64 matrices (len(FIELDS), n) and (len(ROW_FIELDS), n) to (len(FIELDS),
    n)."""
    result = step(VectorOps, namespace(FIELDS, halves), namespace(ROW_FIELDS, rows))
    made = np.empty_like(halves)
    for place, name in enumerate(FIELDS):
        made[place] = result[name]
    return made
