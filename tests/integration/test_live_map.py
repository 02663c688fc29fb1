"""The live map over HTTP: what a reader sees and when he does not see it any more; from the log to the frame."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import httpx
import numpy as np
import pytest

from api.app import create_app
from api.live.endpoints import MOST_OF_ONE
from api.live.frames import Flag
from api.live.groups import KEPT
from api.live.hub import MOST_IDLE
from gongche.live_positions import live_feed
from office.identity.tokens import create_token, revoke_token
from runtime.settings import Settings
from telemetry.live.feed import LiveFeed
from telemetry.live.newest import NEVER
from telemetry.log import open_tail, open_writer
from telemetry.log.base import POSITIONS, LogWriter, Record
from telemetry.log.codec import HEADERS, encode
from telemetry.positions import PositionBatch
from telemetry.quality import assess
from tests.integration.live_api import serving
from tests.integration.test_api_service import check_problem
from tests.live_frames import Map, split
from tests.waiting import PATIENCE_S, until

EVERY_S: Final = 0.05
QUICK: Final = {"live_recheck_s": 0.1}
US: Final = 1_000_000


def reports(*rows: dict[str, Any], now_us: int | None = None) -> PositionBatch:
    """Valid reports of now; ``ago``: so many seconds before."""
    now = time.time_ns() // 1000 if now_us is None else now_us
    whole = [{"lat_e6": 32_000_000, "lon_e6": 120_900_000, "status": 3, "ago": 0} | row for row in rows]
    columns: dict[str, Any] = {
        name: [row.get(name, 0) for row in whole] for name in set().union(*whole) - {"ago"}
    }
    times = np.array([now - row["ago"] * US for row in whole], np.int64)
    return PositionBatch.build(len(whole), received_us=np.full(len(whole), now), device_us=times, **columns)


async def fleet(pool: asyncpg.Pool) -> None:
    """city > a, b; a vehicle and a terminal of the same number in each: 1, 2, 3."""
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('city', '市')")
    await pool.execute(
        "INSERT INTO organisations (id, name, parent) VALUES ('a', '甲', 'city'), ('b', '乙', 'city')"
    )
    for k, unit in enumerate(("city", "a", "b"), start=1):
        no = await pool.fetchval(
            "INSERT INTO vehicles (id, plate, organisation) VALUES ($1, $2, $3) RETURNING no",
            f"car-{unit}",
            f"苏F0000{k}",
            unit,
        )
        terminal = await pool.fetchval(
            "INSERT INTO terminals (phone) VALUES ($1) RETURNING no", f"1380000000{k}"
        )
        assert (no, terminal) == (k, k)
        await pool.execute("INSERT INTO terminal_bindings VALUES ($1, $1, '2020-01-01', NULL)", k)


class Viewer:
    """Reads a stream; ``map`` is what it knows."""

    def __init__(self, response: httpx.Response, ids: list[str]) -> None:
        self.response, self.map, self.ids = response, Map(), ids
        self._bytes = response.aiter_raw()
        self._rest = b""

    async def until(self, condition: Callable[[Map], object], what: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition(self.map):
                frames, self._rest = split(self._rest + await anext(self._bytes))
                for each in frames:
                    self.map.take(each)
        assert condition(self.map), what

    def at(self, id: str) -> Any:
        return self.map.vehicles.get(self.ids.index(id))


class Site:
    """An API with a feed that the test fills: ``feed.newest``."""

    def __init__(self, pool: asyncpg.Pool, app: Any, address: str, feed: LiveFeed) -> None:
        self.pool, self.app, self.address, self.feed = pool, app, address, feed

    async def client(
        self, unit: str | None, permissions: tuple[str, ...] = ("tracks:read",)
    ) -> tuple[httpx.AsyncClient, str]:
        """A client with a token of ``unit``, and the token's id."""
        made = await create_token(self.pool, "map", ["tracks:read"], None, unit)
        await self.pool.execute(
            "UPDATE api_tokens SET scopes = $2 WHERE id = $1", made.id, sorted(permissions)
        )
        return (
            httpx.AsyncClient(
                base_url=self.address,
                headers={"Authorization": f"Bearer {made.secret}"},
                timeout=60,
                trust_env=False,
            ),
            made.id,
        )

    def came(self, *rows: dict[str, Any]) -> None:
        batch = reports(*rows)
        self.feed.newest.apply(batch, assess(batch))


