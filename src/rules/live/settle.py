"""Settlement of returned orders: each destination is judged on the stored track, again whenever a fact changes.

An order is settled when its vehicle's track has passed its return or, however silent the terminal is,
``settle_after_h`` after its return by the clock: then on what is there. An order that was entered after that time
(补单) is settled as soon as it is known. The clock is that of ``Facts.known_us``: it stands still while there is a
backlog of unprocessed positions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from registry.parameters import ORDER, TRACK, ParameterRow, parameter, resolve
from registry.snapshot.fleet import FleetSnapshot, VehicleInfo
from registry.snapshot.orders import NO_TIME, STATUS, Order, OrderBook
from rules import evidence as frozen
from rules.alerts.conclude import judgement_of
from rules.alerts.feed import suspected_of_orders
from rules.alerts.model import AlertFacts, FactChange, Judgement
from rules.checks import destination
from rules.checks.base import Evaluation, Outcome
from rules.live.episodes import Facts
from rules.live.store.results import delete_results, unsettled_orders
from rules.stored_tracks import Want, judged_tracks
from rules.tracks.state import TrackStates
from runtime.arrays import Ints
from runtime.connection import Connection
from runtime.units import US_PER_DAY, US_PER_S

RULE = destination.RULE
_RETURNED = STATUS.index("returned")
_HOUR_US: Final = 3600 * US_PER_S

#: Orders looked at, and settled, by the clock in one transaction.
WAITING_AT_ONCE: Final = 10_000
SILENT_AT_ONCE: Final = 200
#: Tracks in memory at once.
TRACKS_US: Final = 31 * US_PER_DAY


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
    """Judgements of every destination of the orders at ``rows``, by order and destination; their results are
    settled."""
    judgements: list[Judgement] = []
    missing: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        if not facts.results.fresh(row):
            missing[facts.tracker.snapshot.orders.orders[row].vehicle_no].append(row)
    await facts.results.from_tracks(facts.conn, facts.archive, missing)
    for part in _parts(facts, rows):
        judgements += await _settle_some(facts, part)
    for row in rows:
        facts.results.settle(row)
    return judgements


def _parts(facts: Facts, rows: Sequence[int]) -> Iterator[list[int]]:
    """``rows`` in order, in parts whose tracks are together no longer than TRACKS_US, or of one order."""
    book = facts.tracker.snapshot.orders.rows
    part: list[int] = []
    length = 0
    for row in rows:
        its = max(0, int(book["actual_return"][row]) - int(book["cover_from"][row]))
        if part and length + its > TRACKS_US:
            yield part
            part, length = [], 0
        part.append(row)
        length += its
    if part:
        yield part


async def anyone_waiting(conn: Connection, snapshot: FleetSnapshot, known_us: int) -> bool:
    """Whether any order, of whichever vehicle, may have to be settled by the clock."""
    return bool(await unsettled_orders(conn, _clock_limit_us(snapshot, known_us), None, 1))


def _clock_limit_us(snapshot: FleetSnapshot, known_us: int) -> int:
    """Returns at or before this time may be due by the clock, whatever the organisation."""
    hours = [row.value for row in snapshot.parameters if (row.rule, row.name) == (ORDER, "settle_after_h")]
    return known_us - min([parameter(ORDER, "settle_after_h").default, *hours]) * _HOUR_US


def _ended(facts: Facts, order: Order, watermark_us: int) -> bool:
    """Whether a returned order can be settled: its track has passed its return, or its time is up."""
    if order.status != "returned" or order.actual_return_us is None:
        return False
    if order.actual_return_us <= watermark_us:
        return True
    parameters = facts.tracker.snapshot.parameters
    wait_h = resolve(ORDER, order.organisation, order.planned_departure_us, parameters)["settle_after_h"]
    return facts.known_us >= order.actual_return_us + wait_h * _HOUR_US


async def silent(facts: Facts, vehicles: Sequence[int] | None, skip: Collection[int]) -> list[int]:
    """Rows of orders that the clock settles, of ``vehicles`` (None = all) but those in ``skip``; at most
    SILENT_AT_ONCE, those that returned first."""
    tracker, book = facts.tracker, facts.tracker.snapshot.orders
    limit_us = _clock_limit_us(tracker.snapshot, facts.known_us)
    waiting = await unsettled_orders(facts.conn, limit_us, vehicles, WAITING_AT_ONCE)
    waiting = [w for w in waiting if w[1] not in skip]
    await tracker.load(facts.conn, np.unique(np.array([no for _, no, _ in waiting], np.int64)))
    rows = []
    for order_id, no, returned_us in waiting:
        if book.row_of(order_id) is None:
            await tracker.snapshot.load_orders(facts.conn, [no], returned_us)
        row = book.row_of(order_id)
        # One whose newest version came after this snapshot is left until its change is taken.
        if row is not None and book.orders[row].vehicle_no == no:
            watermark = int(tracker.states.field("t", np.array([no]))[0])
            if _ended(facts, book.orders[row], watermark):
                rows.append(row)
        if len(rows) == SILENT_AT_ONCE:
            break
    return rows


async def note_orders(facts: Facts, changes: Sequence[FactChange]) -> tuple[list[int], list[Judgement]]:
    """After ``recompute``: a returned order that changed has a result, so that the clock finds it; one that is
    cancelled or gone to another vehicle has none. Returns the rows of those that can be settled now, and withdrawals
    of alerts whose order or destination is no more, however long ago that was; they come before what else is judged.
    """
    book, gone, ready = facts.tracker.snapshot.orders, [], []
    live: dict[tuple[str, int], set[str]] = {}
    changed: dict[tuple[str, int], int] = {}
    for c in changes:
        if c.kind == "order":
            key = (c.subject, c.vehicle_no)
            changed[key] = min(c.from_us, changed.get(key, c.from_us))
    for (order_id, no), from_us in changed.items():
        row = book.row_of(order_id)
        if row is None:
            await facts.tracker.snapshot.load_orders(facts.conn, [no], from_us)
            row = book.row_of(order_id)
        if row is None or book.orders[row].vehicle_no != no or book.orders[row].status == "cancelled":
            gone.append((order_id, no))
        elif book.orders[row].status == "returned":
            live[order_id, no] = _subjects(book.orders[row])
            if not facts.results.fresh(row):
                await facts.results.from_track(facts.conn, facts.archive, no, [row])
            watermark = int(facts.tracker.states.field("t", np.array([no]))[0])
            if not facts.results.settled(row) and _ended(facts, book.orders[row], watermark):
                ready.append(row)
    await delete_results(facts.conn, gone)
    return sorted(set(ready)), await _withdrawals(facts, changed, live)


def _subjects(order: Order) -> set[str]:
    if order.actual_return_us is None:
        return set()
    return {destination.subject(order.id, k) for k in range(len(order.destinations))}


async def _withdrawals(
    facts: Facts, changed: Collection[tuple[str, int]], live: Mapping[tuple[str, int], Collection[str]]
) -> list[Judgement]:
    """Withdrawals of the alerts of (order, vehicle) whose subject is not among the ``live`` ones."""
    if not changed:
        return []
    judgements = []
    for old in await suspected_of_orders(facts.conn, RULE, changed):
        order, no = old.alert.order, old.vehicle_no
        if order is None or no is None or old.subject in live.get((order, no), ()):
            continue
        reason = _gone(facts.tracker.snapshot.orders, order, no)
        judgements.append(
            Judgement(
                RULE, destination.VERSION, old.subject, no, "normal", reason, facts.now_us, no_longer=True
            )
        )
    return judgements


def drafts(
    order: Order, cover_from_us: int, info: VehicleInfo, parameters: Sequence[ParameterRow]
) -> list[destination.Evidence]:
    """Evidence of each destination of a returned order, without its track: that of ``from_us`` to ``to_us``, both
    included. ``cover_from_us``: from when on the order covers its vehicle, ``info``. What the vehicle did from then
    until it departed counts only where the office does not say when that was.
    """
    if order.actual_return_us is None:
        return []
    departed = order.actual_departure_us or order.planned_departure_us
    since = min(cover_from_us, departed)
    own = resolve(RULE, order.organisation, order.planned_departure_us, parameters)
    shared = resolve(TRACK, order.organisation, order.planned_departure_us, parameters)
    return [
        {
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
            "from_us": since,
            "begun_us": departed if order.actual_departure_us else since,
            "departed_us": departed,
            "to_us": order.actual_return_us,
            "destination": {"name": place.name, "lat_e6": place.lat_e6, "lon_e6": place.lon_e6},
            "parameters": own | shared,
        }
        for index, place in enumerate(order.destinations)
    ]


async def _settle_some(facts: Facts, rows: Sequence[int]) -> list[Judgement]:
    """Judgements of the orders at ``rows``; their tracks are read and cleaned together."""
    snapshot = facts.tracker.snapshot
    made_of = [_drafts_of(facts, row) for row in rows]

    async def spans_of(asked: Sequence[Want]) -> list[list[Want]]:
        return [snapshot.terminals_of(*want) for want in asked]

    wants: list[Want] = []
    for row, its in zip(rows, made_of, strict=True):
        since, until = (
            (its[0]["from_us"], its[0]["to_us"] + 1) if any(map(destination.located, its)) else (0, 0)
        )
        wants.append((snapshot.orders.orders[row].vehicle_no, since, until))

    def judged(k: int, track: dict[str, Ints], good: Ints) -> list[Evaluation]:
        return [destination.judge(evidence, track, good) for evidence in made_of[k]]

    def accuses(made: list[Evaluation]) -> bool:
        return any(one.outcome is Outcome.SUSPECTED for one in made)

    speeds = [its[0]["parameters"]["max_speed_kmh"] if its else 0 for its in made_of]
    tracks = await judged_tracks(facts.conn, facts.archive, wants, speeds, spans_of, judged, accuses)
    judgements = []
    for row, its, (track, _, evaluations) in zip(rows, made_of, tracks, strict=True):
        for evidence, made in zip(its, evaluations, strict=True):
            if made.outcome is Outcome.SUSPECTED:
                evidence["track"] = frozen.freeze_track(track)
            judgements.append(_judgement(facts, snapshot.orders.orders[row], made, evidence))
    return judgements


def _drafts_of(facts: Facts, row: int) -> list[destination.Evidence]:
    snapshot = facts.tracker.snapshot
    order, window = snapshot.orders.orders[row], snapshot.orders.rows[row]
    return drafts(order, int(window["cover_from"]), snapshot.vehicles[order.vehicle_no], snapshot.parameters)


def _judgement(facts: Facts, order: Order, made: Evaluation, evidence: destination.Evidence) -> Judgement:
    alert = None
    if made.outcome is Outcome.SUSPECTED:
        alert = AlertFacts(
            severity="medium",
            organisation=order.organisation,
            vehicle=evidence["vehicle"]["id"],
            plate=evidence["vehicle"]["plate"],
            occurred_from_us=evidence["departed_us"],
            occurred_to_us=evidence["to_us"],
            driver=order.driver,
            order=order.id,
        )
    return judgement_of(made, evidence, alert, order.vehicle_no, facts.now_us)


async def settle_again(facts: Facts, vehicle: int, from_us: int, watermark_us: int) -> list[Judgement]:
    """Judgements after facts of a vehicle changed from ``from_us`` on: its orders that ended since then and
    that can be settled."""
    book = facts.tracker.snapshot.orders
    rows = []
    for row in book.rows_of(vehicle):
        order = book.orders[row]
        ended = _ended(facts, order, watermark_us)
        if ended and order.actual_return_us is not None and from_us <= order.actual_return_us:
            rows.append(row)
    return await settle(facts, rows)


def _gone(book: OrderBook, order_id: str, vehicle: int) -> str:
    row = book.row_of(order_id)
    if row is None or book.orders[row].vehicle_no != vehicle:  # the orders of this vehicle are all there
        return "order_reassigned"
    if book.orders[row].status == "cancelled":
        return "order_cancelled"
    if book.orders[row].status != "returned":
        return "order_reopened"
    return "destination_removed"
