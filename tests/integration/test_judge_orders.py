"""The rule ``mileage`` over real positions, a real worker, a real database, and an engine that comes and goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from rules.alerts.evaluations import EvaluationFilter, list_evaluations
from rules.checks import mileage
from rules.evidence import parse
from rules.judge.process import Judge
from rules.judge.subjects.orders import Orders
from rules.navigation import CachedNavigator, Limits
from rules.navigation.http import Breaker
from rules.navigation.osrm import Osrm
from runtime.units import from_us
from tests.integration.navigation_server import EngineServer, Reply, Request, engine_server, straight_osrm
from tests.integration.worker_world import S, World, drive, place, shuffled, some_day, stand
from tests.words import said

H = 3600
YARD, HALL, CLINIC = (0.0, 0.0), (4000.0, 0.0), (4000.0, 2500.0)
QUICK = Limits(timeout_s=2, tries=1, backoff_s=0, breaker=lambda: Breaker(failures=1000))


class Clock:
    """A clock that a test moves."""

    def __init__(self, us: int) -> None:
        self.us = us

    def __call__(self) -> int:
        return self.us


class Office:
    """A world, an engine over the open country, and a judge."""

    def __init__(self, world: World, server: EngineServer, dsn: str) -> None:
        self.world, self.server = world, server
        self.stretch = 1.0  # the navigation mileage is so many times the straight line
        self.down = False
        self.profile = "driving"  # another one answers what cannot be true
        server.reply = self._reply
        self.clock = Clock(world.day + 20 * H * S)
        self.navigator = CachedNavigator(Osrm(server.url, limits=QUICK), now_us=self.clock)
        self.judge = Judge(dsn, [Orders()], self.navigator, now_us=self.clock)

    def _reply(self, request: Request) -> Reply:
        if self.down:
            return Reply({}, status=503)
        reply = straight_osrm(request, lambda m: m * self.stretch)
        if self.profile != "driving" and "/route/" in request.path:
            reply.body["routes"][0]["distance"] /= 10
        return reply

    async def judge_all(self) -> None:
        """Turns until nothing is due."""
        while await self.judge.turn():
            pass

    async def settle(self) -> None:
        """The worker takes what is there, then the judge."""
        await self.world.work()
        await self.judge_all()

    async def alerts(self, status: str | None = "suspected") -> list[dict[str, Any]]:
        return [a for a in await self.world.alerts(status) if a["rule"] == "mileage"]

    async def outcomes(self) -> list[tuple[str, str]]:
        """(subject, outcome) of every evaluation of the rule, the oldest first."""
        rows = await self.world.pool.fetch(
            "SELECT subject, outcome FROM evaluations WHERE rule = 'mileage' ORDER BY id"
        )
        return [tuple(r) for r in rows]

    async def waiting(self) -> list[tuple[str, str]]:
        return [
            tuple(r) for r in await self.world.pool.fetch("SELECT key, waits_for FROM judge_due ORDER BY key")
        ]


@pytest.fixture
async def office(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    world = World(pool, tmp_path, some_day())
    await world.build()
    async with engine_server(straight_osrm) as server:
        made = Office(world, server, db_url)
        yield made
        await made.judge.close()
        await made.navigator.close()
    await world.close()


def trip(start_s: float, *stations: tuple[float, float]) -> list[Any]:
    """In the yard, over ``stations``, and in the yard again."""
    out = drive(start_s, YARD, *stations, YARD)
    return [*stand(start_s - 1800, start_s), *out, *stand(out[-1][0] + 30, out[-1][0] + 1800)]


async def order(office: Office, id: str = "P1", hours: float = 8, **more: Any) -> None:
    await office.world.order(
        id,
        hours * H,
        (hours + 0.6) * H,
        **{"origin": place(0, 0, "院"), "destinations": [place(*HALL)], "return_point": None} | more,
    )


DETOUR = (4000.0, 6000.0)


async def test_a_detour_is_suspected_and_the_straight_trip_is_not(office: Office) -> None:
    await order(office, "P1", 8)
    await order(office, "P2", 10)
    await office.world.send(office.world.batch(trip(8 * H, HALL, DETOUR)))
    await office.world.send(office.world.batch(trip(10 * H, HALL)))
    await office.settle()
    (alert,) = await office.alerts()
    assert (alert["order"], alert["severity"], alert["vehicle"]) == ("P1", "medium", "V1")
    assert "导航里程 8,000 米" in alert["summary"]
    assert await office.outcomes() == [("order:P1", "suspected"), ("order:P2", "normal")]
    assert await office.waiting() == []
    # The evidence alone gives the same again, and the mileage that streaming gave.
    body = await office.world.pool.fetchval(
        "SELECT body FROM evidence WHERE sha256 = $1", bytes.fromhex(alert["evidence_hash"])
    )
    evidence = parse(body)
    made = mileage.evaluate(evidence)
    assert said(made) == alert["summary"]
    streamed = await office.world.pool.fetchrow("SELECT * FROM order_results WHERE order_id = 'P1'")
    assert mileage.recompute(evidence)["mileage_mm"] == streamed["mileage_mm"]
    assert evidence["route"]["map_date"] == "2026-03-01T00:00:00Z"
    # Both orders have one tour: it was asked once.
    assert len([r for r in office.server.requests if "/route/" in r.path]) == 1


async def test_three_destinations_in_the_order_of_the_order(office: Office) -> None:
    stops = [HALL, CLINIC, (0.0, 2500.0)]
    await order(office, destinations=[place(*p) for p in stops])
    await office.world.send(office.world.batch(trip(8 * H, *stops)))
    await office.settle()
    assert await office.outcomes() == [("order:P1", "normal")]
    measures = await office.world.pool.fetchval("SELECT measures FROM evaluations WHERE rule = 'mileage'")
    assert abs(measures["navigation_m"]["value"] - 13_000) < 10
    # The same places in another order are another, longer tour; a one-way figure would have been suspected.
    assert measures["ratio_permille"]["value"] < 1100


async def test_an_engine_that_is_down_puts_the_order_off_until_it_answers(office: Office) -> None:
    await order(office)
    await office.world.send(office.world.batch(trip(8 * H, HALL, DETOUR)))
    office.down = True
    await office.world.work()
    await office.judge_all()
    assert await office.outcomes() == []
    ((key, why),) = await office.waiting()
    assert key == "P1"
    assert "导航" in why
    office.down = False
    office.clock.us += 24 * H * S
    await office.judge_all()
    assert [a["order"] for a in await office.alerts()] == ["P1"]
    assert await office.waiting() == []


async def test_exactly_the_limit_on_the_road(office: Office) -> None:
    """The engine's number is made such that the driven millimetres are exactly 1.5 times it, then one metre less."""
    await order(office)
    await office.world.send(office.world.batch(trip(8 * H, HALL, DETOUR)))
    office.down = True
    await office.settle()
    mm = await office.world.pool.fetchval("SELECT mileage_mm FROM order_results WHERE order_id = 'P1'")
    office.stretch = (mm // 1500) / 8000
    office.down = False
    office.clock.us += 24 * H * S
    await office.judge_all()
    assert len(await office.alerts()) == 1
    # Another map, on which the way is one metre longer than what 1.5 allows.
    await office.world.pool.execute("UPDATE navigation_routes SET distance_m = $1", mm // 1500 + 1)
    await office.world.order(
        "P1", 8 * H, 8.6 * H, origin=place(0, 0, "院"), destinations=[place(*HALL)], purpose="更正事由"
    )
    await office.settle()
    assert await office.alerts() == []
    (withdrawn,) = await office.alerts("withdrawn")
    assert withdrawn["withdrawal_reason"]


async def test_cancelled_reopened_given_away_is_withdrawn_and_raised_again(office: Office) -> None:
    await order(office)
    await office.world.send(office.world.batch(trip(8 * H, HALL, DETOUR)))
    await office.settle()
    assert len(await office.alerts()) == 1
    for change, word in (
        ({"status": "cancelled"}, "取消"),
        ({"status": "departed", "actual_return": None}, "重新打开"),
        ({"vehicle": "V2"}, ""),
    ):
        await order(office, **change)
        await office.settle()
        assert await office.alerts() == []
        (withdrawn,) = await office.alerts("withdrawn")
        assert word in withdrawn["withdrawal_reason"]
        await order(office)
        await office.settle()
        (again,) = await office.alerts()
        assert (again["id"], again["vehicle"]) == (withdrawn["id"], "V1")
        assert again["version"] > withdrawn["version"]


async def test_what_has_no_route_is_undetermined(office: Office) -> None:
    await order(office, "P1", 8, origin=None)
    await order(office, "P2", 10, destinations=[{"name": "市区"}])
    await order(office, "P3", 12, vehicle="V2")
    await office.world.send(office.world.batch(trip(8 * H, HALL)), office.world.batch(trip(10 * H, HALL)))
    office.clock.us += 12 * H * S
    worker = await office.world.work(office.world.worker(now_us=office.clock))
    for _ in range(3):  # an idle worker settles by the clock
        await worker.turn()
    await office.judge_all()
    rows = await office.world.pool.fetch(
        "SELECT subject, outcome, reason_code FROM evaluations WHERE rule = 'mileage' ORDER BY 1"
    )
    assert {r["outcome"] for r in rows} == {"undetermined"}
    assert [r["subject"] for r in rows] == ["order:P1", "order:P2", "order:P3"]
    assert [r["reason_code"] for r in rows] == ["no_origin", "no_coordinates", "no_track"]
    assert not [r for r in office.server.requests if "/route/" in r.path]


async def test_nonsense_is_shown_and_asked_again_until_the_engine_is_mended(office: Office) -> None:
    office.profile = "foot"
    await order(office, "P1")
    await office.world.send(office.world.batch(trip(8 * H, HALL, DETOUR)))
    await office.settle()
    assert await office.outcomes() == [("order:P1", "undetermined")]
    async with office.world.pool.acquire() as conn:
        (told,) = await list_evaluations(conn, EvaluationFilter(rule="mileage"))
    assert told["reason_code"] == "no_route"
    assert "里程 800 米短于直线距离" in told["reason"]
    assert "800 m is less" in told["reason_en"]
    ((key, why),) = await office.waiting()
    assert key == "P1"
    assert "不可信" in why

    def asked() -> int:
        return len([r for r in office.server.requests if "/route/" in r.path])

    # After an hour, a day, two, four.
    for minutes, times in ((54, 1), (12, 2), (1430, 2), (20, 3), (2870, 3), (20, 4), (5750, 4), (20, 5)):
        office.clock.us += minutes * 60 * S
        await office.judge_all()
        assert asked() == times
    assert await office.outcomes() == [("order:P1", "undetermined")]  # the same again is no news
    office.profile = "driving"
    before = asked()
    office.clock.us += 8 * 24 * H * S
    await office.judge_all()
    assert asked() == before + 1
    assert await office.outcomes() == [("order:P1", "undetermined"), ("order:P1", "suspected")]
    assert await office.waiting() == []
    # What was believed once is frozen, whatever the engine says later.
    office.profile = "foot"
    await order(office, "P2", 10)
    await office.world.send(office.world.batch(trip(10 * H, HALL)))
    await office.settle()
    assert (await office.outcomes())[-1] == ("order:P2", "normal")
    assert asked() == before + 1


async def test_the_engines_own_no_is_final(office: Office) -> None:
    office.server.reply = lambda r: (
        Reply({"code": "NoRoute", "message": "Impossible route"}, status=400)
        if "/route/" in r.path
        else straight_osrm(r)
    )
    await order(office, "P1")
    await office.world.send(office.world.batch(trip(8 * H, HALL)))
    await office.settle()
    assert "Impossible route" in await office.world.pool.fetchval(
        "SELECT reason_named::text FROM evaluations WHERE rule = 'mileage'"
    )
    assert await office.waiting() == []


async def test_late_positions_change_the_verdict(office: Office) -> None:
    """The detour comes from the blind zone after the order was judged on a straight line over the gap."""
    await order(office)
    batch = office.world.batch(trip(8 * H, HALL, DETOUR))
    t = (batch.device_us - office.world.day) / S
    late = (t > 8 * H + 340) & (t < 8 * H + 1200)
    await office.world.send(batch.take(~late))
    await office.settle()
    assert await office.alerts() == []
    await office.world.send(batch.take(late))
    await office.settle()
    (alert,) = await office.alerts()
    assert alert["order"] == "P1"


async def test_the_order_of_arrival_does_not_matter(office: Office) -> None:
    await order(office, "P1", 8)
    await order(office, "P2", 8.25)  # overlaps: a kilometre counts once
    batch = office.world.batch(trip(8 * H, HALL, DETOUR))
    await office.world.send_in(batch, shuffled(len(batch), 7), 40)
    await office.settle()
    first = {r["subject"]: dict(r) for r in await _evaluations(office)}
    for key in ("P1", "P2"):
        await office.world.pool.execute(
            "INSERT INTO judge_due (gatherer, key, due_at) VALUES ('orders', $1, now() - interval '30 days')",
            key,
        )
    await office.judge_all()
    assert {r["subject"]: dict(r) for r in await _evaluations(office)} == first


async def _evaluations(office: Office) -> list[Any]:
    found: list[Any] = await office.world.pool.fetch(
        "SELECT subject, outcome, reason_code, measures, evidence_sha256, count(*) OVER (PARTITION BY subject)"
        " FROM evaluations WHERE rule = 'mileage' ORDER BY subject"
    )
    return found


async def test_an_order_that_was_extended_and_one_entered_afterwards_are_judged_whole(office: Office) -> None:
    await office.world.order(
        "P1",
        8 * H,
        0,
        status="departed",
        planned_return_s=8.2 * H,
        origin=place(0, 0, "院"),
        destinations=[place(*HALL)],
    )
    await office.world.send(office.world.batch(trip(8 * H, HALL, DETOUR)))
    await office.settle()
    assert await office.outcomes() == []
    late = {"planned_return_s": 8.2 * H, "extended_return": office.world.time(8.6 * H)}
    await order(office, "P1", 8, **late)
    await office.settle()
    (alert,) = await office.alerts()
    whole = alert["measures"]["mileage_m"]["value"]
    assert whole > 17_000
    await office.world.send(office.world.batch(trip(10 * H, HALL, DETOUR)))
    await office.settle()
    await order(office, "P2", 10)  # 补单
    await office.settle()
    assert [(a["order"], a["measures"]["mileage_m"]["value"]) for a in await office.alerts()] == [
        ("P1", whole),
        ("P2", whole),
    ]


async def test_another_limit_is_applied_to_what_was_judged(office: Office) -> None:
    await order(office)
    await office.world.send(office.world.batch(trip(8 * H, HALL, DETOUR)))
    await office.settle()
    assert len(await office.alerts()) == 1
    await office.world.pool.execute(
        "INSERT INTO rule_parameters (rule, name, organisation, value, effective_from)"
        " VALUES ('mileage', 'ratio_permille', 'O1', 9000, $1)",
        from_us(office.world.day),
    )
    await office.settle()
    assert await office.alerts() == []


async def test_an_order_on_its_second_day_is_recomputed_from_the_first(office: Office) -> None:
    """Out at 23:50, back after midnight: one trip, and its evidence begins on the first day."""
    await order(office, "P1", 23.8)
    await office.world.send(office.world.batch(trip(23.8 * H, HALL, DETOUR)))
    office.clock.us += 24 * H * S
    await office.world.work(office.world.worker(now_us=office.clock))
    await office.judge_all()
    (alert,) = await office.alerts()
    assert alert["measures"]["mileage_m"]["value"] > 12_000


async def test_a_result_that_the_track_does_not_give_waits(office: Office) -> None:
    await order(office)
    await office.world.send(office.world.batch(trip(8 * H, HALL, DETOUR)))
    await office.world.work()
    await office.world.pool.execute(
        "UPDATE order_results SET mileage_mm = mileage_mm + 1 WHERE order_id = 'P1'"
    )
    await office.judge_all()
    assert await office.outcomes() == []
    ((key, why),) = await office.waiting()
    assert (key, "不一致" in why) == ("P1", True)
    await office.world.pool.execute(
        "UPDATE order_results SET mileage_mm = mileage_mm - 1 WHERE order_id = 'P1'"
    )
    await office.judge_all()
    assert len(await office.alerts()) == 1


async def test_between_names_the_settled_orders_of_a_time(office: Office) -> None:
    await order(office, "P1", 8)
    await order(office, "P2", 10)
    await office.world.send(office.world.batch(trip(8 * H, HALL)), office.world.batch(trip(10 * H, HALL)))
    await office.settle()
    day = office.world.day
    context = await office.judge._context()
    found = [
        await Orders().between(context, day + a * H * S, day + b * H * S)
        for a, b in ((8, 10), (8, 11), (11, 20))
    ]
    assert found == [["P1"], ["P1", "P2"], []]
