"""GET /v1/evaluations on a real PostgreSQL: why nothing was raised, and what waits."""

from __future__ import annotations

from typing import Final

import asyncpg
import pytest

from rules.alerts.feed import publish_feed
from rules.alerts.model import Judgement, Measure
from rules.alerts.publish import publish
from rules.judge import queue
from rules.judge.context import Later
from runtime.units import US_PER_S
from tests.integration.test_api_service import check_problem, serve

T0_US = 1_775_000_000 * US_PER_S
OUTCOMES: Final = ("normal", "undetermined")


@pytest.fixture
async def judged(pool: asyncpg.Pool) -> asyncpg.Pool:
    """Seven judgements of two vehicles, the last one of a subject that was judged before."""
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('o', '单位')")
    await pool.execute(
        "INSERT INTO vehicles (id, plate, organisation) VALUES ('v1', '苏F00001', 'o'), ('v2', '苏F00002', 'o')"
    )
    numbers = dict(await pool.fetch("SELECT id, no FROM vehicles"))
    async with pool.acquire() as connection:
        for k in range(7):
            one = Judgement(
                "mileage" if k % 2 else "card_use", 1, f"order:{k % 6}", numbers[f"v{1 + k % 2}"],
                OUTCOMES[k % 3 == 0], f"第 {k} 次", T0_US + k * US_PER_S, {"nearest_m": Measure(k, "m")}, {"radius_m": 200},
            )  # fmt: skip
            async with connection.transaction():
                await publish_feed(connection, await publish(connection, [one]))
    return pool


async def test_judgements_are_shown_newest_first_and_page_by_page(judged: asyncpg.Pool) -> None:
    async with serve(judged) as client:
        seen, cursor = [], None
        while True:
            page = (
                await client.get(
                    "/v1/evaluations", params={"limit": 3} | ({"cursor": cursor} if cursor else {})
                )
            ).json()
            seen += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
    assert [one["reason"] for one in seen] == [f"第 {k} 次" for k in reversed(range(7))]
    assert seen[0]["measures"] == {"nearest_m": {"value": 6, "unit": "m"}}
    assert seen[0]["evidence_hash"] is None
    assert seen[0]["evaluated_at"].endswith("+08:00")


async def test_each_filter_holds(judged: asyncpg.Pool) -> None:
    async def found(**filters: str) -> list[str]:
        async with serve(judged) as client:
            answer = await client.get("/v1/evaluations", params=filters)
        assert answer.status_code == 200, answer.text
        return [one["reason"][2] for one in answer.json()["items"]]

    assert await found(rule="mileage") == ["5", "3", "1"]
    assert await found(vehicle="v1") == ["6", "4", "2", "0"]
    assert await found(vehicle="nobody") == []
    assert await found(subject="order:0") == ["6", "0"]
    assert await found(outcome="undetermined") == ["6", "3", "0"]
    at = "2026-04-01T07:33:2"
    assert await found(**{"from": f"{at}1+08:00", "to": f"{at}3+08:00"}) == ["2", "1"]


async def test_what_waits_is_listed_with_its_reason(judged: asyncpg.Pool) -> None:
    await queue.put_due(judged, "orders", {"PC-1": T0_US, "PC-2": T0_US, "PC-3": T0_US})
    later = {"PC-1": Later(T0_US + US_PER_S, "navigation"), "PC-3": Later(T0_US, "navigation")}
    await queue.put_off(judged, "orders", later)
    async with serve(judged) as client:
        first = (await client.get("/v1/evaluations/waiting", params={"limit": 1})).json()
        second = (
            await client.get("/v1/evaluations/waiting", params={"limit": 5, "cursor": first["next"]})
        ).json()
    assert [(one["kind"], one["key"], one["attempts"]) for one in first["items"] + second["items"]] == [
        ("orders", "PC-1", 1),
        ("orders", "PC-3", 1),
    ]
    assert second["next"] is None
    assert first["items"][0]["waits_for"] == "navigation"


async def test_wrong_questions_and_wrong_tokens_are_refused(judged: asyncpg.Pool) -> None:
    async with serve(judged) as client:
        check_problem(await client.get("/v1/evaluations", params={"rule": "nonsense"}), 422)
        check_problem(await client.get("/v1/evaluations", params={"outcome": "guilty"}), 422)
        check_problem(await client.get("/v1/evaluations", params={"vehicle": "a\x00b"}), 422, "不可见字符")
        check_problem(await client.get("/v1/evaluations", params={"cursor": "nonsense"}), 400)
    async with serve(judged, None, "registry:read") as client:
        check_problem(await client.get("/v1/evaluations"), 403)
