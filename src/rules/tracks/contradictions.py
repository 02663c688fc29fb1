"""Where fixes and odometer of one terminal contradict each other: one runs while the other stands. By columns, pure.

Only stretches without long gaps are looked at: in a gap a car can drive away and come back, and a terminal that was
unplugged counts nothing. The columns find the few stretches that may be one; each of them is then measured exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rules.tracks.days import DayRows
from rules.tracks.kernel import MOVING_DKMH
from rules.tracks.mileage import window_mileage
from rules.tracks.odometer import NO_DATA, faulty_steps
from runtime.arrays import Bools, Ints
from runtime.units import US_PER_S
from telemetry import geo

#: A longer step ends a stretch.
_LONG_US: Final = 15 * 60 * US_PER_S
#: In a step longer than ``gap_s`` a car may have been away: from there so much of the odometer counts at most (0.1 km).
_UNSEEN_DKM: Final = 10
#: Fixes within this radius stand: noise, and what a car is moved about in a yard.
_STANDS_M: Final = 300
#: So many fixes make a stretch; the outermost on every side may be a stray one and does not count.
_LEAST: Final = 5


@dataclass(frozen=True, slots=True)
class Contradiction:
    """``kind``: odometer_runs or fixes_run. ``first``, ``last``: rows, both of the stretch. ``moved_m``: how far its fixes lie
    apart, or where that is less than the limit how far they drive."""

    slot: int
    kind: str
    first: int
    last: int
    odometer_m: int
    moved_m: int


def contradictions(
    rows: DayRows, valid: Ints, max_kmh: Ints, gap_s: Ints, limit_m: Ints
) -> list[Contradiction]:
    """All of them, by slot and time. ``valid``: rows that are valid fixes, ascending; the others: of each slot. A counter
    of 0 does not count yet and is left out."""
    index = valid[(rows.odometer_dkm[valid] > 0) & (rows.odometer_dkm[valid] < NO_DATA)]
    if len(index) < _LEAST:
        return []
    index = index[np.lexsort((rows.t_us[index], rows.terminal[index], rows.slot[index]))]
    slot, t, odometer = rows.slot[index], rows.t_us[index], rows.odometer_dkm[index]
    step_us = np.diff(t)
    breaks = (np.diff(slot) != 0) | (np.diff(rows.terminal[index]) != 0) | (step_us > _LONG_US)
    steps = np.where(breaks | faulty_steps(odometer, t, max_kmh[slot[1:]]), 0, np.diff(odometer))
    away = step_us > gap_s[slot[1:]] * US_PER_S
    steps = np.where(away, np.minimum(steps, _UNSEEN_DKM), steps)
    counted = np.r_[0, np.cumsum(steps)]
    made: list[Contradiction] = _fixes_run(
        rows, index, breaks | (np.diff(odometer) != 0), max_kmh, gap_s, limit_m
    )
    made += _odometer_runs(rows, index, breaks, counted, limit_m)
    return sorted(made, key=lambda c: (c.slot, rows.t_us[c.first], c.kind))


def _fixes_run(
    rows: DayRows, index: Ints, breaks: Bools, max_kmh: Ints, gap_s: Ints, limit_m: Ints
) -> list[Contradiction]:
    starts = np.r_[0, np.flatnonzero(breaks) + 1]
    ends = np.r_[starts[1:], len(index)]
    boxes_m, limits = _boxes_mm(rows, index, starts) // 1000, limit_m[rows.slot[index[starts]]]
    # Laps of a few kilometres stay in a narrow place.
    chosen = (boxes_m >= limits) | (
        (boxes_m >= _STANDS_M) & (_driven_mm(rows, index, breaks, starts) // 1000 >= limits)
    )
    chosen &= ends - starts >= _LEAST
    found = []
    for a, b in zip(starts[chosen].tolist(), ends[chosen].tolist(), strict=True):
        mine, slot = index[a:b], int(rows.slot[index[a]])
        lat, lon = np.sort(rows.lat_e6[mine])[1:-1], np.sort(rows.lon_e6[mine])[1:-1]
        moved_m = geo.distance_mm_scalar(int(lat[0]), int(lon[0]), int(lat[-1]), int(lon[-1])) // 1000
        if moved_m < limit_m[slot]:
            moved_m = _mileage_m(rows, mine, int(max_kmh[slot]), int(gap_s[slot]))
        if moved_m >= limit_m[slot]:
            found.append(Contradiction(slot, "fixes_run", int(mine[0]), int(mine[-1]), 0, moved_m))
    return found


def _driven_mm(rows: DayRows, index: Ints, breaks: Bools, starts: Ints) -> Ints:
    """The steps at both ends of which the terminal says that it drives, summed from each start to the next, mm."""
    lat, lon, moves = rows.lat_e6[index], rows.lon_e6[index], rows.speed_dkmh[index] >= MOVING_DKMH
    step = geo.distance_mm(lat[:-1], lon[:-1], lat[1:], lon[1:])
    return np.add.reduceat(np.r_[np.where(breaks | ~(moves[:-1] & moves[1:]), 0, step), 0], starts)


def _mileage_m(rows: DayRows, mine: Ints, max_kmh: int, gap_s: int) -> int:
    """The kernel's mileage of valid fixes without straight lines over gaps, m."""
    made = window_mileage(
        np.zeros(len(mine), np.int64), 1, rows.t_us[mine], rows.fingerprint[mine], rows.lat_e6[mine], rows.lon_e6[mine],
        rows.speed_dkmh[mine], rows.direction_deg[mine], rows.odometer_dkm[mine], acc=rows.acc[mine],
        max_speed_kmh=max_kmh, gap_s=gap_s, sure=True,
    )  # fmt: skip
    return int(made.metres[0] - made.bridged_m[0])


