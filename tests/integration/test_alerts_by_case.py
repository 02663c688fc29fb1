"""The console's work list: alerts by the state of their case and by what the office found. And a stream that is left open, which is no
use of its session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from office.identity.tokens import create_token
from runtime.settings import Settings
from tests.integration.test_supervision import CLOSE, Site, opened, suspect
from tests.waiting import until


@pytest.fixture
async def bureau(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Site]:
    settings = Settings(data_dir=tmp_path, stream_recheck_s=0.05, session_idle_minutes=30)
    async with opened(pool, settings) as made:
        yield made


async def listed(site: Site, who: str = "clerk", **asked: str) -> list[str]:
    """The subjects of the alerts of a list, all pages."""
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await site.ask(who, "GET", "alerts", params=asked | cursor | {"limit": "2"})
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


async def test_alerts_by_case_and_finding(bureau: Site) -> None:
    site = bureau
    alerts = [await suspect(site.pool, f"night-{k}") for k in range(5)]
    far = await suspect(site.pool, "far", unit="wsj", car="car-3")
    assert set(await listed(site, case_state="none")) == {*alerts, far}
    drafted = (await site.draft(source="alert", alerts=alerts[:1]))["id"]
    working = await site.issued(source="alert", alerts=alerts[1:3])
    await site.step("unit", working, "sign")
    assert await listed(site, case_state="draft") == alerts[:1]
    assert set(await listed(site, case_state="working")) == set(alerts[1:3])
    assert set(await listed(site, case_state="none", status="suspected")) == {*alerts[3:], far}
    # Who answers for the unit learns nothing of a draft: for him its alert is in no case.
    assert set(await listed(site, "unit", case_state="none")) == {alerts[0], *alerts[3:]}
    assert await listed(site, "unit", case_state="draft") == []
    assert set(await listed(site, "unit", case_state="working")) == set(alerts[1:3])
    assert await listed(site, "other", case_state="none") == [far]
    assert set(await listed(site, "both", case_state="none")) == {alerts[0], *alerts[3:], far}
    # Another alert in the draft, and the first one out of it.
    contents = {
        "title": "夜间用车",
        "source": "alert",
        "organisation": "jsj",
        "facts": "x",
        "alerts": alerts[3:4],
    }
    await site.step("clerk", drafted, "edit", contents=contents)
    assert set(await listed(site, case_state="none")) == {alerts[0], alerts[4], far}
    # Closed with a finding; again in a case afterwards.
    await site.step("unit", working, "reply", text="经查为洗车", checked=["ledger"], explanations=["wash"])
    await site.step("boss", working, "sign-reply")
    await site.step("clerk", working, "close", **CLOSE)
    assert set(await listed(site, case_state="closed")) == set(alerts[1:3])
    assert set(await listed(site, finding="justified")) == set(alerts[1:3])
    assert set(await listed(site, finding="none", rule="off_hours")) == {alerts[0], *alerts[3:], far}
    assert await listed(site, finding="violation") == []
    # Open again, its finding stands no more; closed again, the new one does.
    await site.step("head", working, "reopen", reason="发现新的情况")
    assert await listed(site, finding="justified") == []
    await site.step("unit", working, "reply", text="经查为洗车", checked=["ledger"], explanations=["wash"])
    await site.step("boss", working, "sign-reply")
    await site.step("clerk", working, "close", **CLOSE)
    assert set(await listed(site, finding="justified")) == set(alerts[1:3])
    again = (await site.draft(source="alert", alerts=alerts[1:2]))["id"]
    assert set(await listed(site, case_state="draft")) == {alerts[1], alerts[3]}
    assert await listed(site, case_state="closed", finding="justified") == alerts[2:3]
    assert again
    for asked in ({"case_state": "x"}, {"finding": "x"}, {"case_state": "none\x00"}):
        await site.ask("clerk", "GET", "alerts", None, 422, params=asked)
    made = await create_token(site.pool, "reader", ["alerts:read"])
    refused = await site.ask(made.secret, "GET", "alerts?case_state=none", None, 403)
    assert "cases:read" in refused["detail"]
    assert len((await site.ask(made.secret, "GET", "alerts?finding=justified"))["items"]) == 2


async def test_what_was_there_before_the_migration_is_found(bureau: Site) -> None:
    """The columns say what the tables of supervision come to, whatever order they were written in."""
    site = bureau
    alerts = [await suspect(site.pool, f"night-{k}") for k in range(3)]
    await site.issued(source="alert", alerts=alerts[:2])
    before = await site.pool.fetch("SELECT id, case_state, finding FROM alerts ORDER BY id")
    await site.pool.execute("UPDATE alerts SET case_state = 'none'")
    await site.pool.execute(
        "SELECT set_case_states((SELECT array_agg(DISTINCT ref) FROM case_links WHERE kind = 'alert'))"
    )
    assert await site.pool.fetch("SELECT id, case_state, finding FROM alerts ORDER BY id") == before
    assert [row["case_state"] for row in before].count("issued") == 2


async def test_a_stream_that_is_left_open_does_not_keep_its_session_alive(bureau: Site) -> None:
    site = bureau
    seen = "SELECT seen_at < now() - interval '4 minutes' FROM sessions WHERE user_id = 'clerk'"
    await site.pool.execute(
        "UPDATE sessions SET seen_at = now() - interval '5 minutes' WHERE user_id = 'clerk'"
    )

    async def stream(seconds: str) -> str:
        answer = await site.client.get(
            "/v1/alerts/stream", params={"seconds": seconds}, headers=site.headers("clerk")
        )
        assert answer.status_code == 200
        return answer.text

    assert "time_is_up" in await stream("0.4")  # it looked again several times
    assert await site.pool.fetchval(seen)
    # Whatever else is done is use.
    await site.ask("clerk", "GET", "alerts")
    await until(lambda: site.pool.fetchval(f"SELECT NOT ({seen})"), "that was noted")
    # Idle for too long: the session ends, and the stream with it.
    await site.pool.execute(
        "UPDATE sessions SET seen_at = now() - interval '29 minutes 57 seconds' WHERE user_id = 'clerk'"
    )
    assert "no_longer_allowed" in await stream("20")
