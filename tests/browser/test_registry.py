"""一车一档: lists, a form that meets a conflict, the file of a vehicle, imports with wrong rows, and who has no right to change anything."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path

import openpyxl
from playwright.async_api import Page, expect

from runtime.postgres import connect
from tests.browser.pages import flaws, picture
from tests.browser.world import World

Visit = Callable[..., Awaitable[Page]]
LINES = "[role=row].line"


async def _execute(world: World, sql: str) -> None:
    connection = await connect(world.dsn)
    await connection.execute(sql)
    await connection.close()


async def _vehicles(world: World) -> int:
    """So many are there: other screens' tests bring some of their own."""
    connection = await connect(world.dsn)
    found = int(await connection.fetchval("SELECT count(*) FROM vehicles"))
    await connection.close()
    return found


async def test_list_edit_and_conflict(visit: Visit, world: World) -> None:
    page = await visit("office", "/registry/vehicles")
    await expect(page.locator(LINES)).to_have_count(await _vehicles(world))
    await picture(page, "registry-list")
    assert await flaws(page) == []
    await page.get_by_label("车牌号").fill("苏f 12346")
    await page.keyboard.press("Enter")
    await expect(page.locator(LINES)).to_have_count(1)
    await page.locator(LINES).click()
    await expect(page.get_by_role("heading", name="苏F·12346")).to_be_visible()
    await expect(page.get_by_role("region", name="预警").get_by_role("row")).not_to_have_count(0)
    await picture(page, "registry-vehicle")
    assert await flaws(page) == []
    await page.get_by_role("button", name="修改").click()
    await page.get_by_label("类别").fill("应急保障")
    # The plate of another vehicle: refused, at the field, with what to do.
    await page.get_by_label("车牌号").fill("苏F12345")
    await page.get_by_role("button", name="保存").click()
    await expect(page.locator("#say-plate")).to_contain_text("已属于车辆 car-1")
    await expect(page.get_by_text("先在原车辆档案中填写处置日期")).to_be_visible()
    await picture(page, "registry-conflict")
    assert await flaws(page) == []
    # Meanwhile somebody else has saved another report: nothing of it is lost unseen.
    await page.get_by_label("车牌号").fill("苏F12346")
    await _execute(world, "UPDATE vehicles SET report = '苏机管〔2026〕7号' WHERE id = 'car-2'")
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_text("此记录已被他人修改")).to_be_visible()
    await expect(page.locator(".meanwhile")).to_contain_text("报备文号")
    await expect(page.get_by_label("类别")).to_have_value("应急保障")
    await picture(page, "registry-two-versions")
    assert await flaws(page) == []
    await page.get_by_role("button", name="载入最新内容").click()
    await expect(page.get_by_label("报备文号")).to_have_value("苏机管〔2026〕7号")
    # Once more: both had something to say. What only the other one changed is chosen already, the rest is the clerk's choice.
    await page.get_by_label("类别").fill("机要通信")
    await _execute(
        world, "UPDATE vehicles SET report = '苏机管〔2026〕8号', category = '行政执法' WHERE id = 'car-2'"
    )
    await page.get_by_role("button", name="保存", exact=True).click()
    rows = page.locator("[data-test=two-versions] tbody tr")
    await expect(rows).to_have_count(2)
    await expect(page.locator("tr[data-field=category] td").first).to_have_class("taken")
    await expect(page.locator("tr[data-field=report] td").last).to_have_class("taken")
    await page.get_by_role("button", name="按所选合并").click()
    await expect(page.get_by_label("报备文号")).to_have_value("苏机管〔2026〕8号")
    await page.get_by_role("button", name="保存", exact=True).click()
    await expect(page.get_by_role("heading", name="苏F·12346")).to_be_visible()
    await expect(page.locator("dl").first).to_contain_text("机要通信")
    await expect(page.locator("dl").first).to_contain_text("苏机管〔2026〕8号")


async def test_new_order_its_versions_and_a_taken_id(visit: Visit) -> None:
    page = await visit("office", "/registry/dispatch-orders/new")
    await page.get_by_label("派车单号").fill("PC-7")
    await page.get_by_role("combobox", name="单位").click()
    await page.get_by_role("option", name="市建设局").click()
    await page.get_by_role("textbox", name="车辆").fill("苏F·12345")
    await page.get_by_label("事由").fill("<b>调研</b>")
    await page.get_by_label("计划出车").fill("2026-03-02 08:30")
    await expect(page.get_by_role("textbox", name="车辆")).to_have_value("car-1")
    await page.get_by_label("计划返回").fill("中午")
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_text("无法识别的时间")).to_be_visible()
    await page.get_by_label("计划返回").fill("2026-03-02 17:30")
    await picture(page, "registry-form")
    assert await flaws(page) == []
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_role("heading", name="PC-7")).to_be_visible()
    await expect(page.locator("dl").first).to_contain_text("<b>调研</b>")
    await expect(page.locator("dl").first).to_contain_text("2026-03-02 08:30")
    await page.get_by_role("button", name="修改").click()
    await page.get_by_label("延长至").fill("2026-03-02 19:00")
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_role("table", name="各版本").get_by_role("row")).to_have_count(3)
    await picture(page, "registry-order")
    await page.goto("/registry/organisations/new")
    await page.get_by_label("编号").fill("jsj")
    await page.get_by_label("名称").fill("另一个")
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_text("编号 jsj 已存在")).to_be_visible()


