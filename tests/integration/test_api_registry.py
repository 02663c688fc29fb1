"""The registry over HTTP on a real PostgreSQL: idempotent, versioned, all or nothing, every change noted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import asyncpg
import httpx
import pytest

from runtime.settings import Settings
from tests.integration.outbox import due_rows
from tests.integration.test_api_service import serve

SQUARE = [[120.89, 31.98], [120.892, 31.98], [120.892, 31.982], [120.89, 31.982], [120.89, 31.98]]
BOW_TIE = [[120.89, 31.98], [120.892, 31.982], [120.892, 31.98], [120.89, 31.982], [120.89, 31.98]]
FENCE = {
    "name": "停车场",
    "organisation": "finance",
    "datum": "wgs84",
    "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
    "valid_from": "2026-01-01T00:00:00+08:00",
}
ORDER = {
    "organisation": "finance",
    "vehicle": "car-1",
    "driver": "li",
    "status": "approved",
    "destinations": [{"name": "如皋", "lat": 32.371, "lon": 120.573, "datum": "gcj02"}, {"name": "市区"}],
    "planned_departure": "2026-03-02T08:30:00+08:00",
    "planned_return": "2026-03-02T17:30:00+08:00",
}
TABLES = (
    "organisations",
    "vehicles",
    "terminals",
    "terminal_bindings",
    "drivers",
    "fences",
    "dispatch_orders",
    "changes",
    "live_due",
)


@pytest.fixture
async def client(pool: asyncpg.Pool, db_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API with every scope."""
    async with serve(pool, settings=Settings(database_url=db_url)) as client:
        yield client


