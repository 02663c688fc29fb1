"""The fleet now: which vehicles were heard of when, and the trips of a day. Within the reach of the caller's transaction.

One pass over the vehicles and their states: some ten thousands of rows. Whoever asks often keeps the answer for some seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from registry.order_cover import is_overdue
from rules.live.store.states import MOVED_AT
from runtime.connection import Connection

#: What a vehicle can be asked for: see ``_IS``.
Standing = Literal["service", "with_terminal", "moving", "online", "today", "silent", "never", "no_terminal"]
#: A vehicle that was heard of so lately is online; one whose newest moving fix is so new moves.
ONLINE: Final = timedelta(minutes=10)
MOVING: Final = timedelta(minutes=3)

#: $1: now; $2: midnight; $3: a vehicle that was not seen since is silent. A clock that is ahead makes nobody seen in the future.
_FLEET: Final = f"""
SELECT v.id, v.plate, v.organisation, t.phone AS terminal, LEAST(s.watermark, s.updated_at) AS seen_at, s.last_fix_at,
       CASE WHEN s.state IS NOT NULL THEN {MOVED_AT.format(s="s")} END AS moved_at
  FROM vehicles v LEFT JOIN vehicle_states s ON s.vehicle_no = v.no
  LEFT JOIN (SELECT DISTINCT ON (b.vehicle_no) b.vehicle_no, b.terminal_no FROM terminal_bindings b
              WHERE b.valid_from <= $1 AND (b.valid_to IS NULL OR b.valid_to > $1) ORDER BY b.vehicle_no, b.valid_from DESC) b
    ON b.vehicle_no = v.no
  LEFT JOIN terminals t ON t.no = b.terminal_no
 WHERE v.disposed_on IS NULL OR v.disposed_on > ($1 AT TIME ZONE interval '8 hours')::date
"""  # noqa: S608 - our own expression
_IS: Final[dict[Standing, str]] = {
    "service": "true",
    "with_terminal": "terminal IS NOT NULL",
    "moving": f"seen_at >= $1 - interval '{ONLINE}' AND moved_at >= $1 - interval '{MOVING}'",
    "online": f"seen_at >= $1 - interval '{ONLINE}'",
    "today": "seen_at >= $2",
    "silent": "terminal IS NOT NULL AND seen_at < $3",
    "never": "terminal IS NOT NULL AND seen_at IS NULL",
    "no_terminal": "terminal IS NULL",
}


@dataclass(frozen=True, slots=True)
class When:
    """``now``; the ``midnight`` before it in China; vehicles that were not seen since ``silent_before`` are silent."""

    now: datetime
    midnight: datetime
    silent_before: datetime

    def arguments(self) -> tuple[datetime, datetime, datetime]:
        return self.now, self.midnight, self.silent_before


async def standings(connection: Connection, when: When) -> dict[str, int]:
    """How many vehicles there are of each standing."""
    each = ", ".join(f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in _IS.items())
    # Each argument is named, whichever conditions there are.
    row = await connection.fetchrow(
        f"SELECT {each} FROM ({_FLEET}) f WHERE $2::timestamptz IS NOT NULL AND $3::timestamptz IS NOT NULL",  # noqa: S608 - constants
        *when.arguments(),
    )
    return dict(row)


async def vehicles(
    connection: Connection, standing: Standing, when: When, *, after: str | None, limit: int
) -> list[dict[str, Any]]:
    """Vehicles of a standing by id, those after an id."""
    rows = await connection.fetch(
        f"SELECT * FROM ({_FLEET}) f WHERE {_IS[standing]} AND $2::timestamptz IS NOT NULL AND $3::timestamptz IS NOT NULL"  # noqa: S608 - constants
        " AND ($4::text IS NULL OR id > $4) ORDER BY id LIMIT $5",
        *when.arguments(),
        after,
        limit,
    )
    return [dict(row) for row in rows]


async def hidden_vehicles(connection: Connection) -> int:
    """How many vehicles within reach are secret, and hidden from the caller."""
    return int(await connection.fetchval("SELECT count(*) FROM masked_vehicles(NULL, NULL, 1000000)"))


_NEWEST: Final = "t.is_newest AND t.part_of IS NULL"
_TRIPS: Final = f"""
SELECT (SELECT count(*) FROM dispatch_orders t WHERE {_NEWEST} AND t.actual_departure >= $1 AND t.actual_departure < $2) AS departed,
       (SELECT count(*) FROM dispatch_orders t WHERE {_NEWEST} AND t.actual_departure >= $1 AND t.actual_departure < $2
           AND t.status = 'returned') AS returned,
       (SELECT count(*) FROM dispatch_orders t WHERE {_NEWEST} AND t.is_current AND {is_overdue("t")}) AS overdue,
       (SELECT COALESCE(sum(r.mileage_mm), 0)::bigint / 1000 FROM dispatch_orders t JOIN order_results r ON r.order_id = t.id
         WHERE t.is_newest AND t.actual_departure >= $1 AND t.actual_departure < $2) AS mileage_m
"""  # noqa: S608 - our own conditions


async def trips(connection: Connection, since: datetime, until: datetime) -> dict[str, int]:
    """Orders that departed within [since, until), and the mileage of their trips up to now (an order that several vehicles serve has a result
    for each of its parts); and the orders that are overdue, of whatever day."""
    return dict(await connection.fetchrow(_TRIPS, since, until))
