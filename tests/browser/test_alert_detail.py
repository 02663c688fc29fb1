"""预警详情: the numbers are those of the frozen evidence, the map shows it, and each may do what is his."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect
from pypdf import PdfReader

from office.basemap.prepare import prepare
from office.basemap.tile_file import path_of
from rules.alerts.conclude import judgement_of
from rules.alerts.feed import publish_feed
from rules.alerts.model import AlertFacts
from rules.alerts.publish import publish
from rules.catalogue import CATALOGUE
from rules.evidence import freeze_track
from runtime.postgres import connect
from runtime.units import from_us
from tests.browser.conftest import chromium
from tests.browser.pages import PICTURES, flaws, picture
from tests.browser.world import MARKUP, World
from tests.console_evidence import judged, long_track
from tests.databases import copied
from tests.osm_files import town

Visit = Callable[..., Awaitable[Page]]
LINES = "[role=row].line"
NOW_US = 1_780_000_000_000_000


def _shared() -> dict[str, tuple[Any, Any]]:
    """The samples of the checks, one with markup in what people wrote, and one with a track of 10,000 fixes."""
    found = judged()
    body = found["card_use"][0]
    odd = body | {"subject": "transaction:odd", "station": body["station"] | {"name": MARKUP}}
    odd["transaction"] = body["transaction"] | {"station_name": MARKUP, "product": MARKUP}
    far = found["destination"][0]
    long = far | {"subject": "order:P9:0", "track": freeze_track(long_track(10_000, far["from_us"]))}
    # What is judged is another matter: it is shown as it was frozen.
    return found | {
        "odd": (odd, CATALOGUE.evaluate(odd)),
        "long": (long, replace(found["destination"][1], subject="order:P9:0")),
    }


async def _publish(world: World, found: dict[str, tuple[Any, Any]]) -> dict[str, str]:
    """Name of a sample -> id of its alert; all on one vehicle of jsj."""
    connection = await connect(world.dsn)
    number = await connection.fetchval("SELECT no FROM vehicles WHERE id = 'car-1'")
    facts = {
        name: AlertFacts(
            "medium", "jsj", "car-1", "苏F12345", made.from_us, made.to_us, driver="D1" if name == "destination" else None
        )
        for name, (_, made) in found.items()
    }  # fmt: skip
    made = [
        judgement_of(evaluation, body, facts[name], number, NOW_US)
        for name, (body, evaluation) in found.items()
    ]
    async with connection.transaction():
        await publish_feed(connection, await publish(connection, made))
    # A destination that was reached after all: fixes came late.
    body, evaluation = found["destination"]
    near = replace(evaluation, outcome=type(evaluation.outcome).NORMAL, reason="reached")
    async with connection.transaction():
        await publish_feed(
            connection, await publish(connection, [judgement_of(near, body, None, number, NOW_US + 10**9)])
        )
    await _remind(connection, number, found["location"][1].from_us)
    rows = await connection.fetch("SELECT id, rule || '/' || subject AS name FROM alerts")
    await connection.close()
    ids = {row["name"]: row["id"] for row in rows}
    return {name: ids[f"{one.rule}/{one.subject}"] for name, (_, one) in found.items()}


async def _remind(connection: Any, vehicle: int, about_us: int) -> None:
    """The driver was told that his order is overdue, and his terminal has confirmed it."""
    terminal = await connection.fetchval("INSERT INTO terminals (phone) VALUES ('13900000001') RETURNING no")
    command = await connection.fetchval(
        "INSERT INTO terminal_commands (organisation, vehicle, terminal_no, kind, fields, reason, asked_by, asked_by_name, persons, key,"
        " expires_at, state, events, ended_at) VALUES ('jsj', 'car-1', $1, 'text', $2, 'x', 'program:reminders', 'x', '{}', 'k', now(),"
        " 'delivered', 1, now()) RETURNING no",
        terminal, {"text": f"请尽快返回 {MARKUP}"},
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO terminal_command_events (command, number, step) VALUES ($1, 1, 'delivered')", command
    )
    await connection.execute(
        "INSERT INTO reminders (key, condition, organisation, vehicle, vehicle_no, about, command)"
        " VALUES ('k', 'order_overdue', 'jsj', 'car-1', $1, $2, $3)",
        vehicle, from_us(about_us), command,
    )  # fmt: skip


@pytest.fixture(scope="module")
def world(
    postgres_dsn: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A district of its own: its alerts are those of the samples."""
    chromium()
    with copied(postgres_dsn, template_database, "console_detail") as dsn:
        made = World(dsn, tmp_path_factory.mktemp("console-detail"))
        asyncio.run(made.build(0))
        with made.api:
            yield made


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[Any, Any]]:
    return _shared()


