"""Days of vehicles on a real database: off hours, silences, orders entered later, late positions, many at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from registry.calendar import load_calendar
from registry.organisations import Organisation
from registry.parameter_values import load_parameters
from registry.terminals import Terminal
from registry.vehicles import Vehicle
from rules import evidence as frozen
from rules.alerts import reminders
from rules.alerts.feed import publish_feed
from rules.alerts.model import Judgement
from rules.alerts.publish import publish
from rules.checks import off_hours, terminal_silent
from rules.judge.context import Change, Context, Verdicts
from rules.judge.day_tracks import day_of
from rules.judge.subjects.vehicle_days import VehicleDays, key_of
from runtime.connection import Connection
from runtime.units import US_PER_DAY
from telemetry.archive.store import Archive
from telemetry.commands.program import REMINDERS, Wanted, ask_all
from telemetry.positions import Source
from tests.integration.worker_world import HOUR, S, World, drive, some_day, stand
from tests.words import means, said

GATHERER = VehicleDays()
POWER_LOSS = 1 << 8


class Court(World):
    """A World whose days are judged by hand."""

    def __init__(self, pool: asyncpg.Pool, folder: Path) -> None:
        super().__init__(pool, folder, some_day())
        self.first_day = day_of(self.day)

    async def calendar(self, *, workday: bool = True, days: int = 3) -> None:
        await self.pool.executemany(
            "INSERT INTO calendar_days (day, workday) VALUES ($1, $2)",
            [(self.first_day + timedelta(days=k), workday) for k in range(days)],
        )

    async def context(self, conn: Connection, hours: float = 30.5, known: float | None = None) -> Context:
        now = self.day + round(hours * HOUR)
        return Context(
            conn, Archive(), None, await load_calendar(conn), await load_parameters(conn), now,  # type: ignore[arg-type]
            now if known is None else self.day + round(known * HOUR),
        )  # fmt: skip

    async def judge(self, *keys: str, hours: float = 30.5, known: float | None = None) -> Verdicts:
        async with self.pool.acquire() as conn, conn.transaction():
            verdicts = await GATHERER.judge(await self.context(conn, hours, known), keys)
            written = await publish(conn, verdicts.judgements)
            await publish_feed(conn, written)
        return verdicts

    async def affected(
        self, kind: str, subject: str, from_s: float = 0, hours: float = 30.5
    ) -> dict[str, int]:
        async with self.pool.acquire() as conn, conn.transaction():
            change = Change(1, kind, subject, self.day + round(from_s * S))
            return await GATHERER.affected(await self.context(conn, hours), [change])

    async def remind(self, at_us: int) -> int:
        """The driver of V1 was told something of a fix; the number of the command."""
        async with self.pool.acquire() as conn, conn.transaction():
            wanted = Wanted(f"k{at_us}", 1, "text", {"text": "请减速"}, "x", timedelta(minutes=5))
            (command,) = (await ask_all(conn, REMINDERS, [wanted])).values()
            await reminders.write(conn, [reminders.Made(wanted.key, "speed", 1, None, at_us, command)], at_us)
        return command

    def key(self, vehicle: int = 1, day: int = 0) -> str:
        return key_of(f"V{vehicle}", self.first_day + timedelta(days=day))

    async def outcomes(self, rule: str) -> dict[str, tuple[str, str]]:
        rows = await self.pool.fetch(
            "SELECT DISTINCT ON (subject) subject, outcome, reason_code FROM evaluations WHERE rule = $1 ORDER BY subject, id DESC",
            rule,
        )
        return {r["subject"].split(":", 1)[1]: (r["outcome"], r["reason_code"]) for r in rows}

    async def of(self, rule: str) -> list[dict[str, Any]]:
        return [a for a in await self.alerts(None) if a["rule"] == rule]

    def told_of(self, vehicle: int, day: int = 0) -> str:
        return f"V{vehicle}:{self.first_day + timedelta(days=day)}"


@pytest.fixture
async def court(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Court]:
    made = Court(pool, tmp_path)
    yield made
    await made.close()


async def test_a_night_drive_is_suspected_and_an_order_entered_later_withdraws_it(court: Court) -> None:
    await court.build(1, fence=False)
    await court.calendar()
    await court.send(
        court.batch(stand(20 * 3600, 23 * 3600, every=600) + drive(23 * 3600, (0, 0), (6000, 0)))
    )
    await court.send(court.batch(stand(30 * 3600, 31 * 3600, 6000, every=600)))
    await court.work()
    told = [
        await court.remind(court.day + round(hours * HOUR)) for hours in (23.2, 24.1)
    ]  # one in the day, one after it
    await court.judge(court.key())
    (alert,) = await court.of("off_hours")
    assert (alert["status"], alert["severity"], alert["vehicle"]) == ("suspected", "low", "V1")
    assert alert["measures"]["distance_m"]["value"] == pytest.approx(6000, abs=100)
    body = await court.pool.fetchval(
        "SELECT body FROM evidence WHERE encode(sha256, 'hex') = $1", alert["evidence_hash"]
    )
    assert said(off_hours.evaluate(frozen.parse(body))) == alert["summary"]
    assert [one["command"] for one in frozen.parse(body)["reminders"]] == told[:1]
    assert alert["occurred_from"].endswith("23:00:00+08:00")

    await court.judge(court.key())  # twice = once
    assert len(await court.pool.fetch("SELECT FROM alert_versions")) == 1

    await court.order("P1", 23 * 3600, 25 * 3600)
    assert court.key() in await court.affected("order", "P1")
    await court.judge(court.key())
    (alert,) = await court.of("off_hours")
    assert (alert["status"], alert["version"]) == ("withdrawn", 2)
    assert alert["withdrawal_reason"] == means("off_hours", "none") + "（据经审批的补单）"
    assert alert["withdrawn_by"] == "backfill"

    await court.order(
        "P1", 23 * 3600, 25 * 3600, status="cancelled", cancelled_at=court.time(22 * 3600)
    )  # before it began: it covers nothing
    assert court.key() in await court.affected("order", "P1")  # where an older version was
    await court.judge(court.key())
    (alert,) = await court.of("off_hours")
    assert (alert["status"], alert["version"]) == ("suspected", 3)


async def test_days_off_and_a_calendar_that_comes_later(court: Court) -> None:
    await court.build(1, fence=False)
    await court.calendar()
    await court.send(
        court.batch(drive(10 * 3600, (0, 0), (6000, 0)) + stand(25 * 3600, 26 * 3600, 6000, every=600))
    )
    await court.work()
    await court.judge(court.key())
    assert (await court.outcomes("off_hours"))[court.told_of(1)] == ("normal", "none")
    await court.pool.execute(
        "UPDATE calendar_days SET workday = false, name = '中秋节' WHERE day = $1", court.first_day
    )
    assert set(await court.affected("calendar", court.first_day.isoformat())) == {court.key()}
    await court.judge(court.key())
    (alert,) = await court.of("off_hours")
    assert "休息日（中秋节）" in alert["summary"]


async def weekend(court: Court, *, unplugged: bool = False, back: int = 9000, then: int = 2) -> None:
    """V1 is silent from 10:00 to 20:00 and ``back`` metres away then; V2, V3 report all day; V4 sleeps all day."""
    await court.build(4, fence=False)
    await court.calendar()
    first = stand(8 * 3600, 10 * 3600, every=300)
    court.last_s = first[-1][0]  # type: ignore[attr-defined]
    alarm = [0] * (len(first) - 1) + [POWER_LOSS * unplugged]
    await court.send(court.batch(first, alarm=alarm))
    for k, hours in ((2, 31), (3, 24)):
        await court.send(court.batch(stand(0, hours * 3600, every=1200), terminal=k))
    await court.send(
        court.batch([*stand(7 * 3600, 7 * 3600 + 60), *stand(25 * 3600, 25 * 3600 + 60)], terminal=4)
    )
    if then:
        await court.send(court.batch(stand(20 * 3600, 20 * 3600 + 300 * then, back, every=300)))
        await court.send(court.batch(stand(24 * 3600, 25 * 3600, back, every=600)))
    await court.work()


async def test_displaced_while_silent(court: Court) -> None:
    await weekend(court)
    verdicts = await court.judge(*(court.key(k) for k in (1, 2, 3, 4)))
    (alert,) = await court.of("terminal_silent")
    assert (alert["status"], alert["severity"], alert["vehicle"]) == ("suspected", "high", "V1")
    values = {name: m["value"] for name, m in alert["measures"].items()}
    assert values["displacement_m"] == pytest.approx(9000, abs=5)
    assert (values["peers_reporting"], values["peers_silent"]) == (2, 0)  # V4 slept
    found = await court.outcomes("terminal_silent")
    assert found[court.told_of(2)] == ("normal", "reporting")
    assert found[court.told_of(4)] == ("normal", "asleep")
    body = await court.pool.fetchval(
        "SELECT body FROM evidence WHERE encode(sha256, 'hex') = $1", alert["evidence_hash"]
    )
    assert said(terminal_silent.evaluate(frozen.parse(body))) == alert["summary"]
    assert court.key(1) not in verdicts.later
    assert court.key(2) not in verdicts.later
    assert court.key(3) in verdicts.later  # nothing after the day yet
    assert found[court.told_of(3)] == ("undetermined", "still_silent")

    # What the terminal had in its memory comes later: silent only while parked.
    fill = drive(court.last_s + 10, (0, 0), (9000, 0))  # type: ignore[attr-defined]
    rest = stand(fill[-1][0] + 60, 20 * 3600, 9000, every=600)
    await court.send(court.batch([*fill, *rest], source=Source.BLIND_ZONE))
    await court.work()
    changes = await court.pool.fetch("SELECT kind, subject FROM changes WHERE kind = 'track'")
    assert ("track", "V1") in [tuple(c) for c in changes]
    assert court.key() in await court.affected("track", "V1", 36_000)
    await court.judge(court.key())
    (alert,) = await court.of("terminal_silent")
    assert (alert["status"], alert["withdrawal_reason"]) == (
        "withdrawn",
        means("terminal_silent", "asleep"),
    )


@pytest.mark.parametrize(("off", "metres"), [(22 * 3600, 300_000), (0, 600_000)], ids=["night", "day"])
async def test_a_jump_that_comes_first_accuses_nobody(court: Court, off: int, metres: int) -> None:
    """Parked for two days, the others' terminals awake; a fix far off is the first of the night, or of the day."""
    await court.build(3, fence=False)
    await court.calendar()
    parked = stand(-24 * 3600, 48 * 3600, every=600)
    for k in (2, 3):
        await court.send(court.batch(parked, terminal=k))
    await court.send(court.batch([(t, 0, metres if t == off else 0, 0) for t, *_ in parked]))
    await court.work()
    await court.judge(court.key(), hours=54)
    assert await court.alerts(None) == []
    for rule in ("off_hours", "terminal_silent"):
        assert (await court.outcomes(rule))[court.told_of(1)][0] == "normal"


