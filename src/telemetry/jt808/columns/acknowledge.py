"""General replies (0x8001) by columns: one buffer of frames for many reports of many terminals.

JT/T 808-2019 clause 8.2: serial WORD and id WORD of the message replied to, result BYTE; in the dialect of each
connection. ``replies.general_reply`` is the scalar form that this is tested against.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from runtime.arrays import AnyInts, Bools
from telemetry.jt808.ids import MessageId

_REPLY_ID: Final = int(MessageId.PLATFORM_GENERAL_REPLY)
_BODY_LENGTH: Final = 5
_VERSION_FLAG: Final = 0x4000

_FRAME_2013: Final = np.dtype(
    {
        "names": ["open", "id", "properties", "phone_hi", "phone_lo", "serial", "of_serial", "of_id", "result", "check", "close"],
        "formats": ["u1", ">u2", ">u2", ">u2", ">u4", ">u2", ">u2", ">u2", "u1", "u1", "u1"],
        "offsets": [0, 1, 3, 5, 7, 11, 13, 15, 17, 18, 19],
        "itemsize": 20,
    }
)  # fmt: skip
_FRAME_2019: Final = np.dtype(
    {
        "names": ["open", "id", "properties", "version", "phone_hi", "phone_lo", "serial", "of_serial", "of_id", "result", "check", "close"],
        "formats": ["u1", ">u2", ">u2", "u1", ">u2", ">u8", ">u2", ">u2", ">u2", "u1", "u1", "u1"],
        "offsets": [0, 1, 3, 5, 6, 8, 16, 18, 20, 22, 23, 24],
        "itemsize": 25,
    }
)  # fmt: skip


def _fold(values: AnyInts) -> AnyInts:
    """XOR of the bytes of each uint64."""
    folded: AnyInts = values ^ (values >> np.uint64(32))
    folded ^= folded >> np.uint64(16)
    folded ^= folded >> np.uint64(8)
    return folded.astype(np.uint8)


def general_replies(
    *,
    v2019: Bools,
    flags: AnyInts,
    protocol_version: AnyInts,
    phone_hi: AnyInts,
    phone_lo: AnyInts,
    serial: AnyInts,
    of_serial: AnyInts,
    of_id: AnyInts,
    result: AnyInts,
) -> tuple[bytes, AnyInts]:
    """Frames of ``n`` general replies, and ``n + 1`` offsets into them. Arrays have shape (n,).

    ``v2019``, ``protocol_version``, ``phone_hi``, ``phone_lo`` as in ``columns.Frames``; ``flags`` uint16 the properties
    word of the message (its version flag goes back as it came); ``serial`` uint16 is our own.
    """
    columns = {
        "properties": np.bitwise_and(flags, _VERSION_FLAG) | np.uint16(_BODY_LENGTH),
        "version": protocol_version,
        "phone_hi": phone_hi,
        "phone_lo": phone_lo,
        "serial": serial,
        "of_serial": of_serial,
        "of_id": of_id,
        "result": result,
    }
    if not v2019.any():
        return _frames(False, columns)
    if v2019.all():
        return _frames(True, columns)
    parts: list[bytes] = []
    sizes = np.zeros(len(v2019), np.int64)
    begins = np.zeros(len(v2019), np.int64)
    base = 0
    for dialect in (False, True):
        rows = np.flatnonzero(v2019 == dialect)
        data, offsets = _frames(dialect, {name: column[rows] for name, column in columns.items()})
        parts.append(data)
        begins[rows], sizes[rows] = offsets[:-1] + base, np.diff(offsets)
        base += len(data)
    joined = np.frombuffer(b"".join(parts), np.uint8)
    offsets = np.zeros(len(v2019) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    source = np.repeat(begins - offsets[:-1], sizes) + np.arange(int(offsets[-1]))
    return joined[source].tobytes(), offsets


def _frames(layout_2019: bool, columns: dict[str, AnyInts]) -> tuple[bytes, AnyInts]:
    """Replies in one header layout."""
    frames = np.empty(len(columns["serial"]), _FRAME_2019 if layout_2019 else _FRAME_2013)
    frames["open"] = frames["close"] = 0x7E
    frames["id"] = _REPLY_ID
    hi, lo = columns["phone_hi"], columns["phone_lo"]
    words = columns["properties"] ^ columns["serial"] ^ columns["of_serial"] ^ columns["of_id"]
    check = _fold(lo ^ words.astype(np.uint64) ^ (hi.astype(np.uint64) << np.uint64(16)))
    check ^= columns["result"].astype(np.uint8) ^ np.uint8(_REPLY_ID >> 8 ^ _REPLY_ID & 0xFF)
    if layout_2019:
        frames["version"], frames["phone_hi"], frames["phone_lo"] = columns["version"], hi, lo
        check ^= columns["version"]
    else:
        frames["phone_hi"], frames["phone_lo"] = lo >> np.uint64(32), lo & np.uint64(0xFFFFFFFF)
    for name in ("properties", "serial", "of_serial", "of_id", "result"):
        frames[name] = columns[name]
    frames["check"] = check
    return _escape(frames.view(np.uint8).reshape(len(frames), frames.itemsize))


def _escape(rows: AnyInts) -> tuple[bytes, AnyInts]:
    """Escape everything between the delimiters of each row."""
    n, width = rows.shape
    inner = rows[:, 1:-1]
    special = (inner == 0x7D) | (inner == 0x7E)
    places = np.flatnonzero(special)
    if not places.size:
        return rows.tobytes(), np.arange(n + 1) * width
    row_of, column = np.divmod(places, width - 2)
    flat = rows.ravel()
    positions = row_of * width + column + 1  # of the bytes to escape, in the flat rows
    moved = positions + np.arange(len(positions))  # where they land
    out = np.empty(n * width + len(positions), np.uint8)
    plain = np.ones(len(out), np.bool_)
    plain[moved + 1] = False
    out[plain] = flat
    out[moved + 1] = flat[positions] - 0x7C
    out[moved] = 0x7D
    offsets = np.arange(n + 1) * width
    offsets[1:] += np.cumsum(np.bincount(row_of, minlength=n))
    return out.tobytes(), offsets
