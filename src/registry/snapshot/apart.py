"""Rows of the registry read one by one, where all of them together fail: those that can be read, and the others by name.

Each function first tries all of them, for they may be well again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from registry.fences import FenceVersion, read_fences
from registry.orders import OrderRow, read_orders
from registry.terminals import read_bindings
from registry.unreadable import Unreadable, unreadable
from registry.vehicles import VehicleInfo, read_vehicles
from runtime.apart import read_apart
from runtime.connection import Connection
from runtime.faults import of_one_fact

T = TypeVar("T")
#: (terminal, from, to, vehicle), see ``read_bindings``.
Binding = tuple[int, int, int, int]


async def _whole(conn: Connection, read: Callable[[], Awaitable[list[T]]]) -> list[T] | None:
    """What ``read`` finds; None = it fails for a fault."""
    try:
        async with conn.transaction():
            return await read()
    except Exception as error:
        if not of_one_fact(error):
            raise
        return None


async def vehicles_apart(
    conn: Connection, where: str, *arguments: object
) -> tuple[list[VehicleInfo], list[Unreadable]]:
    """Vehicles ``v``. One that cannot be read is known by its number, id and unit."""
    if (whole := await _whole(conn, lambda: read_vehicles(conn, where, *arguments))) is not None:
        return whole, []
    rows = await conn.fetch(f"SELECT v.no, v.id, v.organisation FROM vehicles v {where}", *arguments)  # noqa: S608 - constant texts

    async def read(nos: Sequence[int]) -> list[VehicleInfo]:
        return await read_vehicles(conn, "WHERE v.no = ANY($1::integer[])", nos)

    found, failed = await read_apart(conn, [row["no"] for row in rows], read)
    names = {row["no"]: (row["id"], row["organisation"]) for row in rows}
    bare = [VehicleInfo(no, names[no][0], "", names[no][1], "", "", None, None) for no, _ in failed]
    return [*found, *bare], [unreadable("vehicle", names[no][0], why, [no]) for no, why in failed]


async def bindings_apart(
    conn: Connection, where: str, *arguments: object
) -> tuple[list[Binding], list[Unreadable]]:
    """Which terminal sat where. Positions of a time of which that cannot be read are no vehicle's."""
    if (whole := await _whole(conn, lambda: read_bindings(conn, where, *arguments))) is not None:
        return whole, []
    rows = await conn.fetch(
        "SELECT ctid::text AS place, vehicle_no, (SELECT t.phone FROM terminals t WHERE t.no = terminal_no) AS phone"  # noqa: S608 - constant texts
        f" FROM terminal_bindings {where}",
        *arguments,
    )

    async def read(places: Sequence[str]) -> list[Binding]:
        return await read_bindings(conn, "WHERE ctid = ANY($1::text[]::tid[])", places)

    of = {row["place"]: row for row in rows}
    found, failed = await read_apart(conn, list(of), read)
    return found, [
        unreadable("terminal_binding", str(of[place]["phone"]), why, [of[place]["vehicle_no"]])
        for place, why in failed
    ]


async def fences_apart(
    conn: Connection, vehicles: Callable[[Sequence[str], str], frozenset[int]], where: str, *arguments: object
) -> tuple[list[FenceVersion], list[Unreadable]]:
    """Versions of fences. ``vehicles``: the numbers that one concerns, of its vehicles and its unit."""
    if (whole := await _whole(conn, lambda: read_fences(conn, where, *arguments))) is not None:
        return whole, []
    rows = await conn.fetch(
        f"SELECT ctid::text AS place, id, version, vehicles, organisation FROM fences {where}",  # noqa: S608 - constant texts
        *arguments,
    )

    async def read(places: Sequence[str]) -> list[FenceVersion]:
        return await read_fences(conn, "WHERE ctid = ANY($1::text[]::tid[])", places)

    of = {row["place"]: row for row in rows}
    found, failed = await read_apart(conn, list(of), read)
    return found, [
        unreadable(
            "fence", f"{of[place]['id']} ({of[place]['version']})", why,
            vehicles(of[place]["vehicles"], of[place]["organisation"]),
        )
        for place, why in failed
    ]  # fmt: skip


async def orders_apart(
    conn: Connection, among: Sequence[str] | None, where: str, *arguments: Any
) -> tuple[list[OrderRow], list[Unreadable]]:
    """Orders ``o``; ``among``: of these vehicles, None = of all."""
    if (whole := await _whole(conn, lambda: read_orders(conn, where, *arguments))) is not None:
        return whole, []
    rows = await conn.fetch(
        "SELECT o.id, v.no FROM dispatch_orders o JOIN vehicles v ON v.id = o.vehicle WHERE o.is_current"
        " AND ($1::text[] IS NULL OR o.vehicle = ANY($1)) ORDER BY o.id",
        among,
    )

    async def read(ids: Sequence[str]) -> list[OrderRow]:
        return await read_orders(
            conn, f"{where} AND o.id = ANY(${len(arguments) + 1}::text[])", *arguments, ids
        )

    of = {row["id"]: row["no"] for row in rows}
    found, failed = await read_apart(conn, list(of), read)
    return found, [unreadable("order", id, why, [of[id]]) for id, why in failed]
