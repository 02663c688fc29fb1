"""Row-level security without the code before it: what a connection in the role of requests can see, write and undo."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from office.identity.scope import Reach, array_text, quoted
from office.integrity.tracks import read_spans
from runtime.migrations import migrate
from runtime.postgres import begin_with, create_pool
from runtime.units import US_PER_DAY
from telemetry.archive.cold.catalogue import files_of
from telemetry.archive.cold.mover import Mover
from telemetry.archive.cold.whole import chains, pages_of, seen_pages
from telemetry.archive.read import PositionReader
from tests.integration import (
    scope_backtests,
    scope_commands,
    scope_costs,
    scope_drivers,
    scope_messages,
    scope_quotas,
    scope_reports,
    scope_trips,
    scope_vehicles,
)
from tests.integration.scope_assessment import OWNED as OWNED_ASSESSMENTS
from tests.integration.scope_exchange import OWNED as OWNED_EXCHANGE
from tests.integration.scope_supervision import OWNED as OWNED_CASES
from tests.integration.scope_world import NUMBERS, T0, ScopeWorld, phone, plate, scope_database, scope_world

A = Reach(frozenset({"a"}), "user:1")
EVERYWHERE = Reach(None, "user:2")
NOTHING = Reach(frozenset(), "user:3")
#: What belongs to a unit, and how one column of it names the record.
OWNED = {
    "organisations": "id", "vehicles": "id", "drivers": "id", "fences": "id", "dispatch_orders": "id", "fuel_cards": "id",
    "card_bindings": "card", "fuel_transactions": "id", "violations": "id", "terminals": "phone",
    "terminal_bindings": "vehicle_no", "clock_corrections": "id", "terminal_notices": "about", "positions": "terminal_no", "cold_terminals": "terminal_no",
    "vehicle_plates": "plate", "order_results": "order_id", "alerts": "id", "alert_versions": "alert_id",
    "alert_feed": "alert_id", "vehicle_states": "vehicle_no", "evidence_of_alerts": "sha256", "evidence_positions": "sha256", "evaluations": "subject", "judge_due": "key",
    "rule_parameters": "organisation", "alert_receipts": "alert_id", "alert_dispositions": "alert_id", **OWNED_CASES, **OWNED_ASSESSMENTS,
    **OWNED_EXCHANGE, **scope_messages.OWNED, **scope_backtests.OWNED, **scope_commands.OWNED,
    **scope_reports.OWNED, **scope_trips.OWNED, **scope_vehicles.OWNED, **scope_costs.OWNED, **scope_drivers.OWNED, **scope_quotas.OWNED,
}  # fmt: skip
#: What belongs to whoever made it, in whatever unit.
OF_SUBJECTS = {
    "subscriptions", "webhooks", "webhook_secrets", "webhook_deliveries", "webhook_attempts", "webhook_tests", "alert_reads", "idempotency_keys",
    *scope_messages.OF_SUBJECTS,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(postgres_dsn: str, template_database: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The database of these tests: what they write they roll back."""
    with scope_database(postgres_dsn, template_database) as database:
        yield database


@pytest.fixture
def dsn(made: tuple[str, dict[str, str]]) -> str:
    return made[0]


@pytest.fixture
async def units(made: tuple[str, dict[str, str]]) -> AsyncIterator[ScopeWorld]:
    async with scope_world(*made) as world:
        yield world


@asynccontextmanager
async def as_request(dsn: str, reach: Reach) -> AsyncIterator[Any]:
    """A plain connection (not one of the program's), in a transaction of ``reach``; rolled back."""
    connection = await asyncpg.connect(dsn)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(reach.sql())
        yield connection
        await transaction.rollback()
    finally:
        await connection.close()


