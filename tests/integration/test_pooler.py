"""Before PostgreSQL stands a pooler: one that shares sessions is refused in a sentence, and no lock stays behind in one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from runtime.errors import ConfigurationError
from runtime.migrations import migrate
from runtime.postgres import connect, create_pool
from tests.integration.pooler import running_pooler
from tests.integration.test_read_only import command

LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"


async def test_a_pooler_of_transactions_is_refused(db_url: str, tmp_path: Path) -> None:
    async with running_pooler(db_url, tmp_path) as dsn:
        plain = await asyncpg.connect(dsn)
        assert await plain.fetchval("SELECT count(*) FROM schema_migrations") > 0  # it works, so far
        for way in (connect, create_pool):
            with pytest.raises(ConfigurationError, match="pool_mode = transaction") as refused:
                await way(dsn)
            assert "session" in refused.value.hint
        for words in (("migrate",), ("api",), ("judge",), ("worker",), ("gateway",), ("token", "list")):
            status, said = await command(dsn, tmp_path, *words)
            assert status == 78, (words, said)
            assert said.startswith("gongche: 数据库连接经过事务级连接池"), said
            assert "Traceback" not in said
        assert await plain.fetchval(LOCKS) == 0
        await plain.close()


async def test_no_lock_of_a_migration_outlives_its_transactions(db_url: str) -> None:
    """Seen from within each migration's transaction: the lock is there, and it is the transaction's."""
    seen = await asyncpg.connect(db_url)
    await seen.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    applied = await migrate(db_url)
    assert applied
    assert await migrate(db_url) == []
    assert await seen.fetchval(LOCKS) == 0
    await seen.close()


async def test_two_migrate_at_once(db_url: str) -> None:
    plain = await asyncpg.connect(db_url)
    await plain.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    first, second = await asyncio.gather(migrate(db_url), migrate(db_url))
    assert not set(first) & set(second)
    assert len(first) + len(second) == await plain.fetchval("SELECT count(*) FROM schema_migrations")
    await plain.close()
