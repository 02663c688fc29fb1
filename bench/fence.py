"""The fence check: points per second for 1 and 1,000 fences, against a bare shapely.contains_xy of the same points."""

from __future__ import annotations

import argparse
import time

import numpy as np
import shapely

from bench.report import heading, spread, table
from telemetry.geo import FenceSet

POINTS = 200_000


def _fences(count: int) -> list[shapely.Polygon]:
    """Yards of 24 corners, spread over a city."""
    rng = np.random.default_rng(3)
    centres = rng.uniform((120.6, 31.8), (121.2, 32.2), (count, 2))
    return [shapely.Point(*c).buffer(0.003, quad_segs=6) for c in centres]


def run(options: argparse.Namespace) -> None:
    """Print points per second."""
    runs = options.runs
    heading("Fence check: points per second, one core")
    rng = np.random.default_rng(4)
    rows = []
    for count in (1, 1000):
        fences = np.array(_fences(count))
        shapely.prepare(fences)
        known = FenceSet(fences)
        of_point = rng.integers(0, count, POINTS)
        centres = shapely.get_coordinates(shapely.centroid(fences))[of_point]
        points = centres + rng.uniform(-0.004, 0.004, (POINTS, 2))
        lon_e6, lat_e6 = np.rint(points * 1e6).astype(np.int64).T
        bare, ours = [], []
        for _ in range(runs):
            begin = time.process_time()
            shapely.contains_xy(fences[of_point], points[:, 0], points[:, 1])
            bare.append(POINTS / (time.process_time() - begin))
            begin = time.process_time()
            known.inside(of_point, lat_e6, lon_e6)
            ours.append(POINTS / (time.process_time() - begin))
        share = [a / b for a, b in zip(ours, bare, strict=True)]
        rows.append([f"{count:,}", spread(bare), spread(ours), spread(share, 2)])
    table(["fences", "bare contains_xy", "fence check", "share"], rows)
