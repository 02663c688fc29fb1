"""Orders, whole: the rule ``mileage``.

An order is judged when the worker has settled its result, and again when the result, the order or the parameters
change. Whether a mileage is suspected follows from the numbers of the result and the route; only for those that are,
the track is read, frozen and run through the kernel again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from registry.facts import orders
from registry.facts.order_notes import paper_notes
from registry.facts.orders import OrderFacts, OrderResultRow
from registry.order_cover import NOT_SHOWN, Note
from registry.orders import OrderPlace, OrderRow
from registry.parameters import TRACK, resolve
from rules.alerts.feed import evidence_of, suspected_of_orders
from rules.alerts.model import AlertFacts, Judgement, alert_id
from rules.checks import mileage
from rules.checks.base import Evaluation, Outcome
from rules.evidence import parse
from rules.evidence_parts import Order, Place, Vehicle
from rules.judge.context import Change, Context, Later, Verdicts, judgement, of_kind, on_kept_track, wait
from rules.judge.order_tracks import add_tracks
from rules.navigation.base import Places, Route
from runtime.units import US_PER_S

RULE = mileage.RULE

#: While the engine gives no route: at first so long, then as long as has been waited already, up to an hour.
ROUTE_FIRST_US: Final = 60 * US_PER_S
ROUTE_MOST_US: Final = 3600 * US_PER_S

WAITS_FOR_ROUTE: Final = "等待导航里程 · waits for the navigation engine"

WAITS_FOR_MENDED: Final = (
    "导航引擎的答复不可信，将再次询问 · the engine's answer cannot be true and is asked again"
)

#: Tracks in memory at once.
TRACKS_AT_ONCE: Final = 20


class Orders:
    """See the module docstring; a Gatherer. Key: id of the order."""

    name = "orders"
    rules: tuple[str, ...] = (RULE,)

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """See Gatherer."""
        keys = dict.fromkeys((whole(c.subject) for c in of_kind(changes, "order", "result")), context.now_us)
        # What the kernels and the windows of orders use comes with the results that the worker makes anew.
        since = [c.from_us for c in of_kind(changes, "parameter") if c.subject == RULE]
        if since:
            keys |= dict.fromkeys(await orders.settled_orders(context.conn, min(since), None), context.now_us)
        return keys

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        """Nothing: the worker settles orders by the clock."""
        return {}

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Fetch the routes of those that can be judged."""
        facts = await orders.orders_with_results(context.conn, keys)
        ready = [fact for fact in facts.values() if is_ready(fact)]
        await context.navigator.fetch(context.conn, _wanted(ready))

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """See Gatherer."""
        facts = await orders.orders_with_results(context.conn, keys)
        verdicts = Verdicts(await withdrawn(context, RULE, mileage.VERSION, keys, facts, _subjects))
        ready = {key: facts[key] for key in keys if key in facts and is_ready(facts[key])}
        for key in keys:
            if key in facts and key not in ready:
                verdicts.later.update(until_settled(context, facts[key]))
        wanted = _wanted(list(ready.values()))
        routes = dict(zip(wanted, await context.navigator.routes(context.conn, wanted), strict=True))
        suspected: list[tuple[OrderFacts, mileage.Evidence]] = []
        for key, fact in ready.items():
            places, missing = _itinerary(fact)
            evidence = _numbers(context, fact, routes.get(places))
            made = mileage.conclude(evidence)
            if made.reason == "no_route" and not missing and evidence["route"] is None:
                verdicts.later[key] = _for_route(context, fact)
            elif made.outcome is Outcome.SUSPECTED:
                suspected.append((fact, evidence))
            else:
                if made.outcome is Outcome.UNDETERMINED:
                    made = on_kept_track(context, made)
                verdicts.judgements.append(_judgement(context, fact, made, evidence))
                route = routes.get(places)
                if made.reason == "no_route" and route is not None and route.ask_again_us is not None:
                    verdicts.later[key] = _for_mended(context, route.ask_again_us)
                    verdicts.absent.add(made.subject)
                elif (
                    made.reason == "no_route"
                    and not missing
                    and await _had_a_route(context, made.subject, places)
                ):
                    verdicts.absent.add(made.subject)
        for start in range(0, len(suspected), TRACKS_AT_ONCE):
            part = suspected[start : start + TRACKS_AT_ONCE]
            await _add_all_tracks(context, part)
            for fact, evidence in part:
                made = await asyncio.to_thread(mileage.evaluate, evidence)  # seconds for a month of fixes
                if made.reason == "results_differ":
                    verdicts.later[fact.order.id] = _again(context, fact)
                else:
                    verdicts.judgements.append(_judgement(context, fact, made, evidence))
                for one in (evidence, *evidence.get("legs", [])):
                    one.pop("track", None)  # frozen by now; a track as lists is large
        verdicts.judgements.sort(key=lambda j: j.subject)
        return verdicts

    async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
        """Settled orders by their planned departure."""
        return await orders.settled_orders(context.conn, from_us, to_us)


