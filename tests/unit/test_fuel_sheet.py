"""季度单车油耗: rows worked out by hand from what the definitions say, and what must not be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from office.notices.contents import PublicationNew, quarter_end, quarters_before, shown_plate
from office.statistics.indicators.facts import CostFact, DispatchFact, Facts
from office.statistics.indicators.fuel_sheet import CardFill, DescribedVehicle, FuelRow, fuel_rows
from registry.working_days import Calendar
from runtime.units import CHINA, midnight

FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)
SPAN = (midnight(FIRST), midnight(date(2026, 4, 1)))
#: (day of the quarter on which it left, km out, km in); None: no reading.
Trip = tuple[int, float | None, float | None]
#: (day, litres or kWh), None: without a quantity.
Fill = tuple[int, float | None]


def car(
    id: str = "c", energy: str = "petrol", model: str = "朗逸", ml: int | None = 1600
) -> DescribedVehicle:
    return DescribedVehicle(id, "jsj", f"苏F{id}", energy, model, ml)


def day(number: int) -> date:
    return FIRST + timedelta(days=number - 1)


def facts(
    trips: dict[str, list[Trip]], fills: dict[str, list[Fill]], kind: str = "fuel", hours: float = 2
) -> Facts:
    def metres(km: float | None) -> int | None:
        return None if km is None else round(km * 1000)

    dispatches = []
    for vehicle, own in trips.items():
        for number, out, back in own:
            left = midnight(day(number)) + timedelta(hours=9)
            dispatches.append(
                DispatchFact(vehicle, True, (left, left), left, left + timedelta(hours=hours), metres(out), metres(back), False, 1, f"派{number}")
            )  # fmt: skip
    costs = [
        CostFact(vehicle, kind, day(number), True, 20_000, None if amount is None else round(amount * 1000), f"{vehicle}-{number}")
        for vehicle, own in fills.items()
        for number, amount in own
    ]  # fmt: skip
    return Facts(
        SPAN,
        datetime(2026, 4, 10, tzinfo=CHINA),
        Calendar({}),
        dispatches=tuple(dispatches),
        costs=tuple(costs),
    )


NONE = facts({}, {})


def one(
    now: Facts, vehicle: DescribedVehicle | None = None, *, cards: list[CardFill] | None = None, before: Facts = NONE
) -> FuelRow:  # fmt: skip
    return fuel_rows([vehicle or car()], (now, cards or []), (NONE, []), (before, []))[0]


GOOD: list[Trip] = [(5, 10_000, 10_400), (80, 10_500, 11_000)]
THREE: list[Fill] = [(5, 30), (40, 30), (80, 30)]


def test_what_is_driven_and_filled_comes_to_a_figure() -> None:
    row = one(facts({"c": GOOD}, {"c": THREE}))
    assert row.driven is not None
    # With the 100 km that nobody had ordered: the tank knows no orders.
    assert (row.driven.first_m, row.driven.last_m, row.driven.metres, row.driven.ordered_m) == (
        10_000_000,
        11_000_000,
        1_000_000,
        900_000,
    )
    assert (row.used.fills, row.used.quantity, row.used.fen) == (3, 90_000, 60_000)
    assert row.used.value == 9
    assert (row.used.entries, row.driven.dispatches) == (("c-5", "c-40", "c-80"), ("派5", "派80"))
    assert row.notes == ()


#: name, trips, fills, what the notes say.
UNKNOWN: list[tuple[str, list[Trip], list[Fill], str]] = [
    ("no odometer", [(5, None, None), (80, None, None)], THREE, "没有完整的里程表读数"),
    ("one reading is missing", [(5, 10_000, 10_400), (80, None, 11_000)], THREE, "2 张派车单中 1 张"),
    ("it runs backwards", [(5, 10_000, 10_400), (80, 10_300, 11_000)], THREE, "倒退"),
    ("never departed", [], THREE, "没有已归队的派车单"),
    ("299.9 km", [(5, 10_000, 10_299.9), (80, 10_299.9, 10_299.9)], THREE, "里程不足 300 公里"),
    ("two fills", GOOD, THREE[:2], "加注不足 3 次"),
    ("a fill without litres", GOOD, [*THREE, (50, None)], "1 次加注没有数量"),
    ("nothing at all", [], [], "加注不足 3 次"),
]


@pytest.mark.parametrize(
    ("trips", "fills", "said"), [case[1:] for case in UNKNOWN], ids=[c[0] for c in UNKNOWN]
)
def test_what_is_not_known_is_no_figure_and_says_why(trips: list[Trip], fills: list[Fill], said: str) -> None:
    row = one(facts({"c": trips}, {"c": fills}))
    assert row.used.value is None
    assert said in "；".join(row.notes)
    assert (row.mean, row.on_year, row.on_quarter) == (None, None, None)


def test_fills_before_the_first_trip_are_told_apart_and_those_of_a_trip_over_the_end_count() -> None:
    row = one(facts({"c": GOOD}, {"c": [(1, 50), *THREE, (88, 10)]}))
    assert (row.used.fills, row.used.quantity, row.used.outside) == (3, 90_000, 2)
    assert any("另有 2 次加油" in note for note in row.notes)
    over: list[Trip] = [(5, 10_000, 10_400), (90, 10_400, 11_000)]  # leaves on 31 March, is back on 2 April
    row = one(facts({"c": over}, {"c": [(5, 30), (40, 30), (92, 30), (93, 99)]}, hours=48))
    assert (row.used.fills, row.used.quantity) == (3, 90_000)


def test_a_ledger_that_has_less_than_the_cards_gives_no_figure() -> None:
    now = facts({"c": GOOD}, {"c": THREE})
    paid = [CardFill("c", "fuel", day(number), 30_000) for number in (5, 40, 80)]
    assert one(now, cards=paid).used.value == 9
    # One fill that nobody has booked would make the vehicle look thrifty.
    row = one(now, cards=[*paid, CardFill("c", "fuel", day(41), 30_000)])
    assert row.used.value is None
    assert "台账不全" in row.notes[0]
    assert one(now, cards=[*paid, CardFill("c", "fuel", day(2), 30_000)]).used.value == 9  # before its window
    # A vehicle with nothing in the ledger at all.
    assert "台账不全" in "；".join(one(facts({"c": GOOD}, {}), cards=paid).notes)


def test_the_mean_is_of_sums_of_the_same_type_and_not_of_two() -> None:
    trips = {"a": GOOD, "b": GOOD, "c": [(5, 0.0, 500.0)], "d": GOOD, "e": GOOD}
    fills = {
        "a": THREE,
        "b": [(5, 95 / 3), (5, 95 / 3), (5, 95 / 3)],
        "c": [(5, 20), (5, 20), (5, 10)],
        "d": THREE,
        "e": THREE[:2],
    }
    now = facts(trips, fills)  # type: ignore[arg-type]
    cars = [car("a"), car("b"), car("c"), car("d", ml=1800), car("e")]
    rows = {row.vehicle.id: row for row in fuel_rows(cars, (now, []), (NONE, []), (NONE, []))}
    expected = Fraction(100 * (90_000 + 3 * 31_667 + 50_000), 2_500_000)
    assert {id: row.mean for id, row in rows.items()} == {"a": expected, "b": expected, "c": expected, "d": None, "e": expected}  # fmt: skip
    assert rows["e"].used.value is None  # it has a mean to be held against, and no figure
    nameless = fuel_rows([replace(each, model=" ") for each in cars], (now, []), (NONE, []), (NONE, []))
    assert [row.mean for row in nameless] == [None] * 5


def test_changes_are_told_only_where_both_quarters_can_be() -> None:
    now = facts({"c": GOOD}, {"c": THREE})
    more = facts({"c": GOOD}, {"c": [(5, 40), (40, 40), (80, 20)]})
    assert one(now, before=more).on_quarter == -10
    assert one(now, before=facts({"c": GOOD}, {"c": THREE[:2]})).on_quarter is None
    assert one(now).on_quarter is None


def test_litres_and_kilowatt_hours_are_never_added() -> None:
    fuel, power = (
        facts({"c": GOOD}, {"c": THREE}),
        facts({"c": GOOD}, {"c": [(5, 50), (6, 50), (7, 50)]}, "charging"),
    )
    both = replace(fuel, costs=(*fuel.costs, *power.costs))
    rows = fuel_rows([car(energy="hybrid")], (both, []), (NONE, []), (NONE, []))
    assert {row.energy: row.used.value for row in rows} == {"fuel": Fraction(9), "charging": Fraction(15)}
    # An electric car that was filled with petrol is listed with it: somebody has to explain that.
    rows = fuel_rows([car(energy="electric")], (both, []), (NONE, []), (NONE, []))
    assert [row.energy for row in rows] == ["fuel", "charging"]
    assert "登记为纯电动，台账有加油，待核对" in rows[0].notes
    assert [row.energy for row in fuel_rows([car()], (fuel, []), (NONE, []), (NONE, []))] == ["fuel"]
    assert one(fuel, car(energy="gas")).used.value is None


def test_quarters_and_plates() -> None:
    for first, last, year, before in (
        (date(2026, 1, 1), date(2026, 3, 31), date(2025, 1, 1), date(2025, 10, 1)),
        (date(2026, 4, 1), date(2026, 6, 30), date(2025, 4, 1), date(2026, 1, 1)),
        (date(2026, 10, 1), date(2026, 12, 31), date(2025, 10, 1), date(2026, 7, 1)),
    ):
        assert (quarter_end(first), quarters_before(first)) == (last, (year, before))
    assert shown_plate("苏F12345", "masked") == "苏F***45"
    assert shown_plate("苏FD12345", "masked") == "苏F***45"
    assert shown_plate("苏F12345", "full") == "苏F12345"


KNOWN: dict[str, Any] = {"organisation": "city", "kind": "fuel", "title": "x", "first": "2026-01-01", "last": "2026-03-31", "phone": "0513-12345"}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"first": "2026-02-01", "last": "2026-04-30"}, "季度"),
        ({"last": "2026-03-30"}, "季度"),
        ({"last": "2025-03-31"}, "截止日"),
        ({"phone": ""}, "电话"),
        ({"remarks": [{"vehicle": "a", "text": "大修"}, {"vehicle": "a", "text": "跑合"}]}, "合成一条"),
        ({"replaces": "GG-1"}, "理由"),
        ({"reason": "里程表读数有误"}, "更正"),
        ({"kind": "disposals", "plates": "full"}, "油耗"),
    ],
)
def test_what_a_publication_must_say(more: dict[str, Any], said: str) -> None:
    PublicationNew.model_validate(KNOWN)
    with pytest.raises(ValueError, match=said):
        PublicationNew.model_validate(KNOWN | more)
