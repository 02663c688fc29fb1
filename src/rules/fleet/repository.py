"""The registry's way in: ``apply`` writes records of one kind (``reading`` is the way out).

Writing is all or nothing and idempotent: what is already so is ``unchanged`` and leaves no trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from rules.fleet.bindings import apply_terminals
from rules.fleet.changes import SINCE_EVER, lock_registry, note_vehicles
from rules.fleet.model import DispatchOrder, Driver, Fence, Organisation, Record, Terminal, Vehicle
from rules.fleet.outcomes import Outcome
from rules.fleet.refusals import Flaw, RefusedError
from rules.fleet.versions import apply_fences, apply_orders

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
}

# Which fields of a record name another record: (field, table).
_REFERENCES: Final[dict[type[Record], tuple[tuple[str, str], ...]]] = {
    Organisation: (("parent", "organisations"),),
    Vehicle: (("organisation", "organisations"),),
    Terminal: (("vehicle", "vehicles"),),
    Driver: (("organisation", "organisations"),),
    Fence: (("organisation", "organisations"), ("vehicles", "vehicles")),
    DispatchOrder: (("organisation", "organisations"), ("vehicle", "vehicles"), ("driver", "drivers")),
}
_CHINESE: Final = {"organisations": "单位", "vehicles": "车辆", "drivers": "驾驶员"}


async def apply(connection: Any, records: Sequence[Record]) -> list[Outcome]:
    """Write records of one kind, at most one for an id, in the caller's transaction; one outcome each.

    Raises RefusedError, with every flaw, when a reference is unknown, an id comes twice, organisations
    would form a ring, or a plate belongs to another vehicle; the caller's transaction must then be rolled
    back.
    """
    if not records:
        return []
    await lock_registry(connection)
    flaws = _twice(records) + await _unknown(connection, records)
    if flaws:
        raise RefusedError(flaws)
    first = records[0]
    if isinstance(first, Terminal):
        return await apply_terminals(connection, records)  # type: ignore[arg-type]  # one kind, see above
    if isinstance(first, Fence):
        return await apply_fences(connection, records)  # type: ignore[arg-type]  # one kind
    if isinstance(first, DispatchOrder):
        return await apply_orders(connection, records)  # type: ignore[arg-type]  # one kind
    if isinstance(first, Vehicle):
        return await _apply_vehicles(connection, records)  # type: ignore[arg-type]  # one kind
    if isinstance(first, Organisation):
        await _refuse_rings(connection, records)  # type: ignore[arg-type]  # one kind
        return (await _apply_plain(connection, "organisations", records))[0]
    return (await _apply_plain(connection, "drivers", records))[0]


def _twice(records: Sequence[Record]) -> list[Flaw]:
    counts = Counter(record.id for record in records)
    return [
        Flaw(
            ("id",),
            f"编号 {record.id} 出现 {counts[record.id]} 次 · this id comes {counts[record.id]} times",
            row,
        )
        for row, record in enumerate(records)
        if counts[record.id] > 1
    ]


async def _unknown(connection: Any, records: Sequence[Record]) -> list[Flaw]:
    """Flaws for every reference to a record that is neither stored nor among ``records``."""
    flaws: list[Flaw] = []
    kind = type(records[0])
    for field, table in _REFERENCES[kind]:
        named: list[tuple[int, tuple[str | int, ...], str]] = []
        for row, record in enumerate(records):
            value = getattr(record, field)
            if isinstance(value, list):
                named += [(row, (field, place), one) for place, one in enumerate(value)]
            elif value is not None:
                named.append((row, (field,), value))
        if not named:
            continue
        wanted = sorted({one for _, _, one in named})
        query = f"SELECT id FROM {table} WHERE id = ANY($1)"  # noqa: S608 - a constant of _REFERENCES
        known = {row["id"] for row in await connection.fetch(query, wanted)}
        if kind is Organisation:
            known |= {record.id for record in records}
        flaws += [
            Flaw(path, f"{_CHINESE[table]} {one} 未登记 · unknown {table[:-1]}: {one}", row)
            for row, path, one in named
            if one not in known
        ]
    return flaws


async def _apply_plain(
    connection: Any, table: str, records: Sequence[Record]
) -> tuple[list[Outcome], dict[str, dict[str, Any]]]:
    """Insert or update records of a table without versions. Returns the outcomes and the old values by id."""
    columns = _COLUMNS[table]
    names = ", ".join(columns)
    rows = await connection.fetch(
        f"SELECT id, {names} FROM {table} WHERE id = ANY($1)",  # noqa: S608 - constant names
        [r.id for r in records],
    )
    existing = {row["id"]: dict(row) for row in rows}
    outcomes: list[Outcome] = []
    changed: list[Record] = []
    for record in records:
        old = existing.get(record.id)
        if old is not None and all(old[name] == getattr(record, name) for name in columns):
            outcomes.append("unchanged")
            continue
        outcomes.append("updated" if old else "created")
        changed.append(record)
    if changed:
        arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(columns.values(), start=2))
        updates = ", ".join(f"{name} = excluded.{name}" for name in columns)
        # One statement: references among the new rows are checked when all are there.
        await connection.execute(
            f"INSERT INTO {table} (id, {names}) SELECT * FROM unnest($1::text[], {arrays})"  # noqa: S608 - constant names
            f" ON CONFLICT (id) DO UPDATE SET {updates}, updated_at = clock_timestamp()",
            [r.id for r in changed],
            *([getattr(r, name) for r in changed] for name in columns),
        )
    return outcomes, existing


async def _apply_vehicles(connection: Any, records: Sequence[Vehicle]) -> list[Outcome]:
    await _refuse_taken_plates(connection, records)
    # Vehicles may exchange or hand over plates in one import, and the unique index looks at one row after
    # the other: those that give up a plate step aside first.
    await connection.execute(
        "UPDATE vehicles v SET plate = chr(1) || v.id FROM unnest($1::text[], $2::text[], $3::date[]) AS n (id, plate, gone)"
        " WHERE v.id = n.id AND v.disposed_on IS NULL AND (v.plate <> n.plate OR n.gone IS NOT NULL)",
        [r.id for r in records], [r.plate for r in records], [r.disposed_on for r in records],
    )  # fmt: skip
    outcomes, existing = await _apply_plain(connection, "vehicles", records)
    # A vehicle keeps no history: its unit decides which fence holds for it, at all times.
    await note_vehicles(
        connection,
        "vehicle",
        [
            (record.id, record.id, SINCE_EVER)
            for record in records
            if (old := existing.get(record.id))
            and any(
                old[name] != getattr(record, name)
                for name in ("organisation", "registered_on", "disposed_on")
            )
        ],
    )
    return outcomes


async def _refuse_taken_plates(connection: Any, records: Sequence[Vehicle]) -> None:
    active = [(row, record) for row, record in enumerate(records) if record.disposed_on is None]
    owners: dict[str, str] = {
        row["plate"]: row["id"]
        for row in await connection.fetch(
            "SELECT id, plate FROM vehicles WHERE disposed_on IS NULL AND plate = ANY($1) AND id <> ALL($2)",
            [record.plate for _, record in active], [record.id for record in records],
        )
    }  # fmt: skip
    flaws: list[Flaw] = []
    for row, record in active:
        owner = owners.setdefault(record.plate, record.id)
        if owner != record.id:
            message = f"车牌 {record.plate} 已属于车辆 {owner} · this plate belongs to vehicle {owner}"
            flaws.append(Flaw(("plate",), message, row))
    if flaws:
        raise RefusedError(flaws, conflict=True)


async def _refuse_rings(connection: Any, records: Sequence[Organisation]) -> None:
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
