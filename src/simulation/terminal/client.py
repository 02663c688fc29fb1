"""A JT/T 808 terminal as a client (2011, 2013, 2019): what a terminal does on its side of the connection.

``Terminal`` registers, authenticates, sends positions with a bounded number of unconfirmed messages, keeps what was not confirmed,
and obeys what the platform sends (``answers``, ``outbox``). It has no task and no timer of its own; ``Fleet`` looks after all of
them with one ticker, so that a process can hold some thousands.

A position is delivered when the platform's 0x8001 with its serial says 0. Not confirmed in time: the message is sent
again with the same serial, up to ``RESENDS`` times (2013 clause 6.4), then the connection is made anew. Whatever was
unconfirmed when a connection ended, and whatever was recorded meanwhile, goes up as 0x0704 type 1 (blind zone).
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable

from simulation.terminal.device import new_device
from simulation.terminal.duties import Duties
from simulation.terminal.link import Link
from simulation.terminal.outbox import RESENDS, Outbox
from simulation.terminal.state import State, Timing, Unconfirmed
from simulation.terminal.statistics import FleetStats
from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar import messages as m
from telemetry.jt808.scalar.framing import MAX_BODY, encode_frame
from telemetry.jt808.scalar.header import Header, Version, build_message, parse_header
from telemetry.jt808.scalar.report import (
    BATCH_BLIND_ZONE,
    BATCH_NORMAL,
    encode_batch,
)

_MAX_BACKOFF_S = 30.0


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
        "_online",
        "_queue",
        "_serial",
        "_stats",
        "_timing",
        "_unconfirmed",
        "_window",
        "device",
        "duties",
        "last_sent_at",
        "outbox",
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
        clock: Callable[[], float] | None = None,
    ) -> None:
        """``clock``: the time of the device (``Duties``)."""
        self.phone = phone
        self.registration = registration
        self.version = registration.version
        self.device = new_device(registration.version, registration.device_id, registration.plate)
        self.outbox = Outbox(
            phone, self.version, stats, confirm_s=timing.confirm_s, serials=self._serials, write=self._write
        )
        self.duties = Duties(
            self.device, self.outbox, stats, send=self._send, restart=self._restart, clock=clock
        )
        self.state = State.WAITING
        self.retry_at = 0.0
        self.last_sent_at = 0.0
        self._address = address
        self._stats = stats
        self._window = window
        self._timing = timing
        self._loop = loop
        self._queue: deque[bytes] = deque()
        self._blind = 0  # so many at the head of the queue are older than this connection
        self._again = 0  # so many at the head of the queue were sent before
        self._unconfirmed: dict[int, Unconfirmed] = {}
        self._serial = 0
        self._code: bytes | None = None
        self._control: int | None = None  # serial of the registration or authentication that waits
        self._deadline = 0.0
        self._failures = 0
        self._online = False
        self._link: Link | None = None

    # --- for the owner --------------------------------------------------------------------------------------------

    def offer(self, bodies: Iterable[bytes]) -> None:
        """Take 0x0200 bodies, oldest first. They are sent now, or as blind-zone batches when there is a connection."""
        before = len(self._queue)
        self._queue.extend(bodies)
        if len(self._queue) > before:
            self.duties.at(self._queue[-1], self._loop.time())
        self._stats.offered += len(self._queue) - before
        if self.state is State.RUNNING:
            self._pump()
        else:
            self._blind = self._batched(len(self._queue))

    def offer_together(self, bodies: list[bytes]) -> None:
        """As ``offer``, in one message (0x0704 type 0) where there is a connection and they fit; 2011 has no such message."""
        body = encode_batch(BATCH_NORMAL, bodies)
        room = len(self._unconfirmed) < self._window and len(body) <= MAX_BODY
        if self.state is not State.RUNNING or self._queue or not room or self.version is Version.V2011:
            self.offer(bodies)
            return
        self.duties.at(bodies[-1], self._loop.time())
        self._stats.offered += len(bodies)
        self._write(self._frame(MessageId.LOCATION_BATCH, body, bodies))

    def say(self, message_id: int, body: bytes) -> None:
        """Send a message of its own that is no position of the owner's, now or at the next login, again until it is confirmed."""
        self.outbox.say(message_id, body, self._loop.time())

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
                await self._loop.create_connection(lambda: Link(self), *self._address)
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
            if self.outbox.due <= now:
                self.duties.tick(now)
        elif self.state in (State.REGISTERING, State.AUTHENTICATING) and now > self._deadline:
            self._stats.last_problem = f"no answer while {self.state.value}"
            self._reconnect()

    # --- for the link ---------------------------------------------------------------------------------------------

    def connected(self, link: Link) -> None:
        """The connection stands: register, or authenticate with the code of before."""
        if self.state is not State.CONNECTING:  # stopped, or gone offline, on the way
            link.abort()
            return
        self._link = link
        self._stats.connects += 1
        if self._code is None:
            self._register()
        else:
            self._authenticate(self._code)

    def received(self, link: Link, data: bytes) -> None:
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

    def lost(self, link: Link, exc: Exception | None) -> None:
        """The connection ended, by the platform or the network."""
        if link is not self._link:  # we dropped it ourselves
            return
        self._stats.disconnects += 1
        self._stats.last_problem = (
            f"connection of terminal {self.phone} lost: {exc or 'closed by the platform'}"
        )
        self._reconnect()

    def writable(self, link: Link) -> None:
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
        elif self.state is State.RUNNING:
            self.duties.obey(header, body, self._loop.time())

    def _restart(self, after_s: float) -> None:
        """Hang up, and come back later."""
        self._drop()
        self.state, self.retry_at = State.WAITING, self._loop.time() + after_s

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
            if not self.outbox.confirmed(reply.serial, reply.id, reply.result):
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
            self.outbox.online(self._loop.time())
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
        if self.device.status:
            return self._frame(MessageId.LOCATION, self.device.marked(body), [body])
        return self._frame(MessageId.LOCATION, body, [body])

    def _batched(self, count: int) -> int:
        """So many of ``count`` old positions go up in batches: 2011 has no 0x0704."""
        return 0 if self.version is Version.V2011 else count

    def _next_batch(self) -> bytes:
        bodies, length = [], 3
        while self._blind and length + 2 + len(self._queue[0]) <= MAX_BODY:
            bodies.append(self._queue.popleft())
            self._blind -= 1
            length += 2 + len(bodies[-1])
        told = [self.device.marked(body) for body in bodies] if self.device.status else bodies
        return self._frame(MessageId.LOCATION_BATCH, encode_batch(BATCH_BLIND_ZONE, told), bodies)

    def _frame(self, message_id: int, body: bytes, bodies: list[bytes]) -> bytes:
        serial = self._next_serial()
        frame = encode_frame(build_message(message_id, body, self.phone, serial, version=self.version))
        self._unconfirmed[serial] = Unconfirmed(message_id, frame, bodies, self._loop.time())
        repeated = min(self._again, len(bodies))
        self._again -= repeated
        self._stats.sent += len(bodies) - repeated
        self._stats.transmissions += 1
        return frame

    def _next_serial(self) -> int:
        self._serial = (self._serial + 1) & 0xFFFF
        while self._serial in self._unconfirmed or self._serial in self.outbox.unconfirmed:
            self._serial = (self._serial + 1) & 0xFFFF
        return self._serial

    def _serials(self, count: int) -> int:
        """The first of ``count`` serial numbers in a row."""
        first, k = self._next_serial(), 1
        while k < count:
            following = (first + k) & 0xFFFF
            if following in self._unconfirmed or following in self.outbox.unconfirmed:
                self._serial = following
                first, k = self._next_serial(), 0
            k += 1
        self._serial = (first + count - 1) & 0xFFFF
        return first

    def _write(self, frames: bytes) -> None:
        if self._link is not None and self._link.transport is not None:
            self._link.transport.write(frames)
            self.last_sent_at = self._loop.time()

    def _send(self, message_id: int, body: bytes) -> int:
        if len(body) > MAX_BODY:
            self._write(self.outbox.packages(message_id, body))
            return self._serial
        serial = self._next_serial()
        self._write(encode_frame(build_message(message_id, body, self.phone, serial, version=self.version)))
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
            link.abort()
        if self._online:
            self._online = False
            self._stats.online -= 1
            self.outbox.offline()
        returned = [body for entry in self._unconfirmed.values() for body in entry.bodies]
        self._unconfirmed.clear()
        self._queue.extendleft(reversed(returned))
        self._again += len(returned)
        self._blind = self._batched(len(self._queue))

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
