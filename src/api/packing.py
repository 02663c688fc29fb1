"""``Packing``: JSON answers leave compressed, where the reader takes that.

A page of the work list is 150 kB of JSON and 8 kB of gzip: on a line of 9 Mbit/s that is a tenth of a second. Only plain JSON of some size
is packed: files, tiles and streams bring their own encoding or none; an answer with an ETag stays as it is, because the tag names its bytes.
What ``/v1/session`` answers holds the secret of the session and is never packed, so that its length tells nothing (BREACH).
"""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipResponder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Below this the answer fits into a few packets of the network as it is. Bytes.
SMALLEST: Final = 4096
#: Of zlib: higher ones save a few per cent for twice the time.
_LEVEL: Final = 4
_UNPACKED: Final = "/v1/session"


class _Responder(GZipResponder):
    async def send_with_compression(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message.get("headers", []))
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            packed = kind == "application/json" and message["status"] == 200 and "etag" not in headers
            self.exclude_content_types = () if packed else (kind,)
        await super().send_with_compression(message)


class Packing:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        open_to_all = scope["type"] == "http" and not str(scope["path"]).startswith(_UNPACKED)
        if open_to_all and "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            await _Responder(self._app, SMALLEST, _LEVEL)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
