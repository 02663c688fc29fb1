"""Migrations: the numbered SQL files, which of them a database has, and applying the rest."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg

from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.postgres import DATABASE_ERRORS, PINNED, connect, unavailable

_logger = logging.getLogger(__name__)

# One migration at a time, whoever starts first (gateway, worker, api start together).
_MIGRATION_LOCK: Final = 0x676F6E67636865  # "gongche"

_WHEEL: Final = Path(__file__).resolve().parent / "_migrations"
_CHECKOUT: Final = Path(__file__).resolve().parents[2] / "migrations"


def migration_files() -> list[Path]:
    """The numbered SQL files, oldest first: from the checkout, or from the installed wheel."""
    folder = _CHECKOUT if _CHECKOUT.is_dir() else _WHEEL
    files = sorted(folder.glob("[0-9]*.sql"))
    if not files:
        raise ConfigurationError(f"no migrations in {folder}", hint="is the installation complete?")
    return files


async def schema_version(connection: Connection) -> int:
    """Number of the newest migration applied; 0 for an empty database."""
    if not await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
        return 0
    return int(await connection.fetchval("SELECT COALESCE(max(version), 0) FROM schema_migrations"))


def expected_schema_version() -> int:
    """Number of the newest migration this program knows."""
    return _version(migration_files()[-1])


async def migrate(dsn: str) -> list[str]:
    """Apply what is missing, each file in a transaction of its own. Returns the names applied.

    What a migration says with RAISE WARNING (records that it had to mend) goes to the log. Raises ConfigurationError for a
    database that is newer than the program, whose applied migrations differ, or whose tables are in another schema.
    """
    applied: list[str] = []
    connection = await connect(dsn)
    connection.add_log_listener(_pass_on)
    try:
        if await _complete(connection):  # also of a database that is read-only now
            return applied
        while (name := await _apply_next(connection)) is not None:
            applied.append(name)
    finally:
        await connection.close()
    return applied


async def _complete(connection: Connection) -> bool:
    """Whether there is nothing to apply."""
    return await schema_version(connection) > 0 and not _missing(await _done(connection))


async def _apply_next(connection: Connection) -> str | None:
    """Apply the oldest file that is missing, in a transaction; its name, or None without any.

    The lock ends with the transaction: the lock of a session would stay in the server's session when that belongs to a
    pooler, and nobody could migrate any more.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        await _refuse_a_second_installation(connection)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
            " sha256 bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        missing = _missing(await _done(connection))
        if not missing:
            return None
        file, text = missing[0]
        await connection.execute(text)
        await connection.execute(
            "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)",
            _version(file), file.name, _digest(text),
        )  # fmt: skip
    return file.name


async def _done(connection: Connection) -> dict[int, bytes]:
    """SHA-256 of each migration that was applied, by its number."""
    rows = await connection.fetch("SELECT version, sha256 FROM schema_migrations")
    return {r["version"]: r["sha256"] for r in rows}


def _missing(done: Mapping[int, bytes]) -> list[tuple[Path, str]]:
    """The files that were not applied and their text, oldest first. Raises ConfigurationError for a database that is newer,
    and for a file that is not the one that was applied."""
    files = {_version(file): file for file in migration_files()}
    if newer := done.keys() - files.keys():
        raise ConfigurationError(
            f"the database has migrations {sorted(newer)} that this program does not know",
            hint="it was upgraded by a newer gongche: run that one",
        )
    missing = []
    for version, file in files.items():
        text = file.read_text("utf-8")
        if version not in done:
            missing.append((file, text))
        elif done[version] != _digest(text):
            raise ConfigurationError(
                f"migration {file.name} is not the one that was applied",
                hint="migrations are never edited after release; restore the file",
            )
    return missing


def _version(file: Path) -> int:
    return int(file.name.split("_")[0])


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


async def _refuse_a_second_installation(connection: Connection) -> None:
    """An installation in a schema that only a role's own ``search_path`` leads to is not seen by our sessions: say so, and
    do not make another one beside it. One that the DSN leads to is on purpose."""
    # Read from the catalogue itself: to_regclass may still say what was true before we waited for the lock.
    seen = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_tables WHERE tablename = 'schema_migrations'"
        " AND schemaname = ANY (current_schemas(false)))"
    )
    if seen or await connection.fetchval("SHOW search_path") != PINNED["search_path"]:
        return
    schema = await connection.fetchval(
        "SELECT min(m.schemaname) FROM pg_tables m JOIN pg_tables o USING (schemaname)"
        " WHERE m.tablename = 'schema_migrations' AND o.tablename = 'log_offsets'"
    )
    if schema is not None:
        raise ConfigurationError(
            f"本程序的表在模式 {schema} 中 / the tables of gongche are in the schema {schema}",
            hint=f"在 GONGCHE_DATABASE_URL 后加上 / add to GONGCHE_DATABASE_URL: ?search_path={schema}",
        )


def _pass_on(_connection: Any, message: Any) -> None:
    if message.severity_en == "WARNING":
        _logger.warning("%s", message.message)


async def require_schema(connection: Connection) -> None:
    """Raises ConfigurationError unless the database has exactly the schema this program expects."""
    have, want = await schema_version(connection), expected_schema_version()
    if have < want:
        raise ConfigurationError(
            f"the database schema is {have}, this program needs {want}", hint="run `gongche migrate`"
        )
    if have > want:
        raise ConfigurationError(
            f"the database schema is {have}, this program knows only {want}", hint="run the newer gongche"
        )


async def check_schema(pool: asyncpg.Pool) -> None:
    """``require_schema`` at the start of a program. Raises UnavailableError too, when the server dies meanwhile: a
    supervisor tries again then."""
    try:
        async with pool.acquire() as connection:
            await require_schema(connection)
    except DATABASE_ERRORS as error:
        raise unavailable(error) from error
