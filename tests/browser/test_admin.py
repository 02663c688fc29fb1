"""管理: a user who is made, gets a role and comes in; programs, subscriptions, audit, secret vehicles; and who sees none of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from playwright.async_api import Page, expect

from office.identity.subject import Role
from runtime.postgres import connect
from tests.browser.pages import flaws, picture, sign_in
from tests.browser.world import World

Visit = Callable[..., Awaitable[Page]]
Opened = Callable[..., Awaitable[Page]]
LINES = "[role=row].line"


async def choose_unit(page: Page, name: str) -> None:
    """In the dialog that is open."""
    box = page.get_by_role("dialog").get_by_role("combobox", name="单位")
    await box.fill(name)  # as people do: a click alone may close what another list has just opened or closed
    await page.get_by_role("option", name=name).click()


async def test_a_new_user_comes_in(visit: Visit, opened: Opened) -> None:
    page = await visit("admin", "/admin")
    await expect(page.locator(LINES).first).to_be_visible()
    await picture(page, "admin-users")
    assert await flaws(page) == []
    await page.get_by_role("button", name="新建用户").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("用户名").fill("xinren")
    await dialog.get_by_role("button", name="保存").click()
    await expect(dialog).to_contain_text("必须填写")
    await dialog.get_by_label("姓名").fill("<b>新人</b>")
    await picture(page, "admin-new-user")
    assert await flaws(page) == []
    # Who gives roles sees the units, with their names, and nothing else of the registry.
    await choose_unit(page, "市建设局")
    await dialog.get_by_role("button", name="保存").click()
    await expect(page.get_by_text("仅显示这一次")).to_be_visible()
    await picture(page, "admin-once")
    password = await page.locator("code.secret").last.inner_text()
    await page.get_by_role("button", name="我已妥善保存").click()
    await expect(page.get_by_role("heading", name="<b>新人</b>（xinren）")).to_be_visible()
    assert password not in await page.content()
    await page.get_by_role("button", name="授予角色").click()
    await page.get_by_role("dialog").get_by_role("combobox", name="角色").click(force=True)
    await page.get_by_role("option", name="调度员").click()
    await choose_unit(page, "市建设局")
    await page.get_by_role("dialog").get_by_role("button", name="保存").click()
    await expect(page.get_by_role("table", name="角色")).to_contain_text("调度员")
    await picture(page, "admin-user")
    assert await flaws(page) == []
    other = await opened("/login")
    await sign_in(other, "xinren", password)
    await other.fill("input[name=old-password]", password)
    for name in ("new-password", "new-password-again"):
        await other.fill(f"input[name={name}]", "another calm morning")
    await other.click("button[type=submit]")
    await expect(other.get_by_role("link", name="一车一档")).to_be_visible()
    await other.goto("/admin/users")
    await expect(other.get_by_role("heading", name="没有权限")).to_be_visible()
    await page.get_by_role("button", name="停用").click()
    await page.get_by_role("dialog").get_by_role("button", name="确定").click()
    await expect(page.get_by_role("heading")).to_contain_text(["已停用", "角色", "委托"])
    await other.goto("/registry/vehicles")
    await expect(other.get_by_role("heading", name="登录")).to_be_visible()


async def test_programs_and_their_secrets(visit: Visit) -> None:
    page = await visit("admin", "/admin/clients")
    await page.get_by_role("button", name="新建客户端").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("姓名或名称").fill("派车平台")
    await dialog.get_by_role("combobox", name="权限").click(force=True)
    await page.get_by_role("option", name="registry:write").click()
    await dialog.get_by_label("姓名或名称").click()  # of several choices the list stays open
    await choose_unit(page, "南通市")
    await dialog.get_by_role("button", name="保存").click()
    await expect(page.locator("code.secret")).to_have_count(2)
    await page.get_by_role("button", name="我已妥善保存").click()
    await expect(page.get_by_role("table", name="客户端")).to_contain_text("派车平台")
    await picture(page, "admin-clients")
    assert await flaws(page) == []
    await page.get_by_role("button", name="吊销").click()
    await page.get_by_role("dialog").get_by_role("button", name="确定").click()
    await expect(page.get_by_role("table", name="客户端")).to_contain_text("已吊销")
    await page.get_by_role("link", name="未送达消息").click()
    await expect(page.get_by_text("没有未送达的消息")).to_be_visible()


async def test_subscription_and_its_webhook(visit: Visit, world: World) -> None:
    connection = await connect(world.dsn)
    await world.add(connection, "everywhere", "高远", "city", Role.INSPECTOR)
    await connection.execute("UPDATE role_grants SET organisation = NULL WHERE user_id = 'everywhere'")
    await connection.close()
    page = await visit("inspector", "/admin")
    await page.get_by_role("button", name="新建订阅").click()
    await page.get_by_role("dialog").get_by_label("姓名或名称").fill("jjw")
    await page.get_by_role("dialog").get_by_role("button", name="保存").click()
    await expect(page.get_by_text("尚未确认 60 条")).to_be_visible()
    await page.get_by_role("button", name="设置 webhook").click()
    await page.get_by_role("dialog").get_by_label("地址").fill("https://inspection.example.cn/gongche")
    await page.get_by_role("dialog").get_by_role("button", name="保存").click()
    await expect(page.get_by_text("仅显示这一次")).to_be_visible()
    await page.get_by_role("button", name="我已妥善保存").click()
    await expect(page.get_by_role("heading", name="推送记录")).to_be_visible()
    await picture(page, "admin-subscription")
    assert await flaws(page) == []
    await page.goto("/admin/codes")
    await expect(page.get_by_role("table", name="处置方式")).to_be_visible()
    await expect(page.get_by_role("button", name="修改")).to_have_count(0)
    await page.goto("/admin/exchange")
    await expect(page.get_by_text("没有互联的平台")).to_be_visible()
    await page.goto("/admin/users")
    await expect(page.get_by_role("heading", name="没有权限")).to_be_visible()
    page = await visit("everywhere", "/admin/codes")
    await page.get_by_role("row").nth(1).get_by_role("button", name="修改").click()
    await page.get_by_role("dialog").get_by_label("中文").fill("另一种说法")
    await page.get_by_role("dialog").get_by_role("button", name="保存").click()
    await expect(page.get_by_role("table", name="处置方式")).to_contain_text("另一种说法")
    await picture(page, "admin-codes")


async def test_secret_vehicle_takes_two_people(visit: Visit, world: World) -> None:
    connection = await connect(world.dsn)
    await world.add(connection, "second", "孙丽", "jsj", Role.UNIT_HEAD)
    await world.add(connection, "auditor", "钱进", "city", Role.AUDITOR)
    await connection.close()
    page = await visit("unit", "/admin/secret")
    await page.get_by_role("button", name="标记涉密").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("车辆编号").fill("car-1")
    await dialog.get_by_label("理由").fill("执行专案")
    await dialog.get_by_role("button", name="保存").click()
    await expect(dialog.locator(".flaw")).to_be_visible()  # too short
    await dialog.get_by_label("理由").fill("执行专案任务")
    await dialog.get_by_role("button", name="保存").click()
    await expect(page.get_by_role("table", name="涉密车辆")).to_contain_text("苏F·12345")
    for name, says in (("申请解除", "王芳"), ("确认解除", "")):
        await page.get_by_role("button", name=name).click()
        await dialog.get_by_label("理由").fill("任务已经结束")
        await dialog.get_by_role("button", name="保存").click()
        if says:
            await expect(page.get_by_role("table", name="涉密车辆")).to_contain_text("申请解除")
    await expect(dialog).to_contain_text("您已申请，请另一人确认")  # one person twice
    await picture(page, "admin-secret")
    assert await flaws(page) == []
    second = await visit("second", "/admin/secret")
    await second.get_by_role("button", name="确认解除").click()
    await second.get_by_role("dialog").get_by_label("理由").fill("同意解除标记")
    await second.get_by_role("dialog").get_by_role("button", name="保存").click()
    await expect(second.get_by_text("没有涉密车辆")).to_be_visible()
    audit = await visit("auditor", "/admin/audit")
    await audit.get_by_label("请说明查询用途").fill("年度审计")
    await audit.get_by_role("button", name="查看").click()
    await expect(audit.locator(LINES).first).to_be_visible()
    await picture(audit, "admin-audit")
    assert await flaws(audit) == []
    await audit.get_by_label("类别").fill("vehicles")
    await audit.keyboard.press("Enter")
    await expect(audit).to_have_url("/admin/audit?kind=vehicles")
    await audit.locator(LINES).first.click()
    await expect(audit.get_by_role("dialog")).to_contain_text("vehicles")
