"""The first administrator: made once, when there is none, with a one-time password that is shown once."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gongche.progress import is_terminal
from office.identity import users
from office.identity.passwords import PasswordWork, one_time_password
from runtime import database_says
from runtime.postgres import DATABASE_ERRORS, is_read_only
from runtime.settings import Settings

LOGIN: Final = "admin"
FILE: Final = "first-administrator.txt"

_logger = logging.getLogger(__name__)


async def make_first_administrator(
    connection: Any, settings: Settings, say: Callable[[str], None] | None = None
) -> None:
    """Make the user ``admin``, an administrator everywhere, when there is no administrator. The password goes to ``say``, or
    to stderr when it is a terminal, else into a private file of the data folder that the log names: never into a log.

    A database that takes no writes now has no first administrator yet; the next start makes it. Raises DATABASE_ERRORS.
    """
    if await users.has_administrator(connection):
        return
    if await is_read_only(connection):
        _logger.warning("no administrator yet, and %s; the next start makes one", database_says.READ_ONLY)
        return
    password = one_time_password()
    hashed = await PasswordWork(settings).hash(password)
    if say is None and is_terminal(sys.stderr):
        say = _to_terminal
    path, written = settings.data_dir / FILE, False
    try:
        async with connection.transaction():
            login = await _free_login(connection)
            if not await users.first_administrator(connection, login, hashed, datetime.now(UTC)):
                return
            if say is None:  # written before it counts: nobody has a password that was never shown
                write_private(path, f"{login}\n{password}\n")
                written = True
    except NotWrittenError as error:
        _logger.warning(
            "no administrator yet, and %s: make one by `gongche user create` and `gongche user grant`", error
        )
        return
    except DATABASE_ERRORS:
        if written:  # not stored: the file would say what is not so
            path.unlink(missing_ok=True)
        raise
    if say is None:
        _logger.warning(
            "first administrator: user %s, one-time password in %s; sign in, change it, delete the file",
            login,
            path,
        )
        return
    say(f"首个管理员 / first administrator: {login}")
    say(
        f"一次性密码，只显示一次，7 天内登录并修改 / one-time password, shown once, to be changed within 7 days: {password}"
    )


async def _free_login(connection: Any) -> str:
    """``admin``, or ``admin2``... where somebody has that name without being an administrator."""
    taken = {row["id"] for row in await connection.fetch("SELECT id FROM users WHERE id ~ '^admin[0-9]*$'")}
    return next(
        name for name in (LOGIN, *(f"{LOGIN}{k}" for k in range(2, len(taken) + 3))) if name not in taken
    )


def _to_terminal(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class NotWrittenError(Exception):
    """The file with the password cannot be written."""


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read, anew. Raises NotWrittenError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)  # a link that somebody put there is not followed
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise NotWrittenError(f"{path} cannot be written: {error.strerror or error}") from error
