"""What the platform answers, one frame at a time, in the dialect of the message answered."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from runtime.units import from_us
from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.framing import encode_frame
from telemetry.jt808.scalar.header import Header, Version, build_reply

#: Most package numbers in one 0x8003: its count is a BYTE in 2013.
MAX_RETRANSMIT = 255


class Result(IntEnum):
    """Result of 0x8001 (clause 8.2)."""

    OK = 0
    FAILED = 1
    BAD_MESSAGE = 2
    UNSUPPORTED = 3
    ALARM_CONFIRMED = 4


class RegistrationResult(IntEnum):
    """Result of 0x8100 (clause 8.6)."""

    OK = 0
    VEHICLE_ALREADY_REGISTERED = 1
    NO_SUCH_VEHICLE = 2
    TERMINAL_ALREADY_REGISTERED = 3
    NO_SUCH_TERMINAL = 4


def general_reply(header: Header, result: int, serial: int) -> bytes:
    """0x8001 to ``header``: its serial WORD, its id WORD, result BYTE. ``serial`` is the platform's own."""
    body = header.serial.to_bytes(2, "big") + header.id.to_bytes(2, "big") + bytes((result,))
    return encode_frame(build_reply(header, MessageId.PLATFORM_GENERAL_REPLY, body, serial))


def registration_reply(header: Header, result: int, code: str | None, serial: int) -> bytes:
    """0x8100: serial WORD of the registration, result BYTE, code STRING only on success.

    ``code`` must be ASCII (it has the same bytes in GBK); it is left out unless ``result`` is 0.
    """
    body = header.serial.to_bytes(2, "big") + bytes((result,))
    if result == RegistrationResult.OK and code:
        body += code.encode("ascii")
    return encode_frame(build_reply(header, MessageId.REGISTRATION_REPLY, body, serial))


def retransmit_request(header: Header, first_serial: int, indexes: Sequence[int], serial: int) -> bytes:
    """0x8003: serial WORD of the first package, count BYTE (2013) or WORD (2019), package numbers WORD
    each.

    Raises ValueError for no or more than ``MAX_RETRANSMIT`` package numbers.
    """
    if not 1 <= len(indexes) <= MAX_RETRANSMIT:
        raise ValueError(f"{len(indexes)} package numbers: 1 to {MAX_RETRANSMIT}")
    width = 2 if header.version is Version.V2019 else 1
    body = (first_serial & 0xFFFF).to_bytes(2, "big") + len(indexes).to_bytes(width, "big")
    body += b"".join(index.to_bytes(2, "big") for index in indexes)
    return encode_frame(build_reply(header, MessageId.PLATFORM_RETRANSMIT_REQUEST, body, serial))


def time_reply(header: Header, utc_us: int, serial: int) -> bytes:
    """0x8004 (2019): BCD[6] YYMMDDhhmmss in UTC, unlike every other time of the protocol."""
    body = bytes.fromhex(from_us(utc_us).strftime("%y%m%d%H%M%S"))
    return encode_frame(build_reply(header, MessageId.TIME_REPLY, body, serial))
