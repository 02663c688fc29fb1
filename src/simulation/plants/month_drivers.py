"""Plants of ``fuel_consumption`` (four months of driving) and ``traffic_violations`` (records alone)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import numpy as np

from rules.checks import fuel_consumption, traffic_violations
from simulation.plants.cars import Car
from simulation.plants.day import pair
from simulation.plants.planner import DAY, HOUR, MIN, Planner, china_date
from simulation.plants.world import NONE, NORMAL, SUSPECTED, UNDETERMINED, stamp

# --- fuel_consumption -------------------------------------------------------------------------------------------------

#: What a trip of the baseline takes, ml. Every trip of a driver is the same, so ratios of litres are those of litres
#: per kilometre, whatever the trip's length is: exactly 15 % can be planted without measuring it.
TRIP_ML = 16_000
#: Litres of a tank so small that it decides nothing.
SMALL = "0.5"
FAR_M = 80_000.0


def _driver(
    p: Planner, kind: str, baseline: Sequence[Sequence[int]], now: Sequence[int | None], reason: str, *,
    tank: str = SMALL, of: Car | None = None, **fields: Any,
) -> tuple[Car, str, list[int]]:  # fmt: skip
    """A driver with trips of 160 km. ``baseline``: of each of three months the millilitres filled after each trip;
    ``now``: the same of the month (None = nothing filled). ``tank``: litres that the vehicle holds; ``of``: the driver is
    that of another car, and the label is that one's. Gives the car, its card and the times of the fills."""
    p.kind = kind
    car = p.car(p.organisations[1], exact=True, from_s=p.earliest_s + 12 * HOUR, tank=tank, **fields)
    driver = (of or car).driver
    centre = np.array(p.organisation(car).centre)
    out = (centre - p.network.nodes[p.organisation(car).gate]) / 105.0
    pump = _pump(p)
    card, fills = p.card(car), []
    months = [*((-3 + k, litres) for k, litres in enumerate(baseline)), (0, now)]
    for month, litres in months:
        for k, millilitres in enumerate(litres):
            day = (p.workdays()[2 + 4 * k]) if month == 0 else 5 + 6 * k
            start = p.at(
                day, 10, month=month
            )  # by day: never off hours, whatever the calendar says of orders
            marks = p.go_straight(
                car, start, [(pair(centre + FAR_M * out), 22.0), (None, 10 * MIN)], every_s=60
            )
            back = marks[-2][0] + MIN
            p.order(car, start + MIN, back, [p.place(None, "外地")], driver=driver)
            if millilitres is not None:
                fills.append(back + 30 * MIN)
                p.fill(card, fills[-1], pump, millilitres)
            car.awake.append((back + MIN, back + 2 * HOUR))
    if reason:
        _consumption(p, of or car, reason)
    return car, card, fills


def _pump(p: Planner) -> str:
    """The unit's own pump, in its yard."""
    for fact in p.facts:
        if fact.kind == "fuel-stations" and fact.body["name"] == "内部加油点":
            return str(fact.body["id"])
    return p.station(p.organisations[1].centre, name="内部加油点")


def _consumption(p: Planner, car: Car, reason: str) -> None:
    outcome = {"higher": SUSPECTED, "within": NORMAL}.get(reason, UNDETERMINED)
    subject = fuel_consumption.subject(car.driver, p.month.strftime("%Y-%m"), "fuel")
    severity = "medium" if outcome == SUSPECTED else ""
    p.expect("fuel_consumption", outcome, subject, reason=reason, severity=severity)


