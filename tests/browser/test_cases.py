"""督办: the whole life of a case, by people of different roles, each in a browser of his own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import asyncpg
import pytest_asyncio
from playwright.async_api import Page, expect

from office.identity.subject import Role
from runtime.postgres import connect
from runtime.units import CHINA
from tests.browser.pages import flaws, picture
from tests.browser.world import MARKUP, World

Visit = Callable[..., Awaitable[Page]]
#: A picture of one point.
PNG: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)

#: A page without anything on it.
PDF: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def people(world: World) -> None:
    """A head of the unit, who signs."""
    connection = await connect(world.dsn)
    try:
        await world.add(connection, "signer", "孙立", "jsj", Role.UNIT_HEAD)
    finally:
        await connection.close()


async def alerts_of(world: World, unit: str, count: int, skip: int = 0) -> list[str]:
    """Ids of alerts of a unit."""
    connection: asyncpg.Connection = await connect(world.dsn)
    try:
        found = await connection.fetch(
            "SELECT id FROM alerts WHERE organisation = $1 AND status = 'suspected' ORDER BY occurred_from, id OFFSET $2 LIMIT $3",
            unit,
            skip,
            count,
        )
        return [row["id"] for row in found]
    finally:
        await connection.close()


async def take(page: Page, step: str, **fields: str) -> None:
    """Open the form of a step and fill in its texts, by their labels."""
    await page.locator(f"button[data-step={step}]").click()
    for label, text in fields.items():
        await page.locator("form").get_by_label(label.replace("_", " ")).fill(text)


async def send(page: Page, *, sure: bool = False) -> None:
    """Send the form that is open; ``sure``: it asks once more."""
    await page.locator("form button[type=submit]").click()
    if sure:
        await page.locator(".el-message-box__btns .el-button--primary").click()


async def state(page: Page, name: str) -> None:
    """The case has come to this state."""
    await expect(page.locator("[data-test=state]")).to_contain_text(name)


async def act(page: Page, case: str, step: str, **body: Any) -> None:
    """Take a step as the person of ``page``, without its forms."""
    request = page.context.request
    session, shown = await asyncio.gather(request.get("/v1/session"), request.get(f"/v1/cases/{case}"))
    answer = await request.post(
        f"/v1/cases/{case}:{step}",
        data={"version": (await shown.json())["version"], **body},
        headers={"X-CSRF-Token": (await session.json())["csrf_token"]},
    )
    assert answer.ok, await answer.text()


async def drafted(visit: Visit, alerts: list[str], title: str) -> Page:
    """The clerk's page of a new draft that may be submitted."""
    page = await visit("office", "/cases/new?alert=" + ",".join(alerts))
    await expect(page.get_by_label("标题")).not_to_have_value("")
    await page.get_by_label("标题").fill(title)
    await page.get_by_label(re.compile("依据")).fill("党政机关公务用车管理办法第二十条")
    await page.get_by_label(re.compile("被督办人")).fill("张伟")
    await page.get_by_role("button", name="保存拟稿").click()
    await state(page, "拟稿")
    return page


VIEWER: Final = (
    "Object.defineProperty(Navigator.prototype, 'pdfViewerEnabled', {{ configurable: true, get: () => {} }})"
)


async def papers(page: Page) -> None:
    """A paper stands in the page where the browser shows PDF, and can be saved where it does not; what is refused is told."""
    await page.context.add_init_script(VIEWER.format("false"))
    await page.reload()
    await page.locator("button[data-paper=closing]").click()
    shown = page.locator("[data-test=paper]")
    await expect(shown).to_contain_text("不能在页面中显示 PDF")
    assert await shown.locator("iframe").count() == 0
    async with page.expect_download() as waited:
        await shown.get_by_role("link", name="下载").click()
    assert (await waited.value).suggested_filename.endswith("核销单.pdf")

    await page.context.add_init_script(VIEWER.format("true"))
    await page.reload()
    async with page.expect_response(re.compile(r"/documents/closing\?inline=true$")) as asked:
        await page.locator("button[data-paper=closing]").click()
    sent = (await asked.value).headers
    assert (sent["content-type"], sent["x-content-type-options"]) == ("application/pdf", "nosniff")
    assert sent["content-disposition"].startswith("inline;")
    assert sent["content-security-policy"] == "frame-ancestors 'self'"
    await expect(shown.locator("iframe")).to_have_attribute("title", re.compile("核销单（PDF）"))
    await expect(shown.get_by_role("heading")).to_be_focused()
    await picture(page, "case-paper")
    await page.route("**/documents/order*inline*", lambda route: route.fulfill(
        status=409, content_type="application/problem+json",
        body='{"type":"urn:gongche:problem:no-such-document-yet","title":"与已有数据冲突 · Conflict","status":409,'
        '"detail":"督办单尚未签发 · not issued"}',
    ))  # fmt: skip
    await page.locator("button[data-paper=order]").click()
    await expect(shown.locator(".problem")).to_contain_text("督办单尚未签发")
    await shown.get_by_role("button", name="收起").click()
    await expect(shown).to_have_count(0)


