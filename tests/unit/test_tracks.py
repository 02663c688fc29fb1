"""Track kernels: any order and any cut gives the same state; jumps, mileage, the two forms of the kernel."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from rules.tracks.advance import advance, late_rows, row_matrix
from rules.tracks.cleaning import MOST, step_vehicles, take
from rules.tracks.mileage import WindowMileage, window_mileage
from rules.tracks.state import FIELDS, STATE_DTYPE, TrackStates, half
from telemetry import geo
from tests.examples import examples

S = 1_000_000
T0 = 1_772_000_000 * S  # 2026-02-25, 14:13 in Shanghai
LAT0, LON0 = 32_000_000, 120_900_000


def place(east: np.ndarray, north: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Metres about (32.0, 120.9) in 1e-6 degree."""
    lat, lon = geo.from_local_plane(32.0, 120.9, east, north)
    return np.rint(lat * 1e6).astype(np.int64), np.rint(lon * 1e6).astype(np.int64)


def mileage(
    t: ArrayLike, east: ArrayLike, north: ArrayLike, speed: ArrayLike = 0, direction: ArrayLike = 0,
    odometer: ArrayLike = -1, **limits: Any,
) -> WindowMileage:  # fmt: skip
    t = np.asarray(t)
    n = len(t)
    lat, lon = place(np.asarray(east, float), np.asarray(north, float))
    columns = (np.broadcast_to(np.asarray(v, np.int64), n) for v in (speed, direction, odometer))
    return window_mileage(np.zeros(n, np.int64), 1, T0 + t * S, np.arange(n), lat, lon, *columns, **limits)


# ---- the same result in whatever way the rows come ----

ROWS = st.lists(
    st.tuples(
        st.integers(0, 4),  # vehicle
        st.integers(0, 400),  # time, so that equal times occur
        st.integers(-50, 50),  # fingerprint
        st.integers(-6000, 6000),  # metres / 20
        st.sampled_from([0, 0, 30, 51, 400]),
        st.integers(0, 359),
        st.sampled_from([0, 0, 0, 7, 8]),  # order
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from([0, 1001, 1002, 1010]),
        st.sampled_from([0, 1, 1, 2]),  # ACC
        st.sampled_from([0, 0, 7, 8]),  # terminal
    ),
    max_size=60,
)


Rows = list[tuple[int, ...]]


def _matrix(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    a = np.array(rows, np.int64).reshape(-1, 12)
    t = T0 + a[:, 1] * 200 * S
    outside = a[:, 7] * a[:, 8]
    lat = LAT0 + a[:, 3] * 20
    # As in real life, rows of one time and fingerprint are the same row.
    fp = np.array([hash(tuple(row)) % 1009 for row in a[:, 1:].tolist()], np.int64)
    matrix = row_matrix(
        len(a), t=t, fp=fp, lat=lat, lon=LON0 + a[:, 3] * 7, speed=a[:, 4], dir=a[:, 5], odo=a[:, 9], acc=a[:, 10], term=a[:, 11],
        order=a[:, 6], fenced=a[:, 7], outside=outside, beyond=outside * np.abs(a[:, 3]) * 400, max_kmh=200,
        gap_us=120 * S, displaced_mm=200_000, idle_us=1800 * S,
    )  # fmt: skip
    return a[:, 0], matrix


@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 9))
@settings(max_examples=examples(150), deadline=None)
def test_any_split_in_time_and_any_permutation_give_the_same_state(
    rows: Rows, random: Random, parts: int
) -> None:
    slots, matrix = _matrix(rows)
    whole = TrackStates(5)
    once = advance(whole, slots, matrix)
    cut = TrackStates(5)
    done = np.zeros(len(slots), bool)
    events = []
    bounds = [*sorted(random.choices(range(T0, T0 + 81_000 * S), k=parts)), T0 + 10**12]
    for bound in bounds:
        index = np.flatnonzero((matrix[0] < bound) & ~done)
        done[index] = True
        shuffled = np.array(random.sample(index.tolist(), len(index)), np.int64)
        events += advance(cut, slots[shuffled], matrix[:, shuffled]).events
    assert np.array_equal(whole.tip, cut.tip)
    assert np.array_equal(whole.base, cut.base)
    key = [(e.slot, e.after["t"], e.event, e.before, e.after) for e in once.events]
    assert sorted(key, key=str) == sorted(
        [(e.slot, e.after["t"], e.event, e.before, e.after) for e in events], key=str
    )


