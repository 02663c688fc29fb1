"""A database host that vanishes without a word: no end of the connection, no acknowledgement, nothing."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg
import pytest
import uvloop

from rules.live.process import Worker
from runtime.postgres import DATABASE_ERRORS, connect, connection_lost, create_pool
from telemetry.log.base import POSITIONS
from telemetry.log.sqlite import EmbeddedLogReader
from tests.integration.worker_world import World, some_day, stand
from tests.waiting import PATIENCE_S

_DEAD_AFTER_S = 2.0
_SO_ATTACH_FILTER = 26

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a filter of packets on one socket")


def _swallow(line: socket.socket) -> None:
    """From now on ``line``'s kernel throws away what arrives for it, unread and not acknowledged: as a host that is gone."""
    nothing = ctypes.create_string_buffer(
        struct.pack("HBBI", 0x06, 0, 0, 0)
    )  # BPF: return 0 bytes of the packet
    program = struct.pack("HL", 1, ctypes.addressof(nothing))
    line.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


class Way:
    """To the database, over TCP. ``vanish`` ends its sessions, of which the client hears nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter, asyncio.Task[None]]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._path)
        answers = asyncio.create_task(self._pass(from_server, writer))
        self._lines.append((writer, to_server, answers))
        await self._pass(reader, to_server)
        to_server.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)

    def vanish(self) -> None:
        for writer, to_server, answers in self._lines:
            answers.cancel()
            if not writer.is_closing():
                _swallow(writer.get_extra_info("socket"))
            to_server.transport.abort()

    def close(self) -> None:
        for writer, to_server, _ in self._lines:
            writer.transport.abort()
            to_server.transport.abort()


@asynccontextmanager
async def over_tcp(dsn: str) -> AsyncIterator[tuple[str, Way]]:
    """A DSN of the same database over a TCP line that can vanish."""
    parts = urlsplit(dsn)
    if "host=/" not in dsn:
        pytest.skip("needs a PostgreSQL on a Unix socket")
    way = Way(Path(parse_qs(parts.query)["host"][0]) / ".s.PGSQL.5432")
    server = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = parts.netloc.rpartition("@")[0]
    try:
        yield urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{port}", query="")), way
    finally:
        server.close()
        way.close()


@pytest.mark.parametrize(
    "factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_a_command_to_a_host_that_has_vanished_ends(
    db_url: str, factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def lose() -> None:
        async with over_tcp(db_url) as (dsn, way):
            waiting = await connect(dsn, dead_after_s=_DEAD_AFTER_S)
            later = await connect(dsn, dead_after_s=_DEAD_AFTER_S)
            asked = asyncio.create_task(waiting.execute("SELECT pg_sleep(5)"))
            await asyncio.sleep(3 * _DEAD_AFTER_S)  # time: longer than a silence may last
            assert await asked == "SELECT 1", "an answer that takes long is not silence"
            asked = asyncio.create_task(waiting.execute("SELECT pg_sleep(60)"))
            await asyncio.sleep(0.5)  # time: the command should be with the server
            way.vanish()
            async with asyncio.timeout(PATIENCE_S):  # far less than the quarter of an hour of the kernel
                for command in (asked, later.execute("SELECT 1")):
                    with pytest.raises(DATABASE_ERRORS) as broken:
                        await command
                    assert connection_lost(broken.value)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(lose())


async def test_the_turn_of_a_worker_whose_database_vanishes_ends_and_is_done_again(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    world = World(pool, tmp_path, some_day())
    await world.build()
    async with over_tcp(db_url) as (dsn, way):
        own = await create_pool(dsn, max_size=2, dead_after_s=_DEAD_AFTER_S)
        reader = EmbeddedLogReader(world.folder / "log.sqlite", POSITIONS)
        world.readers.append(reader)

        def checkpoint(step: str) -> None:
            if step == "tracks" and not worker.counts.failures:  # in the middle of the transaction
                way.vanish()

        worker, stop = Worker(own, reader, checkpoint=checkpoint), asyncio.Event()
        await world.send(world.batch(stand(0, 300)))
        running = asyncio.create_task(worker.run(stop))
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not worker.counts.records:  # noqa: ASYNC110 - the worker is watched
                    await asyncio.sleep(0.05)
            assert worker.counts.failures >= 1
            assert await pool.fetchval("SELECT count(*) FROM positions") == 10
            stop.set()
            await running
        finally:
            running.cancel()
            own.terminate()
    await world.close()


async def test_the_server_too_looks_after_its_lines(pool: asyncpg.Pool, db_url: str) -> None:
    """A client that vanishes must not keep its locks until the kernel's two hours are over."""
    query = "SELECT name FROM pg_settings WHERE name LIKE 'tcp_keepalives%' AND source = 'client'"
    expected = {"tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"}
    for _ in range(2):  # the pool resets what a session has set
        assert {row["name"] for row in await pool.fetch(query)} == expected
    alone = await connect(db_url)
    assert {row["name"] for row in await alone.fetch(query)} == expected
    await alone.close()
