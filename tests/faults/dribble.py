"""Connections that send one byte a second and never finish a frame, in one epoll set; who is closed comes back."""

from __future__ import annotations

import asyncio
import select
import socket
from contextlib import suppress
from typing import Self

import numpy as np

from telemetry.jt808.ids import MessageId
from telemetry.jt808.scalar.header import build_message
from tests.faults.fleet import authentication, open_socket, version_of
from tests.faults.plan import Plan

_TICK_S = 0.005
_NEVER = float("inf")
_CONNECT_S = 10.0
_BACK_AFTER_S = 1.0


class Dribblers:
    """``count`` of them, as an async context manager: the terminals ``first ..`` of ``plan``. Those with an even number
    authenticate before they dribble, the others are strangers."""

    def __init__(self, plan: Plan, port: int, *, first: int, count: int, every_s: float = 1.0) -> None:
        self.authenticated = np.arange(first, first + count) % 2 == 0
        self.closed = 0  # by the gateway
        self.connects = self.authentications = self.refused = 0
        self.most = 0  # open at once
        self.longest_s = 0.0  # that a connection was let live
        self._plan, self._port, self._first, self._every_s = plan, port, first, every_s
        self._sockets: list[socket.socket | None] = [None] * count
        self._by_fd: dict[int, int] = {}
        self._epoll = select.epoll()
        self._due = np.full(count, _NEVER)  # of the next byte, or of connecting
        self._since = np.zeros(count)
        self._open = np.zeros(count, np.bool_)
        self._sent = np.zeros(count, np.int64)
        self._ticker: asyncio.Task[None] | None = None
        # The beginning of a report that never ends; escaped bytes are not among these.
        self._bytes = b"\x7e" + build_message(MessageId.LOCATION, bytes(1000), "0", 0).replace(
            b"\x7e", b"\x00"
        )

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._epoll.fileno(), self._events)
        self._due[:] = loop.time() + np.linspace(0, 2.0, len(self._due))
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        for k in list(self._by_fd.values()):
            self._drop(k)
        self._epoll.close()

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return int(self._open.sum())

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            for k in np.flatnonzero(self._due <= now).tolist():
                if self._sockets[k] is None:
                    self._connect(k, now)
                elif self._open[k]:
                    self._byte(k, now)
                else:
                    self.refused += 1
                    self._gone(k, now)
            await asyncio.sleep(_TICK_S)

    def _connect(self, k: int, now: float) -> None:
        try:
            sock = open_socket(self._first + k, self._port)
        except OSError:
            self._due[k] = now + _BACK_AFTER_S
            return
        self._sockets[k] = sock
        self._by_fd[sock.fileno()] = k
        self._epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
        self._due[k] = now + _CONNECT_S

    def _byte(self, k: int, now: float) -> None:
        sock = self._sockets[k]
        assert sock is not None
        try:
            sock.send(self._bytes[self._sent[k] : self._sent[k] + 1])
        except BlockingIOError:
            pass
        except OSError:
            self._ended(k, now)
            return
        self._sent[k] += 1
        self._due[k] = now + self._every_s

    def _events(self) -> None:
        now = asyncio.get_running_loop().time()
        for fd, event in self._epoll.poll(0, 8192):
            k = self._by_fd.get(fd)
            sock = None if k is None else self._sockets[k]
            if k is None or sock is None:
                continue
            if not self._open[k]:
                if event & (select.EPOLLERR | select.EPOLLHUP):
                    self.refused += 1
                    self._gone(k, now)
                else:
                    self._begin(k, sock, now)
                continue
            data = b""
            with suppress(OSError):
                data = sock.recv(4096)
            if not data:
                self._ended(k, now)

    def _begin(self, k: int, sock: socket.socket, now: float) -> None:
        self._epoll.modify(sock.fileno(), select.EPOLLIN)
        self.connects += 1
        self._open[k], self._since[k], self._sent[k], self._due[k] = True, now, 0, now
        self.most = max(self.most, self.open)
        if self.authenticated[k]:
            number = self._first + k
            self.authentications += 1
            sock.send(authentication(self._plan.phone(number), version_of(number), 0))

    def _ended(self, k: int, now: float) -> None:
        """The gateway has closed it."""
        self.closed += 1
        self.longest_s = max(self.longest_s, now - self._since[k])
        self._gone(k, now)

    def _gone(self, k: int, now: float) -> None:
        self._drop(k)
        self._due[k] = now + _BACK_AFTER_S

    def _drop(self, k: int) -> None:
        sock = self._sockets[k]
        if sock is not None:
            del self._by_fd[sock.fileno()]
            self._epoll.unregister(sock.fileno())
            sock.close()
        self._sockets[k], self._open[k], self._due[k] = None, False, _NEVER
