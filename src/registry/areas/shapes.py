"""A fence as terminals take it: a circle, a rectangle or a polygon of whole 1e-6 degrees WGS-84, or why it cannot be one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import shapely

from telemetry import geo

ShapeName = Literal["circle", "rectangle", "polygon"]
Refusal = Literal["parts", "holes", "too_many_vertices", "outside", "unreadable"]

#: Vertices of a polygon, at most: 4 kB, five sub-packages. A terminal of 2011 takes MOST_2011, for it counts them in a BYTE.
MOST_VERTICES: Final = 500
MOST_2011: Final = 255
#: A polygon with so many vertices, all at one distance of its middle, is a circle that somebody drew.
_CIRCLE_FROM: Final = 24
#: ... to so much of the radius, or so many metres.
_ROUND: Final = 0.005
_ROUND_M: Final = 1.0
#: Refusal -> what to do about it.
WORDS: Final[dict[str, str]] = {
    "parts": "围栏由几块组成，终端只能存一块：请分成几个围栏 · the fence has several parts, a terminal takes one: make several fences of it",
    "holes": "围栏中有空洞，终端不能存：请去掉空洞，或分成几个围栏 · the fence has holes, which no terminal takes: remove them, or make"
    " several fences of it",
    "too_many_vertices": f"围栏顶点超过 {MOST_VERTICES} 个：请简化边界 · the fence has more than {MOST_VERTICES} vertices: simplify it",
    "outside": "围栏不在北纬、东经范围：终端不能存 · the fence is not in northern and eastern degrees",
    "unreadable": "围栏数据无法读取 · the fence cannot be read",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """``place``: fields of the message, as ``telemetry.jt808.tables.areas`` names them."""

    name: ShapeName
    place: dict[str, Any]


def shape_of(wkb: bytes) -> Shape | Refusal:
    """What a terminal is given for a fence; ``wkb``: WGS-84 degrees (longitude, latitude)."""
    try:
        geometry = shapely.from_wkb(wkb)
    except shapely.errors.ShapelyError:
        return "unreadable"
    parts = list(getattr(geometry, "geoms", [geometry]))
    if len(parts) != 1:
        return "parts"
    (polygon,) = parts
    if polygon.geom_type != "Polygon" or polygon.is_empty:
        return "unreadable"
    if polygon.interiors:
        return "holes"
    points = np.rint(np.asarray(polygon.exterior.coords)[:, :2] * 1e6).astype(
        np.int64
    )  # (n, 2): longitude, latitude
    points = points[np.r_[True, (points[1:] != points[:-1]).any(axis=1)]]
    if len(points) > 1 and (points[0] == points[-1]).all():
        points = points[:-1]
    if len(points) < 3:
        return "unreadable"
    if (points < 0).any():
        return "outside"
    if (circle := _circle(points)) is not None:
        return circle
    if len(points) > MOST_VERTICES:
        return "too_many_vertices"
    return _rectangle(points) or Shape(
        "polygon", {"vertices": [{"lat_e6": lat, "lon_e6": lon} for lon, lat in points.tolist()]}
    )


def _rectangle(points: np.typing.NDArray[np.int64]) -> Shape | None:
    """Four vertices whose sides run along the degrees."""
    if len(points) != 4:
        return None
    moves = np.roll(points, -1, axis=0) - points
    if ((moves != 0).sum(axis=1) != 1).any() or (moves[:, 0] != 0).tolist() not in (
        [True, False, True, False], [False, True, False, True],
    ):  # fmt: skip
        return None
    (west, south), (east, north) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    place = {
        "top_left_lat_e6": north, "top_left_lon_e6": west, "bottom_right_lat_e6": south, "bottom_right_lon_e6": east,
    }  # fmt: skip
    return Shape("rectangle", place)


def _circle(points: np.typing.NDArray[np.int64]) -> Shape | None:
    if len(points) < _CIRCLE_FROM:
        return None
    lon, lat = (points[:, 0] / 1e6, points[:, 1] / 1e6)
    middle = shapely.Polygon(points).centroid
    at_lon, at_lat = round(middle.x), round(middle.y)
    x, y = geo.local_plane(at_lat / 1e6, at_lon / 1e6, lat, lon)
    radii = np.hypot(x, y)
    radius = float(radii.mean())
    allowed = max(_ROUND_M, _ROUND * radius)
    # Sides are short all around: no vertices bunched in one half.
    sides = np.hypot(np.diff(np.r_[x, x[:1]]), np.diff(np.r_[y, y[:1]]))
    if (
        radius < 1
        or np.abs(radii - radius).max() > allowed
        or sides.max() > 2 * np.pi * radius / _CIRCLE_FROM * 1.5
    ):
        return None
    return Shape("circle", {"lat_e6": at_lat, "lon_e6": at_lon, "radius_m": round(radius)})
