"""``gongche export``: the file holds exactly the rows of the day, and is there as a whole or not at all."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest

from runtime.connection import Connection
from runtime.errors import ConfigurationError, UnavailableError
from runtime.units import US_PER_DAY, US_PER_S
from telemetry.archive.parquet import (
    SCHEMA,
    ExportRefusedError,
    export_day,
    names_of,
    read_manifest,
    sha256_of,
)
from telemetry.archive.store import Archive, days_of
from telemetry.positions import OPTIONAL, PositionBatch

DAY_NO = 20_500
DAY = date(2026, 2, 16)
START = DAY_NO * US_PER_DAY


def make(rows: int, seed: int = 1, days: int = 1) -> PositionBatch:
    """Positions of 6 terminals in ``days`` days from DAY on; items, optional columns and high bits at random."""
    rng = np.random.default_rng(seed)
    device = START + rng.integers(0, days * US_PER_DAY // US_PER_S, rows) * US_PER_S
    lengths = rng.integers(0, 4, rows) * 3
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    present = rng.integers(0, 32, rows)
    columns: dict[str, Any] = {
        "odometer_dkm": rng.integers(0, 2**32, rows),
        "fuel_dl": rng.integers(0, 2**16, rows),
        "recorder_speed_dkmh": rng.integers(0, 2**16, rows),
        "radio": rng.integers(0, 256, rows),
        "satellites": rng.integers(0, 256, rows),
    }
    columns = {n: np.where(present & (1 << k), columns[n], 0) for k, n in enumerate(OPTIONAL)}
    return PositionBatch.build(
        rows,
        terminal=rng.integers(1, 7, rows),
        device_us=device,
        received_us=device + 5 * US_PER_S,
        lat_e6=rng.integers(-90_000_000, 90_000_000, rows),
        lon_e6=rng.integers(-180_000_000, 180_000_000, rows),
        altitude_m=rng.integers(-500, 9000, rows),
        speed_dkmh=rng.integers(0, 2**16, rows),
        direction_deg=rng.integers(0, 360, rows),
        alarm=rng.integers(0, 2**32, rows),
        status=rng.integers(0, 2**32, rows),
        source=rng.integers(0, 5, rows),
        present=present,
        items_offsets=offsets,
        items_data=rng.integers(0, 256, offsets[-1], dtype=np.uint8),
        **columns,
    )


def listed(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


async def store(conn: Connection, batch: PositionBatch) -> None:
    archive = Archive(now_us=lambda: START + US_PER_DAY)
    await archive.ensure_partitions(conn, days_of(batch))
    async with conn.transaction():
        await archive.store(conn, batch)


async def rows_of_table(conn: Connection, day: date) -> list[dict[str, Any]]:
    """What the file must hold, read row by row in another way than the export does."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    records = await conn.fetch(
        "SELECT p.*, t.phone FROM positions p LEFT JOIN terminals t ON t.no = p.terminal_no"
        " WHERE device_time >= $1 AND device_time < $1 + interval '24 hours'"
        " ORDER BY terminal_no, device_time, fingerprint",
        start,
    )
    found = []
    for record in records:
        row = dict(record)
        row["terminal"] = row.pop("terminal_no")
        row["alarm"] &= 0xFFFFFFFF
        row["status"] &= 0xFFFFFFFF
        found.append({name: row[name] for name in SCHEMA.names})
    return found


