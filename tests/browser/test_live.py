"""实时地图: vehicles move, a filter holds, a unit sees its own, the line breaks, there is no WebGL."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from playwright.async_api import Page, expect

from runtime.postgres import connect
from tests.browser.moving import LAT_E6, LON_E6, NO_WEBGL, report, terminals
from tests.browser.pages import flaws, picture
from tests.browser.world import MARKUP, World

Visit = Callable[..., Awaitable[Page]]
LINES = "[role=row].line"


async def district(world: World) -> dict[str, int]:
    """Five vehicles, each in another state: moving, ignition on, standing, alarm, no report since ten minutes."""
    cars = await terminals(world)
    report(
        world,
        [
            {"terminal": cars["car-1"], "speed_dkmh": 420, "direction_deg": 90},
            {"terminal": cars["car-2"], "lon_e6": LON_E6 + 30_000},
            {"terminal": cars["car-3"], "lat_e6": LAT_E6 + 30_000, "status": 2},
            {"terminal": cars["car-4"], "lat_e6": LAT_E6 - 20_000, "alarm": 1, "speed_dkmh": 10},
            {"terminal": cars["car-5"], "lon_e6": LON_E6 - 40_000, "ago": 3_000},
        ],
    )
    return cars


async def test_vehicles_move_and_one_is_opened(visit: Visit, world: World) -> None:
    cars = await district(world)
    page = await visit("office", "/live")
    await expect(page.locator("[data-line=live]")).to_be_visible()
    await expect(page.locator(LINES)).to_have_count(5)
    await expect(page.locator("[data-face=webgl]")).to_be_visible()
    for state in ("moving", "idle", "alarm", "offline"):
        await expect(page.locator(f"[data-state={state}] strong")).to_have_text("1")
    first = page.locator("[data-id=car-1]")
    await expect(first).to_contain_text("42")
    await first.click()
    card = page.get_by_label("车辆情况")
    await expect(card).to_contain_text("120.8900, 31.9800")
    await expect(card).to_contain_text("90° 东")
    await expect(card.get_by_role("link", name="今日轨迹")).to_have_attribute(
        "href", re.compile(r"^/tracks/car-1\?day=\d{4}")
    )
    await expect(card.get_by_role("link", name="今日预警")).to_be_visible()
    await page.wait_for_timeout(300)  # time: a picture of the map as it is drawn
    await picture(page, "live")
    assert await flaws(page) == []
    await card.get_by_role("button", name="跟随").click()
    report(
        world,
        [{"terminal": cars["car-1"], "speed_dkmh": 610, "direction_deg": 180, "lon_e6": LON_E6 + 5_000}],
    )
    await expect(card).to_contain_text("120.8950, 31.9800")
    await expect(first).to_contain_text("61")
    await page.wait_for_timeout(200)  # time: as above
    await picture(page, "live-follow")
    # The vehicle that is followed stands in the middle: a click there finds it.
    await card.get_by_role("button", name="关闭").click()
    box = await page.locator("[data-face] canvas").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await expect(card).to_contain_text("苏F·12345")
    # Filters: a state, a plate, a unit with what is below it.
    await page.locator("[data-state=alarm]").click()
    await expect(page.locator(LINES)).to_have_count(1)
    await page.goto("/live?organisation=wsj")
    await expect(page.locator(LINES)).to_have_count(2)
    await page.get_by_label("车牌").fill("99999")
    await page.keyboard.press("Enter")
    await expect(page.locator(LINES)).to_have_count(1)
    await page.goto("/live?vehicle=car-5")
    await expect(page.get_by_label("车辆情况")).to_contain_text(MARKUP)
    assert await page.locator("main img").count() == 0


async def test_vehicles_by_their_orders(visit: Visit, world: World) -> None:
    """On an order, overdue, moving without one; off hours are as it happens, so a day that is not worked is not looked for here."""
    cars = await district(world)
    report(
        world, [{"terminal": cars[f"car-{k}"], "speed_dkmh": 300, "lat_e6": LAT_E6 + 9_000 * k} for k in (1, 2, 3)]
    )  # fmt: skip
    connection = await connect(world.dsn)
    await connection.execute(
        "INSERT INTO dispatch_orders (id, version, organisation, vehicle, task_type, status, destinations, planned_departure, planned_return)"
        " SELECT 'now-' || v.id, 1, v.organisation, v.id, 'official', 'departed', jsonb_build_array(jsonb_build_object('name', $1::text)),"
        " now() - interval '9 h', now() + CASE v.id WHEN 'car-1' THEN interval '3 h' ELSE interval '-5 h' END"
        " FROM vehicles v WHERE v.id IN ('car-1', 'car-2')",
        MARKUP,
    )
    await connection.close()
    page = await visit("office", "/live")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "/v1/live/orders" in one.url else None)
    await expect(page.locator(LINES)).to_have_count(5)
    assert asked == []  # nobody has wanted to see them
    await page.get_by_label("显示用车单").check()
    await expect(page.locator("[data-order=onOrder] strong")).to_have_text("1")
    await expect(page.locator("[data-order=overdue] strong")).to_have_text("1")
    await expect(page.locator("[data-id=car-1]")).to_contain_text(MARKUP)
    assert await page.locator("main img").count() == 0
    alone = page.locator("[data-order=unordered] strong, [data-order=sealedMoving] strong")
    assert sum(int(text) for text in await alone.all_inner_texts()) >= 1  # by day or by night
    await page.locator("[data-id=car-1]").click()
    await expect(page.get_by_label("车辆情况")).to_contain_text("now-car-1")
    await page.get_by_role("button", name="定位", exact=True).click()
    box = await page.locator("[data-face] canvas").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await expect(page.locator("[data-tip]")).to_contain_text("用车单内")
    await page.wait_for_timeout(300)  # time: a picture of the map as it is drawn
    await picture(page, "live-orders")
    assert await flaws(page) == []
    await page.locator("[data-order=overdue]").click()
    await expect(page).to_have_url(re.compile("orders=1.*&order=overdue"))
    await expect(page.locator(LINES)).to_have_count(1)
    assert 1 <= len(asked) <= 3  # one question each half minute, whatever there is


async def test_a_word_to_the_driver(visit: Visit, world: World) -> None:
    await district(world)
    page = await visit("office", "/live?vehicle=car-1")
    card = page.get_by_label("车辆情况")
    await card.get_by_role("button", name="发消息").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("内容").fill("请按时返回🚗")
    await form.get_by_label("事由").fill("出车超时提醒")
    await form.get_by_role("button", name="下发").click()
    await expect(form.get_by_role("alert").first).to_contain_text("终端无法显示这些字符")
    await picture(page, "live-message")
    assert await flaws(page) == []
    await form.get_by_label("内容").fill("请按时返回")
    await form.get_by_role("button", name="下发").click()
    await expect(form).not_to_be_visible()
    line = card.locator("[data-command]")
    await expect(line).to_contain_text("等待终端")
    await expect(line).to_contain_text("请按时返回")
    await card.get_by_role("button", name="查询位置").click()
    await form.get_by_label("事由").fill("核实车辆位置")
    await form.get_by_role("button", name="下发").click()
    await expect(line).to_have_count(2)
    await picture(page, "live-commands")
    assert await flaws(page) == []


async def test_line_that_breaks_without_webgl_and_in_english(visit: Visit, world: World) -> None:
    cars = await district(world)
    page = await visit("unit", "/alerts")
    await page.context.add_init_script(NO_WEBGL)
    await page.goto("/live")
    await expect(page.locator("[data-face=canvas]")).to_be_visible()
    await expect(page.locator(LINES)).to_have_count(2)  # of its own unit, and no other
    await expect(page.get_by_text("简图显示")).to_be_visible()
    await page.wait_for_timeout(200)  # time: a picture of the map as it is drawn
    await picture(page, "live-canvas")
    await page.context.set_offline(True)
    state = world.api.app.state
    state.stopping = True  # what is open ends; the browser lets nothing new through
    await expect(page.locator("[data-line=lost]")).to_contain_text("连接已中断", timeout=12_000)
    await expect(page.locator(LINES)).to_have_count(2)  # what was there stays, with its age
    await picture(page, "live-lost")
    state.stopping = False
    report(world, [{"terminal": cars["car-1"], "speed_dkmh": 770}])
    await page.context.set_offline(False)
    await expect(page.locator("[data-line=live]")).to_be_visible(timeout=12_000)
    await expect(page.locator("[data-id=car-1]")).to_contain_text("77")
    await page.get_by_role("button", name="账户").click()
    await page.get_by_role("menuitem", name="English").click()
    await expect(page.locator("[data-line=live]")).to_contain_text("Live")
    feed = world.api.app.state.live.feed
    feed.behind = True
    await expect(page.locator("[data-line=behind]")).to_be_visible()
    feed.behind = False
    assert await flaws(page) == []
