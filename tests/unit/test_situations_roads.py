"""Situations written from the wording of the rules alone: what happens on the road, each with the outcome that the wording asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rules import evidence as frozen
from rules.checks import location, mileage, off_hours, terminal_silent
from rules.checks.base import Outcome
from tests.unit import test_check_destination as arrivals
from tests.unit import test_check_mileage as trips
from tests.unit import test_check_off_hours as nights
from tests.unit import test_check_terminal_silent as silences
from tests.unit.test_location_fair import OFF, ON, UNKNOWN, evidence, stop, way

H = 3600
NORMAL, SUSPECTED, UNDETERMINED = Outcome.NORMAL, Outcome.SUSPECTED, Outcome.UNDETERMINED


def at_gate(fixes: Sequence[Any], **more: Any) -> tuple[Outcome, str]:
    made = location.evaluate(evidence(fixes, **more))
    return made.outcome, made.reason


def cover(start_s: float, end_s: float) -> Any:
    t0 = evidence([])["from_us"]
    return {
        "no": 5,
        "id": "P1",
        "version": 1,
        "from_us": t0 + int(start_s * 1e6),
        "to_us": t0 + int(end_s * 1e6),
    }


# --- location: stray fixes and drift


@pytest.mark.parametrize("every", [10, 30, 60, 120])
@pytest.mark.parametrize("acc", [ON, UNKNOWN, OFF])
@pytest.mark.parametrize(
    "strays",
    [
        [(400, 600), (410, 600)],  # one place, and a speed that nothing bears out
        [(240, 600), (250, 600)],  # near enough to be plain
        [(600, 600), (600, 0)],
        [(400, 600)],
    ],
)
def test_stray_fixes_with_a_speed_open_nothing_while_the_engine_runs(
    strays: list[tuple[float, int]], acc: int, every: int
) -> None:
    """A parked car, the driver waits with the engine on; no odometer. What comes before and after says that it stands."""
    fixes = [(float(every * k), -30.0, 0, acc) for k in range(60)]
    for k, (metres, speed) in enumerate(strays, 30):
        fixes[k] = (fixes[k][0], metres, speed, acc)
    for count in (31, 32, 33, 60):  # as it is seen live
        assert location.episodes(evidence(fixes[:count])) == []


@pytest.mark.parametrize("every", [10, 30, 60, 120])
@pytest.mark.parametrize("strays", [[(400, 600), (900, 300)], [(240, 400), (600, 400)]])
def test_two_fixes_that_look_like_a_drive_are_undetermined_when_it_is_back_at_once(
    strays: list[tuple[float, int]], every: int
) -> None:
    """It is told at once, as the wording asks (two fixes outside); what follows does not bear it out: neither guilt nor innocence."""
    fixes = [(float(every * k), -30.0, 0, ON) for k in range(60)]
    for k, (metres, speed) in enumerate(strays, 30):
        fixes[k] = (fixes[k][0], metres, speed, ON)
    assert at_gate(fixes[:32]) == (SUSPECTED, "driving_outside")
    assert at_gate(fixes) == (UNDETERMINED, "few_fixes")
    # The odometer counted: it was a drive.
    odometer = [1000 + (0 if k < 30 else min(4 * (k - 29), 12)) for k in range(60)]
    assert at_gate(fixes, odometer=odometer) == (SUSPECTED, "returned_to_fence")
    # The order began meanwhile, out there: no fix is against it.
    begun = [*fixes[:32], *[(float(every * k), 900.0 + 100 * (k - 31), 300, ON) for k in range(32, 60)]]
    assert at_gate(begun, orders=[cover(every * 31.5, every * 90)]) == (SUSPECTED, "order_started")


@pytest.mark.parametrize(("every", "sigma"), [(10, 100), (30, 60), (30, 150), (60, 60), (60, 100), (60, 150)])
@pytest.mark.parametrize("odo", [None, 1000])
def test_a_car_that_waits_with_its_engine_on_between_high_houses_drives_nowhere(
    odo: int | None, sigma: int, every: int
) -> None:
    """Noise of every fix, and noise that wanders for minutes: four hours of it, neither outside the fence nor by night."""
    count = 4 * H // every
    for seed in range(3):
        rng = np.random.default_rng(seed)
        white = rng.normal(0, sigma, (count, 2))
        wanders = np.zeros((count, 2))
        for k in range(1, count):
            wanders[k] = wanders[k - 1] * (1 - every / 300) + rng.normal(
                0, sigma * np.sqrt(2 * every / 300), 2
            )
        for xy in (white, wanders):
            fixes = [(float(every * k), -30.0 + x, 0, ON) for k, (x, _) in enumerate(xy.tolist())]
            assert location.episodes(evidence(fixes, odometer=[odo] * count if odo else ())) == []
            assert (
                at_night([(every * k, x, y, 0, ON) for k, (x, y) in enumerate(xy.tolist())], odo)[0]
                is not SUSPECTED
            )


def test_an_engine_that_runs_far_from_the_fence_is_a_drive_whatever_the_speed_says() -> None:
    """Two of the four: ACC, and fixes that agree. Near the fence they must agree for longer than drift does."""
    out = [*stop(0, 5, -30), *way(310, -30, 900, speed=0)]
    assert at_gate(out)[0] is SUSPECTED
    near = [*stop(0, 5, -30), *way(310, -30, 300, speed=0)]
    assert at_gate(near)[0] is NORMAL
    stays = [*near, *[(400.0 + 30 * k, 300.0, 0, ON) for k in range(32)]]
    assert at_gate(stays)[0] is SUSPECTED
    # Seen with a speed once, at the gate or beyond: a minute is enough.
    seen = [*stop(0, 5, -30), (310, 240.0, 250, ON), *[(330.0 + 30 * k, 300.0, 0, ON) for k in range(4)]]
    assert at_gate(seen)[0] is SUSPECTED


def test_a_short_way_without_an_order_is_one_all_the_same() -> None:
    """To the shop 450 m away, a report a minute: out, there, back; three fixes outside."""
    fixes = [
        *stop(0, 5, -30),
        (360, 250, 200, ON),
        (420, 450, 0, ON),
        (480, 450, 0, OFF),
        (540, 440, 150, ON),
        (600, -30, 0, ON),
    ]
    assert at_gate(fixes) == (SUSPECTED, "returned_to_fence")


def test_a_cold_start_on_the_way_is_a_drive_from_where_it_is_first_seen() -> None:
    """The terminal finds its place 1.5 km from the yard after a night's sleep: the way to there is bridged."""
    fixes = [*stop(0, 5, -30), *[(9 * H + 10.0 * k, 1_500.0 + 120 * k, 430, ON) for k in range(30)]]
    made = location.evaluate(evidence(fixes))
    assert made.outcome is SUSPECTED
    assert made.measures["bridged_m"]["value"] <= 1_600


