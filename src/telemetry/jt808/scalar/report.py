"""Position reports one by one: 0x0200, and the envelopes 0x0704 and 0x0201 (2019 clause 8.12; 2013 8.20,
8.49).

The server decodes positions as columns (``location``); this is the readable form of the same grammar,
which the column decoder is tested against, and what clients encode with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from runtime.units import CHINA, from_us, to_us
from telemetry.jt808.rejection import Reason, Rejection
from telemetry.jt808.scalar.fields import Field, Kind, decode_fields, encode_fields
from telemetry.jt808.scalar.header import Version

BASIC_LENGTH = 28
STATUS_SOUTH = 1 << 2
STATUS_WEST = 1 << 3

#: Basic part, the same in 2011, 2013 and 2019 (8.12 table 23).
BASIC_TABLE = (
    Field("alarm", 4),  # table 24, bits
    Field("status", 4),  # table 25, bits
    Field("lat_e6", 4, scale=1e-6, unit="degree"),  # magnitude; the sign is status bit 2
    Field("lon_e6", 4, scale=1e-6, unit="degree"),  # magnitude; the sign is status bit 3
    Field("altitude_m", 2, Kind.INT, unit="m"),  # the standard says WORD; terminals send negative heights
    Field("speed_dkmh", 2, scale=0.1, unit="km/h"),
    Field("direction_deg", 2, unit="degree from north, clockwise"),
    Field("time", 6, Kind.BYTES),  # BCD YYMMDDhhmmss, GMT+8
)


@dataclass(frozen=True, slots=True)
class Location:
    """One 0x0200 report, in the units of ``telemetry.positions``.

    ``device_us``: microseconds since 1970 UTC, 0 = unreadable. ``lat_e6``/``lon_e6``: south and west
    negative. ``items``: the raw additional items (see ``items``).
    """

    device_us: int
    lat_e6: int
    lon_e6: int
    altitude_m: int = 0
    speed_dkmh: int = 0
    direction_deg: int = 0
    alarm: int = 0
    status: int = 0
    items: bytes = b""


def decode_time(raw: bytes) -> int:
    """BCD YYMMDDhhmmss in GMT+8 to microseconds since 1970 UTC; 0 where it is no such time. Years are
    2000-2099.
    """
    digits = raw.hex()
    if len(raw) != 6 or not digits.isdecimal():
        return 0
    year, month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(0, 12, 2))
    try:
        return to_us(datetime(2000 + year, month, day, hour, minute, second, tzinfo=CHINA))
    except ValueError:
        return 0


def encode_time(us: int) -> bytes:
    """Inverse of ``decode_time``, whole seconds (rounded down); 0 gives six zero bytes, which is no time.

    Raises ValueError outside 2000-2099.
    """
    if us == 0:
        return bytes(6)
    moment = from_us(us).astimezone(CHINA)
    if not 2000 <= moment.year <= 2099:
        raise ValueError(f"{moment}: the protocol has two digits for the year")
    return bytes.fromhex(moment.strftime("%y%m%d%H%M%S"))


def decode_location(body: bytes) -> Location | Rejection:
    """One 0x0200 body. Rejects BODY_TOO_SHORT under 28 bytes; any other body gives a Location.

    A coordinate is a magnitude, its sign is in the status. One beyond int32 (in two's complement, or nonsense) is kept
    with the sign that it has as an int32, which the status contradicts then: it is flagged (telemetry.quality).
    """
    values = decode_fields(BASIC_TABLE, body)
    if values is None:
        return Rejection(
            Reason.BODY_TOO_SHORT, f"position of {len(body)} bytes, at least {BASIC_LENGTH}", body
        )
    time = values.pop("time")
    numbers = {name: value for name, value in values.items() if isinstance(value, int)}
    for name, bit in (("lat_e6", STATUS_SOUTH), ("lon_e6", STATUS_WEST)):
        number = _int32(numbers[name])
        numbers[name] = _int32(-number) if numbers["status"] & bit else number
    return Location(
        device_us=decode_time(time if isinstance(time, bytes) else b""), items=body[BASIC_LENGTH:], **numbers
    )


def _int32(number: int) -> int:
    """The low 32 bits of ``number`` as two's complement."""
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def encode_location(location: Location) -> bytes:
    """The 0x0200 body. Status bits 2 and 3 (south, west) follow the signs of the coordinates.

    Raises ValueError for a value its field cannot carry.
    """
    status = location.status
    for value, bit in ((location.lat_e6, STATUS_SOUTH), (location.lon_e6, STATUS_WEST)):
        if value:
            status = status | bit if value < 0 else status & ~bit
    return (
        encode_fields(
            BASIC_TABLE,
            {
                "alarm": location.alarm,
                "status": status,
                "lat_e6": abs(location.lat_e6),
                "lon_e6": abs(location.lon_e6),
                "altitude_m": location.altitude_m,
                "speed_dkmh": location.speed_dkmh,
                "direction_deg": location.direction_deg,
                "time": encode_time(location.device_us),
            },
        )
        + location.items
    )


# --- 0x0704 ---------------------------------------------------------------------------------------

BATCH_NORMAL = 0
BATCH_BLIND_ZONE = 1


@dataclass(frozen=True, slots=True)
class LocationBatch:
    """0x0704: ``kind`` 0 = normal, 1 = recorded without network; ``bodies``: the 0x0200 bodies that could
    be cut out whole; ``whole``: count and lengths agree with the body."""

    kind: int
    bodies: tuple[bytes, ...]
    whole: bool = True


def decode_batch(body: bytes) -> LocationBatch | Rejection:
    """count WORD, type BYTE, then (length WORD, 0x0200 body) each (2013 8.49 tables 76, 77).

    What stands before a broken place is kept. Rejects (BAD_BODY) where not even one body can be cut out.
    """
    bodies: list[bytes] = []
    at = 3
    count = int.from_bytes(body[:2], "big")
    while len(bodies) < count and at + 2 <= len(body):
        end = at + 2 + int.from_bytes(body[at : at + 2], "big")
        if end > len(body):
            break
        bodies.append(body[at + 2 : end])
        at = end
    if not bodies:
        return Rejection(Reason.BAD_BODY, f"batch of {count} in {len(body)} bytes", body)
    return LocationBatch(body[2], tuple(bodies), whole=len(bodies) == count and at == len(body))


def encode_batch(kind: int, bodies: Sequence[bytes]) -> bytes:
    """Body of 0x0704. Raises OverflowError for more than 65535 bodies or a body of more than 65535
    bytes.
    """
    out = len(bodies).to_bytes(2, "big") + bytes((kind,))
    return out + b"".join(len(body).to_bytes(2, "big") + body for body in bodies)


# --- 0x0201 ---------------------------------------------------------------------------------------


def decode_query_reply(body: bytes, version: Version) -> tuple[int | None, bytes] | Rejection:
    """0x0201: serial WORD of the query (None in 2011, which has none) and the 0x0200 body.

    Which of the two it is, is told by where a readable time stands and where the items end with the body;
    ``version`` decides between equals. Rejects BODY_TOO_SHORT.
    """
    with_serial = _fits(body[2:]) if len(body) >= 2 + BASIC_LENGTH else -1
    without = _fits(body) if len(body) >= BASIC_LENGTH else -1
    if max(with_serial, without) < 0:
        return Rejection(Reason.BODY_TOO_SHORT, f"query reply of {len(body)} bytes", body)
    if without > with_serial or (without == with_serial and version is Version.V2011):
        return None, body
    return int.from_bytes(body[:2], "big"), body[2:]


def _fits(body: bytes) -> int:
    at = BASIC_LENGTH
    while at + 2 <= len(body):
        at += 2 + body[at + 1]
    return 2 * (decode_time(body[22:BASIC_LENGTH]) > 0) + (at == len(body))


def encode_query_reply(serial: int | None, location: bytes) -> bytes:
    """Body of 0x0201 from the query's serial (None = the 2011 form) and a 0x0200 body."""
    return (b"" if serial is None else serial.to_bytes(2, "big")) + location


def with_items(location: Location, items: bytes) -> Location:
    """``location`` with other additional items."""
    return replace(location, items=items)
