"""Whatever a database, a role or a server has as its default: our connections have our settings, or say that they cannot."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from registry.organisations import Organisation
from registry.records import apply
from registry.refusals import RefusedError
from registry.stations import FuelStation
from registry.terminals import Terminal
from registry.values import Record
from registry.vehicles import Vehicle
from registry.writing import MeanwhileError, in_transaction
from runtime.errors import ConfigurationError
from runtime.migrations import migrate
from runtime.postgres import PINNED, connect, create_pool, only_read

#: Defaults that an administrator may have set, each of another kind than ours.
ODD = {
    "default_transaction_isolation": "repeatable read",
    "TimeZone": "Asia/Shanghai",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-10",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "gin_fuzzy_search_limit": "1",
    "search_path": "pg_catalog",
    "client_min_messages": "error",
    "statement_timeout": "50ms",
    "lock_timeout": "50ms",
    "idle_in_transaction_session_timeout": "50ms",
    "idle_session_timeout": "50ms",
}
ROUNDS = 15


def of_database(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


@pytest.fixture
async def odd(db_url: str) -> str:
    """A migrated database all of whose defaults are odd."""
    server = await asyncpg.connect(db_url)
    name = urlsplit(db_url).path.lstrip("/")
    defaults = dict(ODD)
    if server.get_server_version() >= (17,):
        # Older servers refuse it in what a connection begins with, so it holds until the first statements are through.
        defaults["transaction_timeout"] = "2s"
    for setting, value in defaults.items():
        quoted = value if setting == "search_path" else f"'{value}'"
        await server.execute(f'ALTER DATABASE "{name}" SET {setting} = {quoted}')
    await server.close()
    return db_url


def test_every_setting_is_tried() -> None:
    assert set(ODD) == set(PINNED)


async def test_a_pools_connections_keep_their_settings(odd: str) -> None:
    plain = await asyncpg.connect(odd)
    assert await plain.fetchval("SHOW statement_timeout") == "50ms"  # the defaults are odd indeed
    await plain.close()
    pool = await create_pool(odd, max_size=1)
    try:
        for _ in range(3):  # given back and taken again: asyncpg says RESET ALL in between
            async with pool.acquire() as connection:
                for setting, value in PINNED.items():
                    assert await connection.fetchval(f"SELECT current_setting('{setting}')") == value, setting
                if connection.get_server_version() >= (17,):
                    assert await connection.fetchval("SHOW transaction_timeout") == "0"
                await connection.execute(
                    "SET statement_timeout = '1h'; SET default_transaction_isolation = 'serializable'"
                )
    finally:
        pool.terminate()


async def test_work_may_take_longer_than_the_database_would_let_it(odd: str) -> None:
    connection = await connect(odd)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_sleep(2.1)")
            await asyncio.sleep(0.2)  # time: longer than the limits of the database on idling
            assert await connection.fetchval("SELECT count(*) FROM schema_migrations") > 0
        await asyncio.sleep(0.2)  # time: the same
        assert await connection.fetchval("SELECT '\\x00ff'::bytea::text") == "\\x00ff"
        assert (
            await connection.fetchval("SELECT '2026-03-01T00:00:00Z'::timestamptz::text")
            == "2026-03-01 00:00:00+00"
        )
    finally:
        await connection.close()


async def written(pool: asyncpg.Pool, records: list[Record]) -> int:
    """Write each record in a transaction of its own, all at once; how many were accepted."""

    async def one(record: Record) -> bool:
        async with pool.acquire() as connection:
            try:
                async with connection.transaction():
                    await apply(connection, [record])
            except RefusedError:
                return False
            return True

    return sum(await asyncio.gather(*map(one, records)))


async def test_one_name_goes_to_one_station(odd: str) -> None:
    pool = await create_pool(odd, min_size=8, max_size=8)
    try:
        for number in range(ROUNDS):
            stations: list[Record] = [
                FuelStation.model_validate({"id": f"S{number}-{k}", "name": f"第{number}加油站"})
                for k in range(8)
            ]
            assert await written(pool, stations) == 1, number
        assert await pool.fetchval("SELECT count(*) - count(DISTINCT name) FROM fuel_stations") == 0
    finally:
        pool.terminate()


async def test_one_vehicle_has_one_terminal_at_a_time(odd: str) -> None:
    pool = await create_pool(odd, min_size=8, max_size=8)
    try:
        await written(pool, [Organisation.model_validate({"id": "O", "name": "办公室"})])
        for number in range(ROUNDS):
            vehicle = {"id": f"V{number}", "plate": f"苏F{number:05}", "organisation": "O"}
            await written(pool, [Vehicle.model_validate(vehicle)])
            terminals: list[Record] = [
                Terminal.model_validate(
                    {
                        "id": f"1{number:05}{k}",
                        "vehicle": f"V{number}",
                        "valid_from": f"2026-03-0{1 + k}T00:00:00Z",
                    }
                )
                for k in range(8)
            ]
            await written(pool, terminals)
            overlapping = await pool.fetchval(
                "SELECT count(*) FROM terminal_bindings a JOIN terminal_bindings b ON b.vehicle_no = a.vehicle_no"
                " AND b.terminal_no <> a.terminal_no"
                " AND tstzrange(a.valid_from, a.valid_to) && tstzrange(b.valid_from, b.valid_to)"
            )
            assert overlapping == 0, number
    finally:
        pool.terminate()


async def command(dsn: str, folder: Path, *words: str) -> tuple[int | None, str]:
    """Exit status and last words of a command."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongche", *words, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env=clean | {"GONGCHE_DATABASE_URL": dsn, "GONGCHE_DATA_DIR": str(folder)},
    )  # fmt: skip
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    return process.returncode, said.decode()


