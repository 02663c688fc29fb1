"""费用结算: a month is settled between a platform and a unit by four people, and a cost goes from a telephone into the reconciliation, through screens alone."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest_asyncio
from playwright.async_api import Page, expect

from office.identity.subject import Role
from runtime.postgres import connect
from runtime.units import CHINA
from tests.browser.pages import flaws, picture
from tests.browser.test_phone import LOOK, PHONE
from tests.browser.world import World
from tests.integration.cost_site import Asked, Trip, drive

Visit = Callable[..., Awaitable[Page]]
PEOPLE = {
    "pt-desk": ("吴调", Role.DISPATCHER, "pt1"), "ly-head": ("郑局", Role.UNIT_HEAD, "lyj"), "ly-clerk": ("冯管", Role.UNIT_ADMINISTRATOR, "lyj"),
    "ly-money": ("陈财", Role.FINANCE, "lyj"),
}  # fmt: skip
TARIFF = {
    "name": "出行平台价目", "source": "协议〔2026〕1号", "classes": [{"code": "car", "name": "轿车"}],
    "lines": [{"vehicle_class": "car", "default_product": "km", "products": [{"code": "km", "name": "按公里", "distance": {"bands": [{"fen_per_km": 200}]}}]}],
}  # fmt: skip
#: The tenth of the month that is over.
DAY = (datetime.now(CHINA).replace(day=1, hour=9, minute=0, second=0, microsecond=0) - timedelta(days=1)).replace(day=10)  # fmt: skip
INVOICE = "26000000000000000077"
HEAD = "单位,会计期间,凭证日期,凭证号,摘要,科目编号,部门经济分类,借方金额,贷方金额,往来单位\n"
ROW = f"lyj,{DAY:%Y%m},{DAY:%Y-%m-%d},"
VOUCHERS = HEAD + "\n".join(
    [
        f"{ROW}记-1,发票 {INVOICE} 油费,5001,30231,350.00,,中石化林场站",
        f"{ROW}记-2,付轮胎款,5001,30231,700.00,,轮胎店乙",
    ]
)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def money(world: World) -> World:
    """A platform with a tariff and two trips of a unit, one of which nobody can price yet; a cost of the unit."""
    connection = await connect(world.dsn)
    try:
        await connection.execute("INSERT INTO organisations (id, name, parent) VALUES ('pt1', '公务出行平台', 'city'), ('lyj', '市林业局', 'city')")  # fmt: skip
        await connection.execute(
            "INSERT INTO vehicles (id, plate, organisation, registered_on) VALUES ('pt-1', '苏F71001', 'pt1', '2020-01-01'), ('ly-1', '苏F71002', 'lyj', '2020-01-01')"
        )
        for login, (name, role, unit) in PEOPLE.items():
            await world.add(connection, login, name, unit, role)
        await connection.execute(
            "INSERT INTO tariffs (organisation, version, body, made_by, made_by_name, made_at, valid_from, activated_by_name, activated_at)"
            " VALUES ('pt1', 1, $1, 'user:office', '李明', now(), '2020-01-01', '李明', now())",
            TARIFF,
        )
        trips = [
            Trip("lt-1", DAY.astimezone(UTC), riders=[Asked("lr-1", "lyj", budget_item="项目甲")], vehicle="pt-1", pool="pt1"),
            Trip("lt-2", DAY.astimezone(UTC) + timedelta(days=1), odometer_m=None, riders=[Asked("lr-2", "lyj")], vehicle="pt-1", pool="pt1"),
        ]  # fmt: skip
        await drive(connection, trips)
        await connection.execute(
            "INSERT INTO cost_entries (id, organisation, kind, vehicle, occurred_on, period, amount_fen, vendor, payer, source, version, created_at)"
            " VALUES ('LY-TYRE', 'lyj', 'tyres', 'ly-1', $1, $2, 70000, '轮胎店甲', 'unit', 'entered', 1, now())",
            DAY.date(), f"{DAY:%Y%m}",
        )  # fmt: skip
    finally:
        await connection.close()
    return world


async def fits(page: Page) -> None:
    """Nothing sticks out at 360 px, and a thumb hits everything."""
    found = await page.evaluate(LOOK)
    assert (found["wide"], found["small"]) == ([], [])


async def say(page: Page, step: str, button: str, **typed: str) -> None:
    """Take a step of a statement with what its form asks for."""
    await page.locator(f"[data-step={step}]").click()
    dialog = page.get_by_role("dialog")
    for label, text in typed.items():
        await dialog.get_by_label(label).fill(text)
    await dialog.get_by_role("button", name=button).last.click()


async def test_a_month_is_settled(visit: Visit, money: World) -> None:
    head = await visit("ly-head", "/costs/statements")
    await expect(head.locator("[data-test=none]")).to_contain_text("还没有结算单")
    await expect(head.locator("[data-test=draw]")).to_have_count(0)

    # The platform draws the month; what has no price is told, and put right.
    desk = await visit("pt-desk", "/costs/statements")
    await desk.locator("[data-test=draw]").click()
    await desk.get_by_role("button", name="出具", exact=True).click()
    drawn = desk.locator("[data-test=drawn]")
    await expect(drawn).to_contain_text("新出具 1 张，已有 0 张，未收进 1 份申请")
    assert await flaws(desk) == []
    await drawn.get_by_role("link", name="结算要素").click()
    await expect(desk.locator("[data-test=unpriced]")).to_be_visible()
    await desk.locator("[data-test=facts]").click()
    dialog = desk.get_by_role("dialog")
    await dialog.get_by_label("结算里程（公里）").fill("12.5")
    await dialog.get_by_label("人工填写里程的理由").fill("里程表损坏，按导航里程")
    await dialog.get_by_role("button", name="保存").click()
    await expect(desk.locator("main")).to_contain_text("¥25.00")

    # The unit objects, the platform answers and corrects a line, the unit confirms.
    await head.get_by_role("button", name="刷新").click()
    await head.locator("[role=row].line").click()
    state = head.locator("[data-test=state]")
    await expect(state).to_contain_text("待确认")
    await expect(head.locator("[data-test=total]")).to_have_text("¥80.00")
    await expect(head.locator("main")).to_contain_text("捌拾元整")
    await say(head, "object", "提出异议", 理由="里程不对，往返只有 30 公里")
    await expect(head.locator("[data-refused=confirm]")).to_contain_text("请平台先答复")
    await desk.goto(head.url)
    await say(desk, "answer", "答复异议", 理由="核对属实，更正如下")
    await expect(desk.locator("[data-thread=answer]")).to_contain_text("吴调")
    await desk.locator("[role=row].line").click()
    await expect(desk.locator("[data-line]")).to_contain_text("40 公里")
    await desk.locator("[data-test=correct]").click()
    await dialog.get_by_label("正确金额（元）").fill("六十")
    await dialog.get_by_label("理由").fill("往返 30 公里，按实际里程")
    await dialog.get_by_role("button", name="冲正").click()
    await expect(dialog.locator(".flaw")).to_contain_text("至多两位小数")
    await dialog.get_by_label("正确金额（元）").fill("60")
    await dialog.get_by_role("button", name="冲正").click()
    await expect(desk.locator("[data-test=total]")).to_have_text("¥60.00")
    await expect(desk.locator("[role=row].line")).to_have_count(3)
    await desk.locator("[data-test=tariff] summary").click()
    await expect(desk.locator("[data-test=tariff]")).to_contain_text("每公里 2.00 元")
    await picture(desk, "costs-statement")
    assert await flaws(desk) == []

    # What somebody saw before is not confirmed: the page is fetched anew.
    await head.reload()
    await head.locator("[data-step=confirm]").click()
    await head.get_by_role("dialog").get_by_role("button", name="确认").click()
    await expect(state).to_contain_text("已确认")
    finance = await visit("ly-money", head.url.removeprefix(money.url), **PHONE)
    await say(finance, "pay", "登记付款", 付款凭证号="付-2026-0012")
    await expect(finance.locator("[data-test=state]")).to_contain_text("已付款")
    await fits(finance)
    await desk.reload()
    await desk.locator("[data-step=receive]").click()
    await desk.get_by_role("dialog").get_by_role("button", name="登记收款").click()
    await expect(desk.locator("[data-test=state]")).to_contain_text("已收款")
    await expect(desk.get_by_role("link", name="XLSX")).to_have_attribute("href", re.compile("/document.format=xlsx$"))  # fmt: skip


async def test_a_cost_is_entered_and_reconciled(visit: Visit, money: World) -> None:
    page = await visit("ly-clerk", "/costs/entries/new", **PHONE)
    await page.get_by_role("button", name="登记", exact=True).click()
    await expect(page.locator("#cost-amount-say")).to_contain_text("必须填写")
    await page.get_by_role("combobox", name="费用种类").click()
    await page.get_by_role("option", name="燃油").click()
    for field, text in (
        ("vehicle", "苏F·71002"), ("day", f"{DAY:%Y-%m-%d}"), ("amount", "530"), ("quantity", "45.32"), ("vendor", "中石化林场站"), ("invoice_no", INVOICE),
    ):  # fmt: skip
        await page.locator(f"#cost-{field}").fill(text)
    await fits(page)
    await picture(page, "costs-form-phone")
    # The bar with the button lies over what is behind it while the page is scrolled.
    await page.locator("summary").scroll_into_view_if_needed()
    assert await flaws(page) == []
    await page.get_by_role("button", name="登记", exact=True).click()
    await expect(page.locator("[data-test=amount]")).to_have_text("¥530.00")
    await expect(page.locator("main")).to_contain_text("苏F·71002")
    await fits(page)
    # Written the wrong way round: the line anew, and both versions stay.
    await page.locator("[data-test=correct]").click()
    await expect(page.locator("#cost-vehicle")).to_have_value("苏F·71002")
    await page.locator("#cost-amount").fill("350")
    await page.locator("#cost-reason").fill("金额数字写反")
    await page.get_by_role("button", name="更正", exact=True).click()
    await expect(page.locator("[data-test=amount]")).to_have_text("¥350.00")
    await expect(page.locator("[data-version]")).to_have_count(2)
    # The same invoice is booked once: said at its field, and what was typed stays.
    await page.get_by_role("button", name="同车再登记一笔").click()
    for field, text in (("amount", "350"), ("invoice_no", INVOICE)):
        await page.locator(f"#cost-{field}").fill(text)
    await page.get_by_role("button", name="登记", exact=True).click()
    await expect(page.locator("#cost-invoice_no-say")).to_contain_text("已入账")
    await page.locator("#cost-invoice_no").fill("")
    await page.locator("#cost-no_invoice").fill("自助加油无票")
    await page.locator("#cost-amount").fill("20")
    await page.get_by_role("button", name="登记", exact=True).click()
    await page.locator("[data-test=reverse]").click()
    await page.get_by_role("dialog").get_by_label("理由").fill("重复登记，冲正")
    await page.get_by_role("dialog").get_by_role("button", name="冲正").click()
    await expect(page.locator("[data-test=reversal]")).to_be_visible()
    await expect(page.locator("[data-test=amount]")).to_have_text("¥-20.00")
    await page.goto("/costs/entries")
    await expect(page.locator("[role=row].line")).to_have_count(4)
    await fits(page)

    # Finance: a file with a bad line is refused as a whole; a good one is compared, and the rest matched by hand.
    finance = await visit("ly-money", "/costs/reconciliations/new")
    send = finance.get_by_role("button", name="开始对账")
    await send.click()
    await expect(finance.get_by_role("alert")).to_contain_text("请选择凭证文件")
    for name, text in (("坏.csv", VOUCHERS.replace("700.00", "七百")), ("凭证.csv", VOUCHERS)):
        await finance.locator("#voucher-file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": text.encode()})  # fmt: skip
        await send.click()
        if name == "坏.csv":
            await expect(finance.get_by_role("table", name="读不懂的行")).to_contain_text("借方金额")
    await expect(finance.locator("[data-outcome=matched]")).to_contain_text("1")
    await expect(finance.locator("[data-outcome=finance_only]")).to_contain_text("¥700.00")
    lines = finance.locator("[role=row].line")
    tyres, items = lines.filter(has_text="付轮胎款"), lines.filter(has_text="轮胎店甲")
    await tyres.locator("input[type=checkbox]").check()
    await expect(finance.locator("[data-test=match]")).to_be_disabled()
    await finance.locator("[data-outcome=platform_only] a").click()
    await expect(tyres).to_have_count(0)
    await items.locator("input[type=checkbox]").check()
    await expect(finance.locator("[data-test=chosen]")).to_contain_text("相差 ¥0.00")
    await finance.locator("[data-test=match]").click()
    dialog = finance.get_by_role("dialog")
    await dialog.get_by_label("理由").fill("商户改名，同一笔")
    await dialog.get_by_role("button", name="人工对应").click()
    await expect(finance.locator("[data-act=match]")).to_contain_text("商户改名")
    await finance.goto(finance.url.partition("?")[0])
    await tyres.wait_for()
    await picture(finance, "costs-run")
    assert await flaws(finance) == []
    await tyres.click()
    await finance.locator("[data-test=release]").click()
    await dialog.get_by_label("理由").fill("核对有误，解除")
    await dialog.get_by_role("button", name="解除对应").click()
    await expect(finance.locator("[data-act=release]")).to_contain_text("核对有误")
    await expect(finance.locator("[data-outcome=finance_only]")).to_contain_text("¥700.00")

    await finance.goto("/costs/mappings")
    await expect(finance.locator("[data-test=used]")).to_contain_text("内置的对照")
    await finance.locator("#map-counterpart").fill("收款方")
    await finance.locator("#map-units").fill("林业局")
    await finance.locator("[data-test=save]").click()
    await expect(finance.locator("#map-units-say")).to_contain_text("看不懂")
    await finance.locator("#map-units").fill("林业局=lyj")
    await finance.locator("[data-test=save]").click()
    await expect(finance.locator("[data-test=used]")).to_contain_text("第 1 版")
    assert await flaws(finance) == []
    await finance.goto("/costs/indicators")
    await expect(finance.locator("[data-code=cost_of_vehicle]")).to_contain_text("1050 元/辆")
    await expect(finance.locator("[data-code=cost_of_vehicle]")).to_contain_text("在册的车辆数")
    await expect(finance.locator("[data-test=not-published]")).to_contain_text("服务总时长")
    await picture(finance, "costs-indicators")
    assert await flaws(finance) == []
