"""CSV with a column mapping, and GeoLife PLT. Each line is parsed on its own: one bad line never swallows another."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simulation.gps_files.times import parse_time
from simulation.gps_files.tracks import MAX_LINE, PointSink, ReadOptions, Reason, TrackFileError, decode_text

#: our name -> column names we know, lower case, most telling first.
COLUMNS: dict[str, tuple[str, ...]] = {
    "lat": ("lat", "latitude", "lat_deg", "gps_lat", "纬度", "y"),
    "lon": ("lon", "lng", "long", "longitude", "lon_deg", "gps_lon", "gps_lng", "经度", "x"),
    "time": (
        "device_time", "gps_time", "gpstime", "fixtime", "fix_time", "datetime", "date_time", "timestamp", "time",
        "定位时间", "时间", "t", "date",
    ),
    "device": (
        "device", "device_id", "deviceid", "terminal", "phone", "imei", "tracker", "vehicle", "vehicle_id", "plate",
        "taxi_id", "终端号", "设备号", "车牌号", "车牌", "user",
    ),
    "altitude": ("altitude", "altitude_m", "alt", "ele", "elevation", "海拔", "高程"),
    "speed": ("speed", "speed_kmh", "速度"),
    "speed_ms": ("speed_ms", "speed_mps"),
    "direction": ("direction", "heading", "course", "bearing", "方向"),
}  # fmt: skip
REQUIRED = ("lat", "lon", "time")
_DELIMITERS = (";", "\t", "|", ",")
_UNIT = re.compile(r"\s*[\[(（].*$")  # "speed (km/h)" is the column speed


@dataclass(frozen=True, slots=True)
class _Layout:
    delimiter: str
    indexes: dict[str, int]
    header_lines: int


def parse_mapping(text: str) -> dict[str, str]:
    """``lat=Y,lon=X,time=t`` as a dict. Raises TrackFileError naming the part that is wrong."""
    mapping: dict[str, str] = {}
    for part in text.split(","):
        name, equals, column = part.partition("=")
        name, column = name.strip(), column.strip()
        if not equals or not column or name not in COLUMNS:
            raise TrackFileError(
                f"--map: {part.strip()!r} is not name=column", hint="names: " + ", ".join(COLUMNS)
            )
        if name in mapping:
            raise TrackFileError(f"--map: {name} is given twice")
        mapping[name] = column
    return mapping


def _split(line: str, delimiter: str) -> list[str]:
    """Fields of one line. Raises csv.Error when its quotes do not close."""
    if '"' not in line:
        return line.split(delimiter)
    rows = list(csv.reader([line], delimiter=delimiter, strict=True))
    return rows[0] if rows else []


def _sniff(line: str) -> str:
    """The delimiter of a line: the most frequent of ``; tab | ,`` (ties: in that order)."""
    counts = {d: line.count(d) for d in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda d: counts[d])
    return best if counts[best] else ","


def _number(text: str) -> float:
    """A finite number. ValueError otherwise; ``float`` alone would also take ``1_0``, ``nan`` and ``infinity``."""
    text = text.strip()
    if "_" in text:
        raise ValueError(text)
    value = float(text)
    if value - value != 0.0:  # true for nan and both infinities
        raise ValueError(text)
    return value


def _layout(path: Path, first: str, mapping: dict[str, str]) -> _Layout:
    delimiter = _sniff(first)
    try:
        fields = [f.strip() for f in _split(first, delimiter)]
    except csv.Error as error:
        raise TrackFileError(f"{path}: line 1: {error}") from error
    names = {name.lower(): i for i, name in reversed(list(enumerate(fields)))}
    bare = {_UNIT.sub("", name): i for name, i in reversed(names.items())}
    if (
        mapping
        and all(v.isascii() and v.isdigit() for v in mapping.values())
        and not mapping.keys() & set(names)
    ):
        return _numbered(path, fields, mapping, delimiter)
    indexes: dict[str, int] = {}
    for ours, column in mapping.items():
        found = names.get(column.lower(), bare.get(column.lower()))
        if found is None:
            raise TrackFileError(
                f"{path}: line 1: no column {column!r} (for {ours})",
                hint="columns: " + ", ".join(fields)[:500],
            )
        indexes[ours] = found
    for ours, known in COLUMNS.items():
        if ours in indexes:
            continue
        for candidate in known:
            found = names.get(candidate, bare.get(candidate))
            if found is not None and found not in indexes.values():
                indexes[ours] = found
                break
    missing = [name for name in REQUIRED if name not in indexes]
    if missing:
        raise TrackFileError(
            f"{path}: line 1: no column for {', '.join(missing)} among: {', '.join(fields)[:500]}",
            hint="name the columns: --map lat=...,lon=...,time=...,device=... (numbers count from 1 without a header)",
        )
    return _Layout(delimiter, indexes, 1)


def _numbered(path: Path, fields: list[str], mapping: dict[str, str], delimiter: str) -> _Layout:
    """Columns by number. The first line is a header exactly when its latitude is no number."""
    indexes = {ours: int(number) - 1 for ours, number in mapping.items()}
    missing = [name for name in REQUIRED if name not in indexes]
    if missing:
        raise TrackFileError(f"{path}: --map by number must also give {', '.join(missing)}")
    if min(indexes.values()) < 0 or max(indexes.values()) >= len(fields):
        raise TrackFileError(f"{path}: line 1: --map names a column outside 1..{len(fields)}")
    try:
        _number(fields[indexes["lat"]])
    except ValueError:
        return _Layout(delimiter, indexes, 1)
    return _Layout(delimiter, indexes, 0)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its end); splits at LF and CRLF only, as CSV does."""
    start, number = 0, 1
    while start < len(text):
        end = text.find("\n", start)
        if end < 0:
            end = len(text)
        yield number, text[start : end - 1 if end > start and text[end - 1] == "\r" else end]
        start, number = end + 1, number + 1


