"""What fails for a fault of the program is set aside, and stops nobody: everything else is stored and judged once, and what was
set aside is stored when the fault is gone. The faults are put into real functions of the worker's own process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest
from prometheus_client import REGISTRY

from rules.checks import location
from rules.faults import is_fault
from rules.live import isolation, recompute, settle, track_run, transaction
from rules.live.process import Worker
from rules.live.store import quarantine
from rules.tracks.kernel import ROW_FIELDS
from rules.tracks.state import TrackStates
from runtime.errors import ConfigurationError, UnavailableError
from telemetry.archive import store as archive_store
from telemetry.log import codec
from telemetry.log.base import POSITIONS, Record
from telemetry.positions import PositionBatch
from tests.integration.worker_world import TRUNCATE_RESULTS, World, drive, stand
from tests.waiting import PATIENCE_S, until

H = 3600.0
OUT = [(0, 0), (3000, 0), (3000, 3000)]
_T, _ODO = ROW_FIELDS.index("t"), ROW_FIELDS.index("odo")

#: The odometer (0.1 km) of a row that the seams below fail on.
POISON = 987_654


class Seam:
    """A real function of the program that raises for one particular row until ``mended``."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, fails: Callable[..., bool]
    ) -> None:
        self.real, self.fails, self.broken, self.calls = getattr(where, name), fails, True, 0
        monkeypatch.setattr(where, name, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.broken and self.fails(*args, **kwargs):
            self.calls += 1
            raise RuntimeError("a fault of the program\0, put in by a test")
        return self.real(*args, **kwargs)


def kernel(monkeypatch: pytest.MonkeyPatch) -> list[Seam]:
    """The kernel fails on poisoned rows, live and when a stored track is computed again."""

    def fails(_states: Any, _slots: Any, rows: Any) -> bool:
        return bool((rows[_ODO] == POISON + 1).any())

    return [Seam(monkeypatch, transaction, "advance", fails), Seam(monkeypatch, track_run, "advance", fails)]


def archive(monkeypatch: pytest.MonkeyPatch) -> list[Seam]:
    """The archive fails on poisoned rows."""
    return [
        Seam(
            monkeypatch, archive_store, "copy_stream",
            lambda batch, *_rest: bool((batch.odometer_dkm == POISON).any()),
        )
    ]  # fmt: skip


def poisoned(world: World, fixes: Any, row: int, *, terminal: Any = 1) -> PositionBatch:
    """A batch one of whose rows the seams fail on; all have an odometer."""
    odometer = np.arange(len(fixes)) + 1000
    odometer[row] = POISON
    return world.batch(fixes, terminal=terminal, odometer_dkm=odometer, present=1)


async def work(world: World, worker: Worker, records: int) -> None:
    """Turns as ``run`` makes them, until ``records`` are done and nothing can be computed again."""
    for _ in range(200):
        await worker.turn(isolate=True)
        waits = await world.pool.fetchval(
            "SELECT EXISTS (SELECT FROM recomputations WHERE retry_at IS NULL OR retry_at < now())"
        )
        if worker.counts.records >= records and not waits:
            return
    pytest.fail(f"{worker.counts.records} of {records} records")


async def retry(world: World, worker: Worker) -> None:
    async with world.pool.acquire() as conn:
        asked = await quarantine.ask(conn, None)
    assert asked
    async with asyncio.timeout(PATIENCE_S):
        while await world.pool.fetchval("SELECT EXISTS (SELECT FROM quarantine WHERE asked_at IS NOT NULL)"):
            await worker.turn(isolate=True)
        for _ in range(3):
            await worker.turn(isolate=True)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"gongche_worker_{name}", labels) or 0.0


