"""``gongche verify`` on a real PostgreSQL: what holds, and what was tampered with."""

from __future__ import annotations

import os
import subprocess
import sys

import asyncpg
import pytest

from rules.judge.process import Judge
from rules.judge.subjects.all import GATHERERS
from rules.navigation import NoNavigator


@pytest.fixture
async def accused(db_url: str, pool: asyncpg.Pool) -> str:
    """A card bound to a plate that is not ours, judged."""
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('o', '单位')")
    await pool.execute("INSERT INTO fuel_cards (id, organisation) VALUES ('c1', 'o')")
    await pool.execute("INSERT INTO card_bindings VALUES ('c1', '苏A99999', '2026-01-01+08')")
    judge = Judge(db_url, GATHERERS, NoNavigator())
    while await judge.turn():
        pass
    await judge.close()
    return db_url


def verify(dsn: str, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "gongche", "verify", *words],
        env={**os.environ, "GONGCHE_DATABASE_URL": dsn},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


async def test_what_was_judged_holds(accused: str) -> None:
    assert verify(accused) == (0, "已核对 / checked 1，不符 / differ 0\n")
    assert verify(accused, "--rule", "mileage") == (0, "已核对 / checked 0，不符 / differ 0\n")


async def test_a_changed_outcome_or_body_is_found(accused: str, pool: asyncpg.Pool) -> None:
    await pool.execute("UPDATE evaluations SET outcome = 'normal'")
    status, said = verify(accused)
    assert status == 1
    assert "card_binding" in said
    assert "suspected" in said
    await pool.execute("UPDATE evaluations SET outcome = 'suspected'")
    await pool.execute("UPDATE evidence SET body = set_byte(body, 40, get_byte(body, 40) # 1)")
    status, said = verify(accused)
    assert status == 1
    assert "SHA-256" in said
    assert "SM3" in said
