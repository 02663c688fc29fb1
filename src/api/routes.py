"""``add_routes``: the operations of the API, found by the method and the beginning of the address.

Starlette tries one route after the other, each by a regular expression. With more than 200 operations that was a good part of
what a request costs. Here a request tries those routes only whose first two segments (``/v1/alerts``) are its own, in the same
order. Whatever fits none of them goes the ordinary way, which knows 404 and 405; so an answer is never another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

#: So many segments of an address are looked at.
_SEGMENTS: Final = 2


def beginning(path: str) -> str:
    """The first segments of an address, or of the template of an operation: ``/v1/alerts`` of ``/v1/alerts/{id}``."""
    return "/".join(path.split("/", _SEGMENTS + 1)[: _SEGMENTS + 1])


def index_of(routes: Iterable[BaseRoute]) -> dict[tuple[str, str], list[APIRoute]]:
    """The operations that may fit, in their order, by method and beginning. One whose beginning is not fixed may fit any."""
    operations = [(beginning(route.path), route) for route in routes if isinstance(route, APIRoute)]
    starts = {start for start, _ in operations}
    found: dict[tuple[str, str], list[APIRoute]] = {}
    for start in starts:
        for own, route in operations:
            if own == start or "{" in own:
                for method in route.methods or ():
                    found.setdefault((method, start), []).append(route)
    return found


class _Directly:
    """The ASGI application that hands a request to the first operation that fits."""

    def __init__(self, router: APIRouter, otherwise: ASGIApp) -> None:
        self._router, self._otherwise, self._index = router, otherwise, index_of(router.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Below a root_path (a proxy that cuts off a part of the address) the ordinary way cuts it off as well.
        if scope["type"] == "http" and not scope.get("root_path"):
            for route in self._index.get((scope["method"], beginning(scope["path"])), ()):
                match, found = route.matches(scope)
                if match is Match.FULL:
                    scope.setdefault("router", self._router)
                    scope.update(found)
                    await route.handle(scope, receive, send)
                    return
        await self._otherwise(scope, receive, send)


def add_routes(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Give ``app`` the routes of ``routers``, in their order. They are the routers' own: nothing of them is built anew for this
    application, as ``include_router`` would. No router has another one in it; none is added later."""
    for router in routers:
        app.router.routes.extend(router.routes)
    app.router.middleware_stack = _Directly(app.router, app.router.middleware_stack)
