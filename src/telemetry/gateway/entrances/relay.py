"""Bytes of one transport to another and back, each only as fast as the other takes them."""

from __future__ import annotations

import asyncio
from typing import cast


class Half(asyncio.Protocol):
    """One side; ``other`` is set before any byte comes. When one side ends, the other is closed behind what it still has to send."""

    def __init__(self, other: Half | None = None) -> None:
        self.transport: asyncio.Transport | None = None
        self.other = other
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if other is not None:
            other.other = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport of this side."""
        self.transport = cast(asyncio.Transport, transport)
        if self.other is not None and self.other.ended.done():
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Passes ``data`` on."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        """This side takes no more: the other is not read."""
        self._read_other(False)

    def resume_writing(self) -> None:
        """This side takes more again."""
        self._read_other(True)

    def _read_other(self, wanted: bool) -> None:
        transport = None if self.other is None else self.other.transport
        if transport is not None and not transport.is_closing():
            if wanted:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Ends the other side too."""
        if not self.ended.done():
            self.ended.set_result(None)
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()
