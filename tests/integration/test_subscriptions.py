"""Named subscriptions, receipts and dispositions, over HTTP on a real PostgreSQL."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from api.app import create_app
from api.http import make_cursor, read_cursor
from office.identity.tokens import create_token
from runtime.settings import Settings
from tests.integration.test_api_service import check_problem, judgement, publish, serve
from tests.integration.test_feed_live import withdrawal
from tests.unit.test_alert_events import check_cloud_event

BASE = "/v1/subscriptions/inspection"


def seq_of(cursor: str) -> int:
    place = read_cursor("feed", cursor, int)
    assert place is not None
    return int(place[0])


async def put(client: httpx.AsyncClient, path: str = BASE, **body: Any) -> httpx.Response:
    return await client.put(path, json=body)


async def commit(client: httpx.AsyncClient, page: dict[str, Any], **changes: Any) -> httpx.Response:
    body = {"cursor": page["next"], "expected": page["cursor"]} | changes
    return await client.post(f"{BASE}/commit", json=body)


async def test_read_confirm_and_go_on(pool: asyncpg.Pool) -> None:
    await publish(pool, *(judgement(f"order:o{k}:0", 3000 + k) for k in range(5)))
    async with serve(pool) as client:
        assert (await put(client)).status_code == 201
        assert (await put(client)).status_code == 200
        page = (await client.get(f"{BASE}/entries", params={"limit": 2})).json()
        again = (await client.get(f"{BASE}/entries", params={"limit": 2})).json()
        assert page == again  # reading moves nothing
        ahead = (await client.get(f"{BASE}/entries", params={"limit": 2, "cursor": page["next"]})).json()
        assert [a["id"] for a in page["items"]] != [a["id"] for a in ahead["items"]]
        done = await commit(client, page)
        assert (done.status_code, done.json()["cursor"]) == (200, page["next"])
        assert (await commit(client, page)).status_code == 200  # twice does no harm
        # Another reader, who read beside it, is told where the subscription stands and goes on from there.
        late = await commit(client, page, cursor=ahead["next"])
        check_problem(late, 409, page["next"])
        assert late.headers["gongche-cursor"] == page["next"]
        check_problem(await commit(client, page, cursor=page["cursor"]), 409)  # never backwards
        rest = (await client.get(f"{BASE}/entries")).json()
        assert len(rest["items"]) == 3
        for wrong in ("x", make_cursor("alerts", 1), make_cursor("feed", 10**9)):
            check_problem(await commit(client, rest, cursor=wrong), 422, "/cursor")
        shown = (await client.get(BASE)).json()
        assert (shown["lag"]["entries"], shown["lag"]["more"]) == (3, False)
        assert datetime.fromisoformat(shown["lag"]["oldest_at"]) <= datetime.now(UTC)
        assert (await commit(client, rest)).status_code == 200
        assert (await client.get(BASE)).json()["lag"] == {"entries": 0, "more": False, "oldest_at": None}
        async with serve(pool) as other:  # of the same name, and another one's
            check_problem(await other.get(BASE), 404)
            check_problem(await other.get(f"{BASE}/entries"), 404)
            assert (await other.get("/v1/subscriptions")).json() == {"items": []}
        assert [s["name"] for s in (await client.get("/v1/subscriptions")).json()["items"]] == ["inspection"]
        assert (await client.delete(BASE)).status_code == 204
        check_problem(await client.delete(BASE), 404)


async def test_what_a_subscription_is_to_get(pool: asyncpg.Pool) -> None:
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('city', '市'), ('other', '另一单位')")
    await pool.execute("INSERT INTO organisations (id, name, parent) VALUES ('finance', '财政局', 'city')")
    await publish(pool, judgement("order:o1:0"), judgement("order:o2:0"))
    await publish(pool, withdrawal("order:o1:0"))
    async with serve(pool) as client:
        cases: list[tuple[dict[str, Any], list[int]]] = [
            ({"organisations": ["city"]}, [1, 1, 2]),
            ({"organisations": ["other"]}, []),
            ({"rules": ["destination"], "statuses": ["withdrawn"]}, [2]),
            ({"rules": ["location"]}, []),
            ({"severities": ["medium", "low"]}, [1, 1, 2]),
            ({"severities": ["high"]}, []),
        ]
        for body, versions in cases:
            assert (await put(client, **body)).is_success
            page = (await client.get(f"{BASE}/entries")).json()
            assert [a["version"] for a in page["items"]] == versions, body
            assert seq_of(page["next"]) == 3  # also past what is not for it
        batch = await client.get(f"{BASE}/entries", headers={"Accept": "application/cloudevents-batch+json"})
        assert batch.headers["content-type"] == "application/cloudevents-batch+json"
        assert (batch.json(), seq_of(batch.headers["gongche-next"])) == ([], 3)
        await put(client, envelope="cloudevents")
        events = await client.get(f"{BASE}/entries")
        for event in events.json():
            check_cloud_event(event)
        assert [e["type"].split(".")[3] for e in events.json()] == ["suspected", "suspected", "withdrawn"]
        feed = await client.get("/v1/alerts/feed", headers={"Accept": "application/cloudevents-batch+json"})
        assert feed.json() == events.json()
        assert (await put(client, "/v1/subscriptions/new", begin="now")).json()["sequence"] == 3
        refused: list[dict[str, Any]] = [
            {"rules": ["x"]},
            {"rules": []},
            {"statuses": ["guilty"]},
            {"more": 1},
            {"organisations": ["\u0000"]},
        ]
        for body in refused:
            check_problem(await put(client, **body), 422)
        check_problem(await client.put(BASE, content=b"[", headers={"Content-Type": "application/json"}), 400)
        check_problem(await put(client, "/v1/subscriptions/Bad"), 422)


async def test_replay_from_a_time_or_a_place(pool: asyncpg.Pool) -> None:
    for k in range(6):
        await publish(pool, judgement(f"order:o{k}:0", 3000 + k))
    times = [r["created_at"] for r in await pool.fetch("SELECT created_at FROM alert_feed ORDER BY seq")]
    # Written in a transaction that began early and ended late: later in the feed, of an earlier time.
    await pool.execute("UPDATE alert_feed SET created_at = $1 WHERE seq = 5", times[1])
    async with serve(pool) as client:
        await put(client)

        async def seek(**body: Any) -> int:
            answer = await client.post(f"{BASE}/seek", json=body)
            assert answer.status_code == 200, answer.text
            return int(answer.json()["sequence"])

        assert await seek(time=times[3].isoformat()) == 3
        assert await seek(time=times[1].isoformat()) == 1
        assert await seek(time=(times[5] + timedelta(hours=1)).isoformat()) == 6
        assert await seek(sequence=2) == 2
        assert await seek(cursor=make_cursor("feed", 4)) == 4
        page = (await client.get(f"{BASE}/entries")).json()
        assert len(page["items"]) == 2
        await seek(sequence=0)
        check_problem(await commit(client, page), 409)  # who read before the replay does not end it
        for wrong in (
            {},
            {"sequence": 1, "cursor": page["next"]},
            {"sequence": 7},
            {"sequence": -1},
            {"time": "2026-03-02"},
        ):
            check_problem(await client.post(f"{BASE}/seek", json=wrong), 422)


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_skipped_whatever_readers_do(pool: asyncpg.Pool, seed: int) -> None:
    """Two readers of one subscription who read, confirm, crash, are set back: what they get is always the feed behind the
    place, in order, and what is behind the place was once read by somebody who confirmed it."""
    chance = random.Random(seed)
    feed: list[tuple[str, int]] = []
    place = 0  # as it must be
    async with serve(pool) as client:
        await put(client)
        pages: list[dict[str, Any] | None] = [None, None]
        for step in range(60):
            who, what = (
                chance.randrange(2),
                chance.choice(["publish", "read", "read", "commit", "commit", "crash", "seek"]),
            )
            page = pages[who]
            if what == "publish":
                found = [judgement(f"order:{seed}-{step}-{k}:0") for k in range(chance.randrange(1, 4))]
                feed += [(a.id, a.version) for a in sorted(await publish(pool, *found), key=lambda a: a.id)]
            elif what == "read":
                limit = chance.randrange(1, 5)
                page = pages[who] = (await client.get(f"{BASE}/entries", params={"limit": limit})).json()
                assert seq_of(page["cursor"]) == place
                assert [(a["id"], a["version"]) for a in page["items"]] == feed[place : place + limit]
                assert seq_of(page["next"]) == place + len(page["items"])
            elif what == "commit" and page is not None:
                answer = await commit(client, page)
                if place in (seq_of(page["cursor"]), seq_of(page["next"])):
                    assert answer.status_code == 200
                    place = seq_of(page["next"])
                else:
                    check_problem(answer, 409)
                assert seq_of(answer.headers["gongche-cursor"]) == place
            elif what == "crash":
                pages[who] = None
            elif what == "seek" and chance.random() < 0.4:
                place = chance.randrange(len(feed) + 1)
                assert (await client.post(f"{BASE}/seek", json={"sequence": place})).status_code == 200
        seen: list[tuple[str, int]] = []
        while items := (page := (await client.get(f"{BASE}/entries", params={"limit": 3})).json())["items"]:
            seen += [(a["id"], a["version"]) for a in items]
            assert (await commit(client, page)).status_code == 200
        assert seen == feed[place:]


async def test_receipts_and_dispositions(pool: asyncpg.Pool) -> None:
    (alert,) = await publish(pool, judgement("order:o1:0"))
    base = f"/v1/alerts/{alert.id}"
    async with serve(pool) as client:
        overdue = (await client.get("/v1/alerts/unconfirmed", params={"hours": 0})).json()
        assert [a["id"] for a in overdue["items"]] == [alert.id]
        assert (await client.get("/v1/alerts/unconfirmed")).json()["items"] == []  # not for a day yet
        receipt = {"version": 1, "received_by": "纪委平台"}
        first = await client.put(f"{base}/receipt", json=receipt)
        again = await client.put(f"{base}/receipt", json=receipt | {"received_by": "别人"})
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert (await client.get("/v1/alerts/unconfirmed", params={"hours": 0})).json()["items"] == []
        await publish(pool, withdrawal("order:o1:0"))
        (waits,) = (await client.get("/v1/alerts/unconfirmed", params={"hours": 0})).json()["items"]
        assert waits["version"] == 2  # a new version wants a receipt of its own
        codes = (await client.get("/v1/disposition-codes")).json()["items"]
        assert {c["zh"] for c in codes} == {
            "谈话函询",
            "初步核实",
            "立案审查调查",
            "暂存待查",
            "予以了结",
            "移送",
        }
        said = {
            "id": "2026-001",
            "code": "preliminary_check",
            "note": "已约谈\n待核实",
            "decided_by": "张三",
            "version": 1,
        }
        made = await client.post(f"{base}/dispositions", json=said)
        assert (made.status_code, made.json()["zh"]) == (201, "初步核实")
        assert (await client.post(f"{base}/dispositions", json=said)).status_code == 200
        check_problem(await client.post(f"{base}/dispositions", json=said | {"note": "x"}), 409, "/id")
        check_problem(
            await client.post(f"{base}/dispositions", json=said | {"id": "2", "code": "nothing"}),
            422,
            "谈话函询",
        )
        check_problem(
            await client.post(f"{base}/dispositions", json=said | {"id": "2", "version": 9}), 422, "/version"
        )
        code = {"zh": "了结", "en": "closed", "active": False}
        path, seen = "/v1/disposition-codes/closed", code | {"revision": 1}
        changed = await client.put(path, json=seen)
        assert (changed.status_code, changed.json()["revision"]) == (200, 2)
        # Of two who saw the same, the second is told; so is who thinks that there is none, or one that there is not.
        for stale, where, now in (
            (seen, path, 2),
            (code | {"revision": 0}, path, 2),
            (seen, f"{path}_not", 0),
        ):
            refused = await client.put(where, json=stale)
            check_problem(refused, 409, "/revision")
            assert refused.json()["revision"] == now
        assert (await client.put(path, json=code)).status_code == 422
        made = await client.put("/v1/disposition-codes/warned", json=code | {"active": True, "revision": 0})
        assert (made.status_code, made.json()["revision"]) == (201, 1)
        check_problem(
            await client.post(f"{base}/dispositions", json=said | {"id": "2", "code": "closed"}), 422
        )
        later = said | {"id": "2", "code": "warned", "version": None}
        assert (await client.post(f"{base}/dispositions", json=later)).json()["version"] == 2
        shown = (await client.get(base)).json()
        assert [(r["version"], r["received_by"], r["subject"]) for r in shown["receipts"]] == [
            (1, "纪委平台", "test")
        ]
        assert [(d["code"], d["version"], d["decided_by"]) for d in shown["dispositions"]] == [
            ("preliminary_check", 1, "张三"), ("warned", 2, "张三"),
        ]  # fmt: skip
        for path, method in ((f"{base}x/receipt", "PUT"), (f"{base}x/dispositions", "POST")):
            body = receipt if method == "PUT" else said
            check_problem(await client.request(method, path, json=body), 404)
        check_problem(await client.put(f"{base}/receipt", json=receipt | {"version": 9}), 422)
    for table in ("alert_receipts", "alert_dispositions"):
        for words in ("UPDATE {} SET version = 1", "DELETE FROM {}"):
            with pytest.raises(asyncpg.RaiseError, match="never changed"):
                await pool.execute(words.format(table))


async def test_who_may_not_read_alerts_gets_none_of_a_subscription(pool: asyncpg.Pool) -> None:
    await publish(pool, judgement("order:o1:0"))
    made = await create_token(pool, "manager", ["subscriptions:manage"])
    transport = httpx.ASGITransport(create_app(Settings(), pool, position_sink=None))
    headers = {"Authorization": f"Bearer {made.secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        assert (await put(client)).status_code == 201
        check_problem(await client.get(f"{BASE}/entries"), 403)
        assert (await client.get(BASE)).json()["lag"]["entries"] == 0
        for k in range(49):
            assert (await put(client, f"/v1/subscriptions/s{k}")).status_code == 201
        check_problem(await put(client, "/v1/subscriptions/one-more"), 409, "删除")
