"""Work that only a few requests may do at once."""

from __future__ import annotations

import asyncio

from api.errors import unavailable


async def take_place(places: asyncio.Semaphore, within_s: float, busy: str) -> None:
    """Take one of ``places``, which the caller gives back. Raises Problem 503 when none gets free in ``within_s`` seconds; ``busy``:
    Chinese, then English."""
    try:
        async with asyncio.timeout(within_s):
            await places.acquire()
    except TimeoutError:
        raise unavailable(busy) from None
