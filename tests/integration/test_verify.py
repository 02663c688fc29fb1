"""``gongche verify`` on a real PostgreSQL: what holds, and what was tampered with."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from rules.alerts.model import Alert, AlertFacts, Judgement, Measure
from rules.alerts.months import KEPT
from rules.alerts.publish import publish, put_evidence
from rules.catalogue import CATALOGUE
from rules.evidence import canonical, digest, parse
from rules.judge.process import Judge
from rules.judge.subjects.all import GATHERERS
from rules.navigation import NoNavigator
from rules.wording.standard import STANDARD
from runtime.migrations import migrate
from runtime.postgres import connect
from runtime.units import to_us
from tests.released import load_database


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
    status, said = verify(accused)
    assert status == 0
    assert said.startswith("已核对 / checked 1，不符 / differ 0\n")
    assert "尚未封存 / not sealed yet" in said
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


@pytest.fixture
async def released(postgres_dsn: str) -> AsyncIterator[str]:
    """The database of release 0.1.0, migrated."""
    name = f"released_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(postgres_dsn)
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        dsn = urlunsplit(urlsplit(postgres_dsn)._replace(path=f"/{name}"))
        await load_database(dsn)
        await migrate(dsn)
        yield dsn
    finally:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await connection.close()


async def test_what_the_last_release_judged_holds_and_its_words_have_codes(released: str) -> None:
    connection = await connect(released)
    try:
        evidenced = await connection.fetchval(
            "SELECT count(*) FROM evaluations WHERE evidence_sha256 IS NOT NULL"
        )
        assert evidenced > 20
        status, said = verify(released)
        assert status == 0, said
        assert said.startswith(f"已核对 / checked {evidenced:,}，不符 / differ 0\n")
        for row in await connection.fetch(
            "SELECT DISTINCT rule, reason_code, reason_named, reason, reason_en FROM evaluations"
        ):
            assert row["reason_code"] is not None, dict(row)
            words = STANDARD.reason(row["rule"], 1, row["reason_code"], row["reason_named"])
            assert (row["reason"], row["reason_en"]) == words
        published = await connection.fetch(
            "SELECT body FROM alert_versions WHERE body->>'status' = 'withdrawn'"
        )
        assert published
        for row in published:  # as it was published
            assert "withdrawal_reason_en" not in row["body"]
            assert Alert.from_body(row["body"]).withdrawal_reason == row["body"]["withdrawal_reason"]
    finally:
        await connection.close()


async def test_judging_again_what_the_last_release_judged_adds_nothing(released: str) -> None:
    """The same facts and numbers, with a code instead of words and with sentences of today."""
    connection = await connect(released)
    try:
        judged = await connection.fetch(
            "SELECT DISTINCT ON (e.rule, e.subject) e.*, k.body AS evidence, v.body AS alert FROM evaluations e"
            " LEFT JOIN evidence k ON k.sha256 = e.evidence_sha256"
            " LEFT JOIN alerts a ON a.rule = e.rule AND a.subject = e.subject"
            " LEFT JOIN alert_versions v ON v.alert_id = a.id AND v.version = a.version"
            " ORDER BY e.rule, e.subject, e.id DESC"
        )
        before = await connection.fetchval("SELECT max(id) FROM evaluations")
        again = [judged_again(row) for row in judged]
        assert {j.outcome for j in again} == {"normal", "suspected", "undetermined"}
        async with connection.transaction():
            assert await publish(connection, again) == []
        assert await connection.fetchval("SELECT max(id) FROM evaluations") == before
    finally:
        await connection.close()


def judged_again(row: asyncpg.Record) -> Judgement:
    """The judgement of today of a stored evaluation with its evidence and alert."""
    facts: AlertFacts | None = None
    told: Mapping[str, Any] = {}
    if row["outcome"] == "suspected":
        told = CATALOGUE.evaluate(parse(row["evidence"])).told
        alert = Alert.from_body(row["alert"])
        facts = AlertFacts(
            alert.severity, alert.organisation, alert.vehicle, alert.plate, to_us(alert.occurred_from),
            None if alert.occurred_to is None else to_us(alert.occurred_to), alert.driver, alert.order,
        )  # fmt: skip
    return Judgement(
        row["rule"], row["rule_version"], row["subject"], row["vehicle_no"], row["outcome"], row["reason_code"], 0,
        {name: Measure(m["value"], m["unit"]) for name, m in row["measures"].items()}, row["parameters"],
        row["evidence"], facts, told=told,
    )  # fmt: skip


async def test_an_unknown_version_is_said_to_be_unknown(accused: str, pool: asyncpg.Pool) -> None:
    """As after going back to an older program: what a newer one judged is not called wrong."""
    body = await pool.fetchval("SELECT body FROM evidence")
    newer = canonical({**parse(body), "rule_version": 99})
    async with pool.acquire() as conn:
        await put_evidence(conn, [(newer, KEPT)])
    await pool.execute("UPDATE evaluations SET rule_version = 99, evidence_sha256 = $1", digest(newer))
    status, said = verify(accused)
    assert status == 3
    assert "已核对 / checked 0，不符 / differ 0" in said
    assert "unknown version, not judged again: card_binding 99; known: 1, 2: 1" in said