def is_ready(fact: OrderFacts) -> bool:
    """Whether the newest version of the order is returned and its result settled."""
    order, result = fact.order, fact.result
    if fact.legs:
        return order.status == "returned" and all(map(is_ready, fact.legs))
    return (
        order.status == "returned"
        and order.actual_return_us is not None
        and result is not None
        and result.settled
        and (result.order_version, result.vehicle_no) == (order.version, order.vehicle_no)
    )


def whole(subject: str) -> str:
    """The order that the subject of a change belongs to: a part has the id ``<order>#<n>``."""
    return subject.partition("#")[0]


def _subjects(order: OrderRow) -> set[str]:
    return {mileage.subject(order.id)}


async def withdrawn(
    context: Context, rule: str, version: int, keys: Collection[str], facts: Mapping[str, OrderFacts],
    subjects: Callable[[OrderRow], Collection[str]], removed: str = "destination_removed",
) -> list[Judgement]:  # fmt: skip
    """Withdrawals of what ``rule`` said of the orders ``keys`` and what cannot hold any more: the order is cancelled, open
    again or another vehicle's, or the subject is not among ``subjects`` of its newest version (the reason ``removed``). What was said of the same
    vehicle and can be judged again is left to its judgement; of another vehicle it is withdrawn before that."""
    made = []
    for old in await suspected_of_orders(context.conn, rule, keys):
        fact = facts.get(old.alert.order or "")
        known = fact is not None and old.subject in subjects(fact.order)
        if fact is not None and known and is_ready(fact) and fact.order.vehicle_no == old.vehicle_no:
            continue
        reason = _gone(fact, old.vehicle_no)
        if not reason and not known:
            reason = removed
        if reason:
            backfill = fact is not None and fact.order.backfill
            made.append(
                Judgement(
                    rule,
                    version,
                    old.subject,
                    old.vehicle_no,
                    "normal",
                    reason,
                    context.now_us,
                    backfill=backfill,
                )
            )
    return made


def until_settled(context: Context, fact: OrderFacts) -> dict[str, Later]:
    """A returned order whose result is not settled is looked at again. The worker's next result of it comes as a change;
    this is for the case that it never does."""
    order = fact.order
    if order.status != "returned" or order.actual_return_us is None:
        return {}
    return {order.id: wait(context, order.actual_return_us, "等待行程结算 · waits until the trip is settled")}


def _gone(fact: OrderFacts | None, vehicle_no: int | None) -> str:
    """Why an alert does not hold, a reason code; '' = it may."""
    if fact is None or fact.order.status == "cancelled":
        return "order_cancelled"
    if fact.order.vehicle_no != vehicle_no:
        return "order_reassigned"
    if fact.order.status != "returned":
        return "order_reopened"
    return ""


async def _had_a_route(context: Context, subject: str, places: Places) -> bool:
    """Whether the alert of ``subject`` rests on a route over these very places. An engine that knows none any more has lost
    its map, or has another one."""
    frozen = await evidence_of(context.conn, alert_id(RULE, subject))
    route = None if frozen is None or frozen.body is None else parse(frozen.body).get("route")
    return (
        route is not None
        and route["distance_m"] is not None
        and [tuple(p) for p in route["places"]] == list(places)
    )


def _for_route(context: Context, fact: OrderFacts) -> Later:
    since = _computed(context, fact)
    pause = min(max(context.now_us - since, ROUTE_FIRST_US), ROUTE_MOST_US)
    return Later(context.now_us + pause, WAITS_FOR_ROUTE)


def _computed(context: Context, fact: OrderFacts) -> int:
    return max((leg.result.computed_us for leg in fact.stretches() if leg.result), default=context.now_us)


def _for_mended(context: Context, ask_again_us: int) -> Later:
    """Undetermined for an answer that cannot be true: judged again when the engine has been asked again."""
    return Later(max(ask_again_us, context.now_us + ROUTE_MOST_US), WAITS_FOR_MENDED)


def _again(context: Context, fact: OrderFacts) -> Later:
    """The stored track gives another mileage than the result: the worker has not taken all of it yet."""
    since = _computed(context, fact)
    return wait(context, since, "轨迹与结算里程不一致，等待重算 · the track and the settled mileage differ")


def _wanted(facts: Sequence[OrderFacts]) -> list[Places]:
    """The distinct routes that are needed, in order; none for orders that are undetermined anyway."""
    found = (
        _itinerary(fact)[0]
        for fact in facts
        if any(leg.result is not None and leg.result.fixes for leg in fact.stretches())
    )
    return list(dict.fromkeys(places for places in found if places))


