"""All links, kept by one process. A second one waits until the first is gone (a lock of the database)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np

from gongche.exchange809 import metrics
from gongche.exchange809.entrance import Entrance
from gongche.exchange809.feed import Feed
from gongche.exchange809.upward import Upward
from gongche.exchange809.wire import Terms
from office.platforms import states
from office.platforms.fleet import Fleet
from office.platforms.links import Link, Sealer, Secret, read_links, read_secret
from office.platforms.states import Tally
from rules.live.store.offsets import offsets
from runtime.errors import ConfigurationError
from runtime.postgres import is_outage, renew_read_only
from telemetry.log.base import POSITIONS, LogTail, LogWriter

_logger = logging.getLogger(__name__)
_LOCK: Final = 0x676F6E67_00000809  # "gong", 809


@dataclass(slots=True)
class Exchange809:
    """Keeps the links until told to stop. ``open_tail``, ``open_writer``: of the log. ``listen``: (host, port) for other platforms, None = nobody connects."""

    pool: Any
    sealer: Sealer
    open_tail: Callable[[], LogTail]
    open_writer: Callable[[], LogWriter]
    terms: Terms = field(default_factory=Terms)
    listen: tuple[str, int] | None = None
    trouble: str | None = None
    port: int | None = None
    _entrance: Entrance | None = None
    _upwards: dict[str, Upward] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _links: dict[str, Link] = field(default_factory=dict)
    _secrets: dict[str, Secret] = field(default_factory=dict)
    _log: LogWriter | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the links until ``stop``. Raises ConfigurationError where it cannot listen."""
        try:
            while not stop.is_set():
                try:
                    async with self.pool.acquire(timeout=5) as connection:
                        if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                            try:
                                await self._lead(connection, stop)
                            finally:
                                with suppress(Exception):
                                    await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
                        self.trouble = None
                except ConfigurationError:
                    raise
                except Exception as error:
                    await self._failed(error)
                await _rest(stop, self.terms.look_s)
        finally:
            if self._log is not None:
                await self._log.close()

    async def _failed(self, error: Exception) -> None:
        outage = is_outage(error)
        said = "the database does not answer" if outage else "a fault of the program"
        trouble = f"{said}: {type(error).__name__}"
        if not outage:
            metrics.FAULTS.inc()
        if trouble != self.trouble:  # said once, not every second
            (_logger.warning if outage else _logger.error)(
                "the links stand still: %s", trouble, exc_info=not outage
            )
        self.trouble = trouble
        await renew_read_only(self.pool, error)

    async def _lead(self, connection: Any, stop: asyncio.Event) -> None:
        await states.clear_links(connection)
        try:
            if self.listen is not None:
                await self._open(*self.listen)
            while not stop.is_set():
                await self._keep(connection)
                self.trouble = None
                await _rest(stop, self.terms.look_s)
        finally:
            for name in list(self._links):
                await self._end(name)
            if self._entrance is not None:
                await self._entrance.close()
                self._entrance = None
            with suppress(Exception):
                await states.clear_links(connection)

    async def _open(self, host: str, port: int) -> None:
        if self._log is None:
            self._log = self.open_writer()
            await self._log.start()
        log = self._log
        entrance = Entrance(self.pool, lambda: log, self.terms, self._links, self._secrets, self._upwards)
        try:
            await entrance.open(host, self.port or port)
        except OSError as error:
            raise ConfigurationError(
                f"端口 {host}:{port} 无法监听 / cannot listen: {error.strerror or error}",
                hint="GONGCHE_EXCHANGE809_HOST, GONGCHE_EXCHANGE809_PORT",
            ) from error
        self._entrance, self.port = entrance, entrance.port

    async def _keep(self, connection: Any) -> None:
        """Begin and end links as the list says."""
        wanted = {link.name: link for link in await read_links(connection) if link.enabled}
        for name in [name for name, link in self._links.items() if wanted.get(name) != link]:
            await self._end(name)
        for name, link in wanted.items():
            if name in self._links:
                continue
            try:
                secret = await read_secret(connection, self.sealer, name)
            except ConfigurationError as error:
                await states.note_error(connection, name, str(error))
                continue
            self._secrets[name] = secret
            metrics.begin(name)
            if link.direction == "above":
                self._begin(link, secret)
            self._links[name] = link

    def _begin(self, link: Link, secret: Secret) -> None:
        tally = Tally()
        nothing = Fleet({}, np.zeros(0, np.int64))
        feed = Feed(link, self.open_tail(), self.pool, partial(_processed, self.pool), tally, nothing)
        upward = Upward(link, secret, self.pool, feed, tally, self.terms)
        self._upwards[link.name] = upward
        self._tasks[link.name] = asyncio.create_task(upward.run(), name=f"link {link.name}")

    async def _end(self, name: str) -> None:
        self._links.pop(name, None)
        self._secrets.pop(name, None)
        self._upwards.pop(name, None)
        if self._entrance is not None:
            await self._entrance.end(name)
        if (task := self._tasks.pop(name, None)) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        metrics.forget(name)


async def _processed(pool: Any, identity: str) -> Mapping[int, int]:
    """How far the worker has processed the log."""
    async with pool.acquire(timeout=5) as connection:
        return await offsets(connection, f"{POSITIONS}@{identity}")


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
