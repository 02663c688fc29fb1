"""What the planner says, for people: the vehicles for one request, or a plan for several. Nothing is written here: a dispatcher assigns, or the clock does (``automatic``)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from office.dispatch.asking import seen
from office.dispatch.gathering import Gathered, gather
from office.dispatch.planner import rank as ranking
from office.dispatch.planner.batch import Assignment, Plan, plan
from office.dispatch.planner.facts import Facts, Point
from office.dispatch.planner.rank import BEST, FAILED, unknown_of
from office.dispatch.planner.reasons import TEXTS, reasons_of
from office.dispatch.planner.travel import FACTOR_PERMILLE, FAR_KMH, NEAR_KMH, NEAR_M, Known
from office.dispatch.planner.weights import TERMS
from office.dispatch.threads import RequestThread, load_clocks, now_of
from office.requests.table import TripState
from office.requests.words import Refusal, StepRefusedError
from office.supervision.actors import Actor
from registry.organisations import units_below
from rules.navigation import TravelTimes
from rules.navigation.matrix import MOST_PLACES
from runtime.connection import Connection
from runtime.errors import InvalidError

#: With a part of a plate so many of each are told.
_FOUND: Final = 50
#: Vehicles and requests that are planned together at most.
MOST_TOGETHER: Final = 100
UNKNOWN: Final = {
    "seats": "登记中没有座位数，未判断 · seats are not registered", "off_road": "登记中没有越野性能，未判断 · off-road is not registered",
    "licences": "登记中没有准驾车型，未判断 · licences are not registered", "drivers": "没有登记驾驶员，未判断 · no drivers are registered",
    "duty": "登记中没有排班，未判断 · duty is not registered", "range": "登记中没有续航，未判断 · ranges are not registered",
    "base": "部分车辆没有停放点，空驶按 5 公里计 · some bases are not registered, taken for 5 km",
}  # fmt: skip
_TRAVEL: Final = (
    f"直线距离×{FACTOR_PERMILLE / 1000:g}，前 {NEAR_M // 1000} 公里 {NEAR_KMH} 公里/小时，其后 {FAR_KMH} 公里/小时"
    f" · straight lines × {FACTOR_PERMILLE / 1000:g}, {NEAR_KMH} km/h for {NEAR_M // 1000} km, then {FAR_KMH} km/h"
)


async def candidates(
    connection: Connection, actor: Actor, id: str, plate: str | None, ways: TravelTimes
) -> dict[str, Any]:
    """The cheapest vehicles for a request, and why the nearest others cannot be sent. ``plate``: only those in whose plate it stands, each with its rank among all. Raises NotThereError."""
    thread = await seen(connection, actor, id)
    clocks, now = await load_clocks(connection), await now_of(connection)
    units = await units_below(connection, [thread.paper.pool, thread.paper.organisation])
    gathered = await gather(connection, clocks, [thread], units, now)
    known = await known_ways(ways, gathered.facts, [id])
    most = BEST if plate is None else 1_000_000
    found = await asyncio.to_thread(ranking.rank, gathered.facts, gathered.weights, id, known, most)
    best = [c for c in found.best if plate is None or plate in gathered.vehicles[c.car].plate]
    failed = [f for f in found.failed if plate is None or plate in gathered.vehicles[f.car].plate]
    numbers = {taken.id: taken.number for taken in gathered.taken}
    return {
        "items": [_candidate(gathered, thread, each, numbers) for each in best[: BEST if plate is None else _FOUND]],
        "failed": [
            {"id": each.car, "plate": gathered.vehicles[each.car].plate, "reasons": reasons_of(each.why)}
            for each in failed[: FAILED if plate is None else _FOUND]
        ],
        "possible": found.possible, "looked_at": found.looked_at, "travel": told_ways(ways, known),
        "unknown": [{"code": code, "text": UNKNOWN[code]} for code in found.unknown],
    }  # fmt: skip


def _candidate(gathered: Gathered, thread: RequestThread, found: ranking.Candidate, numbers: Mapping[str, str]) -> dict[str, Any]:  # fmt: skip
    vehicle, since = gathered.vehicles[found.car], thread.row["planned_departure"]
    own = [
        taken for taken in gathered.taken if taken.vehicle == found.car and taken.id not in found.displaces
    ]
    return {
        "rank": found.rank, "id": vehicle.id, "plate": vehicle.plate, "organisation": vehicle.organisation,
        "category": vehicle.category, "energy": vehicle.energy, "driver": found.driver,
        "driver_name": gathered.drivers.get(found.driver or ""), "cost_fen": found.cost_fen,
        "terms": [{"code": code, "text": TERMS[code], "fen": fen} for code, fen in found.terms.items()],
        "empty_m": found.empty_m,
        "busy_until": max((taken.until for taken in own if taken.since < since), default=None),
        "next_departure": min((taken.since for taken in own if taken.since >= since), default=None),
        "displaces": [numbers.get(id, id) for id in found.displaces],
    }  # fmt: skip


async def suggest(
    connection: Connection, actor: Actor, ids: Sequence[str], ways: TravelTimes
) -> dict[str, Any]:
    """A plan for requests that wait, at most MOST_TOGETHER. Raises NotThereError, StepRefusedError, InvalidError (requests of different pools)."""
    threads = []
    for id in sorted(set(ids)):
        thread = await seen(connection, actor, id)
        if thread.paper.state not in (TripState.WAITING, TripState.NO_VEHICLE):
            raise StepRefusedError(Refusal.NOT_NOW, thread.paper.version, thread.paper.state)
        threads.append(thread)
    if len({thread.paper.pool for thread in threads}) > 1:
        raise InvalidError("/requests", "所选申请属于不同的派车平台，请分别选取 · requests of different pools: choose those of one pool")  # fmt: skip
    gathered, made, known = await planned(connection, threads, ways=ways)
    return {
        "items": [_assignment(gathered, each) for each in made.assignments if not each.told],
        "unserved": [
            {"request": each.trip, "reasons": [{"constraint": TEXTS[why][0], "code": str(why.name).lower(), "text": TEXTS[why][1], "vehicles": of} for why, of in each.why]}
            for each in made.unserved if each.trip not in made.moved
        ],
        "moved": [taken.number for taken in gathered.taken if taken.id in made.moved],
        "empty_m": made.empty_m, "cost_fen": made.cost_fen, "travel": told_ways(ways, known),
        "unknown": [{"code": code, "text": UNKNOWN[code]} for code in unknown_of(gathered.facts)],
    }  # fmt: skip


async def planned(connection: Connection, threads: Sequence[RequestThread], units: Collection[str] | None = None, ways: TravelTimes | None = None) -> tuple[Gathered, Plan, Known]:  # fmt: skip
    """The plan for requests of one pool, and what it rests on. ``units``: whose vehicles; None: those of the pool and of who asks. ``ways``: of the engine; None: straight lines."""
    clocks, now = await load_clocks(connection), await now_of(connection)
    if units is None:
        units = await units_below(connection, {unit for t in threads for unit in (t.paper.pool, t.paper.organisation)})  # fmt: skip
    gathered = await gather(connection, clocks, threads, units, now)
    known = {} if ways is None else await known_ways(ways, gathered.facts, [thread.id for thread in threads])
    return gathered, await asyncio.to_thread(plan, gathered.facts, gathered.weights, known), known


async def known_ways(
    ways: TravelTimes, facts: Facts, asked: Sequence[str]
) -> dict[tuple[Point, Point], tuple[int, int]]:
    """What the engine says of the ways that matter: of one request to its beginning and from its end, of several between all places; of too many places none, so that all are measured alike."""
    trips = [trip for trip in facts.trips if trip.id in asked]
    others = {p for t in facts.trips for p in (t.origin, t.end)} | {
        c.base for c in facts.cars if c.base is not None
    }
    places = sorted(others | {p for t in trips for p in (t.origin, t.end)})
    if len(places) <= MOST_PLACES:
        return await ways.between(places, places)
    if len(trips) > 1:
        return {}
    (trip,) = trips
    near = sorted(places, key=lambda p: ((p[0] - trip.origin[0]) ** 2 + (p[1] - trip.origin[1]) ** 2, p))[
        :MOST_PLACES
    ]
    return await ways.between(near, [trip.origin]) | await ways.between([trip.end], near)


def told_ways(ways: TravelTimes, known: Known) -> str:
    """How ways were measured."""
    return (
        f"导航引擎 {ways.name} 给出 {len(known)} 条，其余为{_TRAVEL} ({ways.name}: {len(known)})"
        if known
        else _TRAVEL
    )


def _assignment(gathered: Gathered, made: Assignment) -> dict[str, Any]:
    vehicle = gathered.vehicles[made.car]
    return {
        "request": made.trip, "vehicle": vehicle.id, "plate": vehicle.plate, "organisation": vehicle.organisation,
        "driver": made.driver, "driver_name": gathered.drivers.get(made.driver or ""),
    }  # fmt: skip
