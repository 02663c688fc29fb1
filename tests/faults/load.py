"""A load of 808 terminals that writes down which report was replied to with success.

It is written for the audit and shares nothing with the product's own client but the scalar codec. A terminal sends
with a bounded window, sends again (same serial) what is not confirmed in time, connects anew when that does not help
or the connection ends, and then repeats everything unconfirmed. Every reply is checked: it must carry this terminal's
phone and answer a message that was sent on this very connection.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from typing import Self, cast

import numpy as np

from runtime.arrays import Ints
from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar import messages as m
from telemetry.jt808.scalar.framing import FrameReader, encode_frame
from telemetry.jt808.scalar.header import Version, build_message, parse_header
from telemetry.jt808.scalar.report import BATCH_BLIND_ZONE, encode_batch
from tests.faults.plan import Plan

WINDOW = 16
CONFIRM_S = 1.5
RESENDS = 3
_BATCH = 20
#: A backlog of more rows than this goes up as 0x0704.
_LIVE_BACKLOG = 6
_TICK_S = 0.004
#: A terminal has its turn every so many ticks; they do not all send at once.
_TURNS = 8
_GENERAL_REPLY, _REGISTRATION_REPLY = 0x8001, 0x8100


class Ledger:
    """What was sent and what was replied to. ``sent`` (times) and ``confirmed`` have shape (terminals, rows)."""

    def __init__(self, plan: Plan) -> None:
        self.sent = np.zeros((plan.terminals, plan.rows), np.uint16)
        self.confirmed = np.zeros((plan.terminals, plan.rows), np.bool_)
        self.wrong: list[str] = []
        self.replies = 0
        self.connects = 0
        self.longest_silence_s = 0.0
        self._heard = 0.0

    def listen(self, now: float) -> None:
        """From now on silence is measured: the longest time without a successful reply to anybody."""
        self.longest_silence_s, self._heard = 0.0, now

    def reply(self, terminal: int, rows: list[int], now: float) -> None:
        """A report was confirmed."""
        self.replies += 1
        self.confirmed[terminal, rows] = True
        self.hush(now)
        self._heard = now

    def hush(self, now: float) -> None:
        """Count the silence up to now."""
        self.longest_silence_s = max(self.longest_silence_s, now - self._heard)

    def fault(self, text: str) -> None:
        """Something that must never happen (the first hundred are kept)."""
        if len(self.wrong) < 100:
            self.wrong.append(text)


class _Message:
    __slots__ = ("frame", "id", "resends", "rows", "sent_at")

    def __init__(self, message_id: int, frame: bytes, rows: list[int], sent_at: float) -> None:
        self.id, self.frame, self.rows, self.sent_at, self.resends = message_id, frame, rows, sent_at, 0


class _Link(asyncio.Protocol):
    def __init__(self, terminal: Terminal) -> None:
        self.terminal, self.reader = terminal, FrameReader()
        self.sent: dict[int, int] = {}  # serial -> message id, of everything sent on this connection
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.terminal.connected(self)

    def data_received(self, data: bytes) -> None:
        for message in self.reader.feed(data):
            self.terminal.received(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        self.terminal.lost(self)


class Terminal:
    """One terminal; ``Load`` gives it time."""

    def __init__(self, load: Load, number: int) -> None:
        self.number, self.load = number, load
        self.phone = load.plan.phone(number)
        self.version = Version.V2019 if number % 2 else Version.V2013
        self.queue: deque[int] = deque()
        self.unconfirmed: dict[int, _Message] = {}
        self.state = "away"  # away, connecting, asking, running
        self.due = 0.0
        self._code: bytes | None = None
        self._serial = number * 997 & 0xFFFF
        self._link: _Link | None = None
        self._bodies: dict[int, bytes] = {}

    def offer(self, rows: Ints) -> None:
        self._bodies.update(zip(rows.tolist(), self.load.plan.bodies(self.number, rows), strict=True))
        self.queue.extend(rows.tolist())

    def give_up(self) -> None:
        """Break the connection off and forget what was not confirmed; it may have arrived or not."""
        self._drop()
        self.queue.clear()
        self._bodies.clear()

    def tick(self, now: float) -> None:
        if self.state == "running":
            self._pump(now)
            late = [u for u in self.unconfirmed.values() if now - u.sent_at > CONFIRM_S]
            if any(u.resends >= RESENDS for u in late):
                self._again(now)
                return
            for message in late:
                message.resends += 1
                message.sent_at = now
                self._write(message)
        elif self.state == "asking" and now > self.due:
            self._again(now)

    def connected(self, link: _Link) -> None:
        self._link = link
        self.load.ledger.connects += 1
        self.state, self.due = "asking", self.load.now() + 3.0
        if self._code is None:
            body = m.encode_registration(
                m.Registration(32, 600, "TEST", "FAULTS", f"{self.number:07d}", 1, "", self.version)
            )
            self._control(MessageId.REGISTER, body)
        else:
            self._authenticate()

    def received(self, link: _Link, message: bytes | Rejection) -> None:
        if link is not self._link:
            return
        parsed = message if isinstance(message, Rejection) else parse_header(message)
        if isinstance(parsed, Rejection):
            self.load.ledger.fault(f"{self.phone}: unreadable frame from the gateway: {parsed.detail}")
            return
        header, body = parsed
        if header.terminal_phone != self.phone or header.version is not self.version:
            self.load.ledger.fault(f"{self.phone}: got a message for {header.phone} ({header.version})")
            return
        if header.id == _REGISTRATION_REPLY:
            registered = m.decode_registration_reply(body)
            if isinstance(registered, Rejection) or registered.result:
                self.load.ledger.fault(f"{self.phone}: registration refused: {registered}")
            elif self._code is None and self.state == "asking":
                self._code = registered.code
                self._authenticate()
        elif header.id == _GENERAL_REPLY:
            reply = m.decode_general_reply(body)
            if isinstance(reply, Rejection) or link.sent.get(reply.serial) != reply.id:
                self.load.ledger.fault(f"{self.phone}: a reply to nothing that was sent here: {reply}")
            elif reply.result:
                self.load.ledger.fault(f"{self.phone}: refused: {reply}")
            elif reply.id == MessageId.AUTHENTICATE:
                self.state = "running"
            else:
                self._confirmed(reply.serial)

    def lost(self, link: _Link) -> None:
        if link is self._link:
            self._again(self.load.now())

    def failed(self) -> None:
        if self.state == "connecting":
            self._again(self.load.now())

    def _confirmed(self, serial: int) -> None:
        message = self.unconfirmed.pop(serial, None)
        if message is not None:  # else a second reply, to what was sent again
            self.load.ledger.reply(self.number, message.rows, self.load.now())
            for row in message.rows:
                self._bodies.pop(row, None)
            if len(self.queue) > _LIVE_BACKLOG:
                self._pump(self.load.now())

    def _pump(self, now: float) -> None:
        while self.queue and len(self.unconfirmed) < WINDOW:
            many = len(self.queue) > _LIVE_BACKLOG
            rows = [self.queue.popleft() for _ in range(min(len(self.queue), _BATCH if many else 1))]
            bodies = [self._bodies[row] for row in rows]
            if many:
                message_id, body = MessageId.LOCATION_BATCH, encode_batch(BATCH_BLIND_ZONE, bodies)
            else:
                message_id, body = MessageId.LOCATION, bodies[0]
            serial = self._next_serial()
            frame = encode_frame(build_message(message_id, body, self.phone, serial, version=self.version))
            message = self.unconfirmed[serial] = _Message(message_id, frame, rows, now)
            if self._link is not None:
                self._link.sent[serial] = message_id
            self._write(message)

    def _write(self, message: _Message) -> None:
        if self._link is not None and self._link.transport is not None:
            self.load.ledger.sent[self.number, message.rows] += 1
            self._link.transport.write(message.frame)

    def _authenticate(self) -> None:
        code = m.Authentication(self._code or b"", "860000000000000", "faults")
        self._control(MessageId.AUTHENTICATE, m.encode_authentication(code, self.version))

    def _control(self, message_id: int, body: bytes) -> None:
        serial = self._next_serial()
        if self._link is not None and self._link.transport is not None:
            self._link.sent[serial] = message_id
            frame = encode_frame(build_message(message_id, body, self.phone, serial, version=self.version))
            self._link.transport.write(frame)

    def _next_serial(self) -> int:
        self._serial = (self._serial + 1) & 0xFFFF
        while self._serial in self.unconfirmed:
            self._serial = (self._serial + 1) & 0xFFFF
        return self._serial

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None and link.transport is not None:
            link.transport.abort()
        self.queue.extendleft(reversed([row for u in self.unconfirmed.values() for row in u.rows]))
        self.unconfirmed.clear()
        self.state = "away"

    def _again(self, now: float) -> None:
        self._drop()
        self.due = now + random.uniform(0.1, 0.4)


class Load:
    """All terminals, as an async context manager. Each connects to any of ``ports``, now this one, now that."""

    def __init__(self, plan: Plan, ports: Sequence[int], *, rate: float) -> None:
        """``rate``: positions a second, of all terminals together."""
        self.plan, self.ledger = plan, Ledger(plan)
        self.terminals = [Terminal(self, k) for k in range(plan.terminals)]
        self._ports, self._rate = ports, rate
        self._next_row = 0
        self._online = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        tasks = [*self._tasks, *([self._ticker] if self._ticker else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.stop()

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def waiting(self) -> int:
        """Positions offered and not confirmed."""
        return sum(len(t.queue) + sum(len(u.rows) for u in t.unconfirmed.values()) for t in self.terminals)

    @property
    def next_row(self) -> int:
        """The first row that was not offered yet."""
        return self._next_row

    async def drive(self, seconds: float) -> None:
        """Offer positions for so long; what is not confirmed keeps waiting."""
        self._online = True
        begin, first = self.now(), self._next_row
        count = min(int(seconds * self._rate / self.plan.terminals), self.plan.rows - first)
        self.ledger.listen(begin)
        emission = [self.plan.emission(k, first, count) for k in range(self.plan.terminals)]
        given = 0
        while given < count:
            due = min(count, int((self.now() - begin) * self._rate / self.plan.terminals))
            if due > given:
                for terminal, rows in zip(self.terminals, emission, strict=True):
                    terminal.offer(rows[given:due])
                given = due
            await asyncio.sleep(_TICK_S * _TURNS)
        self._next_row = first + count

    async def flush(self, timeout_s: float) -> None:
        """Wait until everything is confirmed. TimeoutError says how much is not."""
        deadline = self.now() + timeout_s
        while self.waiting:
            if self.now() > deadline:
                states = {s: sum(t.state == s for t in self.terminals) for s in ("away", "asking", "running")}
                raise TimeoutError(f"{self.waiting} positions not confirmed after {timeout_s} s; {states}")
            await asyncio.sleep(_TICK_S)

    def stop(self) -> None:
        """Break every connection off, whatever is under way; nothing of it is sent again."""
        self._online = False
        self.ledger.hush(self.now())
        for terminal in self.terminals:
            terminal.give_up()

    async def _tick(self) -> None:
        turn = 0
        while True:
            now, turn = self.now(), (turn + 1) % _TURNS
            for terminal in self.terminals[turn::_TURNS] if self._online else ():
                if terminal.state == "away" and now >= terminal.due:
                    terminal.state = "connecting"
                    task = asyncio.create_task(self._connect(terminal))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                terminal.tick(now)
            await asyncio.sleep(_TICK_S)

    async def _connect(self, terminal: Terminal) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(3):
                port = random.choice(self._ports)
                transport, _ = await loop.create_connection(lambda: _Link(terminal), "127.0.0.1", port)
        except (OSError, TimeoutError):
            terminal.failed()
            return
        if not self._online:  # stopped on the way
            terminal.give_up()
            transport.abort()
