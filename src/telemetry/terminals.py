"""The directory of terminals: which phone is whose, and the authentication codes.

A copy of the table ``terminals`` in memory answers every terminal that connects, so the gateway goes on
while the database is down. Codes are 128 random bits, known only to the terminal: the table and the copy
hold their SHA-256 (no salt or stretching: there is nothing to guess in 128 random bits).

A terminal that registers again gets a new code. Its old one stays valid until the new one is first used:
neither a terminal that lost its code nor one that never got the reply is locked out. All SQL of
``terminals`` that telemetry needs is here.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from telemetry.errors import UnavailableError
from telemetry.jt808.messages import Registration
from telemetry.jt808.replies import RegistrationResult

#: Strangers are admitted (``auto_register``) only while fewer terminals than this are known.
MAX_AUTO_TERMINALS = 200_000
#: A transaction that committed late carries an earlier ``updated_at``: each refresh looks back so far.
_OVERLAP = timedelta(minutes=10)
_TIMEOUT_S = 5.0
_LOAD_TIMEOUT_S = 60.0

_NO_CODE = bytes(32)  # no known input has this SHA-256
_COLUMNS = "no, phone, enabled, code_sha256, previous_sha256, updated_at"


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal as the directory knows it. ``phone`` without leading zeros; ``code_sha256`` None = never
    registered; ``previous_sha256``: an older code, valid until the newer one is used."""

    no: int
    phone: str
    enabled: bool
    code_sha256: bytes | None
    previous_sha256: bytes | None
    updated_at: datetime


