"""The short way to an operation finds what the ordinary way finds, for whatever address."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.routing import Match

from api.app import create_app
from api.routes import add_routes, beginning, index_of
from runtime.settings import Settings

#: Ids that look like something else: an action, another operation, the end of an address.
ODD = ("x", "7:import", ":import", "feed", "counts", "a b", "{id}", "a/b", "x\n", "苏F·00001")


def described() -> list[APIRoute]:
    app = create_app(Settings(), None, position_sink=None)
    found = [route for route in app.router.routes if isinstance(route, APIRoute)]
    assert len(found) > 200
    # A router within a router (include_router) would be none of them, and go the long way.
    assert [type(route).__name__ for route in app.router.routes if route not in found] == [
        "Route"
    ]  # /openapi.json
    return found


def test_models_have_names_of_their_own() -> None:
    # Two of one name are described as "package__module__Name" each, and then whoever made a client finds the old name gone.
    models = create_app(Settings(), None, position_sink=None).openapi()["components"]["schemas"]
    assert len(models) > 300
    assert [name for name in models if "__" in name] == []


def first(routes: Iterator[APIRoute], method: str, path: str) -> APIRoute | None:
    """The first of ``routes`` that takes the request."""
    scope = {"type": "http", "method": method, "path": path}
    return next((route for route in routes if route.matches(dict(scope))[0] is Match.FULL), None)


def test_the_short_way_finds_what_the_ordinary_way_finds() -> None:
    routes = described()
    index = index_of(routes)
    for route in routes:
        for odd in ODD:
            path = odd.join(re.split(r"\{\w+\}", route.path))
            for method in {*(route.methods or ()), "GET"}:
                short = first(iter(index.get((method, beginning(path)), ())), method, path)
                # Where it finds none the ordinary way is gone.
                assert short is None or short is first(iter(routes), method, path), (method, path)
                if odd == "x":
                    assert short is first(iter(routes), method, path), (method, path)


def test_few_are_tried() -> None:
    assert max(map(len, index_of(described()).values())) <= 30


async def test_answers_are_the_same_with_and_without() -> None:
    router = APIRouter(prefix="/v1", tags=["x"])
    everywhere = APIRouter()

    @router.get("/things/{id}")
    async def one(request: Request, id: str) -> dict[str, str]:
        return {"one": id, "route": request.scope["route"].path}

    @router.put("/things/{id}")
    async def put(id: str) -> dict[str, str]:
        return {"put": id}

    @everywhere.get("/{kind}/things/latest")
    async def latest(kind: str) -> dict[str, str]:
        return {"latest": kind}

    quick, ordinary = FastAPI(), FastAPI()
    add_routes(quick, (everywhere, router))
    for each in (everywhere, router):
        ordinary.include_router(each)
    asked = [
        (method, path)
        for method in ("GET", "PUT", "POST", "HEAD", "OPTIONS", "BREW")
        for path in (
            "/v1/things/7",
            "/v1/things/latest",
            "/v2/things/latest",
            "/v1/things/",
            "/v1/things",
            "/",
            "/openapi.json",
        )
    ]
    said = []
    for app in (quick, ordinary):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answers = [await client.request(method, path) for method, path in asked]
        said.append([(a.status_code, a.headers.get("allow"), a.content) for a in answers])
    assert said[0] == said[1]
    assert quick.openapi() == ordinary.openapi()
