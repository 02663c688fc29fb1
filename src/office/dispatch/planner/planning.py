"""A plan while it is made: what was told is put in, windows are assigned, neighbourhoods are dealt out anew; each step only where it is better, or all is as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final

import numpy as np

from office.dispatch.planner.chains import Chains
from office.dispatch.planner.crews import elsewhere, pairs
from office.dispatch.planner.evaluate import evaluate, fixed_terms, fixed_why, reserve_why
from office.dispatch.planner.exact import MOST_CREWS, MOST_TRIPS, dealt
from office.dispatch.planner.facts import Facts
from office.dispatch.planner.reasons import Why
from office.dispatch.planner.solving import assign
from office.dispatch.planner.travel import Known
from office.dispatch.planner.weights import FROZEN_S, UNKNOWN_BASE_M, Weights
from office.dispatch.planner.world import CATEGORIES, World
from runtime.arrays import Ints

#: What makes a told assignment impossible: the vehicle or the driver is not there any more.
RELEASES: Final = int(
    Why.SEALED | Why.NOT_IN_USE | Why.REPAIR | Why.PAPERS | Why.DRIVER_OFF | Why.TAKEN | Why.DRIVER_DECIDED
)


class Planner:
    """A plan while it is made."""

    def __init__(self, facts: Facts, weights: Weights, known: Known | None = None) -> None:
        facts = useful(facts, weights)
        crew_driver = pairs(facts, weights)
        self.facts = elsewhere(facts, crew_driver, weights)
        self.world = World(self.facts, weights, crew_driver, known)
        every = np.arange(len(self.world.trips))
        self.why = fixed_why(self.world, every)
        self.fixed: Ints = np.zeros(self.why.shape, np.int64)
        for term in fixed_terms(self.world, every).values():
            self.fixed += term
        self.chains = Chains(self.world)
        self.told: set[int] = set()
        self.moved: list[int] = []
        self._asked: set[tuple[int, ...]] = set()

    # --- what there is

    def put_told(self) -> None:
        """What was told, as it was told: whether it was wise is nobody's question any more, only whether it is possible."""
        world = self.world
        rows = [(world.trip_no[told.trip], told) for told in self.facts.told]
        for trip, told in sorted(rows, key=lambda row: (world.trips[row[0]].departs_s, row[0])):
            crew = world.car_no.get(told.car)
            if crew is None or self.why[trip, crew] & RELEASES:
                self.moved.append(trip)
            else:
                self.chains.put(trip, crew)
                self.told.add(trip)

    def score(self) -> int:
        """What the plan costs, unserved trips included, in 1/1000 分."""
        world, chains = self.world, self.chains
        served = np.flatnonzero(chains.crew >= 0)
        fixed = int(self.fixed[served, chains.crew[served]].sum())
        unknown = int(((chains.count > 0) & (world.base < 0)).sum()) * 2 * UNKNOWN_BASE_M
        driven = int(chains.empty_m.sum()) + unknown
        return (
            1000 * (fixed + int(world.unserved[chains.crew < 0].sum())) + driven * world.weights.empty_fen_km
        )

    # --- steps

    def window(self, trips: Sequence[int]) -> None:
        """Assign trips that nobody drives, each to another vehicle, at the least cost."""
        rows = np.array(trips, np.int64)
        judged = evaluate(self.chains, rows, (self.why[rows], self.fixed[rows]))
        chosen = assign(judged.cost, judged.why == 0, self.world.unserved[rows])
        for trip, crew in zip(trips, chosen.tolist(), strict=True):
            if crew >= 0 and self._leaves_reserve(trip, crew):
                self.chains.put(trip, crew)

    def _leaves_reserve(self, trip: int, crew: int) -> bool:
        """Whether those that are assigned together leave enough vehicles in, one after the other."""
        kind = int(self.world.reserved[crew])
        return kind < 0 or not self.world.keep[kind] or not reserve_why(self.chains, trip)[crew]

    def again(self, trips: Sequence[int]) -> bool:
        """Take trips out and assign them anew; whether that was better, else all is as it was."""
        before, score = {trip: int(self.chains.crew[trip]) for trip in trips}, self.score()
        for trip, crew in before.items():
            if crew >= 0:
                self.chains.take(trip)
        left = list(trips)
        for _ in range(3):  # a vehicle may do more than one of them, one after the other
            self.window(left)
            rest = [trip for trip in left if self.chains.crew[trip] < 0]
            if not rest or len(rest) == len(left):
                break
            left = rest
        if self.score() < score:
            return True
        for trip in trips:
            if self.chains.crew[trip] >= 0:
                self.chains.take(trip)
        for trip, crew in before.items():
            if crew >= 0:
                self.chains.put(trip, crew)
        return False

    def deal(self, crew: int) -> bool:
        """Deal out anew what a crew and its neighbours drive, and what nobody drives; whether that was better, else all is as it was."""
        for most in MOST_TRIPS:
            crews = self.neighbours(crew, most)
            better = self._deal(crews, most)
            if better is not None:
                return better
        return False

    def _deal(self, crews: Sequence[int], most: int) -> bool | None:
        """``deal`` for these; None: too much to try."""
        world, chains = self.world, self.chains
        own = [
            k
            for crew in crews
            for k in chains.jobs[crew, : chains.count[crew]].tolist()
            if k not in self.told
        ]
        lost = [k for k in self.open() if (self.why[k, list(crews)] == 0).any()][: max(most - len(own), 0)]
        trips = sorted([*own, *lost], key=lambda k: (world.trips[k].departs_s, k))
        before, score = {trip: int(chains.crew[trip]) for trip in trips}, self.score()
        question = (*crews, -1, *trips, -1, *before.values())
        if question in self._asked:
            return False
        after = dealt(chains, self.why, self.fixed, crews, trips, frozenset(self.told))
        if after is None:
            return None
        self._asked.add(question)
        if after == before:
            return False
        for trip in own:
            chains.take(trip)
        for trip, crew in after.items():
            if crew >= 0 and self._leaves_reserve(trip, crew):
                chains.put(trip, crew)
        if self.score() < score:
            return True
        for trip in trips:
            if chains.crew[trip] >= 0:
                chains.take(trip)
        for trip in own:
            chains.put(trip, before[trip])
        return False

    def neighbours(self, crew: int, most: int) -> list[int]:
        """The crew and those that could best drive what it drives, in few trips together."""
        world, chains = self.world, self.chains
        own = [k for k in chains.jobs[crew, : chains.count[crew]].tolist() if k not in self.told]
        ranked = []
        for trip in own:
            metres, _ = world.travel.between(world.base, world.origin[trip])
            cost = self.fixed[trip] + 2 * metres * world.weights.empty_fen_km // 1000
            order = np.argsort(np.where(self.why[trip] == 0, cost, np.iinfo(np.int64).max), kind="stable")
            ranked.append([k for k in order[: 3 * MOST_CREWS].tolist() if self.why[trip, k] == 0])
        found, held = [crew], len(own)
        for other in (k for row in zip_longest(*ranked, fillvalue=-1) for k in row):
            count = int(chains.count[other])
            if other >= 0 and other not in found and len(found) < MOST_CREWS and held + count <= most:
                found.append(other)
                held += count
        return sorted(found)

    def open(self, *, served: bool = False) -> list[int]:
        """Trips that were not told, by departure; without ``served`` only those that have no vehicle."""
        world, crew = self.world, self.chains.crew
        found = [k for k in range(len(world.trips)) if k not in self.told and (served or crew[k] < 0)]
        return sorted(found, key=lambda k: (world.trips[k].departs_s, k))

    def displace(self, trip: int) -> None:
        """An emergency that no vehicle is free for: routine trips that nobody has accepted make room, as few as possible."""
        world, chains = self.world, self.chains
        accepted = {world.trip_no[told.trip] for told in self.facts.told if told.accepted}
        since, until, now = world.departs[trip], world.returns[trip], self.facts.now_s
        routine = np.isin(world.category, [CATEGORIES.index("other"), CATEGORIES.index("rental")])
        near = (
            (chains.crew >= 0)
            & routine
            & (world.departs < until + FROZEN_S)
            & (world.returns > since - FROZEN_S)
        )
        out = [k for k in np.flatnonzero(near).tolist() if k not in accepted and world.departs[k] > now]
        was = {k: chains.take(k) for k in out}
        rows = np.array([trip])
        judged = evaluate(chains, rows, (self.why[rows], self.fixed[rows]))
        # What it would drive out is counted for each vehicle.
        lost = (
            np.bincount(list(was.values()), minlength=len(world.cars)) * world.weights.change_fen
            if was
            else 0
        )
        (crew,) = assign(judged.cost + lost, judged.why == 0, world.unserved[rows]).tolist()
        if crew >= 0:
            chains.put(trip, crew)
        for k, of in was.items():
            row = np.array([k])
            if of != crew or not evaluate(chains, row, (self.why[row], self.fixed[row])).why[0, of]:
                chains.put(k, of)
            elif k in self.told:
                self.told.discard(k)
                self.moved.append(k)


def useful(facts: Facts, weights: Weights) -> Facts:
    """``facts`` without the vehicles that can serve none of the trips, whoever drives: they change nothing."""
    world = World(replace(facts, drivers=(), drivers_known=False), weights, {})
    told = {each.car for each in facts.told}
    fits = np.zeros(len(world.cars), bool)
    for start in range(0, len(world.trips), 256):
        rows = np.arange(start, min(start + 256, len(world.trips)))
        fits |= (fixed_why(world, rows) == 0).any(axis=0)
    return replace(facts, cars=tuple(car for car, fit in zip(world.cars, fits.tolist(), strict=True) if fit or car.id in told))  # fmt: skip
