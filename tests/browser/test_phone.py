"""At 360 x 740: pages that people use on a telephone, each without a sideways scroll and with targets that a thumb hits; the others at
least do not break. One login for many pages.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.pages import flaws, picture
from tests.browser.test_cases import act, alerts_of
from tests.browser.world import World

Visit = Callable[..., Awaitable[Page]]
PHONE: Final[dict[str, Any]] = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
}
#: Pages for the telephone, and what is there when they are ready.
MOBILE: Final = {
    "alerts": ("/alerts", "[role=row].line"),
    "alert": ("/alerts/{alert}", ".formula"),
    "cases": ("/cases", "[role=row].line"),
    "case": ("/cases/{case}", "[data-test=state]"),
    "messages": ("/messages", "[role=grid]"),
    "tasks": ("/tasks", "[role=grid]"),
    "account": ("/account", "main h2"),
}
#: The others of the office: they do not break.
OTHERS: Final = (
    "/live", "/tracks", "/registry/vehicles", "/fences", "/parameters", "/backtests", "/statistics", "/assessment", "/cockpit", "/complaints",
    "/cases/new", "/cases?view=board", "/quality", "/drivers/roster", "/call-backs",
)  # fmt: skip
#: What sticks out of the page, and what of it is too small for a thumb. Links within a sentence and what is not shown do not count.
LOOK: Final = """() => {
  const wide = []
  for (const box of [document.documentElement, document.querySelector('main')])
    if (box && box.scrollWidth > box.clientWidth + 1) wide.push(`${box.tagName} ${box.scrollWidth} > ${box.clientWidth}: ` +
      [...box.querySelectorAll('*')].filter(one => one.getBoundingClientRect().right > 361 && !one.closest('[role=grid], .scroll, [data-wide]')).slice(0, 4)
        .map(one => `${one.tagName}.${one.className} ${Math.round(one.getBoundingClientRect().right)}`).join('; '))
  const small = []
  const kinds = 'button, select, textarea, input:not([type=hidden]), summary, [role=tab], [role=row].line, nav a, .el-select__wrapper, .el-checkbox, .el-radio'
  for (const one of document.querySelectorAll(kinds)) {
    const box = one.getBoundingClientRect()
    if (box.width < 2 || box.height < 2 || one.closest('.visually-hidden, .skip') || getComputedStyle(one).visibility === 'hidden') continue
    // What a larger target holds is hit with it.
    const whole = (one.matches('input') && one.closest('label, .el-input__wrapper, .el-select__wrapper, .check')) || one
    const { width, height } = whole.getBoundingClientRect()
    if (height < 39.5 || width < 39.5) small.push(`${one.tagName}.${one.className} ${Math.round(width)}x${Math.round(height)} ${(one.textContent || '').trim().slice(0, 20)}`)
  }
  return { wide, small }
}"""


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def ids(world: World) -> dict[str, str]:
    """An alert of the unit."""
    (alert,) = await alerts_of(world, "jsj", 1, 5)
    return {"alert": alert}


async def issued(visit: Visit, world: World, alert: str) -> str:
    """A case of the unit that is to be signed."""
    office, head = await asyncio.gather(visit("office", "/tasks"), visit("head", "/tasks"))
    token = (await (await office.context.request.get("/v1/session")).json())["csrf_token"]
    body = {
        "title": "苏F12345 夜间用车核查", "source": "alert", "level": "urgent", "organisation": "jsj", "facts": "当晚在围栏外行驶 18.4 公里。", "alerts": [alert],
        "basis": ["《党政机关公务用车管理办法》第十七条"], "person": "张三",
    }  # fmt: skip
    made = await office.context.request.post("/v1/cases", data=body, headers={"X-CSRF-Token": token})
    assert made.status == 201, await made.text()
    case: str = (await made.json())["id"]
    await act(office, case, "submit")
    await act(head, case, "issue")
    await asyncio.gather(office.close(), head.close())
    return case


async def test_pages_of_a_telephone(visit: Visit, world: World, ids: dict[str, str]) -> None:
    case = await issued(visit, world, ids["alert"])
    page = await visit("unit", "/tasks", **PHONE)
    for name, (path, there) in MOBILE.items():
        await page.goto(path.format(**ids, case=case))
        await expect(page.locator(there).first).to_be_visible()
        found = await page.evaluate(LOOK)
        await picture(page, f"phone-{name}")
        assert found == {"wide": [], "small": []}, name
    # The navigation is a drawer.
    await expect(page.get_by_role("navigation", name="主导航")).to_have_count(0)
    await page.get_by_role("button", name="收起或展开导航").click()
    drawer = page.get_by_role("navigation", name="主导航")
    await expect(drawer).to_be_visible()
    await expect(drawer.get_by_role("link").first).to_be_focused()
    assert (await page.evaluate(LOOK))["small"] == []
    await picture(page, "phone-drawer")
    assert await flaws(page) == []
    await page.keyboard.press("Escape")
    await expect(drawer).to_have_count(0)
    await page.get_by_role("button", name="收起或展开导航").click()
    await drawer.get_by_role("link", name="督办").click()
    await expect(drawer).to_have_count(0)
    await expect(page).to_have_url(re.compile("/cases$"))
    # The main path: sign, then reply; the form is whole, and its button at hand.
    await page.locator("[role=row].line").first.click()
    await page.locator("button[data-step=sign]").click()
    await page.locator("form button[type=submit]").click()
    await page.locator("button[data-step=reply]").click()
    form = page.get_by_role("form", name="拟写回复")
    await expect(form.get_by_role("button", name="拟写回复")).to_be_in_viewport()
    assert await page.evaluate(LOOK) == {"wide": [], "small": []}
    await picture(page, "phone-reply")
    await expect(page.locator("button", has_text="拍照上传")).to_be_visible()
    assert await flaws(page) == []
    await page.goto("/alerts")
    await page.get_by_role("button", name="查询条件").click()
    assert await page.evaluate(LOOK) == {"wide": [], "small": []}
    await picture(page, "phone-filters")


async def test_other_pages_do_not_break(visit: Visit) -> None:
    page = await visit("office", "/tasks", viewport=PHONE["viewport"])
    broken = {}
    for path in OTHERS:
        await page.evaluate(
            "path => { document.querySelector('main').firstElementChild.dataset.before = '1'; history.pushState({}, '', path);"
            " dispatchEvent(new PopStateEvent('popstate', { state: {} })) }",
            path,
        )
        await expect(page.locator("[data-before]")).to_have_count(0)
        await expect(page.locator("main h1").first).to_be_attached()
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        await page.wait_for_timeout(100)  # time: until charts and maps have taken their size
        if wide := (await page.evaluate(LOOK))["wide"]:
            broken[path] = wide
        await picture(page, "narrow" + re.sub(r"\W", "-", path))
    assert broken == {}


async def test_signing_in(opened: Callable[..., Awaitable[Page]]) -> None:
    page = await opened("/login", **PHONE)
    await expect(page.get_by_role("heading", name="登录")).to_be_visible()
    assert await page.evaluate(LOOK) == {"wide": [], "small": []}
    await picture(page, "phone-login")
