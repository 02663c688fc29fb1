"""off_hours: nights, days off, orders, exactly the limit, and the columns as good as the evidence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.parameters import RULES
from rules import evidence as frozen
from rules.checks import off_hours
from rules.checks.base import Outcome
from rules.evidence import EvidenceError
from rules.tracks.days import DayRows, valid_fixes
from tests.examples import examples
from tests.words import said

S = 1_000_000
MIN, HOUR = 60 * S, 3600 * S
DAY = 20_517 * 86_400 * S - 8 * HOUR  # 2026-03-05, a Thursday
PARAMETERS = {p.name: p.default for p in RULES["off_hours"]} | {"max_speed_kmh": 200, "gap_s": 120}


#: Seconds of the day, metres, speed in 0.1 km/h.
Fix = tuple[int, int, int]


def run(start_s: int, metres: int, *, every: int = 10, step: int = 100) -> list[Fix]:
    """A straight drive north of so many metres: (seconds of the day, metres, speed in 0.1 km/h)."""
    count = -(-metres // step)
    return [(start_s + k * every, min(k * step, metres), 360) for k in range(count + 1)]


def order(start_s: int, end_s: int, task_type: str = "official", id: str = "P1") -> Any:
    return {
        "id": id,
        "version": 1,
        "task_type": task_type,
        "from_us": DAY + start_s * S,
        "to_us": DAY + end_s * S,
    }


def columns(points: Sequence[Fix]) -> Any:
    a = np.array(points, np.int64).reshape(-1, 3)
    n = len(a)
    return {
        "t_us": DAY + a[:, 0] * S, "fingerprint": np.arange(n), "lat_e6": 29_500_000 + np.rint(a[:, 1] * 9.0205).astype(int),
        "lon_e6": np.full(n, 106_500_000), "speed_dkmh": a[:, 2], "direction_deg": np.zeros(n, int),
        "odometer_dkm": np.full(n, -1),
    }  # fmt: skip


def make(
    points: Sequence[Fix],
    *,
    worked: bool | None = True,
    orders: Sequence[dict[str, Any]] = (),
    **parameters: int,
) -> Any:
    track = columns(points)
    return {
        "rule": "off_hours", "rule_version": 2, "subject": off_hours.subject("V1", "2026-03-05"),
        "vehicle": {"no": 1, "id": "V1", "plate": "渝A12345", "organisation": "O1"},
        "day": {"date": "2026-03-05", "from_us": DAY, "worked": worked, "name": "国庆节", "source": "calendar_days"},
        "parameters": PARAMETERS | parameters, "orders": list(orders), "day_positions": len(set(track["t_us"].tolist())),
        "track": frozen.freeze_track(track),
    }  # fmt: skip


def told(points: Sequence[Fix], **more: Any) -> tuple[Outcome, str]:
    made = off_hours.evaluate(make(points, **more))
    return made.outcome, made.reason


def test_a_night_drive_on_a_working_day() -> None:
    made = off_hours.evaluate(make(run(23 * 3600, 3000)))
    assert (made.outcome, made.reason) == (Outcome.SUSPECTED, "night")
    assert made.measures["distance_m"]["value"] in (2999, 3000, 3001)
    assert made.measures["driving_s"] == {"value": 300, "unit": "s"}
    assert (made.from_us, made.to_us) == (DAY + 23 * HOUR, DAY + 23 * HOUR + 300 * S)
    assert (
        said(made)
        == "疑似非工作时间用车：渝A12345 于 2026-03-05 23:00 至 23:05夜间行驶 3.0 公里，当日没有派车单。"
    )
    assert off_hours.severity(made) == "low"
    assert off_hours.severity(off_hours.evaluate(make(run(3600, 10_100)))) == "medium"


def test_by_day_only_days_off_count() -> None:
    assert told(run(10 * 3600, 3000)) == (Outcome.NORMAL, "none")
    assert told(run(10 * 3600, 3000), worked=False) == (Outcome.SUSPECTED, "rest_day")
    assert "休息日（国庆节）" in said(off_hours.evaluate(make(run(10 * 3600, 3000), worked=False)))


def test_a_day_of_unknown_kind() -> None:
    assert told(run(10 * 3600, 3000), worked=None) == (Outcome.UNDETERMINED, "calendar_unknown")
    assert told(run(3600, 3000), worked=None) == (Outcome.SUSPECTED, "night")
    assert told(run(10 * 3600, 500), worked=None) == (Outcome.NORMAL, "short")
    both = off_hours.evaluate(make(run(3600, 3000) + run(36_000, 3000), worked=None))
    assert both.measures["distance_m"] == both.measures["night_m"]


def test_the_night_begins_and_ends_where_the_parameters_say() -> None:
    drive = run(4 * 3600, 3000)  # 04:00 to 04:05
    assert told(drive, night_to_min=240)[0] is Outcome.NORMAL
    assert told(drive, night_to_min=245)[0] is Outcome.SUSPECTED
    assert told(drive, night_from_min=180, night_to_min=300)[0] is Outcome.SUSPECTED  # does not wrap
    assert told(run(23 * 3600, 3000), night_from_min=180, night_to_min=300)[0] is Outcome.NORMAL
    assert told(drive, night_from_min=240, night_to_min=240)[0] is Outcome.NORMAL  # no night at all


def test_exactly_the_limit() -> None:
    made = off_hours.evaluate(make(run(3600, 3000)))
    metres = made.measures["distance_m"]["value"]
    assert told(run(3600, 3000), min_distance_m=metres)[0] is Outcome.SUSPECTED
    assert told(run(3600, 3000), min_distance_m=metres + 1) == (Outcome.NORMAL, "short")
    assert told([(3600, 0, 0)], min_distance_m=0) == (Outcome.NORMAL, "none")  # nothing was driven


def test_no_track_at_all() -> None:
    assert told([]) == (Outcome.UNDETERMINED, "no_track")
    assert told([(10 * 3600, 0, 0)]) == (Outcome.NORMAL, "none")


def test_orders_cover_by_their_type() -> None:
    drive = run(3600, 3000)
    assert told(drive, orders=[order(0, 7200)]) == (Outcome.NORMAL, "none")
    assert told(drive, orders=[order(0, 7200, "emergency")])[0] is Outcome.NORMAL
    assert told(drive, orders=[order(0, 7200, "car_wash")])[0] is Outcome.SUSPECTED
    assert "派车单 P1" in said(off_hours.evaluate(make(drive, orders=[order(0, 7200, "car_wash")])))
    assert told(drive, orders=[order(0, 7200, "car_wash")], allowed_types=8)[0] is Outcome.NORMAL
    assert told(drive, orders=[order(3600, 3600 + 100)])[0] is Outcome.SUSPECTED  # two thirds are left
    assert told(drive, orders=[order(3600, 3820), order(3810, 4000, id="P2")])[0] is Outcome.NORMAL


def test_a_parked_car_with_noise_does_not_drive() -> None:
    rng = np.random.default_rng(3)
    parked = [(10 * k, int(rng.normal(0, 8)), 0) for k in range(2160)]
    assert told(parked) == (Outcome.NORMAL, "none")


def test_other_evidence_is_refused() -> None:
    with pytest.raises(EvidenceError):
        off_hours.evaluate(make([]) | {"rule_version": 99})
    with pytest.raises(EvidenceError):
        off_hours.evaluate(make([]) | {"rule": "location"})


POINTS = st.lists(
    st.tuples(st.integers(0, 86_399), st.integers(-30, 4000), st.sampled_from([0, 30, 51, 400])), max_size=60
).map(sorted)
ORDERS = st.lists(
    st.tuples(
        st.integers(0, 86_400), st.integers(0, 86_400), st.sampled_from(sorted(off_hours.TASK_TYPES))
    ).map(lambda v: order(min(v[:2]), max(v[:2]), v[2], f"P{v}")),
    max_size=3,
)
WORKED = st.sampled_from([True, False, None])
NIGHT = st.tuples(st.integers(0, 1439), st.integers(0, 1439))


@given(POINTS, ORDERS, WORKED, NIGHT, st.sampled_from([0, 500, 1000]), st.randoms(use_true_random=False))
@settings(max_examples=examples(150), deadline=None)
def test_what_must_always_hold(
    points: list[Fix],
    orders: list[dict[str, Any]],
    worked: bool,
    night: tuple[int, int],
    limit: int,
    random: Random,
) -> None:
    more = {"night_from_min": night[0], "night_to_min": night[1], "min_distance_m": limit}
    evidence = make(points, worked=worked, orders=orders, **more)
    made = off_hours.evaluate(evidence)
    # The same bytes, and the same after a round trip.
    assert off_hours.evaluate(frozen.parse(frozen.canonical(evidence))) == made
    # The order of the orders does not matter; one more never accuses; a day off never counts less than a working day.
    assert (
        off_hours.evaluate(evidence | {"orders": random.sample(orders, len(orders))}).outcome is made.outcome
    )
    allowed = {**order(0, 86_400), "id": "P0"}
    assert off_hours.evaluate(evidence | {"orders": [*orders, allowed]}).outcome is not Outcome.SUSPECTED
    off = off_hours.evaluate(make(points, worked=False, orders=orders, **more))
    assert off.measures["distance_m"]["value"] >= made.measures["distance_m"]["value"]
    # Windows do not overlap and no allowed order covers them.
    windows = off_hours.windows(DAY, worked, evidence["parameters"], evidence["orders"])
    assert all(a < b <= c < d for (a, b, _), (c, d, _) in itertools.pairwise(windows))
    for o in orders:
        if off_hours.TASK_TYPES[o["task_type"]] & 17:
            assert all(
                w[1] <= o["from_us"] or o["to_us"] <= w[0] or o["from_us"] == o["to_us"] for w in windows
            )


@given(st.lists(st.tuples(POINTS, ORDERS, WORKED), min_size=1, max_size=4), NIGHT)
@settings(max_examples=examples(100), deadline=None)
def test_numbers_by_columns_of_many_vehicles_conclude_what_the_evidence_does(
    vehicles: list[Any], night: tuple[int, int]
) -> None:
    more = {"night_from_min": night[0], "night_to_min": night[1]}
    parts, windows, evidences = [], [], []
    for slot, (points, orders, worked) in enumerate(vehicles):
        evidences.append(make(points, worked=worked, orders=orders, **more))
        n = len(points)
        parts.append(columns(points) | {"slot": np.full(n, slot), "terminal": np.full(n, slot)})
        windows += [(slot, w) for w in off_hours.windows(DAY, worked, evidences[-1]["parameters"], orders)]
    rows = DayRows.build(
        np.full(len(vehicles), DAY), **{k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    )
    limits = np.full(len(vehicles), 200), np.full(len(vehicles), 120)
    every = np.bincount(rows.slot, minlength=len(vehicles)).tolist()
    rows = rows.take(valid_fixes(rows, limits[0]))
    for evidence, numbers in zip(
        evidences, off_hours.numbers_of(rows, windows, len(vehicles), *limits), strict=True
    ):
        numbers = replace(numbers, day_positions=every.pop(0))
        assert off_hours.judged(evidence, numbers) == off_hours.evaluate(evidence)
        if off_hours.conclude(evidence, numbers).outcome is not Outcome.SUSPECTED:
            assert off_hours.conclude(evidence, numbers) == off_hours.evaluate(evidence)
