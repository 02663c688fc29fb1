"""Which station a transaction was at: what its name means now, or what was given. On a real PostgreSQL."""

# ruff: noqa: F811 - fixtures are imported
from __future__ import annotations

from typing import Any

import asyncpg
import httpx

from runtime.migrations import migration_files
from tests.integration.test_api_registry import client, fleet  # noqa: F401 - fixtures
from tests.integration.test_business_facts import FILL, changes, office  # noqa: F401 - the fixture
from tests.integration.test_statements import counts, fill, send, text

SOUTH = text(fill(1, station="城南站"), fill(2, station="城 南站"), fill(3, station=""))


async def station(office: httpx.AsyncClient, id: str, *aliases: str) -> None:
    response = await office.put(f"/v1/fuel-stations/{id}", json={"name": f"{id}号站", "aliases": aliases})
    assert response.is_success, response.text


async def put(office: httpx.AsyncClient, id: str, **more: Any) -> dict[str, Any]:
    response = await office.put(f"/v1/fuel-transactions/{id}", json=FILL | more)
    assert response.is_success, response.text
    return dict(response.json())


async def places(pool: asyncpg.Pool) -> list[str | None]:
    return [r["station"] for r in await pool.fetch("SELECT station FROM fuel_transactions ORDER BY at, id")]


async def test_an_alias_of_the_wrong_station_is_taken_back(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await station(office, "A", "城南站")
    await station(office, "B")
    report = await send(office, SOUTH)
    assert (counts(report), await places(pool)) == ({"rows": 3, "created": 3}, ["A", "A", None])
    await changes(pool)
    await station(office, "A")
    assert await places(pool) == [None, None, None]
    noted = await changes(pool)
    assert {kind for kind, _ in noted} == {"station", "transaction", "fills"}
    assert len([kind for kind, _ in noted if kind == "transaction"]) == 2
    again = await send(office, SOUTH)
    assert (counts(again), again["unmatched_stations"]) == (
        {"rows": 3, "unchanged": 3},
        [{"name": "城南站", "rows": 1}, {"name": "城 南站", "rows": 1}],
    )
    await station(office, "B", "城南站")
    assert await places(pool) == ["B", "B", None]
    assert counts(await send(office, SOUTH)) == {"rows": 3, "unchanged": 3}
    # In one import from one station to the other, and nobody hears of it twice.
    moved = "编号,名称,别名\nA,A号站,城南站\nB,B号站,\n".encode()
    response = await office.post(
        "/v1/fuel-stations:import", content=moved, headers={"Content-Type": "text/csv"}
    )
    assert response.json()["updated"] == 2
    assert await places(pool) == ["A", "A", None]
    await changes(pool)
    await station(office, "A", "城南站", "另一名")
    assert await changes(pool) == {("station", "A")}


async def test_a_station_that_was_given_stays(office: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    await station(office, "A", "城南站")
    await station(office, "B")
    await send(office, text(fill(1, station="城南站")))
    (id,) = await pool.fetchval("SELECT array_agg(id) FROM fuel_transactions")
    read = (await office.get(f"/v1/fuel-transactions/{id}")).json()
    body = {name: read[name] for name in (*FILL, "station", "source")}
    assert (await put(office, id, **body))[
        "outcome"
    ] == "unchanged"  # read and sent back: its name still says it
    await station(office, "A")
    assert await places(pool) == [None]
    assert (await put(office, id, **body | {"station": "B"}))["station"] == "B"
    for names in (("城南站",), ()):
        await station(office, "A", *names)
        report = await send(office, text(fill(1, station="城南站")))
        assert (counts(report), report["unmatched_stations"]) == ({"rows": 1, "unchanged": 1}, [])
        assert await places(pool) == ["B"]
    assert (await put(office, id, **body | {"station": None}))["station"] is None
    await station(office, "A", "城南站")
    assert await places(pool) == ["A"]


async def test_what_was_stored_before_follows_its_name_if_it_did(
    office: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    """The migration: rows whose name means their station, a row at another one, rows without name or station."""
    await station(office, "A", "城南站")
    await pool.execute("ALTER TABLE fuel_transactions DROP COLUMN station_given")
    for id, name, at in (("1", "城 南站", "A"), ("2", "城西站", "A"), ("3", "", "A"), ("4", "城南站", None)):
        await pool.execute(
            "INSERT INTO fuel_transactions (id, card, at, kind, quantity, station_name, station)"
            " VALUES ($1, 'c1', '2026-03-02', 'fill', 1000, $2, $3)", id, name, at,
        )  # fmt: skip
    (migration,) = [file for file in migration_files() if file.name == "0010_station_given.sql"]
    await pool.execute(migration.read_text("utf-8"))
    given = [r["station_given"] for r in await pool.fetch("SELECT * FROM fuel_transactions ORDER BY id")]
    assert given == [False, True, True, False]
    await station(office, "A")
    assert await places(pool) == [None, "A", "A", None]
