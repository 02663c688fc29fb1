"""Which fuel cards are to be looked at: those that changed records concern, and those that time concerns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from registry.facts.trips import END, START
from runtime.connection import Connection
from runtime.units import from_us

#: h (plate): every plate that a vehicle ``v`` has or had.
_PLATES: Final = "CROSS JOIN LATERAL (SELECT v.plate UNION SELECT p.plate FROM vehicle_plates p WHERE p.vehicle_no = v.no) h"
_OF_ORDERS: Final = (
    "SELECT DISTINCT b.card FROM (SELECT o.id, o.vehicle,"  # noqa: S608 - fixed text
    f" min(LEAST({START}, o.planned_departure)) AS since FROM dispatch_orders o"
    f" WHERE o.id = ANY($1::text[]) GROUP BY o.id, o.vehicle) c JOIN vehicles v ON v.id = c.vehicle {_PLATES}"
    " JOIN card_bindings b ON b.plate = h.plate"
    # Fills before the return of an earlier order lie in stretches that this order does not touch.
    f" LEFT JOIN LATERAL (SELECT {END} AS ended FROM current_dispatch_orders o WHERE o.vehicle = c.vehicle"
    f" AND o.id <> c.id AND o.status = 'returned' AND o.planned_departure < c.since AND {END} < c.since"
    " ORDER BY o.planned_departure DESC LIMIT 1) p ON true"
    # A probe of the index a card: of a join PostgreSQL may make a scan of all transactions.
    " CROSS JOIN LATERAL (SELECT FROM fuel_transactions t WHERE t.card = b.card AND t.at >= b.valid_from"
    " AND t.at >= COALESCE(p.ended, '-infinity') AND (b.valid_to IS NULL OR t.at < b.valid_to) LIMIT 1) t"
)
#: By the kind of record.
_CONCERNED: Final = {
    "transaction": "SELECT DISTINCT card FROM fuel_transactions WHERE id = ANY($1::text[])",
    "plate": "SELECT DISTINCT card FROM card_bindings WHERE plate = ANY($1::text[])",
    "vehicle": f"SELECT DISTINCT b.card FROM vehicles v {_PLATES} JOIN card_bindings b ON b.plate = h.plate"  # noqa: S608 - fixed text
    " WHERE v.id = ANY($1::text[])",
    "order": _OF_ORDERS,
}


def _midnight(day: str) -> str:
    """SQL: the start of ``day`` in Asia/Shanghai."""
    return f"(({day}::timestamp - interval '8 hours') AT TIME ZONE 'UTC')"


_BY_TIME: Final = (
    "WITH g AS (SELECT d * interval '1 day' AS grace FROM unnest($3::integer[]) d)"  # noqa: S608 - fixed text
    " SELECT c.id FROM fuel_cards c, g WHERE c.created_at + grace > $1 AND c.created_at + grace <= $2"
    f" OR {_midnight('c.opened_on')} + grace > $1 AND {_midnight('c.opened_on')} + grace <= $2"
    f" OR {_midnight('c.closed_on')} > $1 AND {_midnight('c.closed_on')} <= $2"
    " UNION SELECT b.card FROM card_bindings b, g WHERE b.valid_from > $1 AND b.valid_from <= $2"
    " OR b.valid_to + grace > $1 AND b.valid_to + grace <= $2"
    " UNION SELECT b.card FROM vehicles v JOIN card_bindings b ON b.plate = v.plate CROSS JOIN g"
    f" WHERE {_midnight('v.registered_on')} > $1 AND {_midnight('v.registered_on')} <= $2"
    f" OR {_midnight('v.disposed_on')} + grace > $1 AND {_midnight('v.disposed_on')} + grace <= $2"
    " UNION SELECT b.card FROM vehicle_plates p JOIN card_bindings b ON b.plate = p.plate CROSS JOIN g"
    " WHERE p.valid_to + grace > $1 - interval '1 day' AND p.valid_to + grace <= $2"
)


async def cards_concerned(conn: Connection, kind: str, ids: Iterable[str]) -> set[str]:
    """Cards that records of ``kind`` concern: ``transaction``, ``plate``, ``vehicle``; ``order``: those that paid after the trip
    before it."""
    asked = sorted(set(ids))
    return {row["card"] for row in await conn.fetch(_CONCERNED[kind], asked)} if asked else set()


async def every_card(conn: Connection) -> set[str]:
    """All cards."""
    return {row["id"] for row in await conn.fetch("SELECT id FROM fuel_cards")}


async def cards_by_time(
    conn: Connection, since_us: int, until_us: int, graces_days: Iterable[int]
) -> set[str]:
    """Cards that began or ended in (since, until], or their binding, or their vehicle, or so many days of grace after that."""
    rows = await conn.fetch(_BY_TIME, from_us(since_us), from_us(until_us), sorted(set(graces_days)))
    return {row["id"] for row in rows}


async def cards_between(conn: Connection, since_us: int, until_us: int) -> set[str]:
    """Cards that were bound, paid or were active in [since, until)."""
    rows = await conn.fetch(
        "SELECT id FROM fuel_cards WHERE status = 'active' AND created_at < $2"
        " UNION SELECT card FROM card_bindings WHERE valid_from < $2 AND (valid_to IS NULL OR valid_to > $1)"
        " UNION SELECT card FROM fuel_transactions WHERE at >= $1 AND at < $2",
        from_us(since_us),
        from_us(until_us),
    )
    return {row["id"] for row in rows}
