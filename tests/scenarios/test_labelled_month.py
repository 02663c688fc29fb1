"""The labelled month: exactly the planted alerts, whatever the order of arrival, and after crashes in the middle."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from rules.alerts.feed import evidence_of
from rules.alerts.model import alert_id
from rules.catalogue import RULES, verify
from rules.judge import queue
from rules.judge.subjects.all import GATHERERS
from rules.live.store.due import anything_due
from rules.live.store.recomputations import anything_waits
from rules.navigation import CachedNavigator
from rules.navigation.valhalla import Valhalla
from runtime.errors import UnavailableError
from runtime.postgres import create_pool
from runtime.units import US_PER_S
from simulation.city.roads import build_network
from simulation.month.build import CITY_SEED, CITY_SIZE, build_world
from simulation.month.delivery import Step, in_disorder, in_order
from simulation.month.engine import engine_on
from simulation.month.run import Office, drive
from simulation.month.score import Found, found_in, score, table
from simulation.plants.planner import DAY
from simulation.plants.world import World
from telemetry.log.base import POSITIONS
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from tests.databases import copy_of
from tests.waiting import PATIENCE_S, until

VEHICLES = 38
#: Other seeds: `make month SEED=5 VEHICLES=38 MONTH_ARGS=--in-disorder`.
SEED = 3

#: What judgements rest on that may differ with the order of arrival and yet be right: a drive's evidence is frozen when
#: it ends and holds the versions of orders known then; others' reports are counted when a silence is judged.
UNEQUAL_EVIDENCE = {"location", "terminal_silent"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Valhalla on the roads of the scenario's city."""
    network = build_network(CITY_SEED, size=CITY_SIZE)
    try:
        with engine_on(network, tmp_path_factory.mktemp("engine"), lambda _: None) as address:
            yield address
    except UnavailableError as error:
        pytest.skip(f"no Valhalla: {error.message}; GONGCHE_CACHE_DIR may hold the wheel")


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(SEED, VEHICLES, ordinary=0.0)


async def driven(
    world: World, steps: Iterable[Step], dsn: str, pool: asyncpg.Pool, folder: Path, engine: str
) -> Found:
    """What comes of ``steps``, worked off by a worker and a judge of this process."""
    navigator = CachedNavigator(Valhalla(engine, "2026-01-01"))
    await drive(world, steps, dsn, pool, folder / "log.sqlite", navigator)
    await navigator.close()
    return await found_in(pool)


#: A rental goes through several people's steps over HTTP, which the month's files do not have: tests/integration/test_judge_rentals.py.
NOT_PLANTED = {"idle_rental"}


def check(world: World, found: Found) -> None:
    scores = score(world, found)
    assert all(s.exact for s in scores.values()), "\n" + table(scores)
    assert all(
        s.planted and s.precision == s.recall == 1.0 for rule, s in scores.items() if rule not in NOT_PLANTED
    )


def told(found: Found) -> dict[tuple[str, str, str], Any]:
    """The alerts that stand: what they say, without ids, versions and times of writing."""
    return {
        (a["rule"], "" if a["rule"] == "location" else a["subject"], a["occurred_from"]): (
            a["severity"], a["organisation"], a["vehicle"], a["plate"], a["driver"], a["order"], a["occurred_to"],
            a["summary"].split("，同期")[0],  # and how many others were seen meanwhile
            a["parameters"],
            {n: m for n, m in a["measures"].items() if not n.startswith("peers_")},
            "" if a["rule"] in UNEQUAL_EVIDENCE else a["evidence_hash"],
        )
        for a in found.alerts
        if a["status"] == "suspected"
    }  # fmt: skip


