"""围栏: one is drawn by mouse, what would cross itself is refused, a second version, its end, an import, and who has no right to change anything."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from tests.browser.pages import flaws, picture

Visit = Callable[..., Awaitable[Page]]
_NEAR = 1e-6


async def _read(page: Page, address: str) -> Any:
    """What the API says, to the person who is signed in."""
    answer = await page.request.get(address)
    assert answer.ok, await answer.text()
    return await answer.json()


async def _shown(page: Page) -> list[list[float]]:
    """The vertices as the table of the form has them."""
    values = (
        await page.get_by_role("table", name="顶点坐标")
        .locator("input")
        .evaluate_all("all => all.map(one => one.value)")
    )
    numbers = [float(one) for one in values if one]
    return [numbers[k : k + 2] for k in range(0, len(numbers), 2)]


def _same(stored: list[list[float]], drawn: list[list[float]]) -> bool:
    ring = [*drawn, drawn[0]]
    return len(stored) == len(ring) and all(
        abs(a - b) < _NEAR
        for one, other in zip(stored, ring, strict=True)
        for a, b in zip(one, other, strict=True)
    )


async def _press(page: Page, x: int, y: int) -> None:
    await page.locator(".fence-map").click(position={"x": x, "y": y})


async def test_draw_change_and_end(visit: Visit) -> None:
    page = await visit("office", "/fences/new")
    await page.locator(".fence-map[data-face]").wait_for()
    for _ in range(6):
        await page.get_by_role("button", name="放大").click()
    await page.get_by_role("button", name="重新绘制").click()
    for x, y in ((150, 120), (450, 120), (450, 380)):
        await _press(page, x, y)
    # The fourth edge would cross the first: refused, with the reason, and nothing of it is kept.
    await _press(page, 300, 60)
    said = page.locator("#fence-geometry")
    await expect(said).to_contain_text("未采用：边界自相交：边 1—2 与边 3—4 交叉")
    await expect(page.get_by_role("table", name="顶点坐标").get_by_role("row")).to_have_count(5)
    await picture(page, "fences-refused")
    await _press(page, 150, 380)
    await expect(said).to_be_empty()
    await page.get_by_role("button", name="完成绘制").click()
    # A vertex dragged over the opposite edge is refused where it would cross.
    handle = page.get_by_role("button", name="第 1 环顶点 4")
    at = await handle.locator(".dot").bounding_box()
    assert at is not None
    left, top = at["x"] + at["width"] / 2, at["y"] + at["height"] / 2
    await page.mouse.move(left, top)
    await page.mouse.down()
    await page.mouse.move(left + 60, top - 20)
    await page.mouse.move(left + 600, top - 150, steps=3)
    await expect(said).to_contain_text("自相交")
    await page.mouse.move(left + 40, top - 20)
    await expect(said).to_be_empty()
    await page.mouse.up()
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_text("必须填写").first).to_be_visible()
    await page.get_by_label("编号 *").fill("f-1")
    await page.get_by_label("名称 *").fill("<b>停车场</b>")
    await page.get_by_role("combobox", name="单位").click()
    await page.get_by_role("option", name="市建设局").click()
    await page.get_by_label("适用车辆").fill("苏F·12345")
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("适用车辆")).to_have_value("car-1")
    await page.get_by_role("button", name="添加", exact=True).first.click()
    await page.get_by_label("生效").fill("2026-01-01 00:00")
    drawn = await _shown(page)
    assert len(drawn) == 4
    await picture(page, "fences-form")
    assert await flaws(page) == []
    await page.get_by_role("button", name="会怎样").click()
    await expect(page.get_by_role("link", name="查看回测")).to_have_attribute("href", "/backtests/1")
    asked = await _read(page, "/v1/backtests/1")
    assert (asked["rule"], asked["fence"]["id"]) == ("location", "f-1")
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_role("heading", name="<b>停车场</b>")).to_be_visible()
    stored = await _read(page, "/v1/fences/f-1")
    assert _same(stored["geometry"]["coordinates"][0], drawn)
    assert (stored["vehicles"], stored["valid_from"]) == (["car-1"], "2026-01-01T00:00:00+08:00")

    # A second version: one vertex by the table, one taken out; somebody else was first.
    west = round(drawn[0][0] - 0.001, 7)
    await page.get_by_role("button", name="修改").click()
    await page.get_by_label("顶点 1 经度").fill(str(west))
    await page.keyboard.press("Tab")
    await page.get_by_role("button", name="第 1 环顶点 4").press("Delete")
    await page.get_by_label("生效").fill("2026-02-01")
    other = {key: stored[key] for key in ("organisation", "vehicles", "datum", "geometry")} | {
        "name": "停车场"
    }
    written = await page.evaluate(
        """async body => {
            const token = (await (await fetch('/v1/session')).json()).csrf_token
            return (await fetch('/v1/fences/f-1', { method: 'PUT', headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': token }, body })).status
        }""",
        json.dumps(other | {"valid_from": "2026-01-15T00:00:00+08:00"}),
    )
    assert written == 200
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_text("此围栏已被他人修改（现为第 2 版）")).to_be_visible()
    drawn = await _shown(page)
    assert (len(drawn), drawn[0][0]) == (3, west)
    # Both versions: the other name, and the other area dashed on the map.
    await expect(page.locator("tr[data-field=name]")).to_contain_text("<b>停车场</b>")
    await expect(page.locator("tr[data-field=area]")).to_contain_text("4 个顶点")
    await expect(page.locator("[data-test=beside]")).to_be_visible()
    await picture(page, "fences-two-versions")
    assert await flaws(page) == []
    await page.get_by_role("button", name="仍按我的内容保存").click()
    await page.get_by_role("button", name="确定").click()
    versions = page.get_by_role("table", name="各版本")
    await expect(versions.get_by_role("row")).to_have_count(4)
    assert _same((await _read(page, "/v1/fences/f-1"))["geometry"]["coordinates"][0], drawn)
    await page.get_by_role("button", name="查看第 1 版").click()
    await expect(page.get_by_role("table", name="顶点坐标").get_by_role("row")).to_have_count(5)
    await picture(page, "fences-page")
    assert await flaws(page) == []
    # It goes to the terminals of its vehicles, and is taken back.
    await page.get_by_role("button", name="下发", exact=True).click()
    await page.get_by_role("button", name="停止下发").click()
    assert (await _read(page, "/v1/fences/f-1/terminals"))["sent"] is True
    await page.get_by_role("dialog").get_by_role("button", name="停止下发").click()
    await expect(page.get_by_role("button", name="下发", exact=True)).to_be_visible()
    await page.get_by_role("button", name="撤销围栏").click()
    await page.get_by_role("dialog").get_by_role("button", name="撤销围栏").click()
    await expect(versions.get_by_role("row").nth(1)).to_contain_text("已失效")
    assert (await _read(page, "/v1/fences/f-1"))["valid_to"] is not None


async def test_areas_holes_and_another_datum(visit: Visit) -> None:
    page = await visit("office", "/fences/new")
    await page.locator(".fence-map[data-face]").wait_for()
    for _ in range(6):
        await page.get_by_role("button", name="放大").click()

    async def draw(button: str, *points: tuple[int, int]) -> None:
        await page.get_by_role("button", name=button).click()
        for x, y in points:
            await _press(page, x, y)
        await page.get_by_role("button", name="完成绘制").click()

    await draw("重新绘制", (100, 120), (400, 120), (400, 420), (100, 420))
    await draw("再画一块", (460, 120), (600, 120), (600, 300))
    # A hole goes where its first point lies; outside of every area it is refused.
    await page.get_by_role("button", name="画内孔").click()
    await _press(page, 440, 440)
    said = page.locator("#fence-geometry")
    await expect(said).to_contain_text("内孔不在外边界之内")
    for x, y in ((180, 200), (300, 200), (300, 320)):
        await _press(page, x, y)
    await page.get_by_role("button", name="完成绘制").click()
    await expect(said).to_be_empty()
    part = page.get_by_label("部分").first  # the other one is of the converted area, which is only shown
    parts = part.locator("option")
    await expect(parts).to_have_text(["第 1 块外边界", "第 2 块外边界", "第 2 块内孔 1"])
    # Of another datum it lies elsewhere: the dashed area is the one by which is judged.
    await page.get_by_label("坐标系").select_option("gcj02")
    await expect(page.locator("[data-test=beside]")).to_be_visible()
    await expect(page.get_by_text("与换算为 WGS-84 的位置相差约")).to_be_visible()
    await picture(page, "fences-parts")
    assert await flaws(page) == []
    await page.get_by_label("编号 *").fill("f-parts")
    await page.get_by_label("名称 *").fill("东院、西院")
    await page.get_by_role("combobox", name="单位").click()
    await page.get_by_role("option", name="市建设局").click()
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_role("heading", name="东院、西院")).to_be_visible()
    stored = await _read(page, "/v1/fences/f-parts")
    assert (stored["datum"], stored["geometry"]["type"]) == ("gcj02", "MultiPolygon")
    assert [len(area) for area in stored["geometry"]["coordinates"]] == [1, 2]
    # The hole is taken out again.
    await page.get_by_role("button", name="修改").click()
    # Waits for the form: the page before has such a list as well.
    await expect(page.get_by_role("button", name="保存")).to_be_visible()
    await part.select_option(label="第 2 块内孔 1")
    await page.get_by_role("button", name="删除此内孔").click()
    await expect(parts).to_have_count(2)
    await page.get_by_role("button", name="取消").click()
    await page.get_by_role("dialog").get_by_role("button", name="确定").click()


async def test_import_and_without_the_right(visit: Visit, tmp_path: Path) -> None:
    ring = [[120.89, 31.98], [120.892, 31.98], [120.892, 31.982], [120.89, 31.982], [120.89, 31.98]]
    crossing = [ring[0], ring[2], ring[1], ring[3], ring[0]]
    file = tmp_path / "围栏.geojson"

    def write(*rings: list[list[float]]) -> None:
        features = [
            {
                "type": "Feature",
                "id": f"g-{k}",
                "properties": {"name": f"院{k}"},
                "geometry": {"type": "Polygon", "coordinates": [each]},
            }
            for k, each in enumerate(rings)
        ]
        file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")

    page = await visit("office", "/fences/import")
    write(ring, crossing)
    await page.get_by_label("选择文件").set_input_files(file)
    await expect(page.get_by_role("button", name="导入", exact=True)).to_be_disabled()
    await page.get_by_label("坐标系").select_option("gcj02")
    await expect(page.locator("[data-test=preview] [data-test=beside]")).to_be_visible()
    await page.get_by_role("combobox", name="单位").click()
    await page.get_by_role("option", name="市教育局").click()
    await page.get_by_role("button", name="导入", exact=True).click()
    await expect(page.get_by_role("table", name="错误的行")).to_contain_text("院1")
    await picture(page, "fences-import")
    assert await flaws(page) == []
    write(ring)
    await page.get_by_role("button", name="导入", exact=True).click()
    await expect(page.get_by_text("文件在选择之后被修改")).to_be_visible()
    await page.get_by_label("选择文件").set_input_files(file)
    await page.get_by_role("button", name="导入", exact=True).click()
    await expect(page.locator(".counts .created")).to_contain_text("1")
    stored = await _read(page, "/v1/fences/g-0")
    assert (stored["datum"], stored["organisation"], stored["geometry"]["coordinates"][0]) == (
        "gcj02",
        "jyj",
        ring,
    )

    page = await visit("inspector", "/fences")
    await page.get_by_role("row").filter(has_text="院0").wait_for()
    await expect(page.get_by_role("button", name="新建围栏")).to_have_count(0)
    await picture(page, "fences-list")
    assert await flaws(page) == []
    await page.get_by_role("row").filter(has_text="院0").click()
    await expect(page.get_by_role("heading", name="院0")).to_be_visible()
    await expect(page.locator(".fence-map .foot")).to_contain_text("GCJ-02")
    await expect(page.get_by_role("button", name="修改")).to_have_count(0)
    await expect(page.get_by_role("button", name="撤销围栏")).to_have_count(0)
