"""Places at given distances, measured by pyproj: independent of the formulas that the rules use."""

from __future__ import annotations

import numpy as np
from pyproj import Geod

from runtime.arrays import Floats
from simulation.city.roads import Frame

_GEOD = Geod(ellps="WGS84")
#: How near to a limit a place is put, metres: a centimetre, where the rules' own arithmetic is good to millimetres.
NEAR_M = (0.003, 0.012)
#: What the rounding of a report's place to 1e-6 degree can hide counts for the driver where a limit is included (以内). A place
#: that is to be outside is put so far beyond such a limit, metres.
OUTSIDE_M = 0.1

Point = tuple[int, int]  # latitude, longitude in 1e-6 degree


def to_e6(frame: Frame, xy: Floats) -> Point:
    """A point of the plane as a terminal would report it."""
    lat, lon = np.rint(frame.to_degrees(np.asarray(xy, np.float64)) * 1e6).astype(int)
    return int(lat), int(lon)


def from_e6(frame: Frame, point: Point) -> tuple[float, float]:
    """The other way round."""
    x, y = frame.to_metres(np.array(point) / 1e6)
    return float(x), float(y)


def at_distance(point: Point, metres: float, bearing_deg: float, *, beyond: bool) -> Point:
    """A place about ``bearing_deg`` of ``point`` that is ``metres`` away but for NEAR_M: not ``beyond``, just within."""
    bearings = bearing_deg + np.linspace(-8.0, 8.0, 4001)
    lon, lat, _ = _GEOD.fwd(
        np.full(len(bearings), point[1] / 1e6), np.full(len(bearings), point[0] / 1e6), bearings,
        np.full(len(bearings), metres),
    )  # fmt: skip
    lat_e6, lon_e6 = np.rint(np.asarray(lat) * 1e6), np.rint(np.asarray(lon) * 1e6)
    n = len(bearings)
    _, _, found = _GEOD.inv(
        np.full(n, point[1] / 1e6), np.full(n, point[0] / 1e6), lon_e6 / 1e6, lat_e6 / 1e6
    )
    over = np.asarray(found) - metres if beyond else metres - np.asarray(found)
    fitting = np.flatnonzero((over > NEAR_M[0]) & (over < NEAR_M[1]))
    if not len(fitting):
        raise AssertionError("no place so near to the limit")
    best = int(fitting[np.argmin(np.abs(fitting - n // 2))])
    return int(lat_e6[best]), int(lon_e6[best])


def square(frame: Frame, centre: tuple[float, float], half_m: float) -> list[list[float]]:
    """A closed GeoJSON ring (longitude first) of a square about a point of the plane."""
    x, y = centre
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    points = np.array([(x + a * half_m, y + b * half_m) for a, b in corners])
    return [[round(float(lon), 7), round(float(lat), 7)] for lat, lon in frame.to_degrees(points)]