def test_a_lorry_carries_it_off_without_an_order() -> None:
    """ACC is off, the terminal tells the lorry's speed: two of the four. With a tow order nothing is left."""
    fixes = [*stop(0, 5, -30), *way(310, -30, 6_000, speed=300, acc=OFF)]
    assert at_gate(fixes)[0] is SUSPECTED
    assert at_gate(fixes, orders=[cover(200, 5_000)]) == (NORMAL, "no_episode")


def test_orders_back_to_back_leave_no_second_uncovered() -> None:
    fixes = [*stop(0, 5, -30), *way(310, -30, 9_000), *way(2_000, 9_000, -30)]
    both = [cover(0, 1_000), cover(1_000, 9_000) | {"no": 6, "id": "P2"}]
    assert at_gate(fixes, orders=both) == (NORMAL, "no_episode")


def test_a_terminal_that_was_exchanged_on_the_way_makes_one_episode() -> None:
    first, second = way(310, -30, 5_000), way(1_300, 5_060, -30)
    made = evidence([*stop(0, 5, -30), *first, *second])
    made["track"]["term"] = [7] * (len(stop(0, 5, -30)) + len(first)) + [8] * len(second)
    (episode,) = location.episodes(made)
    assert episode.reason == "returned_to_fence"


# --- off_hours


