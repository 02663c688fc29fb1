"""What nobody needs any more of people and programs is deleted, a bounded number of rows at a time."""

from __future__ import annotations

from typing import Any, Final

from office.identity import clients, lockout, oidc_links, once, sessions

#: How often, in seconds.
EVERY_S: Final = 600.0
_MOST: Final = 5_000
_PARTS: Final = (
    sessions.drop_ended,
    lockout.drop_forgotten,
    oidc_links.drop_old,
    clients.drop_expired,
    once.drop_old,
)


async def keep_house(pool: Any) -> bool:
    """A turn of ``runtime.repeating``. Several APIs may do it at once."""
    await tidy(pool)
    return False


async def tidy(pool: Any) -> dict[str, int]:
    """Each part once, in a transaction of its own; how many rows went, by part."""
    gone = {}
    for part in _PARTS:
        async with pool.acquire(timeout=5) as connection:
            gone[part.__module__.rpartition(".")[2]] = await part(connection, _MOST)
    return gone
