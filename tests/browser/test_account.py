"""我的账户: the second factor from its secret to a login with a code, sessions, quiet hours, a role delegated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pyotp
from playwright.async_api import Page, expect

from office.identity.subject import Role
from runtime.postgres import connect
from tests.browser.pages import flaws, picture, sign_in
from tests.browser.world import World

Visit = Callable[..., Awaitable[Page]]
Opened = Callable[..., Awaitable[Page]]
PASSWORD = "a calm morning in Nantong"


async def test_account(visit: Visit, opened: Opened, world: World) -> None:
    connection = await connect(world.dsn)
    await world.add(connection, "careful", "沈心", "jsj", Role.UNIT_ADMINISTRATOR)
    await connection.close()
    page = await visit("careful", "/account")
    await expect(page.get_by_role("table", name="登录会话")).to_contain_text("本次会话")
    await picture(page, "account")
    assert await flaws(page) == []
    await page.get_by_role("button", name="启用动态验证码").click()
    await page.get_by_role("dialog").get_by_label("密码").fill("wrong")
    await page.get_by_role("dialog").get_by_role("button", name="下一步").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    await page.get_by_role("dialog").get_by_label("密码").fill(PASSWORD)
    await page.get_by_role("dialog").get_by_role("button", name="下一步").click()
    secret = (await page.locator("code.secret").inner_text()).replace(" ", "")
    await picture(page, "account-totp")
    await page.locator("#totp-code").fill(pyotp.TOTP(secret).now())
    await page.get_by_role("button", name="确认启用").click()
    await expect(page.get_by_text("仅显示这一次")).to_be_visible()
    codes = (await page.locator("code.secret").last.inner_text()).split()
    assert len(codes) >= 8
    await page.get_by_role("button", name="我已妥善保存").click()
    await expect(page.get_by_text(f"剩余恢复码 {len(codes)} 个")).to_be_visible()
    other = await opened("/login")
    await sign_in(other, "careful")
    await other.get_by_label("动态验证码").fill(codes[0])
    await other.keyboard.press("Enter")
    await other.locator("nav a").first.wait_for()
    await page.reload()
    await expect(page.get_by_role("table", name="登录会话").get_by_role("row")).to_have_count(3)
    await page.get_by_role("button", name="结束其他会话").click()
    await page.get_by_role("dialog").get_by_role("button", name="确定").click()
    await expect(page.get_by_role("table", name="登录会话").get_by_role("row")).to_have_count(2)
    # Quiet hours, in Beijing time; one of the two alone is refused.
    await page.get_by_label("从", exact=True).fill("22:00")
    await page.get_by_role("region", name="消息通道").get_by_role("button", name="保存").click()
    await expect(page.get_by_text("起止时间须同时填写").first).to_be_visible()
    await page.get_by_label("到", exact=True).fill("07:00")
    await page.get_by_role("region", name="消息通道").get_by_role("button", name="保存").click()
    await expect(page.get_by_text("已完成").first).to_be_visible()
    await page.reload()
    await expect(page.get_by_label("从", exact=True)).to_have_value("22:00")
    await page.get_by_role("button", name="委托我的角色").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("combobox", name="角色").click(force=True)
    await page.get_by_role("option", name="单位车管员").click()
    await dialog.get_by_label("受托人").fill("dispatcher")
    await dialog.get_by_label("终止时间").fill("明天 18:00")
    await dialog.get_by_label("理由").fill("休假")
    await dialog.get_by_role("button", name="保存").click()
    await expect(page.get_by_role("table", name="委托")).to_contain_text("赵强（dispatcher）")
    await page.get_by_role("table", name="委托").get_by_role("button", name="结束").click()
    await page.get_by_role("dialog").get_by_role("button", name="确定").click()
    await expect(page.get_by_text("没有委托")).to_be_visible()
