"""Fuel cards, stations, transactions, violations, calendar days and parameters over HTTP on a real PostgreSQL."""

# ruff: noqa: F811 - fixtures are imported
from __future__ import annotations

from typing import Any

import asyncpg
import httpx
import pytest

from tests.integration.outbox import due_rows, forget_changes
from tests.integration.test_api_registry import check_problem, client, fleet  # noqa: F401 - fixtures

SQUARE = [[120.89, 31.98], [120.892, 31.98], [120.892, 31.982], [120.89, 31.982], [120.89, 31.98]]
TABLES = ("fuel_stations", "fuel_cards", "card_bindings", "fuel_transactions", "violations", "calendar_days",
          "rule_parameters", "changes", "live_due")  # fmt: skip
CARD = {
    "organisation": "finance",
    "issuer": "中国石化",
    "plate": "苏F00001",
    "valid_from": "2026-01-01T00:00:00+08:00",
}
STATION = {
    "name": "人民路站",
    "aliases": ["中石化人民路"],
    "datum": "gcj02",
    "geometry": {"type": "Point", "coordinates": [120.89, 31.98]},
}
FILL = {
    "card": "c1",
    "at": "2026-03-02T08:05:09+08:00",
    "kind": "fill",
    "product": "92号汽油",
    "quantity": "45.32",
    "unit_price": "7.89",
    "amount": "357.57",
    "balance": "-1.00",
    "station_name": "中石化 人民路",
}
VIOLATION = {
    "plate": "苏F00001",
    "at": "2026-03-02T08:05:00+08:00",
    "act": "闯红灯",
    "fine": "200.00",
    "points": 6,
    "driver": "li",
}


@pytest.fixture
async def office(fleet: httpx.AsyncClient) -> httpx.AsyncClient:
    """The fleet, with card c1 and station s1."""
    for path, body in (("fuel-cards/c1", CARD), ("fuel-stations/s1", STATION)):
        response = await fleet.put(f"/v1/{path}", json=body)
        assert response.status_code == 201, response.text
    return fleet


async def contents(pool: asyncpg.Pool) -> dict[str, Any]:
    return {table: await pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES}  # noqa: S608 - constants


async def changes(pool: asyncpg.Pool) -> set[tuple[str, str]]:
    """What the judge is told of; forgets it."""
    return set(await forget_changes(pool))