async def test_import_with_wrong_rows(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "车辆.csv"
    rows = "编号,车牌号,单位\ncar-8,苏F88888,jsj\ncar-9,苏F12345,jsj\ncar-10,苏F10101,nowhere\n"
    file.write_bytes(rows.encode("gbk"))
    page = await visit("office", "/registry/vehicles/import")
    await page.get_by_label("选择文件").set_input_files(file)
    await page.get_by_role("button", name="导入").click()
    table = page.get_by_role("table", name="错误的行")
    await expect(table).to_contain_text("nowhere")
    await picture(page, "registry-import")
    assert await flaws(page) == []
    async with page.expect_download() as given:
        await page.get_by_role("button", name="下载更正文件").click()
    saved = await given.value
    assert saved.suggested_filename == "车辆-待更正.xlsx"
    book = openpyxl.load_workbook(io.BytesIO(await asyncio.to_thread((await saved.path()).read_bytes)))
    sheet = book["更正"]
    assert [cell.value for cell in sheet[1]][2:] == ["编号", "车牌号", "单位"]
    assert [sheet.cell(row, 3).value for row in (2, 3, 4)] == ["car-9", "car-10", "car-8"]
    assert "nowhere" in str(sheet.cell(3, 1).value)
    # Changed since it was chosen: said so, and asked for anew.
    file.write_bytes(rows.splitlines()[0].encode("gbk") + "\ncar-8,苏F88888,jsj\n".encode("gbk"))
    await page.get_by_role("button", name="导入").click()
    await expect(page.get_by_text("文件在选择之后被修改")).to_be_visible()
    sheet.cell(2, 4).value, sheet.cell(3, 5).value = "苏F90909", "wsj"
    corrected = tmp_path / "车辆-已更正.xlsx"
    book.save(corrected)
    await page.get_by_label("选择文件").set_input_files(corrected)
    await page.get_by_role("button", name="导入").click()
    await expect(page.locator(".counts .created")).to_contain_text("3")
    # A statement: good rows are written, the others named.
    await page.goto("/registry/fuel-transactions/import")
    statement = tmp_path / "对账单.csv"
    statement.write_text(
        "卡号,交易时间,交易类型,数量,金额,网点\n1000113200000123456,2026-03-02 08:05:09,加油,45.32,357.57,人民路\n,昨天,加油,1,1,\n",
        "utf-8",
    )
    await page.get_by_label("选择文件").set_input_files(statement)
    await page.get_by_role("button", name="导入").click()
    await expect(page.get_by_role("heading", name="导入完成")).to_be_visible()
    await expect(page.get_by_role("table", name="错误的行")).to_be_visible()
    await picture(page, "registry-statement")
    # Others import: said plainly, and the file stays chosen.
    await page.route("**/v1/fuel-transactions:import-statement*", lambda route: route.fulfill(
        status=429, headers={"Retry-After": "5", "Content-Type": "application/problem+json"},
        body='{"type":"urn:gongche:problem:busy","title":"请求过多 · Too many","detail":"已有导入在进行，请稍后重试 · other imports are running"}',
    ))  # fmt: skip
    await page.get_by_role("button", name="导入").click()
    await expect(page.get_by_text("同时只能进行两个导入")).to_be_visible()
    await expect(page.get_by_text("请在 5 秒后重试")).to_be_visible()


async def test_terminal_with_a_device_that_waits(visit: Visit, world: World) -> None:
    await _execute(
        world,
        "INSERT INTO terminals (phone, waiting_device, waiting_since) VALUES"
        " ('13800000001', ARRAY['70111', 'GT-1', 'A0001', '苏F12345'], now())",
    )
    await _execute(
        world,
        "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from) SELECT t.no, v.no, now() - interval '1 day'"
        " FROM terminals t, vehicles v WHERE t.phone = '13800000001' AND v.id = 'car-1'",
    )
    page = await visit("office", "/registry/terminals")
    await page.locator(LINES).first.click()
    await expect(page.get_by_text("有更换的设备等待接受")).to_be_visible()
    await picture(page, "registry-terminal")
    assert await flaws(page) == []
    await page.get_by_role("button", name="接受该设备").click()
    await page.get_by_role("dialog").get_by_role("button", name="接受该设备").click()
    await expect(page.get_by_text("有更换的设备等待接受")).to_have_count(0)
    await expect(page.locator("dl").first).to_contain_text("A0001")


async def test_who_may_only_read(visit: Visit) -> None:
    page = await visit("dispatcher", "/registry/vehicles")
    await expect(page.locator(LINES).first).to_be_visible()
    await expect(page.get_by_role("button", name="新建")).to_have_count(0)
    await expect(page.get_by_role("button", name="导入")).to_have_count(0)
    await page.locator(LINES).first.click()
    await expect(page.get_by_role("heading", name="苏F")).to_be_visible()
    await expect(page.get_by_role("button", name="修改")).to_have_count(0)
    await page.goto("/registry/vehicles/new")
    await expect(page.get_by_role("heading", name="没有权限")).to_be_visible()
    await page.goto("/registry/nonsense")
    await expect(page.get_by_role("heading", name="页面不存在")).to_be_visible()
