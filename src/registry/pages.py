"""Records as people read them: one record, a page of records, the versions of a record; the same for every kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import asyncpg

from registry.decimals import decimal_text
from runtime.apart import not_shown, read_apart
from runtime.connection import Connection
from runtime.faults import of_one_fact

#: No page is larger than this.
MAX_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Filter:
    """``condition``: SQL with ``{}`` for the value. ``kind``: what the value is; a time is RFC 3339."""

    condition: str
    kind: Literal["text", "time", "day"] = "text"


def same(name: str) -> Filter:
    """The filter of a column of the table ``t``."""
    return Filter(f"t.{name} = {{}}")


@dataclass(frozen=True, slots=True)
class Sorting:
    """A field that a list can be ordered by, besides the id: of the table ``t``, never null, and with the id an index has it (a test looks
    at the plans). ``kind``: what its values are."""

    column: str
    kind: Literal["text", "time"] = "text"


@dataclass(frozen=True, slots=True)
class Order:
    """``by``: "id", or one of ``Listing.orders``. Records that are equal in it stand in the order of their ids, which goes the same way."""

    by: str = "id"
    ascending: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """The last record of the page before: its id and, of another order than by id, the value of that field."""

    id: str
    value: str | datetime | None = None


BY_ID: Final = Order()
#: From when on, and before when, a record happened.
SINCE: Final = Filter("t.at >= {}::text::timestamptz", "time")
BEFORE: Final = Filter("t.at < {}::text::timestamptz", "time")


@dataclass(frozen=True, slots=True)
class Listing:
    """How the records of one kind are read. ``select``: ``SELECT ... FROM <table> t``. ``key``: the column that is the id.
    ``newest``: of a kind with versions, the condition for the newest one. ``orders``: by what the list can be ordered. ``decimals``: fields kept as whole numbers, and
    how many digits of them are decimals. ``bindings``: reads what one record was bound to."""

    select: str
    filters: Mapping[str, Filter]
    key: str = "t.id"
    newest: str = ""
    orders: Mapping[str, Sorting] = field(default_factory=dict)
    decimals: Mapping[str, int] = field(default_factory=dict)
    bindings: Callable[[Connection, str], Awaitable[list[dict[str, Any]]]] | None = None

    def shown(self, row: Any) -> dict[str, Any]:
        """A row as people read it: quantities and money as decimal text."""
        record = dict(row)
        for name, digits in self.decimals.items():
            if record[name] is not None:
                record[name] = decimal_text(record[name], digits)
        return record


async def get(connection: Connection, listing: Listing, id: str) -> dict[str, Any] | None:
    """The record as it stands (of versions, the newest), or None. Terminals and cards carry their
    ``bindings``."""
    condition = f"{listing.key} = $1" + (f" AND {listing.newest}" if listing.newest else "")
    row = await connection.fetchrow(f"{listing.select} WHERE {condition}", id)
    if row is None:
        return None
    record = listing.shown(row)
    if listing.bindings is not None:
        record["bindings"] = await listing.bindings(connection, id)
    return record


async def page(
    connection: Connection,
    listing: Listing,
    /,
    *,
    after: Place | None = None,
    limit: int = 100,
    order: Order = BY_ID,
    **filters: str | None,
) -> list[dict[str, Any]]:
    """Up to ``limit`` (at most MAX_PAGE) records in ``order``, behind ``after``.

    ``filters``: of ``listing.filters``; None = any. Raises KeyError for a filter, or an order, that the kind does not know. A record that
    cannot be shown is left out.
    """
    conditions = [listing.newest] if listing.newest else []
    arguments: list[Any] = []
    for name, value in filters.items():
        if value is not None:
            arguments.append(value)
            conditions.append(listing.filters[name].condition.format(f"${len(arguments)}"))
    column = "" if order.by == "id" else listing.orders[order.by].column
    more, way = (">", "") if order.ascending else ("<", " DESC")
    if after is not None and column:
        arguments += [after.value, after.id]
        value_at, id_at = f"${len(arguments) - 1}", f"${len(arguments)}"
        # The first condition says where in the index to begin; the second alone would read all before.
        conditions.append(
            f"{column} {more}= {value_at} AND ({column} {more} {value_at} OR {listing.key} {more} {id_at})"
        )
    elif after is not None:
        arguments.append(after.id)
        conditions.append(f"{listing.key} {more} ${len(arguments)}")
    arguments.append(min(limit, MAX_PAGE))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    sort = f"{column}{way}, {listing.key}{way}" if column else f"{listing.key}{way}"
    query = f"{listing.select}{where} ORDER BY {sort} LIMIT ${len(arguments)}"
    try:
        return [listing.shown(row) for row in await connection.fetch(query, *arguments)]
    except Exception as error:
        if not of_one_fact(error) or isinstance(error, asyncpg.DataError):
            raise  # DataError: a filter that no column can hold
    named = f", q.{order.by} AS value" if column else ""
    rows = await connection.fetch(
        f"SELECT q.id{named} FROM ({query}) AS q ORDER BY {f'value{way}, ' if column else ''}q.id{way}",  # noqa: S608 - constant texts
        *arguments,
    )
    ids = [row["id"] for row in rows]
    found, most = await _apart(connection, listing, ids), arguments[-1]
    if len(ids) == most and len(found) < most:  # what was left out is no end of the list
        last = Place(ids[-1], rows[-1]["value"] if column else None)
        found += await page(connection, listing, after=last, limit=most - len(found), order=order, **filters)
    return found


async def _apart(connection: Connection, listing: Listing, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The records of ``ids`` that can be shown, in their order; the others are counted and named in the log."""
    newest = f" AND {listing.newest}" if listing.newest else ""

    async def read(part: Sequence[str]) -> list[dict[str, Any]]:
        rows = await connection.fetch(
            f"{listing.select} WHERE {listing.key} = ANY($1::text[]){newest}", list(part)
        )
        return [listing.shown(row) for row in rows]

    found, failed = await read_apart(connection, ids, read)
    for id, error in failed:
        not_shown("record", id, error)
    of = {record["id"]: record for record in found}
    return [of[id] for id in ids if id in of]


async def versions(connection: Connection, listing: Listing, id: str) -> list[dict[str, Any]]:
    """The versions of a fence or an order, newest first, at most MAX_PAGE; empty when there is no such
    record.
    """
    rows = await connection.fetch(
        f"{listing.select} WHERE {listing.key} = $1 ORDER BY t.version DESC LIMIT {MAX_PAGE}", id
    )
    return [dict(row) for row in rows]
