"""The bytes of a vector tile. Format: Mapbox Vector Tile 2.1 (github.com/mapbox/vector-tile-spec), protobuf.

All geometries of a layer are encoded at once by numpy: a province has millions of them. Pure: no IO.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import pairwise
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from runtime.arrays import Ints

#: Units of a tile's side.
EXTENT: Final = 4096

#: What a feature says of itself: names and values. Equal ones are written once in a tile.
Tags = tuple[tuple[str, str | int], ...]
Shapes = NDArray[np.object_]


class Kind(IntEnum):
    """GeomType of the format."""

    POINT = 1
    LINE = 2
    AREA = 3


# Protobuf: the number of a field and how its value is written, in one byte.
_TILE_LAYER, _NAME, _FEATURE, _KEY, _VALUE = b"\x1a", b"\x0a", b"\x12", b"\x1a", b"\x22"
_TAGS, _GEOMETRY, _STRING, _NUMBER = b"\x12", b"\x22", b"\x0a", b"\x28"
_KINDS: Final = {kind: b"\x18" + bytes([kind]) for kind in Kind}
_VERSION_2: Final = b"\x78\x02"
_MOVE_TO, _CLOSE_PATH = 1 << 3 | 1, 1 << 3 | 7
_LINE_TO: Final = 2


def layer(name: str, parts: Iterable[tuple[Kind, Shapes, Sequence[Tags]]]) -> bytes:
    """A layer of a tile; empty when nothing is left of ``parts``: (kind, shapes in units of the tile, what each says).

    Coordinates are rounded to whole units; what has no length or no area then is left out."""
    keys: dict[str, int] = {}
    values: dict[str | int, int] = {}
    packed: dict[Tags, bytes] = {}
    features: list[bytes] = []
    for kind, shapes, tags in parts:
        for k, stream in zip(*_streams(kind, shapes), strict=True):
            said = packed.get(tags[k])
            if said is None:
                numbers = [
                    number
                    for key, value in tags[k]
                    for number in (keys.setdefault(key, len(keys)), values.setdefault(value, len(values)))
                ]
                said = packed[tags[k]] = _sized(_TAGS, b"".join(map(_varint, numbers))) if numbers else b""
            features.append(_sized(_FEATURE, said + _KINDS[kind] + _sized(_GEOMETRY, stream)))
    if not features:
        return b""
    told = [_sized(_KEY, key.encode()) for key in keys]
    told += [
        _sized(_VALUE, _NUMBER + _varint(v) if isinstance(v, int) else _sized(_STRING, v.encode()))
        for v in values
    ]
    body = [_VERSION_2, _sized(_NAME, name.encode()), *features, *told, b"\x28" + _varint(EXTENT)]
    return _sized(_TILE_LAYER, b"".join(body))


def _sized(field: bytes, body: bytes) -> bytes:
    return field + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _streams(kind: Kind, shapes: Shapes) -> tuple[list[int], list[bytes]]:
    """The commands of each shape of which something is left: (its index, its bytes). Indices ascend."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    if kind is Kind.AREA:
        paths, polygon = shapely.get_rings(parts, return_index=True)
        owner = owner[polygon]
    else:
        paths, polygon = parts, np.arange(len(parts))
    points, path = shapely.get_coordinates(paths, return_index=True)
    xy = np.rint(points).astype(np.int64)
    # A vertex that rounds to the one before it says nothing.
    fresh = np.ones(len(xy), bool)
    fresh[1:] = (path[1:] != path[:-1]) | (xy[1:] != xy[:-1]).any(axis=1)
    xy, path = xy[fresh], path[fresh]
    if kind is Kind.AREA and len(path):
        closes = np.append(path[1:] != path[:-1], True)
        xy, path = xy[~closes], path[~closes]
    good = _good(kind, xy, path, len(paths), polygon)
    keep = good[path]
    xy, path = xy[keep], path[keep]
    if not len(xy):
        return [], []
    starts = np.flatnonzero(np.append(True, path[1:] != path[:-1]))
    return _written(kind, xy, starts, owner[path[starts]])


def _good(kind: Kind, xy: Ints, path: Ints, paths: int, polygon: Ints) -> NDArray[np.bool_]:
    """Which paths are still there: a line has two vertices, a ring turns the right way round an area. Without its
    outer ring, the first one, a polygon is gone."""
    counts = np.bincount(path, minlength=paths)
    if kind is not Kind.AREA:
        good: NDArray[np.bool_] = counts >= int(kind)
        return good
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    following = np.arange(1, len(xy) + 1)
    ends = (starts + counts - 1)[counts > 0]
    following[ends] = starts[counts > 0]
    x, y = xy[:, 0], xy[:, 1]
    doubled = np.bincount(path, weights=x * y[following] - x[following] * y, minlength=paths)
    outer = np.append(True, polygon[1:] != polygon[:-1]) if paths else np.zeros(0, bool)
    good = np.where(outer, doubled > 0, doubled < 0)
    gone = np.zeros(paths, bool)
    gone[polygon[outer & ~good]] = True
    return good & ~gone[polygon]


def _written(kind: Kind, xy: Ints, starts: Ints, owner: Ints) -> tuple[list[int], list[bytes]]:
    """``xy`` (n, 2) whole units; ``starts``: where paths begin in it; ``owner``: the shape of each path."""
    counts = np.diff(np.append(starts, len(xy)))
    begins = np.append(True, owner[1:] != owner[:-1])  # paths with which a shape begins
    before = np.zeros_like(xy)
    before[1:] = xy[:-1]
    before[starts[begins]] = 0  # the pen starts at the corner of the tile
    step = xy - before
    step = (step << 1) ^ (step >> 63)
    sizes = 3 + np.where(counts > 1, 2 * counts - 1, 0) + (1 if kind is Kind.AREA else 0)
    offsets = np.cumsum(sizes) - sizes
    words = np.zeros(int(sizes.sum()), np.int64)
    words[offsets] = _MOVE_TO
    words[offsets + 1], words[offsets + 2] = step[starts, 0], step[starts, 1]
    longer = counts > 1
    words[offsets[longer] + 3] = (counts[longer] - 1) << 3 | _LINE_TO
    path = np.repeat(np.arange(len(starts)), counts)
    within = np.arange(len(xy)) - starts[path]
    rest = within > 0
    places = offsets[path[rest]] + 2 + 2 * within[rest]
    words[places], words[places + 1] = step[rest, 0], step[rest, 1]
    if kind is Kind.AREA:
        words[offsets + sizes - 1] = _CLOSE_PATH
    data, ends = _varints(words)
    first = np.append(offsets[begins], len(words))
    at = np.concatenate(([0], ends))[first].tolist()
    return owner[begins].tolist(), [data[a:b] for a, b in pairwise(at)]


def _varints(words: Ints) -> tuple[bytes, Ints]:
    """All words as varints, and where each ends. Words are below 2^35."""
    width = np.ones(len(words), np.int64)
    for bits in (7, 14, 21, 28):
        width += words >= 1 << bits
    ends = np.cumsum(width)
    begins = ends - width
    out = np.zeros(int(ends[-1]), np.uint8)
    for k in range(int(width.max())):
        has = width > k
        more = np.where(width[has] > k + 1, 0x80, 0)
        out[begins[has] + k] = (words[has] >> 7 * k & 0x7F) | more
    return out.tobytes(), ends
