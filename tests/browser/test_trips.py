"""用车申请、审批、派车、驾驶任务: an official asks for a car on a telephone and gets it, through screens alone; and what goes wrong on the way."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from office.identity.subject import Role
from registry.fences import Fence
from registry.records import apply
from runtime.postgres import connect
from tests.browser.pages import flaws, picture, sign_in
from tests.browser.test_phone import LOOK, PHONE
from tests.browser.world import World

Visit = Callable[..., Awaitable[Page]]
PEOPLE = {
    "asks": ("赵敏", Role.APPLICANT), "asks2": ("钱进", Role.APPLICANT), "first": ("孙办", Role.APPROVER), "leads": ("李局", Role.UNIT_HEAD),
    "sends": ("周调", Role.DISPATCHER), "drives": ("吴师傅", Role.DRIVER), "drives2": ("郑师傅", Role.DRIVER), "audits": ("王审", Role.AUDITOR),
}  # fmt: skip
TABLE = {
    "positions": [
        {"code": "office", "name": "办公室", "users": ["first"]},
        {"code": "leader", "name": "分管领导", "users": ["leads"]},
    ],
    "rows": [
        {"name": "机要", "categories": ["confidential"], "chain": ["office"], "timeout_min": 120},
        {"name": "其他", "chain": ["office", "leader"], "timeout_min": 120},
    ],
}
PLACE = {"name": "机关事务局", "lat": 31.98, "lon": 120.89, "datum": "wgs84"}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def office(world: World) -> World:
    """A unit with cars, drivers, people and an approval table."""
    connection = await connect(world.dsn)
    try:
        await connection.execute(
            "INSERT INTO organisations (id, name, parent) VALUES ('swj', '市水务局', 'city')"
        )
        for number in (1, 2, 3):
            await connection.execute(
                "INSERT INTO vehicles (id, plate, organisation) VALUES ($1, $2, 'swj')",
                f"trip-{number}",
                f"苏F7000{number}",
            )
        for login, (name, role) in PEOPLE.items():
            await world.add(connection, login, name, "swj", role)
        for number, login in ((1, "drives"), (2, "drives2")):
            await connection.execute(
                "INSERT INTO drivers (id, name, organisation, phone) VALUES ($1, $2, 'swj', '13900000000')",
                f"td-{number}",
                PEOPLE[login][0],
            )
            await connection.execute(
                "INSERT INTO driver_accounts (driver, user_id, set_by) VALUES ($1, $2, 'test')",
                f"td-{number}",
                login,
            )
        await connection.execute(
            "INSERT INTO approval_tables VALUES ('swj', 1, $1, 'user:unit', 'x', now(), now(), NULL)", TABLE
        )
        places = [
            Fence(
                id=f"place-{name}", name=name, organisation="swj", datum="wgs84", valid_from=datetime.now(UTC) - timedelta(days=9),
                geometry={"type": "Polygon", "coordinates": [[[lon, 31.97], [lon + 0.01, 31.97], [lon + 0.01, 31.98], [lon, 31.97]]]},
            )
            for name, lon in (("市政务中心", 120.8), ("水务局大院", 120.9))
        ]  # fmt: skip
        async with connection.transaction():
            await apply(connection, places)
    finally:
        await connection.close()
    return world


async def call(page: Page, method: str, path: str, body: Any = None) -> Any:
    """What the page's person would get from the API."""
    found = await page.evaluate(
        """async ([method, path, body]) => {
          const { csrf_token } = await (await fetch('/v1/session')).json()
          const headers = { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf_token }
          const answer = await fetch('/v1/' + path, { method, headers, body: body === null ? undefined : JSON.stringify(body) })
          return [answer.status, await answer.json()]
        }""",
        [method, path, body],
    )
    assert found[0] in (200, 201), found
    return found[1]


