"""Many requests at once: which vehicle for which (批量派车). Emergencies first; what was told stays, unless it has become impossible.

Windows of departures are assigned one after the other, each exactly; then windows, and neighbourhoods of vehicles, are taken out again and dealt out anew, given all the rest, as long as that is
cheaper, a bounded number of times. Iterations, no seconds: the same facts give the same plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from office.dispatch.planner.evaluate import evaluate
from office.dispatch.planner.facts import Facts
from office.dispatch.planner.planning import Planner
from office.dispatch.planner.reasons import Why
from office.dispatch.planner.travel import Known
from office.dispatch.planner.weights import Weights
from office.dispatch.planner.world import World

#: Departures that are assigned together, in seconds.
WINDOW_S: Final = 30 * 60
#: How often the plan is gone through again at most.
PASSES: Final = 3
#: Of pools with no more vehicles each vehicle's neighbourhood is dealt out exactly.
MOST_EXACT: Final = 60
#: Windows that are assigned anew: (length, offset) in seconds.
_AGAIN: Final = ((3600, 0), (3600, 1800), (3 * 3600, 0), (3 * 3600, 5400))
#: More trips are not taken out at once.
_MOST_OUT: Final = 60


@dataclass(frozen=True, slots=True)
class Assignment:
    """A trip, its vehicle and driver (None = nobody of the register). ``told``: it was before. ``empty_m``: what the vehicle drives empty, all its trips together, is in ``Plan``."""

    trip: str
    car: str
    driver: str | None
    told: bool


@dataclass(frozen=True, slots=True)
class Unserved:
    """A trip without a vehicle: of so many vehicles each thing is in the way, the most frequent first."""

    trip: str
    why: tuple[tuple[Why, int], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """By trip. ``moved``: told assignments that had to be given up, with their trips assigned anew or not. ``cost_fen``: of vehicles and empty ways, without what unserved ones count."""

    assignments: tuple[Assignment, ...]
    unserved: tuple[Unserved, ...]
    moved: tuple[str, ...]
    empty_m: int
    cost_fen: int
    unserved_fen: int


def plan(
    facts: Facts,
    weights: Weights,
    known: Known | None = None,
    passes: int = PASSES,
    most_exact: int = MOST_EXACT,
) -> Plan:
    """The plan for all trips of ``facts``."""
    made = Planner(facts, weights, known)
    world, chains = made.world, made.chains
    made.put_told()
    for tier in ("emergency", "confidential"):
        rows = [k for k in made.open() if world.trips[k].category == tier]
        for window in _windows(world, rows, WINDOW_S, 0):
            made.window(window)
        if tier == "emergency":
            for trip in rows:
                if chains.crew[trip] < 0:
                    made.displace(trip)
    for window in _windows(world, made.open(), WINDOW_S, 0):
        made.window(window)
    for _ in range(passes):
        better = False
        for length, offset in _AGAIN:
            for window in _windows(world, made.open(served=True), length, offset):
                better |= len(window) > 1 and made.again(window)
        if len(world.cars) <= most_exact:
            for crew in np.flatnonzero(chains.count > 0).tolist():
                better |= made.deal(crew)
        if not better:
            break
    return _told(made)


def _windows(world: World, trips: Sequence[int], length: int, offset: int) -> list[list[int]]:
    """Trips, sorted by departure, in windows of ``length`` seconds, none with more than _MOST_OUT."""
    found: dict[tuple[int, int], list[int]] = {}
    seen: Counter[int] = Counter()
    for trip in trips:
        at = (world.trips[trip].departs_s + offset) // length
        found.setdefault((at, seen[at] // _MOST_OUT), []).append(trip)
        seen[at] += 1
    return list(found.values())


def _told(made: Planner) -> Plan:
    world, chains = made.world, made.chains
    assignments, unserved = [], []
    left = np.flatnonzero(chains.crew < 0)
    judged = evaluate(chains, left, (made.why[left], made.fixed[left])) if len(left) else None
    for row, trip in enumerate(left.tolist()):
        bits = (
            {}
            if judged is None
            else {why: int(((judged.why[row] & why) != 0).sum()) for why in map(int, Why)}
        )
        unserved.append(Unserved(world.trips[trip].id, tuple(sorted(((Why(why), of) for why, of in bits.items() if of), key=lambda each: (-each[1], each[0])))))  # fmt: skip
    told = {each.trip: each.driver for each in made.facts.told}
    for trip in np.flatnonzero(chains.crew >= 0).tolist():
        crew, id = int(chains.crew[trip]), world.trips[trip].id
        driver = world.drivers[crew]
        who = told[id] if trip in made.told else driver.id if driver and world.with_driver[trip] else None
        assignments.append(Assignment(id, world.cars[crew].id, who, trip in made.told))
    missing = int(world.unserved[chains.crew < 0].sum())
    return Plan(
        tuple(assignments), tuple(unserved), tuple(sorted(world.trips[k].id for k in made.moved)), int(chains.empty_m.sum()),
        made.score() // 1000 - missing, missing,
    )  # fmt: skip
