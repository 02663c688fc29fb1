"""What nobody needs any more of people and programs is deleted, a bounded number of rows at a time."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from office.identity import clients, lockout, oidc_links, sessions
from runtime.postgres import DATABASE_ERRORS, renew_read_only

EVERY_S: Final = 600.0
_MOST: Final = 5_000
_PARTS: Final = (sessions.drop_ended, lockout.drop_forgotten, oidc_links.drop_old, clients.drop_expired)

_logger = logging.getLogger(__name__)


async def keep_house(pool: Any) -> None:
    """Never returns. Several APIs may do it at once; one whose database takes no writes tries again later."""
    while True:
        try:
            await tidy(pool)
        except DATABASE_ERRORS as error:
            _logger.info("not tidied now: %s", error or type(error).__name__)
            await renew_read_only(pool, error)
        await asyncio.sleep(EVERY_S)


async def tidy(pool: Any) -> dict[str, int]:
    """Each part once, in a transaction of its own; how many rows went, by part."""
    gone = {}
    for part in _PARTS:
        async with pool.acquire(timeout=5) as connection:
            gone[part.__module__.rpartition(".")[2]] = await part(connection, _MOST)
    return gone
