"""The people of ``gongche up --demo``."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import asyncpg

from gongche.demo_people import FILE, PEOPLE, make_demo_people
from office.identity.login import Desk
from office.identity.sessions import Visit
from runtime.settings import Settings
from tests.integration.identity_site import LIGHT


async def test_made_once_when_the_units_are_there(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> None:
    settings = Settings(database_url=db_url, data_dir=tmp_path, **LIGHT)
    said: list[str] = []
    making = asyncio.create_task(make_demo_people(db_url, settings, said.append, terminal=True))
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('u-1', '局')")
    await making
    assert [line.split()[0] for line in said[1:]] == [person[0] for person in PEOPLE]
    login, password = said[4].split()[:2]
    visit = Visit("127.0.0.1", "test")
    assert (await Desk(pool, settings).sign_in(login, password, None, visit, None)).secret
    rows = await pool.fetch(
        "SELECT user_id, role, organisation FROM role_grants WHERE user_id = 'dispatcher'"
    )
    assert [tuple(row) for row in rows] == [("dispatcher", "dispatcher", "u-1")]
    await make_demo_people(db_url, settings, said.append, terminal=True)
    assert len(said) == 1 + len(PEOPLE)


async def test_without_a_terminal_into_a_private_file(
    pool: asyncpg.Pool, db_url: str, tmp_path: Path
) -> None:
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('u-1', '局')")
    said: list[str] = []
    settings = Settings(database_url=db_url, data_dir=tmp_path, **LIGHT)
    await make_demo_people(db_url, settings, said.append, terminal=False)
    file = tmp_path / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    passwords = [line.split()[1] for line in file.read_text("utf-8").splitlines()]
    assert len(set(passwords)) == len(PEOPLE)
    assert not any(password in line for line in said for password in passwords)