@given(ROWS)
@settings(max_examples=examples(60), deadline=None)
def test_rows_one_by_one_in_any_order_within_a_second(rows: Rows) -> None:
    slots, matrix = _matrix(rows)
    whole = TrackStates(5)
    advance(whole, slots, matrix)
    single = TrackStates(5)
    for k in np.argsort(matrix[0], kind="stable"):
        advance(single, slots[[k]], matrix[:, [k]])
    assert np.array_equal(whole.tip, single.tip)
    assert np.array_equal(whole.base, single.base)


@given(ROWS)
@settings(max_examples=examples(60), deadline=None)
def test_the_kernel_is_the_same_over_columns_and_over_integers(rows: Rows) -> None:
    _, matrix = _matrix(rows)
    halves = np.zeros((len(FIELDS), matrix.shape[1]), np.int64)
    for shift in range(3):
        taken = np.roll(matrix, shift, axis=1)
        taken[0] += shift * 60 * S
        wide = halves.copy()
        wide[:MOST], quick = step_vehicles(halves[:MOST], taken)
        for k in range(matrix.shape[1]):
            one = take(halves[:, k].tolist(), taken[:, k].tolist())
            if quick[k]:
                assert one.half == wide[:, k].tolist()
            else:
                assert take(halves[:, k].tolist(), taken[:, k].tolist(), False) == one
            wide[:, k] = one.half
        halves = wide


def test_wide_and_narrow_parts_of_one_batch_agree_with_single_vehicles() -> None:
    rng = np.random.default_rng(2)
    n = 4_000
    slots = rng.integers(0, 40, n) ** 2 // 40  # uneven
    lat, lon = place(np.cumsum(rng.normal(0, 30, n)), np.cumsum(rng.normal(0, 30, n)))
    matrix = row_matrix(n, t=T0 + np.arange(n) * 7 * S, lat=lat, lon=lon, speed=rng.integers(0, 600, n), fenced=1,
                        outside=1, beyond=300_000, displaced_mm=200_000, idle_us=1800 * S, max_kmh=200, gap_us=120 * S)  # fmt: skip
    together = TrackStates(40)
    done = advance(together, slots, matrix)
    events = 0
    for slot in range(40):
        alone = TrackStates(1)
        mine = np.flatnonzero(slots == slot)
        one = advance(alone, np.zeros(len(mine), np.int64), matrix[:, mine])
        assert np.array_equal(alone.tip[:, 0], together.tip[:, slot])
        assert np.array_equal(one.valid, done.valid[mine])
        events += len(one.events)
    assert events == len(done.events) > 0


# ---- the state as stored ----


def test_stored_state_comes_back() -> None:
    slots, matrix = _matrix([(k % 5, k, k, k * 10, 400, 0, 0, 1, 1, 1001, 2, 0) for k in range(60)])
    states = TrackStates(5)
    advance(states, slots, matrix)
    packed = states.pack(np.array([3, 1]))
    assert packed.dtype == STATE_DTYPE
    assert STATE_DTYPE.itemsize == len(packed[0].tobytes())
    again = TrackStates(1)
    again.grow(4)
    again.unpack(np.array([2, 0]), np.frombuffer(packed.tobytes(), STATE_DTYPE))
    assert np.array_equal(again.tip[:, [2, 0]], states.tip[:, [3, 1]])
    assert np.array_equal(again.base[:, [2, 0]], states.base[:, [3, 1]])
    assert half(packed[0])["t"] == states.field("t")[3]
    again.clear(np.array([2]))
    assert not again.tip[:, 2].any()


def test_late_rows_are_refused_and_found() -> None:
    states = TrackStates(2)
    advance(states, np.array([0]), row_matrix(1, t=T0, lat=LAT0, lon=LON0))
    assert late_rows(states, np.array([0, 0, 0, 1]), np.array([T0 - 1, T0, T0 + 1, 5])).tolist() == [
        True,
        False,
        False,
        False,
    ]
    with pytest.raises(ValueError, match="late"):
        advance(states, np.array([0]), row_matrix(1, t=T0 - 1, lat=LAT0, lon=LON0))