def drivers(p: Planner) -> None:
    """115 % after a tank at each end, and a millilitre less; 115 % of what was bought, and a millilitre less; the pooled
    baseline; too little of anything; another class of vehicle; a reversal; a fill that comes late."""
    usual = [[TRIP_ML]] * 3
    limit = TRIP_ML * 115 // 100
    # With a tank of 12 l: (2 x 29 - 12) on two trips is 115 % of (3 x 16 + 12) on three.
    _driver(p, "exactly_15_percent", usual, [29_000, 29_000], "higher", tank="12")
    _driver(p, "tank_may_explain_it", usual, [29_000, 28_999], "tank", tank="12")
    _driver(p, "below_15_percent", usual, [limit, limit - 1], "within")
    sedan, _, _ = _driver(p, "other_class", usual, [], "")
    _driver(p, "other_class", [[], [], []], [30_000, 30_000], "class_changed", of=sedan, category="大型客车")
    # Pooled, a mean of the months' own figures would say the contrary in both.
    uneven = [[TRIP_ML // 2], [TRIP_ML], [24_000, 24_000]]  # 18 l a trip; by the months' figures 16
    _driver(p, "pooled_baseline", uneven, [19_500] * 2, "within")
    _driver(p, "pooled_baseline", [[2 * TRIP_ML], [TRIP_ML], [TRIP_ML, TRIP_ML]], [23_500] * 2, "higher")
    _driver(p, "month_missing", [[TRIP_ML], [], [TRIP_ML]], [30_000, 30_000], "baseline_months")
    _driver(p, "too_few_kilometres", usual, [40_000], "mileage")
    _driver(p, "too_few_fills", usual, [40_000, None], "fills")
    _, card, fills = _driver(p, "fill_taken_back", usual, [TRIP_ML, TRIP_ML], "within")
    row = p.fill(card, fills[-1] + 15 * MIN, _pump(p), 20_000)
    p.fill(
        card, fills[-1] + 20 * MIN, _pump(p), 20_000, kind="reversal", amount="-150.00", reverses=row,
        entered_s=fills[-1] + 3 * DAY,
    )  # fmt: skip
    # Four trips, of which two were not seen for their last 100 minutes of some 160: 64 l on 480 km of the 640 driven.
    car, _, fills = _driver(p, "half_seen", usual, [TRIP_ML] * 4, "no_track")
    for filled in fills[-2:]:
        car.silent.append((filled - 2 * HOUR - 10 * MIN, filled - 29 * MIN))
    _, card, fills = _driver(p, "statement_late", usual, [TRIP_ML, TRIP_ML], "higher")
    # Some minutes after another payment at the same pump: one fill, so nothing else is suspected.
    p.fill(card, fills[-1] + 5 * MIN, _pump(p), 9_000, entered_s=p.judged_s - 2 * DAY)


# --- traffic_violations -----------------------------------------------------------------------------------------------


def _violation(p: Planner, car: Car, at_s: int, entered_s: int | None = None, **fields: Any) -> str:
    body: dict[str, Any] = {
        "id": p.number("W"), "plate": car.plate, "at": stamp(at_s), "place": "通京大道", "act": "超速", "fine": "200",
        "points": 3,
    } | fields  # fmt: skip
    p.enter(at_s + 2 * DAY if entered_s is None else entered_s, "violations", body)
    return str(body["id"])


def _months(p: Planner, car: Car, outcome: str, reason: str, month: int = 0, severity: str = "") -> None:
    day = p.at(15, 0, month=month)
    subject = traffic_violations.subject("vehicle", car.id, china_date(day).strftime("%Y-%m"))
    p.expect("traffic_violations", outcome, subject, reason=reason, severity=severity)


def violations(p: Planner) -> None:
    """Two and one in a month; a month back to the very moment and a second more; revoked, appealed, doubled, late."""
    unit = p.organisations[0]

    def case(kind: str, reason: str, *times: int, **fields: Any) -> tuple[Car, list[str]]:
        p.kind = kind
        car = p.car(unit, terminal=False)
        rows = [_violation(p, car, t, **fields) for t in times]
        _months(
            p, car, SUSPECTED if reason == "repeated" else NORMAL, reason,
            severity="medium" if reason == "repeated" else "",
        )  # fmt: skip
        return car, rows

    def again(row: str, at_s: int, **fields: Any) -> None:
        known = next(f for f in p.facts if f.key == ("violations", row))
        p.enter(at_s, "violations", known.body | fields)

    last = _last_day(p.month)
    before = last if _last_day(p.month, -1) >= last else _last_day(p.month, -1)
    case("two", "repeated", p.at(8, 9), p.at(20, 17))
    case("one", "few", p.at(8, 9))
    case("parking", "none", p.at(8, 9), p.at(9, 9), act="违停")
    case("parking_by_its_code", "none", p.at(8, 9), p.at(9, 9), act="机动车违反规定", code="10391")
    case("two_cameras", "few", p.at(8, 9), p.at(8, 9) + 5 * MIN)
    case("two_cameras_too_late", "repeated", p.at(8, 9), p.at(8, 9) + 5 * MIN + 1)
    here: dict[str, Any] = {"lat": 32.0, "lon": 120.9, "datum": "wgs84"}
    p.kind = "two_cameras_too_far"  # 55 km in four minutes
    car = p.car(unit, terminal=False)
    _violation(p, car, p.at(8, 9), **here)
    _violation(p, car, p.at(8, 9) + 4 * MIN, **here | {"lat": 32.5})
    _months(p, car, SUSPECTED, "repeated", severity="medium")
    _drivers_own(p)
    # The last day of the month before and the last of this one, at one and the same second: within a month.
    car, _ = case("a_month_to_the_second", "repeated", p.at(before, 10, month=-1), p.at(last, 10))
    _months(p, car, NORMAL, "few", month=-1)
    case("a_second_too_long", "few", p.at(before, 10, month=-1) - 1, p.at(last, 10))
    _, rows = case("revoked", "few", p.at(8, 9), p.at(20, 17))
    again(rows[1], p.at(26, 9), status="revoked")
    _, rows = case("appealed", "few", p.at(8, 9), p.at(20, 17))
    again(rows[0], p.at(26, 9), status="appealed")
    _, rows = case("same_number_twice", "few", p.at(8, 9))
    again(rows[0], p.at(12, 9))
    car, _ = case("late_record", "repeated", p.at(8, 9))
    _violation(p, car, p.at(10, 9), entered_s=p.judged_s - 2 * DAY)
    car, _ = case("three", "repeated", p.at(8, 9), p.at(9, 9), p.at(10, 9))
    # What happened before this plate was an official vehicle's is not its own.
    p.kind = "before_registration"
    car = p.car(unit, terminal=False, registered_on=p.iso(15))
    _violation(p, car, p.at(9, 9))
    _violation(p, car, p.at(20, 9))
    _months(p, car, NORMAL, "few")
    p.kind = "plate_of_nobody"
    p.enter(
        p.at(9, 9), "violations",
        {"id": p.number("W"), "plate": f"苏FZ{p.seed % 10}999", "at": stamp(p.at(8, 9)), "act": "超速"},
    )  # fmt: skip
    p.expect("traffic_violations", NONE, f"plate:{p.seed}")


def _drivers_own(p: Planner) -> None:
    """In a unit that counts by driver, because the unit above it does (``month_cards.bindings``): from the actual departure
    to the actual return, to the second."""
    lower, day = f"ORG-{p.seed}-LOW", 14
    leave, back = p.at(day, 9), p.at(day, 11)
    for kind, first, last, reason in (
        ("driver_to_the_second", leave, back, "repeated"), ("driver_a_second_early", leave - 1, back, "few"),
        ("driver_a_second_late", leave, back + 1, "few"),
    ):  # fmt: skip
        p.kind = kind
        car = p.car(p.organisations[0], terminal=False)
        next(f for f in p.facts if f.key == ("vehicles", car.id)).body["organisation"] = lower
        driver = f"{car.driver}-L"
        p.enter(p.earliest_s + 5, "drivers", {"id": driver, "name": "外勤", "organisation": lower})
        p.order(car, leave, back, [p.place(None, "市区")], driver=driver, organisation=lower)
        for at_s in (first, last):
            _violation(p, car, at_s)
        subject = traffic_violations.subject("driver", driver, china_date(leave).strftime("%Y-%m"))
        outcome = SUSPECTED if reason == "repeated" else NORMAL
        severity = "medium" if reason == "repeated" else ""
        p.expect("traffic_violations", outcome, subject, reason=reason, severity=severity)


def _last_day(month: date, shift: int = 0) -> int:
    index = month.year * 12 + month.month - 1 + shift + 1
    return date.fromordinal(date(index // 12, index % 12 + 1, 1).toordinal() - 1).day


ONCE: tuple[Callable[[Planner], None], ...] = (drivers, violations)
