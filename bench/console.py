"""What people wait for in the console, in a real Chromium: the work list at a million alerts, its first sight over an emulated 4G, a page with a
track of 10,000 fixes, a day played at 60x, and 29,000 vehicles that move.

The browser is that of the tests (tests/browser); pages, API and database are on this machine. What is timed is timed in the page.
``--alerts`` and ``--vehicles`` make it small, to see whether it works; what the API and each viewer cost has a benchmark of its own (live).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.async_api import Browser, Page, async_playwright
from tests.browser import live_load
from tests.browser.conftest import _ARGUMENTS, chromium
from tests.browser.moving import LAT_E6, LON_E6, terminals
from tests.browser.pages import sign_in
from tests.browser.world import World, _create, _migrated, running_world
from tests.console_evidence import judged, long_track

from bench.report import heading, spread, table
from rules.alerts.conclude import judgement_of
from rules.alerts.feed import publish_feed
from rules.alerts.model import AlertFacts
from rules.alerts.publish import publish
from rules.evidence import freeze_track
from runtime.embedded_postgres import embedded_server
from runtime.postgres import connect
from runtime.units import CHINA, US_PER_DAY, US_PER_S, to_us
from telemetry.archive.store import Archive
from telemetry.positions import PositionBatch

VEHICLES: Final = 29_000
FIXES: Final = 10_000
#: How often each filter is chosen.
_ASKED: Final = 12
_PLAYED_S: Final = 20.0
#: The emulated line: bytes a second each way, and how long an answer takes to begin, ms. That of a telephone in a city (4G as WebPageTest has it).
_4G: Final = {"downloadThroughput": 9e6 / 8, "uploadThroughput": 9e6 / 8, "latency": 170, "offline": False}
_DAY: Final = datetime.now(CHINA).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
#: A terminal that reports each 10 s, as most do, and one that reports each second.
_EACH_S: Final = {"car-1": 10, "car-2": 1}
_FILTERS: Final = {
    "newest": "", "of a rule": "?rule=mileage", "withdrawn": "?status=withdrawn", "of a unit with those below": "?organisation=wsj",
    "high, suspected": "?severity=high&status=suspected", "of a plate": "?plate=苏F99999",
}  # fmt: skip


def _insert(alerts: int) -> str:
    """So many alerts of all vehicles in turn, the newest of yesterday."""
    return f"""
CREATE TEMP TABLE made AS
    SELECT i, 'm' || lpad(i::text, 31, '0') AS id, ('{{mileage,location,destination,card_use,off_hours}}'::text[])[1 + i / 100 % 5] AS rule,
        v.no, v.id AS vehicle, v.plate, v.organisation, CASE WHEN i / 100 % 50 = 0 THEN 'withdrawn' ELSE 'suspected' END AS status,
        ('{{low,medium,high}}'::text[])[1 + i / 100 % 3] AS severity, now() - interval '1 d' - ({alerts} - i) * interval '15.5 s' AS at
    FROM generate_series(1, {alerts}) i JOIN (SELECT *, row_number() OVER (ORDER BY no) - 1 AS k FROM vehicles) v
        ON v.k = i % (SELECT count(*) FROM vehicles);
INSERT INTO alerts (id, rule, subject, vehicle_no, version, status, severity, organisation, vehicle, plate, order_id, occurred_from,
    occurred_to, detected_at, updated_at)
    SELECT id, rule, 'order:M' || i, no, 1, status, severity, organisation, vehicle, plate, 'M' || i, at - interval '1 h', at, at, at FROM made;
