"""Days by columns: the same numbers as the kernel, vehicle by vehicle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.tracks.advance import advance, row_matrix
from rules.tracks.days import DayRows, drives, gaps, jumpy_slots, valid_fixes, valid_fixes_since, window_sums
from rules.tracks.mileage import window_mileage
from rules.tracks.state import TrackStates
from tests.examples import examples

S = 1_000_000
DAY = 20_000 * 86_400 * S
SLOTS = 4
NAMES = (
    "slot",
    "t_us",
    "fingerprint",
    "lat_e6",
    "lon_e6",
    "speed_dkmh",
    "direction_deg",
    "odometer_dkm",
    "terminal",
)

POINTS = st.lists(
    st.tuples(
        st.integers(0, SLOTS - 1),
        st.integers(0, 300),  # x 40 s: equal times occur
        st.integers(-9, 9),
        st.one_of(st.integers(-120, 120), st.integers(-90_000, 90_000)),  # noise, drives and jumps
        st.sampled_from([0, 0, 30, 50, 51, 400]),
        st.sampled_from([0, 10, 90, 200]),
    ),
    max_size=80,
)  # fmt: skip


Points = list[tuple[int, ...]]


def rows_of(points: Points) -> DayRows:
    a = np.array(points, np.int64).reshape(-1, 6)
    values = (a[:, 0], DAY + a[:, 1] * 40 * S, a[:, 2], 29_500_000 + a[:, 3] * 7, 106_500_000 + a[:, 3] * 3, a[:, 4],
              a[:, 5], a[:, 2] * 0 - 1, a[:, 0] + 1)  # fmt: skip
    # As in real life, rows of one time and fingerprint are one row.
    _, once = np.unique(np.stack(values[:3]), axis=1, return_index=True)
    columns = {n: v[once] for n, v in zip(NAMES, values, strict=True)}
    return DayRows.build(np.full(SLOTS, DAY, np.int64), **columns)


def by_kernel(track: dict[str, np.ndarray], max_kmh: int) -> np.ndarray:
    """Rows of one vehicle's track that are valid."""
    rows = row_matrix(
        len(track["t_us"]), t=track["t_us"], fp=track["fingerprint"], lat=track["lat_e6"], lon=track["lon_e6"],
        speed=track["speed_dkmh"], odo=track["odometer_dkm"] + 1, max_kmh=max_kmh,
    )  # fmt: skip
    return np.flatnonzero(advance(TrackStates(1), np.zeros(rows.shape[1], np.int64), rows).valid)


def of_slot(rows: DayRows, slot: int, low: int = 0, high: int = 1 << 62) -> np.ndarray:
    return np.flatnonzero((rows.slot == slot) & (rows.t_us >= low) & (rows.t_us < high))


@given(POINTS, st.lists(st.sampled_from([60, 200, 1000]), min_size=SLOTS, max_size=SLOTS))
@settings(max_examples=examples(200), deadline=None)
def test_valid_fixes_are_those_of_the_kernel(points: Points, speeds: list[int]) -> None:
    rows = rows_of(points)
    found = valid_fixes(rows, np.array(speeds))
    wanted = []
    for slot in range(SLOTS):
        mine = of_slot(rows, slot)
        track = {n: getattr(rows, n)[mine] for n in NAMES if n not in ("slot", "terminal")}
        wanted += mine[by_kernel(track, speeds[slot])].tolist()
    assert found.tolist() == sorted(wanted)


@given(POINTS, st.lists(st.integers(-90_000, 90_000), min_size=SLOTS, max_size=SLOTS))
@settings(max_examples=examples(100), deadline=None)
def test_a_day_with_jumps_is_cleaned_from_what_was_known_before_it(points: Points, known: list[int]) -> None:
    rows, speeds = rows_of(points), np.full(SLOTS, 200)
    before = [{"t_us": DAY - 60 * S, "fingerprint": 0, "lat_e6": 29_500_000 + v * 7, "lon_e6": 106_500_000 + v * 3}
              for v in known]  # fmt: skip
    states = TrackStates(SLOTS)
    advance(states, np.arange(SLOTS), row_matrix(
        SLOTS, t=DAY - 60 * S, lat=np.array([b["lat_e6"] for b in before]),
        lon=np.array([b["lon_e6"] for b in before]),
    ))  # fmt: skip
    jumpy = jumpy_slots(rows, speeds)
    found = valid_fixes_since(rows, speeds, jumpy, states.copy(jumpy))
    for slot in range(SLOTS):
        mine = of_slot(rows, slot)
        track = {n: getattr(rows, n)[mine] for n in NAMES if n not in ("slot", "terminal")}
        if slot in jumpy:
            track = {n: np.r_[before[slot].get(n, 0), column] for n, column in track.items()}
            wanted = (by_kernel(track, 200)[1:] - 1).tolist()
        else:
            wanted = list(range(len(mine)))
        assert (np.searchsorted(mine, found[np.isin(found, mine)])).tolist() == wanted
    taken = rows.take(found)
    assert np.array_equal(taken.t_us, rows.t_us[found])
    assert np.array_equal(taken.keys(), rows.keys()[found])


WINDOWS = st.lists(st.tuples(st.integers(0, SLOTS - 1), st.integers(0, 300), st.integers(0, 300)), max_size=8)


