"""The second factor: codes of an authenticator (RFC 6238, SHA-1, 6 digits, 30 s, as all of them have it) and recovery codes.

All SQL of ``recovery_codes``; the sealed secret is in ``users`` (``office.identity.users``).
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from typing import Final

import pyotp

from runtime.connection import Connection

STEP_S: Final = 30
#: Clocks may differ by so many steps.
DRIFT: Final = 1
RECOVERY_CODES: Final = 10
_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # 32 characters that are told apart on paper


def new_secret() -> str:
    """160 random bits, base32."""
    return pyotp.random_base32(32)


def enrolment_uri(secret: str, login: str) -> str:
    """What an authenticator reads from a picture (otpauth://)."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name="gongche")


def matching_step(secret: str, code: str, now_s: float, last_step: int | None) -> int | None:
    """The step of ``code``, if it is that of now, or one step beside, and later than ``last_step``: a code counts once.
    None = it is not right, or was used."""
    digits = unicodedata.normalize("NFKC", code).replace(" ", "")
    if len(digits) != 6 or not digits.isascii() or not digits.isdecimal():
        return None
    totp, present = pyotp.TOTP(secret, interval=STEP_S), int(now_s) // STEP_S
    found = None
    for step in range(present - DRIFT, present + DRIFT + 1):
        # All steps are compared, whichever fits.
        if secrets.compare_digest(totp.generate_otp(step), digits) and (
            last_step is None or step > last_step
        ):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Codes of 80 random bits, each for one use: XXXX-XXXX-XXXX-XXXX."""
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
        for _ in range(RECOVERY_CODES)
    ]


def recovery_digest(code: str) -> bytes | None:
    """What is stored of a recovery code, however it was typed; None = it cannot be one."""
    plain = unicodedata.normalize("NFKC", code[:64]).upper().replace("-", "").replace(" ", "")
    if len(plain) != 16 or any(c not in _ALPHABET for c in plain):
        return None
    return hashlib.sha256(plain.encode()).digest()


async def store_recovery_codes(connection: Connection, user: str, codes: list[str]) -> None:
    """These codes, and none of before. In a transaction."""
    await drop_recovery_codes(connection, user)
    await connection.executemany(
        "INSERT INTO recovery_codes (user_id, sha256) VALUES ($1, $2)",
        [(user, recovery_digest(code)) for code in codes],
    )


async def drop_recovery_codes(connection: Connection, user: str) -> None:
    """No recovery code is valid any more."""
    await connection.execute("DELETE FROM recovery_codes WHERE user_id = $1", user)


async def use_recovery_code(connection: Connection, user: str, code: str) -> bool:
    """Use a code up; False = it is none of the user's, or was used. Of two that come with the same code at once one wins."""
    wanted = recovery_digest(code)
    if wanted is None:
        return False
    done = await connection.execute(
        "UPDATE recovery_codes SET used_at = clock_timestamp() WHERE user_id = $1 AND sha256 = $2 AND used_at IS NULL",
        user,
        wanted,
    )
    return done == "UPDATE 1"


async def count_recovery_codes(connection: Connection, user: str) -> int:
    """How many are left."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL", user
        )
    )
