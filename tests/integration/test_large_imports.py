"""A large import runs in a process of its own: it says what a small one says, and whatever becomes of that process, nothing is
half written and the API goes on."""

# ruff: noqa: F811 - fixtures are imported
from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from api.registry.importing import SMALL
from runtime.settings import Settings
from tests.integration.test_api_registry import ORDER, check_problem, client, fleet  # noqa: F401 - fixtures
from tests.integration.test_api_service import serve
from tests.integration.test_business_facts import office  # noqa: F401 - the fixture
from tests.integration.test_statements import STATEMENT, fill, text
from tests.waiting import until

ORDERS = "/v1/dispatch-orders:import"


def orders(count: int, **wrong: Any) -> bytes:
    """A file of orders; the last one is ``wrong``."""
    rows = [ORDER | {"id": f"o{k}", "purpose": "公务" * 20} for k in range(count)]
    rows[-1] |= wrong
    return orjson.dumps(rows)


async def post(client: httpx.AsyncClient, data: bytes) -> httpx.Response:
    return await client.post(ORDERS, content=data, headers={"Content-Type": "application/json"})


def import_processes() -> list[int]:
    """The numbers of our processes of imports."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words, status = line.read_bytes(), (line.parent / "stat").read_text()
        except OSError:  # it has ended
            continue
        parent = int(status.rpartition(")")[2].split()[1])
        if b"registry.import_process" in words and parent == os.getpid():
            found.append(int(line.parent.name))
    return found


async def import_process() -> int:
    """The number of the process of an import that has just begun."""
    found: list[int] = []

    def begun() -> list[int]:
        found[:] = import_processes()
        return found

    await until(begun, "an import has begun")
    return found[0]


async def test_it_says_what_a_small_one_says(fleet: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    for wrong in ({"vehicle": "nobody"}, {"status": "lost"}, {"planned_departure": 5}):
        told = []
        for count in (2, 400):
            data = orders(count, **wrong)
            assert (len(data) > SMALL) == (count == 400)
            problem = check_problem(await post(fleet, data), 422)
            (error,) = problem.pop("errors")
            assert error.pop("row") == count
            told.append((problem, error))
        assert told[0] == told[1]
    assert await pool.fetchval("SELECT count(*) FROM dispatch_orders") == 0
    for expected in ("created", "unchanged"):
        answer = await post(fleet, orders(400))
        assert answer.status_code == 200, answer.text
        assert answer.json()[expected] == answer.json()["rows"] == 400


async def test_it_tells_how_far_it_is(office: httpx.AsyncClient) -> None:
    rows = [
        fill(k % 60, litres=f"{10 + k // 60}.{k % 60:02}", station="人民路第一加油站") for k in range(2500)
    ]
    data = text(*rows)
    assert len(data) > SMALL
    headers = {"Content-Type": "text/csv", "Accept": "application/x-ndjson"}
    answer = await office.post(STATEMENT, content=data, headers=headers)
    *steps, report = (orjson.loads(line) for line in answer.content.splitlines())
    assert steps == [{"rows": 2500, "done": done} for done in (0, 2000, 2500)]
    assert (report["rows"], report["created"]) == (2500, 2500)


async def test_killed_it_has_written_nothing_and_the_next_one_does(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    data = orders(5000)
    asked = asyncio.ensure_future(post(fleet, data))
    os.kill(await import_process(), signal.SIGKILL)
    answer = await asked
    check_problem(answer, 503, "-9")
    assert answer.headers["retry-after"]
    assert await pool.fetchval("SELECT count(*) FROM dispatch_orders") == 0
    assert (await post(fleet, orders(400))).json()["created"] == 400


async def test_it_ends_with_the_request(fleet: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    asked = asyncio.ensure_future(post(fleet, orders(5000)))
    await import_process()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert not import_processes()
    assert await pool.fetchval("SELECT count(*) FROM dispatch_orders") == 0


async def test_a_fault_in_it_is_logged_here_with_its_traceback(
    fleet: httpx.AsyncClient, pool: asyncpg.Pool, caplog: pytest.LogCaptureFixture
) -> None:
    await pool.execute("ALTER TABLE dispatch_orders RENAME COLUMN purpose TO something")
    check_problem(await post(fleet, orders(400)), 500)
    assert "UndefinedColumnError" in caplog.text
    assert "registry/order_versions.py" in caplog.text


async def test_a_database_that_does_not_answer_is_503(pool: asyncpg.Pool, tmp_path: Path) -> None:
    nowhere = Settings(database_url=f"postgresql://nobody@/none?host={tmp_path}")
    async with serve(pool, settings=nowhere) as client:
        check_problem(await post(client, orders(400)), 503)
