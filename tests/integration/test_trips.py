"""Requests and dispatches over HTTP, by several people, on a real PostgreSQL: an official asks for a car and gets one; and what people try that
must not work. The clock's work is done at times that the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import numpy as np
import pytest

from api.app import create_app
from api.auth.cookies import COOKIE, CSRF_HEADER
from office.dispatch import clock
from office.dispatch.papers import Desk, dispatch_row, request_row
from office.dispatch.threads import load_clocks, now_of, read_dispatch, read_request
from office.identity import sessions
from office.identity.subject import Role
from registry.fences import Fence
from registry.records import apply
from registry.stations import FuelStation
from runtime.settings import Settings
from runtime.units import CHINA, US_PER_DAY, to_us
from telemetry.archive.store import Archive
from telemetry.positions import PositionBatch

#: Who works here. ``lent`` decides for ``boss``; ``driver`` drives dr-1.
PEOPLE: dict[str, list[tuple[Role, str, str | None]]] = {
    "ask": [(Role.APPLICANT, "jsj", None)],
    "ask2": [(Role.APPLICANT, "jsj", None)],
    "clerk": [(Role.UNIT_ADMINISTRATOR, "jsj", None)],
    "office": [(Role.APPROVER, "jsj", None)],
    "boss": [(Role.UNIT_HEAD, "jsj", None)],
    "lent": [(Role.UNIT_HEAD, "jsj", "boss")],
    "deputy": [(Role.APPROVER, "jsj", None)],
    "desk": [(Role.DISPATCHER, "pool", None)],
    "driver": [(Role.DRIVER, "pool", None)],
    "driver2": [(Role.DRIVER, "pool", None)],
    "other": [(Role.UNIT_ADMINISTRATOR, "wsj", None)],
    "bureau": [(Role.VEHICLE_OFFICE, "city", None)],
}
PLACE = {"name": "市民中心", "lat": 31.98, "lon": 120.89, "datum": "wgs84"}
FAR = {"name": "如皋市政府", "lat": 32.37, "lon": 120.57, "datum": "wgs84"}
TABLE: dict[str, Any] = {
    "pool": "pool",
    "positions": [
        {"code": "office", "name": "办公室", "users": ["office", "ask2"]},
        {"code": "leader", "name": "分管领导", "users": ["boss"]},
        {"code": "deputy", "name": "副职", "users": ["deputy"]},
    ],
    "rows": [
        {"name": "机要", "categories": ["confidential"], "chain": ["office"], "timeout_min": 30, "substitute": "deputy"},
        {"name": "提前", "purposes": ["field"], "chain": ["office"], "lead_min": 1440},
        {"name": "其他", "chain": ["office", "leader"], "timeout_min": 60, "substitute": "deputy"},
    ],
}  # fmt: skip


class Site:
    """The API, its people, and a clock that the test turns."""

    def __init__(self, client: httpx.AsyncClient, pool: asyncpg.Pool, secrets: dict[str, str]) -> None:
        self.client, self.pool, self._secrets = client, pool, secrets
        self.now = datetime.now(UTC)

    async def ask(
        self, who: str, method: str, path: str, body: Any = None, status: int = 200, **more: Any
    ) -> Any:
        response = await self.client.request(
            method, f"/v1/{path}", json=body, headers=self.headers(who), **more
        )
        assert response.status_code == status, (who, method, path, response.status_code, response.text)
        if status >= 400:
            assert " · " in response.json()["detail"]
        return response.json() if response.content else None

    def headers(self, who: str) -> dict[str, str]:
        secret = self._secrets[who]
        return {"Cookie": f"{COOKIE}={secret}", CSRF_HEADER: sessions.csrf_token(secret)}

    async def step(self, who: str, path: str, step: str, status: int = 200, **body: Any) -> Any:
        table = "trip_requests" if path.startswith("trip-requests") else "trip_dispatches"
        id = path.partition("/")[2]
        if "version" not in body:
            body["version"] = await self.pool.fetchval(f"SELECT version FROM {table} WHERE id = $1", id)  # noqa: S608 - constants
        return await self.ask(who, "POST", f"{path}:{step}", body, status)

    def request(self, hours: float = 5, long: float = 3, **more: Any) -> dict[str, Any]:
        start = self.now + timedelta(hours=hours)
        known = {
            "organisation": "jsj", "purpose": "meeting", "reason": "参加全市工作会议", "passengers": 2, "origin": PLACE, "stops": [FAR],
            "basis": "通办〔2026〕1号", "planned_departure": start.isoformat(), "planned_return": (start + timedelta(hours=long)).isoformat(),
        }  # fmt: skip
        return known | more

    async def asked(self, who: str = "ask", **more: Any) -> str:
        made = await self.ask(who, "POST", "trip-requests", self.request(**more), 201)
        await self.step(who, f"trip-requests/{made['id']}", "submit")
        return f"trip-requests/{made['id']}"

    async def approved(self, **more: Any) -> str:
        path = await self.asked(category="confidential", **more)
        taken = await self.step("office", path, "approve")
        assert taken["state"] == "waiting"
        return path

    async def assigned(self, paths: list[str], status: int = 201, **more: Any) -> Any:
        ids = [path.partition("/")[2] for path in paths]
        rows = await self.pool.fetch("SELECT id, version FROM trip_requests WHERE id = ANY($1)", ids)
        versions = {row["id"]: row["version"] for row in rows}
        body = {
            "requests": [{"id": id, "version": versions[id]} for id in ids],
            "vehicle": "car-1",
            "driver": "dr-1",
        } | more
        found = await self.ask("desk", "POST", "dispatches", body, status)
        return f"dispatches/{found['id']}" if status == 201 else found

    async def get(self, path: str, who: str = "desk") -> Any:
        return await self.ask(who, "GET", path)

    async def orders(self, path: str) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await self.pool.fetch(
            "SELECT version, status, vehicle, driver, applicant, approver, task_type, holds_from, actual_departure, actual_return, extended_return,"
            " cancelled_at, backfill, counts, is_current, destinations, route FROM dispatch_orders WHERE id = $1 ORDER BY version",
            path.partition("/")[2],
        )  # fmt: skip
        return found

    async def turn(self, after: timedelta) -> None:
        """What the clock does so long from now."""
        async with self.pool.acquire() as connection:
            clocks, now = await load_clocks(connection), await now_of(connection) + after
            for table, work in (
                ("trip_requests", clock._look_at_request),
                ("trip_dispatches", clock._look_at_dispatch),
            ):
                for row in await connection.fetch(
                    f"SELECT id FROM {table} WHERE look_at <= $1 ORDER BY id",  # noqa: S608 - constants
                    now,
                ):
                    async with connection.transaction():
                        await work(Desk(connection, clocks, now), row["id"])

    async def state(self, path: str) -> str:
        table = "trip_requests" if path.startswith("trip-requests") else "trip_dispatches"
        found: str = await self.pool.fetchval(
            f"SELECT state FROM {table} WHERE id = $1",  # noqa: S608 - constants
            path.partition("/")[2],
        )
        return found

    async def drives(self, since: datetime, *fixes: tuple[int, float]) -> None:
        """Positions of car-1: (minutes after ``since``, degrees north of the yard)."""
        times = [to_us(since + timedelta(minutes=minute)) for minute, _ in fixes]
        batch = PositionBatch.build(
            len(fixes), terminal=[1] * len(fixes), device_us=times, received_us=[t + 5_000_000 for t in times],
            lat_e6=np.array([31_980_000 + round(north * 1e6) for _, north in fixes]), lon_e6=[120_890_000] * len(fixes), status=[2] * len(fixes),
        )  # fmt: skip
        async with self.pool.acquire() as connection:
            await Archive().ensure_partitions(connection, sorted({t // US_PER_DAY for t in times}))
            async with connection.transaction():
                await Archive().store(connection, batch)


async def sign_in(pool: asyncpg.Pool) -> dict[str, str]:
    """Users with their roles and a session each: the secret of each session."""
    grants: dict[str, int] = {}
    await pool.executemany("INSERT INTO users (id, name, created_by) VALUES ($1, $2, 'test')", [(n, f"{n}同志") for n in PEOPLE])  # fmt: skip
    for name, held in PEOPLE.items():
        for role, unit, lent_by in held:
            if lent_by is None:
                grants[f"{name} {role}"] = await pool.fetchval(
                    "INSERT INTO role_grants (user_id, role, organisation, valid_from, granted_by)"
                    " VALUES ($1, $2, $3, now() - interval '1 day', 'test') RETURNING id",
                    name, role, unit,
                )  # fmt: skip
            else:
                await pool.execute(
                    "INSERT INTO delegations (grant_id, to_user, valid_from, valid_to, reason, made_by)"
                    " VALUES ($1, $2, now() - interval '1 day', now() + interval '1 day', 'leave', $3)",
                    grants[f"{lent_by} {role}"], name, lent_by,
                )  # fmt: skip
    async with pool.acquire() as connection:
        visit = sessions.Visit("10.1.2.3", "test")
        return {n: (await sessions.begin(connection, n, "password", visit, timedelta(hours=1))).secret for n in PEOPLE}  # fmt: skip


@pytest.fixture
async def trips(pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Site]:
    for id, parent in (("city", None), ("jsj", "city"), ("wsj", "city"), ("pool", "city")):
        await pool.execute("INSERT INTO organisations (id, name, parent) VALUES ($1, $1, $2)", id, parent)
    for number in (1, 2):
        await pool.execute("INSERT INTO vehicles (id, plate, organisation) VALUES ($1, $2, 'pool')", f"car-{number}", f"苏F1234{number}")  # fmt: skip
        await pool.execute("INSERT INTO drivers (id, name, organisation, phone) VALUES ($1, $2, 'pool', '138')", f"dr-{number}", f"司机{number}")  # fmt: skip
    await pool.execute("INSERT INTO terminals (phone) VALUES ('13800000001')")
    await pool.execute(
        "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from) SELECT t.no, v.no, '2020-01-01Z' FROM terminals t, vehicles v WHERE v.id = 'car-1'"
    )
    transport = httpx.ASGITransport(
        create_app(Settings(data_dir=tmp_path), pool, position_sink=None), client=("10.1.2.3", 4)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        made = Site(client, pool, await sign_in(pool))
        await made.ask("bureau", "PUT", "drivers/dr-1/account", {"user": "driver"})
        await made.ask("clerk", "POST", "approval-tables", {"organisation": "jsj", "table": TABLE}, 201)
        await made.ask("clerk", "POST", "approval-tables/jsj/versions/1:activate")
        yield made


async def test_an_official_asks_for_a_car_and_gets_one(trips: Site) -> None:
    # The answer was lost, or somebody pressed twice: under one key one draft is made, also of several at once.
    asked, keyed = trips.request(route=[PLACE, FAR]), trips.headers("ask") | {"Idempotency-Key": "5f1c-a"}
    answers = await asyncio.gather(
        *(trips.client.post("/v1/trip-requests", json=asked, headers=keyed) for _ in range(4))
    )
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1
    draft = answers[0].json()
    reused = await trips.client.post("/v1/trip-requests", json=trips.request(passengers=3), headers=keyed)
    assert (reused.status_code, reused.json()["type"].rpartition(":")[2]) == (422, "idempotency-key-reused")
    assert (
        await trips.client.post("/v1/trip-requests", json=asked, headers=keyed | {"Idempotency-Key": ""})
    ).status_code == 422
    other = await trips.client.post(
        "/v1/trip-requests", json=asked, headers=trips.headers("ask2") | {"Idempotency-Key": "5f1c-a"}
    )
    assert (other.status_code, other.json()["id"] == draft["id"]) == (201, False)
    assert await trips.pool.fetchval("SELECT count(*) FROM trip_requests") == 2
    await trips.ask("ask", "POST", "trip-requests", trips.request(route=[PLACE]), 422)
    await trips.ask("ask", "POST", "trip-requests", trips.request(route=[PLACE, {"name": "市区"}]), 422)
    path, year = f"trip-requests/{draft['id']}", trips.now.astimezone(CHINA).year
    assert (draft["state"], draft["number"], draft["pool"], draft["contents"]["applicant_name"]) == (
        "draft",
        None,
        "pool",
        "ask同志",
    )
    assert draft["contents"]["scope"] == "city"
    for stranger in ("other", "ask2", "driver"):
        await trips.ask(stranger, "GET", path, status=404)
    assert (await trips.ask("other", "GET", "trip-requests"))["items"] == []
    taken = await trips.step("ask", path, "submit")
    assert (taken["state"], taken["number"]) == ("pending", f"申〔{year}〕jsj-000001号")
    # Two levels, one after the other, by two people; the right that is lent counts as that of who lends it.
    await trips.step("boss", path, "approve", 403)
    await trips.step("ask", path, "approve", 403)
    listed = await trips.ask("office", "GET", "trip-requests", params={"to_decide": True})
    assert [row["id"] for row in listed["items"]] == [draft["id"]]
    assert (await trips.ask("office", "GET", "trip-requests/counts"))["to_decide"] == 1
    assert (await trips.step("office", path, "approve"))["state"] == "pending"
    stale = await trips.step("lent", path, "approve", 409, version=2)
    assert (stale["version"], stale["state"]) == (3, "pending")
    assert (await trips.step("lent", path, "approve"))["state"] == "waiting"
    seen = await trips.get(path, "ask")
    assert [level["state"] for level in seen["chain"]] == ["agreed", "agreed"]
    assert [e["step"] for e in seen["thread"]] == ["draft", "submit", "endorse", "approve", "queue"]
    assert seen["thread"][3]["persons"] == ["user:boss", "user:lent"]

    free = await trips.ask("desk", "GET", f"{path}/candidates")
    assert [car["id"] for car in free["items"]] == ["car-1", "car-2"]
    made = await trips.assigned([path])
    shown = await trips.get(made)
    assert (shown["state"], shown["number"]) == ("assigned", f"派〔{year}〕pool-000001号")
    (car,) = (await trips.get(path, "ask"))["dispatches"]
    assert (car["plate"], car["driver_name"], car["driver_phone"]) == ("苏F12341", "司机1", "138")
    (order,) = await trips.orders(made)
    assert (order["status"], order["applicant"], order["approver"], order["counts"]) == (
        "approved",
        "ask同志",
        "lent同志",
        True,
    )
    await trips.ask("driver2", "GET", made, status=404)
    assert [e["step"] for e in (await trips.get(made, "driver"))["may"] if e["refused"] is None] == [
        "note",
        "accept",
        "ask-reassign",
        "depart",
    ]
    await trips.step("desk", made, "accept", 403)
    await trips.step("driver", made, "accept")
    await trips.step("driver", made, "return", 409, odometer_m=1)
    await trips.step("driver", made, "depart", odometer_m=10_000_000)
    # A new stop, a later return: before the vehicle has been there it simply counts.
    later = datetime.fromisoformat(seen["contents"]["planned_return"]) + timedelta(hours=2)
    await trips.step("driver", made, "change", 403, stops=[PLACE], reason="会议改到市民中心")
    await trips.step(
        "desk", made, "change", stops=[PLACE], extended_return=later.isoformat(), reason="会议改到市民中心"
    )
    back = await trips.step("driver", made, "return", 422, odometer_m=9_000_000)
    assert "里程表不会倒转" in back["detail"]
    early = (trips.now - timedelta(hours=1)).isoformat()
    assert (
        "须晚于出车时间"
        in (await trips.step("driver", made, "return", 422, odometer_m=10_050_000, at=early))["detail"]
    )
    await asyncio.sleep(0.01)  # time: it returns after it departed
    await trips.step("driver", made, "return", odometer_m=10_050_000)
    rows = await trips.orders(made)
    assert [row["status"] for row in rows] == ["approved", "departed", "departed", "returned"]
    assert [len(row["destinations"]) for row in rows] == [1, 1, 2, 2]
    # The route that was asked for, until a stop was added of which nobody said how to get there.
    assert [[place["name"] for place in row["route"]] for row in rows] == [["市民中心", "如皋市政府"]] * 2 + [
        []
    ] * 2
    assert rows[-1]["counts"]
    assert rows[-1]["extended_return"] == later
    assert (await trips.get(made))["distance_m"] == 50_000
    assert await trips.state(path) == "to_confirm"
    # Objection, answer, confirmation.
    await trips.step("ask", path, "dispute", reason="里程与实际不符")
    await trips.step("desk", path, "answer", reason="已按里程表核对")
    await trips.step("ask", path, "confirm", 422, rating=6)
    await trips.step("ask", path, "confirm")
    assert await trips.state(path) == "confirmed"
    assert (await trips.ask("ask", "GET", path))[
        "rating"
    ] is None  # who says nothing has not given five points

    async with trips.pool.acquire() as connection:  # the rows are what the threads come to
        desk = Desk(connection, await load_clocks(connection), await now_of(connection))
        request = await read_request(connection, draft["id"])
        dispatch = await read_dispatch(connection, made.partition("/")[2])
        assert request is not None
        assert dispatch is not None
        for stored, again in (
            (request.row, request_row(desk, request.paper, request.row["paper_due"])),
            (dispatch.row, dispatch_row(desk, dispatch.paper)),
        ):
            assert {name: stored[name] for name in again if name != "look_at"} == {
                name: value for name, value in again.items() if name != "look_at"
            }
        for table in ("trip_request_events", "trip_dispatch_events"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await connection.execute(f"UPDATE {table} SET step = 'x'")  # noqa: S608 - constants
    told = {who: [m["text"] for m in (await trips.ask(who, "GET", "messages"))["items"]] for who in PEOPLE}
    assert told["office"] == [f"申请单 申〔{year}〕jsj-000001号：提交，现为待审批"]
    assert f"派车单 派〔{year}〕pool-000001号：派车，现为已派车" in told["driver"]
    assert told["desk"][-1] == f"申请单 申〔{year}〕jsj-000001号：转入待派车，现为待派车"
    assert f"申请单 申〔{year}〕jsj-000001号：派车，现为已派车" in told["ask"]
    assert (told["other"], told["driver2"]) == ([], [])
    assert not any("苏F" in text or "市民" in text for texts in told.values() for text in texts)


async def test_what_must_not_be_asked_for(trips: Site) -> None:
    for wrong, pointer, says in (
        ({"passengers": 0}, "/passengers", "至少为 1"),
        ({"stops": [{"name": "市区"}]}, "/stops", "不是具体地点"),
        ({"applicant": "nobody"}, "/applicant", "没有用户 nobody"),
    ):
        refused = await trips.ask("clerk", "POST", "trip-requests", trips.request() | wrong, 422)
        assert refused["errors"][0]["pointer"] == pointer
        assert says in refused["detail"]
    await trips.ask(
        "ask", "POST", "trip-requests", trips.request(applicant_name="李四"), 403
    )  # 代录 is the clerk's
    await trips.ask("ask", "POST", "trip-requests", trips.request(organisation="wsj"), 422)
    for more, says in (
        ({"hours": -1}, "出发时间已过"),
        ({"basis": "", "scope": "province"}, "填写依据"),
        ({"purpose": "field"}, "提前 1440 分钟"),
    ):
        made = await trips.ask("ask", "POST", "trip-requests", trips.request(**more), 201)
        refused = await trips.step("ask", f"trip-requests/{made['id']}", "submit", 422)
        assert says in refused["detail"]
    # Nobody approves his own request, whoever entered it, whoever drives.
    for who, more in (
        ("clerk", {"applicant": "ask2"}),
        ("clerk", {"applicant_name": "张三", "user_account": "ask2"}),
    ):
        path = await trips.asked(who, category="confidential", **more)
        await trips.step("ask2", path, "approve", 403)
        await trips.step("office", path, "reject", reason="不属于公务用车范围")
        assert await trips.state(path) == "rejected"
    # The office's head alone could decide on his own request: it is not even taken.
    lonely = {
        "positions": [{"code": "x", "name": "主要负责人", "users": ["boss"]}],
        "rows": [{"name": "y", "chain": ["x"]}],
    }
    await trips.ask("clerk", "POST", "approval-tables", {"organisation": "jsj", "table": lonely}, 201)
    await trips.ask("clerk", "POST", "approval-tables/jsj/versions/2:activate")
    made = await trips.ask("boss", "POST", "trip-requests", trips.request(), 201)
    assert "无人可审批" in (await trips.step("boss", f"trip-requests/{made['id']}", "submit", 422))["detail"]
    # A table without a row for everything is kept, and not made valid; a unit without a table asks for nothing.
    partly = {**lonely, "rows": [{"name": "y", "chain": ["x"], "scopes": ["near"]}]}
    draft = await trips.ask("clerk", "POST", "approval-tables", {"organisation": "jsj", "table": partly}, 201)
    assert "兜底" in draft["missing"]
    await trips.ask("clerk", "POST", "approval-tables/jsj/versions/3:activate", status=422)
    await trips.ask("other", "POST", "approval-tables/jsj/versions/3:activate", status=404)
    made = await trips.ask("other", "POST", "trip-requests", trips.request(organisation="wsj"), 201)
    assert (
        "没有启用的审批规则表"
        in (await trips.step("other", f"trip-requests/{made['id']}", "submit", 422))["detail"]
    )
    with pytest.raises(asyncpg.RestrictViolationError):
        await trips.pool.execute("UPDATE approval_tables SET body = '{}'")


async def test_of_fifty_who_assign_one_car_at_once_one_wins(trips: Site) -> None:
    path = await trips.approved()
    id = path.partition("/")[2]
    columns = "organisation, pool, units, kind, state, version, category, purpose, passengers, applicant_name, persons, approver_name, planned_departure, planned_return, created_at"
    ids = [f"YC-{k}" for k in range(50)]
    for other in ids:  # the same request fifty times, as their threads say
        await trips.pool.execute(
            f"INSERT INTO trip_requests (id, {columns}) SELECT $1, {columns} FROM trip_requests WHERE id = $2",  # noqa: S608 - constants
            other,
            id,
        )
        await trips.pool.execute(
            "INSERT INTO trip_request_events SELECT $1, version, step, at, actor, persons, actor_name, address, device, CASE WHEN step = 'submit' THEN body || jsonb_build_object('number', $1::text) ELSE body END FROM trip_request_events WHERE paper = $2",
            other, id,
        )  # fmt: skip
    version = await trips.pool.fetchval("SELECT version FROM trip_requests WHERE id = $1", id)

    async def one(other: str) -> tuple[int, Any]:
        secret = trips._secrets["desk"]
        headers = {"Cookie": f"{COOKIE}={secret}", CSRF_HEADER: sessions.csrf_token(secret)}
        body = {"requests": [{"id": other, "version": version}], "vehicle": "car-1"}
        answer = await trips.client.post("/v1/dispatches", json=body, headers=headers, timeout=60)
        return answer.status_code, answer.json()

    answers = await asyncio.gather(*map(one, ids))
    won = [body for status, body in answers if status == 201]
    lost = [body for status, body in answers if status == 409]
    assert (len(won), len(lost)) == (1, 49), [body for _, body in answers][:3]
    assert {body["conflict"] for body in lost} == {won[0]["number"]}
    assert all("苏F12341" in body["detail"] for body in lost)
    assert await trips.pool.fetchval("SELECT count(*) FROM trip_dispatches WHERE holds") == 1
    assert await trips.pool.fetchval("SELECT count(*) FROM dispatch_orders") == 1
    assert await trips.pool.fetchval("SELECT last FROM trip_numbers WHERE paper = 'dispatch'") == 1  # no gap
    # Whatever a program might write, the database lets no two overlap; one after the other they may.
    row = "INSERT INTO trip_dispatches SELECT 'x', organisation, pool, units, 'x', kind, state, version, {}, plate, {}, driver_name, driver_phone, driver_user, planned_departure + {}, planned_return + {}"
    rest = ", extended_return, actual_departure, actual_return, odometer_out_m, odometer_in_m, proposed_departure, proposed_return, overdue_at, listed, late_change, holds, order_due, created_at, look_at FROM trip_dispatches"
    await trips.pool.execute("UPDATE trip_dispatches SET driver = 'dr-1'")
    for vehicle, driver, shift in (
        ("vehicle, vehicle_no", "'dr-2'", "interval '1 hour'"),
        ("'car-2', 2", "driver", "interval '1 hour'"),
    ):
        with pytest.raises(asyncpg.ExclusionViolationError):
            await trips.pool.execute(row.format(vehicle, driver, shift, shift) + rest)
    await trips.pool.execute(
        row.format("vehicle, vehicle_no", "driver", "interval '3 hours'", "interval '3 hours'") + rest
    )


async def test_what_was_approved_is_what_is_sent_for(trips: Site) -> None:
    """Earlier or later by two hours, no more: that would be another request."""
    asked = await trips.approved()
    row = await trips.pool.fetchrow(
        "SELECT planned_departure, planned_return FROM trip_requests WHERE id = $1", asked.partition("/")[2]
    )
    two, more = timedelta(hours=2), timedelta(hours=2, minutes=1)
    for name, wrong in (
        ("planned_departure", row["planned_departure"] - more),
        ("planned_return", row["planned_return"] + more),
    ):
        told = await trips.assigned([asked], 422, **{name: wrong.isoformat()})
        assert "2 小时" in told["detail"], told
    await trips.assigned(
        [asked],
        planned_departure=(row["planned_departure"] - two).isoformat(),
        planned_return=(row["planned_return"] + two).isoformat(),
    )


async def test_pooled_further_and_cancelled(trips: Site) -> None:
    first, second = (
        await trips.approved(pool_consent=True),
        await trips.approved(pool_consent=True, reason="送文件到如皋市政府"),
    )
    alone = await trips.approved()
    assert "未同意合乘" in (await trips.assigned([first, alone], 422))["detail"]
    made = await trips.assigned([first])
    await trips.step("desk", made, "join", request={"id": second.partition("/")[2], "version": 4})
    shown = await trips.get(made)
    assert len(shown["requests"]) == 2
    assert [p["name"] for p in shown["trip"]["destinations"]] == ["如皋市政府", "市民中心", "如皋市政府"]
    # A second vehicle for the same request, and what stands in the way of it.
    taken = await trips.assigned([first], 409)
    assert taken["conflict"] == shown["number"]
    assert (await trips.assigned([first], 409, vehicle="car-2"))["conflict"] == shown["number"]  # the driver
    other = await trips.assigned([first], vehicle="car-2", driver="dr-2")
    # The applicant does not reach the pool's vehicles: the clock writes the orders of what he cancels.
    await trips.step("ask", first, "cancel", reason="会议取消了")
    assert await trips.state(made) == "assigned"
    assert await trips.state(other) == "cancelled"
    assert (await trips.get(made))["order_due"]
    async with trips.pool.acquire() as connection:
        await clock.turn(connection)
    assert not (await trips.get(made))["order_due"]
    assert [row["status"] for row in await trips.orders(other)] == ["approved", "cancelled"]
    assert [len(row["destinations"]) for row in await trips.orders(made)] == [1, 3, 1]
    # The dispatcher calls it off: the request that is left waits again; another vehicle is not in the way any more.
    await trips.step("desk", made, "cancel", reason="车辆故障无法出车")
    assert await trips.state(second) == "waiting"
    made = await trips.assigned([second])
    await trips.step("driver", made, "ask-reassign", reason="临时身体不适")
    await trips.step("desk", made, "reassign", vehicle="car-2", driver="dr-2", reason="同意改派二号车")
    current = [row for row in await trips.orders(made) if row["is_current"]]
    assert [(row["vehicle"], row["driver"], row["counts"]) for row in current] == [("car-2", "dr-2", True)]
    # The driver before and the one now approve nothing of it.
    await trips.step("desk", made, "depart", without_odometer="仪表盘损坏待修")
    assert await trips.pool.fetchval("SELECT count(*) FROM trip_dispatches WHERE holds") == 1
    await trips.pool.execute(
        "INSERT INTO vehicle_seals (vehicle, organisation, reason, sealed_from) VALUES ('car-1', 'pool', '车改封存', '2020-01-01Z')"
    )
    assert "封存" in (await trips.assigned([alone], 422))["detail"]
    free = (await trips.ask("desk", "GET", f"{alone}/candidates"))["items"]
    assert [car["id"] for car in free] == []
    await trips.pool.execute("UPDATE vehicles SET disposed_on = '2020-01-01' WHERE id = 'car-1'")
    assert "已处置" in (await trips.assigned([alone], 422))["detail"]


async def test_what_the_clock_does(trips: Site) -> None:
    hour = timedelta(hours=1)
    await trips.pool.execute(
        "INSERT INTO rule_parameters (rule, name, value, effective_from) VALUES ('trips', 'no_show_min', 5, '2020-01-01Z')"
    )
    silent, late, lost = (
        await trips.asked(category="confidential"),
        await trips.approved(),
        await trips.approved(hours=40),
    )
    # Silence approves nothing: the substitute may decide as well, then it expires, against the approver.
    await trips.step("deputy", silent, "approve", 403)
    await trips.turn(hour)
    assert (await trips.get(silent, "ask"))["escalated"]
    assert [m["step"] for m in (await trips.ask("deputy", "GET", "messages"))["items"]] == ["escalate"]
    await trips.turn(timedelta(hours=5, minutes=29))
    assert await trips.state(silent) == "pending"
    await trips.turn(timedelta(hours=5, minutes=31))
    assert (await trips.get(silent, "ask"))["against"] == "approver"
    assert (await trips.get(late, "ask"))["against"] == "dispatcher"
    assert await trips.state(lost) == "waiting"
    await trips.step("desk", lost, "no-vehicle", 409, reason="车辆全部派出")

    # Nobody accepts; it stands; it is cancelled as not used.
    made = await trips.assigned([lost])
    await trips.turn(timedelta(minutes=11))
    assert await trips.state(made) == "reassigning"
    await trips.step("desk", made, "keep", reason="已电话通知驾驶员")
    await trips.step("driver", made, "accept")
    await trips.step("desk", made, "cancel", reason="会议改期另行安排")
    # One that stands, and one of which nobody knows: no fix, so it waits until it should be back.
    stands, unknown = await trips.approved(hours=0.002), await trips.approved(hours=0.002)
    stood, unseen = (
        await trips.assigned([stands]),
        await trips.assigned([unknown], vehicle="car-2", driver="dr-2"),
    )
    departure = datetime.fromisoformat((await trips.get(stood))["planned_departure"])
    await trips.drives(departure, (-20, 0), (1, 0.0005), (4, 0))
    await trips.turn(timedelta(minutes=4))
    assert await trips.state(stood) == "assigned"
    await trips.turn(timedelta(minutes=9, seconds=30))
    assert (await trips.state(stood), await trips.state(stands)) == ("no_show", "no_show")
    assert [row["status"] for row in await trips.orders(stood)] == ["approved", "cancelled"]
    assert await trips.state(unseen) == "assigned"
    await trips.step("desk", unseen, "cancel", reason="会议改期另行安排")

    # Another one leaves without a word: proposed as departed, overdue, proposed as returned, listed; a dispatcher says when it was back.
    path = await trips.approved(hours=60)
    made = await trips.assigned([path])
    await trips.step("driver", made, "accept")
    departure = datetime.fromisoformat((await trips.get(made))["planned_departure"])
    ahead = departure - await trips.pool.fetchval("SELECT clock_timestamp()")
    await trips.drives(departure, (-20, 0), (5, 0.03), (60, 0.2))
    await trips.turn(ahead + timedelta(minutes=30))
    shown = await trips.get(made)
    assert shown["state"] == "accepted"
    assert datetime.fromisoformat(shown["proposed_departure"]) == departure + timedelta(minutes=5)
    await trips.turn(ahead + timedelta(hours=4, minutes=59))
    assert await trips.state(made) == "accepted"
    await trips.turn(ahead + timedelta(hours=5, minutes=1))  # planned return + 2 h
    assert await trips.state(made) == "overdue"
    await trips.drives(departure, (330, 0), (335, 0), (341, 0))
    await trips.turn(ahead + timedelta(hours=6))
    shown = await trips.get(made)
    assert datetime.fromisoformat(shown["proposed_return"]) == departure + timedelta(minutes=330)
    await trips.turn(ahead + timedelta(hours=29, minutes=1))
    assert (await trips.get(made))["listed"]
    assert [
        row["id"] for row in (await trips.ask("desk", "GET", "dispatches", params={"listed": True}))["items"]
    ] == [shown["id"]]
    before = len((await trips.get(made))["thread"])
    await trips.turn(ahead + timedelta(hours=40))  # nothing is done twice
    assert len((await trips.get(made))["thread"]) == before
    numbers = await trips.ask("desk", "GET", "trip-requests/counts")
    assert (numbers["overdue"], numbers["listed"]) == (1, 1)

    # Nobody objects: confirmed by silence after five working days, marked so.
    path = await trips.approved(hours=100)
    made = await trips.assigned([path])
    await trips.step("driver", made, "depart", odometer_m=1)
    await asyncio.sleep(0.01)  # time: it returns after it departed
    await trips.step("driver", made, "return", odometer_m=1)
    await trips.turn(timedelta(days=4))
    assert await trips.state(path) == "to_confirm"
    await trips.turn(timedelta(days=15))
    assert await trips.state(path) == "confirmed"
    assert (await trips.get(path, "ask"))["thread"][-1]["step"] == "confirm-silent"


async def test_a_car_first_and_the_paper_after(trips: Site) -> None:
    said = {
        "organisation": "jsj",
        "vehicle": "car-1",
        "driver": "dr-1",
        "ordered_by": "张局长",
        "destination": {"name": "通州湾"},
        "reason": "防汛紧急出动",
    }
    await trips.ask("ask", "POST", "dispatches:emergency", said, 403)
    made = await trips.ask("driver", "POST", "dispatches:emergency", said, 201)
    path = f"dispatches/{made['id']}"
    (order,) = await trips.orders(path)
    known = (order["status"], order["task_type"], order["approver"], order["applicant"])
    assert known == ("approved", "emergency", None, "张局长")
    assert "派" in (await trips.ask("desk", "POST", "dispatches:emergency", said, 409))["conflict"]
    (row,) = made["requests"]
    paper = f"trip-requests/{row['id']}"
    assert "补齐" in (await trips.step("clerk", paper, "submit", 422))["detail"]
    await trips.step("driver", path, "depart", odometer_m=5)
    await asyncio.sleep(0.01)  # time: it returns after it departed
    await trips.step("driver", path, "return", odometer_m=9_000)
    due = datetime.fromisoformat((await trips.get(paper, "clerk"))["paper_due"])
    assert timedelta() < due - trips.now < timedelta(days=12)
    await trips.turn(due - trips.now + timedelta(minutes=1))
    assert (await trips.get(paper, "clerk"))["paper_late"]
    late = await trips.ask("desk", "GET", "trip-requests", params={"late": True})
    assert [r["id"] for r in late["items"]] == [row["id"]]
    # The paper: the unit completes and approves it, and the order has its approver.
    await trips.step(
        "clerk", paper, "edit", contents=trips.request(category="confidential", applicant_name="张局长")
    )
    await trips.step("clerk", paper, "submit")
    await trips.step("office", paper, "approve")
    assert await trips.state(paper) == "to_confirm"
    async with trips.pool.acquire() as connection:
        await clock.turn(connection)
    newest = (await trips.orders(path))[-1]
    assert (newest["status"], newest["approver"], newest["counts"]) == ("returned", "office同志", True)


async def test_a_backfill_has_an_approver_or_counts_for_nothing(trips: Site) -> None:
    gone, back = trips.now - timedelta(hours=5), trips.now - timedelta(hours=2)
    driven = {
        "vehicle": "car-1",
        "driver": "dr-1",
        "departed": gone.isoformat(),
        "returned": back.isoformat(),
    }
    path = await trips.asked(
        kind="backfill", hours=-5, driven=driven, category="confidential", user_account="ask2"
    )
    await trips.step("ask2", path, "approve", 403)
    assert (await trips.step("office", path, "approve"))[
        "state"
    ] == "approved"  # the vehicle is the pool's: the clock goes on
    async with trips.pool.acquire() as connection:
        await clock.turn(connection)
    seen = await trips.get(path, "ask")
    assert (seen["state"], seen["dispatches"][0]["state"]) == ("to_confirm", "returned")
    (order,) = await trips.orders(f"dispatches/{seen['dispatches'][0]['id']}")
    assert (order["status"], order["approver"], order["backfill"], order["counts"]) == (
        "returned",
        "office同志",
        True,
        True,
    )
    refused = trips.request(
        kind="backfill", hours=-5, driven=driven | {"returned": (trips.now + timedelta(hours=1)).isoformat()}
    )
    assert "归队时间在将来" in (await trips.ask("ask", "POST", "trip-requests", refused, 422))["detail"]
    span = {
        "from": (trips.now - timedelta(days=1)).isoformat(),
        "to": (trips.now + timedelta(days=1)).isoformat(),
    }
    (count,) = (await trips.ask("clerk", "GET", "trip-requests/backfills", params=span))["items"]
    assert (count["organisation"], count["approver"], count["requests"], count["backfills"]) == (
        "jsj",
        "office同志",
        1,
        1,
    )


async def test_a_stop_that_was_reached_before_it_was_entered_needs_an_approver(trips: Site) -> None:
    path = await trips.approved(hours=1)
    made = await trips.assigned([path])
    await trips.step("driver", made, "depart", odometer_m=1)
    left = await trips.pool.fetchval("SELECT actual_departure FROM trip_dispatches")
    await trips.pool.execute("UPDATE trip_dispatches SET look_at = NULL")
    await trips.drives(left + timedelta(seconds=0), (0, 0.0))
    near = PLACE | {"name": "行政审批局"}
    taken = await trips.step("desk", made, "change", stops=[near], reason="顺路送材料到审批局")
    assert taken["state"] == "departed"
    assert (await trips.get(made))["late_change"]["stops"][0]["name"] == "行政审批局"
    assert len(await trips.orders(made)) == 2
    await trips.step("ask", made, "approve-change", 403)
    await trips.step("boss", made, "approve-change")
    async with (
        trips.pool.acquire() as connection
    ):  # the approver does not reach the vehicle: the clock writes the order
        await clock.turn(connection)
    rows = await trips.orders(made)
    assert [len(row["destinations"]) for row in rows] == [1, 1, 2]
    assert rows[-1]["approver"] == "boss同志"


async def test_an_entry_of_a_device_that_is_sent_again_changes_nothing(trips: Site) -> None:
    made = await trips.assigned([await trips.approved()])
    view = await trips.get(made, "driver")
    gone: dict[str, Any] = {"odometer_m": 1_000_000, "entry": "a" * 32, "version": view["version"]}
    first = await trips.step("driver", made, "depart", **gone)
    assert first["state"] == "departed"
    # The answer was lost, and the track or somebody wrote meanwhile: the same entry is answered as it was, whatever version it names.
    await trips.step("desk", made, "note", text="已联系")
    again = await trips.step("driver", made, "depart", **gone)
    assert again["state"] == "departed"
    assert again["version"] == first["version"] + 1
    steps = [entry["step"] for entry in (await trips.get(made))["thread"]]
    assert steps.count("depart") == 1
    # Another entry is another departure, and an entry of somebody else is not his.
    await trips.step("driver", made, "depart", 409, odometer_m=1_000_000, entry="b" * 32)
    await trips.step("desk", made, "depart", 409, **gone)
    await trips.step("driver", made, "return", 409, **gone)
    await trips.step("driver", made, "depart", 422, odometer_m=1, entry="A" * 32)
    await asyncio.sleep(0.01)  # time: it returns after it departed
    back: dict[str, Any] = {"odometer_m": 1_050_000, "entry": "c" * 32}
    assert (await trips.step("driver", made, "return", **back))["state"] == "returned"
    assert (await trips.step("driver", made, "return", **back))["state"] == "returned"


async def test_places_are_found_by_name_within_reach(trips: Site) -> None:
    ring = [[120.88, 31.97], [120.9, 31.97], [120.9, 31.99], [120.88, 31.99], [120.88, 31.97]]
    async with trips.pool.acquire() as connection, connection.transaction():
        long_ago = datetime.now(UTC) - timedelta(days=100)
        await apply(
            connection,
            [
                Fence(id=f"yard-{unit}", name=f"{unit} 机关大院_1", organisation=unit, datum="wgs84", geometry={"type": "Polygon", "coordinates": [ring]}, valid_from=long_ago)
                for unit in ("jsj", "wsj")
            ],
        )  # fmt: skip
        await apply(connection, [FuelStation(id="s-1", name="中石化大院站", aliases=["崇川一站"], lat=31.9, lon=120.8, datum="wgs84"), FuelStation(id="s-2", name="大院无坐标站")])  # fmt: skip
    found = (await trips.get("trip-requests/places?search=大院", "ask"))["items"]
    assert [(each["name"], each["kind"]) for each in found] == [
        ("jsj 机关大院_1", "fence"),
        ("中石化大院站", "station"),
    ]
    assert 31.97 < found[0]["lat"] < 31.99
    assert 120.88 < found[0]["lon"] < 120.9
    assert [
        each["name"] for each in (await trips.get("trip-requests/places?search=一站 崇川", "ask"))["items"]
    ] == ["中石化大院站"]
    assert (await trips.get("trip-requests/places?search=%25", "ask"))["items"] == []
    assert (await trips.get("trip-requests/places?search=_1", "ask"))["items"][0]["name"] == "jsj 机关大院_1"
    assert (await trips.get("trip-requests/places?search=%20", "ask"))["items"] == []
