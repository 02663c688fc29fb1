"""Tracks as they come out of files, whatever the format: the points of each device as columns, and an exact account.

Every point of a file is accepted or rejected for a reason: ``rows == accepted + sum(rejected)`` always holds.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.encodings import decoded
from registry.refusals import UnreadableError
from registry.spelling import ROUNDED, sheet_error
from runtime.arrays import AnyArray, Floats, Ints
from runtime.errors import GongcheError
from telemetry.geo import distance_m

MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_POINTS = 10_000_000
MAX_DEVICES = 20_000
MAX_LINE = 16_384  # characters of one line of text, or of one text element of XML
MAX_EXAMPLES = 20
ABSENT = -1  # in speed_dkmh and direction_deg

#: 1990..2099: before that there were no GNSS recordings to speak of; after it a device time (YY) cannot say it.
_EARLIEST_US = 631_152_000 * 1_000_000
_LATEST_US = 4_102_444_800 * 1_000_000


#: 8.61234E+14: a long number as Excel writes it.


class TrackFileError(GongcheError):
    """A track file cannot be read; the message names the file and the place in it."""

    exit_code = 65  # sysexits.h EX_DATAERR


class Reason(StrEnum):
    """Why a point of a file was not taken."""

    BAD_ROW = "bad_row"  # the row itself is not readable (quotes, length, nesting)
    MISSING_FIELD = "missing_field"
    BAD_TIME = "bad_time"
    BAD_NUMBER = "bad_number"
    OUT_OF_RANGE = "out_of_range"
    BAD_DEVICE = "bad_device"
    BROKEN_OFF = "broken_off"  # the file ends in the middle: counted once


@dataclass(frozen=True, slots=True)
class RejectedPoint:
    """One point that was not taken: where (``line 12``, ``feature 3 point 7``), why, and the value."""

    where: str
    reason: Reason
    detail: str


@dataclass(slots=True)
class ReadReport:
    """What became of each point of one file. ``examples`` holds the first ``MAX_EXAMPLES`` rejections only."""

    path: str
    format: str
    rows: int = 0
    accepted: int = 0
    rejected: Counter[Reason] = field(default_factory=Counter)
    examples: list[RejectedPoint] = field(default_factory=list)
    assumed_offset: int = 0  # points whose time had no zone and was read in ReadOptions.utc_offset_s
    assumed_utc: int = 0  # points whose time had no zone and was read in UTC, because the format says so
    notes: list[str] = field(default_factory=list)  # what was guessed or left out, for people


@dataclass(frozen=True, slots=True, eq=False)
class RealTrack:
    """The points of one device, sorted by time (ties in file order). All arrays have shape (n,).

    ``time_us`` int64 microseconds since 1970 UTC; ``lat_e6``, ``lon_e6`` int32 1e-6 degree in the datum of the file;
    ``altitude_m`` int16; ``speed_dkmh`` int32 0.1 km/h and ``direction_deg`` int32, ``ABSENT`` where not recorded.
    """

    device: str
    time_us: Ints
    lat_e6: NDArray[np.int32]
    lon_e6: NDArray[np.int32]
    altitude_m: NDArray[np.int16]
    speed_dkmh: NDArray[np.int32]
    direction_deg: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.time_us)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read files.

    ``mapping``: CSV only, our name -> column name (or 1-based number); see ``COLUMNS``. ``utc_offset_s``: zone of times
    that name none (default +08:00, JT/T 808 and Chinese civil time; GPX and PLT say UTC themselves). ``format``:
    ``gpx``, ``tcx``, ``kml``, ``csv``, ``plt``, ``geojson`` or None to tell from the name and the first bytes.
    ``date_order``: ``dmy`` or ``mdy`` for dates with their year last, None to tell from the file. ``device``: the name of
    the device where the file names none (default: the file's name).
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    utc_offset_s: int = 8 * 3600
    format: str | None = None
    date_order: str | None = None
    device: str = ""


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The tracks of one file, in order of first appearance, and the account."""

    tracks: list[RealTrack]
    report: ReadReport


