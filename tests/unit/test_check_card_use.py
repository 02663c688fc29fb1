"""card_use: the circle and the polygon, the window, gaps, missing evidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from rules import evidence as frozen
from rules.checks import card_use
from rules.checks.base import Outcome
from rules.tracks.valid_fixes import valid_fixes
from rules.wording.card_use import REASONS
from telemetry import geo
from tests.words import said

S, MIN = 1_000_000, 60_000_000
AT = 1_772_000_000 * S
LAT, LON = 32.0, 120.9
PARAMETERS = {
    "station_radius_m": 200,
    "polygon_margin_m": 0,
    "window_min": 15,
    "min_stop_s": 60,
    "stop_kmh": 6,
    "min_coverage_permille": 500,
    "gap_speed_kmh": 120,
    "gap_s": 120,
    "max_speed_kmh": 200,
}
POINT = {"id": "S1", "name": "城东站", "lat_e6": 32_000_000, "lon_e6": 120_900_000, "polygons": None}
UNKNOWN = POINT | {"lat_e6": None, "lon_e6": None}

#: seconds after the transaction, metres east and north of the station
Fix = tuple[float, float, float]


def ring(half: float) -> list[list[int]]:
    corners = np.array([(-half, -half), (half, -half), (half, half), (-half, half), (-half, -half)])
    lat, lon = geo.from_local_plane(LAT, LON, corners[:, 0], corners[:, 1])
    found: list[list[int]] = np.rint(np.column_stack((lat, lon)) * 1e6).astype(int).tolist()
    return found


def make(points: list[Fix], *, station: Any = POINT, transaction: Any = None, **changes: Any) -> Any:
    points = sorted(points)
    east, north = [float(p[1]) for p in points], [float(p[2]) for p in points]
    lat, lon = geo.from_local_plane(LAT, LON, east, north) if points else (np.zeros(0), np.zeros(0))
    n = len(points)
    parameters = {name: changes.pop(name, value) for name, value in PARAMETERS.items()}
    return {
        "rule": "card_use", "rule_version": 2, "subject": card_use.subject("T1"), "card": {"id": "C1", "organisation": "O1"},
        "transaction": {
            "id": "T1", "card": "C1", "at_us": AT, "kind": "fill", "product": "92#", "energy": "fuel", "quantity": 45_204,
            "amount_fen": 35_000, "station_name": "城东", "reversed_by": None,
        } | (transaction or {}),
        "binding": {"plate": "苏F12345", "from_us": 0, "to_us": None}, "vehicle": {"id": "V1", "plate": "苏F12345"},
        "station": station, "parameters": parameters,
        "track": frozen.freeze_track({
            "t_us": np.array([AT + round(p[0] * S) for p in points], np.int64), "fingerprint": np.arange(n),
            "lat_e6": np.rint(lat * 1e6), "lon_e6": np.rint(lon * 1e6), "speed_dkmh": np.full(n, 300),
            "direction_deg": np.zeros(n), "odometer_dkm": np.full(n, -1),
        }),
    } | changes  # fmt: skip


def judged(points: list[Fix], **more: Any) -> tuple[Outcome, str]:
    made = card_use.evaluate(make(points, **more))
    return made.outcome, made.reason


def parked(east: float, north: float = 0, *, start: int = -960, end: int = 960, every: int = 60) -> list[Fix]:
    return [(t, east, north) for t in range(start, end + 1, every)]


SUSPECTED = (Outcome.SUSPECTED, "not_entered")
ENTERED = (Outcome.NORMAL, "entered")
PASSED = (Outcome.SUSPECTED, "passed")
GAP = (Outcome.UNDETERMINED, "gap")
UNCLEAR = (Outcome.UNDETERMINED, "stop_unclear")
BOOKED = (Outcome.UNDETERMINED, "posting_time")


def test_in_the_station_and_not() -> None:
    assert judged(parked(20)) == ENTERED
    made = card_use.evaluate(make(parked(3411.4)))
    assert (made.outcome, made.reason) == SUSPECTED
    assert made.measures["nearest_m"] == {"value": 3412, "unit": "m"}
    assert made.measures["coverage_permille"]["value"] == 1000
    assert made.measures["at_off_s"]["value"] == 0
    assert made.measures["at_distance_m"]["value"] == 3412
    assert made.measures["fixes"]["value"] == 31  # both ends of the window are in it
    assert "疑似油卡使用异常：油卡 C1" in said(made)
    assert "加油 45.20 升" in said(made)
    assert "最近距离 3,412 米" in said(made)
    assert made.reason in REASONS


def test_the_radius_is_inside_and_so_is_what_rounding_can_hide() -> None:
    lat, lon = (v.ravel() for v in np.meshgrid(np.arange(0, 1900), np.arange(0, 2200)))
    x, y = geo.local_plane(LAT, LON, (32_000_000 + lat) / 1e6, (120_900_000 + lon) / 1e6)
    away_mm = np.rint(np.sqrt(x * x + y * y) * 1000).astype(np.int64)
    for exact_mm, expected in ((200_000, ENTERED), (200_080, ENTERED), (200_081, SUSPECTED)):
        found = int(np.flatnonzero(away_mm == exact_mm)[0])
        evidence = make(parked(0))
        fixes = len(evidence["track"]["t_us"])
        evidence["track"]["lat_e6"] = [32_000_000 + int(lat[found])] * fixes
        evidence["track"]["lon_e6"] = [120_900_000 + int(lon[found])] * fixes
        made = card_use.evaluate(evidence)
        assert (made.outcome, made.reason) == expected
        assert made.measures["nearest_m"]["value"] == (200 if expected == ENTERED else 201)


def test_how_a_place_was_rounded_accuses_nobody() -> None:
    for azimuth in range(0, 360, 5):
        for metres, expected in ((200.0, ENTERED), (200.16, SUSPECTED)):
            lon, lat, _ = Geod(ellps="WGS84").fwd(LON, LAT, azimuth, metres)
            evidence = make(parked(0))
            for name, value in (("lat_e6", lat), ("lon_e6", lon)):
                evidence["track"][name] = [round(value * 1e6)] * len(evidence["track"][name])
            made = card_use.evaluate(evidence)
            assert (made.outcome, made.reason) == expected, azimuth


def test_the_segments_count_not_only_the_points() -> None:
    past = [*parked(-1500, 190, end=-60), (0, -1500, 190), (100, 1500, 190), *parked(1500, 190, start=160)]
    assert judged(past) == PASSED
    assert judged([(t, x, y + 20) for t, x, y in past]) == SUSPECTED


def stop(seconds: float, *, start: float = 0, every: int = 10) -> list[Fix]:
    """Parked 5 km away, and in the station from ``start`` on for so long; at both sides 100 s away from a fix of the parked
    one."""
    away = [
        p
        for p in parked(5000, start=-1800, end=1800, every=50)
        if p[0] <= start - 100 or p[0] >= start + seconds + 100
    ]
    times = [*np.arange(start, start + seconds, every).tolist(), start + seconds]
    return sorted([*away, *((t, 0, 0) for t in times)])


def test_entering_is_stopping_for_a_minute() -> None:
    for seconds, expected in ((59, PASSED), (60, ENTERED), (61, ENTERED)):
        made = card_use.evaluate(make(stop(seconds), max_speed_kmh=1000))
        assert (made.outcome, made.reason) == expected
        assert made.measures["stop_s"]["value"] == seconds
    assert judged(stop(60), max_speed_kmh=1000, min_stop_s=61) == PASSED
    # A single fix says nothing of a stay: it may be a stray one, and the vehicle could have been there meanwhile.
    assert judged(stop(0), max_speed_kmh=1000, min_stop_s=0) == (Outcome.UNDETERMINED, "gap")
    made = card_use.evaluate(make(stop(40), max_speed_kmh=1000))
    assert "只经过该加油站" in said(made)
    assert "停留不足 60 秒" in said(made)


def test_walking_speed_is_slow_enough_and_more_is_not() -> None:
    def through(kmh: float, speed: int = 300) -> Any:
        """From the edge to the middle and beyond, 70 s and more in the circle."""
        points = [(t, -1.0 * kmh / 3.6 * 35 + kmh / 3.6 * t, 0) for t in range(0, 71, 10)]
        far = [*parked(-4000, end=-80), *parked(4000, start=150)]
        evidence = make([*far, *points], max_speed_kmh=1000)
        evidence["track"]["speed_dkmh"] = [speed] * len(evidence["track"]["t_us"])
        return card_use.evaluate(evidence).reason

    assert through(5.99) == "entered"
    assert through(6.01) == "passed"
    assert through(12) == "passed"
    # Where its places jitter the terminal's own speed says that it stands.
    assert through(12, speed=60) == "entered"
    assert through(12, speed=61) == "passed"


def test_a_pass_on_the_motorway_beside_is_no_entry() -> None:
    def drive(kmh: float, every: int) -> list[Fix]:
        return [(t, kmh / 3.6 * t, 50) for t in range(-960, 961, every)]

    for every in (1, 10, 30, 60):
        assert judged(drive(100, every)) == PASSED, every
    assert judged(drive(100, 60), station_radius_m=51) == PASSED
    assert judged(drive(100, 60), station_radius_m=49) == SUSPECTED
    # In a jam it stands beside the station: nobody can tell it from a stop at the pump.
    assert judged(drive(5, 10)) == ENTERED
    # One fix in two minutes on a road at 40 km/h: a stop of a minute may lie between two of them.
    assert judged([(t, 40 / 3.6 * (t - 60), 50) for t in range(-960, 961, 120)]) == UNCLEAR


def at_the_pump(
    off: dict[int, float], *, speed_dkmh: int = 0, half_s: int = 55, every: int = 10
) -> tuple[Outcome, str]:
    """Comes at 36 km/h, stands at the pump, goes on. ``off``: the fixes that are so many metres beside it, by second."""
    points: list[Fix] = []
    for t in range(-1200, 1201, every):
        east = (t + half_s) * 10.0 if t < -half_s else max(t - half_s, 0) * 10.0
        points.append((t, east, off.get(t, 0)))
    evidence = make(points)
    evidence["track"]["speed_dkmh"] = [speed_dkmh if abs(p[0]) <= half_s else 360 for p in points]
    made = card_use.evaluate(evidence)
    return made.outcome, made.reason


@pytest.mark.parametrize("metres", [100, 150, 199, 250, 280, 400])
def test_a_reflection_under_the_canopy_does_not_end_the_stay(metres: float) -> None:
    assert at_the_pump({}) == ENTERED
    for t in range(-40, 41, 10):
        assert at_the_pump({t: metres}) == ENTERED, t
    assert at_the_pump({-20: metres, 20: -metres}) == ENTERED
    assert at_the_pump({-30: metres, -10: metres, 10: metres, 30: metres}) == ENTERED  # every other one
    assert at_the_pump({-10: metres, 0: metres, 10: metres}) == ENTERED  # several, while it stands
    # The terminal tells a speed there: its places say that it stands.
    assert at_the_pump({0: metres}, speed_dkmh=300) == ENTERED


def test_who_comes_by_twice_has_not_stood_between() -> None:
    # In, out and in again within two minutes, driving: two passes.
    turned: list[Fix] = [(t, abs(abs(t) - 60) * 10.0 - 300, 0.0) for t in range(-1200, 1201, 30)]
    assert judged(turned)[0] is not Outcome.NORMAL
    # Stands for 30 s, is away for a minute at speed, and for 30 s again.
    there: list[Fix] = [
        (t, 0.0 if 30 <= abs(t) <= 60 else 600.0 if abs(t) < 30 else (abs(t) - 60) * 10.0, 0.0)
        for t in range(-1200, 1201, 10)
    ]
    assert judged(there, max_speed_kmh=1000) == PASSED


def test_a_stay_with_a_gap_in_it_is_a_stay() -> None:
    # A terminal that sleeps while the vehicle stands at the pump.
    away = [p for p in parked(5000, every=50) if p[0] <= -200 or p[0] >= 500]
    assert judged([*away, (-100, 10, 0), (300, 0, 10)], max_speed_kmh=1000) == ENTERED


def test_the_window_holds_its_ends() -> None:
    # A moment of the stay lies in the window: its first at the end, its last at the beginning.
    for start, expected in ((900, ENTERED), (901, PASSED), (-960, ENTERED), (-961, PASSED), (840, ENTERED)):
        assert judged(stop(60, start=start), max_speed_kmh=1000) == expected, start


def test_a_gap_in_which_it_could_have_been_there() -> None:
    # 5 km to the circle and 5 km back: 10 km at 120 km/h are 300 s, and a stop of 60
    def silent(seconds: int, east: float = 5200) -> list[Fix]:
        return [p for p in parked(east, every=10) if not -100 < p[0] < -100 + seconds]

    assert judged(silent(350)) == SUSPECTED
    assert judged(silent(370)) == GAP
    assert judged(silent(370), min_stop_s=71) == SUSPECTED
    assert judged(silent(120, 300)) == SUSPECTED  # no longer than gap_s
    assert judged(silent(130, 300)) == GAP


def test_a_gap_across_the_beginning_of_the_window_counts_from_the_beginning() -> None:
    def silent(until: int) -> list[Fix]:
        return [p for p in parked(5200, start=-3600, every=10) if p[0] <= -1800 or p[0] >= until]

    # From the window's beginning 150 s back suffice, though the gap is long: 5 km at 120 km/h.
    assert judged(silent(-760)) == SUSPECTED
    assert judged(silent(-750)) == GAP
    # The way there was long enough: seen 40 s before the beginning, 35 km away.
    there = [(-940, 35_200, 0), *parked(5200, start=-740, every=10)]
    assert judged(there, max_speed_kmh=1000) == SUSPECTED


def test_ends_without_fixes() -> None:
    assert judged(parked(5200, start=-751 + 1, every=10)) == GAP
    assert judged(parked(5200, start=-760, every=10)) == SUSPECTED
    assert judged(parked(5200, end=760, every=10)) == SUSPECTED
    assert judged(parked(5200, end=750, every=10)) == GAP
    assert judged([]) == (Outcome.UNDETERMINED, "no_track")
    assert judged([(-901, 90_000, 0)]) == (
        Outcome.UNDETERMINED,
        "no_track",
    )  # too far, but seen on one side only
    # Seen on both sides, too far to have been there: still nothing of the window was seen (rules.md: missing coverage).
    assert judged([(-901, 90_000, 0), (901, 90_000, 0)]) == (Outcome.UNDETERMINED, "no_track")
    assert judged([(-1800, 9_000, 0), (1800, 9_000, 0)]) == GAP


def test_little_coverage_accuses_nobody() -> None:
    poor = (Outcome.UNDETERMINED, "poor_coverage")
    # One fix at the very edge of the window, then silence; with another one minute later.
    assert judged([(-900, 90_000, 0)]) == poor
    assert judged(parked(90_000, start=-900, end=-840)) == poor
    # Half of the window exactly is enough, a second less is not; entered it is, however little was seen.
    assert judged(parked(90_000, end=0)) == SUSPECTED
    made = card_use.evaluate(make(parked(90_000, start=-960, end=-1, every=1)))
    assert (made.outcome, made.reason) == poor
    assert made.measures["coverage_permille"]["value"] == 499
    assert judged(parked(0, start=-900, end=-840)) == ENTERED
    assert judged(parked(90_000, end=-840), min_coverage_permille=33) == SUSPECTED
    assert judged(parked(90_000, end=-840), min_coverage_permille=34) == poor


def test_without_looking_at_a_track() -> None:
    undetermined = Outcome.UNDETERMINED
    assert judged([], station=None) == (undetermined, "station_unknown")
    assert judged(parked(9000), station=UNKNOWN) == (undetermined, "no_coordinates")
    assert judged(parked(9000), binding=None, vehicle=None) == (undetermined, "not_bound")
    assert judged(parked(9000), vehicle=None) == (undetermined, "not_official")
    for no_fill in ({"kind": "top_up"}, {"kind": "fee"}, {"kind": "reversal"}, {"reversed_by": "T2"}):
        assert judged(parked(9000), transaction=no_fill) == (Outcome.NORMAL, "no_fill")
    for goods in ("车用尿素", "AdBlue", "机油", "洗车", "便利店"):
        assert judged(parked(9000), transaction={"product": goods}) == (Outcome.NORMAL, "no_fill")
    with pytest.raises(frozen.EvidenceError):
        card_use.evaluate(make([]) | {"rule_version": 99})


def test_a_reversal_that_takes_nothing_back_is_told() -> None:
    alone = {"kind": "reversal", "takes_back": None}
    assert judged(parked(9000), transaction=alone) == (Outcome.UNDETERMINED, "reversal_unmatched")
    assert judged([], transaction=alone | {"takes_back": "T0"}) == (Outcome.NORMAL, "no_fill")
    assert "没有对应的加油" in said(card_use.evaluate(make([], transaction=alone)))


def test_the_time_of_booking_alone_accuses_nobody() -> None:
    booked = {"posted": True}
    assert judged(parked(9000), transaction=booked) == BOOKED
    assert judged([], transaction=booked) == BOOKED
    day = 86_400
    start = -((AT // S + 8 * 3600) % day)  # the natural day of AT, seconds from it
    # There at some time of the day, hours from the booking; the day before and the day after do not count.
    for when, expected in (
        (start + 60, ENTERED),
        (start + day - 120, ENTERED),
        (start - 400, BOOKED),
        (start + day + 200, BOOKED),
    ):
        assert judged(stop(90, start=when), transaction=booked, max_speed_kmh=1000) == expected, when
    assert judged(stop(90, start=3600), max_speed_kmh=1000) == SUSPECTED  # with the time of payment
    drive: list[Fix] = [(t, 100 / 3.6 * t, 50) for t in range(-960, 961, 10)]
    assert judged(drive, transaction=booked) == BOOKED


def test_polygons_with_holes() -> None:
    solid = POINT | {"lat_e6": None, "lon_e6": None, "polygons": [[ring(500)]]}
    holed = solid | {"polygons": [[ring(500), ring(300)]]}
    two = solid | {"polygons": [[ring(500), ring(300)], [ring(100)]]}
    assert judged(parked(0), station=solid) == ENTERED
    assert judged(parked(0), station=holed) == SUSPECTED  # in the hole: not in the station
    assert judged(parked(0), station=two) == ENTERED
    assert judged(parked(400), station=holed) == ENTERED
    assert judged(parked(500), station=holed, station_radius_m=10_000) in (
        ENTERED,
        SUSPECTED,
    )  # rounding of 0.1 m
    assert (
        judged(parked(501), station=holed, station_radius_m=10_000) == SUSPECTED
    )  # a radius is for points only
    corner = frozen.track_columns(make(parked(0))["track"])
    corner["lat_e6"][:], corner["lon_e6"][:] = ring(500)[2]
    evidence = make([], station=holed)
    evidence["track"] = frozen.freeze_track(corner)
    assert card_use.evaluate(evidence).reason == "entered"  # the boundary belongs to it
    assert judged(parked(530), station=holed, polygon_margin_m=31) == ENTERED
    assert judged(parked(532), station=holed, polygon_margin_m=31) == SUSPECTED
    through = [*parked(-2000, end=-60), (0, -2000, 0), (100, 2000, 0), *parked(2000, start=160)]
    assert judged(through, station=holed) == PASSED


fixes = st.lists(
    st.tuples(st.integers(-2400, 2400), st.integers(-4000, 4000), st.integers(-4000, 4000)),
    max_size=25, unique_by=lambda p: p[0],
)  # fmt: skip
ORDER = {Outcome.SUSPECTED: 0, Outcome.UNDETERMINED: 1, Outcome.NORMAL: 2}


@given(fixes, st.integers(1, 9_999), st.integers(1, 120))
def test_a_larger_radius_never_accuses(points: list[Fix], radius: int, window: int) -> None:
    near = judged(points, station_radius_m=radius, window_min=window)[0]
    far = judged(points, station_radius_m=radius + 1, window_min=window)[0]
    assert ORDER[near] <= ORDER[far]


@given(fixes, st.integers(1, 119))
def test_a_longer_window_never_accuses_who_was_there(points: list[Fix], window: int) -> None:
    if judged(points, window_min=window)[0] is Outcome.NORMAL:
        assert judged(points, window_min=window + 1)[0] is Outcome.NORMAL


@given(
    fixes,
    st.randoms(use_true_random=False),
    st.sampled_from([POINT, POINT | {"polygons": [[ring(300), ring(200)]]}]),
)
def test_the_order_of_the_fixes_does_not_matter_and_evidence_is_enough(
    points: list[Fix], random: Any, station: Any
) -> None:
    evidence = make(points, station=station)
    made = card_use.evaluate(evidence)
    body = frozen.canonical(evidence)
    again = frozen.parse(body)
    assert card_use.evaluate(again) == made
    assert frozen.canonical(again) == body
    assert made.reason in REASONS
    shuffled = list(range(len(points)))
    random.shuffle(shuffled)
    again["track"] = {name: [column[k] for k in shuffled] for name, column in again["track"].items()}
    assert card_use.evaluate(again) == made


@given(fixes)
def test_fixes_beyond_the_neighbours_of_the_window_change_nothing(points: list[Fix]) -> None:
    """What the gatherer freezes: from the last valid fix before the window to the first one after it."""
    evidence = make(points)
    track = frozen.track_columns(evidence["track"])
    good = valid_fixes(track, 200)
    track["valid"] = np.isin(np.arange(len(track["t_us"])), good).astype(np.int64)
    rows = card_use.needed(track, good, evidence)
    trimmed = evidence | {"track": frozen.freeze_track({n: c[rows] for n, c in track.items()})}
    assert card_use.evaluate(trimmed) == card_use.evaluate(evidence)
