"""What an error says: a fault of the program on what it had in hand, or something that passes by itself."""

from __future__ import annotations

from typing import Final

import asyncpg

from runtime.errors import ConfigurationError, UnavailableError
from runtime.postgres import connection_lost

#: Classes of SQLSTATE that speak of the values that were written or read: data exception, constraint, a limit of the program,
#: a word of our own triggers. Every other one speaks of the server, its schema or its rights: no value mends or breaks that.
_OF_VALUES: Final = ("22", "23", "54", "P0")


def is_fault(error: BaseException) -> bool:
    """Whether ``error`` is a fault of the program on the data in hand, so that other data may pass.

    An outage of the database, the log or the connection, a wrong schema, a shutdown are none: those are waited for, and
    nothing is ever set aside for them.
    """
    if not isinstance(error, Exception) or isinstance(error, (UnavailableError, ConfigurationError)):
        return False
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "")[:2] in _OF_VALUES
    if isinstance(error, asyncpg.InternalClientError):
        return False
    # asyncpg's word for a value that it cannot encode is an InterfaceError as well, and a ValueError.
    return not connection_lost(error)


def of_one_fact(error: BaseException) -> bool:
    """Whether ``error`` is a fault that other data may not have: memory that is short is short for everything."""
    return is_fault(error) and not isinstance(error, MemoryError)
