"""Reads the frames of GET /v1/live/vehicles, by docs/live-map.md and by nothing else: a second reading of the specification,
which the tests compare with what the program writes. Plain loops: it is to be read, not to be quick."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

HEADER_BYTES: Final = 48
SNAPSHOT, DELTA, HEARTBEAT, END = 1, 2, 3, 4
GONE: Final = 32


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame with its body as it was before it was deflated."""

    kind: int
    stale: bool
    seq: int
    vehicles: int
    full: int
    changed: int
    step: int
    now_ms: int
    epoch: int
    body: bytes


def split(data: bytes) -> tuple[list[Frame], bytes]:
    """The frames that ``data`` begins with, and what is left: the beginning of the next one."""
    found = []
    while len(data) >= HEADER_BYTES:
        magic, version, kind, flags, seq, vehicles, full, changed, step, length, now_ms, epoch = (
            struct.unpack("<4sBBHIIIIIIdd", data[:HEADER_BYTES])
        )
        assert (magic, version) == (b"GCLV", 1)
        if len(data) < HEADER_BYTES + length:
            break
        body = data[HEADER_BYTES : HEADER_BYTES + length]
        if flags & 1:
            body = zlib.decompress(body)
        found.append(
            Frame(kind, bool(flags & 2), seq, vehicles, full, changed, step, int(now_ms), int(epoch), body)
        )
        data = data[HEADER_BYTES + length :]
    return found, data


@dataclass
class Vehicle:
    """``lon``, ``lat`` in steps; ``fix_s``: seconds since 1970 UTC; ``speed`` km/h and ``direction`` 2 degrees, 255 = not known."""

    lon: int
    lat: int
    fix_s: int
    speed: int
    direction: int
    flags: int


@dataclass
class Map:
    """What a reader of the stream knows. ``take`` every frame, in order."""

    vehicles: dict[int, Vehicle] = field(default_factory=dict)
    seq: int | None = None
    epoch: int = 0
    step: int = 1
    stale: bool = True
    ended: str = ""
    snapshots: int = 0

    def take(self, frame: Frame) -> None:
        if frame.kind == END:
            self.ended = json.loads(frame.body)["reason"]
            return
        self.stale, self.step = frame.stale, frame.step
        if frame.kind == SNAPSHOT:
            self.vehicles = {}
            self.snapshots += 1
            self.epoch = frame.epoch
        else:
            assert self.seq is not None
            assert frame.seq == self.seq + 1, "a gap"
            assert frame.epoch == self.epoch
        self.seq = frame.seq
        body = _Body(frame.body)
        index, lon, lat, fix = (body.numbers(code, frame.full) for code in "IiiI")
        speed, direction, flags = (body.numbers("B", frame.full) for _ in range(3))
        if frame.changed:
            bits = body.numbers("B", (frame.vehicles + 7) // 8)
            which = [k for k in range(frame.vehicles) if bits[k // 8] >> (k % 8) & 1]
            assert len(which) == frame.changed
            d_lon, d_lat, age = (body.planes(frame.changed) for _ in range(3))
            d_speed, d_direction, now_flags = (body.numbers("B", frame.changed) for _ in range(3))
            for k, one in enumerate(which):
                known = self.vehicles[one]
                known.lon += d_lon[k]
                known.lat += d_lat[k]
                known.fix_s = frame.now_ms // 1000 - age[k]
                known.speed = (known.speed + d_speed[k]) & 255
                known.direction = (known.direction + d_direction[k]) & 255
                known.flags = now_flags[k]
        for k, one in enumerate(index):
            if flags[k] & GONE:
                del self.vehicles[one]
            else:
                self.vehicles[one] = Vehicle(lon[k], lat[k], fix[k], speed[k], direction[k], flags[k])
        assert not body.left

    def table(self) -> list[list[int]]:
        """[index, lon, lat, fix_s, speed, direction, flags] of each vehicle, by index."""
        return [
            [one, v.lon, v.lat, v.fix_s, v.speed, v.direction, v.flags]
            for one, v in sorted(self.vehicles.items())
        ]


class _Body:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def numbers(self, code: str, count: int) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{count}{code}", self._data, self._at)
        self._at += struct.calcsize(f"<{count}{code}")
        return found

    def planes(self, count: int) -> list[int]:
        """int16: all low bytes, then all high bytes."""
        low, high = self.numbers("B", count), self.numbers("b", count)
        return [(b << 8) + a for a, b in zip(low, high, strict=True)]
