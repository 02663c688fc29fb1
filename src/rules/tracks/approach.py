"""How near a track comes to a place, by its segments: whole millimetres on the ellipsoid. Pure."""

from __future__ import annotations

import numpy as np

from rules.tracks.kernel import RESOLUTION_MM
from runtime.arrays import Bools, Ints
from telemetry import geo


def distances_mm(lat0_e6: int, lon0_e6: int, lat_e6: Ints, lon_e6: Ints) -> tuple[Ints, Ints]:
    """Distances in mm from a place to n fixes (n,) and to the n - 1 segments between them (max(n - 1,
    0),)."""
    x, y = geo.local_plane(lat0_e6 / 1e6, lon0_e6 / 1e6, lat_e6 / 1e6, lon_e6 / 1e6)
    points = np.rint(np.sqrt(x * x + y * y) * 1000).astype(np.int64)
    segments = np.rint(geo.segment_distance_m(x[:-1], y[:-1], x[1:], y[1:]) * 1000).astype(np.int64)
    return points, segments


def approach_mm(
    place_lat_e6: Ints,
    place_lon_e6: Ints,
    lat_e6: Ints,
    lon_e6: Ints,
    fix: Ints,
    before: Ints,
    joined: Bools,
) -> Ints:
    """How near each step of a track came to a place: int64 millimetres, shape of ``fix``.

    Pairs of a place and a fix (n,) are given once; a step goes to pair number ``fix`` from pair number ``before``
    of the same place. Where ``joined`` (no gap between) its segment counts, else the fix alone. The least of all
    steps is what ``distances_mm`` finds on the whole track.
    """
    x, y = geo.local_plane(place_lat_e6 / 1e6, place_lon_e6 / 1e6, lat_e6 / 1e6, lon_e6 / 1e6)
    result: Ints = np.rint(np.sqrt(x * x + y * y) * 1000).astype(np.int64)[fix]
    a, b = before[joined], fix[joined]
    segments = np.rint(geo.segment_distance_m(x[a], y[a], x[b], y[b]) * 1000).astype(np.int64)
    result[joined] = np.minimum(result[joined], segments)
    return result


def shown_m(mm: int) -> int:
    """A distance (mm) as it is shown, in metres: what the rounding of places can hide is taken off, the rest is rounded up.
    So the number shown compares with the limit as the judgement does."""
    return -(-max(mm - RESOLUTION_MM, 0) // 1000)
