"""Passwords: which are accepted, and argon2id, whose memory and time are bounded for the whole process."""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from prometheus_client import Counter, Gauge

from office.identity.errors import TooBusyError
from runtime.settings import Settings

MIN_CHARS: Final = 10
MAX_CHARS: Final = 256
#: For each password that is checked so many may wait; the next one is told to come back.
WAITING_EACH: Final = 16
#: The commonest passwords of at least MIN_CHARS characters (shorter ones are refused anyway), and the names of this program.
COMMON: Final = frozenset(
    """1234567890 0123456789 0987654321 1234567891 12345678910 123456789a a123456789 aa123456789 q123456789 123456789q
    123456789abc abc123456789 abcd1234567 1q2w3e4r5t 1q2w3e4r5t6y qwertyuiop qwerty12345 qwertyuiop123 1qaz2wsx3edc
    1qaz2wsx3edc4rfv qazwsxedcrfv zaq12wsxcde3 asdfghjkl123 zxcvbnm123456 asdfghjklzxcvbnm password12 password123 password1234
    password12345 passw0rd123 p@ssw0rd123 p@ssword123 passwordpassword admin12345 admin123456 admin1234567 administrator
    administrator1 adminadmin root123456 welcome123 welcome1234 changeme123 changeme1234 letmein1234 iloveyou123 woaini1314
    woaini520520 woaini1314520 5201314520 5201314521 1314520520 li1234567890 wang123456 zhang123456 1111111111 0000000000
    8888888888 6666666666 9999999999 1122334455 1123581321 1212121212 1231231231 123123123123 147258369a 1472583690
    147258369147 741852963a 7894561230 9876543210 112233445566 superman123 football123 baseball123 sunshine123 dragon12345
    monkey12345 princess123 michael123 test123456 test1234567 user123456 user1234567 guest123456 temp123456 china12345
    china123456 beijing2008 nantong2026 nantong123 jiangsu123 gongche123 gongche1234 gongche12345 gongche2026 gongche123456
    gongwuyongche gongwuche123""".split()  # noqa: SIM905 - a list of a hundred
)
#: No 0 and O, 1 and l: a one-time password is read from a screen or a sheet of paper.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"

CHECKS: Final = Counter("gongche_password_checks_total", "Passwords hashed or compared (argon2id)")
REFUSED: Final = Counter("gongche_password_checks_refused_total", "Not done, for too many were waiting (503)")
WAITING: Final = Gauge("gongche_password_checks_waiting", "Passwords being checked, or waiting for it")

_T = TypeVar("_T")


def normal(password: str) -> str:
    """The password in the form that is hashed (NFKC, as NIST SP 800-63B says)."""
    return unicodedata.normalize("NFKC", password)


def flaw(password: str, login: str) -> str | None:
    """Why ``password`` is not accepted for the user ``login``; None = it is. Length and what is easily guessed count, not
    what kinds of characters there are (NIST SP 800-63B)."""
    if len(password) > MAX_CHARS or len(text := normal(password)) > MAX_CHARS:
        return f"密码至多 {MAX_CHARS} 个字符 · a password has at most {MAX_CHARS} characters"
    if len(text) < MIN_CHARS:
        return f"密码至少 {MIN_CHARS} 个字符，可用一句话 · a password has at least {MIN_CHARS} characters; take a sentence"
    if any(unicodedata.category(c) in ("Cc", "Cs", "Cn") for c in text):
        return "密码含有控制字符 · a password has no control characters"
    plain = text.casefold()
    if len(login) >= 4 and (login in plain or login[::-1] in plain) and len(plain) < len(login) + 8:
        return "密码不能由登录名改成 · the password is made from the login name"
    if plain in COMMON or len(set(plain)) < 4 or re.fullmatch(r"(.{1,4})\1+.{0,3}", plain):
        return "这个密码太常见，请另选 · this password is one of the commonest, take another one"
    if _is_a_run(plain):
        return "密码不能是连续的字符 · the password is a run of characters"
    return None


def _is_a_run(text: str) -> bool:
    steps = {ord(b) - ord(a) for a, b in pairwise(text)}
    return len(steps) == 1


def one_time_password() -> str:
    """A random password for one use: 20 characters, 99 bits, in groups."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


class PasswordWork:
    """argon2id, off the event loop: at most ``password_checks_at_once`` at a time, a bounded number waits, the next raise
    TooBusyError. One user's mistakes cannot fill the memory, nor hold up requests that check no password."""

    def __init__(self, settings: Settings) -> None:
        at_once = settings.password_checks_at_once
        self._hasher = PasswordHasher(
            time_cost=settings.password_rounds, memory_cost=settings.password_memory_mib * 1024, parallelism=1
        )
        self._threads = ThreadPoolExecutor(at_once, "password")  # its threads start when they are needed
        self._room = at_once * (1 + WAITING_EACH)
        self._waiting = 0
        # Of the same cost as a real one, and no password fits it: made of random bytes, not by hashing.
        p = self._hasher
        salt, digest = (_base64(secrets.token_bytes(n)) for n in (p.salt_len, p.hash_len))
        self._nobody = f"$argon2id$v=19$m={p.memory_cost},t={p.time_cost},p=1${salt}${digest}"

    async def hash(self, password: str) -> str:
        """The hash to store, with a salt of its own. Raises TooBusyError."""
        return await self._do(lambda: self._hasher.hash(normal(password)))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Whether ``password`` is the one of the hash ``stored``; for None (no such user) the same work is done, and it is
        False. Raises TooBusyError."""
        known = stored or self._nobody
        text = normal(password[:MAX_CHARS])

        def check() -> bool:
            try:
                return self._hasher.verify(known, text)
            except (VerificationError, InvalidHashError, UnicodeEncodeError):
                return False

        return await self._do(check) and stored is not None and len(password) <= MAX_CHARS

    def outdated(self, stored: str) -> bool:
        """Whether ``stored`` was made with other parameters than those of the settings."""
        return self._hasher.check_needs_rehash(stored)

    async def _do(self, work: Callable[[], _T]) -> _T:
        if self._waiting >= self._room:
            REFUSED.inc()
            raise TooBusyError
        self._waiting += 1
        WAITING.inc()
        # The thread goes on when the request is cancelled: its place is free when the work has ended.
        job = asyncio.get_running_loop().run_in_executor(self._threads, work)
        job.add_done_callback(self._ended)
        return await asyncio.shield(job)

    def _ended(self, job: asyncio.Future[_T]) -> None:
        self._waiting -= 1
        WAITING.dec()
        CHECKS.inc()
        if not job.cancelled():
            job.exception()  # looked at, also when nobody waits for it any more


def _base64(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()
