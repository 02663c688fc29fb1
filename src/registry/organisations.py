"""Organisations (单位): the record, written and read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from pydantic import Field

from registry.pages import Listing, same
from registry.refusals import Flaw, RefusedError
from registry.upsert import TEXT, PlainTable, upsert
from registry.values import Identifier, Name, Record, WriteResult
from registry.writing import Lock, take
from runtime.connection import Connection


class Organisation(Record):
    """A unit (单位)."""

    name: Name
    parent: Identifier | None = Field(None, description="id of the unit above")


HEADERS: Final = {"编号": "id", "名称": "name", "上级单位": "parent"}
_TABLE: Final = PlainTable("organisations", {"name": TEXT, "parent": TEXT})
LISTING: Final = Listing(_TABLE.select(), {"parent": same("parent")})


async def write(connection: Connection, records: Sequence[Organisation]) -> list[WriteResult]:
    """Write organisations; references were checked. Raises RefusedError for those that would form a ring."""
    above = dict(
        await connection.fetch(
            "SELECT id, parent FROM organisations WHERE id = ANY($1)", [r.id for r in records]
        )
    )
    # Two units that come under another one at the same time could form a ring. A new unit has none below it.
    moves = any(r.parent is not None and r.id in above and above[r.id] != r.parent for r in records)
    if moves:
        await take(connection, Lock.UNITS)
    given = {r.id for r in records}
    if moves or any(r.parent in given for r in records):
        await _refuse_rings(connection, records)
    return await upsert(connection, _TABLE, records)


async def _refuse_rings(connection: Connection, records: Sequence[Organisation]) -> None:
    """A unit above itself, directly or through others, is refused."""
    parents = dict(await connection.fetch("SELECT id, parent FROM organisations WHERE parent IS NOT NULL"))
    for record in records:
        parents[record.id] = record.parent
    flaws: list[Flaw] = []
    fine: set[str] = set()
    for row, record in enumerate(records):
        path: list[str] = []
        seen: set[str] = set()
        at: str | None = record.id
        while at is not None and at not in fine and at not in seen:
            seen.add(at)
            path.append(at)
            at = parents.get(at)
        if at is not None and at in seen:
            message = (
                f"上级单位成环：{record.id} · units must not be above themselves: {' > '.join(path[:5])}"
            )
            flaws.append(Flaw(("parent",), message, row))
        else:
            fine |= seen
    if flaws:
        raise RefusedError(flaws)


async def organisation_exists(connection: Connection, organisation: str) -> bool:
    """Whether it is registered."""
    return bool(
        await connection.fetchval("SELECT EXISTS (SELECT FROM organisations WHERE id = $1)", organisation)
    )


async def units_below(connection: Connection, units: Collection[str]) -> frozenset[str]:
    """``units`` and all units below them; those that are not registered are left out."""
    rows = await connection.fetch(
        "WITH RECURSIVE below AS (SELECT id FROM organisations WHERE id = ANY($1::text[])"
        " UNION SELECT o.id FROM organisations o JOIN below b ON o.parent = b.id) SELECT id FROM below",
        sorted(units),
    )
    return frozenset(row["id"] for row in rows)


async def units_above(connection: Connection, unit: str) -> frozenset[str]:
    """``unit`` and all units above it."""
    rows = await connection.fetch(
        "WITH RECURSIVE above AS (SELECT $1::text AS id, (SELECT parent FROM organisations WHERE id = $1) AS parent"
        " UNION SELECT o.id, o.parent FROM above a JOIN organisations o ON o.id = a.parent) SELECT id FROM above",
        unit,
    )
    return frozenset(row["id"] for row in rows)


async def parents_above(connection: Connection, units: Collection[str]) -> dict[str, str | None]:
    """The unit above each of ``units`` and of those above them; None: there is none. Within reach."""
    return dict(
        await connection.fetch(
            "WITH RECURSIVE above AS (SELECT id, parent FROM organisations WHERE id = ANY($1::text[])"
            " UNION SELECT o.id, o.parent FROM above a JOIN organisations o ON o.id = a.parent) SELECT id, parent FROM above",
            sorted(units),
        )
    )


async def parents_of(connection: Connection) -> dict[str, str | None]:
    """The unit above each unit within reach; None: there is none."""
    return dict(await connection.fetch("SELECT id, parent FROM organisations"))


async def names_of(connection: Connection, units: Collection[str]) -> dict[str, str]:
    """The names of those of ``units`` that are registered, and within reach."""
    rows = await connection.fetch(
        "SELECT id, name FROM organisations WHERE id = ANY($1::text[])", sorted(units)
    )
    return {row["id"]: row["name"] for row in rows}