@pytest.fixture
async def fleet(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The client, with an organisation, two vehicles and a driver registered."""
    for path, body in (
        ("organisations/finance", {"name": "财政局"}),
        ("organisations/health", {"name": "卫健委"}),
        ("vehicles/car-1", {"plate": "苏F·00001", "organisation": "finance"}),
        ("vehicles/car-2", {"plate": "苏F00002", "organisation": "finance"}),
        ("drivers/li", {"name": "李四", "organisation": "finance"}),
    ):
        response = await client.put(f"/v1/{path}", json=body)
        assert response.status_code == 201, response.text
    return client


async def contents(pool: asyncpg.Pool) -> dict[str, Any]:
    """Every row of every registry table: what "nothing was written" compares."""
    return {table: await pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES}  # noqa: S608 - constants


async def facts(pool: asyncpg.Pool) -> list[tuple[str, str, str, str]]:
    """(kind, subject, vehicle, from) of the changes noted, oldest first; forgets them."""
    await due_rows(pool)
    rows = await pool.fetch(
        "DELETE FROM live_due f USING vehicles v WHERE v.no = f.vehicle_no"
        " RETURNING seq, kind, subject, v.id, to_char(from_time AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI') AS since"
    )
    return [(r["kind"], r["subject"], r["id"], r["since"]) for r in sorted(rows, key=lambda r: r["seq"])]


def check_problem(response: httpx.Response, status: int, *says: str) -> dict[str, Any]:
    """The problem, after asking for its form and for the words in it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail"} <= body.keys()
    assert "\u4e00" <= body["title"][0] <= "\u9fff"
    assert "Traceback" not in response.text
    for word in says:
        assert word in response.text
    return body


BODIES: dict[str, dict[str, Any]] = {
    "organisations/x": {"name": "新单位", "parent": "finance"},
    "vehicles/x": {"plate": "苏F99999", "organisation": "finance", "registered_on": "2024-05-01"},
    "terminals/013800000001": {"vehicle": "car-1", "valid_from": "2026-01-01T00:00:00+08:00", "model": "M"},
    "drivers/x": {"name": "王五", "organisation": "finance", "phone": "138"},
    "fences/x": FENCE,
    "dispatch-orders/x": ORDER,
}


async def test_put_is_idempotent_and_comes_back(fleet: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    for path, body in BODIES.items():
        first = await fleet.put(f"/v1/{path}", json=body)
        assert (first.status_code, first.json()["outcome"]) == (201, "created")
        before = await contents(pool)
        again = await fleet.put(f"/v1/{path}", json=body)
        assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
        assert await contents(pool) == before
        got = await fleet.get(f"/v1/{path}")
        assert got.status_code == 200
        record = got.json()
        assert {k: v for k, v in first.json().items() if k != "outcome"} == record
        assert all(record[key] == value for key, value in body.items() if key != "destinations")
        listed = (await fleet.get(f"/v1/{path.split('/')[0]}")).json()
        assert record["id"] in [item["id"] for item in listed["items"]]


async def test_order_versions_and_the_vehicles_they_concern(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    created = (await fleet.put("/v1/dispatch-orders/o", json=ORDER)).json()
    assert created["version"] == 1
    assert created["entered_late"] is True  # 补单: March 2026 is over
    assert created["destinations"][0]["datum"] == "gcj02"
    assert created["destinations"][0]["wgs84"]["lat_e6"] != 32_371_000
    assert created["destinations"][1]["wgs84"] is None
    assert await facts(pool) == [("order", "o", "car-1", "2026-03-01 08:30")]
    longer = ORDER | {"extended_return": "2026-03-03T12:00:00+08:00"}
    assert (await fleet.put("/v1/dispatch-orders/o", json=longer)).json()["version"] == 2
    moved = longer | {"vehicle": "car-2", "planned_departure": "2026-03-02T07:30:00+08:00"}
    assert (await fleet.put("/v1/dispatch-orders/o", json=moved)).json()["version"] == 3
    assert (await fleet.put("/v1/dispatch-orders/o", json=moved | {"status": "cancelled"})).json()[
        "version"
    ] == 4
    assert await facts(pool) == [
        ("order", "o", "car-1", "2026-03-01 08:30"),
        ("order", "o", "car-1", "2026-03-01 07:30"),
        ("order", "o", "car-2", "2026-03-01 07:30"),
        ("order", "o", "car-2", "2026-03-01 07:30"),
    ]
    versions = (await fleet.get("/v1/dispatch-orders/o/versions")).json()["items"]
    assert [(v["version"], v["vehicle"], v["status"]) for v in versions] == [
        (4, "car-2", "cancelled"), (3, "car-2", "approved"), (2, "car-1", "approved"), (1, "car-1", "approved"),
    ]  # fmt: skip
    found = (await fleet.get("/v1/dispatch-orders", params={"vehicle": "car-1"})).json()["items"]
    assert found == []  # the order as it stands is another vehicle's


async def test_a_parameter_that_cannot_be_read_is_said_and_nothing_is_written(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await pool.execute(
        "INSERT INTO rule_parameters (rule, name, value, effective_from, source)"
        " VALUES ('order', 'early_start_min', 10, '12000-01-01', 'x')"
    )
    answer = await fleet.put("/v1/dispatch-orders/P1", json=ORDER)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:gongche:problem:unreadable-fact")
    assert "order.early_start_min" in answer.json()["detail"]
    assert await pool.fetchval("SELECT count(*) FROM dispatch_orders") == 0
    await pool.execute("DELETE FROM rule_parameters")
    assert (await fleet.put("/v1/dispatch-orders/P1", json=ORDER)).status_code in (200, 201)


async def test_fence_versions_end_where_the_next_begins(fleet: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    await fleet.put("/v1/fences/f", json=FENCE)
    assert await facts(pool) == [("fence", "f", v, "2026-01-01 00:00") for v in ("car-1", "car-2")]
    own = FENCE | {"vehicles": ["car-2"], "valid_from": "2026-02-01T00:00:00+08:00"}
    await fleet.put("/v1/fences/f", json=own)
    assert await facts(pool) == [("fence", "f", v, "2026-02-01 00:00") for v in ("car-1", "car-2")]
    assert (await fleet.put("/v1/fences/f", json={k: v for k, v in own.items() if k != "valid_from"})).json()[
        "outcome"
    ] == "unchanged"
    response = await fleet.delete("/v1/fences/f", params={"valid_to": "2026-03-01T00:00:00+08:00"})
    assert response.status_code == 204
    assert await facts(pool) == [("fence", "f", "car-2", "2026-03-01 00:00")]
    assert (await fleet.delete("/v1/fences/f")).status_code == 204
    assert await facts(pool) == []
    spans = [
        (v["version"], v["valid_from"], v["valid_to"])
        for v in (await fleet.get("/v1/fences/f/versions")).json()["items"]
    ]
    assert spans == [
        (2, "2026-02-01T00:00:00+08:00", "2026-03-01T00:00:00+08:00"),
        (1, "2026-01-01T00:00:00+08:00", "2026-02-01T00:00:00+08:00"),
    ]
    check_problem(await fleet.delete("/v1/fences/none"), 404, "none")


async def test_a_correction_from_an_earlier_time_replaces_what_followed(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await fleet.put("/v1/fences/f", json=FENCE)
    await fleet.put("/v1/fences/f", json=FENCE | {"name": "b", "valid_from": "2026-03-01T00:00:00+08:00"})
    await facts(pool)
    await fleet.put("/v1/fences/f", json=FENCE | {"name": "c", "valid_from": "2026-02-01T00:00:00+08:00"})
    rows = await pool.fetch(
        "SELECT version, valid_from::date, valid_to::date, valid_to = valid_from AS void FROM fences ORDER BY 1"
    )
    assert [r["void"] for r in rows] == [False, True, None]
    assert rows[0]["valid_to"] == rows[2]["valid_from"]
    assert {f[3] for f in await facts(pool)} == {"2026-02-01 00:00"}


async def test_fence_is_stored_in_wgs84_beside_the_original(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await fleet.put("/v1/fences/f", json=FENCE | {"datum": "gcj02"})
    row = await pool.fetchrow("SELECT original, datum, encode(geometry, 'hex') AS wkb FROM fences")
    assert row is not None
    assert (row["original"], row["datum"]) == (FENCE["geometry"], "gcj02")
    import shapely

    west, south, *_ = shapely.from_wkb(bytes.fromhex(row["wkb"])).bounds
    assert 0.001 < abs(west - 120.89) + abs(south - 31.98) < 0.012


async def test_terminal_bindings(fleet: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    one = {"vehicle": "car-1", "valid_from": "2026-01-01T00:00:00+08:00"}
    await fleet.put("/v1/terminals/013800000001", json=one)
    assert await facts(pool) == [("terminal_binding", "13800000001", "car-1", "2026-01-01 00:00")]
    await fleet.put("/v1/terminals/13800000002", json=one | {"valid_from": "2026-02-01T00:00:00+08:00"})
    assert await facts(pool) == [
        ("terminal_binding", f"1380000000{k}", "car-1", "2026-02-01 00:00") for k in (1, 2)
    ]
    moved = {"vehicle": "car-2", "valid_from": "2026-03-01T00:00:00+08:00"}
    assert (await fleet.put("/v1/terminals/13800000002", json=moved)).json()["vehicle"] == "car-2"
    assert sorted(await facts(pool)) == [
        ("terminal_binding", "13800000002", "car-1", "2026-03-01 00:00"),
        ("terminal_binding", "13800000002", "car-2", "2026-03-01 00:00"),
    ]
    record = (await fleet.get("/v1/terminals/0013800000002")).json()
    assert [b["vehicle"] for b in record["bindings"]] == ["car-1", "car-2"]
    assert (await fleet.get("/v1/terminals/13800000001")).json()["vehicle"] is None
    # Nothing said about the vehicle: the binding stays. Null: it ends.
    assert (await fleet.put("/v1/terminals/13800000002", json={"enabled": False})).json()[
        "vehicle"
    ] == "car-2"
    ended = await fleet.put(
        "/v1/terminals/13800000002", json={"vehicle": None, "valid_from": "2026-04-01T00:00:00+08:00"}
    )
    assert ended.json()["vehicle"] is None
    listed = (await fleet.get("/v1/terminals", params={"vehicle": "car-2"})).json()["items"]
    assert listed == []


async def test_what_the_office_says_of_a_terminal_is_told_from_what_it_said_itself(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    async def put(**record: str) -> tuple[str, list[str]]:
        answer = (await fleet.put("/v1/terminals/13800000001", json=record)).json()
        return answer["device_id"], answer["office_said"]

    assert await put(model="M") == ("", ["model"])
    await pool.execute("UPDATE terminals SET device_id = 'D1', manufacturer = 'MAKER'")  # as it registers
    assert await put() == ("D1", ["model"])
    assert await put(device_id="D1") == ("D1", ["model", "device_id"])
    assert await put(model="") == ("D1", ["device_id"])
    assert await put(device_id="") == ("", [])


async def test_vehicle_that_changes_its_unit(fleet: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    await fleet.put(
        "/v1/vehicles/car-1", json={"plate": "苏F00001", "organisation": "finance", "category": "x"}
    )
    assert await facts(pool) == []
    await fleet.put("/v1/vehicles/car-1", json={"plate": "苏F00001", "organisation": "health"})
    assert await facts(pool) == [("vehicle_status", "car-1", "car-1", "1970-01-01 08:00")]


async def test_plates(fleet: httpx.AsyncClient) -> None:
    taken = await fleet.put("/v1/vehicles/car-3", json={"plate": "苏f 00001", "organisation": "finance"})
    assert check_problem(taken, 409, "苏F00001", "car-1")["errors"][0]["pointer"] == "/plate"
    found = (await fleet.get("/v1/vehicles", params={"plate": "苏F·00001"})).json()["items"]
    assert [vehicle["id"] for vehicle in found] == ["car-1"]
    swapped = [
        {"id": "car-1", "plate": "苏F00002", "organisation": "finance"},
        {"id": "car-2", "plate": "苏F00001", "organisation": "finance"},
    ]
    assert (await fleet.post("/v1/vehicles:import", json=swapped)).json()["updated"] == 2
    handed_over = [
        {"id": "car-0", "plate": "苏F00002", "organisation": "finance"},
        {"id": "car-1", "plate": "苏F00002", "organisation": "finance", "disposed_on": "2026-01-01"},
    ]
    report = (await fleet.post("/v1/vehicles:import", json=handed_over)).json()
    assert (report["created"], report["updated"]) == (1, 1)
    both = [{"id": i, "plate": "苏F7", "organisation": "finance"} for i in ("a", "b")]
    assert (
        check_problem(await fleet.post("/v1/vehicles:import", json=both), 409, "苏F7")["errors"][0]["row"]
        == 2
    )


async def test_organisations_above_themselves(fleet: httpx.AsyncClient) -> None:
    await fleet.put("/v1/organisations/a", json={"name": "a", "parent": "finance"})
    check_problem(
        await fleet.put("/v1/organisations/finance", json={"name": "财政局", "parent": "a"}), 422, "成环"
    )
    ring = [{"id": "p", "name": "p", "parent": "q"}, {"id": "q", "name": "q", "parent": "p"}]
    assert len(check_problem(await fleet.post("/v1/organisations:import", json=ring), 422)["errors"]) == 2
    chain = [{"id": "p", "name": "p", "parent": "q"}, {"id": "q", "name": "q", "parent": "finance"}]
    assert (await fleet.post("/v1/organisations:import", json=chain)).json()["created"] == 2


BAD_BODIES: list[tuple[str, dict[str, Any], str, str]] = [
        ("fences/f", FENCE | {"geometry": {"type": "Polygon", "coordinates": [BOW_TIE]}}, "/geometry/coordinates", "120.891 31.981"),
        ("fences/f", {k: v for k, v in FENCE.items() if k != "datum"}, "/datum", "datum"),
        ("fences/f", FENCE | {"vehicles": ["car-1", "car-9"]}, "/vehicles/1", "car-9"),
        ("fences/f", FENCE | {"organisation": "nobody"}, "/organisation", "nobody"),
        ("dispatch-orders/o", ORDER | {"planned_return": "2026-03-02T08:00:00+08:00"}, "/planned_return", "先结束后开始"),
        ("dispatch-orders/o", ORDER | {"vehicle": "car-9"}, "/vehicle", "car-9"),
        ("dispatch-orders/o", ORDER | {"driver": "nobody"}, "/driver", "nobody"),
        ("dispatch-orders/o", ORDER | {"destinations": [{"lat": 1.0, "lon": 2.0}]}, "/destinations/0/datum", "datum"),
        ("dispatch-orders/o", ORDER | {"planned_departure": "2026-03-02T08:30:00"}, "/planned_departure", "时区"),
        ("terminals/138", {"vehicle": "car-9", "valid_from": "2026-01-01T00:00:00Z"}, "/vehicle", "car-9"),
        ("terminals/xyz", {}, "/id", "手机号"),
        ("vehicles/v", {"plate": "苏F3", "organisation": "nobody"}, "/organisation", "nobody"),
        ("vehicles/v", {"plate": "苏F3", "organisation": "finance", "id": "w"}, "/id", "id"),
        ("organisations/o", {"name": "x", "parent": "nobody"}, "/parent", "nobody"),
        ("organisations/o", {}, "/name", "必填"),
    ]  # fmt: skip


async def test_bad_bodies_say_what_and_where_and_write_nothing(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    for path, body, pointer, says in BAD_BODIES:
        before = await contents(pool)
        problem = check_problem(await fleet.put(f"/v1/{path}", json=body), 422, says)
        assert problem["errors"][0]["pointer"] == pointer
        assert await contents(pool) == before


BAD_BYTES = [
        (b"{", "application/json", 400),
        (b'"x"', "application/json", 422),
        (b'{"name": "\\ud800"}', "application/json", 400),
        (b'{"name": "a\\u0000b"}', "application/json", 422),
        (b"\xff", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b" " * (1 << 20) + b"{}", "application/json", 413),
    ]  # fmt: skip


async def test_bad_bytes(fleet: httpx.AsyncClient) -> None:
    for body, kind, status in BAD_BYTES:
        response = await fleet.put("/v1/organisations/o", content=body, headers={"Content-Type": kind})
        check_problem(response, status)


CSV = "id,plate,organisation\n" + "".join(f"c{i},苏F1{i:04},finance\n" for i in range(30))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
async def test_import_twice_is_import_once(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool, encoding: str
) -> None:
    async def send(dry_run: bool = False) -> dict[str, Any]:
        response = await fleet.post(
            "/v1/vehicles:import", content=CSV.encode(encoding), headers={"Content-Type": "text/csv"},
            params={"dry_run": "true"} if dry_run else None,
        )  # fmt: skip
        assert response.status_code == 200, response.text
        return dict(response.json())

    before = await contents(pool)
    assert await send(dry_run=True) == {
        "rows": 30,
        "created": 30,
        "updated": 0,
        "unchanged": 0,
        "dry_run": True,
    }
    assert await contents(pool) == before
    assert (await send())["created"] == 30
    before = await contents(pool)
    assert (await send())["unchanged"] == 30
    assert await contents(pool) == before


BAD_IMPORTS: list[tuple[str, str, list[tuple[int, str, str]]]] = [
        ("vehicles", CSV.replace("plate", "colour", 1), [(1, "colour", "未知列")]),
        ("vehicles", CSV + "c3,苏F3,finance\n", [(32, "id", "第 5 行")]),
        ("vehicles", CSV + "x,苏F3,nobody\ny,,finance\n", [(33, "plate", "必填")]),
        ("vehicles", CSV + "x,苏F3,nobody\n", [(32, "organisation", "nobody")]),
        ("drivers", "id,name,organisation\na,甲,finance\nb,乙,nobody\n", [(3, "organisation", "nobody")]),
        (
            "terminals",
            "id,vehicle,valid_from\n1,car-1,2026-01-01T00:00:00+08:00\n2,car-9,2026-01-01T00:00:00+08:00\n3,car-1,昨天\n",
            [(4, "valid_from", "时区")],
        ),
    ]  # fmt: skip


async def test_a_bad_import_names_the_row_and_writes_nothing(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    for kind, content, errors in BAD_IMPORTS:
        before = await contents(pool)
        response = await fleet.post(
            f"/v1/{kind}:import", content=content.encode(), headers={"Content-Type": "text/csv"}
        )
        problem = check_problem(response, 422)
        found = [(e["row"], e["field"]) for e in problem["errors"]]
        assert found == [(row, field) for row, field, _ in errors]
        for entry, (_, _, says) in zip(problem["errors"], errors, strict=True):
            assert says in entry["message"]
        assert await contents(pool) == before


async def test_import_of_orders_and_fences(fleet: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    orders = [ORDER | {"id": f"o{i}"} for i in range(20)]
    lines = "\n".join(json.dumps(order) for order in orders)
    response = await fleet.post(
        "/v1/dispatch-orders:import", content=lines, headers={"Content-Type": "application/x-ndjson"}
    )
    assert response.json()["created"] == 20
    assert len(await facts(pool)) == 20
    mixed = [orders[0], orders[1] | {"status": "cancelled"}, ORDER | {"id": "new"}]
    report = (await fleet.post("/v1/dispatch-orders:import", json=mixed)).json()
    assert (report["created"], report["updated"], report["unchanged"]) == (1, 1, 1)
    bad = [
        FENCE | {"id": "f1"},
        FENCE | {"id": "f2", "geometry": {"type": "Polygon", "coordinates": [BOW_TIE]}},
    ]
    problem = check_problem(await fleet.post("/v1/fences:import", json=bad), 422, "Self-intersection")
    assert problem["errors"][0]["row"] == 2
    assert await pool.fetchval("SELECT count(*) FROM fences") == 0
    check_problem(
        await fleet.post("/v1/fences:import", content=b"x", headers={"Content-Type": "image/png"}), 415
    )


async def test_lists_go_on_at_the_cursor(fleet: httpx.AsyncClient) -> None:
    await fleet.post("/v1/vehicles:import", content=CSV.encode(), headers={"Content-Type": "text/csv"})
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "7", "organisation": "finance"} | ({"cursor": cursor} if cursor else {})
        page = (await fleet.get("/v1/vehicles", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen)) == 32
    check_problem(await fleet.get("/v1/drivers", params={"cursor": "x"}), 400, "cursor")
    check_problem(await fleet.get("/v1/drivers", params={"colour": "x"}), 422, "colour")
    check_problem(await fleet.get("/v1/drivers", params={"limit": "0"}), 422, "limit")
    check_problem(await fleet.get("/v1/drivers/none"), 404, "none")
    check_problem(await fleet.get("/v1/drivers/%00"), 404)
    check_problem(await fleet.get("/v1/nothing"), 404)
    check_problem(await fleet.patch("/v1/drivers/li"), 405)


async def test_concurrent_writers_make_one_sequence_of_versions(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    bodies = [ORDER | {"purpose": f"p{i % 6}"} for i in range(24)]
    answers = await asyncio.gather(*(fleet.put("/v1/dispatch-orders/o", json=body) for body in bodies))
    assert {a.status_code for a in answers} == {200, 201}
    rows = await pool.fetch("SELECT version, purpose FROM dispatch_orders ORDER BY version")
    assert [r["version"] for r in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == sum(a.json()["outcome"] != "unchanged" for a in answers)
    purposes = [r["purpose"] for r in rows]
    assert all(one != two for one, two in pairwise(purposes))
    binds = [
        fleet.put(
            f"/v1/terminals/{i}",
            json={"vehicle": f"car-{i % 2 + 1}", "valid_from": f"2026-01-0{i}T00:00:00Z"},
        )
        for i in range(1, 9)
    ]
    await asyncio.gather(*binds)
    overlaps = await pool.fetchval(
        "SELECT count(*) FROM terminal_bindings a JOIN terminal_bindings b ON a.vehicle_no = b.vehicle_no"
        " AND a.ctid <> b.ctid AND tstzrange(a.valid_from, a.valid_to) && tstzrange(b.valid_from, b.valid_to)"
    )
    assert overlaps == 0
