"""The indicators of a period, from its facts. Pure: one function for each group, after the words in ``definitions``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from office.statistics.indicators.definitions import UseIndicator
from office.statistics.indicators.facts import Facts, RequestFact, VehicleFact
from office.statistics.indicators.spans import (
    OFFICE_S,
    Span,
    UnknownDayError,
    clipped,
    days_of,
    office_seconds,
    seconds,
    union,
)
from office.statistics.indicators.vehicles import (
    Driven,
    Energy,
    consumption,
    driven_by_vehicle,
    fills_by_vehicle,
    running_costs,
    within,
)
from runtime.units import CHINA, midnight

_PUNCTUAL: Final = timedelta(minutes=10)
_NOTHING: Final = "本期没有这类记录 · there are no such records in the period"


@dataclass(frozen=True, slots=True)
class Measured:
    """``value`` in the unit of its definition, None: it cannot be told, ``why`` says so. ``n``: of how many records; ``missing``: how many lack what is needed."""

    value: Fraction | None
    n: int
    missing: int = 0
    numerator: int | None = None
    denominator: int | None = None
    why: str = ""


_Found = Mapping[UseIndicator, Measured]


def compute(facts: Facts) -> dict[UseIndicator, Measured]:
    """All indicators, in the order of their definitions."""
    found: dict[UseIndicator, Measured] = {}
    for part in (_of_orders, _of_use, _of_odometers, _of_dispatches, _of_requests, _of_costs, _of_vehicles):
        found |= part(facts)
    return {indicator: found[indicator] for indicator in UseIndicator}


def _share(
    numerator: int, denominator: int, missing: int = 0, *, times: int = 100, n: int | None = None
) -> Measured:
    if not denominator:
        return Measured(None, 0, missing, why=_NOTHING)
    return Measured(
        Fraction(times * numerator, denominator),
        denominator if n is None else n,
        missing,
        numerator,
        denominator,
    )


def _of_orders(facts: Facts) -> _Found:
    departed = [order for order in facts.orders if within(facts, order.left)]
    return {
        UseIndicator.TRIPS: Measured(Fraction(len(departed)), len(departed)),
        UseIndicator.BACKFILLED: _share(sum(order.backfill for order in departed), len(departed)),
    }


# --- use of time


def _of_use(facts: Facts) -> _Found:
    """Task hours, and how much of what was possible they are."""
    by_vehicle: dict[str, list[Span]] = defaultdict(list)
    missing, counted = 0, 0
    for order in facts.orders:
        if order.back is None:
            missing += within(facts, order.left)
        elif (part := clipped((order.left, order.back), facts.within)) is not None:
            counted += 1
            by_vehicle[order.vehicle].append(part)
    tasks = {vehicle: union(spans) for vehicle, spans in by_vehicle.items()}
    hours = Fraction(sum(map(seconds, tasks.values())), 3600)
    departures = {
        (order.vehicle, order.left.astimezone(CHINA).date())
        for order in facts.orders
        if within(facts, order.left)
    }
    known = {vehicle.id for vehicle in facts.vehicles}
    departures = {each for each in departures if each[0] in known}
    possible = {
        (vehicle.id, day) for vehicle in facts.vehicles for day in _dispatchable(facts, vehicle)
    } | departures
    return {
        UseIndicator.TASK_HOURS: Measured(hours, counted, missing),
        UseIndicator.DEPARTURE_RATE: _share(len(departures), len(possible)),
        UseIndicator.TIME_USE: _time_use(
            facts, {v: spans for v, spans in tasks.items() if v in known}, possible
        ),
    }


def _time_use(
    facts: Facts, tasks: Mapping[str, Sequence[Span]], possible: Iterable[tuple[str, date]]
) -> Measured:
    try:
        used = sum(office_seconds(span, facts.calendar) for spans in tasks.values() for span in spans)
        worked = 0
        for _, day in possible:
            known = facts.calendar.workday(day)
            if known is None:
                raise UnknownDayError(day)
            worked += known
    except UnknownDayError as error:
        return Measured(None, 0, why=str(error))
    return _share(used, worked * OFFICE_S, n=worked)


def _dispatchable(facts: Facts, vehicle: VehicleFact) -> Iterable[date]:
    """The days of the period, until now, on which it could be sent."""
    until = min(facts.within[1], facts.now)
    if until <= facts.within[0]:
        return
    idle = union(vehicle.idle)
    for day in days_of((facts.within[0], until)):
        start = midnight(day)
        all_day = (start, start + timedelta(days=1))
        if vehicle.service[0] <= day < vehicle.service[1] and not any(
            clipped(span, all_day) == all_day for span in idle
        ):
            yield day


# --- distance


def _readings(facts: Facts) -> tuple[dict[str, Driven], int]:
    """Of each vehicle with odometer readings that do not run backwards: what it has driven. And how many have none."""
    by_vehicle = driven_by_vehicle(facts)
    found = {vehicle: driven for vehicle, driven in by_vehicle.items() if isinstance(driven, Driven)}
    return found, len(by_vehicle) - len(found)


def _of_odometers(facts: Facts) -> _Found:
    found, missing = _readings(facts)
    if not found:
        nothing = Measured(
            None, 0, missing, why="没有车辆有完整的里程表读数 · no vehicle has all odometer readings"
        )
        return dict.fromkeys(
            (UseIndicator.DRIVEN_KM, UseIndicator.ORDERED_KM, UseIndicator.UNORDERED_KM), nothing
        )
    driven, ordered = (
        sum(each.metres for each in found.values()),
        sum(each.ordered_m for each in found.values()),
    )
    return {
        UseIndicator.DRIVEN_KM: Measured(Fraction(driven, 1000), len(found), missing),
        UseIndicator.ORDERED_KM: Measured(Fraction(ordered, 1000), len(found), missing),
        UseIndicator.UNORDERED_KM: Measured(Fraction(driven - ordered, 1000), len(found), missing),
    }


# --- dispatches, requests


def _of_dispatches(facts: Facts) -> _Found:
    due = [d for d in facts.dispatches if within(facts, d.planned[0])]
    past = [d for d in due if d.normal and d.planned[0] < facts.now]
    departed = [d for d in facts.dispatches if within(facts, d.left)]
    normal = [d for d in departed if d.normal]
    ended = [(d.planned, (d.left, d.back)) for d in normal if d.left is not None and d.back is not None]
    planned = sum(seconds([each]) for each, _ in ended)
    actual = sum(seconds([each]) for _, each in ended)
    return {
        UseIndicator.KEPT_RATE: _share(sum(d.left is not None for d in past), len(past)),
        UseIndicator.OVERBOOKED: _share(planned - actual, planned, len(normal) - len(ended), n=len(ended)),
        UseIndicator.PUNCTUAL: _share(
            sum(d.left is not None and d.left <= d.planned[0] + _PUNCTUAL for d in normal), len(normal)
        ),
        UseIndicator.REASSIGNED: _share(sum(d.reassigned for d in due), len(due)),
        UseIndicator.POOLED: _share(sum(d.requests > 1 for d in departed), len(departed)),
    }


def _of_requests(facts: Facts) -> _Found:
    normal = [request for request in facts.requests if request.normal]
    approved = [request for request in facts.requests if request.approved is not None]
    rated = [request.rating for request in facts.requests if request.rating is not None]
    approval = _quantiles(facts, normal, lambda r: None if r.approved is None else (r.submitted, r.approved))
    assignment = _quantiles(
        facts,
        normal,
        lambda r: None if r.approved is None or r.assigned is None else (r.approved, r.assigned),
    )
    return {
        UseIndicator.APPROVAL_MEDIAN: approval[0],
        UseIndicator.APPROVAL_P95: approval[1],
        UseIndicator.ASSIGNMENT_MEDIAN: assignment[0],
        UseIndicator.ASSIGNMENT_P95: assignment[1],
        UseIndicator.NO_VEHICLE: _share(sum(request.no_vehicle for request in approved), len(approved)),
        UseIndicator.RATING: _share(sum(rated), len(rated), len(facts.requests) - len(rated), times=1),
    }


def _quantiles(
    facts: Facts, requests: Sequence[RequestFact], span_of: Callable[[RequestFact], Span | None]
) -> tuple[Measured, Measured]:
    """Median and 95th percentile (nearest rank) of the office hours of spans, in minutes."""
    spans = [span for request in requests if (span := span_of(request)) is not None and span[0] <= span[1]]
    missing = len(requests) - len(spans)
    try:
        took = sorted(0 if span[0] == span[1] else office_seconds(span, facts.calendar) for span in spans)
    except UnknownDayError as error:
        unknown = Measured(None, 0, missing, why=str(error))
        return unknown, unknown
    if not took:
        nothing = Measured(None, 0, missing, why=_NOTHING)
        return nothing, nothing
    middle = Fraction(took[(len(took) - 1) // 2] + took[len(took) // 2], 2)
    high = Fraction(took[-(-95 * len(took) // 100) - 1])
    return Measured(middle / 60, len(took), missing), Measured(high / 60, len(took), missing)


# --- money, energy, marks


def _of_costs(facts: Facts) -> _Found:
    running = {vehicle: sum(kinds.values()) for vehicle, kinds in running_costs(facts).items()}
    readings, missing = _readings(facts)
    known = sum(fen for vehicle, fen in running.items() if vehicle in readings)
    metres = sum(each.metres for each in readings.values())
    per_km = _share(known, metres, missing, times=10, n=len(readings))
    held = sum(1 for vehicle in facts.vehicles if _in_service(facts, vehicle))
    return {
        # 分 a vehicle -> yuan; 分 a metre -> yuan a km.
        UseIndicator.COST_OF_VEHICLE: _per(_share(sum(running.values()), held, times=1), 100),
        UseIndicator.COST_PER_KM: per_km,
        UseIndicator.FUEL: _per_100km(facts, readings, "fuel"),
        UseIndicator.POWER: _per_100km(facts, readings, "charging"),
    }


def _per(measured: Measured, by: int) -> Measured:
    if measured.value is None:
        return measured
    return Measured(
        measured.value / by, measured.n, measured.missing, measured.numerator, measured.denominator
    )


def _in_service(facts: Facts, vehicle: VehicleFact) -> bool:
    days = days_of(facts.within)
    return vehicle.service[0] <= days[-1] and vehicle.service[1] > days[0]


def _per_100km(facts: Facts, readings: Mapping[str, Driven], energy: Energy) -> Measured:
    fills = fills_by_vehicle(facts, energy)
    quantity = metres = judged = 0
    for vehicle, own in fills.items():
        driven = readings.get(vehicle)
        used = consumption(facts, own, driven)
        if driven is None or used.value is None:
            continue
        judged += 1
        metres += driven.metres
        quantity += used.quantity
    if not judged:
        return Measured(
            None,
            0,
            len(fills),
            why="没有车辆加注不少于 3 次、里程不少于 300 公里且都有数量 · no vehicle has 3 fills with quantities and 300 km",
        )
    return Measured(Fraction(100 * quantity, metres), judged, len(fills) - judged, quantity, metres)


def _of_vehicles(facts: Facts) -> _Found:
    marks = [vehicle.marking for vehicle in facts.vehicles if _in_service(facts, vehicle)]
    painted = marks.count("painted")
    return {UseIndicator.MARKED: _share(painted, painted + marks.count("missing"), marks.count(""))}