async def asked(page: Page, hours: float, **more: Any) -> dict[str, Any]:
    """A request that was handed in, entered without the screens."""
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    contents = {
        "organisation": "swj", "purpose": "field", "reason": "检查沿江水闸运行情况", "passengers": 2, "origin": PLACE, "stops": [PLACE | {"name": "九圩港闸"}], "basis": "苏水〔2026〕3号",
        "planned_departure": start.isoformat(), "planned_return": (start + timedelta(hours=2)).isoformat(), "category": "confidential",
    }  # fmt: skip
    draft = await call(page, "POST", "trip-requests", contents | more)
    return dict(
        await call(page, "POST", f"trip-requests/{draft['id']}:submit", {"version": draft["version"]})
    )


async def waiting(visit: Visit, hours: float) -> dict[str, Any]:
    """A request that waits for a car."""
    asks, first = await visit("asks", "/trips"), await visit("first", "/approvals")
    made = await asked(asks, hours)
    return dict(
        await call(first, "POST", f"trip-requests/{made['id']}:approve", {"version": made["version"]})
    )


async def choose(page: Page, field: str, typed: str, name: str) -> None:
    """A place of those that are known."""
    await page.locator(f"#{field}").click()
    await page.locator(f"#{field}").press_sequentially(typed)
    await page.get_by_role("option", name=re.compile(name)).first.click()


async def fits(page: Page) -> None:
    """Nothing sticks out at 360 px, and a thumb hits everything."""
    found = await page.evaluate(LOOK)
    assert found["wide"] == []
    assert found["small"] == []


def card(page: Page, number: str) -> Locator:
    return page.locator("article.card").filter(has_text=number)


