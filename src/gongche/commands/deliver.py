"""``gongche deliver``: the process that delivers alerts to webhooks, and messages to people."""

from __future__ import annotations

import argparse
import asyncio
import logging
from typing import TYPE_CHECKING, Any

from gongche.commands.service import database_trouble, run_service
from gongche.seal_secrets import check_secrets
from runtime import lifecycle
from runtime.bell import Bell
from runtime.metrics import set_build_info
from runtime.migrations import check_schema
from runtime.postgres import create_pool
from runtime.probes import serve_probes
from runtime.settings import Settings

if TYPE_CHECKING:
    from office.identity.keys import Sealer
    from office.messages.courier import Courier
    from office.posting.poster import Poster

_logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
把订阅的预警推送到 webhook（见 docs/pull-alerts.md），把督办消息发到邮件、webhook 和群机器人（见 docs/messages.md）。
可以启动多个：同一条推送同一时刻只有一个进程在发。
Delivers subscriptions to their webhooks, and messages to people. Start several if you like: none sends what another is sending.
身份密钥须与接口相同 / needs the identity key of the APIs: GONGCHE_IDENTITY_KEY_FILE, or the same GONGCHE_DATA_DIR
只有本进程需要访问外部网络 / of all processes only this one needs to reach others' networks: GONGCHE_WEBHOOK_*
邮件 / mail: GONGCHE_SMTP_*
端口 / port: health and metrics on GONGCHE_METRICS_HOST (127.0.0.1), GONGCHE_DELIVER_METRICS_PORT (8806)"""


def run(args: argparse.Namespace) -> int:
    return run_service("deliver", serve)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Probes, deliveries and messages until ``stop``. ``settings.database_url`` is set."""
    from office.identity.keys import Sealer
    from office.messages import outbox
    from office.posting.addresses import Policy
    from office.posting.poster import Poster
    from office.subscriptions.sender import MOST, Schedule, Sender
    from rules.alerts.feed import CHANNEL

    link = lifecycle.SupervisorLink.from_environment()
    link.watch(stop)
    set_build_info("deliver")
    dsn = settings.database_url or ""
    policy = Policy.configured(settings)
    poster = Poster(policy, timeout_s=settings.webhook_timeout_s, ca_file=settings.webhook_ca_file)
    sealer = Sealer(settings)
    pool = await create_pool(dsn, max_size=12)
    bells = [Bell(dsn, CHANNEL), Bell(dsn, outbox.CHANNEL)]
    courier = make_courier(settings, pool, poster, sealer, bells[1])
    listening: list[asyncio.Task[None]] = []
    try:
        await check_schema(pool)
        async with pool.acquire() as connection:
            await check_secrets(connection, settings)
        schedule = Schedule(
            settings.webhook_retry_s, settings.webhook_disable_days, settings.webhook_retention_days
        )
        sender = Sender(
            pool, poster, sealer, schedule, settings.event_source, bells[0], settings.webhook_timeout_s
        )

        async def readiness() -> str | None:
            if stop.is_set():
                return "stopping"
            return await database_trouble(pool) or sender.trouble or courier.trouble

        probes = await serve_probes(settings.deliver_metrics_port, readiness, host=settings.metrics_host)
        listening += [asyncio.create_task(bell.run(), name="listens for news") for bell in bells]
        try:
            _logger.info("ready", extra={"fields": {"metrics_port": probes.port, "at_once": MOST}})
            link.ready(metrics_port=probes.port)
            # Neither ends before ``stop``: whatever goes wrong in a turn is told and the next one comes.
            await asyncio.gather(sender.run(stop), courier.run(stop))
        finally:
            await probes.close()
    finally:
        for task in listening:
            task.cancel()
        pool.terminate()


def make_courier(settings: Settings, pool: Any, poster: Poster, sealer: Sealer, bell: Bell) -> Courier:
    """What sends messages to people. Raises ConfigurationError for settings of mail that do not fit together."""
    from office.messages.carriers import Carrier
    from office.messages.courier import Courier, Plan
    from office.messages.mail import Mailer
    from office.messages.texts import Links
    from office.posting.addresses import Policy
    from office.posting.poster import Poster
    from office.supervision.messages import sentence

    # What somebody set up for himself is sent to public addresses: networks of the office are for units and subscriptions.
    outside = Poster(
        Policy(loopback=settings.webhook_loopback),
        timeout_s=settings.webhook_timeout_s,
        ca_file=settings.webhook_ca_file,
    )
    home = settings.public_url
    links = Links(settings.message_link or (home and f"{home}/v1/cases/{{id}}"), home)
    mailer = Mailer(settings) if settings.smtp_host is not None else None
    plan = Plan(
        settings.message_retry_s,
        settings.message_give_up_hours * 3600,
        settings.message_retention_days,
        max(settings.smtp_timeout_s, settings.webhook_timeout_s),
    )
    return Courier(pool, Carrier(poster, outside, mailer, links), sealer, plan, links, sentence, bell)
