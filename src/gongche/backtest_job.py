"""Runs the next backtest of the queue, in a process of its own: ``python -m gongche.backtest_job``. The API starts it
(``gongche.backtests``); it ends with the API."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from typing import Final

from office.supervision.findings import labels_between
from registry.organisations import units_below
from rules.backtest import jobs
from rules.backtest.model import Question
from rules.backtest.running import run
from runtime.connection import Connection
from runtime.errors import text_of
from runtime.logs import configure_logging
from runtime.postgres import connect, is_outage
from runtime.settings import Settings, load_settings

#: What is received, judged and asked comes first.
NICE: Final = 15
_logger = logging.getLogger(__name__)


async def _labels(connection: Connection, question: Question) -> Mapping[str, str]:
    organisation = question.organisation
    units = None if organisation is None else await units_below(connection, [organisation])
    found = await labels_between(connection, question.rule, question.from_us, question.to_us, units)
    return {one.subject: one.finding for one in found}


async def run_next(settings: Settings) -> str | None:
    """Run the job that comes next; how it ended, None: there was none. ``settings.database_url`` is set."""
    dsn = settings.database_url or ""
    writing = await connect(dsn)
    reading = None
    try:
        job = await jobs.claim(writing)
        if job is None:
            return None
        reading = await connect(dsn)
        asked = settings.navigation_url or settings.navigation_engine == "amap"
        try:
            return await run(
                job, reading, writing, _labels, engine=settings.navigation_engine if asked else None
            )
        except Exception as error:
            if is_outage(error):  # whoever looks finds that nobody runs it any more
                raise
            _logger.exception("backtest %d failed for a fault of the program", job["no"])
            message = (
                f"程序故障，请联系管理员查看日志 · a fault of the program, see the log: {text_of(error)}"
            )
            await jobs.ended(writing, job["no"], "failed", message[:500])
            return "failed"
    finally:
        writing.terminate()
        if reading is not None:
            reading.terminate()


def main() -> int:
    """Exit status: 0 = a job was run, or there was none; 75 = the database is away."""
    os.nice(NICE)
    settings = load_settings()
    configure_logging(settings.log_level, "backtest")
    try:
        asyncio.run(run_next(settings))
    except Exception as error:
        if not is_outage(error):
            raise
        _logger.warning("the database does not serve a backtest now: %s", error or type(error).__name__)
        return 75
    return 0


if __name__ == "__main__":
    sys.exit(main())
