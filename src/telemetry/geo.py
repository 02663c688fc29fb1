"""Geometry on the WGS-84 ellipsoid, vectorised. Pure: no IO, no clock.

Distances of short segments use only ``+ - * /`` and ``sqrt``, which IEEE 754 fixes to the last bit, so a
kilometre is the same number in every batch size, on every CPU, in numpy and in plain Python
(``distance_mm_scalar``). numpy's own ``sin``/``cos`` do not promise that (their SIMD paths differ between
machines).

Coordinates are degrees (float64, shape (n,)) unless a name ends in ``_e6`` (1e-6 degree, integers). Results
are metres.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import Geod

from runtime.arrays import Bools, Floats, Ints

#: WGS-84 (NIMA TR8350.2): semi-major axis in metres, flattening, first eccentricity squared.
WGS84_A = 6_378_137.0
WGS84_F = 1 / 298.257223563
WGS84_E2 = WGS84_F * (2 - WGS84_F)

_GEOD = Geod(ellps="WGS84")
_RAD = math.pi / 180
_RAD_E6 = math.pi / 180e6

#: Segments that span at most so much in latitude and longitude go by the short formula (0.2 degree: about 20
#: km).
SHORT_DEG = 0.2
_SHORT_E6 = 200_000

# Taylor coefficients of sin and cos; on |x| <= pi/2 the first term left out is below 1e-16.
_SIN = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(10))
_COS = tuple((-1) ** k / math.factorial(2 * k) for k in range(11))


def _sin_cos(x: Any) -> tuple[Any, Any]:
    """Sine and cosine for |x| <= pi/2 by basic arithmetic alone; works on arrays and on plain floats."""
    x2 = x * x
    s = _SIN[9]
    for a in _SIN[8::-1]:
        s = s * x2 + a
    c = _COS[10]
    for a in _COS[9::-1]:
        c = c * x2 + a
    return s * x, c


def _mid_latitude(phi_m: Any, d_phi: Any, d_lambda: Any, sqrt: Any) -> tuple[Any, Any, Any, Any]:
    """Gauss mid-latitude: (east, north) components of the geodesic at its middle, its length, sin(phi_m).

    Arguments in radians. North and east follow from the haversine identity with the meridian radius M and the
    prime-vertical radius N of the middle in place of the sphere's. Relative error below 1e-7 under 10 km.
    """
    sin_m, cos_m = _sin_cos(phi_m)
    w2 = 1 - WGS84_E2 * sin_m * sin_m
    n = WGS84_A / sqrt(w2)
    m = n * (1 - WGS84_E2) / w2
    p2 = d_phi * d_phi
    l2 = d_lambda * d_lambda
    east = n * cos_m * d_lambda * (1 - l2 / 24)
    north = m * d_phi * (1 - p2 / 24) * (1 - l2 / 8)
    chord2 = east * east + north * north
    return east, north, sqrt(chord2) * (1 + chord2 / (24 * m * n)), sin_m


def distance_m(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> Floats:
    """Ellipsoidal (geodesic) distance in metres between points in degrees, elementwise with broadcasting,
    float64."""
    a, b, c, d = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (lat1, lon1, lat2, lon2)))
    d_lat, d_lon = c - a, d - b
    near = (np.abs(d_lat) <= SHORT_DEG) & (np.abs(d_lon) <= SHORT_DEG)
    _, _, short, _ = _mid_latitude(
        (a + c) * (0.5 * _RAD), np.where(near, d_lat, 0) * _RAD, np.where(near, d_lon, 0) * _RAD, np.sqrt
    )
    return _with_long(short, near, a, b, c, d)


def _with_long(short: Any, near: Any, lat1: Any, lon1: Any, lat2: Any, lon2: Any) -> Floats:
    """``short`` with the elements that are not ``near`` replaced by pyproj's geodesic."""
    result = np.asarray(short, np.float64)
    if not near.all():
        far = ~near
        result = result.copy()
        result[far] = _GEOD.inv(lon1[far], lat1[far], lon2[far], lat2[far])[2]
    return result


