"""What the SQL of the rooms needs of a database connection, as a type: asyncpg's own, which carries no types.

Rooms that only run SQL in their caller's transaction import this and not asyncpg.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol


def affected(done: str) -> int:
    """How many rows a command changed, by what ``Connection.execute`` says of it ("DELETE 7", "INSERT 0 7")."""
    return int(done.rpartition(" ")[2])


def sql_time(microseconds: str) -> str:
    """SQL of the timestamptz of a bigint of microseconds since 1970. Exact: seconds and the rest are
    multiplied apart, each within the 53 bits of the float that interval multiplication goes through."""
    return (
        f"(timestamptz 'epoch' + ({microseconds} / 1000000) * interval '1 second'"
        f" + ({microseconds} % 1000000) * interval '1 microsecond')"
    )


class Transaction(Protocol):
    """A transaction or savepoint: as a context manager, or begun and ended by hand."""

    async def start(self) -> None: ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *error: Any) -> Any: ...


class Connection(Protocol):
    """A connection in a pool's hands or one of its own; see asyncpg.Connection for what each method does. Every method
    raises asyncpg.PostgresError, or OSError where the line broke."""

    async def execute(self, query: str, *args: Any) -> str: ...

    async def executemany(self, command: str, args: Iterable[Sequence[Any]]) -> None: ...

    async def fetch(self, query: str, *args: Any) -> list[Any]: ...

    async def fetchrow(self, query: str, *args: Any) -> Any: ...

    async def fetchval(self, query: str, *args: Any, column: int = 0) -> Any: ...

    def cursor(self, query: str, *args: Any, prefetch: int | None = None) -> Any: ...

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False, deferrable: bool = False
    ) -> Transaction: ...

    async def copy_to_table(self, table_name: str, **options: Any) -> str: ...

    async def copy_from_query(self, query: str, *args: Any, **options: Any) -> str: ...

    async def copy_records_to_table(self, table_name: str, **options: Any) -> str: ...

    async def set_type_codec(self, typename: str, **options: Any) -> None: ...

    def is_in_transaction(self) -> bool: ...