async def test_others_whose_fixes_came_from_memory_do_not_prove_that_the_network_worked(court: Court) -> None:
    await weekend(court)
    await court.pool.execute("UPDATE positions SET source = $1 WHERE terminal_no > 1", Source.BLIND_ZONE)
    verdicts = await court.judge(court.key())
    assert (await court.outcomes("terminal_silent"))[court.told_of(1)] == (
        "undetermined",
        "peers_silent",
    )
    assert court.key() in verdicts.later
    assert await court.of("terminal_silent") == []


async def test_a_small_unit_is_compared_with_the_whole_register(court: Court) -> None:
    await weekend(court)
    await court.apply(Organisation(id="O2", name="某镇"))
    await court.apply(Vehicle(id="V1", plate="苏F12341", organisation="O2"))
    await court.judge(court.key())
    (alert,) = await court.of("terminal_silent")
    assert "同期全部其他车辆有 2 辆定位正常" in alert["summary"]


async def test_unplugged_and_still_silent_then_back_where_it_was(court: Court) -> None:
    await weekend(court, unplugged=True, then=0)
    assert set((await court.judge(court.key(), hours=24.1, known=24)).later) == {court.key()}  # not settled
    assert await court.of("terminal_silent") == []
    verdicts = await court.judge(court.key())
    assert court.key() in verdicts.later
    (alert,) = await court.of("terminal_silent")
    assert (alert["severity"], alert["occurred_to"]) == ("medium", None)
    await court.judge(court.key(), hours=200)  # waiting longer says nothing new
    assert len(await court.pool.fetch("SELECT FROM alert_versions")) == 1

    await court.send(court.batch(stand(50 * 3600, 51 * 3600, every=300)))
    await court.work()
    verdicts = await court.judge(court.key(), hours=60)
    (alert,) = await court.of("terminal_silent")
    assert (alert["severity"], alert["version"]) == ("low", 2)
    assert verdicts.later == {}


