"""Numbers for people who look: cockpit, operations, statistics, assessment, data quality. What a page shows is what the API says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import pytest
from playwright.async_api import Page, expect

from runtime.units import CHINA
from tests.browser import world as worlds
from tests.browser.conftest import chromium
from tests.browser.pages import flaws, picture
from tests.browser.world import MARKUP, World, running_world
from tests.databases import copied

Visit = Callable[..., Awaitable[Page]]
LINES: Final = "[role=row].line"
#: A day of a gateway and a worker; the worker said nothing for a while.
_SAMPLES: Final = """
INSERT INTO process_samples (at, process, instance, version, started_at, seconds, decoded, confirmed, memory_bytes, disk_free_bytes, disk_size_bytes,
        cpu_seconds, connections, reply, append, rejects)
    SELECT at, 'gateway', 'node-1:9101', '0.11', now() - interval '2 days', 10, 3000 + 500 * sin(i / 60.0), 3000 + 500 * sin(i / 60.0),
        4e8 + i * 1e4, 6e10, 1e11, 3, 290, ARRAY[0,5,900,80,9,4,2,0,0,0,0,0,0,0,0], ARRAY[0,0,60,20,6,2,1,0,0,0,0,0,0,0,0],
        CASE WHEN i % 50 < 3 THEN '{"checksum": 12, "unknown_terminal": 4}'::jsonb END
    FROM (SELECT i, date_bin('10 seconds', now(), 'epoch') - i * interval '10 seconds' AS at FROM generate_series(0, 1200) i) t;
INSERT INTO process_samples (at, process, instance, version, started_at, seconds, stored, lag_seconds, memory_bytes, cpu_seconds, delay)
    SELECT at, 'worker', 'node-1:9102', '0.11', now() - interval '2 days', 10, 2990 + 500 * sin(i / 60.0), 0.4, 7e8, 5, ARRAY[10,500,300,20,5,1,0,0,0,0,0,0,0]
    FROM (SELECT i, date_bin('10 seconds', now(), 'epoch') - i * interval '10 seconds' AS at FROM generate_series(0, 1200) i) t
    WHERE i NOT BETWEEN 300 AND 420;
"""
_CASES: Final = """
INSERT INTO cases (id, organisation, number, state, version, source, level, title, created_at, due_on, yellow_from)
    SELECT 'old-' || i, (ARRAY['jsj', 'wsj', 'jyj'])[1 + i % 3], '督〔2026〕' || i || '号', (ARRAY['working', 'replied', 'closed', 'issued'])[1 + i % 4], 1,
        'joint', 'general', '疑似非工作时间用车', now() - i * interval '1 day', current_date + i % 9 - 4, current_date FROM generate_series(1, 40) i;
"""
_OBJECTION: Final = """
INSERT INTO assessment_disputes VALUES ('objection-1', 'jsj', '2026Q3', '督〔2026〕7号', 1, 'dispatch', 'finding', '当日为应急出车 <b>附后</b>', '{user:unit}', '王芳', now());
"""


@pytest.fixture(scope="module")
def world(
    postgres_dsn: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The district with alerts of the last days, cases, and processes that noted their figures."""
    chromium()
    with (
        pytest.MonkeyPatch.context() as patch,
        copied(postgres_dsn, template_database, "charts") as dsn,
    ):
        patch.setattr(worlds, "NEWEST", datetime.now(UTC).astimezone(CHINA))
        with running_world(dsn, tmp_path_factory.mktemp("charts")) as made:
            asyncio.run(_fill(made))
            yield made


async def _fill(world: World) -> None:
    connection = await asyncpg.connect(world.dsn)
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(_SAMPLES)
        await connection.execute(_CASES)
        await connection.execute(_OBJECTION)
    await connection.close()


async def api(page: Page, path: str) -> Any:
    """What the API says to the person of ``page``."""
    return await page.evaluate("async path => (await fetch(path)).json()", path)


