"""The indicators of a period, from its facts. Pure: one function for each group, after the words in ``definitions``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final

from office.statistics.indicators.definitions import UseIndicator
from office.statistics.indicators.facts import CostFact, DispatchFact, Facts, RequestFact, VehicleFact
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
from runtime.units import CHINA, midnight

_PUNCTUAL: Final = timedelta(minutes=10)
_LEAST_FILLS: Final = 3
_LEAST_M: Final = 300_000
#: Kinds that are no running cost of a vehicle: shown apart, and wages.
_NOT_COUNTED: Final = frozenset({"depreciation", "overtime"})
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


def _within(facts: Facts, moment: datetime | None) -> bool:
    return moment is not None and facts.within[0] <= moment < facts.within[1]


def _of_orders(facts: Facts) -> _Found:
    departed = [order for order in facts.orders if _within(facts, order.left)]
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
            missing += _within(facts, order.left)
        elif (part := clipped((order.left, order.back), facts.within)) is not None:
            counted += 1
            by_vehicle[order.vehicle].append(part)
    tasks = {vehicle: union(spans) for vehicle, spans in by_vehicle.items()}
    hours = Fraction(sum(map(seconds, tasks.values())), 3600)
    departures = {
        (order.vehicle, order.left.astimezone(CHINA).date())
        for order in facts.orders
        if _within(facts, order.left)
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


def _readings(facts: Facts) -> tuple[dict[str, tuple[int, int, date, date]], int]:
    """Of each vehicle with odometer readings that do not run backwards: m driven, m within dispatches, first and last day. And how many have none."""
    by_vehicle: dict[str, list[DispatchFact]] = defaultdict(list)
    for dispatch in facts.dispatches:
        if _within(facts, dispatch.left) and dispatch.back is not None:
            by_vehicle[dispatch.vehicle].append(dispatch)
    found, missing = {}, 0
    for vehicle, dispatches in by_vehicle.items():
        read = [d for d in dispatches if d.odometer_out_m is not None and d.odometer_in_m is not None]
        read.sort(key=lambda d: d.left or d.planned[0])
        pairs = [(d.odometer_out_m or 0, d.odometer_in_m or 0) for d in read]
        flat = [reading for pair in pairs for reading in pair]
        if len(read) < len(dispatches) or flat != sorted(flat):
            missing += 1
            continue
        first, last = read[0].left, max(d.back for d in read if d.back is not None)
        found[vehicle] = (
            flat[-1] - flat[0], sum(back - out for out, back in pairs), (first or last).astimezone(CHINA).date(), last.astimezone(CHINA).date()
        )  # fmt: skip
    return found, missing


def _of_odometers(facts: Facts) -> _Found:
    found, missing = _readings(facts)
    if not found:
        nothing = Measured(
            None, 0, missing, why="没有车辆有完整的里程表读数 · no vehicle has all odometer readings"
        )
        return dict.fromkeys(
            (UseIndicator.DRIVEN_KM, UseIndicator.ORDERED_KM, UseIndicator.UNORDERED_KM), nothing
        )
    driven, ordered = sum(each[0] for each in found.values()), sum(each[1] for each in found.values())
    return {
        UseIndicator.DRIVEN_KM: Measured(Fraction(driven, 1000), len(found), missing),
        UseIndicator.ORDERED_KM: Measured(Fraction(ordered, 1000), len(found), missing),
        UseIndicator.UNORDERED_KM: Measured(Fraction(driven - ordered, 1000), len(found), missing),
    }


# --- dispatches, requests


def _of_dispatches(facts: Facts) -> _Found:
    due = [d for d in facts.dispatches if _within(facts, d.planned[0])]
    past = [d for d in due if d.normal and d.planned[0] < facts.now]
    departed = [d for d in facts.dispatches if _within(facts, d.left)]
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
    running = [cost for cost in facts.costs if cost.booked and cost.kind not in _NOT_COUNTED]
    readings, missing = _readings(facts)
    known = sum(cost.fen for cost in running if cost.vehicle in readings)
    metres = sum(each[0] for each in readings.values())
    per_km = _share(known, metres, missing, times=10, n=len(readings))
    held = sum(1 for vehicle in facts.vehicles if _in_service(facts, vehicle))
    return {
        # 分 a vehicle -> yuan; 分 a metre -> yuan a km.
        UseIndicator.COST_OF_VEHICLE: _per(_share(sum(cost.fen for cost in running), held, times=1), 100),
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


def _per_100km(facts: Facts, readings: Mapping[str, tuple[int, int, date, date]], kind: str) -> Measured:
    fills: dict[str, list[CostFact]] = defaultdict(list)
    for cost in facts.costs:
        if cost.kind == kind and cost.fen > 0:
            fills[cost.vehicle].append(cost)
    quantity = metres = judged = 0
    for vehicle, own in fills.items():
        driven, _, first, last = readings.get(vehicle, (0, 0, date.min, date.min))
        within = [cost.quantity for cost in own if first <= cost.on <= last]
        if driven < _LEAST_M or len(within) < _LEAST_FILLS or None in within:
            continue
        judged += 1
        metres += driven
        quantity += sum(each or 0 for each in within)
    if not judged:
        return Measured(
            None,
            0,
            len(fills),
            why="没有车辆加注不少于 3 次、里程不少于 300 公里且都有数量 · no vehicle has 3 fills with quantities and 300 km",
        )
    # ml a metre -> litres in 100 km; Wh the same.
    return Measured(Fraction(100 * quantity, metres), judged, len(fills) - judged, quantity, metres)


def _of_vehicles(facts: Facts) -> _Found:
    marks = [vehicle.marking for vehicle in facts.vehicles if _in_service(facts, vehicle)]
    painted = marks.count("painted")
    return {UseIndicator.MARKED: _share(painted, painted + marks.count("missing"), marks.count(""))}
