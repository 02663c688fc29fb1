"""A pooler in transaction mode, as small as it can be: clients share ONE session of the server, a transaction each.

It answers a client's start itself, with a process number of its own, takes every startup setting and passes on none, and
keeps the prepared statements of its clients apart by their names: what the newest PgBouncer does at its most obliging. So
nothing fails on the way in.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

_CANCEL, _TLS, _GSS = 80877102, 80877103, 80877104
#: Where in a message of a client the name of a prepared statement stands: after so many strings, or after one byte.
_NAMED_AFTER: Final = {b"P": 0, b"B": 1}


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], await reader.readexactly(int.from_bytes(head[1:], "big") - 4)


def _packed(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


class Pooler:
    """The pooler on a Unix socket in ``folder``, before the server of ``dsn``."""

    def __init__(self, dsn: str, folder: Path) -> None:
        parts = urlsplit(dsn)
        host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
        self._to = f"{host}/.s.PGSQL.{parts.port or 5432}"
        self._database, self._user = parts.path.lstrip("/"), parts.username or "postgres"
        self.dsn = f"postgresql://{self._user}@/{self._database}?host={folder}"
        self._turn = asyncio.Lock()  # whose transaction it is
        self._greeting = b""

    async def begin(self) -> None:
        """Open the one session."""
        self._reader, self._writer = await asyncio.open_unix_connection(self._to)
        start = b"user\0%s\0database\0%s\0client_encoding\0UTF8\0TimeZone\0UTC\0\0" % (
            self._user.encode(), self._database.encode(),
        )  # fmt: skip
        self._writer.write((len(start) + 8).to_bytes(4, "big") + (196608).to_bytes(4, "big") + start)
        while True:
            kind, body = await _message(self._reader)
            assert kind != b"E", body
            if kind in b"RS":
                self._greeting += _packed(kind, body)
            if kind == b"Z":
                return

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass  # it has gone
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            size = int.from_bytes(await reader.readexactly(4), "big")
            code = int.from_bytes((await reader.readexactly(size - 4))[:4], "big")
            if code == _CANCEL:
                return
            if code not in (_TLS, _GSS):
                break
            writer.write(b"N")
        me = random.getrandbits(30).to_bytes(4, "big")
        writer.write(self._greeting + _packed(b"K", me + b"\0\0\0\1") + _packed(b"Z", b"I"))
        said = asyncio.create_task(_message(reader))
        while True:
            await asyncio.wait({said})
            if said.exception() or said.result()[0] == b"X":
                return
            async with self._turn:
                said = await self._transaction(reader, writer, said, me.hex().encode())

    async def _transaction(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        said: asyncio.Task[tuple[bytes, bytes]],
        me: bytes,
    ) -> asyncio.Task[tuple[bytes, bytes]]:
        """What the client says, and is answered, until the server says that it is in no transaction; what it says next."""
        over = asyncio.create_task(self._answers(writer))
        while not over.done():
            await asyncio.wait({said, over}, return_when=asyncio.FIRST_COMPLETED)
            if not said.done():
                continue
            if said.exception() or said.result()[0] == b"X":  # gone in the middle of its transaction
                self._writer.write(_packed(b"Q", b"ROLLBACK\0"))
                await over
                break
            kind, body = said.result()
            self._writer.write(_packed(kind, _renamed(kind, body, me)))
            said = asyncio.create_task(_message(reader))
        return said

    async def _answers(self, writer: asyncio.StreamWriter) -> None:
        while True:
            kind, body = await _message(self._reader)
            writer.write(_packed(kind, body))
            if (kind, body) == (b"Z", b"I"):
                return


def _renamed(kind: bytes, body: bytes, me: bytes) -> bytes:
    if kind in b"DC":
        return body[:1] + me + body[1:] if body[:1] == b"S" and body[1:2] != b"\0" else body
    if kind not in _NAMED_AFTER:
        return body
    at = body.index(b"\0") + 1 if _NAMED_AFTER[kind] else 0
    return body[:at] + me + body[at:] if body[at : at + 1] != b"\0" else body


@asynccontextmanager
async def running_pooler(dsn: str, folder: Path) -> AsyncIterator[str]:
    """The DSN of a pooler before ``dsn``."""
    pooler = Pooler(dsn, folder)
    await pooler.begin()
    server = await asyncio.start_unix_server(pooler.serve, folder / ".s.PGSQL.5432")
    try:
        yield pooler.dsn
    finally:
        server.close()
        pooler._writer.close()
