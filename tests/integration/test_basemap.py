"""The base map over HTTP: who gets it, how it is kept by browsers, what odd questions come to, and whose hosts a page may ask."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from api.app import create_app
from api.console.serving import POLICY
from office.basemap.prepare import prepare
from office.basemap.tile_file import path_of
from runtime.errors import ConfigurationError
from runtime.map_layers import OnlineLayer
from runtime.settings import Settings, load_settings
from tests.integration.test_api_service import check_problem, serve
from tests.osm_files import town
from tests.unit.test_basemap import number, quiet
from tests.vector_tiles import layers

LAYER: dict[str, Any] = {
    "name": "天地图",
    "urls": [
        "https://t0.tianditu.example.cn/vec/{z}/{x}/{y}?tk={key}",
        "https://t0.tianditu.example.cn:8443/cva/{z}/{x}/{y}?tk={key}",
    ],
    "attribution": "天地图 GS(2024)0568号",
    "datum": "gcj02",
    "key": "s3cret-key",
}


async def test_tiles_are_for_who_may_see_maps_and_are_kept(pool: asyncpg.Pool, tmp_path: Path) -> None:
    about = prepare(tmp_path, town().write(tmp_path / "town.osm.pbf"), quiet)
    settings = Settings(data_dir=tmp_path)
    z, x, y = 14, *number(14, 0, 0)
    path = f"/v1/basemap/{about.version}/{z}/{x}/{y}"
    async with serve(pool, settings=settings) as client:
        shown = (await client.get("/v1/basemap")).json()
        assert shown["state"] == "ready"
        assert shown["own"]["version"] == about.version
        assert shown["own"]["attribution"] == "© OpenStreetMap contributors"
        assert shown["layers"] == []
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert {"road", "place"} <= set(layers(answer.content))
        plain = await client.get(path, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content
        assert plain.headers["etag"] != answer.headers["etag"]
        again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        nothing = await client.get(f"/v1/basemap/{about.version}/14/0/0")
        assert (nothing.status_code, nothing.content) == (204, b"")
        del client.headers["Authorization"]
        for address in ("/v1/basemap", path):
            check_problem(await client.get(address), 401, "请先登录")
    async with serve(pool, None, "positions:write", settings=settings) as client:
        for address in ("/v1/basemap", path):
            check_problem(await client.get(address), 403, "missing-scope")


async def test_odd_questions(pool: asyncpg.Pool, tmp_path: Path) -> None:
    about = prepare(tmp_path, town().write(tmp_path / "town.osm.pbf"), quiet)
    (tmp_path / "basemap" / "secret").write_text("x")
    async with serve(pool, settings=Settings(data_dir=tmp_path)) as client:
        check_problem(await client.get(f"/v1/basemap/{'0' * 16}/5/1/1"), 410, "没有这个版本的底图")
        own = about.version
        for odd in (
            f"{own}/15/0/0", f"{own}/-1/0/0", f"{own}/5/-1/0", f"{own}/5/99999999999999999999/0", f"{own}/5/1e3/0", f"{own}/5/0/0.5",
            f"{own}/5/NaN/0", f"{own[:-1]}/5/0/0", f"{own}x/5/0/0", f"{own.upper()}G/5/0/0", "%00/5/0/0", "map.mbtiles/5/0/0",
            "%2e%2e/5/0/0", f"{own}/5/%2e%2e/0",
        ):  # fmt: skip
            answer = await client.get(f"/v1/basemap/{odd}")
            assert answer.status_code in (404, 422), odd
            assert answer.headers["content-type"] == "application/problem+json"
        for path in (
            "/v1/basemap/../../secret",
            "/v1/basemap/%2e%2e%2fsecret",
            f"/v1/basemap/{own}/5/0/0/../../secret",
        ):
            assert (await client.get(path)).status_code in (404, 422), path
        # Beyond the edge of the world there is nothing.
        assert (await client.get(f"/v1/basemap/{own}/5/16383/16383")).status_code == 204


async def test_without_a_map_and_with_a_damaged_one(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with serve(pool, settings=Settings(data_dir=tmp_path)) as client:
        assert (await client.get("/v1/basemap")).json() == {"state": "missing", "own": None, "layers": []}
        check_problem(await client.get(f"/v1/basemap/{'0' * 16}/5/1/1"), 410)
        about = prepare(tmp_path, town().write(tmp_path / "town.osm.pbf"), quiet)
        # The same process takes it, and says so when it is spoiled under it.
        assert (await client.get("/v1/basemap")).json()["own"]["version"] == about.version
        path_of(tmp_path).write_bytes(gzip.compress(b"no map"))
        shown = (await client.get("/v1/basemap")).json()
        assert (shown["state"], shown["own"]) == ("damaged", None)
        check_problem(await client.get(f"/v1/basemap/{about.version}/5/1/1"), 503, "gongche basemap prepare")


async def test_maps_of_others_are_named_by_the_settings_alone(pool: asyncpg.Pool, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, basemap_layers=(OnlineLayer(**LAYER),))
    async with serve(pool, settings=settings) as client:
        (shown,) = (await client.get("/v1/basemap")).json()["layers"]
        assert shown == {
            "name": "天地图", "attribution": LAYER["attribution"], "datum": "gcj02", "max_zoom": 18,
            "urls": [url.replace("{key}", "s3cret-key") for url in LAYER["urls"]],
        }  # fmt: skip
        page = await client.get("/", headers={"Accept": "text/html"})
        hosts = "https://t0.tianditu.example.cn https://t0.tianditu.example.cn:8443"
        told = page.headers["content-security-policy"]
        assert f"img-src 'self' data: blob: {hosts};" in told
        assert f"connect-src 'self' {hosts};" in told
        assert told.replace(f" {hosts}", "") == POLICY
    assert "s3cret" not in repr(settings)
    transport = httpx.ASGITransport(create_app(Settings(), None, position_sink=None))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        page = await client.get("/", headers={"Accept": "text/html"})
        assert page.headers["content-security-policy"] == POLICY
        assert "http" not in POLICY


@pytest.mark.parametrize(
    "change",
    [
        {"urls": []}, {"urls": ["ftp://a/{z}/{x}/{y}?{key}"]}, {"urls": ["https://a.cn; script-src */{z}/{x}/{y}?{key}"]},
        {"urls": ["https://a.cn/{z}/{x}?{key}"]}, {"urls": ["https://{x}.cn/{z}/{y}?{key}"]}, {"urls": ["//a.cn/{z}/{x}/{y}?{key}"]},
        {"urls": ["https://user@a.cn/{z}/{x}/{y}?{key}"]}, {"urls": ["https://a.cn/{z}/{x}/{y}"]}, {"key": ""}, {"datum": "bd09"},
        {"attribution": ""}, {"name": "a\nb"}, {"more": 1}, {"max_zoom": 99},
    ],
)  # fmt: skip
def test_a_layer_that_cannot_be_is_refused(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONGCHE_BASEMAP_LAYERS", json.dumps([LAYER]))
    assert load_settings().basemap_layers[0].origins()[0] == "https://t0.tianditu.example.cn"
    monkeypatch.setenv("GONGCHE_BASEMAP_LAYERS", json.dumps([LAYER | change]))
    with pytest.raises(ConfigurationError, match="GONGCHE_BASEMAP_LAYERS"):
        load_settings()
    monkeypatch.setenv("GONGCHE_BASEMAP_LAYERS", "no json")
    with pytest.raises(ConfigurationError, match="GONGCHE_BASEMAP_LAYERS"):
        load_settings()
