"""A fact of the registry that the program cannot read stops nobody: what it concerns is not judged until it can be read, everything
else goes on. Rows are spoiled in the database itself, as no client of ours would write them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing
from datetime import date
from typing import Any

import numpy as np
import pytest

from registry import pages
from registry.calendar import load_calendar, unreadable_days
from registry.parameter_values import load_parameters
from registry.parameters import resolve
from registry.records import KINDS
from registry.snapshot.fleet import FleetSnapshot
from registry.unreadable import UnreadableFactError
from rules.alerts.feed import read_feed
from rules.alerts.listing import list_alerts
from tests.integration.test_quarantine import gongche, retry, work
from tests.integration.worker_world import World, drive, stand

H = 3600.0
OUT = [(0, 0), (3000, 0), (3000, 3000)]
#: An hour in the yard, a drive out of it, half an hour there.
DRIVES_OUT = [*stand(7 * H, 8 * H), *drive(8 * H, *OUT), *stand(9 * H, 9.5 * H, 3000, 3000)]
Spoil = Callable[[World], Coroutine[Any, Any, None]]

# A clerk's rows end at the year 2100; Python has no date of the year 12000.


async def spoil_fence(world: World) -> None:
    await world.pool.execute(
        "INSERT INTO fences (id, version, name, organisation, vehicles, original, datum, geometry, valid_from)"
        " VALUES ('F2', 1, 'x', 'O1', '{V1}', '{}', 'wgs84', '\\x0103', now() - interval '90 days')"
    )


async def spoil_fence_time(world: World) -> None:
    await spoil_fence(world)
    await world.pool.execute("UPDATE fences SET valid_to = '12000-01-01' WHERE id = 'F2'")


async def spoil_order(world: World) -> None:
    await world.order("T1", 7.9 * H, 10 * H)
    await world.pool.execute("UPDATE dispatch_orders SET planned_return = '12000-01-01' WHERE id = 'T1'")


async def spoil_binding(world: World) -> None:
    await world.pool.execute("UPDATE terminal_bindings SET valid_to = '12000-01-01' WHERE terminal_no = 1")


async def spoil_vehicle(world: World) -> None:
    await world.pool.execute("UPDATE vehicles SET disposed_on = '12000-01-01' WHERE id = 'V1'")


async def spoil_parameter(world: World) -> None:
    """Of V1's own unit."""
    await world.pool.execute("INSERT INTO organisations (id, name) VALUES ('O2', '某处')")
    await world.pool.execute("UPDATE vehicles SET organisation = 'O2' WHERE id = 'V1'")
    await world.pool.execute(
        "INSERT INTO fences (id, version, name, organisation, vehicles, original, datum, geometry, valid_from)"
        " SELECT 'F2', 1, name, 'O2', vehicles, original, datum, geometry, valid_from FROM fences WHERE id = 'F1'"
    )
    await world.pool.execute(
        "INSERT INTO rule_parameters (rule, name, organisation, value, effective_from)"
        " VALUES ('location', 'min_displacement_m', 'O2', 'NaN', now() - interval '90 days')"
    )


MENDED: dict[Spoil, str] = {
    spoil_fence: "UPDATE fences SET valid_to = valid_from WHERE id = 'F2'",
    spoil_fence_time: "UPDATE fences SET valid_to = valid_from WHERE id = 'F2'",
    # An order is changed by a new version; a change of its vehicle does as well.
    spoil_order: "WITH mended AS (UPDATE dispatch_orders SET planned_return = actual_return WHERE id = 'T1')"
    " UPDATE vehicles SET plate = '苏F99999' WHERE id = 'V1'",
    spoil_binding: "UPDATE terminal_bindings SET valid_to = NULL WHERE terminal_no = 1",
    spoil_vehicle: "UPDATE vehicles SET disposed_on = NULL WHERE id = 'V1'",
    spoil_parameter: "UPDATE rule_parameters SET value = 300 WHERE organisation = 'O2'",
}


