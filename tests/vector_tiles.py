"""Vector tiles read back, by the letter of the format (github.com/mapbox/vector-tile-spec 2.1) and by nothing of the program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Feature:
    """``kind`` 1 points, 2 lines, 3 areas; ``paths``: lists of (x, y) in units of the tile, rings without their last point."""

    kind: int
    tags: dict[str, Any]
    paths: list[list[tuple[int, int]]]


def layers(data: bytes) -> dict[str, list[Feature]]:
    """The layers of a tile by name."""
    found = {}
    for number, body in _fields(data):
        assert number == 3
        name, features = _layer(body)
        assert name not in found
        found[name] = features
    return found


def _layer(data: bytes) -> tuple[str, list[Feature]]:
    name, keys, values, bodies, seen = "", [], [], [], {}
    for number, value in _fields(data):
        if number == 1:
            name = value.decode()
        elif number == 2:
            bodies.append(value)
        elif number == 3:
            keys.append(value.decode())
        elif number == 4:
            ((kind, inner),) = _fields(value)
            values.append(inner.decode() if kind == 1 else inner)
        else:
            seen[number] = value
    assert seen == {15: 2, 5: 4096}
    assert len(set(keys)) == len(keys)
    return name, [_feature(body, keys, values) for body in bodies]


def _feature(data: bytes, keys: list[str], values: list[Any]) -> Feature:
    said = dict(_fields(data))
    pairs = list(_varints(said.get(2, b"")))
    tags = {keys[key]: values[value] for key, value in zip(pairs[::2], pairs[1::2], strict=True)}
    return Feature(said[3], tags, _paths(said[3], list(_varints(said[4]))))


def _paths(kind: int, words: list[int]) -> list[list[tuple[int, int]]]:
    paths: list[list[tuple[int, int]]] = []
    x = y = at = 0
    while at < len(words):
        command, count = words[at] & 7, words[at] >> 3
        at += 1
        if command == 7:
            assert (kind, count) == (3, 1)
            continue
        assert command in (1, 2)
        assert count >= 1
        for _ in range(count):
            x, y, at = x + _signed(words[at]), y + _signed(words[at + 1]), at + 2
            if command == 1:
                paths.append([])
            paths[-1].append((x, y))
    return paths


def _signed(word: int) -> int:
    return (word >> 1) ^ -(word & 1)


def _varints(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0
    assert shift == 0


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
        else:
            assert tag & 7 == 2
            size, at = _varint(data, at)
            assert at + size <= len(data)
            yield tag >> 3, data[at : at + size]
            at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
