"""Quarterly sheets of drivers over HTTP on a real PostgreSQL: every point leads to its record, what is not determined costs nothing, an issued sheet never changes, the driver objects and
another person decides. What was driven without a rest, and overtime, of the same trips."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import asyncpg
import numpy as np
import pytest

from office.assessment.periods import last_over
from office.dispatch.call_backs import drawn, list_hash
from office.identity.subject import Role
from runtime.units import US_PER_DAY, midnight, to_us
from telemetry.archive.store import Archive
from telemetry.positions import PositionBatch
from tests.integration import test_drivers, test_trips
from tests.integration.test_trips import Site
from tests.integration.test_trips import trips as trips  # a fixture

STAFF = test_drivers.STAFF | {"head2": [(Role.UNIT_HEAD, "pool", None)]}


@pytest.fixture
def staff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_trips, "PEOPLE", test_trips.PEOPLE | STAFF)


@pytest.fixture
async def yard(staff: None, trips: Site) -> Site:
    return trips


async def drove(yard: Site, id: str, driver: str, departed: datetime, returned: datetime, planned: datetime, *, actor: str, entered_late: timedelta, rating: int | None = None) -> None:  # fmt: skip
    """A dispatch that is back, with a request."""
    number = f"派-{id}"
    await yard.pool.execute(
        "INSERT INTO trip_dispatches (id, organisation, pool, units, number, kind, state, version, vehicle, vehicle_no, plate, driver, driver_user, planned_departure,"
        " planned_return, actual_departure, actual_return, holds, created_at) SELECT $1, 'pool', 'pool', '{pool,jsj}', $2, 'normal', 'returned', 3, v.id, v.no, v.plate, $3,"
        " user_of_driver($3), $4, $6, $5, $6, false, $4 FROM vehicles v WHERE v.id = 'car-1'",
        id, number, driver, planned, departed, returned,
    )  # fmt: skip
    for version, step, at, late in ((2, "depart", departed, timedelta(minutes=1)), (3, "return", returned, entered_late)):  # fmt: skip
        await yard.pool.execute(
            "INSERT INTO trip_dispatch_events (paper, version, step, at, actor, persons, actor_name, body) VALUES ($1, $2, $3, $4, $5, ARRAY[$5], 'x', $6)",
            id, version, step, at + late, actor, {"at": at.isoformat()},
        )  # fmt: skip
    if rating is not None:
        await yard.pool.execute(
            "INSERT INTO trip_requests (id, organisation, pool, units, number, kind, state, version, category, purpose, passengers, applicant_name, persons, planned_departure,"
            " planned_return, created_at, rating) VALUES ($1, 'jsj', 'pool', '{pool,jsj}', $2, 'normal', 'confirmed', 1, 'other', 'meeting', 1, 'x', '{user:ask}', $3, $4, $3, $5)",
            f"YC-{id}", f"申-{id}", planned, returned, rating,
        )  # fmt: skip
        await yard.pool.execute("INSERT INTO trip_links VALUES ($1, $2)", id, f"YC-{id}")


async def positions(yard: Site, since: datetime, minutes: int, dkmh: int) -> None:
    times = [to_us(since + timedelta(minutes=minute)) for minute in range(minutes + 1)]
    count = len(times)
    batch = PositionBatch.build(
        count, terminal=[1] * count, device_us=times, received_us=[t + 5_000_000 for t in times], lat_e6=np.array([31_980_000 + 100 * k for k in range(count)]),
        lon_e6=[120_890_000] * count, status=[2] * count, speed_dkmh=[dkmh] * count,
    )  # fmt: skip
    async with yard.pool.acquire() as connection:
        await Archive().ensure_partitions(connection, sorted({t // US_PER_DAY for t in times}))
        async with connection.transaction():
            await Archive().store(connection, batch)


async def test_a_quarter_of_a_driver(yard: Site) -> None:
    period = last_over(test_drivers.day_of(yard.now))
    day = period.last - timedelta(days=20)
    eight = midnight(day) + timedelta(hours=8)
    minute = timedelta(minutes=1)
    await drove(
        yard,
        "PC-1",
        "dr-1",
        eight + 15 * minute,
        eight + 360 * minute,
        eight,
        actor="user:driver",
        entered_late=30 * minute,
        rating=1,
    )
    # Entered by a dispatcher, without a track, and rated well; and one of the day after the quarter, at midnight in China.
    next_day = eight + timedelta(days=1)
    await drove(yard, "PC-2", "dr-1", next_day + 90 * minute, next_day + 180 * minute, next_day, actor="user:desk", entered_late=300 * minute, rating=5)  # fmt: skip
    after = midnight(period.following.first)
    await drove(yard, "PC-3", "dr-1", after, after + 60 * minute, after - 60 * minute, actor="user:driver", entered_late=60 * minute, rating=1)  # fmt: skip
    await positions(yard, eight + 15 * minute, 285, 600)
    plate = "苏F12341"
    for id, at, standing, driver in (
        ("V-1", eight + 120 * minute, "handled", None), ("V-2", eight + 130 * minute, "revoked", None), ("V-3", eight + 140 * minute, "open", "dr-2"),
        ("V-4", eight + 600 * minute, "open", None),
    ):  # fmt: skip
        await yard.pool.execute(
            "INSERT INTO violations (id, plate, at, place, act, code, status, driver, source) VALUES ($1, $2, $3, '', '超速', '', $4, $5, '')", id, plate, at, standing, driver
        )  # fmt: skip
    path = f"drivers/dr-1/sheets/{period}"
    accident = {
        "kind": "accident",
        "day": day.isoformat(),
        "reference": "事故认定书 1 号",
        "note": "追尾，负全部责任",
    }
    made = await yard.ask("keeper", "POST", "drivers/dr-1/facts", accident, 201)
    await yard.ask("keeper", "POST", "drivers/dr-1/facts", accident, 409)
    wrong = await yard.ask("keeper", "POST", "drivers/dr-1/facts", accident | {"kind": "unclean"}, 201)
    for who, status in (("other", 404), ("head", 403), ("driver", 403)):
        await yard.ask(who, "POST", "drivers/dr-1/facts", accident, status)
    await yard.ask("keeper", "POST", f"driver-facts/{wrong['id']}:void", {"reason": "登记错了车辆"})
    await yard.ask("keeper", "POST", f"driver-facts/{wrong['id']}:void", {"reason": "登记错了车辆"}, 409)
    # Driver and head see the same, others nothing; each line has its record. Who is not cleared is told that secret vehicles would not be in it.
    sheet = await yard.ask("head", "GET", path)
    assert sheet["without_secret"] is False
    assert sheet | {"without_secret": True} == await yard.ask("driver", "GET", path)
    for who, status in (("driver2", 404), ("stranger", 404), ("desk", 403)):
        await yard.ask(who, "GET", path, status=status)
    lines = {each["line"]: (each["item"], each["deducted"], each["number"]) for each in sheet["lines"]}
    rest = next(line for line in lines if line.startswith("rest:"))
    assert lines == {
        f"accident:{made['id']}": ("safety", "18.00", "事故认定书 1 号"), "violation:V-1": ("safety", "1.00", "V-1"), rest: ("safety", "2.00", "派-PC-1"),
        "low_rating:YC-PC-1": ("service", "2.00", "申-PC-1"), "late_departure:PC-1/depart": ("attendance", "1.00", "派-PC-1"),
        "late_entry:PC-1/return": ("conduct", "0.50", "派-PC-1"),
    }  # fmt: skip
    assert (sheet["deducted"], sheet["score"], sheet["issued_at"]) == ("24.50", "75.50", None)
    assert {each["fact"]: each["count"] for each in sheet["undetermined"]} == {"rest": 1, "late_entry": 2, "violation": 1}  # fmt: skip
    assert [each["code"] for each in sheet["items"] if each["state"] != "judged"] == ["fuel"]
    # Issued once, as it was seen, by somebody who may, and never the running quarter.
    issue = {"digest": sheet["digest"], "added": {"points": "2", "reason": "抗台风抢险表现突出"}}
    await yard.ask("head", "POST", f"{path}:issue", issue | {"digest": "0" * 64}, 409)
    await yard.ask("head", "POST", f"{path}:issue", issue | {"added": {"points": "10.5", "reason": "抗台风抢险表现突出"}}, 422)  # fmt: skip
    await yard.ask("keeper", "POST", f"{path}:issue", issue, 403)
    running = f"drivers/dr-1/sheets/{period.following}"
    now = await yard.ask("head", "GET", running)
    assert [each["number"] for each in now["lines"]] == ["派-PC-3", "派-PC-3", "申-PC-3"]
    if period.following.last >= test_drivers.day_of(yard.now):
        await yard.ask("head", "POST", f"{running}:issue", {"digest": now["digest"]}, 409)
    answers = await asyncio.gather(
        *(yard.client.post(f"/v1/{path}:issue", json=issue, headers=yard.headers("head")) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    issued = await yard.ask("driver", "GET", path)
    assert (issued["score"], issued["added"], issued["score_now"]) == ("77.50", "2.00", "77.50")
    # What happens afterwards changes nothing.
    await yard.pool.execute("UPDATE violations SET status = 'revoked' WHERE id = 'V-1'")
    assert await yard.ask("driver", "GET", path) == issued
    # The driver objects, once; another person than who issued it decides.
    objection = {"line": "violation:V-1", "reason": "违法记录已撤销"}
    for who, status in (("driver2", 404), ("head", 403)):
        await yard.ask(who, "POST", f"{path}/objections", objection, status)
    await yard.ask("driver", "POST", f"{path}/objections", objection | {"line": "violation:V-9"}, 404)
    raised = await yard.ask("driver", "POST", f"{path}/objections", objection, 201)
    await yard.ask("driver", "POST", f"{path}/objections", objection, 409)
    decide, said = f"driver-objections/{raised['objections'][0]['id']}:decide", {"upheld": True, "reason": "交警部门已撤销"}  # fmt: skip
    assert (await yard.ask("head", "POST", decide, said, 403))["type"].endswith("own-matter")
    await yard.ask("stranger", "POST", decide, said, 404)
    decided = await yard.ask("head2", "POST", decide, said)
    await yard.ask("head2", "POST", decide, said, 409)
    assert (decided["score"], decided["score_now"], decided["objections"][0]["state"]) == (
        "77.50",
        "78.50",
        "upheld",
    )
    listed = await yard.ask("head", "GET", "driver-sheets", params={"period": str(period)})
    assert [(row["driver"], row["score"], row["open_objections"]) for row in listed["items"]] == [("dr-1", "77.50", 0)]  # fmt: skip
    paper = await yard.client.get(f"/v1/{path}/document", headers=yard.headers("driver"))
    assert (paper.status_code, paper.content[:5]) == (200, b"%PDF-")
    for table in ("driver_sheets", "driver_objections", "driver_objection_decisions", "driver_facts"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await yard.pool.execute(f"DELETE FROM {table}")  # noqa: S608 - constants
    # A table of points holds from a quarter on that has not begun.
    table = (await yard.ask("head", "GET", "driver-score-tables/pool"))["shipped"]
    begin = period.following.following.first
    if begin > test_drivers.day_of(yard.now):
        await yard.ask("head", "POST", "driver-score-tables/pool", {"valid_from": (begin + timedelta(days=1)).isoformat(), "table": table}, 422)  # fmt: skip
        kept = await yard.ask("head", "POST", "driver-score-tables/pool", {"valid_from": begin.isoformat(), "table": table}, 201)  # fmt: skip
        assert kept["version"] == 1
    await yard.ask("head", "POST", "driver-score-tables/pool", {"valid_from": period.first.isoformat(), "table": table}, 422)  # fmt: skip
    await yard.ask("keeper", "POST", "driver-score-tables/pool", {"valid_from": begin.isoformat(), "table": table}, 403)  # fmt: skip
    # The same trips: what was driven without a rest, and beyond the roster.
    days = {"from": day.isoformat(), "to": (day + timedelta(days=1)).isoformat()}
    driving = await yard.ask("driver", "GET", "drivers/dr-1/driving", params=days)
    assert [(each["driven_s"], each["dispatches"]) for each in driving["too_long"]] == [
        (285 * 60, ["派-PC-1"])
    ]
    assert "不作为违规结论" in driving["too_long"][0]["notice"]
    await yard.pool.execute(
        "INSERT INTO driver_rosters (organisation, driver, kind, first_day, shifts, note, entered_by, entered_by_name)"
        " VALUES ('pool', 'dr-1', 'day', $1, '[[480, 720]]', '', 'user:x', 'x')", day,
    )  # fmt: skip
    worked = await yard.ask("driver", "GET", "drivers/dr-1/overtime", params=days)
    assert [each["minutes"] for each in worked["items"]] == [120, None]
    assert worked["unknown"] == 1


async def test_call_backs_are_drawn_once_and_only_added_to(yard: Site) -> None:
    first = test_drivers.day_of(yard.now).replace(day=1)
    last = midnight(first) - timedelta(minutes=1)
    period = f"{(first - timedelta(days=1)):%Y%m}"
    for number in range(1, 43):
        id = f"YC-{number:02}"
        await yard.pool.execute(
            "INSERT INTO trip_requests (id, organisation, pool, units, number, kind, state, version, category, purpose, passengers, applicant_name, persons, planned_departure,"
            " planned_return, created_at) VALUES ($1, 'jsj', 'pool', '{pool,jsj}', $1, 'normal', $3, 1, 'other', 'meeting', 1, 'x', '{user:ask}', $2, $2::timestamptz"
            " + interval '1 hour', $2)",
            id, last, "cancelled" if number == 42 else "settled",
        )  # fmt: skip
        await yard.pool.execute(
            "INSERT INTO trip_request_events (paper, version, step, at, actor, persons, actor_name, body) VALUES ($1, 1, 'confirm', $2, '', '{}', 'x', '{}')",
            id, last if number < 41 else last + timedelta(minutes=2),
        )  # fmt: skip
    body = {"organisation": "city", "period": period, "seed": "公开抽取 1"}
    running = f"{first:%Y%m}"
    for who, asked, status in (("desk", body, 403), ("keeper", body, 403), ("bureau", body | {"period": running}, 422), ("bureau", body | {"period": "202613"}, 422)):  # fmt: skip
        await yard.ask(who, "POST", "call-back-draws", asked, status)
    answers = await asyncio.gather(
        *(yard.client.post("/v1/call-back-draws", json=body | {"seed": f"{k}"}, headers=yard.headers("bureau")) for k in range(4))
    )  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    made = next(answer.json() for answer in answers if answer.status_code == 201)
    ids = [f"YC-{number:02}" for number in range(1, 41)]
    assert (made["population"], made["drawn"], made["list_sha256"]) == (40, 2, list_hash(ids))
    calls = (await yard.ask("bureau", "GET", f"call-back-draws/{made['id']}/call-backs"))["items"]
    assert [call["request"] for call in calls] == drawn(ids, made["seed"], 50)
    path = f"call-backs/{calls[0]['id']}:record"
    await yard.ask("bureau", "POST", path, {"outcome": "not_reached"})
    await yard.ask("bureau", "POST", path, {"outcome": "unsatisfied", "note": " 晚 "}, 422)
    said = await yard.ask("bureau", "POST", path, {"outcome": "unsatisfied", "note": "晚到半小时"})
    assert (said["outcome_name"], said["note"]) == ("不满意", "晚到半小时")
    rest = await yard.ask(
        "bureau", "GET", f"call-back-draws/{made['id']}/call-backs", params={"open": "true"}
    )
    assert [call["id"] for call in rest["items"]] == [calls[1]["id"]]
    assert (await yard.ask("bureau", "GET", "call-back-draws"))["items"][0]["recorded"] == 1
    with pytest.raises(asyncpg.RestrictViolationError):
        await yard.pool.execute("UPDATE call_back_results SET outcome = 'satisfied'")
