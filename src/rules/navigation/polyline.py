"""Encoded polylines of precision 6, as Valhalla and OSRM write them. Pure.

Format: developers.google.com/maps/documentation/utilities/polylinealgorithm, with 1e-6 in place of 1e-5 degree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Point = tuple[int, int]


def encode(points: Iterable[Point]) -> str:
    """The polyline of (lat, lon) in 1e-6 degree."""
    text: list[str] = []
    last = (0, 0)
    for point in points:
        for value, before in zip(point, last, strict=True):
            step = value - before
            rest = (step << 1) ^ (step >> 63)
            while rest >= 0x20:
                text.append(chr((0x20 | (rest & 0x1F)) + 63))
                rest >>= 5
            text.append(chr(rest + 63))
        last = point
    return "".join(text)


def decode(text: str) -> list[Point]:
    """The (lat, lon) in 1e-6 degree of a polyline. Raises ValueError."""
    values: list[int] = []
    rest = shift = 0
    for letter in text:
        bits = ord(letter) - 63
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("not a polyline")
        rest |= (bits & 0x1F) << shift
        shift += 5
        if bits < 0x20:
            values.append((rest >> 1) ^ -(rest & 1))
            rest = shift = 0
    if shift or len(values) % 2:
        raise ValueError("half a polyline")
    points: list[Point] = []
    lat = lon = 0
    for north, east in zip(values[::2], values[1::2], strict=True):
        lat, lon = lat + north, lon + east
        if abs(lat) > 90_000_000 or abs(lon) > 180_000_000:
            raise ValueError("a polyline that leaves the world")
        points.append((lat, lon))
    return points


def join(parts: Sequence[Sequence[Point]]) -> list[Point]:
    """The parts one after another; a point where two meet is there once."""
    joined: list[Point] = []
    for part in parts:
        joined += part[1:] if joined and part and joined[-1] == part[0] else part
    return joined
