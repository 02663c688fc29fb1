"""What is wrong with the data, in numbers, within the reach of the caller's transaction. Each number is that of a list."""

from __future__ import annotations

from datetime import date
from typing import Final

from registry.calendar import load_calendar
from registry.order_cover import is_overdue
from registry.transactions import unmatched
from runtime.connection import Connection

#: More of one kind are not counted: "so many, and more".
MOST_COUNTED: Final = 10_000


def _bounded(source: str) -> str:
    """SQL: how many rows ``source`` has, at most one more than are counted."""
    return f"(SELECT count(*) FROM (SELECT {source} LIMIT {MOST_COUNTED + 1}) f)"  # noqa: S608 - constants


def _notices(kind: str) -> str:
    return _bounded(f"FROM terminal_notices n WHERE n.kind = '{kind}' AND n.settled_at IS NULL")


_NEWEST: Final = "t.is_newest AND t.part_of IS NULL"
#: What the office keeps: kind -> SQL of the number.
_RECORDS: Final[dict[str, str]] = {
    **{
        kind: _notices(kind)
        for kind in (
            "clock_wrong",
            "datum_wrong",
            "contradiction",
            "device_refused",
            "other_imei",
            "other_card",
        )
    },
    "orders_overdue": _bounded(
        f"FROM dispatch_orders t WHERE {_NEWEST} AND t.is_current AND {is_overdue('t')}"
    ),
    "backfill_waits": _bounded(f"FROM dispatch_orders t WHERE {_NEWEST} AND NOT t.counts AND t.vehicle > ''"),
    "stations_unlocated": _bounded("FROM fuel_stations t WHERE t.geometry IS NULL"),
    "transactions_unmatched": _bounded(f"FROM fuel_transactions t WHERE {unmatched('t')}"),
}


async def of_records(connection: Connection) -> dict[str, int]:
    """Notices of terminals, orders, stations, statements."""
    each = ", ".join(f"{sql} AS {kind}" for kind, sql in _RECORDS.items())
    return dict(await connection.fetchrow(f"SELECT {each}"))


async def calendar_gap(connection: Connection, today: date) -> list[date]:
    """Days of the years in use of which nobody knows whether they are worked."""
    return (await load_calendar(connection)).unknown(today)