@given(POINTS, WINDOWS, st.sampled_from([60, 200]), st.sampled_from([60, 120]), st.booleans())
@settings(max_examples=examples(200), deadline=None)
def test_mileage_of_windows_is_that_of_the_kernel(
    points: Points, windows: list[tuple[int, int, int]], speed: int, gap: int, sure: bool
) -> None:
    rows = rows_of(points)
    w = np.array(windows, np.int64).reshape(-1, 3)
    low, high = DAY + w[:, 1] * 40 * S, DAY + np.maximum(w[:, 1:3].max(1), w[:, 1]) * 40 * S
    size = len(w)
    made = window_sums(rows, w[:, 0], low, high, np.full(size, speed), np.full(size, gap), sure=sure)
    for k in range(size):
        mine = of_slot(rows, int(w[k, 0]), int(low[k]), int(high[k]))
        own = window_mileage(
            np.zeros(len(mine), np.int64),
            1,
            *(getattr(rows, n)[mine] for n in NAMES[1:8]),
            max_speed_kmh=speed,
            gap_s=gap,
            sure=sure,
        )
        assert (made.metres[k], made.bridged_m[k]) == (own.metres[0], own.bridged_m[0])
        assert made.positions[k] == len(mine)


@given(POINTS, st.integers(0, 4000))
@settings(max_examples=examples(100), deadline=None)
def test_gaps_include_the_very_limit(points: Points, seconds: int) -> None:
    rows = rows_of(points)
    valid = valid_fixes(rows, np.full(SLOTS, 200))
    found, last = gaps(rows, valid, np.full(SLOTS, seconds * S))
    t, slot = rows.t_us[valid], rows.slot[valid]
    pairs = range(len(valid) - 1)
    assert found.tolist() == [k for k in pairs if slot[k] == slot[k + 1] and t[k + 1] - t[k] >= seconds * S]
    assert last.tolist() == [k for k in range(len(valid)) if k + 1 == len(valid) or slot[k] != slot[k + 1]]


def track(points: Sequence[tuple[float, float, int]]) -> DayRows:
    """One vehicle: (seconds, metres north, speed in 0.1 km/h)."""
    n = len(points)
    a = np.array(points, np.int64)
    zero = np.zeros(n, np.int64)
    values = (
        zero,
        DAY + a[:, 0] * S,
        zero,
        29_500_000 + a[:, 1] * 9,
        zero + 106_500_000,
        a[:, 2],
        zero,
        zero - 1,
        zero,
    )
    return DayRows.build(np.array([DAY]), **dict(zip(NAMES, values, strict=True)))


def test_a_parked_car_with_noise_does_not_drive_and_a_drive_starts_where_it_stood() -> None:
    rng = np.random.default_rng(1)
    parked = track([(10 * k, int(rng.normal(0, 10)), int(rng.integers(0, 30))) for k in range(2880)])
    everything = np.array([0]), np.array([DAY]), np.array([DAY + 86_400 * S])
    limits = np.array([200]), np.array([120])
    sums = window_sums(parked, *everything, *limits)
    assert sums.positions.tolist() == [2880]
    assert sums.metres[0] < 100
    assert [len(x) for x in drives(parked, valid_fixes(parked, limits[0]))] == [0, 0, 0]

    trip = track(
        [(0, 0, 0), (30, 0, 0), (60, 300, 360), (90, 600, 360), (120, 900, 0), (150, 900, 0), (180, 905, 0)]
    )
    slot, first, last = drives(trip, valid_fixes(trip, limits[0]))
    assert (slot.tolist(), first.tolist(), last.tolist()) == ([0], [1], [4])
    assert window_sums(trip, *everything, *limits).metres.tolist() == [
        window_mileage(trip.slot, 1, trip.t_us, *(getattr(trip, n) for n in NAMES[2:8])).metres[0]
    ]


def test_no_rows_at_all() -> None:
    rows = rows_of([])
    assert len(valid_fixes(rows, np.full(SLOTS, 200))) == 0
    assert [len(x) for x in gaps(rows, np.zeros(0, np.int64), np.full(SLOTS, 1))] == [0, 0]
    assert [len(x) for x in drives(rows, np.zeros(0, np.int64))] == [0, 0, 0]
    one = np.array([1])
    assert window_sums(rows, one, one, one, one, one).metres.tolist() == [0]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(-3, 3)), max_size=60), st.booleans()
)
@settings(max_examples=examples(300), deadline=None)
def test_building_does_not_depend_on_the_order_it_is_given(
    keys: list[tuple[int, ...]], in_runs: bool
) -> None:
    """Two runs that are in order each (a day, and what came after it) as well as any order."""
    if in_runs:
        keys = sorted(keys[::2]) + sorted(keys[1::2])
    a = np.array(keys, np.int64).reshape(-1, 3)
    values = (a[:, 0], DAY + a[:, 1] * S, a[:, 2], *(np.arange(len(a)) for _ in range(6)))
    made = DayRows.build(np.full(SLOTS, DAY, np.int64), **dict(zip(NAMES, values, strict=True)))
    first: dict[tuple[int, int], tuple[int, int]] = {}
    for place, (slot, t, fp) in enumerate(keys):
        first[slot, t] = min(first.get((slot, t), (fp, place)), (fp, place))
    wanted = [(*key, *first[key]) for key in sorted(first)]
    assert list(zip(made.slot, (made.t_us - DAY) // S, made.fingerprint, made.lat_e6, strict=True)) == wanted


def test_a_fix_after_the_day_ends_a_silence_though_what_follows_may_still_drop_it() -> None:
    """Of the fixes after a day eight are read: of a vehicle that wakes elsewhere they may be too few to be believed."""
    rows = track([(86_000, 0, 0), (86_300, 0, 0), *((90_000 + k, 30_000, 0) for k in range(8))])
    limit = np.array([200])
    assert valid_fixes(rows, limit).tolist()[:3] == [0, 1, 2]
    inside = track([(80_000, 0, 0), *((85_000 + k, 30_000, 0) for k in range(8))])
    assert len(valid_fixes(inside, limit)) == 1
