"""``gongche api``: the process that serves HTTP."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import socket
from collections.abc import Callable, Iterator

import uvicorn

from gongche import backtests
from gongche.commands.service import run_service
from gongche.first_administrator import make_first_administrator
from gongche.live_positions import live_feed
from gongche.seal_secrets import seal_secrets
from office.identity import housekeeping
from office.identity.oidc import check_settings as check_oidc
from runtime import lifecycle
from runtime.bell import Bell
from runtime.errors import ConfigurationError
from runtime.hosts import is_loopback
from runtime.metrics import set_build_info
from runtime.migrations import check_schema
from runtime.postgres import create_pool
from runtime.repeating import repeat
from runtime.settings import Settings
from telemetry.log import open_writer

_logger = logging.getLogger(__name__)

#: Requests under way get so long to finish after SIGTERM; a feed reader that waits longer is cut.
GRACE_S = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
地址 / address: GONGCHE_HTTP_HOST (127.0.0.1), GONGCHE_HTTP_PORT (8000); TLS belongs in a proxy before it
令牌 / tokens: gongche token create；人员 / people: gongche user"""


def run(args: argparse.Namespace) -> int:
    return run_service("api", serve)


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own (``stop`` is what ends it); says when it serves."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigurationError when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. An answer goes out in two pieces, head and body: without it the second one waits for the
        # client to acknowledge the first, 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"HTTP port {port} on {host} is not free: {error.strerror or error}",
            hint="set GONGCHE_HTTP_PORT or GONGCHE_HTTP_HOST",
        ) from error
    return listener


def refuse_open_cookies(settings: Settings) -> None:
    """Say loudly that sessions travel without TLS. Raises ConfigurationError where others could read along."""
    if settings.session_over_http and not is_loopback(settings.http_host):
        raise ConfigurationError(
            f"会话不得以明文经网络传输 / sessions must not travel in the clear, and GONGCHE_HTTP_HOST is {settings.http_host}",
            hint="unset GONGCHE_SESSION_OVER_HTTP and put TLS before the API, or listen on 127.0.0.1",
        )
    _logger.warning(
        "会话以明文传输，仅限本机试用 / SESSIONS TRAVEL IN THE CLEAR, between programs of this machine:"
        " for trying it out only (GONGCHE_SESSION_OVER_HTTP)"
    )


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """HTTP until ``stop``. ``settings.database_url`` is set."""
    gc.disable()  # what is loaded now is never garbage: looking for some took a seventh of the start
    from api.app import create_app
    from office.dispatch import clock as trips
    from office.supervision import clock
    from office.vehicles import reminders
    from rules.alerts.feed import CHANNEL
    from telemetry.commands import delivering

    link = lifecycle.SupervisorLink.from_environment()
    link.watch(stop)
    set_build_info("api")
    refuse_open_cookies(settings)
    check_oidc(settings)
    listener = listen(settings.http_host, settings.http_port)
    pool = await create_pool(settings.database_url or "", max_size=10)
    sink = open_writer(settings)
    bell = Bell(settings.database_url or "", CHANNEL)
    beside: list[asyncio.Task[None]] = []
    keeper = backtests.Keeper(settings)

    def started() -> None:
        port = listener.getsockname()[1]
        _logger.info("ready", extra={"fields": {"port": port}})
        link.ready(port=port)

    try:
        await sink.start()
        await check_schema(pool)
        async with pool.acquire() as connection:
            await make_first_administrator(connection, settings)
            try:
                await seal_secrets(connection, settings)
            except ConfigurationError as error:  # everything but webhooks and second factors works without
                _logger.error("secrets of webhooks are not sealed: %s (%s)", error.message, error.hint)
        live = live_feed(settings, pool)
        beside += [
            asyncio.create_task(bell.run(), name="listens for the feed"),
            asyncio.create_task(live.run(), name="follows the log for the live map"),
            asyncio.create_task(repeat("clock of supervision", pool, clock.tick, clock.EVERY_S)),
            asyncio.create_task(repeat("clock of trips", pool, trips.tick, trips.EVERY_S)),
            asyncio.create_task(repeat("papers that end", pool, reminders.tick, reminders.EVERY_S)),
            asyncio.create_task(
                repeat("housekeeping of people", pool, housekeeping.keep_house, housekeeping.EVERY_S)
            ),
            # Gateways do it as well; where none runs commands expire all the same.
            asyncio.create_task(repeat("commands to terminals", pool, delivering.keep, delivering.TEND_S)),
            asyncio.create_task(repeat("queue of backtests", pool, keeper.turn, backtests.EVERY_S)),
        ]
        app = create_app(settings, pool, position_sink=sink, bell=bell, live_feed=live)
        server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=30,
                forwarded_allow_ips=settings.trusted_proxies,
            ),
            started,
        )
        # What was loaded stays as long as the process. To look through it for garbage holds every request for 0.1 to 0.2 s.
        gc.collect()
        gc.freeze()
        gc.enable()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        app.state.stopping = True  # who waits for news is answered now
        bell.ring()
        server.should_exit = True
        await serving
        await app.state.travel_times.close()
    finally:
        for task in beside:
            task.cancel()
        await keeper.close()
        listener.close()
        await sink.close()
        pool.terminate()
