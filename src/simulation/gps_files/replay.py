"""``gongche replay``: recorded tracks sent as JT/T 808 terminals would have sent them, one terminal a device."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.misplaced import mostly_swapped
from runtime.arrays import Floats, Ints
from runtime.errors import ConfigurationError
from runtime.units import CHINA, US_PER_S, from_us
from simulation.city.fleet import STATUS_ACC, STATUS_POSITIONED
from simulation.gps_files.readers import read_tracks
from simulation.gps_files.tracks import ABSENT, ReadOptions, ReadReport, RealTrack, merge_tracks
from simulation.terminal.client import Terminal
from simulation.terminal.habits import NO_HABITS, Habits, arrives, card_of, departs, introduced
from simulation.terminal.many import Fleet, registration
from simulation.terminal.reports import FIRST_TIME_S, LAST_TIME_S, encode_reports
from simulation.terminal.state import Timing
from simulation.terminal.statistics import FleetStats, interrupted
from telemetry.geo import Datum, distance_m, in_china, to_wgs84
from telemetry.jt808.scalar.header import Version

Progress = Callable[[str], None]

_GPS = 1 << 18
_CHUNK = 256
_TICK_S = 0.02
#: With --speed, a time in which no device has a point is shortened to this much recorded time.
_LONGEST_PAUSE_S = 300
#: Speed is derived from the points only over steps of this length: over shorter ones the noise of a fix is a racing car.
_DERIVE_FROM_S = 1.0
_DERIVE_WITHIN_S = 300
#: What is derived is at most this: a jump of the receiver is no speed of a vehicle. 0.1 km/h.
_DERIVE_UP_TO_DKMH = 4_000


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """``speed``: recorded seconds a second (1 = as it was); None = as fast as the platform confirms.

    ``shift_to_now``: move all times by the same number of seconds, so that the last point lies at the start of the
    replay. ``datum``: that of the files; positions are sent in WGS-84. ``mapping``, ``utc_offset_s``, ``format``: see
    ``tracks.ReadOptions``. ``version``: dialect, 2013 or 2019. ``stall_s``: give up when nothing is confirmed for so
    long. ``report_every_s``: between two lines on how far it is.
    """

    files: Sequence[Path]
    host: str
    port: int
    speed: float | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    shift_to_now: bool = False
    datum: str = "wgs84"
    utc_offset_s: int = 8 * 3600
    format: str | None = None
    date_order: str | None = None
    version: int = 2013
    window: int = 32
    stall_s: float = 60.0
    report_every_s: float = 5.0
    habits: Habits = NO_HABITS


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the files: its terminal's phone, and how many of its points were to be sent."""

    name: str
    phone: str
    points: int


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The account: ``rows = accepted + rejected`` and ``accepted = sent + unsendable + not_sent``; all went well when
    ``confirmed == sent == accepted``."""

    rows: int
    accepted: int
    rejected: Counter[str]
    unsendable: int  # time outside 2000..2099, which a device time cannot say
    sent: int
    not_sent: int  # given up before they were sent
    confirmed: int
    refused: int
    devices: list[Device]
    reports: list[ReadReport]
    stats: FleetStats
    seconds: float

    @property
    def complete(self) -> bool:
        """Every point that was accepted is confirmed."""
        return self.confirmed == self.accepted


def phone_of(device: str) -> str:
    """The phone of a device's terminal: 11 digits from a hash of its name, the same for ever."""
    digest = hashlib.blake2b(device.encode(), digest_size=8, person=b"gongche-replay").digest()
    return f"1{int.from_bytes(digest, 'big') % 10**10:010d}"


