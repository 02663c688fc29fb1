"""Which column of a delimited track file is what: known header names, a mapping, units in headers, signs of known loggers.

Whatever is not said by the file itself is a guess, and every guess is told (``Layout.notes``).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulation.gps_files.tracks import TrackFileError

#: our name -> column names we know, lower case, most telling first.
COLUMNS: dict[str, tuple[str, ...]] = {
    "lat": ("lat", "latitude", "latitude_n/s", "lat_deg", "gps_lat", "纬度", "y"),
    "lon": ("lon", "lng", "long", "longitude", "longitude_e/w", "lon_deg", "gps_lon", "gps_lng", "经度", "x"),
    "time": (
        "device_time", "devicetime", "gps_time", "gpstime", "fixtime", "fix_time", "datetime", "date_time", "timestamp",
        "tracked_at", "recorded_at", "captured_at", "time", "定位时间", "时间", "t", "date",
    ),
    "date": ("date", "gps_date", "gpsdate", "utc_date", "date_utc", "日期", "定位日期"),
    "clock": ("clock", "time", "gps_clock", "utc_time", "time_utc", "utc", "local_time", "时刻", "时间", "定位时间"),
    "device": (
        "device", "device_id", "deviceid", "terminal", "terminal_id", "phone", "imei", "tracker", "vehicle", "vehicle_id",
        "plate", "plate_no", "plateno", "plate_number", "platenumber", "license_plate", "licenseplate", "car", "car_no", "carno",
        "car_id", "carid", "vehicleid", "vehicle_no", "vehicleno", "vehicle_number", "vehiclenumber", "device_name", "devicename",
        "device_no", "deviceno", "unique_id", "uniqueid", "tid", "tracker_id", "trackerid", "terminal_no", "terminalid", "sim",
        "sim_no", "simno", "iccid", "driver", "driver_id", "driverid", "车号", "车辆", "手机号", "终端手机号", "终端编号", "设备编号",
        "设备名称", "taxi_id", "终端号", "设备号", "车牌号码", "号牌号码", "车牌号", "车牌", "user", "user_id", "userid",
    ),
    "altitude": ("altitude", "altitude_m", "alt", "ele", "elevation", "height", "海拔", "高程"),
    "speed": (
        "speed", "speed_kmh", "speed_kph", "speed_km/h", "gps_speed", "gpsspeed", "velocity", "速度", "时速", "车速", "行驶速度",
    ),
    "speed_ms": ("speed_ms", "speed_mps", "speed_m/s", "velocity_m/s"),
    "speed_kn": ("speed_kn", "speed_knots", "speed_knot", "speed_kts", "sog"),
    "direction": ("direction", "heading", "course", "bearing", "方向"),
    "lat_side": ("n/s", "ns", "lat_dir", "lat_ref", "latitude_hemisphere", "lat_hemisphere"),
    "lon_side": ("e/w", "ew", "lon_dir", "lng_dir", "lon_ref", "longitude_hemisphere", "lon_hemisphere"),
}  # fmt: skip
REQUIRED = ("lat", "lon", "time")
_ZONE_WORDS = frozenset({"utc", "gmt", "local"})
_ZONE = re.compile(r"(?:utc|gmt)\s*([+-])\s*(\d{1,2})(?::?(\d{2}))?", re.I)
_ANY_UNIT = re.compile(r"[\[(（]\s*([^\])）]{1,20})\s*[\])）]")
_DELIMITERS = (";", "\t", "|", ",")
_UNIT = re.compile(r"\s*[\[(（].*$")  # "speed (km/h)" is the column speed
_SPEED_UNIT = re.compile(
    r"[\[(（]\s*(km/?h|kph|公里/?小?时|m/?s|米/?秒|kn|knots?|kts?|节|mph)\s*[\])）]", re.I
)
#: A time of day with no date: 9:05, 09:05:00, 09:05:00.5.
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?", re.ASCII)
_ONLY_DATE = re.compile(r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}", re.ASCII)

KMH_OF = {"km/h": 1.0, "m/s": 3.6, "knots": 1.852, "mph": 1.609344, "0.1 km/h": 0.1}
_KMH, _MS, _KNOTS, _MPH, _TENTH_KMH = KMH_OF
#: Loggers that are known by columns of theirs, and the unit of their ``speed``.
_LOGGERS = (
    ("GPSLogger for Android", {"elevation", "accuracy", "bearing", "speed", "provider"}, _MS),
    ("Traccar", {"deviceid", "fixtime", "speed"}, _KNOTS),
    ("Traccar", {"device_id", "fix_time", "speed"}, _KNOTS),
    ("Traccar", {"valid", "latitude", "longitude", "altitude", "speed", "address", "attributes"}, _KNOTS),
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand in a line. ``indexes``: our name -> 0-based column. ``speed_unit`` of the column ``speed`` (a
    key of ``KMH_OF``); None = the file does not say. ``notes``: what was guessed, for people."""

    delimiter: str
    indexes: dict[str, int]
    header_lines: int
    speed_unit: str | None = None
    notes: list[str] = field(default_factory=list)
    utc_offset_s: int | None = None


