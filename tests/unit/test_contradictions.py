"""Fixes that stand while the odometer runs, and the reverse."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

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


def laps(speed: int, acc: int, metres: float, minutes: int, every: int = 10, odometer: int = 5821) -> Any:
    """Rows of a drive to and fro along a street of so many metres at 36 km/h; the odometer stands."""
    second = np.arange(0, minutes * 60, every)
    way = np.abs((second * 10.0) % (2 * metres) - metres)
    n = len(second)
    return DayRows.build(
        np.array([DAY]), slot=np.zeros(n, np.int64), t_us=DAY + second * S, fingerprint=np.arange(n),
        lat_e6=np.rint(29_500_000 + way * 9.0205), lon_e6=np.full(n, 106_500_000), speed_dkmh=np.full(n, speed),
        direction_deg=np.where((second * 10.0) % (2 * metres) < metres, 180, 0), odometer_dkm=np.full(n, odometer),
        acc=np.full(n, acc), terminal=np.full(n, 7),
    )  # fmt: skip


def of_laps(rows: Any) -> list[Any]:
    one = np.ones(1, np.int64)
    return contradictions(rows, np.arange(len(rows)), 200 * one, 120 * one, 5000 * one)


@pytest.mark.parametrize("metres", [400, 1500, 2400])
@pytest.mark.parametrize("acc", [0, 1, 2])
def test_laps_in_a_narrow_place_while_the_odometer_stands(metres: float, acc: int) -> None:
    """30 km of them: the fixes lie close together, and they drive all the same."""
    (one,) = of_laps(laps(360, acc, metres, 50))
    assert (one.kind, one.odometer_m) == ("fixes_run", 0)
    assert 26_000 <= one.moved_m <= 31_000


def test_laps_are_none_below_the_limit_or_where_nothing_says_that_it_drives() -> None:
    assert of_laps(laps(360, 2, 1500, 8)) == []  # 4.8 km
    assert len(of_laps(laps(360, 2, 1500, 9))) == 1  # 5.4 km
    assert of_laps(laps(0, 1, 400, 50)) == []  # speed 0, ACC off: drift, however far
    # Noise of a parked car: every fix has a little speed, nothing leads anywhere.
    rng = np.random.default_rng(3)
    rows = laps(0, 2, 1500, 480)
    n = len(rows)
    noise = DayRows.build(
        rows.base_us, slot=rows.slot, t_us=rows.t_us, fingerprint=rows.fingerprint, terminal=rows.terminal, acc=rows.acc,
        lat_e6=29_500_000 + np.rint(rng.normal(0, 30, n) * 9).astype(int), lon_e6=106_500_000 + np.rint(rng.normal(0, 30, n) * 10).astype(int),
        speed_dkmh=np.zeros(n, np.int64), direction_deg=rows.direction_deg, odometer_dkm=rows.odometer_dkm,
    )  # fmt: skip
    assert of_laps(noise) == []
