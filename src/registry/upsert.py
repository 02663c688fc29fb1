"""Tables that keep a record as one row, without versions: compare, then insert or update what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from registry.fields import Record
from registry.outcome import Outcome
from runtime.connection import Connection

# table -> column -> its type; a column has the name of the record's field unless _FIELDS says otherwise.
_COLUMNS: Final = {
    "organisations": {"name": "text", "parent": "text"},
    "vehicles": {
        "plate": "text",
        "organisation": "text",
        "category": "text",
        "energy": "text",
        "registered_on": "date",
        "disposed_on": "date",
    },
    "drivers": {"name": "text", "organisation": "text", "phone": "text"},
    "fuel_cards": {
        "organisation": "text",
        "issuer": "text",
        "status": "text",
        "opened_on": "date",
        "closed_on": "date",
    },
    "fuel_transactions": {
        "card": "text",
        "at": "timestamptz",
        "kind": "text",
        "product": "text",
        "energy": "text",
        "quantity": "bigint",
        "unit_price": "numeric",
        "amount_fen": "bigint",
        "balance_fen": "bigint",
        "station": "text",
        "station_given": "boolean",
        "station_name": "text",
        "reverses": "text",
        "source": "text",
    },
    "violations": {
        "plate": "text",
        "at": "timestamptz",
        "place": "text",
        "act": "text",
        "fine_fen": "bigint",
        "points": "integer",
        "status": "text",
        "driver": "text",
        "source": "text",
    },
    "calendar_days": {"workday": "boolean", "name": "text", "source": "text"},
}
_FIELDS: Final[dict[str, Callable[[Any], Any]]] = {
    "amount_fen": lambda record: record.amount,
    "balance_fen": lambda record: record.balance,
    "fine_fen": lambda record: record.fine,
    "unit_price": lambda record: None if record.unit_price is None else Decimal(record.unit_price).scaleb(-4),
}
# table -> (column of the key, its type, the key of a record)
_KEYS: Final[dict[str, tuple[str, str, Callable[[Any], Any]]]] = {
    "calendar_days": ("day", "date", lambda record: record.day)
}
_ID: Final[tuple[str, str, Callable[[Any], Any]]] = ("id", "text", lambda record: record.id)


def column_value(record: Record, column: str) -> Any:
    """What ``column`` holds for ``record``."""
    return _FIELDS[column](record) if column in _FIELDS else getattr(record, column)


async def apply_plain(
    connection: Connection, table: str, records: Sequence[Record]
) -> tuple[list[Outcome], dict[Any, dict[str, Any]]]:
    """Insert or update records of ``table``. Returns the outcomes and the old values by key."""
    columns = _COLUMNS[table]
    names = ", ".join(columns)
    key, kind, key_of = _KEYS.get(table, _ID)
    rows = await connection.fetch(
        f"SELECT {key} AS the_key, {names} FROM {table} WHERE {key} = ANY($1)",  # noqa: S608 - constant names
        [key_of(r) for r in records],
    )
    existing = {row["the_key"]: dict(row) for row in rows}
    outcomes: list[Outcome] = []
    changed: list[Record] = []
    for record in records:
        old = existing.get(key_of(record))
        if old is not None and all(old[name] == column_value(record, name) for name in columns):
            outcomes.append("unchanged")
            continue
        outcomes.append("updated" if old else "created")
        changed.append(record)
    if changed:
        arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(columns.values(), start=2))
        updates = ", ".join(f"{name} = excluded.{name}" for name in columns)
        # One statement: references among the new rows are checked when all are there.
        await connection.execute(
            f"INSERT INTO {table} ({key}, {names}) SELECT * FROM unnest($1::{kind}[], {arrays})"  # noqa: S608 - constant names
            f" ON CONFLICT ({key}) DO UPDATE SET {updates}, updated_at = clock_timestamp()",
            [key_of(r) for r in changed],
            *([column_value(r, name) for r in changed] for name in columns),
        )
    return outcomes, existing
