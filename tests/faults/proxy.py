"""A TCP proxy that delays, cuts and throttles at random, and tears what passes into pieces."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """How bad the line is. Shares are of connections; each direction of each has its own luck."""

    cut: float = 0.5  # ended after so many bytes, wherever in a frame that is
    cut_bytes: tuple[int, int] = (50, 4_000)
    delay: float = 0.4  # every piece waits
    delay_s: tuple[float, float] = (0.0, 0.15)
    throttle: float = 0.2
    bytes_per_s: tuple[int, int] = (2_000, 20_000)
    tear: float = 0.5  # passed on in pieces of a few bytes
    stall: float = 0.05  # passes nothing on, says nothing
    refuse: float = 0.1  # closed at once


class Proxy:
    """Made by ``proxy``. ``port`` is where to connect to; the counters say what was done."""

    def __init__(self, target: int, rng: random.Random, faults: Faults) -> None:
        self._target, self._rng, self._faults = target, rng, faults
        self.port = 0
        self.connections = self.cuts = self.refused = 0
        self.quiet = False  # no more faults: what is open is closed once, what comes passes
        self._writers: set[asyncio.StreamWriter] = set()

    def calm(self) -> None:
        """From now on a good line."""
        self.quiet = True
        for writer in list(self._writers):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            if not self.quiet and self._rng.random() < self._faults.refuse:
                self.refused += 1
                return
            from_gateway, upstream = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(upstream)
            ways = [
                asyncio.create_task(self._pass(reader, upstream)),
                asyncio.create_task(self._pass(from_gateway, writer)),
            ]
            _, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in rest:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass  # the gateway is not there: so is the terminal's connection
        finally:
            for end in (writer, upstream):
                if end is not None:
                    self._writers.discard(end)
                    end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rng, faults = self._rng, self._faults
        bad = not self.quiet
        left = rng.randint(*faults.cut_bytes) if bad and rng.random() < faults.cut else None
        delays = bad and rng.random() < faults.delay
        rate = rng.randint(*faults.bytes_per_s) if bad and rng.random() < faults.throttle else None
        tears = bad and rng.random() < faults.tear
        stalls = bad and rng.random() < faults.stall
        with suppress(OSError):
            while data := await reader.read(4096):
                if stalls:
                    continue
                if left is not None and len(data) >= left:
                    self.cuts += 1
                    writer.write(data[:left])
                    await writer.drain()
                    return
                if left is not None:
                    left -= len(data)
                if delays:
                    await asyncio.sleep(rng.uniform(*faults.delay_s))
                if rate is not None:
                    await asyncio.sleep(len(data) / rate)
                at = 0
                while at < len(data) and not writer.is_closing():
                    size = rng.randint(1, 40) if tears and at < 400 else len(data)
                    writer.write(data[at : at + size])
                    if tears:
                        await asyncio.sleep(0)
                    at += size
                await writer.drain()


@asynccontextmanager
async def proxy(target: int, seed: int, faults: Faults | None = None) -> AsyncIterator[Proxy]:
    """A proxy before 127.0.0.1:``target``."""
    made = Proxy(target, random.Random(seed), faults or Faults())
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.calm()
