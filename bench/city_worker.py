"""``python -m bench.city_worker DSN NOW_US LOG``: the worker over everything in the log; figures as JSON."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bench.city import Meter, postmaster_of
from rules.live.process import Worker
from runtime.postgres import create_pool
from telemetry.log.base import POSITIONS
from telemetry.log.sqlite import EmbeddedLogReader


async def work(dsn: str, now_us: int, log: Path) -> None:
    pool = await create_pool(dsn, max_size=2)
    async with pool.acquire() as conn:
        meter = Meter(await postmaster_of(conn))
    reader = EmbeddedLogReader(log, POSITIONS)
    worker = Worker(pool, reader, now_us=lambda: now_us)
    await worker.turn()  # partitions are assigned, the registry is read
    meter.begin()
    while await worker.turn() or await worker.lag():
        pass
    await worker.turn()  # idle: the clock is passed on
    counts = worker.counts
    meter.end("worker", counts.stored)
    meter.say(failures=counts.failures)
    await reader.close()
    await pool.close()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