async def test_positions_in_files_are_seen_by_whom_those_in_the_table_are(
    units: ScopeWorld, dsn: str, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(dsn)
    transaction = connection.transaction()
    await transaction.start()
    # The vehicles of a1 are secret: of their positions others see nothing.
    await connection.execute("DELETE FROM cold_terminals")
    await connection.execute("UPDATE vehicles SET secret = true WHERE organisation = 'a1'")
    terminals = [row["no"] for row in await connection.fetch("SELECT no FROM terminals")]
    reaches = [
        EVERYWHERE, NOTHING, A, Reach(frozenset({"a1"}), "user:4"), Reach(frozenset({"a"}), "user:5", secrets=frozenset({"a"})),
        Reach(None, "user:6", secrets=None), Reach(None, "user:7", secrets=frozenset({"a1"})),
    ]  # fmt: skip

    async def seen() -> list[Any]:
        found = []
        for reach in reaches:
            inner = connection.transaction()
            await inner.start()
            await connection.execute(reach.sql())
            track = await PositionReader().track(connection, [(no, 0, 1 << 62) for no in terminals])
            newest = await PositionReader().last_positions(connection, terminals)
            rows = await read_spans(connection, [(no, 0, T0 + US_PER_DAY) for no in terminals])
            files = chains(await files_of(connection, 0, 1 << 20))
            pages = [each for chain in files async for each in seen_pages(connection, pages_of(chain))]
            exported = [no for page in pages for no in page.columns["terminal"].tolist()]
            exported += [row[0] for row in await connection.fetch("SELECT terminal_no FROM positions")]
            found.append(
                (
                    sorted(exported),
                    track.fingerprint.tolist(),
                    newest.batch.terminal.tolist(),
                    [row["text"] for row in rows],
                )
            )
            await inner.rollback()
        return found

    before = await seen()
    assert len({len(prints) for prints, _, _, _ in before}) > 2, "they see different numbers"
    later = T0 + 100 * US_PER_DAY
    moved = [day async for day in Mover(str(tmp_path), 10, now_us=lambda: later).move(connection)]
    assert moved
    assert await connection.fetchval("SELECT count(*) FROM positions") == 0
    assert await seen() == before
    await transaction.rollback()
    await connection.close()


async def refused(connection: Any, query: str, *args: Any) -> None:
    """Fails unless the database refuses ``query``."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connection.transaction():
            await connection.execute(query, *args)


async def test_rows_of_a_unit_are_seen_in_it_and_above_it_and_nowhere_else(
    units: ScopeWorld, dsn: str
) -> None:
    async with as_request(dsn, EVERYWHERE) as connection:
        there = {t: await connection.fetchval(f"SELECT count(*) FROM {t}") for t in OWNED}  # noqa: S608 - constants
    async with as_request(dsn, NOTHING) as connection:
        for table in OWNED:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608 - constants
    async with as_request(dsn, A) as connection:
        for table, column in OWNED.items():
            seen = await connection.fetch(f"SELECT {column}::text FROM {table}")  # noqa: S608 - constants
            # Of each kind each of three units has the same number; of a unit's tree the names above it are seen.
            if table == "organisations":
                assert {row[0] for row in seen} == {"a", "a1", "city"}
            elif table == "rule_parameters":
                assert {row[0] for row in seen} == {"a1", "city"}
            else:
                assert len(seen) == there[table] // len(NUMBERS) > 0, table
    # A unit below is no way up.
    async with as_request(dsn, Reach(frozenset({"a1"}), "user:4")) as connection:
        assert await connection.fetchval("SELECT count(*) FROM vehicles") == 1
    # Nobody, who has forgotten to say who he is, sees nothing.
    bare = await asyncpg.connect(dsn)
    await bare.execute("SET ROLE gongche_app")
    assert await bare.fetchval("SELECT count(*) FROM vehicles") == 0
    await bare.close()


async def test_every_table_that_requests_may_read_is_under_the_reach(units: ScopeWorld, dsn: str) -> None:
    rows = await units.pool.fetch(
        "SELECT c.relname AS name, c.relrowsecurity AS secured,"
        " has_any_column_privilege('gongche_app', c.oid, 'SELECT, INSERT, UPDATE') AS reached FROM pg_class c"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')"
    )
    reached = {row["name"] for row in rows if row["reached"]}
    assert {row["name"] for row in rows if row["reached"] and not row["secured"]} == set()
    common = {
        "audit",
        "fuel_stations",
        "calendar_days",
        "order_track_times",
        "clock_doubts",
        "disposition_codes",
        "vehicle_secrecy",
        "approval_tables",  # those of the units above are read from below
        "assessment_tables",  # the same
        "tariffs",  # the same
        "driver_score_tables",  # the same
        "voucher_mappings",  # the same
        "process_samples",
        "cold_files",  # which there are; whose positions they hold, cold_terminals says
        "exchange_notices",  # of one's units and of those above
    }
    assert reached == OWNED.keys() | OF_SUBJECTS | common
    # Partitions are reached through their parent only.
    assert not any(name.startswith(("positions_", "evaluations_")) for name in reached)


async def test_a_subscription_is_seen_by_whose_it_is(units: ScopeWorld, dsn: str) -> None:
    names = {}
    for owner in ("1", "2"):
        number = await units.pool.fetchval(
            "INSERT INTO subscriptions (owner_kind, owner_id, name) VALUES ('user', $1, 'mine') RETURNING no",
            owner,
        )
        await units.pool.execute(
            "INSERT INTO webhooks (subscription_no, url, filled) VALUES ($1, 'https://receiver.example.cn/', 0)",
            number,
        )
        names[owner] = number
    async with as_request(dsn, A) as connection:  # user:1
        seen = await connection.fetch("SELECT no FROM subscriptions WHERE name = 'mine'")
        assert [row["no"] for row in seen] == [names["1"]]
        hooks = await connection.fetch(
            "SELECT subscription_no FROM webhooks WHERE subscription_no = ANY($1)", [*names.values()]
        )
        assert [row["subscription_no"] for row in hooks] == [names["1"]]
    await units.pool.execute("DELETE FROM subscriptions WHERE name = 'mine'")


async def test_what_somebody_has_read_nobody_else_sees(units: ScopeWorld, dsn: str) -> None:
    """Whatever he reaches: of each reader his own rows, and of no alert that he does not see."""
    own = await units.pool.fetchval("SELECT id FROM alerts WHERE organisation = 'a1'")
    foreign = await units.pool.fetchval("SELECT id FROM alerts WHERE organisation = 'b'")
    sql = "INSERT INTO alert_reads (reader, alert, version) VALUES ($1, $2, 1)"
    for reader in ("user:1", "user:2", "user:9"):
        await units.pool.execute(sql, reader, own)
    for reach in (A, EVERYWHERE, Reach(None, "user:2", secrets=None)):
        async with as_request(dsn, reach) as connection:
            assert {row[0] for row in await connection.fetch("SELECT reader FROM alert_reads")} == {
                reach.subject
            }
            await refused(connection, sql, "user:9", foreign)
            await connection.execute("UPDATE alert_reads SET version = 2")
            assert await connection.execute("DELETE FROM alert_reads") == "DELETE 1"
    async with as_request(dsn, A) as connection:
        await refused(connection, sql, "user:1", foreign)
    # They end with their alert.
    async with units.pool.acquire() as connection:
        around = connection.transaction()
        await around.start()
        await connection.execute("SET LOCAL session_replication_role = replica")  # no foreign keys of others
        await connection.execute("ALTER TABLE alerts ENABLE ALWAYS TRIGGER alert_reads_end")
        await connection.execute("DELETE FROM alerts WHERE id = $1", own)
        assert await connection.fetchval("SELECT count(*) FROM alert_reads WHERE alert = $1", own) == 0
        await around.rollback()
    await units.pool.execute("DELETE FROM alert_reads")


async def test_nothing_is_written_into_another_unit_or_out_of_it(units: ScopeWorld, dsn: str) -> None:
    async with as_request(dsn, A) as connection:
        await connection.execute(
            "INSERT INTO vehicles (id, plate, organisation) VALUES ('new', '苏F10000', 'a1')"
        )
        assert (
            await connection.execute("UPDATE vehicles SET category = 'x' WHERE id = 'car-a1'") == "UPDATE 1"
        )
        await refused(
            connection, "INSERT INTO vehicles (id, plate, organisation) VALUES ('x', '苏F10001', 'b')"
        )
        await refused(connection, "UPDATE vehicles SET organisation = 'b' WHERE id = 'car-a1'")  # out of it
        for query in (
            "UPDATE vehicles SET organisation = 'a' WHERE id = 'car-b'",  # into it
            "UPDATE vehicles SET category = 'x' WHERE organisation = 'b'",
            "UPDATE fuel_cards SET organisation = 'a' WHERE id = 'card-b'",
            "UPDATE terminals SET enabled = false WHERE phone = '13800000002'",
            "UPDATE organisations SET name = 'x' WHERE id IN ('a', 'b', 'city')",  # one's own unit is changed from above
            "DELETE FROM card_bindings WHERE card = 'card-b'",
            "UPDATE fuel_stations SET name = 'x'",
        ):
            assert (await connection.execute(query)).endswith(" 0"), query
        for query in (
            "INSERT INTO organisations (id, name) VALUES ('top', 'x')",
            "INSERT INTO organisations (id, name, parent) VALUES ('x', 'x', 'b')",
            "UPDATE organisations SET parent = 'b' WHERE id = 'a1'",
            "INSERT INTO fuel_transactions (id, card, at, kind) VALUES ('x', 'card-b', now(), 'fill')",
            "INSERT INTO violations (id, plate, at) VALUES ('x', '苏F00002', now())",
            "INSERT INTO violations (id, plate, at) VALUES ('x', '苏F99999', now())",
            "INSERT INTO fuel_stations (id, name) VALUES ('x', 'x')",
            "INSERT INTO calendar_days (day, workday) VALUES ('2026-12-01', true)",
            "INSERT INTO rule_parameters (rule, name, value, effective_from) VALUES ('x', 'x', 1, now())",
            "INSERT INTO rule_parameters (rule, name, organisation, value, effective_from) VALUES ('x', 'x', 'b', 1, now())",
            "INSERT INTO fences (id, version, name, organisation, vehicles, original, datum, geometry, valid_from)"
            " VALUES ('x', 1, 'x', 'a', '{car-b}', '{}', 'wgs84', '', now())",
            "INSERT INTO dispatch_orders (id, version, organisation, vehicle, task_type, status, destinations,"
            " planned_departure, planned_return) VALUES ('x', 1, 'a', 'car-b', 'official', 'approved', '[]', now(),"
            " now() + interval '1 hour')",
            # A terminal that sits in the car of another unit is not bound away from it.
            "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from, valid_to) SELECT b.terminal_no, v.no,"
            " '2020-01-01Z', '2020-02-01Z' FROM (SELECT generate_series(1, 9) AS terminal_no) b, vehicles v"
            " WHERE v.id = 'car-a1' AND NOT EXISTS (SELECT FROM terminals t WHERE t.no = b.terminal_no)",
            "UPDATE alerts SET status = 'withdrawn'",
            "DELETE FROM positions",
            "DELETE FROM vehicles",
            "TRUNCATE vehicles",
            "SELECT * FROM api_tokens",
            "SELECT * FROM evidence",
            "UPDATE vehicle_states SET state = ''",
            "SELECT * FROM vehicle_day_states",
            "SELECT * FROM current_dispatch_orders",
            "INSERT INTO changes (commit_id, kind, subject, from_time) VALUES (1, 'x', 'x', now())",
            "CREATE TABLE public.mine (x integer)",
            "ALTER TABLE vehicles DISABLE ROW LEVEL SECURITY",
            "DROP POLICY reach ON vehicles",
        ):
            await refused(connection, query)
        with pytest.raises(
            asyncpg.FeatureNotSupportedError
        ):  # COPY FROM is refused by tables under row-level security
            async with connection.transaction():
                await connection.copy_records_to_table(
                    "vehicles", records=[("x", "苏F10002", "b")], columns=["id", "plate", "organisation"]
                )


async def test_what_is_read_by_other_ways_is_no_more(units: ScopeWorld, dsn: str) -> None:
    async with as_request(dsn, A) as connection:
        copied: list[bytes] = []

        async def keep(data: bytes) -> None:
            copied.append(data)

        await connection.copy_from_query("SELECT id FROM vehicles", output=keep)
        assert b"".join(copied) == b"car-a1\n"
        # A condition that tells what it sees is asked of visible rows only.
        await connection.execute(
            "CREATE FUNCTION pg_temp.tell(t text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS"
            " $$ BEGIN RAISE NOTICE 'seen %', t; RETURN true; END $$"
        )
        told: list[str] = []
        connection.add_log_listener(lambda _c, message: told.append(message.message))
        await connection.fetch("SELECT id FROM vehicles WHERE pg_temp.tell(plate)")
        assert told == [f"seen {plate('a1')}"]
        # The functions of the policies say no more than ids of units that are reached.
        assert set(await connection.fetchval("SELECT reach_units()")) == {"a", "a1"}


async def test_a_transaction_takes_its_reach_with_it(units: ScopeWorld) -> None:
    """The end of the transaction ends the reach: the next one who gets the connection has nothing of it."""
    async with units.pool.acquire() as connection:
        with begin_with(connection, A.sql()):
            async with connection.transaction():
                assert await connection.fetchval("SELECT current_user") == "gongche_app"
                assert await connection.fetchval("SELECT current_setting('gongche.reach')") == '{"a"}'
                with pytest.raises(asyncpg.UniqueViolationError):
                    async with connection.transaction():
                        await connection.execute(
                            "INSERT INTO vehicles (id, plate, organisation) VALUES ('car-a1', 'x', 'a')"
                        )
                assert await connection.fetchval("SELECT current_user") == "gongche_app"
            assert await connection.fetchval("SELECT current_user") != "gongche_app"
            with pytest.raises(ZeroDivisionError):
                async with connection.transaction():
                    raise ZeroDivisionError
            assert await connection.fetchval("SELECT current_user") != "gongche_app"
    async with units.pool.acquire() as connection:
        await connection.execute(A.sql(session=True))
    for _ in range(20):
        async with units.pool.acquire() as connection:
            role, reach = await connection.fetchrow(
                "SELECT current_user, current_setting('gongche.reach', true)"
            )
            assert role != "gongche_app"
            assert not reach


async def test_names_of_units_are_data(units: ScopeWorld, dsn: str) -> None:
    odd = ["a'b", 'a"b', "a\\b", "{a}", "a,b", "a';SELECT 1--", "单位", "$$", "a'; SET ROLE postgres; --"]
    for name in odd:
        async with as_request(dsn, Reach(frozenset({name}), f"user:{name}")) as connection:
            assert await connection.fetchval("SELECT reach_roots()") == [name]
            assert await connection.fetchval("SELECT current_setting('gongche.subject')") == f"user:{name}"
            assert await connection.fetchval("SELECT current_user") == "gongche_app"
    assert array_text([]) == "{}"
    with pytest.raises(ValueError, match="NUL"):
        quoted("a\0")


async def test_workers_pay_nothing(units: ScopeWorld, dsn: str) -> None:
    """No policy is evaluated for the owner of the tables, nor for who reaches everywhere: their plans have no word of it."""

    async def plan(connection: Any, query: str) -> str:
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN (VERBOSE, COSTS OFF) {query}"))

    queries = [f"SELECT * FROM {table}" for table in OWNED]  # noqa: S608 - constants
    queries += [
        "INSERT INTO positions (terminal_no, device_time, fingerprint, received_at, lat_e6, lon_e6, altitude_m, speed_dkmh,"
        " direction_deg, alarm, status, quality, source) SELECT 1, now(), 1, now(), 1, 1, 1, 1, 1, 1, 1, 1, 1",
        "UPDATE alerts SET version = version + 1 WHERE id = 'x'",
        "SELECT a.id FROM alerts a JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version WHERE a.vehicle_no = 1",
    ]
    owner = await asyncpg.connect(dsn)
    try:
        for query in queries:
            assert "reach" not in await plan(owner, query)
            assert "SubPlan" not in await plan(owner, query)
        async with owner.transaction():
            await owner.execute(EVERYWHERE.sql())
            for query in queries[: len(OWNED)]:
                assert "reach" not in await plan(owner, query)
                assert "SubPlan" not in await plan(owner, query)
        async with owner.transaction():
            await owner.execute(A.sql())
            told = await plan(owner, "SELECT * FROM vehicles")
            # The tree of units is looked at once a statement, before its first row.
            assert "InitPlan" in told
            assert "SubPlan" not in told
    finally:
        await owner.close()


async def test_a_terminal_is_its_registrars_until_it_sits_in_a_vehicle(units: ScopeWorld, dsn: str) -> None:
    async with as_request(dsn, A) as connection:
        await connection.execute("INSERT INTO terminals (phone) VALUES ('555')")
        assert await connection.fetchval("SELECT home FROM terminals WHERE phone = '555'") == "a"
        await connection.execute(
            "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from) SELECT t.no, v.no, now() FROM terminals t,"
            " vehicles v WHERE t.phone = '555' AND v.id = 'car-a1'"
        )
        assert await connection.fetchval("SELECT count(*) FROM terminals WHERE phone = '555'") == 1
        assert await connection.fetchval("SELECT count(*) FROM terminals WHERE phone = $1", phone("b")) == 0
        # It goes to the unit of the vehicle, and back out of it to who had it.
        home = "SELECT home FROM terminals WHERE phone = '555'"
        assert await connection.fetchval(home) == "a1"
        await connection.execute("UPDATE vehicles SET organisation = 'a' WHERE id = 'car-a1'")
        assert await connection.fetchval(home) == "a"
        assert (
            await connection.execute("DELETE FROM terminal_bindings WHERE valid_from >= now()")
        ) == "DELETE 1"
        assert await connection.fetchval(home) == "a"
    # Who had a terminal once still sees it, and changes nothing of it.
    terminal = await units.pool.fetchval("SELECT no FROM terminals WHERE phone = $1", phone("a1"))
    owner = await asyncpg.connect(dsn)
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute(
        "UPDATE terminal_bindings SET valid_to = '2026-05-01Z' WHERE terminal_no = $1", terminal
    )
    await owner.execute(
        "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from) SELECT $1, no, '2026-05-01Z' FROM vehicles"
        " WHERE id = 'car-b'",
        terminal,
    )
    await owner.execute(A.sql())
    assert await owner.fetchval("SELECT count(*) FROM terminals WHERE no = $1", terminal) == 1
    assert await owner.execute("UPDATE terminals SET enabled = false WHERE no = $1", terminal) == "UPDATE 0"
    await refused(
        owner,
        "INSERT INTO terminal_bindings (terminal_no, vehicle_no, valid_from, valid_to) SELECT $1, no, '2025-01-01Z',"
        " '2025-02-01Z' FROM vehicles WHERE id = 'car-a1'",
        terminal,
    )
    await transaction.rollback()
    await owner.close()
    await units.pool.execute("INSERT INTO terminals (phone) VALUES ('556')")
    async with as_request(dsn, A) as connection:
        assert await connection.fetchval("SELECT count(*) FROM terminals WHERE phone = '556'") == 0
    async with as_request(dsn, EVERYWHERE) as connection:
        assert await connection.fetchval("SELECT count(*) FROM terminals WHERE phone = '556'") == 1


MIGRATION = (Path(__file__).resolve().parents[2] / "migrations" / "0031_scope.sql").read_text("utf-8")


async def test_many_make_the_roles_at_once(postgres_dsn: str) -> None:
    """Roles belong to the server: databases of it that are migrated at the same time make them together."""
    block = MIGRATION[MIGRATION.index("DO $$") : MIGRATION.index("END $$;") + len("END $$;")]
    block = block.replace("gongche_app", "race_app").replace("gongche_everywhere", "race_everywhere")
    # The schema is of each database; here it is one, and of one database only one is migrated at a time.
    usage = "EXECUTE format('GRANT USAGE ON SCHEMA %I TO race_app', current_schema());"
    assert usage in block
    block = block.replace(usage, "")
    connections = [await asyncpg.connect(postgres_dsn) for _ in range(8)]
    try:
        await asyncio.gather(*(connection.execute(block) for connection in connections))
        await connections[0].execute(block)  # again: nothing
        member = "SELECT pg_has_role('race_everywhere', 'race_app', 'MEMBER')"
        assert await connections[0].fetchval(member)
    finally:
        await connections[0].execute(
            "DROP OWNED BY race_app, race_everywhere; DROP ROLE race_app, race_everywhere"
        )
        for connection in connections:
            await connection.close()


async def test_a_user_without_rights_is_told_what_an_administrator_has_to_do(postgres_dsn: str) -> None:
    """No superuser is needed: an administrator makes the roles once, and the program's user owns its tables."""
    server = await asyncpg.connect(postgres_dsn)
    user, name = f"owner_{uuid.uuid4().hex[:8]}", f"own_{uuid.uuid4().hex[:8]}"
    parts = urlsplit(postgres_dsn)
    dsn = urlunsplit(parts._replace(netloc=f"{user}:x@{parts.netloc.rpartition('@')[2]}", path=f"/{name}"))
    try:
        await server.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'x'")
        await server.execute(f"CREATE DATABASE {name} OWNER {user}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError) as refused:
            await migrate(dsn)
        hint = str(refused.value.hint)
        assert "GRANT gongche_app" in hint
        await server.execute(hint[hint.index("GRANT gongche_app, gongche_everywhere") :])
        await migrate(dsn)
        pool = await create_pool(dsn)
        with_unit = "INSERT INTO organisations (id, name) VALUES ('a', 'x'), ('b', 'x')"
        await pool.execute(with_unit)
        async with pool.acquire() as connection:
            with begin_with(connection, A.sql()):
                async with connection.transaction():
                    assert await connection.fetchval("SELECT count(*) FROM organisations") == 1
            with begin_with(connection, EVERYWHERE.sql()):
                async with connection.transaction():
                    assert await connection.fetchval("SELECT count(*) FROM organisations") == 2
        pool.terminate()
    finally:
        await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await server.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")
        await server.close()
