"""Chains, their verification and the bundle of a case, on a real PostgreSQL: what is found, and that nothing is invented."""

from __future__ import annotations

import asyncio
import getpass
import io
import json
import os
import random
import signal
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from api.alerts.evidence import feature_collection
from office.integrity import heads, sealer, signing
from office.integrity.blocks import pretty, sha256, sm3
from office.integrity.bundle import write_bundle
from office.integrity.bundle_check import BundleRefusedError, check_bundle
from office.integrity.comparing import Kept, Report
from office.integrity.sealer import Sealer
from office.integrity.streams import STREAMS
from office.integrity.verifying import verify_chains
from runtime.connection import Connection
from runtime.errors import ConfigurationError
from runtime.postgres import connect, create_pool
from runtime.settings import Settings
from tests.databases import copied, copy_of
from tests.faults.tampering import KEPT, many
from tests.integration.integrity_world import build, counts
from tests.integration.test_supervision import opened
from tests.waiting import until

#: tests.faults.tampering does 1,000 of them.
TAMPERINGS = int(os.environ.get("GONGCHE_TAMPERINGS", "150"))


@dataclass(frozen=True, slots=True)
class World:
    """A sealed database, to be copied, and the folder of its key."""

    server: str
    name: str
    folder: Path

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.folder)

    @asynccontextmanager
    async def copy(self) -> AsyncIterator[tuple[str, Connection]]:
        async with copy_of(self.server, self.name) as dsn:
            connection = await connect(dsn)
            try:
                yield dsn, connection
            finally:
                await connection.close()


@pytest.fixture(scope="module")
def world(postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("integrity")
    with copied(postgres_dsn, "template0", "integrity") as dsn:
        asyncio.run(build(dsn, folder))
        yield World(postgres_dsn, urlsplit(dsn).path[1:], folder)


def kinds(report: Report) -> set[tuple[str, str]]:
    return {(finding.stream, finding.kind) for finding in report.findings}


async def owner(connection: Connection, sql: str, *values: Any) -> None:
    """As the owner of the database, who has switched every trigger off."""
    async with connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(sql, *values)


async def test_every_column_of_every_chained_table_is_covered(world: World) -> None:
    async with world.copy() as (_, connection):
        sealed = await counts(connection)
        for stream in STREAMS:
            columns = await connection.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_name = $1", stream.table
            )
            assert {row[0] for row in columns} == {name for name, _ in stream.key} | set(stream.columns)
            assert sealed[stream.name] > 2
            assert sealed[stream.name] == await connection.fetchval(f"SELECT count(*) FROM {stream.table}")  # noqa: S608


async def test_each_tampering_is_found_and_named_and_none_is_invented(world: World) -> None:
    async with world.copy() as (_, connection):
        seed = random.randrange(10**6)
        tally, wrong = await many(connection, TAMPERINGS, seed)
        assert wrong == [], f"seed {seed}"
        assert tally.total() == TAMPERINGS


async def write(connection: Connection, who: int, times: int) -> None:
    """What people and programs write all the time; every third transaction fails."""
    for k in range(times):
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "INSERT INTO audit (who_kind, who_id, operation, action, subject_kind) VALUES ('user', $1, 'x', 'read', 'x')", str(who)
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO case_events (case_id, version, step, at, actor, persons, actor_name, body)"
            " VALUES ('case-1', $1, 'note', now(), 'user:1', '{user:1}', 'x', '{}')", 100 + 1000 * who + k,
        )  # fmt: skip
        if k % 3 == 2:
            await transaction.rollback()
        else:
            await transaction.commit()


async def test_writers_and_sealers_at_once_seal_each_row_once(world: World) -> None:
    async with world.copy() as (dsn, connection):
        pool = await create_pool(dsn, max_size=10)
        before = await counts(connection)
        writing = True

        async def sealing() -> None:
            made = Sealer(world.settings)
            while writing:
                await made.turn(pool)
                await asyncio.sleep(0)

        async def writer(who: int) -> None:
            async with pool.acquire() as own:
                await write(own, who, 30)

        sealers = [asyncio.create_task(sealing()) for _ in range(2)]
        await asyncio.gather(*(writer(who) for who in range(6)))
        writing = False
        await asyncio.gather(*sealers)
        await connection.execute(
            "UPDATE cases SET version = (SELECT max(version) FROM case_events WHERE case_id = 'case-1')"
            " WHERE id = 'case-1'"
        )
        await Sealer(world.settings).seal_all(connection)
        pool.terminate()
        after = await counts(connection)
        assert (after["audit"] - before["audit"], after["case_events"] - before["case_events"]) == (120, 120)
        assert (await sealer.waiting(connection)).rows == 0
        report = await verify_chains(connection, KEPT)
        assert report.findings == []
        assert report.waiting == 0


