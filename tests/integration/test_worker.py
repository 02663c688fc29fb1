"""The worker end to end: real PostgreSQL, real log. What is raised, what is not, and that order does not
matter."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import numpy as np
import pytest

from rules import evidence as frozen
from rules.alerts.feed import evidence_of, read_feed
from rules.catalogue import evaluate
from rules.tracks.state import STATE_DTYPE, half
from runtime.units import US_PER_DAY
from telemetry.archive.store import Archive
from telemetry.log.base import POSITIONS, Record
from telemetry.positions import PositionBatch
from tests.integration.outbox import due_rows
from tests.integration.worker_world import (
    TRUNCATE_RESULTS,
    Fix,
    World,
    drive,
    place,
    shuffled,
    some_day,
    stand,
)
from tests.words import said

H = 3600
OUT = [(0.0, 0.0), (4000.0, 0.0), (0.0, 0.0)]


def trip(start_s: float, *stations: tuple[float, float]) -> list[Fix]:
    """In the yard, out over the stations, and in the yard again."""
    out = drive(start_s, *stations)
    return [*stand(start_s - 1800, start_s), *out, *stand(out[-1][0] + 30, out[-1][0] + 1800)]


async def test_a_normal_order_raises_nothing(world: World) -> None:
    await world.order("P1", 8 * H, 8.6 * H, destinations=[place(4000, 0)])
    await world.send(world.batch(trip(8 * H, *OUT)))
    worker = await world.work()
    assert await world.alerts(None) == []
    rows = await world.pool.fetch("SELECT subject, outcome, measures FROM evaluations")
    assert [(r["subject"], r["outcome"]) for r in rows] == [("order:P1:0", "normal")]
    assert rows[0]["measures"]["nearest_m"]["value"] < 10
    counts = worker.counts
    assert (
        counts.rows
        == counts.stored + counts.duplicates
        == await world.pool.fetchval("SELECT count(*) FROM positions")
    )


async def test_a_drive_without_an_order_is_raised_while_it_goes_on_and_closed_when_it_returns(
    world: World,
) -> None:
    fixes = trip(20 * H, *OUT)
    away = next(k for k, f in enumerate(fixes) if f[1] > 2000)
    await world.send(world.batch(fixes[:away]))
    worker = await world.work()
    (alert,) = await world.alerts()
    assert (alert["rule"], alert["vehicle"], alert["occurred_to"], alert["version"]) == (
        "location",
        "V1",
        None,
        1,
    )
    assert "仍在围栏外" in alert["summary"]
    await world.send(world.batch(fixes[away:]))
    await world.work(worker)
    (closed,) = await world.alerts()
    assert (closed["id"], closed["version"]) == (alert["id"], 2)
    assert closed["occurred_to"] is not None
    assert 3850 < closed["measures"]["farthest_m"]["value"] < 4000
    assert 7600 < closed["measures"]["distance_m"]["value"] < 8000
    async with world.pool.acquire() as conn:
        found = await evidence_of(conn, closed["id"])
        feed = await read_feed(conn, 0, 10)
    assert found is not None
    assert [e.alert.version for e in feed] == [1, 2]
    # the evidence alone, read back, gives the same result
    again = evaluate(frozen.parse(found.body))
    assert said(again) == closed["summary"]
    assert frozen.digest(frozen.canonical(frozen.parse(found.body))).hex() == closed["evidence_hash"]


async def test_evidence_outlives_the_positions_it_came_from(world: World) -> None:
    await world.send(world.batch(trip(20 * H, *OUT)))
    worker = await world.work()
    alerts, evaluations = (
        await world.alerts(),
        await world.pool.fetch("SELECT * FROM evaluations ORDER BY id"),
    )
    later = Archive(retention_days=30, now_us=lambda: world.day + 400 * US_PER_DAY)
    async with world.pool.acquire() as conn:
        assert await later.drop_expired(conn)
        assert await conn.fetchval("SELECT count(*) FROM positions") == 0
    await world.work(worker)
    assert await world.alerts() == alerts != []
    assert await world.pool.fetch("SELECT * FROM evaluations ORDER BY id") == evaluations
    async with world.pool.acquire() as conn:
        found = await evidence_of(conn, alerts[0]["id"])
    assert found is not None
    assert said(evaluate(frozen.parse(found.body))) == alerts[0]["summary"]


async def test_a_destination_not_reached_is_raised_when_the_track_has_passed_the_return(world: World) -> None:
    await world.order("P1", 8 * H, 9 * H, destinations=[place(4000, 0), place(9000, 0), {"name": "市区"}])
    fixes = trip(8 * H, *OUT)
    cut = next(k for k, f in enumerate(fixes) if f[0] >= 8.2 * H)
    await world.send(world.batch(fixes[:cut]))
    worker = await world.work()
    assert await world.pool.fetchval("SELECT count(*) FROM evaluations") == 0  # not back yet
    tail = stand(fixes[-1][0] + 30, 9.1 * H)
    await world.send(world.batch([*fixes[cut:], *tail]))
    await world.work(worker)
    (alert,) = await world.alerts()
    assert (alert["rule"], alert["order"], alert["measures"]["nearest_m"]["value"] // 10) == (
        "destination",
        "P1",
        500,
    )
    outcomes = await world.pool.fetch("SELECT subject, outcome FROM evaluations ORDER BY subject")
    assert [r["outcome"] for r in outcomes] == ["normal", "suspected", "undetermined"]


async def test_emergency_order_entered_later_withdraws_with_the_reason(world: World) -> None:
    await world.send(world.batch(trip(20 * H, *OUT)))
    worker = await world.work()
    assert len(await world.alerts()) == 1
    await world.order("E7", 20 * H, 22 * H, task_type="emergency")
    await world.work(worker)
    (alert,) = await world.alerts(None)
    assert (alert["status"], alert["version"]) == ("withdrawn", 2)
    assert "E7" in alert["withdrawal_reason"]
    # cancelled after all: it holds again, as the same alert
    before = world.time(19 * H)
    await world.order("E7", 20 * H, 22 * H, task_type="emergency", status="cancelled", cancelled_at=before)
    await world.work(worker)
    (alert,) = await world.alerts()
    assert (alert["status"], alert["version"]) == ("suspected", 3)
    assert await due_rows(world.pool) == 0


async def test_changed_orders_and_fences_are_judged_again(world: World) -> None:
    await world.order("P1", 8 * H, 8.6 * H, destinations=[place(9000, 0)])
    await world.send(world.batch(trip(8 * H, *OUT)))
    worker = await world.work()
    assert [a["rule"] for a in await world.alerts()] == ["destination"]
    await world.order("P1", 8 * H, 8.6 * H, destinations=[place(4000, 0)])
    await world.work(worker)
    assert await world.alerts() == []
    await world.order("P1", 8 * H, 8.6 * H, status="cancelled", cancelled_at=world.time(7 * H))
    await world.work(worker)
    assert [a["rule"] for a in await world.alerts()] == ["location"]
    wide = {
        "type": "Polygon",
        "coordinates": [[[120.8, 31.9], [121.0, 31.9], [121.0, 32.1], [120.8, 32.1], [120.8, 31.9]]],
    }
    await world.fence(wide, since_s=-10 * 86_400)
    await world.work(worker)
    assert await world.alerts() == []


@pytest.mark.parametrize("seed", range(4))
async def test_permuted_duplicated_late_input_gives_what_sorted_input_gives(
    world: World, db_url: str, tmp_path: Path, seed: int
) -> None:
    """Invariant 3, and rows and states are the same to the byte."""
    await world.order("P1", 8 * H, 8.6 * H, destinations=[place(4000, 0), place(0, 9000)])
    await world.order("P2", 15 * H, 15.6 * H, vehicle="V2", destinations=[place(4000, 0)])
    parts = [
        world.batch(trip(8 * H, *OUT)),
        world.batch(trip(20 * H, *OUT) + trip(23.8 * H, *OUT)),  # the second one crosses midnight
        world.batch(trip(15 * H, *OUT) + trip(30 * H, (0.0, 0.0), (0.0, 3000.0), (0.0, 0.0)), terminal=2),
        world.batch([(9 * H + k * 20, 500.0 * (k == 5), 0.0, 0) for k in range(60)], terminal=3),  # a jump
        world.batch(
            [(9 * H + k * 20, 0.0, 0.0, 0) for k in range(60)], terminal=3, direction_deg=7
        ),  # same times
    ]
    whole = PositionBatch.concat(parts)
    whole = whole.take(np.lexsort((whole.terminal, whole.device_us)))
    await world.send_in(whole, range(len(whole)), 40)
    worker = await world.work()
    truth, told = await world.everything(), await world.told()
    assert len(told) == 4
    assert worker.counts.late == 0

    async with world.pool.acquire() as conn:
        await conn.execute(TRUNCATE_RESULTS)
    await world.close()
    (tmp_path / "second").mkdir()
    second = World(world.pool, tmp_path / "second", world.day, db_url)
    n = len(whole)
    rows = shuffled(n, seed) if seed else list(range(n - 1, -1, -1))
    if seed == 1:  # one long blind zone, sent last
        hidden = [
            k
            for k in range(n)
            if whole.terminal[k] == 1 and 8.2 * H < (whole.device_us[k] - world.day) / 1e6 < 20.2 * H
        ]
        rows = [k for k in range(n) if k not in set(hidden)] + hidden
    await second.send_in(whole, rows + shuffled(n, seed + 50)[: n // 2], 57)
    worker = await second.work()
    counts = worker.counts
    assert (counts.stored, counts.duplicates) == (n, n // 2)
    assert counts.rows == counts.stored + counts.duplicates
    again = await second.everything()
    await second.close()
    assert again["positions"] == truth["positions"]
    assert again["states"] == truth["states"]
    assert again["days"] == truth["days"]
    assert again["results"] == truth["results"]
    assert [r[3] for r in truth["results"]] == ["settled", "settled"]
    assert await second.told() == told


class Broken(Exception):
    """Raised by the tests' checkpoints."""


