"""Fixes that stand while the odometer runs, and the reverse."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from rules.tracks.contradictions import contradictions
from rules.tracks.days import DayRows

S = 1_000_000
DAY = 20_517 * 86_400 * S
#: (second, metres north, odometer in 0.1 km)
Fix = tuple[int, float, int]


def found(*days: Sequence[Fix], terminal: int = 7, limit: int = 5000) -> list[tuple[int, str, int, int]]:
    fixes = [(k, *fix) for k, day in enumerate(days) for fix in day]
    n = len(fixes)
    slot, second, metres, odometer = (np.array([f[i] for f in fixes]) for i in range(4))
    rows = DayRows.build(
        np.full(len(days), DAY), slot=slot.astype(np.int64), t_us=DAY + second.astype(np.int64) * S, fingerprint=np.arange(n),
        lat_e6=np.rint(29_500_000 + metres * 9.0205), lon_e6=np.full(n, 106_500_000), speed_dkmh=np.zeros(n, np.int64),
        direction_deg=np.zeros(n, np.int64), odometer_dkm=odometer, terminal=np.full(n, terminal),
    )  # fmt: skip
    each = np.ones(len(days), np.int64)
    made = contradictions(rows, np.arange(n), 200 * each, 120 * each, limit * each)
    return [(c.slot, c.kind, c.odometer_m, round(c.moved_m, -2)) for c in made]


def parked(start: int, count: int, odometer: int, every: int = 10, step: int = 1, at: float = 0) -> list[Fix]:
    """``count`` fixes at one place, while the odometer counts ``step`` each."""
    return [(start + k * every, at + k % 3, odometer + k * step) for k in range(count)]


def driven(
    start: int, count: int, odometer: int, every: int = 10, metres: float = 150, counts: bool = True
) -> list[Fix]:
    return [
        (start + k * every, k * metres, odometer + (round(k * metres / 100) if counts else 0))
        for k in range(count)
    ]


def test_a_car_that_drives_and_one_that_is_parked_contradict_nothing() -> None:
    assert found(driven(0, 400, 1000) + parked(4000, 400, 1598, step=0, at=59_850)) == []
    assert found(driven(0, 60, 1000, every=60, metres=1500)) == []
    assert found(driven(0, 60, 1000, every=60, metres=1500), parked(0, 100, 5, step=0)) == []
    assert found([]) == []


def test_the_odometer_runs_over_five_kilometres_while_the_fixes_stand() -> None:
    assert found(parked(0, 51, 1000)) == [(0, "odometer_runs", 5000, 0)]
    assert found(parked(0, 50, 1000)) == []
    assert found(parked(0, 51, 1013), parked(0, 51, 7)) == [
        (0, "odometer_runs", 5000, 0),
        (1, "odometer_runs", 5000, 0),
    ]
    mixed = driven(0, 100, 1000) + parked(1000, 80, 1149, at=14_850) + driven(2000, 100, 1240)
    assert [f[:2] for f in found(mixed)] == [(0, "odometer_runs")]


def test_the_fixes_run_over_five_kilometres_while_the_odometer_stands() -> None:
    assert found(driven(0, 60, 1000, counts=False)) == [(0, "fixes_run", 0, 8500)]
    assert found(driven(0, 30, 1000, counts=False)) == []
    assert found(driven(0, 60, 0, counts=False)) == []  # it does not count at all
    stray = parked(0, 60, 1000, step=0)
    stray[30] = (300, 8000, 1000)
    assert found(stray) == []


def test_what_happens_in_gaps_contradicts_nothing() -> None:
    away = parked(0, 10, 1000, step=0) + parked(7200, 10, 1200, step=0)  # 20 km in 2 h without fixes
    assert found(away) == []
    towed = parked(0, 10, 1000, step=0) + parked(7200, 10, 1000, step=0, at=20_000)
    assert found(towed) == []
    sleeps = [(k * 600, 0.0, 1000 + 20 * k) for k in range(20)]  # 2 km in each 10 min: round the block
    assert found(sleeps, limit=20_000) == []


def test_a_counter_that_is_set_contradicts_nothing() -> None:
    assert found(parked(0, 20, 1000, step=0) + parked(200, 20, 582_110, step=0)) == []
    assert found(parked(0, 20, 1000, step=0) + parked(200, 20, 0xFFFFFFFF, step=0)) == []


@pytest.mark.parametrize("seed", range(5))
def test_each_vehicle_alone_gives_what_it_gives_among_others(seed: int) -> None:
    random = Random(seed)
    days = []
    for _ in range(12):
        day: list[Fix] = []
        start, odometer = 0, random.randrange(1, 10_000)
        for _ in range(4):
            kind = random.randrange(4)
            if kind == 0:
                more = parked(start, random.randrange(1, 90), odometer)
            elif kind == 1:
                more = driven(start, random.randrange(1, 90), odometer, counts=False)
            elif kind == 2:
                more = driven(start, random.randrange(1, 90), odometer)
            else:
                more = parked(start, random.randrange(1, 90), odometer, step=0)
            day += more
            start, odometer = more[-1][0] + random.choice([10, 10, 4000]), more[-1][2]
        days.append(day)
    together = found(*days)
    assert together
    assert [(k, *rest) for k, day in enumerate(days) for _, *rest in found(day)] == together
