"""What the mileage of an order is computed again from, for its evidence: the kernel's state, the track, and the orders and
parameters that held."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from registry.facts import orders
from registry.facts.orders import OrderFacts
from registry.parameters import TRACK, ParameterRow, rows_for
from registry.snapshot.orders import OrderBook
from rules.checks import mileage
from rules.evidence import freeze_track
from rules.evidence_parts import Cover, stretches
from rules.judge.context import Context
from rules.judge.tracks import tracks_of
from rules.live.store.states import load_day_states
from rules.live.vehicle_states import order_key
from rules.tracks.state import STATE_DTYPE, STATE_VERSION
from runtime.arrays import Ints
from runtime.units import CHINA_OFFSET_US, US_PER_DAY, US_PER_S, earliest

#: The last fixes of an order may be confirmed by what follows: so far after its end it is looked for.
_AFTER_US: Final = (0, 3600 * US_PER_S, US_PER_DAY, 31 * US_PER_DAY)


async def add_tracks(context: Context, suspected: Sequence[tuple[OrderFacts, mileage.Evidence]]) -> None:
    """Add to each evidence what ``mileage.recompute`` needs: state, track, orders, parameters. As ``rules.live.order_results`` does, from
    the newest state at the start of the day on which the order began to cover, or of an earlier one."""
    ordered = [fact.order for fact, _ in suspected]
    # An order covers from less than a day before its departure (early_start_min).
    since = earliest((order.vehicle_no, order.planned_departure_us - 2 * US_PER_DAY) for order in ordered)
    books = await orders.order_books(context.conn, since, context.parameters)
    begun = np.array([_cover_from(books[f.order.vehicle_no], f.order.id) for f, _ in suspected], np.int64)
    days = (begun + CHINA_OFFSET_US) // US_PER_DAY
    vehicles = np.array([f.order.vehicle_no for f, _ in suspected], np.int64)
    found, found_days, packed = await load_day_states(
        context.conn, vehicles, days, STATE_DTYPE, STATE_VERSION
    )
    days[found] = found_days
    starts = (days * US_PER_DAY - CHINA_OFFSET_US).tolist()
    states = dict(zip(found.tolist(), packed, strict=True))
    todo = list(range(len(suspected)))
    for more_us in _AFTER_US:
        wants = [(int(vehicles[k]), starts[k], suspected[k][1]["to_us"] + more_us) for k in todo]
        for k, track in zip(todo, await tracks_of(context, wants), strict=True):
            (fact, evidence), state = suspected[k], states.get(k)
            no = fact.order.vehicle_no
            evidence |= {
                "from_us": starts[k],
                "order_no": order_key(fact.order.id),
                "orders": _spans(books[no], no, track["t_us"]),
                "parameter_rows": _rows(context.parameters, fact.organisation),
                "state": {
                    "version": STATE_VERSION,
                    "packed": None if state is None else state.tobytes().hex(),
                },
                "track": freeze_track(track),
            }
        todo = [
            k
            for k in todo  # seconds for a month of fixes
            if await asyncio.to_thread(mileage.recompute, suspected[k][1]) != suspected[k][1]["result"]
        ]
        if not todo:
            break


def _cover_from(book: OrderBook, order_id: str) -> int:
    row = book.row_of(order_id)
    if row is None:
        raise LookupError(f"order {order_id} is not in the book of its vehicle")
    return int(book.rows["cover_from"][row])


def _spans(book: OrderBook, vehicle_no: int, t: Ints) -> list[Cover]:
    """Which order covered each stretch of fixes, half open; the last stretch ends after its last fix."""
    rows = book.at(np.full(len(t), vehicle_no, np.int64), t)
    return [
        {
            "no": order_key(book.orders[row].id), "id": book.orders[row].id, "version": book.orders[row].version,
            "from_us": start, "to_us": end,
        }
        for row, start, end in stretches(rows, t)
        if row >= 0
    ]  # fmt: skip


def _rows(rows: Sequence[ParameterRow], organisation: str) -> list[list[Any]]:
    mine = rows_for((row for row in rows if row.rule == TRACK), organisation)
    return [[row.rule, row.name, row.organisation, row.value, row.effective_us] for row in mine]