def read_csv(path: Path, data: bytes, options: ReadOptions, sink: PointSink) -> None:
    """All rows of a delimited text file. Blank lines and the header are no rows."""
    lines = ((n, line) for n, line in _lines(decode_text(path, data)) if line.strip())
    first = next(lines, None)
    if first is None:
        raise TrackFileError(f"{path}: line 1: the file is empty")
    if len(first[1]) > MAX_LINE:
        raise TrackFileError(f"{path}: line {first[0]}: longer than {MAX_LINE} characters")
    layout = _layout(path, first[1], dict(options.mapping))
    if layout.header_lines == 0:
        _csv_row(path, first, layout, options, sink)
    for numbered in lines:
        _csv_row(path, numbered, layout, options, sink)


def _csv_row(
    path: Path, numbered: tuple[int, str], layout: _Layout, options: ReadOptions, sink: PointSink
) -> None:
    number, line = numbered
    where = f"line {number}"
    if len(line) > MAX_LINE:
        sink.reject(where, Reason.BAD_ROW, f"longer than {MAX_LINE} characters")
        return
    try:
        fields = _split(line, layout.delimiter)
    except csv.Error as error:
        sink.reject(where, Reason.BAD_ROW, str(error))
        return
    at = layout.indexes
    if max(at.values()) >= len(fields):
        sink.reject(where, Reason.MISSING_FIELD, f"{len(fields)} fields, {max(at.values()) + 1} needed")
        return
    empty = [name for name in REQUIRED if not fields[at[name]].strip()]
    if empty:
        sink.reject(where, Reason.MISSING_FIELD, ", ".join(empty))
        return
    try:
        time_us, assumed = parse_time(fields[at["time"]], options.utc_offset_s)
    except (ValueError, OverflowError):
        sink.reject(where, Reason.BAD_TIME, fields[at["time"]])
        return
    try:
        lat, lon = _number(fields[at["lat"]]), _number(fields[at["lon"]])
    except ValueError:
        sink.reject(where, Reason.BAD_NUMBER, f"lat {fields[at['lat']]}, lon {fields[at['lon']]}")
        return
    speed = _optional(fields, at.get("speed"))
    if speed is None:
        metres = _optional(fields, at.get("speed_ms"))
        speed = None if metres is None else metres * 3.6
    before = sink.report.accepted
    sink.add(
        where,
        fields[at["device"]] if "device" in at else path.stem,
        time_us,
        lat,
        lon,
        altitude_m=_optional(fields, at.get("altitude")) or 0.0,
        speed_kmh=speed,
        direction_deg=_optional(fields, at.get("direction")),
    )
    sink.report.assumed_offset += assumed and sink.report.accepted > before


def _optional(fields: list[str], index: int | None) -> float | None:
    """A number that may be missing or unreadable: neither costs the point."""
    if index is None or index >= len(fields):
        return None
    try:
        return _number(fields[index])
    except ValueError:
        return None


def read_plt(path: Path, data: bytes, options: ReadOptions, sink: PointSink) -> None:
    """GeoLife PLT (user guide 1.3): six header lines, then latitude, longitude, 0, altitude in feet (-777 = none),
    days since 1899-12-30, date, time; all in GMT. The device is the user's folder (``007/Trajectory/x.plt``)."""
    del options  # the format says its own zone and columns
    lines = list(_lines(decode_text(path, data)))
    if not lines or not lines[0][1].startswith("Geolife trajectory"):
        raise TrackFileError(f"{path}: line 1: not a GeoLife PLT file")
    user = path.absolute().parent
    device = user.parent.name if user.name.lower() == "trajectory" and user.parent.name else path.stem
    for number, line in lines[6:]:
        if not line.strip():
            continue
        where = f"line {number}"
        fields = line.split(",")
        if len(fields) < 7:
            sink.reject(where, Reason.MISSING_FIELD, f"{len(fields)} fields, 7 needed")
            continue
        try:
            time_us, _assumed = parse_time(f"{fields[5].strip()} {fields[6].strip()}", 0)
        except (ValueError, OverflowError):
            sink.reject(where, Reason.BAD_TIME, f"{fields[5]} {fields[6]}")
            continue
        try:
            lat, lon = _number(fields[0]), _number(fields[1])
        except ValueError:
            sink.reject(where, Reason.BAD_NUMBER, f"lat {fields[0]}, lon {fields[1]}")
            continue
        feet = _optional(fields, 3)
        sink.add(
            where, device, time_us, lat, lon, altitude_m=0.0 if feet in (None, -777.0) else feet * 0.3048
        )
