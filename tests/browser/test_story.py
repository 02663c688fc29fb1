"""The whole story, through screens alone, each person in a browser of his own: a car leaves its yard without an order, the alert
appears on the open list, the office issues a 督办, the unit replies from a telephone with a photograph, the office closes it, and the
finding shows in the statistics and in a backtest. The servers are real processes; the API is killed in between.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from rules.alerts.feed import evidence_of
from rules.evidence import parse
from runtime.postgres import connect
from runtime.units import CHINA
from tests.browser.conftest import chromium
from tests.browser.pages import picture, sign_in
from tests.browser.site import Site, car, running_site

Visit = Callable[..., Awaitable[Page]]
LINES: Final = "[role=row].line"
#: As a telephone of a vehicle clerk is held.
PHONE: Final[dict[str, Any]] = {
    "viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2,
}  # fmt: skip
LONG_MS: Final = 60_000


@pytest.fixture(scope="module")
def world(
    postgres_dsn: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Real processes over a district without alerts."""
    chromium()
    with running_site(postgres_dsn, template_database, tmp_path_factory.mktemp("console-site")) as site:
        yield site


async def made_by(site: Site, alert: str) -> int:
    """Device time (microseconds since 1970) of the last fix on which an alert rests."""
    connection = await connect(site.dsn)
    try:
        kept = await evidence_of(connection, alert)
    finally:
        await connection.close()
    assert kept is not None
    evidence: Any = parse(kept.body)
    last: int = max(evidence["track"]["t_us"])
    return last


async def step(page: Page, name: str, *, sure: bool = False, **fields: str) -> None:
    """Take a step of a case by its form."""
    await page.locator(f"button[data-step={name}]").click()
    for label, text in fields.items():
        await page.locator("form").get_by_label(label).fill(text)
    await send(page, sure=sure)


async def send(page: Page, *, sure: bool = False) -> None:
    """Send the open form; ``sure``: it asks once more."""
    await page.locator("form button[type=submit]").click()
    if sure:
        await page.locator(".el-message-box__btns .el-button--primary").click()


async def state(page: Page, name: str) -> None:
    """The case has come to this state."""
    await expect(page.locator("[data-test=state]")).to_contain_text(name)


