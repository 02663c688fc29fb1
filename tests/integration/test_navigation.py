"""Routing engines over real sockets: their documented answers, and everything else that a server can do."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import asyncpg
import numpy as np
import pytest

from rules.navigation import Answer, CachedNavigator, EngineError, Limits, TravelTimes
from rules.navigation.amap import Amap
from rules.navigation.cache import drop_unused
from rules.navigation.engines import route
from rules.navigation.http import Breaker
from rules.navigation.osrm import Osrm
from rules.navigation.polyline import decode, encode
from rules.navigation.valhalla import Valhalla
from runtime.migrations import migrate
from runtime.units import US_PER_DAY
from telemetry import geo
from telemetry.archive.partitions import clock_us
from tests.integration.navigation_server import Reply, Request, engine_server, places_of, straight_osrm

A, B, C = (32_000_000, 120_900_000), (32_020_000, 120_950_000), (32_050_000, 120_970_000)
QUICK = Limits(timeout_s=30, tries=2, backoff_s=0.01, breaker=lambda: Breaker(failures=1000))


def km(metres: float) -> float:
    return round(metres / 1000, 3)


def straight_m(*places: tuple[int, int]) -> int:
    lat, lon = np.array(places).T / 1e6
    return round(float(geo.distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:]).sum()))


def valhalla(request: Request) -> Reply:
    """What Valhalla 3.9.1 answers, over the open country."""
    if request.path == "/status":
        return Reply(
            {"version": "3.9.1", "tileset_last_modified": 1772380800, "available_actions": ["route"]}
        )
    places = [(round(p["lat"] * 1e6), round(p["lon"] * 1e6)) for p in request.body["locations"]]
    legs = [
        {
            "summary": {"length": km(straight_m(a, b)), "time": 12.345, "cost": 1.5, "has_toll": False},
            "shape": encode([a, b]),
        }
        for a, b in pairwise(places)
    ]
    return Reply({"trip": {"legs": legs, "status": 0, "units": "kilometers", "language": "en-US"}})


def amap(request: Request) -> Reply:
    """What Amap documents for driving directions 2.0, over the open country."""
    q = request.query
    words = [q["origin"], *(q["waypoints"].split(";") if "waypoints" in q else []), q["destination"]]
    points = [(float(w.split(",")[1]), float(w.split(",")[0])) for w in words]
    lat, lon = np.array(points).T
    steps = [
        {
            "instruction": "向东行驶",
            "orientation": "东",
            "step_distance": "1",
            "polyline": f"{a};{b}",
            "cost": {"duration": "1"},
        }
        for a, b in pairwise(words)
    ]
    metres = float(geo.distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:]).sum())
    path = {
        "distance": str(round(metres)),
        "restriction": "0",
        "cost": {"duration": "600", "tolls": "0"},
        "steps": steps,
    }
    return Reply(
        {
            "status": "1", "info": "OK", "infocode": "10000", "count": "1",
            "route": {"origin": words[0], "destination": words[-1], "paths": [path]},
        }
    )  # fmt: skip


async def test_valhalla_answers_in_whole_metres() -> None:
    async with engine_server(valhalla) as server:
        engine = Valhalla(server.url, "2026-02-28", QUICK)
        answer = await route(engine, (A, B, C, A))
        assert answer.distance_m == sum(straight_m(*pair) for pair in ((A, B), (B, C), (C, A)))
        assert decode(answer.shape) == [A, B, C, A]
        assert await engine.map_date(A) == "2026-02-28, tiles 2026-03-01T16:00:00Z, valhalla 3.9.1"
        assert {p["type"] for p in server.requests[0].body["locations"]} == {"break"}
        await engine.close()


async def test_osrm_answers_in_whole_metres() -> None:
    async with engine_server(straight_osrm) as server:
        engine = Osrm(server.url, limits=QUICK)
        answer = await route(engine, (A, B, A))
        assert answer.distance_m == straight_m(A, B, A)
        assert await engine.map_date(A) == "2026-03-01T00:00:00Z"
        assert await Osrm(server.url, "2026-05-05").map_date(A) == "2026-05-05"
        assert places_of(server.requests[0]) == [A, B, A]
        await engine.close()


async def test_amap_is_asked_in_its_own_datum_and_answers_in_ours() -> None:
    async with engine_server(amap) as server:
        engine = Amap(server.url, "secret-key", limits=QUICK)
        answer = await route(engine, (A, B, C))
        (request,) = server.requests
        lon, lat = map(float, request.query["origin"].split(","))
        away = float(geo.distance_m(lat, lon, A[0] / 1e6, A[1] / 1e6))
        assert 300 < away < 800  # GCJ-02 in Nantong
        assert request.query["key"] == "secret-key"
        for found, place in zip(decode(answer.shape), (A, B, C), strict=True):
            assert max(abs(found[0] - place[0]), abs(found[1] - place[1])) <= 1
        assert answer.distance_m is not None
        assert abs(answer.distance_m - straight_m(A, B, C)) < 0.005 * answer.distance_m  # GCJ-02 stretches
        await engine.close()


@pytest.mark.parametrize(("made", "reply"), [(Amap, amap), (Valhalla, valhalla), (Osrm, straight_osrm)])
async def test_a_tour_of_many_places_is_asked_in_parts_and_is_the_sum(made: Any, reply: Any) -> None:
    rng = np.random.default_rng(1)
    places = tuple(
        (32_000_000 + int(a), 120_900_000 + int(b)) for a, b in rng.integers(-300_000, 300_000, (120, 2))
    )
    async with engine_server(reply) as server:
        engine = Amap(server.url, "k", limits=QUICK) if made is Amap else made(server.url, limits=QUICK)
        answer = await route(engine, places)
        most = engine.most_places
        assert len(server.requests) == -(-(len(places) - 1) // (most - 1))
        assert answer.distance_m is not None
        assert abs(answer.distance_m - straight_m(*places)) < 0.0005 * straight_m(*places)
        points = decode(answer.shape)
        assert len(points) == len(places)
        if made is Amap:
            assert all(len(r.query.get("waypoints", "").split(";")) <= 16 for r in server.requests)
        await engine.close()


async def test_one_place_is_no_way_to_go() -> None:
    async with engine_server(valhalla) as server:
        engine = Valhalla(server.url, limits=QUICK)
        assert await route(engine, (A, A, A)) == Answer(0, 0)
        assert server.requests == []
        await route(engine, (A, A, B, B, A))
        assert len(server.requests[0].body["locations"]) == 3
        await engine.close()


def osrm_route(**more: Any) -> dict[str, Any]:
    leg = {"distance": 1.0, "duration": 1.0}
    return {
        "code": "Ok",
        "routes": [{"geometry": encode([A, B]), "distance": 5200.0, "duration": 400.0, "legs": [leg]} | more],
    }


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (osrm_route(distance=0), "0 m between"),
        (osrm_route(distance=10_000_001), "10000001 m"),
        (osrm_route(distance=10_000_000), "10000000 m"),
        (osrm_route(distance=9_999_999), "shape is 5218 m"),
        (osrm_route(distance=5600), "shape is 5218 m"),
        (osrm_route(geometry=encode([A, B, A, B]), distance=14_500), "shape is 15656 m"),
        (osrm_route(distance=2000.0), "straight line"),
        (osrm_route(distance=-1), "documented"),
        (osrm_route(distance="6000"), "documented"),
        (osrm_route(distance=None), "documented"),
        (osrm_route(distance=True), "documented"),
        (osrm_route(geometry=""), "shape"),
        (osrm_route(geometry="\x01\x02"), "shape"),
        (osrm_route(geometry=encode([A, (33_000_000, 121_000_000), A])), "place 2"),
        (osrm_route(legs=[]), "documented"),
        ({"code": "Ok", "routes": []}, "documented"),
        ({"code": "Ok"}, "documented"),
        ({"code": "NoRoute", "message": "Impossible route"}, "Impossible route"),
        ({"code": "NoSegment"}, "NoSegment"),
    ],
)
async def test_nonsense_is_no_mileage(body: dict[str, Any], word: str) -> None:
    async with engine_server(lambda _: Reply(body, status=200 if body["code"] == "Ok" else 400)) as server:
        engine = Osrm(server.url, limits=QUICK)
        answer = await route(engine, (A, B))
        assert answer.distance_m is None
        assert word in answer.problem_en
        assert answer.problem
        await engine.close()


async def test_a_way_that_leaves_out_legs_is_no_mileage() -> None:
    """Three places, all passed within 1 km, and a number that leaves each leg 2 km: 443 m instead of 5.9 km."""
    tour = ((32_000_000, 120_900_000), (32_016_200, 120_900_000), (32_016_200, 120_918_000))
    places = (*tour, tour[0])
    straight = straight_m(*places)
    assert 5_800 < straight < 6_000
    asked: dict[str, Any] = {"distance": 443.0, "geometry": encode(places), "legs": [{}, {}, {}]}
    async with engine_server(lambda _: Reply(osrm_route(**asked))) as server:
        engine = Osrm(server.url, limits=QUICK)
        assert "443 m is less" in (await route(engine, places)).problem_en
        for distance, geometry, word in (
            (straight, places, ""),
            (straight * 1.03, places, ""),
            (straight * 0.97, places, ""),
            (straight, [*places, tour[1]], "shape"),
            (straight / 2, places, "less"),
            (straight_m(*tour), tour, "less"),  # the way back is missing, shape and number agree
        ):
            asked |= {"distance": distance, "geometry": encode(geometry)}
            answer = await route(engine, places)
            assert (answer.distance_m is None) == bool(word)
            assert word in answer.problem_en
        await engine.close()


@pytest.mark.parametrize(
    "reply",
    [
        Reply({}, status=503),
        Reply({}, status=429),
        Reply(b"<html>", status=200),
        Reply(b"[1, 2]", status=200),
        Reply(b'{"code": NaN}', status=200),
        Reply(b"[" * 100_000, status=200),
        Reply(b"\xff\xfe{", status=200),
        Reply({"code": "InvalidQuery"}, status=400),
        Reply({}, status=200),
        Reply({}, broken=True),
        Reply({}, wait_s=3),
        Reply(b'{"a": "' + b"x" * (9 << 20) + b'"}'),
    ],
    ids=[
        "503",
        "429",
        "html",
        "array",
        "nan",
        "deep",
        "bytes",
        "invalid",
        "empty",
        "broken",
        "slow",
        "large",
    ],
)
async def test_a_server_that_says_nothing_useful_is_asked_again_later(reply: Reply) -> None:
    async with engine_server(lambda _: reply) as server:
        engine = Osrm(server.url, limits=replace(QUICK, timeout_s=1) if reply.wait_s else QUICK)
        with pytest.raises(EngineError):
            await route(engine, (A, B))
        assert 1 <= len(server.requests) <= 2
        await engine.close()


async def test_a_failure_that_passes_is_tried_again() -> None:
    replies = [Reply({}, status=503), Reply({}, broken=True)]
    async with engine_server(lambda r: replies.pop(0) if replies else straight_osrm(r)) as server:
        engine = Osrm(server.url, limits=Limits(timeout_s=30, tries=3, backoff_s=0.01))
        assert (await route(engine, (A, B))).distance_m == straight_m(A, B)
        assert len(server.requests) == 3
        await engine.close()


async def test_a_dead_engine_is_left_in_peace_and_found_again() -> None:
    now = [0.0]
    limits = Limits(
        timeout_s=30, tries=1, breaker=lambda: Breaker(failures=3, pause_s=30, clock=lambda: now[0])
    )
    up = False
    async with engine_server(lambda r: straight_osrm(r) if up else Reply({}, status=500)) as server:
        engine = Osrm(server.url, limits=limits)
        for _ in range(20):
            with pytest.raises(EngineError):
                await route(engine, (A, B))
        assert len(server.requests) == 3
        now[0], up = 31.0, True
        assert (await route(engine, (A, B))).distance_m is not None
        await engine.close()


def always(reply: Reply, _request: Request) -> Reply:
    return reply


async def test_amap_says_why_and_its_key_is_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    for infocode, lasting in (("10001", False), ("10021", False), ("20801", True), ("20803", True)):
        reply = Reply({"status": "0", "info": "INVALID_USER_KEY", "infocode": infocode})
        async with engine_server(partial(always, reply)) as server:
            engine = Amap(server.url, "secret-key", limits=QUICK)
            with caplog.at_level(logging.INFO, "rules"):
                if lasting:
                    assert "找不到" in (await route(engine, (A, B))).problem
                else:
                    with pytest.raises(EngineError) as failed:
                        await route(engine, (A, B))
                    assert "secret-key" not in str(failed.value)
            await engine.close()
    engine = Amap("http://127.0.0.1:1", "secret-key", limits=Limits(tries=6, backoff_s=0))
    with caplog.at_level(logging.INFO, "rules"), pytest.raises(EngineError) as failed:
        await route(engine, (A, B))
    assert "secret-key" not in str(failed.value) + repr(failed.value.__cause__) + caplog.text
    await engine.close()


@pytest.mark.parametrize(
    ("infocode", "info", "most"),
    [
        ("10003", "DAILY_QUERY_OVER_LIMIT", 13),  # the breaker's five, and what was under way
        ("10001", "INVALID_USER_KEY", 13),
        ("10044", "USER_DAILY_QUERY_OVER_LIMIT", 13),
        ("40000", "QUOTA_PLAN_RUN_OUT", 13),
        ("10021", "CUQPS_HAS_EXCEEDED_THE_LIMIT", 13),
        ("10016", "SERVER_IS_BUSY", 13),
        ("30001", "ENGINE_RESPONSE_DATA_ERROR", 13),
        ("20000", "INVALID_PARAMS", 500),  # says nothing of the next question
    ],
)
async def test_amap_that_refuses_is_left_in_peace(
    pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture, infocode: str, info: str, most: int
) -> None:
    wanted = [(A, (B[0] + k, B[1])) for k in range(500)]
    refusal = Reply({"status": "0", "info": info, "infocode": infocode})
    now = [0.0]
    limits = Limits(
        timeout_s=60, tries=3, backoff_s=0.01, breaker=lambda: Breaker(pause_s=30, clock=lambda: now[0])
    )
    async with engine_server(lambda _: refusal) as server, pool.acquire() as conn:
        navigator = CachedNavigator(Amap(server.url, "secret-key", limits=limits))
        await navigator.fetch(conn, wanted)
        assert 5 <= len(server.requests) <= most
        assert infocode in caplog.text
        assert "secret-key" not in caplog.text
        assert await navigator.routes(conn, wanted[:1]) == [None]
        # It answers again.
        server.reply = amap
        now[0] += 31
        await navigator.fetch(conn, wanted[:1])
        assert None not in await navigator.routes(conn, wanted[:1])
        await navigator.close()


async def test_amap_that_is_busy_for_a_moment_is_asked_again() -> None:
    replies = [Reply({"status": "0", "info": "CUQPS_HAS_EXCEEDED_THE_LIMIT", "infocode": "10021"})]
    async with engine_server(lambda r: replies.pop(0) if replies else amap(r)) as server:
        engine = Amap(server.url, "k", limits=QUICK)
        assert (await route(engine, (A, B))).distance_m is not None
        assert len(server.requests) == 2
        await engine.close()


async def test_a_route_that_is_asked_for_again_is_kept_for_longer(pool: asyncpg.Pool) -> None:
    """That it was used is written down, not at every question: a month later at the latest."""
    used = "SELECT current_date - used_on FROM navigation_routes"
    async with engine_server(straight_osrm) as server, pool.acquire() as conn:
        navigator = CachedNavigator(Osrm(server.url, limits=QUICK))
        await navigator.fetch(conn, [(A, B)])
        assert await pool.fetchval(used) == 0
        for days, after in ((30, 30), (31, 0)):
            await pool.execute("UPDATE navigation_routes SET used_on = current_date - $1::integer", days)
            await navigator.fetch(conn, [(A, B)])
            assert await pool.fetchval(used) == after
        now_us = clock_us()
        assert await drop_unused(conn, now_us - 10 * US_PER_DAY) == 0
        await pool.execute("UPDATE navigation_routes SET used_on = current_date - 41")
        assert await drop_unused(conn, now_us - 10 * US_PER_DAY) == 1
        await navigator.close()


async def test_routes_are_asked_once_kept_and_given_back(pool: asyncpg.Pool) -> None:
    async with engine_server(straight_osrm) as server, pool.acquire() as conn:
        first = CachedNavigator(Osrm(server.url, limits=QUICK))
        wanted = [(A, B, A), (A, C, A), (A, B, A)]
        assert await first.routes(conn, wanted) == [None] * 3
        await first.fetch(conn, wanted)
        asked = len(server.requests)
        assert asked == 4  # the map's date before and after two routes
        await first.fetch(conn, wanted)
        assert len(server.requests) == asked
        found = await first.routes(conn, wanted)
        assert [r.distance_m for r in found if r] == [straight_m(*places) for places in wanted]
        assert found[0] == found[2]
        # Another process, while the engine is down: what was kept is there.
        server.reply = lambda _: Reply({}, status=503)
        second = CachedNavigator(Osrm(server.url, limits=QUICK))
        await second.fetch(conn, [(A, B, C)])
        assert await second.routes(conn, [*wanted, (A, B, C)]) == [*found, None]
        # Another map: asked again.
        server.reply = straight_osrm
        third = CachedNavigator(Osrm(server.url, "2027-01-01", QUICK))
        await third.fetch(conn, wanted)
        again = await third.routes(conn, wanted)
        assert [r.map_date for r in again if r] == ["2027-01-01"] * 3
        for navigator in (first, second, third):
            await navigator.close()


class Maps:
    """OSRM whose map can be changed and that can be put down, at the n-th request from here on."""

    def __init__(self) -> None:
        self.version, self.down, self.asked = "1", False, 0
        self.at: dict[int, Any] = {}

    def __call__(self, request: Request) -> Reply:
        self.asked += 1
        self.at.pop(self.asked, lambda: None)()
        if self.down:
            return Reply({}, status=503)
        reply = straight_osrm(request, lambda m: m * (1.2 if self.version == "2" else 1.0))
        reply.body["data_version"] = self.version
        return reply

    def put(self, version: str, *, down: bool = False) -> None:
        self.version, self.down = version, down


async def kept(pool: asyncpg.Pool) -> list[tuple[str, int]]:
    rows = await pool.fetch(
        "SELECT map_date, distance_m FROM navigation_routes ORDER BY map_date, distance_m"
    )
    return [tuple(r) for r in rows]


async def test_a_map_that_changes_while_routes_are_asked_is_not_mistaken_for_the_one_before(
    pool: asyncpg.Pool,
) -> None:
    maps = Maps()
    maps.at = {2: lambda: maps.put("2")}  # after the date, before the route
    async with engine_server(maps) as server, pool.acquire() as conn:
        navigator = CachedNavigator(Osrm(server.url, limits=QUICK))
        await navigator.fetch(conn, [(A, B)])
        assert await kept(pool) == []
        assert await navigator.routes(conn, [(A, B)]) == [None]
        await navigator.fetch(conn, [(A, B)])
        ((date, metres),) = await kept(pool)
        assert date == "2"
        assert abs(metres - straight_m(A, B) * 1.2) < 2
        # The same within the minute in which the date is not asked before the routes.
        maps.put("3")
        await navigator.fetch(conn, [(A, C)])
        assert len(await kept(pool)) == 1
        await navigator.fetch(conn, [(A, C)])
        assert [m for m, _ in await kept(pool)] == ["2", "3"]
        await navigator.close()


@pytest.mark.parametrize("again", ["1", "2"])
async def test_routes_of_an_engine_that_died_after_them_are_kept_if_it_comes_back_with_its_map(
    pool: asyncpg.Pool, again: str
) -> None:
    maps = Maps()
    maps.at = {3: lambda: maps.put("1", down=True)}
    once = Limits(timeout_s=2, tries=1, backoff_s=0, breaker=lambda: Breaker(failures=1000))
    async with engine_server(maps) as server, pool.acquire() as conn:
        navigator = CachedNavigator(Osrm(server.url, limits=once))
        await navigator.fetch(conn, [(A, B)])
        await navigator.fetch(conn, [(A, B)])
        assert await kept(pool) == []
        maps.put(again)
        before = len(server.requests)
        await navigator.fetch(conn, [(A, B)])
        assert [m for m, _ in await kept(pool)] == [again]
        routes = [r for r in server.requests[before:] if "/route/" in r.path]
        assert len(routes) == (0 if again == "1" else 1)
        # Away for a moment within the minute: the date is asked before the next route.
        maps.put(again, down=True)
        await navigator.fetch(conn, [(A, C)])
        maps.put("9")
        await navigator.fetch(conn, [(A, C)])
        assert [m for m, _ in await kept(pool)] == [again, "9"]
        await navigator.close()


async def test_nonsense_that_an_older_program_kept_for_ever_is_asked_again(
    db_url: str, pool: asyncpg.Pool
) -> None:
    """Migration 11 over what was there before it."""
    await pool.execute("ALTER TABLE navigation_routes DROP COLUMN doubts, DROP COLUMN ask_again_at CASCADE")
    await pool.execute("DELETE FROM schema_migrations WHERE version = 11")
    problems = {
        "found": "",
        "none": "导航引擎找不到路线（NoRoute） · the engine knows no way (NoRoute)",
        "form": "导航引擎的答复不可信（格式不符） · the engine's answer cannot be true (not the documented form)",
    }
    for name, problem in problems.items():
        await pool.execute(
            "INSERT INTO navigation_routes (key, engine, map_date, places, distance_m, problem)"
            " VALUES (sha256($1::text::bytea), 'osrm', '1', '[]', $2, $3)",
            name, 7 if name == "found" else None, problem,
        )  # fmt: skip
    unsure = "导航引擎给不出可信的路线 · the engine gives no credible route"
    for subject, outcome, reason in (
        ("order:P1", "normal", "within"), ("order:P1", "undetermined", unsure), ("order:P2", "undetermined", unsure),
        ("order:P2", "normal", "within"), ("order:P3", "undetermined", "no_track"),
    ):  # fmt: skip
        await pool.execute(
            "INSERT INTO evaluations (rule, rule_version, subject, outcome, reason, measures, parameters, evaluated_at)"
            " VALUES ('mileage', 1, $1, $2, $3, '{}', '{}', now())",
            subject, outcome, reason,
        )  # fmt: skip
    assert "0011" in [name.split("_")[0] for name in await migrate(db_url)]
    rows = await pool.fetch(
        "SELECT problem FROM navigation_routes WHERE doubts = 1 AND ask_again_at <= now()"
    )
    assert [r["problem"] for r in rows] == [problems["form"]]
    assert [tuple(r) for r in await pool.fetch("SELECT gatherer, key FROM judge_due")] == [("orders", "P1")]


async def test_many_routes_are_fetched_at_once_but_not_too_many(pool: asyncpg.Pool) -> None:
    def slow(request: Request) -> Reply:
        reply = straight_osrm(request)
        reply.wait_s = 0.05
        return reply

    wanted = [(A, (B[0] + k, B[1])) for k in range(40)]
    async with engine_server(slow) as server, pool.acquire() as conn:
        navigator = CachedNavigator(Osrm(server.url, limits=Limits(timeout_s=60, concurrency=4)))
        await navigator.fetch(conn, wanted)
        assert None not in await navigator.routes(conn, wanted)
        assert 2 <= server.most <= 4
        await navigator.close()


async def test_one_fetch_ends_in_time_and_keeps_what_it_has(pool: asyncpg.Pool) -> None:
    def some(request: Request) -> Reply:
        reply = straight_osrm(request)
        slow = "/route/" in request.path and places_of(request)[1][0] % 2
        reply.wait_s = 30 if slow else 0
        return reply

    wanted = [(A, (B[0] + k, B[1])) for k in range(8)]
    async with engine_server(some) as server, pool.acquire() as conn:
        navigator = CachedNavigator(Osrm(server.url, limits=Limits(timeout_s=30, concurrency=8)), fetch_s=1.0)
        async with asyncio.timeout(
            20
        ):  # time: it ends by itself after one second, not with the answers after thirty
            await navigator.fetch(conn, wanted)
        found = await navigator.routes(conn, wanted)
        assert [r is None for r in found] == [k % 2 == 1 for k in range(8)]
        await navigator.close()


async def test_no_proxy_of_the_environment_stands_before_an_engine_of_ones_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with engine_server(straight_osrm) as server:
        engine = Osrm(server.url, limits=QUICK)
        assert (await route(engine, (A, B))).distance_m is not None
        await engine.close()


def matrix_of(request: Request) -> Reply:
    """What Valhalla and OSRM document for a matrix, over the open country; nothing leads to C."""
    if request.path == "/sources_to_targets":
        sides = [
            [(round(p["lat"] * 1e6), round(p["lon"] * 1e6)) for p in request.body[n]]
            for n in ("sources", "targets")
        ]
        cells = [[None if t == C else straight_m(s, t) for t in sides[1]] for s in sides[0]]
        rows = [
            [
                {
                    "distance": None if m is None else km(m),
                    "time": None if m is None else m // 10,
                    "from_index": k,
                    "to_index": n,
                }
                for n, m in enumerate(row)
            ]
            for k, row in enumerate(cells)
        ]
        return Reply({"sources_to_targets": rows, "units": "kilometers"})
    places = places_of(request)
    first, last = (list(map(int, request.query[n].split(";"))) for n in ("sources", "destinations"))
    metres = [
        [None if places[t] == C else float(straight_m(places[s], places[t])) for t in last] for s in first
    ]
    return Reply({"code": "Ok", "distances": metres, "durations": [[None if m is None else m / 10 for m in row] for row in metres]})  # fmt: skip


@pytest.mark.parametrize("engine", [Valhalla, Osrm])
async def test_a_matrix_is_asked_once_and_kept(engine: type[Valhalla] | type[Osrm]) -> None:
    asked = []

    def reply(request: Request) -> Reply:
        asked.append(request.path)
        return matrix_of(request)

    async with engine_server(reply) as server:
        ways = TravelTimes(engine(server.url, limits=QUICK))
        found = await ways.between([A, B], [B, C])
        assert found.keys() == {(A, B), (B, B)}
        assert abs(found[A, B][0] - straight_m(A, B)) <= 1
        assert found[A, B][1] == pytest.approx(straight_m(A, B) / 10, abs=1)
        assert await ways.between([A, B], [B, C]) == found
        assert len(asked) == 1
        await ways.close()


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"error_code": 171}, 400), Reply({"sources_to_targets": [], "units": "kilometers"}), Reply({"sources_to_targets": [[{"distance": "x"}]]}), Reply([1]), Reply({}, 500),
        Reply({"sources_to_targets": [[{"distance": 0.001, "time": 1}]], "units": "kilometers"}), Reply({"sources_to_targets": [[{"distance": 9.0, "time": 1}]], "units": "miles"}),
        Reply({"sources_to_targets": [[{"distance": 9.0, "time": 1}]], "units": "kilometers"}),
    ],
)  # fmt: skip
async def test_a_matrix_that_cannot_be_true_gives_no_way(reply: Reply) -> None:
    async with engine_server(lambda _: reply) as server:
        ways = TravelTimes(Valhalla(server.url, limits=QUICK))
        assert await ways.between([A], [B]) == {}
        await ways.close()
    assert await TravelTimes(None).between([A], [B]) == {}