def begin_sealing(dsn: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "gongche", "seal"],
        env={**os.environ, "GONGCHE_DATABASE_URL": dsn, "GONGCHE_DATA_DIR": str(folder)},
    )


async def test_a_sealer_that_is_killed_leaves_a_chain_that_goes_on(world: World) -> None:
    async with world.copy() as (dsn, connection):
        before = (await counts(connection))["audit"]
        await connection.execute(
            "INSERT INTO audit (who_kind, who_id, operation, action, subject_kind)"
            " SELECT 'user', k::text, 'x', 'read', 'x' FROM generate_series(1, 8000) k"
        )
        process = begin_sealing(dsn, world.folder)

        async def begun() -> bool:
            return (await counts(connection))["audit"] > before

        await until(begun, "the first block")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (await verify_chains(connection, KEPT, only=["audit"])).findings == []
        # A server ends the session of a client that was killed when it next writes to it.
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await Sealer(world.settings).seal_all(connection)
        report = await verify_chains(connection, KEPT, only=["audit"])
        assert (report.findings, report.waiting) == ([], 0)
        assert (await counts(connection))["audit"] >= before + 8_000


async def test_what_waits_is_counted_and_what_goes_before_it_is_sealed_is_named(world: World) -> None:
    async with world.copy() as (_, connection):
        await connection.execute(
            "INSERT INTO alert_labels (alert_id, case_id, organisation, finding, person, at)"
            " SELECT 'a', 'case-1', 'o', 'data', 'user:1', now() FROM generate_series(1, 3)"
        )
        report = await verify_chains(connection, KEPT)
        assert (report.findings, report.waiting) == ([], 3)
        assert (await sealer.waiting(connection)).rows == 3
        await owner(connection, "DELETE FROM alert_labels WHERE id = (SELECT max(id) FROM alert_labels)")
        assert kinds(await verify_chains(connection, KEPT)) == {("labels", "gone")}
        await Sealer(world.settings).seal_all(connection)
        assert kinds(await verify_chains(connection, KEPT)) == {("labels", "gone")}


async def test_an_alert_that_was_taken_off_the_list_or_changed_there_is_named(world: World) -> None:
    """Its versions are chained and stay; the list that people see is a table of its own."""
    async with world.copy() as (_, connection):
        ids = [row["id"] for row in await connection.fetch("SELECT id FROM alerts ORDER BY id LIMIT 4")]
        await owner(connection, "DELETE FROM alerts WHERE id = $1", ids[0])
        await owner(
            connection,
            "UPDATE alerts SET occurred_from = occurred_from + interval '1 day' WHERE id = $1",
            ids[1],
        )
        await owner(connection, "UPDATE alerts SET driver = 'somebody else' WHERE id = $1", ids[2])
        await owner(
            connection,
            "UPDATE alerts SET occurred_to = NULL, detected_at = detected_at + interval '1 us' WHERE id = $1",
            ids[3],
        )
        report = await verify_chains(connection, KEPT)
        assert [(f.kind, f.key) for f in report.findings] == [("standing", id) for id in ids]


