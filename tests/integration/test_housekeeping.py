"""What is old goes, hour by hour: each part on its own, whoever else does the same or reads meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import numpy as np
import pytest
from prometheus_client import REGISTRY

from rules.live.housekeeping import AGAIN_US, GROWING, Housekeeping
from rules.live.process import Worker
from runtime.units import US_PER_DAY, US_PER_S, from_us
from telemetry.archive.store import Archive
from telemetry.log.base import POSITIONS, Poll, Record
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.positions import PositionBatch

START = 20_500 * US_PER_DAY + 3600 * US_PER_S
TODAY = 20_500
RETENTION = 40


class Clock:
    def __init__(self) -> None:
        self.us = START

    def __call__(self) -> int:
        return self.us


def failures(part: str) -> float:
    value = REGISTRY.get_sample_value("gongche_worker_housekeeping_failures_total", {"part": part})
    assert value is not None, "it is shown from the start"
    return value


def house(pool: asyncpg.Pool, folder: Path, clock: Clock) -> Housekeeping:
    archive = Archive(retention_days=RETENTION, now_us=clock)
    return Housekeeping(pool, archive, EmbeddedLogReader(folder / "log.sqlite", POSITIONS), clock, RETENTION)


@pytest.fixture
async def old(pool: asyncpg.Pool) -> None:
    """Three days of positions and a record that could not be read, all old enough to go 40 days later."""
    archive = Archive(retention_days=RETENTION, now_us=lambda: START)
    days = np.array([TODAY - 2, TODAY - 1, TODAY]) * US_PER_DAY + 1
    async with pool.acquire() as conn:
        await archive.ensure_partitions(conn, [TODAY - 2, TODAY - 1, TODAY])
        await archive.store(conn, PositionBatch.build(3, terminal=[1, 2, 3], device_us=days))
        await conn.execute(
            "INSERT INTO rejected_records (topic, partition, \"offset\", reason, headers, payload, payload_bytes, rejected_at)"
            " VALUES ('t', 0, 1, 'r', '{}', '', 0, $1)",
            from_us(START - 60 * US_PER_DAY),
        )  # fmt: skip


async def days(pool: asyncpg.Pool) -> list[str]:
    rows = await pool.fetch("SELECT DISTINCT tableoid::regclass::text AS name FROM positions ORDER BY 1")
    return [r["name"] for r in rows]


async def test_a_part_that_fails_keeps_nothing_else_from_being_done_and_is_tried_again_soon(
    pool: asyncpg.Pool, tmp_path: Path, old: None
) -> None:
    clock = Clock()
    keeper = house(pool, tmp_path, clock)
    clock.us += 45 * US_PER_DAY
    before = failures("positions")
    async with pool.acquire() as reader, reader.transaction():
        await reader.fetch("SELECT count(*) FROM positions")  # an export that lasts
        await keeper.turn({})
        assert failures("positions") == before + 1
        assert len(await days(pool)) == 3
        assert await pool.fetchval("SELECT count(*) FROM rejected_records") == 0
    await keeper.turn({})
    assert len(await days(pool)) == 3  # not at every turn
    clock.us += AGAIN_US
    await keeper.turn({})
    assert await days(pool) == []
    assert failures("positions") == before + 1


async def test_what_is_set_aside_stays_as_long_as_positions_and_a_fault_keeps_nothing_else_from_being_done(
    pool: asyncpg.Pool,
    tmp_path: Path,
    old: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await pool.executemany(
        'INSERT INTO quarantine (topic, partition, "offset", rows, stage, error, payload, program, set_aside_at, tried_at)'
        " VALUES ('t', 0, 1, $1, 'tracks', 'x', '', '1', $2, now())",
        [(7, from_us(START)), (9, from_us(START + 10 * US_PER_DAY))],
    )

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("put in by a test")

    monkeypatch.setattr(Archive, "drop_expired", broken)
    clock = Clock()
    keeper = house(pool, tmp_path, clock)
    before = failures("positions")
    clock.us += (RETENTION + 1) * US_PER_DAY
    await keeper.turn({})
    assert failures("positions") == before + 1
    assert [r["rows"] for r in await pool.fetch("SELECT rows FROM quarantine")] == [9]
    assert "7 positions were in the quarantine" in caplog.text


async def test_the_size_of_odd_dates_is_shown_from_the_first_turn_on(
    pool: asyncpg.Pool, tmp_path: Path, old: None
) -> None:
    await house(pool, tmp_path, Clock()).turn({})
    for partition in ("positions_before_2020", "positions_default"):
        size = REGISTRY.get_sample_value("gongche_worker_odd_dates_bytes", {"partition": partition})
        assert size is not None
        assert size > 0


async def test_the_sizes_of_all_tables_that_grow_are_shown_and_few_others(
    pool: asyncpg.Pool, tmp_path: Path, old: None
) -> None:
    await house(pool, tmp_path, Clock()).turn({})
    shown = {
        table: REGISTRY.get_sample_value("gongche_worker_table_bytes", {"table": table}) for table in GROWING
    }
    assert all(size is not None and size >= 8192 for size in shown.values()), shown
    positions = await pool.fetchval(
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'positions'::regclass"
    )
    assert shown["positions"] == positions  # partitions and all


async def test_routes_that_nobody_asks_for_go_and_months_of_judgements_come(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    clock = Clock()
    keeper = house(pool, tmp_path, clock)
    await pool.execute(
        "INSERT INTO navigation_routes (key, engine, map_date, places, used_on) SELECT sha256(n::text::bytea), 'osrm', '1', '[]',"
        " $1::date - n FROM generate_series(0, 100, 10) n",
        from_us(START).date(),
    )
    clock.us += AGAIN_US
    await keeper.turn({})
    # For as long as positions, and 30 days more: that long ago a use may have been written down.
    assert await pool.fetchval("SELECT count(*) FROM navigation_routes") == 8
    made = await pool.fetch(
        "SELECT relname FROM pg_class WHERE relname ~ '^evaluations_[0-9]{6}$' ORDER BY 1"
    )
    month = from_us(START).strftime("%Y%m")
    assert made[0]["relname"] == f"evaluations_{month}"
    assert len(made) == 3


async def test_workers_that_drop_the_same_days_do_not_disturb_each_other(
    pool: asyncpg.Pool, tmp_path: Path, old: None
) -> None:
    clock = Clock()
    keepers = [house(pool, tmp_path, clock) for _ in range(5)]
    clock.us += 45 * US_PER_DAY
    before = failures("positions")
    await asyncio.gather(*(keeper.turn({}) for keeper in keepers))
    assert await days(pool) == []
    assert failures("positions") == before


async def test_a_worker_keeps_its_memory_whatever_cannot_be_dropped(
    pool: asyncpg.Pool, tmp_path: Path, old: None
) -> None:
    """Also the log of this machine is trimmed, of what is processed only."""
    clock = Clock()
    writer = EmbeddedLogWriter(tmp_path / "log.sqlite")
    reader = EmbeddedLogReader(tmp_path / "log.sqlite", POSITIONS)
    worker = Worker(pool, reader, now_us=clock)
    await writer.append([Record(POSITIONS, 0, b"nothing", {})])
    while not worker.counts.records:
        await worker.turn()
    await worker.turn()
    clock.us = 2 * START  # all is old
    before = failures("positions")
    async with pool.acquire() as other, other.transaction():
        await other.fetch("SELECT count(*) FROM positions")
        await worker.turn()
    assert failures("positions") == before + 1
    assert worker.trouble() is None
    again = EmbeddedLogReader(tmp_path / "log.sqlite", POSITIONS)
    assert (await again.poll(1 << 20, 0.2)).assigned
    await again.seek(0, 0)
    assert not (await again.poll(1 << 20, 0.2)).records
    for log in (again, reader, writer):
        await log.close()


class Forgetful(EmbeddedLogReader):
    """A log that says that it had to delete records."""

    async def poll(self, max_bytes: int, timeout_s: float) -> Poll:
        poll = await super().poll(max_bytes, timeout_s)
        return Poll(poll.records, poll.assigned, poll.revoked, 3)


async def test_records_that_were_deleted_unread_are_counted(pool: asyncpg.Pool, tmp_path: Path) -> None:
    writer = EmbeddedLogWriter(tmp_path / "log.sqlite")
    before = REGISTRY.get_sample_value("gongche_worker_records_lost_total")
    assert before is not None
    reader = Forgetful(tmp_path / "log.sqlite", POSITIONS)
    worker = Worker(pool, reader)
    await worker.turn()
    await worker.turn()
    assert REGISTRY.get_sample_value("gongche_worker_records_lost_total") == before + 6
    await reader.close()
    await writer.close()