class _Columns:
    __slots__ = ("altitude", "direction", "lat", "lon", "speed", "time")

    def __init__(self) -> None:
        self.time = array("q")
        self.lat = array("i")
        self.lon = array("i")
        self.altitude = array("h")
        self.speed = array("i")
        self.direction = array("i")


class PointSink:
    """Where the readers put points: checks ranges, counts, and builds the columns."""

    def __init__(self, report: ReadReport) -> None:
        self.report = report
        #: A column of speeds whose unit the file does not say: ``tracks`` compares it with the points.
        self.speed_unit_unknown = False
        #: The file itself says whose points these are.
        self.device_named = False
        self._devices: dict[str, _Columns] = {}

    def reject(self, where: str, reason: Reason, detail: str) -> None:
        """Count one point of the file as rejected."""
        self.report.rows += 1
        self.report.rejected[reason] += 1
        if len(self.report.examples) < MAX_EXAMPLES:
            self.report.examples.append(RejectedPoint(where, reason, detail[:120]))

    def add(
        self,
        where: str,
        device: str,
        time_us: int,
        lat: float,
        lon: float,
        *,
        altitude_m: float = 0.0,
        speed_kmh: float | None = None,
        direction_deg: float | None = None,
    ) -> None:
        """Take one point, or reject it when a value is out of range. Raises TrackFileError beyond the limits."""
        # NaN fails every comparison, so these tests also refuse it.
        if not (-90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0):
            self.reject(where, Reason.OUT_OF_RANGE, f"lat {lat}, lon {lon}")
            return
        if not _EARLIEST_US <= time_us < _LATEST_US:
            self.reject(where, Reason.OUT_OF_RANGE, f"time {time_us} us since 1970 is outside 1990..2099")
            return
        device = device.strip()
        # A number that a spreadsheet has rounded, or its error, would make one device of many.
        if not device or len(device) > 100 or ROUNDED.fullmatch(device) or sheet_error(device):
            self.reject(where, Reason.BAD_DEVICE, device)
            return
        columns = self._devices.get(device)
        if columns is None:
            if len(self._devices) >= MAX_DEVICES:
                raise TrackFileError(
                    f"{self.report.path}: {where}: more than {MAX_DEVICES} devices",
                    hint="check the device column (--map device=...)",
                )
            columns = self._devices[device] = _Columns()
        if self.report.accepted >= MAX_POINTS:
            raise TrackFileError(
                f"{self.report.path}: {where}: more than {MAX_POINTS} points", hint="split the file"
            )
        self.report.rows += 1
        self.report.accepted += 1
        columns.time.append(time_us)
        columns.lat.append(round(lat * 1e6))
        columns.lon.append(round(lon * 1e6))
        columns.altitude.append(round(altitude_m) if -32_768 <= altitude_m <= 32_767 else 0)
        good_speed = speed_kmh is not None and 0 <= speed_kmh <= 6_000
        columns.speed.append(round(speed_kmh * 10) if good_speed and speed_kmh is not None else ABSENT)
        good_direction = direction_deg is not None and 0 <= direction_deg <= 360
        columns.direction.append(
            round(direction_deg) % 360 if good_direction and direction_deg is not None else ABSENT
        )

    def tracks(self) -> list[RealTrack]:
        """The points taken so far, one track a device, each sorted by time."""
        made = []
        for device, c in self._devices.items():
            time = np.frombuffer(c.time, np.int64)
            order = np.argsort(time, kind="stable")
            made.append(
                RealTrack(
                    device,
                    time[order],
                    np.frombuffer(c.lat, np.int32)[order],
                    np.frombuffer(c.lon, np.int32)[order],
                    np.frombuffer(c.altitude, np.int16)[order],
                    np.frombuffer(c.speed, np.int32)[order],
                    np.frombuffer(c.direction, np.int32)[order],
                )
            )
        if len(made) == 1 and not self.device_named and _is_torn(made[0]):
            self.report.notes.append(
                "同一时刻有相距很远的点，可能是几台设备合成了一台；用 --map device=列名 指定设备列"
                " / far apart at the same time: perhaps several devices were taken for one; name the column, --map device=..."
            )
        return self._with_unit(made) if self.speed_unit_unknown else made

    def _with_unit(self, made: list[RealTrack]) -> list[RealTrack]:
        """Speeds were taken as km/h; where the points themselves say m/s or knots, they are converted. Told in the notes."""
        ratios = np.concatenate([_speed_ratios(track) for track in made]) if made else np.zeros(0)
        unit, factor = "km/h", 1.0
        if len(ratios) >= _RATIOS_NEEDED:
            middle = float(np.median(ratios))
            unit, factor = min(_UNITS, key=lambda u: abs(np.log(middle * u[1])))
            if abs(middle * factor - 1.0) > _RATIO_WITHIN:  # like no unit: as the documents say
                unit, factor = "km/h", 1.0
        self.report.notes.append(
            f"速度单位未注明，按 {unit} / the unit of speed is not said, read as {unit} (--map speed=, speed_ms=, speed_kn=)"
        )
        if factor == 1.0:
            return made
        return [
            replace(
                track,
                speed_dkmh=np.where(
                    track.speed_dkmh == ABSENT, ABSENT, np.rint(track.speed_dkmh * factor)
                ).astype(np.int32),
            )
            for track in made
        ]