@pytest.mark.parametrize(
    "step", ["offsets", "positions", "facts", "tracks", "episodes", "recompute", "settle", "publish"]
)
async def test_a_crash_at_any_step_changes_nothing(world: World, step: str) -> None:
    """Invariant 2: after a crash inside the transaction the same input gives the same rows, alerts and
    versions."""
    fixes = trip(20 * H, *OUT)
    await world.order("P1", 8 * H, 8.6 * H, destinations=[place(9000, 0)])
    await world.send(world.batch(trip(8 * H, *OUT)), world.batch(fixes[:90]))
    await world.work()
    await world.send(
        world.batch(fixes[60:]),
        world.batch(fixes[30:60][::-1]),
        world.batch(drive(7.1 * H, (0, 0), (900, 0), (0, 0))),
    )
    await world.order("E1", 23 * H, 23.5 * H)
    before = await world.everything()

    broken = {"times": 2}

    def checkpoint(name: str) -> None:
        if name == step and broken["times"]:
            broken["times"] -= 1
            raise Broken

    worker = world.worker(checkpoint)
    for _ in range(2):
        while True:
            try:
                if await worker.turn():
                    pytest.fail("it should have been broken")
            except Broken:
                break
        assert await world.everything() == before
        worker.reset()
    await world.work(worker)
    survived, told = await world.everything(), await world.told()
    assert survived["positions"] != before["positions"]
    # the whole log once more, by a worker that knows nothing: nothing changes
    await world.pool.execute("UPDATE log_offsets SET next_offset = 0")
    fresh = await world.work()
    assert fresh.counts.duplicates == fresh.counts.rows > 0
    replayed = await world.everything()
    assert replayed == survived
    assert await world.told() == told


