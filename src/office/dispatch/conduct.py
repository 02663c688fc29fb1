"""What the threads of dispatches say of how a driver did his work, for his assessment: ratings, acceptance, times. Only what is certain; the rest is counted as open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from runtime.connection import Connection

#: A departure so much later than planned is late, and what is entered so much later than it was.
LATE: Final = timedelta(minutes=10)
#: What applicants give of five, and is low.
_LOW: Final = 2


@dataclass(frozen=True, slots=True)
class Conduct:
    """A thing of one dispatch. ``source``: its id, with what it was; ``number``: as people know it; ``minutes``: how late, 0 = it is no matter of time."""

    kind: str
    source: str
    number: str
    at: datetime
    minutes: int = 0


async def conduct_of(connection: Connection, driver: str, since: datetime, until: datetime) -> tuple[list[Conduct], int]:  # fmt: skip
    """Low ratings, dispatches that were not accepted in time, late departures and late entries of a driver within [since, until); and how many departures and returns somebody else
    entered for him, or his device without a network: of these nobody knows whether he was late."""
    found = [*await _low_ratings(connection, driver, since, until), *await _unanswered(connection, driver, since, until)]  # fmt: skip
    unknown = 0
    rows = await connection.fetch(
        "SELECT d.id, d.number, d.kind, d.planned_departure, e.step, e.at AS entered, (e.body ->> 'at')::timestamptz AS at, e.body ? 'entry' AS offline,"
        " d.driver_user IS NOT NULL AND e.actor = 'user:' || d.driver_user AS himself"
        " FROM trip_dispatches d JOIN trip_dispatch_events e ON e.paper = d.id AND e.step IN ('depart', 'return')"
        " WHERE d.driver = $1 AND d.state = 'returned' AND d.kind <> 'backfill' AND d.actual_departure >= $2 AND d.actual_departure < $3 ORDER BY d.id, e.version",
        driver, since, until,
    )  # fmt: skip
    for row in rows:
        if not row["himself"] or row["at"] is None:
            unknown += 1
            continue
        source, at = f"{row['id']}/{row['step']}", row["at"]
        if row["step"] == "depart" and row["kind"] == "normal" and at - row["planned_departure"] > LATE:
            found.append(Conduct("late_departure", source, row["number"], at, _minutes(at - row["planned_departure"])))  # fmt: skip
        if row["offline"]:
            unknown += 1
        elif row["entered"] - at > LATE:
            found.append(Conduct("late_entry", source, row["number"], at, _minutes(row["entered"] - at)))
    return found, unknown


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds()) // 60


async def _low_ratings(connection: Connection, driver: str, since: datetime, until: datetime) -> list[Conduct]:  # fmt: skip
    rows = await connection.fetch(
        "SELECT r.id, r.number, d.actual_return FROM trip_dispatches d JOIN trip_links l ON l.dispatch_id = d.id JOIN trip_requests r ON r.id = l.request_id"
        " WHERE d.driver = $1 AND d.state = 'returned' AND d.actual_departure >= $2 AND d.actual_departure < $3 AND r.rating <= $4"
        # Of a trip with several drivers nobody knows whom the applicant means.
        " AND NOT EXISTS (SELECT FROM trip_links m JOIN trip_dispatches o ON o.id = m.dispatch_id WHERE m.request_id = r.id AND o.state = 'returned'"
        "  AND o.driver IS DISTINCT FROM d.driver) ORDER BY r.id",
        driver, since, until, _LOW,
    )  # fmt: skip
    return [
        Conduct("low_rating", row["id"], row["number"] or row["id"], row["actual_return"]) for row in rows
    ]


async def _unanswered(connection: Connection, driver: str, since: datetime, until: datetime) -> list[Conduct]:
    # Where the driver was changed afterwards it is nobody's: it may have been another one who did not answer.
    rows = await connection.fetch(
        "SELECT d.id, d.number, e.at FROM trip_dispatches d JOIN trip_dispatch_events e ON e.paper = d.id AND e.step = 'unanswered'"
        " WHERE d.driver = $1 AND d.planned_departure >= $2 AND d.planned_departure < $3"
        " AND NOT EXISTS (SELECT FROM trip_dispatch_events c WHERE c.paper = d.id AND c.step = 'reassign') ORDER BY d.id",
        driver, since, until,
    )  # fmt: skip
    return [Conduct("unanswered", row["id"], row["number"], row["at"]) for row in rows]
