"""Gatherer ``destinations``: every destination of a returned order (``destination``). Key: id of the order.

An order is judged when the worker has settled its result, and again when its result, the order or a parameter of the rule
changes: late positions and all other facts that a track rests on come with a new result. All destinations of an order are
judged on one track.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from registry.changes import LOOK_BACK_US
from registry.facts import orders
from registry.facts.orders import OrderFacts
from registry.orders import OrderRow
from registry.parameters import TRACK
from registry.snapshot.orders import OrderBook
from rules.alerts.model import AlertFacts
from rules.checks import destination as check
from rules.checks.base import Evaluation, Outcome
from rules.evidence import freeze_track
from rules.judge.context import Change, Context, Verdicts, judgement, of_kind, on_kept_track
from rules.judge.subjects.orders import (
    came_back,
    departed,
    head_of,
    is_ready,
    notes_of,
    place_of,
    until_settled,
    vehicle_in,
    whole,
    withdrawn,
)
from rules.judge.tracks import judged_tracks_of
from rules.stored_tracks import Want
from runtime.arrays import Ints
from runtime.units import US_PER_DAY

RULE: Final = check.RULE

#: A changed parameter is applied to orders planned at most so long ago: tracks are recomputed no further back, and where a
#: track is not kept any more nothing can be said against what was found on it.
REACH_US: Final = LOOK_BACK_US
#: Tracks in memory at once.
TRACKS_US: Final = 31 * US_PER_DAY

#: An order, and the evidence of each of its destinations, still without the track.
_Case = tuple[OrderFacts, list[check.Evidence]]


class Destinations:
    """See the module docstring and ``rules.judge.context.Gatherer``."""

    name = "destinations"
    rules: tuple[str, ...] = (RULE,)

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        """See Gatherer."""
        keys = {whole(c.subject) for c in of_kind(changes, "order", "result")}
        since = [c.from_us for c in of_kind(changes, "parameter") if c.subject == RULE]
        if since:
            keys.update(
                await orders.settled_orders(context.conn, max(min(since), context.now_us - REACH_US), None)
            )
        return dict.fromkeys(sorted(keys), context.now_us)

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        """Nothing: the worker settles orders by the clock."""
        return {}

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        """Nothing takes long here."""

    async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
        """Settled orders by their planned departure."""
        return await orders.settled_orders(context.conn, from_us, to_us)

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        """See Gatherer."""
        facts = await orders.orders_with_results(context.conn, keys)
        verdicts = Verdicts(await withdrawn(context, RULE, check.VERSION, keys, facts, _subjects))
        for key in keys:
            if key in facts and not is_ready(facts[key]):
                verdicts.later.update(until_settled(context, facts[key]))
        ready = [facts[key] for key in keys if key in facts and is_ready(facts[key])]
        for part in _parts(_cases(context, ready)):
            for (fact, evidences), (tracks, evaluations) in zip(
                part, await _judged(context, part), strict=True
            ):
                order = fact.order
                for evidence, made in zip(evidences, evaluations, strict=True):
                    if check.located(evidence):
                        made = on_kept_track(context, made)
                    if made.outcome is Outcome.SUSPECTED and not context.numbers_only:
                        for leg, track in zip((evidence, *evidence.get("legs", [])), tracks, strict=True):
                            leg["track"] = freeze_track(track)
                    alert = _alert(order, made, evidence)
                    verdicts.judgements.append(
                        judgement(context, made, evidence, alert, order.vehicle_no, backfill=order.backfill)
                    )
        return verdicts


def _subjects(order: OrderRow) -> set[str]:
    return {check.subject(order.id, k) for k in range(len(order.destinations))}


def _cases(context: Context, ready: Sequence[OrderFacts]) -> list[_Case]:
    book = OrderBook()
    legs = [leg for fact in ready for leg in fact.stretches()]
    book.replace((), [leg.order for leg in legs], context.parameters)  # an empty book: one row each, in order
    begins = iter(book.rows["cover_from"].tolist())
    return [(fact, drafts(context, fact, [next(begins) for _ in fact.stretches()])) for fact in ready]


def drafts(context: Context, fact: OrderFacts, cover_from_us: Sequence[int]) -> list[check.Evidence]:
    """Evidence of each destination of a returned order, without its track: that of ``from_us`` to ``to_us``, both
    included. ``cover_from_us``: from when on each stretch of the order covers its vehicle. What the vehicle did from then until
    it departed counts only where the office does not say when that was.
    """
    order = fact.order
    parameters = {
        name: value
        for rule in (RULE, TRACK)
        for name, value in context.resolve(rule, order.organisation, order.planned_departure_us).items()
    }
    first, *further = [_leg(leg, begun) for leg, begun in zip(fact.stretches(), cover_from_us, strict=True)]
    notes = notes_of(fact)
    found: list[check.Evidence] = []
    for index, place in enumerate(order.destinations):
        evidence: check.Evidence = {
            "rule": RULE,
            "rule_version": check.VERSION,
            "subject": check.subject(order.id, index),
            "index": index,
            "order": head_of(order),
            "vehicle": first["vehicle"],
            "from_us": first["from_us"],
            "begun_us": first["begun_us"],
            "departed_us": first["departed_us"],
            "to_us": first["to_us"],
            "destination": place_of(place),
            "parameters": parameters,
        }
        if further:
            evidence["legs"] = [leg.copy() for leg in further]
        if notes:
            evidence["notes"] = notes
        found.append(evidence)
    return found


def _leg(fact: OrderFacts, cover_from_us: int) -> check.Leg:
    order = fact.order
    left = departed(order)
    since = min(cover_from_us, left) if order.leg_from_us is None else left
    return {
        "vehicle": vehicle_in(fact),
        "from_us": since,
        "begun_us": left if order.actual_departure_us else since,
        "departed_us": left,
        "to_us": came_back(order),
    }


def _parts(cases: Sequence[_Case]) -> Iterator[list[_Case]]:
    """``cases`` in order, in parts whose tracks are together no longer than TRACKS_US, or of one order. Without the
    orders that have no destination."""
    part: list[_Case] = []
    length = 0
    for case in cases:
        if not case[1]:
            continue
        own = sum(until - since for _, since, until in _wants(case))
        if part and length + own > TRACKS_US:
            yield part
            part, length = [], 0
        part.append(case)
        length += own
    if part:
        yield part


def _wants(case: _Case) -> list[Want]:
    """The stretch of track that each leg of an order is judged on; an empty one where no destination has a place to look
    for."""
    _, evidences = case
    wanted = any(map(check.located, evidences))
    legs = check.stretches(evidences[0])
    return [
        (leg["vehicle"]["no"], leg["from_us"], leg["to_us"] + 1) if wanted else (leg["vehicle"]["no"], 0, 0)
        for leg in legs
    ]


async def _judged(
    context: Context, part: Sequence[_Case]
) -> list[tuple[list[dict[str, Ints]], list[Evaluation]]]:
    """The tracks of the legs of each order and what its destinations come to; the tracks are read and cleaned together."""
    wants, of = [], []
    for case in part:
        for k, want in enumerate(_wants(case)):
            wants.append(want)
            of.append((case[1], k))

    def judge(n: int, track: dict[str, Ints], good: Ints) -> list[Evaluation]:
        evidences, k = of[n]
        return [check.judge(check.stretches(evidence)[k], track, good) for evidence in evidences]

    def accuses(made: list[Evaluation]) -> bool:
        return any(one.outcome is Outcome.SUSPECTED for one in made)

    speeds = [evidences[0]["parameters"]["max_speed_kmh"] for evidences, _ in of]
    found = iter(await judged_tracks_of(context, wants, speeds, judge, accuses))
    results = []
    for _, evidences in part:
        legs = [next(found) for _ in check.stretches(evidences[0])]
        made = [
            check.combined(evidence, [own[index] for _, _, own in legs])
            for index, evidence in enumerate(evidences)
        ]
        results.append(([track for track, _, _ in legs], made))
    return results


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
