"""A machine of the last release goes on with this program: nothing is lost, and it comes to what the old program came to.

And the other way round: the released program does not touch a database that this one has migrated.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import orjson
import pytest
from tools.schema import describe

from api.app import create_app
from registry.changes import count_unread, unread
from rules.judge import queue
from rules.judge.process import Judge
from rules.live.process import Worker
from rules.live.store import due
from rules.navigation import NoNavigator
from rules.navigation.cache import CachedNavigator
from rules.navigation.polyline import decode, encode
from rules.navigation.valhalla import Valhalla
from runtime.migrations import expected_schema_version, migrate
from runtime.postgres import connect, create_pool
from runtime.settings import Settings
from runtime.units import US_PER_S, to_us
from simulation.month.run import Clock, Machine
from telemetry.log.base import POSITIONS
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.terminals.directory import TerminalDirectory
from tests import released
from tests.integration.navigation_server import Reply, Request, engine_server

ROOT: Final = Path(__file__).resolve().parents[2]
#: Tables whose rows a migration takes elsewhere, and where.
MOVED: Final[Mapping[str, str]] = {
    "fact_changes": "live_due", "judge_changes": "changes", "registry_changes": "read anew by every worker that starts",
}  # fmt: skip
#: Columns that a migration rewrites: (table, column).
REWRITTEN: Final[frozenset[tuple[str, str]]] = frozenset({("evaluations", "reason")})


#: Names of partitions that only a database with a past has.
_OF_A_PARTITION: Final = re.compile(
    r"positions_20\d{6}|evaluations_before_\d{6}|evaluations_\d{6}|evidence_\d{6}"
)


async def command(
    dsn: str, folder: Path, *words: str, program: Path = ROOT / "src"
) -> tuple[int | None, str]:
    """Exit status and words of a command of the program in ``program``."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GONGCHE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gongche", *words,
        stderr=asyncio.subprocess.STDOUT, stdout=asyncio.subprocess.PIPE, cwd=folder,
        env=clean | {"GONGCHE_DATABASE_URL": dsn, "GONGCHE_DATA_DIR": str(folder), "PYTHONPATH": str(program)},
    )  # fmt: skip
    async with asyncio.timeout(120):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


async def columns_of(conn: Any) -> dict[str, list[str]]:
    """By table, the columns; partitions are their table's."""
    rows = await conn.fetch(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2"
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["relname"], []).append(row["attname"])
    return found


async def content_of(conn: Any, columns: Mapping[str, list[str]]) -> dict[str, tuple[int, str]]:
    """By table: how many rows, and the hash of ``columns`` of all of them, whatever their order."""
    found = {}
    for table, names in columns.items():
        listed = ", ".join(f'"{name}"' for name in names)
        rows = await conn.fetch(f'SELECT row_to_json(t)::text AS row FROM (SELECT {listed} FROM "{table}") t')  # noqa: S608 - names of the catalogue
        lines = sorted(orjson.dumps(orjson.loads(r["row"]), option=orjson.OPT_SORT_KEYS) for r in rows)
        found[table] = (len(lines), sha256(b"\n".join(lines)).hexdigest())
    return found


async def test_nothing_is_lost(released_database: str, db_url: str) -> None:
    conn = await connect(released_database)
    try:
        before = {
            table: [name for name in names if (table, name) not in REWRITTEN]
            for table, names in (await columns_of(conn)).items()
            if table not in MOVED and table != "schema_migrations"
        }
        kept = await content_of(conn, before)
        words = await conn.fetch("SELECT id, reason FROM evaluations ORDER BY id")
        for table in (
            "vehicles",
            "positions",
            "evaluations",
            "evidence",
            "alerts",
            "alert_feed",
        ):
            assert kept[table][0] > 0, table
        applied = await migrate(released_database)
        assert len(applied) == len(set(applied)) > 0
        assert await content_of(conn, before) == kept
        # The words of a reason are two columns now, and none of them is lost.
        again = "SELECT id, concat_ws(' · ', reason, reason_en) AS reason FROM evaluations ORDER BY id"
        assert [tuple(r) for r in await conn.fetch(again)] == [tuple(r) for r in words]
        # And it has the schema of a new database. Beside it there are partitions of what it had before.
        fresh = await connect(db_url)
        theirs, ours = set(await describe(fresh)), set(await describe(conn))
        await fresh.close()
        assert theirs - ours == set()
        assert [line for line in ours - theirs if not _OF_A_PARTITION.search(line)] == []
        assert not set(MOVED) & set(await columns_of(conn))
    finally:
        await conn.close()


