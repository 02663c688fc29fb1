"""fuel_consumption: exactly 15 %, pooled baseline, what is missing decides nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import evidence as frozen
from rules.checks import fuel_consumption as check
from rules.checks.base import Evaluation, Outcome
from tests.words import said

PARAMETERS = {
    "ratio_permille": 1150,
    "baseline_months": 3,
    "min_km": 300,
    "min_fills": 2,
    "gap_speed_kmh": 120,
    "min_coverage_permille": 900,
    # Nothing is in any tank, so that limits are those of what was bought; tests of tanks say otherwise.
    "tank_default_l": 0,
    "battery_default_kwh": 0,
}
KM = 1_000_000
HOUR = 3600 * 1_000_000


def month_facts(month: str, km_mm: int, fills: Sequence[int | None], **more: Any) -> Any:
    first, _ = check.month_span(month)
    orders = [
        {
            "id": f"{month}-{k}", "version": 1, "vehicle": more.get("vehicle", "V1"), "departed_us": first + k * 24 * HOUR,
            "returned_us": first + k * 24 * HOUR + 5 * HOUR, "mileage_mm": part, "bridged_mm": 0, "fixes": 9,
            "first_us": first + k * 24 * HOUR, "last_us": first + k * 24 * HOUR + 5 * HOUR,
        }
        for k, part in enumerate([km_mm // 3, km_mm - km_mm // 3])
    ]  # fmt: skip
    for k in range(more.get("without_track", 0)):
        orders.append(
            {
                **orders[0],
                "id": f"{month}-lost{k}",
                "mileage_mm": 0,
                "fixes": 0,
                "first_us": None,
                "last_us": None,
            }
        )
    rows = [
        {
            "id": f"{month}-f{k}", "at_us": first + k * HOUR, "card": "C1", "plate": "苏F00001",
            "vehicle": more.get("vehicle", "V1"),
            "quantity": quantity, "order": orders[0]["id"], "why": "during",
        }
        for k, quantity in enumerate(fills)
    ]  # fmt: skip
    return {"month": month, "orders": orders, "fills": rows, "left_out": []}


#: Millimetres, and the fills in centilitres (None: not known).
Month = tuple[int, Sequence[int | None]]


def make(
    now: Month, *before: Month, energy: str = "fuel",
    parameters: dict[str, int] | None = None, current: dict[str, Any] | None = None,
    base: dict[str, Any] | None = None, last_year: Month | None = None,
) -> Any:  # fmt: skip
    """Evidence of March 2026: (mm, fills) of it and of the three months before, oldest first."""
    months = [
        month_facts(m, *facts, **(base or {}))
        for m, facts in zip(("2025-12", "2026-01", "2026-02"), before, strict=True)
    ]
    months.append(month_facts("2026-03", *now, **(current or {})))
    if last_year is not None:
        months.insert(0, month_facts("2025-03", *last_year))
    return {
        "rule": check.RULE, "rule_version": check.VERSION, "subject": check.subject("D1", "2026-03", energy),
        "driver": {"id": "D1", "name": "张三", "organisation": "O1"}, "month": "2026-03", "energy": energy,
        "parameters": PARAMETERS | (parameters or {}), "months": months,
    }  # fmt: skip


#: 10 l/100 km in each of three months of 1,000 km.
PLAIN = ((1000 * KM, [50_000, 50_000]),) * 3


def judge(*facts: Any, **more: Any) -> Evaluation:
    return check.evaluate(make(*facts, **more))


def tank(
    id: str,
    group: str = "轿车|petrol",
    capacity: int | None = None,
    levels: Sequence[int | None] = (None,) * 3,
) -> Any:
    return {"id": id, "group": group, "capacity": capacity, "levels": list(levels)}


def with_tanks(now: Month, *tanks: Any, before: Sequence[Month] = PLAIN, **more: Any) -> Evaluation:
    more["parameters"] = {"tank_default_l": 60, "battery_default_kwh": 60} | more.get("parameters", {})
    return check.evaluate(make(now, *before, **more) | {"vehicles": list(tanks)})


def test_fuel_bought_is_not_fuel_burnt() -> None:
    # Bought 300 l before on 3,000 km; with a tank of 60 l at most 360. Of what was bought in the month 60 may be left:
    # (q - 60) / 1000 >= 1.15 * 360 / 3000, so q = 198 fires.
    for quantity, reason in ((197_999, "tank"), (198_000, "higher"), (115_000, "tank"), (114_999, "within")):
        made = with_tanks((1000 * KM, [quantity - 50_000, 50_000]), tank("V1"))
        assert made.reason == reason, quantity
    made = with_tanks((1000 * KM, [100_000, 50_000]), tank("V1"))
    assert made.outcome is Outcome.UNDETERMINED
    assert made.measures["current_least"]["value"] == 90_000
    assert made.measures["baseline_most"]["value"] == 360_000
    assert "油箱" in said(made)
    # The register says what the tank holds: 40 l, q = 1.15 * 340 / 3 + 40 = 170.33.
    assert with_tanks((1000 * KM, [120_334, 50_000]), tank("V1", capacity=40_000)).reason == "higher"
    assert with_tanks((1000 * KM, [120_333, 50_000]), tank("V1", capacity=40_000)).reason == "tank"
    # Evidence that does not describe the vehicle has the default.
    assert with_tanks((1000 * KM, [147_999, 50_000])).reason == "tank"
    # A battery likewise.
    assert with_tanks((1000 * KM, [148_000, 50_000]), energy="electric").reason == "higher"
    assert with_tanks((1000 * KM, [147_999, 50_000]), energy="electric").reason == "tank"


def test_every_vehicle_has_a_tank_of_its_own() -> None:
    """Two of one class, both driven on both sides: twice the tank."""
    evidence = make((1000 * KM, [207_999, 50_000]), *PLAIN, parameters={"tank_default_l": 60})
    for facts in evidence["months"]:
        facts["orders"][1]["vehicle"] = "V2"
    evidence["vehicles"] = [tank("V1"), tank("V2")]
    assert check.evaluate(evidence).reason == "tank"
    # (q - 120) / 1000 >= 1.15 * 420 / 3000: q = 281
    evidence["months"][-1]["fills"][0]["quantity"] = 231_000
    assert check.evaluate(evidence).reason == "higher"
    evidence["months"][-1]["fills"][0]["quantity"] = 230_999
    assert check.evaluate(evidence).reason == "tank"


def test_the_level_that_the_terminal_sends_settles_it() -> None:
    bought = (1000 * KM, [65_000, 50_000])  # exactly 15 % more
    assert with_tanks(bought, tank("V1", levels=(30_000, 30_000, 30_000))).reason == "higher"
    # A litre more is in the tank at the end: it was not burnt.
    assert with_tanks(bought, tank("V1", levels=(30_000, 30_000, 31_000))).reason == "within"
    assert (
        with_tanks((1000 * KM, [66_000, 50_000]), tank("V1", levels=(30_000, 30_000, 31_000))).reason
        == "higher"
    )
    # The baseline burnt what it had at its start, too.
    assert with_tanks(bought, tank("V1", levels=(31_000, 30_000, 30_000))).reason == "within"
    # One end is known, the other is not: the tank may have been full.
    assert with_tanks(bought, tank("V1", levels=(30_000, 30_000, None))).reason == "tank"
    assert (
        with_tanks((1000 * KM, [95_000, 50_000]), tank("V1", levels=(30_000, 30_000, None))).reason
        == "higher"
    )


def test_the_baseline_is_of_the_same_class_of_vehicle() -> None:
    high = (1000 * KM, [80_000, 80_000])
    other: dict[str, Any] = {"current": {"vehicle": "V2"}}
    assert (
        with_tanks(high, tank("V1"), tank("V2"), parameters={"tank_default_l": 0}, **other).reason == "higher"
    )
    bus = tank("V2", "客车|diesel")
    made = with_tanks(high, tank("V1"), bus, parameters={"tank_default_l": 0}, **other)
    assert (made.outcome, made.reason) == (Outcome.UNDETERMINED, "class_changed")
    # The register names no class: then it is the very vehicle.
    assert with_tanks(high, parameters={"tank_default_l": 0}, **other).reason == "class_changed"
    assert with_tanks(high, parameters={"tank_default_l": 0}).reason == "higher"
    # Nothing before at all is no change of class.
    empty: list[Month] = [(0, [])] * 3
    assert with_tanks(high, tank("V1"), bus, before=empty, **other).reason == "baseline_months"


def test_each_class_is_judged_for_itself() -> None:
    def judged(sedan: list[int], bus: list[int], bus_before: bool) -> Evaluation:
        evidence = make((1000 * KM, sedan), *PLAIN)
        evidence["vehicles"] = [tank("V1"), tank("V2", "客车|diesel")]
        for facts in evidence["months"] if bus_before else evidence["months"][-1:]:
            now = facts["month"] == "2026-03"
            more = month_facts(facts["month"], 1000 * KM, bus if now else [150_000, 150_000], vehicle="V2")
            for part in ("orders", "fills"):
                facts[part] += [row | {"id": f"bus-{row['id']}"} for row in more[part]]
        return check.evaluate(evidence)

    same, high = [50_000, 50_000], [60_000, 60_000]
    # More kilometres by bus in this month are no excess: 10 and 30 l/100 km as before.
    assert judged(same, [150_000, 150_000], True).reason == "within"
    made = judged(high, [150_000, 150_000], True)
    assert (made.reason, made.measures["current_consumption"]["value"]) == ("higher", 12_000)
    assert made.measures["classes"]["value"] == 2
    # The bus was not driven before: what is known of the other car still counts.
    assert judged(same, [150_000, 150_000], False).reason == "class_changed"
    assert judged(high, [150_000, 150_000], False).reason == "higher"


def test_exactly_fifteen_percent_fires_and_a_millilitre_less_does_not() -> None:
    made = judge((1000 * KM, [57_500, 57_500]), *PLAIN)
    assert (made.outcome, made.reason) == (Outcome.SUSPECTED, "higher")
    assert made.measures["ratio_permille"] == {"value": 1150, "unit": "1/1000"}
    assert made.measures["current_consumption"] == {"value": 11_500, "unit": "ml/100 km"}
    assert (
        "疑似油耗异常：驾驶员张三（D1）2026年3月百公里油耗 11.50 升（加油 2 次 115.00 升，行驶 1,000.0 公里）"
        in said(made)
    )
    assert "高出 15.0%" in said(made)
    assert judge((1000 * KM, [57_500, 57_499]), *PLAIN).outcome is Outcome.NORMAL
    assert judge((1000 * KM + 1, [57_500, 57_500]), *PLAIN).outcome is Outcome.NORMAL
    assert judge((1000 * KM - 1, [57_500, 57_500]), *PLAIN).outcome is Outcome.SUSPECTED


@given(
    st.integers(1, 10**6), st.integers(1, 10**6), st.integers(300, 10**4), st.integers(300, 10**4),
    st.integers(1000, 3000),
)  # fmt: skip
def test_the_limit_is_a_whole_number_comparison(
    quantity: int, base: int, km: int, base_km: int, ratio: int
) -> None:
    fires = check.fires(quantity, km, base, base_km, ratio)
    assert fires == (quantity * base_km * 1000 - ratio * base * km >= 0)
    if fires:
        assert check.fires(quantity + 1, km, base, base_km, ratio)
        assert check.fires(quantity, km, base, base_km + 1, ratio)
        assert check.fires(quantity, km, base, base_km, ratio - 1)
    else:
        assert not check.fires(quantity, km + 1, base, base_km, ratio)
        assert not check.fires(quantity, km, base + 1, base_km, ratio)


def test_the_baseline_is_pooled_not_a_mean_of_means() -> None:
    # 20 l/100 km over 100 km, 10 over 1,000 and 10 over 1,000: pooled 10.48, mean of means 13.33
    before = ((100 * KM, [10_000, 10_000]), (1000 * KM, [50_000, 50_000]), (1000 * KM, [50_000, 50_000]))
    made = judge((1000 * KM, [60_000, 61_000]), *before)
    assert made.outcome is Outcome.SUSPECTED  # 12.1 is more than 12.05, less than 15.33
    assert made.measures["baseline_consumption"]["value"] == 10_476


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (((300 * KM - 1, [50_000, 50_000]), *PLAIN), "mileage"),
        (((1000 * KM, [200_000]), *PLAIN), "fills"),
        (((1000 * KM, [200_000, 0]), *PLAIN), "fills"),
        (((1000 * KM, [90_000, 90_000]), *PLAIN[:2], (0, [])), "baseline_months"),
        (((1000 * KM, [90_000, 90_000]), (0, [50_000]), *PLAIN[:2]), "baseline_months"),
        # a month of which nobody recorded the fills would make the baseline low
        (((1000 * KM, [90_000, 90_000]), (1000 * KM, []), *PLAIN[:2]), "baseline_months"),
    ],
)
def test_too_little_to_compare(facts: Any, reason: str) -> None:
    made = judge(*facts)
    assert (made.outcome, made.reason) == (Outcome.UNDETERMINED, reason)
    assert said(made).startswith("不可判")


def test_limits_of_what_is_enough_are_inclusive() -> None:
    small = ((100 * KM, [10_000]),) * 3
    assert judge((300 * KM, [50_000, 50_000]), *small).outcome is Outcome.SUSPECTED
    assert judge((300 * KM, [50_000, 50_000]), *small[:2], (100 * KM - 1, [10_000])).reason == "mileage"


def test_trips_without_a_track_accuse_nobody_where_they_could_explain_it() -> None:
    # one trip of five hours without a track: at most 600 km more
    now = (1000 * KM, [80_000, 80_000])  # 16 l/100 km, with 600 km more 10
    assert judge(now, *PLAIN, current={"without_track": 1}).reason == "no_track"
    assert (
        judge((1000 * KM, [92_000, 92_000]), *PLAIN, current={"without_track": 1}).outcome
        is Outcome.SUSPECTED
    )
    assert judge((1000 * KM, [91_999, 92_000]), *PLAIN, current={"without_track": 1}).reason == "no_track"
    # missing on the other side it can only make him look better
    assert judge(now, *PLAIN, base={"without_track": 1}).outcome is Outcome.SUSPECTED
    assert judge((1000 * KM, [50_000, 50_000]), *PLAIN, base={"without_track": 1}).reason == "no_track"
    assert (
        judge((1000 * KM, [50_000, 50_000]), *PLAIN, current={"without_track": 1}).outcome is Outcome.NORMAL
    )


def test_a_trip_seen_for_a_part_of_its_time_accuses_nobody() -> None:
    """The terminal dies after two minutes and wakes after the return: in half of ten trips of 100 km and 2 h each."""

    def month(trips: list[dict[str, Any]]) -> Any:
        facts = month_facts("2026-03", 0, [55_000, 55_000])
        shape = facts["orders"][0] | {"mileage_mm": 100 * KM}
        shape |= {"returned_us": shape["departed_us"] + 2 * HOUR, "last_us": shape["departed_us"] + 2 * HOUR}
        facts["orders"] = [shape | trip | {"id": f"T{k}"} for k, trip in enumerate(trips)]
        return facts

    def found(trips: list[dict[str, Any]], **parameters: int) -> tuple[Outcome, str]:
        evidence = make((0, []), *PLAIN, parameters=parameters)
        evidence["months"][-1] = month(trips)
        made = check.evaluate(evidence)
        return made.outcome, made.reason

    start = month([{}])["orders"][0]["departed_us"]
    dead = {"mileage_mm": KM, "last_us": start + HOUR // 30}
    assert found([{}] * 10) == (Outcome.NORMAL, "within")
    assert found([{}] * 5 + [dead] * 5) == (Outcome.UNDETERMINED, "no_track")
    # Fixes before the departure and after the return are no sight of the trip.
    outside = dead | {"first_us": start - 9 * HOUR}
    assert found([{}] * 5 + [outside] * 5) == (Outcome.UNDETERMINED, "no_track")
    # Nor are straight lines over gaps, when they are most of the way.
    bridged = {"mileage_mm": 10 * KM, "bridged_mm": 5 * KM + 1}
    assert found([{}] * 5 + [bridged] * 5) == (Outcome.UNDETERMINED, "no_track")
    assert found([{}] * 5 + [bridged | {"bridged_mm": 5 * KM}] * 5) == (Outcome.SUSPECTED, "higher")
    # Nine tenths of its time are enough, a microsecond less is not.
    late = {"mileage_mm": 80 * KM, "first_us": start + 2 * HOUR // 10}
    assert found([late] * 10) == (Outcome.SUSPECTED, "higher")
    later = late | {"first_us": start + 2 * HOUR // 10 + 1}
    assert found([later] * 10) == (Outcome.UNDETERMINED, "no_track")
    assert found([later] * 10, min_coverage_permille=800) == (Outcome.SUSPECTED, "higher")
    # What was not seen explains a part only: 12 minutes of ten trips are at most 240 km more.
    assert found([later | {"mileage_mm": 72 * KM}] * 10) == (Outcome.UNDETERMINED, "no_track")
    assert found([later | {"mileage_mm": 71 * KM}] * 10) == (Outcome.SUSPECTED, "higher")


def test_a_half_seen_baseline_clears_nobody() -> None:
    evidence = make((1000 * KM, [55_000, 55_000]), *PLAIN)
    assert check.evaluate(evidence).outcome is Outcome.NORMAL
    for facts in evidence["months"][:-1]:
        for order in facts["orders"]:
            order["last_us"] = order["departed_us"] + HOUR
    assert check.evaluate(evidence).reason == "no_track"


def test_fills_without_a_quantity() -> None:
    high, low = [80_000, 80_000], [50_000, 50_000]
    unknown = ((1000 * KM, [50_000, 50_000, None]), *PLAIN[:2])
    assert judge((1000 * KM, high), *unknown).reason == "no_quantity"
    assert judge((1000 * KM, low), *unknown).outcome is Outcome.NORMAL
    assert judge((1000 * KM, [*high, None]), *PLAIN).outcome is Outcome.SUSPECTED
    assert judge((1000 * KM, [*low, None]), *PLAIN).reason == "no_quantity"


def test_electricity_last_year_and_other_vehicles_are_named() -> None:
    evidence = make((1000 * KM, [100_000, 100_000]), *PLAIN, energy="electric", current={"vehicle": "V2"},
                    last_year=(500 * KM, [60_000]))  # fmt: skip
    made = check.evaluate(evidence | {"vehicles": [tank("V1"), tank("V2")]})
    assert made.measures["last_year_consumption"] == {"value": 12_000, "unit": "Wh/100 km"}
    assert "疑似电耗异常" in said(made)
    assert "千瓦时" in said(made)
    assert "前期未驾驶的车辆 1 辆" in said(made)
    assert made.measures["vehicles_not_driven_before"]["value"] == 1


@given(
    st.lists(st.tuples(st.integers(0, 3000 * KM), st.lists(st.integers(0, 200_000) | st.none(), max_size=5)),
             min_size=4, max_size=4),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_more_fuel_never_clears_and_the_order_of_facts_does_not_matter(
    facts: list[tuple[int, list[int | None]]], chance: random.Random
) -> None:
    evidence = make(*facts)
    made = check.evaluate(evidence)
    assert check.evaluate(frozen.parse(frozen.canonical(evidence))) == made
    shuffled = frozen.parse(frozen.canonical(evidence))
    chance.shuffle(shuffled["months"])
    for month in shuffled["months"]:
        chance.shuffle(month["orders"])
        chance.shuffle(month["fills"])
    assert check.evaluate(shuffled) == made
    if made.outcome is Outcome.SUSPECTED:
        more = (facts[0][0], [*facts[0][1], 1000])
        assert check.evaluate(make(more, *facts[1:])).outcome is Outcome.SUSPECTED


def test_months_of_the_calendar_of_china() -> None:
    first, end = check.month_span("2026-02")
    assert (end - first) == 28 * 24 * HOUR
    assert (check.month_of(first), check.month_of(first - 1), check.month_of(end)) == (
        "2026-02",
        "2026-01",
        "2026-03",
    )
    assert (check.shifted("2026-01", -1), check.shifted("2025-12", 14)) == ("2025-12", "2027-02")


def test_evidence_of_something_else_is_refused() -> None:
    other = make((1, []), *PLAIN) | {"rule_version": 99}
    with pytest.raises(frozen.EvidenceError):
        check.evaluate(other)
