"""Signing in to the console, and being signed out of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from office.identity.subject import Role
from runtime.postgres import connect
from tests.browser.pages import flaws, picture, sign_in
from tests.browser.world import PASSWORD, World

Opened = Callable[..., Awaitable[Page]]


async def person(world: World, login: str, role: Role = Role.VEHICLE_OFFICE, *, chosen: bool = True) -> None:
    connection = await connect(world.dsn)
    await world.add(connection, login, login, "city", role, chosen=chosen)
    await connection.close()


async def test_wrong_password_then_the_page_that_was_wanted(opened: Opened) -> None:
    page = await opened("/alerts?status=suspected")
    await expect(page.get_by_role("heading", name="登录")).to_be_visible()
    assert await flaws(page) == []
    await picture(page, "login")
    await sign_in(page, "inspector", "not my password")
    await expect(page.get_by_role("alert")).to_contain_text("登录名、密码或验证码不正确")
    await page.fill("input[name=password]", PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("grid")).to_be_visible()
    assert page.url.endswith("/alerts?status=suspected")
    await expect(page.locator("header")).to_contain_text("周正（纪检监察）")
    await expect(page.locator("nav a").first).to_have_text("预警中心")


async def test_nobody_is_led_to_another_host(opened: Opened, world: World) -> None:
    page = await opened("/login?return=//evil.example/x")
    await sign_in(page, "office")
    await expect(page.get_by_role("grid")).to_be_visible()
    assert page.url == f"{world.url}/alerts"


async def test_lock_out_says_how_long(opened: Opened, world: World) -> None:
    await person(world, "forgetful")
    page = await opened("/login")
    for _ in range(6):
        await sign_in(page, "forgetful", "wrong again")
        await page.get_by_role("alert").first.wait_for()
        await page.wait_for_timeout(50)  # time: the form takes the next try when the answer was shown
    await expect(page.get_by_role("alert")).to_contain_text("请等待")
    await expect(page.locator("button[type=submit]")).to_be_disabled()


async def test_one_time_password_is_changed_first(opened: Opened, world: World) -> None:
    await person(world, "newcomer", chosen=False)
    page = await opened("/alerts")
    await sign_in(page, "newcomer")
    await expect(page.get_by_role("heading", name="修改密码")).to_be_visible()
    await page.fill("input[name=old-password]", PASSWORD)
    await page.fill("input[name=new-password]", "another calm morning")
    await page.fill("input[name=new-password-again]", "another calm evening")
    await page.click("button[type=submit]")
    await expect(page.get_by_role("alert")).to_contain_text("不一致")
    await page.fill("input[name=new-password-again]", "another calm morning")
    await page.click("button[type=submit]")
    await expect(page.get_by_role("grid")).to_be_visible()


async def test_session_that_ends_loses_nothing_on_the_page(opened: Opened, world: World) -> None:
    await person(world, "patient")
    page = await opened("/alerts")
    await sign_in(page, "patient")
    await expect(page.get_by_role("row")).not_to_have_count(1)
    await page.get_by_label("开始日期").fill("昨")  # half typed
    connection = await connect(world.dsn)
    await connection.execute(
        "UPDATE sessions SET ended_at = now(), ended_why = 'test' WHERE user_id = 'patient'"
    )
    await connection.close()
    # The next request, of this button or of the news that the page asks for by itself, shows it.
    await page.get_by_role("button", name="刷新").dispatch_event("click")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("登录已过期")
    await expect(dialog.locator("input[name=username]")).to_be_visible()
    await picture(page, "expired")
    await sign_in(page, "patient")
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_label("开始日期")).to_have_value("昨")
    await expect(page.locator("[data-code]")).to_have_count(0)


@pytest.mark.parametrize(("login", "path"), [("dispatcher", "/alerts"), ("admin", "/alerts/none")])
async def test_who_has_no_right_is_told_so_at_the_address(opened: Opened, login: str, path: str) -> None:
    page = await opened(path)
    await sign_in(page, login)
    await expect(page.get_by_role("heading", name="没有权限")).to_be_visible()
    assert page.url.endswith(path)


async def test_signed_in_anew_in_another_tab(opened: Opened) -> None:
    first = await opened("/alerts")
    await sign_in(first, "unit")
    await expect(first.get_by_role("grid")).to_be_visible()
    second = await first.context.new_page()
    await second.goto("/login")
    await sign_in(second, "unit")
    await expect(second.get_by_role("grid")).to_be_visible()
    # The first tab still has the token of the session before: it takes the new one and goes on.
    await first.get_by_role("button", name="账户").click()
    await first.get_by_role("menuitem", name="退出登录").click()
    await expect(first.get_by_role("heading", name="登录")).to_be_visible()
    # Its next request, of this button or of the news that it asks for by itself, shows it.
    await second.get_by_role("button", name="刷新").dispatch_event("click")
    await expect(second.get_by_role("dialog")).to_contain_text("登录已过期")


async def test_sign_out_and_the_back_button(opened: Opened) -> None:
    page = await opened("/alerts")
    await sign_in(page, "head")
    await expect(page.get_by_role("grid")).to_be_visible()
    await page.get_by_role("button", name="账户").click()
    await page.get_by_role("menuitem", name="退出登录").click()
    await expect(page.get_by_role("heading", name="登录")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("heading", name="登录")).to_be_visible()
    await expect(page.get_by_role("grid")).to_have_count(0)
