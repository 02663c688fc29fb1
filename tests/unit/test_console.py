"""The console as the API serves it: files, headers, what stays the API's. And that what was built is what is served and shipped."""

from __future__ import annotations

import functools
import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from tools.console import types_complaint
from tools.console_sources import ROOT, complaint, source_hash

from api.app import create_app
from api.console.files import BUILT, load
from api.console.serving import AHEAD, POLICY, TAKEN, accepted
from office.identity.subject import PERMISSIONS
from runtime.settings import Settings

#: Where the sizes of the pages stand that ``AHEAD`` asks for.
AHEAD_OF = ("composables/usePagedList.ts", "composables/useUnits.ts")
HTML = {"Accept": "text/html,application/xhtml+xml"}


@functools.cache
def app(*, console: bool = True) -> FastAPI:
    return create_app(Settings(console=console), None, position_sink=None)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Of an API without a database: whatever asks for one is not asked here."""
    transport = httpx.ASGITransport(app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


def script() -> str:
    """The address of the largest script of the page: a small one is not compressed."""
    found = re.findall(r'src="(/assets/[^"]+\.js)"', (BUILT / "index.html").read_text("utf-8"))
    return str(max(found, key=lambda path: (BUILT / path[1:]).stat().st_size))


async def test_page_at_every_address_that_a_browser_opens(client: httpx.AsyncClient) -> None:
    for path in ("/", "/alerts", "/alerts/0199a1?x=1", "/v1x", "/docs2/a"):
        answer = await client.get(path, headers=HTML)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "geolocation=()" in answer.headers["permissions-policy"]
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


def test_what_is_fetched_ahead_is_what_the_work_list_asks_for() -> None:
    source = Path(__file__).resolve().parents[2] / "console/src"
    pages = [
        re.search(r"^(?:export )?const PAGE = (\d+)$", (source / file).read_text("utf-8"), re.M)
        for file in AHEAD_OF
    ]
    assert [page and page[1] for page in pages] == [path.rpartition("=")[2] for path in AHEAD["/alerts"]]


async def test_the_work_list_is_fetched_beside_the_scripts(client: httpx.AsyncClient) -> None:
    signed_in = HTML | {"Cookie": "other=1; __Host-gongche=x"}
    told = (await client.get("/alerts", headers=signed_in)).headers["link"]
    assert re.findall(r"<([^>]+)>; rel=preload; as=fetch; crossorigin=anonymous", told) == list(
        AHEAD["/alerts"]
    )
    # Nobody who is not signed in, no list that the address describes, no other page.
    for path, headers in (("/alerts", HTML), ("/alerts?rule=mileage", signed_in), ("/cases", signed_in)):
        assert "link" not in (await client.get(path, headers=headers)).headers, path


async def test_what_is_of_the_api_stays_so(client: httpx.AsyncClient) -> None:
    for path in ("/v1/nothing", "/v1", "/v1/alerts/x/y/z", "/healthz/x"):
        answer = await client.get(path, headers=HTML)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json", path
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert "unsafe-inline" in (await client.get("/docs", headers=HTML)).headers["content-security-policy"]
    assert (await client.get("/openapi.json")).json()["openapi"].startswith("3.")
    # A program that asks for what is not there is told so; nobody but a browser gets the page.
    assert (await client.get("/nothing")).status_code == 404
    assert (await client.post("/alerts", headers=HTML)).status_code == 404


def test_no_address_of_the_api_is_taken_for_a_page() -> None:
    paths = app().openapi()["paths"]
    assert {path.split("/")[1] for path in paths} | {"docs", "openapi.json"} == TAKEN


async def test_files_by_encoding_tag_and_method(client: httpx.AsyncClient) -> None:
    path = script()
    plain = (BUILT / path[1:]).read_bytes()
    tags = set()
    for taken, told in (
        ("identity", None),
        ("gzip", "gzip"),
        ("br;q=1, gzip", "br"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("*", "br"),
    ):
        answer = await client.get(path, headers={"Accept-Encoding": taken})
        assert answer.status_code == 200
        assert answer.headers.get("content-encoding") == told, taken
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"
        if told != "br":  # httpx reads what it knows
            assert answer.content == plain
        tags.add(answer.headers["etag"])
        head = await client.head(path, headers={"Accept-Encoding": taken})
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == answer.headers["content-length"]
        again = await client.get(
            path, headers={"Accept-Encoding": taken, "If-None-Match": f'"x", W/{answer.headers["etag"]}'}
        )
        assert (again.status_code, again.content) == (304, b"")
    assert len(tags) == 3


@pytest.mark.parametrize(
    "path",
    [
        "/assets/nothing.js", "/assets/../../serving.py", "/..%2fserving.py", "/assets/%2e%2e/%2e%2e/files.py", "/built.sha256",
        "/assets/index.js.map", "/index.html.gz", "/%00", "/assets//etc/passwd", "/.env",
    ],
)  # fmt: skip
async def test_nothing_else_is_given_out(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Accept": "*/*"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_setting_switches_it_off() -> None:
    transport = httpx.ASGITransport(app(console=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for path in ("/", "/alerts", script()):
            assert (await client.get(path, headers=HTML)).status_code == 404


def test_encodings_that_are_taken() -> None:
    assert accepted("") == set()
    assert accepted("gzip, deflate, br, zstd") == {"gzip", "br"}
    assert accepted("GZIP;q=0, *") == {"br"}
    assert accepted("identity;q=1, *;q=0") == set()
    assert accepted("," * 100_000) == set()


def test_compressed_files_hold_the_plain_ones() -> None:
    files = load()
    assert "/index.html" in files
    assert all(file.immutable == (address.startswith("/assets/")) for address, file in files.items())
    packed = [file for file in files.values() if "gzip" in file.bodies]
    assert len(packed) > 5
    for file in packed:
        assert gzip.decompress(file.bodies["gzip"]) == file.bodies[""]
        assert len(file.bodies["br"]) < len(file.bodies[""])


def test_page_names_no_other_host_and_no_script_of_its_own() -> None:
    page = (BUILT / "index.html").read_text("utf-8")
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)


def test_wheel_is_refused_without_an_up_to_date_console(tmp_path: Path) -> None:
    (tmp_path / "console" / "src").mkdir(parents=True)
    (tmp_path / "console" / "src" / "main.ts").write_text("1")
    assert "is missing" in (complaint(tmp_path) or "")
    built = tmp_path / "src" / "api" / "console" / "built"
    built.mkdir(parents=True)
    (built / "index.html").write_text("x")
    assert "older than" in (complaint(tmp_path) or "")
    built.with_name("built.sha256").write_text(source_hash(tmp_path) + "\n")
    assert complaint(tmp_path) is None
    (tmp_path / "console" / "node_modules").mkdir()
    (tmp_path / "console" / "node_modules" / "x.js").write_text("no source")
    assert complaint(tmp_path) is None
    (tmp_path / "console" / "src" / "main.ts").write_text("2")
    assert "older than" in (complaint(tmp_path) or "")


def test_what_is_committed_is_up_to_date() -> None:
    assert complaint() is None
    assert types_complaint() is None


def test_permissions_of_the_console_are_those_of_the_server() -> None:
    text = (ROOT / "console" / "src" / "app" / "permissions.ts").read_text("utf-8")
    assert re.findall(r"'([a-z]+:[a-z]+)'", text) == list(PERMISSIONS)


def test_lock_names_exact_versions_and_no_host() -> None:
    lock = (ROOT / "console" / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
    package = SimpleNamespace(text=(ROOT / "console" / "package.json").read_text("utf-8"))
    assert not re.search(r'": "[\^~]', package.text)
