"""Which requests could share a vehicle (合乘), for a dispatcher. Nothing is written here: he takes a pair by assigning a vehicle to both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from office.dispatch.asking import seen
from office.dispatch.gathering import Gathered, gather, rider_of
from office.dispatch.planner import rank as ranking
from office.dispatch.planner.facts import Trip
from office.dispatch.planner.pooling import BAR_TEXTS, Halt, Rider, Shared, pooled
from office.dispatch.planner.rank import unknown_of
from office.dispatch.planner.reasons import reasons_of
from office.dispatch.planner.travel import Known
from office.dispatch.planner.weights import TERMS
from office.dispatch.suggesting import UNKNOWN, told_ways
from office.dispatch.threads import RequestThread, load_clocks, now_of
from office.requests.table import TripState
from office.requests.words import Refusal, StepRefusedError
from office.supervision.actors import Actor
from registry.organisations import units_below
from rules.navigation import TravelTimes
from rules.navigation.matrix import MOST_PLACES
from runtime.connection import Connection
from runtime.errors import InvalidError

#: Pairs that are told with a vehicle.
_MOST_PAIRS: Final = 10


async def suggest_pools(
    connection: Connection, actor: Actor, ids: Sequence[str], ways: TravelTimes
) -> dict[str, Any]:
    """Pairs of requests that wait, of one pool. Raises NotThereError, StepRefusedError, InvalidError (requests of different pools), DeclinedError."""
    threads: dict[str, RequestThread] = {}
    for id in sorted(set(ids)):
        thread = await seen(connection, actor, id)
        if thread.paper.state not in (TripState.WAITING, TripState.NO_VEHICLE):
            raise StepRefusedError(Refusal.NOT_NOW, thread.paper.version, thread.paper.state)
        threads[id] = thread
    if len({thread.paper.pool for thread in threads.values()}) > 1:
        raise InvalidError("/requests", "所选申请属于不同的派车平台，请分别选取 · requests of different pools: choose those of one pool")  # fmt: skip
    clocks, now = await load_clocks(connection), await now_of(connection)
    riders = {id: rider_of(thread) for id, thread in threads.items()}
    known = await _ways(ways, list(riders.values()))
    pairs, bars = await asyncio.to_thread(pooled, list(riders.values()), int(now.timestamp()), known)
    units = await units_below(connection, {unit for t in threads.values() for unit in (t.paper.pool, t.paper.organisation)})  # fmt: skip
    gathered = await gather(connection, clocks, list(threads.values()), units, now)
    shown = await asyncio.to_thread(lambda: [_pair(gathered, threads, riders, pair, known) for pair in pairs[:_MOST_PAIRS]])  # fmt: skip
    return {
        "items": shown, "more": max(len(pairs) - _MOST_PAIRS, 0), "saved_m": sum(pair.saved_m for pair in pairs),
        "barred": [{"request": id, "code": bar, "text": BAR_TEXTS[bar]} for id, bar in sorted(bars.items())],
        "travel": told_ways(ways, known), "unknown": [{"code": code, "text": UNKNOWN[code]} for code in unknown_of(gathered.facts)],
    }  # fmt: skip


async def _ways(ways: TravelTimes, riders: Sequence[Rider]) -> Known:
    """What the engine says between all their places; of too many nothing, so that all are measured alike."""
    places = sorted({p for rider in riders for p in (rider.trip.origin, *rider.stops, rider.trip.end)})
    return await ways.between(places, places) if len(places) <= MOST_PLACES else {}


def _pair(gathered: Gathered, threads: Mapping[str, RequestThread], riders: Mapping[str, Rider], pair: Shared, known: Known) -> dict[str, Any]:  # fmt: skip
    trip = _together(riders, pair)
    told = {each.trip for each in gathered.facts.told}
    facts = replace(gathered.facts, trips=(trip, *(t for t in gathered.facts.trips if t.id in told)))
    found = ranking.rank(facts, gathered.weights, trip.id, known, 1)
    best = found.best[0] if found.best else None
    since, until = _at(pair.departs_s), _at(pair.returns_s)
    # In the order in which they board: that of the first way is that of the paper.
    order = [halt.request for halt in pair.halts if halt.what == "board"]
    riding: list[dict[str, Any]] = [{"id": id, "version": threads[id].paper.version} for id in order]
    return {
        "riders": [
            each | {"number": threads[each["id"]].paper.number, "organisation": threads[each["id"]].paper.organisation, "detour_s": pair.detour_s[pair.requests.index(each["id"])]}
            for each in riding
        ],
        "halts": [_halt(threads, halt) for halt in pair.halts], "planned_departure": since, "planned_return": until,
        "passengers": trip.passengers, "alone_m": pair.alone_m, "together_m": pair.together_m, "saved_m": pair.saved_m,
        "saved_fen": pair.saved_fen(gathered.weights),
        "assignment": None if best is None else {
            "requests": riding, "vehicle": best.car, "driver": best.driver, "planned_departure": since, "planned_return": until,
            "suggestion": {"rank": 1, "first": best.car},
        },
        "plate": None if best is None else gathered.vehicles[best.car].plate,
        "driver_name": None if best is None else gathered.drivers.get(best.driver or ""),
        "cost_fen": None if best is None else best.cost_fen,
        "terms": [] if best is None else [{"code": code, "text": TERMS[code], "fen": fen} for code, fen in best.terms.items()],
        "reasons": [] if best is not None or not found.failed else reasons_of(found.failed[0].why),
    }  # fmt: skip


def _together(riders: Mapping[str, Rider], pair: Shared) -> Trip:
    """Both as one trip."""
    one, two = (riders[id].trip for id in pair.requests)
    by_id = {one.id: one, two.id: two}
    first, last = by_id[pair.halts[0].request], by_id[pair.halts[-1].request]
    return replace(
        first, id="+".join(pair.requests), end=last.end, departs_s=pair.departs_s, returns_s=pair.returns_s, drive_m=pair.together_m,
        drive_s=min(pair.drive_s, pair.returns_s - pair.departs_s), passengers=one.passengers + two.passengers, approved=one.approved and two.approved,
        decided=one.decided | two.decided,
    )  # fmt: skip


def _halt(threads: Mapping[str, RequestThread], halt: Halt) -> dict[str, Any]:
    contents = threads[halt.request].paper.contents
    place = {
        "board": contents["origin"], "stop": contents["stops"][halt.place], "collect": contents["stops"][-1],
        "home": contents.get("return_point") or contents["origin"],
    }[halt.what]  # fmt: skip
    return {"request": halt.request, "what": halt.what, "place": place["name"], "at": _at(halt.at_s)}


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
