"""``Console``: answers what is no address of the API with a file of the console, or with its page.

The page finds out by itself what to show at its address ("/alerts/..."), so every address that a browser opens and that belongs to
nobody else gets the page. Programs that ask for such an address get the API's problem 404, as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth.cookies import PLAIN_COOKIE
from api.console.files import ENCODINGS, INDEX, File, load


def policy(origins: Iterable[str] = ()) -> str:
    """What a page may load. Everything comes from our own address; no script and no style stands in a page (docs/console.md).
    ``origins``: of pictures of maps that the settings name (scheme and host)."""
    others = "".join(f" {origin}" for origin in sorted(set(origins)))
    return (
        "default-src 'self'; script-src 'self'; style-src 'self';"
        f" img-src 'self' data: blob:{others}; font-src 'self'; worker-src 'self'; connect-src 'self'{others};"
        " object-src 'none'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


POLICY: Final = policy()
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Vary": "Accept-Encoding",
}
#: How the addresses of the API begin; no screen may. A test compares this with the API's own description.
TAKEN: Final = frozenset({"v1", "docs", "openapi.json", "healthz", "readyz", "metrics"})
#: What the work list asks for first, in the words of the console (screens/alerts/alerts.ts, composables/useUnits.ts), by its address.
#: A browser fetches it beside the scripts and not after them.
AHEAD: Final = {"/alerts": ("/v1/alerts?limit=200", "/v1/organisations?limit=1000")}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"


@dataclass(frozen=True, slots=True)
class _Route:
    """What the metrics call these answers."""

    path: str


_ROUTE: Final = _Route("console")


def accepted(header: str) -> set[str]:
    """The encodings that an Accept-Encoding header takes."""
    found: dict[str, bool] = {}
    for part in header[:1000].lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        refused = any(p.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for p in parameters)
        found[name] = not refused
    everything = found.get("*", False)
    return {encoding for encoding, _ in ENCODINGS if found.get(encoding, everything)}


def _same(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in header[:4000].split(",")}
    return etag in tags or "*" in tags


def answer(file: File, headers: Mapping[str, str], *, head: bool) -> Response:
    """The answer with ``file``, in the best encoding that the request takes."""
    takes = accepted(headers.get("accept-encoding", ""))
    encoding = next((name for name, _ in ENCODINGS if name in takes and name in file.bodies), "")
    # The bytes differ by encoding, so the tags do.
    etag = f'"{file.sha256[:32]}{"-" if encoding else ""}{encoding}"'
    told = _HEADERS | {"ETag": etag, "Cache-Control": _FOR_EVER if file.immutable else _ASK_AGAIN}
    if _same(headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=told)
    if encoding:
        told["Content-Encoding"] = encoding
    body = file.bodies[encoding]
    told |= {"Content-Type": file.media_type, "Content-Length": str(len(body))}
    return Response(b"" if head else body, headers=told)


class Console:
    """ASGI middleware before the routes."""

    def __init__(self, app: ASGIApp, origins: Iterable[str] = ()) -> None:
        """``origins``: see ``policy``."""
        self._app, self._files = app, load()
        self._policy = policy(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        file = self._find(scope) if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") else None
        if file is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        response = answer(file, Headers(scope=scope), head=scope["method"] == "HEAD")
        response.headers["Content-Security-Policy"] = self._policy
        if ahead := self._ahead(scope):
            response.headers["Link"] = ahead
        await response(scope, receive, send)

    def _ahead(self, scope: Scope) -> str:
        """The ``Link`` header of a page; empty where nobody is signed in, or where the address names what the list should hold."""
        wanted = AHEAD.get(scope["path"], ())
        if (
            not wanted
            or scope.get("query_string")
            or f"{PLAIN_COOKIE}=" not in Headers(scope=scope).get("cookie", "")  # the other one ends so, too
        ):
            return ""
        return ", ".join(f"<{path}>; rel=preload; as=fetch; crossorigin=anonymous" for path in wanted)

    def _find(self, scope: Scope) -> File | None:
        """The file at an address; the page where a browser opens an address of its own; None = not ours."""
        path = str(scope["path"])
        if path.removeprefix("/").partition("/")[0] in TAKEN:
            return None
        if path == "/":
            return self._files.get(INDEX)
        if (file := self._files.get(path)) is not None:
            return file
        # A name with a dot is a file that is not there: a page in its place would be taken for a script.
        is_page = "." not in path.rpartition("/")[2] and "text/html" in Headers(scope=scope).get("accept", "")
        return self._files.get(INDEX) if is_page else None
