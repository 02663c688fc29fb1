"""The life of a process that sends: it looks for work again and again until it is told to stop, whatever fails on the way."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

from prometheus_client import Counter, Gauge

from runtime.bell import Bell
from runtime.postgres import is_outage

#: How often it is looked for what is due; news wakes it at once.
LOOK_S: Final = 1.0
#: A pause between two attempts is up to so much longer or shorter.
_JITTER: Final = 0.2
#: Faults that are remembered, so that the same one is not told again.
_MOST_TOLD: Final = 1_000


def spread(pause_s: float) -> float:
    """``pause_s``, somewhat longer or shorter: receivers that come back are not met by all at once."""
    return pause_s * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads attempts in time, no secret


class Turns:
    """``what`` is sent, for the log. ``faults``: counts faults of the program by where they were. ``turned``: when the last turn
    succeeded. ``trouble``: why nothing is sent now, for the probes."""

    def __init__(self, what: str, faults: Counter, turned: Gauge, bell: Bell, logger: logging.Logger) -> None:
        self._what, self._faults, self._turned, self._bell, self._logger = what, faults, turned, bell, logger
        self._told: dict[str, str] = {}
        self.trouble: str | None = None

    async def run(
        self,
        stop: asyncio.Event,
        turn: Callable[[], Awaitable[bool]],
        under_way: Collection[asyncio.Task[Any]],
    ) -> None:
        """``turn`` until ``stop``: at once again after one that says there is more, else when there is news, one of the tasks
        ``under_way`` is done, or it is time to look."""
        while not stop.is_set():
            seen, busy = self._bell.count, False
            try:
                busy = await turn()
                self.trouble = None
                self._turned.set_to_current_time()
            except Exception as error:
                self._failed(error)
            if not busy:
                await self._rest(seen, stop, under_way)

    def _failed(self, error: Exception) -> None:
        if not is_outage(error):
            self.fault("turn", f"a turn of {self._what}", error)
            self.trouble = f"a fault of the program: {type(error).__name__}"
            return
        trouble = f"the database does not answer: {type(error).__name__}"
        if trouble != self.trouble:  # said once, not every second
            self._logger.warning("no %s now: %s", self._what, error or type(error).__name__)
        self.trouble = trouble

    async def _rest(self, seen: int, stop: asyncio.Event, under_way: Collection[asyncio.Task[Any]]) -> None:
        waits = [asyncio.create_task(stop.wait()), asyncio.create_task(self._bell.wait(seen, LOOK_S))]
        try:
            await asyncio.wait({*waits, *under_way}, return_when=asyncio.FIRST_COMPLETED, timeout=LOOK_S)
        finally:
            for wait in waits:
                wait.cancel()

    def fault(self, where: str, what: str, error: BaseException) -> None:
        """Count a fault of the program. The same one is told in full only once in a row: it may come every second."""
        self._faults.labels(where).inc()
        told = f"{type(error).__name__}: {error}"
        if self._told.get(what) != told:
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told[what] = told
            self._logger.error("%s failed for a fault of the program; the rest goes on", what, exc_info=error)

    @contextmanager
    def apart(self, where: str, what: str) -> Iterator[None]:
        """Around a part of a turn: a fault of the program in it does not stop the rest. An outage of the database passes."""
        try:
            yield
        except Exception as error:
            if is_outage(error):
                raise
            self.fault(where, what, error)

    @contextmanager
    def on_its_own(self, where: str, what: str) -> Iterator[None]:
        """Around a task of its own: neither a fault nor an outage goes further; what it had in hand is tried again."""
        try:
            with self.apart(where, what):
                yield
        except Exception as error:
            self._logger.warning("%s: the database does not answer: %s", what, error or type(error).__name__)
