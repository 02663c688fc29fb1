"""Which driver goes with which vehicle: of a plan one for its whole time, as it is done (专车专人); for one request the best that is free."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from office.dispatch.planner.facts import Busy, Car, Driver, Facts, Trip
from office.dispatch.planner.reasons import Why
from office.dispatch.planner.solving import assign
from office.dispatch.planner.travel import seconds_of, straight_m
from office.dispatch.planner.weights import REST_S, Weights
from office.dispatch.planner.world import licensed
from registry.shifts import on_duty
from runtime.arrays import Bools, Ints

#: A vehicle without any driver serves hardly anything.
_NOBODY: Final = 1_000_000
#: A driver who does not work at the time of most requests is of little use: what that counts at most, in 分.
_OFF: Final = 20_000
#: A driver who drives another vehicle so shortly before or after is not taken while there are others, in seconds and 分.
_NEAR_S, _ELSEWHERE = 2 * 3600, 5_000


def pairs(facts: Facts, weights: Weights) -> dict[str, str | None]:
    """Vehicle -> driver, None = nobody is left. Who was told to drive a vehicle stays with it."""
    cars, drivers = sorted(facts.cars, key=lambda c: c.id), sorted(facts.drivers, key=lambda d: d.id)
    departs = {trip.id: trip.departs_s for trip in facts.trips}
    known, there = {driver.id for driver in drivers}, {car.id for car in cars}
    found: dict[str, str | None] = {}
    for told in sorted(facts.told, key=lambda t: (departs[t.trip], t.trip)):
        if told.driver in known and told.car in there and told.car not in found and told.driver not in found.values():  # fmt: skip
            found[told.car] = told.driver
    taken = set(found.values())
    cars, drivers = [c for c in cars if c.id not in found], [d for d in drivers if d.id not in taken]
    if cars and drivers:
        cost, possible = _costs(cars, drivers, weights)
        cost += np.array([_off(driver, facts.trips) for driver in drivers], np.int64)[None, :]
        chosen = assign(cost, possible, np.full(len(cars), _NOBODY, np.int64))
        found |= {
            car.id: drivers[k].id if k >= 0 else None for car, k in zip(cars, chosen.tolist(), strict=True)
        }
    return found


def best_drivers(
    facts: Facts, weights: Weights, trip: Trip, cars: Sequence[Car], tried: Collection[tuple[str, str]] = ()
) -> dict[str, str | None]:
    """Vehicle -> the driver who would drive it for ``trip``: one who is free, as far as that is known without his ways; several vehicles may have the same. ``tried``: (vehicle, driver) that do
    not go together."""
    trips = {each.id: each for each in facts.trips}
    told: dict[str, list[tuple[Trip, str]]] = {}
    for each in facts.told:
        if each.driver is not None:
            told.setdefault(each.driver, []).append((trips[each.trip], each.car))
    free = [driver for driver in sorted(facts.drivers, key=lambda d: d.id) if _is_free(driver, trip, [t for t, _ in told.get(driver.id, ())])]  # fmt: skip
    if not free or not trip.with_driver:
        return {}
    cost, possible = _costs(cars, free, weights)
    number = {car.id: k for k, car in enumerate(cars)}
    column = {driver.id: k for k, driver in enumerate(free)}
    for driver, own in told.items():
        if driver not in column:
            continue
        # Who drives the vehicle before or after goes on with it; who drives another one may not be back in time.
        for other, car in own:
            if other.returns_s > trip.departs_s - _NEAR_S and other.departs_s < trip.returns_s + _NEAR_S:
                cost[:, column[driver]] += _ELSEWHERE
                if car in number:
                    cost[number[car], column[driver]] -= _ELSEWHERE + weights.other_unit_fen
    for car, driver in tried:
        if car in number and driver in column:
            possible[number[car], column[driver]] = False
    cost = np.where(possible, cost, np.iinfo(np.int64).max)
    best = cost.argmin(axis=1)
    return {car.id: free[k].id if possible[row, k] else None for row, (car, k) in enumerate(zip(cars, best.tolist(), strict=True))}  # fmt: skip


def elsewhere(facts: Facts, crew_driver: Mapping[str, str | None], weights: Weights) -> Facts:
    """``facts`` where drivers are taken while they drive another vehicle than that of their crew, with the way there and back and a rest, and where that driving counts for their day."""
    car_of = {driver: car for car, driver in crew_driver.items() if driver is not None}
    bases = {car.id: car.base for car in facts.cars}
    trips = {trip.id: trip for trip in facts.trips}
    more: dict[str, list[Busy]] = {}
    driven: dict[str, list[tuple[int, int, int]]] = {}
    for told in facts.told:
        if told.driver is None or car_of.get(told.driver) in (None, told.car):
            continue
        trip, base = trips[told.trip], bases[car_of[told.driver]]
        out = 0 if base is None else seconds_of(straight_m([base, trip.origin]))
        home = 0 if base is None else seconds_of(straight_m([trip.end, base]))
        turn = max(60 * weights.turnaround_min, REST_S)
        driven.setdefault(told.driver, []).append((trip.departs_s, trip.returns_s, trip.drive_s + out + home))
        more.setdefault(told.driver, []).append(Busy(trip.departs_s - out - turn, trip.returns_s + home + turn, Why.DRIVER_TAKEN))  # fmt: skip
    if not more:
        return facts
    drivers = [replace(d, busy=(*d.busy, *more.get(d.id, ())), driven=(*d.driven, *driven.get(d.id, ()))) for d in facts.drivers]  # fmt: skip
    return replace(facts, drivers=tuple(drivers))


def _costs(cars: Sequence[Car], drivers: Sequence[Driver], weights: Weights) -> tuple[Ints, Bools]:
    units = {unit: k for k, unit in enumerate(sorted({c.unit for c in cars}))}
    car_unit = np.array([units[c.unit] for c in cars])
    driver_unit = np.array([units.get(d.unit, -1) for d in drivers])
    cost = np.where(car_unit[:, None] == driver_unit[None, :], 0, weights.other_unit_fen).astype(np.int64)
    number = {car.id: k for k, car in enumerate(cars)}
    for k, driver in enumerate(drivers):
        cost[:, k] += driver.load_s * weights.fairness_fen_h // 3600
        if driver.familiar is not None:
            knows = [number[car] for car in driver.familiar if car in number]
            cost[:, k] += weights.unfamiliar_fen
            cost[knows, k] -= weights.unfamiliar_fen
    if all(c.licences is None for c in cars) or all(d.licences is None for d in drivers):
        return cost, np.ones(cost.shape, bool)
    return cost, np.array([[licensed(car, driver) for driver in drivers] for car in cars], bool)


def _is_free(driver: Driver, trip: Trip, told: Sequence[Trip]) -> bool:
    free = all(b.since_s >= trip.returns_s or b.until_s <= trip.departs_s for b in driver.busy)
    free &= all(t.departs_s >= trip.returns_s or t.returns_s <= trip.departs_s for t in told)
    return (
        on_duty(driver.duty, trip.departs_s, trip.returns_s)
        and free
        and (driver.user is None or driver.user not in trip.decided)
    )


def _off(driver: Driver, trips: Sequence[Trip]) -> int:
    if driver.duty is None or not trips:
        return 0
    missed = sum(not any(since <= t.departs_s and t.returns_s <= until for since, until in driver.duty) for t in trips)  # fmt: skip
    return _OFF * missed // len(trips)
