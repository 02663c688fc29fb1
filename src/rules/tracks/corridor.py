"""How far a track is from a line on the map, and where along it: whole millimetres on the ellipsoid. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from runtime.arrays import Floats, Ints
from telemetry import geo

#: Fixes times segments that are looked at together: some tens of megabytes.
_PAIRS: Final = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line of at least two points, int64 (m,), 1e-6 degree WGS-84, in the order of travel."""

    lat_e6: Ints
    lon_e6: Ints

    @classmethod
    def of(cls, points: Sequence[Sequence[int]]) -> Line:
        """The line through (lat, lon), 1e-6 degree. Raises ValueError for fewer than two points."""
        columns = np.array(points, np.int64).reshape(-1, 2)
        if len(columns) < 2:
            raise ValueError("a line has two points or more")
        return cls(columns[:, 0], columns[:, 1])

    def along_mm(self) -> Ints:
        """How far along the line each of its points is."""
        steps = geo.distance_mm(self.lat_e6[:-1], self.lon_e6[:-1], self.lat_e6[1:], self.lon_e6[1:])
        along: Ints = np.concatenate((np.zeros(1, np.int64), np.cumsum(steps)))
        return along

    def distance_mm(self, lat_e6: Ints, lon_e6: Ints) -> Ints:
        """How far each place is from the line, int64 (n,). A place is asked about once, however often it comes: a vehicle stands for
        hours."""
        places, again = np.unique(
            np.stack([lat_e6, lon_e6], axis=1).reshape(-1, 2), axis=0, return_inverse=True
        )
        found = np.zeros(len(places), np.int64)
        step = max(1, _PAIRS // len(self.lat_e6))
        for start in range(0, len(places), step):
            part = places[start : start + step]
            found[start : start + step] = self._apart(part[:, 0], part[:, 1])[0].min(axis=1)
        result: Ints = found[again.reshape(-1)]
        return result

    def positions_mm(self, lat_e6: int, lon_e6: int, within_mm: int) -> Ints:
        """How far along the line it is nearest to a place, of each of its segments that comes within ``within_mm``: a line that goes there and
        back passes a place twice."""
        apart, part = self._apart(np.array([lat_e6], np.int64), np.array([lon_e6], np.int64))
        along = self.along_mm()
        found = along[:-1] + np.rint(part[0] * np.diff(along)).astype(np.int64)
        result: Ints = found[apart[0] <= within_mm]
        return result

    def _apart(self, lat_e6: Ints, lon_e6: Ints) -> tuple[Ints, Floats]:
        """Of each place and each segment the distance, and the part of the segment before its nearest point: (n, m - 1)."""
        x, y = geo.local_plane(
            lat_e6[:, None] / 1e6,
            lon_e6[:, None] / 1e6,
            self.lat_e6[None, :] / 1e6,
            self.lon_e6[None, :] / 1e6,
        )
        x1, y1, x2, y2 = x[:, :-1], y[:, :-1], x[:, 1:], y[:, 1:]
        metres = geo.segment_distance_m(x1, y1, x2, y2)
        dx, dy = x2 - x1, y2 - y1
        length2 = dx * dx + dy * dy
        part = np.clip(-(x1 * dx + y1 * dy) / np.where(length2 > 0, length2, 1), 0, 1)
        return np.rint(metres * 1000).astype(np.int64), part
