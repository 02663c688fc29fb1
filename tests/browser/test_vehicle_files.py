"""一车一档: the file of a vehicle with its maintenance, of two people and of two tabs; quotas and notices; a rental with its proof, and the table that decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from office.identity.subject import Role
from runtime.postgres import connect
from runtime.units import CHINA
from tests.browser.pages import flaws, picture
from tests.browser.test_phone import LOOK, PHONE
from tests.browser.test_trips import asked, call
from tests.browser.world import MARKUP, World

Visit = Callable[..., Awaitable[Page]]
PEOPLE = {
    "files": ("孙管", Role.UNIT_ADMINISTRATOR), "chief": ("钱局", Role.UNIT_HEAD), "rents": ("何调", Role.DISPATCHER), "goes": ("丁科", Role.APPLICANT),
}  # fmt: skip
TABLE = {"positions": [{"code": "head", "name": "负责人", "users": ["chief"]}], "rows": [{"name": "全部", "chain": ["head"], "timeout_min": 120}]}  # fmt: skip
TODAY = datetime.now(CHINA).date()
CAR = "/registry/vehicles/of/vf-1"
#: The smallest picture: a PNG of one point.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def depot(world: World) -> World:
    """A unit with two vehicles, who keeps them, and who decides."""
    connection = await connect(world.dsn)
    try:
        await connection.execute("INSERT INTO organisations (id, name, parent) VALUES ('dsj', '市大数据局', 'city')")  # fmt: skip
        await connection.execute("INSERT INTO vehicles (id, plate, organisation, category) VALUES ('vf-1', '苏F76001', 'dsj', '机要通信'), ('vf-2', '苏F76002', 'dsj', '机要通信')")  # fmt: skip
        # Dear for its class, by the standard of the day on which it was bought.
        await connection.execute(
            "INSERT INTO vehicle_particulars (vehicle, vin_note, engine_no, make_model, body, automatic, colour, displacement_ml, price_fen, bought_on, fund, asset_no, marking, marking_reason)"
            " VALUES ('vf-2', '', '', '帕萨特', 'car', true, '', 1800, 17800000, '2024-03-01', '', '', '', '')"
        )  # fmt: skip
        for login, (name, role) in PEOPLE.items():
            await world.add(connection, login, name, "dsj", role)
        await connection.execute("INSERT INTO approval_tables VALUES ('dsj', 1, $1, 'user:unit', 'x', now(), now(), NULL)", TABLE)  # fmt: skip
    finally:
        await connection.close()
    return world


def dialog(page: Page) -> Locator:
    return page.locator(".el-dialog:visible")


async def fill(page: Page, **fields: str) -> None:
    """Fields of the open dialog by their names in the API."""
    for name, text in fields.items():
        await dialog(page).locator(f"[data-field={name}]").locator("input, textarea").first.fill(text)


async def choose(page: Page, field: str, option: str) -> None:
    """One of a choice in the open dialog."""
    await dialog(page).locator(f"[data-field={field}] .el-select").click()
    await page.get_by_role("option", name=option, exact=True).click()


async def press(page: Page) -> None:
    """The button that sends the open dialog."""
    await dialog(page).locator(".foot button[type=submit]").click()


async def step(page: Page, name: str) -> None:
    """The button of a step of the paper."""
    await page.locator(f"[data-step={name}].el-button").click()


async def fits(page: Page, name: str) -> None:
    """Nothing sticks out at 360 px, and all targets are large enough."""
    assert await page.evaluate(LOOK) == {"wide": [], "small": []}, name
    await picture(page, name)


async def test_the_file_of_a_vehicle(visit: Visit, depot: World) -> None:
    page = await visit("files", CAR)
    await page.get_by_role("link", name="登记信息、号牌").click()
    await expect(page.get_by_text("尚未登记。登记了车辆类型")).to_be_visible()
    await page.locator("[data-test=particulars]").click()
    await fill(
        page,
        vin="LSVAA4182E2184841",
        make_model=MARKUP,
        displacement_ml="1.8",
        price_fen="十八万",
        bought_on="3月1日",
    )
    await press(page)
    await expect(dialog(page).locator("[data-field=price_fen] .flaw")).to_contain_text("应为金额")
    await expect(dialog(page).locator("[data-field=bought_on] .flaw")).to_contain_text("写明年份")
    await fill(page, price_fen="178,000", bought_on="2024年3月1日")
    await choose(page, "body", "小型、微型客车")
    await press(page)
    await expect(dialog(page).locator("[data-field=vin] .flaw")).to_be_visible()  # the check digit is another
    await picture(page, "vehicle-particulars-form")
    await fill(page, vin_note="进口车辆，校验码按原厂")
    await press(page)
    shown = page.locator("[data-test=particulars-shown]")
    await expect(shown).to_contain_text("178000.00")
    await expect(shown).to_contain_text(MARKUP)
    await picture(page, "vehicle-particulars")
    assert await flaws(page) == []

    # Inspection: refused at the field, then there, and its end is told.
    await page.get_by_role("link", name="年检、保险").click()
    await expect(page.get_by_text("没有登记年检和保险")).to_be_visible()
    await page.locator("[data-test=paper]").click()
    await choose(page, "kind", "年检")
    ends = TODAY + timedelta(days=12)
    await fill(
        page, number="NJ-7", valid_from=ends.isoformat(), valid_to=(ends - timedelta(days=365)).isoformat()
    )
    await press(page)
    await expect(dialog(page).locator("[data-field=valid_to] .flaw")).to_contain_text("早于")
    await fill(page, valid_from=(ends - timedelta(days=365)).isoformat(), valid_to=ends.isoformat())
    await press(page)
    await expect(page.get_by_role("row", name="NJ-7")).to_contain_text("还有 12 天")
    await page.get_by_role("link", name="NJ-7").click()
    await page.locator("input[type=file]").set_input_files(
        {"name": "年检.png", "mimeType": "image/png", "buffer": PNG}
    )
    await expect(page.get_by_role("link", name="年检.png")).to_be_visible()
    await page.goto("/vehicles/papers")
    await expect(page.get_by_role("grid")).to_contain_text("NJ-7")
    await picture(page, "vehicle-papers")

    # Sealed, and not any more; asked for another unit.
    await page.goto(f"{CAR}?part=acts")
    await page.locator("[data-test=do-seal]").click()
    await fill(page, reason="节假日封存")
    await press(page)
    await expect(page.locator("[data-test=seal]")).to_contain_text("已封存")
    await page.locator("[data-test=unseal]").click()
    await page.locator(".el-message-box").get_by_role("button", name="启封").click()
    await expect(page.locator("[data-test=seal]")).to_contain_text("未封存")
    assert await flaws(page) == []
    await page.locator("[data-test=transfer]").click()
    await dialog(page).locator("[data-field=to] input").fill("jsj")
    await page.keyboard.press("Enter")
    await fill(page, reason="调给市建设局使用")
    await press(page)
    await expect(page.locator("[data-test=state]")).to_contain_text("待本单位同意")
    act = page.url.replace(depot.url, "")
    head = await visit("chief", act)
    await step(head, "release")
    await press(head)
    await expect(head.locator("[data-test=state]")).to_contain_text("本单位已同意")
    # The other tab has not seen it: it says who was first, keeps what was typed, and goes on when it is pressed once more.
    await step(page, "withdraw")
    await fill(page, reason="本单位仍需使用")
    await press(page)
    await expect(dialog(page).locator("[data-code=moved]")).to_contain_text("钱局 刚才已办理“本单位同意”")
    await expect(dialog(page).locator("[data-field=reason] textarea")).to_have_value("本单位仍需使用")
    await picture(page, "vehicle-act-moved")
    assert await flaws(page) == []
    await press(page)
    await expect(page.locator("[data-test=state]")).to_contain_text("已撤回")

    # All of it in one click.
    await page.goto(CAR)
    await page.locator("[data-test=whole-file]").click()
    await expect(page.locator("[data-test=paper]")).to_be_visible()
    await picture(page, "vehicle-file")


async def test_maintenance_by_two_people(visit: Visit, depot: World) -> None:
    page = await visit("files", f"{CAR}?part=repairs", **PHONE)
    await expect(page.get_by_text("没有记录")).to_be_visible()
    await fits(page, "phone-vehicle-repairs")
    await page.locator("[data-test=report]").click()
    await fill(page, fault=f"更换刹车片 {MARKUP}", odometer_m="52,310.5")
    await press(page)
    await expect(page.locator("[data-test=state]")).to_contain_text("待报价")
    await step(page, "quote")
    await fill(page, shop="城东汽修")
    await press(page)
    await expect(dialog(page).get_by_text("请至少填写一项").first).to_be_visible()
    await dialog(page).get_by_label("配件 1 名称").fill("刹车片")
    await dialog(page).get_by_label("配件 1 单价（元）").fill("300")
    await dialog(page).get_by_label("工时 1 名称").fill("更换")
    await dialog(page).get_by_label("工时 1 工时（小时）").fill("1.5")
    await dialog(page).get_by_label("工时 1 每小时（元）").fill("80")
    await expect(dialog(page).locator("[data-test=sum]")).to_contain_text("420.00")
    await fits(page, "phone-vehicle-quote")
    assert await flaws(page) == []
    await press(page)
    await expect(page.locator("dl").first).to_contain_text("城东汽修")
    await step(page, "submit")
    await press(page)
    await expect(page.locator("[data-test=state]")).to_contain_text("待审批")
    await expect(page.locator("main")).to_contain_text(MARKUP)
    await fits(page, "phone-vehicle-repair")

    head = await visit("chief", "/vehicles/maintenance")
    await expect(head.get_by_role("grid")).to_contain_text("待审批")
    await picture(head, "vehicle-repairs")
    assert await flaws(head) == []
    await head.locator("[role=row].line").first.click()
    await step(head, "approve")
    await press(head)
    await expect(head.locator("[data-test=state]")).to_contain_text("待进厂")
    await page.reload()
    for one in ("start", "finish"):
        await step(page, one)
        await press(page)
    await expect(page.locator("[data-test=state]")).to_contain_text("待验收")
    # Who entered the bill does not accept it, and nobody without two pictures.
    await expect(page.locator("[data-refused=accept]")).to_be_visible()
    for k in (1, 2):
        picked = page.locator("input[type=file]").first
        await picked.set_input_files({"name": f"{k}.png", "mimeType": "image/png", "buffer": PNG})
        await expect(page.get_by_text(f"照片 {k} 张")).to_be_visible()
    await head.reload()
    await step(head, "accept")
    await press(head)
    await expect(head.locator("[data-test=state]")).to_contain_text("已验收")
    await picture(head, "vehicle-repair-done")
    assert await flaws(head) == []


async def test_quotas_and_notices(visit: Visit, depot: World) -> None:
    page = await visit("office", "/vehicles/quotas?organisation=dsj")
    line = page.locator("[data-id='dsj confidential']")
    await expect(line).to_contain_text("未核定")
    await page.locator("[data-test=set-quota]").click()
    await choose(page, "quota_class", "机要通信")
    await fill(
        page, vehicles="一", valid_from=TODAY.isoformat(), approved_by="市委编办", paper_no="编〔2026〕9号"
    )
    await press(page)
    await expect(dialog(page).locator("[data-field=vehicles] .flaw")).to_contain_text("应为整数")
    await fill(page, vehicles="1")
    await press(page)
    await expect(line).to_contain_text("超编")
    await picture(page, "quotas")
    assert await flaws(page) == []
    await line.click()
    await expect(page.get_by_role("table", name="核定记录")).to_contain_text("编〔2026〕9号")
    await page.goto("/vehicles/standard?organisation=dsj&standing=above")
    await expect(page.locator("[data-id=vf-2]")).to_contain_text("价格超过 120000 元；排量超过 1.6 升")
    await picture(page, "quota-standard")
    assert await flaws(page) == []

    # A notice for the unit: what is missing is said, it is asked before it is published, and it is confirmed on a telephone.
    head = await visit("head", "/notices/new")
    await head.get_by_label("标题").fill(MARKUP)
    await head.get_by_role("button", name="发布", exact=True).click()
    await expect(head.locator(".flaw")).to_have_count(1)
    await head.get_by_label("正文").fill("国庆期间公务用车一律封存。\n特殊用车报批。")
    await head.locator(".el-checkbox", has_text="需回执").click()
    await picture(head, "notice-form")
    assert await flaws(head) == []
    await head.get_by_role("button", name="发布", exact=True).click()
    await head.locator(".el-message-box").get_by_role("button", name="发布").click()
    await expect(head.get_by_role("heading", name=MARKUP)).to_be_visible()
    reader = await visit("files", "/notices", **PHONE)
    await expect(reader.locator("[role=row].line").first).to_contain_text("待回执")
    await fits(reader, "phone-notices")
    await reader.locator("[role=row].line").first.click()
    await expect(reader.locator("[data-test=confirm]")).to_be_visible()
    await fits(reader, "phone-notice")
    await reader.locator("[data-test=confirm]").click()
    await expect(reader.locator("[data-test=state]")).to_contain_text("已回执")
    assert await flaws(reader) == []
    await head.reload()
    await expect(head.get_by_role("table", name="已读和回执")).to_contain_text("孙管")
    await head.locator("[data-test=withdraw]").click()
    await fill(head, reason="内容有误，另行发布")
    await press(head)
    await expect(head.locator("[data-test=state]")).to_contain_text("已撤回")
    await picture(head, "notice")
    assert await flaws(head) == []

    # Fuel of each vehicle in a quarter: looked at, published, objected to by the unit, answered; then corrected.
    await head.goto("/notices/new")
    await head.locator(".el-select:has(#notice-kind)").click()
    await head.get_by_role("option", name="季度单车油耗公示", exact=True).click()
    await head.get_by_label("标题").fill("单车油耗公示")
    await head.locator("[data-test=preview]").click()
    await expect(head.locator(".flaw")).to_have_count(2)  # of which quarter, and whom to ask
    await head.locator(".el-select:has(#notice-quarter)").click()
    await head.locator(".el-select-dropdown__item:visible").first.click()  # the newest that is over
    await head.get_by_label("联系电话").fill("0513-85098000")
    await head.locator("[data-test=preview]").click()
    await expect(head.get_by_role("table", name="预览")).to_contain_text("不可判")
    await picture(head, "publication-form")
    assert await flaws(head) == []
    await head.get_by_role("button", name="发布", exact=True).click()
    await head.locator(".el-message-box").get_by_role("button", name="发布").click()
    await expect(head.get_by_role("heading", name="单车油耗公示")).to_be_visible()
    await reader.goto(head.url)
    await reader.locator("[data-test=object]").click()
    await fill(reader, reason=f"里程没有录入 {MARKUP}")
    await press(reader)
    await expect(reader.get_by_role("table", name="异议和答复")).to_contain_text("待答复")
    await fits(reader, "phone-publication")
    assert await flaws(reader) == []
    await head.reload()
    await head.locator("[data-test=answer]").click()
    await choose(head, "verdict", "成立")
    await fill(head, reason="已补录，另行公示")
    await press(head)
    await expect(head.get_by_role("table", name="异议和答复")).to_contain_text("已补录")
    await picture(head, "publication")
    assert await flaws(head) == []
    await head.locator("[data-test=correct]").click()
    await head.get_by_label("更正的原因").fill("补录了期末里程")
    await head.get_by_role("button", name="发布", exact=True).click()
    await head.locator(".el-message-box").get_by_role("button", name="发布").click()
    await expect(head.locator("[data-test=edition]")).to_contain_text("第 2 版")
    await head.get_by_role("link", name="更正了前一版").click()
    await expect(head.locator("[data-test=state]")).to_contain_text("已撤回")


async def test_a_rental_with_its_proof(visit: Visit, depot: World) -> None:
    goes = await visit("goes", "/trips")
    request = await asked(goes, 26, organisation="dsj")
    chief = await visit("chief", "/approvals")
    await call(chief, "POST", f"trip-requests/{request['id']}:approve", {"version": request["version"]})
    desk = await visit("rents", f"/trips/{request['id']}")
    await desk.get_by_role("link", name="报备租赁社会车辆").click()
    await desk.locator("[data-test=report]").click()
    await fill(
        desk,
        supplier="南通出租汽车公司",
        contract="定点-2026-3",
        vehicle_class="轿车",
        seats="5",
        reason=f"不通公共交通 {MARKUP}",
        ceiling_fen="600",
    )
    await press(desk)
    await expect(dialog(desk).get_by_role("alert")).to_contain_text("苏F7600")  # one that can serve
    await picture(desk, "rental-refused")
    assert await flaws(desk) == []
    keeper = await visit("files", "/rentals")
    await expect(keeper.get_by_text("没有租赁报备")).to_be_visible()
    for car in ("vf-1", "vf-2"):
        await call(keeper, "POST", f"vehicles/{car}:seal", {"reason": "节假日封存"})
    await press(desk)
    await expect(desk.locator("[data-test=state]")).to_contain_text("待批准")
    await expect(desk.locator("[data-test=proof]")).to_contain_text("苏F·76001")
    await expect(desk.locator("main")).to_contain_text(MARKUP)
    await picture(desk, "rental")
    assert await flaws(desk) == []
    rental = desk.url.replace(depot.url, "")
    await chief.goto(rental)
    await step(chief, "approve")
    await press(chief)
    await expect(chief.locator("[data-test=proof]")).to_have_count(2)
    await keeper.goto(rental)
    await step(keeper, "take")
    await fill(keeper, plate="苏FT1234", seats="5", driver="李师傅", insured_fen="1000000")
    await press(keeper)
    await expect(keeper.locator("[data-test=state]")).to_contain_text("已起租")
    await step(keeper, "settle")
    await fill(keeper, amount_fen="550", driven_m="120", occurred_on=TODAY.isoformat(), invoice_no="00012345")
    await press(keeper)
    await expect(keeper.locator("[data-test=state]")).to_contain_text("已结算")
    await expect(keeper.get_by_role("link", name="打开费用")).to_be_visible()
    await picture(keeper, "rental-settled")
    assert await flaws(keeper) == []

    # The table that decided: a case is tried against it, and a version in which the first row fits it is put in force.
    await keeper.goto("/approval-tables?organisation=dsj")
    await expect(keeper.locator("[data-test=hit]")).to_contain_text("第 1 条“全部”")
    await keeper.locator("[data-test=edit]").click()
    await keeper.get_by_role("button", name="添加规则").click()
    await keeper.get_by_role("button", name="保存为草稿").click()
    await expect(keeper.locator(".flaw")).to_contain_text("第 2 条规则")
    row = keeper.locator("[data-row='2']")
    await row.get_by_label("规则", exact=True).fill("机要")
    for field, option in (("用车类别", "机要通信"), ("审批链", "负责人")):
        await row.locator(".el-select", has=keeper.get_by_label(field, exact=True)).click()
        await keeper.locator(".el-select-dropdown:visible").get_by_role("option", name=option).click()
        await keeper.keyboard.press("Escape")
    await row.get_by_role("button", name="上移").click()
    await picture(keeper, "approval-table-form")
    assert await flaws(keeper) == []
    await keeper.get_by_role("button", name="保存为草稿").click()
    await expect(keeper.get_by_role("table", name="规则", exact=True)).to_contain_text("机要通信")
    await keeper.locator("[data-activate='2']").click()
    await keeper.locator(".el-message-box").get_by_role("button", name="启用").click()
    await expect(keeper.locator("main")).to_contain_text("本单位第 2 版")
    await expect(keeper.locator("[data-test=hit]")).to_contain_text("第 2 条“全部”")
    await picture(keeper, "approval-table")
    assert await flaws(keeper) == []
