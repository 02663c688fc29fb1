"""Tables that keep a record as one row, without versions. One table of columns says how a record is compared, written
and read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from registry.values import Record, WriteResult
from runtime.connection import Connection


@dataclass(frozen=True, slots=True)
class Column:
    """``type``: of SQL. ``field``: what the record calls it, where that is not the column's name. ``decimals``: the record
    has a whole number, people read it with so many decimals; a column of type numeric has them, too. ``shown``: people
    see it."""

    type: str
    field: str = ""
    decimals: int = 0
    shown: bool = True


TEXT = Column("text")
DATE = Column("date")


@dataclass(frozen=True, slots=True)
class Table:
    """``columns`` without the key. ``key_field``: what the record calls the key."""

    name: str
    columns: Mapping[str, Column]
    key: str = "id"
    key_type: str = "text"
    key_field: str = "id"

    def value(self, record: Record, name: str) -> Any:
        """What the column ``name`` holds for ``record``."""
        column = self.columns[name]
        value = getattr(record, column.field or name)
        if column.type == "numeric" and value is not None:
            return Decimal(value).scaleb(-column.decimals)
        return value

    def key_of(self, record: Record) -> Any:
        """What the key column holds for ``record``."""
        return getattr(record, self.key_field)

    def fields(self, *, hidden: bool = False) -> str:
        """SQL: the columns of the table ``t`` as the record's fields, numbers whole; with ``hidden`` also those that
        people do not see."""
        return ", ".join(
            _field(name, column) for name, column in self.columns.items() if column.shown or hidden
        )

    def select(self, more: str = "t.updated_at", *, hidden: bool = False) -> str:
        """SQL: the SELECT of the table ``t``: its id, ``fields``, and ``more`` columns."""
        return (
            f"SELECT t.id, {', '.join(filter(None, (self.fields(hidden=hidden), more)))} FROM {self.name} t"  # noqa: S608 - constant names
        )

    def decimals(self) -> dict[str, int]:
        """How many decimals people read, by field."""
        return {(c.field or name): c.decimals for name, c in self.columns.items() if c.decimals}


def _field(name: str, column: Column) -> str:
    value = f"t.{name}"
    if column.type == "numeric":
        value = f"({value} * {10**column.decimals})::bigint"
    return f"{value} AS {column.field or name}"


async def upsert(
    connection: Connection, table: Table, records: Sequence[Record]
) -> tuple[list[WriteResult], dict[Any, dict[str, Any]]]:
    """Insert or update what differs. Returns what became of each record, and the old rows by key."""
    names = ", ".join(table.columns)
    rows = await connection.fetch(
        f"SELECT {table.key} AS the_key, {names} FROM {table.name} WHERE {table.key} = ANY($1)",  # noqa: S608 - constant names
        [table.key_of(r) for r in records],
    )
    existing = {row["the_key"]: dict(row) for row in rows}
    results: list[WriteResult] = []
    changed: list[Record] = []
    for record in records:
        old = existing.get(table.key_of(record))
        if old is not None and all(old[name] == table.value(record, name) for name in table.columns):
            results.append("unchanged")
            continue
        results.append("updated" if old else "created")
        changed.append(record)
    if changed:
        types = (table.key_type, *(column.type for column in table.columns.values()))
        arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, start=1))
        updates = ", ".join(f"{name} = excluded.{name}" for name in table.columns)
        # One statement: references among the new rows are checked when all are there.
        await connection.execute(
            f"INSERT INTO {table.name} ({table.key}, {names}) SELECT * FROM unnest({arrays})"  # noqa: S608 - constant names
            f" ON CONFLICT ({table.key}) DO UPDATE SET {updates}, updated_at = clock_timestamp()",
            [table.key_of(r) for r in changed],
            *([table.value(r, name) for r in changed] for name in table.columns),
        )
    return results, existing