async def test_still_silent_is_not_judged_before_the_clock_of_the_log_says_so(court: Court) -> None:
    await weekend(court, then=0)
    assert (await court.judge(court.key(), hours=48, known=20)).judgements == []  # a backlog is no silence
    await court.judge(court.key())
    assert (await court.outcomes("terminal_silent"))[court.told_of(1)] == (
        "undetermined",
        "still_silent",
    )
    await court.judge(court.key(1, 1), hours=60)
    assert (await court.outcomes("terminal_silent"))[court.told_of(1, 1)] == (
        "undetermined",
        "no_fix",
    )
    assert (await court.judge(court.key(), hours=24 * 70)).later == {}  # after 62 days nobody waits any more


async def test_a_terminal_that_was_exchanged_or_an_unofficial_vehicle(court: Court) -> None:
    await weekend(court)
    await court.judge(court.key())
    assert len(await court.alerts()) == 1
    await court.apply(Vehicle(id="V1", plate="苏F12341", organisation="O1", disposed_on=court.first_day))
    assert court.key() in await court.affected("vehicle", "V1")
    await court.judge(court.key(), court.key(1, 1))
    (alert,) = await court.of("terminal_silent")
    assert (alert["status"], alert["withdrawal_reason"]) == (
        "withdrawn",
        means("terminal_silent", "not_official"),
    )
    evaluations = await court.pool.fetch("SELECT DISTINCT subject FROM evaluations WHERE subject LIKE '%V1%'")
    assert len(evaluations) == 1  # the day after never had a judgement, and gets none

    await court.apply(Vehicle(id="V1", plate="苏F12341", organisation="O1"))
    await court.apply(Terminal(id="13800009999", vehicle="V1", valid_from=court.time(12 * 3600)))
    await court.work()
    await court.judge(court.key())
    assert (await court.outcomes("terminal_silent"))[court.told_of(1)] == (
        "undetermined",
        "terminal_changed",
    )


