"""Two gateways on one port, two workers in one group, one API, over a real Kafka: whoever is killed, the results are
those of one undisturbed worker.

Needs Java and Maven (the broker comes from ``tools/kafka``), or ``GONGCHE_TEST_KAFKA=host:port``.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import numpy as np
import pytest
from tools.kafka.broker import kafka_cluster, missing

from office.identity.tokens import create_token
from runtime.arrays import Ints
from runtime.postgres import connect
from tests.databases import copy_of
from tests.faults.audit import Audit, Reference
from tests.faults.load import Load
from tests.faults.plan import STEP_S, Plan
from tests.integration.scaleout_site import Site
from tests.waiting import until

TERMINALS, RATE, SECONDS, MORE_S = 40, 1_600.0, 5.0, 12


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """Address of a Kafka."""
    given = os.environ.get("GONGCHE_TEST_KAFKA")
    if given:
        yield given
        return
    problem = missing()
    if problem:
        pytest.skip(f"no Kafka: {problem}; or set GONGCHE_TEST_KAFKA=host:port")
    with kafka_cluster(brokers=1) as address:
        yield address


@pytest.fixture
async def undisturbed(postgres_dsn: str, template_database: str) -> AsyncIterator[str]:
    """DSN of a second fresh database."""
    async with copy_of(postgres_dsn, template_database) as dsn:
        yield dsn


async def _register(plan: Plan, *dsns: str) -> None:
    for dsn in dsns:
        connection = await connect(dsn)
        await plan.register(connection)
        await connection.close()


async def _whole_feed(site: Site) -> list[dict[str, object]]:
    connection = await connect(site.dsn)
    token = await create_token(connection, "test", ["alerts:read"])
    await connection.close()
    headers = {"Authorization": f"Bearer {token.secret}"}
    found: list[dict[str, object]] = []
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{site.api.port}", headers=headers) as client:
        cursor: dict[str, str] = {}
        while True:
            answer = await client.get("/v1/alerts/feed", params={"limit": "20", **cursor})
            page = answer.raise_for_status().json()
            if not page["items"]:
                return found
            found += page["items"]
            cursor = {"cursor": page["next"]}


async def _audit(site: Site, load: Load) -> tuple[Ints, Ints]:
    """Rows = replied reports, each once. Returns (terminal, row) of the stored ones, int64, shape (n,)."""
    plan, offered = load.plan, load.next_row
    assert load.ledger.wrong == []
    assert load.ledger.confirmed[:, :offered].all(), "not everything was replied to"
    connection = await asyncpg.connect(site.dsn)
    try:
        rows = await connection.fetch(
            "SELECT t.phone::bigint - $1 AS terminal, extract(epoch FROM p.device_time)::bigint AS at"
            " FROM positions p JOIN terminals t ON t.no = p.terminal_no",
            int(plan.phone(0)),
        )
    finally:
        await connection.close()
    sent = range(plan.start_s, plan.start_s + offered * STEP_S, STEP_S)
    expected = Counter((terminal, at) for terminal in range(plan.terminals) for at in sent)
    stored = Counter((r["terminal"], r["at"]) for r in rows)
    assert stored == expected
    keys = np.array(sorted(stored), np.int64)
    return keys[:, 0], (keys[:, 1] - plan.start_s) // STEP_S


async def test_two_of_each_give_what_one_undisturbed_worker_gives(
    tmp_path: Path, bootstrap: str, db_url: str, undisturbed: str
) -> None:
    plan = Plan.ending_before(datetime.now(UTC), TERMINALS, int((SECONDS + MORE_S) * RATE / TERMINALS) + 5)
    await _register(plan, db_url, undisturbed)
    prefix = f"test-{uuid.uuid4().hex[:12]}."
    async with (
        Site(tmp_path, db_url, bootstrap, prefix, gateways=2, workers=2) as site,
        Load(plan, [site.port], rate=RATE) as load,
    ):
        driving = asyncio.create_task(load.drive(SECONDS))

        async def accepted() -> list[float]:
            return [await gateway.metric("gongche_gateway_accepted_total") for gateway in site.gateways]

        async def all_there() -> bool:
            return sum(await accepted()) >= TERMINALS

        await until(all_there, "every terminal has connected")
        before = await accepted()
        assert min(before) > 0, "one gateway gets every terminal"
        assert sum(before) == TERMINALS
        await asyncio.gather(
            site.killed(site.gateways[0], down_s=0.3), site.killed(site.workers[0], down_s=0.5)
        )
        # Those of the killed gateway have come back to whichever there was, with the codes that it had issued.
        assert load.ledger.connects >= TERMINALS + before[0]
        await site.killed(site.gateways[1], down_s=0.0)
        await driving
        for _ in range(MORE_S):  # until those that were killed have their share again
            await load.drive(1)
            if all([await worker.metric("gongche_worker_rows_total") for worker in site.workers]):
                break
        await load.flush(30)
        await site.settled()

        terminal, row = await _audit(site, load)
        for process in site.all:
            assert process.running, f"{process.name} has ended by itself:\n{process.last_words()}"
        # All went to it when the other one was killed.
        assert await site.gateways[0].metric("gongche_gateway_positions_confirmed_total") > 0
        for worker in site.workers:
            assert await worker.metric("gongche_worker_rows_total") > 0

        found, reference = Audit(), Reference(plan, undisturbed, tmp_path / "undisturbed" / "log.sqlite")
        await reference.feed(terminal, row)
        await reference.compare(site, found)
        assert found.wrong == []
        assert found.alerts > 10
        assert found.evaluations > 5

        feed = await _whole_feed(site)
        versions = Counter((alert["id"], alert["version"]) for alert in feed)
        assert max(versions.values()) == 1
        newest = {alert["id"]: alert for alert in feed}
        standing = [alert for alert in newest.values() if alert["status"] == "suspected"]
        assert len(standing) == found.alerts
        subjects = Counter((a["rule"], a["vehicle"], a["occurred_from"], a["order"]) for a in standing)
        assert max(subjects.values()) == 1
