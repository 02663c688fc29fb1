"""Pictures of tests: PNG of 8 bits a colour, written and read (www.w3.org/TR/png-3)."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEAD = b"\x89PNG\r\n\x1a\n"


def write(pixels: NDArray[np.uint8]) -> bytes:
    """(height, width, 3) as PNG."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        _HEAD + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows.tobytes())) + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def read(data: bytes) -> NDArray[np.uint8]:
    """The pixels of a PNG, (height, width, 3 or 4)."""
    assert data.startswith(_HEAD)
    at, packed, width, height, channels = len(_HEAD), b"", 0, 0, 0
    while at < len(data):
        (size,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body, at = data[at + 8 : at + 8 + size], at + 12 + size
        if kind == b"IHDR":
            width, height, depth, colours, *rest = struct.unpack(">IIBBBBB", body)
            assert (depth, rest) == (8, [0, 0, 0])
            channels = {2: 3, 6: 4}[colours]
        elif kind == b"IDAT":
            packed += body
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    out = np.zeros((height + 1, width, channels), np.uint8)
    for k, row in enumerate(rows):
        out[k + 1] = _unfiltered(int(row[0]), row[1:].reshape(width, channels), out[k])
    return out[1:]


def _unfiltered(kind: int, row: NDArray[np.uint8], above: NDArray[np.uint8]) -> Any:
    if kind == 0:
        return row
    if kind == 2:
        return row + above
    if kind == 1:
        return np.cumsum(row, axis=0, dtype=np.uint8)
    made = np.zeros_like(row, dtype=np.int64)
    left = corner = np.zeros(row.shape[1], np.int64)
    for x, (pixel, up) in enumerate(zip(row.astype(np.int64), above.astype(np.int64), strict=True)):
        if kind == 3:
            guess = (left + up) // 2
        else:
            far = np.abs(np.stack((up - corner, left - corner, left + up - 2 * corner)))
            guess = np.where(
                (far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], up, corner)
            )
        made[x] = left = (pixel + guess) & 255
        corner = up
    return made.astype(np.uint8)