@pytest.fixture(scope="module")
def ids(world: World, found: dict[str, tuple[Any, Any]]) -> dict[str, str]:
    return asyncio.run(_publish(world, found))


def _at(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body[int(name)] if isinstance(body, list) else body[name]
    return body


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


async def test_numbers_of_each_rule_are_those_of_its_evidence(
    visit: Visit, ids: dict[str, str], found: dict[str, tuple[Any, Any]]
) -> None:
    page = await visit("office", "/alerts")
    await expect(page.locator(LINES).first).to_be_visible()
    for name, (body, made) in found.items():
        if name == "long":
            continue  # its track is another than the one that was judged
        await page.evaluate(
            "id => { history.pushState({}, '', `/alerts/${id}`); dispatchEvent(new PopStateEvent('popstate', { state: {} })) }",
            ids[name],
        )
        shown = page.locator(f"[data-alert='{ids[name]}']")
        await expect(shown.locator(".formula .conditions li").first).to_be_visible()
        await expect(shown.get_by_role("heading", name="事实")).to_be_visible()
        told: dict[str, str] = await shown.locator(".formula [data-source]").evaluate_all(
            "all => Object.fromEntries(all.map(one => [one.dataset.source, one.dataset.value]))"
        )
        for measure, value in made.measures.items():
            assert told[f"measure:{measure}"] == _text(value["value"]), (name, measure)
        for source, value in told.items():
            kind, _, path = source.partition(":")
            if kind == "evidence":
                assert value == _text(_at(body, path)), (name, source)
            if kind == "limit":
                assert value == _text(made.parameters[path]), (name, source)
        await expect(shown.locator("[data-check]", has_text="不符")).to_have_count(0)
        await page.get_by_role("button", name="核验").click()
        await expect(page.locator("[data-verified=same]")).to_be_visible()
    await picture(page, "alert-last")


async def test_from_the_list_by_keyboard_and_through_it(visit: Visit, ids: dict[str, str]) -> None:
    page = await visit("inspector", "/alerts?rule=mileage")
    await expect(page.locator(LINES)).to_have_count(1)
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="里程数异常")).to_be_visible()
    await page.locator(".map").scroll_into_view_if_needed()
    await expect(page.locator(".formula")).to_contain_text(re.compile("1.8 倍 ?≥ ?倍数 1.5 倍"))
    await expect(page.get_by_role("img", name="证据地图")).to_be_visible()
    await picture(page, "alert-mileage")
    assert await flaws(page) == []
    await page.goto("/alerts")
    await expect(page.locator(LINES)).to_have_count(len(ids))
    for key in ("j", "Enter"):
        await page.keyboard.press(key)
    await expect(page.get_by_text(f"1 / {len(ids)}")).to_be_visible()
    first = page.url
    await page.keyboard.press("j")
    await expect(page.get_by_text(f"2 / {len(ids)}")).to_be_visible()
    assert page.url != first
    await page.keyboard.press("k")
    await expect(page.get_by_text(f"1 / {len(ids)}")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("grid")).to_be_focused()