@asynccontextmanager
async def viewer(client: httpx.AsyncClient, **params: str) -> AsyncIterator[Viewer]:
    ids = (await client.get("/v1/live/roster")).json()["ids"]
    async with client.stream("GET", "/v1/live/vehicles", params=params) as response:
        assert response.status_code == 200, await response.aread()
        yield Viewer(response, ids)


@asynccontextmanager
async def running(pool: asyncpg.Pool, feed: LiveFeed, settings: Settings) -> AsyncIterator[Site]:
    app = create_app(settings, pool, position_sink=None, live_feed=feed)
    async with serving(app) as address:
        yield Site(pool, app, address, feed)
        app.state.stopping = True


@pytest.fixture
async def served(pool: asyncpg.Pool) -> AsyncIterator[Site]:
    await fleet(pool)
    feed = LiveFeed(every_s=EVERY_S)
    feed.behind = False
    async with running(pool, feed, Settings(**QUICK)) as made:  # type: ignore[arg-type]  # a dictionary
        yield made


async def test_a_reader_sees_the_vehicles_of_its_units_and_what_moves(served: Site) -> None:
    served.came({"terminal": 1}, {"terminal": 2, "speed_dkmh": 503}, {"terminal": 3, "ago": 3_600})
    everywhere, _ = await served.client(None)
    of_a, _ = await served.client("a")
    async with everywhere, of_a:
        listed = (await everywhere.get("/v1/live/roster")).json()
        assert listed["ids"] == ["car-a", "car-b", "car-city"]
        assert listed["plates"] == ["苏F00002", "苏F00003", "苏F00001"]
        assert listed["organisations"] == ["a", "b", "city"]
        assert (await of_a.get("/v1/live/roster")).json()["ids"] == ["car-a"]
        async with viewer(everywhere) as all_of_it, viewer(of_a, purpose="值班") as own:
            assert all_of_it.response.headers["content-type"] == "application/octet-stream"
            assert all_of_it.response.headers["x-accel-buffering"] == "no"
            await all_of_it.until(lambda m: m.seq, "it is there")
            await own.until(lambda m: m.seq, "it is there")
            assert (all_of_it.map.epoch, all_of_it.map.stale) == (listed["epoch"], False)
            assert len(all_of_it.map.vehicles) == 3
            assert len(own.map.vehicles) == 1
            assert own.at("car-a").speed == 50
            # How old it is is said.
            assert 3_590 < time.time() - all_of_it.at("car-b").fix_s < 3_700
            served.came({"terminal": 2, "lat_e6": 32_001_000}, {"terminal": 3, "lat_e6": 32_002_000})
            await own.until(lambda m: m.vehicles[0].lat * m.step == 32_001_000, "it has moved")
            await all_of_it.until(lambda m: m.vehicles[1].lat * m.step == 32_002_000, "it has moved")
            assert len(own.map.vehicles) == 1
            assert (own.map.snapshots, all_of_it.map.snapshots) == (1, 1)
    read = await served.pool.fetch(
        "SELECT purpose, operation FROM audit WHERE subject_kind = 'live-positions' ORDER BY no"
    )
    assert [tuple(row) for row in read] == [
        (None, "GET /v1/live/vehicles"), ("值班", "GET /v1/live/vehicles"),
    ]  # fmt: skip
    await until(lambda: not served.app.state.live.streams, "nobody is counted any more")