def at_night(
    fixes: Sequence[tuple[float, float, float, int, int]],
    odometer: int | Sequence[int] | None = None,
    **more: Any,
) -> tuple[Outcome, str]:
    """Fixes (second of the day, metres east and north, speed in 0.1 km/h, ACC)."""
    a = np.array(fixes, float)
    n = len(a)
    made = nights.make([], **more)
    told = np.full(n, -1) if odometer is None else np.broadcast_to(np.array(odometer), n)
    made["track"] = frozen.freeze_track({
        "t_us": nights.DAY + np.rint(a[:, 0] * 1e6).astype(np.int64), "fingerprint": np.arange(n),
        "lat_e6": 29_500_000 + np.rint(a[:, 2] * 9.0205).astype(int), "lon_e6": 106_500_000 + np.rint(a[:, 1] * 10.3).astype(int),
        "speed_dkmh": a[:, 3].astype(int), "direction_deg": np.zeros(n, int), "odometer_dkm": told,
        "acc": a[:, 4].astype(int),
    })  # fmt: skip
    made["day_positions"] = n
    result = off_hours.evaluate(made)
    return result.outcome, result.reason


def here(start: float, end: float, north: float, every: int = 600, acc: int = OFF) -> list[Any]:
    return [(t, 0.0, north, 0, acc) for t in np.arange(start, end, every).tolist()]


def test_a_car_that_is_150_km_away_after_a_gap_was_moved_by_somebody() -> None:
    """ACC off before and after, no odometer: driven or carried, nobody saw it. Not nothing, and no accusation."""
    moved = [*here(0, 2 * H, 0), *here(4 * H, 6 * H, 150_000)]
    assert at_night(moved) == (UNDETERMINED, "bridged")
    # A terminal without power counts nothing: its odometer excuses nobody, and accuses nobody.
    assert at_night(moved, 58_211) == (UNDETERMINED, "bridged")
    # Drift of a sleeping terminal is no way, however often.
    drifts = [(600.0 * k, 0.0, 240.0 * (k % 2), 0, OFF) for k in range(36)]
    assert at_night(drifts) == (NORMAL, "none")
    # Multipath of a few minutes without a gap neither.
    far = [*here(0, H, 0, 30), *here(H, H + 300, 40_000, 30), *here(H + 300, 2 * H, 0, 30)]
    assert at_night(far) == (NORMAL, "none")


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("official", NORMAL), ("emergency", NORMAL), ("repair", NORMAL), ("inspection", NORMAL), ("tow", NORMAL),
        ("car_wash", SUSPECTED),  # can wait for the morning; a unit may allow it
    ],
)  # fmt: skip
def test_what_an_order_of_each_type_covers_at_night_and_on_a_day_off(task: str, expected: Outcome) -> None:
    for worked, start in ((True, H), (False, 10 * H)):
        drive = nights.run(start, 3_000)
        assert (
            nights.told(drive, worked=worked, orders=[nights.order(start - 60, start + 900, task)])[0]
            is expected
        )


def test_the_edges_of_the_night() -> None:
    assert nights.told(nights.run(6 * H, 3_000)) == (NORMAL, "none")  # from 06:00:00 on
    assert nights.told(nights.run(22 * H, 3_000))[0] is SUSPECTED  # from 22:00:00 on
    # 900 m before 06:00 and the rest after it: less than the limit.
    assert nights.told(nights.run(6 * H - 90, 3_000)) == (NORMAL, "short")


def test_a_saturday_that_is_worked_and_a_monday_that_is_off() -> None:
    drive = nights.run(10 * H, 5_000)
    assert nights.told(drive, worked=True) == (NORMAL, "none")
    assert nights.told(drive, worked=False) == (SUSPECTED, "rest_day")
    assert nights.told(drive, worked=None) == (UNDETERMINED, "calendar_unknown")


def test_a_driver_who_moves_within_the_yard_at_night_drives_nowhere() -> None:
    """Laps of a yard of 2 km: inside one's own fence."""
    import shapely

    made = nights.make(nights.run(H, 1_900))
    area = shapely.box(106.4, 29.4, 106.6, 29.6)
    made["fences"] = [
        {"fences": [], "wkb": shapely.to_wkb(area, hex=True, byte_order=1), "from_us": 0, "to_us": 2**62}
    ]
    assert off_hours.evaluate(made).outcome is NORMAL


# --- destination


def test_one_stray_fix_in_the_circle_is_no_arrival() -> None:
    """The fixes before and after say that it was 30 km away."""
    fixes = [(30 * k, 30_000.0, 0.0) for k in range(40)]
    fixes[20] = (600, 100.0, 0.0)
    assert arrivals.outcome(*fixes) == (SUSPECTED, "not_reached")


