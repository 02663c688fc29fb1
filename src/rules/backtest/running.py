"""One backtest of the queue is run, to its end or until somebody cancels it.

Two connections: the question is answered in one transaction that cannot write, and the other one says how far it is.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from registry.fences import FenceVersion
from registry.places import geometry_wkb
from registry.snapshot.timelines import FOREVER
from registry.vehicles import secret_vehicles
from rules.backtest import jobs
from rules.backtest.model import Question, Totals
from rules.backtest.run import Backtest
from runtime.connection import Connection
from runtime.units import US_PER_DAY, midnight_us

#: How often it is said how far it is, and asked whether it is cancelled.
_EVERY_S: Final = 1.0
#: It is ended after so long: its transaction keeps the database from tidying up.
MOST_S: Final = 2 * 3600.0
TOO_LONG: Final = "超过两小时未完成，已终止；请缩短日期范围或只选一个单位 · not done after two hours, ended; choose fewer days, or one unit"

#: Subject -> what the office found about its alert, for a question.
Labels = Callable[[Connection, Question], Awaitable[Mapping[str, str]]]


def question_of(job: Any) -> Question:
    """What a job (a row of ``backtests``) asks."""
    fence = job["fence"]
    return Question(
        job["rule"],
        midnight_us(job["from_day"]),
        midnight_us(job["to_day"]) + US_PER_DAY,
        dict(job["parameters"]),
        job["organisation"],
        None if fence is None else _proposed(fence),
    )


def _proposed(fence: Mapping[str, Any]) -> FenceVersion:
    # No stored version has the number 0.
    return FenceVersion(
        fence["id"], 0, fence["name"], fence["organisation"], frozenset(fence["vehicles"]),
        geometry_wkb(fence["geometry"], fence["datum"]), 0, FOREVER,
    )  # fmt: skip


async def run(
    job: Any,
    reading: Connection,
    writing: Connection,
    labels: Labels,
    *,
    engine: str | None,
    most_s: float = MOST_S,
) -> str:
    """Run ``job``, which ``writing`` has claimed; how it ended. ``engine``: see ``Backtest.open``."""
    try:
        async with asyncio.timeout(most_s):
            return await _run(job, reading, writing, labels, engine)
    except TimeoutError:
        await jobs.ended(writing, job["no"], "failed", TOO_LONG)
        return "failed"


async def _run(job: Any, reading: Connection, writing: Connection, labels: Labels, engine: str | None) -> str:
    no, question = job["no"], question_of(job)
    totals, found = Totals(keep=job["examples"]), Counter[tuple[str | None, str | None, str, str]]()
    async with Backtest.open(reading, question, engine=engine) as backtest:
        secret = await secret_vehicles(reading)
        known, progress, told = await labels(reading, question), backtest.progress, 0.0

        async def tell() -> bool:
            return await jobs.progressed(
                writing, no, progress.done, progress.total, progress.positions, backtest.pending
            )

        async for rows in backtest.rows():
            totals.add(rows)
            for row in rows:
                unit = row.organisation or question.organisation
                apart = row.vehicle if row.vehicle in secret else None
                found[unit, apart, row.kind.value, ""] += 1
                if (finding := known.get(row.subject)) is not None:
                    found[unit, apart, row.kind.value, finding] += 1
            if time.monotonic() - told >= _EVERY_S:
                told = time.monotonic()
                if not await tell():
                    await jobs.ended(writing, no, "cancelled")
                    return "cancelled"
        if not await tell():
            await jobs.ended(writing, no, "cancelled")
            return "cancelled"
    await jobs.finished(writing, no, found, totals.first, known)
    return "done"
