"""A real Chromium and the district of ``world``, once for all tests of the console.

A test gets ``page`` (nobody signed in) or calls ``visit(login, path)``. At its end each page is asked what went wrong in it: an error
of a script, something that the content policy refused, or a request to another host fails the test.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Playwright, Request, async_playwright, expect
from tools import chromium as browser_program

from tests.browser.pages import Watch, sign_in
from tests.browser.world import World, running_world
from tests.databases import copied

_ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--lang=zh-CN",
    # WebGL for the maps, by the processor.
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    # A page is drawn and put together by the processor itself: by way of the emulated graphics card it costs five times as much.
    "--disable-gpu-compositing",
    "--disable-gpu-rasterization",
)

#: How long a page may take until it shows something, ms: only a fault needs it. Playwright's own 5 s are too short for two cores with four tests.
_PATIENCE_MS = 60_000
expect.set_options(timeout=_PATIENCE_MS)


def chromium() -> str:
    """The browser of the machine. Skips where there is none."""
    if (named := browser_program.program()) is None:
        pytest.skip(
            "no Chromium: make parts installs Debian's package chromium-headless-shell, or set GONGCHE_CHROMIUM"
        )
    return named


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here share one loop: that of the browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def world(
    postgres_dsn: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The district, served; tests share it and change nothing that others look at."""
    chromium()  # before anything dear is made
    with (
        copied(postgres_dsn, template_database, "console") as dsn,
        running_world(dsn, tmp_path_factory.mktemp("console")) as made,
    ):
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, without a window."""
    program = chromium()
    driver: Playwright
    async with async_playwright() as driver:
        # As root there is no sandbox; the pages are ours.
        arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        started = await driver.chromium.launch(executable_path=program, args=arguments)
        yield started
        await started.close()


Visit = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def watch(world: World) -> AsyncIterator[Watch]:
    """What goes wrong in the pages of a test."""
    made = Watch(world.url)
    yield made
    assert made.wrong == []


@pytest_asyncio.fixture(loop_scope="session")
async def opened(
    browser: Browser, world: World, watch: Watch
) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """``await opened(path)``: a page in a browser profile of its own, where nobody is signed in."""
    contexts: list[BrowserContext] = []

    async def open_page(path: str = "/", **more: Any) -> Page:
        context = await browser.new_context(
            base_url=world.url,
            viewport=more.pop("viewport", {"width": 1366, "height": 768}),
            locale="zh-CN",
            timezone_id="America/New_York",
            # Nothing turns or slides, sixty times a second, beside what is tested: test_states has what moves.
            reduced_motion=more.pop("reduced_motion", "reduce"),
            **more,
        )
        contexts.append(context)
        context.set_default_timeout(_PATIENCE_MS)
        await context.add_init_script(Watch.SCRIPT)
        await context.route(re.compile(r"^(?!" + re.escape(world.url) + r"(/|$))https?:"), _refuse(watch))
        page = await context.new_page()
        watch.listen(page)
        await page.goto(path)
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            await watch.collect(page)
        await context.close()


def _refuse(watch: Watch) -> Callable[..., Awaitable[None]]:
    async def refuse(route: Any, request: Request) -> None:
        watch.wrong.append(f"a request to another host: {request.url}")
        await route.abort()

    return refuse


@pytest_asyncio.fixture(loop_scope="session")
async def visit(opened: Callable[..., Awaitable[Page]]) -> Visit:
    """``await visit("office", "/alerts")``: a page at an address with this person signed in."""

    async def go(login: str, path: str = "/", **more: Any) -> Page:
        page = await opened("/login?return=" + path.replace("&", "%26"), **more)
        await sign_in(page, login)
        await page.locator("nav a").first.wait_for(state="attached")  # on a telephone it is a drawer
        return page

    return go
