"""Migrations: applied once, never out of step, never over a newer database."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from runtime.errors import ConfigurationError
from runtime.postgres import (
    DATABASE_ERRORS,
    connect,
    connection_lost,
    expected_schema_version,
    migrate,
    migration_files,
    require_schema,
    schema_version,
)


async def test_a_second_migration_changes_nothing(db_url: str) -> None:
    assert await migrate(db_url) == []
    connection = await connect(db_url)
    assert await schema_version(connection) == expected_schema_version()
    await require_schema(connection)
    await connection.close()


async def test_newer_database_is_refused(db_url: str, pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO schema_migrations (version, name, sha256) VALUES (9999, 'x', 'y')")
    with pytest.raises(ConfigurationError, match="9999"):
        await migrate(db_url)
    async with pool.acquire() as connection:
        with pytest.raises(ConfigurationError, match="knows only"):
            await require_schema(connection)


async def test_edited_migration_is_refused(db_url: str, pool: asyncpg.Pool) -> None:
    await pool.execute("UPDATE schema_migrations SET sha256 = '' WHERE version = 1")
    with pytest.raises(ConfigurationError, match="0001"):
        await migrate(db_url)


async def test_jsonb_goes_in_and_out_as_values(pool: asyncpg.Pool) -> None:
    assert await pool.fetchval("SELECT $1::jsonb", {"a": [1, "二"]}) == {"a": [1, "二"]}


async def test_a_lost_connection_is_told_from_what_was_asked_over_it(db_url: str) -> None:
    mine, other = await connect(db_url), await connect(db_url)
    try:
        for wrong, value in (
            ("SELECT $1::int4", 1 << 40),
            ("SELECT 1 / $1::int4", 0),
            ("SELECT $1::text", "\0"),
        ):
            with pytest.raises(Exception) as caught:  # noqa: PT011 - of what kind it is, is the question
                await mine.fetchval(wrong, value)
            assert not connection_lost(caught.value), wrong
        assert await other.fetchval("SELECT pg_terminate_backend($1)", mine.get_server_pid())
        for _ in range(2):  # when it breaks, and ever after
            with pytest.raises(DATABASE_ERRORS) as broken:
                await mine.fetchval("SELECT pg_sleep(5)")
            assert connection_lost(broken.value)
    finally:
        mine.terminate()
        await other.close()


async def test_what_stood_beside_a_terminal_that_never_registered_was_the_offices_word(
    db_url: str, pool: asyncpg.Pool
) -> None:
    await pool.execute("ALTER TABLE terminals DROP COLUMN office_said")  # as before migration 7
    await pool.execute("DELETE FROM schema_migrations WHERE version = 7")
    await pool.execute(
        "INSERT INTO terminals (phone, model, device_id, registered_at, source) VALUES ('1', 'M', 'D1', NULL, 'registry'),"
        " ('2', '', '', NULL, 'registry'), ('3', 'M', 'D3', now(), 'registry'), ('4', 'M', 'D4', NULL, 'auto')"
    )
    assert await migrate(db_url) == ["0007_terminal_devices.sql"]
    said = [r["office_said"] for r in await pool.fetch("SELECT office_said FROM terminals ORDER BY phone")]
    assert said == [["model", "device_id"], [], [], []]


async def test_positions_of_dead_clocks_move_to_their_own_partition(
    postgres_dsn: str,
) -> None:
    """A database of before 0009 that has rows of all kinds in the default partition."""
    name = f"older_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(postgres_dsn)
    await server.execute(f'CREATE DATABASE "{name}"')
    dsn = urlunsplit(urlsplit(postgres_dsn)._replace(path=f"/{name}"))
    connection = await connect(dsn)
    try:
        for file in migration_files():
            if file.name < "0009":
                await connection.execute(file.read_text("utf-8"))
        days = ["1970-01-01", "2006-04-05", "2019-12-31", "2020-01-01", "2026-03-01", "2099-12-31"]
        for day in days:
            await connection.execute(
                "INSERT INTO positions (terminal_no, device_time, fingerprint, received_at, lat_e6, lon_e6, altitude_m,"
                " speed_dkmh, direction_deg, alarm, status, quality, source)"
                " VALUES (1, $1::text::timestamptz, 1, now(), 0, 0, 0, 0, 0, 0, 0, 0, 0)",
                f"{day}T00:00:00Z",
            )
        await connection.execute(
            next(f for f in migration_files() if f.name.startswith("0009")).read_text("utf-8")
        )
        rows = await connection.fetch(
            "SELECT (device_time AT TIME ZONE 'UTC')::date::text AS day, tableoid::regclass::text AS place"
            " FROM positions ORDER BY 1"
        )
        places = ["positions_before_2020"] * 3 + ["positions_default"] * 3
        assert [(r["day"], r["place"]) for r in rows] == list(zip(days, places, strict=True))
    finally:
        await connection.close()
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.close()


async def test_from_when_on_orders_cover_is_carried_over_from_the_rule_location(
    db_url: str, pool: asyncpg.Pool
) -> None:
    """What offices have set holds on, and nothing is judged again for it."""
    await pool.execute("DELETE FROM schema_migrations WHERE version = 22")
    await pool.execute(
        "INSERT INTO rule_parameters (rule, name, value, effective_from) VALUES"
        " ('location', 'early_start_min', 25, '2026-01-01Z'), ('location', 'early_start_min', 30, '2026-02-01Z'),"
        " ('location', 'episode_idle_min', 20, '2026-01-01Z')"
    )
    told = "SELECT (SELECT count(*) FROM judge_changes) + (SELECT count(*) FROM registry_changes)"
    before = await pool.fetchval(told)
    assert await migrate(db_url) == ["0022_parameters_of_orders.sql"]
    rows = await pool.fetch("SELECT rule, name, value::int FROM rule_parameters ORDER BY rule, value")
    assert [tuple(row) for row in rows] == [
        ("location", "episode_idle_min", 20), ("order", "early_start_min", 25), ("order", "early_start_min", 30),
    ]  # fmt: skip
    assert await pool.fetchval(told) == before
    await pool.execute("UPDATE rule_parameters SET value = 26 WHERE value = 25")
    assert await pool.fetchval(told) > before
