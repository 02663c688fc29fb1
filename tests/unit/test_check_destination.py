"""destination: segments, exactly 2,000 m, gaps, missing evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pyproj import Geod

from rules import evidence as frozen
from rules.checks import destination
from rules.checks.base import Outcome
from rules.tracks.approach import approach_mm, distances_mm, shown_m
from rules.tracks.valid_fixes import valid_fixes
from telemetry import geo
from tests.words import said

S = 1_000_000
T0 = 1_772_000_000 * S
GEOD = Geod(ellps="WGS84")
PARAMETERS = {"radius_m": 2000, "gap_speed_kmh": 120, "gap_s": 120, "max_speed_kmh": 200}


#: Seconds, metres east and north of the destination.
Fix = tuple[int, float, float]


def make(
    points: Sequence[Fix], *, place: tuple[float, float] | None = (32.0, 120.9), departed: int = 0,
    returned: int | None = None, begun: int | None = None, **parameters: int,
) -> Any:  # fmt: skip
    """Evidence of (seconds, metres east, metres north of the destination) points."""
    lat, lon = geo.from_local_plane(32.0, 120.9, [float(p[1]) for p in points], [float(p[2]) for p in points])
    n = len(points)
    end = (points[-1][0] if points else 0) if returned is None else returned
    return {
        "rule": "destination", "rule_version": 2, "subject": "order:P1:0", "index": 0, "order": {"id": "P1", "version": 1},
        "vehicle": {"plate": "苏F12345"}, "from_us": T0 - 600 * S, "departed_us": T0 + departed * S, "to_us": T0 + end * S,
        "destination": {
            "name": "市政府", "lat_e6": None if place is None else round(place[0] * 1e6),
            "lon_e6": None if place is None else round(place[1] * 1e6),
        },
        "parameters": PARAMETERS | parameters,
        "track": frozen.freeze_track({
            "t_us": np.array([T0 + p[0] * S for p in points], np.int64), "fingerprint": np.arange(n),
            "lat_e6": np.rint(lat * 1e6), "lon_e6": np.rint(lon * 1e6), "speed_dkmh": np.full(n, 300),
            "direction_deg": np.zeros(n), "odometer_dkm": np.full(n, -1),
        }),
    } | ({} if begun is None else {"begun_us": T0 + begun * S})  # fmt: skip


def outcome(*points: Fix, **more: Any) -> tuple[Outcome, str]:
    made = destination.evaluate(make(points, **more))
    return made.outcome, made.reason


def test_reached_and_not_reached() -> None:
    assert outcome((0, 9000, 0), (100, 6000, 0), (200, 1500, 0)) == (Outcome.NORMAL, "reached")
    made = destination.evaluate(make([(0, 9000, 0), (100, 6000, 0), (200, 3211.4, 0)]))
    assert (made.outcome, made.reason) == (Outcome.SUSPECTED, "not_reached")
    assert made.measures["nearest_m"] == {"value": 3212, "unit": "m"}
    assert "疑似目的地异常：苏F12345" in said(made)
    assert "最近距离 3,212 米" in said(made)


def test_the_segments_count_not_only_the_points() -> None:
    assert outcome((0, -3000, 1900), (110, 3000, 1900)) == (Outcome.NORMAL, "reached")
    assert outcome((0, -3000, 2100), (110, 3000, 2100))[0] == Outcome.SUSPECTED


@pytest.mark.parametrize(
    ("metres", "expected"), [(2000, Outcome.NORMAL), (2000.16, Outcome.SUSPECTED), (2001, Outcome.SUSPECTED)]
)
def test_how_a_place_was_rounded_accuses_nobody(metres: float, expected: Outcome) -> None:
    # A report tells its place in steps of 1e-6 degree: exactly 2,000 m is inside in every direction.
    for azimuth in range(0, 360, 5):
        evidence = make([(0, 9000, 0), (100, 6000, 0), (200, 2000, 0)])
        for k, away in enumerate((9000.0, 6000.0, metres)):
            lon, lat, _ = GEOD.fwd(120.9, 32.0, azimuth, away)
            evidence["track"]["lat_e6"][k], evidence["track"]["lon_e6"][k] = (
                round(lat * 1e6),
                round(lon * 1e6),
            )
        made = destination.evaluate(evidence)
        assert made.outcome is expected, azimuth
        assert (made.measures["nearest_m"]["value"] > 2000) is (expected is Outcome.SUSPECTED)


def test_exactly_the_radius_is_inside_and_a_metre_more_is_not() -> None:
    points = [(0, 6000, 0), (100, 2000, 0)]
    lat, lon = 32.0, 120.9
    evidence = make(points)
    good = distances_mm(
        round(lat * 1e6),
        round(lon * 1e6),
        np.array(evidence["track"]["lat_e6"]),
        np.array(evidence["track"]["lon_e6"]),
    )[1]
    exact = int(good.min())
    assert exact == pytest.approx(2_000_000, abs=60)
    # the whole metres on both sides of the limit, and a track that is at exactly 2,000.000 m
    assert outcome(*points, radius_m=-(-exact // 1000))[0] == Outcome.NORMAL
    assert outcome(*points, radius_m=shown_m(exact) - 1)[0] == Outcome.SUSPECTED
    lon2, lat2, _ = GEOD.fwd(120.9, 32.0, 90, 2000.0)
    x, y = geo.local_plane(32.0, 120.9, np.array([lat2, lat2]), np.array([lon2, lon2 + 0.05]))
    assert np.rint(geo.segment_distance_m(x[:1], y[:1], x[1:], y[1:]) * 1000)[0] == 2_000_000


def test_a_gap_in_which_it_could_have_been_there() -> None:
    # 5 km from the circle there and 5 km back: 10 km at 120 km/h is 300 s
    before, after = (0, 7000, 0), (60, 7000, 0)
    assert outcome(before, after, (60 + 299, 7000, 0), (400, 7000, 0)) == (Outcome.SUSPECTED, "not_reached")
    assert outcome(before, after, (60 + 301, 7000, 0), (400, 7000, 0)) == (Outcome.UNDETERMINED, "gap")
    assert outcome(before, after, (60 + 119, 7000, 0), (200, 7000, 0))[0] == Outcome.SUSPECTED


def test_a_straight_line_over_a_gap_is_no_track() -> None:
    assert outcome((0, -8000, 0), (300, 8000, 0)) == (Outcome.UNDETERMINED, "gap")
    assert outcome((0, -8000, 0), (110, -3000, 0), (230, 3000, 0))[0] == Outcome.NORMAL


def test_gaps_at_the_ends_of_the_window() -> None:
    points = [(0, 7000, 0), (100, 7000, 0)]
    assert outcome(*points)[0] == Outcome.SUSPECTED
    assert outcome(*points, departed=-149)[0] == Outcome.SUSPECTED
    assert outcome(*points, departed=-151)[0] == Outcome.UNDETERMINED
    assert outcome(*points, returned=249)[0] == Outcome.SUSPECTED
    assert outcome(*points, returned=251)[0] == Outcome.UNDETERMINED
    assert outcome((0, 2100, 0), (100, 2100, 0), returned=219)[0] == Outcome.SUSPECTED  # shorter than gap_s


def test_what_was_before_the_departure_says_only_where_the_vehicle_came_from() -> None:
    there, off, on = (-500, 0, 0), (-30, 9000, 0), (60, 9000, 0)
    assert outcome(there, off, on) == (Outcome.NORMAL, "reached")
    assert outcome(there, off, on, begun=0) == (Outcome.SUSPECTED, "not_reached")
    # the segment that the departure lies on counts, and a fix exactly then
    assert outcome((-40, -2500, 0), (60, 2500, 0), begun=0) == (Outcome.NORMAL, "reached")
    assert outcome((-110, 6000, 0), (0, 1000, 0), (5, 1000, 0), (110, 6000, 0), begun=0) == (
        Outcome.NORMAL,
        "reached",
    )
    # a gap over the departure; with fixes before it, one way from nowhere is not enough
    assert outcome((-150, 6900, 0), (149, 6900, 0), (200, 7000, 0), begun=0) == (Outcome.UNDETERMINED, "gap")
    assert outcome((-100, 7000, 0), (149, 7000, 0), (200, 7000, 0), begun=0) == (
        Outcome.SUSPECTED,
        "not_reached",
    )
    assert outcome((149, 6900, 0), (200, 7000, 0), begun=0) == (Outcome.UNDETERMINED, "gap")
    # nothing between departure and return
    assert outcome(there, begun=0, returned=400) == (Outcome.UNDETERMINED, "gap")
    assert outcome((-30, 90_000, 0), begun=0, returned=400) == (Outcome.UNDETERMINED, "no_track")


def test_missing_evidence() -> None:
    assert outcome((0, 9000, 0), place=None) == (Outcome.UNDETERMINED, "no_coordinates")
    assert outcome(returned=100) == (Outcome.UNDETERMINED, "no_track")
    assert outcome((0, 9000, 0)) == (Outcome.SUSPECTED, "not_reached")


def test_a_jump_into_the_circle_is_no_evidence() -> None:
    assert outcome((0, 9000, 0), (10, 0, 0), (20, 9000, 0)) == (Outcome.SUSPECTED, "not_reached")


def test_evidence_alone_gives_the_same_again() -> None:
    evidence = make([(0, 9000, 0), (100, 6000, 50), (200, 3211.4, 0)])
    assert destination.evaluate(frozen.parse(frozen.canonical(evidence))) == destination.evaluate(evidence)
    with pytest.raises(frozen.EvidenceError):
        destination.evaluate(evidence | {"rule": "location"})


def test_streamed_nearest_distance_is_the_settled_one() -> None:
    rng = np.random.default_rng(8)
    t = np.cumsum(rng.integers(5, 180, 200))
    east, north = 6000 + np.cumsum(rng.normal(0, 60, 200)), np.cumsum(rng.normal(0, 60, 200))
    evidence = make(list(zip(t.tolist(), east.tolist(), north.tolist(), strict=True)), radius_m=1)
    track = {name: np.array(values) for name, values in evidence["track"].items()}
    good = valid_fixes(track, 200)
    lat, lon, at = track["lat_e6"][good], track["lon_e6"][good], track["t_us"][good]
    place = np.full(2, 32_000_000), np.full(2, 120_900_000)
    nearest = np.iinfo(np.int64).max
    for k in range(len(good)):  # one fix after the other
        pair = np.array([max(k - 1, 0), k])
        joined = np.array([k > 0 and at[k] - at[pair[0]] <= 120 * S])
        step = approach_mm(*place, lat[pair], lon[pair], np.array([1]), np.array([0]), joined)
        nearest = min(nearest, int(step[0]))
    settled = destination.evaluate(evidence).measures["nearest_m"]["value"]
    assert shown_m(nearest) == settled


def sure(evidence: Any, points: Sequence[Fix]) -> Any:
    """With every fix a valid one: one fix at a place alone would be a stray one."""
    evidence["track"]["valid"] = [1] * len(points)
    return evidence


def leg(points: Sequence[Fix], **more: Any) -> Any:
    """A further vehicle's stretch of an order."""
    other = sure(make(points, **more), points)
    return {name: other[name] for name in ("vehicle", "from_us", "departed_us", "to_us", "track")} | {
        "begun_us": other["from_us"]
    }


