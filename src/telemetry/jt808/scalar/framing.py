"""Frames: delimiters, escaping and the checksum (JT/T 808 clause 4.4).

    frame    = 7E escaped(message checksum) 7E
    message  = header body                          see ``header``
    checksum = XOR of all bytes of message          4.4.4
    escaped  : 7D -> 7D 01, 7E -> 7D 02             4.4.2 (the checksum too)

What lies between two delimiters is one frame, whichever frame a delimiter "belongs" to: ``7E a 7E b 7E``
is two frames (shared delimiter), and nothing between two delimiters is no frame (``7E 7E``). So one bad
frame never shifts the next.
"""

from __future__ import annotations

from functools import reduce
from operator import xor

from telemetry.jt808.rejection import Reason, Rejection

DELIMITER = 0x7E
ESCAPE = 0x7D

MAX_BODY = 1023
MIN_MESSAGE = 12
#: Longest message: 2019 header with package item, longest body.
MAX_MESSAGE = 21 + MAX_BODY
#: Longest run of bytes between two delimiters: every byte of the longest message and its checksum escaped.
MAX_ESCAPED = 2 * (MAX_MESSAGE + 1)
#: Longest frame with its delimiters.
MAX_FRAME = MAX_ESCAPED + 2

_DELIMITER = b"\x7e"
_ESCAPE = b"\x7d"
_ESCAPED_ESCAPE = b"\x7d\x01"
_ESCAPED_DELIMITER = b"\x7d\x02"


def checksum(message: bytes) -> int:
    """XOR of all bytes (4.4.4)."""
    return reduce(xor, message, 0)


def escape(data: bytes) -> bytes:
    """7D -> 7D 01 and 7E -> 7D 02, in this order (4.4.2)."""
    return data.replace(_ESCAPE, _ESCAPED_ESCAPE).replace(_DELIMITER, _ESCAPED_DELIMITER)


def unescape(data: bytes) -> bytes | Rejection:
    """Inverse of ``escape``. Rejects (BAD_ESCAPE) a 7D not followed by 01 or 02, and a bare delimiter."""
    if _DELIMITER in data:
        return Rejection(Reason.BAD_ESCAPE, "delimiter inside a frame", data)
    escapes = data.count(_ESCAPE)
    if not escapes:
        return data
    if escapes != data.count(_ESCAPED_ESCAPE) + data.count(_ESCAPED_DELIMITER):
        return Rejection(Reason.BAD_ESCAPE, "7D followed by neither 01 nor 02", data)
    return data.replace(_ESCAPED_DELIMITER, _DELIMITER).replace(_ESCAPED_ESCAPE, _ESCAPE)


def encode_frame(message: bytes) -> bytes:
    """The frame of a message (header and body): checksum appended, escaped, delimited."""
    return _DELIMITER + escape(message + bytes((checksum(message),))) + _DELIMITER


def decode_segment(segment: bytes) -> bytes | Rejection:
    """The message in the bytes between two delimiters, without its checksum.

    Checked in this order: escaped length (TOO_LONG), escapes, message length (TOO_LONG, TOO_SHORT),
    checksum.
    """
    if len(segment) > MAX_ESCAPED:
        return Rejection(Reason.TOO_LONG, f"more than {MAX_ESCAPED} bytes without a delimiter", segment)
    data = unescape(segment)
    if isinstance(data, Rejection):
        return data
    if len(data) > MAX_MESSAGE + 1:
        return Rejection(Reason.TOO_LONG, f"message of {len(data) - 1} bytes, at most {MAX_MESSAGE}", segment)
    if len(data) <= MIN_MESSAGE:
        return Rejection(Reason.TOO_SHORT, f"{len(data)} bytes between delimiters", segment)
    if checksum(data):
        return Rejection(Reason.CHECKSUM, f"checksum byte {data[-1]:#04x} is wrong", segment)
    return data[:-1]


class FrameReader:
    """Turns a byte stream, cut anywhere, into messages and rejections, in order.

    What it returns over a whole stream does not depend on how the stream was cut. It holds at most
    ``MAX_ESCAPED`` bytes: a longer run without a delimiter is rejected once (TOO_LONG, or JUNK before the
    first delimiter) and thrown away up to the next delimiter.
    """

    __slots__ = ("_buffer", "_discarding", "_started")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._started = False  # a delimiter has been seen
        self._discarding = False  # inside a run that has been rejected already

    @property
    def pending(self) -> int:
        """Bytes held of a frame (or junk) that is not complete yet; at most ``MAX_ESCAPED``."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes | Rejection]:
        """Take what was read. Returns messages (unescaped, checksum verified and stripped) and
        rejections.
        """
        out: list[bytes | Rejection] = []
        first, *rest = bytes(data).split(_DELIMITER)
        self._extend(first, out)
        for segment in rest:
            self._end_segment(out)
            self._extend(segment, out)
        return out

    def _extend(self, data: bytes, out: list[bytes | Rejection]) -> None:
        if self._discarding:
            return
        self._buffer += data[: MAX_ESCAPED + 1]
        if len(self._buffer) > MAX_ESCAPED:
            out.append(self._reject_run())
            self._buffer.clear()
            self._discarding = True

    def _end_segment(self, out: list[bytes | Rejection]) -> None:
        if self._buffer:
            out.append(decode_segment(bytes(self._buffer)) if self._started else self._reject_run())
            self._buffer.clear()
        self._started = True
        self._discarding = False

    def _reject_run(self) -> Rejection:
        if not self._started:
            return Rejection(Reason.JUNK, "bytes before the first delimiter", bytes(self._buffer))
        return Rejection(
            Reason.TOO_LONG, f"more than {MAX_ESCAPED} bytes without a delimiter", bytes(self._buffer)
        )
