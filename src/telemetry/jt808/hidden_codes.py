"""Frames as they may be shown to whoever watches: the code of an authentication is the terminal's, and shown to nobody. Pure."""

from __future__ import annotations

from typing import Final

from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.framing import decode_segment, encode_frame
from telemetry.jt808.scalar.header import Version, parse_header
from telemetry.jt808.scalar.messages import decode_authentication

_IDS: Final = (MessageId.AUTHENTICATE, MessageId.REGISTRATION_REPLY)
#: Bytes of a message that are header in every edition.
_HEADER: Final = 12
#: In 0x8100 it is behind serial number and result.
_CODE_OF_REPLY: Final = 3


def without_codes(segment: bytes) -> tuple[bytes, bool]:
    """``segment`` (what is between two delimiters, as it was sent) without the code of 0x0102 and 0x8100: of each byte of it a "*" is
    left, and the checksum is that of what is shown; whether anything was hidden. What cannot be read ends behind its header."""
    if int.from_bytes(segment[:2], "big") not in _IDS:
        return segment, False
    message = decode_segment(segment)
    if isinstance(message, Rejection):
        return segment[:_HEADER], True
    parsed = parse_header(message)
    if isinstance(parsed, Rejection):
        return segment[:_HEADER], True
    header, body = parsed
    at, code = 0, body
    if header.id == MessageId.REGISTRATION_REPLY:
        at, code = _CODE_OF_REPLY, body[_CODE_OF_REPLY:]
    elif not header.fragmented:
        said = decode_authentication(body, header.version)
        code = body if isinstance(said, Rejection) else said.code
        at = int(not isinstance(said, Rejection) and said.version is Version.V2019)
    if not code:
        return segment, False
    shown = body[:at] + b"*" * len(code) + body[at + len(code) :]
    return encode_frame(message[: len(message) - len(body)] + shown)[1:-1], True