async def test_changes_that_nobody_has_taken_are_taken_by_this_program(
    released_database: str, tmp_path: Path
) -> None:
    """Rows wait in all three queues of the old program; none is left out and none comes twice."""
    conn = await connect(released_database)
    try:
        await conn.execute(
            """
            INSERT INTO fact_changes (kind, subject, vehicle_no, from_time) SELECT kind, subject, 3, '2025-10-20Z' FROM (VALUES
                ('binding', '13800000003'), ('fence', 'F'), ('vehicle', 'V-3-0002'), ('parameter', 'track.gap_s'), ('rows', ''))
                AS given (kind, subject);
            INSERT INTO judge_changes (kind, subject, from_time) VALUES ('binding', 'C-1', '2025-10-20Z'),
                ('parameter', 'mileage', '2025-10-20Z'), ('plate', '苏F00001', '1970-01-01Z');
            """
        )
        assert await conn.fetchval("SELECT count(*) FROM registry_changes") > 1
        facts = await conn.fetch("SELECT kind, subject, vehicle_no, from_time FROM fact_changes ORDER BY seq")
        told = await conn.fetch("SELECT kind, subject, from_time FROM judge_changes ORDER BY seq")
        await migrate(released_database)
        named = {"binding": "terminal_binding", "vehicle": "vehicle_status"}
        assert [
            tuple(r)
            for r in await conn.fetch(
                "SELECT kind, subject, vehicle_no, from_time FROM live_due ORDER BY seq"
            )
        ] == [(named.get(r["kind"], r["kind"]), *list(r.values())[1:]) for r in facts]
        async with conn.transaction():
            taken, _ = await queue.take_changes(conn, 100_000)
        assert [row[1:] for row in taken] == [
            ({"binding": "card_binding"}.get(r["kind"], r["kind"]), r["subject"], to_us(r["from_time"]))
            for r in told
        ]
        assert not await unread(conn, due.READER)  # the live workers had the same facts from their own queue
    finally:
        await conn.close()

    pool = await create_pool(released_database)
    writer = EmbeddedLogWriter(tmp_path / "log.sqlite")
    await writer.start()
    log = EmbeddedLogReader(tmp_path / "log.sqlite", POSITIONS)
    worker = Worker(pool, log)
    while await due.anything_due(pool) or not worker.counts.transactions:
        await worker.turn()
    judge = Judge(released_database, [], NoNavigator())
    while await judge.turn():
        pass
    async with pool.acquire() as conn:
        assert await count_unread(conn, queue.READER) == 0
    await judge.close()
    await log.close()
    await writer.close()
    pool.terminate()


