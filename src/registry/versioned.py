"""Tables that keep a record in versions (fences, orders). New content is a new version; the same content is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from registry.values import Record, WriteResult
from runtime.connection import Connection

_R = TypeVar("_R", bound=Record)


@dataclass(frozen=True, slots=True)
class VersionedTable:
    """``columns``: those that a record gives, besides ``id`` and ``version``."""

    name: str
    columns: tuple[str, ...]

    async def compare(
        self, connection: Connection, records: Sequence[_R], same: Callable[[_R, Any], bool]
    ) -> tuple[list[WriteResult], list[tuple[_R, Any]]]:
        """What becomes of each record, and those that differ, each with its newest stored version (None = new), by id.
        ``same``: whether a record says what a stored version says. Records are at most one an id.

        The records that are there and differ are locked, and compared once more then. Of a new one that somebody else writes at
        the same time the database refuses the second first version.
        """
        stored = await self._newest(connection, records)
        different = {r.id: r for r in records if r.id not in stored or not same(r, stored[r.id])}
        there = [r for r in different.values() if r.id in stored]
        if there:
            await self.lock(connection, [r.id for r in there])
            stored = await self._newest(connection, there)
        results: list[WriteResult] = []
        changed: list[tuple[_R, Any]] = []
        for record in records:
            old = stored.get(record.id)
            if record.id not in different or (old is not None and same(record, old)):
                results.append("unchanged")
            else:
                results.append("updated" if old else "created")
                changed.append((record, old))
        return results, sorted(changed, key=lambda pair: pair[0].id)

    async def lock(self, connection: Connection, ids: Sequence[str]) -> int:
        """Lock records to the end of the transaction; how many of them there are. The first version, which is there for
        ever, stands for the record."""
        rows = await connection.fetch(
            f"SELECT FROM {self.name} WHERE id = ANY($1) AND version = 1 ORDER BY id FOR NO KEY UPDATE",
            ids,
        )
        return len(rows)

    async def _newest(self, connection: Connection, records: Sequence[Record]) -> dict[str, Any]:
        rows = await connection.fetch(
            f"SELECT DISTINCT ON (id) id, version, {', '.join(self.columns)} FROM {self.name}"  # noqa: S608 - constant names
            " WHERE id = ANY($1) ORDER BY id, version DESC",
            [record.id for record in records],
        )
        return {row["id"]: row for row in rows}

    async def insert(self, connection: Connection, rows: Iterable[tuple[Record, Any, Sequence[Any]]]) -> None:
        """Write new versions: (record, newest stored version or None, values of ``columns``), in one statement."""
        names = ("id", "version", *self.columns)
        written = [
            dict(zip(names, (record.id, old["version"] + 1 if old else 1, *map(_json, values)), strict=True))
            for record, old, values in rows
        ]
        if written:
            listed = ", ".join(names)
            await connection.execute(
                f"INSERT INTO {self.name} ({listed}) SELECT {listed} FROM jsonb_populate_recordset(NULL::{self.name}, $1)",  # noqa: S608 - constant names
                written,
            )


def _json(value: Any) -> Any:
    """A value as PostgreSQL reads it out of JSON."""
    return "\\x" + value.hex() if isinstance(value, bytes) else value
