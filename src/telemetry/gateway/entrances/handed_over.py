"""Connections that are not plain from their first byte: a PROXY header, TLS, or both. Until they are, they are bounded in number and time."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Final

from telemetry.gateway import metrics
from telemetry.gateway.entrances.certificates import Certificates
from telemetry.gateway.entrances.origins import plain
from telemetry.gateway.entrances.proxy_protocol import HeaderError, Reader
from telemetry.gateway.entrances.relay import Half
from telemetry.gateway.sockets import Sockets

logger = logging.getLogger(__name__)

#: A header and a handshake may take so long.
TIMEOUT_S: Final = 10.0
#: So many connections at once may be before the end of theirs, and so many from one address; who comes then is closed. (All that come
#: through a balancer have its address.)
MOST: Final = 1_000
MOST_OF_ONE: Final = 200


class HandedOver:
    """Takes such connections from ``sockets`` and gives them back as plain ones."""

    def __init__(self, sockets: Sockets, clock: Callable[[], float]) -> None:
        self._sockets = sockets
        self._clock = clock
        self._beginning = Counter[str]()  # by address
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, sock: socket.socket, address: str, port: int, certificates: Certificates | None) -> None:
        """``sock`` was accepted from ``address``. ``certificates``: it is to be TLS."""
        of_one = 0 if self._sockets.origins.is_balancer(address) else self._beginning[address]
        if self._beginning.total() >= MOST or of_one >= MOST_OF_ONE:
            metrics.CLOSED.labels("entrance_limit").inc()
            sock.close()
            return
        self._beginning[address] += 1
        task = asyncio.get_running_loop().create_task(self._begin(sock, address, port, certificates))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, wait_s: float) -> None:
        """After the sockets are closed: what was written to them still goes out, for ``wait_s`` at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=wait_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(
        self, sock: socket.socket, address: str, port: int, certificates: Certificates | None
    ) -> None:
        """Until it is plain, or has ended."""
        outer: Half | None = None
        counted = address
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if self._sockets.origins.is_balancer(address):
                    address, port = await _told(sock, address, port)
                if certificates is None:
                    self._sockets.admit(sock, address, port, self._clock())
                    return
                outer = await self._over_tls(sock, address, port, certificates)
        except (HeaderError, EOFError) as error:
            _refused(sock, "proxy_header", address, error)
            return
        except ssl.SSLError as error:
            _refused(sock, "tls", address, error)
            return
        except TimeoutError as error:
            _refused(sock, "entrance_timeout", address, error)
            return
        except OSError as error:
            _refused(sock, "error", address, error)
            return
        finally:
            self._beginning[counted] -= 1
            if not self._beginning[counted]:
                del self._beginning[counted]
        if outer is not None:
            try:
                await outer.ended
            finally:
                if outer.transport is not None:
                    outer.transport.abort()

    async def _over_tls(
        self, sock: socket.socket, address: str, port: int, certificates: Certificates
    ) -> Half | None:
        """The side towards the terminal, when it has shown itself; the other side is a connection like any other by then."""
        loop = asyncio.get_running_loop()
        if not self._sockets.may_come(address):
            sock.close()
            return None
        ours, theirs = socket.socketpair()
        inner = Half()
        try:
            await loop.create_unix_connection(lambda: inner, sock=ours)
            outer = Half(inner)
            await loop.connect_accepted_socket(
                lambda: outer, sock, ssl=certificates.context(), ssl_handshake_timeout=TIMEOUT_S
            )
        except BaseException:
            theirs.close()
            if inner.transport is not None:
                inner.transport.abort()
            raise
        # Only who has shown itself counts as a connection, and takes memory of the gateway.
        if self._sockets.admit(theirs, address, port, self._clock()) is None and outer.transport is not None:
            outer.transport.abort()
        return outer


async def _told(sock: socket.socket, address: str, port: int) -> tuple[str, int]:
    """Where the balancer says that the terminal is; ``address`` itself when it speaks for itself. Raises HeaderError, EOFError."""
    loop, reader = asyncio.get_running_loop(), Reader()
    while not reader.done:
        data = await loop.sock_recv(sock, reader.missing)
        if not data:
            raise EOFError("ended within its PROXY header")
        reader.feed(data)
    found = reader.origin
    return (address, port) if found is None else (plain(found.address), found.port)


def _refused(sock: socket.socket, reason: str, address: str, error: Exception) -> None:
    metrics.CLOSED.labels(reason).inc()
    logger.debug("a connection of %s is refused (%s): %s", address, reason, error)
    sock.close()
