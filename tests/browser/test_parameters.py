"""规则参数 and 回测: a change is proposed, tried by a real backtest, and put in force."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest_asyncio
from playwright.async_api import Page, expect

from gongche.backtest_job import run_next
from rules.backtest import jobs
from runtime.units import CHINA
from tests.browser.pages import flaws, picture
from tests.browser.world import MARKUP, World

Visit = Callable[..., Awaitable[Page]]
CHANGE = "/parameters/change?rule=traffic_violations%26name=min_violations%26organisation=jsj"


@pytest_asyncio.fixture(loop_scope="session")
async def database(world: World) -> AsyncIterator[Any]:
    """A connection; with one violation of a vehicle of the unit jsj in the month before this one."""
    connection = await asyncpg.connect(world.dsn)
    first = datetime.now(CHINA).replace(day=1, hour=9, minute=0, second=0, microsecond=0)
    await connection.execute("DELETE FROM backtests")
    await connection.execute("DELETE FROM rule_parameters")
    await connection.execute(
        "INSERT INTO violations (id, plate, at, act) VALUES ('tried', '苏F12345', $1, $2) ON CONFLICT DO NOTHING",
        first - timedelta(days=10),
        MARKUP,
    )
    yield connection
    await connection.execute("DELETE FROM backtests")
    await connection.execute("DELETE FROM rule_parameters")
    await connection.execute("DELETE FROM violations WHERE id = 'tried'")
    await connection.close()


async def test_a_change_is_tried_and_put_in_force(visit: Visit, world: World, database: Any) -> None:
    page = await visit("office", "/parameters?rule=traffic_violations")
    row = page.locator("tr[data-name=min_violations]")
    await expect(row).to_contain_text("违章次数")
    await expect(row).to_contain_text("市纪委电子监察预警平台")
    await picture(page, "parameters")
    assert await flaws(page) == []
    await row.get_by_role("link", name="提出调整").click()
    await page.get_by_role("button", name="试算").click()
    await expect(page.get_by_text("请选择单位", exact=True).last).to_be_visible()
    await expect(page.get_by_text("请填写新的值")).to_be_visible()
    await page.get_by_role("combobox", name="适用单位").click()
    await page.get_by_role("option", name="市建设局").click()
    await page.get_by_label("新的值").fill("0")
    await expect(page.get_by_text("应在 1 至 1000 之间")).to_be_visible()
    await picture(page, "parameter-flaws")
    await page.get_by_label("新的值").fill("1")
    await page.get_by_role("button", name="试算").click()
    await expect(page.get_by_text("即将开始")).to_be_visible()
    await page.reload()  # the proposal is in the address
    await expect(page.get_by_label("新的值")).to_have_value("1")
    await expect(page.get_by_text("即将开始")).to_be_visible()
    assert await run_next(world.settings) == "done"
    await expect(page.locator("tfoot [data-kind=raised]")).to_have_text("1")
    await expect(page.get_by_role("region", name="例子")).to_contain_text("苏F·12345")
    await expect(page.get_by_text("还没有管理处的结论")).to_be_visible()
    await picture(page, "parameter-tried")
    assert await flaws(page) == []
    await page.get_by_label("新的值").fill("3")
    await expect(page.get_by_text("与上面填写的不同")).to_be_visible()
    await page.get_by_label("新的值").fill("1")
    await page.get_by_role("button", name="使其生效").click()
    await expect(page.get_by_text("请填写依据")).to_be_visible()
    await page.get_by_label("依据").fill(MARKUP)
    await page.get_by_role("button", name="使其生效").click()
    asked = page.get_by_role("dialog")
    await expect(asked).to_contain_text("由 2 改为 1")
    await expect(asked).to_contain_text("新增疑似 1，撤销 0")
    await picture(page, "parameter-asked")
    assert await database.fetchval("SELECT count(*) FROM rule_parameters") == 0
    await asked.get_by_role("button", name="生效").click()
    await expect(row).to_contain_text("起：1")  # from tomorrow on
    await row.get_by_role("button", name="1 个").click()
    await expect(page.locator(".inner")).to_contain_text(MARKUP)
    assert await page.locator("img").count() == 0
    stored = await database.fetchrow("SELECT value, organisation FROM rule_parameters")
    assert tuple(stored) == (1, "jsj")
    await page.get_by_role("button", name="撤销").click()
    await page.get_by_role("dialog").get_by_role("button", name="撤销").click()
    await expect(row).to_contain_text("未设定")


async def test_backtests_are_listed_cancelled_and_begun_again(
    visit: Visit, world: World, database: Any
) -> None:
    page = await visit("office", "/backtests")
    await expect(page.get_by_role("heading", name="还没有试算")).to_be_visible()
    await page.goto(CHANGE.replace("%26", "&") + "&value=1")
    for _ in range(jobs.MOST_OWN):
        await page.get_by_role("button", name="试算", exact=False).first.click()
        await expect(page.get_by_text("排队")).to_be_visible()
        await page.goto(CHANGE.replace("%26", "&") + "&value=1")
    await page.get_by_role("button", name="试算").click()
    await expect(page.locator("[data-code=queue-full]")).to_contain_text("请在 60 秒后重试")
    await page.goto("/backtests")
    lines = page.locator("[role=row].line")
    await expect(lines).to_have_count(jobs.MOST_OWN)
    await lines.first.get_by_role("button", name="取消试算").click()
    await page.get_by_role("dialog").get_by_role("button", name="取消试算").click()
    await expect(lines.first).to_contain_text("已取消")
    await database.execute(
        "UPDATE backtests SET state = 'interrupted', problem = $1, ended_at = now() WHERE no = (SELECT min(no) FROM backtests)",
        jobs.INTERRUPTED,
    )
    await expect(lines.last).to_contain_text("中断")
    running = (
        "UPDATE backtests SET state = $1, done = 3, total = 10 WHERE no = (SELECT min(no) + 1 FROM backtests)"
    )
    await database.execute(running, "running")
    await expect(lines.nth(1)).to_contain_text("30%")
    await picture(page, "backtests")
    assert await flaws(page) == []
    await lines.nth(1).click()
    await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "30")
    await picture(page, "backtest-running")
    await database.execute(running, "queued")
    await page.go_back()
    await lines.last.click()
    await expect(page.get_by_text("运行它的进程已终止")).to_be_visible()
    await page.get_by_role("button", name="重新开始").click()
    await expect(page.get_by_text("前面还有 1 项")).to_be_visible()
    assert await run_next(world.settings) == "done"
    assert await run_next(world.settings) == "done"
    await expect(page.locator("tfoot [data-kind=raised]")).to_have_text("1")
    await picture(page, "backtest")
    assert await flaws(page) == []


async def test_who_may_not_write_reads_only(visit: Visit, database: Any) -> None:
    await database.execute(
        "INSERT INTO rule_parameters (rule, name, organisation, effective_from, value, source)"
        " VALUES ('mileage', 'ratio_permille', 'jsj', '2026-01-01T00:00:00+08:00', 1300, '文号')"
    )
    page = await visit("inspector", "/parameters?rule=mileage%26unit=jsj", color_scheme="dark")
    row = page.locator("tr[data-name=ratio_permille]")
    await expect(row).to_contain_text("1300 ‰（1.3 倍）")
    await expect(row).to_contain_text("市建设局 设定")
    await expect(page.get_by_text("您可以查看，不能调整")).to_be_visible()
    await expect(page.get_by_text("提出调整")).to_have_count(0)
    await row.get_by_role("button", name="1 个").click()
    await expect(page.get_by_role("button", name="撤销")).to_have_count(0)
    await picture(page, "parameters-read-only-dark")
    assert await flaws(page) == []
    await expect(page.locator("nav").get_by_role("link", name="回测")).to_have_count(0)
    for address in ("/backtests", CHANGE.replace("%26", "&")):
        await page.goto(address)
        await expect(page.get_by_role("heading", name="没有权限")).to_be_visible()
