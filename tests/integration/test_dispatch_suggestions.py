"""Suggestions over HTTP, on a real PostgreSQL: what a dispatcher is told, what is kept of his choice, and what the program assigns by itself."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any

import pytest

from office.dispatch import automatic, clock
from office.dispatch.planner.batch import Assignment
from office.dispatch.planner.weights import Weights
from office.dispatch.threads import load_clocks, read_request
from registry import parameters
from tests.integration.test_trips import FAR, PLACE, Site, trips

__all__ = ["trips"]
RING = [[120.88, 31.97], [120.90, 31.97], [120.90, 31.99], [120.88, 31.99], [120.88, 31.97]]
OPEN_ALL = {"positions": [{"code": "office", "name": "办公室", "users": ["office"]}], "pool": "pool", "rows": [{"name": "其他", "chain": ["office"]}]}  # fmt: skip


async def waiting(site: Site, **more: Any) -> str:
    """A routine request that waits for a vehicle."""
    path = await site.asked(**more)
    await site.step("office", path, "approve")
    return path


@pytest.fixture
async def desk(trips: Site) -> Site:
    made = await trips.ask(
        "clerk", "POST", "approval-tables", {"organisation": "jsj", "table": OPEN_ALL}, 201
    )
    await trips.ask("clerk", "POST", f"approval-tables/jsj/versions/{made['version']}:activate")
    return trips


async def turn(desk: Site) -> None:
    async with desk.pool.acquire() as connection:
        await clock.turn(connection)


def test_the_weights_are_the_parameters() -> None:
    defaults = {p.name: p.default for p in parameters.RULES[parameters.PLANNER]}
    assert defaults.pop("auto_city") == 0
    assert defaults == {each.name: getattr(Weights(), each.name) for each in fields(Weights)}


async def test_a_dispatcher_is_told_which_vehicle_and_why(desk: Site) -> None:
    await desk.pool.execute("INSERT INTO vehicles (id, plate, organisation, category, energy) VALUES ('car-3', '苏F12343', 'jsj', '应急保障', 'electric'), ('car-4', '苏F12344', 'wsj', '', 'petrol'),"
                            " ('car-5', '苏F12345', 'pool', '执法执勤', 'petrol')")  # fmt: skip
    path = await waiting(desk)
    found = await desk.ask("desk", "GET", f"{path}/candidates")
    # Another unit's vehicle is not within the pool; that of law enforcement serves nothing else.
    assert [c["id"] for c in found["items"]] == ["car-1", "car-2"]
    assert [(f["id"], [r["code"] for r in f["reasons"]]) for f in found["failed"]] == [
        ("car-5", ["category"])
    ]
    first = found["items"][0]
    assert (first["rank"], first["driver"], first["driver_name"]) == (1, "dr-1", "司机1")
    assert sum(term["fen"] for term in first["terms"]) == first["cost_fen"] > 0
    assert {t["code"] for t in first["terms"]} == {"unknown_base", "other_unit"}
    assert {u["code"] for u in found["unknown"]} >= {"seats", "licences", "duty", "base"}
    assert "1.3" in found["travel"]
    one = await desk.ask("desk", "GET", f"{path}/candidates", params={"plate": "2342"})
    assert [(c["id"], c["rank"]) for c in one["items"]] == [("car-2", 2)]
    assert one["failed"] == []
    for who in ("ask", "driver"):
        await desk.ask(who, "GET", f"{path}/candidates", status=403)


async def test_what_is_taken_and_what_is_sealed_is_said(desk: Site) -> None:
    first, second = await waiting(desk), await waiting(desk)
    await desk.assigned([first])
    found = await desk.ask("desk", "GET", f"{second}/candidates")
    assert [(c["id"], c["driver"]) for c in found["items"]] == [("car-2", "dr-2")]
    assert [(f["id"], [r["constraint"] for r in f["reasons"]]) for f in found["failed"]] == [
        ("car-1", ["H3"])
    ]
    await desk.pool.execute("INSERT INTO vehicle_seals (vehicle, organisation, reason, sealed_from) VALUES ('car-2', 'pool', '封存', '2020-01-01Z')")  # fmt: skip
    found = await desk.ask("desk", "GET", f"{second}/candidates")
    assert found["items"] == []
    assert {r["code"] for f in found["failed"] for r in f["reasons"]} == {"taken", "sealed"}
    # What is not approved is sent nothing.
    asked = await desk.asked()
    found = await desk.ask("desk", "GET", f"{asked}/candidates", status=200)
    assert all("not_approved" in [r["code"] for r in f["reasons"]] for f in found["failed"])


async def test_a_vehicle_that_stands_near_is_cheaper(desk: Site) -> None:
    await desk.pool.execute("UPDATE vehicles SET category = '其他公务'")
    for id, shift in (("near", 0.0), ("far", 0.3)):
        ring = [[[x + shift, y] for x, y in RING]]
        body = {"name": id, "organisation": "pool", "vehicles": ["car-2" if id == "near" else "car-1"], "datum": "wgs84", "geometry": {"type": "Polygon", "coordinates": ring}}  # fmt: skip
        await desk.ask("bureau", "PUT", f"fences/{id}", body, 201)
    found = await desk.ask("desk", "GET", f"{await waiting(desk)}/candidates")
    assert [c["id"] for c in found["items"]] == ["car-2", "car-1"]
    assert found["items"][0]["empty_m"] < 1_000 < 50_000 < found["items"][1]["empty_m"]
    assert "base" not in {u["code"] for u in found["unknown"]}


async def test_who_takes_another_than_the_first_says_why_and_it_is_kept(desk: Site) -> None:
    path = await waiting(desk)
    second = {"rank": 2, "first": "car-1"}
    await desk.assigned([path], 422, vehicle="car-2", driver="dr-2", suggestion=second)
    await desk.assigned([path], 422, vehicle="car-2", driver="dr-2", suggestion={})
    made = await desk.assigned([path], vehicle="car-2", driver="dr-2", suggestion=second | {"reason": "一号车待保养"})  # fmt: skip
    shown = await desk.get(made)
    assert shown["chosen"] == {"way": "suggested", "rank": 2, "reason": "一号车待保养"}
    assert shown["thread"][0]["body"]["chosen"]["first"] == "car-1"
    other = await desk.assigned([await waiting(desk)], vehicle="car-1")
    assert (await desk.get(other))["chosen"] == {"way": "manual", "rank": None, "reason": None}


async def test_a_plan_for_several(desk: Site) -> None:
    paths = [await waiting(desk) for _ in range(3)]
    ids = [path.partition("/")[2] for path in paths]
    made = await desk.ask("desk", "POST", "dispatches:suggest", {"requests": ids})
    assert len({each["vehicle"] for each in made["items"]}) == len(made["items"]) == 2
    (left,) = made["unserved"]
    assert left["reasons"][0]["code"] == "taken"
    assert left["reasons"][0]["vehicles"] == 2
    assert await desk.pool.fetchval("SELECT count(*) FROM trip_dispatches") == 0
    again = await desk.ask("desk", "POST", "dispatches:suggest", {"requests": ids[::-1]})
    assert again == made
    for each in made["items"]:
        await desk.assigned(
            [f"trip-requests/{each['request']}"], vehicle=each["vehicle"], driver=each["driver"]
        )
    await desk.ask("desk", "POST", "dispatches:suggest", {"requests": ids}, 409)
    await desk.ask("desk", "POST", "dispatches:suggest", {"requests": ["nobody"]}, 404)
    await desk.ask("ask", "POST", "dispatches:suggest", {"requests": ids}, 403)


async def test_routine_trips_get_their_vehicle_where_the_pool_wants_it(desk: Site) -> None:
    path = await waiting(desk)
    await turn(desk)
    assert await desk.state(path) == "waiting"  # off by default
    await desk.pool.execute("INSERT INTO rule_parameters (rule, name, organisation, value, effective_from) VALUES ('planner', 'auto_city', 'pool', 1, '2020-01-01Z')")  # fmt: skip
    # What is no routine stays with the dispatcher, and its vehicle is not given away: emergencies first.
    urgent = await desk.asked(category="emergency")
    await desk.step("office", urgent, "approve")
    far = await waiting(desk, scope="outside", hours=20)
    own = await waiting(desk, driver_mode="self", hours=15)
    await desk.pool.execute("UPDATE vehicles SET disposed_on = '2020-01-01' WHERE id = 'car-2'")
    await turn(desk)
    assert [await desk.state(p) for p in (path, urgent, far, own)] == ["waiting"] * 4
    await desk.pool.execute("UPDATE vehicles SET disposed_on = NULL")
    later = await waiting(desk, hours=9)
    await asyncio.gather(turn(desk), turn(desk), turn(desk))
    assert [await desk.state(p) for p in (path, urgent, far, own, later)] == ["assigned", "waiting", "waiting", "waiting", "assigned"]  # fmt: skip
    assert await desk.pool.fetchval("SELECT count(*) FROM trip_dispatches") == 2
    (row,) = (await desk.get(path, "ask"))["dispatches"]
    shown = await desk.get(f"dispatches/{row['id']}")
    assert (shown["chosen"]["way"], shown["thread"][0]["actor"], shown["thread"][0]["persons"]) == (
        "auto",
        None,
        [],
    )
    assert shown["driver"] is not None
    # A person may still call it off, or send another one.
    await desk.step("desk", f"dispatches/{row['id']}", "cancel", reason="改由单位自行安排")
    await turn(desk)


async def test_the_program_leaves_alone_what_has_changed(desk: Site) -> None:
    await desk.pool.execute("INSERT INTO rule_parameters (rule, name, organisation, value, effective_from) VALUES ('planner', 'auto_city', 'pool', 1, '2020-01-01Z')")  # fmt: skip
    path = await waiting(desk)
    async with desk.pool.acquire() as connection, desk.pool.acquire() as other:
        before = await read_request(connection, path.partition("/")[2])
        assert before is not None
        await desk.step("ask", path, "withdraw", reason="会议已经取消")
        clocks = await load_clocks(other)
        made = Assignment(before.id, "car-1", "dr-1", False)
        assert not await automatic._assign(other, clocks, before, made)
    assert await desk.state(path) == "withdrawn"
    assert (FAR["lat"], PLACE["lat"]) == (32.37, 31.98)
