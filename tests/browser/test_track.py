"""轨迹回放: a day on the map and on the time axis, played, stepped through and exported; who has to say what for."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

from playwright.async_api import Page, Request, Route, expect

from runtime.postgres import connect
from tests.browser.moving import LAT_E6, drive, report, terminals
from tests.browser.pages import flaws, picture
from tests.browser.world import MARKUP, NEWEST, World

Visit = Callable[..., Awaitable[Page]]


async def test_a_day_is_shown_played_and_exported(visit: Visit, world: World) -> None:
    fixes = await drive(world, (await terminals(world))["car-1"])
    connection = await connect(world.dsn)
    nine = NEWEST.replace(hour=9, minute=0)
    await connection.execute(
        "INSERT INTO dispatch_orders (id, version, organisation, vehicle, task_type, purpose, status, destinations, planned_departure,"
        " planned_return, actual_departure, actual_return)"
        " VALUES ('order-1', 1, 'jsj', 'car-1', 'official', $1, 'returned', '[]', $2, $3, $2, $3)",
        MARKUP, nine + timedelta(minutes=2), nine + timedelta(minutes=40),
    )  # fmt: skip
    await connection.close()
    page = await visit("office", "/tracks")
    await expect(page.get_by_text("请输入车牌")).to_be_visible()
    await page.goto("/tracks?day=2026-03-02")
    await page.get_by_label("车牌").fill("苏f12345")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"/tracks/car-1\?day=2026-03-02$"))
    lists = page.locator(".lists")
    await expect(lists).to_contain_text(str(len(fixes)))
    await expect(lists).to_contain_text("未定位 2")
    await expect(page.locator("[data-list=stops] li")).to_have_count(1)
    await expect(page.locator("[data-list=stops]")).to_contain_text("09:20–09:")
    await expect(page.locator("[data-list=orders]")).to_contain_text(MARKUP)
    await expect(page.locator("[data-list=alerts]")).to_contain_text("疑似")
    await expect(page.locator("[data-face=webgl] canvas")).to_be_visible()
    now = page.locator("[data-now]")
    seconds, lon, lat = fixes[0]
    await expect(now).to_contain_text(f"09:00:00 · 30 km/h · {lon / 1e6:.5f}, {lat / 1e6:.5f}")
    # A step goes to the API's next fix.
    slide = page.get_by_label("回放时间")
    await slide.focus()
    await page.keyboard.press("ArrowRight")
    seconds, lon, lat = fixes[1]
    await expect(now).to_contain_text(f"09:00:{seconds:02} · 31 km/h · {lon / 1e6:.5f}, {lat / 1e6:.5f}")
    await page.get_by_title("转到 09:20").first.click()
    await expect(now).to_contain_text("09:20:00")
    await page.wait_for_timeout(400)  # time: a picture of the map as it is drawn
    await picture(page, "track")
    assert await flaws(page) == []
    await page.get_by_label("倍速").select_option("60")
    await page.get_by_role("button", name="播放").click()
    await expect(now).to_contain_text("09:21")
    await page.get_by_role("button", name="暂停").click()
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="导出 CSV").click()
    file = await waiting.value
    assert file.suggested_filename == "track-苏F12345-2026-03-02.csv"
    text = Path(await file.path()).read_text("utf-8")  # noqa: ASYNC240 - a small file
    assert text.count("\n") == len(fixes) + 3
    await page.get_by_role("button", name="后一天").click()
    await expect(page.get_by_text("2026年3月3日 没有轨迹")).to_be_visible()
    await picture(page, "track-empty")


async def test_several_are_played_on_one_clock(visit: Visit, world: World) -> None:
    """From the live map to the replay: two drives of different hours and one that may not be read; each keeps its sign, and is exported."""
    cars = await terminals(world)
    mine = await drive(world, cars["car-1"])
    await drive(world, cars["car-2"], hours=1.5, north_e6=15_000)
    page = await visit("office", "/live")
    card = page.get_by_label("车辆情况")
    report(world, [{"terminal": cars["car-1"]}, {"terminal": cars["car-2"], "lat_e6": LAT_E6 + 15_000}])
    for car in ("car-1", "car-2"):
        await page.locator(f"[data-id={car}]").click()
        await card.get_by_role("button", name="加入同屏回放").click()
    await page.get_by_role("link", name="同屏回放（2 辆）").click()
    await expect(page).to_have_url(re.compile(r"/tracks/car-1\?day=[\d-]+&with=car-1&with=car-2$"))

    async def refuse(route: Route, _: Request) -> None:
        body = {"type": "urn:gongche:problem:not-found", "title": "不存在 · Not found", "detail": "没有这辆车 · no such vehicle", "status": 404}  # fmt: skip
        await route.fulfill(status=404, json=body, content_type="application/problem+json")

    await page.route("**/v1/vehicles/car-3/track?*", refuse)
    await page.goto("/tracks/car-1?day=2026-03-02&with=car-1&with=car-3&with=car-2")
    rows = page.locator("[data-list=vehicles] li")
    await expect(rows).to_have_count(3)
    await expect(page.locator("[data-vehicle=car-3]")).to_contain_text("不存在")
    await expect(page.locator("[data-vehicle=car-1]")).to_contain_text("30 km/h")
    await expect(page.locator("[data-vehicle=car-2]")).to_contain_text("尚无定位")  # it leaves later
    # One clock: where the second one leaves, the first one has come home.
    await page.locator("[data-lane=car-2] rect.drive").first.click()
    await expect(page.locator("[data-vehicle=car-2]")).to_contain_text("km/h")
    await expect(page).to_have_url(re.compile(r"/tracks/car-2\?"))
    await expect(page.locator("[data-now]")).to_contain_text("苏F·12346")
    await expect(page.locator("[data-lane=car-1] rect.stop")).to_have_count(1)
    await expect(page.locator("[data-lane=car-1] rect.gap")).to_have_count(1)
    await page.wait_for_timeout(400)  # time: a picture of the map as it is drawn
    await picture(page, "track-several")
    assert await flaws(page) == []
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="导出 CSV").click()
    assert (await waiting.value).suggested_filename == "track-苏F12346-2026-03-02.csv"
    # One is taken away: the others keep place, colour and sign. Another one comes by its plate.
    await page.get_by_role("button", name="移去 苏F·99999").click()
    await expect(page).to_have_url(re.compile(r"with=car-1&with=&with=car-2$"))
    await expect(page.locator("[data-vehicle=car-2]")).to_have_attribute("data-slot", "2")
    await page.get_by_label("加入车辆").fill("苏FD12345")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-vehicle=car-4]")).to_have_attribute("data-slot", "1")
    await expect(page.locator("[data-vehicle=car-4]")).to_contain_text("当日没有轨迹")
    # Played, no fix is passed over: as many are drawn as the track has up to there.
    await page.locator("[data-vehicle=car-1]").get_by_role("button", name="苏F·12345", exact=True).click()
    await expect(page).to_have_url(re.compile(r"/tracks/car-1\?"))
    slide = page.get_by_label("回放时间")
    await slide.focus()
    await page.keyboard.press("Home")
    await page.get_by_label("倍速").select_option("60")
    told = page.locator("[data-moment]")
    before = int(await told.get_attribute("data-drawn") or 0)
    await page.get_by_role("button", name="播放").click()
    await expect(page.locator("[data-now]")).to_contain_text(re.compile("09:0[2-9]"))
    await page.get_by_role("button", name="暂停").click()
    seconds = (datetime.fromisoformat(await told.get_attribute("datetime") or "") - NEWEST.replace(hour=9, minute=0)).total_seconds()  # fmt: skip
    assert int(await told.get_attribute("data-drawn") or 0) - before == sum(
        0 < at <= seconds for at, *_ in mine
    )
    # Every reading of every vehicle is in the audit; coming into focus is none.
    connection = await connect(world.dsn)
    read = await connection.fetch("SELECT DISTINCT subject_id FROM audit WHERE subject_kind = 'track' AND subject_id IN ('car-2', 'car-4')")  # fmt: skip
    await connection.close()
    assert {row["subject_id"] for row in read} == {"car-2", "car-4"}


async def test_who_has_to_say_what_for_is_asked(visit: Visit, world: World) -> None:
    await terminals(world)

    async def only_with_purpose(route: Route, request: Request) -> None:
        """As the API answers roles that read for a stated purpose only."""
        if "x-purpose" in request.headers:
            await route.continue_()
        else:
            body = {
                "type": "urn:gongche:problem:purpose-needed",
                "title": "须说明用途",
                "detail": "请说明用途",
                "status": 422,
            }
            await route.fulfill(status=422, json=body, content_type="application/problem+json")

    page = await visit("office", "/alerts", color_scheme="dark")
    await page.route("**/v1/vehicles/*/track?*", only_with_purpose)
    await page.goto("/tracks/car-1?day=2026-03-02")
    await expect(page.get_by_text("用途将记入审计日志")).to_be_visible()
    await page.get_by_label("请说明查询用途").fill("抽查三月用车")
    await page.keyboard.press("Enter")
    await expect(page.locator(".lists")).to_be_visible()
    connection = await connect(world.dsn)
    said = await connection.fetchval("SELECT count(*) FROM audit WHERE purpose = '抽查三月用车'")
    await connection.close()
    assert said == 1  # one reading, one entry
    await page.wait_for_timeout(300)  # time: as above
    await picture(page, "track-dark")
    assert await flaws(page) == []
