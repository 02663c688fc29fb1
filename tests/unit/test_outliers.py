"""An outlier is judged from both sides, and standing still is not driving (rules.md, second edition): cases by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import shapely

from rules.checks import off_hours
from rules.checks.base import Outcome
from rules.tracks.advance import Advanced, advance, row_matrix
from rules.tracks.days import DayRows
from rules.tracks.mileage import window_mileage
from rules.tracks.state import TrackStates
from telemetry import geo

S = 1_000_000
T0 = 1_772_000_000 * S
H = 3600
OFF, ON, UNKNOWN = 1, 2, 0

#: Seconds, metres north, metres east, speed in 0.1 km/h, ACC, odometer in 0.1 km (-1 = absent).
Fix = tuple[float, float, float, int, int, int]


def parked(
    start: float, end: float, every: float, north: float = 0, east: float = 0, acc: int = OFF, odo: int = -1
) -> list[Fix]:
    return [(float(t), north, east, 0, acc, odo) for t in np.arange(start, end, every)]


def drive(
    start: float, metres: float, *, every: float = 10, speed: float = 15, acc: int = ON, shown: bool = True,
    north: float = 0, odo: int = -1,
) -> list[Fix]:  # fmt: skip
    """A straight drive north at ``speed`` m/s; ``shown``: its fixes tell the speed."""
    fixes = []
    for k in range(int(metres / speed / every) + 1):
        way = k * every * speed
        fixes.append(
            (start + k * every, north + way, 0.0, int(speed * 36) * shown, acc, odo + int(way // 100) * (odo >= 0))
        )  # fmt: skip
    return fixes


def columns(fixes: Sequence[Fix]) -> dict[str, Any]:
    a = np.array(fixes, float).reshape(-1, 6)
    lat, lon = geo.from_local_plane(29.5, 106.5, a[:, 2], a[:, 1])
    return {
        "t": T0 + np.rint(a[:, 0] * S).astype(np.int64), "fp": np.arange(len(a)), "lat": np.rint(lat * 1e6).astype(np.int64),
        "lon": np.rint(lon * 1e6).astype(np.int64), "speed": a[:, 3].astype(np.int64), "acc": a[:, 4].astype(np.int64),
        "odo": a[:, 5].astype(np.int64) + 1,
    }  # fmt: skip


def taken(fixes: Sequence[Fix], **more: Any) -> Advanced:
    rows = row_matrix(len(fixes), **columns(fixes), max_kmh=200, gap_us=120 * S, **more)
    return advance(TrackStates(1), np.zeros(len(fixes), np.int64), rows)


def metres(fixes: Sequence[Fix]) -> tuple[int, int]:
    c = columns(fixes)
    n = len(fixes)
    made = window_mileage(
        np.zeros(n, np.int64), 1, c["t"], c["fp"], c["lat"], c["lon"], c["speed"], np.zeros(n, np.int64), c["odo"] - 1,
        acc=c["acc"],
    )  # fmt: skip
    return int(made.metres[0]), int(made.bridged_m[0])


def stray(fixes: Sequence[Fix]) -> list[int]:
    return np.flatnonzero(~taken(fixes).valid).tolist()


# ---- one, two, three stray fixes, anywhere ----


def test_after_ten_hours_of_sleep_one_fix_far_away_hides_no_drive() -> None:
    """1,180 km in ten hours is 118 km/h: possible; 630 of 768 true fixes were jumps to it."""
    for acc, speed in ((OFF, 0), (ON, 0), (ON, 600), (UNKNOWN, 600)):
        far = (10 * H, 1_180_000.0, 0.0, speed, acc, -1)
        fixes = [
            *parked(0, 600, 60),
            far,
            *parked(10 * H + 10, 10 * H + 100, 10, acc=ON),
            *drive(10 * H + 100, 15_000),
        ]
        assert stray(fixes) == [10]
        made = metres(fixes)
        assert 14_900 <= made[0] <= 15_100
        assert made[1] == 0


@pytest.mark.parametrize(("every_min", "km"), [(60, 150), (10, 30), (1, 2), (1, 150)])
@pytest.mark.parametrize("strays", [1, 2, 3])
@pytest.mark.parametrize(("acc", "odo"), [(OFF, -1), (OFF, 812), (ON, -1), (ON, 812)])
def test_a_parked_car_with_stray_fixes_has_not_driven(
    every_min: int, km: int, strays: int, acc: int, odo: int
) -> None:
    fixes = parked(0, 20 * every_min * 60, every_min * 60, acc=acc, odo=odo)
    for k in range(8, 8 + strays):
        fixes[k] = (fixes[k][0], km * 1000.0 + k * 30, 0.0, 0, acc, odo)
    assert stray(fixes) == list(range(8, 8 + strays))
    assert metres(fixes) == (0, 0)


@pytest.mark.parametrize("strays", [1, 2, 3])
def test_stray_fixes_in_the_middle_of_a_drive_take_nothing_else_with_them(strays: int) -> None:
    fixes = drive(0, 9000)
    for k in range(20, 20 + strays):
        fixes[k] = (fixes[k][0], 40_000.0, 9000.0, 540, ON, -1)
    assert stray(fixes) == list(range(20, 20 + strays))
    assert 8_990 <= metres(fixes)[0] <= 9_010


def test_stray_fixes_that_alternate_between_two_places() -> None:
    fixes = drive(0, 9000)
    for k in range(10, 30, 2):
        fixes[k] = (fixes[k][0], 60_000.0 * (1 if k % 4 else -1), 0.0, 540, ON, -1)
    assert stray(fixes) == list(range(10, 30, 2))
    assert 8_990 <= metres(fixes)[0] <= 9_010
    both = drive(0, 9000)
    for k in (10, 11, 14, 15, 18, 19):
        both[k] = (both[k][0], 60_000.0 * (1 if k % 2 else -1), 0.0, 540, ON, -1)
    assert stray(both) == [10, 11, 14, 15, 18, 19]


def test_a_stray_fix_that_is_the_first_ever() -> None:
    for gap in (10, 3600):
        fixes = [(0.0, 50_000.0, 0.0, 0, ON, -1), *drive(gap, 6000)]
        done = taken(fixes)
        # The four that decided, and all after them.
        assert done.valid[-30:].all()
        assert done.valid.sum() >= len(fixes) - 5
        driven, bridged = metres(fixes)
        assert driven - bridged <= 6_010


def test_a_stray_fix_that_is_the_last_ever_is_no_evidence() -> None:
    fixes = [*drive(0, 6000), (500.0, 80_000.0, 0.0, 540, ON, -1)]
    done = taken(fixes)
    assert stray(fixes) == [len(fixes) - 1]
    assert np.flatnonzero(done.waits).tolist() == [len(fixes) - 1]
    assert 5_990 <= metres(fixes)[0] <= 6_010


# ---- a vehicle that was elsewhere indeed ----


@pytest.mark.parametrize("hours", [0.02, 1, 10, 100])
def test_a_vehicle_that_was_carried_while_off_comes_back_to_life(hours: float) -> None:
    """By train, ferry or aeroplane: it is believed from the fourth fix on, and what it drives there counts."""
    there = 300 + hours * H
    fixes = [
        *parked(0, 300, 60),
        *[(t + there, n + 800_000, e, s, a, o) for t, n, e, s, a, o in drive(0, 12_000)],
    ]
    done = taken(fixes)
    assert done.valid[-60:].all()
    driven, bridged = metres(fixes)
    assert 11_500 <= driven - bridged <= 12_010
    assert bridged in (0, 800_000, 799_999, 800_001) or 790_000 < bridged < 810_000


def test_a_ferry_with_the_engine_off_is_no_drive() -> None:
    """Every ten minutes a fix, 3 km on, standing on deck."""
    fixes = [(k * 600.0, k * 3000.0, 0.0, 0, OFF, 500) for k in range(20)]
    assert metres(fixes) == (0, 0)


def test_what_the_terminal_itself_bears_out_waits_for_nothing() -> None:
    tunnel = [*drive(0, 1500), *drive(400, 3000, north=6000)]
    assert stray(tunnel) == []
    assert 3_000 < metres(tunnel)[1] < 6_000
    by_odometer = [*parked(0, 300, 60, odo=100), *parked(7200, 7500, 60, north=40_000, acc=ON, odo=520)]
    assert stray(by_odometer) == []


def test_positions_alone_go_on_from_one_to_the_next() -> None:
    """No speed, no ACC: the next position is all that can confirm one."""
    fixes = drive(0, 30_000, every=60, speed=20, acc=UNKNOWN, shown=False)
    done = taken(fixes)
    assert done.valid[:-1].all()
    assert metres(fixes)[0] >= 28_790
    fixes[9] = (fixes[9][0], 9 * 1200.0, 3000.0, 0, UNKNOWN, -1)
    assert 9 in stray(fixes)


# ---- standing still ----


@pytest.mark.parametrize("away", [100, 400, 5_000])
def test_multipath_of_a_standing_vehicle_is_no_way(away: int) -> None:
    rng = np.random.default_rng(3)
    fixes = parked(0, 8 * H, 10, odo=77)
    for k in rng.integers(0, len(fixes), 200):
        fixes[k] = (fixes[k][0], float(rng.normal(0, away)), float(rng.normal(0, away)), 0, OFF, 77)
    driven, bridged = metres(fixes)
    assert (driven, bridged) == (0, 0)


# ---- streaming and settled values agree; nothing is lost or told twice ----


def test_any_cut_confirms_the_same_fixes_in_the_same_order() -> None:
    rng = np.random.default_rng(5)
    for _ in range(60):
        fixes = drive(0, 9000)
        for k in rng.integers(1, len(fixes), 9):
            fixes[k] = (fixes[k][0], float(rng.normal(0, 90_000)), 0.0, int(rng.integers(0, 900)), ON, -1)
        rows = row_matrix(len(fixes), **columns(fixes), max_kmh=200, gap_us=120 * S, order=3)
        whole, cut = TrackStates(1), TrackStates(1)
        once = advance(whole, np.zeros(len(fixes), np.int64), rows).fixes
        parts = [
            advance(cut, np.zeros(len(p), np.int64), rows[:, p]).fixes
            for p in np.split(np.arange(len(fixes)), np.sort(rng.integers(0, len(fixes), 12)))
        ]
        assert np.array_equal(whole.tip, cut.tip)
        for name in once.__slots__:
            assert np.array_equal(getattr(once, name), np.concatenate([getattr(p, name) for p in parts]))
        assert (np.diff(once.t) > 0).all()


# ---- no rule accuses on kilometres that were bridged or rest on one fix ----

MIDNIGHT = 1_772_640_000 * S - 8 * H * S


def at_night(fixes: Sequence[Fix]) -> Any:
    c = columns(fixes)
    n = len(fixes)
    return {
        "rule": "off_hours", "rule_version": off_hours.VERSION, "subject": off_hours.subject("V1", "2026-03-05"),
        "vehicle": {"no": 1, "id": "V1", "plate": "渝A12345", "organisation": "O1"},
        "day": {"date": "2026-03-05", "from_us": MIDNIGHT, "worked": True, "name": "", "source": "weekday"},
        "parameters": {"night_from_min": 1320, "night_to_min": 360, "min_distance_m": 1000, "allowed_types": 17,
                       "max_speed_kmh": 200, "gap_s": 120},
        "orders": [], "day_positions": n,
        "track": {
            "t_us": (c["t"] - T0 + MIDNIGHT).tolist(), "fingerprint": c["fp"].tolist(), "lat_e6": c["lat"].tolist(),
            "lon_e6": c["lon"].tolist(), "speed_dkmh": c["speed"].tolist(), "direction_deg": [0] * n,
            "odometer_dkm": (c["odo"] - 1).tolist(), "acc": c["acc"].tolist(),
        },
    }  # fmt: skip


def test_off_hours_accuses_on_nothing_that_was_bridged() -> None:
    moved = [*parked(0, 2 * H, 600), *parked(4 * H, 5 * H, 600, north=30_000, acc=ON)]
    made = off_hours.evaluate(at_night(moved))
    assert (made.outcome, made.reason) == (Outcome.UNDETERMINED, "bridged")
    assert made.measures["distance_m"]["value"] == made.measures["bridged_m"]["value"] > 29_000
    driven = off_hours.evaluate(at_night([*parked(0, 2 * H, 600), *drive(3 * H, 5000)]))
    assert (driven.outcome, driven.reason) == (Outcome.SUSPECTED, "night")
    for acc in (OFF, ON):
        one = parked(0, 6 * H, 600, acc=acc)
        one[9] = (one[9][0], 30_000.0, 0.0, 0, acc, -1)
        assert off_hours.evaluate(at_night(one)).outcome is Outcome.NORMAL


@pytest.mark.parametrize("every", [1, 10, 30])
def test_a_terminal_that_jumps_for_minutes_while_it_is_powered_is_not_believed(every: int) -> None:
    """Nobody drives 40 km in ten seconds, however many reports say so."""
    fixes = parked(0, 1800, every, acc=ON)
    wrong = [k for k, fix in enumerate(fixes) if 900 <= fix[0] < 900 + 180]
    for k in wrong[: 55 if every == 1 else None]:
        fixes[k] = (fixes[k][0], 40_000.0, 0.0, 300, ON, -1)
    assert set(stray(fixes)) == {k for k, fix in enumerate(fixes) if fix[1] == 40_000.0}
    assert metres(fixes) == (0, 0)


# ---- off_hours: one's own fence, and a drive over midnight ----


def test_moving_inside_ones_own_fence_is_no_drive() -> None:
    west, east = 106.5 - 0.02, 106.5 + 0.02
    yard = shapely.box(west, 29.5 - 0.02, east, 29.5 + 0.02)  # 2.2 km to each side
    fences = [{"fences": [], "wkb": yard.wkb_hex, "from_us": 0, "to_us": MIDNIGHT + 86_400 * S}]
    shuffled = [*drive(H, 2100), *[(t, 2100 - n, e, s, a, o) for t, n, e, s, a, o in drive(H + 400, 2100)]]
    assert off_hours.evaluate(at_night(shuffled)).outcome is Outcome.SUSPECTED
    made = off_hours.evaluate(at_night(shuffled) | {"fences": fences})
    assert (made.outcome, made.reason) == (Outcome.NORMAL, "none")
    out = off_hours.evaluate(at_night(drive(H, 6000)) | {"fences": fences})
    assert out.outcome is Outcome.SUSPECTED
    assert 3_500 < out.measures["distance_m"]["value"] < 3_800  # what is outside
    # The area ended before that night: it is nobody's own any more.
    gone = [fences[0] | {"to_us": MIDNIGHT}]
    assert off_hours.evaluate(at_night(shuffled) | {"fences": gone}).outcome is Outcome.SUSPECTED


def test_one_drive_over_midnight_is_one_drive() -> None:
    """700 m before midnight and 700 m after: below the limit on each day, above it as one drive."""
    fixes = drive(86_400 - 45, 1400)
    one = at_night(fixes)
    assert off_hours.evaluate(one).reason == "short"
    rows = DayRows.build(
        np.array([MIDNIGHT]), slot=np.zeros(len(fixes), np.int64), terminal=np.zeros(len(fixes), np.int64),
        **{name: np.array(column) for name, column in one["track"].items()},
    )  # fmt: skip
    midnight = MIDNIGHT + 86_400 * S
    until = off_hours.drive_over(rows, midnight)
    assert until == int(rows.t_us[-1]) + 1
    assert off_hours.drive_over(rows, MIDNIGHT) is None
    assert off_hours.drive_over(rows, int(rows.t_us[0])) is None
    made = off_hours.evaluate(one | {"drive": {"head_until_us": None, "tail_until_us": until}})
    assert (made.outcome, made.reason) == (Outcome.SUSPECTED, "night")
    assert made.measures["distance_m"]["value"] >= 1_300
    assert (made.from_us, made.to_us) == (int(rows.t_us[0]), int(rows.t_us[-1]))
    # The day after has none of it.
    day = one["day"] | {"from_us": midnight}
    assert off_hours.evaluate(one | {"day": day}).measures["distance_m"]["value"] > 0
    after = off_hours.evaluate(one | {"day": day, "drive": {"head_until_us": until, "tail_until_us": None}})
    assert (after.outcome, after.measures["distance_m"]["value"]) == (Outcome.NORMAL, 0)
    # An order that allows it from midnight on leaves what is before.
    order = {
        "id": "P",
        "version": 1,
        "task_type": "official",
        "from_us": midnight,
        "to_us": midnight + 10**10,
    }
    covered = off_hours.evaluate(
        one | {"orders": [order], "drive": {"head_until_us": None, "tail_until_us": until}}
    )
    assert covered.reason == "short"
    # In the morning the night is over.
    used = one["parameters"]
    assert off_hours.night_until_us(used) == 6 * H * S
    assert off_hours.night_until_us(used | {"night_from_min": 60}) == 0


# ---- a vehicle that stands: a stray fix that carries a speed, drift with the engine on ----


@pytest.mark.parametrize(
    ("acc", "odo"), [(OFF, -1), (OFF, 812), (ON, 812), (ON, -1), (UNKNOWN, -1), (UNKNOWN, 812)]
)
@pytest.mark.parametrize("strays", [1, 2])
def test_the_speed_of_a_stray_fix_does_not_bear_it_out(acc: int, odo: int, strays: int) -> None:
    fixes = parked(0, 5 * H, 60, acc=acc, odo=odo)
    for k in range(100, 100 + strays):
        fixes[k] = (fixes[k][0], 2_000.0 + 10 * k, 0.0, 600, acc, odo)
    assert stray(fixes) == list(range(100, 100 + strays))
    assert metres(fixes) == (0, 0)
    assert off_hours.evaluate(at_night(fixes)).outcome is Outcome.NORMAL


@pytest.mark.parametrize(("acc", "odo"), [(OFF, -1), (ON, -1), (UNKNOWN, -1), (ON, 812), (OFF, 812)])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("every", [10, 30, 60])
def test_a_drive_from_rest_keeps_its_kilometres(acc: int, odo: int, frozen: bool, every: int) -> None:
    """Also where ACC is not wired (always off) or the odometer is broken and always tells the same."""
    way = drive(600, 9000, every=every, acc=acc, odo=odo)
    if frozen:
        way = [(*fix[:5], odo) for fix in way]
    there = parked(way[-1][0] + every, way[-1][0] + 600, every, north=way[-1][1], acc=acc, odo=way[-1][5])
    fixes = [*parked(0, 600, every, acc=acc, odo=odo), *way, *there]
    assert stray(fixes) == []
    assert abs(metres(fixes)[0] - way[-1][1]) <= 5


@pytest.mark.parametrize(("acc", "odo"), [(ON, -1), (ON, 812), (UNKNOWN, 812), (OFF, -1), (OFF, 812)])
def test_drift_with_the_engine_on_is_no_way(acc: int, odo: int) -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 30, (1800, 2))
    fixes = [(10.0 * k, n, e, 0, acc, odo) for k, (n, e) in enumerate(noise.tolist())]
    assert metres(fixes) == (0, 0)
    assert off_hours.evaluate(at_night(fixes)).outcome is Outcome.NORMAL
    hops = [(30.0 * k, 150.0 * (k % 20 == 0), 0.0, 0, acc, odo) for k in range(600)]
    assert metres(hops) == (0, 0)
    worse = rng.normal(0, 60, (1800, 2))
    fixes = [(10.0 * k, n, e, 0, acc, odo) for k, (n, e) in enumerate(worse.tolist())]
    assert metres(fixes)[0] < 500


def test_who_tells_positions_only_or_no_speed_keeps_the_way() -> None:
    """A speed of 0 is no report where neither ACC nor odometer is; what goes far is a drive whatever its speed says."""
    slow = drive(0, 6000, speed=5, acc=UNKNOWN, shown=False)
    assert 5_990 <= metres(slow)[0] <= 6_000
    # A running engine may be a vehicle that stands: less than 1 km is left out at the end.
    assert 5_000 <= metres(drive(0, 6000, speed=5, shown=False))[0] <= 6_000
    assert 5_900 <= metres(drive(0, 6000, speed=5, shown=False, odo=812))[0] <= 6_000
    # A jam, and on: what was crept counts with the first fix that moves.
    jam = [(10.0 * k, 8.0 * k, 0.0, 20, ON, -1) for k in range(25)]
    assert 3_180 <= metres([*jam, *drive(250, 3000, north=200)])[0] <= 3_210


def test_a_wait_within_a_trip_adds_nothing() -> None:
    rng = np.random.default_rng(2)
    out = drive(0, 3000, odo=812)
    odo, end = out[-1][5], out[-1][0]
    for acc, spike in ((OFF, True), (ON, True), (ON, False)):
        wait = [
            (end + 60 + 10 * k, 3000 + n, e, 0, acc, odo)
            for k, (n, e) in enumerate(rng.normal(0, 1 if spike else 25, (1080, 2)).tolist())
        ]
        if spike:
            wait = wait[::6]
            wait[20] = (wait[20][0], 5_000.0, 0.0, 600, acc, odo)
        back = drive(wait[-1][0] + 60, 3000, north=3000, odo=odo)
        back = [(t, 6000 - n, e, v, a, o) for t, n, e, v, a, o in back]
        assert 5_950 <= metres([*out, *wait, *back])[0] <= 6_060
