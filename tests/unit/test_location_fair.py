"""location by the second edition: the displacement counts from the fence, over all stops; standing still is not driving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyproj
import pytest
import shapely

from registry.snapshot.timelines import overlaps
from rules import evidence as frozen
from rules.checks import location
from rules.checks.base import Outcome
from rules.tracks.advance import advance
from rules.tracks.state import FIELDS, TrackStates
from telemetry.geo import FenceSet
from tests.words import said

S = 1_000_000
T0 = 1_772_000_000 * S
GEOD = pyproj.Geod(ellps="WGS84")
YARD = shapely.box(120.899, 31.999, 120.9, 32.001)
FENCE = {"fences": [], "wkb": YARD.wkb_hex, "from_us": 0, "to_us": int(location.OPEN_END)}
OFF, ON, UNKNOWN = 1, 2, 0

#: Seconds, metres beyond the east side of the yard, speed in 0.1 km/h, ACC.
Fix = tuple[float, float, int, int]


def evidence(fixes: Sequence[Fix], odometer: Sequence[int] = (), **more: Any) -> Any:
    lon, lat, _ = GEOD.fwd(
        [120.9] * len(fixes), [32.0] * len(fixes), [90.0] * len(fixes), [f[1] for f in fixes]
    )
    n = len(fixes)
    return {
        "rule": "location", "rule_version": location.VERSION, "subject": "episode:V1:0", "from_us": T0, "to_us": T0,
        "vehicle": {"id": "V1", "no": 1, "plate": "苏F12345", "organisation": "O1"},
        "parameter_rows": [], "fences": [FENCE], "orders": [],
        "track": frozen.freeze_track({
            "t_us": np.array([T0 + int(f[0] * S) for f in fixes]), "fingerprint": np.arange(n),
            "lat_e6": np.rint(np.array(lat) * 1e6), "lon_e6": np.rint(np.array(lon) * 1e6),
            "speed_dkmh": np.array([f[2] for f in fixes]), "direction_deg": np.full(n, 90),
            "odometer_dkm": np.array(odometer) if len(odometer) else np.full(n, -1), "acc": np.array([f[3] for f in fixes]),
        }),
    } | more  # fmt: skip


def found(fixes: Sequence[Fix], **more: Any) -> list[location.Episode]:
    return location.episodes(evidence(fixes, **more))


def way(start: float, a: float, b: float, *, speed: int = 200, acc: int = ON, step: float = 60) -> list[Fix]:
    count = max(1, round(abs(b - a) / step))
    return [(start + 10 * k, a + (b - a) * k / count, speed, acc) for k in range(count + 1)]


def stop(start: float, minutes: float, at: float) -> list[Fix]:
    return [(start + 30 * k, at, 0, OFF) for k in range(int(minutes * 2) + 1)]


def hops(metres: float, minutes: float, times: int) -> list[Fix]:
    fixes, t = stop(0, 5, -30), 200.0
    for k in range(times):
        leg = way(t, -30 if not k else k * metres, (k + 1) * metres)
        t = leg[-1][0] + 30
        fixes += leg + stop(t, minutes, (k + 1) * metres)
        t = fixes[-1][0] + 30
    return sorted(fixes)


@pytest.mark.parametrize("minutes", [5, 29, 31, 300])
def test_steps_below_the_limit_with_stops_between_do_not_reset_it(minutes: float) -> None:
    """Five steps of 190 m, parked between them, to 950 m beyond the fence: version 1 raised nothing."""
    episodes = found(hops(190, minutes, 5))
    assert episodes
    assert episodes[0].anchor is None
    assert episodes[0].farthest_m >= 200
    assert max(e.farthest_m for e in episodes) >= 700
    assert found(hops(190, minutes, 1)) == []
    assert len(found(hops(90, minutes, 3))) == 1


@pytest.mark.parametrize(
    ("metres", "fires"), [(199, False), (199.8, False), (200, True), (200.1, True), (201, True)]
)
def test_a_furthest_point_at_the_limit_by_the_geodesic(metres: float, fires: bool) -> None:
    fixes = [*stop(0, 5, -30), *way(310, -30, metres), (400, metres, 0, ON), *way(410, metres, -30)]
    episodes = found(fixes)
    assert bool(episodes) is fires
    if fires:
        assert episodes[0].farthest_m == int(metres)
    # However the end of the way out is rounded to 1e-6 degree.
    for shift in (0.0, 0.02, 0.05):
        moved = [(t, m + shift if m == metres else m, s, a) for t, m, s, a in fixes]
        assert bool(found(moved)) is fires


def test_the_measure_is_the_geodesic_for_fences_of_any_size() -> None:
    for size in (0.001, 0.05, 1.0):
        box = shapely.box(106.0, 29.0, 106.0 + size, 29.0 + size)
        lon, lat, _ = GEOD.fwd(106.0 + size / 2, 29.0 + size, 0.0, 200.0)
        beyond = FenceSet(np.array([box], object), fine=True).beyond_mm(
            np.array([0]), np.array([round(lat * 1e6)]), np.array([round(lon * 1e6)])
        )
        assert abs(int(beyond[0]) - 200_000) <= 80


def test_what_leaves_while_everything_stands_opens_nothing() -> None:
    """Speed 0, ACC off, the odometer stands: drift or multipath, however far and however often."""
    for metres in (250.0, 900.0, 40_000.0):
        for count in (1, 3, 4, 30):
            out = [(600 + 30 * k, metres + k, 0, OFF) for k in range(count)]
            fixes = [*stop(0, 9, -30), *out, *stop(out[-1][0] + 30, 20, -30)]
            assert found(fixes) == []
            assert found(fixes, odometer=[900] * len(fixes)) == []


def test_driving_needs_two_that_say_so() -> None:
    def out(speed: int, acc: int) -> list[Fix]:
        return [*stop(0, 5, -30), *way(310, -30, 700, speed=speed, acc=acc)]

    assert len(found(out(200, ON))) == 1
    assert len(found(out(0, ON))) == 1  # ACC on, and three fixes over a minute agree
    assert len(found(out(200, OFF))) == 1  # speed, and these
    assert len(found(out(0, UNKNOWN))) == 1  # positions only: these alone
    assert found(out(0, OFF)) == []
    fast = found(out(200, ON))[0]
    assert fast.opened_us == fast.seen_us <= T0 + 360 * S  # at once
    # The odometer and ACC.
    fixes = [*stop(0, 5, -30), (330, 150, 0, ON), (350, 400, 0, ON), (370, 410, 0, ON)]
    assert found(fixes) == []
    odometer = [50] * 11 + [51, 54, 54]
    assert len(found(fixes, odometer=odometer)) == 1


def test_one_fix_opens_nothing_and_a_later_one_confirms_it() -> None:
    base = [*stop(0, 30, -30)]
    far = [(4000 + 30 * k, 9000.0 + 100 * k, 200, ON) for k in range(6)]
    assert found([*base, far[0]]) == []
    assert found([*base, *far[:3]]) == []
    (episode,) = found([*base, *far[:4]])
    assert (episode.opened_us, episode.seen_us) == (T0 + 4030 * S, T0 + 4090 * S)
    assert found([*base, *far[:3], *stop(4200, 10, -30)]) == []


def test_where_the_order_ended_outside_the_displacement_counts_from_there() -> None:
    order = {"no": 5, "id": "P1", "version": 1, "from_us": T0, "to_us": T0 + 700 * S}
    parked = [*way(310, -30, 2000), *stop(700, 120, 2000)]
    assert found(parked, orders=[order]) == []
    near = [*parked, *way(8000, 2000, 2150), *stop(8100, 60, 2150)]
    assert found(near, orders=[order]) == []
    (episode,) = found([*near, *way(11_800, 2150, 2260)], orders=[order])  # 110 m more: 260 m in all
    assert episode.anchor is not None
    assert (
        location.evaluate(evidence([*near, *way(11_800, 2150, 2260)], orders=[order])).outcome
        is Outcome.SUSPECTED
    )


def test_the_episode_of_a_part_of_a_track_is_that_of_the_whole() -> None:
    """As the worker freezes it: from ``from_us`` to ``seen_us``, with the anchor."""
    far = [(4000 + 30 * k, 9000.0 + 100 * k, 200, ON) for k in range(6)]
    for fixes in (hops(190, 31, 5), hops(90, 300, 3), [*stop(0, 30, -30), *far]):
        whole = evidence(fixes)
        for episode in location.episodes(whole):
            t = np.array(whole["track"]["t_us"])
            mine = (t >= episode.from_us) & (t <= episode.seen_us)
            track = {k: np.array(v)[mine].tolist() for k, v in whole["track"].items()}
            anchor = None if episode.anchor is None else list(episode.anchor)
            (again,) = location.episodes(whole | {"track": track, "anchor": anchor})
            if episode.end_us is None:  # frozen as it was when it opened
                episode = replace(
                    episode, bridged_m=again.bridged_m, distance_m=again.distance_m, farthest_m=again.farthest_m,
                    fixes=again.fixes,
                )  # fmt: skip
            assert again == episode


def test_streaming_finds_what_the_evidence_finds() -> None:
    rows = location.rows_of_evidence(evidence(hops(190, 31, 5)))
    states = TrackStates(1)
    events = []
    for k in range(rows.shape[1]):
        events += advance(states, np.zeros(1, np.int64), rows[:, [k]]).events
    tip = dict(zip(FIELDS, states.tip[:, 0].tolist(), strict=True))
    closed = [location.episode_of_event(e) for e in events if e.event.name != "OPENED"]
    assert [*closed, *([location.episode_of_half(tip)] if tip["open_t"] else [])] == found(hops(190, 31, 5))


# ---- several terminals in one vehicle ----


def both(first: Sequence[Fix], second: Sequence[Fix]) -> Any:
    """Evidence of a vehicle in which terminals 7 and 8 sit."""
    marked = sorted([(f, 7) for f in first] + [(f, 8) for f in second])
    made = evidence([f for f, _ in marked])
    made["track"]["term"] = [no for _, no in marked]
    return made


def test_a_terminal_that_rests_in_the_yard_does_not_hide_one_that_drives() -> None:
    trip = [*stop(0, 30, -40), *way(2000, -40, 9000), *stop(3600, 20, 9000), *way(5000, 9000, -40)]
    (alone,) = found(trip)
    for at_rest, moving in ((0, 5), (5, 0)):
        yard = [(t + at_rest, m, s, a) for t, m, s, a in stop(0, 130, -30)]
        drive = [(t + moving, m, s, a) for t, m, s, a in trip]
        for made in (both(yard, drive), both(drive, yard)):
            (episode,) = location.episodes(made)
            assert episode.reason == "returned_to_fence"
            assert abs(episode.distance_m - alone.distance_m) < 200  # and they are no jumps of each other
            assert episode.farthest_m == alone.farthest_m
            assert episode.apart_m > 8_900
            told = location.evaluate(made)
            assert told.measures["terminals_apart_m"]["value"] == episode.apart_m
            assert "同车另一台终端" in said(told)


def test_two_terminals_that_agree_are_one_vehicle() -> None:
    trip = [*stop(0, 5, -40), *way(310, -40, 6000), *way(1400, 6000, -40)]
    (alone,) = found(trip)
    (episode,) = location.episodes(both(trip, [(t + 4, m + 6, s, a) for t, m, s, a in trip]))
    assert (episode.reason, episode.apart_m) == ("returned_to_fence", 0)
    assert abs(episode.distance_m - alone.distance_m) < 150
    # The one is silent for ever: the other goes on.
    (episode,) = location.episodes(both(trip[:30], [(t + 4, m + 6, s, a) for t, m, s, a in trip]))
    assert episode.reason == "returned_to_fence"
    assert episode.farthest_m == alone.farthest_m + 6


def test_stray_fixes_with_a_speed_while_the_odometer_stands_open_nothing() -> None:
    for acc in (OFF, ON):
        fixes = [(60.0 * k, -30.0, 0, acc) for k in range(180)]
        fixes[50:52] = [(3000.0, 400.0, 600, acc), (3060.0, 410.0, 600, acc)]
        assert found(fixes, odometer=[1000] * 180) == []


def test_a_speed_of_0_is_a_report_where_the_odometer_is_one() -> None:
    """Then two signs are needed; who tells positions only has but the fixes that agree."""
    fixes = [(60.0 * k, 260.0 if 10 <= k < 30 else -30.0, 0, UNKNOWN) for k in range(60)]
    assert found(fixes, odometer=[1000] * 60) == []
    assert len(found(fixes)) == 1
    assert len(found(fixes, odometer=[1000 + 3 * (k > 10) + 3 * (k >= 30) for k in range(60)])) == 1


def test_where_terminals_overlap() -> None:
    found_ = overlaps(np.array([1, 1, 1, 2, 2]), np.array([0, 10, 15, 0, 20]), np.array([20, 14, 30, 20, 40]))
    asked = [(1, 9), (1, 10), (1, 13), (1, 14), (1, 15), (1, 19), (1, 20), (2, 20)]
    held = found_.at(np.array([k for k, _ in asked]), np.array([t for _, t in asked])) == 1
    assert held.tolist() == [False, True, True, False, True, True, False, False]