def _itinerary(fact: OrderFacts) -> tuple[Places, str]:
    order = fact.order
    return mileage.itinerary(
        _place(order.origin), [place_of(p) for p in order.destinations], _place(order.return_point)
    )


def _result(result: OrderResultRow) -> mileage.Result:
    return {
        "mileage_mm": result.mileage_mm, "bridged_mm": result.bridged_mm, "odometer_m": result.odometer_m,
        "fixes": result.fixes, "first_us": result.first_us, "last_us": result.last_us,
    }  # fmt: skip


def place_of(place: OrderPlace) -> Place:
    """A place of an order, in evidence."""
    return {"name": place.name, "lat_e6": place.lat_e6, "lon_e6": place.lon_e6}


def head_of(order: OrderRow) -> Order:
    """Which version of an order it is, in evidence."""
    return {"id": order.id, "version": order.version, "driver": order.driver, "purpose": order.purpose}


def vehicle_in(fact: OrderFacts) -> Vehicle:
    """The vehicle of an order, in evidence."""
    order = fact.order
    return {
        "no": order.vehicle_no,
        "id": order.vehicle,
        "plate": fact.plate,
        "organisation": fact.organisation,
    }


def notes_of(fact: OrderFacts) -> list[Note]:
    """What differs between paper and track of all stretches of an order, and what it waits for."""
    notes = [note for leg in fact.stretches() for note in paper_notes(leg.order)]
    return [*notes, fact.waits] if fact.waits else notes


def _place(place: OrderPlace | None) -> Place | None:
    return None if place is None else place_of(place)


def departed(order: OrderRow) -> int:
    """When it departed: as it was said, else as it was planned; before that where the track shows that (a later one would
    take from the driver what was done in between)."""
    told = order.actual_departure_us or order.planned_departure_us
    shown = order.left_us not in (None, NOT_SHOWN)
    return min(told, order.left_us or told) if shown else told


def came_back(order: OrderRow) -> int:
    """When a returned order came back: as the track shows it, else as it was said."""
    if order.actual_return_us is None:
        raise ValueError(f"order {order.id} is not returned")
    shown = order.back_us not in (None, NOT_SHOWN)
    return max(order.actual_return_us, order.back_us or 0) if shown else order.actual_return_us


def _total(fact: OrderFacts) -> mileage.Result:
    """The result of all stretches of an order."""
    found = [_result(leg.result) for leg in fact.stretches() if leg.result is not None]
    if len(found) != len(fact.stretches()):
        raise ValueError(f"order {fact.order.id} is not settled")
    return mileage.total(found)


def _numbers(context: Context, fact: OrderFacts, route: Route | None) -> mileage.Evidence:
    """Evidence without what ``recompute`` needs."""
    order, at_us = fact.order, fact.order.planned_departure_us
    notes = notes_of(fact)
    found: mileage.Evidence = {
        "rule": RULE,
        "rule_version": mileage.VERSION,
        "subject": mileage.subject(order.id),
        "order": head_of(order),
        "vehicle": vehicle_in(fact),
        "departed_us": departed(order),
        "to_us": came_back(order),
        "origin": _place(order.origin),
        "destinations": [place_of(place) for place in order.destinations],
        "return_point": _place(order.return_point),
        "route": None if route is None else route.evidence(),
        # The kernel's own are said as well; it resolves them fix by fix, from ``parameter_rows``.
        "parameters": context.resolve(RULE, order.organisation, at_us)
        | resolve(TRACK, fact.organisation, at_us, context.parameters),
        "result": _total(fact),
    }  # fmt: skip
    if notes:
        found["notes"] = notes
    return found


async def _add_all_tracks(context: Context, suspected: Sequence[tuple[OrderFacts, mileage.Evidence]]) -> None:
    """``add_tracks`` of every stretch: an order of several has them under ``legs``, each with its vehicle and result."""
    pairs: list[tuple[OrderFacts, mileage.Evidence]] = []
    for fact, evidence in suspected:
        if fact.legs:
            legs = [_numbers(context, leg, None) for leg in fact.legs]
            pairs += zip(fact.legs, legs, strict=True)
            evidence["legs"] = legs
        else:
            pairs.append((fact, evidence))
    await add_tracks(context, pairs)


def _judgement(context: Context, fact: OrderFacts, made: Evaluation, evidence: mileage.Evidence) -> Judgement:
    order, alert = fact.order, None
    if made.outcome is Outcome.SUSPECTED:
        alert = AlertFacts(
            severity=mileage.severity(made),
            organisation=order.organisation,
            vehicle=order.vehicle,
            plate=fact.plate,
            occurred_from_us=made.from_us,
            occurred_to_us=made.to_us,
            driver=order.driver,
            order=order.id,
        )
    return judgement(context, made, evidence, alert, order.vehicle_no, backfill=order.backfill)
