"""What came from others, as people read it: one list of a kind over all origins, counts, one record. In the transaction of a
request, which sees its units only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from registry.organisations import units_below
from rules.alerts.conditions import Conditions
from runtime.connection import Connection

_COLUMNS: Final = (
    "r.no, r.origin, r.kind, r.id, r.peer, r.organisation, r.unit, r.version, r.status, r.payload, r.happened_at, r.first_at,"
    " r.received_at"
)


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """None = any, but a list is of one ``kind``. ``organisation``: with the units below it. ``since``, ``until``: when it happened, half open. ``gone``: with
    those that their origin took back."""

    kind: str | None = None
    origin: str | None = None
    organisation: str | None = None
    status: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    gone: bool = False


async def list_records(
    connection: Connection,
    wanted: RecordFilter,
    *,
    limit: int,
    after: tuple[datetime, int] | None = None,
    units: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Records, what happened last first; ``after``: (happened_at, no) of the last one of the page before. ``units``: only of these
    few, each of which is looked up by itself: whoever sees a thousandth of all records need not go through the others."""
    asked = await _asked(connection, wanted)
    if after is not None:
        asked.add("r.happened_at <= {} AND (r.happened_at, r.no) < ({}, {})", after[0], after[0], after[1])
    most = asked.argument(limit)
    if units is not None:
        each = asked.argument(list(units))
        own = f"{asked.where} AND" if asked.where else " WHERE"
        rows = await connection.fetch(
            f"SELECT {_COLUMNS} FROM unnest({each}::text[]) AS u (unit) CROSS JOIN LATERAL (SELECT r.* FROM exchange_records r"  # noqa: S608 - constants
            f"{own} r.organisation = u.unit ORDER BY r.happened_at DESC, r.no DESC LIMIT {most}) r"
            f" ORDER BY r.happened_at DESC, r.no DESC LIMIT {most}",
            *asked.arguments,
        )
        return [dict(row) for row in rows]
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM exchange_records r{asked.where} ORDER BY r.happened_at DESC, r.no DESC LIMIT {most}",  # noqa: S608 - constants
        *asked.arguments,
    )
    return [dict(row) for row in rows]


async def count_records(connection: Connection, wanted: RecordFilter) -> list[dict[str, Any]]:
    """Numbers by origin, kind and status."""
    asked = await _asked(connection, wanted)
    rows = await connection.fetch(
        "SELECT r.origin, r.kind, r.status, count(*) AS records, max(r.received_at) AS last_received_at"  # noqa: S608 - constants
        f" FROM exchange_records r{asked.where} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        *asked.arguments,
    )
    return [dict(row) for row in rows]


async def get_record(connection: Connection, no: int) -> dict[str, Any] | None:
    """One record, or None."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM exchange_records r WHERE r.no = $1", no)  # noqa: S608 - constant
    return None if row is None else dict(row)


async def _asked(connection: Connection, wanted: RecordFilter) -> Conditions:
    asked = Conditions()
    for column in ("kind", "origin", "status"):
        value = getattr(wanted, column)
        if value is not None:
            asked.add(f"r.{column} = {{}}", value)
    if wanted.organisation is not None:
        asked.add(
            "(r.organisation = ANY({}::text[]) OR r.unit = {})",
            sorted(await units_below(connection, [wanted.organisation])),
            wanted.organisation,
        )
    if wanted.since is not None:
        asked.add("r.happened_at >= {}", wanted.since)
    if wanted.until is not None:
        asked.add("r.happened_at < {}", wanted.until)
    if not wanted.gone:
        asked.add("r.payload IS NOT NULL")
    return asked


async def publish_notice(
    connection: Connection, id: str, organisation: str, title: str, body: str, by: str
) -> dict[str, Any]:
    """A notice to the unit and all below it; the same id again is the one that is there."""
    await connection.execute(
        "INSERT INTO exchange_notices (id, organisation, title, body, published_by) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (id) DO NOTHING",
        id, organisation, title, body, by,
    )  # fmt: skip
    row = await connection.fetchrow(
        "SELECT id, organisation, title, body, published_by, published_at FROM exchange_notices WHERE id = $1",
        id,
    )
    return {} if row is None else dict(row)


async def list_notices(
    connection: Connection, limit: int, after: tuple[datetime, str] | None = None
) -> list[dict[str, Any]]:
    """Own notices, the newest first."""
    rows = await connection.fetch(
        "SELECT id, organisation, title, body, published_by, published_at FROM exchange_notices"
        " WHERE $2::timestamptz IS NULL OR (published_at <= $2 AND (published_at < $2 OR id > $3))"
        " ORDER BY published_at DESC, id LIMIT $1",
        limit,
        *(after or (None, "")),
    )
    return [dict(row) for row in rows]
