"""Frames (2011 clause 4.3, 2019 clause 6): ``5B | header, body, CRC | 5D``, big-endian, text in GBK.

Within a frame 5B is sent as 5A 01, 5A as 5A 02, 5D as 5E 01, 5E as 5E 02. The CRC-16 (polynomial 0x1021, start 0xFFFF, nothing
reflected: CCITT) is over header and body before the escaping.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from telemetry.jt809.refusal import Reason, Refusal

HEAD: Final = 0x5B
TAIL: Final = 0x5D
#: Bytes of a frame between its flags, escaped: five positions of 2019 with all items that JT/T 808 has take less than 6,000.
MOST: Final = 16_384

_ESCAPES: Final = {
    b"\x5a\x01": b"\x5b",
    b"\x5a\x02": b"\x5a",
    b"\x5e\x01": b"\x5d",
    b"\x5e\x02": b"\x5e",
}
_ESCAPED: Final = {plain: escaped for escaped, plain in _ESCAPES.items()}
_TO_ESCAPE: Final = re.compile(rb"[\x5a\x5b\x5d\x5e]")
_TO_PLAIN: Final = re.compile(rb"[\x5a\x5e].?", re.DOTALL)


def crc(data: bytes) -> int:
    """The CRC-16 of ``data``."""
    return binascii.crc_hqx(data, 0xFFFF)


def escape(data: bytes) -> bytes:
    """``data`` as it is sent between the flags."""
    return _TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], data)


def unescape(data: bytes) -> bytes | Refusal:
    """Inverse of ``escape``. Refuses 5A and 5E with neither 01 nor 02 behind (BAD_ESCAPE)."""
    bad: list[bytes] = []

    def plain(found: re.Match[bytes]) -> bytes:
        known = _ESCAPES.get(found[0])
        if known is None:
            bad.append(found[0])
        return known or b""

    out = _TO_PLAIN.sub(plain, data)
    return Refusal.of(Reason.BAD_ESCAPE, f"{bad[0].hex()} is no escape", data) if bad else out


def framed(message: bytes) -> bytes:
    """The frame of ``message`` (header and body): CRC, escaping, flags."""
    return bytes((HEAD,)) + escape(message + crc(message).to_bytes(2, "big")) + bytes((TAIL,))


class Framer:
    """Cuts what is read into messages (header and body; the CRC is checked). Holds at most ``most`` bytes."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held = bytearray()
        self._inside = False
        self._skipping = False  # a frame that is too long, up to the next flag

    @property
    def held(self) -> int:
        """Bytes of a frame that has not ended."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes | Refusal]:
        """The messages that end in ``data``, and what was refused, in the order in which they came."""
        found: list[bytes | Refusal] = []
        at = 0
        while at < len(data):
            if not self._inside:
                begin = data.find(HEAD, at)
                junk = data[at:] if begin < 0 else data[at:begin]
                if junk and not self._skipping:
                    found.append(Refusal.of(Reason.JUNK, f"{len(junk)} bytes outside of a frame", junk))
                if begin < 0:
                    break
                self._inside, self._skipping, at = True, False, begin + 1
                continue
            end, again = data.find(TAIL, at), data.find(HEAD, at)
            if again >= 0 and (end < 0 or again < end):
                self._held += data[at:again][: self._most]
                detail = f"{len(self._held)} bytes without an end"
                found.append(Refusal.of(Reason.UNFINISHED, detail, bytes(self._held)))
                self._held.clear()
                at = again + 1
                continue
            piece = data[at:] if end < 0 else data[at:end]
            if len(self._held) + len(piece) > self._most:
                detail = f"more than {self._most} bytes"
                found.append(Refusal.of(Reason.TOO_LONG, detail, bytes(self._held) or piece))
                self._held.clear()
                self._inside, self._skipping = False, end < 0
            else:
                self._held += piece
                if end >= 0:
                    found.append(checked(bytes(self._held)))
                    self._held.clear()
                    self._inside = False
            if end < 0:
                break
            at = end + 1
        return found


def checked(inner: bytes) -> bytes | Refusal:
    """Header and body of what stood between the flags. Refuses BAD_ESCAPE, TOO_SHORT, BAD_CRC."""
    plain = unescape(inner)
    if isinstance(plain, Refusal):
        return plain
    if len(plain) < 24:
        return Refusal.of(Reason.TOO_SHORT, f"{len(plain)} bytes", plain)
    message, said = plain[:-2], int.from_bytes(plain[-2:], "big")
    if crc(message) != said:
        return Refusal.of(Reason.BAD_CRC, f"CRC {said:#06x}, counted {crc(message):#06x}", plain)
    return message
