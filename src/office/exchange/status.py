"""How the exchange stands: what was sent, confirmed, refused and waits, and what arrived from whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runtime.connection import Connection


async def note_ok(connection: Connection, peer: str) -> None:
    """The peer answered as it should."""
    await connection.execute(
        "UPDATE exchange_states SET last_ok_at = now(), last_error = NULL, retry_at = NULL WHERE peer = $1",
        peer,
    )


async def note_error(connection: Connection, peer: str, said: str, pause_s: float) -> None:
    """It did not; the next try is after ``pause_s``."""
    await connection.execute(
        "UPDATE exchange_states SET last_error = $2, last_error_at = now(), retry_at = now() + make_interval(secs => $3)"
        " WHERE peer = $1",
        peer,
        said.replace("\0", ""),
        pause_s,
    )


async def pull_cursor(connection: Connection, peer: str) -> str | None:
    """Up to where what comes down from a peer is stored."""
    cursor: str | None = await connection.fetchval(
        "SELECT pull_cursor FROM exchange_states WHERE peer = $1", peer
    )
    return cursor


async def note_pulled(connection: Connection, peer: str, cursor: str) -> None:
    """What comes down is stored up to ``cursor`` (same transaction)."""
    await connection.execute(
        "UPDATE exchange_states SET pull_cursor = $2, pulled_at = now() WHERE peer = $1", peer, cursor
    )


async def note_arrivals(
    connection: Connection, peer: str, counted: Iterable[tuple[str, int, int, int, str | None]]
) -> None:
    """Count what a peer gave (same transaction): (kind, stored, unchanged, refused, why the last one was refused) of each kind."""
    await connection.executemany(
        "INSERT INTO exchange_arrivals AS a (peer, kind, stored, unchanged, refused, last_refusal) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (peer, kind) DO UPDATE SET stored = a.stored + EXCLUDED.stored, unchanged = a.unchanged + EXCLUDED.unchanged,"
        " refused = a.refused + EXCLUDED.refused, last_refusal = COALESCE(EXCLUDED.last_refusal, a.last_refusal),"
        " last_at = clock_timestamp()",
        [(peer, *numbers, (said or "")[:500].replace("\0", "") or None) for *numbers, said in counted],
    )


async def stands(connection: Connection, peer: str) -> dict[str, dict[str, int]]:
    """By kind: how many records the peer has confirmed and should have, and how many wait. What was taken back does not count: both
    sides forget it in time, each on its own."""
    rows = await connection.fetch(
        "SELECT kind, sum(confirmed)::bigint AS confirmed, sum(waiting)::bigint AS waiting FROM ("
        " SELECT kind, count(*) AS confirmed, 0 AS waiting FROM exchange_sent WHERE peer = $1 AND confirmed_at IS NOT NULL AND NOT known AND NOT gone GROUP BY kind"
        " UNION ALL SELECT kind, 0, count(*) FROM exchange_queue WHERE peer = $1 AND refused_code IS NULL GROUP BY kind) s GROUP BY kind",
        peer,
    )
    return {row["kind"]: {"confirmed": row["confirmed"], "waiting": row["waiting"]} for row in rows}


async def totals(connection: Connection) -> list[Any]:
    """Of each peer above that is enabled: waiting, refused, and the age of the oldest that waits in seconds."""
    return await connection.fetch(
        "SELECT p.name AS peer, w.waiting, r.refused,"
        " COALESCE(extract(epoch FROM now() - w.oldest), 0)::float8 AS oldest_s FROM exchange_peers p"
        " CROSS JOIN LATERAL (SELECT count(*) AS waiting, min(noted_at) AS oldest FROM exchange_queue q"
        " WHERE q.peer = p.name AND q.refused_code IS NULL) w"
        " CROSS JOIN LATERAL (SELECT count(*) AS refused FROM exchange_queue q WHERE q.peer = p.name AND q.refused_code IS NOT NULL) r"
        " WHERE p.direction = 'above' AND p.enabled ORDER BY p.name"
    )


async def overview(connection: Connection, peer: str) -> dict[str, Any]:
    """How the exchange with a peer above goes, by column; empty for a peer below."""
    row = await connection.fetchrow(
        "SELECT snapshot_kind, pulled_at, last_ok_at, last_error, last_error_at, retry_at FROM exchange_states WHERE peer = $1",
        peer,
    )
    return {} if row is None else dict(row)


async def outgoing(connection: Connection, peer: str) -> list[dict[str, Any]]:
    """By kind, of what goes to a peer above."""
    rows = await connection.fetch(
        "SELECT kind, COALESCE(max(sent), 0) AS sent, COALESCE(max(confirmed), 0) AS confirmed, COALESCE(max(waiting), 0) AS waiting,"
        " COALESCE(max(refused), 0) AS refused, max(oldest) AS oldest_waiting_at, max(last) AS last_confirmed_at,"
        " COALESCE(extract(epoch FROM now() - max(oldest)), 0)::bigint AS oldest_waiting_s FROM ("
        " SELECT kind, count(*) AS sent, count(*) FILTER (WHERE confirmed) AS confirmed, NULL::bigint AS waiting, NULL::bigint AS refused,"
        " NULL::timestamptz AS oldest, max(confirmed_at) AS last FROM exchange_sent WHERE peer = $1 GROUP BY kind"
        " UNION ALL SELECT kind, NULL, NULL, count(*) FILTER (WHERE refused_code IS NULL), count(*) FILTER (WHERE refused_code IS NOT NULL),"
        " min(noted_at) FILTER (WHERE refused_code IS NULL), NULL FROM exchange_queue WHERE peer = $1 GROUP BY kind) s"
        " GROUP BY kind ORDER BY kind",
        peer,
    )
    return [dict(row) for row in rows]


async def arrivals(connection: Connection, peer: str) -> list[dict[str, Any]]:
    """By kind, of what came from a peer. ``missing``: records that the peer says we confirmed, and that are not here."""
    rows = await connection.fetch(
        "SELECT a.kind, a.stored, a.unchanged, a.refused, a.last_refusal, a.last_at, a.said_confirmed, a.said_waiting, a.said_at,"
        " c.kept, GREATEST(a.said_confirmed - c.kept, 0) AS missing FROM exchange_arrivals a"
        " CROSS JOIN LATERAL (SELECT count(*) AS kept FROM exchange_records r WHERE r.peer = a.peer AND r.kind = a.kind"
        " AND r.payload IS NOT NULL) c"
        " WHERE a.peer = $1 ORDER BY a.kind",
        peer,
    )
    return [dict(row) for row in rows]


async def refusals(
    connection: Connection, peer: str, limit: int, after: tuple[Any, str, str, str] | None = None
) -> list[dict[str, Any]]:
    """The dead letters of a peer above, the oldest first."""
    rows = await connection.fetch(
        "SELECT kind, origin, id, refused_id, refused_code AS code, refused_detail AS detail, refused_version AS version,"
        " refused_at, noted_at FROM exchange_queue WHERE peer = $1 AND refused_code IS NOT NULL"
        " AND ($3::timestamptz IS NULL OR (refused_at, kind, origin, id) > ($3, $4, $5, $6))"
        " ORDER BY refused_at, kind, origin, id LIMIT $2",
        peer,
        limit,
        *(after or (None, "", "", "")),
    )
    return [dict(row) for row in rows]
