"""Series in the database. All SQL of ``trip_series`` and ``trip_series_members``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from runtime.connection import Connection

#: A request that somebody has at a time.
_OPEN: Final = "('pending', 'approved', 'waiting', 'no_vehicle', 'assigned')"


async def store_series(
    connection: Connection, id: str, organisation: str, units: Collection[str], rule: Mapping[str, Any], by: tuple[str, str], requests: Sequence[str]
) -> None:  # fmt: skip
    """A new series of ``requests`` in their order. ``by``: key and name of who asked."""
    await connection.execute(
        "INSERT INTO trip_series (id, organisation, units, rule, created_by, created_by_name) VALUES ($1, $2, $3, $4, $5, $6)",
        id, organisation, sorted(set(units)), dict(rule), *by,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO trip_series_members (series, no, request) VALUES ($1, $2, $3)",
        [(id, no, request) for no, request in enumerate(requests, 1)],
    )


async def read_series(connection: Connection, id: str) -> tuple[Any, list[Any]] | None:
    """A series and its requests as they are now, in their order; None: there is none within reach."""
    series = await connection.fetchrow(
        "SELECT id, organisation, rule, created_at, created_by_name AS created_by FROM trip_series WHERE id = $1", id
    )  # fmt: skip
    if series is None:
        return None
    rows = await connection.fetch(
        "SELECT m.no, r.id, r.number, r.state, r.version, r.planned_departure, r.planned_return, r.applicant_name, r.persons FROM trip_series_members m"
        " JOIN trip_requests r ON r.id = m.request WHERE m.series = $1 ORDER BY m.no",
        id,
    )
    return series, list(rows)


async def members_of(connection: Connection, id: str) -> list[str]:
    """The requests of a series, in their order."""
    rows = await connection.fetch("SELECT request FROM trip_series_members WHERE series = $1 ORDER BY no", id)
    return [row["request"] for row in rows]


async def clashing(
    connection: Connection, organisation: str, applicant: str, keys: Collection[str], spans: Sequence[tuple[Any, Any]], but: Collection[str] = ()
) -> list[Any]:  # fmt: skip
    """Open requests of the same applicant that overlap one of ``spans``: (k, id, number, state, planned_departure, planned_return), k counted from 1. ``keys``: who he is,
    empty: he has no account. ``but``: not these."""
    return list(
        await connection.fetch(
            "SELECT s.k::integer AS k, r.id, r.number, r.state, r.planned_departure, r.planned_return"  # noqa: S608 - constants
            " FROM unnest($4::timestamptz[], $5::timestamptz[]) WITH ORDINALITY AS s (since, until, k) JOIN trip_requests r ON r.organisation = $1"
            # No trip is longer than 92 days: the index finds those that may still go on.
            " AND r.planned_departure < s.until AND r.planned_departure > s.since - interval '92 days' AND r.planned_return > s.since"
            f" AND r.state IN {_OPEN} AND r.applicant_name = $2 AND ($3::text[] = '{{}}' OR r.persons && $3) AND r.id <> ALL ($6::text[])"
            " ORDER BY s.k, r.planned_departure, r.id LIMIT 500",
            organisation, applicant, sorted(keys), [since for since, _ in spans], [until for _, until in spans], sorted(but),
        )
    )  # fmt: skip


async def told_of_another(connection: Connection, request: str) -> bool:
    """Whether who decides on a request of a series was told of another one of it that waits for the same people: in whatever order the
    clock comes to them."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM trip_series_members m JOIN trip_requests t ON t.id = m.request"
        " JOIN trip_series_members o ON o.series = m.series AND o.no <> m.no"
        " JOIN trip_requests r ON r.id = o.request AND r.state = 'pending' AND r.deciders = t.deciders WHERE m.request = $1)",
        request,
    )
    return found
