"""A database that dies while the gateway starts, at every step of the start: it ends with "unavailable", for its
supervisor to try again, and with nothing else."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

import pytest

from runtime.errors import UnavailableError
from runtime.settings import load_settings
from telemetry.gateway.main import run

_SOCKET = ".s.PGSQL.5432"
_MOST_STEPS = 60


class _Dying:
    """A way to the database that breaks off, for good, before the ``steps``-th thing the server says."""

    def __init__(self, target: Path, steps: int) -> None:
        self._target, self._left = target, steps
        self.dead = False
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.dead:
            writer.transport.abort()
            return
        from_server, to_server = await asyncio.open_unix_connection(self._target)
        self._writers += [writer, to_server]
        asking = asyncio.create_task(self._ask(reader, to_server))
        try:
            while (data := await from_server.read(65_536)) and not self.dead:
                if self._left == 0:
                    self.die()
                    return
                self._left -= 1
                writer.write(data)
        finally:
            asking.cancel()
            writer.transport.abort()
            to_server.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            to_server.write(data)
        to_server.transport.abort()

    def die(self) -> None:
        self.dead = True
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def _dying(dsn: str, steps: int) -> AsyncIterator[tuple[str, _Dying]]:
    parts = urlsplit(dsn)
    folder = tempfile.mkdtemp(prefix="gongche-")
    target = Path(parse_qs(parts.query)["host"][0]) / _SOCKET
    way = _Dying(target, steps)
    server = await asyncio.start_unix_server(way.serve, f"{folder}/{_SOCKET}")
    try:
        yield urlunsplit(parts._replace(query=f"host={folder}")), way
    finally:
        server.close()
        way.die()
        shutil.rmtree(folder, ignore_errors=True)


async def test_a_gateway_whose_database_dies_during_its_start(db_url: str, tmp_path: Path) -> None:
    if "host=/" not in db_url:
        pytest.skip("needs a PostgreSQL on a Unix socket")
    ends: list[tuple[int, BaseException | None]] = []
    for steps in range(_MOST_STEPS):
        async with _dying(db_url, steps) as (dsn, _):
            settings = load_settings(
                data_dir=tmp_path, database_url=dsn, tcp_host="127.0.0.1", tcp_port=0, gateway_metrics_port=0
            )
            stop, serving = asyncio.Event(), asyncio.Event()
            running = asyncio.create_task(run(settings, stop, lambda _is=serving, **_: _is.set()))
            ready = asyncio.create_task(serving.wait())
            await asyncio.wait([running, ready], timeout=15, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            # Whatever dies while it serves it bears: commands ask the database from then on.
            if serving.is_set():
                stop.set()
                await running
                break
            ends.append((steps, running.exception()))
    odd = [(steps, repr(error)) for steps, error in ends if not isinstance(error, UnavailableError)]
    assert odd == []
    assert 5 < len(ends) < _MOST_STEPS
