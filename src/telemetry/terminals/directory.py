"""The directory of terminals: which phone is whose, and the authentication codes.

A copy of the table ``terminals`` in memory answers every terminal that connects, so the gateway goes on
while the database is down. Codes are 128 random bits, known only to the terminal: the table and the copy
hold their SHA-256 (no salt or stretching: there is nothing to guess in 128 random bits).

What follows the table reads only rows that other transactions have changed since it looked last: after an import of
15,000 terminals the rest of them would else be read every two seconds.

A terminal that registers again gets a new code. Its old one stays valid until the new one is first used:
neither a terminal that lost its code nor one that never got the reply is locked out. Which device may have a code
is decided in ``trust``. All other SQL of ``terminals`` that telemetry needs is here.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from runtime.connection import Connection
from runtime.database_says import hint, takes_no_writes
from runtime.errors import UnavailableError
from runtime.postgres import DATABASE_ERRORS, renew_read_only
from telemetry.jt808.scalar.messages import Registration
from telemetry.jt808.scalar.replies import RegistrationResult
from telemetry.terminals import trust
from telemetry.terminals.devices import Device, Reports
from telemetry.terminals.phones import stored_phone

#: Strangers are admitted (``auto_register``) only while fewer terminals than this are known.
MAX_AUTO_TERMINALS = 200_000
#: A transaction that committed late carries an earlier ``updated_at``: each refresh looks back so far, for rows whose
#: transaction had not committed when it looked before.
_OVERLAP = timedelta(minutes=10)
#: Transaction numbers are compared within half of their 32 bits: beyond this everything is read again.
_MOST_TRANSACTIONS = 1 << 30
#: Registrations of one transaction.
_TOGETHER = 500
_TIMEOUT_S = 5.0
_LOAD_TIMEOUT_S = 60.0

#: What one registration can do to those it shares a transaction with.
_SPOILT = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.InterfaceError)

_NO_CODE = bytes(32)  # no known input has this SHA-256
_COLUMNS = (
    "no, phone, enabled, code_sha256, previous_sha256, updated_at, manufacturer, model, edition, imei, iccid, reported_imei,"
    " reported_iccid, reported_software"
)
#: What a registration leaves of the row ``t`` for what it says, ``u``: the office's word stands, else the newest counts.
_TOLD = ", ".join(
    f"{name} = CASE WHEN '{name}' = ANY (t.office_said) OR u.{name} = '' THEN t.{name} ELSE u.{name} END"
    for name in ("manufacturer", "model", "device_id")
)


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal as the directory knows it. ``phone`` without leading zeros; ``code_sha256`` None = never
    registered; ``previous_sha256``: an older code, valid until the newer one is used. ``edition``: of the protocol, by its
    registration. ``imei``, ``iccid``: those that the office named, empty = any; ``reported_*``: what the terminal said last."""

    no: int
    phone: str
    enabled: bool
    code_sha256: bytes | None
    previous_sha256: bytes | None
    updated_at: datetime
    manufacturer: str = ""
    model: str = ""
    edition: int | None = None
    imei: str = ""
    iccid: str = ""
    reported_imei: str = ""
    reported_iccid: str = ""
    reported_software: str = ""


