"""驾驶员、用车回访: a driver gets an account and a roster, asks for leave and objects to his sheet on a telephone; the desk decides. Trips of a month are drawn and called back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from office.assessment.periods import last_over
from office.identity.subject import Role
from runtime.postgres import connect
from runtime.units import CHINA
from tests.browser.pages import flaws, picture
from tests.browser.test_phone import LOOK, PHONE
from tests.browser.world import World

Visit = Callable[..., Awaitable[Page]]
PEOPLE = {
    "wheel": ("林师傅", Role.DRIVER), "rosters": ("马管", Role.UNIT_ADMINISTRATOR), "grants": ("许局", Role.UNIT_HEAD), "reviews": ("冯局", Role.UNIT_HEAD),
}  # fmt: skip
TODAY = datetime.now(CHINA).date()
QUARTER = last_over(TODAY)
MONDAY = TODAY - timedelta(days=TODAY.weekday())


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def garage(world: World) -> World:
    """A unit with two drivers, and trips that were confirmed last month."""
    connection = await connect(world.dsn)
    month = (TODAY.replace(day=1) - timedelta(days=3)).isoformat()
    try:
        await connection.execute(
            "INSERT INTO organisations (id, name, parent) VALUES ('zfj', '市住房局', 'city')"
        )
        for login, (name, role) in PEOPLE.items():
            await world.add(connection, login, name, "zfj", role)
        for number, name in ((1, "林师傅"), (2, "罗师傅")):
            await connection.execute(
                "INSERT INTO drivers (id, name, organisation) VALUES ($1, $2, 'zfj')", f"zd-{number}", name
            )
        for number in (1, 2):
            at = datetime.fromisoformat(f"{month}T09:00:00+08:00")
            await connection.execute(
                "INSERT INTO trip_requests (id, organisation, pool, units, number, kind, state, version, category, purpose, passengers, applicant_name, persons, planned_departure,"
                " planned_return, created_at) VALUES ($1, 'zfj', 'zfj', '{zfj}', $2, 'normal', 'confirmed', 1, 'other', 'meeting', 1, '何科', '{user:nobody}', $3, $4, $3)",
                f"YC-zf-{number}", f"申-zf-{number}", at, at + timedelta(hours=2),
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO trip_request_events (paper, version, step, at, actor, persons, actor_name, body) VALUES ($1, 1, 'confirm', $2, 'user:nobody', '{user:nobody}', 'x', '{}')",
                f"YC-zf-{number}", at,
            )  # fmt: skip
    finally:
        await connection.close()
    return world


#: What a dialog cuts off at the right, and fields that lie over each other.
OVER = """() => {
  const right = one => one.getBoundingClientRect().right
  const over = [...document.querySelectorAll('.el-dialog .el-input')].filter(one => [...one.children].some(inner => right(inner) > right(one) + 1))
  return [...over, ...[...document.querySelectorAll('.el-dialog *')].filter(one => right(one) > 361)].map(one => one.outerHTML.slice(0, 80))
}"""


async def fits(page: Page, name: str) -> None:
    """Nothing sticks out at 360 px, and all targets are large enough."""
    found = await page.evaluate(LOOK)
    assert found == {"wide": [], "small": []}, name
    assert await page.evaluate(OVER) == [], name
    await picture(page, name)


def dialog(page: Page) -> Locator:
    return page.locator(".el-dialog:visible")


async def choose(page: Page, label: str, option: str) -> None:
    """One of a choice in the open dialog."""
    await dialog(page).locator(".el-select", has=page.get_by_label(label, exact=True)).click()
    await page.get_by_role("option", name=option, exact=True).click()


async def test_a_driver_and_his_desk(visit: Visit, garage: World) -> None:
    # The desk: both drivers get a week; what cannot be read is marked, and what was typed stays.
    desk = await visit("rosters", f"/drivers?week={MONDAY}")
    await expect(desk).to_have_url(f"{garage.url}/drivers/roster")
    grid = desk.get_by_role("grid")
    await expect(grid.locator("[data-id=zd-1]")).to_contain_text("未排")
    await grid.focus()
    for key in ("j", "x", "j", "x"):
        await desk.keyboard.press(key)
    await desk.get_by_role("button", name="给所选 2 人排班").click()
    form = dialog(desk)
    await form.get_by_label("周一", exact=True).fill("上午")
    await form.get_by_role("button", name="保存").click()
    await expect(form.get_by_text("无法识别的班次").first).to_be_visible()
    await picture(desk, "driver-roster-form")
    await form.get_by_label("周一", exact=True).fill("8:30-12:00 14:00-17:30")
    await form.get_by_role("button", name="周一至周五同周一").click()
    await form.get_by_label("自", exact=True).fill((MONDAY + timedelta(days=700)).isoformat())
    await form.get_by_role("button", name="保存").click()
    await expect(form.get_by_role("alert")).to_contain_text("排班日期须在")
    await form.get_by_label("自", exact=True).fill(MONDAY.isoformat())
    await form.get_by_role("button", name="保存").click()
    for driver in ("zd-1", "zd-2"):
        await expect(grid.locator(f"[data-id={driver}]")).to_contain_text("8:30–17:30 ×2")
    await picture(desk, "driver-rosters")
    assert await flaws(desk) == []
    await desk.get_by_role("button", name="下一周").click()
    await expect(grid.locator("[data-id=zd-2]")).to_contain_text("休")

    # His page: account, licence, a fact of the quarter that is over.
    await grid.locator("[data-id=zd-1]").click()
    await expect(desk.get_by_role("heading", name="林师傅")).to_be_visible()
    await desk.locator("[data-test=give]").click()
    await dialog(desk).get_by_label("登录名").fill("nobody-here")
    await dialog(desk).get_by_role("button", name="保存").click()
    await expect(dialog(desk).get_by_text("没有用户 nobody-here")).to_be_visible()
    await dialog(desk).get_by_label("登录名").fill("wheel")
    await dialog(desk).get_by_role("button", name="保存").click()
    await desk.locator("[data-test=take]").click()
    await desk.locator(".el-message-box").get_by_role("button", name="取消账号").click()
    await expect(desk.locator("[data-test=login]")).to_contain_text("没有账号")
    await desk.locator("[data-test=give]").click()
    await dialog(desk).get_by_label("登录名").fill("wheel")
    await dialog(desk).get_by_role("button", name="保存").click()
    await expect(desk.locator("[data-test=login]")).to_have_text("wheel")
    await desk.locator("[data-test=licence]").click()
    await dialog(desk).get_by_label("档案编号").fill("320600123456")
    await choose(desk, "准驾车型", "C1")
    await desk.keyboard.press("Escape")
    await dialog(desk).get_by_label("自").fill("2024-03-01")
    await dialog(desk).get_by_label("有效期至").fill("3月1日")
    await dialog(desk).get_by_role("button", name="保存").click()
    await expect(dialog(desk).locator(".flaw").first).to_contain_text("写明年份")
    await dialog(desk).get_by_label("有效期至").fill("")
    await dialog(desk).get_by_role("button", name="保存").click()
    await expect(desk.get_by_label("驾驶证").get_by_text("长期").first).to_be_visible()
    await desk.locator("[data-test=fact]").click()
    await choose(desk, "事实", "车容不洁")
    await dialog(desk).get_by_label("日期").fill((QUARTER.last - timedelta(days=9)).isoformat())
    await dialog(desk).get_by_label("依据编号").fill("检查记录 12 号")
    await dialog(desk).get_by_label("情况").fill("车内有烟味，未清洁")
    await dialog(desk).get_by_role("button", name="保存").click()
    await expect(desk.get_by_text("检查记录 12 号")).to_be_visible()
    await picture(desk, "driver-page")
    assert await flaws(desk) == []

    # On his telephone: nothing is known of him yet, so his number is asked for; his leave says it from then on.
    phone = await visit("wheel", "/drivers", **PHONE)
    await expect(phone).to_have_url(f"{garage.url}/drivers/mine")
    await expect(phone.get_by_label("您的驾驶员编号")).to_be_visible()
    await phone.locator("[data-test=ask]").click()
    await dialog(phone).get_by_text("年假").click()
    await dialog(phone).get_by_label("至", exact=True).fill((TODAY - timedelta(days=1)).isoformat())
    await dialog(phone).get_by_role("button", name="提交").click()
    await expect(dialog(phone).get_by_role("alert")).to_contain_text("结束须晚于开始")
    await fits(phone, "driver-leave-form")
    away = TODAY + timedelta(days=2)
    for label in ("自", "至"):
        await dialog(phone).get_by_label(label, exact=True).fill(away.isoformat())
    await dialog(phone).get_by_role("button", name="提交").click()
    mine = phone.locator(".leaves li")
    await expect(mine).to_contain_text("待审批")
    await expect(mine).to_contain_text(f"年假 {away}")
    await expect(phone.locator(f"[data-day='{TODAY}']")).to_contain_text("今天")
    await expect(phone.locator(".days li")).to_have_count(14)
    await expect(phone.locator("[data-test=score]")).to_have_text("99.00")
    await expect(phone.locator("[data-test=object]")).to_have_count(0)
    await fits(phone, "driver-mine")
    assert await flaws(phone) == []

    # The head grants the leave and issues the sheet.
    head = await visit("grants", "/drivers/leaves")
    await head.get_by_role("grid").locator(".line", has_text="林师傅").click()
    await head.get_by_role("button", name="批准", exact=True).click()
    await dialog(head).get_by_role("button", name="批准", exact=True).click()
    await expect(head.locator("[data-test=state]")).to_contain_text("已批准")
    await picture(head, "driver-leave")
    assert await flaws(head) == []
    await head.goto(f"/drivers/of/zd-1/sheets/{QUARTER}")
    await head.locator("[data-test=issue]").click()
    await dialog(head).get_by_label("单位加分").fill("11")
    await dialog(head).get_by_role("button", name="签发考核表").click()
    await expect(dialog(head).get_by_text("请填 0.1 至 10")).to_be_visible()
    await dialog(head).get_by_label("单位加分").fill("")
    await dialog(head).get_by_role("button", name="签发考核表").click()
    await expect(head.locator("[data-test=issued]")).to_contain_text("许局")

    # He opens the number, and objects to what it comes from; another head than the one who issued it decides.
    await phone.reload()
    await expect(mine).to_contain_text("已批准")
    await expect(phone.locator(f"[data-day='{away}']")).to_contain_text("请假")
    await phone.locator("[data-item=vehicle] summary").click()
    await expect(phone.locator("[data-item=vehicle]")).to_contain_text("检查记录 12 号")
    await phone.locator("[data-test=object]").click()
    await dialog(phone).get_by_label("理由").fill("当日送修，检查的不是本人车辆")
    await dialog(phone).get_by_role("button", name="对 检查记录 12 号 提出异议").click()
    await expect(phone.locator("[data-test=objection]")).to_contain_text("异议待决定")
    await fits(phone, "driver-objection")
    await head.reload()
    await head.locator("[data-test=uphold]").click()
    await dialog(head).get_by_label("理由").fill("经核实情况属实")
    await dialog(head).get_by_role("button", name="异议成立").click()
    await expect(dialog(head).get_by_role("alert")).to_contain_text("须由另一人办理")
    other = await visit("reviews", "/drivers/sheets")
    await other.get_by_role("grid").locator(".line", has_text="1 项异议待决定").click()
    await other.locator("[data-test=uphold]").click()
    await dialog(other).get_by_label("理由").fill("经核实情况属实")
    await dialog(other).get_by_role("button", name="异议成立").click()
    await expect(other.locator("[data-test=score]")).to_have_text("100.00")
    await picture(other, "driver-sheet")
    assert await flaws(other) == []
    await phone.reload()
    await expect(phone.locator("[data-test=score]")).to_have_text("100.00")
    paper = await phone.context.request.get(
        str(await phone.get_by_role("link", name="下载 PDF").get_attribute("href"))
    )
    assert (await paper.body()).startswith(b"%PDF")
    await mine.get_by_role("button", name="取消请假").click()
    await dialog(phone).get_by_role("button", name="取消请假").click()
    await expect(mine).to_contain_text("已取消")


async def test_call_backs_of_a_month(visit: Visit, garage: World) -> None:
    page = await visit("office", "/call-backs")
    await expect(page.locator("[data-test=none]")).to_be_visible()
    await page.locator("[data-test=draw]").click()
    await choose(page, "单位", "　市住房局")
    await dialog(page).get_by_label("比例（%）").fill("0")
    await dialog(page).get_by_label("随机种子").fill("双色球 2026135 期")
    await dialog(page).get_by_role("button", name="抽取回访").click()
    await expect(dialog(page).get_by_text("请填 0.1 至 100")).to_be_visible()
    await picture(page, "call-back-draw")
    await dialog(page).get_by_label("比例（%）").fill("100")
    await dialog(page).get_by_role("button", name="抽取回访").click()
    rows = page.get_by_role("grid").locator(".line")
    await expect(rows).to_have_count(2)
    await rows.first.click()
    await choose(page, "结果", "不满意")
    await dialog(page).get_by_role("button", name="保存").click()
    await expect(dialog(page).locator(".flaw")).to_contain_text("不满意的请写明原因")
    await dialog(page).get_by_label("说明").fill("司机晚到 20 分钟")
    await dialog(page).get_by_role("button", name="保存").click()
    await expect(rows.first).to_contain_text("！不满意")
    await picture(page, "call-backs")
    assert await flaws(page) == []
    await page.get_by_text("只看未登记的").click()
    await expect(rows).to_have_count(1)
    await page.go_back()
    await page.get_by_role("button", name="返回").click()
    await expect(rows).to_contain_text("1 / 2")
