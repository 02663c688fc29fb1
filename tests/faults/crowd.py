"""Thousands of 808 terminals in one epoll set: no task, timer or protocol object for each of them.

They do what the protocol allows (JT/T 808 clause 5.2): a report without a reply is sent again, each time after a longer
wait (T, 2T, 6T), and after the last wait the terminal connects anew and sends everything again. Every reply is checked:
it must carry this terminal's phone and answer what was sent on this very connection. For each confirmed message it is
written down when it was first sent and when the reply came.
"""

from __future__ import annotations

import asyncio
import random
import select
import socket
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np

from runtime.arrays import Ints
from telemetry.jt808.ids import MessageId
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar import messages as m
from telemetry.jt808.scalar.framing import FrameReader, encode_frame
from telemetry.jt808.scalar.header import build_message, parse_header
from telemetry.jt808.scalar.report import BATCH_BLIND_ZONE, encode_batch
from tests.faults.fleet import Ledger, authentication, open_socket, version_of
from tests.faults.plan import Plan

WINDOW = 8
CONFIRM_S = 2.0
RESENDS = 3
CONNECT_S = 5.0
_BATCH = 20
#: A backlog of more rows than this goes up as 0x0704.
_LIVE_BACKLOG = 6
_TICK_S = 0.005
_GENERAL_REPLY = 0x8001
_NEVER = float("inf")
#: Serials remembered of what was sent on a connection, beyond those without a reply.
_REMEMBERED = 256
_AWAY, _CONNECTING, _ASKING, _RUNNING = range(4)


class _Report:
    __slots__ = ("count", "deadline", "first_row", "first_sent", "frame", "live", "resends")

    def __init__(self, first_row: int, count: int, live: bool, first_sent: float) -> None:
        self.first_row, self.count, self.live, self.first_sent = first_row, count, live, first_sent
        self.frame, self.deadline, self.resends = b"", 0.0, 0


class _Terminal:
    __slots__ = (
        "again", "next_row", "number", "phone", "reader", "serial", "serials", "sock", "state", "tries", "unconfirmed", "unsent",
        "version",
    )  # fmt: skip

    def __init__(self, number: int, phone: str) -> None:
        self.number, self.phone, self.version = number, phone, version_of(number)
        self.state, self.tries, self.serial, self.next_row = _AWAY, 0, number * 997 & 0xFFFF, 0
        self.sock: socket.socket | None = None
        self.reader = FrameReader()
        self.unsent = b""
        self.unconfirmed: dict[int, _Report] = {}
        self.serials: dict[int, int] = {}  # serial -> message id, of what was sent on this connection
        self.again: deque[_Report] = deque()


