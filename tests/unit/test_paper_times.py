"""When a vehicle left its fence for an order and came back, by its track: limits exactly, and what is not known yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from registry.order_cover import NOT_SHOWN, times_of, window
from registry.orders import OrderRow
from rules.live.paper import _Ask, _back, _left
from runtime.units import US_PER_S

MIN = 60 * US_PER_S
EIGHT, NOON = 480 * MIN, 720 * MIN
USED = {"early_start_min": 10, "overdue_cover_h": 2, "cancel_return_min": 60, "paper_grace_min": 15}
LATER = NOON + 600 * MIN
PLANNED = OrderRow(
    "P1", 1, "O1", "V1", 1, None, "official", "", "departed", None, (), None, EIGHT, NOON, None, None, None, 0
)
RETURNED = replace(PLANNED, status="returned", actual_return_us=NOON)
CANCELLED = replace(PLANNED, status="cancelled", cancelled_us=600 * MIN)


def ask(order: OrderRow) -> _Ask:
    found = window(times_of(order), USED)
    assert found is not None
    return _Ask(order, found)


def track(*fixes: tuple[int, bool], fenced: bool = True) -> tuple[Any, Any, Any]:
    """(times, outside, fenced) of fixes (time, outside)."""
    t = np.array([at for at, _ in fixes], np.int64)
    return t, np.array([out for _, out in fixes], np.bool_) & fenced, np.full(len(fixes), fenced)


@pytest.mark.parametrize(
    ("left", "found"),
    [
        (EIGHT - 15 * MIN, EIGHT - 15 * MIN),
        (EIGHT - 15 * MIN - 1, NOT_SHOWN),  # out before the clerk's minute began
        (EIGHT, EIGHT),
        (EIGHT + 15 * MIN - 1, EIGHT + 15 * MIN - 1),
        (EIGHT + 15 * MIN, EIGHT + 15 * MIN),  # not until then
        (EIGHT + 40 * MIN, EIGHT + 15 * MIN),
    ],
)
def test_it_left_within_the_clerks_minute(left: int, found: int) -> None:
    seen = track((left - 30 * US_PER_S, False), (left, True), (left + MIN, True))
    assert _left(ask(PLANNED), *seen, LATER) == found


def test_a_departure_is_not_known_before_the_track_has_passed_it() -> None:
    inside = track((EIGHT - 16 * MIN, False))
    assert _left(ask(PLANNED), *inside, EIGHT - 16 * MIN) is None
    assert _left(ask(PLANNED), *inside, EIGHT + 15 * MIN) == EIGHT + 15 * MIN
    assert _left(ask(PLANNED), *track(), 0) is None


@pytest.mark.parametrize(
    ("back", "found"),
    [(NOON + 1, NOON + 1), (NOON + 15 * MIN, NOON + 15 * MIN), (NOON + 15 * MIN + 1, NOT_SHOWN)],
)
def test_it_came_back_within_the_clerks_minute(back: int, found: int) -> None:
    seen = track((NOON - MIN, True), (NOON, True), (back, False))
    assert _back(ask(RETURNED), *seen, LATER) == found


def test_who_was_back_before_the_paper_is_back_by_the_paper() -> None:
    seen = track((NOON - MIN, False), (NOON + 5 * MIN, True), (NOON + 6 * MIN, False))
    assert _back(ask(RETURNED), *seen, NOON) == NOT_SHOWN


def test_a_return_is_waited_for_as_long_as_it_may_come() -> None:
    out = track((NOON - MIN, True), (NOON + MIN, True))
    assert _back(ask(RETURNED), *out, NOON - 1) is None
    assert _back(ask(RETURNED), *out, NOON + 15 * MIN - 1) is None
    assert _back(ask(RETURNED), *out, NOON + 15 * MIN) == NOT_SHOWN


def test_without_a_fence_the_paper_holds() -> None:
    seen = track((NOON - MIN, True), (NOON + MIN, False), fenced=False)
    assert _back(ask(RETURNED), *seen, NOON) == NOT_SHOWN


def test_the_way_back_of_a_cancelled_order_ends_at_the_fence() -> None:
    at = CANCELLED.cancelled_us or 0
    home = track((at - MIN, True), (at + 20 * MIN, False), (at + 40 * MIN, True))
    assert _back(ask(CANCELLED), *home, LATER) == at + 20 * MIN
    there = track((at - MIN, False), (at + 20 * MIN, True))
    assert _back(ask(CANCELLED), *there, LATER) == at  # it was in the yard: there was no way back


TEN = 600 * MIN
NEXT = replace(PLANNED, leg_from_us=TEN, actual_departure_us=TEN)
FIRST = replace(RETURNED, leg_to_us=TEN, actual_return_us=TEN, was_out=True)


@pytest.mark.parametrize(
    ("left", "found"), [(TEN - 10 * MIN, TEN - 10 * MIN), (TEN - 15 * MIN, TEN - 15 * MIN), (TEN - 16 * MIN, NOT_SHOWN)]
)  # fmt: skip
def test_the_next_vehicle_left_for_the_exchange(left: int, found: int) -> None:
    seen = track((left - 30 * US_PER_S, False), (left, True), (left + MIN, True))
    shown = _left(ask(NEXT), *seen, LATER)
    assert shown == found
    covers = window(times_of(replace(NEXT, left_us=shown)), USED)
    assert covers is not None
    assert covers.from_us == (TEN if found == NOT_SHOWN else TEN - 15 * MIN)


@pytest.mark.parametrize(
    ("back", "found"), [(TEN + 10 * MIN, TEN + 10 * MIN), (TEN + 15 * MIN, TEN + 15 * MIN), (TEN + 16 * MIN, NOT_SHOWN)]
)  # fmt: skip
def test_the_first_vehicle_came_back_after_the_exchange(back: int, found: int) -> None:
    seen = track((TEN - MIN, True), (TEN, True), (back, False))
    shown = _back(ask(FIRST), *seen, LATER)
    assert shown == found
    covers = window(times_of(replace(FIRST, back_us=shown)), USED)
    assert covers is not None
    assert covers.to_us == (TEN if found == NOT_SHOWN else found)


@pytest.mark.parametrize(
    ("left", "covered"),
    [
        (EIGHT - 14 * MIN, True),
        (EIGHT - 15 * MIN, True),
        (EIGHT - 16 * MIN, False),
        (EIGHT - 11 * MIN, False),
    ],
)
def test_it_left_before_it_was_cancelled(left: int, covered: bool) -> None:
    """It is looked up also where the order was cancelled before it began."""
    order = replace(CANCELLED, cancelled_us=EIGHT - 12 * MIN)
    seen = track((left - 30 * US_PER_S, False), (left, True), (left + MIN, True))
    shown = _left(ask(order), *seen, LATER)
    assert shown is not None
    assert (window(times_of(replace(order, left_us=shown)), USED) is not None) is covered


def test_a_version_that_says_nothing_of_the_past_begins_with_its_entry() -> None:
    order = replace(NEXT, entered_us=TEN, holds_from_us=TEN)
    assert ask(order).window.from_us == TEN
    assert (
        ask(replace(order, holds_from_us=TEN - MIN)).window.from_us == TEN - 15 * MIN
    )  # it counts for the past, too
