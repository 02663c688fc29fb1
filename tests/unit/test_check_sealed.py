"""sealed: a sealed vehicle that drives away; and the parked, the shuffled, the carried, the towed ones that accuse nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.parameters import RULES, TRACK
from rules import evidence as frozen
from rules.checks import sealed
from rules.checks.base import Outcome
from rules.evidence import EvidenceError
from tests.examples import examples
from tests.words import said

S = 1_000_000
MIN = 60
SEALED = 20_517 * 86_400 * S - 8 * 3600 * S  # 2026-03-05 00:00 in China
PARAMETERS = {
    p.name: p.default
    for p in (*RULES["sealed"], *RULES[TRACK])
    if p.name not in ("settle_after_h", "max_age_days")
}

#: Seconds after the seal, metres north of the place, speed in 0.1 km/h.
Fix = tuple[float, float, int]


def run(start_s: float, start_m: float, end_m: float, *, every: int = 10, speed: int = 360) -> list[Fix]:
    """A straight drive at 10 m/s, and one fix at rest at its end."""
    count = max(1, round(abs(end_m - start_m) / (10 * every)))
    step = (end_m - start_m) / count
    return [
        *((start_s + k * every, start_m + k * step, speed) for k in range(count)),
        (start_s + count * every, end_m, 0),
    ]


def stand(start_s: float, end_s: float, metres: float = 0, *, every: int = 300) -> list[Fix]:
    return [(float(t), metres, 0) for t in np.arange(start_s, end_s, every)]


def order(start_s: float, end_s: float, task_type: str) -> Any:
    return {
        "id": "P1",
        "version": 1,
        "task_type": task_type,
        "from_us": SEALED + int(start_s * S),
        "to_us": SEALED + int(end_s * S),
    }


def make(
    points: Sequence[Fix],
    *,
    orders: Sequence[Any] = (),
    acc: bool = True,
    anchor: bool = True,
    **parameters: int,
) -> Any:
    a = np.array(points, float).reshape(-1, 3)
    n = len(a)
    columns = {
        "t_us": SEALED + np.rint(a[:, 0] * S).astype(np.int64), "fingerprint": np.arange(n),
        "lat_e6": 29_500_000 + np.rint(a[:, 1] * 9.0205).astype(np.int64), "lon_e6": np.full(n, 106_500_000),
        "speed_dkmh": a[:, 2].astype(np.int64), "direction_deg": np.zeros(n, np.int64), "odometer_dkm": np.full(n, -1),
    }  # fmt: skip
    if acc:
        columns["acc"] = np.where(a[:, 2] > 0, 2, 1)
    return {
        "rule": "sealed", "rule_version": 1, "subject": sealed.subject("V1", SEALED),
        "vehicle": {"no": 1, "id": "V1", "plate": "渝A12345", "organisation": "O1"}, "seal": {"from_us": SEALED, "reason": "国庆封存"},
        "anchor": {"t_us": SEALED, "lat_e6": 29_500_000, "lon_e6": 106_500_000} if anchor else None,
        "parameters": PARAMETERS | parameters, "orders": list(orders), "track": frozen.freeze_track(columns),
    }  # fmt: skip


def told(points: Sequence[Fix], **more: Any) -> tuple[str, str]:
    made = sealed.evaluate(make(points, **more))
    assert "封存" in said(made)
    return made.outcome.value, made.reason


HOUR = 3600
PARKED = stand(20 * MIN, HOUR)
AWAY = [*PARKED, *run(HOUR, 0, 1000), *stand(HOUR + 300, 3 * HOUR, 1000)]
CASES: list[tuple[str, list[Fix], dict[str, Any], tuple[str, str]]] = [
    ("parked all the time", stand(20 * MIN, 12 * HOUR), {}, ("normal", "stood")),
    ("drives away", AWAY, {}, ("suspected", "moved")),
    ("200 m exactly", [*PARKED, *run(HOUR, 0, 200), *stand(HOUR + 60, 2 * HOUR, 200)], {}, ("suspected", "moved")),
    ("199 m", [*PARKED, *run(HOUR, 0, 199), *stand(HOUR + 60, 2 * HOUR, 199)], {}, ("normal", "stood")),
    ("190 m, an hour's rest, 190 m more",
     [*PARKED, *run(HOUR, 0, 190), *stand(HOUR + 60, 2 * HOUR, 190), *run(2 * HOUR, 190, 380), *stand(2 * HOUR + 60, 3 * HOUR, 380)],
     {}, ("suspected", "moved")),
    ("shuffled in the yard", [*PARKED, *run(HOUR, 0, 90), *stand(HOUR + 60, 2 * HOUR, 90), *run(2 * HOUR, 90, -80), *stand(2 * HOUR + 60, 3 * HOUR, -80)],
     {}, ("normal", "stood")),
    ("drift with the engine off, however far", [*PARKED, *stand(HOUR, HOUR + 600, 700, every=60), *stand(HOUR + 600, 2 * HOUR)], {}, ("normal", "stood")),
    ("one stray fix with a speed", [*PARKED, (HOUR, 5000, 500), *stand(HOUR + 60, 2 * HOUR)], {}, ("normal", "stood")),
    ("gone while no position came", [*PARKED, *stand(3 * HOUR, 4 * HOUR, 4000)], {}, ("undetermined", "moved_unseen")),
    ("gone unseen and back unseen", [*PARKED, *stand(3 * HOUR, 4 * HOUR, 4000), *stand(6 * HOUR, 7 * HOUR)], {}, ("normal", "stood")),
    ("first seen on the way, and driving on", [*PARKED, *run(2 * HOUR, 2000, 4000), *stand(2 * HOUR + 300, 3 * HOUR, 4000)], {}, ("suspected", "moved")),
    ("to the repair shop with an order", AWAY, {"orders": [order(HOUR - 600, HOUR + 600, "repair")]}, ("normal", "allowed_order")),
    ("towed with an order", AWAY, {"orders": [order(HOUR - 600, HOUR + 600, "tow")]}, ("normal", "allowed_order")),
    ("an emergency", AWAY, {"orders": [order(HOUR - 600, HOUR + 600, "emergency")]}, ("normal", "allowed_order")),
    ("an order for an ordinary trip: the papers contradict each other", AWAY, {"orders": [order(HOUR - 600, HOUR + 600, "official")]}, ("undetermined", "ordered")),
    ("carried off under a repair order while its terminal is off", [*PARKED, *stand(3 * HOUR, 4 * HOUR, 4000)],
     {"orders": [order(HOUR, 3 * HOUR, "repair")]}, ("normal", "stood")),
    ("and driven on when the order is over", [*PARKED, *run(HOUR, 0, 1000), *stand(HOUR + 300, 3 * HOUR, 1000), *run(3 * HOUR, 1000, 2000)],
     {"orders": [order(HOUR - 600, HOUR + 600, "repair")]}, ("suspected", "moved")),
    ("a terminal that tells positions only", [(t, m, 0) for t, m, _ in AWAY], {"acc": False}, ("suspected", "moved")),
    ("no position at all", [], {}, ("undetermined", "no_track")),
    ("never seen before", PARKED, {"anchor": False}, ("undetermined", "no_track")),
]  # fmt: skip


@pytest.mark.parametrize(("points", "more", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_cases(points: list[Fix], more: dict[str, Any], expected: tuple[str, str]) -> None:
    assert told(points, **more) == expected


def test_what_is_said_of_a_movement() -> None:
    made = sealed.evaluate(make(AWAY))
    assert (made.from_us, made.to_us) == (SEALED + HOUR * S, SEALED + (HOUR + 20) * S)
    assert made.measures["away_m"] == {"value": 200, "unit": "m"}
    assert (
        said(made)
        == "疑似封存车辆移动：渝A12345（2026-03-05 00:00 起封存：国庆封存）2026-03-05 01:00 至 01:00 驶离原停放处 200 米，没有派车单。"
    )


def test_the_time_that_counts_leaves_the_clerk_his_minute() -> None:
    assert sealed.counted(SEALED, None, PARAMETERS) == (SEALED + 900 * S, None)
    assert sealed.counted(SEALED, SEALED + 3600 * S, PARAMETERS) == (SEALED + 900 * S, SEALED + 2700 * S)


def test_evidence_is_cut_to_what_shows_the_movement_and_tells_the_same() -> None:
    for points, more, expected in [c[1:] for c in CASES]:
        evidence = make(points, **more)
        if expected[0] != "suspected":
            continue
        track = frozen.track_columns(evidence["track"])
        orders = evidence["orders"]
        moved = sealed.movement(track, evidence["anchor"], orders, evidence["parameters"])
        assert moved is not None
        cut = sealed.cut(evidence, track, moved)
        assert len(cut["track"]["t_us"]) <= len(track["t_us"])
        assert sealed.evaluate(cut) == sealed.evaluate(evidence)


def test_evidence_of_another_version_is_refused() -> None:
    with pytest.raises(EvidenceError):
        sealed.evaluate(make(AWAY) | {"rule_version": 2})


#: Small moves and stands one after another, for properties.
WAYS = st.lists(
    st.tuples(st.integers(-400, 400), st.integers(5, 90), st.sampled_from([True, True, False])), max_size=6
)
TASKS = st.lists(
    st.tuples(
        st.integers(0, 7000),
        st.integers(600, 4000),
        st.sampled_from(["official", "repair", "tow", "car_wash"]),
    ),
    max_size=2,
)


def walked(ways: Sequence[tuple[int, int, bool]]) -> list[Fix]:
    """Parked, then each way (metres, minutes of rest, whether it is seen)."""
    points, at, now = list(PARKED), 0.0, float(HOUR)
    for metres, rest, seen in ways:
        way = run(now, at, at + metres)
        points += way if seen else []
        now, at = way[-1][0] + 10, at + metres
        points += stand(now, now + rest * MIN, at)
        now += rest * MIN
    return points


@given(ways=WAYS, tasks=TASKS)
@settings(max_examples=examples(40), deadline=None)
def test_nobody_is_accused_who_was_never_seen_so_far_away(
    ways: list[tuple[int, int, bool]], tasks: list[tuple[int, int, str]]
) -> None:
    points = walked(ways)
    made = sealed.evaluate(make(points, orders=[order(a, a + n, kind) for a, n, kind in tasks]))
    far = max((p[1] for p in points), default=0) - min((p[1] for p in points), default=0)
    if far < 199:
        assert made.outcome is not Outcome.SUSPECTED
    if made.outcome is Outcome.SUSPECTED:
        assert made.measures["away_m"]["value"] >= 200
        assert made.to_us is not None
        assert made.from_us <= made.to_us
