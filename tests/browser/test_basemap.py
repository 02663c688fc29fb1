"""The base map under the console's maps: none, one that is made while people work, another one in its place; light, dark, under evidence and
page. That no page asks another host is looked at for every page of every test (conftest)."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser, Page, Response, expect
from pydantic import SecretStr

from office.basemap.prepare import prepare
from office.basemap.reading import WORLD, to_units
from office.basemap.tile_file import path_of
from runtime.map_layers import OnlineLayer
from simulation.city.roads import build_network
from simulation.city.scenery import CREDIT, write_scenery
from telemetry.geo import Datum, from_wgs84
from tests import png
from tests.browser.moving import LAT_E6, LON_E6, NO_WEBGL, report, terminals
from tests.browser.pages import Watch, flaws, picture, sign_in
from tests.browser.test_live import district
from tests.browser.world import World
from tests.integration.identity_site import Api
from tests.osm_files import town
from tests.unit.test_basemap import quiet

Visit = Callable[..., Awaitable[Page]]
_OWN = re.compile("^own ")
#: Half a side, in pixels, of what marks a place on the map of others.
_HALF = 30


@pytest.fixture
def base_map(world: World, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Makes a map, of the demo's city or of a small town, for the API that runs. The tests after it have none again."""
    folder = world.settings.data_dir

    def make(name: str) -> None:
        source = tmp_path / f"{name}.osm.pbf"
        if name == "city":
            write_scenery(build_network(1), 1, source)
        else:
            town().write(source)
        prepare(folder, source, quiet, attribution=CREDIT if name == "city" else None)

    yield make
    path_of(folder).unlink(missing_ok=True)


async def _drawn(page: Page) -> None:
    """What the map is to show has come and is drawn."""
    await page.locator(".box[data-drawn]:not([data-drawn=none])").wait_for()


async def test_a_map_is_made_while_people_look(
    visit: Visit, world: World, base_map: Callable[[str], None]
) -> None:
    await district(world)
    page = await visit("office", "/live")
    live = page.locator(".map[data-face=webgl]")
    await expect(live).to_contain_text("WGS-84")
    await expect(live).to_contain_text("无底图")
    plain = await live.screenshot()
    base_map("city")
    tiles: list[Response] = []
    page.on("response", lambda answer: tiles.append(answer) if "/v1/basemap/" in answer.url else None)
    await page.reload()
    await expect(live).to_have_attribute("data-ground", _OWN)
    await expect(live).to_contain_text(CREDIT)
    await expect(live).to_contain_text("底图数据 2026-01-01")
    await expect(live).not_to_contain_text("无底图")
    await expect(page.locator("[role=row].line")).to_have_count(5)
    await _drawn(page)
    assert {answer.status for answer in tiles} <= {200, 204}
    assert len(tiles) >= 4
    assert len(await live.screenshot()) > 2 * len(plain)  # streets and names are no plain ground
    await picture(page, "basemap-live")
    assert await flaws(page) == []
    await page.locator("[data-id=car-1]").click()
    await page.get_by_role("button", name="定位", exact=True).click()
    await _drawn(page)
    await picture(page, "basemap-live-near")
    # Another map takes its place: the page finds out with the next tile that is gone.
    first = await live.get_attribute("data-ground")
    base_map("town")
    for _ in range(2):
        await page.get_by_role("button", name="缩小").click()
    await expect(live).not_to_have_attribute("data-ground", first or "")
    await expect(live).to_have_attribute("data-ground", _OWN)
    await expect(live).to_contain_text("© OpenStreetMap contributors")
    base_map("city")

    # The same ground elsewhere: dark, under a fence.
    await page.emulate_media(color_scheme="dark")
    await page.get_by_role("button", name="缩小").click()
    await expect(live).to_contain_text(CREDIT)
    await _drawn(page)
    await picture(page, "basemap-dark")
    await page.emulate_media(color_scheme="light")
    await page.goto("/fences/new")
    await expect(page.locator(".fence-map")).to_have_attribute("data-ground", _OWN)
    for _ in range(4):
        await page.get_by_role("button", name="放大").click()
    await page.get_by_role("button", name="重新绘制").click()
    for x, y in ((150, 120), (450, 120), (450, 380)):
        await page.locator(".fence-map").click(position={"x": x, "y": y})
    await page.get_by_role("button", name="完成绘制").click()
    before = await page.locator(".fence-map path.area").get_attribute("d")
    # The same numbers as GCJ-02 are another place: on the map the outline moves.
    await page.get_by_label("坐标系").select_option("gcj02")
    await expect(page.locator(".fence-map path.area")).not_to_have_attribute("d", before or "")
    await expect(page.locator(".fence-map .foot")).to_contain_text("坐标 GCJ-02")
    await _drawn(page)
    await picture(page, "basemap-fence")


