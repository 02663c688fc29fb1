"""The cold tier as a part of a process: moves what is due, removes what is read no more, shows how much there is."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from runtime.errors import GongcheError
from runtime.postgres import DATABASE_ERRORS
from telemetry.archive.cold import catalogue, metrics
from telemetry.archive.cold.mover import Mover, remove_left

_logger = logging.getLogger(__name__)

#: A process that has started looks after so long, and then again and again.
FIRST_S: Final = 60.0
EVERY_S: Final = 600.0


async def keep(pool: Any, mover: Mover | None, *, first_s: float = FIRST_S, every_s: float = EVERY_S) -> None:
    """Turn after turn, until cancelled. ``mover``: None where nothing is moved; what was moved before still ends with the retention."""
    await asyncio.sleep(first_s)
    while True:
        try:
            await turn(pool, mover)
        except GongcheError as error:
            _logger.warning("cold storage: %s (%s)", error.message, error.hint)
        except (OSError, *DATABASE_ERRORS) as error:
            _logger.warning("cold storage: not now: %s", error or type(error).__name__)
        except Exception:
            _logger.exception("a turn of cold storage failed; the days are where they were")
        await asyncio.sleep(every_s)


async def turn(pool: Any, mover: Mover | None) -> int:
    """Everything that is due; how many days were moved. Raises as ``Mover.move``."""
    moved = 0
    async with pool.acquire() as conn:
        try:
            await remove_left(conn)
            if mover is not None:
                async for day in mover.move(conn):
                    moved += not day.touched
        finally:
            days, _, _, size = await catalogue.totals(conn)
            metrics.DAYS.set(days)
            metrics.BYTES.set(size)
    return moved