def test_a_tunnel_on_the_way_past_the_circle() -> None:
    """Ten minutes without a fix: it can have been there and come back at 120 km/h; in one minute it cannot."""
    a, b = (
        [(10 * k, 8_000.0, 100.0 * k) for k in range(20)],
        [(800 + 10 * k, 8_000.0, 4_000.0) for k in range(20)],
    )
    assert arrivals.outcome(*a, *b)[0] is UNDETERMINED
    b = [(320 + 10 * k, 8_000.0, 2_100.0) for k in range(20)]
    assert arrivals.outcome(*a, *b)[0] is SUSPECTED


def test_a_terminal_that_dies_on_the_way_out_is_no_proof() -> None:
    """The last fix is 20 km before the destination, the order lasted three hours more."""
    fixes = [(60 * k, 40_000.0 - 700 * k, 0.0) for k in range(28)]
    assert arrivals.outcome(*fixes, returned=4 * H)[0] is UNDETERMINED


def test_a_destination_in_words_only() -> None:
    assert arrivals.outcome((0, 9_000, 0), (60, 9_000, 0), place=None)[0] is UNDETERMINED


# --- mileage


def test_an_order_on_which_the_driver_waits_long_between_high_houses() -> None:
    """21.6 km there; four hours of drift with the engine on add nothing that makes it 1.5 times as long."""
    out = trips.drive(1800, odometer=False)
    rng = np.random.default_rng(5)
    s = np.arange(1810, 1810 + 4 * H, 30)
    noise = rng.normal(0, 150, (len(s), 2))
    wait = {
        "t_us": trips.DAY + (8 * H + s) * trips.S, "fingerprint": s, "speed_dkmh": np.zeros(len(s), int),
        "lat_e6": out["lat_e6"][-1] + np.rint(noise[:, 0] * 9.0).astype(int),
        "lon_e6": out["lon_e6"][-1] + np.rint(noise[:, 1] * 10.5).astype(int),
        "direction_deg": np.zeros(len(s), int), "odometer_dkm": np.full(len(s), -1),
    }  # fmt: skip
    track = {name: np.concatenate([out[name], wait[name]]) for name in out} | {
        "acc": np.full(len(out["t_us"]) + len(s), 2)
    }
    order = [
        {
            "no": trips.NO,
            "id": "P1",
            "version": 1,
            "from_us": trips.DAY,
            "to_us": trips.DAY + 24 * H * trips.S,
        }
    ]
    made = trips.evidence(track, 21_600, to_us=trips.DAY + 13 * H * trips.S, orders=order)
    assert mileage.evaluate(made).outcome is NORMAL
    assert made["result"]["mileage_mm"] - made["result"]["bridged_mm"] < 24_000_000


# --- terminal_silent


@pytest.mark.parametrize(
    ("odometer", "expected"),
    [
        ((582, 5_821_100), (UNDETERMINED, "odometer_fault")),  # set at the workshop
        ((582_110, 5_821_100), (UNDETERMINED, "odometer_fault")),  # 0.1 km becomes 10 m
        ((582_110, 0xFFFFFFFF), (NORMAL, "asleep")),  # no data
        ((0, 582_110), (UNDETERMINED, "odometer_fault")),  # did not count before
        ((4_294_967_200, 40), (UNDETERMINED, "odometer_fault")),  # rolled over
        ((582_110, 582_140), (SUSPECTED, "odometer")),  # there and back, 3 km
    ],
)
def test_what_an_odometer_says_of_a_parked_car(
    odometer: tuple[int, int], expected: tuple[Outcome, str]
) -> None:
    assert silences.told(silences.silence(odometer=odometer)) == expected


def test_a_silence_over_midnight_belongs_to_its_first_day() -> None:
    made = terminal_silent.evaluate(silences.make(silences.silence(after=(5_000, 5_000), minutes=20 * 60)))
    assert (made.outcome, made.reason) == (SUSPECTED, "displaced")
    assert made.subject == "vehicle:V1:2026-03-05"


def test_three_cuts_of_power_make_one_silence_and_two_short_ones_none() -> None:
    def part(minutes: int) -> Any:
        return silences.silence(minutes=minutes, unplugged=True)

    assert silences.told(part(50), part(40), part(30)) == (SUSPECTED, "unplugged_together")
    assert silences.told(part(50), part(40))[0] is NORMAL