#: Pairs of neighbouring points, and their share, by which a track is that of several devices: no car is so quick.
_TORN_PAIRS = 3
_TORN_SHARE = 0.05
_TORN_KMH = 1_000
_TORN_M = 1_000


def _is_torn(track: RealTrack) -> bool:
    """Whether the points leap to and fro as those of one device do not."""
    if len(track) < 2:
        return False
    lat, lon = track.lat_e6 / 1e6, track.lon_e6 / 1e6
    metres = distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
    leaps = (metres > _TORN_M) & (metres > np.diff(track.time_us) / 3.6e9 * _TORN_KMH * 1_000)
    count = int(leaps.sum())
    return count >= _TORN_PAIRS and count >= _TORN_SHARE * len(leaps)


#: Units a speed may be in, and what makes km/h of them.
_UNITS = (("km/h", 1.0), ("m/s", 3.6), ("knots", 1.852))
_RATIOS_NEEDED = 10
_RATIO_WITHIN = 0.25


def _speed_ratios(track: RealTrack) -> Floats:
    """Recorded speed / speed between neighbouring points, where both show a drive: steps of 1 to 30 s, over 15 km/h."""
    if len(track) < 2:
        return np.zeros(0)
    step_s = np.diff(track.time_us) / 1e6
    lat, lon = track.lat_e6 / 1e6, track.lon_e6 / 1e6
    metres = distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
    recorded = track.speed_dkmh[1:] / 10.0
    with np.errstate(divide="ignore", invalid="ignore"):
        derived = metres / step_s * 3.6
    use = (step_s >= 1.0) & (step_s <= 30.0) & (derived > 15.0) & (derived < 250.0) & (recorded > 1.0)
    ratios: Floats = recorded[use] / derived[use]
    return ratios


def merge_tracks(tracks: list[RealTrack]) -> list[RealTrack]:
    """Tracks of one device (from several files) joined, sorted by time; order of first appearance kept."""
    by_device: dict[str, list[RealTrack]] = {}
    for track in tracks:
        by_device.setdefault(track.device, []).append(track)
    merged = []
    for device, parts in by_device.items():
        if len(parts) == 1:
            merged.append(parts[0])
            continue
        columns: dict[str, AnyArray] = {
            name: np.concatenate([getattr(p, name) for p in parts])
            for name in ("time_us", "lat_e6", "lon_e6", "altitude_m", "speed_dkmh", "direction_deg")
        }
        order = np.argsort(columns["time_us"], kind="stable")
        merged.append(RealTrack(device, **{name: column[order] for name, column in columns.items()}))
    return merged


def decode_text(path: Path, data: bytes) -> str:
    """Text of a file in UTF-8 (with or without BOM) or GB 18030. Raises TrackFileError for what is neither, or is damaged."""
    try:
        return decoded(data)
    except UnreadableError as error:
        raise TrackFileError(f"{path}: {error.flaws[0].message}") from None