@dataclass(slots=True)
class _Source:
    """The points of one device as columns ready to send, and how far they were sent."""

    device: Device
    time_s: Ints
    lat_e6: Ints
    lon_e6: Ints
    altitude_m: NDArray[np.int16]
    speed_dkmh: Ints
    direction_deg: Ints
    status: Ints
    at: int = 0

    def take(self, end: int) -> list[bytes]:
        """Bodies of the points up to ``end`` (exclusive) that were not taken yet."""
        rows = slice(self.at, end)
        self.at = end
        return self.bodies(rows)

    def bodies(self, rows: slice) -> list[bytes]:
        """Bodies of the points ``rows``."""
        return encode_reports(
            self.time_s[rows],
            self.lat_e6[rows],
            self.lon_e6[rows],
            altitude_m=self.altitude_m[rows],
            speed_dkmh=self.speed_dkmh[rows],
            direction_deg=self.direction_deg[rows],
            status=self.status[rows],
        )


def prepare(track: RealTrack, datum: Datum, shift_s: int) -> tuple[_Source, int]:
    """Columns of one track in WGS-84, and how many of its points cannot be sent.

    Fractions of a second are dropped (a device time has none). Speed and direction that were not recorded are
    derived from the point before, over steps under 300 s. Raises ConfigurationError for a track that lies with latitude and
    longitude swapped, or outside China in a datum of China.
    """
    _refuse_misplaced(track, datum)
    time_s = track.time_us // US_PER_S + shift_s
    good = (time_s >= FIRST_TIME_S) & (time_s < LAST_TIME_S)
    lat, lon = to_wgs84(datum, track.lat_e6[good] / 1e6, track.lon_e6[good] / 1e6)
    speed, direction = _derived(track.time_us[good], lat, lon)
    speed = np.where(track.speed_dkmh[good] == ABSENT, speed, track.speed_dkmh[good])
    direction = np.where(track.direction_deg[good] == ABSENT, direction, track.direction_deg[good])
    status = np.full(len(speed), STATUS_POSITIONED | _GPS, np.int64)
    status[speed > 0] |= STATUS_ACC
    count = int(good.sum())
    source = _Source(
        Device(track.device, phone_of(track.device), count),
        time_s[good],
        np.rint(lat * 1e6).astype(np.int64),
        np.rint(lon * 1e6).astype(np.int64),
        track.altitude_m[good],
        np.clip(speed, 0, 65_535).astype(np.int64),
        direction.astype(np.int64),
        status,
    )
    return source, len(track) - count


def _refuse_misplaced(track: RealTrack, datum: Datum) -> None:
    lat, lon = track.lat_e6 / 1e6, track.lon_e6 / 1e6
    if mostly_swapped(lat, lon):
        raise ConfigurationError(
            f"{track.device}: 经纬度疑似写反 · latitude and longitude look swapped ({lat[0]}, {lon[0]})",
            hint="若文件如此，用 --map 把两列对调 · if the file has them so, exchange the two columns with --map lat=...,lon=...",
        )
    if datum is not Datum.WGS84 and len(lat) and not in_china(lat, lon).any():
        raise ConfigurationError(
            f"{track.device}: 全部在中国境外，坐标系 {datum} 只用于中国 · all of it is outside China, where {datum} does not exist",
            hint="--datum wgs84",
        )


def _derived(time_us: Ints, lat: Floats, lon: Floats) -> tuple[Ints, Ints]:
    """Speed (0.1 km/h) and direction (degree) of each point; 0 for the first. Speed is measured from the newest point that
    is at least a second older, so points several times a second do not make speeds of their noise. Shape (n,)."""
    n = len(time_us)
    speed, direction = np.zeros(n, np.int64), np.zeros(n, np.int64)
    if n < 2:
        return speed, direction
    old = np.searchsorted(time_us, time_us - round(_DERIVE_FROM_S * US_PER_S), side="right") - 1
    since = np.maximum(old, 0)
    step_s = (time_us - time_us[since]) / US_PER_S
    metres = distance_m(lat[since], lon[since], lat, lon)
    usable = (old >= 0) & (step_s <= _DERIVE_WITHIN_S)
    derived = (metres[usable] / step_s[usable] * 36.0).astype(np.int64)
    speed[usable] = np.minimum(derived, _DERIVE_UP_TO_DKMH)
    east = np.diff(lon) * np.cos(np.radians(lat[1:]))
    direction[1:] = np.rint(np.degrees(np.arctan2(east, np.diff(lat)))).astype(np.int64) % 360
    return speed, direction


