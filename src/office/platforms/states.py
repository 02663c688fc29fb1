"""How it goes with each link, and up to where a platform above has confirmed what it was sent. All SQL that writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from runtime.connection import Connection
from runtime.units import from_us, to_us

#: Vehicles of a platform below that are remembered.
MOST_VEHICLES: Final = 20_000
_COUNTS: Final = ("sent", "resent", "withheld", "lost", "taken")


@dataclass(slots=True)
class Tally:
    """What was done since it was written last."""

    sent: int = 0
    resent: int = 0
    withheld: int = 0
    lost: int = 0
    taken: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    last_refusal: str | None = None

    def refuse(self, reason: str, detail: str, count: int = 1) -> None:
        """``count`` things were refused so."""
        self.refused[reason] = self.refused.get(reason, 0) + count
        self.last_refusal = f"{reason}: {detail}"[:500]

    @property
    def empty(self) -> bool:
        return not (self.refused or any(getattr(self, name) for name in _COUNTS))


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where is confirmed. ``offsets``: of the log ``identity``, partition -> first offset that is not; ``received_us``: what we
    received before, microseconds since 1970 UTC; 0 = nothing was confirmed yet."""

    identity: str = ""
    offsets: Mapping[int, int] = field(default_factory=dict)
    received_us: int = 0


async def read_place(connection: Connection, link: str) -> Place:
    """The place of a link."""
    row = await connection.fetchrow(
        "SELECT log_identity, places, received_until FROM platform_states WHERE link = $1", link
    )
    if row is None:
        return Place()
    offsets = {int(partition): int(offset) for partition, offset in row["places"].items()}
    return Place(
        row["log_identity"], offsets, 0 if row["received_until"] is None else to_us(row["received_until"])
    )


async def confirm(connection: Connection, link: str, place: Place) -> None:
    """The platform has everything up to ``place``."""
    await connection.execute(
        "UPDATE platform_states SET log_identity = $2, places = $3, received_until = $4, confirmed_at = clock_timestamp() WHERE link = $1",
        link,
        place.identity,
        {str(partition): offset for partition, offset in place.offsets.items()},
        from_us(place.received_us) if place.received_us else None,
    )


async def add_tally(connection: Connection, link: str, tally: Tally) -> None:
    """Add ``tally`` to what was counted."""
    await connection.execute(
        "UPDATE platform_states s SET sent = sent + $2, resent = resent + $3, withheld = withheld + $4, lost = lost + $5,"
        " taken = taken + $6, last_refusal = COALESCE($8, last_refusal), refused = (SELECT COALESCE(jsonb_object_agg(k, n), '{}') FROM"
        " (SELECT k, sum(n) AS n FROM (SELECT key AS k, value::bigint AS n FROM jsonb_each_text(s.refused)"
        " UNION ALL SELECT key, value::bigint FROM jsonb_each_text($7::jsonb)) AS both_of (k, n) GROUP BY k) AS sums)"
        " WHERE link = $1",
        link, tally.sent, tally.resent, tally.withheld, tally.lost, tally.taken, tally.refused, tally.last_refusal,
    )  # fmt: skip


async def note_login(connection: Connection, link: str, result: int | None) -> None:
    """What a login was answered; 0: it is taken. None: the main link has ended."""
    if result is None:
        await connection.execute(
            "UPDATE platform_states SET main_since = NULL, down_since = NULL, main_ended_at = clock_timestamp()"
            " WHERE link = $1 AND main_since IS NOT NULL",
            link,
        )
        return
    await connection.execute(
        "UPDATE platform_states SET login_result = $2::smallint, login_at = clock_timestamp(), main_since = CASE WHEN $2::smallint = 0 THEN"
        " clock_timestamp() ELSE main_since END, last_error = CASE WHEN $2::smallint = 0 THEN NULL ELSE last_error END WHERE link = $1",
        link,
        result,
    )


async def note_down(connection: Connection, link: str, up: bool) -> None:
    """Whether there is a subordinate link."""
    await connection.execute(
        "UPDATE platform_states SET down_since = CASE WHEN $2::boolean THEN clock_timestamp() END WHERE link = $1",
        link,
        up,
    )


async def note_error(connection: Connection, link: str, error: str) -> None:
    """Why a link ended, or does not come about."""
    await connection.execute(
        "UPDATE platform_states SET last_error = $2, last_error_at = clock_timestamp() WHERE link = $1",
        link,
        error[:500],
    )


async def note_said(connection: Connection, link: str, total: int) -> None:
    """The platform says that it took so many more positions."""
    await connection.execute(
        "UPDATE platform_states SET said_taken = said_taken + $2 WHERE link = $1", link, total
    )


async def clear_links(connection: Connection) -> None:
    """No link is up: said when the process that keeps them begins."""
    await connection.execute("UPDATE platform_states SET main_since = NULL, down_since = NULL")


async def note_vehicle(
    connection: Connection, link: str, plate: str, colour: int, device: Mapping[str, Any] | None, refused: str | None
) -> None:  # fmt: skip
    """A platform below has named a vehicle. Of more than MOST_VEHICLES the rest is not remembered."""
    await connection.execute(
        "INSERT INTO platform_vehicles (link, plate, colour, device, refused) SELECT $1::text, $2::text, $3::smallint, $4::jsonb, $5::text WHERE"
        " EXISTS (SELECT FROM platform_vehicles WHERE (link, plate, colour) = ($1::text, $2::text, $3::smallint))"
        " OR (SELECT count(*) FROM platform_vehicles WHERE link = $1::text) < $6"
        " ON CONFLICT (link, plate, colour) DO UPDATE SET device = COALESCE(EXCLUDED.device, platform_vehicles.device),"
        " refused = EXCLUDED.refused, last_at = clock_timestamp()",
        link, plate, colour, None if device is None else dict(device), refused, MOST_VEHICLES,
    )  # fmt: skip


async def overview(connection: Connection) -> list[dict[str, Any]]:
    """Every link with how it goes, by name."""
    rows = await connection.fetch(
        "SELECT l.name, l.direction, l.edition, l.access_code, l.enabled, l.units, s.*, (SELECT count(*) FROM platform_vehicles v"
        " WHERE v.link = l.name AND v.refused IS NOT NULL) AS strangers FROM platform_links l JOIN platform_states s ON s.link = l.name"
        " ORDER BY l.name"
    )
    return [dict(row) for row in rows]


async def strangers(connection: Connection, link: str, limit: int) -> list[dict[str, Any]]:
    """Vehicles of a platform below whose positions are not taken, the newest first."""
    rows = await connection.fetch(
        "SELECT plate, colour, device, refused, last_at FROM platform_vehicles WHERE link = $1 AND refused IS NOT NULL"
        " ORDER BY last_at DESC LIMIT $2",
        link,
        limit,
    )
    return [dict(row) for row in rows]


async def main_since(connection: Connection, link: str) -> datetime | None:
    """Since when the main link is logged in."""
    since: datetime | None = await connection.fetchval(
        "SELECT main_since FROM platform_states WHERE link = $1", link
    )
    return since
