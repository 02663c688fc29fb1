"""Services that cannot work: what they say, how they exit (75 = try again, 78 = settings), and that they are not ready."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest
from tools.kafka.broker import Cluster

from api.app import create_app
from gongche.commands import worker
from runtime.embedded_postgres import open_database
from runtime.errors import UnavailableError
from runtime.postgres import expected_schema_version
from runtime.settings import Settings, load_settings
from tests.ports import free_port

SERVICES = ("gateway", "worker", "api")


async def start(name: str, db_url: str, folder: Path, **settings: object) -> asyncio.subprocess.Process:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
    given = {
        "database_url": db_url, "data_dir": folder, "tcp_host": "127.0.0.1", "tcp_port": 0, "http_port": 0,
        "gateway_metrics_port": 0, "worker_metrics_port": 0,
    } | settings  # fmt: skip
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongche", name, stderr=asyncio.subprocess.PIPE,
        env=clean | {f"GONGCHE_{key.upper()}": str(value) for key, value in given.items()},
    )  # fmt: skip


async def refusals(db_url: str, folder: Path, **settings: object) -> dict[str, tuple[int | None, str]]:
    """Exit status and last words of every service."""
    running = {name: await start(name, db_url, folder, **settings) for name in SERVICES}
    ended = {}
    try:
        async with asyncio.timeout(90):
            for name, process in running.items():
                _, said = await process.communicate()
                ended[name] = (process.returncode, said.decode())
    finally:
        for process in running.values():
            if process.returncode is None:
                process.kill()
    return ended


def _said(kind: bytes, body: bytes) -> bytes:
    """A message of PostgreSQL's protocol."""
    return kind + (4 + len(body)).to_bytes(4, "big") + body


def test_a_database_that_dies_right_after_its_greeting(tmp_path: Path) -> None:
    """It does not answer. A broken pipe here is not a reader of our output who has seen enough: that would end with 0."""
    facts = (b"server_version\x0016.2\x00", b"client_encoding\x00UTF8\x00", b"integer_datetimes\x00on\x00")
    greeting = b"".join(
        [
            _said(b"R", bytes(4)),
            *(_said(b"S", fact) for fact in facts),
            _said(b"K", bytes(8)),
            _said(b"Z", b"I"),
        ]
    )

    def greet(door: socket.socket) -> None:
        with suppress(OSError):
            while True:
                guest, _ = door.accept()
                with guest:
                    guest.recv(4096)
                    guest.sendall(greeting)

    door = socket.socket(socket.AF_UNIX)
    door.bind(str(tmp_path / ".s.PGSQL.5432"))
    door.listen()
    threading.Thread(target=greet, args=(door,), daemon=True).start()
    settings = Settings(database_url=f"postgresql://postgres@/postgres?host={tmp_path}")
    refused = 0
    for _ in range(20):
        try:
            with open_database(settings):
                pass
        except UnavailableError:
            refused += 1
    door.close()
    assert refused > 0


async def ready(port: int) -> tuple[int, str] | None:
    """What /readyz says; None when nobody listens."""
    async with httpx.AsyncClient() as client:
        try:
            answer = await client.get(f"http://127.0.0.1:{port}/readyz")
        except httpx.TransportError:
            return None
    return answer.status_code, answer.text


async def older(pool: asyncpg.Pool) -> str:
    """Make the database look as if the last migration had not been applied."""
    return str(
        await pool.fetchval(
            "DELETE FROM schema_migrations WHERE version = $1 RETURNING name", expected_schema_version()
        )
    )