def distance_mm(lat1_e6: Ints, lon1_e6: Ints, lat2_e6: Ints, lon2_e6: Ints) -> Ints:
    """Ellipsoidal distance in whole millimetres (half to even) of points in 1e-6 degree. int64, shape
    (n,)."""
    d_lat, d_lon = lat2_e6 - lat1_e6, lon2_e6 - lon1_e6
    near = (np.abs(d_lat) <= _SHORT_E6) & (np.abs(d_lon) <= _SHORT_E6)
    if not near.all():
        short_lat, short_lon = np.where(near, d_lat, 0), np.where(near, d_lon, 0)
    else:
        short_lat, short_lon = d_lat, d_lon
    _, _, short, _ = _mid_latitude(
        (lat1_e6 + lat2_e6) * (0.5 * _RAD_E6), short_lat * _RAD_E6, short_lon * _RAD_E6, np.sqrt
    )
    metres = _with_long(short, near, lat1_e6 / 1e6, lon1_e6 / 1e6, lat2_e6 / 1e6, lon2_e6 / 1e6)
    return np.rint(metres * 1000).astype(np.int64)


def distance_mm_scalar(lat1_e6: int, lon1_e6: int, lat2_e6: int, lon2_e6: int) -> int:
    """``distance_mm`` of one pair of Python integers: the same number, without numpy's cost per call."""
    d_lat, d_lon = lat2_e6 - lat1_e6, lon2_e6 - lon1_e6
    if abs(d_lat) <= _SHORT_E6 and abs(d_lon) <= _SHORT_E6:
        _, _, metres, _ = _mid_latitude(
            (lat1_e6 + lat2_e6) * (0.5 * _RAD_E6), d_lat * _RAD_E6, d_lon * _RAD_E6, math.sqrt
        )
    else:
        metres = _GEOD.inv(lon1_e6 / 1e6, lat1_e6 / 1e6, lon2_e6 / 1e6, lat2_e6 / 1e6)[2]
    return round(float(metres) * 1000)  # round() is half to even, as np.rint


def local_plane(lat0: ArrayLike, lon0: ArrayLike, lat: ArrayLike, lon: ArrayLike) -> tuple[Floats, Floats]:
    """East and north metres of points in the plane that touches the ellipsoid at (lat0, lon0).

    Azimuthal equidistant: the distance from the origin is the geodesic one. Straight lines of the plane are
    geodesics to a millimetre within 10 km. Elementwise with broadcasting, float64.
    """
    a, b, c, d = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (lat0, lon0, lat, lon)))
    d_lat, d_lon = c - a, d - b
    near = (np.abs(d_lat) <= SHORT_DEG) & (np.abs(d_lon) <= SHORT_DEG)
    d_lambda = np.where(near, d_lon, 0) * _RAD
    x, y, s, sin_m = _mid_latitude((a + c) * (0.5 * _RAD), np.where(near, d_lat, 0) * _RAD, d_lambda, np.sqrt)
    chord = np.sqrt(x * x + y * y)
    scale = np.where(chord > 0, s / np.where(chord > 0, chord, 1), 1)
    # The components are those at the middle of the geodesic; turn them back to the azimuth at the origin by
    # half the convergence of the meridians.
    sin_t, cos_t = _sin_cos(0.5 * d_lambda * sin_m)
    east = scale * (x * cos_t - y * sin_t)
    north = scale * (y * cos_t + x * sin_t)
    if not near.all():
        far = ~near
        azimuth, _, length = _GEOD.inv(b[far], a[far], d[far], c[far])
        east[far] = length * np.sin(np.radians(azimuth))
        north[far] = length * np.cos(np.radians(azimuth))
    return east, north


def from_local_plane(
    lat0: ArrayLike, lon0: ArrayLike, east: ArrayLike, north: ArrayLike
) -> tuple[Floats, Floats]:
    """Latitude and longitude in degrees of points of ``local_plane``, about one origin or each about its own.
    Shape (n,)."""
    x, y = np.atleast_1d(np.asarray(east, np.float64)), np.atleast_1d(np.asarray(north, np.float64))
    origin = np.full(x.shape, lat0, np.float64), np.full(x.shape, lon0, np.float64)
    lon, lat, _ = _GEOD.fwd(origin[1], origin[0], np.degrees(np.arctan2(x, y)), np.hypot(x, y))
    return np.asarray(lat, np.float64), np.asarray(lon, np.float64)


def segment_distance_m(x1: Floats, y1: Floats, x2: Floats, y2: Floats) -> Floats:
    """Distance in metres from the origin of a plane to the segments (x1, y1)-(x2, y2). Shape (n,).

    A segment of no length is its point.
    """
    dx, dy = x2 - x1, y2 - y1
    length2 = dx * dx + dy * dy
    part = -(x1 * dx + y1 * dy) / np.where(length2 > 0, length2, 1)
    part = np.clip(part, 0, 1)
    px, py = x1 + part * dx, y1 + part * dy
    return np.sqrt(px * px + py * py)


