"""Answers that go on: they end when the reader has gone, reads too slowly, may not read any more, or the process stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from prometheus_client import Counter, Gauge
from starlette.types import Receive, Scope, Send

from api.auth.access import authorise
from api.errors import Problem
from runtime.bell import Bell
from runtime.postgres import DATABASE_ERRORS


class EndedError(Exception):
    """The stream is to end; ``reason`` is told to the reader."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Stream(Response):
    """The answer: runs as long as the stream does. ``permission``: without it the stream ends, which is looked at every
    ``recheck_s`` seconds; ``seconds``: how long it goes on at most."""

    def __init__(
        self,
        request: Request,
        permission: str,
        recheck_s: float,
        seconds: float | None,
        *,
        open_now: Gauge,
        ended: Counter,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._request, self._permission, self._recheck_s = request, permission, recheck_s
        self._slow_s: float = request.app.state.settings.stream_slow_s
        self._open_now, self._ended = open_now, ended
        now = asyncio.get_running_loop().time()
        self._ends_at = None if seconds is None else now + seconds
        self._recheck_at = now + recheck_s

    async def run(self, send: Send, gone: asyncio.Task[None]) -> None:
        """Send until the reader has gone. Raises EndedError, and TimeoutError for one that does not read."""
        raise NotImplementedError

    def last(self, reason: str) -> bytes:
        """What tells the reader why the stream ends."""
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._open_now.inc()
        reason = "client_gone"
        gone = asyncio.create_task(_until_gone(receive), name="reader of a stream")
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            try:
                await self.run(send, gone)
            except EndedError as end:
                reason = end.reason
                await self.say(send, self.last(reason))
                async with asyncio.timeout(self._slow_s):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            reason = "slow_reader"  # nothing is kept for it: the server closes the connection
        finally:
            gone.cancel()
            self._open_now.dec()
            self._ended.labels(reason).inc()

    async def say(self, send: Send, body: bytes) -> None:
        """Send ``body``. Raises TimeoutError when the reader takes nothing."""
        async with asyncio.timeout(self._slow_s):
            await send({"type": "http.response.body", "body": body, "more_body": True})

    async def wait(self, bell: Bell, seen: int, gone: asyncio.Task[None], *until: float) -> None:
        """Until the bell has rung beyond ``seen``, the reader has gone, or the first of: ``until`` (times of the loop), the end,
        the next look at the permission."""
        loop = asyncio.get_running_loop()
        at = min(t for t in (*until, self._recheck_at, self._ends_at) if t is not None)
        rung = asyncio.ensure_future(bell.wait(seen, max(0.0, at - loop.time())))
        try:
            await asyncio.wait({rung, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rung.cancel()

    async def check(self) -> bool:
        """Whether the permission was looked at anew. Raises EndedError when the process stops, the time is up, or the subject
        may not read any more."""
        now = asyncio.get_running_loop().time()
        if self._request.app.state.stopping:
            raise EndedError("stopping")
        if self._ends_at is not None and now >= self._ends_at:
            raise EndedError("time_is_up")
        if now < self._recheck_at:
            return False
        await self.allowed(authorise(self._request, self._permission, counts_as_use=False))
        self._recheck_at = now + self._recheck_s
        return True

    async def allowed(self, asked: Awaitable[Any]) -> None:
        """Await ``asked``. Raises EndedError when it is refused, or the database does not answer."""
        try:
            await asked
        except Problem as problem:
            raise EndedError("no_longer_allowed" if problem.status_code < 500 else "unavailable") from None
        except DATABASE_ERRORS:
            raise EndedError("unavailable") from None


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
