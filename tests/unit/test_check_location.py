"""location: what opens an episode, what ends it, what never may, and that evidence alone gives the same
result."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.parameters import ParameterRow
from rules import evidence as frozen
from rules.checks import location
from rules.checks.base import Outcome
from rules.checks.card_binding import day_us
from rules.checks.location import OPEN_END
from rules.evidence import EvidenceError
from rules.tracks.kernel import ROW_FIELDS
from rules.wording.location import REASONS
from telemetry import geo
from tests.examples import examples
from tests.words import said

S = 1_000_000
MIN = 60 * S
T0 = 1_772_000_000 * S
YARD = shapely.box(120.899, 31.999, 120.9, 32.001)  # its east side runs through (32.0, 120.9)
FENCE = {"id": "F1", "version": 1, "wkb": YARD.wkb_hex, "from_us": 0, "to_us": int(OPEN_END)}


#: Seconds, metres east of the yard's edge, speed in 0.1 km/h.
Fix = tuple[float, float, int]


def make(
    points: Sequence[Fix], *, orders: Sequence[dict[str, Any]] = (), fences: Sequence[dict[str, Any]] = (FENCE,),
    parameter_rows: Sequence[Sequence[Any]] = (),
) -> Any:  # fmt: skip
    """Evidence of (seconds, metres east of the yard's edge, speed in 0.1 km/h) points, negative = in the
    yard."""
    lat, lon = geo.from_local_plane(32.0, 120.9, [float(p[1]) for p in points], [0.0] * len(points))
    n = len(points)
    return {
        "rule": "location", "rule_version": 2, "subject": "episode:V1:0", "from_us": T0,
        "vehicle": {"id": "V1", "no": 1, "plate": "苏F12345", "organisation": "O1"},
        "parameter_rows": [list(r) for r in parameter_rows], "fences": list(fences), "orders": list(orders),
        "track": frozen.freeze_track({
            "t_us": np.array([T0 + int(p[0] * S) for p in points]), "fingerprint": np.arange(n),
            "lat_e6": np.rint(lat * 1e6), "lon_e6": np.rint(lon * 1e6), "speed_dkmh": np.array([p[2] for p in points]),
            "direction_deg": np.full(n, 90), "odometer_dkm": np.full(n, -1),
        }),
    }  # fmt: skip


def drive(*stations: float, speed: int = 300, every: int = 10) -> list[Fix]:
    """Points that move 80 m a step between the stations."""
    points: list[Fix] = []
    t = 0
    for a, b in pairwise(stations):
        steps = max(1, round(abs(b - a) / 80))
        for k in range(steps):
            points.append((t, a + (b - a) * k / steps, speed))
            t += every
    points.append((t, stations[-1], speed))
    return points


def test_a_drive_beyond_the_fence_is_one_suspected_episode() -> None:
    made = location.evaluate(make(drive(-50, 3000, -50)))
    assert (made.outcome, made.reason) == (Outcome.SUSPECTED, "returned_to_fence")
    assert 2900 <= made.measures["farthest_m"]["value"] <= 3000
    assert 5700 <= made.measures["distance_m"]["value"] <= 6000
    assert made.parameters == {"min_displacement_m": 200, "episode_idle_min": 30, "early_start_min": 10,
                               "max_speed_kmh": 200, "gap_s": 120, "max_age_days": 62}  # fmt: skip
    assert said(made).startswith("疑似定位异常：苏F12345 于 2026-02-25 14:13 至 14:2")
    assert "无派车任务" in said(made)
    assert "米，行驶" in said(made)


def test_evidence_names_the_parameter_of_orders_as_version_1_did() -> None:
    rows = [
        ParameterRow("location", "episode_idle_min", None, 20, 0),
        ParameterRow("order", "early_start_min", "O1", 25, 5),
        ParameterRow("order", "early_start_min", "O2", 26, 5),
        ParameterRow("order", "settle_after_h", None, 7, 0),
        ParameterRow("track", "gap_s", None, 60, 0),
    ]
    frozen_rows = location.parameter_rows(rows, "O1")
    assert frozen_rows == [
        ["location", "early_start_min", "O1", 25, 5],
        ["location", "episode_idle_min", None, 20, 0],
        ["track", "gap_s", None, 60, 0],
    ]
    made = location.evaluate(make(drive(-50, 3000, -50), parameter_rows=frozen_rows))
    assert made.parameters == {"min_displacement_m": 200, "episode_idle_min": 20, "early_start_min": 25,
                               "max_speed_kmh": 200, "gap_s": 60, "max_age_days": 62}  # fmt: skip


@pytest.mark.parametrize(("metres", "opens"), [(199.5, False), (200.2, True)])
def test_two_hundred_metres_beyond_the_fence(metres: float, opens: bool) -> None:
    points = [(0, -30, 0), (10, 0.2, 200), (20, 100, 200), (30, metres + 0.2, 200), (40, metres, 0)]
    assert bool(location.episodes(make(points))) is opens


def test_exactly_min_displacement_counts() -> None:
    points = [(0, -30, 0), (10, 1, 200), (20, 100, 200), (30, 300, 200)]
    evidence = make(points)
    rows = location.rows_of_evidence(evidence)
    beyond_mm = int(rows[ROW_FIELDS.index("beyond"), 3])
    for metres, opens in ((beyond_mm // 1000, True), (beyond_mm // 1000 + 1, False)):
        evidence["parameter_rows"] = [["location", "min_displacement_m", None, metres, 0]]
        assert bool(location.episodes(evidence)) is opens


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(0, -10, 0)],
        drive(-80, -20, -80, -10),  # shuffled in the yard
        [(0, -30, 0), (10, 500, 0), (20, -30, 0)],  # one jump out of the yard
        [(0, -30, 0), (10, 500, 0), (20, 510, 0), (30, -30, 0)],  # stays where it jumped to
        [(0, -30, 0), (10, 300, 0), (20, 520, 0), (30, -30, 0)],  # jumps on, standing
        [(0, -30, 0), (10, 90_000, 900), (20, 91_000, 900), (30, -30, 0)],  # implied speed
        [(0, -30, 0), (10, 100, 200), (20, 180, 200), (30, 100, 200), (40, -30, 0)],  # not far enough
        [(k * 10, 400 + (k % 5) * 5, 0) for k in range(100)],  # parked outside
        [(k * 10, 400 + 300 * (k == 50), 0) for k in range(100)],  # parked outside, one stray fix
    ],
)
def test_what_is_no_episode(points: list[Fix]) -> None:
    assert location.episodes(make(points)) == []


def test_standing_vehicle_with_dead_speed_field_is_still_caught() -> None:
    (episode,) = location.episodes(make([(t, m, 0) for t, m, _ in drive(-50, 2000)]))
    assert episode.end_us is None


def test_an_order_covers_until_it_ends_and_ends_an_episode() -> None:
    order = {"no": 5, "id": "P1", "version": 1, "from_us": T0, "to_us": T0 + 200 * S}
    points = drive(-50, 3000, -50)
    (episode,) = location.episodes(make(points, orders=[order]))
    assert episode.start_us == T0 + 200 * S  # the end is the first moment that is not covered
    assert location.episodes(make(points, orders=[order | {"to_us": int(OPEN_END)}])) == []
    late = {"no": 6, "id": "P2", "version": 1, "from_us": T0 + 200 * S, "to_us": int(OPEN_END)}
    (episode,) = location.episodes(make(points, orders=[late]))
    assert (episode.reason, episode.end_us, episode.closed_us) == (
        "order_started",
        T0 + 190 * S,
        T0 + 200 * S,
    )


def test_parking_for_the_idle_time_ends_it_and_the_next_drive_is_another() -> None:
    out = drive(-50, 2000)
    last = out[-1][0]
    parked = [(last + 30 + k * 30, 2000, 0) for k in range(70)]
    back = [(parked[-1][0] + t, m, s) for t, m, s in drive(2000, -50)[1:]]
    first, second = location.episodes(make(out + parked + back))
    assert (first.reason, first.end_us) == ("parked", T0 + last * S)
    assert first.closed_us == T0 + (last + 1800) * S  # exactly thirty minutes is parked
    assert second.reason == "returned_to_fence"
    assert second.start_us >= T0 + (last + 1800) * S
    short = [(last + 30 + k * 30, 2000, 0) for k in range(58)]
    back = [(short[-1][0] + t, m, s) for t, m, s in drive(2000, -50)[1:]]
    assert len(location.episodes(make(out + short + back))) == 1


@pytest.mark.parametrize("minutes", [29, 30, 35, 600])
def test_silent_and_elsewhere_afterwards_is_not_parked(minutes: int) -> None:
    """Out of the yard, unplugged, and plugged in again 20 km away, standing: it was driven there."""
    away = [(70 + minutes * 60 + k * 30, 20_000, 0) for k in range(20)]
    (episode,) = location.episodes(make([(0, -30, 0), (60, 100, 300), *away]))
    assert (episode.start_us, episode.reason, episode.end_us) == (T0 + 60 * S, "driving_outside", None)
    assert episode.opened_us == T0 + away[1][0] * S  # the second fix there: one may be a stray
    # An episode that is open goes on, until it has stood for half an hour where it is seen again.
    out = drive(-50, 3000)
    seen = [(out[-1][0] + minutes * 60 + k * 30, 20_000, 0) for k in range(70)]
    (episode,) = location.episodes(make([*out, *seen]))
    assert (episode.reason, episode.end_us) == ("parked", T0 + seen[0][0] * S)
    assert episode.distance_m > 19_000


@pytest.mark.parametrize(("metres", "ends"), [(199, 1), (201, 0)])
def test_silent_and_seen_again_where_it_was_is_parked(metres: float, ends: bool) -> None:
    """What is no displacement (``min_displacement_m``) is no way it was driven."""
    out = drive(-50, 3000)
    last = out[-1][0]
    (episode,) = location.episodes(make([*out, (last + 1800, 3000 + metres, 0)]))
    assert (episode.reason == "parked") == bool(ends)
    assert (episode.end_us is None) == (not ends)


def test_no_fence_raises_nothing_and_a_withdrawn_fence_ends_it() -> None:
    assert location.episodes(make(drive(-50, 3000), fences=[])) == []
    (episode,) = location.episodes(make(drive(-50, 3000), fences=[FENCE | {"to_us": T0 + 300 * S}]))
    assert (episode.reason, episode.end_us) == ("fence_withdrawn", T0 + 290 * S)


def test_only_an_official_vehicle_is_judged() -> None:
    """Midnights of China: T0 is 14:13 of 25 February."""
    points = drive(-50, 3000, -50)
    evening = [(t + 9.7 * 3600, m, s) for t, m, s in drive(-50, 10_000, -50)]  # from 23:55 on

    def found(points: list[Fix], **dates: Any) -> Any:
        evidence = make(points)
        evidence["vehicle"] |= dates
        return location.episodes(evidence)

    assert len(found(points, registered_on="2026-02-25", disposed_on="2026-02-26")) == 1
    assert found(points, disposed_on="2026-02-25") == []
    assert found(points, registered_on="2026-02-26") == []
    assert len(found(points, registered_on=None, disposed_on=None)) == 1
    (sold,) = found(evening, disposed_on="2026-02-26")
    assert sold.reason == "not_official"
    assert sold.end_us < day_us("2026-02-26") <= sold.closed_us
    assert REASONS[sold.reason]
    (bought,) = found(evening, registered_on="2026-02-26")
    assert bought.start_us >= day_us("2026-02-26")
    assert bought.reason == "returned_to_fence"


def test_an_episode_may_cross_midnight() -> None:
    points = [(t + 9.7 * 3600, m, s) for t, m, s in drive(-50, 10_000, -50)]
    assert len(location.episodes(make(points))) == 1


def test_an_organisations_own_value_from_its_date_on() -> None:
    points = drive(-50, 400, -50)
    assert len(location.episodes(make(points))) == 1
    assert (
        location.episodes(make(points, parameter_rows=[("location", "min_displacement_m", "O1", 600, 0)]))
        == []
    )
    assert (
        location.episodes(make(points, parameter_rows=[("location", "min_displacement_m", "O2", 600, 0)]))
        != []
    )
    after = ("location", "min_displacement_m", "O1", 600, T0 + 3600 * S)
    assert len(location.episodes(make(points, parameter_rows=[after]))) == 1


@given(
    st.lists(
        st.tuples(st.integers(1, 900), st.integers(-400, 2500), st.sampled_from([0, 40, 300])), max_size=80
    )
)
@settings(max_examples=examples(40), deadline=None)
def test_evidence_alone_gives_the_same_bytes_again(steps: list[tuple[int, float, int]]) -> None:
    t = 0
    points: list[Fix] = []
    for dt, metres, speed in steps:
        t += dt
        points.append((t, metres, speed))
    evidence = make(points)
    body = frozen.canonical(evidence)
    again = frozen.parse(body)
    assert frozen.canonical(again) == body
    assert location.evaluate(copy.deepcopy(again)) == location.evaluate(evidence)


def test_evidence_of_another_rule_or_broken_is_refused() -> None:
    evidence = make(drive(-50, 500))
    with pytest.raises(EvidenceError):
        location.evaluate(evidence | {"rule_version": 99})
    with pytest.raises(EvidenceError):
        location.evaluate(evidence | {"track": {"t_us": [1]}})
    with pytest.raises(EvidenceError):
        frozen.canonical({"a": [1, 0.5]})
