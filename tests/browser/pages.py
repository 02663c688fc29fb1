"""What tests do in pages of the console, and what they look for there."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import ConsoleMessage, Page

from tests.browser.world import PASSWORD

ROOT: Final = Path(__file__).parents[2]
#: Looked at by people; not part of the repository.
PICTURES: Final = Path(__file__).parent / "pictures"
_AXE: Final = ROOT / "console" / "node_modules" / "axe-core" / "axe.min.js"
#: Answers of these kinds are asked for by tests; the browser tells of each in its console.
_EXPECTED: Final = ("401 (", "403 (", "404 (", "409 (", "410 (", "412 (", "422 (", "429 (", "net::ERR_")
#: What the emulated graphics card says of its own speed where the processor puts a page together.
_OF_THE_CARD: Final = "GL Driver Message (OpenGL, Performance"


class Watch:
    """Listens for what no page may do."""

    SCRIPT: Final = (
        "window.__refused = [];"
        "document.addEventListener('securitypolicyviolation', e => window.__refused.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`))"
    )

    def __init__(self, url: str) -> None:
        self.url, self.wrong = url, list[str]()

    def listen(self, page: Page) -> None:
        """From now on, to ``page``."""
        page.on("pageerror", lambda error: self.wrong.append(f"an error in the page: {error}"))
        page.on("console", self._told)
        page.on("dialog", lambda dialog: self.wrong.append(f"a dialog: {dialog.message}"))

    def _told(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(
            word in message.text for word in (*_EXPECTED, _OF_THE_CARD)
        ):
            self.wrong.append(f"the console says: {message.text[:500]}")

    async def collect(self, page: Page) -> None:
        """What the policy for content refused in ``page``."""
        if page.url.startswith(self.url):
            self.wrong += [
                f"refused by the policy: {one}" for one in await page.evaluate("() => window.__refused || []")
            ]


async def sign_in(page: Page, login: str, password: str = PASSWORD) -> None:
    """Fill in the form and send it."""
    await page.fill("input[name=username]", login)
    await page.fill("input[name=password]", password)
    await page.click("form:has(input[name=password]) button[type=submit]")


async def picture(page: Page, name: str) -> None:
    """Keep how the page looks now, for people."""
    PICTURES.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")


async def flaws(page: Page) -> list[str]:
    """What axe finds serious or critical in the page (WCAG 2.2 A and AA)."""
    if not _AXE.is_file():
        pytest.skip("no axe-core: python -m tools.console --check installs the packages of the console")
    # As a function of the debugger, not as a script of the page: the policy for content stays as it is.
    if not await page.evaluate("() => Boolean(window.axe)"):
        await page.evaluate(f"() => {{ {_AXE.read_text('utf-8')}\n }}")
    found: dict[str, Any] = await page.evaluate(
        "() => window.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })"
    )
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
