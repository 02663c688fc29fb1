"""The newest positions for the live map of the API: joins the end of the log with what the database keeps."""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np

from rules.live.store.offsets import offsets
from rules.live.store.states import last_fixes
from runtime.settings import Settings
from runtime.units import US_PER_DAY
from telemetry.archive.clocks import Clocks, read_clocks
from telemetry.live.feed import Beginning, LastFixes, LiveFeed
from telemetry.log import POSITIONS, open_tail

#: What is known of the clocks matters for what may still come.
_CLOCKS_US: Final = US_PER_DAY


def live_feed(settings: Settings, pool: Any) -> LiveFeed:
    """The feed of the log that ``settings`` name, and of the database of ``pool``; ``run`` it."""

    async def beginning(identity: str) -> Beginning:
        # The worker commits states and offsets together: read at one moment they fit each other.
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            processed = await offsets(connection, f"{POSITIONS}@{identity}")
            found = np.array(await last_fixes(connection), np.int64).reshape(-1, 4)
        return Beginning(processed, LastFixes(*found.T))

    async def clocks() -> Clocks:
        async with pool.acquire() as connection:
            return await read_clocks(connection, since_us=time.time_ns() // 1000 - _CLOCKS_US)

    return LiveFeed(open_tail(settings), beginning, clocks)
