"""The feed as it happens: woken by the commit, as server-sent events, ended when it must."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from office.identity.tokens import create_token, list_tokens, revoke_token
from rules.alerts.feed import CHANNEL
from runtime.bell import LISTENED_LOOK_S, LOOK_S, Bell
from runtime.settings import Settings
from tests.integration.live_api import live
from tests.integration.pooler import running_pooler
from tests.integration.test_api_service import check_problem, judgement, publish
from tests.waiting import PATIENCE_S, until


async def events(response: httpx.Response) -> AsyncGenerator[dict[str, str], None]:
    """The events of a stream as a browser takes them apart; comments and empty ones as well."""
    event: dict[str, str] = {}
    async for line in response.aiter_lines():
        if not line:
            yield event
            event = {}
            continue
        name, _, value = line.partition(":")
        event[name] = event.get(name, "") + value.removeprefix(" ")


async def next_of(found: AsyncGenerator[dict[str, str], None], kind: str = "alert") -> dict[str, str]:
    async with asyncio.timeout(PATIENCE_S):
        async for event in found:
            if event.get("event") == kind:
                return event
    raise AssertionError(f"the stream ended before an event {kind}")


def withdrawal(subject: str) -> Any:
    return judgement(subject, outcome="normal", reason="补单", evidence=None, alert=None)


async def test_a_commit_wakes_who_waits_at_once(pool: asyncpg.Pool, db_url: str) -> None:
    """Who waits is woken by the commit, long before it would look by itself (LISTENED_LOOK_S)."""
    async with live(pool, db_url) as (client, app):
        loop = asyncio.get_running_loop()
        cursor = (await client.get("/v1/alerts/feed")).json()["next"]
        began = loop.time()
        for k in range(10):
            asking = asyncio.create_task(client.get("/v1/alerts/feed", params={"wait": 30, "cursor": cursor}))
            await until(lambda: app.state.waiting_readers == 1, "it waits")
            await publish(pool, judgement(f"order:o{k}:0"))
            page = (await asking).json()
            assert len(page["items"]) == 1
            cursor = page["next"]
            await until(lambda: app.state.waiting_readers == 0, "it has been answered")
        # time: woken ten times in less than the time after which it would have looked once by itself
        assert loop.time() - began < LISTENED_LOOK_S


async def test_the_bell_listens_again_after_a_loss_and_readers_look_meanwhile(
    pool: asyncpg.Pool, db_url: str
) -> None:
    async with live(pool, db_url) as (client, app):
        bell: Bell = app.state.bell
        asking = asyncio.create_task(client.get("/v1/alerts/feed", params={"wait": 30}))
        await until(lambda: app.state.waiting_readers == 1, "it waits")
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        assert await pool.fetchval(ended) == 1
        await publish(pool, judgement("order:o1:0"))
        assert len((await asking).json()["items"]) == 1
        await until(lambda: bell.listening, "it listens again")
    async with live(pool, db_url, listening=False) as (client, app):
        cursor = (await client.get("/v1/alerts/feed")).json()["next"]
        asking = asyncio.create_task(client.get("/v1/alerts/feed", params={"wait": 30, "cursor": cursor}))
        await until(lambda: app.state.waiting_readers == 1, "it waits")
        await publish(pool, judgement("order:o2:0"))
        assert len((await asking).json()["items"]) == 1


async def test_a_stream_goes_on_behind_the_last_id(pool: asyncpg.Pool, db_url: str) -> None:
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('city', '市'), ('other', '另一单位')")
    await pool.execute("INSERT INTO organisations (id, name, parent) VALUES ('finance', '财政局', 'city')")
    await publish(pool, judgement("order:before:0"))
    async with live(pool, db_url) as (client, app):
        async with client.stream("GET", "/v1/alerts/stream") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["x-accel-buffering"] == "no"
            assert response.headers["cache-control"] == "no-store"
            async with aclosing(events(response)) as found:
                first = await anext(found)
                assert first["retry"] == "3000"
                await publish(pool, judgement("order:o1:0"), judgement("order:o2:0"))
                one, two = await next_of(found), await next_of(found)
        said = [json.loads(event["data"]) for event in (one, two)]
        feed = (await client.get("/v1/alerts/feed")).json()
        assert said == feed["items"][1:]
        assert two["id"] == feed["next"]
        await publish(pool, withdrawal("order:o2:0"))
        # What was missed comes first; `cursor` of the address is older and counts no more.
        for headers, params, versions in (
            ({"Last-Event-ID": one["id"]}, {"cursor": first["id"]}, [1, 2]),
            ({}, {"cursor": first["id"]}, [1, 1, 2]),
            ({}, {"cursor": first["id"], "status": "withdrawn", "organisation": "city", "rule": "destination"}, [2]),
            ({}, {"cursor": first["id"], "organisation": "other"}, []),
        ):  # fmt: skip
            async with client.stream(
                "GET", "/v1/alerts/stream", headers=headers, params=params | {"seconds": "0.5"}
            ) as response:
                told = [e async for e in events(response)]
            assert [json.loads(e["data"])["version"] for e in told if e.get("event") == "alert"] == versions
            assert json.loads(told[-1]["data"]) == {"reason": "time_is_up"}
        async with client.stream(
            "GET",
            "/v1/alerts/stream",
            params={"cursor": first["id"], "envelope": "cloudevents", "seconds": "0"},
        ) as response:
            assert (await response.aread()).count(b"event: end") == 1
        check_problem(await client.get("/v1/alerts/stream", params={"cursor": "x"}), 400, "游标")
        check_problem(await client.get("/v1/alerts/stream", headers={"Last-Event-ID": "x"}), 400)
        check_problem(await client.get("/v1/alerts/stream", params={"rule": "x"}), 422)
        assert app.state.streams == {}


async def test_a_stream_ends_when_its_token_does_and_when_the_process_stops(
    pool: asyncpg.Pool, db_url: str
) -> None:
    quick = Settings(stream_recheck_s=0.2)
    async with live(pool, db_url, settings=quick) as (client, app):
        made = await create_token(pool, "short", ["alerts:read"])
        headers = {"Authorization": f"Bearer {made.secret}"}
        async with (
            client.stream("GET", "/v1/alerts/stream", headers=headers) as response,
            aclosing(events(response)) as found,
        ):
            await anext(found)
            assert await revoke_token(pool, made.id)
            assert json.loads((await next_of(found, "end"))["data"]) == {"reason": "no_longer_allowed"}
        check_problem(await client.get("/v1/alerts/stream", headers=headers), 401)
        async with client.stream("GET", "/v1/alerts/stream") as response, aclosing(events(response)) as found:
            await anext(found)
            app.state.stopping = True
            app.state.bell.ring()
            assert json.loads((await next_of(found, "end"))["data"]) == {"reason": "stopping"}


async def test_streams_are_bounded_and_a_reader_that_reads_nothing_is_cut_off(
    pool: asyncpg.Pool, db_url: str
) -> None:
    async with live(pool, db_url, settings=Settings(stream_slow_s=0.5)) as (client, app):
        (token,) = await list_tokens(pool)
        open_ones = [
            await client.send(client.build_request("GET", "/v1/alerts/stream"), stream=True) for _ in range(5)
        ]
        check_problem(await client.get("/v1/alerts/stream"), 429, "关闭")
        for response in open_ones:
            await response.aclose()
        await until(lambda: app.state.streams == {}, "all have ended")
        # More than the kernel and the server keep for a reader that reads nothing.
        await publish(pool, *(judgement(f"order:o{k}:0") for k in range(400)))
        address = urlsplit(str(client.base_url))
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((address.hostname, address.port))
        begin = (await client.get("/v1/alerts/feed", params={"limit": 1})).json()["next"]
        head = f"GET /v1/alerts/stream?cursor={begin} HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['Authorization']}\r\n\r\n"
        line.sendall(head.encode())
        await until(lambda: app.state.streams == {f"token:{token.id}": 1}, "it streams")
        await until(lambda: app.state.streams == {}, "the slow reader is cut off")
        line.close()


async def test_a_pooler_of_transactions_has_no_listen_and_is_told_of_once(
    db_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_pooler(db_url, tmp_path) as dsn:
        bell = Bell(dsn, CHANNEL)
        seen = bell.count
        running = asyncio.create_task(bell.run())
        await until(lambda: bell.count > seen, "it has tried")
        await bell.wait(bell.count, 0.01)
        assert (bell.listening, bell.look_s) == (False, LOOK_S)
        running.cancel()
    assert sum("无法监听" in record.message for record in caplog.records) == 1
