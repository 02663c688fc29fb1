"""``gongche worker``: the process that stores positions and judges them."""

from __future__ import annotations

import argparse
import asyncio
import logging

from gongche.commands.service import run_service
from telemetry.log import open_reader
from telemetry.runtime import lifecycle
from telemetry.runtime.database import check_schema, create_pool
from telemetry.runtime.metrics import set_build_info
from telemetry.runtime.probes import serve_probes
from telemetry.runtime.settings import Settings

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
端口 / port: health and metrics on loopback GONGCHE_WORKER_METRICS_PORT (8802)
可随时终止；从最后一次提交处继续 / may be killed at any time: it goes on from its last commit"""


def run(args: argparse.Namespace) -> int:
    return run_service("worker", serve)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Probes and worker until ``stop``. ``settings.database_url`` is set."""
    from rules.worker import Worker

    link = lifecycle.SupervisorLink.from_environment()
    link.watch(stop)
    set_build_info("worker")
    pool = await create_pool(settings.database_url or "", max_size=4)
    try:
        await check_schema(pool)

        async def readiness() -> str | None:
            if stop.is_set():
                return "stopping"
            try:
                async with pool.acquire(timeout=2) as connection:
                    await connection.fetchval("SELECT 1", timeout=2)
            except Exception as error:
                return f"the database does not answer: {type(error).__name__}"
            return None

        probes = await serve_probes(settings.worker_metrics_port, readiness)
        reader = open_reader(settings)
        try:
            await reader.start()
            _logger.info("ready", extra={"fields": {"metrics_port": probes.port}})
            link.ready(metrics_port=probes.port)
            await Worker(pool, reader, settings).run(stop)
        finally:
            await reader.close()
            await probes.close()
    finally:
        pool.terminate()
