"""The rule ``mileage`` on frozen evidence."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.checks import mileage
from rules.checks.base import Outcome
from rules.evidence import EvidenceError, canonical, freeze_track, parse
from rules.tracks.advance import advance, row_matrix
from rules.tracks.state import STATE_DTYPE, STATE_VERSION, TrackStates
from rules.wording.mileage import REASONS
from telemetry import geo
from tests.words import said

S = 1_000_000
DAY = 1_772_380_800 * S  # 2026-03-02 00:00 in Shanghai
NO, OTHER = 4711, 815
YARD: Any = {"name": "院", "lat_e6": 32_000_000, "lon_e6": 120_900_000}
HALL: Any = {"name": "市政府", "lat_e6": 32_020_000, "lon_e6": 120_950_000}
UNKNOWN: Any = {"name": "市区", "lat_e6": None, "lon_e6": None}

#: The defaults, and what is said of the kernel's.
USED = {
    "ratio_permille": 1500, "short_trip_m": 2000, "odometer_differs_permille": 100, "leave_out_local": 0, "local_radius_m": 2000,
    "max_speed_kmh": 200, "gap_s": 120,
}  # fmt: skip


def drive(seconds: int = 1800, start_s: int = 8 * 3600, speed: float = 12.0, odometer: bool = True) -> Any:
    """Straight east at ``speed`` m/s, a fix each 10 s."""
    s = np.arange(0, seconds + 1, 10)
    lat, lon = geo.from_local_plane(32.0, 120.9, s * speed, s * 0.0)
    return {
        "t_us": DAY + (start_s + s) * S, "fingerprint": s + 1, "lat_e6": np.rint(lat * 1e6), "lon_e6": np.rint(lon * 1e6),
        "speed_dkmh": np.full(len(s), int(speed * 36)), "direction_deg": np.full(len(s), 90),
        "odometer_dkm": 5000 + (s * speed // 100) if odometer else np.full(len(s), -1),
    }  # fmt: skip


def evidence(track: dict[str, Any] | None = None, navigation_m: int | None = 20_000, **more: Any) -> Any:
    """Evidence of an order that covers 08:00 to 08:30, its result that of the track."""
    made: Any = {
        "rule": mileage.RULE,
        "rule_version": mileage.VERSION,
        "subject": mileage.subject("P1"),
        "order": {"id": "P1", "version": 1, "driver": None, "purpose": ""},
        "vehicle": {"no": 1, "id": "V1", "plate": "苏F12345", "organisation": "O1"},
        "from_us": DAY,
        "departed_us": DAY + 8 * 3600 * S,
        "to_us": DAY + 8 * 3600 * S + 1801 * S,
        "origin": YARD,
        "destinations": [HALL],
        "return_point": None,
        "route": {
            "distance_m": navigation_m,
            "problem": "" if navigation_m is not None else "没有路 · no way",
        },
        "parameters": dict(USED),
        "order_no": NO,
        "orders": [
            {"no": NO, "id": "P1", "version": 1, "from_us": DAY + 8 * 3600 * S, "to_us": DAY + 30_601 * S}
        ],
        "parameter_rows": [],
        "state": {"version": STATE_VERSION, "packed": None},
        "track": freeze_track({k: np.asarray(v) for k, v in (track or drive()).items()}),
    } | more
    return made | {"result": more.get("result") or mileage.recompute(made)}


def numbers(mileage_mm: int, navigation_m: int | None, **more: Any) -> Any:
    """Evidence of a well seen trip of ``mileage_mm``, for ``conclude``."""
    result = {
        "mileage_mm": mileage_mm, "bridged_mm": 0, "odometer_m": None, "fixes": 100,
        "first_us": DAY + 8 * 3600 * S, "last_us": DAY + 8 * 3600 * S + 1800 * S,
    }  # fmt: skip
    return evidence(navigation_m=navigation_m, result=result | more.pop("result", {}), **more)


@given(st.integers(1, 10_000_000), st.integers(1000, 100_000))
def test_exactly_the_limit_is_suspected_and_one_millimetre_less_is_not(
    navigation_m: int, permille: int
) -> None:
    parameters = USED | {"ratio_permille": permille}
    at = numbers(permille * navigation_m, navigation_m, parameters=parameters)
    assert mileage.conclude(at).outcome is Outcome.SUSPECTED
    assert mileage.conclude(at).measures["ratio_permille"]["value"] == permille
    below = numbers(permille * navigation_m - 1, navigation_m, parameters=parameters)
    made = mileage.conclude(below)
    assert made.outcome is Outcome.NORMAL
    assert made.measures["ratio_permille"]["value"] < permille


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**6))
def test_more_kilometres_never_make_it_less_suspected(a: int, b: int, navigation_m: int) -> None:
    few, many = (mileage.conclude(numbers(mm, navigation_m)).outcome for mm in sorted((a, b)))
    assert not (few is Outcome.SUSPECTED and many is not Outcome.SUSPECTED)


def test_exactly_two_kilometres_is_no_short_trip() -> None:
    for navigation_m, severity in ((2000, "medium"), (1999, "low")):
        assert mileage.severity(mileage.conclude(numbers(10_000_000, navigation_m))) == severity


def test_the_frozen_track_gives_the_limit_to_the_millimetre() -> None:
    made = evidence()
    mm = made["result"]["mileage_mm"]
    # The track's own mileage as limit: 1 m of navigation, ``mm`` permille.
    for permille, outcome in ((mm, Outcome.SUSPECTED), (mm + 1, Outcome.NORMAL)):
        made["parameters"]["ratio_permille"] = permille
        made["route"]["distance_m"] = 1
        assert mileage.evaluate(made).outcome is outcome
    assert abs(mm - 12 * 1800 * 1000) < 12_000


def test_the_same_bytes_again_and_again() -> None:
    made = evidence(navigation_m=10_000)
    first = mileage.evaluate(made)
    again = mileage.evaluate(parse(canonical(made)))
    assert first == again
    assert first.outcome is Outcome.SUSPECTED
    assert "苏F12345" in said(first)
    assert "10,000 米" in said(first)


@given(st.permutations(range(0, 181, 9)))
def test_the_order_of_the_fixes_does_not_matter(order: list[int]) -> None:
    track = drive()
    thin = {name: np.asarray(column)[::9] for name, column in track.items()}
    mixed = {name: np.asarray(column)[np.array(order)] for name, column in track.items()}
    assert evidence(thin)["result"] == evidence(mixed)["result"]


def test_only_fixes_that_the_order_covers_count() -> None:
    made = evidence(drive(3600))
    half: dict[str, Any] = {**mileage.recompute(made)}
    assert half == mileage.recompute(evidence(drive(1800)))
    # Another order in the middle takes its fixes, and no leg reaches across it.
    start = DAY + 8 * 3600 * S
    inner = {"no": OTHER, "id": "P2", "version": 1, "from_us": start + 600 * S, "to_us": start + 1200 * S}
    made["orders"].append(inner)
    less: dict[str, Any] = {**mileage.recompute(made)}
    assert less["fixes"] == half["fixes"] - 60
    assert less["mileage_mm"] < half["mileage_mm"] - 12 * 600 * 1000 + 1000
    assert (less["first_us"], less["last_us"]) == (half["first_us"], half["last_us"])


def test_a_result_that_the_track_does_not_bear_out_proves_nothing() -> None:
    made = evidence(navigation_m=10_000)
    assert mileage.evaluate(made).outcome is Outcome.SUSPECTED
    for name in ("mileage_mm", "bridged_mm", "fixes"):
        wrong = copy.deepcopy(made)
        wrong["result"][name] += 1
        evaluation = mileage.evaluate(wrong)
        assert (evaluation.outcome, evaluation.reason) == (Outcome.UNDETERMINED, "results_differ")


def test_the_state_at_the_start_of_the_day_decides_on_the_first_fix() -> None:
    """A vehicle that was 100 km away a minute before: its fixes wait until four over a minute agree."""
    states = TrackStates(1)
    lat, lon = geo.from_local_plane(32.0, 120.9, [100_000.0], [0.0])
    before = {"t_us": DAY + (8 * 3600 - 60) * S, "lat": round(lat[0] * 1e6), "lon": round(lon[0] * 1e6)}
    advance(
        states,
        np.zeros(1, np.int64),
        row_matrix(1, t=before["t_us"], fp=1, lat=before["lat"], lon=before["lon"]),
    )
    packed = states.pack(np.zeros(1, np.int64)).astype(STATE_DTYPE).tobytes().hex()
    made = evidence(drive(60), state={"version": STATE_VERSION, "packed": packed})
    assert made["result"]["fixes"] == 4  # the first, the two before the last, and the last
    made = evidence(drive(50), state={"version": STATE_VERSION, "packed": packed})
    assert made["result"]["fixes"] == 0
    assert mileage.evaluate(made).reason == "no_track"
    with pytest.raises(EvidenceError):
        mileage.evaluate(made | {"state": {"version": STATE_VERSION + 1, "packed": packed}})
    with pytest.raises(EvidenceError):
        mileage.evaluate(made | {"state": {"version": STATE_VERSION, "packed": packed[:-2]}})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"destinations": []}, "no_destination"),
        ({"origin": None}, "no_origin"),
        ({"origin": UNKNOWN}, "no_origin"),
        ({"destinations": [HALL, UNKNOWN]}, "no_coordinates"),
        ({"return_point": UNKNOWN}, "no_coordinates"),
        ({"route": None}, "no_route"),
        ({"route": {"distance_m": None, "problem": "没有路 · no way"}}, "no_route"),
        ({"route": {"distance_m": 0, "problem": ""}}, "no_distance"),
        ({"departed_us": DAY - 40 * 86_400 * S}, "too_long"),
    ],
)
def test_missing_evidence_is_neither_guilt_nor_innocence(change: dict[str, Any], reason: str) -> None:
    for navigation_m in (1000, 1_000_000):
        made = mileage.evaluate(evidence(navigation_m=navigation_m) | change)
        assert (made.outcome, made.reason) == (Outcome.UNDETERMINED, reason)
        assert said(made).startswith("不可判：")
        assert reason in REASONS


def test_no_fix_is_no_track() -> None:
    empty = {name: np.asarray(column)[:0] for name, column in drive().items()}
    assert mileage.evaluate(evidence(empty)).reason == "no_track"


def test_the_tour_goes_over_all_destinations_in_order_to_the_return_point() -> None:
    third: Any = {"name": "医院", "lat_e6": 32_050_000, "lon_e6": 120_970_000}
    places, missing = mileage.itinerary(YARD, [HALL, third, HALL], None)
    assert missing == ""
    assert places == tuple((p["lat_e6"], p["lon_e6"]) for p in (YARD, HALL, third, HALL, YARD))
    places, _ = mileage.itinerary(YARD, [third], HALL)
    assert places == tuple((p["lat_e6"], p["lon_e6"]) for p in (YARD, third, HALL))


def test_bridged_kilometres_acquit_nobody_and_accuse_nobody() -> None:
    bridged = {"result": {"bridged_mm": 10_001}}
    assert mileage.conclude(numbers(20_000, 1_000, **copy.deepcopy(bridged))).reason == "poor_coverage"
    half = {"result": {"bridged_mm": 10_000}}
    assert mileage.conclude(numbers(20_000, 1_000, **half)).outcome is Outcome.NORMAL
    # 9,999 mm were seen: 1.5 times 6 m, but not 7 m.
    suspected = mileage.conclude(numbers(20_000, 6, **copy.deepcopy(bridged)))
    assert suspected.outcome is Outcome.SUSPECTED
    assert "轨迹中断处按直线计 10 米" in said(suspected)
    doubt = mileage.conclude(numbers(20_000, 7, **bridged))
    assert (doubt.outcome, doubt.reason) == (Outcome.UNDETERMINED, "bridged")
    # Seen for less than half of the time.
    early = {"result": {"last_us": DAY + 8 * 3600 * S + 900 * S}}
    assert mileage.conclude(numbers(20_000, 1_000, **copy.deepcopy(early))).reason == "poor_coverage"
    assert mileage.conclude(numbers(20_000, 13, **early)).outcome is Outcome.SUSPECTED


@pytest.mark.parametrize(
    ("odometer_m", "differs"), [(10_000, 0), (11_000, 0), (11_001, 1), (9_000, 0), (8_999, 1)]
)
def test_the_odometer_is_said_when_it_differs(odometer_m: int, differs: int) -> None:
    made = mileage.conclude(numbers(10_000_000, 1_000, result={"odometer_m": odometer_m}))
    assert made.outcome is Outcome.SUSPECTED
    assert made.measures["odometer_differs"]["value"] == differs
    assert ("终端里程表" in said(made)) == bool(differs)


def test_conclude_gives_what_evaluate_gives_when_the_track_bears_it_out() -> None:
    for navigation_m in (5, 10_000, 14_400, 100_000, None):
        made = evidence(navigation_m=navigation_m)
        bare: Any = {
            k: v
            for k, v in made.items()
            if k not in ("track", "state", "orders", "parameter_rows", "order_no")
        }
        full, by_numbers = mileage.evaluate(made), mileage.conclude(bare)
        measures = {name: m for name, m in full.measures.items() if name != "local_m"}
        assert dataclasses.replace(full, measures=measures) == by_numbers


def test_evidence_of_another_rule_is_refused() -> None:
    with pytest.raises(EvidenceError):
        mileage.evaluate(evidence() | {"rule": "destination"})
    with pytest.raises(EvidenceError):
        mileage.evaluate(evidence() | {"rule_version": 99})


def tour(kilometres_there: int, metres_around: int) -> Any:
    """East to the hall, back and forth beside it, and nothing else; a fix each 10 s at 20 m/s."""
    there = np.arange(0, kilometres_there * 1000 + 1, 200.0)
    around = np.arange(200, metres_around + 1, 200.0)
    x = np.r_[there, kilometres_there * 1000 - np.abs((around + 1000) % 2000 - 1000)]
    lat, lon = geo.from_local_plane(32.0, 120.9, x, x * 0.0)
    n = np.arange(len(x))
    return {
        "t_us": DAY + (8 * 3600 + 10 * n) * S, "fingerprint": n + 1, "lat_e6": np.rint(lat * 1e6), "lon_e6": np.rint(lon * 1e6),
        "speed_dkmh": np.full(len(x), 720), "direction_deg": np.full(len(x), 90), "odometer_dkm": np.full(len(x), -1),
    }  # fmt: skip


def around(navigation_m: int, **parameters: int) -> Any:
    """10 km to the hall and 8 km around it."""
    lat, lon = geo.from_local_plane(32.0, 120.9, [10_000.0], [0.0])
    hall = {"name": "市政府", "lat_e6": round(float(lat[0]) * 1e6), "lon_e6": round(float(lon[0]) * 1e6)}
    return evidence(
        tour(10, 8_000), navigation_m, destinations=[hall], parameters=USED | parameters,
        orders=[{"no": NO, "id": "P1", "version": 1, "from_us": DAY, "to_us": DAY + 86_400 * S}],
    )  # fmt: skip


def test_driving_around_a_destination_is_told_apart_and_weighs_less() -> None:
    made = mileage.evaluate(around(10_000))  # 18 km of 10 km, of which 10 km (2 + 8) are local
    assert 17_900 <= made.measures["mileage_m"]["value"] <= 18_000
    assert 9_700 <= made.measures["local_m"]["value"] <= 10_000
    assert (made.outcome, made.reason) == (Outcome.SUSPECTED, "exceeds_locally")
    assert mileage.severity(made) == "low"
    assert "仅因此达到限定倍数" in said(made)


def test_an_organisation_may_leave_it_out() -> None:
    made = mileage.evaluate(around(10_000, leave_out_local=1))
    assert (made.outcome, made.reason) == (Outcome.NORMAL, "local")


def test_what_is_over_the_limit_without_it_weighs_as_before() -> None:
    made = mileage.evaluate(around(5_000, leave_out_local=1))  # 8 km elsewhere of 5 km
    assert (made.outcome, made.reason) == (Outcome.SUSPECTED, "exceeds")
    assert mileage.severity(made) == "medium"
    assert "仅因此" not in said(made)


def test_no_circle_no_local_driving() -> None:
    assert mileage.local_m(around(10_000, local_radius_m=0)) == 0


def test_several_vehicles_drove_one_order() -> None:
    whole = evidence()
    legs = [evidence(drive(900)), evidence(drive(900, start_s=8 * 3600 + 900))]
    result = mileage.total([leg["result"] for leg in legs])
    made = mileage.evaluate(
        whole | {"legs": legs, "result": result, "route": {"distance_m": 1_000, "problem": ""}}
    )
    assert made.outcome is Outcome.SUSPECTED
    assert made.measures["fixes"]["value"] == 182
    assert abs(made.measures["mileage_m"]["value"] - 21_600) < 50
    other = whole | {"legs": legs, "result": result | {"mileage_mm": 1}}
    assert mileage.evaluate(other).reason == "results_differ"


@pytest.mark.parametrize(
    ("odometer_m", "fault"),
    # 200 km/h for half an hour are 100 km, and it counts in steps of 100 m.
    [(58_211_000, True), (429_496_729_500, True), (100_201, True), (100_200, False), (30_000, False)],
)
def test_an_odometer_that_no_car_can_drive_is_a_fault_of_the_device(odometer_m: int, fault: bool) -> None:
    made = mileage.conclude(numbers(30_000_000, 20_000, result={"odometer_m": odometer_m}))
    assert made.outcome is Outcome.SUSPECTED
    assert ("odometer_fault" in made.measures) is fault
    assert ("属设备故障，未采用" in said(made)) is fault
    if fault:
        assert made.measures["odometer_differs"]["value"] == 0
