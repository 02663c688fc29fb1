"""``require(scope, ...)``: the dependency that lets a request in, before a byte of its body is read."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.auth.tokens import SCOPES, Token, find_token, note_used
from api.errors import Problem
from api.http import utc_now
from runtime.postgres import DATABASE_ERRORS, renew_read_only

#: How long a token row is believed; a revocation takes effect within it.
CACHE_S: Final = 5.0
_CACHE_SIZE: Final = 1_000
#: The note of when tokens were used takes no longer than this, and is dropped then.
_NOTE_S: Final = 2.0

_logger = logging.getLogger(__name__)

_scheme = HTTPBearer(auto_error=False, description="`gongche token create`")
# Only there so that the documentation knows of the header; ``authorise`` reads it itself.
Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]


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


async def authorise(request: Request, *scopes: str) -> Token:
    """The token of the request. Raises Problem 401 (none, unknown, ended) or 403 (has none of ``scopes``)."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise _unknown("缺少令牌 · send Authorization: Bearer <token>", "")
    token = await request.app.state.tokens.find(secret.strip()[:200])
    if token is None or not token.alive(utc_now()):
        detail = "令牌无效、已过期或已吊销 · the token is unknown, has expired or was revoked"
        raise _unknown(detail, ', error="invalid_token"')
    if token.scopes.isdisjoint(scopes):
        needed = " / ".join(scopes)
        raise Problem(
            403,
            "missing-scope",
            f"令牌缺少权限 {needed} · the token lacks the scope {needed}",
            headers={
                "WWW-Authenticate": f'Bearer realm="gongche", error="insufficient_scope", scope="{" ".join(scopes)}"'
            },
        )
    return token  # type: ignore[no-any-return]  # app.state is untyped


def _unknown(detail: str, more: str) -> Problem:
    return Problem(
        401, "not-authenticated", detail, headers={"WWW-Authenticate": f'Bearer realm="gongche"{more}'}
    )


def require(*scopes: str) -> Any:
    """A dependency: only tokens with one of ``scopes`` come in. Raises KeyError for a scope that does not
    exist."""
    for scope in scopes:
        if scope not in SCOPES:
            raise KeyError(scope)

    async def check(request: Request, _shown: Shown) -> Token:
        return await authorise(request, *scopes)

    return Depends(check)