async def listed(page: Page, count: int) -> None:
    """The list that is open has so many rows."""
    await expect(page.get_by_text(f"统计时 {count} 条")).to_be_visible()
    if count:
        await expect(page.locator("[role=status]").get_by_text(f"共 {count} 条")).to_be_visible()


async def test_cockpit_shows_the_numbers_of_the_api_and_opens_their_rows(visit: Visit) -> None:
    page = await visit("office", "/cockpit")
    said = await api(page, "/v1/statistics/cockpit")
    tiles = page.locator("a.tile")
    for label, number in (
        ("在用车辆", said["fleet"]["vehicles"]), ("未装终端", said["fleet"]["no_terminal"]), ("今日预警", said["alerts"]["today"]),
        ("近 7 天预警", said["alerts"]["days"]), ("近 7 天疑似待处理", said["alerts"]["open"]),
    ):  # fmt: skip
        tile = tiles.filter(has=page.get_by_text(label, exact=True))
        await expect(tile.locator(".count")).to_contain_text(str(number["count"]))
        await tile.click()
        await listed(page, number["count"])
        await page.go_back()
    for one in said["alerts"]["by_unit"]:
        row = page.locator(".bars a").filter(has_text=one["name"])
        await expect(row.locator(".count")).to_have_text(str(one["count"]))
    assert await page.locator(".cockpit img").count() == 0
    await expect(page.locator(".bars").last).to_contain_text(MARKUP)  # text of people is text
    state = next(each for each in said["cases"]["states"] if each["state"] == "working")
    row = page.locator("tbody tr").filter(has_text="办理中")
    await expect(row.locator("a").last).to_have_text(str(state["count"]))
    await picture(page, "cockpit")
    assert await flaws(page) == []
    await row.locator("a").last.click()
    await listed(page, state["count"])
    await expect(page.locator(LINES).first).to_contain_text("办理中")
    await picture(page, "rows")
    assert await flaws(page) == []


async def test_cockpit_on_a_wall_says_when_it_is_old(visit: Visit) -> None:
    page = await visit("head", "/cockpit", color_scheme="dark")
    await page.get_by_role("link", name="大屏").click()
    await page.set_viewport_size({"width": 1920, "height": 1080})
    await expect(page.get_by_role("heading", name="驾驶舱")).to_be_visible()
    await expect(page.locator(".bars a").first).to_be_visible()
    fits = "() => document.documentElement.scrollWidth <= innerWidth && document.querySelector('.cockpit').scrollHeight <= innerHeight"
    assert await page.evaluate(fits)
    await picture(page, "cockpit-wall")
    await page.set_viewport_size({"width": 3840, "height": 2160})
    assert await page.evaluate(fits)
    await picture(page, "cockpit-4k")
    assert await flaws(page) == []
    await page.set_viewport_size({"width": 1366, "height": 768})
    await page.clock.install()
    await page.reload()
    await expect(page.locator(".bars a").first).to_be_visible()
    await page.context.set_offline(True)
    await page.clock.fast_forward(30_000)
    await expect(page.get_by_text("数据已过时")).to_be_visible()
    await expect(page.locator(".cockpit")).to_have_class(re.compile("stale"))
    await picture(page, "cockpit-old")
    await page.context.set_offline(False)
    await page.clock.fast_forward(6_000)
    await expect(page.get_by_text("数据已过时")).to_have_count(0)


async def test_operations_have_gaps_where_nothing_is_known(visit: Visit) -> None:
    page = await visit("admin", "/operations?hours=6")
    state = await api(page, "/v1/operations/state")
    table = page.locator("tbody tr[data-process]")
    await expect(table).to_have_count(len(state["processes"]))
    await expect(page.locator("tr[data-process=gateway]")).to_contain_text("运行中")
    chart = page.locator("[data-chart=positions]")
    await expect(chart.locator("canvas")).to_be_visible()
    await picture(page, "operations")
    assert await flaws(page) == []
    await chart.get_by_role("button", name="数据表").click()
    rows = chart.locator("tbody tr")
    await expect(rows.first).to_be_visible()
    cells = await rows.evaluate_all("rows => rows.map(row => row.innerText.split('\\t'))")
    assert {len(row) for row in cells} == {4}
    assert any(row[3] == "—" and row[1] != "—" for row in cells)  # the worker was away, the gateway was not
    assert not any(row[3].startswith("0 ") for row in cells)
    await page.goto("/operations?hours=6&process=worker%20node-1%3A9102")
    await expect(page.locator("[data-chart=lag] canvas")).to_be_visible()
    await expect(page.locator("[data-chart=rejects]")).to_contain_text("没有数据")


