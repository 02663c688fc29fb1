"""The planner's goals (docs/dispatch-planner.md), each measured: constraints kept, distance from the optimum, time, what a change moves, empty km against first fit, the same plan twice.

Pools are made up (tests/pools.py): what is measured is the planner, not a city's requests."""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from statistics import median, quantiles

from tests.planner_oracle import optimum
from tests.pools import empty_m, pool, told_of, violations

from bench.report import heading, table
from office.dispatch.planner.batch import Assignment, Plan, plan
from office.dispatch.planner.facts import SERVES, Busy, Car, Facts, Trip
from office.dispatch.planner.rank import rank
from office.dispatch.planner.reasons import Why
from office.dispatch.planner.weights import Weights

#: Chongqing's day: pools, requests and vehicles of each.
POOLS, TRIPS, CARS = 161, 243, 180
#: Nantong's whole city as one pool.
ONE_TRIPS, ONE_CARS = 2_000, 854
_RANDOM = 1_000


def run(options: argparse.Namespace) -> None:
    """Print what was reached of each goal."""
    heading("Dispatch planner: its goals")
    rows: list[list[str]] = []
    goals: tuple[Callable[[], list[str]], ...] = (
        _same,
        _served,
        _empty,
        _moves,
        _live,
        _one,
        _optimum,
        _day,
        _kept,
    )
    for goal in goals:
        rows.append(goal())
        print("|", " | ".join(rows[-1]), "|", flush=True)
    print()
    table(["goal", "asked", "reached", "how"], rows)


def _random_pool(seed: int) -> int:
    facts = pool(5 + seed % 36, 2 + seed % 23, seed, odd=True, sites=1 + seed % 6, days=1 + seed % 2)
    weights = Weights(reserve_emergency=seed % 3, reserve_confidential=seed % 2, tail_first=seed % 6)
    return len(violations(facts, weights, plan(facts, weights, passes=seed % 5 == 0).assignments))


def _kept() -> list[str]:
    with ProcessPoolExecutor(2) as workers:
        broken = sum(workers.map(_random_pool, range(_RANDOM), chunksize=20))
    return [
        "(a)",
        "0 in 1,000 random pools",
        str(broken),
        "independent checker, every constraint at random; every fifth with an improvement pass",
    ]


def _optimum() -> list[str]:
    above, proved = [], 0
    for seed in range(6):
        facts, weights = pool(24, 14, seed, sites=4), Weights()
        made = plan(facts, weights)
        best, bound = optimum(facts, weights, 60)
        proved += best <= bound * 1.0001 + 1
        above.append(max(1000 * (made.cost_fen + made.unserved_fen) / best - 1, 0))
    said = f"median {100 * median(above):.2f} %, worst {100 * max(above):.2f} %"
    return [
        "(b)",
        "≤ 1 % above CP-SAT",
        said,
        f"6 pools of 24 trips and 14 vehicles, {proved} proved optimal",
    ]


def _one_of(seed: int) -> tuple[int, int, float]:
    facts = pool(TRIPS, CARS, seed)
    began = time.process_time()
    made = plan(facts, Weights(), passes=0)
    took = time.process_time() - began
    return len(made.assignments), len(violations(facts, Weights(), made.assignments)), took


def _day() -> list[str]:
    began = time.monotonic()
    with ProcessPoolExecutor(2) as workers:
        found = list(workers.map(_one_of, range(POOLS), chunksize=4))
    took = time.monotonic() - began
    served, broken, busy = (sum(column) for column in zip(*found, strict=True))
    how = f"{POOLS} pools, {POOLS * TRIPS:,} trips ({served:,} served, {broken} constraints broken), {POOLS * CARS:,} vehicles; two processes, no improvement passes; {busy:.0f} s of CPU for the plans alone"
    return ["(c) day", "≤ 60 s", f"{took:.0f} s", how]


def _one() -> list[str]:
    facts, said = pool(ONE_TRIPS, ONE_CARS, 1), []
    for passes in (0, 1):
        began, busy = time.monotonic(), time.process_time()
        made = plan(facts, Weights(), passes=passes)
        said.append(f"{time.monotonic() - began:.1f} s ({time.process_time() - busy:.1f} s of CPU), {len(made.assignments):,} served")  # fmt: skip
    return [
        "(c) one pool",
        "≤ 10 s",
        said[0],
        f"854 vehicles, 2,000 trips, no improvement pass; with one: {said[1]}",
    ]


