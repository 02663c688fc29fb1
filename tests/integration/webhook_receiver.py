"""A receiver of webhooks on a real socket, which does what it is told: answers, fails, stalls, redirects, hangs up."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass
class Got:
    """A request that came in."""

    headers: dict[str, str]
    body: bytes
    did: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> Any:
        return orjson.loads(self.body)["data"]


@dataclass
class Receiver:
    """``does``: what to do with the next request: ok, gone, fail, stall, redirect, hang_up, half, or huge."""

    does: Callable[[], str] = lambda: "ok"
    tls: ssl.SSLContext | None = None
    got: list[Got] = field(default_factory=list)
    twice_at_once: list[str] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _open: Counter[str] = field(default_factory=Counter)
    _lines: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for line in list(self._lines):
            line.close()
        await self._server.wait_closed()

    @property
    def accepted(self) -> list[Got]:
        return [one for one in self.got if one.did == "ok"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            self._lines.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        one = Got(headers, body, self.does())
        self.got.append(one)
        if self._open[one.id]:
            self.twice_at_once.append(one.id)
        self._open[one.id] += 1
        try:
            await self._do(one.did, reader, writer)
        finally:
            self._open[one.id] -= 1

    async def _do(self, what: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if what == "stall":
            await reader.read()  # until the sender hangs up
            return
        if what == "hang_up":
            return
        if what == "half":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Len")
            return
        status, more, text = {
            "ok": ("200 OK", "", b"thanks"),
            "fail": ("500 Oh", "", "数据库\x00故障".encode()),
            "gone": ("410 Gone", "", b""),
            "redirect": ("307 There", "Location: http://169.254.169.254/latest\r\n", b""),
            "huge": ("500 Oh", "", b"x" * (1 << 20)),
        }[what]
        writer.write(
            f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode()
        )
        writer.write(text)
        await writer.drain()
