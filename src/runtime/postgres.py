"""Connections to PostgreSQL, alone or in a pool, and what its errors mean.

Every connection of the program is opened here. So each has the same session settings (``PINNED``), whatever the server,
the role or the database has as its default.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg
import orjson

from runtime import database_says, pooler
from runtime.errors import ConfigurationError, UnavailableError

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


def is_outage(error: BaseException) -> bool:
    """Whether ``error`` says that the database does not serve us now, and will again: its connection, its server, its room, others
    who got in the way. Every other error of it (an unknown column, a right that is missing, a value that does not fit) is a
    fault of the program, the schema or the data: waiting does not mend it."""
    if isinstance(error, UnavailableError):
        return True
    return isinstance(error, (*_NOT_NOW, asyncpg.PostgresSystemError)) or connection_lost(error)


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
        raise unavailable(error) from error


def unavailable(error: BaseException) -> UnavailableError:
    """What a database that fails, or takes no writes now, is to the command line: why, and what to do."""
    return UnavailableError(database_says.cause(error), hint=database_says.hint(error))


async def is_read_only(connection: Any) -> bool:
    """Whether what is begun on ``connection`` now cannot write (a standby, or set so)."""
    return bool(await connection.fetchval("SELECT current_setting('transaction_read_only')::boolean"))


async def renew_read_only(pool: asyncpg.Pool, error: BaseException) -> None:
    """After ``error``: when it says that the database is read-only, use none of the sessions of ``pool`` any more. They
    keep ``default_transaction_read_only`` as it was when they began, also when the database is writable again."""
    if database_says.is_read_only(error):
        await pool.expire_connections()


#: A database host that vanishes says nothing: without this a command would wait for its answer for ever, or for as long as
#: the kernel repeats (a quarter of an hour). Generous, for a server that does not read for this long is taken for dead too.
DEAD_AFTER_S: Final = 60.0
#: How long a server may take to let us in.
CONNECT_TIMEOUT_S: Final = 10.0
#: So many statements stay prepared on a connection. The writes of the registry alone are more than the 100 that asyncpg keeps: a
#: statement that was dropped is read and planned anew by the server, at two more round trips.
STATEMENTS: Final = 500
#: The same for the server: a client that vanished must not keep its locks (the judge that leads) for hours.
_KEEPALIVES: Final = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
#: Session settings that another default would change the program's results by, or end its work by. They are sent when a
#: connection is opened: such values stand above ``ALTER ROLE ... SET`` and ``ALTER DATABASE ... SET``, and ``RESET ALL`` (a
#: connection that goes back to its pool) returns to them.
#: - The isolation: the writers take a lock and then read what stands. Under ``repeatable read`` they would read what stood
#:   before the lock, and two of them would give one name to two stations.
#: - How values are written as text: SQL and triggers turn times, bytes and numbers into text and back.
#: - The limits of time: the program has its own. A migration or a recomputation may take long.
#: Left to the database on purpose: ``default_transaction_read_only`` and ``synchronous_commit``. Who sets them wants what
#: they do (a frozen or a replicated database), and a write that is refused is told, not lost.
PINNED: Final[Mapping[str, str]] = {
    "default_transaction_isolation": "read committed",
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "gin_fuzzy_search_limit": "0",
    "search_path": '"$user", public',
    "client_min_messages": "notice",  # what a migration mended is told by a warning
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",  # PostgreSQL 14 and newer, as is what the program needs
}
#: The same for a setting that servers before PostgreSQL 17 do not know: sent with the others, it would end the connection.
_PINNED_SINCE_17: Final = "SET transaction_timeout = 0"

#: How a server, or a pooler before it, refuses settings that come with the connection.
_SETTINGS_REFUSED: Final = (
    asyncpg.ProtocolViolationError,  # PgBouncer: unsupported startup parameter
    asyncpg.UndefinedObjectError,
    asyncpg.CantChangeRuntimeParamError,
)


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


def connection_class(dead_after_s: float = DEAD_AFTER_S) -> type[Any]:
    """The class of our connections: their line is watched, and all their settings come back after ``RESET ALL``."""

    class Watched(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
        def __init__(self, protocol: Any, transport: Any, *rest: Any) -> None:
            super().__init__(protocol, transport, *rest)
            _watch_line(transport.get_extra_info("socket"), dead_after_s)
            self.begins_with = ""
            self.ends_clean = False
            self._is_reset = False

        async def execute(self, query: str, *args: Any, **options: Any) -> str:
            # Both are sent with what is sent anyway: a transaction with a role of its own costs one round trip, not three.
            self._is_reset = False
            if not args:
                if query.startswith("BEGIN"):
                    query = f"{query}{self.begins_with}"
                elif query == "COMMIT;" and self.ends_clean:
                    done: str = await super().execute(f"{query}{self._whole_reset()}", **options)
                    self._is_reset = True
                    return done
            return str(await super().execute(query, *args, **options))

        def leave_as_it_is(self) -> None:
            self._is_reset = True

        def get_reset_query(self) -> str:
            is_reset, self._is_reset = self._is_reset, False
            return "" if is_reset else self._whole_reset()

        def _whole_reset(self) -> str:
            # RESET ALL leaves the role as it is.
            return f"{super().get_reset_query()}\nRESET ROLE;\n{_late_settings(self)}"

    return Watched


@contextmanager
def begin_with(connection: Any, sql: str, *, ends_clean: bool = True) -> Iterator[None]:
    """Within: every transaction on ``connection`` (one of ours) begins with the statements ``sql``, which are sent together with
    its BEGIN; blocks of this within each other add theirs. ``ends_clean``: the connection is from a pool and has one transaction,
    so the session is reset together with its COMMIT."""
    own = getattr(connection, "_con", connection)  # a pool gives out proxies
    before = own.begins_with, own.ends_clean
    own.begins_with, own.ends_clean = before[0] + sql, before[1] or ends_clean
    try:
        yield
    finally:
        own.begins_with, own.ends_clean = before


def only_read(connection: Any) -> None:
    """Say of ``connection`` that nothing was done over it, since its pool gave it out, but to SELECT what changes nothing of
    the session. It goes back to the pool without the round trip of a reset."""
    getattr(connection, "_con", connection).leave_as_it_is()


def _late_settings(connection: Any) -> str:
    """What is set when the connection is open, as SQL; "" for a server that does not have it."""
    return _PINNED_SINCE_17 if connection.get_server_version() >= (17,) else ""


def _wanted(dsn: str) -> dict[str, str]:
    """``PINNED`` for a connection to ``dsn``. Who runs the program may choose the schema: ``?search_path=...`` in the DSN."""
    chosen = parse_qs(urlsplit(dsn).query).get("search_path")
    return dict(PINNED) | ({"search_path": chosen[-1]} if chosen else {})


async def _open(dsn: str, kind: type[Any], timeout_s: float) -> Any:
    """The one way to a connection: with our settings, looked at, ready for use. Raises what asyncpg raises, and
    ConfigurationError when the database cannot serve us."""
    wanted = _wanted(dsn)
    try:
        connection = await asyncpg.connect(
            dsn,
            timeout=timeout_s,
            connection_class=kind,
            server_settings=_KEEPALIVES | wanted,
            statement_cache_size=STATEMENTS,
        )
    except _SETTINGS_REFUSED as error:
        raise _settings_lost(str(error)) from error

    async def plain() -> Any:
        return await asyncpg.connect(dsn, timeout=timeout_s, server_settings=_KEEPALIVES | wanted)

    try:
        async with asyncio.timeout(timeout_s):
            await _prepare(connection, wanted)
            await pooler.refuse_shared_sessions(dsn, connection, plain)
    except BaseException as error:
        connection.terminate()
        if isinstance(error, pooler.STATEMENTS_LOST):
            raise pooler.transaction_pooling(str(error)) from error
        raise
    return connection


async def _prepare(connection: Any, wanted: dict[str, str]) -> None:
    names = ("server_encoding", "client_encoding", *wanted)
    values = await connection.fetchrow("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
    have = dict(zip(names, values, strict=True))
    if (encoding := have["server_encoding"]) != "UTF8":
        raise ConfigurationError(
            f"数据库的编码是 {encoding}，必须是 UTF8 / the encoding of the database is {encoding}, it must be UTF8",
            hint="新建一个 / make another one: CREATE DATABASE gongche ENCODING 'UTF8' TEMPLATE template0",
        )
    # A pooler may accept our settings and pass on none of them.
    if lost := [
        name for name, value in (wanted | {"client_encoding": "UTF8"}).items() if have[name] != value
    ]:
        raise _settings_lost(", ".join(f"{name} = {have[name]}" for name in lost))
    if late := _late_settings(connection):
        await connection.execute(late)
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: orjson.loads(data[1:]),
        format="binary",
    )


def _settings_lost(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"数据库没有接受本程序的会话设置 / the database did not take the settings of our session: {what}",
        hint="请直接连接 PostgreSQL（14 或更新），不要经过 PgBouncer 等连接池 / connect to PostgreSQL itself (14 or newer), not"
        " to a pooler such as PgBouncer",
    )


async def create_pool(
    dsn: str, *, min_size: int = 1, max_size: int = 10, dead_after_s: float = DEAD_AFTER_S
) -> asyncpg.Pool:
    """A pool whose connections have the settings of ``PINNED``, turn jsonb into Python values and back, and end
    (DATABASE_ERRORS) when the server's host has been silent for ``dead_after_s``.

    Raises UnavailableError when the server does not answer, ConfigurationError when it refuses us or cannot serve us.
    """
    ours = connection_class(dead_after_s)

    async def another(*_: Any, **_options: Any) -> Any:
        return await _open(dsn, ours, CONNECT_TIMEOUT_S)

    try:
        return await asyncpg.create_pool(
            dsn, min_size=min_size, max_size=max_size, connect=another, connection_class=ours
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


async def connect(
    dsn: str, *, dead_after_s: float = DEAD_AFTER_S, timeout_s: float = CONNECT_TIMEOUT_S
) -> asyncpg.Connection:
    """One connection, like those of the pool. Raises what asyncpg raises (DATABASE_ERRORS), and ConfigurationError when the
    database cannot serve us."""
    return await _open(dsn, connection_class(dead_after_s), timeout_s)
