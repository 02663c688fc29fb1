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
from rules.judge.context import Change, Desk, Verdicts, judgement, of_kind, on_kept_track
from rules.judge.subjects.orders import is_ready, until_settled, withdrawn
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

    async def affected(self, desk: Desk, changes: Sequence[Change]) -> dict[str, int]:
        """See Gatherer."""
        keys = {c.subject for c in of_kind(changes, "order", "result")}
        since = [c.from_us for c in of_kind(changes, "parameter") if c.subject == RULE]
        if since:
            keys.update(await orders.settled_orders(desk.conn, max(min(since), desk.now_us - REACH_US), None))
        return dict.fromkeys(sorted(keys), desk.now_us)

    async def strike(self, desk: Desk, from_us: int, until_us: int) -> dict[str, int]:
        """Nothing: the worker settles orders by the clock."""
        return {}

    async def prepare(self, desk: Desk, keys: Sequence[str]) -> None:
        """Nothing takes long here."""

    async def between(self, desk: Desk, from_us: int, to_us: int) -> list[str]:
        """Settled orders by their planned departure."""
        return await orders.settled_orders(desk.conn, from_us, to_us)

    async def judge(self, desk: Desk, keys: Sequence[str]) -> Verdicts:
        """See Gatherer."""
        facts = await orders.orders_with_results(desk.conn, keys)
        verdicts = Verdicts(await withdrawn(desk, RULE, check.VERSION, keys, facts, _subjects))
        for key in keys:
            if key in facts and not is_ready(facts[key]):
                verdicts.later.update(until_settled(desk, facts[key]))
        ready = [facts[key] for key in keys if key in facts and is_ready(facts[key])]
        for part in _parts(_cases(desk, ready)):
            for (fact, evidences), (track, evaluations) in zip(part, await _judged(desk, part), strict=True):
                for evidence, made in zip(evidences, evaluations, strict=True):
                    if check.located(evidence):
                        made = on_kept_track(desk, made)
                    if made.outcome is Outcome.SUSPECTED and not desk.numbers_only:
                        evidence["track"] = freeze_track(track)
                    alert = _alert(fact.order, made, evidence)
                    verdicts.judgements.append(judgement(desk, made, evidence, alert, fact.order.vehicle_no))
        return verdicts


def _subjects(order: OrderRow) -> set[str]:
    return {check.subject(order.id, k) for k in range(len(order.destinations))}


def _cases(desk: Desk, ready: Sequence[OrderFacts]) -> list[_Case]:
    book = OrderBook()
    book.replace((), [fact.order for fact in ready], desk.parameters)  # an empty book: one row each, in order
    begins = book.rows["cover_from"].tolist()
    return [(fact, drafts(desk, fact, begun)) for fact, begun in zip(ready, begins, strict=True)]


def drafts(desk: Desk, fact: OrderFacts, cover_from_us: int) -> list[check.Evidence]:
    """Evidence of each destination of a returned order, without its track: that of ``from_us`` to ``to_us``, both
    included. ``cover_from_us``: from when on the order covers its vehicle. What the vehicle did from then until it departed
    counts only where the office does not say when that was.
    """
    order = fact.order
    if order.actual_return_us is None:
        raise ValueError(f"order {order.id} is not returned")
    departed = order.actual_departure_us or order.planned_departure_us
    since = min(cover_from_us, departed)
    parameters = {
        name: value
        for rule in (RULE, TRACK)
        for name, value in desk.resolve(rule, order.organisation, order.planned_departure_us).items()
    }
    return [
        {
            "rule": RULE,
            "rule_version": check.VERSION,
            "subject": check.subject(order.id, index),
            "index": index,
            "order": {
                "id": order.id,
                "version": order.version,
                "driver": order.driver,
                "purpose": order.purpose,
            },
            "vehicle": {
                "no": order.vehicle_no,
                "id": order.vehicle,
                "plate": fact.plate,
                "organisation": fact.organisation,
            },
            "from_us": since,
            "begun_us": departed if order.actual_departure_us else since,
            "departed_us": departed,
            "to_us": order.actual_return_us,
            "destination": {"name": place.name, "lat_e6": place.lat_e6, "lon_e6": place.lon_e6},
            "parameters": parameters,
        }
        for index, place in enumerate(order.destinations)
    ]


def _parts(cases: Sequence[_Case]) -> Iterator[list[_Case]]:
    """``cases`` in order, in parts whose tracks are together no longer than TRACKS_US, or of one order. Without the
    orders that have no destination."""
    part: list[_Case] = []
    length = 0
    for case in cases:
        if not case[1]:
            continue
        _, since, until = _want(case)
        if part and length + until - since > TRACKS_US:
            yield part
            part, length = [], 0
        part.append(case)
        length += until - since
    if part:
        yield part


def _want(case: _Case) -> Want:
    """The stretch of track that an order is judged on; an empty one where no destination has a place to look for."""
    fact, evidences = case
    if not any(map(check.located, evidences)):
        return fact.order.vehicle_no, 0, 0
    return fact.order.vehicle_no, evidences[0]["from_us"], evidences[0]["to_us"] + 1


async def _judged(desk: Desk, part: Sequence[_Case]) -> list[tuple[dict[str, Ints], list[Evaluation]]]:
    """The track of each order and what its destinations come to; the tracks are read and cleaned together."""

    def judge(k: int, track: dict[str, Ints], good: Ints) -> list[Evaluation]:
        return [check.judge(evidence, track, good) for evidence in part[k][1]]

    def accuses(made: list[Evaluation]) -> bool:
        return any(one.outcome is Outcome.SUSPECTED for one in made)

    speeds = [evidences[0]["parameters"]["max_speed_kmh"] for _, evidences in part]
    found = await judged_tracks_of(desk, [_want(case) for case in part], speeds, judge, accuses)
    return [(track, made) for track, _, made in found]


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
