"""What comes in wrong through the API: places at the wrong end of the world, damaged names, files of other kinds."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import openpyxl
import pytest

from runtime.settings import Settings
from tests.integration.test_api_service import serve

SQUARE = [[87.61, 43.82], [87.612, 43.82], [87.612, 43.822], [87.61, 43.822], [87.61, 43.82]]
FENCE = {
    "name": "停车场", "organisation": "finance", "datum": "wgs84", "valid_from": "2026-01-01T00:00:00+08:00",
    "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
}  # fmt: skip
ORDER = {
    "organisation": "finance", "vehicle": "car-1", "planned_departure": "2026-03-02T08:30:00+08:00",
    "planned_return": "2026-03-02T17:30:00+08:00",
}  # fmt: skip


@pytest.fixture
async def client(pool: asyncpg.Pool, db_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API with every scope; a unit with a car."""
    async with serve(pool, settings=Settings(database_url=db_url)) as client:
        for path, body in {
            "organisations/city": {"name": "市"},
            "organisations/finance": {"name": "财政局", "parent": "city"},
            "vehicles/car-1": {"plate": "新A12345", "organisation": "finance"},
        }.items():
            assert (await client.put(f"/v1/{path}", json=body)).status_code == 201
        yield client


def order(lat: float, lon: float, datum: str = "wgs84") -> dict[str, Any]:
    return ORDER | {"destinations": [{"name": "市政府", "lat": lat, "lon": lon, "datum": datum}]}


async def test_places_at_the_wrong_end_of_the_world(client: httpx.AsyncClient) -> None:
    # Nobody has a fence yet: nothing to compare with, so nothing is asked.
    assert "warnings" not in (await client.put("/v1/dispatch-orders/o0", json=order(31.98, 120.89))).json()
    assert (await client.put("/v1/fences/f1", json=FENCE)).status_code == 201
    assert "warnings" not in (await client.put("/v1/dispatch-orders/o1", json=order(43.9, 87.3))).json()
    far = (await client.put("/v1/dispatch-orders/o2", json=order(31.98, 120.89))).json()
    (warning,) = far["warnings"]
    assert warning["pointer"] == "/destinations/0"
    assert "距本单位 3" in warning["message"]
    assert "公里" in warning["message"]
    abroad = (await client.put("/v1/dispatch-orders/o3", json=order(43.9, -87.3))).json()
    assert "境外" in abroad["warnings"][0]["message"]
    swapped = await client.put("/v1/dispatch-orders/o4", json=order(87.3, 43.9))
    assert swapped.status_code == 422
    assert "是否应为纬度 43.9、经度 87.3" in swapped.json()["errors"][0]["message"]
    # The unit above has no fence of its own: any fence tells where they all are.
    above = order(31.98, 120.89) | {"organisation": "city"}
    assert (await client.put("/v1/dispatch-orders/o5", json=above)).json()["warnings"]
    large = FENCE | {"geometry": {"type": "Polygon", "coordinates": [[*SQUARE[:2], [88.9, 44.9], SQUARE[0]]]}}
    assert "跨度" in (await client.put("/v1/fences/f2", json=large)).json()["warnings"][0]["message"]


async def test_places_in_files(client: httpx.AsyncClient) -> None:
    await client.put("/v1/fences/f1", json=FENCE)
    rows = [order(43.9, 87.3) | {"id": "a"}, order(31.98, 120.89) | {"id": "b"}]
    report = (await client.post("/v1/dispatch-orders:import", json=rows)).json()
    assert (report["created"], report["warning_count"]) == (2, 1)
    assert (report["warnings"][0]["row"], report["warnings"][0]["field"]) == (2, "destinations.0")
    text = "编号,名称,纬度,经度,坐标系\ns1,一,43.82,87.61,gcj02\ns2,二,87.61,43.82,wgs84\ns3,三,120.89,31.98,bd09\n"
    refused = await client.post(
        "/v1/fuel-stations:import", content=text.encode("gbk"), headers={"Content-Type": "text/csv"}
    )
    assert refused.status_code == 422
    assert [(e["row"], "写反" in e["message"]) for e in refused.json()["errors"]] == [(3, True), (4, True)]


@pytest.mark.parametrize("name", ["甯傝储鏀垮眬", "锟斤拷", "财\ufffd局", "张?"])
async def test_damaged_names_are_refused_wherever_they_come_in(client: httpx.AsyncClient, name: str) -> None:
    refused = await client.put("/v1/organisations/o2", json={"name": name})
    assert refused.status_code == 422
    assert [e["pointer"] for e in refused.json()["errors"]] == ["/name"]
    for content_type, content in {
        "application/json": f'[{{"id": "a", "name": "局"}}, {{"id": "b", "name": "{name}"}}]',
        "application/x-ndjson": f'{{"id": "a", "name": "局"}}\n{{"id": "b", "name": "{name}"}}\n',
        "text/csv": f"编号,名称\na,局\nb,{name}\n",
    }.items():
        refused = await client.post(
            "/v1/organisations:import", content=content.encode(), headers={"Content-Type": content_type}
        )
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert (error["row"], error["field"]) == (3 if content_type == "text/csv" else 2, "name")
    assert (
        await client.put("/v1/drivers/d1", json={"name": "张𬭎", "organisation": "finance"})
    ).status_code == 201


async def test_files_under_other_names(client: httpx.AsyncClient) -> None:
    text = "编号,车牌号,单位\nv1,新A00001,finance\n"
    book = openpyxl.Workbook()
    assert book.active is not None
    for line in text.strip().split("\n"):
        book.active.append(line.split(","))
    out = io.BytesIO()
    book.save(out)
    body = {"编号": "id", "车牌号": "plate", "单位": "organisation"}
    record = dict(zip(body.values(), text.split("\n")[1].split(","), strict=True))
    bom = b"\xef\xbb\xbf"
    for content_type, content in [
        ("application/vnd.ms-excel", text.encode("gbk")),
        ("application/vnd.ms-excel", out.getvalue()),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", out.getvalue()),
        ("text/csv", out.getvalue()),
        ("application/octet-stream", bom + json.dumps([record]).encode()),
        ("application/json", bom + json.dumps([record]).encode()),
        ("application/x-ndjson", bom + json.dumps(record).encode()),
    ]:
        done = await client.post(
            "/v1/vehicles:import", content=content, headers={"Content-Type": content_type}
        )
        assert done.status_code == 200, done.text
        assert done.json()["rows"] == 1
    put = await client.put(
        "/v1/organisations/o9", content=bom + b'{"name": "x"}', headers={"Content-Type": "application/json"}
    )
    assert put.status_code == 201
    statement = "卡号,交易时间,交易类型,数量\n1,2026-03-02 08:00:00,加油,x\n"
    done = await client.post(
        "/v1/fuel-transactions:import-statement",
        content=statement.encode("gbk"),
        headers={"Content-Type": "application/vnd.ms-excel"},
    )
    assert [(e["row"], e["column"]) for e in done.json()["errors"]] == [(2, "数量")]