async def test_an_official_asks_on_a_phone_and_gets_a_car(visit: Visit, office: World) -> None:
    phone = await visit("asks", "/trips", **PHONE)
    await expect(phone.get_by_role("heading", name="还没有用车申请")).to_be_visible()
    await fits(phone)
    await picture(phone, "trips-empty-phone")
    await phone.locator("[data-test=none]").get_by_role("button", name="申请用车").click()
    # What is missing is said at its field, nothing is sent.
    await phone.get_by_role("button", name="提交申请").click()
    await expect(phone.locator("#stop-0-say")).to_contain_text("在地图上选点")
    await expect(phone.locator("#trip-departure-say")).to_contain_text("必须填写")
    await choose(phone, "stop-0", "政务", "市政务中心")
    await phone.get_by_label("出发时间").fill("明天9点")
    await expect(phone.locator("#trip-departure-say")).to_contain_text("09:00 北京时间")
    await phone.get_by_label("返回时间").fill("3小时")
    await phone.locator("#trip-reason").fill("参加全市水务工作会议")
    await phone.get_by_label("人数").fill("2")
    await choose(phone, "trip-origin", "水务局", "水务局大院")
    await fits(phone)
    await picture(phone, "trips-form-phone")
    assert await flaws(phone) == []
    await phone.get_by_role("button", name="提交申请").click()
    await expect(phone.locator("[data-test=state]")).to_contain_text("待审批")
    number = await phone.locator("h1").inner_text()
    assert re.fullmatch(r"申〔\d{4}〕swj-\d{6}号", number)
    await picture(phone, "trips-request-phone")
    assert await flaws(phone) == []
    await fits(phone)

    # Two people agree, each with one press where the request stands.
    for login, level in (("first", "办公室"), ("leads", "分管领导")):
        approver = await visit(login, "/approvals", **(PHONE if login == "first" else {}))
        waits = card(approver, number)
        await expect(waits).to_contain_text("市政务中心")
        await expect(waits.locator("[data-level=deciding]")).to_contain_text(level)
        await expect(waits).to_contain_text("前未批准即过期")
        await picture(approver, f"trips-approve-{login}")
        assert await flaws(approver) == []
        if login == "first":
            await fits(approver)
        await waits.locator("[data-step=approve]").click()
        await expect(waits).to_have_count(0)

    # The dispatcher takes the second car.
    desk = await visit("sends", "/dispatch")
    await desk.locator("[data-request]").filter(has_text=number).click()
    panel = desk.locator("[data-test=assign]")
    await expect(panel.locator("[data-candidate]")).to_have_count(3)
    second = str(await panel.locator("[data-candidate]").nth(1).get_attribute("data-candidate"))
    plate = f"苏F·7000{second[-1]}"
    await panel.locator(f"[data-candidate={second}]").click()
    await panel.get_by_role("combobox", name="驾驶员").click()
    await desk.get_by_role("option", name="吴师傅").click()
    await panel.locator("[data-test=note] input").fill("第一辆要送检")
    await picture(desk, "trips-assign")
    assert await flaws(desk) == []
    await panel.locator("[data-test=send]").click()
    await expect(panel).to_have_count(0)
    await desk.get_by_role("button", name="后一天").click()
    await expect(desk.locator(f"[data-car={second}] .bar")).to_have_count(1)
    await picture(desk, "trips-board")
    assert await flaws(desk) == []

    # The driver accepts, departs and returns.
    driver = await visit("drives", "/driving", **PHONE)
    drive = driver.locator("article.card")
    await expect(drive).to_contain_text(plate)
    await drive.locator("[data-step=accept]").click()
    await expect(drive.locator("[data-test=state]")).to_contain_text("已接单")
    await fits(driver)
    await picture(driver, "trips-driver-phone")
    assert await flaws(driver) == []
    await drive.locator("[data-go=depart]").click()
    dialog = driver.get_by_role("dialog")
    await dialog.get_by_role("button", name="出车").click()
    await expect(dialog).to_contain_text("没有的，写明原因")
    await dialog.get_by_label("里程表（公里）").fill("12345.6")
    await picture(driver, "trips-depart-phone")
    await dialog.get_by_role("button", name="出车").click()
    await expect(drive.locator("[data-test=state]")).to_contain_text("已出车")
    await drive.locator("[data-go=return]").click()
    await dialog.get_by_label("里程表（公里）").fill("12")
    await dialog.get_by_role("button", name="归队").click()
    await expect(dialog).to_contain_text("里程表不会倒转")
    await dialog.get_by_label("里程表（公里）").fill("12380")
    await dialog.get_by_role("button", name="归队").click()
    await expect(driver.locator("[data-test=none]")).to_be_visible()

    # The applicant sees what it was, and confirms.
    await phone.reload()
    await expect(phone.locator("[data-test=state]")).to_contain_text("待确认")
    await expect(phone.locator("[data-dispatch]")).to_contain_text("34.4 公里")
    await phone.locator("[data-step=confirm]").click()
    await phone.get_by_role("dialog").get_by_role("button", name="确认并评价").click()
    await expect(phone.locator("[data-test=state]")).to_contain_text("已确认")
    await expect(phone.locator("li[data-step=confirm]")).to_contain_text("赵敏")
    await picture(phone, "trips-confirmed-phone")

    # The next trip is as the last one: only the times are asked for.
    await phone.goto("/trips/new")
    await phone.get_by_role("button", name=re.compile("市政务中心（会议")).click()
    await phone.get_by_label("出发时间").fill("后天下午2点")
    await phone.get_by_label("返回时间").fill("17:00")
    await phone.get_by_role("button", name="提交申请").click()
    await expect(phone.locator("[data-test=state]")).to_contain_text("待审批")


async def test_a_car_that_somebody_else_got_first_is_named(visit: Visit, office: World) -> None:
    one, other = await waiting(visit, 30), await waiting(visit, 30)
    desk, late = (
        await visit("sends", f"/dispatch?request={one['id']}"),
        await visit("sends", f"/dispatch?request={other['id']}"),
    )
    for page in (desk, late):
        await page.locator("[data-candidate=trip-1]").click()
        await page.locator("[data-test=note] input").fill("两人同时派同一辆车")
    await desk.locator("[data-test=send]").click()
    await expect(desk.locator("[data-test=assign]")).to_have_count(0)
    await late.locator("[data-test=send]").click()
    refusal = late.locator("[data-code=dispatch-conflict]")
    await expect(refusal).to_contain_text("苏F70001")
    await expect(refusal).to_contain_text(re.compile(r"派〔\d{4}〕"))
    # It is no candidate any more, the other cars are.
    await expect(late.locator("[data-candidate=trip-1]")).to_have_count(0)
    await expect(late.locator("[data-candidate=trip-3]")).to_have_count(1)
    await picture(late, "trips-conflict")


