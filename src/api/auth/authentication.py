"""``authenticate``: from what a request brings with it to the subject. The only place that knows how somebody comes in."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from typing import Any, Final

from fastapi import Request

from api.http import utc_now
from office.identity.subject import Subject
from office.identity.tokens import Token, find_token, note_used
from runtime.postgres import DATABASE_ERRORS, renew_read_only

#: How long a token row is believed; a revocation takes effect within it.
CACHE_S: Final = 5.0
_CACHE_SIZE: Final = 1_000
#: The note of when tokens were used takes no longer than this, and is dropped then.
_NOTE_S: Final = 2.0

_logger = logging.getLogger(__name__)


class TokenCache:
    """Token rows by the hash of their secret, for CACHE_S. Secrets that are not known are not remembered.

    When a token was used is noted beside the requests: none of them waits for it, and none fails when the database takes
    no writes. A note that cannot be written is dropped.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._used: set[str] = set()  # not noted yet
        self._noting: asyncio.Task[None] | None = None
        self._rows: OrderedDict[bytes, tuple[float, Token]] = OrderedDict()

    async def find(self, secret: str) -> Token | None:
        """The token of ``secret``, from memory or from the database."""
        key = hashlib.sha256(secret.encode()).digest()
        known = self._rows.get(key)
        if known is not None and time.monotonic() - known[0] < CACHE_S:
            return known[1]
        async with self._pool.acquire(timeout=5) as connection:
            token = await find_token(connection, secret)
        self._rows.pop(key, None)
        if token is not None:
            self._rows[key] = (time.monotonic(), token)
            if len(self._rows) > _CACHE_SIZE:
                self._rows.popitem(last=False)
            self._used.add(token.id)
            if self._noting is None or self._noting.done():
                self._noting = asyncio.create_task(self._note(), name="tokens used")
        return token

    async def _note(self) -> None:
        while self._used:
            used, self._used = self._used, set()
            try:
                async with asyncio.timeout(_NOTE_S), self._pool.acquire() as connection:
                    await note_used(connection, used)
            except DATABASE_ERRORS as error:
                _logger.info("when tokens were used is not noted: %s", error or type(error).__name__)
                await renew_read_only(self._pool, error)


async def authenticate(request: Request) -> Subject | None:
    """Who asks; None = the request brings nothing with it. Raises LookupError for what is unknown, ended or revoked."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        return None
    token: Token | None = await request.app.state.tokens.find(secret.strip()[:200])
    if token is None or not token.alive(utc_now()):
        raise LookupError("token")
    return token.subject()