async def test_who_may_not_see_a_part_has_no_part(visit: Visit) -> None:
    page = await visit("admin", "/cockpit")
    await expect(page.get_by_role("heading", name="驾驶舱")).to_be_visible()
    await expect(page.get_by_text("近 7 天预警")).to_have_count(0)
    await page.goto("/rows?list=/v1/users")
    await expect(page.get_by_role("heading", name="没有这个列表")).to_be_visible()


async def test_statistics_are_those_of_the_api(visit: Visit) -> None:
    page = await visit("office", "/statistics")
    said = await api(page, "/v1/statistics/alerts?by=organisation")
    rows = page.locator(".ranking tbody tr")
    await expect(rows).to_have_count(len(said["items"]))
    for one in said["items"]:
        row = page.locator(f"tr[data-key={one['key']}]")
        await expect(row.locator(".alerts")).to_have_text(str(one["alerts"]))
        await expect(row).to_contain_text(one["name"])
    await expect(page.locator(".course svg").first).to_be_visible()
    await picture(page, "statistics")
    assert await flaws(page) == []
    await page.locator(".course").get_by_role("button", name="数据表").click()
    counts = await page.locator(".course tbody td").all_inner_texts()
    assert sum(map(int, counts)) == said["totals"]["alerts"]
    assert len(counts) == 31
    await page.get_by_role("button", name="车辆", exact=True).click()
    await expect(rows.first).to_contain_text("苏F")
    await page.get_by_role("treeitem", name="市卫生健康委员会").get_by_text("市卫生健康委员会").click()
    await expect(rows).to_have_count(2)  # that of the unit, and that of the hospital below it
    number = rows.first.locator(".alerts a")
    count = int(await number.inner_text())
    async with page.expect_download() as downloads:
        await page.get_by_role("link", name="导出 XLSX").click()
    assert (await downloads.value).suggested_filename.endswith(".xlsx")
    await number.click()
    await listed(page, count)


async def test_data_quality_says_who_can_mend_it(visit: Visit) -> None:
    page = await visit("unit", "/quality")
    said = await api(page, "/v1/statistics/data-quality")
    await expect(page.locator("tbody tr")).to_have_count(len(said["items"]))
    for one in said["items"]:
        row = page.locator(f"tr[data-kind={one['kind']}]")
        await expect(row).to_contain_text(one["zh"])
        await expect(row.locator("td").first).to_contain_text(str(one["count"]))
    await picture(page, "quality")
    assert await flaws(page) == []
    none = next(one for one in said["items"] if one["kind"] == "vehicles_no_terminal")
    await page.locator("tr[data-kind=vehicles_no_terminal] a").click()
    await listed(page, none["count"])


