"""Positions are stored once, whatever comes in whatever order; tracks come back as they were stored."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import numpy as np
import pytest

from runtime import pgcopy
from runtime.connection import Connection
from runtime.units import US_PER_DAY, US_PER_S
from telemetry.archive.newest import NewestPositions
from telemetry.archive.partitions import DELETED_AT_ONCE, MOST_MOVED, POSITIONS
from telemetry.archive.store import Archive, days_of
from telemetry.positions import ADDED, OPTIONAL, REPORTED, SPEC, PositionBatch, fingerprint
from telemetry.quality import Quality
from tests.waiting import until

TODAY = 20_500
START = TODAY * US_PER_DAY


def make(rows: int, seed: int = 1, **columns: Any) -> PositionBatch:
    """Valid fixes with random content, some with items, some without optional columns."""
    rng = np.random.default_rng(seed)
    device = columns.pop("device_us", START + rng.integers(0, 3600, rows) * US_PER_S)
    values = {
        "terminal": rng.integers(1, 6, rows),
        "device_us": device,
        "received_us": np.asarray(device) + 5 * US_PER_S,
        "lat_e6": 32_000_000 + rng.integers(0, 1000, rows),
        "lon_e6": 120_000_000 + rng.integers(0, 1000, rows),
        "altitude_m": rng.integers(-50, 1000, rows),
        "speed_dkmh": rng.integers(0, 2**16, rows),
        "direction_deg": rng.integers(0, 360, rows),
        "alarm": rng.integers(0, 2**32, rows),
        # Not encrypted, north and east, as the coordinates are; positioned.
        "status": rng.integers(0, 2**32, rows, dtype=np.uint32) & ~np.uint32(32 | 4 | 8) | 2,
        "odometer_dkm": rng.integers(0, 2**32, rows),
        "fuel_dl": rng.integers(0, 2**16, rows),
        "recorder_speed_dkmh": rng.integers(0, 2**16, rows),
        "radio": rng.integers(0, 256, rows),
        "satellites": rng.integers(0, 256, rows),
        "present": rng.integers(0, 32, rows),
    } | columns
    for bit, name in enumerate(OPTIONAL):
        if name not in columns:
            values[name] = np.where(values["present"] & (1 << bit), values[name], 0)
    lengths = rng.integers(0, 3, rows) * 4
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    data = rng.integers(0, 256, offsets[-1], dtype=np.uint8)
    return PositionBatch.build(rows, items_offsets=offsets, items_data=data, **values)


def keys(batch: PositionBatch) -> list[tuple[int, int, int]]:
    return list(
        zip(batch.terminal.tolist(), batch.device_us.tolist(), fingerprint(batch).tolist(), strict=True)
    )


async def stored_keys(conn: Connection) -> list[tuple[int, int, int]]:
    rows = await conn.fetch(
        "SELECT terminal_no, (extract(epoch FROM device_time) * 1000000)::bigint, fingerprint FROM positions"
    )
    return [tuple(r) for r in rows]


async def test_a_track_comes_back_as_it_was_stored(pool: asyncpg.Pool) -> None:
    batch = make(2000)
    archive = Archive()
    async with pool.acquire() as conn:
        async with conn.transaction():
            result = await archive.store(conn, batch)
        assert result.new.all()
        assert result.duplicates == 0
        assert not result.late.any()
        track = await archive.track(conn, [(t, START, START + US_PER_DAY) for t in range(1, 6)])
        order = np.lexsort((batch.terminal, result.fingerprint, batch.device_us))
        for name in SPEC:
            assert np.array_equal(getattr(track.batch, name), getattr(batch, name)[order]), name
            assert getattr(track.batch, name).dtype == getattr(batch, name).dtype
        assert np.array_equal(track.fingerprint, result.fingerprint[order])
        assert np.array_equal(track.quality, result.quality[order])
        items = {
            (r[0], r[1]): r[2]
            for r in await conn.fetch("SELECT terminal_no, fingerprint, items FROM positions")
        }
    for i, (terminal, _device, print_) in enumerate(keys(batch)):
        raw = batch.items_data[batch.items_offsets[i] : batch.items_offsets[i + 1]].tobytes()
        assert items[terminal, print_] == (raw or None)


async def test_pages_of_a_track_join_without_a_gap(pool: asyncpg.Pool) -> None:
    batch = make(500, device_us=START + np.arange(500) // 7 * US_PER_S)  # many rows of one second
    archive = Archive()
    async with pool.acquire() as conn:
        await archive.store(conn, batch)
        spans = [(t, START + 10 * US_PER_S, START + 60 * US_PER_S) for t in (1, 3)]
        whole = await archive.track(conn, spans)
        assert whole.next is None
        pages, after = [], None
        while True:
            page = await archive.track(conn, spans, limit=9, after=after)
            pages.append(page)
            after = page.next
            if after is None:
                break
            assert len(page) == 9
        assert PositionBatch.concat([p.batch for p in pages]).equals(whole.batch)
        assert len(await archive.track(conn, [])) == 0
        assert len(await archive.track(conn, [(1, START, START)])) == 0
        assert len(await archive.track(conn, [(99, 0, 2**62)])) == 0
    chosen = (
        (batch.device_us >= spans[0][1]) & (batch.device_us < spans[0][2]) & np.isin(batch.terminal, (1, 3))
    )
    assert len(whole) == chosen.sum()


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_any_repetition_stores_each_position_once(pool: asyncpg.Pool, seed: int) -> None:
    """Batches with repeats, late rows, unreadable and far-ahead times, forgotten and rolled back: against a
    set."""
    rng = np.random.default_rng(seed)
    n = 300
    seconds = rng.integers(0, 40, n)
    device = START + seconds * US_PER_S
    device[rng.random(n) < 0.1] = 0
    received = device + rng.integers(0, 100, n) * US_PER_S
    ahead = rng.random(n) < 0.1
    received[ahead] = device[ahead] - 3600 * US_PER_S
    # Few distinct payloads: many rows of one terminal and second, some of them equal.
    world = make(n, seed, device_us=device, received_us=received, lat_e6=rng.integers(1, 5, n))
    flat = {
        name: 0 for name in SPEC if name not in ("terminal", "device_us", "received_us", "lat_e6", "status")
    }
    world = PositionBatch.build(
        n, **({name: getattr(world, name) for name in SPEC} | flat | {"status": np.full(n, 2)})
    )
    archive = Archive()
    model: set[tuple[int, int, int]] = set()
    newest: dict[int, tuple[int, int]] = {}
    fed = 0
    async with pool.acquire() as conn:
        for step in range(25):
            # Mostly what comes next, and some of anything, again or early.
            if rng.random() < 0.7:
                chosen = np.flatnonzero((seconds >= step) & (seconds < step + 3))
            else:
                chosen = rng.integers(0, n, 30)
            chosen = rng.permutation(np.concatenate([chosen, rng.integers(0, n, 5)]))
            batch = world.take(chosen)
            if rng.random() < 0.2:  # a re-upload is received later: what was ahead of time may be so no more
                batch = PositionBatch.build(
                    len(batch), **(batch.columns() | {"received_us": batch.device_us + 10 * US_PER_S})
                )
            if rng.random() < 0.2:
                archive.forget(None if rng.random() < 0.5 else [1, 3])
            transaction = conn.transaction()
            await transaction.start()
            result = await archive.store(conn, batch)
            if rng.random() < 0.2:
                await transaction.rollback()
                archive.forget()
                continue
            await transaction.commit()
            fed += len(batch)
            expected, late, before = [], [], dict(newest)
            for key, flags in zip(keys(batch), result.quality.tolist(), strict=True):
                expected.append(key not in model)
                model.add(key)
                usable = not flags & (Quality.TIME_AHEAD | Quality.TIME_UNREADABLE)
                late.append(expected[-1] and usable and key[1:] < before.get(key[0], (0, 0)))
                if expected[-1] and usable:
                    newest[key[0]] = max(newest.get(key[0], (0, 0)), key[1:])
            assert result.new.tolist() == expected
            assert result.duplicates == len(batch) - sum(expected)
            # At a second that was once stored from the future, more may count as late than must.
            assert not (np.array(late) & ~result.late).any()
            surplus = result.late & ~np.array(late)
            assert all(
                batch.device_us[i] == before[int(batch.terminal[i])][0] for i in np.flatnonzero(surplus)
            )
        stored = await stored_keys(conn)
    assert len(stored) == len(model)
    assert set(stored) == model


async def test_only_what_is_before_the_newest_is_late(pool: asyncpg.Pool) -> None:
    archive = Archive()
    later = make(1, 1, terminal=[7], device_us=[START + 100 * US_PER_S])
    earlier = make(1, 2, terminal=[7], device_us=[START + 99 * US_PER_S])
    other = make(1, 3, terminal=[8], device_us=[START])
    async with pool.acquire() as conn:
        assert not (await archive.store(conn, later)).late.any()
        both = await archive.store(conn, PositionBatch.concat([earlier, other]))
        assert both.late.tolist() == [True, False]
        archive.forget()
        assert not (await archive.store(conn, PositionBatch.concat([earlier, later, other]))).new.any()


async def test_a_clock_far_ahead_makes_nothing_late(pool: asyncpg.Pool) -> None:
    archive = Archive()
    ahead = make(1, 1, terminal=[7], device_us=[START + 999 * US_PER_S], received_us=[START])
    honest = make(3, 2, terminal=[7] * 3, device_us=START + np.arange(3) * US_PER_S)
    async with pool.acquire() as conn:
        for forget in (False, True):
            first = await archive.store(conn, ahead)
            assert first.quality.tolist() == [Quality.TIME_AHEAD]
            assert first.new.tolist() == [not forget]
            if forget:
                archive.forget()
            result = await archive.store(conn, honest)
            assert not result.late.any()
            assert result.new.all() == (not forget)


async def test_a_time_that_is_no_date_harms_nothing_else(pool: asyncpg.Pool) -> None:
    archive = Archive()
    batch = make(
        4, 1, terminal=[7] * 4, device_us=[START, -5, 2**62, pgcopy.MAX_TIME_US - 1], received_us=[START] * 4
    )
    async with pool.acquire() as conn:
        result = await archive.store(conn, batch)
        assert result.new.all()
        assert result.quality[1:3].tolist() == [Quality.TIME_UNREADABLE] * 2
        assert not (await archive.store(conn, batch)).new.any()
        archive.forget()
        assert not (await archive.store(conn, batch)).new.any()
        assert await conn.fetchval("SELECT count(*) FROM positions") == 4


async def test_endless_reports_of_one_second_stay_exact(pool: asyncpg.Pool) -> None:
    n = 3 * NewestPositions.MOST_REMEMBERED
    batch = make(n, 1, terminal=np.full(n, 7), device_us=np.full(n, START), lat_e6=np.arange(n))
    archive = Archive()
    async with pool.acquire() as conn:
        for piece in np.array_split(np.arange(n), 9):
            assert (await archive.store(conn, batch.take(piece))).new.all()
        assert (await archive.store(conn, batch)).duplicates == n
        after = make(2, 2, terminal=[7, 7], device_us=[START + US_PER_S] * 2)
        assert (await archive.store(conn, after)).new.all()
        assert (await archive.store(conn, after)).duplicates == 2


async def test_the_key_stops_a_second_writer(pool: asyncpg.Pool) -> None:
    """Two workers that both believe to own a terminal: the second fails, and stores the rest after
    forgetting."""
    one, two = Archive(), Archive()
    batch = make(10, 1, terminal=np.full(10, 7), device_us=START + np.arange(10) * US_PER_S)
    async with pool.acquire() as conn:
        await two.store(conn, batch.take(np.arange(1)))
        await one.store(conn, batch.take(np.arange(8)))
        with pytest.raises(asyncpg.UniqueViolationError):
            async with conn.transaction():
                await two.store(conn, batch)
        two.forget()
        assert (await two.store(conn, batch)).new.tolist() == [False] * 8 + [True] * 2


async def test_days_get_their_partitions(pool: asyncpg.Pool) -> None:
    archive = Archive(retention_days=30, now_us=lambda: START + 5)
    days = np.array([TODAY, TODAY - 1, TODAY + 1, TODAY - 31, TODAY + 3, 0, 30_000])
    batch = make(7, 1, device_us=days * US_PER_DAY + 1, received_us=days * US_PER_DAY + 1)
    async with pool.acquire() as conn:
        await archive.ensure_partitions(conn, days_of(batch))
        await archive.ensure_partitions(conn, days_of(batch))
        await archive.store(conn, batch)
        names = await conn.fetch(
            "SELECT tableoid::regclass::text AS name, count(*) FROM positions GROUP BY 1"
        )
        counts = {r["name"]: r["count"] for r in names}
        assert counts.pop("positions_default") == 3
        assert counts.pop("positions_before_2020") == 1
        assert sorted(counts.values()) == [1, 1, 1]
        assert sorted(counts) == ["positions_20260215", "positions_20260216", "positions_20260217"]
        with pytest.raises(RuntimeError):
            async with conn.transaction():
                await archive.ensure_partitions(conn, [TODAY - 9])


async def test_random_dates_make_few_partitions(pool: asyncpg.Pool) -> None:
    archive = Archive(retention_days=20, now_us=lambda: START)
    async with pool.acquire() as conn:
        await archive.ensure_partitions(conn, range(0, 40_000, 1))
        made = await conn.fetchval("SELECT count(*) FROM pg_inherits WHERE inhparent = 'positions'::regclass")
    assert made == 20 + 3 + 2


async def test_rows_of_the_default_partition_move(pool: asyncpg.Pool) -> None:
    archive = Archive(now_us=lambda: START)
    batch = make(50, 1)
    async with pool.acquire() as conn:
        await archive.store(conn, batch)
        assert await conn.fetchval("SELECT count(*) FROM positions_default") == 50
        await archive.ensure_partitions(conn, [TODAY])
        assert await conn.fetchval("SELECT count(*) FROM positions_default") == 0
        assert sorted(await stored_keys(conn)) == sorted(keys(batch))
        assert (await archive.store(conn, batch)).duplicates == 50


async def test_a_busy_default_partition_postpones(pool: asyncpg.Pool) -> None:
    """Somebody reads the default partition for long: the day stays in it, and gets its own ten minutes
    later."""
    now = [START]
    archive = Archive(now_us=lambda: now[0])
    async with pool.acquire() as reader, pool.acquire() as conn:
        transaction = reader.transaction()
        await transaction.start()
        await reader.fetch("SELECT count(*) FROM positions_default")
        await archive.ensure_partitions(conn, [])
        assert await conn.fetchval("SELECT to_regclass('positions_20260216')") is None
        await transaction.rollback()
        await archive.ensure_partitions(conn, [])
        assert await conn.fetchval("SELECT to_regclass('positions_20260216')") is None
        now[0] += 601 * US_PER_S
        await archive.ensure_partitions(conn, [])
        assert await conn.fetchval("SELECT to_regclass('positions_20260216')") is not None


async def test_workers_make_partitions_and_store_at_once(pool: asyncpg.Pool) -> None:
    async def worker(k: int) -> None:
        archive = Archive(now_us=lambda: START)
        async with pool.acquire() as conn:
            for step in range(6):
                batch = make(
                    40,
                    k * 100 + step,
                    terminal=np.full(40, k),
                    device_us=START - step * US_PER_DAY + np.arange(40),
                )
                await archive.ensure_partitions(conn, days_of(batch))
                async with conn.transaction():
                    assert (await archive.store(conn, batch)).new.all()

    await asyncio.gather(*(worker(k) for k in range(1, 6)))
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM positions") == 5 * 6 * 40
        assert await conn.fetchval("SELECT count(*) FROM positions_default") == 0


async def test_a_day_that_waits_with_many_rows_gets_its_partition_apart_from_storing(
    pool: asyncpg.Pool,
) -> None:
    now = [START]
    archive = Archive(now_us=lambda: now[0])
    many = MOST_MOVED + 1
    batch = make(many, 1, device_us=START + np.arange(many) * 500_000)
    days = np.array([5, TODAY + 5, TODAY - 900]) * US_PER_DAY
    odd = make(3, 2, device_us=days, received_us=np.full(3, START))
    async with pool.acquire() as conn:
        await archive.store(conn, PositionBatch.concat([batch, odd]))
        await archive.ensure_partitions(conn, [TODAY])
        assert await conn.fetchval("SELECT count(*) FROM positions_default") == many + 2
        await archive.tidy_odd_dates(conn)
        assert await conn.fetchval("SELECT count(*) FROM positions_default") == 2
        assert await conn.fetchval("SELECT count(*) FROM positions_20260216") == many
        assert sorted(await stored_keys(conn)) == sorted(keys(batch) + keys(odd))
        assert (await archive.store(conn, batch)).duplicates == many
        # ... and goes like any other.
        now[0] += 401 * US_PER_DAY
        assert await archive.drop_expired(conn) == ["positions_20260216"]


async def test_odd_dates_go_when_they_were_received_before_the_retention(pool: asyncpg.Pool) -> None:
    """1970, a GPS week counted anew, a day dropped long ago, the far future: each is kept as long as any position."""
    now = [START]
    archive = Archive(retention_days=30, now_us=lambda: now[0])
    dates = np.array([0, 12_000, TODAY - 31, TODAY + 10_000, TODAY]) * US_PER_DAY + 1
    each = DELETED_AT_ONCE // 2 + 1  # not all at once
    n = 5 * each
    device = np.repeat(dates, each) + np.tile(np.arange(each), 5)
    old = make(n, 1, device_us=device, received_us=np.full(n, START))
    new = make(5, 2, device_us=dates, received_us=np.full(5, START + US_PER_DAY))
    async with pool.acquire() as conn:
        await archive.ensure_partitions(conn, [TODAY])
        await archive.store(conn, PositionBatch.concat([old, new]))
        now[0] += 30 * US_PER_DAY
        await archive.tidy_odd_dates(conn)
        assert len(await stored_keys(conn)) == n + 5
        now[0] += 1
        await archive.tidy_odd_dates(conn)
        kept = keys(new) + [key for key in keys(old) if key[1] // US_PER_DAY == TODAY]
        assert sorted(await stored_keys(conn)) == sorted(kept)
        assert set(await archive.odd_bytes(conn)) == {"positions_before_2020", "positions_default"}


async def test_a_server_whose_own_clock_was_never_set_makes_no_partitions(pool: asyncpg.Pool) -> None:
    archive = Archive(now_us=lambda: 3 * US_PER_DAY)
    batch = make(5, 1, device_us=np.arange(5) * US_PER_DAY)
    async with pool.acquire() as conn:
        await archive.ensure_partitions(conn, days_of(batch))
        await archive.tidy_odd_dates(conn)
        await archive.store(conn, batch)
        assert await conn.fetchval("SELECT count(*) FROM positions_before_2020") == 5


async def test_expired_partitions_go(pool: asyncpg.Pool) -> None:
    now = [START]
    archive = Archive(retention_days=2, now_us=lambda: now[0])
    async with pool.acquire() as conn:
        await archive.ensure_partitions(conn, [TODAY - 2, TODAY - 1])
        assert await archive.drop_expired(conn) == []
        now[0] += US_PER_DAY
        assert await archive.drop_expired(conn) == ["positions_20260214"]
        await archive.ensure_partitions(conn, [TODAY - 2])
        assert await conn.fetchval("SELECT to_regclass('positions_20260214')") is None


async def test_last_positions(pool: asyncpg.Pool) -> None:
    archive = Archive()
    device = START + np.array([0, 10, 5, 7, 8]) * US_PER_S
    batch = make(5, 1, terminal=[1, 1, 2, 3, 3], device_us=device, status=[2, 0, 2, 2, 2])
    async with pool.acquire() as conn:
        await archive.store(conn, batch)
        valid = await archive.last_positions(conn, [1, 2, 3, 4])
        assert valid.batch.terminal.tolist() == [1, 2, 3]
        assert valid.batch.device_us.tolist() == device[[0, 2, 4]].tolist()
        any_ = await archive.last_positions(conn, [1], valid_only=False)
        assert any_.batch.device_us.tolist() == [device[1]]
        assert len(await archive.last_positions(conn, [])) == 0


async def test_copy_is_what_postgresql_reads(pool: asyncpg.Pool) -> None:
    """Every kind, with nulls, both ways of encoding, through the server."""
    import io

    rng = np.random.default_rng(3)
    for lengths in (3, 200):  # few layouts, many layouts
        n = 300
        pieces = [
            None if k % 5 == 0 else bytes(rng.integers(32, 127, k % lengths, dtype=np.uint8))
            for k in range(n)
        ]
        numbers = {kind: rng.integers(-(2**15), 2**15, n) for kind in ("int2", "int4", "int8")}
        times, flags, valid = START + rng.integers(0, 10**12, n), rng.random(n) < 0.5, rng.random(n) < 0.7
        columns = [pgcopy.Column("int4", np.arange(n))]
        columns += [pgcopy.Column(kind, values, valid) for kind, values in numbers.items()]  # type: ignore[arg-type]  # dict keys
        columns += [
            pgcopy.Column("timestamptz", times, ~valid),
            pgcopy.Column("bool", flags),
            pgcopy.varlen(pieces),
        ]
        columns.append(pgcopy.varlen(pieces))
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute(
                "CREATE TEMP TABLE t (i int4, a int2, b int4, c int8, d timestamptz, e bool, f bytea, g text) ON COMMIT DROP"
            )
            await conn.copy_to_table("t", source=io.BytesIO(pgcopy.encode(columns)), format="binary")
            rows = await conn.fetch(
                "SELECT a, b, c, (extract(epoch FROM d) * 1000000)::bigint, e, f, g FROM t ORDER BY i"
            )
        for i, row in enumerate(rows):
            ints = [int(values[i]) if valid[i] else None for values in numbers.values()]
            piece = pieces[i]
            text = None if piece is None else piece.decode()
            time = None if valid[i] else int(times[i])
            assert list(row) == [*ints, time, bool(flags[i]), pieces[i], text]
        assert len(rows) == n


async def test_the_table_has_the_columns_that_are_listed(pool: asyncpg.Pool) -> None:
    """``telemetry.positions`` lists them once; the table is made by migrations."""
    rows = await pool.fetch(
        "SELECT attname, format_type(atttypid, atttypmod) AS kind, attnotnull FROM pg_attribute"
        " WHERE attrelid = 'positions'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    kinds = {
        "int2": "smallint",
        "int4": "integer",
        "int8": "bigint",
        "timestamptz": "timestamp with time zone",
    }
    listed = {(c.sql_name, kinds[c.sql_type], not c.optional) for c in (*REPORTED, *ADDED)}
    assert {tuple(row) for row in rows} == listed | {("items", "bytea", False)}


async def test_a_dropper_waits_for_others_who_make_or_drop_a_day_however_long_they_take(
    pool: asyncpg.Pool,
) -> None:
    """LOCK_TIMEOUT is for the table, for which others wait behind us. It does not count while we wait for our turn."""
    now = [START]
    archive = Archive(retention_days=2, now_us=lambda: now[0])
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    async with pool.acquire() as conn, pool.acquire() as other:
        await archive.ensure_partitions(conn, [TODAY - 2])
        now[0] += US_PER_DAY
        async with other.transaction():
            await other.execute("SELECT pg_advisory_xact_lock($1)", POSITIONS.lock)
            dropping = asyncio.create_task(archive.drop_expired(conn))
            await until(lambda: other.fetchval(waiting), "the dropper waits for its turn")
            await asyncio.sleep(2.2)  # time: longer than LOCK_TIMEOUT
        assert await dropping == ["positions_20260214"]