@pytest.mark.parametrize("encoding", ["EUC_CN", "SQL_ASCII"])
async def test_a_database_of_another_encoding_is_refused(
    postgres_dsn: str, tmp_path: Path, encoding: str
) -> None:
    name = f"encoded_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(postgres_dsn)
    try:
        await server.execute(
            f"CREATE DATABASE \"{name}\" ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        dsn = of_database(postgres_dsn, name)
        for words in (("migrate",), ("worker",), ("gateway",), ("api",), ("token", "list")):
            status, said = await command(dsn, tmp_path, *words)
            assert status == 78, (words, said)
            assert (
                f"数据库的编码是 {encoding}，必须是 UTF8 / the encoding of the database is {encoding}" in said
            )
            assert "Traceback" not in said
        with pytest.raises(ConfigurationError, match="UTF8"):
            await connect(dsn)
        with pytest.raises(ConfigurationError, match="UTF8"):
            await create_pool(dsn)
    finally:
        await server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await server.close()


async def test_a_pooler_that_refuses_our_settings(tmp_path: Path) -> None:
    """PgBouncer's words, over a socket: it knows a few settings and refuses a connection that brings others."""

    async def pooler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        said = b"SFATAL\0C08P01\0Munsupported startup parameter: tcp_keepalives_idle\0\0"
        writer.write(b"E" + (len(said) + 4).to_bytes(4, "big") + said)
        writer.close()

    server = await asyncio.start_unix_server(pooler, tmp_path / ".s.PGSQL.5432")
    dsn = f"postgresql://gongche@/gongche?host={tmp_path}"
    async with server:
        for way in (connect, create_pool):
            with pytest.raises(ConfigurationError, match="tcp_keepalives_idle") as refused:
                await way(dsn)
            assert "PgBouncer" in refused.value.hint
        status, said = await command(dsn, tmp_path, "migrate")
    assert status == 78
    assert "没有接受本程序的会话设置" in said
    assert "Traceback" not in said


async def test_the_schema_may_be_chosen_by_the_dsn(postgres_dsn: str, tmp_path: Path) -> None:
    """And where the tables are in a schema that only a role's default leads to, no second installation is made."""
    name = f"schemas_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(postgres_dsn)
    try:
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        dsn = of_database(postgres_dsn, name)
        chosen = f"{dsn}{'&' if '?' in dsn else '?'}search_path=office"
        made = await asyncpg.connect(dsn)
        await made.execute("CREATE SCHEMA office")
        await migrate(chosen)
        assert await made.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        assert await made.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'office'") > 20
        await made.execute(f'ALTER DATABASE "{name}" SET search_path = office')
        await made.close()
        status, said = await command(dsn, tmp_path, "migrate")
        assert status == 78, said
        assert "本程序的表在模式 office 中 / the tables of gongche are in the schema office" in said
        assert "?search_path=office" in said
        assert await migrate(chosen) == []
    finally:
        await server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await server.close()


async def test_a_connection_that_only_read_goes_back_without_a_reset(db_url: str) -> None:
    pool = await create_pool(db_url, max_size=1)
    other = await connect(db_url)

    async def last(pid: int) -> str:
        """What was asked last over the connection of the pool."""
        return str(await other.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", pid))

    try:
        async with pool.acquire() as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await connection.fetchval("SELECT 1 AS mine")
            only_read(connection)
        assert await last(pid) == "SELECT 1 AS mine"
        async with pool.acquire() as connection:
            only_read(connection)
            await connection.execute("SET work_mem = '7MB'")  # so it did not only read, after all
        assert "RESET ALL" in await last(pid)
        async with pool.acquire() as connection:
            assert await connection.fetchval("SELECT pg_backend_pid()") == pid
            assert await connection.fetchval("SHOW work_mem") != "7MB"
    finally:
        pool.terminate()
        await other.close()


async def test_a_write_that_is_begun_again_keeps_the_session_and_its_patience(db_url: str) -> None:
    """An import has its reach for the session: no transaction of it may take that away."""
    connection = await connect(db_url)
    tries: list[tuple[str, str]] = []

    async def write() -> None:
        tries.append(
            tuple(
                await connection.fetchrow(
                    "SELECT current_setting('work_mem'), current_setting('lock_timeout')"
                )
            )
        )
        if len(tries) < 3:
            raise MeanwhileError

    try:
        await connection.execute("SET work_mem = '7MB'")
        await in_transaction(connection, write)
        assert tries == [("7MB", "30s")] * 3
        assert await connection.fetchval("SHOW work_mem") == "7MB"
        assert await connection.fetchval("SHOW lock_timeout") == "0"
    finally:
        await connection.close()