async def test_evidence_tokens_and_terminals_hold(released_database: str, tmp_path: Path) -> None:
    conn = await connect(released_database)
    alerts = await conn.fetchval("SELECT count(*) FROM alert_feed")
    checked = await conn.fetchval("SELECT count(*) FROM evaluations WHERE evidence_sha256 IS NOT NULL")
    await conn.close()
    assert alerts > 40
    assert checked > 40
    status, said = await command(released_database, tmp_path, "migrate")
    assert (status, f"schema version {expected_schema_version()}" in said) == (0, True), said
    status, said = await command(released_database, tmp_path, "verify")
    assert (status, f"checked {checked}，不符 / differ 0" in said) == (0, True), said

    expected = released.expected()
    pool = await create_pool(released_database)
    try:
        transport = httpx.ASGITransport(create_app(Settings(), pool, position_sink=None))
        bearer = {"Authorization": f"Bearer {expected['token']}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=bearer) as client:
            entries = (await client.get("/v1/alerts/feed", params={"limit": 1000})).json()["items"]
            assert len(entries) == alerts
            vehicles = (await client.get("/v1/vehicles", params={"limit": 1000})).json()["items"]
            assert len(vehicles) == await pool.fetchval("SELECT count(*) FROM vehicles")
        terminals = TerminalDirectory(pool, auto_register=False)
        await terminals.load()
        phone, code = expected["terminal"]["phone"], expected["terminal"]["code"]
        assert terminals.verify(phone, code.encode()) is not None
        assert terminals.verify(phone, b"another") is None
    finally:
        pool.terminate()


def as_before(request: Request) -> Reply:
    """A Valhalla that says what the one of the released program said."""
    if request.method == "GET":
        return Reply({"version": "3.9.1", "tileset_last_modified": 1_760_000_000})
    asked = [[round(1e6 * place["lat"]), round(1e6 * place["lon"])] for place in request.body["locations"]]
    for _key, _engine, _map, places, distance_m, duration_s, shape, _problem in released.expected()["routes"]:
        if places == asked:
            end = encode(decode(shape)[-1:])
            legs = [{"summary": {"length": distance_m / 1000, "time": duration_s}, "shape": shape}]
            legs += [{"summary": {"length": 0, "time": 0}, "shape": end} for _ in places[2:]]
            return Reply({"trip": {"units": "kilometers", "legs": legs}})
    return Reply({"error_code": 100, "error": "nobody asked for this before"}, 400)


#: What the rest of the log is judged otherwise by the versions that the rules have now: rule|subject -> outcome.
OTHERWISE = {
    # Bought 28 % more, with tanks of unknown size at both ends: no suspicion any more.
    "fuel_consumption|driver:P-3-0037:2025-10:fuel": "undetermined",
    # Its order was cancelled when the trip was over: until then it covered.
    "location|episode:V-3-0003:1761096444000000": "normal",
}


async def test_it_goes_on_where_it_stood(released_database: str, tmp_path: Path) -> None:
    """The rest of the log and what waits in the queues: the alerts are those of the released program, and no others."""
    await migrate(released_database)
    log = tmp_path / "log.sqlite"
    released.write_log(log)
    expected = released.expected()
    pool = await create_pool(released_database)
    clock = Clock(0)
    try:
        async with engine_server(as_before) as engine:
            navigator = CachedNavigator(Valhalla(engine.url, "2025-10-01"))
            machine = Machine(released_database, pool, log, navigator, clock)
            for seconds in expected["clocks_s"]:
                clock.us = seconds * US_PER_S
                await machine.rest()
            await machine.close()
            await navigator.close()
        alerts = await pool.fetch(
            "SELECT rule, subject, status, severity, plate, driver, order_id, occurred_from FROM alerts ORDER BY rule, subject"
        )
        names = ("rule", "subject", "status", "severity", "plate", "driver", "order_id")
        found = {
            tuple(row[name] for name in names) for row in alerts
            if f"{row['rule']}|{row['subject']}" not in OTHERWISE
        }  # fmt: skip
        alerts_now = [a for a in expected["alerts"] if f"{a['rule']}|{a['subject']}" not in OTHERWISE]
        assert found == {tuple(alert[name] for name in names) for alert in alerts_now}
        outcomes = await pool.fetch(
            "SELECT DISTINCT ON (rule, subject) rule, subject, outcome FROM evaluations ORDER BY rule, subject, id DESC"
        )
        told = dict(line.rsplit("|", 1) for line in expected["outcomes"]) | OTHERWISE
        known = {line.split("|", 1)[0] for line in told}
        assert {f"{rule}|{subject}": outcome for rule, subject, outcome in outcomes if rule in known} == told
        # Rules that it did not have look back; nothing in its data lets them suspect anybody.
        assert {outcome for rule, _, outcome in outcomes if rule not in known} <= {"normal", "undetermined"}
        assert await pool.fetchval("SELECT count(*) FROM positions") == expected["positions"]
    finally:
        pool.terminate()
    status, said = await command(released_database, tmp_path, "verify")
    assert (status, "differ 0" in said) == (0, True), said


@pytest.fixture(scope="session")
def released_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources of the released program, out of the history of the repository."""
    folder = tmp_path_factory.mktemp("released")
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", released.COMMIT, "src", "migrations"],
        capture_output=True,
        check=False,
    )
    assert archive.returncode == 0, (
        f"commit {released.COMMIT} is not in the history here (a shallow clone? git fetch --unshallow):"
        f" {archive.stderr.decode()}"
    )
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder / "src"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("migrate",), "this program does not know"),
        (("gateway",), "this program knows only 11"),
        (("worker",), "this program knows only 11"),
        (("judge",), "this program knows only 11"),
        (("api",), "this program knows only 11"),
        (("verify",), "this program knows only 11"),
        (("token", "list"), "this program knows only 11"),
    ],
)
async def test_the_released_program_refuses_the_new_schema(
    db_url: str, pool: asyncpg.Pool, released_program: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    tables = await columns_of(pool)
    status, words_said = await command(db_url, tmp_path, *words, program=released_program)
    assert status == 78, words_said
    assert said in words_said
    assert "newer gongche" in words_said
    assert "Traceback" not in words_said
    assert await columns_of(pool) == tables
