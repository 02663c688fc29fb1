"""The console in the oldest Chromium that it promises to run in: signing in, the list, a detail, the live map."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tools.console import ConsoleError, Node
from tools.old_chromium import VERSION, program

from tests.browser.pages import PICTURES
from tests.browser.test_live import district
from tests.browser.world import PASSWORD, World

DRIVER = Path(__file__).with_name("old_chromium.mjs")


async def test_main_pages_in_chromium_83(world: World) -> None:
    PICTURES.mkdir(exist_ok=True)
    try:
        browser = await asyncio.to_thread(program)
    except ConsoleError as error:
        pytest.skip(f"no Chromium 83: {error}")
    await district(world)
    words = [str(DRIVER), str(browser), world.url, "office", PASSWORD, str(PICTURES)]
    driver = await asyncio.create_subprocess_exec(
        str(Node().program), *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, words_of_node = await driver.communicate()
    assert driver.returncode == 0, words_of_node.decode()
    found: dict[str, Any] = json.loads(out)
    assert VERSION in found["version"]
    assert found["wrong"] == []
    assert found["done"]