async def replay(options: ReplayOptions, progress: Progress | None = None) -> ReplayResult:
    """Read the files, send every point once, wait for all confirmations, and account for each point.

    Raises TrackFileError for a file that cannot be read, ConfigurationError for options that cannot work, and
    UnavailableError when the terminals are not let in; when confirmations stop later, the result says so instead.
    """
    if options.speed is not None and not 0 < options.speed <= 1e9:
        raise ConfigurationError("--speed must be more than 0")
    if options.version not in {int(each) for each in Version}:
        raise ConfigurationError("--dialect must be 2011, 2013 or 2019")
    try:
        datum = Datum(options.datum)
    except ValueError:
        raise ConfigurationError(f"--datum {options.datum!r}: one of wgs84, gcj02, bd09") from None
    say = progress or (lambda _line: None)
    begun = time.monotonic()
    tracks, reports = await asyncio.to_thread(_read, options, say)
    shift_s = _shift_s(tracks) if options.shift_to_now else 0
    sources, unsendable = [], 0
    for track in tracks:
        source, unable = prepare(track, datum, shift_s)
        unsendable += unable
        if len(source.time_s):
            sources.append(source)
    if len({source.device.phone for source in sources}) < len(sources):
        raise ConfigurationError("two device names give the same phone", hint="replay their files one by one")
    async with Fleet(options.host, options.port, window=options.window, timing=Timing()) as fleet:
        for source in sources:
            phone = source.device.phone
            fleet.add(phone, registration("", phone[-7:], Version(options.version), model="REPLAY"))
        if sources:
            say(f"终端上线 / connecting {len(sources)} terminals")
            await fleet.all_online(min(options.stall_s, 20.0))
            _begin(sources, fleet, options.habits)
            try:
                if options.speed is None:
                    await _as_fast_as_confirmed(sources, fleet, options, say)
                else:
                    await _at_speed(sources, fleet, options, options.speed, say)
                _end(sources, fleet, options.habits)
                await fleet.flush(options.stall_s)
            except asyncio.CancelledError:
                say(interrupted(fleet.stats))
                raise
        stats = fleet.stats
    accepted = sum(r.accepted for r in reports)
    rejected: Counter[str] = Counter()
    for report in reports:
        rejected.update({str(reason): count for reason, count in report.rejected.items()})
    return ReplayResult(
        rows=sum(r.rows for r in reports),
        accepted=accepted,
        rejected=rejected,
        unsendable=unsendable,
        sent=stats.sent,
        not_sent=accepted - unsendable - stats.sent,
        confirmed=stats.confirmed,
        refused=stats.refused.total(),
        devices=[source.device for source in sources],
        reports=reports,
        stats=stats,
        seconds=time.monotonic() - begun,
    )


def _begin(sources: list[_Source], fleet: Fleet, habits: Habits) -> None:
    """What terminals with ``habits`` say before their points."""
    for number, (source, terminal) in enumerate(zip(sources, fleet.terminals, strict=True)):
        if habits.messages:
            introduced(terminal)
        if habits.messages or habits.media:
            time, first = _stamp(int(source.time_s[0])), source.bodies(slice(0, 1))[0]
            departs(terminal, card_of("回放", number), time, habits, first)


def _end(sources: list[_Source], fleet: Fleet, habits: Habits) -> None:
    if habits.messages:
        for source, terminal in zip(sources, fleet.terminals, strict=True):
            arrives(terminal, _stamp(int(source.time_s[-1])), habits)


def _stamp(time_s: int) -> str:
    return from_us(time_s * US_PER_S).astimezone(CHINA).strftime("%y%m%d%H%M%S")


