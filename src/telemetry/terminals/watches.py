"""Frames of a terminal that somebody at the machine watches: who asks, and how gateways tell. All SQL of ``frame_watches``.

A row names a phone number, for as long as whoever watches renews it. Gateways that have such a terminal tell its frames over NOTIFY, on
a channel of that watch: they are kept nowhere, and nothing is told while nobody watches.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runtime.connection import Connection
from runtime.errors import GongcheError

#: A watch that nobody renews ends after so long; it is renewed every ``RENEW_S``.
LEASE_S: Final = 30
RENEW_S: Final = 10.0
#: Phone numbers that are watched at once.
MOST_WATCHES: Final = 20
#: Bytes that one NOTIFY takes (PostgreSQL: below 8,000).
MOST_NOTIFY: Final = 7_900


class TooManyWatchesError(GongcheError):
    """MOST_WATCHES are watched already."""

    exit_code = 75

    def __init__(self) -> None:
        super().__init__(
            f"同时最多监视 {MOST_WATCHES} 台终端 / {MOST_WATCHES} terminals are watched already",
            hint="they end by themselves, at the latest half a minute after their command",
        )


@dataclass(frozen=True, slots=True)
class Watch:
    """``phone`` without leading zeros."""

    id: str
    phone: str


@dataclass(frozen=True, slots=True)
class Told:
    """A run of bytes between delimiters, as it came (``up``) or went. ``time_us``: by the gateway, us since 1970; ``peer``: address and
    port of the terminal; ``hidden``: its authentication code is not in it, the checksum is that of what is shown."""

    time_us: int
    up: bool
    peer: str
    segment: bytes
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Presence:
    """What is known of a phone number: ``registered`` in the registry and not disabled; ``gateway``: the host that holds it, None = it is
    not connected."""

    registered: bool
    gateway: str | None


def channel(id: str) -> str:
    """Where gateways tell what the watch asks for."""
    return f"frames_{uuid.UUID(id).hex}"


async def ask(conn: Connection, phone: str, bell: str) -> Watch:
    """Begin to watch ``phone``, and ring the ``bell`` (a channel) of the gateways. Raises TooManyWatchesError."""
    made = Watch(str(uuid.uuid4()), phone)
    async with conn.transaction():
        await conn.execute("LOCK TABLE frame_watches IN SHARE ROW EXCLUSIVE MODE")
        await conn.execute("DELETE FROM frame_watches WHERE expires_at < clock_timestamp()")
        if await conn.fetchval("SELECT count(*) FROM frame_watches") >= MOST_WATCHES:
            raise TooManyWatchesError
        await conn.execute(
            "INSERT INTO frame_watches (id, phone, expires_at) VALUES ($1::uuid, $2, clock_timestamp() + $3 * interval '1 s')",
            made.id, phone, float(LEASE_S),
        )  # fmt: skip
        await conn.execute("SELECT pg_notify($1, '')", bell)
    return made


async def renew(conn: Connection, watch: Watch) -> None:
    """Whoever watches still does."""
    await conn.execute(
        "UPDATE frame_watches SET expires_at = clock_timestamp() + $2 * interval '1 s' WHERE id = $1::uuid",
        watch.id, float(LEASE_S),
    )  # fmt: skip


async def end(conn: Connection, watch: Watch, bell: str) -> None:
    """Nobody watches any more."""
    await conn.execute("DELETE FROM frame_watches WHERE id = $1::uuid", watch.id)
    await conn.execute("SELECT pg_notify($1, '')", bell)


async def active(conn: Connection) -> list[Watch]:
    """What is watched now."""
    rows = await conn.fetch(
        "SELECT id::text, phone FROM frame_watches WHERE expires_at > clock_timestamp() ORDER BY asked_at LIMIT $1",
        MOST_WATCHES,
    )
    return [Watch(row["id"], row["phone"]) for row in rows]


async def presence(conn: Connection, phone: str) -> Presence:
    """Where a phone number is."""
    row = await conn.fetchrow(
        "SELECT t.enabled, g.host FROM terminals t LEFT JOIN terminal_presence p ON p.terminal_no = t.no LEFT JOIN terminal_gateways g"
        " ON g.id = p.gateway AND g.alive_until > clock_timestamp() WHERE t.phone = $1",
        phone,
    )
    return Presence(False, None) if row is None else Presence(row["enabled"], row["host"])


async def tell(conn: Connection, watch: str, gateway: str, told: Sequence[Told], lost: int) -> None:
    """Tell whoever watches. ``lost``: frames before them that were too many to be told."""
    await conn.execute("SELECT pg_notify($1, $2)", channel(watch), packed(gateway, told, lost))


def packed(gateway: str, told: Sequence[Told], lost: int = 0) -> str:
    """The text of a NOTIFY."""
    rows = [
        [one.time_us, one.up, one.peer, base64.b64encode(one.segment).decode("ascii"), one.hidden]
        for one in told
    ]
    return json.dumps({"gateway": gateway, "lost": lost, "frames": rows}, separators=(",", ":"))


def unpacked(text: str) -> tuple[str, list[Told], int]:
    """Gateway, frames and how many were lost of a NOTIFY."""
    said: Mapping[str, Any] = json.loads(text)
    told = [
        Told(time_us, up, peer, base64.b64decode(segment), hidden)
        for time_us, up, peer, segment, hidden in said["frames"]
    ]
    return said["gateway"], told, said["lost"]
