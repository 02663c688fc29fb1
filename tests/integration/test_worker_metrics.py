"""What the worker shows of itself: how old what waits is, where time goes, how much it holds; and that it stays bounded."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from prometheus_client import REGISTRY

import rules.live.process
from rules.live.process import Worker, clock_us
from rules.live.steps import STEPS
from runtime.postgres import create_pool
from telemetry.log.base import POSITIONS
from telemetry.log.sqlite import EmbeddedLogReader
from tests.integration.worker_world import TRUNCATE_RESULTS, World, drive, place, stand
from tests.waiting import PATIENCE_S, until

H = 3600
OUT = [(0.0, 0.0), (4000.0, 0.0), (0.0, 0.0)]


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"gongche_worker_{name}", labels) or 0.0


async def test_the_age_of_what_waits_grows_until_it_is_processed(world: World) -> None:
    broken = {"now": True}

    def checkpoint(step: str) -> None:
        if step == "publish" and broken["now"]:
            raise OSError("no")

    stop = asyncio.Event()
    worker = world.worker(checkpoint, lambda: clock_us() + 100_000_000)  # everything is 100 s old already
    running = asyncio.create_task(worker.run(stop))
    await world.send(world.batch(stand(0, 300)))
    await until(lambda: worker.counts.failures > 1, "the worker fails twice")
    first = metric("log_lag_seconds")
    assert 100 <= first < 100 + PATIENCE_S
    assert metric("log_lag_records") > 0
    assert "OSError" in (worker.trouble() or "")
    await until(lambda: metric("log_lag_seconds") > first, "the lag grows")
    broken["now"] = False
    await until(lambda: worker.counts.records == 1 and worker.trouble() is None, "the worker goes on")
    assert metric("log_lag_seconds") == 0
    await until(lambda: metric("log_lag_records") == 0, "no lag")
    stop.set()
    await running


async def test_what_comes_while_the_database_is_away_is_seen_to_wait(world: World, db_url: str) -> None:
    own = await create_pool(db_url, max_size=2)
    reader = EmbeddedLogReader(world.folder / "log.sqlite", POSITIONS)
    world.readers.append(reader)
    worker, stop = Worker(own, reader), asyncio.Event()
    await world.send(world.batch(stand(0, 300)))
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: worker.counts.records == 1, "a record is worked off")
    await until(lambda: metric("log_lag_records") == 0, "no lag")
    own.terminate()
    await until(lambda: worker.counts.failures > 0, "the worker fails")
    await world.send(world.batch(stand(300, 600)), world.batch(stand(600, 900)))
    await until(lambda: metric("log_lag_records") == 2 and metric("log_lag_seconds") > 0, "a lag")
    assert worker.trouble()
    stop.set()
    await running


async def test_time_and_size_of_what_was_done(world: World) -> None:
    def numbers() -> dict[str, float]:
        found = {step: metric("step_seconds_count", step=step) for step in STEPS}
        found["location"] = metric("rule_seconds_total", rule="location")
        found["destination"] = (
            REGISTRY.get_sample_value("gongche_judge_batch_seconds_sum", {"gatherer": "destinations"}) or 0.0
        )
        return found | {
            "transactions": metric("transaction_rows_count"),
            "rows": metric("transaction_rows_sum"),
        }

    before = numbers()
    await world.order("P1", 8 * H, 9 * H, destinations=[place(9000, 0)])
    fixes = [*stand(7 * H, 8 * H), *drive(8 * H, *OUT), *drive(9.5 * H, *OUT), *stand(10 * H, 11 * H)]
    await world.send(world.batch(fixes))
    worker = await world.work()
    gained = {name: value - before[name] for name, value in numbers().items()}
    assert gained["rows"] == len(fixes)
    assert gained["transactions"] == worker.counts.transactions
    assert {gained[step] for step in STEPS} == {worker.counts.transactions}
    assert gained["location"] > 0
    assert gained["destination"] > 0
    assert metric("held_rows") == worker.held() > 0


async def test_rows_that_are_no_longer_needed_are_dropped_now_and_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules.live.process, "HELD_ROWS", 5)
    fixes = [*stand(7 * H, 8 * H), *drive(8 * H, *OUT), *stand(9 * H, 9.5 * H)]
    worker, reloads, most = world.worker(), metric("reloads_total"), 0
    for k, part in enumerate(np.array_split(np.arange(len(fixes)), 24)):
        await world.order("P1", 8 * H, 8.9 * H, destinations=[place(4000, 0)], purpose=f"{k}")
        await world.send(world.batch([fixes[i] for i in part]))
        for _ in range(4):
            await worker.turn()
            most = max(most, worker.held())
    assert most <= 5 + 4
    assert metric("reloads_total") - reloads >= 3
    made = await world.everything()
    assert [row[3] for row in made["results"]] == ["settled"]

    # A worker that never forgot anything finds the same.
    monkeypatch.undo()
    await world.pool.execute(TRUNCATE_RESULTS)
    await world.work()
    again = await world.everything()
    for name in ("positions", "states", "days", "results"):
        assert again[name] == made[name], name