async def test_a_browser_without_webgl_has_the_same_ground(
    visit: Visit, world: World, base_map: Callable[[str], None]
) -> None:
    """Live map, fence and evidence: a plain canvas draws the tiles, and can be moved."""
    await district(world)
    base_map("city")
    page = await visit("office", "/alerts")
    await page.context.add_init_script(NO_WEBGL)
    tiles: list[Response] = []
    page.on("response", lambda answer: tiles.append(answer) if "/v1/basemap/" in answer.url else None)
    await page.goto("/live?vehicle=car-1")
    live = page.locator(".map[data-face=canvas]")
    await expect(live).to_have_attribute("data-ground", _OWN)
    await expect(live).to_contain_text(CREDIT)
    await expect(live).to_contain_text("简图显示")
    await page.get_by_role("button", name="定位", exact=True).click()
    await _drawn(page)
    assert {answer.status for answer in tiles} <= {200, 204}
    await picture(page, "basemap-canvas")
    assert len(_colours(await live.screenshot())) > 40  # streets, water, letters: no plain ground
    await live.locator("canvas").focus()
    async with page.expect_response(re.compile("/v1/basemap/")):  # what comes into sight is fetched
        for _ in range(20):
            await page.keyboard.press("ArrowRight")
    await page.emulate_media(color_scheme="dark")
    await page.get_by_role("button", name="定位", exact=True).click()
    await _drawn(page)
    await picture(page, "basemap-canvas-dark")
    await page.emulate_media(color_scheme="light")
    await page.goto("/fences/new")
    await expect(page.locator(".fence-map")).to_have_attribute("data-ground", _OWN)
    await _drawn(page)
    await picture(page, "basemap-canvas-fence")


def _colours(shot: bytes) -> set[tuple[int, ...]]:
    pixels = png.read(shot)[::3, ::3, :3].reshape(-1, 3)
    return {tuple(map(int, one)) for one in np.unique(pixels, axis=0)}


@pytest.fixture
def pictures() -> Iterator[str]:
    """A map of others in GCJ-02, on another port: grey, with a square of so many pixels around the place of the first vehicle, where
    such a map has it."""
    (lat,), (lon,) = from_wgs84(Datum.GCJ02, [LAT_E6 / 1e6], [LON_E6 / 1e6])

    class Tiles(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            z, x, y = (int(part) for part in self.path.removeprefix("/t/").partition("?")[0].split("/"))
            ((px, py),) = to_units(np.array([[lon, lat]])) / WORLD * 256 * 2**z - (256 * x, 256 * y)
            rows, columns = np.mgrid[0:256, 0:256]
            tile = np.full((256, 256, 3), 215, np.uint8)
            tile[(abs(columns + 0.5 - px) < _HALF) & (abs(rows + 0.5 - py) < _HALF)] = (255, 0, 255)
            body = png.write(tile)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Tiles)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


async def test_vehicles_line_up_with_a_map_that_is_shifted(
    browser: Browser, world: World, pictures: str
) -> None:
    """The whole way: the setting, the policy for content, the choice, the shift. Without the shift a vehicle stands half a kilometre away."""
    layer = OnlineLayer(
        name="互联网地图",
        urls=(f"{pictures}/t/{{z}}/{{x}}/{{y}}?tk={{key}}",),
        key=SecretStr("k"),
        attribution="审图号 GS(2024)1号",
        datum="gcj02",
    )
    other = copy.copy(world)
    other.api = Api(world.settings.model_copy(update={"basemap_layers": (layer,)}))
    with other.api:
        cars = await terminals(other)
        report(other, [{"terminal": cars["car-1"], "speed_dkmh": 420, "direction_deg": 90}])
        watch = Watch(other.url)
        context = await browser.new_context(
            base_url=other.url, viewport={"width": 1366, "height": 768}, locale="zh-CN"
        )
        try:
            await context.add_init_script(Watch.SCRIPT)
            page = await context.new_page()
            watch.listen(page)
            await page.goto("/login?return=/live?vehicle=car-1")
            await sign_in(page, "office")
            shown = page.locator(".map[data-face=webgl]")
            await expect(shown).to_have_attribute(
                "data-ground", "none"
            )  # nothing is asked of others before somebody chooses it
            await page.get_by_label("底图").select_option("互联网地图")
            await expect(shown).to_have_attribute("data-ground", "layer 互联网地图")
            await expect(shown).to_contain_text("审图号 GS(2024)1号")
            await expect(shown).to_contain_text("GCJ-02")
            await page.get_by_role("button", name="定位", exact=True).click()
            await _drawn(page)
            await expect(page.get_by_label("车辆情况")).to_contain_text(
                "120.8900, 31.9800"
            )  # numbers stay WGS-84
            await picture(page, "basemap-shifted")
            pixels = png.read(await shown.screenshot())[:, :, :3].astype(int)
            rows, columns = np.nonzero(
                (pixels[:, :, 0] > 230) & (pixels[:, :, 1] < 40) & (pixels[:, :, 2] > 230)
            )
            # The vehicle is in the middle of the map, and the square around its place is there too.
            middle = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
            assert abs(middle[0] - pixels.shape[1] / 2) < 3
            assert abs(middle[1] - pixels.shape[0] / 2) < 3
            await watch.collect(page)
        finally:
            await context.close()
    assert watch.wrong == []
