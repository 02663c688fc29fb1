"""A JT/T 808 terminal as a client (2013 and 2019): what a terminal does on its side of the connection.

``Terminal`` registers, authenticates, sends positions with a bounded number of unconfirmed messages, and keeps what
was not confirmed. It has no task and no timer of its own; ``Fleet`` looks after all of them with one ticker, so that
a process can hold some thousands.

A position is delivered when the platform's 0x8001 with its serial says 0. Not confirmed in time: the message is sent
again with the same serial, up to ``RESENDS`` times (2013 clause 6.4), then the connection is made anew. Whatever was
unconfirmed when a connection ended, and whatever was recorded meanwhile, goes up as 0x0704 type 1 (blind zone).
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import cast

from simulation.terminal.answers import answers, new_device
from simulation.terminal.statistics import FleetStats
from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar import messages as m
from telemetry.jt808.scalar.framing import MAX_BODY, FrameReader, encode_frame
from telemetry.jt808.scalar.header import Header, build_message, parse_header
from telemetry.jt808.scalar.report import BATCH_BLIND_ZONE, encode_batch

RESENDS = 3
_MAX_BACKOFF_S = 30.0
#: What the platform sends to answer us or to ask for packages: a terminal answers nothing to it.
_SILENT = frozenset(
    {
        MessageId.PLATFORM_GENERAL_REPLY,
        MessageId.REGISTRATION_REPLY,
        MessageId.PLATFORM_RETRANSMIT_REQUEST,
        MessageId.TIME_REPLY,
    }
)


class State(Enum):
    """Where a terminal is in its life."""

    OFFLINE = "offline"  # no network: told so
    WAITING = "waiting"  # for its time to connect
    CONNECTING = "connecting"
    REGISTERING = "registering"
    AUTHENTICATING = "authenticating"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. ``confirm_s``: how long a message waits for its 0x8001 before it is sent again."""

    connect_s: float = 10.0
    confirm_s: float = 10.0
    heartbeat_s: float = 60.0
    tick_s: float = 0.1


class _Unconfirmed:
    """A position message on its way."""

    __slots__ = ("bodies", "frame", "message_id", "resends", "sent_at")

    def __init__(self, message_id: int, frame: bytes, bodies: list[bytes], sent_at: float) -> None:
        self.message_id = message_id
        self.frame = frame
        self.bodies = bodies
        self.sent_at = sent_at
        self.resends = 0


class _Link(asyncio.Protocol):
    """One TCP connection of a terminal. A link the terminal has given up is no longer ``terminal.link``."""

    __slots__ = ("paused", "reader", "terminal", "transport")

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.reader = FrameReader()
        self.paused = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self.terminal.connected(self)

    def data_received(self, data: bytes) -> None:
        self.terminal.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.terminal.lost(self, exc)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self.terminal.writable(self)


