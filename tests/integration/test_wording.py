"""Words are not facts: another sentence makes no new judgement, no new version of an alert and no entry in the feed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import asyncpg

from rules.alerts.evaluations import EvaluationFilter, list_evaluations
from rules.alerts.feed import alert_versions, publish_feed, read_feed
from rules.alerts.model import Alert, AlertFacts, Judgement, Measure
from rules.alerts.publish import publish
from rules.judge.process import Judge
from rules.judge.subjects.all import GATHERERS
from rules.navigation import NoNavigator
from rules.wording.standard import STANDARD, Wording
from rules.wording.texts import RuleWording, Said, Text
from tests.integration.outbox import unread_by_judge
from tests.integration.test_api_service import serve
from tests.integration.test_worker import OUT, H, trip
from tests.integration.worker_world import World


def _louder(words: RuleWording) -> RuleWording:
    """Other sentences for the same codes and numbers."""

    def summary(said: Said) -> Text:
        text = words.summary(said)
        return Text(f"！{text.zh}", f"! {text.en}")

    return RuleWording(
        {code: Text(f"！{t.zh}", f"! {t.en}") for code, t in words.reasons.items()}, summary, words.named
    )


REWORDED = Wording({key: _louder(words) for key, words in STANDARD.rules().items()})

US = 1_000_000
T0 = 1_772_000_000 * US


def outside(metres: int = 300, **changes: object) -> Judgement:
    facts = AlertFacts("high", "o", "v1", "苏F12345", T0, T0 + 600 * US)
    made = Judgement(
        "location", 1, "episode:v1:1", None, "suspected", "returned_to_fence", T0 + 700 * US,
        {"distance_m": Measure(2 * metres, "m"), "farthest_m": Measure(metres, "m"), "fixes": Measure(9, "1")},
        {"min_displacement_m": 200}, f'{{"metres":{metres}}}'.encode(), facts, told={"plate": "苏F12345"},
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]  # named by the tests


async def say(pool: asyncpg.Pool, judgement: Judgement, wording: Wording = STANDARD) -> list[Alert]:
    async with pool.acquire() as conn, conn.transaction():
        written = await publish(conn, [judgement], wording)
        await publish_feed(conn, written)
    return written


async def rows(pool: asyncpg.Pool) -> list[int]:
    tables = ("evidence", "evaluations", "alerts", "alert_versions", "alert_feed")
    return [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables]  # noqa: S608 - fixed names


async def test_another_sentence_is_no_news_and_what_was_published_keeps_its_own(pool: asyncpg.Pool) -> None:
    (first,) = await say(pool, outside())
    assert first.summary.startswith("疑似定位异常：苏F12345 于 ")
    assert first.summary_en is not None
    assert first.summary_en.startswith("Suspected: 苏F12345 was outside its fence")
    assert await say(pool, outside(), REWORDED) == []
    assert await rows(pool) == [1, 1, 1, 1, 1]
    (second,) = await say(pool, outside(301), REWORDED)
    assert (second.version, second.summary[0]) == (2, "！")
    (third,) = await say(
        pool, outside(301, outcome="normal", reason="no_fence", alert=None, evidence=None), REWORDED
    )
    assert (third.withdrawal_reason, third.withdrawal_reason_en, third.reason_code) == (
        "！该时段车辆没有电子围栏", "! the vehicle had no fence at that time", "no_fence",
    )  # fmt: skip
    async with pool.acquire() as conn:
        assert [v.alert for v in await alert_versions(conn, first.id)] == [first, second, third]


async def test_each_fact_is_news(pool: asyncpg.Pool) -> None:
    facts = outside().alert
    assert facts is not None
    await say(pool, outside())
    news = [
        outside(alert=replace(facts, severity="low")),
        outside(alert=replace(facts, occurred_to_us=T0 + 601 * US)),
        outside(alert=replace(facts, order="P1")),
        outside(parameters={"min_displacement_m": 201}),
        outside(evidence=b'{"metres":"300"}'),
        outside(reason="parked"),
    ]
    for version, one in enumerate(news, 2):
        assert [a.version for a in await say(pool, one)] == [version]
        assert await say(pool, one, REWORDED) == []
    async with pool.acquire() as conn:
        assert [e.alert.version for e in await read_feed(conn, 0, 100)] == list(range(1, len(news) + 2))


async def test_the_feed_gets_what_is_handed_over_and_nothing_else(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn, conn.transaction():
        one = await publish(conn, [outside()])
        other = await publish(conn, [replace(outside(), subject="episode:v1:2")])
        assert len(await publish_feed(conn, one)) == 1
        assert len(await publish_feed(conn, other)) == 1
        assert await publish_feed(conn, []) == []


async def test_a_judge_with_other_words_finds_nothing_new(db_url: str, pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('o', '单位')")
    await pool.execute("INSERT INTO fuel_cards (id, organisation) VALUES ('c1', 'o'), ('c2', 'o')")
    await pool.execute(
        "INSERT INTO vehicles (id, plate, organisation, registered_on) VALUES ('v1', '苏F00001', 'o', '2020-01-01')"
    )
    await pool.execute(
        "INSERT INTO card_bindings VALUES ('c1', '苏A99999', '2026-01-01+08'), ('c2', '苏F00001', '2026-01-01+08')"
    )
    await judge_all(db_url, STANDARD)
    before = await rows(pool)
    assert before == [1, 2, 1, 1, 1]
    await pool.execute("UPDATE fuel_cards SET issuer = 'other'")  # both are judged again
    async with pool.acquire() as conn:
        assert await unread_by_judge(conn) > 0
    await judge_all(db_url, REWORDED)
    assert await rows(pool) == before
    async with pool.acquire() as conn:
        found = await list_evaluations(conn, EvaluationFilter(), wording=REWORDED)
    assert {(e["outcome"], e["reason_code"], e["reason"], e["reason_en"]) for e in found} == {
        ("suspected", "not_official", "！绑定的车牌不是登记的公务用车", "! the plate is not that of a registered official vehicle"),
        ("normal", "official", "！绑定期间一直是公务用车", "! an official vehicle for the whole binding"),
    }  # fmt: skip


async def judge_all(dsn: str, wording: Wording) -> None:
    judge = Judge(dsn, GATHERERS, NoNavigator(), wording=wording)
    while await judge.turn():
        pass
    await judge.close()


async def test_an_order_entered_again_as_it_was_makes_no_version_of_an_episode(world: World) -> None:
    """The episode ends where an order begins; each version of that order once made a version of the alert, with the same
    sentence and the same numbers."""
    await world.order("P1", 20.3 * H, 23 * H)
    fixes = trip(20 * H, *OUT)
    await world.send(world.batch(fixes))
    worker = await world.work()
    (alert,) = await world.alerts()
    assert alert["reason_code"] == "order_started"
    before = await rows(world.pool)
    for purpose in ("接待", "调研"):
        await world.order("P1", 20.3 * H, 23 * H, purpose=purpose)
        await world.work(worker)
    (same,) = await world.alerts()
    assert same == alert
    after = await rows(world.pool)
    assert after[2:] == before[2:]
    assert after[1] > before[1]  # what it was judged on this time is kept with the judgement
    # An order that covers more is another matter.
    await world.order("P1", 20.27 * H, 23 * H)
    await world.work(worker)
    (shorter,) = await world.alerts()
    assert shorter["version"] == alert["version"] + 1


async def test_a_report_behind_the_episode_that_comes_late_makes_no_version(world: World) -> None:
    """The track of the evidence goes up to the report that confirmed the end. A late one, which confirms it earlier, once made
    a version with the same sentence, the same numbers and the same times."""
    fixes = trip(20 * H, *OUT)
    back = next(k for k, fix in enumerate(fixes) if fix[0] > 20 * H and fix[1:3] == (0.0, 0.0) and k > 100)
    late = [back, back + 1]
    batch = world.batch(fixes)
    await world.send_in(batch, [k for k in range(len(fixes)) if k not in late], 40)
    worker = await world.work()
    (alert,) = await world.alerts()
    assert alert["occurred_to"] is not None
    before = await rows(world.pool)
    for k in late:
        await world.send_in(batch, [k], 1)
        await world.work(worker)
    assert await world.alerts() == [alert]
    after = await rows(world.pool)
    assert after[2:] == before[2:]
    assert after[1] > before[1]  # what it was judged on this time is kept with the judgement
    async with world.pool.acquire() as conn:
        entries = [entry.alert for entry in await read_feed(conn, 0, 100)]
    # A fix of the drive itself counts.
    for one, other in pairwise(entries):
        facts = [
            replace(a, version=0, summary="", summary_en="", evidence_hash="", evidence_sm3="")
            for a in (one, other)
        ]
        assert facts[0] != facts[1]


async def test_the_api_tells_both_languages(pool: asyncpg.Pool) -> None:
    await say(pool, outside())
    await say(
        pool,
        outside(
            outcome="normal", reason="covered_by_order", alert=None, evidence=None, named={"orders": "P1、P2"}
        ),
    )
    async with serve(pool) as client:
        (alert,) = (await client.get("/v1/alerts")).json()["items"]
        newest, oldest = (await client.get("/v1/evaluations")).json()["items"]
    assert alert["summary"].startswith("疑似")
    assert alert["summary_en"].startswith("Suspected")
    assert (alert["withdrawal_reason"], alert["withdrawal_reason_en"]) == (
        "该时段已有派车单 P1、P2", "covered by dispatch order P1、P2",
    )  # fmt: skip
    assert (newest["reason_code"], newest["reason"], newest["reason_en"]) == (
        "covered_by_order", "该时段已有派车单 P1、P2", "covered by dispatch order P1、P2",
    )  # fmt: skip
    assert oldest["reason"] == "无派车任务驶出围栏，已返回"