async def test_assessment_ranking_sheet_and_an_objection(visit: Visit) -> None:
    page = await visit("head", "/assessment?period=2026Q3")
    said = await api(page, "/v1/assessments/2026Q3?organisation=city")
    rows = page.locator("tr[data-unit]")
    await expect(rows).to_have_count(len(said["items"]))
    for one in said["items"]:
        await expect(page.locator(f"tr[data-unit={one['organisation']}] .score")).to_have_text(one["score"])
    await picture(page, "assessment")
    assert await flaws(page) == []
    await page.locator("tr[data-unit=jsj] a").click()
    sheet = await api(page, "/v1/assessments/2026Q3/jsj")
    await expect(page.locator(".score")).to_have_text(sheet["score"])
    await expect(page.locator("tr[data-item]")).to_have_count(len(sheet["items"]))
    await expect(page.get_by_text("没有数据，未评").first).to_be_visible()  # not zero
    await picture(page, "assessment-sheet")
    assert await flaws(page) == []
    await page.goto("/assessment/objections?state=open")
    one = page.locator("[data-id=objection-1]")
    await expect(one).to_contain_text("当日为应急出车 <b>附后</b>")
    await expect(one.get_by_role("button", name="异议成立")).to_be_disabled()
    await one.get_by_label("决定的理由（必填）").fill("经核实，当日确为应急出车，予以采纳")
    await picture(page, "objections")
    assert await flaws(page) == []
    await one.get_by_role("button", name="异议成立").click()
    await page.get_by_role("dialog").get_by_role("button", name="确定").click()
    await expect(one).to_have_count(0)
    decided = await api(page, "/v1/assessment-disputes/objection-1")
    assert decided["state"] == "upheld"


async def test_a_table_is_drafted_published_and_a_sheet_closed(visit: Visit) -> None:
    page = await visit("office", "/assessment/tables?organisation=city&year=2026")
    await expect(page.get_by_text("本年没有发布的评分表")).to_be_visible()
    await picture(page, "assessment-tables")
    assert await flaws(page) == []
    await page.get_by_role("button", name="拟新版本").click()
    await page.get_by_label("满分 1", exact=True).fill("9")
    await expect(page.get_by_text("满分合计 99.00，须为 100.00")).to_be_visible()
    await page.get_by_role("button", name="保存草稿").click()
    await expect(page.get_by_text("有 1 处须更正，未保存。")).to_be_visible()
    await page.get_by_label("满分 2", exact=True).fill("11")
    await page.locator(".entries li").first.get_by_role("button", name="修改扣分").click()
    await page.get_by_role("dialog").get_by_label("扣分").fill("4")
    await page.get_by_role("dialog").get_by_role("button", name="确定").click()
    await picture(page, "assessment-draft")
    assert await flaws(page) == []
    await page.get_by_role("button", name="保存草稿").click()
    row = page.locator("tr[data-version='1']")
    await expect(row).to_contain_text("草稿")
    await page.locator("tr[data-version='0']").get_by_role("button", name="与所选比较").click()
    await expect(page.get_by_role("table", name="不同之处").locator("tbody tr")).to_have_count(3)
    await picture(page, "assessment-compare")
    await expect(page.get_by_role("button", name="发布评分表")).to_have_count(0)  # another person publishes

    head = await visit("head", "/assessment/tables?organisation=city&year=2026")
    await head.get_by_role("button", name="发布评分表").click()
    await head.get_by_role("dialog").get_by_role("button", name="发布评分表").click()
    await expect(head.locator("tr[data-version='1']")).to_contain_text("2026-01-01")
    await expect(head.get_by_role("button", name="发布评分表")).to_have_count(0)

    await head.goto("/assessment/2026Q3/jsj")
    part = head.get_by_role("region", name="关闭考核表")
    await expect(part).to_contain_text("冻结")
    await picture(head, "assessment-close")
    assert await flaws(head) == []
    await part.get_by_role("button", name="关闭考核表").click()
    asked = head.get_by_role("dialog")
    await expect(asked).to_contain_text("市建设局 2026年第3季度")
    await asked.get_by_role("button", name="关闭考核表").click()
    await expect(head.locator(".sum")).to_contain_text("异议截止")
    await expect(part).to_have_count(0)
    assert (await api(head, "/v1/assessments/2026Q3/jsj"))["closed_by"] == "陈静"
    await page.goto("/assessment/2026Q3/wsj")
    await expect(page.get_by_role("heading", name="扣分明细")).to_be_visible()
    await expect(page.get_by_role("region", name="关闭考核表")).to_have_count(0)  # no right: no button


async def test_who_may_not_decide_has_no_button(visit: Visit) -> None:
    page = await visit("office", "/assessment/objections")
    await expect(page.locator("[data-id=objection-1]")).to_be_visible()
    await expect(page.locator("form")).to_have_count(0)
