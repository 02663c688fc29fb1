"""The board of orders of the live map: which order a vehicle has at a moment, off hours, and what is told as changed."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from api.live.board import MOST_GONE, Held, OrderBoard, held_now, resting_units
from registry.orders import OrderPlace, OrderRow
from registry.parameters import ParameterRow, with_units_below
from registry.working_days import Calendar
from runtime.units import US_PER_S

H = 3600
#: 2026-03-02 is a Monday; 08:00 in China.
T0 = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())


def order(vehicle: str, departs: int, returns: int, id: str = "P1", **more: Any) -> OrderRow:
    """Seconds after T0; ``more``: times in seconds as well."""
    fixed = {name: (T0 + value) * US_PER_S if name.endswith("_us") else value for name, value in more.items()}
    row = OrderRow(
        id=id, version=1, organisation="jsj", vehicle=vehicle, vehicle_no=1, driver=None, task_type="official", purpose="",
        status="approved", origin=None, destinations=(OrderPlace("市政府", None, None), OrderPlace("", 1, 1), OrderPlace("如东县", 1, 1)),
        return_point=None, planned_departure_us=(T0 + departs) * US_PER_S, planned_return_us=(T0 + returns) * US_PER_S,
        extended_return_us=None, actual_departure_us=None, actual_return_us=None, entered_us=(T0 - H) * US_PER_S,
    )  # fmt: skip
    return replace(row, **fixed)


def held(orders: list[OrderRow], at: int, parameters: list[ParameterRow] | None = None) -> dict[str, Held]:
    return held_now(orders, (T0 + at) * US_PER_S, parameters or [])


def test_the_order_that_covers_now_comes_first() -> None:
    now, late, soon, next_week = (
        order("a", 0, 4 * H, "now"), order("a", -30 * H, -20 * H, "late", status="departed"), order("a", H + 1500, 9 * H, "soon"),
        order("a", 99 * H, 199 * H, "next week"),
    )  # fmt: skip
    all_of_them = [soon, late, next_week, now]
    assert held(all_of_them, H)["a"].order == "now"
    assert held([soon, late, next_week], H)["a"].order == "late"
    assert held([soon, next_week], H)["a"].order == "soon"
    assert held([next_week], H) == {}
    one = held([now], H)["a"]
    assert one.destination == "市政府、如东县"
    assert one.from_s <= T0
    assert one.due_s == T0 + 4 * H
    # The default of the rules: two hours more before it is overdue.
    assert (one.until_s, one.overdue_s, one.allowed) == (T0 + 6 * H, T0 + 6 * H, True)


def test_what_is_over_is_no_order() -> None:
    assert held([order("a", 0, 4 * H, status="cancelled", cancelled_us=-2 * H)], H) == {}
    returned = order("a", 0, 4 * H, status="returned", actual_departure_us=0, actual_return_us=2 * H)
    assert held([returned], H)["a"].overdue_s is None
    assert held([returned], 3 * H) == {}
    # One of two vehicles that took over: of each only its stretch.
    assert held([order("a", 0, 4 * H, leg_to_us=H)], 2 * H) == {}
    assert held([order("b", 0, 4 * H, leg_from_us=H)], 2 * H)["b"].order == "P1"


def test_a_value_of_the_unit_counts_and_one_that_cannot_be_read_accuses_nobody() -> None:
    wider = ParameterRow("order", "overdue_cover_h", "city", 10, 0)
    rows = list(with_units_below([wider], {"city": ["jsj"]}))
    assert held([order("a", 0, 4 * H)], 12 * H, rows)["a"].until_s == T0 + 14 * H
    damaged = [ParameterRow("order", "overdue_cover_h", None, 0, 0, unreadable="x")]
    assert held([order("a", 0, 4 * H)], 5 * H, damaged)["a"].until_s == T0 + 6 * H
    no_wash = [ParameterRow("off_hours", "allowed_types", None, 1, 0)]
    assert not held([order("a", 0, 4 * H, task_type="car_wash")], H, no_wash)["a"].allowed


def test_off_hours_are_night_and_days_off_of_each_unit() -> None:
    def resting(
        hour: float, *, calendar: Calendar | None = None, rows: tuple[ParameterRow, ...] = ()
    ) -> list[str]:
        at = int((T0 + (hour - 8) * H) * US_PER_S)
        return resting_units(["jsj", "wsj"], at, calendar or Calendar(), rows)

    assert resting(12) == []
    assert resting(21.99) == []
    assert resting(22) == ["jsj", "wsj"] == resting(29.9)
    assert resting(30) == []
    day_off = Calendar({date(2026, 3, 2): (False, "test")})
    assert resting(12, calendar=day_off) == ["jsj", "wsj"]
    rows = with_units_below([ParameterRow("off_hours", "night_from_min", "jsj", 19 * 60, 0)], {"jsj": []})
    assert resting(19.5, rows=rows) == ["jsj"]
    # Begin and end the same: there is no night.
    none = (ParameterRow("off_hours", "night_to_min", None, 22 * 60, 0),)
    assert resting(23, rows=none) == []
    damaged = (ParameterRow("off_hours", "night_to_min", None, 0, 0, unreadable="x"),)
    assert resting(23, rows=damaged) == []


def test_who_takes_changes_knows_the_same_as_who_asks_for_all() -> None:
    random_ = random.Random(7)
    board = OrderBoard("run")
    readers: list[tuple[str | None, dict[str, Held]]] = [(None, {}) for _ in range(3)]
    for turn in range(200):
        now = {
            f"v{k}": Held(f"P{random_.randrange(3)}", "", 0, 1, 1, None, True)
            for k in range(30)
            if random_.random() < 0.5
        }
        board.update(now, ["jsj"] if turn % 7 else [])
        for k, (mark, known) in enumerate(readers):
            if random_.random() < 0.5:
                whole, rows, gone = board.since(mark)
                kept = {} if whole else {v: h for v, h in known.items() if v not in gone}
                readers[k] = (board.mark, kept | rows)
                assert readers[k][1] == now
                assert whole == (mark is None)
    assert board.since(board.mark) == (False, {}, [])


@pytest.mark.parametrize(
    "mark", ["", "run", "run-", "run--1", "run-99", "other-1", "run-١", "run-" + "9" * 30, "-", "run-0x1"]
)
def test_a_mark_that_is_not_of_this_board_gives_all_of_it(mark: str) -> None:
    board = OrderBoard("run")
    board.update({"a": Held("P1", "", 0, 1, 1, None, True)}, [])
    whole, rows, gone = board.since(mark)
    assert (whole, list(rows), gone) == (True, ["a"], [])


def test_what_was_gone_long_ago_is_forgotten_and_its_reader_gets_all() -> None:
    board = OrderBoard("run")
    one = Held("P1", "", 0, 1, 1, None, True)
    board.update({f"v{k}": one for k in range(MOST_GONE + 1)}, [])
    mark = board.mark
    board.update({"v0": one}, [])
    assert board.since(mark)[2] != [] or board.since(mark)[0]
    board.update({}, [])
    assert board.since(mark) == (True, {}, [])