async def test_slider_chart_and_map_in_step(
    visit: Visit, ids: dict[str, str], found: dict[str, tuple[Any, Any]]
) -> None:
    page = await visit("office", f"/alerts/{ids['location']}")
    here = page.locator("[data-fix]")
    await expect(here).to_contain_text("第 1 / 57")
    slider = page.get_by_role("slider", name="轨迹时刻")
    await slider.focus()
    for _ in range(9):
        await page.keyboard.press("ArrowRight")
    await expect(here).to_contain_text("离群点，不作证据")
    track = found["location"][0]["track"]
    await expect(here).to_contain_text(f"{track['lat_e6'][9] / 1e6:.6f}, {track['lon_e6'][9] / 1e6:.6f}")
    await page.locator(".chart .u-over").hover(position={"x": 400, "y": 40})
    await expect(here).not_to_contain_text("第 10 /")
    await expect(page.locator("details table")).to_contain_text("定位中断")
    reminded = page.get_by_role("region", name="对驾驶员的提醒")
    await expect(reminded).to_contain_text("派车超时未返回")
    await expect(reminded).to_contain_text(f"请尽快返回 {MARKUP}")
    await picture(page, "alert-location")
    await page.locator(".map").focus()
    width = await page.locator(".bar path").get_attribute("d")
    await page.keyboard.press("+")
    await expect(page.locator(".bar path")).not_to_have_attribute("d", width or "")
    assert await flaws(page) == []


async def test_ten_thousand_fixes_are_drawn_at_once(visit: Visit, ids: dict[str, str]) -> None:
    page = await visit("office", f"/alerts/{ids['long']}")
    await expect(page.locator("[data-fix]")).to_contain_text("/ 10000")
    drawn: list[float] = await page.evaluate(
        "() => { const [mark] = performance.getEntriesByName('evidence-drawn'), [got] = performance.getEntriesByType('resource')"
        ".filter(one => one.name.includes('/evidence')); return [got.responseEnd - got.startTime, mark.startTime - got.responseEnd] }"
    )
    took = await page.locator(".map").get_attribute("data-took")
    print(
        f"10,000 fixes: fetched in {drawn[0]:.0f} ms, drawn {drawn[1]:.0f} ms later ({took} ms of it on the canvas)"
    )
    await page.locator(".time").scroll_into_view_if_needed()
    await picture(page, "alert-long")


async def test_withdrawn_says_why_and_prints(visit: Visit, ids: dict[str, str]) -> None:
    page = await visit("office", f"/alerts/{ids['destination']}")
    await expect(page.locator(".withdrawn")).to_contain_text("撤销原因")
    await expect(page.locator("article")).to_contain_text("疑似 → 已撤销")
    await expect(page.get_by_role("heading", name="同一驾驶员当日其他预警")).to_be_visible()
    await expect(page.get_by_role("heading", name="同车当日其他预警")).to_be_visible()
    await page.emulate_media(media="print")
    await expect(page.get_by_role("button", name="立督办")).to_be_hidden()
    await expect(page.locator(".printed")).to_contain_text("北京时间")
    await page.screenshot(path=picture_path("alert-print"), full_page=True)


async def test_dark_page_is_printed_on_white_paper_with_its_map(visit: Visit, ids: dict[str, str]) -> None:
    page = await visit("office", f"/alerts/{ids['location']}", color_scheme="dark")
    await expect(page.locator("[data-fix]")).to_contain_text("第 1 / 57")
    printed = await page.pdf(format="A4", print_background=True)
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "alert.pdf").write_bytes(printed)
    text = "".join(one.extract_text() for one in PdfReader(io.BytesIO(printed)).pages)
    for told in ("定位异常", "证据地图", "SHA-256", "打印", "坐标系"):
        assert told in text
    assert "账户" not in text  # the frame is not printed
    await expect(page.locator("html")).to_have_class("dark")  # and the screen is as it was
    await page.emulate_media(media="print", color_scheme="dark")
    await expect(page.locator("html")).not_to_have_class("dark")
    await expect(page.locator("body")).to_have_css("color", "rgb(31, 35, 41)")


def picture_path(name: str) -> str:
    PICTURES.mkdir(exist_ok=True)
    return str(PICTURES / f"{name}.png")


