"""A worker and a judge in a process of their own, to be killed: ``python -m tests.scenarios.hands DSN LOG ENGINE CLOCK``.

``CLOCK``: a file with the scenario's time in microseconds; it is read again and again.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from rules.judge.process import Judge
from rules.judge.subjects.all import GATHERERS
from rules.live.process import Worker
from rules.navigation import CachedNavigator
from rules.navigation.valhalla import Valhalla
from runtime.postgres import create_pool
from telemetry.log.base import POSITIONS
from telemetry.log.sqlite import EmbeddedLogReader


class FileClock:
    """The time in a file, looked at every 20 ms at most."""

    def __init__(self, path: Path) -> None:
        self._path, self._us, self._read = path, 0, -1.0

    def __call__(self) -> int:
        now = time.monotonic()
        if now - self._read > 0.02:
            self._us, self._read = int(self._path.read_text()), now
        return self._us


async def work(dsn: str, log: Path, engine: str, clock: FileClock) -> None:
    pool = await create_pool(dsn, max_size=6)
    worker = Worker(pool, EmbeddedLogReader(log, POSITIONS), now_us=clock)
    judge = Judge(dsn, GATHERERS, CachedNavigator(Valhalla(engine, "2026-01-01")), now_us=clock)
    stop = asyncio.Event()
    await asyncio.gather(worker.run(stop), judge.run(stop))


if __name__ == "__main__":
    dsn, log, engine, clock_file = sys.argv[1:]
    asyncio.run(work(dsn, Path(log), engine, FileClock(Path(clock_file))))
