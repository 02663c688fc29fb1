"""What the chains cost those who write: positions and alerts, a commit a batch, without chains and with the sealer beside it."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.archive import batch_of
from bench.database import fresh_database
from bench.report import heading, spread, table
from office.integrity.sealer import EVERY_S, Sealer
from rules.alerts.feed import publish_feed
from rules.alerts.model import AlertFacts, Judgement, Measure
from rules.alerts.publish import publish
from rules.evidence import canonical
from runtime.postgres import connect, create_pool
from runtime.repeating import repeat
from runtime.settings import Settings
from telemetry.archive.store import Archive, days_of

#: Of a transaction: as a worker that keeps up has them, and more alerts than a county has in a minute.
POSITIONS, ALERTS = 10_000, 5
_TABLES = (
    "evidence", "evaluations", "alert_versions", "alert_feed", "evidence_positions", "audit", "case_events",
)  # fmt: skip


def _judgements(k: int, now_us: int) -> list[Judgement]:
    """Alerts of a batch, each with a track of a hundred fixes."""
    made = []
    for n in range(ALERTS):
        number = k * ALERTS + n
        columns = {
            name: [number * 1_000 + fix for fix in range(100)]
            for name in (
                "t_us",
                "fingerprint",
                "lat_e6",
                "lon_e6",
                "speed_dkmh",
                "direction_deg",
                "odometer_dkm",
            )
        }
        columns["t_us"] = [now_us - 86_400_000_000 + fix * 10_000_000 for fix in range(100)]
        evidence = canonical({"rule": "location", "n": number, "vehicle": {"id": f"v{n}"}, "track": columns})
        made.append(
            Judgement(
                "location", 2, f"episode:v{n}:{number}", None, "suspected", "driving_outside", now_us,
                {
                    "distance_m": Measure(1_000 + number, "m"),
                    "bridged_m": Measure(0, "m"),
                    "farthest_m": Measure(700, "m"),
                    "fixes": Measure(100, "1"),
                }, {"min_distance_m": 500}, evidence,
                AlertFacts("medium", "o", f"v{n}", "苏F12345", now_us - 1_000_000, None, None, None),
                told={"plate": "苏F12345", "notes": []},
            )
        )  # fmt: skip
    return made


def _seal(dsn: str, folder: str) -> None:
    """The sealer in a process of its own, as in the judge."""
    os.nice(10)

    async def run() -> None:
        pool = await create_pool(dsn, max_size=1)
        await repeat("seals", pool, Sealer(Settings(data_dir=Path(folder))).turn, EVERY_S)

    asyncio.run(run())


async def _round(dsn: str, first: int, seconds: float) -> tuple[int, float, list[float]]:
    """Transactions for ``seconds``; (the next batch, positions per second, seconds of each transaction)."""
    connection, archive, took = await connect(dsn), Archive(), []
    begin_us = time.time_ns() // 1_000
    k, begin = first, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        batch = batch_of(POSITIONS, begin_us, k)
        await archive.ensure_partitions(connection, days_of(batch))
        judged = _judgements(k, begin_us)
        at = time.perf_counter()
        async with connection.transaction():
            await archive.store(connection, batch)
            await publish_feed(connection, await publish(connection, judged))
        took.append(time.perf_counter() - at)
        k += 1
    rate = (k - first) * POSITIONS / sum(took)
    await connection.close()
    return k, rate, took


async def _triggers(dsn: str, verb: str) -> None:
    connection = await connect(dsn)
    for name in _TABLES:
        await connection.execute(f"ALTER TABLE {name} {verb} TRIGGER seal_note")
    await connection.close()


def run(options: argparse.Namespace) -> None:
    """Print rows per second without and with chains, in turns."""
    heading("Chains: positions per second with alerts, without chains and with the sealer beside")
    rates: dict[str, list[float]] = {"without": [], "with": []}
    took: dict[str, list[float]] = {"without": [], "with": []}
    with fresh_database() as (_base, dsn), tempfile.TemporaryDirectory() as folder:
        k, _, _ = asyncio.run(_round(dsn, 0, 1.0))  # warm
        for _ in range(options.runs):
            for way in ("without", "with"):
                asyncio.run(_triggers(dsn, "ENABLE" if way == "with" else "DISABLE"))
                sealer = multiprocessing.get_context("spawn").Process(target=_seal, args=(dsn, folder))
                if way == "with":
                    sealer.start()
                    time.sleep(2.5)  # time: it starts, and has nothing to do
                k, rate, seconds = asyncio.run(_round(dsn, k, options.seconds))
                rates[way].append(rate)
                took[way] += seconds
                if way == "with":
                    sealer.terminate()
                    sealer.join()
    table(
        ["chains", "positions/s", "a transaction, p50 / p99 (ms)"],
        [
            [
                way,
                spread(rates[way]),
                " / ".join(f"{1e3 * np.quantile(took[way], q):.1f}" for q in (0.5, 0.99)),
            ]
            for way in rates
        ],
    )
