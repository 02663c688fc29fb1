"""Drivers as people who work: shifts of a roster, who is on duty, files of rosters, what becomes of leave."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from office.dispatch.call_backs import drawn, list_hash, month_of
from office.dispatch.driving import pieces, stretches
from office.drivers.leave import LeaveAction, LeaveNew, LeaveState, after
from office.drivers.overtime import kind_of, overtime
from office.drivers.roster_files import shifts_of
from registry.duty import DutyShift, RosterDay, RosterDays, RosterWeek, in_order
from registry.shifts import Roster, merged, midnight_s, on_duty
from registry.working_days import Calendar
from runtime.arrays import Ints

MONDAY = date(2026, 11, 30)
OFFICE = [(480, 720), (840, 1050)]
NIGHT = [(1320, 1800)]


def at(day: date, hour: float) -> int:
    return midnight_s(day) + round(3600 * hour)


def test_a_day_is_as_it_was_said_last_and_else_not_known() -> None:
    week = [OFFICE] * 5 + [[], []]
    roster = Roster([(MONDAY, week), (MONDAY + timedelta(days=28), None)], {MONDAY + timedelta(days=1): NIGHT, MONDAY + timedelta(days=2): None})  # fmt: skip
    asked = {k: roster.shifts(MONDAY + timedelta(days=k)) for k in (-1, 0, 1, 2, 5, 27, 28)}
    assert asked == {
        -1: (None, None), 0: (OFFICE, "week"), 1: (NIGHT, "day"), 2: (OFFICE, "week"), 5: ([], "week"), 27: ([], "week"), 28: (None, None),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("begin", "end", "works"),
    [
        (8, 12, True), (7.99, 12, False), (8, 12.01, False),  # to the minute
        (11, 15, False),  # over noon nobody drives
        (24 + 22, 48 + 6, True),  # a night shift that ends on the next day
        (24 + 22, 48 + 6.1, False),
        (8, 8 + 25, True),  # longer than a day: on duty when it begins
        (13, 13 + 25, False),
        (-5, -1, True),  # the day before is not known
        (-1, 8.5, False),
    ],
)  # fmt: skip
def test_who_is_on_duty(begin: float, end: float, works: bool) -> None:
    roster = Roster([(MONDAY, [OFFICE] * 7)], {MONDAY + timedelta(days=1): NIGHT, MONDAY + timedelta(days=2): []})  # fmt: skip
    spans = roster.spans(MONDAY - timedelta(days=1), MONDAY + timedelta(days=3))
    assert on_duty(spans, at(MONDAY, begin), at(MONDAY, end)) is works


def test_what_is_not_known_stops_nobody_and_midnight_is_no_gap() -> None:
    assert Roster().spans(MONDAY, MONDAY) is None
    assert on_duty(None, 0, 9)
    roster = Roster([(MONDAY, [[(0, 1440)]] * 7)])
    assert on_duty(roster.spans(MONDAY, MONDAY + timedelta(days=1)), at(MONDAY, 23.9), at(MONDAY, 24.2))
    assert merged([(5, 9), (1, 2), (2, 3), (8, 11)]) == ((1, 3), (5, 11))


def test_shifts_as_people_write_them() -> None:
    assert in_order([DutyShift.model_validate({"from": "22:00", "to": "06:00"})]) == [[1320, 1800]]
    assert in_order([DutyShift.model_validate({"from": "00:00", "to": "24:00"})]) == [[0, 1440]]
    for text, minutes in {
        "8:00-12:00、14：00—17:30": [[480, 720], [840, 1050]], "22:00~6:00": [[1320, 1800]], "休": [],
    }.items():  # fmt: skip
        shifts = shifts_of(text)
        assert shifts is not None
        assert in_order(shifts) == minutes, text
    assert shifts_of("同周") is None
    for text in ("", "早班", "08:00", "08:00-12:00 早班", "25:00-26:00", "8-12"):
        with pytest.raises(ValueError, match=r"."):
            shifts_of(text)
    overlap = [{"from": "08:00", "to": "12:00"}, {"from": "11:00", "to": "13:00"}]
    for refused in (
        lambda: RosterDay.model_validate({"day": "2026-11-30", "shifts": overlap}),
        lambda: RosterWeek.model_validate({"valid_from": "2026-11-30", "days": [[]] * 6}),
        lambda: RosterDays.model_validate({"days": [{"day": "2026-11-30", "shifts": []}] * 2}),
        lambda: LeaveNew.model_validate({"kind": "sick", "from": "2026-11-30T08:00:00Z", "to": "2026-11-30T08:00:00Z"}),
        lambda: LeaveNew.model_validate({"kind": "sick", "from": "2026-11-30T08:00:00Z", "to": "2028-11-30T08:00:00Z"}),
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            refused()


def test_every_state_by_every_step() -> None:
    since, until = datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 3, tzinfo=UTC)
    before, within = since - timedelta(hours=1), since + timedelta(hours=1)
    possible = {
        (LeaveState.ASKED, LeaveAction.APPROVE): LeaveState.APPROVED,
        (LeaveState.ASKED, LeaveAction.REJECT): LeaveState.REJECTED,
        (LeaveState.ASKED, LeaveAction.CANCEL): LeaveState.CANCELLED,
        (LeaveState.APPROVED, LeaveAction.CANCEL): LeaveState.CANCELLED,
    }
    for state in LeaveState:
        for step in LeaveAction:
            assert after(state, step, since, until, before) == possible.get((state, step)), (state, step)
    assert after(LeaveState.APPROVED, LeaveAction.CANCEL, since, until, within) == LeaveState.ENDED
    assert after(LeaveState.APPROVED, LeaveAction.CANCEL, since, until, until) is None


def fixes(*legs: tuple[float, float, int]) -> tuple[Ints, Ints]:
    """Fixes of legs (from, to in minutes, km/h), every 30 seconds."""
    rows = [(30 * k, speed * 10) for since, until, speed in legs for k in range(round(2 * since), round(2 * until) + 1)]  # fmt: skip
    return np.array([at * 1_000_000 for at, _ in rows], np.int64), np.array([s for _, s in rows], np.int64)


@pytest.mark.parametrize(
    ("legs", "driven_min", "too_long"),
    [
        ([(0, 240, 80)], [240], [False]),  # four hours are not more than four hours
        ([(0, 241, 80)], [241], [True]),
        ([(0, 200, 80), (200.5, 219.5, 0), (220, 300, 80)], [200, 80], [False, False]),  # 20 minutes to the second
        ([(0, 200, 80), (200.5, 219, 0), (219.5, 300, 80)], [280.5], [True]),
        ([(0, 200, 80), (201, 222, 0), (222.5, 300, 80)], [200, 77.5], [False, False]),
        ([(0, 200, 80), (225, 300, 80)], [200, 75], [False, False]),  # nothing is seen: a rest is assumed
        ([(0, 200, 80), (205, 300, 80)], [295], [True]),  # too short for one, and not counted as driving
        ([(0, 300, 4)], [], []),  # it rolls in the yard
        ([(0, 0, 80)], [], []),
    ],
)  # fmt: skip
def test_what_is_driven_without_a_rest(
    legs: list[tuple[float, float, int]], driven_min: list[float], too_long: list[bool]
) -> None:
    found = stretches([("派1", pieces(*fixes(*legs)))])
    assert [one.driven_s / 60 for one in found] == driven_min
    assert [one.too_long for one in found] == too_long


def test_a_stretch_goes_on_over_dispatches_and_two_vehicles_are_one_driver() -> None:
    hour = 3600
    one, two = stretches([("派2", [(3 * hour, 5 * hour)]), ("派1", [(0, 3 * hour - 600)]), ("派3", [(7 * hour, 8 * hour), (7 * hour, 8 * hour)])])  # fmt: skip
    assert (one.dispatches, one.driven_s, one.too_long) == (("派1", "派2"), 5 * hour - 600, True)
    assert (two.since_s, two.driven_s) == (7 * hour, hour)


def test_overtime_is_what_lies_in_no_shift() -> None:
    friday = date(2026, 11, 27)
    roster = Roster([(friday, [OFFICE] * 5 + [[], []])])

    def trip(number: str, day: date, begin: float, end: float) -> tuple[str, datetime, datetime]:
        return number, datetime.fromtimestamp(at(day, begin), UTC), datetime.fromtimestamp(at(day, end), UTC)

    trips = [
        trip("a", friday, 7, 12), trip("b", friday, 11.5, 13), trip("c", friday, 23, 25), trip("d", friday - timedelta(days=1), 9, 10),
        trip("e", friday + timedelta(days=3), 9, 10),
    ]  # fmt: skip
    found = [
        (one.dispatch, one.day.day, one.kind, one.minutes) for one in overtime(trips, roster, Calendar())
    ]
    assert found == [
        ("d", 26, "workday", None), ("a", 27, "workday", 60), ("b", 27, "workday", 60), ("c", 27, "workday", 60), ("c", 28, "rest", 60),
    ]  # fmt: skip
    festival = {date(2026, 10, 1): "festival", date(2026, 10, 10): "workday", date(2035, 10, 1): "unknown"}
    assert {day: kind_of(Calendar(), day) for day in festival} == festival


def test_a_draw_is_the_same_for_whoever_has_the_seed() -> None:
    ids = [f"YC-{k}" for k in range(1, 42)]
    first = drawn(ids, "2026-11 抽取", 50)
    assert first == drawn(ids[::-1], "2026-11 抽取", 50) == ["YC-17", "YC-9", "YC-4"]
    assert first != drawn(ids, "2026-11 再抽", 50)
    assert [len(drawn(ids[:n], "x", 50)) for n in (0, 1, 20, 21, 41)] == [0, 1, 1, 2, 3]
    assert sorted(drawn(ids, "x", 1000)) == sorted(ids)
    assert list_hash(ids) == list_hash(ids[::-1])
    assert month_of("202612") == (date(2026, 12, 1), date(2027, 1, 1))
    assert month_of("202602") == (date(2026, 2, 1), date(2026, 3, 1))
