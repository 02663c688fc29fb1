"""route: off the designated route; and the closed roads, silences, ways from and to the yard that accuse nobody."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.parameters import RULES
from rules import evidence as frozen
from rules.checks import route
from rules.tracks.corridor import Line
from telemetry.geo import from_local_plane
from tests.words import said

S = 1_000_000
T0 = 1_772_600_000 * S
LAT, LON = 29.5, 106.5
PARAMETERS = {p.name: p.default for p in RULES["route"]} | {"gap_s": 120, "max_speed_kmh": 200}
#: Kilometres east and north of the beginning: the designated way goes 20 km to the north.
STRAIGHT = [(0.0, 0.0), (0.0, 20.0)]

#: Seconds, kilometres east, kilometres north, speed in 0.1 km/h.
Fix = tuple[float, float, float, int]


def drive(*path: tuple[float, float], start: float = 0, kmh: float = 60, every: float = 10) -> list[Fix]:
    """A fix every so many seconds along a path."""
    found: list[Fix] = []
    t, left = start, 0.0
    for (x, y), (u, v) in pairwise(path):
        took = math.hypot(u - x, v - y) / kmh * 3600
        at = left
        while at < took:
            found.append((t + at, x + (u - x) * at / took, y + (v - y) * at / took, round(kmh * 10)))
            at += every
        t, left = t + took, at - took
    return [*found, (t, *path[-1], round(kmh * 10))]


def then(track: Sequence[Fix], *path: tuple[float, float], wait: float = 0, kmh: float = 60) -> list[Fix]:
    """``track``, a wait at its last place (a fix a minute), and further along ``path``."""
    t, x, y, _ = track[-1]
    stood = [(t + k, x, y, 0) for k in np.arange(10, wait, 60).tolist()]
    return [*track, *stood, *drive((x, y), *path, start=t + max(wait, 10), kmh=kmh)]


def silent(track: Sequence[Fix], since: float, until: float) -> list[Fix]:
    return [fix for fix in track if not since < fix[0] < until]


def points(path: Sequence[tuple[float, float]]) -> list[list[int]]:
    a = np.array(path, float).reshape(-1, 2) * 1000
    lat, lon = from_local_plane(LAT, LON, a[:, 0], a[:, 1])
    return np.stack([np.rint(lat * 1e6), np.rint(lon * 1e6)], axis=1).astype(np.int64).tolist()  # type: ignore[no-any-return]


def make(
    track: Sequence[Fix], line: Sequence[tuple[float, float]] = STRAIGHT, *, vehicles: int = 1, ends: tuple[float, float] | None = None,
    odometer: bool = False, **parameters: int,
) -> Any:  # fmt: skip
    a = np.array(track, float).reshape(-1, 4)
    n = len(a)
    places = np.array(points([(x, y) for _, x, y, _ in track]), np.int64).reshape(-1, 2)
    since, until = ends or ((float(a[0, 0]), float(a[-1, 0])) if n else (0.0, 3600.0))
    columns = {
        "t_us": T0 + np.rint(a[:, 0] * S).astype(np.int64), "fingerprint": np.arange(n), "lat_e6": places[:, 0], "lon_e6": places[:, 1],
        "speed_dkmh": a[:, 3].astype(np.int64), "direction_deg": np.zeros(n, np.int64),
        "odometer_dkm": np.full(n, 7) if odometer else np.full(n, -1),
    }  # fmt: skip
    return {
        "rule": "route", "rule_version": 1, "subject": "order:P1", "order": {"id": "P1", "version": 1, "driver": "D1", "purpose": ""},
        "vehicle": {"no": 1, "id": "V1", "plate": "渝A12345", "organisation": "O1"}, "departed_us": T0 + round(since * S),
        "to_us": T0 + round(until * S), "route": {"line": points(line)}, "vehicles": vehicles, "parameters": PARAMETERS | parameters,
        "track": frozen.freeze_track(columns),
    }  # fmt: skip


def judged(evidence: Any) -> tuple[str, str]:
    made = route.evaluate(evidence)
    said(made)
    return made.outcome.value, made.reason


ALONG = drive((0, 0), (0, 20))
#: 3 km aside at the eighth kilometre, ten minutes there, and back.
ASIDE = then(drive((0, 0), (0, 8), (3, 8)), (0, 8), (0, 20), wait=600)
#: Around a closed road: 5 km further on it comes back.
ROUND = drive((0, 0), (0, 8), (1.5, 8), (1.5, 13), (0, 13), (0, 20))
HOME = (5.0, 10.0)
LOOP = [(0.0, 0.0), (0.0, 10.0), (10.0, 10.0), (10.0, 0.0), (0.0, 0.0)]
BACK = [(0.0, 0.0), (0.0, 20.0), (0.0, 0.0)]

CASES: dict[str, tuple[Any, tuple[str, str]]] = {
    "along it": (make(ALONG), ("normal", "followed")),
    "on the other carriageway, 400 m off": (make(drive((0.4, 0), (0.4, 20))), ("normal", "followed")),
    "three kilometres aside and back": (make(ASIDE), ("suspected", "left")),
    "aside, and not back before the return": (make(drive((0, 0), (0, 8), (9, 8))), ("suspected", "left")),
    "never on it": (make(drive((6, 0), (6, 20))), ("suspected", "never")),
    "a closed road": (make(ROUND), ("normal", "detour")),
    "a closed road, and a stop of ten minutes there": (
        make(then(drive((0, 0), (0, 8), (1.5, 8), (1.5, 10)), (1.5, 13), (0, 13), (0, 20), wait=600)), ("suspected", "left"),
    ),
    "around far more than the road": (make(drive((0, 0), (0, 8), (5, 8), (5, 10), (0, 10), (0, 20))), ("suspected", "left")),
    "a terminal that tells no speed, around a closed road": (
        make([(t, x, y, 0) for t, x, y, _ in ROUND]), ("normal", "detour"),
    ),
    "from the yard over the middle to its beginning": (
        make(then(drive(HOME, (0, 10), (0, 0)), (0, 20), wait=300)), ("normal", "followed"),
    ),
    "home another way from its end": (make(then(ALONG, (6, 20), HOME, wait=300)), ("normal", "followed")),
    "there and back as drawn": (make(then(ALONG, (0, 0), wait=900), BACK), ("normal", "followed")),
    "there as drawn, back another way": (make(then(ALONG, (6, 20), (6, 0), (0, 0), wait=900), BACK), ("suspected", "left")),
    "a round that begins at the yard": (make(drive(*LOOP), LOOP), ("normal", "followed")),
    "a round, cut short: it cost nobody anything": (make(drive((0, 0), (0, 5), (10, 5), (10, 0), (0, 0)), LOOP), ("normal", "detour")),
    "asleep at a meeting on the way": (make(then(drive((0, 0), (0, 8)), (0, 20), wait=0)), ("normal", "followed")),
    "silent for twenty minutes": (
        make([*drive((0, 0), (0, 8)), *drive((0, 9), (0, 20), start=480 + 1200)]), ("undetermined", "gap"),
    ),
    "silent outside": (make(silent(ASIDE, 560, 1300)), ("undetermined", "gap")),
    "silent where it may have been at the end, then home": (
        make([*drive((0, 0), (0, 15)), *drive((3, 18), (9, 18), start=900 + 900)]), ("undetermined", "gap"),
    ),
    "not seen at first, and then never on it": (
        make(drive((6, 0), (6, 20)), ends=(-3600, 1200)), ("undetermined", "gap"),
    ),
    "seen from its beginning on only": (make(ALONG, ends=(-900, 1200)), ("normal", "followed")),
    "no fix at all": (make([]), ("undetermined", "no_track")),
    "it stood in its yard all the time": (make([(60.0 * k, 5, 5, 0) for k in range(60)]), ("undetermined", "not_driven")),
    "a jump of the terminal": (
        make(sorted([*ALONG, (600.5, 40, 10, 0)])), ("normal", "followed"),
    ),
    "two vehicles, one after the other": (make(ASIDE, vehicles=2), ("undetermined", "several_vehicles")),
    "out for two months": (make(ASIDE, ends=(0, 62 * 86_400)), ("undetermined", "too_long")),
    "aside for less than the limit": (make(drive((0, 0), (0, 8), (1.4, 8), (0, 8), (0, 20))), ("normal", "followed")),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    evidence, expected = CASES[name]
    assert judged(evidence) == expected


def test_the_numbers_of_a_way_aside() -> None:
    made = route.evaluate(make(ASIDE))
    # 2.5 km outside on the way there, as much on the way back; a fix every 167 m.
    assert 4_600 <= made.measures["off_route_m"]["value"] <= 5_000
    assert 2_980 <= made.measures["furthest_m"]["value"] <= 3_020
    assert T0 + 480 * S < made.from_us < T0 + 530 * S


def test_limits_are_exact() -> None:
    """A fix at the corridor's width is inside (以内); what was driven must be more than the limit (超过)."""
    off = route.evaluate(make(ASIDE)).measures["off_route_m"]["value"]
    assert judged(make(ASIDE, off_route_m=off + 1)) == ("normal", "followed")
    assert (
        judged(make(ASIDE, off_route_m=off))[0] == "suspected"
    )  # some millimetres more than the metres shown
    side = make(drive((0, 0), (0.5, 3), (0.5, 17), (0, 20)))
    far = int(
        Line.of(side["route"]["line"])
        .distance_mm(*(np.array(side["track"][n]) for n in ("lat_e6", "lon_e6")))
        .max()
    )
    assert judged(side | {"parameters": side["parameters"] | {"corridor_m": -(-far // 1000)}}) == (
        "normal",
        "followed",
    )
    narrow = make(drive((0, 0), (0.5, 3), (0.5, 17), (0, 20)), corridor_m=far // 1000 - 1)
    assert judged(narrow) == ("suspected", "left")  # 14 km beside it are no detour
    assert judged(narrow | {"parameters": narrow["parameters"] | {"detour_m": 15_000}}) == (
        "normal",
        "detour",
    )


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 20)), min_size=2, max_size=6),
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 20)), min_size=2, max_size=5, unique=True),
)
@settings(max_examples=40)
def test_distances_are_those_of_each_segment(
    places: list[tuple[float, float]], path: list[tuple[float, float]]
) -> None:
    line = Line.of(points(path))
    at = np.array(points(places), np.int64)
    found = line.distance_mm(at[:, 0], at[:, 1])
    for k, (lat, lon) in enumerate(at.tolist()):
        parts = [
            Line.of([a, b]).distance_mm(at[k : k + 1, 0], at[k : k + 1, 1])[0]
            for a, b in zip(points(path), points(path)[1:], strict=False)
        ]
        assert abs(int(found[k]) - min(parts)) <= 1
        along = line.positions_mm(lat, lon, int(found[k]) + 1)
        assert len(along)
        assert along.min() >= 0
        assert along.max() <= line.along_mm()[-1] + 1


def test_a_line_needs_two_points() -> None:
    with pytest.raises(ValueError, match="two points"):
        Line.of([[1, 2]])
