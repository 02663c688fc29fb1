"""The process that exchanges with the peers above: takes what is new, pushes it, pulls what comes down.

Its state is in PostgreSQL. Killed at any time it goes on where it was, and says at most once more what the peer has already.
One process works at a time (a lock of the database): a second one waits until the first is gone.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client import Counter, Gauge

from office.exchange import status
from office.exchange.backoff import pause_s
from office.exchange.capture import capture
from office.exchange.kinds import Outcome
from office.exchange.outgoing import MOST_RECORDS, Batch, Mapper, Piece, note, prepare
from office.exchange.peers import Peer, own_name, peers_above
from office.exchange.pulled import take_down
from office.exchange.records import as_bytes, json_of
from office.exchange.transport import PeerError, Transport
from runtime.postgres import is_outage, renew_read_only

#: How often it is looked for what is new, how often is pulled, and how often a peer is told how it stands where nothing is new.
LOOK_S: Final = 1.0
PULL_EVERY_S: Final = 30.0
TELL_EVERY_S: Final = 60.0
PULL_MOST: Final = 50
_LOCK: Final = 0x676F6E67_65786368  # "gongexch"
_COUNT_S: Final = 5.0

RECORDS: Final = Counter("gongche_exchange_records_total", "Records told to a peer", ["peer", "result"])
REQUESTS: Final = Counter("gongche_exchange_requests_total", "Requests to a peer", ["peer", "result"])
FAULTS: Final = Counter("gongche_exchange_faults_total", "Turns on which the program failed")
WAITING: Final = Gauge("gongche_exchange_waiting_records", "Records that a peer has not confirmed", ["peer"])
OLDEST: Final = Gauge(
    "gongche_exchange_oldest_waiting_seconds", "For how long the oldest of them has waited", ["peer"]
)
REFUSED: Final = Gauge("gongche_exchange_dead_letters", "Records that a peer refuses", ["peer"])

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Line:
    """How it goes with one peer."""

    peer: Peer
    transport: Transport
    mapper: Mapper | None
    task: asyncio.Task[None] = field(init=False)
    failures: int = 0
    not_before: float = 0.0
    most: int = MOST_RECORDS
    pulled_at: float = -math.inf
    told_at: float = -math.inf
    said: str = ""


@dataclass(slots=True)
class Exchange:
    """Exchanges until told to stop. ``open_line(connection, peer)``: (transport, mapper) of a peer. ``chance``: spreads the
    pauses."""

    pool: Any
    open_line: Callable[[Any, Peer], Any]
    pull_every_s: float = PULL_EVERY_S
    look_s: float = LOOK_S
    most_pause_s: float = 300.0
    chance: random.Random = field(default_factory=random.Random)
    trouble: str | None = None
    _lines: dict[str, _Line] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)
    _name: str = ""
    _counted_at: float = -math.inf

    async def run(self, stop: asyncio.Event) -> None:
        """Exchange until ``stop``."""
        while not stop.is_set():
            try:
                async with self.pool.acquire(timeout=5) as connection:
                    if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                        try:
                            await self._lead(connection, stop)
                        finally:
                            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
                    self.trouble = None
            except Exception as error:
                await self._failed_turn(error)
            await _rest(stop, self.look_s)

    async def _lead(self, connection: Any, stop: asyncio.Event) -> None:
        """Work as the one that works, while ``connection`` holds the lock. Each peer has a task of its own: one that stalls
        keeps no other one waiting."""
        try:
            while not stop.is_set():
                # With the connection the lock would be gone: then this raises, and the tasks end.
                self._name = await own_name(connection) or ""
                await self._keep_lines(connection, await peers_above(connection))
                if time.monotonic() - self._counted_at >= _COUNT_S:
                    self._counted_at = time.monotonic()
                    await self._count(connection)
                await _rest(stop, self.look_s)
        finally:
            for name in list(self._lines):
                await self._end(name)

    async def _end(self, name: str) -> None:
        line = self._lines.pop(name)
        line.task.cancel()
        await asyncio.gather(line.task, return_exceptions=True)
        await line.transport.close()

    async def _go_on(self, line: _Line) -> None:
        while True:
            busy = False
            try:
                busy = await self._serve(line)
                self.trouble = None
            except Exception as error:
                await self._failed_turn(error)
            if not busy:
                await asyncio.sleep(self.look_s)

    async def _failed_turn(self, error: Exception) -> None:
        """A turn ended so; the next one comes. A fault of the program, the schema or the data is no outage of the database: waiting
        does not mend it."""
        outage = is_outage(error)
        if outage:
            trouble = f"the database does not answer: {type(error).__name__}"
        else:
            FAULTS.inc()
            trouble = f"a fault of the program: {type(error).__name__}"
        if trouble != self.trouble:  # said once, not every second
            if outage:
                _logger.warning("no exchange now: %s", error or type(error).__name__)
            else:
                _logger.error("a turn of the exchange failed; it goes on with the next one", exc_info=error)
        self.trouble = trouble
        await renew_read_only(self.pool, error)

    async def _keep_lines(self, connection: Any, peers: Sequence[Peer]) -> None:
        wanted = {peer.name: peer for peer in peers}
        for name, line in list(self._lines.items()):
            if wanted.get(name) != line.peer:
                await self._end(name)
        for name, peer in wanted.items():
            if name in self._lines:
                continue
            try:
                transport, mapper = await self.open_line(connection, peer)
            except Exception as error:
                if is_outage(error):
                    raise
                if self._said.get(name) != str(error):  # said once, not every second
                    self._said[name] = str(error)
                    await status.note_error(connection, name, str(error)[:500], 0)
                    _logger.warning("peer %s: %s", name, error)
                continue
            self._said.pop(name, None)
            line = _Line(peer, transport, mapper)
            line.task = asyncio.create_task(self._go_on(line), name=f"exchange with {name}")
            self._lines[name] = line

    async def _serve(self, line: _Line) -> bool:
        try:
            async with self.pool.acquire(timeout=5) as connection:
                async with connection.transaction():
                    more = await capture(connection, line.peer.name, line.peer.kinds)
                if time.monotonic() < line.not_before:
                    return False
                try:
                    more |= await self._push(connection, line)
                    more |= await self._pull(connection, line)
                except PeerError as error:
                    await self._failed(connection, line, error)
                    return False
                return more
        except Exception as error:
            if is_outage(error):
                raise
            # It is tried again, not at once; the other peers go on.
            FAULTS.inc()
            self._pause(line, None)
            _logger.exception("peer %s: a turn failed", line.peer.name)
            return False

    async def _push(self, connection: Any, line: _Line) -> bool:
        async with connection.transaction():
            batch = await prepare(connection, line.peer.name, line.peer.units, line.most, line.mapper)
        tells = time.monotonic() - line.told_at >= TELL_EVERY_S
        if not batch.pieces and not (tells and not batch.done):
            return batch.done > 0
        body = as_bytes(
            {
                "source": self._name,
                "records": [_sent(piece, self._name) for piece in batch.pieces],
                "stands": await status.stands(connection, line.peer.name) if tells else {},
            }
        )
        try:
            answer = await line.transport.push(body)
        except PeerError as error:
            if error.status in (400, 413, 422) and batch.pieces:
                await self._split(connection, line, batch, error)
                return True
            raise
        results = _results(answer, len(batch.pieces))
        async with connection.transaction():
            kept, refused = await note(connection, line.peer.name, batch, results)
            await status.note_ok(connection, line.peer.name)
        self._succeeded(line, kept, refused)
        if tells:
            line.told_at = time.monotonic()
        return bool(batch.pieces)

    async def _split(self, connection: Any, line: _Line, batch: Batch, error: PeerError) -> None:
        """A batch as a whole was refused: smaller ones, down to one record, which is then a dead letter."""
        if len(batch.rows) > 1:
            line.most = max(1, len(batch.rows) // 4)
            return
        async with connection.transaction():
            refusal = Outcome("refused", error.code or "refused-whole", str(error))
            await note(connection, line.peer.name, batch, [refusal] * len(batch.pieces))
        RECORDS.labels(line.peer.name, "refused").inc(len(batch.pieces))

    async def _pull(self, connection: Any, line: _Line) -> bool:
        if time.monotonic() - line.pulled_at < self.pull_every_s or line.mapper is not None:
            return False
        answer = await line.transport.pull(await status.pull_cursor(connection, line.peer.name), PULL_MOST)
        async with connection.transaction():
            more = await take_down(connection, line.peer, self._name, answer)
            await status.note_ok(connection, line.peer.name)
        REQUESTS.labels(line.peer.name, "pulled").inc()
        if not more:
            line.pulled_at = time.monotonic()
        return more

    def _succeeded(self, line: _Line, kept: int, refused: int) -> None:
        name = line.peer.name
        REQUESTS.labels(name, "accepted").inc()
        RECORDS.labels(name, "confirmed").inc(kept)
        RECORDS.labels(name, "refused").inc(refused)
        if line.failures or line.said:
            _logger.info("peer %s answers again", name)
        line.failures, line.said = 0, ""
        line.most = min(MOST_RECORDS, line.most * 2)

    def _pause(self, line: _Line, asked_s: float | None) -> float:
        """It failed once more: seconds until the next try."""
        line.failures += 1
        pause = pause_s(line.failures, asked_s, self.chance, self.most_pause_s)
        line.not_before = time.monotonic() + pause
        return pause

    async def _failed(self, connection: Any, line: _Line, error: PeerError) -> None:
        pause = self._pause(line, error.retry_after_s)
        REQUESTS.labels(line.peer.name, "busy" if error.busy else "failed").inc()
        await status.note_error(connection, line.peer.name, str(error)[:500], pause)
        if str(error) != line.said:  # said once, not at every try
            line.said = str(error)
            _logger.warning("peer %s: %s", line.peer.name, error)

    async def _count(self, connection: Any) -> None:
        for row in await status.totals(connection):
            WAITING.labels(row["peer"]).set(row["waiting"])
            OLDEST.labels(row["peer"]).set(row["oldest_s"])
            REFUSED.labels(row["peer"]).set(row["refused"])


def _sent(piece: Piece, source: str) -> dict[str, Any]:
    return json_of(piece.told, source) | {"payload": piece.payload}


def _results(answer: Any, count: int) -> list[Outcome]:
    """What the receiver says of each record. Raises PeerError for an answer that does not say it of each."""
    given = answer.get("results")
    if not isinstance(given, list) or len(given) != count or not all(isinstance(one, dict) for one in given):
        raise PeerError("对方的答复与所发记录不符 · the answer does not fit what was sent")
    found = []
    for one in given:
        version = one.get("version")
        found.append(
            Outcome(
                str(one.get("outcome")),
                None if one.get("code") is None else str(one["code"]),
                str(one.get("detail") or ""),
                version if isinstance(version, int) and 0 <= version < 2**53 else None,
            )
        )
    return found


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
