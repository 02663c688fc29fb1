"""The sea as areas, from the coastlines of an OSM file. Pure.

OpenStreetMap has no area of the sea: it has lines (``natural=coastline``) with the land on their left and the water on their right
(wiki.openstreetmap.org/wiki/Tag:natural=coastline). Within a square these lines and its edges enclose the water. An extract ends
somewhere: a line whose rest is not in the file is led straight to the nearest edge of what the file covers.

All coordinates are units of the last zoom: x to the east, y to the south. "Clockwise" is as one sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import shapely

from office.basemap.vector_tile import Shapes
from runtime.arrays import Floats

#: (west, north, east, south)
Rect = tuple[float, float, float, float]
#: Ends of lines this close to an edge are on it, in units.
_ON_EDGE: Final = 1e-3


def coast_of(lines: Shapes, covered: Rect) -> Shapes:
    """The ways of the coast as they go on from each other; those that end within ``covered`` are led to its nearest edge."""
    if len(lines) == 0:
        return lines
    whole = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(lines), directed=True))
    return np.array([_led(line, covered) for line in whole], object)


def _led(line: Any, covered: Rect) -> Any:
    if line.is_closed:
        return line
    points = shapely.get_coordinates(line)
    return shapely.LineString(
        np.vstack((_edge_near(points[0], covered), points, _edge_near(points[-1], covered)))
    )


def _edge_near(point: Floats, rect: Rect) -> Floats:
    west, north, east, south = rect
    x, y = float(np.clip(point[0], west, east)), float(np.clip(point[1], north, south))
    _, found = min(
        (abs(x - west), (west, y)), (abs(x - east), (east, y)), (abs(y - north), (x, north)), (abs(y - south), (x, south)),
    )  # fmt: skip
    return np.array([found])


def sea_in(coast: Shapes, rect: Rect) -> Any:
    """The water within ``rect``: a Polygon or MultiPolygon, empty where there is none, or where the lines make no sense (both sides
    of one would be water). Without any line in it nothing is known of it, and there is none."""
    near = coast[shapely.intersects(coast, shapely.box(*rect))] if len(coast) else coast
    rings = [line for line in near if line.is_closed and shapely.contains_properly(shapely.box(*rect), line)]
    open_: list[Floats] = []
    for line in near:
        if not any(line is ring for ring in rings):
            open_ += _pieces(line, rect)
    made = _enclosed(open_, rect)
    if made is None:
        return shapely.Polygon()
    # As one sees it counterclockwise is land inside; with y to the south the sign is the other one.
    islands = [shapely.Polygon(ring) for ring in rings if not _clockwise(ring)]
    lakes = [shapely.Polygon(ring) for ring in rings if _clockwise(ring)]
    if not open_ and islands:
        made = shapely.box(*rect)
    water = shapely.union_all(shapely.make_valid(np.array([made, *lakes], object)))
    return shapely.difference(water, shapely.union_all(shapely.make_valid(np.array(islands, object)))) if islands else water  # fmt: skip


def _clockwise(ring: Any) -> bool:
    return bool(shapely.is_ccw(shapely.linearrings(shapely.get_coordinates(ring))))


def _pieces(line: Any, rect: Rect) -> list[Floats]:
    """What of a line lies in ``rect``, in its direction: from an edge to an edge."""
    clipped = shapely.get_parts(shapely.clip_by_rect(line, *_normal(rect)))
    parts = [shapely.get_coordinates(part) for part in clipped if part.length > 0]
    if line.is_closed and len(parts) > 1:
        # A ring begins somewhere: where that is within, its first and its last piece are one.
        parts = _joined(parts)
    return [points for points in parts if _on_edge(points[0], rect) and _on_edge(points[-1], rect)]


def _joined(parts: list[Floats]) -> list[Floats]:
    for k, last in enumerate(parts):
        for n, first in enumerate(parts):
            if k != n and np.array_equal(last[-1], first[0]):
                rest = [part for m, part in enumerate(parts) if m not in (k, n)]
                return [*rest, np.vstack((last, first[1:]))]
    return parts


def _normal(rect: Rect) -> Rect:
    west, north, east, south = rect
    return west, min(north, south), east, max(north, south)


def _on_edge(point: Floats, rect: Rect) -> bool:
    west, north, east, south = rect
    return bool(min(abs(point[0] - west), abs(point[0] - east), abs(point[1] - north), abs(point[1] - south)) <= _ON_EDGE)  # fmt: skip


def _around(point: Floats, rect: Rect) -> float:
    """How far along the edges a point on them is, clockwise from the upper left corner: 0 to 4."""
    west, north, east, south = rect
    x, y = (point[0] - west) / (east - west), (point[1] - north) / (south - north)
    _, at = min((abs(y), x), (abs(1 - x), 1 + y), (abs(1 - y), 3 - x), (abs(x), 4 - y))
    return float(at) % 4


def _enclosed(pieces: Sequence[Floats], rect: Rect) -> Any | None:
    """What the pieces and the edges enclose on the right of the pieces; None: they contradict each other."""
    if not pieces:
        return shapely.Polygon()
    begins = np.array([_around(points[0], rect) for points in pieces])
    ends = np.array([_around(points[-1], rect) for points in pieces])
    if not _alternate(begins, ends):
        return None
    rings = []
    left = set(range(len(pieces)))
    while left:
        first = k = left.pop()
        points = [pieces[k]]
        while True:
            ahead = (begins - ends[k]) % 4
            nearest = int(ahead.argmin())
            points.append(_corners(float(ends[k]), float(ahead[nearest]), rect))
            if nearest == first:
                break
            if nearest not in left:
                return None
            left.remove(nearest)
            points.append(pieces[nearest])
            k = nearest
        rings.append(shapely.Polygon(np.vstack(points)))
    return shapely.union_all(shapely.make_valid(np.array(rings, object)))


def _alternate(begins: Floats, ends: Floats) -> bool:
    """Whether along the edges each piece that ends is followed by one that begins: between two water and land change."""
    places = np.concatenate((begins, ends))
    kinds = np.repeat((0, 1), (len(begins), len(ends)))[np.argsort(places, kind="stable")]
    return bool((kinds != np.roll(kinds, 1)).all())


def _corners(from_: float, ahead: float, rect: Rect) -> Floats:
    """The corners of the edges that are passed on the way."""
    west, north, east, south = rect
    corners = ((west, north), (east, north), (east, south), (west, south))
    first = int(np.floor(from_)) + 1
    passed = [corners[k % 4] for k in range(first, first + 5) if k < from_ + ahead]
    return np.array(passed, np.float64).reshape(-1, 2)


def squares_of(coast: Shapes, side: float, covered: Rect) -> Iterator[Rect]:
    """The squares of ``side`` that a coast touches, as far as they are covered."""
    found: set[tuple[int, int]] = set()
    for line in coast:
        xy = (shapely.get_coordinates(shapely.segmentize(line, side / 2)) // side).astype(np.int64)
        found |= set(map(tuple, np.unique(xy, axis=0).tolist()))
    west, north, east, south = covered
    for x, y in sorted(found):
        rect = (
            max(x * side, west),
            max(y * side, north),
            min((x + 1) * side, east),
            min((y + 1) * side, south),
        )
        if rect[2] > rect[0] and rect[3] > rect[1]:
            yield rect