async def test_from_the_yard_to_the_label(visit: Visit, world: Site) -> None:
    inspector, office, head, unit, signer = await asyncio.gather(
        visit("inspector", "/alerts"), visit("office", "/cases"), visit("head", "/cases"),
        visit("unit", "/cases", **PHONE), visit("signer", "/cases"),
    )  # fmt: skip
    await expect(inspector.locator("[data-news=live]")).to_be_visible()
    await expect(inspector.get_by_text("没有符合条件的记录")).to_be_visible()

    # A car stands in its yard and leaves it. Nobody touches the inspector's page.
    line = inspector.locator(LINES)
    loop = asyncio.get_running_loop()
    async with car(world, "car-1") as driven:
        await driven.stand(4)

        async def appears() -> float:
            await expect(line.first).to_be_visible(timeout=LONG_MS)
            return loop.time()

        appearing = asyncio.create_task(appears())
        while not appearing.done() and len(driven.sent) < 40:
            await driven.drive()
            await asyncio.wait({appearing}, timeout=0.25)
        seen = await appearing
        await expect(line).to_have_count(1)
        alert = await line.first.get_attribute("data-id") or ""
        sent = driven.sent[await made_by(world, alert)]
        print(f"\nfrom the position that makes the alert to the row on the open list: {seen - sent:.2f} s")
        await expect(line.first).to_contain_text("定位异常")
        await expect(line.first).to_contain_text("苏F·12345")
        await expect(line.first).to_have_class(re.compile("fresh"))
        await picture(inspector, "story-list")

    # The inspector looks: formula, map, track.
    await line.first.click()
    await expect(inspector.get_by_role("heading", level=1)).to_contain_text("疑似")
    await expect(inspector.locator(".formula .conditions li").first).to_contain_text("200")
    await expect(inspector.get_by_role("img", name="证据地图")).to_be_visible()
    await expect(inspector.locator("[data-fix]")).to_contain_text("第 1 /")
    await inspector.get_by_role("button", name="核验").click()
    await expect(inspector.locator("[data-verified=same]")).to_be_visible()
    await inspector.locator(".map").scroll_into_view_if_needed()
    await picture(inspector, "story-detail")

    # The office drafts, its head issues.
    await office.goto(f"/alerts/{alert}")
    await office.get_by_role("button", name="立督办").click()
    await office.get_by_role("dialog").get_by_role("button", name="立督办").click()
    await state(office, "拟稿")
    case = office.url.rsplit("/", 1)[1]
    await office.locator("button[data-step=edit]").click()
    await office.get_by_label(re.compile("依据")).fill("党政机关公务用车管理办法第二十条")
    await office.get_by_label(re.compile("被督办人")).fill("张伟")
    await office.get_by_role("button", name="保存拟稿").click()
    await step(office, "submit")
    await state(office, "待签发")
    await head.goto(f"/cases/{case}")
    await step(head, "issue", sure=True)
    await state(head, "已下达")
    await picture(head, "story-issued")

    # The unit replies from a telephone, with a photograph; its session ends meanwhile and nothing is lost.
    await unit.reload()
    await unit.locator(LINES).first.click()
    await step(unit, "sign")
    await state(unit, "办理中")
    photograph = await unit.screenshot(type="jpeg", quality=80)
    await unit.get_by_label("拍照上传").set_input_files(
        {"name": "现场.jpg", "mimeType": "image/jpeg", "buffer": photograph}
    )
    await expect(unit.get_by_role("link", name="现场.jpg")).to_be_visible()
    await unit.locator("button[data-step=reply]").click()
    form = unit.get_by_role("form", name="拟写回复")
    await form.get_by_text("台账", exact=True).click()
    await form.get_by_label(re.compile("核查经过")).fill("驾驶员未报告，自行驾车外出。")
    await form.get_by_label(re.compile("整改措施")).fill("已批评教育，钥匙集中保管。")
    connection = await connect(world.dsn)
    await connection.execute(
        "UPDATE sessions SET ended_at = now(), ended_why = 'test' WHERE user_id = 'unit'"
    )
    await connection.close()
    await send(unit)
    dialog = unit.get_by_role("dialog").filter(has_text="登录已过期")
    await expect(dialog).to_be_visible()
    await picture(unit, "story-phone-expired")
    await sign_in(unit, "unit")
    await expect(unit.locator("li[data-step=reply]")).to_contain_text("自行驾车外出")
    await unit.locator("li[data-step=reply]").scroll_into_view_if_needed()
    await picture(unit, "story-phone-replied")
    await signer.goto(f"/cases/{case}")
    await step(signer, "sign-reply", sure=True)
    await state(signer, "待核销")

    # The office looks at the photograph and closes with a finding.
    await office.reload()
    link = office.get_by_role("link", name="现场.jpg")
    kept = await office.context.request.get(str(await link.get_attribute("href")))
    assert (kept.status, kept.headers["content-type"]) == (200, "image/jpeg")
    assert (await kept.body())[:2] == b"\xff\xd8"
    day = await office.evaluate("() => new Date(Date.now() + 20 * 86400000).toISOString().slice(0, 10)")
    await office.locator("button[data-step=close]").click()
    closing = office.locator("form")
    await closing.get_by_text("属实违规", exact=True).click()
    for label, text in (
        ("认定依据", "轨迹、单位回复和照片"), ("责任认定", "驾驶员私自用车"), ("整改措施", "通报批评"), ("整改期限", day),
    ):  # fmt: skip
        await closing.get_by_label(label).fill(text)
    await send(office, sure=True)
    await state(office, "已核销")
    await picture(office, "story-closed")

    # The label: on the alert, in the statistics, and in a backtest of the rule.
    await inspector.reload()
    await expect(inspector.locator("aside")).to_contain_text("属实违规")
    await office.goto("/statistics?by=rule")
    await expect(office.locator("tr[data-key=location] td").last).to_have_text("1")
    await picture(office, "story-statistics")
    today = datetime.now(CHINA).date()
    span = f"from={today.replace(day=1)}&to={today}"
    await office.goto(
        f"/parameters/change?rule=location&name=min_displacement_m&organisation=jsj&value=300&{span}"
    )
    await office.get_by_role("button", name="试算").click()
    before = office.locator("[data-test=before]")
    await expect(before).to_have_text("1 / 1 = 100%", timeout=LONG_MS)
    await before.scroll_into_view_if_needed()
    await picture(office, "story-backtest")


async def test_api_is_killed_nothing_is_missed_and_nothing_twice(visit: Visit, world: Site) -> None:
    inspector, live = await asyncio.gather(visit("inspector", "/alerts"), visit("head", "/live"))
    await expect(inspector.locator("[data-news=live]")).to_be_visible()
    await expect(inspector.locator("[role=grid][aria-busy=false]")).to_be_visible()  # the list is there
    line = inspector.locator(LINES)
    before = await line.count()
    async with car(world, "car-2") as driven:
        await driven.stand(4)
        here = live.locator("[data-id=car-2]")
        await expect(live.locator("[data-line=live]")).to_be_visible()
        await expect(here).to_contain_text("停车")
        world.kill_api()
        for _ in range(12):  # the alert is made while nobody can ask for it
            await driven.drive()
        await expect(inspector.locator("[data-news=lost]")).to_be_visible()
        await expect(live.locator("[data-line=lost]")).to_be_visible()
        assert await line.count() == before  # what was there stays
        await picture(inspector, "story-api-killed")
        await expect(line).to_have_count(before + 1, timeout=LONG_MS)
        await expect(inspector.locator("[data-news=live]")).to_be_visible(timeout=LONG_MS)
        await expect(live.locator("[data-line=live]")).to_be_visible(timeout=LONG_MS)
        await driven.drive()
        await expect(here).to_contain_text("43")
        await expect(inspector.locator(LINES).filter(has_text="苏F·12346")).to_have_count(1)
        ids = [await one.get_attribute("data-id") for one in await line.all()]
        assert len(set(ids)) == len(ids)
        await picture(live, "story-api-back")