class Crowd:
    """The terminals ``0 .. terminals - 1`` of ``plan``, as an async context manager. Offer reports with ``drive``."""

    def __init__(self, plan: Plan, port: int, *, terminals: int, rate: float) -> None:
        """``rate``: positions a second, of all terminals together."""
        self.plan, self.ledger = plan, Ledger(terminals, plan.rows)
        self._port, self._each = port, rate / terminals
        self._terminals = [_Terminal(k, plan.phone(k)) for k in range(terminals)]
        self._by_fd: dict[int, _Terminal] = {}
        self._epoll = select.epoll()
        self._due = np.full(terminals, _NEVER)
        self._phase = np.arange(terminals) * 0.618 % 1.0
        self._offered = np.zeros(terminals, np.int64)
        self._begin: float | None = None
        self._lag_at, self._lag = array("d"), array("d")
        self._online = False
        self._ticker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._events)
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        self._epoll.close()

    # --- what the scenarios ask for -----------------------------------------------------------------------------------

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def running(self) -> int:
        """Terminals that are authenticated."""
        return sum(t.state == _RUNNING for t in self._terminals)

    @property
    def waiting(self) -> int:
        """Positions offered and not confirmed."""
        return int(self._offered.sum()) - int(self.ledger.confirmed.sum())

    @property
    def offered(self) -> Ints:
        """How many rows each terminal was offered so far, shape (terminals,)."""
        return self._offered

    def p99_ms(self, since: float, until: float) -> float:
        """The 99th percentile of the live reports first sent within [since, until), those without a reply yet among
        them (as old as they are)."""
        now = self.now()
        open_ones = [
            now - report.first_sent
            for terminal in self._terminals
            for report in (*terminal.unconfirmed.values(), *terminal.again)
            if report.live and since <= report.first_sent < until
        ]
        found = np.concatenate([self.ledger.latencies(since, until), open_ones])
        return float(np.percentile(found, 99)) * 1000 if len(found) else _NEVER

    def lag_p99_ms(self, since: float, until: float) -> float:
        """How late this generator itself came to its turns (99th percentile): what of the latency may be its own."""
        at, lag = np.array(self._lag_at), np.array(self._lag)
        inside = lag[(at >= since) & (at < until)]
        return float(np.percentile(inside, 99)) * 1000 if len(inside) else 0.0

    async def connect(self, timeout_s: float = 60.0) -> None:
        """Everybody connects and authenticates. Raises TimeoutError."""
        self._online = True
        self._due[:] = self.now() + np.linspace(0, len(self._due) / 5_000, len(self._due))
        async with asyncio.timeout(timeout_s):
            while True:
                if self.running == len(self._terminals):
                    return
                await asyncio.sleep(0.02)

    def drive(self) -> None:
        """From now on positions are offered at the rate, until ``rest``."""
        self._begin = self.now()
        self._base = self._offered.copy()

    def burst(self, rows: int) -> None:
        """Offer everybody so many rows at once."""
        self._offered += rows
        self._pump(self._terminals, self.now())

    def rest(self) -> None:
        """Offer nothing more; what is not confirmed keeps waiting."""
        self._begin = None

    async def flush(self, timeout_s: float) -> None:
        """Wait until everything is confirmed. TimeoutError says how much is not."""
        deadline = self.now() + timeout_s
        while self.waiting:
            if self.now() > deadline:
                raise TimeoutError(
                    f"{self.waiting} positions not confirmed after {timeout_s} s, {self.running} running"
                )
            await asyncio.sleep(0.05)

    def cut(self) -> None:
        """Every line breaks at once; everybody comes back at once, with at least one report to send."""
        now = self.now()
        for terminal in self._terminals:
            self._drop(terminal)
            if terminal.next_row == self._offered[terminal.number] and not terminal.again:
                self._offered[terminal.number] += 1
        self._due[:] = now
        if self._begin is not None:
            self._base = np.maximum(self._base, self._offered - self._wanted(now))

    def leave(self) -> None:
        """Everybody goes, whatever is under way."""
        self._online = False
        self._begin = None
        self._due[:] = _NEVER
        for terminal in self._terminals:
            self._drop(terminal)

    # --- time ---------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            now = self.now()
            if self._begin is not None:
                self._offer(now)
            for k in np.flatnonzero(self._due <= now).tolist():
                self._due[k] = _NEVER
                if self._online:
                    self._on_time(self._terminals[k], now)
            asleep = self.now()
            await asyncio.sleep(_TICK_S)
            self._lag_at.append(asleep)
            self._lag.append(self.now() - asleep - _TICK_S)

    def _wanted(self, now: float) -> Ints:
        """Rows offered to each terminal since ``drive``, shape (terminals,)."""
        begin = now if self._begin is None else self._begin
        wanted: Ints = np.floor((now - begin) * self._each + self._phase).astype(np.int64)
        return wanted

    def _offer(self, now: float) -> None:
        wanted = np.minimum(self._base + self._wanted(now), self.plan.rows)
        more = np.flatnonzero(wanted > self._offered)
        self._offered[more] = wanted[more]
        self._pump([self._terminals[k] for k in more.tolist()], now)

    def _on_time(self, terminal: _Terminal, now: float) -> None:
        if terminal.state == _AWAY:
            self._connect(terminal, now)
        elif terminal.state in (_CONNECTING, _ASKING):
            self._lost(terminal, now)
        else:
            late = [report for report in terminal.unconfirmed.values() if report.deadline <= now]
            if any(report.resends >= RESENDS for report in late):
                self._lost(terminal, now)
                return
            for report in late:
                report.resends += 1
                report.deadline = now + CONFIRM_S * (1, 2, 6, 6)[report.resends]
                self._write(terminal, report)
            if late:
                self._flush_unsent(terminal, now)
            self._due[terminal.number] = min(
                (r.deadline for r in terminal.unconfirmed.values()), default=_NEVER
            )

    # --- connections --------------------------------------------------------------------------------------------------

    def _connect(self, terminal: _Terminal, now: float) -> None:
        try:
            sock = open_socket(terminal.number, self._port)
        except OSError:
            self._lost(terminal, now)
            return
        terminal.sock, terminal.state = sock, _CONNECTING
        terminal.reader, terminal.unsent, terminal.serials = FrameReader(), b"", {}
        self._by_fd[sock.fileno()] = terminal
        self._epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
        self._due[terminal.number] = now + CONNECT_S

    def _lost(self, terminal: _Terminal, now: float) -> None:
        """The connection is gone, or of no use: connect anew after a growing pause."""
        self._drop(terminal)
        self._due[terminal.number] = now + min(0.5 * 2**terminal.tries, 10.0) * random.uniform(0.5, 1.5)
        terminal.tries += 1

    def _drop(self, terminal: _Terminal) -> None:
        if terminal.sock is not None:
            del self._by_fd[terminal.sock.fileno()]
            self._epoll.unregister(terminal.sock.fileno())
            terminal.sock.close()
            terminal.sock = None
        terminal.again.extendleft(reversed(terminal.unconfirmed.values()))
        terminal.unconfirmed = {}
        terminal.state = _AWAY

    # --- bytes --------------------------------------------------------------------------------------------------------

    def _events(self) -> None:
        now = self.now()
        ready: list[_Terminal] = []
        for fd, event in self._epoll.poll(0, 8192):
            terminal = self._by_fd.get(fd)
            if terminal is None or terminal.sock is None:
                continue
            if event & (select.EPOLLERR | select.EPOLLHUP):
                self._lost(terminal, now)
                continue
            if event & select.EPOLLOUT:
                self._writable(terminal, now)
            if event & select.EPOLLIN and self._readable(terminal, now):
                ready.append(terminal)
        self._pump(ready, now)

    def _writable(self, terminal: _Terminal, now: float) -> None:
        if terminal.state == _CONNECTING:
            terminal.state = _ASKING
            self.ledger.connects += 1
            self.ledger.authentications += 1
            serial = self._next_serial(terminal, MessageId.AUTHENTICATE)
            terminal.unsent = authentication(terminal.phone, terminal.version, serial)
            self._due[terminal.number] = now + CONNECT_S
        self._flush_unsent(terminal, now)

    def _readable(self, terminal: _Terminal, now: float) -> bool:
        """Take replies; whether the terminal may have something to send now."""
        assert terminal.sock is not None
        try:
            data = terminal.sock.recv(65_536)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._lost(terminal, now)
            return False
        for message in terminal.reader.feed(data):
            self._received(terminal, message, now)
        return terminal.state == _RUNNING

    def _received(self, terminal: _Terminal, message: bytes | Rejection, now: float) -> None:
        fault = self.ledger.fault
        parsed = message if isinstance(message, Rejection) else parse_header(message)
        if isinstance(parsed, Rejection):
            fault(f"{terminal.phone}: unreadable frame from the gateway: {parsed.detail}")
            return
        header, body = parsed
        reply = m.decode_general_reply(body) if header.id == _GENERAL_REPLY else None
        if header.terminal_phone != terminal.phone or header.version is not terminal.version:
            fault(f"{terminal.phone}: got a message for {header.phone} ({header.version})")
        elif reply is None or isinstance(reply, Rejection) or reply.result:
            fault(f"{terminal.phone}: message {header.id:#x}: {reply}")
        elif terminal.serials.get(reply.serial) != reply.id:
            fault(f"{terminal.phone}: a reply to nothing that was sent here: {reply}")
        elif reply.id == MessageId.AUTHENTICATE:
            terminal.state, terminal.tries = _RUNNING, 0
        else:
            report = terminal.unconfirmed.pop(reply.serial, None)
            if report is not None:  # else a second reply, to what was sent again
                ledger, rows = self.ledger, slice(report.first_row, report.first_row + report.count)
                ledger.confirmed[terminal.number, rows] = True
                ledger.first_sent.append(report.first_sent)
                ledger.replied.append(now)
                ledger.live.append(report.live)
                ledger.heard[terminal.number] = now

    # --- reports ------------------------------------------------------------------------------------------------------

    def _pump(self, terminals: Iterable[_Terminal], now: float) -> None:
        """Fill the windows of ``terminals``: what must be sent again first, then what was offered."""
        new: list[tuple[_Terminal, _Report]] = []
        for terminal in terminals:
            if terminal.state != _RUNNING:
                continue
            room = WINDOW - len(terminal.unconfirmed)
            offered = int(self._offered[terminal.number])
            while room > 0 and (terminal.again or terminal.next_row < offered):
                if terminal.again:
                    report = terminal.again.popleft()
                else:
                    left = offered - terminal.next_row
                    live = left <= _LIVE_BACKLOG
                    report = _Report(terminal.next_row, 1 if live else min(left, _BATCH), live, now)
                    terminal.next_row += report.count
                new.append((terminal, report))
                room -= 1
        if not new:
            return
        counts = np.array([report.count for _, report in new])
        first = np.array([report.first_row for _, report in new])
        row = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        bodies = self.plan.all_bodies(np.repeat([t.number for t, _ in new], counts), row)
        at = 0
        for terminal, report in new:
            self._send(terminal, report, bodies[at : at + report.count], now)
            at += report.count
        for terminal in {id(t): t for t, _ in new}.values():
            self._flush_unsent(terminal, now)

    def _send(self, terminal: _Terminal, report: _Report, bodies: Sequence[bytes], now: float) -> None:
        message_id = MessageId.LOCATION if report.live else MessageId.LOCATION_BATCH
        body = bodies[0] if report.live else encode_batch(BATCH_BLIND_ZONE, list(bodies))
        serial = self._next_serial(terminal, message_id)
        report.frame = encode_frame(
            build_message(message_id, body, terminal.phone, serial, version=terminal.version)
        )
        report.resends, report.deadline = 0, now + CONFIRM_S
        terminal.unconfirmed[serial] = report
        self._due[terminal.number] = min(self._due[terminal.number], report.deadline)
        self._write(terminal, report)

    def _write(self, terminal: _Terminal, report: _Report) -> None:
        if len(terminal.unsent) > 8192:  # the line takes nothing: a modem would not hold more either
            return
        self.ledger.sent[terminal.number, report.first_row : report.first_row + report.count] += 1
        if report.live:
            self.ledger.reports += 1
        else:
            self.ledger.batches += 1
        terminal.unsent += report.frame

    def _flush_unsent(self, terminal: _Terminal, now: float) -> None:
        sock = terminal.sock
        if sock is None:
            return
        if terminal.unsent:
            try:
                sent = sock.send(terminal.unsent)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._lost(terminal, now)
                return
            terminal.unsent = terminal.unsent[sent:]
        events = select.EPOLLIN | (select.EPOLLOUT if terminal.unsent else 0)
        if terminal.state != _CONNECTING:
            self._epoll.modify(sock.fileno(), events)

    def _next_serial(self, terminal: _Terminal, message_id: int) -> int:
        serial = (terminal.serial + 1) & 0xFFFF
        while serial in terminal.unconfirmed:
            serial = (serial + 1) & 0xFFFF
        terminal.serial = serial
        serials = terminal.serials
        if len(serials) > 2 * _REMEMBERED:
            kept = list(serials.items())[-_REMEMBERED:]
            terminal.serials = serials = dict(kept)
        serials.pop(serial, None)
        serials[serial] = message_id
        return serial
