"""The clock of supervision as a task of a process: every API process runs it, each case is taken by one of them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from office.supervision.clock import turn
from runtime.postgres import DATABASE_ERRORS, renew_read_only

#: How often it is looked whether something is due, in seconds.
EVERY_S: Final = 30.0
#: A piece of work that takes longer is ended, and begun again with the next turn.
_MOST_S: Final = 60.0
_logger = logging.getLogger(__name__)


async def run_clock(pool: Any, every_s: float = EVERY_S) -> None:
    """Until it is cancelled. A database that is away, or takes no writes, is asked again later; a fault is logged and
    stops neither the clock nor the process."""
    while True:
        more = False
        try:
            async with asyncio.timeout(_MOST_S), pool.acquire(timeout=5) as connection:
                more = await turn(connection)
        except DATABASE_ERRORS as error:
            _logger.info("the clock of supervision waits: %s", error or type(error).__name__)
            await renew_read_only(pool, error)
        except Exception:
            _logger.exception("the clock of supervision failed; it goes on with its next turn")
        await asyncio.sleep(0 if more else every_s)
