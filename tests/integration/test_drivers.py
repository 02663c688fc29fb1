"""Drivers over HTTP, by several people, on a real PostgreSQL: rosters and leave keep them from being sent, and from being suggested; who else could drive is said."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from office.identity.subject import Role
from runtime.units import CHINA
from tests.integration import test_trips
from tests.integration.test_trips import Site
from tests.integration.test_trips import trips as trips  # a fixture

#: Besides those of ``test_trips``: who keeps drivers in the unit that has the vehicles, and who decides.
STAFF: dict[str, list[tuple[Role, str, str | None]]] = {
    "keeper": [(Role.UNIT_ADMINISTRATOR, "pool", None)],
    "head": [(Role.UNIT_HEAD, "pool", None)],
    "both": [(Role.UNIT_ADMINISTRATOR, "pool", None), (Role.UNIT_HEAD, "pool", None)],
    "stranger": [(Role.UNIT_HEAD, "wsj", None)],
}


@pytest.fixture
def staff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_trips, "PEOPLE", test_trips.PEOPLE | STAFF)


@pytest.fixture
async def yard(staff: None, trips: Site) -> Site:
    return trips


def day_of(at: datetime) -> date:
    return at.astimezone(CHINA).date()


def clock(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%H:%M}"


async def suggested(yard: Site, path: str) -> dict[str, str | None]:
    found = await yard.ask("desk", "GET", f"{path}/candidates")
    return {each["id"]: each["driver"] for each in found["items"]}


async def take_file(yard: Site, who: str, text: str) -> Any:
    headers = yard.headers(who) | {"Content-Type": "text/csv; charset=utf-8"}
    answer = await yard.client.post("/v1/driver-rosters:import", content=text, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_roster_says_who_is_sent(yard: Site) -> None:
    asked = await yard.approved(hours=26, long=3)
    start, end = yard.now + timedelta(hours=26), yard.now + timedelta(hours=29)
    day = day_of(start)
    assert set((await suggested(yard, asked)).values()) == {"dr-1"}  # nothing is known of either
    path = "drivers/dr-1/roster-weeks"
    off = {"valid_from": day.isoformat(), "days": [[]] * 7}
    for who, status in (
        ("other", 404),
        ("stranger", 403),
        ("head", 403),
        ("desk", 403),
        ("driver", 403),
        ("keeper", 201),
    ):
        made = await yard.ask(who, "POST", path, off, status)
    assert [each["shifts"] for each in made["days"]] == [[]] * 7
    assert set((await suggested(yard, asked)).values()) == {"dr-2"}
    refused = await yard.assigned([asked], status=422)
    assert "司机1 届时" in refused["detail"]
    assert "不当班" in refused["detail"]
    assert "届时可派的驾驶员：司机2（dr-2）" in refused["detail"]
    assert refused["errors"][0]["pointer"] == "/driver"
    # A day of overtime, to the minute: first too short, then enough.
    for until, status in ((end - timedelta(minutes=2), 422), (end + timedelta(minutes=1), 201)):
        shift = {"from": clock(start - timedelta(minutes=1)), "to": clock(until)}
        one = {"days": [{"day": day.isoformat(), "shifts": [shift]}], "note": "周末加班"}
        made = await yard.ask("keeper", "POST", "drivers/dr-1/roster-days", one, 201)
        path = await yard.assigned([asked], status=status)
    assert (made["days"][0]["source"], made["entries"][0]["note"]) == ("day", "周末加班")
    # Who is off duty may be called for an emergency, and then nothing moves what he drives.
    nobody = await yard.ask("keeper", "POST", "drivers/dr-2/roster-weeks", {"valid_from": day_of(yard.now).isoformat(), "days": [[]] * 7}, 201)  # fmt: skip
    assert nobody["driver"] == "dr-2"
    emergency = {
        "organisation": "jsj", "vehicle": "car-2", "driver": "dr-2", "ordered_by": "值班领导", "destination": test_trips.PLACE, "reason": "突发险情须立即处置",
    }  # fmt: skip
    await yard.ask("desk", "POST", "dispatches:emergency", emergency, 201)
    later = await yard.approved(hours=26.5, long=1)
    assert await suggested(yard, later) == {}
    nobody = await yard.assigned([later], status=422, vehicle="car-2", driver="dr-2")
    assert "没有其他可派的驾驶员" in nobody["detail"]
    # Drivers see their own roster, and nobody else's.
    span = {"from": day.isoformat(), "to": (day + timedelta(days=1)).isoformat()}
    own = await yard.ask("driver", "GET", "drivers/dr-1/duty", params=span)
    assert [each["source"] for each in own["days"]] == ["day", "week"]
    await yard.ask("driver", "GET", "drivers/dr-2/duty", params=span, status=404)
    await yard.ask("keeper", "GET", "drivers/dr-1/duty", params={"from": "2026-01-01", "to": "2027-01-01"}, status=422)  # fmt: skip
    pages: list[Any] = []
    cursor = None
    while len(pages) < 5:
        page = await yard.ask("keeper", "GET", "driver-duty", params={"day": day.isoformat(), "limit": 1} | ({"cursor": cursor} if cursor else {}))  # fmt: skip
        pages += page["items"]
        if (cursor := page["next"]) is None:
            break
    assert [(each["driver"], bool(each["shifts"])) for each in pages] == [("dr-1", True), ("dr-2", False)]
    assert (await yard.ask("stranger", "GET", "driver-duty", params={"day": day.isoformat()}))["items"] == []
    # A range, bounded: each day of each driver; half of one, or beside a day, is none.
    page = await yard.ask("keeper", "GET", "driver-duty", params=span)
    assert [(each["driver"], [bool(day["shifts"]) for day in each["days"]]) for each in page["items"]] == [("dr-1", [True, False]), ("dr-2", [False, False])]  # fmt: skip
    assert [each["days"] for each in (await yard.ask("keeper", "GET", "driver-duty"))["items"]] == [
        None,
        None,
    ]
    for wrong in (
        {"from": span["from"]},
        span | {"day": span["from"]},
        {"from": "2026-01-01", "to": "2026-02-01"},
        {"from": span["to"], "to": span["from"]},
    ):
        await yard.ask("keeper", "GET", "driver-duty", params=wrong, status=422)
    # Who is signed in knows which driver he is; he sees what is booked about him, and no more of the ledger.
    assert [(await yard.ask(who, "GET", "session"))["driver"] for who in ("driver", "keeper")] == [
        "dr-1",
        None,
    ]
    for amount, driver in ((8000, "dr-1"), (9000, "dr-2")):
        pay = {
            "kind": "overtime",
            "organisation": "pool",
            "vehicle": "car-1",
            "occurred_on": "2026-03-02",
            "amount_fen": amount,
            "driver": driver,
        }
        await yard.ask("keeper", "POST", "cost-entries", pay, 201)
    (own_cost,) = (await yard.ask("driver", "GET", "drivers/dr-1/costs"))["items"]
    assert (own_cost["amount"], own_cost["kind_name"], "vendor" in own_cost) == ("80.00", "驾驶员加班", False)
    assert (await yard.ask("driver", "GET", "drivers/dr-1/costs", params={"from": "2026-03-03"}))[
        "items"
    ] == []
    for who, id, status in (("driver", "dr-2", 404), ("stranger", "dr-1", 404), ("ask", "dr-1", 403)):
        await yard.ask(who, "GET", f"drivers/{id}/costs", status=status)
    await yard.ask("driver", "GET", "cost-entries", status=403)
    assert len((await yard.ask("keeper", "GET", "drivers/dr-2/costs", params={"limit": 1}))["items"]) == 1
    # A file: good rows are entered, bad ones told; again nothing.
    text = (
        f"驾驶员编号,日期,班次\ndr-1,{day},休\ndr-2,{day},08:00-12:00 14:00-17:30\ndr-2,{day},休\nnobody,{day},休\ndr-1,2020-01-01,休\n"
        f"dr-1,{day + timedelta(days=1)},早班\n"
    )
    report = await take_file(yard, "keeper", text)
    assert {name: report[name] for name in ("rows", "entered", "repeated", "refused")} == {"rows": 6, "entered": 2, "repeated": 0, "refused": 4}  # fmt: skip
    assert sorted(error["row"] for error in report["errors"]) == [4, 5, 6, 7]
    again = await take_file(yard, "keeper", text)
    assert (again["entered"], again["repeated"]) == (0, 2)
    with pytest.raises(asyncpg.RestrictViolationError):
        await yard.pool.execute("UPDATE driver_rosters SET note = 'x'")
    with pytest.raises(asyncpg.RestrictViolationError):
        await yard.pool.execute("DELETE FROM driver_rosters")
    # Nobody enters his own; and a roster goes with its driver.
    await yard.ask("bureau", "PUT", "drivers/dr-2/account", {"user": "both"})
    await yard.ask("both", "POST", "drivers/dr-2/roster-days", {"days": [{"day": day.isoformat(), "shifts": []}]}, 403)  # fmt: skip
    await yard.pool.execute("UPDATE drivers SET organisation = 'wsj' WHERE id = 'dr-2'")
    assert await yard.pool.fetchval("SELECT array_agg(DISTINCT organisation) FROM driver_rosters WHERE driver = 'dr-2'") == ["wsj"]  # fmt: skip


async def test_leave_is_granted_by_another_person_and_keeps_from_being_sent(yard: Site) -> None:
    asked = await yard.approved(hours=26, long=3)
    start = yard.now + timedelta(hours=24)
    body = {"kind": "sick", "from": start.isoformat(), "to": (start + timedelta(hours=48)).isoformat(), "reason": "手术住院"}  # fmt: skip
    made = await yard.ask("driver", "POST", "driver-leaves", body, 201)
    path = f"driver-leaves/{made['id']}"
    assert (made["driver"], made["state"], made["kind_name"]) == ("dr-1", "asked", "病假")
    assert (await yard.ask("driver", "POST", "driver-leaves", body, 409))["leave"] == made["id"]
    await yard.ask("driver", "POST", "driver-leaves", body | {"driver": "dr-2"}, 403)
    await yard.ask("desk", "POST", "driver-leaves", body | {"driver": "dr-2"}, 403)
    # Asked for is not granted.
    taken = await yard.assigned([asked])
    number = (await yard.get(taken))["number"]
    for who, status in (("driver", 403), ("keeper", 403), ("desk", 403), ("stranger", 404)):
        await yard.ask(who, "POST", f"{path}:approve", {"version": 1}, status)
    await yard.ask("driver2", "GET", path, status=404)
    assert (await yard.ask("driver2", "GET", "driver-leaves"))["items"] == []
    # Several at once: one decides. What has him then is told.
    answers = await asyncio.gather(
        *(yard.client.post(f"/v1/{path}:approve", json={"version": 1}, headers=yard.headers("head")) for _ in range(5))
    )  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    decided = next(answer.json() for answer in answers if answer.status_code == 200)
    assert (decided["state"], decided["dispatches"]) == ("approved", [number])
    told = {row["permission"] or row["person"] for row in await yard.pool.fetch("SELECT permission, person FROM messages WHERE trip = $1", path)}  # fmt: skip
    assert told == {"drivers:decide", "trips:dispatch", "driver"}
    message = next(m for m in (await yard.ask("driver", "GET", "messages"))["items"] if "请假单" in m["text"])
    assert "手术" not in message["text"]
    # Neither by hand nor suggested; dispatchers are not told why he is away.
    other = await yard.approved(hours=40, long=3)
    assert set((await suggested(yard, other)).values()) == {"dr-2"}
    refused = await yard.assigned([other], status=422, vehicle="car-2")
    assert "届时请假" in refused["detail"]
    assert "病" not in refused["detail"]
    assert "司机2（dr-2）" in refused["detail"]
    emergency = {
        "organisation": "jsj", "vehicle": "car-2", "driver": "dr-1", "ordered_by": "值班领导", "destination": test_trips.PLACE, "reason": "突发险情须立即处置",
        "departed": None, "planned_return": (yard.now + timedelta(hours=25)).isoformat(),
    }  # fmt: skip
    assert "届时请假" in (await yard.ask("desk", "POST", "dispatches:emergency", emergency, 422))["detail"]
    # He is back, that is cancelled before it has begun: he may be sent again.
    await yard.ask("driver", "POST", f"{path}:cancel", {"version": 1}, 409)
    back = await yard.ask("driver", "POST", f"{path}:cancel", {"version": 2, "reason": "手术改期"})
    assert [event["step"] for event in back["thread"]] == ["ask", "approve", "cancel"]
    assert back["state"] == "cancelled"
    await yard.assigned([other], vehicle="car-2")
    # Who asked for another does not decide, nor does who lent him the right; leave that has begun is ended.
    begun = body | {"driver": "dr-2", "from": (yard.now - timedelta(hours=5)).isoformat()}
    made = await yard.ask("both", "POST", "driver-leaves", begun, 201)
    path = f"driver-leaves/{made['id']}"
    assert (await yard.ask("both", "POST", f"{path}:approve", {"version": 1}, 403))["type"].endswith(
        "own-leave"
    )
    await yard.ask("head", "POST", f"{path}:reject", {"version": 1, "reason": "短"}, 422)
    await yard.ask("head", "POST", f"{path}:approve", {"version": 1})
    ended = await yard.ask("keeper", "POST", f"{path}:cancel", {"version": 2})
    assert ended["state"] == "ended"
    assert ended["to"] < body["to"]
    await yard.ask("keeper", "POST", f"{path}:cancel", {"version": 3}, 409)
    rows = await yard.ask("keeper", "GET", "driver-leaves", params={"limit": 1})
    following = await yard.ask("keeper", "GET", "driver-leaves", params={"limit": 1, "cursor": rows["next"]})
    assert [each["state"] for each in rows["items"] + following["items"]] == ["cancelled", "ended"]
    for query in ("UPDATE driver_leave_events SET body = '{}'", "DELETE FROM driver_leaves", "TRUNCATE driver_leave_events"):  # fmt: skip
        with pytest.raises(asyncpg.RestrictViolationError):
            await yard.pool.execute(query)