def _read(options: ReplayOptions, say: Progress) -> tuple[list[RealTrack], list[ReadReport]]:
    tracks: list[RealTrack] = []
    reports: list[ReadReport] = []
    names = _device_names(options.files)
    for path in options.files:
        reading = ReadOptions(
            options.mapping, options.utc_offset_s, options.format, options.date_order, names[path]
        )
        result = read_tracks(path, reading)
        say(
            f"读取 / read {path}: {result.report.accepted:,} of {result.report.rows:,} points, "
            f"{len(result.tracks)} devices"
        )
        tracks += result.tracks
        reports.append(result.report)
    return merge_tracks(tracks), reports


def _device_names(files: Sequence[Path]) -> dict[Path, str]:
    """What the device of each file is called where the file names none: the file's name, with as many of its folders as
    tell it from the others (two folders with a ``track.gpx`` each are two cars, not one)."""
    parts = {path: (*path.absolute().with_suffix("").parts[1:],) for path in files}
    names = {}
    for path, own in parts.items():
        length = 1
        while length < len(own) and any(
            other is not own and other != own and other[-length:] == own[-length:] for other in parts.values()
        ):
            length += 1
        names[path] = "/".join(own[-length:])
    return names


def _shift_s(tracks: list[RealTrack]) -> int:
    """Whole seconds that bring the last point to now."""
    last = max((int(t.time_us[-1]) for t in tracks if len(t)), default=0)
    return int(time.time()) - last // US_PER_S if last else 0


async def _as_fast_as_confirmed(
    sources: list[_Source], fleet: Fleet, options: ReplayOptions, say: Progress
) -> None:
    """Keep every terminal's queue short but never empty."""
    pace = _Pace(fleet, options, say)
    pairs = list(zip(sources, fleet.terminals, strict=True))
    while pairs:
        for source, terminal in pairs:
            if terminal.queued < _CHUNK:
                terminal.offer(source.take(min(source.at + _CHUNK, len(source.time_s))))
        pairs = [(s, t) for s, t in pairs if s.at < len(s.time_s)]
        if not await pace.breathe():
            return


async def _at_speed(
    sources: list[_Source], fleet: Fleet, options: ReplayOptions, speed: float, say: Progress
) -> None:
    """Follow the recorded clock, ``speed`` times as fast; long pauses of all devices are shortened."""
    loop = asyncio.get_running_loop()
    pace = _Pace(fleet, options, say)
    pairs: list[tuple[_Source, Terminal]] = list(zip(sources, fleet.terminals, strict=True))
    clock = float(min(int(s.time_s[0]) for s in sources))
    before = loop.time()
    while pairs:
        following = min(int(s.time_s[s.at]) for s, _t in pairs)
        if following - clock > _LONGEST_PAUSE_S:
            say(f"跳过空闲 / skipping {(following - clock) / 3600:.1f} h without points")
            clock = float(following)
        for source, terminal in pairs:
            end = int(np.searchsorted(source.time_s, clock, side="right"))
            if end > source.at:
                terminal.offer(source.take(end))
        pairs = [(s, t) for s, t in pairs if s.at < len(s.time_s)]
        if not await pace.breathe():
            return
        now = loop.time()
        clock += (now - before) * speed
        before = now


class _Pace:
    """Rests between rounds, tells how far things are, and notices when the platform has gone."""

    def __init__(self, fleet: Fleet, options: ReplayOptions, say: Progress) -> None:
        self._fleet = fleet
        self._stall_s, self._report_every_s = options.stall_s, options.report_every_s
        self._say = say
        self._confirmed = 0
        self._since = self._reported = asyncio.get_running_loop().time()

    async def breathe(self) -> bool:
        """A short rest. False when positions wait and none was confirmed for ``stall_s``."""
        await asyncio.sleep(_TICK_S)
        stats, now = self._fleet.stats, asyncio.get_running_loop().time()
        if stats.confirmed > self._confirmed or not stats.waiting:
            self._confirmed, self._since = stats.confirmed, now
        if now - self._reported >= self._report_every_s:
            self._reported = now
            self._say(f"发送 sent {stats.sent:,}  确认 confirmed {stats.confirmed:,}")
        return now - self._since <= self._stall_s
