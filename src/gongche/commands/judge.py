"""``gongche judge``: the process that judges what waits for complete facts."""

from __future__ import annotations

import argparse
import asyncio
import logging

from gongche.commands.service import run_service
from runtime import lifecycle
from runtime.errors import ConfigurationError
from runtime.metrics import set_build_info
from runtime.migrations import check_schema, require_schema
from runtime.postgres import create_pool
from runtime.probes import serve_probes
from runtime.settings import Settings

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
里程、油耗、油卡、违章、终端失联、非工作时间用车等规则在事实齐备后判定。可以启动多个：一个工作，其余待命。
Rules on mileage, fuel, cards, violations, silent terminals, off hours are judged here when their facts are complete.
Start several if you like: one leads, the others stand by.
端口 / port: health and metrics on GONGCHE_METRICS_HOST (127.0.0.1), GONGCHE_JUDGE_METRICS_PORT (8805)"""


def run(args: argparse.Namespace) -> int:
    return run_service("judge", serve)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Probes and judge until ``stop``. ``settings.database_url`` is set."""
    from rules.judge.process import Judge
    from rules.judge.subjects.all import GATHERERS
    from rules.navigation import navigator

    link = lifecycle.SupervisorLink.from_environment()
    link.watch(stop)
    set_build_info("judge")
    dsn = settings.database_url or ""
    pool = await create_pool(dsn, max_size=1)
    judge: Judge | None = None
    try:
        await check_schema(pool)

        async def readiness() -> str | None:
            if stop.is_set():
                return "stopping"
            try:
                async with asyncio.timeout(2), pool.acquire() as connection:
                    await require_schema(connection)
            except ConfigurationError as error:
                return f"{error.message}: {error.hint}"
            except Exception as error:
                return f"the database does not answer: {type(error).__name__}"
            return None if judge is None else judge.trouble()

        probes = await serve_probes(settings.judge_metrics_port, readiness, host=settings.metrics_host)
        routes = navigator(settings)
        judge = Judge(dsn, GATHERERS, routes)
        try:
            _logger.info("ready", extra={"fields": {"metrics_port": probes.port}})
            link.ready(metrics_port=probes.port)
            await judge.run(stop)
        finally:
            await judge.close()
            await routes.close()
            await probes.close()
    finally:
        pool.terminate()
