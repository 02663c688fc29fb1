"""``gongche worker``: the process that stores positions and judges them."""

from __future__ import annotations

import argparse
import asyncio
import logging

from gongche.commands.service import database_trouble, run_service
from office.exchange.keeping import drop_taken_back
from office.identity.audit import keep_months
from runtime import lifecycle
from runtime.metrics import set_build_info
from runtime.migrations import check_schema
from runtime.operations.sampler import drop_old
from runtime.postgres import create_pool
from runtime.probes import serve_probes
from runtime.settings import Settings
from runtime.units import US_PER_DAY, from_us
from telemetry.log import REPORTS, open_reader
from telemetry.reports.keeper import ReportKeeper

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
端口 / port: health and metrics on GONGCHE_METRICS_HOST (127.0.0.1), GONGCHE_WORKER_METRICS_PORT (8802)
可随时终止；从最后一次提交处继续 / may be killed at any time: it goes on from its last commit"""


def run(args: argparse.Namespace) -> int:
    return run_service("worker", serve)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Probes and worker until ``stop``. ``settings.database_url`` is set."""
    from rules.live.process import Worker

    link = lifecycle.SupervisorLink.from_environment()
    link.watch(stop)
    set_build_info("worker")
    pool = await create_pool(settings.database_url or "", max_size=4)
    worker: Worker | None = None
    keeper: ReportKeeper | None = None
    try:
        await check_schema(pool)

        async def readiness() -> str | None:
            if stop.is_set():
                return "stopping"
            if worker is None:
                return "starting: the log does not answer yet"
            return await database_trouble(pool) or worker.trouble()

        def remark() -> str | None:
            said = (None if worker is None else worker.kept(), None if keeper is None else keeper.trouble)
            return "; ".join(each for each in said if each) or None

        probes = await serve_probes(
            settings.worker_metrics_port, readiness, host=settings.metrics_host,
            remark=remark,
        )  # fmt: skip
        reader, reports = open_reader(settings), open_reader(settings, REPORTS)
        keeping: asyncio.Task[None] | None = None
        try:
            await reader.start()
            await reports.start()
            worker = Worker(
                pool,
                reader,
                settings,
                upkeep={
                    "audit": lambda conn, now_us: keep_months(
                        conn, from_us(now_us), settings.audit_retention_days
                    ),
                    "process_samples": drop_old,
                    "exchange": lambda conn, now_us: drop_taken_back(
                        conn, from_us(now_us - settings.exchange_retention_days * US_PER_DAY)
                    ),
                },
            )
            keeper = ReportKeeper(pool, reports, settings)
            keeping = asyncio.create_task(keeper.run(stop), name="keeper of reports")
            keeping.add_done_callback(lambda _: stop.set())  # it ends at the end, or by what no waiting mends
            _logger.info("ready", extra={"fields": {"metrics_port": probes.port}})
            link.ready(metrics_port=probes.port)
            await worker.run(stop)
            await keeping
        finally:
            if keeping is not None:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)
            await reader.close()
            await reports.close()
            await probes.close()
    finally:
        pool.terminate()