async def test_what_was_typed_stays_when_the_session_ends(visit: Visit, office: World) -> None:
    page = await visit("asks", "/trips/new")
    await choose(page, "stop-0", "水务局", "水务局大院")
    await page.get_by_label("出发时间").fill("后天 8:30")
    await page.get_by_label("返回时间").fill("11:00")
    await page.locator("#trip-reason").fill("到各闸站检查汛后维修")
    connection = await connect(office.dsn)
    await connection.execute(
        "UPDATE sessions SET ended_at = now(), ended_why = 'test' WHERE user_id = 'asks'"
    )
    await connection.close()
    await page.get_by_role("button", name="提交申请").click()
    dialog = page.get_by_role("dialog").filter(has_text="登录已过期")
    await expect(dialog).to_be_visible()
    await sign_in(page, "asks")
    await expect(page.locator("[data-test=state]")).to_contain_text("待审批")
    await expect(page.locator("main")).to_contain_text("到各闸站检查汛后维修")


async def test_a_refusal_of_the_server_stands_at_its_field(visit: Visit, office: World) -> None:
    page = await visit("asks2", "/trips/new")
    await choose(page, "stop-0", "政务", "市政务中心")
    await choose(page, "trip-origin", "水务局", "水务局大院")
    await page.get_by_label("出发时间").fill("2026-03-02 8:30")
    await page.get_by_label("返回时间").fill("11:00")
    await page.locator("#trip-reason").fill("到各闸站检查汛后维修")
    await page.get_by_role("button", name="提交申请").click()
    await expect(page.locator("#trip-departure-say .flaw")).to_be_visible()
    # It is a draft by now; put right it is the same request.
    await page.get_by_label("出发时间").fill("后天 8:30")
    await page.get_by_role("button", name="提交申请").click()
    await expect(page.locator("[data-test=state]")).to_contain_text("待审批")
    await page.goto("/trips")
    await expect(page.locator("[role=row].line")).to_have_count(1)
    # Withdrawn with a reason; one that is too short is refused at its field.
    await page.locator("[role=row].line").click()
    await page.locator("[data-step=withdraw]").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("理由").fill("改期")
    await dialog.get_by_role("button", name="撤回").click()
    await expect(dialog.locator(".flaw")).to_be_visible()
    await dialog.get_by_label("理由").fill("会议改期，不用车了")
    await dialog.get_by_role("button", name="撤回").click()
    await expect(page.locator("[data-test=state]")).to_contain_text("已撤回")


async def test_a_point_of_the_map(visit: Visit, office: World) -> None:
    page = await visit("asks2", "/trips/new", **PHONE)
    await page.get_by_role("button", name="目的地：在地图上选点").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("status").last).to_contain_text(re.compile(r"3\d\.\d{5}, 12\d\.\d{5}"))
    await dialog.get_by_label("地点名称").fill("东门码头")
    await picture(page, "trips-map-phone")
    assert await flaws(page) == []
    await dialog.get_by_role("button", name="用这个地点").click()
    await expect(page.locator("form")).to_contain_text("东门码头")


async def test_who_has_no_right_sees_no_entry_and_no_page(visit: Visit, office: World) -> None:
    auditor = await visit("audits", "/trips")
    await expect(auditor.get_by_role("heading", name="没有权限")).to_be_visible()
    await expect(auditor.locator("nav")).not_to_contain_text("用车申请")
    applicant = await visit("asks2", "/dispatch")
    await expect(applicant.get_by_role("heading", name="没有权限")).to_be_visible()
    await expect(applicant.locator("nav")).to_contain_text("用车申请")
    for entry in ("待我审批", "调度台", "驾驶任务"):
        await expect(applicant.locator("nav")).not_to_contain_text(entry)
    second = await visit("leads", "/approvals")
    await expect(second.locator("nav")).to_contain_text("待我审批")
    await expect(second.locator("nav")).not_to_contain_text("调度台")


