"""Health, metrics, and the outermost layer: it counts and times every request and answers what nobody
caught.
"""

from __future__ import annotations

import time
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import Alive, Ready
from api.auth.access import authorise
from api.errors import Problem, problem_of
from api.http import json_response
from office.identity.audit import CURRENT
from runtime import database_says
from runtime.errors import GongcheError
from runtime.metrics import CONTENT_TYPE, render
from runtime.migrations import expected_schema_version, require_schema, schema_version
from runtime.postgres import is_read_only

REQUESTS: Final = Counter("gongche_api_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS: Final = Histogram(
    "gongche_api_request_seconds",
    "From the request's head to the end of the answer",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
# Methods are the client's own words: anything else is one label.
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)

router = APIRouter(tags=["health"])


class Boundary:
    """ASGI middleware around everything: metrics, safe headers, and a problem for every error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        CURRENT.set("")
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                named = {name.lower() for name, _ in headers}
                message["headers"] = headers + [h for h in _HEADERS if h[0] not in named]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            answer = problem_of(error).response()
            if status:  # too late to say so: cut the answer off, so that nobody takes it for whole
                raise
            await answer(scope, receive, watch)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", "unmatched")
            REQUESTS.labels(method, route, str(status or 499)).inc()
            SECONDS.labels(method, route).observe(time.perf_counter() - began)


@router.get("/healthz", summary="进程在运行 / the process is up", response_model=Alive)
async def healthz() -> Response:
    return json_response({"status": "ok"})


@router.get(
    "/readyz",
    summary="可以服务 / the database answers, has the right schema and takes writes",
    response_model=Ready,
)
async def readyz(
    request: Request,
    reading: Annotated[
        bool, Query(description="only whether it can be read: true also while the database is read-only")
    ] = False,
) -> Response:
    """503 until PostgreSQL answers, has the schema that this program expects and takes writes. Reading goes on while it is
    read-only: a load balancer before readers asks with `reading=true`."""
    try:
        async with request.app.state.pool.acquire(timeout=3) as connection:
            await require_schema(connection)
            version = await schema_version(connection)
            read_only = await is_read_only(connection)
    except GongcheError as error:
        detail = f"数据库结构不符，需要版本 {expected_schema_version()} · {error.message}"
        raise Problem(503, "not-ready", detail, headers={"Retry-After": "5"}) from None
    if read_only:
        await request.app.state.pool.expire_connections()  # another session may be writable by now
        if not reading:
            detail = f"{database_says.READ_ONLY}。{database_says.READ_ONLY_HINT}"
            raise Problem(503, "database-takes-no-writes", detail, headers={"Retry-After": "5"})
    return json_response({"status": "read-only" if read_only else "ready", "schema": version})


@router.get(
    "/metrics",
    summary="Prometheus 指标 / metrics",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE: {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """With a token of scope `ops:read`. `GONGCHE_API_METRICS_OPEN` lets the machine itself in without one, unless the
    request says that it comes through a proxy."""
    # Not every proxy says so, and what comes through one on this machine comes from this machine: hence the setting.
    local = request.client is not None and request.client.host in ("127.0.0.1", "::1")
    is_open = request.app.state.settings.api_metrics_open and local
    if not is_open or any(name in request.headers for name in ("x-forwarded-for", "forwarded", "via")):
        await authorise(request, "ops:read")
    return Response(render(), media_type=None, headers={"Content-Type": CONTENT_TYPE})