async def test_a_database_without_the_last_migration(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> None:
    await older(pool)
    for name, (status, said) in (await refusals(db_url, tmp_path)).items():
        assert status == 78, (name, said)
        assert f"the database schema is {expected_schema_version() - 1}" in said
        assert "gongche migrate" in said
        assert "Traceback" not in said
    app = create_app(Settings(), pool, position_sink=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 503


async def test_a_running_worker_whose_schema_changes_is_not_ready(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    port, stop = free_port(), asyncio.Event()
    settings = load_settings(database_url=db_url, data_dir=tmp_path, worker_metrics_port=port)
    running = asyncio.create_task(worker.serve(settings, stop))
    async with asyncio.timeout(90):
        while (await ready(port) or (0,))[0] != 200:  # noqa: ASYNC110 - it is asked over HTTP
            await asyncio.sleep(0.05)
    name = await older(pool)
    status, said = await ready(port) or (0, "")
    assert (status, "gongche migrate" in said) == (503, True)
    await pool.execute(
        "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, '')",
        expected_schema_version(),
        name,
    )
    assert await ready(port) == (200, "ready\n")
    stop.set()
    await running
    assert await ready(port) is None


async def command(db_url: str, folder: Path, *words: str) -> asyncio.subprocess.Process:
    """A command of a person, on the database of the test."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongche", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=clean | {"GONGCHE_DATABASE_URL": db_url, "GONGCHE_DATA_DIR": str(folder)},
    )  # fmt: skip


async def test_a_database_that_is_lost_under_a_command(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    for table, words in (
        ("schema_migrations", ("migrate",)),
        ("schema_migrations", ("export", "--day", "2026-03-01", "--out", str(tmp_path))),
        ("api_tokens", ("token", "list")),
    ):
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            process = await command(db_url, tmp_path, *words)
            async with asyncio.timeout(60):
                while not await pool.fetchval(  # noqa: ASYNC110 - it is asked over SQL
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                ):
                    await asyncio.sleep(0.05)
                _, said = await process.communicate()
        assert process.returncode == 75, (words, said)
        assert b"PostgreSQL does not answer any more" in said
        assert b"Traceback" not in said


async def test_a_fault_of_the_program_has_a_status_of_its_own(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    await pool.execute("ALTER TABLE api_tokens RENAME COLUMN name TO called")  # nothing foresees this
    process = await command(db_url, tmp_path, "token", "list")
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    assert process.returncode == 70
    assert b"a fault of the program" in said
    assert b"UndefinedColumnError" in said


async def test_a_database_that_does_not_let_a_command(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    role = f"reader_{os.getpid()}"
    await pool.execute(f"CREATE ROLE {role} LOGIN")
    try:
        await pool.execute(f"GRANT SELECT ON schema_migrations TO {role}")
        given = urlsplit(db_url)
        url = urlunsplit(given._replace(netloc=f"{role}@{given.netloc.rpartition('@')[2]}"))
        process = await command(url, tmp_path, "token", "list")
        async with asyncio.timeout(60):
            _, said = await process.communicate()
        assert process.returncode == 78, said
        assert b"permission denied for table api_tokens" in said
    finally:
        await pool.execute(f"DROP OWNED BY {role}")
        await pool.execute(f"DROP ROLE {role}")


async def test_nobody_at_the_address_of_kafka(db_url: str, tmp_path: Path) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    for name, (status, said) in (await refusals(db_url, tmp_path, kafka_bootstrap=nobody)).items():
        assert status == 75, (name, said)
        assert f"Kafka does not answer: {nobody}" in said
        assert "GONGCHE_KAFKA_BOOTSTRAP" in said
        assert "Traceback" not in said
    for name, (status, said) in (await refusals(db_url, tmp_path, kafka_bootstrap="kafka")).items():
        assert status == 78, (name, said)
        assert "'kafka' is not host:port" in said


async def test_a_kafka_that_is_silent_or_hangs_up(db_url: str, tmp_path: Path) -> None:
    """Until the log answers nobody is sent to us: no port for terminals, no readiness."""
    connected = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read(-1)

    ports = {"tcp_port": free_port(), "gateway_metrics_port": free_port(), "worker_metrics_port": free_port()}
    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    try:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ending = asyncio.create_task(
            refusals(db_url, tmp_path, kafka_bootstrap=address, kafka_timeout_s=4, **ports)
        )
        await connected.wait()
        seen = set()
        while not ending.done():
            seen.add(await ready(ports["worker_metrics_port"]))
            assert await ready(ports["gateway_metrics_port"]) is None
            with pytest.raises(OSError, match=r"Connect|refused"):
                await asyncio.open_connection("127.0.0.1", ports["tcp_port"])
            await asyncio.sleep(0.1)
        assert seen - {None} == {(503, "starting: the log does not answer yet\n")}
        for name, (status, said) in (await ending).items():
            assert status == 75, (name, said)
            assert "Traceback" not in said
    finally:
        server.close()


async def test_a_kafka_that_does_not_permit_us(
    own_cluster: Cluster, kafka: Settings, db_url: str, tmp_path: Path
) -> None:
    as_guest = {
        "kafka_bootstrap": own_cluster.sasl_bootstrap,
        "kafka_topic_prefix": kafka.kafka_topic_prefix,
        "kafka_security": "SASL_PLAINTEXT",
        "kafka_sasl_mechanism": "PLAIN",
        "kafka_username": "guest",
        "kafka_password": "guest",
    }
    for name, (status, said) in (await refusals(db_url, tmp_path, **as_guest)).items():
        assert status == 78, (name, said)
        assert "grant Create, Describe, Write and Read" in said
    wrong = as_guest | {"kafka_password": "not-the-one"}
    for name, (status, said) in (await refusals(db_url, tmp_path, **wrong)).items():
        assert status == 75, (name, said)  # a broker that is starting refuses everybody too
        assert "the user and the password" in said
        assert "not-the-one" not in said
        assert said.count("\n") < 15, said  # the library's tries are not all told


async def test_a_gateway_takes_no_more_connections_than_it_has_descriptors(
    db_url: str, tmp_path: Path
) -> None:
    async def gateway(descriptors: int) -> asyncio.subprocess.Process:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
        given = {"DATABASE_URL": db_url, "DATA_DIR": str(tmp_path), "TCP_HOST": "127.0.0.1", "TCP_PORT": str(port),
                 "GATEWAY_METRICS_PORT": str(metrics)}  # fmt: skip
        return await asyncio.create_subprocess_exec(
            "sh", "-c", f'ulimit -n {descriptors}; exec "$0" -m gongche gateway', sys.executable,
            stderr=asyncio.subprocess.PIPE, env=clean | {f"GONGCHE_{k}": v for k, v in given.items()},
        )  # fmt: skip

    port, metrics = free_port(), free_port()
    process = await gateway(200)
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    assert process.returncode == 78
    assert b"LimitNOFILE" in said

    process = await gateway(260)
    try:
        async with asyncio.timeout(60):
            while (await ready(metrics) or (0,))[0] != 200:  # noqa: ASYNC110 - it is asked over HTTP
                await asyncio.sleep(0.05)
            taken = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read(1) == b""  # the fifth is one too many
            for _, used in [*taken, (reader, writer)]:
                used.close()
    finally:
        process.terminate()
        _, said = await process.communicate()
    assert process.returncode == 0
    assert b"at most 4 connections instead of 60000" in said
