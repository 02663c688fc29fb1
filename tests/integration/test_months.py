"""Months of judgements: nothing is lost when they come, old ones go as a whole, evidence of alerts stays."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from rules.alerts.evaluations import EvaluationFilter, list_evaluations, with_evidence
from rules.alerts.feed import alert_versions, evidence_body, evidence_of, publish_feed
from rules.alerts.model import AlertFacts, Judgement, Measure
from rules.alerts.months import drop_months, make_months
from rules.alerts.publish import evaluations_of, publish
from runtime.connection import Connection
from runtime.migrations import migrate, migration_files
from runtime.postgres import connect
from runtime.units import US_PER_DAY, to_us
from tests.released import load_database

KEEP_DAYS = 100


def us(year: int, month: int, day: int = 15) -> int:
    return to_us(datetime(year, month, day, 12, tzinfo=UTC))


NOW = us(2026, 3)


def judged(subject: str, at_us: int, outcome: str = "normal", evidence: bytes | None = None) -> Judgement:
    facts = AlertFacts("low", "o", None, "", at_us, None)
    suspected = outcome == "suspected"
    return Judgement(
        "location", 1, subject, None, outcome, outcome, at_us, evidence=evidence,  # type: ignore[arg-type]  # one of three
        alert=facts if suspected else None, card=f"card-{subject}" if suspected else None, told={"plate": "p"},
        measures={name: Measure(1, "m") for name in ("distance_m", "farthest_m")} if suspected else {},
    )  # fmt: skip


async def store(pool: asyncpg.Pool, *judgements: Judgement) -> None:
    async with pool.acquire() as conn, conn.transaction():
        await publish_feed(conn, await publish(conn, judgements))


async def places(conn: Connection, table: str, what: str) -> dict[str, str]:
    """``what`` of each row of ``table`` -> the partition it is in."""
    rows = await conn.fetch(
        f"SELECT {what} AS what, tableoid::regclass::text AS place FROM {table} ORDER BY 1"  # noqa: S608 - fixed names
    )
    return {r["what"]: r["place"] for r in rows}


TEXT = "convert_from(body, 'UTF8')"


async def test_months_are_made_ahead_and_what_waited_moves_there(pool: asyncpg.Pool) -> None:
    await store(
        pool,
        judged("old", us(2024, 1), evidence=b"old"),
        judged("january", us(2026, 1), evidence=b"january"),
        judged("march", NOW, evidence=b"march"),
        judged("alert", NOW, "suspected", b"alert"),
    )
    async with pool.acquire() as conn:
        made = await make_months(conn, NOW, KEEP_DAYS)
        months = ("202601", "202603", "202604", "202605")  # February has no rows and is over
        assert made == [f"{table}_{month}" for table in ("evaluations", "evidence") for month in months]
        assert await make_months(conn, NOW, KEEP_DAYS) == []
        assert await places(conn, "evaluations", "subject") == {
            "alert": "evaluations_202603", "january": "evaluations_202601", "march": "evaluations_202603",
            "old": "evaluations_default",
        }  # fmt: skip
        assert await places(conn, "evidence", TEXT) == {
            "alert": "evidence_of_alerts", "january": "evidence_202601", "march": "evidence_202603",
            "old": "evidence_default",
        }  # fmt: skip
        async with conn.transaction():
            with pytest.raises(RuntimeError):
                await make_months(conn, NOW, KEEP_DAYS)


async def test_a_month_goes_as_a_whole_and_evidence_of_alerts_never(pool: asyncpg.Pool) -> None:
    await store(pool, judged("old", us(2024, 1), evidence=b"old"), judged("a", us(2026, 1), evidence=b"a"))
    await store(pool, judged("alert", us(2026, 1), "suspected", b"first"))
    # Withdrawn on evidence of its own, which only this normal judgement names.
    await store(pool, judged("alert", us(2026, 1), "normal", b"second"))
    await store(pool, judged("b", us(2026, 2, 1), evidence=b"a"))  # the same evidence, a month later
    async with pool.acquire() as conn:
        await make_months(conn, us(2026, 2), KEEP_DAYS)
        assert len(await with_evidence(conn, None, 0, 100)) == 5
        begins_february = us(2026, 2, 1) - US_PER_DAY // 2
        assert await drop_months(conn, begins_february + KEEP_DAYS * US_PER_DAY - 1, KEEP_DAYS) == []
        assert list(await places(conn, "evaluations", "subject")) == ["a", "alert", "b"]  # 2024 had no month
        dropped = await drop_months(conn, begins_february + KEEP_DAYS * US_PER_DAY, KEEP_DAYS)
        assert dropped == ["evaluations_202601", "evidence_202601"]
        assert await places(conn, "evaluations", "subject") == {"b": "evaluations_202602"}
        (left,) = await with_evidence(conn, None, 0, 100)
        assert (left.subject, left.body) == ("b", b"a")
        id = await conn.fetchval("SELECT id FROM alerts")
        versions = await alert_versions(conn, id)
        assert [v.alert.status for v in versions] == ["suspected", "withdrawn"]
        for version, body in ((1, b"first"), (2, b"second")):
            kept = await evidence_of(conn, id, version)
            assert kept is not None
            assert kept.body == body
            assert await evidence_body(conn, kept.sha256) == body


async def test_workers_that_make_and_drop_the_same_months_do_not_disturb_each_other(
    pool: asyncpg.Pool,
) -> None:
    async def both(now_us: int) -> tuple[list[str], list[str]]:
        async with pool.acquire() as conn:
            return await make_months(conn, now_us, KEEP_DAYS), await drop_months(conn, now_us, KEEP_DAYS)

    await store(pool, judged("a", NOW, evidence=b"a"))
    await asyncio.gather(*(both(NOW) for _ in range(5)))
    done = await asyncio.gather(*(both(us(2026, 8)) for _ in range(5)))
    gone = [name for _, dropped in done for name in dropped]
    assert sorted(gone) == [f"{table}_20260{m}" for table in ("evaluations", "evidence") for m in (3, 4)]
    assert await pool.fetchval("SELECT count(*) FROM evaluations") == 0


async def test_what_was_judged_before_a_drop_is_judged_again_as_if_new(pool: asyncpg.Pool) -> None:
    """A subject whose judgement has gone gets another one, and its alert no new version for that."""
    one = judged("alert", us(2026, 1), "suspected", b"first")
    await store(pool, one)
    async with pool.acquire() as conn:
        await make_months(conn, us(2026, 1), KEEP_DAYS)
        await drop_months(conn, us(2026, 9), KEEP_DAYS)
        assert await evaluations_of(conn, "location", ["alert"]) == {}
    await store(pool, judged("alert", us(2026, 9), "suspected", b"first"))
    assert await pool.fetchval("SELECT count(*) FROM evaluations") == 1
    assert await pool.fetchval("SELECT count(*) FROM alert_feed") == 2  # its time of occurrence is another


@pytest.fixture
async def released(postgres_dsn: str) -> AsyncIterator[str]:
    """DSN of a database with the schema of release 0.1.0 and nothing in it."""
    name = f"older_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(postgres_dsn)
    await server.execute(f'CREATE DATABASE "{name}"')
    dsn = urlunsplit(urlsplit(postgres_dsn)._replace(path=f"/{name}"))
    connection = await connect(dsn)
    await connection.execute(
        "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL, sha256 bytea NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())"
    )
    for file in migration_files():
        if file.name < "0012":
            await connection.execute(file.read_text("utf-8"))
            await connection.execute(
                "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)",
                int(file.name[:4]), file.name, hashlib.sha256(file.read_bytes()).digest(),
            )  # fmt: skip
    await connection.close()
    yield dsn
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


ROWS = "SELECT e::text FROM (SELECT {} FROM {}) e ORDER BY 1"
EVALUATIONS = "id, rule, rule_version, subject, vehicle_no, outcome, measures, parameters, evidence_sha256, evaluated_at"
EVIDENCE = "sha256, body, created_at, sm3"


async def test_no_row_of_the_last_release_is_lost(released: str) -> None:
    connection = await connect(released)
    try:
        await connection.execute("""
            INSERT INTO evidence (sha256, body) SELECT sha256(i::text::bytea), i::text::bytea FROM generate_series(1, 500) i;
            INSERT INTO evaluations (rule, rule_version, subject, outcome, reason, measures, parameters, evidence_sha256,
                evaluated_at) SELECT 'mileage', 1, 'order:P' || i % 900, 'suspected', 'exceeds', '{}', '{}',
                CASE WHEN i <= 500 THEN sha256(i::text::bytea) END, now() - i * interval '1 hour' FROM generate_series(1, 2000) i;
            -- A clock that went wrong, both ways.
            INSERT INTO evaluations (rule, rule_version, subject, outcome, reason, measures, parameters, evaluated_at)
                SELECT 'mileage', 1, 'wrong', 'normal', 'within', '{}', '{}', at::timestamptz
                  FROM unnest('{1970-01-01Z, 2099-12-31Z}'::text[]) at;
            INSERT INTO alerts (id, rule, subject, version, status, severity, organisation, occurred_from, detected_at,
                updated_at) SELECT i::text, 'mileage', 'order:P' || i, 1, 'suspected', 'low', 'o', now(), now(), now()
                FROM generate_series(1, 100) i;
            INSERT INTO alert_versions (alert_id, version, body, evidence_sha256)
                SELECT i::text, 1, '{}', sha256(i::text::bytea) FROM generate_series(1, 100) i;
            SELECT setval(pg_get_serial_sequence('evaluations', 'id'), 5000);  -- some were rolled back
        """)
        before = [
            await connection.fetch(ROWS.format(columns, table))
            for columns, table in ((EVALUATIONS, "evaluations"), (EVIDENCE, "evidence"))
        ]
        await migrate(released)
        after = [
            await connection.fetch(ROWS.format(columns, table))
            for columns, table in ((EVALUATIONS, "evaluations"), (EVIDENCE, "evidence"))
        ]
        assert after == before
        now_us = to_us(await connection.fetchval("SELECT now()"))
        async with connection.transaction():
            await publish(connection, [judged("new", now_us, evidence=b"new")])
        newest = await list_evaluations(connection, EvaluationFilter(subject="new"))
        assert [e["id"] for e in newest] == [5001]
        (shown,) = await list_evaluations(connection, EvaluationFilter(from_us=us(2090, 1)))
        assert shown["subject"] == "wrong"
        # The rows of before are one partition, which ends with this month.
        made = await make_months(connection, now_us, 400)
        assert len(made) >= 4
        assert not any(name.endswith(f"{datetime.now(UTC):%Y%m}") for name in made if "evaluations" in name)
        assert await drop_months(connection, now_us + 390 * US_PER_DAY, 400) == []
        dropped = await drop_months(connection, now_us + 470 * US_PER_DAY, 400)
        assert any(name.startswith("evaluations_before_") for name in dropped)
        assert await connection.fetchval("SELECT count(*) FROM evidence_of_alerts") == 500
        assert [r["subject"] for r in await connection.fetch("SELECT subject FROM evaluations")] == ["wrong"]
    finally:
        await connection.close()


async def test_the_machine_of_the_last_release_keeps_every_judgement_and_all_evidence(
    postgres_dsn: str,
) -> None:
    name = f"machine_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(postgres_dsn)
    await server.execute(f'CREATE DATABASE "{name}"')
    dsn = urlunsplit(urlsplit(postgres_dsn)._replace(path=f"/{name}"))
    try:
        await load_database(dsn)
        connection = await connect(dsn)
        await connection.execute("SET search_path TO public")  # a dump leaves it empty
        what = ((EVALUATIONS, "evaluations"), (EVIDENCE, "evidence"))
        before = [await connection.fetch(ROWS.format(*one)) for one in what]
        evidenced = await connection.fetchval(
            "SELECT count(*) FROM evaluations WHERE evidence_sha256 IS NOT NULL"
        )
        assert min(len(before[0]), len(before[1]), evidenced) > 0
        await migrate(dsn)
        assert [await connection.fetch(ROWS.format(*one)) for one in what] == before
        assert len(await with_evidence(connection, None, 0, 1_000_000)) == evidenced
        alerts = await connection.fetch(
            "SELECT id, card FROM alerts WHERE rule IN ('card_binding', 'refuel_frequency')"
        )
        assert alerts
        assert all(alert["card"] is not None for alert in alerts)
        assert all([await evidence_of(connection, alert["id"]) is not None for alert in alerts])
        await connection.close()
    finally:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.close()


async def test_alerts_of_before_know_their_card(released: str) -> None:
    connection = await connect(released)
    try:
        await connection.execute("""
            INSERT INTO organisations (id, name) VALUES ('o', '单位');
            INSERT INTO fuel_cards (id, organisation) SELECT id, 'o' FROM unnest('{c1, "c:2", unbound}'::text[]) id;
            INSERT INTO alerts (id, rule, subject, version, status, severity, organisation, occurred_from, detected_at,
                updated_at) SELECT subject, rule, subject, 1, 'suspected', 'low', 'o', now(), now(), now() FROM (VALUES
                ('refuel_frequency', 'card:c1:after:P1'), ('refuel_frequency', 'card:c%3A2:after:P1:bound:2026'),
                ('card_binding', 'unbound:c:2'), ('card_binding', 'binding:c:2:20260101T000000'),
                ('card_binding', 'unbound:unbound'), ('card_binding', 'unbound:nobody'), ('mileage', 'order:c1')
                ) AS s (rule, subject);
        """)
        await migrate(released)
        cards = dict(await connection.fetch("SELECT subject, card FROM alerts"))
    finally:
        await connection.close()
    assert cards == {
        "card:c1:after:P1": "c1", "card:c%3A2:after:P1:bound:2026": "c:2", "unbound:c:2": "c:2",
        "binding:c:2:20260101T000000": "c:2", "unbound:unbound": "unbound", "unbound:nobody": None, "order:c1": None,
    }  # fmt: skip


async def test_a_database_without_judgements_gets_no_month_of_before(pool: asyncpg.Pool) -> None:
    """So that the schema of a new database is the same whenever it is made."""
    rows = await pool.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent IN ('evaluations'::regclass, 'evidence'::regclass)"
    )
    assert {r["name"] for r in rows} == {"evaluations_default", "evidence_default", "evidence_of_alerts"}
