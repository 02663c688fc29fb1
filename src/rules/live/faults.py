"""What an error of the worker says: a fault of the program on what it had in hand, or something that passes by itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable
from typing import Final, TypeVar

import asyncpg

from rules.alerts.model import OffsetConflictError
from rules.live import metrics
from runtime.errors import ConfigurationError, UnavailableError
from runtime.postgres import connection_lost

T = TypeVar("T")
_logger = logging.getLogger(__name__)

#: A fault that is gone on after is told in full so often; it is counted every time.
TOLD_EVERY_S: Final = 60.0
#: Classes of SQLSTATE that speak of the values that were written: data exception, constraint, a limit of the program,
#: a word of our own triggers. Every other one speaks of the server, its schema or its rights: no value mends or breaks that.
_OF_VALUES: Final = ("22", "23", "54", "P0")

_WAITED_FOR: Final = (UnavailableError, ConfigurationError, OffsetConflictError)


def is_fault(error: BaseException) -> bool:
    """Whether ``error`` is a fault of the program on the data in hand, so that other data may pass.

    An outage of the database, the log or the connection, a partition that is another worker's, a wrong schema, a shutdown
    are none: those are waited for, and nothing is ever set aside for them.
    """
    if not isinstance(error, Exception) or isinstance(error, _WAITED_FOR):
        return False
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "")[:2] in _OF_VALUES
    if isinstance(error, asyncpg.InternalClientError):
        return False
    # asyncpg's word for a value that it cannot encode is an InterfaceError as well, and a ValueError.
    return not connection_lost(error)


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