async def attached_pdf(page: Page) -> None:
    """An attached PDF is shown in place by the browser's own viewer, as that and nothing else."""
    await page.context.add_init_script(VIEWER.format("true"))
    await page.reload()
    await page.locator("input[type=file]").set_input_files(
        {"name": "票据.pdf", "mimeType": "application/pdf", "buffer": PDF}
    )
    line = page.locator("ul.files li").filter(has_text="票据.pdf")
    async with page.expect_response(re.compile(r"/attachments/[^?]+\?inline=true$")) as asked:
        await line.get_by_role("button", name="查看").click()
    sent = (await asked.value).headers
    assert (sent["content-type"], sent["x-content-type-options"]) == ("application/pdf", "nosniff")
    assert sent["content-disposition"].startswith("inline;")
    assert sent["content-security-policy"] == "frame-ancestors 'self'"
    await expect(line.locator("iframe")).to_have_attribute("title", "票据.pdf（PDF）")
    await picture(page, "case-attached-pdf")
    await line.locator(".look").click()
    await expect(line.locator("iframe")).to_have_count(0)
    # Nothing else is ever shown, whatever is asked for.
    photo = await page.locator("ul.files li a").filter(has_text="现场照片.png").get_attribute("href")
    answer = await page.context.request.get(f"{photo}?inline=true")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["content-security-policy"]


async def bundle(page: Page) -> None:
    """The bundle for a purpose, and how to check it."""
    await page.get_by_role("button", name="案卷包", exact=True).click()
    form = page.locator("[data-test=bundle]")
    await expect(form).to_contain_text("gongche verify")
    await expect(form.get_by_role("button", name="下载案卷包")).to_be_disabled()
    await form.get_by_label("用途").fill("移送纪检监察复核")
    await picture(page, "case-bundle")
    assert await flaws(page) == []
    async with page.expect_download() as waited:
        await form.get_by_role("button", name="下载案卷包").click()
    saved = await waited.value
    assert re.fullmatch(r"督.+-0001号\.zip", saved.suggested_filename)
    content = await asyncio.to_thread((await saved.path()).read_bytes)
    assert content.startswith(b"PK")


async def objection(unit: Page, head: Page) -> None:
    """The case costs points in the sheet of the quarter; the unit objects, once, and the office decides."""
    now = datetime.now(CHINA)
    sheet = f"/assessment/{now.year}Q{(now.month + 2) // 3}/jsj"
    await unit.goto(sheet)
    line = unit.locator("tr[data-line]").first
    await expect(line).to_contain_text("程序不规范")
    await picture(unit, "assessment-line")
    assert await flaws(unit) == []
    await line.get_by_role("button", name="提出异议").click()
    asked = unit.get_by_role("dialog")
    await asked.get_by_role("button", name="提出异议").click()
    await expect(asked).to_contain_text("必须填写")
    await asked.get_by_label("理由").fill("当日为应急出车，已有领导批示")
    await asked.get_by_role("button", name="提出异议").click()
    await expect(line).to_contain_text("待决定")
    await expect(line.get_by_role("button", name="提出异议")).to_have_count(0)
    await head.goto(sheet)
    await expect(head.get_by_role("button", name="提出异议")).to_have_count(0)
    await head.locator("tr[data-line]").first.get_by_role("link", name="待决定").click()
    one = head.locator("article.one").filter(has_text="应急出车")
    await one.get_by_label("决定的理由（必填）").fill("经核实予以采纳，不再扣分")
    await one.get_by_role("button", name="异议成立").click()
    await head.get_by_role("dialog").get_by_role("button", name="确定").click()
    await head.goto(sheet)
    await expect(head.locator("tr[data-line]").first).to_contain_text("异议成立")