def _live() -> list[str]:
    facts = pool(ONE_CARS, ONE_CARS, 2)
    told = told_of(plan(facts, Weights(), passes=0))
    free = [trip.id for trip in facts.trips if trip.id not in {t.trip for t in told}] or [facts.trips[0].id]
    asked = replace(facts.trips[0], id="asked")
    facts = replace(facts, trips=(*facts.trips, asked), told=told)
    took, busy = [], []
    for _ in range(100):
        began, working = time.monotonic(), time.process_time()
        rank(facts, Weights(), "asked")
        took.append(1000 * (time.monotonic() - began))
        busy.append(1000 * (time.process_time() - working))
        time.sleep(max(0.1 - took[-1] / 1000, 0))
    return ["(d)", "p99 ≤ 300 ms at 10/s", f"p50 {median(took):.0f} ms, p99 {quantiles(took, n=100)[98]:.0f} ms", f"854 vehicles, {len(told)} told trips, {len(free)} left; {median(busy):.0f} ms of CPU; the planner alone, without the database and without ingest"]  # fmt: skip


def _moves() -> list[str]:
    worst, all_told = 0.0, 0
    for seed in range(5):
        facts = pool(TRIPS, CARS, seed)
        made = plan(facts, Weights(), passes=0)
        gone = made.assignments[seed * 7].car
        cars = tuple(
            replace(c, busy=(Busy(0, 1 << 40, Why.REPAIR),)) if c.id == gone else c for c in facts.cars
        )
        again = plan(replace(facts, told=told_of(made), cars=cars), Weights(), passes=1)
        after = {a.trip: a.car for a in again.assignments}
        moved = sum(after.get(a.trip) != a.car for a in made.assignments)
        worst, all_told = max(worst, moved / len(made.assignments)), all_told + len(made.assignments)
    return ["(e)", "≤ 1 % moved", f"worst {100 * worst:.2f} %", f"a vehicle fails in each of 5 pools of {TRIPS} told trips"]  # fmt: skip


def first_fit(facts: Facts, weights: Weights) -> list[Assignment]:
    """ecmp's way: by departure, the first vehicle (by id) that fits and has been free for 60 minutes, 90 where it goes back to its base between; the same drivers."""
    made: list[Assignment] = []
    busy: dict[str, list[Trip]] = defaultdict(list)
    drivers = sorted(d.id for d in facts.drivers)
    cars = sorted(facts.cars, key=lambda c: c.id)
    for trip in sorted(facts.trips, key=lambda t: (t.departs_s, t.id)):
        for number, car in enumerate(cars):
            if _fits(trip, car) and all(_apart(trip, other) for other in busy[car.id]):
                busy[car.id].append(trip)
                made.append(Assignment(trip.id, car.id, drivers[number], False))
                break
    return made


def _fits(trip: Trip, car: Car) -> bool:
    return trip.category in SERVES[car.kind] and (car.seats is None or car.seats > trip.passengers)


def _apart(one: Trip, other: Trip) -> bool:
    first, second = sorted((one, other), key=lambda t: t.departs_s)
    # Who does not end where the next begins goes home between.
    buffer = 60 if first.end == second.origin else 90
    return second.departs_s - first.returns_s >= buffer * 60


def _both(trips: int, cars: int, seed: int) -> tuple[Facts, Plan, list[Assignment]]:
    facts = pool(trips, cars, seed)
    return facts, plan(facts, Weights(), passes=1), first_fit(facts, Weights())


def _empty() -> list[str]:
    ours = theirs = 0.0
    served = [0, 0]
    for seed in range(5):
        facts, made, fitted = _both(TRIPS, CARS, seed)
        # Of what both serve, km for each trip that is served.
        ours += made.empty_m / len(made.assignments)
        theirs += empty_m(facts, Weights(), fitted) / len(fitted)
        served[0] += len(made.assignments)
        served[1] += len(fitted)
    return ["(f) empty km", "≥ 15 % fewer", f"{100 * (1 - ours / theirs):.0f} % fewer", f"a served trip, 5 pools of {TRIPS} trips, {CARS} vehicles: {ours / 5_000:.1f} km against {theirs / 5_000:.1f} km; served {served[0]} against {served[1]}"]  # fmt: skip


def _served() -> list[str]:
    ours = theirs = 0
    for seed in range(5):
        _, made, fitted = _both(TRIPS, 60, seed)
        ours, theirs = ours + len(made.assignments), theirs + len(fitted)
    return ["(f) trips a car", "≥ 15 % more", f"{100 * (ours / theirs - 1):.0f} % more", f"60 vehicles for {TRIPS} trips, 5 pools: {ours / 300:.2f} against {theirs / 300:.2f} a vehicle"]  # fmt: skip


def _same() -> list[str]:
    facts = pool(TRIPS, CARS, 5)
    mixed = replace(facts, trips=facts.trips[::-1], cars=facts.cars[::-1], drivers=facts.drivers[::-1])
    same = repr(plan(facts, Weights(), passes=1)) == repr(plan(mixed, Weights(), passes=1))
    return ["(g)", "byte for byte", "the same" if same else "DIFFERENT", "planned twice, the second time with everything in reverse order"]  # fmt: skip
