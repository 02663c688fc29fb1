"""Features cut into tiles: from a square down to its tiles of the last zoom, each cut out of the one above it. Pure."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import shapely

from office.basemap.classes import LABEL, LAST_ZOOM, LAYERS, PLACE
from office.basemap.reading import WORLD, Features
from office.basemap.vector_tile import EXTENT, Kind, Shapes, Tags, layer
from runtime.arrays import Floats, Ints

#: Units around a tile that are drawn as well, so that a line does not end at its edge.
_BUFFER: Final = 64
#: Units by which a line may be off; the last zoom is enlarged by the browser, and is exact.
_OFF: Final = 4.0
_LAST_OFF: Final = 0.6
#: Lines shorter than this, in units, are left out where the map is not the last one.
_SHORTEST: Final = 8.0
_LEVEL: Final = 6
#: What a shape is in a tile, by its GeometryType of shapely (0 point, 1 line, 3 polygon, 4-6 several of them; others are nothing).
_KINDS: Final = np.array((Kind.POINT, Kind.LINE, 0, Kind.AREA, Kind.POINT, Kind.LINE, Kind.AREA, 0))

Emit = Callable[[int, int, int, bytes], None]
#: (west, south, east, north) in units of the last zoom, south > north; None: everything.
Box = tuple[float, float, float, float]


def cut(
    features: Features,
    tags: Sequence[Tags],
    root: tuple[int, int, int],
    last: int,
    emit: Emit,
    within: Box | None = None,
) -> None:
    """Hand out each tile, from ``root`` (zoom, x, y) to zoom ``last``, in which something is drawn: ``emit(zoom, x, y, gzip)``.
    ``features`` may reach beyond the root."""
    zoom, x, y = root
    inside = _clipped(features, zoom, x, y)
    if len(inside.shapes) == 0 or (within is not None and not _meets(zoom, x, y, within)):
        return
    shown = inside.take(inside.zooms <= zoom)
    if len(shown.shapes) and (body := _tile(shown, tags, zoom, x, y)):
        emit(zoom, x, y, gzip.compress(body, _LEVEL, mtime=0))
    if zoom == last:
        return
    for child_x, child_y in ((2 * x, 2 * y), (2 * x + 1, 2 * y), (2 * x, 2 * y + 1), (2 * x + 1, 2 * y + 1)):
        cut(inside, tags, (zoom + 1, child_x, child_y), last, emit, within)


def _unit(zoom: int) -> int:
    """Units of the last zoom in a unit of a tile of ``zoom``."""
    return 1 << (LAST_ZOOM - zoom)


def _meets(zoom: int, x: int, y: int, box: Box) -> bool:
    side = WORLD >> zoom
    west, south, east, north = box
    return x * side < east and (x + 1) * side > west and y * side < south and (y + 1) * side > north


def _clipped(features: Features, zoom: int, x: int, y: int) -> Features:
    """What lies in a tile and its margin."""
    side, margin = WORLD >> zoom, _BUFFER * _unit(zoom)
    west, north = x * side - margin, y * side - margin
    east, south = (x + 1) * side + margin, (y + 1) * side + margin
    bounds = shapely.bounds(features.shapes)
    touching = (
        (bounds[:, 0] <= east) & (bounds[:, 2] >= west) & (bounds[:, 1] <= south) & (bounds[:, 3] >= north)
    )
    found = features.take(touching)
    bounds = bounds[touching]
    across = (bounds[:, 0] < west) | (bounds[:, 2] > east) | (bounds[:, 1] < north) | (bounds[:, 3] > south)
    if not across.any():
        return found
    shapes = found.shapes.copy()
    shapes[across] = shapely.clip_by_rect(shapes[across], west, north, east, south)
    left = ~shapely.is_empty(shapes)
    return Features(shapes[left], found.layers[left], found.zooms[left], found.tags[left])


def _tile(shown: Features, tags: Sequence[Tags], zoom: int, x: int, y: int) -> bytes:
    """The bytes of a tile."""
    unit, side = _unit(zoom), WORLD >> zoom
    corner = np.array((x * side, y * side), np.float64)
    return b"".join(
        layer(LAYERS[number], _parts(shown.take(shown.layers == number), number, tags, zoom, unit, corner))
        for number in np.unique(shown.layers).tolist()
    )


def _parts(
    features: Features, number: int, tags: Sequence[Tags], zoom: int, unit: int, corner: Floats
) -> Iterator[tuple[Kind, Shapes, list[Tags]]]:
    """The shapes of a layer by their kind, in units of the tile."""
    kinds = _KINDS[shapely.get_type_id(features.shapes)]
    off = unit * (_LAST_OFF if zoom == LAST_ZOOM else _OFF)
    for kind in (Kind.AREA, Kind.LINE, Kind.POINT):
        which = kinds == kind
        if not which.any():
            continue
        shapes, said = features.shapes[which], features.tags[which]
        if kind is Kind.LINE:
            shapes, said = _joined(shapes, said, 0 if zoom == LAST_ZOOM else _SHORTEST * unit)
        elif kind is Kind.POINT:
            # The name of a place stands in one tile: twice would be two names.
            points = (shapely.get_coordinates(shapes) - corner) / unit
            here = (
                (points >= 0).all(axis=1) & (points < EXTENT).all(axis=1)
                if number in (PLACE, LABEL)
                else None
            )
            if here is not None:
                shapes, said = shapes[here], said[here]
        if kind is not Kind.POINT:
            shapes = shapely.simplify(shapes, off, preserve_topology=False)
        if kind is Kind.AREA:
            shapes = shapely.orient_polygons(shapes)
        left = ~shapely.is_empty(shapes)
        if not left.any():
            continue
        moved = shapely.transform(shapes[left], lambda points: (points - corner) / unit)
        yield kind, moved, [tags[k] for k in said[left].tolist()]


def _joined(shapes: Shapes, said: Ints, shortest: float) -> tuple[Shapes, Ints]:
    """Lines that say the same and meet end to end as one: OpenStreetMap cuts a road at every bridge, and no name has room on
    such pieces. What is shorter than ``shortest`` is left out."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    of = said[owner]
    order = np.argsort(of, kind="stable")
    known, place = np.unique(of[order], return_inverse=True)
    merged = shapely.line_merge(shapely.multilinestrings(parts[order], indices=place))
    if shortest:
        pieces, owner = shapely.get_parts(merged, return_index=True)
        long = shapely.length(pieces) >= shortest
        return pieces[long], known[owner[long]]
    return merged, known
