"""Gatherer ``routes``: the way that was driven for a returned order that designates one (``route``). Key: id of the order.

An order is judged when the worker has settled its result, and again when its result, the order or a parameter of the rule changes, as its destinations are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from registry.facts import orders
from registry.facts.orders import OrderFacts
from registry.orders import OrderRow
from registry.parameters import TRACK
from rules.alerts.feed import suspected_of_orders
from rules.alerts.model import AlertFacts
from rules.checks import route as check
from rules.checks.base import Evaluation, Outcome
from rules.evidence import freeze_track
from rules.judge.context import Change, Context, Verdicts, judgement, of_kind, on_kept_track
from rules.judge.subjects.destinations import REACH_US, TRACKS_US
from rules.judge.subjects.orders import (
    came_back,
    departed,
    head_of,
    is_ready,
    notes_of,
    until_settled,
    vehicle_in,
    whole,
    withdrawn,
)
from rules.judge.tracks import judged_tracks_of
from runtime.arrays import Ints

RULE: Final = check.RULE
_REMOVED: Final = "route_removed"

_Case = tuple[OrderFacts, check.Evidence]


class Routes:
    """See the module docstring and ``rules.judge.context.Gatherer``."""

    name = "routes"
    rules: tuple[str, ...] = (RULE,)

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """See Gatherer. Most orders designate no route: they are left out, but for those that were judged on one before."""
        ids = sorted({whole(c.subject) for c in of_kind(changes, "order", "result")})
        keys = set(await orders.orders_with_routes(context.conn, ids))
        keys |= {old.alert.order or "" for old in await suspected_of_orders(context.conn, RULE, ids)} - {""}
        since = [c.from_us for c in of_kind(changes, "parameter") if c.subject == RULE]
        if since:
            keys |= set(await self.between(context, max(min(since), context.now_us - REACH_US), None))
        return dict.fromkeys(sorted(keys), context.now_us)

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        """Nothing: the worker settles orders by the clock."""
        return {}

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Nothing takes long here: the order says which way it is, no engine is asked."""

    async def between(self, context: Context, from_us: int, to_us: int | None) -> list[str]:
        """Settled orders with a route, by their planned departure."""
        settled = await orders.settled_orders(context.conn, from_us, to_us)
        return await orders.orders_with_routes(context.conn, settled)

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """See Gatherer."""
        if not keys:  # few orders designate a route
            return Verdicts()
        facts = await orders.orders_with_results(context.conn, keys, routes=True)
        verdicts = Verdicts(await withdrawn(context, RULE, check.VERSION, keys, facts, _subjects, _REMOVED))
        known = [facts[key] for key in keys if key in facts and _line(facts[key].order)]
        for fact in known:
            if not is_ready(fact):
                verdicts.later.update(until_settled(context, fact))
        for part in _parts([(fact, _draft(context, fact)) for fact in known if is_ready(fact)]):
            for (fact, evidence), made in zip(part, await _judged(context, part), strict=True):
                order = fact.order
                alert = _alert(order, made, evidence) if made.outcome is Outcome.SUSPECTED else None
                verdicts.judgements.append(
                    judgement(context, made, evidence, alert, order.vehicle_no, backfill=order.backfill)
                )
        return verdicts


def _line(order: OrderRow) -> list[list[int]]:
    """The designated route as a line; a point without coordinates says no way."""
    points = [(place.lat_e6, place.lon_e6) for place in order.route]
    return [[lat, lon] for lat, lon in points if lat is not None and lon is not None]


def _subjects(order: OrderRow) -> set[str]:
    return {check.subject(order.id)} if order.route else set()


def _draft(context: Context, fact: OrderFacts) -> check.Evidence:
    """Evidence without its track."""
    order = fact.order
    evidence: check.Evidence = {
        "rule": RULE,
        "rule_version": check.VERSION,
        "subject": check.subject(order.id),
        "order": head_of(order),
        "vehicle": vehicle_in(fact),
        "departed_us": departed(order),
        "to_us": came_back(order),
        "route": {"line": _line(order)},
        "vehicles": len({leg.order.vehicle_no for leg in fact.stretches()}),
        "parameters": {
            name: value
            for rule in (RULE, TRACK)
            for name, value in context.resolve(rule, order.organisation, order.planned_departure_us).items()
        },
    }
    if notes := notes_of(fact):
        evidence["notes"] = notes
    return evidence


def _parts(cases: Sequence[_Case]) -> Iterator[list[_Case]]:
    """``cases`` in order, in parts whose tracks are together no longer than TRACKS_US, or of one order."""
    part: list[_Case] = []
    length = 0
    for case in cases:
        own = case[1]["to_us"] - case[1]["departed_us"]
        if part and length + own > TRACKS_US:
            yield part
            part, length = [], 0
        part.append(case)
        length += own
    if part:
        yield part


async def _judged(context: Context, part: Sequence[_Case]) -> list[Evaluation]:
    """What each order comes to; the tracks are read and cleaned together. Those that are suspected get theirs frozen."""
    wants = [
        (e["vehicle"]["no"], e["departed_us"], e["to_us"] + 1)
        if check.judged(e)
        else (e["vehicle"]["no"], 0, 0)
        for _, e in part
    ]
    speeds = [evidence["parameters"]["max_speed_kmh"] for _, evidence in part]

    def judge(k: int, track: dict[str, Ints], good: Ints) -> Evaluation:
        return check.judge(part[k][1], track, good)

    def accuses(made: Evaluation) -> bool:
        return made.outcome is Outcome.SUSPECTED

    found = await judged_tracks_of(context, wants, speeds, judge, accuses)
    made = []
    for (_, evidence), (track, _, own) in zip(part, found, strict=True):
        kept = on_kept_track(context, own) if check.judged(evidence) else own
        if kept.outcome is Outcome.SUSPECTED and not context.numbers_only:
            evidence["track"] = freeze_track(track)
        made.append(kept)
    return made


def _alert(order: OrderRow, made: Evaluation, evidence: check.Evidence) -> AlertFacts:
    return AlertFacts(
        severity="medium",
        organisation=order.organisation,
        vehicle=order.vehicle,
        plate=evidence["vehicle"]["plate"],
        occurred_from_us=made.from_us,
        occurred_to_us=made.to_us,
        driver=order.driver,
        order=order.id,
    )
