"""Webhooks to a real receiver that fails in every way: each version arrives at least once, in order for each alert."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from gongche.seal_secrets import check_secrets, seal_secrets
from office.identity.keys import Sealer
from office.identity.lookup import subject_by_id
from office.identity.subject import Kind
from office.identity.tokens import revoke_token
from office.posting import signatures
from office.posting.addresses import Policy
from office.posting.poster import Poster
from office.subscriptions import deliveries
from office.subscriptions.sender import FAULTS, Schedule, Sender
from rules.alerts.feed import CHANNEL
from runtime.bell import Bell
from runtime.errors import ConfigurationError
from runtime.settings import Settings
from tests.identity_key import identity_key
from tests.integration.live_api import live
from tests.integration.test_api_service import check_problem, judgement, publish
from tests.integration.test_feed_live import withdrawal
from tests.integration.webhook_receiver import Receiver
from tests.unit.test_alert_events import check_cloud_event, verified
from tests.waiting import until

QUICK = Schedule([0.01] * 200, 5, 90)
LOCAL = Settings(webhook_loopback=True, webhook_timeout_s=30, identity_key_file=identity_key())


def sender(
    pool: asyncpg.Pool, dsn: str, schedule: Schedule = QUICK, timeout_s: float = 30, **more: Any
) -> Sender:
    poster = Poster(Policy(loopback=True), timeout_s=timeout_s, **more)
    sealer = Sealer(LOCAL)
    return Sender(pool, poster, sealer, schedule, "urn:gongche:test", Bell(dsn, CHANNEL), timeout_s)


@asynccontextmanager
async def running(*senders: Sender) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(one.run(stop)) for one in senders]
    bells = [asyncio.create_task(one.bell.run()) for one in senders]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        for bell in bells:
            bell.cancel()
        await asyncio.gather(*bells, return_exceptions=True)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.start()
    yield made
    await made.stop()


async def subscribe(
    client: httpx.AsyncClient, receiver: Receiver, name: str = "inspection", **body: Any
) -> str:
    """A subscription with a webhook; the secret."""
    assert (await client.put(f"/v1/subscriptions/{name}", json=body)).status_code == 201
    url = f"http://127.0.0.1:{receiver.port}/hook"
    made = await client.put(f"/v1/subscriptions/{name}/webhook", json={"url": url})
    assert made.status_code == 201, made.text
    return str(made.json()["secret"])


async def test_each_version_arrives_in_order_whatever_the_receiver_does(
    pool: asyncpg.Pool, db_url: str, receiver: Receiver
) -> None:
    chance = random.Random(7)
    receiver.does = lambda: chance.choice(
        ["ok", "ok", "ok", "fail", "hang_up", "half", "redirect", "huge", "stall"]
    )
    async with live(pool, db_url, settings=LOCAL) as (client, _):
        secret = await subscribe(client, receiver)
        wanted = []
        # Two processes send at the same time; both end in the middle and others go on.
        async with running(sender(pool, db_url, timeout_s=1), sender(pool, db_url, timeout_s=1)):
            for version in range(2):
                for k in range(4):
                    wanted += [
                        (a.id, a.version)
                        for a in await publish(pool, judgement(f"order:o{k}:0", 3000 + version))
                    ]
            await until(lambda: len(receiver.accepted) >= 3, "some have arrived")
            await receiver.stop()
        killed = asyncio.create_task(sender(pool, db_url, timeout_s=1).run(asyncio.Event()))
        for k in range(4):
            wanted += [(a.id, a.version) for a in await publish(pool, withdrawal(f"order:o{k}:0"))]
        await until(
            lambda: pool.fetchval("SELECT count(*) = 12 FROM webhook_deliveries"), "all are on their way"
        )
        # With all that it has under way: a process that is killed sends no more.
        dead = [killed, *(task for task in asyncio.all_tasks() if task.get_name().startswith("delivery "))]
        for task in dead:
            task.cancel()
        await asyncio.gather(*dead, return_exceptions=True)
        # What the one that was killed was sending waits for the end of its lease; nobody waits for that here.
        await pool.execute("UPDATE webhook_deliveries SET leased_until = now() WHERE state = 'waiting'")
        await receiver.start()
        async with running(sender(pool, db_url, timeout_s=1), sender(pool, db_url, timeout_s=1)):
            done = "SELECT count(*) = 12 FROM webhook_deliveries WHERE state = 'delivered'"
            await until(lambda: pool.fetchval(done), "all have been delivered")
        listed = (await client.get("/v1/subscriptions/inspection/webhook")).json()
        assert (listed["waiting"], listed["dead"], listed["failing_since"]) == (0, 0, None)
    now = int(datetime.now(UTC).timestamp())
    assert all(verified(secret, one.headers, one.body, now) for one in receiver.got)
    told = [(one.data["id"], one.data["version"]) for one in receiver.accepted]
    assert set(told) == set(wanted)
    versions = defaultdict(list)
    for id, version in told:
        versions[id].append(version)
    assert all(found == sorted(found) for found in versions.values())
    assert receiver.twice_at_once == []
    ids = {(one.data["id"], one.data["version"]): one.id for one in receiver.got}
    assert len(set(ids.values())) == len(ids)  # one id for one version, however often it is sent
    kept = await pool.fetch("SELECT DISTINCT answer, error FROM webhook_attempts")
    assert all(len(row["answer"] or "") <= 500 for row in kept)
    errors = "".join(row["error"] or "" for row in kept)
    assert all(word in errors for word in ("转向", "500", "1 秒内没有答复", "连接失败"))


async def test_dead_letters_are_looked_at_and_sent_again(
    pool: asyncpg.Pool, db_url: str, receiver: Receiver
) -> None:
    base = "/v1/subscriptions/inspection/webhook"
    receiver.does = lambda: "fail"
    async with live(pool, db_url, settings=LOCAL) as (client, _):
        await subscribe(client, receiver, envelope="cloudevents")
        async with running(sender(pool, db_url, Schedule([0.01, 0.01], 5, 90))):
            (alert,) = await publish(pool, judgement("order:o1:0"))

            async def dead() -> Any:
                return (await client.get(f"{base}/deliveries", params={"state": "dead"})).json()["items"]

            await until(dead, "it was given up")
            (letter,) = await dead()
            assert (letter["alert"], letter["attempts"], letter["due_at"]) == (alert.id, 3, None)
            looked_at = (await client.get(f"{base}/deliveries/{letter['id']}")).json()
            assert [(t["status"], t["answer"]) for t in looked_at["tried"]] == [(500, "数据库故障")] * 3
            receiver.does = lambda: "ok"
            assert (await client.post(f"{base}/deliveries/{letter['id']}/resend")).json()[
                "state"
            ] == "waiting"
            await until(lambda: receiver.accepted, "it was sent again")
            assert receiver.accepted[0].headers["content-type"] == "application/cloudevents+json"
            check_cloud_event(orjson.loads(receiver.accepted[0].body))
            assert len({one.id for one in receiver.got}) == 1
            # Set back: it is delivered once more.
            seek = {"sequence": 0, "webhook": True}
            assert (await client.post("/v1/subscriptions/inspection/seek", json=seek)).status_code == 200
            await until(lambda: len(receiver.accepted) == 2, "it was delivered again")
            tested = (await client.post(f"{base}/test")).json()
            assert (tested["delivered"], tested["attempt"]["answer"]) == (True, "thanks")
            # The address is not used any more: the receiver says so.
            receiver.does = lambda: "gone"
            await publish(pool, judgement("order:o2:0"))
            await until(
                lambda: pool.fetchval("SELECT disabled_at IS NOT NULL FROM webhooks"), "it is disabled"
            )
            assert "410" in (await client.get(base)).json()["disabled_reason"]
            receiver.does = lambda: "ok"
            url = f"http://127.0.0.1:{receiver.port}/hook"
            assert (await client.put(base, json={"url": url})).json()["enabled"]
            await until(lambda: len(receiver.accepted) == 4, "what waited is delivered")  # with the test
        check_problem(await client.get(f"{base}/deliveries/99"), 404)
        check_problem(await client.post(f"{base}/deliveries/99/resend"), 404)
        assert await pool.fetchval("SELECT count(*) FROM webhook_attempts") == 7
        assert (await client.delete(base)).status_code == 204
        check_problem(await client.get(base), 404, "PUT")
        assert await pool.fetchval("SELECT count(*) FROM webhook_secrets") == 0


async def test_a_webhook_that_fails_for_days_is_disabled_and_secrets_change_in_peace(
    pool: asyncpg.Pool, db_url: str, receiver: Receiver
) -> None:
    base = "/v1/subscriptions/inspection/webhook"
    async with live(pool, db_url, settings=LOCAL) as (client, _):
        old = await subscribe(client, receiver)
        made = (await client.post(f"{base}/secret", json={"keep_old_s": 3600})).json()
        new, now = made["secret"], int(datetime.now(UTC).timestamp())
        assert datetime.fromisoformat(made["old_expires_at"]) > datetime.now(UTC) + timedelta(minutes=50)
        async with running(sender(pool, db_url)):
            await publish(pool, judgement("order:o1:0"))
            await until(lambda: receiver.accepted, "it arrives")
            (one,) = receiver.accepted
            assert len(one.headers["webhook-signature"].split()) == 2
            assert verified(old, one.headers, one.body, now)
            assert verified(new, one.headers, one.body, now)
            await client.post(f"{base}/secret", json={"keep_old_s": 0})
            await publish(pool, judgement("order:o2:0"))
            await until(lambda: len(receiver.accepted) == 2, "it arrives")
            assert not verified(old, receiver.got[1].headers, receiver.got[1].body, now)
            assert not verified(new, receiver.got[1].headers, receiver.got[1].body, now)
            receiver.does = lambda: "fail"
            await publish(pool, judgement("order:o3:0"))
            await until(lambda: len(receiver.got) >= 4, "it fails")
            await pool.execute("UPDATE webhooks SET failing_since = now() - interval '6 days'")
            await until(
                lambda: pool.fetchval("SELECT disabled_at IS NOT NULL FROM webhooks"), "it is disabled"
            )
        shown = (await client.get(base)).text
        assert "连续 5 天推送失败" in shown
        assert "whsec" not in shown


async def test_delivery_stops_with_the_right_of_the_owner(
    pool: asyncpg.Pool, db_url: str, receiver: Receiver
) -> None:
    async with live(pool, db_url, settings=LOCAL) as (client, _):
        await subscribe(client, receiver)
        one = sender(pool, db_url)
        async with running(one):
            await publish(pool, judgement("order:o1:0"))
            await until(lambda: receiver.accepted, "it arrives")
            token = await pool.fetchval("SELECT owner_id FROM subscriptions")
            assert await revoke_token(pool, token)
            await publish(pool, judgement("order:o2:0"))
            for _ in range(3):
                await one.turn()
            assert len(receiver.got) == 1
            await pool.execute("UPDATE api_tokens SET revoked_at = NULL WHERE id = $1", token)
            await until(lambda: len(receiver.accepted) == 2, "nothing was skipped")


async def test_the_owner_is_who_it_is_now(pool: asyncpg.Pool) -> None:
    """People and clients own subscriptions, too: what they may is looked up while they are away."""

    async def reach(kind: Kind, id: str) -> frozenset[str] | None:
        subject = await subject_by_id(pool, kind, id)
        return frozenset() if subject is None else subject.reach("alerts:read")

    await pool.execute("INSERT INTO organisations (id, name) VALUES ('o', '单位')")
    await pool.execute("INSERT INTO users (id, name, created_by) VALUES ('zhang', '张三', 'x')")
    assert await reach(Kind.USER, "zhang") == frozenset()
    grant = "INSERT INTO role_grants (user_id, role, organisation, valid_from, granted_by) VALUES ('zhang', 'inspector', 'o', $1, 'x')"
    await pool.execute(grant, datetime.now(UTC) - timedelta(days=1))
    assert await reach(Kind.USER, "zhang") == frozenset({"o"})
    await pool.execute("UPDATE users SET disabled_at = now()")
    assert await reach(Kind.USER, "zhang") == frozenset()
    await pool.execute(
        "INSERT INTO clients (id, name, scopes, created_by) VALUES ('jw', '纪委平台', '{alerts:read}', 'x')"
    )
    assert await reach(Kind.CLIENT, "jw") == frozenset()  # it has no secret to come in with
    await pool.execute(
        "INSERT INTO client_secrets (id, client_id, sha256, created_by) VALUES ('s', 'jw', sha256('x'), 'x')"
    )
    assert await reach(Kind.CLIENT, "jw") is None  # everywhere
    await pool.execute("UPDATE client_secrets SET revoked_at = now()")
    assert await reach(Kind.CLIENT, "jw") == frozenset()
    assert await reach(Kind.TOKEN, "nobody") == await reach(Kind.PROGRAM, "x") == frozenset()


async def test_targets_that_are_refused_are_refused_at_once(pool: asyncpg.Pool, db_url: str) -> None:
    async with live(pool, db_url) as (client, _):
        await client.put("/v1/subscriptions/x", json={})
        for url in (
            "http://example.cn/",
            "https://10.0.0.1/",
            "https://u:p@example.cn/",
            "https://example.cn:22/",
            "x",
        ):
            answer = await client.put("/v1/subscriptions/x/webhook", json={"url": url})
            check_problem(answer, 422, "/url")
        check_problem(await client.get("/v1/subscriptions/x/webhook"), 404)
        check_problem(
            await client.put("/v1/subscriptions/none/webhook", json={"url": "https://example.cn/"}), 404
        )


async def test_what_waits_is_counted(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        assert set((await deliveries.state(connection)).values()) == {0.0}
        number = await connection.fetchval(
            "INSERT INTO subscriptions (owner_kind, owner_id, name) VALUES ('token', 'x', 'x') RETURNING no"
        )
        await connection.execute(
            "INSERT INTO webhooks (subscription_no, url, filled, failing_since) VALUES ($1, 'https://receiver.example.cn/', 0, now())",
            number,
        )
        await connection.execute(
            "INSERT INTO webhook_deliveries (subscription_no, seq, alert_id, version, organisation, state, created_at, ended_at)"
            " VALUES ($1, 1, 'a', 1, 'o', 'waiting', now() - interval '1 hour', NULL), ($1, 2, 'a', 2, 'o', 'waiting', now(), NULL),"
            " ($1, 3, 'a', 3, 'o', 'dead', now(), now())",
            number,
        )
        found = await deliveries.state(connection)
        assert found.pop("oldest_s") == pytest.approx(3600, abs=60)
        assert found == {"waiting": 2, "dead": 1, "failing": 1, "disabled": 0}


async def test_secrets_are_sealed_and_old_ones_get_sealed(
    pool: asyncpg.Pool, db_url: str, receiver: Receiver
) -> None:
    """A secret that an earlier release left as it was signs on, before and after it is sealed, beside a new one."""
    async with live(pool, db_url, settings=LOCAL) as (client, _):
        new = await subscribe(client, receiver)
        number = await pool.fetchval("SELECT no FROM subscriptions")
        plain = b"p" * 32
        await pool.execute("UPDATE webhook_secrets SET expires_at = now() + interval '1 hour'")
        await pool.execute(
            "INSERT INTO webhook_secrets (subscription_no, secret) VALUES ($1, $2)", number, plain
        )
        old, now = signatures.shown(plain), int(datetime.now(UTC).timestamp())
        async with running(sender(pool, db_url)):
            for k in range(2):
                await publish(pool, judgement(f"order:o{k}:0"))
                await until(lambda n=k + 1: len(receiver.accepted) == n, "it arrives")  # type: ignore[misc]
                one = receiver.accepted[k]
                assert verified(old, one.headers, one.body, now)
                assert verified(new, one.headers, one.body, now)
                async with pool.acquire() as connection:
                    assert await seal_secrets(connection, LOCAL) == 1 - k
                    await check_secrets(connection, LOCAL)
        rows = await pool.fetch("SELECT secret, sealed FROM webhook_secrets")
        assert len(rows) == 2
        assert all(row["secret"] is None and plain not in row["sealed"] for row in rows)
        # Put at another webhook it does not open, nor with another key; whoever sends says so at its start.
        await pool.execute("UPDATE webhook_secrets SET sealed = sealed || 'x' WHERE expires_at IS NULL")
        async with pool.acquire() as connection:
            with pytest.raises(ConfigurationError, match="密钥"):
                await check_secrets(connection, LOCAL)
        noted = await pool.fetchval("SELECT string_agg(COALESCE(after::text, ''), '') FROM audit")
        assert "whsec" not in noted


async def test_a_deliverer_without_the_key_makes_none(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    """On another machine it would be another key: it says so, and what it cannot seal it leaves."""
    number = await pool.fetchval(
        "INSERT INTO subscriptions (owner_kind, owner_id, name) VALUES ('token', 'x', 'x') RETURNING no"
    )
    await pool.execute(
        "INSERT INTO webhooks (subscription_no, url, filled) VALUES ($1, 'https://receiver.example.cn/', 0)",
        number,
    )
    await pool.execute(
        "INSERT INTO webhook_secrets (subscription_no, secret) VALUES ($1, $2)", number, b"p" * 32
    )
    bare = Settings(data_dir=tmp_path)
    async with pool.acquire() as connection:
        await check_secrets(connection, bare)
        assert not (tmp_path / "identity.key").exists()
        assert await seal_secrets(connection, LOCAL) == 1  # an API that has the key
        with pytest.raises(ConfigurationError, match="identity"):
            await check_secrets(connection, bare)


async def test_a_fault_of_one_webhook_stops_no_other(
    pool: asyncpg.Pool, db_url: str, receiver: Receiver
) -> None:
    """An error of SQL (an unknown column, say) is no outage of the database: it is counted, and the others go on."""
    async with live(pool, db_url, settings=LOCAL) as (client, _):
        await subscribe(client, receiver, "broken")
        await subscribe(client, receiver, "works")
        await pool.execute(
            "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'column is not there' USING ERRCODE = 'undefined_column'; END $$"
        )
        broken = await pool.fetchval("SELECT no FROM subscriptions WHERE name = 'broken'")
        await pool.execute(
            f"CREATE TRIGGER fails BEFORE INSERT ON webhook_deliveries FOR EACH ROW WHEN (NEW.subscription_no = {broken})"
            " EXECUTE FUNCTION fails()"
        )
        before = FAULTS.labels("webhook")._value.get()
        one = sender(pool, db_url)
        async with running(one):
            await publish(pool, judgement("order:o1:0"))
            await until(lambda: receiver.accepted, "the other one is delivered")
            await until(lambda: FAULTS.labels("webhook")._value.get() > before, "the fault is counted")
            assert one.trouble is None
            await pool.execute("DROP TRIGGER fails ON webhook_deliveries")
            await until(lambda: len(receiver.accepted) == 2, "and what waited is made up for")
