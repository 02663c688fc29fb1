"""What is published of rentals that were settled (社会车辆租赁公示)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from runtime.connection import Connection
from runtime.units import CHINA, midnight


async def settled_rentals(
    connection: Connection, units: Collection[str], first: date, last: date
) -> list[dict[str, Any]]:
    """{vehicle, organisation, number, from, to, supplier, plate, amount_fen} of rentals of ``units`` settled from ``first`` to ``last``, by time. None of a
    secret vehicle, whoever asks."""
    rows = await connection.fetch(
        "SELECT r.vehicle, r.organisation, r.number, r.period_from, r.period_to, r.supplier, r.plate, r.amount_fen FROM rental_reports r"
        " JOIN vehicles v ON v.id = r.vehicle AND NOT v.secret WHERE r.state = 'settled' AND r.organisation = ANY ($1::text[])"
        " AND r.settled_at >= $2 AND r.settled_at < $3 ORDER BY r.settled_at, r.id LIMIT 5001",
        sorted(units), midnight(first), midnight(date.fromordinal(last.toordinal() + 1)),
    )  # fmt: skip
    return [
        {
            "vehicle": row["vehicle"], "organisation": row["organisation"], "number": row["number"], "supplier": row["supplier"], "plate": row["plate"],
            "amount_fen": row["amount_fen"], "from": row["period_from"].astimezone(CHINA).date(), "to": row["period_to"].astimezone(CHINA).date(),
        }
        for row in rows
    ]  # fmt: skip
