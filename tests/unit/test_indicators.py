"""Indicators, computed again by other means: minute by minute and day by day, after the words that are printed with them."""

from __future__ import annotations

import random
import statistics
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from office.statistics.indicators.computing import Measured, compute
from office.statistics.indicators.definitions import DEFINITIONS, NOT_PUBLISHED, UseIndicator
from office.statistics.indicators.facts import (
    CostFact,
    DispatchFact,
    Facts,
    OrderFact,
    RequestFact,
    VehicleFact,
)
from registry.working_days import Calendar
from runtime.units import CHINA, midnight

Ind = UseIndicator
SINCE, UNTIL = date(2026, 3, 1), date(2026, 4, 1)
DAYS = [SINCE + timedelta(days=k) for k in range(31)]
#: Saturdays and Sundays are off, and the 4th.
CALENDAR = Calendar(
    {
        day: (day.weekday() < 5 and day.day != 4, "")
        for day in [date(2026, 2, 20) + timedelta(days=k) for k in range(60)]
    }
)
MINUTE = timedelta(minutes=1)


def near(moment: datetime) -> date:
    return moment.astimezone(CHINA).date()


def made(seed: int) -> Facts:
    r = random.Random(seed)
    start = midnight(SINCE)

    def at(low: int = -3, high: int = 33) -> datetime:
        return start + r.randrange(low * 1440, high * 1440) * MINUTE

    cars = [f"c{k}" for k in range(6)]
    orders, dispatches = [], []
    odometer = dict.fromkeys(cars, 1_000_000)
    for car in cars:
        moments = sorted(at() for _ in range(40))
        for left, back in zip(moments[::2], moments[1::2], strict=True):
            if left == back:
                continue
            orders.append(
                OrderFact(
                    car,
                    left,
                    None if r.random() < 0.1 else back + r.randrange(0, 300) * MINUTE,
                    r.random() < 0.2,
                )
            )
            out = odometer[car] + r.choice((0, 0, 1_300))
            odometer[car] = out + r.randrange(0, 90_000)
            planned = left + r.randrange(-30, 12) * MINUTE
            none = car == "c5" and r.random() < 0.2
            dispatches.append(
                DispatchFact(car, r.random() < 0.8, (planned, planned + r.randrange(30, 600) * MINUTE), left, back, None if none else out, odometer[car], r.random() < 0.1, r.randrange(1, 4))
            )  # fmt: skip
    for _ in range(12):
        planned = at()
        dispatches.append(
            DispatchFact(
                r.choice(cars),
                r.random() < 0.8,
                (planned, planned + 90 * MINUTE),
                None,
                None,
                None,
                None,
                False,
                1,
            )
        )
    requests = []
    for _ in range(60):
        submitted = at(0, 30)
        approved = None if r.random() < 0.2 else submitted + r.randrange(0, 3000) * MINUTE
        assigned = None if approved is None or r.random() < 0.2 else approved + r.randrange(0, 3000) * MINUTE
        requests.append(
            RequestFact(
                r.random() < 0.8, submitted, approved, assigned, r.random() < 0.1, r.choice((None, 3, 4, 5))
            )
        )
    vehicles = []
    for k, car in enumerate(cars):
        idle = tuple((moment, moment + r.randrange(60, 5000) * MINUTE) for moment in (at(), at(), at()))
        vehicles.append(
            VehicleFact(
                car,
                (date(2026, 3, 7) if k == 0 else date(2020, 1, 1), date(2026, 3, 20) if k == 1 else date.max),
                r.choice(("painted", "missing", "exempt", "")),
                idle,
            )
        )
    costs = [
        CostFact(r.choice(cars), r.choice(("fuel", "fuel", "fuel", "charging", "toll", "depreciation", "overtime")), near(at()), r.random() < 0.9, r.randrange(100, 90_000), r.randrange(20_000, 60_000))
        for _ in range(120)
    ]  # fmt: skip
    return Facts(
        (start, midnight(UNTIL)),
        midnight(date(2026, 4, 9)),
        CALENDAR,
        tuple(orders),
        tuple(dispatches),
        tuple(requests),
        tuple(vehicles),
        tuple(costs),
    )


