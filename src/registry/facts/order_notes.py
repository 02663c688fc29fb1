"""What orders have to do with a stretch of a vehicle that they do not cover: facts that a judgement shows.

A *note* is an order that is overdue (not returned, and its cover has ended), a backfill that waits for an approver, or a time on
paper that the track shows otherwise (the track's time is used). Evidence keeps the notes that it was judged with.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from registry.order_cover import NOT_SHOWN, PARAMETERS, Note, covers_within, last_return, overdue_at, times_of
from registry.orders import OrderRow, read_orders
from registry.parameters import ORDER, ParameterRow, resolve
from runtime.connection import Connection
from runtime.units import US_PER_DAY, US_PER_S, from_us

#: An order that was due so long ago is shown no more: whoever forgot it was told in the list of overdue orders.
OVERDUE_SHOWN_US = 31 * US_PER_DAY
#: Times on paper are whole minutes.
SHOWN_FROM_US = 60 * US_PER_S


def paper_notes(order: OrderRow) -> list[Note]:
    """The times on paper instead of which those of the track are used."""
    found: list[Note] = []
    times = times_of(order)
    if order.left_us not in (None, NOT_SHOWN) and order.status != "cancelled":
        left, told = order.left_us or 0, times.told_departure_us
        if told - left >= SHOWN_FROM_US:  # a later one is not used
            found.append(_note("departure", order, left, told))
    if order.back_us not in (None, NOT_SHOWN) and order.status != "cancelled" and times.paper_return_us:
        back = order.back_us or 0
        if back - times.paper_return_us >= SHOWN_FROM_US:
            found.append(_note("return", order, back, times.paper_return_us))
    return found


def _note(kind: Literal["overdue", "backfill", "departure", "return"], order: OrderRow, at_us: int, paper_us: int | None = None) -> Note:  # fmt: skip
    return {
        "kind": kind,
        "order": order.order,
        "version": order.version,
        "at_us": at_us,
        "paper_us": paper_us,
    }


async def notes_of_vehicles(
    conn: Connection, wanted: Sequence[tuple[int, int, int]], parameters: Sequence[ParameterRow]
) -> list[list[Note]]:
    """For each (vehicle number, from, to) the overdue orders and the backfills that wait, by (order, kind)."""
    if not wanted:
        return []
    nos = sorted({no for no, _, _ in wanted})
    first, last = from_us(max(0, min(a for _, a, _ in wanted))), from_us(max(b for _, _, b in wanted))
    shown = from_us(max(0, min(a for _, a, _ in wanted) - OVERDUE_SHOWN_US))
    waiting = await read_orders(
        conn,
        "WHERE o.is_newest AND NOT o.counts AND o.vehicle > '' AND v.no = ANY($1::integer[])"
        f" AND {covers_within('o', '$2::timestamptz', '$3::timestamptz')}",
        nos, first, last, places=False,
    )  # fmt: skip
    out = await read_orders(
        conn,
        "WHERE o.is_current AND v.no = ANY($1::integer[]) AND o.status IN ('approved', 'departed')"
        f" AND {last_return('o')} <= $3::timestamptz AND {last_return('o')} >= $2::timestamptz",
        nos, shown, last, places=False,
    )  # fmt: skip
    found = []
    for no, since, until in wanted:
        its = [
            _note("backfill", o, o.entered_us)
            for o in waiting
            if o.vehicle_no == no and _touches(o, since, until)
        ]
        for order in out:
            due = _overdue(order, parameters)
            if order.vehicle_no == no and due is not None and due < until:
                its.append(_note("overdue", order, due))
        found.append(sorted(its, key=lambda note: (note["order"], note["kind"])))
    return found


async def waiting_of_orders(conn: Connection, ids: Collection[str]) -> dict[str, Note]:
    """Of orders the newest backfill that waits for an approver."""
    rows = await read_orders(
        conn,
        "WHERE o.is_newest AND NOT o.counts AND o.vehicle > '' AND o.id = ANY($1::text[])",
        sorted(ids),
        places=False,
    )
    return {row.id: _note("backfill", row, row.entered_us) for row in rows}


def _overdue(order: OrderRow, parameters: Sequence[ParameterRow]) -> int | None:
    values = resolve(ORDER, order.organisation, order.planned_departure_us, parameters)
    return overdue_at(times_of(order), {name: values[name] for name in PARAMETERS})


def _touches(order: OrderRow, since: int, until: int) -> bool:
    times = times_of(order)
    return times.planned_departure_us < until and (times.paper_return_us or times.due_us) > since
