"""``gongche deliver``: the process that delivers alerts to webhooks."""

from __future__ import annotations

import argparse
import asyncio
import logging

from gongche.commands.service import database_trouble, run_service
from runtime import lifecycle
from runtime.bell import Bell
from runtime.metrics import set_build_info
from runtime.migrations import check_schema
from runtime.postgres import create_pool
from runtime.probes import serve_probes
from runtime.settings import Settings

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
把订阅的预警推送到 webhook（见 docs/pull-alerts.md）。可以启动多个：同一条推送同一时刻只有一个进程在发。
Delivers subscriptions to their webhooks. Start several if you like: none sends what another is sending.
只有本进程需要访问外部网络 / of all processes only this one needs to reach others' networks: GONGCHE_WEBHOOK_*
端口 / port: health and metrics on GONGCHE_METRICS_HOST (127.0.0.1), GONGCHE_DELIVER_METRICS_PORT (8806)"""


def run(args: argparse.Namespace) -> int:
    return run_service("deliver", serve)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Probes and deliveries until ``stop``. ``settings.database_url`` is set."""
    from office.subscriptions.addresses import Policy
    from office.subscriptions.posting import Poster
    from office.subscriptions.sender import MOST, Schedule, Sender
    from rules.alerts.feed import CHANNEL

    link = lifecycle.SupervisorLink.from_environment()
    link.watch(stop)
    set_build_info("deliver")
    dsn = settings.database_url or ""
    policy = Policy.of(settings.webhook_allowed_networks, settings.webhook_ports, settings.webhook_loopback)
    pool = await create_pool(dsn, max_size=4)
    bell = Bell(dsn, CHANNEL)
    listening: asyncio.Task[None] | None = None
    try:
        await check_schema(pool)
        poster = Poster(policy, timeout_s=settings.webhook_timeout_s, ca_file=settings.webhook_ca_file)
        schedule = Schedule(
            settings.webhook_retry_s, settings.webhook_disable_days, settings.webhook_retention_days
        )
        sender = Sender(pool, poster, schedule, settings.event_source, bell, settings.webhook_timeout_s)

        async def readiness() -> str | None:
            if stop.is_set():
                return "stopping"
            return await database_trouble(pool) or sender.trouble

        probes = await serve_probes(settings.deliver_metrics_port, readiness, host=settings.metrics_host)
        listening = asyncio.create_task(bell.run(), name="listens for the feed")
        try:
            _logger.info("ready", extra={"fields": {"metrics_port": probes.port, "at_once": MOST}})
            link.ready(metrics_port=probes.port)
            await sender.run(stop)
        finally:
            await probes.close()
    finally:
        if listening is not None:
            listening.cancel()
        pool.terminate()
