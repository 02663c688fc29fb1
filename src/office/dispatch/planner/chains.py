"""What each crew has to do, one trip after the other, and what lies between: the only state of a plan. A trip is put in, or taken out; the row of its crew follows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from office.dispatch.planner.weights import DRIVE_S, HOME_S, LATE_S, LEFT_PERMILLE, REST_S
from office.dispatch.planner.world import World


@dataclass(frozen=True, slots=True)
class Walk:
    """What a crew drives. ``fits``: nothing of H3, H4 and H6 is in the way. ``run``, ``ahead``: see ``Chains``."""

    fits: bool
    empty_m: int
    run: list[int]
    ahead: list[int]
    day_drive: list[int]
    day_m: list[int]


class Chains:
    """``jobs`` [C, K]: trips of each crew by departure, T = none. ``run`` [C, K]: driving at the end of each since the last rest; ``ahead`` [C, K]: from its start until the
    next rest. ``day_drive``, ``day_m`` [C, days]: of each day. ``out`` [2, hours]: vehicles of a reserved class that are not in."""

    def __init__(self, world: World) -> None:
        self.world = world
        crews, self.none = len(world.cars), len(world.trips)
        self.jobs = np.full((crews, 2), self.none, np.int64)
        self.count = np.zeros(crews, np.int64)
        self.run, self.ahead = np.zeros((crews, 2), np.int64), np.zeros((crews, 2), np.int64)
        self.day_drive = world.driven_elsewhere.copy()
        self.day_m = np.zeros((crews, world.days), np.int64)
        self.empty_m = np.zeros(crews, np.int64)
        self.out = np.zeros((2, world.hours), np.int64)
        self.classes = [int((world.reserved == k).sum()) for k in (0, 1)]
        self.crew = np.full(self.none, -1, np.int64)
        self._departs, self._returns = world.departs.tolist(), world.returns.tolist()
        self._origin, self._end, self._base = world.origin.tolist(), world.end.tolist(), world.base.tolist()
        self._elsewhere: list[list[int]] = world.driven_elsewhere.tolist()
        self._turn = 60 * world.weights.turnaround_min
        self._piece, self._rested, self._driven = (
            world.piece.tolist(),
            world.rested.tolist(),
            world.with_driver.tolist(),
        )
        self._day_from, self._day_to = world.day_from.tolist(), world.day_to.tolist()
        self._drive_day, self._drive_m, self._range_m = (
            world.drive_day.tolist(),
            world.drive_m.tolist(),
            world.range_m.tolist(),
        )
        for car, since, until, _ in world.busy.tolist():
            self._reserve(car, since, until, 1)

    def put(self, trip: int, crew: int) -> None:
        """The crew drives the trip. That it can is known to the caller."""
        count = int(self.count[crew])
        if count == self.jobs.shape[1]:
            wider = ((0, 0), (0, count))
            self.jobs = np.pad(self.jobs, wider, constant_values=self.none)
            self.run, self.ahead = np.pad(self.run, wider), np.pad(self.ahead, wider)
        found = sorted([*self.jobs[crew, :count].tolist(), trip], key=self._departs.__getitem__)
        self.jobs[crew, : count + 1] = found
        self.count[crew] = count + 1
        self.crew[trip] = crew
        self._reserve(crew, self._departs[trip], self._returns[trip], 1)
        self._follow(crew, found)

    def take(self, trip: int) -> int:
        """The trip is nobody's; whose it was."""
        crew = int(self.crew[trip])
        found = [job for job in self.jobs[crew, : self.count[crew]].tolist() if job != trip]
        self.jobs[crew] = self.none
        self.jobs[crew, : len(found)] = found
        self.count[crew] = len(found)
        self.crew[trip] = -1
        self._reserve(crew, self._departs[trip], self._returns[trip], -1)
        self._follow(crew, found)
        return crew

    def _reserve(self, crew: int, since: int, until: int, by: int) -> None:
        kind = int(self.world.reserved[crew])
        if kind >= 0:
            first = self.world.first_hour
            self.out[kind, max(since // 3600 - first, 0) : max((until - 1) // 3600 - first + 1, 0)] += by

    def _follow(self, crew: int, jobs: list[int]) -> None:
        """What follows from the order of the trips of a crew."""
        walked = self.walk(crew, jobs)
        self.day_drive[crew], self.day_m[crew] = walked.day_drive, walked.day_m
        self.empty_m[crew] = walked.empty_m
        self.run[crew, : len(jobs)] = walked.run
        self.ahead[crew, : len(jobs)] = walked.ahead

    def _link(self, crew: int, before: int, after: int) -> tuple[int, int, int]:
        """(metres, seconds, idle) of the way from the end of a trip to the beginning of another."""
        travel, base, gap = self.world.travel, self._base[crew], self._departs[after] - self._returns[before]
        start, end = self._end[before], self._origin[after]
        if gap >= HOME_S and base >= 0:
            (home_m, home_s), (out_m, out_s) = travel.one(start, base), travel.one(base, end)
            if home_s + out_s + self._turn <= gap:
                return home_m + out_m, home_s + out_s, gap - home_s - out_s
        metres, seconds = travel.one(start, end)
        return metres, seconds, gap - seconds

    def walk(self, crew: int, jobs: list[int]) -> Walk:
        """What a crew drives, in the order of departures, and whether it can."""
        days = self.world.days
        if not jobs:
            return Walk(True, 0, [], [], list(self._elsewhere[crew]), [0] * days)
        world, one, base = self.world, self.world.travel.one, self._base[crew]
        between = [self._link(crew, a, b) for a, b in pairwise(jobs)]
        first, last = one(base, self._origin[jobs[0]]), one(self._end[jobs[-1]], base)
        late = max(world.facts.now_s + first[1] - self._departs[jobs[0]], 0)
        fits = late <= LATE_S
        for k, (_, _, idle) in enumerate(between):
            fits &= idle >= self._turn + (late if k == 0 else 0)
        ways, run, runs = [(*first, REST_S), *between], 0, []
        day_drive, day_m, empty_m = list(self._elsewhere[crew]), [0] * days, last[0]
        for job, (metres, seconds, idle) in zip(jobs, ways, strict=True):
            driven = (0 if idle >= REST_S else run) + seconds + self._piece[job]
            fits &= driven <= DRIVE_S or not self._driven[job]
            run = self._piece[job] if self._rested[job] else driven
            runs.append(run)
            for day in range(self._day_from[job], self._day_to[job] + 1):
                day_drive[day] += self._drive_day[job]
            day_drive[self._day_from[job]] += seconds
            day_m[self._day_from[job]] += self._drive_m[job] + metres
            empty_m += metres
        day_drive[self._day_to[jobs[-1]]] += last[1]
        day_m[self._day_to[jobs[-1]]] += last[0]
        if any(self._driven[job] for job in jobs):
            fits &= run + last[1] <= DRIVE_S and max(day_drive) <= 3600 * world.weights.driver_day_h
        if self._range_m[crew] >= 0:
            fits &= 1000 * max(day_m) <= (1000 - LEFT_PERMILLE) * self._range_m[crew]
        return Walk(fits, empty_m, runs, self._ahead(jobs, between, last[1]), day_drive, day_m)

    def _ahead(self, jobs: list[int], between: list[tuple[int, int, int]], home_s: int) -> list[int]:
        found, ahead = [0] * len(jobs), 0
        for k in range(len(jobs) - 1, -1, -1):
            piece = self._piece[jobs[k]]
            if self._rested[jobs[k]]:
                ahead = piece
            elif k == len(jobs) - 1:
                ahead = piece + home_s
            else:
                _, seconds, idle = between[k]
                ahead = piece + (0 if idle >= REST_S else seconds + ahead)
            found[k] = ahead
        return found
