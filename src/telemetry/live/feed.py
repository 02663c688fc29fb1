"""``LiveFeed``: follows the log and keeps the newest valid position of every terminal in memory, for whoever shows it.

It writes nothing, and neither gateway nor worker knows of it. It begins where the worker's last transaction ended: what is before
that place is in the last fixes of the vehicles that the database keeps (``Beginning``), what is behind it is read from the log, so
nothing is missing in between. A worker that is far behind is not waited for: then it begins ``MOST_BEHIND`` records before the end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runtime.arrays import AnyInts
from runtime.bell import Bell
from runtime.errors import ConfigurationError, UnavailableError
from runtime.pgcopy import MAX_TIME_US
from runtime.postgres import DATABASE_ERRORS
from telemetry.archive.clocks import Clocks, Piece, derive
from telemetry.live.newest import NewestFixes
from telemetry.log.base import LogTail, StoredRecord
from telemetry.log.codec import decode_all
from telemetry.positions import PositionBatch
from telemetry.quality import Quality, assess

_logger = logging.getLogger(__name__)

EVERY_S: Final = 1.0
#: Records of a partition that are read at the start, at most.
MOST_BEHIND: Final = 50_000
#: How often it is asked whether this is still the same log, and what is known of the terminals' clocks.
LOOK_S: Final = 30.0
#: What was read longer ago is stale, whatever it is that the reading waits for.
LATE_S: Final = 3.0
#: Between two attempts to open the log: at first, and at most.
_AGAIN_S: Final = 0.5
_AGAIN_MOST_S: Final = 5.0
#: Positions wait no longer than this for what is known of the clocks.
_CLOCKS_S: Final = 2.0
_READ_BYTES: Final = 512 << 10
#: Reads of one turn: more means that it is behind.
_READS: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class LastFixes:
    """The last valid fix of each vehicle as the database has it: ``vehicle`` (its number, sorted), ``fix_us``, ``lat_e6``,
    ``lon_e6``; shape (n,)."""

    vehicle: AnyInts = field(default_factory=lambda: np.zeros(0, np.int64))
    fix_us: AnyInts = field(default_factory=lambda: np.zeros(0, np.int64))
    lat_e6: AnyInts = field(default_factory=lambda: np.zeros(0, np.int32))
    lon_e6: AnyInts = field(default_factory=lambda: np.zeros(0, np.int32))


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the database says at one moment: how far each partition of the log is processed, and the last fixes until there."""

    offsets: Mapping[int, int]
    fixes: LastFixes


#: Reads the Beginning for the log of that identity.
ReadBeginning = Callable[[str], Awaitable[Beginning]]
ReadClocks = Callable[[], Awaitable[Clocks]]


async def _no_clocks() -> Clocks:
    return {}