@pytest.mark.parametrize("broken", [kernel, archive])
async def test_one_row_of_a_record_is_set_aside_and_stored_when_the_fault_is_gone(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., list[Seam]]
) -> None:
    """Three vehicles in one record, and a record before and after; one row of one of them is poisoned."""
    fixes = [*stand(7 * H, 8 * H), *drive(8 * H, *OUT), *stand(9 * H, 9.2 * H)]
    part = len(fixes) // 2
    first = PositionBatch.concat(
        [world.batch(fixes[:part], terminal=k, odometer_dkm=7, present=1) for k in (1, 2, 3)]
    )
    second = PositionBatch.concat(
        [world.batch(fixes[part:], terminal=1, odometer_dkm=7, present=1),
         poisoned(world, fixes[part:], 5, terminal=2),
         world.batch(fixes[part:], terminal=3, odometer_dkm=7, present=1)]
    )  # fmt: skip
    third = world.batch(stand(9.2 * H, 9.5 * H), terminal=2, odometer_dkm=9, present=1)
    seams = broken(monkeypatch)
    await world.send(first, second, third)
    worker = world.worker()
    await work(world, worker, 3)
    rows = len(first) + len(second) + len(third)
    counts = worker.counts
    assert (counts.records, counts.rows, counts.quarantined) == (3, rows, 1)
    # The whole was tried more than once, but nothing that was rolled back is counted.
    assert counts.rows == counts.stored + counts.duplicates + counts.quarantined
    assert counts.stored == rows - 1 == await world.pool.fetchval("SELECT count(*) FROM positions")
    (entry,) = [dict(r) for r in await world.pool.fetch("SELECT * FROM quarantine")]
    assert (entry["terminal_no"], entry["rows"], entry["partition"], entry["attempts"]) == (2, 1, 0, 1)
    assert entry["stage"] == ("tracks" if broken is kernel else "positions")
    assert "put in by a test" in entry["error"]
    assert codec.decode(entry["payload"]).odometer_dkm.tolist() == [POISON]
    assert await world.pool.fetchval("SELECT max(next_offset) FROM log_offsets") == entry["offset"] + 2
    assert await world.pool.fetchval("SELECT count(*) FROM vehicle_states WHERE state_version > 0") == 3
    assert (worker.kept() or "1 parts").count("1 parts") == 1

    # Still broken: it stays, with one attempt more, and is not stored.
    await retry(world, worker)
    assert await world.pool.fetchval("SELECT attempts FROM quarantine") == 2
    assert worker.counts.stored == rows - 1
    for seam in seams:
        seam.broken = False
    await retry(world, worker)
    assert await world.pool.fetchval("SELECT count(*) FROM quarantine") == 0
    assert await world.pool.fetchval("SELECT count(*) FROM positions") == rows
    assert (worker.counts.rows, worker.counts.retried) == (rows, 1)  # in the accounts once
    await world.work(worker)
    made = await world.everything()

    # What an undisturbed worker finds.
    calm = World(world.pool, tmp_path / "calm", world.day)
    await world.pool.execute(TRUNCATE_RESULTS)
    await calm.send(first, second, third)
    await calm.work()
    plain = await calm.everything()
    for name in ("positions", "states", "days", "results"):
        assert made[name] == plain[name], name
    await calm.close()


