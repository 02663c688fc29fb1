"""The faults of the program that a worker goes on after."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable
from typing import Final, TypeVar

from rules.faults import is_fault
from rules.live import metrics

T = TypeVar("T")
_logger = logging.getLogger(__name__)

#: A fault is told in full so often; it is counted every time.
TOLD_EVERY_S: Final = 60.0


class Faults:
    """The faults of the program that a worker goes on after: counted, and told now and then."""

    def __init__(self) -> None:
        self.count = 0
        self._told_at: dict[str, float] = {}

    def note(self, where: str, error: Exception) -> None:
        """A fault came ``where``."""
        self.count += 1
        metrics.FAULTS.labels(where).inc()
        now = time.perf_counter()
        if now - self._told_at.get(where, -TOLD_EVERY_S) >= TOLD_EVERY_S:
            self._told_at[where] = now
            _logger.error(
                "程序故障，请报告 / a fault of the program (%s), please report it", where, exc_info=error
            )

    async def beside(self, where: str, work: Awaitable[T], otherwise: T, *, isolate: bool) -> T:
        """The result of ``work``, which no position waits for. After a fault it is ``otherwise``, unless it is raised (not
        ``isolate``)."""
        try:
            return await work
        except Exception as error:
            if not (isolate and is_fault(error)):
                raise
            self.note(where, error)
            return otherwise