PASSED = [(0, 9000, 0), (100, 6000, 0), (200, 9000, 0)]
REACHED = [(300, 5000, 0), (400, 1500, 0), (500, 5000, 0)]
UNSEEN = [(300, 9000, 0), (1500, 9000, 0)]


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (PASSED, REACHED, (Outcome.NORMAL, "reached")),
        (REACHED, PASSED, (Outcome.NORMAL, "reached")),
        (PASSED, PASSED, (Outcome.SUSPECTED, "not_reached")),
        (PASSED, UNSEEN, (Outcome.UNDETERMINED, "gap")),
        (UNSEEN, PASSED, (Outcome.UNDETERMINED, "gap")),
        (PASSED, [], (Outcome.UNDETERMINED, "no_track")),
        (UNSEEN, REACHED, (Outcome.NORMAL, "reached")),
    ],
)
def test_one_of_several_vehicles_is_enough(first: Any, then: Any, expected: tuple[Outcome, str]) -> None:
    made = destination.evaluate(sure(make(first), first) | {"legs": [leg(then)]})
    assert (made.outcome, made.reason) == expected
    assert made.measures["fixes"]["value"] == len(first) + len(then)
    nearest = min(abs(x) for _, x, _ in (*first, *then))
    assert made.measures["nearest_m"]["value"] in (nearest, nearest + 1)


def test_what_nobody_approved_is_told() -> None:
    note = {"kind": "backfill", "order": "P1", "version": 3, "at_us": T0, "paper_us": None}
    told = said(destination.evaluate(make([(0, 9000, 0), (100, 6000, 0)]) | {"notes": [note]}))
    assert "补单 P1（" in told
    assert told.endswith("不据以撤销。")