#: What a registration is answered: the result of 0x8100, on success the code in clear, and the terminal; that is also
#: there where another device than the office's asked for it.
Registered = tuple[RegistrationResult, str | None, Terminal | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A registration that waits for its transaction. ``phone`` without leading zeros."""

    phone: str
    registration: Registration
    answer: asyncio.Future[Registered]


class TerminalDirectory:
    """See the module. ``auto_register``: admit terminals that the registry does not know (demos), while there are fewer
    than ``most``."""

    def __init__(self, pool: asyncpg.Pool, auto_register: bool, *, most: int = MAX_AUTO_TERMINALS) -> None:
        self._pool = pool
        self._auto_register = auto_register
        self._most = most
        self._by_phone: dict[str, Terminal] = {}
        self._by_no: dict[int, Terminal] = {}
        self._newest = datetime.fromtimestamp(0, UTC)  # latest updated_at seen
        self._seen_xid: int | None = None  # every transaction before this one is seen
        self._waiting: list[_Waiting] = []
        self._registering: asyncio.Task[None] | None = None
        # Newest codes that have been used while an older one was still valid, not yet written: phone ->
        # SHA-256.
        self._used: dict[str, bytes] = {}
        self._seen: set[int] = set()  # terminals that have authenticated, not yet written
        #: What terminals said of themselves, and who showed another IMEI or card than the office named: not yet written.
        self.reports = Reports()

    def __len__(self) -> int:
        return len(self._by_phone)

    # --- from memory ------------------------------------------------------------------------------

    def find(self, phone: str) -> Terminal | None:
        """The terminal with that phone, with or without its leading zeros."""
        return self._by_phone.get(stored_phone(phone))

    def is_enabled(self, no: int) -> bool:
        """Whether the terminal with that registry number is known and enabled."""
        terminal = self._by_no.get(no)
        return terminal is not None and terminal.enabled

    def terminals(self) -> list[Terminal]:
        """All that are known."""
        return list(self._by_no.values())

    def by_number(self, no: int) -> Terminal | None:
        """The terminal with that registry number."""
        return self._by_no.get(no)

    def imei_of(self, no: int) -> str:
        """The IMEI that the office named for the terminal with that registry number, "" = any."""
        terminal = self._by_no.get(no)
        return "" if terminal is None else terminal.imei

    def verify(self, phone: str, code: bytes, device: Device | None = None) -> Terminal | None:
        """The terminal, if it is enabled and ``code`` (as sent) is its code; else None. ``device``: what it says of itself. Raises
        OtherDeviceError when the code is right and the device is not the one that the office named: nothing is changed then.

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
        if device is not None:
            device.check(terminal.imei, terminal.edition)
            self.reports.logged_in(terminal, device)
        self._seen.add(terminal.no)
        if is_newest and terminal.previous_sha256 is not None:
            self._used[terminal.phone] = newest
            terminal = replace(terminal, previous_sha256=None)
            self._by_phone[terminal.phone] = self._by_no[terminal.no] = terminal
        return terminal

    # --- with the database ------------------------------------------------------------------------

    async def load(self) -> None:
        """Read all terminals. Raises UnavailableError."""
        async with self._connection(_LOAD_TIMEOUT_S) as connection:
            xid = await _oldest_running(connection)
            rows = await connection.fetch(f"SELECT {_COLUMNS} FROM terminals")  # noqa: S608 - a constant
        for row in rows:
            self._keep(row)
        self._seen_xid = xid

    async def refresh(self) -> list[int]:
        """Read what has changed since, and write down which new codes have been used. The numbers of the terminals whose
        row has changed.

        Raises UnavailableError; what is in memory stays as it is then.
        """
        async with self._connection() as connection:
            try:
                await self._write_used(connection)
                if seen_now := sorted(self._seen):
                    await trust.mark_seen(connection, seen_now)
                    self._seen.difference_update(seen_now)
                await self.reports.write(connection)
            except asyncpg.PostgresError as error:
                if takes_no_writes(error) is None:
                    raise
                # Kept for the next time. Which terminals were disabled meanwhile must be read all the same.
                await renew_read_only(self._pool, error)
            xid = await _oldest_running(connection)
            seen = self._seen_xid
            if (
                seen is None or not 0 <= xid - seen < _MOST_TRANSACTIONS
            ):  # or another database answers to the name
                rows = await connection.fetch(f"SELECT {_COLUMNS} FROM terminals")  # noqa: S608 - a constant
            else:
                # A row's xmin is the transaction that wrote it; age() counts back from the newest.
                rows = await connection.fetch(
                    f"SELECT {_COLUMNS} FROM terminals WHERE updated_at >= $1"  # noqa: S608 - a constant
                    " AND age(xmin) <= age($2::text::xid)",
                    self._newest - _OVERLAP,
                    str(seen % (1 << 32)),
                )
        for row in rows:
            self._keep(row)
        self._seen_xid = xid
        return [row["no"] for row in rows]

    async def register(self, phone: str, registration: Registration) -> Registered:
        """Register the terminal with ``phone`` and issue a code for it.

        Returns (result, code, terminal): the result of 0x8100, and on success the code in clear, which is
        kept nowhere. Known terminals only, unless ``auto_register``; a disabled one is as unknown. What
        the office said about manufacturer, model and device stands, and the device it named must be the
        one that asks (else NO_SUCH_TERMINAL), as must the first that registered (else
        TERMINAL_ALREADY_REGISTERED, see ``trust``); the rest is what the terminal says. Raises UnavailableError:
        then send no reply, and the terminal asks again.

        Those that ask while a transaction is under way share the next one (group commit).
        """
        one = _Waiting(stored_phone(phone), registration, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._registering is None or self._registering.done():
            self._registering = asyncio.create_task(self._register_waiting(), name="registrations")
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await one.answer
        except TimeoutError as error:
            raise _no_answer(error) from error

    async def _register_waiting(self) -> None:
        while self._waiting:
            group: dict[str, _Waiting] = {}
            later: list[_Waiting] = []
            for one in self._waiting:
                if one.answer.done():  # whoever asked has gone
                    continue
                # Twice the same terminal: one after the other, each with its own code.
                if one.phone in group or len(group) >= _TOGETHER:
                    later.append(one)
                else:
                    group[one.phone] = one
            self._waiting = later
            await self._register_group(list(group.values()))

    async def _register_group(self, group: list[_Waiting]) -> None:
        """Answer ``group`` (distinct phones) in one transaction, or each of them in its own when one spoils it."""
        try:
            answers = await self._register_together(group)
        except UnavailableError as error:
            if len(group) > 1 and isinstance(error.__cause__, _SPOILT):
                for one in group:
                    await self._register_group([one])
                return
            for one in group:
                if not one.answer.done():
                    one.answer.set_exception(error)
            return
        for one, answer in zip(group, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)

    async def _register_together(self, group: list[_Waiting]) -> list[Registered]:
        phones = [one.phone for one in group]
        codes = {phone: secrets.token_hex(16) for phone in phones}
        told = [one.registration for one in group]
        async with self._connection() as connection, connection.transaction():
            strangers = sorted(phone for phone in phones if phone not in self._by_phone)
            if self._auto_register and strangers and len(self) < self._most:
                await connection.execute(
                    "INSERT INTO terminals (phone, source) SELECT unnest($1::text[]), 'auto' ON CONFLICT (phone) DO NOTHING",
                    strangers[: self._most - len(self)],
                )
            # In one order, whoever writes: two gateways cannot deadlock.
            await _lock(connection, phones)
            decided = await trust.decide(connection, dict(zip(phones, told, strict=True)))
            # previous_sha256 keeps the last code that is known to have been used, or the first one issued.
            rows = await connection.fetch(
                "UPDATE terminals t SET code_sha256 = u.code,"  # noqa: S608 - a constant
                " previous_sha256 = CASE WHEN t.code_sha256 = u.used THEN t.code_sha256"
                " ELSE COALESCE(t.previous_sha256, t.code_sha256) END,"
                f" {_TOLD}, plate = CASE WHEN u.plate = '' THEN t.plate ELSE u.plate END, edition = u.edition,"
                " registered_at = clock_timestamp(), updated_at = clock_timestamp()"
                " FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $9::smallint[])"
                " AS u (of, code, used, manufacturer, model, device_id, plate, edition)"
                " WHERE t.phone = u.of AND t.enabled AND t.phone = ANY ($8::text[])"
                f" RETURNING {', '.join(f't.{c}' for c in _COLUMNS.split(', '))}",
                phones,
                [hashlib.sha256(codes[phone].encode("ascii")).digest() for phone in phones],
                [self._used.get(phone) for phone in phones],
                [one.manufacturer for one in told],
                [one.model for one in told],
                [one.device_id for one in told],
                [one.plate for one in told],
                sorted(decided.admitted),
                [int(one.version) for one in told],
            )
            named = {row["phone"] for row in rows}
            others = await connection.fetch(
                f"SELECT {_COLUMNS} FROM terminals WHERE enabled AND phone = ANY ($1::text[])",  # noqa: S608 - a constant
                [phone for phone in phones if phone not in named],
            )
        admitted = {row["phone"]: self._keep(row) for row in rows}
        refused = {row["phone"]: self._keep(row) for row in others}
        return [
            (RegistrationResult.OK, codes[phone], admitted[phone])
            if phone in admitted
            else (RegistrationResult.TERMINAL_ALREADY_REGISTERED, None, refused.get(phone))
            if phone in decided.refused
            else (RegistrationResult.NO_SUCH_TERMINAL, None, refused.get(phone))
            for phone in phones
        ]

    async def _write_used(self, connection: Connection) -> None:
        used = dict(self._used)
        if not used:
            return
        async with connection.transaction():
            await _lock(connection, used)
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
        except DATABASE_ERRORS as error:
            await renew_read_only(self._pool, error)
            raise _no_answer(error) from error


async def _lock(connection: Connection, phones: Iterable[str]) -> None:
    """Lock these terminals until the end of the transaction."""
    await connection.execute(
        "SELECT FROM terminals WHERE phone = ANY($1::text[]) ORDER BY phone FOR UPDATE", list(phones)
    )


async def _oldest_running(connection: Connection) -> int:
    """The oldest transaction that may not have committed yet, as a number of 64 bits."""
    return int(await connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text"))


def _no_answer(error: BaseException) -> UnavailableError:
    if (why := takes_no_writes(error)) is not None:
        return UnavailableError(f"the terminal registry takes no writes: {why}", hint=hint(error))
    return UnavailableError(
        f"the terminal registry does not answer: {error or type(error).__name__}",
        hint="is PostgreSQL running?",
    )
