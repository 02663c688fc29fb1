"""Stored rows with every column in the order of the key, page by page, and several such streams as one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Final

import numpy as np

from runtime import pgcopy
from runtime.arrays import AnyInts
from runtime.connection import Connection
from telemetry.archive.cold.rows import TYPES, Rows
from telemetry.archive.columns import FIELDS, KEY, SELECTED

_SELECTED: Final = f"{SELECTED}, COALESCE(octet_length(p.items), -1)"  # the items themselves follow apart
_FIXED: Final[tuple[tuple[str, pgcopy.Kind], ...]] = (*FIELDS, ("items_bytes", "int4"))
_Key = tuple[int, int, int]


async def stored_pages(
    conn: Connection, page_rows: int, *, table: str = "positions", where: str = "true"
) -> AsyncIterator[Rows]:
    """The rows of ``table`` (positions, or one of its partitions) that are ``where``, at most ``page_rows`` at a time. Each page is
    a statement of its own: in a snapshot they are one state of the table, else whatever was committed before each.

    Raises ValueError where the items are not those that were announced: somebody writes meanwhile."""
    after = "true"
    while True:
        sink = BytesIO()
        await conn.copy_from_query(
            f"SELECT {_SELECTED} FROM {table} p WHERE {where} AND {after} ORDER BY {KEY} LIMIT {page_rows}",  # noqa: S608 - our own constants
            output=sink,
            format="binary",
        )
        page = pgcopy.decode_fixed(sink.getvalue(), _FIXED)
        n = len(page["terminal"])
        if not n:
            return
        end = f"({int(page['terminal'][-1])}, {_literal(int(page['device_us'][-1]))}, {int(page['fingerprint'][-1])})"
        sizes = page.pop("items_bytes").astype(np.int32)
        items = b""
        if (sizes > 0).any():
            items = await conn.fetchval(
                f"SELECT string_agg(items, ''::bytea ORDER BY {KEY}) FROM {table}"  # noqa: S608 - our own constants
                f" WHERE {where} AND {after} AND ({KEY}) <= {end}"
            )
        if len(items) != int(np.maximum(sizes, 0).sum()):
            raise ValueError(f"{len(items)} bytes of items came, others were announced")
        yield Rows(
            {name: np.ascontiguousarray(page[name], kind) for name, kind in TYPES.items()},
            sizes,
            np.frombuffer(items, np.uint8),
        )
        if n < page_rows:
            return
        after = f"({KEY}) > {end}"


async def merged(streams: Sequence[AsyncIterator[Rows]]) -> AsyncIterator[Rows]:
    """The rows of several streams, each in order, as one in order; each position once: of equal ones that of the first stream."""
    held: list[Rows | None] = [None] * len(streams)
    over = [False] * len(streams)
    while True:
        for k, stream in enumerate(streams):
            while not over[k] and not held[k]:
                try:
                    held[k] = await anext(stream)
                except StopAsyncIteration:
                    over[k] = True
        there = [(k, rows) for k, rows in enumerate(held) if rows]
        if not there:
            return
        # Up to where the first of them ends, nothing else can come.
        end = min(_key(rows, -1) for _, rows in there)
        parts = []
        for k, rows in there:
            count = _up_to(rows, end)
            parts.append(rows.take(np.arange(count)) if count < len(rows) else rows)
            held[k] = rows.take(np.arange(count, len(rows))) if count < len(rows) else None
        yield Rows.concat(parts).in_order()


async def regrouped(stream: AsyncIterator[Rows], group_rows: int) -> AsyncIterator[Rows]:
    """The same rows, ``group_rows`` at a time; the last time maybe fewer."""
    held: list[Rows] = []
    count = 0
    async for rows in stream:
        held.append(rows)
        count += len(rows)
        if count < group_rows:
            continue
        together = Rows.concat(held)
        for at in range(0, count - count % group_rows, group_rows):
            yield together.take(np.arange(at, at + group_rows))
        held = [together.take(np.arange(count - count % group_rows, count))]
        count = len(held[0])
    if count:
        yield Rows.concat(held)


def day_span(day: int) -> str:
    """SQL: that a device time lies in the UTC day ``day`` (since 1970). As constants, so that other partitions are not opened."""
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return (
        f"device_time >= '{start.isoformat()}' AND device_time < '{(start + timedelta(days=1)).isoformat()}'"
    )


def _key(rows: Rows, at: int) -> _Key:
    columns = rows.columns
    return int(columns["terminal"][at]), int(columns["device_us"][at]), int(columns["fingerprint"][at])


def _up_to(rows: Rows, end: _Key) -> int:
    """How many of ``rows``, which are in order, come up to the key ``end``."""
    terminal, device, prints = (rows.columns[name] for name in ("terminal", "device_us", "fingerprint"))
    last: AnyInts = (device == end[1]) & (prints <= end[2])
    inside = (terminal < end[0]) | ((terminal == end[0]) & ((device < end[1]) | last))
    return int(inside.sum())


def _literal(us: int) -> str:
    return f"'{(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).isoformat()}'::timestamptz"
