"""The sockets of one gateway: accepting, reading, writing, closing. Knows no protocol.

All terminal sockets sit in one epoll set of our own, and only that set is registered with the event loop. So one loop
turn reads everything that has arrived; a connection costs one ``recv`` and one ``send`` and no Python object per
message. It also means that the event loop never touches a terminal's buffer: which bytes go to which socket is decided
here alone, under uvloop and asyncio alike.
"""

from __future__ import annotations

import errno
import logging
import select
import socket
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import NamedTuple, cast

import numpy as np

from runtime.arrays import Ints
from runtime.errors import ConfigurationError
from telemetry.gateway import metrics
from telemetry.gateway.connection import Connection, ConnectionTable
from telemetry.gateway.entrances.origins import Origins, plain
from telemetry.gateway.limits import Admission, Limits

logger = logging.getLogger(__name__)

_EVENTS_PER_TURN = 8192
_ACCEPTS_PER_TURN = 512
#: What a turn reads is in memory some nine times while it is decoded, and that is outside of the memory budget. When
#: many have much to say (after an outage) each gets its share, but at least _LEAST_BYTES; the rest waits in the sockets.
_BYTES_PER_TURN = 2 << 20
_LEAST_BYTES = 512
_READABLE = {select.EPOLLIN}
#: Why a connection cannot be accepted, nor the next one: it stays where it is, and asking again at once would never end.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC})
_recv, _send = socket.socket.recv, socket.socket.send


class Arrived(NamedTuple):
    """One turn's bytes: ``chunks[i]`` (not empty) came from ``owners[i]``, which sits in ``slots[i]`` (int64)."""

    chunks: list[bytes]
    owners: list[Connection]
    slots: Ints


#: Takes a socket that was accepted, with its address and port.
Taker = Callable[[socket.socket, str, int], None]


