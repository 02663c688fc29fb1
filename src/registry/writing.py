"""How the registry is written by many at once. There is no lock on the registry: a transaction locks the rows of the records
that it changes (in the order of their keys, and only those that differ), so no write waits for an import of other records.

What two transactions could only break together is kept by constraints of the database. The later of the two then fails, and
so does one of two that wait for each other. Such a transaction is begun again (``in_transaction``): it finds what the other
has written, and writes after it, or refuses with a sentence.

Named locks stand for what no row and no constraint can keep. They are taken late, and held to the end of the transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from enum import IntEnum
from typing import Final, TypeVar

import asyncpg

from registry.refusals import Flaw, RefusedError
from runtime.connection import Connection
from runtime.postgres import begin_with

#: How often a transaction is tried that others got in the way of.
TRIES: Final = 5
#: How long a transaction waits for a row that another has changed and not committed yet.
LOCK_TIMEOUT_S: Final = 30
_PATIENCE: Final = f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_S * 1000};"
#: Names our locks among all advisory locks with two keys.
_LOCKS: Final = 0x676F6E67  # "gong"

_T = TypeVar("_T")


class Lock(IntEnum):
    """The named locks."""

    UNITS = 1  # units that come under another one: two such moves could form a ring together
    STATION_NAMES = 2  # which station a name means, and the transactions that follow it; taken last
    STATEMENTS = 3  # imports of statements: a row without a number is found again by its content
    VIOLATIONS = 4  # the same for exports of violations
    TERMINALS_OF = 5  # a vehicle, by its number: which terminal it has
    ASSESSMENT = 6  # scoring tables and closed sheets: none is published over one that is being closed
    SENT_VEHICLES = 7  # a vehicle, by its number: its dispatches are made one after the other
    SENT_DRIVERS = 8  # the same of a driver, by a hash of his id
    SETTLED_PLATFORMS = 9  # a platform, by a hash of its id: its statements are drawn, and its trips' facts entered, one after the other


#: Of more keys than this no locks are taken: there is room for some thousands in the whole server.
MOST_KEYS: Final = 100


class MeanwhileError(RefusedError):
    """Another transaction wrote the same at the same time; this one must be begun again."""

    def __init__(
        self,
        # Who does not reach the record that bears an id cannot be told more than this.
        message: str = "刚被他人修改，或编号已被占用；请重试，或更换编号 · was changed by somebody else just now, or the id is taken;"
        " try again, or take another id",
    ) -> None:
        super().__init__([Flaw((), message)], conflict=True)


_AGAIN: Final = (
    MeanwhileError,
    asyncpg.TransactionRollbackError,  # a deadlock among them
    asyncpg.UniqueViolationError,
    asyncpg.ExclusionViolationError,
)


async def in_transaction(connection: Connection, write: Callable[[], Awaitable[_T]]) -> _T:
    """What ``write()`` returns, in a transaction of its own on ``connection``, which is begun again when others got in its
    way. So ``write`` must keep nothing of a failed try.

    Raises asyncpg.LockNotAvailableError when somebody else holds a row for longer than LOCK_TIMEOUT_S.
    """
    with begin_with(connection, _PATIENCE, ends_clean=False):
        for left in reversed(range(TRIES)):
            try:
                async with connection.transaction():
                    return await write()
            except _AGAIN:
                if not left:
                    raise
    raise AssertionError("unreachable")


async def take(connection: Connection, lock: Lock) -> None:
    """Hold a named lock to the end of the transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCKS, int(lock))


async def take_each(connection: Connection, lock: Lock, keys: Collection[int]) -> None:
    """The same for each of ``keys``, so that few of them wait for each other and need not begin again. Of many there are no
    locks: for an import there are the constraints."""
    if len(keys) <= MOST_KEYS:
        for key in sorted(keys):
            await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", _LOCKS + int(lock), key)
