"""Reservations in series over HTTP: asked for once, decided on once, sent a vehicle at once; each trip goes on by itself. One world, one story."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from runtime.units import CHINA
from tests.integration.test_trips import TABLE, Site
from tests.integration.test_trips import trips as trips  # a fixture


def rhythm(site: Site, *, ahead: int = 3, trips: int = 3, **more: Any) -> dict[str, Any]:
    """A daily series that begins in some days at 9 in China."""
    first = (site.now.astimezone(CHINA) + timedelta(days=ahead)).replace(hour=9, minute=0, second=0, microsecond=0)  # fmt: skip
    until = first.date() + timedelta(days=trips - 1)
    wanted = {
        "planned_departure": first.isoformat(),
        "planned_return": (first + timedelta(hours=3)).isoformat(),
    }
    body = {
        "first": site.request(category="confidential") | wanted, "rhythm": "daily", "until": until.isoformat(), "holidays": "keep",
    }  # fmt: skip
    return body | more


def named(shown: dict[str, Any], *numbers: int) -> dict[str, Any]:
    """The members as somebody has seen them."""
    return {"members": [{"id": m["id"], "version": m["version"]} for m in shown["members"] if not numbers or m["no"] in numbers]}  # fmt: skip


def states(shown: dict[str, Any]) -> list[str]:
    return [member["state"] for member in shown["members"]]


async def told(site: Site, who: str) -> int:
    found: int = await site.pool.fetchval(
        "SELECT count(*) FROM messages WHERE person IN ($1, 'user:' || $1)", who
    )
    return found


async def test_a_series_is_asked_for_decided_and_sent_at_once(trips: Site) -> None:
    site = trips
    body = rhythm(site)
    # Whoever may not ask; what is wrong with one is told with its day, and nothing is made.
    await site.ask("driver", "POST", "trip-series", body, 403)
    elsewhere = await site.ask("desk", "POST", "trip-series", body, 422)
    assert elsewhere["errors"][0]["pointer"] == "/first/organisation"
    far = rhythm(site, trips=2)
    far["first"] |= {"scope": "province", "basis": ""}
    refused = await site.ask("ask", "POST", "trip-series", far, 422)
    assert (refused["errors"][0]["pointer"], refused["detail"][:2]) == ("/first/basis", f"{site.now:%Y}"[:2])
    assert await site.pool.fetchval("SELECT count(*) FROM trip_requests") == 0
    # A trip that the applicant has asked for already is named where it overlaps.
    first = datetime.fromisoformat(body["first"]["planned_departure"]) + timedelta(days=1)
    single = site.request(category="confidential") | {
        "planned_departure": (first + timedelta(hours=2)).isoformat(), "planned_return": (first + timedelta(hours=9)).isoformat(),
    }  # fmt: skip
    other = await site.ask("ask", "POST", "trip-requests", single, 201)
    await site.step("ask", f"trip-requests/{other['id']}", "submit")
    seen = await site.ask("ask", "POST", "trip-series:preview", body)
    assert [[clash["id"] for clash in trip["clashes"]] for trip in seen["trips"]] == [[], [other["id"]], []]
    before = await told(site, "office")

    # Sent again under its key it is made once, also at the same time.
    key = {"Idempotency-Key": "11111111-2222-3333-4444-555555555555"}
    made, again = await asyncio.gather(
        *(site.client.post("/v1/trip-series", json=body, headers=site.headers("ask") | key) for _ in range(2))
    )
    assert (made.status_code, again.status_code, made.json()["id"]) == (201, 201, again.json()["id"])
    shown = made.json()
    path = f"trip-series/{shown['id']}"
    assert states(shown) == ["pending"] * 3
    assert [bool(member["clashes"]) for member in shown["members"]] == [False, True, False]
    assert await told(site, "office") == before + 1  # once, not three times
    listed = await site.ask("ask", "GET", "trip-requests", params={"series": shown["id"]})
    assert {row["series"] for row in listed["items"]} == {shown["id"]}
    assert len(listed["items"]) == 3
    assert [row["series"] for row in (await site.ask("office", "GET", "trip-requests", params={"to_decide": True}))["items"]].count(None) == 1  # fmt: skip
    # Whose it is not, and who is no part of it.
    for who in ("ask2", "other", "driver"):
        await site.ask(who, "GET", path, status=404)
        if who == "ask2":
            await site.ask(who, "POST", f"{path}:stop", named(shown) | {"reason": "不需要用车了"}, 404)
    await site.ask("ask", "POST", f"{path}:approve", named(shown), 403)
    strange = {"members": [{"id": other["id"], "version": 2}]}
    await site.ask("office", "POST", f"{path}:approve", strange, 422)
    await site.ask("office", "POST", f"{path}:approve", {"members": []}, 422)
    twice = {"members": [*named(shown, 1)["members"], *named(shown, 1)["members"]]}
    await site.ask("office", "POST", f"{path}:approve", twice, 422)

    # One is withdrawn by itself meanwhile: who approves what he saw approves the others, and is told of that one.
    await site.step("ask", f"trip-requests/{shown['members'][2]['id']}", "withdraw", reason="那一天不开会")
    done = await site.ask("office", "POST", f"{path}:approve", named(shown) | {"note": "同意"})
    assert (done["done"], [item["state"] for item in done["items"]]) == (2, ["waiting", "waiting", None])
    assert done["items"][2]["refused"]["type"].endswith("stale-version")
    assert " · " in done["items"][2]["refused"]["detail"]
    shown = await site.get(path, "ask")
    assert states(shown) == ["waiting", "waiting", "withdrawn"]
    assert await site.pool.fetchval("SELECT count(*) FROM trip_request_events WHERE step = 'approve' AND actor = 'user:office'") == 2  # fmt: skip

    # --- a vehicle for all of them; where it is taken the conflict is named, and the request goes on waiting
    await site.step("office", f"trip-requests/{other['id']}", "approve")
    await site.assigned([f"trip-requests/{other['id']}"], vehicle="car-1", driver="dr-2")
    await site.ask("ask", "POST", f"{path}:assign", named(shown, 1, 2) | {"vehicle": "car-1"}, 403)
    sent = await site.ask("desk", "POST", f"{path}:assign", named(shown, 1, 2) | {"vehicle": "car-1", "driver": "dr-1"})  # fmt: skip
    assert (sent["done"], [item["dispatch"] is not None for item in sent["items"]]) == (1, [True, False])
    assert sent["items"][1]["refused"]["type"].endswith("dispatch-conflict")
    number = await site.pool.fetchval("SELECT number FROM trip_dispatches WHERE driver = 'dr-2'")
    assert number in sent["items"][1]["refused"]["detail"]
    shown = await site.get(path, "desk")
    assert states(shown) == ["assigned", "waiting", "withdrawn"]
    rest = await site.ask("desk", "POST", f"{path}:assign", named(shown, 2) | {"vehicle": "car-2", "driver": "dr-1"})  # fmt: skip
    assert rest["done"] == 1
    # --- given up: what has a vehicle is cancelled with its dispatch, what is over stays
    shown = await site.get(path, "ask")
    over = await site.ask("ask", "POST", f"{path}:stop", named(shown) | {"reason": "会议改为线上"})
    assert [item["state"] for item in over["items"]] == ["cancelled", "cancelled", None]
    assert await site.pool.fetchval("SELECT count(*) FROM trip_dispatches WHERE holds") == 1  # that of the single trip  # fmt: skip
    for query in ("UPDATE trip_series SET rule = '{}'", "DELETE FROM trip_series_members"):
        with pytest.raises(asyncpg.PostgresError, match="change"):
            await site.pool.execute(query)


async def test_drafts_two_levels_and_the_calendar(trips: Site) -> None:
    site = trips
    start = site.now.astimezone(CHINA).date() + timedelta(days=3)
    for number in range(5):
        await site.pool.execute(
            "INSERT INTO calendar_days (day, workday, name) VALUES ($1, $2, $3)", start + timedelta(days=number), number != 1, "节假日" if number == 1 else ""
        )  # fmt: skip
    body = rhythm(site, trips=4, holidays="skip", hand_in=False)
    body["first"] |= {"category": "other"}  # the office, then the leader
    made = await site.ask("ask", "POST", "trip-series", body, 201)
    assert made["skipped"] == [{"day": (start + timedelta(days=1)).isoformat(), "why": "节假日"}]
    assert states(made) == ["draft"] * 3
    path = f"trip-series/{made['id']}"
    # One of them begins later; the others do not.
    one = made["members"][1]
    late = datetime.fromisoformat(one["planned_departure"]) + timedelta(hours=1)
    await site.step("ask", f"trip-requests/{one['id']}", "edit", contents=body["first"] | {"planned_departure": late.isoformat(), "planned_return": one["planned_return"]})  # fmt: skip
    shown = await site.get(path, "ask")
    assert datetime.fromisoformat(shown["members"][1]["planned_departure"]) == late
    assert (await site.ask("ask", "POST", f"{path}:submit", named(shown)))["done"] == 3
    shown = await site.get(path, "ask")
    before = await told(site, "boss")
    assert (await site.ask("office", "POST", f"{path}:approve", named(shown)))["done"] == 3
    shown = await site.get(path, "boss")
    assert states(shown) == ["pending"] * 3  # the second level
    assert await told(site, "boss") == before + 1
    # Nobody decides twice, and nobody on his own.
    again = await site.ask("office", "POST", f"{path}:approve", named(shown))
    assert (again["done"], {item["refused"]["type"].rpartition(":")[2] for item in again["items"]}) != (
        3,
        set(),
    )
    # A level that is silent: the substitute is told of one, and may decide on all.
    quiet = await told(site, "deputy")
    await site.turn(timedelta(hours=2))
    assert await told(site, "deputy") == quiet + 1
    shown = await site.get(path, "deputy")
    assert (await site.ask("deputy", "POST", f"{path}:reject", named(shown, 1) | {"reason": "当日另有安排"}))["done"] == 1  # fmt: skip
    assert (await site.ask("boss", "POST", f"{path}:approve", named(shown, 2, 3)))["done"] == 2
    assert states(await site.get(path, "ask")) == ["rejected", "waiting", "waiting"]
    # Where the days have different chains each of those who decide is told, once.
    table = dict(TABLE) | {"rows": [{"name": "节假日", "day_types": ["rest"], "chain": ["leader"]}, *TABLE["rows"]]}  # fmt: skip
    draft = await site.ask("clerk", "POST", "approval-tables", {"organisation": "jsj", "table": table}, 201)
    await site.ask("clerk", "POST", f"approval-tables/jsj/versions/{draft['version']}:activate")
    before, quiet = await told(site, "boss"), await told(site, "office")
    mixed = rhythm(site, trips=4)
    mixed["first"] |= {"category": "other"}
    made = await site.ask("ask", "POST", "trip-series", mixed, 201)
    assert len(made["members"]) == 4
    assert (await told(site, "boss"), await told(site, "office")) == (before + 1, quiet + 1)
    # Each decides on what is his; what is not is named, and stays.
    path = f"trip-series/{made['id']}"
    done = await site.ask("boss", "POST", f"{path}:approve", named(made))
    assert [item["refused"] is None for item in done["items"]] == [False, True, False, False]
