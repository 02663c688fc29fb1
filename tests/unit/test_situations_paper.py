"""Situations written from the wording of the rules alone: cards, fuel, violations, orders; each with the outcome that the wording asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from registry.facts.violations import who_drove
from registry.order_cover import NOT_SHOWN, Times, window
from rules import evidence as frozen
from rules.checks import card_binding, card_use, fuel_consumption, traffic_violations
from rules.checks.base import Outcome
from telemetry import geo
from tests.unit import test_check_card_binding as bindings
from tests.unit import test_check_card_use as pumps
from tests.unit import test_check_fuel_consumption as months
from tests.unit import test_check_refuel_frequency as refuels
from tests.unit import test_check_traffic_violations as offences
from tests.unit import test_paper_times as papers
from tests.unit.test_order_cover import EIGHT, HOUR, MIN, NOON, PLANNED, RETURNED, USED

NORMAL, SUSPECTED, UNDETERMINED = Outcome.NORMAL, Outcome.SUSPECTED, Outcome.UNDETERMINED


# --- orders: what covers


def span(times: Times) -> tuple[int, int]:
    found = window(times, USED)
    assert found is not None
    return found.from_us, found.to_us


def test_an_order_over_the_end_of_a_month_and_a_leap_day_is_one() -> None:
    """28 February 2028 22:00 to 1 March 02:00: three natural days, one order."""
    start = card_binding.day_us("2028-02-28")
    assert start is not None
    out = Times("returned", start + 22 * HOUR, start + 50 * HOUR, actual_return_us=start + 50 * HOUR, left_us=NOT_SHOWN,
                back_us=NOT_SHOWN)  # fmt: skip
    assert span(out) == (start + 22 * HOUR - 10 * MIN, start + 50 * HOUR)


@pytest.mark.parametrize(
    ("left", "covered"),
    [
        (EIGHT - 9 * MIN, True),  # within the ten minutes anyway
        (EIGHT - 14 * MIN, True),  # the clerk wrote the full hour
        (EIGHT - 15 * MIN, True),
        (EIGHT - 15 * MIN - 1, False),  # a private way before the order is no matter of minutes
        (EIGHT + 5 * MIN, True),
    ],
)
def test_the_driver_who_left_before_the_hour_on_paper(left: int, covered: bool) -> None:
    shown = left if covered else NOT_SHOWN  # as rules.live.paper tells it
    since = span(replace(RETURNED, left_us=shown, back_us=NOT_SHOWN))[0]
    assert (since <= left) is covered


def test_a_return_of_noon_written_as_midnight_is_a_typo_that_covers_less() -> None:
    """12:00 typed as 00:00 the same day lies before the departure: nothing is covered from there on, and nobody gains by it."""
    typo = replace(RETURNED, actual_return_us=EIGHT - 8 * HOUR)
    found = window(typo, USED)
    assert found is None or found.to_us <= EIGHT


def test_a_vehicle_that_broke_down_and_the_one_that_took_over() -> None:
    first = replace(RETURNED, leg_to_us=10 * HOUR, left_us=NOT_SHOWN, back_us=NOT_SHOWN)
    second = replace(RETURNED, leg_from_us=10 * HOUR, back_us=NOT_SHOWN, left_us=10 * HOUR - 12 * MIN)
    assert span(first) == (EIGHT - 10 * MIN, 10 * HOUR)
    since, until = span(second)
    assert since <= 10 * HOUR - 12 * MIN
    assert until == NOON


def test_a_forgotten_order_hides_nothing_after_two_hours() -> None:
    assert span(PLANNED)[1] == NOON + 2 * HOUR
    assert span(replace(PLANNED, status="departed", extended_return_us=NOON + HOUR))[1] == NOON + 3 * HOUR


# --- card_binding


def test_a_card_that_is_handed_over_on_the_day_of_the_disposal() -> None:
    """The old vehicle is disposed of on the 10th day; the card is bound to the next one from its midnight on."""
    assert bindings.judge((3, 10), (None, 10)).outcome is NORMAL
    assert bindings.judge((10, None), (10, None)).outcome is NORMAL
    assert bindings.judge((3, 10 + 1 / 86_400), (None, 10)).reason == "disposed"


def test_a_binding_of_the_future_is_no_guilt_yet() -> None:
    assert bindings.judge((3, None), (0, 30), now=29).outcome is NORMAL
    assert bindings.judge((3, None), (0, 30), now=30).outcome is SUSPECTED


# --- card_use


def timed(points: list[pumps.Fix], speeds: list[int], **more: Any) -> tuple[Outcome, str]:
    made = pumps.make(points, **more)
    made["track"]["speed_dkmh"] = speeds
    result = card_use.evaluate(made)
    return result.outcome, result.reason


def test_the_engine_is_off_at_the_pump_and_the_terminal_sleeps() -> None:
    """It stops at the pump; the terminal reports every five minutes with ACC off. It was there at both ends."""
    points = [(-900.0 + 30 * k, 4_000.0 - 30 * k * 5, 0.0) for k in range(25)]
    points += [
        (-150.0, 5.0, 3.0),
        (150.0, 4.0, 2.0),
        (450.0, 6.0, 3.0),
        (480.0, 300.0, 0.0),
        (510.0, 700.0, 0.0),
    ]
    assert pumps.judged(points)[0] is NORMAL


def test_a_stray_fix_at_the_station_is_no_stop() -> None:
    points = pumps.parked(5_000, every=30)
    points[30] = (points[30][0], 10.0, 0.0)
    assert pumps.judged(points)[0] is SUSPECTED


def test_a_queue_that_crawls_past_the_pumps_is_a_stop() -> None:
    """Three minutes at 3 km/h through the station."""
    points = [(-600.0 + 10 * k, 2_000.0 - 10 * k * 3.2, 0.0) for k in range(58)]
    points += [(-20.0 + 10 * k, 150.0 - 8.3 * k, 0.0) for k in range(30)]
    points += [(280.0 + 20 * k, -150.0 - 240.0 * k, 0.0) for k in range(30)]
    assert pumps.judged(points)[0] is NORMAL


def test_passing_on_the_motorway_beside_it_is_none() -> None:
    points = [(-960.0 + 10 * k, -24_000.0 + 250.0 * k, 120.0) for k in range(193)]
    assert timed(points, [900] * 193) == (SUSPECTED, "passed")


def test_a_clock_of_the_card_machine_that_is_fifteen_minutes_off_is_within() -> None:
    there = [
        *pumps.parked(3_000, start=-1_500, end=-1_080, every=60),
        *pumps.parked(10, start=-960, end=-840, every=30),
    ]
    there += pumps.parked(3_000, start=-780, end=1_200, every=60)
    assert pumps.judged(there)[0] is NORMAL


def test_a_fill_in_the_dark_of_an_underground_garage_is_not_judged() -> None:
    """No fix for the whole window; before and after it was a kilometre away."""
    points = [*pumps.parked(1_200, start=-1_800, end=-960), *pumps.parked(1_200, start=960, end=1_800)]
    assert pumps.judged(points)[0] is UNDETERMINED


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "top_up"},
        {"kind": "fee"},
        {"reversed_by": "R1"},
        {"product": "车用尿素"},
        {"product": "洗车"},
    ],
)
def test_what_the_card_paid_besides_fuel(changes: dict[str, Any]) -> None:
    assert pumps.judged(pumps.parked(9_000), transaction=changes) == (NORMAL, "no_fill")


def test_a_station_that_nobody_has_placed_accuses_nobody() -> None:
    assert pumps.judged(pumps.parked(9_000), station=pumps.UNKNOWN) == (UNDETERMINED, "no_coordinates")
    assert pumps.judged(pumps.parked(9_000), station=None) == (UNDETERMINED, "station_unknown")


def test_two_fills_within_a_minute_by_one_vehicle_are_both_at_the_station() -> None:
    """Two pumps, or a can for the mower: card_use asks for the place alone."""
    for seconds in (0, 55):
        assert pumps.judged([(t - seconds, e, n) for t, e, n in pumps.parked(15)])[0] is NORMAL


# --- refuel_frequency


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"minute": 101}, NORMAL),  # the pump's limit: paid in two parts within the minute
        ({"minute": 110}, NORMAL),
        ({"minute": 111}, SUSPECTED),
        (
            {"minute": 101, "station": "S2", "name": "二站"},
            SUSPECTED,
        ),  # two stations within a minute: the card was elsewhere too
        ({"minute": 300, "product": "柴油"}, SUSPECTED),  # diesel and petrol on one card are two fills
        ({"minute": 300, "product": "车用尿素溶液"}, NORMAL),
        ({"minute": 300, "product": "92#(赠矿泉水)"}, SUSPECTED),
        ({"minute": 300, "kind": "top_up"}, NORMAL),
        ({"minute": 300, "reversed_by": "R"}, NORMAL),
        ({"minute": 300, "energy": "electric"}, NORMAL),
        ({"minute": 300, "posted": True}, UNDETERMINED),
        ({"minute": 0}, NORMAL),  # at the very moment of the return
        ({"minute": refuels.NEXT}, NORMAL),
    ],
)
def test_a_fill_after_the_return_and_another_one(second: dict[str, Any], expected: Outcome) -> None:
    minute = second.pop("minute")
    assert refuels.judge(refuels.row("a", 100), refuels.row("b", minute, **second)).outcome is expected


# --- fuel_consumption


def test_a_driver_with_two_months_of_before_is_not_compared() -> None:
    made = months.judge((1000 * months.KM, [90_000, 90_000]), (0, []), *months.PLAIN[:2])
    assert made.outcome is UNDETERMINED


@pytest.mark.parametrize(
    ("km", "fills", "expected"),
    [
        (1_000, [57_500, 57_500], SUSPECTED),  # exactly 15 per cent
        (1_000, [57_500, 57_499], NORMAL),
        (299, [40_000, 40_000], UNDETERMINED),  # too few kilometres
        (1_000, [150_000], UNDETERMINED),  # one fill
    ],
)
def test_a_month_at_its_limits(km: int, fills: list[int], expected: Outcome) -> None:
    assert months.judge((km * months.KM, fills), *months.PLAIN).outcome is expected


def test_a_full_tank_at_the_end_of_the_month_is_not_burnt() -> None:
    """20 per cent more bought, on the last day, into a tank of 60 litres: undetermined."""
    made = months.with_tanks((1000 * months.KM, [60_000, 60_000]), months.tank("V1"))
    assert (made.outcome, made.reason) == (UNDETERMINED, "tank")
    assert made.rule == fuel_consumption.RULE


# --- traffic_violations


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("2026-01-31 08:00", "2026-02-28 08:00", SUSPECTED),
        ("2026-02-28 08:00", "2026-03-30 08:00", SUSPECTED),  # there is no 30 February: its last day
        ("2026-02-28 07:59", "2026-03-30 08:00", NORMAL),
        ("2028-02-29 08:00", "2028-03-29 08:00", SUSPECTED),
        ("2025-12-15 08:00", "2026-01-15 08:00", SUSPECTED),  # over the year
        ("2025-12-15 08:00", "2026-01-15 08:01", NORMAL),
    ],
)
def test_a_month_by_the_calendar(first: str, second: str, expected: Outcome) -> None:
    rows = [
        offences.record("W1", offences.at(first)),
        offences.record("W2", offences.at(second), act="闯红灯"),
    ]
    assert traffic_violations.evaluate(offences.make(second[:7], rows)).outcome is expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"status": "revoked"}, NORMAL),
        ({"status": "appealed"}, NORMAL),
        ({"act": "违反规定停放"}, NORMAL),
        ({"act": "在高速公路应急车道上停车"}, SUSPECTED),
        ({"belongs": "other_vehicle"}, NORMAL),
        ({"id": "W1"}, NORMAL),  # the same number in the next export
        ({}, SUSPECTED),
    ],
)
def test_a_second_violation_a_week_later(more: dict[str, Any], expected: Outcome) -> None:
    first = offences.record("W1", offences.at("2026-03-02 10:00"))
    second = offences.record("W2", offences.at("2026-03-09 10:00")) | more
    assert traffic_violations.evaluate(offences.make("2026-03", [first, second])).outcome is expected


def test_the_minute_at_which_one_driver_hands_over_to_the_next_is_nobodys() -> None:
    """Back at 10:00 and off at 10:00, a camera at 10:00: the time does not say who drove."""
    first = replace(papers.RETURNED, id="P1", driver="D1")
    second = replace(papers.RETURNED, id="P2", driver="D2")
    driven = [(EIGHT, 10 * HOUR, first), (10 * HOUR, NOON, second)]
    assert who_drove(driven, 10 * HOUR - 1) == ("D1", "P1")
    assert who_drove(driven, 10 * HOUR) is None
    assert who_drove(driven, 10 * HOUR + 1) == ("D2", "P2")
    same = [(EIGHT, 10 * HOUR, first), (10 * HOUR, NOON, replace(second, driver="D1"))]
    assert who_drove(same, 10 * HOUR) == ("D1", "P2")
    # Of orders that overlap the one that departed last counts.
    assert who_drove([(EIGHT, NOON, first), (9 * HOUR, 11 * HOUR, second)], 10 * HOUR) == ("D2", "P2")


def test_two_acts_at_one_moment_by_one_camera_are_two() -> None:
    """Too fast and without a belt."""
    when = offences.at("2026-03-02 10:00")
    rows = [offences.record("W1", when), offences.record("W2", when, act="未系安全带")]
    assert traffic_violations.evaluate(offences.make("2026-03", rows)).outcome is SUSPECTED


# --- places and tracks that the tests above rest on


def test_the_pumps_are_where_they_are_said_to_be() -> None:
    made = pumps.make(pumps.parked(100))
    track = frozen.track_columns(made["track"])
    x, _ = geo.local_plane(pumps.LAT, pumps.LON, track["lat_e6"] / 1e6, track["lon_e6"] / 1e6)
    assert np.abs(x - 100).max() < 0.2