def office_minutes(begin: datetime, end: datetime) -> int:
    count, moment = 0, begin
    while moment < end:
        here = moment.astimezone(CHINA)
        count += bool(CALENDAR.workday(here.date())) and 8 <= here.hour < 18
        moment += MINUTE
    return count


def by_other_means(facts: Facts) -> dict[UseIndicator, float | None]:
    begin, end = facts.within
    found: dict[UseIndicator, float | None] = {}

    def ratio(above: float, below: float) -> float | None:
        return above / below if below else None

    departed = [o for o in facts.orders if begin <= o.left < end]
    found[Ind.TRIPS] = len(departed)
    found[Ind.BACKFILLED] = ratio(100 * len([o for o in departed if o.backfill]), len(departed))
    minutes = set()
    for o in facts.orders:
        moment = o.left
        while o.back is not None and moment < o.back:
            if begin <= moment < end:
                minutes.add((o.vehicle, moment))
            moment += MINUTE
    found[Ind.TASK_HOURS] = len(minutes) / 60
    out = {(o.vehicle, near(o.left)) for o in departed}
    possible = set(out)
    for v in facts.vehicles:
        for day in DAYS:
            gone = set()
            for since, until in v.idle:
                moment = max(since, midnight(day))
                while moment < min(until, midnight(day) + timedelta(days=1)):
                    gone.add(moment)
                    moment += MINUTE
            if v.service[0] <= day < v.service[1] and len(gone) < 1440:
                possible.add((v.id, day))
    found[Ind.DEPARTURE_RATE] = ratio(100 * len(out), len(possible))
    used = sum(bool(CALENDAR.workday(near(m))) and 8 <= m.astimezone(CHINA).hour < 18 for _, m in minutes)
    found[Ind.TIME_USE] = ratio(100 * used, 600 * sum(bool(CALENDAR.workday(day)) for _, day in possible))

    km, within_orders, span = {}, {}, {}
    for car in {d.vehicle for d in facts.dispatches}:
        own = sorted(
            (d for d in facts.dispatches if d.vehicle == car and d.left and begin <= d.left < end and d.back),
            key=lambda d: d.left or begin,
        )
        if own and all(d.odometer_out_m is not None for d in own):
            km[car] = (own[-1].odometer_in_m or 0) - (own[0].odometer_out_m or 0)
            within_orders[car] = sum((d.odometer_in_m or 0) - (d.odometer_out_m or 0) for d in own)
            span[car] = (near(own[0].left or begin), max(near(d.back or begin) for d in own))
    found[Ind.DRIVEN_KM], found[Ind.ORDERED_KM] = sum(km.values()) / 1000, sum(within_orders.values()) / 1000
    found[Ind.UNORDERED_KM] = (sum(km.values()) - sum(within_orders.values())) / 1000

    due = [d for d in facts.dispatches if begin <= d.planned[0] < end]
    went = [d for d in facts.dispatches if d.left and begin <= d.left < end]
    normal = [d for d in went if d.normal]
    found[Ind.KEPT_RATE] = ratio(
        100 * len([d for d in due if d.normal and d.left]), len([d for d in due if d.normal])
    )
    back = [d for d in normal if d.back and d.left]
    planned = sum((d.planned[1] - d.planned[0]).total_seconds() for d in back)
    found[Ind.OVERBOOKED] = ratio(
        100 * (planned - sum(((d.back or begin) - (d.left or begin)).total_seconds() for d in back)), planned
    )
    found[Ind.PUNCTUAL] = ratio(
        100 * len([d for d in normal if d.left and (d.left - d.planned[0]).total_seconds() <= 600]),
        len(normal),
    )
    found[Ind.REASSIGNED] = ratio(100 * len([d for d in due if d.reassigned]), len(due))
    found[Ind.POOLED] = ratio(100 * len([d for d in went if d.requests >= 2]), len(went))

    asked = [r for r in facts.requests if r.normal and r.approved]
    took = sorted(office_minutes(r.submitted, r.approved or r.submitted) for r in asked)
    found[Ind.APPROVAL_MEDIAN] = statistics.median(took)
    found[Ind.APPROVAL_P95] = next(t for t in took if len([x for x in took if x <= t]) >= 0.95 * len(took))
    took = sorted(office_minutes(r.approved, r.assigned) for r in asked if r.approved and r.assigned)
    found[Ind.ASSIGNMENT_MEDIAN] = statistics.median(took)
    found[Ind.ASSIGNMENT_P95] = next(t for t in took if len([x for x in took if x <= t]) >= 0.95 * len(took))
    agreed = [r for r in facts.requests if r.approved]
    found[Ind.NO_VEHICLE] = ratio(100 * len([r for r in agreed if r.no_vehicle]), len(agreed))
    found[Ind.RATING] = statistics.mean(r.rating for r in facts.requests if r.rating)

    running = [c for c in facts.costs if c.booked and c.kind not in ("depreciation", "overtime")]
    held = [v for v in facts.vehicles if any(v.service[0] <= day < v.service[1] for day in DAYS)]
    found[Ind.COST_OF_VEHICLE] = ratio(sum(c.fen for c in running) / 100, len(held))
    found[Ind.COST_PER_KM] = ratio(
        sum(c.fen for c in running if c.vehicle in km) / 100, sum(km.values()) / 1000
    )
    for indicator, kind in ((Ind.FUEL, "fuel"), (Ind.POWER, "charging")):
        litres = metres = 0.0
        for car, driven in km.items():
            fills = [
                c.quantity or 0
                for c in facts.costs
                if c.vehicle == car and c.kind == kind and span[car][0] <= c.on <= span[car][1]
            ]
            if len(fills) >= 3 and driven >= 300_000:
                litres, metres = litres + sum(fills) / 1000, metres + driven
        found[indicator] = ratio(100 * litres, metres / 1000)
    marks = [v.marking for v in held]
    found[Ind.MARKED] = ratio(100 * marks.count("painted"), marks.count("painted") + marks.count("missing"))
    return found


