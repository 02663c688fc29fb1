"""The gateway process: chooses the implementations and runs until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from collections.abc import Callable
from typing import Any

from runtime.bell import Bell
from runtime.errors import ConfigurationError
from runtime.migrations import check_schema
from runtime.postgres import create_pool
from runtime.probes import serve_probes
from runtime.settings import Settings
from telemetry.commands.delivering import permitted
from telemetry.commands.thread import CHANNEL
from telemetry.gateway import metrics
from telemetry.gateway.command_bodies import Encoding
from telemetry.gateway.downlink import Downlink
from telemetry.gateway.entrances.certificates import Certificates
from telemetry.gateway.entrances.origins import Origins, networks
from telemetry.gateway.limits import Limits
from telemetry.gateway.tcp import Gateway
from telemetry.gateway.watching import Watching
from telemetry.jt808.outstanding import Patience
from telemetry.jt808.tables.dialects import DIALECTS
from telemetry.log import open_writer
from telemetry.terminals.dialect_corrections import DialectCorrections
from telemetry.terminals.dialect_file import read_dialects
from telemetry.terminals.directory import TerminalDirectory

logger = logging.getLogger(__name__)


#: Descriptors that are not connections of terminals: the log, the database, probes, and some to spare.
_OWN_FILES = 256


def _limits(settings: Settings, connections: int) -> Limits:
    return Limits(
        max_connections=connections,
        max_connections_per_address=settings.max_connections_per_address,
        idle_timeout_s=settings.idle_timeout_s,
        auth_timeout_s=settings.auth_timeout_s,
        frame_timeout_s=settings.frame_timeout_s,
        memory_budget_bytes=settings.memory_budget_mb << 20,
    )


def _downlink(settings: Settings, pool: Any, bell: Bell, directory: TerminalDirectory) -> Downlink:
    """Commands to terminals, as the settings permit them."""

    def attributes(no: int, said: dict[str, Any]) -> None:
        terminal = directory.by_number(no)
        if terminal is not None:
            directory.reports.answered(terminal, said)

    return Downlink(
        pool,
        bell,
        patience=Patience(settings.command_reply_s, settings.command_resends, settings.command_answer_s),
        permitted=permitted(control=settings.command_control, cut=settings.command_cut_words is not None),
        encoding=Encoding(settings.command_cut_words),
        host=f"{socket.gethostname()}:{settings.tcp_port}",
        attributes=attributes,
    )


def _dialects(settings: Settings, pool: Any) -> DialectCorrections | None:
    """What makes of terminals do otherwise than the standard says; None: nothing is said of any. Raises ConfigurationError."""
    table = DIALECTS if settings.terminal_dialects is None else read_dialects(settings.terminal_dialects)
    if settings.terminal_dialects is None and all(one.deviation.nothing for one in table):
        return None
    return DialectCorrections(pool, table)


def _origins(settings: Settings) -> Origins:
    return Origins(
        networks("GONGCHE_TERMINAL_NETWORKS", settings.terminal_networks),
        networks("GONGCHE_TERMINAL_BALANCERS", settings.terminal_balancers),
    )


async def _other_entrances(gateway: Gateway, settings: Settings, port: int) -> None:
    """TLS and UDP, where they are set. Raises ConfigurationError."""
    if settings.udp:
        await gateway.listen_udp(settings.tcp_host, port)
        logger.info("listening for terminals on %s:%d by UDP", settings.tcp_host, port)
    if settings.tls_port is None:
        return
    if settings.tls_certificate is None or settings.tls_key is None:
        raise ConfigurationError(
            "GONGCHE_TLS_PORT 需要证书与私钥 / needs a certificate and its key",
            hint="set GONGCHE_TLS_CERTIFICATE and GONGCHE_TLS_KEY",
        )
    certificates = Certificates(
        settings.tls_certificate, settings.tls_key, settings.tls_client_ca, settings.tls_clients
    )
    bound = gateway.listen_tls(settings.tcp_host, settings.tls_port, certificates)
    logger.info("listening for terminals on %s:%d by TLS", settings.tcp_host, bound)


def _files_each(settings: Settings) -> int:
    """Descriptors of a connection: its socket; by UDP the two of a pair; by TLS both."""
    return 3 if settings.tls_port is not None else 2 if settings.udp else 1


def _raise_file_limit(connections: int, each: int = 1) -> int:
    """``each``: descriptors a connection takes, at most. Takes what the system grants. For how many of ``connections`` that is enough.

    Raises ConfigurationError when it is enough for none.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections * each + _OWN_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    if granted <= _OWN_FILES:
        raise ConfigurationError(
            f"only {granted} file descriptors, and {_OWN_FILES} are for other things than terminals",
            hint="raise LimitNOFILE of the unit, or ulimit -n",
        )
    if granted < wanted:
        logger.warning(
            "only %d file descriptors: at most %d connections instead of %d",
            granted, (granted - _OWN_FILES) // each, connections,
        )  # fmt: skip
    return min(connections, (granted - _OWN_FILES) // each)


async def serve(gateway: Gateway, stop: asyncio.Event, drain_timeout_s: float) -> None:
    """Until ``stop``, then confirm what was read. Raises what ended ``gateway`` before (``Gateway.fault``)."""
    told = asyncio.create_task(stop.wait())
    ends: tuple[asyncio.Future[Any], ...] = (told, gateway.fault)
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if gateway.fault.done():
        logger.error("a task of the gateway has failed: ending, after what can still be confirmed")
    lost = await gateway.drain(drain_timeout_s)
    if lost:
        logger.warning(
            "%d positions were not confirmed before the end; their terminals will send them again", lost
        )
    if gateway.fault.done():
        raise gateway.fault.result()


async def run(settings: Settings, stop: asyncio.Event, ready: Callable[..., None]) -> None:
    """Serve terminals until ``stop``; then confirm what was read and return.

    ``ready(port=..., metrics_port=...)`` is called when terminals can connect. Raises ConfigurationError or
    UnavailableError when it cannot start, any other error for a fault of the program.
    """
    if not settings.database_url:
        raise ValueError("the composition root resolves the database first")
    connections = _raise_file_limit(settings.max_connections, _files_each(settings))
    pool = await create_pool(settings.database_url, min_size=1, max_size=4)
    dialects = _dialects(settings, pool)
    log = open_writer(settings)
    listens: asyncio.Task[None] | None = None
    try:
        await log.start()
        await check_schema(pool)
        directory = TerminalDirectory(pool, settings.auto_register)
        await directory.load()
        if dialects is not None:
            await dialects.begin(directory.terminals())
        limits = _limits(settings, connections)
        metrics.BUDGET_LIMIT.set(limits.memory_budget_bytes)
        bell = Bell(settings.database_url, CHANNEL)
        listens = asyncio.create_task(bell.run(), name="listens for commands")
        downlink = _downlink(settings, pool, bell, directory)
        watching = Watching(pool, bell, f"{socket.gethostname()}:{settings.tcp_port}")
        gateway = Gateway(directory, log, limits, _origins(settings), downlink, dialects, watching)
        port = gateway.listen(settings.tcp_host, settings.tcp_port)
        await _other_entrances(gateway, settings, port)

        async def readiness() -> str | None:
            return "draining" if stop.is_set() else gateway.trouble()

        probes = await serve_probes(settings.gateway_metrics_port, readiness, host=settings.metrics_host)
        logger.info("listening for terminals on %s:%d", settings.tcp_host, port)
        ready(port=port, metrics_port=probes.port)
        try:
            await serve(gateway, stop, settings.drain_timeout_s)
        finally:
            await probes.close()
    finally:
        if listens is not None:
            listens.cancel()
        await log.close()
        pool.terminate()
