"""Running results of orders: any cut of a track gives what the whole track gives, and what the checks find."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rules.checks import destination
from rules.tracks.advance import advance, row_matrix
from rules.tracks.mileage import window_mileage
from rules.tracks.order_legs import LEG_FIELDS, UNKNOWN, OrderProgress
from rules.tracks.state import TrackStates
from telemetry import geo

S = 1_000_000
T0 = 1_780_000_000 * S
PLACES = {
    1: [(32_010_000, 120_910_000), (32_000_000, 120_950_000)],
    2: [(31_995_000, 120_900_000)],
    3: [],
    4: [(0, 0)],
}


def fleet(seed: int, vehicles: int = 4, rows: int = 300) -> dict[str, np.ndarray]:
    """Random tracks with gaps, jumps, several reports of one second, and orders that begin, end and nest."""
    rng = np.random.default_rng(seed)
    slot = rng.integers(0, vehicles, rows)
    t = np.zeros(rows, np.int64)
    place = np.zeros((rows, 2))
    for vehicle in range(vehicles):
        mine = np.flatnonzero(slot == vehicle)
        steps = rng.choice([0, 5, 10, 30, 121, 400], len(mine), p=[0.15, 0.3, 0.3, 0.15, 0.05, 0.05])
        t[mine] = T0 + np.cumsum(steps) * S
        place[mine] = np.cumsum(rng.normal(0, 120, (len(mine), 2)), axis=0)
    jumps = rng.random(rows) < 0.05
    place[jumps] += 60_000
    lat, lon = geo.from_local_plane(32.0, 120.9, place[:, 0], place[:, 1])
    # vehicle 0: order 1 with order 2 inside it; vehicle 1: order 3; vehicle 2: none; vehicle 3: order 4, late
    minute = (t - T0) // (60 * S)
    order = np.zeros(rows, np.int64)
    order[(slot == 0) & (minute >= 3)] = 1
    order[(slot == 0) & (minute >= 8) & (minute < 14)] = 2
    order[(slot == 1) & (minute < 20)] = 3
    order[(slot == 3) & (minute >= 10)] = 4
    return {
        "slot": slot, "t": t, "fp": rng.permutation(rows), "lat": np.rint(lat * 1e6).astype(np.int64),
        "lon": np.rint(lon * 1e6).astype(np.int64), "speed": rng.integers(0, 900, rows), "dir": rng.integers(0, 360, rows),
        "odo": np.where(rng.random(rows) < 0.8, (t - T0) // (10 * S) + 1, 0), "order": order,
    }  # fmt: skip


class Stream:
    """Progress of the orders of PLACES over batches."""

    def __init__(self) -> None:
        self.states, self.progress = TrackStates(8), OrderProgress()
        self.slots = {key: self.progress.add(places) for key, places in PLACES.items()}

    def take(self, c: dict[str, np.ndarray], index: np.ndarray) -> list[int]:
        """Take the rows at ``index``; the vehicles that have to be recomputed."""
        columns = {name: values[index] for name, values in c.items() if name != "slot"}
        rows = row_matrix(len(index), **columns, max_kmh=200, gap_us=120 * S)
        owner = c["slot"][index]
        owners = np.unique(owner)
        before = self.states.copy(owners)
        done = advance(self.states, owner, rows)
        self.progress.take(
            owner, columns["t"], done, before, owners, lambda _owner, key: self.slots.get(key, -1)
        )
        return sorted(done.disturbed)

    def values(self) -> dict[int, tuple[Any, ...]]:
        vehicle = {1: 0, 2: 0, 3: 1, 4: 3}
        found = {}
        for key, slot in self.slots.items():
            at, one = np.array([vehicle[key]]), np.array([slot])
            leg = {name: self.states.field(name, at) for name in LEG_FIELDS}
            totals = self.progress.totals(one, leg, self.states.field("leg", at) == key)
            numbers = [int(getattr(totals, name)[0]) for name in totals.__slots__]
            found[key] = (*numbers, *self.progress.nearest_m(one)[0])
        return found


@pytest.mark.parametrize("seed", range(12))
def test_any_cut_gives_what_one_pass_gives(seed: int) -> None:
    c = fleet(seed)
    n = len(c["t"])
    whole = Stream()
    assert not whole.take(c, np.arange(n))
    rng = np.random.default_rng(seed + 100)
    by_time = np.argsort(c["t"], kind="stable")
    cut = Stream()
    disturbed = set()
    for part in np.split(by_time, np.sort(rng.integers(0, n, rng.integers(0, 60)))):
        disturbed |= set(cut.take(c, rng.permutation(part)))
        # what is carried goes through its stored form at any time
        fresh = OrderProgress()
        for (key, slot), carried in zip(
            cut.slots.items(), cut.progress.pack(np.arange(len(PLACES))), strict=True
        ):
            assert OrderProgress.readable(carried, len(PLACES[key]))
            assert not OrderProgress.readable(carried + b"\0" * 16, len(PLACES[key]))
            assert fresh.add(PLACES[key], carried) == slot
        cut.progress = fresh
    assert (cut.states.tip == whole.states.tip).all()
    told, truth = cut.values(), whole.values()
    # A row that took the place of one that began or ended a leg asks for a recomputation.
    owners = {1: 0, 2: 0, 3: 1, 4: 3}
    compared = [key for key in PLACES if owners[key] not in disturbed]
    assert {key: told[key] for key in compared} == {key: truth[key] for key in compared}


def test_cuts_are_compared_and_not_only_disturbed() -> None:
    """The test above compares something in nearly every case."""
    undisturbed = 0
    for seed in range(12):
        c = fleet(seed)
        stream = Stream()
        by_time = np.argsort(c["t"], kind="stable")
        disturbed = {v for part in np.array_split(by_time, 40) for v in stream.take(c, part)}
        undisturbed += len({0, 1, 3} - disturbed)
    assert undisturbed > 20


@pytest.mark.parametrize("seed", range(6))
def test_one_order_is_what_window_mileage_and_the_destination_check_find(seed: int) -> None:
    c = fleet(seed)
    mine = np.flatnonzero(c["slot"] == 3)
    mine = mine[c["t"][mine] >= T0]  # the whole track is the order's, so the first fix has none before it
    c = {name: values[mine] for name, values in c.items()} | {"order": np.full(len(mine), 1)}
    c["slot"] = np.zeros(len(mine), np.int64)
    stream = Stream()
    for part in np.array_split(np.argsort(c["t"], kind="stable"), 7):
        stream.take(c, part)
    mileage, bridged, odometer, fixes, first, last, *nearest = stream.values()[1]
    window = window_mileage(
        c["slot"], 1, c["t"], c["fp"], c["lat"], c["lon"], c["speed"], c["dir"], c["odo"] - 1
    )
    assert (mileage // 1000, bridged // 1000, odometer, fixes) == (
        window.metres[0], window.bridged_m[0], window.odometer_m[0], window.fixes[0],
    )  # fmt: skip
    track = {
        "t_us": c["t"], "fingerprint": c["fp"], "lat_e6": c["lat"], "lon_e6": c["lon"], "speed_dkmh": c["speed"],
        "direction_deg": c["dir"], "odometer_dkm": c["odo"] - 1,
    }  # fmt: skip
    for (lat, lon), found in zip(PLACES[1], nearest, strict=True):
        evidence: Any = {
            "rule": "destination", "rule_version": 2, "subject": "x", "index": 0, "order": {"id": "x"},
            "vehicle": {"plate": "x"}, "destination": {"name": "x", "lat_e6": lat, "lon_e6": lon}, "from_us": T0,
            "departed_us": T0, "to_us": int(c["t"].max()),
            "parameters": {"radius_m": 2000, "gap_speed_kmh": 120, "gap_s": 120, "max_speed_kmh": 200},
            "track": {name: values.tolist() for name, values in track.items()},
        }  # fmt: skip
        assert destination.evaluate(evidence).measures["nearest_m"]["value"] == found
    assert first <= last


def test_an_order_without_fixes_has_nothing() -> None:
    stream = Stream()
    assert stream.values()[1] == (0, 0, -1, 0, 0, 0, None, None)
    assert UNKNOWN > 10**15