async def test_put_is_idempotent_comes_back_and_is_noted(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    assert await changes(pool) >= {("card", "c1"), ("card_binding", "c1"), ("station", "s1")}
    bodies: dict[str, tuple[dict[str, Any], set[tuple[str, str]]]] = {
        "fuel-cards/c2": (
            CARD | {"status": "lost", "opened_on": "2025-01-01"},
            {("card", "c2"), ("card_binding", "c2")},
        ),
        "fuel-stations/s2": ({"name": "无坐标站"}, {("station", "s2")}),
        "fuel-transactions/t1": (FILL, {("transaction", "t1")}),
        "violations/v1": (VIOLATION, {("violation", "v1")}),
        "calendar-days/2026-10-01": (
            {"day": "2026-10-01", "workday": False, "name": "国庆节"},
            {("calendar", "2026-10-01")},
        ),
    }
    for path, (body, noted) in bodies.items():
        first = await office.put(f"/v1/{path}", json=body)
        assert (first.status_code, first.json().get("outcome")) == (201, "created"), first.text
        assert await changes(pool) == noted
        before = await contents(pool)
        again = await office.put(f"/v1/{path}", json=body)
        assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
        assert await contents(pool) == before
        record = (await office.get(f"/v1/{path}")).json()
        assert {k: v for k, v in first.json().items() if k != "outcome"} == record
        assert all(record[name] == value for name, value in body.items()), record
        kind = path.split("/")[0]
        assert record["id"] in [item["id"] for item in (await office.get(f"/v1/{kind}")).json()["items"]]
    stored = await pool.fetchrow("SELECT * FROM fuel_transactions")
    assert stored is not None
    assert (stored["quantity"], stored["amount_fen"], stored["balance_fen"], str(stored["unit_price"])) == (
        45320, 35757, -100, "7.8900",
    )  # fmt: skip
    assert stored["station"] == "s1"  # by its alias
    assert await due_rows(pool) == 0


async def test_numbers_in_json_are_exact(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    body = b'{"card":"c1","at":"2026-03-02T00:00:00Z","kind":"fill","quantity":%s}'
    for text, ml in ((b"0.001", 1), (b"999999999.999", 999_999_999_999), (b"45.3200", 45_320)):
        response = await office.put("/v1/fuel-transactions/t", content=body % text)
        assert response.is_success, response.text
        assert await pool.fetchval("SELECT quantity FROM fuel_transactions") == ml
    before = await contents(pool)
    for text in (b"45.3201", b"45.32000000000000000001", b"-0.0001", b"1e99", b"true", b"[]"):
        problem = check_problem(await office.put("/v1/fuel-transactions/t", content=body % text), 422)
        assert problem["errors"][0]["pointer"] == "/quantity"
    line = (body[:-1] + b',"id":"u"}') % b"45.32000000000000000001"
    for content, form in ((line, "application/x-ndjson"), (b"[" + line + b"]", "application/json")):
        response = await office.post(
            "/v1/fuel-transactions:import", content=content, headers={"Content-Type": form}
        )
        assert check_problem(response, 422)["errors"][0]["field"] == "quantity"
    assert await contents(pool) == before


BAD: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("fuel-cards/x", CARD | {"organisation": "nobody"}, 422, "/organisation", "nobody"),
    ("fuel-cards/c1", CARD | {"plate": "苏F00002"}, 409, "/valid_from", "苏F00001"),
    ("fuel-cards/c1", CARD | {"plate": None}, 409, "/valid_from", "苏F00001"),
    ("fuel-cards/1.00011E+18", CARD, 422, "/id", "Excel"),
    ("fuel-cards/%EF%BC%91.%EF%BC%90e18", CARD, 422, "/id", "Excel"),
    ("fuel-transactions/1E+18", FILL, 422, "/id", "Excel"),
    ("fuel-transactions/x", FILL | {"card": "1.00011E+18"}, 422, "/card", "Excel"),
    ("fuel-transactions/x", FILL | {"reverses": "1.00011E+18"}, 422, "/reverses", "Excel"),
    ("fuel-cards/x", CARD | {"id": "y"}, 422, "/id", "地址"),
    ("fuel-stations/x", STATION | {"aliases": []}, 409, "/name", "s1"),
    ("fuel-stations/x", {"name": "甲", "aliases": ["乙", "中石化 人民路"]}, 409, "/aliases/0", "s1"),
    ("fuel-stations/x", {k: v for k, v in STATION.items() if k != "datum"}, 422, "/datum", "datum"),
    ("fuel-transactions/x", FILL | {"card": "c9"}, 422, "/card", "油卡 c9 未登记"),
    ("fuel-transactions/x", FILL | {"station": "s9"}, 422, "/station", "s9"),
    ("fuel-transactions/x", FILL | {"at": "2099-01-01T00:00:00Z"}, 422, "/at", "未来"),
    ("violations/x", VIOLATION | {"at": "2099-01-01T00:00:00Z"}, 422, "/at", "未来"),
    ("violations/x", VIOLATION | {"driver": "nobody"}, 422, "/driver", "nobody"),
    ("calendar-days/10-01", {"workday": True}, 422, "/id", "日期"),
]


async def test_bad_bodies_say_what_and_where_and_write_nothing(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    for path, body, status, pointer, says in BAD:
        before = await contents(pool)
        problem = check_problem(await office.put(f"/v1/{path}", json=body), status, says)
        assert problem["errors"][0]["pointer"] == pointer
        assert await contents(pool) == before


async def test_bindings_of_a_card(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    moved = CARD | {"plate": "苏F·0OOO2", "valid_from": "2026-03-01T00:00:00+08:00"}
    record = (await office.put("/v1/fuel-cards/c1", json=moved)).json()
    assert (record["outcome"], record["plate"]) == ("updated", "苏F00002")
    assert [(b["plate"], b["valid_to"]) for b in record["bindings"]] == [
        ("苏F00001", "2026-03-01T00:00:00+08:00"), ("苏F00002", None),
    ]  # fmt: skip
    assert (await office.put("/v1/fuel-cards/c1", json=CARD)).json()["outcome"] == "unchanged"
    found = (await office.get("/v1/fuel-cards", params={"plate": "苏f 00002"})).json()["items"]
    assert [card["id"] for card in found] == ["c1"]
    await changes(pool)
    history = [{"plate": "苏F00009", "valid_from": "2026-01-01T00:00:00+08:00"}]
    body = {"organisation": "finance", "issuer": "中国石化", "bindings": history}
    record = (await office.put("/v1/fuel-cards/c1", json=body)).json()
    assert [b["plate"] for b in record["bindings"]] == ["苏F00009"]
    assert await changes(pool) == {("card_binding", "c1"), ("plate", "苏F00001"), ("plate", "苏F00002")}
    unbound = {
        "organisation": "finance",
        "issuer": "中国石化",
        "plate": None,
        "valid_from": "2026-06-01T00:00:00+08:00",
    }
    assert (await office.put("/v1/fuel-cards/c1", json=unbound)).json()["plate"] is None


async def test_imports_are_all_or_none(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    cards = "卡号,单位,车牌号,起始时间\nc1,finance,苏F00001,2026-01-01T00:00:00+08:00\nc3,finance,苏F00002,2026-01-01T00:00:00+08:00\n"
    for text, status, row, field in (
        (cards + "c3,finance,苏F00001,2026-02-01T00:00:00+08:00\n", 422, 4, "id"),  # two rows of one card
        (cards.replace("c1,finance,苏F00001", "c1,finance,苏F00002"), 409, 2, "valid_from"),
        (cards + "c4,nobody,,\n", 422, 4, "organisation"),
        (cards.replace("单位", "部门"), 422, 1, "部门"),
    ):
        before = await contents(pool)
        response = await office.post(
            "/v1/fuel-cards:import", content=text.encode(), headers={"Content-Type": "text/csv"}
        )
        (error,) = check_problem(response, status)["errors"]
        assert (error["row"], error["field"]) == (row, field)
        assert await contents(pool) == before
    for _ in range(2):
        response = await office.post(
            "/v1/fuel-cards:import", content=cards.encode(), headers={"Content-Type": "text/csv"}
        )
        assert response.is_success, response.text
    assert response.json()["unchanged"] == 2
    days = "日期,工作日,名称\n2026-10-01,否,国庆节\n2026-10-10,是,调休\n"
    response = await office.post(
        "/v1/calendar-days:import", content=days.encode("gbk"), headers={"Content-Type": "text/csv"}
    )
    assert response.json()["created"] == 2
    rows = await pool.fetch("SELECT workday FROM calendar_days ORDER BY day")
    assert [r["workday"] for r in rows] == [False, True]


async def test_a_number_is_one_however_it_is_written(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    """Cards as registered are the cards of the statements, which read numbers the same way."""
    csv = {"headers": {"Content-Type": "text/csv"}}
    card = "1000113200000000001"
    wide = card.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    cards = f'卡号,单位\n{wide},finance\n1.00011E+18,finance\n"=""1000113200000000002""",finance\n'
    response = await office.post("/v1/fuel-cards:import", content=cards.encode(), **csv)  # type: ignore[arg-type]  # httpx's many keywords
    (error,) = check_problem(response, 422)["errors"]
    assert (error["row"], error["field"]) == (3, "id")
    cards = cards.replace("1.00011E+18,finance\n", "")
    response = await office.post("/v1/fuel-cards:import", content=cards.encode(), **csv)  # type: ignore[arg-type]  # as above
    assert response.json()["created"] == 2, response.text
    again = await office.put(f"/v1/fuel-cards/{wide}", json={"organisation": "finance"})
    assert (again.json()["outcome"], again.json()["id"]) == ("unchanged", card)
    assert [r["id"] for r in await pool.fetch("SELECT id FROM fuel_cards ORDER BY id")] == [
        card, "1000113200000000002", "c1",
    ]  # fmt: skip
    statement = f"卡号,交易时间,交易类型,数量,流水号\n{card},2026-03-02 08:05:09,加油,45.32,Ｎ１\n"
    response = await office.post("/v1/fuel-transactions:import-statement", content=statement.encode(), **csv)  # type: ignore[arg-type]  # as above
    assert response.json()["created"] == 1, response.text
    taken_back = FILL | {"card": wide, "kind": "reversal", "reverses": "Ｎ１"}
    record = (await office.put("/v1/fuel-transactions/Ｎ２", json=taken_back)).json()
    assert (record["id"], record["card"], record["reverses"]) == ("N2", card, "N1")


async def test_a_station_takes_the_transactions_that_bear_its_name(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    assert (await office.put("/v1/fuel-transactions/t1", json=FILL | {"station_name": "城西站"})).json()[
        "station"
    ] is None
    assert (await office.put("/v1/fuel-transactions/t2", json=FILL | {"station_name": ""})).json()[
        "station"
    ] is None
    await changes(pool)
    west = {"name": "城西加油站", "aliases": ["城 西 站"]}
    await office.put("/v1/fuel-stations/s2", json=west)
    assert await changes(pool) == {("station", "s2"), ("transaction", "t1"), ("fills", "c1")}
    assert (await office.get("/v1/fuel-transactions/t1")).json()["station"] == "s2"
    polygon = STATION | {"geometry": {"type": "Polygon", "coordinates": [SQUARE]}}
    assert (await office.put("/v1/fuel-stations/s1", json=polygon)).json()["geometry"]["type"] == "Polygon"
    import shapely

    wkb = await pool.fetchval("SELECT geometry FROM fuel_stations WHERE id = 's1'")
    west_edge, *_ = shapely.from_wkb(bytes(wkb)).bounds
    assert 0.001 < abs(west_edge - 120.89) < 0.012  # converted from GCJ-02


async def test_lists_and_filters(office: httpx.AsyncClient) -> None:
    for day in range(1, 6):
        body = FILL | {"at": f"2026-03-0{day}T08:00:00+08:00", "kind": "fill" if day % 2 else "fee"}
        assert (await office.put(f"/v1/fuel-transactions/t{day}", json=body)).is_success
    await office.put("/v1/violations/v1", json=VIOLATION)
    await office.put("/v1/calendar-days/2026-10-01", json={"workday": False})

    async def ids(path: str, /, **params: str) -> list[str]:
        response = await office.get(f"/v1/{path}", params=params)
        assert response.status_code == 200, response.text
        return [item["id"] for item in response.json()["items"]]

    assert await ids("fuel-transactions", kind="fee") == ["t2", "t4"]
    span = {"from": "2026-03-02T08:00:00+08:00", "to": "2026-03-04T00:00:00Z"}
    assert await ids("fuel-transactions", card="c1", **span) == ["t2", "t3"]
    assert await ids("fuel-transactions", station="s9") == []
    assert await ids("fuel-stations", name="中石化人民路") == ["s1"]
    assert await ids("violations", plate="苏f·00001", status="open") == ["v1"]
    assert await ids("calendar-days", **{"from": "2026-10-01", "to": "2026-10-02"}) == ["2026-10-01"]
    page = (await office.get("/v1/fuel-transactions", params={"limit": "2"})).json()
    rest = (await office.get("/v1/fuel-transactions", params={"cursor": page["next"]})).json()
    assert [item["id"] for item in rest["items"]] == ["t3", "t4", "t5"]
    for kind, params in (
        ("violations", {"from": "2026-03-02"}),
        ("calendar-days", {"to": "1"}),
        ("violations", {"x": "1"}),
    ):
        check_problem(await office.get(f"/v1/{kind}", params=params), 422)
    assert (await office.delete("/v1/calendar-days/2026-10-01")).status_code == 204
    for unknown in ("2026-10-01", "x"):
        check_problem(await office.delete(f"/v1/calendar-days/{unknown}"), 404)


PARAMETER = {
    "rule": "card_use",
    "name": "station_radius_m",
    "organisation": None,
    "value": 300,
    "effective_from": "2026-01-01T00:00:00+08:00",
    "source": "文件〔2026〕1号",
}


async def test_parameters(fleet: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    for body in (PARAMETER, PARAMETER | {"organisation": "finance", "value": 250}):
        assert (await fleet.put("/v1/rule-parameters", json=body)).status_code == 201
        assert (await fleet.put("/v1/rule-parameters", json=body)).json()["outcome"] == "unchanged"
    assert (await fleet.put("/v1/rule-parameters", json=PARAMETER | {"value": 301})).json()[
        "outcome"
    ] == "updated"
    assert await changes(pool) >= {("parameter", "card_use.station_radius_m")}
    page = (await fleet.get("/v1/rule-parameters", params={"rule": "card_use"})).json()
    assert [(i["organisation"], i["value"], i["source"]) for i in page["items"]] == [
        (None, 301, "文件〔2026〕1号"), ("finance", 250, "文件〔2026〕1号"),
    ]  # fmt: skip
    radius = next(d for d in page["defaults"] if d["name"] == "station_radius_m")
    assert (radius["default"], radius["unit"], radius["minimum"], radius["maximum"]) == (200, "m", 1, 10_000)
    assert {d["rule"] for d in page["defaults"]} == {"card_use"}
    for change, pointer in (
        ({"rule": "x"}, "/rule"), ({"name": "x"}, "/name"), ({"value": 0}, "/value"), ({"value": 10_001}, "/value"),
        ({"value": 1.5}, "/value"), ({"value": "300"}, "/value"), ({"value": True}, "/value"), ({"organisation": "nobody"}, "/organisation"),
        ({"source": ""}, "/source"), ({"effective_from": "2026-01-01"}, "/effective_from"), ({"value": 10**30}, "/value"),
    ):  # fmt: skip
        before = await contents(pool)
        problem = check_problem(await fleet.put("/v1/rule-parameters", json=PARAMETER | change), 422)
        assert problem["errors"][0]["pointer"] == pointer
        assert await contents(pool) == before
    moved = PARAMETER | {"rule": "location", "name": "early_start_min", "value": 20}
    problem = check_problem(await fleet.put("/v1/rule-parameters", json=moved), 422)
    assert "order.early_start_min" in problem["errors"][0]["message"]
    assert (await fleet.put("/v1/rule-parameters", json=moved | {"rule": "order"})).status_code == 201
    assert await pool.execute("DELETE FROM rule_parameters WHERE rule = 'order'") == "DELETE 1"
    key = {name: str(PARAMETER[name]) for name in ("rule", "name", "effective_from")}
    for status in (204, 404):
        assert (await fleet.delete("/v1/rule-parameters", params=key)).status_code == status
    assert await pool.fetchval("SELECT count(*) FROM rule_parameters") == 1
