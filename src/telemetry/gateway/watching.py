"""Frames of terminals that somebody watches (``gongche frames watch``), told as they come and go.

While nobody watches, ``active`` is false and nothing else of this is reached. What is watched is bounded: so many connections, frames and
bytes that wait, and NOTIFYs of a turn; what is more is counted and told as lost, never waited for. Codes of authentications are not told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from runtime.bell import Bell
from runtime.faults import of_one_fact
from runtime.postgres import DATABASE_ERRORS
from telemetry.gateway import metrics
from telemetry.gateway.connection import Connection
from telemetry.gateway.sockets import Arrived, Sockets
from telemetry.jt808.columns import framing
from telemetry.jt808.hidden_codes import without_codes
from telemetry.terminals import watches
from telemetry.terminals.phones import stored_phone
from telemetry.terminals.watches import Told, Watch

logger = logging.getLogger(__name__)

#: How often is looked for watches without being told; and while there are some, for theirs that end.
_LOOK_S: Final = 30.0
_FOLLOW_S: Final = 2.0
#: What is gathered goes out so often, in so many NOTIFYs at most.
_FLUSH_S: Final = 0.2
_MOST_NOTIFIES: Final = 10
_TIMEOUT_S: Final = 5.0
#: Frames of one watch that wait, and their bytes.
_MOST_FRAMES: Final = 500
_MOST_BYTES: Final = 256 << 10
#: Bytes without a delimiter that are waited for; a frame has less.
_MOST_OPEN: Final = 2_500
#: Connections of watched phones.
_MOST_TAPS: Final = 40
#: Of a frame in a NOTIFY beside its bytes.
_AROUND: Final = 120


@dataclass(slots=True)
class _Queue:
    """Frames of one watch that were not told yet."""

    told: deque[Told] = field(default_factory=deque)
    bytes: int = 0
    lost: int = 0

    def add(self, one: Told) -> None:
        if len(self.told) >= _MOST_FRAMES or self.bytes + len(one.segment) > _MOST_BYTES:
            self.lost += 1
            metrics.WATCHED_FRAMES.labels("lost").inc()
            return
        self.told.append(one)
        self.bytes += len(one.segment)

    def take(self) -> list[Told]:
        """As many as one NOTIFY takes."""
        found: list[Told] = []
        left = watches.MOST_NOTIFY - _AROUND
        while self.told and (size := len(self.told[0].segment) * 4 // 3 + _AROUND) <= left:
            found.append(self.told.popleft())
            self.bytes -= len(found[-1].segment)
            left -= size
        return found


@dataclass(slots=True)
class _Tap:
    """A connection whose bytes are told: what is not a whole frame yet, each way."""

    watch: str
    up: bytes = b""
    down: bytes = b""


class Watching:
    """See the module. One object a gateway; ``run`` is its task. ``name``: of this gateway, for whoever watches."""

    def __init__(self, pool: Any, bell: Bell, name: str) -> None:
        self._pool, self._bell, self._name = pool, bell, name
        self._sockets: Sockets | None = None
        self._watches: dict[str, Watch] = {}  # by phone; the newest of several
        self._queues: dict[str, _Queue] = {}
        self._taps: dict[Connection, _Tap] = {}
        #: Whether anything is watched: the one question of the hot path.
        self.active = False

    def attach(self, sockets: Sockets) -> None:
        """``sockets``: where bytes come and go."""
        self._sockets = sockets

    # --- from the gateway's turns, only while active ----------------------------------------------------------------------

    def arrived(self, arrived: Arrived) -> None:
        """Bytes have come, not yet put behind what was half read."""
        for connection, chunk in zip(arrived.owners, arrived.chunks, strict=True):
            tap = self._taps.get(connection)
            if tap is not None:
                self._take(connection, tap, chunk, up=True)

    def seen(self, frames: framing.Frames, arrived: Arrived) -> None:
        """Frames were cut of ``arrived``, whose chunks hold what was half read as well: a watched phone may be new among them."""
        for phone, watch in self._watches.items():
            number = int(phone, 16)  # BCD: the digits are the nibbles
            rows = (frames.verdict == 0) & (frames.phone_lo == np.uint64(number & 0xFFFFFFFFFFFFFFFF))
            rows &= frames.phone_hi == np.uint16(number >> 64)
            for i in np.unique(frames.chunk[rows]).tolist():
                connection = arrived.owners[i]
                if connection not in self._taps and (tap := self._tap(connection, watch)) is not None:
                    self._take(connection, tap, arrived.chunks[i], up=True)

    def sent(self, connection: Connection, data: bytes | memoryview) -> None:
        """``data`` goes to ``connection``."""
        tap = self._taps.get(connection)
        if tap is not None:
            self._take(connection, tap, bytes(data), up=False)

    def closed(self, connection: Connection) -> None:
        """``connection`` is closed."""
        self._taps.pop(connection, None)

    def _tap(self, connection: Connection, watch: Watch) -> _Tap | None:
        if connection.closed or len(self._taps) >= _MOST_TAPS:
            return None
        tap = self._taps[connection] = _Tap(watch.id)
        return tap

    def _take(self, connection: Connection, tap: _Tap, data: bytes, *, up: bool) -> None:
        queue = self._queues.get(tap.watch)
        if queue is None:
            return
        *runs, rest = ((tap.up if up else tap.down) + data).split(b"\x7e")
        if len(rest) > _MOST_OPEN:
            runs, rest = [*runs, rest[:_MOST_OPEN]], b""
        if up:
            tap.up = rest
        else:
            tap.down = rest
        now = time.time_ns() // 1000
        for run in runs:
            if run:
                segment, hidden = without_codes(run[:_MOST_OPEN])
                queue.add(Told(now, up, connection.peer, segment, hidden))

    # --- the task ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """For ever: whatever fails on the way, the gateway goes on without it."""
        looked = -_LOOK_S
        while True:
            seen = self._bell.count
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    await self._flush()
                    now = time.monotonic()
                    if not self.active or now - looked >= _FOLLOW_S:
                        await self._look()
                        looked = now
            except DATABASE_ERRORS as error:
                logger.info("frames are not told now: %s", error or type(error).__name__)
                self._drop()
                await asyncio.sleep(_FOLLOW_S)
            except Exception as error:
                if not of_one_fact(error):
                    raise
                logger.error("程序故障，请报告 / a fault of the program on watched frames", exc_info=error)
                self._drop()
                await asyncio.sleep(_FOLLOW_S)
            if self.active:
                await asyncio.sleep(_FLUSH_S)
            else:
                await self._bell.wait(seen, _LOOK_S)
                await asyncio.sleep(_FLUSH_S)  # commands ring the same bell

    async def _look(self) -> None:
        async with self._pool.acquire() as connection:
            self._watch(await watches.active(connection))

    def _watch(self, found: Iterable[Watch]) -> None:
        wanted = {stored_phone(one.phone): one for one in found}
        ids = {one.id for one in wanted.values()}
        self._queues = {id: self._queues.get(id) or _Queue() for id in ids}
        for connection, tap in list(self._taps.items()):
            if tap.watch not in ids:
                del self._taps[connection]
        new = {phone: one for phone, one in wanted.items() if self._watches.get(phone) != one}
        self._watches, self.active = wanted, bool(wanted)
        if self._sockets is None:
            return
        self._sockets.tap = self.sent if wanted else None
        for connection in self._sockets.connections.values() if new else ():
            phone = connection.session.phone
            watch = None if phone is None else new.get(stored_phone(phone))
            if watch is None or connection in self._taps:
                continue
            fresh = self._tap(connection, watch)
            if fresh is not None:
                fresh.up = connection.rest[-_MOST_OPEN:]

    def _drop(self) -> None:
        """What waits is too old to be told when the database is back."""
        for queue in self._queues.values():
            queue.lost += len(queue.told)
            queue.told.clear()
            queue.bytes = 0

    async def _flush(self) -> None:
        parts: list[tuple[str, Sequence[Told], int]] = []
        for id, queue in self._queues.items():
            while (queue.told or queue.lost) and len(parts) < _MOST_NOTIFIES:
                lost, queue.lost = queue.lost, 0
                parts.append((id, queue.take(), lost))
        if not parts:
            return
        async with self._pool.acquire() as connection:
            for id, told, lost in parts:
                await watches.tell(connection, id, self._name, told, lost)
                metrics.WATCHED_FRAMES.labels("told").inc(len(told))