def value(measured: Measured) -> float | None:
    return None if measured.value is None else float(measured.value)


@pytest.mark.parametrize("seed", range(2))
def test_each_number_is_what_its_words_say(seed: int) -> None:
    facts = made(seed)
    found, again = compute(facts), by_other_means(facts)
    assert list(found) == list(UseIndicator) == list(DEFINITIONS)
    assert found.keys() == again.keys()
    for indicator, expected in again.items():
        assert value(found[indicator]) == (None if expected is None else pytest.approx(expected)), indicator
        assert (expected is None) == bool(found[indicator].why), indicator


def test_nothing_is_undetermined_and_not_zero() -> None:
    empty = Facts((midnight(SINCE), midnight(UNTIL)), midnight(UNTIL), CALENDAR)
    found = compute(empty)
    told = {indicator for indicator, each in found.items() if each.value is not None}
    assert told == {Ind.TRIPS, Ind.TASK_HOURS}  # sums of nothing are nothing
    assert all(" · " in found[indicator].why for indicator in UseIndicator if indicator not in told)


def test_a_day_that_nobody_knows_is_not_guessed() -> None:
    facts: Any = made(1)
    unknown = Facts(
        facts.within,
        facts.now,
        Calendar(unreadable={"2026-03-10": "x"}),
        facts.orders,
        (),
        facts.requests,
        facts.vehicles,
        (),
    )
    found = compute(unknown)
    assert found[Ind.TIME_USE].value is None
    assert "2026-03-10" in found[Ind.TIME_USE].why
    assert found[Ind.DEPARTURE_RATE].value is not None


def test_what_is_not_published_says_why() -> None:
    assert all(len(why) > 20 and " · " in why for why in NOT_PUBLISHED.values())
    assert "94%" in NOT_PUBLISHED["服务总时长"]
