"""Tables that keep a record as one row, without versions. One table of columns says how a record is compared, written
and read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from registry.values import Record, WriteResult
from registry.writing import MeanwhileError
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
class PlainTable:
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


async def upsert(connection: Connection, table: PlainTable, records: Sequence[Record]) -> list[WriteResult]:
    """Insert or update what differs. Returns what became of each record.

    Only the rows that are there and differ are locked, in the order of their keys, and compared once more then. Raises
    MeanwhileError when somebody else has inserted one of the new rows meanwhile.
    """
    stored = await _stored(connection, table, records)
    changed = {table.key_of(r): r for r in _different(table, records, stored)}
    there = [r for key, r in changed.items() if key in stored]
    locked = await _stored(connection, table, there, lock=True) if there else {}
    updated = _different(table, [r for key, r in changed.items() if key in locked], locked)
    created = [r for key, r in sorted(changed.items()) if key not in locked]
    # The new ones first, in one statement each: references among the rows are checked when all are there.
    names = ", ".join(table.columns)
    arrays = _arrays(table)
    if created:
        inserted = await connection.fetch(
            f"INSERT INTO {table.name} ({table.key}, {names}) SELECT * FROM unnest({arrays})"  # noqa: S608 - constant names
            f" ON CONFLICT ({table.key}) DO NOTHING RETURNING 1",
            *_values(table, created),
        )
        if len(inserted) < len(created):
            raise MeanwhileError
    if updated:
        await connection.execute(
            f"UPDATE {table.name} t SET {', '.join(f'{name} = n.{name}' for name in table.columns)},"  # noqa: S608 - constant names
            f" updated_at = clock_timestamp() FROM unnest({arrays}) AS n ({table.key}, {names}) WHERE t.{table.key} = n.{table.key}",
            *_values(table, updated),
        )
    result: dict[Any, WriteResult] = {table.key_of(r): "created" for r in created}
    result |= {table.key_of(r): "updated" for r in updated}
    return [result.get(table.key_of(record), "unchanged") for record in records]


async def _stored(
    connection: Connection, table: PlainTable, records: Sequence[Record], *, lock: bool = False
) -> dict[Any, Any]:
    """The rows of ``records`` by key, those that are there."""
    rows = await connection.fetch(
        f"SELECT {table.key} AS the_key, {', '.join(table.columns)} FROM {table.name} WHERE {table.key} = ANY($1)"  # noqa: S608 - constant names
        + (f" ORDER BY {table.key} FOR NO KEY UPDATE" if lock else ""),
        [table.key_of(r) for r in records],
    )
    return {row["the_key"]: row for row in rows}


def _different(table: PlainTable, records: Sequence[Record], stored: Mapping[Any, Any]) -> list[Record]:
    """The records that are not there, or not as they are to be."""
    return [
        record
        for record in records
        if (old := stored.get(table.key_of(record))) is None
        or any(old[name] != table.value(record, name) for name in table.columns)
    ]


def _arrays(table: PlainTable) -> str:
    types = (table.key_type, *(column.type for column in table.columns.values()))
    return ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types, start=1))


def _values(table: PlainTable, records: Sequence[Record]) -> list[list[Any]]:
    """The columns of ``records``, the key first."""
    return [
        [table.key_of(r) for r in records],
        *([table.value(r, name) for r in records] for name in table.columns),
    ]
