"""12345 诉求, 消息, 数据任务."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable

from playwright.async_api import Page, expect

from runtime.postgres import connect
from tests.browser.pages import flaws, picture
from tests.browser.world import MARKUP, World

Visit = Callable[..., Awaitable[Page]]


def with_key(world: World) -> None:
    """Callers can be kept."""
    key = world.settings.data_dir / "caller.key"
    if not key.exists():
        key.write_text(base64.b64encode(bytes(range(32))).decode())
        key.chmod(0o600)


async def test_a_complaint_and_its_caller(visit: Visit, world: World) -> None:
    with_key(world)
    page = await visit("office", "/complaints")
    await page.get_by_role("button", name="登记诉求").click()
    await page.get_by_role("button", name="登记", exact=True).click()
    await expect(page.get_by_text("必须填写").first).to_be_visible()
    for label, text in (
        ("工单号", "T-2026-1"),
        ("诉求内容", f"公车停在饭店门口 {MARKUP}"),
        ("所述车牌", "苏f·12345"),
        ("发生时间", "2026-03-02T21:10"),
        ("来电人", "何女士"),
        ("联系电话", "13800000000"),
    ):
        await page.get_by_label(label).first.fill(text)
    await picture(page, "complaint-form")
    assert await flaws(page) == []
    await page.get_by_role("button", name="登记", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("T-2026-1")
    await expect(page.locator("article")).to_contain_text(MARKUP)
    await expect(page.get_by_text("何女士")).to_have_count(0)
    await expect(page.get_by_role("button", name="查看来电人")).to_be_disabled()
    await page.get_by_label("查看理由").fill("回访核实停车地点")
    await page.get_by_role("button", name="查看来电人").click()
    await expect(page.get_by_text("何女士")).to_be_visible()
    await picture(page, "complaint")
    assert await flaws(page) == []
    await page.get_by_role("button", name="隐藏").click()
    await expect(page.get_by_text("何女士")).to_have_count(0)
    await page.get_by_role("link", name="据此拟稿").click()
    await expect(page.get_by_label("标题")).to_have_value("12345 工单 T-2026-1 的督办")
    await page.get_by_role("button", name="保存拟稿").click()
    await expect(page.get_by_role("link", name="查看诉求")).to_be_visible()


async def test_a_file_of_complaints(visit: Visit, world: World) -> None:
    page = await visit("office", "/complaints/import")
    table = "工单号,类别,受理时间,诉求内容,车牌号\nF-1,投诉举报,2026-03-01 09:00,停车,苏F12345\nF-2,闲聊,2026-03-01 09:00,停车,苏F12345\n"
    await page.locator("input[type=file]").set_input_files(
        {"name": "诉求.csv", "mimeType": "text/csv", "buffer": table.encode("gbk")}
    )
    await expect(page.get_by_text("共 2 行，登记 1 件，重复 0 件，未采用 1 件")).to_be_visible()
    async with page.expect_download() as waited:
        await page.get_by_role("button", name="下载错误清单").click()
    kept = await (await waited.value).path()
    assert kept.read_text("utf-8-sig").splitlines()[1].startswith('"3",')
    await picture(page, "complaint-import")
    assert await flaws(page) == []
    unit = await visit("unit", "/complaints")
    await expect(unit.get_by_role("heading", name="没有权限")).to_be_visible()
    await expect(unit.get_by_role("link", name="12345 诉求")).to_have_count(0)


async def test_messages_and_tasks(visit: Visit, world: World) -> None:
    connection = await connect(world.dsn)
    try:
        await connection.execute(
            "INSERT INTO cases (id, organisation, number, state, version, source, level, title, created_at)"
            " VALUES (repeat('e', 32), 'jyj', '督〔2026〕jyj-0009号', 'closed', 1, 'joint', 'general', '围栏', now())"
        )
        await connection.execute(
            "INSERT INTO messages (organisation, permission, case_id, number, step, state, at)"
            " VALUES ('jyj', 'cases:close', repeat('e', 32), '督〔2026〕jyj-0009号', 'sign-reply', 'replied', now())"
        )
        await connection.execute(
            "INSERT INTO tasks (id, organisation, kind, subject, case_id, opened_at)"
            " VALUES (repeat('f', 32), 'jyj', 'fence', $1, repeat('e', 32), now())",
            MARKUP,
        )
    finally:
        await connection.close()
    page = await visit("office", "/messages")
    await expect(page.locator("[role=row].line").first).to_contain_text("未读")
    await expect(page.locator("a.bell .count")).to_be_visible()
    await picture(page, "messages")
    assert await flaws(page) == []
    await page.get_by_role("button", name="全部标为已读").click()
    await expect(page.locator("a.bell .count")).to_have_count(0)
    await page.goto("/tasks?state=open")
    await page.locator("[role=row].line").filter(has_text=MARKUP).click()
    await page.get_by_label("办了什么").fill("围栏已按院界重画")
    await picture(page, "tasks")
    assert await flaws(page) == []
    await page.get_by_role("button", name="完成").click()
    await expect(page.get_by_text("没有符合条件的记录")).to_be_visible()
    await page.goto("/tasks?state=done")
    await expect(page.locator("[role=row].line").first).to_contain_text("围栏已按院界重画")