def test_day_starts_are_the_state_before_the_first_row_of_a_natural_day() -> None:
    states = TrackStates(2)
    slots = np.array([0, 0, 0, 1])
    t = np.array([T0, T0 + 9 * 3600 * S, T0 + 10 * 3600 * S, T0])
    first = advance(states, slots[:1], row_matrix(1, t=t[:1], lat=LAT0, lon=LON0))
    assert first.day_starts == []
    advance(states, slots[1:2], row_matrix(1, t=t[1:2], lat=LAT0, lon=LON0))
    before = states.tip[:, 0].copy()
    second = advance(states, slots[2:], row_matrix(2, t=t[2:], lat=LAT0, lon=LON0))
    (start,) = second.day_starts
    assert (start.slot, start.day) == (0, (int(t[2]) + 8 * 3600 * S) // (86_400 * S))
    resumed = TrackStates(1)
    resumed.unpack(np.array([0]), start.state.reshape(1))
    assert np.array_equal(resumed.tip[:, 0], before)
    advance(resumed, np.zeros(1, np.int64), row_matrix(1, t=t[2:3], lat=LAT0, lon=LON0))
    assert np.array_equal(resumed.tip[:, 0], states.tip[:, 0])


# ---- cleaning ----


def test_a_jump_is_never_the_previous_fix() -> None:
    # 200 km/h over 10 s is 555.55 m; the test is in integers, so one side is fine and the other is not.
    lat, lon = place(np.array([0.0, 0.0, 5_000.0, 100.0]), np.array([0.0, 555.0, 0.0, 600.0]))
    states = TrackStates(1)
    done = advance(
        states,
        np.zeros(4, np.int64),
        row_matrix(4, t=T0 + np.arange(4) * 10 * S, lat=lat, lon=lon, max_kmh=200),
    )
    assert done.valid.tolist() == [True, True, False, True]
    lat, lon = place(np.array([0.0, 0.0]), np.array([0.0, 556.0]))
    done = advance(
        TrackStates(1),
        np.zeros(2, np.int64),
        row_matrix(2, t=T0 + np.arange(2) * 10 * S, lat=lat, lon=lon, max_kmh=200),
    )
    assert done.valid.tolist() == [True, False]


def test_implied_speed_uses_at_least_a_second() -> None:
    lat, lon = place(np.array([0.0, 0.0, 0.0]), np.array([0.0, 55.0, 111.5]))
    t = np.array([T0, T0 + 1, T0 + 2])
    done = advance(TrackStates(1), np.zeros(3, np.int64), row_matrix(3, t=t, lat=lat, lon=lon, max_kmh=200))
    assert done.valid.tolist() == [True, True, False]
    lat, lon = place(np.array([0.0, 0.0]), np.array([0.0, 56.0]))
    done = advance(
        TrackStates(1), np.zeros(2, np.int64), row_matrix(2, t=t[:2], lat=lat, lon=lon, max_kmh=200)
    )
    assert done.valid.tolist() == [True, False]


def test_one_row_of_each_time_counts_and_it_is_the_smallest_fingerprint() -> None:
    states = TrackStates(1)
    done = advance(states, np.zeros(3, np.int64), row_matrix(3, t=T0, fp=[5, 2, 9], lat=LAT0, lon=LON0))
    assert done.counted.tolist() == [False, True, False]
    again = advance(states, np.zeros(2, np.int64), row_matrix(2, t=T0, fp=[2, 3], lat=LAT0, lon=LON0))
    assert not again.counted.any()
    assert advance(
        states, np.zeros(1, np.int64), row_matrix(1, t=T0, fp=[1], lat=LAT0, lon=LON0)
    ).counted.all()


# ---- mileage ----


def test_eight_hours_parked_with_noise_is_nothing() -> None:
    rng = np.random.default_rng(4)
    n = 8 * 360
    for speed in (0, 20):  # even when the receiver makes up 2 km/h and a direction
        made = mileage(
            np.arange(n) * 10, rng.normal(0, 10, n), rng.normal(0, 10, n), speed, rng.integers(0, 360, n)
        )
        assert made.metres[0] < 100


def _city(seed: int, seconds: int) -> tuple[np.ndarray, ...]:
    """A drive over city blocks, one row a second: east, north, speed in m/s, heading in radians."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = []
    x, y, heading, v = 0.0, 0.0, 0.0, 0.0
    while len(rows) < seconds:
        left, fastest = rng.uniform(150, 600), rng.uniform(30, 60) / 3.6
        while left > 0:
            v = min(v + 1.2, fastest, np.sqrt(3 * left) + 4)
            left -= v
            x, y = x + v * np.sin(heading), y + v * np.cos(heading)
            rows.append((x, y, v, heading))
        if rng.random() < 0.3:
            rows += [(x, y, 0.0, heading)] * int(rng.uniform(10, 60))
        turn = rng.choice([-1, 0, 1]) * np.pi / 2
        for _ in range(4 if turn else 0):
            heading, v = heading + turn / 4, 5.0
            x, y = x + v * np.sin(heading), y + v * np.cos(heading)
            rows.append((x, y, v, heading))
    return tuple(np.array(rows).T)


@pytest.mark.parametrize(("every", "limit"), [(1, 0.01), (10, 0.01)])
@pytest.mark.parametrize("seed", range(3))
def test_noise_of_five_metres_while_driving_changes_less_than_one_percent(
    every: int, limit: float, seed: int
) -> None:
    x, y, v, heading = (column[::every] for column in _city(seed, 3600))
    rng = np.random.default_rng(seed + 100)
    truth = np.hypot(np.diff(x), np.diff(y)).sum()
    n = len(x)
    made = mileage(
        np.arange(n) * every, x + rng.normal(0, 5, n), y + rng.normal(0, 5, n), np.rint(v * 36),
        np.degrees(heading).astype(int) % 360,
    )  # fmt: skip
    assert abs(made.metres[0] / truth - 1) < limit
    assert made.bridged_m[0] == 0
    blind = mileage(np.arange(n) * every, x + rng.normal(0, 5, n), y + rng.normal(0, 5, n))
    assert abs(blind.metres[0] / truth - 1) < 0.05  # no speed, no direction: corners are cut, still sane


def test_a_straight_drive_is_exact_and_its_tail_counts() -> None:
    t = np.arange(0, 101)
    made = mileage(t, t * 10.0, t * 0.0, 360, 90)
    assert made.metres[0] == pytest.approx(1000, abs=1)
    assert mileage(t[:6], t[:6] * 10.0, t[:6] * 0.0, 360, 90).metres[0] == pytest.approx(50, abs=1)


def test_gaps_are_bridged_by_the_straight_line_and_told_apart() -> None:
    t = np.r_[np.arange(0, 60), 60 + 121 + np.arange(0, 60)]
    east = np.r_[np.arange(0, 60) * 10.0, 3000 + np.arange(0, 60) * 10.0]
    made = mileage(t, east, 0 * east, 360, 90)
    assert made.metres[0] == pytest.approx(3590, abs=2)
    assert made.bridged_m[0] == pytest.approx(3000 - 590, abs=2)
    assert mileage(t, east, 0 * east, 360, 90, gap_s=122).bridged_m[0] == 0
    sleeping = np.arange(0, 96) * 300  # a parked terminal that wakes every five minutes
    rng = np.random.default_rng(1)
    made = mileage(sleeping, rng.normal(0, 10, 96), rng.normal(0, 10, 96))
    assert (made.metres[0], made.bridged_m[0]) == (0, 0)


def test_odometer_beside_it() -> None:
    t = np.arange(4) * 10
    assert mileage(t, t * 10.0, t * 0.0, odometer=[-1, 0, -1, 3]).odometer_m[0] == 300
    assert mileage(t, t * 10.0, t * 0.0, odometer=[-1, 5, -1, -1]).odometer_m[0] == 0
    assert mileage(t, t * 10.0, t * 0.0, odometer=[-1, 5, -1, 4]).odometer_m[0] == -1
    assert mileage(t, t * 10.0, t * 0.0).odometer_m[0] == -1


def test_streamed_order_mileage_is_the_settled_one() -> None:
    x, y, v, heading = _city(9, 1800)
    n = len(x)
    lat, lon = place(x, y)
    t, fp = T0 + np.arange(n) * S, np.arange(n)[::-1]
    order = np.where((np.arange(n) >= 300) & (np.arange(n) < 1500), 12, 0)
    speed, direction = np.rint(v * 36).astype(int), np.degrees(heading).astype(int) % 360
    matrix = row_matrix(n, t=t, fp=fp, lat=lat, lon=lon, speed=speed, dir=direction, order=order, odo=np.arange(n), max_kmh=200,
                        gap_us=120 * S)  # fmt: skip
    states = TrackStates(1)
    for piece in np.array_split(np.flatnonzero(np.arange(n) < 1500), 11):
        advance(states, np.zeros(len(piece), np.int64), matrix[:, piece])
    mine = order == 12
    settled = window_mileage(np.zeros(mine.sum(), np.int64), 1, t[mine], fp[mine], lat[mine], lon[mine], speed[mine],
                             direction[mine], np.arange(n)[mine] - 1)  # fmt: skip
    assert (
        (states.field("leg_sum_mm")[0] + states.field("leg_tail_mm")[0]) // 1000 == settled.metres[0] > 5_000
    )
    assert (states.field("odo_last") - states.field("odo_first"))[0] * 100 == settled.odometer_m[0]
    assert settled.fixes[0] == 1200
