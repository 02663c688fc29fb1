"""What many tests stand on: a real Kafka broker, and a small fleet with its worker.

The broker needs Java and Maven (the broker comes from ``tools/kafka``), or ``GONGCHE_TEST_KAFKA=host:port`` of a cluster that may
be used; there the tests that stop brokers or need users of their own are skipped.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from tools.kafka.broker import Cluster, missing, running_cluster

from rules.alerts.evaluations import with_evidence
from rules.catalogue import RULES, verify
from runtime.postgres import connect
from runtime.settings import Settings
from tests.integration.identity_site import Site, running_site
from tests.integration.log_contract import PARTITIONS
from tests.integration.worker_world import World, some_day
from tests.released import load_database


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster | None]:
    """A broker for this test run; None where GONGCHE_TEST_KAFKA names a cluster."""
    if os.environ.get("GONGCHE_TEST_KAFKA"):
        yield None
        return
    problem = missing()
    if problem:
        pytest.skip(f"no Kafka: {problem}; or set GONGCHE_TEST_KAFKA=host:port")
    with running_cluster(1) as running:
        yield running


@pytest.fixture
def own_cluster(cluster: Cluster | None) -> Cluster:
    """The broker, for tests that stop it or use its users."""
    if cluster is None:
        pytest.skip("GONGCHE_TEST_KAFKA names a cluster of somebody else")
    return cluster


@pytest.fixture
def kafka(cluster: Cluster | None) -> Settings:
    """Settings of a fresh, empty log: topics of their own."""
    return Settings(
        kafka_bootstrap=os.environ.get("GONGCHE_TEST_KAFKA") or (cluster.bootstrap if cluster else ""),
        kafka_topic_prefix=f"test-{uuid.uuid4().hex[:12]}.",
        kafka_partitions=PARTITIONS,
        kafka_replication=1,
        kafka_session_timeout_s=6 if cluster is None else 1.5,
        kafka_timeout_s=90,  # a broker that was just started, on a machine that works at capacity
    )


@pytest.fixture(scope="session")
def site(
    postgres_dsn: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Two APIs over one database, for the tests of people, which share it."""
    with running_site(postgres_dsn, template_database, tmp_path_factory.mktemp("people")) as made:
        yield made


@pytest.fixture(autouse=True)
def _unlocked(request: pytest.FixtureRequest) -> None:
    """All tests of ``site`` come from one address: what the one before did wrong is forgotten."""
    if "site" in request.fixturenames:
        request.getfixturevalue("site").sql("DELETE FROM login_failures")


@pytest.fixture
async def verified(db_url: str) -> AsyncIterator[None]:
    """After a test of a judge or worker: all evidence that it leaves behind gives, judged again from its bytes alone, the
    outcome and the numbers that were stored with it."""
    yield
    connection = await connect(db_url)
    try:
        for rule in RULES:
            rows = await with_evidence(connection, rule.code, 0, 1_000)
            for row in rows:
                assert (
                    verify(
                        row.body, outcome=row.outcome, measures=row.measures, sha256=row.sha256, sm3=row.sm3
                    )
                    == []
                ), (row.rule, row.subject)
    finally:
        await connection.close()


#: Tests that are followed by ``verified`` where they have a database.
VERIFIED = {"test_judge_loop", "test_judge_cards", "test_judge_violations", "test_worker"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Has the tests of VERIFIED followed by ``verified``."""
    judging = metafunc.module.__name__.rpartition(".")[2] in VERIFIED
    if judging and "db_url" in metafunc.fixturenames and "verified" not in metafunc.fixturenames:
        metafunc.fixturenames.append("verified")


@pytest.fixture
async def world(pool: asyncpg.Pool, db_url: str, tmp_path: Path) -> AsyncIterator[World]:
    """A fleet of the usual size, its worker and its judge of destinations, on a database of their own; tests of other rooms
    have worlds of theirs."""
    made = World(pool, tmp_path, some_day(), db_url)
    await made.build()
    yield made
    await made.close()


@pytest.fixture
async def released_database(postgres_dsn: str) -> AsyncIterator[str]:
    """DSN of a database of the last release (``tests/released.py``), not migrated."""
    name = f"released_{uuid.uuid4().hex[:12]}"
    server = await asyncpg.connect(postgres_dsn)
    try:
        await server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        dsn = urlunsplit(urlsplit(postgres_dsn)._replace(path=f"/{name}"))
        await load_database(dsn)
        yield dsn
    finally:
        await server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await server.close()