async def test_by_clock_between_and_due(court: Court) -> None:
    await court.build(2, fence=False)
    async with court.pool.acquire() as conn, conn.transaction():
        context = await court.context(conn)
        midnight = court.day + US_PER_DAY
        keys = {court.key(1), court.key(2)}
        assert set(await GATHERER.by_clock(context, midnight - 1, midnight)) == keys
        assert await GATHERER.by_clock(context, midnight, midnight + 1) == {}
        assert set((await GATHERER.by_clock(context, midnight - 1, midnight)).values()) == {
            midnight + 6 * HOUR
        }
        assert await GATHERER.between(context, court.day, midnight) == sorted(keys)
        assert await GATHERER.between(context, court.day + 1, midnight) == []
        assert len(await GATHERER.between(context, court.day - US_PER_DAY, midnight + 1)) == 6
        # Days that have not ended come up by the clock, never by a change.
        assert court.key(1, 1) not in await GATHERER.affected(context, [Change(1, "track", "V1", court.day)])
        assert len(await GATHERER.affected(context, [Change(1, "vehicle", "V1", 0)])) == 62
        parameters = await GATHERER.affected(context, [Change(1, "parameter", "off_hours", court.day)])
        assert set(parameters) == keys
        assert await GATHERER.affected(context, [Change(1, "parameter", "card_use", 0)]) == {}


async def test_however_the_keys_are_cut(court: Court) -> None:
    await weekend(court, unplugged=True)
    await court.send(court.batch(drive(26 * 3600, (9000, 0), (0, 0))))
    await court.work()
    keys = [court.key(k, d) for k in (1, 2, 3, 4) for d in (0, 1, -1)]
    async with court.pool.acquire() as conn, conn.transaction():
        context = await court.context(conn, hours=60)
        whole = await GATHERER.judge(context, keys)
        single = [await GATHERER.judge(context, [key]) for key in reversed(keys)]

    def by_subject(judgements: Iterable[Judgement]) -> list[Judgement]:
        return sorted(judgements, key=lambda j: (j.rule, j.subject))

    assert by_subject(whole.judgements) == by_subject([j for v in single for j in v.judgements])
    assert whole.later == {k: w for v in single for k, w in v.later.items()}
    assert {j.outcome for j in whole.judgements} == {"normal", "suspected", "undetermined"}


