"""A process notes its own figures: a row of ``process_samples`` every ten seconds, over a connection of its own.

It costs the process what one look of Prometheus costs, and the database one row. Neither an outage of the database nor a fault in
here stops the process or its work: what could not be written is kept for an hour and written later, then there is a gap.

Times are those of the database, so that the clocks of several machines do not matter: the sampler learns how far its own clock is
from that of the database whenever it writes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import REGISTRY, CollectorRegistry

from runtime.connection import Connection
from runtime.metrics import program_version
from runtime.operations.figures import EVERY_S, FIGURES, KEPT_S, SPREADS, WANTED, Reading, read, since
from runtime.postgres import connect, is_outage

#: Samples that are kept while the database cannot be written: an hour.
_MOST_KEPT: Final = 360
#: How long the last sample of a process that ends may take.
_LAST_S: Final = 2.0
#: The first sample comes soon: so it is seen at once that the process is there.
_FIRST_S: Final = 0.5
#: Reasons of refusals in one sample.
_MOST_REASONS: Final = 40
_logger = logging.getLogger(__name__)

_COLUMNS: Final = (
    "at", "process", "instance", "version", "started_at", "seconds", "leaving", *(figure.name for figure in FIGURES),
    *(spread.name for spread in SPREADS), "rejects",
)  # fmt: skip
_INSERT: Final = (
    f"INSERT INTO process_samples ({', '.join(_COLUMNS)})"  # noqa: S608 - our own names
    f" VALUES (to_timestamp($1), $2, $3, $4, to_timestamp($5), {', '.join(f'${n}' for n in range(6, len(_COLUMNS) + 1))})"
    " ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Figures of the ``seconds`` up to ``at_s`` (by the monotonic clock of the process)."""

    at_s: float
    seconds: float
    leaving: bool
    figures: Reading


class Sampler:
    """Of the process ``process``, which is ``instance`` (host:port) among its like. ``clock``: monotonic, in seconds."""

    def __init__(
        self,
        process: str,
        instance: str,
        *,
        registry: CollectorRegistry = REGISTRY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process, self._instance, self._registry, self._clock = process, instance, registry, clock
        self._version = program_version()
        self._began_s = self._last_s = clock()
        self._before = self._read()
        #: What is added to the monotonic clock to get the time of the database.
        self._offset_s = time.time() - self._began_s
        #: When the process was started, by the clock of the database as it was found first: it does not move with it.
        self._started_s: float | None = None
        self._pending: deque[Sample] = deque(maxlen=_MOST_KEPT)

    def _read(self) -> Reading:
        return read(self._registry.restricted_registry(WANTED).collect())

    def take(self, *, leaving: bool = False) -> None:
        """Note the figures of now."""
        now_s = self._clock()
        if now_s <= self._last_s:
            return
        reading = self._read()
        self._pending.append(Sample(now_s, now_s - self._last_s, leaving, since(reading, self._before)))
        self._before, self._last_s = reading, now_s

    def pause_s(self) -> float:
        """How long it is to the next moment of the grid; one that is all but here is left out."""
        past = (self._clock() + self._offset_s) % EVERY_S
        return EVERY_S - past if past < EVERY_S - 0.5 else 2 * EVERY_S - past

    async def write(self, connection: Connection) -> None:
        """Write what has not been written, and look at the clock of the database."""
        offset_s = (
            float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())")) - self._clock()
        )
        self._offset_s = offset_s
        if self._started_s is None:
            self._started_s = round(self._began_s + offset_s, 3)
        written = list(self._pending)
        await connection.executemany(_INSERT, [self._row(sample) for sample in written])
        for _ in written:
            self._pending.popleft()

    def _row(self, sample: Sample) -> tuple[Any, ...]:
        figures = sample.figures
        rejects = dict(sorted(figures.rejects.items(), key=lambda item: -item[1])[:_MOST_REASONS])
        return (
            round(sample.at_s + self._offset_s, 3), self._process, self._instance, self._version,
            self._started_s, sample.seconds, sample.leaving,
            *(figures.values.get(figure.name) for figure in FIGURES),
            *(
                None if (counts := figures.spreads.get(spread.name)) is None else [min(int(n), 2**31 - 1) for n in counts]
                for spread in SPREADS
            ),
            rejects or None,
        )  # fmt: skip

    async def run(self, dsn: str) -> None:
        """Note and write until cancelled; then once more, as the last time."""
        connection: Any = None
        told, pause_s = "", _FIRST_S
        try:
            while True:
                await asyncio.sleep(pause_s)
                pause_s = self.pause_s()
                try:
                    self.take()
                    if connection is None or connection.is_closed():
                        connection = await connect(dsn, timeout_s=5)
                    async with asyncio.timeout(EVERY_S):
                        await self.write(connection)
                    told, pause_s = "", self.pause_s()
                except Exception as error:
                    if connection is not None:
                        connection.terminate()
                        connection = None
                    said = type(error).__name__
                    if said != told:  # once, not every ten seconds
                        log = _logger.info if is_outage(error) else _logger.exception
                        log("the figures of the last day are not written now: %s", error or said)
                    told = said
        finally:
            if connection is not None:
                with suppress(Exception):  # the database may have ended before us
                    self.take(leaving=True)
                    async with asyncio.timeout(_LAST_S):
                        await self.write(connection)
                connection.terminate()


def instance_name(port: int) -> str:
    """The name of a process among its like: host and port; where the port is any free one, its number as a process."""
    return f"{socket.gethostname()}:{port or f'pid{os.getpid()}'}"


@asynccontextmanager
async def sampled(process: str, port: int, dsn: str) -> AsyncIterator[None]:
    """Within: this process notes its figures."""
    task = asyncio.create_task(Sampler(process, instance_name(port)).run(dsn), name="notes its figures")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def drop_old(connection: Connection, now_us: int) -> None:
    """Delete what is older than it is kept."""
    await connection.execute(
        "DELETE FROM process_samples WHERE at < to_timestamp($1::float8)", now_us / 1e6 - KEPT_S
    )
