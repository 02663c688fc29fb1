"""Backtests as jobs: asked over HTTP, run by a process of their own, seen within the units of who asks. Nothing is published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gongche.backtest_job import run_next
from gongche.backtests import Keeper
from rules.backtest import jobs, running
from runtime.postgres import connect
from runtime.settings import Settings
from tests.integration.scope_backtests import SQUARE, body
from tests.integration.scope_world import ScopeWorld, logged_world, plate, scope_database
from tests.waiting import until

ALL = {"registry:write", "alerts:read"}


@pytest.fixture(scope="module")
def made(postgres_dsn: str, template_database: str) -> Iterator[tuple[str, dict[str, str]]]:
    with scope_database(postgres_dsn, template_database) as database:
        yield database


@pytest.fixture
async def units(made: tuple[str, dict[str, str]], tmp_path: Path) -> AsyncIterator[ScopeWorld]:
    async with logged_world(made, tmp_path) as world:
        await world.pool.execute("DELETE FROM backtests")
        await world.pool.execute("UPDATE vehicles SET secret = false")
        yield world


@pytest.fixture
def settings(made: tuple[str, dict[str, str]]) -> Settings:
    return Settings(database_url=made[0])


async def asked(client: Any, sent: Mapping[str, Any]) -> int:
    answer = await client.post("/v1/backtests", json=sent)
    assert answer.status_code == 202, answer.text
    no: int = answer.json()["no"]
    assert answer.headers["location"] == f"/v1/backtests/{no}"
    return no


async def result(client: Any, no: int) -> Any:
    answer = await client.get(f"/v1/backtests/{no}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_each_sees_the_part_of_his_units(units: ScopeWorld, settings: Settings) -> None:
    published = await units.pool.fetchval("SELECT count(*) FROM evaluations")
    async with (
        units.client(await units.token(ALL, None)) as office,
        units.client(await units.token(ALL, "a")) as clerk,
        units.client(await units.token({"registry:write"}, None)) as program,
    ):
        everyone = await asked(office, body(None))
        own = await asked(clerk, body("a1"))
        waiting = await result(clerk, own)
        assert (waiting["state"], waiting["ahead"], waiting["counts"]) == ("queued", 1, None)
        assert await run_next(settings) == "done"
        assert await run_next(settings) == "done"
        assert await run_next(settings) is None
        told = await result(office, everyone)
        assert told["state"] == "done"
        assert told["counts"]["raised"] == 3
        assert {unit["organisation"] for unit in told["units"]} == {"a1", "b", "city"}
        assert {one["plate"] for one in told["result_examples"]} == {plate(u) for u in ("a1", "b", "city")}
        assert told["percent"] == 100
        # One of everyone is for who reaches everywhere.
        assert (await clerk.get(f"/v1/backtests/{everyone}")).status_code == 404
        told = await result(clerk, own)
        assert [(u["organisation"], u["name"], u["counts"]["raised"]) for u in told["units"]] == [
            ("a1", "单位a1", 1)
        ]
        (example,) = told["result_examples"]
        assert (example["kind"], example["vehicle"]) == ("raised", "car-a1")
        assert (example["was"], example["becomes"]["outcome"]) == (None, "suspected")
        assert [job["no"] for job in (await clerk.get("/v1/backtests")).json()["items"]] == [own]
        # Who may not see alerts is told how many, and not which.
        assert (await result(program, own))["result_examples"] == []
        assert (await result(program, own))["counts"]["raised"] == 1
        # A mark holds at once, also for examples that were found before.
        await units.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-a1'")
        for client in (office, clerk):
            hidden = await result(client, own)
            assert hidden["result_examples"] == []
            assert plate("a1") not in str(hidden)
    assert await units.pool.fetchval("SELECT count(*) FROM evaluations") == published
    note = await units.pool.fetchrow(
        "SELECT detail FROM audit WHERE subject_kind = 'backtests' AND subject_id = $1", str(own)
    )
    assert note is not None


async def test_no_question_tells_of_a_secret_vehicle(units: ScopeWorld, settings: Settings) -> None:
    """Not even how many: by a few fences that he tries somebody would find out where it was."""
    await units.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-a1'")
    async with (
        units.client(await units.token(ALL, "a")) as clerk,
        units.client(await units.token(ALL, None)) as office,
        units.client(await units.token(ALL | {"secret:read"}, "a")) as cleared,
    ):
        no = await asked(clerk, body("a1"))
        assert await run_next(settings) == "done"
        for client in (clerk, office):
            told = await result(client, no)
            assert (told["counts"], told["units"], told["result_examples"]) == (
                dict.fromkeys(told["counts"], 0),
                [],
                [],
            )
        told = await result(cleared, no)
        assert (told["counts"]["raised"], [e["vehicle"] for e in told["result_examples"]]) == (1, ["car-a1"])


async def test_what_is_asked_wrongly_is_refused_with_every_flaw(units: ScopeWorld) -> None:
    fence = {
        "id": "f", "name": "新围栏", "organisation": "a1", "datum": "wgs84", "vehicles": ["car-a1"],
        "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
    }  # fmt: skip
    located: dict[str, Any] = {"rule": "location", "from": "2026-03-01", "to": "2026-03-02"}
    wrong: list[tuple[dict[str, Any], int, str]] = [
        (body("a1", rule="x"), 422, "/rule"),
        (body("a1", parameters={"min_violations": 0, "x": 1}), 422, "/parameters/min_violations"),
        (body("a1", parameters={"min_violations": 1.5}), 422, "/parameters"),
        (body("a1", parameters={"min_violations": True}), 422, "/parameters"),
        (body("a1", **{"from": "2026-03-31", "to": "2026-03-01"}), 422, "/to"),
        (body("a1", to="2026-12-31"), 422, "/to"),
        (body("a1", to="2026-02-30"), 422, "/to"),
        (body("a1", examples=201), 422, "/examples"),
        (body("nobody"), 422, "/organisation"),
        (body("b"), 422, "/organisation"),
        (body("a1", more=1), 422, "/more"),
        (located | {"fence": fence | {"vehicles": ["car-b"]}}, 422, "/fence/vehicles"),
        (located | {"fence": fence | {"organisation": "b"}}, 422, "/fence/organisation"),
        (located | {"fence": fence, "organisation": "a"}, 422, "/organisation"),
        (located | {"rule": "mileage", "fence": fence}, 422, "/rule"),
        (located | {"fence": fence | {"geometry": {"type": "Polygon", "coordinates": [SQUARE[:2]]}}}, 422, "/fence/geometry"),
        (body(None), 403, ""),
    ]  # fmt: skip
    async with units.client(await units.token(ALL, "a")) as clerk:
        for sent, status, where in wrong:
            answer = await clerk.post("/v1/backtests", json=sent)
            assert answer.status_code == status, (sent, answer.text)
            assert not where or any(
                str(error["pointer"]).startswith(where) for error in answer.json()["errors"]
            ), (sent, answer.text)
        assert (await clerk.get("/v1/backtests")).json()["items"] == []
        # A fence of a secret vehicle is no matter of who has no need, nor is who tries one.
        await asked(clerk, located | {"fence": fence})
        await units.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-a1'")
        assert (await clerk.get("/v1/backtests")).json()["items"] == []
        assert (await clerk.post("/v1/backtests", json=located | {"fence": fence})).status_code in (403, 422)


async def test_the_queue_is_bounded_and_what_waits_is_cancelled(units: ScopeWorld) -> None:
    async with (
        units.client(await units.token(ALL, "a")) as clerk,
        units.client(await units.token(ALL, "a")) as other,
    ):
        mine = [await asked(clerk, body("a1")) for _ in range(jobs.MOST_OWN)]
        full = await clerk.post("/v1/backtests", json=body("a1"))
        assert (full.status_code, full.headers["retry-after"]) == (429, "60")
        await asked(other, body("a1"))
        assert (await clerk.post(f"/v1/backtests/{mine[0]}/cancel")).json()["state"] == "cancelled"
        assert (await clerk.post(f"/v1/backtests/{mine[0]}/cancel")).status_code == 409
        assert (await clerk.post(f"/v1/backtests/{mine[1]}/restart")).status_code == 409
        assert (await clerk.post(f"/v1/backtests/{mine[0]}/restart")).json()["state"] == "queued"
        # Behind those that came meanwhile.
        assert (await result(clerk, mine[0]))["ahead"] == jobs.MOST_OWN
        assert (await clerk.post("/v1/backtests/999999/cancel")).status_code == 404
        assert (await clerk.post("/v1/backtests/999999/restart")).status_code == 404
        await units.pool.execute(
            "INSERT INTO backtests (rule, from_day, to_day, examples, asked_by, asked_by_name)"
            " SELECT 'x', '2026-01-01', '2026-01-01', 1, 'x' || n, 'x' FROM generate_series(1, $1::int) n",
            jobs.MOST_OPEN,
        )
        full = await other.post("/v1/backtests", json=body("a1"))
        assert full.status_code == 429
        page = (await clerk.get("/v1/backtests", params={"limit": 2})).json()
        rest = (await clerk.get("/v1/backtests", params={"limit": 2, "cursor": page["next"]})).json()
        numbers = [job["no"] for job in page["items"] + rest["items"]]
        assert numbers == sorted(numbers, reverse=True)
        assert len(numbers) == 4
        assert rest["next"] is None


async def test_one_whose_process_is_gone_was_interrupted_and_starts_again(
    units: ScopeWorld, settings: Settings
) -> None:
    async with units.client(await units.token(ALL, "a")) as clerk:
        no = await asked(clerk, body("a1"))
        runner = await connect(settings.database_url or "")
        assert (await jobs.claim(runner))["no"] == no
        async with units.pool.acquire() as connection:
            await asked(clerk, body("a1"))
            assert await jobs.tend(connection) is False  # as many run as may
            assert await jobs.claim(connection) is None
            assert (await result(clerk, no))["state"] == "running"
            runner.terminate()  # killed: it can say nothing any more

            async def gone() -> bool:
                return await jobs.tend(connection)

            await until(gone, "somebody sees that it is gone")
        told = await result(clerk, no)
        assert (told["state"], told["counts"]) == ("interrupted", None)
        assert "重新开始" in told["problem"]
        assert (await clerk.post(f"/v1/backtests/{no}/restart")).json()["problem"] is None
        assert await run_next(settings) == "done"  # the other one comes first
        assert await run_next(settings) == "done"
        assert (await result(clerk, no))["counts"]["raised"] == 1


async def test_one_that_runs_is_cancelled_and_one_that_fails_says_so(
    units: ScopeWorld, settings: Settings
) -> None:
    dsn = settings.database_url or ""
    async with units.client(await units.token(ALL, "a")) as clerk:
        numbers = [await asked(clerk, body("a1")) for _ in range(2)]
        writing, reading = await connect(dsn), await connect(dsn)
        job = await jobs.claim(writing)

        async def cancels(*_: Any) -> Mapping[str, str]:
            answer = await clerk.post(f"/v1/backtests/{numbers[0]}/cancel")
            assert answer.json()["cancelling"] is True
            return {}

        assert await running.run(job, reading, writing, cancels, engine=None) == "cancelled"
        assert (await result(clerk, numbers[0]))["state"] == "cancelled"
        writing.terminate()
        writing = await connect(dsn)

        async def claimed() -> bool:
            nonlocal job
            job = await jobs.claim(writing)
            return job is not None

        await until(claimed, "the place to run in is free")

        async def hangs(*_: Any) -> Mapping[str, str]:
            await asyncio.Event().wait()
            return {}

        assert await running.run(job, reading, writing, hangs, engine=None, most_s=0.05) == "failed"
        assert "两小时" in (await result(clerk, numbers[1]))["problem"]
        writing.terminate()
        reading.terminate()
        await units.pool.execute(
            "INSERT INTO backtests (rule, from_day, to_day, examples, asked_by, asked_by_name)"
            " VALUES ('of_a_later_release', '2026-01-01', '2026-01-01', 1, 'x', 'x')"
        )

        async def failed() -> bool:
            return await run_next(settings) == "failed"

        await until(failed, "a fault of the program is told")
        problem = await units.pool.fetchval(
            "SELECT problem FROM backtests WHERE asked_by = 'x' AND state = 'failed'"
        )
        assert "程序故障" in problem


async def test_the_api_gives_it_a_process_of_its_own(units: ScopeWorld, settings: Settings) -> None:
    keeper = Keeper(settings)
    async with units.client(await units.token(ALL, "a")) as clerk:
        no = await asked(clerk, body("a1"))
        await keeper.turn(units.pool)
        try:

            async def done() -> bool:
                await keeper.turn(units.pool)
                return bool((await result(clerk, no))["state"] == "done")

            await until(done, "the process has run it")
            assert (await result(clerk, no))["counts"]["raised"] == 1
        finally:
            await keeper.close()


async def test_old_ones_are_deleted(units: ScopeWorld) -> None:
    await units.pool.execute(
        "INSERT INTO backtests (rule, from_day, to_day, examples, asked_by, asked_by_name, state, ended_at)"
        " SELECT 'x', '2026-01-01', '2026-01-01', 1, 'x', 'x', 'done', now() - n * interval '10 days' FROM generate_series(0, 9) n"
    )
    async with units.pool.acquire() as connection:
        await jobs.tend(connection)
        assert await connection.fetchval("SELECT count(*) FROM backtests") == 3
        await connection.execute(
            "INSERT INTO backtests (rule, from_day, to_day, examples, asked_by, asked_by_name, state, ended_at)"
            " SELECT 'x', '2026-01-01', '2026-01-01', 1, 'x', 'x', 'failed', now() FROM generate_series(1, $1::int)",
            jobs.MOST_KEPT,
        )
        await jobs.tend(connection)
        assert await connection.fetchval("SELECT count(*) FROM backtests") == jobs.MOST_KEPT


async def test_requests_see_no_more_of_the_queue_than_their_own(
    units: ScopeWorld, made: tuple[str, dict[str, str]]
) -> None:
    async with units.client(await units.token(ALL, None)) as office:
        await asked(office, body("b"))
    connection = await asyncpg.connect(made[0])
    try:
        await connection.execute("SET ROLE gongche_app")
        assert await connection.fetchval("SELECT count(*) FROM backtests") == 0
        assert await connection.fetchval("SELECT backtests_open('x')") == [1, 0]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM backtests")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("INSERT INTO backtest_counts VALUES (1, 'a', NULL, 'raised', '', 1)")
    finally:
        await connection.close()
