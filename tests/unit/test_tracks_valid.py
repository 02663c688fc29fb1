"""Tracks that are cut: what is valid in them is what was valid in the whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rules.tracks.valid_fixes import cleaned, cut_before, has_jumps, valid_fixes, valid_rows

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
        "lon_e6": np.full(len(t), 120_900_000), "speed_dkmh": 0 * t, "odometer_dkm": 0 * t - 1,
    }  # fmt: skip


@given(STEPS, st.integers(-10, 1300))
def test_a_track_that_begins_with_the_last_valid_fix_is_cleaned_as_the_whole(
    steps: list[tuple[int, int]], seconds: int
) -> None:
    whole, from_us = track(steps), T0 + seconds * S
    (found,) = cleaned([whole], [200])
    good = found.good
    cut, valid = cut_before(whole, found, from_us)
    assert cut["t_us"][valid].tolist() == whole["t_us"][good[whole["t_us"][good] >= cut["t_us"][0]]].tolist()
    inside = cut["t_us"][valid] >= from_us
    assert (
        cut["fingerprint"][valid][inside].tolist()
        == whole["fingerprint"][good[whole["t_us"][good] >= from_us]].tolist()
    )
    # It begins with the newest fix before it at which nothing waited.
    before = found.clean[whole["t_us"][found.clean] < from_us]
    assert (
        cut["fingerprint"][cut["t_us"] < from_us][:1].tolist() == whole["fingerprint"][before[-1:]].tolist()
    )


def test_a_jump_that_comes_first_is_overruled_by_what_follows() -> None:
    whole = track([(0, 0), (30, 3_000_000), *[(30, 100 * k) for k in range(20)]])
    (found,) = cleaned([whole], [200])
    good = found.good
    assert 1 not in good
    assert len(good) == 21
    assert has_jumps(whole, good)
    alone = {name: column[1:] for name, column in whole.items()}
    assert valid_rows([alone], [200])[0].tolist() == list(range(21))
    assert valid_rows([{name: column[:4] for name, column in alone.items()}], [200])[0].tolist() == [0]
    cut, valid = cut_before(whole, found, T0 + 30 * S)
    assert len(cut["t_us"]) == 22
    assert valid.tolist() == good.tolist()
    assert not has_jumps(track([(0, 0), (0, 100), (30, 100)]), np.array([0, 2]))


def test_many_tracks_are_cleaned_as_one() -> None:
    rng = np.random.default_rng(3)
    tracks = []
    for n in (0, 1, 30, 5, 0, *[int(x) for x in rng.integers(0, 40, 30)]):
        t = np.sort(rng.integers(0, 50, n)) * 10 * S + T0
        prints = rng.integers(0, 99, n)
        order = np.lexsort((prints, t))
        lat = 32_000_000 + rng.integers(0, 20_000, n)
        zero = np.zeros(n, np.int64)
        tracks.append({"t_us": t[order], "fingerprint": prints[order], "lat_e6": lat, "lon_e6": zero + 120_900_000,
                       "speed_dkmh": zero, "direction_deg": zero, "odometer_dkm": zero})  # fmt: skip
    speeds = [int(s) for s in rng.integers(60, 300, len(tracks))]
    found = valid_rows(tracks, speeds)
    assert [f.tolist() for f in found] == [
        valid_fixes(track, speed).tolist() for track, speed in zip(tracks, speeds, strict=True)
    ]
    assert sum(map(len, found)) < sum(len(track["t_us"]) for track in tracks)