async def test_whole_life(visit: Visit, world: World, people: None) -> None:
    alerts = await alerts_of(world, "jsj", 2)
    office = await drafted(visit, alerts, f"夜间用车 {MARKUP}")
    await expect(office.get_by_role("heading", level=1)).to_have_text(f"夜间用车 {MARKUP}")
    assert await office.locator("main img").count() == 0  # what people write is text
    await take(office, "submit")
    await send(office)
    await state(office, "待签发")
    case = office.url.rsplit("/", 1)[1]

    head, unit, signer = await asyncio.gather(
        visit("head", f"/cases/{case}"), visit("unit", f"/cases/{case}"), visit("signer", "/cases")
    )
    await expect(unit.get_by_text("没有这份督办单")).to_be_visible()  # not yet the unit's to see
    await expect(signer.get_by_text("没有符合条件的记录")).to_be_visible()
    assert await signer.get_by_role("button", name="拟稿", exact=True).count() == 0
    await take(head, "issue")
    await send(head, sure=True)
    await state(head, "已下达")
    await expect(head.locator("header .tags strong")).to_have_text(re.compile(r"督〔\d{4}〕.+-0001号"))

    await unit.reload()
    await state(unit, "已下达")
    await expect(unit.locator("[data-test=colour]")).to_have_text(re.compile("期限内|将到期|期限待定"))
    assert (
        await unit.locator(
            "button[data-step=issue], button[data-step=close], button[data-step=cancel]"
        ).count()
        == 0
    )
    await take(unit, "sign")
    await send(unit)
    await state(unit, "办理中")
    await unit.locator("input[type=file]").set_input_files(
        {"name": "现场照片.png", "mimeType": "image/png", "buffer": PNG}
    )
    photo = unit.locator("ul.files li").filter(has_text="现场照片.png")
    await photo.get_by_role("button", name="查看").click()
    await expect(photo.get_by_role("img")).to_be_visible()
    assert await photo.get_by_role("img").evaluate("one => one.decode().then(() => one.naturalWidth)") == 1
    await photo.get_by_role("button", name="收起").click()
    await expect(photo.get_by_role("img")).to_have_count(0)
    await unit.locator("input[type=file]").set_input_files(
        {"name": "脚本.pdf", "mimeType": "application/pdf", "buffer": b"<script>alert(1)</script>"}
    )
    await expect(unit.locator(".upload [role=alert]")).to_be_visible()  # its content is no PDF
    await unit.locator(".upload").get_by_role("button", name="关闭").click()
    await attached_pdf(unit)
    await take(unit, "reply", 核查经过和事实认定="当晚送医，派车单补录延迟。", 整改措施="已补录并通报批评。")
    await send(unit)
    await expect(unit.locator("form").get_by_text("必须填写")).to_be_visible()  # 核查方式
    await unit.get_by_role("form", name="拟写回复").get_by_text("台账", exact=True).click()
    await picture(unit, "case-reply")
    await send(unit)
    await expect(unit.locator("li[data-step=reply]")).to_contain_text("当晚送医")
    await expect(unit.locator("[data-refused=sign-reply]")).to_have_count(
        0
    )  # no right at all: not even shown

    await signer.goto(f"/cases/{case}")
    await take(signer, "sign-reply")
    await send(signer, sure=True)
    await state(signer, "待核销")

    await office.reload()
    await take(office, "close", 认定依据="派车单、就诊记录")
    await office.get_by_text("程序不规范", exact=True).click()
    await send(office)
    await expect(office.locator("form").get_by_text("必须填写").first).to_be_visible()
    for label, text in (
        ("责任认定", "车管员未及时补录"),
        ("整改措施", "当日补录"),
        ("整改期限", "2099-01-05"),
    ):
        await office.locator("form").get_by_label(label).fill(text)
    await send(office, sure=True)
    await expect(office.locator(".problem")).to_contain_text(
        "一年"
    )  # the server's word; what was typed stays
    await expect(office.locator("form").get_by_label("责任认定")).to_have_value("车管员未及时补录")
    day = await office.evaluate("() => new Date(Date.now() + 20 * 86400000).toISOString().slice(0, 10)")
    await office.locator("form").get_by_label("整改期限").fill(day)
    await send(office, sure=True)
    await state(office, "已核销")
    await expect(office.locator("[data-test=finding]")).to_contain_text("程序不规范")
    await papers(office)
    await bundle(office)
    await expect(unit.get_by_role("button", name="案卷包")).to_have_count(0)
    await objection(unit, head)
    await picture(office, "case-closed")
    assert await flaws(office) == []
    thread = [await li.get_attribute("data-step") for li in await office.locator("ol > li[data-step]").all()]
    assert thread == ["close", "sign-reply", "reply", "attach", "attach", "sign", "issue", "submit", "draft"]


