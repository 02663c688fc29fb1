"""Fixtures shared by all tests: a real PostgreSQL, a fresh migrated database for each test."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from runtime.embedded_postgres import embedded_server
from runtime.migrations import migrate
from runtime.postgres import create_pool
from tests.databases import copy_of, dsn_of, memory_folder

pytest_plugins = ["tests.skips", "tests.parallel"]

# No test is a timed one: on a busy machine an example that takes long says nothing about the program.
settings.register_profile("gongche", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Where the same tests have run, or will, on another Python: whether they run at all.
settings.register_profile("brief", settings.get_profile("gongche"), max_examples=20)
settings.load_profile("gongche")


# A shell that runs us in the background has us, and every program that we start, ignore SIGINT.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


async def _for_tests(dsn: str) -> None:
    """Spare the disk: nobody needs these data after a power cut. Tests that kill a PostgreSQL have one of their own.

    Nothing is vacuumed or analysed unasked: a database lives for seconds, and a snapshot of that work, taken while a test
    vacuums its table, would leave pages that an index does not answer alone, so another plan.
    """
    connection = await asyncpg.connect(dsn)
    for name in ("fsync", "full_page_writes", "autovacuum"):
        await connection.execute(f"ALTER SYSTEM SET {name} = off")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """DSN of a PostgreSQL for this test run (for this worker of it): ``GONGCHE_TEST_DATABASE_URL`` or the embedded server."""
    given = os.environ.get("GONGCHE_TEST_DATABASE_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="gongche-test-", dir=memory_folder()))
    folder.chmod(0o755)
    try:
        with embedded_server(folder) as dsn:
            asyncio.run(_for_tests(dsn))
            yield dsn
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template_database(postgres_dsn: str) -> Iterator[str]:
    """A migrated database that each test's own is copied from (copying takes a few milliseconds)."""
    name = f"template_{uuid.uuid4().hex[:12]}"

    async def prepare() -> None:
        connection = await asyncpg.connect(postgres_dsn)
        await connection.execute(f'CREATE DATABASE "{name}"')
        await connection.close()
        await migrate(dsn_of(postgres_dsn, name))

    async def drop() -> None:
        connection = await asyncpg.connect(postgres_dsn)
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await connection.close()

    asyncio.run(prepare())
    yield name
    asyncio.run(drop())


@pytest.fixture
async def db_url(postgres_dsn: str, template_database: str) -> AsyncIterator[str]:
    """DSN of a fresh, migrated database."""
    async with copy_of(postgres_dsn, template_database) as dsn:
        yield dsn


@pytest.fixture
async def pool(db_url: str) -> AsyncIterator[asyncpg.Pool]:
    """A connection pool on a fresh, migrated database."""
    made = await create_pool(db_url, max_size=20)
    yield made
    made.terminate()
