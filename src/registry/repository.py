"""The registry's way in: ``apply`` writes records of one kind (``reading`` is the way out).

Writing is all or nothing and idempotent: what is already so is ``unchanged`` and leaves no trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import asyncpg

from registry.business import CalendarDay, FuelCard, FuelStation, FuelTransaction, Violation
from registry.changes import SINCE_EVER, lock_registry, note_vehicles
from registry.fuel import apply_days, apply_stations, apply_transactions, apply_violations
from registry.fuel_cards import apply_cards
from registry.model import DispatchOrder, Driver, Fence, Organisation, Record, Terminal, Vehicle
from registry.outcome import Outcome
from registry.refusals import Flaw, RefusedError
from registry.terminals import apply_terminals
from registry.upsert import apply_plain
from registry.versions import apply_fences, apply_orders
from runtime.connection import Connection

# Which fields of a record name another record: (field, table).
_REFERENCES: Final[dict[type[Record], tuple[tuple[str, str], ...]]] = {
    Organisation: (("parent", "organisations"),),
    Vehicle: (("organisation", "organisations"),),
    Terminal: (("vehicle", "vehicles"),),
    Driver: (("organisation", "organisations"),),
    Fence: (("organisation", "organisations"), ("vehicles", "vehicles")),
    DispatchOrder: (("organisation", "organisations"), ("vehicle", "vehicles"), ("driver", "drivers")),
    FuelCard: (("organisation", "organisations"),),
    FuelStation: (),
    FuelTransaction: (("card", "fuel_cards"), ("station", "fuel_stations")),
    Violation: (("driver", "drivers"),),
    CalendarDay: (),
}
_CHINESE: Final = {
    "organisations": "单位",
    "vehicles": "车辆",
    "drivers": "驾驶员",
    "fuel_cards": "油卡",
    "fuel_stations": "站点",
}
_MEANWHILE: Final = "刚被他人修改，请重试 · was changed by somebody else just now, try again"
#: What the database itself promises (migrations 0012 and 0013), by the name of the constraint.
_PROMISES: Final = {
    "terminal_in_one_vehicle": "该终端同一时间已装在另一辆车上 · the terminal is in another vehicle at that time",
    "one_terminal_in_vehicle": "该车同一时间已装有另一台终端 · the vehicle has another terminal at that time",
    "terminal_bindings_pkey": f"终端安装记录{_MEANWHILE}",
    "card_bound_once": "该油卡同一时间已绑定另一车牌 · the card is bound to another plate at that time",
    "card_bindings_pkey": f"油卡绑定记录{_MEANWHILE}",
    "one_vehicle_of_plate": "该车牌已属于另一辆车 · this plate belongs to another vehicle",
    "one_plate_of_vehicle": f"车牌记录{_MEANWHILE}",
    "vehicle_plates_pkey": f"车牌记录{_MEANWHILE}",
    "one_version_of_fence": f"围栏{_MEANWHILE}",
    "fences_pkey": f"围栏{_MEANWHILE}",
    "one_current_version_of_order": f"派车单{_MEANWHILE}",
    "dispatch_orders_pkey": f"派车单{_MEANWHILE}",
}


async def apply(connection: Connection, records: Sequence[Record]) -> list[Outcome]:
    """Write records of one kind, at most one for an id, in the caller's transaction; one outcome each.

    Raises RefusedError, with every flaw, when a reference is unknown, an id comes twice, organisations
    would form a ring, a plate belongs to another vehicle, a card would be bound twice at once, a name belongs
    to another station, a transaction or violation lies in the future, or somebody else wrote the contrary at the
    same time; the caller's transaction must then be rolled back.
    """
    if not records:
        return []
    await lock_registry(connection)
    flaws = _twice(records) + await _unknown(connection, records)
    if flaws:
        raise RefusedError(flaws)
    try:
        return await _WRITERS[type(records[0])](connection, records)
    except (asyncpg.ExclusionViolationError, asyncpg.UniqueViolationError) as error:
        # The writers looked before they wrote: somebody else wrote the same meanwhile.
        message = _PROMISES.get(error.constraint_name)
        if message is None:
            raise
        raise RefusedError([Flaw((), message)], conflict=True) from error


async def _apply_organisations(connection: Connection, records: Sequence[Organisation]) -> list[Outcome]:
    await _refuse_rings(connection, records)
    return (await apply_plain(connection, "organisations", records))[0]


async def _apply_drivers(connection: Connection, records: Sequence[Driver]) -> list[Outcome]:
    return (await apply_plain(connection, "drivers", records))[0]


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


async def _unknown(connection: Connection, records: Sequence[Record]) -> list[Flaw]:
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
            Flaw(path, f"{_CHINESE[table]} {one} 未登记 · unknown {table[:-1].replace('_', ' ')}: {one}", row)
            for row, path, one in named
            if one not in known
        ]
    return flaws


async def _apply_vehicles(connection: Connection, records: Sequence[Vehicle]) -> list[Outcome]:
    await _refuse_taken_plates(connection, records)
    outcomes, existing = await apply_plain(connection, "vehicles", records)
    # Vehicles may exchange plates in one import, so the database looks at plates late. Here it is late enough: a refusal at
    # the commit would be nobody's.
    await connection.execute("SET CONSTRAINTS one_vehicle_of_plate IMMEDIATE")
    await connection.execute("SET CONSTRAINTS one_vehicle_of_plate DEFERRED")
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


async def _refuse_taken_plates(connection: Connection, records: Sequence[Vehicle]) -> None:
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


_WRITERS: Final[dict[type[Record], Callable[[Any, Any], Awaitable[list[Outcome]]]]] = {
    Organisation: _apply_organisations,
    Vehicle: _apply_vehicles,
    Terminal: apply_terminals,
    Driver: _apply_drivers,
    Fence: apply_fences,
    DispatchOrder: apply_orders,
    FuelCard: apply_cards,
    FuelStation: apply_stations,
    FuelTransaction: apply_transactions,
    Violation: apply_violations,
    CalendarDay: apply_days,
}
