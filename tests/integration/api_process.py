"""``gongche api`` as a process of its own, and a client that costs little: one that is asked for much while the API is measured."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tests.ports import free_port
from tests.waiting import until


@asynccontextmanager
async def api_process(db_url: str, folder: Path) -> AsyncIterator[int]:
    """The port of an API on the database, with its data in ``folder``."""
    port = free_port()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongche", "api",
        env=clean | {
            "GONGCHE_DATABASE_URL": db_url, "GONGCHE_DATA_DIR": str(folder), "GONGCHE_HTTP_PORT": str(port),
            "GONGCHE_LOG_LEVEL": "ERROR",
        },
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

            async def ready() -> bool:
                assert process.returncode is None, "the API ended"
                try:
                    return (await client.get("/readyz")).is_success
                except httpx.TransportError:
                    return False

            await until(ready, "the API is ready")
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


class Line:
    """A connection to the API over which one request goes after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader, self._writer = reader, writer
        self._head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"

    async def send(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """(status, JSON) of the answer to JSON."""
        data = json.dumps(body).encode()
        head = f"{method} {quote(path)} HTTP/1.1\r\n{self._head}Content-Length: {len(data)}\r\n\r\n"
        self._writer.write(head.encode() + data)
        first, *told = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        (length,) = (line.partition(":")[2] for line in told if line.startswith("content-length:"))
        return int(first.split(" ")[1]), json.loads(await self._reader.readexactly(int(length)))


@asynccontextmanager
async def lines(port: int, token: str, count: int) -> AsyncIterator[list[Line]]:
    """So many connections at once."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    try:
        yield [Line(reader, writer, token) for reader, writer in opened]
    finally:
        for _, writer in opened:
            writer.close()
