"""Days of positions in files: everybody reads what he read before, whatever is killed, full or damaged on the way."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest

from api.errors import problem_of
from gongche.commands import cold
from office.integrity.tracks import read_spans
from runtime.errors import UnavailableError
from runtime.units import US_PER_DAY, US_PER_S, from_us
from telemetry.archive import parquet
from telemetry.archive.clocks import wrong_since
from telemetry.archive.cold import catalogue, metrics, reading
from telemetry.archive.cold.catalogue import day_of
from telemetry.archive.cold.keeper import turn
from telemetry.archive.cold.layout import GROUP_ROWS, ColdDamagedError
from telemetry.archive.cold.mover import Mover, remove_left
from telemetry.archive.cold.reading import Span
from telemetry.archive.cold.whole import check_whole
from telemetry.archive.read import PositionReader, Track
from telemetry.archive.store import Archive
from telemetry.positions import OPTIONAL, SPEC, PositionBatch

TODAY = 20_500
NOW = TODAY * US_PER_DAY + 3600 * US_PER_S
#: Days of positions: the first two are to be moved, the last two stay.
DAYS = (TODAY - 12, TODAY - 11, TODAY - 2, TODAY)
HOT_DAYS = 10
TERMINALS = range(1, 8)
EVER = (0, 4_000_000_000_000_000)


def batch_of(days: tuple[int, ...] = DAYS, seed: int = 1, per_day: int = 60) -> PositionBatch:
    """Rows with every column, some null, some with items, some no valid fix, of odd times; two rows of some seconds."""
    rng = np.random.default_rng(seed)
    terminal = np.repeat(np.array(TERMINALS, np.int64), per_day * len(days))
    second = np.tile(
        np.repeat(np.array(days) * 86_400, per_day) + np.tile(np.arange(per_day) // 2 * 900, len(days)),
        len(TERMINALS),
    )
    n = len(terminal)
    device = second * US_PER_S + np.where(rng.random(n) < 0.1, rng.integers(0, US_PER_S, n), 0)
    sizes = np.where(rng.random(n) < 0.5, rng.integers(1, 9, n), 0)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    batch = PositionBatch.build(
        n, terminal=terminal, device_us=device, received_us=device + rng.integers(0, 3 * US_PER_DAY, n) - US_PER_S,
        lat_e6=rng.integers(-90_000_000, 90_000_000, n), lon_e6=rng.integers(-180_000_000, 180_000_000, n),
        altitude_m=rng.integers(-400, 9000, n), speed_dkmh=rng.integers(0, 1200, n), direction_deg=rng.integers(0, 360, n),
        alarm=rng.integers(0, 1 << 32, n), status=rng.integers(0, 1 << 32, n) & ~np.int64(2) | np.where(rng.random(n) < 0.7, 2, 0),
        source=rng.integers(0, 5, n), odometer_dkm=rng.integers(0, 1 << 32, n), fuel_dl=rng.integers(0, 60_000, n),
        recorder_speed_dkmh=rng.integers(0, 1200, n), radio=rng.integers(0, 99, n), satellites=rng.integers(0, 30, n),
        present=rng.integers(0, 32, n), items_offsets=offsets, items_data=rng.integers(0, 256, int(offsets[-1])).astype(np.uint8),
    )  # fmt: skip
    # What is absent is 0, as terminals have it.
    return replace(
        batch,
        **{
            name: np.where(batch.has(name), getattr(batch, name), 0).astype(SPEC[name][0])
            for name in OPTIONAL
        },
    )


def of_days(*days: int) -> PositionBatch:
    """Of what is stored the rows of these days, as they came."""
    batch = batch_of()
    return batch.take(np.isin(batch.device_us // US_PER_DAY, days))


async def stored(conn: asyncpg.Connection, batch: PositionBatch) -> Any:
    archive = Archive(now_us=lambda: NOW)
    await archive.ensure_partitions(conn, sorted(set((batch.device_us // US_PER_DAY).tolist())))
    return await archive.store(conn, batch)


@pytest.fixture
async def conn(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """Positions of seven terminals; the clock of 3 is corrected for a time, that of 4 in doubt."""
    async with pool.acquire() as conn:
        await conn.executemany(
            "INSERT INTO terminals (no, phone) OVERRIDING SYSTEM VALUE VALUES ($1, $2)",
            [(no, f"1380000000{no}") for no in TERMINALS],
        )
        await stored(conn, batch_of())
        # A release before had another fingerprint.
        await conn.execute("UPDATE positions SET fingerprint = 77 WHERE ctid = (SELECT min(ctid) FROM positions_20260204) AND terminal_no = 1")  # fmt: skip
        await conn.execute(
            "INSERT INTO clock_doubts (terminal_no, received_from, lag_s) VALUES (4, $1, 500)",
            from_us((TODAY - 11) * US_PER_DAY),
        )
        yield conn


def mover(folder: Path | str, checkpoint: Callable[[str], None] = lambda _: None, **more: Any) -> Mover:
    return Mover(str(folder), HOT_DAYS, now_us=lambda: NOW, checkpoint=checkpoint, **more)


async def moved(conn: asyncpg.Connection, folder: Path | str, **more: Any) -> list[Any]:
    return [day async for day in mover(folder, **more).move(conn)]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def put_elsewhere(folder: Path) -> Path:
    return folder.rename(folder.with_name("elsewhere"))


def told(track: Track) -> Any:
    columns = {name: values.tolist() for name, values in track.batch.columns().items()}
    return columns, track.quality.tolist(), track.fingerprint.tolist(), track.next


async def paged(conn: asyncpg.Connection, spans: list[tuple[int, int, int]], limit: int) -> Any:
    pages, after = [], None
    while True:
        page = await PositionReader().track(conn, spans, limit=limit, after=after)
        pages.append(told(page))
        if (after := page.next) is None:
            return pages


async def everything(conn: asyncpg.Connection, folder: Path) -> dict[str, Any]:
    """What every reader says."""
    reader, aged = PositionReader(), PositionReader()
    aged.max_age_us = US_PER_DAY
    whole = [(no, *EVER) for no in (*TERMINALS, 99)]
    part = [
        (2, DAYS[0] * US_PER_DAY + 5, DAYS[1] * US_PER_DAY + 3600 * US_PER_S),
        (5, DAYS[1] * US_PER_DAY, NOW),
    ]
    found: dict[str, Any] = {
        "any": await reader.holds_any(conn),
        "newest": told(await reader.last_positions(conn, [1, 2, 4, 99])),
    }
    for name, spans in {
        "plain": [s for s in whole if s[0] not in (3, 4)],
        "clocks": whole,
        "part": part,
    }.items():
        found |= {
            f"{name} track": told(await reader.track(conn, spans)),
            f"{name} pages": await paged(conn, spans, 211),
            f"{name} aged": told(await aged.track(conn, spans)),
            f"{name} first": told(await aged.edges(conn, spans, 3)),
            f"{name} last": told(await reader.edges(conn, spans, 2, newest=True)),
            f"{name} newest": told(
                await reader.last_positions(conn, [s[0] for s in spans], valid_only=False)
            ),
            f"{name} count": await reader.count(conn, spans, 100),
        }
    rows = await read_spans(conn, [(no, *EVER) for no in TERMINALS])
    found["evidence"] = [
        (
            r["terminal_no"],
            r["t_us"],
            r["fingerprint"],
            r["received_us"],
            r["odometer_dkm"],
            r["lat_e6"],
            r["text"],
        )
        for r in rows
    ]
    prints = found["plain track"][2]
    span = Span(1, DAYS[0] * US_PER_DAY, (DAYS[0] + 1) * US_PER_DAY)
    found["holds"] = [
        await reader.holds_received(conn, each, prints)
        for each in (span, span._replace(received_to=5), span._replace(terminal=99))
    ]
    found["wrong since"] = [
        await wrong_since(conn, no, lag, 600, (TODAY - 20) * US_PER_DAY)
        for no in TERMINALS
        for lag in (86_400, 3600, -1)
    ]
    found["export"] = []
    for day in DAYS:
        made = await parquet.export_day(conn, day_of(day), folder / "export", force=True)
        found["export"].append((made.rows, made.terminals, made.sha256))
    return found


async def test_everybody_reads_the_same_after_days_have_moved(
    conn: asyncpg.Connection, tmp_path: Path
) -> None:
    before = await everything(conn, tmp_path)
    rows = await conn.fetchval("SELECT count(*) FROM positions")
    done = await moved(conn, tmp_path / "cold", file_rows=1)
    assert [day.day for day in done] == list(DAYS[:2])
    assert sum(day.rows for day in done) + await conn.fetchval("SELECT count(*) FROM positions") == rows
    assert await conn.fetchval("SELECT to_regclass('positions_20260204')") is None
    assert [name for name, value in (await everything(conn, tmp_path)).items() if value != before[name]] == []
    assert await moved(conn, tmp_path / "cold") == []  # nothing is left to be moved

    # A terminal that is seen again after a restart is known by its files, and what it repeats is a duplicate.
    await conn.execute("DELETE FROM positions WHERE terminal_no = 5")
    archive = Archive(now_us=lambda: NOW)
    again = of_days(*DAYS[:2])
    result = await archive.store(conn, again.take(again.terminal == 5))
    assert result.duplicates == int((again.terminal == 5).sum())
    newer = PositionBatch.build(
        2, terminal=[5, 5], device_us=[NOW, (DAYS[0] * 86_400 + 7) * US_PER_S], received_us=NOW
    )
    result = await archive.store(conn, newer)
    assert result.new.tolist() == [True, True]
    assert result.late.tolist() == [False, True]


async def test_late_rows_stay_in_the_table_until_they_are_put_to_the_files(
    conn: asyncpg.Connection, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    late = batch_of(DAYS[:2], seed=2, per_day=7)
    await moved(conn, tmp_path)
    again = of_days(DAYS[0])
    result = await stored(conn, PositionBatch.concat([late, again]))
    assert result.duplicates >= len(again) - 1  # one has the fingerprint of a release before
    before = await everything(conn, tmp_path)
    files = {file.file for file in await catalogue.files_of(conn, 0, TODAY)}
    assert await turn(pool, mover(tmp_path)) == 2
    assert metrics.DAYS._value.get() == 2
    assert [name for name, value in (await everything(conn, tmp_path)).items() if value != before[name]] == []
    now = {file.file for file in await catalogue.files_of(conn, 0, TODAY)}
    assert len(now) == 2  # small files are put together
    assert not now & files
    assert await remove_left(conn) == 0  # somebody may be about to open them
    await conn.execute(
        "UPDATE cold_files SET changed_at = now() - interval '2 days' WHERE state = 'discarded'"
    )
    assert await remove_left(conn) == 2
    assert names(tmp_path) - {"export"} == now

    # The retention ends them as it drops partitions; the files go a day later.
    archive = Archive(retention_days=11, now_us=lambda: NOW)
    dropped = await archive.drop_expired(conn)
    assert [name[:18] for name in dropped] == ["positions-20260204"]
    assert (
        await PositionReader().track(conn, [(1, 0, (DAYS[0] + 1) * US_PER_DAY)])
    ).batch.device_us.size == 0


async def test_what_is_written_while_a_day_moves_is_not_lost(
    conn: asyncpg.Connection, db_url: str, tmp_path: Path
) -> None:
    late = batch_of(DAYS[:1], seed=3, per_day=3)

    async def write() -> None:
        other = await asyncpg.connect(db_url)
        await stored(other, late)
        await other.close()

    seen: list[str] = []

    def checkpoint(step: str) -> None:
        if step == "written" and step not in seen:  # the mover waits here: somebody else's loop
            thread = threading.Thread(target=asyncio.run, args=(write(),))
            thread.start()
            thread.join(30)
        seen.append(step)

    done = [day async for day in mover(tmp_path, checkpoint).move(conn)]
    assert [day.touched for day in done] == [True, False]
    expected = {(int(t), int(d)) for t, d in zip(late.terminal, late.device_us, strict=True)}
    assert expected <= await keys(conn)
    assert [day.touched for day in await moved(conn, tmp_path)] == [False]
    assert expected <= await keys(conn)


async def keys(conn: asyncpg.Connection) -> set[tuple[int, int]]:
    track = await PositionReader().track(conn, [(no, *EVER) for no in TERMINALS if no not in (3, 4)])
    rows = await read_spans(conn, [(no, *EVER) for no in (3, 4)])
    found = list(
        zip(
            track.batch.terminal.tolist(),
            track.batch.device_us.tolist(),
            track.fingerprint.tolist(),
            strict=True,
        )
    )
    found += [(row["terminal_no"], row["t_us"], row["fingerprint"]) for row in rows]
    assert len(found) == len(set(found)), "a position twice"
    return {(no, us) for no, us, _ in found}


STEPS = ("watched", "begun", "filled", "written", "compared", "dropping", "dropped")


async def test_killed_at_any_step_every_position_is_there_once(
    conn: asyncpg.Connection, db_url: str, tmp_path: Path
) -> None:
    before = await keys(conn)
    count = await conn.fetchval("SELECT count(*) FROM positions")
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.cold_child", db_url, str(tmp_path),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    for step in STEPS:
        child.stdin.write(f"{step}\n".encode())
        assert int(await asyncio.wait_for(child.stdout.readline(), 60)) == -signal.SIGKILL, step
        assert await keys(conn) == before, step
        hot = await conn.fetchval("SELECT count(*) FROM positions")
        cold = sum(file.rows for file in await catalogue.files_of(conn, 0, TODAY))
        assert hot + cold == count, step  # all here or all there
        assert (cold > 0) == (step == "dropped"), step
    child.stdin.close()
    await child.wait()
    assert [day.day for day in await moved(conn, tmp_path)] == [DAYS[1]]
    assert await keys(conn) == before
    kept = {file.file for file in await catalogue.files_of(conn, 0, TODAY)}
    assert names(tmp_path) == kept  # of what was begun nothing is left


async def test_a_full_disk_drops_nothing_and_says_what_to_do(
    conn: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await keys(conn)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    failures = metrics.FAILURES.labels(metrics.STORE)._value.get()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UnavailableError) as caught:
            await moved(conn, tmp_path)
    assert "make room" in caught.value.hint
    assert metrics.FAILURES.labels(metrics.STORE)._value.get() == failures + 1
    assert names(tmp_path) == set()
    assert await conn.fetchval("SELECT count(*) FROM positions_20260204") > 0
    assert await keys(conn) == before
    assert len(await moved(conn, tmp_path)) == 2


async def test_a_damaged_file_is_named_and_never_read_as_no_track(
    conn: asyncpg.Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await moved(conn, tmp_path)
    spans = [(no, DAYS[0] * US_PER_DAY, (DAYS[0] + 1) * US_PER_DAY) for no in TERMINALS]
    (file,) = await catalogue.files_of(conn, DAYS[0], DAYS[0])
    path = tmp_path / file.file
    whole, right = path.read_bytes(), told(await PositionReader().track(conn, spans))
    rng = np.random.default_rng(0)
    places = [0, 3, len(whole) - 1, len(whole) - 6, *rng.integers(4, len(whole), 150).tolist()]
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        reading._footers.clear()
        try:
            found = told(await PositionReader().track(conn, spans))
        except ColdDamagedError as error:
            found = error.file
        # Either it is noticed, or it is what nobody needs, such as the first magic.
        assert found in (right, file.file), place
        with pytest.raises(ColdDamagedError):
            check_whole(file)
    for broken in (whole[:-1], whole[: len(whole) // 2], b""):
        path.write_bytes(broken)
        for _ in range(2):
            reading._footers.clear()
            with pytest.raises(ColdDamagedError, match=file.file):
                await PositionReader().track(conn, spans)
    path.unlink()
    with pytest.raises(ColdDamagedError, match="not in"):
        await PositionReader().edges(conn, spans, 1)
    assert await cold._run(Namespace(verify=True, relocate=None, move=False), conn) == 1
    assert file.file in capsys.readouterr().out
    assert problem_of(ColdDamagedError(file.file, "gone")).code == "cold-file-damaged"
    # What comes in is stored all the same; where it was there already it is read once.
    again = of_days(DAYS[0])
    assert (await stored(conn, again.take(again.terminal == 2))).new.any()
    path.write_bytes(whole)
    assert told(await PositionReader().track(conn, spans)) == right
    elsewhere = put_elsewhere(tmp_path)
    asked = Namespace(verify=False, relocate=(str(tmp_path), str(elsewhere)), move=False)
    assert await cold._run(asked, conn) == 0
    assert told(await PositionReader().track(conn, spans)) == right


def test_a_row_group_is_found_by_its_terminals() -> None:
    firsts = np.array([1, 4, 4, 9], np.int64)
    file = catalogue.ColdFile("f", "d", 0, 1, 4 * GROUP_ROWS, 1, b"", b"", 1, 12, firsts)
    for terminal, groups in {0: [], 1: [0], 3: [0], 4: [0, 1, 2], 5: [2], 9: [2, 3], 12: [3], 13: []}.items():
        assert file.groups_of(np.array([terminal])) == groups, terminal
