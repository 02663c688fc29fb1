"""What an order covers, to the microsecond, from the wording alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from registry.order_cover import NOT_SHOWN, Times, overdue_at, window
from runtime.units import US_PER_S

MIN, HOUR = 60 * US_PER_S, 3600 * US_PER_S
#: The defaults.
USED = {"early_start_min": 10, "overdue_cover_h": 2, "cancel_return_min": 60, "paper_grace_min": 15}
EIGHT, NOON = 8 * HOUR, 12 * HOUR
PLANNED = Times("approved", EIGHT, NOON)
RETURNED = replace(PLANNED, status="returned", actual_return_us=NOON)
CANCELLED = replace(PLANNED, status="cancelled", cancelled_us=10 * HOUR)


def ends(times: Times, **used: int) -> int:
    found = window(times, USED | used)
    assert found is not None
    return found.to_us


def starts(times: Times, **used: int) -> int:
    found = window(times, USED | used)
    assert found is not None
    return found.from_us


@pytest.mark.parametrize("status", ["approved", "departed"])
def test_without_a_return_it_covers_to_the_planned_return_and_two_hours(status: str) -> None:
    out = replace(PLANNED, status=status)
    assert ends(out) == NOON + 2 * HOUR == overdue_at(out, USED)
    assert window(out, USED).overdue  # type: ignore[union-attr]  # it covers something
    assert ends(out, overdue_cover_h=0) == NOON


def test_an_extension_counts_where_there_is_one() -> None:
    assert ends(replace(PLANNED, extended_return_us=15 * HOUR)) == 17 * HOUR


def test_a_return_ends_it_however_late() -> None:
    late = replace(RETURNED, actual_return_us=20 * HOUR, back_us=NOT_SHOWN)
    assert ends(late) == 20 * HOUR
    assert overdue_at(late, USED) is None


def test_a_returned_order_without_a_time_covers_to_its_extended_return() -> None:
    """Released databases have such orders; nobody is judged by a minute that nobody wrote."""
    old = replace(RETURNED, actual_return_us=None, extended_return_us=15 * HOUR)
    assert ends(old) == 15 * HOUR


@pytest.mark.parametrize(
    ("back_us", "end"),
    [
        (None, NOON + 15 * MIN),  # not known yet: for the driver
        (NOT_SHOWN, NOON),
        (NOON + 1, NOON + 1),
        (NOON + 15 * MIN, NOON + 15 * MIN),
        (NOON + 16 * MIN, NOON),
        (NOON - 5 * MIN, NOON),  # back before: the paper holds
    ],
)
def test_the_return_that_the_track_shows_is_used(back_us: int | None, end: int) -> None:
    assert ends(replace(RETURNED, back_us=back_us)) == end


@pytest.mark.parametrize(
    ("left_us", "start"),
    [
        (None, EIGHT - 15 * MIN),
        (NOT_SHOWN, EIGHT - 10 * MIN),
        (EIGHT - 16 * MIN, EIGHT - 10 * MIN),
        (EIGHT - 15 * MIN, EIGHT - 15 * MIN),
        (EIGHT - 12 * MIN, EIGHT - 15 * MIN),  # before that it was in its fence
        (EIGHT + 15 * MIN, EIGHT - 15 * MIN),
    ],
)
def test_the_departure_that_the_track_shows_is_used(left_us: int | None, start: int) -> None:
    assert starts(replace(PLANNED, left_us=left_us)) == start


def test_a_grace_below_the_early_start_changes_nothing() -> None:
    assert starts(PLANNED, paper_grace_min=10) == EIGHT - 10 * MIN
    assert starts(PLANNED, paper_grace_min=0) == EIGHT - 10 * MIN
    assert ends(RETURNED, paper_grace_min=0) == NOON


def test_a_departure_on_paper_before_the_planned_one_is_looked_for_too() -> None:
    told = replace(PLANNED, actual_departure_us=EIGHT - HOUR)
    assert starts(told) == EIGHT - HOUR - 15 * MIN
    assert starts(replace(told, left_us=NOT_SHOWN)) == EIGHT - 10 * MIN


@pytest.mark.parametrize(
    ("back_us", "end"),
    [(None, 11 * HOUR), (NOT_SHOWN, 11 * HOUR), (10 * HOUR, 10 * HOUR), (10 * HOUR + 20 * MIN, 10 * HOUR + 20 * MIN)],
)  # fmt: skip
def test_a_cancelled_order_covers_until_then_and_the_way_back(back_us: int | None, end: int) -> None:
    assert ends(replace(CANCELLED, back_us=back_us)) == end


def test_a_cancellation_never_makes_it_longer() -> None:
    assert ends(replace(CANCELLED, cancelled_us=13 * HOUR + 30 * MIN)) == NOON + 2 * HOUR
    closed = replace(CANCELLED, actual_return_us=9 * HOUR, back_us=NOT_SHOWN)
    assert ends(closed) == 9 * HOUR


@pytest.mark.parametrize("left_us", [NOT_SHOWN, EIGHT])
@pytest.mark.parametrize("cancelled_us", [None, 0, EIGHT - HOUR, EIGHT - 10 * MIN])
def test_cancelled_before_anybody_left_it_covers_nothing(cancelled_us: int | None, left_us: int) -> None:
    assert window(replace(CANCELLED, cancelled_us=cancelled_us, left_us=left_us), USED) is None


@pytest.mark.parametrize(
    ("departed_us", "left_us", "cancelled_us", "covered"),
    [
        (EIGHT - 30 * MIN, EIGHT - 30 * MIN, EIGHT - 15 * MIN, True),  # by paper and track
        (None, EIGHT - 14 * MIN, EIGHT - 12 * MIN, True),  # by the track alone
        (None, EIGHT - 15 * MIN, EIGHT - 12 * MIN, True),
        (None, EIGHT - 16 * MIN, EIGHT - 12 * MIN, False),  # not for this order
        (None, EIGHT - 12 * MIN, EIGHT - 12 * MIN, False),  # not before it was cancelled
        (None, None, EIGHT - 12 * MIN, True),  # not known yet: for the driver
        (None, None, EIGHT - 15 * MIN, False),  # no track can show that it had left for it
        (EIGHT - 12 * MIN, NOT_SHOWN, EIGHT - 15 * MIN, False),  # it departed afterwards
    ],
)
def test_who_had_left_before_it_was_cancelled_is_covered(
    departed_us: int | None, left_us: int | None, cancelled_us: int, covered: bool
) -> None:
    early = replace(CANCELLED, actual_departure_us=departed_us, left_us=left_us, cancelled_us=cancelled_us)
    found = window(early, USED)
    assert (found is not None) is covered
    if found is not None:
        assert found.from_us <= (left_us or EIGHT - 15 * MIN)
        assert found.to_us == cancelled_us + HOUR
        assert found.back == (cancelled_us, cancelled_us + HOUR)


def test_a_departure_on_paper_counts_where_no_track_is_asked() -> None:
    early = replace(CANCELLED, actual_departure_us=EIGHT - 30 * MIN, cancelled_us=EIGHT - 15 * MIN)
    assert ends(early, paper_grace_min=0) == EIGHT + 45 * MIN


def test_cancelled_a_microsecond_after_it_began_it_covers_the_way_back() -> None:
    assert ends(replace(CANCELLED, cancelled_us=EIGHT - 10 * MIN + 1)) == EIGHT + 50 * MIN + 1


def test_a_leg_covers_its_own_time_only() -> None:
    first = replace(RETURNED, actual_return_us=10 * HOUR, leg_to_us=10 * HOUR)
    first = replace(first, back_us=NOT_SHOWN)
    then = replace(RETURNED, leg_from_us=10 * HOUR, left_us=NOT_SHOWN, back_us=NOT_SHOWN)
    assert (starts(first), ends(first)) == (EIGHT - 15 * MIN, 10 * HOUR)
    assert (starts(then), ends(then)) == (10 * HOUR, NOON)


def test_a_leg_of_an_order_that_was_overdue_ends_with_its_cover() -> None:
    first = replace(RETURNED, actual_return_us=15 * HOUR, leg_to_us=15 * HOUR, was_out=True)
    assert ends(first) == NOON + 2 * HOUR


def test_a_late_return_that_nobody_approved_covers_to_the_limit() -> None:
    late = replace(RETURNED, actual_return_us=17 * HOUR, covers_to_us=NOON + 2 * HOUR)
    assert ends(late) == NOON + 2 * HOUR
    assert window(late, USED).overdue  # type: ignore[union-attr]  # it covers something


TEN = 10 * HOUR


@pytest.mark.parametrize(
    ("left_us", "start"),
    [
        (None, TEN - 15 * MIN),  # not known yet: for the driver
        (TEN - 10 * MIN, TEN - 15 * MIN),  # before that it was in its fence
        (TEN - 15 * MIN, TEN - 15 * MIN),
        (TEN - 16 * MIN, TEN),
        (NOT_SHOWN, TEN),  # it was out before
    ],
)
def test_the_next_vehicle_leaves_before_it_takes_over(left_us: int | None, start: int) -> None:
    then = replace(RETURNED, leg_from_us=TEN, left_us=left_us)
    assert starts(then) == start
    assert window(then, USED).leave == (TEN - 15 * MIN, TEN + 15 * MIN)  # type: ignore[union-attr]  # it covers something
    assert starts(then, paper_grace_min=0) == TEN


@pytest.mark.parametrize(
    "out", [{}, {"status": "departed"}, {"actual_return_us": TEN}, {"actual_return_us": TEN, "was_out": True}]
)
@pytest.mark.parametrize(
    ("back_us", "end"),
    [
        (None, TEN + 15 * MIN),
        (TEN + 10 * MIN, TEN + 10 * MIN),
        (TEN + 15 * MIN, TEN + 15 * MIN),
        (TEN + 16 * MIN, TEN),
        (NOT_SHOWN, TEN),  # it was not back in time, or was back before
    ],
)  # fmt: skip
def test_the_first_vehicle_comes_back_after_the_next_took_over(
    back_us: int | None, end: int, out: dict[str, Any]
) -> None:
    first = replace(RETURNED, leg_to_us=TEN, back_us=back_us, **out)
    assert ends(first) == end
    assert window(first, USED).back == (TEN, TEN + 15 * MIN)  # type: ignore[union-attr]  # it covers something
    assert ends(first, paper_grace_min=0) == TEN


def test_an_exchange_just_before_the_departure_begins_with_the_order() -> None:
    soon = replace(PLANNED, leg_from_us=EIGHT - 5 * MIN)
    assert starts(soon) == EIGHT - 15 * MIN
    assert starts(replace(soon, left_us=NOT_SHOWN)) == EIGHT - 5 * MIN


def test_a_version_that_holds_from_its_entry_on_covers_nothing_before() -> None:
    """Else who entered an order after an alert would be covered for a quarter of an hour before."""
    late = replace(PLANNED, leg_from_us=TEN, not_before_us=TEN)
    assert (starts(late), window(late, USED).leave) == (TEN, None)  # type: ignore[union-attr]  # it covers something
    assert starts(replace(late, not_before_us=TEN - 5 * MIN)) == TEN - 5 * MIN
    assert starts(replace(late, not_before_us=TEN - HOUR)) == TEN - 15 * MIN


def test_an_exchange_that_was_cancelled_before_it_took_place() -> None:
    """Who had left for it is covered, and the way back of the first vehicle does not end with an exchange that there was not."""
    then = replace(CANCELLED, leg_from_us=TEN, cancelled_us=TEN - 5 * MIN)
    assert (starts(then), ends(then)) == (TEN - 15 * MIN, TEN + 55 * MIN)
    assert ends(replace(then, left_us=TEN - 10 * MIN)) == TEN + 55 * MIN
    assert window(replace(then, left_us=NOT_SHOWN), USED) is None
    assert window(replace(then, left_us=TEN - 5 * MIN), USED) is None
    assert ends(replace(CANCELLED, leg_to_us=TEN, cancelled_us=TEN - 5 * MIN)) == TEN + 55 * MIN
