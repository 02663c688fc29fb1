"""Drivers (驾驶员): the record, written and read."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from typing import Final

from registry.pages import Listing, Sorting, same
from registry.upsert import TEXT, PlainTable, upsert
from registry.values import Identifier, Name, Record, Text, WriteResult
from registry.writing import Lock, take_each
from runtime.connection import Connection


class Driver(Record):
    """A driver (驾驶员)."""

    name: Name
    organisation: Identifier
    phone: Text = ""


HEADERS: Final = {"编号": "id", "姓名": "name", "单位": "organisation", "电话": "phone"}
_SIGNED: Final = 1 << 31
_TABLE: Final = PlainTable("drivers", {"name": TEXT, "organisation": TEXT, "phone": TEXT})
LISTING: Final = Listing(
    _TABLE.select(), {"organisation": same("organisation")}, orders={"name": Sorting("t.name")}
)


async def write(connection: Connection, records: Sequence[Driver]) -> list[WriteResult]:
    """Write drivers; references were checked."""
    return await upsert(connection, _TABLE, records)


async def drivers_of(conn: Connection, ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Drivers: id -> (name, organisation)."""
    rows = await conn.fetch(
        "SELECT id, name, organisation FROM drivers WHERE id = ANY($1::text[])", sorted(ids)
    )
    return {r["id"]: (r["name"], r["organisation"]) for r in rows}


async def drivers_of_units(conn: Connection, units: Collection[str]) -> list[tuple[str, str, str]]:
    """(id, name, organisation) of the drivers of units, by id."""
    rows = await conn.fetch(
        "SELECT id, name, organisation FROM drivers WHERE organisation = ANY($1::text[]) ORDER BY id",
        sorted(units),
    )
    return [(r["id"], r["name"], r["organisation"]) for r in rows]


async def list_drivers(
    conn: Connection, units: Collection[str] | None, limit: int, after: str | None
) -> list[tuple[str, str, str]]:
    """(id, name, organisation) of drivers within reach, of ``units`` (None = all), by id, those after ``after``."""
    rows = await conn.fetch(
        "SELECT id, name, organisation FROM drivers WHERE ($1::text[] IS NULL OR organisation = ANY($1)) AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3",
        None if units is None else sorted(units), after, limit,
    )  # fmt: skip
    return [(r["id"], r["name"], r["organisation"]) for r in rows]


async def hold_driver(connection: Connection, driver: str) -> None:
    """Those who want the time of the same driver come here one after the other: who sends him, and who lets him be away."""
    key = zlib.crc32(driver.encode())
    await take_each(connection, Lock.SENT_DRIVERS, [key - 2 * _SIGNED if key >= _SIGNED else key])