class LiveFeed:
    """See the module. ``run`` it beside whatever shows it. ``bell`` rings whenever the log was read; ``behind``:
    the log is not read to its end, for ``stale``."""

    def __init__(
        self,
        tail: LogTail | None = None,
        beginning: ReadBeginning | None = None,
        clocks: ReadClocks = _no_clocks,
        *,
        every_s: float = EVERY_S,
        look_s: float = LOOK_S,
        late_s: float = LATE_S,
    ) -> None:
        """Without ``tail`` nothing ever comes, and it is always stale."""
        self._tail, self._beginning, self._read_clocks = tail, beginning, clocks
        self.every_s, self.look_s, self.late_s = every_s, look_s, late_s
        self.newest = NewestFixes()
        self.fixes = LastFixes()
        self.behind = True
        self.bell = Bell()
        self._clocks: Clocks = {}
        self._looked_at = self._read_at = 0.0
        self._told = ""

    @property
    def stale(self) -> bool:
        """Whether positions may be older than they would be: the log cannot be read, or is not read to its end yet."""
        late = self._tail is not None and time.monotonic() - self._read_at > self.late_s
        return self.behind or late

    async def run(self) -> None:
        """Follow the log until cancelled."""
        if self._tail is None:
            return
        pause_s = _AGAIN_S
        try:
            while True:
                try:
                    await self._follow(self._tail)
                except (UnavailableError, ConfigurationError, OSError, *DATABASE_ERRORS) as error:
                    why = str(error) or type(error).__name__
                    if why != self._told:
                        _logger.warning("live positions stand still: %s", why)
                    self._told = why
                except Exception:
                    _logger.exception("live positions stand still; they are begun again")
                pause_s = _AGAIN_S if not self.behind else min(2 * pause_s, _AGAIN_MOST_S)
                self.behind = True
                with suppress(Exception):
                    await self._tail.close()
                await asyncio.sleep(pause_s)
        finally:
            self.behind = True
            with suppress(Exception):
                await self._tail.close()

    async def _follow(self, tail: LogTail) -> None:
        opened = await tail.open()
        begin = (
            Beginning({}, self.fixes) if self._beginning is None else await self._beginning(opened.identity)
        )
        # What is in memory stays: it is what was read of the log, and each position has its own time.
        self.fixes = begin.fixes
        await tail.seek(
            {
                p: max(min(begin.offsets.get(p, 0), end), end - MOST_BEHIND, 0)
                for p, end in opened.ends.items()
            }
        )
        await self._look(tail, first=True)
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        while True:
            behind = await self._read(tail)
            if self.behind and not behind:
                _logger.info("live positions: the log is read to its end")
                self._told = ""
            self.behind, self._read_at = behind, time.monotonic()
            self.bell.ring()
            await self._look(tail)
            next_at = max(next_at + self.every_s, loop.time())
            await asyncio.sleep(0 if behind else next_at - loop.time())

    async def _read(self, tail: LogTail) -> bool:
        """Read what has come; whether there is more."""
        for _ in range(_READS):
            records = await tail.read(_READ_BYTES)
            if not records:
                return False
            came = await asyncio.to_thread(_decoded, records)
            batch, quality = derive(came, _quality(came), self._clocks)
            self.newest.apply(batch, quality)
            if sum(len(record.payload) for record in records) < _READ_BYTES // 2:
                return False
        return True

    async def _look(self, tail: LogTail, *, first: bool = False) -> None:
        now = time.monotonic()
        if not first and now - self._looked_at < self.look_s:
            return
        self._looked_at = now
        try:
            async with asyncio.timeout(_CLOCKS_S):
                clocks = await self._read_clocks()
            # By another clock the times in memory are others, and in doubt they are none.
            before, after = _held(self._clocks), _held(clocks)
            changed = [no for no in before.keys() | after.keys() if before.get(no) != after.get(no)]
            self.newest.forget(np.array(sorted(changed), np.int64))
            self._clocks = clocks
        except (
            TimeoutError,
            *DATABASE_ERRORS,
        ) as error:  # positions go on; so does what was known of the clocks
            _logger.info("the clocks of terminals are not read now: %s", error or type(error).__name__)
        if not first:
            await tail.check()


def _held(clocks: Clocks) -> dict[int, Piece]:
    """What holds now of each terminal that is not right."""
    now = time.time_ns() // 1000
    return {
        no: replace(piece, from_us=0, to_us=0)
        for no, pieces in clocks.items()
        for piece in pieces
        if piece.from_us <= now < piece.to_us and not piece.plain
    }


def _decoded(records: Sequence[StoredRecord]) -> PositionBatch:
    """The positions of ``records``. What is no record of ours is passed over: the worker counts it."""
    batch, _refused = decode_all([record.payload for record in records if not record.unreadable])
    return batch


def _quality(batch: PositionBatch) -> NDArray[np.int16]:
    """As ``assess`` says, and a time that is no date is unreadable, as where positions are stored."""
    quality = assess(batch)
    no_date = (batch.device_us <= 0) | (batch.device_us >= MAX_TIME_US)
    quality[no_date] = (quality[no_date] | Quality.TIME_UNREADABLE) & ~Quality.TIME_AHEAD
    return quality
