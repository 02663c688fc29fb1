"""更正文件: the refused rows of an import as a workbook, corrected and imported again; and nothing is written by asking for it."""

# ruff: noqa: F811 - fixtures are imported
from __future__ import annotations

import io
from typing import Any

import asyncpg
import httpx
import openpyxl

from registry.remarks import SAID, STOOD_AT
from runtime.settings import Settings
from tests.integration.test_api_registry import check_problem, client, contents, fleet  # noqa: F401 - fixtures
from tests.integration.test_api_service import serve
from tests.integration.test_business_facts import office  # noqa: F401 - the fixture

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
VEHICLES = """编号,车牌号,单位,类别
car-7,苏F77777,finance,=1+1
car-8,苏F00001,finance,
car-9,苏F99999,nowhere,应急
car-10,苏F10101,health,
"""


async def send(
    client: httpx.AsyncClient, data: bytes, path: str = "/v1/vehicles:import", *, corrections: bool = False
) -> httpx.Response:
    kind = XLSX if data[:2] == b"PK" else "text/csv"
    asked = {"corrections": "true"} if corrections else {}
    return await client.post(path, content=data, params=asked, headers={"Content-Type": kind})


def table(data: bytes) -> list[list[Any]]:
    return [list(row) for row in openpyxl.load_workbook(io.BytesIO(data))["更正"].iter_rows(values_only=True)]


def corrected(data: bytes, changes: dict[tuple[int, int], str | None]) -> bytes:
    """The file with other cells: (row, column), from 1, -> what stands there then."""
    book = openpyxl.load_workbook(io.BytesIO(data))
    for (row, column), value in changes.items():
        book["更正"].cell(row, column).value = value
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def test_records_are_given_back_whole_and_imported_when_they_are_right(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    before = await contents(pool)
    answer = await send(fleet, VEHICLES.encode("gbk"), corrections=True)
    assert (answer.status_code, answer.headers["content-type"]) == (200, XLSX)
    assert (answer.headers["x-refused-rows"], answer.headers["x-rows-left-out"]) == ("2", "0")
    assert "attachment" in answer.headers["content-disposition"]
    assert await contents(pool) == before
    head, *rows = table(answer.content)
    assert head == [SAID, STOOD_AT, "编号", "车牌号", "单位", "类别"]
    assert [row[1:4] for row in rows] == [
        [3, "car-8", "苏F00001"], [4, "car-9", "苏F99999"], [2, "car-7", "苏F77777"], [5, "car-10", "苏F10101"],
    ]  # fmt: skip
    assert "单位：" in rows[1][0]
    assert "nowhere" in rows[1][0]
    assert (rows[2][0] or "", rows[2][5]) == ("", "=1+1")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content))["更正"]
    assert sheet.cell(3, 5).fill.fgColor.rgb == "FFFFC7CE"
    assert sheet.cell(3, 4).fill.fgColor.rgb != "FFFFC7CE"
    # It is refused for the same reason until it is right.
    refused = check_problem(await send(fleet, answer.content), 422, "nowhere")
    assert [(one["row"], one["column"]) for one in refused["errors"]] == [(3, "单位")]
    right = corrected(answer.content, {(2, 4): "苏F88888", (3, 5): "health"})
    report = (await send(fleet, right)).json()
    assert (report["rows"], report["created"]) == (4, 4)
    assert await pool.fetchval("SELECT category FROM vehicles WHERE id = 'car-7'") == "=1+1"
    # Where nothing is refused there is nothing to correct.
    nothing = await send(fleet, right, corrections=True)
    assert nothing.json() == report | {"created": 0, "unchanged": 4, "dry_run": True}


async def test_of_a_statement_the_refused_rows_alone_with_their_title(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    card = await pool.fetchval("SELECT min(id) FROM fuel_cards")
    path = "/v1/fuel-transactions:import-statement"
    rows = (
        f"{card},2026-03-02 08:01:09,加油,92号汽油,45.32,7.89,357.57,1000.00,人民路站",
        f"{card},2026-03-02 08:02:09,加油,92号汽油,x,7.89,357.57,1000.00,人民路站",
        "0000000000000000009,2026-03-02 08:03:09,加油,92号汽油,45.32,7.89,357.57,1000.00,人民路站",
    )
    data = "\n".join(
        ["对账单", "卡号,交易时间,交易类型,油品,数量(升),单价,金额,余额,网点", *rows, "合计,,,,1,,,,", ""]
    ).encode("gbk")
    assert (await send(office, data, path)).json()["refused"] == 2
    answer = await send(office, data, path, corrections=True)
    title, head, *rest = table(answer.content)
    assert (title[2], head[:4]) == ("对账单", [SAID, STOOD_AT, "卡号", "交易时间"])
    assert [(row[1], row[2]) for row in rest] == [(4, card), (5, "0000000000000000009")]
    assert "数量" in rest[0][0]
    assert "未登记" in rest[1][0]
    report = (
        await send(office, corrected(answer.content, {(3, 7): "40.00", (3, 9): "315.60", (4, 3): card}), path)
    ).json()
    assert (report["rows"], report["created"], report["refused"]) == (2, 2, 0)


async def test_what_is_no_table_and_who_has_no_right(
    client: httpx.AsyncClient, pool: asyncpg.Pool, db_url: str
) -> None:
    for body in (b'[{"id": "x"}]', b'{"id": "x"}\n'):
        answer = await client.post(
            "/v1/vehicles:import?corrections=true",
            content=body,
            headers={"Content-Type": "application/octet-stream"},
        )
        check_problem(answer, 422, "只有表格")
    check_problem(await send(client, b"\x00\x01", corrections=True), 422)
    check_problem(await send(client, "颜色\n红\n".encode(), corrections=True), 422, "未知列")
    async with serve(pool, None, "registry:read", settings=Settings(database_url=db_url)) as reader:
        check_problem(await send(reader, VEHICLES.encode(), corrections=True), 403)
