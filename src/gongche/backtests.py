"""The queue of backtests, kept by the API's process: a job that waits gets a process of its own, at low priority."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import Any, Final

from rules.backtest import jobs
from runtime.own_python import module_command
from runtime.settings import Settings

#: How often it is looked for jobs that wait, and for processes that are gone.
EVERY_S: Final = 2.0
#: After a process that failed nobody starts another one at once.
_REST_S: Final = 30.0


class Keeper:
    """Runs jobs of the queue one after the other. ``turn`` is one of ``runtime.repeating``."""

    def __init__(self, settings: Settings) -> None:
        """``settings.database_url`` is set."""
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._rests_until = 0.0

    async def turn(self, pool: Any) -> bool:
        """Look after the queue; begin the next job."""
        if self._process is not None and self._process.returncode is not None:
            if self._process.returncode:
                self._rests_until = time.monotonic() + _REST_S
            self._process = None
        async with pool.acquire(timeout=5) as connection:
            waits = await jobs.tend(connection)
        if waits and self._process is None and time.monotonic() >= self._rests_until:
            # It ends with us, also when we are killed: then it is said to be interrupted, by whoever looks next.
            command = module_command("gongche.backtest_job")
            self._process = await asyncio.create_subprocess_exec(
                *module_command("runtime.dies_with_parent", str(os.getpid()), *command),
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, "GONGCHE_DATABASE_URL": self._settings.database_url or ""},
            )
        return False

    async def close(self) -> None:
        """End the job that runs."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()
            await self._process.wait()