INSERT INTO alert_versions (alert_id, version, body, evidence_sha256, created_at)
    SELECT id, 1, jsonb_build_object('id', id, 'rule', rule, 'rule_version', 1, 'version', 1, 'status', status, 'severity', severity,
        'organisation', organisation, 'vehicle', vehicle, 'plate', plate, 'driver', null, 'order', 'M' || i, 'occurred_from',
        at - interval '1 h', 'occurred_to', at, 'detected_at', at, 'summary', '疑似里程数异常：行驶里程 32.4 公里，导航里程 20.1 公里，超出 12.3 公里',
        'measures', '{{}}'::jsonb, 'parameters', '{{}}'::jsonb, 'evidence_hash', repeat('00', 32), 'withdrawal_reason', null),
        sha256(int8send(i)), at FROM made;
INSERT INTO alert_feed (seq, alert_id, version, created_at) SELECT i + (SELECT max(seq) FROM alert_feed), id, 1, at FROM made;
SELECT setval('alert_feed_seq', (SELECT max(seq) FROM alert_feed));
DROP TABLE made;
"""  # noqa: S608 - constants


#: Goes to an address as a link does; ms until ``done()`` in the page.
_WAY: Final = """async ([path, done]) => {
  const ready = done === 'list'
    ? (since) => performance.getEntriesByType('resource').some(one => one.startTime >= since && /\\/v1\\/alerts\\?/.test(one.name) && one.responseEnd)
        && document.querySelector('[role=grid]')?.getAttribute('aria-busy') === 'false' && document.querySelector('[role=row].line')
    : (since) => performance.getEntriesByName('evidence-drawn').some(one => one.startTime >= since)
  performance.clearResourceTimings()
  const since = performance.now()
  history.pushState({}, '', path)
  dispatchEvent(new PopStateEvent('popstate', { state: {} }))
  while (!ready(since)) {
    if (performance.now() - since > 30000) throw new Error(`nothing within 30 s: ${path}`)
    await new Promise(requestAnimationFrame)
  }
  await new Promise(requestAnimationFrame)
  return performance.now() - since
}"""
#: Notes at each picture the moment that the player shows and how many fixes it has drawn, until it is told to stop.
_NOTE: Final = """() => {
  const shown = window.__shown = []
  let last = ''
  const look = () => {
    const told = document.querySelector('[data-moment]')
    if (told && told.dateTime !== last) shown.push([performance.now(), Date.parse(last = told.dateTime), Number(told.dataset.drawn)])
    if (!window.__stop) requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
}"""
#: When the first row of the list was painted, ms since the page was asked for.
_FIRST: Final = """(() => {
  const look = () => {
    if (document.querySelector('[role=row].line')) requestAnimationFrame(() => { window.__first = performance.now() })
    else requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
})()"""


async def _fill(world: World, alerts: int) -> str:
    """The rows; the id of the alert with a long track."""
    cars = await terminals(world)
    connection = await connect(world.dsn)
    await connection.execute("SET session_replication_role = replica; SET work_mem = '256MB'")
    await connection.execute(_insert(alerts))
    await connection.execute("RESET session_replication_role")
    body, made = judged()["location"]
    number = await connection.fetchval("SELECT no FROM vehicles WHERE id = 'car-1'")
    facts = AlertFacts("high", "jsj", "car-1", "苏F12345", made.from_us, made.to_us)
    long = body | {"track": freeze_track(long_track(FIXES, body["from_us"]))}
    async with connection.transaction():
        await publish_feed(
            connection, await publish(connection, [judgement_of(made, long, facts, number, made.from_us)])
        )
    alert: str = await connection.fetchval("SELECT id FROM alerts WHERE subject = $1", made.subject)
    archive, begin = Archive(), to_us(_DAY)
    await archive.ensure_partitions(connection, [begin // US_PER_DAY, begin // US_PER_DAY + 1])
    for car, each in _EACH_S.items():
        at = begin + np.arange(0, 86_400, each, dtype=np.int64) * US_PER_S
        n, k = len(at), np.arange(len(at))
        batch = PositionBatch.build(
            n, terminal=cars[car], device_us=at, received_us=at + US_PER_S, lat_e6=LAT_E6 + (20_000 * np.sin(k * each / 900)).astype(np.int64),
            lon_e6=LON_E6 + k * each * 4, speed_dkmh=400, direction_deg=60, status=3,
        )  # fmt: skip
        async with connection.transaction():
            await archive.store(connection, batch)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    return alert


async def _opened(browser: Browser, url: str, path: str) -> Page:
    page = await browser.new_page(base_url=url, viewport={"width": 1366, "height": 768})
    await page.goto("/login?return=" + path)
    await sign_in(page, "inspector")
    await page.locator("nav a").first.wait_for()
    return page


async def _lists(browser: Browser, url: str, found: dict[str, list[float]]) -> None:
    page = await _opened(browser, url, "/alerts")
    await page.locator("[role=row].line").first.wait_for()
    for name, query in _FILTERS.items():
        for k in range(_ASKED):
            await page.evaluate(
                _WAY, [f"/alerts{query}{'&' if query else '?'}from=2020-01-{1 + k:02}", "list"]
            )  # another question each time: none of them comes out of what the page keeps
            found.setdefault(f"list, {name}", []).append(
                await page.evaluate(_WAY, [f"/alerts{query}{'&' if query else '?'}from=2019-01-{1 + k:02}", "list"])
            )  # fmt: skip
    await page.close()


async def _details(browser: Browser, url: str, alert: str, found: dict[str, list[float]]) -> None:
    page = await _opened(browser, url, "/alerts")
    await page.locator("[role=row].line").first.wait_for()
    for _ in range(_ASKED):
        found.setdefault(f"page of an alert, {FIXES:,} fixes", []).append(
            await page.evaluate(_WAY, [f"/alerts/{alert}", "drawn"])
        )
        await page.reload()  # nothing of it is kept
        await page.locator(".map").wait_for()
        await page.goto("/alerts")
        await page.locator("[role=row].line").first.wait_for()
    await page.close()


async def _first_sight(
    browser: Browser, url: str, found: dict[str, list[float]], kilobytes: dict[str, list[float]]
) -> None:
    """The work list over the emulated line, for who has signed in: with nothing kept by the browser, and with what the visit before left."""
    page = await _opened(browser, url, "/alerts")
    await page.locator("[role=row].line").first.wait_for()
    signed_in = await page.context.storage_state()
    await page.close()
    for _ in range(_ASKED // 2):
        context = await browser.new_context(
            base_url=url, viewport={"width": 1366, "height": 768}, storage_state=signed_in
        )
        for name in ("first sight of the list, 4G", "again, 4G"):
            page = await context.new_page()
            line = await context.new_cdp_session(page)
            await line.send("Network.enable")
            await line.send("Network.emulateNetworkConditions", _4G)
            sizes: list[float] = []
            line.on(
                "Network.loadingFinished", lambda told, sizes=sizes: sizes.append(told["encodedDataLength"])
            )
            await page.add_init_script(_FIRST)
            await page.goto("/alerts", wait_until="commit")
            await page.wait_for_function("() => window.__first !== undefined")
            found.setdefault(name, []).append(await page.evaluate("() => window.__first"))
            kilobytes.setdefault(name, []).append(sum(sizes) / 1000)
            await page.close()
        await context.close()


async def _played(browser: Browser, url: str, cars: list[str], each: int) -> tuple[float, float, float]:
    """(share of the fixes passed of the first vehicle that were drawn, pictures in a second, how far the clock is behind 60x, s). ``cars`` are
    played together."""
    others = "".join(f"&with={car}" for car in cars) if len(cars) > 1 else ""
    page = await _opened(browser, url, f"/tracks/{cars[0]}%3Fday={_DAY:%Y-%m-%d}{others.replace('&', '%26')}")
    await page.locator("[data-face]").wait_for()
    await page.locator(".rate select").select_option("60")
    await page.wait_for_timeout(2_000)
    await page.evaluate(_NOTE)
    await page.get_by_role("button", name="播放").click()
    await page.wait_for_timeout(_PLAYED_S * 1000)
    shown: list[tuple[float, float, int]] = await page.evaluate(
        "() => { window.__stop = true; return window.__shown }"
    )
    await page.close()
    (began, first, before), (ended, last, after) = shown[1], shown[-1]  # the first is where it stood
    passed = last // (each * 1000) - first // (each * 1000)
    spent = (ended - began) / 1000
    return (after - before) / passed, len(shown) / spent, spent * 60 - (last - first) / 1000


async def _all(
    world: World,
    alerts: int,
    found: dict[str, list[float]],
    kilobytes: dict[str, list[float]],
    played: dict[str, list[Any]],
) -> None:
    alert = await _fill(world, alerts)
    async with async_playwright() as driver:
        arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = await driver.chromium.launch(executable_path=chromium(), args=arguments)
        await _lists(browser, world.url, found)
        await _first_sight(browser, world.url, found, kilobytes)
        await _details(browser, world.url, alert, found)
        for car, each in _EACH_S.items():
            played.setdefault(f"a fix each {each} s", []).append(
                await _played(browser, world.url, [car], each)
            )
        together = list(reversed(_EACH_S))
        played["both together"] = [await _played(browser, world.url, together, _EACH_S[together[0]])]
        await browser.close()


#: How the live map is drawn: (name, by WebGL2, by the orders of the vehicles).
_FACES: Final = (("WebGL", True, False), ("WebGL, by orders", True, True), ("plain canvas", False, False))
_WANTED: Final = {"list": "< 200 (API)", "first": "< 1,000", "page": "< 500"}


def run(options: argparse.Namespace) -> None:
    """Print what people wait for."""
    vehicles = options.vehicles or VEHICLES
    heading(f"The console in a browser: {options.alerts:,} alerts, {vehicles:,} vehicles")
    found: dict[str, list[float]] = {}
    kilobytes: dict[str, list[float]] = {}
    played: dict[str, list[Any]] = {}
    live: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="gongche-console-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server may run as a user of its own
        with embedded_server(folder / "db") as server:
            asyncio.run(_create(server))
            dsn = server.replace("/postgres?", "/console?") if "?" in server else server.rpartition("/")[0] + "/console"  # fmt: skip
            asyncio.run(_migrated(dsn))
            with running_world(dsn, folder) as world:
                asyncio.run(_all(world, options.alerts, found, kilobytes, played))
                for face, webgl, orders in _FACES:
                    for _ in range(options.runs):
                        one = live_load.look(
                            world.url, vehicles, int(max(options.seconds, 10)), webgl=webgl, orders=orders
                        )
                        live.setdefault(face, []).append(asyncio.run(one))
    table(
        ["ms in the page", "times", "p50", "p99", "asked", "kB", "asked"],
        [
            [
                what, str(len(ms)), *(f"{np.percentile(ms, p):.0f}" for p in (50, 99)),
                next((asked for begin, asked in _WANTED.items() if what.startswith(begin)), "-"),
                *((spread(kilobytes[what]), "< 300") if what in kilobytes else ("", "")),
            ]
            for what, ms in found.items()
        ],
    )  # fmt: skip
    print()
    table(
        ["a day at 60x", "fixes drawn of those passed (asked: 1)", "pictures/s", "behind, s"],
        [
            [what, *(spread([one[k] for one in runs], digits) for k, digits in ((0, 3), (1, 0), (2, 2)))]
            for what, runs in played.items()
        ],
    )
    print()
    table(
        [f"{vehicles:,} vehicles at 1 Hz", "main thread, ms/s", "asked", "heap, MB"],
        [
            [face, spread([one["TaskDuration"] for one in runs], 1), "< 100", spread([one["heap_mb"] for one in runs])]
            for face, runs in live.items()
        ],
    )  # fmt: skip
