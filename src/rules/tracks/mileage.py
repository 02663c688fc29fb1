"""Mileage of windows of stored tracks: the same kernel as while streaming, from a fresh state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rules.tracks.advance import advance, row_matrix
from rules.tracks.state import FIELDS, TrackStates
from runtime.arrays import Ints


@dataclass(frozen=True, slots=True)
class WindowMileage:
    """Mileage of ``n`` windows; int64 columns of shape (n,), lengths in metres (rounded down from
    millimetres).

    ``metres`` includes ``bridged_m``. ``odometer_m`` is the terminal's own (item 0x01) between the first and
    last fix that had it, -1 where fewer than two did or it went backwards. ``fixes``: valid fixes.
    """

    metres: Ints
    bridged_m: Ints
    odometer_m: Ints
    fixes: Ints


def leg_mm(half: dict[str, int]) -> int:
    """Mileage in mm of the leg (order or run) of one half of a state."""
    return half["leg_sum_mm"] + half["leg_tail_mm"]


def window_mileage(
    window: Ints,
    count: int,
    t: Ints,
    fp: Ints,
    lat_e6: Ints,
    lon_e6: Ints,
    speed_dkmh: Ints,
    direction_deg: Ints,
    odometer_dkm: Ints,
    *,
    acc: Ints | None = None,
    max_speed_kmh: int = 200,
    gap_s: int = 120,
    sure: bool = False,
) -> WindowMileage:
    """Mileage of ``count`` windows. ``window`` (n,) says to which window (0..count-1) each row belongs; a row
    that lies in two windows is given twice. Rows are those of quality 0, in any order; ``odometer_dkm`` is -1
    where absent, ``acc`` 0 where it is not reported (None: nowhere). ``sure``:
    they are valid fixes of a longer track; else each window is cleaned for itself.
    """
    states = TrackStates(count)
    rows = row_matrix(
        len(t), t=t, fp=fp, lat=lat_e6, lon=lon_e6, speed=speed_dkmh, dir=direction_deg, odo=odometer_dkm.astype(np.int64) + 1,
        acc=0 if acc is None else acc, order=1, max_kmh=max_speed_kmh, gap_us=gap_s * 1_000_000,
        sure=sure,
    )  # fmt: skip
    done = advance(states, window, rows)
    tip = {name: states.tip[k] for k, name in enumerate(FIELDS)}
    odometer = (tip["odo_last"] - tip["odo_first"]) * 100
    odometer[(tip["odo_first"] == 0) | (odometer < 0)] = -1
    return WindowMileage(
        metres=(tip["leg_sum_mm"] + tip["leg_tail_mm"]) // 1000,
        bridged_m=tip["leg_bridged_mm"] // 1000,
        odometer_m=odometer,
        fixes=np.bincount(window[done.valid], minlength=count).astype(np.int64),
    )