async def suspected(world: World) -> set[str]:
    rows = await world.pool.fetch("SELECT DISTINCT vehicle FROM alerts WHERE rule = 'location'")
    return {row["vehicle"] for row in rows}


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("spoil", MENDED)
async def test_what_cannot_be_read_concerns_only_its_vehicle(
    world: World, spoil: Spoil, running: bool
) -> None:
    """Two vehicles drive out without an order. What is said of one of them cannot be read: the other one is judged. That
    fact is there when the worker starts, or comes while it is ``running``."""
    worker = world.worker()
    if running:
        await world.send(*(world.batch(stand(6 * H, 7 * H), terminal=k) for k in (1, 2)))
        await work(world, worker, 2)
    await spoil(world)
    await world.send(*(world.batch(DRIVES_OUT, terminal=k) for k in (1, 2)))
    await work(world, worker, 4 if running else 2)
    for _ in range(3):
        await worker.turn(isolate=True)
    assert await suspected(world) == {"V2"}
    assert worker.counts.quarantined == 0
    assert worker.counts.stored == worker.counts.rows
    held = await world.pool.fetch("SELECT vehicle_no, anew, error FROM recomputations")
    assert [(row["vehicle_no"], row["anew"]) for row in held] == [(1, True)]
    assert held[0]["error"].startswith("UnreadableFact: ")

    # One that starts finds the same, and judges what it can.
    other = world.worker()
    await world.send(world.batch(drive(9.5 * H, (3000, 3000), (6000, 3000)), terminal=2))
    await work(world, other, 1)
    assert await suspected(world) == {"V2"}

    await world.pool.execute(MENDED[spoil])
    for _ in range(10):
        await other.turn(isolate=True)
    assert await world.pool.fetchval("SELECT count(*) FROM recomputations") == 0
    assert await suspected(world) == ({"V2"} if spoil is spoil_order else {"V1", "V2"})


async def test_a_change_of_another_vehicle_is_followed_meanwhile(world: World) -> None:
    await spoil_order(world)
    await spoil_fence(world)
    worker = world.worker()
    await world.send(world.batch(stand(7 * H, 8 * H), terminal=2))
    await work(world, worker, 1)
    await world.order("T2", 7.9 * H, 10 * H, vehicle="V2")
    fixes = [*drive(8 * H, *OUT), *stand(9 * H, 9.5 * H, 3000, 3000)]
    await world.send(*(world.batch(fixes, terminal=k) for k in (1, 2, 3)))
    await work(world, worker, 4)
    assert await suspected(world) == {"V3"}
    assert worker.counts.quarantined == 0


async def test_an_old_version_of_a_fence_holds_nobody_up(world: World) -> None:
    """The clerk draws it anew: the version that cannot be read has ended, and nobody is judged by it."""
    await spoil_fence(world)
    async with world.pool.acquire() as conn:
        assert list((await FleetSnapshot.load(conn)).unjudged) == [1]
        await conn.execute("UPDATE fences SET valid_to = now() WHERE id = 'F2'")
        snapshot = await FleetSnapshot.load(conn)
    assert snapshot.unjudged == {}
    assert [fact.kind for fact in snapshot.unreadable] == ["fence"]
    at = np.array([world.day, int(world.day + 40 * 86_400e6)])
    rows = snapshot.fences_at(np.array([1, 1]), at)
    assert rows.tolist()[0] == -1
    assert rows.tolist()[1] >= 0  # the common one


async def test_a_value_for_everyone_that_cannot_be_read(world: World) -> None:
    """Nobody is judged by a guess, everything is stored, and values of the other rules stay known."""
    await world.pool.execute(
        "INSERT INTO rule_parameters (rule, name, value, effective_from)"
        " VALUES ('location', 'min_displacement_m', 'NaN', now() - interval '90 days'), ('mileage', 'ratio_permille', 1700, now())"
    )
    worker = world.worker()
    await world.send(world.batch(DRIVES_OUT))
    await work(world, worker, 1)
    assert await suspected(world) == set()
    assert worker.counts.stored == len(DRIVES_OUT)
    async with world.pool.acquire() as conn:
        rows = await load_parameters(conn)
    assert resolve("mileage", "O1", 1 << 62, rows)["ratio_permille"] == 1700
    with pytest.raises(UnreadableFactError, match="min_displacement_m"):
        resolve("location", "O1", 1 << 62, rows)


async def test_a_day_of_the_calendar_that_cannot_be_read_is_not_known(world: World) -> None:
    await world.pool.execute(
        "INSERT INTO calendar_days (day, workday) VALUES ('2026-10-01', true), ('12000-01-01', true)"
    )
    async with world.pool.acquire() as conn:
        calendar = await load_calendar(conn)
    assert calendar.workday(date(2026, 10, 1)) is True
    assert calendar.workday(date(2026, 10, 2)) is False
    assert [fact.id for fact in unreadable_days(calendar)] == ["12000-01-01"]


