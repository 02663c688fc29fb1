"""The frames of GET /v1/live/vehicles: bytes, and nothing else. docs/live-map.md is their specification, for whoever reads them.

All numbers are little-endian. A frame is a header of 48 bytes and a body, which may be deflated (zlib, RFC 1950).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Final

import numpy as np

from runtime.arrays import AnyInts, Ints

MAGIC: Final = b"GCLV"
VERSION: Final = 1
#: magic, version, kind, flags, seq, vehicles, full rows, changed rows, step (1e-6 degree), bytes of the body, server time (ms since
#: 1970 UTC) and epoch of the roster, both whole numbers as float64.
HEADER: Final = struct.Struct("<4sBBHIIIIIIdd")
assert HEADER.size == 48  # noqa: S101 - the specification says so

#: Flags of the header.
DEFLATED: Final = 1
STALE: Final = 2
#: A body that is shorter is not deflated: it would hardly get shorter.
LEAST_DEFLATED: Final = 128
#: Speed and direction that are not known.
UNKNOWN: Final = 255


class Kind(IntEnum):
    """What a frame is."""

    SNAPSHOT = 1
    DELTA = 2
    HEARTBEAT = 3
    END = 4


class Flag:
    """Bits of a row's ``flags``."""

    ACC_KNOWN = 1
    ACC_ON = 2
    LOCATED = 4  # the newest report is a valid position; else the position is the last valid one before it
    ALARM = 8
    STORED = 16  # from the database: nothing was heard since; speed, direction and ACC are not known
    GONE = 32  # not in the window any more; the row's other values mean nothing


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Vehicles as columns of shape (n,): ``index`` in the roster (uint32), ``lon`` and ``lat`` in steps (int32), ``fix_s``
    (seconds since 1970 UTC, uint32), ``speed`` (km/h), ``direction`` (2 degrees), ``flags`` (uint8 each)."""

    index: AnyInts
    lon: AnyInts
    lat: AnyInts
    fix_s: AnyInts
    speed: AnyInts
    direction: AnyInts
    flags: AnyInts

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: AnyInts) -> Rows:
        """The rows at ``rows``."""
        return Rows(*(getattr(self, f.name)[rows] for f in fields(self)))


_FULL: Final = (
    ("index", "<u4"),
    ("lon", "<i4"),
    ("lat", "<i4"),
    ("fix_s", "<u4"),
    ("speed", "u1"),
    ("direction", "u1"),
    ("flags", "u1"),
)


def full_part(rows: Rows) -> bytes:
    """Whole values, column by column."""
    return b"".join(getattr(rows, name).astype(dtype).tobytes() for name, dtype in _FULL)


def changed_part(rows: Rows, before: Rows, vehicles: int, now_s: int) -> bytes:
    """Differences to what the reader has: which rows as bits, then column by column. ``rows`` and ``before`` have the same
    ``index``, in ascending order; the differences and ages fit 16 bits (``fits``)."""
    if not len(rows):
        return b""
    which = np.zeros(vehicles, np.uint8)
    which[rows.index] = 1
    return b"".join(
        (
            np.packbits(which, bitorder="little").tobytes(),
            _planes(rows.lon.astype(np.int64) - before.lon),
            _planes(rows.lat.astype(np.int64) - before.lat),
            _planes(now_s - rows.fix_s.astype(np.int64)),
            (rows.speed.astype(np.uint8) - before.speed.astype(np.uint8)).tobytes(),
            (rows.direction.astype(np.uint8) - before.direction.astype(np.uint8)).tobytes(),
            rows.flags.astype(np.uint8).tobytes(),
        )
    )


def fits(values: Ints) -> AnyInts:
    """Which of ``values`` fit 16 bits with a sign."""
    return (values >= -32_768) & (values <= 32_767)


def _planes(values: Ints) -> bytes:
    """All low bytes, then all high bytes: the high ones are nearly all the same, and deflate to nothing."""
    return np.ascontiguousarray(values.astype("<i2").view(np.uint8).reshape(-1, 2).T).tobytes()


def frame(
    kind: Kind,
    seq: int,
    *,
    now_ms: float,
    epoch: int,
    vehicles: int = 0,
    full: int = 0,
    changed: int = 0,
    step: int = 1,
    stale: bool = False,
    body: bytes = b"",
    level: int = 1,
) -> bytes:
    """A frame. ``level``: of deflate."""
    flags = STALE if stale else 0
    if len(body) >= LEAST_DEFLATED:
        shorter = zlib.compress(body, level)
        if len(shorter) < len(body):
            body, flags = shorter, flags | DEFLATED
    head = HEADER.pack(
        MAGIC,
        VERSION,
        kind,
        flags,
        seq,
        vehicles,
        full,
        changed,
        step,
        len(body),
        float(now_ms),
        float(epoch),
    )
    return head + body
