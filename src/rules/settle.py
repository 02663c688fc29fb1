"""Settlement of returned orders: each destination is judged on the stored track, again whenever a fact
changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rules import evidence as frozen
from rules import store
from rules.checks import destination
from rules.checks.base import Outcome
from rules.episodes import Facts, measures_of, track_of
from rules.fleet.orders import NO_TIME, STATUS, Order, OrderBook
from rules.params import TRACK, resolve
from rules.store import AlertFacts, Judgement
from rules.tracks.state import TrackStates

Ints = NDArray[np.int64]
RULE = destination.RULE
_RETURNED = STATUS.index("returned")


def due(book: OrderBook, vehicles: Ints, before: Ints, states: TrackStates) -> list[int]:
    """Rows of returned orders whose return a vehicle's watermark has just passed.

    ``vehicles``: distinct numbers; ``before``: their watermarks before the batch (int64, same shape).
    """
    rows = book.rows
    if not len(rows) or not len(vehicles):
        return []
    top = max(int(vehicles.max()), int(rows["vehicle_no"].max())) + 1
    since = np.full(top, np.iinfo(np.int64).max, np.int64)
    until = np.full(top, np.iinfo(np.int64).min, np.int64)
    since[vehicles], until[vehicles] = before, states.field("t", vehicles)
    no, returned = rows["vehicle_no"], rows["actual_return"]
    hit = (
        (rows["status"] == _RETURNED)
        & (returned != NO_TIME)
        & (returned > since[no])
        & (returned <= until[no])
    )
    return [row for row in np.flatnonzero(hit).tolist() if book.row_of(book.orders[row].id) == row]


async def settle(facts: Facts, rows: Sequence[int]) -> list[Judgement]:
    """Judgements of every destination of the orders at ``rows``, by order and destination."""
    judgements: list[Judgement] = []
    for row in rows:
        judgements += await _settle_order(facts, row)
    return judgements


async def _settle_order(facts: Facts, row: int) -> list[Judgement]:
    snapshot = facts.tracker.snapshot
    order, window = snapshot.orders.orders[row], snapshot.orders.rows[row]
    if order.actual_return_us is None or not order.destinations:
        return []
    departed = order.actual_departure_us or order.planned_departure_us
    start, end = min(int(window["cover_from"]), departed), order.actual_return_us
    info = snapshot.vehicles[order.vehicle_no]
    own = resolve(RULE, order.organisation, order.planned_departure_us, snapshot.parameters)
    shared = resolve(TRACK, order.organisation, order.planned_departure_us, snapshot.parameters)
    located = any(p.lat_e6 is not None and p.lon_e6 is not None for p in order.destinations)
    track: dict[str, list[int]] = {name: [] for name in frozen.TRACK_COLUMNS}
    if located:
        track = frozen.freeze_track((await track_of(facts, order.vehicle_no, start, end + 1)).columns())
    judgements = []
    for index, place in enumerate(order.destinations):
        evidence: dict[str, Any] = {
            "rule": RULE,
            "rule_version": destination.VERSION,
            "subject": destination.subject(order.id, index),
            "index": index,
            "order": {
                "id": order.id,
                "version": order.version,
                "driver": order.driver,
                "purpose": order.purpose,
            },
            "vehicle": {"no": info.no, "id": info.id, "plate": info.plate, "organisation": info.organisation},
            "from_us": start,
            "departed_us": departed,
            "to_us": end,
            "destination": {"name": place.name, "lat_e6": place.lat_e6, "lon_e6": place.lon_e6},
            "parameters": own | shared,
            "track": track,
        }
        made = destination.evaluate(evidence)
        suspected = made.outcome is Outcome.SUSPECTED
        alert = None
        if suspected:
            alert = AlertFacts(
                severity="medium",
                organisation=order.organisation,
                vehicle=info.id,
                plate=info.plate,
                occurred_from_us=departed,
                occurred_to_us=end,
                summary=made.summary,
                driver=order.driver,
                order=order.id,
            )
        judgements.append(
            Judgement(
                RULE, made.rule_version, made.subject, order.vehicle_no, made.outcome.value,
                _REASONS[made.reason], facts.now_us, measures_of(made), dict(made.parameters),
                frozen.canonical(evidence) if suspected else None, alert,
            )
        )  # fmt: skip
    return judgements


_REASONS = {
    "reached": "轨迹到过目的地 · the track reached the destination",
    "not_reached": "轨迹未到目的地 · the track did not reach the destination",
    "no_coordinates": "目的地没有坐标 · the destination has no coordinates",
    "no_track": "没有可用轨迹 · no usable track",
    "gap": "轨迹中断期间可能到过目的地 · may have been there during a gap of the track",
}


async def settle_again(facts: Facts, vehicle: int, from_us: int, watermark_us: int) -> list[Judgement]:
    """Judgements after facts of a vehicle changed from ``from_us`` on: its orders that ended since then and
    that the watermark has passed, and withdrawals of alerts whose order or destination is no more."""
    book = facts.tracker.snapshot.orders
    rows, live = [], set()
    for row in book.rows_of(vehicle):
        order = book.orders[row]
        if order.status == "returned" and order.actual_return_us is not None:
            live |= {destination.subject(order.id, k) for k in range(len(order.destinations))}
            if from_us <= order.actual_return_us <= watermark_us:
                rows.append(row)
    judgements = []
    for old in await store.alerts_of_vehicles(facts.conn, RULE, [vehicle], from_us):
        if old.alert.status == "suspected" and old.subject not in live:
            reason = _gone(
                None if old.alert.order is None else book.row_of(old.alert.order), book.orders, vehicle
            )
            judgements.append(
                Judgement(RULE, destination.VERSION, old.subject, vehicle, "normal", reason, facts.now_us)
            )
    return judgements + await settle(facts, rows)


def _gone(row: int | None, orders: Sequence[Order], vehicle: int) -> str:
    if row is None or orders[row].status == "cancelled":
        return "派车单已取消 · the dispatch order was cancelled"
    if orders[row].vehicle_no != vehicle:
        return "派车单已改派其他车辆 · the dispatch order went to another vehicle"
    if orders[row].status != "returned":
        return "派车单已重新打开 · the dispatch order was opened again"
    return "派车单不再有该目的地 · the dispatch order no longer has this destination"
