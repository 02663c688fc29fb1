"""The best vehicles for one request, each with what it costs and why; and why others cannot be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from office.dispatch.planner.chains import Chains
from office.dispatch.planner.crews import best_drivers, elsewhere
from office.dispatch.planner.evaluate import Judged, evaluate
from office.dispatch.planner.facts import Car, Facts, Trip
from office.dispatch.planner.reasons import Why
from office.dispatch.planner.travel import Known
from office.dispatch.planner.weights import Weights
from office.dispatch.planner.world import World

#: So many are told, and of so many that fail why.
BEST, FAILED = 5, 3
#: Vehicles that are looked at with their drivers at a time, and at most.
_AT_ONCE, _MOST = 64, 1_024
#: Drivers that are tried for a vehicle at most, on the average; and what may be better with another one.
_TRIES = 3
_DRIVERS = int(
    Why.DRIVER_OFF
    | Why.DRIVER_LEAVE
    | Why.DRIVER_TAKEN
    | Why.DRIVER_REST
    | Why.DRIVER_DAY
    | Why.DRIVER_DECIDED
    | Why.LICENCE
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A vehicle that can be sent. ``rank``: 1 = the cheapest. ``terms``: {term: 分}, without those that are 0. ``displaces``: told trips that would lose it."""

    rank: int
    car: str
    driver: str | None
    cost_fen: int
    terms: dict[str, int]
    empty_m: int
    displaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A vehicle that cannot be sent. ``why``: bits of ``Why``."""

    car: str
    why: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """``possible``: how many vehicles can be sent, of those that were looked at with their drivers (``_MOST``); ``looked_at``: all vehicles. ``unknown``: what was not judged."""

    best: tuple[Candidate, ...]
    failed: tuple[Failed, ...]
    possible: int
    looked_at: int
    unknown: tuple[str, ...]


def rank(facts: Facts, weights: Weights, trip: str, known: Known | None = None, most: int = BEST) -> Ranking:
    """The ``most`` cheapest vehicles for ``trip``, which is one of ``facts.trips`` and was not told; equal ones by id. The other trips of ``facts`` are those that were told."""
    asked = next(each for each in facts.trips if each.id == trip)
    movable = frozenset(_movable(facts)) if asked.category == "emergency" else frozenset()
    settled = replace(facts, told=tuple(t for t in facts.told if t.trip not in movable))
    # First without drivers, all vehicles together; then those that are left with theirs, the cheapest first.
    world, judged, row = _judged(replace(settled, drivers=(), drivers_known=False), weights, asked, {}, known)
    order = np.lexsort((np.arange(len(world.cars)), judged.cost[row], judged.why[row] != 0)).tolist()
    fitting = [world.cars[k] for k in order if judged.why[row, k] == 0]
    failed = [Failed(world.cars[k].id, int(judged.why[row, k])) for k in order if judged.why[row, k]]
    found: list[Candidate] = []
    possible = 0
    for start in range(0, min(len(fitting), _MOST), _AT_ONCE):
        some = fitting[start : start + _AT_ONCE]
        chosen, nobody = _with_drivers(settled, weights, asked, some, known, set())
        found += chosen
        failed += nobody
        possible += len(chosen)
    found.sort(key=lambda each: (each.cost_fen, each.car))
    if movable:
        found = [_displacing(facts, weights, asked, each, movable, known) for each in found[: 2 * most]]
        found.sort(key=lambda each: (each.cost_fen, each.car))
    best = tuple(replace(each, rank=k) for k, each in enumerate(found[:most], 1))
    # The nearest to being possible first: the fewest things in the way.
    failed.sort(key=lambda each: (each.why.bit_count(), each.car))
    return Ranking(best, tuple(failed), possible, len(facts.cars), unknown_of(facts))


def _judged(facts: Facts, weights: Weights, trip: Trip, crew_driver: dict[str, str | None], known: Known | None) -> tuple[World, Judged, int]:  # fmt: skip
    """``trip`` judged for every vehicle of ``facts`` with its driver; the row of it."""
    facts = elsewhere(facts, crew_driver, weights)
    world = World(facts, weights, crew_driver, known)
    chains = Chains(world)
    for told in sorted(facts.told, key=lambda t: t.trip):
        if told.car in world.car_no:
            chains.put(world.trip_no[told.trip], world.car_no[told.car])
    return world, evaluate(chains, np.array([world.trip_no[trip.id]])), 0


def _with_drivers(facts: Facts, weights: Weights, trip: Trip, cars: Sequence[Car], known: Known | None, tried: set[tuple[str, str]]) -> tuple[list[Candidate], list[Failed]]:  # fmt: skip
    """The vehicles with the drivers who suit them best; where only the driver is in the way, with the next one, _TRIES times."""
    drivers = best_drivers(facts, weights, trip, cars, tried) if facts.drivers_known else {}
    ids = {car.id for car in cars}
    people = {driver for driver in drivers.values() if driver is not None}
    told = tuple(t for t in facts.told if t.car in ids or t.driver in people)
    kept = {trip.id} | {t.trip for t in told}
    # Vehicles of told trips of these drivers come along: where they are is known then.
    cars_too = ids | {t.car for t in told}
    part = replace(
        facts, cars=tuple(c for c in facts.cars if c.id in cars_too), told=told, trips=tuple(t for t in facts.trips if t.id in kept),
        drivers=tuple(d for d in facts.drivers if d.id in people),
    )  # fmt: skip
    chosen: list[Candidate] = []
    failed: list[Failed] = []
    again: list[Car] = []
    world, judged, row = _judged(part, weights, trip, drivers, known)
    for car in cars:
        k = world.car_no[car.id]
        driver = drivers.get(car.id)
        if judged.why[row, k]:
            if (
                driver is not None
                and not int(judged.why[row, k]) & ~_DRIVERS
                and len(tried) < _TRIES * _AT_ONCE
            ):
                again.append(car)
                tried.add((car.id, driver))
                continue
            failed.append(Failed(car.id, int(judged.why[row, k])))
            continue
        terms = {name: int(of[row, k]) for name, of in judged.terms.items() if of[row, k]}
        chosen.append(Candidate(0, car.id, driver, int(judged.cost[row, k]), terms, int(judged.empty_m[row, k])))  # fmt: skip
    if again:
        more, nobody = _with_drivers(facts, weights, trip, again, known, tried)
        chosen, failed = chosen + more, failed + nobody
    return chosen, failed


def _movable(facts: Facts) -> list[str]:
    """Told trips that an emergency may displace: routine, not accepted, not begun (H8)."""
    trips = {trip.id: trip for trip in facts.trips}
    return [
        t.trip
        for t in facts.told
        if not t.accepted
        and trips[t.trip].category in ("other", "rental")
        and trips[t.trip].departs_s > facts.now_s
    ]


def _displacing(facts: Facts, weights: Weights, trip: Trip, found: Candidate, movable: frozenset[str], known: Known | None) -> Candidate:  # fmt: skip
    """The candidate with what it would displace, and what that costs."""
    told = [
        t for t in facts.told if t.car == found.car or (found.driver is not None and t.driver == found.driver)
    ]
    car_told = [t for t in told if t.car == found.car]
    part = replace(facts, cars=tuple(c for c in facts.cars if c.id == found.car), told=(), trips=(trip, *(t for t in facts.trips if t.id in {x.trip for x in told})))  # fmt: skip
    world = World(replace(part, drivers=tuple(d for d in facts.drivers if d.id == found.driver)), weights, {found.car: found.driver}, known)  # fmt: skip
    chains, lost = Chains(world), []
    for each in sorted(car_told, key=lambda t: t.trip):
        if each.trip not in movable:
            chains.put(world.trip_no[each.trip], 0)
    chains.put(world.trip_no[trip.id], 0)
    for each in sorted(told, key=lambda t: t.trip):
        if each.trip not in movable:
            continue
        number = world.trip_no[each.trip]
        rows = np.array([number])
        zero = (np.zeros((1, 1), np.int64), np.zeros((1, 1), np.int64))
        if evaluate(chains, rows, zero).why[0, 0]:
            lost.append(each.trip)
        else:
            chains.put(number, 0)
    more = len(lost) * weights.change_fen
    terms = found.terms | ({"change": more} if more else {})
    return replace(found, cost_fen=found.cost_fen + more, terms=terms, displaces=tuple(lost))


def unknown_of(facts: Facts) -> tuple[str, ...]:
    """What the register does not know of any vehicle or driver, so that it was not judged."""
    cars, drivers = facts.cars, facts.drivers
    checks = {
        "seats": all(c.seats is None for c in cars), "off_road": all(c.off_road is None for c in cars),
        "licences": all(c.licences is None for c in cars) or all(d.licences is None for d in drivers),
        "drivers": not facts.drivers_known, "duty": all(d.duty is None for d in drivers),
        "range": all(c.range_m is None for c in cars), "base": any(c.base is None for c in cars),
    }  # fmt: skip
    return tuple(name for name, missing in checks.items() if missing)