#: Edges of fences are cut into pieces of this length in degrees, of larger fences into so many at most.
EDGE_DEG = 0.005
EDGES = 20_000


class FenceSet:
    """Polygons in degrees (longitude, latitude) with the two questions asked of a fence.

    ``geometries``: object array of shapely polygons or multipolygons, shape (g,). The boundary belongs to the
    fence. ``fine``: an edge is the straight line in degrees (RFC 7946) also for distances; else, as version 1 of the rules
    measured, in the fence's plane, which differs by 1 m for edges of 10 km, and by 70 m for those of 100 km.
    """

    def __init__(self, geometries: NDArray[np.object_], *, fine: bool = False) -> None:
        self.geometries, self._fine = geometries, fine
        shapely.prepare(geometries)
        # Each fence's own plane, made when it is first needed: its origin in degrees, and the fence in it.
        self._lat0 = np.zeros(len(geometries))
        self._lon0 = np.zeros(len(geometries))
        self._planes = np.full(len(geometries), None, object)

    def update(self, geometries: NDArray[np.object_]) -> None:
        """Take a longer array of geometries; those known already keep their index. One may be None until it is asked about."""
        more = len(geometries) - len(self.geometries)
        if more:
            shapely.prepare(geometries)
            self.geometries = geometries
        if more > 0:
            self._lat0 = np.concatenate((self._lat0, np.zeros(more)))
            self._lon0 = np.concatenate((self._lon0, np.zeros(more)))
            self._planes = np.concatenate((self._planes, np.full(more, None, object)))

    def inside(self, fence: Ints, lat_e6: Ints, lon_e6: Ints) -> Bools:
        """Whether each point lies in or on fence number ``fence`` (index into geometries). Shape (n,)."""
        result: Bools = shapely.intersects_xy(self.geometries[fence], lon_e6 / 1e6, lat_e6 / 1e6)
        return result

    def beyond_mm(self, fence: Ints, lat_e6: Ints, lon_e6: Ints) -> Ints:
        """Distance from each point to the nearest point of its fence in whole millimetres; 0 inside. int64,
        (n,).

        The nearest point is found in a plane about the middle of the fence, the distance to it on the
        ellipsoid. An empty fence has no nearest point: the result is the largest int32.
        """
        result = np.full(len(fence), np.iinfo(np.int32).max, np.int64)
        self._project(np.unique(fence))
        rows = np.flatnonzero(~shapely.is_empty(self.geometries[fence]))
        if not len(rows):
            return result
        # By fence: the coordinates of a fence stay in the processor's caches while its points are looked at.
        rows = rows[np.argsort(fence[rows], kind="stable")]
        mine, lat, lon = fence[rows], lat_e6[rows] / 1e6, lon_e6[rows] / 1e6
        lat0, lon0 = self._lat0[mine], self._lon0[mine]
        x, y = local_plane(lat0, lon0, lat, lon)
        lines = shapely.shortest_line(self._planes[mine], shapely.points(x, y))
        nearest = shapely.get_coordinates(lines)[::2]
        near_lat, near_lon = from_local_plane(lat0, lon0, nearest[:, 0], nearest[:, 1])
        metres = distance_m(near_lat, near_lon, lat, lon)
        metres[shapely.intersects_xy(self.geometries[mine], lon, lat)] = 0
        result[rows] = np.rint(metres * 1000).astype(np.int64)
        return result

    def _project(self, fences: Ints) -> None:
        """Have the planes of ``fences`` (distinct); all that are missing are made together."""
        new = fences[shapely.is_missing(self._planes[fences])]
        new = new[~shapely.is_empty(self.geometries[new])]
        if not len(new):
            return
        shapes = self.geometries[new]
        west, south, east, north = shapely.bounds(shapes).T
        if self._fine:
            # Between vertices so near to one another both lines are the same to 5 mm.
            shapes = shapely.segmentize(shapes, np.maximum(EDGE_DEG, (east - west + north - south) / EDGES))
        self._lat0[new], self._lon0[new] = (south + north) / 2, (west + east) / 2
        points, owner = shapely.get_coordinates(shapes, return_index=True)
        x, y = local_plane(self._lat0[new][owner], self._lon0[new][owner], points[:, 1], points[:, 0])
        planes = shapely.set_coordinates(shapes.copy(), np.column_stack((x, y)))
        shapely.prepare(planes)
        self._planes[new] = planes


