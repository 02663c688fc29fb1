"""Exchange between levels: a county and a city, two real instances. Whatever fails in between, nothing is lost or doubled, and
nobody writes outside of his units."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY

from office.exchange import capture, incoming, outgoing, peers, status
from office.exchange.keeping import drop_taken_back
from office.exchange.kinds import UP
from office.exchange.pulled import take_down
from office.exchange.records import build, json_of
from office.exchange.sender import Exchange
from office.exchange.transport import PeerError, TargetError
from office.identity.scope import Reach
from registry.refusals import RefusedError
from rules.alerts.model import AlertFacts
from runtime.postgres import create_pool
from tests.databases import copy_of
from tests.integration.exchange_site import (
    HISTORY,
    Line,
    Process,
    access_token,
    make_client,
    put,
    put_case,
    ready,
)
from tests.integration.test_api_service import T0, judgement, publish
from tests.ports import free_port
from tests.waiting import until

VEHICLES = 60


@dataclass
class Two:
    """A county (qidong) and its city (nantong), which has another county (rugao)."""

    county: asyncpg.Pool
    city: asyncpg.Pool
    county_dsn: str
    city_dsn: str
    folder: Path


@pytest.fixture
async def two(postgres_dsn: str, template_database: str, tmp_path: Path) -> AsyncIterator[Two]:
    async with (
        copy_of(postgres_dsn, template_database, "county") as county_dsn,
        copy_of(postgres_dsn, template_database, "city") as city_dsn,
    ):
        county, city = await create_pool(county_dsn, max_size=4), await create_pool(city_dsn, max_size=4)
        await put(
            county,
            "organisations",
            {"id": "qidong", "name": "启东市"},
            {"id": "school", "name": "学校", "parent": "qidong"},
        )
        await put(
            county, "vehicles",
            *({"id": f"car-{k}", "plate": f"苏F{k:05}", "organisation": "school"} for k in range(VEHICLES)),
        )  # fmt: skip
        await put(
            county,
            "drivers",
            {"id": "zhang", "name": "张三", "organisation": "school", "phone": "13800000001"},
        )
        order = {
            "id": "order-1", "organisation": "school", "vehicle": "car-1", "driver": "zhang", "purpose": "会议",
            "destinations": [{"name": "如皋", "lat": 32.371, "lon": 120.573, "datum": "gcj02"}],
            "planned_departure": "2026-03-02T08:30:00+08:00", "planned_return": "2026-03-02T17:30:00+08:00",
        }  # fmt: skip
        await put(county, "dispatch-orders", order, order | {"id": "order-2", "vehicle": "car-2"})
        await put_case(county, "case-1", "school")
        await put(
            city, "organisations",
            {"id": "nantong", "name": "南通市"}, {"id": "qidong", "name": "启东市", "parent": "nantong"},
            {"id": "rugao", "name": "如皋市", "parent": "nantong"},
        )  # fmt: skip
        yield Two(county, city, county_dsn, city_dsn, tmp_path)
        county.terminate()
        city.terminate()


async def alert(pool: asyncpg.Pool, name: str, car: int, metres: int = 3000) -> None:
    facts = AlertFacts(
        severity="medium", organisation="school", vehicle=f"car-{car}", plate=f"苏F{car:05}", occurred_from_us=T0,
        occurred_to_us=T0 + 3_600_000_000, order="order-1",
    )  # fmt: skip
    told = {"plate": f"苏F{car:05}", "order": "order-1", "name": "如皋", "number": 1}
    await publish(pool, judgement(f"order:{name}:0", metres, alert=facts, told=told))


async def wanted_of(two: Two) -> dict[tuple[str, str], dict[str, Any]]:
    """What the city should have of the county: (kind, id) -> content."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    everything = {
        "unit": "organisations", "vehicle": "vehicles", "driver": "drivers", "alert": "alerts", "case": "cases", "order": "dispatch_orders",
    }  # fmt: skip
    async with two.county.acquire() as connection:
        for kind in UP:
            ids = [row["id"] for row in await connection.fetch(f"SELECT DISTINCT id FROM {everything[kind]}")]  # noqa: S608
            for told in (await build(connection, kind, ids)).told.values():
                found |= {(kind, one.id): dict(one.payload) for one in told if one.payload is not None}
    del found["unit", "qidong"]  # the city keeps that unit itself
    return found


