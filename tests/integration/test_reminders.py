"""Reminders to drivers: who is told what, when, how often, and that nobody is told of the past. Real worker, log and database."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from api.app import create_app
from office.identity.tokens import create_token
from registry.parameter_values import Threshold, put_threshold
from registry.seals import lift, seal
from rules.alerts.model import Alert
from rules.alerts.reminders import Made, for_evidence, of_alert, write
from rules.live.process import Worker
from rules.wording.reminders import REASONS, TEXTS, text_of
from runtime.settings import Settings
from runtime.units import from_us
from telemetry.commands.asking import MOST_WAITING
from telemetry.commands.program import REMINDERS, Wanted, ask_all
from telemetry.commands.steps import CommandStep
from telemetry.commands.thread import Happened, append
from tests.integration.command_site import confirm, gateway, office, online, ordered
from tests.integration.worker_world import MIN, Fix, S, World, drive, place, stand

H = 3600


class Clock:
    """A clock that a test moves."""

    def __init__(self, us: int) -> None:
        self.us = us

    def __call__(self) -> int:
        return self.us


async def switch(
    world: World, *, since_days: float = -30, organisation: str | None = "O1", **values: int
) -> None:
    """Parameters of reminders, of one unit."""
    async with world.pool.acquire() as conn, conn.transaction():
        for name, value in values.items():
            since = from_us(world.day) + timedelta(days=since_days)
            row = Threshold(
                rule="reminder",
                name=name,
                organisation=organisation,
                value=value,
                effective_from=since,
                source="x",
            )
            await put_threshold(conn, row)


async def live(
    world: World, worker: Worker, clock: Clock, fixes: Sequence[Fix], *, together: int = 6, lag_s: float = 1
) -> None:
    """Fixes as they come, ``together`` to a record, processed ``lag_s`` after the last of them."""
    for start in range(0, len(fixes), together):
        part = fixes[start : start + together]
        clock.us = world.day + round((part[-1][0] + lag_s) * S)
        await world.send(world.batch(part))
        await worker.turn()
        while await worker.lag():  # the first turn of a worker only takes its partitions
            await worker.turn()


async def told(world: World) -> list[tuple[str, str]]:
    """(condition, text) of what was asked of terminals, in order."""
    rows = await world.pool.fetch(
        "SELECT r.condition, c.fields ->> 'text' AS text FROM reminders r JOIN terminal_commands c ON c.no = r.command ORDER BY r.no"
    )
    every = await world.pool.fetchval("SELECT count(*) FROM terminal_commands")
    assert every == len(rows)
    return [(row["condition"], row["text"]) for row in rows]


def leave(start_s: float) -> list[Fix]:
    """From the yard to 6 km away."""
    return [*stand(start_s - 600, start_s), *drive(start_s, (0, 0), (6000, 0))]


async def test_nobody_is_told_anything_unless_a_unit_wants_it(world: World) -> None:
    clock = Clock(world.day)
    worker = world.worker(now_us=clock)
    await switch(world, every_min=1, voice=0)  # these switch nothing on
    await switch(world, left_without_order=1, organisation=None, since_days=400)  # from some day to come on
    await live(world, worker, clock, leave(8 * H))
    assert len(await world.alerts()) == 1
    assert await told(world) == []
    await switch(world, speed_kmh=30)  # while the worker runs
    await live(world, worker, clock, drive(9 * H, (6000, 0), (7000, 0)))
    assert [condition for condition, _ in await told(world)] == ["speed"]


async def test_who_leaves_without_an_order_is_told_once_and_the_evidence_says_so(world: World) -> None:
    await switch(world, left_without_order=1)
    clock = Clock(world.day)
    worker = world.worker(now_us=clock)
    out = drive(8 * H, (0, 0), (6000, 0))
    await live(world, worker, clock, [*stand(8 * H - 600, 8 * H), *out])
    ((condition, text),) = await told(world)
    assert (condition, "苏F12341" in text, "没有派车任务" in text) == ("left_without_order", True, True)
    asked = dict(await world.pool.fetchrow("SELECT * FROM terminal_commands"))
    assert (asked["kind"], asked["asked_by"], asked["state"], asked["organisation"]) == (
        "text",
        "program:reminders",
        "queued",
        "O1",
    )
    assert asked["fields"] == {"text": text, "urgent": False, "display": True, "speak": True}
    assert asked["expires_at"] - asked["asked_at"] <= timedelta(minutes=6)
    assert (
        await world.pool.fetchval("SELECT who_id FROM audit WHERE subject_kind = 'commands'") == "reminders"
    )
    (alert,) = await world.alerts()
    first = (await world.evidence(alert["id"]))["reminders"]
    assert [(one["command"], one["state"], one["confirmed_us"]) for one in first] == [
        (asked["no"], "queued", None)
    ]
    # It is confirmed; the open alert is no other for that, and its evidence stays. Beside it stands what is known now.
    async with world.pool.acquire() as conn, conn.transaction():
        gateway = "00000000-0000-0000-0000-000000000001"
        await append(
            conn,
            [Happened(asked["no"], CommandStep.SENT, gateway), Happened(asked["no"], CommandStep.DELIVERED)],
        )
    made = await create_token(world.pool, "t", ("alerts:read",))
    app = create_app(Settings(), world.pool, position_sink=None)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://test",
        headers={"Authorization": f"Bearer {made.secret}"},
    ) as client:
        (shown,) = (await client.get(f"/v1/alerts/{alert['id']}")).json()["reminders"]
    assert (shown["command"], shown["text"], shown["state"], shown["failure"]) == (
        asked["no"],
        text,
        "delivered",
        None,
    )
    assert shown["confirmed_at"] is not None
    # It comes back: the closed episode is judged with what was known by then.
    back = drive(out[-1][0] + 10, (6000, 0), (0, 0))
    await live(world, worker, clock, [*back, *stand(back[-1][0] + 30, back[-1][0] + 600)])
    (alert,) = await world.alerts()
    assert alert["occurred_to"] is not None
    (frozen,) = (await world.evidence(alert["id"]))["reminders"]
    assert (frozen["state"], frozen["text"]) == ("delivered", text)
    assert frozen["confirmed_us"] is not None
    assert len(await told(world)) == 1


@pytest.mark.parametrize("step", ["tracks", "episodes", "publish"])
async def test_a_kill_at_any_step_neither_loses_it_nor_tells_twice(world: World, step: str) -> None:
    await switch(world, left_without_order=1)
    clock, fail = Clock(world.day), [False]

    def kill(done: str) -> None:
        if fail[0] and done == step:
            raise RuntimeError("killed")

    worker = world.worker(kill, clock)
    out = drive(8 * H, (0, 0), (6000, 0))
    await live(world, worker, clock, stand(8 * H - 600, 8 * H))
    fail[0] = True
    with pytest.raises(RuntimeError, match="killed"):
        await live(world, worker, clock, out[:12], together=12)
    assert await told(world) == []
    await live(world, world.worker(now_us=clock), clock, out[12:13], together=1)
    assert [condition for condition, _ in await told(world)] == ["left_without_order"]
    await live(world, world.worker(now_us=clock), clock, out[13:])
    assert len(await told(world)) == 1


async def test_nobody_is_told_of_the_past(world: World) -> None:
    await switch(world, left_without_order=1, speed_kmh=60, sealed_moved=1, order_overdue=1)
    await world.order("P1", 12 * H, 13 * H, vehicle="V2", status="departed")
    clock = Clock(world.day)
    worker = world.worker(now_us=clock)
    fast = drive(8 * H, (0, 0), (6000, 0), speed=900)
    await live(world, worker, clock, [*stand(8 * H - 600, 8 * H), *fast], lag_s=121)  # there was a backlog
    assert len(await world.alerts()) == 1
    # Late positions of another vehicle: from its terminal's memory, all at once, after newer ones.
    clock.us = world.day + 15 * H * S
    late = drive(13.2 * H, (0, 0), (6000, 0), speed=900)
    await world.send(world.batch(stand(15 * H - 60, 15 * H), terminal=2))
    await worker.turn()
    await world.send(world.batch([*stand(13 * H, 13.2 * H), *late], terminal=2))
    await world.work(worker)
    # What is computed again, live as it may be: the fence is another one, and the vehicle was outside of it all the time.
    await world.send(world.batch(stand(15 * H - 30, 15 * H + 30, 5000, 0), terminal=3))
    await worker.turn()
    await world.fence(since_s=0)
    await world.work(worker)
    assert await told(world) == []


async def test_it_is_told_no_oftener_than_the_unit_wants(world: World) -> None:
    await switch(world, speed_kmh=80, every_min=10, per_day=2, voice=0)
    clock = Clock(world.day)
    worker = world.worker(now_us=clock)
    # One fix alone may be a reflection.
    await live(
        world, worker, clock, [*stand(8 * H - 60, 8 * H), (8 * H, 0, 0, 900), *stand(8 * H + 30, 8 * H + 300)]
    )
    assert await told(world) == []
    await live(world, worker, clock, drive(9 * H, (0, 0), (9 * 720, 0), speed=801))  # nine minutes
    assert [condition for condition, _ in await told(world)] == ["speed"]
    assert "80 公里每小时" in (await told(world))[0][1]
    assert not await world.pool.fetchval("SELECT (fields ->> 'speak')::boolean FROM terminal_commands")
    # Another worker knows what this one has told.
    await live(
        world,
        world.worker(now_us=clock),
        clock,
        drive(9 * H + 9 * 60 + 10, (6480, 0), (720 * 40, 0), speed=801),
    )
    assert len(await told(world)) == 2  # of half an hour: two a day
    clock.us = world.day + 24 * H * S
    await live(
        world, worker := world.worker(now_us=clock), clock, drive(25 * H, (0, 0), (3000, 0), speed=801)
    )
    assert len(await told(world)) == 3
    rests = await world.pool.fetch("SELECT asked_at FROM reminders ORDER BY no")
    assert all(b["asked_at"] - a["asked_at"] >= timedelta(minutes=10) for a, b in itertools.pairwise(rests))
    # A vehicle without an enabled terminal cannot be told; positions go on.
    await world.pool.execute("UPDATE terminals SET enabled = false")
    await live(world, worker, clock, drive(26 * H, (0, 0), (3000, 0), speed=801))
    assert len(await told(world)) == 3


async def test_overdue_orders_and_sealed_vehicles(world: World) -> None:
    await switch(world, order_overdue=1, sealed_moved=1, every_min=1)
    clock = Clock(world.day)
    worker = world.worker(now_us=clock)
    await world.order("P1", 8 * H, 8.5 * H, status="departed", destinations=[place(6000, 0)])
    out = drive(8.3 * H, (0, 0), (12_000, 0))
    await live(world, worker, clock, out)
    ((condition, text),) = await told(world)
    assert (condition, "08:30" in text) == ("order_overdue", True)
    # It is extended, and that passes as well.
    await world.order(
        "P1",
        8 * H,
        8.5 * H,
        status="departed",
        destinations=[place(6000, 0)],
        extended_return=world.time(8.75 * H),
    )
    more = drive(out[-1][0] + 10, (12_000, 0), (22_000, 0))
    await live(world, worker, clock, [fix for fix in more if fix[0] < 8.75 * H])
    assert len(await told(world)) == 1
    await live(world, worker, clock, [fix for fix in more if fix[0] >= 8.75 * H])
    assert "08:45" in (await told(world))[1][1]
    # Back in its fence it is told no more, whatever the paper says.
    await live(world, worker, clock, stand(9.5 * H, 9.6 * H))
    assert len(await told(world)) == 2
    # The alert that the overdue order comes to has them in its evidence.
    await live(world, worker, clock, drive(11 * H, (3000, 0), (9000, 0)))
    (alert,) = await world.alerts()
    frozen = (await world.evidence(alert["id"]))["reminders"]
    assert [one["condition"] for one in frozen] == ["order_overdue"] * 2
    async with world.pool.acquire() as conn:  # from before its time, by its evidence
        beside = await of_alert(conn, Alert.from_body(alert))
    assert [one["command"] for one in beside] == [one["command"] for one in frozen]
    async with world.pool.acquire() as conn, conn.transaction():
        assert await seal(conn, "V1", world.time(12 * H), None, "车改封存")
        assert await seal(conn, "V1", world.time(13 * H), None, "再次") is False
        assert await seal(conn, "V9", None, None, "没有这辆车") is None
    clock.us += 10 * MIN
    await live(
        world, worker, clock, [*stand(12.5 * H, 12.6 * H), *drive(12.6 * H, (0, 0), (600, 0), speed=400)]
    )
    assert [condition for condition, _ in await told(world)][2:] == ["sealed_moved"]
    async with world.pool.acquire() as conn, conn.transaction():
        assert await lift(conn, "V1")
        assert not await lift(conn, "V1")


async def test_it_reaches_the_driver_and_what_the_terminal_says_of_it_is_known(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    async with office(pool, db_url, 2) as it, gateway(pool, db_url, tmp_path / "log") as g:
        terminal = await online(g)
        vehicle, other = [row["no"] for row in await pool.fetch("SELECT no FROM vehicles ORDER BY id")]
        text = text_of("speed", {"plate": "苏F00001", "at": "", "limit": "80"})
        fields = {"text": text, "urgent": False, "display": True, "speak": True}
        wanted = Wanted("speed:1:2", vehicle, "text", fields, "x", timedelta(minutes=5))
        async with pool.acquire() as conn, conn.transaction():
            (no,) = (await ask_all(conn, REMINDERS, [wanted])).values()
            await write(conn, [Made(wanted.key, "speed", vehicle, None, 5_000_000, no)], 6_000_000)
            assert await ask_all(conn, REMINDERS, [wanted]) == {}  # the same is the same
        header, body = await ordered(terminal, 0x8300)
        assert body == b"\x0c" + text.encode("gbk")  # shown, and read aloud
        confirm(terminal, header)
        done = await it.comes_to(no, "delivered")
        assert (done["asked_by"], done["thread"][0]["by"]) == (REMINDERS.name, REMINDERS.name)
        async with pool.acquire() as conn, conn.transaction():
            within, beside = await for_evidence(
                conn, [(vehicle, 5_000_000, 5_000_000), (vehicle, 5_000_001, 6_000_000)], [(), ()]
            )
            assert ([one["state"] for one in within], beside) == (["delivered"], [])
            assert within[0]["confirmed_us"] is not None
            # Of one that is away only so many wait.
            many = [replace(wanted, key=f"k{k}", vehicle=other) for k in range(MOST_WAITING + 1)]
            assert len(await ask_all(conn, REMINDERS, many[:-1])) == MOST_WAITING
            assert await ask_all(conn, REMINDERS, many[-1:]) == {}


def texts_fit() -> list[Any]:
    assert TEXTS.keys() == REASONS.keys()
    return [
        text_of(name, {"plate": "苏F😀12345" + "长" * 900, "at": "08:30", "limit": "80"}) for name in TEXTS
    ]


def test_every_text_can_be_shown_by_a_terminal() -> None:
    for text in texts_fit():
        assert "😀" not in text
        assert 0 < len(text.encode("gbk")) <= 1024