class Terminal:
    """One terminal. Made by ``Fleet.add``; use ``offer``, ``go_offline``, ``go_online`` and ``waiting``."""

    __slots__ = (
        "_address",
        "_again",
        "_blind",
        "_code",
        "_control",
        "_deadline",
        "_failures",
        "_link",
        "_loop",
        "_newest",
        "_online",
        "_queue",
        "_serial",
        "_stats",
        "_timing",
        "_unconfirmed",
        "_window",
        "device",
        "last_sent_at",
        "phone",
        "registration",
        "retry_at",
        "state",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        address: tuple[str, int],
        phone: str,
        registration: m.Registration,
        stats: FleetStats,
        *,
        window: int,
        timing: Timing,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.phone = phone
        self.registration = registration
        self.version = registration.version
        self.device = new_device(registration.version, registration.device_id)
        self.state = State.WAITING
        self.retry_at = 0.0
        self.last_sent_at = 0.0
        self._address = address
        self._stats = stats
        self._window = window
        self._timing = timing
        self._loop = loop
        self._queue: deque[bytes] = deque()
        self._newest: bytes | None = None  # the position that was offered last
        self._blind = 0  # so many at the head of the queue are older than this connection
        self._again = 0  # so many at the head of the queue were sent before
        self._unconfirmed: dict[int, _Unconfirmed] = {}
        self._serial = 0
        self._code: bytes | None = None
        self._control: int | None = None  # serial of the registration or authentication that waits
        self._deadline = 0.0
        self._failures = 0
        self._online = False
        self._link: _Link | None = None

    # --- for the owner --------------------------------------------------------------------------------------------

    def offer(self, bodies: Iterable[bytes]) -> None:
        """Take 0x0200 bodies, oldest first. They are sent now, or as blind-zone batches when there is a connection."""
        before = len(self._queue)
        self._queue.extend(bodies)
        if len(self._queue) > before:
            self._newest = self._queue[-1]
        self._stats.offered += len(self._queue) - before
        if self.state is State.RUNNING:
            self._pump()
        else:
            self._blind = len(self._queue)

    @property
    def waiting(self) -> int:
        """Positions taken and not yet confirmed or refused."""
        return len(self._queue) + sum(len(u.bodies) for u in self._unconfirmed.values())

    @property
    def queued(self) -> int:
        """Positions not sent on this connection yet."""
        return len(self._queue)

    def go_offline(self) -> None:
        """Lose the network: the connection breaks off without a word."""
        if self.state is not State.STOPPED:
            self.state = State.OFFLINE
            self._drop()

    def go_online(self) -> None:
        """Have the network again."""
        if self.state is State.OFFLINE:
            self.state, self.retry_at = State.WAITING, 0.0

    def stop(self) -> None:
        """Close for good; what waits is abandoned and counted so."""
        if self.state is State.STOPPED:
            return
        self.state = State.STOPPED
        self._drop()
        self._stats.abandoned += len(self._queue)
        self._queue.clear()
        self._blind = 0

    async def connect(self) -> None:
        """Open the connection; called by ``Fleet``. Failures are counted and retried later."""
        try:
            async with asyncio.timeout(self._timing.connect_s):
                await self._loop.create_connection(lambda: _Link(self), *self._address)
        except (OSError, TimeoutError) as error:
            self._stats.connect_failures += 1
            self._stats.last_problem = (
                f"cannot connect to {self._address[0]}:{self._address[1]}: {error or 'timeout'}"
            )
            if self.state is State.CONNECTING:
                self._later()

    def tick(self, now: float) -> None:
        """Look after timeouts and the heartbeat; ``now`` is the loop's clock."""
        if self.state is State.RUNNING:
            late = now - self._timing.confirm_s
            # The oldest stands for all: after a resend the others wait at most one more confirm_s.
            oldest = next(iter(self._unconfirmed.values()), None)
            if oldest is not None and oldest.sent_at <= late:
                self._overdue(now, late)
            elif now - self.last_sent_at >= self._timing.heartbeat_s:
                self._send(MessageId.HEARTBEAT, b"")
        elif self.state in (State.REGISTERING, State.AUTHENTICATING) and now > self._deadline:
            self._stats.last_problem = f"no answer while {self.state.value}"
            self._reconnect()

    # --- for the link ---------------------------------------------------------------------------------------------

    def connected(self, link: _Link) -> None:
        """The connection stands: register, or authenticate with the code of before."""
        if self.state is not State.CONNECTING:  # stopped, or gone offline, on the way
            _abort(link)
            return
        self._link = link
        self._stats.connects += 1
        if self._code is None:
            self._register()
        else:
            self._authenticate(self._code)

    def received(self, link: _Link, data: bytes) -> None:
        """Bytes of the platform."""
        if link is not self._link:
            return
        for message in link.reader.feed(data):
            parsed = message if isinstance(message, Rejection) else parse_header(message)
            if isinstance(parsed, Rejection):
                self._stats.bad_frames += 1
                continue
            header, body = parsed
            self._take(header, body)
            if link is not self._link:  # that message made us hang up
                return
        if self.state is State.RUNNING and self._queue:
            self._pump()

    def lost(self, link: _Link, exc: Exception | None) -> None:
        """The connection ended, by the platform or the network."""
        if link is not self._link:  # we dropped it ourselves
            return
        self._stats.disconnects += 1
        self._stats.last_problem = (
            f"connection of terminal {self.phone} lost: {exc or 'closed by the platform'}"
        )
        self._reconnect()

    def writable(self, link: _Link) -> None:
        """The platform reads again."""
        if link is self._link and self.state is State.RUNNING:
            self._pump()

    # --- the protocol ---------------------------------------------------------------------------------------------

    def _take(self, header: Header, body: bytes) -> None:
        message_id = header.id
        if message_id == MessageId.PLATFORM_GENERAL_REPLY:
            reply = m.decode_general_reply(body)
            if isinstance(reply, Rejection):
                self._stats.bad_frames += 1
            else:
                self._general_reply(reply)
        elif message_id == MessageId.REGISTRATION_REPLY and self.state is State.REGISTERING:
            registered = m.decode_registration_reply(body)
            if isinstance(registered, Rejection):
                self._stats.bad_frames += 1
            elif registered.serial == self._control:
                self._registered(registered)
        elif message_id not in _SILENT and self.state is State.RUNNING:
            for answer_id, answer in answers(self.device, header, body, self._newest):
                self._send(answer_id, answer)

    def _register(self) -> None:
        self.state = State.REGISTERING
        self._control = self._send(MessageId.REGISTER, m.encode_registration(self.registration))
        self._deadline = self._loop.time() + self._timing.confirm_s

    def _registered(self, reply: m.RegistrationReply) -> None:
        if reply.result == 0 and reply.code:
            self._code = reply.code
            self._authenticate(reply.code)
            return
        self._stats.refused_registrations[reply.result] += 1
        self._stats.last_problem = f"registration of terminal {self.phone} refused with result {reply.result}"
        self._reconnect()

    def _authenticate(self, code: bytes) -> None:
        self.state = State.AUTHENTICATING
        body = m.encode_authentication(m.Authentication(code, "860000000000000", "simulator"), self.version)
        self._control = self._send(MessageId.AUTHENTICATE, body)
        self._deadline = self._loop.time() + self._timing.confirm_s

    def _general_reply(self, reply: m.GeneralReply) -> None:
        if reply.id == MessageId.AUTHENTICATE:
            if self.state is State.AUTHENTICATING and reply.serial == self._control:
                self._authenticated(reply.result)
            return
        entry = self._unconfirmed.get(reply.serial)
        if entry is None or entry.message_id != reply.id:
            self._stats.unmatched_replies += reply.id in (MessageId.LOCATION, MessageId.LOCATION_BATCH)
            return
        del self._unconfirmed[reply.serial]
        if reply.result in (0, 4):  # 4 = alarm confirmed: the report was taken
            self._stats.confirmed += len(entry.bodies)
            self._stats.latency.record(self._loop.time() - entry.sent_at)
        else:
            self._stats.refused[reply.result] += len(entry.bodies)
            self._stats.last_problem = (
                f"a position of terminal {self.phone} was refused with result {reply.result}"
            )

    def _authenticated(self, result: int) -> None:
        if result == 0:
            self.state = State.RUNNING
            self._failures = 0
            self._online = True
            self._stats.online += 1
            return  # ``received`` goes on with the queue
        self._stats.refused_authentications += 1
        self._stats.last_problem = f"authentication of terminal {self.phone} refused with result {result}"
        self._code = None  # register anew
        self._reconnect()

    def _pump(self) -> None:
        """Send from the queue as far as the window allows: old positions in batches, new ones one by one."""
        link, out = self._link, []
        if link is None or link.transport is None:
            return
        while self._queue and len(self._unconfirmed) < self._window and not link.paused:
            out.append(self._next_batch() if self._blind else self._next_report())
        if out:
            self.last_sent_at = self._loop.time()
            link.transport.write(b"".join(out))

    def _next_report(self) -> bytes:
        body = self._queue.popleft()
        return self._frame(MessageId.LOCATION, body, [body])

    def _next_batch(self) -> bytes:
        bodies, length = [], 3
        while self._blind and length + 2 + len(self._queue[0]) <= MAX_BODY:
            bodies.append(self._queue.popleft())
            self._blind -= 1
            length += 2 + len(bodies[-1])
        return self._frame(MessageId.LOCATION_BATCH, encode_batch(BATCH_BLIND_ZONE, bodies), bodies)

    def _frame(self, message_id: int, body: bytes, bodies: list[bytes]) -> bytes:
        serial = self._next_serial()
        frame = encode_frame(build_message(message_id, body, self.phone, serial, version=self.version))
        self._unconfirmed[serial] = _Unconfirmed(message_id, frame, bodies, self._loop.time())
        repeated = min(self._again, len(bodies))
        self._again -= repeated
        self._stats.sent += len(bodies) - repeated
        self._stats.transmissions += 1
        return frame

    def _next_serial(self) -> int:
        self._serial = (self._serial + 1) & 0xFFFF
        while self._serial in self._unconfirmed:
            self._serial = (self._serial + 1) & 0xFFFF
        return self._serial

    def _send(self, message_id: int, body: bytes) -> int:
        serial = self._next_serial()
        if self._link is not None and self._link.transport is not None:
            frame = encode_frame(build_message(message_id, body, self.phone, serial, version=self.version))
            self._link.transport.write(frame)
            self.last_sent_at = self._loop.time()
        return serial

    # --- trouble --------------------------------------------------------------------------------------------------

    def _overdue(self, now: float, late: float) -> None:
        """Send again, with the same serials, what was not confirmed in time; after RESENDS times, connect anew."""
        overdue = [entry for entry in self._unconfirmed.values() if entry.sent_at <= late]
        if any(entry.resends >= RESENDS for entry in overdue):
            self._stats.last_problem = f"terminal {self.phone}: no confirmation after {RESENDS} resends"
            self._reconnect()
            return
        for entry in overdue:
            entry.sent_at = now
            entry.resends += 1
        self._stats.transmissions += len(overdue)
        self._stats.resent += len(overdue)
        self.last_sent_at = now
        if self._link is not None and self._link.transport is not None:
            self._link.transport.write(b"".join(entry.frame for entry in overdue))

    def _drop(self) -> None:
        """End the connection; what was unconfirmed goes back to the head of the queue, in order."""
        if self._link is not None:
            link, self._link = self._link, None
            _abort(link)
        if self._online:
            self._online = False
            self._stats.online -= 1
        returned = [body for entry in self._unconfirmed.values() for body in entry.bodies]
        self._unconfirmed.clear()
        self._queue.extendleft(reversed(returned))
        self._again += len(returned)
        self._blind = len(self._queue)

    def _reconnect(self) -> None:
        self._drop()
        if self.state not in (State.OFFLINE, State.STOPPED):
            self._later()

    def _later(self) -> None:
        """Try again after a pause that doubles, with some spread so that a fleet does not come back as one."""
        self.state = State.WAITING
        pause = min(_MAX_BACKOFF_S, 0.5 * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self.retry_at = self._loop.time() + pause * random.uniform(0.5, 1.0)  # noqa: S311 - spread, not secrecy


def _abort(link: _Link) -> None:
    if link.transport is not None:
        link.transport.abort()
