"""The odometer of a terminal: what a car can have driven, and what only a device can count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.tracks.odometer import ABSENT, NO_DATA, Counted, can_be_driven, counted, faulty_steps

MIN, HOUR = 60_000_000, 3_600_000_000


@pytest.mark.parametrize(
    ("before", "after", "elapsed_us", "expected"),
    [
        (1000, 1020, 3 * HOUR, Counted.DRIVEN),
        (1000, 1000, 3 * HOUR, Counted.DRIVEN),
        (0, 582_110, 3 * HOUR, Counted.FAULT),  # 0 -> 58,211 km
        (582_110, NO_DATA, 3 * HOUR, Counted.ABSENT),
        (NO_DATA, 582_110, 3 * HOUR, Counted.ABSENT),
        (ABSENT, 5, HOUR, Counted.ABSENT),
        (582_110, 600_110, 3 * HOUR, Counted.FAULT),  # recalibrated by 1,800 km while parked
        (582_110, 0, 3 * HOUR, Counted.FAULT),  # reset
        (582_110, 12, 3 * HOUR, Counted.FAULT),  # reset, driven a little
        (0xFFFFFFFE, 40, 3 * HOUR, Counted.FAULT),  # rolled over
        (0xFFFFFF, 3, 3 * HOUR, Counted.FAULT),  # of 24 bits
        (582_110, 58_211, 3 * HOUR, Counted.FAULT),  # 0.1 km, then km
        (58_211, 582_150, 3 * HOUR, Counted.FAULT),  # km, then 0.1 km
        (582_110, 58_211_000, 3 * HOUR, Counted.FAULT),  # then metres
        (1_200, 12_001, 12 * HOUR, Counted.FAULT),
        (
            12_000,
            120_010,
            72 * HOUR,
            Counted.FAULT,
        ),  # in three days a car could, but it is ten times the number
        (0, 582_110, 400 * HOUR, Counted.FAULT),  # in two weeks a car could: it was set
        (0, 300, 3 * HOUR, Counted.DRIVEN),
        (0, 9_000, 10 * HOUR, Counted.FAULT),  # 0 -> 900 km: it did not count before
        (0, 1_000, 10 * HOUR, Counted.FAULT),
        (0, 999, 10 * HOUR, Counted.DRIVEN),  # a new one
        (1, 9_000, 10 * HOUR, Counted.DRIVEN),
        (100, 6101, 3 * HOUR, Counted.DRIVEN),  # 600 km in 3 h at 200 km/h, and one step
        (100, 6102, 3 * HOUR, Counted.FAULT),
    ],
)
def test_counters(before: int, after: int, elapsed_us: int, expected: Counted) -> None:
    assert counted(before, after, elapsed_us, 200) is expected
    steps = faulty_steps(np.array([before, after]), np.array([0, elapsed_us]), 200)
    assert steps.tolist() == [expected is Counted.FAULT]


def test_what_can_be_driven_is_compared_in_integers() -> None:
    assert can_be_driven(0, 0, 200)
    assert can_be_driven(100, 0, 200)  # one step of the counter
    assert not can_be_driven(101, 0, 200)
    assert not can_be_driven(-100, HOUR, 200)
    assert can_be_driven(200_100, HOUR, 200)
    assert not can_be_driven(200_101, HOUR, 200)


READING = st.one_of(st.sampled_from([ABSENT, 0, NO_DATA, NO_DATA - 1]), st.integers(0, NO_DATA))


@given(
    st.lists(st.tuples(READING, st.integers(0, 400 * HOUR)), min_size=1, max_size=20), st.integers(60, 1000)
)
def test_columns_say_what_the_scalar_says(steps: list[tuple[int, int]], speed: int) -> None:
    reading = np.array([r for r, _ in steps], np.int64)
    t = np.cumsum([dt for _, dt in steps])
    told = [
        counted(int(a), int(b), int(dt), speed) is Counted.FAULT
        for a, b, dt in zip(reading[:-1], reading[1:], np.diff(t), strict=True)
    ]
    assert faulty_steps(reading, t, speed).tolist() == told
