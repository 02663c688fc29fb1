"""One TCP connection of a simulated terminal."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from telemetry.jt808.scalar.framing import FrameReader


class Owner(Protocol):
    """What a connection tells its terminal."""

    def connected(self, link: Link) -> None: ...

    def received(self, link: Link, data: bytes) -> None: ...

    def lost(self, link: Link, exc: Exception | None) -> None: ...

    def writable(self, link: Link) -> None: ...


class Link(asyncio.Protocol):
    """A link that the terminal has given up is no longer the terminal's."""

    __slots__ = ("paused", "reader", "terminal", "transport")

    def __init__(self, terminal: Owner) -> None:
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

    def abort(self) -> None:
        """End it without a word."""
        if self.transport is not None:
            self.transport.abort()
