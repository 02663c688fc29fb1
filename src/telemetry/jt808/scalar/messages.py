"""Message bodies as tables of fields that decode and encode, with the clause each comes from.

Clause numbers are of JT/T 808-2019 unless the year is given. Positions (0x0200) are in ``report``, the ids in ``ids``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar import report
from telemetry.jt808.scalar.fields import Field, Kind, decode_field, decode_fields, encode_fields, fixed_width
from telemetry.jt808.scalar.header import Version

# Positions are messages too: one place to import bodies from.
Location = report.Location
LocationBatch = report.LocationBatch
decode_location = report.decode_location
encode_location = report.encode_location
decode_batch = report.decode_batch
encode_batch = report.encode_batch
decode_query_reply = report.decode_query_reply
encode_query_reply = report.encode_query_reply

# --- Registration, 0x0100 -------------------------------------------------------------------------

_PLACE = (
    Field("province", 2),  # GB/T 2260, first two digits
    Field("city", 2),  # GB/T 2260, last four digits
)
_PLATE = (
    Field("plate_color", 1),  # JT/T 415 5.4.12, JT/T 697.7; 0 = not licensed yet
    Field("plate", 0, Kind.TEXT_LEFT),  # the VIN where plate_color is 0 (2013, 2019)
)
REGISTRATION_TABLES: dict[Version, tuple[Field, ...]] = {
    Version.V2011: (  # 2011 8.4 table 6
        *_PLACE,
        Field("manufacturer", 5, Kind.TEXT_LEFT),
        Field("model", 8, Kind.TEXT_SPACE),
        Field("device_id", 7, Kind.TEXT_LEFT),
        *_PLATE,
    ),
    Version.V2013: (  # 2013 8.5 table 7
        *_PLACE,
        Field("manufacturer", 5, Kind.TEXT_LEFT),
        Field("model", 20, Kind.TEXT_LEFT),
        Field("device_id", 7, Kind.TEXT_LEFT),
        *_PLATE,
    ),
    Version.V2019: (  # 8.8 table 8
        *_PLACE,
        Field("manufacturer", 11, Kind.TEXT_LEFT),
        Field("model", 30, Kind.TEXT_RIGHT),
        Field("device_id", 30, Kind.TEXT_LEFT),
        *_PLATE,
    ),
}

#: Plate colours of JT/T 415-2006 and JT/T 697.7-2014.
PLATE_COLORS = frozenset({0, 1, 2, 3, 4, 5, 9, 91, 92, 93, 94})
_LONGEST_PLATE = 32  # bytes; plates have up to 10, a VIN 17


@dataclass(frozen=True, slots=True)
class Registration:
    """What a terminal says at registration. ``version`` is the layout it was read with.

    Texts are without padding; what is no GBK is U+FFFD in them. ``plate`` is the VIN where
    ``plate_color`` is 0.
    """

    province: int
    city: int
    manufacturer: str
    model: str
    device_id: str
    plate_color: int
    plate: str
    version: Version


def decode_registration(body: bytes, version: Version) -> Registration | Rejection:
    """Read 0x0100 in whichever layout fits best; ``version``, of the header, decides only between equals.

    The layouts overlap in length: 37 bytes are 2013 with an empty plate or 2011 with twelve bytes of
    plate, 42 bytes may be 2011 with a VIN. So each layout that is not too long is judged by what it makes
    of the bytes: a plate colour that exists, texts without control characters. Rejects (BAD_BODY) what is
    too short for all of them.
    """
    best: Version | None = None
    best_score = -1
    # Later wins only by a better score: the header's edition first, then the more common one.
    for candidate in (version, Version.V2013, Version.V2011, Version.V2019):
        table = REGISTRATION_TABLES[candidate]
        if len(body) >= fixed_width(table) and (score := _plausibility(table, body)) > best_score:
            best, best_score = candidate, score
    values = decode_fields(REGISTRATION_TABLES[best], body) if best else None
    if best is None or values is None:
        return Rejection(Reason.BAD_BODY, f"registration of {len(body)} bytes", body)
    return Registration(**values, version=best)  # type: ignore[arg-type]  # the tables name its fields


def _plausibility(table: Sequence[Field], body: bytes) -> int:
    score, at = 0, 0
    for field in table:
        raw = body[at : at + field.width] if field.width else body[at:]
        at += field.width
        if field.name == "plate_color":
            score += 2 * (decode_field(field, raw) in PLATE_COLORS)
        elif field.name == "plate":
            # Not padded in front, and short.
            score += 2 * (
                not raw.startswith(b"\x00") and len(raw.strip(b"\x00 ")) <= _LONGEST_PLATE and _readable(raw)
            )
        elif field.name in ("manufacturer", "model", "device_id"):
            score += _readable(raw)
    return score


def _readable(raw: bytes) -> bool:
    text = raw.strip(b"\x00 ")
    if any(byte < 0x20 or byte == 0x7F for byte in text):
        return False
    try:
        text.decode("gbk")
    except UnicodeDecodeError:
        return False
    return True


def encode_registration(registration: Registration) -> bytes:
    """The 0x0100 body in the layout of ``registration.version``. Raises ValueError for a text that is too
    long.
    """
    return encode_fields(REGISTRATION_TABLES[registration.version], asdict(registration))


@dataclass(frozen=True, slots=True)
class RegistrationReply:
    """0x8100 (8.9): ``result`` 0 ok, 1 vehicle registered already, 2 no such vehicle, 3 terminal
    registered already, 4 no such terminal; ``code`` only where the result is 0."""

    serial: int
    result: int
    code: bytes = b""


_REGISTRATION_REPLY = (Field("serial", 2), Field("result", 1), Field("code", 0, Kind.BYTES))


def decode_registration_reply(body: bytes) -> RegistrationReply | Rejection:
    """0x8100, for clients. Rejects BAD_BODY."""
    values = decode_fields(_REGISTRATION_REPLY, body)
    if values is None:
        return Rejection(Reason.BAD_BODY, f"registration reply of {len(body)} bytes", body)
    return RegistrationReply(**values)  # type: ignore[arg-type]  # the table names its fields


def encode_registration_reply(reply: RegistrationReply) -> bytes:
    """Body of 0x8100."""
    return encode_fields(_REGISTRATION_REPLY, asdict(reply))


# --- Authentication, 0x0102 -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Authentication:
    """0x0102: ``code`` as sent; ``imei`` and ``software`` are empty before 2019. ``version``: the form that it was read in."""

    code: bytes
    imei: str = ""
    software: str = ""
    version: Version = dataclasses.field(default=Version.V2013, compare=False)


_AUTHENTICATION_TAIL = (
    Field("imei", 15, Kind.TEXT_LEFT),
    Field("software", 20, Kind.TEXT_LEFT),
)  # 8.11 table 10


def decode_authentication(body: bytes, version: Version) -> Authentication | Rejection:
    """2011/2013: the code alone. 2019: length BYTE, code, IMEI[15], software version[20].

    The form is told by the body, as terminals mix them up: 2019 where the length byte fits the body
    exactly, or, in a 2019 header, where it fits at all. Rejects (BAD_BODY) an empty code.
    """
    if body:
        end = 1 + body[0]
        tail = len(body) - end
        if tail == fixed_width(_AUTHENTICATION_TAIL) or (version is Version.V2019 and tail >= 0 and body[0]):
            # A tail cut short by the terminal costs only what it says.
            padded = body[end:].ljust(fixed_width(_AUTHENTICATION_TAIL), b"\x00")
            values = decode_fields(_AUTHENTICATION_TAIL, padded)
            code = body[1:end].rstrip(b"\x00")
            if values and code:
                return Authentication(code, **values, version=Version.V2019)  # type: ignore[arg-type]  # the table names its fields
    code = body.rstrip(b"\x00")
    if not code:
        return Rejection(Reason.BAD_BODY, "authentication without a code", b"")
    return Authentication(code)


def encode_authentication(authentication: Authentication, version: Version) -> bytes:
    """Body of 0x0102 in the form of ``version``. Raises ValueError for what does not fit."""
    if version is not Version.V2019:
        return authentication.code
    if len(authentication.code) > 255:
        raise ValueError("code: at most 255 bytes")
    values = {"imei": authentication.imei, "software": authentication.software}
    return (
        bytes((len(authentication.code),)) + authentication.code + encode_fields(_AUTHENTICATION_TAIL, values)
    )


# --- General replies, 0x0001 and 0x8001 -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GeneralReply:
    """0x0001 (8.1) and 0x8001 (8.2): serial and id of the message answered, result 0 ok, 1 failed, 2 bad
    message, 3 unsupported (0x8001 also 4 = alarm confirmed)."""

    serial: int
    id: int
    result: int


_GENERAL_REPLY = (Field("serial", 2), Field("id", 2), Field("result", 1))


def decode_general_reply(body: bytes) -> GeneralReply | Rejection:
    """0x0001 or 0x8001. Rejects BAD_BODY."""
    values = decode_fields(_GENERAL_REPLY, body)
    if values is None:
        return Rejection(Reason.BAD_BODY, f"general reply of {len(body)} bytes", body)
    return GeneralReply(**values)  # type: ignore[arg-type]  # the table names its fields


def encode_general_reply(reply: GeneralReply) -> bytes:
    """Body of 0x0001 or 0x8001."""
    return encode_fields(_GENERAL_REPLY, asdict(reply))


# --- Retransmission requests, 0x8003 and 0x0005 ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class RetransmitRequest:
    """0x8003 (8.6) and 0x0005 (8.7): the serial of the message's first package, and the packages to send
    again.
    """

    first_serial: int
    indexes: tuple[int, ...]


def decode_retransmit_request(body: bytes, version: Version) -> RetransmitRequest | Rejection:
    """The count is a WORD in 2019, a BYTE in 2013; which one is told by the length. Rejects BAD_BODY."""
    widths = (2, 1) if version is Version.V2019 else (1, 2)
    for width in widths:
        listed = body[2 + width :]
        if len(body) >= 2 + width and int.from_bytes(body[2 : 2 + width], "big") * 2 == len(listed):
            indexes = tuple(int.from_bytes(listed[at : at + 2], "big") for at in range(0, len(listed), 2))
            return RetransmitRequest(int.from_bytes(body[:2], "big"), indexes)
    return Rejection(Reason.BAD_BODY, f"retransmission request of {len(body)} bytes", body)


def encode_retransmit_request(request: RetransmitRequest, version: Version) -> bytes:
    """Body of 0x8003 or 0x0005. Raises ValueError for more package numbers than the count can say."""
    width = 2 if version is Version.V2019 else 1
    if len(request.indexes) >= 1 << 8 * width:
        raise ValueError(f"{len(request.indexes)} package numbers do not fit the count")
    out = (request.first_serial & 0xFFFF).to_bytes(2, "big") + len(request.indexes).to_bytes(width, "big")
    return out + b"".join(index.to_bytes(2, "big") for index in request.indexes)
