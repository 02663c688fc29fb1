"""card_use 油卡使用异常: 油卡在某加油站发生加油记录，但绑定的公务车行驶记录在加油时间未进入该加油站.

The track of the vehicle to which the card was bound must enter the station, its polygon (with ``polygon_margin_m``) or
``station_radius_m`` (以内) around its point, within ``window_min`` (以内) before or after the transaction. The distance is that of the *segments* of
the cleaned track, cut at the ends of the window (a vehicle is taken to go steadily between two fixes), in whole
millimetres.

Missing evidence. A stretch without fixes longer than ``gap_s`` is no track. If the vehicle could have been in the
station at a moment of such a stretch that lies in the window, coming from where it was seen last and getting to where it
was seen next at ``gap_speed_kmh``, the outcome is undetermined; where it was not seen before, or not after, one way is
enough. Fixes just outside the window tell where it came from and went to. And nobody is accused on a track that covers
less than ``min_coverage_permille`` of the window, however far away the fixes there are. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NotRequired, TypedDict

import numpy as np
import shapely

from rules.checks.base import Evaluation, Outcome, measure
from rules.checks.destination import valid_fixes
from rules.evidence import Track, require, track_columns
from runtime.arrays import Bools, Floats, Ints
from telemetry import geo

RULE = "card_use"
VERSION = 2


_MIN_US: Final = 60 * 1_000_000
_FAR: Final = np.iinfo(np.int64).max


class Transaction(TypedDict):
    """A transaction of a card. ``quantity`` in ml or Wh, ``reversed_by``: the one that took it back."""

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


class Card(TypedDict):
    """The card that paid."""

    id: str
    organisation: str


class Binding(TypedDict):
    """What the card was bound to."""

    plate: str
    from_us: int
    to_us: int | None


class Vehicle(TypedDict):
    """The official vehicle that had the plate on that day. Days are ISO dates."""

    no: int
    id: str
    plate: str
    organisation: str
    registered_on: str | None
    disposed_on: str | None


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
    vehicle: Vehicle | None
    station: Station | None
    parameters: dict[str, int]
    track: NotRequired[Track]


def subject(transaction: str) -> str:
    """Name of the subject: one transaction."""
    return f"transaction:{transaction}"


def window(transaction: Transaction, parameters: Mapping[str, int]) -> tuple[int, int]:
    """[from, to] in which the vehicle must have been in the station, us."""
    half = parameters["window_min"] * _MIN_US
    return transaction["at_us"] - half, transaction["at_us"] + half


def without_track(evidence: Evidence) -> str | None:
    """Why a transaction is judged without looking at a track; None: it is judged on the track."""
    transaction, station = evidence["transaction"], evidence["station"]
    if transaction["kind"] != "fill" or transaction["reversed_by"] is not None:
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
    min_coverage_permille, gap_speed_kmh, gap_s, max_speed_kmh. Raises EvidenceError for evidence of another rule or
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
    since, until = window(evidence["transaction"], evidence["parameters"])
    if not len(good):
        return _result(evidence, Outcome.UNDETERMINED, "no_track", {"fixes": measure(0, "1")})
    t = track["t_us"][good]
    station = evidence["station"]
    if station is None:
        raise ValueError(
            f"{evidence['subject']}: judged on a track without a station"
        )  # without_track said so
    place = _Place(station, evidence["parameters"])
    path = _Path(place, t, track["lat_e6"][good], track["lon_e6"][good], since, until)
    gap_us = evidence["parameters"]["gap_s"] * 1_000_000
    joined = np.diff(t) <= gap_us
    nearest, covered_us = path.nearest(joined)
    near = int(np.argmin(np.abs(t - evidence["transaction"]["at_us"])))  # of two as near the earlier
    measures = {
        "fixes": measure(int(((t >= since) & (t <= until)).sum()), "1"),
        "coverage_permille": measure(1000 * covered_us // (until - since), "1/1000"),
        "at_lat_e6": measure(int(track["lat_e6"][good[near]]), "1e-6 degree"),
        "at_lon_e6": measure(int(track["lon_e6"][good[near]]), "1e-6 degree"),
        "at_distance_m": measure(_up(int(path.away[near])), "m"),
        "at_off_s": measure(abs(int(t[near]) - evidence["transaction"]["at_us"]) // 1_000_000, "s"),
    }
    if nearest is not None:
        measures["nearest_m"] = measure(_up(nearest), "m")
        if nearest <= place.limit_mm:
            return _result(evidence, Outcome.NORMAL, "entered", measures)
    if path.could_be_there(~joined, gap_us, evidence["parameters"]["gap_speed_kmh"]):
        return _result(evidence, Outcome.UNDETERMINED, "gap", measures)
    if nearest is None:
        return _result(evidence, Outcome.UNDETERMINED, "no_track", measures)
    # A moment without a stretch (one fix at the window's edge) is no coverage: the parameter is never 0. What was frozen
    # before there was the parameter has none.
    least: int = evidence["parameters"].get("min_coverage_permille", 1)
    if 1000 * covered_us < least * (until - since):
        return _result(evidence, Outcome.UNDETERMINED, "poor_coverage", measures)
    return _result(evidence, Outcome.SUSPECTED, "not_entered", measures)


def needed(track: Mapping[str, Ints], good: Ints, evidence: Evidence) -> slice:
    """The rows of a track (in time order; ``good``: its valid fixes) that the judgement rests on: from the last valid
    fix before the window to the first one after it."""
    since, until = window(evidence["transaction"], evidence["parameters"])
    t = track["t_us"][good]
    before, after = good[t <= since], good[t >= until]
    return slice(
        int(before[-1]) if len(before) else 0, int(after[0]) + 1 if len(after) else len(track["t_us"])
    )


def _up(mm: int) -> int:
    """Metres, rounded up: the number shown compares with the limit as the exact one does."""
    return -(-mm // 1000)


class _Place:
    """A station in a plane about its middle. ``limit_mm``: so near is in it."""

    def __init__(self, station: Station, used: Mapping[str, int]) -> None:
        self.shape: Any = None
        self.limit_mm = used["station_radius_m"] * 1000
        if station["polygons"] is None:
            if station["lat_e6"] is None or station["lon_e6"] is None:
                raise ValueError(f"station {station['id']} has no coordinates")  # without_track said so
            self.lat0, self.lon0 = station["lat_e6"], station["lon_e6"]
            return
        # Under a canopy a fix may be off by some ten metres: that accuses nobody.
        self.limit_mm = used["polygon_margin_m"] * 1000
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


class _Path:
    """The valid fixes of a vehicle around a window and how far from a place they are (``away``, mm; ``short``: of its
    edge)."""

    def __init__(self, place: _Place, t: Ints, lat_e6: Ints, lon_e6: Ints, since: int, until: int) -> None:
        self.place, self.t, self.since, self.until = place, t, since, until
        self.x, self.y = place.project(lat_e6, lon_e6)
        self.away = place.away_mm(self.x, self.y, self.x, self.y)
        self.short = np.maximum(self.away - place.limit_mm, 0)

    def nearest(self, joined: Bools) -> tuple[int | None, int]:
        """How near the track within the window came, mm (None: there is none in it), and how much of the window it
        covers, us."""
        inside = (self.t >= self.since) & (self.t <= self.until)
        t1, t2 = self.t[:-1], self.t[1:]
        start, end = np.maximum(t1, self.since), np.minimum(t2, self.until)
        leg = np.flatnonzero(joined & (start <= end))
        span = (t2 - t1)[leg].astype(np.float64)
        x1, y1, x2, y2 = self.x[leg], self.y[leg], self.x[leg + 1], self.y[leg + 1]
        a, b = (start[leg] - t1[leg]) / span, (end[leg] - t1[leg]) / span
        # The very ends are taken as they are: x1 + 1.0 * (x2 - x1) need not be x2.
        cut = self.place.away_mm(
            np.where(a == 0, x1, x1 + a * (x2 - x1)), np.where(a == 0, y1, y1 + a * (y2 - y1)),
            np.where(b == 1, x2, x1 + b * (x2 - x1)), np.where(b == 1, y2, y1 + b * (y2 - y1)),
        )  # fmt: skip
        least = min(int(self.away[inside].min(initial=_FAR)), int(cut.min(initial=_FAR)))
        return None if least == _FAR else least, int((end[leg] - start[leg]).sum())

    def could_be_there(self, gaps: Bools, gap_us: int, speed: int) -> bool:
        """Whether it could have been in the place, within the window, while it was not seen."""
        # 1 km/h = 1e6 mm / 3600e6 us: mm * 3600 <= km/h * us compares in integers. Seen at t1 and t2, it can be there
        # at a moment m of the window when there is time to come, t1 -> m, and to go on, m -> t2.
        t1, t2 = self.t[:-1], self.t[1:]
        come, go = self.short[:-1] * 3600, self.short[1:] * 3600
        reach = (
            (come + go <= speed * (t2 - t1))
            & (come <= speed * (self.until - t1))
            & (go <= speed * (t2 - self.since))
        )
        over = gaps & (t1 < self.until) & (t2 > self.since)
        straight = self.place.away_mm(self.x[:-1], self.y[:-1], self.x[1:], self.y[1:]) <= self.place.limit_mm
        if (over & (reach | straight)).any():
            return True
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
