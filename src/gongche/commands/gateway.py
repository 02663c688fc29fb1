"""``gongche gateway``: the process that terminals talk to."""

from __future__ import annotations

import argparse
import asyncio

from gongche.commands.service import run_service
from runtime import lifecycle
from runtime.metrics import set_build_info
from runtime.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
端口 / ports: GONGCHE_TCP_HOST, GONGCHE_TCP_PORT (8808); health and metrics on
GONGCHE_METRICS_HOST (127.0.0.1), GONGCHE_GATEWAY_METRICS_PORT (8801)
SIGTERM: 停止接收，确认已读数据后退出 / stops reading, confirms what was read (GONGCHE_DRAIN_TIMEOUT_S), ends"""


def run(args: argparse.Namespace) -> int:
    return run_service("gateway", serve)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """The gateway (with its probes) until ``stop``. ``settings.database_url`` is set."""
    from telemetry.gateway.main import run as run_gateway

    link = lifecycle.SupervisorLink.from_environment()
    link.watch(stop)
    set_build_info("gateway")
    await run_gateway(settings, stop, link.ready)