async def test_office_drafts_a_case(visit: Visit, ids: dict[str, str], world: World) -> None:
    page = await visit("office", f"/alerts/{ids['refuel_frequency']}")
    await expect(page.get_by_text("尚未督办")).to_be_visible()
    await expect(page.get_by_role("button", name="处置")).to_have_count(0)
    await page.get_by_role("button", name="立督办").click()
    await page.get_by_role("dialog").get_by_role("button", name="立督办").click()
    await page.wait_for_url("**/cases/*")
    connection = await connect(world.dsn)
    held = await connection.fetchrow("SELECT id, state, organisation FROM cases")
    await connection.close()
    assert (page.url.rpartition("/")[2], held["state"], held["organisation"]) == (held["id"], "draft", "jsj")
    await page.goto(f"/alerts/{ids['refuel_frequency']}")
    await expect(page.get_by_role("link", name="加油频率异常（疑似）核查")).to_be_visible()


async def test_inspector_disposes_and_confirms(visit: Visit, ids: dict[str, str]) -> None:
    page = await visit("inspector", f"/alerts/{ids['off_hours']}")
    await expect(page.get_by_role("button", name="立督办")).to_have_count(0)
    await page.get_by_role("button", name="处置").click()
    form = page.get_by_role("form", name="处置")
    await form.get_by_role("button", name="确定").click()
    await expect(form.get_by_role("alert")).to_contain_text("请选择处置方式")
    await form.get_by_label("处置方式").select_option(index=1)
    await form.get_by_label("说明").fill(MARKUP)
    await picture(page, "alert-dispose")
    assert await flaws(page) == []
    await form.get_by_role("button", name="确定").click()
    await expect(form).to_have_count(0)
    await expect(page.locator("aside .note")).to_have_text(MARKUP)
    await page.get_by_role("button", name="确认收到").click()
    await expect(page.get_by_role("button", name="确认收到")).to_have_count(0)
    await expect(page.locator("aside")).to_contain_text("第 1 版 周正")


async def test_unit_sees_no_buttons_and_markup_is_text(visit: Visit, ids: dict[str, str]) -> None:
    page = await visit("unit", f"/alerts/{ids['odd']}", color_scheme="dark")
    await expect(page.locator(".map")).to_be_visible()
    for name in ("立督办", "处置", "确认收到"):
        await expect(page.get_by_role("button", name=name)).to_have_count(0)
    await expect(page.locator("article")).to_contain_text(MARKUP)
    assert await page.locator("article img[src], article b").count() == 0
    await page.get_by_role("button", name="账户").click()
    await page.get_by_role("menuitem", name="English").click()
    await expect(page.get_by_role("heading", name="Formula and thresholds")).to_be_visible()
    await picture(page, "alert-dark-english")
    assert await flaws(page) == []
    wide: int = await page.evaluate(
        "() => document.querySelector('main').scrollWidth - document.querySelector('main').clientWidth"
    )
    assert wide <= 0


async def test_base_map_lies_under_the_evidence(
    visit: Visit, ids: dict[str, str], world: World, tmp_path: Path
) -> None:
    prepare(world.settings.data_dir, town(120.9, 32.0).write(tmp_path / "town.osm.pbf"), print)
    page = await visit("office", f"/alerts/{ids['location']}")
    await page.locator(".figure .ground[data-drawn^='own ']").wait_for()
    drawing = page.get_by_role("img", name="证据地图")
    await drawing.scroll_into_view_if_needed()
    await picture(page, "alert-base-map")
    await expect(page.locator("figcaption")).to_contain_text(
        "底图仅供参照，不属于证据 © OpenStreetMap contributors"
    )
    # What is drawn follows the drawing, and nothing in it can be come to by keys.
    await drawing.press("+")
    await expect(page.locator(".figure .ground [tabindex='0']")).to_have_count(0)
    assert await flaws(page) == []
    path_of(world.settings.data_dir).unlink()


async def test_no_such_alert(visit: Visit) -> None:
    page = await visit("office", "/alerts/none")
    await expect(page.get_by_role("alert")).to_contain_text("没有这条预警")
