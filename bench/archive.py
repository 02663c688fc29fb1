"""Storing alone: batches of positions into a fresh PostgreSQL, one commit a batch."""

from __future__ import annotations

import argparse
import asyncio
import time

import numpy as np

from bench.database import fresh_database
from bench.report import heading, spread, table
from runtime.postgres import connect
from telemetry.archive.store import Archive, days_of
from telemetry.positions import PositionBatch

VEHICLES = 1000


def batch_of(n: int, begin_us: int, k: int) -> PositionBatch:
    """``n`` reports of VEHICLES terminals, ten seconds apart, following those of batch ``k - 1``."""
    row = np.arange(n)
    rounds = n // VEHICLES
    return PositionBatch.build(
        n,
        terminal=row % VEHICLES + 1,
        received_us=begin_us,
        device_us=begin_us + (k * rounds + row // VEHICLES) * 10_000_000 - 86_400_000_000,
        lat_e6=31_980_000 + row,
        lon_e6=120_890_000 + row,
        speed_dkmh=456,
        status=3,
        odometer_dkm=row,
        satellites=11,
        present=0b10001,
    )


async def _store(dsn: str, batches: list[PositionBatch]) -> float:
    connection = await connect(dsn)
    archive = Archive()
    for batch in batches:
        await archive.ensure_partitions(connection, days_of(batch))
    begin = time.perf_counter()
    for batch in batches:
        async with connection.transaction():
            await archive.store(connection, batch)
    elapsed = time.perf_counter() - begin
    await connection.close()
    return elapsed


def run(options: argparse.Namespace) -> None:
    """Print rows per second by batch size."""
    runs, seconds = options.runs, options.seconds
    heading("Archive: positions per second into PostgreSQL, one client")
    rows = []
    for size in (1_000, 10_000, 50_000):
        rates = []
        count = max(2, int(100_000 * seconds) // size)
        for _ in range(runs):
            with fresh_database() as (_base, dsn):
                now = time.time_ns() // 1000
                batches = [batch_of(size, now, k) for k in range(count)]
                rates.append(count * size / asyncio.run(_store(dsn, batches)))
        rows.append([f"{size:,}", spread(rates)])
    table(["rows a transaction", "rows/s"], rows)
