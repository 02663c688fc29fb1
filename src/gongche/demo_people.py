"""People to try the console with: made once by ``gongche up --demo``, with random passwords that are shown once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gongche.first_administrator import write_private
from office.identity import grants, users
from office.identity.passwords import PasswordWork, one_time_password
from office.identity.subject import ROLE_NAMES, Role
from runtime.postgres import connect
from runtime.settings import Settings

FILE: Final = "demo-people.txt"
#: Login, name, role, and whether the role is held in one unit only; else everywhere.
PEOPLE: Final[tuple[tuple[str, str, Role, bool], ...]] = (
    ("inspector", "周正", Role.INSPECTOR, False),
    ("office", "李明", Role.VEHICLE_OFFICE, False),
    ("leader", "陈静", Role.OFFICE_HEAD, False),
    ("unit", "王芳", Role.UNIT_ADMINISTRATOR, True),
    ("dispatcher", "赵强", Role.DISPATCHER, True),
    ("operator", "孙悦", Role.ADMINISTRATOR, False),
)
_EVERY_S: Final = 1.0


async def make_demo_people(
    dsn: str, settings: Settings, say: Callable[[str], None], *, terminal: bool
) -> None:
    """Make those who are not there yet, when the demo has entered its units. Their passwords go to ``say``; without a
    ``terminal``, where what is said may be kept, into a private file of the data folder."""
    connection = await connect(dsn)
    try:
        while (unit := await connection.fetchval("SELECT id FROM organisations ORDER BY id LIMIT 1")) is None:  # noqa: ASYNC110 - of the database
            await asyncio.sleep(_EVERY_S)
        made = [
            line
            for person in PEOPLE
            if (line := await _make(connection, settings, unit, *person)) is not None
        ]
    finally:
        await connection.close()
    if not made:
        return
    if not terminal:
        path: Path = settings.data_dir / FILE
        write_private(path, "".join(f"{line}\n" for line in made))
        made = [str(path)]
    say("演示用户与密码，只显示一次 / people of the demo and their passwords, shown once:")
    for line in made:
        say(f"  {line}")


async def _make(
    connection: Any, settings: Settings, unit: str, login: str, name: str, role: Role, in_unit: bool
) -> str | None:
    """The line to show; None = there is a user of this name already."""
    if await connection.fetchval("SELECT EXISTS (SELECT FROM users WHERE id = $1)", login):
        return None
    password = one_time_password()
    hashed = await PasswordWork(settings).hash(password)
    where = unit if in_unit else None
    async with connection.transaction():
        await users.create(connection, users.MACHINE, login, users.profile(name, where, None, None), hashed)
        await users.set_password(connection, login, hashed)  # random and shown once: it may stay
        await grants.grant_role(connection, users.MACHINE, login, role, where, datetime.now(UTC), None)
    return f"{login:<11} {password}  {name} {ROLE_NAMES[role]}"
