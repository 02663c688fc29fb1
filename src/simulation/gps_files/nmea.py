"""NMEA 0183: the sentence RMC of any talker ($GPRMC, $GNRMC, ...), which alone has date, time, place, speed and course. Times are
UTC. Other sentences repeat the same fixes: they are left out.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path

from runtime.units import to_us
from simulation.gps_files.columns import KMH_OF
from simulation.gps_files.tracks import PointSink, ReadOptions, Reason, TrackFileError, decode_text

#: Anything may stand before a sentence: many loggers write their own time there.
_RMC = re.compile(r"\$([A-Z]{2}RMC,[^*\r\n]{5,100})(?:\*([0-9A-Fa-f]{2}))?")
_ANY = re.compile(rb"\$[A-Z]{2}(RMC|GGA|GLL|GSA|GSV|VTG|ZDA),")
_CLOCK = re.compile(r"(\d\d)(\d\d)(\d\d)(?:\.(\d{1,6}))?", re.ASCII)
_DAY = re.compile(r"(\d\d)(\d\d)(\d\d)", re.ASCII)
_DEGREES = re.compile(r"(\d{1,3})(\d\d\.\d+|\d\d)", re.ASCII)


def is_nmea(head: bytes) -> bool:
    """Whether a file begins like NMEA."""
    return _ANY.search(head) is not None


def read_nmea(path: Path, data: bytes, options: ReadOptions, sink: PointSink) -> None:
    """Every RMC sentence with a valid fix. Raises TrackFileError for a file without any."""
    seen = 0
    for number, line in enumerate(decode_text(path, data).splitlines(), start=1):
        sentence = _RMC.search(line)
        if sentence is None:
            continue
        seen += 1
        _read(f"line {number}", sentence[1], sentence[2], options.device or path.stem, sink)
    if not seen:
        raise TrackFileError(
            f"{path}: 没有 RMC 语句，其他语句没有日期 · no RMC sentence; the others have no date",
            hint="在记录仪中打开 RMC / let the logger write RMC",
        )


def _read(where: str, body: str, check: str | None, device: str, sink: PointSink) -> None:
    if check is not None and reduce(lambda a, b: a ^ b, body.encode("ascii", "replace")) != int(check, 16):
        sink.reject(where, Reason.BAD_ROW, "checksum")
        return
    fields = body.split(",")
    if len(fields) < 10:
        sink.reject(where, Reason.MISSING_FIELD, f"{len(fields)} fields, 10 needed")
        return
    if fields[2] != "A":  # V: the receiver itself says that it has no fix
        sink.reject(where, Reason.MISSING_FIELD, "no fix")
        return
    clock, day = _CLOCK.fullmatch(fields[1]), _DAY.fullmatch(fields[9])
    try:
        if clock is None or day is None:
            raise ValueError
        year = int(day[3]) + (2000 if int(day[3]) < 80 else 1900)
        moment = datetime(
            year, int(day[2]), int(day[1]), int(clock[1]), int(clock[2]), int(clock[3]),
            int((clock[4] or "").ljust(6, "0")), tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        sink.reject(where, Reason.BAD_TIME, f"{fields[9]} {fields[1]}")
        return
    lat, lon = _degrees(fields[3], fields[4], "NS"), _degrees(fields[5], fields[6], "EW")
    if lat is None or lon is None:
        sink.reject(where, Reason.BAD_NUMBER, ",".join(fields[3:7]))
        return
    knots, course = _number(fields[7]), _number(fields[8])
    speed_kmh = None if knots is None else knots * KMH_OF["knots"]
    sink.add(where, device, to_us(moment), lat, lon, speed_kmh=speed_kmh, direction_deg=course)


def _degrees(text: str, side: str, sides: str) -> float | None:
    """Degrees of ``ddmm.mmmm`` and its letter; None: they are none."""
    match = _DEGREES.fullmatch(text)
    if match is None or len(side) != 1 or side not in sides or float(match[2]) >= 60:
        return None
    value = int(match[1]) + float(match[2]) / 60
    return -value if side == sides[1] else value


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,5}(\.\d+)?", text, re.ASCII) else None
