"""gongche frames watch: the frames of a terminal, from whichever gateway has it, and nothing while nobody watches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import orjson
import pytest

from gongche.cli import main
from runtime.bell import Bell
from telemetry.commands.thread import CHANNEL
from telemetry.gateway.limits import Limits
from telemetry.gateway.tcp import Gateway
from telemetry.gateway.watching import Watching
from telemetry.jt808.scalar.header import Version
from telemetry.log.sqlite import EmbeddedLogWriter
from telemetry.terminals import watches
from telemetry.terminals.directory import TerminalDirectory
from tests.integration.terminal_client import Terminal, position
from tests.waiting import until

PHONE = "13900000001"


class Site:
    """Gateways that tell who watches."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.watching: list[Watching] = []


@asynccontextmanager
async def gateways(pool: asyncpg.Pool, dsn: str, folder: Path, count: int = 2) -> AsyncIterator[Site]:
    made, running = Site(), []
    bell = Bell(dsn, CHANNEL)
    listens = asyncio.create_task(bell.run())
    try:
        for k in range(count):
            directory = TerminalDirectory(pool, False)
            await directory.load()
            log = EmbeddedLogWriter(folder / f"log{k}", 1)
            made.watching.append(Watching(pool, bell, f"gateway-{k}"))
            gateway = Gateway(directory, log, Limits(), watching=made.watching[-1])
            running.append((gateway, log))
            made.ports.append(gateway.listen("127.0.0.1", 0))
        yield made
    finally:
        for gateway, log in running:
            await gateway.drain(5)
            await log.close()
        listens.cancel()


class Watcher:
    """The command in a thread of its own, as a person runs it."""

    def __init__(self, *words: str) -> None:
        self.status: int | None = None
        self._thread = threading.Thread(target=self._run, args=(words,), daemon=True)
        self._thread.start()

    def _run(self, words: Sequence[str]) -> None:
        self.status = main(["frames", "watch", *words])

    async def ends(self) -> int:
        await until(lambda: self.status is not None, "the command ends")
        assert self.status is not None
        return self.status


@pytest.fixture(autouse=True)
def _database(monkeypatch: pytest.MonkeyPatch, db_url: str) -> None:
    monkeypatch.setenv("GONGCHE_DATABASE_URL", db_url)


async def active(site: Site) -> None:
    await until(lambda: all(one.active for one in site.watching), "the gateways know that somebody watches")


async def test_a_terminal_is_followed_from_its_login_on(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Register, authenticate, report: each frame up and down, in order, without the code; of no other terminal."""
    await pool.execute("INSERT INTO terminals (phone) VALUES ($1), ('13900000002')", PHONE)
    async with gateways(pool, db_url, tmp_path) as site:
        other = await Terminal.online(site.ports[0], "13900000002")
        watcher = Watcher(f"0{PHONE}", "--json", "--most", "7")
        await active(site)
        terminal = await Terminal.connect(site.ports[1], PHONE, Version.V2019)
        assert await terminal.register() == 0
        assert await other.ask(0x0200, position()) == 0
        assert await terminal.authenticate() == 0
        frame = terminal.frame(0x0200, position(5))
        terminal.writer.write(frame[:20])  # cut anywhere
        await terminal.writer.drain()
        await asyncio.sleep(0.05)  # time: the gateway should have read the first half
        terminal.writer.write(frame[20:-3] + b"\x00" + frame[-2:])  # and its checksum is wrong
        assert await terminal.ask(0x0200, position(6)) == 0
        assert await watcher.ends() == 0
        out, err = capfd.readouterr()
        told = [orjson.loads(line) for line in out.splitlines()]
        ids = [(one["up"], int(one["id"], 16)) for one in told]
        assert ids == [
            (True, 0x0100), (False, 0x8100), (True, 0x0102), (False, 0x8001), (True, 0x0200), (True, 0x0200), (False, 0x8001),
        ]  # fmt: skip
        assert [bool(one["problems"]) for one in told] == [False] * 4 + [True, False, False]
        assert [one["code_hidden"] for one in told] == [False, True, True, False, False, False, False]
        assert terminal.code not in out
        assert terminal.code.encode().hex() not in out
        assert "gateway-1" in out
        assert "未连接" in err or "离线" in err
        # Nothing is told any more, and it stands in the audit who watched.
        await until(lambda: not any(one.active for one in site.watching), "nobody watches")
        assert await pool.fetchval("SELECT count(*) FROM frame_watches") == 0
        detail = await pool.fetchval("SELECT detail FROM audit WHERE subject_kind = 'frames'")
        assert detail["phone"] == f"0{PHONE}"
        assert await terminal.ask(0x0200, position(7)) == 0


async def test_one_that_is_connected_already_and_one_that_nobody_knows(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    await pool.execute("INSERT INTO terminals (phone, edition) VALUES ($1, 2013)", PHONE)
    async with gateways(pool, db_url, tmp_path, 1) as site:
        terminal = await Terminal.online(site.ports[0], PHONE)
        known, stranger = Watcher(PHONE, "--brief", "--most", "2"), Watcher("ABC1", "--raw", "--most", "2")
        await until(lambda: len(site.watching[0]._watches) == 2, "both are watched")
        assert await terminal.ask(0x0002, b"") == 0
        assert await known.ends() == 0
        unknown = await Terminal.connect(site.ports[0], "00000000ABC1")
        assert await unknown.register() == 4
        assert await stranger.ends() == 0
        out, err = capfd.readouterr()
        assert "0x0002" in out
        assert "↑" in out
        assert "↓" in out
        assert " 7e0100" in out
        assert "未登记" in err


async def test_a_watch_that_nobody_renews_ends_and_there_are_not_many(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with gateways(pool, db_url, tmp_path, 1) as site, pool.acquire() as conn:
        made = [await watches.ask(conn, f"1390000{k:04}", CHANNEL) for k in range(watches.MOST_WATCHES)]
        await active(site)
        assert await Watcher(PHONE).ends() == 75
        assert "同时最多" in capfd.readouterr().err
        assert await Watcher("nobody").ends() == 78
        await conn.execute(
            "UPDATE frame_watches SET expires_at = clock_timestamp()"
        )  # whoever watched was killed
        await until(lambda: not site.watching[0].active, "they are over")
        assert await Watcher(PHONE, "--minutes", "0.01").ends() == 1  # and no frame came
        assert made
