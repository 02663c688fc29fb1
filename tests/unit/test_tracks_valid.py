"""Tracks that are cut: what is valid in them is what was valid in the whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rules.tracks.valid import cut_before, has_jumps, valid_rows

S = 1_000_000
T0 = 1_772_000_000 * S

#: Seconds since the fix before (0: another report of the same time) and 1e-6 degrees north; every now and then far off.
STEPS = st.lists(
    st.tuples(st.integers(0, 120), st.sampled_from([0, 100, 5_000, 3_000_000])), min_size=1, max_size=40
)


def track(steps: list[tuple[int, int]]) -> dict[str, np.ndarray]:
    t = T0 + np.cumsum([s[0] for s in steps]) * S
    lat = 32_000_000 + np.array([s[1] for s in steps])
    order = np.lexsort((np.arange(len(t)), t))
    return {
        "t_us": t[order], "fingerprint": np.arange(len(t))[order], "lat_e6": lat[order],
        "lon_e6": np.full(len(t), 120_900_000),
    }  # fmt: skip


@given(STEPS, st.integers(-10, 1300))
def test_a_track_that_begins_with_the_last_valid_fix_is_cleaned_as_the_whole(
    steps: list[tuple[int, int]], seconds: int
) -> None:
    whole, from_us = track(steps), T0 + seconds * S
    (good,) = valid_rows([whole], [200])
    cut, valid = cut_before(whole, good, from_us)
    assert valid_rows([cut], [200])[0].tolist() == valid.tolist()
    inside = cut["t_us"][valid] >= from_us
    assert (
        cut["fingerprint"][valid][inside].tolist()
        == whole["fingerprint"][good[whole["t_us"][good] >= from_us]].tolist()
    )
    # One fix more than those from then on, the newest valid one.
    before = good[whole["t_us"][good] < from_us]
    assert cut["fingerprint"][cut["t_us"] < from_us].tolist() == whole["fingerprint"][before[-1:]].tolist()


def test_a_jump_that_comes_first_throws_out_the_true_fixes_unless_one_is_known_before_it() -> None:
    whole = track([(0, 0), (30, 3_000_000), *[(30, 100 * k) for k in range(20)]])
    (good,) = valid_rows([whole], [200])
    assert 1 not in good
    assert len(good) == 21
    assert has_jumps(whole, good)
    alone = {name: column[1:] for name, column in whole.items()}
    assert valid_rows([alone], [200])[0].tolist() == [0]
    cut, valid = cut_before(whole, good, T0 + 30 * S)
    assert len(cut["t_us"]) == 22
    assert valid.tolist() == good.tolist()
    assert not has_jumps(track([(0, 0), (0, 100), (30, 100)]), np.array([0, 2]))
