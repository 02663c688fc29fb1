"""``gongche api``: the process that serves HTTP."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator

import uvicorn

from gongche.commands.service import run_service
from runtime import lifecycle
from runtime.errors import ConfigurationError
from runtime.metrics import set_build_info
from runtime.migrations import check_schema
from runtime.postgres import create_pool
from runtime.settings import Settings
from telemetry.log import open_writer

_logger = logging.getLogger(__name__)

#: Requests under way get so long to finish after SIGTERM; a feed reader that waits longer is cut.
GRACE_S = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = """\
地址 / address: GONGCHE_HTTP_HOST (127.0.0.1), GONGCHE_HTTP_PORT (8000); TLS belongs in a proxy before it
令牌 / tokens: gongche token create"""


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
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"HTTP port {port} on {host} is not free: {error.strerror or error}",
            hint="set GONGCHE_HTTP_PORT or GONGCHE_HTTP_HOST",
        ) from error
    return listener


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """HTTP until ``stop``. ``settings.database_url`` is set."""
    from api.app import create_app
    from office.supervision.clock_task import run_clock

    link = lifecycle.SupervisorLink.from_environment()
    link.watch(stop)
    set_build_info("api")
    listener = listen(settings.http_host, settings.http_port)
    pool = await create_pool(settings.database_url or "", max_size=10)
    sink = open_writer(settings)

    def started() -> None:
        port = listener.getsockname()[1]
        _logger.info("ready", extra={"fields": {"port": port}})
        link.ready(port=port)

    try:
        await sink.start()
        await check_schema(pool)
        app = create_app(settings, pool, position_sink=sink)
        server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=30,
            ),
            started,
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stopping = asyncio.create_task(stop.wait())
        clock = asyncio.create_task(run_clock(pool), name="clock of supervision")
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        clock.cancel()
        app.state.stopping = True  # who waits for news is answered now
        server.should_exit = True
        await serving
    finally:
        listener.close()
        await sink.close()
        pool.terminate()
