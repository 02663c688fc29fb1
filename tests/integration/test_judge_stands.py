"""What was found stands until it can really be judged again; what waits for positions is judged when they come; what happened
long ago is judged by its own date, or says that it is too old."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from rules.alerts.model import AlertFacts, Judgement, Measure
from rules.alerts.publish import publish
from rules.judge.context import Verdicts
from rules.judge.day_tracks import day_of
from rules.judge.process import Judge
from rules.judge.standing import to_publish
from rules.judge.subjects.all import GATHERERS
from rules.navigation import NoNavigator
from rules.wording.standard import STANDARD
from runtime.units import US_PER_DAY
from tests.integration.navigation_server import Reply, Request, engine_server, straight_osrm
from tests.integration.test_judge_orders import CLINIC, DETOUR, HALL, Clock, H, Office, order, trip
from tests.integration.test_read_only import command
from tests.integration.worker_world import HOUR, S, World, drive, place, some_day, stand
from tests.waiting import until

T0 = 1_798_700_000_000_000


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


async def suspected(office: Office) -> None:
    await order(office, "P1")
    await office.world.send(office.world.batch(trip(8 * H, HALL, DETOUR)))
    await office.settle()
    assert [alert["version"] for alert in await office.alerts()] == [1]


async def test_an_engine_that_answers_nonsense_withdraws_nothing(office: Office) -> None:
    await suspected(office)
    office.profile = "foot"
    await order(office, "P1", destinations=[place(*CLINIC)])  # another route is needed now
    await office.settle()
    (alert,) = await office.alerts()
    assert alert["version"] == 1
    assert await office.outcomes() == [("order:P1", "suspected")]
    ((key, why),) = await office.waiting()
    assert key == "P1"
    assert "不可信" in why
    office.profile = "driving"
    office.clock.us += 2 * H * S
    await office.judge_all()
    (alert,) = await office.alerts()  # judged on the new route
    assert alert["version"] == 2
    assert await office.waiting() == []


async def test_an_engine_that_is_down_withdraws_nothing(office: Office) -> None:
    await suspected(office)
    office.down = True
    await order(office, "P1", destinations=[place(*CLINIC)])
    await office.settle()
    assert [alert["version"] for alert in await office.alerts()] == [1]
    assert [key for key, _ in await office.waiting()] == ["P1"]


async def test_an_engine_that_lost_its_map_withdraws_nothing(office: Office) -> None:
    """It says of the same places that there is no way between them. For other places that is its last word."""
    await suspected(office)

    def lost(request: Request) -> Reply:
        if "/route/" in request.path:
            return Reply({"code": "NoRoute", "message": "Impossible route"}, status=400)
        reply = straight_osrm(request)
        reply.body["data_version"] = "2026-04-01T00:00:00Z"
        return reply

    office.server.reply = lost
    office.clock.us += 2 * H * S
    office.navigator._asked_at = -1e9  # as after an hour: it is asked for its map again
    await order(office, "P1", purpose="会议")
    await office.settle()
    assert [alert["version"] for alert in await office.alerts()] == [1]
    await order(office, "P1", destinations=[place(*CLINIC)])
    await office.settle()
    assert await office.alerts() == []


class Days:
    """A world and a judge of everything, whose clock a test moves."""

    def __init__(self, world: World, dsn: str) -> None:
        self.world = world
        self.clock = Clock(world.day + 80 * HOUR)
        self.judge = Judge(dsn, GATHERERS, NoNavigator(), now_us=self.clock)

    async def settle(self) -> None:
        await self.world.work()
        await self.world.work()  # with nothing left in the log: what is received is known until now
        while await self.judge.turn():
            pass

    async def outcome(self, rule: str, subject: str) -> tuple[str, str]:
        row = await self.world.pool.fetchrow(
            "SELECT outcome, reason_code FROM evaluations WHERE rule = $1 AND subject = $2 ORDER BY id DESC LIMIT 1",
            rule, subject,
        )  # fmt: skip
        return tuple(row) if row is not None else ("", "")

    async def calendar(self, *, workday: bool = False) -> None:
        await self.world.pool.executemany(
            "INSERT INTO calendar_days (day, workday) VALUES ($1, $2)",
            [(day_of(self.world.day) + timedelta(days=k), workday) for k in range(-120, 5)],
        )

    def subject(self, days: int = 0) -> str:
        return f"vehicle:V1:{day_of(self.world.day) + timedelta(days=days)}"


@pytest.fixture
async def days(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> AsyncIterator[Days]:
    world = World(pool, tmp_path, some_day())
    await world.build(1, fence=False)
    made = Days(world, db_url)
    yield made
    await made.judge.close()
    await world.close()


async def off_hours_subjects(pool: asyncpg.Pool) -> list[str]:
    return [
        r["subject"]
        for r in await pool.fetch("SELECT DISTINCT subject FROM evaluations WHERE rule = 'off_hours'")
    ]


async def test_a_day_whose_positions_come_later_is_judged_when_they_come(days: Days) -> None:
    await days.calendar()
    await days.world.send(days.world.batch(stand(-20 * 3600, -18 * 3600, every=600)))
    await days.settle()
    (subject,) = [
        s for s in await off_hours_subjects(days.world.pool) if s.endswith(str(day_of(days.world.day)))
    ]
    assert await days.outcome("off_hours", subject) == ("undetermined", "no_track")
    days.clock.us += 15 * S  # time: of the judge's clock
    # In order: newer than all that the vehicle had. Nothing after the day comes.
    await days.world.send(days.world.batch(drive(10 * 3600, (0, 0), (6000, 0))))
    await days.settle()
    assert (await days.outcome("off_hours", subject))[0] == "suspected"
    # What is there after the day ends the waiting.
    days.clock.us += 15 * S
    await days.world.send(days.world.batch(stand(26 * 3600, 27 * 3600, 6000, every=600)))
    await days.settle()
    key = f"V1|{day_of(days.world.day)}"
    assert (
        await days.world.pool.fetchval(
            "SELECT count(*) FROM judge_due WHERE gatherer = 'vehicle_days' AND key = $1", key
        )
        == 0
    )


async def test_a_source_that_is_away_withdraws_nothing(pool: asyncpg.Pool) -> None:
    """Such as the calendar: the office took its word on a day back, and nobody has published another."""
    about = AlertFacts("low", "O1", "V1", "苏F1", T0, T0 + HOUR)
    told = {"plate": "苏F1", "date": "2027-01-01", "day_name": "元旦", "orders": []}
    measures = {"distance_m": Measure(6000, "m"), "driven_s": Measure(600, "s")}
    found = Judgement(
        "off_hours", 2, "vehicle:V1:2027-01-01", None, "suspected", "rest_day", T0,
        measures, evidence=b"{}", alert=about, told=told, happened=(T0, T0 + HOUR),
    )  # fmt: skip
    away = Judgement("off_hours", 2, "vehicle:V1:2027-01-01", None, "undetermined", "calendar_unknown", T0)
    too_old = replace(away, reason="track_not_kept")
    own = replace(away, subject="vehicle:V2:2027-01-01", reason="track_not_kept")
    normal = replace(own, outcome="normal", reason="none", evaluated_at_us=T0 + 1)
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("INSERT INTO organisations (id, name) VALUES ('O1', '单位')")
        await publish(conn, [found], STANDARD)
        assert await to_publish(conn, Verdicts([away, own], absent={away.subject})) == [own]
        assert await to_publish(conn, Verdicts([away])) == [away]  # judged, and not for want of a source
        assert await to_publish(conn, Verdicts([too_old])) == []
        await publish(conn, [own])
        assert await to_publish(conn, Verdicts([own])) == [own]  # the same again: publish() drops it
        await publish(conn, [normal])
        assert await to_publish(conn, Verdicts([own])) == []
        assert await to_publish(conn, Verdicts([away, normal], absent={away.subject, normal.subject})) == [
            normal
        ]


async def test_facts_of_long_ago_are_judged_by_their_own_dates(days: Days) -> None:
    """Entered after a quarter: a trip, an order that excuses a drive at night."""
    night = drive(-100 * 86_400 + 23 * 3600, (0, 0), (6000, 0))
    await days.world.send(
        days.world.batch(night + stand(-99 * 86_400 + 7 * 3600, -99 * 86_400 + 8 * 3600, 6000, every=600))
    )
    await days.world.send(days.world.batch(stand(0, 2 * 3600, 6000, every=600)))
    await days.settle()
    subject = f"V1:{day_of(days.world.day) - timedelta(days=100)}"
    assert not [s for s in await off_hours_subjects(days.world.pool) if s.endswith(subject)]  # beyond 62 days
    assert (await days.judge.ask(days.world.day - 101 * US_PER_DAY))["vehicle_days"] > 100
    await days.settle()
    assert [a["rule"] for a in await days.world.alerts()].count("off_hours") == 1
    start_s = -100 * 86_400 + 22 * 3600
    await days.world.order("P1", start_s, start_s + 3 * 3600, destinations=[place(6000, 0)])
    await days.settle()
    assert not [a for a in await days.world.alerts() if a["rule"] == "off_hours"]
    rows = await days.world.pool.fetch(
        "SELECT outcome, reason_code FROM evaluations WHERE rule = 'destination'"
    )
    assert [row["outcome"] for row in rows] == ["normal"], [tuple(row) for row in rows]


async def test_what_is_too_old_says_so_and_what_was_found_stands(days: Days, db_url: str) -> None:
    night = drive(-20 * 86_400 + 23 * 3600, (0, 0), (6000, 0))
    await days.world.send(days.world.batch(night + stand(-19 * 86_400, -19 * 86_400 + 3600, 6000, every=600)))
    await days.settle()
    (alert,) = [a for a in await days.world.alerts() if a["rule"] == "off_hours"]
    before = await days.world.pool.fetchval("SELECT count(*) FROM evaluations")
    await days.world.pool.execute("DELETE FROM positions")
    short = Judge(db_url, GATHERERS, NoNavigator(), now_us=days.clock, retention_days=10)
    await days.judge.close()
    await short.ask(days.world.day - 70 * US_PER_DAY)
    while await short.turn():
        pass
    await short.close()
    assert [a["version"] for a in await days.world.alerts() if a["rule"] == "off_hours"] == [alert["version"]]
    rows = await days.world.pool.fetch(
        "SELECT subject, outcome, reason_code FROM evaluations ORDER BY id OFFSET $1", before
    )
    assert {tuple(row)[1:] for row in rows} == {("undetermined", "track_not_kept")}
    oldest = f"V1:{day_of(days.world.day) - timedelta(days=70)}"
    assert any(row["subject"].endswith(oldest) for row in rows)
    assert STANDARD.reason("off_hours", 2, "track_not_kept").zh.startswith("发生时间过早")


async def test_the_command_judges_the_past_and_ends(days: Days, db_url: str, tmp_path: Path) -> None:
    await days.world.send(days.world.batch(drive(2 * 3600, (0, 0), (6000, 0))))
    await days.world.send(days.world.batch(stand(30 * 3600, 31 * 3600, 6000, every=600)))
    await days.world.work()
    since = str(day_of(days.world.day))
    status, said = await command(db_url, tmp_path, "judge", "--since", since)
    assert status == 0, said
    assert [s for s in await off_hours_subjects(days.world.pool) if s.endswith(since)]
    assert [a["vehicle"] for a in await days.world.alerts() if a["rule"] == "off_hours"] == ["V1"]
    status, said = await command(db_url, tmp_path, "judge", "--since", "2999-01-01")
    assert status == 78
    assert "尚未到来" in said


async def test_the_command_leaves_it_to_the_judge_that_leads(days: Days, db_url: str, tmp_path: Path) -> None:
    stop = asyncio.Event()
    leader = Judge(db_url, GATHERERS, NoNavigator())
    running = asyncio.create_task(leader.run(stop))
    try:
        await until(lambda: leader.leads, "it leads")
        since = str(day_of(days.world.day))
        assert (await command(db_url, tmp_path, "judge", "--since", since))[0] == 0
        assert leader.leads
    finally:
        stop.set()
        await running
        await leader.close()
