"""Signing in, and what a person changes of his own account. No connection to the database is held while a password is hashed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from prometheus_client import Counter

from office.identity import lockout, passwords, sessions, totp, users
from office.identity.audit import act
from office.identity.errors import (
    BadLoginError,
    CodeNeededError,
    NotAllowedError,
    PasswordEndedError,
    TooBusyError,
)
from office.identity.keys import Sealer
from office.identity.names import login_name
from office.identity.secrets import NewSecret
from office.identity.sessions import Session, Visit
from registry.refusals import Flaw, RefusedError
from runtime.connection import Connection
from runtime.settings import Settings

#: Logins that are being counted at a time, and that may wait for it.
AT_THE_DOOR, BEFORE_THE_DOOR = 3, 100

LOGINS: Final = Counter("gongche_logins_total", "People who came in, or did not", ["outcome"])
for _outcome in ("in", "failed", "code needed", "code failed", "oidc", "oidc refused"):
    LOGINS.labels(_outcome)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A second factor to be confirmed; shown once."""

    secret: str
    uri: str

    def __repr__(self) -> str:
        return "Enrolment()"


class Desk:
    """What signing in needs: the pool, the passwords' threads, the key of the second factors."""

    def __init__(self, pool: Any, settings: Settings) -> None:
        self._pool = pool
        self.passwords = passwords.PasswordWork(settings)
        self.sealer = Sealer(settings)
        self.life = timedelta(hours=settings.session_hours)
        self.idle = timedelta(minutes=settings.session_idle_minutes)
        self._door = asyncio.Semaphore(AT_THE_DOOR)
        self._before_it = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection of the pool."""
        async with self._pool.acquire(timeout=5) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """The same, in a transaction. What it writes is noted in the audit."""
        async with self.connection() as connection, connection.transaction():
            await act(connection)
            yield connection

    async def sign_in(
        self, login: str, password: str, code: str | None, visit: Visit, replaces: str | None
    ) -> NewSecret:
        """A session for who knows the password, and the code where there is a second factor. ``replaces``: the secret of a
        session of before in the same browser, which ends.

        Raises BadLoginError, CodeNeededError, PasswordEndedError, LockedError, TooBusyError.
        """
        name = login_name(login)
        async with self._through_the_door(), self.connection() as connection:
            at_home = name is not None and await sessions.was_here(connection, name, visit.address)
            keys = lockout.keys_of(name or login[:200], visit.address, at_home=at_home)
            await lockout.charge(connection, keys)
            found = await users.secrets_of(connection, name) if name is not None else None
        known = found.password_hash if found is not None and not found.disabled else None
        if not await self.passwords.matches(known, password) or found is None or known is None:
            LOGINS.labels("failed").inc()
            raise BadLoginError
        renewed = await self.passwords.hash(password) if self.passwords.outdated(known) else None
        async with self.transaction() as connection:
            now = await users.secrets_of(connection, found.id, lock=True)
            if now is None or now.disabled or now.password_hash != known:
                raise BadLoginError  # changed while the password was looked at
            if now.password_ended:
                raise PasswordEndedError
            if not now.totp_confirmed:
                made = await sessions.begin(connection, found.id, "password", visit, self.life)
            elif code is None:
                await lockout.take_back(connection, keys)
                made = None
            elif not await self._right_code(connection, now, code):
                LOGINS.labels("code failed").inc()
                raise BadLoginError
            else:
                made = await sessions.begin(connection, found.id, "password+code", visit, self.life)
            if made is not None:
                await lockout.forgive(connection, keys)
                if replaces is not None:
                    await sessions.end_secret(connection, replaces, "signed in again")
                if renewed is not None:
                    await users.renew_hash(connection, found.id, known, renewed)
        if made is None:
            LOGINS.labels("code needed").inc()
            raise CodeNeededError
        LOGINS.labels("in").inc()
        return made

    @asynccontextmanager
    async def _through_the_door(self) -> AsyncIterator[None]:
        """Tries from one address wait for each other in the database: few do so at a time, so that connections are left for
        other requests. Raises TooBusyError when too many wait."""
        if self._before_it >= BEFORE_THE_DOOR:
            raise TooBusyError
        self._before_it += 1
        try:
            async with self._door:
                yield
        finally:
            self._before_it -= 1

    async def _right_code(self, connection: Connection, user: users.Secrets, code: str) -> bool:
        """Whether ``code`` is right; then it is used up."""
        if user.totp_sealed is None:
            return False
        step = totp.matching_step(
            self.sealer.open(bytes(user.totp_sealed), user.id), code, time.time(), user.totp_step
        )
        if step is not None:
            return await users.use_step(connection, user.id, step)
        return await totp.use_recovery_code(connection, user.id, code)

    async def change_password(self, session: Session, old: str, new: str, visit: Visit) -> NewSecret:
        """Another password. Every session of the user ends, and this browser gets a new one.

        Raises RefusedError for a password that is not accepted, BadLoginError for the wrong old one, LockedError."""
        user = session.subject.id
        if (flaw := passwords.flaw(new, user)) is not None:
            raise RefusedError([Flaw(("new_password",), flaw)])
        if passwords.normal(old) == passwords.normal(new):
            raise RefusedError(
                [Flaw(("new_password",), "新密码与旧密码相同 · the new password is the old one")]
            )
        known = await self.confirm_password(user, old, visit)
        made_hash = await self.passwords.hash(new)
        async with self.transaction() as connection:
            now = await users.secrets_of(connection, user, lock=True)
            if now is None or now.disabled or now.password_hash != known:
                raise BadLoginError
            await users.set_password(connection, user, made_hash)
            await sessions.end_all(connection, user, "password changed")
            return await sessions.begin(connection, user, session.method, visit, self.life)

    async def confirm_password(self, user: str, password: str, visit: Visit) -> str | None:
        """The stored hash, for who is signed in and knows the password as well; guesses are counted as at the door.

        Raises BadLoginError, LockedError, TooBusyError."""
        keys = lockout.keys_of(user, visit.address, at_home=True)
        async with self.connection() as connection:
            await lockout.charge(connection, keys)
            found = await users.secrets_of(connection, user)
        known = None if found is None else found.password_hash
        if not await self.passwords.matches(known, password):
            raise BadLoginError
        async with self.connection() as connection:
            await lockout.forgive(connection, keys)
        return known

    async def enrol(self, session: Session, password: str, visit: Visit) -> Enrolment:
        """A secret for an authenticator, which counts when a code of it was given (``confirm``).

        Raises NotAllowedError when there is a second factor already, BadLoginError, LockedError, ConfigurationError."""
        user = session.subject.id
        await self.confirm_password(user, password, visit)
        secret = totp.new_secret()
        sealed = self.sealer.seal(secret, user)
        async with self.connection() as connection:
            if not await users.offer_totp(connection, user, sealed):
                raise NotAllowedError(
                    "已启用动态验证码，请先关闭 · there is a second factor already; switch it off first"
                )
        return Enrolment(secret, totp.enrolment_uri(secret, user))

    async def confirm(self, session: Session, code: str, visit: Visit) -> list[str]:
        """The second factor counts from now on; its recovery codes, shown once. Other sessions end.

        Raises BadLoginError, LockedError, NotAllowedError when nothing was begun."""
        user = session.subject.id
        async with self._counted(user, visit) as connection:
            now = await users.secrets_of(connection, user, lock=True)
            if now is None or now.totp_sealed is None or now.totp_confirmed:
                raise NotAllowedError("没有待确认的动态验证码 · there is no second factor to confirm")
            step = totp.matching_step(self.sealer.open(bytes(now.totp_sealed), user), code, time.time(), None)
            if step is None:
                raise BadLoginError
            await users.confirm_totp(connection, user, step)
            codes = totp.new_recovery_codes()
            await totp.store_recovery_codes(connection, user, codes)
            await sessions.end_all(connection, user, "second factor", besides=session.id)
            return codes

    async def renew_recovery_codes(self, session: Session, code: str, visit: Visit) -> list[str]:
        """Other recovery codes, for a code of the authenticator; the old ones are void."""
        user = session.subject.id
        async with self._counted(user, visit) as connection:
            await self._check_code(connection, user, code)
            codes = totp.new_recovery_codes()
            await totp.store_recovery_codes(connection, user, codes)
            return codes

    async def switch_off(self, session: Session, password: str, code: str, visit: Visit) -> None:
        """No second factor any more; needs password and code. Other sessions end."""
        user = session.subject.id
        await self.confirm_password(user, password, visit)
        async with self._counted(user, visit) as connection:
            await self._check_code(connection, user, code)
            await users.forget_totp(connection, user)
            await sessions.end_all(connection, user, "second factor off", besides=session.id)

    async def _check_code(self, connection: Connection, user: str, code: str) -> None:
        now = await users.secrets_of(connection, user, lock=True)
        if now is None or not now.totp_confirmed:
            raise NotAllowedError("没有启用动态验证码 · there is no second factor")
        if not await self._right_code(connection, now, code):
            raise BadLoginError

    @asynccontextmanager
    async def _counted(self, user: str, visit: Visit) -> AsyncIterator[Connection]:
        """A transaction in which a code is tried; a wrong one counts as a failure."""
        keys = lockout.keys_of(user, visit.address, at_home=True)
        async with self.connection() as connection:
            await lockout.charge(connection, keys)
            async with connection.transaction():
                yield connection
                await lockout.forgive(connection, keys)
