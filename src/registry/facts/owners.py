"""Which records belong to an organisation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from runtime.connection import Connection

_OF: Final = {
    "order": "SELECT id FROM current_dispatch_orders WHERE organisation = $1 AND id = ANY($2::text[])",
    "vehicle": "SELECT id FROM vehicles WHERE organisation = $1 AND id = ANY($2::text[])",
    "driver": "SELECT id FROM drivers WHERE organisation = $1 AND id = ANY($2::text[])",
    "card": "SELECT id FROM fuel_cards WHERE organisation = $1 AND id = ANY($2::text[])",
    "transaction": "SELECT t.id FROM fuel_transactions t JOIN fuel_cards c ON c.id = t.card"
    " WHERE c.organisation = $1 AND t.id = ANY($2::text[])",
}


async def owned(conn: Connection, organisation: str, kind: str, ids: Iterable[str]) -> set[str]:
    """Those of ``ids`` (records of ``kind``: order, vehicle, driver, card, transaction) that are of ``organisation``; a
    transaction is of its card's."""
    return {r["id"] for r in await conn.fetch(_OF[kind], organisation, sorted(set(ids)))}
