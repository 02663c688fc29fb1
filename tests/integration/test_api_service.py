"""Tokens, alerts, evidence, tracks, positions, health: over HTTP on a real PostgreSQL and a real log."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pyarrow as pa
import pytest
import uvicorn

from api.app import create_app
from api.http import make_cursor
from office.identity.tokens import SCOPES, create_token, list_tokens, revoke_token
from rules.alerts.feed import publish_feed
from rules.alerts.model import Alert, AlertFacts, Judgement, Measure
from rules.alerts.publish import publish as publish_judgements
from rules.evidence import canonical, digest
from runtime.errors import ConfigurationError, UnavailableError
from runtime.postgres import create_pool
from runtime.settings import Settings
from telemetry.archive.store import Archive
from telemetry.log import codec
from telemetry.log.base import POSITIONS, LogWriter, Record
from telemetry.log.sqlite import EmbeddedLogReader, EmbeddedLogWriter
from telemetry.positions import PositionBatch
from tests.waiting import PATIENCE_S, until

#: Who comes to these brings no credentials, or other ones.
OPEN = {
    ("post", "/v1/session"), ("post", "/v1/oauth/token"), ("get", "/v1/oidc/login"), ("get", "/v1/oidc/callback"),
    ("get", "/v1/session/methods"),
}  # fmt: skip
T0 = 1_772_411_400_000_000  # 2026-03-02T08:30:00+08:00
FROM, TO = "2026-03-02T08:00:00+08:00", "2026-03-02T20:00:00+08:00"


@asynccontextmanager
async def serve(
    pool: asyncpg.Pool, sink: LogWriter | None = None, *scopes: str, settings: Settings | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API with the scopes (none given: all). Its ``settings`` name the database where it imports large files."""
    made = await create_token(pool, "test", scopes or SCOPES)
    transport = httpx.ASGITransport(create_app(settings or Settings(), pool, position_sink=sink))
    headers = {"Authorization": f"Bearer {made.secret}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


@pytest.fixture
async def client(pool: asyncpg.Pool) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(pool) as client:
        yield client


def check_problem(response: httpx.Response, status: int, *says: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    for word in says:
        assert word in response.text
    assert "Traceback" not in response.text
    return dict(response.json())


# --- tokens


async def test_tokens_are_kept_hashed_and_end(pool: asyncpg.Pool) -> None:
    made = await create_token(pool, "纪委平台", ["alerts:read"], datetime.now(UTC) + timedelta(hours=1))
    assert made.secret not in repr(made)
    row = await pool.fetchrow("SELECT * FROM api_tokens")
    assert row is not None
    assert row["sha256"] == hashlib.sha256(made.secret.encode()).digest()
    assert made.secret not in str(row)
    (token,) = await list_tokens(pool)
    assert (token.id, token.name, token.scopes) == (made.id, "纪委平台", frozenset({"alerts:read"}))
    assert await revoke_token(pool, made.id)
    assert not await revoke_token(pool, made.id)
    for name, scopes, expires in (
        ("x", ["everything"], None), ("x", [], None), ("", ["alerts:read"], None),
        ("x", ["alerts:read"], datetime.now(UTC)), ("x", ["alerts:read"], datetime(2099, 1, 1)),
    ):  # fmt: skip
        with pytest.raises(ConfigurationError):
            await create_token(pool, name, scopes, expires)


async def test_who_may_come_in(pool: asyncpg.Pool) -> None:
    now = datetime.now(UTC)
    good = await create_token(pool, "good", ["alerts:read"], now + timedelta(hours=1))
    revoked = await create_token(pool, "revoked", ["alerts:read"])
    await revoke_token(pool, revoked.id)
    expired = await create_token(pool, "expired", ["alerts:read"], now + timedelta(hours=1))
    await pool.execute("UPDATE api_tokens SET expires_at = now() - interval '1 s' WHERE id = $1", expired.id)
    transport = httpx.ASGITransport(create_app(Settings(), pool, position_sink=None))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        wrong = ("gc_" + "A" * 43, revoked.secret, expired.secret, good.secret[:-1], "", "x" * 5000, "é")
        for header in ("", "Basic abc", *(f"Bearer {secret}" for secret in wrong)):
            response = await client.get("/v1/alerts", headers={b"Authorization": header.encode()})
            check_problem(response, 401)
            assert response.headers["www-authenticate"].startswith("Bearer")
        headers = {"Authorization": f"bearer {good.secret}"}
        assert (await client.get("/v1/alerts", headers=headers)).status_code == 200
        denied = await client.put("/v1/organisations/x", headers=headers, content=b"not even JSON")
        check_problem(denied, 403, "registry:write")
        assert 'scope="registry:write"' in denied.headers["www-authenticate"]
        noted = "SELECT last_used_at IS NOT NULL FROM api_tokens WHERE id = $1"
        await until(lambda: pool.fetchval(noted, good.id), "that the token was used is noted")


async def test_every_operation_needs_its_scope(pool: asyncpg.Pool) -> None:
    app = create_app(Settings(), pool, position_sink=None)
    transport = httpx.ASGITransport(app)
    operations = [(m, p) for p, ms in app.openapi()["paths"].items() for m in ms if p.startswith("/v1/")]
    assert len(operations) > 25
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for method, path in sorted(set(operations) - OPEN):
            response = await client.request(
                method,
                path.replace("{year}", "2026")
                .replace("{letter}", "1")
                .replace("{no}", "1")
                .replace("{id}", "x"),
            )
            check_problem(response, 401)


# --- alerts


def evidence(metres: int) -> dict[str, Any]:
    track = {
        "t_us": [T0, T0 + 1_000_000],
        "lat_e6": [31_980_000, 31_981_000],
        "lon_e6": [120_890_000, 120_891_000],
    }
    track |= {
        "speed_dkmh": [300, 310],
        "fingerprint": [1, 2],
        "direction_deg": [0, 0],
        "odometer_dkm": [-1, -1],
    }
    place = {"name": "如皋", "lat_e6": 32_371_000, "lon_e6": 120_573_000}
    return {
        "rule": "destination", "rule_version": 1, "track": track, "destination": place, "metres": metres,
        "parameters": {"radius_m": 2000}, "order": {"id": "o1", "version": 1},
    }  # fmt: skip


def judgement(subject: str, metres: int = 3000, **changes: Any) -> Judgement:
    facts = AlertFacts(
        severity="medium", organisation="finance", vehicle="car-1", plate="苏F00001", occurred_from_us=T0,
        occurred_to_us=T0 + 3_600_000_000, order="o1",
    )  # fmt: skip
    values: dict[str, Any] = {
        "rule": "destination", "rule_version": 1, "subject": subject, "vehicle_no": None, "outcome": "suspected",
        "reason": "not_reached", "evaluated_at_us": T0 + metres, "measures": {"nearest_m": Measure(metres, "m")},
        "parameters": {"radius_m": 2000}, "evidence": canonical(evidence(metres)), "alert": facts,
        "told": {"plate": "苏F00001", "order": "o1", "name": "如皋", "number": 1},
    }  # fmt: skip
    return Judgement(**(values | changes))


async def publish(pool: asyncpg.Pool, *judgements: Judgement) -> list[Alert]:
    async with pool.acquire() as connection, connection.transaction():
        written = await publish_judgements(connection, judgements)
        await publish_feed(connection, written)
        return list(written)


async def test_the_feed_from_cursor_to_cursor(client: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    empty = (await client.get("/v1/alerts/feed")).json()
    assert empty["items"] == []
    for i in range(5):
        await publish(pool, judgement(f"order:o{i}:0", 3000 + i))
    await publish(pool, judgement("order:o0:0", outcome="normal", reason="补单", evidence=None, alert=None))
    seen: list[tuple[str, int, str]] = []
    cursor = empty["next"]
    while True:
        page = (await client.get("/v1/alerts/feed", params={"cursor": cursor, "limit": "4"})).json()
        if not page["items"]:
            assert page["next"] == cursor
            break
        seen += [(item["id"], item["version"], item["status"]) for item in page["items"]]
        cursor = page["next"]
    assert [s[1:] for s in seen] == [(1, "suspected")] * 5 + [(2, "withdrawn")]
    assert seen[0][0] == seen[5][0]
    everything = (await client.get("/v1/alerts/feed")).json()
    assert len(everything["items"]) == 6
    item = everything["items"][0]
    contract = {
        "id", "rule", "version", "status", "severity", "organisation", "vehicle", "plate", "driver", "order",
        "occurred_from", "occurred_to", "detected_at", "summary", "summary_en", "measures", "parameters", "evidence_hash",
        "evidence_sm3",
    }  # fmt: skip
    assert contract <= item.keys()
    assert item["occurred_from"] == "2026-03-02T08:30:00+08:00"
    for bad in ({"cursor": "x"}, {"cursor": cursor[:-2]}):
        check_problem(await client.get("/v1/alerts/feed", params=bad), 400, "游标")
    for bad in ({"limit": "0"}, {"limit": "1001"}, {"wait": "31"}, {"limit": "x"}):
        check_problem(await client.get("/v1/alerts/feed", params=bad), 422)


async def test_waiting_for_news(client: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    waiting = asyncio.create_task(client.get("/v1/alerts/feed", params={"wait": "20"}, timeout=30))
    await asyncio.sleep(0.2)  # time: it waits, nothing happens
    assert not waiting.done()
    await publish(pool, judgement("order:o1:0"))
    page = (await asyncio.wait_for(waiting, PATIENCE_S)).json()
    assert len(page["items"]) == 1
    began = asyncio.get_running_loop().time()
    later = (await client.get("/v1/alerts/feed", params={"wait": "0.3", "cursor": page["next"]})).json()
    assert (later["items"], later["next"]) == ([], page["next"])
    # time: it ends by itself after 0.3 s; the longest wait that may be asked for is 30 s.
    assert asyncio.get_running_loop().time() - began < 20


async def test_lists_and_one_alert(client: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    for i in range(7):
        await publish(pool, judgement(f"order:o{i}:0", 3000 + i))
    await publish(pool, judgement("order:o3:0", 4000))
    await publish(pool, judgement("order:o4:0", outcome="normal", reason="补单", evidence=None, alert=None))

    async def listed(**params: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            query = {"limit": "3"} | params | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/v1/alerts", params=query)).json()
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found

    assert len({a["id"] for a in await listed()}) == len(await listed()) == 7
    assert len(await listed(status="withdrawn")) == 1
    assert (
        len(await listed(rule="destination", organisation="finance", vehicle="car-1", status="suspected"))
        == 6
    )
    assert await listed(vehicle="car-2") == []
    assert len(await listed(**{"from": FROM, "to": TO})) == 7
    assert await listed(**{"from": TO}) == []
    for bad in ({"status": "guilty"}, {"rule": "nothing"}, {"from": "2026-03-02"}, {"from": TO, "to": FROM}):
        check_problem(await client.get("/v1/alerts", params=bad), 422)
    check_problem(await client.get("/v1/alerts", params={"rule": "a\u0000"}), 422)
    for place in ((2**63, "x"), (-1, "x"), (1, "\u0000")):
        check_problem(await client.get("/v1/alerts", params={"cursor": make_cursor("alerts", *place)}), 400)
    (newest,) = [a for a in await listed() if a["version"] == 2 and a["status"] == "suspected"]
    one = (await client.get(f"/v1/alerts/{newest['id']}")).json()
    assert [v["version"] for v in one["versions"]] == [1, 2]
    assert one["measures"]["nearest_m"] == {"value": 4000, "unit": "m"}
    check_problem(await client.get("/v1/alerts/none"), 404, "none")
    check_problem(await client.get("/v1/alerts/%00"), 404)


async def test_an_alert_with_very_many_versions_shows_the_newest(
    client: httpx.AsyncClient, pool: asyncpg.Pool
) -> None:
    await publish(pool, judgement("order:o1:0"))
    id = (await client.get("/v1/alerts")).json()["items"][0]["id"]
    await pool.execute(
        "INSERT INTO alert_versions (alert_id, version, body, evidence_sha256)"
        " SELECT alert_id, n, jsonb_set(body, '{version}', to_jsonb(n)), evidence_sha256"
        " FROM alert_versions, generate_series(10, 1200) n WHERE alert_id = $1 AND version = 1",
        id,
    )
    one = (await client.get(f"/v1/alerts/{id}")).json()
    assert [v["version"] for v in one["versions"]] == list(range(201, 1201))
    assert one["version"] == 1200


async def test_evidence(client: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    (alert,) = await publish(pool, judgement("order:o1:0"))
    await publish(pool, judgement("order:o1:0", 4000))
    response = await client.get(f"/v1/alerts/{alert.id}/evidence", params={"version": 1})
    assert response.headers["content-type"] == "application/geo+json"
    body = response.json()
    assert [f["properties"]["role"] for f in body["features"]] == ["track", "destination", "circle"]
    assert (body["datum"], body["evidence_hash"], body["version"]) == ("wgs84", alert.evidence_hash, 1)
    for form in (
        {"params": {"raw": "true", "version": "1"}},
        {"params": {"version": "1"}, "headers": {"Accept": "application/json"}},
    ):
        raw = await client.get(f"/v1/alerts/{alert.id}/evidence", **form)  # type: ignore[arg-type]  # a mix of keywords
        assert raw.content == canonical(evidence(3000))
        assert digest(raw.content).hex() == alert.evidence_hash
        assert raw.headers["etag"] == f'"{alert.evidence_hash}"'
        assert (
            raw.headers["x-evidence-sm3"] == alert.evidence_sm3 == hashlib.new("sm3", raw.content).hexdigest()
        )
    assert body["evidence_sm3"] == alert.evidence_sm3
    newest = (await client.get(f"/v1/alerts/{alert.id}/evidence", params={"raw": "true"})).json()
    assert newest["metres"] == 4000
    check_problem(await client.get(f"/v1/alerts/{alert.id}/evidence", params={"version": 9}), 404)
    check_problem(await client.get("/v1/alerts/none/evidence"), 404)


# --- tracks


async def drive(client: httpx.AsyncClient, pool: asyncpg.Pool, rows: int = 12) -> None:
    """car-1 with terminal 1 until 10:30 and terminal 2 afterwards; both report all the time, once a minute."""
    await client.put("/v1/organisations/finance", json={"name": "财政局"})
    await client.put("/v1/vehicles/car-1", json={"plate": "苏F00001", "organisation": "finance"})
    await client.put("/v1/terminals/1", json={"vehicle": "car-1", "valid_from": "2026-01-01T00:00:00+08:00"})
    await client.put("/v1/terminals/2", json={"vehicle": "car-1", "valid_from": "2026-03-02T08:36:00+08:00"})
    batches = []
    for no in await pool.fetch("SELECT no FROM terminals ORDER BY phone"):
        times = [T0 + i * 60_000_000 for i in range(rows)]
        status = [2 if i % 5 else 0 for i in range(rows)]
        lat = [31_980_000 + 1000 * i for i in range(rows)]
        batches.append(
            PositionBatch.build(
                rows,
                terminal=no["no"],
                device_us=times,
                received_us=T0 + 10**10,
                lat_e6=lat,
                lon_e6=120_890_000,
                status=status,
            )
        )
    async with pool.acquire() as connection, connection.transaction():
        await Archive().store(connection, PositionBatch.concat(batches))


async def test_tracks_in_every_format(client: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    await drive(client, pool)

    async def get(accept: str, **params: str) -> httpx.Response:
        query = {"from": FROM, "to": TO} | params
        return await client.get("/v1/vehicles/car-1/track", params=query, headers={"Accept": accept})

    features = (await get("*/*")).json()["features"]
    told = [(f["properties"]["terminal"], f["properties"]["time"][11:16]) for f in features]
    assert told == [("1", f"08:{30 + i}") for i in range(6)] + [("2", f"08:{36 + i}") for i in range(6)]
    assert [f["properties"]["valid"] for f in features] == [bool(i % 5) for i in range(12)]
    assert features[0]["properties"]["flags"] == ["not_positioned"]
    assert len((await get("text/csv")).text.strip().split("\r\n")) == 13
    assert (await get("application/gpx+xml")).text.count("<trkpt") == 12
    arrow = pa.ipc.open_stream((await get("application/vnd.apache.arrow.stream")).content).read_all()
    assert arrow.column("terminal").to_pylist() == ["1"] * 6 + ["2"] * 6
    assert len((await get("*/*", **{"from": "2026-03-02T08:41:00+08:00"})).json()["features"]) == 1
    # A "+" that was not escaped arrives as a space.
    plain = await client.get(f"/v1/vehicles/car-1/track?from={FROM}&to={TO}")
    assert len(plain.json()["features"]) == 12
    check_problem(await get("text/html"), 406, "application/geo+json")
    check_problem(await get("*/*", to=FROM), 422)
    check_problem(await get("*/*", to="2026-04-03T08:00:00+08:00"), 422, "31")
    check_problem(await get("*/*", to="2026-03-02"), 422, "时区")
    check_problem(await client.get("/v1/vehicles/car-1/track"), 422, "from")
    check_problem(await client.get("/v1/vehicles/none/track", params={"from": FROM, "to": TO}), 404, "none")


async def test_a_long_track_comes_whole_in_pages(client: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    await drive(client, pool)
    number = await pool.fetchval("SELECT no FROM terminals WHERE phone = '2'")
    n = 12_000
    times = [T0 + 3_600_000_000 + i * 1_000_000 for i in range(n)]
    batch = PositionBatch.build(
        n,
        terminal=number,
        device_us=times,
        received_us=T0 + 10**11,
        lat_e6=31_980_000,
        lon_e6=120_890_000,
        status=2,
    )
    async with pool.acquire() as connection, connection.transaction():
        await Archive().store(connection, batch)
    params = {"from": "2026-03-02T09:30:00+08:00", "to": TO}
    features = (await client.get("/v1/vehicles/car-1/track", params=params)).json()["features"]
    assert len(features) == n
    assert [f["properties"]["time"] for f in features] == sorted({f["properties"]["time"] for f in features})


# --- positions

ROW = {
    "terminal": "000000000001",
    "time": "2026-03-02T08:31:00+08:00",
    "lat": 31.98,
    "lon": 120.89,
    "datum": "wgs84",
}


class FailingLog:
    """A log that takes nothing: what a dead Kafka looks like from here."""

    partitions = 1

    async def append(self, records: Any) -> None:
        raise UnavailableError("no broker")

    async def close(self) -> None: ...


async def test_positions_are_in_the_log_before_202(pool: asyncpg.Pool, tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    sink = EmbeddedLogWriter(path, 4)
    async with serve(pool, sink) as client:
        for phone in range(1, 9):
            await client.put(f"/v1/terminals/{phone}", json={})
        rows = [ROW | {"terminal": str(i % 8 + 1), "lat": 31.0 + i / 100} for i in range(40)]
        response = await client.post("/v1/positions", json=rows)
        assert (response.status_code, response.json()) == (202, {"accepted": 40})
        assert (await client.post("/v1/positions", json=[])).json() == {"accepted": 0}
        refusals: list[tuple[list[dict[str, Any]], int, str, str]] = [
            ([ROW, ROW | {"terminal": "99"}], 1, "terminal", "99"),
            ([ROW, {k: v for k, v in ROW.items() if k != "datum"}], 1, "datum", "datum"),
            ([ROW | {"lat": 91}], 0, "lat", "90"),
            ([ROW | {"lat": "31"}], 0, "lat", "数字"),
            ([ROW | {"time": "2026-03-02T08:31:00"}], 0, "time", "时区"),
            ([ROW | {"colour": 1}], 0, "colour", "未知字段"),
        ]
        for body, row, field, says in refusals:
            problem = check_problem(await client.post("/v1/positions", json=body), 422, says)
            assert (problem["errors"][0]["row"], problem["errors"][0]["field"]) == (row, field)
        check_problem(await client.post("/v1/positions", json={"a": 1}), 422)
        check_problem(await client.post("/v1/positions", json=[ROW] * 5001), 413)
        await client.put("/v1/terminals/1", json={"enabled": False})
        check_problem(await client.post("/v1/positions", json=[ROW]), 422, "停用")
    await sink.close()
    reader = EmbeddedLogReader(path, POSITIONS, 4)
    for partition in (await reader.poll(1, 0)).assigned:
        await reader.seek(partition, 0)
    records = (await reader.poll(1 << 20, 1)).records
    await reader.close()
    stored = [codec.decode(record.payload) for record in records]
    assert sum(map(len, stored)) == 40
    assert len({record.partition for record in records}) == len(records) > 1
    whole = PositionBatch.concat(stored)
    assert sorted(whole.lat_e6.tolist()) == [31_000_000 + i * 10_000 for i in range(40)]


async def test_positions_without_a_log(pool: asyncpg.Pool) -> None:
    failing: Any = FailingLog()  # of a LogWriter it has what is asked for
    for sink in (None, failing):
        async with serve(pool, sink) as client:
            await client.put("/v1/terminals/1", json={})
            response = await client.post("/v1/positions", json=[ROW])
            check_problem(response, 503)
            assert response.headers["retry-after"]
    with pytest.raises(UnavailableError):
        await failing.append([Record(POSITIONS, 0, b"")])


# --- health, metrics, documentation, a database that is gone, a real socket


async def test_health_metrics_and_docs(client: httpx.AsyncClient, pool: asyncpg.Pool) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json()["status"] == "ready"
    await client.get("/v1/vehicles/private-id-1")
    await client.get("/v1/vehicles/private-id-2")
    await client.get("/no/such/private-path")
    text = (await client.get("/metrics")).text
    assert 'gongche_api_requests_total{method="GET",route="/v1/vehicles/{id}",status="404"}' in text
    assert 'route="unmatched"' in text
    assert "private-" not in text
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    for word in ("/v1/alerts/feed", "/v1/dispatch-orders:import", "派车单", "positions:write", "苏F12345"):
        assert word in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text.replace(
        "https://inspection.example.cn", ""
    )  # an example in a description
    assert "<script" not in page.text
    schema = (await client.get("/openapi.json")).json()
    text = json.dumps(schema)
    for part in text.split('"$ref": "')[1:]:
        name = part.split('"')[0]
        assert name.startswith("#/components/schemas/")
        assert name.rsplit("/", 1)[1] in schema["components"]["schemas"]
    await pool.execute("INSERT INTO schema_migrations (version, name, sha256) VALUES (9999, 'x', 'y')")
    check_problem(await client.get("/readyz"), 503, "9999")
    await pool.execute("DELETE FROM schema_migrations WHERE version = 9999")


async def test_metrics_need_a_token_unless_they_are_open_to_the_machine_itself(pool: asyncpg.Pool) -> None:
    good = await create_token(pool, "prometheus", ["ops:read"])
    nothing: dict[str, str] = {}
    far, near = ("10.0.0.9", nothing), ("127.0.0.1", nothing)
    passed_on = ("127.0.0.1", {"X-Forwarded-For": "10.0.0.9"})
    opened = create_app(Settings(api_metrics_open=True), pool, position_sink=None)
    # Whatever comes from this machine may have come through a proxy that does not say so.
    for app, (address, header) in (
        *((create_app(Settings(), pool, position_sink=None), one) for one in (far, near, passed_on)),
        (opened, far),
        (opened, passed_on),
    ):
        transport = httpx.ASGITransport(app, client=(address, 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            assert (await client.get("/healthz")).status_code == 200
            check_problem(await client.get("/metrics", headers=header), 401)
            headers = header | {"Authorization": f"Bearer {good.secret}"}
            assert (await client.get("/metrics", headers=headers)).status_code == 200
    transport = httpx.ASGITransport(opened, client=(near[0], 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/metrics")).status_code == 200


class Wire:
    """A wire to PostgreSQL that can be cut: connections end, new ones are refused."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        folder = parse_qs(parts.query).get("host", [""])[0]
        self._target: Any = (
            Path(folder) / f".s.PGSQL.{parts.port or 5432}" if folder else (parts.hostname, parts.port)
        )
        self._parts = parts
        self._port = 0
        self._ends: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def dsn(self) -> str:
        user = self._parts.netloc.split("@")[0]
        return f"postgresql://{user}@127.0.0.1:{self._port}{self._parts.path}"

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for end in self._ends:
            end.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(self._target, Path):
            other_reader, other = await asyncio.open_unix_connection(str(self._target))
        else:
            other_reader, other = await asyncio.open_connection(*self._target)
        self._ends |= {writer, other}

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            except OSError:
                pass  # cut
            sink.close()

        await asyncio.gather(pump(reader, other), pump(other_reader, writer))


async def test_a_database_that_is_gone_is_a_503(db_url: str) -> None:
    wire = Wire(db_url)
    await wire.mend()
    pool = await create_pool(wire.dsn)
    async with serve(pool) as client:
        assert (await client.get("/v1/alerts")).status_code == 200
        await wire.cut()
        for path in ("/readyz", "/v1/alerts", "/v1/vehicles/x", f"/v1/vehicles/x/track?from={FROM}&to={TO}"):
            response = await client.get(path)
            check_problem(response, 503)
            assert response.headers["retry-after"]
        assert (await client.get("/healthz")).status_code == 200
        await wire.mend()
        assert (await client.get("/v1/alerts")).status_code == 200
    pool.terminate()
    await wire.cut()


async def test_on_a_real_socket(pool: asyncpg.Pool) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(Settings(), pool, position_sink=None)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started, "the server listens")
    secret = (await create_token(pool, "t", SCOPES)).secret
    port = listener.getsockname()[1]
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {secret}"}
        ) as client:
            await drive(client, pool)
            params = {"from": FROM, "to": TO}
            assert len((await client.get("/v1/vehicles/car-1/track", params=params)).json()["features"]) == 12
            assert (await client.get("/metrics")).status_code == 200

            async def endless() -> AsyncIterator[bytes]:
                for _ in range(40):
                    yield b" " * 65536

            # Without Content-Length the limit strikes while reading; with it, at once. Nothing is kept.
            try:
                response = await client.put("/v1/organisations/x", content=endless())
                check_problem(response, 413)
            except httpx.TransportError:
                pass  # the server closed while we were still sending: just as good
            gz = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
            check_problem(await client.put("/v1/organisations/x", content=b"x", headers=gz), 415)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PUT /v1/organisations/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n"), PATIENCE_S)
        assert b"401" in head  # refused before a byte of the body is asked for
        writer.close()
        # A reader that goes away while it waits frees its place.
        waiting = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {secret}"}
        )
        with pytest.raises(httpx.ReadTimeout):
            await waiting.get(
                "/v1/alerts/feed", params={"wait": "30"}, timeout=httpx.Timeout(PATIENCE_S, read=0.3)
            )
        await waiting.aclose()
        await until(lambda: not app.state.waiting_readers, "nobody waits any more")
    finally:
        server.should_exit = True
        await running