class Sockets:
    """Listeners and connections. ``on_close(connection)`` is called once, before its slot is given back."""

    def __init__(
        self,
        limits: Limits,
        table: ConnectionTable,
        on_close: Callable[[Connection], None],
        origins: Origins | None = None,
    ) -> None:
        self.origins = origins or Origins()
        self._limits = limits
        self._table = table
        self._on_close = on_close
        self._admission = Admission(limits)
        self._epoll = select.epoll()
        self._listeners: dict[int, socket.socket] = {}
        #: Of listeners whose connections are not plain from their first byte: who makes them so.
        self._takers: dict[int, Taker] = {}
        #: Listeners that are not watched now: the system has no room for more connections.
        self._paused: set[int] = set()
        self._exhausted = False  # True from then until all that waited are accepted
        self.connections: dict[int, Connection] = {}
        #: Is told what goes to a connection, while somebody watches one; else None.
        self.tap: Callable[[Connection, bytes | memoryview], None] | None = None
        self._with_unsent = 0  # connections that have replies waiting
        #: Bytes of all replies that wait for terminals which do not read. At most a quarter of the memory budget:
        #: a terminal that does not read its replies must not stop the reading of the others.
        self.unsent_bytes = 0
        self._most_unsent = limits.memory_budget_bytes // 4

    def fileno(self) -> int:
        """Readable when any socket here is."""
        return self._epoll.fileno()

    def listen(self, host: str, port: int, taker: Taker | None = None, setting: str = "GONGCHE_TCP") -> int:
        """Start accepting; returns the port. Several processes may share one port (SO_REUSEPORT). ``::`` is both protocols, IPv6 and
        IPv4. ``taker``: gets what is accepted, and gives it to ``admit`` when it is plain. ``setting``: what begins the names of the
        settings, for the message.

        Raises ConfigurationError when the address cannot be used.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        both = host == "::" and socket.has_dualstack_ipv6()
        try:
            listener = socket.create_server(
                (host, port), family=family, backlog=4096, reuse_port=True, dualstack_ipv6=both
            )
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen for terminals on {host}:{port}: {error.strerror}",
                hint=f"see GONGCHE_TCP_HOST, {setting}_PORT",
            ) from error
        listener.setblocking(False)
        self._listeners[listener.fileno()] = listener
        if taker is not None:
            self._takers[listener.fileno()] = taker
        self._epoll.register(listener.fileno(), select.EPOLLIN)
        return int(listener.getsockname()[1])

    def stop_listening(self) -> None:
        """Accept no new connections; those that are open stay."""
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()
        self._takers.clear()
        self._paused.clear()

    def accept_again(self) -> None:
        """Ask for new connections again, after the system had no room for them. To be called now and then."""
        for fd in self._paused:
            self._epoll.register(fd, select.EPOLLIN)
        self._paused.clear()

    def close_all(self, reason: str) -> None:
        """Close everything, the epoll set too."""
        self.stop_listening()
        for connection in list(self.connections.values()):
            self.close(connection, reason)
        self._epoll.close()

    def read(self, now: float) -> Arrived:
        """What has arrived, at most ``read_bytes`` of each connection, and whose it is."""
        events = dict(self._epoll.poll(0, _EVENTS_PER_TURN))
        ready = [fd for fd in self._listeners if events.pop(fd, 0)]
        if events and set(events.values()) != _READABLE:
            self._flush_writable(events)
        owners = list(map(self.connections.__getitem__, events))
        chunks = self._read_each(owners)
        if not all(chunks):  # from some there was nothing to read, some are closed
            for connection, chunk in zip(owners, chunks, strict=True):
                if chunk == b"":
                    self.close(connection, "peer")
            owners = [c for c, chunk in zip(owners, chunks, strict=True) if chunk]
            chunks = [chunk for chunk in chunks if chunk]
        slots = np.fromiter([c.slot for c in owners], np.int64, len(owners))
        self._table.seen[slots] = now
        for fd in ready:  # last: a new connection may get the number of a descriptor that was just closed
            self._accept(self._listeners[fd], now)
        return Arrived(cast(list[bytes], chunks), owners, slots)

    def _read_each(self, owners: Sequence[Connection]) -> list[bytes | None]:
        """What each of ``owners`` has sent: b"" = its end, None = nothing."""
        sockets = [c.sock for c in owners]
        share = max(_BYTES_PER_TURN // max(len(sockets), 1), _LEAST_BYTES)
        size = repeat(min(self._limits.read_bytes, share))
        chunks: list[bytes | None] = []
        while len(chunks) < len(sockets):
            try:
                # The loop over connections runs in C; what was read before an error is kept.
                chunks.extend(map(_recv, sockets[len(chunks) :], size))
            except BlockingIOError:
                chunks.append(None)
            except OSError:
                self.close(owners[len(chunks)], "error")
                chunks.append(None)
        return chunks

    def _flush_writable(self, events: dict[int, int]) -> None:
        """Send what waits for those that can take it; ``events`` keeps those to read from."""
        for fd, event in list(events.items()):
            if event & select.EPOLLOUT:
                connection = self.connections[fd]
                self._flush(connection)
                if connection.closed or not event & ~select.EPOLLOUT:
                    del events[fd]

    def send(self, connection: Connection, data: bytes | memoryview) -> None:
        """Send now what the socket takes, keep the rest (bounded: a terminal that does not read is closed)."""
        if self.tap is not None:
            self.tap(connection, data)
        self._send_or_keep(connection, data)

    def _send_or_keep(self, connection: Connection, data: bytes | memoryview) -> None:
        if connection.closed:
            return
        if not connection.unsent:
            try:
                sent = connection.sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.close(connection, "error")
                return
            if sent == len(data):
                return
            data = data[sent:]
            self._with_unsent += 1
            self._epoll.modify(connection.fd, select.EPOLLIN | select.EPOLLOUT)
        connection.unsent += bytes(data)
        self.unsent_bytes += len(data)
        if len(connection.unsent) > self._limits.max_unsent_bytes:
            self.close(connection, "slow_reader")
        elif self.unsent_bytes > self._most_unsent:
            self._close_slowest()

    def _close_slowest(self) -> None:
        """Close those that have most waiting, until half of what all may have is free again."""
        waiting = [c for c in self.connections.values() if c.unsent]
        for connection in sorted(waiting, key=lambda c: len(c.unsent), reverse=True):
            if self.unsent_bytes <= self._most_unsent // 2:
                break
            self.close(connection, "slow_reader")

    def send_slices(self, connections: Sequence[Connection], data: bytes, ends: Sequence[int]) -> None:
        """``send`` each of ``connections`` its slice of ``data``; the i-th slice ends at ``ends[i]``."""
        pieces = _cut(data, ends)
        if self.tap is not None:
            for connection, piece in zip(connections, pieces, strict=True):
                self.tap(connection, piece)
        if self._with_unsent:
            for connection, piece in zip(connections, pieces, strict=True):
                self._send_or_keep(connection, piece)
            return
        sockets = [c.sock for c in connections]
        sent: list[int] = []
        while len(sent) < len(sockets):
            try:
                sent.extend(map(_send, sockets[len(sent) :], pieces[len(sent) :]))  # as in _read_each
            except OSError:  # its buffer is full, or it is closed: ``_send_or_keep`` finds out which
                sent.append(0)
        if sent != list(map(len, pieces)):
            for connection, piece, count in zip(connections, pieces, sent, strict=True):
                if count != len(piece):
                    self._send_or_keep(connection, piece[count:])

    def close(self, connection: Connection, reason: str) -> None:
        """Close ``connection``; a second call does nothing."""
        if connection.closed:
            return
        connection.closed = True
        self._on_close(connection)
        del self.connections[connection.fd]
        self._epoll.unregister(connection.fd)
        connection.sock.close()
        self._with_unsent -= bool(connection.unsent)
        self.unsent_bytes -= len(connection.unsent)
        connection.unsent = b""
        self._table.give_back(connection.slot)
        self._admission.leave(connection.address)
        metrics.CLOSED.labels(reason).inc()
        metrics.CONNECTIONS.dec()

    def _accept(self, listener: socket.socket, now: float) -> None:
        taker = self._takers.get(listener.fileno())
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                sock, (address, port, *_rest) = listener.accept()
            except BlockingIOError:
                self._exhausted = False
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause_listener(listener, error)
                    return
                continue  # the peer has closed already
            address = plain(address)
            if taker is not None:
                sock.setblocking(False)
                taker(sock, address, port)
                continue
            try:
                self._admit(sock, address, port, now)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause_listener(listener, error)
                    return

    def may_come(self, address: str) -> bool:
        """Whether terminals connect from ``address``; who does not is counted."""
        if self.origins.admits(address):
            return True
        metrics.CLOSED.labels("not_allowed").inc()
        return False

    def admit(self, sock: socket.socket, address: str, port: int, now: float) -> Connection | None:
        """``sock`` is plain now, and a connection from ``address``; None: it is refused, counted and closed."""
        try:
            return self._admit(sock, address, port, now)
        except OSError:
            return None

    def _admit(self, sock: socket.socket, address: str, port: int, now: float) -> Connection | None:
        """As ``admit``; raises OSError, with the socket closed, when the system has no room for it."""
        if not self.may_come(address):
            sock.close()
            return None
        if refused := self._admission.enter(address):
            metrics.CLOSED.labels(refused).inc()
            sock.close()
            return None
        try:
            sock.setblocking(False)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._epoll.register(sock.fileno(), select.EPOLLIN)
        except OSError:
            self._admission.leave(address)
            metrics.CLOSED.labels("error").inc()
            sock.close()
            raise
        connection = Connection(sock, address, port, self._table, self._table.take(now), now)
        self.connections[connection.fd] = connection
        metrics.ACCEPTED.inc()
        metrics.CONNECTIONS.inc()
        return connection

    def _pause_listener(self, listener: socket.socket, error: OSError) -> None:
        """Leave new connections where they are until ``accept_again``; said once, however long it lasts."""
        if not self._exhausted:
            logger.warning(
                "new connections have to wait, the system has no room for them: %s", error.strerror
            )
        self._exhausted = True
        self._epoll.unregister(listener.fileno())
        self._paused.add(listener.fileno())

    def _flush(self, connection: Connection) -> None:
        try:
            sent = connection.sock.send(connection.unsent)
        except BlockingIOError:
            return
        except OSError:
            self.close(connection, "error")
            return
        connection.unsent = connection.unsent[sent:]
        self.unsent_bytes -= sent
        if not connection.unsent:
            self._with_unsent -= 1
            self._epoll.modify(connection.fd, select.EPOLLIN)


def _cut(data: bytes, ends: Sequence[int]) -> list[bytes]:
    """The slices of ``data``; the i-th ends at ``ends[i]``."""
    size, count = ends[0], len(ends)
    if ends == list(range(size, size * count + 1, size)):  # replies of one size: numpy cuts them at once
        return cast(list[bytes], np.frombuffer(data, f"V{size}", count).tolist())
    return list(map(data.__getitem__, map(slice, [0, *ends[:-1]], ends)))
