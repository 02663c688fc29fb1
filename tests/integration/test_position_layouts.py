"""Any mixture of layouts comes back as it was, from the log, from PostgreSQL and from Parquet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pyarrow.parquet as pq
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runtime import pgcopy
from runtime.pgcopy import Column, varlen
from telemetry.archive.parquet import export_day
from telemetry.archive.store import Archive
from telemetry.positions import OPTIONAL, SPEC, PositionBatch, fingerprint
from telemetry.quality import assess
from tests.integration.worker_world import World
from tests.layouts import DAY, START_US, batches

ANY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def vendor_items(n: int) -> PositionBatch:
    """``n`` valid positions, each with one vendor item (0xE1) of another length, none with an optional column: what ended
    the worker for good."""
    pieces = [bytes((0xE1, k)) + bytes(k) for k in range(1, n + 1)]
    offsets = np.cumsum([0, *map(len, pieces)]).astype(np.int32)
    device = START_US + np.arange(n) * 1_000_000
    return PositionBatch.build(
        n,
        terminal=1,
        device_us=device,
        received_us=device,
        lat_e6=32_000_000,
        lon_e6=120_900_000,
        status=2,
        items_offsets=offsets,
        items_data=np.frombuffer(b"".join(pieces), np.uint8),
    )


async def test_a_worker_goes_on_behind_vendor_items_of_many_lengths(world: World) -> None:
    """One terminal, seventy positions, valid each: the worker failed on that record, and again after every start."""
    odd = vendor_items(70)
    seconds = world.day + np.arange(70) * 1_000_000
    odd = replace(odd, device_us=seconds, received_us=seconds)
    await world.send(odd, world.batch([(600, 0, 0, 0)], terminal=2))
    await world.work()
    assert await world.pool.fetchval("SELECT count(*) FROM positions") == 71


def rows_of(batch: PositionBatch) -> list[dict[str, Any]]:
    """The rows one by one, as the table has them, by (terminal, device time)."""
    prints, quality = fingerprint(batch).tolist(), assess(batch).tolist()
    rows = []
    for i in range(len(batch)):
        raw = batch.items_data[batch.items_offsets[i] : batch.items_offsets[i + 1]].tobytes()
        row: dict[str, Any] = {name: int(getattr(batch, name)[i]) for name in SPEC if name != "present"}
        for bit, name in enumerate(OPTIONAL):
            if not batch.present[i] >> bit & 1:
                row[name] = None
        rows.append(row | {"fingerprint": prints[i], "quality": quality[i], "items": raw or None})
    return sorted(rows, key=lambda row: (row["terminal"], row["device_us"]))


def in_our_units(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table or of the file, named and counted as a batch is."""
    row["device_us"] = int(row.pop("device_time").timestamp()) * 1_000_000
    row["received_us"] = int(row.pop("received_at").timestamp()) * 1_000_000
    row["terminal"] = row.pop("terminal_no", row.get("terminal"))
    return row | {"alarm": row["alarm"] & 0xFFFFFFFF, "status": row["status"] & 0xFFFFFFFF}


async def each(
    strategy: st.SearchStrategy[Any], check: Callable[[Any], Coroutine[Any, Any, None]], *examples: Any
) -> None:
    """Run ``check`` on this loop with values that hypothesis draws in a thread, ``examples`` first."""
    loop = asyncio.get_running_loop()

    @ANY
    @given(strategy)
    def run(value: Any) -> None:
        asyncio.run_coroutine_threadsafe(check(value), loop).result(60)

    for value in examples:
        run = example(value)(run)
    await asyncio.to_thread(run)


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(),
    "bytes": st.binary(max_size=9),
}
_SQL = {"bool": "boolean", "bytes": "bytea"}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    """Kinds of columns and their values, up to hundreds of layouts; of a column all, some or no values are there."""
    kinds = draw(st.lists(st.sampled_from(sorted(_VALUES)), min_size=1, max_size=7))
    n = draw(st.sampled_from([0, 1, 2, 64, 65, 70, 300]))
    columns = []
    for kind in kinds:
        values = draw(st.lists(_VALUES[kind], min_size=1, max_size=5))
        if kind == "bytes" and draw(st.booleans()):
            values = [bytes([k % 256]) * k for k in range(max(n, 1))]
        presence = draw(st.sampled_from(["all", "none", "some"]))
        gaps = (
            draw(st.lists(st.booleans(), min_size=1, max_size=7))
            if presence == "some"
            else [presence == "all"]
        )
        columns.append([values[k % len(values)] if gaps[k % len(gaps)] else None for k in range(n)])
    return kinds, columns


def column(kind: Any, values: list[Any]) -> Column:
    if kind == "bytes":
        return varlen(values)
    filled = np.array([0 if v is None else v for v in values], bool if kind == "bool" else np.int64)
    return Column(kind, filled, np.array([v is not None for v in values], bool))


async def test_copy_of_any_table_into_postgresql(pool: asyncpg.Pool) -> None:
    async def check(table: tuple[list[str], list[list[Any]]]) -> None:
        kinds, columns = table
        made = [column("int4", list(range(len(columns[0]))))]
        made += [column(kind, values) for kind, values in zip(kinds, columns, strict=True)]
        fields = ", ".join(f"c{k} {_SQL.get(kind, kind)}" for k, kind in enumerate(kinds))
        await conn.execute(f"DROP TABLE IF EXISTS t; CREATE TEMP TABLE t (i int4, {fields})")
        await conn.copy_to_table("t", source=BytesIO(pgcopy.encode(made)), format="binary")
        rows = await conn.fetch("SELECT * FROM t ORDER BY i")
        assert [tuple(row)[1:] for row in rows] == list(zip(*columns, strict=True))

    async with pool.acquire() as conn:
        await each(tables(), check)


async def test_positions_in_postgresql_and_in_parquet(pool: asyncpg.Pool, tmp_path: Path) -> None:
    day = date(1970, 1, 1) + timedelta(days=DAY)

    async def check(batch: PositionBatch) -> None:
        expected = rows_of(batch)
        archive = Archive(now_us=lambda: START_US)
        async with pool.acquire() as conn:
            await conn.execute("TRUNCATE positions")
            await archive.store(conn, batch)
            stored = await conn.fetch("SELECT * FROM positions ORDER BY terminal_no, device_time")
            track = await archive.track(conn, [(no, START_US, START_US + 10**10) for no in range(1, 6)])
            made = await export_day(conn, day, tmp_path, force=True) if expected else None
        found = [in_our_units(dict(row)) for row in stored]
        assert found == expected
        order = np.argsort(batch.device_us)  # every row has its own second
        for name in SPEC:
            assert np.array_equal(getattr(track.batch, name), getattr(batch, name)[order]), name
        if made is None:
            return
        exported = pq.read_table(tmp_path / made.file).to_pylist()
        assert [row.pop("phone") for row in exported] == [None] * len(expected)
        assert [in_our_units(row) for row in exported] == expected

    await each(batches(), check, vendor_items(70), vendor_items(1), PositionBatch.empty())
