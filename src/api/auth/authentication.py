"""``authenticate``: from what a request brings with it to the subject. The only place that knows how somebody comes in.

Three ways: a token (``gc_...``), the access token of an OAuth2 client (``gca_...``), both in the Authorization header, and the
session cookie of a person. Each is looked up in the database at every request, by the hash of its secret: one query by a unique
index (docs/decisions/0019-sessions-on-the-server.md says what it costs). So whatever is revoked, changed or taken away is so at
once, in every process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import Request

from api.auth.cookies import refuse_forged, session_secret
from api.errors import Problem
from api.http import utc_now
from office.identity import sessions
from office.identity.clients import TOKEN_PREFIX
from office.identity.clients import find_token as find_client_token
from office.identity.login import Desk
from office.identity.sessions import Session
from office.identity.subject import Subject
from office.identity.tokens import find_token, note_used
from runtime.connection import Connection
from runtime.postgres import DATABASE_ERRORS, only_read, renew_read_only

#: Sent with what a page asks by itself while nobody is at the desk.
BACKGROUND: Final = "x-background"
#: The note of what was used takes no longer than this, and is dropped then.
_NOTE_S: Final = 2.0
#: A token, or a session, is noted again after so long.
_NOTED_EVERY_S: Final = 60.0
_MOST_REMEMBERED: Final = 10_000

_logger = logging.getLogger(__name__)

Note = Callable[[Connection, list[str]], Awaitable[None]]


class UseNotes:
    """When tokens and sessions were used, noted beside the requests: none of them waits for it, and none fails when the
    database takes no writes. A note that cannot be written is dropped."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._waiting: set[tuple[Note, str]] = set()
        self._noted: dict[tuple[Note, str], float] = {}  # when, by the loop's clock
        self._task: asyncio.Task[None] | None = None

    def used(self, note: Note, id: str) -> None:
        """``id`` was used just now; ``note`` writes it down, about once a minute."""
        now = asyncio.get_running_loop().time()
        if now - self._noted.get((note, id), -_NOTED_EVERY_S) < _NOTED_EVERY_S:
            return
        if len(self._noted) >= _MOST_REMEMBERED:
            self._noted.clear()
        self._noted[note, id] = now
        self._waiting.add((note, id))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write(), name="what was used")

    async def _write(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, set()
            try:
                async with asyncio.timeout(_NOTE_S), self._pool.acquire() as connection:
                    for note in {note for note, _ in waiting}:
                        await note(connection, sorted(id for of, id in waiting if of is note))
            except DATABASE_ERRORS as error:
                _logger.info("what was used when is not noted: %s", error or type(error).__name__)
                await renew_read_only(self._pool, error)


async def authenticate(request: Request, *, counts_as_use: bool = True) -> Subject | None:
    """Who asks; None = the request brings nothing with it. ``counts_as_use``: see ``session_of``. Raises LookupError for a token that is unknown, ended or revoked,
    and Problem for a session: 401 when it has ended, 403 when the request is forged or the password must be changed first."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and secret.strip():
        return await _by_token(request, secret.strip()[:200])
    session = await session_of(request, counts_as_use=counts_as_use)
    if session is None:
        return None
    if session.must_change_password:
        raise Problem(
            403, "password-must-be-changed", "请先修改一次性密码：POST /v1/session/password"
            " · change the one-time password first: POST /v1/session/password",
        )  # fmt: skip
    return session.subject


async def _by_token(request: Request, secret: str) -> Subject:
    state = request.app.state
    async with state.pool.acquire(timeout=5) as connection:
        if secret.startswith(TOKEN_PREFIX):
            client = await find_client_token(connection, secret)
            only_read(connection)
            if client is None:
                raise LookupError("access token")
            return client
        token = await find_token(connection, secret)
        only_read(connection)
    if token is None or not token.alive(utc_now()):
        raise LookupError("token")
    state.use_notes.used(note_used, token.id)
    return token.subject()


async def session_of(request: Request, *, counts_as_use: bool = True) -> Session | None:
    """The session of the cookie, also of somebody who must change his password; None = there is no cookie. Without
    ``counts_as_use``, or with the header ``X-Background``, the session goes on being idle: the program looks again by itself (a
    stream, a list that is renewed while nobody is at the desk). Raises Problem
    401 when it has ended, 403 for a request that another site sends or that lacks the session's token."""
    secret = session_secret(request)
    if secret is None:
        return None
    desk: Desk = request.app.state.desk
    async with request.app.state.pool.acquire(timeout=5) as connection:
        session = await sessions.find(connection, secret, desk.idle)
        only_read(connection)
    if session is None:
        raise Problem(
            401,
            "session-ended",
            "会话已结束，请重新登录 · the session has ended, sign in again",
            headers={"WWW-Authenticate": 'Session realm="gongche"'},
        )
    refuse_forged(request, secret)
    if counts_as_use and session.to_note and BACKGROUND not in request.headers:
        request.app.state.use_notes.used(sessions.note_used, session.id)
    return session
