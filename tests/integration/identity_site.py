"""Two APIs over one database, on real sockets, and a browser that keeps cookies as browsers do. For the tests of people."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Self

import asyncpg
import httpx
import uvicorn

from api.app import create_app
from office.identity import users
from office.identity.passwords import PasswordWork
from runtime.postgres import connect, create_pool
from runtime.settings import Settings
from tests.databases import copied
from tests.integration.oidc_provider import CLIENT, SECRET, OidcProvider
from tests.ports import free_port

#: argon2 as light as the settings allow: these tests are not about its cost.
LIGHT: dict[str, Any] = {"password_memory_mib": 8, "password_rounds": 1}
COOKIE = "__Host-gongche"


class Api:
    """An API in a thread of its own, with its own pool. ``app`` belongs to that thread's ``loop``."""

    app: Any
    loop: asyncio.AbstractEventLoop

    def __init__(self, settings: Settings) -> None:
        self.settings, self.port = settings, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._started, self._thread = threading.Event(), threading.Thread(target=self._run, daemon=True)
        self._server: uvicorn.Server | None = None

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        pool = await create_pool(self.settings.database_url or "", max_size=10)
        self.loop = asyncio.get_running_loop()
        self.app = app = create_app(self.settings, pool, position_sink=None)
        config = uvicorn.Config(app, port=self.port, log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined, unused-ignore] # a thread has none
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        self._started.set()
        await serving
        pool.terminate()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(30)


class Browser:
    """Keeps the cookies of one host and sends them, with the CSRF token of its session, like the console does."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30)
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []
        self.csrf = ""

    def send(self, method: str, path: str, json: Any = None, **more: Any) -> httpx.Response:
        headers = {"Sec-Fetch-Site": "same-origin"} | dict(more.pop("headers", {}))
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if self.csrf:
            headers.setdefault("X-CSRF-Token", self.csrf)
        headers = {name: value for name, value in headers.items() if value is not None}
        answer = self.http.request(method, path, json=json, headers=headers, **more)
        self.set_cookies = answer.headers.get_list("set-cookie")
        for line in self.set_cookies:
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        kind = answer.headers.get("content-type", "")
        if answer.is_success and kind == "application/json" and "csrf_token" in answer.json():
            self.csrf = answer.json()["csrf_token"]
        return answer

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.send("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.send("POST", path, json, **more)

    def put(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return self.send("PUT", path, json, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.send("DELETE", path, **more)

    def sign_in(self, login: str, password: str, **more: Any) -> httpx.Response:
        return self.post("/v1/session", {"login": login, "password": password} | more)


class Site:
    """The database and the two APIs."""

    def __init__(self, dsn: str, folder: Path, provider: OidcProvider) -> None:
        self.dsn, self.provider = dsn, provider
        secret = folder / "oidc-secret"
        secret.touch(0o600)
        secret.write_text(SECRET)
        self.settings = Settings(
            database_url=dsn,
            data_dir=folder,
            public_url="https://gongche.test",
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT,
            oidc_secret_file=secret,
            **LIGHT,
        )
        self.apis = [Api(self.settings), Api(self.settings)]

    def browser(self, api: int = 0) -> Browser:
        return Browser(self.apis[api].url)

    def sql(self, query: str, *args: Any) -> list[Any]:
        async def work() -> list[Any]:
            connection = await asyncpg.connect(self.dsn)
            try:
                return list(await connection.fetch(query, *args))
            finally:
                await connection.close()

        return asyncio.run(work())

    def run(self, work: Any) -> Any:
        """``await work(connection)`` in a transaction."""

        async def inside() -> Any:
            connection = await connect(self.dsn)
            try:
                async with connection.transaction():
                    return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(inside())

    def add(self, login: str, password: str, organisation: str | None = None) -> str:
        """A user who has chosen ``password`` already; the login as it is stored."""
        id = users.stored_login(login)

        async def work(connection: Any) -> None:
            hashed = await PasswordWork(self.settings).hash(password)
            who = users.profile(login, organisation, None, None)
            await users.create(connection, users.MACHINE, id, who, hashed)
            await users.set_password(connection, id, hashed)

        self.run(work)
        return id

    def signed_in(self, login: str, password: str, api: int = 0) -> Browser:
        browser = self.browser(api)
        answer = browser.sign_in(login, password)
        assert answer.status_code == 200, answer.text
        return browser


@contextmanager
def running_site(server: str, template: str, folder: Path) -> Iterator[Site]:
    """A site on a fresh database of ``server``, with a tree of four units."""
    with copied(server, template, "people") as dsn, OidcProvider() as provider:
        site = Site(dsn, folder, provider)
        site.sql(
            "INSERT INTO organisations (id, name, parent) VALUES ('city', '市', NULL), ('county', '县', 'city'),"
            " ('bureau', '局', 'county'), ('other', '他县', 'city')"
        )
        with site.apis[0], site.apis[1]:
            yield site
