"""What the live map costs the page: ``python -m tests.browser.live_load [vehicles] [seconds]``.

The frames are made by the server's own encoder and handed to the page, which reads them as if they came from the network: decoder,
states, list and point layer are the real ones, every vehicle moves each second. CPU is the time of the page's main thread.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.async_api import Page, async_playwright

from api.live.frames import Kind, Rows, changed_part, frame, full_part
from runtime.embedded_postgres import embedded_server
from tests.browser.conftest import _ARGUMENTS, chromium
from tests.browser.moving import NO_WEBGL
from tests.browser.pages import sign_in
from tests.browser.world import _create, _migrated, running_world

_BEGIN: Final = 1_780_000_000
#: In place of the network: a frame a second.
_FEED: Final = """
(() => {
  const { roster, frames } = window.__load
  const bytes = frames.map((text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0)))
  const real = window.fetch
  window.fetch = (request, ...more) => {
    const address = typeof request === 'string' ? request : request.url
    if (address.includes('/v1/live/roster')) return Promise.resolve(new Response(JSON.stringify(roster), { headers: { 'Content-Type': 'application/json' } }))
    if (address.includes('/v1/live/orders')) return Promise.resolve(new Response(JSON.stringify(window.__load.orders), { headers: { 'Content-Type': 'application/json' } }))
    if (!address.includes('/v1/live/vehicles')) return real(request, ...more)
    let at = 0
    const body = new ReadableStream({
      start(control) {
        control.enqueue(bytes[at++])
        setInterval(() => { if (at < bytes.length) control.enqueue(bytes[at++]) }, 1000)
      },
    })
    return Promise.resolve(new Response(body, { headers: { 'Content-Type': 'application/octet-stream' } }))
  }
})()
"""


def frames(vehicles: int, seconds: int) -> list[bytes]:
    """A snapshot, and for each second a delta in which every vehicle has moved."""
    random = np.random.default_rng(7)
    index = np.arange(vehicles)
    rows = Rows(
        index, random.integers(602_000, 607_500, vehicles), random.integers(158_500, 163_000, vehicles),
        np.full(vehicles, _BEGIN), random.integers(0, 2, vehicles) * random.integers(20, 90, vehicles),
        random.integers(0, 180, vehicles), np.full(vehicles, 7),
    )  # fmt: skip
    made = [
        frame(
            Kind.SNAPSHOT,
            1,
            now_ms=_BEGIN * 1000.0,
            epoch=5,
            vehicles=vehicles,
            full=vehicles,
            step=200,
            body=full_part(rows),
        )
    ]
    for k in range(1, seconds + 1):
        after = Rows(
            index, rows.lon + random.integers(-2, 3, vehicles), rows.lat + random.choice([-1, 1], vehicles), np.full(vehicles, _BEGIN + k),
            np.clip(rows.speed + random.integers(-3, 4, vehicles), 0, 120), (rows.direction + random.integers(0, 5, vehicles)) % 180, rows.flags,
        )  # fmt: skip
        body = changed_part(after, rows, vehicles, _BEGIN + k)
        made.append(
            frame(
                Kind.DELTA,
                1 + k,
                now_ms=(_BEGIN + k) * 1000.0,
                epoch=5,
                vehicles=vehicles,
                changed=vehicles,
                step=200,
                body=body,
            )
        )
        rows = after
    return made


async def measure(page: Page, seconds: float) -> dict[str, float]:
    """ms of the main thread for each second, and the heap in MB."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def now() -> dict[str, float]:
        found: Any = await session.send("Performance.getMetrics")
        return {one["name"]: one["value"] for one in found["metrics"]}

    before = await now()
    await asyncio.sleep(seconds)  # time: what is measured
    after = await now()
    spent = {
        name: 1000 * (after[name] - before[name]) / seconds
        for name in ("TaskDuration", "ScriptDuration", "LayoutDuration")
    }
    return spent | {"heap_mb": after["JSHeapUsedSize"] / 1e6}


def _orders(vehicles: int) -> dict[str, Any]:
    """As GET /v1/live/orders says it: every second vehicle has one."""
    some = list(range(0, vehicles, 2))
    return {
        "as_of": "2026-05-29T04:26:40+08:00", "mark": "x-1", "whole": True, "vehicles": [f"car-{k}" for k in some],
        "orders": [f"P{k}" for k in some], "destinations": ["如东县"] * len(some), "from_s": [_BEGIN - 3600] * len(some),
        "until_s": [_BEGIN + k % 90 for k in some], "due_s": [_BEGIN] * len(some), "overdue_s": [_BEGIN + k % 90 for k in some],
        "allowed": [True] * len(some), "gone": [], "resting_units": ["wsj"],
    }  # fmt: skip


async def look(
    url: str, vehicles: int, seconds: int, *, webgl: bool, orders: bool = False
) -> dict[str, float]:
    """Open the live map with the frames, wait until it is still, and measure. ``orders``: vehicles are drawn by their orders."""
    units = ["city", "jsj", "wsj", "jyj", "yiyuan"]
    load = {
        "roster": {
            "epoch": 5, "ids": [f"car-{k}" for k in range(vehicles)], "plates": [f"苏F{k:05}" for k in range(vehicles)],
            "organisations": [units[k % len(units)] for k in range(vehicles)],
        },
        "frames": [base64.b64encode(one).decode() for one in frames(vehicles, seconds + 25)],
        "orders": _orders(vehicles),
    }  # fmt: skip
    async with async_playwright() as driver:
        arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = await driver.chromium.launch(executable_path=chromium(), args=arguments)
        page = await browser.new_page(base_url=url, viewport={"width": 1366, "height": 768})
        await page.add_init_script(f"window.__load = {json.dumps(load)};{_FEED}")
        if not webgl:
            await page.add_init_script(NO_WEBGL)
        await page.goto("/login?return=/live" + ("%3Forders=1" if orders else ""))
        await sign_in(page, "office")
        await page.locator("[role=row].line").first.wait_for()
        await asyncio.sleep(8)  # time: until it is still
        found = await measure(page, seconds)
        found["webgl"] = float(await page.locator("[data-face=webgl]").count())
        await page.screenshot(
            path=Path(__file__).parent / "pictures" / f"load-{'webgl' if webgl else 'canvas'}.png"
        )
        await browser.close()
    return found


def main() -> None:
    """Print the figures with WebGL and with the plain canvas."""
    vehicles = int(sys.argv[1]) if len(sys.argv) > 1 else 29_000
    seconds = int(sys.argv[2]) if sys.argv[2:] else 20
    with tempfile.TemporaryDirectory(prefix="gongche-load-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with embedded_server(folder / "db") as server:
            asyncio.run(_create(server))
            dsn = (
                server.rpartition("/")[0] + "/console"
                if "?" not in server
                else server.replace("/postgres?", "/console?")
            )
            asyncio.run(_migrated(dsn))
            with running_world(dsn, folder) as world:
                for webgl in (True, False):
                    print(
                        vehicles,
                        {
                            k: round(v, 1)
                            for k, v in asyncio.run(look(world.url, vehicles, seconds, webgl=webgl)).items()
                        },
                        flush=True,
                    )


if __name__ == "__main__":
    main()
