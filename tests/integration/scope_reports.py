"""What terminals reported of the units of ``scope_world``, and how the denial matrix asks for it."""

from __future__ import annotations

from typing import Any, Final

import asyncpg
import httpx

#: Table -> the column that names a record; ``test_scope`` looks at each.
OWNED: Final = {"terminal_reports": "detail", "driver_card_events": "name", "terminal_media": "content_type"}


async def fill(pool: asyncpg.Pool, unit: str) -> None:
    """A card that was put in, and a picture that is no longer kept."""
    for kind, message in (("driver_card", 0x0702), ("media", 0x0801)):
        no = await pool.fetchval(
            "INSERT INTO terminal_reports (terminal_no, vehicle, organisation, kind, message, edition, serial, at, received_at, detail, body,"
            " body_bytes, fingerprint) SELECT b.terminal_no, v.id, $1, $2, $3, 2013, 7, now(), now(), $4, $5, 1, sha256(convert_to($6, 'UTF8'))"
            " FROM vehicles v JOIN terminal_bindings b ON b.vehicle_no = v.no WHERE v.organisation = $1 RETURNING no",
            unit, kind, message, {"of": f"car-{unit}"}, b"x", f"{kind} {unit}",
        )  # fmt: skip
        if kind == "media":
            await pool.execute(
                "INSERT INTO terminal_media (report, terminal_no, media_id, media_type, format, event, channel, content_type, as_claimed, bytes,"
                " sha256, state) SELECT $1, terminal_no, 1, 0, 0, 0, 1, $2, false, 1, fingerprint, 'expired' FROM terminal_reports WHERE no = $1",
                no, f"car-{unit}",
            )  # fmt: skip
        else:
            await pool.execute(
                "INSERT INTO driver_card_events (report, action, name) VALUES ($1, 'in', $2)",
                no,
                f"driver-{unit}",
            )


def _one(path: str, kind: str) -> Any:
    async def call(client: httpx.AsyncClient, unit: str, world: Any) -> httpx.Response:
        no = await world.pool.fetchval(
            "SELECT no FROM terminal_reports WHERE organisation = $1 AND kind = $2", unit, kind
        )
        return await client.get(path.format(no=no))

    return call


def lines(case: Any, get: Any) -> dict[tuple[str, str], Any]:
    """The lines of the matrix. ``case``, ``get``: its own."""
    reads = ("tracks:read",)
    return {
        ("GET", "/v1/terminal-reports"): case(get("/v1/terminal-reports"), reads, foreign=None),
        ("GET", "/v1/terminal-reports/{no}"): case(_one("/v1/terminal-reports/{no}", "driver_card"), reads),
        ("GET", "/v1/driver-cards"): case(get("/v1/driver-cards"), reads, foreign=None),
        ("GET", "/v1/media"): case(get("/v1/media"), reads, foreign=None),
        ("GET", "/v1/media/{no}"): case(_one("/v1/media/{no}", "media"), reads),
        # The picture of each is no longer kept.
        ("GET", "/v1/media/{no}/content"): case(
            _one("/v1/media/{no}/content", "media"), reads, own=frozenset({410})
        ),
    }
