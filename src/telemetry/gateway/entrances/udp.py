"""JT/T 808 over UDP: each address that sends has a connection of its own, through a pair of sockets.

A datagram has whole frames (one, or several); each reply is a datagram. Who a terminal is still has to be shown by authentication: whoever
can forge an address could else report for any vehicle. A terminal whose port changes on the way (the carrier's address translation
forgot it) goes on from the new one when its address and its phone number are the same.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any, Final, cast

from runtime.errors import ConfigurationError
from telemetry.gateway import metrics
from telemetry.gateway.connection import Connection
from telemetry.gateway.entrances.origins import plain
from telemetry.gateway.sockets import Sockets
from telemetry.jt808.rejection import Rejection
from telemetry.jt808.scalar.framing import DELIMITER, decode_segment
from telemetry.jt808.scalar.header import parse_header

_FRAME: Final = re.compile(rb"\x7e[^\x7e]+\x7e")
_READ: Final = 65_536


class _Peer:
    """One address, its connection, and our end of the pair."""

    __slots__ = ("address", "connection", "key", "ours", "rest")

    def __init__(
        self, address: tuple[Any, ...], key: tuple[str, str], ours: socket.socket, connection: Connection
    ) -> None:
        self.address, self.key, self.ours, self.connection = address, key, ours, connection
        self.rest = b""


class UdpEntrance(asyncio.DatagramProtocol):
    """One UDP socket. ``open`` makes it."""

    def __init__(self, sockets: Sockets, clock: Callable[[], float]) -> None:
        self._sockets = sockets
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._peers: dict[tuple[Any, ...], _Peer] = {}
        #: By address and phone number as sent: the newest one.
        self._known: dict[tuple[str, str], _Peer] = {}

    @classmethod
    async def open(cls, sockets: Sockets, host: str, port: int, clock: Callable[[], float]) -> UdpEntrance:
        """Raises ConfigurationError when the address cannot be used."""
        loop, made = asyncio.get_running_loop(), cls(sockets, clock)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
            sock.bind((host, port))
            sock.setblocking(False)
        except OSError as error:
            sock.close()
            raise ConfigurationError(
                f"cannot listen for terminals on {host}:{port} by UDP: {error.strerror}",
                hint="see GONGCHE_UDP, GONGCHE_TCP_HOST, GONGCHE_TCP_PORT",
            ) from error
        await loop.create_datagram_endpoint(lambda: made, sock=sock)
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def error_received(self, error: Exception) -> None:
        """A reply could not be delivered (its port is closed): the terminal sends again, or is silent and is closed."""

    def datagram_received(self, data: bytes, address: tuple[Any, ...]) -> None:
        """A datagram of a terminal, or of anybody."""
        if len(data) < 2 or data[0] != DELIMITER or data[-1] != DELIMITER:
            metrics.UDP.labels("not_frames").inc()
            return
        peer = self._peers.get(address) or self._moved(data, address) or self._new(data, address)
        if peer is None:
            metrics.UDP.labels("refused").inc()
            return
        try:
            taken = peer.ours.send(data) == len(data)
        except OSError:  # full, or just closed
            taken = False
        if (
            not taken
        ):  # a part of a datagram would be half a frame for ever: as if it had been lost on the way
            self._end(peer)
        metrics.UDP.labels("taken" if taken else "full").inc()

    def _moved(self, data: bytes, address: tuple[Any, ...]) -> _Peer | None:
        """The terminal of ``data`` when it was at another port of the same address until now, and has authenticated there."""
        key = _key(data, address)
        peer = None if key is None else self._known.get(key)
        if peer is None or peer.connection.closed or not peer.connection.session.authenticated:
            return None
        del self._peers[peer.address]
        peer.address = address
        peer.connection.peer = f"{peer.connection.address}:{address[1]}"
        self._peers[address] = peer
        metrics.UDP.labels("moved").inc()
        return peer

    def _new(self, data: bytes, address: tuple[Any, ...]) -> _Peer | None:
        key = _key(data, address)
        if key is None:  # nothing that a terminal sends first: no memory for it
            return None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        connection = self._sockets.admit(theirs, plain(address[0]), address[1], self._clock())
        if connection is None:
            ours.close()
            return None
        peer = self._peers[address] = self._known[key] = _Peer(address, key, ours, connection)
        self._loop.add_reader(ours.fileno(), self._reply, peer)
        return peer

    def _reply(self, peer: _Peer) -> None:
        """What the gateway has to say to ``peer``."""
        try:
            data = peer.ours.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end(peer)
            return
        data, end = peer.rest + data, 0
        for match in _FRAME.finditer(data):
            end = match.end()
            if self._transport is not None:
                self._transport.sendto(match.group(), peer.address)
        peer.rest = data[end:]

    def _end(self, peer: _Peer) -> None:
        """Forget ``peer``; its connection sees the end and is closed."""
        self._loop.remove_reader(peer.ours.fileno())
        peer.ours.close()
        if self._peers.get(peer.address) is peer:
            del self._peers[peer.address]
        if self._known.get(peer.key) is peer:
            del self._known[peer.key]

    def close(self) -> None:
        """After the sockets are closed: what they still had to say goes out first."""
        for peer in list(self._peers.values()):
            self._reply(peer)
            if self._peers.get(peer.address) is peer:
                self._end(peer)
        if self._transport is not None:
            self._transport.close()


def _key(data: bytes, address: tuple[Any, ...]) -> tuple[str, str] | None:
    """Address and phone number of a datagram; None when its first frame cannot be read."""
    message = decode_segment(data[1 : data.index(DELIMITER, 1)])
    parsed = message if isinstance(message, Rejection) else parse_header(message)
    return None if isinstance(parsed, Rejection) else (plain(address[0]), parsed[0].phone)
