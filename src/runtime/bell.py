"""Waiting for a NOTIFY of PostgreSQL: one connection of its own listens for a whole process.

A ``Bell`` counts how often it rang. Who waits reads the count, looks for news, and waits for a higher count: what came
between looking and waiting is not missed. A notification only says "look": while the listening connection is down nothing is
lost, and whoever waits looks now and then.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from typing import Any, Final

import asyncpg

from runtime.errors import ConfigurationError
from runtime.postgres import DATABASE_ERRORS, connect

#: How often somebody looks who is not told: while nobody listens; and while somebody does, as a second thread to hang by.
LOOK_S: Final = 0.5
LISTENED_LOOK_S: Final = 15.0
#: Between two attempts to listen again: at first, and at most.
_AGAIN_S: Final = 0.5
_AGAIN_MOST_S: Final = 30.0

_logger = logging.getLogger(__name__)


class Bell:
    """Rings for every NOTIFY on ``channel`` (an SQL name). Without ``run`` nobody listens, and ``wait`` is a wait for the
    next look."""

    def __init__(self, dsn: str = "", channel: str = "") -> None:
        self._dsn, self._channel = dsn, channel
        self._rang = asyncio.Event()
        self._said_so = False
        self.count = 0
        self.listening = False

    def ring(self) -> None:
        """Wake everybody who waits."""
        self.count += 1
        rang, self._rang = self._rang, asyncio.Event()
        rang.set()

    @property
    def look_s(self) -> float:
        """Seconds after which it is time to look without having been told."""
        return LISTENED_LOOK_S if self.listening else LOOK_S

    async def wait(self, seen: int, timeout_s: float) -> None:
        """Return when the count is higher than ``seen``, or after ``timeout_s``."""
        if self.count > seen:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._rang.wait()

    async def run(self) -> None:
        """Listen until cancelled; after a loss again, with a growing pause."""
        pause = _AGAIN_S
        while True:
            try:
                if await self._listen():
                    pause = _AGAIN_S
            except ConfigurationError as error:
                # A pooler that gives each transaction another session (PgBouncer, pool_mode = transaction) has no LISTEN.
                if not self._said_so:
                    _logger.warning(
                        "无法监听通知，改为每 %g 秒查看一次 · no LISTEN over this connection, readers look every %g s: %s",
                        LOOK_S, LOOK_S, error.message,
                    )  # fmt: skip
                    self._said_so = True
                pause = _AGAIN_MOST_S
            except DATABASE_ERRORS as error:
                _logger.info("nobody listens for %s now: %s", self._channel, error or type(error).__name__)
            finally:
                self.listening = False
            self.ring()
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads processes in time, no secret
            pause = min(2 * pause, _AGAIN_MOST_S)

    async def _listen(self) -> bool:
        """Listen until the connection ends; whether it did listen."""
        connection: asyncpg.Connection = await connect(self._dsn)
        lost = asyncio.Event()

        def heard(*_: Any) -> None:
            self.ring()

        try:
            connection.add_termination_listener(lambda *_: lost.set())
            await connection.add_listener(self._channel, heard)
            self.listening = True
            self.ring()  # for what came before we listened
            await lost.wait()
            return True
        finally:
            connection.terminate()
