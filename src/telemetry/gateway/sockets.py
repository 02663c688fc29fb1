"""The sockets of one gateway: accepting, reading, writing, closing. Knows no protocol.

All terminal sockets sit in one epoll set of our own, and only that set is registered with the event loop. So one loop
turn reads everything that has arrived; a connection costs one ``recv`` and one ``send`` and no Python object per
message. It also means that the event loop never touches a terminal's buffer: which bytes go to which socket is decided
here alone, under uvloop and asyncio alike.
"""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Callable, Sequence

from telemetry.errors import ConfigurationError
from telemetry.gateway import metrics
from telemetry.gateway.connection import Connection, Slots
from telemetry.gateway.limits import Admission, Limits

logger = logging.getLogger(__name__)

_EVENTS_PER_TURN = 8192
_ACCEPTS_PER_TURN = 512


class Sockets:
    """Listeners and connections. ``on_close(connection)`` is called once, before its slot is given back."""

    def __init__(self, limits: Limits, slots: Slots, on_close: Callable[[Connection], None]) -> None:
        self._limits = limits
        self._slots = slots
        self._on_close = on_close
        self._admission = Admission(limits)
        self._epoll = select.epoll()
        self._listeners: dict[int, socket.socket] = {}
        self.connections: dict[int, Connection] = {}

    def fileno(self) -> int:
        """Readable when any socket here is."""
        return self._epoll.fileno()

    def listen(self, host: str, port: int) -> int:
        """Start accepting; returns the port. Several processes may share one port (SO_REUSEPORT).

        Raises ConfigurationError when the address cannot be used.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, port), family=family, backlog=4096, reuse_port=True)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen for terminals on {host}:{port}: {error.strerror}",
                hint="see GONGCHE_TCP_HOST, GONGCHE_TCP_PORT",
            ) from error
        listener.setblocking(False)
        self._listeners[listener.fileno()] = listener
        self._epoll.register(listener.fileno(), select.EPOLLIN)
        return int(listener.getsockname()[1])

    def stop_listening(self) -> None:
        """Accept nobody any more; connections stay."""
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()

    def close_all(self, reason: str) -> None:
        """Close everything, the epoll set too."""
        self.stop_listening()
        for connection in list(self.connections.values()):
            self.close(connection, reason)
        self._epoll.close()

    def read(self, now: float) -> tuple[list[bytes], list[Connection]]:
        """What has arrived, at most ``read_bytes`` of each connection, and whose it is."""
        chunks: list[bytes] = []
        owners: list[Connection] = []
        by_fd = self.connections
        read_bytes = self._limits.read_bytes
        for fd, event in self._epoll.poll(0, _EVENTS_PER_TURN):
            connection = by_fd.get(fd)
            if connection is None:
                if fd in self._listeners:
                    self._accept(self._listeners[fd], now)
                continue
            if event & select.EPOLLOUT:
                self._flush(connection)
                if connection.closed or not event & ~select.EPOLLOUT:
                    continue
            try:
                data = connection.recv(read_bytes)
            except BlockingIOError:
                continue
            except OSError:
                self.close(connection, "error")
                continue
            if not data:
                self.close(connection, "peer")
                continue
            connection.seen = now
            chunks.append(data)
            owners.append(connection)
        return chunks, owners

    def send(self, connection: Connection, data: bytes | memoryview) -> None:
        """Send now what the socket takes, keep the rest (bounded: a terminal that does not read is closed)."""
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
            self._epoll.modify(connection.fd, select.EPOLLIN | select.EPOLLOUT)
        connection.unsent += bytes(data)
        if len(connection.unsent) > self._limits.max_unsent_bytes:
            self.close(connection, "slow_reader")

    def send_slices(self, connections: Sequence[Connection], data: bytes, ends: Sequence[int]) -> None:
        """``send`` each of ``connections`` its slice of ``data``; the i-th slice ends at ``ends[i]``."""
        view = memoryview(data)
        begin = 0
        for connection, end in zip(connections, ends, strict=True):
            if connection.unsent or connection.closed:
                self.send(connection, view[begin:end])
            else:
                try:
                    sent = connection.sock.send(view[begin:end])
                except OSError:  # full, or gone: the ordinary way finds out which
                    sent = 0
                if sent != end - begin:
                    self.send(connection, view[begin + sent : end])
            begin = end

    def close(self, connection: Connection, reason: str) -> None:
        """Close ``connection``; a second call does nothing."""
        if connection.closed:
            return
        connection.closed = True
        self._on_close(connection)
        del self.connections[connection.fd]
        self._epoll.unregister(connection.fd)
        connection.sock.close()
        self._slots.give_back(connection.slot)
        self._admission.leave(connection.address)
        metrics.CLOSED.labels(reason).inc()
        metrics.CONNECTIONS.dec()

    def _accept(self, listener: socket.socket, now: float) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                sock, (address, port, *_rest) = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:  # out of file descriptors, or the peer is gone already
                logger.warning("accept failed: %s", error)
                return
            refused = self._admission.enter(address)
            if refused:
                metrics.CLOSED.labels(refused).inc()
                sock.close()
                continue
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, address, port, self._slots.take(), now)
            self.connections[connection.fd] = connection
            self._epoll.register(connection.fd, select.EPOLLIN)
            metrics.ACCEPTED.inc()
            metrics.CONNECTIONS.inc()

    def _flush(self, connection: Connection) -> None:
        try:
            sent = connection.sock.send(connection.unsent)
        except BlockingIOError:
            return
        except OSError:
            self.close(connection, "error")
            return
        connection.unsent = connection.unsent[sent:]
        if not connection.unsent:
            self._epoll.modify(connection.fd, select.EPOLLIN)