class TerminalDirectory:
    """See the module. ``auto_register``: admit terminals that the registry does not know (demos)."""

    def __init__(self, pool: asyncpg.Pool, auto_register: bool) -> None:
        self._pool = pool
        self._auto_register = auto_register
        self._by_phone: dict[str, Terminal] = {}
        self._by_no: dict[int, Terminal] = {}
        self._newest = datetime.fromtimestamp(0, UTC)  # latest updated_at seen
        # Newest codes that have been used while an older one was still valid, not yet written: phone ->
        # SHA-256.
        self._used: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._by_phone)

    # --- from memory ------------------------------------------------------------------------------

    def find(self, phone: str) -> Terminal | None:
        """The terminal with that phone, with or without its leading zeros."""
        return self._by_phone.get(_plain(phone))

    def is_enabled(self, no: int) -> bool:
        """Whether the terminal with that registry number is known and enabled."""
        terminal = self._by_no.get(no)
        return terminal is not None and terminal.enabled

    def verify(self, phone: str, code: bytes) -> Terminal | None:
        """The terminal, if it is enabled and ``code`` (as sent) is its code; else None.

        Takes the same work for an unknown phone as for a wrong code.
        """
        digest = hashlib.sha256(code).digest()
        terminal = self.find(phone)
        newest = (terminal.code_sha256 if terminal else None) or _NO_CODE
        previous = (terminal.previous_sha256 if terminal else None) or _NO_CODE
        is_newest = hmac.compare_digest(digest, newest)
        is_previous = hmac.compare_digest(digest, previous)
        if terminal is None or not terminal.enabled or not (is_newest or is_previous):
            return None
        if is_newest and terminal.previous_sha256 is not None:
            self._used[terminal.phone] = newest
            terminal = replace(terminal, previous_sha256=None)
            self._by_phone[terminal.phone] = self._by_no[terminal.no] = terminal
        return terminal

    # --- with the database ------------------------------------------------------------------------

    async def load(self) -> None:
        """Read all terminals. Raises UnavailableError."""
        async with self._connection(_LOAD_TIMEOUT_S) as connection:
            rows = await connection.fetch(f"SELECT {_COLUMNS} FROM terminals")  # noqa: S608 - a constant
        for row in rows:
            self._keep(row)

    async def refresh(self) -> None:
        """Read what has changed since, and write down which new codes have been used.

        Raises UnavailableError; what is in memory stays as it is then.
        """
        async with self._connection() as connection:
            await self._write_used(connection)
            rows = await connection.fetch(
                f"SELECT {_COLUMNS} FROM terminals WHERE updated_at >= $1",  # noqa: S608 - a constant
                self._newest - _OVERLAP,
            )
        for row in rows:
            self._keep(row)

    async def register(
        self, phone: str, registration: Registration
    ) -> tuple[RegistrationResult, str | None, Terminal | None]:
        """Register the terminal with ``phone`` and issue a code for it.

        Returns (result, code, terminal): the result of 0x8100, and on success the code in clear, which is
        kept nowhere. Known terminals only, unless ``auto_register``; a disabled one is as unknown. What
        the registry says about manufacturer, model and device stands; the terminal fills in what it
        leaves empty. Raises UnavailableError: then send no reply, and the terminal asks again.
        """
        phone = _plain(phone)
        code = secrets.token_hex(16)
        digest = hashlib.sha256(code.encode("ascii")).digest()
        async with self._connection() as connection, connection.transaction():
            if self._auto_register and phone not in self._by_phone and len(self) < MAX_AUTO_TERMINALS:
                await connection.execute(
                    "INSERT INTO terminals (phone, source) VALUES ($1, 'auto') ON CONFLICT (phone) DO NOTHING",
                    phone,
                )
            # previous_sha256 keeps the last code that is known to have been used, or the first one issued.
            row = await connection.fetchrow(
                "UPDATE terminals SET code_sha256 = $2,"  # noqa: S608 - a constant
                " previous_sha256 = CASE WHEN code_sha256 = $3 THEN code_sha256"
                " ELSE COALESCE(previous_sha256, code_sha256) END,"
                " manufacturer = COALESCE(NULLIF(manufacturer, ''), $4), model = COALESCE(NULLIF(model, ''), $5),"
                " device_id = COALESCE(NULLIF(device_id, ''), $6), plate = $7,"
                " registered_at = clock_timestamp(), updated_at = clock_timestamp()"
                f" WHERE phone = $1 AND enabled RETURNING {_COLUMNS}",
                phone, digest, self._used.get(phone), registration.manufacturer, registration.model,
                registration.device_id, registration.plate,
            )  # fmt: skip
        if row is None:
            return RegistrationResult.NO_SUCH_TERMINAL, None, None
        return RegistrationResult.OK, code, self._keep(row)

    async def _write_used(self, connection: Any) -> None:
        used = dict(self._used)
        if not used:
            return
        await connection.execute(
            "UPDATE terminals t SET previous_sha256 = NULL, updated_at = clock_timestamp()"
            " FROM unnest($1::text[], $2::bytea[]) AS used (phone, code)"
            " WHERE t.phone = used.phone AND t.code_sha256 = used.code AND t.previous_sha256 IS NOT NULL",
            list(used), list(used.values()),
        )  # fmt: skip
        for phone, code in used.items():
            if self._used.get(phone) == code:
                del self._used[phone]

    def _keep(self, row: Any) -> Terminal:
        """Put a row into memory, unless memory is newer; returns what memory holds then."""
        terminal = Terminal(**dict(row))
        held = self._by_no.get(terminal.no)
        if held is not None and held.updated_at > terminal.updated_at:
            return held
        if terminal.code_sha256 is not None and self._used.get(terminal.phone) == terminal.code_sha256:
            terminal = replace(terminal, previous_sha256=None)  # used already, only not written yet
        self._by_phone[terminal.phone] = self._by_no[terminal.no] = terminal
        self._newest = max(self._newest, terminal.updated_at)
        return terminal

    @asynccontextmanager
    async def _connection(self, timeout_s: float = _TIMEOUT_S) -> AsyncIterator[Any]:
        """A connection for at most ``timeout_s``; whatever the database fails with is an UnavailableError."""
        try:
            async with asyncio.timeout(timeout_s), self._pool.acquire() as connection:
                yield connection
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise UnavailableError(
                f"the terminal registry does not answer: {error or type(error).__name__}",
                hint="is PostgreSQL running?",
            ) from error


def _plain(phone: str) -> str:
    return phone.lstrip("0") or "0"
