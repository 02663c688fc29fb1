"""预警中心: the work list of alerts."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from playwright.async_api import Page, expect

from runtime.postgres import connect
from tests.browser.pages import flaws, picture
from tests.browser.world import MARKUP, World

Visit = Callable[..., Awaitable[Page]]
LINES = "[role=row].line"


async def test_list_shows_what_the_api_has(visit: Visit) -> None:
    page = await visit("office", "/alerts")
    await expect(page.locator(LINES).first).to_contain_text(
        "2026-03-02 21:14"
    )  # in Beijing, though the desktop says New York
    await expect(page.get_by_role("grid")).to_have_attribute("aria-rowcount", "61")
    await expect(page.get_by_text("共 60 条")).to_be_visible()
    drawn = await page.locator(LINES).count()
    assert 10 < drawn < 45  # windowed
    await picture(page, "alerts")
    assert await flaws(page) == []


async def test_filters_are_the_address(visit: Visit, world: World) -> None:
    page = await visit("office", "/alerts?organisation=jsj%26status=suspected")
    await expect(page.get_by_text("共 24 条")).to_be_visible()
    await page.get_by_label("车牌").fill("苏f·12346")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("共 12 条")).to_be_visible()
    assert "plate=%E8%8B%8FF12346" in page.url
    await page.get_by_label("开始日期").fill("3月2日")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("共 1 条")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_text("共 12 条")).to_be_visible()
    await expect(page.get_by_label("开始日期")).to_have_value("")
    await page.reload()
    await expect(page.get_by_text("共 12 条")).to_be_visible()
    await page.get_by_label("开始日期").fill("二月三十")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("无法识别的日期")).to_be_visible()
    await page.goto("/alerts?rule=location&status=nonsense")
    await expect(page.get_by_text("没有符合条件的记录")).to_be_visible()
    await picture(page, "alerts-empty")


async def test_unit_tree_and_saved_view(visit: Visit) -> None:
    page = await visit("head", "/alerts")
    await page.get_by_role("treeitem", name="市卫生健康委员会").get_by_text("市卫生健康委员会").click()
    await expect(page.get_by_text("共 24 条")).to_be_visible()
    assert "organisation=wsj" in page.url  # the commission and its hospital
    await page.get_by_role("button", name="常用视图").click()
    await page.get_by_label("视图名称").fill("卫健委")
    await page.keyboard.press("Enter")
    await page.goto("/alerts")
    await expect(page.get_by_text("共 60 条")).to_be_visible()
    await page.get_by_role("button", name="常用视图").click()
    await page.get_by_role("button", name="卫健委", exact=True).click()
    await expect(page.get_by_text("共 24 条")).to_be_visible()


async def test_keyboard_alone(visit: Visit) -> None:
    page = await visit("inspector", "/alerts")
    await expect(page.locator(LINES).first).to_be_visible()
    await expect(page.get_by_role("grid")).to_be_focused()
    for key in ("j", "j", "x", "k", "x"):
        await page.keyboard.press(key)
    await expect(page.get_by_text("已选 2 条")).to_be_visible()
    current = page.locator(f"{LINES}.current")
    id = await current.get_attribute("data-id")
    await page.keyboard.press("End")
    await expect(current).to_contain_text("2026-02-23")
    await page.keyboard.press("Home")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="非工作时间用车")).to_be_visible()
    assert page.url.endswith(f"/alerts/{id}")
    await expect(page.locator("article")).to_contain_text("2026年3月2日 21:14 北京时间")
    await picture(page, "alert")
    assert await flaws(page) == []
    await page.go_back()
    await expect(page.get_by_text("已选 2 条")).to_be_visible()  # the list is as it was
    await expect(page.get_by_role("grid")).to_be_focused()
    await page.keyboard.press("j")
    await expect(current).to_contain_text("2026-03-02 18:14")


async def test_what_is_unread_and_what_was_marked(visit: Visit, world: World) -> None:
    page = await visit("head", "/alerts?organisation=yiyuan%26unread=true")
    await expect(page.get_by_text("共 12 条")).to_be_visible()
    first = page.locator(LINES).first
    await expect(first).to_have_class(re.compile("strong"))
    await picture(page, "alerts-unread")
    assert await flaws(page) == []
    id = await first.get_attribute("data-id")
    await first.click()
    await expect(page.get_by_role("heading", name="非工作时间用车")).to_be_visible()
    await page.go_back()
    row = page.locator(f"{LINES}[data-id='{id}']")
    await expect(row).not_to_have_class(re.compile("strong"))  # opened, so read; it stays where it was
    await page.get_by_role("button", name="刷新").click()
    await expect(page.get_by_text("共 11 条")).to_be_visible()
    await expect(row).to_have_count(0)
    # Another person has his own; the others are marked all at once, and one of them is unread again.
    other = await visit("inspector", "/alerts?organisation=yiyuan%26unread=true")
    await expect(other.get_by_text("共 12 条")).to_be_visible()
    await page.get_by_role("grid").focus()
    await page.keyboard.press("Shift+A")
    await page.get_by_role("button", name="标为已读").click()
    await expect(page.locator(f"{LINES}.strong")).to_have_count(0)
    await page.keyboard.press("Home")
    await page.get_by_role("grid").focus()
    for key in ("Home", "x"):
        await page.keyboard.press(key)
    await page.get_by_role("button", name="标为未读").click()
    await page.get_by_role("button", name="刷新").click()
    await expect(page.get_by_text("共 1 条")).to_be_visible()
    # What is issued anew is unread again.
    connection = await connect(world.dsn)
    await connection.execute(
        "UPDATE alerts SET version = 2 WHERE id = $1", id
    )  # and its contents with it, as the judge does
    await connection.execute(
        "INSERT INTO alert_versions SELECT alert_id, 2, jsonb_set(body, '{version}', '2'), evidence_sha256, now() FROM alert_versions"
        " WHERE alert_id = $1",
        id,
    )
    await page.get_by_role("button", name="刷新").click()
    await expect(page.get_by_text("共 2 条")).to_be_visible()
    await connection.execute("DELETE FROM alert_versions WHERE alert_id = $1 AND version = 2", id)
    await connection.execute("UPDATE alerts SET version = 1 WHERE id = $1", id)
    await connection.close()


async def test_the_order_is_in_the_address(visit: Visit) -> None:
    page = await visit("office", "/alerts")
    heads = page.get_by_role("columnheader")
    await expect(heads.filter(has_text="发现")).to_have_attribute("aria-sort", "descending")
    await heads.get_by_role("button", name="发生（北京时间）").click()
    await expect(heads.filter(has_text="发生")).to_have_attribute("aria-sort", "descending")
    assert "sort=occurred.desc" in page.url
    await heads.get_by_role("button", name="发生（北京时间）").click()
    await expect(page.locator(LINES).first).to_contain_text("2026-02-23")
    assert "sort=occurred.asc" in page.url
    await heads.get_by_role("button", name="等级").click()
    await expect(page.locator(LINES).first).to_contain_text("高")
    await picture(page, "alerts-by-severity")
    assert await flaws(page) == []
    await page.reload()
    await expect(heads.filter(has_text="等级")).to_have_attribute("aria-sort", "descending")
    await page.go_back()
    await expect(page.locator(LINES).first).to_contain_text("2026-02-23")
    await page.goto("/cases?sort=due.asc")
    await expect(heads.filter(has_text="期限")).to_have_attribute("aria-sort", "ascending")
    await page.goto("/registry/vehicles?sort=plate.desc")
    await expect(page.locator(LINES).first).to_contain_text("苏F·D12345")
    await expect(heads.filter(has_text="车牌号")).to_have_attribute("aria-sort", "descending")
    await picture(page, "vehicles-by-plate")


async def test_markup_is_text(visit: Visit) -> None:
    page = await visit("office", "/alerts?organisation=odd")
    await expect(page.locator(LINES).first).to_contain_text(MARKUP)
    await expect(page.get_by_role("tree")).to_contain_text(MARKUP)
    assert await page.locator("img").count() == 0


async def test_english_dark_and_large(visit: Visit) -> None:
    page = await visit("head", "/alerts", color_scheme="dark")
    await page.get_by_role("button", name="账户").click()
    await page.get_by_role("menuitem", name="English").click()
    await expect(page.get_by_text("60 in all")).to_be_visible()
    await expect(page.locator("nav a").first).to_have_text("Alerts")
    assert await flaws(page) == []
    await page.get_by_role("button", name="Account").click()
    await page.get_by_role("menuitem", name="Large letters").click()
    await expect(page.locator(LINES).first).to_have_css("height", "44px")
    await picture(page, "alerts-dark-large")
    last = page.locator(LINES).first.locator("[role=gridcell]").last  # reached by scrolling sideways
    await last.scroll_into_view_if_needed()
    box = await last.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 1366
    await expect(page.locator(LINES).first).to_be_in_viewport()


async def test_connection_lost_and_back(visit: Visit) -> None:
    page = await visit("office", "/alerts")
    await expect(page.get_by_text("共 60 条")).to_be_visible()
    await page.context.set_offline(True)
    await page.get_by_role("button", name="刷新").click()
    await expect(page.get_by_text("与服务器的连接已中断")).to_be_visible()
    await expect(page.get_by_text("数据已过时")).to_be_visible()
    assert await page.locator(LINES).count() > 10  # what was there stays
    await picture(page, "lost")
    await page.context.set_offline(False)
    await expect(page.get_by_text("已重新连接")).to_be_visible()
    await expect(page.get_by_text("数据已过时")).to_have_count(0)


async def test_no_such_page(visit: Visit) -> None:
    page = await visit("office", "/alerts")
    await page.goto("/no/such/page")
    await expect(page.get_by_role("heading", name="页面不存在")).to_be_visible()
    await page.get_by_role("link", name="回到首页").click()
    await expect(page.get_by_role("grid")).to_be_visible()
