"""Trips: orders as stretches of time, with their results. Many keys at a time.

A *trip* is an order as a stretch of time: from its departure (actual, else planned) to its return (actual, else the
extended or planned one; ``returned`` says which); of an order that several vehicles served, each vehicle's stretch. Cancelled orders are none. (What an order *covers* is wider:
``registry.order_cover``.) Trips of vehicles follow the clerk's minute: where the track shows that the vehicle left a little before
the departure on paper, or came back a little after the return, the trip is that much longer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from registry.changes import LOOK_BACK_DAYS
from registry.snapshot.timelines import FOREVER
from runtime.connection import Connection
from runtime.units import LATEST_US, from_us, to_us

# A stretch of an order that several vehicles served is a trip of its own (registry.order_versions).
START: Final = "GREATEST(COALESCE(o.actual_departure, o.planned_departure), o.leg_from)"
END: Final = "LEAST(COALESCE(o.actual_return, GREATEST(o.planned_return, o.extended_return)), o.leg_to)"
_TRIP: Final = (
    f"SELECT o.id, o.version, o.vehicle, o.driver, o.organisation, {START} AS departed, {END} AS ended,"
    " o.status = 'returned' OR o.actual_return IS NOT NULL OR o.leg_to IS NOT NULL AS returned"
)


#: As the track shows them, where the clerk's minute allows it (``order_track_times`` w).
_LEFT: Final = f"LEAST({START}, w.left_at)"
_BACK: Final = f"GREATEST({END}, w.back_at)"
_SHOWN: Final = " LEFT JOIN order_track_times w ON w.order_id = o.id AND w.version = o.version"


@dataclass(frozen=True, slots=True)
class Trip:
    """See the module docstring. ``mileage_mm`` and so on: of its settled result in this very version. ``first_us``,
    ``last_us``: its first and last valid fix (None = none). ``paper_to_us``: its return on paper, where the track's is used."""

    id: str
    version: int
    vehicle: str
    driver: str | None
    from_us: int
    to_us: int
    returned: bool
    settled: bool = False
    mileage_mm: int = 0
    bridged_mm: int = 0
    fixes: int = 0
    first_us: int | None = None
    last_us: int | None = None
    organisation: str = ""
    paper_to_us: int | None = None


async def trips_of_vehicles(
    conn: Connection, vehicles: Collection[str], spans: Sequence[tuple[int, int]] = ((0, FOREVER),)
) -> dict[str, list[Trip]]:
    """By vehicle: its trips that touch one of ``spans`` ([from, to], us), by (departure, id), without results."""
    rows = await conn.fetch(
        f"{_TRIP}, {_LEFT} AS left_at, {_BACK} AS back_at FROM current_dispatch_orders o{_SHOWN}"
        " WHERE o.vehicle = ANY($1::text[]) AND o.status <> 'cancelled'"
        " AND EXISTS (SELECT FROM unnest($2::timestamptz[], $3::timestamptz[]) AS s (since, until)"
        f" WHERE {_LEFT} <= s.until AND {_BACK} >= s.since)",
        sorted(vehicles),
        [from_us(a) for a, _ in spans],
        [from_us(min(b, LATEST_US)) for _, b in spans],
    )
    found: dict[str, list[Trip]] = defaultdict(list)
    for row in rows:
        trip = _trip(row)
        left, back = min(trip.from_us, to_us(row["left_at"])), max(trip.to_us, to_us(row["back_at"]))
        paper = trip.to_us if back > trip.to_us else None
        found[row["vehicle"]].append(replace(trip, from_us=left, to_us=back, paper_to_us=paper))
    for trips in found.values():
        trips.sort(key=lambda t: (t.from_us, t.id))
    return found


async def trips_of_drivers(
    conn: Connection, wanted: Sequence[tuple[str, int, int]], before_us: int
) -> dict[str, list[Trip]]:
    """By driver: the trips that ended in one of the (driver, from, to) of ``wanted`` ([from, to), us) or at most
    ``before_us`` before it, with their results, by (return, id). ``to`` is at most LOOK_BACK_DAYS before a planned
    departure.
    """
    rows = await conn.fetch(
        f"SELECT DISTINCT ON (q.id) q.* FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS s (driver, since, until)"  # noqa: S608 - fixed text
        f" CROSS JOIN LATERAL ({_TRIP}, COALESCE(r.state = 'settled' AND r.order_version = o.version, false) AS settled,"
        " r.mileage_mm, r.bridged_mm, r.fixes, r.first_fix_at, r.last_fix_at FROM current_dispatch_orders o"
        " LEFT JOIN order_results r ON r.order_id = o.id"
        f" WHERE o.driver = s.driver AND o.status <> 'cancelled' AND o.planned_departure < s.until + interval '{LOOK_BACK_DAYS} days'"
        f" AND {END} >= s.since AND {END} < s.until) q ORDER BY q.id",
        [d for d, _, _ in wanted],
        [from_us(max(a - before_us, 0)) for _, a, _ in wanted],
        [from_us(b) for _, _, b in wanted],
    )
    found: dict[str, list[Trip]] = defaultdict(list)
    for row in rows:
        found[row["driver"]].append(_trip(row, with_result=True))
    for trips in found.values():
        trips.sort(key=lambda t: (t.to_us, t.id))
    return found


def _trip(row: Any, with_result: bool = False) -> Trip:
    departed = to_us(row["departed"])
    trip = Trip(
        row["id"], row["version"], row["vehicle"], row["driver"], departed, max(to_us(row["ended"]), departed),
        row["returned"], organisation=row["organisation"],
    )  # fmt: skip
    if not with_result or not row["settled"]:
        return trip
    first, last = (
        None if row[name] is None else to_us(row[name]) for name in ("first_fix_at", "last_fix_at")
    )
    return replace(
        trip, settled=True, mileage_mm=row["mileage_mm"], bridged_mm=row["bridged_mm"], fixes=row["fixes"],
        first_us=first, last_us=last,
    )  # fmt: skip