async def test_secret_vehicles_are_not_there_and_a_mark_holds_in_a_stream_that_is_open(served: Site) -> None:
    served.came({"terminal": 1}, {"terminal": 2}, {"terminal": 3})
    plain, _ = await served.client(None)
    cleared, _ = await served.client("city", ("tracks:read", "secret:read"))
    async with plain, cleared, viewer(plain) as hidden, viewer(cleared) as shown:
        await hidden.until(lambda m: len(m.vehicles) == 3, "all are there")
        await served.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-b'")
        await hidden.until(lambda m: len(m.vehicles) == 2, "it is gone")
        listed = (await plain.get("/v1/live/roster")).json()
        assert (listed["ids"], listed["epoch"]) == (["car-a", "car-city"], hidden.map.epoch)
        await shown.until(lambda m: m.seq, "it is there")
        assert len(shown.map.vehicles) == 3
        assert (await cleared.get("/v1/live/roster")).json()["ids"] == ["car-a", "car-b", "car-city"]
        # The terminal that sat in it shows the other vehicle only from when it sits there on.
        await served.pool.execute("UPDATE terminal_bindings SET valid_to = now() WHERE terminal_no = 3")
        await served.pool.execute("INSERT INTO terminal_bindings VALUES (3, 1, now(), NULL)")
        served.came({"terminal": 3, "lat_e6": 31_000_000, "ago": 60}, {"terminal": 1, "lat_e6": 32_050_000})
        await hidden.until(lambda m: m.vehicles[1].lat * m.step == 32_050_000, "its own terminal")
        served.came({"terminal": 3, "lat_e6": 31_900_000})
        await hidden.until(lambda m: m.vehicles[1].lat * m.step == 31_900_000, "the other one, now")


async def test_what_is_taken_away_is_so_in_a_stream_that_is_open(served: Site) -> None:
    served.came({"terminal": 1}, {"terminal": 2}, {"terminal": 3})
    client, token = await served.client("city")
    async with client:
        async with viewer(client) as reader:
            await reader.until(lambda m: len(m.vehicles) == 3, "all are there")
            # A right in fewer units: another snapshot, of those.
            await served.pool.execute("UPDATE api_tokens SET organisation = 'a' WHERE id = $1", token)
            await reader.until(lambda m: len(m.vehicles) == 1, "only its own")
            # A vehicle that goes to another unit.
            await served.pool.execute("UPDATE vehicles SET organisation = 'b' WHERE id = 'car-a'")
            await reader.until(lambda m: not m.vehicles, "it is another unit's")
            await revoke_token(served.pool, token)
            await reader.until(lambda m: m.ended, "it ends")
            assert reader.map.ended == "no_longer_allowed"
        check_problem(await client.get("/v1/live/vehicles"), 401)
    other, _ = await served.client("city", ("alerts:read",))
    async with other:
        check_problem(await other.get("/v1/live/vehicles"), 403)
        check_problem(await other.get("/v1/live/roster"), 403)


async def test_windows_and_how_a_stream_ends(served: Site) -> None:
    served.came({"terminal": 1}, {"terminal": 2, "lon_e6": 121_500_000})
    client, _ = await served.client(None)
    async with client:
        async with viewer(client, window="120.8,31.9,121,32.1") as reader:
            await reader.until(lambda m: m.seq, "it is there")
            assert reader.map.step == 200
            assert list(reader.map.vehicles) == [reader.ids.index("car-city")]
            served.came({"terminal": 2, "lon_e6": 120_900_000}, {"terminal": 1, "lat_e6": 33_000_000})
            await reader.until(lambda m: list(m.vehicles) == [0], "one came, one left")
        for wrong in ("", "1,2,3", "1,2,3,4,5", "2,1,1,2", "nan,0,1,1", "0,0,1,91", "a,b,c,d", "0,0,inf,1"):
            check_problem(await client.get("/v1/live/vehicles", params={"window": wrong}), 422, "window")
        ended = Map()
        for each in split((await client.get("/v1/live/vehicles", params={"seconds": "0"})).content)[0]:
            ended.take(each)
        assert ended.ended == "time_is_up"
        async with viewer(client) as reader:
            await reader.until(lambda m: m.seq, "it is there")
            served.app.state.stopping = True
            await reader.until(lambda m: m.ended, "it ends")
            assert reader.map.ended == "stopping"


async def test_streams_are_counted(served: Site) -> None:
    client, _ = await served.client(None)
    other, _ = await served.client(None)
    async with client, other:
        opened = [
            await client.send(client.build_request("GET", "/v1/live/vehicles"), stream=True)
            for _ in range(MOST_OF_ONE)
        ]
        check_problem(await client.get("/v1/live/vehicles"), 429, "关闭")
        async with viewer(other) as reader:
            await reader.until(lambda m: m.seq, "another one comes in")
        for response in opened:
            await response.aclose()
        await until(lambda: not served.app.state.live.streams, "none is left")
        async with viewer(client) as reader:
            await reader.until(lambda m: m.seq, "it comes in again")


