"""When vehicles were in a repair shop, by their maintenances (office.vehicles writes them)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from runtime.connection import Connection
from runtime.units import from_us, to_us


@dataclass(frozen=True, slots=True)
class InShop:
    """A stay in the shop, microseconds since 1970 UTC; ``to_us`` None = it is there still. ``number``: of the maintenance."""

    vehicle: str
    number: str
    from_us: int
    to_us: int | None


async def in_shop(conn: Connection, vehicles: Collection[str], from_us_: int, to_us_: int) -> list[InShop]:
    """The stays of ``vehicles`` within [from, to), by vehicle and start."""
    rows = await conn.fetch(
        "SELECT vehicle, number, in_at, out_at FROM maintenances WHERE vehicle = ANY($1::text[]) AND in_at < $3"
        " AND (out_at IS NULL OR out_at > $2) AND state <> 'cancelled' ORDER BY vehicle, in_at, number",
        sorted(vehicles), from_us(from_us_), from_us(to_us_),
    )  # fmt: skip
    return [
        InShop(
            r["vehicle"], r["number"], to_us(r["in_at"]), None if r["out_at"] is None else to_us(r["out_at"])
        )
        for r in rows
    ]