async def test_a_clock_that_cannot_be_read_makes_no_evidence(world: World) -> None:
    await world.pool.execute(
        "INSERT INTO clock_corrections (id, terminal_no, valid_from, valid_to, shift_s)"
        " VALUES ('c', 1, now() - interval '90 days', '12000-01-01', 0)"
    )
    worker = world.worker()
    await world.send(*(world.batch(DRIVES_OUT, terminal=k) for k in (1, 2)))
    await work(world, worker, 2)
    assert await suspected(world) == {"V2"}
    assert worker.counts.stored == 2 * len(DRIVES_OUT)


async def test_a_record_that_the_log_cannot_read_is_set_aside(world: World) -> None:
    """Its bytes are kept, and the partition goes on."""
    fixes = stand(7 * H, 8 * H)
    await world.send(*(world.batch(fixes, terminal=k) for k in (1, 2, 3)))
    with closing(sqlite3.connect(world.folder / "log.sqlite")) as log, log:
        (payload,) = log.execute('SELECT payload FROM records WHERE "offset" = 2').fetchone()
        log.execute('UPDATE records SET payload = ? WHERE "offset" = 2', (payload[:-1] + b"?",))
    worker = world.worker()
    await work(world, worker, 3)
    counts = worker.counts
    assert (counts.records, counts.stored, counts.quarantined) == (3, 2 * len(fixes), 0)
    (entry,) = [dict(row) for row in await world.pool.fetch("SELECT * FROM quarantine")]
    assert (entry["partition"], entry["offset"], entry["stage"], entry["terminal_no"]) == (0, 2, "log", None)
    assert "checksum" in entry["error"]
    assert len(entry["payload"]) > 100
    await retry(world, worker)
    again = await world.pool.fetchrow("SELECT attempts, stage, error, asked_at FROM quarantine")
    assert tuple(again) == (2, "log", entry["error"], None)
    other = world.worker()
    await world.send(world.batch(stand(8 * H, 9 * H)))
    await work(world, other, 1)
    assert await world.pool.fetchval("SELECT count(*) FROM quarantine") == 1


async def test_a_row_that_cannot_be_shown_leaves_the_rest_of_its_page(world: World) -> None:
    await world.send(*(world.batch(DRIVES_OUT, terminal=k) for k in (1, 2, 3)))
    await work(world, world.worker(), 3)
    assert await suspected(world) == {"V1", "V2", "V3"}
    async with world.pool.acquire() as conn:
        whole = await list_alerts(conn)
        bad = whole[1].alert.id
        await conn.execute("UPDATE alert_versions SET body = body - 'measures' WHERE alert_id = $1", bad)
        good = [one.alert.id for one in whole if one.alert.id != bad]
        assert [one.alert.id for one in await list_alerts(conn)] == good
        assert [one.alert.id for one in await list_alerts(conn, limit=2)] == good
        found, place = list[str](), 0
        while entries := await read_feed(conn, place, 1):
            found, place = [*found, entries[0].alert.id], entries[0].seq
        assert bad not in found
        assert set(found) == set(good)

        await conn.execute("UPDATE vehicles SET disposed_on = '12000-01-01' WHERE id = 'V2'")
        listing = KINDS["vehicles"].listing
        assert [one["id"] for one in await pages.page(conn, listing)] == ["V1", "V3"]
        assert [one["id"] for one in await pages.page(conn, listing, limit=2)] == ["V1", "V3"]
        assert [one["id"] for one in await pages.page(conn, listing, limit=1, after=pages.Place("V1"))] == [
            "V3"
        ]


async def test_the_operator_sees_the_facts_by_their_ids(world: World, db_url: str) -> None:
    await spoil_fence(world)
    await spoil_order(world)
    await world.pool.execute(
        "INSERT INTO rule_parameters (rule, name, value, effective_from) VALUES ('mileage', 'ratio_permille', 'NaN', now())"
    )
    await world.pool.execute("INSERT INTO calendar_days (day, workday) VALUES ('12000-01-01', true)")
    listed = await asyncio.to_thread(gongche, db_url, "list")
    assert listed.returncode == 0, listed.stderr
    for name in ("fence F2 (1)", "order T1", "parameter mileage.ratio_permille", "calendar_day 12000-01-01"):
        assert name in listed.stdout