def gongche(db_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gongche", "quarantine", *words], env={**os.environ, "GONGCHE_DATABASE_URL": db_url},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


async def test_the_operator_sees_what_is_set_aside_and_has_it_tried_again(
    world: World, db_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seams = archive(monkeypatch)
    await world.send(poisoned(world, stand(0, 600), 7))
    worker, stop = world.worker(), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))

    async def ask(*words: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(gongche, db_url, *words)

    await until(lambda: worker.counts.records == 1, "the record")
    listed = await ask("list")
    assert listed.returncode == 0, listed.stderr
    assert "13800000001" in listed.stdout
    assert "put in by a test" in listed.stdout
    number = listed.stdout.split()[0]
    shown = await ask("show", number, "--bytes", str(tmp_path / "record"))
    assert f"odometer_dkm={POISON}" in shown.stdout
    assert len(codec.decode((tmp_path / "record").read_bytes())) == 1
    again = await ask("retry", number)
    assert again.returncode == 1
    assert "attempts 2" in again.stdout
    for seam in seams:
        seam.broken = False
    assert (await ask("retry", "99999")).returncode == 1
    done = await ask("retry", "--all")
    assert (done.returncode, done.stdout) == (0, "")
    assert (await ask("list")).stdout == ""
    assert (await ask("show", number)).returncode == 1
    assert (await ask("retry")).returncode not in (0, 1)  # neither ids nor --all
    assert await world.pool.fetchval("SELECT count(*) FROM positions") == 20
    stop.set()
    await running
    # Nobody is there to try: it says so, and keeps the wish.
    await world.pool.execute(
        'INSERT INTO quarantine (topic, partition, "offset", stage, error, payload, program, set_aside_at, tried_at)'
        " VALUES ('t', 0, 1, 'decode', 'x', '', '1', now(), now())"
    )
    alone = await ask("retry", "--all", "--wait", "0.5")
    assert alone.returncode == 1
    assert "worker" in alone.stderr
    assert await world.pool.fetchval("SELECT asked_at IS NOT NULL FROM quarantine")


async def test_a_record_that_cannot_be_decoded_is_kept_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Seam(monkeypatch, codec, "decode_all", lambda payloads: True)
    bad = codec.encode(world.batch(stand(100, 400), terminal=2))
    seam = Seam(monkeypatch, codec, "decode", lambda payload: payload == bad)
    await world.send(world.batch(stand(0, 300)))
    await world.writer.append([Record(POSITIONS, 0, bad, codec.HEADERS)])
    await world.writer.append([Record(POSITIONS, 0, b"no record", {})])
    await world.send(world.batch(stand(300, 600)))
    worker = world.worker()
    before = value("records_total", result="quarantined")
    await work(world, worker, 4)
    assert (worker.counts.stored, worker.counts.rejected, worker.counts.quarantined) == (20, 1, 0)
    assert value("records_total", result="quarantined") == before + 1
    (entry,) = await world.pool.fetch("SELECT * FROM quarantine")
    assert (entry["payload"], entry["stage"], entry["rows"], entry["terminal_no"]) == (
        bad,
        "decode",
        None,
        None,
    )
    seam.broken = False
    await retry(world, worker)
    assert await world.pool.fetchval("SELECT count(*) FROM quarantine") == 0
    assert await world.pool.fetchval("SELECT count(*) FROM positions WHERE terminal_no = 2") == 10


async def test_a_fault_of_rows_together_sets_nothing_aside(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault comes with 20 rows or more: all are stored in smaller parts."""
    Seam(monkeypatch, transaction, "advance", lambda _states, slots, _rows: len(slots) >= 20)
    batches = [world.batch(stand(0, 1800), terminal=k) for k in (1, 2, 3)]
    await world.send(PositionBatch.concat(batches))
    worker = world.worker()
    await work(world, worker, 1)
    assert worker.counts.stored == sum(map(len, batches))
    assert await world.pool.fetchval("SELECT count(*) FROM quarantine") == 0


async def test_a_spoiled_running_state_is_made_anew_and_nothing_is_set_aside(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel fails on whatever comes after one particular state of vehicle 1, which is in the database."""
    fixes = [*stand(7 * H, 8 * H), *drive(8 * H, *OUT), *stand(9 * H, 9.2 * H)]
    await world.send(world.batch(fixes[:60]))
    worker = world.worker()
    await work(world, worker, 1)
    field = TrackStates.field
    await world.pool.execute("UPDATE vehicle_states SET state = set_byte(state, 0, 255)")
    Seam(
        monkeypatch, transaction, "advance",
        lambda states, slots, _rows: bool((field(states, "t", slots) % 256 == 255).any()),
    )  # fmt: skip
    worker = world.worker()
    await world.send(world.batch(fixes[60:]), world.batch(fixes, terminal=2))
    await work(world, worker, 2)
    assert await world.pool.fetchval("SELECT count(*) FROM quarantine") == 0
    assert worker.counts.stored == 2 * len(fixes) - 60
    states = await world.pool.fetch("SELECT state, watermark FROM vehicle_states ORDER BY vehicle_no")
    assert len(states) == 2
    assert states[0] == states[1]  # the same track, and nothing spoiled is left


async def test_a_vehicle_whose_every_row_fails_is_put_off_and_its_positions_are_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixes = [*stand(7 * H, 8 * H), *drive(8 * H, *OUT), *stand(9 * H, 12 * H)]
    seams = [
        Seam(monkeypatch, where, "advance", lambda _s, slots, rows: bool((rows[_ODO] == POISON + 1).any()))
        for where in (transaction, track_run)
    ]
    sick = world.batch(fixes, terminal=1, odometer_dkm=POISON, present=1)
    well = world.batch(fixes, terminal=2, odometer_dkm=5, present=1)
    parts = np.array_split(np.arange(len(fixes)), 6)
    await world.send(*(PositionBatch.concat([sick.take(p), well.take(p)]) for p in parts))
    worker = world.worker()
    await work(world, worker, 6)
    counts = worker.counts
    assert counts.rows == counts.stored + counts.duplicates + counts.quarantined == 2 * len(fixes)
    assert counts.quarantined <= isolation.MOST_ALONE
    assert await world.pool.fetchval("SELECT count(*) FROM positions WHERE terminal_no = 2") == len(fixes)
    (off,) = await world.pool.fetch("SELECT * FROM recomputations")
    assert (off["vehicle_no"], off["anew"], off["attempts"]) == (1, True, 1)
    # From now on nothing has to be looked for any more.
    failed = seams[0].calls
    await world.send(world.batch(stand(12 * H, 12.1 * H), terminal=1, odometer_dkm=POISON, present=1))
    await work(world, worker, 7)
    assert seams[0].calls == failed
    # The next attempt fails as well, and is put off for longer; the others go on.
    await world.pool.execute("UPDATE recomputations SET retry_at = now()")
    await worker.turn(isolate=True)
    (off,) = await world.pool.fetch("SELECT *, retry_at - now() AS pause FROM recomputations")
    assert off["attempts"] == 2
    assert 590 < off["pause"].total_seconds() <= 600
    # The fault is gone.
    for seam in seams:
        seam.broken = False
    await world.pool.execute("UPDATE recomputations SET retry_at = now()")
    if counts.quarantined:
        await retry(world, worker)
    await work(world, worker, 7)
    await world.work(worker)
    states = await world.pool.fetch(
        "SELECT vehicle_no, watermark, last_fix_at FROM vehicle_states ORDER BY 1"
    )
    assert states[0]["last_fix_at"] == world.time(12.1 * H - 30)
    assert (
        await world.pool.fetchval("SELECT count(*) FROM positions WHERE terminal_no = 1") == len(fixes) + 12
    )
    assert await world.pool.fetchval("SELECT count(*) FROM recomputations") == 0


@pytest.mark.parametrize("where", [(location, "evaluate"), (transaction, "publish")])
async def test_a_vehicle_whose_alert_cannot_be_made_stops_no_other_alert(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str]
) -> None:
    """Whatever row opens the episode of vehicle 2, judging it fails, or publishing it."""

    def fails(*args: Any, **_: Any) -> bool:
        if where[1] == "evaluate":
            return bool(args[0]["vehicle"]["id"] == "V2")
        return any(judgement.vehicle_no == 2 for judgement in args[1])

    fixes = [*stand(7 * H, 8 * H), *drive(8 * H, *OUT), *stand(9 * H, 9.5 * H)]
    parts = np.array_split(np.arange(len(fixes)), 8)
    batches = [
        PositionBatch.concat([world.batch(fixes, terminal=k).take(p) for k in (1, 2, 3)]) for p in parts
    ]
    seam = Seam(monkeypatch, *where, fails)
    await world.send(*batches)
    worker = world.worker()
    await work(world, worker, len(batches))
    counts = worker.counts
    assert counts.rows == counts.stored + counts.duplicates + counts.quarantined == 3 * len(fixes)
    assert counts.quarantined <= isolation.MOST_ALONE
    assert sorted(alert["vehicle"] for alert in await world.alerts()) == ["V1", "V3"]
    assert await world.pool.fetchval("SELECT array_agg(vehicle_no) FROM recomputations") == [2]
    seam.broken = False
    await world.pool.execute("UPDATE recomputations SET retry_at = now()")
    await retry(world, worker)
    await world.work(worker)
    assert await world.pool.fetchval("SELECT count(*) FROM quarantine") == 0
    made, told = await world.everything(), await world.told()
    await world.pool.execute(TRUNCATE_RESULTS)
    calm = World(world.pool, tmp_path / "calm", world.day)
    await calm.send(*batches)
    await calm.work()
    plain = await calm.everything()
    for name in ("positions", "states", "days", "results"):
        assert made[name] == plain[name], name
    assert told == await calm.told()
    await calm.close()


async def test_a_vehicle_that_cannot_be_computed_again_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice over two vehicles fails on one of them."""
    fixes = [*stand(7 * H, 8 * H), *drive(8 * H, *OUT), *stand(9 * H, 9.2 * H)]
    await world.send(*(world.batch(fixes, terminal=k) for k in (1, 2)))
    worker = world.worker()
    await work(world, worker, 2)
    await world.pool.execute(
        "INSERT INTO recomputations (vehicle_no, urgency, from_time, anew) SELECT no, 1, $1, false FROM vehicles WHERE no < 3",
        world.time(7 * H),
    )
    seam = Seam(monkeypatch, recompute, "settle_again", lambda _facts, changed: 1 in changed)
    await world.send(world.batch(stand(9.2 * H, 9.3 * H), terminal=1))
    await work(world, worker, 3)
    rows = await world.pool.fetch("SELECT vehicle_no, attempts, error FROM recomputations")
    assert [(r["vehicle_no"], r["attempts"]) for r in rows] == [(1, 1)]
    assert "put in by a test" in rows[0]["error"]
    # Its live positions are judged all the same: its state is usable.
    assert await world.pool.fetchval(
        "SELECT watermark FROM vehicle_states WHERE vehicle_no = 1"
    ) == world.time(9.3 * H - 30)
    seam.broken = False
    await world.pool.execute("UPDATE recomputations SET retry_at = now()")
    await world.work(worker)


async def test_a_changed_fact_that_fails_puts_off_its_vehicle_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixes = [*stand(7 * H, 8 * H), *drive(8 * H, *OUT), *stand(9 * H, 9.2 * H)]
    await world.send(*(world.batch(fixes, terminal=k) for k in (1, 2)))
    worker = world.worker()
    await world.work(worker)

    async def broken(facts: Any, changes: Any, waiting: Any) -> Any:
        if seam["broken"] and any(c.vehicle_no == 1 for c in changes):
            raise ZeroDivisionError("put in by a test")
        return await real(facts, changes, waiting)

    seam, real = {"broken": True}, settle.note_orders
    monkeypatch.setattr(transaction, "note_orders", broken)
    for k in (1, 2):
        await world.order(f"P{k}", 8 * H, 9.05 * H, vehicle=f"V{k}")
    await world.send(world.batch(stand(9.2 * H, 9.3 * H), terminal=1))
    await work(world, worker, 3)
    assert await world.pool.fetchval("SELECT array_agg(vehicle_no) FROM recomputations") == [1]
    assert await world.pool.fetchval("SELECT count(*) FROM quarantine") == 0
    states = await world.pool.fetch("SELECT order_id, state FROM order_results ORDER BY 1")
    assert ("P2", "settled") in [tuple(r) for r in states]
    seam["broken"] = False
    await world.pool.execute("UPDATE recomputations SET retry_at = now()")
    await world.work(worker)
    assert [tuple(r) for r in await world.pool.fetch("SELECT order_id, state FROM order_results ORDER BY 1")] == [
        ("P1", "settled"), ("P2", "settled"),
    ]  # fmt: skip


async def test_an_outage_sets_nothing_aside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database fails in the middle of the search, again and again: what is found is the same row in the end."""
    archive(monkeypatch)
    await world.send(poisoned(world, stand(0, 1800), 7))
    real, outages = archive_store.Archive.store, [0]

    async def store(self: Any, conn: Any, batch: Any) -> Any:
        outages[0] += 1
        if outages[0] % 3 == 0 and outages[0] < 20:
            await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        if outages[0] % 7 == 0 and outages[0] < 20:
            raise ConnectionResetError("put in by a test")
        return await real(self, conn, batch)

    monkeypatch.setattr(archive_store.Archive, "store", store)
    worker, stop = world.worker(), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: worker.counts.records == 1, "the record")
    stop.set()
    await running
    assert worker.counts.failures >= 2
    assert await world.pool.fetchval("SELECT count(*) FROM quarantine") == 1
    assert await world.pool.fetchval("SELECT count(*) FROM positions") == 59