async def test_a_chain_whose_end_was_cut_off_and_sealed_anew_is_said_by_the_sealer(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The owner needs no key for it: the sealer signs for him. It says so where he cannot write, also after it was started again."""
    write = "INSERT INTO complaint_reads (complaint_id, person, reason, address, at) VALUES ('c-1', $1, 'x', '', now())"
    async with world.copy() as (dsn, connection):
        settings = Settings(data_dir=world.folder, seal_export_dir=tmp_path)
        running = Sealer(settings)
        pool = await create_pool(dsn, max_size=2)
        await connection.execute(write, "user:1")
        while await running.turn(pool):
            pass
        pool.terminate()

        async def launder(name: str) -> None:
            last = "SELECT * FROM seal_blocks WHERE stream = 'caller_reads' ORDER BY number DESC LIMIT 1"
            keys = (await connection.fetchrow(last))["keys"]
            await owner(
                connection,
                "DELETE FROM seal_blocks WHERE stream = 'caller_reads' AND number ="
                " (SELECT max(number) FROM seal_blocks WHERE stream = 'caller_reads')",
            )
            await owner(
                connection,
                "UPDATE complaint_reads SET person = $1 WHERE id = (SELECT max(id) FROM complaint_reads)",
                name,
            )
            await owner(
                connection,
                "INSERT INTO seal_pending (stream, key) SELECT 'caller_reads', unnest($1::text[])",
                keys,
            )

        for sealing in (running, Sealer(settings)):
            caplog.clear()
            await launder("nobody")
            await sealing.seal_all(connection)
            assert [record.levelname for record in caplog.records] == ["ERROR"]
            assert "caller_reads" in caplog.text
            await sealing.seal_all(connection)
            await connection.execute(write, "user:2")
            await sealing.seal_all(connection)
            assert len(caplog.records) == 1  # said once
        (file,) = await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
        exported = heads.load(file)
        assert kinds(await verify_chains(connection, KEPT, heads=exported)) == {("caller_reads", "head")}


async def test_a_clock_that_was_set_back_makes_no_key_a_strange_one(world: World, tmp_path: Path) -> None:
    async with world.copy() as (_, connection):
        old = Sealer(world.settings).key
        new = signing.load_key(Settings(data_dir=tmp_path), make=True)
        await sealer.rotate(connection, old, new)
        await owner(
            connection,
            "UPDATE seal_keys SET created_at = created_at - interval '9 years' WHERE id = $1",
            new.id,
        )
        assert (await verify_chains(connection, KEPT, trusted=old.id)).findings == []
        keys = await connection.fetch("SELECT * FROM seal_public_keys()")
        assert {key["id"] for key in keys} == {old.id, new.id}


async def test_what_the_owner_writes_into_the_notes_stops_no_chain(world: World) -> None:
    async with world.copy() as (_, connection):
        for key in ("", "[", "[]", "null", '["x"]', "[99999999999999999999]", "[1, 2, 3]", "[null]"):
            for stream in STREAMS:
                await connection.execute(
                    "INSERT INTO seal_pending (stream, key) VALUES ($1, $2)", stream.name, key
                )
        before = await counts(connection)
        await Sealer(world.settings).seal_all(connection)
        assert {name: n - before[name] for name, n in (await counts(connection)).items()} == {
            s.name: 8 for s in STREAMS
        }
        report = await verify_chains(connection, KEPT)
        assert {finding.kind for finding in report.findings} == {"gone"}
        assert len(report.findings) >= 7 * len(STREAMS)


async def test_a_row_that_comes_long_after_it_says_is_named(world: World) -> None:
    """Put in through the front door, as the program would: it is sealed, and it is late."""
    async with world.copy() as (_, connection):
        await connection.execute(
            "INSERT INTO audit (who_kind, who_id, operation, action, subject_kind, at)"
            " VALUES ('user', '1', 'x', 'read', 'x', now()), ('user', '2', 'x', 'read', 'x', now() - interval '2 days')"
        )
        await Sealer(world.settings).seal_all(connection)
        report = await verify_chains(connection, KEPT)
        assert kinds(report) == {("audit", "late")}
        no = await connection.fetchval("SELECT max(no) FROM audit")
        assert [json.loads(finding.key)[0] for finding in report.findings] == [no]


async def test_months_that_ended_long_ago_may_go_and_others_not(world: World) -> None:
    async with world.copy() as (_, connection):
        old = datetime.now(UTC) - timedelta(days=500)
        await connection.execute("SELECT make_audit_month($1::date)", old.date())
        await connection.execute(
            "INSERT INTO audit (who_kind, who_id, operation, action, subject_kind, at) VALUES ('user', '1', 'x', 'read', 'x', $1)", old
        )  # fmt: skip
        await Sealer(world.settings).seal_all(connection)
        late = {("audit", "late")}  # it says that it is of long ago
        assert kinds(await verify_chains(connection, KEPT)) == late
        await connection.execute(f"DROP TABLE audit_{old:%Y%m}")
        report = await verify_chains(connection, Kept(400, 400, 36_500))
        assert (kinds(report), report.past) == (late, 1)
        # Kept longer now than when it was dropped: as a whole, and not within the least time.
        assert kinds(await verify_chains(connection, KEPT)) == late
        await owner(connection, "DELETE FROM audit WHERE at > now() - interval '1 day'")
        assert ("audit", "missing") in kinds(await verify_chains(connection, Kept(400, 400, 36_500)))


async def test_positions_that_come_late_are_no_tampering_and_old_ones_may_go(world: World) -> None:
    async with world.copy() as (_, connection):
        names = await connection.fetchval(
            "SELECT string_agg(column_name::text, ', ') FROM information_schema.columns WHERE table_name = 'positions'"
            " AND column_name NOT IN ('fingerprint', 'received_at')"
        )
        spans = await connection.fetchval("SELECT spans FROM evidence_positions LIMIT 1")
        terminal, since, until_, _ = spans[0]
        await connection.execute(
            f"INSERT INTO positions ({names}, fingerprint, received_at) SELECT {names}, fingerprint + 1, now() FROM positions"  # noqa: S608
            " WHERE terminal_no = $1 AND device_time BETWEEN 'epoch'::timestamptz + $2 * interval '1 us'"
            " AND 'epoch'::timestamptz + $3 * interval '1 us'",
            terminal, since, until_,
        )  # fmt: skip
        assert (await verify_chains(connection, KEPT)).findings == []
        # Received early and stored late: put in, or it was in the quarantine when the list was made.
        early = (
            f"INSERT INTO positions ({names}, fingerprint, received_at) SELECT {names}, fingerprint + 2, received_at - interval '1 d'"  # noqa: S608
            " FROM positions WHERE terminal_no = $1 AND device_time = 'epoch'::timestamptz + $2 * interval '1 us' LIMIT 1"
        )
        await connection.execute(early, terminal, since)
        assert kinds(await verify_chains(connection, KEPT)) == {("positions", "position-inserted")}
        await connection.execute(
            "INSERT INTO quarantine (topic, partition, \"offset\", terminal_no, rows, stage, error, payload, program, set_aside_at,"
            " tried_at) VALUES ('t', 0, 1, $1, 1, 'x', 'x', '', 'x', now() - interval '1 d', now())", terminal,
        )  # fmt: skip
        await connection.execute("DELETE FROM quarantine")
        assert (await verify_chains(connection, KEPT)).findings == []
        await connection.execute("DELETE FROM positions")
        report = await verify_chains(connection, KEPT)
        assert kinds(report) == {("positions", "position-missing")}
        report = await verify_chains(connection, Kept(36_500, 36_500, 1))
        assert report.findings == []
        assert report.past > 100


async def test_a_record_that_could_not_be_read_hides_only_what_can_have_been_in_it(
    world: World, tmp_path: Path
) -> None:
    async with world.copy() as (dsn, connection):
        terminal, since, _, received = (
            await connection.fetchval("SELECT spans FROM evidence_positions ORDER BY sha256 LIMIT 1")
        )[0]
        names = await connection.fetchval(
            "SELECT string_agg(column_name::text, ', ') FROM information_schema.columns WHERE table_name = 'positions'"
            " AND column_name NOT IN ('fingerprint', 'received_at')"
        )
        await connection.execute(
            f"INSERT INTO positions ({names}, fingerprint, received_at) SELECT {names}, fingerprint + 2,"  # noqa: S608
            " 'epoch'::timestamptz + $3 * interval '1 us' FROM positions WHERE terminal_no = $1"
            " AND device_time = 'epoch'::timestamptz + $2 * interval '1 us' LIMIT 1",
            terminal, since, received - 86_400_000_000,
        )  # fmt: skip
        made = await connection.fetchval("SELECT min(made_at) FROM evidence_positions")
        early = datetime.fromtimestamp(received / 1e6, UTC) - timedelta(days=2)

        async def verified(terminal_no: int | None, set_aside: datetime, ended: datetime) -> Report:
            await owner(connection, "DELETE FROM quarantine_ended")
            await owner(connection, "DELETE FROM seal_blocks WHERE stream = 'quarantine'")
            await connection.execute(
                "INSERT INTO quarantine_ended VALUES (1, $1, $2, $3)", terminal_no, set_aside, ended
            )
            return await verify_chains(connection, KEPT, only=["positions"])

        inserted, hour = {("positions", "position-inserted")}, timedelta(hours=1)
        # It can have been in it: this is said, and nothing is claimed.
        report = await verified(None, made - hour, made + hour)
        assert (report.findings, {finding.kind for finding in report.unsure}) == ([], {"position-unsure"})
        assert all(f"terminal {terminal}," in finding.key for finding in report.unsure)
        status, said = gongche(dsn, world.folder, "verify", "--json")
        assert (status, '"not_checked": "terminal' in said) == (3, True), said
        # It ended before the list was made, was set aside after it, or before the position was received: it explains nothing.
        for times in ((made - 3 * hour, made - hour), (made + hour, made + 2 * hour), (early, made + hour)):
            report = await verified(None, *times)
            assert (kinds(report), report.unsure) == (inserted, [])
        assert kinds(await verified(terminal, early, made + hour)) == inserted
        # A part of it was stored, and what is left of it is of another terminal now: it explains what it explained.
        await owner(connection, "DELETE FROM quarantine_ended")
        await connection.execute(
            "INSERT INTO quarantine (topic, partition, \"offset\", stage, error, payload, program, set_aside_at, tried_at)"
            " VALUES ('t', 0, 1, 'decode', 'x', '', 'x', $1, now())", made - hour,
        )  # fmt: skip
        await connection.execute("UPDATE quarantine SET tried_at = now()")
        assert await connection.fetchval("SELECT count(*) FROM quarantine_ended") == 0
        await connection.execute("UPDATE quarantine SET terminal_no = $1", terminal + 1)
        report = await verify_chains(connection, KEPT, only=["positions"])
        assert (report.findings, len(report.unsure) > 0) == ([], True)
        # Of a known terminal it explains that one's, and no other's.
        assert (await verified(terminal, made - hour, made + hour)).findings == []
        assert kinds(await verified(terminal + 1, made - hour, made + hour)) == inserted


async def rewrite(connection: Connection, folder: Path) -> None:
    """The owner makes all chains anew, with a key of his own."""
    await owner(connection, "DELETE FROM seal_pending")
    for stream in STREAMS:
        key = ", ".join(
            f"(extract(epoch FROM n.{name}) * 1000000)::bigint" if kind == "timestamptz"
            else f"encode(n.{name}, 'hex')" if kind == "bytea" else f"n.{name}"
            for name, kind in stream.key
        )  # fmt: skip
        await owner(
            connection,
            f"INSERT INTO seal_pending (stream, key) SELECT '{stream.name}', json_build_array({key})::text FROM {stream.table} n",  # noqa: S608
        )
    await owner(connection, "DELETE FROM seal_blocks")
    await owner(connection, "DELETE FROM seal_keys")
    await Sealer(Settings(data_dir=folder)).seal_all(connection)


async def test_a_chain_that_was_written_anew_is_found_by_exported_heads(world: World, tmp_path: Path) -> None:
    async with world.copy() as (_, connection):
        key = Sealer(world.settings).key
        file = tmp_path / "heads.json"
        heads.write(file, heads.make(await heads.read(connection), key, datetime.now(UTC)))
        exported = heads.load(file)
        assert (await verify_chains(connection, KEPT, heads=exported, trusted=key.id)).findings == []
        await owner(connection, "UPDATE case_events SET body = '{}' WHERE case_id = 'case-2' AND version = 5")
        await rewrite(connection, tmp_path / "forger")
        assert (await verify_chains(connection, KEPT)).findings == []  # without them nobody knows
        assert ("case_events", "head") in kinds(await verify_chains(connection, KEPT, heads=exported))
        assert kinds(await verify_chains(connection, KEPT, trusted=key.id)) == {("keys", "key")}
        await owner(connection, "DELETE FROM seal_blocks WHERE stream = 'case_events'")
        assert ("case_events", "head") in kinds(await verify_chains(connection, KEPT, heads=exported))
        text = file.read_text()
        file.write_text(text.replace('"number": 1', '"number": 2'))
        with pytest.raises(ConfigurationError, match="signature"):
            heads.load(file)


async def test_the_key_is_changed_by_the_one_before_it_and_by_no_other(world: World, tmp_path: Path) -> None:
    async with world.copy() as (dsn, connection):
        old = Sealer(world.settings).key
        other = Settings(data_dir=tmp_path / "other")
        await connection.execute(
            "INSERT INTO complaint_reads (complaint_id, person, reason, address, at) VALUES ('c-1', 'u', 'x', '', now())"
        )
        assert not await Sealer(other).seal(connection)  # nobody knows it
        assert (await sealer.waiting(connection)).rows == 1
        new = signing.load_key(other, make=False)
        with pytest.raises(ValueError, match=new.id):
            await sealer.rotate(connection, new, old)
        await sealer.rotate(connection, old, new)
        pool = await create_pool(dsn, max_size=2)
        exporting = Settings(data_dir=tmp_path / "other", seal_export_dir=tmp_path / "export")
        turning = Sealer(exporting)
        while await turning.turn(pool):
            pass
        pool.terminate()
        assert (
            await connection.fetchval("SELECT key_id FROM seal_blocks ORDER BY sealed_at DESC LIMIT 1")
            == new.id
        )
        (file,) = (tmp_path / "export").iterdir()
        exported = heads.load(file)
        assert (await verify_chains(connection, KEPT, heads=exported, trusted=old.id)).findings == []
        assert oct((tmp_path / "other" / "seal.key").stat().st_mode & 0o777) == "0o600"
        await owner(
            connection,
            "UPDATE seal_keys SET signature = sha256('x') || sha256('y') WHERE previous IS NOT NULL",
        )
        assert kinds(await verify_chains(connection, KEPT)) == {("keys", "key")}


async def test_a_trusted_key_that_only_stands_in_the_list_covers_no_other(
    world: World, tmp_path: Path
) -> None:
    """The owner of the database seals everything anew with his own key, and lists the published one beside it, signed by his."""
    async with world.copy() as (_, connection):
        key = Sealer(world.settings).key
        exported = tmp_path / "heads.json"
        await rewrite(connection, tmp_path / "forger")
        forger = signing.load_key(Settings(data_dir=tmp_path / "forger"), make=False)
        await connection.execute(
            "INSERT INTO seal_keys (id, public, previous, signature) VALUES ($1, $2, $3, $4)",
            key.id, key.public.public, forger.id, forger.sign_key(key.public.public),
        )  # fmt: skip
        report = await verify_chains(connection, KEPT, trusted=key.id)
        assert [(f.stream, f.kind, f.key) for f in report.findings] == [("keys", "key", forger.id)]
        assert (await verify_chains(connection, KEPT, trusted=forger.id)).findings == []
        # Heads that he signs prove nothing either.
        heads.write(exported, heads.make(await heads.read(connection), forger, datetime.now(UTC)))
        report = await verify_chains(connection, KEPT, trusted=key.id, heads=heads.load(exported))
        assert [f.key for f in report.findings] == [forger.id, forger.id]
        # What is listed under the id of the trusted key counts by its own.
        await owner(connection, "DELETE FROM seal_keys WHERE id = $1", key.id)
        await owner(connection, "UPDATE seal_keys SET id = $1", key.id)
        await owner(connection, "UPDATE seal_blocks SET key_id = $1", key.id)
        assert kinds(await verify_chains(connection, KEPT, trusted=key.id)) == {("keys", "key")}


async def made_bundle(connection: Connection, key: signing.SigningKey | None) -> bytes:
    file = io.BytesIO()
    async with connection.transaction():
        assert await write_bundle(
            connection, "case-1", file, draw=feature_collection, key=key, documents={"督办单.pdf": b"%PDF-"}
        )
    return file.getvalue()


@pytest.fixture(scope="module")
def bundle(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A bundle with alerts, and the id of the key."""

    async def make() -> tuple[bytes, str]:
        async with world.copy() as (_, connection):
            key = Sealer(world.settings).key
            await connection.execute(
                "INSERT INTO case_links (case_id, kind, ref, open) SELECT 'case-1', 'alert', id, false FROM alerts ORDER BY id LIMIT 9"
            )
            first = await made_bundle(connection, key)
            assert await made_bundle(connection, key) == first
            return first, key.id

    content, key = asyncio.run(make())
    path = tmp_path_factory.mktemp("bundle") / "case.zip"
    path.write_bytes(content)
    return path, key


def test_a_bundle_holds_and_nothing_of_a_caller_is_in_it(bundle: tuple[Path, str]) -> None:
    path, key = bundle
    checked = check_bundle(path, key)
    assert (checked.flaws, checked.unsealed, checked.keys, checked.signed) == ([], 0, [key], True)
    assert checked.rows > 50
    with zipfile.ZipFile(path) as zipped:
        told = json.loads(zipped.read("case.json"))
        assert {"case", "thread", "alerts", "evaluations", "evidence", "labels"} <= told.keys()
        assert not any("complaint" in name or "caller" in name for name in zipped.namelist())
        assert any(name.startswith("geo/") for name in zipped.namelist())
    assert [flaw.name for flaw in check_bundle(path, "0" * 32).flaws] == [f"key {key}"]


def rewritten(path: Path, change: Callable[[dict[str, bytes]], Any]) -> Path:
    with zipfile.ZipFile(path) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
    change(files)
    out = path.with_name("changed.zip")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return out


def test_whatever_is_changed_in_a_bundle_is_named(bundle: tuple[Path, str]) -> None:
    path, key = bundle
    with zipfile.ZipFile(path) as zipped:
        every = [name for name in zipped.namelist() if zipped.getinfo(name).file_size]
    # Of each folder one; what is not in a folder, and all rows.
    names = {
        name if "/" not in name or name.startswith("rows/") else name.partition("/")[0]: name
        for name in every
    }
    assert len(names) > 18
    for name in names.values():

        def flip(files: dict[str, bytes], name: str = name) -> None:
            content = bytearray(files[name])
            content[len(content) // 2] ^= 1
            files[name] = bytes(content)

        named = named_in(rewritten(path, flip), key)
        assert name == "signature.json" or name in named, (name, named)


def named_in(path: Path, key: str) -> set[str]:
    """What is named in a bundle; of one that is refused, its message."""
    try:
        found = {flaw.name for flaw in check_bundle(path, key).flaws}
    except BundleRefusedError as error:  # JSON that is none any more, or hex
        return (
            {error.message, "manifest.json", "proofs.json", "keys.json", "case.json"}
            if error.reason == "format"
            else set()
        )
    assert found
    return found


def relisted(files: dict[str, bytes]) -> None:
    """A list of files that fits, without a signature: a forger has no key."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = {
        name: {"size": len(content), "sha256": sha256(content).hex(), "sm3": sm3(content).hex()}
        for name, content in files.items()
        if name not in ("manifest.json", "signature.json")
    }
    files["manifest.json"] = pretty(manifest)
    files.pop("signature.json", None)


def test_a_forger_who_lists_everything_anew_is_found_by_the_chain(bundle: tuple[Path, str]) -> None:
    path, key = bundle
    evidence = attachment = ""
    with zipfile.ZipFile(path) as zipped:
        for name in zipped.namelist():
            evidence = name if name.startswith("evidence/") else evidence
            attachment = name if name.startswith("attachments/") else attachment

    def words(files: dict[str, bytes]) -> None:
        files["rows/case_events.jsonl"] = files["rows/case_events.jsonl"].replace(
            "说明 5".encode(), "说明 6".encode()
        )

    def gone(files: dict[str, bytes]) -> None:
        lines = files["rows/case_events.jsonl"].splitlines(keepends=True)
        files["rows/case_events.jsonl"] = b"".join(lines[:3] + lines[4:])

    def order(files: dict[str, bytes]) -> None:
        lines = files["rows/case_events.jsonl"].splitlines(keepends=True)
        files["rows/case_events.jsonl"] = b"".join([lines[1], lines[0], *lines[2:]])

    def other(name: str) -> Callable[[dict[str, bytes]], None]:
        def change(files: dict[str, bytes]) -> None:
            files[name] = files[name].replace(b"1", b"2") + b" "

        return change

    for change, named in (
        (words, "case_events"), (gone, "rows/case_events.jsonl"), (order, "case_events"), (other(evidence), evidence),
        (other(attachment), attachment),
    ):  # fmt: skip

        def forge(files: dict[str, bytes], change: Callable[[dict[str, bytes]], None] = change) -> None:
            change(files)
            relisted(files)

        checked = check_bundle(rewritten(path, forge), key)
        assert not checked.signed
        assert any(flaw.name.startswith(named) for flaw in checked.flaws), (named, checked.flaws)


def test_hostile_files_are_refused_by_type(bundle: tuple[Path, str], tmp_path: Path) -> None:
    path, _ = bundle

    def refused(change: Callable[[dict[str, bytes]], Any]) -> str:
        with pytest.raises(BundleRefusedError) as caught:
            check_bundle(rewritten(path, change))
        return caught.value.reason

    assert refused(lambda files: files.update({"../../etc/passwd": b"x"})) == "name"
    assert refused(lambda files: files.update({"/etc/passwd": b"x"})) == "name"
    assert refused(lambda files: files.update({"rows/..": b"x"})) == "name"
    assert refused(lambda files: files.update({"rows\\x": b"x"})) == "name"
    assert refused(lambda files: files.pop("proofs.json")) == "missing"
    keys = [{"id": "x", "public": "00", "previous": None, "signature": None}] * 1_001
    assert refused(lambda files: files.update({"keys.json": json.dumps(keys).encode()})) == "too-many-keys"
    assert refused(lambda files: files.update({"attachments/bomb": bytes((64 << 20) + 1)})) == "too-large"
    assert (
        refused(lambda files: files.update({f"attachments/{k}": b"" for k in range(10_001)}))
        == "too-many-files"
    )
    for name in ("manifest.json", "proofs.json", "keys.json"):
        for content in (
            b"",
            b"[" * 100_000,
            b"null",
            b"[1]",
            b'{"files": 1, "format": "gongche-case-bundle/1", "case": 1}',
        ):

            def put(files: dict[str, bytes], name: str = name, content: bytes = content) -> None:
                files[name] = content

            assert refused(put) == "format"
    plain = tmp_path / "plain.zip"
    plain.write_bytes(b"no zip")
    with pytest.raises(BundleRefusedError, match="not-a-zip"):
        check_bundle(plain)
    with pytest.raises(BundleRefusedError, match="not-a-zip"):
        check_bundle(tmp_path / "none.zip")
    twice = tmp_path / "twice.zip"
    twice.write_bytes(path.read_bytes())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(twice, "a") as zipped:
        zipped.writestr("case.json", b"{}")
    with pytest.raises(BundleRefusedError, match="twice"):
        check_bundle(twice)
    content = path.read_bytes()
    dice = random.Random(3)
    for _ in range(60):  # whatever is broken is a flaw or a refusal
        broken = bytearray(content)
        for _ in range(3):
            broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
        plain.write_bytes(broken)
        with suppress(BundleRefusedError):
            check_bundle(plain)


def gongche(dsn: str | None, folder: Path, *words: str) -> tuple[int, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GONGCHE_")}
    if dsn is not None:
        env |= {"GONGCHE_DATABASE_URL": dsn, "GONGCHE_DATA_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "gongche", *words], env=env, capture_output=True, text=True, check=False
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


async def test_the_commands(world: World, tmp_path: Path) -> None:
    async with world.copy() as (dsn, connection):
        status, said = gongche(dsn, world.folder, "seal", "--export", str(tmp_path))
        assert status == 0, said
        exported = Path(said.splitlines()[-1])
        out = tmp_path / "case.zip"
        status, said = gongche(dsn, world.folder, "bundle", "T-3", "-o", str(out), "--purpose", "复核")
        assert status == 0, said
        assert os.stat(out).st_mode & 0o77 == 0
        assert (
            await connection.fetchval(
                "SELECT detail->>'purpose' FROM audit WHERE operation = 'gongche bundle'"
            )
            == "复核"
        )
        read = await connection.fetchrow(
            "SELECT who_kind, who_id, purpose, organisation FROM audit WHERE action = 'read' AND subject_kind = 'cases'"
            " AND subject_id = 'case-3'"
        )
        unit = await connection.fetchval("SELECT organisation FROM cases WHERE id = 'case-3'")
        assert tuple(read) == ("program", getpass.getuser(), "复核", unit)
        status, said = gongche(dsn, world.folder, "bundle", "T-3", "-o", str(out), "--purpose", "长" * 501)
        assert status == 2, said
        key = Sealer(world.settings).key.id
        status, said = gongche(None, tmp_path, "verify", str(out), "--key", key)  # no database, no settings
        assert (status, "不符 / differ 0" in said) == (0, True), said
        await owner(
            connection, "UPDATE case_events SET actor_name = '李四' WHERE case_id = 'case-3' AND version = 4"
        )
        status, said = gongche(dsn, world.folder, "verify", "--heads", str(exported), "--json")
        lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        named = [line for line in lines if line.get("kind")]
        assert status == 1
        assert [(line["stream"], line["kind"], line["key"]) for line in named] == [
            ("case_events", "changed", '["case-3", 4]')
        ]


async def test_a_bundle_over_http_is_for_the_office_and_its_reading_is_noted(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    async with opened(pool, settings) as site:
        case = await site.issued()
        async with pool.acquire() as connection:
            await Sealer(settings).seal_all(connection)
        await site.ask("clerk", "GET", f"cases/{case}/bundle", status=422)
        await site.ask("unit", "GET", f"cases/{case}/bundle?purpose=x", status=404)
        await site.ask("other", "GET", f"cases/{case}/bundle?purpose=x", status=404)
        await site.ask("clerk", "GET", "cases/none/bundle?purpose=x", status=404)
        for who in ("clerk", "inspector"):
            response = await site.client.get(
                f"/v1/cases/{case}/bundle?purpose=复核", headers=site.headers(who)
            )
            assert response.status_code == 200, response.text
            path = tmp_path / f"{who}.zip"
            path.write_bytes(response.content)
            checked = check_bundle(path, Sealer(settings).key.id)
            assert (checked.flaws, checked.unsealed, checked.rows) == ([], 0, 3)
            noted = await pool.fetchval(
                "SELECT purpose FROM audit WHERE operation LIKE '%/bundle' AND who_id = $1 AND subject_id = $2",
                who,
                case,
            )
            assert noted == "复核"
