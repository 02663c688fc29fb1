"""An alert that is withdrawn, or changes, after its case was closed: it is told once, a person decides, and until then nothing rests on it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from office.supervision import clock, findings
from rules.alerts.feed import publish_feed
from rules.alerts.model import AlertFacts, Judgement, Measure
from rules.alerts.publish import publish
from rules.evidence import canonical
from runtime.postgres import connect
from runtime.settings import Settings
from runtime.units import to_us
from tests.integration.test_supervision import CLOSE, T0, Site, days_ahead, opened, suspect, work_every_day

FOUND: dict[str, Any] = {
    "finding": "violation", "evidence": "票据时间与轨迹不符", "responsibility": "车管员", "measures": "通报批评",
    "measures_due": days_ahead(30).isoformat(),
}  # fmt: skip


@pytest.fixture
async def bureau(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(pool, Settings(data_dir=tmp_path)) as made:
        await work_every_day(pool, days_ahead(0), 60)
        yield made


async def turns(url: str, at_once: int = 1) -> None:
    """The clock, by so many processes at once, until nothing is left to do."""

    async def run() -> None:
        connection = await connect(url)
        while await clock.turn(connection):
            pass
        await connection.close()

    await asyncio.gather(*(run() for _ in range(at_once)))


async def closed(site: Site, *alerts: str, **how: Any) -> str:
    id = await site.replied(source="alert", alerts=list(alerts))
    await site.step("clerk", id, "close", **(how or FOUND))
    return id


async def judged(pool: asyncpg.Pool, subject: str, metres: int) -> None:
    """The same alert with another number."""
    no = await pool.fetchval("SELECT no FROM vehicles WHERE id = 'car-1'")
    facts = AlertFacts("medium", "jsj", "car-1", "苏F12345", to_us(T0), to_us(T0) + 60_000_000)
    made = Judgement(
        rule="off_hours", rule_version=2, subject=subject, vehicle_no=no, outcome="suspected", reason="night",
        evaluated_at_us=to_us(T0) + 10**9, measures={"distance_m": Measure(metres, "m")}, parameters={"min_distance_m": 1000},
        evidence=canonical({"subject": subject}), alert=facts, told={"plate": "苏F12345", "date": "2026-03-02", "day_name": "工作日", "orders": []},
    )  # fmt: skip
    for each in (made, replace(made)):  # the same again is nothing new
        async with pool.acquire() as connection, connection.transaction():
            await publish_feed(connection, await publish(connection, [each]))


async def labels(pool: asyncpg.Pool) -> list[str]:
    """What the backtest counts."""
    async with pool.acquire() as connection:
        return [
            f.finding
            for f in await findings.labels_between(connection, "off_hours", to_us(T0) - 1, to_us(T0) + 10**9)
        ]


async def waiting(site: Site, who: str = "head") -> list[str]:
    rows = (await site.ask(who, "GET", "cases", params={"proposal": "reopen"}))["items"]
    return [row["id"] for row in rows]


def news(shown: Any) -> list[tuple[str, Any]]:
    return [(e["step"], e["body"].get("proposal")) for e in shown["thread"] if e["step"].startswith("alert-")]


async def test_it_is_told_once_and_somebody_decides(bureau: Site, db_url: str) -> None:
    alert, other = await suspect(bureau.pool, "night-1"), await suspect(bureau.pool, "night-2")
    id = await closed(bureau, alert, other)
    await turns(db_url)
    assert news(await bureau.case(id)) == []
    assert await labels(bureau.pool) == ["violation", "violation"]

    await suspect(bureau.pool, "night-1", outcome="normal")
    await turns(db_url, at_once=4)
    await turns(db_url)
    shown = await bureau.case(id)
    assert news(shown) == [("alert-withdrawn", "reopen")]
    # Told, and proposed; nothing is decided by a program.
    assert (shown["state"], shown["finding"], shown["proposal"]) == ("closed", "violation", "reopen")
    assert await waiting(bureau) == [id]
    assert await bureau.pool.fetchval("SELECT count(*) FROM messages WHERE step = 'alert-withdrawn'") == 1
    newest = (await bureau.ask("head", "GET", "messages"))["items"][0]
    assert newest["text"] == f"督办单 {shown['number']}：预警已撤销，现为已核销"
    assert newest["link"] == f"/v1/cases/{id}"
    # The unit is told nothing of it, in no answer.
    assert await waiting(bureau, "unit") == []
    assert [row["proposal"] for row in (await bureau.ask("unit", "GET", "cases"))["items"]] == [None]
    seen = await bureau.case(id, "unit")
    assert (seen["proposal"], news(seen)) == (None, [])
    # Until somebody decides the label of this alert is none; that of the other one stands.
    assert await labels(bureau.pool) == ["violation"]
    assert (await bureau.ask("head", "GET", f"alerts/{alert}"))["labels"][0]["stands"] is False
    assert (await bureau.ask("head", "GET", f"alerts/{other}"))["labels"][0]["stands"] is True
    found = await bureau.ask("head", "GET", "alerts", params={"finding": "violation"})
    assert [a["id"] for a in found["items"]] == [other]

    await bureau.step("unit", id, "stands", 403, reason="我方认为应当维持")
    await bureau.step("clerk", id, "stands", 403, reason="无权维持此结论")
    await bureau.step("head", id, "stands", 422)
    await bureau.step("head", id, "stands", reason="补单系事后补办，违规属实")
    shown = await bureau.case(id)
    assert (shown["state"], shown["finding"], shown["proposal"]) == ("closed", "violation", None)
    assert await waiting(bureau) == []
    assert await labels(bureau.pool) == ["violation", "violation"]
    assert (await bureau.step("head", id, "stands", 409, reason="再次维持此结论"))["type"].endswith(
        "nothing-to-decide"
    )
    assert not [e for e in (await bureau.case(id, "unit"))["thread"] if e["step"] == "stands"]
    await turns(db_url)
    assert len(news(await bureau.case(id))) == 1


async def test_numbers_that_change_after_the_closing_are_told_too(bureau: Site, db_url: str) -> None:
    alert = await suspect(bureau.pool, "night-1")
    id = await bureau.replied(source="alert", alerts=[alert])
    await judged(bureau.pool, "night-1", 17_000)  # while people look at it: they close it as it is then
    await bureau.step("clerk", id, "close", **FOUND)
    await turns(db_url)
    assert news(await bureau.case(id)) == []

    await judged(bureau.pool, "night-1", 1_200)
    await turns(db_url, at_once=2)
    await judged(bureau.pool, "night-1", 1_300)  # while that waits for a decision: no further question
    await turns(db_url)
    shown = await bureau.case(id)
    assert news(shown) == [("alert-changed", "reopen")]
    assert shown["thread"][-1]["body"]["version"] == 3
    assert await labels(bureau.pool) == ["violation"]  # it is suspected as before
    reopened = await bureau.step("head", id, "reopen", reason="预警数字有变，重新核查")
    assert reopened["state"] == "working"
    assert (await bureau.case(id))["proposal"] is None

    # A withdrawal while it is open again proposes to cancel, and one that holds again does not.
    await suspect(bureau.pool, "night-1", outcome="normal")
    await turns(db_url)
    assert (await bureau.case(id))["proposal"] == "cancel"
    await judged(bureau.pool, "night-1", 1_300)
    await turns(db_url)
    assert (await bureau.case(id))["proposal"] is None


async def test_a_withdrawal_just_before_the_closing_is_not_lost(bureau: Site, db_url: str) -> None:
    alert = await suspect(bureau.pool, "night-1")
    id = await bureau.replied(source="alert", alerts=[alert])
    await suspect(bureau.pool, "night-1", outcome="normal")  # the clock has not looked yet
    await bureau.step("clerk", id, "close", **CLOSE)
    await turns(db_url)
    assert (await bureau.case(id))["proposal"] == "reopen"
    await bureau.step("head", id, "reopen", reason="预警已撤销，重新认定")
    assert (await bureau.case(id))["proposal"] == "cancel"
    await bureau.step("head", id, "cancel", reason="预警已撤销，撤销督办")
    await judged(bureau.pool, "night-1", 9_000)  # a case that was cancelled is told nothing
    await turns(db_url)
    assert (await bureau.case(id))["thread"][-1]["step"] == "cancel"
    assert await bureau.pool.fetchval("SELECT count(*) FROM case_alert_news") == 0


async def test_a_clock_that_is_killed_in_the_middle_leaves_all_or_nothing(bureau: Site, db_url: str) -> None:
    alert = await suspect(bureau.pool, "night-1")
    id = await closed(bureau, alert)
    await suspect(bureau.pool, "night-1", outcome="normal")
    dying = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DYING, db_url, stdout=asyncio.subprocess.PIPE
    )
    assert dying.stdout is not None
    assert (await dying.stdout.readline()).strip() == b"written"
    await turns(db_url)  # the case is held by the other one
    assert news(await bureau.case(id)) == []
    dying.kill()
    await dying.wait()
    for _ in range(100):  # until the server has seen that it is gone
        await turns(db_url)
        if news(await bureau.case(id)):
            break
        await asyncio.sleep(0.05)  # time: another process ends
    await turns(db_url, at_once=2)
    assert news(await bureau.case(id)) == [("alert-withdrawn", "reopen")]
    assert await bureau.pool.fetchval("SELECT count(*) FROM messages WHERE step = 'alert-withdrawn'") == 1


#: A clock that stops when the event is written, before the end of its transaction.
DYING = """
import asyncio, sys
from office.supervision import cases, clock
from runtime.postgres import connect
async def stop(*_):
    print("written", flush=True)
    await asyncio.sleep(600)  # time: until it is killed
cases.note_alerts = stop
async def main():
    await clock.turn(await connect(sys.argv[1]))
asyncio.run(main())
"""


async def test_judging_waits_for_nobody_who_holds_the_case(bureau: Site, db_url: str) -> None:
    alert = await suspect(bureau.pool, "night-1")
    id = await closed(bureau, alert)
    holder = await connect(db_url)
    async with holder.transaction():
        await holder.execute("SELECT FROM cases WHERE id = $1 FOR UPDATE", id)
        await asyncio.wait_for(suspect(bureau.pool, "night-1", outcome="normal"), 5)
    await holder.close()