async def kept_by(two: Two) -> dict[tuple[str, str], dict[str, Any]]:
    rows = await two.city.fetch(
        "SELECT kind, id, payload FROM exchange_records WHERE payload IS NOT NULL AND origin = 'qidong'"
    )
    return {(row["kind"], row["id"]): row["payload"] for row in rows}


async def test_nothing_is_lost_or_doubled_whatever_fails(two: Two) -> None:
    chance = random.Random(3)
    port = free_port()
    await two.city.execute(HISTORY)
    client, secret = await make_client(two.city, "启东", "qidong", "exchange:peer")
    reader, reads = await make_client(two.city, "办公室", "nantong", "exchange:read")
    other, guest = await make_client(two.city, "如皋", "rugao", "exchange:peer")
    async with two.city.acquire() as connection, connection.transaction():
        await peers.set_own_name(connection, "nantong")
        await peers.add_below(connection, "qidong", client)
        await peers.add_below(connection, "rugao", other)
        await connection.execute(
            "INSERT INTO exchange_notices (id, organisation, title, body, published_by) VALUES ('n1', 'nantong', '节前提醒', '封存车辆', '李')"
        )
    api = Process(two.city_dsn, two.folder / "city", "api", HTTP_PORT=str(port))
    url = f"http://127.0.0.1:{port}"
    line = Line(url)
    at_home = two.folder / "county"
    await Process(two.county_dsn, at_home, "exchange", "name", "qidong").run()
    above = (
        "exchange",
        "peer",
        "above",
        "nantong",
        "--url",
        line.url,
        "--client",
        client,
        "--unit",
        "qidong",
    )
    await Process(two.county_dsn, at_home, *above).run(secret + "\n")
    sender = Process(
        two.county_dsn, at_home, "exchange", "run", EXCHANGE_METRICS_PORT="0", EXCHANGE_TIMEOUT_S="3", EXCHANGE_PULL_S="0.2",
        EXCHANGE_MOST_PAUSE_S="0.2",
    )  # fmt: skip
    try:
        await asyncio.gather(api.start(), line.start(), sender.start())
        await ready(url)

        async def served(count: int) -> None:
            target = sum(line.done.values()) + count
            await until(lambda: sum(line.done.values()) >= target, "the sender goes on")

        for k in range(3):
            line.does = lambda: chance.choice(["ok", "swallow", "busy", "ill", "swallow", "stall"])
            for n in range(5):
                await alert(two.county, f"a{chance.randrange(6)}", n, 3000 + 10 * k + n)
                car = chance.randrange(VEHICLES)
                await put(
                    two.county,
                    "vehicles",
                    {
                        "id": f"car-{car}",
                        "plate": f"苏F{car:05}",
                        "organisation": "school",
                        "category": f"{k}{n}",
                    },
                )
            await put_case(two.county, "case-1", "school", k + 2, ("working", "replied")[k % 2])
            await served(2)
            await sender.kill()
            await sender.start()
            if k % 2:
                await api.kill()
                await served(1)
                await api.start()
                await ready(url)
        # A vehicle becomes secret after the city has heard of it, with what names it.
        await alert(two.county, "of-a-secret-one", 1)
        await two.county.execute("UPDATE vehicles SET secret = true WHERE id = 'car-1'")
        await put_case(two.city, "assigned-1", "qidong")
        await put_case(two.city, "assigned-2", "rugao")
        line.does = lambda: "ok"

        async def same() -> bool:
            waiting = await two.county.fetchval("SELECT count(*) FROM exchange_queue")
            done = await two.county.fetchval("SELECT snapshot_kind IS NULL FROM exchange_states")
            return not waiting and done and await kept_by(two) == await wanted_of(two)

        await until(same, "the city has what the county has")

        async def pulled() -> bool:
            rows = await two.county.fetch("SELECT kind, id FROM exchange_records WHERE origin = 'nantong'")
            found = {(row["kind"], row["id"]) for row in rows}
            assert ("assignment", "assigned-2") not in found  # of another county
            return {("assignment", "assigned-1"), ("notice", "n1"), ("code", "dispositions/closed")} <= found

        await until(pulled, "the county has what is for it")

        # The account: each version once, in order for its record; the city never judged anything of it.
        versions = defaultdict(list)
        for row in await two.city.fetch("SELECT kind, id, version FROM history ORDER BY n"):
            versions[row["kind"], row["id"]].append(row["version"])
        assert all(found == sorted(set(found)) for found in versions.values())
        assert await two.city.fetchval("SELECT count(*) FROM vehicles") == 0
        assert await two.county.fetchval("SELECT bool_and(confirmed) FROM exchange_sent")
        assert line.done["swallow"] > 1 and line.done["busy"] + line.done["ill"] > 1  # noqa: PT018

        # Secret: masked, no plate, no trip, nothing that names it; what was told before is taken back.
        masked = await two.county.fetchval("SELECT masked_id('vehicle', 'car-1')")
        rows = await two.city.fetch(
            "SELECT kind, id, payload, version FROM exchange_records WHERE origin = 'qidong'"
        )
        kept = {(row["kind"], row["id"]): row for row in rows}
        assert kept["vehicle", masked]["payload"]["plate"] == ""
        assert {
            row["payload"]["vehicle"]
            for row in rows
            if row["kind"] == "alert" and row["payload"] and row["payload"]["secret"]
        } == {masked}
        texts = " ".join(str(row["payload"]) for row in rows)
        assert not any(word in texts for word in ("苏F00001", "'car-1'"))
        for key in (("vehicle", "car-1"), ("order", "order-1")):
            assert kept[key]["payload"] is None

        # How it stands, for people.
        office = {"Authorization": f"Bearer {await access_token(url, reader, reads)}"}
        async with httpx.AsyncClient(base_url=url, headers=office) as people:
            listed = (await people.get("/v1/exchange/records", params={"kind": "alert", "limit": "4"})).json()
            assert len(listed["items"]) == 4
            rest = (
                await people.get("/v1/exchange/records", params={"kind": "alert", "cursor": listed["next"]})
            ).json()
            alerts = await two.county.fetchval("SELECT count(*) FROM alerts")
            assert len({one["id"] for one in listed["items"] + rest["items"]}) == alerts
            counts = (await people.get("/v1/exchange/counts")).json()["items"]
            assert {(c["kind"], c["status"]): c["records"] for c in counts}["alert", "suspected"] == alerts
            one = listed["items"][0]
            assert (await people.get(f"/v1/exchange/records/{one['no']}")).json() == one
            state = (await people.get("/v1/exchange/peers/qidong")).json()
            arrived = {row["kind"]: row for row in state["arrived"]}
            assert arrived["vehicle"]["kept"] == VEHICLES  # without the one that was taken back
            assert all(not row["missing"] for row in arrived.values())
        own = await Process(two.county_dsn, at_home, "exchange", "status").run()
        assert "被拒 / refused 0" in own

        await strangers(two, url, client, secret, other, guest)
    finally:
        await sender.kill()
        await api.kill()
        await line.stop()