async def test_a_record_that_is_no_batch_is_counted_and_the_rest_is_kept(world: World) -> None:
    await world.send(world.batch(stand(0, 300)))
    await world.writer.append([Record(POSITIONS, 0, b"not a batch", {})])
    await world.send(world.batch(stand(300, 600)))
    worker = await world.work()
    assert (worker.counts.records, worker.counts.rejected) == (3, 1)
    assert worker.counts.stored == 20


async def test_unknown_terminals_bad_fixes_and_unfenced_vehicles_are_stored_and_not_judged(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    world = World(pool, tmp_path, some_day())
    await world.build(1, fence=False)
    fixes = trip(20 * H, *OUT)
    await world.send(
        world.batch(fixes, terminal=99),
        world.batch(fixes),
        world.batch(trip(10 * H, *OUT), status=0),
        world.batch(stand(0, 600), device_us=0),
        PositionBatch.empty(),
    )
    worker = await world.work()
    assert await world.alerts(None) == []
    assert (
        worker.counts.duplicates == 19
    )  # a time that cannot be read is no time: the same report twice is one
    assert worker.counts.stored == worker.counts.rows - 19 > 300
    await world.close()


async def test_restart_in_the_middle_continues_where_it_was(world: World) -> None:
    fixes = trip(20 * H, *OUT)
    for part in np.array_split(np.arange(len(fixes)), 7):
        await world.send(world.batch([fixes[k] for k in part]))
        await world.work()  # each time a new worker
    (alert,) = await world.alerts()
    assert alert["version"] == 2
    row = await world.pool.fetchrow("SELECT state FROM vehicle_states WHERE vehicle_no = 1")
    state = half(np.frombuffer(row["state"], STATE_DTYPE)[0])
    assert 7900 < (state["day_sum_mm"] + state["day_tail_mm"]) / 1000 < 8100


async def test_states_of_another_version_are_computed_again(world: World) -> None:
    await world.send(world.batch(trip(20 * H, *OUT)))
    await world.work()
    truth = await world.everything()
    await world.pool.execute("UPDATE vehicle_states SET state_version = 0, state = 'x'")
    await world.pool.execute("UPDATE vehicle_day_states SET state_version = 0")
    await world.work()
    assert await world.everything() == truth


async def test_a_row_of_a_clock_gone_wrong_is_kept_and_starts_no_recomputation(world: World) -> None:
    await world.send(world.batch(trip(20 * H, *OUT)))
    worker = await world.work()
    before = await world.everything()
    await world.send(world.batch([(-70 * 86_400.0, 0.0, 0.0, 0)]))
    await world.work(worker)
    assert (worker.counts.too_late, worker.counts.late) == (1, 0)
    after = await world.everything()
    assert len(after["positions"]) == len(before["positions"]) + 1
    assert [after[n] for n in ("states", "days", "versions")] == [
        before[n] for n in ("states", "days", "versions")
    ]
