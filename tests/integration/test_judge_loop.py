"""The judge's loop on a real database: who leads, what is taken, and what happens when something breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg
import numpy as np
import pytest

from rules.alerts.model import Judgement
from rules.judge import queue
from rules.judge.context import Change, Context, Later, Verdicts
from rules.judge.process import WAKE_US, Judge
from rules.judge.subjects.all import GATHERERS
from rules.live.store.offsets import save_known
from rules.navigation import NoNavigator
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.units import US_PER_DAY, US_PER_S, from_us
from telemetry.archive.store import Archive
from telemetry.positions import PositionBatch
from tests.integration.outbox import unread_by_judge
from tests.waiting import until

NOW_US = 1_775_000_000 * US_PER_S


@dataclass
class Plates:
    """A gatherer of the test: one evaluation for each vehicle; plates that begin with X cannot be judged."""

    name: str = "plates"
    rules: tuple[str, ...] = ("plates",)
    seen: list[list[str]] = field(default_factory=list)
    by_clocks: list[tuple[int, int]] = field(default_factory=list)
    breaks: Exception | None = None
    waits: bool = False
    unprepared: str = ""
    unaffected: str = ""
    stopped: bool = False

    async def affected(self, context: Context, changes: Sequence[Change]) -> dict[str, int]:
        if self.unaffected in [c.subject for c in changes]:
            await context.conn.execute("SELECT 1 / 0")
        return {c.subject: context.now_us for c in changes if c.kind == "vehicle"}

    async def by_clock(self, context: Context, from_us: int, until_us: int) -> dict[str, int]:
        self.by_clocks.append((from_us, until_us))
        if self.stopped:
            raise ArithmeticError("no such day")
        return {}

    async def prepare(self, context: Context, keys: Sequence[str]) -> None:
        if self.unprepared in keys:
            raise ArithmeticError("no such route")

    async def judge(self, context: Context, keys: Sequence[str]) -> Verdicts:
        self.seen.append(list(keys))
        if self.breaks is not None:
            broken, self.breaks = self.breaks, None
            raise broken
        found = Verdicts()
        for row in await context.conn.fetch("SELECT id, plate FROM vehicles WHERE id = ANY($1)", list(keys)):
            if row["plate"].startswith("X"):
                raise ValueError("no such plate")
            found.judgements.append(
                Judgement("plates", 1, row["id"], None, "normal", f"plate {row['plate']}", context.now_us)
            )
        if self.waits:
            found.later = {key: Later(context.now_us + US_PER_DAY, "not yet") for key in keys}
        return found

    async def between(self, context: Context, from_us: int, to_us: int) -> list[str]:
        return []


@dataclass
class Clock:
    us: int = NOW_US

    def __call__(self) -> int:
        return self.us


@pytest.fixture
async def vehicle(pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('o', '单位')")
    await pool.execute("INSERT INTO vehicles (id, plate, organisation) VALUES ('v1', '苏F00001', 'o')")


async def settle(judge: Judge) -> None:
    for _ in range(20):
        if not await judge.turn():
            return
    raise AssertionError("the judge never comes to rest")


async def reasons(pool: asyncpg.Pool) -> list[str]:
    return [r["reason_code"] for r in await pool.fetch("SELECT reason_code FROM evaluations ORDER BY id")]


async def test_a_change_is_judged_once_and_an_equal_result_is_not_stored_twice(
    db_url: str, pool: asyncpg.Pool, vehicle: None
) -> None:
    plates = Plates()
    judge = Judge(db_url, [plates], NoNavigator(), now_us=Clock())
    await settle(judge)
    assert plates.seen == [["v1"]]
    await pool.execute("UPDATE vehicles SET category = 'suv'")
    await settle(judge)
    assert plates.seen == [["v1"], ["v1"]]
    assert await reasons(pool) == ["plate 苏F00001"]
    await pool.execute("UPDATE vehicles SET plate = '苏F00002'")
    await settle(judge)
    assert await reasons(pool) == ["plate 苏F00001", "plate 苏F00002"]
    assert await unread_by_judge(pool) == 0
    assert await pool.fetchval("SELECT count(*) FROM judge_due") == 0
    await judge.close()


async def test_a_judge_at_rest_asks_no_gatherer_until_something_comes(
    db_url: str, pool: asyncpg.Pool, vehicle: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, asked = Clock(), []
    due_keys = queue.due_keys

    async def noted(conn: Connection, gatherer: str, now_us: int, limit: int) -> dict[str, int]:
        asked.append(gatherer)
        return await due_keys(conn, gatherer, now_us, limit)

    monkeypatch.setattr(queue, "due_keys", noted)
    judge = Judge(db_url, [Plates()], NoNavigator(), now_us=clock)
    await pool.execute("INSERT INTO log_offsets (topic, partition, next_offset) VALUES ('p@1', 0, 5)")
    await save_known(pool, "p@1", [0], NOW_US - 7 * US_PER_S)
    await settle(judge)
    asked.clear()
    clock.us += US_PER_S
    assert not await judge.turn()
    assert asked == []
    for what in (
        pool.execute("UPDATE vehicles SET category = 'suv'"),
        save_known(pool, "p@1", [0], NOW_US),
        queue.put_due(pool, "plates", {"v1": NOW_US}),
    ):
        await what
        await judge.turn()
        assert asked, what
        await settle(judge)
        asked.clear()
    clock.us += WAKE_US  # whatever was overlooked
    await judge.turn()
    assert "plates" in asked
    await judge.close()


async def test_one_judge_leads_and_the_next_takes_over(
    db_url: str, pool: asyncpg.Pool, vehicle: None
) -> None:
    first, second = Plates(), Plates()
    leader = Judge(db_url, [first], NoNavigator(), now_us=Clock())
    other = Judge(db_url, [second], NoNavigator(), now_us=Clock())
    await settle(leader)
    await pool.execute("UPDATE vehicles SET plate = '苏F00002'")
    await settle(other)
    assert leader.leads
    assert not other.leads
    assert second.seen == []
    await leader.close()
    await until(other.turn, "the server notices that the leader's connection has ended")
    await settle(other)
    assert second.seen == [["v1"]]
    await other.close()


async def test_a_subject_that_cannot_be_judged_does_not_hold_up_the_others(
    db_url: str, pool: asyncpg.Pool, vehicle: None
) -> None:
    await pool.execute("INSERT INTO vehicles (id, plate, organisation) VALUES ('v2', 'X', 'o')")
    clock = Clock()
    judge = Judge(db_url, [Plates()], NoNavigator(), now_us=clock)
    await settle(judge)
    assert await reasons(pool) == ["plate 苏F00001"]
    row = await pool.fetchrow("SELECT key, attempts, waits_for FROM judge_due")
    assert (row["key"], row["attempts"]) == ("v2", 1)
    assert "no such plate" in row["waits_for"]
    await pool.execute("UPDATE vehicles SET plate = '苏F00003' WHERE id = 'v2'")
    await settle(judge)
    assert await reasons(pool) == ["plate 苏F00001", "plate 苏F00003"]
    await judge.close()


async def test_a_subject_that_cannot_be_prepared_does_not_hold_up_the_others(
    db_url: str, pool: asyncpg.Pool, vehicle: None
) -> None:
    await pool.execute("INSERT INTO vehicles (id, plate, organisation) VALUES ('v2', '苏F00002', 'o')")
    judge = Judge(db_url, [Plates(unprepared="v2")], NoNavigator(), now_us=Clock())
    await settle(judge)
    assert await reasons(pool) == ["plate 苏F00001"]
    row = await pool.fetchrow("SELECT key, attempts, waits_for FROM judge_due")
    assert (row["key"], row["attempts"]) == ("v2", 1)
    assert "no such route" in row["waits_for"]
    await judge.close()


async def test_a_change_that_cannot_be_followed_does_not_hold_up_the_others(
    db_url: str, pool: asyncpg.Pool, vehicle: None
) -> None:
    """It is kept, shown, and followed when the fault is gone; another gatherer has taken it meanwhile."""
    await pool.execute("INSERT INTO vehicles (id, plate, organisation) VALUES ('v2', '苏F00002', 'o')")
    clock, broken, other = Clock(), Plates(unaffected="v2"), Plates(name="others")
    judge = Judge(db_url, [broken, other], NoNavigator(), now_us=clock)
    await settle(judge)
    assert sorted(key for keys in broken.seen for key in keys) == ["v1"]
    assert sorted(key for keys in other.seen for key in keys) == ["v1", "v2"]
    row = await pool.fetchrow("SELECT gatherer, attempts, waits_for FROM judge_due")
    assert (row["gatherer"], row["attempts"]) == ("plates/changes", 1)
    assert "DivisionByZero" in row["waits_for"]
    clock.us += 600 * US_PER_S
    await settle(judge)
    assert await pool.fetchval("SELECT attempts FROM judge_due") == 2
    broken.unaffected = ""
    clock.us += 1200 * US_PER_S
    await settle(judge)
    assert sorted(key for keys in broken.seen for key in keys) == ["v1", "v2"]
    assert await pool.fetchval("SELECT count(*) FROM judge_due") == 0
    await judge.close()


async def test_a_clock_that_fails_does_not_hold_up_the_others(
    db_url: str, pool: asyncpg.Pool, vehicle: None
) -> None:
    clock, broken, other = Clock(), Plates(), Plates(name="others")
    judge = Judge(db_url, [broken, other], NoNavigator(), now_us=clock)
    await settle(judge)
    broken.stopped = True
    clock.us += 60 * US_PER_S
    await settle(judge)
    await pool.execute("UPDATE vehicles SET plate = '苏F00009'")
    clock.us += 60 * US_PER_S
    await settle(judge)
    assert [len(broken.by_clocks), len(other.by_clocks)] == [2, 3]  # not at every turn
    assert broken.seen == other.seen == [["v1"], ["v1"]]
    broken.stopped = False
    clock.us += 300 * US_PER_S
    await settle(judge)
    assert broken.by_clocks[2] == (broken.by_clocks[1][0], clock.us)  # from where it was
    await judge.close()


async def test_a_broken_connection_loses_nothing(db_url: str, pool: asyncpg.Pool, vehicle: None) -> None:
    judge = Judge(db_url, [Plates(breaks=ConnectionResetError("gone"))], NoNavigator(), now_us=Clock())
    with pytest.raises(ConnectionResetError):
        await judge.turn()
    await judge.close()
    await settle(judge)
    assert await reasons(pool) == ["plate 苏F00001"]
    await judge.close()


async def test_what_waits_is_looked_at_again_when_its_time_has_come_or_a_fact_changes(
    db_url: str, pool: asyncpg.Pool, vehicle: None
) -> None:
    clock, plates = Clock(), Plates(waits=True)
    judge = Judge(db_url, [plates], NoNavigator(), now_us=clock)
    await settle(judge)
    clock.us += US_PER_DAY - 1
    await settle(judge)
    assert len(plates.seen) == 1
    clock.us += 1
    await settle(judge)
    assert len(plates.seen) == 2
    await pool.execute("UPDATE vehicles SET plate = '苏F00002'")
    plates.waits = False
    await settle(judge)
    assert len(plates.seen) == 3
    assert await pool.fetchval("SELECT count(*) FROM judge_due") == 0
    await judge.close()


async def test_the_clock_stands_still_while_positions_wait_in_the_log(
    db_url: str, pool: asyncpg.Pool, vehicle: None
) -> None:
    """Silence proves nothing while somebody has not looked."""
    clock, plates = Clock(), Plates()
    judge = Judge(db_url, [plates], NoNavigator(), now_us=clock)
    await pool.execute(
        "INSERT INTO log_offsets (topic, partition, next_offset) VALUES ('p@1', 0, 5), ('p@1', 1, 5)"
    )
    await save_known(pool, "p@1", [0], NOW_US)
    await settle(judge)
    assert plates.by_clocks == []  # nobody works on partition 1
    await save_known(pool, "p@1", [1], NOW_US - 7 * US_PER_S)
    await settle(judge)
    await settle(judge)
    assert [until for _, until in plates.by_clocks] == [NOW_US - 7 * US_PER_S]
    await save_known(pool, "p@1", [0, 1], NOW_US + 60 * US_PER_S)
    clock.us += 30 * US_PER_S
    await settle(judge)
    assert plates.by_clocks[-1] == (NOW_US - 7 * US_PER_S, NOW_US + 30 * US_PER_S)
    await judge.close()


async def test_the_clock_stands_still_while_positions_are_there_and_nobody_knows_how_far_the_log_was_read(
    db_url: str, pool: asyncpg.Pool, vehicle: None
) -> None:
    """A restore that has loaded positions and not yet the offsets."""
    plates = Plates()
    judge = Judge(db_url, [plates], NoNavigator(), now_us=Clock())
    async with pool.acquire() as conn:
        await Archive().store(conn, PositionBatch.build(1, terminal=np.ones(1, np.int32)))
    await settle(judge)
    assert plates.by_clocks == []
    await pool.execute("INSERT INTO log_offsets (topic, partition, next_offset) VALUES ('p@1', 0, 1)")
    await save_known(pool, "p@1", [0], NOW_US)
    await settle(judge)
    assert [until for _, until in plates.by_clocks] == [NOW_US]
    await judge.close()


async def test_a_judge_does_not_go_on_over_a_schema_that_it_does_not_know(
    db_url: str, pool: asyncpg.Pool, vehicle: None
) -> None:
    leader, other = (Judge(db_url, [Plates()], NoNavigator(), now_us=Clock()) for _ in range(2))
    await settle(leader)
    await pool.execute("INSERT INTO schema_migrations (version, name, sha256) VALUES (9999, 'next', '')")
    await pool.execute("UPDATE vehicles SET plate = '苏F00002'")
    for judge in (leader, other):  # over a connection that it has, and over a new one
        with pytest.raises(ConfigurationError, match="9999"):
            await judge.run(asyncio.Event())
        await judge.close()
    assert await reasons(pool) == ["plate 苏F00001"]


async def test_a_year_whose_working_days_nobody_has_published_is_said_once_a_day(
    db_url: str, pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    judge = Judge(db_url, [], NoNavigator(), now_us=clock)

    def warnings() -> list[str]:
        return [r.getMessage() for r in caplog.records if "which days are worked" in r.getMessage()]

    await judge.turn()
    assert warnings() == []
    clock.us += 30 * 365 * US_PER_DAY
    await judge.turn()
    await judge.turn()
    (warning,) = warnings()
    today = (from_us(clock.us) + timedelta(hours=8)).date()
    assert warning.startswith(
        f"自 {today.year}-01-01 起是否工作日尚不可知，等待的规则：非工作时间用车 off_hours"
    )
    assert f"from {today.year}-01-01 on" in warning
    assert f"/v1/calendar-days/{today.year}-01-01" in warning
    clock.us += US_PER_DAY
    await judge.turn()
    assert len(warnings()) == 2
    await judge.close()


async def test_the_real_gatherers_come_to_rest_on_an_empty_and_on_a_small_registry(
    db_url: str, pool: asyncpg.Pool
) -> None:
    judge = Judge(db_url, GATHERERS, NoNavigator(), now_us=Clock())
    await settle(judge)
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('o', '单位')")
    await pool.execute("INSERT INTO fuel_cards (id, organisation) VALUES ('c1', 'o')")
    await pool.execute("INSERT INTO card_bindings VALUES ('c1', '苏A99999', '2026-01-01+08')")
    await settle(judge)
    found = await pool.fetch("SELECT rule, subject, status FROM alerts")
    assert [(r["rule"], r["status"]) for r in found] == [("card_binding", "suspected")]
    await pool.execute(
        "INSERT INTO vehicles (id, plate, organisation) VALUES ('v9', '苏A99999', 'o')"
    )  # it was ours, only entered late
    await settle(judge)
    assert await pool.fetchval("SELECT status FROM alerts") == "withdrawn"
    assert await pool.fetchval("SELECT count(*) FROM alert_feed") == 2
    await judge.close()