async def test_somebody_was_first(visit: Visit, world: World, people: None) -> None:
    office = await drafted(visit, await alerts_of(world, "jsj", 1, 3), "两人同办")
    head = await visit("head", f"/cases/{office.url.rsplit('/', 1)[1]}")
    await take(office, "note", 内容="请核对里程")
    await take(head, "note", 内容="先登记")
    await send(head)
    await expect(head.locator("li[data-step=note]")).to_contain_text("先登记")
    await send(office)
    moved = office.locator("[data-test=moved]")
    await expect(moved).to_contain_text("已被 陈静 修改")
    await expect(moved).to_contain_text("备注")
    await expect(office.locator("form button[type=submit]")).to_be_disabled()
    await picture(office, "case-moved")
    assert await flaws(office) == []
    await moved.get_by_role("button", name="载入最新内容").click()
    await expect(office.locator("form").get_by_label("内容")).to_have_value("请核对里程")
    await send(office)
    await expect(office.locator("li[data-step=note]")).to_have_count(2)
    await office.locator("button[data-step=edit]").click()
    await office.get_by_label("标题").fill("两人同办（改）")
    await office.get_by_role("button", name="保存拟稿").click()
    await expect(office.locator("li[data-step=edit]")).to_contain_text("修改了：标题")
    await take(office, "submit")
    await office.get_by_role("button", name="返回").click()  # nothing typed: no question
    await expect(office).to_have_url(re.compile("/cases/"))


async def test_refused_more_time_again_and_reopened(visit: Visit, world: World, people: None) -> None:
    office = await drafted(visit, await alerts_of(world, "yiyuan", 1), "改派与延期")
    case = office.url.rsplit("/", 1)[1]
    await act(office, case, "submit")
    head, unit, signer = await asyncio.gather(
        visit("head", f"/cases/{case}", color_scheme="dark"),
        visit("unit", "/cases"),
        visit("signer", "/cases"),
    )
    await act(head, case, "issue")
    await act(head, case, "note", text="口头通知过", internal=True)
    connection = await connect(world.dsn)
    await world.add(connection, "clinic", "钱进", "yiyuan", Role.UNIT_ADMINISTRATOR)
    await connection.close()
    clinic = await visit("clinic", f"/cases/{case}")
    await expect(clinic.get_by_text("口头通知过")).to_have_count(0)  # the office's own
    await take(clinic, "refuse", 理由="太短")
    await send(clinic)
    await expect(clinic.locator("form").get_by_text("至少 5 个字")).to_be_visible()
    await clinic.locator("form").get_by_label("理由").fill("该车当日借给建设局使用")
    await send(clinic)
    await state(clinic, "退件待审")
    await head.reload()
    await take(head, "grant")
    await head.get_by_role("combobox", name="改派单位").click()
    await head.get_by_role("option", name="市建设局").click()
    await picture(head, "case-dark")
    assert await flaws(head) == []
    await send(head)
    await state(head, "已下达")
    await expect(head.locator("header .tags")).to_contain_text("市建设局")

    await act(unit, case, "sign")
    await unit.goto(f"/cases/{case}")
    await take(unit, "ask-extension", 日期="2026-03-04", 理由="驾驶员出差，下周返回")
    await send(unit)
    await expect(unit.locator(".problem")).to_be_visible()  # a day that is over
    days = await unit.context.request.get("/v1/cases/" + case)
    due = (await days.json())["deadlines"]["due"]["on"]
    later = await unit.evaluate(
        "due => { const d = new Date(due + 'T00:00:00Z'); do d.setUTCDate(d.getUTCDate() + 1); while ([0, 6].includes(d.getUTCDay())); return d.toISOString().slice(0, 10) }",
        due,
    )
    await unit.locator("form").get_by_label("日期").fill(later)
    await send(unit)
    await state(unit, "延期待批")
    await head.reload()
    await take(head, "grant")
    await send(head)
    await state(head, "办理中")
    await expect(head.locator("button[data-paper=extension]")).to_be_visible()

    for again in (False, True):
        await act(unit, case, "reply", text="已核实", checked=["track"])
        await act(signer, case, "sign-reply")
        await office.reload()
        if not again:
            await take(office, "redo", 理由="请附上派车单的照片")
            await send(office)
            await state(office, "退回重办")
    await take(office, "close", 认定依据="围栏画错")
    await office.get_by_text("数据问题", exact=True).click()
    await office.locator("form").get_by_text("围栏", exact=True).click()
    await expect(office.locator("form").get_by_label("责任认定")).to_have_count(0)
    await send(office, sure=True)
    await state(office, "已核销")
    await expect(office.locator("li[data-step=close]")).to_contain_text("数据问题出在围栏")
    await head.reload()
    await take(head, "reopen", 理由="驾驶员补交了新的凭证")
    await send(head)
    await state(head, "办理中")
    await head.get_by_role("button", name="账户").click()
    await head.get_by_role("menuitem", name="English").click()
    await expect(head.locator("[data-test=state]")).to_contain_text("In work")
    await picture(head, "case-english")


