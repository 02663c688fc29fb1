"""The kinds of record, in one list, and the way in: ``apply`` writes records of one kind (``pages`` is the way out).

Writing is all or nothing and idempotent: what is already so is ``unchanged`` and leaves no trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from registry import (
    calendar,
    clock_corrections,
    drivers,
    fences,
    fuel_cards,
    orders,
    organisations,
    stations,
    terminals,
    transactions,
    vehicles,
    violations,
)
from registry.constraints import constraints_refuse
from registry.pages import Listing
from registry.refusals import Flaw, RefusedError
from registry.values import Record, WriteResult
from runtime.connection import Connection


@dataclass(frozen=True, slots=True)
class Kind:
    """``label``: Chinese name. ``headers``: columns of files as offices write them -> field. ``references``: fields that name
    another record -> its table. ``exact``: has quantities or money, so numbers of JSON are read as decimals."""

    label: str
    model: type[Record]
    write: Callable[[Connection, Sequence[Any]], Awaitable[list[WriteResult]]]
    listing: Listing
    headers: Mapping[str, str]
    references: Mapping[str, str]
    exact: bool = False


def _kind(module: Any, model: type[Record], label: str, *, exact: bool = False, **references: str) -> Kind:
    return Kind(label, model, module.write, module.LISTING, module.HEADERS, references, exact)


#: What the registry knows, by the name it has in URLs.
KINDS: Final[dict[str, Kind]] = {
    "organisations": _kind(organisations, organisations.Organisation, "单位", parent="organisations"),
    "vehicles": _kind(vehicles, vehicles.Vehicle, "车辆", exact=True, organisation="organisations"),
    "terminals": _kind(terminals, terminals.Terminal, "终端", vehicle="vehicles"),
    "drivers": _kind(drivers, drivers.Driver, "驾驶员", organisation="organisations"),
    "fences": _kind(fences, fences.Fence, "围栏", organisation="organisations", vehicles="vehicles"),
    "dispatch-orders": _kind(
        orders, orders.DispatchOrder, "派车单", organisation="organisations", vehicle="vehicles", driver="drivers"
    ),
    "fuel-cards": _kind(fuel_cards, fuel_cards.FuelCard, "油卡", organisation="organisations"),
    "fuel-stations": _kind(stations, stations.FuelStation, "加油站"),
    "fuel-transactions": _kind(
        transactions, transactions.FuelTransaction, "油卡交易", exact=True, card="fuel_cards", station="fuel_stations"
    ),
    "violations": _kind(violations, violations.Violation, "违章", exact=True, driver="drivers"),
    "clock-corrections": _kind(clock_corrections, clock_corrections.ClockCorrection, "终端时钟更正"),
    "calendar-days": _kind(calendar, calendar.CalendarDay, "日历日"),
}  # fmt: skip
_KIND_OF_MODEL: Final = {kind.model: kind for kind in KINDS.values()}
_CHINESE: Final = {
    "organisations": "单位",
    "vehicles": "车辆",
    "drivers": "驾驶员",
    "fuel_cards": "油卡",
    "fuel_stations": "站点",
}


async def apply(connection: Connection, records: Sequence[Record]) -> list[WriteResult]:
    """Write records of one kind, at most one for an id, in the caller's transaction; one result each.

    Raises RefusedError, with every flaw, when a reference is unknown, an id comes twice, organisations
    would form a ring, a plate belongs to another vehicle, a card would be bound twice at once, a name belongs
    to another station, a transaction or violation lies in the future, or somebody else wrote the contrary at the
    same time (MeanwhileError); the caller's transaction must then be rolled back (see ``writing.in_transaction``).
    """
    if not records:
        return []
    kind = _KIND_OF_MODEL[type(records[0])]
    flaws = _twice(records) + await _unknown(connection, kind, records)
    if flaws:
        raise RefusedError(flaws)
    with constraints_refuse():
        return await kind.write(connection, records)


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


async def _unknown(connection: Connection, kind: Kind, records: Sequence[Record]) -> list[Flaw]:
    """Flaws for every reference to a record that is neither stored nor among ``records``."""
    of_field: dict[str, list[tuple[int, tuple[str | int, ...], str]]] = {}
    for field in kind.references:
        named: list[tuple[int, tuple[str | int, ...], str]] = []
        for row, record in enumerate(records):
            value = getattr(record, field)
            if isinstance(value, list):
                named += [(row, (field, place), one) for place, one in enumerate(value)]
            elif value is not None:
                named.append((row, (field,), value))
        if named:
            of_field[field] = named
    if not of_field:
        return []
    # All of them are looked up in one round trip.
    parts = (
        f"SELECT {n} AS n, id FROM {kind.references[field]} WHERE id = ANY(${n + 1}::text[])"  # noqa: S608 - constants of KINDS
        for n, field in enumerate(of_field)
    )
    found: list[set[str]] = [set() for _ in of_field]
    for row in await connection.fetch(
        " UNION ALL ".join(parts), *(sorted({one for _, _, one in named}) for named in of_field.values())
    ):
        found[row["n"]].add(row["id"])
    flaws: list[Flaw] = []
    for (field, named), known in zip(of_field.items(), found, strict=True):
        table = kind.references[field]
        if field == "parent":  # units among each other may come in one file
            known |= {record.id for record in records}
        flaws += [
            Flaw(path, f"{_CHINESE[table]} {one} 未登记 · unknown {table[:-1].replace('_', ' ')}: {one}", row)
            for row, path, one in named
            if one not in known
        ]
    return flaws