@pytest.mark.parametrize("group_rows", [65_536, 97])
async def test_the_file_holds_exactly_the_rows_of_the_day(
    pool: asyncpg.Pool, tmp_path: Path, group_rows: int
) -> None:
    async with pool.acquire() as conn:
        await conn.execute(
            "INSERT INTO terminals (phone) SELECT '1380000000' || n FROM generate_series(1, 4) n"
        )
        await store(conn, make(3000, days=3))
        expected = await rows_of_table(conn, DAY)
        steps: list[int] = []
        made = await export_day(
            conn, DAY, tmp_path, group_rows=group_rows, progress=lambda rows, _t, _l: steps.append(rows)
        )
    file = tmp_path / made.file
    table = pq.read_table(file)
    assert table.schema.equals(SCHEMA)
    assert table.to_pylist() == expected
    assert 900 < len(expected) < 1100
    assert {row["phone"] for row in expected} == {None, *(f"1380000000{n}" for n in range(1, 5))}
    assert steps[-1] == made.rows == len(expected)
    assert pq.read_metadata(file).num_row_groups == -(-len(expected) // group_rows) == len(steps)
    assert made.terminals == 6
    assert (made.bytes, made.sha256, made.day) == (file.stat().st_size, sha256_of(file), "2026-02-16")
    assert read_manifest(tmp_path / names_of(DAY)[1]) == made
    assert listed(tmp_path) == sorted(names_of(DAY))


async def test_a_day_outside_the_partitions_and_a_page_that_ends_exactly(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    batch = make(64, seed=3)
    async with pool.acquire() as conn:
        async with conn.transaction():
            await Archive(now_us=lambda: START + 900 * US_PER_DAY).store(
                conn, batch
            )  # all in positions_default
        made = await export_day(conn, DAY, tmp_path, group_rows=32)
        assert await conn.fetchval("SELECT count(*) FROM positions_default") == made.rows == 64
    assert pq.read_metadata(tmp_path / made.file).num_row_groups == 2


async def test_an_export_is_one_snapshot(pool: asyncpg.Pool, tmp_path: Path) -> None:
    """A batch that is committed between two pages is not in the file: not its rows, not its items."""
    async with pool.acquire() as conn, pool.acquire() as other:
        await store(conn, make(500))
        expected = await rows_of_table(conn, DAY)
        late = make(500, seed=2)
        first_page = asyncio.Event()

        def progress(rows: int, _terminal: int, _last: int) -> None:
            if rows == 100:
                first_page.set()

        async def intrude() -> None:
            await first_page.wait()
            await store(other, late)

        _, made = await asyncio.gather(
            intrude(), export_day(conn, DAY, tmp_path, group_rows=100, progress=progress)
        )
        assert await conn.fetchval("SELECT count(*) FROM positions") > made.rows
    assert pq.read_table(tmp_path / made.file).to_pylist() == expected


async def test_an_empty_day_writes_nothing(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with pool.acquire() as conn:
        with pytest.raises(ExportRefusedError, match="no positions on 2026-02-16"):
            await export_day(conn, DAY, tmp_path)
    assert listed(tmp_path) == []


async def test_an_export_is_replaced_by_a_fuller_one_only(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with pool.acquire() as conn:
        await store(conn, make(100))
        first = await export_day(conn, DAY, tmp_path)
        await store(conn, make(50, seed=9))
        second = await export_day(conn, DAY, tmp_path)
        assert second.rows == first.rows + 50
        await conn.execute("DELETE FROM positions WHERE terminal_no = 1")
        with pytest.raises(ExportRefusedError, match=f"{second.rows} rows") as refusal:
            await export_day(conn, DAY, tmp_path)
        assert "--force" in refusal.value.hint
        assert read_manifest(tmp_path / names_of(DAY)[1]) == second
        assert sha256_of(tmp_path / second.file) == second.sha256
        assert (await export_day(conn, DAY, tmp_path, force=True)).rows < second.rows
        await conn.execute("DELETE FROM positions")
        with pytest.raises(ExportRefusedError):
            await export_day(conn, DAY, tmp_path, force=True)
    assert (tmp_path / second.file).exists()


async def test_what_a_killed_export_left_is_in_nobodys_way(pool: asyncpg.Pool, tmp_path: Path) -> None:
    (tmp_path / f".{names_of(DAY)[0]}.part").write_bytes(b"half")
    async with pool.acquire() as conn:
        await store(conn, make(10))
        await export_day(conn, DAY, tmp_path)
    assert listed(tmp_path) == sorted(names_of(DAY))


async def test_two_exports_to_one_folder_do_not_meet(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with pool.acquire() as conn, pool.acquire() as other:
        await store(conn, make(10))
        refused: list[BaseException] = []

        async def second() -> None:
            try:
                await export_day(other, DAY, tmp_path)
            except ConfigurationError as error:
                refused.append(error)

        await asyncio.gather(export_day(conn, DAY, tmp_path), second())
    assert len(refused) == 1


async def test_a_full_disk_is_said_and_leaves_what_was_there(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with pool.acquire() as conn:
        await store(conn, make(100))
        first = await export_day(conn, DAY, tmp_path)
        await store(conn, make(5000, seed=9))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            # The kernel refuses to write more: as on a full disk, with another errno.
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
            with pytest.raises(UnavailableError, match="2026-02-16") as failure:
                await export_day(conn, DAY, tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
    assert "disk" in failure.value.hint
    assert read_manifest(tmp_path / names_of(DAY)[1]) == first
    assert sha256_of(tmp_path / first.file) == first.sha256
    assert listed(tmp_path) == sorted(names_of(DAY))


async def test_a_foreign_file_and_a_folder_that_is_a_file(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with pool.acquire() as conn:
        await store(conn, make(10))
        (tmp_path / names_of(DAY)[0]).write_bytes(b"something of somebody's")
        with pytest.raises(ConfigurationError, match="no Parquet file"):
            await export_day(conn, DAY, tmp_path)
        assert (tmp_path / names_of(DAY)[0]).read_bytes() == b"something of somebody's"
        (tmp_path / "other.json").write_text('{"rows": 1}')
        with pytest.raises(ConfigurationError, match="no manifest"):
            read_manifest(tmp_path / "other.json")
        (tmp_path / "file").touch()
        with pytest.raises(ConfigurationError, match="file"):
            await export_day(conn, DAY, tmp_path / "file")


async def test_the_command(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> None:
    async with pool.acquire() as conn:
        await store(conn, make(200))
    env = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}

    def export(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gongche", "export", "--out", str(tmp_path / "new" / "folder"), *words],
            env=env | {"GONGCHE_DATABASE_URL": db_url},
            capture_output=True,
            text=True,
            check=False,
        )

    done = export("--day", "2026-02-16")
    assert done.returncode == 0, done.stderr
    manifest = orjson.loads((tmp_path / "new" / "folder" / "positions-2026-02-16.json").read_bytes())
    assert manifest["rows"] == 200
    assert manifest["sha256"] in done.stdout
    empty = export("--day", "2026-02-17")
    assert empty.returncode == 1
    assert "no positions" in empty.stderr
    wrong = export("--day", "2026-02-30")
    assert wrong.returncode == 2
    assert "2026-03-01" in wrong.stderr


async def test_an_export_without_secret_vehicles_has_none_of_their_positions(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    """Left out is what a terminal sent in a secret vehicle, also when it sits in another one now; nothing else is left out."""
    noon = datetime(2026, 2, 16, 12, tzinfo=UTC)
    async with pool.acquire() as conn:
        await store(conn, make(300))
        await conn.execute(
            "INSERT INTO terminals (phone) SELECT '1380000000' || n FROM generate_series(1, 6) n;"
            "INSERT INTO organisations (id, name) VALUES ('o', '单位');"
            "INSERT INTO vehicles (id, plate, organisation, secret) VALUES ('open', '苏F00001', 'o', false), ('hidden', '苏F00002', 'o', true)"
        )
        bind = (
            "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from, valid_to)"
            " SELECT $1, no, $3, $4 FROM vehicles WHERE id = $2"
        )
        long_ago = datetime(2026, 1, 1, tzinfo=UTC)
        await conn.execute(bind, 1, "hidden", long_ago, None)
        await conn.execute(bind, 2, "open", long_ago, None)
        await conn.execute(bind, 3, "hidden", long_ago, noon)
        await conn.execute(bind, 3, "open", noon, None)
        everything = await rows_of_table(conn, DAY)
    seen = [
        row
        for row in everything
        if row["terminal"] != 1 and (row["terminal"] != 3 or row["device_time"] >= noon)
    ]
    env = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")} | {
        "GONGCHE_DATABASE_URL": db_url
    }

    def export(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gongche", "export", "--day", "2026-02-16", "--out", str(tmp_path), *words],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = export("--without-secret")
    assert done.returncode == 0, done.stderr
    assert "without terminals of secret vehicles: 2" in done.stdout
    hidden_phones = {"13800000001"}
    names = names_of(DAY)
    rows = pq.read_table(tmp_path / names[0]).to_pylist()
    assert [{k: v for k, v in row.items() if k != "phone"} for row in rows] == [
        {k: v for k, v in row.items() if k != "phone"} for row in seen
    ]
    assert not {row["phone"] for row in rows} & hidden_phones
    assert orjson.loads((tmp_path / names[1]).read_bytes())["rows"] == len(seen) < len(everything)
    whole = export()
    assert whole.returncode == 0, whole.stderr
    assert pq.read_table(tmp_path / names[0]).to_pylist() == everything
    assert export("--without-secret").returncode == 1  # the fuller one stays
    async with pool.acquire() as conn:
        await conn.execute("UPDATE vehicles SET secret = false")
    nothing_hidden = export("--without-secret")
    assert nothing_hidden.returncode == 0, nothing_hidden.stderr
    assert "without terminals of secret vehicles: 0" in nothing_hidden.stdout
    assert pq.read_table(tmp_path / names[0]).to_pylist() == everything
