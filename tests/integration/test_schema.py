"""``migrations/schema.sql`` is what all migrations together make, object by object."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from difflib import unified_diff
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from tools.schema import SCHEMA, describe

from runtime.connection import Connection
from runtime.migrations import expected_schema_version, migration_files


@pytest.fixture
async def written(postgres_dsn: str) -> AsyncIterator[Connection]:
    """A connection to a database that was made by the file."""
    name = f"schema_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(postgres_dsn)
    try:
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        connection = await asyncpg.connect(urlunsplit(urlsplit(postgres_dsn)._replace(path=f"/{name}")))
        await connection.execute(SCHEMA.read_text("utf-8"))
        yield connection
        await connection.close()
    finally:
        await server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await server.close()


async def test_the_file_is_what_the_migrations_make(written: Connection, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as migrated:
        difference = "\n".join(
            unified_diff(await describe(written), await describe(migrated), "schema.sql", "migrations", n=0)
        )
    assert not difference, f"run `make schema`\n{difference}"


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE more (id integer)",
        "ALTER TABLE vehicles ADD COLUMN more text",
        "ALTER TABLE vehicles ALTER COLUMN category SET DEFAULT 'x'",
        "ALTER TABLE vehicles ALTER COLUMN category DROP NOT NULL",
        "ALTER TABLE drivers ALTER COLUMN phone TYPE varchar(20)",
        "ALTER TABLE drivers ADD CHECK (phone <> 'x')",
        "ALTER TABLE card_bindings DROP CONSTRAINT card_bound_once",
        "ALTER TABLE alert_feed ALTER CONSTRAINT alert_feed_alert_id_version_fkey DEFERRABLE",
        "ALTER TABLE change_readers ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own ON drivers USING (organisation = 'x')",
        "DROP INDEX one_current_version_of_order",
        "CREATE INDEX more ON drivers (name)",
        "DROP TRIGGER dispatch_orders_supersede ON dispatch_orders",
        "ALTER TABLE dispatch_orders DISABLE TRIGGER dispatch_orders_supersede",
        "CREATE OR REPLACE FUNCTION supersede_dispatch_order() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE OR REPLACE VIEW current_dispatch_orders AS SELECT * FROM dispatch_orders",
        "CREATE TYPE more AS ENUM ('x')",
        "CREATE SEQUENCE more",
        "COMMENT ON TABLE vehicles IS 'x'",
        "COMMENT ON COLUMN vehicles.id IS 'x'",
        "ALTER TABLE positions DETACH PARTITION positions_default",
        "ALTER TABLE vehicle_states SET (fillfactor = 90)",
    ],
)
async def test_a_description_misses_nothing(pool: asyncpg.Pool, change: str) -> None:
    async with pool.acquire() as connection:
        before = await describe(connection)
        await connection.execute(change)
        assert await describe(connection) != before


def test_the_numbers_of_migrations_are_of_one_each() -> None:
    numbers = [file.name.partition("_")[0] for file in migration_files()]
    assert len(set(numbers)) == len(numbers)
    assert int(numbers[-1]) == expected_schema_version()
    assert SCHEMA not in migration_files()
