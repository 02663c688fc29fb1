"""Whether sessions come through a pooler that gives each transaction another session (PgBouncer with ``pool_mode =
transaction``).

The program cannot work through one: the lock of the judge that leads, prepared statements and session settings belong to a
session of the server. A pooler that gives a client its session for as long as it stays (``pool_mode = session``) is welcome.

How it is found out: PostgreSQL tells each client the process of its session when it connects. A pooler tells a number of its
own. Where the two differ, a second connection is opened: when it ever has the process that the first one had, while the first
is still connected, then sessions are shared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import asyncpg

from runtime.errors import ConfigurationError

#: How often it is looked. A pooler with nobody else gives the session that was used last: the first look finds it then.
_LOOKS: Final = 5
#: A pooler of sessions that has none left lets the second connection wait; it is not waited for longer.
_WAIT_S: Final = 1.5

#: What a session that is another one than a moment ago answers: prepared there, unknown or taken here.
STATEMENTS_LOST: Final = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)

#: DSNs whose pooler is known to give whole sessions.
_whole_sessions: set[str] = set()


def transaction_pooling(what: str) -> ConfigurationError:
    """The refusal. ``what`` was seen."""
    return ConfigurationError(
        "数据库连接经过事务级连接池（如 PgBouncer 的 pool_mode = transaction），本程序无法在其上运行"
        " / the connection goes through a pooler in transaction mode (such as PgBouncer with pool_mode = transaction), over"
        f" which this program cannot work: {what}",
        hint="请直接连接 PostgreSQL，或将该库的 pool_mode 改为 session / connect to PostgreSQL itself, or set pool_mode = session"
        " for this database",
    )


async def refuse_shared_sessions(dsn: str, connection: Any, plain: Callable[[], Awaitable[Any]]) -> None:
    """Look at ``connection`` to ``dsn``, which is in no transaction; ``plain`` opens another one like it. Raises
    ConfigurationError when the sessions behind it are shared."""
    if await _process(connection) == connection.get_server_pid() or dsn in _whole_sessions:
        return
    # One that waits has been given no session, and none is taken from another: they are not shared.
    with suppress(TimeoutError):
        async with asyncio.timeout(_WAIT_S):
            other = await plain()
        try:
            await _compare(connection, other)
        finally:
            with suppress(OSError, asyncpg.InterfaceError):
                other.terminate()
    _whole_sessions.add(dsn)


async def _compare(connection: Any, other: Any) -> None:
    """Raises ConfigurationError when the two are seen to share a session, TimeoutError when ``other`` gets none."""
    for _ in range(_LOOKS):
        before = await _process(connection)
        async with asyncio.timeout(_WAIT_S):
            try:
                await other.execute("BEGIN")
            except asyncpg.ProtocolViolationError as error:  # pool_mode = statement takes no transactions
                raise transaction_pooling(str(error)) from error
            theirs = await _process(other)
        if theirs == before:
            raise transaction_pooling(f"two connections have one session ({before})")
        try:
            async with asyncio.timeout(_WAIT_S):
                after = await _process(connection)
        except TimeoutError:
            raise transaction_pooling("a connection waits for the transaction of another one") from None
        if after != before:
            raise transaction_pooling(f"one connection has two sessions ({before}, {after})")
        await other.execute("ROLLBACK")


async def _process(connection: Any) -> int:
    """The server's process of the session that answers now."""
    try:
        return int(await connection.fetchval("SELECT pg_backend_pid()"))
    except STATEMENTS_LOST as error:
        raise transaction_pooling(str(error)) from error