async def test_a_silence_ends_with_the_next_drive_whatever_later_days_are_judged_with_it(
    court: Court,
) -> None:
    """V1 drives on the days 0, 20 and 40; the later of the days judged together has had its fixes read."""
    await court.build(2, fence=False)
    await court.calendar(days=45)
    drives = ((0, (0, 0), (0, 0)), (20, (0, 0), (9000, 0)), (40, (9000, 0), (9000, 0)))
    for day, start, end in drives:
        at = day * 24 * 3600 + 8 * 3600
        begun = stand(at, at + 300, start[0])
        there = drive(begun[-1][0] + 10, start, end) if start != end else begun
        await court.send(court.batch([*begun, *there[1:]]))
    await court.send(court.batch(stand(0, 42 * 24 * 3600, every=7200), terminal=2))
    await court.work()
    keys = [court.key(1, day) for day in (0, 39)]
    async with court.pool.acquire() as conn, conn.transaction():
        context = await court.context(conn, hours=42 * 24)
        whole = await GATHERER.judge(context, keys)
        single = [await GATHERER.judge(context, [key]) for key in keys]

    def by_subject(judgements: Iterable[Judgement]) -> list[Judgement]:
        return sorted(judgements, key=lambda j: (j.rule, j.subject))

    assert by_subject(whole.judgements) == by_subject([j for v in single for j in v.judgements])
    (silent,) = [
        j for j in whole.judgements if j.subject.endswith(court.told_of(1)) and j.rule == "terminal_silent"
    ]
    assert (silent.outcome, silent.reason) == ("normal", "asleep")


async def test_edges_are_the_ends_of_the_track(court: Court) -> None:
    await court.build(2, fence=False)
    fixes = stand(0, 6 * 3600, every=600)
    blind = [2 * (k % 3 != 0) for k in range(len(fixes))]  # every third without a fix
    await court.send(court.batch(fixes, status=blind), court.batch(fixes, terminal=2))
    await court.work()
    archive = Archive()
    spans = [
        (k, court.day + a * HOUR, court.day + b * HOUR)
        for k in (1, 2, 9)
        for a, b in ((0, 3), (1, 2), (2, 2), (7, 9))
    ]
    async with court.pool.acquire() as conn:
        for newest in (False, True):
            for span in spans:
                whole = await archive.track(conn, [span])
                wanted = whole.batch.device_us[whole.quality == 0].tolist()
                found = await archive.edges(conn, [span], 2, newest=newest)
                assert found.batch.device_us.tolist() == (wanted[-2:] if newest else wanted[:2])
        assert len(await archive.edges(conn, [], 1)) == 0


async def test_one_drive_over_midnight_is_one_alert_and_moves_in_the_yard_are_none(court: Court) -> None:
    """600 m before midnight and 2 km after it; another vehicle is moved about inside its own large yard."""
    await court.build(2, fence=False)
    await court.calendar()
    late = drive(86_400 - 50, (0, 0), (2600, 0))
    await court.send(
        court.batch([*stand(80_000, 86_300, every=600), *late, *stand(88_000, 170_000, 2600, every=600)])
    )
    shuffled = drive(2 * 3600, (0, 0), (1500, 0), (0, 0))
    rest = stand(3 * 3600, 170_000, every=600)
    await court.send(court.batch([*stand(0, 7000, every=600), *shuffled, *rest], terminal=2))
    await court.work()
    keys = [court.key(vehicle, day) for vehicle in (1, 2) for day in (0, 1)]
    await court.judge(*keys, hours=54.5)
    found = await court.outcomes("off_hours")
    assert found[court.told_of(1)] == ("suspected", "night")
    assert found[court.told_of(1, 1)] == ("normal", "none")
    assert found[court.told_of(2)] == ("suspected", "night")
    (alert,) = [a for a in await court.of("off_hours") if a["vehicle"] == "V1"]
    assert alert["measures"]["distance_m"]["value"] == pytest.approx(2600, abs=60)
    body = await court.pool.fetchval(
        "SELECT body FROM evidence WHERE encode(sha256, 'hex') = $1", alert["evidence_hash"]
    )
    assert said(off_hours.evaluate(frozen.parse(body))) == alert["summary"]

    wide = {
        "type": "Polygon",
        "coordinates": [
            [[120.88, 31.98], [120.92, 31.98], [120.92, 32.02], [120.88, 32.02], [120.88, 31.98]]
        ],
    }
    await court.fence(wide)
    await court.judge(*keys, hours=54.5)
    assert (await court.outcomes("off_hours"))[court.told_of(2)] == ("normal", "none")
    (alert,) = [a for a in await court.of("off_hours") if a["vehicle"] == "V2"]
    assert alert["status"] == "withdrawn"
    assert (await court.outcomes("off_hours"))[court.told_of(1)][0] == "normal"  # 700 m of it are outside
