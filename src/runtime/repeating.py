"""Work that a process does again and again beside its own: now and then, for as long as it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from runtime.postgres import is_outage, renew_read_only

#: A piece of work that takes longer is ended, and begun again with the next turn.
MOST_S: Final = 60.0
_logger = logging.getLogger(__name__)


async def repeat(what: str, pool: Any, turn: Callable[[Any], Awaitable[bool]], every_s: float) -> None:
    """``turn(pool)`` every ``every_s`` seconds, and at once again after one that says there is more, until cancelled. A database
    that is away, or takes no writes, is asked again later; a fault is logged and stops neither the work nor the process."""
    while True:
        more = False
        try:
            async with asyncio.timeout(MOST_S):
                more = await turn(pool)
        except Exception as error:
            if is_outage(error):
                _logger.info("%s: not now: %s", what, error or type(error).__name__)
                await renew_read_only(pool, error)
            else:
                _logger.exception("%s failed; it goes on with its next turn", what)
        await asyncio.sleep(0 if more else every_s)
