"""What every service command does before its own work: settings, logs, the database, the event loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import asyncpg

from runtime import lifecycle
from runtime.embedded_postgres import open_database
from runtime.errors import ConfigurationError, UnavailableError
from runtime.logs import configure_logging
from runtime.metrics import watch_folder
from runtime.migrations import require_schema
from runtime.operations.sampler import sampled
from runtime.settings import Settings, load_settings

Serve = Callable[[Settings, asyncio.Event], Coroutine[Any, Any, None]]


#: Where a process shows its metrics: that it is noted in its figures of the last day.
_PORTS: Final = {
    "gateway": "gateway_metrics_port",
    "worker": "worker_metrics_port",
    "judge": "judge_metrics_port",
    "deliver": "deliver_metrics_port",
    "exchange": "exchange_metrics_port",
    "exchange809": "exchange809_metrics_port",
    "api": "http_port",
}


def run_service(name: str, serve: Serve, *, once: bool = False) -> int:
    """Run ``serve(settings, stop)`` until it ends or a signal sets ``stop``; ``database_url`` is set. ``once``: it is no service but
    some work of one, and notes no figures of the last day. Exit status 0.
    Raises UnavailableError for a pipe that breaks: a service has no reader of its output who has seen enough, it is its
    database, and no supervisor starts again what ended with 0."""
    settings = load_settings()
    configure_logging(settings.log_level, name)
    watch_folder(settings.data_dir)
    try:
        with open_database(settings, lambda line: print(line, file=sys.stderr)) as dsn:
            work = serve if once else partial(_noted, name, serve)
            lifecycle.run(partial(work, settings.model_copy(update={"database_url": dsn})))
    except BrokenPipeError as error:
        raise UnavailableError(
            f"PostgreSQL does not answer any more: {error}", hint="is the server running?"
        ) from error
    return 0


async def _noted(name: str, serve: Serve, settings: Settings, stop: asyncio.Event) -> None:
    """``serve``, and beside it the figures of the process are noted (``runtime.operations``)."""
    async with sampled(name, getattr(settings, _PORTS[name]), settings.database_url or ""):
        await serve(settings, stop)


async def database_trouble(pool: asyncpg.Pool) -> str | None:
    """Why the database cannot be worked on now, for readiness; None when it can."""
    try:
        async with asyncio.timeout(2), pool.acquire() as connection:
            await require_schema(connection)
    except ConfigurationError as error:
        return f"{error.message}: {error.hint}"
    except Exception as error:
        return f"the database does not answer: {type(error).__name__}"
    return None
