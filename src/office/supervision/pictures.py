"""Pictures that people attach: what draws stays, what tells of camera, place and person goes. Pure.

What is kept is listed, not what is removed: makers invent new places for positions (EXIF, XMP, JUMBF, notes of their own).
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from office.supervision.problems import PaperError

#: A picture of more pixels is no photograph of a paper; unpacked it fills the memory of who opens it.
MAX_PIXELS: Final = 120_000_000
PNG: Final = b"\x89PNG\r\n\x1a\n"
#: Chunks of a PNG that are needed to draw it (PNG, third edition), among them those of moving pictures.
_PNG_DRAWS: Final = frozenset(
    {
        b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"bKGD", b"pHYs",
        b"hIST", b"sPLT", b"acTL", b"fcTL", b"fdAT",
    }
)  # fmt: skip
#: Segments of a JPEG that draw: tables, frames, scans, restarts (ITU-T T.81, table B.1).
_FRAMES: Final = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_TABLES: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})
#: Of the segments of programs those that change how it is drawn: JFIF, colour profile, Adobe's colour transform.
_APPS: Final = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}


def without_positions(data: bytes) -> bytes:
    """A JPEG of only what draws. Raises PaperError for what is no whole JPEG."""
    broken = PaperError("JPEG 已损坏 · the JPEG is damaged")
    kept, at, framed, scanned = [data[:2]], 2, False, False
    while True:
        if at + 2 > len(data) or data[at] != 0xFF:
            raise broken
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == 0xD9:
            if not (framed and scanned):
                raise broken
            return b"".join(
                (*kept, b"\xff\xd9")
            )  # behind it some cameras put another picture, with a position of its own
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 2 + length
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8 or length < 2 or end > len(data):
            raise broken
        if marker in _FRAMES:
            if length < 8:
                raise broken
            _bounded(*struct.unpack(">HH", data[at + 5 : at + 9]))
            framed = True
        if marker in _FRAMES or marker in _TABLES or data.startswith(_APPS.get(marker, b"\0none"), at + 4):
            kept.append(data[at:end])
        elif marker == 0xDA:
            end = _end_of_scan(data, end)
            if not framed or end > len(data):
                raise broken
            kept.append(data[at:end])
            scanned = True
        at = end


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the coded picture that begins at ``at`` ends: at the next 0xFF that is followed neither by 0 nor by a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return len(data) + 1
        if data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
            at += 2
        elif data[at + 1] == 0xFF:
            at += 1
        else:
            return at


def png(data: bytes) -> bytes:
    """A PNG of only what draws, without what follows it. Raises PaperError for what is no whole PNG."""
    broken = PaperError("PNG 已损坏 · the PNG is damaged")
    kept, at = [data[:8]], 8
    while True:
        if at + 12 > len(data):
            raise broken
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length
        if end > len(data) or zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(
            data[end - 4 : end], "big"
        ):
            raise broken
        if (at == 8) != (kind == b"IHDR"):
            raise broken
        if kind == b"IHDR":
            if length < 8:
                raise broken
            _bounded(*struct.unpack(">II", data[at + 8 : at + 16]))
        if kind in _PNG_DRAWS:
            kept.append(data[at:end])
        at = end
        if kind == b"IEND":
            return b"".join(kept)


def _bounded(one: int, other: int) -> None:
    """Raises PaperError for too many pixels."""
    if one * other > MAX_PIXELS:
        raise PaperError(
            f"图片过大（{one * other // 1_000_000} 百万像素，至多 {MAX_PIXELS // 1_000_000}），请缩小后上传 · too many pixels; make it smaller"
        )
