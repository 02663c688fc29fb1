"""What is packed on its way out, and what must leave as it is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.packing import SMALLEST, Packing

LONG = json.dumps([{"id": f"{k:032}", "summary": "疑似里程数异常"} for k in range(200)]).encode()


async def answer(request: Request) -> Response:
    asked = request.query_params
    body = LONG[: int(asked.get("size", len(LONG)))]
    headers = {"ETag": '"7"'} if "etag" in asked else {}
    return Response(body, int(asked.get("status", 200)), headers, asked.get("kind", "application/json"))


async def streamed(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for begin in range(0, len(LONG), 1000):
            yield LONG[begin : begin + 1000]

    return StreamingResponse(parts(), media_type="application/json")


async def news(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield LONG

    return StreamingResponse(parts(), media_type="text/event-stream")


def client() -> httpx.AsyncClient:
    routes = [Route("/v1/alerts", answer), Route("/v1/session", answer), Route("/v1/export", streamed), Route("/v1/news", news)]  # fmt: skip
    transport = httpx.ASGITransport(app=Packing(Starlette(routes=routes)))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


async def test_a_page_is_packed_and_comes_back_the_same() -> None:
    async with client() as http:
        got = await http.get("/v1/alerts")
        assert got.headers["content-encoding"] == "gzip"
        assert got.headers["vary"] == "Accept-Encoding"
        assert int(got.headers["content-length"]) < len(LONG) / 5
        assert got.content == LONG
        parts = await http.get("/v1/export")
        assert parts.headers["content-encoding"] == "gzip"
        assert "content-length" not in parts.headers
        assert parts.content == LONG


@pytest.mark.parametrize(
    ("path", "takes"),
    [
        ("/v1/alerts", "identity"),
        ("/v1/alerts", "br"),
        (f"/v1/alerts?size={SMALLEST - 1}", "gzip"),
        ("/v1/alerts?etag", "gzip"),  # the tag names these bytes
        ("/v1/alerts?status=422", "gzip"),
        ("/v1/alerts?kind=application/pdf", "gzip"),
        ("/v1/alerts?kind=application/vnd.apache.arrow.stream", "gzip"),
        ("/v1/session", "gzip"),  # its length must tell nothing of the secret
        ("/v1/news", "gzip"),
    ],
)
async def test_what_leaves_as_it_is(path: str, takes: str) -> None:
    async with client() as http:
        got = await http.get(path, headers={"Accept-Encoding": takes})
        assert "content-encoding" not in got.headers
        assert LONG.startswith(got.content)
        assert got.content
