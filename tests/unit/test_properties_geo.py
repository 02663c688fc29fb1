"""Datums over all of China on a grid, and the noise of receivers over many seeds."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Geod

from telemetry import geo
from telemetry.geo import Datum
from tests.unit.test_tracks import mileage

GEOD = Geod(ellps="WGS84")


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_there_and_back_from_the_south_china_sea_to_the_amur(datum: Datum) -> None:
    """From 中国 by its extremes, 3.4 to 53.6 north and 73.4 to 135.1 east, each tenth of a degree and its edges."""
    lat, lon = np.meshgrid(
        np.append(np.arange(3.4, 53.6, 0.1), 53.6), np.append(np.arange(73.4, 135.1, 0.1), 135.1)
    )
    lat, lon = lat.ravel(), lon.ravel()
    there = geo.from_wgs84(datum, lat, lon)
    back = geo.to_wgs84(datum, *there)
    assert GEOD.inv(lon, lat, back[1], back[0])[2].max() < 0.5
    again = geo.from_wgs84(datum, *back)
    assert GEOD.inv(there[1], there[0], again[1], again[0])[2].max() < 0.5


def test_distances_along_meridians_parallels_and_between_near_fixes() -> None:
    """Directions that random pairs hardly meet, at lengths of 1 m to 10 km, from 18 to 54 degrees north."""
    lat, azimuth, length = (
        a.ravel()
        for a in np.meshgrid(
            np.arange(18.0, 54.01, 0.5), np.arange(0.0, 360.0, 15.0), [1.0, 10.0, 500.0, 9_999.0]
        )
    )
    lon = np.full(len(lat), 104.0)
    lon2, lat2, _ = GEOD.fwd(lon, lat, azimuth, length)
    error = np.abs(geo.distance_m(lat, lon, lat2, lon2) - GEOD.inv(lon, lat, lon2, lat2)[2])
    assert (error <= 1e-6 * length + 2e-9).all()
    assert error.max() > 0


@pytest.mark.parametrize("seed", range(20))
def test_eight_hours_parked_with_ten_metres_of_noise_are_less_than_100_m(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 8 * 360
    made = mileage(np.arange(n) * 10, rng.normal(0, 10, n), rng.normal(0, 10, n))
    assert made.metres[0] < 100
