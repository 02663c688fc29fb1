"""Many write the registry at once: no write waits for an import of other records, none is refused for another's sake, and what
must hold holds."""

# ruff: noqa: F811 - fixtures are imported
from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest

from office.identity.tokens import SCOPES, create_token
from registry import writing
from registry.records import KINDS, apply
from registry.refusals import RefusedError
from registry.values import Record
from registry.writing import in_transaction
from tests.integration.api_process import Line, api_process, lines
from tests.integration.test_api_registry import FENCE, ORDER, client, fleet  # noqa: F401 - fixtures

CARD = {"organisation": "finance", "plate": "苏F00001", "valid_from": "2026-01-01T00:00:00+08:00"}
FILL = {"card": "c1", "at": "2026-03-02T08:05:09+08:00", "kind": "fill", "station_name": "人民路站"}
SINCE = "2026-01-01T00:00:00+08:00"


def bodies(kind: str, name: str, number: int) -> dict[str, Any]:
    """A record of a kind that nothing else has to do with: ``number`` makes its plates, phones and days."""
    made: dict[str, dict[str, Any]] = {
        "organisations": {"name": name, "parent": "finance"},
        "vehicles": {"plate": f"苏F{number:05}", "organisation": "finance"},
        "terminals": {"model": name, "vehicle": None, "valid_from": SINCE},
        "drivers": {"name": name, "organisation": "finance"},
        "fences": FENCE | {"name": name},
        "dispatch-orders": ORDER | {"purpose": name},
        "fuel-cards": CARD | {"issuer": name},
        "fuel-stations": {"name": name},
        "fuel-transactions": FILL | {"source": name},
        "violations": {"plate": "苏F00001", "at": "2026-03-02T08:05:00+08:00", "act": name},
        "calendar-days": {"workday": True, "name": name},
        "clock-corrections": {
            "terminal": "13800000001",
            "valid_from": (datetime.fromisoformat(SINCE) + timedelta(seconds=number)).isoformat(),
            "shift_s": 28_800,
            "note": name,
        },
    }
    return made[kind]


def key(kind: str, name: str, number: int) -> str:
    if kind == "terminals":
        return f"139{number:08}"
    if kind == "calendar-days":
        return f"20{number % 60 + 20}-0{number // 60 % 9 + 1}-1{number // 540 % 10}"
    return name


def some(kind: str, prefix: str, first: int, count: int) -> list[Record]:
    made = []
    for number in range(first, first + count):
        name = f"{prefix}{number}"
        made.append(
            KINDS[kind].model.model_validate({"id": key(kind, name, number)} | bodies(kind, name, number))
        )
    return made


@pytest.fixture
async def office(fleet: httpx.AsyncClient) -> httpx.AsyncClient:
    """The fleet, with card c1 and a terminal."""
    response = await fleet.put("/v1/fuel-cards/c1", json=CARD)
    assert response.status_code == 201, response.text
    response = await fleet.put("/v1/terminals/13800000001", json={})
    assert response.status_code == 201, response.text
    return fleet


