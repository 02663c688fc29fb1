"""Which requests could share a vehicle (合乘): pairs that both agree, whose ways and times fit, at the most saved together. Pure.

Nobody arrives later than alone, nobody leaves before what he came for is over, nobody is asked to be ready, or is back, more than SHIFT_S off his plan, and the way of each is longer than
his own by no more than H12 lets (20 % and 10 minutes), out and home.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise, permutations, product
from typing import Final, Literal

import numpy as np

from office.dispatch.planner.facts import Point, Trip
from office.dispatch.planner.travel import Known, Travel
from office.dispatch.planner.weights import DETOUR_PERMILLE, DETOUR_S, Weights

#: How far off his plan somebody is ready, or back, in seconds.
SHIFT_S: Final = 15 * 60
#: Requests that leave further apart are not held against each other, in seconds.
_APART_S: Final = 2 * 3600
#: Categories and purposes that are never pooled (H12): 机要, 应急; 携带涉密载体, 接待.
_NEVER: Final = frozenset({"confidential", "emergency", "secret_papers", "guests"})
_NODES: Final = 2_000


class PoolBar(StrEnum):
    """What keeps a request from being pooled."""

    CONSENT = "consent"
    KIND = "kind"
    DRIVER = "driver"
    NOBODY = "nobody"
    OTHERS = "others"


BAR_TEXTS: Final[Mapping[PoolBar, str]] = {
    PoolBar.CONSENT: "申请人未同意合乘 · the applicant does not agree to be pooled",
    PoolBar.KIND: "机要、应急、接待、涉密用车不合乘 · confidential, emergency, reception and secret trips are never pooled",
    PoolBar.DRIVER: "不带驾驶员的用车不合乘 · a trip without a driver is not pooled",
    PoolBar.NOBODY: "没有时间和路线相近的申请（绕行不超过 20% 和 10 分钟，前后不超过 15 分钟） · no request that is near enough in time and way",
    PoolBar.OTHERS: "相近的申请与别的合乘更省 · those near enough save more with others",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rider:
    """A request that waits. ``trip``: as the planner has it; ``stops``: where it goes, one after the other; ``driven``: with a vehicle and a driver of the pool."""

    trip: Trip
    stops: tuple[Point, ...]
    consent: bool
    driven: bool = True


@dataclass(frozen=True, slots=True)
class Halt:
    """Where the vehicle stops for somebody, and when. ``place``: number of his stop, of ``stop`` alone."""

    request: str
    what: Literal["board", "stop", "collect", "home"]
    place: int
    at_s: int


@dataclass(frozen=True, slots=True)
class Shared:
    """Two requests in one vehicle. ``detour_s``: of each, out and home together. ``alone_m``, ``together_m``: driven with two vehicles, with one."""

    requests: tuple[str, str]
    halts: tuple[Halt, ...]
    departs_s: int
    returns_s: int
    detour_s: tuple[int, int]
    alone_m: int
    together_m: int
    drive_s: int

    @property
    def saved_m(self) -> int:
        return self.alone_m - self.together_m

    def saved_fen(self, weights: Weights) -> int:
        """What is not driven, at the price of an empty km."""
        return self.saved_m * weights.empty_fen_km // 1000


def barred(rider: Rider) -> PoolBar | None:
    """What keeps a request from being pooled, whatever others there are; None: nothing."""
    if not rider.consent:
        return PoolBar.CONSENT
    if rider.trip.confidential or not _NEVER.isdisjoint({rider.trip.category, rider.trip.purpose}):
        return PoolBar.KIND
    return None if rider.driven else PoolBar.DRIVER


def pooled(
    riders: Sequence[Rider], now_s: int, known: Known | None = None
) -> tuple[list[Shared], dict[str, PoolBar]]:
    """The pairs that save the most together, the largest saving first, and why each of the others is in none. The order of ``riders`` changes nothing."""
    ordered = sorted(riders, key=lambda rider: rider.trip.id)
    bars = {rider.trip.id: bar for rider in ordered if (bar := barred(rider)) is not None}
    willing = [rider for rider in ordered if rider.trip.id not in bars]
    ways = _Ways(willing, known)
    pairs = [
        found
        for k, one in enumerate(willing)
        for two in willing[k + 1 :]
        if abs(one.trip.departs_s - two.trip.departs_s) <= _APART_S and one.trip.category == two.trip.category
        and (found := _shared(ways, one, two, now_s)) is not None
    ]  # fmt: skip
    chosen = _matched(pairs)
    taken = {id for pair in chosen for id in pair.requests}
    near = {id for pair in pairs for id in pair.requests}
    for rider in willing:
        if rider.trip.id not in taken:
            bars[rider.trip.id] = PoolBar.OTHERS if rider.trip.id in near else PoolBar.NOBODY
    return sorted(chosen, key=lambda pair: (-pair.saved_m, pair.requests)), bars


class _Ways:
    """(metres, seconds) between the places of riders."""

    def __init__(self, riders: Sequence[Rider], known: Known | None) -> None:
        places = sorted({p for rider in riders for p in (rider.trip.origin, *rider.stops, rider.trip.end)})
        self._number = {place: k for k, place in enumerate(places)}
        self._travel = Travel(places, places[0], known) if places else None

    def legs(self, points: Sequence[Point]) -> list[tuple[int, int]]:
        if self._travel is None:
            return []
        numbers = [self._number[point] for point in points]
        return [self._travel.one(a, b) for a, b in pairwise(numbers)]


def _sums(legs: Sequence[tuple[int, int]]) -> tuple[int, list[int]]:
    """Metres of all, and seconds from the beginning to each place."""
    at = [0]
    for _, seconds in legs:
        at.append(at[-1] + seconds)
    return sum(metres for metres, _ in legs), at


@dataclass(frozen=True, slots=True)
class _Half:
    """The way out, or home, of both. ``points``: (rider 0 or 1, what, number of the stop, point); ``at``: seconds from its beginning to each; ``detour_s``: of each."""

    points: tuple[tuple[int, Literal["board", "stop", "collect", "home"], int, Point], ...]
    at: tuple[int, ...]
    metres: int
    detour_s: tuple[int, int]

    def last(self, rider: int) -> int:
        return max(at for (who, *_), at in zip(self.points, self.at, strict=True) if who == rider)

    def first(self, rider: int) -> int:
        return min(at for (who, *_), at in zip(self.points, self.at, strict=True) if who == rider)


def _halves(ways: _Ways, riders: tuple[Rider, Rider], *, home: bool) -> Iterator[_Half]:
    """The ways of both that H12 lets, in every order of boarding and of leaving."""
    alone = [_sums(ways.legs([rider.stops[-1], rider.trip.end] if home else [rider.trip.origin, *rider.stops]))[1][-1] for rider in riders]  # fmt: skip
    for board, leave in product(permutations((0, 1)), permutations((0, 1))):
        if home:
            points = [*((k, "collect", 0, riders[k].stops[-1]) for k in board), *((k, "home", 0, riders[k].trip.end) for k in leave)]  # fmt: skip
        else:
            points = [*((k, "board", 0, riders[k].trip.origin) for k in board), *((k, "stop", n, stop) for k in leave for n, stop in enumerate(riders[k].stops))]  # fmt: skip
        metres, at = _sums(ways.legs([point for *_, point in points]))
        half = _Half(tuple(points), tuple(at), metres, (0, 0))  # type: ignore[arg-type] # the words are literals
        detours = [max(half.last(k) - half.first(k) - alone[k], 0) for k in (0, 1)]
        if all(detour <= min(own * DETOUR_PERMILLE // 1000, DETOUR_S) for detour, own in zip(detours, alone, strict=True)):  # fmt: skip
            yield _Half(half.points, half.at, half.metres, (detours[0], detours[1]))


def _shared(ways: _Ways, one: Rider, two: Rider, now_s: int) -> Shared | None:
    """The shortest way for both; None: there is none, or it saves nothing."""
    riders, best = (one, two), None
    out_alone = [_sums(ways.legs([rider.trip.origin, *rider.stops])) for rider in riders]
    home_alone = [_sums(ways.legs([rider.stops[-1], rider.trip.end])) for rider in riders]
    there = [rider.trip.departs_s + out_alone[k][1][-1] for k, rider in enumerate(riders)]
    leaves = [max(rider.trip.returns_s - home_alone[k][1][-1], there[k]) for k, rider in enumerate(riders)]
    alone_m = sum(each[0] for each in (*out_alone, *home_alone))
    homes = list(_halves(ways, riders, home=True))
    for out in _halves(ways, riders, home=False):
        # As late as nobody comes late.
        begin = min(there[k] - out.last(k) for k in (0, 1))
        early = max(riders[k].trip.departs_s - begin - out.first(k) for k in (0, 1))
        if early > SHIFT_S or begin < now_s:
            continue
        for home in homes:
            back = max(leaves[k] - home.first(k) for k in (0, 1))
            between_m, between_s = ways.legs([out.points[-1][3], home.points[0][3]])[0]
            late = max(back + home.last(k) - riders[k].trip.returns_s for k in (0, 1))
            if late > SHIFT_S or begin + out.at[-1] + between_s > back:
                continue
            metres = out.metres + between_m + home.metres
            if metres < alone_m and (best is None or metres < best.together_m):
                halts = [Halt(riders[k].trip.id, what, n, start + at) for half, start in ((out, begin), (home, back)) for (k, what, n, _), at in zip(half.points, half.at, strict=True)]  # fmt: skip
                best = Shared(
                    (one.trip.id, two.trip.id), tuple(halts), begin, back + home.at[-1],
                    (out.detour_s[0] + home.detour_s[0], out.detour_s[1] + home.detour_s[1]), alone_m, metres,
                    out.at[-1] + between_s + home.at[-1],
                )  # fmt: skip
    return best


def _matched(pairs: Sequence[Shared]) -> list[Shared]:
    """Of the pairs those that save the most together, each request in one of them: exactly, by HiGHS."""
    if not pairs:
        return []
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csc_array

    row_of = {id: k for k, id in enumerate(sorted({id for pair in pairs for id in pair.requests}))}
    rows = [row_of[id] for pair in pairs for id in pair.requests]
    columns = [k for k in range(len(pairs)) for _ in range(2)]
    matrix = csc_array((np.ones(len(rows)), (rows, columns)), shape=(len(row_of), len(pairs)))
    solved = milp(
        np.array([-pair.saved_m for pair in pairs], np.float64), constraints=LinearConstraint(matrix, 0, 1), bounds=Bounds(0, 1),
        integrality=np.ones(len(pairs)), options={"node_limit": _NODES, "mip_rel_gap": 0.0},
    )  # fmt: skip
    if solved.x is None:
        return []
    return [pairs[k] for k in np.flatnonzero(solved.x > 0.5).tolist()]
