"""A database that is read-only for a while (a full disk, a standby, an administrator): reading goes on, writing says why it
cannot, everything that works on its own waits, nothing is lost, and no process is started again."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from api.app import create_app
from office.identity.tokens import SCOPES, create_token
from rules.judge.process import Judge
from rules.judge.subjects.all import GATHERERS
from rules.navigation import NoNavigator
from runtime.errors import UnavailableError
from runtime.postgres import create_pool
from runtime.settings import Settings
from telemetry.terminals.directory import TerminalDirectory
from tests.integration.test_terminals import PHONE, TOLD, admit, code_of
from tests.integration.worker_world import World, drive, stand
from tests.waiting import until

SAYS = "数据库当前只读"


@dataclass
class Switch:
    """Makes a database read-only and writable again, as it is for sessions that begin then. Those that are there are ended,
    as a server does that is started again, or whose lock an operator puts on."""

    server: str
    name: str

    async def turn(self, read_only: bool, *, end_sessions: bool) -> None:
        connection = await asyncpg.connect(self.server)
        try:
            await connection.execute(
                f'ALTER DATABASE "{self.name}" SET default_transaction_read_only = {"on" if read_only else "off"}'
            )
            if end_sessions:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", self.name
                )
        finally:
            await connection.close()

    async def on(self) -> None:
        await self.turn(True, end_sessions=True)

    async def off(self) -> None:
        """The sessions that began meanwhile stay, and would stay read-only."""
        await self.turn(False, end_sessions=False)


@pytest.fixture
def switch(postgres_dsn: str, db_url: str) -> Switch:
    return Switch(postgres_dsn, urlsplit(db_url).path.lstrip("/"))


@asynccontextmanager
async def api(pool: asyncpg.Pool, secret: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(Settings(), pool, position_sink=None))
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


async def test_reading_goes_on_and_writing_says_why_not(db_url: str, switch: Switch) -> None:
    pool = await create_pool(db_url, max_size=3)
    secret = (await create_token(pool, "t", SCOPES)).secret
    unit = {"name": "某局"}
    async with api(pool, secret) as client:
        await switch.on()

        async def reads() -> bool:  # the first to use a session that was ended learns of that alone
            return (await client.get("/v1/alerts")).status_code == 200

        await until(reads, "reading goes on")
        for path in ("/v1/alerts", "/v1/alerts/feed", "/v1/vehicles", "/v1/evaluations?rule=location"):
            answer = await client.get(path)
            assert answer.status_code in (200, 422), (path, answer.text)
        for answer in (
            await client.put("/v1/organisations/O1", json=unit),
            await client.post("/v1/organisations:import", json=[{"id": "O1"} | unit]),
        ):
            assert answer.status_code == 503, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["type"] == "urn:gongche:problem:database-takes-no-writes"
            assert answer.json()["detail"].startswith(SAYS)
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["detail"].startswith(SAYS)) == (503, True)
        for_readers = await client.get("/readyz?reading=true")
        assert (for_readers.status_code, for_readers.json()["status"]) == (200, "read-only")
        await switch.off()
        assert (await client.put("/v1/organisations/O1", json=unit)).status_code == 201
        assert (await client.get("/readyz")).json()["status"] == "ready"
    pool.terminate()


async def test_a_token_that_a_clerk_looks_at_may_be_locked(pool: asyncpg.Pool) -> None:
    made = await create_token(pool, "t", SCOPES)
    async with api(pool, made.secret) as client, pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM api_tokens WHERE id = $1 FOR UPDATE", made.id)
        async with asyncio.timeout(60):
            assert (await client.get("/v1/alerts")).status_code == 200


async def test_the_worker_waits_and_loses_nothing(world: World, pool: asyncpg.Pool, switch: Switch) -> None:
    worker, stop = world.worker(), asyncio.Event()
    await world.work(worker)
    running = asyncio.create_task(worker.run(stop))
    try:
        await switch.on()
        batch = world.batch(stand(0, 3600) + drive(3600, (0, 0), (2000, 0)))
        await world.send(batch)
        await until(lambda: (worker.trouble() or "").startswith(SAYS), "the worker says why it waits")
        async with asyncio.timeout(60):
            assert await pool.fetchval("SELECT count(*) FROM positions") == 0
        await switch.off()
        fresh = await asyncpg.connect(urlunsplit(urlsplit(switch.server)._replace(path=f"/{switch.name}")))
        try:
            await until(
                lambda: fresh.fetchval("SELECT count(*) = $1 FROM positions", len(batch)), "all is stored"
            )
            await until(lambda: worker.trouble() is None, "the worker is ready again")
            assert await fresh.fetchval("SELECT count(*) FROM rejected_records") == 0
        finally:
            await fresh.close()
    finally:
        stop.set()
        await running


async def test_the_judge_waits_and_puts_nothing_off(db_url: str, switch: Switch) -> None:
    plain = await asyncpg.connect(db_url)
    await plain.execute("INSERT INTO organisations (id, name) VALUES ('o', '单位')")
    await plain.execute(
        "INSERT INTO judge_due (gatherer, key, due_at) VALUES ('orders', 'gone', 'epoch'), ('cards', 'gone', 'epoch')"
    )
    await plain.close()
    await switch.on()
    judge, stop = Judge(db_url, GATHERERS, NoNavigator()), asyncio.Event()
    running = asyncio.create_task(judge.run(stop))
    try:
        await until(lambda: (judge.trouble() or "").startswith(SAYS), "the judge says why it waits")
        fresh = await asyncpg.connect(db_url)
        rows = await fresh.fetch("SELECT attempts, waits_for FROM judge_due")
        assert [tuple(row) for row in rows] == [(0, ""), (0, "")]
        await switch.off()
        await until(lambda: fresh.fetchval("SELECT count(*) = 0 FROM judge_due"), "both are judged")
        await until(lambda: judge.trouble() is None, "the judge is ready again")
        await fresh.close()
    finally:
        stop.set()
        await running
        await judge.close()


async def test_terminals_that_are_known_stay_known(db_url: str, switch: Switch) -> None:
    pool = await create_pool(db_url, max_size=2)
    await admit(pool)
    directory = TerminalDirectory(pool, auto_register=False)
    await directory.load()
    older, newer = await code_of(directory), await code_of(directory)
    assert directory.verify(PHONE, older)
    assert directory.verify(PHONE, newer)  # to be written down: the older one has ended
    await switch.on()

    async def refused() -> bool:  # the first to use a session that was ended learns of that alone
        with pytest.raises(UnavailableError) as caught:
            await directory.register(PHONE, TOLD)
        return SAYS in str(caught.value)

    await until(refused, "the cause is named")
    await directory.refresh()  # what the registry says is read all the same
    assert directory.verify(PHONE, newer)
    await switch.off()
    await directory.refresh()
    await directory.refresh()
    assert await pool.fetchval("SELECT previous_sha256 IS NULL FROM terminals")
    await code_of(directory)
    pool.terminate()


async def command(dsn: str, folder: Path, *words: str) -> tuple[int | None, str]:
    """Exit status and last words of a command."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongche", *words, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        env=clean | {"GONGCHE_DATABASE_URL": dsn, "GONGCHE_DATA_DIR": str(folder)},
    )  # fmt: skip
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_commands_say_it_in_one_sentence(
    postgres_dsn: str, db_url: str, switch: Switch, tmp_path: Path
) -> None:
    await switch.on()
    for words in (("token", "list"), ("migrate",), ("verify",)):
        status, said = await command(db_url, tmp_path, *words)
        # Who read what goes to the log while the audit of the database takes nothing.
        assert (status, [line for line in said.splitlines() if " gongche.audit " not in line]) == (0, []), (
            words
        )
    status, said = await command(db_url, tmp_path, "token", "create", "t", "--scope", "alerts:read")
    assert status == 75
    assert said.startswith(f"gongche: {SAYS}")
    assert len(said.splitlines()) == 2  # with the hint
    empty = await asyncpg.connect(postgres_dsn)
    name = f"{switch.name}_empty"
    await empty.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        await empty.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        dsn = urlunsplit(urlsplit(postgres_dsn)._replace(path=f"/{name}"))
        status, said = await command(dsn, tmp_path, "migrate")
        assert (status, said.startswith(f"gongche: {SAYS}")) == (75, True), said
    finally:
        await empty.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await empty.close()
