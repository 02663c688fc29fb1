"""card_use 油卡使用异常: 油卡在某加油站发生加油记录，但绑定的公务车行驶记录在加油时间未进入该加油站.

The track of the vehicle to which the card was bound must enter the station, its polygon (with ``polygon_margin_m``) or
``station_radius_m`` (以内) around its point, within ``window_min`` (以内) before or after the transaction. Entering is
stopping: between fixes in the station it moves at ``stop_kmh`` at most, for ``min_stop_s`` or longer, and some moment of
that lies in the window. A fix that a reflection put elsewhere, between two at one place, does not end the stay. Who drives by
on the motorway has not entered. The distance is that of the *segments* of the
cleaned track, cut at the ends of the window (a vehicle is taken to go steadily between two fixes), in whole millimetres.
What the rounding of a report's place to 1e-6 degree can hide (``RESOLUTION_MM``) counts for the driver.

Missing evidence. A stretch without fixes longer than ``gap_s`` is no track. If the vehicle could have stopped in the
station in such a stretch, at a moment that lies in the window, coming from where it was seen last and getting to where it
was seen next at ``gap_speed_kmh``, the outcome is undetermined; where it was not seen before, or not after, one way is
enough. So it is where the track passes through the station and its fixes are too far apart to tell whether it stopped.
Fixes just outside the window tell where it came from and went to. And nobody is accused on a track that covers less than
``min_coverage_permille`` of the window, however far away the fixes there are.

A transaction of which only the time of booking is known (``posted``) accuses nobody: its window is that natural day. What
is no fuel is no fill. A reversal that takes nothing back is told. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NotRequired, TypedDict

import numpy as np
import shapely

from registry.goods import is_goods
from rules.checks.base import Evaluation, Outcome, measure
from rules.evidence import Track, require, track_columns
from rules.evidence_parts import Binding, Card, OfficialVehicle
from rules.tracks.approach import shown_m
from rules.tracks.kernel import RESOLUTION_MM
from rules.tracks.valid_fixes import valid_fixes
from runtime.arrays import Bools, Floats, Ints
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, china_day
from telemetry import geo

RULE = "card_use"
VERSION = 2

_MIN_US: Final = 60 * 1_000_000
#: So far apart two fixes of a vehicle that stands may be.
_NOISE_MM: Final = 30_000
_FAR: Final = np.iinfo(np.int64).max


class Transaction(TypedDict):
    """A transaction of a card. ``quantity`` in ml or Wh, ``reversed_by``: the one that took it back, ``takes_back``: of a
    reversal, the fill (None = there is none that fits). ``posted``: the time is that of the booking, or the start of a
    day."""

    id: str
    card: str
    at_us: int
    kind: str
    product: str
    energy: str
    quantity: int | None
    amount_fen: int | None
    station_name: str
    reversed_by: str | None
    takes_back: NotRequired[str | None]
    posted: NotRequired[bool]


class Station(TypedDict):
    """A station: a point (``polygons`` None) or polygons [[ring, hole ...] ...], a ring [[lat_e6, lon_e6] ...]; no
    coordinates: all None."""

    id: str
    name: str
    lat_e6: int | None
    lon_e6: int | None
    polygons: Any


class Evidence(TypedDict):
    """What one transaction is judged on. ``track``: only where it is suspected."""

    rule: str
    rule_version: int
    subject: str
    transaction: Transaction
    card: Card
    binding: Binding | None
    vehicle: OfficialVehicle | None
    station: Station | None
    parameters: dict[str, int]
    track: NotRequired[Track]


def subject(transaction: str) -> str:
    """Name of the subject: one transaction."""
    return f"transaction:{transaction}"


def window(transaction: Transaction, parameters: Mapping[str, int]) -> tuple[int, int]:
    """[from, to] in which the vehicle must have been in the station, us: of a transaction of which only the booking is
    known, the natural day."""
    if transaction.get("posted"):
        start = china_day(transaction["at_us"]) * US_PER_DAY - CHINA_OFFSET_US
        return start, start + US_PER_DAY - 1
    half = parameters["window_min"] * _MIN_US
    return transaction["at_us"] - half, transaction["at_us"] + half


def without_track(evidence: Evidence) -> str | None:
    """Why a transaction is judged without looking at a track; None: it is judged on the track."""
    transaction, station = evidence["transaction"], evidence["station"]
    if transaction["kind"] == "reversal" and transaction.get("takes_back", "") is None:
        return "reversal_unmatched"
    if (
        transaction["kind"] != "fill"
        or transaction["reversed_by"] is not None
        or is_goods(transaction["product"])
    ):
        return "no_fill"
    if evidence["binding"] is None:
        return "not_bound"
    if evidence["vehicle"] is None:
        return "not_official"
    if station is None:
        return "station_unknown"
    if station["polygons"] is None and station["lat_e6"] is None:
        return "no_coordinates"
    return None


def evaluate(evidence: Evidence) -> Evaluation:
    """Judge one transaction on its evidence. Parameters: station_radius_m, polygon_margin_m, window_min,
    min_stop_s, stop_kmh, min_coverage_permille, gap_speed_kmh, gap_s, max_speed_kmh. Raises EvidenceError for evidence of another rule or
    version."""
    require(evidence, RULE, VERSION)
    if without_track(evidence) is not None:
        return judge(evidence, {}, np.zeros(0, np.int64))
    track = track_columns(evidence["track"])
    return judge(evidence, track, valid_fixes(track, evidence["parameters"]["max_speed_kmh"]))


def judge(evidence: Evidence, track: Mapping[str, Ints], good: Ints) -> Evaluation:
    """``evaluate`` where the track is columns already (``evidence["track"]`` is not looked at) and ``good`` its valid
    fixes in time order."""
    why = without_track(evidence)
    if why is not None:
        outcome = Outcome.NORMAL if why == "no_fill" else Outcome.UNDETERMINED
        return _result(evidence, outcome, why, {})
    used, posted = evidence["parameters"], bool(evidence["transaction"].get("posted"))
    since, until = window(evidence["transaction"], used)
    if len(good):
        good = good[_around(track["t_us"][good], since, until, used)]
    if not len(good):
        reason = "posting_time" if posted else "no_track"
        return _result(evidence, Outcome.UNDETERMINED, reason, {"fixes": measure(0, "1")})
    t = track["t_us"][good]
    station = evidence["station"]
    if station is None:
        raise ValueError(
            f"{evidence['subject']}: judged on a track without a station"
        )  # without_track said so
    place = _Place(station, used)
    path = _Path(place, {name: track[name][good] for name in _PATH}, since, until, used)
    nearest, covered_us, touching = path.nearest()
    near = int(np.argmin(np.abs(t - evidence["transaction"]["at_us"])))  # of two as near the earlier
    measures = {
        "fixes": measure(int(((t >= since) & (t <= until)).sum()), "1"),
        "coverage_permille": measure(1000 * covered_us // (until - since), "1/1000"),
        "at_lat_e6": measure(int(track["lat_e6"][good[near]]), "1e-6 degree"),
        "at_lon_e6": measure(int(track["lon_e6"][good[near]]), "1e-6 degree"),
        "at_distance_m": measure(shown_m(int(path.away[near])), "m"),
        "at_off_s": measure(abs(int(t[near]) - evidence["transaction"]["at_us"]) // 1_000_000, "s"),
    }
    if nearest is not None:
        measures["nearest_m"] = measure(shown_m(nearest), "m")
    stopped_us = path.stopped_us()
    if stopped_us is not None:
        measures["stop_s"] = measure(stopped_us // 1_000_000, "s")
        if stopped_us >= used["min_stop_s"] * 1_000_000:
            return _result(evidence, Outcome.NORMAL, "entered", measures)
    if posted:
        return _result(evidence, Outcome.UNDETERMINED, "posting_time", measures)
    unclear = path.could_have_stopped(touching)
    if unclear is not None:
        return _result(evidence, Outcome.UNDETERMINED, unclear, measures)
    if nearest is None:
        return _result(evidence, Outcome.UNDETERMINED, "no_track", measures)
    # A moment without a stretch (one fix at the window's edge) is no coverage: the parameter is never 0.
    if 1000 * covered_us < used["min_coverage_permille"] * (until - since):
        return _result(evidence, Outcome.UNDETERMINED, "poor_coverage", measures)
    return _result(
        evidence, Outcome.SUSPECTED, "passed" if nearest <= place.limit_mm else "not_entered", measures
    )


def _around(t: Ints, since: int, until: int, used: Mapping[str, int]) -> slice:
    """Of times in order those that the judgement rests on: the window, a stop before and after it, and one more time at
    either side."""
    stop_us = used["min_stop_s"] * 1_000_000
    first = int(np.searchsorted(t, since - stop_us, side="right")) - 1
    return slice(max(first, 0), int(np.searchsorted(t, until + stop_us, side="left")) + 1)


def needed(track: Mapping[str, Ints], good: Ints, evidence: Evidence) -> slice:
    """The rows of a track (in time order; ``good``: its valid fixes) that the judgement rests on, from the first valid fix
    to the last one of them."""
    since, until = window(evidence["transaction"], evidence["parameters"])
    rows = good[_around(track["t_us"][good], since, until, evidence["parameters"])]
    return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0, 0)


class _Place:
    """A station in a plane about its middle. ``limit_mm``: so near is in it."""

    def __init__(self, station: Station, used: Mapping[str, int]) -> None:
        self.shape: Any = None
        self.limit_mm = used["station_radius_m"] * 1000 + RESOLUTION_MM
        if station["polygons"] is None:
            if station["lat_e6"] is None or station["lon_e6"] is None:
                raise ValueError(f"station {station['id']} has no coordinates")  # without_track said so
            self.lat0, self.lon0 = station["lat_e6"], station["lon_e6"]
            return
        # Under a canopy a fix may be off by some ten metres: that accuses nobody.
        self.limit_mm = used["polygon_margin_m"] * 1000 + RESOLUTION_MM
        rings = [[np.array(ring, np.int64) for ring in polygon] for polygon in station["polygons"]]
        points = np.concatenate([ring for polygon in rings for ring in polygon])
        low, high = points.min(axis=0), points.max(axis=0)
        self.lat0, self.lon0 = int((low[0] + high[0]) // 2), int((low[1] + high[1]) // 2)
        shape = shapely.MultiPolygon(
            [(self._plane(polygon[0]), [self._plane(hole) for hole in polygon[1:]]) for polygon in rings]
        )
        # Rounding to 1e-6 degree may make the narrowest parts of a polygon touch.
        self.shape = shape if shapely.is_valid(shape) else shapely.make_valid(shape)
        shapely.prepare(self.shape)

    def _plane(self, ring: Ints) -> Floats:
        return np.column_stack(self.project(ring[:, 0], ring[:, 1]))

    def project(self, lat_e6: Ints, lon_e6: Ints) -> tuple[Floats, Floats]:
        """Metres east and north of the middle."""
        return geo.local_plane(self.lat0 / 1e6, self.lon0 / 1e6, lat_e6 / 1e6, lon_e6 / 1e6)

    def away_mm(self, x1: Floats, y1: Floats, x2: Floats, y2: Floats) -> Ints:
        """Distances in whole mm of segments: from the point, or from the polygons (0 inside)."""
        if self.shape is None:
            metres_away = geo.segment_distance_m(x1, y1, x2, y2)
        else:
            ends = np.stack([np.column_stack((x1, y1)), np.column_stack((x2, y2))], axis=1)
            metres_away = shapely.distance(shapely.linestrings(ends), self.shape)
        return np.rint(metres_away * 1000).astype(np.int64)


#: What is looked at of a fix.
_PATH: Final = ("t_us", "lat_e6", "lon_e6", "speed_dkmh")


class _Path:
    """The valid fixes of a vehicle around a window and how far from a place they are (``away``, mm; ``short``: of its
    edge). A *leg* goes from one fix to the next. Times in us; 1 km/h = 1e6 mm / 3600e6 us, so that mm * 3600 <= km/h * us
    compares in integers."""

    def __init__(
        self, place: _Place, track: Mapping[str, Ints], since: int, until: int, used: Mapping[str, int]
    ) -> None:
        self.place, self.t, self.since, self.until, self.used = place, track["t_us"], since, until, used
        self.x, self.y = place.project(track["lat_e6"], track["lon_e6"])
        self.away = place.away_mm(self.x, self.y, self.x, self.y)
        self.short = np.maximum(self.away - place.limit_mm, 0)
        self.lasts = np.diff(self.t)
        self.joined: Bools = self.lasts <= used["gap_s"] * 1_000_000
        # In the station, as slow as on foot: by its places, or by what the terminal says of its speed at both ends.
        moved = np.rint(np.hypot(np.diff(self.x), np.diff(self.y)) * 1000).astype(np.int64)
        inside = self.short == 0
        self.both = inside[:-1] & inside[1:]
        #: By fix: it stands, or creeps, as the terminal says.
        self.stands = track["speed_dkmh"] <= 10 * used["stop_kmh"]
        by_place = moved * 3600 <= used["stop_kmh"] * self.lasts
        self.slow = self.both & (by_place | (self.stands[:-1] & self.stands[1:]))
        self.slow |= self._reflected(inside)
        #: By leg: what it must have gone at least if it stopped in the station on the way, mm.
        self.least = np.where(self.both, moved, self.short[:-1] + self.short[1:])
        #: First and last fix of every stay: of slow legs, or a fix in the station alone.
        edges = np.flatnonzero(np.diff(np.concatenate(([0], self.slow.astype(np.int8), [0]))))
        self.stays = edges.reshape(-1, 2)
        alone = inside.copy()
        alone[:-1] &= ~self.slow
        alone[1:] &= ~self.slow
        self.alone = np.flatnonzero(alone)

    def _reflected(self, inside: Bools) -> Bools:
        """Legs to and from fixes that only a reflection put elsewhere, within a stay. Under a canopy the vehicle stands, and
        a fix lies hundreds of metres off: that ends no stay. Before and after, within ``gap_s``, it is in the station at one
        place, and stood or crept there; between lies one fix, or several at which it stands as the terminal says."""
        n, gap_us = len(self.t), self.used["gap_s"] * 1_000_000
        held = inside & self.stands
        into, out_of = held.copy(), held.copy()
        into[1:] |= self.slow
        out_of[:-1] |= self.slow
        moving = np.concatenate(([0], np.cumsum(~self.stands)))  # fixes before each that do not stand
        marks = np.zeros(n, np.int64)
        starts = np.flatnonzero(into)
        for step in range(2, n):
            starts = starts[starts + step < n]
            starts = starts[self.t[starts + step] - self.t[starts] <= gap_us]
            if not len(starts):
                break
            ends = starts + step
            away_mm = np.hypot(self.x[ends] - self.x[starts], self.y[ends] - self.y[starts]) * 1000
            crept = away_mm * 3600 <= self.used["stop_kmh"] * (self.t[ends] - self.t[starts])
            near = crept | (held[starts] & held[ends] & (away_mm <= _NOISE_MM))
            quiet = (moving[ends] == moving[starts + 1]) | (step == 2)
            fitting = out_of[ends] & near & quiet
            np.add.at(marks, starts[fitting], 1)
            np.add.at(marks, ends[fitting], -1)
        return np.asarray(np.cumsum(marks)[:-1] > 0, np.bool_)

    def nearest(self) -> tuple[int | None, int, Bools]:
        """How near the track within the window came, mm (None: there is none in it), how much of the window it covers,
        us, and by leg whether it is track and passes through the station there."""
        within = (self.t >= self.since) & (self.t <= self.until)
        t1, t2 = self.t[:-1], self.t[1:]
        start, end = np.maximum(t1, self.since), np.minimum(t2, self.until)
        leg = np.flatnonzero(self.joined & (start <= end))
        span = (t2 - t1)[leg].astype(np.float64)
        x1, y1, x2, y2 = self.x[leg], self.y[leg], self.x[leg + 1], self.y[leg + 1]
        a, b = (start[leg] - t1[leg]) / span, (end[leg] - t1[leg]) / span
        # The very ends are taken as they are: x1 + 1.0 * (x2 - x1) need not be x2.
        cut = self.place.away_mm(
            np.where(a == 0, x1, x1 + a * (x2 - x1)), np.where(a == 0, y1, y1 + a * (y2 - y1)),
            np.where(b == 1, x2, x1 + b * (x2 - x1)), np.where(b == 1, y2, y1 + b * (y2 - y1)),
        )  # fmt: skip
        touching = np.zeros(len(t1), np.bool_)
        touching[leg] = cut <= self.place.limit_mm
        least = min(int(self.away[within].min(initial=_FAR)), int(cut.min(initial=_FAR)))
        return None if least == _FAR else least, int((end[leg] - start[leg]).sum()), touching

    def stopped_us(self) -> int | None:
        """How long it stayed in the station for certain, at the longest, us; None: not at all. A stay of which a moment
        lies in the window counts from its first fix to its last."""
        first, last = self.t[self.stays[:, 0]], self.t[self.stays[:, 1]]
        in_window = (first <= self.until) & (last >= self.since)
        return int((last - first)[in_window].max()) if in_window.any() else None

    def could_have_stopped(self, touching: Bools) -> str | None:
        """Whether it may have stopped in the station for long enough, at a moment within the window, where that was not
        seen: ``gap`` or ``stop_unclear``; None: it cannot have."""
        speed: int = self.used["gap_speed_kmh"]
        need = speed * self.used["min_stop_s"] * 1_000_000
        t1, t2 = self.t[:-1], self.t[1:]
        # Seen at t1 and t2, it can be there at a moment m of the window when there is time to come, t1 -> m, and to go on.
        come, go = self.short[:-1] * 3600, self.short[1:] * 3600
        in_time = (come <= speed * (self.until - t1)) & (go <= speed * (t2 - self.since))
        unseen = ~self.joined & (t1 < self.until) & (t2 > self.since) & in_time
        spare = np.maximum(speed * self.lasts - 3600 * self.least, 0)
        # What is track passes through the station, or it was not there.
        spare[~(unseen | touching | self.slow)] = 0
        legs = spare * ~self.slow
        if (legs[unseen] >= need).any() or self._unseen_ends(speed):
            return "gap"
        longest, over_gap = int(legs.max(initial=0)), False
        around = np.concatenate(([0], legs, [0]))
        beside_gap = np.concatenate(([False], unseen, [False]))
        stays = [(int(a), int(b)) for a, b in self.stays] + [
            (int(k), int(k)) for k in self.alone if self.stands[k]
        ]
        for a, b in stays:
            if self.t[a] > self.until or self.t[b] < self.since:
                continue
            stayed = speed * int(self.t[b] - self.t[a]) + int(around[a]) + int(around[b + 1])
            if stayed > longest:
                longest, over_gap = stayed, bool(beside_gap[a] or beside_gap[b + 1])
        if longest < need:
            return None
        return "gap" if over_gap else "stop_unclear"

    def _unseen_ends(self, speed: int) -> bool:
        gap_us = self.used["gap_s"] * 1_000_000
        before, after = int(self.t[0]) - self.since, self.until - int(self.t[-1])
        at_start = before > gap_us and int(self.short[0]) * 3600 <= speed * before
        at_end = after > gap_us and int(self.short[-1]) * 3600 <= speed * after
        return at_start or at_end


def _result(evidence: Evidence, outcome: Outcome, reason: str, measures: dict[str, Any]) -> Evaluation:
    transaction, station, vehicle = evidence["transaction"], evidence["station"], evidence["vehicle"]
    at = transaction["at_us"]
    told = {
        "card": transaction["card"], "transaction": transaction["id"],
        "station": transaction["station_name"] if station is None else station["name"],
        "energy": transaction["energy"], "quantity": transaction["quantity"],
        "plate": None if vehicle is None else vehicle["plate"],
    }  # fmt: skip
    return Evaluation(
        RULE, VERSION, evidence["subject"], outcome, reason, measures, evidence["parameters"], at, at, told
    )
