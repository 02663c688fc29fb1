"""Ways between places: as the navigation engine gives them, else straight lines times a factor. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from runtime.arrays import Ints
from telemetry import geo

#: A way is so much longer than the straight line, in permille. Its first NEAR_M metres are driven at NEAR_KMH, the rest at FAR_KMH: at the pace of a city a trip to the
#: capital of the province would take a day.
FACTOR_PERMILLE: Final = 1_300
NEAR_M, NEAR_KMH, FAR_KMH = 20_000, 30, 70

_FACTOR: Final = FACTOR_PERMILLE / 1000
_NEAR_S_M, _FAR_S_M = 3.6 / NEAR_KMH, 3.6 / FAR_KMH

Place = tuple[int, int]
#: (from, to) -> (metres, seconds).
Known = Mapping[tuple[Place, Place], tuple[int, int]]


class Travel:
    """Ways between numbered ``places`` ((lat, lon) in 1e-6 degree). ``known``: what the engine said; every other pair is measured on a plane that touches the earth at
    ``centre``. A place is never far from its pool, so that the plane is as good as the factor."""

    def __init__(self, places: Sequence[Place], centre: Place, known: Known | None = None) -> None:
        lat_lon = np.array(places, np.float64).reshape(-1, 2) / 1e6
        x, y = geo.local_plane(centre[0] / 1e6, centre[1] / 1e6, lat_lon[:, 0], lat_lon[:, 1])
        self._x, self._y = x, y
        self._plane = list(zip(x.tolist(), y.tolist(), strict=True))
        self._metres: Ints | None = None
        self._seconds: Ints | None = None
        if known:
            count, number = len(places), {place: k for k, place in enumerate(places)}
            self._metres = np.full((count, count), -1, np.int64)
            self._seconds = np.zeros((count, count), np.int64)
            for (start, end), (metres, seconds) in known.items():
                if start in number and end in number:
                    self._metres[number[start], number[end]] = metres
                    self._seconds[number[start], number[end]] = seconds

    def between(self, start: Ints, end: Ints) -> tuple[Ints, Ints]:
        """(metres, seconds) of the ways from ``start`` to ``end``, numbers of places, with broadcasting; -1 = nobody knows where: no way at all."""
        d_x, d_y = self._x[start] - self._x[end], self._y[start] - self._y[end]
        metres = np.rint(np.sqrt(d_x * d_x + d_y * d_y) * _FACTOR).astype(np.int64)
        near = np.minimum(metres, NEAR_M)
        seconds = np.rint(near * _NEAR_S_M + (metres - near) * _FAR_S_M).astype(np.int64)
        if self._metres is not None and self._seconds is not None:
            told = self._metres[start, end]
            metres, seconds = np.where(told >= 0, told, metres), np.where(told >= 0, self._seconds[start, end], seconds)  # fmt: skip
        nowhere = (start < 0) | (end < 0)
        return np.where(nowhere, 0, metres), np.where(nowhere, 0, seconds)

    def one(self, start: int, end: int) -> tuple[int, int]:
        """``between`` of one pair: the same numbers, without numpy's cost per call."""
        if start < 0 or end < 0:
            return 0, 0
        if self._metres is not None and self._seconds is not None and self._metres[start, end] >= 0:
            return int(self._metres[start, end]), int(self._seconds[start, end])
        (x1, y1), (x2, y2) = self._plane[start], self._plane[end]
        metres = round(math.sqrt((x1 - x2) * (x1 - x2) + (y1 - y2) * (y1 - y2)) * _FACTOR)
        return metres, seconds_of(metres)


def straight_m(places: Sequence[Place]) -> int:
    """How long the way through ``places`` is, without an engine, in metres."""
    if len(places) < 2:
        return 0
    lat, lon = np.array(places, np.int64).T
    mm = int(geo.distance_mm(lat[:-1], lon[:-1], lat[1:], lon[1:]).sum())
    return mm * FACTOR_PERMILLE // 1_000_000


def seconds_of(metres: int) -> int:
    """How long a way takes, without an engine."""
    near = min(metres, NEAR_M)
    return round(near * _NEAR_S_M + (metres - near) * _FAR_S_M)