async def test_what_says_something_of_the_data_and_what_does_not(pool: asyncpg.Pool) -> None:
    assert is_fault(ValueError("x"))
    assert is_fault(MemoryError())
    for error in (
        UnavailableError("x"),
        ConfigurationError("x"),
        OSError(),
        TimeoutError(),
        asyncio.CancelledError(),
    ):
        assert not is_fault(error)
    for query, fault in (
        ("SELECT 1 / 0", True),
        ("SELECT no_such_column FROM positions", False),
        ("SELECT 1::smallint + 99999999999999999999::bigint", True),
        ("SELECT * FROM no_such_table", False),
        ("DO $$ BEGIN RAISE EXCEPTION 'a trigger of ours'; END $$", True),
        ("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", False),  # disk full
        ("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", False),  # deadlock
        ("DO $$ BEGIN RAISE SQLSTATE 'XX002'; END $$", False),  # a broken index
        ("DO $$ BEGIN RAISE SQLSTATE '25006'; END $$", False),  # read only
    ):
        with pytest.raises(asyncpg.PostgresError) as raised:
            await pool.execute(query)
        assert is_fault(raised.value) is fault, query
    with pytest.raises(asyncpg.DataError) as refused:  # of the client: it cannot encode the value
        await pool.fetch("SELECT $1::integer", "text")
    assert is_fault(refused.value)
