"""The farthest days and times that the registry takes: everything is judged, no subject is a fault for ever."""

from __future__ import annotations

import itertools
import logging

import asyncpg
import httpx
import pytest

from api.app import create_app
from office.identity.tokens import create_token
from rules.judge.process import Judge
from rules.judge.subjects.all import GATHERERS
from rules.navigation import NoNavigator
from runtime.settings import Settings

DAYS = [None, "1900-01-01", "1969-12-31", "2026-01-05", "2100-12-31"]
TIMES = ["1970-01-01T00:00:00Z", "2026-01-05T00:00:00Z", "2100-12-31T23:59:59.999999Z"]


async def test_whatever_is_taken_can_be_judged(
    pool: asyncpg.Pool, db_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    made = await create_token(pool, "test", ["registry:write"])
    transport = httpx.ASGITransport(create_app(Settings(), pool, position_sink=None))
    headers = {"Authorization": f"Bearer {made.secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:

        async def put(address: str, **body: object) -> None:
            response = await client.put(f"/v1/{address}", json=body)
            assert response.status_code == 201, (address, body, response.text)

        for wrong in ("0001-01-01", "1899-12-31", "2101-01-01", "9999-12-31"):
            for field in ("registered_on", "disposed_on"):
                response = await client.put(
                    "/v1/vehicles/v", json={"plate": "苏F1", "organisation": "o", field: wrong}
                )
                assert response.status_code == 422
                assert response.json()["errors"][0]["pointer"] == f"/{field}"
        await put("organisations/o", name="单位")
        await put("drivers/d", name="张三", organisation="o")
        await put("fuel-stations/s", name="站", lat=90, lon=180, datum="wgs84")
        spans = itertools.combinations_with_replacement(DAYS, 2)
        for k, ((first, last), status) in enumerate(itertools.product(spans, ("active", "closed"))):
            plate, life = f"苏F{k:05}", {"opened_on": first, "closed_on": last}
            await put(f"vehicles/v{k}", plate=plate, organisation="o", registered_on=first, disposed_on=last)
            await put(
                f"fuel-cards/c{k}", organisation="o", status=status, **life, plate=plate, valid_from=TIMES[0]
            )
            await put(f"fuel-cards/n{k}", organisation="o", status=status, **life)
            await put(
                f"fuel-cards/l{k}", organisation="o", status=status, **life, plate=plate, valid_from=TIMES[2]
            )
        for k, (start, end) in enumerate(itertools.combinations(TIMES, 2)):
            for status in ("approved", "returned", "cancelled"):
                await put(
                    f"dispatch-orders/{status}{k}", organisation="o", vehicle=f"v{k}", driver="d", status=status,
                    planned_departure=start, planned_return=end, actual_return=end if status == "returned" else None,
                    origin={"name": "极", "lat": -90, "lon": -180, "datum": "wgs84"},
                    destinations=[{"name": "市区"}, {"name": "极", "lat": 90, "lon": 180, "datum": "wgs84"}],
                )  # fmt: skip
        for k, at in enumerate(TIMES[:2]):
            for n in range(2):
                await put(
                    f"fuel-transactions/t{k}{n}",
                    card="c0",
                    at=at,
                    kind="fill",
                    quantity="999999999.999",
                    station="s",
                )
                await put(f"violations/w{k}{n}", plate="苏F00000", at=at, act=f"行为{n}")
            await put(f"calendar-days/{('1900-01-01', '2100-12-31')[k]}", workday=False)
    judge = Judge(db_url, GATHERERS, NoNavigator())
    for _ in range(40):
        if not await judge.turn():
            break
    await judge.close()
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
    assert await pool.fetch("SELECT * FROM judge_due WHERE waits_for LIKE 'fault%'") == []
    # All were looked at, and what is wrong was found: cards of vehicles that were not official, cards bound to nothing.
    judged = {(rule, outcome): n for rule, outcome, n in await pool.fetch(
        "SELECT rule, outcome, count(DISTINCT subject) FROM evaluations GROUP BY 1, 2")}  # fmt: skip
    assert judged[("card_binding", "suspected")] > 20
    assert judged[("traffic_violations", "suspected")] == 2