def record(id: str, unit: str, version: int = 1, origin: str = "rugao", **more: Any) -> dict[str, Any]:
    payload = {"organisation": unit, "name": "李四"} | more
    return {
        "kind": "driver",
        "origin": origin,
        "id": id,
        "version": version,
        "organisation": unit,
        "payload": payload,
    }


async def strangers(two: Two, url: str, client: str, secret: str, other: str, guest: str) -> None:
    """What a peer may not do, over the API as it runs."""
    await put(two.city, "drivers", {"id": "ours", "name": "王五", "organisation": "rugao"})
    headers = {"Authorization": f"Bearer {await access_token(url, other, guest)}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as rugao:

        async def hand_in(*records: Any, source: str = "rugao") -> Any:
            answer = await rugao.post(
                "/v1/exchange/records", json={"source": source, "records": list(records)}
            )
            return (
                answer
                if answer.status_code != 200
                else [(r["outcome"], r["code"]) for r in answer.json()["results"]]
            )

        before = await kept_by(two)
        assert await hand_in(
            record("d1", "rugao"),
            record("d2", "qidong"),  # the unit of another county
            record("d3", "school"),  # a unit that came from another county
            record("zhang", "rugao", origin="qidong"),  # a record of another county
            record("d4", "rugao", origin="nantong"),  # ours
            record("ours", "rugao"),  # an id of ours
            record("d5", "nowhere"),
            record("d6", "nantong"),  # above it
            record("d7", "rugao", name="x\0"),
            record("d8", "rugao", version=0),
            record("d1", "rugao", 2, name="李五"),
            record("d1", "rugao", 1, name="李六"),
            record("d1", "rugao", 2, name="李七"),
            record("d1", "rugao", 2, name="李五"),
            record("d9", "rugao", 2) | {"payload": None},  # taken back before it came
            record("d9", "rugao", 1),
            {"kind": "track"},
        ) == [
            ("stored", None),
            ("refused", "out-of-scope"),
            ("refused", "out-of-scope"),
            ("refused", "foreign-origin"),
            ("refused", "own-origin"),
            ("refused", "own-id"),
            ("refused", "unknown-unit"),
            ("refused", "out-of-scope"),
            ("refused", "invalid"),
            ("refused", "invalid"),
            ("stored", None),
            ("refused", "stale"),
            ("refused", "version-reused"),
            ("unchanged", None),
            ("stored", None),
            ("refused", "stale"),
            ("refused", "invalid"),
        ]
        assert (await hand_in(7)).status_code == 422
        assert await kept_by(two) == before
        kept = await two.city.fetchrow("SELECT version, payload FROM exchange_records WHERE id = 'd1'")
        assert (kept["version"], kept["payload"]["name"]) == (2, "李五")
        assert (await hand_in(source="qidong")).status_code == 403
        assert (await rugao.get("/v1/exchange/records")).status_code == 403
        down = (await rugao.get("/v1/exchange/down", params={"most": "200"})).json()["records"]
        assert "assigned-1" not in {one["id"] for one in down}
        await two.city.execute("UPDATE exchange_peers SET enabled = false WHERE name = 'rugao'")
        assert (await hand_in()).status_code == 403


async def hand_over(two: Two, changes: Any = None) -> list[tuple[str, str | None]]:
    """One batch from the county to the city, without a line in between; ``changes``: called while it is on its way."""
    async with two.county.acquire() as connection, connection.transaction():
        while await capture.capture(connection, "nantong", UP):
            pass
        batch = await outgoing.prepare(connection, "nantong", ["qidong"])
    given = [json_of(piece.told, "qidong") for piece in batch.pieces]
    async with two.city.acquire() as connection, connection.transaction():
        peer = await peers.find_peer(connection, "qidong")
        assert peer is not None
        await connection.execute(Reach(frozenset({"qidong"}), "client:qidong").sql())
        assert await incoming.lock_peer(connection, "qidong")
        results = await incoming.take(connection, peer, given)
    if changes is not None:
        await changes()
    async with two.county.acquire() as connection, connection.transaction():
        await outgoing.note(connection, "nantong", batch, results)
    return [(one.outcome, one.code) for one in results]


@pytest.fixture
async def joined(two: Two) -> Two:
    """Both know each other."""
    client, _ = await make_client(two.city, "启东", "qidong", "exchange:peer")
    async with two.city.acquire() as connection, connection.transaction():
        await peers.set_own_name(connection, "nantong")
        await peers.add_below(connection, "qidong", client)
        await peers.add_above(connection, "jiangsu", "https://js.example.cn", "c", b"s", ["nantong"])
    async with two.county.acquire() as connection, connection.transaction():
        await peers.set_own_name(connection, "qidong")
        await peers.add_above(connection, "nantong", "https://nt.example.cn", "c", b"s", ["qidong"])
    return two


async def test_what_a_city_received_goes_on_with_its_origin_and_leaves_with_its_unit(joined: Two) -> None:
    two = joined

    async def moved_on() -> None:
        # While the batch is on its way the car gets another category, and its driver goes to a unit that nobody is told of.
        await put(
            two.county,
            "vehicles",
            {"id": "car-1", "plate": "苏F00001", "organisation": "school", "category": "轿车"},
        )
        await put(two.county, "organisations", {"id": "secret-unit", "name": "其他"})
        await put(two.county, "drivers", {"id": "zhang", "name": "张三", "organisation": "secret-unit"})

    first = await hand_over(two, moved_on)
    assert set(first) == {("stored", None), ("known", None)}
    assert sorted(await hand_over(two)) == [("stored", None)] * 2
    assert await hand_over(two) == []  # nothing is said twice
    wanted = await wanted_of(two)
    del wanted["unit", "secret-unit"], wanted["driver", "zhang"]
    assert await kept_by(two) == wanted
    driver = await two.city.fetchrow("SELECT version, payload FROM exchange_records WHERE kind = 'driver'")
    assert (driver["version"], driver["payload"]) == (2, None)  # taken back
    # The city tells the province of its own records and of those of the county, under the county's name.
    async with two.city.acquire() as connection, connection.transaction():
        while await capture.capture(connection, "jiangsu", UP):
            pass
        batch = await outgoing.prepare(connection, "jiangsu", ["nantong"])
    told = {
        (piece.told.kind, json_of(piece.told, "nantong")["origin"], piece.told.id) for piece in batch.pieces
    }
    assert {
        ("unit", "nantong", "rugao"),
        ("unit", "qidong", "school"),
        ("vehicle", "qidong", "car-1"),
    } <= told
    assert ("driver", "qidong", "zhang") not in told
    # Half of a batch that is written is not written at all: the city does not know of it.
    assert all(piece.told.version == 1 for piece in batch.pieces)


async def test_dead_letters_and_a_database_that_was_restored(joined: Two) -> None:
    two = joined
    await put(two.city, "drivers", {"id": "zhang", "name": "王五", "organisation": "rugao"})
    assert ("refused", "own-id") in await hand_over(two)
    async with two.county.acquire() as connection:
        (letter,) = await status.refusals(connection, "nantong", 10)
        assert (letter["kind"], letter["id"], letter["code"]) == ("driver", "zhang", "own-id")
        (driver,) = [row for row in await status.outgoing(connection, "nantong") if row["kind"] == "driver"]
        assert (driver["waiting"], driver["refused"]) == (0, 1)
        assert await capture.resend(connection, "nantong", "driver", "nobody") == 0
    # The city puts it right, and it is sent again.
    await two.city.execute("DELETE FROM drivers WHERE id = 'zhang'")
    async with two.county.acquire() as connection, connection.transaction():
        assert await capture.resend(connection, "nantong", "driver", "zhang") == 1
    assert await hand_over(two) == [("stored", None)]
    car = {"id": "car-1", "plate": "苏F00001", "organisation": "school"}
    for category in ("轿车", "越野车"):
        await put(two.county, "vehicles", car | {"category": category})
        assert await hand_over(two) == [("stored", None)]
    # The county's database is that of yesterday: what it says is old, or another thing under a number that was given already.
    await two.county.execute("UPDATE exchange_sent SET version = 1, sha256 = '' WHERE kind = 'vehicle'")
    for category, code in (("客车", "stale"), ("货车", "version-reused")):
        await put(two.county, "vehicles", car | {"category": category})
        assert await hand_over(two) == [("refused", code)]
    kept = "SELECT payload ->> 'category' AS category, version FROM exchange_records WHERE kind = 'vehicle' AND id = 'car-1'"
    assert tuple(await two.city.fetchrow(kept)) == ("越野车", 3)
    async with two.county.acquire() as connection, connection.transaction():
        assert await capture.resend(connection, "nantong") == 1
    assert await hand_over(two) == [("stored", None)]
    assert tuple(await two.city.fetchrow(kept)) == ("货车", 4)


async def test_what_was_taken_back_is_forgotten_in_time_and_comes_again(joined: Two) -> None:
    two = joined
    driver = {"id": "zhang", "name": "张三", "organisation": "school"}
    while await hand_over(two):
        pass
    await put(two.county, "organisations", {"id": "elsewhere", "name": "其他"})
    await put(two.county, "drivers", driver | {"organisation": "elsewhere"})
    assert await hand_over(two) == [("stored", None)]
    kept = "SELECT version, payload IS NULL FROM exchange_records WHERE kind = 'driver' AND id = 'zhang'"
    sent = "SELECT count(*) FROM exchange_sent"
    assert tuple(await two.city.fetchrow(kept)) == (2, True)
    before = await two.county.fetchval(sent)

    async def tidy(pool: asyncpg.Pool, days: int) -> int:
        async with pool.acquire() as connection:
            return await drop_taken_back(connection, datetime.now(UTC) - timedelta(days=days))

    async def stand() -> dict[str, Any]:
        async with two.county.acquire() as connection, two.city.acquire() as above:
            said = await status.stands(connection, "nantong")
            await incoming.note_stands(
                above, "qidong", {kind: (each["confirmed"], each["waiting"]) for kind, each in said.items()}
            )
            return {
                row["kind"]: (row["kept"], row["missing"]) for row in await status.arrivals(above, "qidong")
            }

    stood = await stand()
    assert {missing for _, missing in stood.values()} <= {0, None}
    assert [await tidy(pool, 1) for pool in (two.county, two.city)] == [0, 0]  # not yet
    # Half of a tidied pair counts nothing as missing; nor what a peer above the city was never told of.
    assert await tidy(two.county, 0) == 1
    assert await stand() == stood
    assert await two.county.fetchval(sent) == before - 1
    # A peer above the city has not confirmed it yet: then it stays.
    async with two.city.acquire() as connection, connection.transaction():
        await capture.put(connection, "jiangsu", [("driver", "qidong", "zhang")])
    assert await tidy(two.city, 0) == 0
    await two.city.execute("DELETE FROM exchange_queue")
    assert await tidy(two.city, 0) == 1
    assert await stand() == stood
    # It comes again, and is newer than whatever was said of it before.
    await two.city.execute(
        "INSERT INTO exchange_records (origin, kind, id, peer, organisation, unit, version, sha256, happened_at)"
        " VALUES ('qidong', 'driver', 'zhang', 'qidong', 'qidong', 'school', 2, 'x', now())"
    )
    await put(two.county, "drivers", driver)
    assert await hand_over(two) == [("stored", None)]
    assert tuple(await two.city.fetchrow(kept)) == (3, False)
    assert (
        await tidy(two.county, 0) == 0
    )  # what the peer has stays in the ledger: it may have to be taken back


def faults() -> float:
    return REGISTRY.get_sample_value("gongche_exchange_faults_total") or 0.0


async def test_a_fault_of_the_schema_is_no_outage(joined: Two) -> None:
    """A database without a column answers; that is a fault to be counted, and waiting for the database would not mend it."""
    await joined.county.execute("ALTER TABLE exchange_peers RENAME COLUMN kinds TO sorts")
    before = faults()
    exchange, stop = Exchange(joined.county, None, look_s=0.01), asyncio.Event()  # type: ignore[arg-type]  # no line is opened
    running = asyncio.create_task(exchange.run(stop))

    async def counted() -> bool:
        return faults() > before

    await until(counted, "a fault is counted")
    assert exchange.trouble == "a fault of the program: UndefinedColumnError"
    stop.set()
    await running


async def test_what_a_city_says_wrongly_keeps_back_nothing_else_of_its_answer(joined: Two) -> None:
    def notice(id: str, organisation: str, **more: Any) -> dict[str, Any]:
        payload = {
            "organisation": organisation,
            "title": "通知",
            "body": "节前封存",
            "published_at": "2026-03-02T08:00:00Z",
        }
        return {
            "kind": "notice",
            "origin": "nantong",
            "id": id,
            "version": 7,
            "organisation": organisation,
            "payload": payload,
        } | more

    records: list[Any] = [
        notice("zero", "qi\0dong"), notice("fine", "qidong"), notice("echo", "qidong", origin="qidong"), "nothing", {}, None,
        notice("up", "qidong", kind="vehicle"), notice("far", "elsewhere"), notice("long", "x" * 5_000), notice("no", "qidong", version=2**53),
    ]  # fmt: skip
    async with joined.county.acquire() as connection:
        peer = await peers.find_peer(connection, "nantong")
        assert peer is not None
        async with connection.transaction():
            assert await take_down(
                connection, peer, "qidong", {"records": records, "cursor": "c1", "more": True}
            )
        rows = await connection.fetch("SELECT id, organisation FROM exchange_records ORDER BY id")
        assert [tuple(row) for row in rows] == [("far", "qidong"), ("fine", "qidong")]
        assert await status.pull_cursor(connection, "nantong") == "c1"
        (arrived,) = await status.arrivals(connection, "nantong")
        assert (arrived["stored"], arrived["refused"]) == (2, 8)
        for cursor in ("c\0", "", "c" * 600, None, 5):
            with pytest.raises(PeerError):
                async with connection.transaction():
                    await take_down(connection, peer, "qidong", {"records": [], "cursor": cursor})
        assert await status.pull_cursor(connection, "nantong") == "c1"


async def test_peers_are_what_the_operator_says(joined: Two) -> None:
    async with joined.county.acquire() as connection:
        for call, said in (
            (peers.set_own_name(connection, "haimen"), "qidong"),
            (
                peers.add_above(connection, "nantong", "https://x.example.cn", "c", b"s", ["qidong"]),
                "已被使用",
            ),
            (
                peers.add_above(connection, "jiangsu", "https://x.example.cn", "c", b"s", ["nowhere"]),
                "nowhere",
            ),
            (peers.add_above(connection, "Jiangsu", "https://x.example.cn", "c", b"s", ["qidong"]), "小写"),
            (
                peers.add_above(
                    connection, "jiangsu", "https://x.example.cn", "c", b"s", ["qidong"], ["track"]
                ),
                "track",
            ),
            (peers.add_below(connection, "lvsi", "client-x"), "client-x"),
        ):
            with pytest.raises(RefusedError, match=said):
                await call
        with pytest.raises(TargetError, match="https"):
            await peers.add_above(connection, "jiangsu", "http://10.0.0.1", "c", b"s", ["qidong"])
    everywhere, _ = await make_client(joined.city, "全部", "nantong", "exchange:read")
    async with joined.city.acquire() as connection:
        with pytest.raises(RefusedError, match="exchange:peer"):
            await peers.add_below(connection, "rugao", everywhere)
