"""States that people meet: no answer, a wrong clock, and a proxy that keeps the live line back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, Request, Route, expect

from tests.browser.pages import picture, sign_in

Opened = Callable[..., Awaitable[Page]]
Visit = Callable[..., Awaitable[Page]]
LINES = "[role=row].line"


async def test_wrong_clock_no_answer_and_a_proxy_that_buffers(opened: Opened) -> None:
    page = await opened("/login")
    # The desktop is ten minutes ahead; and from here on its time can be turned on.
    await page.clock.install(time=datetime.now(UTC) + timedelta(minutes=10))
    asked: list[str] = []

    async def buffers(route: Route, request: Request) -> None:
        """A proxy that hands on whole answers only: what does not end never comes."""
        asked.append(request.url)
        if "seconds=" in request.url:
            await route.continue_(url=request.url.replace("seconds=5", "seconds=0.3"))

    await page.route("**/v1/alerts/stream*", buffers)
    await page.goto("/login?return=/alerts")
    await sign_in(page, "inspector")
    await expect(page.locator(LINES).first).to_be_visible()
    await expect(page.locator("[data-test=clock]")).to_contain_text("本机时钟比服务器快 10 分钟")
    await expect(page.locator("[data-news=connecting]")).to_be_visible()
    assert "seconds=" not in asked[0]
    await page.clock.fast_forward(6_500)
    await expect(page.locator("[data-news=polling]")).to_contain_text("每 5 秒查询一次")
    await picture(page, "states-clock-and-proxy")
    await page.locator("[data-test=clock]").get_by_role("button", name="关闭").click()
    await expect(page.locator("[data-test=clock]")).to_have_count(0)

    waiting = asyncio.Event()

    async def silent(_route: Route, _request: Request) -> None:
        waiting.set()

    await page.route("**/v1/cases*", silent)
    await page.get_by_role("navigation").get_by_role("link", name="督办").click()
    await waiting.wait()
    await page.clock.fast_forward(8_500)
    await expect(page.get_by_text("服务器响应较慢")).to_be_visible()
    await page.clock.fast_forward(25_000)
    notice = page.locator("[data-code=timeout]").first
    await expect(notice).to_contain_text("服务器在 30 秒内没有回应")
    await expect(page.get_by_text("服务器响应较慢")).to_have_count(0)
    await picture(page, "states-timeout")
    await page.unroute("**/v1/cases*")
    await page.locator("[role=grid] ~ .nothing").get_by_role("button", name="重试").click()
    await expect(page.get_by_text("没有符合条件的记录").or_(page.locator(LINES).first)).to_be_visible()
    await page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize(("wanted", "moves"), [("reduce", False), ("no-preference", True)])
async def test_reduced_motion(visit: Visit, wanted: str, moves: bool) -> None:
    page = await visit("office", "/alerts", reduced_motion=wanted)
    lasting: float = await page.evaluate(
        "() => Math.max(...[...document.querySelectorAll('*')].map(one => parseFloat(getComputedStyle(one).transitionDuration)))"
    )
    assert (lasting >= 0.001) == moves
