"""Geometry: distances against pyproj's geodesics, the plane, fences, datums."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from telemetry import geo
from telemetry.geo import Datum, FenceSet
from tests.examples import examples

GEOD = Geod(ellps="WGS84")
LAT_E6 = st.integers(-89_999_999, 89_999_999)
LON_E6 = st.integers(-180_000_000, 180_000_000)


def _pairs(n: int, longest_m: float, seed: int = 1) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(18, 54, n), rng.uniform(73, 135, n)
    azimuth, length = rng.uniform(0, 360, n), 10 ** rng.uniform(0, np.log10(longest_m), n)
    lon2, lat2, _ = GEOD.fwd(lon, lat, azimuth, length)
    return lat, lon, lat2, lon2, length, azimuth


def test_distance_is_geodesic_within_a_millionth_below_10_km() -> None:
    lat, lon, lat2, lon2, _, _ = _pairs(50_000, 10_000)
    truth = GEOD.inv(lon, lat, lon2, lat2)[2]
    error = np.abs(geo.distance_m(lat, lon, lat2, lon2) - truth)
    assert (error <= 1e-6 * truth + 2e-9).all()


def test_long_distances_and_date_line() -> None:
    lat, lon, lat2, lon2, length, _ = _pairs(5_000, 5_000_000)
    np.testing.assert_allclose(geo.distance_m(lat, lon, lat2, lon2), length, rtol=2e-6, atol=1e-8)
    assert geo.distance_m(30.0, 179.99, 30.0, -179.99) < 2_000


def test_distance_of_nothing_is_zero_and_broadcasts() -> None:
    assert geo.distance_m(32.0, 120.9, 32.0, 120.9) == 0
    assert geo.distance_m(32.0, 120.9, np.array([32.0, 33.0]), np.array([120.9, 120.9])).shape == (2,)
    assert geo.distance_m(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0)).shape == (0,)


@given(
    st.lists(
        st.tuples(LAT_E6, LON_E6, st.integers(-300_000, 300_000), st.integers(-300_000, 300_000)), max_size=40
    )
)
@settings(max_examples=examples(50), deadline=None)
def test_scalar_and_vector_and_any_split_give_the_same_millimetres(rows: list[tuple[int, ...]]) -> None:
    a = np.array(rows, np.int64).reshape(-1, 4)
    lat2, lon2 = (
        np.clip(a[:, 0] + a[:, 2], -90_000_000, 90_000_000),
        np.clip(a[:, 1] + a[:, 3], -180_000_000, 180_000_000),
    )
    whole = geo.distance_mm(a[:, 0], a[:, 1], lat2, lon2)
    assert whole.dtype == np.int64
    for k in range(len(a)):
        values = int(a[k, 0]), int(a[k, 1]), int(lat2[k]), int(lon2[k])
        assert geo.distance_mm_scalar(*values) == whole[k]
        assert geo.distance_mm(*(np.array([v]) for v in values))[0] == whole[k]


def test_local_plane_keeps_distance_and_azimuth() -> None:
    lat, lon, lat2, lon2, length, azimuth = _pairs(20_000, 10_000)
    x, y = geo.local_plane(lat, lon, lat2, lon2)
    np.testing.assert_allclose(np.hypot(x, y), length, rtol=1e-6, atol=1e-6)
    truth_x, truth_y = length * np.sin(np.radians(azimuth)), length * np.cos(np.radians(azimuth))
    assert np.hypot(x - truth_x, y - truth_y).max() < 0.01
    back_lat, back_lon = geo.from_local_plane(
        32.0, 120.9, *geo.local_plane(32.0, 120.9, np.array([32.05, 33.5]), np.array([120.95, 118.0]))
    )
    np.testing.assert_allclose(back_lat, [32.05, 33.5], atol=1e-8)
    np.testing.assert_allclose(back_lon, [120.95, 118.0], atol=1e-8)


def test_exactly_2000_metres_is_2000000_millimetres_in_every_direction() -> None:
    for azimuth in range(0, 360, 7):
        lon2, lat2, _ = GEOD.fwd(120.9, 32.0, azimuth, 2000.0)
        x, y = geo.local_plane(32.0, 120.9, lat2, lon2)
        assert np.rint(np.hypot(x, y) * 1000) == 2_000_000


def test_segment_distance_is_that_of_the_nearest_point_of_the_segment() -> None:
    x1 = np.array([-5.0, 3.0, 4.0, 0.0])
    y1 = np.array([2.0, 4.0, 3.0, 0.0])
    x2 = np.array([5.0, 6.0, 4.0, 1.0])
    y2 = np.array([2.0, 8.0, 3.0, 1.0])
    np.testing.assert_allclose(geo.segment_distance_m(x1, y1, x2, y2), [2.0, 5.0, 5.0, 0.0])


def test_fences_boundary_hole_multipolygon_and_metres_beyond() -> None:
    yard = shapely.Polygon([(120.90, 32.00), (120.91, 32.00), (120.91, 32.01), (120.90, 32.01)],
                           [[(120.904, 32.004), (120.906, 32.004), (120.906, 32.006), (120.904, 32.006)]])  # fmt: skip
    two = shapely.MultiPolygon([yard, shapely.box(120.95, 32.0, 120.96, 32.01)])
    fences = FenceSet(np.array([yard, two, shapely.Polygon()], object))
    lat = np.array([32_000_000, 32_005_000, 32_005_000, 32_005_000, 32_005_000])
    lon = np.array([120_905_000, 120_905_000, 120_902_000, 120_955_000, 120_955_000])
    which = np.array([0, 0, 0, 0, 1])
    assert fences.inside(which, lat, lon).tolist() == [True, False, True, False, True]
    beyond = fences.beyond_mm(which, lat, lon)
    assert beyond[0] == beyond[2] == beyond[4] == 0
    assert beyond[1] == pytest.approx(GEOD.inv(120.905, 32.005, 120.906, 32.005)[2] * 1000, abs=2)
    assert beyond[3] == pytest.approx(GEOD.inv(120.955, 32.005, 120.91, 32.005)[2] * 1000, rel=1e-6)
    assert fences.beyond_mm(np.array([2]), lat[:1], lon[:1])[0] > 2_000_000_000
    assert not fences.inside(np.array([2]), lat[:1], lon[:1])[0]


def test_beyond_200_metres_exactly_and_far_away() -> None:
    box = shapely.box(120.90, 32.00, 120.92, 32.02)
    fences = FenceSet(np.array([box], object))
    for metres in (200.0, 50_000.0, 400_000.0):
        lon2, lat2, _ = GEOD.fwd(120.92, 32.02, 45, metres)
        beyond = fences.beyond_mm(np.array([0]), np.array([round(lat2 * 1e6)]), np.array([round(lon2 * 1e6)]))
        assert beyond[0] == pytest.approx(metres * 1000, abs=120 + metres * 0.01)


def _beyond_one(fence: shapely.Geometry, lat_e6: int, lon_e6: int) -> int:
    """``beyond_mm`` of one point and one fence, geometry by geometry."""
    if fence.is_empty:
        return int(np.iinfo(np.int32).max)
    point = shapely.Point(lon_e6 / 1e6, lat_e6 / 1e6)
    if fence.intersects(point):
        return 0
    west, south, east, north = fence.bounds
    lat0, lon0 = (south + north) / 2, (west + east) / 2
    plane = shapely.transform(fence, lambda c: np.column_stack(geo.local_plane(lat0, lon0, c[:, 1], c[:, 0])))
    x, y = geo.local_plane(lat0, lon0, point.y, point.x)
    near_x, near_y = shapely.shortest_line(plane, shapely.Point(float(x), float(y))).coords[0]
    lat, lon = geo.from_local_plane(lat0, lon0, near_x, near_y)
    return int(np.rint(geo.distance_m(lat, lon, [point.y], [point.x])[0] * 1000))


_CORNER = st.tuples(st.integers(-40, 40), st.integers(-40, 40))


@st.composite
def _a_fence(draw: st.DrawFn) -> shapely.Geometry:
    """Empty, a yard, a yard with a hole, or two yards, somewhere near 120 E 32 N."""
    kind = draw(st.sampled_from(["empty", "yard", "hole", "two"]))
    if kind == "empty":
        return draw(st.sampled_from([shapely.Polygon(), shapely.MultiPolygon()]))
    east, north = (k / 1000 for k in draw(_CORNER))
    yard = shapely.Point(120.0 + east, 32.0 + north).buffer(
        draw(st.integers(1, 20)) / 2000, quad_segs=draw(st.integers(1, 6))
    )
    if kind == "yard":
        return yard
    if kind == "hole":
        return yard.difference(shapely.transform(yard, lambda c: c.mean(axis=0) + (c - c.mean(axis=0)) / 2))
    return shapely.union_all([yard, shapely.box(120.1, 32.1, 120.11, 32.12)])


@given(
    st.lists(_a_fence(), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.integers(-90_000, 150_000), st.integers(-90_000, 150_000)), max_size=40),
    st.integers(0, 6),
)  # fmt: skip
@settings(max_examples=examples(100), deadline=None)
def test_metres_beyond_many_fences_at_once_are_those_of_one_after_the_other(
    fences: list[shapely.Geometry], asked: list[tuple[int, int, int]], known: int
) -> None:
    geometries = np.empty(len(fences), object)
    geometries[:] = fences
    which = np.array([k % len(fences) for k, _, _ in asked], np.int64)
    lat = np.array([32_000_000 + a for _, a, _ in asked], np.int64)
    lon = np.array([120_000_000 + b for _, _, b in asked], np.int64)
    expected = [
        _beyond_one(fences[k], a, b) for k, a, b in zip(which, lat.tolist(), lon.tolist(), strict=True)
    ]
    made = FenceSet(geometries)
    assert made.beyond_mm(which, lat, lon).tolist() == expected
    assert made.beyond_mm(which[::-1], lat[::-1], lon[::-1]).tolist() == expected[::-1]
    # A set that grew, some of whose planes were there before, says the same.
    grown = FenceSet(geometries[:known])
    early = which < known
    assert grown.beyond_mm(which[early], lat[early], lon[early]).tolist() == [
        e for e, there in zip(expected, early.tolist(), strict=True) if there
    ]
    grown.update(geometries)
    assert grown.beyond_mm(which, lat, lon).tolist() == expected


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_datum_round_trip_over_china(datum: Datum) -> None:
    rng = np.random.default_rng(3)
    lat, lon = rng.uniform(18, 53.5, 20_000), rng.uniform(73.6, 135, 20_000)
    there = geo.from_wgs84(datum, lat, lon)
    back = geo.to_wgs84(datum, *there)
    assert geo.distance_m(lat, lon, *back).max() < 0.5
    assert geo.distance_m(lat, lon, *there).min() > 20


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_a_point_is_the_same_alone_and_among_others(datum: Datum) -> None:
    """To the last bit, also where the rounds end early because nothing changes any more."""
    rng = np.random.default_rng(4)
    lat, lon = rng.uniform(18, 53.5, 300), rng.uniform(73.6, 135, 300)
    w_lat, w_lon = lat.copy(), lon.copy()
    for _ in range(10):
        got_lat, got_lon = geo.from_wgs84(datum, w_lat, w_lon)
        w_lat, w_lon = w_lat + (lat - got_lat), w_lon + (lon - got_lon)
    together = geo.to_wgs84(datum, lat, lon)
    for k in range(len(lat)):
        alone = geo.to_wgs84(datum, lat[k : k + 1], lon[k : k + 1])
        if geo.in_china(lat[k : k + 1], lon[k : k + 1])[0]:
            assert (alone[0][0], alone[1][0]) == (w_lat[k], w_lon[k]) == (together[0][k], together[1][k])


def test_datum_known_places() -> None:
    # 天安门: the well-known pairs of the open converters (eviltransform, coordtransform).
    lat, lon = geo.from_wgs84(Datum.GCJ02, 39.907333, 116.391083)
    assert (float(lat), float(lon)) == pytest.approx((39.908737, 116.397327), abs=2e-5)
    shift = geo.distance_m(31.98, 120.89, *geo.from_wgs84(Datum.GCJ02, 31.98, 120.89))
    assert 440 < shift < 600  # Nantong
    # BD-09 <-> GCJ-02 pair published with coordtransform: bd09 (116.404, 39.915) = gcj02 (116.39762729,
    # 39.90865674).
    w = geo.to_wgs84(Datum.BD09, 39.915, 116.404)
    g = geo.from_wgs84(Datum.GCJ02, *w)
    assert float(g[0]) == pytest.approx(39.90865674, abs=1e-5)
    assert float(g[1]) == pytest.approx(116.39762729, abs=1e-5)


@pytest.mark.parametrize("datum", list(Datum))
def test_outside_china_unchanged(datum: Datum) -> None:
    assert [int(one) for one in geo.to_wgs84_e6(datum, 48.8566, 2.3522)] == [48_856_600, 2_352_200]
    lat, lon = geo.from_wgs84(datum, [48.8566], [2.3522])
    assert (lat[0], lon[0]) == (48.8566, 2.3522)


def test_geometry_conversion_moves_every_vertex() -> None:
    box = shapely.box(120.90, 32.00, 120.92, 32.02)
    moved = geo.geometry_to_wgs84(Datum.GCJ02, box)
    assert geo.geometry_to_wgs84(Datum.WGS84, box) is box
    lat, lon = geo.to_wgs84(Datum.GCJ02, 32.0, 120.92)
    assert shapely.distance(shapely.Point(float(lon), float(lat)), moved) < 1e-12