async def test_an_emergency_takes_half_a_minute(visit: Visit, office: World) -> None:
    desk = await visit("sends", "/dispatch")
    await desk.get_by_role("button", name="紧急派车").click()
    dialog = desk.get_by_role("dialog")
    for label, option in (("车辆", "苏F·70003"), ("驾驶员", "郑师傅")):
        await dialog.get_by_role("combobox", name=label).click()
        await desk.get_by_role("option", name=option).click()
    for label, text in (("口头批准人", "李局"), ("大致目的地", "新江海河闸"), ("理由", "险情抢修，立即出动")):
        await dialog.get_by_label(label).fill(text)
    await picture(desk, "trips-emergency")
    assert await flaws(desk) == []
    await dialog.get_by_role("button", name="紧急派车").click()
    bar = desk.locator("[data-car=trip-3] .bar")
    await expect(bar).to_have_count(1)
    await bar.click()
    await expect(desk.locator("h1")).to_contain_text("派车单 派〔")
    await picture(desk, "trips-paper")
    assert await flaws(desk) == []
    await desk.locator("[data-step=reassign]").click()
    dialog = desk.get_by_role("dialog")
    await dialog.get_by_label("理由").fill("驾驶员临时有事，换人")
    await dialog.get_by_role("combobox", name="驾驶员").click()
    await desk.get_by_role("option", name="吴师傅").click()
    await dialog.get_by_role("button", name="改派").click()
    await expect(desk.locator("main")).to_contain_text("吴师傅")
    await desk.locator("[data-step=cancel]").click()
    await dialog.get_by_label("理由").fill("险情已排除，不再出动")
    await dialog.get_by_role("button", name="取消").last.click()
    await expect(desk.locator("[data-test=state]")).to_contain_text("已取消")


async def test_a_driver_without_a_network(visit: Visit, office: World) -> None:
    made = await waiting(visit, 3)
    desk = await visit("sends", "/dispatch")
    body = {
        "requests": [{"id": made["id"], "version": made["version"]}],
        "vehicle": "trip-3",
        "driver": "td-2",
    }
    sent = await call(desk, "POST", "dispatches", body)
    page = await visit("drives2", "/driving", **PHONE)
    await expect(page.locator("[data-go=depart]")).to_be_visible()
    await page.wait_for_function(
        "() => caches.open('gongche-shell').then(shell => shell.match('/')).then(Boolean)"
    )
    await page.context.set_offline(True)
    await page.reload()  # opened anew where there is no network
    await expect(page.locator("[data-test=kept]")).to_be_visible()
    dialog = page.get_by_role("dialog")
    for step, km in (("depart", "500"), ("return", "530")):
        await page.locator(f"[data-go={step}]").click()
        await dialog.get_by_label("里程表（公里）").fill(km)
        await dialog.locator("button[type=submit]").click()
        await expect(page.locator(f"[data-queued={step}]")).to_contain_text("待上传")
    await picture(page, "trips-offline-phone")
    await fits(page)
    await page.context.set_offline(False)
    await expect(page.locator("[data-test=none]")).to_be_visible(timeout=30_000)
    view = await call(desk, "GET", f"dispatches/{sent['id']}")
    assert [entry["step"] for entry in view["thread"]][-2:] == ["depart", "return"]
    assert (view["odometer_out_m"], view["odometer_in_m"], view["state"]) == (500_000, 530_000, "returned")
    await expect(page.locator("[data-queued]")).to_have_count(0)


async def test_dark_and_narrow(visit: Visit, office: World) -> None:
    page = await visit("sends", "/dispatch", color_scheme="dark", **PHONE)
    await page.evaluate("() => document.documentElement.classList.add('dark')")
    await expect(page.locator("[data-list=waiting]")).to_contain_text(re.compile(r"\d"))
    await expect(page.locator("[data-car=trip-1]")).to_be_attached()
    await fits(page)
    await picture(page, "trips-desk-phone-dark")
    assert await flaws(page) == []