async def test_writes_of_other_records_end_while_an_import_is_open(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    """The transaction of an import of every kind, with new records and changed ones, stays open; meanwhile records of every
    kind are written, and the import's own parents."""
    for kind in KINDS:
        async with pool.acquire() as conn:
            await in_transaction(conn, partial(apply, conn, some(kind, "old", 500, 40)))
    for kind in KINDS:
        async with pool.acquire() as conn:
            transaction = conn.transaction()
            await transaction.start()
            changed = [
                KINDS[kind].model.model_validate(
                    {"id": record.id} | bodies(kind, f"changed{number}", number + 10_000)
                )
                for number, record in enumerate(some(kind, "old", 500, 40), start=500)
            ]
            await apply(conn, changed)
            await apply(conn, some(kind, "new", 600, 200))
            behind_names = kind in ("fuel-stations", "fuel-transactions")  # see the next test
            for other in KINDS:
                if behind_names and other in ("fuel-stations", "fuel-transactions"):
                    continue
                number = 3000 + 13 * list(KINDS).index(kind) + list(KINDS).index(other)
                body = bodies(other, f"{kind}-{number}", number)
                async with asyncio.timeout(60):
                    answer = await office.put(
                        f"/v1/{other}/{key(other, f'{kind}-{number}', number)}", json=body
                    )
                assert answer.status_code == 201, (kind, other, answer.text)
            # An order of a vehicle, a transaction of a card: their parents may be in the import.
            if kind == "vehicles":
                answer = await office.put("/v1/dispatch-orders/of-old", json=ORDER | {"vehicle": "old500"})
                assert answer.status_code == 201, answer.text
            if kind == "fuel-cards":
                answer = await office.put("/v1/fuel-transactions/of-old", json=FILL | {"card": "old500"})
                assert answer.status_code == 201, answer.text
            await transaction.rollback()


#: A quarter of what an import may have: the whole takes minutes of both processors. The figure that is told is of 20,000.
ROWS: Final = int(os.environ.get("IMPORT_ROWS", "5000"))


async def test_many_puts_beside_a_large_import(
    office: httpx.AsyncClient,
    pool: asyncpg.Pool,
    db_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The API and the import are processes of their own; the clients are here, and share the machine's cores with them and
    with the database."""
    token = (await create_token(pool, "puts", SCOPES)).secret
    rows = [ORDER | {"id": f"import{k}", "purpose": f"p{k}"} for k in range(ROWS)]
    took: list[float] = []

    async def put(line: Line, number: int) -> None:
        kind = list(KINDS)[number % len(KINDS)]
        name = f"beside{number}"
        begun = time.perf_counter()
        status, answer = await line.send(
            "PUT", f"/v1/{kind}/{key(kind, name, 4000 + number)}", bodies(kind, name, 4000 + number)
        )
        took.append(time.perf_counter() - begun)
        # Of days there are fewer than a slow machine writes here.
        assert status in (200, 201), (kind, answer)

    async with api_process(db_url, tmp_path / "data") as port, lines(port, token, 51) as (large, *others):
        importing = asyncio.ensure_future(large.send("POST", "/v1/dispatch-orders:import", rows))
        rounds = 0
        while not importing.done() or not rounds:
            await asyncio.gather(*(put(line, 50 * rounds + k) for k, line in enumerate(others)))
            rounds += 1
        status, report = await importing
    assert status == 200, report
    assert report["created"] == ROWS
    assert await pool.fetchval("SELECT count(*) FROM dispatch_orders WHERE id LIKE 'import%'") == ROWS
    took.sort()
    with capsys.disabled():
        print(
            f"\n{len(took)} PUTs, 50 at once, beside an import of {ROWS} rows (API, import, PostgreSQL and the clients are"
            f" processes of one machine with {os.cpu_count()} cores): median {took[len(took) // 2] * 1000:.0f} ms, p99"
            f" {took[int(len(took) * 0.99)] * 1000:.0f} ms"
        )


async def all_at_once(pool: asyncpg.Pool, works: Sequence[Callable[[Any], Awaitable[Any]]]) -> Counter[str]:
    """What became of transactions that run at the same time, each begun again as often as it needs."""

    async def one(work: Callable[[Any], Awaitable[Any]]) -> str:
        async with pool.acquire() as conn:
            try:
                (result,) = set(await in_transaction(conn, lambda: work(conn)))
            except RefusedError as error:
                return "conflict" if error.conflict else "refused"
            return str(result)

    return Counter(await asyncio.gather(*map(one, works)))


def writes(kind: str, *given: dict[str, Any]) -> Callable[[Any], Awaitable[Any]]:
    records = [KINDS[kind].model.model_validate(body) for body in given]
    return lambda conn: apply(conn, records)


async def test_one_record_written_by_many_at_once_is_made_once(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    for kind in KINDS:
        body = {"id": key(kind, "one", 77)} | bodies(kind, "one", 77)
        results = await all_at_once(pool, [writes(kind, body) for _ in range(8)])
        assert sum(results.values()) == 8
        assert not results["refused"], kind
        assert not results["conflict"], kind
        assert results["created"] >= 1, kind
        if kind not in ("terminals", "fuel-stations"):
            assert results == {"created": 1, "unchanged": 7}, kind


async def test_imports_of_the_same_records_in_another_order_are_both_written(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    rng = random.Random(1)
    for kind in KINDS:
        for turn in ("made", "changed"):
            works = []
            for part in range(3):
                given = [
                    {"id": key(kind, f"both{k}", 900 + k)} | bodies(kind, f"both{k}", 900 + k)
                    for k in range(60)
                ]
                field = next(
                    (f for f in ("purpose", "issuer", "source", "act", "model", "category") if f in given[0]),
                    "",
                )
                for body in given:
                    if turn == "changed" and field:
                        body[field] = f"{turn}{part}"
                rng.shuffle(given)
                works.append(done(writes(kind, *given)))
            results = await all_at_once(pool, works)
            assert results == {"done": 3}, (kind, turn)


def done(work: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[list[str]]]:
    async def all_of_it(conn: Any) -> list[str]:
        await work(conn)
        return ["done"]

    return all_of_it


async def test_a_plate_goes_to_one_of_many(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    for number in range(5):
        cars = [
            writes(
                "vehicles", {"id": f"P{number}-{k}", "plate": f"苏F1111{number}", "organisation": "finance"}
            )
            for k in range(6)
        ]
        assert await all_at_once(pool, cars) == {"created": 1, "conflict": 5}


async def test_units_never_form_a_ring(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    for number in range(5):
        a, b, c = (f"{one}{number}" for one in "abc")
        async with pool.acquire() as conn:
            await apply(
                conn, [KINDS["organisations"].model.model_validate({"id": x, "name": x}) for x in (a, b, c)]
            )
        moves = [
            writes("organisations", {"id": one, "name": one, "parent": above})
            for one, above in ((a, b), (b, c), (c, a))
        ]
        assert await all_at_once(pool, moves) == {"updated": 2, "refused": 1}


async def test_one_vehicle_takes_many_terminals_one_after_another(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    binds = [
        writes(
            "terminals",
            {"id": f"139{k:08}", "vehicle": "car-1", "valid_from": f"2026-01-{k + 1:02}T00:00:00Z"},
        )
        for k in range(24)
    ]
    assert await all_at_once(pool, binds) == {"created": 24}
    rows = await pool.fetch("SELECT valid_from, valid_to FROM terminal_bindings ORDER BY valid_from")
    assert len(rows) == 24
    assert [r["valid_to"] for r in rows] == [*(r["valid_from"] for r in rows[1:]), None]


async def test_a_station_and_its_transactions_find_each_other_whoever_commits_first(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    for number, first in enumerate(("fuel-stations", "fuel-transactions")):
        name = f"第{number}站"
        both = {
            "fuel-stations": {"id": f"S{number}", "name": name},
            "fuel-transactions": {"id": f"T{number}"} | FILL | {"station_name": name},
        }
        second = next(kind for kind in both if kind != first)
        async with pool.acquire() as one, pool.acquire() as two:
            async with one.transaction():
                await writes(first, both[first])(one)
                later = asyncio.ensure_future(in_transaction(two, partial(writes(second, both[second]), two)))
                await asyncio.sleep(0)
            assert await later == ["created"]
        assert (
            await pool.fetchval("SELECT station FROM fuel_transactions WHERE id = $1", f"T{number}")
            == f"S{number}"
        )


async def test_a_transaction_that_others_get_in_the_way_of_is_begun_again_and_not_without_end(
    pool: asyncpg.Pool,
) -> None:
    tries = 0

    async def write() -> int:
        nonlocal tries
        tries += 1
        await conn.execute("INSERT INTO organisations (id, name) VALUES ($1, 'n')", f"o{tries}")
        if tries < 3:
            raise writing.MeanwhileError
        return tries

    async def never() -> None:
        nonlocal tries
        tries += 1
        raise writing.MeanwhileError

    async with pool.acquire() as conn:
        assert await in_transaction(conn, write) == 3
        assert [r["id"] for r in await conn.fetch("SELECT id FROM organisations")] == ["o3"]
        tries = 0
        with pytest.raises(RefusedError, match="try again"):
            await in_transaction(conn, never)
        assert tries == writing.TRIES