def _key(header: str) -> str:
    """A header for comparing: without its unit, case and zone; ``UTC Time`` and ``time_utc`` are ``time``."""
    text = re.sub(r"[\s_\-.]+", "_", _UNIT.sub("", header.strip().lstrip("#").strip().lower()))
    words = [word for word in text.split("_") if word not in _ZONE_WORDS]
    return "_".join(words) or ("time" if text in ("utc", "gmt") else text)


def _zone_of(path: Path, header: str) -> int | None:
    """Seconds east of UTC that a header of times names, None: it names none. Raises TrackFileError for a zone not known."""
    words = set(re.split(r"[^a-z]+", header.lower()))
    said = _ZONE.search(header)
    if said and said[1]:
        sign = 1 if said[1] == "+" else -1
        return sign * (int(said[2]) * 3600 + int(said[3] or 0) * 60)
    if words & {"utc", "gmt"}:
        return 0
    if "北京时间" in header or "东八区" in header or words & {"cst", "beijing"}:
        return 8 * 3600
    if words & {"jst", "kst", "est", "edt", "cet", "cest", "pst", "pdt", "ist", "msk"}:
        raise TrackFileError(
            f"{path}: 不认识的时区 {header[:40]!r} · unknown time zone in the header",
            hint="改写表头，或用 --utc-offset 指明 / rename the column and give --utc-offset",
        )
    return None


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


def split(line: str, delimiter: str) -> list[str]:
    """Fields of one line; delimiter ``" "`` is any run of blanks. Raises csv.Error when its quotes do not close."""
    if delimiter == " ":
        return line.split()
    if '"' not in line:
        return line.split(delimiter)
    rows = list(csv.reader([line], delimiter=delimiter, strict=True))
    return rows[0] if rows else []


def _sniff(line: str) -> str:
    """The delimiter of a line: the most frequent of ``; tab | ,`` (ties: in that order), else blanks."""
    counts = {d: line.count(d) for d in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda d: counts[d])
    if counts[best]:
        return best
    return " " if len(line.split()) >= len(REQUIRED) else ","


def number(text: str, *, comma: bool = False) -> float:
    """A finite number; ``comma``: a decimal comma is taken too. ValueError otherwise; ``float`` alone would also take
    ``1_0``, ``nan`` and ``infinity``."""
    text = text.strip()
    if comma and text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    if "_" in text:
        raise ValueError(text)
    value = float(text)
    if value - value != 0.0:  # true for nan and both infinities
        raise ValueError(text)
    return value


def layout_of(path: Path, first: str, second: str, mapping: Mapping[str, str]) -> Layout:
    """The layout of a file by its first line, and the line after it (empty if none), which shows what a column of times
    holds. Raises TrackFileError."""
    delimiter = _sniff(first)
    try:
        fields = [f.strip() for f in split(first, delimiter)]
    except csv.Error as error:
        raise TrackFileError(f"{path}: line 1: {error}") from error
    names = {name.lower(): i for i, name in reversed(list(enumerate(fields)))}
    if (
        mapping
        and all(v.isascii() and v.isdigit() for v in mapping.values())
        and not mapping.keys() & set(names)
    ):
        return _numbered(path, fields, mapping, delimiter)
    indexes = _named(path, fields, names, mapping)
    try:
        sample = split(second, delimiter)
    except csv.Error:
        sample = []
    notes: list[str] = []
    _times(path, fields, sample, indexes, mapping, notes)
    missing = [name for name in REQUIRED if name not in indexes]
    if missing:
        raise TrackFileError(
            f"{path}: line 1: no column for {', '.join(missing)} among: {', '.join(fields)[:500]}",
            hint="name the columns: --map lat=...,lon=...,time=...,device=... (numbers count from 1 without a header)",
        )
    if delimiter == " " and sample and len(sample) != len(fields):
        raise TrackFileError(
            f"{path}: line 2: {len(sample)} 列，表头 {len(fields)} 列 · separated by blanks, and not as many values as names",
            hint="改用逗号分隔 / separate the columns by commas",
        )
    unit = _speed_unit(fields, names, indexes, mapping, notes)
    zone = _zone_of(path, fields[indexes["time"]])
    if zone is None and "date" in indexes:
        zone = _zone_of(path, fields[indexes["date"]])
    if zone is not None:
        notes.append(f"时区见表头 / the zone is that of the header: {fields[indexes['time']][:40]}")
    return Layout(delimiter, indexes, 1, unit, notes, zone)