@pytest.fixture(scope="module")
def in_order_found(
    world: World, engine: str, postgres_dsn: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Found:  # fmt: skip
    """What the month comes to in its own order; every evidence is judged again."""

    async def run() -> Found:
        async with copy_of(postgres_dsn, template_database, "month") as dsn:
            pool = await create_pool(dsn, max_size=8)
            try:
                steps = in_order(world, step_s=3 * DAY)
                found = await driven(world, steps, dsn, pool, tmp_path_factory.mktemp("log"), engine)
                await verified(found, pool)
            finally:
                pool.terminate()
        return found

    return asyncio.run(run())


async def verified(found: Found, pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        for alert in found.alerts:
            if alert["status"] == "suspected":
                kept = await evidence_of(conn, alert_id(alert["rule"], alert["subject"]))
                assert kept is not None
                assert verify(kept.body, outcome="suspected", measures=alert["measures"]) == []


def test_exactly_what_was_planted(world: World, in_order_found: Found) -> None:
    assert {label.rule for label in world.labels} == {rule.code for rule in RULES} - NOT_PLANTED
    check(world, in_order_found)


async def test_in_disorder_and_killed_in_the_middle_the_same(
    world: World, in_order_found: Found, db_url: str, pool: asyncpg.Pool, tmp_path: Path, engine: str
) -> None:
    log, clock = tmp_path / "log.sqlite", tmp_path / "clock"
    clock.write_text(str(world.facts[0].at_s * US_PER_S))
    command = [sys.executable, "-m", "tests.scenarios.hands", db_url, str(log), engine, str(clock)]
    writer = EmbeddedLogWriter(log)
    office = Office(pool, writer, world)
    chance = random.Random(world.seed)
    hands = begun(command)
    killed = 0
    try:
        for step in in_disorder(world, 1):
            await office.take(step)
            staged = clock.with_suffix(".new")
            staged.write_text(str(step.clock_s * US_PER_S))
            staged.replace(clock)
            if step.reports and killed < 4:
                await started(pool, log)
                await asyncio.sleep(chance.uniform(0.0, 1.2))  # time: it should die anywhere in its work
                assert hands.poll() is None
                hands.send_signal(signal.SIGKILL)
                hands.wait(PATIENCE_S)
                killed += 1
                hands = begun(command)
            await worked_off(pool, log, step.clock_s * US_PER_S, hands)
        found = await found_in(pool)
    finally:
        hands.kill()
        hands.wait(PATIENCE_S)
        await writer.close()
    assert killed == 4
    check(world, found)
    assert told(found) == told(in_order_found)
    assert len(found.alerts) > len(told(found))  # some were raised on half the facts, and withdrawn


def begun(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command)


async def behind(pool: asyncpg.Pool, reader: EmbeddedLogReader) -> bool:
    taken = await pool.fetchval("SELECT COALESCE(max(next_offset), 0) FROM log_offsets")
    return bool(taken < (await reader.end_offsets())[0])


async def started(pool: asyncpg.Pool, log: Path) -> None:
    """Wait until the hands have begun with what is there."""
    reader = EmbeddedLogReader(log, POSITIONS)

    async def begun() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM log_offsets")) or not await behind(pool, reader)

    await until(begun, "the hands begin")
    await reader.close()


async def worked_off(pool: asyncpg.Pool, log: Path, now_us: int, hands: subprocess.Popen[bytes]) -> None:
    """Wait until worker and judge have nothing left to do at this time of the clock."""
    reader = EmbeddedLogReader(log, POSITIONS)

    async def at_rest() -> bool:
        assert hands.poll() is None
        async with pool.acquire() as conn:
            changes, keys = await queue.backlog(conn, now_us)
            clocks = [await queue.clock_of(conn, gatherer.name) for gatherer in GATHERERS]
        struck = all(through is not None and through >= now_us for through in clocks)
        due = changes or any(waiting for waiting, _ in keys.values())
        waits = due or await anything_due(pool) or await anything_waits(pool)
        return bool(struck and not waits and not await behind(pool, reader))

    await until(at_rest, "the hands come to rest", 3 * PATIENCE_S)
    await reader.close()
