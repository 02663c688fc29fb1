"""What orders cover, live and settled, on a real database: overdue, cancelled, the clerk's minute, several vehicles, backfills."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from registry.drivers import Driver
from registry.pages import get, page
from registry.records import KINDS
from rules.checks import location
from rules.live.process import Worker
from runtime.units import to_us
from tests.integration.worker_world import HOUR, MIN, Fix, World, drive, place, stand
from tests.words import said

H = 3600


def out(start_s: float, east: float = 4000) -> list[Fix]:
    """In the yard, out and back, in the yard again."""
    trip = drive(start_s, (0.0, 0.0), (east, 0.0), (0.0, 0.0))
    return [*stand(start_s - 1800, start_s), *trip, *stand(trip[-1][0] + 30, trip[-1][0] + 1800)]


async def work(world: World, fixes: list[Fix], worker: Worker | None = None, **more: Any) -> Worker:
    await world.send(world.batch(fixes, **more))
    return await world.work(worker)


async def suspected(world: World) -> list[dict[str, Any]]:
    """The suspected alerts, with their times in us."""
    found = await world.alerts()
    for alert in found:
        for name in ("from", "to"):
            text = alert[f"occurred_{name}"]
            alert[f"{name}_us"] = None if text is None else to_us(datetime.fromisoformat(text))
    return found


async def test_a_forgotten_order_is_overdue_and_covers_no_more(world: World) -> None:
    await world.order("P1", 8 * H, 9 * H, status="departed")
    worker = await work(world, [*out(8 * H), *out(10.5 * H)])
    assert await world.alerts() == []  # back at 9 by plan, covered until 11
    await work(world, out(12 * H), worker)
    (alert,) = await world.alerts()
    assert alert["rule"] == "location"
    assert "派车单 P1 至" in alert["summary"]
    assert "已超期" in alert["summary"]
    evidence = await world.evidence(alert["id"])
    assert evidence["notes"][0]["at_us"] == world.day + 11 * HOUR
    assert said(location.evaluate(evidence)) == alert["summary"]
    async with world.pool.acquire() as conn:
        listing = KINDS["dispatch-orders"].listing
        assert [o["id"] for o in await page(conn, listing, overdue="true")] == ["P1"]
        assert await page(conn, listing, overdue="false") == []


async def test_a_drive_that_goes_on_beyond_the_cover_is_one_from_there_on(world: World) -> None:
    await world.order("P1", 8 * H, 9 * H, status="departed")
    await work(world, [*stand(7.5 * H, 8 * H), *drive(10.9 * H, (0.0, 0.0), (20_000.0, 0.0))])
    (alert,) = await suspected(world)
    assert world.day + 11 * HOUR <= alert["from_us"] <= world.day + 11 * HOUR + MIN


@pytest.mark.parametrize(("again_h", "found"), [(None, 0), (8.6, 1)])
async def test_a_cancelled_order_covers_the_way_back_and_no_second_drive(
    world: World, again_h: float | None, found: int
) -> None:
    cancelled = world.time(8.1 * H)
    await world.order("P1", 8 * H, 12 * H, status="cancelled", cancelled_at=cancelled)
    fixes = [*out(8 * H), *(out(again_h * H) if again_h else []), *stand(10 * H, 10.2 * H)]
    await work(world, sorted(set(fixes)))
    assert len(await suspected(world)) == found


async def test_cancelled_before_it_began_it_covers_nothing(world: World) -> None:
    await world.order("P1", 8 * H, 12 * H, status="cancelled", cancelled_at=world.time(7 * H))
    await work(world, out(8 * H))
    assert len(await suspected(world)) == 1


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(("minutes", "found"), [(-3, 0), (3, 1)])
async def test_cancelled_early_it_covers_who_had_left(
    world: World, minutes: int, found: int, told: bool
) -> None:
    """It leaves before the order begins to cover, and that is cancelled before, too: some minutes after or before it left."""
    fixes = out(8 * H)
    leaves = next(f[0] for f in fixes if f[1] > 110)
    more: dict[str, Any] = {"actual_departure": world.time(leaves)} if told else {}
    await world.order("P1", leaves + 14 * 60, 12 * H, status="cancelled",
                      cancelled_at=world.time(leaves - minutes * 60), **more)  # fmt: skip
    await work(world, [*fixes, *stand(9 * H, 9.2 * H)])
    assert len(await suspected(world)) == found


@pytest.mark.parametrize(("minutes", "found"), [(14, 0), (15, 0), (17, 1)])
async def test_the_return_on_paper_may_be_some_minutes_early(world: World, minutes: int, found: int) -> None:
    """Half an hour out; the vehicle is on its way back when the order ends on paper."""
    fixes = out(8 * H, 12_000)
    back = next(f[0] for f in fixes if f[0] > 8 * H + 300 and f[1] <= 90)
    await world.order("P1", 7 * H, 0, status="returned", planned_return_s=9 * H,
                      actual_departure=world.time(7 * H), actual_return=world.time(back - minutes * 60))  # fmt: skip
    await work(world, [*stand(6 * H, 7.5 * H), *fixes, *stand(9 * H, 9.2 * H)])
    assert len(await suspected(world)) == found


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize(("minutes", "found"), [(14, 0), (15, 0), (17, 1)])
async def test_the_departure_on_paper_may_be_some_minutes_late(
    world: World, minutes: int, found: int, in_parts: bool
) -> None:
    fixes = out(8 * H)
    leaves = next(f[0] for f in fixes if f[1] > 110)
    await world.order("P1", leaves + minutes * 60, 12 * H, status="departed")
    every = [*fixes, *stand(9 * H, 9.2 * H)]
    if in_parts:
        worker = await work(world, every[: len(every) // 2])
        await work(world, every[len(every) // 2 :], worker)
    else:
        await work(world, every)
    assert len(await suspected(world)) == found


async def test_each_vehicle_is_covered_in_its_own_time(world: World) -> None:
    """V1 breaks down, V2 takes over at 10."""
    exchange = [{"vehicle": "V2", "since": world.time(10 * H)}]
    await world.order("P1", 8 * H, 12 * H, exchanges=exchange, destinations=[place(4000, 0)])
    await world.send(world.batch([*out(8.5 * H), *out(10.5 * H)], terminal=1))
    await world.send(world.batch([*out(8.5 * H), *out(10.5 * H), *stand(12.5 * H, 12.6 * H)], terminal=2))
    await world.work()
    found = sorted(
        (a["vehicle"], round((a["from_us"] - world.day) / HOUR, 1)) for a in await suspected(world)
    )
    assert found == [("V1", 10.5), ("V2", 8.5)]


@pytest.mark.parametrize("status", ["departed", "returned"])
@pytest.mark.parametrize(("minutes", "found"), [(14, []), (17, ["V1", "V2"])])
async def test_an_exchange_has_its_clerks_minute(
    world: World, minutes: int, found: list[str], status: str
) -> None:
    """The next vehicle leaves before it takes over on paper, and the first one comes back after that."""
    first, then = out(9.5 * H, 12_000), out(10 * H)
    leaves = next(f[0] for f in then if f[1] > 110)
    since = leaves + minutes * 60
    back = next(f[0] for f in first if f[0] > 9.5 * H + 300 and f[1] <= 90)
    late = since + minutes * 60 - back
    first = [(t + late, east, north, speed) for t, east, north, speed in first]
    await world.order("P1", 8 * H, 12 * H, status=status, exchanges=[{"vehicle": "V2", "since": world.time(since)}])  # fmt: skip
    await world.send(world.batch([*first, *stand(first[-1][0] + 30, 12.6 * H)], terminal=1))
    await world.send(world.batch([*then, *stand(then[-1][0] + 30, 12.6 * H)], terminal=2))
    await world.work()
    assert sorted(a["vehicle"] for a in await suspected(world)) == found


async def test_a_destination_is_reached_by_whichever_vehicle(world: World) -> None:
    exchange = [{"vehicle": "V2", "since": world.time(10 * H)}]
    await world.order("P1", 8 * H, 12 * H, exchanges=exchange, destinations=[place(4000, 0), place(0, 9000)])
    await world.send(world.batch([*stand(7.5 * H, 13 * H)], terminal=1))
    await world.send(
        world.batch([*stand(9 * H, 10.4 * H), *out(10.9 * H), *stand(11.55 * H, 13 * H)], terminal=2)
    )
    await world.work()
    await world.judge_all()
    rows = await world.pool.fetch(
        "SELECT subject, outcome FROM evaluations WHERE rule = 'destination' ORDER BY 1"
    )
    assert [(r["subject"], r["outcome"]) for r in rows] == [
        ("order:P1:0", "normal"),
        ("order:P1:1", "suspected"),
    ]


async def drivers(world: World) -> None:
    await world.apply(Driver(id="D1", name="张三", organisation="O1"))


async def test_a_backfill_withdraws_only_with_an_approver(world: World) -> None:
    await drivers(world)
    worker = await work(world, out(8 * H))
    (alert,) = await suspected(world)
    wrong: list[dict[str, Any]] = [
        {"approver": None},
        {"approver": "张三"},
        {"applicant": "李四", "approver": "李四"},
    ]
    for more in wrong:
        await world.order("P1", 8 * H, 9 * H, driver="D1", **more)
        await world.work(worker)
        (still,) = await suspected(world)
        assert still["id"] == alert["id"]
        assert "补单 P1" in still["summary"]
        assert still["withdrawn_by"] is None
    async with world.pool.acquire() as conn:
        listing = KINDS["dispatch-orders"].listing
        (shown,) = await page(conn, listing, backfill_waits="true")
        assert (shown["id"], shown["counts"], shown["backfill"]) == ("P1", False, True)
    await world.order("P1", 8 * H, 9 * H, driver="D1", applicant="李四", approver="王五")
    await world.work(worker)
    assert await suspected(world) == []
    (gone,) = await world.alerts(None)
    assert (gone["status"], gone["withdrawn_by"]) == ("withdrawn", "backfill")
    assert "据经审批的补单" in gone["withdrawal_reason"]
    async with world.pool.acquire() as conn:
        approved = await get(conn, KINDS["dispatch-orders"].listing, "P1")
    assert approved is not None
    assert (approved["counts"], approved["approver"]) == (True, "王五")


async def test_what_is_to_come_is_covered_without_an_approver(world: World) -> None:
    """The order is entered while the vehicle is out (its entry is said); from then on it covers."""
    worker = await work(world, [*stand(7 * H, 8 * H), *drive(8 * H, (0.0, 0.0), (9000.0, 0.0))])
    (alert,) = await suspected(world)
    entered = world.time(8.25 * H)
    await world.pool.execute("UPDATE alerts SET detected_at = $1", world.time(8.05 * H))
    await world.order("P1", 8 * H, 12 * H, status="departed", entered_at=entered, approver=None)
    await work(world, drive(8.3 * H, (9000.0, 0.0), (0.0, 0.0)), worker)
    (still,) = await suspected(world)
    assert still["id"] == alert["id"]
    assert still["to_us"] < world.day + 8.3 * HOUR


async def test_the_same_whatever_comes_first_where_the_entry_is_said(world: World) -> None:
    """An order that was entered after the trip, as the office says, and that nobody approved covers nothing, also where the
    positions come later."""
    await world.order("P1", 8 * H, 9 * H, entered_at=world.time(10 * H), approver=None)
    await work(world, [*out(8 * H), *stand(10 * H, 10.1 * H)])
    assert len(await suspected(world)) == 1


async def test_a_register_of_old_orders_accuses_nobody(world: World) -> None:
    await world.order("P1", 8 * H, 9 * H, approver=None)
    await work(world, [*out(8 * H), *stand(10 * H, 10.1 * H)])
    assert await world.alerts() == []