def _named(
    path: Path, fields: Sequence[str], names: dict[str, int], mapping: Mapping[str, str]
) -> dict[str, int]:
    bare = {_key(name): i for name, i in reversed(names.items())} | {
        _UNIT.sub("", name): i for name, i in reversed(names.items())
    }
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
        if ours in indexes or ours in ("date", "clock"):
            continue
        for candidate in known:
            found = names.get(candidate, bare.get(candidate))
            if found is not None and found not in indexes.values():
                indexes[ours] = found
                break
    return indexes


def _times(
    path: Path,
    fields: Sequence[str],
    sample: Sequence[str],
    indexes: dict[str, int],
    mapping: Mapping[str, str],
    notes: list[str],
) -> None:
    """A date in one column and the time of day in another are joined. A file that has dates alone would put every point at
    midnight: it is refused."""
    if "date" in mapping or "clock" in mapping:
        if not {"date", "clock"} <= mapping.keys():
            raise TrackFileError(f"{path}: --map: date and clock go together")
        indexes["time"] = indexes["clock"]
        return
    at = indexes.get("time")
    if at is None or "time" in mapping or at >= len(sample):
        return
    value = sample[at].strip()
    if not (_CLOCK.fullmatch(value) or _ONLY_DATE.fullmatch(value)):
        return
    lower = [_key(name) for name in fields]
    dates = [k for k, v in enumerate(sample) if k < len(lower) and _ONLY_DATE.fullmatch(v.strip())]
    clocks = [k for k, v in enumerate(sample) if k < len(lower) and _CLOCK.fullmatch(v.strip())]
    date = next((k for k in dates if lower[k] in COLUMNS["date"]), dates[0] if len(dates) == 1 else None)
    clock = next((k for k in clocks if lower[k] in COLUMNS["clock"]), clocks[0] if len(clocks) == 1 else None)
    if date is None or clock is None:
        raise TrackFileError(
            f"{path}: 只有{'日期' if date is not None else '时刻'}，没有完整时间 · the times are "
            f"{'dates without a time of day' if date is not None else 'times of day without a date'}",
            hint="--map date=列名,clock=列名 / name both columns",
        )
    indexes["date"], indexes["clock"], indexes["time"] = date, clock, clock
    notes.append(f"日期与时刻合并 / date and time of day joined: {fields[date]} + {fields[clock]}")


def _speed_unit(
    fields: Sequence[str],
    names: Mapping[str, int],
    indexes: dict[str, int],
    mapping: Mapping[str, str],
    notes: list[str],
) -> str | None:
    at = indexes.get("speed")
    if at is None or "speed" in mapping:
        return _KMH
    if tenth := re.search(r"0\.1\s*(km/?h|公里/?小?时)", fields[at], re.I):
        notes.append(f"速度单位 / the unit of speed: {tenth[0]}")
        return _TENTH_KMH
    if re.search(r"km/?h|kph", fields[at], re.I) and not _ANY_UNIT.search(fields[at]):
        return _KMH
    said = _SPEED_UNIT.search(fields[at])
    if said:
        text = said[1].lower()
        if text.startswith(("km", "kph", "公里")):
            return _KMH
        return _MPH if text == "mph" else _KNOTS if text.startswith(("kn", "kt", "节")) else _MS
    if other := _ANY_UNIT.search(fields[at]):
        del indexes["speed"]
        notes.append(
            f"不认识的速度单位，未读取速度 / the unit of speed is not known, speeds were left out: {other[1]}"
        )
        return _KMH
    for logger, theirs, unit in _LOGGERS:
        if theirs <= names.keys():
            notes.append(f"{logger} 的文件，速度单位 / a file of {logger}, its speed is in {unit}")
            return unit
    return None


def _numbered(path: Path, fields: Sequence[str], mapping: Mapping[str, str], delimiter: str) -> Layout:
    """Columns by number. The first line is a header exactly when its latitude is no number."""
    indexes = {ours: int(number) - 1 for ours, number in mapping.items()}
    if {"date", "clock"} <= indexes.keys():
        indexes["time"] = indexes["clock"]
    missing = [name for name in REQUIRED if name not in indexes]
    if missing:
        raise TrackFileError(f"{path}: --map by number must also give {', '.join(missing)}")
    if min(indexes.values()) < 0 or max(indexes.values()) >= len(fields):
        raise TrackFileError(f"{path}: line 1: --map names a column outside 1..{len(fields)}")
    try:
        number(fields[indexes["lat"]], comma=delimiter != ",")
    except ValueError:
        return Layout(delimiter, indexes, 1, _KMH)
    return Layout(delimiter, indexes, 0, _KMH)
