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
        """What becomes of each record, and those that differ, each with its newest stored version (None = new).
        ``same``: whether a record says what a stored version says. Records are at most one an id."""
        rows = await connection.fetch(
            f"SELECT DISTINCT ON (id) id, version, {', '.join(self.columns)} FROM {self.name}"  # noqa: S608 - constant names
            " WHERE id = ANY($1) ORDER BY id, version DESC",
            [record.id for record in records],
        )
        current = {row["id"]: row for row in rows}
        results: list[WriteResult] = []
        changed: list[tuple[_R, Any]] = []
        for record in records:
            old = current.get(record.id)
            if old is not None and same(record, old):
                results.append("unchanged")
            else:
                results.append("updated" if old else "created")
                changed.append((record, old))
        return results, changed

    async def insert(self, connection: Connection, rows: Iterable[tuple[Record, Any, Sequence[Any]]]) -> None:
        """Write new versions: (record, newest stored version or None, values of ``columns``)."""
        places = ", ".join(f"${n}" for n in range(1, len(self.columns) + 3))
        await connection.executemany(
            f"INSERT INTO {self.name} (id, version, {', '.join(self.columns)}) VALUES ({places})",  # noqa: S608 - constant names
            [(record.id, old["version"] + 1 if old else 1, *values) for record, old, values in rows],
        )
