"""Backtest of ``destination``: each destination of the settled orders again, on the stored tracks.

As ``rules.live.settle`` does, but for many orders at once: one read of tracks, one run of the kernel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Final

import numpy as np

from registry.facts import orders as facts_orders
from registry.facts.orders import OrderFacts
from registry.facts.owners import owned
from registry.snapshot.fleet import VehicleInfo
from registry.snapshot.orders import OrderBook
from rules.alerts.current import standing
from rules.alerts.model import Measure
from rules.backtest.model import Kind, Question, Row, Side, kind_of, stored_side
from rules.checks import destination
from rules.checks.base import Evaluation, Outcome
from rules.judge.context import Desk
from rules.judge.subjects.orders import is_ready
from rules.judge.tracks import judged_tracks_of
from rules.live.settle import drafts
from rules.stored_tracks import Want
from rules.wording.standard import STANDARD
from runtime.arrays import Ints

RULE: Final = destination.RULE
ORDERS_AT_ONCE: Final = 500
UNSETTLED: Final = "行程未按现行版本结算 · the trip is not settled in its newest version"


async def keys_of(desk: Desk, question: Question) -> list[str]:
    """Settled orders by their planned departure."""
    orders = await facts_orders.settled_orders(desk.conn, question.from_us, question.to_us)
    if question.organisation is not None:
        mine = await owned(desk.conn, question.organisation, "order", orders)
        orders = [id for id in orders if id in mine]
    return orders


async def destination_rows(
    desk: Desk, question: Question, orders: Sequence[str]
) -> AsyncIterator[tuple[int, list[Row]]]:
    """(orders judged since the last time, their rows), again and again."""
    for start in range(0, len(orders), ORDERS_AT_ONCE):
        part = orders[start : start + ORDERS_AT_ONCE]
        yield len(part), await _rows(desk, part)


async def _rows(desk: Desk, ids: Sequence[str]) -> list[Row]:
    facts = await facts_orders.orders_with_results(desk.conn, ids)
    made: list[tuple[OrderFacts, destination.Evidence]] = []
    for id in ids:
        made += [(facts[id], evidence) for evidence in _drafts(desk, facts[id])]
    evaluations = await _judge(desk, [evidence for fact, evidence in made if is_ready(fact)])
    stored, alerts = await standing(desk.conn, RULE, [evidence["subject"] for _, evidence in made])
    rows = []
    for fact, evidence in made:
        subject, order = evidence["subject"], fact.order
        now = stored_side(stored.get(subject), alerts.get(subject))
        found = evaluations.get(subject)
        then = Side("undetermined", UNSETTLED) if found is None else _side(found)
        rows.append(
            Row(
                Kind.WAITING if found is None else kind_of(now, then), subject, now, then, order.organisation,
                order.vehicle, fact.plate, order.driver, order.id, evidence["departed_us"], evidence["to_us"],
            )
        )  # fmt: skip
    return rows


def _drafts(desk: Desk, fact: OrderFacts) -> list[destination.Evidence]:
    order = fact.order
    book = OrderBook()
    book.replace([order.vehicle_no], [order], desk.parameters)
    info = VehicleInfo(order.vehicle_no, order.vehicle, fact.plate, fact.organisation, "", "", None, None)
    return drafts(order, int(book.rows[0]["cover_from"]), info, desk.parameters)


async def _judge(desk: Desk, evidences: Sequence[destination.Evidence]) -> dict[str, Evaluation]:
    """Evaluations by subject. Destinations of one order have one track."""
    wants = {_want(e): e["parameters"]["max_speed_kmh"] for e in evidences if destination.located(e)}
    listed = list(wants)
    its: dict[Want, list[destination.Evidence]] = defaultdict(list)
    for evidence in evidences:
        its[_want(evidence)].append(evidence)

    def judged(k: int, track: dict[str, Ints], good: Ints) -> dict[str, Evaluation]:
        return {e["subject"]: destination.judge(e, track, good) for e in its[listed[k]]}

    def accuses(made: dict[str, Evaluation]) -> bool:
        return any(one.outcome is Outcome.SUSPECTED for one in made.values())

    found: dict[str, Evaluation] = {}
    for _, _, made in await judged_tracks_of(desk, listed, list(wants.values()), judged, accuses):
        found |= made
    for evidence in evidences:
        if (
            _want(evidence) not in wants
        ):  # no destination with a place: there is nothing to look for on a track
            found[evidence["subject"]] = destination.judge(evidence, {}, np.zeros(0, np.int64))
    return found


def _want(evidence: destination.Evidence) -> Want:
    return evidence["vehicle"]["no"], evidence["from_us"], evidence["to_us"] + 1


def _side(made: Evaluation) -> Side:
    outcome = made.outcome.value
    measures = {name: Measure(m["value"], m["unit"]) for name, m in made.measures.items()}
    words = STANDARD.reason(RULE, made.rule_version, made.reason, made.named).zh
    return Side(outcome, made.reason, measures, "medium" if outcome == "suspected" else None, words)