async def test_a_roster_that_is_kept_is_no_older_than_what_is_checked(served: Site) -> None:
    """Rosters are kept for who comes again; what was taken away meanwhile is not shown for a moment."""
    served.came({"terminal": 1}, {"terminal": 2}, {"terminal": 3})
    client, _ = await served.client("city")
    async with client:
        async with viewer(client) as reader:
            await reader.until(lambda m: m.seq, "it is there")
        await until(lambda: not served.app.state.live.streams, "it has gone")
        await served.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-a'")
        assert (await client.get("/v1/live/roster")).json()["ids"] == ["car-b", "car-city"]
        async with viewer(client) as reader:
            await reader.until(lambda m: m.seq, "it is there")
            assert len(reader.map.vehicles) == 2
        for unit in (None, "a", "b", "city", "a", "b"):
            other, _ = await served.client(unit, ("tracks:read", "secret:read"))
            async with other:
                await other.get("/v1/live/roster")
        assert len(served.app.state.live._scopes) <= MOST_IDLE + 1


async def test_who_does_not_read_is_kept_no_frames(pool: asyncpg.Pool) -> None:
    """He falls behind and gets a snapshot; one that reads nothing is cut off, and nothing is kept for him."""
    await fleet(pool)
    await pool.execute(
        "INSERT INTO vehicles (id, plate, organisation) SELECT 'v' || k, 'p' || k, 'a' FROM generate_series(1, 2000) k"
    )
    await pool.execute(
        "INSERT INTO terminals (phone) SELECT (12000000000 + k)::text FROM generate_series(1, 2000) k"
    )
    await pool.execute(
        "INSERT INTO terminal_bindings SELECT t.no, v.no, '2020-01-01', NULL FROM terminals t JOIN vehicles v"
        " ON v.id = 'v' || (t.phone::bigint - 12000000000)::text"
    )  # fmt: skip
    feed = LiveFeed(every_s=EVERY_S)
    random = np.random.default_rng(3)

    def move() -> None:
        n = 2_003
        now = np.full(n, time.time_ns() // 1000)
        batch = PositionBatch.build(
            n, terminal=np.arange(n) + 1, received_us=now, device_us=now, status=3, speed_dkmh=random.integers(0, 900, n),
            lat_e6=random.integers(31_000_000, 33_000_000, n), lon_e6=random.integers(120_000_000, 122_000_000, n),
        )  # fmt: skip
        feed.newest.apply(batch, assess(batch))

    move()
    async with running(pool, feed, Settings(stream_slow_s=1.5)) as site:
        client, _ = await site.client(None)
        async with client:
            parts = urlsplit(site.address)
            head = f"GET /v1/live/vehicles HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['Authorization']}\r\n\r\n"
            with socket.socket() as idle:
                idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                idle.connect((parts.hostname, parts.port))
                idle.sendall(head.encode())
                await until(lambda: site.app.state.live.streams.total() == 1, "it reads")

                def cut() -> bool:
                    move()
                    return not site.app.state.live.streams

                await until(cut, "it is cut off")
            async with viewer(client) as reader:
                await reader.until(lambda m: m.seq, "the first snapshot")
                first = reader.map.seq or 0
                (group,) = (
                    g for scope in site.app.state.live._scopes.values() for g in scope.groups.values()
                )
                pause = group.seq + KEPT + 2

                def far() -> bool:
                    move()
                    return bool(group.seq > pause)

                await until(far, "it does not read for a while")
                await reader.until(lambda m: (m.seq or 0) > pause, "it reads again")
                # No gap was seen (Map says so), and what was missed came as a snapshot, if the line did not hold it.
                assert (reader.map.seq or 0) - first > KEPT
                assert len(reader.map.vehicles) == 2_003


# --- from the log -----------------------------------------------------------------------------------------------------


async def follow(settings: Settings, pool: asyncpg.Pool) -> tuple[LiveFeed, asyncio.Task[None]]:
    feed = live_feed(settings, pool)
    feed.every_s = feed.look_s = EVERY_S
    return feed, asyncio.create_task(feed.run())


async def append(writer: LogWriter, batch: PositionBatch, partition: int = 0) -> None:
    await writer.append([Record(POSITIONS, partition, encode(batch), HEADERS)])


def latitude(feed: LiveFeed, terminal: int) -> int:
    (slot,) = feed.newest.slots(np.array([terminal]))
    return int(feed.newest.lat_e6[slot])


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def check_log(settings: Settings, pool: asyncpg.Pool, partitions: int) -> None:
    """What is behind the worker's place is read, what comes is there at once, also after the process was started again."""
    writer = open_writer(settings)
    await writer.start()
    last = partitions - 1
    await append(writer, reports({"terminal": 1, "lat_e6": 1_000, "ago": 30}))
    await append(writer, reports({"terminal": 2, "lat_e6": 2_000, "ago": 20}), last)
    feed, task = await follow(settings, pool)
    try:
        await until(lambda: not feed.stale, "it is read to its end")
        assert (latitude(feed, 1), latitude(feed, 2)) == (1_000, 2_000)
        await append(writer, reports({"terminal": 1, "lat_e6": 1_100}))
        await append(writer, reports({"terminal": 2, "lat_e6": 2_100}), last)
        # What is no record of ours stops nothing.
        await writer.append([Record(POSITIONS, 0, b"no record", {})])
        await append(writer, reports({"terminal": 3, "lat_e6": 3_100}))
        await until(
            lambda: [latitude(feed, k) for k in (1, 2, 3)] == [1_100, 2_100, 3_100], "all of it is there"
        )
    finally:
        await end(task)
    assert feed.stale
    again, task = await follow(settings, pool)
    try:
        await until(lambda: not again.stale, "it is read to its end")
        assert [latitude(again, k) for k in (1, 2, 3)] == [1_100, 2_100, 3_100]
    finally:
        await end(task)
        await writer.close()


async def test_the_embedded_log_is_followed(pool: asyncpg.Pool, tmp_path: Path) -> None:
    await check_log(Settings(data_dir=tmp_path), pool, 1)


async def test_a_start_joins_the_database_and_the_log(pool: asyncpg.Pool, tmp_path: Path) -> None:
    """What the worker has processed is in the states of the vehicles, with its own time; what is behind it comes from the log."""
    await fleet(pool)
    settings = Settings(data_dir=tmp_path)
    writer = open_writer(settings)
    await writer.start()
    await append(writer, reports({"terminal": 1, "lat_e6": 31_111_000, "ago": 7_200}))
    await append(writer, reports({"terminal": 2, "lat_e6": 32_222_000, "ago": 10}))
    tail = open_tail(settings)
    opened = await tail.open()
    await tail.close()
    await pool.execute(
        "INSERT INTO log_offsets (topic, partition, next_offset) VALUES ($1, 0, 2)",
        f"{POSITIONS}@{opened.identity}",
    )
    await pool.execute(
        "INSERT INTO vehicle_states (vehicle_no, state, state_version, watermark, last_lat_e6, last_lon_e6, last_fix_at)"
        " VALUES (1, '', 1, now(), 31000000, 120000000, now() - interval '2 hours')"
    )
    feed, task = await follow(settings, pool)
    try:
        await until(lambda: not feed.stale, "it is read to its end")
        async with running(pool, feed, Settings(**QUICK)) as site:  # type: ignore[arg-type]  # a dictionary
            client, _ = await site.client(None)
            async with client, viewer(client) as reader:
                await reader.until(lambda m: m.seq, "it is there")
                stored, heard = reader.at("car-city"), reader.at("car-a")
                assert (stored.lat * reader.map.step, stored.flags, stored.speed) == (
                    31_000_000,
                    Flag.STORED,
                    255,
                )
                assert 7_100 < time.time() - stored.fix_s < 7_400
                assert heard.lat * reader.map.step == 32_222_000
                assert heard.flags & Flag.LOCATED
                assert reader.at("car-b") is None
                # The log goes away: what is known stays, and is marked; a new one is followed from its beginning.
                await writer.close()
                for file in (tmp_path / "log").iterdir():
                    file.unlink()
                await reader.until(lambda m: m.stale, "it stands still")
                assert len(reader.map.vehicles) == 2
                writer = open_writer(settings)
                await append(writer, reports({"terminal": 3, "lat_e6": 33_333_000}))
                await reader.until(lambda m: not m.stale and len(m.vehicles) == 3, "it goes on")
                assert reader.map.snapshots == 1
    finally:
        await end(task)
        await writer.close()


async def test_wrong_clocks_are_put_right_and_doubtful_ones_do_not_count(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await fleet(pool)
    await pool.execute(
        "INSERT INTO clock_corrections (id, terminal_no, valid_from, shift_s) VALUES ('c', 1, '2020-01-01', 28800)"
    )
    await pool.execute(
        "INSERT INTO clock_doubts (terminal_no, received_from, lag_s) VALUES (2, '2020-01-01', 60)"
    )
    settings = Settings(data_dir=tmp_path)
    writer = open_writer(settings)
    await writer.start()
    feed, task = await follow(settings, pool)
    try:
        await until(lambda: not feed.stale, "it is read to its end")
        now = time.time_ns() // 1000
        await append(
            writer,
            reports({"terminal": 1, "ago": 28_800, "lat_e6": 1_000}, {"terminal": 2, "ago": 60}, now_us=now),
        )
        await until(lambda: latitude(feed, 1) == 1_000, "it is there")
        one, two = feed.newest.slots(np.array([1, 2]))
        assert feed.newest.fix_us[one] == now
        assert not feed.newest.located[two]
        assert feed.newest.lat_e6[two] == 0
        # It turns out to be ahead by little: what comes then is older than what was shown, and counts.
        await pool.execute("UPDATE clock_corrections SET shift_s = -300")
        await until(lambda: feed.newest.fix_us[one] == NEVER, "it is known to be wrong")
        await append(writer, reports({"terminal": 1, "lat_e6": 1_001}, now_us=now))
        await until(lambda: latitude(feed, 1) == 1_001, "it is there")
        assert feed.newest.fix_us[one] == now - 300 * US
    finally:
        await end(task)
        await writer.close()


async def test_orders_of_now_come_whole_and_then_as_changes(served: Site) -> None:
    """Of the units of the caller, for who reads the registry; a secret vehicle is not named."""
    await served.pool.execute(
        "INSERT INTO dispatch_orders (id, version, organisation, vehicle, task_type, status, destinations, planned_departure, planned_return)"
        " SELECT 'P-' || v.organisation, 1, v.organisation, v.id, 'official', 'departed', '[{\"name\": \"如东县\"}]', now() - interval '1 h',"
        " now() + interval '1 h' FROM vehicles v WHERE v.organisation <> 'city'"
    )
    served.app.state.live_orders.every_s = 0.0
    everywhere, _ = await served.client("city", ("tracks:read", "registry:read"))
    of_a, _ = await served.client("a", ("registry:read",))
    neither, _ = await served.client("a", ("tracks:read",))
    async with everywhere, of_a, neither:
        check_problem(await neither.get("/v1/live/orders"), 403)
        first = (await everywhere.get("/v1/live/orders")).json()
        assert first["whole"]
        assert sorted(first["vehicles"]) == ["car-a", "car-b"]
        assert first["destinations"] == ["如东县"] * 2
        assert (await of_a.get("/v1/live/orders")).json()["orders"] == ["P-a"]
        since = {"since": first["mark"]}
        assert (await everywhere.get("/v1/live/orders", params=since)).json()["vehicles"] == []
        await served.pool.execute(
            "UPDATE dispatch_orders SET status = 'returned', actual_departure = now() - interval '9 h', actual_return = now() - interval '8 h'"
            " WHERE id = 'P-a'"
        )
        then = (await everywhere.get("/v1/live/orders", params=since)).json()
        assert (then["whole"], then["vehicles"], then["gone"]) == (False, [], ["car-a"])
        await served.pool.execute("UPDATE vehicles SET secret = true WHERE id = 'car-b'")
        then = (await everywhere.get("/v1/live/orders", params=since)).json()
        assert sorted(then["gone"]) == ["car-a", "car-b"]
        check_problem(await everywhere.get("/v1/live/orders", params={"since": "x" * 41}), 422)
