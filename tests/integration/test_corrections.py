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


async def test_a_statement_comes_back_whole_and_nothing_is_taken_for_something_else(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    card = await pool.fetchval("SELECT min(id) FROM fuel_cards")
    path = "/v1/fuel-transactions:import-statement"
    header = "卡号,交易时间,交易类型,油品,数量(升),单价,金额,余额,网点"

    def fill(minute: int, litres: str = "45.32", balance: str = "1000.00", of: str = card) -> str:
        return f"{of},2026-03-02 08:{minute:02}:09,加油,92号汽油,{litres},7.89,357.57,{balance},人民路站"

    # Two fills that look alike: the second one is refused for its balance, and is no repetition of the first.
    rows = (
        fill(1),
        fill(1, balance="x"),
        fill(2, litres="x"),
        fill(3, of="0000000000000000009"),
        "合计,,,,1,,,,",
    )
    data = "\n".join(["对账单", header, *rows, ""]).encode("gbk")
    report = (await send(office, data, path)).json()
    assert (report["created"], report["refused"]) == (1, 3)
    answer = await send(office, data, path, corrections=True)
    title, head, *rest = table(answer.content)
    assert (title[2], head[:4]) == ("对账单", [SAID, STOOD_AT, "卡号", "交易时间"])
    assert [(bool(row[0]), row[1]) for row in rest] == [
        (False, 3),
        (True, 4),
        (True, 5),
        (True, 6),
        (False, 7),
    ]
    assert "余额" in rest[1][0]
    assert "未登记" in rest[3][0]
    changes: dict[tuple[int, int], str | None] = {
        (4, 10): "642.43",
        (5, 7): "40.00",
        (5, 9): "315.60",
        (6, 3): card,
    }
    report = (await send(office, corrected(answer.content, changes), path)).json()
    counted = {
        name: report[name] for name in ("rows", "created", "unchanged", "updated", "refused", "skipped")
    }
    assert counted == {"rows": 4, "created": 3, "unchanged": 1, "updated": 0, "refused": 0, "skipped": 1}
    assert (
        await pool.fetchval("SELECT count(*) FROM fuel_transactions WHERE at = '2026-03-02T08:01:09+08:00'")
        == 2
    )


async def test_of_an_export_of_violations_the_refused_rows_alone(fleet: httpx.AsyncClient) -> None:
    path = "/v1/violations:import-export"
    rows = (
        "苏F00001,2026-03-02 08:01:09,人民路,闯红灯,200,6,未处理,v1",
        "苏F00001,昨天,人民路,超速,200,6,未处理,v2",
    )
    data = "\n".join(
        ["号牌号码,违法时间,违法地点,违法行为,罚款金额,记分,处理状态,违法编号", *rows, ""]
    ).encode()
    assert (await send(fleet, data, path)).json()["created"] == 1
    answer = await send(fleet, data, path, corrections=True)
    (_, row) = table(answer.content)
    assert (row[1], row[9]) == (3, "v2")
    report = (await send(fleet, corrected(answer.content, {(2, 4): "2026-03-03 09:00:00"}), path)).json()
    assert (report["created"], report["refused"]) == (1, 0)


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
