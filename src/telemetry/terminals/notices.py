"""What the office should know of terminals: all SQL of the table ``terminal_notices``, one notice for each thing.

Kinds: ``clock_wrong`` (about ``clock``), ``device_refused`` and ``device_accepted`` (about the device), ``contradiction`` (fixes
and odometer; about the day), ``other_imei`` and ``other_card`` (not the device, not the card that the office named), ``datum_wrong``
(coordinates that are GCJ-02, it seems).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runtime.connection import Connection

KINDS: Final = (
    "clock_wrong", "device_refused", "device_accepted", "contradiction", "other_imei", "other_card", "datum_wrong",
)  # fmt: skip
MAX_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Notice:
    """``about`` tells notices of one terminal and kind apart."""

    terminal: int
    kind: str
    about: str
    detail: Mapping[str, Any]


async def put(conn: Connection, notices: Sequence[Notice], *, settled: bool = False) -> None:
    """Note them; what was noted already is counted and has the newest detail. ``settled``: nobody need look at them."""
    if not notices:
        return
    last = {(n.terminal, n.kind, n.about): n for n in notices}
    kept = [last[key] for key in sorted(last)]
    await conn.execute(
        "INSERT INTO terminal_notices (terminal_no, kind, about, detail, settled_at)"
        " SELECT no, kind, about, detail::jsonb, CASE WHEN $5 THEN clock_timestamp() END"
        " FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS u (no, kind, about, detail)"
        " ON CONFLICT (terminal_no, kind, about) DO UPDATE SET detail = excluded.detail, times = terminal_notices.times + 1,"
        " last_at = clock_timestamp(), settled_at = excluded.settled_at",
        [n.terminal for n in kept],
        [n.kind for n in kept],
        [n.about for n in kept],
        [json.dumps(n.detail, ensure_ascii=False) for n in kept],
        settled,
    )


async def settle(conn: Connection, terminals: Sequence[int], kind: str) -> None:
    """Nobody need look at the notices of ``kind`` of these terminals any more."""
    await conn.execute(
        "UPDATE terminal_notices SET settled_at = clock_timestamp()"
        " WHERE kind = $2 AND terminal_no = ANY($1::integer[]) AND settled_at IS NULL",
        sorted(set(terminals)),
        kind,
    )


async def details(conn: Connection, terminals: Sequence[int], kind: str) -> dict[int, dict[str, Any]]:
    """Terminal -> the detail of its notice of ``kind``, where somebody should look at it."""
    rows = await conn.fetch(
        "SELECT terminal_no, detail FROM terminal_notices WHERE kind = $2 AND terminal_no = ANY($1::integer[])"
        " AND settled_at IS NULL",
        sorted(set(terminals)),
        kind,
    )
    return {row["terminal_no"]: row["detail"] for row in rows}


async def page(
    conn: Connection,
    *,
    terminal: str | None = None,
    kind: str | None = None,
    open_only: bool = True,
    after: int = 0,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Notices by number: {no, terminal, kind, about, detail, times, first_at, last_at, settled_at}. ``terminal``: a phone
    number without leading zeros."""
    rows = await conn.fetch(
        "SELECT n.no, t.phone AS terminal, n.kind, n.about, n.detail, n.times, n.first_at, n.last_at, n.settled_at"
        " FROM terminal_notices n JOIN terminals t ON t.no = n.terminal_no"
        " WHERE n.no > $1 AND ($2::text IS NULL OR t.phone = $2) AND ($3::text IS NULL OR n.kind = $3)"
        " AND (NOT $4 OR n.settled_at IS NULL) ORDER BY n.no LIMIT $5",
        after,
        terminal,
        kind,
        open_only,
        min(limit, MAX_PAGE),
    )
    return [dict(row) for row in rows]


async def open_counts(conn: Connection) -> dict[str, int]:
    """How many notices of each kind somebody should look at."""
    rows = await conn.fetch(
        "SELECT kind, count(*) FROM terminal_notices WHERE settled_at IS NULL GROUP BY kind"
    )
    return dict.fromkeys(KINDS, 0) | dict(rows)