def _odometer_runs(
    rows: DayRows, index: Ints, breaks: Bools, counted: Ints, limit_m: Ints
) -> list[Contradiction]:
    # A stretch of the limit holds at least one whole piece of half of it.
    piece = counted // np.maximum(limit_m[rows.slot[index]] // 200, 1)
    starts = np.r_[0, np.flatnonzero(breaks | (np.diff(piece) != 0)) + 1]
    ends = np.r_[starts[1:], len(index)]
    whole = np.r_[~breaks[starts[1:] - 1], False] if len(starts) > 1 else np.zeros(1, np.bool_)
    narrow = _boxes_mm(rows, index, starts) <= 4 * _STANDS_M * 1000
    found: list[Contradiction] = []
    through = -1
    for a, b in zip(starts[whole & narrow].tolist(), ends[whole & narrow].tolist(), strict=True):
        if a < through:
            continue  # in the stretch before
        run = np.r_[0, np.flatnonzero(breaks) + 1, len(index)]
        k = int(np.searchsorted(run, a, "right"))
        low, high = int(run[k - 1]), int(run[k])
        mine = index[low:high]
        lat, lon = (
            int(np.median(rows.lat_e6[index[a : b + 1]])),
            int(np.median(rows.lon_e6[index[a : b + 1]])),
        )
        n = len(mine)
        far = geo.distance_mm(rows.lat_e6[mine], rows.lon_e6[mine], np.full(n, lat), np.full(n, lon))
        gone = np.flatnonzero(far > _STANDS_M * 1000)
        place = (a + b) // 2 - low
        cut = int(np.searchsorted(gone, place))
        first = int(gone[cut - 1]) + 1 if cut else 0
        last = (int(gone[cut]) if cut < len(gone) else n) - 1
        slot = int(rows.slot[index[a]])
        odometer_m = int(counted[low + last] - counted[low + first]) * 100 if last >= first else 0
        if last - first + 1 >= _LEAST and odometer_m >= limit_m[slot]:
            moved_m = int(far[first : last + 1].max()) // 1000
            found.append(
                Contradiction(slot, "odometer_runs", int(mine[first]), int(mine[last]), odometer_m, moved_m)
            )
            through = low + last
    return found


def _boxes_mm(rows: DayRows, index: Ints, starts: Ints) -> Ints:
    """The diagonal of the box around the fixes from each start to the next, mm."""
    lat, lon = rows.lat_e6[index], rows.lon_e6[index]
    return geo.distance_mm(
        np.minimum.reduceat(lat, starts), np.minimum.reduceat(lon, starts),
        np.maximum.reduceat(lat, starts), np.maximum.reduceat(lon, starts),
    )  # fmt: skip
