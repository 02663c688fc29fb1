"""Work that is done again and again: what stops it, and what is said of it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import asyncpg
import pytest

from runtime.repeating import repeat


async def test_a_fault_of_sql_is_logged_as_a_fault_and_an_outage_as_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An unknown column is no database that is away: waiting does not mend it, so it must be seen."""
    ends = [ConnectionRefusedError("away"), asyncpg.UndefinedColumnError("no such column"), KeyError("x")]
    all_done = asyncio.Event()

    async def turn(_pool: Any) -> bool:
        if not ends:
            all_done.set()
            return False
        raise ends.pop(0)

    with caplog.at_level(logging.INFO, "runtime.repeating"):
        task = asyncio.create_task(repeat("work", None, turn, 0))
        await asyncio.wait_for(all_done.wait(), 10)
        task.cancel()
    fault = (logging.ERROR, "work failed; it goes on with its next turn")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.INFO, "work: not now: away"),
        fault,
        fault,
    ]
