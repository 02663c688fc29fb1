"""Reports as people read them: in transactions that reach what their subject reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from runtime.connection import Connection

_SHOWN: Final = "r.no, r.kind, r.message, t.phone AS terminal, r.vehicle, r.organisation, r.at, r.device_time, r.received_at, r.lat_e6, r.lon_e6"
_REPORT: Final = f"{_SHOWN}, r.detail, r.body_bytes, encode(r.fingerprint, 'hex') AS sha256"
_CARD: Final = (
    f"{_SHOWN}, c.action, c.read_result, c.name, c.certificate, c.issuer, c.valid_until, c.id_number"
)
_MEDIA: Final = (
    f"{_SHOWN}, m.media_id, m.media_type, m.format, m.event, m.channel, m.content_type, m.as_claimed, m.bytes,"
    " encode(m.sha256, 'hex') AS sha256, m.state"
)
_FROM: Final = "FROM terminal_reports r LEFT JOIN terminals t ON t.no = r.terminal_no"
_CARDS: Final = f"{_FROM} JOIN driver_card_events c ON c.report = r.no"
_FILES: Final = f"{_FROM} JOIN terminal_media m ON m.report = r.no"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reports: None = any. ``since`` included, ``until`` excluded, of the time at which they were received; ``before``: only
    those with a lower number."""

    kind: str | None = None
    vehicle: str | None = None
    organisation: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


async def reports(conn: Connection, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    """Reports of every kind, the newest first, without their bodies."""
    return await _page(conn, _REPORT, _FROM, wanted, limit)


async def cards(conn: Connection, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    """Cards put in and pulled out, the newest first."""
    return await _page(conn, _CARD, _CARDS, wanted, limit)


async def media(conn: Connection, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    """Files, the newest first."""
    return await _page(conn, _MEDIA, _FILES, wanted, limit)


async def _page(
    conn: Connection, shown: str, source: str, wanted: Wanted, limit: int
) -> list[dict[str, Any]]:
    conditions, values = ["true"], list[Any]()
    for condition, value in (
        ("r.kind = {}", wanted.kind),
        ("r.vehicle = {}", wanted.vehicle),
        ("r.organisation = {}", wanted.organisation),
        ("r.received_at >= {}", wanted.since),
        ("r.received_at < {}", wanted.until),
        ("r.no < {}", wanted.before),
    ):
        if value is not None:
            values.append(value)
            conditions.append(condition.format(f"${len(values)}"))
    rows: Sequence[Any] = await conn.fetch(
        f"SELECT {shown} {source} WHERE {' AND '.join(conditions)} ORDER BY r.no DESC LIMIT {int(limit)}",
        *values,
    )
    return [dict(row) for row in rows]


async def report(conn: Connection, no: int) -> dict[str, Any] | None:
    """One report, with its body (None: it is a file)."""
    row = await conn.fetchrow(f"SELECT {_REPORT}, r.body {_FROM} WHERE r.no = $1", no)
    return None if row is None else dict(row)


async def file(conn: Connection, no: int) -> dict[str, Any] | None:
    """One file's row."""
    row = await conn.fetchrow(f"SELECT {_MEDIA} {_FILES} WHERE r.no = $1", no)
    return None if row is None else dict(row)
