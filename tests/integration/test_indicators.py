"""GET /v1/indicators on a real PostgreSQL: what the database holds comes to the numbers that the words say; who may ask."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from api.app import create_app
from office.identity.subject import PERMISSIONS
from office.identity.tokens import SCOPES, create_token
from runtime.settings import Settings
from runtime.units import CHINA
from tests.integration.cost_site import Asked, Trip, drive


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


async def test_the_numbers_of_a_month(pool: asyncpg.Pool, tmp_path: Path) -> None:
    await pool.execute("INSERT INTO organisations (id, name) VALUES ('city', '市'), ('far', '远')")
    await pool.execute(
        "INSERT INTO organisations (id, name, parent) VALUES ('pool', '平台', 'city'), ('jsj', '建设局', 'city')"
    )
    await pool.execute(
        "INSERT INTO vehicles (id, plate, organisation, registered_on) VALUES ('car-1', '苏F12341', 'pool', '2020-01-01'), ('car-2', '苏F12342', 'pool', '2020-01-01'),"
        " ('car-9', '苏F12349', 'far', '2020-01-01')"
    )
    trips = [
        # Over midnight before the month: what of it is in March counts as time, not as a departure.
        Trip("t0", at("2026-02-28T23:00"), 2, 10_000, riders=[Asked("r0")]),
        Trip("t1", at("2026-03-02T09:00"), 3, 40_000, riders=[Asked("r1"), Asked("r2", "pool", 2)]),
        Trip("t2", at("2026-03-31T23:59"), 1, 20_000, riders=[Asked("r3")], vehicle="car-2"),
        Trip("t3", at("2026-04-01T00:00"), 1, 20_000, riders=[Asked("r4")], vehicle="car-2"),
    ]
    async with pool.acquire() as connection, connection.transaction():
        await drive(connection, trips)
    await pool.execute("UPDATE trip_requests SET submitted_at = planned_departure - interval '1 day', approved_at = planned_departure - interval '1 day' + interval '30 min'")  # fmt: skip
    await pool.execute(
        "INSERT INTO vehicle_seals (organisation, vehicle, sealed_from, sealed_to, reason) VALUES ('pool', 'car-2', '2026-03-01T00:00+08', '2026-03-11T00:00+08', 'x')"
    )
    await pool.execute(
        "INSERT INTO cost_entries (id, organisation, kind, vehicle, occurred_on, period, amount_fen, payer, source, version, created_at)"
        " VALUES ('a', 'pool', 'toll', 'car-1', '2026-03-02', '202603', 8000, 'unit', 'entered', 1, now()),"
        " ('b', 'pool', 'depreciation', 'car-1', '2026-03-02', '202603', 9900, 'unit', 'entered', 1, now()),"
        " ('c', 'pool', 'fine', 'car-1', '2026-03-02', '202603', 9900, 'driver', 'entered', 1, now())"
    )
    made = await create_token(pool, "test", SCOPES)
    await pool.execute("UPDATE api_tokens SET scopes = $1 WHERE id = $2", list(PERMISSIONS), made.id)
    low = await create_token(pool, "low", SCOPES)
    transport = httpx.ASGITransport(create_app(Settings(data_dir=tmp_path), pool, position_sink=None))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def ask(secret: str, status: int = 200, **query: str) -> Any:
            answer = await client.get(
                "/v1/indicators", params=query, headers={"Authorization": f"Bearer {secret}"}
            )
            assert answer.status_code == status, answer.text
            return answer.json()

        shown = await ask(made.secret, organisation="city", period="202603")
        found = {each["code"]: each for each in shown["items"]}
        assert (shown["since"], shown["until"]) == ("2026-03-01T00:00:00+08:00", "2026-04-01T00:00:00+08:00")
        assert found["trips"]["value"] == 2  # 23:59 is of March, midnight of April
        assert found["task_hours"]["value"] == round(1 + 3 + 1 / 60, 6)
        assert found["driven_km"]["value"] == 60
        assert found["pooled"]["value"] == 50
        # 62 vehicle-days, 10 of them sealed; departures on two.
        assert (found["departure_rate"]["numerator"], found["departure_rate"]["denominator"]) == (2, 52)
        assert found["cost_of_vehicle"]["value"] == 40
        assert found["cost_per_km"]["value"] == round(80 / 60, 6)
        assert found["approval_median"]["n"] == 4
        assert found["fuel_per_100km"]["value"] is None
        assert "不可判" in found["fuel_per_100km"]["definition"]
        assert {each["name"] for each in shown["not_published"]} >= {"服务总时长", "空驶率"}
        quarter = await ask(made.secret, organisation="city", period="2026Q1")
        assert {e["code"]: e["value"] for e in quarter["items"]}["trips"] == 3
        far = await ask(made.secret, organisation="far", period="202603")
        assert {e["code"]: e["value"] for e in far["items"]}["trips"] == 0
        for query in (
            {"organisation": "city", "period": "202613"},
            {"organisation": "city", "period": "2026Q5"},
            {"period": "202603"},
        ):
            await ask(made.secret, 422, **query)
        await ask(made.secret, 404, organisation="nobody", period="202603")
        await ask(low.secret, 403, organisation="city", period="202603")
        assert datetime.fromisoformat(shown["as_of"]) > at("2026-03-01T00:00") + timedelta(days=1)
