"""Positions in messages of JT/T 809: rows of a PositionBatch to the bodies of 0x1202 and 0x1203, and back.

2011 (clause 4.5.8.1): 36 bytes, whole km/h and km, the date as day, month, year in plain numbers, GMT+8. 2019: the body of a 0x0200 of
JT/T 808, so nothing is lost, and behind it three pairs of platform and alarm bits; the first pair is ours. Coordinates are 1e-6
degree WGS-84, the sign is in the status (bits 2 and 3), as in JT/T 808. We send the flag "encrypted" as 0: nothing is shifted.
Who sends it as 1 shifts his coordinates by a secret rule: such positions get bit 5 of the status and are no evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np

from runtime.arrays import AnyInts
from runtime.units import CHINA_OFFSET_US, US_PER_S
from telemetry.jt808.columns import location
from telemetry.jt808.columns.framing import PADDING
from telemetry.jt809.header import Edition
from telemetry.jt809.refusal import Reason, Refusal
from telemetry.positions import OPTIONAL, PositionBatch
from telemetry.quality import STATUS_ENCRYPTED, STATUS_SOUTH, STATUS_WEST

#: Positions of one 0x1203, at most.
MOST_TOGETHER: Final = 5
_OLD: Final = np.dtype(
    [
        ("encrypted", "u1"), ("day", "u1"), ("month", "u1"), ("year", ">u2"), ("hour", "u1"), ("minute", "u1"), ("second", "u1"),
        ("lon", ">u4"), ("lat", ">u4"), ("speed", ">u2"), ("recorder_speed", ">u2"), ("mileage", ">u4"),
        ("direction", ">u2"), ("altitude", ">i2"), ("status", ">u4"), ("alarm", ">u4"),
    ]
)  # fmt: skip
_BASIC: Final = np.dtype(
    [
        ("alarm", ">u4"), ("status", ">u4"), ("lat", ">u4"), ("lon", ">u4"), ("altitude", ">i2"), ("speed", ">u2"),
        ("direction", ">u2"), ("time", "V6"),
    ]
)  # fmt: skip
OLD_BYTES: Final = _OLD.itemsize
#: Behind a 0x0200 of 2019: three platforms of 11 bytes with 4 bytes of alarm bits each.
_PLATFORMS: Final = 3 * 15
_ITEM_IDS: Final = {name: (id, size) for id, (name, size) in location.ITEM_COLUMNS.items()}
#: Years that both protocols can say.
_FIRST_US: Final = int(datetime(2000, 1, 2, tzinfo=UTC).timestamp()) * US_PER_S
_LAST_US: Final = int(datetime(2099, 12, 30, tzinfo=UTC).timestamp()) * US_PER_S


def sendable(batch: PositionBatch) -> AnyInts:
    """Which rows have a time that the protocol can say. Shape (n,), bool."""
    return (batch.device_us >= _FIRST_US) & (batch.device_us <= _LAST_US)


def _raw(degrees: AnyInts, status: AnyInts, bit: int) -> AnyInts:
    """A coordinate as it is on the wire: what ``columns.location`` reads back as the same number, whatever it is."""
    return np.where((status & bit) != 0, -degrees.astype(np.int64), degrees).astype(np.int64) & 0xFFFFFFFF


def _clock(device_us: AnyInts) -> dict[str, AnyInts]:
    """Date and time in GMT+8."""
    moments = (device_us + CHINA_OFFSET_US).astype("datetime64[us]")
    days = moments.astype("datetime64[D]")
    months, years = days.astype("datetime64[M]"), days.astype("datetime64[Y]")
    seconds = ((device_us + CHINA_OFFSET_US) // US_PER_S) % 86_400
    return {
        "day": (days - months).astype(np.int64) + 1,
        "month": (months - years).astype(np.int64) + 1,
        "year": years.astype(np.int64) + 1970,
        "hour": seconds // 3600,
        "minute": seconds // 60 % 60,
        "second": seconds % 60,
    }


def encode(batch: PositionBatch, edition: Edition, platform_id: str = "") -> list[bytes]:
    """The location of each row, as it stands in 0x1202. All rows are ``sendable``. ``platform_id``: of 2019, at most 11 characters."""
    if edition is Edition.V2011:
        return _encode_2011(batch)
    return _encode_2019(batch, platform_id)


def _encode_2011(batch: PositionBatch) -> list[bytes]:
    out = np.zeros(len(batch), _OLD)
    for name, values in _clock(batch.device_us).items():
        out[name] = values
    out["lon"] = _raw(batch.lon_e6, batch.status, STATUS_WEST)
    out["lat"] = _raw(batch.lat_e6, batch.status, STATUS_SOUTH)
    out["speed"] = (batch.speed_dkmh.astype(np.int64) + 5) // 10
    recorder = np.where(batch.known("recorder_speed_dkmh"), batch.recorder_speed_dkmh, 0).astype(np.int64)
    out["recorder_speed"] = (recorder + 5) // 10
    out["mileage"] = np.where(batch.known("odometer_dkm"), batch.odometer_dkm, 0).astype(np.int64) // 10
    out["direction"], out["altitude"] = batch.direction_deg, batch.altitude_m
    out["status"], out["alarm"] = batch.status, batch.alarm
    data = out.tobytes()
    return [data[at : at + OLD_BYTES] for at in range(0, len(data), OLD_BYTES)]


def _bcd(values: AnyInts) -> AnyInts:
    digits: AnyInts = (values // 10 * 16 + values % 10).astype(np.uint8)
    return digits


def _encode_2019(batch: PositionBatch, platform_id: str) -> list[bytes]:
    head = np.zeros(len(batch), _BASIC)
    head["alarm"], head["status"] = batch.alarm, batch.status
    head["lon"] = _raw(batch.lon_e6, batch.status, STATUS_WEST)
    head["lat"] = _raw(batch.lat_e6, batch.status, STATUS_SOUTH)
    head["altitude"], head["speed"], head["direction"] = (
        batch.altitude_m,
        batch.speed_dkmh,
        batch.direction_deg,
    )
    clock = _clock(batch.device_us)
    clock["year"] = clock["year"] % 100
    parts = [_bcd(clock[name]) for name in ("year", "month", "day", "hour", "minute", "second")]
    head["time"] = np.ascontiguousarray(np.stack(parts, axis=1)).view("V6")[:, 0]
    basic, data = head.tobytes(), batch.items_data.tobytes()
    columns = {name: (getattr(batch, name).tolist(), batch.has(name).tolist()) for name in OPTIONAL}
    alarms, offsets = batch.alarm.tolist(), batch.items_offsets.tolist()
    own = platform_id.encode("ascii", "replace")[:11].ljust(11, b"\x00")
    found = []
    for row in range(len(batch)):
        body = bytearray(basic[row * 28 : row * 28 + 28])
        for name, (values, there) in columns.items():
            if there[row]:
                id, size = _ITEM_IDS[name]
                body += bytes((id, size)) + values[row].to_bytes(size, "big")
        body += data[offsets[row] : offsets[row + 1]]
        behind = own + alarms[row].to_bytes(4, "big") + bytes(_PLATFORMS - 15)
        found.append(b"\x00" + len(body).to_bytes(4, "big") + bytes(body) + behind)
    return found


def split(data: bytes, edition: Edition, count: int) -> list[bytes] | Refusal:
    """The ``count`` locations that ``data`` is made of, exactly. Refuses BAD_BODY, also where there is none or are more than five."""
    bad = Refusal.of(Reason.BAD_BODY, f"{count} positions in {len(data)} bytes", data)
    if not 1 <= count <= MOST_TOGETHER:
        return bad
    found, at = list[bytes](), 0
    for _ in range(count):
        size = OLD_BYTES
        if edition is Edition.V2019:
            size = 5 + int.from_bytes(data[at + 1 : at + 5], "big") + _PLATFORMS
        if at + size > len(data):
            return bad
        found.append(data[at : at + size])
        at += size
    return found if at == len(data) else bad


def decode(
    locations: Sequence[bytes], edition: Edition, terminals: Sequence[int], received_us: int, source: Sequence[int]
) -> tuple[PositionBatch, AnyInts]:  # fmt: skip
    """The rows of ``locations`` (of ``split``), and which of them could be read, shape (n,), int64: a 0x0200 of less than 28 bytes cannot."""
    if edition is Edition.V2011:
        return _decode_2011(locations, terminals, received_us, source), np.arange(len(locations))
    bodies = [one[5:-_PLATFORMS] for one in locations]
    lengths = np.array([len(body) for body in bodies], np.int64)
    data = np.frombuffer(b"".join(bodies) + bytes(PADDING), np.uint8)
    decoded = location.decode(
        data,
        np.cumsum(lengths) - lengths,
        lengths,
        terminal=np.array(terminals, np.int32),
        received_us=received_us,
        source=np.array(source, np.uint8),
    )
    batch, rows = decoded.batch, decoded.rows
    hidden = np.array([one[0] != 0 for one in locations], np.bool_)[rows]
    if hidden.any():
        columns = batch.columns() | {"status": _marked(batch.status, hidden)}
        batch = PositionBatch(**columns, items_offsets=batch.items_offsets, items_data=batch.items_data)
    return batch, rows


def _marked(status: AnyInts, hidden: AnyInts) -> AnyInts:
    return np.where(hidden, status | np.uint32(STATUS_ENCRYPTED), status).astype(np.uint32)


def _decode_2011(
    locations: Sequence[bytes], terminals: Sequence[int], received_us: int, source: Sequence[int]
) -> PositionBatch:  # fmt: skip
    read = np.frombuffer(b"".join(locations), _OLD)
    status = _marked(read["status"].astype(np.uint32), read["encrypted"] != 0)
    present = np.zeros(len(read), np.uint8)
    for name, column in (("mileage", "odometer_dkm"), ("recorder_speed", "recorder_speed_dkmh")):
        present |= np.where(read[name] != 0, np.uint8(1 << OPTIONAL.index(column)), np.uint8(0))
    # What does not fit is kept as the largest number that is one: all bits set would say "no data".
    km = read["mileage"].astype(np.int64).clip(max=(2**32 - 2) // 10)
    recorder = read["recorder_speed"].astype(np.int64).clip(max=6_553)
    return PositionBatch.build(
        len(read),
        terminal=np.array(terminals, np.int32),
        received_us=np.full(len(read), received_us, np.int64),
        device_us=_device_us(read),
        lat_e6=_degrees(read["lat"], status, STATUS_SOUTH),
        lon_e6=_degrees(read["lon"], status, STATUS_WEST),
        altitude_m=read["altitude"].astype(np.int16),
        speed_dkmh=(read["speed"].astype(np.int64) * 10).clip(max=65_534),
        direction_deg=read["direction"].astype(np.uint16),
        alarm=read["alarm"].astype(np.uint32),
        status=status,
        source=np.array(source, np.uint8),
        odometer_dkm=km * 10,
        recorder_speed_dkmh=recorder * 10,
        present=present,
    )


def _degrees(field: AnyInts, status: AnyInts, bit: int) -> AnyInts:
    degrees = field.astype(np.uint32).view(np.int32)
    return np.where((status & np.uint32(bit)) != 0, -degrees, degrees).astype(np.int32)


def _device_us(read: AnyInts) -> AnyInts:
    """Times in microseconds since 1970 UTC; 0 where there is no such time. Shape (n,), int64."""
    year, month, day = (read[name].astype(np.int64) for name in ("year", "month", "day"))
    hour, minute, second = (read[name].astype(np.int64) for name in ("hour", "minute", "second"))
    valid = (year >= 1971) & (year <= 9998) & (month >= 1) & (month <= 12) & (day >= 1)
    valid &= (hour < 24) & (minute < 60) & (second < 60)
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    first, following = (
        months.astype("datetime64[D]"),
        (months + np.timedelta64(1, "M")).astype("datetime64[D]"),
    )
    valid &= day <= (following - first).astype(np.int64)
    days = first.astype(np.int64) + day - 1
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    return np.where(valid, seconds * US_PER_S - CHINA_OFFSET_US, 0)