async def test_list_board_and_rights(visit: Visit, world: World, people: None) -> None:
    await drafted(visit, await alerts_of(world, "wsj", 1), "卫健委拟稿")
    page = await visit("inspector", "/cases")
    await expect(page.locator("[role=row].line").filter(has_text="卫健委拟稿")).to_be_visible()
    assert await page.get_by_role("button", name="抽查").count() == 0  # reads only
    count = await page.locator("button[data-state=draft] .count").inner_text()
    await page.locator("button[data-state=draft]").click()
    await expect(page.get_by_text(f"共 {count} 条")).to_be_visible()
    assert "state=draft" in page.url
    await picture(page, "cases")
    assert await flaws(page) == []
    await page.get_by_role("button", name="看板").click()
    await expect(page.locator("[data-column=draft] .card").filter(has_text="卫健委拟稿")).to_be_visible()
    await page.get_by_role("button", name=re.compile("^全部( ?[0-9]+)?$")).click()
    await expect(page.locator("[data-column]")).to_have_count(6)
    await expect(page.locator("[data-column=draft] .card").first).to_be_visible()
    await picture(page, "cases-board")
    assert await flaws(page) == []
    unit = await visit("unit", "/cases?state=draft")
    await expect(unit.get_by_text("没有符合条件的记录")).to_be_visible()
    await unit.goto("/cases/new")
    await expect(unit.get_by_role("heading", name="没有权限")).to_be_visible()


async def test_proposals_and_spot_check(visit: Visit) -> None:
    page = await visit("office", "/cases/proposals?from=2026-02-20%26to=2026-03-03")
    await expect(page.locator("[role=row].line").first).to_be_visible()
    await picture(page, "case-proposals")
    await page.locator("[role=row].line").first.click()
    await expect(page.get_by_label("标题")).to_have_value(re.compile("疑似非工作时间用车"))
    await picture(page, "case-draft")
    assert await flaws(page) == []
    await page.goto("/cases/spot-check")
    await page.get_by_role("button", name="抽取并拟稿").click()
    await expect(page.get_by_text("请选单位")).to_be_visible()
    await page.get_by_role("combobox", name="责任单位").click()
    await page.get_by_role("option", name="市建设局").click()
    await page.get_by_label("种子").fill("even")
    await page.get_by_label(re.compile("抽取数")).fill("1")
    await page.get_by_role("button", name="抽取并拟稿").click()
    await page.locator(".el-message-box__btns .el-button--primary").click()
    await expect(page.get_by_role("status").filter(has_text="种子")).to_contain_text("even")
    await picture(page, "case-spot-check")
    assert await flaws(page) == []