class Datum(StrEnum):
    """In which datum a coordinate was given. GCJ-02 is that of Chinese maps, BD-09 that of Baidu."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


# GCJ-02 is unpublished; these are the constants of the reverse-engineered transformation that all open
# converters share (Krasovsky 1940 ellipsoid). Agreement with the official one is at the metre level.
_KRASOVSKY_A = 6_378_245.0
_KRASOVSKY_E2 = 0.00669342162296594323
_BD_TURN = math.pi * 3000 / 180


def in_china(lat: ArrayLike, lon: ArrayLike) -> Bools:
    """Whether points (degrees) lie in the rectangle in which GCJ-02 shifts coordinates."""
    a, o = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    return (o >= 72.004) & (o <= 137.8347) & (a >= 0.8293) & (a <= 55.8271)


def _gcj_shift(lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    pi = math.pi
    wave = (20 * np.sin(6 * x * pi) + 20 * np.sin(2 * x * pi)) * 2 / 3
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    d_lat += (20 * np.sin(y * pi) + 40 * np.sin(y / 3 * pi)) * 2 / 3
    d_lat += (160 * np.sin(y / 12 * pi) + 320 * np.sin(y * pi / 30)) * 2 / 3
    d_lon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    d_lon += (20 * np.sin(x * pi) + 40 * np.sin(x / 3 * pi)) * 2 / 3
    d_lon += (150 * np.sin(x / 12 * pi) + 300 * np.sin(x / 30 * pi)) * 2 / 3
    rad = np.radians(lat)
    magic = 1 - _KRASOVSKY_E2 * np.sin(rad) ** 2
    d_lat = np.degrees(d_lat / (_KRASOVSKY_A * (1 - _KRASOVSKY_E2) / (magic * np.sqrt(magic))))
    d_lon = np.degrees(d_lon / (_KRASOVSKY_A / np.sqrt(magic) * np.cos(rad)))
    china = in_china(lat, lon)
    return np.where(china, d_lat, 0.0), np.where(china, d_lon, 0.0)


def _gcj_to_bd(lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
    z = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BD_TURN)
    theta = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BD_TURN)
    return z * np.sin(theta) + 0.006, z * np.cos(theta) + 0.0065


def from_wgs84(datum: Datum, lat: ArrayLike, lon: ArrayLike) -> tuple[Floats, Floats]:
    """Latitudes and longitudes (degrees, shape (n,) or scalar) of WGS-84 points in ``datum``.

    Points outside China are unchanged.
    """
    a, o = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    if datum is Datum.WGS84:
        return a, o
    d_lat, d_lon = _gcj_shift(a, o)
    g_lat, g_lon = a + d_lat, o + d_lon
    if datum is Datum.GCJ02:
        return g_lat, g_lon
    b_lat, b_lon = _gcj_to_bd(g_lat, g_lon)
    china = in_china(a, o)
    return np.where(china, b_lat, a), np.where(china, b_lon, o)


def to_wgs84(datum: Datum, lat: ArrayLike, lon: ArrayLike) -> tuple[Floats, Floats]:
    """WGS-84 latitudes and longitudes (degrees) of points given in ``datum``; the inverse of ``from_wgs84``.

    Fixed-point iteration; it contracts by about 1e-2 a round, so ten leave far less than a millimetre. Where a round changes no
    bit of any point, no later one does. Points outside China are unchanged.
    """
    a, o = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    if datum is Datum.WGS84:
        return a, o
    china = in_china(a, o)
    w_lat, w_lon = a.copy(), o.copy()
    for _ in range(10):
        got_lat, got_lon = from_wgs84(datum, w_lat, w_lon)
        before = w_lat, w_lon
        w_lat, w_lon = w_lat + (a - got_lat), w_lon + (o - got_lon)
        if np.array_equal(w_lat, before[0]) and np.array_equal(w_lon, before[1]):
            break
    return np.where(china, w_lat, a), np.where(china, w_lon, o)


def to_wgs84_e6(datum: Datum, lat: ArrayLike, lon: ArrayLike) -> tuple[Ints, Ints]:
    """``to_wgs84`` in whole 1e-6 degrees, int64."""
    a, o = to_wgs84(datum, lat, lon)
    return np.rint(a * 1e6).astype(np.int64), np.rint(o * 1e6).astype(np.int64)


def geometry_to_wgs84(datum: Datum, geometry: Any) -> Any:
    """A shapely geometry of (longitude, latitude) in ``datum`` as WGS-84, vertex by vertex."""

    def convert(points: Floats) -> Floats:
        lat, lon = to_wgs84(datum, points[:, 1], points[:, 0])
        return np.column_stack((lon, lat))

    return geometry if datum is Datum.WGS84 else shapely.transform(geometry, convert)
